//! Prints drift: settings that differ from the configuration, and how to resolve that.

use genti::plan::{Drift, DriftKind};

use super::{Shell, visible_line};

/// Prints the `drift` that prevented a run.
pub(crate) fn drift(shell: &mut Shell, drift: &[Drift]) {
    for one in drift {
        let Drift { what, here, configured, .. } = one;
        shell.error(visible_line(&format!(
            "{what} differs from the configuration: `{}` ({}) instead of `{}` ({})",
            here.value, here.origin, configured.value, configured.origin
        )));
        shell.note(visible_line(&way_out(one)));
    }
    shell.note("to run with these settings anyway, use `cargo genti run`, which is not a gate");
    shell.error("policy drift: nothing was run");
}

/// Returns what to do about `drift`: undo the deviation, or configure it.
fn way_out(drift: &Drift) -> String {
    let Drift { what, here, configured, kind } = drift;
    let by_flag = |origin: &str| origin.starts_with('-');
    let undo = |origin: &str| match origin {
        flag if by_flag(flag) => format!("remove `{flag}`"),
        variable => format!("unset `{variable}`"),
    };
    match kind {
        DriftKind::Policy => {
            // Durations and names are strings in TOML.
            let value = match here.value.parse::<u64>() {
                Ok(number) => number.to_string(),
                Err(_) => format!("\"{}\"", here.value),
            };
            format!("{}, or configure it: `{what} = {value}` under `[policy]`", undo(&here.origin))
        }
        DriftKind::Selection if what == "build" && here.origin == "default" => {
            format!(
                "pass `{}`, as under `[baseline]`; to accept this run as partial, pass `--partial`",
                configured.value
            )
        }
        DriftKind::Selection if what == "build" => format!(
            "remove `{}`, or configure it under `[baseline]`; to accept this run as partial, pass `--partial`",
            here.value
        ),
        DriftKind::Selection => {
            format!("{}; to accept this run as partial, pass `--partial`", undo(&here.origin))
        }
        DriftKind::Version if configured.value == "none" => {
            "lock the installed version with `cargo genti lock`".to_owned()
        }
        DriftKind::Version => {
            format!("install version {}, or lock the installed one with `cargo genti lock`", configured.value)
        }
    }
}
