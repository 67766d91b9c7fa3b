//! Symbolic links: their digest depends on the content of their target.

use std::fs;
use std::os::unix::fs::symlink;

use genti::model::digest::Digest;
use genti::model::workspace::{Beyond, File, Workspace};
use genti::path::RelPath;

use super::{Tree, check};

fn file<'a>(workspace: &'a Workspace, path: &str) -> &'a File {
    workspace.file(workspace.find(&RelPath::new(path)).unwrap_or_else(|| panic!("{path} is listed")))
}

/// Returns the digests of `paths` before and after `change`.
fn digests(tree: &Tree, paths: &[&str], change: impl FnOnce()) -> Vec<(Digest, Digest)> {
    let before = tree.load();
    change();
    let after = tree.load();
    paths.iter().map(|path| (file(&before, path).digest, file(&after, path).digest)).collect()
}

fn link(tree: &Tree, to: &str, at: &str) {
    symlink(to, tree.path("ws").join(at)).unwrap();
}

#[test]
fn the_digest_of_a_link_covers_its_target_path_and_the_content() {
    let tree = Tree::package().write("ws/a", "1").write("ws/b", "1").write("ws/ignored", "1");
    let tree = tree.write("ws/.gitignore", "/ignored\n");
    for (at, to) in [("to_a", "a"), ("to_b", "b"), ("chain", "to_a"), ("to_ignored", "ignored")] {
        link(&tree, to, at);
    }
    let workspace = tree.load();
    let linked = file(&workspace, "to_a");
    assert!(linked.is_link && !linked.is_unit());
    assert_ne!(linked.digest, file(&workspace, "to_b").digest, "the target path counts");
    let changes = digests(&tree, &["to_a", "chain", "to_ignored", "to_b"], || {
        fs::write(tree.path("ws/a"), "2").unwrap();
        fs::write(tree.path("ws/ignored"), "2").unwrap();
    });
    let changed: Vec<_> = changes.iter().map(|(before, after)| before != after).collect();
    assert_eq!(changed, [true, true, true, false]);
}

#[test]
fn the_files_of_a_linked_directory_are_listed_below_the_link() {
    let tree = Tree::package().write("ws/dir/x", "1").write("ws/dir/sub/y", "2").write("ws/dir/skipped", "");
    let tree = tree.write("ws/dir/.gitignore", "skipped\n").write("ws/dir/.git/HEAD", "");
    link(&tree, "dir", "to");
    fs::create_dir(tree.path("ws/a")).unwrap();
    link(&tree, "../to/sub", "a/deep");
    let behind = ["to", "to/.gitignore", "to/sub/y", "to/x"];
    let expected = [&["a/deep", "a/deep/y", "dir/.gitignore", "dir/sub/y", "dir/x"][..], &behind].concat();
    check(&tree, &expected);
    let workspace = tree.load();
    assert_eq!(file(&workspace, "to/x").digest, Digest::of_bytes(b"1"));
    assert!(file(&workspace, "to/x").is_behind_link && !file(&workspace, "to/x").is_unit());
    assert!(file(&workspace, "dir/x").is_unit());
    assert_eq!(workspace.beyond, []);
}

#[test]
fn cycles_of_links_are_handled() {
    let tree = Tree::package().write("ws/a/x", "").write("ws/b/y", "");
    for (at, to) in [("cycle", "."), ("a/to_b", "../b"), ("b/to_a", "../a"), ("self", "self")] {
        link(&tree, to, at);
    }
    let expected = [
        "a/to_b",
        "a/to_b/to_a",
        "a/to_b/y",
        "a/x",
        "b/to_a",
        "b/to_a/to_b",
        "b/to_a/x",
        "b/y",
        "cycle",
        "self",
    ];
    check(&tree, &expected);
}

#[test]
fn a_dangling_link_changes_when_its_target_is_created() {
    let tree = Tree::package();
    link(&tree, "nowhere", "dangling");
    let changes = digests(&tree, &["dangling"], || fs::write(tree.path("ws/nowhere"), "").unwrap());
    assert_ne!(changes[0].0, changes[0].1);
}

#[test]
fn files_behind_a_link_out_of_the_repository_do_not_affect_ids() {
    let tree = Tree::package().write("beyond/x", "1");
    for (at, to) in [("file", "../beyond/x"), ("dir", "../beyond"), ("none", "../none")] {
        link(&tree, to, at);
    }
    let paths = ["file", "dir", "none"];
    let changes = digests(&tree, &paths, || {
        fs::write(tree.path("beyond/x"), "2").unwrap();
        fs::write(tree.path("none"), "").unwrap();
    });
    assert!(changes.iter().all(|(before, after)| before == after));
    check(&tree, &["dir", "file", "none"]);
    let beyond: Vec<_> = tree.load().beyond.into_iter().map(|(_, beyond)| beyond).collect();
    assert_eq!(beyond, [Beyond::Outside; 3]);
}

#[test]
fn links_within_the_repository_are_followed_out_of_the_workspace() {
    let tree = Tree::package().write("shared/x", "1").write(".git/HEAD", "");
    link(&tree, "../shared", "to");
    link(&tree, "../shared/x", "x");
    check(&tree, &["to", "to/x", "x"]);
    let changes = digests(&tree, &["to/x", "x"], || fs::write(tree.path("shared/x"), "2").unwrap());
    assert!(changes.iter().all(|(before, after)| before != after));
    assert_eq!(tree.load().beyond, []);
}

#[test]
fn a_link_to_too_many_files_is_not_followed() {
    let mut tree = Tree::package().write(".git/HEAD", "");
    for at in 0..10_001 {
        tree = tree.write(format!("many/{at}"), "");
    }
    link(&tree, "../many", "to");
    check(&tree, &["to"]);
    assert_eq!(tree.load().beyond.first().map(|(_, beyond)| *beyond), Some(Beyond::TooMany));
    fs::remove_file(tree.path("many/7")).unwrap();
    assert_eq!(tree.load().beyond, []);
}

#[test]
fn a_link_to_a_build_directory_is_not_followed() {
    let tree = Tree::package().write("ws/target/x", "");
    let tag = "Signature: 8a477f597d28d172789f06886806bc55";
    let tree = tree.write("ws/other/CACHEDIR.TAG", tag).write("ws/other/x", "");
    link(&tree, "target", "built");
    link(&tree, "other", "to_other");
    check(&tree, &["built", "to_other"]);
}

#[test]
fn the_files_of_a_member_behind_a_link_are_listed() {
    let tree = Tree::empty()
        .member("real/m", "m", "")
        .write("ws/Cargo.toml", "[workspace]\nmembers = [\"m\"]\nresolver = \"3\"\n");
    link(&tree, "../real/m", "m");
    let workspace = tree.load();
    let source = workspace.find(&RelPath::new("m/src/lib.rs")).expect("its source is listed");
    assert_eq!(workspace.owners[source.0 as usize], Some(genti::model::workspace::PackageId(0)));
    assert!(workspace.file(source).is_unit());
}
