//! New findings that don't fail: those that the change did not cause, one line each, by cause, with what to do about them, and those
//! of new lints, which are only counted.

use genti::report::finished::Finding;
use genti::report::text::counted;
use genti::report::{excused, short};

use super::super::visible_line;
use super::{MOST, Page, View};

pub(super) fn show(view: &View<'_>, page: &mut Page) {
    for (cause, findings) in excused::by_cause(view.run) {
        let count = counted(findings.len(), "finding", "findings");
        let (cause, advice) = (cause.as_str(), excused::advice(cause));
        page.note(format_args!("not caused by this change: {count} ({cause}): {advice}"));
        let most = if view.verbose { findings.len() } else { MOST };
        list(view, &findings, most, page);
    }
    for lints in excused::new_lints(view.run) {
        page.note(visible_line(&lints.summary()));
        if view.verbose {
            list(view, &lints.findings, lints.findings.len(), page);
        }
    }
}

fn list(view: &View<'_>, findings: &[&Finding], most: usize, page: &mut Page) {
    let line = |finding: &&Finding| {
        format!("{} ({})", short::line(finding), visible_line(view.run.tool_of(finding)))
    };
    findings.iter().take(most).for_each(|finding| page.below(line(finding)));
    if findings.len() > most {
        page.below(format_args!("and {} more", findings.len() - most));
    }
}
