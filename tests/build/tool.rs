//! Tests of a generator that calls an external program.

use crate::support::Package;

#[test]
fn a_tool_writes_files_and_reports_their_dependencies() {
    let package = Package::of("build-tool", "package");
    let generated = |package: &Package| -> Vec<String> {
        let printed = package.printed();
        let lines = printed.lines().filter_map(|line| line.strip_prefix("genti: generated from "));
        lines.map(str::to_owned).collect()
    };
    package.build();
    assert_eq!(generated(&package), ["lists/all.list", "lists/colours.list", "lists/metals.list"]);
    let all = std::fs::read_to_string(package.out_dir().join("all.rs")).unwrap();
    assert_eq!(all, "pub const WORDS: &[&str] = &[\n    \"cat\",\n    \"dog\",\n    \"stone\",\n];\n");
    assert!(!package.out_dir().join("deps.d").exists());

    // A dependency that only the dependency file lists.
    package.write("lists/animals.inc", "owl\n");
    package.build();
    assert_eq!(generated(&package), ["lists/all.list"]);
    assert!(std::fs::read_to_string(package.out_dir().join("all.rs")).unwrap().contains("\"owl\""));

    // A dependency of all units.
    package.edit("to_rust.awk", "pub const WORDS", "pub static WORDS");
    package.build();
    assert_eq!(generated(&package).len(), 3);

    // A different tool with the same name.
    let wrapper = package.beside("awk");
    std::fs::write(&wrapper, "#!/bin/sh\nexec awk \"$@\"\n").unwrap();
    std::fs::set_permissions(&wrapper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut with_wrapper = package.cargo(&["build"]);
    with_wrapper.env("AWK", &wrapper);
    package.run(&mut with_wrapper);
    assert_eq!(generated(&package).len(), 3);
    std::fs::write(&wrapper, "#!/bin/sh\n# Another version.\nexec awk \"$@\"\n").unwrap();
    package.run(&mut with_wrapper);
    assert_eq!(generated(&package).len(), 3);

    package.write("lists/metals.list", "iron\n12\n");
    let printed = package.fails(&mut with_wrapper);
    assert!(printed.contains("lists/metals.list:2: `awk` failed (exit status: 1):"), "{printed}");
    assert!(printed.contains("error: build-tool@0.1.0:   lists/metals.list:2: not a word: 12"), "{printed}");
    assert!(std::fs::read_to_string(package.out_dir().join("metals.rs")).unwrap().contains("zinc"));
}

#[test]
fn a_missing_tool_is_reported_with_how_to_install_it() {
    let package = Package::of("build-tool", "package");
    let printed = package.fails(package.cargo(&["build"]).env("AWK", "/nowhere/awk"));
    assert!(
        printed.contains("error: build-tool@0.1.0: `awk` was not found: AWK is set to /nowhere/awk"),
        "{printed}"
    );
    assert!(printed.contains("error: build-tool@0.1.0:   to install it: apt install mawk"), "{printed}");
    let printed = package.fails(package.script(&package.beside("out")).env("PATH", "relative:/nowhere"));
    assert!(printed.contains("`awk` was not found in PATH, and AWK is not set"), "{printed}");
}
