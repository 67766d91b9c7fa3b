//! Format of stored results: the findings together with the discovered inputs. One key may hold several results that differ in
//! their discovered inputs, so that reverting a change is a hit.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::census::Census;
use crate::model::digest::Digest;
use crate::model::finding::Diagnostic;
use crate::model::path::RelPath;
use crate::model::test_output::TestOutput;
use crate::model::workspace::{PackageId, Workspace};
use crate::normalize::Parsed;
use crate::scan::Printed;

/// An input that was read beyond what the key covers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Discovered {
    /// A file, by its path from the workspace root; `None` if it was absent.
    File(RelPath, Option<Digest>),
    /// A generated file. If it is absent, the next run generates it again.
    Generated(RelPath, Digest),
    /// All files in a directory.
    Directory(RelPath, Digest),
    /// An environment variable and the digest of its value; `None` if it was not set.
    Variable(String, Option<Digest>),
    /// All files of the workspace.
    Everything(Digest),
    /// State of a path that an observed process looked at: the content of a file, the text of a link, or a directory; `None` if it
    /// was absent.
    Seen(RelPath, Option<Digest>),
    /// The names in a directory that an observed process opened.
    Listed(RelPath, Digest),
    /// Everything in a directory that an observed process looked into, as far as it belongs to the same package.
    Content(RelPath, Digest),
    /// A file that was built for an observed process. The build before the process may write it again.
    Built(RelPath, Digest),
    /// A time in nanoseconds since 1970, after which the result no longer counts.
    Until(i64),
}

/// Maximum number of results under one key.
const MAX_RECORDS: usize = 4;

/// A stored result.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredResult {
    pub(super) discovered: Vec<Discovered>,
    diagnostics: Vec<Diagnostic>,
    database: Option<String>,
    notices: BTreeSet<String>,
    /// Names of the packages that the diagnostics refer to by index.
    packages: Vec<String>,
    /// Record of what the process checked.
    census: Census,
    /// Output of each failed test.
    test_outputs: Vec<TestOutput>,
    /// Output of a rustdoc, which is printed again.
    pub(super) printed: Option<Printed>,
}

impl StoredResult {
    /// Creates the record of one task from `diagnostics` and `census`, its share of the result `of`, which must not have gaps.
    pub(super) fn new(
        workspace: &Workspace,
        discovered: Vec<Discovered>,
        mut diagnostics: Vec<Diagnostic>,
        census: Census,
        of: &Parsed,
    ) -> Self {
        let mut packages = Vec::new();
        for package in diagnostics.iter_mut().filter_map(|found| found.package.as_mut()) {
            let name = &workspace.package(*package).name;
            let at = packages.iter().position(|known| known == name).unwrap_or_else(|| {
                packages.push(name.clone());
                packages.len() - 1
            });
            *package = PackageId(at as u32);
        }
        let (database, notices, test_outputs) =
            (of.database.clone(), of.notices.clone(), of.test_outputs.clone());
        Self { discovered, diagnostics, database, notices, packages, census, test_outputs, printed: None }
    }

    /// Creates the record of doc tests that have all passed.
    pub(super) fn of_wrapped(discovered: Vec<Discovered>, printed: Printed) -> Self {
        Self { discovered, printed: Some(printed), ..Self::default() }
    }

    /// Adds discovered inputs.
    pub(super) fn add_inputs(&mut self, inputs: &[Discovered]) {
        self.discovered.extend_from_slice(inputs);
        self.discovered.sort();
        self.discovered.dedup();
    }

    /// Encodes this result followed by the newest ones in `before`, the bytes now stored under the key, that have other
    /// discovered inputs. The most frequent value, a single result that is empty in all respects, is encoded as no bytes.
    pub(super) fn encode_before(self, before: Option<&[u8]>) -> Option<Vec<u8>> {
        let mut all = before.and_then(Self::decode_all).unwrap_or_default();
        all.retain(|other| other.discovered != self.discovered);
        all.insert(0, self);
        all.truncate(MAX_RECORDS);
        if all == [Self::default()] {
            return Some(Vec::new());
        }
        postcard::to_stdvec(&all).ok()
    }

    /// Returns whether `bytes` encode a single empty result.
    pub(super) fn is_clean(bytes: &[u8]) -> bool {
        bytes.is_empty()
    }

    /// Decodes all results under a key, newest first. `None` if they are damaged.
    pub(super) fn decode_all(bytes: &[u8]) -> Option<Vec<Self>> {
        if Self::is_clean(bytes) {
            return Some(vec![Self::default()]);
        }
        // Nothing may follow, such as a field of another version.
        postcard::take_from_bytes(bytes).ok().filter(|(_, rest)| rest.is_empty()).map(|(all, _)| all)
    }

    /// Restores the result; `None` if it refers to a package that no longer exists, or contradicts itself.
    pub(super) fn parsed(self, workspace: &Workspace) -> Option<Parsed> {
        if !self.census.is_consistent() {
            return None;
        }
        let find = |name: &String| workspace.packages().find(|(_, package)| package.name == *name);
        let ids = self.packages.iter().map(|name| Some(find(name)?.0)).collect::<Option<Vec<_>>>()?;
        let mut diagnostics = self.diagnostics;
        for package in diagnostics.iter_mut().filter_map(|found| found.package.as_mut()) {
            *package = *ids.get(package.0 as usize)?;
        }
        let Self { database, notices, census, test_outputs, .. } = self;
        Some(Parsed { diagnostics, database, notices, census, test_outputs, ..Parsed::default() })
    }
}

/// Helpers for the fuzz target of stored results.
#[cfg(all(feature = "cli", any(test, fuzzing)))]
pub(crate) mod fuzz {
    use super::*;
    use crate::model::task::Unit;
    use crate::model::tool::Parse;
    use crate::model::workspace::TargetKind;
    use crate::normalize::testing::{run, tool, workspace};

    fn sample_workspace() -> Workspace {
        let lib = [(TargetKind::Lib, "alpha/src/lib.rs")];
        workspace(&[("alpha", &lib)], &["alpha/src/lib.rs"])
    }

    /// Returns encoded results: without findings, with findings and every kind of discovered input, several under one key, and one
    /// of tests that another tool starts.
    pub(crate) fn records() -> Vec<Vec<u8>> {
        let workspace = sample_workspace();
        let lines = |text: &str| {
            let tool = tool("lint", Parse::Lines, &["lint"]);
            run(&workspace, &tool, &[Unit::Package(PackageId(0))], text, "", 0).unwrap_or_default()
        };
        let digest = Digest::of_bytes(b"x");
        let path = || RelPath::new("alpha/x");
        let discovered = vec![
            Discovered::File(path(), Some(digest)),
            Discovered::File(path(), None),
            Discovered::Generated(path(), digest),
            Discovered::Directory(path(), digest),
            Discovered::Variable("A".to_owned(), Some(digest)),
            Discovered::Everything(digest),
            Discovered::Seen(path(), Some(digest)),
            Discovered::Listed(path(), digest),
            Discovered::Content(path(), digest),
            Discovered::Built(path(), digest),
            Discovered::Until(7),
        ];
        let record = |discovered: &[Discovered], parsed: &Parsed| {
            let (diagnostics, census) = (parsed.diagnostics.clone(), parsed.census.clone());
            StoredResult::new(&workspace, discovered.to_vec(), diagnostics, census, parsed)
        };
        let (none, some) = (Parsed::default(), lines("bad\nalpha/src/lib.rs:1: worse\n"));
        let first = record(&[], &none).encode_before(None);
        let second = record(&discovered, &some).encode_before(None);
        let both = record(&discovered[..2], &some).encode_before(second.as_deref());
        let printed = Printed { stdout: b"test result: ok".to_vec(), stderr: Vec::new() };
        let wrapped = StoredResult::of_wrapped(discovered, printed).encode_before(None);
        [first, second, both, wrapped].into_iter().flatten().collect()
    }

    /// Checks that decoding arbitrary bytes never panics and never yields unknown packages. Returns whether they decode.
    pub(crate) fn check_record(bytes: &[u8]) -> bool {
        let Some(all) = StoredResult::decode_all(bytes) else { return false };
        let workspace = sample_workspace();
        let count = workspace.packages.len() as u32;
        for record in all {
            let Some(parsed) = record.parsed(&workspace) else { continue };
            let packages = parsed.diagnostics.iter().filter_map(|found| found.package);
            assert!(packages.into_iter().all(|package| package.0 < count));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::census::{CompiledTarget, CompiledUnit, Group, TestNames, Tests};
    use crate::model::testing::workspace;

    #[test]
    fn only_a_completely_empty_result_is_clean() {
        let workspace = workspace(&[], &[]);
        let encode = |discovered, notices| {
            let parsed = Parsed { notices, ..Parsed::default() };
            let record = StoredResult::new(&workspace, discovered, Vec::new(), Census::default(), &parsed);
            record.encode_before(None).unwrap()
        };
        let clean = encode(Vec::new(), BTreeSet::new());
        assert!(StoredResult::is_clean(&clean));
        let mut all = StoredResult::decode_all(&clean).unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(all.remove(0).parsed(&workspace), Some(Parsed::default()));
        assert!(!StoredResult::is_clean(&encode(Vec::new(), ["said".to_owned()].into())));
        let absent = Discovered::File(RelPath::new("a"), None);
        assert!(!StoredResult::is_clean(&encode(vec![absent], BTreeSet::new())));
    }

    #[test]
    fn a_record_keeps_the_census_and_the_output_of_tests() {
        let target = CompiledTarget { package: "a".into(), kind: "lib".into(), name: "a".into() };
        let tests = Tests { run: 3, passed: 2, failed: 1, ignored: Some(0), ..Tests::default() };
        let groups = [(Group::Target("a::it".into()), Some(tests)), (Group::Unknown, None)];
        let unit = CompiledUnit {
            package: "a".into(),
            root: RelPath::new("a.rs"),
            is_test: true,
            is_doc: false,
            is_macro: false,
            is_for_host: false,
            debug_assertions: Some(true),
            features: ["x".into()].into(),
            cfgs: ["y=\"z\"".into()].into(),
            files: Some([RelPath::new("a.rs")].into()),
        };
        let list = |names: &[&str]| names.iter().map(|name| Box::from(*name)).collect();
        let names = TestNames { passed: list(&["a", "b"]), failed: list(&["c"]), ..TestNames::default() };
        let census = Census {
            tests: BTreeMap::from(groups),
            names: BTreeMap::from([(Group::Target("a::it".into()), names)]),
            targets: [target].into(),
            files: [RelPath::new("a.rs")].into(),
            units: [unit].into(),
            undecided: ["a".into()].into(),
            compiled: [RelPath::new("b.rs")].into(),
            features: BTreeMap::from([("a".into(), ["x".into()].into())]),
            crates: None,
            database_date: Some("2026-11-01".into()),
            numbers: BTreeMap::from([("n".into(), "81.20".parse().unwrap())]),
        };
        let workspace = workspace(&[], &[]);
        let output = TestOutput { test: "a::it c".into(), text: "said".into(), left_out: 3 };
        let of = Parsed { test_outputs: vec![output], ..Parsed::default() };
        let restored = |census: &Census| {
            let record = StoredResult::new(&workspace, Vec::new(), Vec::new(), census.clone(), &of);
            let mut all = StoredResult::decode_all(&record.encode_before(None).unwrap()).unwrap();
            all.remove(0).parsed(&workspace)
        };
        let expected = Parsed { census: census.clone(), ..of.clone() };
        assert_eq!(restored(&census), Some(expected));
        let mut wrong = census;
        wrong.names.values_mut().for_each(|names| names.ignored.push("d".into()));
        assert_eq!(restored(&wrong), None, "names that contradict the counts");
    }
}
