//! Annotations of GitHub Actions: commands on stdout that its runner turns into remarks at lines of a pull request.
//!
//! Worst first: what has no verdict, then what is new, then what else fails the gate. GitHub shows ten a level and
//! step, so ten are printed, and how many more there are. What is accepted or suppressed is none. Whatever a tool says,
//! a finding is one command: all that could end a command or begin another one is escaped.

use super::finished::{Finding, Finished};
use super::text::{BROKEN, counted, visible, without_hash_commands};
use crate::model::finding::{Level, Place, State};
use crate::model::generated::split_out_dir;
use crate::model::path::RelPath;
use crate::model::tool::Leaky;

/// Annotations that GitHub shows of one level and one step.
const MOST: usize = 10;

/// Renders `run`, whose workspace lies at `base` below the directory that paths are seen from.
pub fn render(run: &Finished, base: &RelPath) -> Vec<u8> {
    let mut commands = Vec::new();
    for (tool, report) in run.tools() {
        let level = if tool.required { Level::Error } else { Level::Warning };
        for gap in &report.incomplete {
            let unit = if gap.unit == "." { String::new() } else { format!("{}: ", gap.unit) };
            let title = format!("{}: no verdict", tool.name);
            commands.push(Command { level, place: None, title, message: format!("{unit}{}", gap.reason) });
        }
        for who in &report.leaky {
            let unit = if who == "." { String::new() } else { format!("{who}: ") };
            let (title, message) = (format!("{}: leaky", tool.name), format!("{unit}{}", Leaky::MESSAGE));
            commands.push(Command { level: Level::Note, place: None, title, message });
        }
    }
    let new = run.report.findings.iter().filter(|finding| finding.state == State::New);
    commands.extend(new.map(|finding| of_finding(finding, base)));
    commands.extend(of_gate(run));
    // Stable: within a level, in the order above.
    commands.sort_by_key(|command| command.level);
    let mut out = String::new();
    let mut more = 0;
    for of_level in commands.chunk_by(|a, b| a.level == b.level) {
        // The count of what is left out is a notice too.
        let is_last = of_level.first().is_some_and(|command| command.level == Level::Note);
        let room = if is_last && (more > 0 || of_level.len() > MOST) { MOST - 1 } else { MOST };
        of_level.iter().take(room).for_each(|command| out.push_str(&command.render()));
        more += of_level.len().saturating_sub(room);
    }
    if more > 0 {
        let message =
            format!("{} in the summary and the artifacts of the run", counted(more, "more is", "more are"));
        out.push_str(
            &Command { level: Level::Note, place: None, title: "genti".to_owned(), message }.render(),
        );
    }
    out.into_bytes()
}

/// One annotation.
struct Command {
    level: Level,
    /// Properties that say where, escaped.
    place: Option<String>,
    title: String,
    message: String,
}

impl Command {
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

fn of_finding(finding: &Finding, base: &RelPath) -> Command {
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
    Command {
        level: finding.level,
        place: place(finding.shown_at(), base),
        title: finding.rule.to_string(),
        message,
    }
}

fn place(place: &Place, base: &RelPath) -> Option<String> {
    // A generated file is in no checkout.
    let path = base.resolve(place.path().filter(|path| split_out_dir(path).is_none())?)?;
    let mut properties = format!("file={}", property(&name(&path)));
    if let Some(range) = place.range() {
        // The end is the first position behind it. GitHub takes columns for one line only, and none that is before the
        // first.
        let (start, end) = (range.start, range.end);
        let last = if end.column <= 1 && end.line > start.line { end.line - 1 } else { end.line };
        properties.push_str(&format!(",line={},endLine={last}", start.line));
        if end.line == start.line {
            properties.push_str(&format!(",col={},endColumn={}", start.column, end.column));
        }
    }
    Some(properties)
}

/// `path` as it is, if a command can hold it; else as it is written in all artifacts.
fn name(path: &RelPath) -> String {
    match std::str::from_utf8(path.as_bytes()) {
        Ok(name) if visible(name) == name => name.to_owned(),
        _ => path.to_string(),
    }
}

/// What fails a gate beside findings.
fn of_gate(run: &Finished) -> Vec<Command> {
    let level = if run.run.end.is_pass() { Level::Warning } else { Level::Error };
    let mut commands = Vec::new();
    let mut say = |count: usize, one: &str, many: &str, how: &str| {
        if count > 0 {
            let message = format!("{}: {how}", counted(count, one, many));
            commands.push(Command { level, place: None, title: "genti".to_owned(), message });
        }
    };
    let stale = run.report.gone.iter().filter(|gone| gone.state == State::Fixed).count();
    say(
        stale,
        "baseline entry is stale",
        "baseline entries are stale",
        "`cargo genti baseline update` drops what is fixed",
    );
    let orphans = run.report.golden_orphans.len();
    say(
        orphans,
        "golden file is printed by nothing any more",
        "golden files are printed by nothing any more",
        "`cargo genti run --bless --remove-orphans` removes them",
    );
    commands
}

/// What stands behind the second `::`.
fn data(text: &str) -> String {
    let text = visible(text).replace('%', "%25").replace('\n', "%0A");
    // The older form of a command is looked for everywhere in a line.
    without_hash_commands(&text, BROKEN).into_owned()
}

/// The value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_command_or_begins_another() {
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
