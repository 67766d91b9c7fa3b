//! Plans that run here, with a package in a temporary directory and without cargo.

#![expect(clippy::disallowed_methods, reason = "tests make and read files")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use super::fingerprint::Fingerprint;
use super::look_up::Place;
use super::run::{Done, run};
use super::workers::Slots;
use super::*;

/// A package and its `OUT_DIR`.
struct Package {
    _dir: tempfile::TempDir,
    place: Place,
}

impl Package {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        let (root, out) = (top.join("package"), top.join("out"));
        fs::create_dir_all(&root).unwrap();
        fs::create_dir_all(&out).unwrap();
        let program = Some(Fingerprint::of(b"program"));
        let package = Self { _dir: dir, place: Place { root, out, env: BTreeMap::new(), program } };
        files.iter().for_each(|(path, text)| package.write(path, text));
        package
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.place.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.place.root.join(path)).unwrap();
    }

    /// What is in `OUT_DIR`, less what the plan keeps for itself.
    fn outputs(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        let mut open = vec![self.place.out.clone()];
        while let Some(dir) = open.pop() {
            for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
                let name = path.strip_prefix(&self.place.out).unwrap().to_str().unwrap().to_owned();
                match path.is_dir() {
                    true if name == ".genti" => {}
                    true => open.push(path),
                    false => drop(files.insert(name, fs::read_to_string(path).unwrap())),
                }
            }
        }
        files
    }

    fn names(&self) -> Vec<String> {
        self.outputs().into_keys().collect()
    }

    fn run(&self, plan: &Plan<'_>) -> Result<Summary, String> {
        self.lines(plan).map(|done| done.summary)
    }

    fn lines(&self, plan: &Plan<'_>) -> Result<Done, String> {
        run(plan, &self.place, &Slots::Fixed(2)).map_err(|errors| errors.to_string())
    }

    fn error(&self, plan: &Plan<'_>) -> String {
        match self.run(plan) {
            Ok(summary) => panic!("it went well: {summary:?}"),
            Err(error) => error.replace(&self.place.root.display().to_string(), "[ROOT]"),
        }
    }
}

/// Copies each input to an output of the same name with another extension, less one that says `fail`.
fn copy(pattern: &str) -> Plan<'static> {
    plan().inputs(pattern).each(|input, out| match input.text()? {
        "fail" => Err(input.error(1, "it says so")),
        text => out.write(input.with_extension("out"), text),
    })
}

fn counts(generated: usize, unchanged: usize, removed: usize) -> Result<Summary, String> {
    Ok(Summary { generated, unchanged, removed })
}

#[test]
fn only_what_changed_is_generated_again_and_what_is_gone_is_removed() {
    let package = Package::new(&[("in/a.x", "a"), ("in/d/b.x", "b")]);
    let plan = copy("in/**/*.x");
    assert_eq!(package.run(&plan), counts(2, 0, 0));
    assert_eq!(package.run(&plan), counts(0, 2, 0));
    package.write("in/a.x", "other");
    assert_eq!(package.run(&plan), counts(1, 1, 0));
    package.write("in/c.x", "c");
    assert_eq!(package.run(&plan), counts(1, 2, 0));
    package.remove("in/d/b.x");
    assert_eq!(package.run(&plan), counts(0, 2, 1));
    assert_eq!(package.names(), ["a.out", "c.out"]);
    assert!(!package.place.out.join("d").exists(), "an empty directory is left");
}

#[test]
fn an_output_that_was_touched_is_made_again() {
    let package = Package::new(&[("in/a.x", "a"), ("in/b.x", "b")]);
    let plan = copy("in/*.x");
    package.run(&plan).unwrap();
    fs::write(package.place.out.join("a.out"), "A").unwrap();
    fs::remove_file(package.place.out.join("b.out")).unwrap();
    assert_eq!(package.run(&plan), counts(2, 0, 0));
    assert_eq!(package.outputs()["a.out"], "a");
}

#[test]
fn an_output_that_did_not_change_is_not_written_again() {
    let package = Package::new(&[("in/a.x", "a")]);
    let plan = plan().inputs("in/*.x").each(|_, out| out.write("a.out", "always the same"));
    package.run(&plan).unwrap();
    let changed = || fs::metadata(package.place.out.join("a.out")).unwrap().modified().unwrap();
    let before = changed();
    package.write("in/a.x", "b");
    assert_eq!(package.run(&plan), counts(1, 0, 0));
    assert_eq!(changed(), before);
}

#[test]
fn all_is_generated_again_when_what_all_depends_on_changes() {
    let mut package = Package::new(&[("in/a.x", "a"), ("in/b.x", "b"), ("shared/t", "1"), ("tool", "1")]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(package.place.root.join("tool"), fs::Permissions::from_mode(0o755)).unwrap();
    }
    package.place.env.insert("TOOL".into(), "./tool".into());
    let with_key = |key: &str| {
        copy("in/*.x").depends_on("shared/*").env("VAR").tool(Tool::find("t").env("TOOL")).key(key)
    };
    let plan = with_key("1");
    let check = |package: &Package, what: &str, plan: &Plan<'_>| {
        assert_eq!(package.run(plan), counts(2, 0, 0), "{what}");
        assert_eq!(package.run(plan), counts(0, 2, 0), "{what}, then nothing");
    };
    check(&package, "the first time", &plan);
    package.place.program = Some(Fingerprint::of(b"another"));
    check(&package, "another program", &plan);
    package.place.env.insert("VAR".into(), "".into());
    check(&package, "a variable that is set and empty", &plan);
    package.place.env.insert("CARGO_CFG_TARGET_OS".into(), "x".into());
    check(&package, "another target", &plan);
    package.write("shared/t", "2");
    check(&package, "a shared file", &plan);
    package.write("shared/u", "2");
    check(&package, "one more shared file", &plan);
    package.write("tool", "2");
    check(&package, "another tool", &plan);
    check(&package, "another key", &with_key("2"));
    package.place.env.insert("UNRELATED".into(), "x".into());
    assert_eq!(package.run(&with_key("2")), counts(0, 2, 0));
    package.place.program = None;
    assert_eq!(package.run(&with_key("2")), counts(2, 0, 0), "a program that can't be read");
    assert_eq!(package.run(&with_key("2")), counts(2, 0, 0), "nor ever");
}

#[test]
fn what_a_generator_says_that_it_depends_on_counts_for_it_alone() {
    let package = Package::new(&[("in/a.x", "inc/1"), ("in/b.x", "inc/2"), ("inc/1", ""), ("inc/2", "")]);
    let plan = plan().inputs("in/*.x").each(|input, out| {
        out.depends_on(input.text()?)?;
        out.write(input.with_extension("out"), fs::read(out.root.join(input.text()?)).unwrap_or_default())
    });
    // What changed just now may change once more.
    std::thread::sleep(std::time::Duration::from_millis(30));
    assert_eq!(package.run(&plan), counts(2, 0, 0));
    let done = package.lines(&plan).unwrap();
    assert_eq!(done.summary, counts(0, 2, 0).unwrap());
    assert!(done.lines.contains("cargo:rerun-if-changed=inc/1\n"), "{}", done.lines);
    package.write("inc/2", "new");
    std::thread::sleep(std::time::Duration::from_millis(30));
    assert_eq!(package.run(&plan), counts(1, 1, 0));
    package.remove("inc/1");
    let done = package.lines(&plan).unwrap();
    assert_eq!(done.summary, counts(1, 1, 0).unwrap());
    assert!(!done.lines.contains("inc/1"), "{}", done.lines);
    package.write("inc/1", "back");
    std::thread::sleep(std::time::Duration::from_millis(30));
    assert_eq!(package.run(&plan), counts(1, 1, 0));
    assert_eq!(package.outputs()["a.out"], "back");
}

#[test]
fn an_input_that_changes_while_it_is_read_is_read_again() {
    let package = Package::new(&[("in/a.x", "a")]);
    let path = package.place.root.join("in/a.x");
    let plan = plan().inputs("in/*.x").each(|input, out| {
        if input.text()? == "a" {
            fs::write(&path, "b")?;
            // And back again in the next build: nobody may believe that `a` was done.
        }
        out.write("a.out", input.bytes())
    });
    assert_eq!(package.run(&plan), counts(1, 0, 0));
    package.write("in/a.x", "a");
    assert_eq!(package.run(&plan), counts(1, 0, 0));
}

#[test]
fn a_unit_that_fails_leaves_what_was_there_and_the_others_are_done() {
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
fn a_generator_that_panics_is_an_error_of_its_input() {
    let package = Package::new(&[("in/a.x", "a"), ("in/b.x", "b")]);
    let plan = plan().inputs("in/*.x").each(|input, out| {
        assert!(input.stem() != "a", "no {}", "a");
        out.write(input.with_extension("out"), "")
    });
    assert_eq!(package.error(&plan), "in/a.x: the generator panicked: no a");
    assert_eq!(package.names(), ["b.out"]);
}

#[cfg(unix)]
#[test]
fn what_a_program_says_that_fails_is_shown_up_to_a_length() {
    let mut package = Package::new(&[("in/a.x", ""), ("in/b.x", "")]);
    package.place.env.insert("SH".into(), "/bin/sh".into());
    let plan = plan().inputs("in/*.x").tool(Tool::find("sh").env("SH")).each(|input, out| {
        let script = if input.stem() == "a" { "seq 1 60 >&2; exit 3" } else { "exit 4" };
        out.run(out.command("sh")?.args(["-c", script])).map(drop)
    });
    let error = package.error(&plan);
    assert!(error.starts_with("in/a.x: `sh` failed (exit status: 3):\n1\n2\n"), "{error}");
    assert!(error.contains("\n50\n(and 10 more lines)\n"), "{error}");
    assert!(error.ends_with("in/b.x: `sh` failed (exit status: 4):\n(it printed nothing)"), "{error}");
}

#[test]
fn a_script_runs_one_plan() {
    // Out of a build script, the first fails for want of OUT_DIR, if that is not set.
    let _ = copy("in/*.x").try_run();
    assert!(copy("in/*.x").try_run().unwrap_err().to_string().contains("put all generators into one plan"));
}

#[test]
fn nothing_that_depends_on_the_order_of_execution_is_shown() {
    let package = Package::new(&[("in/a.x", "1"), ("in/b.x", "2"), ("in/c.x", "3"), ("in/d.x", "4")]);
    let all_to =
        |name: &'static str| plan().inputs("in/*.x").each(move |input, out| out.write(name, input.bytes()));
    for _ in 0..20 {
        let error = package.error(&all_to("same"));
        assert_eq!(error, "the output `same` is made twice: from in/a.x and in/b.x and in/c.x and in/d.x");
    }
    // Whoever wrote last time is not taken for right this time either.
    assert!(package.error(&all_to("same")).contains("made twice"));
}

#[test]
fn outputs_that_can_not_be_told_apart_everywhere_are_errors() {
    let check = |names: &[&str], expected: &str| {
        let plan = plan().inputs("in/a.x").include("mod.rs");
        let plan = plan.each(|_, out| names.iter().try_for_each(|name| out.write(name, "")));
        assert_eq!(Package::new(&[("in/a.x", "")]).error(&plan), expected);
    };
    let on_some = "are one file on some systems, and two on others";
    check(&["Foo.rs", "foo.rs"], &format!("the outputs `Foo.rs` and `foo.rs` {on_some}"));
    check(&["A/x", "a/y"], &format!("the outputs `A` and `a` {on_some}"));
    check(&["same", "same"], "in/a.x: the output `same` is written twice");
    let stay = "it must be relative and stay below OUT_DIR";
    check(&["../x"], &format!("in/a.x: `../x` can't be the name of an output: {stay}"));
    check(&["x", "mod.rs"], "the output `mod.rs` is made twice: by a generator and by `include`");
}

#[test]
fn a_file_may_become_a_directory_and_the_other_way_round() {
    let package = Package::new(&[("in/a.x", "one")]);
    let plan = plan().inputs("in/a.x").each(|input, out| out.write(input.text()?, "x"));
    for name in ["one", "one/two", "one/two/three", "one"] {
        package.write("in/a.x", name);
        package.run(&plan).unwrap();
        assert_eq!(package.names(), [name]);
    }
}

#[test]
fn an_input_that_is_read_twice_or_written_is_an_error() {
    let package = Package::new(&[("in/a.x", "a"), ("in/b.x", "b")]);
    let error = package.error(&copy("in/*.x").inputs("in/*.x").inputs("in/a.x").each(|_, _| Ok(())));
    assert_eq!(error, "in/a.x: it is read twice: `in/*.x` and `in/a.x` both match it");
    // Two generators may well read the same file.
    let plan = copy("in/*.x").inputs("in/a.x").each(|_, out| out.write("again", ""));
    assert_eq!(package.run(&plan), counts(3, 0, 0));

    let into_itself = plan_into_itself(&package.place.out);
    fs::create_dir_all(package.place.out.join("mine")).unwrap();
    fs::write(package.place.out.join("mine/a"), "").unwrap();
    assert!(package.error(&into_itself).contains("this input is an output, too"));
}

fn plan_into_itself(out: &std::path::Path) -> Plan<'static> {
    let input = format!("{}/mine/a", out.display());
    plan().inputs(input).each(|_, out| out.write("mine/a", "x"))
}

#[test]
fn every_mistake_in_a_plan_is_told_with_a_way_out() {
    let package = Package::new(&[("in/a.x", ""), ("top.x", "")]);
    let check = |plan: Plan<'_>, expected: &str| {
        let error = package.error(&plan);
        assert!(error.contains(expected), "{error:?} does not say {expected:?}");
    };
    check(copy("in/*.y"), "no file matches `in/*.y`");
    check(copy("no/*.y"), "there is no directory `no`");
    check(copy("in"), "it is a directory; `in/**` is what is in it");
    check(copy("in/{a,b}.x"), "there are `*`, `?` and `**` alone");
    check(copy("*.x"), "keep the inputs in a directory of their own");
    check(copy("../**"), "where the build writes");
    check(plan(), "the plan is empty");
    check(plan().inputs("in/a.x"), "`each` or `batch` comes behind `inputs`");
    check(plan().each(|_, _| Ok(())), "`inputs` comes before `each`");
    check(plan().inputs("in/a.x").batch(0, |_, _| Ok(())), "`usize::MAX`");
    check(copy("in/a.x").env("A=B"), "can't be the name of a variable");
    check(copy("in/a.x").checked_in("../x"), "must be a directory of the package");
    check(copy("in/a.x").checked_in("gen").include("all.rs"), "must be `mod.rs`");
    check(copy("in/a.x").tool(Tool::find("no-such-tool").hint("look under the sofa")), "look under the sofa");
    let both = package.error(&copy("no/x").tool(Tool::find("no-such-tool")));
    assert!(both.contains("`no-such-tool` was not found") && both.contains("no file matches"), "{both}");
    check(
        plan().inputs("in/a.x").each(|_, out| out.command("cc").map(drop)),
        "add `.tool(Tool::find(\"cc\"))`",
    );
    // A file of that name, and no wildcard: that can be watched.
    assert_eq!(package.run(&copy("top.x")), counts(1, 0, 0));
}

#[test]
fn hidden_files_and_target_directories_are_no_inputs() {
    let files = ["in/a.x", "in/.b.x", "in/.git/c.x", "in/target/d.x", "in/target/CACHEDIR.TAG", "in/e/f.x"];
    let package = Package::new(&files.map(|path| (path, "")));
    package.run(&copy("in/**/*.x")).unwrap();
    assert_eq!(package.names(), ["a.out", "e/f.out"]);
    package.run(&copy("in/*/*.x")).unwrap();
    assert_eq!(package.names(), ["e/f.out"]);
    package.run(&copy("in/.*.x")).unwrap();
    assert_eq!(package.names(), [".b.out"]);
}

#[test]
fn inputs_come_in_one_order_and_each_in_one_batch() {
    let package = Package::new(&["in/b.x", "in/a/z.x", "in/a.x", "in/c.x"].map(|path| (path, "")));
    let seen = Mutex::new(Vec::new());
    let plan = plan().inputs("in/**").batch(usize::MAX, |inputs, out| {
        seen.lock().unwrap().extend(inputs.iter().map(|input| input.path.clone()));
        out.write("all", inputs.iter().map(Input::stem).collect::<Vec<_>>().join(" "))
    });
    assert_eq!(package.run(&plan), counts(1, 0, 0));
    assert_eq!(*seen.lock().unwrap(), ["in/a.x", "in/a/z.x", "in/b.x", "in/c.x"]);
    assert_eq!(package.outputs()["all"], "a z b c");
    package.write("in/c.x", "changed");
    assert_eq!(package.run(&plan), counts(1, 0, 0));
}

#[test]
fn cargo_is_told_of_what_is_there_and_never_of_what_is_written() {
    let package = Package::new(&[("in/a.x", ""), ("in/d/b.x", ""), ("t/t", "")]);
    let done = package.lines(&copy("in/**/*.x").depends_on("t/t").env("B").env("A")).unwrap();
    let reruns: Vec<&str> =
        done.lines.lines().filter_map(|line| line.strip_prefix("cargo:rerun-if-")).collect();
    let expected = ["changed=in", "changed=in/a.x", "changed=in/d", "changed=in/d/b.x", "changed=t/t"];
    assert_eq!(reruns, [&expected[..], &["env-changed=A", "env-changed=B"]].concat());
}

#[test]
fn what_a_killed_build_left_is_known_to_the_next() {
    let package = Package::new(&[("in/a.x", "a"), ("in/b.x", "b")]);
    let plan = copy("in/*.x");
    package.run(&plan).unwrap();
    // As if the build had been killed after the output of `c` was made, and before its record; with a name half added.
    let state = package.place.out.join(".genti");
    fs::create_dir_all(state.join("tmp/7")).unwrap();
    fs::write(state.join("tmp/7/half"), "").unwrap();
    fs::write(state.join("owned"), "a.out\0b.out\0c.out\0not-mine-at-all").unwrap();
    fs::write(package.place.out.join("c.out"), "c").unwrap();
    fs::write(package.place.out.join("not-mine"), "").unwrap();
    assert_eq!(package.run(&plan), counts(0, 2, 1));
    assert_eq!(package.names(), ["a.out", "b.out", "not-mine"]);
    assert!(!state.join("tmp").exists());
    assert_eq!(fs::read_to_string(state.join("owned")).unwrap(), "a.out\0b.out\0");
}

#[test]
fn damaged_state_costs_time_and_nothing_else() {
    let package = Package::new(&[("in/a.x", "a"), ("in/b.x", "b")]);
    let plan = copy("in/*.x");
    package.run(&plan).unwrap();
    let units = || -> Vec<PathBuf> {
        let entries = fs::read_dir(package.place.out.join(".genti/units")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    assert_eq!(units().len(), 2);
    for unit in units() {
        fs::write(&unit, "").unwrap();
    }
    assert_eq!(package.run(&plan), counts(2, 0, 0));
    fs::remove_dir_all(package.place.out.join(".genti")).unwrap();
    assert_eq!(package.run(&plan), counts(2, 0, 0));
    assert_eq!(package.names(), ["a.out", "b.out"]);
}

#[test]
fn files_that_are_checked_in_are_compared_and_written_only_for_a_package_that_is_named() {
    let mut package = Package::new(&[("in/a.x", "a\n"), ("in/b.x", "b\n"), ("gen/a.out", "a\r\n")]);
    package.place.env.insert("CARGO_PKG_NAME".into(), "mine".into());
    let plan = || copy("in/*.x").checked_in("gen");
    assert_eq!(
        package.error(&plan()),
        "gen/b.out: this file is generated, and missing\n\
         to write what the generator makes to `gen`: GENTI_BUILD_ACCEPT=mine cargo build -p mine"
    );
    package.place.env.insert("GENTI_BUILD_ACCEPT".into(), "other".into());
    assert!(package.error(&plan()).contains("missing"));
    package.place.env.insert("GENTI_BUILD_ACCEPT".into(), "mine".into());
    assert!(
        package.lines(&plan()).unwrap().lines.contains("cargo:warning=1 generated files were written to gen")
    );
    package.place.env.remove(std::ffi::OsStr::new("GENTI_BUILD_ACCEPT"));
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
    assert!(error.starts_with("gen/b.out:2: this is not what the generator makes\n"), "{error}");
    assert!(error.contains("gen/stranger: nothing generates this file"), "{error}");
    assert_eq!(fs::read_to_string(package.place.root.join("gen/b.out")).unwrap(), "b\nmore\n");
    // An input below the directory of the outputs would be one of them.
    package.remove("gen/stranger");
    let plan = plan().inputs("gen/a.out").each(|_, _| Ok(()));
    assert!(package.error(&plan).contains("gen/a.out: this input is an output, too"));
}

#[test]
fn without_an_optional_tool_what_is_checked_in_is_taken_as_it_is() {
    let mut package = Package::new(&[("in/a.x", "a"), ("gen/a.out", "by hand")]);
    package.place.env.insert("CARGO_PKG_NAME".into(), "mine".into());
    let with = |tool: Tool| copy("in/*.x").checked_in("gen").tool(tool);
    let missing = || Tool::find("no-such-tool");
    assert!(package.error(&with(missing())).contains("`no-such-tool` was not found"));
    let done = package.lines(&with(missing().optional())).unwrap();
    assert!(
        done.lines.starts_with("cargo:warning=`gen` is taken as it is, and was not compared:"),
        "{}",
        done.lines
    );
    assert!(done.lines.contains("cargo:rerun-if-changed=gen\n"), "{}", done.lines);
    assert_eq!(package.names(), [""; 0]);
    let manifest = fs::read_to_string(package.place.out.join(".genti/manifest.json")).unwrap();
    assert!(manifest.contains("\"missing_tool\":\"no-such-tool\""), "{manifest}");
    // Who wants the files written must have the tool.
    package.place.env.insert("GENTI_BUILD_ACCEPT".into(), "mine".into());
    assert!(package.error(&with(missing().optional())).contains("`no-such-tool` was not found"));
    package.place.env.clear();
    package.remove("gen/a.out");
    fs::remove_dir(package.place.root.join("gen")).unwrap();
    assert!(
        package
            .error(&with(missing().optional()))
            .starts_with("gen: it is not there, and can't be generated")
    );
    assert!(package.error(&copy("in/*.x").tool(missing().optional())).contains("only beside `checked_in`"));
}

#[test]
fn names_that_cargo_can_not_be_told_are_errors() {
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
        assert!(package.error(&copy("in/*.x")).starts_with("in/b.x: a link that leads nowhere"));
    }
}
