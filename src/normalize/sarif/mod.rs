//! Parses SARIF 2.1.0 on stdout.
//!
//! Columns are used unchanged. SARIF counts them in UTF-16 code units unless a run says otherwise, and only the source
//! could convert them to characters. They differ only after characters outside the basic multilingual plane.

mod format;

use super::document;
use super::{Gap, Input, PANIC, Parsed, Unparsable, is_crash, range, whole_line};
use crate::model::finding::{Diagnostic, Level, Place, Range, Related};
use crate::model::path::RelPath;
use format::{
    ArtifactLocation, SarifExternal, SarifInvocation, SarifLocation, SarifLog, SarifMessage, SarifRegion,
    SarifResult, SarifRun,
};

/// Parses the output of a tool that exited with `code`.
pub(super) fn parse(input: &Input<'_>, code: i32) -> Result<Parsed, Unparsable> {
    // Some tools write a byte order mark. Invalid UTF-8 is not JSON and might affect a place.
    let stdout = input.output.stdout.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&input.output.stdout);
    let log: SarifLog = std::str::from_utf8(stdout)
        .map_err(serde::de::Error::custom)
        .and_then(|text| document::read(input.halt, text.as_bytes()))
        .map_err(|error: serde_json::Error| {
            Unparsable(input.complaint().filter(|_| code != 0).map_or_else(
                || format!("invalid SARIF: {error}"),
                |reason| format!("exited with {code}: {reason}"),
            ))
        })?;
    match log.version.as_deref() {
        Some(version) if version.starts_with("2.1.") => {}
        Some(version) => {
            let version = input.scrub.quote(version.as_bytes());
            return Err(Unparsable(format!("unsupported SARIF version {version}; only 2.1.0 is supported")));
        }
        None => return Err(Unparsable("invalid SARIF: missing `version`".to_owned())),
    }
    let runs = log.runs;
    let mut parsed = Parsed::default();
    if runs.is_empty() {
        let reason = input.complaint().filter(|_| code != 0);
        parsed.gaps.push(Gap::all(reason.unwrap_or_else(|| "the SARIF log contains no runs".to_owned())));
    }
    if log.inline_external_properties.iter().flatten().any(SarifExternal::has_results) {
        parsed.gaps.push(Gap::all(EXTERNAL));
    }
    for run in &runs {
        parsed.gaps.extend(failure(input, run).map(Gap::all));
        let reader = SarifReader { input, run };
        let results = run.results.iter().flatten();
        parsed.diagnostics.extend(results.filter_map(|result| reader.diagnostic(result)));
    }
    // Results explain a nonzero exit code, even those that are filtered out.
    let explained = runs.iter().any(|run| run.results.as_ref().is_some_and(|results| !results.is_empty()));
    if code == PANIC || is_crash(code) {
        parsed.gaps.push(Gap::all(input.crashed(code).0));
    } else if code != 0 && !explained && parsed.gaps.is_empty() {
        let reason = input.complaint().unwrap_or_else(|| format!("exited with {code} without a result"));
        parsed.gaps.push(Gap::all(reason));
    }
    Ok(parsed)
}

/// Gap reason for results in places that are not read.
const EXTERNAL: &str = "the SARIF log has results in external properties, which are not supported";

/// Returns the reason if a run did not produce a result.
fn failure(input: &Input<'_>, run: &SarifRun) -> Option<String> {
    let has_failed = |invocation: &&SarifInvocation| {
        invocation.execution_successful == Some(false)
            || invocation.errors().next().is_some()
            || invocation.process_start_failure_message.is_some()
            || invocation.exit_signal_name.is_some()
            || invocation.exit_signal_number.is_some()
    };
    if let Some(invocation) = run.invocations.iter().flatten().find(has_failed) {
        let reason = invocation
            .errors()
            .find_map(|notification| notification.message.as_ref()?.text.as_deref())
            .or(invocation.process_start_failure_message.as_deref())
            .or(invocation.exit_code_description.as_deref());
        return Some(
            reason
                .map_or_else(|| "the tool reported that it failed".to_owned(), |text| input.scrub.text(text)),
        );
    }
    if run.external_property_file_references.as_ref().is_some_and(SarifExternal::has_results) {
        return Some(EXTERNAL.to_owned());
    }
    run.results.is_none().then(|| "the run has no `results`, so the tool did not finish".to_owned())
}

struct SarifReader<'a> {
    input: &'a Input<'a>,
    run: &'a SarifRun,
}

impl SarifReader<'_> {
    /// Converts a result to a diagnostic. Returns `None` for results that passed, are suppressed, or are gone.
    fn diagnostic(&self, result: &SarifResult) -> Option<Diagnostic> {
        let rule = self.run.rule(result);
        let default = rule.and_then(|rule| rule.default_configuration.as_ref()?.level.as_deref());
        // The level of results of all kinds but `fail` has to be `none`.
        let level = match (result.kind.as_deref(), result.level.as_deref().or(default)) {
            (Some("pass" | "notApplicable"), _) | (None, Some("none")) => return None,
            (Some("fail" | "informational"), Some("none")) | (Some("informational"), None) => Level::Note,
            (_, Some("error")) => Level::Error,
            (_, Some("note")) => Level::Note,
            _ => Level::Warning,
        };
        if result.is_suppressed() || result.baseline_state.as_deref() == Some("absent") {
            return None;
        }
        let id = result.rule_id().or_else(|| rule?.id.as_deref()).unwrap_or(self.input.tool.base());
        let strings = |id: &str| {
            let own = rule.and_then(|rule| rule.message_strings.as_ref()?.get(id));
            own.or_else(|| self.run.tool.driver.global_message_strings.as_ref()?.get(id))
        };
        let message = result.message.as_ref().map(|message| {
            let text = message.text.as_deref().or_else(|| strings(message.id.as_deref()?)?.text.as_deref());
            self.text(text.unwrap_or_default(), message)
        });
        let mut locations = result.locations.iter().flatten();
        let place = locations.next().and_then(|location| self.place(location));
        let related = locations
            .chain(result.related_locations.iter().flatten())
            .map(|location| {
                let message = location.message.as_ref();
                let text =
                    message.map(|message| self.text(message.text.as_deref().unwrap_or_default(), message));
                let message = text.filter(|text| !text.is_empty()).unwrap_or_else(|| "also here".to_owned());
                Related { message, place: self.place(location) }
            })
            .collect();
        let message = message.filter(|text| !text.is_empty()).unwrap_or_else(|| id.to_owned());
        let place = place.unwrap_or_else(|| self.input.default_place());
        Some(Diagnostic { related, ..self.input.diagnostic(place, id, level, message) })
    }

    /// Returns the text of `message` with its arguments inserted for `{0}`, `{1}`.
    fn text(&self, template: &str, message: &SarifMessage) -> String {
        let arguments = message.arguments.as_deref().unwrap_or_default();
        if arguments.is_empty() {
            return self.input.scrub.text(template);
        }
        let mut out = String::new();
        let mut rest = template;
        while let Some(at) = rest.find(['{', '}']) {
            out.push_str(&rest[..at]);
            let brace = &rest[at..];
            let argument = brace[1..].split_once('}').and_then(|(index, behind)| {
                let argument = arguments.get(index.parse::<usize>().ok()?)?;
                brace.starts_with('{').then_some((argument, behind))
            });
            if let Some((argument, behind)) = argument {
                out.push_str(argument);
                rest = behind;
            } else {
                // A doubled brace stands for a single one.
                out.push_str(&brace[..1]);
                let doubled = brace.starts_with("{{") || brace.starts_with("}}");
                rest = &brace[if doubled { 2 } else { 1 }..];
            }
        }
        self.input.scrub.text(&(out + rest))
    }

    fn place(&self, location: &SarifLocation) -> Option<Place> {
        let logical = || {
            let names = location.logical_locations.iter().flatten();
            let name =
                names.filter_map(|name| name.fully_qualified_name.as_deref().or(name.name.as_deref())).next();
            name.map(|name| Place::Subject(self.input.scrub.text(name)))
        };
        let physical = || {
            let physical = location.physical_location.as_ref()?;
            let artifact = physical.artifact_location.as_ref()?;
            let range = physical.region.as_ref().and_then(region);
            let uri =
                artifact.uri.is_some().then_some(artifact).or_else(|| self.run.artifact(artifact.index?))?;
            Some(match self.resolve(uri)? {
                Resolved::Path(path) => self.input.place_at(&path, range),
                Resolved::Uri(uri) => Place::Subject(self.input.scrub.text(&uri)),
            })
        };
        physical().or_else(logical)
    }

    /// Resolves `location` through its base and the bases of that base.
    fn resolve(&self, location: &ArtifactLocation) -> Option<Resolved> {
        const BASES: usize = 8;
        let mut uri = location.uri.clone()?;
        let mut base = location.uri_base_id.as_deref();
        for _ in 0..BASES {
            if scheme(&uri).is_some() {
                break;
            }
            let bases = self.run.original_uri_base_ids.as_ref();
            let Some(next) = base.and_then(|id| bases?.get(id)) else { break };
            uri = next.uri.as_deref().unwrap_or_default().to_owned() + &uri;
            base = next.uri_base_id.as_deref();
        }
        let path = match scheme(&uri) {
            None => &*uri,
            Some(scheme) if scheme.eq_ignore_ascii_case("file") => {
                let rest = &uri[scheme.len() + 1..];
                match rest.strip_prefix("//") {
                    // The authority: empty, or a host name.
                    Some(rest) => &rest[rest.find('/')?..],
                    None => rest,
                }
            }
            Some(_) => return Some(Resolved::Uri(uri)),
        };
        let path = RelPath::unescape(path).as_bytes().to_vec();
        // `/C:/x` means `C:/x`.
        let drive = matches!(path.as_slice(), [b'/', letter, b':', ..] if letter.is_ascii_alphabetic());
        Some(Resolved::Path(if drive { path[1..].to_vec() } else { path }))
    }
}

enum Resolved {
    Path(Vec<u8>),
    Uri(String),
}

/// Returns the scheme of a URI. A single letter is a drive.
fn scheme(uri: &str) -> Option<&str> {
    let (scheme, _) = uri.split_once(':')?;
    let named = scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    named.then_some(scheme)
}

/// Converts a region. Without columns it covers whole lines. Without an end column it reaches to the end of its last
/// line.
fn region(region: &SarifRegion) -> Option<Range> {
    let first = region.start_line?;
    let last = region.end_line.unwrap_or(first);
    let start = (first, region.start_column.unwrap_or(1));
    match region.end_column {
        Some(column) => range(start, (last, column)),
        None => range(start, (last.saturating_add(1), 1)),
    }
    .or_else(|| whole_line(first))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "`str!` looks for the source file that it is in")]
mod tests;
