//! Changes of several files at once: packages that come and go, programs that are upgraded, modes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{Absent, Part, Seat, Sight, Tool, own};
use crate::suite::draft::Entry;
use crate::suite::world::World;

const GOOD: &str = "pub fn f() -> u8 {\n    1\n}\n";
const BAD: &str = "pub fn f() -> u8 {\n  return 2;\n}\n";

pub(super) const PARTS: &[Part] = &[
    scripted("a second file for a module", &[Tool::Fmt, Tool::Clippy], |world, state| {
        let second = "repo/ws/a/src/twice/mod.rs";
        match state {
            "evil" => world.write(second, GOOD),
            _ if world.exists(second) => world.remove("repo/ws/a/src/twice"),
            _ => {}
        }
    })
    .with(|draft, _| {
        draft.lib("pub mod twice;");
        draft.file("repo/ws/a/src/twice.rs", GOOD);
    }),
    scripted("a package that a glob makes a member", &[Tool::Fmt, Tool::Clippy, Tool::Doc], |world, state| {
        let dir = "repo/ws/crates/more";
        match state {
            "evil" => {
                world.write(&format!("{dir}/Cargo.toml"), "[package]\nname = \"more\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
                world.write(&format!("{dir}/src/lib.rs"), &format!("//! [Vex]\n{BAD}"));
            }
            _ if world.exists(dir) => world.remove(dir),
            _ => {}
        }
        lock(world, state == "evil");
    })
    .with(|draft, _| {
        draft.members.push("crates/*".to_owned());
        draft.file("repo/ws/crates/c/Cargo.toml", "[package]\nname = \"c\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
        draft.file("repo/ws/crates/c/src/lib.rs", GOOD);
    }),
    scripted("a member behind a link", &[Tool::Fmt, Tool::Clippy, Tool::Doc], |world, state| {
        let text = if state == "evil" { BAD } else { GOOD };
        let doc = if state == "evil" { "[Vex]" } else { "[Vec]" };
        world.write("out/l/src/lib.rs", &format!("//! {doc}\n\n{text}"));
    })
    .with(|draft, _| {
        draft.package("l", "repo/ws/l", "");
        draft.files.remove("repo/ws/l/Cargo.toml");
        draft.file("out/l/Cargo.toml", "[package]\nname = \"l\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
        draft.link("repo/ws/l", "out/l");
    }),
    scripted("the directory of all sources behind a link that leads elsewhere", &[Tool::Fmt, Tool::Clippy], |world, state| {
        world.write("out/good/lib.rs", GOOD);
        world.write("out/evil/lib.rs", BAD);
        if world.exists("repo/ws/l/src") {
            world.remove("repo/ws/l/src");
        }
        world.link("repo/ws/l/src", &format!("out/{state}"));
    })
    .with(|draft, _| draft.package("l", "repo/ws/l", "")),
    scripted("a file that is not to be executed", &[Tool::Own], |world, state| {
        world.set_mode("repo/ws/run.sh", if state == "evil" { 0o644 } else { 0o755 });
    })
    .with(|draft, _| {
        draft.files.insert("repo/ws/run.sh".to_owned(), Entry::Program("#!/bin/sh\n".to_owned()));
        draft.config += "[tools.own]\nper = \"file\"\nfiles = [\"*.sh\"]\nrun = [\"sh\", \"-c\", 'for f; do test -x $f || echo $f:1: evil; done', \"sh\", \"{files}\"]\nparse = { regex = '^(?<path>[^:]+):(?<line>\\d+): (?<message>.+)$' }\n";
    }),
    scripted("a program of the workspace that is not to be executed", &[Tool::Own], |world, state| {
        world.set_mode("repo/ws/run.sh", if state == "evil" { 0o644 } else { 0o755 });
    })
    .with(|draft, _| {
        draft.files.insert("repo/ws/run.sh".to_owned(), Entry::Program("#!/bin/sh\n".to_owned()));
        draft.own_tool(0, "run = [\"./run.sh\"]");
    }),
    scripted("the name of a file", &[Tool::Own], |world, state| {
        let (old, new) = if state == "evil" { ("good", "evil") } else { ("evil", "good") };
        if world.exists(&format!("repo/ws/many/{old}.txt")) {
            world.rename(&format!("repo/ws/many/{old}.txt"), &format!("repo/ws/many/{new}.txt"));
        }
    })
    .with(|draft, _| {
        draft.file("repo/ws/many/good.txt", "x\n");
        draft.config += "[tools.own]\nper = \"file\"\nfiles = [\"many/*\"]\nrun = [\"sh\", \"-c\", 'for f; do case $f in */evil*) echo $f:1: evil;; esac; done', \"sh\", \"{files}\"]\nparse = { regex = '^(?<path>[^:]+):(?<line>\\d+): (?<message>.+)$' }\n";
    }),
    scripted("a directory where a file was", &[Tool::Own], |world, state| {
        if world.exists("repo/ws/conf.txt") {
            world.remove("repo/ws/conf.txt");
        }
        match state {
            "evil" => world.write("repo/ws/conf.txt/x", "x\n"),
            _ => world.write("repo/ws/conf.txt", "x\n"),
        }
    })
    .with(|draft, _| draft.own_tool(0, "inputs = [\"conf.txt\"]\nrun = [\"test\", \"-f\", \"conf.txt\"]")),
    scripted("a link to nowhere that leads somewhere", &[Tool::Own], |world, state| {
        match state {
            "evil" => world.write("out/nowhere", "evil\n"),
            _ if world.exists("out/nowhere") => world.remove("out/nowhere"),
            _ => {}
        }
    })
    .with(|draft, _| {
        draft.link("repo/ws/conf.txt", "out/nowhere");
        draft.own_tool(0, "inputs = [\"conf.txt\"]\nrun = [\"sh\", \"-c\", \"! grep -q evil conf.txt\"]");
    }),
    scripted("a name in a directory that an input leads to", &[Tool::Own], |world, state| {
        match state {
            "evil" => world.write("out/dir/deep/evil.txt", ""),
            _ if world.exists("out/dir/deep") => world.remove("out/dir/deep"),
            _ => {}
        }
    })
    .with(|draft, _| {
        draft.file("out/dir/x.txt", "x\n");
        draft.link("repo/ws/conf", "out/dir");
        draft.own_tool(0, "inputs = [\"conf\"]\nrun = [\"test\", \"!\", \"-e\", \"conf/deep/evil.txt\"]");
    }),
    scripted("a console script of pip that is upgraded", &[Tool::Own], |world, state| {
        let Some(python) = python() else { return };
        let site = format!("out/venv/lib/python{}/site-packages", python.version);
        let (version, old) = if state == "evil" { ("2.0", "1.0") } else { ("1.0", "2.0") };
        if world.exists(&format!("{site}/own-{old}.dist-info")) {
            world.remove(&format!("{site}/own-{old}.dist-info"));
        }
        let code = i32::from(state == "evil");
        let main = format!("import sys\ndef main():\n    if '--version' in sys.argv:\n        print('own {version}')\n        return 0\n    return {code}\n");
        world.write(&format!("{site}/own/__init__.py"), &main);
        // Python knows a module by its size and the second of its last change; pip removes what it has compiled.
        if world.exists(&format!("{site}/own/__pycache__")) {
            world.remove(&format!("{site}/own/__pycache__"));
        }
        let info = format!("{site}/own-{version}.dist-info");
        world.write(&format!("{info}/METADATA"), &format!("Metadata-Version: 2.1\nName: own\nVersion: {version}\n"));
        world.write(&format!("{info}/entry_points.txt"), "[console_scripts]\nown = own:main\n");
        world.write(&format!("{info}/RECORD"), &format!("own/__init__.py,sha256={version},{}\n../../../bin/own,,\nown-{version}.dist-info/METADATA,,\n", main.len()));
        if !world.exists("out/venv/bin/python") {
            world.write("out/venv/pyvenv.cfg", &format!("home = {}\ninclude-system-site-packages = false\n", python.program.parent().unwrap().display()));
            std::os::unix::fs::symlink(&python.program, parent_of(&world.path("out/venv/bin/python"))).unwrap();
            world.program("out/venv/bin/own", "#!{HERE}/out/venv/bin/python\n# -*- coding: utf-8 -*-\nimport re\nimport sys\nfrom own import main\nif __name__ == '__main__':\n    sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])\n    sys.exit(main())\n");
            world.link("bin/own", "out/venv/bin/own");
        }
    })
    .with(|draft, spot| own::installed(draft, spot.n, "\"own\"")),
    scripted("a program of npm that is upgraded", &[Tool::Own], |world, state| {
        let (version, code) = if state == "evil" { ("2.0.0", 1) } else { ("1.0.0", 0) };
        let dir = "out/npm/lib/node_modules/own";
        world.write(&format!("{dir}/package.json"), &format!("{{\"name\":\"own\",\"version\":\"{version}\",\"bin\":{{\"own\":\"cli.js\"}}}}\n"));
        world.write(&format!("{dir}/index.js"), &format!("module.exports = args => args.includes('--version') ? (console.log('{version}'), 0) : {code};\n"));
        if !world.exists("bin/own") {
            world.program(&format!("{dir}/cli.js"), "#!/usr/bin/env node\nprocess.exitCode = require('./index.js')(process.argv);\n");
            world.link("bin/own", &format!("{dir}/cli.js"));
        }
    })
    .with(|draft, spot| own::installed(draft, spot.n, "\"own\"")),
    scripted("a program of npm in the workspace that is upgraded", &[Tool::Own], |world, state| {
        let (version, code) = if state == "evil" { ("2.0.0", 1) } else { ("1.0.0", 0) };
        let modules = "repo/ws/node_modules";
        world.write(&format!("{modules}/.package-lock.json"), &format!("{{\"packages\":{{\"node_modules/own\":{{\"version\":\"{version}\"}}}}}}\n"));
        world.write(&format!("{modules}/own/package.json"), &format!("{{\"name\":\"own\",\"version\":\"{version}\",\"bin\":{{\"own\":\"cli.js\"}}}}\n"));
        world.write(&format!("{modules}/own/index.js"), &format!("module.exports = args => args.includes('--version') ? (console.log('{version}'), 0) : {code};\n"));
        if !world.exists(&format!("{modules}/.bin/own")) {
            world.program(&format!("{modules}/own/cli.js"), "#!/usr/bin/env node\nprocess.exitCode = require('./index.js')(process.argv);\n");
            world.link(&format!("{modules}/.bin/own"), &format!("{modules}/own/cli.js"));
        }
    })
    .with(|draft, spot| {
        draft.ignored.push("node_modules".to_owned());
        own::installed(draft, spot.n, "\"./node_modules/.bin/own\"");
    }),
];

const fn scripted(name: &'static str, tools: &'static [Tool], make: fn(&World, &str)) -> Part {
    Part {
        name,
        tools,
        seat: Seat::Scripted(make),
        good: "good",
        bad: "evil",
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |_, _| {},
    }
}

impl Part {
    const fn with(self, draft: fn(&mut super::Draft, &super::Spot)) -> Self {
        Self { draft, ..self }
    }
}

/// The program that the part needs and this machine does not have.
pub(super) fn missing_program(part: &Part) -> Option<&'static str> {
    static HAS_NODE: OnceLock<bool> = OnceLock::new();
    let ask = || Command::new("node").arg("--version").output().is_ok_and(|output| output.status.success());
    match part.name {
        name if name.contains(" of pip ") && python().is_none() => Some("python3"),
        name if name.contains(" of npm ") && !HAS_NODE.get_or_init(ask) => Some("node"),
        _ => None,
    }
}

/// The lock file with the package `more`, or without it.
fn lock(world: &World, has_more: bool) {
    let names: &[&str] = if has_more { &["a", "c", "more"] } else { &["a", "c"] };
    let packages: String =
        names.iter().map(|name| format!("\n[[package]]\nname = \"{name}\"\nversion = \"0.1.0\"\n")).collect();
    let head = "# This file is automatically @generated by Cargo.\n# It is not intended for manual editing.\nversion = 4\n";
    world.write("repo/ws/Cargo.lock", &format!("{head}{packages}"));
}

struct Python {
    program: PathBuf,
    version: String,
}

/// The interpreter that pip would name, not a shim that starts it.
fn python() -> Option<&'static Python> {
    static PYTHON: OnceLock<Option<Python>> = OnceLock::new();
    let ask = || {
        let script = "import sys; print(sys.executable); print('%d.%d' % sys.version_info[:2])";
        let output = Command::new("python3").args(["-c", script]).output().ok()?;
        let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
        let (program, version) = text.trim().split_once('\n')?;
        Some(Python { program: PathBuf::from(program), version: version.to_owned() })
    };
    PYTHON.get_or_init(ask).as_ref()
}

fn parent_of(path: &Path) -> &Path {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    path
}
