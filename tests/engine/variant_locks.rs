//! Tests of variants with a lock file of their own, which run in a copy of the repository.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{Sandbox, disabled};

/// Only the new version of the dependency has this function.
const LIB: &str =
    "//! A library.\n\n/// Returns a number.\npub fn number() -> u8 {\n    dep::only_new()\n}\n";

const CONFIG: &str = r#"
[variants.old]
lock = "ci/old.lock"
[tools.check]
variants = ["default", "old"]
"#;

/// A package whose dependency has two versions in a directory of the repository.
struct Case(Sandbox);

impl Case {
    fn new(config: &str) -> Self {
        let sandbox = Sandbox::library();
        let manifest = "[package]\nname = \"clean\"\nversion = \"0.1.0\"\nedition = \"2021\"\nrust-version = \"1.70\"\n\n\
                        [dependencies]\ndep = \"1\"\n";
        sandbox.write("Cargo.toml", manifest);
        sandbox.write("src/lib.rs", LIB);
        let source =
            "[source.crates-io]\nreplace-with = \"vendored\"\n[source.vendored]\ndirectory = \"vendor\"\n";
        sandbox.write(".cargo/config.toml", source);
        for (version, rust, code) in
            [("1.0.0", "1.56", ""), ("1.1.0", "1.80", "pub fn only_new() -> u8 {\n    1\n}\n")]
        {
            let dir = format!("vendor/dep-{version}");
            let manifest = format!(
                "[package]\nname = \"dep\"\nversion = \"{version}\"\nedition = \"2021\"\nrust-version = \"{rust}\"\n"
            );
            sandbox.write(&format!("{dir}/Cargo.toml"), &manifest);
            sandbox.write(&format!("{dir}/src/lib.rs"), code);
            sandbox.write(&format!("{dir}/.cargo-checksum.json"), "{\"files\":{}}");
        }
        let others = disabled(&["fmt", "clippy", "doc", "test", "doctest"]);
        sandbox.write("genti.toml", &format!("{others}{config}"));
        let _ = std::fs::remove_file(sandbox.root().join("Cargo.lock"));
        let case = Self(sandbox);
        let mut generate = Command::new(env!("CARGO"));
        case.0.scrub(&mut generate);
        assert!(generate.args(["generate-lockfile", "--offline"]).output().unwrap().status.success());
        case.0.commit_all();
        case
    }

    /// Like [`Self::new`], with the lock file.
    fn locked(config: &str) -> Self {
        let case = Self::new(config);
        case.run(&["lock", "--variant", "old", "--resolve", "msrv"], 0);
        case
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.0.command(args);
        command.env("XDG_CACHE_HOME", self.0.beside().join("cache"));
        command
    }

    fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    #[track_caller]
    fn run(&self, args: &[&str], code: i32) -> String {
        self.0.expect(&self.output(args), code)
    }

    /// Returns the root of the copy.
    fn copy(&self) -> PathBuf {
        let mut dir = self.0.beside().join("cache/genti/copies");
        for _ in 0..3 {
            let mut entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
            dir = entries.find(|path| path.is_dir()).unwrap();
        }
        dir
    }

    /// Returns the status of the task of `tool` and where its result came from.
    fn task(&self, tool: &str) -> (String, String) {
        let task = self.0.lines("task").into_iter().find(|task| task["tool"] == tool).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&task["status"]), text(&task["timing"]["cache"]))
    }

    /// Returns the files of the repository that git considers changed.
    fn changed(&self) -> String {
        let mut git = Command::new("git");
        git.args(["status", "--porcelain"]).current_dir(self.0.root());
        String::from_utf8(git.output().unwrap().stdout).unwrap()
    }
}

#[test]
fn a_variant_builds_with_its_own_lock_file() {
    let case = Case::locked(CONFIG);
    assert_eq!(case.changed(), "?? ci/\n");
    assert!(case.0.text("Cargo.lock").contains("1.1.0") && case.0.text("ci/old.lock").contains("1.0.0"));
    let text = case.run(&["lock", "--variant", "old", "--resolve", "msrv"], 0);
    assert!(text.contains("ci/old.lock is up to date"), "{text}");

    // Code that does not compile leaves its package incomplete.
    case.run(&["run"], 3);
    assert_eq!(case.0.findings(), ["new E0425 src/lib.rs:5"]);
    let report = case.0.json("report.json");
    assert_eq!(report["findings"][0]["seen_in"], serde_json::json!(["old"]));
    assert_eq!(
        (case.task("check").0, case.task("check@old").0),
        ("clean".to_owned(), "incomplete".to_owned())
    );
    assert_eq!(case.0.json("run.json")["variants"][0]["lock"], "ci/old.lock");
    // No artifact names the copy, and nothing of the repository has changed.
    for name in ["run.json", "report.json", "tasks.jsonl"] {
        assert!(!String::from_utf8(case.0.artifact(name)).unwrap().contains("copies"), "{name}");
    }
    assert_eq!(case.changed(), "?? ci/\n");
}

#[test]
fn a_result_is_cached_until_something_changes() {
    let case = Case::locked(CONFIG);
    let (clean, incomplete, hit, miss) = ("clean", "incomplete", "hit", "miss");
    let check = |code: i32, status: &str, cache: &str| {
        case.run(&["run"], code);
        assert_eq!(case.task("check@old"), (status.to_owned(), cache.to_owned()));
    };
    let good = LIB.replace("dep::only_new()", "0");
    case.0.write("src/lib.rs", &good);
    check(0, clean, miss);
    check(0, clean, hit);
    // Other content with an older time, which cargo would not notice.
    let bad = LIB;
    case.0.write("src/lib.rs", bad);
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    let path = case.0.root().join("src/lib.rs");
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    check(3, incomplete, miss);
    case.0.write("src/lib.rs", &good);
    check(0, clean, hit);
    // The lock file is part of the id.
    case.0.write("src/lib.rs", bad);
    let id = |case: &Case| {
        case.0.lines("task").into_iter().find(|task| task["tool"] == "check@old").unwrap()["task_id"].clone()
    };
    check(3, incomplete, miss);
    let before = id(&case);
    case.0.write("ci/old.lock", &case.0.text("Cargo.lock"));
    check(0, clean, miss);
    assert_ne!(id(&case), before);
}

#[test]
fn leftovers_in_the_copy_don_t_matter() {
    let case = Case::locked(CONFIG);
    case.0.write("src/lib.rs", &LIB.replace("dep::only_new()", "0"));
    case.run(&["run"], 0);
    let copy = case.copy();
    std::fs::write(copy.join("src/lib.rs"), "not Rust").unwrap();
    std::fs::write(copy.join("build.rs"), "not Rust").unwrap();
    std::fs::write(copy.join("Cargo.lock"), case.0.text("Cargo.lock")).unwrap();
    case.run(&["run", "--no-cache"], 0);
    assert_eq!(case.task("check@old").0, "clean");
    assert!(!copy.join("build.rs").exists());
    case.run(&["clean"], 0);
    assert!(!copy.exists());
}

#[test]
fn tests_run_in_the_copy() {
    let case = Case::locked(CONFIG);
    let config = CONFIG.replace("tools.check", "tools.test").replace("\"default\", ", "");
    case.0.write("genti.toml", &format!("{}{config}", disabled(&["fmt", "clippy", "doc", "doctest"])));
    let tests = "#[test]\nfn writes() {\n    let dir = std::path::Path::new(env!(\"CARGO_MANIFEST_DIR\"));\n    \
                 assert_eq!(dir, std::env::current_dir().unwrap());\n    assert!(!dir.join(\"out\").exists());\n    \
                 std::fs::write(dir.join(\"out\"), \"\").unwrap();\n}\n#[test]\nfn fails() {\n    panic!(\"{}\", file!());\n}\n";
    case.0.write("src/lib.rs", "//! A library.\n");
    case.0.write("tests/it.rs", tests);
    // The second time, the file of the first one is gone.
    for _ in 0..2 {
        case.run(&["run"], 1);
        let report = case.0.json("report.json");
        let all = report["findings"].as_array().unwrap();
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!(
            (&all[0]["subject"], &all[0]["test"]["path"]),
            (&"clean::it fails".into(), &"tests/it.rs".into())
        );
        assert!(!case.0.root().join("out").exists() && case.copy().join("out").exists());
    }
}

#[test]
fn a_lock_file_that_can_t_be_used_is_a_mistake() {
    let case = Case::new(CONFIG);
    let text = case.run(&["run"], 2);
    assert!(text.contains("there is no file `ci/old.lock` in the workspace"), "{text}");
    assert!(text.contains("cargo genti lock --variant old --resolve msrv"), "{text}");
    let lock =
        |name: &str, how: &str, code: i32| case.run(&["lock", "--variant", name, "--resolve", how], code);
    let text = lock("new", "msrv", 2);
    assert!(text.contains("unknown variant `new` (variants with one: `old`)"), "{text}");
    lock("old", "msrv", 0);
    case.run(&["run"], 3);
    assert_eq!(case.0.findings(), ["new E0425 src/lib.rs:5"]);

    // An outdated one makes the variant incomplete, and is not updated.
    case.0.edit("Cargo.toml", "dep = \"1\"", "dep = \"1.1\"");
    let before = case.0.text("ci/old.lock");
    let text = case.run(&["run"], 3);
    assert!(text.contains("lock file") && text.contains("--locked"), "{text}");
    assert_eq!(case.task("check").0, "clean");
    assert_eq!(case.0.text("ci/old.lock"), before);

    // A path dependency outside the repository is not in the copy.
    let outside = case.0.beside().join("outside");
    std::fs::create_dir_all(outside.join("src")).unwrap();
    std::fs::write(outside.join("src/lib.rs"), "").unwrap();
    std::fs::write(
        outside.join("Cargo.toml"),
        "[package]\nname = \"outside\"\nversion = \"0.1.0\"\n[workspace]\n",
    )
    .unwrap();
    case.0.edit("Cargo.toml", "[dependencies]\n", "[dependencies]\noutside = { path = \"../outside\" }\n");
    let text = case.run(&["run"], 2);
    assert!(
        text.contains("`../outside` is outside the repository") && text.contains("lock = \"ci/old.lock\""),
        "{text}"
    );
}

#[test]
fn minimal_versions_need_a_nightly_toolchain() {
    let case = Case::new(CONFIG);
    for how in ["minimal", "direct-minimal"] {
        let mut command = case.command(&["lock", "--variant", "old", "--resolve", how]);
        // With neither rustup nor a nightly toolchain, it says what to install; with one, it works.
        command.env("RUSTUP_HOME", case.0.beside().join("rustup"));
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert!(text.contains("is not installed"), "{text}");
        assert!(!case.0.root().join("ci/old.lock").exists());
    }
}

#[test]
fn a_configuration_that_would_not_apply_to_the_copy_is_refused() {
    let case = Case::locked(CONFIG);
    let dir = case.0.beside().join("cache/.cargo");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("config.toml"), "").unwrap();
    case.0.write("src/lib.rs", &LIB.replace("dep::only_new()", "0"));
    let text = case.run(&["run"], 3);
    assert!(text.contains("would also apply in the copy of the repository"), "{text}");
    assert_eq!(case.task("check").0, "clean");
}

#[test]
fn only_tools_whose_selection_is_given_can_have_a_lock_file() {
    let own = "[tools.own]\nrun = ['cargo', 'check']\nvariants = ['old']\n";
    let case = Case::new(&format!("{CONFIG}{own}"));
    let text = case.run(&["plan"], 2);
    assert!(
        text.contains(
            "`own` can't run in `old`, because only `\"{selection}\"` makes cargo use its lock file"
        ),
        "{text}"
    );
}
