//! Words for new findings that don't fail: those that the change did not cause, in a run that is compared with a base, and those of
//! new lints. All reports use them.

use std::collections::{BTreeMap, BTreeSet};

use super::finished::{Finding, Finished, Tool, ToolReport};
use super::text::counted;
use crate::model::cause::{Cause, Caused};
use crate::model::release::Release;

/// Number of inputs that a sentence names.
const MOST: usize = 3;

/// Returns the cause as a sentence.
pub fn sentence(caused: &Caused) -> String {
    match caused.cause {
        Cause::Change => match inputs(caused) {
            Some(inputs) => format!("Caused by the change: differs from the base in {inputs}."),
            None => "Caused by the change, as far as is known.".to_owned(),
        },
        Cause::World => {
            "Not caused by the change: something outside of the repository has changed.".to_owned()
        }
        Cause::Tool => "Not caused by the change: the tool is not at the locked version.".to_owned(),
        Cause::Base => "Not caused by the change: the base has it as well.".to_owned(),
        Cause::NewLint => {
            "Does not fail yet: the locked version of the tool does not have this lint.".to_owned()
        }
    }
}

/// Returns the reason why findings of this cause don't fail, and what to do about them.
pub fn advice(cause: Cause) -> &'static str {
    match cause {
        Cause::Change => "fix them, or accept them with a reason",
        Cause::World => {
            "nothing that the tool reads differs from the base, so something outside has changed, such as an advisory; \
             fix them in a change of their own"
        }
        Cause::Tool => {
            "the tool is not at the version in genti.lock; fix or accept them together with `cargo genti lock`, in a change \
             of its own"
        }
        Cause::Base => "the base has them as well; fix them there",
        Cause::NewLint => {
            "the version in genti.lock does not have these lints; fix or accept them in a change of its own, with `cargo \
             genti lock`"
        }
    }
}

/// Names the first inputs that differ.
fn inputs(caused: &Caused) -> Option<String> {
    let named = caused.inputs.iter().take(MOST).cloned().collect::<Vec<_>>();
    let more = caused.inputs.len() - named.len() + caused.more;
    match (named.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(named.join(", ")),
        (false, more) => Some(format!("{} (and {more} more)", named.join(", "))),
    }
}

/// Returns the new findings that the change did not cause, by cause. Causes without findings are left out.
pub fn by_cause(run: &Finished) -> Vec<(Cause, Vec<&Finding>)> {
    let of = |cause: Cause| {
        let has = |finding: &&Finding| finding.cause.as_ref().is_some_and(|caused| caused.cause == cause);
        (cause, run.report.findings.iter().filter(has).collect::<Vec<_>>())
    };
    let causes = [Cause::World, Cause::Tool, Cause::Base].into_iter();
    causes.map(of).filter(|(_, findings)| !findings.is_empty()).collect()
}

/// The findings of new lints of a tool, which don't fail.
pub struct NewLints<'a> {
    tool: &'a Tool,
    report: &'a ToolReport,
    /// The findings, in their order.
    pub findings: Vec<&'a Finding>,
}

impl NewLints<'_> {
    /// Says how many findings there are of how many lints, until when they don't fail, and what to do.
    pub fn summary(&self) -> String {
        let Self { tool, report, findings } = self;
        let rules: BTreeSet<_> = findings.iter().map(|finding| &finding.rule).collect();
        let lints = counted(rules.len(), "new lint", "new lints");
        let findings = counted(findings.len(), "finding", "findings");
        let until = report.new_lints.as_ref().and_then(|lints| lints.until.as_ref());
        let grace = until.map_or("no finding fails".to_owned(), |day| format!("grace until {day}"));
        format!("{} has {lints} here: {findings}; {grace}: run `cargo genti upgrade`", named(tool))
    }
}

/// Returns the name of `tool` with the number of its version.
fn named(tool: &Tool) -> String {
    let release = tool.version.as_deref().and_then(Release::of);
    release.map_or_else(|| tool.name.clone(), |release| format!("{} {}", tool.name, release.number))
}

/// Returns the findings of new lints by tool. Tools without such findings are left out.
pub fn new_lints(run: &Finished) -> Vec<NewLints<'_>> {
    let mut findings: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in run.report.findings.iter().filter(|finding| finding.is_of_new_lint()) {
        findings.entry(run.tool_of(finding)).or_default().push(finding);
    }
    let with = run.tools().filter_map(|(tool, report)| {
        let findings = findings.remove(tool.name.as_str())?;
        Some(NewLints { tool, report, findings })
    });
    with.collect()
}

/// Counts the new findings that don't fail. `None` if there are none.
pub fn count(run: &Finished) -> Option<String> {
    let excused = || run.report.findings.iter().filter(|finding| finding.is_excused());
    let of_new_lints = excused().filter(|finding| finding.is_of_new_lint()).count();
    let others = excused().count() - of_new_lints;
    let findings = |count: usize, what: &str| {
        (count > 0).then(|| format!("{} {what}", counted(count, "finding is", "findings are")))
    };
    let counts = [findings(others, "not caused by the change"), findings(of_new_lints, "of new lints")];
    let counts: Vec<_> = counts.into_iter().flatten().collect();
    (!counts.is_empty()).then(|| counts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_names_the_first_inputs() {
        let change = |count: usize| sentence(&Caused::by_change((0..count).map(|at| format!("f{at}"))));
        assert_eq!(change(0), "Caused by the change, as far as is known.");
        assert_eq!(change(1), "Caused by the change: differs from the base in f0.");
        assert_eq!(change(5), "Caused by the change: differs from the base in f0, f1, f2 (and 2 more).");
        assert_eq!(sentence(&Caused::by(Cause::Base)), "Not caused by the change: the base has it as well.");
    }
}
