//! Scripted changes to real code, and whether `compare` tells what is new and what is fixed.
#![expect(clippy::disallowed_methods, reason = "tests read files and the environment")]

mod dice;
mod format;
mod lints;
mod mutate;
mod rust;
mod truth;
mod world;

use std::path::Path;

use dice::Dice;
use mutate::{KINDS, Kind, SEVERAL};
use truth::{Before, Score, Verdict};
use world::World;

/// What came of all changes of a kind.
struct Row {
    kind: &'static Kind,
    changes: usize,
    total: Verdict,
}

#[test]
fn what_is_new_and_what_is_fixed_is_told_through_every_change() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_full = std::env::var("GENTI_TEST").as_deref() == Ok("full");
    let before = Before::new(match std::env::var("MUTATE") {
        Ok(dir) => World::read(Path::new(&dir), &["."]),
        Err(_) => World::read(root, &["src/compare", "src/normalize", "src/plan", "fixtures"]),
    });
    let seeds = match std::env::var("SEED") {
        Ok(seed) => {
            let seed = seed.parse().unwrap();
            seed..seed + 1
        }
        Err(_) => 0..if is_full { 1_000 } else { 150 },
    };
    let rows = run(&before, seeds);
    let table = table(&before, &rows);
    println!("{table}");

    for row in &rows {
        let Verdict { new, disagreements, .. } = &row.total;
        assert!(!row.kind.is_quiet || new.got <= new.right, "{}: {disagreements:#?}", row.kind.name);
    }
}

fn run(before: &Before, seeds: std::ops::Range<u64>) -> Vec<Row> {
    static ALL: [Kind; 21] = {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t] = KINDS;
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, SEVERAL]
    };
    let mut rows: Vec<Row> =
        ALL.iter().map(|kind| Row { kind, changes: 0, total: Verdict::default() }).collect();
    for seed in seeds {
        // Every fifth is several changes at once.
        let mut dice = Dice::new(seed);
        let at = if seed % 5 == 4 { KINDS.len() } else { (seed - seed / 5) as usize % KINDS.len() };
        let row = &mut rows[at];
        let mut world = before.world.clone();
        let Some(change) = row.kind.apply(&mut world, &mut dice) else { continue };
        let verdict = before.judge(&world);
        row.changes += 1;
        row.total.findings += verdict.findings;
        row.total.new.add(verdict.new);
        row.total.fixed.add(verdict.fixed);
        if !verdict.disagreements.is_empty() {
            let lines = verdict.disagreements.join("\n    ");
            row.total.disagreements.push(format!("SEED={seed}: {change}\n    {lines}"));
        }
    }
    rows
}

fn table(before: &Before, rows: &[Row]) -> String {
    let percent = |right: usize, of: usize| {
        if of == 0 { "      ".to_owned() } else { format!("{:6.2}", 100.0 * right as f64 / of as f64) }
    };
    let mut text = format!(
        "{} files, {} findings\n{:20} changes  new: expected  got  precision  recall  fixed: expected  got  precision  recall\n",
        before.world.files.len(),
        before.findings(),
        "",
    );
    let columns = |score: Score| {
        let (precision, recall) = (percent(score.right, score.got), percent(score.right, score.expected));
        format!("{:8}  {:3}     {precision}  {recall}", score.expected, score.got)
    };
    let (mut new, mut fixed, mut changes) = (Score::default(), Score::default(), 0);
    for row in rows {
        new.add(row.total.new);
        fixed.add(row.total.fixed);
        changes += row.changes;
        let (new, fixed) = (columns(row.total.new), columns(row.total.fixed));
        text += &format!("{:20} {:7}       {new}         {fixed}\n", row.kind.name, row.changes);
    }
    text += &format!("{:20} {changes:7}       {}         {}\n", "all", columns(new), columns(fixed));
    for disagreement in rows.iter().flat_map(|row| &row.total.disagreements) {
        text += disagreement;
        text.push('\n');
    }
    text
}
