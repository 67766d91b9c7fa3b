//! Tries out what sandboxes need beyond the kernel's own answers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::doing::Watcher;
use super::process::LocalRunner;
use super::runner::{DeclaredFiles, Ending, Invocation, Runner};
use super::sandbox::Wall;
use super::stop::Stop;
use crate::model::task::Exit;
use crate::model::tool::Network;

/// Time limit for starting this program.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tries whether a sandboxed tool can have a private network, by starting this program, which prints its version, behind such a
/// wall. Whether a namespace is allowed depends on the kernel, its configuration, and the container.
///
/// # Errors
///
/// If it can't, with the reason.
pub fn private_network(stop: &Stop) -> Result<(), String> {
    stop.sandbox().map_err(|why| why.to_string())?;
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let roots = [program.clone(), "/".into()];
    let wall = Wall { reads: roots.map(Into::into).to_vec(), network: Network::Loopback, ..Wall::default() };
    let invocation = Invocation {
        program,
        args: vec!["--version".into()],
        vars: BTreeMap::new(),
        dir: "/".into(),
        declared: DeclaredFiles::default(),
        wall: Some(wall),
        timeout: Some(PATIENCE),
    };
    match LocalRunner::new(stop, None).run(&invocation, &mut Watcher::none()) {
        Ok(finished) if finished.ending == Ending::Own && finished.exit == Exit::Code(0) => Ok(()),
        Ok(_) => Err("the program did not end there".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
