//! Builds command lines from a tool, its units and the selection. This module does not find programs or run them.

use std::ffi::{OsStr, OsString};

use super::select::PlanError;
use crate::model::path::RelPath;
use crate::model::policy::Selection;
use crate::model::task::{Plan, Unit};
use crate::model::tool::{Arg, Parse, Per, Piece, Tool};
use crate::model::variant::Build;
use crate::model::workspace::{PackageId, Workspace};

/// Maximum length of a command line in bytes, including the separators. It is the same on every system, because
/// otherwise plans would differ (Windows allows 32,767).
pub(super) const ARGV_CAP: usize = 30_000;

/// Returns the command lines of one step. There are several if the files of a package or of the workspace
/// don't fit into one. `executable` replaces the placeholder for a program that another tool has built.
pub fn expand(
    workspace: &Workspace,
    plan: &Plan,
    tool: &Tool,
    units: &[Unit],
    cargo_flags: &[String],
    executable: &OsStr,
) -> Vec<Vec<OsString>> {
    let files = || units.iter().flat_map(|unit| files_of(workspace, plan, tool, *unit));
    let mut chunks = vec![Vec::new()];
    if tool.run.contains(&Arg::Files) {
        let base = base_len(tool);
        let mut len = base;
        for file in files() {
            let file = argument(tool, &file);
            if len + file.len() + 1 > ARGV_CAP && len > base {
                chunks.push(Vec::new());
                len = base;
            }
            len += file.len() + 1;
            if let Some(chunk) = chunks.last_mut() {
                chunk.push(file);
            }
        }
    }
    let line = |files: Vec<_>| line(workspace, plan, tool, units, &files, cargo_flags, executable);
    chunks.into_iter().map(line).collect()
}

fn line(
    workspace: &Workspace,
    plan: &Plan,
    tool: &Tool,
    units: &[Unit],
    files: &[OsString],
    cargo_flags: &[String],
    executable: &OsStr,
) -> Vec<OsString> {
    let unit = units.first().copied().unwrap_or(Unit::Workspace);
    let mut argv = Vec::with_capacity(tool.run.len() + files.len());
    for arg in &tool.run {
        match arg {
            Arg::Files => argv.extend_from_slice(files),
            Arg::Args => {
                if tool.parse == Parse::Nextest && tool.retries > 0 {
                    argv.push(format!("--retries={}", tool.retries).into());
                }
                argv.extend(tool.args.iter().map(OsString::from));
            }
            Arg::Selection => {
                // Cargo builds tests under the `test` profile unless another one is passed.
                let profile = Profile {
                    // cargo-nextest has profiles of its own.
                    flag: if tool.parse == Parse::Nextest { "--cargo-profile" } else { "--profile" },
                    default: (tool.parse == Parse::CargoBuild).then_some("test"),
                };
                let build = plan.build_of(tool);
                let words = match (unit, plan.graph.combination(unit)) {
                    (Unit::Combination(package, _), Some(combination)) => {
                        // The combination has the features of the variant as well.
                        let own = Selection { features: Vec::new(), ..build.selection.clone() };
                        let build = Build { packages: &[package], selection: &own, ..build };
                        let mut words = selection(workspace, build, profile);
                        words.extend(combination.flags());
                        words
                    }
                    _ => selection(workspace, build, profile),
                };
                argv.extend(words.into_iter().map(OsString::from));
                argv.extend(cargo_flags.iter().map(OsString::from));
                let is_locked = cargo_flags.iter().any(|flag| flag == "--locked" || flag == "--frozen");
                if tool.lock().is_some() && !is_locked {
                    argv.push("--locked".into());
                }
            }
            Arg::Features => {
                let build = plan.build_of(tool);
                let own = unit.package(workspace);
                let packages = own.as_ref().map_or(build.packages, std::slice::from_ref);
                let words = match plan.graph.combination(unit) {
                    Some(combination) => combination.flags(),
                    None => features(workspace, build.selection, packages),
                };
                argv.extend(words.into_iter().map(OsString::from));
            }
            Arg::Target => argv.extend(target(plan.build_of(tool).selection).map(OsString::from)),
            Arg::Text(pieces) => {
                let mut text = OsString::new();
                for piece in pieces {
                    match piece {
                        Piece::Literal(literal) => text.push(literal),
                        Piece::File => text.push(argument(tool, unit.path(workspace))),
                        Piece::Dir => {
                            let package = unit.package(workspace).map(|id| &workspace.package(id).dir);
                            text.push(argument(tool, package.unwrap_or(&RelPath::default())));
                        }
                        Piece::Package => {
                            text.push(
                                unit.package(workspace).map_or("", |id| workspace.package(id).cargo_name()),
                            );
                        }
                        Piece::Executable => text.push(executable),
                        Piece::Edition => {
                            text.push(unit.target(workspace).map_or("", |target| &target.edition))
                        }
                    }
                }
                argv.push(text);
            }
        }
    }
    argv
}

/// How a command line names the profile of cargo.
#[derive(Clone, Copy)]
pub(super) struct Profile {
    pub(super) flag: &'static str,
    /// Profile if the selection has none.
    pub(super) default: Option<&'static str>,
}

/// Returns the cargo arguments for the selection.
pub(super) fn selection(workspace: &Workspace, build: Build<'_>, profile: Profile) -> Vec<String> {
    let mut words = Vec::new();
    if build.is_of_all(workspace) {
        words.push("--workspace".to_owned());
    } else {
        for &package in build.packages {
            let package = workspace.package(package);
            words.extend(["-p".to_owned(), format!("{}@{}", package.cargo_name(), package.version)]);
        }
    }
    words.extend(features(workspace, build.selection, build.packages));
    words.extend(target(build.selection));
    if let Some(name) = build.selection.cargo_profile.as_deref().or(profile.default) {
        words.extend([profile.flag.to_owned(), name.to_owned()]);
    }
    words
}

/// Returns the cargo arguments for the features of `selection` that may be passed with `packages`.
fn features(workspace: &Workspace, selection: &Selection, packages: &[PackageId]) -> Vec<String> {
    let Selection { features, all_features, no_default_features, .. } = selection;
    let mut words = Vec::new();
    for feature in features.iter().filter(|name| may_have(workspace, packages, name)) {
        words.extend(["--features".to_owned(), feature.clone()]);
    }
    if *all_features {
        words.push("--all-features".to_owned());
    }
    if *no_default_features {
        words.push("--no-default-features".to_owned());
    }
    words
}

/// Returns the cargo arguments for the target of `selection`.
fn target(selection: &Selection) -> impl Iterator<Item = String> {
    selection.target.iter().flat_map(|target| ["--target".to_owned(), target.clone()])
}

/// Returns true if `feature` may be passed to cargo with `packages`. Cargo fails if none of them has it, but a run may be limited
/// to packages without it. What no member has is left to cargo, which may know it.
pub(super) fn may_have(workspace: &Workspace, packages: &[PackageId], feature: &str) -> bool {
    let of = packages.first().and_then(|id| workspace.package(*id).workspace.as_ref());
    let mut members = workspace.packages_in(of);
    let Some((owner, _)) = feature.split_once('/') else {
        let has = |id: PackageId| workspace.package(id).features.contains_key(feature);
        return packages.iter().any(|id| has(*id)) || !members.any(|(id, _)| has(id));
    };
    let owner = owner.trim_end_matches('?');
    let Some((owner, _)) = members.find(|(_, package)| package.cargo_name() == owner) else {
        return true;
    };
    packages.iter().any(|id| *id == owner || workspace.package(*id).dependencies.contains(&owner))
}

/// Returns the files that `{files}` stands for in one unit.
fn files_of(workspace: &Workspace, plan: &Plan, tool: &Tool, unit: Unit) -> Vec<RelPath> {
    let build = plan.build_of(tool);
    let is_all = build.asks_all(workspace);
    let belongs = |owner: Option<PackageId>| match unit {
        Unit::Package(package) | Unit::Combination(package, _) => owner == Some(package),
        _ => is_all || owner.is_some_and(|owner| build.asked.binary_search(&owner).is_ok()),
    };
    match unit {
        Unit::File(_) | Unit::TargetRoot(..) => vec![unit.path(workspace).clone()],
        Unit::Package(_) | Unit::Combination(..) | Unit::Workspace => {
            let Ok(globs) = super::globs::Globs::new(tool) else { return Vec::new() };
            let files = workspace.files.iter().zip(&workspace.owners);
            files
                .filter(|(file, owner)| file.is_unit() && belongs(**owner) && globs.looks_at(file))
                .map(|(file, _)| file.path.clone())
                .collect()
        }
    }
}

/// Returns a path as an argument of `tool`. A leading `-` is guarded so that it is not read as an option.
fn argument(tool: &Tool, path: &RelPath) -> OsString {
    let seen = tool.dir.as_ref().map(|dir| path.seen_from(dir));
    let path = seen.as_ref().unwrap_or(path);
    if path.is_root() {
        return OsString::from(".");
    }
    let os = path.as_os_path().into_owned().into_os_string();
    if !path.as_bytes().starts_with(b"-") {
        return os;
    }
    let mut guarded = OsString::from("./");
    guarded.push(os);
    guarded
}

/// Returns the length in bytes of a command line without its files.
fn base_len(tool: &Tool) -> usize {
    let piece = |piece: &Piece| match piece {
        Piece::Literal(text) => text.len(),
        Piece::File | Piece::Package | Piece::Dir | Piece::Edition | Piece::Executable => 8,
    };
    tool.run
        .iter()
        .map(|arg| match arg {
            Arg::Files | Arg::Selection | Arg::Features | Arg::Target => 0,
            Arg::Args => tool.args.iter().map(|arg| arg.len() + 1).sum(),
            Arg::Text(pieces) => pieces.iter().map(piece).sum::<usize>() + 1,
        })
        .sum()
}

/// Returns the number of bytes that `unit` adds to a command line for several units.
pub(super) fn argument_len(workspace: &Workspace, tool: &Tool, unit: Unit) -> usize {
    match tool.per {
        Per::File | Per::TargetRoot => {
            // As seen from its directory, a path begins with at most one `..` for each of its components.
            let up = tool.dir.iter().flat_map(|dir| dir.as_bytes()).filter(|&&byte| byte == b'/').count();
            unit.path(workspace).as_bytes().len() + 3 + tool.dir.iter().map(|_| 3 * (up + 1)).sum::<usize>()
        }
        _ => 0,
    }
}

/// Returns the number of bytes that a command line of `tool` has left for its files.
pub(super) fn argv_room(tool: &Tool) -> Result<usize, PlanError> {
    let len = base_len(tool);
    let too_long = || PlanError::CommandTooLong { tool: tool.name.clone(), len, cap: ARGV_CAP };
    ARGV_CAP.checked_sub(len).ok_or_else(too_long)
}
