//! Sources of `a`, and the files that they include.

use super::{Absent, By, ITEM, Part, Seat, Sight, Tool, WORD};
use crate::suite::draft::{Draft, LIB};
use crate::suite::spot::Spot;

const SRC: &str = "repo/ws/a/src";

const fn anywhere(name: &'static str) -> Seat {
    Seat::Anywhere { beside: SRC, name, by: By::Path, near: false }
}

pub(super) const PARTS: &[Part] = &[
    Part {
        name: "a module",
        tools: &[Tool::Fmt, Tool::Clippy, Tool::Doc, Tool::Test],
        seat: anywhere("s{n}.rs"),
        good: ITEM[0],
        bad: ITEM[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            module(draft, spot, "");
            call(draft, &format!("s{}::f()", spot.n));
        },
    },
    Part {
        name: "a module of a module",
        tools: &[Tool::Fmt, Tool::Clippy, Tool::Doc],
        seat: Seat::Anywhere { beside: "repo/ws/a/src/d{n}", name: "s{n}.rs", by: By::Path, near: false },
        good: ITEM[0],
        bad: ITEM[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let n = spot.n;
            let path = spot.from(&format!("{SRC}/d{n}"));
            draft.lib(format!("pub mod d{n};"));
            draft.file(format!("{SRC}/d{n}/mod.rs"), format!("#[path = \"{path}\"]\npub mod s;\n"));
        },
    },
    Part {
        name: "a module in the file of its own name",
        tools: &[Tool::Fmt, Tool::Clippy, Tool::Test],
        seat: Seat::Anywhere { beside: SRC, name: "s{n}.rs", by: By::Name, near: false },
        good: ITEM[0],
        bad: ITEM[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let n = spot.n;
            match spot.from(SRC) == format!("s{n}.rs") {
                true => draft.lib(format!("pub mod s{n};")),
                // Below a linked directory.
                false => draft.lib(format!("pub mod linked{n} {{\n    pub mod s{n};\n}}")),
            }
            call(draft, if spot.from(SRC).starts_with('s') { "s0::f()" } else { "linked0::s0::f()" });
        },
    },
    Part {
        name: "a module for another system",
        tools: &[Tool::Fmt],
        seat: anywhere("s{n}.rs"),
        good: ITEM[0],
        bad: ITEM[1],
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| {
            let n = spot.n;
            draft.lib(format!("#[cfg_attr(windows, path = \"{}\")]\npub mod x{n};", spot.from(SRC)));
            draft.file(format!("{SRC}/x{n}.rs"), "pub fn f() {}\n");
        },
    },
    Part {
        name: "a module of an inline module",
        tools: &[Tool::Fmt, Tool::Clippy],
        seat: Seat::Anywhere {
            beside: "repo/ws/a/src/inline{n}",
            name: "s{n}.rs",
            by: By::Path,
            near: false,
        },
        good: ITEM[0],
        bad: ITEM[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let n = spot.n;
            let path = spot.from(&format!("{SRC}/inline{n}"));
            // If the file is elsewhere, the path leads through this directory.
            draft.file(format!("{SRC}/inline{n}/.keep"), "");
            draft.lib(format!("pub mod inline{n} {{\n    #[path = \"{path}\"]\n    pub mod s;\n}}"));
        },
    },
    Part {
        name: "a module in cfg_if",
        tools: &[Tool::Fmt],
        seat: anywhere("s{n}.rs"),
        good: ITEM[0],
        bad: ITEM[1],
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| {
            let path = spot.from(SRC);
            draft.lib(format!(
                "cfg_if::cfg_if! {{\n    if #[cfg(unix)] {{\n        #[path = \"{path}\"]\n        mod s{};\n    }}\n}}",
                spot.n
            ));
        },
    },
    Part {
        name: "a module of the unit tests",
        tools: &[Tool::Fmt, Tool::Clippy, Tool::Test],
        seat: anywhere("s{n}.rs"),
        good: ITEM[0],
        bad: ITEM[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            module(draft, spot, "#[cfg(test)]\n");
            call(draft, &format!("s{}::f()", spot.n));
        },
    },
    Part {
        name: "the root of the library",
        tools: &[Tool::Fmt, Tool::Clippy, Tool::Doc, Tool::Test],
        seat: Seat::Shared(&[LIB]),
        good: ITEM[0],
        bad: ITEM[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            draft.lib(spot.hole());
            call(draft, "f()");
        },
    },
    Part {
        name: "a library at a path of the manifest",
        tools: &[Tool::Fmt, Tool::Clippy, Tool::Doc],
        seat: Seat::Anywhere { beside: SRC, name: "root{n}.rs", by: By::PlainPath, near: false },
        good: ITEM[0],
        bad: ITEM[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let n = spot.n;
            let dir = format!("repo/ws/r{n}");
            draft.package(&format!("r{n}"), &dir, &format!("[lib]\npath = \"{}\"\n", spot.from(&dir)));
        },
    },
    Part {
        name: "a binary at a path of the manifest",
        tools: &[Tool::Fmt, Tool::Clippy],
        seat: Seat::Anywhere { beside: SRC, name: "main{n}.rs", by: By::PlainPath, near: false },
        good: "fn main() {\n    let _ = 1;\n}\n// .....\n",
        bad: "fn main() {\n  let _x = 1;\n  return;\n}\n",
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let n = spot.n;
            let path = spot.from("repo/ws/a");
            draft.manifest("[bin]", format!("name = \"main{n}\"\npath = \"{path}\""));
        },
    },
    Part {
        name: "a target that cargo finds by itself",
        tools: &[Tool::Fmt, Tool::Clippy],
        seat: Seat::At(&[
            "repo/ws/a/examples/x.rs",
            "repo/ws/a/tests/x.rs",
            "repo/ws/a/benches/x.rs",
            "repo/ws/a/src/bin/x.rs",
            "repo/ws/a/src/main.rs",
            "repo/ws/a/examples/y/main.rs",
            "repo/ws/a/tests/y/main.rs",
        ]),
        good: "fn main() {\n    let _ = 1;\n}\n// .....\n",
        bad: "fn main() {\n  let _x = 1;\n  return;\n}\n",
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |_, _| {},
    },
    Part {
        name: "a module of an integration test",
        tools: &[Tool::Fmt, Tool::Clippy, Tool::Test],
        seat: Seat::Anywhere { beside: "repo/ws/a/tests/common", name: "s{n}.rs", by: By::Path, near: false },
        good: ITEM[0],
        bad: ITEM[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let (n, path) = (spot.n, spot.from("repo/ws/a/tests"));
            draft.file(
                format!("repo/ws/a/tests/t{n}.rs"),
                format!("//! T.\n\n#[path = \"{path}\"]\nmod s;\n\n#[test]\nfn t() {{\n    assert_eq!(s::f(), 1);\n}}\n"),
            );
        },
    },
    Part {
        name: "included code",
        tools: &[Tool::Clippy, Tool::Doc, Tool::Test],
        seat: anywhere("i{n}.in"),
        good: ITEM[0],
        bad: ITEM[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            draft.lib(format!("pub mod i{} {{\n    include!(\"{}\");\n}}", spot.n, spot.from(SRC)));
            call(draft, &format!("i{}::f()", spot.n));
        },
    },
    Part {
        name: "included code below CARGO_MANIFEST_DIR",
        tools: &[Tool::Clippy, Tool::Doc],
        seat: anywhere("i{n}.in"),
        good: ITEM[0],
        bad: ITEM[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let path = spot.from("repo/ws/a");
            draft.lib(format!(
                "pub mod i{} {{\n    include!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/{path}\"));\n}}",
                spot.n
            ));
        },
    },
    Part {
        name: "an included text",
        tools: &[Tool::Clippy, Tool::Test],
        seat: anywhere("i{n}.txt"),
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            draft.lib(format!(
                "const _: () = assert!(include_str!(\"{}\").as_bytes()[0] == b'g');",
                spot.from(SRC)
            ));
        },
    },
    Part {
        name: "a text included by a macro's argument",
        tools: &[Tool::Clippy, Tool::Doc],
        seat: anywhere("i{n}.txt"),
        good: "/// [Vec]\npub struct S;\n",
        bad: "/// [Vex]\npub struct S ;",
        absent: Absent::Bad,
        sight: Sight::Open,
        draft: |draft, spot| {
            let n = spot.n;
            draft.lib(format!(
                "macro_rules! m{n} {{\n    ($f:literal) => {{\n        include_bytes!($f)\n    }};\n}}"
            ));
            draft.lib(format!("const _: () = assert!(m{n}!(\"{}\")[5] == b'V');", spot.from(SRC)));
            draft.lib(format!(
                "macro_rules! o{n} {{\n    ($f:literal) => {{\n        include!($f);\n    }};\n}}"
            ));
            draft.lib(format!("pub mod o{n} {{\n    o{n}!(\"{}\");\n}}", spot.from(SRC)));
            draft.lib(format!("const _: () = assert!(m{n}!(\"{}\")[23] == b'\\n');", spot.from(SRC)));
        },
    },
    Part {
        name: "documentation in a file",
        tools: &[Tool::Doc],
        seat: Seat::Anywhere { beside: "repo/ws/a", name: "README{n}.md", by: By::Path, near: false },
        good: "See [Vec].\n",
        bad: "See [Vex].\n",
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            draft.lib(format!("#[doc = include_str!(\"{}\")]\npub mod r{} {{}}", spot.from(SRC), spot.n));
        },
    },
    Part {
        name: "documentation in a file of several attributes",
        tools: &[Tool::Doc],
        seat: Seat::Anywhere { beside: "repo/ws/a", name: "README{n}.md", by: By::Path, near: false },
        good: "See [Vec].\n",
        bad: "See [Vex].\n",
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            draft.lib(format!(
                "#[cfg_attr(doc, doc = include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/\", \"{}\")))]\npub mod r{} {{}}",
                spot.from("repo/ws/a"),
                spot.n
            ));
        },
    },
    Part {
        name: "documentation in a file that a macro includes",
        tools: &[Tool::Doc],
        seat: Seat::Anywhere { beside: "repo/ws/a", name: "README{n}.md", by: By::Path, near: false },
        good: "See [Vec].\n",
        bad: "See [Vex].\n",
        absent: Absent::Bad,
        sight: Sight::Open,
        draft: |draft, spot| {
            let (n, path) = (spot.n, spot.from(SRC));
            draft.lib(format!(
                "macro_rules! doc{n} {{\n    ($f:literal) => {{\n        #[doc = include_str!($f)]\n        pub mod r{n} {{}}\n    }};\n}}\n\ndoc{n}!(\"{path}\");"
            ));
        },
    },
    Part {
        name: "documentation in a file that an ignored module includes",
        tools: &[Tool::Doc],
        seat: Seat::Anywhere { beside: "repo/ws/a", name: "README{n}.md", by: By::Path, near: false },
        good: "See [Vec].\n",
        bad: "See [Vex].\n",
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let (n, path) = (spot.n, spot.from(SRC));
            draft.lib(format!("pub mod made{n};"));
            draft.file(format!("{SRC}/made{n}.rs"), format!("#![doc = include_str!(\"{path}\")]\n"));
            draft.ignore(&format!("{SRC}/made{n}.rs"));
        },
    },
    Part {
        name: "documentation in a file that a module of another directory includes",
        tools: &[Tool::Doc],
        seat: Seat::Anywhere { beside: "repo/docs{n}", name: "README.md", by: By::Path, near: false },
        good: "See [Vec].\n",
        bad: "See [Vex].\n",
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let (n, path) = (spot.n, spot.from(&format!("repo/docs{}", spot.n)));
            draft.lib(format!("#[path = \"../../../docs{n}/m.rs\"]\npub mod far{n};"));
            draft.file(format!("repo/docs{n}/m.rs"), format!("#![doc = include_str!(\"{path}\")]\n"));
        },
    },
    Part {
        name: "documentation in a file that a variable names",
        tools: &[Tool::Doc, Tool::Clippy],
        seat: Seat::Anywhere { beside: "repo/ws/a", name: "README{n}.md", by: By::Path, near: false },
        good: "See [Vec].\n",
        bad: "See [Vex].\n",
        absent: Absent::Bad,
        sight: Sight::Open,
        draft: |draft, spot| {
            let n = spot.n;
            draft.env.insert(format!("README_{n}"), format!("{{HERE}}/{}", spot.via));
            draft.lib(format!("#[doc = include_str!(env!(\"README_{n}\"))]\npub mod r{n} {{}}"));
            draft.lib(format!("const _: () = assert!(include_bytes!(env!(\"README_{n}\"))[7] == b'c');"));
        },
    },
    Part {
        name: "a doc test in a file",
        tools: &[Tool::Doctest],
        seat: Seat::Anywhere { beside: "repo/ws/a", name: "README{n}.md", by: By::Path, near: false },
        good: "```\nassert!(true );\n```\n",
        bad: "```\nassert!(false);\n```\n",
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            draft.lib(format!("#[doc = include_str!(\"{}\")]\npub mod r{} {{}}", spot.from(SRC), spot.n));
        },
    },
    Part {
        name: "a module that a doc test calls",
        tools: &[Tool::Doctest],
        seat: anywhere("s{n}.rs"),
        good: ITEM[0],
        bad: ITEM[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let n = spot.n;
            module(draft, spot, "");
            draft.lib(format!("/// ```\n/// assert_eq!(a::s{n}::f(), 1);\n/// ```\npub fn d{n}() {{}}"));
        },
    },
    Part {
        name: "a text that a test includes",
        tools: &[Tool::Test],
        seat: Seat::Anywhere { beside: "repo/ws/a/tests", name: "data{n}.txt", by: By::Path, near: false },
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let (n, path) = (spot.n, spot.from("repo/ws/a/tests"));
            draft.file(
                format!("repo/ws/a/tests/t{n}.rs"),
                format!("//! T.\n\n#[test]\nfn t() {{\n    assert_eq!(include_str!(\"{path}\"), \"good\\n\");\n}}\n"),
            );
        },
    },
    Part {
        name: "a file that a test reads when it runs",
        tools: &[Tool::Test],
        seat: anywhere("data{n}.txt"),
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let path = spot.from("repo/ws/a");
            draft.lib(format!(
                "#[test]\nfn reads{}() {{\n    assert_eq!(std::fs::read_to_string(\"{path}\").unwrap(), \"good\\n\");\n}}",
                spot.n
            ));
        },
    },
    Part {
        name: "a source of a binary that a test runs",
        tools: &[Tool::Test],
        seat: anywhere("s{n}.rs"),
        good: ITEM[0],
        bad: ITEM[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let (n, path) = (spot.n, spot.from("repo/ws/a/src/bin"));
            draft.file(
                format!("repo/ws/a/src/bin/b{n}.rs"),
                format!(
                    "//! B.\n\n#[path = \"{path}\"]\nmod s;\n\nfn main() {{\n    assert_eq!(s::f(), 1);\n}}\n"
                ),
            );
            draft.file(
                format!("repo/ws/a/tests/b{n}.rs"),
                format!("//! T.\n\n#[test]\nfn t() {{\n    let mut program = std::process::Command::new(env!(\"CARGO_BIN_EXE_b{n}\"));\n    assert!(program.status().unwrap().success());\n}}\n"),
            );
        },
    },
    Part {
        name: "a variable that the sources read",
        tools: &[Tool::Clippy, Tool::Test],
        seat: Seat::Variable(&["LEVER_SOURCE", "ARCHIVE_LEVER", "CARGO_NET_LEVER", "lever_source"]),
        good: "good",
        bad: "evil",
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, spot| reads_variable(draft, &spot.via),
    },
    Part {
        name: "a variable in the documentation",
        tools: &[Tool::Doc],
        seat: Seat::Variable(&["LEVER_DOC"]),
        good: "[Vec]",
        bad: "[Vex]",
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, _| draft.lib("#[doc = env!(\"LEVER_DOC\")]\npub mod v {}"),
    },
];

/// Adds a constant that does not compile if the variable `name` has another value.
pub(super) fn reads_variable(draft: &mut Draft, name: &str) {
    let lower = name.to_lowercase();
    draft.lib(format!(
        "const _: () = {{\n    if let Some({lower}) = option_env!(\"{name}\") {{\n        assert!({lower}.as_bytes()[0] == b'g');\n    }}\n}};"
    ));
}

fn module(draft: &mut Draft, spot: &Spot, attributes: &str) {
    let (n, path) = (spot.n, spot.from(SRC));
    match path == format!("s{n}.rs") {
        true => draft.lib(format!("{attributes}pub mod s{n};")),
        false => draft.lib(format!("{attributes}#[path = \"{path}\"]\npub mod s{n};")),
    }
}

/// Adds a test of the value of `expression`, if tests run.
fn call(draft: &mut Draft, expression: &str) {
    if draft.tool == Tool::Test {
        let name = expression.replace(|char: char| !char.is_alphanumeric(), "_");
        draft.lib(format!("#[test]\nfn calls_{name}() {{\n    assert_eq!({expression}, 1);\n}}"));
    }
}
