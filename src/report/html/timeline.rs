//! The timeline: slots, lanes and the critical path over time, as SVG.
//!
//! It is rendered here and not by the script, so it also works in print and without scripts. Positions are percentages of the
//! width, so it fits any page without stretching text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::text::{self, plural};
use super::schedule::{After, Bar, Schedule, Why, total};
use super::text::{duration, escape, number};
use crate::report::finished::{TaskLine, Tasks};

/// The whole width, in units of 0.001 %.
const WHOLE: u64 = 100_000;
/// Steps narrower than this (0.2 %) are drawn together with their neighbours.
const NARROW: u64 = 200;
/// Steps at least this wide (4 %) have room for a name.
const NAMED: u64 = 4_000;
/// Maximum number of rows for slots, and for lanes.
const MOST_ROWS: usize = 64;
/// Maximum number of lines in the description of the critical path.
const MOST_LINES: usize = 12;
/// Maximum number of rows in the table.
const MOST: usize = 200;

/// Renders the section.
pub(super) fn render(tasks: &Tasks, schedule: Option<&Schedule<'_>>) -> String {
    let is_hit =
        |task: &&TaskLine| task.timing.as_ref().is_some_and(|timing| timing.cache.as_deref() == Some("hit"));
    let hits = tasks.all().filter(is_hit).count();
    let cached = match hits {
        0 => String::new(),
        _ => format!("<p>{} of {} tasks were cached.</p>\n", number(hits), number(tasks.all().count())),
    };
    let body = match schedule {
        None if hits > 0 => cached,
        None => "<p class=\"none\">There are no times, because nothing was run or because <code>SOURCE_DATE_EPOCH</code> \
                         was set to make the artifacts reproducible.</p>\n"
            .to_owned(),
        Some(schedule) => format!("{}{cached}{}{}{}", words(schedule), chart(schedule), path(schedule), table(schedule)),
    };
    format!("<section aria-labelledby=\"timeline\">\n<h2 id=\"timeline\">Timeline</h2>\n{body}</section>\n")
}

fn words(schedule: &Schedule<'_>) -> String {
    let busy = total(schedule.bars.iter().map(Bar::length));
    let on_path = total(schedule.critical.iter().map(|at| schedule.bars[*at].length()));
    let room = schedule.end.saturating_mul(schedule.slots.into()).max(1);
    let percent = |part: u64, of: u64| part.saturating_mul(100) / of.max(1);
    let count = schedule.bars.len();
    format!(
        "<p>{} {} on {} {} in {}. The slots were busy for {} ({}&nbsp;%), and the critical path took {} ({}&nbsp;% of the duration).</p>\n",
        number(count),
        plural(count, "step", "steps"),
        schedule.slots,
        plural(schedule.slots as usize, "slot", "slots"),
        duration(schedule.end),
        duration(busy),
        percent(busy, room),
        duration(on_path),
        percent(on_path, schedule.end),
    )
}

fn chart(schedule: &Schedule<'_>) -> String {
    let mut html = format!(
        "<div class=\"chart\" role=\"img\" aria-label=\"Steps over time, by slot and by lane; the same data is in the table below\">\n{}",
        axis(schedule.end)
    );
    let critical: Vec<_> = schedule.critical.iter().map(|at| &schedule.bars[*at]).collect();
    row(&mut html, "critical path", schedule, critical, false);
    let mut slots: BTreeMap<u32, Vec<&Bar<'_>>> =
        (0..schedule.slots.min(MOST_ROWS as u32)).map(|slot| (slot, Vec::new())).collect();
    let mut lanes: BTreeMap<&str, Vec<&Bar<'_>>> = BTreeMap::new();
    for bar in &schedule.bars {
        slots.entry(bar.slot).or_default().push(bar);
        if let Some(lane) = bar.lane {
            lanes.entry(lane).or_default().push(bar);
        }
    }
    for (slot, bars) in slots.into_iter().take(MOST_ROWS) {
        row(&mut html, &format!("slot {slot}"), schedule, bars, true);
    }
    for (lane, bars) in lanes.into_iter().take(MOST_ROWS) {
        row(&mut html, &format!("lane {lane}"), schedule, bars, false);
    }
    html.push_str(
        "</div>\n<ul class=\"legend\" aria-hidden=\"true\"><li class=\"clean\">no findings</li><li class=\"findings\">findings</li>\
         <li class=\"open\">no result</li><li class=\"idle\">idle while the next step waited</li><li class=\"path\">on the critical path</li></ul>\n",
    );
    html
}

/// Renders ticks at round times along the top.
fn axis(end: u64) -> String {
    let mut html = String::from(
        "<div class=\"row axis\"><span></span><svg width=\"100%\" height=\"20\" focusable=\"false\">",
    );
    let step = step(end);
    for count in 0..=end / step {
        let tick = count * step;
        let at = position(tick, end);
        let anchor = match at {
            0 => "start",
            _ if at > WHOLE * 93 / 100 => "end",
            _ => "middle",
        };
        // A phone has room for every second label.
        let class = if count % 2 == 1 { " class=\"odd\"" } else { "" };
        let _ = write!(
            html,
            "<line x1=\"{0}\" x2=\"{0}\" y1=\"14\" y2=\"20\"/><text{class} x=\"{0}\" y=\"11\" text-anchor=\"{anchor}\">{1}</text>",
            percent(at),
            round(tick)
        );
    }
    html.push_str("</svg></div>\n");
    html
}

/// Times between two ticks, in milliseconds: 1, 2 and 5 times a power of ten below a second, then the parts into which a clock
/// divides minutes, hours and days.
const STEPS: [u64; 27] = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000,
    300_000, 600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000,
    86_400_000,
];

/// Returns the time between two ticks: the smallest that gives at most six intervals.
fn step(end: u64) -> u64 {
    let fitting = STEPS.into_iter().map(|millis| millis * 1_000).find(|step| end / step <= 6);
    // Longer runs have ticks at the same distance, however long they are.
    fitting.unwrap_or_else(|| (end / 6).max(1))
}

/// Formats the time of a tick: `500 ms`, `1.5 s`, `45 s`, `1:30 min`, `2 h`.
fn round(tick: u64) -> String {
    let (unit, name) = match tick {
        0 => return "0".to_owned(),
        1..1_000_000 => (1_000, "ms"),
        1_000_000..60_000_000 => (1_000_000, "s"),
        60_000_000..3_600_000_000 => (60_000_000, "min"),
        _ => (3_600_000_000, "h"),
    };
    match (tick / unit, tick % unit) {
        (whole, 0) => format!("{} {name}", text::number(whole)),
        (whole, rest) if name == "s" => format!("{whole}.{} {name}", rest / 100_000),
        (whole, rest) => format!("{}:{:02} {name}", text::number(whole), rest * 60 / unit),
    }
}

fn row(html: &mut String, label: &str, schedule: &Schedule<'_>, mut bars: Vec<&Bar<'_>>, with_idle: bool) {
    bars.sort_by_key(|bar| (bar.start, bar.end, bar.rank));
    let _ = write!(
        html,
        "<div class=\"row\"><span>{}</span><svg width=\"100%\" height=\"26\" focusable=\"false\">",
        escape(label)
    );
    let mut drawn_until = 0;
    let mut free_since = 0;
    let mut narrow: Vec<&Bar<'_>> = Vec::new();
    for bar in bars {
        let (start, end) = (position(bar.start, schedule.end), position(bar.end, schedule.end));
        if with_idle && bar.after.is_some() && start > drawn_until + NARROW {
            flush(html, &mut narrow, schedule.end);
            let idle = bar.start.saturating_sub(free_since);
            let title = format!("idle for {}: {}", duration(idle), waited(bar, schedule));
            draw(html, "idle", drawn_until, start, &title, "");
        }
        if end - start >= NARROW {
            flush(html, &mut narrow, schedule.end);
            let name = if end - start >= NAMED { bar.tool } else { "" };
            draw(html, &class(bar), start, end, &title(bar, schedule), name);
        } else {
            if narrow.last().is_some_and(|last| start > position(last.end, schedule.end) + NARROW / 2) {
                flush(html, &mut narrow, schedule.end);
            }
            narrow.push(bar);
        }
        drawn_until = drawn_until.max(end);
        free_since = free_since.max(bar.end);
    }
    flush(html, &mut narrow, schedule.end);
    html.push_str("</svg></div>\n");
}

/// Draws the collected narrow steps as one.
fn flush(html: &mut String, narrow: &mut Vec<&Bar<'_>>, whole: u64) {
    let Some(first) = narrow.first() else { return };
    let worst = narrow.iter().max_by_key(|bar| bar.worst().exit_status).unwrap_or(first);
    let start = position(first.start, whole);
    let end = narrow.iter().map(|bar| position(bar.end, whole)).max().unwrap_or(start).max(start + NARROW);
    let mut class = class(worst);
    if narrow.iter().any(|bar| bar.is_critical) && !worst.is_critical {
        class.push_str(" path");
    }
    let busy = duration(total(narrow.iter().map(|bar| bar.length())));
    let title = match narrow.as_slice() {
        [one] => format!("{}: {busy}", one.tool),
        all => format!("{} short steps: {busy}", number(all.len())),
    };
    draw(html, &class, start, end, &title, "");
    narrow.clear();
}

fn draw(html: &mut String, class: &str, start: u64, end: u64, title: &str, name: &str) {
    let _ = write!(
        html,
        "<svg class=\"{class}\" x=\"{}\" width=\"{}\" height=\"26\"><title>{}</title><rect width=\"100%\" height=\"20\" y=\"3\"/>",
        percent(start),
        percent(end.max(start + 1) - start),
        escape(title)
    );
    if class.contains("path") {
        html.push_str("<rect class=\"edge\" width=\"100%\" height=\"3\" y=\"23\"/>");
    }
    if !name.is_empty() {
        let _ = write!(html, "<text x=\"6\" y=\"17\">{}</text>", escape(name));
    }
    html.push_str("</svg>");
}

fn class(bar: &Bar<'_>) -> String {
    let class = match bar.worst().status.as_str() {
        "clean" | "skipped" => "clean",
        "findings" => "findings",
        _ => "open",
    };
    if bar.is_critical { format!("{class} path") } else { class.to_owned() }
}

fn title(bar: &Bar<'_>, schedule: &Schedule<'_>) -> String {
    let tasks = bar.tasks.len();
    format!(
        "{} (batch {}): {} from {}; {} {}, {}; {}",
        bar.tool,
        bar.rank,
        duration(bar.end - bar.start),
        duration(bar.start),
        number(tasks),
        plural(tasks, "task", "tasks"),
        bar.worst().status,
        waited(bar, schedule)
    )
}

/// Describes what a step waited for.
fn waited(bar: &Bar<'_>, schedule: &Schedule<'_>) -> String {
    let Some(After { bar: before, why }) = bar.after else { return "started immediately".to_owned() };
    let before = &schedule.bars[before];
    match why {
        Why::Need => format!("{} needs {}", bar.tool, before.tool),
        Why::Lane => format!(
            "{} waited for lane {}, held by {}",
            bar.tool,
            before.lane.unwrap_or_default(),
            before.tool
        ),
        Why::Batch => format!("{} follows {} in its batch", bar.tool, before.tool),
        Why::Slot => format!("{} waited for slot {}, taken by {}", bar.tool, before.slot, before.tool),
        Why::Other => format!("{} started after {} ended", bar.tool, before.tool),
    }
}

/// Describes the critical path. Consecutive steps of a tool share a line, and only the longest lines are shown.
fn path(schedule: &Schedule<'_>) -> String {
    let mut lines: Vec<(&Bar<'_>, usize, u64)> = Vec::new();
    for at in &schedule.critical {
        let bar = &schedule.bars[*at];
        match lines.last_mut().filter(|(first, ..)| first.tool == bar.tool) {
            Some((_, count, time)) => {
                *count += 1;
                *time = time.saturating_add(bar.length());
            }
            None => lines.push((bar, 1, bar.length())),
        }
    }
    let mut longest: Vec<_> = lines.iter().map(|(.., time)| *time).collect();
    longest.sort_unstable_by(|a, b| b.cmp(a));
    let least = longest.get(MOST_LINES).map_or(0, |next| next.saturating_add(1));
    let mut html = String::from("<h3>Critical path</h3>\n<ol class=\"path\">\n");
    let mut left_out = 0;
    for (bar, count, time) in lines {
        if time < least {
            left_out += count;
            continue;
        }
        let times = if count > 1 { format!(" {count} steps,") } else { String::new() };
        let _ = writeln!(
            html,
            "<li><b>{}</b>{times} {} <small>{}</small></li>",
            escape(bar.tool),
            duration(time),
            escape(&waited(bar, schedule))
        );
    }
    html.push_str("</ol>\n");
    if left_out > 0 {
        let _ = writeln!(
            html,
            "<p class=\"none\">{} shorter {} not shown.</p>",
            number(left_out),
            plural(left_out, "step", "steps")
        );
    }
    html
}

/// Renders the steps as a table, for readers who can't see the chart.
fn table(schedule: &Schedule<'_>) -> String {
    let mut bars: Vec<_> = schedule.bars.iter().collect();
    bars.sort_by_key(|bar| std::cmp::Reverse(bar.end - bar.start));
    let more = bars.len().saturating_sub(MOST);
    bars.truncate(MOST);
    bars.sort_by_key(|bar| (bar.start, bar.rank));
    let mut html = String::from(
        "<details class=\"steps\"><summary>Steps as a table</summary>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Steps\"><table>\n<thead><tr><th scope=\"col\">Step</th><th scope=\"col\" class=\"num\">Batch</th>\
         <th scope=\"col\">Lane</th><th scope=\"col\" class=\"num\">Slot</th><th scope=\"col\" class=\"num\">Tasks</th><th scope=\"col\" class=\"num\">Start</th>\
         <th scope=\"col\" class=\"num\">Duration</th><th scope=\"col\" class=\"num\">Waited</th><th scope=\"col\">Reason</th><th scope=\"col\" class=\"num\">Processes</th><th scope=\"col\">Status</th></tr></thead>\n<tbody>\n",
    );
    for bar in bars {
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{}</th><td class=\"num\">{}</td><td>{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td>\
             <td class=\"num\">{}</td><td class=\"num\">{}</td><td>{}</td><td class=\"num\">{}</td><td>{}</td></tr>",
            escape(bar.tool),
            bar.rank,
            escape(bar.lane.unwrap_or("–")),
            bar.slot,
            number(bar.tasks.len()),
            duration(bar.start),
            duration(bar.end - bar.start),
            duration(bar.start.saturating_sub(bar.ready)),
            escape(&waited(bar, schedule)),
            bar.attempts,
            escape(&bar.worst().status),
        );
    }
    html.push_str("</tbody></table></div>\n");
    if more > 0 {
        let _ = writeln!(html, "<p class=\"none\">{} shorter steps not shown.</p>", number(more));
    }
    html.push_str("</details>\n");
    html
}

fn position(time: u64, whole: u64) -> u64 {
    (u128::from(time.min(whole)) * u128::from(WHOLE) / u128::from(whole.max(1))) as u64
}

fn percent(position: u64) -> String {
    format!("{}.{:03}%", position / 1000, position % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_where_a_clock_has_them() {
        let check = |end: u64, expected: &str| {
            let step = step(end);
            let ticks: Vec<_> = (0..=end / step).map(|count| round(count * step)).collect();
            assert_eq!(ticks.join(", "), expected, "{end}");
        };
        const SECOND: u64 = 1_000_000;
        check(0, "0");
        check(900, "0");
        check(1_410_000, "0, 500 ms, 1 s");
        check(1_240_000, "0, 200 ms, 400 ms, 600 ms, 800 ms, 1 s, 1.2 s");
        check(61 * SECOND, "0, 10 s, 20 s, 30 s, 40 s, 50 s, 1 min");
        check(100 * SECOND, "0, 15 s, 30 s, 45 s, 1 min, 1:15 min, 1:30 min");
        check(185 * SECOND, "0, 30 s, 1 min, 1:30 min, 2 min, 2:30 min, 3 min");
        check(400 * SECOND, "0, 1 min, 2 min, 3 min, 4 min, 5 min, 6 min");
        check(31 * 60 * SECOND, "0, 5 min, 10 min, 15 min, 20 min, 25 min, 30 min");
        check(80 * 60 * SECOND, "0, 15 min, 30 min, 45 min, 1 h, 1:15 h");
        check(3 * 3600 * SECOND, "0, 30 min, 1 h, 1:30 h, 2 h, 2:30 h, 3 h");
        assert!((u64::MAX / step(u64::MAX)) <= 6);
    }
}
