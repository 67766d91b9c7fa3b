//! `cargo genti config`: shows the effective configuration, with the origin of each value.

use std::fmt::Write;

use genti::pipeline::{self, Configuration, Lockfile};
use genti::plan::config::{self, Key, Origin, Table};
use genti::scan::Env;
use serde_json::{Map, Value, json};

use crate::args::{self, ConfigArgs, ConfigFormat};
use crate::exit::{CliError, CliResult};
use crate::render::{Shell, visible_line};
use crate::{fail, resolve};

/// Version of the JSON format.
const SCHEMA: u32 = 1;

/// Table in JSON with the settings that have no key in the configuration.
const OTHERS: &str = "environment";

/// Widest value beside which the origins of a table are aligned.
const WIDE: usize = 60;

pub(crate) fn main(args: &ConfigArgs, env: &Env, shell: &mut Shell) -> CliResult {
    if let ConfigFormat::Schema = args.format {
        return shell.out_as_it_is(args::CONFIG_SCHEMA.as_bytes());
    }
    let mut request = resolve::workspace(&args.workspace, Lockfile::Ignore);
    request.policy = resolve::policy(&args.policy, env, shell)?;
    resolve::against(None, &mut request.policy, env, shell)?;
    let Configuration { config, policy, target_dir } =
        pipeline::configuration(&request, env).map_err(|error| fail(shell, error))?;
    let mut tables = config::effective(&config, &policy);
    let keys = resolve::others(&target_dir, env, shell)?;
    tables.push(Table { name: OTHERS.to_owned(), is_element: false, keys });
    if !args.keys.is_empty() {
        if let Some(unknown) = args.keys.iter().find(|key| !has(&tables, key)) {
            shell.error(no_key(unknown, &tables));
            return Err(CliError::Usage);
        }
        tables = selected(tables, &args.keys);
    }
    let (file, profile) = (config.source.as_deref(), request.profile.as_deref());
    match args.format {
        ConfigFormat::Human => shell.out(&human(&tables, file, profile)),
        _ => shell.out_json(format!("{:#}\n", to_json(&tables, file, profile)).as_bytes()),
    }
}

/// Returns the dotted name of a key.
fn full(table: &Table, key: &Key) -> String {
    if table.name.is_empty() { key.name.to_owned() } else { format!("{}.{}", table.name, key.name) }
}

/// Returns true if `asked` is this dotted name, or that of a table around it.
fn covers(asked: &str, name: &str) -> bool {
    name.strip_prefix(asked).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn has(tables: &[Table], asked: &str) -> bool {
    // There may be no suppression.
    asked == "suppress"
        || tables.iter().any(|table| table.keys.iter().any(|key| covers(asked, &full(table, key))))
}

fn selected(tables: Vec<Table>, asked: &[String]) -> Vec<Table> {
    let select = |mut table: Table| {
        let keys = std::mem::take(&mut table.keys).into_iter();
        table.keys = keys.filter(|key| asked.iter().any(|asked| covers(asked, &full(&table, key)))).collect();
        table
    };
    tables.into_iter().map(select).filter(|table| !table.keys.is_empty()).collect()
}

fn no_key(asked: &str, tables: &[Table]) -> String {
    let asked = visible_line(asked);
    let table = |name: &str| tables.iter().find(|table| table.name == name);
    let meant = match asked.rsplit_once('.').and_then(|(above, key)| Some((table(above)?, key))) {
        Some((table, key)) => {
            let keys = table.keys.iter().map(|key| key.name);
            config::closest(key, keys).map(|key| format!("{}.{key}", table.name))
        }
        None => {
            let names = tables.iter().map(|table| table.name.as_str()).chain(["locked", "suppress", "tools"]);
            config::closest(&asked, names).map(str::to_owned)
        }
    };
    match meant {
        Some(name) => format!("unknown key `{asked}`; did you mean `{name}`?"),
        None => {
            format!("unknown key `{asked}`; name a table or a key, such as `policy` or `tools.clippy.args`")
        }
    }
}

/// Returns the configuration as TOML, with the origins in comments.
fn human(tables: &[Table], file: Option<&str>, profile: Option<&str>) -> String {
    let file = file.map_or("no file, only defaults".to_owned(), visible_line);
    let profile = profile.map_or(String::new(), |name| format!(", profile {}", visible_line(name)));
    let mut out = format!("# Configuration: {file}{profile}\n");
    for table in tables {
        out.push('\n');
        let _ = match (table.name.as_str(), table.is_element) {
            ("", _) => Ok(()),
            (OTHERS, _) => writeln!(out, "# Set only by a flag or a variable:"),
            (name, true) => writeln!(out, "[[{name}]]"),
            (name, false) => writeln!(out, "[{name}]"),
        };
        let comment = if table.name == OTHERS { "# " } else { "" };
        // A key that is not set needs no origin, unless something other than the default decided that.
        let origin =
            |key: &Key| (key.value.is_some() || key.origin != Origin::Default).then(|| key.origin.clone());
        let lines: Vec<_> = table.keys.iter().map(|key| (line(key, comment), origin(key))).collect();
        let fitting = lines.iter().map(|(line, _)| line.chars().count()).filter(|width| *width <= WIDE);
        let width = fitting.max().unwrap_or_default();
        for (line, origin) in &lines {
            let _ = match origin {
                Some(origin) => writeln!(out, "{line:width$}  # {}", visible_line(&origin.to_string())),
                None => writeln!(out, "{line}"),
            };
        }
    }
    out
}

fn line(key: &Key, comment: &str) -> String {
    match &key.value {
        Some(value) => format!("{comment}{} = {}", key.name, visible(&config::toml(value))),
        None => format!("# {} is not set", key.name),
    }
}

/// Makes the lines of a value visible one by one, because TOML has strings of several lines.
fn visible(value: &str) -> String {
    value.split('\n').map(visible_line).collect::<Vec<_>>().join("\n")
}

fn to_json(tables: &[Table], file: Option<&str>, profile: Option<&str>) -> Value {
    let mut top = Map::from_iter([
        ("schema".to_owned(), json!(SCHEMA)),
        ("config".to_owned(), json!(file)),
        ("profile".to_owned(), json!(profile)),
    ]);
    for table in tables {
        let keys = table
            .keys
            .iter()
            .map(|key| (key.name.to_owned(), json!({ "value": key.value, "origin": origin(&key.origin) })));
        if table.is_element {
            let list = top.entry(&table.name).or_insert_with(|| json!([]));
            list.as_array_mut().into_iter().for_each(|list| list.push(keys.clone().collect()));
            continue;
        }
        let into =
            table.name.split('.').filter(|name| !name.is_empty()).try_fold(&mut top, |above, name| {
                above.entry(name).or_insert_with(|| json!({})).as_object_mut()
            });
        into.into_iter().for_each(|into| into.extend(keys.clone()));
    }
    Value::Object(top)
}

fn origin(origin: &Origin) -> Value {
    let kind = origin.kind();
    match origin {
        Origin::Default | Origin::BuiltIn => json!({ "kind": kind }),
        Origin::File { file, line } => json!({ "kind": kind, "file": &**file, "line": line }),
        Origin::Variable(name) => json!({ "kind": kind, "name": name }),
        Origin::Flag(name) => json!({ "kind": kind, "name": name }),
        Origin::ReplacedBy(tool) => json!({ "kind": kind, "tool": tool }),
    }
}
