//! Tests which files of a workspace are listed, and that nothing outside of the workspace affects this.
#![cfg(unix)]
#![expect(clippy::disallowed_methods, reason = "tests create workspaces")]

mod links;
mod members;
mod tracked;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use genti::model::digest::Digest;
use genti::model::halt::{Halt, Never};
use genti::model::stamp::FileTable;
use genti::model::workspace::Workspace;
use genti::path::RelPath;
use genti::workspace::{self, Listing, LoadError, WorkspaceRequest};

const PACKAGE: &str = "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
const CACHEDIR_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n# anything";

/// Loads a workspace without a cached file table.
fn load(request: &WorkspaceRequest) -> Result<Workspace, LoadError> {
    workspace::load(request, |_| Vec::new(), |_, _| FileTable::default(), &Never)
}

/// A temporary directory with a workspace, whose root is `ws` in most tests.
struct Tree(tempfile::TempDir);

impl Tree {
    fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Creates a tree with a package at `ws`.
    fn package() -> Self {
        Self::empty().write("ws/Cargo.toml", PACKAGE).write("ws/Cargo.lock", "").write("ws/src/lib.rs", "")
    }

    fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(self, path: impl AsRef<Path>, content: &str) -> Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    fn member(self, dir: &str, name: &str, rest: &str) -> Self {
        let manifest =
            format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{rest}");
        self.write(format!("{dir}/Cargo.toml"), &manifest).write(format!("{dir}/src/lib.rs"), "")
    }

    fn try_load(&self) -> Result<Workspace, LoadError> {
        load(&request(&self.path("ws")))
    }

    fn load(&self) -> Workspace {
        self.try_load().unwrap()
    }
}

fn request(cwd: &Path) -> WorkspaceRequest {
    WorkspaceRequest {
        cargo: Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/enumeration/scrubbed-cargo"),
        manifest_path: None,
        cwd: cwd.to_path_buf(),
        locked: false,
        offline: true,
        frozen: false,
        listing: Listing::AsFound,
        configurations: &[],
    }
}

fn listed(workspace: &Workspace) -> Vec<String> {
    workspace.files.iter().map(|file| file.path.to_string()).collect()
}

/// Checks that exactly these files are listed, in addition to those of [`Tree::package`].
#[track_caller]
fn check(tree: &Tree, expected: &[&str]) {
    let mut listed = listed(&tree.load());
    listed.retain(|path| !["Cargo.toml", "Cargo.lock", "src/lib.rs"].contains(&path.as_str()));
    assert_eq!(listed, expected);
}

#[test]
fn hidden_files_are_listed() {
    let tree = Tree::package().write("ws/.hidden", "").write("ws/.config/deep/.file", "");
    check(&tree, &[".config/deep/.file", ".hidden"]);
}

#[test]
fn files_are_sorted_by_the_bytes_of_their_whole_paths() {
    let tree =
        Tree::package().write("ws/a/b", "").write("ws/a.txt", "").write("ws/a-b", "").write("ws/B", "");
    check(&tree, &["B", "a-b", "a.txt", "a/b"]);
}

/// Large directories are read in parts, and the files of subdirectories are sorted among their files.
#[test]
fn large_and_nested_directories_are_sorted_by_whole_paths() {
    let mut tree = Tree::package();
    for at in 0..1300 {
        tree = tree.write(format!("ws/many/{}", at * 7 % 1300), "");
    }
    for path in
        ["many/7", "many/70-", "many/70.", "many/700", "many.d/x", "many-", "n/m/l", "n/m.l", "n/m-", "n/m0"]
    {
        let place = format!("ws/{path}");
        tree = if path == "many/7" || path == "many/700" { tree } else { tree.write(place, "") };
    }
    tree = tree.write("ws/many/d7/x", "").write("ws/many/70d/x", "").write("ws/many/70d/y/z", "");
    let listed = listed(&tree.load());
    assert_eq!(listed.len(), 3 + 1300 + 8 + 3);
    assert!(listed.is_sorted_by(|a, b| a.as_bytes() < b.as_bytes()), "{listed:?}");
}

/// Paths outside sort between those within, because `-` is less than `.` and `.` is less than `/`.
#[test]
fn members_outside_are_sorted_by_path() {
    let tree = Tree::package()
        .write("ws/Cargo.toml", &format!("{PACKAGE}[workspace]\nmembers = [\"../other\", \"../also\"]\n"))
        .write("ws/-a", "")
        .write("ws/..a", "")
        .member("other", "other", "workspace = \"../ws\"\n")
        .member("also", "also", "workspace = \"../ws\"\n");
    let listed = listed(&tree.load());
    assert!(listed.is_sorted_by(|a, b| a.as_bytes() < b.as_bytes()), "{listed:?}");
    assert_eq!(listed[..3], ["-a", "../also/Cargo.toml", "../also/src/lib.rs"]);
    assert_eq!(listed[5], "..a");
}

#[test]
fn nested_gitignores_apply_and_the_inner_one_wins() {
    let tree = Tree::package()
        .write("ws/.gitignore", "*.log\n/only-here\n")
        .write("ws/a.log", "")
        .write("ws/only-here", "")
        .write("ws/sub/only-here", "")
        .write("ws/sub/.gitignore", "!keep.log\nown\n")
        .write("ws/sub/keep.log", "")
        .write("ws/sub/own", "");
    check(&tree, &[".gitignore", "sub/.gitignore", "sub/keep.log", "sub/only-here"]);
}

fn with_ignores_above() -> Tree {
    Tree::package()
        .write("a/b/.gitignore", "*.log\n!kept.tmp\n")
        .write("a/.gitignore", "*.tmp\n/b/ws/anchored\n")
        .write(".gitignore", "beyond\n")
        .write("ws/.gitignore", "!kept.log\n")
        .write("ws/x.log", "")
        .write("ws/kept.log", "")
        .write("ws/x.tmp", "")
        .write("ws/kept.tmp", "")
        .write("ws/anchored", "")
        .write("ws/sub/anchored", "")
        .write("ws/beyond", "")
}

/// Checks a workspace at `a/b/ws` of a repository.
fn check_below(git: &str, expected: &[&str]) {
    let tree = with_ignores_above();
    fs::rename(tree.path("ws"), tree.path("a/b/ws")).unwrap();
    symlink("a/b/ws", tree.path("ws")).unwrap();
    if !git.is_empty() {
        fs::create_dir(tree.path(git)).unwrap();
    }
    check(&tree, expected);
}

#[test]
fn gitignores_above_apply_up_to_the_root_of_the_repository() {
    check_below("a/.git", &[".gitignore", "beyond", "kept.log", "kept.tmp", "sub/anchored"]);
    check_below(".git", &[".gitignore", "kept.log", "kept.tmp", "sub/anchored"]);
    let all = &[".gitignore", "anchored", "beyond", "kept.log", "kept.tmp", "sub/anchored", "x.log", "x.tmp"];
    check_below("a/b/ws/.git", all);
    check_below("", all);
}

#[test]
fn the_same_files_are_listed_without_git() {
    let tree = Tree::package().write("ws/.gitignore", "/out\n").write("ws/out/x", "").write("ws/in", "");
    check(&tree, &[".gitignore", "in"]);
    fs::create_dir(tree.path("ws/.git")).unwrap();
    check(&tree, &[".gitignore", "in"]);
    fs::remove_dir(tree.path("ws/.git")).unwrap();
    // In submodules and worktrees, `.git` is a file.
    check(&tree.write("ws/.git", "gitdir: elsewhere"), &[".gitignore", "in"]);
}

#[test]
fn git_lists_the_same_files() {
    let mut tree = Tree::package()
        .write("ws/.gitignore", "*.o\n!/kept.o\nbuild/\n/doc/*\n!/doc/in\n**/deep/x\ntrail\\ \n#no\n\\#yes\n")
        .write("ws/sub/.gitignore", "/x\n!*.o\n");
    let names = "a.o kept.o sub/kept.o sub/a.o build/x sub/build/x doc/in doc/out doc/more/in sub/doc/out \
                 deep/x sub/deep/x sub/x sub/y/x #no #yes build.rs trail";
    for name in names.split_whitespace() {
        tree = tree.write(format!("ws/{name}"), "fn main() {}");
    }
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .current_dir(tree.path("ws"));
        let output = git.args(args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    git(&["init", "-q"]);
    let output = git(&["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let mut expected: Vec<_> = output.split_terminator('\0').collect();
    expected.sort_unstable();
    assert!(expected.len() == 14, "{expected:?}");
    assert_eq!(listed(&tree.load()), expected);
}

#[test]
fn other_ignore_files_have_no_effect() {
    let tree = Tree::package()
        .write("ws/.git/info/exclude", "x\n")
        .write("ws/.ignore", "x\n")
        .write("ws/.rgignore", "x\n")
        .write("ws/x", "");
    check(&tree, &[".ignore", ".rgignore", "x"]);
}

#[test]
fn global_excludes_have_no_effect() {
    // The environment of this process can't be changed safely, so the check runs in a child.
    if std::env::var_os("GENTI_TEST_CHILD").is_some() {
        let tree = Tree::package().write("ws/x.global", "");
        fs::create_dir(tree.path("ws/.git")).unwrap();
        return check(&tree, &["x.global"]);
    }
    let home = Tree::empty().write("git/ignore", "*.global\n").write("excludes", "*.global\n");
    let config = format!("[core]\n\texcludesFile = {}\n", home.path("excludes").display());
    let home = home.write(".gitconfig", &config).write("git/config", &config);
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "global_excludes_have_no_effect"]).env("GENTI_TEST_CHILD", "1");
    child.env("HOME", home.path("")).env("XDG_CONFIG_HOME", home.path(""));
    let output = child.env("GIT_CONFIG_GLOBAL", home.path(".gitconfig")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

#[test]
fn git_directories_are_skipped_and_nested_repositories_are_listed() {
    let tree = Tree::package()
        .write("ws/.gitignore", "*.o\n")
        .write("ws/.git/HEAD", "")
        .write("ws/nested/.git/HEAD", "")
        .write("ws/nested/in", "")
        .write("ws/nested/x.o", "")
        .write("ws/submodule/.git", "gitdir: elsewhere")
        .write("ws/submodule/in", "");
    check(&tree, &[".gitignore", "nested/in", "submodule/in"]);
}

#[test]
fn target_directories_are_skipped() {
    // The target directory of the workspace needs no tag, but one of a nested workspace does. A tag with other content is
    // ignored.
    let tree = Tree::package()
        .write("ws/target/x", "")
        .write("ws/nested/target/CACHEDIR.TAG", CACHEDIR_TAG)
        .write("ws/nested/target/x", "")
        .write("ws/other/target/CACHEDIR.TAG", &CACHEDIR_TAG.replace('8', "9"))
        .write("ws/src/target/x", "");
    check(&tree, &["other/target/CACHEDIR.TAG", "src/target/x"]);
}

#[test]
fn a_configured_target_directory_is_skipped_instead_of_the_default_one() {
    let tree = Tree::package()
        .write("ws/.cargo/config.toml", "[build]\ntarget-dir = \"out/of the way\"\n")
        .write("ws/out/of the way/x", "")
        .write("ws/out/x", "")
        .write("ws/target/x", "");
    check(&tree, &[".cargo/config.toml", "out/x", "target/x"]);
}

#[test]
fn a_target_directory_is_skipped_however_its_path_is_written() {
    let config = "[build]\ntarget-dir = \"../alias/out\"\n";
    let tree = Tree::package().write("ws/.cargo/config.toml", config).write("ws/out/x", "");
    symlink("ws", tree.path("alias")).unwrap();
    check(&tree, &[".cargo/config.toml"]);
}

#[test]
fn a_link_in_place_of_the_target_directory_is_skipped() {
    let tree = Tree::package().write("disk/x", "");
    symlink("../disk", tree.path("ws/target")).unwrap();
    check(&tree, &[]);
}

#[test]
fn a_workspace_may_be_in_a_cache_directory() {
    check(&Tree::package().write("ws/CACHEDIR.TAG", CACHEDIR_TAG), &["CACHEDIR.TAG"]);
}

#[test]
fn files_that_cargo_reads_are_listed_even_if_ignored() {
    let tree = Tree::package()
        .write("ws/.gitignore", "*\n")
        .write("ws/.cargo/config", "")
        .write("ws/.cargo/config.toml", "")
        .write("ws/.cargo/other", "")
        .write("ws/rust-toolchain", "")
        .write("ws/rust-toolchain.toml", "")
        .write("ws/Cargo.toml", &format!("{PACKAGE}[workspace]\nmembers = [\"m\"]\n"))
        .member("ws/m", "m", "");
    let expected = [
        ".cargo/config",
        ".cargo/config.toml",
        "Cargo.lock",
        "Cargo.toml",
        "m/Cargo.toml",
        "rust-toolchain",
        "rust-toolchain.toml",
    ];
    assert_eq!(listed(&tree.load()), expected);
}

#[test]
fn files_with_any_name_are_listed() {
    let names: [&[u8]; 6] =
        [b"-rf", b"100%", b"a b", b"new\nline", b"not-utf8-\xff\xfe", "\u{fc}".as_bytes()];
    let mut tree = Tree::package();
    for name in names {
        tree = tree.write(Path::new("ws").join(OsStr::from_bytes(name)), "x");
    }
    let workspace = tree.load();
    for name in names {
        let id = workspace.find(&RelPath::new(name)).unwrap();
        assert_eq!(workspace.file(id).digest, Digest::of_bytes(b"x"));
    }
    check(&tree, &["-rf", "100%25", "a b", "new%0Aline", "not-utf8-%FF%FE", "\u{fc}"]);
}

#[test]
fn special_files_are_skipped() {
    let tree = Tree::package();
    assert!(Command::new("mkfifo").arg(tree.path("ws/fifo")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(tree.path("ws/socket")).unwrap();
    check(&tree, &[]);
}

#[test]
fn an_unreadable_file_is_an_error_that_names_it() {
    let tree = Tree::package().write("ws/closed", "");
    fs::set_permissions(tree.path("ws/closed"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(tree.path("ws/closed")).is_ok() {
        return; // To root, nothing is closed.
    }
    let error = tree.try_load().unwrap_err();
    assert!(matches!(&error, LoadError::Unreadable { path, .. } if path.ends_with("ws/closed")), "{error}");
}

#[test]
fn the_first_of_several_unreadable_directories_is_reported() {
    let tree =
        Tree::package().write("ws/b/x", "").write("ws/a/x", "").write("ws/c/CACHEDIR.TAG", CACHEDIR_TAG);
    for (dir, mode) in [("ws/a", 0o000), ("ws/b", 0o000), ("ws/c", 0o111)] {
        fs::set_permissions(tree.path(dir), fs::Permissions::from_mode(mode)).unwrap();
    }
    let open =
        || ["ws/a", "ws/b"].map(|dir| fs::set_permissions(tree.path(dir), fs::Permissions::from_mode(0o755)));
    if fs::read_dir(tree.path("ws/a")).is_ok() {
        return; // To root, nothing is closed.
    }
    let error = tree.try_load().unwrap_err();
    assert!(matches!(&error, LoadError::Unreadable { path, .. } if path.ends_with("ws/a")), "{error}");
    // Cache directories are skipped, so they need not be readable.
    let _ = open();
    check(&tree, &["a/x", "b/x"]);
}

#[test]
fn contents_are_hashed_completely() {
    let long = "x".repeat((1 << 20) + 1);
    let tree = Tree::package().write("ws/long", &long).write("ws/empty", "");
    let workspace = tree.load();
    for (path, content) in [("long", long.as_str()), ("empty", "")] {
        let file = workspace.file(workspace.find(&RelPath::new(path)).unwrap());
        assert_eq!((file.digest, file.len), (Digest::of_bytes(content.as_bytes()), content.len() as u64));
    }
}

#[test]
fn the_files_depend_neither_on_the_location_nor_on_the_current_directory() {
    let trees = [Tree::package(), Tree::package()].map(|tree| tree.write("ws/sub/x", "x").load());
    let [here, there] =
        trees.map(|it| it.files.into_iter().map(|file| (file.path, file.digest)).collect::<Vec<_>>());
    assert_eq!(here, there);

    let tree = Tree::package().write("ws/sub/x", "x");
    let from_below = load(&request(&tree.path("ws/sub"))).unwrap();
    let by_manifest =
        WorkspaceRequest { manifest_path: Some("ws/Cargo.toml".into()), ..request(&tree.path("")) };
    assert_eq!(listed(&from_below), listed(&tree.load()));
    assert_eq!(listed(&load(&by_manifest).unwrap()), listed(&tree.load()));
}

#[test]
fn nothing_depends_on_the_order_in_which_files_and_packages_are_listed() {
    let tree = Tree::empty()
        .member(
            "ws/b",
            "b",
            "[dependencies]\nout = { path = \"../../out\" }\nother = { path = \"../../other\" }\n",
        )
        .member("ws/a", "a", "[dependencies]\nb = { path = \"../b\" }\n")
        .member("ws/a/c", "c", "")
        .member("out", "out", "[workspace]\n")
        .member("other", "other", "[workspace]\n")
        .write("ws/Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\", \"a/c\"]\nresolver = \"3\"\n")
        .write("ws/a.txt", "")
        .write("ws/a/z.txt", "");
    let of = |listing| {
        let mut found = load(&WorkspaceRequest { listing, ..request(&tree.path("ws")) }).unwrap();
        // Ignore the times of reading.
        found.seen.at = 0;
        found
    };
    let as_found = of(Listing::AsFound);
    assert!(as_found.packages.len() == 3 && as_found.outside.len() == 2 && as_found.files.len() > 6);
    for listing in [Listing::Reversed, Listing::Shuffled(1), Listing::Shuffled(2)] {
        assert_eq!(format!("{:#?}", of(listing)), format!("{as_found:#?}"), "{listing}");
    }
}

/// Becomes due after a number of queries.
#[derive(Debug)]
struct After {
    left: AtomicUsize,
}

impl Halt for After {
    fn is_due(&self) -> bool {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
    }
}

#[test]
fn listing_and_hashing_stop_at_every_directory_and_file() {
    let mut tree = Tree::package();
    for at in 0..20 {
        tree = tree.write(format!("ws/d{at}/file"), "text").write(format!("beside/d{at}/file"), "text");
    }
    let manifest = format!("{PACKAGE}[dependencies]\nbeside = {{ path = '../beside' }}\n");
    tree = tree
        .write("beside/Cargo.toml", &PACKAGE.replace("\"p\"", "\"beside\""))
        .write("beside/src/lib.rs", "");
    tree = tree.write("ws/Cargo.toml", &manifest);
    let load = |halt: &After| {
        workspace::load(&request(&tree.path("ws")), |_| Vec::new(), |_, _| FileTable::default(), halt)
    };
    let all = After { left: AtomicUsize::new(usize::MAX) };
    load(&all).unwrap();
    let asked = usize::MAX - all.left.into_inner();
    assert!(asked >= 4 * 20, "asked only {asked} times");
    for left in (0..asked).step_by(7) {
        let halted = load(&After { left: AtomicUsize::new(left) });
        assert!(matches!(halted, Err(LoadError::Halted(_))), "{left} of {asked}: {halted:?}");
    }
}
