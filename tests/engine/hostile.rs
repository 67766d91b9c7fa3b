//! Output that is made to steer whoever reads on: nothing of it reaches a terminal or a CI service as it is.

use genti::model::tool::Parse;

use crate::support::Sandbox;

/// One line each: what every format makes of it is a finding, or a reason for which there is none.
const HOSTILE: &str = "\u{1b}[31mred\u{1b}]0;title\u{7}\n\u{9b}1mbold\n\u{202e}cilbup\u{2066}\r::error::r\n::error file=x::n\n  ::warning::w\n##[error]g\n<script>\0\u{85}\n";

/// Tools that print this and end with each of these codes, one for each format.
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

/// Rules, places and notes of a finding.
fn sarif() -> String {
    let text = serde_json::to_string(HOSTILE).unwrap();
    format!(
        r#"{{"runs":[{{"tool":{{"driver":{{}}}},"results":[
            {{"ruleId":{text},"message":{{"text":{text}}},"relatedLocations":[{{"message":{{"text":{text}}},"physicalLocation":{{"artifactLocation":{{"uri":{text}}},"region":{{"startLine":1}}}}}}],
              "locations":[{{"physicalLocation":{{"artifactLocation":{{"uri":"hostile.txt"}},"region":{{"startLine":2}}}}}}]}},
            {{"ruleId":{text},"message":{{"text":{text}}},"locations":[{{"logicalLocations":[{{"name":{text}}}]}}]}}]}}]}}"#
    )
}

#[test]
fn nothing_that_a_tool_prints_steers_a_terminal_or_a_ci_service() {
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
    // It passes only where the exit code alone counts: also that of a test program without a harness.
    let is_clean = |(name, verdict): (String, String)| (verdict == "passed").then_some(name);
    let clean: Vec<_> = sandbox.verdicts().into_iter().filter_map(is_clean).collect();
    let expected = [Parse::ExitCode, Parse::Libtest]
        .map(|parse| format!("h{}-0", Parse::NAMED.iter().position(|named| *named == parse).unwrap()));
    assert_eq!(clean, expected);
}
