//! Lints that the locked version of a tool does not have, and whether their findings fail.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Project, lock};
use crate::model::cause::{Cause, Caused};
use crate::model::finding::{Diagnostic, Finding, State};
use crate::model::grace::{Grace, NoGrace};
use crate::model::notice::Notice;
use crate::model::outcome::{Compared, OtherVersion, Outcome, ToolOutcome};
use crate::model::policy::NewLints as Policy;
use crate::model::tool::{Tool, ToolId};
use crate::plan::config::Locked;
use crate::report::finished::{Finished, ToolReport};
use crate::scan::{self, Env, Stop};

/// Facts about a tool whose version is not the locked one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Newer {
    /// Rules that the locked version does not have; `None` if the rules of one of both are not known.
    pub(super) rules: Option<BTreeSet<String>>,
    /// True if the tool belongs to a toolchain that is not a stable release, as far as it matters.
    pub(super) is_prerelease: bool,
}

/// The new lints of a tool.
#[derive(Clone, Debug)]
pub(super) struct OfTool {
    /// Name of the tool.
    name: String,
    pub(super) newer: Newer,
    pub(super) grace: Grace,
}

/// The new lints of all tools of a plan.
#[derive(Clone, Debug, Default)]
pub(super) struct NewLints {
    /// One entry per tool of the plan; `None` if its version is the locked one, or none is locked.
    tools: Vec<Option<OfTool>>,
    /// Day on which the grace is checked.
    as_of: Option<Date>,
}

impl NewLints {
    /// Asks the tools of `project` whose version is not the locked one for their rules. `versions` has one version per tool.
    pub(super) fn ask(project: &Project, versions: &[Option<String>], env: &Env, stop: &Stop) -> Self {
        let newer = |(tool, version): (&Tool, &Option<String>)| {
            let locked = locked(project, tool, version.as_ref())?;
            let now = match locked.rules.is_empty() {
                true => None,
                false => lock::rules(project, tool, env, stop),
            };
            let rules = now.map(|now| now.difference(&locked.rules).cloned().collect::<BTreeSet<_>>());
            let is_needed = matches!(project.plan.policy.new_lints, Policy::WarnFor { .. })
                && rules.as_ref().is_some_and(|rules| !rules.is_empty());
            Some(Newer { is_prerelease: is_needed && lock::is_prerelease(project, tool, env, stop), rules })
        };
        let tools = project.plan.graph.tools.iter().zip(versions);
        Self::of(project, versions, tools.map(newer).collect(), project.as_of)
    }

    /// Decides on the grace of tools that are `newer` than locked, with one entry per tool. Leaves out the rules that the lock of
    /// this checkout has.
    pub(super) fn of(
        project: &Project,
        versions: &[Option<String>],
        newer: Vec<Option<Newer>>,
        as_of: Option<Date>,
    ) -> Self {
        let Project { plan, workspace, .. } = project;
        let policy = plan.policy.new_lints;
        let is_needed = policy != Policy::Fail && newer.iter().any(Option::is_some);
        let pinned = is_needed.then(|| scan::pinned_toolchain(&workspace.root)).flatten();
        let of = |((tool, version), newer): ((&Tool, &Option<String>), Option<Newer>)| {
            let (locked, newer) = (locked(project, tool, version.as_ref())?, newer?);
            // Other machines and artifacts may state anything.
            let rules = newer.rules.filter(|_| !locked.rules.is_empty());
            let rules = rules.map(|rules| rules.difference(&locked.rules).cloned().collect());
            let newer = Newer { rules, ..newer };
            let pinned = match tool.toolchain() {
                Some(named) => Some(named).filter(|name| scan::is_exact_toolchain(name)),
                None => pinned.as_deref().filter(|_| tool.has_version_of_toolchain()),
            };
            let version = version.as_deref().unwrap_or_default();
            let grace = Grace::of(policy, version, newer.is_prerelease, pinned, as_of);
            Some(OfTool { name: tool.name.clone(), newer, grace })
        };
        let tools = plan.graph.tools.iter().zip(versions).zip(newer);
        Self { tools: tools.map(of).collect(), as_of }
    }

    /// Takes the new lints from the artifacts of `run`.
    pub(super) fn stated(project: &Project, run: &Finished, as_of: Option<Date>) -> Self {
        let versions: Vec<_> = run.run.tools.iter().map(|tool| tool.version.clone()).collect();
        let newer = |report: &ToolReport| {
            let rules = report.new_lints.as_ref()?.rules.iter().map(ToString::to_string).collect();
            // Like the output of the tool, its channel is taken from the artifacts.
            Some(Newer { rules: Some(rules), is_prerelease: false })
        };
        Self::of(project, &versions, run.report.tools.iter().map(newer).collect(), as_of)
    }

    /// Returns what is known about each tool, for other machines.
    pub(super) fn newer(&self) -> impl Iterator<Item = Option<&Newer>> {
        self.tools.iter().map(|tool| tool.as_ref().map(|of| &of.newer))
    }

    /// Returns the new lints of the tool `id`, if its version is not the locked one.
    pub(super) fn of_tool(&self, id: ToolId) -> Option<&OfTool> {
        self.tools.get(id.0 as usize)?.as_ref()
    }

    /// Returns true if all findings fail.
    pub(super) fn is_empty(&self) -> bool {
        self.tools.iter().flatten().all(|of| of.excused().is_none())
    }

    /// Returns true if findings of `rule` by the tool called `tool` don't fail.
    pub(super) fn has(&self, tool: &str, rule: &str) -> bool {
        let mut own = self.tools.iter().flatten().filter(|of| of.name == tool);
        own.any(|of| of.excused().is_some_and(|rules| rules.contains(rule)))
    }

    /// Returns true if `finding` does not fail, because its rule is new in each tool that reports it.
    pub(super) fn cover(&self, finding: &Finding) -> bool {
        let Diagnostic { rule, fatal, .. } = &finding.diagnostic;
        !fatal && !finding.tools.is_empty() && finding.tools.iter().all(|tool| self.has(tool, rule))
    }

    /// Excuses the new findings of new lints, in a run that is not compared with a base.
    pub(super) fn excuse(&self, findings: &mut [Compared]) {
        if self.is_empty() {
            return;
        }
        let new = findings.iter_mut().filter(|compared| compared.state == State::New);
        for compared in new.filter(|compared| self.cover(&compared.finding)) {
            compared.cause = Some(Caused::by(Cause::NewLint).into());
        }
    }

    /// Records the lints of the excused findings in the outcomes of their tools. Returns the day on which the result depends, if
    /// it does.
    pub(super) fn record(&self, findings: &[Compared], tools: &mut [ToolOutcome]) -> Option<Date> {
        let is_excused = |compared: &&Compared| {
            compared.cause.as_ref().is_some_and(|caused| caused.cause == Cause::NewLint)
        };
        let mut depends_on_day = false;
        for Compared { finding, .. } in findings.iter().filter(is_excused) {
            for (of, outcome) in self.tools.iter().zip(&mut *tools) {
                let Some(of) = of.as_ref().filter(|of| finding.is_of(&of.name)) else { continue };
                let lints = outcome.new_lints.get_or_insert_default();
                lints.until = of.grace.until();
                lints.rules.insert(finding.diagnostic.rule.clone());
                depends_on_day |= lints.until.is_some();
            }
        }
        self.as_of.filter(|_| depends_on_day)
    }
}

impl Project {
    /// Returns the notice that `new-lints` has no effect, if no versions are locked.
    pub fn new_lints_without_lock(&self) -> Option<Notice> {
        let is_set = self.plan.policy.new_lints != Policy::Fail;
        (is_set && self.lock.is_none()).then(|| Notice::NewLintsWithoutLock { lock: self.lock_name.clone() })
    }
}

/// Records the tools whose version is not the locked one, and how many of their new findings are due to new rules.
pub(super) fn explain(project: &Project, outcome: &mut Outcome, new_lints: &NewLints) {
    let tools = project.plan.graph.tools.iter().zip(&new_lints.tools);
    for ((tool, of), result) in tools.zip(&mut outcome.tools) {
        let Some(locked) = locked(project, tool, result.version.as_ref()) else { continue };
        let rules = of.as_ref().and_then(|of| of.newer.rules.as_ref());
        let new = outcome
            .findings
            .iter()
            .filter(|found| found.state == State::New && found.finding.is_of(&tool.name));
        result.other_version = Some(OtherVersion {
            locked: locked.version.clone(),
            by_new_rules: rules
                .map(|rules| new.filter(|found| rules.contains(&*found.finding.diagnostic.rule)).count()),
            no_grace: of.as_ref().and_then(|of| match &of.grace {
                _ if rules.is_none() => Some(NoGrace::NoRules),
                Grace::Absent(reason) => Some(reason.clone()),
                Grace::Open | Grace::Until(_) => None,
            }),
        });
    }
}

/// Returns the locked version of `tool`, unless it is `version` or none is locked.
fn locked<'p>(project: &'p Project, tool: &Tool, version: Option<&String>) -> Option<&'p Locked> {
    project.lock.as_ref()?.differs(tool, version?)?
}

impl OfTool {
    /// Returns the new lints whose findings don't fail, if there are any.
    pub(super) fn excused(&self) -> Option<&BTreeSet<String>> {
        self.newer.rules.as_ref().filter(|rules| self.grace.holds() && !rules.is_empty())
    }
}
