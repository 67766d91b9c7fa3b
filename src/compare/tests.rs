//! Property tests of the comparison, and helpers that its tests share.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::baseline::{entries_of, parse, render};
use super::identity::identify;
use super::matching::compare;
use super::reach::Reach;
use super::suppressions::Suppressions;
use crate::model::finding::{Diagnostic, Finding, Level, Place, Position, Range, State};
use crate::model::finding::{Entry, Site};
use crate::model::halt::Never;
use crate::model::path::RelPath;
use crate::model::sources::Sources;
use crate::model::text::Text;

pub(super) fn at(line: u32, column: u32) -> Range {
    let start = Position { line, column };
    Range { start, end: start }
}

/// Returns the range of the first `flagged` in `text`.
pub(super) fn range_of(text: &str, flagged: &str) -> Range {
    let start = text.find(flagged).unwrap_or(text.len());
    Range { start: position(text, start), end: position(text, start + flagged.len()) }
}

fn position(text: &str, offset: usize) -> Position {
    let before = &text[..offset.min(text.len())];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Position {
        line: before.matches('\n').count() as u32 + 1,
        column: before[line_start..].chars().count() as u32 + 1,
    }
}

pub(super) fn diagnostic(path: &str, range: Range, message: &str) -> Diagnostic {
    Diagnostic {
        place: Place::File { path: RelPath::new(path), range: Some(range) },
        ns: "clippy".into(),
        rule: "clippy::rule".into(),
        level: Level::Warning,
        message: message.into(),
        fatal: false,
        package: None,
        related: Vec::new(),
        fix: None,
        test: None,
    }
}

pub(super) fn sources(path: &str, text: impl AsRef<[u8]>) -> Sources {
    Sources(BTreeMap::from([(RelPath::new(path), text.as_ref().to_vec())]))
}

pub(super) fn identified(path: &str, text: impl AsRef<[u8]>, diagnostics: Vec<Diagnostic>) -> Vec<Finding> {
    let reported = diagnostics.into_iter().map(|diagnostic| ("clippy".into(), diagnostic)).collect();
    identify(reported, &sources(path, text), &Never).unwrap()
}

/// A run in which every file exists and was checked.
pub(super) struct Everything;

impl Reach for Everything {
    fn exists(&self, _: &RelPath) -> bool {
        true
    }
    fn looked_at(&self, _: &str, _: &Entry) -> bool {
        true
    }
}

/// The tokens of a program. `␣` stands for mandatory whitespace, `·` for optional whitespace.
const PROGRAM: &str = "#[derive(·Debug·)]·pub␣struct␣A·{·x·:·u8·,·y·:·Vec<·u8·>·,·}·\
    impl<·T·:·Clone·>·From<·T·>␣for␣A␣where␣T·:·Copy·{·\
    fn␣from(·t·:·T·,·u·:·&'a␣str·,·)␣->␣A·{·let␣x␣=␣foo(·t·,·1·,·)·.·bar(·)·;·\
    if␣x␣==␣1.5␣{·return␣x·;·}·match␣x·{·1␣=>␣\"a  b\"·,·_␣=>␣'c'·,·}·;·A·{·x·,·y·:·vec![·1·;·2·]·,·}·}·}·\
    mod␣m·{·const␣N·:·usize␣=␣1␣+␣2·;·}·";

/// Returns the program with `trivia` in its gaps, and the start and end of each token.
fn lay_out(trivia: &[&str]) -> (String, Vec<(usize, usize)>) {
    let mut gaps = trivia.iter().cycle();
    let (mut text, mut tokens) = (String::new(), Vec::new());
    for piece in PROGRAM.split_inclusive(['␣', '·']) {
        let token = piece.trim_end_matches(['␣', '·']);
        tokens.push((text.len(), text.len() + token.len()));
        text.push_str(token);
        let gap = gaps.next().unwrap_or(&"");
        text.push_str(if gap.is_empty() && piece.ends_with('␣') { " " } else { gap });
    }
    (text, tokens)
}

fn trivia() -> impl Strategy<Value = Vec<&'static str>> {
    vec(select(vec!["", " ", "\n", "\t\r\n    ", " /* a; b, { */ ", " // c, }\n"]), 1..40)
}

fn entry() -> impl Strategy<Value = Entry> {
    let text = || select(vec!["", "a", "é\"\\\n", "\u{1b}[0m", "}"]).prop_map(str::to_owned);
    let site = prop_oneof![
        select(vec![&b"a.rs"[..], b"", b"\xff%41", b"a/b"]).prop_map(|path| Site::Path(RelPath::new(path))),
        text().prop_map(Site::Subject),
    ];
    (site, text(), text(), text(), text()).prop_map(|(site, rule, scope, code, msg)| Entry {
        site,
        rule: rule.into(),
        scope: scope.into(),
        code: code.into(),
        msg: msg.into(),
        in_variants: None,
        reason: None,
    })
}

/// Generates findings of few kinds on many lines, so some are identical.
fn findings() -> impl Strategy<Value = Vec<(u32, &'static str, bool)>> {
    vec((1..12u32, select(vec!["m", "n"]), prop::bool::weighted(0.1)), 0..24)
}

const LINES: &str =
    "fn a() {\nreturn x;\nreturn x;\n}\nfn b() {\nreturn x;\nreturn y;\nreturn y;\n}\nreturn x;\nz";

fn identify_lines(lines: &[(u32, &str, bool)]) -> Vec<Finding> {
    let diagnostics = lines
        .iter()
        .map(|&(line, message, fatal)| Diagnostic { fatal, ..diagnostic("a.rs", at(line, 1), message) });
    identified("a.rs", LINES, diagnostics.collect())
}

proptest! {
    #[test]
    fn identity_survives_reformatting(
        before in trivia(), after in trivia(), above in "(//[a-z{}]{0,5}\n|\n| ){0,3}", from: Index, to: Index,
    ) {
        let describe = |trivia: &[&str], above: &str| {
            let (text, tokens) = lay_out(trivia);
            let (from, to) = (from.index(tokens.len()), to.index(tokens.len()));
            let (start, end) = (tokens[from.min(to)].0 + above.len(), tokens[from.max(to)].1 + above.len());
            let text = format!("{above}{text}");
            let range = Range { start: position(&text, start), end: position(&text, end) };
            let finding = identified("a.rs", &text, vec![diagnostic("a.rs", range, "m")]).remove(0);
            let is_all = from.min(to) == 0 && tokens[from.max(to)].1 == tokens[tokens.len() - 1].1;
            prop_assert!(!finding.code.is_empty() || is_all || tokens[from.min(to)].0 == tokens[from.max(to)].1);
            Ok((finding.id, finding.code, finding.scope))
        };
        prop_assert_eq!(describe(&before, "")?, describe(&after, &above)?);
    }

    #[test]
    fn any_bytes_and_any_range_can_be_identified(
        text in prop_oneof![
            vec(any::<u8>(), 0..200),
            vec(select(vec![
                "fn", "impl", "mod", "const", "a", " ", "{", "}", "(", ")", "[", "]", "<", ">", "->", ";", ",", "'",
                "\"", "r#\"", "/*", "*/", "//", "\n", "\r\n", "é", "\u{feff}", "---", "#!", "#", "where", "\0", "1.",
            ]), 0..80).prop_map(|words| words.concat().into_bytes()),
        ],
        line in 0..9u32, column in 0..30u32, end_line in 0..9u32, end_column in 0..30u32,
    ) {
        let range =
            Range { start: Position { line, column }, end: Position { line: end_line, column: end_column } };
        for path in ["a.rs", "a.txt"] {
            identified(path, &text, vec![diagnostic(path, range, "m")]);
        }
    }

    #[test]
    fn identity_does_not_depend_on_the_order_of_the_input(
        (lines, shuffled) in findings().prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle())),
    ) {
        prop_assert_eq!(identify_lines(&lines), identify_lines(&shuffled));
    }

    #[test]
    fn written_entries_are_read_back(
        (mut entries, shuffled) in vec(entry(), 0..12)
            .prop_flat_map(|entries| (Just(entries.clone()), Just(entries).prop_shuffle())),
    ) {
        let text = render(&shuffled);
        let read = parse("b.jsonl", text.as_bytes()).unwrap();
        entries.sort();
        prop_assert_eq!(&read, &entries);
        prop_assert_eq!(render(&read), text);
    }

    #[test]
    fn a_baseline_may_contain_any_bytes(head: bool, bytes in vec(any::<u8>(), 0..100), words in vec(select(vec![
        "{", "}", "\"path\"", ":", ",", "\"\"", "1", "\n", "<<<<<<< ", "[", "é", "\"nth\"", "\u{feff}",
    ]), 0..40)) {
        let head = if head { "{\"genti_baseline\":1}\n" } else { "" };
        for tail in [bytes, words.concat().into_bytes()] {
            if let Err(problems) = parse("b.jsonl", &[head.as_bytes(), &tail].concat()) {
                prop_assert!(!problems.0.is_empty());
                prop_assert!(problems.0.iter().all(|problem| problem.position().is_some()));
            }
        }
    }

    #[test]
    fn matching_is_one_to_one_and_does_not_depend_on_order(
        (current, current_shuffled) in findings().prop_flat_map(|f| (Just(f.clone()), Just(f).prop_shuffle())),
        known in findings(), seed: Index,
    ) {
        let baseline = entries_of(&identify_lines(&known));
        let mut rotated = baseline.clone();
        for entries in rotated.values_mut() {
            let at = seed.index(entries.len());
            entries.rotate_left(at);
        }
        let mut mixed = identify_lines(&current_shuffled);
        if !mixed.is_empty() {
            let at = seed.index(mixed.len());
            mixed.rotate_left(at);
        }
        let matched = compare(identify_lines(&current), &Suppressions::default(), &baseline, &Everything, &Never).unwrap();
        prop_assert_eq!(&matched, &compare(mixed, &Suppressions::default(), &rotated, &Everything, &Never).unwrap());

        // Each finding and each entry occurs once, and equally many are matched on both sides.
        let findings: Vec<Finding> = matched.findings.iter().map(|judged| judged.finding.clone()).collect();
        prop_assert_eq!(findings, identify_lines(&current));
        let unchanged = matched.findings.iter().filter(|judged| judged.accepted.is_some()).count();
        prop_assert_eq!(unchanged + matched.gone.len(), baseline.values().map(Vec::len).sum::<usize>());
        // Nothing that could be matched is left over on both sides.
        for judged in matched.findings.iter().filter(|j| j.state == State::New && !j.finding.diagnostic.fatal) {
            let scopeless = |entry: &Entry| Entry { scope: Text::default(), ..entry.clone() };
            let new = scopeless(&Entry::of(&judged.finding));
            let left_out = matched.gone.iter().any(|gone| scopeless(&gone.entry) == new);
            prop_assert!(!left_out);
        }
    }
}

#[test]
fn truncated_files_do_not_panic() {
    let (source, _) = lay_out(&[" ", "\n", " /* é */ "]);
    for end in 0..source.len() {
        identified("a.rs", &source.as_bytes()[..end], vec![diagnostic("a.rs", at(3, 2), "m")]);
    }
    let baseline = render(&entries_of(&identify_lines(&[(2, "m é", false), (3, "m é", false)]))["clippy"]);
    let baseline = baseline.as_bytes();
    for end in 0..baseline.len() {
        // A cut in the middle of a line is an error.
        let cut = parse("b.jsonl", &baseline[..end]);
        let at_line_end = baseline[..end].ends_with(b"\n") || baseline[end..].starts_with(b"\n");
        assert_eq!(cut.is_ok(), at_line_end && end > 0, "{end}");
    }
}

#[test]
fn many_findings_in_a_big_file_are_identified_fast() {
    // Lexing the file for each finding would take minutes.
    let text = "fn a() {\n    let x = foo(1, 2);\n    return x;\n}\n".repeat(2_500);
    let diagnostics = (0..2_500).map(|nth| diagnostic("a.rs", at(nth * 4 + 3, 5), "m")).collect();
    let findings = identified("a.rs", &text, diagnostics);
    assert!(findings.iter().all(|finding| finding.code == "return x" && finding.scope == "fn a"));
}
