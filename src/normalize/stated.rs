//! What a tool states of its own work beside what its parser reads: the messages of the cargo that builds what `cargo test`
//! runs, which are taken out of the output, and the files that `rustfmt --verbose` names.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{Input, Traces, Unparsable, cargo_json};
use crate::model::path::os_path;
use crate::model::task::Output;
use crate::model::tool::Parse;

/// The traces that the output states, and the output without them; `None` if this tool states nothing in this way.
pub(super) fn split(input: &Input<'_>) -> Result<Option<(Traces, Output)>, Unparsable> {
    let stdout = &input.output.stdout;
    let (traces, rest) = match input.tool.parse {
        Parse::Libtest => {
            let (build, rest) = cargo_json::split_build(stdout);
            (cargo_json::traces(input, build)?, rest.to_vec())
        }
        // Its parser reads such lines too: in their presence a diff looks different.
        Parse::Rustfmt => {
            (Traces { formatted: formatted(input.lines(stdout)), ..Traces::default() }, stdout.clone())
        }
        _ => return Ok(None),
    };
    let Output { stderr, exit, is_leaky, .. } = input.output;
    let rest = Output { stdout: rest, stderr: stderr.clone(), exit: *exit, is_leaky: *is_leaky };
    Ok(Some((traces, rest)))
}

/// The files that rustfmt says it formats. Lines of a diff begin with a blank, a sign or `Diff in`.
fn formatted<'a>(lines: impl Iterator<Item = &'a [u8]>) -> BTreeSet<PathBuf> {
    let paths = lines.filter_map(|line| line.strip_prefix(b"Formatting "));
    paths.map(|path| PathBuf::from(os_path(path))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rustfmt_names_the_files_that_it_formats() {
        let verbose = "Using rustfmt config file(s) /w/rustfmt.toml for /w/a.rs\nFormatting /w/b c.rs\nFormatting /w/a.rs\n\
                       Diff in /w/a.rs:1:\n-Formatting x\n \nSpent 0.001 secs in the parsing phase\n";
        let lines = verbose.as_bytes().split(|&byte| byte == b'\n');
        assert_eq!(formatted(lines), ["/w/a.rs", "/w/b c.rs"].map(PathBuf::from).into());
    }
}
