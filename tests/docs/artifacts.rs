//! Tests that the tables in the page about artifacts are generated from the schemas.

use serde_json::Value;

use crate::{generated, read};

/// Types of many fields, which have a table of their own.
const TYPES: [&str; 4] = ["digest", "id", "path", "range"];

#[test]
fn the_tables_match_the_schemas() {
    let tables = generated::check("docs/artifacts.md", table);
    assert_eq!(tables, ["run", "report", "task", "plan", "report:range", "report:position"]);
}

/// Returns the table of a schema such as `run`, or of a type such as `report:range`.
fn table(of: &str) -> String {
    let (name, definition) = of.split_once(':').unwrap_or((of, ""));
    let schema: Value = serde_json::from_str(&read(format!("docs/schemas/{name}.schema.json"))).unwrap();
    let mut rows = Vec::new();
    match (definition, schema["oneOf"].as_array()) {
        ("", None) => push(&schema, &schema, "", &mut rows),
        ("", Some(lines)) => {
            for line in lines {
                let kind = line["properties"]["kind"]["const"].as_str().unwrap();
                rows.push(format!("| **`{kind}`** | | {} |", line["description"].as_str().unwrap()));
                push(&schema, line, "", &mut rows);
            }
        }
        (definition, _) => push(&schema, &schema["$defs"][definition], "", &mut rows),
    }
    format!("| field | type | |\n| --- | --- | --- |\n{}\n", rows.join("\n"))
}

/// Adds rows for the fields of `object`, each followed by its nested fields.
fn push(schema: &Value, object: &Value, above: &str, rows: &mut Vec<String>) {
    let required = object["required"].as_array().unwrap();
    for (key, field) in object["properties"].as_object().unwrap() {
        let path = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        let optional = if required.iter().any(|name| name == key) { "" } else { ", optional" };
        let said = field["description"].as_str().unwrap_or_else(|| panic!("{path} has no description"));
        let kind = kind(schema, field);
        let words = words(schema, field);
        rows.push(format!("| `{path}` | {kind}{optional} | {said}{words} |"));
        let (below, path) = below(schema, field, path);
        if let Some(below) = below {
            push(schema, below, &path, rows);
        }
    }
}

/// Returns the schema of a field, and the name of its type if that has a table of its own.
fn resolve<'a>(schema: &'a Value, field: &'a Value) -> (&'a Value, Option<&'a str>) {
    let one_of = field["oneOf"].as_array();
    let field = one_of.filter(|_| field.get("type").is_none()).map_or(field, |choices| &choices[0]);
    let Some(name) = field["$ref"].as_str().map(|name| name.trim_start_matches("#/$defs/")) else {
        return (field, None);
    };
    (&schema["$defs"][name], Some(name).filter(|name| TYPES.contains(name)))
}

/// Returns the object that `field` consists of, or that is an item of its list.
fn below<'a>(schema: &'a Value, field: &'a Value, path: String) -> (Option<&'a Value>, String) {
    match resolve(schema, field) {
        (_, Some(_)) => (None, path),
        (value, None) if value.get("items").is_some() => below(schema, &value["items"], path + "[]"),
        (value, None) => (value.get("properties").map(|_| value), path),
    }
}

fn kind(schema: &Value, field: &Value) -> String {
    let (value, name) = resolve(schema, field);
    let types = match &value["type"] {
        Value::Array(types) => types.iter().map(|name| name.as_str().unwrap()).collect(),
        Value::String(name) => vec![name.as_str()],
        _ => vec![if value["const"].is_string() { "string" } else { "integer" }],
    };
    let own = match name {
        Some(name) => format!("[{name}](#types)"),
        None if types[0] == "array" => format!("list of {}s", kind(schema, &value["items"])),
        None => types[0].to_owned(),
    };
    let or_null =
        types.contains(&"null") || field["oneOf"].as_array().is_some_and(|choices| choices.len() == 2);
    if or_null { format!("{own} or null") } else { own }
}

/// Returns the values of an enum.
fn words(schema: &Value, field: &Value) -> String {
    let (value, _) = resolve(schema, field);
    let words = value["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let words: Vec<_> = words.chain(value["const"].as_str()).map(|word| format!("`{word}`")).collect();
    if words.is_empty() { String::new() } else { format!(" {}", words.join(", ")) }
}
