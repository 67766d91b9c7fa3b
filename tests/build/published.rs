//! Tests of packages with checked-in files that are dependencies of others.

use std::process::Command;

use crate::support::{Package, as_read_only, manifest_of, text, tree};

/// Dependency on `genti` as in a published package.
const VERSION: &str = "version = \"0.9\"";

/// Creates a package with the path dependency `../package`, in a workspace of its own.
fn dependent(package: &Package) {
    let dependency = "[dependencies]\nbuild-checked-in = { path = \"../package\" }\n[workspace]\n";
    let manifest =
        format!("[package]\nname = \"dependent\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{dependency}");
    package.write("../dependent/Cargo.toml", &manifest);
    package.write("../dependent/src/lib.rs", "pub use build_checked_in::*;");
    let lock = |dir: &str| package.root.join(dir).join("Cargo.lock");
    std::fs::copy(lock("."), lock("../dependent")).unwrap();
}

#[test]
fn a_mismatch_fails_the_workspace_of_the_package_but_not_its_dependents() {
    let package = Package::of("build-checked-in", "package");
    dependent(&package);
    package.write("states/door.txt", "Open Closed Ajar\n");
    let before = tree(&package.root);
    let build = || {
        let mut build = package.cargo(&["build"]);
        // The default target directory, which lies in the workspace that is built.
        build.current_dir(package.root.join("../dependent")).env_remove("CARGO_TARGET_DIR");
        build
    };
    package.run(&mut build());
    assert_eq!(tree(&package.root), before);
    let printed = package.fails(package.cargo(&["build"]).env_remove("CARGO_TARGET_DIR"));
    assert!(printed.contains("src/generated/door.rs:5: this differs from the generated file"), "{printed}");
    std::fs::remove_dir_all(package.root.join("target")).unwrap();

    // As a member of the same workspace, the package is checked.
    package.edit("Cargo.toml", "\n[workspace]\n", "");
    package.edit("../dependent/Cargo.toml", "[workspace]", "[workspace]\nmembers = [\"../package\"]");
    package.edit("Cargo.toml", "publish = false", "publish = false\nworkspace = \"../dependent\"");
    let printed = package.fails(&mut build());
    assert!(printed.contains("src/generated/door.rs:5: this differs from the generated file"), "{printed}");
    // Naming the package updates it in any build.
    package.run(build().env("GENTI_BUILD_ACCEPT", "build-checked-in"));
    package.run(&mut build());
}

#[test]
fn a_published_package_builds_read_only_without_the_inputs_of_its_generator() {
    let package = Package::of("build-checked-in", "package");
    let manifest = manifest_of("build-checked-in", "exclude = [\"states\"]");
    let path = format!("path = {:?}", env!("CARGO_MANIFEST_DIR"));
    package.write("Cargo.toml", &manifest.replace(&path, VERSION));
    let patch = format!("[patch.crates-io]\ngenti = {{ {path} }}\n");
    package.write("../.cargo/config.toml", &patch);
    package.run(&mut package.cargo(&["package", "--offline", "--no-verify", "--allow-dirty"]));
    let archive = package.beside("target/package/build-checked-in-0.1.0.crate");
    let mut tar = Command::new("tar");
    tar.arg("-xf").arg(archive).current_dir(package.beside("."));
    let output = tar.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));

    let root = package.beside("build-checked-in-0.1.0");
    assert!(!root.join("states").exists());
    // An edited file differs from what the generator writes, but nothing can compare it.
    let before = tree(&root);
    let mut build = package.cargo(&["build", "--locked", "--offline"]);
    build.current_dir(&root);
    let mut build = as_read_only(&build, &root).unwrap_or(build);
    let output = build.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(!text(&output).contains("warning"), "{}", text(&output));
    assert_eq!(tree(&root), before);

    std::fs::remove_dir_all(root.join("src/generated")).unwrap();
    let mut build = package.cargo(&["build", "--locked", "--offline"]);
    let printed = package.fails(build.current_dir(&root));
    let expected =
        "src/generated: this directory is missing and cannot be generated: this package is a dependency";
    assert!(printed.contains(expected), "{printed}");
}
