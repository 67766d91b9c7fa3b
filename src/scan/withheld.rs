//! Variables that observed processes don't see, because they belong to a shell session or to one job of a CI service. All others
//! are part of the key, so with these nothing would be a hit in the next session or job.
//!
//! A process that was not given a variable must not pass because of that. So the files that it looked at, such as its program, are
//! searched for the names: if one of them contains the name of a variable that is set, the process runs again with all variables,
//! and its result is not cached. A name that a program puts together from parts is not found.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use regex::bytes::Regex;

use super::file_state::FileState;
use super::sandbox::{Observed, Sight};
use crate::disk;

/// The variables. A name that ends with `*` means all that begin with it. Documented in `docs/sandboxed-tests.md`.
pub(crate) const WITHHELD: [&str; 78] = [
    // Terminals and sessions.
    "ALACRITTY_LOG",
    "ALACRITTY_WINDOW_ID",
    "DBUS_SESSION_BUS_ADDRESS",
    "DESKTOP_STARTUP_ID",
    "GPG_TTY",
    "INVOCATION_ID",
    "ITERM_SESSION_ID",
    "JOURNAL_STREAM",
    "KITTY_PID",
    "KITTY_WINDOW_ID",
    "KONSOLE_DBUS_*",
    "NVIM",
    "SESSION_MANAGER",
    "SSH_AGENT_PID",
    "SSH_AUTH_SOCK",
    "SSH_CLIENT",
    "SSH_CONNECTION",
    "SSH_TTY",
    "SYSTEMD_EXEC_PID",
    "TERM_SESSION_ID",
    "TMUX",
    "TMUX_PANE",
    "VSCODE_*",
    "WEZTERM_PANE",
    "WEZTERM_UNIX_SOCKET",
    "WINDOWID",
    "WT_SESSION",
    "XAUTHORITY",
    "XDG_ACTIVATION_TOKEN",
    "XDG_SESSION_ID",
    "ZELLIJ_*",
    // cargo-nextest.
    "NEXTEST_ATTEMPT_ID",
    "NEXTEST_RUN_ID",
    "NEXTEST_TEST_GLOBAL_SLOT",
    "NEXTEST_TEST_GROUP_SLOT",
    // Buildkite, CircleCI and Jenkins.
    "BUILDKITE_*",
    "BUILD_DISPLAY_NAME",
    "BUILD_ID",
    "BUILD_NUMBER",
    "BUILD_TAG",
    "BUILD_URL",
    "CIRCLE_*",
    "EXECUTOR_NUMBER",
    // GitHub Actions.
    "ACTIONS_*",
    "GITHUB_ACTOR*",
    "GITHUB_BASE_REF",
    "GITHUB_ENV",
    "GITHUB_EVENT_*",
    "GITHUB_HEAD_REF",
    "GITHUB_JOB",
    "GITHUB_OUTPUT",
    "GITHUB_PATH",
    "GITHUB_REF*",
    "GITHUB_RETENTION_DAYS",
    "GITHUB_RUN_*",
    "GITHUB_SHA",
    "GITHUB_STATE",
    "GITHUB_STEP_SUMMARY",
    "GITHUB_TOKEN",
    "GITHUB_TRIGGERING_ACTOR",
    "GITHUB_WORKFLOW*",
    "RUNNER_NAME",
    "RUNNER_TRACKING_ID",
    // GitLab.
    "CI_BUILD_*",
    "CI_COMMIT_*",
    "CI_CONCURRENT_*",
    "CI_DEPENDENCY_PROXY_*",
    "CI_DEPLOY_*",
    "CI_ENVIRONMENT_*",
    "CI_EXTERNAL_PULL_REQUEST_*",
    "CI_JOB_*",
    "CI_MERGE_REQUEST_*",
    "CI_NODE_*",
    "CI_OPEN_MERGE_REQUESTS",
    "CI_PIPELINE_*",
    "CI_REGISTRY_PASSWORD",
    "CI_RUNNER_*",
    "GITLAB_USER_*",
];

/// Those that cargo-nextest sets for each test. They differ in each run.
pub(super) const OF_NEXTEST: [&str; 4] =
    ["NEXTEST_ATTEMPT_ID", "NEXTEST_RUN_ID", "NEXTEST_TEST_GLOBAL_SLOT", "NEXTEST_TEST_GROUP_SLOT"];

/// Returns the entry of the list that `name` matches.
pub(super) fn entry(name: &str) -> Option<&'static str> {
    WITHHELD.into_iter().find(|entry| match entry.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *entry,
    })
}

/// Searches files for names of variables. Remembers what it found in each.
#[derive(Default)]
pub(super) struct Mentions(Mutex<Found>);

/// For each file and each set of names, the state of the file and the name that it contains.
type Found = BTreeMap<(PathBuf, BTreeSet<String>), (FileState, Option<String>)>;

impl Mentions {
    /// Returns a file that the `observed` process looked at and that contains one of `names`, with that name.
    pub(super) fn find(&self, observed: &Observed, names: &BTreeSet<String>) -> Option<(PathBuf, String)> {
        let pattern = pattern(names)?;
        let files = observed.places.iter().filter(|(_, sight)| **sight == Sight::File);
        files
            .map(|(place, _)| place)
            .find_map(|place| Some((place.clone(), self.in_file(place, names, &pattern)?)))
    }

    fn in_file(&self, place: &Path, names: &BTreeSet<String>, pattern: &Regex) -> Option<String> {
        let state = FileState::of(place)?;
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (place.to_path_buf(), names.clone());
        if let Some((_, found)) = lock().get(&key).filter(|(before, _)| *before == state) {
            return found.clone();
        }
        // No result is stored whose inputs include a file that can't be read.
        let found = search(disk::open(place).ok()?, names, pattern);
        lock().insert(key, (state, found.clone()));
        found
    }
}

/// Returns a pattern for the texts that name these variables: each entry of the list without its `*`.
fn pattern(names: &BTreeSet<String>) -> Option<Regex> {
    let texts: BTreeSet<_> =
        names.iter().filter_map(|name| entry(name)).map(text).map(regex::escape).collect();
    let texts: Vec<_> = texts.into_iter().collect();
    (!texts.is_empty()).then(|| Regex::new(&format!("(?-u:{})", texts.join("|")))).and_then(Result::ok)
}

fn text(entry: &'static str) -> &'static str {
    entry.trim_end_matches('*')
}

/// Returns the first of `names` whose entry `pattern` finds in `input`.
fn search(mut input: impl Read, names: &BTreeSet<String>, pattern: &Regex) -> Option<String> {
    /// Longer than any entry.
    const OVERLAP: usize = 64;
    let mut bytes = vec![0; 1 << 20];
    let mut kept = 0;
    loop {
        let read = match input.read(&mut bytes[kept..]) {
            Ok(0) => return None,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return None,
        };
        let end = kept + read;
        if let Some(found) = pattern.find(&bytes[..end]) {
            let found = String::from_utf8_lossy(found.as_bytes());
            return names.iter().find(|name| entry(name).is_some_and(|entry| text(entry) == found)).cloned();
        }
        // A name may begin in this part and end in the next one.
        kept = end.min(OVERLAP);
        bytes.copy_within(end - kept..end, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_name_is_found_wherever_it_is_in_a_file() {
        let set = names(&["GITHUB_RUN_ID", "TMUX"]);
        let pattern = pattern(&set).unwrap();
        // One byte at a time, and across the end of a part.
        struct Slow<'a>(&'a [u8], usize);
        impl Read for Slow<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let count = self.1.min(self.0.len()).min(buffer.len());
                buffer[..count].copy_from_slice(&self.0[..count]);
                self.0 = &self.0[count..];
                Ok(count)
            }
        }
        let find = |text: &[u8], step| search(Slow(text, step), &set, &pattern);
        for step in [1, 7, 1 << 20] {
            assert_eq!(find(b"no name, GITHUB_SHA, GITHUB_RU N_, TMU", step), None);
            assert_eq!(find(b"xTMUXx", step).as_deref(), Some("TMUX"));
            // The rest of the name may be put together.
            assert_eq!(find(b"..\0GITHUB_RUN_{}", step).as_deref(), Some("GITHUB_RUN_ID"));
        }
        let mut long = vec![b'-'; (1 << 20) - 3];
        long.extend(b"GITHUB_RUN_NUMBER");
        assert_eq!(find(&long, usize::MAX).as_deref(), Some("GITHUB_RUN_ID"));
    }

    #[test]
    fn an_entry_with_a_star_means_all_names_that_begin_with_it() {
        assert_eq!(entry("GITHUB_RUN_ATTEMPT"), Some("GITHUB_RUN_*"));
        assert_eq!(entry("TMUX"), Some("TMUX"));
        for passed in
            ["TMUX_TMPDIR", "CI", "GITHUB_ACTIONS", "GITHUB_REPOSITORY", "PATH", "GITLAB_CI", "RUNNER_OS"]
        {
            assert_eq!(entry(passed), None, "{passed}");
        }
        assert!(pattern(&BTreeSet::new()).is_none());
        assert!(WITHHELD.iter().all(|entry| entry.len() < 64));
    }

    #[test]
    fn the_page_lists_exactly_the_variables_that_are_withheld() {
        let page = include_str!("../../docs/sandboxed-tests.md");
        let section = page.split("\n### Variables\n").nth(1).unwrap().split("\n#").next().unwrap();
        let rows = section.lines().filter(|line| line.starts_with("| ")).skip(2);
        let listed = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
        let listed: Vec<_> = listed.collect();
        assert_eq!(listed.iter().collect::<BTreeSet<_>>(), WITHHELD.iter().collect());
        assert_eq!(listed.len(), WITHHELD.len());
    }
}
