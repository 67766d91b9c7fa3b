//! Tests that the page about environment variables lists those that genti reads and those that tools get.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::{HELP, ROOT, read};

fn page() -> String {
    read("docs/environment.md")
}

/// Returns the first column of the table below `heading`.
fn rows(heading: &str) -> BTreeSet<String> {
    let page = page();
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("{heading}"));
    let cell = Regex::new(r"(?m)^\| (`[^|]+`) \|").unwrap();
    let cells = cell.captures_iter(section.split("\n## ").next().unwrap()).map(|found| found[1].to_owned());
    cells
        .flat_map(|cell| cell.split(", ").map(|name| name.trim_matches('`').to_owned()).collect::<Vec<_>>())
        .collect()
}

/// Returns the text of all files in `src`.
fn sources() -> String {
    fn visit(dir: &Path, out: &mut String) {
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            match path.is_dir() {
                true => visit(&path, out),
                false if path.extension().is_some_and(|extension| extension == "rs") => {
                    out.push_str(&std::fs::read_to_string(path).unwrap());
                }
                false => {}
            }
        }
    }
    let mut out = String::new();
    visit(&Path::new(ROOT).join("src"), &mut out);
    out
}

#[test]
fn the_page_and_the_help_list_the_same_variables() {
    let name = Regex::new(r"\[env:\s+(GENTI_[A-Z_]+)\]").unwrap();
    let of_help: BTreeSet<_> =
        HELP.values().flat_map(|help| name.captures_iter(help).map(|found| found[1].to_owned())).collect();
    assert!(of_help.len() >= 8);
    assert_eq!(rows("With a flag"), of_help);
    // No other page mentions an unknown variable, except as a pattern.
    let others = rows("Others that are read");
    let any = Regex::new(r"`(GENTI_[A-Z_]+)").unwrap();
    for page in crate::pages() {
        let text = read(&page);
        for found in any.captures_iter(&text) {
            let is_known = of_help.contains(&found[1]) || others.contains(&found[1]);
            let is_known = is_known || matches!(&found[1], "GENTI_REPOSITORY" | "GENTI_TEST");
            assert!(is_known || found[1].ends_with('_'), "{}: {}", page.display(), &found[1]);
        }
    }
}

#[test]
fn every_variable_that_is_read_is_on_the_page() {
    let read = Regex::new(r#"(?:env|self)\.get\("([A-Z_]+)"\)"#).unwrap();
    let sources = sources();
    let read: BTreeSet<_> = read.captures_iter(&sources).map(|found| found[1].to_owned()).collect();
    assert!(read.contains("CARGO_TERM_COLOR") && read.len() > 8, "{read:?}");
    let (policy, others) = (rows("With a flag"), rows("Others that are read"));
    // Cargo sets these for programs that it runs, so users need not know them.
    let internal = ["CARGO_PKG_NAME", "CARGO_PKG_RUST_VERSION"];
    for name in read.iter().filter(|name| !internal.contains(&name.as_str())) {
        assert!(policy.contains(name) || others.contains(name), "{name}");
    }
}

#[test]
fn variables_that_keep_output_readable_are_on_the_page() {
    let source = read("src/scan/output_form.rs");
    let set = Regex::new(r#"\("([A-Z_]+)", "([a-z0-9]+)"\)"#).unwrap();
    let set: Vec<_> =
        set.captures_iter(&source).map(|found| format!("`{}={}`", &found[1], &found[2])).collect();
    assert!(set.len() > 4, "{set:?}");
    let page = page();
    let (_, section) = page.split_once("\n## What keeps output readable\n").unwrap();
    for one in set {
        assert!(section.contains(&one), "{one}");
    }
}

#[test]
fn variables_that_tools_get_are_on_the_page() {
    let source = read("src/scan/environment.rs");
    let list = |name: &str| {
        let (_, rest) = source.split_once(&format!("const {name}: ")).unwrap();
        rest.split_once("= [").unwrap().1.split_once("];").unwrap().0.to_owned()
    };
    let word = Regex::new(r#""([^"]*)""#).unwrap();
    let words = |text: &str| word.captures_iter(text).map(|found| found[1].to_owned()).collect::<Vec<_>>();
    let fixed = words(&list("FIXED"));
    let fixed: BTreeSet<_> = fixed.chunks(2).map(|pair| format!("{}={}", pair[0], pair[1])).collect();
    assert_eq!(rows("What every tool gets"), fixed);
    let harmless: BTreeSet<_> = words(&list("HARMLESS")).into_iter().collect();
    let page = page();
    let (_, section) = page.split_once("\n## What every tool sees\n").unwrap();
    let name = Regex::new(r"`([A-Z_]+)`").unwrap();
    let listed = section.split("\n## ").next().unwrap().split("\n\n").nth(1).unwrap();
    let listed: BTreeSet<_> = name.captures_iter(listed).map(|found| found[1].to_owned()).collect();
    assert_eq!(listed, harmless);
}
