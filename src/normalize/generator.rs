//! Judges what a generator made in a copy of the repository: one diagnostic per difference from a checked-in file, with a fix that
//! takes over the new version.
//!
//! The output of the generator only explains a failure. A difference can't be accepted in a baseline, because the entry would hide
//! every later one of the same file.

use similar::TextDiff;

use super::patch::Patch;
use super::{Gap, Input, Parsed, Unparsable};
use crate::model::finding::{Diagnostic, Fix, Level, Place, Related};
use crate::model::generator::{FileAction, Generated, GeneratedDifference, GeneratedFile};
use crate::model::path::RelPath;

/// Maximum number of lines of a diff to show.
const MOST_LINES: usize = 50;
/// Maximum number of characters of a line of a diff to show.
const MOST_CHARS: usize = 200;
/// Maximum number of paths to name.
const MOST_PATHS: usize = 5;
/// Number of lines from which two texts are not compared line by line, because that could take minutes.
const MOST_COMPARED: usize = 200_000;

/// Judges what the generator made, which exited with `code`.
pub(super) fn parse(input: &Input<'_>, code: i32) -> Result<Parsed, Unparsable> {
    if code != 0 {
        return Err(input.crashed(code));
    }
    let generated = input.output.generated.as_deref();
    let Generated { differing, strays, unmatched } =
        generated.ok_or_else(|| Unparsable("nothing was compared".to_owned()))?;
    let mut parsed = Parsed::default();
    for difference in differing {
        parsed.diagnostics.extend(of_difference(input, difference));
    }
    if !strays.is_empty() {
        let reason = format!("changed files that `outputs` does not match: {}", listed(strays));
        parsed.gaps.push(Gap::all(reason));
    }
    for glob in unmatched {
        let reason =
            format!("`{glob}` in `outputs` matches no file, neither a checked-in nor a generated one");
        parsed.gaps.push(Gap::all(reason));
    }
    Ok(parsed)
}

/// Returns the first few of `paths`, and the number of the others.
fn listed(paths: &[RelPath]) -> String {
    let named: Vec<_> = paths.iter().take(MOST_PATHS).map(|path| format!("`{path}`")).collect();
    match paths.len().saturating_sub(MOST_PATHS) {
        0 => named.join(", "),
        more => format!("{}, and {more} more", named.join(", ")),
    }
}

/// Returns the diagnostics of one file: about its content or its existence, and about its mode.
fn of_difference(input: &Input<'_>, difference: &GeneratedDifference) -> Vec<Diagnostic> {
    use GeneratedFile::{Link, Regular};
    let GeneratedDifference { path, has_other_content, before, after } = difference;
    let tool = input.tool.base();
    let at = |rule: &str, message: String, changed: Option<Changed>| {
        let place = Place::File { path: path.clone(), range: None };
        let (fix, diff) = changed.map(|changed| (changed.fix, changed.diff)).unzip();
        let diff = diff.filter(|diff: &String| !diff.is_empty());
        let diff = diff.map(|diff| Related { message: input.scrub.text(&diff), place: None });
        Diagnostic {
            fatal: true,
            related: diff.into_iter().collect(),
            fix: fix.flatten().map(Box::new),
            ..input.diagnostic(place, rule, Level::Error, input.scrub.text(&message))
        }
    };
    let text =
        |content: &Option<Vec<u8>>| content.as_ref().and_then(|bytes| String::from_utf8(bytes.clone()).ok());
    let change = |action, old: &str, new: &str| Changed::new(path, action, old, new);
    match (before, after) {
        (None, Some(Regular { content, is_executable })) => {
            let action = if *is_executable { FileAction::CreateExecutable } else { FileAction::Create };
            let changed = text(content).map(|new| change(action, "", &new));
            vec![at("missing", format!("`{tool}` generates this file, but it is not checked in"), changed)]
        }
        (Some(Regular { content, .. }), None) => {
            let changed = text(content).map(|old| change(FileAction::Delete, &old, ""));
            vec![at("additional", format!("`{tool}` does not generate this file"), changed)]
        }
        (
            Some(Regular { content: old, is_executable: was }),
            Some(Regular { content: new, is_executable: is }),
        ) => {
            let mut found = Vec::new();
            if *has_other_content {
                let texts = text(old).zip(text(new));
                let changed = texts.map(|(old, new)| change(FileAction::Edit, &old, &new));
                let what = match (&changed, old, new) {
                    (None, Some(_), Some(_)) => " (it is not text)",
                    (None, ..) => " (it is too large to show)",
                    (Some(_), ..) => "",
                };
                found.push(at("outdated", format!("`{tool}` generates different content{what}"), changed));
            }
            if was != is {
                let action = if *is { FileAction::SetExecutable } else { FileAction::ClearExecutable };
                let message = match is {
                    true => format!("`{tool}` makes this file executable"),
                    false => format!("`{tool}` makes this file not executable"),
                };
                found.push(at("mode", message, Some(change(action, "", ""))));
            }
            found
        }
        (Some(Link(old)), Some(Link(new))) => {
            vec![at("link", format!("`{tool}` links this to `{new}` instead of `{old}`"), None)]
        }
        (None, Some(Link(new))) => {
            vec![at("link", format!("`{tool}` creates this link to `{new}`, but it is not checked in"), None)]
        }
        (Some(Link(_)), None) => vec![at("link", format!("`{tool}` does not create this link"), None)],
        (Some(Link(old)), Some(Regular { .. })) => {
            vec![at("link", format!("`{tool}` generates a file in place of this link to `{old}`"), None)]
        }
        (Some(Regular { .. }), Some(Link(new))) => {
            vec![at("link", format!("`{tool}` creates a link to `{new}` in place of this file"), None)]
        }
        (None, None) => Vec::new(),
    }
}

/// A change of a file as a fix and as a text to show.
struct Changed {
    /// `None` if a line number is out of range.
    fix: Option<Fix>,
    diff: String,
}

impl Changed {
    /// Returns the change of the file at `path` from `old` to `new`.
    fn new(path: &RelPath, action: FileAction, old: &str, new: &str) -> Self {
        let [old_lines, new_lines] = [old, new].map(|text| text.split_inclusive('\n').collect::<Vec<_>>());
        let is_open = |lines: &[&str], end: usize| {
            end == lines.len() && lines.last().is_some_and(|line| !line.ends_with('\n'))
        };
        let owned = |lines: &[&str]| -> Vec<String> {
            lines.iter().map(|line| line.strip_suffix('\n').unwrap_or(line).to_owned()).collect()
        };
        let patch = |old_range: std::ops::Range<usize>, new_range: std::ops::Range<usize>| {
            let patch = Patch {
                first: u32::try_from(old_range.start).ok()?.checked_add(1)?,
                old: owned(&old_lines[old_range.clone()]),
                new: owned(&new_lines[new_range.clone()]),
                old_is_open: !old_range.is_empty() && is_open(&old_lines, old_range.end),
                new_is_open: !new_range.is_empty() && is_open(&new_lines, new_range.end),
            };
            patch.fix(path, "").and_then(|fix| fix.edits.into_iter().next())
        };
        let (edits, diff) = if action != FileAction::Edit || old_lines.len() + new_lines.len() > MOST_COMPARED
        {
            let sign = if action == FileAction::Delete { '-' } else { '+' };
            let lines = if action == FileAction::Delete { &old_lines } else { &new_lines };
            let shown = lines.iter().map(|line| format!("{sign}{}", line.trim_end_matches('\n')));
            (vec![patch(0..old_lines.len(), 0..new_lines.len())], shown.collect())
        } else {
            let mut diff = TextDiff::configure();
            let diff = diff.newline_terminated(true).diff_slices(&old_lines, &new_lines);
            let changed = diff.ops().iter().filter(|op| op.tag() != similar::DiffTag::Equal);
            let edits = changed.map(|op| patch(op.old_range(), op.new_range())).collect();
            let shown = diff.unified_diff().to_string();
            (edits, shown.lines().map(str::to_owned).collect::<Vec<_>>())
        };
        let edits: Option<Vec<_>> = edits.into_iter().collect();
        let message = match action {
            FileAction::Create | FileAction::CreateExecutable => "create it",
            FileAction::Delete => "delete it",
            FileAction::SetExecutable | FileAction::ClearExecutable => "change its mode",
            FileAction::Edit => "replace it with the generated content",
        };
        let fix = edits.map(|edits| Fix { action: Some(action), ..Fix::new(message.to_owned(), edits) });
        Self { fix, diff: bounded(diff) }
    }
}

/// Returns the first of `lines`, and the number of the others.
fn bounded(mut lines: Vec<String>) -> String {
    let more = lines.len().saturating_sub(MOST_LINES);
    lines.truncate(MOST_LINES);
    let mut lines: Vec<_> = lines.iter().map(|line| line.chars().take(MOST_CHARS).collect()).collect();
    if more > 0 {
        lines.push(format!("[{more} more lines]"));
    }
    lines.join("\n")
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "`str!` looks for the source file that it is in")]
mod tests {
    use snapbox::str;

    use super::*;
    use crate::model::generator::Generator;
    use crate::model::halt::Never;
    use crate::model::task::{Exit, Output, Unit};
    use crate::model::tool::Parse;
    use crate::normalize::testing::{assert_shown, tool, workspace};
    use crate::normalize::{NotParsed, Scrub};

    fn parsed(generated: Option<Generated>, code: i32) -> Result<Parsed, NotParsed> {
        let generator = Generator {
            outputs: vec!["gen/**".to_owned()],
            inputs: Vec::new(),
            has_git: false,
            is_clean: false,
        };
        let tool = tool("proto", Parse::Generator(Box::new(generator)), &["gen"]);
        let workspace = workspace(&[], &["gen/a"]);
        let output = Output {
            stdout: Vec::new(),
            stderr: b"error: no plugin\n".to_vec(),
            exit: Exit::Code(code),
            is_leaky: false,
            generated: generated.map(Into::into),
        };
        super::super::parse(&Input {
            workspace: &workspace,
            tool: &tool,
            units: &[Unit::Workspace],
            packages: &[],
            output: &output,
            scrub: &Scrub::new(&workspace, None, std::path::Path::new("/tmp")),
            halt: &Never,
        })
    }

    fn file(text: &str) -> Option<GeneratedFile> {
        Some(GeneratedFile::Regular { content: Some(text.as_bytes().to_vec()), is_executable: false })
    }

    fn differing(differences: Vec<(Option<GeneratedFile>, Option<GeneratedFile>)>) -> Parsed {
        let difference =
            |(at, (before, after)): (usize, (Option<GeneratedFile>, Option<_>))| GeneratedDifference {
                path: RelPath::new(format!("gen/{at}")),
                has_other_content: before.is_some() && after.is_some(),
                before,
                after,
            };
        let differing = differences.into_iter().enumerate().map(difference).collect();
        parsed(Some(Generated { differing, ..Generated::default() }), 0).unwrap()
    }

    #[test]
    fn each_difference_is_a_finding_with_a_diff_and_a_fix() {
        let executable = |text: &str| {
            Some(GeneratedFile::Regular { content: Some(text.as_bytes().to_vec()), is_executable: true })
        };
        let found = differing(vec![
            (file("a\nb\nc\nd\ne\nf\ng\nh\n"), file("a\nB\nc\nd\ne\nf\ng\nh\ni")),
            (None, file("new\n")),
            (file("old\nlast"), None),
            (file("x\n"), executable("y\n")),
            (None, executable("")),
        ]);
        assert_shown(
            &found,
            str![[r#"
error proto outdated gen/0: `proto` generates different content (fatal)
  @@ -1,8 +1,9 @@
 a
-b
+B
 c
 d
 e
 f
 g
 h
+i
\ No newline at end of file
  fix: replace it with the generated content
    gen/0 2:1-3:1 "B\n"
    gen/0 9:1-9:1 "i"
error proto missing gen/1: `proto` generates this file, but it is not checked in (fatal)
  +new
  fix: create it
    gen/1 1:1-1:1 "new\n"
error proto additional gen/2: `proto` does not generate this file (fatal)
  -old
-last
  fix: delete it
    gen/2 1:1-2:5 ""
error proto mode gen/3: `proto` makes this file executable (fatal)
  fix: change its mode
    gen/3 1:1-1:1 ""
error proto outdated gen/3: `proto` generates different content (fatal)
  @@ -1 +1 @@
-x
+y
  fix: replace it with the generated content
    gen/3 1:1-2:1 "y\n"
error proto missing gen/4: `proto` generates this file, but it is not checked in (fatal)
  fix: create it
    gen/4 1:1-1:1 ""

"#]],
        );
        let actions = found.diagnostics.iter().map(|one| one.fix.as_ref().and_then(|fix| fix.action));
        assert_eq!(
            actions.collect::<Vec<_>>(),
            [
                Some(FileAction::Edit),
                Some(FileAction::Create),
                Some(FileAction::Delete),
                Some(FileAction::SetExecutable),
                Some(FileAction::Edit),
                Some(FileAction::CreateExecutable),
            ]
        );
    }

    #[test]
    fn what_can_not_be_shown_as_text_is_a_finding_without_a_fix() {
        let binary =
            |byte| Some(GeneratedFile::Regular { content: Some(vec![0xff, byte]), is_executable: false });
        let large = || Some(GeneratedFile::Regular { content: None, is_executable: false });
        let link = |to: &str| Some(GeneratedFile::Link(to.to_owned()));
        let found = differing(vec![
            (binary(1), binary(2)),
            (large(), large()),
            (None, large()),
            (link("a"), link("b")),
            (None, link("b")),
            (link("b"), None),
            (link("a"), file("")),
            (file(""), link("a")),
        ]);
        assert_shown(
            &found,
            str![[r#"
error proto outdated gen/0: `proto` generates different content (it is not text) (fatal)
error proto outdated gen/1: `proto` generates different content (it is too large to show) (fatal)
error proto missing gen/2: `proto` generates this file, but it is not checked in (fatal)
error proto link gen/3: `proto` links this to `b` instead of `a` (fatal)
error proto link gen/4: `proto` creates this link to `b`, but it is not checked in (fatal)
error proto link gen/5: `proto` does not create this link (fatal)
error proto link gen/6: `proto` generates a file in place of this link to `a` (fatal)
error proto link gen/7: `proto` creates a link to `a` in place of this file (fatal)

"#]],
        );
    }

    #[test]
    fn what_says_nothing_about_the_outputs_is_no_pass() {
        let strays = (0..7).map(|at| RelPath::new(format!("src/{at}"))).collect();
        let unmatched = vec!["gen/*.rs".to_owned()];
        let found = parsed(Some(Generated { strays, unmatched, ..Generated::default() }), 0).unwrap();
        assert_shown(
            &found,
            str![[r#"
gap: `gen/*.rs` in `outputs` matches no file, neither a checked-in nor a generated one
gap: changed files that `outputs` does not match: `src/0`, `src/1`, `src/2`, `src/3`, `src/4`, and 2 more

"#]],
        );
        assert!(parsed(None, 0).is_err());
        let failed = parsed(None, 1).unwrap_err();
        assert_eq!(failed, NotParsed::Unparsable(Unparsable("exited with 1: no plugin".to_owned())));
    }

    #[test]
    fn equal_files_are_no_findings() {
        assert_eq!(parsed(Some(Generated::default()), 0).unwrap(), Parsed::default());
    }

    proptest::proptest! {
        #[test]
        fn the_fix_makes_the_generated_text(old in "[ab\r\n]{0,12}", new in "[ab\r\n]{0,12}") {
            let changed = Changed::new(&RelPath::new("a"), FileAction::Edit, &old, &new);
            let mut text = old.clone();
            for (_, range, with) in changed.fix.unwrap().edits.into_iter().rev() {
                let offset = |at: crate::model::finding::Position| {
                    let line: usize = old.split_inclusive('\n').take(at.line as usize - 1).map(str::len).sum();
                    line + at.column as usize - 1
                };
                text.replace_range(offset(range.start)..offset(range.end), &with);
            }
            proptest::prop_assert_eq!(text, new);
        }
    }
}
