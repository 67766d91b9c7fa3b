//! Tests the table of cache keys of the built-in tools in the page about the cache.

use genti::model::tool::{Discovers, Per, Search, Start, Tool};
use genti::plan::config;

use crate::generated;

const PAGE: &str = "docs/cache.md";

/// Returns all built-in tools, including disabled ones.
fn built_in() -> Vec<Tool> {
    let enabled = "tools.nextest.enabled = true\n";
    let file =
        config::ConfigFile { name: "genti.toml".into(), text: enabled.into(), place: config::Place::File };
    let mut tools = config::load(&[], None).unwrap().tools;
    tools
        .extend(config::load(&[file], None).unwrap().tools.into_iter().filter(|tool| tool.name == "nextest"));
    tools.sort_by(|a, b| a.name.cmp(&b.name));
    tools
}

/// Formats the files that a tool searches for, as in the configuration.
fn names(searches: &[Search]) -> String {
    let name = |Search { start, name, .. }: &Search| match start {
        Start::Files | Start::Absolute => format!("`{name}`"),
        Start::Root => format!("`./{name}`"),
        Start::Home => format!("`~/{name}`"),
        Start::Variable(variable) => format!("`${variable}/{name}`"),
    };
    searches.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn row(tool: &Tool) -> String {
    let list = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let mut inputs = match tool.per {
        Per::File => "the file".to_owned(),
        Per::TargetRoot => format!("{} of the package", list(&tool.files)),
        Per::TestTarget => "all files of the workspace, the test program".to_owned(),
        _ if !tool.files.is_empty() => list(&tool.files),
        _ if !tool.uses_selection() && tool.per == Per::Workspace => "all files of the workspace".to_owned(),
        _ => "all files of the packages and of what they depend on by path".to_owned(),
    };
    if !tool.inputs.is_empty() {
        inputs += &format!("; {}", list(&tool.inputs));
    }
    let discovered = match tool.discovers() {
        Discovers::Nothing => "",
        Discovers::Modules => "the files it formats, modules",
        Discovers::Build => "dep-info, build scripts",
    };
    let searched = match (tool.searches.is_empty(), tool.inherits()) {
        (true, true) => "cargo's configuration".to_owned(),
        (true, false) => String::new(),
        (false, true) => format!("{}, cargo's configuration", names(&tool.searches)),
        (false, false) => names(&tool.searches),
    };
    let kept = if tool.is_cached() { "yes" } else { "no" };
    format!("| `{}` | {kept} | {inputs} | {discovered} | {searched} |\n", tool.name)
}

#[test]
fn the_page_lists_the_cache_key_of_each_tool() {
    let head = "| tool | cached | files in the key | discovered inputs | searched for |\n| --- | --- | --- | --- | --- |\n";
    let markers = generated::check(PAGE, |name| {
        assert_eq!(name, "tools");
        built_in().iter().fold(head.to_owned(), |table, tool| table + &row(tool))
    });
    assert_eq!(markers, ["tools"]);
}
