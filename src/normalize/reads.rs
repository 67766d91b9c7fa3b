//! What a build has read, as it tells itself: rustc in its dependency files, build scripts in what they print; and for
//! what neither tells of, what sources name outside of their package.

use std::path::Path;

use ra_ap_rustc_lexer::{FrontmatterAllowed, LiteralKind, TokenKind, strip_shebang, tokenize};

use crate::model::path::RelPath;

/// Files and variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Paths as they were written: absolute, or relative to a directory that depends on who wrote them.
    pub files: Vec<String>,
    /// Names.
    pub variables: Vec<String>,
}

/// What rustc wrote in the format of make: `target: file file`, a space in a name as `\ `, and variables behind
/// `# env-dep:`. `None` if it is no such text.
pub fn dep_info(text: &[u8]) -> Option<Reads> {
    let text = std::str::from_utf8(text).ok()?;
    let mut reads = Reads::default();
    let mut has_rule = false;
    for line in text.lines() {
        if let Some(variable) = line.strip_prefix("# env-dep:") {
            reads.variables.push(variable.split('=').next().unwrap_or(variable).to_owned());
        } else if !line.starts_with('#')
            && let Some((_, files)) = line.split_once(": ")
        {
            // Each target has the same ones.
            if !std::mem::replace(&mut has_rule, true) {
                reads.files = words(files);
            }
        }
    }
    has_rule.then_some(reads)
}

fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' if chars.next_if_eq(&' ').is_some() => {
                words.last_mut().into_iter().for_each(|word| word.push(' '))
            }
            ' ' => words.push(String::new()),
            char => words.last_mut().into_iter().for_each(|word| word.push(char)),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What a build script told cargo.
pub fn build_script(printed: &[u8]) -> Reads {
    let printed = String::from_utf8_lossy(printed);
    let told = |key: &str| {
        let values = printed.lines().filter_map(|line| {
            let line = line.strip_prefix("cargo:")?;
            line.strip_prefix(':').unwrap_or(line).strip_prefix(key)?.strip_prefix('=')
        });
        values.map(str::to_owned).collect()
    };
    Reads { files: told("rerun-if-changed"), variables: told("rerun-if-env-changed") }
}

/// What a source names that is no module beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// What `include!` and its like read, from the workspace root.
    pub included: Vec<RelPath>,
    /// The variables that `env!` and `option_env!` read.
    pub variables: Vec<String>,
    /// Whether some of what they read can't be told: it is named by a macro's argument, or by an expression.
    pub is_open: bool,
    /// Whether a module lies at a `path` that leads upwards or is absolute.
    pub has_far_module: bool,
}

/// Looks through `source`, the file `file` of the package in `dir`.
pub fn named(source: &str, file: &RelPath, dir: &RelPath) -> Named {
    let start = strip_shebang(source).unwrap_or(0);
    let mut at = start;
    let mut tokens = Vec::new();
    for token in tokenize(&source[start..], FrontmatterAllowed::Yes) {
        let text = &source[at..at + token.len as usize];
        at += token.len as usize;
        match token.kind {
            TokenKind::Whitespace | TokenKind::LineComment { .. } | TokenKind::BlockComment { .. } => {}
            TokenKind::Literal { kind: LiteralKind::Str { .. } | LiteralKind::RawStr { .. }, .. } => {
                tokens.push(Token::Text(text));
            }
            _ => tokens.push(Token::Other(text)),
        }
    }
    let mut named = Named::default();
    for (at, token) in tokens.iter().enumerate() {
        match (token, &tokens[at + 1..]) {
            (
                Token::Other("include" | "include_str" | "include_bytes"),
                [Token::Other("!"), Token::Other(_), rest @ ..],
            ) => match argument(rest) {
                Argument::Path(text) => {
                    let beside = file.parent().unwrap_or_default();
                    named.included.push(join(&beside, &text));
                }
                Argument::InPackage(text) => named.included.push(join(dir, text.trim_start_matches('/'))),
                Argument::Generated => {}
                Argument::Open => named.is_open = true,
            },
            (
                Token::Other("env" | "option_env"),
                [Token::Other("!"), Token::Other(_), Token::Text(name), ..],
            ) => named.variables.push(unquoted(name)),
            (Token::Other("path"), [Token::Other("="), Token::Text(text), ..]) => {
                let path = unquoted(text);
                named.has_far_module |=
                    Path::new(&path).is_absolute() || path.split(['/', '\\']).any(|part| part == "..");
            }
            _ => {}
        }
    }
    named
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    /// A string.
    Text(&'a str),
    Other(&'a str),
}

enum Argument {
    /// Beside the file, or absolute.
    Path(String),
    /// Below the directory of the package.
    InPackage(String),
    /// Below `OUT_DIR`: made by the build script.
    Generated,
    Open,
}

/// The argument of a macro that reads a file; `tokens` begin behind its opening delimiter.
fn argument(tokens: &[Token<'_>]) -> Argument {
    use Token::{Other, Text};
    if let [Text(text), Other(")" | "]" | "}" | ","), ..] = tokens {
        return Argument::Path(unquoted(text));
    }
    // The tokens of `concat!(env!("…"), "…", "…")`.
    let [
        Other("concat"),
        Other("!"),
        Other(_),
        Other("env"),
        Other("!"),
        Other(_),
        Text(variable),
        Other(_),
        rest @ ..,
    ] = tokens
    else {
        return Argument::Open;
    };
    let mut path = String::new();
    for token in rest {
        match token {
            Text(text) => path.push_str(&unquoted(text)),
            Other(",") => {}
            Other(")" | "]" | "}") => {
                return match unquoted(variable).as_str() {
                    "CARGO_MANIFEST_DIR" => Argument::InPackage(path),
                    "OUT_DIR" => Argument::Generated,
                    _ => Argument::Open,
                };
            }
            Other(_) => break,
        }
    }
    Argument::Open
}

/// What a string says, escapes aside: paths have none.
fn unquoted(text: &str) -> String {
    text.trim_start_matches(['r', '#']).trim_end_matches('#').trim_matches('"').to_owned()
}

/// `path` seen from `dir`, without `.` and `..` where that can be told.
pub(super) fn join(dir: &RelPath, path: &str) -> RelPath {
    if path.starts_with('/') {
        return RelPath::new(path);
    }
    let mut parts: Vec<&[u8]> =
        dir.as_bytes().split(|&byte| byte == b'/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != b"..") => drop(parts.pop()),
            part => parts.push(part.as_bytes()),
        }
    }
    RelPath::new(parts.join(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dep_info_tells_files_with_spaces_and_variables() {
        let text = "/t/a-1.d: a/src/lib.rs a/src/../../x\\ y.txt\n\n/t/liba.rmeta: a/src/lib.rs\n\na/src/lib.rs:\n\n\
                    # env-dep:FOO\n# env-dep:OUT_DIR=/t/out\n";
        let reads = dep_info(text.as_bytes()).unwrap();
        assert_eq!(reads.files, ["a/src/lib.rs", "a/src/../../x y.txt"]);
        assert_eq!(reads.variables, ["FOO", "OUT_DIR"]);
    }

    #[test]
    fn what_is_no_dep_info_is_told_from_one_without_files() {
        for text in ["", "\n", "\0\u{1}", "# env-dep:A"] {
            assert_eq!(dep_info(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(dep_info(b"\xff: a"), None);
    }

    #[test]
    fn a_build_script_tells_in_old_words_and_new() {
        let reads = build_script(b"cargo:rerun-if-changed=a b\ncargo::rerun-if-changed=c\nhello\ncargo::rerun-if-env-changed=V\ncargo:rustc-cfg=x\n");
        assert_eq!(reads, Reads { files: vec!["a b".into(), "c".into()], variables: vec!["V".into()] });
    }

    #[track_caller]
    fn check(source: &str, included: &[&str], is_open: bool, has_far_module: bool) {
        let named = named(source, &RelPath::new("a/src/lib.rs"), &RelPath::new("a"));
        let included: Vec<_> = included.iter().map(RelPath::new).collect();
        assert_eq!(
            named,
            Named { included, is_open, has_far_module, variables: named.variables.clone() },
            "{source}"
        );
    }

    #[test]
    fn what_a_source_includes_is_found_where_it_is_spelt_out() {
        check(r#"#![doc = include_str!("../../README.md")]"#, &["README.md"], false, false);
        check(r##"const A: &[u8] = include_bytes!(r#"x y.bin"#,);"##, &["a/src/x y.bin"], false, false);
        check(
            r#"include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../gen/", "a.rs"));"#,
            &["gen/a.rs"],
            false,
            false,
        );
        check(r#"include!(concat!(env!("OUT_DIR"), "/a.rs"));"#, &[], false, false);
        check(r#"macro_rules! m { ($f:expr) => { include_str!($f) } }"#, &[], true, false);
        check(r#"include_str!(concat!(env!("HOME"), "/a"))"#, &[], true, false);
        check(r#"// include_str!("a")"#, &[], false, false);
        check(r#"include_str!("../../../up")"#, &["../up"], false, false);
    }

    #[test]
    fn what_a_source_reads_of_the_environment_is_found() {
        let source = r#"const A: &str = env!("A", "say A"); const B: Option<&str> = option_env!["B"];"#;
        assert_eq!(named(source, &RelPath::new("a"), &RelPath::default()).variables, ["A", "B"]);
    }

    #[test]
    fn a_module_that_lies_far_off_is_seen() {
        check(r#"#[path = "imp/unix.rs"] mod imp;"#, &[], false, false);
        check(r#"#[cfg_attr(unix, path = "../../b/src/x.rs")] mod x;"#, &[], false, true);
        check(r#"#[path = "/tmp/x.rs"] mod x;"#, &[], false, true);
    }

    #[test]
    fn nothing_in_a_source_is_too_strange() {
        for source in
            ["include_str!(", "include!", "path =", "include_str!(\"", "#!/bin/sh\ninclude!()", "r#\""]
        {
            let _ = named(source, &RelPath::new("a"), &RelPath::default());
        }
    }
}
