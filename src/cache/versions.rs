//! The versions of the tools: asked for once, as long as what tells them is the same.
//!
//! A script that is no part of the workspace is asked in each run: it is the same for each version of what it loads.

use rayon::prelude::*;

use super::outside_files::OutsideFiles;
use super::{Context, ResultLog};
use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::tool::Tool;
use crate::scan::{self, Env, Identifier, Identity, Stop};

/// The version of each tool that tells one. What is asked for is added to `results`.
pub(super) fn ask(
    context: Context<'_>,
    identifier: &Identifier<'_>,
    env: &Env,
    outside: &OutsideFiles,
    results: Option<&mut ResultLog>,
    stop: &Stop,
) -> Vec<Option<String>> {
    let Context { workspace, plan, programs, .. } = context;
    let known = results.as_deref();
    let one = |tool: &Tool| {
        if tool.version.is_empty() {
            return (None, None);
        }
        let key = key(tool, &identifier.of_version(tool), outside).filter(|_| known.is_some());
        let found = key.and_then(|key| String::from_utf8(known?.get(&key)?.to_vec()).ok());
        (key, found.or_else(|| scan::version(tool, workspace, programs, env, stop).ok()))
    };
    let versions: Vec<_> = plan.graph.tools.par_iter().map(one).collect();
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

/// Under what the version of `tool` is cached; `None` if it is not, because what tells it may change unseen.
fn key(tool: &Tool, identity: &Identity, outside: &OutsideFiles) -> Option<Digest> {
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
