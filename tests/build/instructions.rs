//! Tests of instructions for cargo, and of missing files, with cargo.

use crate::support::Package;

/// Does what each input says.
const SCRIPT: &str = r#"
use std::process::{Command, ExitCode};
use std::sync::Barrier;

use genti::build::Plan;

static MEETING: Barrier = Barrier::new(2);

fn main() -> ExitCode {
    println!("cargo:rustc-env=BEFORE_THE_PLAN=1");
    Plan::new()
        .inputs("in/*.txt")
        .each(|input, out| {
            let text = input.text()?.trim();
            match text {
                "raw" => println!("cargo:rustc-cfg={}", input.stem()),
                "child" => drop(Command::new("echo").arg("cargo::rustc-link-lib=no-such-library").status()?),
                "thread" => std::thread::spawn(|| println!("cargo:warning=from a thread")).join().unwrap(),
                "meet" => {
                    MEETING.wait();
                    if input.stem() == "a" {
                        println!("cargo:include=a");
                    }
                    MEETING.wait();
                }
                "plain" => print!("hello from {}", input.stem()),
                _ => out.rustc_env(&format!("TEXT_{}", input.stem().to_uppercase()), text)?,
            }
            out.write(input.with_extension("out"), text)
        })
        .optional_inputs("optional/*.txt")
        .each(|input, out| out.rustc_env("OPTIONAL", input.text()?.trim()))
        .once(|out| {
            out.depends_on("override/value.txt")?;
            let text = std::fs::read_to_string("override/value.txt").unwrap_or_default();
            out.rustc_env("OVERRIDE", text.trim())
        })
        .run()
}
"#;

const LIB: &str = r#"
pub const A: &str = env!("TEXT_A");
pub const BEFORE: &str = env!("BEFORE_THE_PLAN");
"#;

fn package() -> Package {
    let files = [
        ("build.rs", SCRIPT),
        ("src/lib.rs", LIB),
        ("in/a.txt", "one"),
        ("in/b.txt", "plain"),
        ("override/README", ""),
        ("optional/README", ""),
    ];
    Package::made("package", &files).warm()
}

#[test]
fn an_instruction_of_a_skipped_unit_still_applies() {
    let package = package();
    package.build();
    assert!(package.printed().contains("hello from b\n"), "{}", package.printed());
    package.write("in/b.txt", "two");
    package.build();
    let printed = package.printed();
    assert!(printed.contains("genti: generated from in/b.txt\ngenti: 1 generated, 2 unchanged"), "{printed}");
    assert!(printed.contains("cargo:rustc-env=TEXT_A=one\ncargo:rustc-env=TEXT_B=two\n"), "{printed}");
}

#[test]
fn a_printed_instruction_fails_every_build_and_names_the_unit_and_the_method() {
    let package = package();
    package.build();
    let check = |text: &str, line: &str, instead: &str| {
        package.write("in/b.txt", text);
        for _ in 0..2 {
            let printed = package.fails(&mut package.cargo(&["build", "-j1"]));
            let expected = format!("error: made@0.1.0: in/b.txt: `{line}` was printed while a generator ran");
            assert!(printed.contains(&expected), "{printed}");
            assert!(printed.contains(&format!("use {instead} instead")), "{printed}");
        }
    };
    check("raw", "cargo:rustc-cfg=b", "`out.cfg`");
    check("child", "cargo::rustc-link-lib=no-such-library", "`out.link_lib`");
    check("thread", "cargo:warning=from a thread", "`out.warning`");
    package.write("in/b.txt", "plain");
    package.build();
}

#[test]
fn all_units_that_ran_when_an_instruction_was_printed_are_named() {
    let package = package();
    package.build();
    package.write("in/a.txt", "meet");
    package.write("in/b.txt", "meet");
    let mut script = package.script(&package.beside("out"));
    script.env("NUM_JOBS", "2").current_dir(&package.root);
    for _ in 0..2 {
        let printed = package.fails(&mut script);
        assert!(printed.contains("`cargo:include=a` was printed while a generator ran"), "{printed}");
        assert!(printed.contains("use `out.metadata` instead (running: in/a.txt, in/b.txt"), "{printed}");
    }
}

#[test]
fn a_file_that_appears_runs_the_units_that_depend_on_it() {
    let package = package();
    package.build();
    let ran_at = package.ran_at();
    package.build();
    assert_eq!(package.ran_at(), ran_at, "an up-to-date build must not run the script");
    for (path, line) in [
        ("override/value.txt", "cargo:rustc-env=OVERRIDE=new\n"),
        ("optional/value.txt", "cargo:rustc-env=OPTIONAL=new\n"),
    ] {
        assert!(!package.printed().contains(line), "{}", package.printed());
        package.write(path, "new");
        package.build();
        assert!(package.printed().contains(line), "{path}: {}", package.printed());
    }
    package.remove("override/value.txt");
    package.build();
    assert!(package.printed().contains("cargo:rustc-env=OVERRIDE=\n"), "{}", package.printed());
}
