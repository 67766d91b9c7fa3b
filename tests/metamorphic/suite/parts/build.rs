//! Build scripts, procedural macros, and the files that they read.

use super::{Absent, By, ITEM, Part, Seat, Sight, Tool, WORD};
use crate::suite::draft::{BUILD, Draft};
use crate::suite::spot::Spot;

const DIR: &str = "repo/ws/a";
const TOOLS: &[Tool] = &[Tool::Clippy, Tool::Codegen, Tool::Doc, Tool::Test];

const fn anywhere(name: &'static str) -> Seat {
    Seat::Anywhere { beside: DIR, name, by: By::Path, near: false }
}

/// Source of a build script that determines whether it is good.
const IS_GOOD: [&str; 2] =
    ["pub fn is_good() -> bool {\n    true\n}\n ", "pub fn is_good() -> bool {\n    false\n}\n"];

pub(super) const PARTS: &[Part] = &[
    Part {
        name: "a module of a build script",
        tools: TOOLS,
        seat: anywhere("version{n}.rs"),
        good: IS_GOOD[0],
        bad: IS_GOOD[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let n = spot.n;
            draft.build_items.push(format!("#[path = \"{}\"]\nmod version{n};", spot.from(DIR)));
            draft.build.push("println!(\"cargo::rerun-if-changed=build.rs\");".to_owned());
            says(draft, spot, &format!("version{n}::is_good()"));
        },
    },
    Part {
        name: "code included by a build script",
        tools: TOOLS,
        seat: anywhere("version{n}.in"),
        good: IS_GOOD[0],
        bad: IS_GOOD[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let n = spot.n;
            draft.build_items.push(format!("mod version{n} {{\n    include!(\"{}\");\n}}", spot.from(DIR)));
            says(draft, spot, &format!("version{n}::is_good()"));
        },
    },
    Part {
        name: "a text included by a build script",
        tools: TOOLS,
        seat: anywhere("version{n}.txt"),
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            draft.build.push("println!(\"cargo::rerun-if-changed=build.rs\");".to_owned());
            says(draft, spot, &format!("include_str!(\"{}\").starts_with('g')", spot.from(DIR)));
        },
    },
    Part {
        name: "a variable that is compiled into a build script",
        tools: TOOLS,
        seat: Seat::Variable(&["LEVER_SCRIPT"]),
        good: "good",
        bad: "evil",
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, spot| {
            draft.build.push("println!(\"cargo::rerun-if-changed=build.rs\");".to_owned());
            says(draft, spot, "option_env!(\"LEVER_SCRIPT\").is_none_or(|value| value == \"good\")");
        },
    },
    Part {
        name: "a variable that a build script names",
        tools: TOOLS,
        seat: Seat::Variable(&["LEVER_NAMED", "ARCHIVE_LEVER", "CARGO_NET_LEVER", "RUST_LOG", "lever"]),
        good: "good",
        bad: "evil",
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, spot| {
            let name = &spot.via;
            draft.build.push(format!("println!(\"cargo::rerun-if-env-changed={name}\");"));
            let reads = format!("std::env::var(\"{name}\")");
            says(draft, spot, &format!("{reads}.is_ok_and(|value| value == \"evil\").eq(&false)"));
        },
    },
    Part {
        name: "the build script itself",
        tools: TOOLS,
        seat: Seat::Shared(&[BUILD]),
        good: "let is_good = true; ",
        bad: "let is_good = false;",
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| {
            draft.build.push(spot.hole());
            says(draft, spot, "is_good");
        },
    },
    Part {
        name: "a build script at a path of the manifest",
        tools: &[Tool::Clippy, Tool::Codegen],
        seat: Seat::Anywhere { beside: DIR, name: "script{n}.rs", by: By::PlainPath, near: false },
        good: "//! S.\nfn main() {}\n/* .............................................. */\n",
        bad: "//! S.\nfn main() {\n    println!(\"cargo::rustc-cfg=evil\");\n    panic!()\n}\n",
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| draft.manifest("package", format!("build = \"{}\"", spot.from(DIR))),
    },
    Part {
        name: "a file that a build script names",
        tools: TOOLS,
        seat: anywhere("data{n}.txt"),
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, spot| {
            names(draft, &spot.from(DIR));
            says(draft, spot, &reads(&spot.from(DIR)));
        },
    },
    Part {
        name: "a file in a directory that a build script names",
        tools: TOOLS,
        seat: Seat::Anywhere { beside: "repo/ws/a/data{n}", name: "x.txt", by: By::Path, near: false },
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, spot| {
            let dir = super::super::world::relative(DIR, spot.dir());
            draft.file(format!("{}/beside.txt", spot.real_dir()), "beside\n");
            names(draft, &dir);
            says(draft, spot, &reads(&spot.from(DIR)));
        },
    },
    Part {
        name: "a file in a directory of a directory that a build script names",
        tools: TOOLS,
        seat: Seat::Anywhere {
            beside: "repo/ws/a/data{n}/deep",
            name: "x.txt",
            by: By::PlainPath,
            near: false,
        },
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, spot| {
            draft.file(format!("{}/beside.txt", spot.real_dir()), "beside\n");
            let up = spot.dir().rsplit_once('/').map_or("", |(dir, _)| dir);
            names(draft, &super::super::world::relative(DIR, up));
            says(draft, spot, &reads(&spot.from(DIR)));
        },
    },
    Part {
        name: "a file of the package that its build script reads without declaring it",
        tools: &[Tool::Clippy, Tool::Codegen],
        seat: Seat::Anywhere { beside: DIR, name: "data{n}.txt", by: By::Name, near: true },
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Good,
        sight: Sight::Untracked,
        draft: |draft, spot| says(draft, spot, &reads(&spot.from(DIR))),
    },
    Part {
        name: "a file from which a build script generates code",
        tools: &[Tool::Clippy, Tool::Doc, Tool::Test],
        seat: anywhere("code{n}.in"),
        good: ITEM[0],
        bad: ITEM[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let (n, path) = (spot.n, spot.from(DIR));
            names(draft, &path);
            draft.build.push(format!(
                "std::fs::copy(\"{path}\", format!(\"{{}}/code{n}.rs\", std::env::var(\"OUT_DIR\").unwrap())).unwrap();"
            ));
            draft.lib(format!(
                "pub mod made{n} {{\n    include!(concat!(env!(\"OUT_DIR\"), \"/code{n}.rs\"));\n}}"
            ));
            if draft.tool == Tool::Test {
                draft.lib(format!("#[test]\nfn made_{n}() {{\n    assert_eq!(made{n}::f(), 1);\n}}"));
            }
        },
    },
    Part {
        name: "documentation in a file that generated code includes",
        tools: &[Tool::Doc],
        seat: anywhere("README{n}.md"),
        good: "See [Vec].\n",
        bad: "See [Vex].\n",
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let (n, path) = (spot.n, spot.from(DIR));
            draft.build.push("println!(\"cargo::rerun-if-changed=build.rs\");".to_owned());
            draft.build.push(format!(
                "std::fs::write(format!(\"{{}}/doc{n}.rs\", std::env::var(\"OUT_DIR\").unwrap()), format!(\"#[doc = include_str!({{:?}})]\\npub mod m {{{{}}}}\\n\", std::env::current_dir().unwrap().join(\"{path}\"))).unwrap();"
            ));
            draft.lib(format!(
                "pub mod made{n} {{\n    include!(concat!(env!(\"OUT_DIR\"), \"/doc{n}.rs\"));\n}}"
            ));
        },
    },
    Part {
        name: "the value of a variable set by a build script",
        tools: &[Tool::Clippy, Tool::Test],
        seat: anywhere("value{n}.txt"),
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let (n, path) = (spot.n, spot.from(DIR));
            names(draft, &path);
            draft.build.push(format!(
                "println!(\"cargo::rustc-env=VALUE{n}={{}}\", std::fs::read_to_string(\"{path}\").unwrap());"
            ));
            draft.lib(format!("const _: () = assert!(env!(\"VALUE{n}\").as_bytes()[0] == b'g');"));
        },
    },
    Part {
        name: "the output of a dependency's build script",
        tools: &[Tool::Clippy, Tool::Test],
        seat: Seat::Anywhere { beside: "repo/ws/l{n}", name: "data{n}.txt", by: By::Path, near: false },
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let (n, dir) = (spot.n, format!("repo/ws/l{}", spot.n));
            let path = spot.from(&dir);
            draft.package(&format!("l{n}"), &dir, &format!("links = \"l{n}\"\n"));
            draft.file(format!("{dir}/src/lib.rs"), "//! L.\n");
            draft.file(
                format!("{dir}/build.rs"),
                format!("fn main() {{\n    println!(\"cargo::rerun-if-changed={path}\");\n    let text = std::fs::read_to_string(\"{path}\").unwrap();\n    println!(\"cargo::metadata=word={{}}\", text.trim());\n}}\n"),
            );
            draft.depend("dependencies", &format!("l{n}"), &format!("../l{n}"));
            draft.build.push("println!(\"cargo::rerun-if-changed=build.rs\");".to_owned());
            says(draft, spot, &format!("std::env::var(\"DEP_L{n}_WORD\").unwrap() == \"good\""));
        },
    },
    Part {
        name: "a source of a build dependency",
        tools: TOOLS,
        seat: Seat::Anywhere { beside: "repo/ws/h{n}/src", name: "s.rs", by: By::Path, near: false },
        good: IS_GOOD[0],
        bad: IS_GOOD[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let (n, dir) = (spot.n, format!("repo/ws/h{}", spot.n));
            let path = spot.from(&format!("{dir}/src"));
            draft.package(&format!("h{n}"), &dir, "");
            draft.file(format!("{dir}/src/lib.rs"), format!("//! H.\n\n#[path = \"{path}\"]\npub mod s;\n"));
            draft.depend("build-dependencies", &format!("h{n}"), &format!("../h{n}"));
            says(draft, spot, &format!("h{n}::s::is_good()"));
        },
    },
    Part {
        name: "a module of a procedural macro",
        tools: &[Tool::Clippy, Tool::Doc, Tool::Test],
        seat: Seat::Anywhere { beside: "repo/ws/m{n}/src", name: "s.rs", by: By::Path, near: false },
        good: IS_GOOD[0],
        bad: IS_GOOD[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let path = spot.from(&format!("repo/ws/m{}/src", spot.n));
            makes(draft, spot, &format!("#[path = \"{path}\"]\nmod s;\n"), "s::is_good()");
        },
    },
    Part {
        name: "a file that the output of a procedural macro includes",
        tools: &[Tool::Clippy, Tool::Doc, Tool::Test],
        seat: anywhere("code{n}.in"),
        good: "/// [Vec]\npub const S: [u8; 1] = [0; 1];\n",
        bad: "/// [Vex]\npub const S: [u8; 1] = [0; 2];\n",
        absent: Absent::Bad,
        sight: Sight::Open,
        draft: |draft, spot| {
            let (n, dir, path) = (spot.n, format!("repo/ws/m{}", spot.n), spot.from(DIR));
            draft.package(&format!("m{n}"), &dir, "[lib]\nproc-macro = true\n");
            draft.file(
                format!("{dir}/src/lib.rs"),
                format!("//! M.\n\nuse proc_macro::TokenStream;\n\n/// Makes.\n#[proc_macro]\npub fn make(_: TokenStream) -> TokenStream {{\n    \"include!(concat!(env!(\\\"CARGO_MANIFEST_DIR\\\"), \\\"/{path}\\\"));\".parse().unwrap()\n}}\n"),
            );
            draft.depend("dependencies", &format!("m{n}"), &format!("../m{n}"));
            draft.lib(format!("pub mod made{n} {{\n    m{n}::make!();\n}}"));
        },
    },
    Part {
        name: "a file of the package that a procedural macro reads without declaring it",
        tools: &[Tool::Clippy, Tool::Doc, Tool::Test],
        seat: Seat::Anywhere { beside: DIR, name: "data{n}.txt", by: By::Name, near: true },
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Good,
        sight: Sight::Untracked,
        draft: |draft, spot| {
            let path = spot.from(DIR);
            let path = format!(
                "std::path::Path::new(&std::env::var(\"CARGO_MANIFEST_DIR\").unwrap()).join(\"{path}\")"
            );
            makes(
                draft,
                spot,
                "",
                &format!(
                    "std::fs::read_to_string({path}).is_ok_and(|text| text.starts_with('e')).eq(&false)"
                ),
            );
        },
    },
];

/// Makes the build script report whether `condition` holds.
fn says(draft: &mut Draft, spot: &Spot, condition: &str) {
    let name = format!("evil{}", spot.n);
    match draft.tool {
        Tool::Codegen => draft.build.push(format!("assert!({condition});")),
        _ => {
            draft.build.push(format!("let is_good{}: bool = {condition};", spot.n));
            draft.build.push(format!("if !is_good{} {{ println!(\"cargo::rustc-cfg={name}\"); }}", spot.n));
        }
    }
    if draft.tool != Tool::Codegen {
        draft.bad_under_cfg(&name);
    }
}

fn names(draft: &mut Draft, path: &str) {
    draft.build.push(format!("println!(\"cargo::rerun-if-changed={path}\");"));
}

fn reads(path: &str) -> String {
    format!("std::fs::read_to_string(\"{path}\").is_ok_and(|text| text.starts_with('e')).eq(&false)")
}

/// Adds a procedural macro, called by `a`, whose output is bad unless `condition` holds.
fn makes(draft: &mut Draft, spot: &Spot, items: &str, condition: &str) {
    let (n, dir) = (spot.n, format!("repo/ws/m{}", spot.n));
    draft.package(&format!("m{n}"), &dir, "[lib]\nproc-macro = true\n");
    let bad = match draft.tool {
        Tool::Test => format!("#[test] fn bad{n}() {{ panic!() }}"),
        // Lints ignore code generated by macros.
        _ => "compile_error!(\\\"evil\\\");".to_owned(),
    };
    draft.file(
        format!("{dir}/src/lib.rs"),
        format!(
            "//! M.\n\nuse proc_macro::TokenStream;\n\n{items}\n/// Makes.\n#[proc_macro]\npub fn make(_: TokenStream) -> TokenStream {{\n    if {condition} {{ TokenStream::new() }} else {{ \"{bad}\".parse().unwrap() }}\n}}\n"
        ),
    );
    draft.depend("dependencies", &format!("m{n}"), &format!("../m{n}"));
    draft.lib(format!("m{n}::make!();"));
}
