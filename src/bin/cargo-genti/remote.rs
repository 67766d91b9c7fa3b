//! The remote store of a run: whether to use it, and what its failure means.

use genti::cache::{NoRemote, RemoteStore};
use genti::model::notice::Notice;
use genti::model::remote::RemoteUse;
use genti::pipeline::Project;
use genti::scan::{Env, Stop};

use crate::exit::{CliError, CliResult};
use crate::render::Shell;

/// Opens the remote store of `project`, if the run uses one. `has_cache` is false if the run has no result cache.
///
/// At most `jobs` processes run on workers at once. Configurations are shared by people whose build of genti or whose machine can't
/// use the store, so that is only an error if the store is required.
pub(crate) fn open(
    project: &Project,
    (asked, jobs): (RemoteUse, usize),
    has_cache: bool,
    env: &Env,
    stop: &'static Stop,
    shell: &mut Shell,
) -> CliResult<Option<RemoteStore>> {
    let is_required = match asked {
        RemoteUse::Off => return Ok(None),
        RemoteUse::Auto => false,
        RemoteUse::Required => true,
    };
    let refuse = |shell: &mut Shell, why: &str, error| {
        shell.error(format_args!(
            "can't use the remote store, which is required (`--remote=required`): {why}"
        ));
        Err(error)
    };
    let Some(config) = &project.remote else {
        let why = "none is configured; set `url` in `[remote]`";
        return if is_required { refuse(shell, why, CliError::Usage) } else { Ok(None) };
    };
    if !has_cache {
        let why = "the result cache is disabled";
        return if is_required { refuse(shell, why, CliError::Incomplete) } else { Ok(None) };
    }
    match RemoteStore::open(config, env, &project.workspace.root, jobs, stop) {
        Ok(store) => Ok(Some(store)),
        Err(error) if is_required => {
            let code = match error {
                NoRemote::NotBuilt => CliError::Usage,
                NoRemote::NotSet(_) | NoRemote::Unusable(_) => CliError::Incomplete,
            };
            refuse(shell, &error.to_string(), code)
        }
        Err(error) => {
            shell.notice(&Notice::RemoteUnused { error: error.to_string() });
            Ok(None)
        }
    }
}

/// Returns true if the run is incomplete because of its remote store. Says so.
pub(crate) fn has_failed(store: Option<&RemoteStore>, asked: RemoteUse, shell: &mut Shell) -> bool {
    let has_failed = asked == RemoteUse::Required
        && store.is_some_and(|store| store.trouble().or_else(|| store.trouble_of_workers()).is_some());
    if has_failed {
        shell.error("the run is incomplete, because the remote store is required (`--remote=required`) and has failed");
    }
    has_failed
}
