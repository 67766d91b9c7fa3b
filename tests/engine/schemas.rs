//! Tests that the schemas of the artifacts accept all artifacts and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use genti::model::blind_spot::BlindSpotKind;
use genti::model::finding::{Level, State};
use genti::model::outcome::{Cache, Effect, End, Verdict};
use genti::model::ratchet::NumberState;
use genti::model::task::Status;
use genti::report::finished::Ended;
use serde_json::{Value, json};

use crate::support::Sandbox;
use crate::support::schema::{SCHEMAS, fits, read, schema, schema_of};

/// Returns the artifacts and plans of a run with results of many kinds.
fn rich() -> BTreeMap<&'static str, Vec<Value>> {
    let suppress = "[[suppress]]\nrule = \"words\"\npath = \"b/**\"\nmessage = \"three\"\nreason = \"known\"\nowner = \"jo\"\nexpires = 2030-01-31\n\
                    [[suppress]]\ntool = \"words\"\nsubject = \"nothing\"\nreason = \"never there\"\n";
    let tools = "[tools.lint]\nrun = [\"cat\", \"lint.jsonl\"]\nparse = \"rustc-json\"\n\
                 [tools.diff]\nrun = [\"cat\", \"lint.diff\"]\nparse = \"rustfmt\"\nlane = \"check\"\nrequired = false\n\
                 [tools.count]\nrun = [\"sh\", \"-c\", \"exit 1\"]\nversion = [\"echo\", \"count 1\"]\n\
                 [tools.gone]\nrun = [\"no-such-program\"]\n\
                 [tools.unit]\nrun = [\"cat\", \"unit.out\"]\nparse = \"libtest\"\n\
                 [tools.size]\nrun = [\"cat\", \"numbers.txt\"]\ninputs = [\"numbers.txt\"]\n\
                 parse = { number = 'size (?<value>.+)', name = \"size\", better = \"lower\", tolerance = \"1\", unit = \"B\" }\n";
    let sandbox = Sandbox::with_words(&format!("{suppress}{tools}"));
    for file in ["lint.jsonl", "lint.diff"] {
        let path = format!("{}/tests/cmd/own-tools.in/{file}", env!("CARGO_MANIFEST_DIR"));
        sandbox.write(file, &std::fs::read_to_string(path).unwrap());
    }
    sandbox.write("other/Cargo.toml", "");
    sandbox.write("numbers.txt", "size 81.20\n");
    let counts = "1 passed; 0 failed; 1 ignored; 0 measured; 1 filtered out";
    sandbox.write("unit.out", &format!("running 2 tests\n\ntest result: ok. {counts}\n"));
    sandbox.run(&["baseline", "accept", "--tool", "words", "--reason", "for now", "--path", "a.txt"], 0);
    sandbox.write("a.txt", "bad one\nfine\n");
    sandbox.write(".config/genti/golden/orphan.out", "nobody\n");
    sandbox.commit_all();
    let caps = ["--per-task-timeout", "2m", "--max-duration", "20m"];
    let policy = ["--order", "risk-first", "--batch", "2", "--as-of", "2026-01-01"];
    sandbox.run(&[&["run"], &caps[..], &policy].concat(), 3);
    let mut all: BTreeMap<_, _> = ["run.json", "report.json"]
        .into_iter()
        .map(|name| (schema_of(name), vec![sandbox.json(name)]))
        .collect();
    let lines = ["batch", "task", "compare", "report"].into_iter().flat_map(|kind| sandbox.lines(kind));
    all.insert("task", lines.collect());
    let plan = sandbox.command(&["plan", "--format", "json", "--order", "risk-first", "--since", "HEAD"]);
    let plan = { plan }.output().unwrap();
    let whole = sandbox.command(&["plan", "--format", "json", "--order", "risk-first"]).output().unwrap();
    all.insert("plan", vec![read(&plan.stdout), read(&whole.stdout)]);
    all
}

#[test]
fn the_artifacts_of_a_run_match_the_schemas() {
    for (name, values) in rich() {
        values.iter().for_each(|value| fits(name, value));
    }
}

/// No field exists only on paper: each one appears in a real file.
#[test]
fn every_field_of_a_schema_appears_in_a_file() {
    // Fields that these tools don't have. Other tests cover them, whose artifacts are checked against the schemas
    // too.
    let generated = ["bytes", "checked_in", "digest", "files", "inputs", "package", "units"];
    let census = ["by_package", "by_target", "crates", "database_date", "packages", "target", "targets"];
    let tests = ["failed", "failed_us", "ignored", "passed", "passed_us", "tests"];
    let variants = [
        "depth",
        "env",
        "in_variants",
        "lock",
        "name",
        "on",
        "powerset",
        "seen_in",
        "skip",
        "toolchain",
        "variant",
        "variants",
        "workspace",
    ];
    let against = ["against", "cause", "commit", "graph_hash", "kind", "more", "reference"];
    let new_lints = ["new_lints", "rules", "until"];
    let rare: BTreeSet<_> = generated
        .into_iter()
        .chain(new_lints)
        .chain(census)
        .chain(tests)
        .chain(variants)
        .chain(against)
        .chain([
            "action",
            "database",
            "disputed",
            "filters",
            "fix",
            "item",
            "leaky",
            "migration",
            "notices",
            "test",
            "unseen",
        ])
        .chain(["count", "index", "partition", "shard"])
        .collect();
    for (name, values) in rich() {
        let mut seen = BTreeSet::new();
        values.iter().for_each(|value| keys(value, &mut seen));
        let mut known = BTreeSet::new();
        properties(&schema(name), &mut known);
        let never: Vec<_> = known.difference(&seen).filter(|key| !rare.contains(key.as_str())).collect();
        assert!(never.is_empty(), "{name}: {never:?}");
        let unknown: Vec<_> = seen.difference(&known).collect();
        assert!(unknown.is_empty(), "{name}: {unknown:?}");
    }
}

fn keys(value: &Value, seen: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| {
            seen.insert(key.clone());
            keys(value, seen);
        }),
        Value::Array(items) => items.iter().for_each(|item| keys(item, seen)),
        _ => {}
    }
}

fn properties(schema: &Value, known: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| match value {
            Value::Object(properties) if key == "properties" => {
                known.extend(properties.keys().cloned());
                properties.values().for_each(|value| self::properties(value, known));
            }
            _ => properties(value, known),
        }),
        Value::Array(items) => items.iter().for_each(|item| properties(item, known)),
        _ => {}
    }
}

/// Uses the committed schemas instead of the closed ones, because consumers have these.
#[test]
fn missing_fields_and_wrong_types_are_refused() {
    for (name, values) in rich() {
        let validator = jsonschema::validator_for(&schema(name)).unwrap();
        let census = ["files", "filtered_out", "ignored", "skipped", "tests"];
        let optional: BTreeSet<_> = census.into_iter().chain(["database", "fix", "timing", "risk"]).collect();
        let mut count = 0;
        for value in &values {
            let mut added = value.clone();
            added["added some day"] = json!(1);
            assert!(validator.is_valid(&added), "{name} is closed to what is added");
            // No field of a census is reported by every tool.
            for pointer in pointers(value).into_iter().filter(|pointer| !pointer.ends_with("/census")) {
                let mut wrong = value.clone();
                // No value of any artifact has this form.
                *wrong.pointer_mut(&pointer).unwrap() = json!({ "wrong": [-7] });
                assert!(!validator.is_valid(&wrong), "{name}: {pointer} may be anything");
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                if let Some(fields) = wrong.pointer_mut(parent).unwrap().as_object_mut() {
                    fields.remove(key);
                    let may_lack = optional.contains(key) && validator.is_valid(&wrong);
                    assert!(may_lack || !validator.is_valid(&wrong), "{name}: {pointer} may be missing");
                }
                count += 1;
            }
        }
        assert!(count > 50, "{name}: {count}");
    }
}

/// Returns all values inside of it.
fn pointers(value: &Value) -> Vec<String> {
    let children: Vec<_> = match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    let below = |(key, value): (String, &Value)| {
        let own = format!("/{key}");
        let deeper: Vec<_> = pointers(value).into_iter().map(|pointer| format!("{own}{pointer}")).collect();
        std::iter::once(own).chain(deeper)
    };
    children.into_iter().flat_map(below).collect()
}

#[test]
fn impossible_values_are_refused() {
    let all = rich();
    for (name, pointer, wrong) in [
        ("run", "/graph_hash", json!("0486c2d3")),
        ("run", "/order_policy", json!("alphabetic")),
        ("run", "/batch_policy", json!("0")),
        ("run", "/seed", json!(-1)),
        ("run", "/seed", json!(0.5)),
        ("run", "/schema", json!(2)),
        ("run", "/end/status", json!("fine")),
        ("report", "/findings/0/state", json!("fixed")),
        ("report", "/findings/0/level", json!("help")),
        ("report", "/findings/0/id", json!("x")),
        ("report", "/findings/0/subject", json!("beside a path")),
        ("report", "/findings/0/path", json!("/absolute")),
        ("report", "/findings/0/range/start/line", json!(0)),
        ("task", "/status", json!("done")),
        ("task", "/kind", json!("step")),
        ("plan", "/batches/0/steps/0/tasks", json!([])),
    ] {
        let value = all[name].iter().find(|value| value.pointer(pointer).is_some());
        let mut value = value.unwrap_or_else(|| panic!("{name}: {pointer}")).clone();
        assert!(SCHEMAS[name].is_valid(&value));
        *value.pointer_mut(pointer).unwrap() = wrong;
        assert!(!SCHEMAS[name].is_valid(&value), "{name}: {pointer}");
    }
}

/// These lists are complete as long as they compile.
#[test]
fn every_enum_value_is_in_the_schemas() {
    let text = |name: &str, pointer: &str| {
        let list = schema(name).pointer(pointer).unwrap_or_else(|| panic!("{name}: {pointer}")).clone();
        serde_json::from_value::<BTreeSet<String>>(list).unwrap()
    };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>();
    let ends = [End::Passed, End::Failed, End::Incomplete, End::Interrupted(2)];
    for end in ends {
        match end {
            End::Passed | End::Failed | End::Incomplete | End::Interrupted(_) => {}
        }
    }
    // The schemas also allow results of the command that no artifact records, because nothing is removed from a schema.
    let of_command = ["bug", "not-written", "usage"].map(str::to_owned);
    let ends: BTreeSet<_> = ends.map(|end| Ended::of(end).status).into_iter().chain(of_command).collect();
    assert_eq!(text("run", "/properties/end/properties/status/enum"), ends);
    assert_eq!(text("report", "/properties/gate/properties/status/enum"), ends);
    assert_eq!(text("task", "/oneOf/3/properties/status/enum"), ends);

    let why = String::new;
    let statuses = [
        Status::Clean,
        Status::Findings,
        Status::Skipped(why()),
        Status::Incomplete(why()),
        Status::Missing(why()),
        Status::TimedOut(why()),
        Status::Leaky,
        Status::Crashed(why()),
        Status::Unparsable(why()),
        Status::InputChanged(why()),
        Status::NotRun(why()),
    ];
    for status in &statuses {
        match status {
            Status::Clean
            | Status::Findings
            | Status::Skipped(_)
            | Status::Incomplete(_)
            | Status::Missing(_) => {}
            Status::TimedOut(_) | Status::Leaky | Status::Crashed(_) | Status::Unparsable(_) => {}
            Status::InputChanged(_) | Status::NotRun(_) => {}
        }
    }
    let statuses: Vec<_> = statuses.iter().map(Status::as_str).collect();
    assert_eq!(text("task", "/$defs/status/enum"), words(&statuses));

    let verdicts = [Verdict::Passed, Verdict::Failed, Verdict::Incomplete, Verdict::Missing, Verdict::Empty];
    for verdict in verdicts {
        match verdict {
            Verdict::Passed | Verdict::Failed | Verdict::Incomplete => {}
            Verdict::Missing | Verdict::Empty => {}
        }
    }
    let verdicts = words(&verdicts.map(Verdict::as_str));
    assert_eq!(text("report", "/properties/tools/items/properties/verdict/enum"), verdicts);
    assert_eq!(text("task", "/oneOf/2/properties/status/enum"), verdicts);

    let caches = [Cache::Hit, Cache::Miss];
    for cache in caches {
        match cache {
            Cache::Hit | Cache::Miss => {}
        }
    }
    assert_eq!(text("task", "/$defs/timing/properties/cache/enum"), words(&caches.map(Cache::as_str)));

    for state in NumberState::ALL {
        match state {
            NumberState::New | NumberState::Unchanged | NumberState::Better => {}
        }
    }
    let list = schema("report").pointer("/properties/numbers/items/properties/state/enum").unwrap().clone();
    let list: BTreeSet<Option<String>> = serde_json::from_value(list).unwrap();
    let of_numbers = words(&NumberState::ALL.map(NumberState::as_str)).into_iter().map(Some);
    assert_eq!(list, of_numbers.chain([None]).collect());

    for kind in BlindSpotKind::ALL {
        match kind {
            BlindSpotKind::UnseenFile | BlindSpotKind::UnformattedFile | BlindSpotKind::UntestedTarget => {}
            BlindSpotKind::UnusedFeature | BlindSpotKind::UnseenPackage | BlindSpotKind::LeftOut => {}
            BlindSpotKind::OtherWorkspace => {}
            BlindSpotKind::UncompiledTarget | BlindSpotKind::UndocumentedTarget => {}
        }
    }
    let kinds = words(&BlindSpotKind::ALL.map(BlindSpotKind::as_str));
    assert_eq!(text("report", "/properties/blind_spots/items/properties/kind/enum"), kinds);

    let effects = [Effect::Active, Effect::Expired, Effect::Unused];
    for effect in effects {
        match effect {
            Effect::Active | Effect::Expired | Effect::Unused => {}
        }
    }
    let effects = words(&effects.map(Effect::as_str));
    assert_eq!(text("report", "/properties/suppressions/items/properties/effect/enum"), effects);

    let levels = [Level::Error, Level::Warning, Level::Note];
    for level in levels {
        match level {
            Level::Error | Level::Warning | Level::Note => {}
        }
    }
    assert_eq!(text("report", "/$defs/finding/properties/level/enum"), words(&levels.map(Level::as_str)));

    let states = [
        State::New,
        State::Unchanged,
        State::Updated,
        State::Fixed,
        State::Unknown,
        State::Suppressed,
        State::Noted,
    ];
    for state in states {
        match state {
            State::New | State::Unchanged | State::Updated => {}
            State::Fixed | State::Unknown | State::Suppressed | State::Noted => {}
        }
    }
    let of_findings = text("report", "/$defs/finding/properties/state/enum");
    let of_gone = text("report", "/properties/gone/items/properties/state/enum");
    assert_eq!(&of_findings | &of_gone, words(&states.map(State::as_str)));
}
