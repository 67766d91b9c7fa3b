//! Checks the links between tools: every tool in `needs` must exist and be enabled, without cycles, and
//! `replaces` disables tools.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;

use super::reader::ConfigReader;
use super::suggest::suggestion;
use super::tool::{ToolEntry, ToolReferences};
use crate::model::tool::Parse;

/// Disables the tools that enabled tools replace.
pub(super) fn replace(tools: &mut BTreeMap<String, ToolEntry>) {
    let replaced: Vec<_> =
        tools.values().filter(|entry| entry.enabled).flat_map(|entry| entry.tool.replaces.clone()).collect();
    for name in replaced {
        if let Some(entry) = tools.get_mut(&name) {
            entry.enabled = false;
        }
    }
}

/// Checks the links between all `tools`. `given` has the links that this file sets, by tool.
pub(super) fn check(
    reader: &mut ConfigReader<'_>,
    tools: &BTreeMap<String, ToolEntry>,
    given: &BTreeMap<String, ToolReferences>,
) {
    let unknown = |reader: &mut ConfigReader<'_>, name: &Spanned<String>| {
        let help = suggestion(name.get_ref(), tools.keys().map(String::as_str), "tools");
        reader.report_with(name.span(), format!("unknown tool `{}`", name.get_ref()), help);
    };
    for (name, links) in given {
        for replaced in &links.replaces {
            if !tools.contains_key(replaced.get_ref()) {
                unknown(reader, replaced);
            } else if replaced.get_ref() == name {
                reader.report_with(
                    replaced.span(),
                    format!("`{name}` can't replace itself"),
                    "name another tool",
                );
            }
        }
        if tools[name].tool.uses_executable() && !is_given_programs(tools, name) {
            let message = format!("`{name}` runs `{{executable}}`, but needs no tool that builds it");
            reader.report_with(links.name.clone(), message, "write `needs = [\"test-build\"]`");
        }
        for need in &links.needs {
            match tools.get(need.get_ref()) {
                None => unknown(reader, need),
                Some(needed) if !needed.enabled && tools[name].enabled => {
                    let message = format!("`{name}` needs `{}`, which is disabled", need.get_ref());
                    reader.report_with(need.span(), message, "enable it, or remove it from `needs`");
                }
                Some(_) => {}
            }
        }
    }
    for cycle in cycles(tools) {
        let edge = cycle
            .iter()
            .zip(cycle.iter().cycle().skip(1))
            .find_map(|(from, to)| given.get(*from)?.needs.iter().find(|need| need.get_ref() == to));
        if let Some(need) = edge {
            let spelt: Vec<&str> = cycle.iter().chain(cycle.first()).copied().collect();
            let message = format!("dependency cycle between tools: {}", spelt.join(" → "));
            reader.report_with(need.span(), message, "remove one of these `needs`");
        }
    }
}

/// Returns true if `name` needs, directly or not, a tool that builds test binaries.
fn is_given_programs(tools: &BTreeMap<String, ToolEntry>, name: &str) -> bool {
    let mut seen = BTreeSet::from([name]);
    let mut queue = vec![name];
    while let Some(name) = queue.pop() {
        let Some(entry) = tools.get(name) else { continue };
        if entry.tool.parse == Parse::CargoBuild {
            return true;
        }
        queue.extend(entry.tool.needs.iter().map(String::as_str).filter(|need| seen.insert(need)));
    }
    false
}

/// Returns cycles without common tools, each starting at its smallest name.
fn cycles(tools: &BTreeMap<String, ToolEntry>) -> Vec<Vec<&str>> {
    let mut cycles = Vec::new();
    let mut left: BTreeSet<&str> = tools.keys().map(String::as_str).collect();
    // A walk along the needs of the remaining tools. It ends at a tool without needs, or returns to a tool on
    // the walk.
    let mut walk: Vec<&str> = Vec::new();
    while let Some(name) = walk.last().or(left.first()).copied() {
        if walk.is_empty() {
            walk.push(name);
        }
        let need = tools[name].tool.needs.iter().find_map(|need| left.get(need.as_str()).copied());
        match need.map(|need| (need, walk.iter().position(|on_it| *on_it == need))) {
            None => {
                left.remove(name);
                walk.pop();
            }
            Some((need, None)) => walk.push(need),
            Some((_, Some(start))) => {
                let mut cycle = walk.split_off(start);
                left.retain(|name| !cycle.contains(name));
                let least = (0..cycle.len()).min_by_key(|at| cycle[*at]).unwrap_or(0);
                cycle.rotate_left(least);
                cycles.push(cycle);
            }
        }
    }
    cycles
}
