//! Tests of files that change during a run: a change only invalidates the verdict of tools that read the file.

use std::fs::File;

use crate::support::Sandbox;

/// Returns statements that write the time to `path`.
fn writes(path: &&str) -> String {
    format!(
        "    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();\n    \
         let path = concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/{path}\");\n    \
         std::fs::write(path, format!(\"// {{now}}\\n\")).unwrap();\n"
    )
}

/// Creates the package `clean`, whose build script and tests write to `paths` while a tool waits for them.
fn writing(paths: &[&str]) -> Sandbox {
    let sandbox = Sandbox::of("clean", "w");
    for path in ["src/main.rs", "examples/twice.rs"] {
        std::fs::remove_file(sandbox.root().join(path)).unwrap();
    }
    let writes: String = paths.iter().map(writes).collect();
    let script = format!(
        "//! Writes.\n\nfn main() {{\n    println!(\"cargo::rerun-if-env-changed=NEVER\");\n{writes}}}\n"
    );
    sandbox.write("build.rs", &script);
    let tests = std::fs::read_to_string(sandbox.root().join("tests/greets.rs")).unwrap();
    sandbox.write("tests/greets.rs", &format!("{tests}\n#[test]\nfn it_writes() {{\n{writes}}}\n"));
    sandbox
}

fn changed(sandbox: &Sandbox) -> Vec<String> {
    let tasks = sandbox.lines("task");
    let changed = tasks.iter().filter(|task| task["status"] == "input-changed");
    let mut tools: Vec<_> = changed.map(|task| task["tool"].as_str().unwrap().to_owned()).collect();
    tools.dedup();
    tools
}

#[test]
fn a_log_written_during_the_run_invalidates_no_verdict() {
    for in_git in [true, false] {
        let sandbox = Sandbox::library();
        if in_git {
            sandbox.commit_all();
        }
        let log = File::create(sandbox.root().join("out.log")).unwrap();
        let mut command = sandbox.command(&["check"]);
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let status = command.status().unwrap();
        let text = std::fs::read_to_string(sandbox.root().join("out.log")).unwrap();
        assert_eq!(status.code(), Some(0), "{text}");
        assert!(text.contains("building in"), "it was written to while tools ran: {text}");
    }
}

#[test]
fn an_untracked_file_that_a_tool_does_not_read_invalidates_no_verdict() {
    let paths = ["scratch.txt", "src/scratch.txt", "scratch.rs"];
    let of = |paths: &[&str]| {
        let sandbox = writing(paths);
        sandbox.commit_all();
        paths.iter().for_each(|path| sandbox.write(path, "// old\n"));
        sandbox
    };
    let sandbox = of(&paths);
    sandbox.run(&["check"], 0);
    assert_eq!(changed(&sandbox), [""; 0]);
    // Results that may have seen the old file are not cached.
    for path in paths {
        let sandbox = of(&[path]);
        for _ in ["first", "second"] {
            sandbox.run(&["run", "--tool", "clippy"], 0);
            let tasks = sandbox.lines("task");
            assert!(tasks.len() == 1 && tasks[0]["timing"]["cache"] != "hit", "{path}: {tasks:?}");
        }
    }
}

#[test]
fn a_file_that_a_tool_is_known_to_read_invalidates_its_verdict() {
    for tool in ["clippy", "doc", "test"] {
        let included = writing(&["data.txt"]);
        included.edit("src/lib.rs", "//! Greets.\n", "#![doc = include_str!(\"../data.txt\")]\n");
        included.write("data.txt", "// old\n");
        included.run(&["run", "--tool", tool], 3);
        let built = if tool == "test" { "test-build" } else { tool };
        assert!(changed(&included).contains(&built.to_owned()), "{tool}: {:?}", changed(&included));

        let module = writing(&["src/part.rs"]);
        module.edit("src/lib.rs", "//! Greets.\n", "//! Greets.\n\nmod part;\n");
        module.write("src/part.rs", "// old\n");
        module.run(&["run", "--tool", tool], 3);
        assert!(changed(&module).contains(&built.to_owned()), "{tool}: {:?}", changed(&module));
    }

    let formatted = Sandbox::library();
    formatted.edit("src/lib.rs", "//! Greets.\n", "//! Greets.\n\nmod part;\n");
    formatted.write("src/part.rs", "// old\n");
    formatted.write(
        "genti.toml",
        "[tools.fmt]\nrun = ['sh', '-c', 'echo \"// new\" > src/part.rs; exec rustfmt \"$@\"', 'sh', '--check', '--edition', '{edition}', '{files}']\n",
    );
    formatted.run(&["run", "--tool", "fmt"], 3);
    assert_eq!(changed(&formatted), ["fmt"]);
}

#[test]
fn a_committed_file_may_be_read_by_tests_but_not_by_clippy() {
    let sandbox = writing(&["tests/data.txt"]);
    sandbox.write("tests/data.txt", "// old\n");
    sandbox.commit_all();
    sandbox.run(&["run"], 3);
    let tools = changed(&sandbox);
    assert!(tools.contains(&"test".to_owned()) && !tools.contains(&"clippy".to_owned()), "{tools:?}");
}

#[test]
fn a_file_matched_by_the_globs_of_a_tool_invalidates_its_verdict() {
    let tool = "[tools.t]\nrun = ['sh', '-c', 'echo more >> notes/a.txt']\ncache = false\n";
    let named = Sandbox::with_tools(&format!("{tool}files = ['notes/*']\n"));
    named.write("notes/a.txt", "x\n");
    named.run(&["run"], 3);
    let unnamed = Sandbox::with_tools(tool);
    unnamed.commit_all();
    unnamed.write("notes/a.txt", "x\n");
    unnamed.run(&["run"], 0);
}

#[test]
fn a_tool_may_write_a_file_that_its_command_line_names() {
    let config = "[tools.copy]\nfiles = [\"conf.txt\"]\ninputs = [\"conf.txt\"]\nrun = [\"cp\", \"conf.txt\", \"target/out.txt\"]\n";
    let sandbox = Sandbox::with_tools(config);
    let status = || sandbox.lines("task")[0]["timing"]["cache"].as_str().unwrap().to_owned();
    for text in ["one\n", "two\n"] {
        std::fs::create_dir_all(sandbox.root().join("target")).unwrap();
        sandbox.write("conf.txt", text);
        sandbox.run(&["run"], 0);
        assert_eq!(changed(&sandbox), [""; 0], "{text}");
        // The result was not stored, because it was unknown whether the old file had been read.
        sandbox.run(&["run"], 0);
        sandbox.run(&["run"], 0);
        assert_eq!(status(), "hit", "{text}");
    }
}
