//! What is other than configured: both sides, and the way out.

use genti::plan::{Drift, DriftKind};

use super::{Shell, visible_line};

/// Prints `drift`, for which nothing was run.
pub(crate) fn drift(shell: &mut Shell, drift: &[Drift]) {
    for Drift { what, here, configured, .. } in drift {
        shell.error(visible_line(&format!(
            "{what} is not as configured: `{}` here ({}), `{}` configured ({})",
            here.value, here.by, configured.value, configured.by
        )));
    }
    let has = |kind| drift.iter().any(|drift| drift.kind == kind);
    if has(DriftKind::Policy) {
        shell.note("write the policy that is meant under [policy], or leave the flag or the variable out");
    }
    if has(DriftKind::Selection) {
        shell.note("`--partial` lets a part pass as such; [baseline] says which build is the whole");
    }
    if has(DriftKind::Version) {
        shell.note("install the locked version, or take the one that is here with `cargo genti lock`");
    }
    shell.error("policy drift: nothing was run");
}
