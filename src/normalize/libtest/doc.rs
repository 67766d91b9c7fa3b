//! The names of doc tests: `PATH - ITEM (line N)`. The line is no part of what they are called here, for it changes with
//! every line that is added above.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

/// The parts of a name.
pub(super) struct DocTest<'a> {
    pub(super) path: &'a str,
    /// Empty for the documentation of a whole file.
    pub(super) item: &'a str,
    pub(super) line: u32,
}

impl<'a> DocTest<'a> {
    /// Reads a name, with or without what follows it in a list of results.
    pub(super) fn read(name: &'a str) -> Option<Self> {
        static NAME: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"^(.+?) - (?:(.+) )?\(line (\d+)\)(?: - [a-z ]+)?(?: \.\.\. .+)?$").expect("valid")
        });
        let found = NAME.captures(name)?;
        let item = found.get(2).map_or("", |item| item.as_str());
        Some(Self { path: found.get(1)?.as_str(), item, line: found[3].parse().ok()? })
    }
}

/// The lines of all doc tests of each item.
pub(super) struct DocTests<'a>(BTreeMap<(&'a str, &'a str), BTreeSet<u32>>);

impl<'a> DocTests<'a> {
    /// Those whose results stand in `lines`.
    pub(super) fn of(lines: &[&'a str]) -> Self {
        let mut all = BTreeMap::<_, BTreeSet<u32>>::new();
        for DocTest { path, item, line } in
            lines.iter().filter_map(|line| DocTest::read(line.strip_prefix("test ")?))
        {
            all.entry((path, item)).or_default().insert(line);
        }
        Self(all)
    }

    /// Which of the doc tests of its item `test` is, counted from 1: the same whether or not others fail.
    pub(super) fn number(&self, test: &DocTest<'_>) -> usize {
        let above = self.0.get(&(test.path, test.item)).map_or(0, |lines| lines.range(..test.line).count());
        above + 1
    }
}
