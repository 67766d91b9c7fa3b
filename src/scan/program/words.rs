//! The words of a shell's commands, as far as they are known before it runs.

/// A word of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// As it stands.
    Text(String),
    /// `"$@"`: the arguments that the script was given.
    Arguments,
    /// The value of one variable, or the default that the word has for it.
    Variable(String, Option<String>),
    /// A path that begins in the directory of the script: `"$(dirname "$0")/lib.sh"`.
    Beside(String),
    /// Anything else that is known only when the script runs; with what it begins with.
    Open(String),
}

impl Word {
    /// The word, if it is as it stands.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The name and the value, if it is an assignment; no value if that is not a constant.
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

/// A word that is being read.
#[derive(Default)]
pub(super) struct Built {
    pub(super) text: String,
    /// Whether something in it is known only when the script runs.
    pub(super) is_open: bool,
    /// How many parts it has.
    pub(super) parts: usize,
    pub(super) variable: Option<Word>,
    pub(super) is_quoted: bool,
    /// What stands behind the directory of the script, if it begins with that.
    pub(super) beside: Option<String>,
}

impl Built {
    pub(super) fn push(&mut self, c: char) {
        if !self.is_open {
            self.text.push(c);
        } else if let Some(path) = &mut self.beside {
            path.push(c);
        }
        self.parts += 1;
    }

    /// Takes down that the part that was added last is the directory of the script.
    pub(super) fn is_own_dir(&mut self) {
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

/// Whether `text` may be the name of a variable.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
