//! Collects from cargo's messages what was built and where to find lists of its inputs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::{BuiltUnit, Input, RanScript, Traces};
use super::message::{CargoArtifact, CargoBuildScript};
use crate::model::workspace::{PackageId, TargetKind};

/// Collects units and build scripts.
pub(super) struct TraceCollector {
    traces: Traces,
    /// Absolute root of the workspace that cargo built.
    root: PathBuf,
    /// Manifest and target name of each package's build script.
    scripts: BTreeMap<String, (PathBuf, String)>,
}

impl TraceCollector {
    pub(super) fn new(input: &Input<'_>) -> Self {
        let root = input.tool.workspace_root(&input.workspace.root);
        Self { traces: Traces::default(), root, scripts: BTreeMap::new() }
    }

    /// Adds an artifact. `package` is its package if that is a member.
    pub(super) fn add_artifact(&mut self, package: Option<PackageId>, artifact: &CargoArtifact<'_>) {
        let Some(first) = artifact.filenames.first().map(PathBuf::from) else { return };
        let kind = artifact.target.kind();
        let is_doc = artifact.filenames.iter().any(|file| file.ends_with(".html"));
        let prefix = match () {
            () if is_doc => "doc-",
            () if artifact.profile.test => "test-",
            () => "",
        };
        if kind == TargetKind::BuildScript {
            let script = (artifact.manifest_path.clone().into(), artifact.target.name.clone());
            self.scripts.insert(artifact.package_id.clone().into_owned(), script);
        }
        let fingerprint = format!("{prefix}{}-{}", kind_in_fingerprint(kind), artifact.target.name);
        let dep_infos = match is_doc {
            true => Vec::new(),
            false => artifact.filenames.iter().flat_map(|file| dep_infos(Path::new(file), kind)).collect(),
        };
        let manifest = PathBuf::from(&*artifact.manifest_path);
        let source = PathBuf::from(&*artifact.target.src_path);
        // Cargo starts rustc in this directory.
        let base = if source.starts_with(&self.root) { Some(self.root.as_path()) } else { manifest.parent() };
        self.traces.units.insert(BuiltUnit {
            package,
            base: base.unwrap_or(&self.root).to_path_buf(),
            name: name_of(&artifact.package_id, &artifact.manifest_path),
            manifest: manifest.clone(),
            target: artifact.target.name.clone(),
            fingerprint,
            source,
            artifact: first,
            dep_infos,
            read_by_rustc: Vec::new(),
            may_include_anything: false,
            is_macro: artifact.target.is_macro(),
            is_for_host: artifact.target.is_macro() || kind == TargetKind::BuildScript,
            is_test: artifact.profile.test,
            is_doc,
            debug_assertions: artifact.profile.debug_assertions,
            features: artifact.features.iter().cloned().collect(),
            fresh: artifact.fresh,
        });
    }

    /// Adds a build script that ran. `package` is its package if that is a member.
    pub(super) fn add_script(&mut self, package: Option<PackageId>, script: &CargoBuildScript<'_>) {
        let compiled = self.scripts.get(&*script.package_id);
        let target = compiled.map_or("build-script-build", |(_, name)| name.as_str());
        let manifest = compiled.map(|(manifest, _)| manifest.clone());
        let Some(dir) = Path::new(&script.out_dir).parent() else { return };
        self.traces.scripts.insert(RanScript {
            package,
            name: manifest.as_ref().map_or_else(String::new, |manifest| {
                name_of(&script.package_id, &manifest.to_string_lossy())
            }),
            manifest,
            fingerprint: format!("run-build-script-{target}"),
            output: dir.join("output"),
            cfgs: script.cfgs.iter().cloned().collect(),
        });
    }

    pub(super) fn finish(self) -> Traces {
        self.traces
    }
}

/// Returns the possible paths of rustc's dep-info for an artifact. It lies next to the artifact and is named after the
/// crate for a library or after the file for a program. Cargo renames the program of a build script.
fn dep_infos(artifact: &Path, kind: TargetKind) -> Vec<PathBuf> {
    let name = artifact.file_name().unwrap_or_default().to_string_lossy();
    if kind == TargetKind::BuildScript {
        let dir = artifact.parent().unwrap_or(artifact);
        let dir_name = dir.file_name().unwrap_or_default().to_string_lossy();
        let hash = dir_name.rsplit_once('-').map_or("", |(_, hash)| hash);
        let stem = name.strip_suffix(std::env::consts::EXE_SUFFIX).unwrap_or(&name).replace('-', "_");
        return vec![dir.join(format!("{stem}-{hash}.d"))];
    }
    let known = ["rmeta", "rlib", "so", "dylib", "dll", "a", "lib", "exe", "wasm"];
    let extension = artifact.extension().map(|extension| extension.to_string_lossy().into_owned());
    let is_known = extension.is_some_and(|extension| known.contains(&extension.as_str()));
    let stem = if is_known { artifact.file_stem().unwrap_or_default().to_string_lossy() } else { name };
    let bare = stem.strip_prefix("lib").unwrap_or(&stem);
    [bare, &stem].map(|stem| artifact.with_file_name(format!("{stem}.d"))).to_vec()
}

/// Returns the name of the target kind in cargo's fingerprint names.
fn kind_in_fingerprint(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Lib => "lib",
        TargetKind::Bin => "bin",
        TargetKind::Example => "example",
        TargetKind::Test => "integration-test",
        TargetKind::Bench => "bench",
        TargetKind::BuildScript => "build-script",
    }
}

/// Returns the package name from a package id: `path+file:///a/b#name@1.0.0`, `path+file:///a/name#1.0.0` (if the
/// directory has the same name) or, before cargo 1.77, `name 1.0.0 (path+file:///a/b)`.
pub(super) fn name_of(id: &str, manifest: &str) -> String {
    if let Some((name, _)) = id.split_once(' ') {
        return name.to_owned();
    }
    let named = id.rsplit_once('#').and_then(|(_, spec)| spec.split_once('@')).map(|(name, _)| name);
    let dir = || Path::new(manifest).parent()?.file_name()?.to_str();
    let of_url = || id.rsplit_once('#')?.0.rsplit('/').next();
    named.or_else(of_url).or_else(dir).unwrap_or_default().to_owned()
}
