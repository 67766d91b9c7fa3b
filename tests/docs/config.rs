//! Tests that the schema of the configuration and the page about it have exactly the keys and values that genti accepts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use genti::model::tool::Parse;
use genti::plan::config::{self, ConfigFile, Place};
use jsonschema::Validator;
use regex::Regex;
use serde_json::{Value, json};

use crate::{ROOT, blocks, genti, pages, read};

/// An unknown key that resembles no real one.
const NO_KEY: &str = "qqqqqqqqqqqqqqqqqqqqqqqq";

/// Tables with fixed keys: name on the page, TOML that opens the table, and JSON pointer into the schema.
const TABLES: [(&str, &str, &str); 17] = [
    ("top", "", ""),
    ("[policy]", "[policy]", "/$defs/policy"),
    ("[profile.NAME]", "[profile.x]", "/properties/profile/additionalProperties"),
    ("[profile.NAME.policy]", "[profile.x.policy]", "/$defs/policy"),
    ("[baseline]", "[baseline]", "/properties/baseline"),
    ("[[suppress]]", "[[suppress]]", "/properties/suppress/items"),
    ("[variants.NAME]", "[variants.x]", "/$defs/variant"),
    ("[tools.NAME]", "[tools.x]", "/$defs/tool"),
    ("parse", "[tools.x.parse]", "/$defs/tool/properties/parse/oneOf/1"),
    ("compare", "[tools.x.compare]", "/$defs/tool/properties/compare/oneOf/1"),
    ("detect", "[tools.x.detect]", "/$defs/tool/properties/detect"),
    ("sandbox", "[tools.x.sandbox]", "/$defs/tool/properties/sandbox"),
    ("fresh", "[tools.x.fresh]", "/$defs/tool/properties/fresh"),
    ("[remote]", "[remote]", "/properties/remote"),
    ("header", "[remote.headers.x]", "/properties/remote/properties/headers/additionalProperties"),
    ("[services.NAME]", "[services.x]", "/$defs/service"),
    ("ready", "[services.x.ready]", "/$defs/service/properties/ready"),
];

/// Keys outside the policy with a fixed set of values: TOML before the value, and JSON pointer to the values in the schema.
const WORDS: [(&str, &str); 9] = [
    ("baseline = { stale =", "/properties/baseline/properties/stale/enum"),
    ("remote = { url = \"grpc://x\", write =", "/properties/remote/properties/write/enum"),
    ("tools.x = { run = [\"x\"], per =", "/$defs/tool/properties/per/enum"),
    ("tools.x = { run = [\"x\"], targets =", "/$defs/tool/properties/targets/enum"),
    ("tools.x = { run = [\"x\"], parse =", "/$defs/tool/properties/parse/oneOf/0/enum"),
    ("tools.x = { run = [\"x\"], parse = \"libtest\", leaky =", "/$defs/tool/properties/leaky/enum"),
    ("tools.nextest = { flaky =", "/$defs/tool/properties/flaky/enum"),
    ("tools.x = { run = [\"x\"], compare =", "/$defs/tool/properties/compare/oneOf/0/enum"),
    (
        "tools.x = { run = [\"x\"], compare.golden =",
        "/$defs/tool/properties/compare/oneOf/1/properties/golden/enum",
    ),
];

fn schema() -> Value {
    serde_json::from_str(&read("docs/schemas/config.schema.json")).unwrap()
}

fn validator() -> Validator {
    let schema = schema();
    assert!(jsonschema::meta::is_valid(&schema));
    jsonschema::validator_for(&schema).unwrap()
}

/// Returns the errors in `text`, each with its help.
fn mistakes(text: &str) -> Vec<(String, String)> {
    let file = ConfigFile { name: "genti.toml".into(), text: text.into(), place: Place::File };
    let problems = config::load(&[file], None).err().map(|problems| problems.0).unwrap_or_default();
    problems.into_iter().map(|problem| (problem.message, problem.help.unwrap_or_default())).collect()
}

/// Returns the words in backticks.
fn names(text: &str) -> BTreeSet<String> {
    let name = Regex::new("`([^`]+)`").unwrap();
    name.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// Returns the keys that a table accepts, which the error for an unknown key lists.
fn known(table: &str) -> BTreeSet<String> {
    let said = mistakes(&format!("{table}\n{NO_KEY} = 1\n"));
    let said = said.iter().find(|(message, _)| *message == format!("unknown key `{NO_KEY}`"));
    let (_, help) = said.unwrap_or_else(|| panic!("{table}"));
    names(help.strip_prefix("known keys: ").unwrap())
}

/// Returns the accepted keys of each table.
fn all_known() -> BTreeMap<&'static str, BTreeSet<String>> {
    TABLES.into_iter().map(|(name, table, _)| (name, known(table))).collect()
}

/// Converts TOML to JSON, as editors do for validation.
fn as_json(text: &str) -> Value {
    fn convert(value: toml::Value) -> Value {
        match value {
            toml::Value::Table(table) => {
                table.into_iter().map(|(key, value)| (key, convert(value))).collect()
            }
            toml::Value::Array(items) => items.into_iter().map(convert).collect(),
            toml::Value::String(text) => json!(text),
            toml::Value::Integer(number) => json!(number),
            toml::Value::Float(number) => json!(number),
            toml::Value::Boolean(value) => json!(value),
            toml::Value::Datetime(date) => json!(date.to_string()),
        }
    }
    convert(toml::Value::Table(toml::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))))
}

#[test]
fn the_schema_has_exactly_the_accepted_keys() {
    let schema = schema();
    for (name, table, pointer) in TABLES {
        let of_schema = schema.pointer(pointer).unwrap_or_else(|| panic!("{pointer}"));
        let keys: BTreeSet<_> = of_schema["properties"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, known(table), "{name}");
        assert_eq!(of_schema["additionalProperties"], json!(false), "{name}");
    }
}

#[test]
fn the_schema_has_exactly_the_accepted_values() {
    let schema = schema();
    let policy = schema["$defs"]["policy"]["properties"].as_object().unwrap().iter();
    let of_policy = policy.filter(|(_, key)| key.get("enum").is_some());
    let of_policy = of_policy
        .map(|(key, _)| (format!("policy = {{ {key} ="), format!("/$defs/policy/properties/{key}/enum")));
    let others = WORDS.map(|(before, pointer)| (before.to_owned(), pointer.to_owned()));
    for (before, pointer) in of_policy.chain(others) {
        let list = schema.pointer(&pointer).unwrap_or_else(|| panic!("{pointer}")).clone();
        let words: BTreeSet<String> = serde_json::from_value(list).unwrap();
        let write = |word: &str| format!("{before} \"{word}\" }}\n");
        for word in &words {
            let said = mistakes(&write(word));
            assert!(said.is_empty(), "{word}: {said:?}");
        }
        let said = mistakes(&write(NO_KEY));
        let [(message, help)] = said.as_slice() else { panic!("{before}: {said:?}") };
        let mut choices = names(&format!("{message} {help}"));
        choices.retain(|choice| !choice.contains(NO_KEY) && !choice.contains('{'));
        let choices: BTreeSet<_> = choices.iter().map(|choice| choice.trim_matches('"').to_owned()).collect();
        assert_eq!(choices, words, "{before}: {message} {help}");
    }
}

/// Returns the keys of a table in the output of `cargo genti config --format json`.
fn shown(table: &Value) -> BTreeSet<String> {
    table.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_effective_configuration_has_every_key() {
    let output = genti("config --format json");
    assert!(output.status.success(), "{output:?}");
    let effective: Value = serde_json::from_slice(&output.stdout).unwrap();
    let schema: Value = serde_json::from_str(&read("docs/schemas/effective-config.schema.json")).unwrap();
    let errors: Vec<_> = jsonschema::validator_for(&schema)
        .unwrap()
        .iter_errors(&effective)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    for (name, table) in [("[policy]", "policy"), ("[baseline]", "baseline")] {
        assert_eq!(shown(&effective[table]), all_known()[name], "{name}");
    }
    for (name, tool) in effective["tools"].as_object().unwrap() {
        assert_eq!(shown(tool), all_known()["[tools.NAME]"], "{name}");
    }
    // Tables of the file, settings that have no key, and values that say how the others came about.
    let mut tables = all_known()["top"].clone();
    tables.extend(["config", "environment", "schema"].map(str::to_owned));
    let is_missing = |name: &&String| !shown(&effective).contains(*name);
    let missing: Vec<_> = tables.iter().filter(is_missing).collect();
    assert_eq!(missing, ["remote", "services", "suppress", "variants"], "there are none");
}

#[test]
fn every_configuration_example_matches_the_schema() {
    let validator = validator();
    let mut shown: Vec<_> =
        pages().iter().flat_map(|page| blocks(&read(page), "toml").collect::<Vec<_>>()).collect();
    shown.push(read(".config/genti.toml"));
    // The built-in tools use the same format.
    let tools = std::fs::read_dir(Path::new(ROOT).join("src/tools")).unwrap();
    shown.extend(tools.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()));
    assert!(shown.len() > 15);
    for text in shown {
        let mistakes: Vec<_> =
            validator.iter_errors(&as_json(&text)).map(|error| error.to_string()).collect();
        assert!(mistakes.is_empty(), "{mistakes:?}\n{text}");
    }
}

#[test]
fn the_schema_and_genti_reject_the_same_values() {
    let validator = validator();
    let tool = |keys: &str| format!("[tools.x]\nrun = [\"x\", \"{{args}}\"]\n{keys}");
    let both = |text: &str, fits: bool| {
        assert_eq!(mistakes(text).is_empty(), fits, "{text}: {:?}", mistakes(text));
        assert_eq!(validator.is_valid(&as_json(text)), fits, "{text}");
    };
    for (key, good, bad) in [
        (
            "batch",
            &["1", "4294967295", "\"7\"", "\"by-path\""][..],
            &["0", "-1", "4294967296", "\"0\"", "\"x\"", "true", "1.5"][..],
        ),
        ("seed", &["0", "7"], &["-1", "\"7\""]),
        ("parallel", &["1", "1024", "\"auto\"", "\"4\""], &["0", "1025", "\"all\"", "false"]),
        ("order", &["\"topo\""], &["\"alphabetic\"", "1"]),
        ("build-dir", &["\"lanes\""], &["\"target\""]),
        ("blind-spots", &["\"deny\""], &["\"fail\"", "true"]),
        (
            "new-lints",
            &["\"fail\"", "\"warn\"", "{ warn-for = \"30d\" }"],
            &["\"deny\"", "30", "{}", "{ warn-for = 30 }", "{ warn = \"30d\" }"],
        ),
        ("max-duration", &["\"20m\"", "\"1h 30m\""], &["20", "\"soon\"", "\"\""]),
    ] {
        good.iter().for_each(|value| both(&format!("[policy]\n{key} = {value}\n"), true));
        bad.iter().for_each(|value| both(&format!("[profile.x.policy]\n{key} = {value}\n"), false));
    }
    for (key, good, bad) in [
        ("args", &["[]", "[\"a\"]"][..], &["\"a\"", "[1]"][..]),
        ("per", &["\"package\""], &["\"crate\"", "[]"]),
        ("lane", &["\"check\""], &["\"\"", "\" \"", "1"]),
        (
            "env",
            &["[\"HOME\"]", "{ A = \"b\", C = true }"],
            &["[\"A=B\"]", "[\"\"]", "\"HOME\"", "{ \"A=B\" = \"\" }", "{ A = 1 }", "{ A = false }"],
        ),
        ("timeout", &["\"90s\""], &["90", "\"soon\""]),
        (
            "dir",
            &["\"web/app\"", "\"web/\"", "\".\""],
            &["\"/x\"", "\"a/../b\"", "\"a//b\"", "\"\"", "\"{dir}\"", "1"],
        ),
        ("cache", &["true", "false"], &["\"true\"", "\"always\"", "1"]),
        ("threads", &["\"THREADS\""], &["\"\"", "\"A=B\""]),
        ("weight", &["1", "100"], &["0", "101", "\"1\""]),
        ("max-tasks", &["1"], &["0", "4294967296"]),
        ("max-bytes", &["1"], &["0"]),
        (
            "parse",
            &["\"lines\"", "{ regex = \"(?<path>.)\" }"],
            &["\"xml\"", "{}", "{ regex = \"x\" }", "{ regexp = \"\" }", "1"],
        ),
        ("compare", &["\"golden\"", "{ golden = \"both\" }"], &["\"silver\"", "{}", "{ golden = \"in\" }"]),
        ("namespaces", &["[\"a-b\"]"], &["[\"A\"]", "[\"\"]", "\"a\""]),
        ("detect", &["{ files = [\"x\"] }"], &["{}", "{ files = \"x\" }", "{ dirs = [] }"]),
        ("enabled", &["true"], &["\"true\"", "0"]),
        ("required", &["false"], &["\"no\""]),
        ("install", &["\"x\""], &["\"\"", "[]"]),
    ] {
        good.iter().for_each(|value| both(&tool(&format!("{key} = {value}\n")), true));
        bad.iter().for_each(|value| both(&tool(&format!("{key} = {value}\n")), false));
    }
    for (text, fits) in [
        ("", true),
        (
            "[tools.check]\nvariants = [\"default\", \"v\"]\n[variants.v]\nfeatures = [\"x\"]\non = [\"linux\"]\n",
            true,
        ),
        ("[tools.check]\nvariants = [\"v\"]\n[variants.v]\nfeatures = \"x\"\n", false),
        ("[tools.check]\nvariants = [\"v\"]\n[variants.v]\nfeatures = [\"x\"]\non = [\"plan9\"]\n", false),
        ("[tools.check]\nvariants = [\"v\"]\n[variants.v]\nfeatures = [\"x\"]\non = []\n", false),
        ("[tools.check]\nvariants = [\"v\"]\n[variants.v]\nenv = { A = true }\n", false),
        ("[tools.check]\nvariants = []\n", false),
        ("[tools.check]\nvariants = [\"default\"]\n[variants.default]\nfeatures = [\"x\"]\n", false),
        ("[tools.x]\nfresh = { run = [\"x\"], outputs = [\"a/**\"], git = true, clean = true }\n", true),
        ("[tools.x]\nfresh = { run = [\"x\"], outputs = [] }\n", false),
        ("[tools.x]\nfresh = { run = [\"x\"] }\n", false),
        ("[tools.x]\nfresh = { outputs = [\"a/**\"] }\n", false),
        (
            "[services.x]\nstart = [\"x\"]\nready = { tcp = 1 }\ntimeout = \"1m\"\nenv = { A = \"b\", C = true }\n",
            true,
        ),
        (
            "[services.x]\nstart = [\"x\"]\nready = { run = [\"y\"] }\n[tools.test]\nservices = [\"x\"]\n",
            true,
        ),
        ("[remote]\nurl = \"grpcs://host:443\"\ninstance = \"a/b\"\nsalt = \"x\"\n", true),
        ("[remote]\nurl = \"grpc://[::1]:80/\"\nsalt = \"\"\n", false),
        ("[remote]\nurl = \"https://host\"\n", false),
        ("[remote]\nurl = \"grpc://u@host\"\n", false),
        ("[remote]\nurl = \"grpc://host/path\"\n", false),
        ("[remote]\nurl = \"grpc://host\"\ninstance = \"/a\"\n", false),
        ("[remote]\n", false),
        ("[remote]\nurl = \"grpc://host\"\nheaders = { x-key = { env = \"KEY\" } }\n", true),
        ("[remote]\nurl = \"grpc://host\"\nheaders = { x-key = \"value\" }\n", false),
        ("[remote]\nurl = \"grpc://host\"\nheaders = { X-Key = { env = \"KEY\" } }\n", false),
        ("[remote]\nurl = \"grpc://host\"\nheaders = { x = { env = \"\" } }\n", false),
        ("[remote]\nurl = \"grpc://host\"\nheaders = { x = {} }\n", false),
        ("[remote]\nurl = \"grpc://host\"\ncredential-helper = []\n", false),
        ("[remote]\nurl = \"grpc://host\"\ncredential-helper = [\"x\"]\n", true),
        ("[remote]\nurl = \"grpcs://host\"\nca = \"a\"\nclient-cert = \"b\"\nclient-key = \"c\"\n", true),
        ("[remote]\nurl = \"grpcs://host\"\nclient-cert = \"b\"\n", false),
        ("[remote]\nurl = \"grpcs://host\"\nclient-key = \"c\"\n", false),
        ("[remote]\nurl = \"grpcs://host\"\nca = \"\"\n", false),
        ("[services.x]\nstart = [\"x\"]\nready = { log = \"up\" }\n", true),
        ("[services.x]\nstart = [\"x\"]\nready = { log = \" \" }\n", false),
        ("[services.x]\nstart = [\"x\"]\nready = { tcp = 0 }\n", false),
        ("[services.x]\nstart = [\"x\"]\nready = { tcp = 65536 }\n", false),
        ("[services.x]\nstart = [\"x\"]\nready = { tcp = 1, log = \"up\" }\n", false),
        ("[services.x]\nstart = [\"x\"]\nready = {}\n", false),
        ("[services.x]\nstart = []\nready = { tcp = 1 }\n", false),
        ("[services.x]\nstart = [\"x\"]\n", false),
        ("[services.X]\nstart = [\"x\"]\nready = { tcp = 1 }\n", false),
        ("[tools.fmt]\ntoolchain = \"nightly\"\n", true),
        ("[tools.fmt]\ntoolchain = \"+nightly\"\n", false),
        ("[tool.x]\nrun = [\"x\"]\n", false),
        ("[tools.X]\nrun = [\"x\"]\n", false),
        ("[tools.test]\ncache = \"sandboxed\"\nmax-age = \"12h\"\n", true),
        ("[tools.test]\ncache = \"sandboxed\"\nmax-age = 12\n", false),
        ("[tools.x]\nrun = []\n", false),
        ("[tools.x]\nrun = [\"x\"]\nparse = \"lines\"\ncompare = \"golden\"\n", false),
        ("[tools]\nclippy = 1\n", false),
        ("[baseline]\nversions = { clippy = \"0.1.95\" }\n", true),
        ("[baseline]\nversions = { clippy = \"stable\" }\n", false),
        ("[baseline]\nstale = \"ignore\"\n", false),
        ("[baseline]\ntarget = \"\"\n", false),
        ("[[suppress]]\nrule = \"x\"\nreason = \"y\"\nexpires = 2027-01-31\n", true),
        ("[[suppress]]\ntool = \"clippy\"\nreason = \"y\"\npath = \"a/**\"\n", true),
        ("[[suppress]]\nrule = \"x\"\n", false),
        ("[[suppress]]\nreason = \"y\"\n", false),
        ("[[suppress]]\nrule = \"x\"\nreason = \" \"\n", false),
        ("[[suppress]]\nrule = \"x\"\nreason = \"y\"\nexpires = \"soon\"\n", false),
        ("[[suppress]]\nrule = \"x\"\nreason = \"y\"\npath = \"!a\"\n", false),
        ("[suppress]\nrule = \"x\"\nreason = \"y\"\n", false),
    ] {
        both(text, fits);
    }
}

/// The keys are in the first column of the tables.
#[test]
fn the_page_has_exactly_the_accepted_keys() {
    let page = read("docs/configuration.md");
    let row = Regex::new(r"(?m)^\| `([a-z-]+)` \|").unwrap();
    let keys = |heading: &str| -> BTreeSet<String> {
        let (_, rest) =
            page.split_once(&format!("\n## `{heading}`\n")).unwrap_or_else(|| panic!("{heading}"));
        let section = rest.split("\n## ").next().unwrap().split("\n### ").next().unwrap();
        row.captures_iter(section).map(|found| found[1].to_owned()).collect()
    };
    let known = all_known();
    for table in ["[policy]", "[baseline]", "[[suppress]]", "[variants.NAME]", "[tools.NAME]"] {
        assert_eq!(keys(table), known[table], "{table}");
    }
    assert_eq!(known["[profile.NAME.policy]"], known["[policy]"]);
    for table in ["top", "[profile.NAME]", "parse", "compare", "detect"] {
        for key in &known[table] {
            assert!(crate::has_word(&page, key), "{table}: {key}");
        }
    }
    for format in Parse::NAMED {
        assert!(page.contains(&format!("`\"{}\"`", format.as_str())), "{}", format.as_str());
    }
}
