//! Links to web pages about tools and rules.

use crate::model::variant::Variant;

/// Returns the page about the tool `name`. For tools that are not built in, this is the page of genti.
pub fn tool(name: &str) -> &'static str {
    match Variant::split(name).0 {
        "audit" => "https://rustsec.org/",
        "check" => "https://doc.rust-lang.org/cargo/commands/cargo-check.html",
        "clippy" => "https://doc.rust-lang.org/clippy/",
        "deny" => "https://embarkstudios.github.io/cargo-deny/",
        "doc" => "https://doc.rust-lang.org/rustdoc/",
        "doctest" => "https://doc.rust-lang.org/rustdoc/write-documentation/documentation-tests.html",
        "fmt" => "https://rust-lang.github.io/rustfmt/",
        "machete" => "https://crates.io/crates/cargo-machete",
        "nextest" => "https://nexte.st/",
        "test" | "test-build" => "https://doc.rust-lang.org/cargo/commands/cargo-test.html",
        "typos" => "https://crates.io/crates/typos-cli",
        _ => "https://crates.io/crates/genti",
    }
}

/// Returns the page about `rule` of the namespace `ns`, if its URL follows from the name. Rules come from tools and are
/// not trusted: only valid names of lints, error codes and advisories become part of a URL.
pub fn rule(ns: &str, rule: &str) -> Option<String> {
    let is_name = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    if let Some(lint) = rule.strip_prefix("clippy::").filter(|lint| is_name(lint)) {
        return Some(format!("https://rust-lang.github.io/rust-clippy/master/index.html#{lint}"));
    }
    if let Some(lint) = rule.strip_prefix("rustdoc::").filter(|lint| is_name(lint)) {
        let anchor = lint.replace('_', "-");
        return Some(format!("https://doc.rust-lang.org/rustdoc/lints.html#{anchor}"));
    }
    let is_code = |rule: &str| {
        rule.len() == 5 && rule.starts_with('E') && rule[1..].bytes().all(|byte| byte.is_ascii_digit())
    };
    if ns == "rustc" && is_code(rule) {
        return Some(format!("https://doc.rust-lang.org/error_codes/{rule}.html"));
    }
    if rule.starts_with("RUSTSEC-") && is_name(rule) {
        return Some(format!("https://rustsec.org/advisories/{rule}.html"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_rules_have_a_page() {
        for (ns, name, end) in [
            ("clippy", "clippy::len_zero", "index.html#len_zero"),
            ("rustdoc", "rustdoc::broken_intra_doc_links", "lints.html#broken-intra-doc-links"),
            ("rustc", "E0308", "error_codes/E0308.html"),
            ("deny", "RUSTSEC-2020-0071", "advisories/RUSTSEC-2020-0071.html"),
        ] {
            assert!(rule(ns, name).unwrap().ends_with(end), "{name}");
        }
        for (ns, name) in [
            ("rustc", "dead_code"),
            ("mine", "E0308"),
            ("rustc", "E030é"),
            ("clippy", "clippy::\u{1b}]8;;x"),
            ("clippy", "clippy::"),
            ("deny", "RUSTSEC-1/../.."),
        ] {
            assert_eq!(rule(ns, name), None, "{name}");
        }
    }
}
