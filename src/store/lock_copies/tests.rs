use super::*;
use crate::model::halt::Never;

/// A repository in a temporary directory, and its copies beside it.
struct Case {
    dir: tempfile::TempDir,
    copies: LockCopies,
}

const LOCK_FILE: &str = "ci/old.lock";

impl Case {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let top = root.join("repo");
        for name in [".git", "target", "src", "ci", "sub"] {
            fs::create_dir_all(top.join(name)).unwrap();
        }
        let copies = LockCopies::new(&top, &top, vec![top.join("target")], root.join("cache/copies"));
        let case = Self { dir, copies };
        for name in [".git/HEAD", "target/x", "src/lib.rs", "sub/.git", "sub/a.rs", "Cargo.lock"] {
            case.write(name, name);
        }
        case.write(LOCK_FILE, "old");
        case
    }

    fn path(&self, name: &str) -> PathBuf {
        self.copies.top.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn copy(&self, name: &str) -> PathBuf {
        self.copies.root(&RelPath::new(LOCK_FILE)).join(name)
    }

    fn refresh(&self) -> Result<(), String> {
        let digest = Digest::of_bytes(&fs::read(self.path(LOCK_FILE)).unwrap());
        self.copies.refresh(&RelPath::new(LOCK_FILE), Some(digest), &|_| false, &Never)
    }

    /// Returns the files of the copy with their content.
    fn copied(&self) -> Vec<(String, String)> {
        let root = self.copy("");
        let files = walkdir::WalkDir::new(&root).sort_by_file_name().into_iter().map(Result::unwrap);
        let file = |entry: walkdir::DirEntry| {
            let name = entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(entry.path()).unwrap_or_default())
        };
        files.filter(|entry| !entry.file_type().is_dir()).map(file).collect()
    }
}

fn file(name: &str, text: &str) -> (String, String) {
    (name.to_owned(), text.to_owned())
}

#[test]
fn a_copy_has_the_files_of_the_repository_and_the_lock_file() {
    let case = Case::new();
    case.refresh().unwrap();
    let expected = [
        file("Cargo.lock", "old"),
        file("ci/old.lock", "old"),
        file("src/lib.rs", "src/lib.rs"),
        file("sub/a.rs", "sub/a.rs"),
    ];
    assert_eq!(case.copied(), expected);
    assert_eq!(fs::read_to_string(case.path("Cargo.lock")).unwrap(), "Cargo.lock");
}

#[test]
fn a_copy_is_brought_up_to_date_by_content() {
    let case = Case::new();
    case.refresh().unwrap();
    let before = fs::metadata(case.copy("src/lib.rs")).unwrap().modified().unwrap();
    // The same size and an older time.
    case.write("src/lib.rs", "SRC/LIB.RS");
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
    File::options().write(true).open(case.path("src/lib.rs")).unwrap().set_modified(old).unwrap();
    fs::remove_file(case.path("sub/a.rs")).unwrap();
    case.write("new.rs", "new");
    case.write(LOCK_FILE, "newer");
    case.refresh().unwrap();
    let expected = [
        file("Cargo.lock", "newer"),
        file("ci/old.lock", "newer"),
        file("new.rs", "new"),
        file("src/lib.rs", "SRC/LIB.RS"),
    ];
    assert_eq!(case.copied(), expected);
    assert!(
        fs::metadata(case.copy("src/lib.rs")).unwrap().modified().unwrap() >= before,
        "cargo sees the change"
    );
}

#[test]
fn an_unchanged_file_keeps_its_time() {
    let case = Case::new();
    case.refresh().unwrap();
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
    File::options().write(true).open(case.copy("src/lib.rs")).unwrap().set_modified(old).unwrap();
    case.refresh().unwrap();
    assert_eq!(fs::metadata(case.copy("src/lib.rs")).unwrap().modified().unwrap(), old);
}

#[cfg(unix)]
#[test]
fn what_others_leave_in_a_copy_never_reaches_the_repository() {
    use std::os::unix::fs::symlink;
    let case = Case::new();
    case.refresh().unwrap();
    let expected = case.copied();
    // Links that lead back, in place of a file, a directory and the lock file, and a second name of a file.
    let link = |to: &str, name: &str| {
        remove(&case.copy(name)).unwrap();
        symlink(case.path(to), case.copy(name)).unwrap();
    };
    link("src/lib.rs", "src/lib.rs");
    link("sub", "sub");
    link("Cargo.lock", "Cargo.lock");
    fs::write(case.copy("left"), "left").unwrap();
    fs::create_dir_all(case.copy("more/dir")).unwrap();
    case.refresh().unwrap();
    assert_eq!(case.copied(), expected);
    assert!(fs::symlink_metadata(case.copy("sub")).unwrap().is_dir());
    assert_eq!(fs::read_to_string(case.path("Cargo.lock")).unwrap(), "Cargo.lock");
    fs::remove_file(case.copy("src/lib.rs")).unwrap();
    fs::hard_link(case.path("src/lib.rs"), case.copy("src/lib.rs")).unwrap();
    case.refresh().unwrap();
    fs::write(case.copy("src/lib.rs"), "changed by a test").unwrap();
    assert_eq!(fs::read_to_string(case.path("src/lib.rs")).unwrap(), "src/lib.rs");
}

#[cfg(unix)]
#[test]
fn links_lead_to_the_same_place() {
    use std::os::unix::fs::symlink;
    let case = Case::new();
    fs::write(case.dir.path().join("outside"), "outside").unwrap();
    symlink("../sub", case.path("src/inner")).unwrap();
    symlink("../../outside", case.path("src/outer")).unwrap();
    case.refresh().unwrap();
    assert_eq!(fs::read_link(case.copy("src/inner")).unwrap(), Path::new("../sub"));
    assert_eq!(fs::read_to_string(case.copy("src/outer")).unwrap(), "outside");
}

#[test]
fn a_cache_is_not_copied_unless_it_is_part_of_the_workspace() {
    let case = Case::new();
    for name in ["fuzz/target", "vendor"] {
        fs::create_dir_all(case.path(name)).unwrap();
        case.write(&format!("{name}/CACHEDIR.TAG"), "Signature: …");
    }
    let is_listed = |path: &RelPath| *path == RelPath::new("vendor/CACHEDIR.TAG");
    let digest = Some(Digest::of_bytes(b"old"));
    case.copies.refresh(&RelPath::new(LOCK_FILE), digest, &is_listed, &Never).unwrap();
    assert!(case.copy("vendor/CACHEDIR.TAG").exists() && !case.copy("fuzz/target").exists());
}

#[test]
fn a_lock_file_that_changed_is_not_used() {
    let case = Case::new();
    let digest = Some(Digest::of_bytes(b"other"));
    let error = case.copies.refresh(&RelPath::new(LOCK_FILE), digest, &|_| false, &Never).unwrap_err();
    assert_eq!(error, "`ci/old.lock` changed during the run; run again");
}

#[test]
fn a_configuration_above_only_one_of_them_is_refused() {
    let case = Case::new();
    let config = case.dir.path().join("cache/.cargo");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("config.toml"), "").unwrap();
    let error = case.refresh().unwrap_err();
    assert!(error.contains("config.toml` would also apply in the copy"), "{error}");
    // Above both of them, it applies to both.
    fs::rename(config, case.dir.path().join(".cargo")).unwrap();
    case.refresh().unwrap();
}

#[test]
fn only_one_run_uses_a_copy() {
    let case = Case::new();
    case.refresh().unwrap();
    let other = LockCopies::new(&case.copies.top, &case.copies.top, Vec::new(), case.copies.home.clone());
    let error = other.refresh(&RelPath::new(LOCK_FILE), None, &|_| false, &Never).unwrap_err();
    assert!(error.ends_with("another run uses the copy"), "{error}");
    drop(case.copies);
    other.refresh(&RelPath::new(LOCK_FILE), None, &|_| false, &Never).unwrap();
}

#[test]
fn copies_of_other_variants_are_removed() {
    let case = Case::new();
    case.refresh().unwrap();
    case.copies.retain([&RelPath::new(LOCK_FILE)].into_iter()).unwrap();
    assert!(case.copy("src").exists());
    case.copies.retain([&RelPath::new("other.lock")].into_iter()).unwrap();
    assert!(!case.copy("").exists());
    drop(case.copies.lock.lock().unwrap().take());
    remove_copies(&case.copies.home).unwrap();
    assert!(!case.copies.home.exists());
}

#[test]
fn output_names_the_files_of_the_repository() {
    let case = Case::new();
    let (here, there) = (case.path("src/lib.rs"), case.copy("src/lib.rs"));
    let text = format!("error in {}:3 and {}\n", there.display(), case.copies.home.display());
    let restored = case.copies.originals(text.as_bytes());
    let expected = format!("error in {}:3 and {}\n", here.display(), case.copies.home.display());
    assert_eq!(String::from_utf8_lossy(&restored), expected);
    assert!(matches!(case.copies.originals(b"nothing"), Cow::Borrowed(_)));
    // The same once the directory exists.
    case.refresh().unwrap();
    let again = LockCopies::new(&case.copies.top, &case.copies.top, Vec::new(), case.copies.home.clone());
    assert_eq!(again.originals(text.as_bytes()), restored);
    assert!(!again.root(&RelPath::new(LOCK_FILE)).to_str().unwrap().ends_with('/'));
    assert_eq!(case.copies.in_copy(&RelPath::new(LOCK_FILE), &here), Some(there));
    for path in [case.path("target/debug/x"), case.dir.path().join("other")] {
        assert_eq!(case.copies.in_copy(&RelPath::new(LOCK_FILE), &path), None);
    }
}
