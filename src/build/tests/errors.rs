//! Tests of error messages.

use super::*;

#[test]
fn errors_do_not_depend_on_the_order_of_execution() {
    let package = Package::new(&[("in/a.x", "1"), ("in/b.x", "2"), ("in/c.x", "3"), ("in/d.x", "4")]);
    let all_to =
        |name: &'static str| plan().inputs("in/*.x").each(move |input, out| out.write(name, input.bytes()));
    for _ in 0..20 {
        let error = package.error(&all_to("same"));
        assert_eq!(
            error,
            "the output `same` is written more than once: from in/a.x and in/b.x and in/c.x and in/d.x"
        );
    }
    // The unit that wrote the file last time has no priority.
    assert!(package.error(&all_to("same")).contains("written more than once"));
}

#[test]
fn outputs_that_conflict_on_some_system_are_errors() {
    let check = |names: &[&str], expected: &str| {
        let plan = plan().inputs("in/a.x").include("mod.rs");
        let plan = plan.each(|_, out| names.iter().try_for_each(|name| out.write(name, "")));
        assert_eq!(Package::new(&[("in/a.x", "")]).error(&plan), expected);
    };
    let on_some = "are the same file on some systems";
    check(&["Foo.rs", "foo.rs"], &format!("the outputs `Foo.rs` and `foo.rs` {on_some}"));
    check(&["A/x", "a/y"], &format!("the outputs `A` and `a` {on_some}"));
    check(&["same", "same"], "in/a.x: the output `same` is written twice");
    let stay = "it must be a relative path below OUT_DIR";
    check(&["../x"], &format!("in/a.x: invalid output name `../x`: {stay}"));
    check(&["x", "mod.rs"], "the output `mod.rs` is written twice: by a generator and by `include`");
}

#[test]
fn an_input_that_is_read_twice_or_written_is_an_error() {
    let package = Package::new(&[("in/a.x", "a"), ("in/b.x", "b")]);
    let error = package.error(&copy("in/*.x").inputs("in/*.x").inputs("in/a.x").each(|_, _| Ok(())));
    assert_eq!(error, "in/a.x: this file is read twice: both `in/*.x` and `in/a.x` match it");
    // Two generators may read the same file.
    let plan = copy("in/*.x").inputs("in/a.x").each(|_, out| out.write("again", ""));
    assert_eq!(package.run(&plan), counts(3, 0, 0));

    let into_itself = plan_into_itself(&package.place.out);
    fs::create_dir_all(package.place.out.join("mine")).unwrap();
    fs::write(package.place.out.join("mine/a"), "").unwrap();
    assert!(package.error(&into_itself).contains("this input is also an output"));
}

fn plan_into_itself(out: &std::path::Path) -> Plan<'static> {
    let input = format!("{}/mine/a", out.display());
    plan().inputs(input).each(|_, out| out.write("mine/a", "x"))
}

#[test]
fn every_mistake_in_a_plan_is_reported_with_a_fix() {
    let package = Package::new(&[("in/a.x", ""), ("top.x", "")]);
    let check = |plan: Plan<'_>, expected: &str| {
        let error = package.error(&plan);
        assert!(error.contains(expected), "{error:?} does not say {expected:?}");
    };
    check(copy("in/*.y"), "no file matches `in/*.y`");
    check(copy("no/*.y"), "the directory `no` does not exist");
    check(copy("in"), "it is a directory; use `in/**` for its files");
    check(copy("in/[ab].x"), "the only wildcards are `*`, `?`, `**` and `{a,b}`");
    check(copy("in/{a,b}.x"), "no file matches `in/b.x`; if that is not a mistake, use `optional_inputs`");
    check(copy("in/{a.x"), "a `{` has no matching `}`");
    check(copy("../**"), "a directory that contains OUT_DIR");
    check(plan(), "the plan is empty");
    check(plan().inputs("in/a.x"), "call `each`, `all` or `batch` after `inputs`");
    check(plan().each(|_, _| Ok(())), "call `inputs` before `each`");
    check(plan().inputs("in/a.x").batch(0, |_, _| Ok(())), "use `all` for a single batch");
    check(plan().inputs("in/a.x").once(|_| Ok(())), "`once` has no inputs, but `in/a.x` comes before it");
    check(
        plan().outputs("*.o").all(|_, _| Ok(())),
        "no generator comes before the one with the outputs `*.o`",
    );
    check(Plan::named("a/b").once(|_| Ok(())), "invalid name of a plan");
    check(copy("in/a.x").env("A=B"), "invalid name of an environment variable");
    check(copy("in/a.x").checked_in("../x"), "must be a directory of the package");
    check(copy("in/a.x").checked_in("gen").include("all.rs"), "must be `mod.rs`");
    check(copy("in/a.x").tool(Tool::find("no-such-tool").hint("look under the sofa")), "look under the sofa");
    let both = package.error(&copy("no/x").tool(Tool::find("no-such-tool")));
    assert!(both.contains("`no-such-tool` was not found") && both.contains("no file matches"), "{both}");
    check(
        plan().inputs("in/a.x").each(|_, out| out.command("cc").map(drop)),
        "add `.tool(Tool::find(\"cc\"))`",
    );
    check(
        copy("in/a.x").outputs("*.o").all(|_, _| Ok(())),
        "no output of an earlier generator matches `*.o`",
    );
    // A file name without wildcards can be watched.
    assert_eq!(package.run(&copy("top.x")), counts(1, 0, 1));
}

#[test]
fn names_that_cargo_cannot_watch_are_errors() {
    if cfg!(windows) {
        return;
    }
    for name in ["in/a\nb.x", "in/a.x "] {
        let package = Package::new(&[(name, "")]);
        assert!(package.error(&copy("in/*")).contains("cargo can't watch"), "{name:?}");
    }
    #[cfg(unix)]
    {
        let package = Package::new(&[("in/a.x", "")]);
        std::os::unix::fs::symlink("nowhere", package.place.root.join("in/b.x")).unwrap();
        assert!(package.error(&copy("in/*.x")).starts_with("in/b.x: broken symbolic link"));
    }
}

#[test]
fn a_failed_unit_keeps_its_old_outputs_and_the_others_are_done() {
    let package = Package::new(&[("in/a.x", "a"), ("in/b.x", "b"), ("in/c.x", "c")]);
    let plan = copy("in/*.x");
    package.run(&plan).unwrap();
    package.write("in/a.x", "new");
    package.write("in/b.x", "fail");
    package.write("in/c.x", "fail");
    assert_eq!(package.error(&plan), "in/b.x:1: it says so\nin/c.x:1: it says so");
    let outputs = package.outputs();
    assert_eq!((&*outputs["a.out"], &*outputs["b.out"]), ("new", "b"));
    package.write("in/b.x", "b");
    package.remove("in/c.x");
    assert_eq!(package.run(&plan), counts(0, 2, 1));
}

#[test]
fn a_panic_in_a_generator_is_an_error_of_its_input() {
    let package = Package::new(&[("in/a.x", "a"), ("in/b.x", "b")]);
    let plan = plan().inputs("in/*.x").each(|input, out| {
        assert!(input.stem() != "a", "no {}", "a");
        out.write(input.with_extension("out"), "")
    });
    assert_eq!(package.error(&plan), "in/a.x: the generator panicked: no a");
    assert_eq!(package.names(), ["b.out"]);
}

#[test]
#[cfg(unix)]
fn output_of_a_failed_program_is_shown_up_to_a_limit() {
    let mut package = Package::new(&[("in/a.x", ""), ("in/b.x", "")]);
    package.set_env(&[("SH", "/bin/sh")]);
    let plan = plan().inputs("in/*.x").tool(Tool::find("sh").env("SH")).each(|input, out| {
        let script = if input.stem() == "a" { "seq 1 60 >&2; exit 3" } else { "exit 4" };
        out.run(out.command("sh")?.args(["-c", script])).map(drop)
    });
    let error = package.error(&plan);
    assert!(error.starts_with("in/a.x: `sh` failed (exit status: 3):\n1\n2\n"), "{error}");
    assert!(error.contains("\n50\n(and 10 more lines)\n"), "{error}");
    assert!(error.ends_with("in/b.x: `sh` failed (exit status: 4):\n(no output)"), "{error}");
}

#[test]
fn a_script_runs_only_one_plan_without_a_name() {
    // Outside a build script, the first one fails because OUT_DIR is usually not set.
    let _ = copy("in/*.x").try_run();
    assert!(copy("in/*.x").try_run().unwrap_err().to_string().contains("use `Plan::named`"));
}

#[test]
fn a_missing_template_is_not_blamed_on_the_input() {
    let package = Package::new(&[("in/a.x", "a"), ("in/b.x", "b")]);
    let with = |how: fn(&mut Output<'_>) -> Result<(), Error>| {
        package.error(&plan().inputs("in/a.x").each(move |_, out| how(out)))
    };
    let template = fs::read("no/such/template").unwrap_err();
    assert_eq!(
        with(|out| out.write("copy", fs::read("no/such/template")?)),
        format!("while generating from in/a.x: {template}")
    );
    assert!(with(|out| out.read("t/template").map(drop)).starts_with("t/template: "));
    assert!(with(|out| out.read_text("t/template").map(drop)).starts_with("t/template: "));
    // Errors about the content are still errors in the input.
    let number = with(|out| out.write("number", ["x".parse::<u8>()?]));
    assert!(number.starts_with("in/a.x: invalid digit"));
    assert_eq!(package.error(&plan().once(|_| Err(Error::new("why")))), "why");
}

#[test]
fn an_error_names_the_file_that_the_compiler_named() {
    let package = Package::new(&[("in/d/a.x", ""), ("in/d/b.x", ""), ("inc/c.h", "")]);
    let check = |message: &'static str, expected: &str| {
        let plan = plan().inputs("in/**/*.x").all(move |_, _| Err(Error::new(message)));
        assert_eq!(package.error(&plan), expected);
    };
    check("`protoc` failed:\nd/b.x:12:3: bad", "in/d/b.x:12:3: `protoc` failed:\nd/b.x:12:3: bad");
    check("b.x: File not found.", "in/d/b.x: b.x: File not found.");
    check("/abs/in/d/a.x:7: bad", "in/d/a.x:7: /abs/in/d/a.x:7: bad");
    check("a.x: because of\nb.x:3: this", "in/d/b.x:3: a.x: because of\nb.x:3: this");
    check("inc/c.h:2:1: bad", "inc/c.h:2:1: inc/c.h:2:1: bad");
    // Neither names an input.
    check("x: bad", "while generating from in/d/a.x and 1 more: x: bad");
    check("note: bad 1:2:", "while generating from in/d/a.x and 1 more: note: bad 1:2:");
}
