//! Tests of reports of finished runs: their content, where they are written, and that they contain no commands for
//! CI services.

use std::collections::BTreeSet;
use std::fs::File;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::Sandbox;
use crate::support::process::wait_until;

/// A tool that reads its findings from a file with lines such as `path:line: level: message`.
const TOLD: &str = r#"
[tools.told]
run = ["cat", "told.txt"]
parse = { regex = "^(?<path>.+?):(?<line>\\d+): (?<level>\\w+): (?<message>.*)$" }
"#;

const FORMATS: [&str; 7] = ["human", "json", "sarif", "junit", "markdown", "github", "gitlab"];

fn told(text: &str) -> Sandbox {
    let sandbox = Sandbox::with_tools(TOLD);
    sandbox.write("told.txt", text);
    sandbox
}

/// Every kind of result: new, accepted, suppressed, fixed, no verdict, an optional tool.
pub(crate) fn mixed() -> Sandbox {
    let config = "[[suppress]]\nrule = 'words'\npath = 'b/**'\nreason = 'vendored'\nowner = 'jo'\n\
                  [tools.gone]\nrun = ['genti-no-such-tool']\nrequired = false\n";
    let sandbox = Sandbox::with_words(config);
    sandbox.write("a.txt", "bad old\nbad one\nfine\n");
    sandbox.run(&["baseline", "accept", "--reason", "as it was", "--path", "a.txt"], 0);
    sandbox.write("a.txt", "bad one\nfine\nbad `two` <b>|\n");
    sandbox.run(&["run"], 1);
    sandbox
}

fn report(sandbox: &Sandbox, format: &str) -> Vec<u8> {
    let output = sandbox.command(&["report", "--format", format]).output().unwrap();
    sandbox.expect(&output, 0);
    output.stdout
}

#[test]
fn a_small_run_is_the_committed_report_in_every_format() {
    let sandbox = mixed();
    for format in FORMATS {
        let bytes = report(&sandbox, format);
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine/golden/reports/").to_owned() + format;
        snapbox::assert_data_eq!(bytes, snapbox::Data::read_from(golden.as_ref(), None).raw());
    }
}

#[test]
fn the_same_run_is_rendered_to_the_same_bytes_everywhere() {
    let sandbox = mixed();
    let elsewhere = sandbox.beside().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let artifacts = sandbox.root().join("target/genti/artifacts");
    for format in ["json", "sarif", "junit", "github"] {
        let there = report(&sandbox, format);
        let place = elsewhere.join("out");
        let args = ["report", "--format", format, "--artifacts"];
        let mut command = sandbox.command(&args);
        let output = command.arg(&artifacts).arg("-o").arg(&place).current_dir(&elsewhere).output().unwrap();
        sandbox.expect(&output, 0);
        assert!(output.stdout.is_empty());
        assert_eq!(std::fs::read(&place).unwrap(), there, "{format}");
        let path = sandbox.beside().join(format);
        let by_run =
            sandbox.command(&["run", "--report"]).arg(format!("{format}={}", path.display())).output();
        sandbox.expect(&by_run.unwrap(), 1);
        assert_eq!(std::fs::read(path).unwrap(), there, "{format} by run");
    }
    // Another run with the same results.
    let before = FORMATS.map(|format| report(&sandbox, format));
    sandbox.run(&["run", "--parallel", "1"], 1);
    assert_eq!(FORMATS.map(|format| report(&sandbox, format)), before);
}

#[test]
fn report_shows_the_same_as_run() {
    let sandbox = mixed();
    let run = sandbox.command(&["run"]).env("SOURCE_DATE_EPOCH", "1").output().unwrap();
    let (run, shown) = (String::from_utf8(run.stderr).unwrap(), report(&sandbox, "human"));
    let shown = String::from_utf8(shown).unwrap();
    // The run has shown the findings of each tool when it had finished.
    let is_title = |line: &&str| line.contains("]: ") && !line.starts_with(' ');
    let titles = |text: &str| {
        let titles: BTreeSet<_> = text.lines().filter(is_title).map(str::to_owned).collect();
        titles
    };
    assert!(!titles(&shown).is_empty(), "{shown}");
    assert_eq!(titles(&shown), titles(&run));
    let summary = |text: &str| text[text.find("             tool").unwrap()..].to_owned();
    assert_eq!(summary(&shown), summary(&run));
}

#[test]
fn several_reports_are_written_where_requested() {
    let sandbox = told("a:1: error: bad\n");
    let reports =
        ["--report", "sarif=out/a/genti.sarif", "--report", "junit=out/genti.xml", "--report", "human=out/t"];
    sandbox.run(&[&["check"], &reports[..]].concat(), 1);
    let read = |name: &str| std::fs::read_to_string(sandbox.root().join("out").join(name)).unwrap();
    assert!(read("a/genti.sarif").contains("\"2.1.0\"") && read("genti.xml").contains("<testsuites"));
    assert!(read("t").contains("error[told]: bad") && !read("t").contains('\u{1b}'));
}

#[test]
fn an_impossible_report_is_an_error_before_anything_runs() {
    let sandbox = told("");
    for (report, said) in [
        ("sarif", "invalid report `sarif`, expected FORMAT=PATH"),
        ("serif=x", "(formats: human, json, sarif, junit, markdown, github"),
        ("sarif=", "has no path"),
        ("sarif=-", "`cargo genti report"),
    ] {
        let text = sandbox.run(&["run", "--report", report], 2);
        assert!(text.contains("error: --report: ") && text.contains(said), "{text}");
    }
    let text = sandbox.run(&["run", "--report", "sarif=x", "--report", "junit=x", "--report", "y"], 2);
    assert!(
        text.contains("two reports have the same file `x`")
            && text.contains("invalid report `y`, expected FORMAT=PATH"),
        "{text}"
    );
    assert!(!sandbox.root().join("target").exists());
}

#[test]
fn a_report_that_cannot_be_written_is_exit_code_4_and_the_artifacts_exist() {
    let sandbox = told("a:1: error: bad\n");
    sandbox.write("file", "in the way");
    let text = sandbox.run(&["run", "--report", "sarif=file/x"], 4);
    assert!(
        text.contains("error: could not write the report `file/x`: ") && text.contains("1 new finding"),
        "{text}"
    );
    sandbox.json("report.json");
    let text = sandbox.run(&["report", "--format", "sarif", "-o", "file/x"], 4);
    assert!(text.contains("could not write the report"), "{text}");
    let full = File::options().write(true).open("/dev/full").unwrap();
    for format in FORMATS {
        let output =
            sandbox.command(&["report", "--format", format]).stdout(full.try_clone().unwrap()).output();
        let text = sandbox.expect(&output.unwrap(), 4);
        assert!(text.contains("could not write to standard output"), "{text}");
    }
}

#[test]
fn without_a_valid_run_the_error_says_what_to_do() {
    let sandbox = told("");
    let text = sandbox.run(&["report"], 2);
    assert!(text.contains("no finished run in") && text.contains("run `cargo genti run` first"), "{text}");
    sandbox.run(&["run"], 0);
    sandbox.edit("target/genti/artifacts/report.json", "\"schema\": 1", "\"schema\": 2");
    let text = sandbox.run(&["report"], 2);
    assert!(text.contains("`report.json` has schema 2") && text.contains("update genti"), "{text}");
    sandbox.run(&["run"], 0);
    sandbox.edit("target/genti/artifacts/run.json", "\"exit\": 0", "\"exit\": \"zero\"");
    let text = sandbox.run(&["report"], 2);
    assert!(text.contains("`run.json`, line ") && text.contains("expected u8"), "{text}");
}

#[test]
fn lines_that_changed_since_the_run_are_not_shown() {
    let sandbox = mixed();
    sandbox.write("a.txt", "good one\nfine\nbad `two` <b>|\n");
    sandbox.edit("a.txt", "bad `two`", "worse");
    for format in ["human", "markdown"] {
        let output = sandbox.command(&["report", "--format", format]).output().unwrap();
        let text = sandbox.expect(&output, 0);
        assert!(text.contains("note: 1 file has changed since the run"), "{text}");
        assert!(!text.contains("| worse") && text.contains("a.txt:3"), "{text}");
    }
}

#[test]
fn paths_of_a_nested_workspace_start_at_the_top_of_its_repository() {
    let sandbox = Sandbox::with_words("");
    std::fs::create_dir(sandbox.beside().join(".git")).unwrap();
    sandbox.run(&["run"], 1);
    let sarif: Value = serde_json::from_slice(&report(&sandbox, "sarif")).unwrap();
    let location = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"];
    assert_eq!(location["uri"], "workspace/a.txt");
    let text = String::from_utf8(report(&sandbox, "github")).unwrap();
    assert!(text.starts_with("::warning file=workspace/a.txt,line=1,"), "{text}");
}

/// Runs `command` as in GitHub Actions, with the file for the summary of the step.
fn in_actions<'a>(sandbox: &Sandbox, command: &'a mut Command) -> &'a mut Command {
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", sandbox.beside().join("summary"))
}

/// Returns the lines that GitHub's runner would take for commands.
fn commands(output: &Output) -> Vec<String> {
    let text = [&output.stdout[..], b"\n", &output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    let is_command = |line: &&str| line.trim_start().starts_with("::") || line.contains("##[");
    text.split(['\n', '\r']).filter(is_command).map(str::to_owned).collect()
}

#[test]
fn github_gets_its_summary_and_annotations_unless_disabled() {
    let sandbox = told("a:1: error: bad\n");
    let summary = sandbox.beside().join("summary");
    std::fs::write(&summary, "Before.\n").unwrap();
    let output = in_actions(&sandbox, &mut sandbox.command(&["check"])).output().unwrap();
    sandbox.expect(&output, 1);
    assert_eq!(commands(&output), ["::error file=a,line=1,endLine=1,title=told::bad"]);
    let text = std::fs::read_to_string(&summary).unwrap();
    assert!(text.starts_with("Before.\n## genti: failed, 1 new finding\n"), "{text}");

    for args in [&["check", "--no-ci"][..], &["check", "--message-format", "json", "--no-ci"]] {
        let output = in_actions(&sandbox, &mut sandbox.command(args)).output().unwrap();
        sandbox.expect(&output, 1);
        assert_eq!(commands(&output), [""; 0]);
        assert_eq!(std::fs::read_to_string(&summary).unwrap(), text);
    }
    // Standard output has the events in this case, and the summary is still written.
    let mut command = sandbox.command(&["check", "--message-format", "json"]);
    let output = in_actions(&sandbox, &mut command).output().unwrap();
    assert_eq!(commands(&output), [""; 0]);
    assert_eq!(std::fs::read_to_string(&summary).unwrap().matches("## genti").count(), 2);
    // Outside of GitHub Actions, nothing is written.
    let output = sandbox.command(&["check"]).output().unwrap();
    assert!(output.stdout.is_empty());
    // A summary that can't be written is an error, like any other report.
    let mut command = sandbox.command(&["check"]);
    let output =
        in_actions(&sandbox, &mut command).env("GITHUB_STEP_SUMMARY", sandbox.root()).output().unwrap();
    sandbox.expect(&output, 4);
}

#[test]
fn any_message_of_a_tool_is_one_annotation() {
    let messages = [
        "::error::x",
        "x%0A::error::y",
        "::stop-commands::token",
        "##[error]x",
        "x ::error file=a,line=1::y %25%0D%0a",
        "x\u{85}::error::y\u{2028}::error::z",
        "::add-mask::a",
    ];
    let lines = messages.map(|message| format!("::error file=b::a%0A,c:1: error: {message}\n"));
    let sandbox = told(&lines.concat());
    let output = in_actions(&sandbox, &mut sandbox.command(&["check"])).output().unwrap();
    sandbox.expect(&output, 1);
    let commands = commands(&output);
    assert_eq!(commands.len(), messages.len(), "{commands:#?}");
    for command in commands {
        let begin = "::error file=%3A%3Aerror file=b%3A%3Aa%250A%2Cc,line=1,";
        assert!(command.starts_with(begin), "{command:?}");
    }
    for format in ["human", "json", "sarif", "junit", "markdown"] {
        let mut command = sandbox.command(&["report", "--format", format]);
        let output = in_actions(&sandbox, &mut command).output().unwrap();
        sandbox.expect(&output, 0);
        assert_eq!(self::commands(&output), [""; 0], "{format}");
    }
    let mut command = sandbox.command(&["check", "--message-format", "json"]);
    let output = in_actions(&sandbox, &mut command).output().unwrap();
    assert_eq!(self::commands(&output), [""; 0]);
}

#[test]
fn github_shows_ten_annotations_per_level_and_the_number_of_others() {
    let lines =
        |level: &str, count| (1..=count).map(|at| format!("{level}:{at}: {level}: {level} {at}\n")).collect();
    let text: [String; 3] = [lines("note", 12), lines("warning", 11), lines("error", 13)];
    let sandbox = told(&text.concat());
    sandbox.run(&["run"], 1);
    let text = String::from_utf8(report(&sandbox, "github")).unwrap();
    let count = |name: &str| text.lines().filter(|line| line.starts_with(name)).count();
    assert_eq!((count("::error "), count("::warning "), count("::notice ")), (10, 10, 10));
    assert!(text.starts_with("::error "), "{text}");
    let last = text.lines().last().unwrap();
    assert_eq!(
        last,
        "::notice title=genti::7 more annotations are in the summary and the artifacts of the run"
    );
}

#[test]
fn events_report_progress_and_end_with_the_findings() {
    let sandbox = mixed();
    let output = sandbox.command(&["check", "--message-format", "json"]).output().unwrap();
    sandbox.expect(&output, 1);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).cloned().collect::<Vec<_>>();
    assert_eq!((lines[0]["type"].as_str(), lines[0]["version"].as_u64()), (Some("start"), Some(1)));
    let end = lines.last().unwrap();
    assert_eq!(
        (end["type"].as_str(), end["exit"].as_u64(), end["status"].as_str()),
        (Some("end"), Some(1), Some("failed"))
    );
    assert!(end["artifacts"].as_str().unwrap().ends_with("target/genti/artifacts"));
    assert_eq!(of("planned")[0]["graph_hash"], sandbox.json("run.json")["graph_hash"]);
    assert_eq!(of("step-started").len(), of("step-finished").len());
    assert_eq!(of("step-started")[0]["tool"], "gone");
    let report = sandbox.json("report.json");
    for (list, kind) in
        [("findings", "finding"), ("gone", "gone"), ("suppressions", "suppression"), ("tools", "tool")]
    {
        let mut expected = report[list].as_array().unwrap().clone();
        expected.iter_mut().for_each(|item| item["type"] = kind.into());
        assert_eq!(of(kind), expected);
        assert!(!expected.is_empty(), "{kind}");
    }
}

#[test]
fn events_always_have_an_end() {
    let sandbox = told("a:1: error: bad\n");
    let end = |output: &Output, code| {
        sandbox.expect(output, code);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        serde_json::from_str::<Value>(text.lines().last().unwrap()).unwrap()
    };
    let args = ["run", "--message-format", "json"];
    let output = sandbox.command(&[&args[..], &["--order", "odd"]].concat()).output().unwrap();
    let last = end(&output, 2);
    assert_eq!((last["status"].as_str(), last["artifacts"].as_str()), (Some("usage"), None));
    assert!(String::from_utf8_lossy(&output.stderr).contains("error: --order: "));
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = sandbox.command(&args).stdout(full).output().unwrap();
    assert!(sandbox.expect(&output, 4).contains("could not write to standard output"));
    // If nobody reads the output, that is not an error.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = sandbox.command(&args).stdout(writer).output().unwrap();
    sandbox.expect(&output, 1);
    sandbox.write("target-as-file", "");
    let output = sandbox.command(&args).env("CARGO_TARGET_DIR", "target-as-file").output().unwrap();
    let last = end(&output, 4);
    assert_eq!((last["status"].as_str(), last["artifacts"].as_str()), (Some("not-written"), None));
}

#[test]
fn an_artifact_is_not_overwritten_by_a_report() {
    let sandbox = mixed();
    let before = sandbox.artifact("report.json");
    let path = "target/genti/artifacts/report.json";
    let text = sandbox.run(&["report", "--format", "sarif", "-o", path], 2);
    assert!(text.contains("`target/genti/artifacts/report.json` is an artifact"), "{text}");
    let text = sandbox.run(&["run", "--report", &format!("sarif={path}")], 2);
    assert!(text.contains("--report: `target/genti/artifacts/report.json` is an artifact"), "{text}");
    assert_eq!(sandbox.artifact("report.json"), before);
    let before = sandbox.text("Cargo.toml");
    let text = sandbox.run(&["run", "--report", "json=Cargo.toml"], 2);
    assert!(text.contains("--report: `Cargo.toml` is a source file; use another name"), "{text}");
    sandbox.run(&["report", "--format", "json", "--output", "./Cargo.toml"], 2);
    assert_eq!(sandbox.text("Cargo.toml"), before);
}

#[test]
fn a_report_is_opened_with_the_default_program() {
    let sandbox = mixed();
    let (bin, opened) = (sandbox.beside().join("bin"), sandbox.beside().join("opened"));
    std::fs::create_dir(&bin).unwrap();
    let script = format!("#!/bin/sh\necho \"$1\" > '{}.part' && mv '{0}.part' '{0}'\n", opened.display());
    // One command for Linux, one for macOS.
    for name in ["xdg-open", "open"] {
        std::fs::write(bin.join(name), &script).unwrap();
        assert!(Command::new("chmod").arg("+x").arg(bin.join(name)).status().unwrap().success());
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    for (args, name) in [
        (&[][..], "target/genti/artifacts/report.html"),
        (&["--format", "markdown"], "target/genti/artifacts/report.md"),
        (&["--format", "json"], "target/genti/artifacts/report.json"),
        (&["--format", "junit", "--output=-x.xml"], "-x.xml"),
    ] {
        let _ = std::fs::remove_file(&opened);
        let mut command = sandbox.command(&[&["report", "--open"], args].concat());
        let text = sandbox.expect(&command.env("PATH", &path).output().unwrap(), 0);
        assert!(text.contains(&format!("Opened {name}\n")), "{text}");
        // The run does not wait for it.
        wait_until("what opens it", || opened.exists());
        let place = sandbox.root().canonicalize().unwrap().join(name);
        assert_eq!(std::fs::read_to_string(&opened).unwrap().trim(), place.display().to_string());
        assert!(place.exists());
    }
    Sandbox::of("clean", "workspace").run(&["report", "--open"], 2);
}

#[test]
fn without_a_program_to_open_it_the_path_of_the_report_is_shown() {
    let sandbox = mixed();
    let mut command = sandbox.command(&[
        "report",
        "--format",
        "markdown",
        "--open",
        "--artifacts",
        "target/genti/artifacts",
    ]);
    // There is no cargo to find the workspace either.
    let text = sandbox.expect(&command.env("PATH", "/nowhere").env_remove("CARGO").output().unwrap(), 2);
    assert!(text.contains("in an application: "), "{text}");
    assert!(text.contains("could not open target/genti/artifacts/report.md"), "{text}");
    assert!(sandbox.root().join("target/genti/artifacts/report.md").exists());
}
