//! The section about blind spots.

use std::fmt::Write as _;

use super::text::{escape, number, prose};
use crate::report::blind_spots::{by_kind, heading, summary};
use crate::report::finished::Finished;

/// Maximum number of blind spots per kind; the rest is counted.
const MOST: usize = 100;

/// Renders the section. Empty if there are no blind spots.
pub(super) fn render(run: &Finished) -> String {
    let spots = run.report.blind_spots.as_deref().unwrap_or_default();
    let Some(summary) = summary(spots) else { return String::new() };
    let mut html = format!(
        "<section aria-labelledby=\"blind-spots\">\n<h2 id=\"blind-spots\">Not checked</h2>\n<p>{}</p>\n",
        escape(&summary)
    );
    for (kind, spots) in by_kind(spots) {
        let _ =
            write!(html, "<details><summary>{} ({})</summary>\n<ul>\n", heading(kind), number(spots.len()));
        for spot in spots.iter().take(MOST) {
            let path = escape(&spot.path.to_string());
            let _ = writeln!(html, "<li><code>{path}</code>: {}</li>", prose(&spot.reason));
        }
        if spots.len() > MOST {
            let _ = writeln!(
                html,
                "<li>and {} more in <code>report.json</code></li>",
                number(spots.len() - MOST)
            );
        }
        html.push_str("</ul></details>\n");
    }
    html.push_str("</section>\n");
    html
}
