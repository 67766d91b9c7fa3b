//! Changes of several files at once: added and removed packages, upgraded programs, file modes.

use super::{Absent, Part, Seat, Sight, Tool};
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
    scripted("a file that is not executable", &[Tool::Own], |world, state| {
        world.set_mode("repo/ws/run.sh", if state == "evil" { 0o644 } else { 0o755 });
    })
    .with(|draft, _| {
        draft.files.insert("repo/ws/run.sh".to_owned(), Entry::Program("#!/bin/sh\n".to_owned()));
        draft.config += "[tools.own]\nper = \"file\"\nfiles = [\"*.sh\"]\nrun = [\"sh\", \"-c\", 'for f; do test -x $f || echo $f:1: evil; done', \"sh\", \"{files}\"]\nparse = { regex = '^(?<path>[^:]+):(?<line>\\d+): (?<message>.+)$' }\n";
    }),
    scripted("a program of the workspace that is not executable", &[Tool::Own], |world, state| {
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
    scripted("a broken link that gets a target", &[Tool::Own], |world, state| {
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
];

pub(super) const fn scripted(name: &'static str, tools: &'static [Tool], make: fn(&World, &str)) -> Part {
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
    pub(super) const fn with(self, draft: fn(&mut super::Draft, &super::Spot)) -> Self {
        Self { draft, ..self }
    }
}

/// Writes the lock file with or without the package `more`.
fn lock(world: &World, has_more: bool) {
    let names: &[&str] = if has_more { &["a", "c", "more"] } else { &["a", "c"] };
    let packages: String =
        names.iter().map(|name| format!("\n[[package]]\nname = \"{name}\"\nversion = \"0.1.0\"\n")).collect();
    let head = "# This file is automatically @generated by Cargo.\n# It is not intended for manual editing.\nversion = 4\n";
    world.write("repo/ws/Cargo.lock", &format!("{head}{packages}"));
}
