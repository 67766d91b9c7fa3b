//! Values in the remote store. Each repeats its key, so that a server can't answer with the value of another one.

use serde::{Deserialize, Serialize};

use super::super::record::Discovered;
use super::key::RemoteKey;
use crate::model::digest::Digest;

/// Maximum size in bytes of a value. Servers accept messages of up to 4 MiB, and a message has more than the value.
pub(in crate::cache) const MOST_BYTES: usize = (4 << 20) - (64 << 10);

/// Maximum number of lists of names under one key.
pub(in crate::cache) const MOST_LISTS: usize = 8;

const MAGIC: &[u8] = b"genti-remote-1\n";

/// Returns the value under `key` with this content; `None` if it is too large.
pub(in crate::cache) fn encode(key: &RemoteKey, content: &[u8]) -> Option<Vec<u8>> {
    let value = [MAGIC, &key.digest, content].concat();
    (value.len() <= MOST_BYTES).then_some(value)
}

/// Returns the content of the value under `key`; `None` if this is not such a value.
pub(in crate::cache) fn decode<'v>(key: &RemoteKey, value: &'v [u8]) -> Option<&'v [u8]> {
    value.strip_prefix(MAGIC)?.strip_prefix(&key.digest)
}

/// Lists of names of discovered inputs, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cache) struct NameLists(pub(in crate::cache) Vec<Vec<Discovered>>);

impl NameLists {
    /// Adds the names of `inputs` as the newest list. Returns true if that changes anything but the order.
    pub(in crate::cache) fn add(&mut self, inputs: &[Discovered]) -> bool {
        let names: Vec<_> = inputs.iter().map(without_state).collect();
        let before = self.0.len();
        self.0.retain(|list| *list != names);
        let is_new = self.0.len() == before;
        self.0.insert(0, names);
        self.0.truncate(MOST_LISTS);
        is_new
    }

    pub(in crate::cache) fn encode(&self) -> Option<Vec<u8>> {
        postcard::to_stdvec(self).ok()
    }

    /// Decodes lists; `None` if they are damaged.
    pub(in crate::cache) fn decode(content: &[u8]) -> Option<Self> {
        let (mut lists, rest) = postcard::take_from_bytes::<Self>(content).ok()?;
        if !rest.is_empty() {
            return None;
        }
        lists.0.truncate(MOST_LISTS);
        lists.0.iter_mut().flatten().for_each(|input| *input = without_state(input));
        Some(lists)
    }
}

/// Returns `input` without what is to be found out on each machine.
fn without_state(input: &Discovered) -> Discovered {
    const NONE: Digest = Digest([0; 32]);
    match input {
        Discovered::File(path, _) => Discovered::File(path.clone(), None),
        Discovered::Generated(path, _) => Discovered::Generated(path.clone(), NONE),
        Discovered::Directory(path, _) => Discovered::Directory(path.clone(), NONE),
        Discovered::Variable(name, _) => Discovered::Variable(name.clone(), None),
        Discovered::Everything(_) => Discovered::Everything(NONE),
        Discovered::Seen(path, _) => Discovered::Seen(path.clone(), None),
        Discovered::Listed(path, _) => Discovered::Listed(path.clone(), NONE),
        Discovered::Content(path, _) => Discovered::Content(path.clone(), NONE),
        Discovered::Built(path, _) => Discovered::Built(path.clone(), NONE),
        Discovered::Until(_) => Discovered::Until(0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::StaticKey;
    use super::*;
    use crate::model::path::RelPath;

    fn file(path: &str, content: &str) -> Discovered {
        Discovered::File(RelPath::new(path), Some(Digest::of_bytes(content.as_bytes())))
    }

    #[test]
    fn a_value_is_read_only_under_its_own_key() {
        let key = |of: &str| StaticKey::new(&Digest::of_bytes(of.as_bytes()), &Digest([0; 32]), "").names();
        let value = encode(&key("a"), b"content").unwrap();
        assert_eq!(decode(&key("a"), &value), Some(&b"content"[..]));
        assert_eq!(decode(&key("b"), &value), None);
        for len in 0..MAGIC.len() + 32 {
            assert_eq!(decode(&key("a"), &value[..len]), None, "{len}");
        }
        assert_eq!(encode(&key("a"), &vec![0; MOST_BYTES]), None);
    }

    #[test]
    fn lists_have_names_without_digests_and_their_number_is_bounded() {
        let mut lists = NameLists::default();
        assert!(lists.add(&[file("a", "1")]));
        assert!(!lists.add(&[file("a", "2")]), "the same names");
        assert!(lists.add(&[file("a", "1"), file("b", "1")]));
        assert_eq!(lists.0.len(), 2);
        assert_eq!(lists.0[0].len(), 2, "the newest comes first");
        for number in 0..20 {
            lists.add(&[file(&number.to_string(), "1")]);
        }
        assert_eq!(lists.0.len(), MOST_LISTS);
        let encoded = lists.encode().unwrap();
        assert_eq!(NameLists::decode(&encoded), Some(lists.clone()));
        let digest = Digest::of_bytes(b"1").0;
        assert!(!encoded.windows(32).any(|bytes| bytes == digest));
    }

    #[test]
    fn damaged_lists_are_never_read_as_more_than_names() {
        let lists = NameLists(vec![vec![file("a", "1")]; MOST_LISTS + 1]);
        let encoded = lists.encode().unwrap();
        let read = NameLists::decode(&encoded).unwrap();
        assert_eq!(read.0, vec![vec![Discovered::File(RelPath::new("a"), None)]; MOST_LISTS]);
        for len in 0..encoded.len() {
            assert_eq!(NameLists::decode(&encoded[..len]), None, "{len}");
        }
        assert_eq!(NameLists::decode(&[&encoded[..], b"more"].concat()), None);
    }
}
