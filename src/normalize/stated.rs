//! Takes out of a tool's output what it states of its own work, so that its parser sees the rest: the messages of the cargo
//! that builds what `cargo test` runs, and the lines of `rustfmt --verbose`.

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
            (cargo_json::traces(input.workspace, build)?, rest.to_vec())
        }
        Parse::Rustfmt => formatted(stdout),
        _ => return Ok(None),
    };
    let rest = Output { stdout: rest, stderr: input.output.stderr.clone(), exit: input.output.exit };
    Ok(Some((traces, rest)))
}

/// The files that rustfmt says it formats, and its diffs. Lines of a diff begin with a blank, a sign or `Diff in`.
fn formatted(stdout: &[u8]) -> (Traces, Vec<u8>) {
    let mut files = BTreeSet::new();
    let mut rest = Vec::with_capacity(stdout.len());
    for line in stdout.split_inclusive(|&byte| byte == b'\n') {
        if let Some(path) = line.strip_prefix(b"Formatting ") {
            files.insert(PathBuf::from(os_path(path.strip_suffix(b"\n").unwrap_or(path))));
        } else if !line.starts_with(b"Spent ") && !line.starts_with(b"Using rustfmt config file") {
            rest.extend_from_slice(line);
        }
    }
    (Traces { formatted: files, ..Traces::default() }, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rustfmt_formats_is_taken_out_of_its_diffs() {
        let diff = "Diff in /w/a.rs:1:\n-Formatting x\n+Spent y\n \n";
        let verbose = format!(
            "Using rustfmt config file(s) /w/rustfmt.toml for /w/a.rs\nFormatting /w/b c.rs\nFormatting /w/a.rs\n\
             {diff}Spent 0.001 secs in the parsing phase, and 0.000 secs in the formatting phase\n"
        );
        let (traces, rest) = formatted(verbose.as_bytes());
        assert_eq!(traces.formatted, ["/w/a.rs", "/w/b c.rs"].map(PathBuf::from).into());
        assert_eq!(String::from_utf8(rest).unwrap(), diff);
    }
}
