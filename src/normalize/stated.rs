//! Extracts what a tool states about its own work: cargo's build messages in the output of `cargo test`, which are
//! removed from the output, and the files listed by `rustfmt --verbose`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{Input, Traces, Unparsable, cargo_json};
use crate::model::path::os_path;
use crate::model::task::Output;
use crate::model::tool::Statements;

/// Returns the stated traces and the remaining output, or `None` if this tool states nothing.
pub(super) fn split(input: &Input<'_>) -> Result<Option<(Traces, Output)>, Unparsable> {
    let stdout = &input.output.stdout;
    let (traces, rest) = match input.tool.parse.statements() {
        Statements::Build => {
            let (build, rest) = cargo_json::split_build(stdout);
            (cargo_json::traces(input, build)?, rest.to_vec())
        }
        // The parser needs these lines too, because they change the format of the diff.
        Statements::FormattedFiles => {
            (Traces { formatted: formatted(input.lines(stdout)), ..Traces::default() }, stdout.clone())
        }
        Statements::None => return Ok(None),
    };
    let Output { stderr, exit, is_leaky, .. } = input.output;
    let stderr = stderr.clone();
    let rest = Output { stdout: rest, stderr, exit: *exit, is_leaky: *is_leaky, generated: None };
    Ok(Some((traces, rest)))
}

/// Returns the files that rustfmt says it formats. Lines of a diff cannot be confused with these: they begin with a
/// space, a sign or `Diff in`.
fn formatted<'a>(lines: impl Iterator<Item = &'a [u8]>) -> BTreeSet<PathBuf> {
    let paths = lines.filter_map(|line| line.strip_prefix(b"Formatting "));
    paths.map(|path| PathBuf::from(os_path(path))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_that_rustfmt_formats_are_read() {
        let verbose = "Using rustfmt config file(s) /w/rustfmt.toml for /w/a.rs\nFormatting /w/b c.rs\nFormatting /w/a.rs\n\
                       Diff in /w/a.rs:1:\n-Formatting x\n \nSpent 0.001 secs in the parsing phase\n";
        let lines = verbose.as_bytes().split(|&byte| byte == b'\n');
        assert_eq!(formatted(lines), ["/w/a.rs", "/w/b c.rs"].map(PathBuf::from).into());
    }
}
