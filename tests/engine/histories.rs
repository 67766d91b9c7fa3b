//! 16 labelled histories of one small workspace: what `check --against` says caused the new findings, and its exit code. No
//! finding that a change caused may be excused.

use serde_json::Value;

use crate::support::Sandbox;

const CONFIG: &str = r#"
[tools.fmt]
enabled = false
[tools.doc]
enabled = false
[tools.doctest]
enabled = false

# Finds lines with "bad". The program and its version are not part of the repository.
[tools.words]
run = ["sh", "../words.sh", "{files}"]
per = "file"
files = ["**/*.txt"]
version = ["cat", "../version"]
parse = { regex = "^(?<path>.+?):(?<line>\\d+): (?<message>.*)$" }

# Prints a report that is not part of the repository, as if its database had changed.
[tools.advisories]
run = ["sh", "-c", "cat ../advisories.json; exit $(cat ../advisories.code)"]
per = "workspace"
files = ["**/Cargo.toml"]
cache = false
parse = "audit-json"
namespaces = ["audit"]
"#;

/// Package manifests and sources. The registry is a directory of the repository.
const FILES: [(&str, &str); 16] = [
    (
        "Cargo.toml",
        "[workspace]\nmembers = [\"alone\", \"app\", \"core\"]\nexclude = [\"outside\", \"vendor\"]\nresolver = \"3\"\n\
         [workspace.lints.clippy]\nneedless_return = \"warn\"\n",
    ),
    (
        ".cargo/config.toml",
        "[source.crates-io]\nreplace-with = \"vendored\"\n[source.vendored]\ndirectory = \"vendor\"\n",
    ),
    ("vendor/known/Cargo.toml", "[package]\nname = \"known\"\nversion = \"1.0.0\"\nedition = \"2021\"\n"),
    ("vendor/known/src/lib.rs", ""),
    ("vendor/known/.cargo-checksum.json", CHECKSUM),
    ("vendor/fresh/Cargo.toml", "[package]\nname = \"fresh\"\nversion = \"1.0.0\"\nedition = \"2021\"\n"),
    ("vendor/fresh/src/lib.rs", ""),
    ("vendor/fresh/.cargo-checksum.json", CHECKSUM),
    ("outside/Cargo.toml", "[package]\nname = \"outside\"\nversion = \"0.1.0\"\nedition = \"2024\"\n"),
    ("outside/src/lib.rs", "//! Not a member.\n/// One.\npub fn one() -> u32 {\n    1\n}\n"),
    (
        "alone/Cargo.toml",
        "[package]\nname = \"alone\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lints]\nworkspace = true\n",
    ),
    ("alone/src/lib.rs", "//! Nobody needs it.\n/// Two.\npub fn two() -> u32 {\n    2\n}\n"),
    (
        "app/Cargo.toml",
        "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\n\
         core-numbers = { path = \"../core\" }\nknown = \"1\"\n[lints]\nworkspace = true\n",
    ),
    ("app/src/lib.rs", "//! Needs others.\n/// Calls.\npub fn call() {\n    core_numbers::one();\n}\n"),
    (
        "core/Cargo.toml",
        "[package]\nname = \"core-numbers\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[features]\nextra = []\n[lints]\nworkspace = true\n",
    ),
    (
        "core/src/lib.rs",
        "//! Numbers.\n/// One.\npub fn one() -> u32 {\n    1\n}\n/// Only with a feature.\n#[cfg(feature = \"extra\")]\npub fn extra() -> u32 {\n    return 3;\n}\n",
    ),
];

const CHECKSUM: &str =
    r#"{"files":{},"package":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#;

/// The workspace, with every history as a branch of the same repository.
struct World {
    sandbox: Sandbox,
    /// Results that are not as labelled.
    wrong: Vec<String>,
    histories: usize,
}

impl World {
    fn new() -> Self {
        let sandbox = Sandbox::of("clean", "w");
        std::fs::remove_dir_all(sandbox.root()).unwrap();
        FILES.iter().for_each(|(path, text)| sandbox.write(path, text));
        sandbox.write("genti.toml", CONFIG);
        sandbox.write("alone/notes.txt", "fine\nworse\n");
        sandbox.write("alone/data.txt", "ok\n");
        sandbox.write(
            "app/tests/it.rs",
            "//! Reads a file of another package.\n#[test]\nfn reads() {\n    let text = std::fs::read_to_string(\"../alone/data.txt\").unwrap();\n    assert_eq!(text, \"ok\\n\");\n}\n",
        );
        let world = Self { sandbox, wrong: Vec::new(), histories: 0 };
        world.beside("words.sh", "#!/bin/sh\nexec awk '/bad/ {print FILENAME \":\" FNR \": \" $0}' \"$@\"\n");
        world.beside("version", "words 1\n");
        world.advisories(&[]);
        let lock = std::process::Command::new("cargo")
            .args(["generate-lockfile", "--offline", "--quiet"])
            .current_dir(world.sandbox.root())
            .status();
        assert!(lock.unwrap().success());
        world.sandbox.commit_all();
        world.sandbox.run(&["lock", "--quiet"], 0);
        world.commit();
        world
    }

    fn beside(&self, name: &str, text: &str) {
        std::fs::write(self.sandbox.beside().join(name), text).unwrap();
    }

    /// Publishes advisories about these crates.
    fn advisories(&self, crates: &[&str]) {
        let one = |name: &&str| {
            serde_json::json!({
                "advisory": { "id": "RUSTSEC-2099-0001", "title": "Made up", "url": null },
                "versions": { "patched": [] },
                "package": { "name": name, "version": "1.0.0" },
            })
        };
        let list: Vec<_> = crates.iter().map(one).collect();
        let report = serde_json::json!({
            "database": { "last-commit": null, "last-updated": null },
            "lockfile": { "dependency-count": 4 },
            "vulnerabilities": { "found": !list.is_empty(), "count": list.len(), "list": list },
            "warnings": {},
        });
        self.beside("advisories.json", &report.to_string());
        self.beside("advisories.code", if crates.is_empty() { "0" } else { "1" });
    }

    fn git(&self, args: &[&str]) {
        assert!(self.sandbox.git(args), "git {args:?}");
    }

    fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-qm", "more"]);
    }

    fn write(&self, path: &str, text: &str) {
        self.sandbox.write(path, text);
    }

    fn edit(&self, path: &str, from: &str, to: &str) {
        self.sandbox.edit(path, from, to);
    }

    /// Makes a base from `main` with `before`, and a change on top of it with `change`. Then checks the change with `tool`: its
    /// exit code, and the cause of each new finding.
    #[track_caller]
    fn history(
        &mut self,
        label: &str,
        tool: &str,
        before: impl Fn(&Self),
        change: impl Fn(&Self),
        (code, causes): (i32, &[&str]),
    ) {
        self.git(&["checkout", "-q", "-B", "base", "main"]);
        before(self);
        if self.sandbox.git(&["diff", "--quiet", "HEAD"]) {
            self.git(&["commit", "-qm", "same", "--allow-empty"]);
        } else {
            self.commit();
        }
        self.git(&["checkout", "-q", "-B", "topic", "base"]);
        change(self);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-qm", "change", "--allow-empty"]);
        let args = ["check", "--partial", "--tool", tool];
        self.judge(label, &[&args[..], &["--profile", "against"]].concat(), code, causes);
        self.beside("version", "words 1\n");
        self.advisories(&[]);
        self.beside("words.sh", "#!/bin/sh\nexec awk '/bad/ {print FILENAME \":\" FNR \": \" $0}' \"$@\"\n");
    }

    #[track_caller]
    fn judge(&mut self, label: &str, args: &[&str], code: i32, causes: &[&str]) {
        let output = self.sandbox.command(args).output().unwrap();
        let report = self.sandbox.json("report.json");
        let new = report["findings"].as_array().unwrap().iter().filter(|finding| finding["state"] == "new");
        let found: Vec<_> = new.map(|finding| finding["cause"]["kind"].as_str().unwrap_or("none")).collect();
        self.histories += 1;
        if output.status.code() != Some(code) || found != causes {
            let text = String::from_utf8_lossy(&output.stderr);
            self.wrong.push(format!(
                "{label}: exit code {:?} and {found:?} instead of {code} and {causes:?}\n{text}",
                output.status.code()
            ));
        }
        let graph_hash = &report["against"]["graph_hash"];
        assert!(matches!(graph_hash, Value::String(_)), "{label}: {report:#}");
    }
}

const PASSES: i32 = 0;
const FAILS: i32 = 1;

fn nothing(_: &World) {}

#[test]
fn each_history_has_the_right_cause_and_exit_code() {
    let mut world = World::new();
    // The flag would be drift if it were not configured.
    world.write("genti.toml", &format!("{CONFIG}[profile.against.policy]\nagainst = \"base\"\n"));
    world.commit();
    let touch = |world: &World| world.edit("app/src/lib.rs", "//! Needs others.", "//! Needs the others.");
    let bad_note = |world: &World| world.write("alone/notes.txt", "fine\nbad\nworse\n");
    let needless = "/// Two.\npub fn two() -> u32 {\n    return 2;\n}\n";
    let fine = "/// Two.\npub fn two() -> u32 {\n    2\n}\n";
    let broken = |world: &World| world.edit("alone/src/lib.rs", fine, needless);
    let must_use = |world: &World| world.edit("core/src/lib.rs", "pub fn one", "#[must_use]\npub fn one");

    world.history(
        "an advisory appears with the lock unchanged",
        "advisories",
        nothing,
        |world| {
            touch(world);
            world.advisories(&["known"]);
        },
        (PASSES, &["world"]),
    );
    world.history(
        "the same with a new crate that has it",
        "advisories",
        nothing,
        |world| {
            world.edit("app/Cargo.toml", "known = \"1\"\n", "known = \"1\"\nfresh = \"1\"\n");
            let lock = std::process::Command::new("cargo")
                .args(["generate-lockfile", "--offline", "--quiet"])
                .current_dir(world.sandbox.root())
                .status();
            assert!(lock.unwrap().success());
            world.advisories(&["fresh"]);
        },
        (FAILS, &["change"]),
    );
    let next_version = |world: &World| {
        world.beside("version", "words 2\n");
        world.beside(
            "words.sh",
            "#!/bin/sh\nexec awk '/bad|worse/ {print FILENAME \":\" FNR \": \" $0}' \"$@\"\n",
        );
    };
    world.history(
        "a toolchain bump outside the change",
        "words",
        nothing,
        |world| {
            touch(world);
            next_version(world);
        },
        (PASSES, &["tool"]),
    );
    world.history(
        "a toolchain bump inside the change",
        "words",
        nothing,
        |world| {
            world.write("rust-toolchain.toml", "[toolchain]\nchannel = \"stable\"\n");
            next_version(world);
        },
        (FAILS, &["change"]),
    );
    world.history("the base was broken before", "clippy", broken, touch, (PASSES, &["base"]));
    world.history(
        "a moved file with an old finding",
        "words",
        |world| {
            bad_note(world);
            world.sandbox.run(&["baseline", "accept", "--tool", "words", "--reason", "old"], 0);
        },
        |world| world.git(&["mv", "alone/notes.txt", "alone/moved.txt"]),
        (PASSES, &[]),
    );
    world.history(
        "a configuration change",
        "words",
        nothing,
        |world| {
            world.edit("genti.toml", "../words.sh", "words.sh");
            world.write("words.sh", "exec awk '/worse/ {print FILENAME \":\" FNR \": \" $0}' \"$@\"\n");
        },
        (FAILS, &["change"]),
    );
    world.history(
        "a feature unification that appears",
        "clippy",
        nothing,
        |world| {
            world.edit("app/Cargo.toml", "\"../core\" }", "\"../core\", features = [\"extra\"] }");
        },
        (FAILS, &["change"]),
    );
    world.history(
        "a deprecation that warns elsewhere",
        "clippy",
        nothing,
        |world| {
            world.edit("core/src/lib.rs", "pub fn one", "#[deprecated]\npub fn one");
        },
        (FAILS, &["change"]),
    );
    world.history(
        "the lints table changed",
        "clippy",
        |world| {
            broken(world);
            world.edit("Cargo.toml", "needless_return = \"warn\"", "needless_return = \"allow\"");
        },
        |world| {
            world.edit("Cargo.toml", "needless_return = \"allow\"", "needless_return = \"warn\"");
        },
        (FAILS, &["change"]),
    );
    world.history(
        "a rename plus edit",
        "words",
        bad_note,
        |world| {
            world.git(&["mv", "alone/notes.txt", "alone/moved.txt"]);
            world.edit("alone/moved.txt", "fine\n", "finer\n");
        },
        (FAILS, &["change"]),
    );
    world.history(
        "a revert",
        "clippy",
        nothing,
        |world| {
            broken(world);
            world.commit();
            // The fix was on the base, and the change takes it back.
            world.git(&["checkout", "-q", "-B", "base", "HEAD"]);
            world.edit("alone/src/lib.rs", needless, fine);
            world.commit();
            world.git(&["checkout", "-q", "-B", "topic"]);
            world.git(&["revert", "--no-edit", "HEAD"]);
        },
        (FAILS, &["change"]),
    );
    world.history(
        "a change in a path dependency",
        "clippy",
        |world| {
            world.edit(
                "app/Cargo.toml",
                "known = \"1\"\n",
                "known = \"1\"\noutside = { path = \"../outside\" }\n",
            );
            world.edit("app/src/lib.rs", "core_numbers::one();", "outside::one();");
            let lock = std::process::Command::new("cargo")
                .args(["generate-lockfile", "--offline", "--quiet"])
                .current_dir(world.sandbox.root())
                .status();
            assert!(lock.unwrap().success());
        },
        |world| world.edit("outside/src/lib.rs", "pub fn one", "#[must_use]\npub fn one"),
        (FAILS, &["change"]),
    );
    world.history(
        "a removed baseline line",
        "words",
        |world| {
            bad_note(world);
            world.sandbox.run(&["baseline", "accept", "--tool", "words", "--reason", "old"], 0);
        },
        |world| world.git(&["rm", "-q", ".config/genti/baseline/words.jsonl"]),
        (FAILS, &["change"]),
    );
    world.history(
        "a test that reads a changed file outside its package",
        "test",
        nothing,
        |world| {
            world.write("alone/data.txt", "changed\n");
        },
        (FAILS, &["change"]),
    );

    // The branches `base` and `topic` were both green, and their merge is not.
    world.git(&["checkout", "-q", "-B", "topic", "main"]);
    must_use(&world);
    world.edit("app/src/lib.rs", "    core_numbers::one();\n", "    let _ = core_numbers::one();\n");
    world.commit();
    world.git(&["checkout", "-q", "-B", "base", "main"]);
    world.write(
        "app/src/more.rs",
        "//! More.\n/// Calls again.\npub fn again() {\n    core_numbers::one();\n}\n",
    );
    world.edit("app/src/lib.rs", "//! Needs others.\n", "//! Needs others.\npub mod more;\n");
    world.commit();
    world.git(&["checkout", "-q", "-B", "merged", "base"]);
    world.git(&["merge", "-q", "--no-edit", "topic"]);
    let args = ["check", "--partial", "--tool", "clippy", "--profile", "against"];
    world.judge("a merge of two green branches that breaks", &args, FAILS, &["change"]);

    assert_eq!(world.histories, 16);
    assert!(world.wrong.is_empty(), "{}", world.wrong.join("\n"));
}
