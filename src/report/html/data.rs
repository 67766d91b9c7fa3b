//! Data for the script of the page: the findings as columns, with each text stored once.
//!
//! For 20,000 findings, columns are half as long as objects with the same keys, and faster to parse. Messages, rules and
//! paths repeat often, so a search is faster if each text is stored once. `page/findings.js` reads the data.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::excerpt::{IndexedFile, MarkedExcerpt, MarkedRange, SourceLine};
use super::group::Group;
use super::patch::{FilePatch, patches};
use super::text::visible;
use crate::model::finding::{Fix, Place, Related, Site, State};
use crate::model::halt::{Halt, Halted, PER_FINDING, Pace};
use crate::model::path::RelPath;
use crate::model::test_output::TestOutput;
use crate::model::text::Text;
use crate::report::finished::{Finding, Finished, Gone};
use crate::report::fixes::{self, Tree};
use crate::report::{Around, Checkout, excused, links, text};

/// Index into [`Data::texts`].
type TextIndex = u32;

/// The data of the page.
#[derive(Serialize)]
pub(super) struct Data {
    /// All texts, each once and safe to show.
    texts: Vec<String>,
    /// Names of the groups of states, in display order.
    states: [&'static str; Group::ALL.len()],
    /// All sets of tools that report a finding.
    toolsets: Vec<Vec<TextIndex>>,
    /// Known pages that explain rules.
    pages: BTreeMap<TextIndex, String>,
    /// Pages of files on a forge, as far as known.
    links: BTreeMap<TextIndex, String>,
    /// Command of each tool that applies its fixes.
    fixes: BTreeMap<TextIndex, String>,
    findings: Columns,
    files: Vec<ShownLines>,
}

/// Columns with one value for each finding and each baseline entry without a finding.
#[derive(Default, Serialize)]
struct Columns {
    /// Index into [`Data::states`].
    state: Vec<u8>,
    /// 1 for a baseline entry without a finding.
    gone: Vec<u8>,
    /// Level: 0 error, 1 warning, 2 note, 3 unknown.
    level: Vec<u8>,
    ns: Vec<TextIndex>,
    rule: Vec<TextIndex>,
    /// Path or subject.
    place: Vec<TextIndex>,
    /// Package, or an empty text.
    package: Vec<TextIndex>,
    /// 1 if the place is a path.
    is_file: Vec<u8>,
    message: Vec<TextIndex>,
    scope: Vec<TextIndex>,
    /// Index into [`Data::toolsets`].
    tools: Vec<u32>,
    /// Line; 0 if unknown.
    line: Vec<u32>,
    column: Vec<u32>,
    /// Details that are shown when the finding is opened.
    more: Vec<More>,
}

#[derive(Default, Serialize)]
struct More {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// True if the finding can't be accepted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    fatal: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    excerpt: Option<ShownExcerpt>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<Note>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<ShownFix>,
    /// True if it was accepted with other code.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    edited: bool,
    /// Reason why it was accepted or suppressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<TextIndex>,
    /// Reason why its code was not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    unseen: Option<TextIndex>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<TextIndex>,
    /// Flagged code, if there is no excerpt.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<TextIndex>,
    /// Output of the failed test.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<TextIndex>,
    /// Its cause, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<TextIndex>,
}

/// Index of the file, ranges of lines, and the mark.
#[derive(Serialize)]
struct ShownExcerpt(usize, Vec<(u32, u32)>, MarkedRange);

/// Message and, if it has another place, path, line and column of that.
#[derive(Serialize)]
struct Note(TextIndex, #[serde(skip_serializing_if = "Option::is_none")] Option<(TextIndex, u32, u32)>);

#[derive(Serialize)]
struct ShownFix {
    message: TextIndex,
    /// True if `cargo genti fix` applies it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    applies: bool,
    patches: Vec<ShownPatch>,
}

/// Path, lines, and number of lines left out.
#[derive(Serialize)]
struct ShownPatch(TextIndex, Vec<ShownLine>, usize);

/// Sign, line number and text.
#[derive(Serialize)]
struct ShownLine(char, u32, TextIndex);

/// Lines of a file that excerpts show, by number: the text, and start, length and class of each highlighted span.
#[derive(Default, Serialize)]
struct ShownLines(BTreeMap<u32, (TextIndex, Vec<usize>)>);

/// Collects the findings of `run`, with excerpts from the sources and the output of tests.
pub(super) fn of(run: &Finished, around: &Around, halt: &dyn Halt) -> Result<Data, Halted> {
    let Around { sources, outputs, .. } = around;
    let report = &run.report;
    let mut pace = Pace::new(halt);
    let mut paths: Vec<&RelPath> = report.findings.iter().flat_map(paths_of).collect();
    paths.sort();
    paths.dedup();
    let mut files = BTreeMap::new();
    for path in paths {
        if let Some(text) = sources.get(path) {
            pace.spend(text.len())?;
            files.insert(path, IndexedFile::new(path, text));
        }
    }
    let mut table = Table { files, around: Some(around), ..Table::default() };
    for (rank, group) in (0..).zip(Group::ALL) {
        // Fatal findings come first, because they made a tool incomplete.
        for is_fatal in [true, false] {
            let is_in = |finding: &&Finding| Group::of(finding) == group && finding.fatal == is_fatal;
            for finding in report.findings.iter().filter(is_in) {
                pace.spend(PER_FINDING)?;
                table.push_finding(rank, finding, outputs.of(finding));
            }
        }
        for gone in report.gone.iter().filter(|gone| Group::of_gone(gone.state) == Some(group)) {
            pace.spend(PER_FINDING)?;
            table.push_gone(rank, gone);
        }
    }
    let with_fixes = run.run.tools.iter().filter_map(|tool| Some((&tool.name, tool.fix.as_deref()?)));
    let command = |words: &[String]| visible(&fixes::command(words, Tree::Clean)).into_owned();
    let fixes: Vec<_> = with_fixes.map(|(tool, words)| (table.text(tool), command(words))).collect();
    Ok(Data { fixes: fixes.into_iter().collect(), ..table.finish() })
}

/// Files of which a finding shows lines.
fn paths_of(finding: &Finding) -> impl Iterator<Item = &RelPath> {
    let edits = finding.fix.iter().flat_map(|fix| fix.edits.iter().map(|(path, ..)| path));
    finding.shown_at().path().into_iter().chain(edits)
}

/// Builder of [`Data`].
#[derive(Default)]
struct Table<'a> {
    /// Context that is not in the artifacts.
    around: Option<&'a Around>,
    files: BTreeMap<&'a RelPath, IndexedFile<'a>>,
    texts: Vec<String>,
    known: HashMap<String, TextIndex>,
    toolsets: Vec<Vec<TextIndex>>,
    pages: BTreeMap<TextIndex, String>,
    links: BTreeMap<TextIndex, String>,
    columns: Columns,
    shown: BTreeMap<&'a RelPath, (usize, BTreeMap<u32, SourceLine>)>,
}

impl<'a> Table<'a> {
    fn push_finding(&mut self, rank: u8, finding: &'a Finding, output: Option<&TestOutput>) {
        // A failed test is shown where it failed, and its title names the test.
        let shown_at = finding.shown_at();
        let start = shown_at.range().map(|range| range.start);
        let excerpt = self.excerpt(shown_at);
        let has_excerpt = excerpt.is_some();
        let more = More {
            id: Some(visible(&finding.id).into_owned()),
            fatal: finding.fatal,
            excerpt,
            notes: self.notes(finding),
            fix: finding.fix.as_ref().map(|fix| self.fix(fix, finding.has_applicable_fix())),
            edited: finding.state == State::Updated,
            reason: finding.reason.as_deref().map(|reason| self.text(reason)),
            unseen: None,
            owner: finding.owner.as_deref().map(|owner| self.text(owner)),
            code: (!has_excerpt && start.is_some() && !finding.code.is_empty())
                .then(|| self.text(&finding.code)),
            cause: finding.cause.as_ref().map(|caused| self.text(&excused::sentence(caused))),
            output: output.map(|output| self.intern(text::visible(&output.with_note()))),
        };
        let (place, title) = (shown_at.name(), finding.title());
        let tools = self.toolset(&finding.tools);
        let texts = [&*finding.ns, &*finding.rule, &*place, &*title, &*finding.scope];
        self.push(rank, finding.level as u8, texts, tools, more);
        self.columns.gone.push(0);
        let package = shown_at.path().map_or_else(|| self.package_in(&place), |path| self.package_of(path));
        self.place(package, shown_at.path());
        self.columns.is_file.push(shown_at.path().is_some().into());
        self.columns.line.push(start.map_or(0, |start| start.line));
        self.columns.column.push(start.map_or(0, |start| start.column));
    }

    fn push_gone(&mut self, rank: u8, gone: &Gone) {
        let code = (!gone.code.is_empty()).then(|| self.text(&gone.code));
        let reason = gone.reason.as_deref().map(|reason| self.text(reason));
        let unseen = gone.unseen.as_deref().map(|reason| self.text(reason));
        let cause = gone.cause.as_ref().map(|caused| self.text(&excused::sentence(caused)));
        let place = match &gone.site {
            Site::Path(path) => path.to_string(),
            Site::Subject(subject) => subject.clone(),
        };
        let tools = self.toolset(&[]);
        let texts = [&*gone.ns, &*gone.rule, &*place, &*gone.message, &*gone.scope];
        self.push(rank, 3, texts, tools, More { code, reason, unseen, cause, ..More::default() });
        self.columns.gone.push(1);
        let path = if let Site::Path(path) = &gone.site { Some(path) } else { None };
        let package = path.map_or_else(|| self.package_in(&place), |path| self.package_of(path));
        self.place(package, path);
        self.columns.is_file.push(matches!(gone.site, Site::Path(_)).into());
        self.columns.line.push(0);
        self.columns.column.push(0);
    }

    fn push(&mut self, state: u8, level: u8, texts: [&str; 5], tools: u32, more: More) {
        let page = links::rule(texts[0], texts[1]);
        let [ns, rule, place, message, scope] = texts.map(|text| self.text(text));
        self.pages.extend(page.map(|page| (rule, page)));
        let columns = &mut self.columns;
        columns.state.push(state);
        columns.level.push(level);
        columns.ns.push(ns);
        columns.rule.push(rule);
        columns.place.push(place);
        columns.message.push(message);
        columns.scope.push(scope);
        columns.tools.push(tools);
        columns.more.push(more);
    }

    fn checkout(&self) -> Option<&'a Checkout> {
        self.around?.checkout.as_ref()
    }

    fn package_of(&self, path: &RelPath) -> Option<&'a str> {
        self.checkout()?.package_of(path)
    }

    fn package_in(&self, subject: &str) -> Option<&'a str> {
        self.checkout()?.package_in(subject)
    }

    /// Adds the package of the finding that was pushed last, and the page of its file.
    fn place(&mut self, package: Option<&str>, path: Option<&RelPath>) {
        let package = self.text(package.unwrap_or_default());
        self.columns.package.push(package);
        let Some((place, path)) = self.columns.place.last().copied().zip(path) else { return };
        if let Some(around) = self.around.filter(|_| !self.links.contains_key(&place))
            && let Some(page) =
                self.checkout().and_then(|checkout| checkout.page_of(&around.base.resolve(path)?))
        {
            self.links.insert(place, page);
        }
    }

    fn excerpt(&mut self, place: &'a Place) -> Option<ShownExcerpt> {
        let path = place.path()?;
        let file = self.files.get(path)?;
        let excerpt = file.excerpt(place.range()?)?;
        let next = self.shown.len();
        let (index, lines) = self.shown.entry(path).or_insert((next, BTreeMap::new()));
        file.show(&excerpt, lines);
        let MarkedExcerpt { lines, mark } = excerpt;
        Some(ShownExcerpt(*index, lines, mark))
    }

    fn notes(&mut self, finding: &Finding) -> Vec<Note> {
        let note = |Related { message, place }: &Related| {
            let elsewhere = place.as_ref().filter(|place| *place != finding.shown_at());
            let elsewhere = elsewhere.map(|place| {
                let start = place.range().map(|range| range.start);
                let (line, column) = start.map_or((0, 0), |start| (start.line, start.column));
                (self.text(&place.name()), line, column)
            });
            Note(self.text(message), elsewhere)
        };
        finding.related.iter().map(note).collect()
    }

    fn fix(&mut self, fix: &Fix, applies: bool) -> ShownFix {
        let patches = patches(fix, &self.files);
        let patch = |patch: &FilePatch| {
            let lines = patch
                .lines
                .iter()
                .map(|line| ShownLine(line.sign, line.number, self.text(&line.text)))
                .collect();
            ShownPatch(self.text(&patch.path.to_string()), lines, patch.more)
        };
        let patches = patches.iter().map(patch).collect();
        ShownFix { message: self.text(&fix.message), applies, patches }
    }

    fn toolset(&mut self, tools: &[Text]) -> u32 {
        let tools: Vec<_> = tools.iter().map(|tool| self.text(tool)).collect();
        // There are few sets, so a linear search is fast enough.
        let known = self.toolsets.iter().position(|known| *known == tools);
        let index = known.unwrap_or_else(|| {
            self.toolsets.push(tools);
            self.toolsets.len() - 1
        });
        index as u32
    }

    fn text(&mut self, text: &str) -> TextIndex {
        self.intern(visible(text))
    }

    fn intern(&mut self, text: Cow<'_, str>) -> TextIndex {
        if let Some(known) = self.known.get(text.as_ref()) {
            return *known;
        }
        let next = self.texts.len() as TextIndex;
        self.texts.push(text.clone().into_owned());
        self.known.insert(text.into_owned(), next);
        next
    }

    fn finish(mut self) -> Data {
        let mut files: Vec<_> = std::mem::take(&mut self.shown).into_values().collect();
        files.sort_by_key(|(index, _)| *index);
        let file = |(_, lines): (usize, BTreeMap<u32, SourceLine>)| {
            let line = |(number, line): (u32, SourceLine)| {
                let classes = line.classes.iter().flat_map(|(at, len, class)| [*at, *len, *class as usize]);
                (number, (self.text(&line.text), classes.collect()))
            };
            ShownLines(lines.into_iter().map(line).collect())
        };
        let files = files.into_iter().map(file).collect();
        Data {
            texts: self.texts,
            states: Group::ALL.map(Group::as_str),
            toolsets: self.toolsets,
            pages: self.pages,
            links: self.links,
            fixes: BTreeMap::new(),
            findings: self.columns,
            files,
        }
    }
}
