//! Tests of program identity: everything a program loads counts, and results of programs with an unknown identity
//! are not cached.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use crate::support::Sandbox;

fn program(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs with this exit code. Returns whether `t` ran and which version is recorded.
fn run(sandbox: &Sandbox, code: i32) -> (bool, Option<String>) {
    sandbox.run(&["run"], code);
    let is_miss =
        sandbox.lines("task").iter().any(|line| line["tool"] == "t" && line["timing"]["cache"] == "miss");
    let report = sandbox.json("run.json");
    let tools = report["tools"].as_array().unwrap();
    let version =
        tools.iter().find(|tool| tool["name"] == "t").unwrap()["version"].as_str().map(str::to_owned);
    (is_miss, version)
}

/// Creates a script `spell` as pip does, whose package has version 2.1.0 and no findings. Its Python is a shell.
fn with_spell(config: &str) -> Sandbox {
    let sandbox = Sandbox::with_tools(&format!(
        "[tools.t]\nrun = [\"../venv/bin/spell\", \"{{files}}\"]\nversion = [\"../venv/bin/spell\", \"--version\"]\nper = \"file\"\n\
         files = [\"*.txt\"]\nparse = {{ regex = '^(?<path>.+?):(?<line>\\d+): (?<message>.+)$' }}\n{config}"
    ));
    sandbox.write(".gitignore", "target\n");
    sandbox.write("a.txt", "exmaple\n");
    let venv = sandbox.beside().join("venv");
    fs::create_dir_all(venv.join("bin")).unwrap();
    symlink("/bin/sh", venv.join("bin/python3")).unwrap();
    fs::write(venv.join("pyvenv.cfg"), "include-system-site-packages = false\n").unwrap();
    let stub = format!("#!{0}/bin/python3\n. {0}/lib/python3.11/site-packages/spell.sh\n", venv.display());
    program(&venv.join("bin/spell"), &stub);
    install(&sandbox, "2.1.0", "[ \"$1\" = --version ] && echo 2.1.0\nexit 0\n");
    sandbox
}

/// Replaces the package with another version.
fn install(sandbox: &Sandbox, version: &str, code: &str) {
    let site = sandbox.beside().join("venv/lib/python3.11/site-packages");
    for entry in fs::read_dir(&site).into_iter().flatten().flatten() {
        let _ = fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path()));
    }
    let info = site.join(format!("spell-{version}.dist-info"));
    fs::create_dir_all(&info).unwrap();
    fs::write(info.join("METADATA"), format!("Name: spell\nVersion: {version}\n")).unwrap();
    fs::write(info.join("RECORD"), format!("../../../bin/spell,,\nspell.sh,{},\n", code.len())).unwrap();
    fs::write(info.join("entry_points.txt"), "[console_scripts]\nspell = spell:main\n").unwrap();
    fs::write(site.join("spell.sh"), code).unwrap();
}

const NEW: &str = "[ \"$1\" = --version ] && echo 2.4.1 && exit 0\nfor f; do echo \"$f:1: exmaple\"; done\n";

#[test]
fn an_upgrade_of_a_package_loaded_by_a_launcher_is_another_program() {
    let sandbox = with_spell("");
    assert_eq!(run(&sandbox, 0), (true, Some("2.1.0".into())));
    assert_eq!(run(&sandbox, 0), (false, Some("2.1.0".into())));
    install(&sandbox, "2.4.1", NEW);
    assert_eq!(run(&sandbox, 1), (true, Some("2.4.1".into())));
    assert_eq!(run(&sandbox, 1), (false, Some("2.4.1".into())));
    let tools = sandbox.run(&["tools"], 0);
    assert!(tools.contains("(2.4.1)") && !tools.contains("not cached"), "{tools}");
    // Dependencies and plugins are part of the program too.
    let plugin = sandbox.beside().join("venv/lib/python3.11/site-packages/plugin-1.dist-info/METADATA");
    fs::create_dir_all(plugin.parent().unwrap()).unwrap();
    fs::write(&plugin, "Version: 1").unwrap();
    assert!(run(&sandbox, 1).0);
    let explained = sandbox.run(&["explain", "t"], 0);
    assert!(explained.contains("the program plugin-1.dist-info/METADATA is new"), "{explained}");
}

#[test]
fn a_launcher_that_reports_another_version_runs_again_without_changed_files() {
    let sandbox = with_spell("");
    run(&sandbox, 0);
    let code = sandbox.beside().join("venv/lib/python3.11/site-packages/spell.sh");
    let text = fs::read_to_string(&code).unwrap().replace("echo 2.1.0", "echo 2.1.1");
    fs::write(&code, text).unwrap();
    assert_eq!(run(&sandbox, 0), (true, Some("2.1.1".into())));
    assert!(sandbox.run(&["explain", "t"], 0).contains("the version that t reports changed"));
    // A tool that does not report its version has no known version.
    fs::write(&code, "[ \"$1\" = --version ] && exit 1\nexit 0\n").unwrap();
    for _ in 0..2 {
        assert_eq!(run(&sandbox, 0), (true, None));
    }
    assert!(sandbox.run(&["explain", "t"], 0).contains("does not report a version"));
}

#[test]
fn an_editable_install_is_not_cached_unless_configured() {
    let sandbox = with_spell("");
    run(&sandbox, 0);
    let site = sandbox.beside().join("venv/lib/python3.11/site-packages");
    fs::write(site.join("__editable__.spell-2.1.0.pth"), "/src/spell\n").unwrap();
    for _ in 0..2 {
        assert!(run(&sandbox, 0).0);
    }
    let tools = sandbox.run(&["tools"], 0);
    assert!(
        tools.contains("  results are not cached: `") && tools.contains("is an editable install"),
        "{tools}"
    );
    let explained = sandbox.run(&["explain", "t"], 0);
    assert!(explained.contains("is an editable install"), "{explained}");
    sandbox.write(
        "genti.toml",
        &format!("{}cache = true\n", fs::read_to_string(sandbox.root().join("genti.toml")).unwrap()),
    );
    run(&sandbox, 0);
    assert!(!run(&sandbox, 0).0);
    assert!(!sandbox.run(&["tools"], 0).contains("not cached"));
    // The known part of the program still counts.
    install(&sandbox, "2.4.1", NEW);
    assert_eq!(run(&sandbox, 1), (true, Some("2.4.1".into())));
}

#[test]
fn an_upgrade_of_an_npm_package_or_its_dependencies_is_another_program() {
    let sandbox = Sandbox::with_tools(
        "[tools.t]\nrun = [\"node_modules/.bin/lint\", \"{files}\"]\nper = \"file\"\nfiles = [\"*.txt\"]\nenv = [\"PATH\"]\n",
    );
    sandbox.write(".gitignore", "target\nnode_modules\n");
    sandbox.write("a.txt", "x");
    // Node is a shell here.
    let bin = sandbox.beside().join("bin");
    fs::create_dir_all(&bin).unwrap();
    symlink("/bin/sh", bin.join("node")).unwrap();
    let cli = format!("#!{}/node\n. {}/node_modules/dep/index.sh\n", bin.display(), sandbox.root().display());
    program(&sandbox.root().join("node_modules/lint/cli.js"), &cli);
    sandbox.write("node_modules/lint/package.json", "{\"version\": \"1.0.0\"}");
    fs::create_dir_all(sandbox.root().join("node_modules/.bin")).unwrap();
    symlink("../lint/cli.js", sandbox.root().join("node_modules/.bin/lint")).unwrap();
    sandbox.write("node_modules/dep/index.sh", "exit 0\n");
    sandbox.write("node_modules/.package-lock.json", "{\"dep\": \"1.0.0\"}");
    assert!(run(&sandbox, 0).0);
    assert!(!run(&sandbox, 0).0);
    for (path, text) in [
        ("node_modules/.package-lock.json", "{\"dep\": \"1.0.1\"}"),
        ("node_modules/lint/package.json", "{\"version\": \"1.1.0\"}"),
        ("package-lock.json", "{}"),
    ] {
        sandbox.write("node_modules/dep/index.sh", "exit 1\n");
        sandbox.write(path, text);
        assert!(run(&sandbox, 1).0, "{path}");
        sandbox.write("node_modules/dep/index.sh", "exit 0\n");
        sandbox.write(path, &format!("{text} "));
        assert!(run(&sandbox, 0).0, "{path}");
    }
    symlink(sandbox.beside(), sandbox.root().join("node_modules/linked")).unwrap();
    for _ in 0..2 {
        assert!(run(&sandbox, 0).0, "a linked package may hold anything");
    }
    assert!(sandbox.run(&["tools"], 0).contains("linked` is a link to a package"));
}

#[test]
fn a_script_runs_again_when_its_interpreter_or_a_program_in_it_changes() {
    let sandbox =
        Sandbox::with_tools("[tools.t]\nrun = [\"./lint.sh\"]\nper = \"package\"\nfiles = [\"src/**\"]\n");
    sandbox.write(".gitignore", "target\n");
    let bin = sandbox.beside().join("bin");
    fs::create_dir_all(&bin).unwrap();
    fs::copy("/bin/sh", bin.join("sh")).unwrap();
    program(&bin.join("helper"), &format!("#!{}/sh\nexit 0\n", bin.display()));
    program(&sandbox.root().join("lint.sh"), "#!/usr/bin/env sh\nhelper\n");
    let path = std::env::join_paths([bin.clone(), "/usr/bin".into(), "/bin".into()]).unwrap();
    let runs = |code| {
        let mut command = sandbox.command(&["run"]);
        sandbox.expect(&command.env("PATH", &path).output().unwrap(), code);
        sandbox.lines("task").iter().any(|line| line["timing"]["cache"] == "miss")
    };
    assert!(runs(0) && !runs(0));
    program(&bin.join("helper"), &format!("#!{}/sh\nexit 1\n", bin.display()));
    assert!(runs(1) && !runs(1), "what the script runs");
    program(&sandbox.root().join("lint.sh"), "#!/usr/bin/env sh\nexit 0\n");
    assert!(runs(0) && !runs(0), "its bytes");
    program(&bin.join("sh"), "#!/bin/sh\nexit 1\n");
    assert!(runs(1) && !runs(1), "its interpreter");
}

#[test]
fn a_tool_that_runs_cargo_runs_again_when_anything_cargo_builds_changes() {
    let sandbox =
        Sandbox::with_tools("[tools.t]\nrun = [\"cargo\", \"check\", \"--quiet\"]\nlane = \"check\"\n");
    for path in ["build.rs", "tests", "examples", "src/main.rs"] {
        let path = sandbox.root().join(path);
        let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
    }
    sandbox.write(".gitignore", "target\nignored.txt\n");
    sandbox.write(
        "Cargo.toml",
        "[package]\nname = \"clean\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\nfar = { path = \"../far\" }\n[workspace]\n",
    );
    fs::remove_file(sandbox.root().join("Cargo.lock")).unwrap();
    sandbox
        .write("../far/Cargo.toml", "[package]\nname = \"far\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    sandbox.write("../far/src/lib.rs", "//! Far.\npub const FAR: u8 = 1;\n");
    sandbox.write(
        "src/lib.rs",
        "//! Clean.\nconst _: () = assert!(far::FAR == 1 && include_str!(\"../../out.txt\").len() + include_str!(\"../ignored.txt\").len() == 2);\n",
    );
    sandbox.write("../out.txt", "x");
    sandbox.write("ignored.txt", "x");
    assert!(run(&sandbox, 0).0);
    assert!(!run(&sandbox, 0).0);
    for (path, good, bad) in [
        ("../out.txt", "x", "xx"),
        ("ignored.txt", "x", "xx"),
        ("../far/src/lib.rs", "//! Far.\npub const FAR: u8 = 1;\n", "//! Far.\npub const FAR: u8 = 2;\n"),
    ] {
        sandbox.write(path, bad);
        assert!(run(&sandbox, 1).0, "{path}");
        sandbox.write(path, good);
        run(&sandbox, 0);
    }
}

#[test]
fn results_of_a_program_that_chooses_what_to_run_are_not_cached_and_tools_says_why() {
    let sandbox =
        Sandbox::with_tools("[tools.t]\nrun = [\"sh\", \"-c\", \"make -f x.mk lint\"]\nparse = \"lines\"\n");
    sandbox.write("x.mk", "lint:\n\t@true\n");
    let bin = sandbox.beside().join("bin");
    program(&bin.join("make"), "#!/bin/sh\nexit 0\n");
    let path = std::env::join_paths([bin, "/usr/bin".into(), "/bin".into()]).unwrap();
    let text = |args: &[&str]| {
        let mut command = sandbox.command(args);
        sandbox.expect(&command.env("PATH", &path).output().unwrap(), 0)
    };
    for _ in 0..2 {
        text(&["run"]);
        assert!(sandbox.lines("task").iter().any(|line| line["timing"]["cache"] == "miss"));
    }
    let why = "results are not cached: `make` chooses at run time what to run";
    assert!(text(&["tools"]).contains(why));
    assert!(
        text(&["explain"])
            .contains("results of this tool are not cached: `make` chooses at run time what to run")
    );
}

#[test]
fn a_tool_whose_package_is_upgraded_while_it_runs_has_no_verdict() {
    let sandbox = with_spell("");
    let code = "[ \"$1\" = --version ] && echo 2.1.0 && exit 0\n\
         echo '../../../bin/spell,,2' > ${0%/bin/*}/lib/python3.11/site-packages/spell-2.1.0.dist-info/RECORD\n";
    install(&sandbox, "2.1.0", code);
    let text = sandbox.run(&["run"], 3);
    assert!(text.contains("the program of t changed during the run"), "{text}");
}

#[test]
fn cargo_is_never_asked_for_its_host() {
    // With `-vV`, cargo looks for the name of the operating system, which costs over 20 processes where `lsb_release` is installed.
    let sandbox = Sandbox::library();
    let (cargo, calls) = (sandbox.beside().join("cargo"), sandbox.beside().join("calls"));
    let script = format!("#!/bin/sh\necho \"$*\" >> {}\nexec {} \"$@\"\n", calls.display(), env!("CARGO"));
    program(&cargo, &script);
    for what in ["cold", "warm"] {
        let mut command = sandbox.command(&["run"]);
        sandbox.expect(&command.env("CARGO", &cargo).output().unwrap(), 0);
        let calls = fs::read_to_string(&calls).unwrap();
        assert!(calls.contains("metadata") && !calls.contains("-vV"), "{what}: {calls}");
    }
}

#[test]
fn a_program_that_cannot_be_started_is_reported_with_what_is_wrong_with_it() {
    let sandbox = Sandbox::with_tools("[tools.t]\nrun = ['PROGRAM']\ninstall = 'get t'\n");
    program(&sandbox.root().join("bin/tool"), "#!/bin/sh\n");
    sandbox.write("plain.sh", "exit 0\n");
    let path = format!("{}:bin:{}", sandbox.root().join("bin").display(), std::env::var("PATH").unwrap());
    for (program, reason) in [
        ("./plain.sh", "`./plain.sh` is not executable"),
        ("./bin", "`./bin` is a directory, and not a program"),
        ("./absent.sh", "`./absent.sh` does not exist; install it with `get t`"),
        ("no-such-tool", "`no-such-tool` is not installed; install it with `get t`"),
        ("tool", "`tool` is only in a directory of PATH that is relative or in the workspace"),
    ] {
        let config = sandbox.text("genti.toml");
        sandbox.write("genti.toml", &config.replace("PROGRAM", program));
        let output = sandbox.command(&["run"]).env("PATH", &path).output().unwrap();
        let text = sandbox.expect(&output, 3);
        assert!(text.contains(reason), "{text}");
        sandbox.write("genti.toml", &config);
    }
}
