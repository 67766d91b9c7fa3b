//! Builds the examples of the book, `fixtures/build-examples/`, with the script that uses `genti::build` and with the
//! original one, and compares their outputs.
//!
//! `GENTI_TEST=full cargo test --test build examples -- --nocapture` also builds the examples whose dependencies must be
//! downloaded, and prints how long each build takes: medians of interleaved rounds, and of the ratios in each round. That of
//! bindgen needs libclang and that of protoc needs `protoc`, as in Debian's packages `libclang1` and `protobuf-compiler`.
//! `ROUNDS=5` sets their number.

#![expect(clippy::print_stdout, reason = "the full test prints the times")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::support::{Package, files_in, text};

fn is_full() -> bool {
    std::env::var("GENTI_TEST").as_deref() == Ok("full")
}

/// Kinds of builds, in the order in which each round makes them.
const KINDS: [&str; 3] = ["clean", "untouched", "one change"];

/// The same package with both scripts.
struct Example {
    package: &'static str,
    original: Package,
    genti: Package,
}

impl Example {
    fn of(package: &'static str) -> Self {
        let [original, genti] = ["original", "genti"].map(|place| Package::example(package, place));
        original.edit("Cargo.toml", "build = \"build.rs\"", "build = \"original.rs\"");
        Self { package, original, genti }
    }

    fn sides(&self) -> [&Package; 2] {
        [&self.original, &self.genti]
    }

    fn write(&self, path: &str, text: &str) {
        self.sides().iter().for_each(|side| side.write(path, text));
    }

    fn edit(&self, path: &str, from: &str, to: &str) {
        self.sides().iter().for_each(|side| side.edit(path, from, to));
    }

    /// Builds with both scripts and compares what `outputs` returns.
    fn check<T: PartialEq + std::fmt::Debug>(&self, outputs: impl Fn(&Package) -> T) {
        let [original, genti] = self.sides().map(|side| {
            let output = cargo(side, &["build"]).output().unwrap();
            assert!(output.status.success(), "{}", text(&output));
            outputs(side)
        });
        assert_eq!(original, genti);
    }

    /// Measures clean builds, untouched builds, and builds after `change`. Dependencies are compiled in advance.
    fn measure(&self, change: impl Fn(&Package, usize)) {
        let rounds = std::env::var("ROUNDS").map_or(3, |rounds| rounds.parse().unwrap());
        let mut times: BTreeMap<_, Vec<f64>> = BTreeMap::new();
        for round in 0..rounds {
            // The other one is the first in each second round.
            let mut sides = [("original", &self.original), ("genti", &self.genti)];
            sides.rotate_left(round % 2);
            for kind in KINDS {
                for (name, side) in sides {
                    match kind {
                        "clean" => run(&mut cargo(side, &["clean", "-p", self.package])),
                        "one change" => change(side, round),
                        _ => {}
                    }
                    let start = Instant::now();
                    run(&mut cargo(side, &["build"]));
                    times.entry((kind, name)).or_default().push(start.elapsed().as_secs_f64());
                }
            }
        }
        for kind in KINDS {
            let [original, genti] = ["original", "genti"].map(|name| &times[&(kind, name)]);
            let ratios = original.iter().zip(genti).map(|(original, genti)| original / genti).collect();
            let [original, genti] = [original, genti].map(|times| median(times.clone()));
            let ratio = median(ratios);
            println!(
                "{:16} {kind:11} {original:7.2} s {genti:7.2} s {ratio:6.2} times as fast",
                self.package
            );
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Returns the command `cargo ARGS` in the package. Only the full test may download.
fn cargo(package: &Package, args: &[&str]) -> Command {
    let mut command = package.cargo(args);
    command.env("CARGO_NET_OFFLINE", (!is_full()).to_string());
    command
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

/// Returns what the program of the package prints.
fn printed(package: &Package) -> String {
    let output = cargo(package, &["run", "--quiet"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the generated `.rs` files.
fn sources(package: &Package) -> BTreeMap<String, String> {
    files_with("rs", package)
}

/// Returns the generated `.metal` files.
fn shaders(package: &Package) -> BTreeMap<String, String> {
    files_with("metal", package)
}

/// Returns the generated files with this extension.
fn files_with(extension: &str, package: &Package) -> BTreeMap<String, String> {
    let out = package.out_dir();
    let files = files_in(&out);
    let files = files.iter().filter(|path| path.extension().is_some_and(|found| found == extension));
    let read = |path: &PathBuf| std::fs::read_to_string(out.join(path)).unwrap();
    files.map(|path| (path.display().to_string(), read(path))).collect()
}

/// Returns the objects in the archive of the example with C files, sorted by content: their names have a hash.
fn objects(package: &Package) -> Vec<Vec<u8>> {
    let archive = package.out_dir().join("libnumbers.a");
    let members = Command::new("ar").arg("t").arg(&archive).output().unwrap();
    let members = String::from_utf8(members.stdout).unwrap();
    let content =
        |member: &str| Command::new("ar").arg("p").arg(&archive).arg(member).output().unwrap().stdout;
    let mut objects: Vec<_> = members.lines().map(content).collect();
    objects.sort();
    objects
}

/// Number of units that the last run of the script generated.
fn generated(package: &Package) -> usize {
    package.printed().lines().filter(|line| line.starts_with("genti: generated from")).count()
}

#[test]
fn c_files_are_compiled_one_by_one_and_linked_also_if_none_is_compiled() {
    let example = Example::of("example-c");
    example.check(objects);
    example.check(printed);
    assert_eq!(printed(&example.genti), "[8, 300]\n");
    assert_eq!(generated(&example.genti), 4);

    // One object and the archive.
    example.edit("c/second.c", "* 2", "* 3");
    example.check(objects);
    example.check(printed);
    assert_eq!((generated(&example.genti), &*printed(&example.genti)), (2, "[12, 300]\n"));

    // A header of two of the files, which only the dependency files name.
    example.edit("c/include/numbers.h", "STEP 1", "STEP 2");
    example.check(objects);
    example.check(printed);
    assert_eq!((generated(&example.genti), &*printed(&example.genti)), (3, "[15, 300]\n"));

    // The script runs, but nothing is compiled. The library is still linked.
    example.write("c/include/unused.h", "");
    example.genti.write("c/include/numbers.h", "#define STEP 2\nint first(int n);\nint second(int n);\n");
    example.check(printed);
    example
        .genti
        .write("src/lib.rs", &std::fs::read_to_string(example.genti.root.join("src/lib.rs")).unwrap());
    assert_eq!(printed(&example.genti), "[15, 300]\n");

    example.genti.write("c/third.c", "#include \"third.h\"\n\nint third(void) { return THURD; }\n");
    let failed = example.genti.fails(&mut cargo(&example.genti, &["build"]));
    assert!(failed.contains("error: example-c@0.1.0: c/third.c:3:"), "{failed}");
}

#[test]
fn a_hundred_c_files_are_compiled_in_parallel() {
    if !is_full() {
        return;
    }
    let example = Example::of("example-c");
    let function = |n: usize, body: &str| {
        // Some work for the compiler.
        let lines: String = (0..400).map(|line| format!("    n = n * {line} + STEP;\n")).collect();
        format!("#include \"numbers.h\"\n\nint f{n}(int n) {{\n{lines}    return n + {body};\n}}\n")
    };
    for n in 0..100 {
        example.write(&format!("c/f{n:02}.c"), &function(n, "0"));
    }
    example.check(objects);
    assert_eq!(generated(&example.genti), 104);
    example.measure(|side, round| side.write("c/f07.c", &function(7, &(round + 1).to_string())));
    example.write("c/f07.c", &function(7, "100"));
    example.check(objects);
    assert_eq!(generated(&example.genti), 2);
}

/// Creates a repository with one commit in the package.
fn commit(package: &Package, message: &str) {
    let script = "git init -q -b main; git add -A; git commit -q --allow-empty -m \"$0\"";
    let mut git = Command::new("sh");
    git.args(["-c", script, message]).current_dir(&package.root);
    for who in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{who}_NAME"), "x").env(format!("GIT_{who}_EMAIL"), "x@example.com");
        git.env(format!("GIT_{who}_DATE"), "2026-01-01T00:00:00Z");
    }
    run(git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null"));
}

#[test]
fn a_stamp_changes_with_the_commit() {
    let genti = Package::example("example-stamp", "genti");
    // The original script needs another crate, see below.
    genti.edit("Cargo.toml", "vergen-gitcl = \"10\"\n", "");
    genti.write(".gitignore", "Cargo.lock\n");
    commit(&genti, "first");
    let first = printed(&genti);
    assert!(first.starts_with("main ") && first.ends_with(" 1\n"), "{first}");
    let ran_at = genti.ran_at();
    genti.write("src/other.rs", "");
    assert_eq!(printed(&genti), first);
    assert_eq!(genti.ran_at(), ran_at, "an up-to-date build must not run the script");
    commit(&genti, "second");
    let second = printed(&genti);
    assert!(second.ends_with(" 2\n") && second != first, "{second}");
    // The file of the branch disappears, and appears again.
    run(Command::new("git").args(["pack-refs", "--all"]).current_dir(&genti.root));
    assert_eq!(printed(&genti), second);
    commit(&genti, "third");
    assert!(printed(&genti).ends_with(" 3\n"), "{}", printed(&genti));
}

#[test]
fn a_stamp_is_that_of_vergen() {
    if !is_full() {
        return;
    }
    let example = Example::of("example-stamp");
    let commits = |message: &str| {
        for side in example.sides() {
            side.write(".gitignore", "Cargo.lock\n");
            // The sides differ in their manifests, which would give them different commits.
            side.write(".git/info/exclude", "/Cargo.toml\n");
            commit(side, message);
        }
    };
    commits("first");
    example.check(printed);
    commits("second");
    example.check(printed);
    example.measure(|side, round| commit(side, &round.to_string()));
}

#[test]
fn messages_are_compiled_without_protoc() {
    messages("example-protox");
}

#[test]
fn messages_are_compiled_with_protoc() {
    messages("example-protoc");
}

fn messages(package: &'static str) {
    if !is_full() {
        return;
    }
    let example = Example::of(package);
    let message = |n: usize, fields: usize| {
        let fields: String =
            (1..=fields).map(|field| format!("  common.Moment field{field} = {field};\n")).collect();
        format!(
            "syntax = \"proto3\";\n\npackage m{n};\n\nimport \"common.proto\";\n\nmessage M {{\n{fields}}}\n"
        )
    };
    // With those of the fixture, 31 files.
    for n in 0..29 {
        example.write(&format!("proto/m{n:02}.proto"), &message(n, 100));
    }
    example.check(sources);
    assert_eq!(generated(&example.genti), 31);
    example.measure(|side, round| side.write("proto/m07.proto", &message(7, 101 + round)));
    example.write("proto/m07.proto", &message(7, 99));
    example.check(sources);
    assert_eq!(generated(&example.genti), 1);
    // All files but itself import it.
    example.edit("proto/common.proto", "uint64 seconds", "int64 seconds");
    example.check(sources);
    assert_eq!(generated(&example.genti), 31);
    example.genti.edit("proto/letter.proto", "common.Address to", "common.Adress to");
    let failed = example.genti.fails(&mut cargo(&example.genti, &["build"]));
    assert!(failed.contains(&format!("error: {package}@0.1.0: proto/letter.proto")), "{failed}");
}

#[test]
fn grammars_become_parsers_in_parallel() {
    if !is_full() {
        return;
    }
    let example = Example::of("example-lalrpop");
    let list = std::fs::read_to_string(example.genti.root.join("src/list.lalrpop")).unwrap();
    let grammar = |n: usize| list.replace("List", &format!("List{n}"));
    // With those of the fixture, 58 grammars.
    for n in 0..56 {
        example.write(&format!("src/list{n:02}.lalrpop"), &grammar(n));
    }
    example.check(sources);
    assert_eq!(generated(&example.genti), 58);
    example.measure(|side, round| side.write("src/list07.lalrpop", &grammar(100 + round)));
    example.write("src/list07.lalrpop", &grammar(99));
    example.check(sources);
    assert_eq!(generated(&example.genti), 1);
}

#[test]
fn headers_become_bindings_in_parallel() {
    if !is_full() {
        return;
    }
    let example = Example::of("example-bindgen");
    let header = |n: usize, fields: usize| {
        let fields: String = (0..fields).map(|field| format!("    struct point p{field};\n")).collect();
        format!("#include \"common.h\"\n\nstruct shape{n} {{\n{fields}}};\n")
    };
    // With those of the fixture, 40 headers.
    for n in 0..37 {
        example.write(&format!("h/shape{n:02}.h"), &header(n, 100));
    }
    example.check(sources);
    assert_eq!(generated(&example.genti), 40);
    example.measure(|side, round| side.write("h/shape07.h", &header(7, 101 + round)));
    example.write("h/shape07.h", &header(7, 99));
    example.check(sources);
    assert_eq!(generated(&example.genti), 1);
    // All headers but one include it, which only the dependency files say.
    example.edit("h/common.h", "int x;", "long x;");
    example.check(sources);
    assert_eq!(generated(&example.genti), 39);
    example.genti.edit("h/clock.h", "long seconds;", "lonk seconds;");
    let failed = example.genti.fails(&mut cargo(&example.genti, &["build"]));
    assert!(failed.contains("error: example-bindgen@0.1.0: h/clock.h:2:"), "{failed}");
}

#[test]
fn protocols_become_code_in_parallel() {
    if !is_full() {
        return;
    }
    let example = Example::of("example-wayland");
    let protocol = |n: usize, requests: usize| {
        let requests: String =
            (0..requests).map(|request| format!("    <request name=\"r{request}\"/>\n")).collect();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<protocol name=\"p{n}\">\n  \
             <interface name=\"i{n}\" version=\"1\">\n{requests}  </interface>\n</protocol>\n"
        )
    };
    // With that of the fixture, 50 protocols.
    for n in 0..49 {
        example.write(&format!("protocols/p{n:02}.xml"), &protocol(n, 20));
    }
    example.check(sources);
    assert_eq!(generated(&example.genti), 50);
    example.measure(|side, round| side.write("protocols/p07.xml", &protocol(7, 21 + round)));
    example.write("protocols/p07.xml", &protocol(7, 19));
    example.check(sources);
    assert_eq!(generated(&example.genti), 1);
    // The scanner panics.
    example.genti.write("protocols/p07.xml", "<protocol>");
    let failed = example.genti.fails(&mut cargo(&example.genti, &["build"]));
    assert!(failed.contains("error: example-wayland@0.1.0: protocols/p07.xml"), "{failed}");
}

#[test]
fn shaders_are_translated_in_parallel() {
    if !is_full() {
        return;
    }
    let example = Example::of("example-shaders");
    let shader = |n: usize, lines: usize| {
        let lines: String =
            (0..lines).map(|line| format!("    values[id.x] += weight({line}u + id.y);\n")).collect();
        format!(
            "#import weights\n\n@group(0) @binding(0) var<storage, read_write> values: array<f32>;\n\n\
             @compute @workgroup_size({})\nfn main(@builtin(global_invocation_id) id: vec3<u32>) {{\n{lines}}}\n",
            n + 1
        )
    };
    // With those of the fixture, 40 shaders.
    for n in 0..38 {
        example.write(&format!("shaders/s{n:02}.wgsl"), &shader(n, 300));
    }
    example.check(shaders);
    assert_eq!(generated(&example.genti), 40);
    example.measure(|side, round| side.write("shaders/s07.wgsl", &shader(7, 301 + round)));
    example.write("shaders/s07.wgsl", &shader(7, 299));
    example.check(shaders);
    assert_eq!(generated(&example.genti), 1);
    // All shaders but one import it.
    example.edit("shaders/shared/weights.wgsl", "1.0 /", "2.0 /");
    example.check(shaders);
    assert_eq!(generated(&example.genti), 39);
    example.genti.edit("shaders/fill.wgsl", "1.0;", "nothing;");
    let failed = example.genti.fails(&mut cargo(&example.genti, &["build"]));
    assert!(failed.contains("error: example-shaders@0.1.0: shaders/fill.wgsl"), "{failed}");
}

#[test]
fn the_book_shows_the_scripts_of_the_examples() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/build-script-examples.md")).unwrap();
    for name in ["c", "bindgen", "stamp", "protoc", "protox", "lalrpop", "wayland", "shaders"] {
        let script =
            std::fs::read_to_string(root.join(format!("fixtures/build-examples/{name}/build.rs"))).unwrap();
        // The page says in its own words what the script does.
        let (_, code) = script.split_once("\n\n").unwrap();
        assert!(page.contains(code), "the script of `{name}` on the page differs from the fixture");
    }
}
