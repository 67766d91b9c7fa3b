//! Prints drift: settings that differ from the configuration, and how to resolve that.

use genti::plan::{Drift, DriftKind};

use super::{Shell, visible_line};

/// Prints the `drift` that prevented a run.
pub(crate) fn drift(shell: &mut Shell, drift: &[Drift]) {
    for Drift { what, here, configured, .. } in drift {
        shell.error(visible_line(&format!(
            "{what} differs from the configuration: `{}` ({}) instead of `{}` ({})",
            here.value, here.origin, configured.value, configured.origin
        )));
    }
    let has = |kind| drift.iter().any(|drift| drift.kind == kind);
    if has(DriftKind::Policy) {
        shell.note("change [policy] in the configuration, or remove the flag or environment variable");
    }
    if has(DriftKind::Selection) {
        shell.note("to accept a partial run, pass `--partial`; build flags are configured under [baseline]");
    }
    if has(DriftKind::Version) {
        shell.note("install the locked version, or lock the installed one with `cargo genti lock`");
    }
    shell.error("policy drift: nothing was run");
}
