//! Configuration: turns texts into a policy and tools, and reports every mistake with its line.
//!
//! This module does not access files, the environment or the command line: the caller reads the texts at
//! [`LOCATIONS`], and flags are merged later. Built-in tools have the same format and are read first; the
//! user's file then adds tools, or changes keys of the built-in ones.
//!
//! A file is always read to its end. After a line with a TOML syntax error, the remaining keys are still
//! checked, but missing keys are not reported, because they may be on the broken line.

mod baseline;
mod cache;
mod combinations;
mod command;
mod copy;
mod dir;
mod effective;
mod effects;
mod environment;
mod fresh;
mod glob;
mod hermetic;
mod lock;
mod locks;
mod needs;
mod origin;
mod parse;
mod policy;
mod reader;
mod remote;
mod sandbox;
mod services;
mod suggest;
mod suppress;
mod tool;
mod toolchain;
mod variants;
mod workspaces;

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::de::DeTable;

use self::origin::Origins;
use self::reader::ConfigReader;
use self::services::Services;
use self::suggest::suggestion;
use self::tool::ToolEntry;
use crate::model::error::{Problem, Problems};
use crate::model::remote::RemoteConfig;
use crate::model::service::Service;
use crate::model::suppression::Suppression;
use crate::model::tool::Tool;

pub use self::baseline::{BaselineConfig, numbers};
pub use self::effective::{Key, Table, effective, toml};
pub use self::glob::glob;
pub use self::lock::{LOCK, Lock, Locked, lock};
pub use self::locks::LockContext;
pub use self::origin::Origin;
pub use self::policy::{PolicyConfig, duration};
pub use self::suggest::closest;
pub(super) use self::suggest::listed;
pub use self::suppress::date;
pub(super) use self::tool::blind_spots;
pub(super) use self::variants::packages_of;
pub use self::variants::{ConfiguredVariant, check_variants};

/// Paths of configuration files, relative to the workspace root. The third location is `Cargo.toml`.
pub const LOCATIONS: [&str; 2] = [".config/genti.toml", "genti.toml"];

/// Paths relative to the workspace root where other tools have their configuration, and where genti does not look.
pub const MISPLACED: [&str; 3] = [".genti.toml", ".config/genti/genti.toml", ".config/genti/config.toml"];

/// Returns the mistake of a configuration file that nothing reads, by its path.
pub fn misplaced(name: &str) -> Problem {
    Problem {
        file: name.into(),
        text: "".into(),
        span: None,
        message: "not a place where genti looks for its configuration".to_owned(),
        help: Some("one file configures all packages: move it to `.config/genti.toml` of the workspace root, or delete it".to_owned()),
    }
}

/// Returns each named tool's file in `src/tools/`: its name and its text.
macro_rules! built_in {
    ($($name:literal),*) => {
        [$((concat!("tools/", $name, ".toml"), include_str!(concat!("../../tools/", $name, ".toml")))),*]
    };
}

/// Built-in tools in the users' format, each after the tools it needs.
const BUILT_IN: &[(&str, &str)] = &built_in![
    "audit",
    "check",
    "clippy",
    "codegen",
    "deny",
    "doc",
    "fmt",
    "machete",
    "test-build",
    "test",
    "doctest",
    "nextest",
    "typos"
];

/// A text that may contain configuration.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    /// Path as the user would write it, such as `.config/genti.toml`.
    pub name: Arc<str>,
    /// Content of the file.
    pub text: Arc<str>,
    /// Part of the file that is the configuration.
    pub place: Place,
}

/// The part of a file that is the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The entire file.
    File,
    /// `[workspace.metadata.genti]` of the workspace's `Cargo.toml`, if there is one.
    Metadata,
}

/// A valid configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `[policy]`, with the keys of the chosen profile.
    pub policy: PolicyConfig,
    /// Enabled tools, built-in and the user's, sorted by name. [`Config::planned`] returns them with their variants.
    pub tools: Vec<Tool>,
    /// The variants, sorted by name.
    pub variants: Vec<ConfiguredVariant>,
    /// The services, sorted by name.
    pub services: Vec<Arc<Service>>,
    /// Disabled tools, sorted by name.
    pub disabled: Vec<Tool>,
    /// The `[baseline]` table.
    pub baseline: BaselineConfig,
    /// True if `check` requires the locked versions of tools.
    pub locked: bool,
    /// Suppressions, in the order of the file.
    pub suppressions: Vec<Suppression>,
    /// The `[remote]` table, if there is one.
    pub remote: Option<RemoteConfig>,
    /// Name of the user's configuration file; `None` if there is none.
    pub source: Option<Arc<str>>,
    /// Origins of the values outside the policy.
    origins: Origins,
}

impl Config {
    /// Returns the path of the lock file, which lies next to the configuration, as the user would write it.
    pub fn lock_name(&self) -> String {
        let source = self.source.as_deref().unwrap_or(LOCATIONS[0]);
        match source.rfind(['/', std::path::MAIN_SEPARATOR]) {
            Some(at) => format!("{}{LOCK}", &source[..=at]),
            None => LOCK.to_owned(),
        }
    }
}

/// Reads the configuration from `files`, at most one of which may contain one.
///
/// # Errors
///
/// If there are mistakes. The error lists all of them, sorted by file and line.
pub fn load(files: &[ConfigFile], profile: Option<&str>) -> Result<Config, Problems> {
    let mut draft = Draft::default();
    for (name, text) in BUILT_IN {
        draft.read(&ConfigFile { name: (*name).into(), text: (*text).into(), place: Place::File }, false);
    }
    for file in files {
        draft.read(file, true);
    }
    draft.finish(profile)
}

/// The part of the configuration that was read so far.
#[derive(Default)]
struct Draft {
    policy: PolicyConfig,
    /// Policy of each profile, including the keys it inherits from `[policy]`.
    profiles: BTreeMap<String, PolicyConfig>,
    tools: BTreeMap<String, ToolEntry>,
    variants: BTreeMap<String, ConfiguredVariant>,
    services: Services,
    baseline: BaselineConfig,
    locked: bool,
    suppressions: Vec<Suppression>,
    remote: Option<RemoteConfig>,
    origins: Origins,
    /// The user's configuration file. If there are several, which is an error, the first one.
    source: Option<ConfigFile>,
    /// True if some line had a TOML syntax error.
    has_syntax_errors: bool,
    problems: Vec<Problem>,
}

impl Draft {
    /// Adds the content of `file`, and its mistakes.
    fn read(&mut self, file: &ConfigFile, by_user: bool) {
        let (mut reader, document) = ConfigReader::new(file);
        self.has_syntax_errors |= !reader.is_whole();
        if let Some(table) = section(&mut reader, &document, file.place) {
            if by_user {
                self.claim_source(&mut reader, file);
            }
            self.read_section(&mut reader, table, by_user, file);
        }
        self.problems.extend(reader.finish());
    }

    fn claim_source(&mut self, reader: &mut ConfigReader<'_>, file: &ConfigFile) {
        match &self.source {
            None => self.source = Some(file.clone()),
            Some(first) => {
                let place = match file.place {
                    Place::File => "",
                    Place::Metadata => "`[workspace.metadata.genti]` is ",
                };
                let message = format!("{place}a second configuration besides `{}`", first.name);
                reader.report_file(message, "keep one of them");
            }
        }
    }

    fn read_section(
        &mut self,
        reader: &mut ConfigReader<'_>,
        table: &DeTable<'_>,
        by_user: bool,
        file: &ConfigFile,
    ) {
        self.origins.record(reader, table, by_user);
        let mut keys = reader.keys(table);
        let policy = keys.get("policy");
        let profiles = keys.read("profile", ConfigReader::table);
        let tools = keys.read("tools", ConfigReader::table);
        let variants = keys.read("variants", ConfigReader::table);
        let services = keys.read("services", ConfigReader::table);
        let baseline = keys.get("baseline");
        let suppress = keys.get("suppress");
        let remote = keys.get("remote");
        keys.set(&mut self.locked, "locked", ConfigReader::boolean);
        keys.finish_with(&[
            ("allow", "suppress"),
            ("checks", "tools"),
            ("ignore", "suppress"),
            ("lints", "tools"),
        ]);

        if let Some(value) = policy {
            self.policy = policy::read(reader, value, PolicyConfig::default());
        }
        for (name, value) in profiles.into_iter().flatten() {
            let Some(table) = reader.table(value) else { continue };
            let mut keys = reader.keys(table);
            let over = keys.get("policy");
            keys.finish();
            let base = self.policy.clone();
            let policy = over.map_or(base.clone(), |value| policy::read(reader, value, base));
            self.profiles.insert(name.get_ref().to_string(), policy);
        }
        for (name, value) in variants.into_iter().flatten() {
            if let Some(variant) = variants::read(reader, name, value, file) {
                self.variants.insert(variant.variant.name.clone(), variant);
            }
        }
        for (name, value) in services.into_iter().flatten() {
            if let Some(service) = services::read(reader, name, value) {
                self.services.insert(service.name.clone(), Arc::new(service));
            }
        }
        let mut given = BTreeMap::new();
        let mut read = Vec::new();
        for (name, value) in tools.into_iter().flatten() {
            let (mut entry, links) = tool::read(reader, name, value, &self.tools);
            let cache = value.get_ref().get("cache");
            services::set(reader, &mut entry.tool, &links.services, &self.services, cache);
            entry.tool.configured = by_user;
            if by_user && value.get_ref().get("enabled").is_none() {
                // Naming a tool enables it, so `[tools.nextest]` is enough.
                entry.enabled = true;
            }
            if !by_user {
                entry.tool.count_build_variables();
            }
            entry.tool.may_be_empty |= !by_user;
            given.insert(entry.tool.name.clone(), links);
            read.push((entry.tool.name.clone(), entry));
        }
        self.tools.extend(read);
        needs::replace(&mut self.tools);
        if reader.is_whole() {
            needs::check(reader, &self.tools, &given);
            for (name, links) in &given {
                variants::check_tool(reader, &self.variants, &self.tools[name].tool, &links.variants);
            }
            if by_user {
                variants::check(reader, &self.variants, &self.tools);
            }
        }
        if let Some(value) = baseline {
            self.baseline = baseline::read(reader, value, &self.tools);
        }
        if let Some(value) = suppress {
            self.suppressions = suppress::read(reader, value, &self.tools);
        }
        if let Some(value) = remote {
            self.remote = remote::read(reader, value);
        }
    }

    /// Returns the configuration under `profile`, if there were no mistakes.
    fn finish(mut self, profile: Option<&str>) -> Result<Config, Problems> {
        let mut policy = self.policy;
        if let Some(name) = profile {
            match self.profiles.remove(name) {
                Some(of_profile) => policy = of_profile,
                None if self.has_syntax_errors => {}
                None => self.problems.push(unknown_profile(name, &self.profiles, self.source.as_ref())),
            }
        }
        if !self.problems.is_empty() {
            return Err(Problems(self.problems));
        }
        let (enabled, disabled): (Vec<_>, Vec<_>) = self.tools.into_values().partition(|entry| entry.enabled);
        Ok(Config {
            policy,
            tools: enabled.into_iter().map(|entry| entry.tool).collect(),
            variants: self.variants.into_values().collect(),
            services: self.services.into_values().collect(),
            disabled: disabled.into_iter().map(|entry| entry.tool).collect(),
            baseline: self.baseline,
            locked: self.locked,
            suppressions: self.suppressions,
            remote: self.remote,
            source: self.source.map(|file| file.name),
            origins: self.origins,
        })
    }
}

/// Returns the part of `document` that is configuration.
fn section<'d, 'i>(
    reader: &mut ConfigReader<'_>,
    document: &'d DeTable<'i>,
    place: Place,
) -> Option<&'d DeTable<'i>> {
    if place == Place::File {
        return Some(document);
    }
    let metadata =
        |of: &str| document.get(of)?.get_ref().get("metadata").and_then(|value| value.get_ref().get("genti"));
    if let Some(value) = metadata("package") {
        let help = "use `[workspace.metadata.genti]`; one configuration applies to all packages";
        reader.report_with(value.span(), "`[package.metadata.genti]` is not supported", help);
    }
    reader.table(metadata("workspace")?)
}

fn unknown_profile(
    name: &str,
    profiles: &BTreeMap<String, PolicyConfig>,
    source: Option<&ConfigFile>,
) -> Problem {
    let help = match profiles.is_empty() {
        true if source.is_none() => {
            format!("there is no configuration; create one with `[profile.{name}.policy]`")
        }
        true => format!("no profile is defined; add `[profile.{name}.policy]`"),
        false => suggestion(name, profiles.keys().map(String::as_str), "profiles"),
    };
    let (file, text) = match source {
        Some(file) => (file.name.clone(), file.text.clone()),
        // The file that the user would have to create.
        None => (LOCATIONS[0].into(), "".into()),
    };
    Problem { file, text, span: None, message: format!("unknown profile `{name}`"), help: Some(help) }
}

#[cfg(test)]
mod mistake_tests;
#[cfg(test)]
mod tests;
