//! Tests of the workflows and the GitHub action: valid YAML, pinned dependencies, existing commands, and scripts that can run
//! locally. Only GitHub can test the rest.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use regex::Regex;
use saphyr::{LoadableYamlNode, Yaml};

use crate::{HELP, ROOT, blocks, has_word, pages, read};

/// Returns the paths of the action and all workflows.
fn files() -> Vec<PathBuf> {
    let workflows = fs::read_dir(Path::new(ROOT).join(".github/workflows")).unwrap();
    let names = workflows.map(|entry| Path::new(".github/workflows").join(entry.unwrap().file_name()));
    let mut files: Vec<_> = names.chain([".github/actions/genti/action.yml".into()]).collect();
    files.sort();
    files
}

struct Step {
    name: String,
    uses: Option<String>,
    run: Option<String>,
}

fn steps(text: &str) -> Vec<Step> {
    let documents = Yaml::load_from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let top = &documents[0];
    let of = |node: &Yaml<'_>| -> Vec<Step> {
        let text = |step: &Yaml<'_>, key: &str| {
            step.as_mapping_get(key).and_then(|value| value.as_str()).map(str::to_owned)
        };
        let step = |step: &Yaml<'_>| Step {
            name: text(step, "name").unwrap_or_default(),
            uses: text(step, "uses"),
            run: text(step, "run"),
        };
        node.as_mapping_get("steps").unwrap().as_sequence().unwrap().iter().map(step).collect()
    };
    match top.as_mapping_get("jobs") {
        Some(jobs) => jobs.as_mapping().unwrap().values().flat_map(of).collect(),
        None => of(&top["runs"]),
    }
}

/// Returns the script of the step with this name.
fn script(file: &str, name: &str) -> String {
    let step = steps(&read(file)).into_iter().find(|step| step.name == name);
    step.and_then(|step| step.run).unwrap_or_else(|| panic!("{file}: {name}"))
}

fn bash(script: &str, dir: &Path, vars: &[(&str, &str)]) -> Output {
    let mut command = Command::new("bash");
    command.args(["-eo", "pipefail", "-c", script]).current_dir(dir).envs(vars.iter().copied());
    command.output().unwrap()
}

#[track_caller]
fn passes(output: &Output) {
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn every_action_is_pinned_by_a_hash_with_its_version() {
    let line = Regex::new(r"(?m)^[ -]*uses: (.*)$").unwrap();
    let pin = Regex::new(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$").unwrap();
    let mut texts: Vec<_> = files().into_iter().map(|file| (file.clone(), read(file))).collect();
    for page in pages() {
        texts.extend(blocks(&read(&page), "yaml").map(|block| (page.clone(), block)));
    }
    let mut count = 0;
    for (file, text) in texts {
        for [action] in line.captures_iter(&text).map(|found| found.extract().1) {
            match action.strip_prefix("./") {
                Some(own) => assert!(Path::new(ROOT).join(own).join("action.yml").is_file(), "{action}"),
                // Placeholder in the documentation.
                None if action == "OWNER/genti/.github/actions/genti@HASH" => {}
                None => assert!(pin.is_match(action), "{}: {action}", file.display()),
            }
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
    // Each action must have the same version everywhere, so that none is forgotten in an update.
    let all: String = files().iter().map(read).collect();
    let versions: BTreeSet<_> = line.captures_iter(&all).map(|found| found[1].to_owned()).collect();
    let names: BTreeSet<_> = versions.iter().map(|action| action.split('@').next().unwrap()).collect();
    assert_eq!(versions.len(), names.len(), "{versions:#?}");
}

#[test]
fn every_job_has_a_timeout_and_minimal_permissions() {
    for file in files().iter().filter(|file| file.starts_with(".github/workflows")) {
        let text = read(file);
        let documents = Yaml::load_from_str(&text).unwrap();
        let permissions = documents[0]["permissions"].as_mapping().unwrap();
        assert_eq!(permissions.len(), 1, "{}", file.display());
        assert_eq!(documents[0]["permissions"]["contents"].as_str(), Some("read"), "{}", file.display());
        for (name, job) in documents[0]["jobs"].as_mapping().unwrap() {
            let minutes = job["timeout-minutes"].as_integer().unwrap();
            assert!((5..=330).contains(&minutes), "{}: {name:?}", file.display());
        }
        for step in steps(&text).iter().filter_map(|step| step.uses.as_ref()) {
            let keeps = step.starts_with("actions/checkout@") && !text.contains("persist-credentials: false");
            assert!(!keeps, "{}: the token is left in the checkout", file.display());
        }
    }
}

#[test]
fn every_script_is_valid_and_calls_existing_commands() {
    let expression = Regex::new(r"\$\{\{.*?\}\}").unwrap();
    let own = Regex::new(r"(?:^|[\s;&])((?:\.ci|benches|tests|src)/[\w./-]+)").unwrap();
    let test = Regex::new(r"--(?:test|bench) ([\w-]+)").unwrap();
    let call =
        Regex::new(r"(?m)(?:cargo-genti|cargo genti|cargo run --locked --) ([a-z]+)([^|>\n]*)").unwrap();
    let mut seen = (0, 0, 0);
    let manifest = read("Cargo.toml");
    let mut scripts: Vec<_> = files()
        .into_iter()
        .flat_map(|file| steps(&read(&file)).into_iter().map(move |step| (file.clone(), step)))
        .filter_map(|(file, step)| Some((file, step.run?)))
        .collect();
    // Arguments of the action.
    let asked = Regex::new(r"(?m)^ +command: (.*)$").unwrap();
    for file in files() {
        let text = read(&file);
        scripts.extend(
            asked.captures_iter(&text).map(|found| (file.clone(), format!("cargo genti {}", &found[1]))),
        );
    }
    for (file, script) in &scripts {
        let file = file.display();
        let plain = expression.replace_all(script, "x");
        let output = Command::new("bash").args(["-n", "-c", &plain]).output().unwrap();
        assert!(output.status.success(), "{file}: {script}\n{output:?}");
        for found in own.captures_iter(&plain) {
            assert!(Path::new(ROOT).join(&found[1]).exists(), "{file}: {}", &found[1]);
            seen.0 += 1;
        }
        for found in test.captures_iter(&plain) {
            let tests = [format!("tests/{}.rs", &found[1]), format!("tests/{}/main.rs", &found[1])];
            assert!(tests.iter().any(|path| Path::new(ROOT).join(path).exists()), "{file}: {}", &found[1]);
            seen.1 += 1;
        }
        for found in call.captures_iter(&plain) {
            let help = HELP.get(&found[1]).unwrap_or_else(|| panic!("{file}: no command {}", &found[1]));
            for flag in found[2].split_whitespace().filter(|word| word.starts_with("--")) {
                assert!(has_word(help, flag), "{file}: no flag {flag} of {}", &found[1]);
            }
            seen.2 += 1;
        }
    }
    assert!(seen.0 >= 1 && seen.1 >= 2 && seen.2 >= 3, "{seen:?}");
    let features = Regex::new(r"features: \[(.*)\]").unwrap();
    let workflow = read(".github/workflows/ci.yml");
    let listed: BTreeSet<_> = features.captures(&workflow).unwrap()[1]
        .split(", ")
        .map(|name| name.trim_matches('"').to_owned())
        .collect();
    let table = manifest.split("\n[features]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let feature = Regex::new(r"(?m)^([a-z]+) = \[").unwrap();
    let there = feature.captures_iter(table).map(|found| found[1].replace("default", ""));
    assert_eq!(listed, there.collect(), "each feature alone, and none");
}

#[test]
fn ci_has_all_required_steps() {
    let ci = read(".ci/run");
    for step in [
        "fmt --all --check",
        "--all-targets --features remote -- -D warnings",
        "test --locked",
        "genti check",
        "rust-version",
    ] {
        assert!(ci.contains(step), "{step}");
    }
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(Path::new(ROOT).join(".ci/run")).unwrap().permissions(),
    );
    assert_ne!(mode & 0o100, 0, ".ci/run can't be started");
}

#[test]
fn the_action_hashes_the_inputs_of_the_binary() {
    let script = script(".github/actions/genti/action.yml", "Hash genti's sources");
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("genti");
    for (path, text) in [
        ("Cargo.toml", "a"),
        ("Cargo.lock", "b"),
        ("src/b c.rs", "c"),
        ("docs/x.md", "d"),
        ("docs/schemas/x.json", "e"),
    ] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let action = root.join(".github/actions/genti");
    fs::create_dir_all(&action).unwrap();
    let out = dir.path().join("out");
    let digest = || {
        fs::write(&out, "").unwrap();
        let vars =
            [("GITHUB_ACTION_PATH", action.to_str().unwrap()), ("GITHUB_OUTPUT", out.to_str().unwrap())];
        passes(&bash(&script, dir.path(), &vars));
        fs::read_to_string(&out).unwrap()
    };
    let first = digest();
    assert!(Regex::new("^digest=[0-9a-f]{64}\n$").unwrap().is_match(&first), "{first}");
    fs::write(root.join("docs/x.md"), "another").unwrap();
    assert_eq!(digest(), first);
    for path in ["src/b c.rs", "docs/schemas/x.json"] {
        let before = digest();
        fs::write(root.join(path), "another").unwrap();
        assert_ne!(digest(), before, "{path}");
    }
}

#[test]
fn the_action_installs_its_commit_once_and_runs_its_arguments() {
    const ACTION: &str = ".github/actions/genti/action.yml";
    let dir = tempfile::tempdir().unwrap();
    let (home, bin) = (dir.path().join("home"), dir.path().join("bin"));
    fs::create_dir_all(&bin).unwrap();
    // A fake cargo and rustup that logs its calls and installs the current binary.
    let program = env!("CARGO_BIN_EXE_cargo-genti");
    let fake = format!(
        "#!/bin/sh\necho \"${{0##*/}} $*\" >> \"$HOME/calls\"\ncase \"$0\" in *cargo) mkdir -p \"$HOME/.cache/genti/bin\"; \
         ln -s {program} \"$HOME/.cache/genti/bin/cargo-genti\";; esac\n"
    );
    for name in ["cargo", "rustup"] {
        fs::write(bin.join(name), &fake).unwrap();
        passes(&bash(&format!("chmod +x '{}'", bin.join(name).display()), dir.path(), &[]));
    }
    fs::create_dir(&home).unwrap();
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let action = Path::new(ROOT).join(".github/actions/genti");
    let vars = [
        ("HOME", home.to_str().unwrap()),
        ("PATH", &path),
        ("GITHUB_ACTION_PATH", action.to_str().unwrap()),
        ("VERSION", ""),
        ("RELEASES", "file:///nowhere/releases/download"),
    ];
    let build = script(ACTION, "Install or build genti if it is not cached");
    passes(&bash(&build, dir.path(), &vars));
    let calls = fs::read_to_string(home.join("calls")).unwrap();
    let from = calls.trim().rsplit("--path ").next().unwrap();
    assert!(calls.contains("cargo +stable install --locked --root"), "{calls}");
    assert_eq!(Path::new(from).canonicalize().unwrap(), Path::new(ROOT).canonicalize().unwrap());
    passes(&bash(&build, dir.path(), &vars));
    assert_eq!(fs::read_to_string(home.join("calls")).unwrap(), calls, "it is installed already");

    // A release without an archive is built: from the sources of the action, if they have this version.
    for (version, expected) in
        [(env!("CARGO_PKG_VERSION"), "--path "), ("0.0.1", "--git file:///nowhere --tag v0.0.1 genti")]
    {
        fs::remove_dir_all(home.join(".cache")).unwrap();
        fs::remove_file(home.join("calls")).unwrap();
        let vars = [vars[0], vars[1], vars[2], ("VERSION", version), vars[4]];
        passes(&bash(&build, dir.path(), &vars));
        let calls = fs::read_to_string(home.join("calls")).unwrap();
        assert!(calls.contains(expected), "{calls}");
    }

    let run = script(ACTION, "Run genti");
    // Keep the toolchain of this test.
    let rustup = std::env::var("RUSTUP_HOME")
        .unwrap_or_else(|_| format!("{}/.rustup", std::env::var("HOME").unwrap()));
    let run =
        |command| bash(&run, Path::new(ROOT), &[vars[0], ("RUSTUP_HOME", &rustup), ("COMMAND", command)]);
    let output = run("plan --tool fmt --order topo --manifest-path fixtures/members/Cargo.toml");
    passes(&output);
    assert!(String::from_utf8_lossy(&output.stdout).contains("order topo"), "{output:?}");
    assert_eq!(run("plan --order alphabetic").status.code(), Some(2), "the step has the exit code of genti");
}

#[test]
fn a_release_has_the_version_of_its_tag_and_notes_from_the_changelog() {
    const RELEASE: &str = ".github/workflows/release.yml";
    let dir = tempfile::tempdir().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    fs::write(dir.path().join("Cargo.toml"), read("Cargo.toml")).unwrap();
    let changelog = |date: &str| {
        let text = format!(
            "# Changelog\n\n## {version} ({date})\n\n- One.\n\n### Added\n\n- Two.\n\n## 0.1.0 (2020-01-01)\n\n- Old.\n"
        );
        fs::write(dir.path().join("CHANGELOG.md"), text).unwrap();
    };
    let check = script(RELEASE, "Check the tag and the changelog");
    let check = |tag: &str| bash(&check, dir.path(), &[("GITHUB_REF_NAME", tag)]).status.success();
    changelog("unreleased");
    assert!(!check(&format!("v{version}")));
    changelog("2026-12-01");
    assert!(check(&format!("v{version}")) && !check("v0.0.1"));

    let tag = format!("v{version}");
    passes(&bash(
        &script(RELEASE, "Extract the release notes from the changelog"),
        dir.path(),
        &[("GITHUB_REF_NAME", &tag)],
    ));
    let notes = fs::read_to_string(dir.path().join("notes.md")).unwrap();
    assert_eq!(notes.trim(), "- One.\n\n### Added\n\n- Two.");
    // The real changelog has the expected headings.
    assert!(read("CHANGELOG.md").contains(&format!("\n## {version} (")));
}

/// Packs a release for `target` into `dist`, in which the binary is a script, so that nothing has to be built.
fn pack(dir: &Path, target: &str) {
    let (bin, built) = (dir.join("bin"), dir.join("target").join(target).join("release"));
    fs::create_dir_all(&bin).unwrap();
    fs::create_dir_all(&built).unwrap();
    fs::write(bin.join("cargo"), "#!/bin/sh\necho \"$*\" >> \"$CALLS\"\n").unwrap();
    let exe = if target.contains("windows") { "cargo-genti.exe" } else { "cargo-genti" };
    fs::write(built.join(exe), format!("#!/bin/sh\nexec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_cargo-genti")))
        .unwrap();
    passes(&bash(&format!("chmod +x bin/cargo 'target/{target}/release/{exe}'"), dir, &[]));
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let (calls, built) = (dir.join("calls"), dir.join("target"));
    let vars = [
        ("PATH", path.as_str()),
        ("CALLS", calls.to_str().unwrap()),
        ("CARGO_TARGET_DIR", built.to_str().unwrap()),
    ];
    passes(&bash(&format!("'{ROOT}/.ci/package' {target} '{}'", dir.join("dist").display()), dir, &vars));
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
const GNU: &str = "x86_64-unknown-linux-gnu";
const MUSL: &str = "x86_64-unknown-linux-musl";

#[test]
fn a_release_contains_all_manual_pages_and_a_digest() {
    let dir = tempfile::tempdir().unwrap();
    pack(dir.path(), MUSL);
    let calls = fs::read_to_string(dir.path().join("calls")).unwrap();
    assert_eq!(
        calls,
        format!("build --locked --release --bin cargo-genti --target {MUSL} --features blake3/pure\n")
    );
    let name = format!("cargo-genti-v{VERSION}-{MUSL}");
    let first = fs::read(dir.path().join(format!("dist/{name}.tar.gz"))).unwrap();
    passes(&bash(&format!("tar -xzf dist/{name}.tar.gz"), dir.path(), &[]));
    let pages = fs::read_dir(dir.path().join(&name).join("man")).unwrap();
    let pages: BTreeSet<_> = pages.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let commands =
        HELP.keys().map(|command| format!("cargo-genti {command}").trim().replace(' ', "-") + ".1");
    assert_eq!(pages, commands.collect());
    for file in ["cargo-genti", "README.md", "LICENSE-MIT", "LICENSE-APACHE", "completions/cargo-genti.fish"]
    {
        assert!(dir.path().join(&name).join(file).is_file(), "{file}");
    }
    pack(dir.path(), MUSL);
    assert!(
        fs::read(dir.path().join(format!("dist/{name}.tar.gz"))).unwrap() == first,
        "the archive is the same each time"
    );

    let check = script(".github/workflows/release.yml", "Check the digests");
    passes(&bash(&check, dir.path(), &[]));
    let digests = fs::read_to_string(dir.path().join("dist/SHA256SUMS")).unwrap();
    assert!(
        Regex::new(&format!("^[0-9a-f]{{64}}  {name}.tar.gz\n$")).unwrap().is_match(&digests),
        "{digests}"
    );
    fs::write(dir.path().join(format!("dist/{name}.tar.gz")), "another").unwrap();
    assert!(!bash(&check, dir.path(), &[]).status.success());
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn the_action_installs_a_release_and_refuses_another_archive() {
    let dir = tempfile::tempdir().unwrap();
    pack(dir.path(), GNU);
    let release = dir.path().join(format!("releases/v{VERSION}"));
    fs::create_dir_all(release.parent().unwrap()).unwrap();
    fs::rename(dir.path().join("dist"), &release).unwrap();
    let home = dir.path().join("home");
    fs::create_dir(&home).unwrap();
    let install = |version: &str| {
        let url = format!("file://{}/releases", dir.path().display());
        bash(&format!("'{ROOT}/.github/actions/genti/install.sh' {version} home '{url}'"), dir.path(), &[])
    };
    let installed = home.join("bin/cargo-genti");
    for version in [VERSION.to_owned(), format!("v{VERSION}")] {
        passes(&install(&version));
        let said = Command::new(&installed).arg("--version").output().unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stdout), format!("cargo-genti {VERSION}\n"));
        fs::remove_file(&installed).unwrap();
    }
    assert_eq!(install("0.0.1").status.code(), Some(3), "there is no such release, so the action builds it");

    // A binary that does not run here, such as one for a newer glibc, is replaced by the static one.
    let name = |target: &str| format!("cargo-genti-v{VERSION}-{target}.tar.gz");
    fs::create_dir_all(dir.path().join("x").join(name(GNU).trim_end_matches(".tar.gz"))).unwrap();
    let broken = dir.path().join("x").join(name(GNU).trim_end_matches(".tar.gz")).join("cargo-genti");
    fs::write(&broken, "#!/bin/sh\nexit 1\n").unwrap();
    let good = fs::read(release.join(name(GNU))).unwrap();
    let repack = format!(
        "chmod +x '{}'; tar -czf '{}' -C x {}; cd '{}'; sha256sum {1} > {1}.sha256",
        broken.display(),
        name(GNU),
        name(GNU).trim_end_matches(".tar.gz"),
        dir.path().display()
    );
    passes(&bash(&repack, dir.path(), &[]));
    for file in [name(GNU), format!("{}.sha256", name(GNU))] {
        fs::rename(dir.path().join(&file), release.join(&file)).unwrap();
    }
    assert_eq!(install(VERSION).status.code(), Some(3));
    pack(dir.path(), MUSL);
    for file in [name(MUSL), format!("{}.sha256", name(MUSL))] {
        fs::rename(dir.path().join("dist").join(&file), release.join(&file)).unwrap();
    }
    passes(&install(VERSION));
    fs::remove_file(&installed).unwrap();

    // The archive from before does not match its new digest.
    fs::write(release.join(name(GNU)), good).unwrap();
    let output = install(VERSION);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("so it was not installed"), "{output:?}");
    fs::remove_file(release.join(format!("{}.sha256", name(GNU)))).unwrap();
    assert_eq!(install(VERSION).status.code(), Some(1), "an archive without a digest is refused");
    assert!(!installed.exists());
}

/// Every archive of the workflow is found by `cargo binstall`, and by the action.
#[test]
fn the_archives_are_named_alike_everywhere() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let binstall = &manifest["package"]["metadata"]["binstall"];
    let (url, dir) = (binstall["pkg-url"].as_str().unwrap(), binstall["bin-dir"].as_str().unwrap());
    let target = Regex::new(r"(?m)^ +target: (\S+)$").unwrap();
    let workflow = read(".github/workflows/release.yml");
    let targets: Vec<_> = target.captures_iter(&workflow).map(|found| found[1].to_owned()).collect();
    assert_eq!(targets.len(), 7);
    let install = read(".github/actions/genti/install.sh");
    for target in &targets {
        assert!(install.contains(target.as_str()), "{target}");
        let overridden = binstall["overrides"].get(target).map(|over| over["pkg-fmt"].as_str().unwrap());
        let format = overridden.unwrap_or(binstall["pkg-fmt"].as_str().unwrap());
        assert_eq!(format, if target.contains("windows") { "zip" } else { "tgz" });
    }
    let name = "cargo-genti-v{ version }-{ target }";
    assert!(url.ends_with(&format!("/releases/download/v{{ version }}/{name}{{ archive-suffix }}")), "{url}");
    assert_eq!(dir, format!("{name}/{{ bin }}{{ binary-ext }}"));
    assert!(read(".ci/package").contains("name=cargo-genti-v$version-$target"));
    assert!(install.contains("name=cargo-genti-$version-$target"), "its version begins with `v`");
}

#[test]
fn the_container_has_the_pinned_toolchain() {
    let pinned: toml::Table = read("rust-toolchain.toml").parse().unwrap();
    let channel = pinned["toolchain"]["channel"].as_str().unwrap();
    let text = read("Dockerfile");
    let image = Regex::new(r"(?m)^FROM docker\.io/library/rust:(\S+?)-slim").unwrap();
    let versions: Vec<_> = image.captures_iter(&text).map(|found| found[1].to_owned()).collect();
    assert_eq!(versions, [channel, channel]);
    for component in pinned["toolchain"]["components"].as_array().unwrap() {
        assert!(text.contains(component.as_str().unwrap()), "{component}");
    }
}

#[test]
fn every_workflow_example_is_valid_yaml() {
    let mut count = 0;
    for page in pages() {
        for block in blocks(&read(&page), "yaml") {
            Yaml::load_from_str(&block)
                .unwrap_or_else(|error| panic!("{}: {error}\n{block}", page.display()));
            count += 1;
        }
    }
    assert!(count >= 3);
}

/// The documentation lists exactly the inputs of the action.
#[test]
fn the_inputs_of_the_action_are_documented() {
    let text = read(".github/actions/genti/action.yml");
    let documents = Yaml::load_from_str(&text).unwrap();
    let inputs = documents[0]["inputs"].as_mapping().unwrap().iter();
    let inputs: BTreeSet<_> = inputs
        .map(|(name, input)| {
            (name.as_str().unwrap().to_owned(), input["default"].as_str().unwrap().to_owned())
        })
        .collect();
    let row = Regex::new(r"(?m)^\| `([a-z-]+)` \| .* \| (?:`([^`]+)`|none) \|$").unwrap();
    let page = read("docs/ci.md");
    let rows = row
        .captures_iter(&page)
        .map(|found| (found[1].to_owned(), found.get(2).map_or("", |value| value.as_str()).to_owned()));
    assert_eq!(rows.collect::<BTreeSet<_>>(), inputs);
}
