//! The command that applies the fixes of a tool.

use crate::model::task::Plan;
use crate::model::tool::Tool;
use crate::model::workspace::Workspace;

/// Returns the command that applies the fixes of `tool` to the packages of `plan`, with the build flags of the plan. It ends with
/// the tool. `None` if the tool proposes no fixes. Flags that depend on the state of the repository are not included.
pub fn fix_command(workspace: &Workspace, plan: &Plan, tool: &Tool) -> Option<Vec<String>> {
    if !tool.parse.proposes_fixes() {
        return None;
    }
    let mut words = ["cargo", "genti", "fix"].map(str::to_owned).to_vec();
    let build = plan.build_of(tool);
    if !build.is_whole() {
        let packages = build.packages.iter().map(|id| workspace.package(*id).name.clone());
        words.extend(packages.flat_map(|name| ["-p".to_owned(), name]));
    }
    // The build flags of a variant are part of its definition, and it is part of the name of the tool.
    if tool.variant.is_none() {
        words.extend(plan.selection.build_flags().split_whitespace().map(str::to_owned));
    }
    words.extend(["--tool".to_owned(), tool.name.clone()]);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::policy::{Policy, Selection};
    use crate::model::testing;
    use crate::model::workspace::TargetKind::Lib;
    use crate::plan::config::{self, ConfigFile, Place};
    use crate::plan::{Facts, plan};

    /// Returns the fix command for the tool `name` of this configuration, with this selection.
    fn command(config: &str, name: &str, selection: Selection) -> Option<String> {
        let members = [("a", [(Lib, "a/src/lib.rs")]), ("b", [(Lib, "b/src/lib.rs")])];
        let members: Vec<_> = members.iter().map(|(dir, roots)| (*dir, roots.as_slice())).collect();
        let workspace = testing::workspace(&members, &["a/src/lib.rs", "b/src/lib.rs"]);
        let file = ConfigFile { name: "genti.toml".into(), text: config.into(), place: Place::File };
        let tools = config::load(&[file], None).unwrap().tools;
        let plan = plan(&workspace, tools, selection, Policy::default(), &Facts::default()).unwrap();
        let tool = plan.graph.tools.iter().find(|tool| tool.name == name).unwrap();
        Some(fix_command(&workspace, &plan, tool)?.join(" "))
    }

    #[test]
    fn every_tool_that_proposes_fixes_has_a_fix_command() {
        let check = |config: &str, name: &str, expected: Option<&str>| {
            assert_eq!(command(config, name, Selection::default()).as_deref(), expected, "{name}");
        };
        check("", "clippy", Some("cargo genti fix --tool clippy"));
        check("", "fmt", Some("cargo genti fix --tool fmt"));
        check("[tools.typos]\n", "typos", Some("cargo genti fix --tool typos"));
        check(
            "[tools.taplo]\nrun = ['sh', '-c', 'taplo fmt --diff']\nparse = 'diff'",
            "taplo",
            Some("cargo genti fix --tool taplo"),
        );
        check("", "test", None);
    }

    #[test]
    fn the_fix_command_keeps_the_selection() {
        let selection = Selection {
            packages: vec!["b".to_owned()],
            features: vec!["x".to_owned(), "y".to_owned()],
            target: Some("wasm32-unknown-unknown".to_owned()),
            ..Selection::default()
        };
        let expected = "cargo genti fix -p b --features x,y --target wasm32-unknown-unknown --tool clippy";
        assert_eq!(command("", "clippy", selection).as_deref(), Some(expected));
    }
}
