//! GitHub Actions annotations: commands on stdout that the runner shows at lines of a pull request.
//!
//! They are sorted by level. Within a level, missing results come first, then new findings, then other reasons for failing.
//! GitHub shows ten per level and step, so at most ten are printed, with a count of the rest. Accepted and suppressed
//! findings are not annotated. Text from tools is escaped, because it must not end a command or begin another one.

use super::finished::{Finding, Finished};
use super::text::{BROKEN, counted, visible, without_hash_commands};
use super::{excused, fixes};
use crate::model::finding::{Level, Place};
use crate::model::generated::split_out_dir;
use crate::model::path::RelPath;
use crate::model::tool::Leaky;

/// Number of annotations that GitHub shows per level and step.
const MOST: usize = 10;

/// Renders `run`. `base` is the path of the workspace below the root of the repository.
pub fn render(run: &Finished, base: &RelPath) -> Vec<u8> {
    let mut commands = Vec::new();
    for (tool, report) in run.tools() {
        let level = if tool.required { Level::Error } else { Level::Warning };
        for gap in &report.incomplete {
            let unit = if gap.unit == "." { String::new() } else { format!("{}: ", gap.unit) };
            let title = format!("{}: no result", tool.name);
            commands.push(Annotation { level, place: None, title, message: format!("{unit}{}", gap.reason) });
        }
        for who in &report.leaky {
            let unit = if who == "." { String::new() } else { format!("{who}: ") };
            let (title, message) = (format!("{}: leaky", tool.name), format!("{unit}{}", Leaky::MESSAGE));
            commands.push(Annotation { level: Level::Note, place: None, title, message });
        }
    }
    let new = run.report.findings.iter().filter(|finding| finding.state.is_shown());
    commands.extend(new.map(|finding| of_finding(finding, base)));
    commands.extend(of_gate(run));
    // The sort is stable, so the order above is kept within a level.
    commands.sort_by_key(|command| command.level);
    let mut out = String::new();
    let mut more = 0;
    for of_level in commands.chunk_by(|a, b| a.level == b.level) {
        // The count of omitted annotations is a notice, too.
        let is_last = of_level.first().is_some_and(|command| command.level == Level::Note);
        let room = if is_last && (more > 0 || of_level.len() > MOST) { MOST - 1 } else { MOST };
        of_level.iter().take(room).for_each(|command| out.push_str(&command.render()));
        more += of_level.len().saturating_sub(room);
    }
    if more > 0 {
        let message = format!(
            "{} in the summary and the artifacts of the run",
            counted(more, "more annotation is", "more annotations are")
        );
        out.push_str(
            &Annotation { level: Level::Note, place: None, title: "genti".to_owned(), message }.render(),
        );
    }
    out.into_bytes()
}

/// One annotation.
struct Annotation {
    level: Level,
    /// Escaped properties with file and position.
    place: Option<String>,
    title: String,
    message: String,
}

impl Annotation {
    fn render(&self) -> String {
        let name = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "notice",
        };
        let place = self.place.as_ref().map(|place| format!("{place},")).unwrap_or_default();
        format!("::{name} {place}title={}::{}\n", property(&self.title), data(&self.message))
    }
}

fn of_finding(finding: &Finding, base: &RelPath) -> Annotation {
    let mut message = finding.message.to_string();
    if let Place::Subject(subject) = &finding.place {
        message = format!("{subject}: {message}");
    } else if place(&finding.place, base).is_none() {
        message = format!("{}: {message}", finding.place.name());
    }
    for related in &finding.related {
        message.push('\n');
        message.push_str(&related.message);
    }
    if let Some(caused) = finding.cause.as_ref().filter(|_| finding.is_excused()) {
        message.push('\n');
        message.push_str(&excused::sentence(caused));
    }
    Annotation {
        // The author of the change can't fix it.
        level: if finding.is_excused() { Level::Note } else { finding.level },
        place: place(finding.shown_at(), base),
        title: finding.rule.to_string(),
        message,
    }
}

fn place(place: &Place, base: &RelPath) -> Option<String> {
    // Generated files are not part of the checkout.
    let path = base.resolve(place.path().filter(|path| split_out_dir(path).is_none())?)?;
    let mut properties = format!("file={}", property(&name(&path)));
    if let Some(range) = place.range() {
        // The end of a range is exclusive. GitHub accepts columns only if the range is within one line, and no end before
        // the start.
        let (start, end) = (range.start, range.end);
        let last = if end.column <= 1 && end.line > start.line { end.line - 1 } else { end.line };
        properties.push_str(&format!(",line={},endLine={last}", start.line));
        if end.line == start.line {
            properties.push_str(&format!(",col={},endColumn={}", start.column, end.column));
        }
    }
    Some(properties)
}

/// Returns `path` verbatim if that is safe in a command, else escaped as in artifacts.
fn name(path: &RelPath) -> String {
    match std::str::from_utf8(path.as_bytes()) {
        Ok(name) if visible(name) == name => name.to_owned(),
        _ => path.to_string(),
    }
}

/// Annotations for reasons to fail other than findings.
fn of_gate(run: &Finished) -> Vec<Annotation> {
    let level = if run.run.end.is_pass() { Level::Warning } else { Level::Error };
    let mut commands = Vec::new();
    let mut annotate = |count: usize, one: &str, many: &str, how: &str| {
        if count > 0 {
            let message = format!("{}: {how}", counted(count, one, many));
            commands.push(Annotation { level, place: None, title: "genti".to_owned(), message });
        }
    };
    let stale = run.report.gone.iter().filter(|gone| gone.is_stale()).count();
    annotate(
        stale,
        "baseline entry is stale",
        "baseline entries are stale",
        "run `cargo genti baseline update` to drop stale entries",
    );
    let orphans = run.report.golden_orphans.len();
    annotate(
        orphans,
        "golden file is no longer produced by any tool",
        "golden files are no longer produced by any tool",
        "run `cargo genti run --bless --remove-orphans` to remove them",
    );
    let advice = fixes::sentence(run).into_iter();
    let title = || "genti".to_owned();
    commands.extend(advice.map(|message| Annotation {
        level: Level::Note,
        place: None,
        title: title(),
        message,
    }));
    commands
}

/// Escapes `text` for the message of a command, after the second `::`.
fn data(text: &str) -> String {
    let text = visible(text).replace('%', "%25").replace('\n', "%0A");
    // The runner recognizes the older `##[…]` commands anywhere in a line.
    without_hash_commands(&text, BROKEN).into_owned()
}

/// Escapes `text` for the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_neither_ends_nor_begins_a_command() {
        let hostile = "a\r\n::error::b\u{85}%0A::stop-commands::x\n##[error]c,line=1 ##vso[task.complete]";
        for text in [data(hostile), property(hostile)] {
            assert!(!text.contains(['\n', '\r', '\u{85}']), "{text}");
            assert!(!text.contains("##["), "{text}");
            assert!(!text.contains("##vso["), "{text}");
            assert!(!text.contains("%0A::stop") && text.contains("%250A"), "{text}");
        }
        assert!(!property(hostile).contains([':', ',']));
    }
}
