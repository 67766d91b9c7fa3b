//! Parses the JSON lines of `cargo clippy`, `check`, `doc`, `build` and `test --no-run` with `--message-format=json`.
//!
//! The order of the lines varies, and the same diagnostic appears several times, for example for a library and its test
//! target, or for each expansion of a macro. [`diagnostic`] reads one message, [`merge`] combines occurrences,
//! [`reach`] finds packages that cargo did not finish, and [`programs`] collects the test programs.
//!
//! For a plain build ([`Parse::CargoBuild`]) only errors are kept, because clippy's build reports the same warnings.
//! For a build that runs build scripts ([`Parse::BuildScripts`]) only their diagnostics are kept, and each package has
//! a result if its script ran, whatever else failed.

mod census;
mod diagnostic;
mod merge;
mod message;
mod others;
mod place;
mod programs;
mod reach;
mod scripts;
mod traces;
pub(super) mod warnings;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::{Gap, Input, Parsed, Traces, Unparsable, Unsettled, is_crash};
use crate::model::finding::Level;
use crate::model::tool::{Parse, Tool};
use crate::model::workspace::{PackageId, TargetKind};
use diagnostic::Origin;
use message::{CargoArtifact, CargoBuildScript, CargoFinished, CargoMessage, CompilerMessage};
use others::OtherPackages;
use place::Places;
use programs::BuiltPrograms;
use reach::CargoReach;
use scripts::Scripts;

/// Parses the output of cargo, which exited with `code`.
pub(super) fn parse(input: &Input<'_>, code: i32) -> Result<Parsed, Unparsable> {
    let members: BTreeMap<&str, PackageId> =
        input.workspace.packages().map(|(id, package)| (package.cargo_id.as_str(), id)).collect();
    let places = Places::new(input, out_dirs(input, &members));
    let asked_for = reach::asked_for(input);
    let mut occurrences = Vec::new();
    let mut reach = CargoReach::of(input);
    let mut others = OtherPackages::default();
    let mut programs = BuiltPrograms::default();
    let mut scripts = Scripts::default();
    let mut traces = traces::TraceCollector::new(input);
    let mut features: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    let is_build = input.tool.parse == Parse::CargoBuild;
    let is_for_scripts = input.tool.parse == Parse::BuildScripts;
    let mut missing_target = None;
    let mut finished = None;
    let mut messages = 0_usize;
    for (line, bytes) in (1..).zip(input.lines(&input.output.stdout)) {
        let broken =
            |error: serde_json::Error| Unparsable(format!("invalid JSON from cargo in line {line}: {error}"));
        let text = std::str::from_utf8(bytes).map_err(serde::de::Error::custom);
        let read = text.and_then(|text| Ok((text, serde_json::from_str::<CargoMessage<'_>>(text)?)));
        let (text, envelope) = match read {
            Ok(read) => read,
            Err(error) if bytes.starts_with(br#"{"reason":"#) => return Err(broken(error)),
            // Procedural macros and build scripts also print to stdout.
            Err(_) => continue,
        };
        messages += 1;
        match &*envelope.reason {
            "compiler-message" => {
                let message: CompilerMessage<'_> = serde_json::from_str(text).map_err(broken)?;
                if let Some((target, has_help)) = message.message.missing_target() {
                    missing_target.get_or_insert_with(|| why_no_target(input.tool, target, has_help));
                }
                if let Some(&package) = members.get(&*message.package_id) {
                    reach.add_message(package, &message);
                    if message.message.is_error() {
                        programs.add_error(package, &message.target);
                    }
                    // Cargo also lints members that a selected package depends on, with the features that the package
                    // enables. Keep only their errors that stop the selected package.
                    let is_asked_for = |read: &diagnostic::Occurrence| {
                        let about = read.diagnostic.package.unwrap_or(package);
                        read.diagnostic.fatal || asked_for.contains(&package) && asked_for.contains(&about)
                    };
                    let is_script = message.target.kind() == TargetKind::BuildScript;
                    let is_kept = |read: &diagnostic::Occurrence| {
                        let is_error = read.diagnostic.level == Level::Error;
                        is_asked_for(read)
                            && (!is_build && !is_for_scripts || is_error)
                            && (is_script || !is_for_scripts)
                    };
                    let origin = Origin::Member(package);
                    occurrences.extend(diagnostic::read(&places, origin, &message).filter(is_kept));
                } else if let Some(manifest) =
                    OtherPackages::manifest(input, &message.package_id, &message.manifest_path)
                {
                    others.add_message(&manifest, &message);
                    occurrences.extend(diagnostic::read(&places, Origin::Other(&manifest), &message));
                }
            }
            "compiler-artifact" => {
                let artifact: CargoArtifact<'_> = serde_json::from_str(text).map_err(broken)?;
                let package = members.get(&*artifact.package_id).copied();
                traces.add_artifact(package, &artifact);
                if let Some(package) = package {
                    reach.add_artifact(package, &artifact);
                    features.entry(package).or_default().extend(artifact.features.iter().cloned());
                    programs.add_artifact(package, artifact);
                } else if let Some(manifest) =
                    OtherPackages::manifest(input, &artifact.package_id, &artifact.manifest_path)
                {
                    others.add_artifact(manifest, &artifact);
                }
            }
            "build-script-executed" => {
                let script: CargoBuildScript<'_> = serde_json::from_str(text).map_err(broken)?;
                let package = members.get(&*script.package_id).copied();
                traces.add_script(package, &script);
                programs.add_script(package, &script);
                if let Some(package) = package {
                    scripts.add(package, script.out_dir.into());
                }
            }
            "build-finished" => {
                let CargoFinished { success } = serde_json::from_str(text).map_err(broken)?;
                finished = Some(finished.unwrap_or(true) && success);
            }
            _ => {}
        }
    }

    let is_elsewhere = others.are_built(input);
    let complaint = || input.complaint();
    let gaps = match finished {
        Some(_) if is_crash(code) => vec![Gap::all(input.crashed(code).0)],
        Some(success) if is_for_scripts && success == (code == 0) => scripts.gaps(input, &reach),
        Some(true) if code == 0 && !is_elsewhere && reach.is_elsewhere(input) => {
            // This happens if the workspace is reached through a symbolic link, for example. All findings would then be
            // attributed to other packages.
            let reason =
                "cargo built none of the selected packages; its package ids do not match this workspace";
            return Err(Unparsable(reason.to_owned()));
        }
        Some(true) if code == 0 => Vec::new(),
        // Nothing for this target compiles, so all other errors are consequences.
        Some(false) if missing_target.is_some() => missing_target.iter().cloned().map(Gap::all).collect(),
        Some(false) if code != 0 && is_elsewhere => vec![others.gap(input)],
        Some(false) if code != 0 => reach.gaps(input),
        Some(true) => vec![Gap::all(complaint().unwrap_or_else(|| format!("cargo exited with {code}")))],
        Some(false) => return Err(Unparsable("cargo exited with 0 after a failed build".to_owned())),
        // Rejected before building anything, because of a manifest, the lock file or the selection.
        None if messages == 0 && code != 0 => match complaint() {
            Some(reason) => vec![Gap::all(reason)],
            None => return Err(Unparsable(format!("cargo exited with {code} without any output"))),
        },
        None => return Err(Unparsable("cargo's JSON has no `build-finished` message".to_owned())),
    };
    let outputs = if is_build { programs.outputs() } else { Vec::new() };
    let programs = if is_build { programs.finish(input.workspace, code != 0) } else { Vec::new() };
    let traces = traces.finish();
    let mut diagnostics = merge::merge(occurrences, input.tool);
    if missing_target.is_some() {
        diagnostics.retain(|one| !one.fatal);
    }
    let made_in = places.made_in(&diagnostics);
    if is_for_scripts {
        let (warnings, notices) = scripts::warnings(&places);
        diagnostics.extend(scripts::errors(&places).into_iter().chain(warnings));
        let out_dirs = scripts.finish(input);
        return Ok(Parsed { diagnostics, gaps, traces, out_dirs, made_in, notices, ..Parsed::default() });
    }
    let hidden = !gaps.is_empty() && reach.has_denied();
    let census = match is_elsewhere {
        true => others.census(gaps.is_empty()),
        false => census::of(input, &reach, features, gaps.is_empty()),
    };
    let mut parsed =
        Parsed { census, diagnostics, gaps, programs, outputs, traces, hidden, made_in, ..Parsed::default() };
    if !is_build {
        let ((of_scripts, ours), (of_cargo, notices)) = (scripts::warnings(&places), warnings::read(&places));
        parsed.diagnostics.extend(of_scripts.into_iter().chain(of_cargo));
        parsed.notices = notices.into_iter().chain(ours).collect();
        if warnings::unsettled(&parsed.diagnostics).next().is_some() {
            parsed.unsettled = Unsettled::Manifests;
        }
    }
    Ok(parsed)
}

/// Returns the reason why `tool` has no result if the standard library of `target` is not installed. `has_help` is true if rustup
/// can install it.
fn why_no_target(tool: &Tool, target: &str, has_help: bool) -> String {
    let toolchain = tool.toolchain().map_or(String::new(), |name| format!("--toolchain {name} "));
    match has_help {
        true => format!(
            "target `{target}` is not installed; install it with `rustup target add {toolchain}{target}`"
        ),
        false => format!("the standard library of the target `{target}` is not installed"),
    }
}

/// Returns the `OUT_DIR`s of members' build scripts. Read in advance, because messages about their files may come
/// earlier.
fn out_dirs(input: &Input<'_>, members: &BTreeMap<&str, PackageId>) -> Vec<(PathBuf, PackageId)> {
    const EXECUTED: &[u8] = br#"{"reason":"build-script-executed""#;
    let lines = input.lines(&input.output.stdout).filter(|line| line.starts_with(EXECUTED));
    let scripts = lines.filter_map(|line| serde_json::from_slice::<CargoBuildScript<'_>>(line).ok());
    scripts.filter_map(|script| Some((script.out_dir.into(), *members.get(&*script.package_id)?))).collect()
}

/// Beginning of cargo's last message.
const FINISHED: &[u8] = br#"{"reason":"build-finished""#;

/// Splits the output of a tool that builds and then prints something else into cargo's messages and the rest.
pub(super) fn split_build(stdout: &[u8]) -> (&[u8], &[u8]) {
    if !stdout.starts_with(br#"{"reason":"#) {
        return (&[], stdout);
    }
    let mut end = 0;
    for line in stdout.split_inclusive(|&byte| byte == b'\n') {
        end += line.len();
        if line.starts_with(FINISHED) {
            break;
        }
    }
    stdout.split_at(end)
}

/// Returns what was built according to cargo's messages in `stdout`.
pub(super) fn traces(input: &Input<'_>, stdout: &[u8]) -> Result<Traces, Unparsable> {
    let members: BTreeMap<&str, PackageId> =
        input.workspace.packages().map(|(id, package)| (package.cargo_id.as_str(), id)).collect();
    let mut traces = traces::TraceCollector::new(input);
    for (line, text) in (1..).zip(input.lines(stdout)) {
        let broken =
            |error: serde_json::Error| Unparsable(format!("invalid JSON from cargo in line {line}: {error}"));
        let Ok(envelope) = serde_json::from_slice::<CargoMessage<'_>>(text) else { continue };
        match &*envelope.reason {
            "compiler-artifact" => {
                let artifact: CargoArtifact<'_> = serde_json::from_slice(text).map_err(broken)?;
                traces.add_artifact(members.get(&*artifact.package_id).copied(), &artifact);
            }
            "build-script-executed" => {
                let script: CargoBuildScript<'_> = serde_json::from_slice(text).map_err(broken)?;
                traces.add_script(members.get(&*script.package_id).copied(), &script);
            }
            _ => {}
        }
    }
    Ok(traces.finish())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "`str!` looks for the source file that it is in")]
mod tests;
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "`str!` looks for the source file that it is in")]
mod words_tests;
