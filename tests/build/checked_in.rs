//! Tests of generated files that are checked in.

use crate::support::{Package, tree};

#[test]
fn checked_in_files_are_compared_but_never_written_by_a_build() {
    let package = Package::of("build-checked-in", "package");
    package.build();
    let ran_at = package.ran_at();
    package.build();
    assert_eq!(package.ran_at(), ran_at, "an up-to-date build must not run the script");

    package.write("states/door.txt", "Open Closed Ajar\n");
    let before = tree(&package.root);
    for _ in 0..2 {
        let printed = package.fails(&mut package.cargo(&["build"]));
        let told = "src/generated/door.rs:5: this differs from the generated file\n";
        assert!(printed.contains(told), "{printed}");
        let way_out = "GENTI_BUILD_ACCEPT=build-checked-in cargo build -p build-checked-in";
        assert!(printed.contains(way_out), "{printed}");
        assert_eq!(tree(&package.root), before);
    }
    package.fails(package.cargo(&["build"]).env("GENTI_BUILD_ACCEPT", "1"));
    assert_eq!(tree(&package.root), before);

    package.run(package.cargo(&["build"]).env("GENTI_BUILD_ACCEPT", "build-checked-in"));
    let door = std::fs::read_to_string(package.root.join("src/generated/door.rs")).unwrap();
    assert!(door.contains("    Closed,\n    Ajar,\n"), "{door}");
    assert!(tree(&package.root).keys().eq(before.keys()));
    package.build();
    let ran_at = package.ran_at();
    package.build();
    assert_eq!(package.ran_at(), ran_at);

    // Manual edits are detected, and so are files that are no longer generated.
    package.edit("src/generated/light.rs", "Amber", "Yellow");
    package.remove("states/water.txt");
    let printed = package.fails(&mut package.cargo(&["build"]));
    assert!(printed.contains("src/generated/light.rs:4: this is not"), "{printed}");
    assert!(printed.contains("src/generated/water.rs: nothing generates this file: delete it"), "{printed}");
}
