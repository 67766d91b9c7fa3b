//! Renders a finished run as a self-contained HTML page that needs neither network nor server.
//!
//! Static sections are rendered here: verdict, tools, timeline and cost. The findings are embedded as data and rendered by the
//! script of the page (`page/`), because there may be tens of thousands of them. Text from tools can't become markup: it is
//! escaped (`text`), the data is JSON without any `<`, and the content security policy allows only the script and style whose
//! digests it names, and loads nothing.

mod blind_spots;
mod cost;
mod data;
mod excerpt;
mod group;
mod highlight;
mod origin;
mod patch;
mod schedule;
mod tables;
mod tested;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod text;
mod timeline;
mod verdict;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use self::schedule::Schedule;
use self::text::in_script;
use super::Around;
use super::finished::{Finished, Tasks};
use crate::model::halt::{Halt, Halted, Never};

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
/// The script: one JavaScript module made of several files, each of which uses only those before it.
const SCRIPT: &str = concat!(
    include_str!("page/findings.js"),
    include_str!("page/filter.js"),
    include_str!("page/card.js"),
    include_str!("page/list.js"),
    include_str!("page/bars.js"),
    include_str!("page/facets.js"),
    include_str!("page/page.js"),
);

/// Renders `run`, with excerpts from the sources and the output of tests. The same artifacts give the same bytes.
pub fn html(run: &Finished, tasks: &Tasks, around: &Around) -> Vec<u8> {
    until(run, tasks, around, &Never).expect("nobody halts it")
}

/// Renders the same page as `html`, but fails once `halt` is due.
pub(super) fn until(
    run: &Finished,
    tasks: &Tasks,
    around: &Around,
    halt: &dyn Halt,
) -> Result<Vec<u8>, Halted> {
    let schedule = Schedule::of(&run.run, tasks);
    let schedule = schedule.as_ref();
    let sign = verdict::sign(&run.run);
    let data = data::of(run, around, halt)?;
    let data = serde_json::to_string(&data).expect("columns of texts and numbers are JSON");
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data:; base-uri 'none'; form-action 'none'",
        digest(SCRIPT),
        digest(STYLE)
    );
    let checkout = around.checkout.as_ref();
    let name = origin::name(run, checkout);
    let parts = [
        ("policy", policy),
        ("title", format!("{name}: {}", sign.word.to_lowercase())),
        ("icon", icon(sign.class).to_owned()),
        ("style", STYLE.to_owned()),
        ("name", name),
        ("origin", origin::line(run, checkout)),
        ("verdict", verdict::render(run, schedule)),
        ("tools", tables::tools(run, schedule)),
        ("without-script", tables::without_script(run)),
        ("tests", tested::render(run, tasks)),
        ("timeline", timeline::render(tasks, schedule)),
        ("cost", cost::render(schedule)),
        ("blind-spots", blind_spots::render(run)),
        ("facts", tables::facts(run, checkout)),
        ("data", in_script(&data)),
        ("script", SCRIPT.to_owned()),
    ];
    Ok(fill(PAGE, &parts).into_bytes())
}

/// Replaces each `{{name}}` in `page` with the part of that name. Inserted text is not searched for names.
fn fill(page: &str, parts: &[(&str, String)]) -> String {
    let mut pieces = page.split("{{");
    let mut filled = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").expect("`{{` has a matching `}}`");
        let (_, part) = parts.iter().find(|(known, _)| *known == name).expect("every name has a part");
        filled.push_str(part);
        filled.push_str(rest);
    }
    filled
}

/// Source expression for `text` in a content security policy.
fn digest(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

/// Color of the favicon.
fn icon(class: &str) -> &'static str {
    match class {
        "good" => "%231a7f4b",
        "bad" => "%23c8322b",
        _ => "%237a5af0",
    }
}
