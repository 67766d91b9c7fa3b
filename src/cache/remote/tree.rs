//! The input tree of an action: the files that a worker gets, as messages of the Remote Execution API. Nothing else is there.

use std::collections::BTreeMap;

use bazel_remote_apis::build::bazel::remote::execution::v2 as api;
use prost::Message as _;

use super::protocol::Blob;

/// A directory of the tree.
#[derive(Clone, Debug, Default)]
pub(in crate::cache) struct InputTree {
    files: BTreeMap<String, (api::Digest, bool)>,
    links: BTreeMap<String, String>,
    dirs: BTreeMap<String, InputTree>,
}

impl InputTree {
    /// Adds the file at `path`.
    pub(in crate::cache) fn add(&mut self, path: &str, digest: api::Digest, is_executable: bool) {
        let (dir, name) = self.dir_of(path);
        dir.files.insert(name, (digest, is_executable));
    }

    /// Adds a symbolic link at `path`.
    pub(in crate::cache) fn add_link(&mut self, path: &str, target: &str) {
        let (dir, name) = self.dir_of(path);
        dir.links.insert(name, target.to_owned());
    }

    /// Adds the directory `path` with this content.
    pub(in crate::cache) fn add_dir(&mut self, path: &str, content: Self) {
        let (dir, name) = self.dir_of(path);
        dir.dirs.insert(name, content);
    }

    /// Adds the directory `path`, unless there is one.
    pub(in crate::cache) fn make_dir(&mut self, path: &str) {
        if !path.is_empty() {
            let (dir, name) = self.dir_of(path);
            dir.dirs.entry(name).or_default();
        }
    }

    /// Returns the digest of the file at `path`, if there is one.
    pub(in crate::cache) fn file(&self, path: &str) -> Option<api::Digest> {
        match path.split_once('/') {
            Some((dir, rest)) => self.dirs.get(dir)?.file(rest),
            None => self.files.get(path).map(|(digest, _)| digest.clone()),
        }
    }

    /// Returns all files with their paths, which begin with `dir`.
    pub(in crate::cache) fn list(&self, dir: &str) -> Vec<(String, api::Digest)> {
        let own = self.files.iter().map(|(name, (digest, _))| (format!("{dir}/{name}"), digest.clone()));
        let below = self.dirs.iter().flat_map(|(name, below)| below.list(&format!("{dir}/{name}")));
        own.chain(below).collect()
    }

    fn dir_of(&mut self, path: &str) -> (&mut Self, String) {
        let (dirs, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut dir = self;
        for part in dirs.split('/').filter(|part| !part.is_empty()) {
            dir = dir.dirs.entry(part.to_owned()).or_default();
        }
        (dir, name.to_owned())
    }

    /// Encodes all directories into `blobs`, by hash, and returns the digest of this one.
    pub(in crate::cache) fn encode(self, blobs: &mut BTreeMap<String, Blob>) -> api::Digest {
        let Self { files, links, dirs } = self;
        let file = |(name, (digest, is_executable))| api::FileNode {
            name,
            digest: Some(digest),
            is_executable,
            node_properties: None,
        };
        let link = |(name, target)| api::SymlinkNode { name, target, node_properties: None };
        let mut dir =
            |(name, dir): (String, Self)| api::DirectoryNode { name, digest: Some(dir.encode(blobs)) };
        let directory = api::Directory {
            // Nodes are sorted by name, as the map is.
            directories: dirs.into_iter().map(&mut dir).collect(),
            files: files.into_iter().map(file).collect(),
            symlinks: links.into_iter().map(link).collect(),
            node_properties: None,
        };
        let blob = Blob::new(directory.encode_to_vec());
        let digest = blob.digest.clone();
        blobs.insert(digest.hash.clone(), blob);
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_the_same_whatever_the_order_in_which_it_is_made() {
        let blob = Blob::new(b"text".to_vec());
        let make = |paths: &[&str]| {
            let (mut tree, mut blobs) = (InputTree::default(), BTreeMap::new());
            paths.iter().for_each(|path| tree.add(path, blob.digest.clone(), false));
            (tree.encode(&mut blobs), blobs.len())
        };
        let paths = ["b/c/d.rs", "a.rs", "b/a.rs", "b/c/a.rs"];
        let reversed: Vec<_> = paths.iter().rev().copied().collect();
        assert_eq!(make(&paths), make(&reversed));
        assert_eq!(make(&paths).1, 3, "one message for each directory");
        assert_ne!(make(&paths).0, make(&paths[..3]).0);
    }
}
