use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anstream::adapter::strip_str;
use genti::model::finding::{Fix, Place, Related, Site, State};
use genti::model::sources::Sources;
use genti::report::finished::Finished;
use genti::report::fixes::Tree;

use super::super::View;
use super::super::text::inert;
use super::*;

const HOSTILE: &str =
    "a\u{1b}[31mb\u{9b}1m\u{7}\u{202e}c\u{2066}\r::error::d\n::error file=x::e\n  ::f\n##[error]g\0\u{85}";

/// Returns a finding with control characters in every field. All fields are listed, so that new ones are considered.
fn hostile(place: Place) -> Finding {
    let text = || HOSTILE.to_owned();
    let path = || RelPath::new(HOSTILE);
    let position = |line, column| Position { line, column };
    let range = Range { start: position(1, 1), end: position(1, 2) };
    Finding {
        place: place.clone(),
        ns: HOSTILE.into(),
        rule: HOSTILE.into(),
        level: finding::Level::Error,
        message: HOSTILE.into(),
        fatal: false,
        related: vec![
            Related { message: text(), place: Some(place.clone()) },
            Related { message: "one line \u{1b}[31mb".to_owned(), place: Some(place) },
            Related { message: text(), place: Some(Place::File { path: path(), range: Some(range) }) },
            Related { message: text(), place: Some(Place::Subject(text())) },
            Related { message: text(), place: None },
        ],
        fix: Some(Box::new(Fix::new(text(), vec![(path(), range, text())]))),
        test: None,
        id: HOSTILE.into(),
        code: HOSTILE.into(),
        scope: HOSTILE.into(),
        state: State::New,
        matched_by: None,
        reason: Some(text()),
        owner: Some(text()),
        tools: [HOSTILE.into()].into(),
        seen_in: None,
        cause: None,
    }
}

/// Nothing was shown before.
static SHOWN: BTreeSet<finding::DiagnosticKey> = BTreeSet::new();

/// Returns a run without findings.
fn run() -> Finished {
    Finished::read(
        include_bytes!("../../../../../tests/engine/golden/run.json"),
        include_bytes!("../../../../../tests/engine/golden/report.json"),
    )
    .unwrap()
}

fn view<'a>(run: &'a Finished, sources: &'a Sources) -> View<'a> {
    View {
        run,
        tasks: None,
        canvas: Canvas {
            sources,
            links: Some(Path::new("/w")),
            terminal: Some(80),
            outputs: Box::leak(Box::default()),
            verbose: true,
        },
        shown: &SHOWN,
        elapsed: Some(Duration::from_secs(72)),
        cached: Some(1),
        statistics: false,
        tree: Tree::Clean,
        may_begin_baseline: true,
        stale_fails: true,
        artifacts: None,
        kept: Vec::new(),
        asides: Vec::new(),
        verbose: true,
        quiet: false,
    }
}

fn shown(finding: &Finding, source: Option<&[u8]>) -> String {
    let path = finding.place.path().cloned().unwrap_or_default();
    let sources = Sources(source.map(|source| (path, source.to_vec())).into_iter().collect());
    render(finding, &view(&run(), &sources).canvas, &[])
}

/// Checks that `text`, without our own colours and links, controls neither a terminal nor a CI service.
#[track_caller]
fn check(text: &str) {
    let own = inert(text);
    let shown = strip_str(&own).to_string();
    // Stripping removes well-formed sequences only, and our own ones come from styles.
    assert!(!own.contains("\u{1b}[31mb"), "{own:?}");
    let steers = |c: char| {
        c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!shown.contains(steers), "{shown:?}");
    assert!(!shown.lines().any(|line| line.trim_start().starts_with("::")), "{shown}");
    assert!(!shown.contains("##["), "{shown}");
}

#[test]
fn no_field_of_a_finding_controls_the_terminal() {
    let position = |line, column| Position { line, column };
    let ranges = [None, Some((1, 1, 1, 2)), Some((1, 3, 3, 1)), Some((9, 9, 9, 9))];
    for range in ranges {
        let range = range.map(|(a, b, c, d)| Range { start: position(a, b), end: position(c, d) });
        let place = Place::File { path: RelPath::new(HOSTILE), range };
        for source in [None, Some(HOSTILE.as_bytes()), Some(b"\xff\x1b[31mb\n::error::x\n")] {
            check(&shown(&hostile(place.clone()), source));
        }
    }
    let subject = hostile(Place::Subject(HOSTILE.to_owned()));
    check(&shown(&subject, None));
    let Finding { rule, scope, code, message, .. } = subject;
    for site in [Site::Subject(HOSTILE.to_owned()), Site::Path(RelPath::new(HOSTILE))] {
        let (rule, scope, code, msg) = (rule.clone(), scope.clone(), code.clone(), message.clone());
        check(&entry_at(&Entry { site, rule, scope, code, msg, in_variants: None, reason: None }, Some(1)));
    }
}

/// Covers tools, suppressions, the baseline and counts as well.
#[test]
fn no_field_of_a_report_controls_the_terminal() {
    let mut run = run();
    let place = Place::File { path: RelPath::new(HOSTILE), range: None };
    // More findings than are listed individually.
    run.report.findings = vec![hostile(place); 400];
    for tool in &mut run.run.tools {
        (tool.version, tool.per) = (Some(HOSTILE.to_owned()), "workspace".to_owned());
    }
    for tool in &mut run.report.tools {
        let (unit, reason) = (HOSTILE.to_owned(), HOSTILE.to_owned());
        tool.incomplete.push(genti::report::finished::Incomplete { unit, reason });
    }
    run.report.golden_orphans.push(HOSTILE.to_owned());
    let gone = serde_json::json!({
        "ns": HOSTILE, "path": HOSTILE, "subject": null, "rule": HOSTILE, "message": HOSTILE, "code": HOSTILE,
        "scope": HOSTILE, "reason": HOSTILE, "state": "fixed",
    });
    run.report.gone.push(serde_json::from_value(gone).unwrap());
    for effect in ["active", "expired", "unused"] {
        let suppression = serde_json::json!({
            "effect": effect, "matched": 1, "reason": HOSTILE, "owner": HOSTILE, "expires": HOSTILE, "file": HOSTILE,
            "line": 1, "rule": HOSTILE, "tool": HOSTILE, "path": HOSTILE, "subject": HOSTILE, "message": HOSTILE,
        });
        run.report.suppressions.push(serde_json::from_value(suppression).unwrap());
    }
    let sources = Sources::default();
    for (verbose, state) in [(true, State::Suppressed), (false, State::New), (true, State::New)] {
        run.report.findings.iter_mut().for_each(|finding| finding.state = state);
        check(&super::super::report(&View { verbose, ..view(&run, &sources) }));
    }
}

#[test]
fn messages_about_nearby_lines_are_labels() {
    let position = |line, column| Position { line, column };
    let path = RelPath::new("src/lib.rs");
    let at = |line, from, to| Place::File {
        path: path.clone(),
        range: Some(Range { start: position(line, from), end: position(line, to) }),
    };
    let related = |message: &str, place| Related { message: message.to_owned(), place: Some(place) };
    let edit = |line, from, to, text: &str| {
        (path.clone(), Range { start: position(line, from), end: position(line, to) }, text.to_owned())
    };
    let finding = Finding {
        place: at(4, 5, 6),
        ns: "rustc".into(),
        rule: "E0382".into(),
        message: "use of moved value: `a`".into(),
        related: vec![
            related("value used here after move", at(4, 5, 6)),
            related("value moved here", at(2, 10, 11)),
            related("far away", at(60, 1, 2)),
        ],
        fix: Some(Box::new(Fix::new(
            "clone it".to_owned(),
            vec![edit(2, 11, 11, ".clone()"), edit(4, 6, 6, ";")],
        ))),
        ..hostile(at(4, 5, 6))
    };
    let source = b"fn f() {\n    drop(a);\n\n    a\n}\n";
    let text = strip_str(&shown(&finding, Some(source))).to_string();
    let expected = "\
error[E0382]: use of moved value: `a`
 --> src/lib.rs:4:5
  |
2 |     drop(a);
  |          - value moved here
3 |
4 |     a
  |     ^ value used here after move
  |
  = note: far away: src/lib.rs:60:1
help: clone it
  |
2 ~     drop(a.clone());
3 |
4 ~     a;
  |

";
    assert_eq!(text, expected);
    // Without the source, the position and the description of the fix are shown.
    let text = strip_str(&shown(&finding, None)).to_string();
    assert!(text.contains("--> src/lib.rs:4:5\n") && text.contains("= help: clone it"), "{text}");
}

/// Returns a finding whose fix replaces the lines from `first` up to before `last`, in a source of these lines.
fn drawn(source: &str, first: u32, last: u32, text: &str) -> String {
    let path = RelPath::new("src/lib.rs");
    let position = |line| Position { line, column: 1 };
    // Nothing follows a last line without a newline.
    let end = match source
        .lines()
        .nth(first as usize - 1)
        .filter(|_| last as usize > source.matches('\n').count() + 1)
    {
        Some(open) => Position { line: last - 1, column: open.len() as u32 + 1 },
        None => position(last),
    };
    let range = Range { start: position(first), end };
    let place = Place::File { path: path.clone(), range: Some(range) };
    let finding = Finding {
        ns: "rustfmt".into(),
        rule: "rustfmt::unformatted".into(),
        message: "not formatted".into(),
        level: finding::Level::Warning,
        related: Vec::new(),
        fix: Some(Box::new(Fix::new("format it".to_owned(), vec![(path, range, text.to_owned())]))),
        ..hostile(place)
    };
    let text = strip_str(&shown(&finding, Some(source.as_bytes()))).to_string();
    text.lines().skip(2).map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_change_of_lines_is_drawn_as_the_same_kind_of_diff() {
    let source = "a\nb\n\n\n\nc \nd\n";
    // Blank lines that are removed.
    assert_eq!(drawn(source, 3, 5, ""), "  |\n2 | b\n3 |\n4 -\n5 -\n  |\n\n");
    // One line becomes several, and several become one.
    assert_eq!(drawn(source, 1, 2, "x\ny\n"), "  |\n1 - a\n1 + x\n2 + y\n2 | b\n  |\n\n");
    assert_eq!(drawn(source, 1, 3, "ab\n"), "  |\n1 - a\n2 - b\n1 + ab\n3 |\n  |\n\n");
    // An insertion.
    assert_eq!(drawn(source, 2, 2, "x\n"), "  |\n1 | a\n2 + x\n2 | b\n  |\n\n");
    // Invisible characters at the end of a line are marked.
    assert_eq!(drawn(source, 6, 7, "c\n"), "  |\n5 |\n6 - c·\n6 + c\n7 | d\n  |\n\n");
    assert_eq!(drawn("a\r\nb\r\n", 1, 2, "a\n"), "  |\n1 - a␍\n1 + a\n2 | b\n  |\n\n");
    assert_eq!(
        drawn("a\nb", 2, 3, "b\n"),
        "  |\n1 | a\n2 - b (no newline at the end of the file)\n2 + b\n  |\n\n"
    );
    // Long changes are cut, and control characters do nothing.
    let long: String = (0..60).map(|line| format!("line {line}\n")).collect();
    let text = drawn(source, 1, 2, &long);
    assert!(text.contains("60 + line 59\n"), "{text}");
    assert!(drawn(source, 1, 2, "\u{1b}[31mb\n").contains("1 + \\u{1b}[31mb\n"));
}
