//! Files that git tracks are listed even if ignored, and skipped paths are reported.

use std::process::Command;

use genti::model::workspace::WhyLeftOut;

use crate::{CACHEDIR_TAG, Tree, check, listed};

fn git(tree: &Tree, args: &[&str]) {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=n", "-c", "user.email=e"]).args(args);
    git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").current_dir(tree.path("ws"));
    let output = git.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn left_out(tree: &Tree) -> Vec<(String, WhyLeftOut)> {
    tree.load().seen.left_out.into_iter().map(|one| (one.path.to_string(), one.why)).collect()
}

/// Creates a tree with ignored files, some of which git tracks.
fn tree() -> Tree {
    let tree = Tree::package()
        .write("ws/.gitignore", "*.gen\nvendor/\ntarget/\n")
        .write("ws/a.gen", "")
        .write("ws/b.gen", "")
        .write("ws/src/deep.gen", "")
        .write("ws/vendor/a/tracked.c", "")
        .write("ws/vendor/a/untracked.c", "")
        .write("ws/vendor/z", "")
        .write("ws/z.txt", "")
        .write("ws/target/debug/tracked", "");
    git(&tree, &["init", "-q"]);
    git(&tree, &["add", "."]);
    git(
        &tree,
        &["add", "-f", "a.gen", "src/deep.gen", "vendor/a/tracked.c", "vendor/z", "target/debug/tracked"],
    );
    tree
}

#[test]
fn a_tracked_file_is_listed_even_if_it_is_ignored() {
    let tree = tree();
    let expected = [".gitignore", "a.gen", "src/deep.gen", "vendor/a/tracked.c", "vendor/z", "z.txt"];
    check(&tree, &expected);
    assert_eq!(left_out(&tree), []);
    // Deleted or untracked files are no longer listed.
    std::fs::remove_file(tree.path("ws/vendor/z")).unwrap();
    git(&tree, &["rm", "-q", "--cached", "a.gen"]);
    check(&tree, &[".gitignore", "src/deep.gen", "vendor/a/tracked.c", "z.txt"]);
    // Git lists the same files, except in the target directory.
    let output = Command::new("git").args(["ls-files"]).current_dir(tree.path("ws")).output().unwrap();
    let tracked = String::from_utf8(output.stdout).unwrap();
    let tracked: Vec<_> =
        tracked.lines().filter(|path| !["target/debug/tracked", "vendor/z"].contains(path)).collect();
    let mut all = listed(&tree.load());
    all.sort();
    assert_eq!(all, tracked);
}

#[test]
fn tracked_files_are_listed_in_subdirectories_and_worktrees() {
    let tree = Tree::empty()
        .write("ws/.gitignore", "*.gen\n")
        .write("ws/sub/Cargo.toml", "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2024\"\n")
        .write("ws/sub/src/lib.rs", "")
        .write("ws/sub/a.gen", "")
        .write("ws/beside.gen", "");
    git(&tree, &["init", "-q"]);
    git(&tree, &["add", "-f", "."]);
    git(&tree, &["commit", "-qm", "all"]);
    git(&tree, &["worktree", "add", "-q", "../tree", "HEAD"]);
    for root in ["ws/sub", "tree/sub"] {
        let workspace = crate::load(&crate::request(&tree.path(root))).unwrap();
        assert_eq!(listed(&workspace), ["Cargo.toml", "a.gen", "src/lib.rs"], "{root}");
    }
}

#[test]
fn a_directory_with_a_committed_tag_is_listed_and_others_are_reported() {
    let tree = Tree::package()
        .write("ws/kept/CACHEDIR.TAG", CACHEDIR_TAG)
        .write("ws/kept/a.txt", "")
        .write("ws/kept/inner/CACHEDIR.TAG", CACHEDIR_TAG)
        .write("ws/kept/inner/b.txt", "")
        .write("ws/made/CACHEDIR.TAG", CACHEDIR_TAG)
        .write("ws/made/c.txt", "");
    assert!(Command::new("mkfifo").arg(tree.path("ws/pipe")).status().unwrap().success());
    let of = |paths: &[&str]| {
        let all = paths.iter().map(|path| ((*path).to_owned(), WhyLeftOut::CacheDir));
        all.chain([("pipe".to_owned(), WhyLeftOut::Special)]).collect::<Vec<_>>()
    };
    check(&tree, &[]);
    assert_eq!(left_out(&tree), of(&["kept", "made"]));
    git(&tree, &["init", "-q"]);
    git(&tree, &["add", "kept/CACHEDIR.TAG"]);
    check(&tree, &["kept/CACHEDIR.TAG", "kept/a.txt"]);
    assert_eq!(left_out(&tree), of(&["kept/inner", "made"]));
}

#[test]
fn an_unreadable_index_is_reported() {
    let tree = tree();
    git(&tree, &["update-index", "--split-index"]);
    check(&tree, &[".gitignore", "z.txt"]);
    assert_eq!(left_out(&tree), [(".".to_owned(), WhyLeftOut::Untold)]);
}
