//! Table of the results of all pairs, by kind.

use std::collections::BTreeMap;

use super::pair::{Outcome, Pair};
use super::parts::Sight;

#[derive(Default)]
pub(crate) struct Table {
    rows: BTreeMap<String, Row>,
    needless: Vec<String>,
}

#[derive(Clone, Copy, Default)]
struct Row {
    pairs: usize,
    stale_passes: usize,
    stale_failures: usize,
    needless: usize,
    ran_again: usize,
}

impl Row {
    fn add(&mut self, other: Self) {
        self.pairs += other.pairs;
        self.stale_passes += other.stale_passes;
        self.stale_failures += other.stale_failures;
        self.needless += other.needless;
        self.ran_again += other.ran_again;
    }
}

impl Table {
    pub(crate) fn add(&mut self, pair: &Pair, outcome: &Outcome) {
        let is_stale = outcome.is_stale_pass();
        let row = Row {
            pairs: 1,
            stale_passes: usize::from(is_stale),
            stale_failures: usize::from(!is_stale && !outcome.wrong.is_empty()),
            needless: usize::from(!outcome.needless.is_empty()),
            ran_again: usize::from(outcome.ran_again),
        };
        for key in [format!("1 {}", pair.part.name), format!("2 {}", pair.change.name()), "3 all".to_owned()]
        {
            self.rows.entry(key).or_default().add(row);
        }
        if !outcome.needless.is_empty() {
            let why = match pair.part.sight {
                Sight::Open => " (any file may be an input)",
                Sight::Untracked => " (the inputs are not stated)",
                _ => "",
            };
            self.needless.push(format!(
                "GENTI_SEED={} {}{why}\n        {}",
                pair.seed,
                pair.describe(),
                outcome.needless.join("\n        ")
            ));
        }
    }

    pub(crate) fn render(&self) -> String {
        let mut text = format!(
            "{:75} {:>6} {:>6} {:>9} {:>9} {:>9}\n",
            "kind", "pairs", "stale", "stale", "needless", "reruns on"
        );
        text += &format!(
            "{:75} {:>6} {:>6} {:>9} {:>9} {:>9}\n",
            "", "", "passes", "failures", "reruns", "return"
        );
        let mut group = ' ';
        for (name, row) in &self.rows {
            let (of, name) = name.split_at(1);
            if !of.starts_with(group) {
                group = of.chars().next().unwrap_or(' ');
                text.push('\n');
            }
            let Row { pairs, stale_passes, stale_failures, needless, ran_again } = row;
            text += &format!(
                "{:75} {pairs:>6} {stale_passes:>6} {stale_failures:>9} {needless:>9} {ran_again:>9}\n",
                name.trim()
            );
        }
        let mut needless = self.needless.clone();
        needless.sort();
        if !needless.is_empty() {
            text += &format!("\nneedless reruns:\n  {}\n", needless.join("\n  "));
        }
        text
    }
}
