//! Tests of plans that run in this process, with a package in a temporary directory and without cargo.

#![expect(clippy::disallowed_methods, reason = "tests make and read files")]

mod checked_in;
mod errors;
mod instructions;
mod stages;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use super::fingerprint::Fingerprint;
use super::look_up::PlanContext;
use super::run::{Done, run};
use super::workers::Slots;
use super::*;

/// Package with its `OUT_DIR`.
struct Package {
    _dir: tempfile::TempDir,
    place: PlanContext,
}

impl Package {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        let (root, out) = (top.join("package"), top.join("out"));
        fs::create_dir_all(&root).unwrap();
        fs::create_dir_all(&out).unwrap();
        let program = Some(Fingerprint::of(b"program"));
        let package = Self {
            _dir: dir,
            place: PlanContext { root, out, env: Environment::default(), program, captures_stdout: false },
        };
        files.iter().for_each(|(path, text)| package.write(path, text));
        package
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.place.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces the environment.
    fn set_env(&mut self, vars: &[(&str, &str)]) {
        self.place.env = vars.iter().map(|(name, value)| (name.into(), value.into())).collect();
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.place.root.join(path)).unwrap();
    }

    /// Waits until earlier writes are older than later ones. A file that has just changed may change again within the
    /// same tick of the file system's clock.
    fn let_time_pass(&self) {
        std::thread::sleep(std::time::Duration::from_millis(30));
    }

    /// Returns the content of `OUT_DIR` without the plan's own state.
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
            Ok(summary) => panic!("unexpected success: {summary:?}"),
            Err(error) => error.replace(&self.place.root.display().to_string(), "[ROOT]"),
        }
    }
}

fn plan<'a>() -> Plan<'a> {
    Plan::new()
}

/// Copies each input to an output with the extension `.out`, except for inputs that contain `fail`.
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
fn only_changed_inputs_are_generated_again_and_stale_outputs_removed() {
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
    assert!(!package.place.out.join("d").exists(), "the empty directory was not removed");
}

#[test]
fn a_modified_output_is_generated_again() {
    let package = Package::new(&[("in/a.x", "a"), ("in/b.x", "b")]);
    let plan = copy("in/*.x");
    package.run(&plan).unwrap();
    fs::write(package.place.out.join("a.out"), "A").unwrap();
    fs::remove_file(package.place.out.join("b.out")).unwrap();
    assert_eq!(package.run(&plan), counts(2, 0, 0));
    assert_eq!(package.outputs()["a.out"], "a");
}

#[test]
fn an_unchanged_output_is_not_written_again() {
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
fn everything_is_generated_again_if_a_shared_dependency_changes() {
    let mut package = Package::new(&[("in/a.x", "a"), ("in/b.x", "b"), ("shared/t", "1"), ("tool", "1")]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(package.place.root.join("tool"), fs::Permissions::from_mode(0o755)).unwrap();
    }
    package.set_env(&[("TOOL", "./tool")]);
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
    package.set_env(&[("TOOL", "./tool"), ("VAR", "")]);
    check(&package, "an empty variable", &plan);
    package.set_env(&[("TOOL", "./tool"), ("VAR", ""), ("CARGO_CFG_TARGET_OS", "x")]);
    check(&package, "another target", &plan);
    package.write("shared/t", "2");
    check(&package, "a shared file", &plan);
    package.write("shared/u", "2");
    check(&package, "one more shared file", &plan);
    package.write("tool", "2");
    check(&package, "another tool", &plan);
    check(&package, "another key", &with_key("2"));
    package.set_env(&[("TOOL", "./tool"), ("VAR", ""), ("CARGO_CFG_TARGET_OS", "x"), ("UNRELATED", "x")]);
    assert_eq!(package.run(&with_key("2")), counts(0, 2, 0));
    package.place.program = None;
    assert_eq!(package.run(&with_key("2")), counts(2, 0, 0), "an unreadable program");
    assert_eq!(package.run(&with_key("2")), counts(2, 0, 0), "still unreadable");
}

#[test]
fn discovered_dependencies_count_for_their_unit_only() {
    let package = Package::new(&[("in/a.x", "inc/1"), ("in/b.x", "inc/2"), ("inc/1", ""), ("inc/2", "")]);
    let plan = plan().inputs("in/*.x").each(|input, out| {
        out.depends_on(input.text()?)?;
        out.write(input.with_extension("out"), fs::read(out.root.join(input.text()?)).unwrap_or_default())
    });
    package.let_time_pass();
    assert_eq!(package.run(&plan), counts(2, 0, 0));
    let done = package.lines(&plan).unwrap();
    assert_eq!(done.summary, counts(0, 2, 0).unwrap());
    assert!(done.lines.contains("cargo:rerun-if-changed=inc/1\n"), "{}", done.lines);
    package.write("inc/2", "new");
    package.let_time_pass();
    assert_eq!(package.run(&plan), counts(1, 1, 0));
    package.remove("inc/1");
    let done = package.lines(&plan).unwrap();
    assert_eq!(done.summary, counts(1, 1, 0).unwrap());
    // Cargo would run the script in every build if it watched a missing file.
    assert!(!done.lines.contains("inc/1"), "{}", done.lines);
    assert!(done.lines.contains("cargo:rerun-if-changed=inc\n"), "{}", done.lines);
    package.write("inc/1", "back");
    package.let_time_pass();
    assert_eq!(package.run(&plan), counts(1, 1, 0));
    assert_eq!(package.outputs()["a.out"], "back");
}

#[test]
fn an_input_that_changes_during_generation_is_read_again() {
    let package = Package::new(&[("in/a.x", "a")]);
    let path = package.place.root.join("in/a.x");
    let plan = plan().inputs("in/*.x").each(|input, out| {
        if input.text()? == "a" {
            fs::write(&path, "b")?;
            // The next build changes it back. `a` must not count as done.
        }
        out.write("a.out", input.bytes())
    });
    assert_eq!(package.run(&plan), counts(1, 0, 0));
    package.write("in/a.x", "a");
    assert_eq!(package.run(&plan), counts(1, 0, 0));
}

#[test]
fn a_file_may_become_a_directory_and_vice_versa() {
    let package = Package::new(&[("in/a.x", "one")]);
    let plan = plan().inputs("in/a.x").each(|input, out| out.write(input.text()?, "x"));
    for name in ["one", "one/two", "one/two/three", "one"] {
        package.write("in/a.x", name);
        package.run(&plan).unwrap();
        assert_eq!(package.names(), [name]);
    }
}

#[test]
fn hidden_files_and_target_directories_are_not_inputs() {
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
fn inputs_are_sorted_and_each_is_in_one_batch() {
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
fn cargo_watches_inputs_and_never_outputs() {
    let package = Package::new(&[("in/a.x", ""), ("in/d/b.x", ""), ("t/t", "")]);
    let done = package.lines(&copy("in/**/*.x").depends_on("t/t").env("B").env("A")).unwrap();
    let reruns: Vec<&str> =
        done.lines.lines().filter_map(|line| line.strip_prefix("cargo:rerun-if-")).collect();
    let expected = ["changed=in", "changed=in/a.x", "changed=in/d", "changed=in/d/b.x", "changed=t/t"];
    assert_eq!(reruns, [&expected[..], &["env-changed=A", "env-changed=B"]].concat());
}

#[test]
fn files_of_a_killed_build_are_found_by_the_next() {
    let package = Package::new(&[("in/a.x", "a"), ("in/b.x", "b")]);
    let plan = copy("in/*.x");
    package.run(&plan).unwrap();
    // As if the build had been killed after writing the output of `c` and before its record, with a partly added name.
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
fn damaged_state_only_costs_time() {
    let package = Package::new(&[("in/a.x", "a"), ("in/b.x", "b")]);
    let plan = copy("in/*.x");
    package.run(&plan).unwrap();
    let units = || -> Vec<PathBuf> {
        let entries = fs::read_dir(package.place.out.join(".genti/units")).unwrap();
        entries.map(|entry| entry.unwrap().path()).filter(|path| !path.ends_with("program")).collect()
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
