//! The JSON lines of `cargo clippy`, `check`, `doc`, `build` and `test --no-run` with `--message-format=json`.
//!
//! The order of the lines differs from run to run, and one diagnostic comes several times: for a library and
//! its test target, for each expansion of a macro. [`diagnostic`] reads one message, [`merge`] makes one out
//! of its occurrences, [`reach`] tells which packages cargo did not get to, [`programs`] which tests it built.
//!
//! Of a mere build ([`Parse::CargoBuild`]) only errors are kept: what warns there warns clippy's build too. Of one that is
//! there for build scripts ([`Parse::BuildScripts`]) only theirs, and who has run is judged, whatever else failed.

mod census;
mod diagnostic;
mod merge;
mod message;
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
use crate::model::tool::Parse;
use crate::model::workspace::{PackageId, TargetKind};
use message::{Artifact, BuildScript, CompilerMessage, Envelope, Finished};
use place::Places;
use programs::Programs;
use reach::Reach;
use scripts::Scripts;

/// Reads the output of a cargo that ended with `code`.
pub(super) fn parse(input: &Input<'_>, code: i32) -> Result<Parsed, Unparsable> {
    let members: BTreeMap<&str, PackageId> =
        input.workspace.packages().map(|(id, package)| (package.cargo_id.as_str(), id)).collect();
    let places = Places::new(input, out_dirs(input, &members));
    let asked_for = reach::asked_for(input);
    let mut occurrences = Vec::new();
    let mut reach = Reach::of(input);
    let mut programs = Programs::default();
    let mut scripts = Scripts::default();
    let mut traces = traces::Collector::default();
    let mut features: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    let is_build = input.tool.parse == Parse::CargoBuild;
    let is_for_scripts = input.tool.parse == Parse::BuildScripts;
    let mut finished = None;
    let mut messages = 0_usize;
    for (line, bytes) in (1..).zip(input.lines(&input.output.stdout)) {
        let broken = |error: serde_json::Error| Unparsable(format!("line {line} of cargo's JSON: {error}"));
        let text = std::str::from_utf8(bytes).map_err(serde::de::Error::custom);
        let read = text.and_then(|text| Ok((text, serde_json::from_str::<Envelope<'_>>(text)?)));
        let (text, envelope) = match read {
            Ok(read) => read,
            Err(error) if bytes.starts_with(br#"{"reason":"#) => return Err(broken(error)),
            // Procedural macros and build scripts print here too.
            Err(_) => continue,
        };
        messages += 1;
        match &*envelope.reason {
            "compiler-message" => {
                let message: CompilerMessage<'_> = serde_json::from_str(text).map_err(broken)?;
                if let Some(&package) = members.get(&*message.package_id) {
                    reach.told(package, &message);
                    // Cargo lints the members that a selected one depends on too, with the features that this one
                    // asks for. Only what stops the selected one is its affair.
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
                    occurrences.extend(diagnostic::read(&places, package, &message.message).filter(is_kept));
                }
            }
            "compiler-artifact" => {
                let artifact: Artifact<'_> = serde_json::from_str(text).map_err(broken)?;
                let package = members.get(&*artifact.package_id).copied();
                traces.made(package, &artifact);
                if let Some(package) = package {
                    reach.made(package, &artifact);
                    features.entry(package).or_default().extend(artifact.features.iter().cloned());
                    programs.made(package, artifact);
                }
            }
            "build-script-executed" => {
                let script: BuildScript<'_> = serde_json::from_str(text).map_err(broken)?;
                let package = members.get(&*script.package_id).copied();
                traces.ran(package, &script);
                programs.ran(package, &script);
                if let Some(package) = package {
                    scripts.ran(package, script.out_dir.into());
                }
            }
            "build-finished" => {
                let Finished { success } = serde_json::from_str(text).map_err(broken)?;
                finished = Some(finished.unwrap_or(true) && success);
            }
            _ => {}
        }
    }

    let complaint = || input.complaint();
    let gaps = match finished {
        Some(_) if is_crash(code) => vec![Gap::all(input.crashed(code).0)],
        Some(success) if is_for_scripts && success == (code == 0) => scripts.gaps(input, &reach),
        Some(true) if code == 0 && reach.is_elsewhere(input) => {
            // Under a link to the workspace, for one: all that it found was taken for somebody else's.
            let reason =
                "cargo names none of the workspace's packages that were selected: its ids are of others";
            return Err(Unparsable(reason.to_owned()));
        }
        Some(true) if code == 0 => Vec::new(),
        Some(false) if code != 0 => reach.gaps(input),
        Some(true) => vec![Gap::all(complaint().unwrap_or_else(|| format!("cargo exited with {code}")))],
        Some(false) => return Err(Unparsable("cargo exited with 0 after a failed build".to_owned())),
        // Refused before it built anything: a manifest, the lock file, the selection.
        None if messages == 0 && code != 0 => match complaint() {
            Some(reason) => vec![Gap::all(reason)],
            None => return Err(Unparsable(format!("cargo exited with {code} and said nothing"))),
        },
        None => return Err(Unparsable("cargo's JSON ends before `build-finished`".to_owned())),
    };
    let outputs = if is_build { programs.outputs() } else { Vec::new() };
    let programs = if is_build { programs.finish(input.workspace) } else { Vec::new() };
    let traces = traces.finish();
    let mut diagnostics = merge::merge(occurrences);
    let made_in = places.made_in(&diagnostics);
    if is_for_scripts {
        let (warnings, notices) = scripts::warnings(&places);
        diagnostics.extend(scripts::errors(&places).into_iter().chain(warnings));
        let out_dirs = scripts.finish(input);
        return Ok(Parsed { diagnostics, gaps, traces, out_dirs, made_in, notices, ..Parsed::default() });
    }
    let hidden = !gaps.is_empty() && reach.has_denied();
    let census = census::of(input, &reach, features, gaps.is_empty());
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

/// Where build scripts of members leave what they generate. Told before and after what is said of it.
fn out_dirs(input: &Input<'_>, members: &BTreeMap<&str, PackageId>) -> Vec<(PathBuf, PackageId)> {
    const EXECUTED: &[u8] = br#"{"reason":"build-script-executed""#;
    let lines = input.lines(&input.output.stdout).filter(|line| line.starts_with(EXECUTED));
    let scripts = lines.filter_map(|line| serde_json::from_slice::<BuildScript<'_>>(line).ok());
    scripts.filter_map(|script| Some((script.out_dir.into(), *members.get(&*script.package_id)?))).collect()
}

/// The last line of cargo's messages.
const FINISHED: &[u8] = br#"{"reason":"build-finished""#;

/// Splits the output of a tool that builds and then prints something else: cargo's messages, and what follows them.
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

/// What cargo's messages in `stdout` say of what was built.
pub(super) fn traces(input: &Input<'_>, stdout: &[u8]) -> Result<Traces, Unparsable> {
    let members: BTreeMap<&str, PackageId> =
        input.workspace.packages().map(|(id, package)| (package.cargo_id.as_str(), id)).collect();
    let mut traces = traces::Collector::default();
    for (line, text) in (1..).zip(input.lines(stdout)) {
        let broken = |error: serde_json::Error| Unparsable(format!("line {line} of cargo's JSON: {error}"));
        let Ok(envelope) = serde_json::from_slice::<Envelope<'_>>(text) else { continue };
        match &*envelope.reason {
            "compiler-artifact" => {
                let artifact: Artifact<'_> = serde_json::from_slice(text).map_err(broken)?;
                traces.made(members.get(&*artifact.package_id).copied(), &artifact);
            }
            "build-script-executed" => {
                let script: BuildScript<'_> = serde_json::from_slice(text).map_err(broken)?;
                traces.ran(members.get(&*script.package_id).copied(), &script);
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
