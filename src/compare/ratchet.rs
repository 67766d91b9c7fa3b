//! Compares numbers, such as coverage, with the baseline entries that accept them.
//!
//! An entry stores the name of the number as its subject, the value as its code, and the direction that is better as its message.
//! With the direction, a merge can choose the stricter of two values without knowing the configuration.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::compare::identity::id_of;
use crate::model::finding::{Diagnostic, Entry, Finding, Level, Place, Site, State};
use crate::model::outcome::{Compared, Gone};
use crate::model::ratchet::{Better, Decimal, Number, NumberState};
use crate::model::text::Text;

/// Rule of entries and findings about numbers.
pub const RULE: &str = "number";

/// Returns the entry that accepts `value` for the number called `name`.
fn entry(name: &str, better: Better, value: &Decimal, reason: Option<String>) -> Entry {
    Entry {
        site: Site::Subject(name.to_owned()),
        rule: RULE.into(),
        scope: Text::default(),
        code: value.to_string().into(),
        msg: message(better).into(),
        in_variants: None,
        reason,
    }
}

fn message(better: Better) -> &'static str {
    match better {
        Better::Higher => "higher is better",
        Better::Lower => "lower is better",
    }
}

/// Returns name, better direction and value of the number that `entry` accepts. `None` if it accepts a finding.
pub fn accepted(entry: &Entry) -> Option<(&str, Better, Decimal)> {
    let Site::Subject(name) = &entry.site else { return None };
    let better = Better::ALL.into_iter().find(|better| message(*better) == entry.msg)?;
    let value = entry.code.parse().ok().filter(|_| entry.rule == RULE && entry.scope.is_empty())?;
    Some((name, better, value))
}

/// Result of comparing the numbers of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// The numbers, each with its accepted value and state.
    pub numbers: Vec<Number>,
    /// Findings for numbers that are worse than accepted, or not accepted yet.
    pub findings: Vec<Compared>,
    /// Entries that are stale or were not checked.
    pub gone: Vec<Gone>,
}

/// Removes the entries about numbers from `baseline` and returns them, for the namespaces of tools that report numbers
/// (`speaks_for`).
pub fn take(
    baseline: &mut BTreeMap<String, Vec<Entry>>,
    speaks_for: impl Fn(&str) -> bool,
) -> Vec<(String, Entry)> {
    let mut taken = Vec::new();
    for (ns, entries) in baseline.iter_mut().filter(|(ns, _)| speaks_for(ns)) {
        entries.retain(|entry| {
            let is_number = accepted(entry).is_some();
            if is_number {
                taken.push((ns.clone(), entry.clone()));
            }
            !is_number
        });
    }
    taken
}

/// Degree to which the numbers of a namespace are comparable with its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Not comparable, because they measure something else. Entries are kept, and no number is a new finding.
    Nothing,
    /// Only worse numbers count. Better ones may be due to another version of the tool.
    Worse,
    /// Better and worse numbers both count.
    Whole,
}

/// Compares `numbers` with the entries in `lines`, within the `extent` of their namespace.
pub fn judge(
    mut numbers: Vec<Number>,
    lines: Vec<(String, Entry)>,
    extent: impl Fn(&str) -> Extent,
) -> Judged {
    let mut judged = Judged::default();
    numbers.sort_by(|a, b| (&a.tool, &a.name).cmp(&(&b.tool, &b.name)));
    let mut left: Vec<_> = lines.into_iter().map(Some).collect();
    for number in &mut numbers {
        let is_own = |line: &(String, Entry)| {
            line.0 == number.ns && accepted(&line.1).is_some_and(|(name, ..)| name == number.name)
        };
        let own: Vec<_> = left.iter_mut().filter_map(|line| line.take_if(|line| is_own(line))).collect();
        // A merge may have kept the entries of both sides.
        let values = own.iter().filter_map(|(_, entry)| Some(accepted(entry)?.2));
        let strictest = values.reduce(|one, other| number.better.stricter(one, other));
        number.accepted = strictest;
        let lose = |state| {
            let gone = |(ns, entry): &(String, Entry)| Gone {
                ns: ns.into(),
                entry: entry.clone(),
                state,
                unseen: None,
                in_variants: None,
                cause: None,
            };
            own.iter().map(gone).collect::<Vec<_>>()
        };
        let order = number
            .accepted
            .as_ref()
            .map(|accepted| number.better.compare(&number.value, accepted, number.tolerance.as_ref()));
        let state = match (order, extent(&number.ns)) {
            (_, Extent::Nothing) | (Some(Ordering::Greater), Extent::Worse) => {
                judged.gone.extend(lose(State::Unknown));
                continue;
            }
            (None | Some(Ordering::Less), _) => NumberState::New,
            (Some(Ordering::Equal), _) => NumberState::Unchanged,
            (Some(Ordering::Greater), Extent::Whole) => NumberState::Better,
        };
        number.state = Some(state);
        match state {
            NumberState::New => judged.findings.push(finding(number)),
            NumberState::Unchanged => {}
            NumberState::Better => judged.gone.extend(lose(State::Fixed)),
        }
    }
    for (ns, entry) in left.into_iter().flatten() {
        // The tool no longer reports this number.
        let state = if extent(&ns) == Extent::Whole { State::Fixed } else { State::Unknown };
        judged.gone.push(Gone { ns: ns.into(), entry, state, unseen: None, in_variants: None, cause: None });
    }
    judged.numbers = numbers;
    judged
}

/// Returns a new finding that shows both values.
fn finding(number: &Number) -> Compared {
    let Number { tool, ns, name, value, accepted, better, .. } = number;
    let shown = |value: &Decimal| format!("`{}`", number.with_unit(value));
    let message = match accepted {
        Some(accepted) => format!("{name}: {} is worse than the accepted {}", shown(value), shown(accepted)),
        None => format!("{name}: {} is not accepted yet", shown(value)),
    };
    let entry = entry(name, *better, value, None);
    let finding = Finding {
        id: id_of(ns, &entry).into(),
        diagnostic: Diagnostic {
            test: None,
            place: Place::Subject(name.clone()),
            ns: ns.into(),
            rule: RULE.into(),
            level: Level::Error,
            message: message.into(),
            fatal: false,
            package: None,
            related: Vec::new(),
            fix: None,
        },
        msg: entry.msg,
        code: entry.code,
        scope: Text::default(),
        tools: [tool.into()].into(),
        seen_in: None,
    };
    Compared::new(finding, State::New)
}

/// Returns the updated entries for `numbers`, with their namespaces. Accepted values are tightened, never loosened.
pub fn tightened(numbers: &[Number], before: &BTreeMap<String, Vec<Entry>>) -> Vec<(String, Entry)> {
    let lines = numbers.iter().filter_map(|number| {
        let accepted = number.accepted.as_ref()?;
        // Entries of numbers without a state are kept by way of `Judged::gone`.
        let value = match number.state? {
            NumberState::Better => &number.value,
            NumberState::New | NumberState::Unchanged => accepted,
        };
        let reason = reason_of(number, before);
        Some((number.ns.clone(), entry(&number.name, number.better, value, reason)))
    });
    lines.collect()
}

/// Returns the reason for which the value of `number` was accepted, if one is given.
fn reason_of(number: &Number, baseline: &BTreeMap<String, Vec<Entry>>) -> Option<String> {
    let entries = baseline.get(&number.ns)?;
    let mut own = entries.iter().filter(|entry| {
        accepted(entry)
            .is_some_and(|(name, _, value)| name == number.name && Some(&value) == number.accepted.as_ref())
    });
    own.find_map(|entry| entry.reason.clone())
}

/// Merges the entries about numbers of base, ours and theirs, and removes them from all three. The change of one side wins over
/// none; if both changed a number, the stricter value is taken.
pub(super) fn merge(sides: [&mut Vec<Entry>; 3]) -> Vec<Entry> {
    let mut values: BTreeMap<(String, Text), [Option<Entry>; 3]> = BTreeMap::new();
    for (side, entries) in sides.into_iter().enumerate() {
        entries.retain(|entry| {
            let Some((name, better, value)) = accepted(entry) else { return true };
            let known = &mut values.entry((name.to_owned(), entry.msg.clone())).or_default()[side];
            let is_stricter = known
                .as_ref()
                .and_then(accepted)
                .is_none_or(|(_, _, before)| better.stricter(before.clone(), value.clone()) != before);
            if is_stricter {
                *known = Some(entry.clone());
            }
            false
        });
    }
    let merge_one = |[base, ours, theirs]: [Option<Entry>; 3]| match () {
        () if ours == theirs || theirs == base => ours,
        () if ours == base => theirs,
        () => match (ours, theirs) {
            (Some(ours), Some(theirs)) => {
                let (_, better, left) = accepted(&ours)?;
                let (_, _, right) = accepted(&theirs)?;
                Some(if better.stricter(left.clone(), right) == left { ours } else { theirs })
            }
            // One side removed it and the other changed it. Any value is stricter than none.
            (ours, theirs) => ours.or(theirs),
        },
    };
    values.into_values().filter_map(merge_one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: &str) -> Number {
        Number {
            tool: "cov".into(),
            ns: "cov".into(),
            name: "line coverage".into(),
            value: value.parse().unwrap(),
            accepted: None,
            better: Better::Higher,
            tolerance: Some("0.1".parse().unwrap()),
            unit: Some("%".into()),
            state: None,
        }
    }

    fn line(value: &str) -> Entry {
        entry("line coverage", Better::Higher, &value.parse().unwrap(), None)
    }

    fn judge_one(value: &str, lines: &[&str], extent: Extent) -> Judged {
        let lines = lines.iter().map(|value| ("cov".to_owned(), line(value))).collect();
        judge(vec![number(value)], lines, |_| extent)
    }

    fn states(judged: &Judged) -> (Option<NumberState>, usize, Vec<State>) {
        let gone = judged.gone.iter().map(|gone| gone.state).collect();
        (judged.numbers[0].state, judged.findings.len(), gone)
    }

    #[test]
    fn a_worse_number_is_new_and_a_better_one_makes_its_entry_stale() {
        assert_eq!(
            states(&judge_one("81.1", &["81.2"], Extent::Whole)),
            (Some(NumberState::Unchanged), 0, vec![])
        );
        let worse = judge_one("79.9", &["81.2"], Extent::Whole);
        assert_eq!(states(&worse), (Some(NumberState::New), 1, vec![]));
        let message = &worse.findings[0].finding.diagnostic.message;
        assert_eq!(message, "line coverage: `79.9 %` is worse than the accepted `81.2 %`");
        assert_eq!(
            states(&judge_one("90", &["81.2"], Extent::Whole)),
            (Some(NumberState::Better), 0, vec![State::Fixed])
        );
        let first = judge_one("90", &[], Extent::Whole);
        assert_eq!(states(&first), (Some(NumberState::New), 1, vec![]));
        assert_eq!(Entry::of(&first.findings[0].finding), line("90"));
    }

    #[test]
    fn the_stricter_of_two_entries_counts() {
        assert_eq!(
            judge_one("81.2", &["81.2", "85"], Extent::Whole).numbers[0].accepted,
            Some("85".parse().unwrap())
        );
    }

    #[test]
    fn another_version_of_a_tool_does_not_hide_a_worse_number() {
        let check = |value: &str| states(&judge_one(value, &["81.2"], Extent::Worse));
        assert_eq!(check("10"), (Some(NumberState::New), 1, vec![]));
        assert_eq!(check("81.2"), (Some(NumberState::Unchanged), 0, vec![]));
        assert_eq!(check("90"), (None, 0, vec![State::Unknown]));
        let gone = judge(Vec::new(), vec![("cov".into(), line("1"))], |_| Extent::Worse).gone;
        assert_eq!(gone[0].state, State::Unknown);
    }

    #[test]
    fn an_incomparable_number_keeps_its_entry() {
        assert_eq!(states(&judge_one("10", &["81.2"], Extent::Nothing)), (None, 0, vec![State::Unknown]));
        let gone = judge(Vec::new(), vec![("cov".into(), line("1"))], |_| Extent::Whole).gone;
        assert_eq!(gone[0].state, State::Fixed, "it is no longer reported");
    }

    #[test]
    fn an_update_tightens_and_never_loosens() {
        let before = BTreeMap::from([("cov".to_owned(), vec![line("81.2")])]);
        for (value, expected) in [("79.9", "81.2"), ("81.15", "81.2"), ("90.5", "90.5")] {
            let judged = judge_one(value, &["81.2"], Extent::Whole);
            assert_eq!(tightened(&judged.numbers, &before), [("cov".to_owned(), line(expected))], "{value}");
        }
        assert_eq!(tightened(&judge_one("90", &[], Extent::Whole).numbers, &before), []);
    }

    #[test]
    fn a_merge_takes_the_only_change_or_the_stricter_value() {
        let check = |base: &str, ours: &str, theirs: &str, expected: &str| {
            let [mut base, mut ours, mut theirs] = [base, ours, theirs].map(|value| vec![line(value)]);
            assert_eq!(merge([&mut base, &mut ours, &mut theirs]), [line(expected)]);
            assert!(base.is_empty() && ours.is_empty() && theirs.is_empty());
        };
        check("80", "81", "80", "81");
        check("80", "80", "75", "75");
        check("80", "81", "82", "82");
        check("80", "75", "82", "82");
    }
}
