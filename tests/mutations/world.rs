//! Workspace in which every byte knows its origin.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

use super::rust::Code;

/// Origin of an added byte.
pub(crate) const FRESH: u32 = u32::MAX;

/// Text with the origin of each byte: its number in the original workspace, or [`FRESH`]. A copy has the origins of its
/// source.
#[derive(Clone, Default)]
pub(crate) struct Text {
    text: String,
    origins: Vec<u32>,
}

impl Text {
    pub(crate) fn fresh(text: &str) -> Self {
        Self { text: text.to_owned(), origins: vec![FRESH; text.len()] }
    }

    /// Creates a text with these origins.
    pub(crate) fn with_origins(text: String, origins: Vec<u32>) -> Self {
        assert_eq!(text.len(), origins.len());
        Self { text, origins }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn origin(&self, at: usize) -> u32 {
        self.origins[at]
    }

    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        Self { text: self.text[range.clone()].to_owned(), origins: self.origins[range].to_vec() }
    }

    pub(crate) fn replace(&mut self, range: Range<usize>, with: &Self) {
        self.text.replace_range(range.clone(), &with.text);
        self.origins.splice(range, with.origins.iter().copied());
    }

    /// Indents every line that is not empty and does not begin inside a token.
    pub(crate) fn indented(&self, indent: &str) -> Self {
        let code = Code::new(&self.text);
        let in_token = |at: usize| {
            let next = code.tokens.partition_point(|token| token.end <= at);
            code.tokens.get(next).is_some_and(|token| token.start < at)
        };
        let mut out = Self::default();
        let mut start = 0;
        for line in self.text.split_inclusive('\n') {
            if !line.trim().is_empty() && !in_token(start) {
                out.push(&Self::fresh(indent));
            }
            out.push(&self.slice(start..start + line.len()));
            start += line.len();
        }
        out
    }

    pub(crate) fn push(&mut self, more: &Self) {
        self.text.push_str(&more.text);
        self.origins.extend_from_slice(&more.origins);
    }
}

/// Files by path. Cheap to clone, because unchanged files are shared.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) files: BTreeMap<String, Rc<Text>>,
    /// Rules whose messages are worded differently by a newer tool.
    pub(crate) reworded: Vec<&'static str>,
}

impl World {
    /// Reads the Rust files in `dirs` below `root`.
    #[expect(clippy::disallowed_methods, reason = "it reads the workspace to mutate")]
    pub(crate) fn read(root: &Path, dirs: &[&str]) -> Self {
        let mut texts = BTreeMap::new();
        let mut pending: Vec<_> = dirs.iter().map(|dir| root.join(dir)).collect();
        while let Some(dir) = pending.pop() {
            for entry in std::fs::read_dir(&dir).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy();
                if path.is_dir() && name != "target" && !name.starts_with('.') {
                    pending.push(path);
                } else if name.ends_with(".rs")
                    && let Ok(text) = std::fs::read_to_string(&path)
                {
                    texts.insert(path.strip_prefix(root).unwrap().to_string_lossy().into_owned(), text);
                }
            }
        }
        let mut next = 0;
        let number = |(path, text): (String, String)| {
            let first = next;
            next += text.len() as u32;
            (path, Rc::new(Text { text, origins: (first..next).collect() }))
        };
        Self { files: texts.into_iter().map(number).collect(), reworded: Vec::new() }
    }

    pub(crate) fn text(&self, path: &str) -> &Rc<Text> {
        &self.files[path]
    }

    pub(crate) fn text_mut(&mut self, path: &str) -> &mut Text {
        Rc::make_mut(self.files.get_mut(path).unwrap())
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.files.keys().cloned().collect()
    }
}
