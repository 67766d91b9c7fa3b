//! Tests of checked-in files.

use super::*;

#[test]
fn checked_in_files_are_compared_and_updated_only_for_a_named_package() {
    let mut package = Package::new(&[("in/a.x", "a\n"), ("in/b.x", "b\n"), ("gen/a.out", "a\r\n")]);
    package.set_env(&[("CARGO_PKG_NAME", "mine")]);
    let plan = || copy("in/*.x").checked_in("gen");
    assert_eq!(
        package.error(&plan()),
        "gen/b.out: this generated file is missing\n\
         to update `gen`, run GENTI_BUILD_ACCEPT=mine cargo build -p mine"
    );
    package.set_env(&[("CARGO_PKG_NAME", "mine"), ("GENTI_BUILD_ACCEPT", "other")]);
    assert!(package.error(&plan()).contains("missing"));
    package.set_env(&[("CARGO_PKG_NAME", "mine"), ("GENTI_BUILD_ACCEPT", "mine")]);
    assert!(
        package
            .lines(&plan())
            .unwrap()
            .lines
            .contains("cargo:warning=genti: 1 generated files were written to gen")
    );
    package.set_env(&[("CARGO_PKG_NAME", "mine")]);
    let done = package.lines(&plan()).unwrap();
    assert!(
        done.lines.contains("cargo:rerun-if-changed=gen\ncargo:rerun-if-changed=gen/a.out\n"),
        "{}",
        done.lines
    );
    assert!(done.lines.contains("cargo:rerun-if-env-changed=GENTI_BUILD_ACCEPT\n"));
    package.write("gen/b.out", "b\nmore\n");
    package.write("gen/stranger", "");
    let error = package.error(&plan());
    assert!(error.starts_with("gen/b.out:2: this differs from the generated file\n"), "{error}");
    assert!(error.contains("gen/stranger: no generator writes this file"), "{error}");
    assert_eq!(fs::read_to_string(package.place.root.join("gen/b.out")).unwrap(), "b\nmore\n");
    // An input in the directory of the outputs would also be an output.
    package.remove("gen/stranger");
    let plan = plan().inputs("gen/a.out").each(|_, _| Ok(()));
    assert!(package.error(&plan).contains("gen/a.out: this input is also an output"));
}

#[test]
fn without_an_optional_tool_the_checked_in_files_are_used_as_they_are() {
    let mut package = Package::new(&[("in/a.x", "a"), ("gen/a.out", "by hand")]);
    package.set_env(&[("CARGO_PKG_NAME", "mine")]);
    let with = |tool: Tool| copy("in/*.x").checked_in("gen").tool(tool);
    let missing = || Tool::find("no-such-tool");
    assert!(package.error(&with(missing())).contains("`no-such-tool` was not found"));
    let done = package.lines(&with(missing().optional())).unwrap();
    assert!(
        done.lines.starts_with("cargo:warning=genti: using `gen` without checking it:"),
        "{}",
        done.lines
    );
    assert!(done.lines.contains("cargo:rerun-if-changed=gen\n"), "{}", done.lines);
    assert_eq!(package.names(), [""; 0]);
    let manifest = fs::read_to_string(package.place.out.join(".genti/manifest.json")).unwrap();
    assert!(manifest.contains("\"missing_tool\":\"no-such-tool\""), "{manifest}");
    // Updating the files requires the tool.
    package.set_env(&[("CARGO_PKG_NAME", "mine"), ("GENTI_BUILD_ACCEPT", "mine")]);
    assert!(package.error(&with(missing().optional())).contains("`no-such-tool` was not found"));
    package.set_env(&[]);
    package.remove("gen/a.out");
    fs::remove_dir(package.place.root.join("gen")).unwrap();
    assert!(
        package
            .error(&with(missing().optional()))
            .starts_with("gen: this directory is missing and cannot be generated")
    );
    assert!(
        package
            .error(&copy("in/*.x").tool(missing().optional()))
            .contains("cannot be optional without `checked_in`")
    );
}
