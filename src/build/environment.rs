//! Environment of the build script.

use std::ffi::{OsStr, OsString};

use super::value_of;

/// Environment of the script, sorted by name.
#[derive(Debug, Default)]
pub(super) struct Environment(Vec<(OsString, OsString)>);

impl Environment {
    #[expect(clippy::disallowed_methods, reason = "build scripts get their input from the environment")]
    pub(super) fn of_process() -> Self {
        std::env::vars_os().collect()
    }

    pub(super) fn get(&self, name: &str) -> Option<&OsStr> {
        let at = self.0.binary_search_by(|(other, _)| other.as_os_str().cmp(OsStr::new(name))).ok()?;
        Some(&self.0[at].1)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(OsString, OsString)> {
        self.0.iter()
    }
}

impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(vars: I) -> Self {
        let mut env = Self::default();
        for (name, value) in vars {
            *value_of(&mut env.0, name) = value;
        }
        env
    }
}
