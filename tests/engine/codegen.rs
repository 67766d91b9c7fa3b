//! Tests of the built-in tool `codegen` and its reports on generated files.

use std::path::Path;
use std::process::Command;

use crate::support::{Sandbox, disabled};

const OTHERS: [&str; 5] = ["fmt", "clippy", "doc", "test", "doctest"];

/// Copies `build-rust` so that only `codegen` and the tools of `config` run.
fn generating(place: &str, config: &str) -> Sandbox {
    let sandbox = Sandbox::of("build-rust", place);
    let repository = env!("CARGO_MANIFEST_DIR");
    sandbox.edit("Cargo.toml", "path = \"../..\"", &format!("path = {repository:?}"));
    std::fs::copy(Path::new(repository).join("Cargo.lock"), sandbox.root().join("Cargo.lock")).unwrap();
    // Cargo drops packages that are not needed from the lock file. `cargo metadata` would need those of other platforms.
    let mut prune = Command::new(env!("CARGO"));
    prune.args(["tree", "--offline", "--quiet"]);
    sandbox.scrub(&mut prune);
    sandbox.expect(&prune.output().unwrap(), 0);
    sandbox.write("genti.toml", &format!("{}{config}", disabled(&OTHERS)));
    sandbox
}

/// Returns the generated files of the report, by path.
fn files(sandbox: &Sandbox) -> std::collections::BTreeMap<String, (u64, String)> {
    let report = sandbox.json("report.json");
    let packages = report["generated"].as_array().unwrap();
    let units = packages.iter().flat_map(|package| package["units"].as_array().unwrap());
    let files = units.flat_map(|unit| unit["files"].as_array().unwrap());
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    files
        .map(|file| (text(&file["path"]), (file["bytes"].as_u64().unwrap(), text(&file["digest"]))))
        .collect()
}

#[test]
fn the_report_lists_generated_files_and_changes_independent_of_the_location() {
    let (here, there) = (generating("here", ""), generating("some where/else", ""));
    let printed = here.run(&["run", "--parallel", "1"], 0);
    assert!(printed.contains("Passed codegen  1 package, 201 generated files"), "{printed}");
    there.run(&["run", "--parallel", "2"], 0);
    assert_eq!(here.artifact("report.json"), there.artifact("report.json"));
    let before = files(&here);
    assert_eq!((before.len(), before["p00/t07.rs"].0), (201, 82));

    let report = here.json("report.json");
    assert_eq!(report["generated"][0]["package"], "build-rust");
    assert_eq!(report["generated"][0]["units"][7]["inputs"][0], "tables/p00/t07.txt");

    here.edit("tables/p00/t07.txt", "FIRST = 7", "FIRST = 8");
    here.run(&["run"], 0);
    let after = files(&here);
    let changed: Vec<_> =
        after.iter().filter(|(path, file)| before[*path] != **file).map(|(path, _)| &**path).collect();
    assert_eq!(changed, ["p00/t07.rs"]);
}

#[test]
fn the_report_lists_the_files_of_every_plan_with_the_inputs_of_all_steps() {
    let sandbox = generating("workspace", "");
    let script = "fn main() -> std::process::ExitCode {\n\
        let first = genti::build::Plan::new().inputs(\"tables/p00/t0{0,1}.txt\")\n\
            .each(|input, out| out.write(input.with_extension(\"rs\"), \"\"))\n\
            .outputs(\"*.rs\").all(|files, out| out.write(\"count\", files.len().to_string()));\n\
        let second = genti::build::Plan::named(\"second\").inputs(\"tables/p01/t00.txt\")\n\
            .each(|_, out| out.write(\"second.rs\", \"pub fn unused() { let x = 1; }\"));\n\
        if let Err(errors) = first.try_run() { return errors.report(); }\n\
        second.run()\n}\n";
    sandbox.write("build.rs", script);
    sandbox.write("src/lib.rs", "include!(concat!(env!(\"OUT_DIR\"), \"/second.rs\"));\n");
    sandbox.run(&["run"], 0);
    let report = sandbox.json("report.json");
    let units = report["generated"][0]["units"].as_array().unwrap();
    let list = |unit: &serde_json::Value| (unit["inputs"].clone(), unit["files"][0]["path"].clone());
    let expected = [
        (serde_json::json!(["tables/p00/t00.txt"]), "t00.rs".into()),
        (serde_json::json!(["tables/p00/t01.txt"]), "t01.rs".into()),
        (serde_json::json!(["tables/p00/t00.txt", "tables/p00/t01.txt"]), "count".into()),
        (serde_json::json!(["tables/p01/t00.txt"]), "second.rs".into()),
    ];
    assert_eq!(units.iter().map(list).collect::<Vec<_>>(), expected);

    // A finding in generated code names the file and the input, also in a plan with a name.
    sandbox.write("genti.toml", &disabled(&["fmt", "doc", "test", "doctest", "codegen"]));
    let printed = sandbox.run(&["run"], 1);
    assert!(printed.contains("OUT_DIR/second.rs") && printed.contains("tables/p01/t00.txt"), "{printed}");
}

#[test]
fn diagnostics_of_a_script_are_placed_in_it_and_dependent_tools_run_after_it() {
    let sandbox = generating(
        "workspace",
        "[tools.after]\nrun = ['sh', '-c', 'echo after >> log']\nneeds = ['codegen']\n",
    );
    let plan = sandbox.run(&["plan", "--tool", "after"], 0);
    let place = |tool: &str| plan.find(&format!(" {tool} ")).unwrap_or_else(|| panic!("no {tool}: {plan}"));
    assert!(place("codegen") < place("after"), "{plan}");
    sandbox.run(&["run", "--tool", "after"], 0);
    assert!(sandbox.root().join("log").exists());
    assert_eq!(files(&sandbox).len(), 201);

    sandbox.edit("tables/p04/t04.txt", "SECOND = 7056", "SECOND = many");
    let printed = sandbox.run(&["run", "--tool", "codegen"], 3);
    assert!(printed.contains("error[build-script]: `many`: invalid digit found in string"), "{printed}");
    assert!(printed.contains("--> tables/p04/t04.txt:2"), "{printed}");
    assert!(printed.contains("Incomplete codegen"), "{printed}");
    assert_eq!(files(&sandbox).len(), 0);
}

#[test]
fn a_generated_file_that_differs_from_what_the_script_wrote_has_no_verdict() {
    let sandbox = generating("workspace", "");
    sandbox.run(&["run"], 0);
    let build = sandbox.root().join("target/genti/build/debug/build");
    let out = std::fs::read_dir(build).unwrap().map(|entry| entry.unwrap().path().join("out/p00/t00.rs"));
    let file = out.into_iter().find(|path| path.exists()).unwrap();
    std::fs::write(
        &file,
        "something else that is longer than what was generated, by all means, and by far indeed",
    )
    .unwrap();
    let printed = sandbox.run(&["run"], 3);
    assert!(printed.contains("the generated file `p00/t00.rs` has "), "{printed}");
    std::fs::remove_file(&file).unwrap();
    let printed = sandbox.run(&["run"], 3);
    assert!(printed.contains("the generated file `p00/t00.rs` does not exist"), "{printed}");
}

#[test]
fn files_not_compared_because_of_a_missing_tool_have_no_verdict() {
    let sandbox = generating("workspace", "");
    let from = std::fs::read_to_string(sandbox.root().join("build.rs")).unwrap();
    let optional =
        ".checked_in(\"src/tables\").tool(genti::build::Tool::find(\"no-such-tool\").optional()).run()";
    sandbox.write("build.rs", &from.replace(".run()", optional));
    sandbox.write("src/tables/mod.rs", "");
    sandbox.write("src/lib.rs", "");
    let printed = sandbox.run(&["run"], 3);
    let why = "build-rust: `src/tables` was not compared with newly generated files because `no-such-tool` is missing";
    assert!(printed.contains(why), "{printed}");
}

#[test]
fn codegen_runs_if_a_build_script_depends_on_genti_or_on_request() {
    let sandbox = Sandbox::of("clean", "workspace");
    sandbox.write("genti.toml", &disabled(&OTHERS));
    sandbox.run(&["run"], 0);
    assert_eq!(sandbox.json("run.json")["batches"].as_array().unwrap().len(), 0);
    let printed = sandbox.run(&["run", "--tool", "codegen"], 0);
    assert!(printed.contains("Passed codegen  1 package\n"), "{printed}");
    assert_eq!(sandbox.json("report.json")["generated"].as_array().unwrap().len(), 0);
}
