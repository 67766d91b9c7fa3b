//! Keys of the remote store: SHA-256 digests, as the servers use, over the keys of the local log and what a machine adds to them.

use sha2::{Digest as _, Sha256};

use super::super::record::Discovered;
use crate::model::digest::{Digest, Sink};

/// Kind of the value under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cache) enum Kind {
    /// Lists of names of discovered inputs.
    Names,
    /// A result.
    Result,
}

impl Kind {
    /// Returns the name that servers see.
    #[cfg(feature = "remote")]
    pub(in crate::cache) fn as_str(self) -> &'static str {
        match self {
            Self::Names => "names",
            Self::Result => "result",
        }
    }
}

/// Key of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cache) struct RemoteKey {
    pub(in crate::cache) kind: Kind,
    pub(in crate::cache) digest: [u8; 32],
}

impl RemoteKey {
    /// Returns the digest in hexadecimal digits.
    #[cfg(any(test, feature = "remote"))]
    pub(in crate::cache) fn hex(&self) -> String {
        self.digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Everything about a task that is known before it runs, on any machine of the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cache) struct StaticKey([u8; 32]);

impl StaticKey {
    /// Creates it from the key in the local log, the digest of what all machines that share results have in common (`platform`), and
    /// the configured salt.
    pub(in crate::cache) fn new(local: &Digest, platform: &Digest, salt: &str) -> Self {
        let mut hasher = Sha256Hasher::new("genti.remote.static.1");
        hasher.field("key", &local.0);
        hasher.field("platform", &platform.0);
        hasher.field("salt", salt.as_bytes());
        Self(hasher.finish())
    }

    /// Returns the key of the names of discovered inputs.
    pub(in crate::cache) fn names(&self) -> RemoteKey {
        RemoteKey { kind: Kind::Names, digest: self.0 }
    }

    /// Returns the key of the result with these discovered inputs.
    pub(in crate::cache) fn result(&self, discovered: &[Discovered]) -> RemoteKey {
        let mut hasher = Sha256Hasher::new("genti.remote.result.1");
        hasher.field("static", &self.0);
        hasher.count("inputs", discovered.len());
        for input in discovered {
            feed(input, &mut hasher);
        }
        RemoteKey { kind: Kind::Result, digest: hasher.finish() }
    }
}

fn feed(input: &Discovered, sink: &mut dyn Sink) {
    let mut all = |kind: &str, name: &[u8], digest: Option<&Digest>| {
        sink.field("kind", kind.as_bytes());
        sink.field("name", name);
        sink.field("digest", digest.map_or(&[], |digest| &digest.0[..]));
    };
    match input {
        Discovered::File(path, digest) => all("file", path.as_bytes(), digest.as_ref()),
        // It follows from the others, and may not have been generated yet.
        Discovered::Generated(path, _) => all("generated", path.as_bytes(), None),
        Discovered::Directory(path, digest) => all("directory", path.as_bytes(), Some(digest)),
        Discovered::Variable(name, digest) => all("variable", name.as_bytes(), digest.as_ref()),
        Discovered::Everything(digest) => all("everything", b"", Some(digest)),
        Discovered::Seen(path, digest) => all("seen", path.as_bytes(), digest.as_ref()),
        Discovered::Listed(path, digest) => all("listed", path.as_bytes(), Some(digest)),
        Discovered::Content(path, digest) => all("content", path.as_bytes(), Some(digest)),
        Discovered::Built(path, digest) => all("built", path.as_bytes(), Some(digest)),
        Discovered::Until(at) => all("until", &at.to_le_bytes(), None),
    }
}

/// A sink like [`Hasher`](crate::model::digest::Hasher), with the digest function of the servers.
struct Sha256Hasher(Sha256);

impl Sha256Hasher {
    fn new(domain: &'static str) -> Self {
        let mut hasher = Self(Sha256::new());
        hasher.prefixed(domain.as_bytes());
        hasher
    }

    fn prefixed(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

impl Sink for Sha256Hasher {
    fn field(&mut self, name: &'static str, value: &[u8]) {
        self.prefixed(name.as_bytes());
        self.prefixed(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::path::RelPath;

    fn digest(of: &str) -> Digest {
        Digest::of_bytes(of.as_bytes())
    }

    #[test]
    fn a_static_key_depends_on_the_local_key_the_platform_and_the_salt() {
        let key =
            |local: &str, platform: &str, salt: &str| StaticKey::new(&digest(local), &digest(platform), salt);
        let base = key("a", "b", "c");
        assert_eq!(base, key("a", "b", "c"));
        for other in [key("x", "b", "c"), key("a", "x", "c"), key("a", "b", "x"), key("b", "a", "c")] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn the_key_of_a_result_depends_on_each_input_except_the_content_of_generated_files() {
        let key = StaticKey::new(&digest("key"), &digest("platform"), "");
        let path = || RelPath::new("a");
        let one = || Some(digest("1"));
        let inputs = [
            Discovered::File(path(), one()),
            Discovered::File(path(), None),
            Discovered::File(path(), Some(digest("2"))),
            Discovered::File(RelPath::new("b"), one()),
            Discovered::Generated(path(), digest("1")),
            Discovered::Directory(path(), digest("1")),
            Discovered::Variable("a".to_owned(), one()),
            Discovered::Variable("a".to_owned(), None),
            Discovered::Everything(digest("1")),
        ];
        let keys: std::collections::BTreeSet<_> =
            inputs.iter().map(|input| key.result(std::slice::from_ref(input))).collect();
        assert_eq!(keys.len(), inputs.len());
        assert!(!keys.contains(&key.result(&[])));
        assert!(!keys.contains(&key.names()));
        let generated = |of: &str| key.result(&[Discovered::Generated(path(), digest(of))]);
        assert_eq!(generated("1"), generated("2"));
        let both = [inputs[0].clone(), inputs[6].clone()];
        assert!(!keys.contains(&key.result(&both)));
    }

    /// Another version of genti must find what this one has stored, or nothing.
    #[test]
    fn keys_are_stable() {
        let key = StaticKey::new(&Digest([1; 32]), &Digest([2; 32]), "salt");
        assert_eq!(key.names().hex(), "4789d983a108502a35b40f3167b15ebc59d66469cfd5fba32d186c99b5f812b3");
        let inputs = [Discovered::Variable("A".to_owned(), Some(Digest([3; 32])))];
        assert_eq!(
            key.result(&inputs).hex(),
            "31df37070deff6da08b51b78e003eff9ee3a9930242bbbdb28f27000166f7f61"
        );
    }
}
