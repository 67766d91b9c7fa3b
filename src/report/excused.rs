//! Words for the causes of findings in a run that is compared with a base. All reports use them.

use super::finished::{Finding, Finished};
use super::text::counted;
use crate::model::cause::{Cause, Caused};

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
    }
}

/// Returns the reason why the change did not cause findings of this cause, and what to do about them.
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
    let causes = Cause::ALL.into_iter().filter(|cause| *cause != Cause::Change);
    causes.map(of).filter(|(_, findings)| !findings.is_empty()).collect()
}

/// Counts the new findings that the change did not cause. `None` if there are none.
pub fn count(run: &Finished) -> Option<String> {
    let count = run.report.findings.iter().filter(|finding| finding.is_excused()).count();
    let findings = counted(count, "finding is", "findings are");
    (count > 0).then(|| format!("{findings} not caused by the change"))
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
