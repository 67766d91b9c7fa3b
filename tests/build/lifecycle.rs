//! Tests which inputs are processed again after a change.

use crate::support::{Package, Seen};

#[test]
fn only_changed_inputs_are_processed_again() {
    let package = Package::of("build-rust", "package");
    let out = |name: &str| package.out_dir().join(name);
    let one = |path: &str| vec![path.to_owned()];

    let clean = package.build();
    assert_eq!(clean.generated.len(), 200);
    let module = std::fs::read_to_string(out("p00/t07.rs")).unwrap();
    assert_eq!(
        module,
        "// From tables/p00/t07.txt.\npub const FIRST: i64 = 7;\npub const SECOND: i64 = 49;\n"
    );
    assert!(std::fs::read_to_string(out("mod.rs")).unwrap().contains("pub mod p09 {\n    pub mod t00;"));

    let ran_at = package.ran_at();
    assert_eq!(package.build(), Seen::default());
    assert_eq!(package.ran_at(), ran_at, "a null build runs the script");

    package.edit("tables/p03/t11.txt", "FIRST = 71", "FIRST = 72");
    assert_eq!(package.build().generated, one("tables/p03/t11.txt"));
    assert!(
        package.printed().contains("\ngenti: 1 generated, 199 unchanged, 0 removed\n"),
        "{}",
        package.printed()
    );
    assert!(std::fs::read_to_string(out("p03/t11.rs")).unwrap().contains("FIRST: i64 = 72;"));

    package.write("tables/p10/new.txt", "ONE = 1\n");
    assert_eq!(package.build().generated, one("tables/p10/new.txt"));
    assert!(std::fs::read_to_string(out("mod.rs")).unwrap().contains("pub mod p10 {\n    pub mod new;"));

    package.remove("tables/p10/new.txt");
    assert_eq!(package.build().generated.len(), 0);
    assert!(package.printed().contains("genti: 0 generated, 200 unchanged, 1 removed\n"));
    assert!(!out("p10").exists());
    assert!(!std::fs::read_to_string(out("mod.rs")).unwrap().contains("p10"));

    let before = std::fs::read_to_string(out("p04/t04.rs")).unwrap();
    package.edit("tables/p04/t04.txt", "SECOND = 7056", "SECOND = many");
    package.edit("tables/p04/t05.txt", "FIRST = 85\n", "FIRST\n");
    let printed = package.fails(&mut package.cargo(&["build"]));
    let bad = "error: build-rust@0.1.0: tables/p04/t04.txt:2: `many`: invalid digit found in string\n\
               error: build-rust@0.1.0: tables/p04/t05.txt:1: this is not `name = number`\n";
    assert!(printed.contains(bad), "{printed}");
    assert_eq!(
        std::fs::read_to_string(out("p04/t04.rs")).unwrap(),
        before,
        "an invalid input must not change the output"
    );

    package.edit("tables/p04/t04.txt", "SECOND = many", "SECOND = 7056");
    package.edit("tables/p04/t05.txt", "FIRST\n", "FIRST = 85\n");
    assert_eq!(package.build().generated.len(), 0, "a reverted input is unchanged");
}

#[test]
fn a_changed_script_or_variable_regenerates_everything() {
    let package = Package::of("build-rust", "package");
    package.build();
    let mut with_prefix = package.cargo(&["check"]);
    with_prefix.env("TABLES_PREFIX", "X_");
    package.edit("src/lib.rs", "FIRST + tables::p09::t19::SECOND", "X_FIRST");
    assert_eq!(package.run(&mut with_prefix).generated.len(), 200);
    assert_eq!(package.run(&mut with_prefix).generated.len(), 0);
    package.edit("build.rs", "// From {}.", "// Made from {}.");
    assert_eq!(package.run(&mut with_prefix).generated.len(), 200);
    let module = std::fs::read_to_string(package.out_dir().join("p00/t00.rs")).unwrap();
    assert!(module.starts_with("// Made from tables/p00/t00.txt.\npub const X_FIRST"), "{module}");
}

#[test]
fn errors_are_plain_text_for_old_versions_of_cargo() {
    let package = Package::of("build-rust", "package");
    package.build();
    package.edit("tables/p00/t00.txt", "FIRST = 0", "FIRST = zero");
    let old = package.beside("old-cargo");
    let state = |name: &str| package.beside(name);
    std::fs::write(&old, "#!/bin/sh\necho 'cargo 1.83.0 (5ffbef321 2024-10-29)'\n").unwrap();
    std::fs::set_permissions(&old, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();

    let message = "tables/p00/t00.txt:1: `zero`: invalid digit found in string\n";
    let now = package.script(&state("now")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&now.stdout), format!("cargo::error={message}"));
    let old = package.script(&state("old")).env("CARGO", old).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&old.stderr), format!("error: {message}"));
    assert_eq!((old.stdout.len(), old.status.code()), (0, Some(1)));
    // Cargo rejects `cargo::` in packages with this `rust-version`.
    let stated = package.script(&state("stated")).env("CARGO_PKG_RUST_VERSION", "1.70").output().unwrap();
    assert_eq!((stated.stdout.len(), stated.stderr.is_empty()), (0, false));
}
