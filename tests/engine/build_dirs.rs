//! Tests of cargo's build directories: one per lane, separate from the user's own, and without effect on findings.

#[cfg(target_os = "linux")]
use std::fs::File;
#[cfg(target_os = "linux")]
use std::path::Path;

#[cfg(target_os = "linux")]
use rustix::fs::{FlockOperation, flock};

use crate::support::Sandbox;
#[cfg(target_os = "linux")]
use crate::support::process::wait_until;

const MODES: [&str; 3] = ["one", "lanes", "shared"];

/// Creates one tool in each lane of cargo and one without a lane. They run `script` with their name as `$0`.
fn with_lanes(script: &str) -> Sandbox {
    let tool = |name: &str, lane: &str| {
        format!(
            "[tools.{name}]\nrun = [\"sh\", \"-c\", '''{script}''', \"{name}\"]\ninherit-env = true\ncache = false\n{lane}"
        )
    };
    Sandbox::with_tools(
        &[tool("lint", "lane = \"check\"\n"), tool("build", "lane = \"build\"\n"), tool("none", "")].concat(),
    )
}

#[test]
fn each_lane_gets_its_directory() {
    let sandbox = with_lanes("echo $CARGO_TARGET_DIR $CARGO_BUILD_BUILD_DIR > ../$0");
    let check = |args: &[&str], [check, build]: [&str; 2]| {
        sandbox.run(&[&["run"], args].concat(), 0);
        for (tool, dir) in [("lint", check), ("build", build), ("none", check)] {
            let dir = sandbox.root().join(dir).display().to_string();
            let seen = std::fs::read_to_string(sandbox.beside().join(tool)).unwrap();
            assert_eq!(seen, format!("{dir} {dir}\n"), "{tool}, {args:?}");
        }
    };
    let own = "target/genti/build";
    check(&["--parallel", "3"], [own, own]);
    check(&["--parallel", "4"], [own, "target/genti/build/build"]);
    check(&["--parallel", "4", "--build-dir", "one"], [own, own]);
    check(&["--parallel", "1", "--build-dir", "lanes"], [own, "target/genti/build/build"]);
    check(&["--parallel", "4", "--build-dir", "shared"], ["target"; 2]);
    let mut command = sandbox.command(&["run", "--parallel", "4"]);
    sandbox.expect(&command.env("GENTI_BUILD_DIR", "shared").output().unwrap(), 0);
    assert!(std::fs::read_to_string(sandbox.beside().join("build")).unwrap().ends_with("/target\n"));
}

#[test]
fn the_outer_directory_exists_before_two_cargos_create_theirs() {
    let sandbox = with_lanes("test -d target/genti/build");
    sandbox.run(&["run", "--build-dir", "lanes"], 0);
    std::fs::remove_dir(sandbox.root().join("target/genti/build")).unwrap();
    sandbox.run(&["run", "--build-dir", "one"], 1);
}

#[test]
fn the_build_directory_of_the_user_is_only_used_if_it_is_shared() {
    let sandbox = with_lanes("echo $CARGO_TARGET_DIR $CARGO_BUILD_BUILD_DIR > ../$0");
    sandbox.write(".cargo/config.toml", "[build]\nbuild-dir = \"intermediate\"\n");
    let root = sandbox.root().display();
    let own = format!("{root}/target/genti/build");
    let shared = format!("{root}/target {root}/intermediate\n");
    for (mode, expected) in [("one", format!("{own} {own}\n")), ("shared", shared)] {
        sandbox.run(&["run", "--build-dir", mode], 0);
        assert_eq!(std::fs::read_to_string(sandbox.beside().join("lint")).unwrap(), expected);
    }
}

#[test]
fn lanes_exclude_each_other_only_in_the_same_directory() {
    // Each of the two tools waits for the other.
    let script = "case $0 in none) exit;; lint) other=build;; *) other=lint;; esac; touch ../$0; \
                  until test -e ../$other; do sleep 0.1; done";
    with_lanes(script).run_alone(&["run", "--parallel", "2", "--build-dir", "lanes"], 0);
    for mode in ["one", "shared"] {
        let sandbox = with_lanes("test $0 = none && exit; mkdir ../held && sleep 0.1 && rmdir ../held");
        sandbox.run(&["run", "--parallel", "2", "--build-dir", mode], 0);
    }
}

/// Holds the lock that the user's cargo would hold, until the file is dropped.
#[cfg(target_os = "linux")]
fn lock(target_dir: &Path) -> File {
    let dir = target_dir.join("debug");
    std::fs::create_dir_all(&dir).unwrap();
    let file = File::create(dir.join(".cargo-lock")).unwrap();
    flock(&file, FlockOperation::LockExclusive).unwrap();
    file
}

/// Returns true if a process waits for the lock on `file`.
#[cfg(target_os = "linux")]
fn has_waiter(file: &File) -> bool {
    let inode = format!(":{} ", std::os::unix::fs::MetadataExt::ino(&file.metadata().unwrap()));
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    locks.lines().any(|line| line.contains("->") && line.contains(&inode))
}

#[cfg(target_os = "linux")]
#[test]
fn the_cargo_of_the_user_blocks_a_run_only_if_the_directory_is_shared() {
    let sandbox = Sandbox::library();
    let lock = lock(&sandbox.root().join("target"));
    for mode in ["one", "lanes"] {
        sandbox.run(&["run", "--build-dir", mode], 0);
    }
    let shared = ["run", "--build-dir", "shared"];
    let run = sandbox.start(&shared);
    wait_until("a cargo to wait for the lock", || has_waiter(&lock));
    run.send("TERM");
    assert_eq!(run.finish().status.code(), Some(143));
    drop(lock);
    sandbox.run(&shared, 0);
}

#[test]
fn the_first_run_says_once_that_dependencies_are_built_separately() {
    let says = |sandbox: &Sandbox, mode: &str| {
        sandbox
            .run(&["run", "--build-dir", mode, "--no-cache"], 0)
            .contains("dependencies are built a second time")
    };
    let sandbox = with_lanes("mkdir -p $CARGO_TARGET_DIR");
    assert!(!says(&sandbox, "shared"));
    assert!(says(&sandbox, "one") && !says(&sandbox, "one"));
    assert!(
        says(&sandbox, "lanes") && !says(&sandbox, "lanes"),
        "what the lanes do not share is built again"
    );
}

#[test]
fn the_artifacts_do_not_depend_on_where_cargo_builds() {
    let sandbox = Sandbox::library();
    // Clippy has a finding in code written by the build script, so the path of cargo's directory could matter.
    sandbox.write(
        "build.rs",
        "//! Writes a part of the library.\n\nfn main() {\n    let dir = std::env::var(\"OUT_DIR\").unwrap();\n    \
         std::fs::write(format!(\"{dir}/made.rs\"), \"/// Seven.\\npub fn seven() -> u8 { return 7; }\").unwrap();\n}\n",
    );
    let lib = std::fs::read_to_string(sandbox.root().join("src/lib.rs")).unwrap();
    sandbox.write("src/lib.rs", &format!("{lib}\ninclude!(concat!(env!(\"OUT_DIR\"), \"/made.rs\"));\n"));
    sandbox.write(
        "genti.toml",
        "[tools.where]\nrun = [\"sh\", \"-c\", \"echo built in $CARGO_TARGET_DIR/debug\"]\nparse = \"lines\"\n\
         lane = \"build\"\ninherit-env = true\n",
    );
    let mut first = None;
    for mode in MODES {
        for parallel in ["1", "8"] {
            let mut command =
                sandbox.command(&["run", "--build-dir", mode, "--parallel", parallel, "--no-cache"]);
            sandbox.expect(&command.env("SOURCE_DATE_EPOCH", "0").output().unwrap(), 1);
            let artifacts = ["run.json", "report.json", "tasks.jsonl"].map(|name| sandbox.artifact(name));
            let text = String::from_utf8_lossy(&artifacts[1]).into_owned();
            assert!(text.contains("made.rs") && text.contains("built in [TARGET]/debug"), "{text}");
            assert_eq!(&artifacts, first.get_or_insert_with(|| artifacts.clone()), "{mode}, {parallel}");
        }
    }
}
