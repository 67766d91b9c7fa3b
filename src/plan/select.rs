//! Selects the packages and tools of a run. Does not know tasks.

use std::collections::BTreeSet;

use super::config;
use crate::model::path::RelPath;
use crate::model::policy::Selection;
use crate::model::tool::Tool;
use crate::model::workspace::{Package, PackageId, Workspace};

/// The reason why no plan could be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// `-p` or `--exclude` names a package that is not a member.
    #[error("no package named `{name}` in this workspace ({hint})")]
    UnknownPackage {
        /// The name on the command line.
        name: String,
        /// A similar name, or all names.
        hint: String,
    },
    /// `--features` names a feature that no member has.
    #[error("no package of this workspace has the feature `{name}` ({hint})")]
    UnknownFeature {
        /// The name on the command line.
        name: String,
        /// A similar name, or all names.
        hint: String,
    },
    /// Everything was excluded.
    /// `--exclude` removes every selected package.
    #[error("no packages left: `--exclude` removes all selected packages")]
    NothingSelected,
    /// `--tool` or `--skip-tool` names an unknown tool.
    #[error("no tool named `{name}` is configured ({hint})")]
    UnknownTool {
        /// The name on the command line.
        name: String,
        /// A similar name, or all names.
        hint: String,
    },
    /// `--variant` names an unknown variant.
    #[error("no tool runs a variant named `{name}` ({hint})")]
    UnknownVariant {
        /// The name on the command line.
        name: String,
        /// A similar name, or all names.
        hint: String,
    },
    /// `--skip-tool` or `--variant` removes every selected tool.
    #[error("no tools left: `--skip-tool` or `--variant` removes all selected tools")]
    NoTool,
    /// Names of tests are given without a tool that runs tests.
    #[error("test names require a tool that runs tests; pass {}", tests_hint(.known, .names))]
    NoTestTool {
        /// Names of the tests on the command line.
        names: Vec<String>,
        /// Names of the tools that could run them.
        known: Vec<String>,
    },
    /// Names of tests are given, and `--tool` names a tool that can't run them.
    #[error("`{tool}` can't run tests by name; remove `--tool {tool}`{}", if .known.is_empty() { String::new() } else { format!(", and pass {}", tests_hint(.known, .names)) })]
    NotByName {
        /// Name of the tool.
        tool: String,
        /// Names of the tests on the command line.
        names: Vec<String>,
        /// Names of the tools that could run them.
        known: Vec<String>,
    },
    /// An option is given instead of the name of a test.
    #[error(
        "`{0}` is not the name of a test; options of the test harness belong in `args` under [tools.test]"
    )]
    NotATestName(String),
    /// A package has too many combinations of features, although the configuration should have been rejected.
    #[error("`{package}` has more than {max} combinations of features in the variant `{variant}`")]
    TooManyCombinations {
        /// Name of the variant.
        variant: String,
        /// Name of the package.
        package: String,
        /// Maximum number.
        max: u32,
    },
    /// The configured arguments exceed the command line limit, even without any file.
    #[error(
        "the arguments of tool `{tool}` are {len} bytes long, which exceeds the limit of {cap} bytes per command line; shorten `run` or `args` under [tools.{tool}]"
    )]
    CommandTooLong {
        /// Name of the tool.
        tool: String,
        /// Length of its arguments in bytes.
        len: usize,
        /// Limit of a command line in bytes.
        cap: usize,
    },
    /// A file name exceeds the command line limit.
    #[error(
        "the path {path} is {len} bytes long, which exceeds the limit of {cap} bytes per command line of tool `{tool}`; exclude it with `exclude = [\"…\"]` under [tools.{tool}]"
    )]
    ArgumentTooLong {
        /// Path of the file.
        path: RelPath,
        /// Tool that would be run on it.
        tool: String,
        /// Length of the path in bytes.
        len: usize,
        /// Limit in bytes.
        cap: usize,
    },
    /// A glob is invalid, although the configuration should have rejected it.
    #[error("tool `{tool}` has an invalid glob: {message}")]
    Glob {
        /// Name of the tool.
        tool: String,
        /// Cause, as reported by the glob library.
        message: String,
    },
}

/// Returns the packages that `selection` selects, sorted.
pub(super) fn packages(workspace: &Workspace, selection: &Selection) -> Result<Vec<PackageId>, PlanError> {
    let names = || workspace.packages.iter().map(|package| package.name.as_str());
    // The name alone is enough if it is that of one package.
    let is_named = |package: &Package, name: &String| {
        let cargo_name = package.cargo_name();
        package.name == *name || cargo_name == name && !names().any(|known| known == name)
    };
    for name in selection.packages.iter().chain(&selection.exclude) {
        if !workspace.packages.iter().any(|package| is_named(package, name)) {
            return Err(PlanError::UnknownPackage { name: name.clone(), hint: hint(name, names()) });
        }
    }
    let selected: Vec<_> = workspace
        .packages()
        .filter(|(_, package)| {
            selection.packages.is_empty() || selection.packages.iter().any(|name| is_named(package, name))
        })
        .filter(|(_, package)| !selection.exclude.iter().any(|name| is_named(package, name)))
        .map(|(id, _)| id)
        .collect();
    if selected.is_empty() && !workspace.packages.is_empty() {
        Err(PlanError::NothingSelected)
    } else {
        Ok(selected)
    }
}

/// Checks that the members have the features that `selection` names, because every tool of cargo would fail otherwise.
///
/// # Errors
///
/// If one is unknown. Features of dependencies are left to cargo.
pub fn check_features(workspace: &Workspace, selection: &Selection) -> Result<(), PlanError> {
    for name in &selection.features {
        let (owner, feature) = name.split_once('/').unwrap_or(("", name));
        let owner = owner.trim_end_matches('?');
        let members = workspace.packages_in(None).map(|(_, package)| package);
        let owners: Vec<_> =
            members.filter(|package| owner.is_empty() || package.cargo_name() == owner).collect();
        let known: BTreeSet<_> =
            owners.iter().flat_map(|package| package.features.keys()).map(String::as_str).collect();
        if !owners.is_empty() && !known.contains(feature) {
            let hint = match known.is_empty() {
                true => "there are no features".to_owned(),
                false => hint(feature, known.into_iter()),
            };
            return Err(PlanError::UnknownFeature { name: name.clone(), hint });
        }
    }
    Ok(())
}

/// The selected tools.
pub(super) struct Chosen {
    /// Selected tools, sorted by name.
    pub(super) tools: Vec<Tool>,
    /// Namespaces of the tools that are not selected.
    pub(super) unasked: BTreeSet<String>,
}

/// Returns the tools that `selection` selects: those named by `--tool` and the tools they need, or else all
/// tools that are detected in `workspace`; always without those named by `--skip-tool`.
pub(super) fn tools(
    workspace: &Workspace,
    mut tools: Vec<Tool>,
    selection: &Selection,
) -> Result<Chosen, PlanError> {
    tools.sort_by(|a, b| a.name.cmp(&b.name));
    for name in selection.tools.iter().chain(&selection.skip_tools) {
        if !tools.iter().any(|tool| tool.is_called(name)) {
            let hint = hint(name, tools.iter().map(|tool| tool.name.as_str()));
            return Err(PlanError::UnknownTool { name: name.clone(), hint });
        }
    }
    for name in &selection.variants {
        if !tools.iter().any(|tool| tool.is_in_variant(name)) {
            let known: BTreeSet<_> = tools.iter().map(Tool::variant_name).collect();
            let hint = hint(name, known.into_iter());
            return Err(PlanError::UnknownVariant { name: name.clone(), hint });
        }
    }
    let is_skipped = |tool: &Tool| {
        selection.skip_tools.iter().any(|name| tool.is_called(name))
            || !selection.variants.is_empty()
                && !selection.variants.iter().any(|name| tool.is_in_variant(name))
    };
    let is_used = |tool: &&Tool| tool.detect.as_ref().is_none_or(|signs| signs.are_in(workspace));
    let asked_for = match selection.tools.is_empty() {
        true => {
            let tools = tools.iter().filter(|tool| !tool.on_demand).filter(is_used);
            tools.map(|tool| tool.name.clone()).collect()
        }
        false => tools
            .iter()
            .filter(|tool| tool.is_one_of(&selection.tools))
            .map(|tool| tool.name.clone())
            .collect::<Vec<_>>(),
    };
    let skipped: BTreeSet<_> = tools.iter().filter(|tool| is_skipped(tool)).map(|tool| &tool.name).collect();
    let wanted = with_needs(&tools, asked_for.into_iter().filter(|name| !skipped.contains(name)).collect());
    let is_chosen = |tool: &Tool| wanted.contains(&tool.name) && !is_skipped(tool);
    let (mut tools, others): (Vec<_>, Vec<_>) = tools.into_iter().partition(is_chosen);
    // A tool that a required tool needs is required as well.
    let required = tools.iter().filter(|tool| tool.required).map(|tool| tool.name.clone()).collect();
    let required = with_needs(&tools, required);
    for tool in &mut tools {
        tool.required = required.contains(&tool.name);
        // Naming a tool on the command line has the same effect as configuring it.
        if tool.is_one_of(&selection.tools) {
            tool.detect = None;
        }
    }
    // A workspace without any tool is fine, but skipping the last tool is a mistake that a gate must not
    // pass.
    if tools.is_empty() && !(selection.skip_tools.is_empty() && selection.variants.is_empty()) {
        return Err(PlanError::NoTool);
    }
    filter(&mut tools, &others, selection)?;
    Ok(Chosen { tools, unasked: others.into_iter().flat_map(|tool| tool.namespaces).collect() })
}

/// Lets the selected tools run only the tests that `selection` names, if it names any.
fn filter(tools: &mut [Tool], others: &[Tool], selection: &Selection) -> Result<(), PlanError> {
    let names = &selection.filters;
    if names.is_empty() {
        return Ok(());
    }
    if let Some(option) = names.iter().find(|name| name.is_empty() || name.starts_with('-')) {
        return Err(PlanError::NotATestName(option.clone()));
    }
    let known = || {
        let all = tools.iter().chain(others).filter(|tool| tool.takes_test_names());
        let mut known: Vec<_> = all.map(|tool| tool.name.clone()).collect();
        known.sort();
        known
    };
    let asked = |tool: &&Tool| tool.is_one_of(&selection.tools);
    if !tools.iter().any(|tool| asked(&tool)) {
        return Err(PlanError::NoTestTool { names: names.clone(), known: known() });
    }
    if let Some(other) = tools.iter().filter(asked).find(|tool| !tool.takes_test_names()) {
        let tool = other.name.clone();
        return Err(PlanError::NotByName { tool, names: names.clone(), known: known() });
    }
    for tool in tools.iter_mut().filter(|tool| tool.is_one_of(&selection.tools)) {
        *tool = tool.for_tests(names);
    }
    Ok(())
}

/// Returns the arguments that run the tests with these names by one of the tools.
fn tests_hint(tools: &[String], names: &[String]) -> String {
    let spelt = |tool: &String| format!("`--tool {tool} -- {}`", names.join(" "));
    let all: Vec<_> = tools.iter().map(spelt).collect();
    match all.as_slice() {
        [] => "`--tool` with a tool that reads its output as `libtest` or `nextest`".to_owned(),
        all => all.join(" or "),
    }
}

/// Returns `names` and the tools they need, directly or not.
fn with_needs(tools: &[Tool], mut names: Vec<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    while let Some(name) = names.pop() {
        if found.insert(name.clone()) {
            names.extend(tools.iter().filter(|tool| tool.name == name).flat_map(|tool| tool.needs.clone()));
        }
    }
    found
}

fn hint<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<_> = known.collect();
    match config::closest(name, known.iter().copied()) {
        Some(similar) => format!("did you mean `{similar}`?"),
        None => {
            let are = if known.len() == 1 { "is" } else { "are" };
            format!("there {are} {}", config::listed(known))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing;
    use crate::model::tool::{Parse, Signs};

    /// Checks the selected tools, given one with detection (`shy`) and one without (`bold`), and whether each
    /// is wanted explicitly.
    #[track_caller]
    fn check(workspace: &Workspace, selection: Selection, expected: &[(&str, bool)]) {
        let texts = |text: &str| vec![text.to_owned()];
        let mut shy = testing::tool("shy", Parse::Lines, &["shy"]);
        shy.detect = Some(Signs {
            files: texts("shy.toml"),
            metadata: texts("shy"),
            build_dependencies: texts("shy"),
        });
        shy.configured = false;
        let tools = vec![testing::tool("bold", Parse::Lines, &["bold"]), shy];
        let chosen = super::tools(workspace, tools, &selection).expect("the names are right").tools;
        let left: Vec<_> = chosen.iter().map(|tool| (&*tool.name, !tool.is_only_detected())).collect();
        assert_eq!(left, expected);
    }

    #[test]
    fn a_tool_runs_if_it_is_detected_or_named() {
        let unused = testing::workspace(&[], &["a/shy.toml"]);
        let mut table = unused.clone();
        table.metadata.insert("shy".to_owned());
        let mut script = unused.clone();
        script.build_dependencies.insert("shy".to_owned());
        let named = |name: &str| Selection { tools: vec![name.to_owned()], ..Selection::default() };
        let skipped = Selection { skip_tools: vec!["shy".to_owned()], ..Selection::default() };
        check(&unused, Selection::default(), &[("bold", true)]);
        check(
            &testing::workspace(&[], &["shy.toml"]),
            Selection::default(),
            &[("bold", true), ("shy", false)],
        );
        check(&table, Selection::default(), &[("bold", true), ("shy", false)]);
        check(&script, Selection::default(), &[("bold", true), ("shy", false)]);
        check(&table, named("shy"), &[("shy", true)]);
        check(&unused, named("shy"), &[("shy", true)]);
        check(&table, named("bold"), &[("bold", true)]);
        check(&table, skipped.clone(), &[("bold", true)]);
        check(&unused, skipped, &[("bold", true)]);
    }

    #[test]
    fn features_that_no_member_has_are_unknown_and_those_of_dependencies_are_not() {
        let mut workspace = testing::workspace(&[("a", &[]), ("b", &[])], &[]);
        let check = |workspace: &Workspace, name: &str| {
            let selection = Selection { features: vec![name.to_owned()], ..Selection::default() };
            check_features(workspace, &selection).map_err(|error| error.to_string())
        };
        let unknown = |name: &str, hint: &str| {
            Err(format!("no package of this workspace has the feature `{name}` ({hint})"))
        };
        assert_eq!(check(&workspace, "full"), unknown("full", "there are no features"));
        workspace.packages[1].features = [("full".to_owned(), Vec::new())].into();
        for name in ["full", "b/full", "serde/derive", "serde?/derive"] {
            assert_eq!(check(&workspace, name), Ok(()), "{name}");
        }
        assert_eq!(check(&workspace, "ful"), unknown("ful", "did you mean `full`?"));
        assert_eq!(check(&workspace, "b/x"), unknown("b/x", "there is `full`"));
        assert_eq!(check(&workspace, "a/full"), unknown("a/full", "there are no features"));
    }
}
