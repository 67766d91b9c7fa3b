//! Queries the versions of the tools. A version is cached as long as the files of the tool's program are unchanged.
//!
//! A script outside the workspace is asked in every run, because the script can stay the same while the package that it loads is
//! updated.

use rayon::prelude::*;

use super::outside_files::OutsideFiles;
use super::{Context, ResultLog};
use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::tool::Tool;
use crate::scan::{self, Env, Identifier, ProgramIdentity, Stop};

/// Returns the version of each tool that reports one. Versions that are not cached are queried and added to `results`.
pub(super) fn ask(
    context: Context<'_>,
    identifier: &Identifier<'_>,
    env: &Env,
    outside: &OutsideFiles<'_>,
    results: Option<&mut ResultLog>,
    stop: &Stop,
) -> Vec<Option<String>> {
    let Context { workspace, plan, programs, .. } = context;
    let known = results.as_deref();
    let version_of = |tool: &Tool| {
        if tool.version.is_empty() {
            return (None, None);
        }
        let key = key(tool, &identifier.of_version(tool), outside).filter(|_| known.is_some());
        let found = key.and_then(|key| String::from_utf8(known?.get(&key)?.to_vec()).ok());
        (key, found.or_else(|| scan::version(tool, workspace, programs, env, stop).ok()))
    };
    let versions: Vec<_> = plan.graph.tools.par_iter().map(version_of).collect();
    if let Some(results) = results {
        for (key, version) in &versions {
            let (Some(key), Some(version)) = (key, version) else { continue };
            if results.get(key).is_none() {
                results.put(*key, version.clone().into_bytes());
            }
        }
    }
    versions.into_iter().map(|(_, version)| version).collect()
}

/// Returns the key under which the version of `tool` is cached; `None` if the version may change while its files do not.
fn key(tool: &Tool, identity: &ProgramIdentity, outside: &OutsideFiles<'_>) -> Option<Digest> {
    if identity.unknown.is_some() || identity.has_foreign_script {
        return None;
    }
    let mut hasher = Hasher::new("genti.version.2");
    hasher.texts("version", &tool.version);
    for (name, path) in &identity.files {
        if let Some(digest) = outside.digest(path).ok()? {
            hasher.field("name", name.as_bytes());
            hasher.field("program", &digest.0);
        }
    }
    Some(hasher.finish())
}
