//! Generated tables in pages. A table follows a marker `<!-- NAME -->` and an empty line, and ends at the next empty line.
//!
//! `SNAPSHOTS=overwrite cargo test --test docs` updates them.

use std::path::Path;

use crate::{ROOT, read};

/// Checks that each table of `page` equals the one that `table` generates for its marker. Returns the markers.
#[track_caller]
pub(crate) fn check(page: &str, table: impl Fn(&str) -> String) -> Vec<String> {
    let text = read(page);
    let (mut made, mut rest, mut markers) = (String::new(), text.as_str(), Vec::new());
    while let Some(at) = rest.find("<!-- ") {
        let (before, marker) = rest.split_at(at);
        let (marker, after) = marker.split_once(" -->\n\n").unwrap_or_else(|| panic!("{page}: {marker}"));
        let old = after.split("\n\n").next().unwrap().trim_end();
        let name = marker.trim_start_matches("<!-- ");
        made += &format!("{before}{marker} -->\n\n{}", table(name).trim_end());
        if old.starts_with('|') {
            rest = &after[old.len()..];
        } else {
            made += "\n\n";
            rest = after;
        }
        markers.push(name.to_owned());
    }
    made += rest;
    if std::env::var_os("SNAPSHOTS").is_some_and(|value| value == "overwrite") {
        std::fs::write(Path::new(ROOT).join(page), &made).unwrap();
    } else {
        for (line, (old, new)) in text.lines().zip(made.lines()).enumerate() {
            assert_eq!(old, new, "{page}:{}", line + 1);
        }
        assert!(text == made, "{page}");
    }
    markers
}
