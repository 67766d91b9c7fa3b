//! Tests that only committed lint levels affect results: those in the environment are ignored, and none prevents
//! tests from being built.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::support::{Sandbox, disabled};

/// Creates the package `clean` with a warning of rustc and one of rustdoc, and a configuration without the other
/// tools.
fn with_warnings(config: &str) -> Sandbox {
    let sandbox = Sandbox::of("clean", "w");
    let warns = "//! Greets.\n\n/// See [nothing].\npub fn warns() {\n    let unused = 1;\n}\n";
    sandbox.edit("src/lib.rs", "//! Greets.\n", warns);
    sandbox.write("genti.toml", &format!("{}{config}", disabled(&["fmt"])));
    sandbox
}

fn run(sandbox: &Sandbox, args: &[&str], vars: &[(&str, &str)], code: i32) -> String {
    let mut command = sandbox.command(args);
    command.envs(vars.iter().copied());
    sandbox.expect(&command.output().unwrap(), code)
}

/// Returns whether each task of `tool` had a cache hit.
fn hits(sandbox: &Sandbox, tool: &str) -> Vec<bool> {
    let tasks = sandbox.lines("task");
    let of_tool = tasks.iter().filter(|task| task["tool"] == tool);
    of_tool.map(|task| task["timing"]["cache"] == "hit").collect()
}

#[test]
fn lint_levels_in_the_environment_change_no_verdict_and_no_cache_key() {
    let sandbox = with_warnings(&disabled(&["test", "doctest"]));
    let file = sandbox.beside().join("flags");
    std::fs::write(&file, "-Awarnings\n").unwrap();
    let file = format!("@{}", file.display());
    run(&sandbox, &["run"], &[], 1);
    let found = sandbox.findings();
    assert_eq!(
        found,
        ["new rustdoc::broken_intra_doc_links src/lib.rs:3", "new unused_variables src/lib.rs:5"]
    );
    for (name, value) in [
        ("RUSTFLAGS", "-Awarnings"),
        ("RUSTFLAGS", "-D warnings"),
        ("RUSTFLAGS", "--cap-lints=allow"),
        ("RUSTFLAGS", &file),
        ("CARGO_ENCODED_RUSTFLAGS", "-A\u{1f}unused"),
        ("CARGO_BUILD_RUSTFLAGS", "--force-warn missing_docs"),
        ("RUSTDOCFLAGS", "-A rustdoc::all"),
        ("CARGO_BUILD_RUSTDOCFLAGS", "-Dwarnings"),
        ("CARGO_BUILD_WARNINGS", "deny"),
    ] {
        let text = run(&sandbox, &["run"], &[(name, value)], 1);
        assert!(text.contains(&format!("from {name}: ")), "{text}");
        assert_eq!(sandbox.findings(), found, "{name}={value}");
        assert_eq!([hits(&sandbox, "clippy"), hits(&sandbox, "doc")], [[true], [true]], "{name}={value}");
        if !value.contains("deny") {
            continue;
        }
        run(&sandbox, &["run", "--no-cache"], &[(name, value)], 1);
        assert_eq!(sandbox.findings(), found, "{name}={value}");
    }
    let cold = [("RUSTFLAGS", "--cap-lints=allow"), ("RUSTDOCFLAGS", "-Arustdoc::all")];
    std::fs::remove_dir_all(sandbox.root().join("target")).unwrap();
    run(&sandbox, &["run"], &cold, 1);
    assert_eq!(sandbox.findings(), found);
}

#[test]
fn lint_levels_in_files_of_cargo_count_only_if_they_are_committed() {
    let sandbox = with_warnings(&disabled(&["test", "doctest"]));
    sandbox.write(".gitignore", "/target\n/ignored\n");
    assert!(sandbox.git(&["init", "-q"]) && sandbox.git(&["add", "-A"]));
    let home = sandbox.beside().join("cargo");
    let (above, own) =
        (sandbox.beside().join(".cargo/config.toml"), sandbox.root().join(".cargo/config.toml"));
    for dir in [&home, &sandbox.beside().join(".cargo"), &sandbox.root().join(".cargo")] {
        std::fs::create_dir_all(dir).unwrap();
    }
    let home_var = home.display().to_string();
    let vars = [("CARGO_HOME", &*home_var)];
    run(&sandbox, &["run"], &vars, 1);
    let found = sandbox.findings();
    assert_eq!(found.len(), 2);
    let triple = || {
        let output = std::process::Command::new("rustc").arg("-vV").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
    };
    let of_target = format!("[target.{}]\nrustflags = '-C debuginfo=0 --cap-lints allow'\n", triple());
    let levels = [
        "[build]\nrustflags = ['-Awarnings']\nrustdocflags = ['-A', 'rustdoc::all']\n",
        "[target.'cfg(unix)']\nrustflags = ['-A', 'unused']\n[build]\nrustdocflags = '-Arustdoc::all'\n",
        &of_target,
    ];
    for (file, name) in
        [(&above, "../.cargo/config.toml"), (&home.join("config.toml"), "$CARGO_HOME/config.toml")]
    {
        for text in levels {
            std::fs::write(file, text).unwrap();
            let printed = run(&sandbox, &["run"], &vars, 1);
            assert!(printed.contains(&format!("from {name}: set lint levels in `[lints]`")), "{printed}");
            assert_eq!(sandbox.findings(), found, "{name} {text}");
        }
        std::fs::remove_file(file).unwrap();
    }
    // A file that git ignores is not committed. Once it is added, its levels count.
    std::fs::write(&own, levels[0]).unwrap();
    sandbox.write(".gitignore", "/target\n/.cargo\n");
    let printed = run(&sandbox, &["run"], &vars, 1);
    assert!(printed.contains("from .cargo/config.toml: "), "{printed}");
    assert_eq!(sandbox.findings(), found);
    assert!(sandbox.git(&["add", "-f", ".cargo/config.toml"]));
    let printed = run(&sandbox, &["run"], &vars, 0);
    assert!(!printed.contains("ignoring"), "{printed}");
    // Other flags stay, and levels of the repository too, whatever else the machine sets.
    let flags = "['--cfg', 'special', '-A', 'dead_code', '-Aunexpected_cfgs']";
    std::fs::write(&own, format!("[build]\nrustflags = {flags}\nrustdocflags = {flags}\n")).unwrap();
    let hides = "#[cfg(special)]\nfn dead() {}\n#[cfg(not(special))]\ncompile_error!(\"no flag\");\n";
    sandbox.edit("src/lib.rs", "/// See", &format!("{hides}\n/// See"));
    std::fs::write(&above, levels[0]).unwrap();
    run(&sandbox, &["run"], &vars, 1);
    let lines = ["new rustdoc::broken_intra_doc_links src/lib.rs:8", "new unused_variables src/lib.rs:10"];
    assert_eq!(sandbox.findings(), lines);
}

#[test]
fn an_accepted_warning_passes_where_the_environment_denies_warnings() {
    let sandbox = with_warnings("");
    let deny = [("RUSTFLAGS", "-D warnings"), ("RUSTDOCFLAGS", "-D warnings")];
    run(&sandbox, &["baseline", "init"], &deny, 0);
    let text = run(&sandbox, &["check"], &deny, 0);
    let expected = "ignoring `-D warnings` from RUSTDOCFLAGS and `-D warnings` from RUSTFLAGS: new findings fail the run anyway";
    assert_eq!(text.matches(expected).count(), 1, "{text}");
    let text = run(&sandbox, &["verify"], &deny, 0);
    assert_eq!(text.matches("ignoring `-D warnings`").count(), 1, "{text}");
    assert!(!run(&sandbox, &["plan"], &deny, 0).contains("ignoring"));
}

#[test]
fn other_flags_stay_and_an_empty_variable_does_not_hide_the_configuration() {
    let sandbox = with_warnings(&disabled(&["test", "doctest", "doc"]));
    sandbox.edit("src/lib.rs", "let unused = 1;", "#[cfg(seen)]\n    let unused = 1;");
    sandbox.write(
        ".cargo/config.toml",
        "[build]\nrustflags = [\"--cfg\", \"seen\", \"--check-cfg\", \"cfg(seen)\"]\n",
    );
    run(&sandbox, &["run"], &[("RUSTFLAGS", "-Awarnings")], 1);
    assert_eq!(sandbox.findings(), ["new unused_variables src/lib.rs:6"]);
    std::fs::remove_file(sandbox.root().join(".cargo/config.toml")).unwrap();
    let flags = "-Dwarnings --cfg seen --check-cfg cfg(seen)";
    run(&sandbox, &["run"], &[("RUSTFLAGS", flags)], 1);
    assert_eq!(sandbox.findings(), ["new unused_variables src/lib.rs:6"]);
}

#[test]
fn a_denied_lint_does_not_prevent_tests_from_being_built() {
    let tools = format!("[tools.codegen]\n{}", disabled(&["doc"]));
    for how in ["[lints]", "attribute", "rustflags"] {
        let sandbox = with_warnings(&tools);
        match how {
            "[lints]" => {
                let manifest = std::fs::read_to_string(sandbox.root().join("Cargo.toml")).unwrap();
                sandbox.write("Cargo.toml", &format!("{manifest}\n[lints.rust]\nwarnings = \"deny\"\n"));
            }
            "attribute" => sandbox.edit("src/lib.rs", "//! Greets.\n", "//! Greets.\n#![deny(warnings)]\n"),
            _ => sandbox.write(".cargo/config.toml", "[build]\nrustflags = [\"-Dwarnings\"]\n"),
        }
        run(&sandbox, &["run"], &[], 1);
        let verdicts = sandbox.verdicts();
        let of = |tool: &str| verdicts.iter().find(|(name, _)| name == tool).unwrap().1.clone();
        for tool in ["codegen", "test-build", "test", "doctest"] {
            assert_eq!(of(tool), "passed", "{how}, {tool}");
        }
        assert_eq!(of("clippy"), "failed", "{how}");
        let report = sandbox.json("report.json");
        let of_clippy = |finding: &&Value| finding["rule"] == "unused_variables";
        let level = report["findings"].as_array().unwrap().iter().find(of_clippy).unwrap()["level"].clone();
        assert_eq!(level, "error", "{how}: what is committed counts for clippy");
    }
}

/// Adds a user's wrapper that logs what it compiles.
fn with_wrapper(sandbox: &Sandbox) -> String {
    let path = sandbox.root().join("wrap");
    std::fs::write(
        &path,
        "#!/bin/sh\ncase \"$*\" in *--cap-lints\\ allow*) echo \"$*\" >> ../wrapped;; esac\nexec \"$@\"\n",
    )
    .unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn wrapped(sandbox: &Sandbox) -> usize {
    let text = std::fs::read_to_string(sandbox.beside().join("wrapped")).unwrap_or_default();
    text.lines().filter(|line| line.contains("--crate-name clean")).count()
}

#[test]
fn the_wrapper_of_the_user_still_sees_each_call_and_nothing_is_built_twice() {
    let tests = disabled(&["clippy", "doc"]);
    let sandbox = with_warnings(&tests);
    let wrapper = with_wrapper(&sandbox);
    let var = [("RUSTC_WORKSPACE_WRAPPER", wrapper.as_str())];
    run(&sandbox, &["run"], &var, 0);
    let first = wrapped(&sandbox);
    assert!(first > 0);
    run(&sandbox, &["run"], &var, 0);
    assert_eq!(wrapped(&sandbox), first, "a second run compiles nothing");
    // Without the wrapper, the build differs. The wrapper may also be configured.
    run(&sandbox, &["run"], &[], 0);
    assert_eq!(wrapped(&sandbox), first);
    sandbox.write(".cargo/config.toml", "[build]\nrustc-workspace-wrapper = \"wrap\"\n");
    std::fs::rename(sandbox.root().join("wrap"), sandbox.root().join(".cargo/wrap")).unwrap();
    sandbox.edit(".cargo/config.toml", "\"wrap\"", "\"./.cargo/wrap\"");
    run(&sandbox, &["run"], &[], 0);
    let configured = wrapped(&sandbox);
    assert!(configured > first, "{configured}");
    sandbox.edit("src/lib.rs", "let unused = 1;", "let unused = 2;");
    run(&sandbox, &["run"], &[("RUSTC_WORKSPACE_WRAPPER", "")], 0);
    assert_eq!(wrapped(&sandbox), configured, "an empty variable turns it off");
}
