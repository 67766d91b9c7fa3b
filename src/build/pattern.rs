//! Parses file name patterns with `*`, `?`, `**` and `{a,b}`. The `walk` module finds their matches.

use super::Error;

/// Pattern, split at `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    /// Pattern as written.
    pub(super) text: String,
    /// Part before the first component with a wildcard or a brace, or the directory of a plain file name.
    pub(super) base: String,
    /// Remaining components of each alternative. Braces make several of them.
    pub(super) alternatives: Vec<Vec<PatternPart>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PatternPart {
    /// Literal name.
    Name(String),
    /// Name with wildcards.
    Wild(String),
    /// `**`: any number of directories. At the end, every file below.
    AnyDirs,
}

impl PatternPart {
    /// Returns the name, if it is literal.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Wild(_) | Self::AnyDirs => None,
        }
    }
}

impl Pattern {
    /// Parses `text`, with `/` as the separator on every system.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| Error::new(format!("invalid pattern `{text}`: {why}"));
        if cfg!(windows) && text.contains('\\') {
            return Err(wrong("use `/` as the separator on every system"));
        }
        let relative = text.strip_prefix("./").unwrap_or(text);
        let expanded = expand(relative).ok_or_else(|| wrong("a `{` has no matching `}`"))?;
        let mut bases = Vec::new();
        let mut alternatives = Vec::new();
        for alternative in &expanded {
            let (base, parts) = components(alternative).map_err(wrong)?;
            bases.push(base);
            alternatives.push(parts);
        }
        bases.dedup();
        let [base] = &mut bases[..] else { return Err(wrong("`..` is not allowed in braces")) };
        let mut base = std::mem::take(base);
        // The fixed part has every name before the first wildcard or brace, but never the file name itself.
        let is_name = |part: &&PatternPart| matches!(part, PatternPart::Name(_));
        let without_brace = relative.split('{').next().unwrap_or_default();
        let names_without_brace =
            without_brace.matches('/').count().saturating_sub(base.matches('/').count());
        let fixed = |parts: &Vec<PatternPart>| {
            parts.iter().take_while(is_name).count().min(parts.len().saturating_sub(1))
        };
        let fixed = alternatives.iter().map(fixed).min().unwrap_or_default();
        let fixed = if expanded.len() > 1 { fixed.min(names_without_brace) } else { fixed };
        for part in alternatives.iter().flat_map(|parts| parts.iter().take(fixed)).take(fixed) {
            if let PatternPart::Name(name) = part {
                base.push_str(name);
                base.push('/');
            }
        }
        for parts in &mut alternatives {
            parts.drain(..fixed);
        }
        match alternatives.iter().any(Vec::is_empty) {
            true => Err(wrong("it does not name a file")),
            false => Ok(Self { text: text.to_owned(), base, alternatives }),
        }
    }

    /// Returns whether the pattern matches the path `path`, which must be written like the pattern.
    pub(super) fn is_match(&self, path: &str) -> bool {
        let Some(below) = path.strip_prefix(&self.base) else { return false };
        let names: Vec<&str> = below.split('/').collect();
        self.alternatives.iter().any(|parts| is_match(parts, &names))
    }
}

fn is_match(parts: &[PatternPart], names: &[&str]) -> bool {
    match (parts, names) {
        ([], names) => names.is_empty(),
        ([PatternPart::AnyDirs], names) => {
            !names.is_empty() && names.iter().all(|name| !name.starts_with('.'))
        }
        ([PatternPart::AnyDirs, rest @ ..], names) => {
            is_match(rest, names)
                || matches!(names, [dir, below @ ..] if !dir.starts_with('.') && is_match(parts, below))
        }
        ([PatternPart::Name(wanted), rest @ ..], [name, below @ ..]) => {
            wanted == name && is_match(rest, below)
        }
        ([PatternPart::Wild(wanted), rest @ ..], [name, below @ ..]) => {
            matches(wanted, name) && is_match(rest, below)
        }
        (_, []) => false,
    }
}

/// Writes out the alternatives of the braces in `text`, which may be nested. `None` if a brace is not closed.
fn expand(text: &str) -> Option<Vec<String>> {
    let Some(open) = text.find('{') else { return Some(vec![text.to_owned()]) };
    let (mut depth, mut start, mut close) = (0_u32, open + 1, None);
    let mut inner = Vec::new();
    for (at, c) in text.char_indices().skip_while(|(at, _)| *at < open) {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if (c == ',' && depth == 1) || depth == 0 {
            inner.push(&text[start..at]);
            start = at + 1;
        }
        if depth == 0 {
            close = Some(at);
            break;
        }
    }
    let close = close?;
    let mut all = Vec::new();
    for middle in inner {
        all.extend(expand(&format!("{}{middle}{}", &text[..open], &text[close + 1..]))?);
    }
    Some(all)
}

/// Splits a pattern without braces into its `/` or `../`, and its components.
fn components(text: &str) -> Result<(String, Vec<PatternPart>), &'static str> {
    let (root, rest) = match text.strip_prefix('/') {
        Some(rest) => ("/", rest),
        None => ("", text),
    };
    let mut base = root.to_owned();
    let mut parts = Vec::new();
    let mut is_above = true;
    for name in rest.split('/') {
        match name {
            "" => return Err("it has an empty component"),
            "." => return Err("remove the `.` component"),
            ".." if is_above && root.is_empty() => {}
            ".." => return Err("`..` is allowed only at the beginning"),
            "**" => parts.push(PatternPart::AnyDirs),
            _ if name.contains("**") => return Err("`**` must be a whole component, as in `a/**/b`"),
            _ if name.contains(['*', '?']) => parts.push(PatternPart::Wild(name.to_owned())),
            _ => parts.push(PatternPart::Name(name.to_owned())),
        }
        if name == ".." {
            base.push_str("../");
        } else {
            is_above = false;
        }
    }
    Ok((base, parts))
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
            ("[x]", "[x]"),
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
        assert_eq!(Pattern::parse("src/**").unwrap().alternatives, [[PatternPart::AnyDirs]]);
        assert_eq!(base("proto/v1/{a,b}.proto"), "proto/v1/");
        assert_eq!(base("proto/{v1,v2}/x/*.proto"), "proto/");
        assert_eq!(base("../{a,b/c}/d"), "../");
        assert_eq!(base("{a,b}"), "");
        assert_eq!(base("in/a{b}/c"), "in/ab/");
    }

    #[test]
    fn braces_stand_for_alternatives() {
        let written_out = |text: &str| expand(text).unwrap();
        assert_eq!(written_out("a"), ["a"]);
        assert_eq!(written_out("a/*.{c,cc}"), ["a/*.c", "a/*.cc"]);
        assert_eq!(written_out("{a,b{1,2}}/{x,}y"), ["a/xy", "a/y", "b1/xy", "b1/y", "b2/xy", "b2/y"]);
        assert_eq!(written_out("a,b"), ["a,b"]);
    }

    #[test]
    fn a_pattern_matches_whole_paths() {
        let check = |pattern: &str, path: &str, expected: bool| {
            assert_eq!(Pattern::parse(pattern).unwrap().is_match(path), expected, "{pattern} {path}");
        };
        for (pattern, path) in [
            ("a/b.c", "a/b.c"),
            ("**/*.o", "x.o"),
            ("**/*.o", "a/b/x.o"),
            ("a/**", "a/b/x"),
            ("a/**/c/*", "a/c/d"),
            ("*.{o,obj}", "x.obj"),
        ] {
            check(pattern, path, true);
        }
        for (pattern, path) in [
            ("a/b.c", "a/b.d"),
            ("*.o", "a/x.o"),
            ("a/**", "a"),
            ("a/**", "b/x"),
            ("**/*.o", ".git/x.o"),
            ("a/*", "a/b/c"),
        ] {
            check(pattern, path, false);
        }
    }

    #[test]
    fn invalid_patterns_are_errors() {
        for text in [
            "", "/", "a//b", "a/./b", "a/../b", "a/", "..", "a**/b", "/../a", "{a", "{a,}", "x/{a,b/}",
            "{a,..}/x",
        ] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
