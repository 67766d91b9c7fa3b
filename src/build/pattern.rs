//! Parses file name patterns with `*`, `?` and `**`. The `walk` module finds their matches.

use super::Error;

/// Pattern, split at `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    /// Pattern as written.
    pub(super) text: String,
    /// Part before the first component with a wildcard, or the directory of a plain file name.
    pub(super) base: String,
    /// Remaining components.
    pub(super) parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Literal name.
    Name(String),
    /// Name with wildcards.
    Wild(String),
    /// `**`: any number of directories. At the end, every file below.
    AnyDirs,
}

impl Pattern {
    /// Parses `text`, with `/` as the separator on every system.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| Error::new(format!("invalid pattern `{text}`: {why}"));
        if cfg!(windows) && text.contains('\\') {
            return Err(wrong("use `/` as the separator on every system"));
        }
        let relative = text.strip_prefix("./").unwrap_or(text);
        let (root, rest) = match relative.strip_prefix('/') {
            Some(rest) => ("/", rest),
            None => ("", relative),
        };
        let mut base = root.to_owned();
        let mut parts = Vec::new();
        let mut is_above = true;
        for name in rest.split('/') {
            match name {
                "" => return Err(wrong("it has an empty component")),
                "." => return Err(wrong("remove the `.` component")),
                ".." if is_above && root.is_empty() => {}
                ".." => return Err(wrong("`..` is allowed only at the beginning")),
                "**" => parts.push(Part::AnyDirs),
                _ if name.contains("**") => {
                    return Err(wrong("`**` must be a whole component, as in `a/**/b`"));
                }
                _ if name.contains(['*', '?']) => parts.push(Part::Wild(name.to_owned())),
                _ => parts.push(Part::Name(name.to_owned())),
            }
            if name == ".." {
                base.push_str("../");
            } else {
                is_above = false;
            }
        }
        // The fixed part has every name before the first wildcard, but never the file name itself.
        let fixed = parts.iter().take_while(|part| matches!(part, Part::Name(_))).count();
        for part in parts.drain(..fixed.min(parts.len().saturating_sub(1))) {
            if let Part::Name(name) = part {
                base.push_str(&name);
                base.push('/');
            }
        }
        match parts.is_empty() {
            true => Err(wrong("it does not name a file")),
            false => Ok(Self { text: text.to_owned(), base, parts }),
        }
    }
}

/// Returns whether `pattern` matches `name`. As in a shell, a wildcard at the beginning does not match a dot, so files
/// that editors leave behind (`.a.txt.swp`, `.#a.txt`) are not inputs.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    (!name.starts_with('.') || pattern.starts_with('.')) && matches_rest(pattern, name)
}

fn matches_rest(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Position after the last `*`, and the end of its current match. Backtracking only ever returns there.
    let mut star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, n));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((behind, reach)) => {
                    star = Some((behind, reach + 1));
                    p = behind;
                    n = reach + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_within_a_name() {
        let yes = [
            ("*.txt", "a.txt"),
            ("*.txt", "a.b.txt"),
            ("a?c", "aßc"),
            ("*", "a"),
            ("a*b*c", "abbbc"),
            ("a*b*c", "abcbc"),
            (".*", ".a"),
            ("[x]{y}", "[x]{y}"),
        ];
        for (pattern, name) in yes {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        let no =
            [("*.txt", "a.txt2"), ("a?c", "ac"), ("*", ".a"), ("?a", ".a"), ("a*b", "abc"), ("[x]", "x")];
        for (pattern, name) in no {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn the_fixed_part_ends_before_the_first_wildcard_or_the_file() {
        let base = |text| Pattern::parse(text).unwrap().base;
        assert_eq!(base("proto/**/*.proto"), "proto/");
        assert_eq!(base("./proto/v1/a.proto"), "proto/v1/");
        assert_eq!(base("../../shared/*/x"), "../../shared/");
        assert_eq!(base("/usr/include/*.h"), "/usr/include/");
        assert_eq!(base("a.proto"), "");
        assert_eq!(Pattern::parse("src/**").unwrap().parts, [Part::AnyDirs]);
    }

    #[test]
    fn invalid_patterns_are_errors() {
        for text in ["", "/", "a//b", "a/./b", "a/../b", "a/", "..", "a**/b", "/../a"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
