//! Custom tools: the files they check, the programs they run, and the files they search for.

use super::{Absent, By, Part, Seat, Sight, Tool, WORD};
use crate::suite::draft::{CONFIG, Draft, Entry};
use crate::suite::spot::Spot;
use crate::suite::world::WS;

const OWN: &[Tool] = &[Tool::Own];

/// Script that reports each line with the bad word.
const PER_FILE: &str = r#"run = ["sh", "-c", 'grep -Hn evil "$@"; true', "sh", "{files}"]
parse = { regex = '^(?<path>[^:]+):(?<line>\d+):(?<message>.+)$' }
"#;

/// Scripts whose own text determines the result.
const SCRIPT: [&str; 2] = ["#!/bin/sh\nexit 0\n", "#!/bin/sh\nexit 1\n"];

/// Exit code of an xtask.
const CODE: [&str; 2] = ["pub const CODE: i32 = 0;\n", "pub const CODE: i32 = 1;\n"];

/// Output of the stand-in for typos, and one of its findings.
const TYPOS: &str = "#!/bin/sh\nif test \"$1\" = --version; then echo typos-cli 1.0; exit; fi";
const TYPO: &str = r#"{"type":"typo","path":"./a/Cargo.toml","line_num":1,"byte_offset":0,"typo":"teh","corrections":["the"]}"#;

const fn anywhere(beside: &'static str, name: &'static str) -> Seat {
    Seat::Anywhere { beside, name, by: By::Path, near: false }
}

const fn fixed(beside: &'static str, name: &'static str) -> Seat {
    Seat::Anywhere { beside, name, by: By::Name, near: false }
}

pub(super) const PARTS: &[Part] = &[
    Part {
        name: "a file checked by a tool",
        tools: OWN,
        seat: fixed("repo/ws/many{n}", "x.txt"),
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Good,
        sight: Sight::Optional,
        draft: |draft, spot| {
            let n = spot.n;
            draft.file(format!("repo/ws/many{n}/y.txt"), "fine\n");
            draft.config += &format!("[tools.own{n}]\nfiles = [\"many{n}/**\"]\nper = \"file\"\n{PER_FILE}");
        },
    },
    Part {
        name: "a file checked by a tool for the whole workspace",
        tools: OWN,
        seat: fixed("repo/ws/many{n}", "x.txt"),
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Good,
        sight: Sight::Optional,
        draft: |draft, spot| {
            let n = spot.n;
            draft.file(format!("repo/ws/many{n}/y.txt"), "fine\n");
            draft.config += &format!(
                "[tools.own{n}]\nfiles = [\"many{n}/**\"]\nrun = [\"sh\", \"-c\", \"! grep -Rq evil many{n}\"]\n"
            );
        },
    },
    Part {
        name: "a file of a package checked by a tool",
        tools: OWN,
        seat: fixed("repo/ws/a/many{n}", "x.txt"),
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Good,
        sight: Sight::Optional,
        draft: |draft, spot| {
            let n = spot.n;
            draft.file(format!("repo/ws/a/many{n}/y.txt"), "fine\n");
            draft.config += &format!(
                "[tools.own{n}]\nper = \"package\"\nrun = [\"sh\", \"-c\", \"! grep -Rq evil \\\"$1/many{n}\\\"\", \"sh\", \"{{dir}}\"]\n"
            );
        },
    },
    Part {
        name: "a further input of a tool",
        tools: OWN,
        seat: fixed(WS, "conf{n}.txt"),
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, spot| {
            let path = spot.from(WS);
            draft.own_tool(
                spot.n,
                &format!("inputs = [\"{path}\"]\nrun = [\"sh\", \"-c\", \"! grep -q evil {path}\"]"),
            );
        },
    },
    Part {
        name: "a further input of a tool for each file",
        tools: OWN,
        seat: fixed(WS, "conf{n}.txt"),
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, spot| {
            let path = spot.from(WS);
            draft.own_tool(
                spot.n,
                &format!("inputs = [\"{path}\"]\nper = \"file\"\nrun = [\"sh\", \"-c\", \"! grep -q evil {path}\", \"sh\", \"{{files}}\"]"),
            );
        },
    },
    Part {
        name: "a file of a directory that is an input of a tool",
        tools: OWN,
        seat: fixed("repo/ws/conf{n}", "x.txt"),
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, spot| {
            let n = spot.n;
            draft.file(format!("repo/ws/conf{n}/y.txt"), "fine\n");
            draft.own_tool(
                n,
                &format!("inputs = [\"conf{n}/**\"]\nrun = [\"sh\", \"-c\", \"! grep -Rq evil conf{n}\"]"),
            );
        },
    },
    Part {
        name: "a file that a tool searches for",
        tools: OWN,
        seat: Seat::At(&["repo/ws/.toolrc{n}", "repo/ws/a/.toolrc{n}", "repo/.toolrc{n}", ".toolrc{n}"]),
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, spot| {
            let (name, path) = (format!(".toolrc{}", spot.n), spot.from(WS));
            draft.own_tool(
                spot.n,
                &format!("searches = [\"{name}\"]\nrun = [\"sh\", \"-c\", \"! grep -q evil {path}\"]"),
            );
        },
    },
    Part {
        name: "a file in a directory that a tool searches for",
        tools: OWN,
        seat: Seat::At(&[
            "repo/ws/.own/toolrc{n}",
            "repo/ws/a/.own/toolrc{n}",
            "repo/.own/toolrc{n}",
            ".own/toolrc{n}",
        ]),
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, spot| {
            let (name, path) = (format!(".own/toolrc{}", spot.n), spot.from(WS));
            draft.own_tool(
                spot.n,
                &format!("searches = [\"{name}\"]\nrun = [\"sh\", \"-c\", \"! grep -q evil {path}\"]"),
            );
        },
    },
    Part {
        name: "a suppression of the configuration",
        tools: OWN,
        seat: Seat::Shared(&[CONFIG]),
        good: "[[suppress]]\ntool = \"own0\"\nreason = \"known\"",
        bad: "# [suppress]\n# ol = \"own0\"\n# ason = \"known\"",
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| {
            draft.own_tool(spot.n, "run = [\"false\"]");
            draft.config += &format!("{}\n", spot.hole());
        },
    },
    Part {
        name: "a file that a tool searches for at home",
        tools: OWN,
        seat: Seat::At(&["home/.config/own{n}/rc"]),
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, spot| {
            let path = spot.via.strip_prefix("home/").unwrap();
            draft.own_tool(
                spot.n,
                &format!(
                    "searches = [\"~/{path}\"]\nrun = [\"sh\", \"-c\", '! grep -q evil \"$HOME/{path}\"']"
                ),
            );
        },
    },
    Part {
        name: "a file that a tool searches for in a directory given by a variable",
        tools: OWN,
        seat: Seat::At(&["out/rc{n}/conf"]),
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, spot| {
            let n = spot.n;
            draft.env.insert(format!("OWN_DIR{n}"), format!("{{HERE}}/out/rc{n}"));
            draft.own_tool(
                n,
                &format!("env = [\"OWN_DIR{n}\"]\nsearches = [\"$OWN_DIR{n}/conf\"]\nrun = [\"sh\", \"-c\", '! grep -q evil \"$OWN_DIR{n}/conf\"']"),
            );
        },
    },
    Part {
        name: "a variable in a tool's `env` list",
        tools: OWN,
        seat: Seat::Variable(&["LEVER_OWN"]),
        good: "good",
        bad: "evil",
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, spot| {
            draft.own_tool(
                spot.n,
                "env = [\"LEVER_OWN\"]\nrun = [\"sh\", \"-c\", 'test \"$LEVER_OWN\" != evil']",
            );
        },
    },
    Part {
        name: "a variable that a tool inherits",
        tools: OWN,
        seat: Seat::Variable(&["LEVER_MODE", "LC_LEVER", "my_lever"]),
        good: "good",
        bad: "evil",
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, spot| {
            let run = format!("run = [\"sh\", \"-c\", 'test \"${}\" != evil']", spot.via);
            draft.own_tool(spot.n, &format!("inherit-env = true\n{run}"));
        },
    },
    Part {
        name: "a variable that every tool sees",
        tools: OWN,
        seat: Seat::Variable(&["LOGNAME", "USER", "SHELL", "NO_PROXY", "XDG_CACHE_HOME"]),
        good: "good",
        bad: "evil",
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| {
            let run = format!("run = [\"sh\", \"-c\", 'test \"${}\" != evil']", spot.via);
            draft.own_tool(spot.n, &run);
        },
    },
    Part {
        name: "a script of the workspace",
        tools: OWN,
        seat: fixed(WS, "own{n}.sh"),
        good: SCRIPT[0],
        bad: SCRIPT[1],
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| draft.own_tool(spot.n, &format!("run = [\"./{}\"]", spot.from(WS))),
    },
    Part {
        name: "a script that an interpreter runs",
        tools: OWN,
        seat: anywhere(WS, "own{n}.sh"),
        good: SCRIPT[0],
        bad: SCRIPT[1],
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| draft.own_tool(spot.n, &format!("run = [\"sh\", \"{}\"]", spot.from(WS))),
    },
    Part {
        name: "the configuration of typos",
        tools: OWN,
        seat: Seat::At(&[
            "repo/ws/typos.toml",
            "repo/ws/_typos.toml",
            "repo/ws/.typos.toml",
            "repo/ws/a/typos.toml",
            "repo/ws/a/src/_typos.toml",
            "repo/typos.toml",
            ".typos.toml",
        ]),
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, spot| {
            let script =
                format!("{TYPOS}\nif grep -q evil {}; then echo '{TYPO}'; exit 2; fi\n", spot.from(WS));
            draft.files.insert("bin/typos".to_owned(), Entry::Program(script));
            draft.config += "[tools.typos]\n";
        },
    },
    Part {
        name: "the source of an xtask",
        tools: OWN,
        seat: anywhere("repo/ws/xtask/src", "s{n}.rs"),
        good: CODE[0],
        bad: CODE[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            draft.package("xtask", "repo/ws/xtask", "");
            let path = spot.from("repo/ws/xtask/src");
            xtask(draft, spot, &format!("#[path = \"{path}\"]\nmod s;\n"), "s::CODE");
        },
    },
    Part {
        name: "a package beyond the repository that an xtask needs",
        tools: OWN,
        seat: anywhere("out/help{n}/src", "s.rs"),
        good: CODE[0],
        bad: CODE[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let (n, dir) = (spot.n, format!("out/help{}", spot.n));
            let path = spot.from(&format!("{dir}/src"));
            draft.package(&format!("help{n}"), &dir, "");
            draft.file(format!("{dir}/src/lib.rs"), format!("#[path = \"{path}\"]\npub mod s;\n"));
            let needs = format!("[dependencies]\nhelp{n} = {{ path = \"../../../{dir}\" }}\n");
            draft.package("xtask", "repo/ws/xtask", &needs);
            draft.packages.insert("xtask".to_owned(), vec![format!("help{n}")]);
            xtask(draft, spot, "", &format!("help{n}::s::CODE"));
        },
    },
    Part {
        name: "a file that an xtask includes",
        tools: OWN,
        seat: anywhere("repo/ws/xtask", "data{n}.txt"),
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            draft.package("xtask", "repo/ws/xtask", "");
            let path = spot.from("repo/ws/xtask/src");
            xtask(draft, spot, "", &format!("i32::from(include_bytes!(\"{path}\")[0] == b'e')"));
        },
    },
    Part {
        name: "the interpreter of a script of the workspace",
        tools: OWN,
        seat: Seat::At(&["bin/interpreter{n}", "out/interpreter{n}"]),
        good: SCRIPT[0],
        bad: SCRIPT[1],
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| {
            let n = spot.n;
            let first = match spot.via.starts_with("bin") {
                true => format!("#!/usr/bin/env interpreter{n}\n"),
                false => format!("#!{{HERE}}/{}\n", spot.via),
            };
            draft.files.insert(format!("repo/ws/own{n}"), Entry::Program(first));
            draft.own_tool(n, &format!("run = [\"./own{n}\"]"));
        },
    },
    Part {
        name: "a program in PATH",
        tools: OWN,
        seat: Seat::At(&["bin/own{n}"]),
        good: SCRIPT[0],
        bad: SCRIPT[1],
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| draft.own_tool(spot.n, &format!("run = [\"own{}\"]", spot.n)),
    },
    Part {
        name: "a program that is first in PATH",
        tools: OWN,
        seat: Seat::At(&["bin/own{n}"]),
        good: SCRIPT[0],
        bad: SCRIPT[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let n = spot.n;
            draft.files.insert(format!("out/bin/own{n}"), Entry::Program(SCRIPT[1].to_owned()));
            let path = "{HERE}/bin:{HERE}/out/bin:{PATH}";
            draft.env.insert("PATH".to_owned(), path.to_owned());
            draft.own_tool(n, &format!("run = [\"own{n}\"]"));
        },
    },
    Part {
        name: "the variable PATH",
        tools: OWN,
        seat: Seat::Variable(&["PATH"]),
        good: "{HERE}/out/good:{HERE}/out/evil:{PATH}",
        bad: "{HERE}/out/evil:{HERE}/out/good:{PATH}",
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| {
            let n = spot.n;
            for (name, text) in ["good", "evil"].into_iter().zip(SCRIPT) {
                draft.files.insert(format!("out/{name}/own{n}"), Entry::Program(text.to_owned()));
            }
            draft.own_tool(n, &format!("run = [\"own{n}\"]"));
        },
    },
    Part {
        name: "a program that a script of the workspace names",
        tools: OWN,
        seat: fixed(WS, "part{n}.sh"),
        good: SCRIPT[0],
        bad: SCRIPT[1],
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| {
            let (n, path) = (spot.n, spot.from(WS));
            draft.own_tool(n, &format!("inputs = [\"{path}\"]\nrun = [\"sh\", \"-c\", \". ./{path}\"]"));
        },
    },
    Part {
        name: "a subcommand of cargo",
        tools: OWN,
        seat: Seat::At(&["bin/cargo-own{n}", "home/.cargo/bin/cargo-own{n}"]),
        good: SCRIPT[0],
        bad: SCRIPT[1],
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| draft.own_tool(spot.n, &format!("run = [\"cargo\", \"own{}\"]", spot.n)),
    },
    Part {
        name: "the arguments of a tool",
        tools: OWN,
        seat: Seat::Shared(&[CONFIG]),
        good: "args = [\"good\"]",
        bad: "args = [\"evil\"]",
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| {
            let hole = spot.hole();
            draft.own_tool(
                spot.n,
                &format!("{hole}\nrun = [\"sh\", \"-c\", 'test \"$1\" = good', \"sh\", \"{{args}}\"]"),
            );
        },
    },
    Part {
        name: "a golden file",
        tools: OWN,
        seat: Seat::At(&["repo/ws/.config/genti/golden/own{n}.out"]),
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Bad,
        sight: Sight::Optional,
        draft: |draft, spot| draft.own_tool(spot.n, "compare = \"golden\"\nrun = [\"echo\", \"good\"]"),
    },
    Part {
        name: "a file read by a tool with a golden file",
        tools: OWN,
        seat: fixed(WS, "conf{n}.txt"),
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let (n, path) = (spot.n, spot.from(WS));
            draft.file(format!("repo/ws/.config/genti/golden/own{n}.out"), WORD[0]);
            draft.own_tool(
                n,
                &format!("compare = \"golden\"\ninputs = [\"{path}\"]\nrun = [\"cat\", \"{path}\"]"),
            );
        },
    },
    Part {
        name: "a file that one tool writes for another",
        tools: OWN,
        seat: fixed(WS, "conf{n}.txt"),
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| {
            let (n, path) = (spot.n, spot.from(WS));
            draft.own_tool(
                n,
                &format!("inputs = [\"{path}\"]\nrun = [\"cp\", \"{path}\", \"target/left{n}\"]"),
            );
            draft.config += &format!(
                "[tools.next{n}]\nfiles = [\"a/Cargo.toml\"]\nneeds = [\"own{n}\"]\nrun = [\"sh\", \"-c\", \"! grep -q evil target/left{n}\"]\n"
            );
        },
    },
];

/// Adds a tool that runs a program of the workspace through a cargo alias, and exits with this code.
fn xtask(draft: &mut Draft, spot: &Spot, items: &str, code: &str) {
    let main = format!("//! X.\n\n{items}\nfn main() {{\n    std::process::exit({code});\n}}\n");
    draft.file("repo/ws/xtask/src/main.rs", main);
    draft.file("repo/ws/.cargo/config.toml", "[alias]\nxtask = \"run --quiet --package xtask --\"\n");
    let lines = "lane = \"build\"\ninherit-env = true\nrun = [\"cargo\", \"xtask\"]\n";
    draft.config += &format!("[tools.own{}]\n{lines}", spot.n);
}
