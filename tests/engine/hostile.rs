//! Tests with output that tries to control its reader: nothing of it reaches a terminal or a CI service unescaped.

use genti::model::tool::Parse;

use crate::support::Sandbox;

/// One item per line. In every format it must become a finding or a reason for a missing verdict.
const HOSTILE: &str = "\u{1b}[31mred\u{1b}]0;title\u{7}\n\u{9b}1mbold\n\u{202e}cilbup\u{2066}\r::error::r\n::error file=x::n\n  ::warning::w\n##[error]g\n<script>\0\u{85}\n";

/// Configures tools that print this and exit with different codes, for every format.
fn tools() -> String {
    let regex = r"{ regex = '^(?<message>.*)$' }".to_owned();
    let formats = Parse::NAMED.iter().map(|parse| format!("'{}'", parse.as_str()));
    let tool = |(at, parse): (usize, String)| {
        let run = "cat hostile.txt; cat hostile.txt >&2; exit";
        [0, 1, 2, 126]
            .map(|code| {
                format!("[tools.h{at}-{code}]\nrun = ['sh', '-c', '{run} {code}']\nparse = {parse}\n")
            })
            .concat()
    };
    formats.chain([regex]).enumerate().map(tool).collect()
}

/// Creates SARIF with hostile rules, locations and notes.
fn sarif() -> String {
    let text = serde_json::to_string(HOSTILE).unwrap();
    format!(
        r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{}}}},"results":[
            {{"ruleId":{text},"message":{{"text":{text}}},"relatedLocations":[{{"message":{{"text":{text}}},"physicalLocation":{{"artifactLocation":{{"uri":{text}}},"region":{{"startLine":1}}}}}}],
              "locations":[{{"physicalLocation":{{"artifactLocation":{{"uri":"hostile.txt"}},"region":{{"startLine":2}}}}}}]}},
            {{"ruleId":{text},"message":{{"text":{text}}},"locations":[{{"logicalLocations":[{{"name":{text}}}]}}]}}]}}]}}"#
    )
}

#[test]
fn output_of_a_tool_cannot_control_a_terminal_or_a_ci_service() {
    let config = format!("{}[tools.sarif]\nrun = ['cat', 'log.sarif']\nparse = 'sarif'\n", tools());
    let sandbox = Sandbox::with_tools(&config);
    sandbox.write("hostile.txt", HOSTILE);
    sandbox.write("log.sarif", &sarif());
    for args in [&["run"][..], &["run", "--verbose"]] {
        let text = sandbox.run(args, 3);
        assert!(text.contains("cilbup") && text.contains("error file=x"), "it is shown: {text}");
        let steers = |c: char| {
            c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        let line = text.lines().find(|line| {
            line.contains(steers) || line.contains("##[") || line.trim_start().starts_with("::")
        });
        assert_eq!(line, None);
    }
    // It passes only for parsers of exit codes, and for the diff parser because it contains no diff.
    let is_clean = |(name, verdict): (String, String)| (verdict == "passed").then_some(name);
    let clean: Vec<_> = sandbox.verdicts().into_iter().filter_map(is_clean).collect();
    let at = |parse: Parse| Parse::NAMED.iter().position(|named| *named == parse).unwrap();
    assert_eq!(clean, [Parse::Diff, Parse::ExitCode].map(|parse| format!("h{}-0", at(parse))));
}

/// Lines that CI services take for commands.
const COMMANDS: [&str; 12] = [
    "::error::a",
    "  ::set-output name=a::b",
    "##[group]a",
    "a ##[error]b",
    "##vso[task.setvariable variable=a]b",
    "a ##vso[task.complete result=Succeeded]b",
    "##teamcity[buildStatus status='SUCCESS']",
    "--- a",
    "+++ a",
    "~~~ a",
    "^^^ +++",
    "section_start:1:a",
];

/// Returns whether any CI service would take `line` for a command.
fn is_command(line: &str) -> bool {
    let hash = |mark: &str| line.contains(mark);
    let begins = |mark: &&str| line.starts_with(*mark);
    hash("##[")
        || hash("##vso[")
        || hash("##teamcity[")
        || ["--- ", "+++ ", "~~~ ", "^^^ "].iter().any(begins)
        || ["::", "section_start:", "section_end:"].iter().any(|mark| line.trim_start().starts_with(mark))
}

#[test]
fn output_of_a_tool_contains_no_command_for_a_ci_service() {
    let pattern = r"{ regex = '^(?<path>hostile.txt):(?<line>\d+):(?<message>.*)$' }";
    let config = format!(
        "[tools.lines]\nrun = ['cat', 'hostile.txt']\nparse = 'lines'\n\
         [tools.regex]\nrun = ['awk', '{{print \"hostile.txt:\" FNR \":\" $0}}', 'hostile.txt']\nparse = {pattern}\n\
         [tools.code]\nrun = ['sh', '-c', 'cat hostile.txt; exit 1']\nparse = 'exit-code'\n\
         [tools.gap]\nrun = ['sh', '-c', 'tac hostile.txt >&2; exit 2']\nparse = 'sarif'\n"
    );
    let sandbox = Sandbox::with_tools(&config);
    sandbox.write("hostile.txt", &(COMMANDS.join("\n") + "\n"));
    let mut commands =
        vec![vec!["run"], vec!["run", "--verbose"], vec!["run", "--message-format", "json"], vec!["explain"]];
    let formats = ["human", "json", "sarif", "junit", "markdown", "html", "github", "gitlab"];
    commands.extend(formats.map(|format| vec!["report", "--format", format]));
    commands.push(vec!["plan", "--format", "json"]);
    for args in commands {
        for ci in [&[][..], &[("TF_BUILD", "True")], &[("BUILDKITE", "true")], &[("GITLAB_CI", "true")]] {
            let output = sandbox.command(&args).envs(ci.iter().copied()).output().unwrap();
            let text = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
            let is_meant = |line: &&str| !args.contains(&"github") || !line.starts_with("::");
            let line = text.lines().filter(is_meant).find(|line| is_command(line));
            assert_eq!(line, None, "{args:?} {ci:?}");
            assert!(output.status.code() != Some(2), "{args:?} {ci:?}: {text}");
            if args[0] == "report" {
                assert!(text.contains("buildStatus") && text.contains("task.complete"), "{args:?}: {text}");
            }
        }
    }
    // The values themselves are unchanged.
    let output = sandbox.command(&["report", "--format", "json"]).output().unwrap();
    let printed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed, sandbox.json("report.json"));
}
