//! Configuration files of rustfmt, clippy, rustdoc and cargo, in all places where they look for them, and variables
//! that they read.

use super::sources::reads_variable;
use super::{Absent, By, Part, Seat, Sight, Tool};
use crate::suite::draft::{Draft, MANIFEST, ROOT};
use crate::suite::world::WS;

/// Too long for lines of 40 characters.
const LONG: &str = "pub fn long() -> u32 {\n    let first_summand = 1;\n    first_summand + first_summand + first_summand\n}";

const WIDTHS: [&str; 2] = ["max_width = 100\n", "max_width =  40\n"];
const ARGUMENTS: [&str; 2] = ["too-many-arguments-threshold = 9\n", "too-many-arguments-threshold = 2\n"];
const FLAGS: [&str; 2] =
    ["[build]\nrustflags = [\"--cfg\", \"good\"]\n", "[build]\nrustflags = [\"--cfg\", \"evil\"]\n"];
const DOC_FLAGS: [&str; 2] =
    ["[build]\nrustdocflags = [\"--cfg\", \"good\"]\n", "[build]\nrustdocflags = [\"--cfg\", \"evil\"]\n"];
const ALL_FLAGS: [&str; 2] = [
    "[target.'cfg(all())']\nrustflags = [\"--cfg\", \"good\"]\n",
    "[target.'cfg(all())']\nrustflags = [\"--cfg\", \"evil\"]\n",
];

const CARGO: &[&str] = &[
    "repo/ws/.cargo/config.toml",
    "repo/.cargo/config.toml",
    ".cargo/config.toml",
    "home/.cargo/config.toml",
];

pub(super) const PARTS: &[Part] = &[
    Part {
        name: "the configuration of rustfmt",
        tools: &[Tool::Fmt],
        seat: Seat::At(&[
            "repo/ws/rustfmt.toml",
            "repo/ws/.rustfmt.toml",
            "repo/ws/a/rustfmt.toml",
            "repo/ws/a/.rustfmt.toml",
            "repo/ws/a/src/rustfmt.toml",
            "repo/rustfmt.toml",
            ".rustfmt.toml",
            "home/.config/rustfmt/rustfmt.toml",
            "home/.config/rustfmt/.rustfmt.toml",
            "home/rustfmt.toml",
        ]),
        good: WIDTHS[0],
        bad: WIDTHS[1],
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, _| draft.lib(LONG),
    },
    Part {
        name: "the configuration of rustfmt in XDG_CONFIG_HOME",
        tools: &[Tool::Fmt],
        seat: Seat::At(&["out/config/rustfmt/rustfmt.toml", "out/config/rustfmt/.rustfmt.toml"]),
        good: WIDTHS[0],
        bad: WIDTHS[1],
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, _| {
            draft.lib(LONG);
            draft.env.insert("XDG_CONFIG_HOME".to_owned(), "{HERE}/out/config".to_owned());
        },
    },
    Part {
        name: "the variable with the path of rustfmt's configuration",
        tools: &[Tool::Fmt],
        seat: Seat::Variable(&["XDG_CONFIG_HOME", "HOME"]),
        good: "{HERE}/out/good",
        bad: "{HERE}/out/evil",
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, _| {
            draft.lib(LONG);
            for (name, text) in ["good", "evil"].into_iter().zip(WIDTHS) {
                draft.file(format!("out/{name}/rustfmt/rustfmt.toml"), text);
                draft.file(format!("out/{name}/.config/rustfmt/rustfmt.toml"), text);
            }
        },
    },
    Part {
        name: "a configuration of rustfmt that outranks another one",
        tools: &[Tool::Fmt],
        seat: Seat::At(&["repo/ws/.rustfmt.toml", "repo/ws/a/rustfmt.toml", "repo/ws/a/src/.rustfmt.toml"]),
        good: WIDTHS[0],
        bad: WIDTHS[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, _| {
            draft.lib(LONG);
            draft.file("repo/ws/rustfmt.toml", WIDTHS[1]);
        },
    },
    Part {
        name: "the edition of a package",
        tools: &[Tool::Fmt, Tool::Clippy],
        seat: Seat::Shared(&[MANIFEST]),
        good: "edition = \"2024\"",
        bad: "edition = \"2015\"",
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| {
            draft
                .manifest
                .get_mut("package")
                .into_iter()
                .for_each(|lines| lines.retain(|line| !line.starts_with("edition")));
            draft.manifest("package", spot.hole());
            draft.lib("pub async fn modern() {}");
        },
    },
    Part {
        name: "the edition that a package inherits",
        tools: &[Tool::Fmt, Tool::Clippy],
        seat: Seat::Shared(&[ROOT]),
        good: "edition = \"2024\"",
        bad: "edition = \"2015\"",
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| {
            draft
                .manifest
                .get_mut("package")
                .into_iter()
                .for_each(|lines| lines.retain(|line| !line.starts_with("edition")));
            draft.manifest("package", "edition.workspace = true");
            draft.root("workspace.package", spot.hole());
            draft.lib("pub async fn modern() {}");
        },
    },
    Part {
        name: "the configuration of clippy",
        tools: &[Tool::Clippy],
        seat: Seat::At(&[
            "repo/ws/clippy.toml",
            "repo/ws/.clippy.toml",
            "repo/ws/a/clippy.toml",
            "repo/ws/a/.clippy.toml",
            "repo/clippy.toml",
            "repo/.clippy.toml",
            "clippy.toml",
        ]),
        good: ARGUMENTS[0],
        bad: ARGUMENTS[1],
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, _| draft.lib("pub fn many(_: u8, _: u8, _: u8) {}"),
    },
    Part {
        name: "the configuration of clippy in CLIPPY_CONF_DIR",
        tools: &[Tool::Clippy],
        seat: Seat::At(&["out/conf/clippy.toml", "out/conf/.clippy.toml", "repo/ws/a/conf/clippy.toml"]),
        good: ARGUMENTS[0],
        bad: ARGUMENTS[1],
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| {
            draft.lib("pub fn many(_: u8, _: u8, _: u8) {}");
            draft.env.insert("CLIPPY_CONF_DIR".to_owned(), format!("{{HERE}}/{}", spot.dir()));
        },
    },
    Part {
        name: "the configuration of clippy in a relative CLIPPY_CONF_DIR",
        tools: &[Tool::Clippy],
        seat: Seat::At(&["repo/ws/conf/clippy.toml", "repo/conf/clippy.toml"]),
        good: ARGUMENTS[0],
        bad: ARGUMENTS[1],
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| {
            draft.lib("pub fn many(_: u8, _: u8, _: u8) {}");
            draft.env.insert("CLIPPY_CONF_DIR".to_owned(), super::super::world::relative(WS, spot.dir()));
        },
    },
    Part {
        name: "the variable CLIPPY_CONF_DIR",
        tools: &[Tool::Clippy],
        seat: Seat::Variable(&["CLIPPY_CONF_DIR"]),
        good: "{HERE}/out/good",
        bad: "{HERE}/out/evil",
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, _| {
            draft.lib("pub fn many(_: u8, _: u8, _: u8) {}");
            for (name, text) in ["good", "evil"].into_iter().zip(ARGUMENTS) {
                draft.file(format!("out/{name}/clippy.toml"), text);
            }
        },
    },
    Part {
        name: "the lints of a package",
        tools: &[Tool::Clippy],
        seat: Seat::Shared(&[MANIFEST]),
        good: "needless_return = \"allow\"",
        bad: "needless_return =  \"warn\"",
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| {
            draft.manifest("lints.clippy", spot.hole());
            draft.lib("pub fn returns() -> u8 {\n    return 1;\n}");
        },
    },
    Part {
        name: "the lints of rustdoc that a package inherits",
        tools: &[Tool::Doc],
        seat: Seat::Shared(&[ROOT]),
        good: "broken_intra_doc_links = \"allow\"",
        bad: "broken_intra_doc_links =  \"warn\"",
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| {
            draft.manifest.remove("lints.rust");
            draft.manifest("lints", "workspace = true");
            draft.root("workspace.lints.rust", "unexpected_cfgs = \"allow\"");
            draft.root("workspace.lints.rustdoc", spot.hole());
            draft.lib("/// [Vex]\npub fn vexed() {}");
        },
    },
    Part {
        name: "the lints that a package inherits",
        tools: &[Tool::Clippy],
        seat: Seat::Shared(&[ROOT]),
        good: "needless_return = \"allow\"",
        bad: "needless_return =  \"warn\"",
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| {
            draft.manifest.remove("lints.rust");
            draft.manifest("lints", "workspace = true");
            draft.root("workspace.lints.rust", "unexpected_cfgs = \"allow\"");
            draft.root("workspace.lints.clippy", spot.hole());
            draft.lib("pub fn returns() -> u8 {\n    return 1;\n}");
        },
    },
    Part {
        name: "the default features of a package",
        tools: &[Tool::Clippy, Tool::Doc, Tool::Test],
        seat: Seat::Shared(&[MANIFEST]),
        good: "default = [      ]",
        bad: "default = [\"more\"]",
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| {
            draft.manifest("features", spot.hole());
            draft.manifest("features", "more = []");
            let name = "feature = \"more\"";
            match draft.tool {
                Tool::Test => draft.lib(format!("#[cfg({name})]\n#[test]\nfn more() {{\n    panic!();\n}}")),
                _ => {
                    draft.lib(format!("#[cfg({name})]\n/// [Vex]\npub fn more() -> u8 {{\n    return 1;\n}}"))
                }
            }
        },
    },
    Part {
        name: "the profile of the workspace",
        tools: &[Tool::Clippy],
        seat: Seat::Shared(&[ROOT]),
        good: "debug-assertions = false",
        bad: "debug-assertions =  true",
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| {
            draft.root("profile.dev", spot.hole());
            draft.bad_under_cfg("debug_assertions");
        },
    },
    Part {
        name: "a manifest key that clippy checks",
        tools: &[Tool::Clippy],
        seat: Seat::Shared(&[MANIFEST]),
        good: "keywords = [\"good\"]",
        bad: "keywords = [      ]",
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| {
            for line in [
                "description = \"A\"",
                "license = \"MIT\"",
                "repository = \"https://example.com\"",
                "readme = \"README.md\"",
                "categories = [\"config\"]",
            ] {
                draft.manifest("package", line);
            }
            draft.manifest("package", spot.hole());
            draft.manifest("lints.clippy", "cargo_common_metadata = \"warn\"");
        },
    },
    Part {
        name: "flags in the configuration of cargo",
        tools: &[Tool::Clippy, Tool::Test],
        seat: Seat::At(CARGO),
        good: FLAGS[0],
        bad: FLAGS[1],
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, _| draft.bad_under_cfg("evil"),
    },
    Part {
        name: "flags for a system in the configuration of cargo",
        tools: &[Tool::Clippy, Tool::Codegen],
        seat: Seat::At(CARGO),
        good: ALL_FLAGS[0],
        bad: ALL_FLAGS[1],
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, _| match draft.tool {
            Tool::Codegen => draft.build.push("assert!(!cfg!(evil));".to_owned()),
            _ => draft.bad_under_cfg("evil"),
        },
    },
    Part {
        name: "flags of rustdoc in the configuration of cargo",
        tools: &[Tool::Doc],
        seat: Seat::At(CARGO),
        good: DOC_FLAGS[0],
        bad: DOC_FLAGS[1],
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, _| draft.bad_under_cfg("evil"),
    },
    Part {
        name: "a variable in the configuration of cargo",
        tools: &[Tool::Clippy, Tool::Test],
        seat: Seat::At(CARGO),
        good: "[env]\nLEVER_CARGO = \"good\"\n",
        bad: "[env]\nLEVER_CARGO = \"evil\"\n",
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, _| reads_variable(draft, "LEVER_CARGO"),
    },
    Part {
        name: "a file that the configuration of cargo includes",
        tools: &[Tool::Clippy, Tool::Test],
        seat: Seat::Anywhere { beside: "repo/ws/.cargo", name: "more{n}.toml", by: By::Path, near: false },
        good: FLAGS[0],
        bad: FLAGS[1],
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| include(draft, "repo/ws/.cargo", &spot.from("repo/ws/.cargo")),
    },
    Part {
        name: "a file that the configuration of cargo optionally includes",
        tools: &[Tool::Clippy],
        seat: Seat::Anywhere { beside: "repo/ws/.cargo", name: "more{n}.toml", by: By::Path, near: false },
        good: FLAGS[0],
        bad: FLAGS[1],
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, spot| {
            let path = spot.from("repo/ws/.cargo");
            draft.file(
                "repo/ws/.cargo/config.toml",
                format!("include = [{{ path = \"{path}\", optional = true }}]\n"),
            );
            draft.bad_under_cfg("evil");
        },
    },
    Part {
        name: "a file that an included configuration of cargo includes",
        tools: &[Tool::Clippy],
        seat: Seat::Anywhere { beside: "repo/cargo", name: "more{n}.toml", by: By::Path, near: false },
        good: FLAGS[0],
        bad: FLAGS[1],
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| {
            include(draft, "repo/ws/.cargo", "../../cargo/more.toml");
            draft.file("repo/cargo/more.toml", format!("include = [\"{}\"]\n", spot.from("repo/cargo")));
        },
    },
    Part {
        name: "a configuration of cargo that outranks another one",
        tools: &[Tool::Clippy],
        seat: Seat::At(&["repo/ws/.cargo/config"]),
        good: FLAGS[0],
        bad: FLAGS[1],
        absent: Absent::Good,
        sight: Sight::Optional,
        draft: |draft, _| {
            draft.file("repo/ws/.cargo/config.toml", FLAGS[0]);
            draft.bad_under_cfg("evil");
        },
    },
    Part {
        name: "a file that the configuration of cargo above includes",
        tools: &[Tool::Clippy],
        seat: Seat::Anywhere { beside: "repo/.cargo", name: "more{n}.toml", by: By::Path, near: false },
        good: FLAGS[0],
        bad: FLAGS[1],
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| include(draft, "repo/.cargo", &spot.from("repo/.cargo")),
    },
    Part {
        name: "a file that the user's configuration of cargo includes",
        tools: &[Tool::Clippy],
        seat: Seat::Anywhere { beside: "home/.cargo", name: "more{n}.toml", by: By::Path, near: false },
        good: FLAGS[0],
        bad: FLAGS[1],
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| include(draft, "home/.cargo", &spot.from("home/.cargo")),
    },
    Part {
        name: "a wrapper of rustc",
        tools: &[Tool::Clippy],
        seat: Seat::Anywhere { beside: "repo/ws", name: "wrap{n}.sh", by: By::Path, near: false },
        good: "#!/bin/sh\nexec \"$@\" # --cfg good\n",
        bad: "#!/bin/sh\nexec \"$@\"   --cfg evil\n",
        absent: Absent::Never,
        sight: Sight::Untracked,
        draft: |draft, spot| {
            draft.env.insert("RUSTC_WRAPPER".to_owned(), format!("{{HERE}}/{}", spot.via));
            draft.bad_under_cfg("evil");
        },
    },
    Part {
        name: "a wrapper of rustc that the configuration of cargo names",
        tools: &[Tool::Clippy],
        seat: Seat::Anywhere { beside: "repo/ws", name: "wrap{n}.sh", by: By::Path, near: false },
        good: "#!/bin/sh\nexec \"$@\" # --cfg good\n",
        bad: "#!/bin/sh\nexec \"$@\"   --cfg evil\n",
        absent: Absent::Never,
        sight: Sight::Untracked,
        draft: |draft, spot| {
            draft.file(
                "repo/ws/.cargo/config.toml",
                format!("[build]\nrustc-wrapper = \"{{HERE}}/{}\"\n", spot.via),
            );
            draft.bad_under_cfg("evil");
        },
    },
    Part {
        name: "flags of rustc in a variable",
        tools: &[Tool::Clippy, Tool::Test],
        seat: Seat::Variable(&["RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS"]),
        good: "--cfg good",
        bad: "--cfg evil",
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, _| draft.bad_under_cfg("evil"),
    },
    Part {
        name: "flags of rustdoc in a variable",
        tools: &[Tool::Doc],
        seat: Seat::Variable(&["RUSTDOCFLAGS", "CARGO_BUILD_RUSTDOCFLAGS"]),
        good: "--cfg good",
        bad: "--cfg evil",
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, _| draft.bad_under_cfg("evil"),
    },
    Part {
        name: "cargo's profile in a variable",
        tools: &[Tool::Clippy],
        seat: Seat::Variable(&["CARGO_PROFILE_DEV_DEBUG_ASSERTIONS"]),
        good: "false",
        bad: "true",
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, _| draft.bad_under_cfg("debug_assertions"),
    },
    Part {
        name: "the user's configuration of cargo in another home",
        tools: &[Tool::Clippy],
        seat: Seat::Variable(&["CARGO_HOME"]),
        good: "{HERE}/out/good",
        bad: "{HERE}/out/evil",
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, _| {
            draft.bad_under_cfg("evil");
            for (name, text) in ["good", "evil"].into_iter().zip(FLAGS) {
                draft.file(format!("out/{name}/config.toml"), text);
            }
        },
    },
];

/// Makes cargo's configuration in `dir` include `path`.
fn include(draft: &mut Draft, dir: &str, path: &str) {
    draft.file(format!("{dir}/config.toml"), format!("include = [\"{path}\"]\n"));
    draft.bad_under_cfg("evil");
}
