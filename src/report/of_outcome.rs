//! Converts an outcome into a [`FinishedReport`], from which `report.json` and all other reports are rendered.

use std::path::Path;
use std::sync::Arc;

use globset::Glob;

use super::finished::{
    Ended, Finding, FinishedReport, GeneratedFileReport, GeneratedReport, GeneratedUnitReport, Gone,
    Incomplete, NewLintsReport, Suppression, ToolReport,
};
use crate::model::finding::{self, FailedTest, Related};
use crate::model::generated;
use crate::model::outcome::{self, Compared, Outcome, Suppressing, ToolOutcome};
use crate::model::path::RelPath;
use crate::model::tool::Tool;

impl FinishedReport {
    /// Converts `outcome`. Takes its findings and gone entries instead of cloning them, because there may be too many to
    /// have them in memory twice.
    pub fn take(outcome: &mut Outcome) -> Self {
        let findings = std::mem::take(&mut outcome.findings);
        let gone = std::mem::take(&mut outcome.gone);
        let suppressions = &outcome.suppressions;
        Self {
            against: outcome.against.clone(),
            as_of: outcome.as_of.map(|date| date.to_string()),
            blind_spots: outcome.blind_spots.clone(),
            gate: Ended::of(outcome.end),
            findings: findings.into_iter().map(|compared| finding(compared, suppressions)).collect(),
            gone: gone.into_iter().map(self::gone).collect(),
            generated: outcome.generated.iter().map(generated).collect(),
            golden_orphans: texts(&outcome.goldens.orphans),
            numbers: outcome.numbers.clone(),
            suppressions: suppressions.iter().map(suppression).collect(),
            tools: outcome.plan.graph.tools.iter().zip(&outcome.tools).map(tool).collect(),
        }
    }
}

impl Finding {
    /// Converts a finding that is not suppressed, for example before the end of the run.
    pub fn of(compared: Compared) -> Self {
        finding(Compared { suppressed_by: None, ..compared }, &[])
    }
}

fn finding(compared: Compared, suppressions: &[Suppressing]) -> Finding {
    let Compared { finding, state, accepted, suppressed_by, cause, .. } = compared;
    let finding::Finding { id, diagnostic, code, scope, tools, seen_in, .. } = finding;
    let seen_in = seen_in.filter(|seen| !seen.is_everywhere).map(|seen| Arc::clone(&seen.variants));
    let finding::Diagnostic { place, ns, rule, level, message, fatal, related, fix, test, .. } = diagnostic;
    let suppression = suppressed_by.map(|at| &suppressions[at].suppression);
    let matched_by = accepted.as_ref().map(|accepted| accepted.pass);
    let accepted_for = accepted.and_then(|accepted| accepted.entry.reason);
    // Related places and places of failed tests are written only if they are in a file.
    let in_file = |place: &finding::Place| place.path().is_some();
    let related_in_file =
        |Related { message, place }: Related| Related { message, place: place.filter(in_file) };
    let test = test.map(|test| {
        let FailedTest { at, item } = *test;
        Box::new(FailedTest { at: at.filter(in_file), item })
    });
    Finding {
        id,
        place,
        ns,
        rule,
        level,
        message,
        fatal,
        related: related.into_iter().map(related_in_file).collect(),
        fix: fix.filter(|fix| !fix.is_unsafe),
        test,
        code,
        scope,
        state,
        matched_by,
        reason: suppression.map(|suppression| suppression.reason.clone()).or(accepted_for),
        owner: suppression.and_then(|suppression| suppression.owner.clone()),
        tools,
        seen_in,
        cause,
    }
}

fn gone(gone: outcome::Gone) -> Gone {
    let outcome::Gone { ns, entry, state, unseen, in_variants: _, cause } = gone;
    let finding::Entry { site, rule, scope, code, msg, in_variants, reason } = entry;
    Gone { ns, site, rule, message: msg, code, scope, in_variants, reason, state, unseen, cause }
}

fn generated(generated: &generated::Generated) -> GeneratedReport {
    let file = |file: &generated::GeneratedFile| GeneratedFileReport {
        path: file.path.to_string(),
        bytes: file.len,
        digest: file.digest.to_string(),
    };
    let unit = |unit: &generated::GeneratedUnit| GeneratedUnitReport {
        inputs: texts(&unit.inputs),
        files: unit.files.iter().map(file).collect(),
    };
    GeneratedReport {
        package: generated.package.clone(),
        checked_in: generated.checked_in.as_ref().map(ToString::to_string),
        units: generated.units.iter().map(unit).collect(),
    }
}

fn suppression(suppressing: &Suppressing) -> Suppression {
    let crate::model::suppression::Suppression {
        rule,
        tool,
        path,
        subject,
        message,
        reason,
        owner,
        expires,
        file,
        line,
    } = &suppressing.suppression;
    Suppression {
        effect: suppressing.effect,
        matched: suppressing.matched,
        reason: reason.clone(),
        owner: owner.clone(),
        expires: expires.map(|date| date.to_string()),
        // A file passed with `--config-file` may be outside of the workspace.
        file: Path::new(&**file).is_relative().then(|| file.to_string()),
        line: *line,
        rule: rule.clone(),
        tool: tool.clone(),
        path: path.as_ref().map(Glob::glob).map(str::to_owned),
        subject: subject.clone(),
        message: message.clone(),
    }
}

fn tool((tool, outcome): (&Tool, &ToolOutcome)) -> ToolReport {
    let incomplete =
        |(unit, reason): &(String, String)| Incomplete { unit: unit.clone(), reason: reason.clone() };
    ToolReport {
        name: tool.name.clone(),
        required: tool.required,
        census: outcome.census.clone(),
        verdict: outcome.verdict,
        new: outcome.new,
        migration: outcome.migration.clone(),
        unchanged: outcome.unchanged,
        updated: outcome.updated,
        suppressed: outcome.suppressed,
        skipped: outcome.skipped,
        fixed: outcome.fixed,
        unknown: outcome.unknown,
        incomplete: outcome.incomplete.iter().map(incomplete).collect(),
        notices: outcome.notices.clone(),
        leaky: outcome.leaky.clone(),
        new_lints: outcome.new_lints.as_ref().map(|lints| NewLintsReport {
            rules: lints.rules.iter().cloned().collect(),
            until: lints.until.map(|day| day.to_string()),
        }),
    }
}

fn texts(paths: &[RelPath]) -> Vec<String> {
    paths.iter().map(ToString::to_string).collect()
}
