//! Tests of `Cargo.lock` before a run: an outdated one is reported once, before anything runs.

use crate::support::Sandbox;

/// Creates the package `clean` with a lock file changed to fit another manifest.
fn outdated(change: &str) -> Sandbox {
    let sandbox = Sandbox::of("clean", "w");
    let manifest = std::fs::read_to_string(sandbox.root().join("Cargo.toml")).unwrap();
    let manifest = match change {
        "version" => manifest.replace("version = \"0.1.0\"", "version = \"0.2.0\""),
        _ => {
            sandbox.write(
                "other/Cargo.toml",
                "[package]\nname = \"other\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
            );
            sandbox.write("other/src/lib.rs", "//! Other.\n");
            format!("{manifest}\n[dev-dependencies]\nother = {{ path = \"other\" }}\n")
        }
    };
    sandbox.write("Cargo.toml", &manifest);
    sandbox
}

#[test]
fn an_outdated_lock_file_ends_a_locked_command_before_anything_runs() {
    for change in ["version", "dependency"] {
        let sandbox = outdated(change);
        let before = std::fs::read(sandbox.root().join("Cargo.lock")).unwrap();
        for args in [
            &["check"][..],
            &["run", "--locked"],
            &["run", "--frozen"],
            &["verify"],
            &["baseline", "init", "--locked"],
        ] {
            let text = sandbox.run(args, 2);
            let lines: Vec<_> = text.lines().collect();
            let said = "Cargo.lock` is out of date; update it with `cargo update --workspace` and commit it";
            assert!(
                matches!(lines[..], [line] if line.starts_with("error: ") && line.ends_with(said)),
                "{args:?}: {text}"
            );
            assert!(!sandbox.root().join("target/genti/artifacts").exists(), "nothing has run");
            assert_eq!(std::fs::read(sandbox.root().join("Cargo.lock")).unwrap(), before);
        }
        // The suggested fix works.
        let mut update = std::process::Command::new(env!("CARGO"));
        sandbox.scrub(&mut update);
        assert!(update.args(["update", "--workspace", "--offline"]).output().unwrap().status.success());
        sandbox.run(&["check", "--partial", "--tool", "fmt"], 0);
    }
}

#[test]
fn a_lock_file_known_to_be_up_to_date_is_not_checked_again() {
    let sandbox = Sandbox::with_tools("");
    // This cargo records whether it was called.
    let cargo = sandbox.beside().join("cargo");
    let script = format!(
        "#!/bin/sh\necho \"$1\" >> {}\nexec {} \"$@\"\n",
        sandbox.beside().join("calls").display(),
        env!("CARGO")
    );
    std::fs::write(&cargo, script).unwrap();
    std::fs::set_permissions(&cargo, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let asked = || {
        let mut command = sandbox.command(&["run"]);
        sandbox.expect(&command.env("CARGO", &cargo).output().unwrap(), 0);
        let calls = std::fs::read_to_string(sandbox.beside().join("calls")).unwrap();
        std::fs::remove_file(sandbox.beside().join("calls")).unwrap();
        calls.lines().any(|call| call == "tree")
    };
    assert!(asked() && !asked());
    sandbox.write("src/more.rs", "");
    assert!(!asked(), "a source decides nothing about it");
    sandbox.edit("Cargo.toml", "edition = \"2024\"", "edition = \"2021\"");
    assert!(asked() && !asked());
}

#[test]
fn a_finished_run_is_checked_with_an_outdated_lock_file() {
    let sandbox = Sandbox::with_tools("");
    sandbox.run(&["run"], 0);
    let args = ["check", "--artifacts", "target/genti/artifacts"];
    sandbox.run(&args, 0);
    std::fs::remove_file(sandbox.root().join("Cargo.lock")).unwrap();
    assert!(sandbox.run(&args, 2).contains("is missing"));
}
