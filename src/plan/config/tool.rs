//! The `[tools.NAME]` tables, each of which defines a new tool or changes keys of a built-in one.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::DeString;

use super::cache::{self, Cache};
use super::reader::{ConfigReader, Value, sorted};
use super::suggest::suggestion;
use super::{command, copy, dir, environment, fresh, glob, hermetic, parse, policy, sandbox, toolchain};
use std::num::NonZeroU32;

use crate::model::census::CensusNumber;
use crate::model::finding::OWN_NAMESPACE;
use crate::model::tool::{
    Arg, Caching, Environment, Flaky, Leaky, Parse, Per, Search, Signs, StepCaps, Targets, Tool, Work,
};

/// A tool with its state.
#[derive(Clone)]
pub(super) struct ToolEntry {
    pub(super) tool: Tool,
    pub(super) enabled: bool,
}

/// Maximum number of retries. The result of a test that needs more is meaningless.
const MOST_RETRIES: u64 = 10;

/// Names that other tools use for keys of `[tools.NAME]`.
const SYNONYMS: [(&str, &str); 12] = [
    ("after", "needs"),
    ("cmd", "run"),
    ("command", "run"),
    ("depends-on", "needs"),
    ("exec", "run"),
    ("format", "parse"),
    ("ignore", "exclude"),
    ("include", "files"),
    ("parser", "parse"),
    ("paths", "files"),
    ("program", "run"),
    ("script", "run"),
];

pub(super) const NAME_HELP: &str =
    "use lower-case letters, digits, `-` and `_`, starting with a letter or digit";

/// References to other tools in a file, with their places.
pub(super) struct ToolReferences {
    /// Place of the tool's own name.
    pub(super) name: std::ops::Range<usize>,
    pub(super) needs: Vec<Spanned<String>>,
    pub(super) replaces: Vec<Spanned<String>>,
    pub(super) variants: Vec<Spanned<String>>,
    pub(super) services: Vec<Spanned<String>>,
}

/// Reads the tool `name`. If `built_in` has a tool of this name, the file only overrides some of its keys.
pub(super) fn read(
    reader: &mut ConfigReader<'_>,
    name: &Spanned<DeString<'_>>,
    value: &Value<'_>,
    built_in: &BTreeMap<String, ToolEntry>,
) -> (ToolEntry, ToolReferences) {
    let mut links = ToolReferences {
        name: name.span(),
        needs: Vec::new(),
        replaces: Vec::new(),
        variants: Vec::new(),
        services: Vec::new(),
    };
    if [OWN_NAMESPACE, Tool::BLIND_SPOTS].contains(&&**name.get_ref()) {
        let message = format!("`{}` is reserved for genti's own findings", name.get_ref());
        reader.report_with(name.span(), message, "use another name");
    }
    if !is_name(name.get_ref()) {
        let message = format!("invalid tool name `{}`", name.get_ref());
        reader.report_with(name.span(), message, NAME_HELP);
    }
    let base = built_in.get(name.get_ref().as_ref());
    let new = || ToolEntry { tool: blank(name.get_ref()), enabled: true };
    let mut entry = base.cloned().unwrap_or_else(new);
    if let Some(enabled) = value.get_ref().as_bool() {
        let name = name.get_ref();
        let help =
            format!("write `{name}.enabled = {enabled}`, or `enabled = {enabled}` under `[tools.{name}]`");
        reader.wrong_type_with(value, "a table", Some(help));
        return (entry, links);
    }
    let Some(table) = reader.table(value) else { return (entry, links) };
    let tool = &mut entry.tool;

    let mut keys = reader.keys(table);
    let fresh = keys.read("fresh", fresh::read);
    let run = keys.read("run", command::run);
    if let Some(run) = fresh.as_ref().map(|fresh| &fresh.run).or(run.as_ref()) {
        tool.run = run.iter().map(|arg| arg.get_ref().clone()).collect();
    }
    keys.set(&mut tool.args, "args", ConfigReader::texts);
    keys.set(&mut tool.second_pass, "second-pass", ConfigReader::texts);
    keys.set(&mut tool.dir, "dir", dir::read);
    if base.is_none() {
        tool.per = command::default_per(&tool.run);
    }
    let per = keys.read("per", |reader, value| reader.named(value, &Per::ALL, "unit", "units"));
    tool.per = per.unwrap_or(tool.per);
    let targets =
        keys.read("targets", |reader, value| reader.named(value, &Targets::ALL, "targets", "targets"));
    tool.targets = targets.or(tool.targets);
    keys.set(&mut tool.files, "files", glob::read_files);
    keys.set(&mut tool.exclude, "exclude", glob::read);
    keys.set(&mut tool.inputs, "inputs", glob::read);
    keys.set(&mut tool.searches, "searches", |reader, value| {
        Some(reader.texts(value)?.iter().map(|text| Search::parse(text)).collect())
    });
    keys.set(&mut tool.ratchet, "ratchet", ratchet);
    keys.set(&mut tool.copy, "copy", ConfigReader::boolean);
    let cache = keys.read("cache", cache::read);
    let max_age = keys.read("max-age", policy::time_limit);
    let parse = keys.read("parse", parse::read);
    let has_parse = parse.is_some();
    tool.parse = parse.unwrap_or_else(|| tool.parse.clone());
    let golden = keys.read("compare", parse::compare);
    let has_goldens = golden.is_some();
    tool.lacks_format = base.is_none() && !has_parse && !has_goldens;
    tool.parse = golden.unwrap_or_else(|| tool.parse.clone());
    // Other tools need the files that these tools build, and the cache does not restore files.
    let may_cache = !tool.parse.work().is_for_others();
    tool.cache = match cache {
        _ if !may_cache || tool.copy => Caching::Never,
        Some(Cache::Never) => Caching::Never,
        Some(Cache::Always) => Caching::Always,
        Some(Cache::Sandboxed) => Caching::Sandboxed { max_age: max_age.unwrap_or(Caching::MAX_AGE) },
        None if base.is_some() => tool.cache,
        None if tool.runs_tests() => Caching::Never,
        None => Caching::Established,
    };
    if base.is_none() || has_goldens {
        tool.namespaces = tool.parse.namespaces(&tool.name);
    }
    keys.set(&mut tool.namespaces, "namespaces", namespaces);
    if tool.states_numbers() && !tool.namespaces.contains(&tool.name) {
        tool.namespaces.push(tool.name.clone());
        tool.namespaces.sort();
    }
    keys.set(&mut entry.enabled, "enabled", ConfigReader::boolean);
    keys.set(&mut tool.on_demand, "on-demand", ConfigReader::boolean);
    keys.set(&mut tool.required, "required", ConfigReader::boolean);
    // A tool with explicit `files` is expected to match some, and one with `variants` to have something to do in each of them.
    tool.may_be_empty &= !table.contains_key("files") && !table.contains_key("variants");
    keys.set(&mut tool.may_be_empty, "may-be-empty", ConfigReader::boolean);
    if let Some(needs) = keys.read("needs", ConfigReader::strings) {
        tool.needs = sorted(needs.iter().map(|need| need.get_ref().clone()).collect());
        links.needs = needs;
    }
    if let Some(replaces) = keys.read("replaces", ConfigReader::strings) {
        tool.replaces = replaces.iter().map(|name| name.get_ref().clone()).collect();
        links.replaces = replaces;
    }
    if let Some(variants) = keys.read("variants", variants) {
        tool.variants = variants.iter().map(|name| name.get_ref().clone()).collect();
        links.variants = variants;
    }
    keys.set(&mut tool.lane, "lane", |reader, value| reader.text(value).map(Some));
    environment::set(tool, &mut keys, run.is_some() || fresh.is_some());
    keys.set(&mut tool.jobserver, "jobserver", ConfigReader::boolean);
    keys.set(&mut tool.threads, "threads", |reader, value| environment::variable(reader, value).map(Some));
    keys.set(&mut tool.timeout, "timeout", |reader, value| policy::time_limit(reader, value).map(Some));
    keys.set(&mut tool.leaky, "leaky", |reader, value| reader.named(value, &Leaky::ALL, "value", "values"));
    keys.set(&mut tool.retries, "retries", |reader, value| {
        reader.integer(value, 0..=MOST_RETRIES).and_then(|retries| retries.try_into().ok())
    });
    keys.set(&mut tool.flaky, "flaky", |reader, value| reader.named(value, &Flaky::ALL, "value", "values"));
    keys.set(&mut tool.sandbox, "sandbox", |reader, value| sandbox::read(reader, value).map(Some));
    keys.set(&mut tool.hermetic, "hermetic", ConfigReader::boolean);
    links.services = keys.read("services", ConfigReader::strings).unwrap_or_default();
    keys.set(&mut tool.version, "version", ConfigReader::texts);
    keys.set(&mut tool.rules, "rules", ConfigReader::texts);
    keys.set(&mut tool.install, "install", |reader, value| reader.text(value).map(Some));
    if let Some(toolchain) = keys.read("toolchain", toolchain::read) {
        toolchain::set(keys.reader(), tool, &toolchain);
    }
    // A tool that is configured always runs, without detection, unless `detect` is set as well.
    tool.detect = keys.read("detect", signs);
    keys.set(&mut tool.weight, "weight", |reader, value| {
        reader.integer(value, 1..=100).and_then(|weight| NonZeroU32::new(u32::try_from(weight).ok()?))
    });
    keys.set(&mut tool.caps.tasks, "max-tasks", |reader, value| {
        reader.integer(value, 1..=u32::MAX.into()).and_then(|tasks| tasks.try_into().ok())
    });
    keys.set(&mut tool.caps.bytes, "max-bytes", |reader, value| reader.integer(value, 1..=u64::MAX));
    let meant = keys.finish_with(&SYNONYMS);

    let lacks_program = base.is_none() && !table.contains_key("run") && !table.contains_key("fresh");
    if let Some(fresh) = fresh {
        fresh::set(reader, tool, fresh, table, base.is_some());
        return (entry, links);
    }
    if lacks_program {
        if reader.is_whole() && !meant.contains(&"run") {
            let message = format!("tool `{}` has no `run`", name.get_ref());
            let built_in = built_in.keys().map(String::as_str);
            let help = suggestion(name.get_ref(), built_in, "write `run = [\"program\", …]`; built-in tools");
            reader.report_with(name.span(), message, help);
        }
        // Without a program, nothing can be said about its other keys.
        return (entry, links);
    }
    let is_read = |key: &str, is_valid: bool| is_valid || !(table.contains_key(key) || meant.contains(&key));
    if reader.is_whole() && is_read("run", run.is_some()) && is_read("parse", has_parse) {
        if let Some(parse) = table.get("parse").filter(|_| has_goldens) {
            let help = "remove one of them";
            reader.report_with(parse.span(), "`parse` has no effect together with `compare`", help);
        }
        if let (Some(Cache::Always | Cache::Sandboxed), Some(value), false) =
            (cache, table.get("cache"), may_cache)
        {
            let help = "remove it; other tools use what this one builds, so it always runs";
            reader.report_with(value.span(), "a tool that builds for others is never cached", help);
        }
        cache::check(reader, tool, table);
        hermetic::check(reader, tool, table, base.is_some());
        copy::check(reader, tool, table, base.is_some());
        if let Some(value) = table.get("dir").filter(|_| tool.dir.is_some()) {
            dir::check(reader, tool, value);
        }
        if let Some(args) = table.get("args")
            && !tool.run.is_empty()
            && !tool.run.contains(&Arg::Args)
        {
            let help = "put `\"{args}\"` into `run`, or write the arguments there";
            reader.report_with(args.span(), "`args` is unused because `run` has no `{args}`", help);
        }
        if let Some(value) = table.get("second-pass")
            && !(tool.parse == Parse::RustcJson && tool.run.contains(&Arg::Args))
        {
            let help = "it requires the output format `rustc-json`, which shows that lints hid findings, and `{args}` in \
                        `run` for the additional arguments";
            reader.report_with(value.span(), "`second-pass` is unused", help);
        }
        if let Some(value) = table.get("leaky")
            && !tool.may_be_leaky()
        {
            let help = "remove it; only test output states how many results to expect, so any other output may be incomplete";
            reader.report_with(
                value.span(),
                format!("`leaky` has no effect with the output format `{}`", tool.parse.as_str()),
                help,
            );
        }
        for key in ["retries", "flaky"] {
            let is_possible = tool.takes_retries() || tool.takes_reruns();
            let Some(value) = table.get(key).filter(|_| !is_possible) else { continue };
            let (why, help) = match tool.parse.work() {
                Work::Test if tool.targets == Some(Targets::Doctest) => {
                    ("its tests can't be run again by name", "remove it; rustdoc can't run single doc tests")
                }
                Work::Test => (
                    "its tests can't be run again by name",
                    "remove it, or use a `run` with `{executable}` or nextest that ends with `{args}`",
                ),
                Work::Build | Work::RunScripts => ("other tools use what it builds", "remove it"),
                Work::Lint | Work::Format => ("it always comes to the same result", "remove it"),
                Work::Read | Work::Unknown => (
                    "its numbers or golden files stand for output that is always the same",
                    "remove it, or make the output of the tool reproducible",
                ),
            };
            let message = format!("`{}` can't have `{key}`, because {why}", tool.name);
            reader.report_with(value.span(), message, help);
        }
        if let (Some(value), Per::TargetRoot | Per::File) = (table.get("targets"), tool.per) {
            let message = format!("`targets` has no effect for a tool that runs per {}", tool.per.as_str());
            reader.report_with(value.span(), message, "remove it, or write `per = \"workspace\"`");
        }
        if per.is_some() || !table.contains_key("per") {
            check_fit(reader, tool, run.as_deref(), table.get("per").unwrap_or(value));
        }
    }
    (entry, links)
}

/// Returns true if `name` is a valid name of a tool or namespace. Both become file names and parts of
/// identities.
pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_'))
}

/// Returns a tool with defaults for everything but the name.
fn blank(name: &str) -> Tool {
    Tool {
        name: name.to_owned(),
        run: Vec::new(),
        args: Vec::new(),
        second_pass: Vec::new(),
        dir: None,
        per: Per::Workspace,
        targets: None,
        files: Vec::new(),
        exclude: Vec::new(),
        inputs: Vec::new(),
        searches: Vec::new(),
        cache: Caching::Established,
        parse: Parse::ExitCode,
        ratchet: Vec::new(),
        namespaces: Vec::new(),
        required: true,
        may_be_empty: false,
        needs: Vec::new(),
        replaces: Vec::new(),
        on_demand: false,
        lane: None,
        environment: Environment::Only(Vec::new()),
        jobserver: false,
        threads: None,
        version: Vec::new(),
        rules: Vec::new(),
        install: None,
        detect: None,
        weight: NonZeroU32::MIN,
        caps: StepCaps::default(),
        leaky: Leaky::Pass,
        retries: 0,
        flaky: Flaky::Pass,
        vars: BTreeMap::new(),
        timeout: None,
        sandbox: None,
        hermetic: false,
        copy: false,
        services: Vec::new(),
        variant: None,
        variants: Vec::new(),
        configured: false,
        lacks_format: false,
    }
}

/// Returns the pseudo tool that owns the findings about blind spots, for policies that deny them. It never has a
/// task, because it only runs on demand and no tool needs it.
pub(in crate::plan) fn blind_spots() -> Tool {
    let name = Tool::BLIND_SPOTS;
    Tool { namespaces: vec![OWN_NAMESPACE.to_owned()], on_demand: true, may_be_empty: true, ..blank(name) }
}

/// Reports each placeholder that has no value for the unit of the tool: at the argument if this file sets
/// `run`, or else at `per`.
fn check_fit(reader: &mut ConfigReader<'_>, tool: &Tool, run: Option<&[Spanned<Arg>]>, per: &Value<'_>) {
    for (at, arg) in tool.run.iter().enumerate() {
        let span = run.and_then(|run| run.get(at)).map_or_else(|| per.span(), Spanned::span);
        for (placeholder, fitting) in command::misfits(arg, tool) {
            let message =
                format!("`{{{placeholder}}}` has no value for a tool that runs per {}", tool.per.as_str());
            let units: Vec<String> =
                fitting.iter().map(|per| format!("per = \"{}\"", per.as_str())).collect();
            reader.report_with(span.clone(), message, format!("write `{}`", units.join("` or `")));
        }
    }
}

fn variants(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Vec<Spanned<String>>> {
    let names = reader.strings(value)?;
    if names.is_empty() {
        reader.report_with(
            value.span(),
            "expected at least one variant",
            "remove it to run the default build",
        );
    }
    Some(names)
}

fn ratchet(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Vec<CensusNumber>> {
    let names = reader.strings(value)?;
    let mut numbers = Vec::new();
    for name in &names {
        let number = CensusNumber::ALL.into_iter().find(|number| number.as_str() == name.get_ref());
        if number.is_none() {
            let help = suggestion(name.get_ref(), CensusNumber::ALL.map(CensusNumber::as_str), "numbers");
            reader.report_with(name.span(), format!("unknown number `{}`", name.get_ref()), help);
        }
        numbers.extend(number);
    }
    numbers.sort();
    numbers.dedup();
    Some(numbers)
}

fn signs(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Signs> {
    let table = reader.table(value)?;
    let mut signs = Signs { files: Vec::new(), metadata: Vec::new(), build_dependencies: Vec::new() };
    let mut keys = reader.keys(table);
    keys.set(&mut signs.files, "files", ConfigReader::texts);
    keys.set(&mut signs.metadata, "metadata", ConfigReader::texts);
    keys.set(&mut signs.build_dependencies, "build-dependencies", ConfigReader::texts);
    keys.finish();
    let keys = ["files", "metadata", "build-dependencies"];
    if reader.is_whole() && !keys.iter().any(|key| table.contains_key(*key)) {
        let help =
            "write `{ files = [\"…\"] }`, `{ metadata = [\"…\"] }` or `{ build-dependencies = [\"…\"] }`";
        reader.report_with(value.span(), "`detect` is empty", help);
    }
    Some(signs)
}

fn namespaces(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Vec<String>> {
    let names = reader.strings(value)?;
    for name in names.iter().filter(|name| !is_name(name.get_ref())) {
        let message = format!("invalid namespace `{}`", name.get_ref());
        reader.report_with(name.span(), message, NAME_HELP);
    }
    Some(sorted(names.into_iter().map(Spanned::into_inner).collect()))
}
