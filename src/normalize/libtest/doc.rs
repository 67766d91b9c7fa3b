//! Parses names of doc tests: `PATH - ITEM (line N)`. The line is not part of the identity, because it changes whenever
//! lines are added above.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

/// Parts of a doc test's name.
pub(super) struct DocTest<'a> {
    pub(super) path: &'a str,
    /// Empty for the documentation of a whole file.
    pub(super) item: &'a str,
    pub(super) line: u32,
}

impl<'a> DocTest<'a> {
    /// Parses a name, with or without the rest of its result line.
    pub(super) fn read(name: &'a str) -> Option<Self> {
        static NAME: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"^(.+?) - (?:(.+) )?\(line (\d+)\)(?: - [a-z ]+)?(?: \.\.\. .+)?$").expect("valid")
        });
        let found = NAME.captures(name)?;
        let item = found.get(2).map_or("", |item| item.as_str());
        Some(Self { path: found.get(1)?.as_str(), item, line: found[3].parse().ok()? })
    }
}

/// Lines of all doc tests of each item.
pub(super) struct DocTests<'a>(BTreeMap<(&'a str, &'a str), BTreeSet<u32>>);

impl<'a> DocTests<'a> {
    /// Collects the doc tests whose results are in `lines`.
    pub(super) fn of(lines: &[&'a str]) -> Self {
        let mut all = BTreeMap::<_, BTreeSet<u32>>::new();
        for DocTest { path, item, line } in
            lines.iter().filter_map(|line| DocTest::read(line.strip_prefix("test ")?))
        {
            all.entry((path, item)).or_default().insert(line);
        }
        Self(all)
    }

    /// Returns the number of `test` among the doc tests of its item, from 1. It does not depend on which of them fail.
    pub(super) fn number(&self, test: &DocTest<'_>) -> usize {
        let above = self.0.get(&(test.path, test.item)).map_or(0, |lines| lines.range(..test.line).count());
        above + 1
    }
}
