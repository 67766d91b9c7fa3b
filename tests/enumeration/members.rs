//! Tests of members, targets and path dependencies, of errors from loading a workspace, and of reading sources.

use genti::model::workspace::PackageId;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use genti::model::workspace::{TargetKind, Workspace};
use genti::path::RelPath;
use genti::workspace::{WorkspaceRequest, read_sources};

use super::{CACHEDIR_TAG, PACKAGE, Tree, listed, load, request};

#[test]
fn each_file_belongs_to_the_innermost_member_around_it() {
    let tree = Tree::empty()
        .member(
            "ws",
            "top",
            "[workspace]\nmembers = [\"a\", \"a/b\", \"../out\"]\nexclude = [\"excluded\"]\n",
        )
        .member("ws/a", "a", "")
        .member("ws/a/b", "b", "")
        .member("ws/excluded", "excluded", "")
        .member("out", "out", "workspace = \"../ws\"\n")
        .write("ws/a/bc/x", "")
        .write("out/deep/x", "");
    let workspace = tree.load();
    let owned = workspace.files.iter().zip(&workspace.owners);
    let owned =
        owned.map(|(file, owner)| format!("{} {}", file.path, workspace.package(owner.unwrap()).name));
    assert_eq!(
        owned.collect::<Vec<_>>(),
        [
            "../out/Cargo.toml out",
            "../out/deep/x out",
            "../out/src/lib.rs out",
            "Cargo.toml top",
            "a/Cargo.toml a",
            "a/b/Cargo.toml b",
            "a/b/src/lib.rs b",
            "a/bc/x a",
            "a/src/lib.rs a",
            "excluded/Cargo.toml top",
            "excluded/src/lib.rs top",
            "src/lib.rs top",
        ]
    );
    for ((_, file), owner) in workspace.files().zip(&workspace.owners) {
        assert_eq!(workspace.owner_of(&file.path), *owner, "{}", file.path);
    }
}

#[test]
fn a_member_around_the_root_does_not_list_it_twice() {
    let tree = Tree::empty()
        .write("Cargo.toml", &format!("{PACKAGE}workspace = \"ws\"\n"))
        .write("src/lib.rs", "")
        .write("ws/Cargo.toml", "[workspace]\nmembers = [\"..\"]\n")
        .write("ws/x", "");
    assert_eq!(listed(&tree.load()), ["../Cargo.toml", "../src/lib.rs", "Cargo.toml", "x"]);
}

#[test]
fn members_of_a_virtual_workspace_are_sorted_and_know_their_dependencies() {
    let needs =
        "[dependencies]\ncore = { path = \"../core\" }\n[dev-dependencies]\nutil = { path = \"../util\" }\n";
    let tree = Tree::empty()
        .write("ws/Cargo.toml", "[workspace]\nmembers = [\"util\", \"core\", \"app\"]\n")
        .member("ws/core", "core", "")
        .member("ws/util", "util", "[build-dependencies]\ncore = { path = \"../core\" }\n")
        .member("ws/app", "app", needs);
    let loaded = tree.try_load().unwrap();
    let packages = loaded.packages.iter();
    let found: Vec<_> = packages
        .map(|it| (it.name.as_str(), it.dependencies.iter().map(|id| id.0).collect::<Vec<_>>()))
        .collect();
    assert_eq!(found, [("app", vec![1, 2]), ("core", vec![]), ("util", vec![1])]);
    assert!(!has_lockfile(&loaded));
    assert!(has_lockfile(&tree.write("ws/Cargo.lock", "").load()));
}

#[test]
fn targets_are_sorted_by_root_with_their_kinds() {
    let rest = "[lib]\ncrate-type = [\"cdylib\"]\n[[bin]]\nname = \"elsewhere\"\npath = \"../../shared/main.rs\"\n\
                required-features = [\"x\"]\n[features]\nx = []\n";
    let mut tree = Tree::empty()
        .write("ws/Cargo.toml", "[workspace]\nmembers = [\"m\"]\n")
        .member("ws/m", "p", rest)
        .write("shared/main.rs", "");
    for root in ["src/main.rs", "build.rs", "examples/e.rs", "tests/t.rs", "benches/b.rs"] {
        tree = tree.write(format!("ws/m/{root}"), "");
    }
    let workspace = tree.load();
    let targets = workspace.packages[0].targets.iter();
    let found: Vec<_> = targets.map(|it| (it.root.to_string(), it.kind, it.needs_features)).collect();
    let expected = [
        ("../shared/main.rs", TargetKind::Bin, true),
        ("m/benches/b.rs", TargetKind::Bench, false),
        ("m/build.rs", TargetKind::BuildScript, false),
        ("m/examples/e.rs", TargetKind::Example, false),
        ("m/src/lib.rs", TargetKind::Lib, false),
        ("m/src/main.rs", TargetKind::Bin, false),
        ("m/tests/t.rs", TargetKind::Test, false),
    ];
    assert_eq!(found, expected.map(|(root, kind, features)| (root.to_string(), kind, features)));
}

/// `a` needs `near`, which needs `middle`, which needs `far` through a workspace that does not list it. `b` needs `a`, and `c`
/// needs nothing.
fn with_outside() -> Tree {
    Tree::empty()
        .write("ws/Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\", \"c\"]\n")
        .member("ws/a", "a", "[dependencies]\nnear = { path = \"../../near\" }\n")
        .member("ws/b", "b", "[dependencies]\na = { path = \"../a\" }\n")
        .member("ws/c", "c", "")
        .member(
            "near",
            "near",
            "[target.'cfg(unix)'.dependencies]\nmiddle = { path = \"../other/middle\" }\n",
        )
        .write(
            "other/Cargo.toml",
            "[workspace]\nmembers = []\n[workspace.dependencies]\nfar = { path = \"../far\" }\n",
        )
        .member("other/middle", "middle", "[dependencies]\nfar.workspace = true\n")
        .member("far", "far", "[dev-dependencies]\nnowhere = { path = \"../nowhere\" }\n")
        .write("far/target/CACHEDIR.TAG", CACHEDIR_TAG)
}

#[test]
fn transitive_path_dependencies_outside_are_found() {
    let workspace = with_outside().load();
    let names: Vec<_> = workspace.outside.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["far", "middle", "near"]);
    let needs: Vec<_> = workspace.packages.iter().map(|it| it.outside.clone()).collect();
    assert_eq!(needs, [vec![0, 1, 2], vec![0, 1, 2], vec![]]);
}

#[test]
fn the_digest_of_a_path_dependency_outside_covers_its_sources() {
    let digests = |tree: &Tree| tree.load().outside.iter().map(|it| it.digest).collect::<Vec<_>>();
    let before = digests(&with_outside());
    assert_eq!(
        before,
        digests(&with_outside().write("far/target/x", "")),
        "location and build output do not count"
    );
    let changed = |path: &str| {
        let tree = with_outside();
        let old = fs::read_to_string(tree.path(path)).unwrap_or_default();
        let after = digests(&tree.write(path, &format!("{old}# changed\n")));
        before.iter().zip(after).map(|(a, b)| *a != b).collect::<Vec<_>>()
    };
    assert_eq!(changed("far/src/lib.rs"), [true, false, false]);
    assert_eq!(changed("near/new"), [false, false, true]);
    assert_eq!(changed("other/Cargo.toml"), [false, true, false], "the workspace that it inherits from");
}

#[test]
fn patches_apply_to_every_package() {
    let patch = "[patch.crates-io]\npatched = { path = \"../patched\" }\n";
    let tree =
        Tree::package().member("patched", "patched", "").write("ws/Cargo.toml", &format!("{PACKAGE}{patch}"));
    let workspace = tree.load();
    assert_eq!(workspace.outside[0].name, "patched");
    assert_eq!(workspace.packages[0].outside, [0]);
}

#[test]
fn a_member_that_a_patch_substitutes_is_a_dependency() {
    let patch = "[workspace]\nmembers = [\"a\", \"b\"]\n[patch.crates-io]\nb = { path = \"b\" }\n";
    let tree = Tree::empty()
        .write("ws/Cargo.toml", patch)
        .member("ws/a", "a", "[dependencies]\nb = \"0.1\"\n")
        .member("ws/b", "b", "");
    let workspace = tree.load();
    assert_eq!(workspace.packages[0].dependencies, [PackageId(1)]);
}

#[test]
fn members_needed_through_a_package_outside_are_dependencies() {
    let tree = Tree::empty()
        .write("ws/Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\"]\n")
        .member("ws/a", "a", "[dependencies]\nout = { path = \"../../out\" }\n")
        .member("ws/b", "b", "")
        .member("out", "out", "[dependencies]\nb = { path = \"../ws/b\" }\n");
    let workspace = tree.load();
    assert_eq!(workspace.packages[0].dependencies.len(), 1);
}

#[test]
fn errors_name_the_place_and_a_fix() {
    let message = |tree: &Tree| tree.try_load().unwrap_err().to_string();
    let tree = Tree::empty();
    fs::create_dir(tree.path("ws")).unwrap();
    let expected =
        format!("could not find `Cargo.toml` in `{}` or any parent directory (", tree.path("ws").display());
    assert!(message(&tree).starts_with(&expected), "{}", message(&tree));

    let named = WorkspaceRequest { manifest_path: Some("no/Cargo.toml".into()), ..request(&tree.path("ws")) };
    assert!(
        load(&named).unwrap_err().to_string().starts_with("manifest path `no/Cargo.toml` does not exist")
    );

    let coloured = "[term]\ncolor = \"always\"\n";
    let broken = Tree::empty().write("ws/.cargo/config.toml", coloured).write("ws/Cargo.toml", "[package\n");
    let broken = message(&broken);
    assert!(broken.contains("Cargo.toml:1:9") && !broken.contains("cargo metadata"), "{broken}");
    assert!(!broken.starts_with("error") && !broken.contains('\u{1b}'), "{broken}");

    let no_cargo =
        WorkspaceRequest { cargo: "/no/cargo".into(), ..request(Path::new(env!("CARGO_MANIFEST_DIR"))) };
    assert!(load(&no_cargo).unwrap_err().to_string().starts_with("could not run `/no/cargo"));

    let missing = Tree::empty().member("ws", "p", "[dependencies]\ngone = { path = \"../gone\" }\n");
    assert!(message(&missing).contains("gone/Cargo.toml"), "{}", message(&missing));
}

#[test]
fn only_sources_below_the_root_are_read() {
    let tree = Tree::package().write("ws/in", "in").write("out", "out").write("ws/..x", "dots");
    symlink("in", tree.path("ws/link-in")).unwrap();
    symlink("../out", tree.path("ws/link-out")).unwrap();
    assert!(Command::new("mkfifo").arg(tree.path("ws/fifo")).status().unwrap().success());
    let long = fs::File::create(tree.path("ws/long")).unwrap();
    long.set_len((16 << 20) + 1).unwrap();
    let absolute = tree.path("ws/in");
    let paths = [
        "in",
        "..x",
        "link-in",
        "link-out",
        "../out",
        "src/../../out",
        "src/../in",
        "fifo",
        "src",
        "long",
        "gone",
    ];
    let paths: Vec<_> = paths.iter().copied().chain(absolute.to_str()).map(RelPath::new).collect();
    let found = read_sources(&tree.path("ws"), &paths).unwrap();
    let found: Vec<_> = found.iter().map(|(path, bytes)| (path.to_string(), bytes.as_slice())).collect();
    let expected = [("..x", "dots"), ("in", "in"), ("link-in", "in")];
    assert_eq!(found, expected.map(|(path, content)| (path.to_owned(), content.as_bytes())));
}

#[test]
fn every_fixture_loads() {
    let fixture =
        |name| load(&request(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name))).unwrap();
    for (name, packages) in [("clean", 1), ("findings", 1), ("broken", 3), ("names", 1), ("members", 3)] {
        let loaded = fixture(name);
        assert_eq!((loaded.packages.len(), has_lockfile(&loaded)), (packages, true), "{name}");
    }
    let names = fixture("names");
    for name in
        ["-rf.txt", "100%.txt", "%41.txt", "new\nline.txt", "\u{65e5}\u{672c}.txt", "src/with space.rs"]
    {
        assert!(names.find(&RelPath::new(name)).is_some(), "{name}");
    }
}

fn has_lockfile(workspace: &Workspace) -> bool {
    workspace.find(&RelPath::new("Cargo.lock")).is_some()
}
