//! Parses the output of `cargo machete`. Checked with 0.9.2.

use super::{Gap, Input, Parsed, Unparsable};
use crate::model::finding::{Diagnostic, Level, Place};
use crate::model::path::RelPath;

/// Exit code for findings, and for invalid arguments.
const FOUND: i32 = 1;

/// Heading of the findings in one of the given directories.
const HEADING: &str = "cargo-machete found the following unused dependencies in ";
/// Printed for a directory without findings.
const NOTHING: &str = "cargo-machete didn't find any unused dependencies in ";
/// Printed after all findings.
const ADVICE: &str = "If you believe cargo-machete has detected an unused dependency incorrectly";

/// Parses the output of cargo-machete, which exited with `code`.
pub(super) fn parse(input: &Input<'_>, code: i32) -> Result<Parsed, Unparsable> {
    if !matches!(code, 0 | FOUND) {
        return Err(input.crashed(code));
    }
    let mut diagnostics = Vec::new();
    let mut manifest = None;
    let (mut is_searched, mut is_whole) = (false, false);
    for line in input.lines(&input.output.stdout) {
        let line = std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line))
            .map_err(|error| Unparsable(format!("invalid output of cargo machete: {error}")))?;
        if line.starts_with(ADVICE) {
            is_whole = true;
            break;
        }
        if line.starts_with(HEADING) || line.starts_with(NOTHING) {
            is_searched = true;
            manifest = None;
        } else if let Some(dependency) = line.strip_prefix('\t') {
            // Notes about needless exceptions are printed only next to findings.
            if dependency.starts_with('⚠') {
                continue;
            }
            let is_name = dependency.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
            let manifest = manifest.as_ref().filter(|_| is_name).ok_or_else(|| out_of_place(input, line))?;
            diagnostics.push(diagnostic(input, manifest, dependency));
        } else if let Some((_, path)) = line.strip_suffix(':').and_then(|line| line.split_once(" -- ")) {
            manifest = Some(input.place_at(path.as_bytes(), None));
        }
    }
    let is_explained = match code {
        FOUND => is_whole && !diagnostics.is_empty(),
        _ => is_searched && diagnostics.is_empty(),
    };
    if !is_explained {
        return Err(input.crashed(code));
    }
    Ok(Parsed { diagnostics, gaps: gaps(input), ..Parsed::default() })
}

/// Returns whether `line` affects the result.
pub(super) fn is_read(line: &[u8]) -> bool {
    std::str::from_utf8(line).map_or(true, |line| {
        line.starts_with('\t')
            || [ADVICE, HEADING, NOTHING].iter().any(|text| line.starts_with(text))
            || line.ends_with(':')
    })
}

fn out_of_place(input: &Input<'_>, line: &str) -> Unparsable {
    Unparsable(format!(
        "unexpected line in the output of cargo machete: {:?}",
        input.scrub.quote(line.as_bytes())
    ))
}

fn diagnostic(input: &Input<'_>, manifest: &Place, dependency: &str) -> Diagnostic {
    let message = format!("unused dependency `{dependency}`");
    input.diagnostic(manifest.clone(), "unused-dependency", Level::Warning, message)
}

/// Returns the manifests that cargo-machete could not read. It reports them on stderr and continues. Manifests outside
/// the workspace may be broken on purpose.
fn gaps(input: &Input<'_>) -> Vec<Gap> {
    let stderr = String::from_utf8_lossy(&input.output.stderr);
    let gap = |line: &str| {
        let failure = line.strip_prefix("error when handling ")?;
        let (dir, reason) = failure.split_once("Cargo.toml: ")?;
        let path = input.scrub.path(format!("{dir}Cargo.toml").as_bytes())?;
        let is_ours = path == RelPath::new("Cargo.toml")
            || input.workspace.packages.iter().any(|package| package.dir.join("Cargo.toml") == path);
        let reason = format!("{path}: {}", input.scrub.quote(reason.as_bytes()));
        is_ours.then_some(Gap { package: None, path: Some(path), reason })
    };
    input.text_lines(&stderr).filter_map(gap).collect()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "`str!` looks for the source file that it is in")]
mod tests {
    use snapbox::str;

    use super::*;
    use crate::model::task::Unit;
    use crate::model::tool::Parse;
    use crate::normalize::testing::{assert_shown, run, tool, workspace};

    const CAPTURED: (&str, &str) =
        (include_str!("testdata/machete.stdout"), include_str!("testdata/machete.stderr"));

    fn machete(stdout: &str, stderr: &str, code: i32) -> Result<Parsed, Unparsable> {
        let tool = tool("machete", Parse::Machete, &["cargo", "machete"]);
        run(&workspace(&[("alpha", &[])], &[]), &tool, &[Unit::Workspace], stdout, stderr, code)
    }

    #[test]
    fn each_dependency_is_reported_for_its_manifest() {
        // An unreadable manifest outside the workspace does not matter.
        assert_shown(
            &machete(CAPTURED.0, CAPTURED.1, FOUND).expect("readable"),
            str![[r#"
warning machete unused-dependency alpha/Cargo.toml: unused dependency `cfg-if`
warning machete unused-dependency alpha/Cargo.toml: unused dependency `getrandom`
warning machete unused-dependency beta/Cargo.toml: unused dependency `alpha`

"#]],
        );
    }

    #[test]
    fn an_unreadable_manifest_of_the_workspace_is_a_gap() {
        let stderr = CAPTURED.1.replace("./docs/Cargo.toml", "./alpha/Cargo.toml");
        let parsed = machete(
            "cargo-machete didn't find any unused dependencies in this directory. Good job!\n",
            &stderr,
            0,
        );
        assert_shown(
            &parsed.expect("readable"),
            str![[r#"
gap alpha/Cargo.toml: alpha/Cargo.toml: TOML parse error at line 3, column 10

"#]],
        );
    }

    #[test]
    fn notes_about_exceptions_are_not_findings() {
        let output = CAPTURED
            .0
            .replace("\talpha\n", "\talpha\n\t⚠️  log was marked as ignored, but is actually used!\n");
        assert_ne!(output, CAPTURED.0);
        assert_eq!(machete(&output, "", FOUND), machete(CAPTURED.0, "", FOUND));
    }

    #[test]
    fn a_list_must_match_the_exit_code() {
        let none = "cargo-machete didn't find any unused dependencies in this directory. Good job!\n";
        let verdicts = |code| [none, CAPTURED.0, ""].map(|output| machete(output, "", code).is_ok());
        assert_eq!(verdicts(0), [true, false, false]);
        assert_eq!(verdicts(FOUND), [false, true, false]);
        assert_eq!(verdicts(2), [false; 3]);
        // It also exits with 1 for unknown arguments.
        let unknown = machete("", "Unrecognized argument: --json\n", FOUND);
        assert_eq!(unknown, Err(Unparsable("exited with 1: Unrecognized argument: --json".to_owned())));
    }
}
