//! Tests of generators without inputs, of generators that read outputs of others, and of several plans.

use super::*;

#[test]
fn a_generator_without_inputs_runs_again_if_a_dependency_changes() {
    let package = Package::new(&[("HEAD", "1")]);
    let with_key = |key: &str| {
        plan().key(key).once(|out| {
            let head = out.read_text("HEAD")?;
            out.write("head.rs", head)
        })
    };
    package.let_time_pass();
    assert_eq!(package.run(&with_key("1")), counts(1, 0, 0));
    assert_eq!(package.run(&with_key("1")), counts(0, 1, 0));
    assert_eq!(package.run(&with_key("2")), counts(1, 0, 0));
    package.write("HEAD", "2");
    package.let_time_pass();
    assert_eq!(package.run(&with_key("2")), counts(1, 0, 0));
    assert_eq!(package.outputs()["head.rs"], "2");
}

/// Copies each input, joins the copies, and counts the bytes of the joined file.
fn joined() -> Plan<'static> {
    copy("in/**/*.x")
        .outputs("**/*.out")
        .exclude("skip/**")
        .all(|copies, out| {
            let texts = copies.iter().map(|copy| Ok(format!("{}={}\n", copy.path().display(), copy.text()?)));
            out.write("all", texts.collect::<Result<String, Error>>()?)
        })
        .outputs("all")
        .each(|all, out| out.write("len", fs::read(all.place())?.len().to_string()))
}

#[test]
fn a_later_generator_reads_the_outputs_of_earlier_ones() {
    let package = Package::new(&[("in/a.x", "a"), ("in/d/b.x", "b"), ("in/skip/c.x", "c")]);
    assert_eq!(package.run(&joined()), counts(5, 0, 0));
    assert_eq!((&*package.outputs()["all"], &*package.outputs()["len"]), ("a.out=a\nd/b.out=b\n", "18"));
    assert_eq!(package.run(&joined()), counts(0, 5, 0));
    package.write("in/skip/c.x", "other");
    assert_eq!(package.run(&joined()), counts(1, 4, 0));
    package.write("in/a.x", "z");
    // The joined file has another text of the same length.
    assert_eq!(package.run(&joined()), counts(3, 2, 0));
    assert_eq!(package.outputs()["all"], "a.out=z\nd/b.out=b\n");
    package.remove("in/d/b.x");
    assert_eq!(package.run(&joined()), counts(2, 2, 1));
    assert_eq!((&*package.outputs()["all"], &*package.outputs()["len"]), ("a.out=z\n", "8"));
    let manifest = fs::read_to_string(package.place.out.join(".genti/manifest.json")).unwrap();
    let len = r#"{"discovered":[],"inputs":["in/a.x"],"outputs":[{"bytes":1,"path":"len"}]}"#;
    assert!(manifest.contains(len), "{manifest}");

    // An error in the first stage leaves the later ones alone.
    package.write("in/a.x", "fail");
    assert_eq!(package.error(&joined()), "in/a.x:1: it says so");
    assert_eq!(package.outputs()["all"], "a.out=z\n");
    // A change of an output counts as well.
    package.write("in/a.x", "z");
    fs::write(package.place.out.join("all"), "").unwrap();
    assert_eq!(package.run(&joined()), counts(1, 3, 0));
}

#[test]
fn a_later_generator_may_depend_on_outputs_of_earlier_ones_only() {
    let package = Package::new(&[("in/a.x", "a")]);
    let out_dir = package.place.out.clone();
    let reading = |name: &'static str| {
        let path = out_dir.join(name);
        copy("in/*.x").outputs("a.out").each(move |_, out| {
            out.depends_on(&path)?;
            out.write("later", "x")
        })
    };
    package.run(&reading("a.out")).unwrap();
    let done = package.lines(&reading("a.out")).unwrap();
    assert_eq!(done.summary, counts(0, 2, 0).unwrap());
    assert!(!done.lines.contains(&package.place.out.display().to_string()), "{}", done.lines);
    package.write("in/a.x", "b");
    let error = package.error(&reading("later"));
    assert!(error.contains("this input is also an output"), "{error}");
}

#[test]
fn optional_inputs_may_be_missing_and_are_found_when_they_appear() {
    let package = Package::new(&[("in/a.x", "a"), ("src/lib.rs", "")]);
    let optional = |pattern: &str| {
        plan()
            .optional_inputs(pattern)
            .each(|input, out| out.write(input.with_extension("out"), input.bytes()))
    };
    for (pattern, watched) in [
        ("in/*.y", "in"),
        ("in/b/*.y", "in"),
        ("in/b/c.y", "in"),
        ("no/*.y", "."),
        ("c.y", "."),
        ("../no/c.y", "../no/c.y"),
        ("in/b/{c,d}.y", "in"),
    ] {
        let done = package.lines(&optional(pattern)).unwrap();
        assert_eq!(done.summary, counts(0, 0, 0).unwrap(), "{pattern}");
        let expected =
            format!("genti: 0 generated, 0 unchanged, 0 removed\ncargo:rerun-if-changed={watched}\n");
        assert_eq!(done.lines, expected, "{pattern}");
    }
    package.write("in/b/c.y", "c");
    assert_eq!(package.run(&optional("in/b/{c,d}.y")), counts(1, 0, 0));
}

#[test]
fn excluded_files_and_alternatives_select_inputs() {
    let files = ["in/a.c", "in/b.cc", "in/c.txt", "in/vendor/d.c", "top.c", "top.h"];
    let package = Package::new(&files.map(|path| (path, "")));
    let names = |plan: Plan<'_>| {
        package.run(&plan.each(|input, out| out.write(format!("{}.o", input.path().display()), ""))).unwrap();
        package.names()
    };
    assert_eq!(names(plan().inputs("in/**/*.{c,cc}").exclude("in/vendor/**")), ["in/a.c.o", "in/b.cc.o"]);
    assert_eq!(names(plan().inputs("in/*.{c,cc,cpp}")), ["in/a.c.o", "in/b.cc.o"]);
    // The target directory is not in this package.
    assert_eq!(names(plan().inputs("*.{c,h}")), ["top.c.o", "top.h.o"]);
    assert_eq!(names(plan().inputs("{top.c,in/*.txt}")), ["in/c.txt.o", "top.c.o"]);
}

#[test]
fn the_package_directory_cannot_be_watched_if_it_contains_the_target_directory() {
    let mut package = Package::new(&[("a.x", "")]);
    package.place.out = package.place.root.join("target/out");
    fs::create_dir_all(&package.place.out).unwrap();
    let error = package.error(&copy("*.x"));
    assert!(error.contains("matches files in the package directory, which contains OUT_DIR"), "{error}");
    assert_eq!(package.run(&copy("{a,a}.x")), counts(1, 0, 0));
    let done = package.lines(&plan().optional_inputs("b.x").each(|_, _| Ok(()))).unwrap();
    assert!(done.lines.contains("cargo:rerun-if-changed=b.x\n"), "{}", done.lines);
}

#[test]
fn plans_have_outputs_of_their_own() {
    let mut package = Package::new(&[("one/a.x", "a"), ("two/b.x", "b")]);
    let of = |name: &str| {
        let plan = Plan::named(name).inputs(format!("{name}/*.x"));
        plan.each(|input, out| out.write(input.with_extension("out"), input.bytes()))
    };
    assert_eq!(package.run(&of("one")), counts(1, 0, 0));
    assert_eq!(package.run(&of("two")), counts(1, 0, 0));
    assert_eq!(package.run(&plan().inputs("one/*.x").exclude("one/*").each(|_, _| Ok(()))), counts(0, 0, 0));
    assert_eq!(package.run(&of("one")), counts(0, 1, 0));
    assert_eq!(package.run(&of("two")), counts(0, 1, 0));
    assert_eq!(package.names(), ["a.out", "b.out"]);

    package.write("two/a.x", "");
    assert_eq!(
        package.error(&of("two")),
        "failed to write the output `a.out`: the plan `one` also writes it"
    );
    package.remove("two/a.x");

    // Another script has only one of the plans.
    package.place.program = Some(Fingerprint::of(b"another"));
    assert_eq!(package.run(&of("two")), counts(1, 0, 0));
    assert_eq!(package.names(), ["b.out"]);
    let plans = fs::read_dir(package.place.out.join(".genti/plans")).unwrap();
    assert_eq!(plans.map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>(), ["two"]);
    package.place.program = Some(Fingerprint::of(b"third"));
    assert_eq!(package.run(&copy("one/*.x")), counts(1, 0, 0));
    assert_eq!(package.names(), ["a.out"]);
}

#[test]
fn state_of_an_earlier_version_is_a_clean_build() {
    let package = Package::new(&[("in/a.x", "a")]);
    package.run(&copy("in/*.x")).unwrap();
    let state = package.place.out.join(".genti");
    fs::remove_file(state.join("units/program")).unwrap();
    for entry in fs::read_dir(state.join("units")).unwrap() {
        // The first format began like this.
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let end = bytes.len() - 8;
        let mut older = [b"genti-unit-1\n", &bytes[13..end]].concat();
        older.extend(Fingerprint::of(&older).0);
        fs::write(path, older).unwrap();
    }
    assert_eq!(package.run(&copy("in/*.x")), counts(1, 0, 0));
    assert_eq!(package.run(&copy("in/*.x")), counts(0, 1, 0));
}
