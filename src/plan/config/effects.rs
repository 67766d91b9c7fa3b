//! Effects of variants on a tool: whether it does something else in each of them. A tool that does not build the selection depends
//! only on some of what a variant sets.

use std::collections::BTreeMap;

use toml::Spanned;

use super::reader::ConfigReader;
use crate::model::path::RelPath;
use crate::model::policy::Selection;
use crate::model::powerset::Powerset;
use crate::model::tool::Tool;
use crate::model::variant::Variant;

/// Suggested fix for variants that change nothing.
const HELP: &str = "put `\"{selection}\"`, `\"{features}\"` or `\"{target}\"` into `run`, which stand for what a variant builds";

/// Reports the `given` variants in which `tool` does the same as in another one, so that its tasks would have the same ids.
pub(super) fn check<'a>(
    reader: &mut ConfigReader<'_>,
    tool: &'a Tool,
    given: impl Iterator<Item = (&'a Spanned<String>, &'a Variant)>,
) {
    // Everything that differs between two variants changes such a tool, and no two variants are the same.
    if tool.takes_variants() {
        return;
    }
    let default = Variant::default();
    let mut known = vec![(Variant::DEFAULT, Effect::of(tool, &default))];
    for (name, variant) in given {
        let effect = Effect::of(tool, variant);
        match known.iter().find(|(_, known)| *known == effect) {
            Some((Variant::DEFAULT, _)) => {
                let message = format!(
                    "`variants` has no effect on `{}`, whose command line does not depend on them",
                    tool.name
                );
                return reader.report_with(name.span(), message, HELP);
            }
            Some((other, _)) => {
                let message =
                    format!("`{}` does the same in `{}` as in `{other}`", tool.name, name.get_ref());
                reader.report_with(name.span(), message, format!("remove one of them, or {HELP}"));
            }
            None => known.push((&variant.name, effect)),
        }
    }
}

/// Returns true if `variant` changes what `tool` does.
pub(super) fn has_some(tool: &Tool, variant: &Variant) -> bool {
    tool.takes_variants() || Effect::of(tool, variant) != Effect::of(tool, &Variant::default())
}

/// Changes that a variant makes to a tool that does not build the selection.
#[derive(PartialEq, Eq)]
struct Effect<'a> {
    /// Features, whether all or no default ones are on, and their combinations.
    features: Option<(&'a [String], bool, bool, Option<&'a Powerset>)>,
    target: Option<&'a str>,
    vars: BTreeMap<&'a str, &'a str>,
    toolchain: Option<&'a str>,
    /// Root of the workspace whose packages it checks.
    workspace: Option<&'a RelPath>,
}

impl<'a> Effect<'a> {
    fn of(tool: &'a Tool, variant: &'a Variant) -> Self {
        let Selection { features, all_features, no_default_features, target, .. } = &variant.build;
        let flags = (&**features, *all_features, *no_default_features, variant.powerset.as_ref());
        let vars = tool.vars.iter().chain(&variant.vars);
        Self {
            features: tool.uses_features().then_some(flags),
            target: target.as_deref().filter(|_| tool.uses_target()),
            vars: vars.map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            toolchain: variant.toolchain.as_deref().filter(|_| tool.runs_toolchain()),
            workspace: variant.workspace.as_ref(),
        }
    }
}
