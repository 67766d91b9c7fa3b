//! The section about cost by tool and by path. The time of a process is divided evenly among its tasks.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::schedule::{Schedule, total};
use super::text::{duration, escape, in_fragment, number};

/// Maximum number of rows per table.
const MOST: usize = 25;

/// Cost of a tool or path.
#[derive(Default)]
struct Cost {
    micros: u64,
    processes: u64,
    tasks: usize,
}

/// Renders the section. Empty if there is no schedule.
pub(super) fn render(schedule: Option<&Schedule<'_>>) -> String {
    let Some(schedule) = schedule else { return String::new() };
    let (mut tools, mut paths): (BTreeMap<&str, Cost>, BTreeMap<&str, Cost>) = Default::default();
    for bar in &schedule.bars {
        let tool = tools.entry(bar.tool).or_default();
        tool.micros = tool.micros.saturating_add(bar.length());
        tool.processes += u64::from(bar.attempts);
        tool.tasks += bar.tasks.len();
        let share = bar.length() / bar.tasks.len() as u64;
        for task in bar.tasks {
            let path = paths.entry(&task.unit).or_default();
            path.micros = path.micros.saturating_add(share);
            path.tasks += 1;
        }
    }
    let whole = total(tools.values().map(|cost| cost.micros));
    let by_tool = table("By tool", "tool", tools, whole, true);
    let by_path = table("By path", "path", paths, whole, false);
    let parallel = match whole > schedule.end {
        true => " This is more than the duration of the run, because steps ran in parallel.",
        false => "",
    };
    format!(
        "<section aria-labelledby=\"cost\">\n<h2 id=\"cost\">Cost</h2>\n<p>Total process time: {}.{parallel}</p>\n<div class=\"costs\">\n{by_tool}{by_path}</div>\n</section>\n",
        duration(whole)
    )
}

fn table(title: &str, key: &str, costs: BTreeMap<&str, Cost>, whole: u64, with_processes: bool) -> String {
    let count = costs.len();
    let mut costs: Vec<_> = costs.into_iter().collect();
    costs.sort_by_key(|(name, cost)| (std::cmp::Reverse(cost.micros), *name));
    costs.truncate(MOST);
    let processes = if with_processes { "<th scope=\"col\" class=\"num wide\">Processes</th>" } else { "" };
    let mut html = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Cost {}\"><table class=\"{key}s\"><thead><tr><th scope=\"col\">{title}</th><th scope=\"col\" class=\"num\">Tasks</th>{processes}<th scope=\"col\" class=\"num\">Time</th><th scope=\"col\">Share</th></tr></thead>\n<tbody>\n",
        title.to_lowercase()
    );
    for (name, cost) in &costs {
        let per_mille = cost.micros.saturating_mul(1000) / whole.max(1);
        let shown =
            if key == "path" && *name == "." { "the whole selection".to_owned() } else { escape(name) };
        let processes = if with_processes {
            format!("<td class=\"num wide\">{}</td>", cost.processes)
        } else {
            String::new()
        };
        let link = match key {
            "tool" => format!("<a href=\"#tool={}\">{shown}</a>", in_fragment(name)),
            _ => shown,
        };
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{link}</th><td class=\"num\">{}</td>{processes}<td class=\"num\">{}</td><td class=\"share\"><svg width=\"100%\" height=\"8\" aria-hidden=\"true\" focusable=\"false\"><rect width=\"{}.{}%\" height=\"8\" rx=\"2\"/></svg><span>{}.{}&nbsp;%</span></td></tr>",
            number(cost.tasks),
            duration(cost.micros),
            per_mille / 10,
            per_mille % 10,
            per_mille / 10,
            per_mille % 10
        );
    }
    html.push_str("</tbody></table>");
    if count > costs.len() {
        let _ = write!(
            html,
            "<p class=\"none\">{} rows with less time not shown.</p>",
            number(count - costs.len())
        );
    }
    html.push_str("</div>\n");
    html
}
