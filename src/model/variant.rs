//! Build variants: builds of the workspace that tools check in addition to the default one.

use std::collections::BTreeMap;

use super::digest::Digest;
use super::path::RelPath;
use super::policy::Selection;
use super::powerset::Powerset;
use super::workspace::{PackageId, Workspace};

/// A build with other features, packages, variables or another toolchain, or for another target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variant {
    /// Name: lower-case letters, digits, `-` and `_`. A label that is part of no id. If the configured variant stands for several,
    /// its name is followed by `-` and the toolchain.
    pub name: String,
    /// Name of the configured variant, if that stands for several.
    pub configured: Option<String>,
    /// Toolchain for the programs of its tools, as rustup knows it.
    pub toolchain: Option<String>,
    /// Root of the workspace that it builds, if that is another one of the repository.
    pub workspace: Option<RelPath>,
    /// Packages, features, target and cargo profile. Nothing else is set.
    pub build: Selection,
    /// Variables for the processes of its tools.
    pub vars: BTreeMap<String, String>,
    /// Systems on which it runs, such as `linux`; empty for all.
    pub on: Vec<String>,
    /// Lock file that cargo uses in place of `Cargo.lock`. Its tools run in a copy of the repository.
    pub lock: Option<VariantLock>,
    /// Combinations of features with which each package is built alone, in place of one build.
    pub powerset: Option<Powerset>,
}

impl Variant {
    /// Name of the build without a variant.
    pub const DEFAULT: &'static str = "default";

    /// Separates the name of a tool from that of its variant.
    pub const SEPARATOR: char = '@';

    /// Value of `toolchain` that stands for the `rust-version` of each package.
    pub const RUST_VERSION: &'static str = "rust-version";

    /// Returns true if `name` means it: its own name, or that of the configured variant.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.configured.as_deref() == Some(name)
    }

    /// Returns true if it runs on the system called `os`.
    pub fn runs_on(&self, os: &str) -> bool {
        self.on.is_empty() || self.on.iter().any(|own| own == os)
    }

    /// Returns the reason why it does not run on a system that `on` does not name.
    pub fn limit(&self) -> String {
        format!("the variant `{}` only runs on {}", self.name, self.on.join(", "))
    }

    /// Splits the name of a tool into that of the configured tool and that of the variant.
    pub fn split(tool: &str) -> (&str, &str) {
        tool.split_once(Self::SEPARATOR).unwrap_or((tool, Self::DEFAULT))
    }
}

/// Lock file of a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariantLock {
    /// Its path.
    pub path: RelPath,
    /// Digest of its content; `None` if it does not exist.
    pub digest: Option<Digest>,
}

/// Build of a variant in a run: what its tools select and set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VariantBuild {
    /// Root of its workspace, if that is not the one of the run.
    pub workspace: Option<RelPath>,
    /// Features, target and cargo profile.
    pub selection: Selection,
    /// Packages of the variant, sorted.
    pub whole: Vec<PackageId>,
    /// Those of them that are selected, sorted.
    pub asked: Vec<PackageId>,
    /// Those of them that are checked, sorted: under `--since`, those that changed and their dependents.
    pub packages: Vec<PackageId>,
}

impl VariantBuild {
    /// Returns it in the form that all builds have.
    pub fn as_build(&self) -> Build<'_> {
        let Self { workspace, selection, whole, asked, packages } = self;
        Build { workspace: workspace.as_ref(), selection, whole, asked, packages }
    }
}

/// Build of a tool in a run: the default one or that of a variant.
#[derive(Clone, Copy, Debug)]
pub struct Build<'a> {
    /// Root of its workspace, if that is not the one of the run.
    pub workspace: Option<&'a RelPath>,
    /// Features, target and cargo profile.
    pub selection: &'a Selection,
    /// Packages of the variant, or all members, sorted.
    pub whole: &'a [PackageId],
    /// Selected packages, sorted.
    pub asked: &'a [PackageId],
    /// Packages that are checked, sorted.
    pub packages: &'a [PackageId],
}

impl Build<'_> {
    /// Returns true if everything is checked that the variant consists of.
    pub fn is_whole(&self) -> bool {
        self.packages.len() == self.whole.len()
    }

    /// Returns true if all members are selected.
    pub fn asks_all(&self, workspace: &Workspace) -> bool {
        self.workspace.is_none()
            && self.asked.len() == self.whole.len()
            && self.whole.len() >= workspace.member_count()
    }

    /// Returns true if cargo builds every package of its workspace.
    pub fn is_of_all(&self, workspace: &Workspace) -> bool {
        self.packages.len() == workspace.packages_in(self.workspace).count()
    }

    /// Returns true if the variant has this package.
    pub fn has(&self, package: PackageId) -> bool {
        self.whole.binary_search(&package).is_ok()
    }
}
