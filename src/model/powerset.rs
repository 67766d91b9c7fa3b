//! Combinations of the features of a package, each of which is a build of its own.
//!
//! Features that enable others make many combinations the same build. What a build depends on is the set of features that are on
//! in the end, so two combinations are one if the features that they name enable the same ones, directly or not. Only the
//! `[features]` table of the package counts. Nothing is resolved.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::digest::{ContentHash, Sink};

/// Combinations of features with which each package of a variant is built alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Powerset {
    /// Maximum number of features in a combination; `None` for any number.
    pub depth: Option<u32>,
    /// Features that no combination names, sorted.
    pub skip: Vec<String>,
    /// Maximum number of combinations of a package.
    pub max: u32,
}

/// A package has more combinations of features than the variant allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

/// A combination of features of a package. The default features are off unless it names `default`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Combination {
    /// These features, sorted, and what they enable.
    Only(Vec<String>),
    /// All features.
    All,
}

impl Default for Powerset {
    fn default() -> Self {
        Self { depth: None, skip: Vec::new(), max: 200 }
    }
}

impl Powerset {
    /// Returns the combinations of `each-feature`: no feature, each alone, and all.
    pub fn of_each() -> Self {
        Self { depth: Some(1), ..Self::default() }
    }

    /// Returns the combinations of the features in `table`, which says what each feature enables: first none, then single features,
    /// then pairs and so on, and last all features unless some are skipped. Of those that are the same build, only the first. All
    /// of them also have the features `always`, which don't count for their size.
    ///
    /// # Errors
    ///
    /// If there are more than `max`.
    pub fn combinations(
        &self,
        table: &BTreeMap<String, Vec<String>>,
        always: &[String],
    ) -> Result<Vec<Combination>, TooMany> {
        let index: BTreeMap<&str, usize> = table.keys().map(String::as_str).zip(0..).collect();
        let bits = |name| Bits::of(table.len(), enabled(table, [name]).into_iter().map(|name| index[name]));
        let enabled: Vec<_> = table.keys().map(bits).collect();
        let names: Vec<_> = table.keys().collect();
        let is_used = |at: &usize| self.skip.binary_search(names[*at]).is_err();
        let used: Vec<_> = (0..names.len()).filter(is_used).collect();
        let always: Vec<usize> = (0..names.len()).filter(|at| always.contains(names[*at])).collect();
        let none = Bits::of(names.len(), []);
        let first = always.iter().fold(none, |on, at| on.or(&enabled[*at]));
        let of = |with: &[usize]| Combination::Only(with.iter().map(|at| names[*at].clone()).collect());
        let mut known = BTreeSet::from([first.clone()]);
        let mut found = vec![of(&always)];
        // The combinations of the current size, with what they enable.
        let mut last = vec![(always, first)];
        let mut size = 0;
        // Whatever a larger combination enables, it is one of these and a further feature.
        while !last.is_empty() && self.depth.is_none_or(|depth| size < depth) {
            size += 1;
            let mut next = Vec::new();
            for (own, on) in &last {
                for &at in &used {
                    let all = on.or(&enabled[at]);
                    if !known.insert(all.clone()) {
                        continue;
                    }
                    let mut with: Vec<usize> = own.clone();
                    with.push(at);
                    with.sort_unstable();
                    self.push(&mut found, of(&with))?;
                    next.push((with, all));
                }
            }
            last = next;
        }
        let all = Bits::of(names.len(), 0..names.len());
        if self.skip.is_empty() && !known.contains(&all) {
            self.push(&mut found, Combination::All)?;
        }
        Ok(found)
    }

    fn push(&self, found: &mut Vec<Combination>, one: Combination) -> Result<(), TooMany> {
        if found.len() >= self.max as usize {
            return Err(TooMany);
        }
        found.push(one);
        Ok(())
    }
}

/// Returns the features in `table` that are on if those with these `names` are.
fn enabled<'t>(
    table: &'t BTreeMap<String, Vec<String>>,
    names: impl IntoIterator<Item = &'t String>,
) -> BTreeSet<&'t str> {
    let mut on = BTreeSet::new();
    let mut queue: Vec<_> = names.into_iter().collect();
    while let Some(name) = queue.pop() {
        let Some((name, enables)) = table.get_key_value(name) else { continue };
        if on.insert(name.as_str()) {
            queue.extend(enables);
        }
    }
    on
}

/// A set of features, by their index in the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Bits(Vec<u64>);

impl Bits {
    fn of(count: usize, indices: impl IntoIterator<Item = usize>) -> Self {
        let mut words = vec![0; count.div_ceil(64)];
        indices.into_iter().for_each(|at| words[at / 64] |= 1 << (at % 64));
        Self(words)
    }

    fn or(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| one | other).collect())
    }
}

impl Combination {
    /// Returns the features in `table` that are on in it.
    pub fn enabled<'t>(&'t self, table: &'t BTreeMap<String, Vec<String>>) -> BTreeSet<&'t str> {
        match self {
            Self::All => enabled(table, table.keys()),
            Self::Only(features) => enabled(table, features),
        }
    }

    /// Returns the arguments with which cargo builds it.
    pub fn flags(&self) -> Vec<String> {
        match self {
            Self::All => vec!["--all-features".to_owned()],
            Self::Only(features) => {
                let mut words = vec!["--no-default-features".to_owned()];
                if !features.is_empty() {
                    words.extend(["--features".to_owned(), features.join(",")]);
                }
                words
            }
        }
    }
}

/// Names it as in a command line. That the default features are off is left out if there are others.
impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("--all-features"),
            Self::Only(features) if features.is_empty() => f.write_str("--no-default-features"),
            Self::Only(features) => write!(f, "--features {}", features.join(",")),
        }
    }
}

impl ContentHash for Combination {
    fn feed(&self, sink: &mut dyn Sink) {
        match self {
            Self::All => sink.field("combination", b"all"),
            Self::Only(features) => sink.texts("combination", features),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(features: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        let own = |enables: &&[&str]| enables.iter().map(|name| (*name).to_owned()).collect();
        features.iter().map(|(name, enables)| ((*name).to_owned(), own(enables))).collect()
    }

    /// Checks the combinations, named by their features.
    #[track_caller]
    fn check(features: &[(&str, &[&str])], powerset: &Powerset, expected: &[&str]) {
        let found = powerset.combinations(&table(features), &[]).unwrap();
        let name = |one: &Combination| match one {
            Combination::All => "all".to_owned(),
            Combination::Only(features) => features.join(" "),
        };
        assert_eq!(found.iter().map(name).collect::<Vec<_>>(), expected);
    }

    fn skip(names: &[&str]) -> Powerset {
        Powerset { skip: names.iter().map(|name| (*name).to_owned()).collect(), ..Powerset::default() }
    }

    #[test]
    fn combinations_are_ordered_by_size_and_name() {
        let features: [(&str, &[&str]); 3] = [("c", &[]), ("a", &[]), ("b", &[])];
        check(&features, &Powerset::default(), &["", "a", "b", "c", "a b", "a c", "b c", "a b c"]);
        let pairs = Powerset { depth: Some(2), ..Powerset::default() };
        check(&features, &pairs, &["", "a", "b", "c", "a b", "a c", "b c", "all"]);
        check(&features, &Powerset::of_each(), &["", "a", "b", "c", "all"]);
        check(&features, &skip(&["a"]), &["", "b", "c", "b c"]);
    }

    #[test]
    fn combinations_that_enable_the_same_features_are_one() {
        let features: [(&str, &[&str]); 4] =
            [("a", &["b", "dep:x"]), ("b", &["c"]), ("c", &[]), ("d", &["a", "d"])];
        check(&features, &Powerset::default(), &["", "a", "b", "c", "d"]);
        // The name of the default features is a feature as well.
        check(&[("a", &[]), ("default", &["a"])], &Powerset::default(), &["", "a", "default"]);
        check(&[("a", &["x/y", "z?/y"])], &Powerset::of_each(), &["", "a"]);
    }

    #[test]
    fn a_combination_enables_what_its_features_enable() {
        let table = table(&[("a", &["b"]), ("b", &["dep:x", "x/y"]), ("c", &["c"])]);
        let check = |one: Combination, expected: &[&str]| {
            assert_eq!(one.enabled(&table).into_iter().collect::<Vec<_>>(), expected);
        };
        check(Combination::Only(vec!["a".to_owned()]), &["a", "b"]);
        check(Combination::Only(vec!["c".to_owned(), "gone".to_owned()]), &["c"]);
        check(Combination::Only(Vec::new()), &[]);
        check(Combination::All, &["a", "b", "c"]);
    }

    #[test]
    fn features_that_are_always_on_are_in_every_combination() {
        let features = table(&[("a", &[]), ("b", &[]), ("c", &["a"])]);
        let always = ["b".to_owned(), "of-another-package".to_owned()];
        let found = Powerset::of_each().combinations(&features, &always).unwrap();
        let names: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["--features b", "--features a,b", "--features b,c"]);
    }

    #[test]
    fn a_package_without_features_has_one_combination() {
        check(&[], &Powerset::default(), &[""]);
        check(&[("a", &[])], &skip(&["a"]), &[""]);
    }

    #[test]
    fn more_than_the_maximum_is_an_error() {
        let names: Vec<_> = (0..70).map(|at| format!("f{at:02}")).collect();
        let features: Vec<(&str, &[&str])> = names.iter().map(|name| (&**name, &[][..])).collect();
        assert_eq!(Powerset::default().combinations(&table(&features), &[]), Err(TooMany));
        assert_eq!(Powerset::of_each().combinations(&table(&features), &[]).unwrap().len(), 72);
        let exact = Powerset { max: 72, ..Powerset::of_each() };
        assert!(exact.combinations(&table(&features), &[]).is_ok());
        let fewer = Powerset { max: 71, ..Powerset::of_each() };
        assert_eq!(fewer.combinations(&table(&features), &[]), Err(TooMany), "all features are one too many");
        // Only different builds count.
        let chain: Vec<(String, Vec<String>)> =
            names.windows(2).map(|pair| (pair[0].clone(), vec![pair[1].clone()])).collect();
        assert_eq!(Powerset::default().combinations(&chain.into_iter().collect(), &[]).unwrap().len(), 70);
    }
}
