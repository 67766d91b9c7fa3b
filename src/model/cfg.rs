//! Conditions in `#[cfg(…)]`, parsed from tokens and evaluated in three-valued logic, because not all of a
//! build is known.

use std::fmt;

/// A `cfg` predicate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cfg {
    /// `all(…)`, or several attributes on one item.
    All(Vec<Self>),
    /// `any(…)`.
    Any(Vec<Self>),
    /// `not(…)`.
    Not(Box<Self>),
    /// A flag such as `windows`, `test` or `loom`.
    Flag(String),
    /// A key with a value, such as `feature = "x"`.
    Value(String, String),
    /// Tokens that are not a valid condition.
    Unreadable,
}

/// Truth value of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truth {
    /// The condition is false.
    No,
    /// The condition depends on something unknown.
    Maybe,
    /// The condition is true.
    Yes,
}

impl Truth {
    fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Maybe => Self::Maybe,
            Self::Yes => Self::No,
        }
    }
}

impl From<bool> for Truth {
    fn from(is: bool) -> Self {
        if is { Self::Yes } else { Self::No }
    }
}

impl Cfg {
    /// Evaluates the condition. `leaf` evaluates flags, and keys with their values.
    pub fn truth(&self, leaf: &dyn Fn(&str, Option<&str>) -> Truth) -> Truth {
        match self {
            Self::All(all) => all.iter().map(|one| one.truth(leaf)).min().unwrap_or(Truth::Yes),
            Self::Any(any) => any.iter().map(|one| one.truth(leaf)).max().unwrap_or(Truth::No),
            Self::Not(one) => one.truth(leaf).not(),
            Self::Flag(name) => leaf(name, None),
            Self::Value(key, value) => leaf(key, Some(value)),
            Self::Unreadable => Truth::Maybe,
        }
    }

    /// Parses the condition at the start of `tokens` and returns it with the remaining tokens.
    pub(crate) fn read<'a, 't>(tokens: &'a [&'t str]) -> (Self, &'a [&'t str]) {
        // Deeper than real code nests conditions, but not deep enough to overflow the stack.
        Self::read_at(tokens, 32)
    }

    fn read_at<'a, 't>(tokens: &'a [&'t str], depth: u32) -> (Self, &'a [&'t str]) {
        let Some(depth) = depth.checked_sub(1) else { return (Self::Unreadable, &[]) };
        match tokens {
            [name @ ("all" | "any" | "not"), "(", rest @ ..] => {
                let mut rest = rest;
                let mut list = Vec::new();
                while !matches!(rest, [] | [")", ..]) {
                    let (one, behind) = Self::read_at(rest, depth);
                    list.push(one);
                    rest = match behind {
                        [",", behind @ ..] => behind,
                        [")", ..] => behind,
                        // Not a list of conditions.
                        _ => return (Self::Unreadable, &[]),
                    };
                }
                let rest = rest.get(1..).unwrap_or_default();
                let cfg = match (*name, list.as_slice()) {
                    ("all", _) => Self::All(list),
                    ("any", _) => Self::Any(list),
                    (_, [one]) => Self::Not(Box::new(one.clone())),
                    _ => Self::Unreadable,
                };
                (cfg, rest)
            }
            ["true", rest @ ..] => (Self::All(Vec::new()), rest),
            ["false", rest @ ..] => (Self::Any(Vec::new()), rest),
            [key, "=", value, rest @ ..] => (Self::Value((*key).to_owned(), unquoted(value)), rest),
            [name, rest @ ..] if is_word(name) => (Self::Flag((*name).to_owned()), rest),
            _ => (Self::Unreadable, &[]),
        }
    }
}

/// Formats the condition as in source code.
impl fmt::Display for Cfg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, name: &str, list: &[Self]| {
            write!(f, "{name}(")?;
            for (at, one) in list.iter().enumerate() {
                let comma = if at == 0 { "" } else { ", " };
                write!(f, "{comma}{one}")?;
            }
            f.write_str(")")
        };
        match self {
            Self::All(all) if all.is_empty() => f.write_str("true"),
            Self::Any(any) if any.is_empty() => f.write_str("false"),
            Self::All(all) => list(f, "all", all),
            Self::Any(any) => list(f, "any", any),
            Self::Not(one) => write!(f, "not({one})"),
            Self::Flag(name) => f.write_str(name),
            Self::Value(key, value) => write!(f, "{key} = {value:?}"),
            Self::Unreadable => f.write_str("…"),
        }
    }
}

pub(crate) fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Returns the content of a string literal. Escapes are not resolved.
pub(crate) fn unquoted(text: &str) -> String {
    text.trim_start_matches(['r', '#']).trim_end_matches('#').trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(tokens: &[&str], shown: &str, truth: Truth) {
        let (cfg, rest) = Cfg::read(tokens);
        assert_eq!((cfg.to_string().as_str(), rest.len()), (shown, 0));
        let leaf = |name: &str, value: Option<&str>| match (name, value) {
            ("feature", _) => Truth::Maybe,
            ("unix", None) => Truth::Yes,
            _ => Truth::No,
        };
        assert_eq!(cfg.truth(&leaf), truth, "{shown}");
    }

    #[test]
    fn conditions_are_evaluated_as_far_as_possible() {
        check(&["unix"], "unix", Truth::Yes);
        check(&["not", "(", "unix", ")"], "not(unix)", Truth::No);
        check(&["feature", "=", "\"a\""], "feature = \"a\"", Truth::Maybe);
        let all = ["all", "(", "unix", ",", "feature", "=", "\"a\"", ",", ")"];
        check(&all, "all(unix, feature = \"a\")", Truth::Maybe);
        check(
            &["all", "(", "windows", ",", "feature", "=", "\"a\"", ")"],
            "all(windows, feature = \"a\")",
            Truth::No,
        );
        check(&["any", "(", "windows", ",", "unix", ")"], "any(windows, unix)", Truth::Yes);
        check(&["all", "(", ")"], "true", Truth::Yes);
        check(&["false"], "false", Truth::No);
        check(&["all", "(", "unix", "+", ")"], "…", Truth::Maybe);
    }
}
