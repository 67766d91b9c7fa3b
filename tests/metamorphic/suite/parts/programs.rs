//! Programs installed by pip and npm, where only the loaded modules change in an upgrade.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::structure::scripted;
use super::{Draft, Part, Tool};
use crate::suite::world::World;

pub(super) const PARTS: &[Part] = &[
    scripted("a console script of pip that is upgraded", &[Tool::Own], pip)
        .with(|draft, spot| installed(draft, spot.n, "\"own\"")),
    scripted("a module of pip that an interpreter runs and that is upgraded", &[Tool::Own], pip)
        .with(|draft, spot| draft.own_tool(spot.n, "run = [\"../../out/venv/bin/python\", \"-m\", \"own\"]")),
    scripted("a program of npm that is upgraded", &[Tool::Own], npm)
        .with(|draft, spot| installed(draft, spot.n, "\"own\"")),
    scripted("a program of npm in the workspace that is upgraded", &[Tool::Own], npm_of_workspace).with(
        |draft, spot| {
            draft.ignored.push("node_modules".to_owned());
            installed(draft, spot.n, "\"./node_modules/.bin/own\"");
        },
    ),
    scripted("a script of npm that an interpreter runs and that is upgraded", &[Tool::Own], npm_of_workspace)
        .with(|draft, spot| {
            draft.ignored.push("node_modules".to_owned());
            draft.own_tool(spot.n, "run = [\"node\", \"node_modules/own/cli.js\"]");
        }),
];

/// Adds a tool with a version command.
fn installed(draft: &mut Draft, n: usize, run: &str) {
    draft.own_tool(n, &format!("run = [{run}]\nversion = [{run}, \"--version\"]"));
}

/// Returns the program that the part needs if it is not installed.
pub(super) fn missing_program(part: &Part) -> Option<&'static str> {
    static HAS_NODE: OnceLock<bool> = OnceLock::new();
    let ask = || Command::new("node").arg("--version").output().is_ok_and(|output| output.status.success());
    match part.name {
        name if name.contains(" of pip ") && python().is_none() => Some("python3"),
        name if name.contains(" of npm ") && !HAS_NODE.get_or_init(ask) => Some("node"),
        _ => None,
    }
}

/// Installs version 1.0 of a package, or the bad version 2.0, as pip does in a virtual environment.
fn pip(world: &World, state: &str) {
    let Some(python) = python() else { return };
    let site = format!("out/venv/lib/python{}/site-packages", python.version);
    let (version, old, code) = if state == "evil" { ("2.0", "1.0", 1) } else { ("1.0", "2.0", 0) };
    if world.exists(&format!("{site}/own-{old}.dist-info")) {
        world.remove(&format!("{site}/own-{old}.dist-info"));
    }
    let main = format!(
        "import sys\ndef main():\n    if '--version' in sys.argv:\n        print('own {version}')\n        return 0\n    \
         return {code}\n"
    );
    world.write(&format!("{site}/own/__init__.py"), &main);
    // Python identifies a module by its size and the second of its modification time. pip removes compiled files.
    if world.exists(&format!("{site}/own/__pycache__")) {
        world.remove(&format!("{site}/own/__pycache__"));
    }
    world.write(&format!("{site}/own/__main__.py"), "import sys, own\nsys.exit(own.main())\n");
    let info = format!("{site}/own-{version}.dist-info");
    world.write(
        &format!("{info}/METADATA"),
        &format!("Metadata-Version: 2.1\nName: own\nVersion: {version}\n"),
    );
    world.write(&format!("{info}/entry_points.txt"), "[console_scripts]\nown = own:main\n");
    let record =
        format!("own/__init__.py,sha256={version},{}\nown/__main__.py,,\n../../../bin/own,,\n", main.len());
    world.write(&format!("{info}/RECORD"), &record);
    if !world.exists("out/venv/bin/python") {
        environment(world, python);
    }
}

fn environment(world: &World, python: &Python) {
    let home = python.program.parent().unwrap().display();
    world.write("out/venv/pyvenv.cfg", &format!("home = {home}\ninclude-system-site-packages = false\n"));
    world.make_dir("out/venv/bin");
    std::os::unix::fs::symlink(&python.program, world.path("out/venv/bin/python")).unwrap();
    world.program(
        "out/venv/bin/own",
        "#!{HERE}/out/venv/bin/python\nimport sys\nfrom own import main\nif __name__ == '__main__':\n    \
         sys.exit(main())\n",
    );
    world.link("bin/own", "out/venv/bin/own");
}

const CLI: &str = "#!/usr/bin/env node\nprocess.exitCode = require('./index.js')(process.argv);\n";

/// Installs version 1.0.0 of a package, or the bad version 2.0.0, in `dir`.
fn package(world: &World, state: &str, dir: &str) {
    let (version, code) = if state == "evil" { ("2.0.0", 1) } else { ("1.0.0", 0) };
    let manifest = format!("{{\"name\":\"own\",\"version\":\"{version}\",\"bin\":{{\"own\":\"cli.js\"}}}}\n");
    world.write(&format!("{dir}/package.json"), &manifest);
    let index = format!(
        "module.exports = args => args.includes('--version') ? (console.log('{version}'), 0) : {code};\n"
    );
    world.write(&format!("{dir}/index.js"), &index);
    if !world.exists(&format!("{dir}/cli.js")) {
        world.program(&format!("{dir}/cli.js"), CLI);
    }
}

fn npm(world: &World, state: &str) {
    let dir = "out/npm/lib/node_modules/own";
    package(world, state, dir);
    if !world.exists("bin/own") {
        world.link("bin/own", &format!("{dir}/cli.js"));
    }
}

fn npm_of_workspace(world: &World, state: &str) {
    let modules = "repo/ws/node_modules";
    let version = if state == "evil" { "2.0.0" } else { "1.0.0" };
    let lock = format!("{{\"packages\":{{\"node_modules/own\":{{\"version\":\"{version}\"}}}}}}\n");
    world.write(&format!("{modules}/.package-lock.json"), &lock);
    package(world, state, &format!("{modules}/own"));
    if !world.exists(&format!("{modules}/.bin/own")) {
        world.link(&format!("{modules}/.bin/own"), &format!("{modules}/own/cli.js"));
    }
}

struct Python {
    program: PathBuf,
    version: String,
}

/// Returns the interpreter that pip would use, not a shim.
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
