//! Words of shell commands, parsed without running the shell.

/// A word of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Literal text.
    Text(String),
    /// `"$@"`: the arguments of the script.
    Arguments,
    /// Value of a single variable, with an optional default.
    Variable(String, Option<String>),
    /// A path relative to the directory of the script, such as `"$(dirname "$0")/lib.sh"`.
    Beside(String),
    /// A word that is known only when the script runs, with its literal prefix.
    Open(String),
}

impl Word {
    /// Returns the text of a literal word.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the name and the value of an assignment. The value is `None` if it is not a constant.
    pub(super) fn assignment(&self) -> Option<(&str, Option<&str>)> {
        let (text, is_constant) = match self {
            Self::Text(text) => (text, true),
            Self::Open(text) => (text, false),
            _ => return None,
        };
        let (name, value) = text.split_once('=')?;
        let plain = name.strip_suffix('+').unwrap_or(name);
        is_name(plain).then_some((plain, Some(value).filter(|_| is_constant && plain == name)))
    }
}

/// A word that is being parsed.
#[derive(Default)]
pub(super) struct WordBuilder {
    pub(super) text: String,
    /// True if part of it is known only when the script runs.
    pub(super) is_open: bool,
    /// Number of parts added.
    pub(super) parts: usize,
    pub(super) variable: Option<Word>,
    pub(super) is_quoted: bool,
    /// Text after the directory of the script, if the word begins with that.
    pub(super) beside: Option<String>,
}

impl WordBuilder {
    pub(super) fn push(&mut self, c: char) {
        if !self.is_open {
            self.text.push(c);
        } else if let Some(path) = &mut self.beside {
            path.push(c);
        }
        self.parts += 1;
    }

    /// Marks the last part added as the directory of the script.
    pub(super) fn mark_script_dir(&mut self) {
        if self.parts == 1 || self.text.ends_with('=') && self.parts == self.text.chars().count() + 1 {
            self.beside = Some(String::new());
        }
    }

    pub(super) fn open(&mut self, variable: Option<Word>) {
        self.is_open = true;
        self.parts += 1;
        self.variable = variable;
        self.beside = None;
    }

    pub(super) fn finish(self) -> Word {
        match self.variable {
            _ if self.beside.is_some() && self.text.is_empty() => {
                let path = self.beside.unwrap_or_default();
                Word::Beside(path.trim_start_matches('/').to_owned())
            }
            Some(variable) if self.parts == 1 => variable,
            _ if self.is_open => Word::Open(self.text),
            _ => Word::Text(self.text),
        }
    }
}

/// Returns whether `text` is a valid name of a variable.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
