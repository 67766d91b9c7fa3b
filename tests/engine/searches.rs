//! Tests that a change of a configuration file that a tool searches for, or of a variable that counts, makes the
//! tool run again.

use std::fs;
use std::path::Path;

use crate::support::{Sandbox, disabled};

/// Runs, and returns whether `tool` ran.
fn runs(sandbox: &Sandbox, tool: &str, env: &[(&str, &str)]) -> bool {
    let mut command = sandbox.command(&["run"]);
    command.env("HOME", sandbox.beside().join("home")).env_remove("CARGO_HOME").env_remove("XDG_CONFIG_HOME");
    let output = command.envs(env.iter().copied()).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
    let is_its = |line: &serde_json::Value| line["tool"] == tool && line["timing"]["cache"] == "miss";
    sandbox.lines("task").iter().any(is_its)
}

/// Creates a tool `t` that searches for these files without reading them. The `.gitignore` contains `ignored`.
fn searching(searches: &str) -> Sandbox {
    let sandbox = Sandbox::with_tools(&format!(
        "[tools.t]\nrun = [\"true\"]\nfiles = [\"src/**\"]\nsearches = {searches}\n"
    ));
    sandbox.write("deep/down/file.txt", "x");
    sandbox.write(".gitignore", "target\nignored\n.ignored\n");
    fs::create_dir_all(sandbox.beside().join("home")).unwrap();
    sandbox
}

/// Creates, changes and removes the file at `path`. Each step must make `tool` run again.
#[track_caller]
fn counts(sandbox: &Sandbox, tool: &str, path: &Path, env: &[(&str, &str)]) {
    runs(sandbox, tool, env);
    assert!(!runs(sandbox, tool, env), "{}: nothing has changed", path.display());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "# one\n").unwrap();
    assert!(runs(sandbox, tool, env), "{} is there", path.display());
    assert!(!runs(sandbox, tool, env), "{}: nothing has changed", path.display());
    fs::write(path, "# two\n").unwrap();
    assert!(runs(sandbox, tool, env), "{} has changed", path.display());
    fs::remove_file(path).unwrap();
    // The result from before is still valid.
    assert!(!runs(sandbox, tool, env), "{} is gone, as at first", path.display());
}

/// Like [`counts`] for a slow tool, for which only the creation of the file is checked.
#[track_caller]
fn appears(sandbox: &Sandbox, tool: &str, path: &Path, env: &[(&str, &str)]) {
    runs(sandbox, tool, env);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "# one\n").unwrap();
    assert!(runs(sandbox, tool, env), "{} is there", path.display());
    fs::remove_file(path).unwrap();
    assert!(!runs(sandbox, tool, env), "{} is gone, as at first", path.display());
}

#[test]
fn a_file_that_a_tool_searches_for_counts_wherever_it_may_be() {
    let sandbox = searching(
        "[\".toolrc\", \".ignored\", \"./.rootrc\", \"^./.uprc\", \"~/.homerc\", \"$XDG_CONFIG_HOME/t/rc\", \"$T_DIR/rc\", \"^$T_UP/rc\"]",
    );
    let (root, beside) = (sandbox.root(), sandbox.beside());
    let home = beside.join("home");
    let plain: &[(&str, &str)] = &[];
    for path in [
        root.join(".toolrc"),
        root.join("deep/.toolrc"),
        root.join("deep/down/.toolrc"),
        beside.join(".toolrc"),
        root.join(".ignored"),
        root.join("deep/.ignored"),
        root.join(".rootrc"),
        root.join(".uprc"),
        beside.join(".uprc"),
        home.join(".homerc"),
        home.join(".config/t/rc"),
    ] {
        counts(&sandbox, "t", &path, plain);
    }
    // The real location of a linked directory, and the directories above.
    fs::create_dir_all(beside.join("far/off/linked")).unwrap();
    fs::write(beside.join("far/off/linked/file.txt"), "x").unwrap();
    std::os::unix::fs::symlink("../../far/off/linked", root.join("src/linked")).unwrap();
    counts(&sandbox, "t", &beside.join("far/off/linked/.toolrc"), plain);
    counts(&sandbox, "t", &beside.join("far/.toolrc"), plain);
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (xdg, dir, up) = (text(&beside.join("xdg")), text(&beside.join("dir")), text(&beside.join("up/per")));
    let env = [("XDG_CONFIG_HOME", xdg.as_str()), ("T_DIR", dir.as_str()), ("T_UP", up.as_str())];
    for path in ["xdg/t/rc", "dir/rc", "up/per/rc", "up/rc", "home/.config/t/rc"] {
        counts(&sandbox, "t", &beside.join(path), &env);
    }
}

#[test]
fn removing_a_file_that_existed_at_first_makes_the_tool_run_again() {
    for path in [".toolrc", ".ignored", "../.toolrc"] {
        let sandbox = searching("[\".toolrc\", \".ignored\"]");
        sandbox.write(path, "strict\n");
        runs(&sandbox, "t", &[]);
        assert!(!runs(&sandbox, "t", &[]), "{path}");
        fs::remove_file(sandbox.root().join(path)).unwrap();
        assert!(runs(&sandbox, "t", &[]), "{path} was removed");
    }
}

#[test]
fn a_tool_sees_the_variables_that_affect_its_search() {
    let sandbox = searching("[\"$T_DIR/rc\"]");
    sandbox.edit(
        "genti.toml",
        "run = [\"true\"]",
        "run = [\"sh\", \"-c\", 'test \"$(cat \"$T_DIR/rc\")\" = fine']",
    );
    let dir = sandbox.beside().join("dir");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("rc"), "fine\n").unwrap();
    let run = |code| {
        let mut command = sandbox.command(&["run"]);
        sandbox.expect(&command.env("T_DIR", &dir).output().unwrap(), code);
    };
    run(0);
    fs::write(dir.join("rc"), "bad\n").unwrap();
    run(1);
}

/// Creates a clean package in which only the built-in tool `tool` runs.
fn built_in(tool: &str) -> Sandbox {
    let others: Vec<_> =
        ["fmt", "clippy", "doc", "test", "doctest"].into_iter().filter(|name| *name != tool).collect();
    let sandbox = Sandbox::with_tools("");
    sandbox.write("genti.toml", &disabled(&others));
    sandbox.write(".gitignore", "target\n.cargo\n.clippy.toml\nrustfmt.toml\n");
    fs::create_dir_all(sandbox.beside().join("home")).unwrap();
    sandbox
}

#[test]
fn rustfmt_searches_for_its_configuration_where_documented() {
    let sandbox = built_in("fmt");
    let (root, beside) = (sandbox.root(), sandbox.beside());
    fs::remove_file(root.join("rustfmt.toml")).unwrap();
    for path in [
        root.join("rustfmt.toml"),
        root.join("src/.rustfmt.toml"),
        beside.join("rustfmt.toml"),
        beside.join("home/.rustfmt.toml"),
        beside.join("home/.config/rustfmt/rustfmt.toml"),
    ] {
        counts(&sandbox, "fmt", &path, &[]);
    }
    let xdg = beside.join("xdg");
    counts(&sandbox, "fmt", &xdg.join("rustfmt/rustfmt.toml"), &[("XDG_CONFIG_HOME", xdg.to_str().unwrap())]);
    // rustfmt itself behaves the same.
    let env = [("XDG_CONFIG_HOME", xdg.to_str().unwrap())];
    fs::write(
        root.join("src/lib.rs"),
        "//! Clean.\n\n/// One.\npub fn one(a: u8, b: u8) -> u8 {\n    a + b\n}\n",
    )
    .unwrap();
    runs(&sandbox, "fmt", &env);
    assert_eq!(sandbox.findings(), [""; 0]);
    fs::write(xdg.join("rustfmt/rustfmt.toml"), "tab_spaces = 2\n").unwrap();
    runs(&sandbox, "fmt", &env);
    assert_ne!(sandbox.findings(), [""; 0]);
}

#[test]
fn clippy_and_cargo_search_for_their_configuration_where_documented() {
    let sandbox = built_in("clippy");
    let (root, beside) = (sandbox.root(), sandbox.beside());
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (conf, cargo) = (text(&beside.join("conf/dir")), text(&beside.join("cargo-home")));
    for path in [
        root.join(".clippy.toml"),
        root.join("src/.clippy.toml"),
        beside.join("clippy.toml"),
        root.join(".cargo/config.toml"),
        beside.join(".cargo/config.toml"),
        beside.join("home/.cargo/config.toml"),
    ] {
        appears(&sandbox, "clippy", &path, &[]);
    }
    fs::create_dir_all(&conf).unwrap();
    appears(&sandbox, "clippy", &beside.join("conf/dir/clippy.toml"), &[("CLIPPY_CONF_DIR", &conf)]);
    appears(&sandbox, "clippy", &beside.join("conf/clippy.toml"), &[("CLIPPY_CONF_DIR", &conf)]);
    fs::create_dir_all(&cargo).unwrap();
    appears(&sandbox, "clippy", &beside.join("cargo-home/config.toml"), &[("CARGO_HOME", &cargo)]);
    // Included files and the files these include: optional, missing, ignored.
    sandbox.write(
        ".cargo/config.toml",
        "include = [{ path = \"a.toml\", optional = true }, { path = \"../../far/b.toml\", optional = true }]\n\
         [env]\nCLIPPY_CONF_DIR = { value = \"conf\", relative = true }\n",
    );
    fs::create_dir_all(root.join("conf")).unwrap();
    appears(&sandbox, "clippy", &root.join(".cargo/a.toml"), &[]);
    appears(&sandbox, "clippy", &beside.join("far/b.toml"), &[]);
    sandbox.write(".cargo/a.toml", "include = [{ path = \"sub/c.toml\", optional = true }]\n");
    appears(&sandbox, "clippy", &root.join(".cargo/sub/c.toml"), &[]);
    appears(&sandbox, "clippy", &root.join("conf/.clippy.toml"), &[]);
}

#[test]
fn a_file_named_in_a_command_line_counts_even_if_ignored_or_outside() {
    let sandbox = Sandbox::with_tools(
        "[tools.t]\nrun = [\"true\", \"ignored\", \"--config=../far/t.toml\", \"{args}\"]\nargs = [\"@../far/args\"]\nper = \"file\"\n\
         files = [\"a.txt\"]\n",
    );
    sandbox.write(".gitignore", "target\nignored\n");
    sandbox.write("a.txt", "a");
    for path in ["ignored", "../far/t.toml", "../far/args"] {
        counts(&sandbox, "t", &sandbox.root().join(path), &[]);
    }
}

#[test]
fn a_tool_that_inherits_every_variable_runs_again_when_one_that_counts_changes() {
    let sandbox = Sandbox::with_tools(
        "[tools.t]\nrun = [\"sh\", \"-c\", 'test \"$APP_MODE\" != bad']\ninherit-env = true\n",
    );
    sandbox.write(".gitignore", "target\n");
    let run = |env: &[(&str, &str)], code| {
        let mut command = sandbox.command(&["run"]);
        sandbox.expect(&command.envs(env.iter().copied()).output().unwrap(), code);
        sandbox.lines("task").iter().any(|line| line["timing"]["cache"] == "miss")
    };
    let good = [("APP_MODE", "good")];
    run(&good, 0);
    assert!(!run(&good, 0));
    assert!(run(&[("APP_MODE", "bad")], 1), "a finding, not the pass of before");
    assert!(run(&[("APP_MODE", "good"), ("OTHER", "1")], 0), "all variables count");
    // Variables that differ between shells don't count.
    assert!(!run(&[("APP_MODE", "good"), ("SHLVL", "9"), ("OLDPWD", "/"), ("PWD", "/"), ("_", "x")], 0));
    // The tool does not see them either.
    sandbox.edit("genti.toml", "test \"$APP_MODE\" != bad", "env | grep -q ^OLDPWD= && exit 1; exit 0");
    run(&[("OLDPWD", "/")], 0);

    // Listed variables count, and no others.
    sandbox.edit(
        "genti.toml",
        "env | grep -q ^OLDPWD= && exit 1; exit 0",
        "test \"$APP_MODE$OTHER\" != bad1",
    );
    sandbox.edit("genti.toml", "inherit-env = true", "inherit-env = true\nenv = [\"APP_MODE\"]");
    run(&good, 0);
    assert!(!run(&[("APP_MODE", "good"), ("OTHER", "1")], 0));
    assert!(run(&[("APP_MODE", "bad"), ("OTHER", "1")], 1), "it sees the others all the same");
}

#[test]
fn configuration_outside_of_the_repository_is_named_unless_the_repository_has_its_own() {
    let sandbox = Sandbox::of("clean", "w");
    sandbox.write("genti.toml", &disabled(&["clippy", "doc", "test", "doctest"]));
    fs::remove_file(sandbox.root().join("rustfmt.toml")).unwrap();
    let home = sandbox.beside().join("home");
    let note = |sandbox: &Sandbox| {
        let mut command = sandbox.command(&["run"]);
        command.env("HOME", &home).env_remove("CARGO_HOME").env_remove("XDG_CONFIG_HOME");
        let text = sandbox.expect(&command.output().unwrap(), 0);
        text.lines().find(|line| line.contains("outside the repository")).map(str::to_owned)
    };
    // Git and cargo have files in most home directories.
    for file in [".cargo/config.toml", ".gitconfig", ".config/git/ignore"] {
        fs::create_dir_all(home.join(file).parent().unwrap()).unwrap();
        fs::write(home.join(file), "").unwrap();
    }
    assert_eq!(note(&sandbox), None);
    fs::create_dir_all(home.join(".config/rustfmt")).unwrap();
    fs::write(home.join(".config/rustfmt/rustfmt.toml"), "").unwrap();
    fs::write(sandbox.beside().join(".rustfmt.toml"), "").unwrap();
    let expected = "note: `fmt` reads `../.rustfmt.toml` and `fmt` reads `$XDG_CONFIG_HOME/rustfmt/rustfmt.toml` \
                    (outside the repository, so the verdict may differ on other machines)";
    assert_eq!(note(&sandbox).as_deref(), Some(expected));
    sandbox.write("rustfmt.toml", "");
    assert_eq!(note(&sandbox), None);
}
