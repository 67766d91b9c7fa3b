//! Lists the targets that cargo compiled or replayed, without distinguishing the two.

use std::collections::{BTreeMap, BTreeSet};

use super::reach::{self, Reach};
use crate::model::census::{Census, CompiledTarget};
use crate::model::tool::{Arg, Piece};
use crate::model::workspace::PackageId;
use crate::normalize::Input;

/// Returns the census of a process that got as far as `reach`. If cargo stops at the first error, how far it gets
/// depends on timing, so targets are not listed.
pub(super) fn of(
    input: &Input<'_>,
    reach: &Reach,
    features: BTreeMap<PackageId, BTreeSet<String>>,
    is_complete: bool,
) -> Census {
    let keep_going = Arg::Text(vec![Piece::Literal("--keep-going".to_owned())]);
    let keeps_going =
        input.tool.run.contains(&keep_going) || input.tool.args.iter().any(|arg| arg == "--keep-going");
    let undecided = reach.undecided().map(|id| input.workspace.package(id).name.clone()).collect();
    if !is_complete && !keeps_going {
        return Census { undecided, ..Census::default() };
    }
    let asked_for = reach::asked_for(input);
    let targets = reach.looked_at().filter(|(package, ..)| asked_for.contains(package));
    let targets = targets.map(|(package, kind, name)| CompiledTarget {
        package: input.workspace.package(package).name.clone(),
        kind: kind.as_str().to_owned(),
        name: name.to_owned(),
    });
    let name = |id: PackageId| input.workspace.package(id).name.clone();
    let features = features.into_iter().map(|(package, features)| (name(package), features)).collect();
    Census { targets: targets.collect(), features, undecided, ..Census::default() }
}
