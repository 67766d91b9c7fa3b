//! A source file with findings.

/// Content of each source file. The findings are on known lines.
pub(crate) const BODY: &str = "\
/// Counts the `words` of a line, see [`nothing_of_this_name`].
pub fn count(line: &str, limit: usize) -> Option<usize> {
    let mut words = Vec::new();
    for word in line.split_whitespace() {
        if word.len() == 0 {
            continue;
        }
        words.push(word.to_string()); // kept as recieved
    }
    if words.len() > limit {
        return None;
    }
    return Some(words.len());
}

impl<'a> Iterator for Cursor<'a> {
    type Item = Result<Token<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        match self.bytes.get(start) {
            Some(b'\\n') => { self.line += 1; self.at += 1 },
            Some(0x30..=0x39) => return Some(self.number(1_000.5)),
            None => return None,
            _ => println!(\"at {start}\"),
        }
        self.next()
    }
}
";

/// A finding in [`BODY`].
pub(crate) struct Flagged {
    pub(crate) tool: &'static str,
    pub(crate) rule: &'static str,
    pub(crate) level: &'static str,
    pub(crate) message: &'static str,
    pub(crate) line: usize,
    pub(crate) text: &'static str,
    pub(crate) item: &'static str,
    pub(crate) note: &'static str,
    /// Replacement of the text.
    pub(crate) new: Option<&'static str>,
}

const LINTS: &str =
    "for further information visit https://rust-lang.github.io/rust-clippy/rust-1.95.0/index.html";
const NEXT: &str = "impl Iterator for Cursor > fn next";
pub(crate) const FLAGGED: [Flagged; 8] = [
    Flagged {
        tool: "doc",
        rule: "rustdoc::broken_intra_doc_links",
        level: "warning",
        message: "unresolved link to `nothing_of_this_name`",
        line: 1,
        text: "nothing_of_this_name",
        item: "fn count",
        note: "no item named `nothing_of_this_name` in scope",
        new: None,
    },
    Flagged {
        tool: "clippy",
        rule: "clippy::len_zero",
        level: "warning",
        message: "length comparison to zero",
        line: 5,
        text: "word.len() == 0",
        item: "fn count",
        note: LINTS,
        new: Some("word.is_empty()"),
    },
    Flagged {
        tool: "clippy",
        rule: "clippy::str_to_string",
        level: "warning",
        message: "`to_string()` called on a `&str`",
        line: 8,
        text: "word.to_string()",
        item: "fn count",
        note: LINTS,
        new: Some("word.to_owned()"),
    },
    Flagged {
        tool: "clippy",
        rule: "clippy::needless_return",
        level: "warning",
        message: "unneeded `return` statement",
        line: 13,
        text: "return Some(words.len());",
        item: "fn count",
        note: LINTS,
        new: Some("Some(words.len())"),
    },
    Flagged {
        tool: "fmt",
        rule: "rustfmt::diff",
        level: "warning",
        message: "not formatted",
        line: 22,
        text: "{ self.line += 1; self.at += 1 },",
        item: NEXT,
        note: "",
        new: Some("{\n                self.line += 1;\n                self.at += 1\n            }"),
    },
    Flagged {
        tool: "clippy",
        rule: "clippy::print_stdout",
        level: "warning",
        message: "use of `println!`",
        line: 25,
        text: "println!(\"at {start}\")",
        item: NEXT,
        note: "requested on the command line with `-W clippy::print-stdout`",
        new: None,
    },
    Flagged {
        tool: "clippy",
        rule: "E0599",
        level: "error",
        message: "no method named `number` found for mutable reference `&mut Cursor<'a>` in the current scope",
        line: 23,
        text: "number",
        item: NEXT,
        note: "method not found in `&mut Cursor<'a>`",
        new: None,
    },
    Flagged {
        tool: "typos",
        rule: "typo",
        level: "error",
        message: "`recieved` should be `received`",
        line: 8,
        text: "recieved",
        item: "",
        note: "",
        new: Some("received"),
    },
];
