//! Scripted changes to real code with known truth: does `compare` recognize what is new and what is fixed?
//!
//! The test reads a workspace and numbers its bytes ([`world`]). A change ([`mutate`], [`format`]) moves bytes, removes
//! them, and adds bytes without a number. A stand-in for clippy ([`lints`]) checks the code before and after. The fate
//! of a finding is then known from where its bytes went ([`truth`]), and not from its appearance:
//!
//! - Every finding has an anchor, the word that causes it: `unwrap`, `return`, the name of the function. If the
//!   anchor still exists with a finding of the same lint, it is the same occurrence. Otherwise it is **fixed**. A
//!   finding at a new anchor, or at one that had no finding, is **new**.
//! - An occurrence with unchanged flagged code, and nothing added inside, is **known**, wherever it is now. The
//!   flagged code is defined in findings.md: the tokens of the range, at most 64 and the length; for less than four
//!   tokens, the statement around them; in a comment, its lines. The rest of the line may change.
//! - An occurrence with edited flagged code is another finding: one **new** and one **fixed**. If nearly all of the
//!   code is unchanged, it is the same one, *updated*. It is wrong to match two different occurrences. If the finding
//!   is about an item, because its message names one or its range contains the name of the enclosing one, and that item
//!   was not moved, it is the same finding: *updated*.
//! - Renaming an item edits every finding whose flagged code contains its name, and no other.
//! - A copy is **new**. If the original was removed or edited, an unchanged copy takes its place.
//! - A fixed and a new finding with equal path, lint, message and code are one known finding. Identical occurrences
//!   are counted and not distinguished.
//! - A tool that words a lint differently reports nothing new, except when it is combined with other changes:
//!   findings that are reworded and moved at once need not be recognized.
//!
//! `GENTI_TEST=full MUTATE=DIR cargo test --release --test mutations -- --nocapture` makes 1,000 changes to the
//! workspace at `DIR` and prints the table and all disagreements. `SEED=N` repeats one change.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests read the environment and print a table"
)]

#[path = "../support/dice.rs"]
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
use truth::{Before, Pair, Score, Verdict};
use world::World;

/// Results of all changes of one kind.
struct Row {
    kind: &'static Kind,
    changes: usize,
    total: Verdict,
}

#[test]
fn new_and_fixed_findings_are_recognized_through_every_change() {
    let is_full = std::env::var("GENTI_TEST").as_deref() == Ok("full");
    let before = Before::new(match std::env::var("MUTATE") {
        Ok(dir) => World::read(Path::new(&dir), &["."]),
        Err(_) => {
            World::read(Path::new(env!("CARGO_MANIFEST_DIR")), &["src/compare", "src/plan", "fixtures"])
        }
    });
    let seeds = match std::env::var("SEED").map(|seed| seed.parse().unwrap()) {
        Ok(seed) => seed..seed + 1,
        Err(_) => 0..if is_full { 1_000 } else { 400 },
    };
    let rows = run(&before, seeds);
    println!("{}", table(&before, &rows));

    let (mut new, mut fixed) = (Score::default(), Score::default());
    for Row { kind, total, .. } in &rows {
        new.add(total.new);
        fixed.add(total.fixed);
        let is_clean = total.new.got == total.new.right && total.fixed.got == total.fixed.right;
        assert!(is_clean || !kind.is_quiet, "{}: {:#?}", kind.name, total.disagreements);
    }
    for score in [new, fixed] {
        // With fewer than 100 changes, one may be wrong. The sample depends on the current code of this repository.
        let all = score.got.max(score.expected);
        assert!(all - score.right <= 1.max(all / 100), "fewer than 99 of 100 are right");
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
        // Every fifth change combines several kinds.
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
        row.total.near.add(verdict.near);
        row.total.pairs.extend(verdict.pairs);
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
    let mut near = Score::default();
    rows.iter().for_each(|row| near.add(row.total.near));
    let pairs: Vec<Pair> = rows.iter().flat_map(|row| &row.total.pairs).copied().collect();
    text += &format!(
        "updated because nearly all code is the same: {}, of them right: {}\n",
        near.got, near.right
    );
    text += "edited tokens, at most one in  edited, of all  others, of all\n";
    for one_in in [3, 4, 5, 6, 7, 8, 10, 12, 16, 20] {
        let count = |is_same: bool| {
            let of = || pairs.iter().filter(|pair| pair.is_same == is_same);
            let near = of().filter(|pair| pair.edits.0 * one_in <= pair.edits.1).count();
            format!("{near:8} {:8}", of().count())
        };
        text += &format!("{one_in:30} {} {}\n", count(true), count(false));
    }
    for disagreement in rows.iter().flat_map(|row| &row.total.disagreements) {
        text += disagreement;
        text.push('\n');
    }
    text
}
