//! Reformats code with rustfmt and tracks where every token went.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::ops::Range;
use std::process::{Command, Stdio};

use super::rust::Code;
use super::world::{FRESH, Text};

/// Configurations that make rustfmt's output as different as possible.
pub(crate) const CONFIGS: [&str; 6] = [
    "max_width=60",
    "max_width=60,use_small_heuristics=Off,match_block_trailing_comma=true",
    "max_width=160,use_small_heuristics=Max",
    "hard_tabs=true,fn_params_layout=Vertical",
    "tab_spaces=2,chain_width=20,fn_call_width=20",
    "max_width=80",
];

/// Keeps the order of tokens, because they are identified by it.
const KEEP_ORDER: &str = "reorder_imports=false,reorder_modules=false,merge_derives=false";

/// Formats the text with `config`. Returns `None` if rustfmt fails or changes more than the layout.
#[expect(clippy::disallowed_methods, reason = "it starts rustfmt")]
pub(crate) fn rustfmt(text: &Text, config: &str) -> Option<Text> {
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--emit", "stdout", "--config", &format!("{KEEP_ORDER},{config}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // rustfmt reads all input before it writes.
    child.stdin.take().unwrap().write_all(text.as_str().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let formatted = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    let (before, after) = (pieces(text.as_str()), pieces(&formatted));
    let is_same = before.iter().map(|piece| &text.as_str()[piece.clone()]);
    if !is_same.eq(after.iter().map(|piece| &formatted[piece.clone()])) {
        return None;
    }
    let mut origins = vec![FRESH; formatted.len()];
    for (old, new) in before.into_iter().zip(after) {
        for (old, new) in old.zip(new) {
            origins[new] = text.origin(old);
        }
    }
    Some(Text::with_origins(formatted, origins))
}

/// Returns the pieces that rustfmt keeps, in order.
fn pieces(text: &str) -> Vec<Range<usize>> {
    let code = Code::new(text);
    let tokens = code.tokens.iter().filter(|token| !token.is_layout()).map(|token| token.start..token.end);
    let comments =
        code.comments.iter().map(|range| range.start..range.start + text[range.clone()].trim_end().len());
    let sorted: BTreeMap<usize, Range<usize>> =
        tokens.chain(comments).map(|piece| (piece.start, piece)).collect();
    sorted.into_values().collect()
}
