//! Finds targets that no tool of a run compiled or documented, although tools did so for their packages.

use std::collections::BTreeSet;

use super::ledger::Ledger;
use super::unseen::Look;
use crate::model::blind_spot::{BlindSpot, BlindSpotKind};
use crate::model::census::{Census, CompiledTarget};
use crate::model::tool::{Arg, Tool, Work};
use crate::model::workspace::{Package, PackageId, Target, TargetKind, Workspace};

/// Reason why a target may be left out.
const REQUIRED: &str = " (it has `required-features`)";

/// Returns the targets of `packages` that no tool compiled. `is_asked` is true if a tool that does not report what it compiles was
/// asked for features. Packages without any compiled target are left out.
pub(super) fn not_compiled<'a>(
    ledger: &Ledger<'_>,
    packages: impl Iterator<Item = &'a Package>,
    census: &Census,
    is_asked: bool,
) -> Vec<BlindSpot> {
    let compiled: BTreeSet<_> = census.targets.iter().map(|target| &target.package).collect();
    let may_be_compiled =
        ledger.plan.graph.tools().any(|(id, tool)| !ledger.tasks_of(id).is_empty() && may_compile(tool));
    let of = |package: &'a Package| {
        let is_known = move |target: &&Target| {
            let (kind, name) = (target.kind.as_str().to_owned(), target.name.clone());
            census.targets.contains(&CompiledTarget { package: package.name.clone(), kind, name })
        };
        let targets = package.targets.iter().filter(|target| target.kind != TargetKind::BuildScript);
        let unseen = targets.filter(move |target| !is_known(target));
        // Without its features, no tool compiles such a target.
        let unseen =
            unseen.filter(move |target| if target.needs_features { !is_asked } else { !may_be_compiled });
        unseen.map(move |target| {
            let why = if target.needs_features { REQUIRED } else { "" };
            spot(BlindSpotKind::UncompiledTarget, package, target, &format!("no tool compiled it{why}"))
        })
    };
    let is_decided =
        |package: &&Package| compiled.contains(&package.name) && !census.undecided.contains(&package.name);
    packages.filter(is_decided).flat_map(of).collect()
}

/// Returns the targets of `packages` that are compiled without any of their code, because a condition of the whole file is off.
pub(super) fn emptied<'a>(look: &Look<'_>, packages: impl Iterator<Item = &'a Package>) -> Vec<BlindSpot> {
    // An integration test without its tests is one that ran no test.
    let is_other = |target: &&Target| !matches!(target.kind, TargetKind::BuildScript | TargetKind::Test);
    let targets: Vec<_> = packages
        .flat_map(|package| package.targets.iter().filter(is_other).map(move |target| (package, target)))
        .collect();
    let roots: Vec<_> = targets.iter().map(|(package, target)| (&*package.name, &target.root)).collect();
    let spots = targets.iter().zip(look.why_empty(&roots)).filter_map(|((package, target), why)| {
        let reason = format!("compiled without its code: {}", why?);
        Some(spot(BlindSpotKind::UncompiledTarget, package, target, &reason))
    });
    spots.collect()
}

/// Returns the packages of variants of which no tool compiled anything in that variant, because it switches off what their targets
/// require. `decided` are the packages with a result of all tools.
pub(super) fn empty_in_variants(
    ledger: &Ledger<'_>,
    workspace: &Workspace,
    decided: &BTreeSet<PackageId>,
) -> Vec<BlindSpot> {
    let plan = ledger.plan;
    let mut spots = Vec::new();
    for (name, build) in &plan.variants {
        let tools = || {
            let own = plan.graph.tools().filter(|(_, tool)| tool.variant_name() == name);
            own.filter(|(id, tool)| !ledger.tasks_of(*id).is_empty() && !ledger.is_elsewhere(tool))
        };
        let compiling = tools().filter(|(_, tool)| {
            matches!(tool.parse.work(), Work::Lint | Work::Build)
                && tool.uses_selection()
                && !tool.documents()
        });
        let censuses: Vec<_> = compiling.map(|(id, _)| ledger.known_census(id)).collect();
        // Another tool has built the tests that cargo-nextest runs.
        let is_unreported = tools().any(|(_, tool)| may_compile(tool) && !tool.runs_nextest());
        if censuses.is_empty() || censuses.contains(&None) || is_unreported {
            continue;
        }
        let is_known = |package: &Package| {
            censuses.iter().flatten().any(|census| {
                census.undecided.contains(&package.name)
                    || census.targets.iter().any(|target| target.package == package.name)
            })
        };
        let packages =
            build.packages.iter().filter(|id| decided.contains(id)).map(|id| workspace.package(*id));
        spots.extend(packages.filter(|package| !is_known(package)).map(|package| BlindSpot {
            kind: BlindSpotKind::UnseenPackage,
            path: package.dir.join("Cargo.toml"),
            reason: format!("no target of `{}` is compiled in the variant `{name}`", package.name),
        }));
    }
    spots
}

/// Returns true if `tool` may compile targets without reporting which: it calls cargo, and not only for doc tests.
pub(super) fn may_compile(tool: &Tool) -> bool {
    let program = tool.run.first().and_then(Arg::literal).unwrap_or_default();
    let is_unreported = matches!(tool.parse.work(), Work::Test | Work::Unknown);
    is_unreported && program.rsplit('/').next() == Some("cargo") && !tool.runs_rustdoc()
}

/// Returns the libraries of the packages that tools must document and did not, and if a package has none, the programs whose
/// documentation is off or needs features. `decided` are the packages with a result of all tools.
pub(super) fn not_documented(
    ledger: &Ledger<'_>,
    workspace: &Workspace,
    decided: &BTreeSet<PackageId>,
    census: &Census,
) -> Vec<BlindSpot> {
    let plan = ledger.plan;
    let documenting =
        plan.graph.tools().filter(|(id, tool)| tool.documents() && !ledger.tasks_of(*id).is_empty());
    let due: BTreeSet<_> = documenting.flat_map(|(_, tool)| plan.build_of(tool).packages).copied().collect();
    let documented: BTreeSet<_> =
        census.units.iter().filter(|unit| unit.is_doc).map(|unit| (&*unit.package, &unit.root)).collect();
    let packages = due.intersection(decided).map(|id| workspace.package(*id));
    let targets = packages.flat_map(|package| {
        let library = package.targets.iter().find(|target| target.kind == TargetKind::Lib);
        let is_due = move |target: &&Target| match library {
            Some(library) => target.root == library.root && target.kind == TargetKind::Lib,
            None => target.kind == TargetKind::Bin && (!target.doc || target.needs_features),
        };
        package.targets.iter().filter(is_due).map(move |target| (package, target))
    });
    let unseen = targets.filter(|(package, target)| !documented.contains(&(&*package.name, &target.root)));
    let spots = unseen.map(|(package, target)| {
        let why = match (target.doc, target.needs_features) {
            (false, _) => " (`doc = false`)",
            (true, true) => REQUIRED,
            (true, false) => "",
        };
        spot(BlindSpotKind::UndocumentedTarget, package, target, &format!("no tool documented it{why}"))
    });
    spots.collect()
}

fn spot(kind: BlindSpotKind, package: &Package, target: &Target, reason: &str) -> BlindSpot {
    let reason = format!("`{}`: {reason}", package.test_name(target));
    BlindSpot { kind, path: target.root.clone(), reason }
}
