//! File names that break the output that they are printed in: a newline in a name ends a line, an escape character is taken
//! for the beginning of a sequence, and what is left is the name of no file.
//!
//! The names are known before anything is printed, so their odd characters are put out of the way, byte by byte, and come
//! back where the name is read.

use std::borrow::Cow;

use crate::model::path::RelPath;
use crate::model::workspace::Workspace;

/// Where bytes are put: at the end of the last plane for private use.
const DISGUISE: u32 = 0x0010_FF00;

/// The names of a workspace's files that hold control characters.
#[derive(Clone, Debug, Default)]
pub(super) struct OddNames {
    /// Each with what stands for it: the longest first, for one may begin as another one does.
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

    /// `output` with what stands for them in the place of these names.
    pub(super) fn disguise<'a>(&self, output: &'a [u8]) -> Cow<'a, [u8]> {
        let mut output = Cow::Borrowed(output);
        for (name, stand_in) in &self.names {
            let mut made = Vec::new();
            let mut copied = 0;
            for at in find_all(&output, name) {
                if at >= copied {
                    made.extend_from_slice(&output[copied..at]);
                    made.extend_from_slice(stand_in);
                    copied = at + name.len();
                }
            }
            if copied > 0 {
                made.extend_from_slice(&output[copied..]);
                output = Cow::Owned(made);
            }
        }
        output
    }
}

/// Where `name` begins in `text`.
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

/// `line` as text in which every byte that is not UTF-8 is one character, so that a `.` matches it: a file name
/// may hold any byte, and a pattern that passes over the line would lose a finding.
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

/// The bytes that were disguised in `text`, and all others.
pub(super) fn revealed(text: &str) -> Vec<u8> {
    reveal(text, |byte, bytes| bytes.push(byte))
}

/// The same for a text that is shown: a name in it is written as in all artifacts.
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
    fn names_are_put_out_of_the_way_and_come_back() {
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
