//! The crates in a `Cargo.lock`, to decide whether an advisory is about a crate that the base has as well.

use std::collections::{BTreeMap, BTreeSet};

/// The crates of a lock file, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crates(BTreeMap<String, BTreeSet<LockedCrate>>);

/// One version of a crate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct LockedCrate {
    version: String,
    /// Source it is from; `None` for a package of the workspace.
    source: Option<String>,
    checksum: Option<String>,
    /// Its dependencies, as written: `name`, `name version` or `name version (source)`.
    dependencies: Vec<String>,
}

impl Crates {
    /// Reads a lock file. Returns `None` if it is invalid.
    pub fn read(text: &str) -> Option<Self> {
        let document: toml::Table = text.parse().ok()?;
        let mut crates: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for one in document.get("package").map_or(Some(&[][..]), |list| list.as_array().map(Vec::as_slice))? {
            let text = |key: &str| one.get(key).and_then(toml::Value::as_str).map(str::to_owned);
            let needs = one.get("dependencies").and_then(toml::Value::as_array);
            let needs = needs.into_iter().flatten().filter_map(toml::Value::as_str).map(str::to_owned);
            let locked = LockedCrate {
                version: text("version")?,
                source: text("source"),
                checksum: text("checksum"),
                dependencies: needs.collect(),
            };
            crates.entry(text("name")?).or_default().insert(locked);
        }
        Some(Self(crates))
    }

    /// Returns true if `base` has every version of the downloaded crate `name` that is here.
    pub(super) fn has_same_as(&self, base: &Self, name: &str) -> bool {
        let same = |one: &LockedCrate, other: &LockedCrate| {
            (&one.version, &one.source, &one.checksum) == (&other.version, &other.source, &other.checksum)
        };
        let (Some(here), Some(there)) = (self.0.get(name), base.0.get(name)) else { return false };
        here.iter().all(|one| one.source.is_some() && there.iter().any(|other| same(one, other)))
    }

    /// Returns true if `base` has the downloaded crate `name` in the same versions, and everything that leads to it too. Then the
    /// same builds contain it, unless a manifest differs.
    pub(super) fn is_used_as_in(&self, base: &Self, name: &str) -> bool {
        let users = self.users(name);
        self.has_same_as(base, name)
            && users == base.users(name)
            && users.iter().all(|user| self.0.get(*user) == base.0.get(*user))
    }

    /// Returns the crates that depend on `name`, directly or not, and `name` itself. All versions of a crate count as one.
    pub(super) fn users<'a>(&'a self, name: &'a str) -> BTreeSet<&'a str> {
        let mut users = BTreeSet::from([name]);
        loop {
            let before = users.len();
            for (user, versions) in &self.0 {
                let mut needs = versions.iter().flat_map(|one| &one.dependencies);
                if needs.any(|needed| needed.split(' ').next().is_some_and(|name| users.contains(name))) {
                    users.insert(user);
                }
            }
            if users.len() == before {
                return users;
            }
        }
    }
}

/// Returns true if `rule` of cargo-deny is about a crate alone, and not about the graph of crates.
pub(super) fn is_advisory(rule: &str) -> bool {
    rule == "yanked" || ["RUSTSEC-", "GHSA-", "CVE-"].iter().any(|start| rule.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTRY: &str = "registry+https://example.com/index";

    /// Each crate as `name version needs…`; a name in upper case is a package of the workspace.
    fn crates(lines: &[&str]) -> Crates {
        let one = |line: &&str| {
            let mut words = line.split(' ');
            let (name, version) = (words.next().unwrap(), words.next().unwrap());
            let source = if name.chars().all(char::is_uppercase) {
                String::new()
            } else {
                format!("source = \"{REGISTRY}\"\n")
            };
            let needs: Vec<_> = words.collect();
            format!(
                "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n{source}dependencies = {needs:?}\n"
            )
        };
        Crates::read(&format!("version = 4\n{}", lines.iter().map(one).collect::<String>())).unwrap()
    }

    #[test]
    fn a_crate_is_the_same_if_every_version_is() {
        let base = crates(&["A 0.1.0 x", "x 1.0.0"]);
        let same = |lines: &[&str]| crates(lines).has_same_as(&base, "x");
        assert!(same(&["A 0.1.0 x", "x 1.0.0"]));
        assert!(same(&["A 0.1.0 x y", "x 1.0.0", "y 2.0.0 x"]), "it does not matter who needs it");
        assert!(!same(&["A 0.1.0 x", "x 1.0.1"]));
        assert!(!same(&["A 0.1.0 x", "x 1.0.0", "x 2.0.0"]), "one of two versions is new");
        assert!(!same(&["A 0.1.0", "y 1.0.0"]));
        assert!(!crates(&["A 0.1.0"]).has_same_as(&crates(&["A 0.1.0"]), "A"), "a package of the workspace");
        assert_eq!(Crates::read("[[package]]\nname = 1"), None);
        assert_eq!(Crates::read("package = 1"), None);
        assert_eq!(Crates::read(""), Some(Crates::default()));
    }

    #[test]
    fn a_crate_is_used_in_the_same_way_if_all_that_lead_to_it_are_the_same() {
        let base = crates(&["A 0.1.0 b x", "B 0.1.0", "b 1.0.0 x", "x 1.0.0", "z 1.0.0"]);
        let same = |lines: &[&str]| crates(lines).is_used_as_in(&base, "x");
        assert!(same(&["A 0.1.0 b x", "B 0.1.0", "b 1.0.0 x", "x 1.0.0", "z 1.0.1"]));
        assert!(!same(&["A 0.1.0 b x", "B 0.1.0", "b 1.0.1 x", "x 1.0.0", "z 1.0.0"]));
        assert!(!same(&["A 0.1.0 b x", "B 0.1.0 x", "b 1.0.0 x", "x 1.0.0", "z 1.0.0"]));
        assert!(!same(&["A 0.1.0 b x z", "B 0.1.0", "b 1.0.0 x", "x 1.0.0", "z 1.0.0 x"]));
    }

    #[test]
    fn only_advisories_are_about_a_crate_alone() {
        assert!(is_advisory("RUSTSEC-2026-0001") && is_advisory("yanked"));
        assert!(!is_advisory("duplicate") && !is_advisory("license-not-explicitly-allowed"));
    }
}
