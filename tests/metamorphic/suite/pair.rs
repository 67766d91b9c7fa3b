//! A workspace and a change to it, generated from one seed, with the runs before and after the change.

use std::collections::BTreeMap;

use super::change::{Change, Idle, Subject};
use super::dice::Dice;
use super::draft::{Draft, LIB};
use super::parts::{self, Part, Seat, Sight, Tool};
use super::seen::{Difference, Seen};
use super::spot::Spot;
use super::world::{Times, World};

/// Relation between the runs before and after the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Same directory, same cache.
    InPlace,
    /// Same directory and cache, with files that have been unchanged for some time.
    Settled,
    /// Second run in another checkout with a shared cache.
    Carried,
    /// Second run with `--no-cache` in the existing build directory.
    NoCache,
    /// Stored results are lost between the runs, but not the build directory.
    Forgotten,
    /// Several changes of several parts, with a run after each.
    InTurn,
}

/// Unusual properties of a workspace that are unrelated to the part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Setting {
    /// The target directory is a link.
    target_is_link: bool,
    /// A link leads to one of its parent directories.
    has_loop: bool,
    /// Cargo builds in the user's own target directory.
    is_shared: bool,
    /// A run of one package comes first.
    has_part: bool,
    /// Additional change that cannot matter.
    idle: Option<Idle>,
}

impl Setting {
    fn random(dice: &mut Dice) -> Self {
        let mut one_in = |count| dice.below(count) == 0;
        let mut setting = Self {
            target_is_link: one_in(12),
            has_loop: one_in(12),
            is_shared: one_in(16),
            has_part: one_in(12),
            idle: None,
        };
        if one_in(4) {
            setting.idle = Some(Idle::elsewhere(dice));
        }
        setting
    }

    fn set_up(self, world: &mut World) {
        if self.target_is_link {
            world.make_dir("out/target");
            world.link("repo/ws/target", "out/target");
        }
        if self.has_loop {
            world.link("repo/ws/a/around", "repo/ws");
        }
        if self.is_shared {
            world.set("GENTI_BUILD_DIR", Some("shared"));
        }
        if self.has_part {
            world.run(&["run", "-p", "a"]);
        }
    }
}

/// Workspace with a change, to run before and after it.
pub(crate) struct Pair {
    pub(crate) seed: u64,
    pub(crate) tool: Tool,
    pub(crate) part: &'static Part,
    spot: Spot,
    /// Parts that are not changed.
    others: Vec<(&'static Part, Spot)>,
    pub(crate) change: Change,
    is_bad_first: bool,
    route: Route,
    setting: Setting,
}

/// Results of a pair.
#[derive(Default)]
pub(crate) struct Outcome {
    /// Runs that differ from a fresh run, each with its description and difference.
    pub(crate) wrong: Vec<(String, Difference)>,
    /// Runs that started something although nothing relevant had changed.
    pub(crate) needless: Vec<String>,
    /// Fresh runs without the expected result, which means that the generator is wrong.
    pub(crate) unexpected: Vec<String>,
    /// Set if something ran after the change was undone, although it was cached.
    pub(crate) ran_again: bool,
    /// Log of everything that happened.
    pub(crate) log: String,
}

impl Pair {
    pub(crate) fn of_seed(seed: u64) -> Self {
        let dice = &mut Dice::new(seed);
        let all = parts::all();
        let part = all[dice.below(all.len())];
        Self::of_part(seed, part, dice)
    }

    /// Returns inexpensive pairs that cover each kind of part and change. Always the same ones.
    pub(crate) fn sample(count: usize) -> Vec<Self> {
        let all = parts::all();
        let of = |is_cheap: bool| {
            let pairs = all.iter().flat_map(|part| part.tools.iter().map(|tool| (part.name, *tool)));
            pairs.filter(|(_, tool)| matches!(tool, Tool::Fmt | Tool::Own) == is_cheap).collect::<Vec<_>>()
        };
        let wanted = [of(true), of(false)];
        let mut sample = Vec::new();
        for at in 0..count {
            let of = &wanted[at % 2];
            // Spread over the list, which is sorted by area.
            let wanted = of[at / 2 * 37 % of.len()];
            let fits =
                |pair: &Self| (pair.part.name, pair.tool) == wanted && pair.change.matters() != (at % 9 == 8);
            let first = at as u64 * 10_000;
            sample.extend((first..).map(Self::of_seed).find(fits));
        }
        sample
    }

    /// Generates a pair with a change of this part.
    fn of_part(seed: u64, part: &'static Part, dice: &mut Dice) -> Self {
        let tool = part.tools[dice.below(part.tools.len())];
        let spot = spot(part, 0, dice);
        let change = Change::random(part, &spot, dice);
        let is_bad_first = dice.below(2) == 1;
        // Links from the machine's directories lead to the first checkout.
        let is_of_machine =
            spot.via.starts_with("home/") || spot.via.starts_with("bin/") || part.is_named_by_machine();
        let route = match dice.below(12) {
            0 if !is_of_machine => Route::Carried,
            1 => Route::Settled,
            2 | 3 => Route::NoCache,
            4 => Route::Forgotten,
            _ => Route::InPlace,
        };
        let setting = Setting::random(dice);
        let mut pair =
            Self { seed, tool, part, spot, others: Vec::new(), change, is_bad_first, route, setting };
        if !matches!(part.seat, Seat::Scripted(..)) {
            pair.add_others(dice);
        }
        if !pair.others.is_empty() && pair.can_change_in_turn() && dice.below(3) == 0 {
            (pair.route, pair.change) = (Route::InTurn, Change::InTurn);
        }
        pair
    }

    /// Returns whether every run must have the right result, wherever it runs.
    fn can_change_in_turn(&self) -> bool {
        let mut all = std::iter::once(self.part).chain(self.others.iter().map(|(part, _)| *part));
        all.all(|part| part.sight != Sight::Untracked && part.sight != Sight::Optional)
            && !self.setting.is_shared
    }

    fn add_others(&mut self, dice: &mut Dice) {
        let is_alone = self.part.hides_others() || self.leads_modules_astray(self.part, &self.spot);
        let count = if is_alone { 0 } else { [0, 0, 0, 1, 1, 2][dice.below(6)] };
        let fitting = |part: &&&'static Part| {
            part.goes_with_others() && part.tools.contains(&self.tool) && part.name != self.part.name
        };
        let all = parts::all();
        let fitting: Vec<_> = all.iter().filter(fitting).copied().collect();
        for n in 1..=count {
            let Some(part) = dice.pick(&fitting).copied() else { return };
            if self.others.iter().all(|(other, _)| other.name != part.name) {
                let spot = spot(part, n, dice);
                if !self.leads_modules_astray(part, &spot) {
                    self.others.push((part, spot));
                }
            }
        }
    }

    /// Returns true if the root of the library is a link. Rustfmt then looks for modules beside the file behind it, and the compiler
    /// beside the link.
    fn leads_modules_astray(&self, part: &Part, spot: &Spot) -> bool {
        self.tool == Tool::Fmt && part.name == "the root of the library" && !spot.links.is_empty()
    }

    /// Describes the pair.
    pub(crate) fn describe(&self) -> String {
        let order = match (self.change.matters(), self.is_bad_first) {
            (true, false) => "good → bad",
            (true, true) => "bad → good",
            (false, _) => "cannot matter",
        };
        let mut text = format!(
            "{}: {}: {} ({order}, {:?})\n    at {}",
            self.tool.name(),
            self.part.name,
            self.change.name(),
            self.route,
            self.spot.describe(),
        );
        if self.setting != Setting::default() {
            text += &format!("\n    {:?}", self.setting);
        }
        for (part, spot) in &self.others {
            text += &format!("\n    beside: {}, at {}", part.name, spot.describe());
        }
        text
    }

    /// Creates the world before the change, the subject, and the other subjects.
    fn build(&self) -> (World, Subject<'_>, Vec<Subject<'_>>) {
        let mut draft = Draft::new(self.tool);
        let mut world = World::new();
        let others = self.others.iter().map(|(part, spot)| (*part, spot));
        for (part, spot) in std::iter::once((self.part, &self.spot)).chain(others.clone()) {
            (part.draft)(&mut draft, spot);
            spot.ignored.iter().for_each(|path| draft.ignore(path));
        }
        let texts = [self.part.good, self.part.bad].map(|text| match self.part.seat {
            Seat::Shared(_) => draft.shared()[self.spot_path()].replace(&self.spot.hole(), text.trim_end()),
            _ => text.to_owned(),
        });
        let except = if matches!(self.part.seat, Seat::Shared(_)) { self.spot_path() } else { "" };
        draft.write(&mut world, except);
        let subject = |part: &'static Part, spot, texts, is_bad_first| {
            let is_program = part.good.starts_with("#!");
            Subject { part, spot, texts, is_bad_first, is_program }
        };
        let mut beside = Vec::new();
        for (part, spot) in others {
            let other = subject(part, spot, [part.good, part.bad].map(str::to_owned), false);
            other.set_up(&Change::InTurn, &mut world);
            beside.push(other);
        }
        let subject = subject(self.part, &self.spot, texts, self.is_bad_first);
        subject.set_up(&self.change, &mut world);
        (world, subject, beside)
    }

    /// Returns the shared file that contains the part's placeholder.
    fn spot_path(&self) -> &'static str {
        match self.part.seat {
            Seat::Shared(paths) => paths[0],
            _ => LIB,
        }
    }

    pub(crate) fn run(&self) -> Outcome {
        let (mut world, subject, others) = self.build();
        let mut outcome = Outcome::default();
        self.setting.set_up(&mut world);
        if self.route == Route::Settled {
            std::thread::sleep(std::time::Duration::from_millis(2100));
        }
        let before = world.warm();
        outcome.note("before", &before);
        // Tools differ in how they treat a broken link.
        let is_sure = self.spot.links.is_empty() || !matches!(self.change, Change::Remove | Change::Add);
        let is_bad = [false, true].map(|is_after| is_sure.then(|| subject.is_bad(&self.change, is_after)));
        self.expect(&before, is_bad[0], &mut outcome);
        match self.route {
            Route::Carried => {
                let mut there = world.second_checkout();
                self.apply(&subject, &mut there);
                let fresh = self.check(&there, &before, &mut outcome, Self::CARRIED);
                self.expect(&fresh, is_bad[1], &mut outcome);
                return outcome;
            }
            Route::InTurn => {
                let subjects: Vec<_> = std::iter::once(&subject).chain(&others).collect();
                self.change_in_turn(&mut world, &subjects, before, &mut outcome);
                return outcome;
            }
            Route::Forgotten => world.forget(),
            Route::InPlace | Route::Settled | Route::NoCache => {}
        }
        self.apply(&subject, &mut world);
        let fresh = self.check(&world, &before, &mut outcome, "after the change");
        self.expect(&fresh, is_bad[1], &mut outcome);

        subject.undo(&self.change, &mut world);
        let back = world.warm();
        outcome.note("after undoing it", &back);
        self.compare(&back, &before, &fresh, &mut outcome, "after undoing it");
        // Tasks without a result run again.
        outcome.ran_again = !back.ran.is_empty() && before.code != 3;
        if self.route == Route::NoCache {
            return outcome;
        }

        self.apply(&subject, &mut world);
        let there = world.second_checkout();
        let seen = there.warm();
        outcome.note(Self::CARRIED, &seen);
        self.compare(&seen, &fresh, &before, &mut outcome, Self::CARRIED);
        outcome
    }

    /// Changes the parts in random order and runs after each change.
    fn change_in_turn(
        &self,
        world: &mut World,
        subjects: &[&Subject<'_>],
        before: Seen,
        outcome: &mut Outcome,
    ) {
        let dice = &mut Dice::new(self.seed);
        let mut state: Vec<_> = subjects.iter().map(|subject| subject.is_bad_first).collect();
        let mut known = BTreeMap::from([(state.clone(), before.clone())]);
        let mut last = before;
        for _ in 0..5 {
            let at = dice.below(subjects.len());
            let times = [Times::Now, Times::Old, Times::Kept, Times::Moved][dice.below(4)];
            state[at] = !state[at];
            subjects[at].flip(world, state[at], times);
            let quality = if state[at] { "bad" } else { "good" };
            let when = format!("{} becomes {quality} ({times:?})", subjects[at].part.name);
            let warm = world.warm();
            outcome.note(&when, &warm);
            let fresh = known.entry(state.clone()).or_insert_with(|| world.fresh()).clone();
            self.expect(&fresh, Some(state.contains(&true)), outcome);
            self.compare(&warm, &fresh, &last, outcome, &when);
            last = fresh;
        }
        let carried = world.second_checkout().warm();
        outcome.note(Self::CARRIED, &carried);
        self.compare(&carried, &last, &last, outcome, Self::CARRIED);
    }

    const CARRIED: &str = "carried to a second checkout";

    fn apply(&self, subject: &Subject<'_>, world: &mut World) {
        subject.apply(&self.change, world);
        if let Some(idle) = self.setting.idle {
            subject.apply_idle(idle, world, "");
        }
    }

    /// Runs warm and fresh after the change. Returns the fresh result.
    fn check(&self, world: &World, before: &Seen, outcome: &mut Outcome, when: &str) -> Seen {
        let warm = if self.route == Route::NoCache { world.without_cache() } else { world.warm() };
        outcome.note(when, &warm);
        let fresh = world.fresh();
        outcome.note("fresh", &fresh);
        self.compare(&warm, &fresh, before, outcome, when);
        let may_run = self.change.matters() || matches!(self.route, Route::NoCache | Route::Forgotten);
        if !may_run && !warm.ran.is_empty() && before.code != 3 {
            let reasons = Vec::from_iter(warm.reasons.iter().map(String::as_str)).join("; ");
            outcome.needless.push(format!("{when}: {}, because: {reasons}", listed(&warm)));
        }
        fresh
    }

    /// Checks that `seen` matches `expected`. `other` is an earlier result in the same directory.
    fn compare(&self, seen: &Seen, expected: &Seen, other: &Seen, outcome: &mut Outcome, when: &str) {
        // If the inputs are not known, or genti must not touch cargo's directory, a replay by cargo is acceptable as
        // long as it stays there.
        let is_cargos =
            self.part.sight == Sight::Untracked || self.setting.is_shared && self.tool != Tool::Fmt;
        let is_excused = is_cargos && when != Self::CARRIED && seen.may_replay(other);
        if let Some(difference) = seen.difference(expected).filter(|_| !is_excused) {
            outcome.log += &format!("    {when}, and what it should be:{}\n", seen.details(expected));
            outcome.wrong.push((when.to_owned(), difference));
        }
    }

    /// Checks that a fresh run passes exactly if nothing is bad.
    fn expect(&self, seen: &Seen, is_bad: Option<bool>, outcome: &mut Outcome) {
        if is_bad.is_some_and(|is_bad| (seen.code != 0) != is_bad) && self.part.sight != Sight::Optional {
            outcome.unexpected.push(seen.text.clone());
        }
    }
}

impl Outcome {
    fn note(&mut self, when: &str, seen: &Seen) {
        self.log += &format!("    {when}: {}\n", seen.describe());
    }

    pub(crate) fn is_stale_pass(&self) -> bool {
        self.wrong.iter().any(|(_, difference)| *difference == Difference::StalePass)
    }
}

fn spot(part: &Part, n: usize, dice: &mut Dice) -> Spot {
    let mut spot = Spot::random(&part.seat, n, dice);
    // A file that is neither declared nor listed by git cannot be known.
    if matches!(part.sight, Sight::Untracked | Sight::Optional) {
        spot.ignored.clear();
    }
    spot
}

fn listed(seen: &Seen) -> String {
    seen.ran.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
