//! Finds the programs that a shell script runs, if its text names them.
//!
//! Reads no files and runs nothing. A command whose name is only known when the script runs (`"$TOOL" x`) is
//! reported as unknown instead of guessing.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{Word, WordBuilder, is_name};
use super::words_in_text;

/// Commands and definitions of a shell script.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Commands {
    /// Commands, each with the line in which it begins.
    pub(super) commands: Vec<(usize, Vec<Word>)>,
    /// Functions that are defined.
    pub(super) functions: BTreeSet<String>,
    /// Variables that are assigned, with the value if it is a constant.
    pub(super) variables: BTreeMap<String, Option<String>>,
    /// All words that may name files, except files into which output goes.
    pub(super) words: Vec<Word>,
}

/// Parses the commands in `text`.
pub(super) fn commands(text: &str) -> Commands {
    let found = Commands::default();
    let (heredocs, own_dirs) = (Vec::new(), BTreeSet::new());
    let mut parser = ShellParser { rest: text, line: 1, found, heredocs, word_end: None, own_dirs };
    // An unmatched `)` is an error that the shell reports.
    while parser.list(ListContext::Text) != ListEnd::Text {}
    parser.found
}

/// Context of a list of commands, which determines its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ListContext {
    Text,
    Paren,
    Case,
}

/// The end of a list of commands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ListEnd {
    Text,
    Paren,
    /// `;;`
    Branch,
    Esac,
}

/// Reserved words after which a command may begin, or before which it ends.
const RESERVED: [&str; 14] =
    ["!", "coproc", "do", "done", "elif", "else", "fi", "if", "then", "time", "until", "while", "{", "}"];

/// Commands whose arguments may assign variables.
const DECLARING: [&str; 5] = ["declare", "export", "local", "readonly", "typeset"];

struct ShellParser<'a> {
    rest: &'a str,
    line: usize,
    found: Commands,
    /// Delimiters of here-documents that begin on the next line.
    heredocs: Vec<String>,
    /// Length of the remaining text when the last word ended.
    word_end: Option<usize>,
    /// Variables that hold the directory of the script.
    own_dirs: BTreeSet<String>,
}

impl<'a> ShellParser<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.rest = &self.rest[next.len_utf8()..];
        self.line += usize::from(next == '\n');
        Some(next)
    }

    /// Consumes `text` if it comes next. Returns whether it did.
    fn take(&mut self, text: &str) -> bool {
        let matches = self.rest.starts_with(text);
        if matches {
            self.rest = &self.rest[text.len()..];
            self.line += text.matches('\n').count();
        }
        matches
    }

    /// Consumes and returns the text before `end`.
    fn until(&mut self, end: &[char]) -> &'a str {
        let (passed, rest) = self.rest.split_at(self.rest.find(end).unwrap_or(self.rest.len()));
        self.line += passed.matches('\n').count();
        self.rest = rest;
        passed
    }

    fn skip_blanks(&mut self) {
        while self.take("\\\n") || self.take(" ") || self.take("\t") || self.take("\r") {}
    }

    /// Skips blanks, comments and line ends.
    fn skip_space(&mut self) {
        loop {
            self.skip_blanks();
            match self.peek() {
                Some('\n') => self.newline(),
                Some('#') => drop(self.until(&['\n'])),
                _ => return,
            }
        }
    }

    /// Consumes the end of a line and the here-documents that follow it.
    fn newline(&mut self) {
        self.next();
        for delimiter in std::mem::take(&mut self.heredocs) {
            while !self.rest.is_empty() {
                let line = self.until(&['\n']);
                self.next();
                if line.trim_start_matches('\t') == delimiter {
                    break;
                }
                // It may be a script for the command.
                self.found.words.extend(words_in_text(line).map(|word| Word::Text(word.to_owned())));
            }
        }
    }

    /// Parses a list of commands up to its end.
    fn list(&mut self, end: ListContext) -> ListEnd {
        let mut words = Vec::new();
        let mut line = self.line;
        loop {
            self.skip_blanks();
            if words.is_empty() {
                line = self.line;
            }
            let Some(next) = self.peek() else {
                self.command(line, &mut words);
                return ListEnd::Text;
            };
            match next {
                '#' => drop(self.until(&['\n'])),
                '<' | '>' => self.redirection(&mut words),
                '&' if self.rest.starts_with("&>") => {
                    self.next();
                    self.redirection(&mut words);
                }
                '(' if words.is_empty() && self.take("((") => self.arithmetic(),
                '(' if words.is_empty() => {
                    self.next();
                    self.list(ListContext::Paren);
                }
                '(' => self.parens(&mut words),
                '\n' | ';' | '&' | '|' | ')' => {
                    self.command(line, &mut words);
                    let is_branch = self.rest.starts_with(";;") || self.rest.starts_with(";&");
                    if next == '\n' {
                        self.newline();
                    } else if end == ListContext::Case && is_branch {
                        while self.take(";") || self.take("&") {}
                        return ListEnd::Branch;
                    } else {
                        self.next();
                    }
                    if next == ')' && end != ListContext::Case {
                        return ListEnd::Paren;
                    }
                }
                _ => {
                    let is_first = words.iter().all(|word: &Word| word.assignment().is_some());
                    let (word, is_plain) = self.word();
                    let text = word.text().filter(|_| is_first && is_plain).unwrap_or_default();
                    if text == "esac" && end == ListContext::Case {
                        return ListEnd::Esac;
                    }
                    if !self.keyword(text) {
                        words.push(word);
                    }
                }
            }
        }
    }

    /// Records the command with the given words and its assignments.
    fn command(&mut self, line: usize, words: &mut Vec<Word>) {
        let words = std::mem::take(words);
        let first = words.iter().position(|word| word.assignment().is_none()).unwrap_or(words.len());
        let declares = words.get(first).and_then(Word::text).is_some_and(|name| DECLARING.contains(&name));
        let reads = words.get(first).and_then(Word::text) == Some("read");
        let assigning = if declares { words.len() } else { first };
        for (name, value) in words[..assigning].iter().filter_map(Word::assignment) {
            self.found.assign(name, value);
        }
        if reads {
            words[first..].iter().filter_map(Word::text).for_each(|name| self.found.assign(name, None));
        }
        if first < words.len() {
            self.found.commands.push((line, words[first..].to_vec()));
        }
    }

    /// Parses parentheses after a word: the definition of a function or an array assignment.
    fn parens(&mut self, words: &mut Vec<Word>) {
        self.next();
        self.skip_blanks();
        if self.take(")") {
            if let Some(name) = words.pop().as_ref().and_then(Word::text) {
                self.found.functions.insert(name.to_owned());
            }
            words.clear();
            return;
        }
        self.words_until(&[')']);
        self.next();
        if let Some((name, _)) = words.last().and_then(Word::assignment) {
            self.found.assign(name, None);
            words.pop();
        }
    }

    /// Skips words up to one of `ends`, recording only the commands substituted in them.
    fn words_until(&mut self, ends: &[char]) {
        while let Some(next) = self.peek().filter(|next| !ends.contains(next)) {
            match next {
                '\n' => self.newline(),
                ' ' | '\t' | '\r' | '(' | ')' | '<' | '>' | '&' | '|' | ';' => drop(self.next()),
                _ => drop(self.word()),
            }
        }
    }

    /// Consumes the syntax that belongs to the keyword `word`. Returns whether it is one.
    fn keyword(&mut self, word: &str) -> bool {
        match word {
            "for" | "select" => {
                self.skip_blanks();
                if let (Word::Text(name), _) = self.word() {
                    self.found.assign(&name, None);
                }
                self.words_until(&['\n', ';']);
            }
            "case" => {
                self.skip_space();
                self.word();
                self.skip_space();
                self.take("in");
                self.cases();
            }
            "function" => {
                self.skip_blanks();
                if let (Word::Text(name), _) = self.word() {
                    self.found.functions.insert(name);
                }
                self.skip_blanks();
                if self.take("(") {
                    self.words_until(&[')']);
                    self.next();
                }
            }
            "[[" => {
                while !self.rest.is_empty() && self.word().0 != Word::Text("]]".to_owned()) {
                    while self.peek().is_some_and(|c| " \t\r\n()<>&|;".contains(c)) {
                        self.next();
                    }
                }
            }
            word => return RESERVED.contains(&word),
        }
        true
    }

    /// Parses the branches of a `case` up to `esac`.
    fn cases(&mut self) {
        loop {
            self.skip_space();
            if self.rest.is_empty() {
                return;
            }
            self.take("(");
            let is_esac = self.rest.starts_with("esac");
            self.words_until(if is_esac { &[')', '\n', ';', '&', '|'] } else { &[')'] });
            if !self.take(")") || self.list(ListContext::Case) != ListEnd::Branch {
                return;
            }
        }
    }

    /// Skips the rest of an arithmetic expression after `((`.
    fn arithmetic(&mut self) {
        let mut depth = 2;
        while depth > 0 {
            match self.peek() {
                None => return,
                Some('$' | '`') => self.substitution(&mut WordBuilder::default()),
                Some(c) => {
                    depth += i32::from(c == '(') - i32::from(c == ')');
                    self.next();
                }
            }
        }
    }

    fn redirection(&mut self, words: &mut Vec<Word>) {
        // A number directly before it is the descriptor to redirect.
        let is_number =
            |word: &Word| word.text().is_some_and(|text| text.bytes().all(|b| b.is_ascii_digit()));
        if self.word_end == Some(self.rest.len()) && words.last().is_some_and(is_number) {
            words.pop();
        }
        if self.take("<(") || self.take(">(") {
            self.list(ListContext::Paren);
            words.push(Word::Open(String::new()));
            return;
        }
        let is_heredoc = self.rest.starts_with("<<") && !self.rest.starts_with("<<<");
        let mut is_output = false;
        while let Some(next) = self.peek().filter(|c| "<>&|-".contains(*c)) {
            is_output |= next == '>';
            self.next();
        }
        let before = self.found.words.len();
        self.skip_blanks();
        if self.peek().is_some_and(|c| !"\n;&|()<>".contains(c)) {
            let (target, _) = self.word();
            if is_heredoc {
                self.heredocs.push(target.text().unwrap_or_default().to_owned());
            }
            if is_output {
                self.found.words.truncate(before);
            }
        }
    }

    /// Parses a word. Returns whether no part of it is quoted.
    fn word(&mut self) -> (Word, bool) {
        let mut word = WordBuilder::default();
        while let Some(next) = self.peek().filter(|c| !" \t\r\n;&|()<>".contains(*c)) {
            match next {
                '\\' => {
                    self.next();
                    word.is_quoted = true;
                    self.next().into_iter().filter(|c| *c != '\n').for_each(|c| word.push(c));
                }
                '\'' => {
                    self.next();
                    word.is_quoted = true;
                    self.until(&['\'']).chars().for_each(|c| word.push(c));
                    self.next();
                }
                '"' => self.quoted(&mut word),
                '$' | '`' => self.substitution(&mut word),
                '~' if word.parts == 0 => {
                    self.next();
                    word.open(None);
                }
                c => {
                    self.next();
                    word.push(c);
                }
            }
        }
        if word.parts == 0 && !word.is_quoted {
            // The character can't begin a word. Skip it so that every loop terminates.
            self.next();
        }
        self.word_end = Some(self.rest.len());
        let is_plain = !word.is_quoted;
        let name = word.text.strip_suffix('=').filter(|name| is_name(name));
        if let Some(name) = name.filter(|name| !self.found.variables.contains_key(*name))
            && word.beside.as_deref() == Some("")
        {
            self.own_dirs.insert(name.to_owned());
        }
        let word = word.finish();
        self.found.words.push(word.clone());
        (word, is_plain)
    }

    /// Parses a string in double quotes.
    fn quoted(&mut self, word: &mut WordBuilder) {
        self.next();
        word.is_quoted = true;
        while let Some(next) = self.peek() {
            match next {
                '"' => {
                    self.next();
                    return;
                }
                '\\' => {
                    self.next();
                    self.next().into_iter().filter(|c| *c != '\n').for_each(|c| word.push(c));
                }
                '$' | '`' => self.substitution(word),
                c => {
                    self.next();
                    word.push(c);
                }
            }
        }
    }

    /// Parses a substitution that begins with `$` or a backtick.
    fn substitution(&mut self, word: &mut WordBuilder) {
        let before = self.rest;
        self.substitute(word);
        let source = &before[..before.len() - self.rest.len()];
        let is_path =
            source.starts_with("$(") || source.starts_with("${BASH_SOURCE") || source.starts_with('`');
        let names_script = ["$0", "${0", "BASH_SOURCE"].iter().any(|name| source.contains(name));
        let is_dir = source.contains("dirname") || source.contains("%/*");
        let variable = source.trim_start_matches(['$', '{']).trim_end_matches('}');
        let is_own = is_path && names_script && is_dir && !source.contains("..");
        if is_own || self.own_dirs.contains(variable) {
            word.mark_script_dir();
        }
    }

    fn substitute(&mut self, word: &mut WordBuilder) {
        if self.take("`") {
            let inner = self.until(&['`']).replace("\\`", "`");
            self.next();
            self.nested(&inner);
            return word.open(None);
        }
        if self.take("$((") {
            self.arithmetic();
            return word.open(None);
        }
        if self.take("$(") {
            self.list(ListContext::Paren);
            return word.open(None);
        }
        if self.take("${") {
            return self.parameter(word);
        }
        self.next();
        match self.peek() {
            Some('\'' | '"') => {}
            Some('@' | '*') => {
                self.next();
                word.open(Some(Word::Arguments));
            }
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                let (name, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
                self.rest = rest;
                word.open(Some(Word::Variable(name.to_owned(), None)));
            }
            Some(c) if c.is_ascii_digit() || "#?$!-".contains(c) => {
                self.next();
                word.open(None);
            }
            _ => word.push('$'),
        }
    }

    /// Parses the rest of a parameter expansion after `${`.
    fn parameter(&mut self, word: &mut WordBuilder) {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        let is_array = self.take("@") && name.is_empty();
        let has_default = self.take(":-") || self.take(":=") || self.take("-") || self.take("=");
        let mut default = WordBuilder::default();
        let (mut depth, mut is_plain) = (1, true);
        while let Some(next) = self.peek() {
            match next {
                '}' => {
                    self.next();
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                '{' => {
                    self.next();
                    depth += 1;
                    is_plain = false;
                }
                '\'' | '"' => drop(self.next()),
                '\\' => {
                    self.next();
                    self.next().into_iter().for_each(|c| default.push(c));
                }
                '$' | '`' => self.substitution(&mut default),
                c => {
                    self.next();
                    default.push(c);
                    is_plain &= has_default;
                }
            }
        }
        let default = Some(default.finish()).filter(|_| has_default);
        let default = default.as_ref().and_then(Word::text).map(str::to_owned);
        word.open(match (is_array, is_name(name) && is_plain) {
            (true, _) => Some(Word::Arguments),
            (_, true) => Some(Word::Variable(name.to_owned(), default)),
            _ => None,
        });
    }

    /// Adds the commands of the nested code `text`.
    fn nested(&mut self, text: &str) {
        let Commands { commands, functions, variables, words } = commands(text);
        let line = self.line;
        self.found.commands.extend(commands.into_iter().map(|(_, words)| (line, words)));
        self.found.functions.extend(functions);
        self.found.words.extend(words);
        variables.iter().for_each(|(name, value)| self.found.assign(name, value.as_deref()));
    }
}

impl Commands {
    /// Records an assignment of `name`. A variable with different values has no known value.
    fn assign(&mut self, name: &str, value: Option<&str>) {
        match self.variables.get_mut(name) {
            Some(known) if known.as_deref() != value => *known = None,
            Some(_) => {}
            None => drop(self.variables.insert(name.to_owned(), value.map(str::to_owned))),
        }
    }
}
