//! The revision with which a run is compared, if `against` is `auto`: what CI says about the change. Knows the environment only as
//! values.

use serde_json::Value;

/// Value of `against` that leaves the choice to the environment.
const AUTO: &str = "auto";

/// Returns the revision for the value `asked`. `None` if the environment names no base, as on the main branch.
pub(super) fn resolve(
    asked: &str,
    var: &dyn Fn(&str) -> Option<String>,
    is_merge: &dyn Fn() -> bool,
    event: &dyn Fn() -> Option<Value>,
) -> Option<String> {
    if asked != AUTO {
        return Some(asked.to_owned());
    }
    let var = |name: &str| var(name).filter(|value| !value.is_empty());
    // GitHub: the base commit of a merge group is only in the description of the event.
    if var("GITHUB_EVENT_NAME").as_deref() == Some("merge_group") {
        return event()?.get("merge_group")?.get("base_sha")?.as_str().map(str::to_owned);
    }
    if let Some(branch) = var("GITHUB_BASE_REF") {
        let of_merge =
            var("GITHUB_REF").is_some_and(|name| name.starts_with("refs/pull/") && name.ends_with("/merge"));
        // GitHub merges the change into the target branch, and checks out this commit.
        return Some(match of_merge && is_merge() {
            true => "HEAD^1".to_owned(),
            false => format!("origin/{branch}"),
        });
    }
    var("CI_MERGE_REQUEST_TARGET_BRANCH_NAME").map(|branch| format!("origin/{branch}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_environment_names_the_base() {
        #[track_caller]
        fn check(asked: &str, vars: &[(&str, &str)], is_merge: bool, expected: Option<&str>) {
            let var = |name: &str| {
                vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            };
            let event = || Some(json!({ "merge_group": { "base_sha": "abc" } }));
            assert_eq!(resolve(asked, &var, &|| is_merge, &event).as_deref(), expected);
        }
        let of_pull_request = [("GITHUB_BASE_REF", "main"), ("GITHUB_REF", "refs/pull/7/merge")];
        check("auto", &of_pull_request, true, Some("HEAD^1"));
        // The workflow checks out the head of the pull request.
        check("auto", &of_pull_request, false, Some("origin/main"));
        check(
            "auto",
            &[("GITHUB_BASE_REF", "a/b"), ("GITHUB_REF", "refs/heads/x")],
            true,
            Some("origin/a/b"),
        );
        check("auto", &[("GITHUB_EVENT_NAME", "merge_group")], true, Some("abc"));
        // GitHub sets the variable to nothing on a push.
        check("auto", &[("GITHUB_BASE_REF", ""), ("GITHUB_REF", "refs/heads/main")], true, None);
        check("auto", &[("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main")], false, Some("origin/main"));
        check("auto", &[], true, None);
        check("origin/main", &of_pull_request, true, Some("origin/main"));
    }
}
