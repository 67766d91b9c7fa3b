//! Inputs of a build as stated by rustc (dep-info files) and build scripts (`rerun-if-*`). For tools that state
//! nothing, the files and variables that sources mention.

use ra_ap_rustc_lexer::{FrontmatterAllowed, LiteralKind, TokenKind, strip_shebang, tokenize};

pub use self::native::{NativeFiles, flag_paths, native_files};
pub use self::script::{may_appear, named_by_script};
use crate::model::path::RelPath;

mod native;
mod script;

/// Files and environment variables that were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Paths as written. They are absolute, or relative to a directory that depends on the writer.
    pub files: Vec<String>,
    /// Names of environment variables.
    pub variables: Vec<String>,
}

/// Parses rustc's dep-info, which looks like a makefile: `target: file file`, with spaces in names as `\ `, and variables
/// after `# env-dep:`. Returns `None` if the text is not in this format.
///
/// `genti::build::parse_depfile` reads real makefiles, and would misread this: rustc escapes
/// nothing but spaces, so `$$`, `\#` and a backslash at the end are part of a name here.
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
            // All targets have the same files.
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

/// Reads the inputs that a build script reported to cargo.
pub fn build_script(printed: &[u8]) -> Reads {
    let printed = String::from_utf8_lossy(printed);
    let values_of = |key: &str| {
        let values = printed.lines().filter_map(|line| {
            let line = line.strip_prefix("cargo:")?;
            line.strip_prefix(':').unwrap_or(line).strip_prefix(key)?.strip_prefix('=')
        });
        values.map(str::to_owned).collect()
    };
    Reads { files: values_of("rerun-if-changed"), variables: values_of("rerun-if-env-changed") }
}

/// Files and variables that a source file mentions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedFiles {
    /// Possible files of its `mod` declarations, from the workspace root. Includes every alternative and the file of
    /// every `path` attribute, even if its condition does not hold.
    pub modules: Vec<RelPath>,
    /// Files read by `include!` and similar macros, from the workspace root.
    pub included: Vec<RelPath>,
    /// Included files of the build script's output directory, relative to that directory.
    pub generated: Vec<RelPath>,
    /// Strings that could be paths of files, from the workspace root. Another macro may include them.
    pub mentioned: Vec<RelPath>,
    /// Variables read by `env!` and `option_env!`.
    pub variables: Vec<String>,
    /// Set if it reads a file that its text does not name, such as an argument of a macro or an expression.
    pub is_open: bool,
    /// Set if it tests `cfg(doc)`, because rustdoc may then read files that rustc does not.
    pub tests_for_doc: bool,
    /// Set if it defines a macro that expands to such an include, whose path depends on where the macro is used.
    pub exports_include: bool,
    /// Set if its text may be that of an include in the output of a procedural macro.
    pub quotes_include: bool,
}

/// Scans `source`, the file `file` of the package in `dir`. `is_root` is set for the root of a crate.
pub fn named(source: &str, file: &RelPath, dir: &RelPath, is_root: bool) -> NamedFiles {
    let tokens = tokens(source);
    let mut named = NamedFiles::default();
    let mut modules = Modules::new(file, is_root);
    let mut definition = MacroDefinition::default();
    let mut conditions = Conditions::default();
    for (at, token) in tokens.iter().enumerate() {
        let rest = &tokens[at + 1..];
        modules.step(*token, rest, &mut named.modules);
        definition.step(*token);
        conditions.step(&tokens[..at], *token);
        let beside = |text: &str| join(&file.parent().unwrap_or_default(), text);
        let is_documentation =
            at >= 2 && tokens[at - 2..at] == [SourceToken::Other("doc"), SourceToken::Other("=")];
        named.quotes_include |= match token {
            SourceToken::Text(text) => is_like_include(&unquoted(text)),
            SourceToken::Other("include" | "include_str" | "include_bytes") => !is_documentation,
            SourceToken::Other(_) => false,
        };
        if let SourceToken::Text(text) = token {
            named
                .mentioned
                .extend(Some(unquoted(text)).filter(|text| is_like_path(text)).map(|text| beside(&text)));
        }
        match (token, rest) {
            (
                SourceToken::Other("include" | "include_str" | "include_bytes"),
                [SourceToken::Other("!"), ..],
            ) if definition.is_inside() => (named.is_open, named.exports_include) = (true, true),
            (
                SourceToken::Other("include" | "include_str" | "include_bytes"),
                [SourceToken::Other("!"), SourceToken::Other(_), rest @ ..],
            ) => match argument(rest) {
                Argument::Path(text) => named.included.push(beside(&text)),
                Argument::InPackage(text) => named.included.push(join(dir, text.trim_start_matches('/'))),
                Argument::Generated(text) => {
                    named.generated.push(RelPath::new(text.trim_start_matches('/')));
                }
                Argument::Open => named.is_open = true,
            },
            (
                SourceToken::Other("env" | "option_env"),
                [SourceToken::Other("!"), SourceToken::Other(_), SourceToken::Text(name), ..],
            ) => named.variables.push(unquoted(name)),
            // The second form is that of `cfg_select!`.
            (
                SourceToken::Other("doc"),
                [SourceToken::Other(")" | ","), ..] | [SourceToken::Other("="), SourceToken::Other(">"), ..],
            ) if conditions.may_be_inside() || definition.is_inside() => named.tests_for_doc = true,
            _ => {}
        }
    }
    named
}

/// Follows `mod` declarations through a file and lists possible module files by rustc's rules.
struct Modules {
    /// Directories that may contain the files of the file's own modules.
    bases: Vec<RelPath>,
    /// Directory of the file. `path` attributes outside inline modules are relative to it.
    dir: RelPath,
    /// Enclosing inline modules: possible directories of each, and its brace depth.
    inline: Vec<(Vec<String>, usize)>,
    /// Current brace depth.
    depth: usize,
    /// Values of the `path` attributes of the current item.
    paths: Vec<String>,
}

impl Modules {
    fn new(file: &RelPath, is_root: bool) -> Self {
        let dir = file.parent().unwrap_or_default();
        let stem = file.file_name();
        let stem = stem.strip_suffix(b".rs").unwrap_or(stem);
        // A file named by a `path` attribute has its modules next to it, like `mod.rs`.
        let mut bases = vec![dir.clone()];
        if !is_root && stem != b"mod" {
            bases.push(dir.join(stem));
        }
        Self { bases, dir, inline: Vec::new(), depth: 0, paths: Vec::new() }
    }

    fn step(&mut self, token: SourceToken<'_>, rest: &[SourceToken<'_>], found: &mut Vec<RelPath>) {
        match (token, rest) {
            (SourceToken::Other("mod"), [SourceToken::Other(name), SourceToken::Other(";"), ..]) => {
                self.declare(name, found)
            }
            (SourceToken::Other("mod"), [SourceToken::Other(name), SourceToken::Other("{"), ..]) => {
                let mut dirs = std::mem::take(&mut self.paths);
                dirs.push(name.trim_start_matches("r#").to_owned());
                self.inline.push((dirs, self.depth + 1));
            }
            (SourceToken::Other("path"), [SourceToken::Other("="), SourceToken::Text(text), ..]) => {
                self.paths.push(unquoted(text));
            }
            (SourceToken::Other("{"), _) => {
                self.depth += 1;
                self.paths.clear();
            }
            (SourceToken::Other("}"), _) => {
                self.inline.pop_if(|(_, depth)| *depth == self.depth);
                self.depth = self.depth.saturating_sub(1);
                self.paths.clear();
            }
            (SourceToken::Other(";"), _) => self.paths.clear(),
            _ => {}
        }
    }

    /// Adds the possible files of module `name`.
    fn declare(&self, name: &str, found: &mut Vec<RelPath>) {
        let within = |bases: Vec<RelPath>| {
            self.inline.iter().fold(bases, |bases, (dirs, _)| {
                bases.iter().flat_map(|base| dirs.iter().map(|dir| join(base, dir))).collect()
            })
        };
        let name = name.trim_start_matches("r#");
        for base in within(self.bases.clone()) {
            found.extend([format!("{name}.rs"), format!("{name}/mod.rs")].map(|file| join(&base, &file)));
        }
        let beside = if self.inline.is_empty() { vec![self.dir.clone()] } else { within(self.bases.clone()) };
        found.extend(beside.iter().flat_map(|base| self.paths.iter().map(|path| join(base, path))));
    }
}

/// Position relative to definitions of macros by `macro_rules!`.
#[derive(Default)]
struct MacroDefinition {
    /// Set after `macro_rules`, until the body begins.
    is_announced: bool,
    /// Number of open delimiters in the body; 0 outside.
    depth: usize,
}

impl MacroDefinition {
    fn step(&mut self, token: SourceToken<'_>) {
        let SourceToken::Other(token) = token else { return };
        match token {
            "macro_rules" => self.is_announced = true,
            "{" | "(" | "[" if self.is_announced || self.is_inside() => {
                self.is_announced = false;
                self.depth += 1;
            }
            "}" | ")" | "]" => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    fn is_inside(&self) -> bool {
        self.depth > 0
    }
}

/// Position relative to conditions of `cfg`, and to macros that may pass their arguments on to one.
#[derive(Default)]
struct Conditions {
    /// For each open delimiter, whether a condition may be inside.
    open: Vec<bool>,
}

impl Conditions {
    /// Macros of the standard library whose arguments are never conditions.
    const VALUES: [&str; 20] = [
        "assert",
        "assert_eq",
        "assert_ne",
        "dbg",
        "debug_assert",
        "debug_assert_eq",
        "debug_assert_ne",
        "eprint",
        "eprintln",
        "format",
        "format_args",
        "matches",
        "panic",
        "print",
        "println",
        "unimplemented",
        "unreachable",
        "vec",
        "write",
        "writeln",
    ];

    fn step(&mut self, before: &[SourceToken<'_>], token: SourceToken<'_>) {
        use SourceToken::Other;
        match token {
            Other("(" | "[" | "{") => {
                let may_begin = match before {
                    // `#![` opens an attribute.
                    [.., Other("#"), Other("!")] => false,
                    [.., Other(name), Other("!")] => !Self::VALUES.contains(name),
                    [.., Other("cfg" | "cfg_attr")] => true,
                    _ => false,
                };
                self.open.push(may_begin || self.may_be_inside());
            }
            Other(")" | "]" | "}") => drop(self.open.pop()),
            _ => {}
        }
    }

    fn may_be_inside(&self) -> bool {
        self.open.last() == Some(&true)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SourceToken<'a> {
    /// String literal.
    Text(&'a str),
    Other(&'a str),
}

/// Returns the tokens of `source` without whitespace and comments.
fn tokens(source: &str) -> Vec<SourceToken<'_>> {
    let start = strip_shebang(source).unwrap_or(0);
    let mut at = start;
    let mut tokens = Vec::new();
    for token in tokenize(&source[start..], FrontmatterAllowed::Yes) {
        let text = &source[at..at + token.len as usize];
        at += token.len as usize;
        match token.kind {
            TokenKind::Whitespace | TokenKind::LineComment { .. } | TokenKind::BlockComment { .. } => {}
            TokenKind::Literal { kind: LiteralKind::Str { .. } | LiteralKind::RawStr { .. }, .. } => {
                tokens.push(SourceToken::Text(text));
            }
            _ => tokens.push(SourceToken::Other(text)),
        }
    }
    tokens
}

enum Argument {
    /// Relative to the file, or absolute.
    Path(String),
    /// Relative to the directory of the package.
    InPackage(String),
    /// Relative to `OUT_DIR`, generated by the build script.
    Generated(String),
    Open,
}

/// Reads the argument of a macro that reads a file. `tokens` start after the opening delimiter.
fn argument(tokens: &[SourceToken<'_>]) -> Argument {
    use SourceToken::{Other, Text};
    if let [Text(text), Other(")" | "]" | "}" | ","), ..] = tokens {
        return Argument::Path(unquoted(text));
    }
    // Match the tokens of `concat!(env!("…"), "…", "…")`.
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
                    "OUT_DIR" => Argument::Generated(path),
                    _ => Argument::Open,
                };
            }
            Other(_) => break,
        }
    }
    Argument::Open
}

/// Returns whether `text` may be a part of code that includes a file.
fn is_like_include(text: &str) -> bool {
    let is_call = |rest: &str| {
        let name_ends = ["_str", "_bytes", ""].iter().find_map(|end| rest.strip_prefix(end));
        name_ends.is_some_and(|rest| rest.trim_start().starts_with('!'))
    };
    matches!(text, "include" | "include_str" | "include_bytes") || text.split("include").skip(1).any(is_call)
}

/// Returns whether `text` could be a path with an extension or a directory, of a file that a macro may include. What the kernel
/// makes up differs each time that it is read, so no build includes it.
fn is_like_path(text: &str) -> bool {
    text.len() < 512
        && !["/dev/", "/proc/", "/sys/"].iter().any(|dir| text.starts_with(dir))
        && text.contains(['.', '/'])
        && !text.contains(|c: char| c.is_control() || matches!(c, '{' | '}' | '"'))
}

/// Returns the content of a string literal. Escapes are not decoded, because paths don't contain any.
fn unquoted(text: &str) -> String {
    text.trim_start_matches(['r', '#']).trim_end_matches('#').trim_matches('"').to_owned()
}

/// Joins `path` to `dir`. Keeps `..`, because its meaning depends on symbolic links before it.
pub(super) fn join(dir: &RelPath, path: &str) -> RelPath {
    if path.starts_with('/') {
        return RelPath::new(path);
    }
    let parts = dir.as_bytes().split(|&byte| byte == b'/').chain(path.split('/').map(str::as_bytes));
    RelPath::new(parts.filter(|part| !part.is_empty() && *part != b".").collect::<Vec<_>>().join(&b'/'))
}

/// Resolves `..` in `path` by its text alone, as if no directory were a symbolic link.
pub(super) fn without_dots(path: &RelPath) -> RelPath {
    let mut resolved: Vec<&[u8]> = Vec::new();
    for part in path.as_bytes().split(|&byte| byte == b'/') {
        match part {
            b".." if resolved.last().is_some_and(|last| *last != b"..") => drop(resolved.pop()),
            part => resolved.push(part),
        }
    }
    RelPath::new(resolved.join(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dep_info_lists_files_with_spaces_and_variables() {
        let text = "/t/a-1.d: a/src/lib.rs a/src/../../x\\ y.txt\n\n/t/liba.rmeta: a/src/lib.rs\n\na/src/lib.rs:\n\n\
                    # env-dep:FOO\n# env-dep:OUT_DIR=/t/out\n";
        let reads = dep_info(text.as_bytes()).unwrap();
        assert_eq!(reads.files, ["a/src/lib.rs", "a/src/../../x y.txt"]);
        assert_eq!(reads.variables, ["FOO", "OUT_DIR"]);
    }

    #[test]
    fn text_that_is_not_dep_info_is_rejected() {
        for text in ["", "\n", "\0\u{1}", "# env-dep:A"] {
            assert_eq!(dep_info(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(dep_info(b"\xff: a"), None);
    }

    #[test]
    fn build_scripts_may_use_the_old_and_the_new_syntax() {
        let reads = build_script(b"cargo:rerun-if-changed=a b\ncargo::rerun-if-changed=c\nhello\ncargo::rerun-if-env-changed=V\ncargo:rustc-cfg=x\n");
        assert_eq!(reads, Reads { files: vec!["a b".into(), "c".into()], variables: vec!["V".into()] });
    }

    fn of(source: &str) -> NamedFiles {
        named(source, &RelPath::new("a/src/lib.rs"), &RelPath::new("a"), true)
    }

    #[track_caller]
    fn check(source: &str, included: &[&str], is_open: bool) {
        let named = of(source);
        assert_eq!(named.included, included.iter().map(RelPath::new).collect::<Vec<_>>(), "{source}");
        assert_eq!(named.is_open, is_open, "{source}");
    }

    #[test]
    fn literal_include_paths_are_found() {
        check(r#"#![doc = include_str!("../../README.md")]"#, &["a/src/../../README.md"], false);
        check(r##"const A: &[u8] = include_bytes!(r#"x y.bin"#,);"##, &["a/src/x y.bin"], false);
        check(
            r#"include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../gen/", "a.rs"));"#,
            &["a/../gen/a.rs"],
            false,
        );
        check(r#"include!(concat!(env!("OUT_DIR"), "/a.rs"));"#, &[], false);
        assert_eq!(
            of(r#"include!(concat!(env!("OUT_DIR"), "/x/a.rs"));"#).generated,
            [RelPath::new("x/a.rs")]
        );
        check(r#"macro_rules! m { ($f:expr) => { include_str!($f) } }"#, &[], true);
        check(r#"include_str!(concat!(env!("HOME"), "/a"))"#, &[], true);
        check(r#"// include_str!("a")"#, &[], false);
        check(r#"include_str!("../../../up")"#, &["a/src/../../../up"], false);
    }

    #[test]
    fn strings_that_look_like_paths_are_mentioned() {
        let source =
            r#"doctest!("../README.md"); let a = ("no path", "{}/x", "b/c", "", "/proc/self/maps");"#;
        assert_eq!(of(source).mentioned, ["a/src/../README.md", "a/src/b/c"].map(RelPath::new));
    }

    #[test]
    fn a_condition_on_documentation_is_found() {
        for source in [
            "#[cfg(doc)] mod a {}",
            "#![cfg_attr(doc, feature(x))]",
            "#[cfg(any(doc, test))] mod a {}",
            "if cfg!(doc) { include!(\"a.rs\") }",
            "cfg_select! { doc => { mod a; } _ => {} }",
            "only_if! { doc, mod a; }",
            "only_if![(doc) mod a;];",
            "macro_rules! m { () => { only_if(doc) } }",
        ] {
            assert!(of(source).tests_for_doc, "{source}");
        }
        for source in [
            "#[doc(hidden)] mod a {}",
            "#[doc = \"x\"] mod a {}",
            "#[cfg(docsrs)] mod a {}",
            "let Target { test, doc, doctest } = target;",
            "let all = [test, doc, doctest].map(flag); parse(doc);",
            "#![allow(unused)] println!(\"{}\", f(doc));",
            "match x { doc => 1 }",
        ] {
            assert!(!of(source).tests_for_doc, "{source}");
        }
    }

    #[test]
    fn an_include_in_a_macro_depends_on_where_the_macro_is_used() {
        for source in [
            "macro_rules! m { () => { #[doc = include_str!(\"x.md\")] mod a {} } }",
            "macro_rules! m ( ($f:expr) => ( include!(concat!(env!(\"CARGO_MANIFEST_DIR\"), $f)); ) );",
        ] {
            let named = of(source);
            assert!(named.is_open && named.exports_include && named.included.is_empty(), "{source}");
        }
        let source = "macro_rules! m { () => {} } #[doc = include_str!(\"x.md\")] mod a {}";
        assert!(!of(source).exports_include);
        check(source, &["a/src/x.md"], false);
    }

    #[test]
    fn an_include_that_a_procedural_macro_may_produce_is_found() {
        for source in [
            r#"fn f() { "include!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/x\"));".parse() }"#,
            "fn f() { quote! { include_str!(#path) } }",
            "fn f() { Ident::new(\"include_bytes\", span) }",
            "fn f() { quote! { #[doc = \"x\"] const A: &str = include_str!(\"x.md\"); } }",
        ] {
            assert!(of(source).quotes_include, "{source}");
        }
        for source in
            ["#![doc = include_str!(\"../README.md\")]", "// include_str!(a)", "fn f() { \"x.md\"; }"]
        {
            assert!(!of(source).quotes_include, "{source}");
        }
    }

    #[test]
    fn environment_variables_in_sources_are_found() {
        let source = r#"const A: &str = env!("A", "say A"); const B: Option<&str> = option_env!["B"];"#;
        assert_eq!(of(source).variables, ["A", "B"]);
    }

    #[track_caller]
    fn check_modules(file: &str, is_root: bool, source: &str, expected: &[&str]) {
        let found = named(source, &RelPath::new(file), &RelPath::new("a"), is_root).modules;
        assert_eq!(found, expected.iter().map(RelPath::new).collect::<Vec<_>>(), "{source}");
    }

    #[test]
    fn every_possible_file_of_a_module_is_listed() {
        check_modules("a/src/lib.rs", true, "mod b;", &["a/src/b.rs", "a/src/b/mod.rs"]);
        check_modules("src/x/mod.rs", false, "pub mod r#b;", &["src/x/b.rs", "src/x/b/mod.rs"]);
        let both = ["src/b.rs", "src/b/mod.rs", "src/x/b.rs", "src/x/b/mod.rs"];
        check_modules("src/x.rs", false, "mod b;", &both);
        let inline = "mod b { fn f() { { } } mod c; } mod d;";
        let expected = ["src/b/c.rs", "src/b/c/mod.rs", "src/d.rs", "src/d/mod.rs"];
        check_modules("src/lib.rs", true, inline, &expected);
    }

    #[test]
    fn path_attributes_count_whatever_their_condition() {
        let unix = r#"#[cfg_attr(unix, path = "../../b/x.rs")] #[path = "y.rs"] mod x; mod z;"#;
        let expected = ["s/x.rs", "s/x/mod.rs", "s/../../b/x.rs", "s/y.rs", "s/z.rs", "s/z/mod.rs"];
        check_modules("s/lib.rs", true, unix, &expected);
        let inline = r#"#[path = "p"] mod a { #[path = "q.rs"] mod b; }"#;
        let expected = ["s/p/b.rs", "s/p/b/mod.rs", "s/a/b.rs", "s/a/b/mod.rs", "s/p/q.rs", "s/a/q.rs"];
        check_modules("s/lib.rs", true, inline, &expected);
        check_modules("lib.rs", true, r#"#[path = "/t/x.rs"] mod x;"#, &["x.rs", "x/mod.rs", "/t/x.rs"]);
    }

    #[test]
    fn malformed_sources_do_not_panic() {
        for source in
            ["include_str!(", "include!", "path =", "include_str!(\"", "#!/bin/sh\ninclude!()", "r#\""]
        {
            let _ = of(source);
        }
    }
}
