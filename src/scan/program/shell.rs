//! Which programs a shell script runs, as far as its text names them.
//!
//! Knows no file and runs nothing. A command whose name is known only when the script runs (`"$TOOL" x`) is reported as such:
//! a guess would be worse than none.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{Built, Word, is_name};

/// What a script runs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Commands {
    /// Each command with the line that it begins in.
    pub(super) commands: Vec<(usize, Vec<Word>)>,
    /// The functions that it defines.
    pub(super) functions: BTreeSet<String>,
    /// The variables that it assigns; with the value if that is a constant.
    pub(super) variables: BTreeMap<String, Option<String>>,
}

/// The commands in `text`.
pub(super) fn commands(text: &str) -> Commands {
    let found = Commands::default();
    let (heredocs, own_dirs) = (Vec::new(), BTreeSet::new());
    let mut parser = Parser { rest: text, line: 1, found, heredocs, word_end: None, own_dirs };
    // A `)` too many is the shell's to report.
    while parser.list(End::Text) != Ended::Text {}
    parser.found
}

/// What may end a list of commands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Text,
    Paren,
    Case,
}

/// What did end it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Text,
    Paren,
    /// `;;`
    Branch,
    Esac,
}

/// Words before or behind which a command begins or ends, as at the start of a line.
const RESERVED: [&str; 14] =
    ["!", "coproc", "do", "done", "elif", "else", "fi", "if", "then", "time", "until", "while", "{", "}"];

/// Commands whose arguments may assign variables.
const DECLARING: [&str; 5] = ["declare", "export", "local", "readonly", "typeset"];

struct Parser<'a> {
    rest: &'a str,
    line: usize,
    found: Commands,
    /// The delimiters of here-documents that begin on the next line.
    heredocs: Vec<String>,
    /// How much was left when the last word ended.
    word_end: Option<usize>,
    /// The variables that hold the directory of the script.
    own_dirs: BTreeSet<String>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.rest = &self.rest[next.len_utf8()..];
        self.line += usize::from(next == '\n');
        Some(next)
    }

    /// Passes `text` if it comes next.
    fn take(&mut self, text: &str) -> bool {
        let comes = self.rest.starts_with(text);
        if comes {
            self.rest = &self.rest[text.len()..];
            self.line += text.matches('\n').count();
        }
        comes
    }

    /// Passes what comes before `end`, and gives it.
    fn until(&mut self, end: &[char]) -> &'a str {
        let (passed, rest) = self.rest.split_at(self.rest.find(end).unwrap_or(self.rest.len()));
        self.line += passed.matches('\n').count();
        self.rest = rest;
        passed
    }

    fn skip_blanks(&mut self) {
        while self.take("\\\n") || self.take(" ") || self.take("\t") || self.take("\r") {}
    }

    /// Passes blanks, comments and ends of lines.
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

    /// Passes the end of a line, and the here-documents behind it.
    fn newline(&mut self) {
        self.next();
        for delimiter in std::mem::take(&mut self.heredocs) {
            while !self.rest.is_empty() {
                let line = self.until(&['\n']);
                self.next();
                if line.trim_start_matches('\t') == delimiter {
                    break;
                }
            }
        }
    }

    /// A list of commands, up to its end.
    fn list(&mut self, end: End) -> Ended {
        let mut words = Vec::new();
        let mut line = self.line;
        loop {
            self.skip_blanks();
            if words.is_empty() {
                line = self.line;
            }
            let Some(next) = self.peek() else {
                self.command(line, &mut words);
                return Ended::Text;
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
                    self.list(End::Paren);
                }
                '(' => self.parens(&mut words),
                '\n' | ';' | '&' | '|' | ')' => {
                    self.command(line, &mut words);
                    let is_branch = self.rest.starts_with(";;") || self.rest.starts_with(";&");
                    if next == '\n' {
                        self.newline();
                    } else if end == End::Case && is_branch {
                        while self.take(";") || self.take("&") {}
                        return Ended::Branch;
                    } else {
                        self.next();
                    }
                    if next == ')' && end != End::Case {
                        return Ended::Paren;
                    }
                }
                _ => {
                    let is_first = words.iter().all(|word: &Word| word.assignment().is_some());
                    let (word, is_plain) = self.word();
                    let text = word.text().filter(|_| is_first && is_plain).unwrap_or_default();
                    if text == "esac" && end == End::Case {
                        return Ended::Esac;
                    }
                    if !self.keyword(text) {
                        words.push(word);
                    }
                }
            }
        }
    }

    /// Takes down the command of these `words`.
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

    /// Behind a word: `name()` defines a function, and an array may be assigned.
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

    /// Passes words up to one of `ends`: only what is substituted in them is run.
    fn words_until(&mut self, ends: &[char]) {
        while let Some(next) = self.peek().filter(|next| !ends.contains(next)) {
            match next {
                '\n' => self.newline(),
                ' ' | '\t' | '\r' | '(' | ')' | '<' | '>' | '&' | '|' | ';' => drop(self.next()),
                _ => drop(self.word()),
            }
        }
    }

    /// Whether `word` is one of the language's own. What belongs to it is passed.
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

    /// The branches of a `case`, up to its `esac`.
    fn cases(&mut self) {
        loop {
            self.skip_space();
            if self.rest.is_empty() {
                return;
            }
            self.take("(");
            let is_esac = self.rest.starts_with("esac");
            self.words_until(if is_esac { &[')', '\n', ';', '&', '|'] } else { &[')'] });
            if !self.take(")") || self.list(End::Case) != Ended::Branch {
                return;
            }
        }
    }

    /// `((…))`, behind its beginning.
    fn arithmetic(&mut self) {
        let mut depth = 2;
        while depth > 0 {
            match self.peek() {
                None => return,
                Some('$' | '`') => self.substitution(&mut Built::default()),
                Some(c) => {
                    depth += i32::from(c == '(') - i32::from(c == ')');
                    self.next();
                }
            }
        }
    }

    fn redirection(&mut self, words: &mut Vec<Word>) {
        // A number right before it says what is redirected.
        let is_number =
            |word: &Word| word.text().is_some_and(|text| text.bytes().all(|b| b.is_ascii_digit()));
        if self.word_end == Some(self.rest.len()) && words.last().is_some_and(is_number) {
            words.pop();
        }
        if self.take("<(") || self.take(">(") {
            self.list(End::Paren);
            words.push(Word::Open(String::new()));
            return;
        }
        let is_heredoc = self.rest.starts_with("<<") && !self.rest.starts_with("<<<");
        while self.peek().is_some_and(|c| "<>&|-".contains(c)) {
            self.next();
        }
        self.skip_blanks();
        if self.peek().is_some_and(|c| !"\n;&|()<>".contains(c)) {
            let (target, _) = self.word();
            if is_heredoc {
                self.heredocs.push(target.text().unwrap_or_default().to_owned());
            }
        }
    }

    /// A word, and whether nothing of it is quoted.
    fn word(&mut self) -> (Word, bool) {
        let mut built = Built::default();
        while let Some(next) = self.peek().filter(|c| !" \t\r\n;&|()<>".contains(*c)) {
            match next {
                '\\' => {
                    self.next();
                    built.is_quoted = true;
                    self.next().into_iter().filter(|c| *c != '\n').for_each(|c| built.push(c));
                }
                '\'' => {
                    self.next();
                    built.is_quoted = true;
                    self.until(&['\'']).chars().for_each(|c| built.push(c));
                    self.next();
                }
                '"' => self.quoted(&mut built),
                '$' | '`' => self.substitution(&mut built),
                '~' if built.parts == 0 => {
                    self.next();
                    built.open(None);
                }
                c => {
                    self.next();
                    built.push(c);
                }
            }
        }
        if built.parts == 0 && !built.is_quoted {
            // Nothing that a word begins with: pass it, so that every loop comes to its end.
            self.next();
        }
        self.word_end = Some(self.rest.len());
        let is_plain = !built.is_quoted;
        let name = built.text.strip_suffix('=').filter(|name| is_name(name));
        if let Some(name) = name.filter(|name| !self.found.variables.contains_key(*name))
            && built.beside.as_deref() == Some("")
        {
            self.own_dirs.insert(name.to_owned());
        }
        (built.finish(), is_plain)
    }

    /// What is between double quotes.
    fn quoted(&mut self, built: &mut Built) {
        self.next();
        built.is_quoted = true;
        while let Some(next) = self.peek() {
            match next {
                '"' => {
                    self.next();
                    return;
                }
                '\\' => {
                    self.next();
                    self.next().into_iter().filter(|c| *c != '\n').for_each(|c| built.push(c));
                }
                '$' | '`' => self.substitution(built),
                c => {
                    self.next();
                    built.push(c);
                }
            }
        }
    }

    /// What begins with `$` or a backtick.
    fn substitution(&mut self, built: &mut Built) {
        let before = self.rest;
        self.substitute(built);
        let source = &before[..before.len() - self.rest.len()];
        let is_path =
            source.starts_with("$(") || source.starts_with("${BASH_SOURCE") || source.starts_with('`');
        let names_script = ["$0", "${0", "BASH_SOURCE"].iter().any(|name| source.contains(name));
        let is_dir = source.contains("dirname") || source.contains("%/*");
        let variable = source.trim_start_matches(['$', '{']).trim_end_matches('}');
        let is_own = is_path && names_script && is_dir && !source.contains("..");
        if is_own || self.own_dirs.contains(variable) {
            built.is_own_dir();
        }
    }

    fn substitute(&mut self, built: &mut Built) {
        if self.take("`") {
            let inner = self.until(&['`']).replace("\\`", "`");
            self.next();
            self.nested(&inner);
            return built.open(None);
        }
        if self.take("$((") {
            self.arithmetic();
            return built.open(None);
        }
        if self.take("$(") {
            self.list(End::Paren);
            return built.open(None);
        }
        if self.take("${") {
            return self.parameter(built);
        }
        self.next();
        match self.peek() {
            Some('\'' | '"') => {}
            Some('@' | '*') => {
                self.next();
                built.open(Some(Word::Arguments));
            }
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                let (name, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
                self.rest = rest;
                built.open(Some(Word::Variable(name.to_owned(), None)));
            }
            Some(c) if c.is_ascii_digit() || "#?$!-".contains(c) => {
                self.next();
                built.open(None);
            }
            _ => built.push('$'),
        }
    }

    /// `${…}`, behind its beginning.
    fn parameter(&mut self, built: &mut Built) {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        let is_array = self.take("@") && name.is_empty();
        let has_default = self.take(":-") || self.take(":=") || self.take("-") || self.take("=");
        let mut default = Built::default();
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
        built.open(match (is_array, is_name(name) && is_plain) {
            (true, _) => Some(Word::Arguments),
            (_, true) => Some(Word::Variable(name.to_owned(), default)),
            _ => None,
        });
    }

    /// Adds what `text`, which stands within this one, runs.
    fn nested(&mut self, text: &str) {
        let Commands { commands, functions, variables } = commands(text);
        let line = self.line;
        self.found.commands.extend(commands.into_iter().map(|(_, words)| (line, words)));
        self.found.functions.extend(functions);
        variables.iter().for_each(|(name, value)| self.found.assign(name, value.as_deref()));
    }
}

impl Commands {
    /// Takes down that `name` is assigned. One that has several values has none that is known.
    fn assign(&mut self, name: &str, value: Option<&str>) {
        match self.variables.get_mut(name) {
            Some(known) if known.as_deref() != value => *known = None,
            Some(_) => {}
            None => drop(self.variables.insert(name.to_owned(), value.map(str::to_owned))),
        }
    }
}
