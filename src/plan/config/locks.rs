//! Lock files of variants.

use std::sync::Arc;

use toml::Spanned;

use super::reader::ConfigReader;
use crate::model::digest::Digest;
use crate::model::path::RelPath;
use crate::model::tool::Tool;
use crate::model::variant::{Variant, VariantLock};
use crate::model::workspace::Workspace;

/// Facts that decide whether the lock files of variants can be used.
#[derive(Clone, Debug, Default)]
pub struct LockContext {
    /// Directories of path dependencies and members outside the repository, which a copy of it does not have.
    pub beyond: Vec<RelPath>,
    /// True if lock files need not exist, because one is about to be written.
    pub may_be_missing: bool,
}

/// Reports a `tool` that can't run in a variant with a lock file, whose name is `of`.
pub(super) fn check_tool(reader: &mut ConfigReader<'_>, tool: &Tool, of: &Spanned<String>) {
    let (why, help) = if !tool.takes_variants() {
        (
            "only `\"{selection}\"` makes cargo use its lock file",
            "put it into `run`, or use a variant without `lock`",
        )
    } else if tool.copy {
        ("both need a copy of the repository of their own", "remove `copy`, or use a variant without `lock`")
    } else if tool.sandbox.is_some() {
        (
            "it runs in a copy of the repository, which a sandbox hides",
            "remove `sandbox`, or use a variant without `lock`",
        )
    } else {
        return;
    };
    let message = format!("`{}` can't run in `{}`, because {why}", tool.name, of.get_ref());
    reader.report_with(of.span(), message, help);
}

/// Returns `variant` with the digest of its lock file.
pub(super) fn with_digest(variant: &Arc<Variant>, workspace: &Workspace) -> Arc<Variant> {
    let Some(VariantLock { path, .. }) = &variant.lock else { return Arc::clone(variant) };
    let digest = find(workspace, path);
    Arc::new(Variant { lock: Some(VariantLock { path: path.clone(), digest }), ..(**variant).clone() })
}

/// Returns the reason why the lock file of `variant` can't be used, and what to do.
pub(super) fn problem(
    variant: &Variant,
    workspace: &Workspace,
    context: &LockContext,
) -> Option<(String, String)> {
    let (VariantLock { path, .. }, name) = (variant.lock.as_ref()?, &variant.name);
    if let Some(dir) = context.beyond.first() {
        let message = format!(
            "`{name}` can't have a lock file, because `{dir}` is outside the repository, and so not in a copy of it"
        );
        return Some((message, "remove `lock`, or move the package into the repository".to_owned()));
    }
    (find(workspace, path).is_none() && !context.may_be_missing).then(|| {
        let help = format!(
            "create it with `cargo genti lock --variant {name} --resolve msrv`, and commit it; git must not ignore it"
        );
        (format!("there is no file `{path}` in the workspace"), help)
    })
}

fn find(workspace: &Workspace, path: &RelPath) -> Option<Digest> {
    let file = workspace.file(workspace.find(path)?);
    (!file.is_link).then_some(file.digest)
}
