//! Drift: differences between a run and its configuration, in the policy and in the selection.
//!
//! The repository defines its gate. A flag or an environment variable on one machine would turn it into
//! another gate, and `check` does not accept that. Settings that are not configured have their defaults. The
//! parallelism and the build directory don't affect results, so they can't drift. This module does not decide
//! what happens on drift.

use super::config::{BaselineConfig, PolicyConfig};
use crate::model::policy::Selection;
use crate::model::task::Plan;
use crate::model::workspace::Workspace;

/// A setting that differs from the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Name of the setting: a key of the policy, or an aspect of the selection.
    pub what: String,
    /// The setting of this run.
    pub here: Setting,
    /// The setting that the configuration asks for.
    pub configured: Setting,
    /// Kind of the setting.
    pub kind: DriftKind,
}

/// Kind of a setting that can drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriftKind {
    /// A key of the policy.
    Policy,
    /// The selection of packages, tools and files, or the build flags.
    Selection,
    /// The version of a tool.
    Version,
}

/// The value of a setting, and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The value.
    pub value: String,
    /// Origin of the value: a flag, an environment variable, a line of the configuration, or `default`.
    pub origin: String,
}

/// Compares the policy of a run (`asked` over `configured`) with what is `configured`.
pub(super) fn of_policy(asked: &PolicyConfig, configured: &PolicyConfig) -> Vec<Drift> {
    let effective = asked.over(configured);
    let both = effective.policy().settings().into_iter().zip(configured.policy().settings());
    both.filter(|((_, here), (_, there))| here != there)
        .map(|((what, here), (_, there))| Drift {
            what: what.to_owned(),
            here: Setting { value: here, origin: effective.origin(what).to_string() },
            configured: Setting { value: there, origin: configured.origin(what).to_string() },
            kind: DriftKind::Policy,
        })
        .collect()
}

/// Compares the selection of `plan` with everything, and its build flags with those of the baseline.
pub(super) fn of_selection(workspace: &Workspace, plan: &Plan, baseline: &BaselineConfig) -> Vec<Drift> {
    let selection = &plan.selection;
    let mut drift = Vec::new();
    let mut narrower = |what, here: String, by: String, whole: String| {
        let default = "default".to_owned();
        drift.push(Drift {
            what: str::to_owned(what),
            here: Setting { value: here, origin: by },
            configured: Setting { value: whole, origin: default },
            kind: DriftKind::Selection,
        });
    };
    let (asked, all) = (plan.asked.len(), workspace.packages.len());
    if asked < all {
        let by = [flags("-p", &selection.packages), flags("--exclude", &selection.exclude)].concat();
        narrower("package selection", format!("{asked} of {all}"), by.join(" "), format!("all {all}"));
    }
    if !selection.tools.is_empty() || !selection.skip_tools.is_empty() {
        let names: Vec<_> = plan.graph.tools.iter().map(|tool| tool.name.as_str()).collect();
        let by = [flags("--tool", &selection.tools), flags("--skip-tool", &selection.skip_tools)].concat();
        narrower("tool selection", names.join(", "), by.join(" "), "all tools".to_owned());
    }
    if !selection.variants.is_empty() {
        let by = flags("--variant", &selection.variants).join(" ");
        narrower("variant selection", selection.variants.join(", "), by, "all variants".to_owned());
    }
    if let Some(since) = &selection.since {
        narrower("file selection", format!("since {since}"), "--since".to_owned(), "all files".to_owned());
    }
    if !selection.filters.is_empty() {
        let names = selection.filters.join(" ");
        let by = format!("-- {names}");
        narrower("test selection", names, by, "all tests".to_owned());
    }
    drift.extend(of_build(selection, baseline));
    drift
}

/// Compares the build flags. A target counts only if the run sets one, since the host may differ between
/// machines.
fn of_build(selection: &Selection, baseline: &BaselineConfig) -> Option<Drift> {
    let mut expected = baseline.build.clone();
    if selection.target.is_none() {
        expected.target = None;
    }
    if selection.builds_like(&expected) {
        return None;
    }
    let setting = |build: &Selection, by: &str| match build.build_flags() {
        flags if flags.is_empty() => {
            Setting { value: "default flags".to_owned(), origin: "default".to_owned() }
        }
        flags => Setting { value: flags, origin: by.to_owned() },
    };
    Some(Drift {
        what: "build".to_owned(),
        here: setting(selection, "flags"),
        configured: setting(&baseline.build, "[baseline]"),
        kind: DriftKind::Selection,
    })
}

fn flags(flag: &str, names: &[String]) -> Vec<String> {
    names.iter().map(|name| format!("{flag} {name}")).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::policy::{Batch, Order, Parallel};
    use crate::plan::config::Origin;

    fn config(order: Option<Order>, batch: Option<&str>, by: &str) -> PolicyConfig {
        let by = match by.split_once(':') {
            Some((file, line)) => Origin::File { file: file.into(), line: line.parse().unwrap() },
            None => Origin::Variable(by.to_owned()),
        };
        let keys = [("order", order.is_some()), ("batch", batch.is_some())];
        let said = keys.into_iter().filter(|(_, is_said)| *is_said);
        PolicyConfig {
            order,
            batch: batch.map(|batch| batch.parse::<Batch>().unwrap()),
            origins: said.map(|(key, _)| (key, by.clone())).collect(),
            ..PolicyConfig::default()
        }
    }

    #[track_caller]
    fn check(asked: &PolicyConfig, configured: &PolicyConfig, expected: &[&str]) {
        let lines = of_policy(asked, configured).into_iter().map(|drift| {
            let Drift { what, here, configured, .. } = drift;
            format!("{what}: {} ({}), {} ({})", here.value, here.origin, configured.value, configured.origin)
        });
        assert_eq!(lines.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_policy_of_a_run_is_compared_with_the_configuration_or_the_default() {
        let none = PolicyConfig::default();
        let topo = config(Some(Order::Topo), None, "--order");
        let seven = config(None, Some("7"), "genti.toml:2");
        check(&none, &none, &[]);
        check(&none, &seven, &[]);
        check(&topo, &none, &["order: topo (--order), deterministic (default)"]);
        check(&config(None, Some("7"), "GENTI_BATCH"), &seven, &[]);
        check(
            &config(Some(Order::Topo), Some("auto"), "--x"),
            &seven,
            &["order: topo (--x), deterministic (default)", "batch: auto (--x), 7 (genti.toml:2)"],
        );
    }

    #[test]
    fn a_changed_time_limit_is_drift_and_parallelism_is_not() {
        let capped = |seconds| PolicyConfig {
            max_duration: Some(Duration::from_secs(seconds)),
            parallel: Some(Parallel::Auto),
            ..PolicyConfig::default()
        };
        check(&capped(60), &PolicyConfig::default(), &["max-duration: 1m (default), none (default)"]);
        check(&capped(60), &capped(120), &["max-duration: 1m (default), 2m (default)"]);
        check(&capped(60), &capped(60), &[]);
    }
}
