//! Patterns of file names: `*`, `?` and `**`. What they match on the disk is found by `walk`.

use super::Error;

/// A pattern, cut at `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    /// As it was written.
    pub(super) text: String,
    /// What stands before the first part with a wildcard, or the directory of a plain file name.
    pub(super) base: String,
    /// The rest.
    pub(super) parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A name as it stands.
    Name(String),
    /// A name with wildcards.
    Wild(String),
    /// `**`: any number of directories; at the end, every file below.
    AnyDirs,
}

impl Pattern {
    /// Reads `text`, in which `/` stands between names on every system.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| Error::new(format!("`{text}` can't be a pattern: {why}"));
        if cfg!(windows) && text.contains('\\') {
            return Err(wrong("write `/` between names, on every system"));
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
                "" => return Err(wrong("a name in it is empty")),
                "." => return Err(wrong("drop the `.`")),
                ".." if is_above && root.is_empty() => {}
                ".." => return Err(wrong("`..` may only stand at its beginning")),
                "**" => parts.push(Part::AnyDirs),
                _ if name.contains("**") => {
                    return Err(wrong("`**` must be a name of its own, as in `a/**/b`"));
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
        // The fixed part: every name before the first wildcard, but never the name of the file itself.
        let fixed = parts.iter().take_while(|part| matches!(part, Part::Name(_))).count();
        for part in parts.drain(..fixed.min(parts.len().saturating_sub(1))) {
            if let Part::Name(name) = part {
                base.push_str(&name);
                base.push('/');
            }
        }
        match parts.is_empty() {
            true => Err(wrong("it names no file")),
            false => Ok(Self { text: text.to_owned(), base, parts }),
        }
    }
}

/// Whether `name` is matched by `pattern`. A wildcard at the beginning matches no dot, as in a shell: what editors
/// leave beside a file (`.a.txt.swp`, `.#a.txt`) is no input.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    (!name.starts_with('.') || pattern.starts_with('.')) && matches_rest(pattern, name)
}

fn matches_rest(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Behind the last `*`, and up to where it reaches: the only place to go back to.
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
    fn wildcards_stop_at_nothing_but_the_ends_of_a_name() {
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
    fn what_can_not_be_meant_is_an_error() {
        for text in ["", "/", "a//b", "a/./b", "a/../b", "a/", "..", "a**/b", "/../a"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
