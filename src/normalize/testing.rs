//! Test support for this module: runs a parser and shows its result.

use std::path::Path;

use super::{Input, NotParsed, Parsed, Scrub, Unparsable, parse};
use crate::model::golden::Printed;
use crate::model::halt::Never;
use crate::model::task::{Exit, Output, Unit};
pub(crate) use crate::model::testing::{tool, workspace};
use crate::model::tool::Tool;
use crate::model::workspace::{PackageId, TargetKind, Workspace};

/// Returns a workspace with member `cases`, whose tests have cases and snapshots in files.
pub(super) fn with_cases() -> Workspace {
    let targets = [(TargetKind::Test, "cases/tests/cli.rs"), (TargetKind::Test, "cases/tests/snaps.rs")];
    workspace(
        &[("cases", &targets)],
        &[
            "cases/tests/cli.rs",
            "cases/tests/cmd/one.trycmd",
            "cases/tests/cmd/three.toml",
            "cases/tests/cmd/two.md",
            "cases/tests/data/one.txt",
            "cases/tests/snaps.rs",
            "cases/tests/snapshots/snaps__named.snap",
            "cases/tests/snapshots/snaps__of_insta_in_a_file.snap",
        ],
    )
}

/// Returns a workspace with the members that occur in the captured outputs.
pub(crate) fn with_captured() -> Workspace {
    use TargetKind::{BuildScript, Lib};
    workspace(
        &[
            ("a", &[(Lib, "a/src/lib.rs")]),
            ("alpha", &[(Lib, "alpha/src/lib.rs")]),
            ("b", &[(Lib, "b/src/lib.rs")]),
            ("c", &[(Lib, "c/src/lib.rs")]),
            ("d", &[(Lib, "d/src/lib.rs")]),
            ("e", &[(Lib, "e/src/lib.rs")]),
            ("f", &[(BuildScript, "f/build.rs"), (Lib, "f/src/lib.rs")]),
        ],
        &["a/src/lib.rs", "x.wgsl"],
    )
}

/// Parses the output of a process of `tool` over `units`. All packages are selected.
pub(crate) fn run(
    workspace: &Workspace,
    tool: &Tool,
    units: &[Unit],
    stdout: impl AsRef<[u8]>,
    stderr: impl AsRef<[u8]>,
    code: i32,
) -> Result<Parsed, Unparsable> {
    let packages: Vec<PackageId> = workspace.packages().map(|(id, _)| id).collect();
    let scrub = Scrub::new(workspace, Some(Path::new("/home/me")), Path::new("/tmp"));
    let (stdout, stderr) = (stdout.as_ref().to_vec(), stderr.as_ref().to_vec());
    let output = Output { stdout, stderr, exit: Exit::Code(code), is_leaky: false, generated: None };
    let input =
        Input { workspace, tool, units, packages: &packages, output: &output, scrub: &scrub, halt: &Never };
    parse(&input).map_err(|why| match why {
        NotParsed::Unparsable(why) => why,
        NotParsed::Halted => unreachable!("never halted"),
    })
}

/// Compares the [shown](show) result exactly.
#[track_caller]
pub(super) fn assert_shown(parsed: &Parsed, expected: impl snapbox::IntoData) {
    snapbox::assert_data_eq!(show(parsed), expected.into_data().raw());
}

/// Shows the diagnostics, one per line: `level ns rule place range: message`, then `fatal`, related notes and the fix.
pub(crate) fn show(parsed: &Parsed) -> String {
    use std::fmt::Write as _;
    let place = |place: &crate::model::finding::Place| {
        let range = place.range().map_or_else(String::new, |range| {
            format!(" {}:{}-{}:{}", range.start.line, range.start.column, range.end.line, range.end.column)
        });
        place.name() + &range
    };
    let mut out = String::new();
    for diagnostic in &parsed.diagnostics {
        let fatal = if diagnostic.fatal { " (fatal)" } else { "" };
        let package = diagnostic.package.map_or_else(String::new, |package| format!(" @{}", package.0));
        writeln!(
            out,
            "{} {} {} {}{package}: {}{fatal}",
            diagnostic.level.as_str(),
            diagnostic.ns,
            diagnostic.rule,
            place(&diagnostic.place),
            diagnostic.message,
        )
        .expect("writing to a string");
        if let Some(at) = diagnostic.test.as_ref().and_then(|test| test.at.as_ref()) {
            writeln!(out, "  --> {}", place(at)).expect("writing to a string");
        }
        for related in &diagnostic.related {
            let at = related.place.as_ref().map_or_else(String::new, |at| format!(" at {}", place(at)));
            writeln!(out, "  {}{at}", related.message).expect("writing to a string");
        }
        if let Some(fix) = &diagnostic.fix {
            writeln!(out, "  fix: {}", fix.message).expect("writing to a string");
            for (path, range, text) in &fix.edits {
                let at =
                    place(&crate::model::finding::Place::File { path: path.clone(), range: Some(*range) });
                writeln!(out, "    {at} {text:?}").expect("writing to a string");
            }
        }
    }
    if let Some(Printed { code, text, .. }) = &parsed.printed {
        writeln!(out, "printed {text} and ended with {code}").expect("writing to a string");
    }
    for notice in &parsed.notices {
        writeln!(out, "notice: {notice}").expect("writing to a string");
    }
    for gap in &parsed.gaps {
        let package = gap.package.map_or_else(String::new, |package| format!(" @{}", package.0));
        let path = gap.path.as_ref().map_or_else(String::new, |path| format!(" {path}"));
        writeln!(out, "gap{package}{path}: {}", gap.reason).expect("writing to a string");
    }
    out
}
