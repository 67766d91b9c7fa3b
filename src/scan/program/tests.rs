//! Tests what command lines run, in directories created for the purpose.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::{Identifier, ProgramIdentity, Programs};
use crate::model::testing::tool;
use crate::model::tool::{Environment, Parse, Tool};
use crate::scan::Env;

/// A workspace in `ws`, programs in `bin`, and a home directory, all in one temporary directory.
struct Place {
    dir: tempfile::TempDir,
    vars: Vec<(String, String)>,
}

impl Place {
    fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap(), vars: Vec::new() };
        place.program("bin/sh", "ELF");
        place.program("bin/env", "ELF");
        place.program("toolchain/bin/cargo", "ELF");
        place.program("toolchain/bin/rustc", "ELF");
        place.write("ws/Cargo.toml", "");
        place.write("home/x", "");
        place
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("DIR", &self.path("").to_string_lossy())).unwrap();
    }

    fn program(&self, path: &str, text: &str) {
        self.write(path, text);
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn link(&self, path: &str, target: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target.replace("DIR/", &self.path("").to_string_lossy()), path).unwrap();
    }

    fn env(&self) -> Env {
        let own = [
            ("PATH", self.path("bin")),
            ("HOME", self.path("home")),
            ("CARGO", self.path("toolchain/bin/cargo")),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_string_lossy().into_owned()));
        Env::from_iter(own.into_iter().chain(self.vars.iter().cloned()))
    }

    fn identity(&self, run: &[&str]) -> ProgramIdentity {
        let own = Tool {
            environment: Environment::Only(vec!["PYTHONPATH".into(), "TOOL".into()]),
            ..tool("t", Parse::Lines, run)
        };
        let env = self.env();
        let programs = Programs::new(&env, &self.path("ws")).unwrap();
        Identifier::new(&programs, &env).of(&own)
    }

    /// Returns the files that `run` consists of, relative to the temporary directory, and the reason if they are
    /// not complete.
    fn files(&self, run: &[&str]) -> (Vec<String>, Option<String>) {
        let ProgramIdentity { files, unknown, .. } = self.identity(run);
        let root = self.path("");
        let place =
            |path: &Path| path.strip_prefix(&root).unwrap_or(path).to_string_lossy().replace("ws/../", "");
        let mut files: Vec<_> =
            files.iter().filter(|(_, path)| path.is_file()).map(|(_, path)| place(path)).collect();
        files.sort();
        files.dedup();
        (files, unknown.map(|why| why.replace(&*root.to_string_lossy(), "")))
    }

    fn check_known(&self, run: &[&str], expected: &[&str]) {
        let (files, unknown) = self.files(run);
        assert_eq!((files, unknown), (expected.iter().map(ToString::to_string).collect(), None), "{run:?}");
    }

    fn unknown(&self, run: &[&str], why: &str) {
        let (_, unknown) = self.files(run);
        assert!(unknown.as_deref().is_some_and(|unknown| unknown.contains(why)), "{run:?}: {unknown:?}");
    }
}

#[test]
fn a_workspace_script_is_identified_by_its_bytes_its_interpreter_and_its_programs() {
    let place = Place::new();
    place.program("bin/linter", "ELF");
    place.program("ws/lint.sh", "#!/usr/bin/env sh\nset -e\nlinter \"$1\"; other\n");
    // The `env` of this machine is not the one on PATH, but the interpreter is looked up anyway.
    place.check_known(&["./lint.sh"], &["bin/linter", "bin/sh", "ws/lint.sh"]);
    place.check_known(&["sh", "lint.sh"], &["bin/linter", "bin/sh", "ws/lint.sh"]);
    place.check_known(&["sh", "-ec", "linter x | sh lint.sh"], &["bin/linter", "bin/sh", "ws/lint.sh"]);
    place.check_known(&["env", "A=1", "linter"], &["bin/env", "bin/linter"]);
    place.program("ws/split", "#!/usr/bin/env -S A=1 sh -e\nexec linter \"$@\"\n");
    place.check_known(&["./split"], &["bin/linter", "bin/sh", "ws/split"]);
    // The interpreter may be a script itself.
    place.program("ws/again", "#!DIRws/split\n");
    place.check_known(&["./again"], &["bin/linter", "bin/sh", "ws/again", "ws/split"]);
    place.program("ws/sub/main.sh", "#!/usr/bin/env sh\ncd /\n. \"$(dirname \"$0\")/lib.sh\"\n");
    place.write("ws/sub/lib.sh", "linter x\n");
    place.check_known(&["sub/main.sh"], &["bin/linter", "bin/sh", "ws/sub/lib.sh", "ws/sub/main.sh"]);
    place.program("bin/perl", "ELF");
    place.program("ws/lint.pl", "#!/usr/bin/env perl\n");
    place.check_known(&["./lint.pl"], &["bin/perl", "ws/lint.pl"]);
    assert!(!place.identity(&["./lint.pl"]).has_foreign_script);
}

#[test]
fn a_program_without_a_fixed_name_is_unknown() {
    let mut place = Place::new();
    place.unknown(&["sh", "-c", "$TOOL x"], "line 1: not a constant");
    place.unknown(&["sh", "-c", "eval x"], "eval");
    place.unknown(&["sh", "-c", "PATH=/x; y"], "changes PATH");
    place.unknown(&["sh", "-c", "cd a && ./b"], "./b");
    place.unknown(&["env", "PATH=/x", "y"], "changes PATH");
    place.vars.push(("TOOL".into(), "linter".into()));
    place.program("bin/linter", "ELF");
    place.check_known(&["sh", "-c", "$TOOL x"], &["bin/linter", "bin/sh"]);
    place.check_known(
        &["sh", "-c", "x=linter; $x; \"$@\"", "sh", "env"],
        &["bin/env", "bin/linter", "bin/sh"],
    );
    for name in ["make", "npx", "uv", "just", "cargo-make"] {
        place.program(&format!("bin/{name}"), "ELF");
    }
    place.unknown(&["make", "lint"], "`make` chooses at run time");
    place.unknown(&["sh", "-c", "linter && npx eslint"], "`npx` chooses at run time");
    place.unknown(&["env", "-i", "uv", "run", "x"], "`uv` chooses at run time");
    place.unknown(&["cargo", "make"], "`cargo-make` chooses at run time");
    place.unknown(&["cargo", "run", "-p", "xtask"], "`cargo run` runs a program that it builds");
    place.program("ws/just", "ELF");
    place.check_known(&["./just"], &["ws/just"]);
    // A link with another name runs the same program.
    place.link("bin/mise", "DIR/bin/just");
    place.link("bin/shim", "DIR/bin/mise");
    place.unknown(&["shim"], "`just` chooses at run time");
}

#[test]
fn a_program_that_reads_the_repository_is_unknown() {
    let place = Place::new();
    place.program("bin/git", "ELF");
    place.unknown(&["git", "log"], "`git` reads the history");
    place.unknown(&["sh", "-c", "x=$(git rev-parse HEAD)"], "`git` reads the history");
    place.program("ws/git", "#!DIRbin/sh\n");
    place.check_known(&["./git"], &["bin/sh", "ws/git"]);
}

#[test]
fn files_that_a_script_names_are_found() {
    let place = Place::new();
    let check = |run: &[&str], expected: &[&str]| {
        let ProgramIdentity { named, .. } = place.identity(run);
        let root = place.path("ws");
        let named: Vec<_> =
            named.iter().map(|path| path.strip_prefix(&root).unwrap().display().to_string()).collect();
        assert_eq!(named, expected, "{run:?}");
    };
    place.program("bin/python3", "ELF");
    for name in ["a.txt", "b.txt", "c.txt", "docs/d.md", "lib/e.txt"] {
        place.write(&format!("ws/{name}"), "x");
    }
    check(&["sh", "-c", "cat a.txt <b.txt >c.txt; test -e gone.txt"], &["a.txt", "b.txt"]);
    check(
        &["sh", "-c", "x=a.txt; for f in b.txt docs; do y --conf=c.txt @lib/e.txt; done"],
        &["a.txt", "b.txt", "c.txt", "docs", "lib/e.txt"],
    );
    place.program("ws/lib/check.sh", "#!DIRbin/sh\n[[ -f \"$(dirname \"$0\")/e.txt\" ]] # docs\n");
    check(&["lib/check.sh"], &["lib/e.txt"]);
    place.program("ws/lib/check.py", "#!DIRbin/python3\nopen('a.txt'); open(\"e.txt\") # it's docs\n");
    check(&["lib/check.py"], &["a.txt", "lib/e.txt"]);
    assert_eq!(place.identity(&["lib/check.py"]).modules, ["py", "pyi"].into());
    assert_eq!(place.identity(&["python3", "-m", "docs.x"]).modules, ["py", "pyi"].into());
    assert!(place.identity(&["python3", "-m", "elsewhere"]).modules.is_empty());
}

#[test]
fn a_script_from_elsewhere_without_a_package_is_unknown() {
    let place = Place::new();
    place.program("bin/perl", "ELF");
    place.program("bin/lint", "#!/usr/bin/env perl\n");
    place.unknown(&["lint"], "does not belong to a Python or npm package");
    place.unknown(&["perl", "../bin/lint"], "does not belong to a Python or npm package");
    // The commands of a shell script are visible in its text.
    place.program("bin/wrapper", "#!DIRbin/sh\nexec env \"$@\"\n");
    place.check_known(&["wrapper", "sh"], &["bin/env", "bin/sh", "bin/wrapper"]);
    assert!(place.identity(&["wrapper", "sh"]).has_foreign_script);
    place.program("bin/gone", "#!/nowhere/sh\n");
    place.unknown(&["gone"], "is not installed");
}

/// Creates a Python in `python` with packages, one of which provides the script `spell`.
fn with_python() -> Place {
    let place = Place::new();
    place.program("base/bin/python3.11", "ELF");
    place.write("base/lib/libpython3.11.so.1.0", "ELF");
    place.link("venv/bin/python", "DIR/base/bin/python3.11");
    place.write("venv/pyvenv.cfg", "home = x\ninclude-system-site-packages = false\n");
    place.write("base/lib/python3.11/site-packages/other-1.dist-info/METADATA", "Version: 1");
    let site = "venv/lib/python3.11/site-packages";
    place.write(&format!("{site}/spell_er-2.1.dist-info/METADATA"), "Version: 2.1");
    place.write(&format!("{site}/spell_er-2.1.dist-info/RECORD"), "../../../bin/spell,sha256=x,1\n");
    place.program("venv/bin/spell", "#!DIRvenv/bin/python\nimport spell_er\n");
    place
}

const SPELL: [&str; 6] = [
    "base/lib/libpython3.11.so.1.0",
    "venv/bin/python",
    "venv/bin/spell",
    "venv/lib/python3.11/site-packages/spell_er-2.1.dist-info/METADATA",
    "venv/lib/python3.11/site-packages/spell_er-2.1.dist-info/RECORD",
    "venv/pyvenv.cfg",
];

#[test]
fn a_launcher_of_pip_is_identified_by_the_packages_it_may_load() {
    let place = with_python();
    place.link("bin/spell", "DIR/venv/bin/spell");
    place.check_known(&["../venv/bin/spell"], &SPELL);
    let linked: Vec<_> = SPELL.iter().map(|path| path.replace("venv/bin/spell", "bin/spell")).collect();
    let mut linked: Vec<_> = linked.iter().map(String::as_str).collect();
    linked.sort_unstable();
    place.check_known(&["spell"], &linked);
    assert!(place.identity(&["spell"]).has_foreign_script);
    // Written by pip and uv when the path is too long for a first line.
    place.program(
        "venv/bin/spell",
        "#!/bin/sh\n'''exec' \"DIRvenv/bin/python\" \"$0\" \"$@\"\n' '''\nimport spell_er\n",
    );
    let (files, unknown) = place.files(&["../venv/bin/spell"]);
    assert_eq!(unknown, None);
    assert!(SPELL.iter().all(|path| files.contains(&path.to_string())), "{files:?}");
    place.program(
        "venv/bin/spell",
        "#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'python' \"$0\" \"$@\"\n' '''\n",
    );
    assert_eq!(place.files(&["../venv/bin/spell"]), (files, None));
}

#[test]
fn system_packages_count_if_the_interpreter_sees_them() {
    let place = with_python();
    let has_base = |place: &Place| {
        let (files, _) = place.files(&["../venv/bin/spell"]);
        [
            "base/lib/python3.11/site-packages/other-1.dist-info/METADATA",
            "home/.local/lib/python3.11/site-packages/own-1.dist-info/METADATA",
        ]
        .map(|path| files.contains(&path.to_owned()))
    };
    place.write("home/.local/lib/python3.11/site-packages/own-1.dist-info/METADATA", "");
    assert_eq!(has_base(&place), [false, false]);
    place.write("venv/pyvenv.cfg", "include-system-site-packages = true\n");
    assert_eq!(has_base(&place), [true, true]);
}

#[test]
fn an_editable_install_is_unknown() {
    let site = "venv/lib/python3.11/site-packages";
    let url = r#"{"url": "file:///x", "dir_info": {"editable": true}}"#;
    for (file, text, why) in [
        ("spell_er-2.1.dist-info/direct_url.json", url, "is an editable install"),
        ("__editable___own_1_finder.py", "", "is an editable install"),
        ("__editable__.own-1.pth", "/x/src", "is an editable install"),
        ("own.egg-link", "/x/src\n.", "is an editable install"),
        ("easy-install.pth", "/x/src\n", "adds `/x/src`"),
        ("own.pth", "../../elsewhere\n", "adds `../../elsewhere`"),
    ] {
        let place = with_python();
        place.write(&format!("{site}/{file}"), text);
        place.unknown(&["../venv/bin/spell"], why);
        place.unknown(&["../venv/bin/python", "-m", "spell_er"], why);
    }
    let place = with_python();
    place.write(&format!("{site}/distutils-precedence.pth"), "import os; os.environ\n# /x\n\n");
    place.write(&format!("{site}/old.pth"), "./old-1.egg\n");
    place.write(&format!("{site}/spell_er-2.1.dist-info/direct_url.json"), r#"{"dir_info": {}}"#);
    assert_eq!(place.files(&["../venv/bin/spell"]).1, None);
}

#[test]
fn a_python_script_without_a_package_is_only_known_inside_the_workspace() {
    let mut place = with_python();
    place.program("venv/bin/mine", "#!DIRvenv/bin/python\n");
    place.unknown(&["../venv/bin/mine"], "does not belong to an installed Python package");
    place.program("ws/tool.py", "#!DIRvenv/bin/python\n");
    let (files, unknown) = place.files(&["./tool.py"]);
    assert!(unknown.is_none() && files.contains(&"ws/tool.py".to_owned()), "{unknown:?}");
    assert!(files.contains(&SPELL[3].to_owned()), "it may load any package: {files:?}");
    assert!(!place.identity(&["./tool.py"]).has_foreign_script);
    place.vars.push(("PYTHONPATH".into(), "/x".into()));
    place.unknown(&["./tool.py"], "PYTHONPATH is set");
    // A virtual environment inside the workspace contains launchers like any other.
    let place = Place::new();
    place.program("ws/.venv/bin/python3.11", "ELF");
    place.write("ws/.venv/pyvenv.cfg", "");
    place.write(
        "ws/.venv/lib/python3.11/site-packages/own-1.dist-info/entry_points.txt",
        "[console_scripts]\nown = own:main\n",
    );
    place.program("ws/.venv/bin/own", "#!DIRws/.venv/bin/python3.11\n");
    assert_eq!(place.files(&[".venv/bin/own"]).1, None);
    assert!(place.identity(&[".venv/bin/own"]).has_foreign_script);
    place.program("ws/.venv/bin/mine", "#!DIRws/.venv/bin/python3.11\n");
    place.unknown(&[".venv/bin/mine"], "does not belong to an installed Python package");
}

/// Creates a `node`, and a package `lint` installed in `DIR/node_modules`.
fn with_node(dir: &str) -> Place {
    let place = Place::new();
    place.program("bin/node", "ELF");
    place.program(&format!("{dir}/node_modules/lint/cli.js"), "#!/usr/bin/env node\n");
    place.write(&format!("{dir}/node_modules/lint/package.json"), "{}");
    place.write(&format!("{dir}/node_modules/dep/package.json"), "{}");
    place.write(&format!("{dir}/node_modules/dep/node_modules/@s/deep/package.json"), "{}");
    place.link(&format!("{dir}/node_modules/.bin/lint"), "../lint/cli.js");
    place
}

#[test]
fn a_launcher_of_npm_is_identified_by_its_package_and_those_installed_around_it() {
    let place = with_node("ws");
    let lint = ["node_modules/.bin/lint"];
    let all = [
        "bin/node",
        "ws/node_modules/.bin/lint",
        "ws/node_modules/dep/node_modules/@s/deep/package.json",
        "ws/node_modules/dep/package.json",
        "ws/node_modules/lint/package.json",
    ];
    place.check_known(&lint, &all);
    // The record of npm and the files next to it are enough.
    place.write("ws/node_modules/.package-lock.json", "{}");
    place.write("ws/package-lock.json", "{}");
    let with_account = [
        "bin/node",
        "ws/node_modules/.bin/lint",
        "ws/node_modules/.package-lock.json",
        "ws/node_modules/lint/package.json",
        "ws/package-lock.json",
    ];
    place.check_known(&lint, &with_account);
    assert!(place.identity(&lint).has_foreign_script);
    // A script in the workspace loads packages from there too.
    place.write("ws/own.mjs", "");
    let (files, unknown) = place.files(&["node", "own.mjs"]);
    assert!(
        unknown.is_none() && files.contains(&"ws/node_modules/.package-lock.json".to_owned()),
        "{files:?}"
    );
    // pnpm writes a script instead of a link.
    fs::remove_file(place.path("ws/node_modules/.bin/lint")).unwrap();
    place.program("ws/node_modules/.bin/lint", "#!/bin/sh\nexec node \"$basedir/../lint/cli.js\"\n");
    place.program("bin/sh", "ELF");
    let (files, unknown) = place.files(&lint);
    assert!(
        unknown.is_none() && files.contains(&"ws/node_modules/.package-lock.json".to_owned()),
        "{files:?}"
    );
}

#[test]
fn a_linked_package_is_unknown() {
    let place = with_node("lib");
    place.link("bin/lint", "DIR/lib/node_modules/lint/cli.js");
    assert_eq!(place.files(&["lint"]).1, None);
    place.write("lib/node_modules/.package-lock.json", "{}");
    place.write("mine/package.json", "{}");
    place.link("lib/node_modules/plugin", "DIR/mine");
    place.unknown(&["lint"], "plugin` is a link to a package");
    // Result of `npm link` for the package itself.
    place.program("mine/cli.js", "#!/usr/bin/env node\n");
    place.link("bin/mine", "DIR/lib/node_modules/plugin/cli.js");
    place.unknown(&["mine"], "is loaded from");
}

/// Creates rustup with its proxies in `bin`, and the toolchains `stable` (the default) and `nightly`.
fn with_rustup() -> Place {
    let place = Place::new();
    place.program("bin/rustup", "ELF rustup");
    for name in ["cargo", "rustc", "rustfmt", "cargo-clippy"] {
        place.link(&format!("bin/{name}"), "rustup");
    }
    place.write("home/.rustup/settings.toml", "default_toolchain = \"stable-x86_64-unknown-linux-gnu\"\n");
    for name in ["stable", "nightly"] {
        let dir = format!("home/.rustup/toolchains/{name}-x86_64-unknown-linux-gnu");
        for name in ["cargo", "rustc", "rustfmt", "cargo-clippy"] {
            place.program(&format!("{dir}/bin/{name}"), "ELF");
        }
        place.write(&format!("{dir}/lib/librustc_driver-1.so"), name);
        place.write(&format!("{dir}/lib/rustlib/components"), name);
    }
    // The toolchain that runs genti.
    place.link(
        "toolchains/stable-x86_64-unknown-linux-gnu",
        "DIR/home/.rustup/toolchains/stable-x86_64-unknown-linux-gnu",
    );
    place
}

fn toolchains(place: &Place, run: &[&str]) -> (bool, bool, Option<String>) {
    let (files, unknown) = place.files(run);
    let has = |name: &str| {
        files.contains(&format!(
            "home/.rustup/toolchains/{name}-x86_64-unknown-linux-gnu/lib/librustc_driver-1.so"
        ))
    };
    (has("stable"), has("nightly"), unknown)
}

#[test]
fn the_toolchain_that_really_runs_behind_rustup_counts() {
    let mut place = with_rustup();
    place.vars.push((
        "CARGO".into(),
        place
            .path("home/.rustup/toolchains/stable-x86_64-unknown-linux-gnu/bin/cargo")
            .to_string_lossy()
            .into(),
    ));
    assert_eq!(toolchains(&place, &["cargo", "clippy"]), (true, false, None));
    assert_eq!(toolchains(&place, &["rustup", "run", "nightly", "cargo", "clippy"]), (false, true, None));
    for run in [
        &["cargo", "+nightly", "fmt"][..],
        &["rustup", "run", "nightly", "rustfmt", "x"],
        &["rustup", "run", "--install", "nightly-x86_64-unknown-linux-gnu", "rustc"],
        &["sh", "-c", "rustc +nightly x"],
    ] {
        let (_, nightly, unknown) = toolchains(&place, run);
        assert_eq!((nightly, unknown), (true, None), "{run:?}");
    }
    assert_eq!(toolchains(&place, &["sh", "-c", "cargo fmt"]), (true, false, None), "the default");
    place.write("ws/rust-toolchain", "nightly\n");
    assert_eq!(toolchains(&place, &["sh", "-c", "rustfmt x"]), (false, true, None));
    place.write("ws/rust-toolchain.toml", "[toolchain]\nchannel = \"stable\"\n");
    assert_eq!(
        toolchains(&place, &["sh", "-c", "rustfmt x"]),
        (false, true, None),
        "the older name comes first"
    );
    fs::remove_file(place.path("ws/rust-toolchain")).unwrap();
    assert_eq!(toolchains(&place, &["sh", "-c", "rustfmt x"]), (true, false, None));
    place.write(
        "home/.rustup/settings.toml",
        "[overrides]\n\"DIRws\" = \"nightly-x86_64-unknown-linux-gnu\"\n",
    );
    assert_eq!(
        toolchains(&place, &["sh", "-c", "rustfmt x"]),
        (false, true, None),
        "an override comes first"
    );
    place.vars.push(("RUSTUP_TOOLCHAIN".into(), "stable".into()));
    assert_eq!(
        toolchains(&place, &["sh", "-c", "rustfmt x"]),
        (true, false, None),
        "the variable comes first"
    );
    place.unknown(&["cargo", "+1.0.0", "check"], "`1.0.0` is not installed");
    place.unknown(
        &["rustup", "run", "nightly", "cargo", "test"],
        "`cargo test` runs a program that it builds",
    );
    place.unknown(&["rustup", "update"], "`rustup` chooses at run time");
}

#[test]
fn programs_configured_for_cargo_count() {
    let mut place = Place::new();
    place.program("bin/wrapper", "ELF");
    place.program("ws/.cargo/driver.sh", "#!/usr/bin/env sh\nexec env \"$@\"\n");
    place.write(
        "ws/.cargo/config.toml",
        "include = \"more.toml\"\n[build]\nrustc-workspace-wrapper = \".cargo/driver.sh\"\n[alias]\nlint = [\"clippy\", \"--all\"]\nxtask = \"run -p xtask\"\n",
    );
    place.write("ws/.cargo/more.toml", "[build]\nrustc-wrapper = \"wrapper\"\n");
    place.program("bin/cargo-clippy", "ELF clippy");
    let cargo = [
        "bin/env",
        "bin/sh",
        "bin/wrapper",
        "toolchain/bin/cargo",
        "toolchain/bin/rustc",
        "ws/.cargo/driver.sh",
    ];
    place.check_known(&["cargo", "check"], &cargo);
    let mut with_clippy = cargo.to_vec();
    with_clippy.insert(0, "bin/cargo-clippy");
    place.check_known(&["cargo", "--locked", "lint"], &with_clippy);
    place.unknown(&["cargo", "xtask"], "`cargo run` runs a program that it builds");
    place.vars.push(("RUSTC_WRAPPER".into(), "make".into()));
    place.program("bin/make", "ELF");
    assert_eq!(place.files(&["cargo", "check"]).1, None, "the tool does not see the variable");
}

#[test]
fn a_shim_of_pyenv_is_identified_by_the_python_it_starts() {
    let place = Place::new();
    place.program("home/.pyenv/libexec/pyenv", "#!/bin/sh\n");
    for version in ["3.9.1", "3.11.2", "3.11.10"] {
        place.program(&format!("home/.pyenv/versions/{version}/bin/python3"), "ELF");
    }
    place.write("home/.pyenv/version", "3.9.1\n");
    place.program("home/.pyenv/shims/python3", "#!/bin/sh\nexec pyenv exec python3 \"$@\"\n");
    let run = ["../home/.pyenv/shims/python3", "-V"];
    place.check_known(&run, &["home/.pyenv/versions/3.9.1/bin/python3"]);
    place.write("ws/.python-version", "3.11\n");
    place.check_known(&run, &["home/.pyenv/versions/3.11.10/bin/python3"]);
    place.write("ws/.python-version", "3.12\n");
    place.unknown(&run, "which `python3` pyenv starts");
}
