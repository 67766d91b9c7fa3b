//! Data types for cargo's JSON lines and the parts of rustc's diagnostics that are used. Other fields are skipped.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::workspace::TargetKind;

/// Any line, read for its kind only.
#[derive(Deserialize)]
pub(super) struct CargoMessage<'a> {
    #[serde(borrow)]
    pub(super) reason: Cow<'a, str>,
}

/// `compiler-message`: diagnostic of rustc, clippy or rustdoc about a target.
#[derive(Deserialize)]
pub(super) struct CompilerMessage<'a> {
    #[serde(borrow)]
    pub(super) package_id: Cow<'a, str>,
    #[serde(default)]
    pub(super) manifest_path: String,
    pub(super) target: CargoTarget,
    pub(super) message: RustcMessage<'a>,
}

/// `compiler-artifact`: a target was built without errors.
#[derive(Deserialize)]
pub(super) struct CargoArtifact<'a> {
    #[serde(borrow)]
    pub(super) package_id: Cow<'a, str>,
    #[serde(default)]
    pub(super) manifest_path: String,
    pub(super) target: CargoTarget,
    pub(super) profile: CargoProfile,
    #[serde(default)]
    pub(super) features: Vec<String>,
    pub(super) filenames: Vec<String>,
    #[serde(default)]
    pub(super) executable: Option<String>,
    /// Set if it was up to date already.
    #[serde(default)]
    pub(super) fresh: bool,
}

/// `build-script-executed`: a build script ran, or its output was replayed.
#[derive(Deserialize)]
pub(super) struct CargoBuildScript<'a> {
    #[serde(borrow)]
    pub(super) package_id: Cow<'a, str>,
    pub(super) linked_paths: Vec<String>,
    /// Values of `cargo::rustc-cfg`.
    #[serde(default)]
    pub(super) cfgs: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) out_dir: String,
}

/// `build-finished`: the last line.
#[derive(Deserialize)]
pub(super) struct CargoFinished {
    pub(super) success: bool,
}

#[derive(Deserialize)]
pub(super) struct CargoTarget {
    kind: Vec<String>,
    pub(super) name: String,
    #[serde(default)]
    pub(super) src_path: String,
}

impl CargoTarget {
    pub(super) fn is_macro(&self) -> bool {
        self.kind.iter().any(|kind| kind == "proc-macro")
    }

    pub(super) fn kind(&self) -> TargetKind {
        match self.kind.first().map_or("", String::as_str) {
            "bin" => TargetKind::Bin,
            "example" => TargetKind::Example,
            "test" => TargetKind::Test,
            "bench" => TargetKind::Bench,
            "custom-build" => TargetKind::BuildScript,
            _ => TargetKind::Lib,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct CargoProfile {
    pub(super) test: bool,
    #[serde(default)]
    pub(super) debug_assertions: Option<bool>,
}

/// Diagnostic of rustc, or a note attached to one.
#[derive(Deserialize)]
pub(super) struct RustcMessage<'a> {
    pub(super) message: String,
    #[serde(default)]
    pub(super) code: Option<RustcCode>,
    pub(super) level: String,
    #[serde(borrow, default)]
    pub(super) spans: Vec<RustcSpan<'a>>,
    #[serde(borrow, default)]
    pub(super) children: Vec<RustcMessage<'a>>,
}

impl RustcMessage<'_> {
    pub(super) fn is_error(&self) -> bool {
        self.level.starts_with("error")
    }

    /// Returns whether nothing can be checked because of it. Its code is not that of a lint.
    pub(super) fn is_fatal(&self) -> bool {
        let numbered =
            |code: &RustcCode| code.code.strip_prefix('E').is_some_and(|rest| rest.parse::<u32>().is_ok());
        self.is_error() && self.code.as_ref().is_none_or(numbered)
    }

    /// Returns the target whose standard library is missing, if that is the error, and whether rustup can install it.
    pub(super) fn missing_target(&self) -> Option<(&str, bool)> {
        let is_missing = self.code.as_ref().is_some_and(|code| code.code == "E0463");
        let mut notes = self.children.iter().filter(|_| is_missing).map(|child| &*child.message);
        let target = notes
            .find_map(|note| note.strip_prefix("the `")?.strip_suffix("` target may not be installed"))?;
        let has_help = self.children.iter().any(|child| child.message.contains("`rustup target add "));
        Some((target, has_help))
    }

    /// Returns how often cargo may count it. rustc reports future-incompatibility errors to cargo a second time.
    pub(super) fn count(&self) -> usize {
        let is_of_the_future =
            |child: &Self| child.message.contains("it will become a hard error in a future release");
        1 + usize::from(self.children.iter().any(is_of_the_future))
    }

    /// Returns whether it only summarizes earlier messages.
    pub(super) fn is_summary(&self) -> bool {
        self.level == "failure-note"
            || self.code.is_none()
                && self.spans.is_empty()
                && (self.message.starts_with("aborting due to ")
                    || self.message.ends_with(" emitted")
                    || self.message.contains(") generated "))
    }
}

#[derive(Deserialize)]
pub(super) struct RustcCode {
    pub(super) code: String,
}

#[derive(Deserialize)]
pub(super) struct RustcSpan<'a> {
    pub(super) file_name: String,
    byte_start: Option<u64>,
    byte_end: Option<u64>,
    pub(super) line_start: u32,
    pub(super) column_start: u32,
    pub(super) line_end: u32,
    pub(super) column_end: u32,
    #[serde(default)]
    pub(super) is_primary: bool,
    #[serde(default)]
    pub(super) label: Option<String>,
    #[serde(default)]
    pub(super) suggested_replacement: Option<String>,
    #[serde(default)]
    pub(super) suggestion_applicability: Option<String>,
    /// Source lines that the span covers.
    #[serde(default)]
    pub(super) text: Vec<RustcSourceLine>,
    /// Parsed on demand: expansions nest as deep as macros recurse, which could overflow a parser's stack.
    #[serde(borrow, default)]
    expansion: Option<&'a RawValue>,
}

/// Line of source code.
#[derive(Deserialize)]
pub(super) struct RustcSourceLine {
    pub(super) text: String,
}

/// Macro that a span comes from, with the place of its call.
#[derive(Deserialize)]
pub(super) struct RustcExpansion<'a> {
    #[serde(borrow)]
    pub(super) span: RustcSpan<'a>,
    pub(super) macro_decl_name: String,
}

impl<'a> RustcSpan<'a> {
    /// Returns whether the span is a placeholder. Lints without a place report the beginning of the crate root.
    pub(super) fn is_dummy(&self) -> bool {
        (self.byte_start, self.byte_end) == (Some(0), Some(0)) && self.text.is_empty()
    }

    /// Returns the macro calls that the span comes from, innermost first.
    pub(super) fn expansions(&self) -> impl Iterator<Item = RustcExpansion<'a>> + use<'a> {
        // rustc's recursion limit is 128 unless a crate raises it. Outer calls beyond that are not shown.
        const DEPTH: usize = 128;
        let read = |raw: Option<&'a RawValue>| serde_json::from_str::<RustcExpansion<'a>>(raw?.get()).ok();
        let mut next = self.expansion;
        std::iter::from_fn(move || {
            let expansion = read(next)?;
            next = expansion.span.expansion;
            Some(expansion)
        })
        .take(DEPTH)
    }
}
