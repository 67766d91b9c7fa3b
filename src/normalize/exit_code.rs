//! Parser for tools where only the exit code has a known meaning.

use super::scrub::Scrub;
use super::{Input, Parsed, Unparsable, is_crash};
use crate::model::finding::{Diagnostic, Level, Related};

/// Reports any `code` except 0 as one diagnostic with excerpts of the output. This includes code 101, which cargo uses
/// for every failed test.
pub(super) fn parse(input: &Input<'_>, code: i32) -> Result<Parsed, Unparsable> {
    if code == 0 {
        return Ok(Parsed::default());
    }
    if is_crash(code) {
        return Err(input.crashed(code));
    }
    // Numbers in backticks belong to the identity, so another code is another finding.
    let message = format!("exited with `{code}`");
    let rule = input.tool.base().to_owned();
    let output = [&input.output.stdout, &input.output.stderr];
    let related = output
        .into_iter()
        .filter_map(|text| Some(Related { message: excerpt(input.scrub, text)?, place: None }))
        .collect();
    let diagnostic =
        Diagnostic { related, ..input.diagnostic(input.default_place(), rule, Level::Error, message) };
    Ok(Parsed { diagnostics: vec![diagnostic], ..Parsed::default() })
}

/// Returns the first and last lines of `text`, or `None` if it is blank.
pub(super) fn excerpt(scrub: &Scrub, text: &[u8]) -> Option<String> {
    const LINES: usize = 20;
    let text = text.trim_ascii_end();
    let count = text.split(|&b| b == b'\n').count();
    let quote = |line: &[u8]| scrub.quote(line);
    let mut excerpt: Vec<String> = text.split(|&b| b == b'\n').take(2 * LINES).map(quote).collect();
    if let Some(left_out @ 1..) = count.checked_sub(2 * LINES) {
        excerpt.truncate(LINES);
        excerpt.push(format!("[{left_out} lines]"));
        let last: Vec<String> = text.rsplit(|&b| b == b'\n').take(LINES).map(quote).collect();
        excerpt.extend(last.into_iter().rev());
    }
    Some(excerpt.join("\n")).filter(|text| !text.trim().is_empty())
}
