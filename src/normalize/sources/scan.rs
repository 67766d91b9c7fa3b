//! Scans a file for tests and modules in one pass over its tokens, without a grammar.

use ra_ap_rustc_lexer::{FrontmatterAllowed, TokenKind, strip_shebang, tokenize};

use crate::model::cfg::{Cfg, is_word, unquoted};

/// Tests and modules that a file defines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Conditions of the whole file: `#![cfg(…)]`.
    pub file: Vec<Cfg>,
    /// Test functions.
    pub tests: Vec<TestFn>,
    /// Modules in other files.
    pub modules: Vec<Module>,
    /// Set if a macro is called with something that looks like tests. It may or may not expand to tests.
    pub has_macro_tests: bool,
}

/// Test function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestFn {
    /// Conditions that must all hold, in addition to those of the file.
    pub cfgs: Vec<Cfg>,
    /// Set if marked `#[ignore]`.
    pub is_ignored: bool,
}

/// `mod name;` declaration, or a file included in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Module name, after the names of enclosing inline modules: `["outer", "name"]`.
    pub names: Vec<String>,
    /// Paths given by `#[path = "…"]` or `include!`.
    pub paths: Vec<String>,
    /// Set for an included file. Its modules are relative to the including file.
    pub is_included: bool,
    /// Conditions that must all hold, in addition to those of the file.
    pub cfgs: Vec<Cfg>,
}

/// Maximum depth of inline modules. Deeper ones are skipped.
const DEEPEST: usize = 64;

/// Scans `source`.
pub fn scan(source: &str) -> Scanned {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let tokens = lex(source);
    let mut scanned = Scanned::default();
    let mut walk = Walk { tokens: &tokens, at: 0, scanned: &mut scanned };
    walk.items(&mut Around::default(), true);
    scanned
}

fn lex(source: &str) -> Vec<&str> {
    let mut at = strip_shebang(source).unwrap_or(0);
    let mut tokens = Vec::new();
    for token in tokenize(&source[at..], FrontmatterAllowed::Yes) {
        let text = &source[at..at + token.len as usize];
        at += token.len as usize;
        match token.kind {
            TokenKind::Whitespace
            | TokenKind::LineComment { .. }
            | TokenKind::BlockComment { .. }
            | TokenKind::Frontmatter { .. } => {}
            _ => tokens.push(text),
        }
    }
    tokens
}

/// Names and conditions that apply to all items of a module.
#[derive(Clone, Default)]
struct Around {
    names: Vec<String>,
    cfgs: Vec<Cfg>,
}

/// The attributes before an item.
#[derive(Default)]
struct Attributes {
    cfgs: Vec<Cfg>,
    /// Conditions of each attribute that marks the function as a test.
    tests: Vec<Vec<Cfg>>,
    is_ignored: bool,
    paths: Vec<String>,
}

struct Walk<'a, 't> {
    tokens: &'a [&'t str],
    at: usize,
    scanned: &'a mut Scanned,
}

impl<'t> Walk<'_, 't> {
    fn peek(&self, ahead: usize) -> &'t str {
        self.tokens.get(self.at + ahead).copied().unwrap_or("")
    }

    /// Scans items up to the end of the file or the closing brace of the module.
    fn items(&mut self, around: &mut Around, is_file: bool) {
        while self.at < self.tokens.len() {
            if self.peek(0) == "}" {
                self.at += 1;
                if !is_file {
                    return;
                }
                continue;
            }
            if self.peek(0) == "#" && self.peek(1) == "!" && self.peek(2) == "[" {
                self.at += 2;
                let mut attributes = Attributes::default();
                self.attribute(&mut attributes);
                match is_file {
                    true => self.scanned.file.extend(attributes.cfgs),
                    false => around.cfgs.extend(attributes.cfgs),
                }
                continue;
            }
            self.item(around);
        }
    }

    fn item(&mut self, around: &Around) {
        let mut attributes = Attributes::default();
        while self.peek(0) == "#" && self.peek(1) == "[" {
            self.at += 1;
            self.attribute(&mut attributes);
        }
        self.visibility();
        let cfgs = || around.cfgs.iter().chain(&attributes.cfgs).cloned().collect::<Vec<_>>();
        match self.peek(0) {
            "mod" | "unsafe" if self.peek(0) == "mod" || self.peek(1) == "mod" => {
                self.at += usize::from(self.peek(0) == "unsafe");
                let name = self.peek(1).trim_start_matches("r#").to_owned();
                let is_inline = self.peek(2) == "{";
                self.at += 3;
                let names: Vec<_> = around.names.iter().cloned().chain([name]).collect();
                if is_inline && names.len() < DEEPEST {
                    self.items(&mut Around { names, cfgs: cfgs() }, false);
                } else if is_inline {
                    self.at -= 1;
                    self.group();
                } else {
                    let paths = attributes.paths;
                    self.scanned.modules.push(Module { names, paths, is_included: false, cfgs: cfgs() });
                }
            }
            "macro_rules" => {
                self.at += 2;
                self.rest_of_item(false);
            }
            _ if self.macro_call(around, &attributes) => {}
            "use" | "static" | "type" | "let" => self.rest_of_item(true),
            "const" if !matches!(self.peek(1), "fn" | "unsafe" | "extern" | "async") => {
                self.rest_of_item(true)
            }
            "" => {}
            _ => {
                if self.is_function() {
                    for conditions in &attributes.tests {
                        let cfgs = cfgs().into_iter().chain(conditions.iter().cloned()).collect();
                        self.scanned.tests.push(TestFn { cfgs, is_ignored: attributes.is_ignored });
                    }
                }
                self.rest_of_item(false);
            }
        }
    }

    fn visibility(&mut self) {
        if self.peek(0) == "pub" {
            self.at += 1;
            if self.peek(0) == "(" {
                self.group();
            }
        }
    }

    /// Returns whether the current item is a function, possibly with modifiers.
    fn is_function(&self) -> bool {
        let mut ahead = 0;
        loop {
            match self.peek(ahead) {
                "fn" => return true,
                "const" | "async" | "unsafe" | "extern" | "default" | "safe" => {}
                text if text.starts_with('"') => {}
                _ => return false,
            }
            ahead += 1;
        }
    }

    /// Reads a macro call in item position. Returns false if there is none.
    fn macro_call(&mut self, around: &Around, attributes: &Attributes) -> bool {
        let mut ahead = 0;
        while self.peek(ahead) == ":" || is_word(self.peek(ahead)) {
            let is_name = is_word(self.peek(ahead));
            ahead += 1;
            if is_name && self.peek(ahead) == "!" {
                break;
            }
            if is_name && self.peek(ahead) != ":" {
                return false;
            }
        }
        if ahead == 0 || self.peek(ahead) != "!" {
            return false;
        }
        let name = self.peek(ahead - 1).to_owned();
        self.at += ahead + 1;
        // A macro definition has a name before its body.
        self.at += usize::from(is_word(self.peek(0)));
        let start = self.at;
        self.group();
        let body = &self.tokens[start.min(self.at)..self.at];
        if let ("include", [_, path, _]) = (name.as_str(), body) {
            self.scanned.modules.push(Module {
                names: around.names.clone(),
                paths: vec![unquoted(path)],
                is_included: true,
                cfgs: around.cfgs.iter().chain(&attributes.cfgs).cloned().collect(),
            });
        }
        self.scanned.has_macro_tests |= looks_like_tests(&name, body);
        self.at += usize::from(self.peek(0) == ";");
        true
    }

    /// Skips to the end of an item: a semicolon, or a brace group unless `needs_semicolon`.
    fn rest_of_item(&mut self, needs_semicolon: bool) {
        while self.at < self.tokens.len() {
            match self.peek(0) {
                ";" => {
                    self.at += 1;
                    return;
                }
                "{" => {
                    self.group();
                    if !needs_semicolon {
                        return;
                    }
                }
                "(" | "[" => self.group(),
                // Closes the enclosing module.
                "}" => return,
                _ => self.at += 1,
            }
        }
    }

    /// Skips the group that begins here.
    fn group(&mut self) {
        let mut depth = 0_usize;
        while self.at < self.tokens.len() {
            match self.peek(0) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }

    /// Reads the attribute whose bracket begins here.
    fn attribute(&mut self, attributes: &mut Attributes) {
        let start = self.at + 1;
        self.group();
        let end = self.at.saturating_sub(1).max(start).min(self.tokens.len());
        read_attribute(self.tokens.get(start..end).unwrap_or_default(), &[], attributes);
    }
}

/// Records an attribute that applies under `conditions`. `tokens` exclude the brackets.
fn read_attribute(tokens: &[&str], conditions: &[Cfg], attributes: &mut Attributes) {
    let tokens = match tokens {
        ["unsafe", "(", inner @ .., ")"] => inner,
        tokens => tokens,
    };
    let path = tokens.iter().take_while(|token| is_word(token) || **token == ":").count();
    let last = tokens[..path].last().copied().unwrap_or("");
    match (last, &tokens[path..]) {
        ("cfg", ["(", rest @ ..]) => {
            let (cfg, _) = Cfg::read(rest);
            attributes.cfgs.push(under(conditions, cfg));
        }
        ("cfg_attr", ["(", rest @ .., ")"]) => {
            let (cfg, rest) = Cfg::read(rest);
            let conditions: Vec<_> = conditions.iter().cloned().chain([cfg]).collect();
            for attribute in split(rest).filter(|attribute| !attribute.is_empty()) {
                read_attribute(attribute, &conditions, attributes);
            }
        }
        ("path", ["=", text]) => attributes.paths.push(unquoted(text)),
        ("ignore", _) => attributes.is_ignored |= conditions.is_empty(),
        (name, _) if makes_test(name) => {
            let mut conditions = conditions.to_vec();
            // A plain function on other targets.
            if name == "wasm_bindgen_test" {
                conditions.push(Cfg::Value("target_family".to_owned(), "wasm".to_owned()));
            }
            // A function with several such attributes counts as one test.
            if attributes.tests.is_empty() {
                attributes.tests.push(conditions);
            }
        }
        _ => {}
    }
}

/// Returns `cfg` limited to `conditions`. It always holds if they don't.
fn under(conditions: &[Cfg], cfg: Cfg) -> Cfg {
    if conditions.is_empty() {
        return cfg;
    }
    Cfg::Any(vec![Cfg::Not(Box::new(Cfg::All(conditions.to_vec()))), cfg])
}

/// Splits at the commas of the outermost level.
fn split<'a, 't>(tokens: &'a [&'t str]) -> impl Iterator<Item = &'a [&'t str]> {
    let mut depth = 0_i32;
    tokens.split(move |token| {
        match *token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        *token == "," && depth == 0
    })
}

/// Returns whether an attribute of this name marks a test: `test`, `tokio::test`, `rstest`, `test_case`.
fn makes_test(name: &str) -> bool {
    name.ends_with("test") || matches!(name, "test_case" | "quickcheck")
}

/// Returns whether a macro `name` with this body may define tests.
fn looks_like_tests(name: &str, body: &[&str]) -> bool {
    let has_attribute = body.windows(2).enumerate().any(|(at, pair)| {
        let path = || body[at + 2..].iter().take_while(|token| is_word(token) || **token == ":");
        pair == ["#", "["] && path().last().is_some_and(|name| makes_test(name))
    });
    has_attribute || name == "quickcheck" || name.contains("test")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows the conditions of each test, with `ignored`, then each module with its conditions.
    fn show(source: &str) -> String {
        let Scanned { file, tests, modules, has_macro_tests } = scan(source);
        let cfgs = |list: &[Cfg]| Cfg::All(list.to_vec()).to_string();
        let mut shown = Vec::new();
        if !file.is_empty() {
            shown.push(format!("file {}", cfgs(&file)));
        }
        for TestFn { cfgs: list, is_ignored } in &tests {
            shown.push(format!("test {}{}", cfgs(list), if *is_ignored { " ignored" } else { "" }));
        }
        for Module { names, paths, is_included, cfgs: list } in &modules {
            let kind = if *is_included { "include" } else { "mod" };
            let paths: String = paths.iter().map(|path| format!(" at {path}")).collect();
            shown.push(format!("{kind} {}{paths} {}", names.join("::"), cfgs(list)));
        }
        if has_macro_tests {
            shown.push("macro".to_owned());
        }
        shown.join("; ")
    }

    #[track_caller]
    fn check(source: &str, expected: &str) {
        assert_eq!(show(source), expected, "{source}");
    }

    #[test]
    fn functions_with_a_test_attribute_are_tests() {
        check("#[test] fn a() { let x = 1; } fn b() {}", "test true");
        check("#[tokio::test(flavor = \"x\")] pub async fn a() {}", "test true");
        check("#[rstest]\n#[case(1)]\nfn a(#[case] x: u8) {}", "test true");
        check("#[test]\n#[ignore = \"slow\"]\nfn a() {}", "test true ignored");
        check("#[test] #[cfg_attr(miri, ignore)] fn a() {}", "test true");
        check(
            "#[cfg(test)] mod tests { #[test] fn a() {} mod deeper { #[test] fn b() {} } }",
            "test all(test); test all(test)",
        );
        check("#[test] unsafe extern \"C\" fn a() {}", "test true");
    }

    #[test]
    fn look_alikes_are_not_tests() {
        check("fn a() { #[test] fn inner() {} }", "");
        check("// #[test] fn a() {}\n/* #[test] */ fn b() {} const S: &str = \"#[test] fn a() {}\";", "");
        check("macro_rules! m { () => { #[test] fn a() {} }; }", "");
        check("#[test] struct S; #[cfg(test)] fn helper() {}", "");
        check("#[derive(Latest)] struct S { a: u8 }\nimpl S { #[test] fn a() {} }", "");
    }

    #[test]
    fn conditions_of_the_file_the_module_and_the_test_add_up() {
        check("#![cfg(feature = \"x\")]\n#[test] fn a() {}", "file all(feature = \"x\"); test true");
        check(
            "#[cfg(unix)] mod m { #![cfg(feature = \"x\")] #[cfg(not(miri))] #[test] fn a() {} }",
            "test all(unix, feature = \"x\", not(miri))",
        );
        check("#[cfg_attr(windows, test)] fn a() {}", "test all(windows)");
        check(
            "#[cfg_attr(windows, cfg(feature = \"x\"))] #[test] fn a() {}",
            "test all(any(not(all(windows)), feature = \"x\"))",
        );
        check("#[wasm_bindgen_test] fn a() {}", "test all(target_family = \"wasm\")");
    }

    #[test]
    fn modules_in_other_files_are_found() {
        check("mod a; pub(crate) mod b; #[cfg(unix)] mod c;", "mod a true; mod b true; mod c all(unix)");
        check("mod x { mod y; }", "mod x::y true");
        check("#[path = \"other.rs\"] mod a;", "mod a at other.rs true");
        check(
            "#[cfg_attr(unix, path = \"u.rs\")] #[cfg_attr(windows, path = \"w.rs\")] mod a;",
            "mod a at u.rs at w.rs true",
        );
        check("include!(\"more.rs\");", "include  at more.rs true");
        check(
            "const fn f() {} const X: u8 = { 1 }; use a::{b, c}; static S: [u8; 1] = [{ 2 }]; mod z;",
            "mod z true",
        );
    }

    #[test]
    fn tests_in_macro_bodies_are_unknown() {
        check("proptest! { #[test] fn a(x in 0..1) {} }", "macro");
        check("rgtest!(name, |dir| { x });\nmod b;", "mod b true; macro");
        check("lazy_static! { static ref X: u8 = 1; }", "");
        check("cfg_io! { mod x; }", "");
        check("std::thread_local! { static X: u8 = 1; } #[test] fn a() {}", "test true");
    }

    #[test]
    fn malformed_sources_do_not_panic() {
        for source in [
            "#[",
            "#![cfg(",
            "mod",
            "mod x {",
            "}}}",
            "#[cfg_attr(",
            "a::b!",
            "include!(",
            "pub(",
            "#[test] fn",
            "\u{feff}mod a;",
        ] {
            let _ = scan(source);
        }
        let deep = "(".repeat(100_000);
        let _ = scan(&format!("#![cfg({})]", "not(".repeat(100_000)));
        let _ = scan(&format!("fn a() {{ {deep}"));
        let _ = scan(&"mod a { ".repeat(100_000));
    }
}
