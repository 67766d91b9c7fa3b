//! What cargo's own configuration says: of the target of a build, and of programs that cargo starts.

use cargo_config2::{Config, Error, PathAndArgs, ResolveOptions};

use super::environment::Env;
use super::program::Programs;
use crate::model::workspace::Workspace;

/// The triple that cargo builds for without `--target`: its configuration's, else that of this machine. `None` if there
/// are several, or if that can't be told.
pub fn default_target(workspace: &Workspace, programs: &Programs, env: &Env) -> Option<String> {
    let targets = load(workspace, programs, env).ok()?.build_target_for_config::<_, &str>([]).ok()?;
    match targets.as_slice() {
        [target] => Some(target.triple().to_owned()),
        _ => None,
    }
}

/// The configuration that holds in `workspace`.
pub(super) fn load(workspace: &Workspace, programs: &Programs, env: &Env) -> Result<Config, Error> {
    let mut options = ResolveOptions::default().env(env.vars()).cargo(programs.cargo());
    if let Some(rustc) = programs.find("rustc") {
        options = options.rustc(PathAndArgs::new(rustc));
    }
    Config::load_with_options(&workspace.root, options)
}
