//! The search for the commit that brought a finding: what runs at each commit, and what its outcome says.
//!
//! The finding is first looked for in the user's working tree, which gives its baseline entry and those of all other findings of
//! its namespace. A run at another commit is compared with these as with a baseline, so the finding is recognized in moved and
//! edited code by the same passes, and another finding that resembles it has an entry of its own to be matched with.
//!
//! # Selections
//!
//! Only the tool that reports the finding runs, and it is first restricted to the finding's package, and to the name of a failed
//! test. This may miss what only happens with the features of other packages, or before the code was moved to this package. So the
//! commit before the answer is tested once more with the next wider selection, and if that has the finding, the search goes on
//! there.

mod search;
mod states;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::empty::NO_MATCH;
use super::{Project, lock_copies};
use crate::cache::LastRun;
use crate::cache::key::PartKind;
use crate::compare::{baseline::entries_of, identity, ratchet};
use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::finding::{self, Entry, OWN_NAMESPACE, Place};
use crate::model::outcome::{Outcome, ToolOutcome, Verdict};
use crate::model::policy::Selection;
use crate::model::text::Text;
use crate::model::variant::Variant;
use crate::model::workspace::Workspace;
use crate::report::finished::{Finding, Finished, RunSelection};
use crate::scan::Env;
use crate::store;

pub use self::search::{Answer, CommitState, Next, Search};
pub use self::states::States;

/// Reason why no commit can be named for a finding.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSearched {
    /// It is about the run itself.
    #[error(
        "`{OWN_NAMESPACE}::{0}` is a finding of genti about a run, and no tool can look for it at other commits"
    )]
    Own(Text),
    /// It is about a number in the baseline.
    #[error("it is about a number in the baseline, and other commits have other numbers there")]
    Number,
    /// Its tool is not part of the run.
    #[error("no tool of the last run reports it")]
    NoTool,
}

/// A finding of a finished run that is searched for, with the selections in which its tool may have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// Id of the finding.
    pub id: Text,
    /// Name of its tool.
    pub tool: String,
    /// Selections to look for it with, from the narrowest to that of the run.
    pub selections: Vec<Selection>,
}

impl Suspect {
    /// Returns how to look for `finding`, one of `run`. `workspace` is the present one.
    ///
    /// # Errors
    ///
    /// If no tool has found it.
    pub fn of(run: &Finished, finding: &Finding, workspace: &Workspace) -> Result<Self, NotSearched> {
        if finding.ns == OWN_NAMESPACE {
            return Err(NotSearched::Own(finding.rule.clone()));
        }
        if finding.rule == ratchet::RULE {
            return Err(NotSearched::Number);
        }
        let tool = run.tool_of(finding).to_owned();
        if tool.is_empty() {
            return Err(NotSearched::NoTool);
        }
        let of_run = of_run(run, &tool, workspace);
        let selected = match of_run.packages.len() {
            0 => workspace.packages.len(),
            selected => selected,
        };
        let package = package_of(finding, workspace).filter(|_| selected > 1);
        let in_package = package.map(|name| Selection { packages: vec![name], ..of_run.clone() });
        let named = |selection: &Selection| {
            let filters = vec![test_name(finding)?.to_owned()];
            Some(Selection { filters, ..selection.clone() })
        };
        let test = [in_package.as_ref().and_then(named), named(&of_run)].into_iter().flatten();
        // Without its name, a failed test is looked for only if it does not fail alone.
        let selections = test.chain(in_package).chain([of_run]).collect();
        Ok(Self { id: finding.id.clone(), tool, selections })
    }

    /// Returns the position of the selection that confirms what the one at `at` says: the next wider one, of the same tests.
    pub fn wider(&self, at: usize) -> Option<usize> {
        let filters = |at: usize| self.selections.get(at).map(|selection| &selection.filters);
        filters(at + 1).filter(|next| Some(*next) == filters(at)).map(|_| at + 1)
    }
}

/// Returns the selection of `run`, with the tool called `tool` alone.
fn of_run(run: &Finished, tool: &str, workspace: &Workspace) -> Selection {
    let RunSelection { packages, features, all_features, no_default_features, target, cargo_profile, .. } =
        run.run.selection.clone();
    let all: BTreeSet<_> = workspace.packages.iter().map(|package| &package.name).collect();
    let has_all = packages.iter().collect::<BTreeSet<_>>() == all;
    let variants = run.run.tools.iter().any(|tool| tool.variant.is_some());
    let own = run.run.tools.iter().find(|one| one.name == tool).and_then(|tool| tool.variant.clone());
    let own = own.unwrap_or_else(|| Variant::DEFAULT.to_owned());
    Selection {
        packages: if has_all { Vec::new() } else { packages },
        features,
        all_features,
        no_default_features,
        target,
        cargo_profile,
        tools: vec![tool.to_owned()],
        variants: variants.then_some(own).into_iter().collect(),
        ..Selection::default()
    }
}

/// Returns the name of the package that `finding` is about, as far as its place says.
fn package_of(finding: &Finding, workspace: &Workspace) -> Option<String> {
    let owner = match &finding.place {
        Place::File { path, .. } => workspace.owner_of(path)?,
        Place::Subject(subject) => {
            finding.test.as_ref()?;
            let name = subject.split([' ', ':']).next()?;
            workspace.packages().find(|(_, package)| package.name == name)?.0
        }
    };
    Some(workspace.package(owner).name.clone())
}

/// Returns the name of the failed test, if it can be run by its name.
fn test_name(finding: &Finding) -> Option<&str> {
    let is_doc_test = finding.test.as_ref()?.item.is_some();
    let Place::Subject(subject) = &finding.place else { return None };
    subject.split_once(' ').map(|(_, name)| name).filter(|name| !is_doc_test && !name.contains(' '))
}

/// A finding as it is in the working tree.
#[derive(Clone, Debug)]
pub struct Sought {
    ns: Text,
    entry: Entry,
    id: Text,
    /// Number of identical findings. The last of them is searched for.
    count: usize,
    /// True if no entry of a baseline can match it.
    is_fatal: bool,
    /// The entries of all findings of its namespace.
    known: BTreeMap<String, Vec<Entry>>,
}

impl Sought {
    /// Finds `suspect` in the outcome of a run of its tool.
    pub fn find(suspect: &Suspect, outcome: &Outcome) -> Option<Self> {
        let all = || outcome.findings.iter().map(|compared| &compared.finding);
        let first = all().find(|finding| finding.id == suspect.id)?;
        let ns = first.diagnostic.ns.clone();
        let is_known = |finding: &&finding::Finding| {
            finding.diagnostic.ns == ns && finding.diagnostic.rule != ratchet::RULE
        };
        let known: Vec<_> = all().filter(is_known).cloned().collect();
        Some(Self {
            entry: Entry::of(first),
            id: first.id.clone(),
            count: all().filter(|finding| finding.id == suspect.id).count(),
            is_fatal: !first.diagnostic.can_be_accepted(),
            known: entries_of(&known),
            ns,
        })
    }

    /// Returns the entries that a run at another commit is compared with.
    pub fn known(&self) -> &BTreeMap<String, Vec<Entry>> {
        &self.known
    }

    /// Returns what the outcome of a run at another commit says.
    pub fn state(&self, outcome: &Outcome) -> CommitState {
        if self.number_in(outcome) >= self.count {
            return CommitState::Found;
        }
        let is_by_name = !outcome.plan.selection.filters.is_empty();
        let tools = outcome.plan.graph.tools.iter().zip(&outcome.tools);
        let mut gaps = tools.filter_map(|(tool, result)| {
            let why = gap(result, is_by_name)?;
            Some(CommitState::Skipped(format!("{}: {why}", tool.name)))
        });
        gaps.next().unwrap_or(CommitState::Absent)
    }

    /// Number of findings that are the sought one, or identical to it.
    fn number_in(&self, outcome: &Outcome) -> usize {
        let is_sought = |found: &finding::Finding| {
            let Entry { rule, code, msg, scope, .. } = &self.entry;
            let other = Entry::of(found);
            let is_alike = !code.is_empty()
                && (rule, code, msg, scope) == (&other.rule, &other.code, &other.msg, &other.scope);
            found.id == self.id || found.diagnostic.ns == self.ns && is_alike
        };
        let found = outcome.findings.iter().filter(|compared| match self.is_fatal {
            true => is_sought(&compared.finding),
            false => {
                let entry = compared.accepted.as_ref().or(compared.elsewhere.as_ref());
                let id =
                    entry.map(|accepted| identity::id_of(&compared.finding.diagnostic.ns, &accepted.entry));
                id.is_some_and(|id| *self.id == id)
            }
        });
        found.count()
    }

    /// Returns the key of what is known about commits: everything that decides it, except their content. `outcome` is that of
    /// `project`, a run in the working tree.
    pub fn key(&self, project: &Project, outcome: &Outcome) -> Digest {
        let mut hasher = Hasher::new("genti.bisect.1");
        hasher.field("genti", env!("CARGO_PKG_VERSION").as_bytes());
        hasher.field("id", self.id.as_bytes());
        hasher.count("identical", self.count);
        let last_run = LastRun::load(&project.workspace.target_dir).unwrap_or_default();
        let Project { plan, programs, .. } = project;
        for (tool, result) in plan.graph.tools.iter().zip(&outcome.tools) {
            hasher.field("tool", &Digest::of("genti.bisect-tool.1", tool).0);
            hasher.field("build", &Digest::of("genti.bisect-build.1", plan.build_of(tool).selection).0);
            hasher.field("version", result.version.as_deref().unwrap_or_default().as_bytes());
            let parts = last_run.tools.get(&tool.name);
            for kind in KINDS {
                let digest = parts.map(|(_, parts)| parts.of_kind(kind));
                hasher.field("part", digest.as_ref().map_or(&[][..], |digest| &digest.0));
            }
        }
        hasher.texts("packages", &plan.selection.packages);
        hasher.texts("filters", &plan.selection.filters);
        let sysroot = programs.sysroot().unwrap_or(Path::new(""));
        hasher.field("toolchain", sysroot.as_os_str().as_encoded_bytes());
        hasher.finish()
    }
}

/// Returns the reason why a tool has no complete result. `is_by_name` says whether tests were run by name: one that does not exist
/// does not fail.
fn gap(result: &ToolOutcome, is_by_name: bool) -> Option<String> {
    match result.verdict {
        Verdict::Passed | Verdict::Failed | Verdict::Empty => None,
        Verdict::Missing => Some("its program is missing".to_owned()),
        Verdict::Incomplete => {
            let is_other = |why: &str| !(is_by_name && why.starts_with(NO_MATCH));
            let (unit, why) = match result.incomplete.as_slice() {
                [] => return Some("it has no result".to_owned()),
                gaps => gaps.iter().find(|(_, why)| is_other(why))?,
            };
            Some(if unit == "." { why.clone() } else { format!("{unit}: {why}") })
        }
    }
}

/// Parts of the key of a result that the content of a commit does not decide.
const KINDS: [PartKind; 3] = [PartKind::Genti, PartKind::Program, PartKind::Variable];

/// Returns the directory in which the commits of the repository around `root` are checked out, outside of it.
pub fn worktree(root: &Path, target_dir: &Path, env: &Env) -> Option<PathBuf> {
    let top = crate::workspace::repository(root)?;
    Some(store::bisect_home(&lock_copies::user_cache(env)?, top, target_dir).join(top.file_name()?))
}
