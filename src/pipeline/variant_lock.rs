//! Writes the lock file of a variant: cargo resolves the dependencies again in a copy of the repository, so that the user's own lock
//! file stays as it is.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::Project;
use crate::disk;
use crate::model::halt::Halt;
use crate::model::path::RelPath;
use crate::model::variant::VariantLock;
use crate::scan::{self, Missing};
use crate::store::{self, LockError};

/// How the versions of dependencies are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolve {
    /// The newest ones that support the `rust-version` of the workspace.
    Msrv,
    /// The oldest ones that the manifests allow.
    Minimal,
    /// The oldest ones for direct dependencies, and the newest ones for all others.
    DirectMinimal,
}

impl Resolve {
    /// Returns the toolchain that it needs, if not that of the run, and the arguments of cargo.
    fn command(self) -> (Option<&'static str>, &'static [&'static str]) {
        match self {
            Self::Msrv => (None, &["generate-lockfile"]),
            Self::Minimal => (Some("nightly"), &["+nightly", "generate-lockfile", "-Z", "minimal-versions"]),
            Self::DirectMinimal => {
                (Some("nightly"), &["+nightly", "generate-lockfile", "-Z", "direct-minimal-versions"])
            }
        }
    }
}

/// Reason why the lock file of a variant was not written.
#[derive(Debug, thiserror::Error)]
pub enum NotResolved {
    /// There is no such variant, or it has no lock file.
    #[error("{0}")]
    Usage(String),
    /// The toolchain is not installed.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The repository could not be copied, or cargo failed.
    #[error("{0}")]
    Failed(String),
    /// The lock file could not be written.
    #[error(transparent)]
    NotWritten(#[from] LockError),
}

/// Oldest version of cargo that chooses versions by `rust-version`.
const CHOOSES_BY_RUST_VERSION: (u64, u64) = (1, 84);

/// Writes the lock file of the variant `name` of `project`. Returns its path and whether it was written, because it differs.
///
/// # Errors
///
/// If there is no such variant, its toolchain is not installed, or cargo can't resolve the dependencies.
pub fn resolve_lock(
    project: &Project,
    name: &str,
    how: Resolve,
    halt: &dyn Halt,
) -> Result<(RelPath, bool), NotResolved> {
    let path = lock_path(project, name)?;
    let Project { workspace, programs, cargo_flags, copies, .. } = project;
    let copies = copies.as_ref().map_err(|why| NotResolved::Failed(why.clone()))?;
    let (toolchain, args) = how.command();
    let cargo = programs.cargo_of(toolchain)?;
    if how == Resolve::Msrv {
        check_msrv(project, &cargo)?;
    }
    copies.refresh(path, None, &|path| workspace.find(path).is_some(), halt).map_err(NotResolved::Failed)?;
    let root = copies.root(path);
    let mut command = Command::new(&cargo);
    command.args(args).args(cargo_flags.iter().filter(|flag| *flag == "--offline"));
    command.current_dir(&root).env("RUSTUP_AUTO_INSTALL", "0").env("CARGO_TERM_COLOR", "never");
    if how == Resolve::Msrv {
        command.env("CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS", "fallback");
    }
    let failed =
        |message: String| NotResolved::Failed(format!("could not resolve the dependencies: {message}"));
    let output = command.output().map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let stderr = copies.originals(&output.stderr);
        let words = std::iter::once("cargo").chain(args.iter().copied());
        return Err(match scan::read_missing(&stderr, words, None) {
            Some(missing) => missing.into(),
            None => failed(String::from_utf8_lossy(&stderr).trim().to_owned()),
        });
    }
    let text = disk::read_to_string(&root.join("Cargo.lock")).map_err(|error| failed(error.to_string()))?;
    let is_new = store::save_lock(&workspace.root, &String::from_utf8_lossy(path.as_bytes()), &text)?;
    Ok((path.clone(), is_new))
}

/// Returns the path of the lock file of the variant `name`.
fn lock_path<'a>(project: &'a Project, name: &str) -> Result<&'a RelPath, NotResolved> {
    let variants = || project.tools.iter().filter_map(|tool| tool.variant.as_deref());
    let called = || variants().filter(|variant| variant.is_called(name));
    if let Some(VariantLock { path, .. }) = called().find_map(|variant| variant.lock.as_ref()) {
        return Ok(path);
    }
    let with_lock = variants().filter(|variant| variant.lock.is_some());
    let names: BTreeSet<_> =
        with_lock.map(|variant| variant.configured.as_deref().unwrap_or(&variant.name)).collect();
    let known = match names.is_empty() {
        true => "no variant has one".to_owned(),
        false => {
            let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
            format!("variants with one: {}", names.join(", "))
        }
    };
    Err(NotResolved::Usage(match called().next() {
        Some(_) => format!(
            "the variant `{name}` has no lock file; write `lock = \"…\"` under [variants.{name}] ({known})"
        ),
        None => format!("unknown variant `{name}` ({known})"),
    }))
}

/// Checks that cargo can choose versions by the `rust-version` of the workspace.
fn check_msrv(project: &Project, cargo: &Path) -> Result<(), NotResolved> {
    if !project.workspace.packages.iter().any(|package| package.rust_version().is_some()) {
        let message = "no package has a `rust-version` to resolve for; set it in `Cargo.toml`";
        return Err(NotResolved::Usage(message.to_owned()));
    }
    let output = Command::new(cargo).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let version = text.split_whitespace().nth(1).unwrap_or_default();
    let mut numbers = version.split('.').map(|part| part.parse::<u64>().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found < CHOOSES_BY_RUST_VERSION {
        let (major, minor) = CHOOSES_BY_RUST_VERSION;
        return Err(NotResolved::Failed(format!(
            "cargo {version} can't resolve for a `rust-version`; use cargo {major}.{minor} or newer"
        )));
    }
    Ok(())
}
