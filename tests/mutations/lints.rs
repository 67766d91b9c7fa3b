//! Stand-in for clippy: lints that need only tokens, with clippy's messages and ranges.

use std::ops::Range;

use genti::model::finding::{Diagnostic, Level, Place, Position, Range as Lines};
use genti::model::path::RelPath;

use super::rust::{Code, Item};

/// Finding in one text.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) rule: &'static str,
    pub(crate) message: String,
    /// Set if the message names the item.
    pub(crate) names_item: bool,
    /// Flagged bytes.
    pub(crate) range: Range<usize>,
    /// Byte that identifies the finding: in the word `unwrap`, or in the name of the function. An anchor has at most
    /// one finding per rule.
    pub(crate) anchor: usize,
}

/// Maximum number of lines of a function. Low enough that some functions exceed it.
const MAX_LINES: usize = 30;

pub(crate) fn lint(code: &Code<'_>) -> Vec<Found> {
    let mut linter = Linter { code, found: Vec::new() };
    for at in 0..code.tokens.len() {
        linter.expression(at);
    }
    for item in code.items() {
        linter.item(&item);
    }
    for comment in &code.comments {
        linter.comment(comment);
    }
    linter.found
}

/// Converts findings to diagnostics, as a tool would report them.
pub(crate) fn diagnostics(
    path: &str,
    text: &str,
    found: &[Found],
) -> Vec<(genti::model::text::Text, Diagnostic)> {
    let starts: Vec<usize> =
        std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let position = |at: usize| {
        let line = starts.partition_point(|&start| start <= at);
        let column = text[starts[line - 1]..at].chars().count() + 1;
        Position { line: line as u32, column: column as u32 }
    };
    let report = |found: &Found| {
        let range = Lines { start: position(found.range.start), end: position(found.range.end) };
        let diagnostic = Diagnostic {
            place: Place::File { path: RelPath::new(path), range: Some(range) },
            ns: "clippy".into(),
            rule: found.rule.into(),
            level: Level::Warning,
            message: found.message.as_str().into(),
            fatal: false,
            package: None,
            related: Vec::new(),
            fix: None,
            test: None,
        };
        ("clippy".into(), diagnostic)
    };
    found.iter().map(report).collect()
}

struct Linter<'a> {
    code: &'a Code<'a>,
    found: Vec<Found>,
}

impl Linter<'_> {
    /// Adds a finding over the tokens `first..=last`.
    fn find(&mut self, rule: &'static str, first: usize, last: usize, anchor: usize, message: &str) {
        let tokens = &self.code.tokens;
        let range = tokens[first].start..tokens[last].end;
        let anchor = tokens[anchor].start;
        self.found.push(Found { rule, message: message.to_owned(), names_item: false, range, anchor });
    }

    fn find_named(&mut self, rule: &'static str, at: usize, message: &str) {
        self.find(rule, at, at, at, message);
        self.found.last_mut().unwrap().names_item = true;
    }

    fn expression(&mut self, at: usize) {
        let code = self.code;
        let word = |at: usize| code.word(at);
        let is_method = at > 1 && word(at - 1) == "." && word(at + 1) == "(" && word(at + 2) == ")";
        match word(at) {
            "unwrap" if is_method => self.find(
                "clippy::unwrap_used",
                self.operand(at - 2),
                at + 2,
                at,
                "used `unwrap()` on a `Result` value",
            ),
            "clone" if is_method => self.find(
                "clippy::clone_on_copy",
                self.operand(at - 2),
                at + 2,
                at,
                "using `clone` on type `usize` which implements the `Copy` trait",
            ),
            "as" if at > 0 && ["u8", "u16", "u32", "i32"].contains(&word(at + 1)) => self.find(
                "clippy::cast_possible_truncation",
                self.operand(at - 1),
                at + 1,
                at,
                &format!("casting `usize` to `{}` may truncate the value", word(at + 1)),
            ),
            "return" => {
                let mut end = at + 1;
                while end < code.tokens.len() && ![";", "}", ",", ")"].contains(&word(end)) {
                    end = code.skip(end);
                }
                let is_last = word(end) == "}" || (word(end) == ";" && word(end + 1) == "}");
                if is_last {
                    self.find("clippy::needless_return", at, end - 1, at, "unneeded `return` statement");
                }
            }
            "let"
                if code.is_name(at + 1)
                    && word(at + 1).len() == 1
                    && word(at + 1) != "_"
                    && [":", "="].contains(&word(at + 2)) =>
            {
                self.find_named("unused_variables", at + 1, &format!("unused variable: `{}`", word(at + 1)));
            }
            "&" if self.is_argument(at)
                && code.is_name(at + 1)
                && ["(", ",", ")"].contains(&word(at + 2)) =>
            {
                let last = if word(at + 2) == "(" { code.skip(at + 2) - 1 } else { at + 1 };
                self.find(
                    "clippy::needless_borrow",
                    at,
                    last,
                    at,
                    "this expression creates a reference which is immediately dereferenced by the compiler",
                );
            }
            "if" | "match" => self.block(at),
            name if word(at + 1) == "!" && ["(", "["].contains(&word(at + 2)) => self.macro_call(name, at),
            literal
                if literal.len() > 4
                    && literal.starts_with(|c: char| c.is_ascii_digit())
                    && literal.chars().all(|c| c.is_ascii_digit()) =>
            {
                self.find("clippy::unreadable_literal", at, at, at, "long literal lacking separators");
            }
            _ => {}
        }
    }

    /// Returns whether an argument of a call begins here.
    fn is_argument(&self, at: usize) -> bool {
        let code = self.code;
        let Some(open) = code.tokens[at].within.filter(|&open| open > 1 && code.word(open) == "(") else {
            return false;
        };
        let is_call = code.is_name(open - 1) && code.word(open - 2) != "fn";
        is_call && (open == at - 1 || code.word(at - 1) == ",")
    }

    fn macro_call(&mut self, name: &str, at: usize) {
        let last = self.code.skip(at + 2) - 1;
        match name {
            "println" | "print" => {
                self.find("clippy::print_stdout", at, last, at, &format!("use of `{name}!`"));
            }
            "todo" | "panic" | "unreachable" => {
                let message = format!("`{name}` should not be present in production code");
                self.find("clippy::panic", at, last, at, &message);
            }
            "format" | "write" if self.code.word(last - 2) == "," => self.find(
                "clippy::uninlined_format_args",
                at,
                last,
                at,
                "variables can be used directly in the `format!` string",
            ),
            _ => {}
        }
    }

    /// Checks lints that flag many lines.
    fn block(&mut self, at: usize) {
        let code = self.code;
        let Some(open) = (at..code.tokens.len())
            .find(|&open| code.word(open) == "{" && code.tokens[open].within == code.tokens[at].within)
        else {
            return;
        };
        let close = code.skip(open) - 1;
        if code.word(at) == "if" && code.word(open + 1) == "if" && code.word(close - 1) == "}" {
            self.find("clippy::collapsible_if", at, close, at, "this `if` statement can be collapsed");
        }
        let arms = (open..close).filter(|&at| code.word(at) == "=" && code.word(at + 1) == ">").count();
        if code.word(at) == "match" && arms == 2 {
            let message = "you seem to be trying to use `match` for destructuring a single pattern";
            self.find("clippy::single_match_else", at, close, at, message);
        }
    }

    fn item(&mut self, item: &Item) {
        let code = self.code;
        let Some((open, close)) = item.body.filter(|_| code.word(item.keyword) == "fn") else { return };
        let name = item.keyword + 1;
        let mut head = item.first;
        while code.word(head) == "#" {
            head = code.skip(head + 1);
        }
        let is_public = code.word(head) == "pub";
        let lines = code.text[code.tokens[open].start..code.tokens[close].end].matches('\n').count();
        if lines > MAX_LINES {
            let message = format!("this function has too many lines ({lines}/{MAX_LINES})");
            self.find("clippy::too_many_lines", head, open - 1, name, &message);
        }
        let returns_result = (head..open).any(|at| code.word(at) == "Result");
        let has_arguments = code.word(name + 1) == "(" && code.word(name + 2) != ")";
        if is_public && returns_result {
            let message = "docs for function returning `Result` missing `# Errors` section";
            self.find("clippy::missing_errors_doc", head, open - 1, name, message);
        } else if is_public {
            let message = "this function could have a `#[must_use]` attribute";
            self.find("clippy::must_use_candidate", name, name, name, message);
        } else if has_arguments {
            self.find_named("dead_code", name, &format!("function `{}` is never used", code.word(name)));
        }
    }

    fn comment(&mut self, comment: &Range<usize>) {
        let text = &self.code.text[comment.clone()];
        if !text.starts_with("//!") && !text.starts_with("///") {
            return;
        }
        let mut start = comment.start;
        for word in text.split_inclusive(' ') {
            let name = word.trim();
            let humps = name.chars().filter(char::is_ascii_uppercase).count();
            if humps > 1 && name.chars().all(|c| c.is_ascii_alphabetic()) && name != name.to_ascii_uppercase()
            {
                self.found.push(Found {
                    rule: "clippy::doc_markdown",
                    message: "item in documentation is missing backticks".to_owned(),
                    names_item: false,
                    range: start..start + name.len(),
                    anchor: start,
                });
            }
            start += word.len();
        }
    }

    /// Returns the first token of the expression of calls, fields and paths that ends at `last`.
    fn operand(&self, last: usize) -> usize {
        let code = self.code;
        let mut at = last;
        loop {
            let start = code.tokens[at].partner.unwrap_or(at);
            let Some(before) = start.checked_sub(1) else { return start };
            at = match code.word(before) {
                "." if before > 0 => before - 1,
                ":" if before > 1 && code.word(before - 1) == ":" && code.is_name(before - 2) => before - 2,
                "!" if start < at && before > 0 && code.is_name(before - 1) => before - 1,
                ")" | "]" | "?" if start < at || code.word(at) == "?" => before,
                _ if (start < at || code.word(at) == "?") && code.is_name(before) => before,
                _ => return start,
            };
        }
    }
}
