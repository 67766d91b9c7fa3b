//! The effective configuration: every key with its value and its origin.
//!
//! The values are those of the parsed configuration, which a run uses, and not those of the files. Each struct is taken
//! apart completely, so a new field fails to compile until it has a key here.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::origin::{Origin, Origins};
use super::{BaselineConfig, Config, PolicyConfig, command};
use crate::model::generator::Generator;
use crate::model::policy::Selection;
use crate::model::powerset::Powerset;
use crate::model::ratchet::NumberPattern;
use crate::model::remote::RemoteConfig;
use crate::model::service::{Ready, Service};
use crate::model::suppression::Suppression;
use crate::model::tool::{
    Arg, Caching, Counted, Environment, Network, Parse, Sandbox, Signs, StepCaps, Streams, Tool,
};
use crate::model::variant::Variant;

/// A table of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Dotted name; empty for the keys before the first table.
    pub name: String,
    /// True if it is an element of the array with this name.
    pub is_element: bool,
    /// Its keys.
    pub keys: Vec<Key>,
}

/// A key of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Name in its table.
    pub name: &'static str,
    /// Effective value; `None` if the key is not set and has no default.
    pub value: Option<Value>,
    /// Origin of the value.
    pub origin: Origin,
}

/// Keys of one table, with their values.
type Values = Vec<(&'static str, Option<Value>)>;

/// Returns all tables of `config` under the policy `policy`, which includes flags and variables.
pub fn effective(config: &Config, policy: &PolicyConfig) -> Vec<Table> {
    let Config {
        policy: _,
        tools,
        variants,
        services,
        disabled,
        baseline,
        locked,
        suppressions,
        remote,
        source: _,
        origins,
    } = config;
    let table = |name: &str, values: Values| {
        let prefix = if name.is_empty() { String::new() } else { format!("{name}.") };
        from(name, values, |key| origins.of(&format!("{prefix}{key}")))
    };
    let mut tables = vec![
        table("", vec![("locked", Some((*locked).into()))]),
        from("policy", policy.values(), |key| policy.origin(key)),
        table("baseline", of_baseline(baseline)),
    ];
    tables.extend(
        variants.iter().map(|one| table(&format!("variants.{}", one.variant.name), of_variant(&one.variant))),
    );
    tables.extend(services.iter().map(|one| table(&format!("services.{}", one.name), of_service(one))));
    tables.extend(remote.iter().map(|remote| table("remote", of_remote(remote))));
    let mut all: Vec<_> = tools.iter().map(|tool| (tool, true)).collect();
    all.extend(disabled.iter().map(|tool| (tool, false)));
    all.sort_by_key(|(tool, _)| &tool.name);
    for (tool, is_enabled) in all {
        let origin = |key: &str| of_tool_key(tool, is_enabled, key, tools, origins);
        tables.push(from(&format!("tools.{}", tool.name), of_tool(tool, is_enabled), origin));
    }
    tables.extend(suppressions.iter().map(|suppression| {
        let origin = Origin::File { file: suppression.file.clone(), line: suppression.line };
        let values = of_suppression(suppression).into_iter().filter(|(_, value)| value.is_some()).collect();
        Table { is_element: true, ..from("suppress", values, |_| origin.clone()) }
    }));
    tables
}

fn from(name: &str, values: Values, origin: impl Fn(&str) -> Origin) -> Table {
    let keys = values.into_iter().map(|(key, value)| Key { name: key, value, origin: origin(key) });
    Table { name: name.to_owned(), is_element: false, keys: keys.collect() }
}

/// Returns the origin of a key of `tool`. A tool that another one replaces is disabled whatever its table says.
fn of_tool_key(tool: &Tool, is_enabled: bool, key: &str, enabled: &[Tool], origins: &Origins) -> Origin {
    let of = |key: &str| origins.of(&format!("tools.{}.{key}", tool.name));
    let replaces = |other: &&Tool| other.replaces.contains(&tool.name);
    match (key, enabled.iter().find(replaces).filter(|_| !is_enabled), of(key)) {
        ("enabled", Some(other), _) => Origin::ReplacedBy(other.name.clone()),
        // The command line itself may request a toolchain.
        ("toolchain", _, Origin::Default) if tool.toolchain().is_some() => of("run"),
        (_, _, origin) => origin,
    }
}

fn of_baseline(config: &BaselineConfig) -> Values {
    let BaselineConfig { build, versions, stale_warns } = config;
    // The other fields are not keys: the baseline covers all packages and tools.
    let Selection { features, all_features, no_default_features, target, cargo_profile, .. } = build;
    vec![
        ("features", texts(features)),
        ("all-features", Some((*all_features).into())),
        ("no-default-features", Some((*no_default_features).into())),
        ("target", text(target.as_ref())),
        ("cargo-profile", text(cargo_profile.as_ref())),
        ("versions", Some(versions.iter().map(|(tool, version)| (tool.clone(), version.clone())).collect())),
        ("stale", text(Some(if *stale_warns { "warn" } else { "fail" }))),
    ]
}

fn of_tool(tool: &Tool, is_enabled: bool) -> Values {
    let Tool {
        name: _,
        run,
        args,
        second_pass,
        dir,
        per,
        targets,
        files,
        exclude,
        inputs,
        parse,
        searches,
        cache,
        ratchet,
        namespaces,
        required,
        may_be_empty,
        needs,
        replaces,
        on_demand,
        lane,
        environment,
        vars,
        timeout,
        jobserver,
        threads,
        version,
        rules,
        install,
        detect,
        weight,
        caps: StepCaps { tasks, bytes },
        leaky,
        retries,
        flaky,
        sandbox,
        hermetic,
        copy,
        services,
        configured: _,
        lacks_format: _,
        variant: _,
        variants,
    } = tool;
    let (inherits, env) = of_environment(environment, vars);
    let generator = tool.generator();
    let is_other = |value: Option<Value>| value.filter(|_| generator.is_none());
    let may_repeat = generator.is_none() && (tool.takes_retries() || tool.takes_reruns());
    let has_args = run.contains(&Arg::Args);
    vec![
        ("enabled", Some(is_enabled.into())),
        ("run", is_other(list(run.iter().map(command::text)))),
        ("fresh", generator.map(|generator| of_generator(generator, run))),
        ("args", texts(args).filter(|_| has_args)),
        ("second-pass", texts(second_pass).filter(|_| !second_pass.is_empty())),
        ("dir", text(dir.as_ref().map(|dir| String::from_utf8_lossy(dir.as_bytes())))),
        ("per", is_other(text(Some(per.as_str())))),
        ("targets", targets.map(|targets| targets.as_str().into())),
        ("files", is_other(texts(files)).filter(|_| !files.is_empty())),
        ("exclude", is_other(texts(exclude))),
        ("may-be-empty", Some((*may_be_empty).into())),
        ("inputs", texts(generator.map_or(inputs, |generator| &generator.inputs))),
        ("searches", list(searches.iter().map(ToString::to_string))),
        ("cache", of_cache(*cache)),
        ("max-age", of_max_age(*cache)),
        ("env", env),
        ("inherit-env", Some(inherits.into())),
        ("toolchain", text(tool.toolchain())),
        ("timeout", timeout.map(duration)),
        ("needs", texts(needs)),
        ("variants", of_variants(tool, variants)),
        ("on-demand", Some((*on_demand).into())),
        ("replaces", texts(replaces)),
        ("lane", text(lane.as_ref())),
        ("jobserver", Some((*jobserver).into())),
        ("threads", text(threads.as_ref())),
        ("leaky", text(Some(leaky.as_str())).filter(|_| tool.may_be_leaky())),
        ("retries", Some((*retries).into()).filter(|_| may_repeat)),
        ("flaky", text(Some(flaky.as_str())).filter(|_| may_repeat)),
        ("sandbox", sandbox.as_ref().map(of_sandbox)),
        ("hermetic", Some((*hermetic).into())),
        ("copy", Some((*copy).into()).filter(|_| generator.is_none())),
        ("services", list(services.iter().map(|service| service.name.as_str()))),
        ("weight", Some(weight.get().into())),
        ("max-tasks", Some((*tasks).into())),
        ("max-bytes", Some((*bytes).into())),
        ("parse", of_parse(parse)),
        ("ratchet", is_other(list(ratchet.iter().map(|number| number.as_str())))),
        ("compare", of_compare(parse)),
        ("namespaces", texts(namespaces)),
        ("required", Some((*required).into())),
        ("version", texts(version)),
        ("rules", texts(rules)),
        ("install", text(install.as_ref())),
        ("detect", detect.as_ref().map(of_signs)),
    ]
}

/// Returns the variants that `tool` runs in, if it can run in any.
fn of_variants(tool: &Tool, variants: &[String]) -> Option<Value> {
    let can_have = tool.takes_variants() && !tool.states_numbers();
    match variants.is_empty() {
        true => list([Variant::DEFAULT].into_iter()).filter(|_| can_have),
        false => texts(variants),
    }
}

fn of_variant(variant: &Variant) -> Values {
    let Variant { name: _, configured: _, build, toolchain, vars, on, lock, powerset, workspace } = variant;
    // The other fields are not keys.
    let Selection {
        packages,
        exclude,
        features,
        all_features,
        no_default_features,
        target,
        cargo_profile,
        ..
    } = build;
    let vars = vars.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    vec![
        ("features", texts(features)),
        ("all-features", Some((*all_features).into())),
        ("no-default-features", Some((*no_default_features).into())),
        ("packages", texts(packages)),
        ("exclude", texts(exclude)),
        ("target", text(target.as_ref())),
        ("cargo-profile", text(cargo_profile.as_ref())),
        ("toolchain", text(toolchain.as_ref())),
        ("lock", text(lock.as_ref().map(|lock| String::from_utf8_lossy(lock.path.as_bytes())))),
        ("workspace", text(workspace.as_ref().map(|root| root.to_string()))),
        ("env", Some(Value::Object(vars))),
        ("on", texts(on).filter(|_| !on.is_empty())),
        ("each-feature", Some((*powerset == Some(Powerset::of_each())).into())),
        ("powerset", powerset.as_ref().filter(|set| **set != Powerset::of_each()).map(of_powerset)),
    ]
}

fn of_service(service: &Service) -> Values {
    let Service { name: _, start, ready, timeout, env, vars } = service;
    let ready = match ready {
        Ready::Tcp(port) => table([("tcp", Some((*port).into()))]),
        Ready::Run(words) => table([("run", texts(words))]),
        Ready::Log(pattern) => table([("log", text(Some(pattern)))]),
    };
    let (_, env) = of_environment(&Environment::Only(env.clone()), vars);
    vec![("start", texts(start)), ("ready", Some(ready)), ("timeout", Some(duration(*timeout))), ("env", env)]
}

fn of_remote(remote: &RemoteConfig) -> Values {
    let RemoteConfig {
        url,
        instance,
        write,
        headers,
        credential_helper,
        ca,
        identity,
        timeout,
        salt,
        execution,
    } = remote;
    let execution = execution.as_ref();
    let platform = execution.map(|execution| &execution.platform).filter(|all| !all.is_empty());
    let platform =
        platform.map(|all| all.iter().map(|(name, of)| (name.clone(), of.as_str())).collect::<Value>());
    let variable = |name: &String| table([("env", text(Some(name)))]);
    let headers = headers.iter().map(|(name, of)| (name.clone(), variable(of))).collect();
    vec![
        ("url", Some(url.to_string().into())),
        ("instance", text(Some(instance))),
        ("write", text(Some(write.as_str()))),
        ("headers", Some(headers)),
        ("credential-helper", texts(credential_helper)),
        ("ca", text(ca.as_ref())),
        ("client-cert", text(identity.as_ref().map(|identity| &identity.cert))),
        ("client-key", text(identity.as_ref().map(|identity| &identity.key))),
        ("timeout", Some(duration(*timeout))),
        ("salt", text(Some(salt))),
        ("execute", Some(execution.is_some().into())),
        ("execute-timeout", execution.map(|execution| duration(execution.timeout))),
        ("platform", platform),
        ("programs", execution.map(|execution| execution.programs.as_str().into())),
    ]
}

fn duration(time: Duration) -> Value {
    humantime::format_duration(time).to_string().into()
}

fn of_powerset(powerset: &Powerset) -> Value {
    let Powerset { depth, skip, max } = powerset;
    let depth = depth.map(Value::from);
    table([("depth", depth), ("skip", texts(skip)), ("max", Some((*max).into()))])
}

/// Returns the values of `inherit-env` and `env`.
fn of_environment(environment: &Environment, vars: &BTreeMap<String, String>) -> (bool, Option<Value>) {
    let (inherits, names) = match environment {
        Environment::Inherit(Counted::All) => (true, None),
        Environment::Inherit(Counted::Listed(names) | Counted::Build(names)) => (true, Some(names)),
        Environment::Only(names) => (false, Some(names)),
    };
    if vars.is_empty() {
        return (inherits, names.and_then(|names| texts(names)));
    }
    let set = vars.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
    let passed = names.into_iter().flatten().map(|name| (name.clone(), true.into()));
    (inherits, Some(Value::Object(set.chain(passed).collect())))
}

fn of_generator(generator: &Generator, run: &[Arg]) -> Value {
    let Generator { outputs, inputs: _, has_git, is_clean } = generator;
    table([
        ("run", list(run.iter().map(command::text))),
        ("outputs", texts(outputs)),
        ("git", Some((*has_git).into())),
        ("clean", Some((*is_clean).into())),
    ])
}

fn of_sandbox(sandbox: &Sandbox) -> Value {
    let Sandbox { write, read, network } = sandbox;
    let network = match network {
        Network::None => false.into(),
        Network::Loopback => network.as_str().into(),
        Network::All => true.into(),
    };
    table([("write", texts(write)), ("read", texts(read)), ("network", Some(network))])
}

/// Returns nothing if it depends on the program whether results are cached.
fn of_cache(cache: Caching) -> Option<Value> {
    match cache {
        Caching::Never => Some(false.into()),
        Caching::Established => None,
        Caching::Always => Some(true.into()),
        Caching::Sandboxed { .. } => Some("sandboxed".into()),
    }
}

fn of_max_age(cache: Caching) -> Option<Value> {
    let Caching::Sandboxed { max_age } = cache else { return None };
    Some(duration(max_age))
}

fn of_parse(parse: &Parse) -> Option<Value> {
    match parse {
        Parse::Golden(_) | Parse::Generator(_) => None,
        Parse::Regex(pattern) => Some(table([("regex", text(Some(pattern)))])),
        Parse::Number(pattern) => {
            let NumberPattern { regex, name, better, tolerance, unit } = &**pattern;
            Some(table([
                ("number", text(Some(regex))),
                ("name", text(name.as_ref())),
                ("better", text(Some(better.as_str()))),
                ("tolerance", tolerance.as_ref().map(|tolerance| tolerance.to_string().into())),
                ("unit", text(unit.as_ref())),
            ]))
        }
        named => text(Some(named.as_str())),
    }
}

fn of_compare(parse: &Parse) -> Option<Value> {
    match parse {
        Parse::Golden(Streams::Stdout) => text(Some("golden")),
        Parse::Golden(streams) => Some(table([("golden", text(Some(streams.as_str())))])),
        _ => None,
    }
}

fn of_signs(signs: &Signs) -> Value {
    let Signs { files, metadata, build_dependencies } = signs;
    let lists = [("files", files), ("metadata", metadata), ("build-dependencies", build_dependencies)];
    table(lists.map(|(key, names)| (key, texts(names).filter(|_| !names.is_empty()))))
}

fn of_suppression(suppression: &Suppression) -> Values {
    let Suppression { rule, tool, path, subject, message, reason, owner, expires, file: _, line: _ } =
        suppression;
    vec![
        ("rule", text(rule.as_ref())),
        ("tool", text(tool.as_ref())),
        ("path", path.as_ref().map(|glob| glob.glob().into())),
        ("subject", text(subject.as_ref())),
        ("message", text(message.as_ref())),
        ("reason", text(Some(reason))),
        ("owner", text(owner.as_ref())),
        ("expires", expires.map(|date| date.to_string().into())),
    ]
}

/// Returns `name` as a key in TOML, in quotes only if it needs them.
pub(super) fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.chars().all(is_bare) { name.to_owned() } else { toml(&name.into()) }
}

/// Returns `value` in TOML, on one line unless a string has several.
pub fn toml(value: &Value) -> String {
    let list = |values: Vec<String>| values.join(", ");
    match value {
        Value::String(text) => toml::Value::from(text.as_str()).to_string(),
        Value::Array(values) => format!("[{}]", list(values.iter().map(toml).collect())),
        Value::Object(keys) if keys.is_empty() => "{}".to_owned(),
        Value::Object(keys) => {
            let keys = keys.iter().map(|(name, value)| format!("{} = {}", key(name), toml(value)));
            format!("{{ {} }}", list(keys.collect()))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

fn text(value: Option<impl AsRef<str>>) -> Option<Value> {
    value.map(|value| value.as_ref().into())
}

fn texts(values: &[String]) -> Option<Value> {
    list(values.iter().cloned())
}

fn list<T: Into<Value>>(values: impl Iterator<Item = T>) -> Option<Value> {
    Some(Value::Array(values.map(Into::into).collect()))
}

fn table<const N: usize>(values: [(&str, Option<Value>); N]) -> Value {
    let set = values.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(set.collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::tests::file;
    use super::*;
    use crate::plan::config::load;

    /// A configuration that sets every key of every table.
    const FULL: &str = r#"
locked = true

[policy]
order = "topo"
batch = 7
seed = 18446744073709551615
parallel = 3
build-dir = "lanes"
per-task-timeout = "1h 30m"
max-duration = "20m"
blind-spots = "ignore"
max-findings = 9

[profile.ci.policy]
batch = "by-tool"

[baseline]
features = ["a"]
all-features = true
no-default-features = true
target = "x86_64-unknown-linux-gnu"
cargo-profile = "bench"
versions = { clippy = "0.1" }
stale = "warn"

[tools.clippy]
args = ["--", "-W", "clippy::pedantic"]
env = ["MODE"]
ratchet = ["packages"]

[tools.nextest]
retries = 2
flaky = "fail"
leaky = "fail"

[tools.doc]
enabled = false
toolchain = "nightly"
timeout = "2m"

[tools.fmt]
compare = { golden = "both" }

[tools.all]
run = ["x", "{args}", "{{file}} {file}", "{package", "{files}"]
dir = "a/b"
args = ["a \"b\" 'c'\n"]
per = "file"
files = ["**/*.x"]
exclude = ["v/**"]
may-be-empty = true
inputs = ["y"]
searches = ["a/b", "./a", "^./a", "~/a", "$X/a", "^$X/a", "/etc/a"]
cache = true
env = ["E"]
needs = ["clippy"]
on-demand = true
replaces = ["typos"]
lane = "l"
jobserver = true
threads = "T"
sandbox = { write = ["out", "/srv"], read = ["~/x"], network = "loopback" }
weight = 2
max-tasks = 3
max-bytes = 4
parse = { number = '(?<value>\d+)', name = "n", better = "lower", tolerance = "0.10", unit = "%" }
namespaces = ["all", "more"]
required = false
version = ["x", "-V"]
rules = ["x", "-r"]
install = "i"
detect = { files = ["f"], metadata = ["m"], build-dependencies = ["d"] }

[variants.v]
features = ["a"]
all-features = true
no-default-features = true
packages = ["p"]
exclude = ["q"]
target = "t"
cargo-profile = "release"
env = { A = "b" }
on = ["linux"]

[services.db]
start = ["s", "-p"]
ready = { log = "up" }
timeout = "1m"
env = { A = "b", C = true }

[services.other]
start = ["s"]
ready = { tcp = 1 }

[tools.gen]
fresh = { run = ["g"], outputs = ["a/**"], git = true, clean = true }
inputs = ["y"]

[tools.other]
run = ["y", "{selection}"]
services = ["db", "other"]
variants = ["v", "default"]
inherit-env = true
env = { A = "b c", D = true, "E F" = "" }
targets = "test"
sandbox = { network = true }
parse = { regex = '^(?<path>.+): (?<message>.+)$' }

[[suppress]]
rule = "a"
tool = "clippy"
path = "src/**"
subject = "s"
message = "m"
reason = "r"
owner = "o"
expires = 2027-01-31
"#;

    fn tables(text: &str, profile: Option<&str>) -> Vec<Table> {
        let config =
            load(&[file("genti.toml", text)], profile).unwrap_or_else(|error| panic!("{error}\n{text}"));
        effective(&config, &config.policy)
    }

    fn written(tables: &[Table]) -> String {
        let mut out = String::new();
        for Table { name, is_element, keys } in tables {
            out += &match (name.as_str(), is_element) {
                ("", _) => String::new(),
                (name, true) => format!("[[{name}]]\n"),
                (name, false) => format!("[{name}]\n"),
            };
            // The command lines of a tool include the toolchain.
            for key in keys.iter().filter(|key| key.name != "toolchain") {
                out += &key
                    .value
                    .as_ref()
                    .map_or(String::new(), |value| format!("{} = {}\n", key.name, toml(value)));
            }
        }
        out
    }

    fn values(tables: &[Table]) -> Vec<(String, &str, Option<String>)> {
        let of = |table: &'_ Table| table.name.clone();
        let keys = tables.iter().flat_map(|table| table.keys.iter().map(move |key| (table, key)));
        keys.map(|(table, key)| (of(table), key.name, key.value.as_ref().map(toml))).collect()
    }

    /// Returns the value and the origin of a dotted key.
    fn get(tables: &[Table], key: &str) -> (String, String) {
        let (table, key) = key.rsplit_once('.').unwrap_or(("", key));
        let table = tables.iter().find(|other| other.name == table).unwrap();
        let key = table.keys.iter().find(|other| other.name == key).unwrap();
        (key.value.as_ref().map_or("-".to_owned(), toml), key.origin.to_string())
    }

    #[test]
    fn a_configuration_written_from_the_effective_one_has_the_same_values() {
        for text in ["", FULL] {
            let first = tables(text, None);
            let text = written(&first);
            assert_eq!(values(&tables(&text, None)), values(&first), "{text}");
        }
    }

    #[test]
    fn every_key_that_is_set_is_shown_with_its_value_and_line() {
        let shown = tables(FULL, None);
        // This type has no numbers above those of `i64`.
        let document: toml::Table = FULL.replace("18446744073709551615", "1").parse().unwrap();
        let mut seen = 0;
        let all = ["tools", "services", "variants"]
            .map(|table| document[table].as_table().unwrap().iter().map(move |of| (table, of)));
        for (kind, (name, table)) in all.into_iter().flatten() {
            for key in table.as_table().unwrap().keys() {
                let (_, origin) = get(&shown, &format!("{kind}.{name}.{key}"));
                let line: usize = origin
                    .strip_prefix("genti.toml:")
                    .unwrap_or_else(|| panic!("{name}.{key}: {origin}"))
                    .parse()
                    .unwrap();
                assert!(
                    FULL.lines().nth(line - 1).unwrap().starts_with(&format!("{key} = ")),
                    "{name}.{key}: {line}"
                );
                seen += 1;
            }
        }
        assert!(seen > 35, "{seen}");
    }

    #[test]
    fn each_value_has_the_origin_that_decided_it() {
        #[track_caller]
        fn check(tables: &[Table], expected: &[(&str, &str, &str)]) {
            for (key, value, origin) in expected {
                assert_eq!(get(tables, key), ((*value).to_owned(), (*origin).to_owned()), "{key}");
            }
        }
        let text = "[policy]\norder = 'topo'\nbatch = 7\n[profile.ci.policy]\nbatch = 'by-path'\n\
                    [tools.nextest]\n[tools.deny]\nargs = ['check', 'bans']\n[tools.doc]\nenabled = false\n\
                    [tools.x]\nrun = ['x']\nfiles = ['*.x']";
        check(
            &tables(text, Some("ci")),
            &[
                ("locked", "false", "default"),
                ("policy.order", "\"topo\"", "genti.toml:2"),
                ("policy.batch", "\"by-path\"", "genti.toml:5"),
                ("policy.seed", "0", "default"),
                ("policy.max-findings", "250000", "default"),
                ("policy.max-duration", "-", "default"),
                ("baseline.stale", "\"fail\"", "default"),
                ("tools.nextest.enabled", "true", "genti.toml:6"),
                ("tools.test.enabled", "false", "replaced by `nextest`"),
                ("tools.deny.detect", "-", "genti.toml:7"),
                ("tools.deny.args", "[\"check\", \"bans\"]", "genti.toml:8"),
                ("tools.deny.cache", "false", "built in"),
                (
                    "tools.typos.detect",
                    "{ files = [\"typos.toml\", \"_typos.toml\", \".typos.toml\"], metadata = [\"typos\"] }",
                    "built in",
                ),
                ("tools.doc.enabled", "false", "genti.toml:10"),
                ("tools.clippy.may-be-empty", "true", "built in"),
                ("tools.clippy.exclude", "[]", "default"),
                ("tools.x.enabled", "true", "genti.toml:11"),
                ("tools.doctest.toolchain", "-", "default"),
                ("tools.x.per", "\"workspace\"", "default"),
                ("tools.x.may-be-empty", "false", "genti.toml:13"),
            ],
        );
        let golden = tables("[tools.fmt]\n\ncompare = 'golden'", None);
        check(
            &golden,
            &[
                ("tools.fmt.parse", "-", "genti.toml:3"),
                ("tools.fmt.namespaces", "[\"fmt\"]", "genti.toml:3"),
            ],
        );
    }

    #[test]
    fn a_flag_or_a_variable_is_the_origin_of_what_it_sets() {
        let config = load(&[file("genti.toml", "[policy]\nseed = 3\nbatch = 7")], None).unwrap();
        let origins = BTreeMap::from([
            ("seed", Origin::Flag("--seed")),
            ("parallel", Origin::Variable("GENTI_PARALLEL".into())),
        ]);
        let asked =
            PolicyConfig { seed: Some(4), parallel: "2".parse().ok(), origins, ..PolicyConfig::default() };
        let tables = effective(&config, &asked.over(&config.policy));
        let all = ["seed", "parallel", "batch"].map(|key| get(&tables, &format!("policy.{key}")));
        let all = all.each_ref().map(|(value, origin)| (value.as_str(), origin.as_str()));
        assert_eq!(all, [("4", "--seed"), ("2", "GENTI_PARALLEL"), ("7", "genti.toml:3")]);
    }
}
