//! The only path type of genti, and its order.
//!
//! A [`RelPath`] is relative to the workspace root: bytes, joined by `/`, ordered bytewise as a whole. It
//! does not know whether a file exists there, or where the workspace is.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A path relative to the workspace root: bytes, `/`-joined, ordered bytewise.
///
/// The root itself is the empty path, shown as `.`. Paths outside the root start with `..`.
///
/// The order compares the whole byte string, so `a.txt` comes before `a/b` (`.` is less than `/`). Sorting
/// directory by directory would give another order, which genti never uses.
///
/// ```
/// use genti::path::RelPath;
///
/// let mut paths = [RelPath::new("a/b"), RelPath::new("a.txt")];
/// paths.sort();
/// assert_eq!(paths[0], RelPath::new("a.txt"));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RelPath(Arc<[u8]>);

/// Serialized as text in formats for people, otherwise as bytes.
#[cfg(feature = "engine")]
impl serde::Serialize for RelPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_str(self),
            false => serde::Serialize::serialize(self.0.as_ref(), serializer),
        }
    }
}

#[cfg(feature = "engine")]
impl<'de> serde::Deserialize<'de> for RelPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.is_human_readable() {
            true => {
                let text = <Cow<'_, str> as serde::Deserialize>::deserialize(deserializer)?;
                Ok(Self::unescape(&text))
            }
            false => {
                let bytes = <Box<[u8]> as serde::Deserialize>::deserialize(deserializer)?;
                Ok(Self(bytes.into()))
            }
        }
    }
}

/// Returns the same bytes as a [`Path`].
pub(crate) fn os_path(bytes: &[u8]) -> Cow<'_, Path> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        Cow::Borrowed(Path::new(std::ffi::OsStr::from_bytes(bytes)))
    }
    #[cfg(not(unix))]
    Cow::Owned(PathBuf::from(String::from_utf8_lossy(bytes).into_owned()))
}

impl RelPath {
    /// Creates a path from `bytes` without changes, except that `.` becomes the empty path.
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        if bytes == b"." { Self::default() } else { Self(bytes.into()) }
    }

    /// Creates a path without copying `bytes`, which must not be `.`.
    #[cfg(feature = "engine")]
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        debug_assert_ne!(bytes, b".");
        Self(bytes.into())
    }

    /// Returns the path from `root` to `path`, both of which must be absolute. If `path` is not below `root`,
    /// the result starts with as many `..` as needed. Returns `None` if `path` can't be expressed (a relative
    /// path, or another drive).
    pub fn between(root: &Path, path: &Path) -> Option<Self> {
        if !path.is_absolute() {
            return None;
        }
        let (mut from, mut to) = (root.components().peekable(), path.components().peekable());
        while from.peek().is_some() && from.peek() == to.peek() {
            from.next();
            to.next();
        }
        let mut bytes = Vec::new();
        let mut push = |part: &[u8]| {
            if !bytes.is_empty() {
                bytes.push(b'/');
            }
            bytes.extend_from_slice(part);
        };
        for part in from {
            match part {
                Component::Normal(_) => push(b".."),
                _ => return None,
            }
        }
        for part in to {
            match part {
                Component::Normal(name) => push(name.as_encoded_bytes()),
                Component::ParentDir => push(b".."),
                _ => return None,
            }
        }
        Some(Self(bytes.into()))
    }

    /// Removes `.` and `..` from `path` lexically, like cargo does in manifests and compilers do in file
    /// names.
    pub(crate) fn without_dots(path: &Path) -> PathBuf {
        let mut clean = PathBuf::new();
        for part in path.components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir => drop(clean.pop()),
                part => clean.push(part),
            }
        }
        clean
    }

    /// Returns the bytes, without escapes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns true if this is the workspace root itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns true if this path is outside the workspace root.
    pub fn is_outside(&self) -> bool {
        &*self.0 == b".." || self.0.starts_with(b"../")
    }

    /// Returns the directory that contains this path: the root for a path without `/`, and `None` for the
    /// root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(
            self.0
                .iter()
                .rposition(|&b| b == b'/')
                .map_or_else(Self::default, |at| Self(self.0[..at].into())),
        )
    }

    /// Returns the bytes of the directory that contains this path, which are empty for a path without `/`.
    pub fn dir(&self) -> &[u8] {
        &self.0[..self.0.iter().rposition(|&b| b == b'/').unwrap_or(0)]
    }

    /// Returns the last component of this path, which is empty for the root.
    pub fn file_name(&self) -> &[u8] {
        let start = self.0.iter().rposition(|&b| b == b'/').map_or(0, |at| at + 1);
        &self.0[start..]
    }

    /// Appends `part` to this path.
    pub fn join(&self, part: impl AsRef<[u8]>) -> Self {
        let part = part.as_ref();
        if self.is_root() {
            return Self::new(part);
        }
        if part.is_empty() {
            return self.clone();
        }
        Self([&self.0, b"/".as_slice(), part].concat().into())
    }

    /// Resolves `path` relative to this directory, including its `..`. Returns `None` if it leads out of the
    /// root.
    pub fn resolve(&self, path: &Self) -> Option<Self> {
        let mut parts: Vec<&[u8]> = Vec::new();
        for part in [self, path].into_iter().flat_map(|path| path.0.split(|&byte| byte == b'/')) {
            match part {
                b"" | b"." => {}
                b".." => {
                    parts.pop()?;
                }
                name => parts.push(name),
            }
        }
        Some(Self(parts.join(&b'/').into()))
    }

    /// Returns this path as seen from the directory `dir`, which is not outside the root.
    pub fn seen_from(&self, dir: &Self) -> Self {
        let parts = |path: &Self| -> Vec<Box<[u8]>> {
            let parts = path.0.split(|&byte| byte == b'/').filter(|part| !part.is_empty());
            parts.map(Into::into).collect()
        };
        let (own, from) = (parts(self), parts(dir));
        let common = own.iter().zip(&from).take_while(|(own, from)| own == from).count();
        let up = std::iter::repeat_n(&b".."[..], from.len() - common);
        Self::new(up.chain(own[common..].iter().map(|part| &**part)).collect::<Vec<_>>().join(&b'/'))
    }

    /// Returns true if this path is `dir` or below it. All paths that are not outside are below the root.
    pub fn is_within(&self, dir: &Self) -> bool {
        if dir.is_root() {
            return !self.is_outside();
        }
        self.0.strip_prefix(&*dir.0).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }

    /// Returns the path on disk, below `root`.
    pub fn to_path(&self, root: &Path) -> PathBuf {
        if self.is_root() { root.to_path_buf() } else { root.join(self.as_os_path()) }
    }

    /// Returns the same bytes as a relative [`Path`].
    pub fn as_os_path(&self) -> Cow<'_, Path> {
        os_path(&self.0)
    }

    /// Returns the path as text if no escapes are needed.
    pub(crate) fn plain(&self) -> Option<&str> {
        // Most paths are plain ASCII, which needs no look at characters.
        let is_plain = self.0.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'%');
        let text = std::str::from_utf8(&self.0).ok()?;
        (!self.is_root() && (is_plain || !text.contains(is_escaped))).then_some(text)
    }

    /// Parses the output of [`Display`](fmt::Display).
    pub fn unescape(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            let hex = (bytes[at] == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
            let byte = hex
                .and_then(|hex| std::str::from_utf8(hex).ok())
                .and_then(|hex| u8::from_str_radix(hex, 16).ok());
            out.push(byte.unwrap_or(bytes[at]));
            at += if byte.is_some() { 3 } else { 1 };
        }
        Self::new(out)
    }
}

/// Writes the path as UTF-8. `%XX` stands for bytes that are not valid UTF-8, for characters that would end a
/// line, control a terminal or be invisible, and for `%` itself. Different paths have different texts, and
/// each text can be parsed again.
impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str(".");
        }
        if let Some(plain) = self.plain() {
            return f.write_str(plain);
        }
        for chunk in self.0.utf8_chunks() {
            let mut rest = chunk.valid();
            while let Some(at) = rest.find(is_escaped) {
                let (plain, odd) = rest.split_at(at);
                let len = odd.chars().next().map_or(1, char::len_utf8);
                f.write_str(plain)?;
                odd.as_bytes()[..len].iter().try_for_each(|byte| write!(f, "%{byte:02X}"))?;
                rest = &odd[len..];
            }
            f.write_str(rest)?;
            chunk.invalid().iter().try_for_each(|byte| write!(f, "%{byte:02X}"))?;
        }
        Ok(())
    }
}

fn is_escaped(c: char) -> bool {
    c == '%' || c.is_control() || steers(c)
}

/// Returns true if `c` controls the terminal, is invisible, or changes the text direction: control and
/// bidirectional characters, Unicode line separators, and zero-width characters. Newlines and tabs are
/// allowed.
pub(crate) fn steers(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl Borrow<[u8]> for RelPath {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_compares_whole_byte_strings() {
        let mut paths = ["b", "a/b", "a", "a.txt", "a/a"].map(RelPath::new);
        paths.sort();
        assert_eq!(paths, ["a", "a.txt", "a/a", "a/b", "b"].map(RelPath::new));
    }

    #[test]
    fn every_written_path_can_be_parsed() {
        for bytes in
            [&b"plain"[..], b"100%", b"%41", b"\xff\xfe/x", b"new\nline", b"\xe2\x82", "\u{fc}".as_bytes()]
        {
            let path = RelPath::new(bytes);
            assert_eq!(RelPath::unescape(&path.to_string()), path, "{path}");
        }
        assert_eq!(RelPath::new(b"a\xffb%").to_string(), "a%FFb%25");
    }

    #[test]
    fn a_name_with_control_characters_is_escaped() {
        for (name, written) in [
            ("a\nb\r\t", "a%0Ab%0D%09"),
            ("\u{1b}[31mred", "%1B[31mred"),
            ("\u{9b}1m\u{202e}gpj", "%C2%9B1m%E2%80%AEgpj"),
            ("größe 👩", "größe 👩"),
        ] {
            let path = RelPath::new(name);
            assert_eq!(path.to_string(), written);
            assert_eq!(RelPath::unescape(written), path);
        }
    }

    #[test]
    fn between_may_lead_out_of_the_root() {
        let between =
            |path: &str| RelPath::between(Path::new("/w/root"), Path::new(path)).unwrap().to_string();
        assert_eq!(between("/w/root/src/lib.rs"), "src/lib.rs");
        assert_eq!(between("/w/root"), ".");
        assert_eq!(between("/w/other/a"), "../other/a");
        assert!(RelPath::between(Path::new("/w"), Path::new("relative")).is_none());
    }

    #[test]
    fn a_path_is_seen_from_a_directory() {
        let seen = |path: &str, dir: &str| RelPath::new(path).seen_from(&RelPath::new(dir)).to_string();
        assert_eq!(seen("a/b/c", "."), "a/b/c");
        assert_eq!(seen("a/b/c", "a"), "b/c");
        assert_eq!(seen("a/b/c", "a/d"), "../b/c");
        assert_eq!(seen("ab", "a"), "../ab");
        assert_eq!(seen("a", "a"), ".");
        assert_eq!(seen(".", "a/b"), "../..");
        assert_eq!(seen("../x", "a"), "../../x");
    }

    #[test]
    fn a_path_is_resolved_below_the_root_only() {
        let resolve = |base: &str, path: &str| RelPath::new(base).resolve(&RelPath::new(path));
        assert_eq!(resolve(".", "src/lib.rs"), Some(RelPath::new("src/lib.rs")));
        assert_eq!(resolve("a/b", "../c"), Some(RelPath::new("a/c")));
        assert_eq!(resolve("a", ".."), Some(RelPath::default()));
        assert_eq!(resolve("a", "../../b"), None);
        assert_eq!(resolve("a", "/etc"), Some(RelPath::new("a/etc")));
    }

    #[test]
    fn is_within_compares_whole_components() {
        let dir = RelPath::new("a/b");
        assert!(RelPath::new("a/b/c").is_within(&dir));
        assert!(RelPath::new("a/b").is_within(&dir));
        assert!(!RelPath::new("a/bc").is_within(&dir));
        assert!(RelPath::new("x").is_within(&RelPath::default()));
        assert!(!RelPath::new("../x").is_within(&RelPath::default()));
    }
}
