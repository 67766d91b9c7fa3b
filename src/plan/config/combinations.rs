//! Combinations of features: which tools can run them, and how they do.

use toml::Spanned;

use super::reader::ConfigReader;
use crate::model::tool::{Arg, Parse, Per, Piece, Targets, Tool, Work};

/// Reports a `tool` that can't run the combinations of the variant called `of`.
pub(super) fn check_tool(reader: &mut ConfigReader<'_>, tool: &Tool, of: &Spanned<String>) {
    if let Some((why, help)) = refused(tool) {
        let message =
            format!("`{}` can't run the combinations of `{}`, because {why}", tool.name, of.get_ref());
        reader.report_with(of.span(), message, help);
    }
}

/// Returns the reason why `tool` can't run once per package and combination of features, and what to do; `None` if it can.
fn refused(tool: &Tool) -> Option<(&'static str, &'static str)> {
    let remove = "remove it from `variants`";
    match (tool.parse.work(), tool.per) {
        (Work::Format, _) => Some(("the format of files does not depend on features", remove)),
        (Work::Read, _) => Some(("it builds nothing", remove)),
        (Work::RunScripts, _) => Some(("it runs the build scripts of all packages in one build", remove)),
        (Work::Build, _) => {
            Some(("it builds for other tools", "list the variant for the tools that need it instead"))
        }
        (_, Per::TestTarget) if !runs_programs(tool) => Some((
            "cargo has to run the tests of a combination, and this tool runs their programs in another way",
            "write `run = [\"{executable}\", \"{args}\"]`, or `run = [\"cargo\", \"test\", \"{selection}\", …]`",
        )),
        (_, Per::TestTarget) if !tool.files.is_empty() || !tool.exclude.is_empty() => Some((
            "cargo runs all test targets of a package then, and `files` and `exclude` select some",
            "remove those, or use a tool of your own with `\"cargo\", \"test\", \"{selection}\", \"--test\"` in `run`",
        )),
        (_, Per::TestTarget) if tool.sandbox.is_some() => Some((
            "cargo builds and runs the tests of a combination in one process, and `sandbox` is for tests alone",
            "use a tool of your own without `sandbox`",
        )),
        (Work::Lint | Work::Test | Work::Unknown, per) => {
            let takes_combinations = match per {
                Per::Workspace => tool.uses_selection(),
                Per::Package => tool.uses_features(),
                Per::TestTarget => true,
                Per::TargetRoot | Per::File => false,
            };
            let help = "write `\"{selection}\"` in `run` of a tool that runs per workspace, or `\"{features}\"` if it runs \
                        per package";
            (!takes_combinations).then_some(("it does not depend on the features of one package", help))
        }
    }
}

/// Returns true if `tool` only starts test programs, as `cargo test` would.
fn runs_programs(tool: &Tool) -> bool {
    tool.runs_executable() && tool.run.get(1..) == Some(&[Arg::Args]) && tool.parse == Parse::Libtest
}

/// Returns `tool` as it runs combinations of features: once per package and combination. Programs of tests have the same name in
/// each combination, so cargo builds them right before it runs them.
pub(super) fn with(tool: Tool) -> Tool {
    if !runs_programs(&tool) {
        return Tool { per: Per::Package, ..tool };
    }
    let word = |text: &str| Arg::Text(vec![Piece::Literal(text.to_owned())]);
    let run = ["cargo", "test"].map(word).into_iter().chain([Arg::Selection]);
    let run = run.chain(["--tests", "--no-fail-fast"].map(word)).chain([Arg::Args]);
    // They are for the programs, and not for cargo.
    let behind = (!tool.args.is_empty()).then(|| "--".to_owned());
    Tool {
        run: run.collect(),
        args: behind.into_iter().chain(tool.args).collect(),
        per: Per::Package,
        targets: tool.targets.or(Some(Targets::Test)),
        lane: Some("build".to_owned()),
        ..tool
    }
}
