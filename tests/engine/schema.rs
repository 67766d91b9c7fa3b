//! Validates artifacts: every artifact read by any of these tests is checked against its schema.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

/// Strict schemas by the name of the artifact, without additional fields.
pub(crate) static SCHEMAS: LazyLock<BTreeMap<&str, Validator>> = LazyLock::new(|| {
    ["run", "report", "task", "plan"]
        .into_iter()
        .map(|name| {
            let mut schema = schema(name);
            assert!(jsonschema::meta::is_valid(&schema), "{name}");
            close(&mut schema);
            (name, jsonschema::validator_for(&schema).unwrap())
        })
        .collect()
});

/// The committed schemas, which allow fields to be added in the future.
pub(crate) fn schema(name: &str) -> Value {
    let path = format!("{}/docs/schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Disallows additional fields, to find fields missing in the schema.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(close);
            if fields.get("type") == Some(&json!("object")) {
                fields.entry("additionalProperties").or_insert(json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// Panics unless the artifact with this file name matches its schema.
#[track_caller]
pub(crate) fn check(name: &str, bytes: &[u8]) {
    let values: Vec<Value> = match name {
        "tasks.jsonl" => {
            bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(read).collect()
        }
        _ => vec![read(bytes)],
    };
    for value in values {
        fits(schema_of(name), &value);
    }
}

pub(crate) fn schema_of(artifact: &str) -> &str {
    if artifact == "tasks.jsonl" { "task" } else { artifact.trim_end_matches(".json") }
}

pub(crate) fn read(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}

#[track_caller]
pub(crate) fn fits(name: &str, value: &Value) {
    let mistakes: Vec<_> =
        SCHEMAS[name].iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(
        mistakes.is_empty(),
        "docs/schemas/{name}.schema.json does not know this:\n{}\n{value:#}",
        mistakes.join("\n")
    );
}
