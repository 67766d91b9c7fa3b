//! Compares a run with a base: plans the merge base, collects what differs, and sets the causes of findings.
//!
//! Runs nothing, and writes only to a temporary directory. What counts as a proof is decided in [`crate::plan::cause`].

mod reference;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::configuration::{read, read_config_with};
use super::ledger::Ledger;
use super::new_lints::{NewLints, OfTool};
use super::{Error, Limit, Project, Request, exists, find};
use crate::compare::baseline;
use crate::compare::matching::Matched;
use crate::model::cause::{Against, Cause, Caused};
use crate::model::finding::{Entry, State};
use crate::model::notice::Notice;
use crate::model::outcome::Compared;
use crate::model::path::RelPath;
use crate::model::task::Plan;
use crate::plan;
use crate::plan::cause::{self, Causes, Crates, Differences, Read, ToolFacts, Version};
use crate::report::finished::{Finished, Gone};
use crate::scan::Env;
use crate::store::BASELINE_DIR;
use crate::workspace;

/// The base of a run, and what differs from it.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) against: Against,
    commit: workspace::Base,
    differences: Differences,
}

/// Origin of the causes of a run.
#[derive(Clone, Copy)]
pub(super) enum Causing<'a> {
    /// The run is not compared with a base.
    Nothing,
    /// Determined from the base and from what each tool read.
    Found { base: &'a Base, project: &'a Project, reads: &'a [Option<Vec<Read>>] },
    /// Taken from the artifacts of a finished run.
    Stated { base: &'a Base, run: &'a Finished },
}

impl Project {
    /// Returns true if the run is compared with a base.
    pub fn has_base(&self) -> bool {
        self.base.is_some()
    }

    /// Compares the run with the base that `[policy] against` or `--against` names. `accepted` is the baseline of this checkout.
    ///
    /// # Errors
    ///
    /// If there is no such commit, or git does not have the commits up to the common one.
    pub fn compare_with_base(
        &mut self,
        request: &Request,
        accepted: &BTreeMap<String, Vec<Entry>>,
        env: &Env,
        limit: &Limit<'_>,
    ) -> Result<Option<Notice>, Error> {
        let Some(asked) = self.plan.policy.against.clone() else { return Ok(None) };
        let root = &self.workspace.root;
        let var = |name: &str| env.get(name).map(|value| value.to_string_lossy().into_owned());
        let event = || {
            let path = var("GITHUB_EVENT_PATH")?;
            serde_json::from_slice(&crate::disk::read(Path::new(&path)).ok()?).ok()
        };
        let is_merge = || workspace::is_merge(root);
        let Some(reference) = reference::resolve(&asked, &var, &is_merge, &event) else { return Ok(None) };
        let commit = workspace::Base::find(root, &reference)?;
        let mut differences =
            Differences { files: commit.differing(&self.workspace), ..Differences::default() };
        differences.all = differences
            .files
            .iter()
            .filter(|path| self.counts_for_all(path, request))
            .map(ToString::to_string)
            .collect();
        let planned = self.plan_base(&commit, request, env, limit);
        let (graph_hash, notice) = match planned {
            Ok(plan) => {
                differences.tasks = plan.graph.tasks.iter().map(|task| task.id).collect();
                (Some(plan.graph.hash.to_string()), None)
            }
            Err(reason) => {
                differences.all.push(format!("the base can't be planned: {reason}"));
                (None, Some(Notice::BaseNotPlanned { reference: reference.clone(), reason }))
            }
        };
        if differences.files.iter().any(|path| path.is_within(&RelPath::new(BASELINE_DIR))) {
            match baseline_of(&commit, accepted) {
                Some(base) => differences.entries = Some([base, accepted.clone()]),
                None => differences.all.push(format!("{BASELINE_DIR}: the baseline of the base is invalid")),
            }
        }
        differences.crates = crates(&commit, root);
        let against = Against { commit: commit.commit.clone(), graph_hash, reference };
        self.base = Some(Base { against, commit, differences });
        Ok(notice)
    }

    /// Returns true if a difference in the file at `path` counts for every finding.
    fn counts_for_all(&self, path: &RelPath, request: &Request) -> bool {
        let root = &self.workspace.root;
        let asked =
            request.config_file.as_ref().and_then(|file| RelPath::between(root, &request.cwd.join(file)));
        let config = self.config.as_deref().map(RelPath::new);
        let locations = plan::config::LOCATIONS.iter().map(RelPath::new);
        let lock = RelPath::new(&self.lock_name);
        cause::counts_for_all(path)
            || locations.chain(asked).chain(config).chain([lock]).any(|own| own == *path)
    }

    /// Plans the base like this run.
    fn plan_base(
        &self,
        commit: &workspace::Base,
        request: &Request,
        env: &Env,
        limit: &Limit<'_>,
    ) -> Result<Arc<Plan>, String> {
        if commit.files.is_empty() {
            return Ok(Arc::clone(&self.plan));
        }
        let failed = |error: Error| error.to_string();
        let (_, of_workspace) = find(request, env).map_err(failed)?;
        let workspace = commit.workspace(&self.workspace, &of_workspace, limit)?;
        let root = &self.workspace.root;
        let read_base =
            |path: &Path| match RelPath::between(root, path).and_then(|path| commit.content(&path)) {
                Some(content) => Ok(content.map(|bytes| String::from_utf8_lossy(bytes).into_owned())),
                None => read(path),
            };
        let config = read_config_with(request, root, &read_base).map_err(failed)?;
        let policy = request.policy.over(&config.policy).policy();
        let selection = self.plan.selection.clone();
        let plan = plan::plan(&workspace, config.planned(&workspace), selection, policy, &self.facts);
        plan.map(Arc::new).map_err(|error| error.to_string())
    }
}

/// Returns the baseline of the base; `None` if it is invalid.
fn baseline_of(
    commit: &workspace::Base,
    accepted: &BTreeMap<String, Vec<Entry>>,
) -> Option<BTreeMap<String, Vec<Entry>>> {
    let mut base = accepted.clone();
    for path in commit.files.keys().filter(|path| path.is_within(&RelPath::new(BASELINE_DIR))) {
        let name = path.to_string();
        let Some(ns) = name.strip_prefix(BASELINE_DIR)?.strip_prefix('/')?.strip_suffix(".jsonl") else {
            continue;
        };
        match commit.content(path)? {
            Some(text) => drop(base.insert(ns.to_owned(), baseline::parse(&name, text).ok()?)),
            None => drop(base.remove(ns)),
        }
    }
    Some(base)
}

/// Returns the crates in the lock files of the base and of this checkout.
fn crates(commit: &workspace::Base, root: &Path) -> Option<[Crates; 2]> {
    let path = RelPath::new("Cargo.lock");
    let here = read(&path.to_path(root)).ok()??;
    let base = match commit.content(&path) {
        Some(content) => String::from_utf8_lossy(content?).into_owned(),
        // Git does not have it.
        None if commit.differs(&path) => return None,
        None => here.clone(),
    };
    Some([Crates::read(&base)?, Crates::read(&here)?])
}

impl Causing<'_> {
    pub(super) fn against(self) -> Option<Against> {
        match self {
            Self::Nothing => None,
            Self::Found { base, .. } | Self::Stated { base, .. } => Some(base.against.clone()),
        }
    }

    /// Sets the causes of the new findings and of the entries whose findings are fixed.
    pub(super) fn set(
        self,
        matched: &mut Matched,
        ledger: &Ledger<'_>,
        versions: &[Option<String>],
        new_lints: &NewLints,
    ) {
        match self {
            Self::Nothing => new_lints.excuse(&mut matched.findings),
            Self::Found { base, project, reads } => {
                found(base, project, reads, matched, ledger, versions, new_lints);
            }
            Self::Stated { run, .. } => {
                stated(run, matched);
                refuse(matched, new_lints);
            }
        }
    }
}

fn found(
    base: &Base,
    project: &Project,
    reads: &[Option<Vec<Read>>],
    matched: &mut Matched,
    ledger: &Ledger<'_>,
    versions: &[Option<String>],
    new_lints: &NewLints,
) {
    let Project { workspace, plan, lock, .. } = project;
    let mut differences = base.differences.clone();
    let read = reads.iter().flatten().flatten().flat_map(|read| &read.files);
    let built = [&workspace.target_dir, &workspace.build_dir];
    let built: Vec<_> = built.into_iter().filter_map(|dir| RelPath::between(&workspace.root, dir)).collect();
    // Files that git ignores, for example. What the build has made follows from its other inputs, and a file that is absent here and
    // does not differ is absent in the base as well.
    let is_unknown = |path: &&RelPath| {
        base.commit.differs(path)
            && !built.iter().any(|dir| path.is_within(dir))
            && exists(&path.to_path(&workspace.root))
    };
    differences.files.extend(read.filter(is_unknown).cloned());
    let facts = plan.graph.tools().zip(versions).map(|((id, tool), version)| {
        let mut sources: BTreeMap<_, Option<BTreeSet<RelPath>>> = BTreeMap::new();
        for unit in ledger.known_census(id).into_iter().flat_map(|census| &census.units) {
            let read = sources.entry(unit.package.clone()).or_insert_with(|| Some(BTreeSet::new()));
            *read = read.take().zip(unit.files.as_ref()).map(|(mut all, files)| {
                all.extend(files.iter().cloned());
                all
            });
        }
        let locked = lock.as_ref().zip(version.as_ref()).map(|(lock, version)| lock.differs(tool, version));
        ToolFacts {
            reads: reads[id.0 as usize].clone(),
            sources,
            version: match locked {
                Some(None) => Version::Locked,
                Some(Some(Some(_))) => Version::Other,
                Some(Some(None)) | None => Version::Unlocked,
            },
            new_lints: new_lints.of_tool(id).and_then(OfTool::excused).cloned().unwrap_or_default(),
        }
    });
    // The globs are valid, because the plan was made with them. Without causes, everything counts.
    let Ok(causes) = Causes::new(workspace, plan, &differences, facts.collect()) else { return };
    for compared in matched.findings.iter_mut().filter(|compared| compared.state == State::New) {
        compared.cause = Some(causes.of_finding(&compared.finding));
    }
    for gone in matched.gone.iter_mut().filter(|gone| gone.state == State::Fixed) {
        gone.cause = Some(causes.of_entry(&gone.ns, &gone.entry));
    }
}

/// Takes back what the artifacts say about new lints, where the lock of this checkout contradicts.
fn refuse(matched: &mut Matched, new_lints: &NewLints) {
    for Compared { finding, cause, .. } in &mut matched.findings {
        let is_stated = cause.as_ref().is_some_and(|caused| caused.cause == Cause::NewLint);
        if is_stated && !new_lints.cover(finding) {
            *cause = Some(Caused::by_change([]).into());
        }
    }
}

fn stated(run: &Finished, matched: &mut Matched) {
    let mut findings: BTreeMap<_, Vec<Arc<Caused>>> = BTreeMap::new();
    for finding in run.report.findings.iter().rev() {
        findings.entry((finding.key(), &finding.tools)).or_default().extend(finding.cause.clone());
    }
    for compared in matched.findings.iter_mut().filter(|compared| compared.state == State::New) {
        let key = (compared.finding.diagnostic.key(), &compared.finding.tools);
        compared.cause = findings.get_mut(&key).and_then(Vec::pop);
    }
    let mut entries: BTreeMap<_, Vec<Arc<Caused>>> = BTreeMap::new();
    for gone in run.report.gone.iter().rev() {
        let Gone { ns, site, rule, scope, code, message, cause, .. } = gone;
        entries.entry((ns, site, rule, scope, code, message)).or_default().extend(cause.clone());
    }
    for gone in matched.gone.iter_mut().filter(|gone| gone.state == State::Fixed) {
        let Entry { site, rule, scope, code, msg, .. } = &gone.entry;
        let known = entries.get_mut(&(&gone.ns, site, rule, scope, code, msg));
        gone.cause = known.and_then(Vec::pop);
    }
}
