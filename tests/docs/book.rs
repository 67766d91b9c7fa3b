//! Tests of the book as built by mdBook. They run only if `BOOK` is the path of the built book, because installing mdBook takes
//! minutes.
#![expect(clippy::print_stderr, reason = "a test that is left out must say so")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::ROOT;

/// Other tests check links in the sources with our own anchors. This one uses the anchors of mdBook.
#[test]
fn every_link_of_the_built_book_leads_somewhere() {
    let Some(book) = std::env::var_os("BOOK").map(|book| Path::new(ROOT).join(book)) else {
        eprintln!("left out: BOOK does not say where the book was built");
        return;
    };
    let (id, link) = (Regex::new(r#"id="([^"]+)""#).unwrap(), Regex::new(r#"href="([^"]+)""#).unwrap());
    let entries = fs::read_dir(&book).unwrap().map(|entry| entry.unwrap().path());
    let is_page = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "html");
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let pages: BTreeMap<_, _> =
        entries.filter(is_page).map(|path| (name(&path), fs::read_to_string(path).unwrap())).collect();
    let ids: BTreeMap<_, BTreeSet<_>> = pages
        .iter()
        .map(|(name, text)| {
            (name.as_str(), id.captures_iter(text).map(|found| found[1].to_owned()).collect())
        })
        .collect();
    let mut count = 0;
    for (page, text) in pages.iter().filter(|(page, _)| !matches!(page.as_str(), "print.html" | "404.html")) {
        for [target] in link.captures_iter(text).map(|found| found.extract().1) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            if file.contains("://") {
                continue;
            }
            let file = if file.is_empty() { page } else { file };
            assert!(book.join(file).exists(), "{page}: {target}");
            let is_there = |ids: &BTreeSet<String>| anchor.is_empty() || ids.contains(anchor);
            assert!(ids.get(file).is_none_or(is_there), "{page}: {target}");
            count += 1;
        }
    }
    assert!(count > 200, "{count}");
}
