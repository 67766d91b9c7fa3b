//! Packages that `a` depends on: in the workspace, in the repository, and outside of it, with the files that they read.

use super::{Absent, By, Part, Seat, Sight, Tool, WORD};
use crate::suite::draft::Draft;
use crate::suite::spot::Spot;

const TOOLS: &[Tool] = &[Tool::Clippy, Tool::Test];

/// Source of the function that `a` calls.
const CALLED: [&str; 2] =
    ["pub fn f() -> u8 {\n    1\n}\n// ......\n", "#[deprecated]\npub fn f() -> u8 { 2 }\n"];

const fn anywhere(beside: &'static str, name: &'static str) -> Seat {
    Seat::Anywhere { beside, name, by: By::Path, near: false }
}

pub(super) const PARTS: &[Part] = &[
    Part {
        name: "a module of another member",
        tools: TOOLS,
        seat: anywhere("repo/ws/p{n}/src", "s.rs"),
        good: CALLED[0],
        bad: CALLED[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| with_module(draft, spot, "repo/ws/p", "../p"),
    },
    Part {
        name: "a module of a package in the repository",
        tools: TOOLS,
        seat: anywhere("repo/p{n}/src", "s.rs"),
        good: CALLED[0],
        bad: CALLED[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| with_module(draft, spot, "repo/p", "../../p"),
    },
    Part {
        name: "a module of a package beyond the repository",
        tools: TOOLS,
        seat: anywhere("out/p{n}/src", "s.rs"),
        good: CALLED[0],
        bad: CALLED[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| with_module(draft, spot, "out/p", "../../../out/p"),
    },
    Part {
        name: "a package behind a linked directory",
        tools: TOOLS,
        seat: anywhere("out/p{n}/src", "s.rs"),
        good: CALLED[0],
        bad: CALLED[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            // The path is the same from the link, but the target lies two directories away.
            with_module(draft, spot, "out/p", "../far");
            let line = draft.manifest.get_mut("dependencies").unwrap().last_mut().unwrap();
            *line = line.replace("../far", "../far/p");
            draft.link("repo/ws/far", "out");
            draft.root("workspace", "exclude = [\"far\"]");
        },
    },
    Part {
        name: "a package that a package beyond the repository needs",
        tools: TOOLS,
        seat: anywhere("out/q{n}/src", "s.rs"),
        good: CALLED[0],
        bad: CALLED[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let n = spot.n;
            let path = spot.from(&format!("out/q{n}/src"));
            draft.package(&format!("q{n}"), &format!("out/q{n}"), "");
            draft.file(format!("out/q{n}/src/lib.rs"), format!("#[path = \"{path}\"]\npub mod s;\n"));
            draft.package(
                &format!("p{n}"),
                &format!("out/p{n}"),
                &format!("[dependencies]\nq{n} = {{ path = \"../q{n}\" }}\n"),
            );
            draft.file(format!("out/p{n}/src/lib.rs"), format!("pub use q{n}::s;\n"));
            draft.packages.insert(format!("p{n}"), vec![format!("q{n}")]);
            draft.depend("dependencies", &format!("p{n}"), &format!("../../../out/p{n}"));
            calls(draft, n, "s::f()");
        },
    },
    Part {
        name: "a text included by a package beyond the repository",
        tools: TOOLS,
        seat: anywhere("out/p{n}", "data.txt"),
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let n = spot.n;
            let path = spot.from(&format!("out/p{n}/src"));
            far(
                draft,
                n,
                "",
                &format!("pub const OK: bool = include_str!(\"{path}\").as_bytes()[0] == b'g';\n"),
            );
            draft.lib(format!("const _: () = assert!(p{n}::OK);"));
        },
    },
    Part {
        name: "a module of the build script of a package beyond the repository",
        tools: TOOLS,
        seat: anywhere("out/p{n}", "version.rs"),
        good: "pub const OK: bool = true; \n",
        bad: "pub const OK: bool = false;\n",
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let n = spot.n;
            let path = spot.from(&format!("out/p{n}"));
            far_with_script(
                draft,
                n,
                &format!("#[path = \"{path}\"]\nmod version;\n"),
                "println!(\"cargo::rerun-if-changed=build.rs\");",
                "version::OK",
            );
        },
    },
    Part {
        name: "a file that the build script of a package beyond the repository names",
        tools: TOOLS,
        seat: anywhere("out/p{n}", "data.txt"),
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let path = spot.from(&format!("out/p{}", spot.n));
            far_with_script(
                draft,
                spot.n,
                "",
                &format!("println!(\"cargo::rerun-if-changed={path}\");"),
                &format!("std::fs::read_to_string(\"{path}\").unwrap().starts_with('g')"),
            );
        },
    },
    Part {
        name: "a directory that the build script of a package beyond the repository names",
        tools: TOOLS,
        seat: anywhere("out/p{n}/data", "x.txt"),
        good: WORD[0],
        bad: WORD[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let dir = format!("out/p{}", spot.n);
            let (path, named) = (spot.from(&dir), crate::suite::world::relative(&dir, spot.dir()));
            far_with_script(
                draft,
                spot.n,
                "",
                &format!("println!(\"cargo::rerun-if-changed={named}\");"),
                &format!("std::fs::read_to_string(\"{path}\").unwrap().starts_with('g')"),
            );
        },
    },
    Part {
        name: "a variable that the build script of a package beyond the repository names",
        tools: TOOLS,
        seat: Seat::Variable(&["LEVER_FAR"]),
        good: "good",
        bad: "evil",
        absent: Absent::Good,
        sight: Sight::Full,
        draft: |draft, spot| {
            far_with_script(
                draft,
                spot.n,
                "",
                "println!(\"cargo::rerun-if-env-changed=LEVER_FAR\");",
                "std::env::var(\"LEVER_FAR\").is_ok_and(|value| value == \"evil\").eq(&false)",
            );
        },
    },
    Part {
        name: "the manifest of a package beyond the repository",
        tools: TOOLS,
        seat: Seat::At(&["out/p{n}/Cargo.toml"]),
        good: "[package]\nname = \"p0\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[features]\ndefault = [      ]\nmore = []\n",
        bad: "[package]\nname = \"p0\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[features]\ndefault = [\"more\"]\nmore = []\n",
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| {
            far(draft, spot.n, "", "pub const OK: bool = !cfg!(feature = \"more\");\n");
            draft.files.remove(&format!("out/p{}/Cargo.toml", spot.n));
            draft.lib(format!("const _: () = assert!(p{}::OK);", spot.n));
        },
    },
    Part {
        name: "the workspace that a package beyond the repository inherits from",
        tools: TOOLS,
        seat: Seat::At(&["out/Cargo.toml"]),
        good: "[workspace]\nmembers = [\"p0\"]\nresolver = \"3\"\n[workspace.package]\nedition = \"2024\"\n",
        bad: "[workspace]\nmembers = [\"p0\"]\nresolver = \"3\"\n[workspace.package]\nedition = \"2015\"\n",
        absent: Absent::Never,
        sight: Sight::Full,
        draft: |draft, spot| {
            let n = spot.n;
            far(draft, n, "", "pub async fn modern() {}\n");
            draft.file(
                format!("out/p{n}/Cargo.toml"),
                format!("[package]\nname = \"p{n}\"\nversion = \"0.1.0\"\nedition.workspace = true\n"),
            );
        },
    },
    Part {
        name: "a package that only the tests of a member need",
        tools: TOOLS,
        seat: anywhere("repo/p{n}/src", "s.rs"),
        good: CALLED[0],
        bad: CALLED[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let n = spot.n;
            package_with_module(draft, spot, "repo/p");
            draft.depend("dev-dependencies", &format!("p{n}"), &format!("../../p{n}"));
            draft.file(
                format!("repo/ws/a/tests/p{n}.rs"),
                format!("//! T.\n\n#[test]\nfn t() {{\n    assert_eq!(p{n}::s::f(), 1);\n}}\n"),
            );
        },
    },
    Part {
        name: "a package by which a patch replaces another one",
        tools: TOOLS,
        seat: anywhere("repo/p{n}/src", "s.rs"),
        good: CALLED[0],
        bad: CALLED[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let n = spot.n;
            package_with_module(draft, spot, "repo/p");
            draft.root("patch.crates-io", format!("p{n} = {{ path = \"../p{n}\" }}"));
            draft.manifest("dependencies", format!("p{n} = \"0.1\""));
            draft.packages.get_mut("a").unwrap().push(format!("p{n}"));
            calls(draft, n, "s::f()");
        },
    },
    Part {
        name: "a package by which a patch in the configuration of cargo replaces another one",
        tools: TOOLS,
        seat: anywhere("repo/p{n}/src", "s.rs"),
        good: CALLED[0],
        bad: CALLED[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let n = spot.n;
            package_with_module(draft, spot, "repo/p");
            draft.file(
                "repo/ws/.cargo/config.toml",
                format!("[patch.crates-io]\np{n} = {{ path = \"{{HERE}}/repo/p{n}\" }}\n"),
            );
            draft.manifest("dependencies", format!("p{n} = \"0.1\""));
            draft.packages.get_mut("a").unwrap().push(format!("p{n}"));
            calls(draft, n, "s::f()");
        },
    },
    Part {
        name: "a module of a vendored package",
        tools: TOOLS,
        seat: anywhere("repo/ws/vendor/p{n}/src", "s.rs"),
        good: CALLED[0],
        bad: CALLED[1],
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            let n = spot.n;
            package_with_module(draft, spot, "repo/ws/vendor/p");
            draft.members.pop();
            draft.root("workspace", "exclude = [\"vendor\"]");
            draft.file(
                "repo/ws/.cargo/config.toml",
                "[source.crates-io]\nreplace-with = \"vendored\"\n[source.vendored]\ndirectory = \"vendor\"\n",
            );
            draft.file(format!("repo/ws/vendor/p{n}/.cargo-checksum.json"), "{\"files\":{}}");
            draft.manifest("dependencies", format!("p{n} = \"0.1\""));
            draft.packages.get_mut("a").unwrap().push(format!("p{n}"));
            draft.from_registry.push(format!("p{n}"));
            calls(draft, n, "s::f()");
        },
    },
    Part {
        name: "an item that documentation links to",
        tools: &[Tool::Doc],
        seat: anywhere("out/p{n}/src", "s.rs"),
        good: "pub struct Vec;\n",
        bad: "pub struct Vex;\n",
        absent: Absent::Bad,
        sight: Sight::Full,
        draft: |draft, spot| {
            with_module(draft, spot, "out/p", "../../../out/p");
            draft.lib(format!("/// [p{}::s::Vec]\npub struct L;", spot.n));
        },
    },
];

/// Adds the package `pN` in `dirN` with a module at the spot.
fn package_with_module(draft: &mut Draft, spot: &Spot, dir: &str) {
    let (n, dir) = (spot.n, format!("{dir}{}", spot.n));
    let path = spot.from(&format!("{dir}/src"));
    draft.package(&format!("p{n}"), &dir, "");
    draft.file(format!("{dir}/src/lib.rs"), format!("//! P.\n\n#[path = \"{path}\"]\npub mod s;\n"));
}

fn with_module(draft: &mut Draft, spot: &Spot, dir: &str, from_a: &str) {
    package_with_module(draft, spot, dir);
    draft.depend("dependencies", &format!("p{}", spot.n), &format!("{from_a}{}", spot.n));
    if draft.tool != Tool::Doc {
        calls(draft, spot.n, "s::f()");
    }
}

fn calls(draft: &mut Draft, n: usize, what: &str) {
    draft.lib(format!("pub fn calls{n}() -> u8 {{\n    p{n}::{what}\n}}"));
    if draft.tool == Tool::Test {
        draft.lib(format!("#[test]\nfn calls_{n}() {{\n    assert_eq!(calls{n}(), 1);\n}}"));
    }
}

/// Adds the package `pN` outside the repository.
fn far(draft: &mut Draft, n: usize, manifest: &str, source: &str) {
    draft.package(&format!("p{n}"), &format!("out/p{n}"), manifest);
    draft.file(format!("out/p{n}/src/lib.rs"), format!("//! P.\n\n{source}"));
    draft.depend("dependencies", &format!("p{n}"), &format!("../../../out/p{n}"));
}

/// Adds the same package with a build script. A constant is false unless `condition` holds.
fn far_with_script(draft: &mut Draft, n: usize, items: &str, names: &str, condition: &str) {
    far(draft, n, "", "pub const OK: bool = !cfg!(evil);\n");
    draft.file(
        format!("out/p{n}/build.rs"),
        format!("{items}\nfn main() {{\n    {names}\n    println!(\"cargo::rustc-check-cfg=cfg(evil)\");\n    if !({condition}) {{\n        println!(\"cargo::rustc-cfg=evil\");\n    }}\n}}\n"),
    );
    draft.lib(format!("const _: () = assert!(p{n}::OK);"));
}
