//! Where it stands what a build has read.

use std::path::Path;

use super::super::Traces;
use super::message::{Artifact, BuildScript};
use crate::model::workspace::{PackageId, TargetKind};

/// Takes note of an artifact of a target of `package`.
pub(super) fn made(traces: &mut Traces, package: PackageId, artifact: &Artifact<'_>) {
    // What a build script reads while it is built is its own sources; while it runs, it tells itself.
    if artifact.target.kind() == TargetKind::BuildScript {
        return;
    }
    let before = traces.dep_infos.len();
    for file in &artifact.filenames {
        let path = Path::new(file);
        let is_library = path
            .extension()
            .and_then(|extension| extension.to_str())
            .is_some_and(|extension| ["rmeta", "rlib", "so", "dylib", "dll"].contains(&extension));
        // Rustc names it after the crate, without `lib`.
        let stem = path.file_stem().and_then(|stem| stem.to_str()).filter(|_| is_library);
        if let Some(stem) = stem.map(|stem| stem.strip_prefix("lib").unwrap_or(stem)) {
            traces.dep_infos.insert(path.with_file_name(format!("{stem}.d")));
        }
    }
    if traces.dep_infos.len() == before {
        traces.untraced.insert(package);
    }
}

/// Takes note of a build script that ran, of the member `package` if it is one's.
pub(super) fn ran(traces: &mut Traces, package: Option<PackageId>, script: &BuildScript<'_>) {
    let printed = Path::new(&script.out_dir).parent().map(|dir| dir.join("output"));
    traces.scripts.extend(printed.map(|printed| (package, printed)));
}
