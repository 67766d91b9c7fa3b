//! Tests that the documentation is right: links, commands, flags, exit codes and examples.
#![cfg(feature = "cli")]
#![expect(clippy::disallowed_methods, reason = "tests read the repository")]

mod artifacts;
mod book;
mod cache;
mod commands;
mod comparison;
mod config;
mod environment;
mod generated;
mod shell;
mod workflows;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use genti::model::policy::Policy;
use genti::report::Format;
use regex::Regex;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Output of `--help` for each command, with `""` for the program itself.
static HELP: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let entry = Regex::new(r"(?m)^  ([a-z][a-z-]*)(?:  |$)").unwrap();
    let mut help = BTreeMap::new();
    let mut left = vec![String::new()];
    while let Some(command) = left.pop() {
        let text = String::from_utf8(genti(&format!("{command} --help")).stdout).unwrap();
        let list =
            text.split_once("\nCommands:\n").map_or("", |(_, rest)| rest.split("\n\n").next().unwrap());
        left.extend(
            entry.captures_iter(list).map(|found| format!("{command} {}", &found[1]).trim().to_owned()),
        );
        help.insert(command, text);
    }
    help
});

#[test]
fn the_summary_lists_exactly_the_pages() {
    let summary = read("docs/SUMMARY.md");
    let named: BTreeSet<_> = links(&summary).map(|link| PathBuf::from("docs").join(link)).collect();
    let pages: BTreeSet<_> = pages()
        .into_iter()
        .filter(|page| page.starts_with("docs") && !page.ends_with("SUMMARY.md"))
        .collect();
    assert_eq!(named, pages);
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    for page in pages() {
        for link in links(&read(&page)).filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(Path::new(ROOT).join(&target).is_file(), "{}: {link}", page.display());
            let is_heading = || headings(&read(&target)).any(|heading| heading == anchor);
            assert!(anchor.is_empty() || is_heading(), "{}: {link}", page.display());
        }
    }
}

#[test]
fn every_command_and_flag_that_is_mentioned_exists() {
    // Don't match `target/release/cargo-genti WORKSPACE`, which is an argument.
    let call = Regex::new(r#"(?m)(?:^|[^/])cargo[ -]genti ([^`"\n]*)"#).unwrap();
    let alone = Regex::new(r"`(--[a-z][a-z-]*)").unwrap();
    for page in pages() {
        let text = without_what_is_missing(&read(&page));
        let page = page.display();
        for [args] in call.captures_iter(&text).map(|found| found.extract().1) {
            let words = |command: &str| args == command || args.starts_with(&format!("{command} "));
            let command = HELP.keys().rev().find(|command| command.is_empty() || words(command)).unwrap();
            assert!(!command.is_empty() || args.starts_with('-'), "{page}: no command `{args}`");
            for flag in args
                .split(' ')
                .take_while(|word| !matches!(*word, "#" | "|"))
                .filter(|word| word.starts_with('-'))
            {
                assert!(has_word(&HELP[command], flag), "{page}: no flag `{flag}` of `{command}`");
            }
        }
        for [flag] in alone.captures_iter(&text).map(|found| found.extract().1) {
            assert!(HELP.values().any(|help| has_word(help, flag)), "{page}: no flag `{flag}`");
        }
    }
}

/// Writes a workspace with the names of tokio's packages and features to `root`. Returns its manifest.
fn like_tokio(root: &Path) -> PathBuf {
    const OF_TOKIO: [&str; 19] = [
        "fs",
        "full",
        "io-std",
        "io-uring",
        "io-util",
        "macros",
        "net",
        "parking_lot",
        "process",
        "rt",
        "rt-multi-thread",
        "schedule-latency",
        "signal",
        "sync",
        "taskdump",
        "test-util",
        "time",
        "tracing",
        "windows-sys",
    ];
    let packages: [(&str, &[&str]); 10] = [
        ("benches", &[]),
        ("examples", &[]),
        ("stress-test", &[]),
        ("tests-build", &["full", "rt"]),
        ("tests-integration", &["full", "rt-net"]),
        ("tokio", &OF_TOKIO),
        ("tokio-macros", &[]),
        ("tokio-stream", &["full", "net"]),
        ("tokio-test", &[]),
        ("tokio-util", &["full", "net"]),
    ];
    for (name, features) in packages {
        let features: String = features.iter().map(|name| format!("{name} = []\n")).collect();
        let package = format!(
            "[package]\nname = '{name}'\nversion = '0.1.0'\nedition = '2021'\nrust-version = '1.71'\n"
        );
        fs::create_dir_all(root.join(name).join("src")).unwrap();
        fs::write(root.join(name).join("src/lib.rs"), "").unwrap();
        fs::write(root.join(name).join("Cargo.toml"), format!("{package}[features]\n{features}")).unwrap();
    }
    fs::create_dir(root.join("ci")).unwrap();
    fs::write(root.join("ci/minimal.lock"), "").unwrap();
    let members: Vec<_> = packages.iter().map(|(name, _)| *name).collect();
    fs::write(root.join("Cargo.toml"), format!("[workspace]\nresolver = '2'\nmembers = {members:?}\n"))
        .unwrap();
    root.join("Cargo.toml")
}

#[test]
fn the_page_about_reports_lists_exactly_the_formats() {
    let row = Regex::new(r"(?m)^\| `([a-z]+)` \| (?:people|programs) \|").unwrap();
    let page = read("docs/reports.md");
    let listed: BTreeSet<_> = row.captures_iter(&page).map(|row| row[1].to_owned()).collect();
    let formats = Format::ALL.map(Format::as_str).into_iter().chain(["human"]);
    assert_eq!(listed, formats.map(str::to_owned).collect());
}

/// These are the settings that can drift.
#[test]
fn the_page_about_gates_names_every_flag_of_the_policy() {
    let page = read("docs/gates.md");
    let row = page.lines().find(|line| line.starts_with("| `--order`, ")).unwrap();
    for (key, _) in Policy::default().settings() {
        let is_flag = HELP["run"].contains(&format!("--{key} "));
        assert_eq!(row.contains(&format!("`--{key}`")), is_flag, "{key}");
    }
}

#[test]
fn features_that_the_readme_lists_as_missing_do_not_exist() {
    let readme = read("README.md");
    let missing = missing(&readme);
    // If the table exists, this test must find its entries.
    let is_complete = missing_cells(&readme).all(|cell| cell.trim_matches([' ', '|']).is_empty());
    assert_eq!(is_complete, !readme.contains(TABLE), "{missing:?}");
    let entry = Regex::new(r"(?m)^ +(?:-\w, )?([\w-]+)").unwrap();
    for (command, help) in &*HELP {
        for [word] in entry.captures_iter(help).map(|found| found.extract().1) {
            let name = if word.starts_with('-') { word.to_owned() } else { format!("{command} {word}") };
            assert!(!missing.contains(&name.trim()), "there is `{name}`");
        }
    }
    for (flag, values) in [
        ("--order", &["deterministic", "topo", "required-first", "risk-first"][..]),
        ("--batch", &["auto", "7", "by-tool", "by-path"]),
    ] {
        for value in values {
            let output = genti(&format!("plan --manifest-path fixtures/clean/Cargo.toml {flag} {value}"));
            assert_eq!(output.status.code(), Some(0), "{flag} {value}");
        }
    }
}

#[test]
fn documented_exit_codes_match_the_help() {
    let row = Regex::new(r"(?m)^\| (\d\S*) \| (.+) \|$").unwrap();
    let line = Regex::new(r"^  (\d\S*) +(.+)$").unwrap();
    let help = HELP[""].replace('`', "");
    let mut of_help: Vec<(String, String)> = Vec::new();
    for text in help.split_once("Exit codes:\n").unwrap().1.lines() {
        match (line.captures(text), of_help.last_mut()) {
            (Some(found), _) => of_help.push((found[1].to_owned(), found[2].to_owned())),
            // Continuation of a long line.
            (None, Some((_, meaning))) => meaning.extend([" ", text.trim()]),
            (None, None) => panic!("{text}"),
        }
    }
    for page in ["README.md", "docs/commands.md"] {
        let text = read(page).replace('`', "");
        let rows = row.captures_iter(&text).map(|found| found.extract().1);
        let rows: Vec<_> = rows.map(|[code, meaning]| (code.to_owned(), meaning.to_owned())).collect();
        assert_eq!(rows, of_help, "{page}");
    }
}

#[test]
fn every_configuration_example_is_valid() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("genti.toml");
    // The examples name this package, its features, and the lock files and other workspaces of variants.
    let manifest = dir.path().join("Cargo.toml");
    let package = "[package]\nname = 'net'\nversion = '0.1.0'\nedition = '2024'\nrust-version = '1.85'\n\n";
    let features = [
        "__internal",
        "capi",
        "client",
        "ffi",
        "full",
        "http1",
        "http2",
        "nightly",
        "server",
        "tls",
        "tracing",
    ];
    let features: String = features.iter().map(|name| format!("{name} = []\n")).collect();
    fs::write(&manifest, format!("{package}[features]\n{features}")).unwrap();
    fs::create_dir(dir.path().join("src")).unwrap();
    fs::write(dir.path().join("src/lib.rs"), "").unwrap();
    fs::create_dir(dir.path().join("ci")).unwrap();
    for lock in ["ci/minimal.lock", "ci/msrv.lock"] {
        fs::write(dir.path().join(lock), "").unwrap();
    }
    for other in ["fuzz", "rust"] {
        fs::create_dir_all(dir.path().join(other).join("src")).unwrap();
        fs::write(dir.path().join(other).join("src/lib.rs"), "").unwrap();
        let package = format!("[workspace]\n[package]\nname = '{other}'\n");
        fs::write(dir.path().join(other).join("Cargo.toml"), package).unwrap();
    }
    let tokio = like_tokio(&dir.path().join("tokio"));
    let mut count = 0;
    for page in pages() {
        let manifest = if page.ends_with("worked-gate-tokio.md") { &tokio } else { &manifest };
        for block in blocks(&read(&page), "toml") {
            fs::write(&config, &block).unwrap();
            let output = genti(&format!(
                "plan --manifest-path {} --config-file {}",
                manifest.display(),
                config.display()
            ));
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}:\n{block}\n{said}", page.display());
            count += 1;
        }
    }
    assert!(count >= 3);
}

#[test]
fn the_book_shows_the_files_that_its_cases_use() {
    for (page, language, file) in [
        ("first-run", "rust", "new.txt"),
        ("first-run", "toml", "todo.toml"),
        ("gates", "toml", "dice.toml"),
        ("goldens", "toml", ".config/genti.toml"),
        ("playbook", "toml", "genti.toml"),
    ] {
        let shown = blocks(&read(format!("docs/{page}.md")), language).next();
        assert_eq!(shown.unwrap(), read(Path::new("tests/cmd").join(page).join(file)).trim_start());
    }
}

fn genti(args: &str) -> Output {
    let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GENTI_"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-genti"));
    ours.for_each(|(name, _)| {
        command.env_remove(name);
    });
    command.current_dir(ROOT).args(args.split_whitespace()).output().unwrap()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(ROOT).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Paths of the README, the changelog and all pages of the book, relative to the root.
fn pages() -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(ROOT).join("docs")).unwrap();
    let names = entries.map(|entry| PathBuf::from(entry.unwrap().file_name()));
    let pages = names.filter(|name| name.extension().is_some_and(|extension| extension == "md"));
    let mut pages: Vec<_> = pages.map(|name| Path::new("docs").join(name)).collect();
    pages.extend(["README.md".into(), "CHANGELOG.md".into()]);
    pages.sort();
    pages
}

/// Returns the targets of the links in `page`, except for those in code.
fn links(page: &str) -> impl Iterator<Item = String> {
    let code = Regex::new(r"(?ms)^```.*?^```$|`[^`\n]*`\S?").unwrap();
    // The text of a link may be code, as in `[`a`](b)`.
    let text = code.replace_all(page, |found: &regex::Captures<'_>| match found[0].strip_prefix("```") {
        Some(_) => String::new(),
        None => found[0].rsplit('`').next().unwrap_or_default().to_owned(),
    });
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    link.captures_iter(&text).map(|found| found[1].to_owned()).collect::<Vec<_>>().into_iter()
}

/// Returns the anchors that GitHub and mdBook generate for headings.
fn headings(page: &str) -> impl Iterator<Item = String> {
    page.lines().filter_map(|line| line.strip_prefix('#')).map(|heading| {
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        text.chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

/// Returns the code blocks in `language`.
fn blocks(page: &str, language: &str) -> impl Iterator<Item = String> {
    let block = Regex::new(&format!(r"(?ms)^```{language}\n(.*?)^```$")).unwrap();
    block.captures_iter(page).map(|found| found[1].to_owned()).collect::<Vec<_>>().into_iter()
}

/// Returns the code spans in the column of the README's table that lists missing features.
fn missing(readme: &str) -> Vec<&str> {
    let code = Regex::new("`([^`]+)`").unwrap();
    let codes = missing_cells(readme).flat_map(|cell| code.captures_iter(cell).collect::<Vec<_>>());
    codes.map(|found| found.get(1).unwrap().as_str()).collect()
}

/// Removes that column from `page`.
fn without_what_is_missing(page: &str) -> String {
    missing_cells(page).fold(page.to_owned(), |text, cell| text.replace(cell, ""))
}

/// Header of that table.
const TABLE: &str = "| works today | not there yet |";

fn missing_cells(page: &str) -> impl Iterator<Item = &str> {
    let table = page.lines().skip_while(|line| *line != TABLE).skip(2);
    table.take_while(|line| line.starts_with('|')).map(|row| row.split(" | ").nth(1).unwrap())
}

/// Returns whether `text` contains `word` as a whole word.
fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !(c.is_alphanumeric() || c == '-')).any(|each| each == word)
}
