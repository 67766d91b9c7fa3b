//! Tests that the page about commands is generated from `--help`, with a table for each command and for each group of shared
//! flags.

use std::collections::BTreeSet;

use regex::Regex;

use crate::{HELP, generated, read};

const PAGE: &str = "docs/commands.md";
/// Groups of flags with a table of their own: the beginning of the heading, and a command that has all of the flags.
const GROUPS: [(&str, &str); 4] =
    [("Policy", "run"), ("Selection", "run"), ("Workspace", "run"), ("Output", "run")];

/// Parsed help of a command.
struct Help {
    about: String,
    usage: String,
    /// Entries and their descriptions, by heading.
    groups: Vec<(String, Vec<(String, String)>)>,
}

impl Help {
    fn of(command: &str) -> Self {
        let text = HELP[command].split("\nExit codes:").next().unwrap();
        let (about, rest) = text.split_once("\n\nUsage: ").unwrap();
        let (usage, rest) = rest.split_once('\n').unwrap();
        let mut help = Self { about: one_line(about), usage: usage.to_owned(), groups: Vec::new() };
        let heading = Regex::new(r"^([A-Z].*):$").unwrap();
        // An entry, and its description if that is on the same line. Deeper indentation is a continuation.
        let entry = Regex::new(r"^ {2,6}([-<\[a-z].*?)(?:  +(.*))?$").unwrap();
        for line in rest.lines() {
            if let Some(found) = heading.captures(line) {
                help.groups.push((found[1].to_owned(), Vec::new()));
            } else if let Some(found) = entry.captures(line) {
                let said = found.get(2).map_or(String::new(), |said| said.as_str().to_owned());
                help.groups.last_mut().unwrap().1.push((found[1].trim().to_owned(), said));
            } else if let Some((_, said)) = help.groups.last_mut().and_then(|(_, entries)| entries.last_mut())
            {
                said.push_str(&format!(" {}", line.trim()));
            }
        }
        help
    }

    fn group(&self, name: &str) -> Option<&Vec<(String, String)>> {
        self.groups.iter().find(|(heading, _)| heading.starts_with(name)).map(|(_, entries)| entries)
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn row((entry, said): &(String, String)) -> String {
    // Possible values of a flag are a list in the help.
    let values = Regex::new(r" - ([a-z-]+): ").unwrap();
    let said = one_line(said);
    let said = values
        .replace_all(&said, "; `$1`: ")
        .replace(" Possible values:;", ":")
        .replace('|', "\\|")
        .replace("&", "&amp;");
    format!("| `{}` | {said} |", entry.replace('|', "\\|"))
}

/// Returns the table for `help:COMMAND` or `group:NAME`.
fn table(of: &str) -> String {
    let (kind, name) = of.split_once(':').unwrap_or((of, ""));
    let mut rows = vec!["| | |".to_owned(), "| --- | --- |".to_owned()];
    if kind == "group" {
        let (_, command) = GROUPS.into_iter().find(|(group, _)| *group == name).unwrap();
        rows.extend(Help::of(command).group(name).unwrap().iter().map(row));
        return rows.join("\n");
    }
    let help = Help::of(name);
    rows.push(format!("| `{}` | **{}** |", help.usage, help.about));
    let mut elsewhere = Vec::new();
    for (heading, entries) in help.groups.iter().filter(|(heading, _)| heading != "Commands") {
        let group = GROUPS.into_iter().find(|(group, _)| heading.starts_with(group));
        match group.filter(|(group, command)| Help::of(command).group(group) == Some(entries)) {
            Some((group, _)) => elsewhere.push(format!("[{group}](#{})", group.to_lowercase())),
            None => rows.extend(entries.iter().filter(|(entry, _)| !is_everywhere(entry)).map(row)),
        }
    }
    if !elsewhere.is_empty() {
        rows.push(format!("| flags of several commands | {} |", elsewhere.join(", ")));
    }
    rows.join("\n")
}

fn is_everywhere(entry: &str) -> bool {
    matches!(entry, "-h, --help" | "-V, --version")
}

#[test]
fn the_tables_match_the_help() {
    let tables: BTreeSet<_> = generated::check(PAGE, table).into_iter().collect();
    let commands = HELP.keys().filter(|command| *command != "baseline" && !command.is_empty());
    let mut expected: BTreeSet<_> = commands.map(|command| format!("help:{command}")).collect();
    expected.extend(GROUPS.map(|(group, _)| format!("group:{group}")));
    assert_eq!(tables, expected);
}

/// Uses a different parser than the tables, so that no flag is lost by a bug in the parser.
#[test]
fn the_help_and_the_page_have_the_same_flags() {
    let flag = Regex::new(r"(?m)^ +(?:-\w, )?(--[a-z-]+)").unwrap();
    let of_help: BTreeSet<String> =
        HELP.values().flat_map(|help| flag.captures_iter(help).map(|found| found[1].to_owned())).collect();
    let row = Regex::new(r"(?m)^\| `(?:-\w, )?(--[a-z-]+)").unwrap();
    let page = read(PAGE);
    let of_page: BTreeSet<_> = row.captures_iter(&page).map(|found| found[1].to_owned()).collect();
    let everywhere: BTreeSet<_> = ["--help", "--version"].map(str::to_owned).into();
    assert_eq!(&of_page | &everywhere, of_help);
    assert!(everywhere.iter().all(|flag| page.contains(&format!("`{flag}`"))));
}

#[test]
fn every_command_has_a_heading() {
    let heading = Regex::new(r"(?m)^#{2,3} `([a-z -]+)`$").unwrap();
    let page = read(PAGE);
    let headings: BTreeSet<_> = heading.captures_iter(&page).map(|found| found[1].to_owned()).collect();
    let commands: BTreeSet<_> = HELP.keys().filter(|command| !command.is_empty()).cloned().collect();
    assert_eq!(headings, commands);
}
