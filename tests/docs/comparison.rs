//! Tests the column of genti in the comparison with other tools: what it names exists, and what it says is missing does not.

use std::path::Path;

use regex::Regex;
use serde_json::Value;

use crate::{HELP, ROOT, genti, has_word, read};

/// Features that the table must have.
const FEATURES: usize = 39;

/// Returns true if genti has the command, flag, key or file that a cell names.
fn exists(name: &str, config: &Value) -> bool {
    // A missing command is written without `cargo`.
    if let Some(call) = name.strip_prefix("cargo ").unwrap_or(name).strip_prefix("genti ") {
        let (flags, words): (Vec<_>, Vec<_>) = call.split(' ').partition(|word| word.starts_with("--"));
        // The last word may be the value of a flag.
        let command = (0..=words.len()).rev().map(|count| words[..count].join(" "));
        let command = command.into_iter().find(|command| HELP.contains_key(command)).unwrap_or_default();
        let values = words.join(" ").replacen(&command, "", 1);
        let help = &HELP[&command];
        return !command.is_empty()
            && flags.iter().chain([&values.trim()]).all(|word| word.is_empty() || has_word(help, word));
    }
    if Path::new(ROOT).join(name).is_file() {
        return true;
    }
    let key = name.split('.').try_fold(config, |table, key| table.get(key));
    key.is_some() || read("docs/configuration.md").contains(&format!("\n## `[[{name}]]`\n"))
}

#[test]
fn the_column_of_genti_is_true() {
    let page = read("docs/comparison.md");
    let config: Value = serde_json::from_slice(&genti("config --format json").stdout).unwrap();
    let named = Regex::new("`([^`]+)`").unwrap();
    let mut rows = 0;
    for row in page.lines().filter(|line| line.starts_with("| ")).skip(2) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 7, "{row}");
        let is_there = match cells[1].split_once(": ") {
            Some(("yes", _)) => true,
            Some(("no", _)) => false,
            _ => panic!("{row}"),
        };
        let name = &named.captures(cells[1]).unwrap_or_else(|| panic!("{row}"))[1];
        assert_eq!(exists(name, &config), is_there, "{row}");
        rows += 1;
    }
    assert_eq!(rows, FEATURES);
}

/// The formats that the table names work, and not only their flags.
#[test]
fn the_named_report_formats_are_formats() {
    let page = read("docs/comparison.md");
    let format = Regex::new("`cargo genti report --format ([a-z]+)`").unwrap();
    for found in format.captures_iter(&page) {
        let known: Vec<_> =
            genti::report::Format::ALL.iter().map(|format| format.as_str().to_owned()).collect();
        assert!(known.contains(&found[1].to_owned()), "{}", &found[1]);
    }
}
