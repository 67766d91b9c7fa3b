//! The checkout that a run belongs to, and the command line of a run.
//!
//! Neither is in the artifacts, which are the same in every checkout. A report that shows a checkout gets it as a value when it is
//! made.

use super::finished::RunSummary;
use super::fixes::{Tree, command};
use super::forge::{self, Forge};
use crate::model::commit::Commit;
use crate::model::path::RelPath;
use crate::model::policy::{Batch, Order};

/// The checkout of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkout {
    /// Name of the directory at the top of the repository, or of the workspace if there is no repository.
    pub directory: String,
    /// Members of the workspace, each with its directory.
    pub packages: Vec<(RelPath, String)>,
    /// Address of the remote repository `origin`, as git has it.
    pub origin: Option<String>,
    /// The commit; `None` if there is none, or if the run was not one of this checkout as it is now.
    pub commit: Option<Commit>,
}

impl Checkout {
    /// Returns the name of the repository, or else of the directory.
    pub(super) fn name(&self) -> &str {
        self.origin.as_deref().and_then(forge::name).unwrap_or(&self.directory)
    }

    /// Returns the commit, and the forge that it can be linked on.
    pub(super) fn linked(&self) -> Option<(&Commit, Forge)> {
        Some((self.commit.as_ref()?, Forge::of(self.origin.as_deref()?)?))
    }

    /// Returns the page of a file on the forge, with `path` relative to the top of the repository. `None` if the commit has other
    /// content.
    pub(super) fn page_of(&self, path: &RelPath) -> Option<String> {
        let (Commit { id, changed, .. }, forge) = self.linked()?;
        (changed.binary_search(path).is_err() && !path.is_outside()).then(|| forge.file(id, path))
    }

    /// Returns the innermost member around `path`.
    pub(super) fn package_of(&self, path: &RelPath) -> Option<&str> {
        let around = self.packages.iter().filter(|(dir, _)| !path.is_outside() && path.is_within(dir));
        around.max_by_key(|(dir, _)| dir.as_bytes().len()).map(|(_, name)| name.as_str())
    }

    /// Returns the member that `subject` names, as in `alpha`, `package alpha`, `alpha::it works` and `alpha src/lib.rs`.
    pub(super) fn package_in(&self, subject: &str) -> Option<&str> {
        let subject = subject.strip_prefix("package ").unwrap_or(subject);
        let name = subject.split("::").next()?.split(' ').next()?;
        self.packages.iter().map(|(_, known)| known.as_str()).find(|known| *known == name)
    }
}

/// Returns the command line of `run`, as far as it follows from `run.json`: what it selected and built, and its policy where that
/// is not the default. `checkout` has all members, which need not be named.
pub(super) fn command_line(run: &RunSummary, checkout: Option<&Checkout>) -> String {
    let selection = &run.selection;
    let mut words = ["cargo", "genti", "run"].map(str::to_owned).to_vec();
    let mut flags = |flag: &str, values: &[String]| {
        words.extend(values.iter().flat_map(|value| [flag.to_owned(), value.clone()]));
    };
    let is_all = |checkout: &Checkout| checkout.packages.len() == selection.packages.len();
    if !selection.whole && selection.since.is_none() && !checkout.is_some_and(is_all) {
        flags("--package", &selection.packages);
    }
    flags("--tool", &selection.tools);
    flags("--skip-tool", &selection.skip_tools);
    flags("--variant", &selection.variants);
    flags("--since", selection.since.as_slice());
    let features = (!selection.features.is_empty()).then(|| selection.features.join(","));
    flags("--features", features.as_slice());
    flags("--target", selection.target.as_slice());
    flags("--cargo-profile", selection.cargo_profile.as_slice());
    let unless_default = |value: &str, default: String| (value != default).then(|| value.to_owned());
    let limit = |millis: Option<u64>| {
        millis.map(|millis| humantime::format_duration(std::time::Duration::from_millis(millis)).to_string())
    };
    flags("--order", unless_default(&run.order_policy, Order::default().to_string()).as_slice());
    flags("--batch", unless_default(&run.batch_policy, Batch::default().to_string()).as_slice());
    flags("--seed", (run.seed != 0).then(|| run.seed.to_string()).as_slice());
    flags("--per-task-timeout", limit(run.per_task_timeout_ms).as_slice());
    flags("--max-duration", limit(run.max_duration_ms).as_slice());
    words.extend(selection.all_features.then(|| "--all-features".to_owned()));
    words.extend(selection.no_default_features.then(|| "--no-default-features".to_owned()));
    if !selection.filters.is_empty() {
        words.push("--".to_owned());
        words.extend(selection.filters.iter().cloned());
    }
    command(&words, Tree::Clean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::finished::{Ended, RunSelection};

    fn run_without_steps() -> RunSummary {
        RunSummary {
            end: Ended { exit: 0, status: "passed".to_owned() },
            graph_hash: String::new(),
            batch_id: String::new(),
            order_policy: "deterministic".to_owned(),
            batch_policy: "auto".to_owned(),
            seed: 0,
            per_task_timeout_ms: None,
            max_duration_ms: None,
            selection: RunSelection::default(),
            tools: Vec::new(),
            shard: None,
            batches: Vec::new(),
        }
    }

    fn checkout(origin: &str) -> Checkout {
        let commit = Commit { id: "c0ffee".to_owned(), branch: None, changed: vec![RelPath::new("ws/b.rs")] };
        let packages = [("", "root"), ("a", "alpha"), ("a/b", "beta")];
        Checkout {
            directory: "checkout".to_owned(),
            packages: packages.map(|(dir, name)| (RelPath::new(dir), name.to_owned())).to_vec(),
            origin: Some(origin.to_owned()),
            commit: Some(commit),
        }
    }

    #[test]
    fn a_file_has_a_page_only_if_the_commit_has_the_same_content() {
        let checkout = checkout("https://github.com/o/r");
        let page = |path: &str| checkout.page_of(&RelPath::new(path));
        assert_eq!(page("ws/a.rs").unwrap(), "https://github.com/o/r/blob/c0ffee/ws/a.rs");
        assert_eq!(page("ws/b.rs"), None, "changed");
        assert_eq!(page("../b.rs"), None, "outside of the repository");
        assert_eq!(Checkout { commit: None, ..checkout }.page_of(&RelPath::new("ws/a.rs")), None);
    }

    #[test]
    fn findings_belong_to_the_innermost_package_or_to_the_one_that_their_subject_names() {
        let checkout = checkout("");
        let of = |path: &str| checkout.package_of(&RelPath::new(path)).unwrap_or_default();
        assert_eq!(
            [of("src/lib.rs"), of("a/x.rs"), of("a/b/x.rs"), of("ab/x.rs"), of("../x.rs")],
            ["root", "alpha", "beta", "root", ""]
        );
        let of = |subject: &str| checkout.package_in(subject).unwrap_or_default();
        assert_eq!(
            [of("package alpha"), of("beta::it works"), of("alpha src/lib.rs"), of("alphabet")],
            ["alpha", "beta", "alpha", ""]
        );
    }

    #[test]
    fn the_command_line_has_what_the_run_selected() {
        let run = |selection: RunSelection| RunSummary { selection, ..run_without_steps() };
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let check = |selection: RunSelection, expected: &str| {
            assert_eq!(command_line(&run(selection), Some(&checkout(""))), expected);
        };
        check(
            RunSelection { whole: true, packages: texts(&["alpha"]), ..RunSelection::default() },
            "cargo genti run",
        );
        let part = RunSelection { packages: texts(&["alpha", "beta"]), ..RunSelection::default() };
        check(part.clone(), "cargo genti run --package alpha --package beta");
        let since = RunSelection { since: Some("origin/main".to_owned()), ..part };
        check(since, "cargo genti run --since origin/main");
        let filtered = RunSelection {
            packages: texts(&["a", "b", "c"]),
            filters: texts(&["it's"]),
            ..RunSelection::default()
        };
        check(filtered, r"cargo genti run -- 'it'\''s'");
        let variant = RunSelection {
            packages: texts(&["alpha"]),
            variants: texts(&["full"]),
            ..RunSelection::default()
        };
        check(variant, "cargo genti run --package alpha --variant full");
        let built = RunSelection {
            whole: true,
            features: texts(&["a", "b/c"]),
            no_default_features: true,
            target: Some("x86_64".to_owned()),
            cargo_profile: Some("release".to_owned()),
            tools: texts(&["clippy", "fmt"]),
            ..RunSelection::default()
        };
        check(
            built,
            "cargo genti run --tool clippy --tool fmt --features a,b/c --target x86_64 --cargo-profile release --no-default-features",
        );
        let policy = RunSummary {
            seed: 7,
            order_policy: "topo".to_owned(),
            max_duration_ms: Some(90_000),
            ..run(RunSelection { whole: true, ..RunSelection::default() })
        };
        assert_eq!(
            command_line(&policy, None),
            "cargo genti run --order topo --seed 7 --max-duration '1m 30s'"
        );
    }
}
