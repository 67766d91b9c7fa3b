//! Tests of `init`: the files it writes change no result, and nothing is overwritten.

use std::collections::BTreeMap;
use std::path::Path;

use saphyr::{LoadableYamlNode, Yaml};

use crate::support::Sandbox;

const CONFIG: &str = ".config/genti.toml";
const WORKFLOW: &str = ".github/workflows/genti.yml";

fn new(fixture: &str) -> Sandbox {
    let sandbox = Sandbox::of(fixture, "workspace");
    // Must be next to the workspace, so it is not one of its files.
    std::fs::write(sandbox.beside().join("empty.toml"), "").unwrap();
    sandbox
}

/// Returns every file except build products, with its content.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(at) = dirs.pop() {
        for path in std::fs::read_dir(&at).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.strip_prefix(dir).unwrap().display().to_string();
            match path.symlink_metadata().unwrap().file_type() {
                kind if kind.is_dir() && !matches!(&*name, "target" | ".git") => dirs.push(path),
                kind if kind.is_dir() => {}
                kind if kind.is_symlink() => {
                    files.insert(name, b"a link".to_vec());
                }
                _ => {
                    files.insert(name, std::fs::read(&path).unwrap());
                }
            }
        }
    }
    files
}

#[test]
fn the_plan_is_the_same_as_without_a_configuration() {
    for (fixture, sign) in [("clean", None), ("members", None), ("clean", Some("deny.toml"))] {
        let sandbox = new(fixture);
        if let Some(sign) = sign {
            sandbox.write(sign, "");
            sandbox
                .write(".github/workflows/ci.yml", "steps:\n  - run: cargo clippy --all-features # \"x\"\n");
            sandbox.write(".config/nextest.toml", "");
        }
        let said = sandbox.run(&["init", "--github"], 0);
        assert!(
            said.contains(&format!("Wrote {CONFIG}")) && said.contains(&format!("Wrote {WORKFLOW}")),
            "{said}"
        );
        let plan = |args: &[&str]| sandbox.run(&[&["plan", "--format", "json"], args].concat(), 0);
        let empty = sandbox.beside().join("empty.toml");
        let with = plan(&[]);
        assert_eq!(with, plan(&["--config-file", empty.to_str().unwrap()]), "{fixture}");
        assert_eq!(with.contains("\"tool\": \"deny\""), sign.is_some());
        let text = String::from_utf8(files(sandbox.root())[CONFIG].clone()).unwrap();
        let schema = text.lines().next().unwrap().strip_prefix("#:schema ./").unwrap();
        let schema = String::from_utf8(files(sandbox.root())[&format!(".config/{schema}")].clone()).unwrap();
        assert_eq!(schema, sandbox.run(&["config", "--format", "schema"], 0));
        assert!(schema.contains("\"title\": \"genti.toml\""), "{schema}");
        assert_eq!(text.contains("#   deny (detected by deny.toml)"), sign.is_some(), "{text}");
        assert_eq!(
            text.contains("#   .github/workflows/ci.yml: cargo clippy --all-features"),
            sign.is_some()
        );
        assert_eq!(text.contains("#[tools.nextest]"), sign.is_some(), "{text}");
    }
}

#[test]
fn nothing_is_overwritten_and_a_fix_is_suggested() {
    for place in [CONFIG, "genti.toml", "Cargo.toml"] {
        let sandbox = new("clean");
        let old = match place {
            "Cargo.toml" => {
                let manifest = String::from_utf8(files(sandbox.root())["Cargo.toml"].clone()).unwrap();
                manifest + "[workspace.metadata.genti.policy]\nseed = 7\n"
            }
            _ => "[policy]\nseed = 7\n".to_owned(),
        };
        sandbox.write(place, &old);
        std::fs::remove_file(sandbox.root().join("Cargo.lock")).unwrap();
        let before = files(sandbox.root());
        let said = sandbox.run(&["init"], 2);
        assert!(said.contains(place) && said.contains("move it away"), "{said}");
        assert!(files(sandbox.root()) == before, "{place}: not even a Cargo.lock is made");

        let said = sandbox.run(&["init", "--github"], 0);
        assert!(said.contains(&format!("Kept {place}")) && said.contains("Created Cargo.lock"), "{said}");
        let mut after = files(sandbox.root());
        let workflow = after.remove(WORKFLOW).unwrap();
        assert!(after.remove("Cargo.lock").is_some() && after.remove(CONFIG) == before.get(CONFIG).cloned());
        let said = sandbox.run(&["init", "--github"], 2);
        assert!(said.contains("workflow `.github/workflows/genti.yml` already exists"), "{said}");
        assert_eq!(files(sandbox.root())[WORKFLOW], workflow);
    }
}

#[cfg(unix)]
#[test]
fn a_broken_link_is_not_overwritten() {
    let sandbox = new("clean");
    std::fs::create_dir(sandbox.root().join(".config")).unwrap();
    std::os::unix::fs::symlink("../nowhere", sandbox.root().join(CONFIG)).unwrap();
    for args in [&["init"][..], &["init", "--github"]] {
        let said = sandbox.run(args, 2);
        assert!(said.contains("already exists"), "{said}");
    }
    assert!(!sandbox.root().join("nowhere").exists() && !sandbox.root().join(".github").exists());
}

#[test]
fn the_workflow_of_a_nested_workspace_is_at_the_top_and_names_it() {
    let sandbox = new("clean");
    std::fs::create_dir(sandbox.beside().join(".git")).unwrap();
    sandbox.write("deny.toml", "");
    let said = sandbox.run(&["init", "--github"], 0);
    assert!(said.contains("Wrote ../.github/workflows/genti.yml"), "{said}");
    let text = std::fs::read_to_string(sandbox.beside().join(WORKFLOW)).unwrap();
    let steps = runs(&text);
    assert!(steps.contains("cargo genti check --manifest-path 'workspace/Cargo.toml'"), "{text}");
    assert!(steps.contains("cargo +stable install --root ~/.cache/genti --locked cargo-deny"), "{text}");
    assert!(text.contains("path: workspace/target/genti/artifacts"), "{text}");
}

#[test]
fn the_workflow_is_valid_yaml_with_pinned_actions_and_existing_commands() {
    let sandbox = new("clean");
    sandbox.run(&["init", "--github"], 0);
    let text = String::from_utf8(files(sandbox.root())[WORKFLOW].clone()).unwrap();
    let pin = regex::Regex::new(r"^[\w-]+(/[\w-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+$").unwrap();
    let uses: Vec<_> =
        text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: ")).collect();
    assert_eq!(uses.len(), 6);
    uses.iter().for_each(|action| assert!(pin.is_match(action), "{action}"));
    let steps = runs(&text);
    assert!(steps.contains("cargo genti check\n"), "{steps}");
    assert!(!steps.contains("INSTALLS") && !steps.contains("cargo-deny"), "{steps}");
    // Run the shell part of the step, up to the point where it needs the network.
    let script = "set -e; PATH=/nowhere; GENTI_REPOSITORY= \n".to_owned() + &steps;
    let output = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&output.stdout).starts_with("::error::set the variable GENTI_REPOSITORY")
    );
}

#[test]
fn a_library_without_a_lock_file_gets_a_note_and_creates_one_in_its_workflow() {
    let sandbox = new("clean");
    sandbox.commit_all();
    let lockfile = "cargo generate-lockfile\n";
    assert!(!sandbox.run(&["init"], 0).contains("git ignores Cargo.lock"), "it is tracked");
    sandbox.write(".gitignore", "target\nCargo.lock\n");
    assert!(!sandbox.run(&["init", "--github"], 0).contains("git ignores Cargo.lock"), "it still is");
    assert!(!runs(&String::from_utf8(files(sandbox.root())[WORKFLOW].clone()).unwrap()).contains(lockfile));
    std::fs::remove_file(sandbox.root().join(WORKFLOW)).unwrap();
    assert!(sandbox.git(&["rm", "-q", "--cached", "Cargo.lock"]));
    assert!(sandbox.run(&["init", "--github"], 0).contains("git ignores Cargo.lock"));
    assert!(runs(&String::from_utf8(files(sandbox.root())[WORKFLOW].clone()).unwrap()).contains(lockfile));
}

/// Returns the commands of the steps of a workflow, in order.
fn runs(text: &str) -> String {
    let documents = Yaml::load_from_str(text).unwrap();
    let steps = documents[0]["jobs"]["check"]["steps"].as_sequence().unwrap();
    let runs = steps.iter().filter_map(|step| step.as_mapping_get("run")?.as_str());
    runs.map(|run| run.trim_end().to_owned() + "\n").collect()
}
