//! The head of the page: the name of the repository, the commit, the version of genti and the command line.

use super::super::checkout::command_line;
use super::text::{escape, number};
use crate::model::commit::Commit;
use crate::report::finished::Finished;
use crate::report::{Checkout, text};

/// Version of genti that makes the page.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Maximum number of packages in a name, and of changed files in the facts.
const MOST: usize = 3;
/// Number of digits of a shortened commit.
const SHORT: usize = 10;

/// Returns the name of the repository or directory. If it is not known, the names of the packages.
pub(super) fn name(run: &Finished, checkout: Option<&Checkout>) -> String {
    match checkout.map(Checkout::name).filter(|name| !name.is_empty()) {
        Some(name) => escape(name),
        None => {
            let packages = &run.run.selection.packages;
            let shown: Vec<_> = packages.iter().take(MOST).map(|name| escape(name)).collect();
            let more = packages.len() - shown.len();
            let more = if more > 0 { format!(" and {} more", number(more)) } else { String::new() };
            format!("{}{more}", shown.join(", "))
        }
    }
}

/// Renders the line below the name.
pub(super) fn line(run: &Finished, checkout: Option<&Checkout>) -> String {
    let mut parts: Vec<_> = checkout.and_then(commit).into_iter().collect();
    parts.push(format!("genti {VERSION}"));
    parts.push(format!("<code class=\"command\">{}</code>", escape(&command_line(&run.run, checkout))));
    parts.join(" · ")
}

/// Renders the commit, for example "`1a2b3c4d5e` on `main` with 2 uncommitted files".
fn commit(checkout: &Checkout) -> Option<String> {
    let Commit { id, branch, changed } = checkout.commit.as_ref()?;
    let short = format!("<code>{}</code>", escape(&id.chars().take(SHORT).collect::<String>()));
    let short = match checkout.linked() {
        Some((_, forge)) => {
            format!("<a href=\"{}\" rel=\"noopener noreferrer\">{short}</a>", escape(&forge.commit(id)))
        }
        None => short,
    };
    let branch = branch.as_ref().map(|branch| format!(" on <code>{}</code>", escape(branch)));
    let state = match changed.as_slice() {
        [] => String::new(),
        all => format!(" with {}", text::counted(all.len(), "uncommitted file", "uncommitted files")),
    };
    Some(format!("{short}{}{state}", branch.unwrap_or_default()))
}

/// Returns facts about the commit, as names with markup. Empty if it is not known.
pub(super) fn facts(checkout: Option<&Checkout>) -> Vec<(&'static str, String)> {
    let Some(Commit { id, branch, changed }) = checkout.and_then(|checkout| checkout.commit.as_ref()) else {
        return Vec::new();
    };
    let shown: Vec<_> = changed.iter().take(MOST).map(|path| escape(&path.to_string())).collect();
    let tree = match changed.len() - shown.len() {
        _ if changed.is_empty() => "none".to_owned(),
        0 => shown.join(", "),
        more => format!("{} and {} more", shown.join(", "), number(more)),
    };
    vec![
        ("Commit", format!("<code>{}</code>", escape(id))),
        ("Branch", branch.as_deref().map_or("none: a detached HEAD".to_owned(), escape)),
        ("Uncommitted files", tree),
    ]
}
