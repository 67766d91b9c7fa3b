//! Words of the notices that the core raises.

use genti::model::notice::{IgnoredLevels, Notice};

use super::{Shell, visible_line};

impl Shell {
    /// Shows `notice` on stderr and in the event stream.
    pub(crate) fn notice(&mut self, notice: &Notice) {
        let text = text(notice);
        self.emit_notice(notice.code(), &text);
        match is_warning(notice) {
            true => self.warning(text),
            false => self.note(text),
        }
    }
}

/// Returns true if the user should act on `notice`, even with `--quiet`.
fn is_warning(notice: &Notice) -> bool {
    match notice {
        Notice::BaseNotPlanned { .. }
        | Notice::CacheDisabled { .. }
        | Notice::CacheIgnored { .. }
        | Notice::JobserverIgnored { .. }
        | Notice::NewLintsWithoutLock { .. }
        | Notice::RemoteFailed { .. }
        | Notice::WorkersFailed { .. }
        | Notice::SandboxUnavailable { .. } => true,
        Notice::BaselineOfOtherBuild { .. }
        | Notice::BaselineOfOtherVersion { .. }
        | Notice::CacheNotWritten { .. }
        | Notice::ForeignConfiguration { .. }
        | Notice::LastRunIgnored { .. }
        | Notice::LinkNotCached { .. }
        | Notice::LintLevelsIgnored(_)
        | Notice::LockfileChanged(_)
        | Notice::LockfileCreated(_)
        | Notice::LockfileUpdated(_)
        | Notice::NewBuildDir
        | Notice::NotObserved { .. }
        | Notice::RemoteUnused { .. }
        | Notice::ReplayNotCached => false,
    }
}

fn text(notice: &Notice) -> String {
    match notice {
        Notice::LockfileCreated(path) => {
            format!("created {path}; commit it, because `check` does not create it")
        }
        Notice::LockfileUpdated(path) => {
            format!(
                "{path} was out of date, and cargo has updated it; commit it, since `check` does not update it"
            )
        }
        Notice::LockfileChanged(path) => {
            format!("cargo updated {path} during the run, so the ids in the artifacts are outdated; run again")
        }
        Notice::NewBuildDir => {
            "building in target/genti/build so that genti and your editor don't block each other (dependencies are built a second time, once)"
                .to_owned()
        }
        Notice::LintLevelsIgnored(all) => ignored_levels(all),
        Notice::ForeignConfiguration { files } => {
            let files: Vec<_> = files.iter().map(|(tool, file)| format!("`{tool}` reads `{file}`")).collect();
            visible_line(&format!(
                "{} (outside the repository, so the verdict may differ on other machines)",
                files.join(" and ")
            ))
        }
        Notice::JobserverIgnored { error } => {
            format!("cannot use the jobserver from the environment ({error}); using a jobserver of our own")
        }
        Notice::LastRunIgnored { path, error } => format!("ignored `{}`: {error}", path.display()),
        Notice::CacheIgnored { path, error } => {
            visible_line(&format!("ignored `{}`: {error}; it will be replaced", path.display()))
        }
        Notice::CacheDisabled { error } => format!("result cache disabled: {}", visible_line(error)),
        Notice::CacheNotWritten { error } => format!(
            "could not write to the result cache: {error} (this run is unaffected; the next one computes these results again)"
        ),
        Notice::RemoteUnused { error } => visible_line(&format!("not using the remote store: {error}")),
        Notice::WorkersFailed { url, error } => visible_line(&format!(
            "the workers of {url} failed: {error} (unfinished steps run on this machine)"
        )),
        Notice::RemoteFailed { url, error } => visible_line(&format!(
            "the remote store {url} failed: {error} (verdicts are unaffected; results that were not shared are computed again)"
        )),
        Notice::LinkNotCached { link } => format!(
            "not caching results that depend on {link}: this link leads to more than 10,000 files, or to one that can't be read"
        ),
        Notice::ReplayNotCached => {
            "not caching results that cargo replayed from your own build directory, since they may belong to other inputs (`build-dir = \"shared\"`)"
                .to_owned()
        }
        Notice::SandboxUnavailable { tools, error } => {
            let tools: Vec<_> = tools.iter().map(|tool| format!("`{tool}`")).collect();
            format!("running {} without a sandbox, because {error}", tools.join(", "))
        }
        Notice::BaseNotPlanned { reference, reason } => visible_line(&format!(
            "can't plan the base ({reference}), so every new finding counts as caused by the change: {reason}"
        )),
        Notice::NewLintsWithoutLock { lock } => visible_line(&format!(
            "`new-lints` under [policy] has no effect, because there is no {lock}; write it with `cargo genti lock`"
        )),
        Notice::NotObserved { tools, error } => {
            let tools: Vec<_> = tools.iter().map(|tool| format!("`{tool}`")).collect();
            format!("not caching results of {}, because {error}", tools.join(", "))
        }
        Notice::BaselineOfOtherBuild { flags } => format!(
            "the baseline was recorded with other build flags (`{flags}`), so missing findings of cargo's tools are not counted as fixed"
        ),
        Notice::BaselineOfOtherVersion { tool, recorded, current } => format!(
            "the baseline was recorded with {tool} {recorded} and this is {}, so missing findings are not counted as fixed",
            current.as_deref().unwrap_or("unknown")
        ),
    }
}

fn ignored_levels(all: &[IgnoredLevels]) -> String {
    let from = |ignored: &IgnoredLevels| {
        let levels: Vec<_> = ignored.levels.iter().map(|level| format!("`{level}`")).collect();
        format!("{} from {}", levels.join(", "), ignored.variable)
    };
    let why = match all.iter().all(|ignored| ignored.only_raises) {
        true => "new findings fail the run anyway",
        false => "set lint levels in `[lints]` instead, so that they apply everywhere",
    };
    let all: Vec<_> = all.iter().map(from).collect();
    visible_line(&format!("ignoring {}: {why}", all.join(" and ")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use genti::model::path::RelPath;

    use super::*;

    /// Returns one notice of each kind. The compiler checks in [`is_warning`] that no kind is forgotten there; a kind that is
    /// missing here is found because its code is documented.
    fn one_of_each() -> Vec<Notice> {
        let error = || "no space left on device".to_owned();
        vec![
            Notice::LockfileCreated(RelPath::new("Cargo.lock")),
            Notice::LockfileUpdated(RelPath::new("Cargo.lock")),
            Notice::LockfileChanged(RelPath::new("Cargo.lock")),
            Notice::NewBuildDir,
            Notice::LintLevelsIgnored(vec![IgnoredLevels {
                variable: "RUSTFLAGS".to_owned(),
                levels: vec!["-D warnings".to_owned()],
                only_raises: true,
            }]),
            Notice::ForeignConfiguration { files: vec![("fmt".to_owned(), "~/rustfmt.toml".to_owned())] },
            Notice::JobserverIgnored { error: error() },
            Notice::LastRunIgnored { path: "state".into(), error: error() },
            Notice::CacheIgnored { path: "log".into(), error: error() },
            Notice::CacheDisabled { error: error() },
            Notice::CacheNotWritten { error: error() },
            Notice::RemoteUnused { error: error() },
            Notice::RemoteFailed { url: "grpcs://host".to_owned(), error: error() },
            Notice::WorkersFailed { url: "grpcs://host".to_owned(), error: error() },
            Notice::LinkNotCached { link: "data".to_owned() },
            Notice::ReplayNotCached,
            Notice::SandboxUnavailable { tools: vec!["test".to_owned()], error: error() },
            Notice::BaseNotPlanned { reference: "main".to_owned(), reason: error() },
            Notice::NewLintsWithoutLock { lock: "genti.lock".to_owned() },
            Notice::NotObserved { tools: vec!["test".to_owned()], error: error() },
            Notice::BaselineOfOtherBuild { flags: "--all-features".to_owned() },
            Notice::BaselineOfOtherVersion {
                tool: "clippy".to_owned(),
                recorded: "0.1.90".to_owned(),
                current: Some("0.1.95".to_owned()),
            },
        ]
    }

    #[test]
    fn every_code_is_documented_once() {
        let page = include_str!("../../../../docs/reports.md");
        let table = page.split("| code | the message |").nth(1).unwrap().split("\n\n").next().unwrap();
        let documented: Vec<_> =
            table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        let codes: BTreeSet<_> = one_of_each().iter().map(Notice::code).collect();
        assert_eq!(codes.len(), one_of_each().len());
        assert_eq!(documented, codes.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn a_notice_is_one_line_that_says_what_it_is_about() {
        for notice in one_of_each() {
            assert!(!text(&notice).contains('\n'), "{notice:?}");
        }
        let text = text(&Notice::BaselineOfOtherVersion {
            tool: "clippy".to_owned(),
            recorded: "0.1.90".to_owned(),
            current: None,
        });
        assert!(text.contains("clippy 0.1.90 and this is unknown"), "{text}");
    }
}
