//! Protects odd file names in tool output. A newline in a name would end a line, an escape character would start an
//! escape sequence, and the rest would not be the name of any file.
//!
//! The names are known in advance. Their control characters are replaced byte by byte with private-use characters
//! before parsing, and restored where a name is read.

use std::borrow::Cow;

use crate::model::path::RelPath;
use crate::model::workspace::Workspace;

/// First of the 256 private-use characters that stand for bytes, at the end of the last plane.
const DISGUISE: u32 = 0x0010_FF00;

/// Names of workspace files that contain control characters.
#[derive(Clone, Debug, Default)]
pub(super) struct OddNames {
    /// Each name with its replacement. Longest first, because one name may be a prefix of another.
    names: Vec<(Vec<u8>, Vec<u8>)>,
}

impl OddNames {
    pub(super) fn of(workspace: &Workspace) -> Self {
        let paths = workspace.files.iter().map(|file| file.path.as_bytes()).filter(|path| is_odd(path));
        let mut names: Vec<_> = paths.map(|path| (path.to_vec(), disguise_controls(path))).collect();
        names.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        Self { names }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns `output` with these names replaced.
    pub(super) fn disguise<'a>(&self, output: &'a [u8]) -> Cow<'a, [u8]> {
        let mut output = Cow::Borrowed(output);
        for (name, stand_in) in &self.names {
            let mut replaced = Vec::new();
            let mut copied = 0;
            for at in find_all(&output, name) {
                if at >= copied {
                    replaced.extend_from_slice(&output[copied..at]);
                    replaced.extend_from_slice(stand_in);
                    copied = at + name.len();
                }
            }
            if copied > 0 {
                replaced.extend_from_slice(&output[copied..]);
                output = Cow::Owned(replaced);
            }
        }
        output
    }
}

/// Returns the offsets at which `name` occurs in `text`.
fn find_all<'a>(text: &'a [u8], name: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let first = name.first().copied();
    let starts = text.iter().enumerate().filter(move |(_, byte)| Some(**byte) == first);
    starts.map(|(at, _)| at).filter(move |at| text[*at..].starts_with(name))
}

fn is_odd(path: &[u8]) -> bool {
    path.iter().any(|byte| byte.is_ascii_control())
}

fn disguise_controls(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len() + 16);
    for byte in path {
        match disguised(*byte).filter(|_| byte.is_ascii_control()) {
            Some(stand_in) => out.extend_from_slice(stand_in.encode_utf8(&mut [0; 4]).as_bytes()),
            None => out.push(*byte),
        }
    }
    out
}

fn disguised(byte: u8) -> Option<char> {
    char::from_u32(DISGUISE + u32::from(byte))
}

/// Returns `line` as text in which each byte that is not UTF-8 is one character, so `.` in a pattern matches it. A file
/// name may contain any byte, and a line that cannot match would lose a finding.
pub(super) fn as_text(line: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(line) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(line.len());
    for chunk in line.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|byte| disguised(*byte)));
    }
    Cow::Owned(text)
}

/// Returns `text` as bytes, with the original bytes restored.
pub(super) fn revealed(text: &str) -> Vec<u8> {
    reveal(text, |byte, bytes| bytes.push(byte))
}

/// Like [`revealed`], but escapes control characters in names, as in all artifacts.
pub(super) fn shown(text: &str) -> Vec<u8> {
    reveal(text, |byte, bytes| match byte.is_ascii_control() {
        true => bytes.extend_from_slice(RelPath::new([byte]).to_string().as_bytes()),
        false => bytes.push(byte),
    })
}

fn reveal(text: &str, mut push: impl FnMut(u8, &mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u32::from(c).checked_sub(DISGUISE).and_then(|byte| u8::try_from(byte).ok()) {
            Some(byte) => push(byte, &mut bytes),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalize::testing::workspace;

    #[test]
    fn odd_names_are_disguised_and_restored() {
        let odd = OddNames::of(&workspace(&[], &["a\nb", "a\nb\u{1b}[1mc", "plain"]));
        let output = b"/w/a\nb\x1b[1mc:1: x\na\nb:2: y\nplain a\n";
        let disguised = odd.disguise(output);
        let text = as_text(&disguised);
        assert_eq!(text.lines().count(), 3);
        assert!(!text.contains('\u{1b}'));
        assert_eq!(revealed(&text), output);
        assert_eq!(shown(&text), b"/w/a%0Ab%1B[1mc:1: x\na%0Ab:2: y\nplain a\n");
        assert!(matches!(odd.disguise(b"nothing of it"), Cow::Borrowed(_)));
    }
}
