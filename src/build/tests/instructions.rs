//! Tests of instructions for cargo.

use super::*;

/// Returns the instructions of a build, without those about when to run the script.
fn given(package: &Package, plan: &Plan<'_>) -> Vec<String> {
    let lines = package.lines(plan).unwrap().lines;
    let lines =
        lines.lines().filter(|line| line.starts_with("cargo:") && !line.starts_with("cargo:rerun-if"));
    lines.map(str::to_owned).collect()
}

#[test]
fn instructions_of_skipped_units_are_given_again_in_the_order_of_the_inputs() {
    let package = Package::new(&[("in/a.x", "a"), ("in/b.x", "b")]);
    let plan = plan().inputs("in/*.x").each(|input, out| {
        out.link_lib(format!("static={}", input.text()?))?;
        out.link_search("native=/lib")?;
        out.rustc_env(&format!("TEXT_{}", input.stem()), input.text()?)?;
        out.check_cfg("cfg(fast)")?;
        out.cfg("fast")?;
        out.link_arg("-s")?;
        out.metadata("include", "inc")?;
        out.warning(format!("{}:\n\nlook", input.stem()));
        Ok(())
    });
    let of = |name: &str, text: &str| {
        vec![
            format!("cargo:rustc-link-lib=static={text}"),
            "cargo:rustc-link-search=native=/lib".to_owned(),
            format!("cargo:rustc-env=TEXT_{name}={text}"),
            "cargo:rustc-check-cfg=cfg(fast)".to_owned(),
            "cargo:rustc-cfg=fast".to_owned(),
            "cargo:rustc-link-arg=-s".to_owned(),
            "cargo:include=inc".to_owned(),
            format!("cargo:warning={name}:"),
            "cargo:warning=  ".to_owned(),
            "cargo:warning=  look".to_owned(),
        ]
    };
    let expected = |b: &str| {
        let mut lines = of("a", "a");
        lines.extend(of("b", b).into_iter().filter(|line| !of("a", "a").contains(line)));
        lines
    };
    assert_eq!(given(&package, &plan), expected("b"));
    assert_eq!(package.run(&plan), counts(0, 2, 0));
    assert_eq!(given(&package, &plan), expected("b"));
    package.write("in/b.x", "other");
    assert_eq!(given(&package, &plan), expected("other"));
    assert_eq!(package.run(&plan), counts(0, 2, 0));
    package.remove("in/b.x");
    assert_eq!(given(&package, &plan), of("a", "a"));
}

#[test]
fn instructions_that_cargo_cannot_read_are_errors() {
    let package = Package::new(&[]);
    let check = |give: fn(&mut Output<'_>) -> Result<(), Error>, expected: &str| {
        let error = package.error(&plan().once(give));
        assert!(error.contains(expected), "{error:?} does not say {expected:?}");
    };
    check(|out| out.rustc_env("A", "two\nlines"), "cargo can't read a value with a line break");
    check(|out| out.rustc_env("A", "space "), "whitespace at its end");
    check(|out| out.rustc_env("A=B", ""), "invalid name of an environment variable");
    check(|out| out.metadata("rustc-cfg", "x"), "invalid key of metadata");
    check(|out| out.metadata("warning", "x"), "invalid key of metadata");
}

#[test]
fn a_variable_with_two_values_is_an_error() {
    let package = Package::new(&[("in/a.x", "1"), ("in/b.x", "1")]);
    let plan = plan().inputs("in/*.x").each(|input, out| out.rustc_env("NUMBER", input.text()?));
    assert_eq!(given(&package, &plan), ["cargo:rustc-env=NUMBER=1"]);
    package.write("in/b.x", "2");
    let expected = "`NUMBER` is set to different values: from in/a.x and in/b.x";
    assert_eq!(package.error(&plan), expected);
    // Also if both units are skipped.
    assert_eq!(package.error(&plan), expected);
}

#[test]
fn a_unit_with_instructions_runs_again_in_another_directory() {
    let mut package = Package::new(&[("in/a.x", "a"), ("in/b.x", "b")]);
    let plan = plan().inputs("in/*.x").each(|input, out| {
        if input.stem() == "a" {
            out.link_search(format!("native={}", out.out_dir().display()))?;
        }
        out.write(input.with_extension("out"), input.bytes())
    });
    assert_eq!(package.run(&plan), counts(2, 0, 0));
    let moved = package.place.out.with_file_name("moved");
    fs::rename(&package.place.out, &moved).unwrap();
    package.place.out = moved.clone();
    assert_eq!(given(&package, &plan), [format!("cargo:rustc-link-search=native={}", moved.display())]);
    assert_eq!(package.run(&plan), counts(0, 2, 0));
}

#[test]
fn instructions_of_a_checked_in_plan_are_errors() {
    let package = Package::new(&[("in/a.x", "a"), ("gen/a.out", "a")]);
    let plan = |is_warning: bool| {
        plan().inputs("in/*.x").checked_in("gen").each(move |input, out| {
            if is_warning {
                out.warning("look")
            } else {
                out.cfg("fast")?
            }
            out.write(input.with_extension("out"), input.bytes())
        })
    };
    assert_eq!(given(&package, &plan(true)), ["cargo:warning=look"]);
    package.write("in/a.x", "changed");
    let error = package.error(&plan(false));
    assert!(error.starts_with("in/a.x: `cargo:rustc-cfg=fast` would be missing"), "{error}");
}
