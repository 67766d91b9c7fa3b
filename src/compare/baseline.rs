//! Format of a baseline file: a header, then one line for each accepted occurrence of a finding.
//!
//! One file covers one namespace. Its text is canonical, so parsing and rendering it gives the same bytes. It is made to be
//! merged: sorted, without line numbers, counts, times or versions. Identical occurrences are distinguished by `nth`, which is
//! written from the second one on. Two equal lines can therefore only come from a merge that kept both sides, and are read as one.
//! The value of `nth` has no other meaning: a merge may leave gaps, and every line counts once.
//!
//! Does not know where the files are or what the current findings are.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ratchet, variants};
use crate::model::conflict::is_conflict_marker;
use crate::model::error::{Problem, Problems};
use crate::model::finding::{Entry, Finding, Site, State};
use crate::model::outcome::{Compared, Gone};
use crate::model::path::RelPath;
use crate::model::text::Text;

/// The newest format that is read. It differs from the first one in that lines may have `in_variants`, and is written only if one
/// has: an older genti would accept such an entry in every variant.
const VERSION: u32 = 2;
const HEADER: &str = r#"{"genti_baseline":1}"#;
const HEADER_OF_VARIANTS: &str = r#"{"genti_baseline":2}"#;

/// Returns the entries that accept all of `findings`, by namespace, sorted. Fatal findings and flaky
/// tests can't be accepted.
pub fn entries_of(findings: &[Finding]) -> BTreeMap<String, Vec<Entry>> {
    let mut entries: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.diagnostic.can_be_accepted()) {
        entries.entry(finding.diagnostic.ns.to_string()).or_default().push(Entry::of(finding));
    }
    for entries in entries.values_mut() {
        entries.sort();
    }
    entries
}

/// Returns the baseline without its stale entries: accepted findings in their present form, and entries that were not checked.
/// It never has more entries than the baseline that was compared with.
pub fn shrunk(findings: &[Compared], gone: &[Gone]) -> BTreeMap<String, Vec<Entry>> {
    let found = findings.iter().filter_map(|compared| {
        let accepted = compared.accepted.as_ref().or(compared.elsewhere.as_ref())?;
        let reason = accepted.entry.reason.clone();
        let in_variants = match compared.elsewhere.is_some() {
            true => accepted.entry.in_variants.clone(),
            false => accepted.in_variants.clone(),
        };
        let entry = Entry { in_variants, reason, ..Entry::of(&compared.finding) };
        Some((&compared.finding.diagnostic.ns, entry))
    });
    let kept = gone.iter().filter(|gone| gone.state == State::Unknown);
    let kept = kept.map(|gone| {
        let in_variants = gone.in_variants.clone();
        (&gone.ns, Entry { in_variants, ..gone.entry.clone() })
    });
    let mut entries: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for (ns, entry) in found.chain(kept) {
        entries.entry(ns.to_string()).or_default().push(entry);
    }
    entries.values_mut().for_each(|entries| entries.sort());
    entries
}

/// Merges the changes that two sides made to `base`, by the number of occurrences of each entry. If both sides changed an entry in
/// different ways, both changes are applied. If both changed a number, the stricter value is taken.
pub fn merge(base: &[Entry], ours: &[Entry], theirs: &[Entry]) -> Vec<Entry> {
    let [mut base, mut ours, mut theirs] = [base, ours, theirs].map(<[Entry]>::to_vec);
    let numbers = ratchet::merge([&mut base, &mut ours, &mut theirs]);
    let mut counts: BTreeMap<Entry, [usize; 3]> = BTreeMap::new();
    let mut reasons: BTreeMap<Entry, Vec<Option<String>>> = BTreeMap::new();
    // The first two sides decide: where an entry was accepted before, it may not be any more.
    let mut in_variants: BTreeMap<Entry, Option<Arc<[Text]>>> = BTreeMap::new();
    for (side, entries) in [&ours, &theirs, &base].into_iter().enumerate() {
        for entry in entries {
            let bare = entry.bare();
            counts.entry(bare.clone()).or_default()[side] += 1;
            if side < 2 {
                let own = || entry.in_variants.clone();
                let known = in_variants.entry(bare.clone()).or_insert_with(own);
                *known = variants::united(known.as_ref(), entry.in_variants.as_ref());
            }
            let known = reasons.entry(bare).or_default();
            if entry.reason.is_some() && !known.contains(&entry.reason) {
                known.push(entry.reason.clone());
            }
        }
    }
    let mut merged = Vec::new();
    for (entry, [ours, theirs, base]) in counts {
        let count = match (ours == base, theirs == base) {
            _ if ours == theirs => ours,
            (true, _) => theirs,
            (_, true) => ours,
            (false, false) => (ours + theirs).saturating_sub(base),
        };
        let mut reasons = reasons.remove(&entry).unwrap_or_default().into_iter();
        let in_variants = in_variants.remove(&entry).flatten();
        merged.extend((0..count).map(|_| {
            let in_variants = in_variants.clone();
            Entry { in_variants, reason: reasons.next().flatten(), ..entry.clone() }
        }));
    }
    merged.extend(numbers);
    merged.sort();
    merged
}

/// Splits a text with merge conflict markers into base, ours and theirs. If the markers don't include the base, it consists of the
/// common lines. `None` if there are no markers or they are incomplete.
pub fn sides(text: &str) -> Option<[String; 3]> {
    #[derive(PartialEq, Clone, Copy)]
    enum Part {
        Common,
        Ours,
        Base,
        Theirs,
    }
    let mut part = Part::Common;
    let (mut base, mut ours, mut theirs) = (String::new(), String::new(), String::new());
    let mut is_conflicted = false;
    for line in text.split_inclusive('\n') {
        let is = |marker: &str| line.starts_with(marker);
        part = match part {
            Part::Common if is("<<<<<<<") => {
                is_conflicted = true;
                Part::Ours
            }
            Part::Ours if is("|||||||") => Part::Base,
            Part::Ours | Part::Base if is("=======") => Part::Theirs,
            Part::Theirs if is(">>>>>>>") => Part::Common,
            _ if is_conflict_marker(line) => return None,
            part => {
                let sides = match part {
                    Part::Common => vec![&mut base, &mut ours, &mut theirs],
                    Part::Ours => vec![&mut ours],
                    Part::Base => vec![&mut base],
                    Part::Theirs => vec![&mut theirs],
                };
                sides.into_iter().for_each(|side| side.push_str(line));
                continue;
            }
        };
    }
    (is_conflicted && part == Part::Common).then_some([base, ours, theirs])
}

/// Returns the text of a baseline file with these entries, which may be in any order.
pub fn render(entries: &[Entry]) -> String {
    let mut entries: Vec<&Entry> = entries.iter().collect();
    entries.sort();
    let has_variants = entries.iter().any(|entry| entry.in_variants.is_some());
    let header = if has_variants { HEADER_OF_VARIANTS } else { HEADER };
    let mut text = format!("{header}\n");
    for identical in entries.chunk_by(|a, b| is_identical(a, b)) {
        for (nth, entry) in (1..).zip(identical) {
            let line = BaselineLine::from_entry(entry, nth);
            text.push_str(&serde_json::to_string(&line).expect("a struct of strings is JSON"));
            text.push('\n');
        }
    }
    text
}

/// Returns whether two entries are equal except for their variants and reasons.
fn is_identical(one: &Entry, other: &Entry) -> bool {
    (&one.site, &one.rule, &one.scope, &one.code, &one.msg)
        == (&other.site, &other.rule, &other.scope, &other.code, &other.msg)
}

/// Removes entries that a merge has duplicated, even if the two sides gave different reasons or accepted them in different variants.
fn each_once(mut entries: Vec<(Entry, u32)>) -> Vec<Entry> {
    entries.sort();
    let mut kept: Vec<(Entry, u32)> = Vec::with_capacity(entries.len());
    for (entry, nth) in entries {
        let mut identical = kept.iter_mut().rev().take_while(|(other, _)| is_identical(&entry, other));
        match identical.find(|(_, other)| *other == nth) {
            Some((known, _)) => {
                known.in_variants = variants::united(known.in_variants.as_ref(), entry.in_variants.as_ref());
            }
            None => kept.push((entry, nth)),
        }
    }
    kept.into_iter().map(|(entry, _)| entry).collect()
}

/// Parses a baseline file and returns its entries, sorted. `file` is its name in messages. Every invalid line is reported.
pub fn parse(file: &str, text: &[u8]) -> Result<Vec<Entry>, Problems> {
    BaselineParser::new(file, text).parse()
}

/// A line of the file, with its keys in canonical order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BaselineLine {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    rule: Text,
    #[serde(rename = "in")]
    scope: Text,
    code: Text,
    msg: Text,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nth: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    in_variants: Option<Vec<Text>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl BaselineLine {
    fn from_entry(entry: &Entry, nth: u32) -> Self {
        let (path, subject) = match &entry.site {
            Site::Path(path) => (Some(path.to_string()), None),
            Site::Subject(subject) => (None, Some(subject.clone())),
        };
        Self {
            path,
            subject,
            rule: entry.rule.clone(),
            scope: entry.scope.clone(),
            code: entry.code.clone(),
            msg: entry.msg.clone(),
            nth: (nth > 1).then_some(nth),
            in_variants: entry.in_variants.as_ref().map(|own| own.to_vec()),
            reason: entry.reason.clone(),
        }
    }

    /// Returns the entry and its number among identical occurrences.
    fn into_entry(self) -> Result<(Entry, u32), &'static str> {
        let site = match (self.path, self.subject) {
            (Some(path), None) => Site::Path(RelPath::unescape(&path)),
            (None, Some(subject)) => Site::Subject(subject),
            _ => return Err("expected either `path` or `subject`"),
        };
        let nth = match self.nth {
            None => 1,
            Some(0 | 1) => return Err("`nth` must be at least 2"),
            Some(nth) => nth,
        };
        let Self { rule, scope, code, msg, in_variants, reason, .. } = self;
        let in_variants = match in_variants {
            Some(own) if own.is_empty() => return Err("`in_variants` is empty"),
            Some(mut own) => {
                own.sort();
                own.dedup();
                Some(own.into())
            }
            None => None,
        };
        Ok((Entry { site, rule, scope, code, msg, in_variants, reason }, nth))
    }
}

#[derive(Deserialize)]
struct Header {
    genti_baseline: u32,
}

struct BaselineParser<'a> {
    bytes: &'a [u8],
    file: Arc<str>,
    text: Arc<str>,
    problems: Vec<Problem>,
}

impl<'a> BaselineParser<'a> {
    fn new(file: &str, bytes: &'a [u8]) -> Self {
        Self { bytes, file: file.into(), text: String::from_utf8_lossy(bytes).into(), problems: Vec::new() }
    }

    fn parse(mut self) -> Result<Vec<Entry>, Problems> {
        if let Err(error) = std::str::from_utf8(self.bytes) {
            // Up to this offset, the lossy text is identical.
            let at = error.valid_up_to();
            let end = at + char::REPLACEMENT_CHARACTER.len_utf8();
            self.problem(at..end, "invalid UTF-8", Some("restore the file from version control"));
            return Err(Problems(self.problems));
        }
        let text = Arc::clone(&self.text);
        let mut entries = Vec::new();
        let (mut begun, mut conflicted) = (false, false);
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let offset = start;
            start += line.len();
            let line = line.trim_end_matches(['\n', '\r']);
            let span = offset..offset + line.len();
            if is_conflict_marker(line) {
                if !std::mem::replace(&mut conflicted, true) {
                    let help = "run `cargo genti baseline resolve`";
                    self.problem(span, "contains merge conflict markers", Some(help));
                }
            } else if !begun && !conflicted {
                begun = true;
                if !self.header(line, span) {
                    return Err(Problems(self.problems));
                }
            } else if !line.is_empty() && !is_header(line) {
                entries.extend(self.entry(line, span));
            }
        }
        if !begun && !conflicted {
            self.header("", 0..0);
        }
        if self.problems.is_empty() { Ok(each_once(entries)) } else { Err(Problems(self.problems)) }
    }

    /// Checks the header. Returns whether the rest of the file can be read.
    fn header(&mut self, line: &str, span: Range<usize>) -> bool {
        if is_header(line) {
            return true;
        }
        match serde_json::from_str(line) {
            Ok(Header { genti_baseline: newer }) if newer > VERSION => self.problem(
                span,
                &format!("baseline format {newer} is newer than this version supports ({VERSION})"),
                Some("update genti"),
            ),
            _ => self.problem(
                span,
                &format!("not a baseline file: the first line is not `{HEADER}`"),
                Some("restore the file from version control"),
            ),
        }
        false
    }

    fn entry(&mut self, line: &str, span: Range<usize>) -> Option<(Entry, u32)> {
        // Serde would also accept an array for a struct.
        if !line.starts_with('{') {
            self.problem(span, "invalid baseline entry: expected a JSON object", None);
            return None;
        }
        match serde_json::from_str::<BaselineLine>(line) {
            Ok(line) => match line.into_entry() {
                Ok(entry) => return Some(entry),
                Err(why) => self.problem(span, &format!("invalid baseline entry: {why}"), None),
            },
            Err(error) => {
                let why = error.to_string();
                let why = why.rsplit_once(" at line ").map_or(why.as_str(), |(why, _)| why);
                let mut at = span.end.min(span.start + error.column().saturating_sub(1));
                while !self.text.is_char_boundary(at) {
                    at -= 1;
                }
                self.problem(at..span.end, &format!("invalid baseline entry: {why}"), None);
            }
        }
        None
    }

    fn problem(&mut self, span: Range<usize>, message: &str, help: Option<&str>) {
        self.problems.push(Problem {
            file: Arc::clone(&self.file),
            text: Arc::clone(&self.text),
            span: Some(span),
            message: message.to_owned(),
            help: help.map(str::to_owned),
        });
    }
}

/// Returns whether `line` is the first line of a file that can be read.
fn is_header(line: &str) -> bool {
    line == HEADER || line == HEADER_OF_VARIANTS
}

/// Returns whether `text` contains merge conflict markers.
pub fn is_conflicted(text: &str) -> bool {
    text.lines().any(is_conflict_marker)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, diagnostic, identified};
    use super::*;

    const TEXT: &str = r#"{"genti_baseline":1}
{"path":"a.rs","rule":"r","in":"","code":"","msg":""}
{"path":"alpha/src/lib.rs","rule":"clippy::needless_return","in":"fn b","code":"return x","msg":"unneeded `return` statement"}
{"path":"alpha/src/lib.rs","rule":"clippy::needless_return","in":"fn b","code":"return x","msg":"unneeded `return` statement","nth":2}
{"path":"odd%FF%25.rs","rule":"r","in":"","code":"\"\\\n","msg":"é"}
{"subject":"test a::b","rule":"failed","in":"","code":"","msg":"panicked"}
"#;

    #[track_caller]
    fn check_error(text: &str, errors: &[&str]) {
        let problems = parse("b.jsonl", text.as_bytes()).unwrap_err();
        let shown: Vec<String> = problems.0.iter().map(ToString::to_string).collect();
        assert_eq!(shown, errors);
    }

    #[test]
    fn a_canonical_file_survives_parsing_and_rendering() {
        let entries = parse("b.jsonl", TEXT.as_bytes()).unwrap();
        assert_eq!(entries.len(), 5);
        assert_eq!(entries[1], entries[2]);
        assert_eq!(entries[3].site, Site::Path(RelPath::new(b"odd\xff%.rs")));
        assert_eq!(render(&entries), TEXT);
        assert_eq!(render(&[]), "{\"genti_baseline\":1}\n");
        assert_eq!(parse("b.jsonl", render(&[]).as_bytes()), Ok(vec![]));
    }

    #[test]
    fn lines_duplicated_by_a_union_merge_are_read_once() {
        let lines: Vec<&str> = TEXT.lines().collect();
        let doubled = [lines.clone(), lines].concat().join("\r\n");
        assert_eq!(render(&parse("b.jsonl", doubled.as_bytes()).unwrap()), TEXT);
    }

    #[test]
    fn a_file_with_variants_has_a_newer_header_and_a_merge_unites_them() {
        let line = |variants: &str| {
            format!(r#"{{"subject":"a x","rule":"failed","in":"","code":"","msg":"m"{variants}}}"#) + "\n"
        };
        let of = |variants: &str| format!("{HEADER_OF_VARIANTS}\n{}", line(variants));
        let entries = |text: &str| parse("b.jsonl", text.as_bytes()).unwrap();
        let (one, other) = (of(r#","in_variants":["full"]"#), of(r#","in_variants":["small"]"#));
        let both = of(r#","in_variants":["full","small"]"#);
        assert_eq!(render(&entries(&one)), one);
        // The result of git's union merge, and of our own driver.
        assert_eq!(render(&entries(&format!("{one}{other}"))), both);
        assert_eq!(render(&merge(&[], &entries(&one), &entries(&other))), both);
        assert_eq!(render(&merge(&entries(&one), &entries(&one), &entries(&both))), both);
        // No list stands for all variants, and needs no newer header.
        let everywhere = format!("{HEADER}\n{}", line(""));
        assert_eq!(render(&merge(&[], &entries(&one), &entries(&everywhere))), everywhere);
        check_error(
            &of(r#","in_variants":[]"#),
            &["b.jsonl:2:1: invalid baseline entry: `in_variants` is empty"],
        );
    }

    #[test]
    fn a_gap_in_the_numbering_does_not_matter() {
        let merged = TEXT.replace("\"nth\":2", "\"nth\":3");
        assert_eq!(render(&parse("b.jsonl", merged.as_bytes()).unwrap()), TEXT);
    }

    #[test]
    fn every_invalid_line_is_reported() {
        check_error(
            "{\"genti_baseline\":1}\n{\"path\":\"é\",rule}\n\n[]\n{\"rule\":\"r\",\"in\":\"\",\"code\":\"\",\"msg\":\"\"}\n\
             {\"path\":\"a\",\"rule\":\"r\",\"in\":\"\",\"code\":\"\",\"msg\":\"\",\"nth\":1}\n\
             {\"path\":\"a\",\"line\":1}\n",
            &[
                "b.jsonl:2:13: invalid baseline entry: key must be a string",
                "b.jsonl:4:1: invalid baseline entry: expected a JSON object",
                "b.jsonl:5:1: invalid baseline entry: expected either `path` or `subject`",
                "b.jsonl:6:1: invalid baseline entry: `nth` must be at least 2",
                "b.jsonl:7:18: invalid baseline entry: unknown field `line`, expected one of `path`, `subject`, `rule`, `in`, `code`, `msg`, `nth`, `in_variants`, `reason`",
            ],
        );
    }

    #[test]
    fn conflict_markers_are_reported_once_where_they_begin() {
        let conflict = |text: &str| {
            text.replace("{\"path\":\"odd", "<<<<<<< ours\n=======\n>>>>>>> theirs\n{\"path\":\"odd")
        };
        let help = "run `cargo genti baseline resolve`";
        check_error(&conflict(TEXT), &[&format!("b.jsonl:5:1: contains merge conflict markers ({help})")]);
        check_error(
            &format!("<<<<<<< ours\n{TEXT}"),
            &[&format!("b.jsonl:1:1: contains merge conflict markers ({help})")],
        );
    }

    #[test]
    fn other_formats_are_rejected() {
        check_error(
            "{\"genti_baseline\":3,\"x\":[]}\nanything\n",
            &["b.jsonl:1:1: baseline format 3 is newer than this version supports (2) (update genti)"],
        );
        for text in ["", "\n", "{\"genti_baseline\":0}", "{\"path\":\"a\"}\n", "{\"genti"] {
            check_error(
                text,
                &[
                    "b.jsonl:1:1: not a baseline file: the first line is not `{\"genti_baseline\":1}` (restore the file from version control)",
                ],
            );
        }
        let problems = parse("b.jsonl", b"{\"genti_baseline\":1}\n\xff").unwrap_err();
        assert_eq!(problems.0[0].position(), Some((2, 1)));
    }

    #[test]
    fn a_fatal_finding_is_never_accepted() {
        let mut fatal = diagnostic("a.rs", at(1, 1), "does not compile");
        fatal.fatal = true;
        let findings = identified("a.rs", "return x;", vec![fatal, diagnostic("a.rs", at(1, 1), "m")]);
        let entries = entries_of(&findings);
        assert_eq!(entries.keys().collect::<Vec<_>>(), ["clippy"]);
        assert_eq!(entries["clippy"].iter().map(|e| e.msg.as_str()).collect::<Vec<_>>(), ["m"]);
    }
}
