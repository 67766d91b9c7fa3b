//! The keys `inherit-env` and `env` of a tool: which variables its processes see, and which they get.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::reader::{ConfigReader, Keys, Value, sorted};
use crate::model::tool::{Counted, Environment, Tool};

/// The key `env`: a list of names, or a table.
#[derive(Default)]
pub(super) struct Vars {
    /// Names of variables whose values come from the environment. `None` if the table has none.
    pub(super) names: Option<Vec<String>>,
    /// Variables with the values that they are set to.
    pub(super) values: BTreeMap<String, String>,
}

/// Reads `inherit-env` and `env`. The variables that a built-in tool ignores are known only for its own
/// command line; `has_run` says that the file sets another one.
pub(super) fn set(tool: &mut Tool, keys: &mut Keys<'_, '_, '_, '_>, has_run: bool) {
    let inherits = keys.read("inherit-env", ConfigReader::boolean);
    let searched = tool.searches.iter().filter_map(|search| search.variable().map(str::to_owned));
    let searched: Vec<_> = searched.collect();
    let vars = keys.read("env", |reader, value| read(reader, value, &searched));
    let environment = &mut tool.environment;
    let is_built_in = matches!(environment, Environment::Inherit(Counted::Build(_)));
    let counts_build = is_built_in && inherits.is_none() && !has_run;
    let names = vars.as_ref().and_then(|vars| vars.names.clone());
    *environment = match (inherits.unwrap_or(is_built_in), names) {
        (true, names) if counts_build => Environment::Inherit(Counted::Build(names.unwrap_or_default())),
        (true, Some(names)) => Environment::Inherit(Counted::Listed(names)),
        (true, None) => Environment::Inherit(Counted::All),
        (false, Some(names)) => Environment::Only(names),
        (false, None) => match environment {
            Environment::Only(names) => Environment::Only(std::mem::take(names)),
            Environment::Inherit(_) => Environment::Only(Vec::new()),
        },
    };
    if let Some(Vars { values, .. }) = vars {
        tool.vars = values;
    }
}

/// Reads `["NAME"]`, or `{ NAME = "value", OTHER = true }`, where `true` stands for the value in the environment.
/// `searched` are variables that name places of the tool's configuration.
pub(super) fn read(reader: &mut ConfigReader<'_>, value: &Value<'_>, searched: &[String]) -> Option<Vars> {
    match value.get_ref() {
        DeValue::Table(table) => Some(values(reader, table, searched)),
        DeValue::Array(_) => Some(Vars { names: Some(names(reader, value)?), values: BTreeMap::new() }),
        _ => {
            reader.wrong_type(value, "an array of names or a table of variables");
            None
        }
    }
}

fn values(reader: &mut ConfigReader<'_>, table: &DeTable<'_>, searched: &[String]) -> Vars {
    let mut vars = Vars::default();
    for (key, value) in table {
        let name = Spanned::new(key.span(), key.get_ref().to_string());
        check_name(reader, &name, "write the name of a variable");
        let name = name.into_inner();
        match value.get_ref() {
            DeValue::Boolean(true) => vars.names.get_or_insert_default().push(name),
            DeValue::String(_) => {
                if let Some(help) = reserved(&name, searched) {
                    reader.report_with(key.span(), format!("`{name}` can't be set here"), help);
                }
                vars.values.extend(reader.string(value).map(|value| (name, value.into_inner())));
            }
            _ => reader.wrong_type(value, "a string, or `true` for the value in the environment"),
        }
    }
    vars.names = vars.names.map(sorted);
    vars
}

/// Returns what to do instead of setting `name`, if genti sets it itself, or if it decides which programs and
/// configuration files genti itself takes into account.
fn reserved(name: &str, searched: &[String]) -> Option<&'static str> {
    const OF_GENTI: &str = "remove it; genti sets it itself";
    const OUTSIDE: &str =
        "set it in genti's own environment, because it determines which programs and files the tool uses";
    const PROGRAMS: [&str; 20] = [
        "APPDATA",
        "CARGO",
        "CARGO_BUILD_RUSTC",
        "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
        "CARGO_BUILD_RUSTC_WRAPPER",
        "CARGO_BUILD_RUSTDOC",
        "CARGO_HOME",
        "HOME",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "PATH",
        "RUSTC",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "RUSTDOC",
        "RUSTFMT",
        "RUSTUP_HOME",
        "USERPROFILE",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
    ];
    const OURS: [&str; 11] = [
        "CARGO_BUILD_BUILD_DIR",
        "CARGO_BUILD_JOBS",
        "CARGO_BUILD_TARGET_DIR",
        "CARGO_MAKEFLAGS",
        "CARGO_TARGET_DIR",
        "INSTA_UPDATE",
        "MAKEFLAGS",
        "MFLAGS",
        "RUSTUP_AUTO_INSTALL",
        "RUST_RECURSION_COUNT",
        "RUST_TEST_NOCAPTURE",
    ];
    // Names of variables have no case on Windows, and a configuration is valid on all systems or on none.
    let upper = name.to_ascii_uppercase();
    let is_form = upper.starts_with("NEXTEST_") && upper != "NEXTEST_PROFILE";
    match upper.as_str() {
        "RUSTUP_TOOLCHAIN" => Some("write `toolchain = \"…\"`"),
        "CARGO_BUILD_TARGET" => Some("pass `--target` in the arguments of the tool"),
        _ if is_form => Some("write it in `.config/nextest.toml`"),
        other if OURS.contains(&other) => Some(OF_GENTI),
        other if other.starts_with("GENTI") || other.starts_with("CARGO_TERM_") => Some(OF_GENTI),
        other if other.starts_with("CARGO_TARGET_") && other.ends_with("_RUNNER") => Some(OUTSIDE),
        other if other.starts_with("CARGO_ALIAS_") || PROGRAMS.contains(&other) => Some(OUTSIDE),
        _ if searched.iter().any(|own| own.eq_ignore_ascii_case(name)) => Some(OUTSIDE),
        _ => None,
    }
}

fn names(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Vec<String>> {
    let names = reader.strings(value)?;
    for name in &names {
        check_name(reader, name, "list names only, or write `env = { NAME = \"value\" }`");
    }
    Some(sorted(names.into_iter().map(Spanned::into_inner).collect()))
}

/// Reads the name of a variable that genti sets to a number of threads.
pub(super) fn variable(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<String> {
    let name = reader.string(value)?;
    check_name(reader, &name, "give the name only; genti sets the value to the number of threads");
    Some(name.into_inner())
}

fn check_name(reader: &mut ConfigReader<'_>, name: &Spanned<String>, help: &str) {
    if name.get_ref().is_empty() || name.get_ref().contains(['=', '\0']) {
        let message = format!("invalid environment variable name `{}`", name.get_ref());
        reader.report_with(name.span(), message, help);
    }
}
