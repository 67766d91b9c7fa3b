//! Parses the text of a diff, file by file.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use crate::model::halt::Pace;
use crate::normalize::Input;
use crate::normalize::patch::Patch;
use crate::normalize::scrub::strip_escapes;

/// Side of the diff that is the current file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The tool would change the current file.
    Old,
    /// The current file contains the change.
    New,
}

/// Part of a diff about one file.
#[derive(Debug, Default)]
pub(super) struct FileDiff {
    /// Path in the first header line, as printed. `None` for `/dev/null`.
    pub(super) old: Option<Vec<u8>>,
    /// Path in the second header line.
    pub(super) new: Option<Vec<u8>>,
    /// True for a diff by git.
    pub(super) is_git: bool,
    pub(super) kind: FileChange,
    pub(super) renamed_from: Option<Vec<u8>>,
    /// Old and new mode, if they differ.
    pub(super) modes: Option<(String, String)>,
    pub(super) is_binary: bool,
    /// True if the file exists in only one of two directories.
    pub(super) is_only_in_one: bool,
    pub(super) changes: Vec<DiffChange>,
    /// True if its hunks count lines from 0, as taplo's do.
    counts_from_zero: bool,
    has_hunks: bool,
}

/// Change of a file as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum FileChange {
    #[default]
    Changed,
    New,
    Deleted,
    Renamed,
    Copied,
}

/// Adjacent lines that differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DiffChange {
    old_first: u32,
    new_first: u32,
    pub(super) old: Vec<String>,
    pub(super) new: Vec<String>,
    /// For the old and the new lines: true if the last one ends the file without a newline.
    open: (bool, bool),
    /// True if one of the lines contained invalid UTF-8.
    pub(super) is_lossy: bool,
}

impl DiffChange {
    /// Returns the change relative to the file on `side`.
    pub(super) fn on(&self, side: Side) -> Patch {
        let (old, new) = (self.old.clone(), self.new.clone());
        let (old_is_open, new_is_open) = self.open;
        match side {
            Side::Old => Patch { first: self.old_first, old, new, old_is_open, new_is_open },
            Side::New => Patch {
                first: self.new_first,
                old: new,
                new: old,
                old_is_open: new_is_open,
                new_is_open: old_is_open,
            },
        }
    }
}

/// Returns all files of the diff in `stdout`, or the reason why it is invalid.
pub(super) fn files(input: &Input<'_>, stdout: &[u8]) -> Result<Vec<FileDiff>, String> {
    let lines: Vec<&[u8]> = input.lines(stdout).collect();
    let mut reader = DiffReader { is_coloured: is_coloured(&lines), lines, at: 0, files: Vec::new() };
    let mut pace = Pace::new(input.halt);
    while reader.at < reader.lines.len() {
        let start = reader.at;
        reader.step()?;
        let lines = &reader.lines[start..reader.at.min(reader.lines.len())];
        let work = lines.iter().map(|line| line.len() + 1).sum();
        pace.spend(work).map_err(|halted| halted.to_string())?;
    }
    // Drop headers without any change.
    reader.files.retain(|file| file.has_hunks || file.has_whole_change());
    Ok(reader.files)
}

impl FileDiff {
    fn has_whole_change(&self) -> bool {
        self.kind != FileChange::Changed || self.modes.is_some() || self.is_binary || self.is_only_in_one
    }
}

/// Returns whether the headers are coloured. Other lines may then be coloured too.
fn is_coloured(lines: &[&[u8]]) -> bool {
    let is_header = |line: &[u8]| {
        let text = String::from_utf8_lossy(&line[..line.len().min(64)]).into_owned();
        let text = strip_escapes(&text);
        ["diff ", "--- ", "+++ ", "@@ "].iter().any(|begin| text.starts_with(begin))
    };
    lines.iter().any(|line| line.starts_with(b"\x1b[") && is_header(line) && !line.starts_with(b"\x1b[3"))
        || lines.iter().any(|line| line.starts_with(b"\x1b[36m@@"))
}

struct DiffReader<'a> {
    lines: Vec<&'a [u8]>,
    at: usize,
    is_coloured: bool,
    files: Vec<FileDiff>,
}

impl<'a> DiffReader<'a> {
    /// Returns the line at `at` without colours.
    fn line(&self, at: usize) -> Option<Cow<'a, [u8]>> {
        let line = *self.lines.get(at)?;
        if line.contains(&0x1b) && (self.is_coloured || line.starts_with(b"\x1b[")) {
            // Escape sequences are ASCII, so bytes that are not UTF-8 are kept.
            let text: String = line.iter().map(|&byte| char::from(byte)).collect();
            let plain = strip_escapes(&text);
            return Some(Cow::Owned(
                plain.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect(),
            ));
        }
        Some(Cow::Borrowed(line))
    }

    fn file(&mut self) -> &mut FileDiff {
        if self.files.is_empty() {
            self.files.push(FileDiff::default());
        }
        let last = self.files.len() - 1;
        &mut self.files[last]
    }

    /// Reads a header, a hunk, or an unrelated line.
    fn step(&mut self) -> Result<(), String> {
        let Some(line) = self.line(self.at) else { return Ok(()) };
        self.at += 1;
        let text = String::from_utf8_lossy(&line).into_owned();
        if let Some(names) = text.strip_prefix("diff ") {
            let is_git = names.starts_with("--git ");
            let (old, new) = if is_git { names_of(&line[b"diff --git ".len()..]) } else { (None, None) };
            self.files.push(FileDiff { is_git, old, new, ..FileDiff::default() });
        } else if let (Some(old), Some(next)) = (line.strip_prefix(b"--- "), self.line(self.at))
            && let Some(new) = next.strip_prefix(b"+++ ")
        {
            self.at += 1;
            if self.files.last().is_none_or(|file| file.has_hunks || file.is_only_in_one) {
                self.files.push(FileDiff::default());
            }
            let (old, new) = (path(old), path(new));
            let file = self.file();
            match (&old, &new) {
                (None, Some(_)) => file.kind = FileChange::New,
                (Some(_), None) => file.kind = FileChange::Deleted,
                _ => {}
            }
            (file.old, file.new) = (old, new);
        } else if text.starts_with("@@@ ") {
            return Err("combined diffs of merges are not supported".to_owned());
        } else if text.starts_with("@@ ") {
            return self.hunk(&text);
        } else {
            self.extended(&line, &text);
        }
        Ok(())
    }

    /// Reads a line about a file as a whole.
    fn extended(&mut self, line: &[u8], text: &str) {
        let quoted = |begin: &str| unquoted(&line[begin.len()..]);
        let in_git = self.files.last().is_some_and(|file| file.is_git && !file.has_hunks);
        if let Some(rest) = text.strip_prefix("Only in ") {
            let Some((dir, name)) = rest.split_once(": ") else { return };
            let path = Some(format!("{dir}/{name}").into_bytes());
            self.files.push(FileDiff {
                old: path.clone(),
                new: path,
                is_only_in_one: true,
                ..FileDiff::default()
            });
        } else if let Some(names) =
            text.strip_prefix("Binary files ").and_then(|text| text.strip_suffix(" differ"))
        {
            if !in_git {
                let (old, new) = names.split_once(" and ").unwrap_or((names, names));
                let name = |text: &str| Some(text.as_bytes().to_vec());
                self.files.push(FileDiff { old: name(old), new: name(new), ..FileDiff::default() });
            }
            self.file().is_binary = true;
        } else if !in_git {
            // Other output of the tool.
        } else if text.starts_with("new file mode ") {
            self.file().kind = FileChange::New;
        } else if text.starts_with("deleted file mode ") {
            self.file().kind = FileChange::Deleted;
        } else if text.starts_with("rename from ") {
            self.file().renamed_from = Some(quoted("rename from "));
        } else if text.starts_with("copy from ") {
            self.file().renamed_from = Some(quoted("copy from "));
        } else if text.starts_with("rename to ") {
            let name = quoted("rename to ");
            let file = self.file();
            (file.kind, file.new) = (FileChange::Renamed, Some(with_prefix(b"b/", &name)));
        } else if text.starts_with("copy to ") {
            let name = quoted("copy to ");
            let file = self.file();
            (file.kind, file.new) = (FileChange::Copied, Some(with_prefix(b"b/", &name)));
        } else if let Some(mode) = text.strip_prefix("old mode ") {
            self.file().modes = Some((mode.to_owned(), String::new()));
        } else if let Some(mode) = text.strip_prefix("new mode ") {
            if let Some((_, new)) = &mut self.file().modes {
                mode.clone_into(new);
            }
        } else if text.starts_with("GIT binary patch") {
            self.file().is_binary = true;
        }
    }

    /// Reads the hunk after its header.
    fn hunk(&mut self, header: &str) -> Result<(), String> {
        static HEADER: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@").expect("valid"));
        let wrong = |what: &str| format!("{what}: {header:?}");
        let found = HEADER.captures(header).ok_or_else(|| wrong("invalid hunk header"))?;
        let number = |group: usize| found.get(group).map_or(Ok(1), |text| text.as_str().parse::<u32>());
        let numbers = [number(1), number(2), number(3), number(4)];
        let [Ok(old_at), Ok(old_count), Ok(new_at), Ok(new_count)] = numbers else {
            return Err(wrong("invalid hunk header"));
        };
        if self.files.is_empty() {
            return Err(wrong("hunk without a file header"));
        }
        let file = self.file();
        if !file.has_hunks {
            file.counts_from_zero = old_at == 0 && (old_count > 0 || (new_at == 0 && new_count > 0));
        }
        file.has_hunks = true;
        let from_zero = file.counts_from_zero;
        // Without lines on this side, a hunk states the number of the line before it.
        let first = |at: u32, count: u32| at.saturating_add(u32::from(count == 0 || from_zero));
        let start = (first(old_at, old_count), first(new_at, new_count));
        let changes = self.body(start, (old_count, new_count), from_zero).map_err(|what| wrong(&what))?;
        self.file().changes.extend(changes);
        Ok(())
    }

    /// Reads changes from the next lines until `counts` old and new lines are read.
    fn body(
        &mut self,
        start: (u32, u32),
        counts: (u32, u32),
        from_zero: bool,
    ) -> Result<Vec<DiffChange>, String> {
        let (mut old_left, mut new_left) = counts;
        let mut changes: Vec<DiffChange> = Vec::new();
        let (mut old_line, mut new_line) = start;
        // taplo prints unchanged lines as a hunk of their own, without colour.
        let end = self.at.saturating_add(old_left as usize).min(self.lines.len());
        let is_same = from_zero
            && old_left == new_left
            && !self.lines[self.at..end].iter().any(|line| line.contains(&0x1b));
        let mut is_open_run = false;
        let mut last = LineMark::Same;
        while old_left > 0 || new_left > 0 {
            let line =
                self.line(self.at).filter(|_| self.at + 1 < self.lines.len() || self.lines[self.at] != b"");
            let line = line.ok_or("hunk is shorter than its header says")?;
            self.at += 1;
            let mark = match line.first() {
                _ if is_same => LineMark::Same,
                Some(b'\\') => {
                    mark_open(&mut changes, last);
                    continue;
                }
                Some(b'-') => LineMark::Old,
                Some(b'+') => LineMark::New,
                // Some editors and tools drop the space of an empty line.
                Some(b' ') | None => LineMark::Same,
                Some(_) if from_zero => LineMark::Same,
                Some(_) => return Err("hunk contains a line without a marker".to_owned()),
            };
            let text = line.get(1..).unwrap_or_default();
            let is_old = mark != LineMark::New;
            let is_new = mark != LineMark::Old;
            if (is_old && old_left == 0) || (is_new && new_left == 0) {
                return Err("hunk does not match the line counts in its header".to_owned());
            }
            if mark == LineMark::Same {
                is_open_run = false;
            } else {
                if !is_open_run {
                    changes.push(DiffChange::at(old_line, new_line));
                    is_open_run = true;
                }
                changes.last_mut().into_iter().for_each(|change| change.push(mark, text));
            }
            old_left -= u32::from(is_old);
            new_left -= u32::from(is_new);
            old_line = old_line.saturating_add(u32::from(is_old));
            new_line = new_line.saturating_add(u32::from(is_new));
            last = mark;
        }
        if self.line(self.at).is_some_and(|line| line.starts_with(b"\\")) {
            mark_open(&mut changes, last);
            self.at += 1;
        }
        let is_more = |line: Cow<'_, [u8]>| {
            matches!(line.first(), Some(b'+' | b'-'))
                && !line.starts_with(b"--- ")
                && !line.starts_with(b"-- ")
        };
        match self.line(self.at).is_some_and(is_more) {
            true => Err("hunk is longer than its header says".to_owned()),
            false => Ok(changes),
        }
    }
}

/// Side of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LineMark {
    Old,
    New,
    Same,
}

impl DiffChange {
    fn at(old_first: u32, new_first: u32) -> Self {
        Self { old_first, new_first, old: Vec::new(), new: Vec::new(), open: (false, false), is_lossy: false }
    }

    fn push(&mut self, mark: LineMark, text: &[u8]) {
        self.is_lossy |= std::str::from_utf8(text).is_err();
        let text = String::from_utf8_lossy(text).into_owned();
        if mark == LineMark::Old { self.old.push(text) } else { self.new.push(text) }
    }
}

/// Records that the last line read ends its file without a newline.
fn mark_open(changes: &mut [DiffChange], last: LineMark) {
    let Some(change) = changes.last_mut() else { return };
    match last {
        LineMark::Old => change.open.0 = true,
        LineMark::New => change.open.1 = true,
        LineMark::Same => {}
    }
}

/// Returns the path after `--- ` or `+++ `, without the tab and the time that may follow it. `None` for `/dev/null`.
fn path(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    if text.starts_with(b"\"") {
        return Some(unquoted(text));
    }
    let end = text.iter().position(|&byte| byte == b'\t').unwrap_or(text.len());
    Some(text[..end].to_vec()).filter(|path| path != b"/dev/null")
}

/// Splits the two names after `diff --git`, if possible. They are equal except for the first component.
fn names_of(text: &[u8]) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    if text.starts_with(b"\"") {
        let end = text.iter().enumerate().skip(1).find(|(at, byte)| **byte == b'"' && text[at - 1] != b'\\');
        let Some((end, _)) = end else { return (None, None) };
        let rest = text[end + 1..].trim_ascii_start();
        return (Some(unquoted(&text[..=end])), Some(unquoted(rest)));
    }
    let middle = text.len() / 2;
    match text.get(middle) {
        Some(b' ') => (Some(text[..middle].to_vec()), Some(text[middle + 1..].to_vec())),
        _ => (None, None),
    }
}

fn with_prefix(prefix: &[u8], name: &[u8]) -> Vec<u8> {
    [prefix, name].concat()
}

/// Removes git's quotes and escapes from `text`.
fn unquoted(text: &[u8]) -> Vec<u8> {
    let Some(text) = text.strip_prefix(b"\"") else { return text.to_vec() };
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, behind @ ..] = rest {
        rest = behind;
        match byte {
            b'"' => break,
            b'\\' => {
                let octal = rest.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
                if let Some(value) = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
                    out.push(value);
                    rest = &rest[3..];
                } else if let [escaped, behind @ ..] = rest {
                    rest = behind;
                    out.push(match escaped {
                        b'a' => 7,
                        b'b' => 8,
                        b't' => b'\t',
                        b'n' => b'\n',
                        b'v' => 11,
                        b'f' => 12,
                        b'r' => b'\r',
                        other => *other,
                    });
                }
            }
            byte => out.push(*byte),
        }
    }
    out
}
