//! Configuration → tools → graph → order → batches → [`Plan`].
//!
//! A pure function of the workspace's content, the configuration, the selection and the policy: no clock, no
//! core count, no directory order, no cache and no history reach it, so that graph hash, batch ids and command
//! lines are the same on every machine and at every parallelism.

mod batch;
mod command;
pub mod config;
mod graph;
mod order;
mod select;
#[cfg(test)]
mod tests;

pub use command::expand;
pub use select::PlanError;

use crate::model::policy::{Policy, Selection};
use crate::model::task::Plan;
use crate::model::tool::Tool;
use crate::model::workspace::Workspace;

/// Plans `tools` over `workspace`.
///
/// # Errors
///
/// If the selection names a package or a tool that there is not, or a file name is longer than a command line
/// can be.
pub fn plan(
    workspace: &Workspace,
    tools: Vec<Tool>,
    selection: Selection,
    policy: Policy,
) -> Result<Plan, PlanError> {
    let packages = select::packages(workspace, &selection)?;
    let select::Chosen { tools, unasked } = select::tools(tools, &selection)?;
    let graph = graph::build(workspace, tools, &selection, &packages)?;
    let ordered = order::sort(workspace, &graph, &policy);
    let batches = batch::cut(workspace, &graph, &ordered, &policy)?;
    let batch_id = batch::id_of_all(&batches);
    Ok(Plan { graph, policy, selection, packages, unasked, batches, batch_id })
}
