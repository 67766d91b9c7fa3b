//! Generates artifacts and sources that look like those of a real run.

use std::collections::BTreeMap;

use genti::model::commit::Commit;
use genti::model::path::RelPath;
use genti::model::sources::Sources;
use genti::report::{Around, Artifacts, Checkout};
use serde_json::{Value, json};

use crate::body::{BODY, FLAGGED, Flagged};

/// A generated run with its sources and its checkout.
pub(crate) struct Made {
    pub(crate) artifacts: Artifacts,
    pub(crate) sources: Sources,
    pub(crate) checkout: Option<Checkout>,
}

impl Made {
    pub(crate) fn page(&self) -> Vec<u8> {
        let (run, tasks) = self.artifacts.read().unwrap();
        let (sources, checkout) = (self.sources.clone(), self.checkout.clone());
        genti::report::html(&run, &tasks, &Around { sources, checkout, ..Around::default() })
    }
}

/// Parameters of a generated run.
pub(crate) struct Recipe {
    /// Exit code of the run.
    pub(crate) exit: u8,
    pub(crate) findings: usize,
    /// One in this many findings is new.
    pub(crate) new_each: usize,
    pub(crate) files: usize,
    pub(crate) batches: usize,
    pub(crate) with_timing: bool,
    /// Factor by which all steps take longer.
    pub(crate) slowness: u64,
}

const TOOLS: [(&str, &str, Option<&str>, bool); 8] = [
    ("clippy", "clippy 0.1.95 (59807616e1 2026-04-14)", Some("check"), true),
    ("deny", "cargo-deny 0.19.0", None, true),
    ("doc", "rustdoc 1.95.0 (59807616e 2026-04-14)", Some("check"), true),
    ("doctest", "cargo 1.95.0 (f2d3ce0bd 2026-03-21)", Some("build"), true),
    ("fmt", "rustfmt 1.9.0-stable (59807616e1 2026-04-14)", None, true),
    ("test", "cargo 1.95.0 (f2d3ce0bd 2026-03-21)", None, true),
    ("test-build", "cargo 1.95.0 (f2d3ce0bd 2026-03-21)", Some("build"), true),
    ("typos", "typos-cli 1.40.0", None, false),
];

/// Returns a deterministic number that looks random.
fn scrambled(at: usize) -> usize {
    let mixed = (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33) as usize
}

pub(crate) fn make(recipe: &Recipe) -> Made {
    let path = |file: usize| {
        let crates = ["core", "cli", "searcher", "printer", "globset", "ignore", "regex", "matcher"];
        let names = ["lib", "walk", "parser", "tests/unit", "cursor", "sink", "config/mod", "flags/defs"];
        format!("crates/{}/src/{}_{file}.rs", crates[scrambled(file) % 8], names[scrambled(file + 7) % 8])
    };
    let mut findings: Vec<_> =
        (0..recipe.findings).map(|at| finding(recipe, at, &path(at % recipe.files))).collect();
    findings.sort_by_cached_key(|finding| {
        let start = &finding["range"]["start"];
        (finding["path"].to_string(), start["line"].as_u64(), finding["rule"].to_string())
    });
    let gone: Vec<_> = (0..recipe.findings / 100).map(|at| gone(at, &path(at % recipe.files))).collect();
    let status = ["passed", "failed", "", "incomplete"][usize::from(recipe.exit)];
    let end = json!({ "exit": recipe.exit, "status": status });
    let tool = |(name, version, _, required): &(&str, &str, Option<&str>, bool)| {
        let fix =
            ["clippy", "fmt", "typos"].contains(name).then_some(["cargo", "genti", "fix", "--tool", name]);
        let needs: &[&str] = if *name == "test" { &["test-build"] } else { &[] };
        json!({
            "configured": false, "name": name, "namespaces": [name], "needs": needs, "on_demand": false,
            "per": "workspace", "required": required, "version": version,
            "fix": fix,
        })
    };
    let report = json!({
        "as_of": null, "findings": findings, "gate": end, "golden_orphans": [], "gone": gone, "schema": 1,
        "suppressions": suppressions(recipe),
        "tools": TOOLS.map(|(name, _, _, required)| tool_report(name, required, recipe.exit, &findings, &gone)),
    });
    let (batches, tasks) = batches(recipe, &path);
    let run = json!({
        "batch_id": "9f4c".repeat(16), "batch_policy": "auto", "batches": batches, "end": end,
        "graph_hash": "21c0".repeat(16), "max_duration_ms": null, "order_policy": "deterministic",
        "per_task_timeout_ms": 120_000, "schema": 1, "seed": 0,
        "selection": {
            "all_features": false, "cargo_profile": null, "features": ["pcre2"], "no_default_features": false,
            "packages": ["core", "cli", "searcher", "printer"], "since": null, "skip_tools": [], "target": null,
            "tools": [], "whole": true,
        },
        "tools": TOOLS.map(|known| tool(&known)),
    });
    let bytes = |value: &Value| value.to_string().into_bytes();
    let sources =
        (0..recipe.files).map(|file| (RelPath::new(path(file)), source(recipe, file).into_bytes())).collect();
    Made {
        artifacts: Artifacts { run: bytes(&run), report: bytes(&report), tasks: tasks.into_bytes() },
        sources: Sources(sources),
        checkout: Some(checkout("git@github.com:owner/ripgrep.git", "main")),
    }
}

fn checkout(origin: &str, branch: &str) -> Checkout {
    let members = ["cli", "core", "globset", "ignore", "matcher", "printer", "regex", "searcher"];
    let member = |name: &str| (RelPath::new(format!("crates/{name}")), name.to_owned());
    let commit = Commit {
        id: "5f3e9a1c".repeat(5),
        branch: Some(branch.to_owned()),
        changed: vec![RelPath::new(branch)],
    };
    Checkout {
        directory: branch.to_owned(),
        packages: members.map(member).to_vec(),
        origin: Some(origin.to_owned()),
        commit: Some(commit),
    }
}

fn source(recipe: &Recipe, file: usize) -> String {
    let blocks = recipe.findings.div_ceil(recipe.files.max(1)).div_ceil(FLAGGED.len()).max(1);
    // In runs with many files all lines are distinct, as in a real workspace.
    let line = |block: usize, line: &str| match recipe.files {
        100.. => format!("{line} // {file}.{block}\n"),
        _ => format!("{line}\n"),
    };
    (0..blocks).flat_map(|block| BODY.lines().map(move |text| line(block, text))).collect()
}

fn finding(recipe: &Recipe, at: usize, path: &str) -> Value {
    let nth = at / recipe.files;
    let Flagged { tool, rule, level, message, line, text, item, note, new } =
        FLAGGED[(nth + at) % FLAGGED.len()];
    let column = BODY.lines().nth(line - 1).unwrap().find(text).unwrap() + 1;
    let line = line + BODY.lines().count() * (nth / FLAGGED.len());
    let end = json!({ "line": line, "column": column + text.len() });
    let range = json!({ "start": { "line": line, "column": column }, "end": end });
    let state = match at {
        _ if at.is_multiple_of(recipe.new_each) => "new",
        _ if scrambled(at).is_multiple_of(40) => "suppressed",
        _ if scrambled(at) % 40 == 1 => "updated",
        _ => "unchanged",
    };
    let related =
        if note.is_empty() { json!([]) } else { json!([{ "message": note, "path": null, "range": null }]) };
    let fix =
        new.map(|new| json!({ "message": "try", "edits": [{ "path": path, "range": range, "text": new }] }));
    let tools = if rule == "E0599" { json!(["clippy", "doc"]) } else { json!([tool]) };
    json!({
        "code": "words", "fatal": rule == "E0599", "fix": fix, "id": format!("{:016x}", scrambled(at) * 7_919 + at), "level": level,
        "matched_by": null, "message": message, "ns": if tool == "fmt" { "rustfmt" } else { tool },
        "owner": (state == "suppressed").then_some("@printer"), "path": path, "range": range,
        "reason": (state == "suppressed").then_some("generated, until `build.rs` is rewritten"),
        "related": related, "rule": rule, "scope": item, "state": state, "subject": null,
        "tools": tools,
    })
}

fn gone(at: usize, path: &str) -> Value {
    let Flagged { tool, rule, message, item, .. } = FLAGGED[1 + at % 3];
    let state = ["unknown", "fixed", "suppressed"][at % 3];
    json!({
        "code": "words.len()==0", "message": message, "ns": tool, "path": path, "reason": null, "rule": rule,
        "scope": item, "state": state, "subject": null,
    })
}

fn suppressions(recipe: &Recipe) -> Value {
    let suppression = |effect: &str, matched: usize, expires: Option<&str>| {
        json!({
            "effect": effect, "expires": expires, "line": 12, "matched": matched, "message": null, "owner": "@printer",
            "path": "crates/**", "reason": "generated, until `build.rs` is rewritten", "rule": null, "subject": null, "tool": null,
        })
    };
    match recipe.findings {
        0 => json!([]),
        _ => json!([
            suppression("active", 3, None),
            suppression("expired", 2, Some("2026-10-31")),
            suppression("unused", 0, None)
        ]),
    }
}

fn tool_report(name: &str, required: bool, exit: u8, findings: &[Value], gone: &[Value]) -> Value {
    let is_own = |finding: &&Value| finding["tools"][0] == name;
    let count =
        |state: &str| findings.iter().filter(is_own).filter(|finding| finding["state"] == state).count();
    let count_gone =
        |state: &str| gone.iter().filter(|gone| gone["ns"] == name && gone["state"] == state).count();
    let is_open = exit == 3 && name.starts_with("test");
    let verdict = match count("new") {
        _ if is_open => "incomplete",
        0 => "passed",
        _ => "failed",
    };
    let incomplete = if is_open {
        json!([{ "unit": ".", "reason": "could not be built: see the error in crates/core/src/lib_0.rs" }])
    } else {
        json!([])
    };
    json!({
        "fixed": count_gone("fixed"), "incomplete": incomplete, "name": name, "new": count("new"), "required": required,
        "suppressed": count("suppressed"), "unchanged": count("unchanged"), "unknown": count_gone("unknown"),
        "updated": count("updated"), "verdict": verdict,
    })
}

/// Generates a plausible schedule of batches on two slots.
fn batches(recipe: &Recipe, path: &dyn Fn(usize) -> String) -> (Vec<Value>, String) {
    let (mut batches, mut lines) = (Vec::new(), String::new());
    let mut free = [180_000_u64, 180_000];
    let mut lane_free = 180_000_u64;
    let mut built = 0;
    let order = ["clippy", "fmt", "test-build", "typos", "doc", "deny", "test", "doctest"];
    for rank in 0..recipe.batches {
        let (name, _, lane, _) = *TOOLS.iter().find(|tool| tool.0 == order[rank % 8]).unwrap();
        // Tools of cargo have one batch each, and the others have many.
        let (name, lane) = if rank >= 8 && lane.is_some() { ("fmt", None) } else { (name, lane) };
        let millis = match lane {
            Some(_) => 1_800 + scrambled(rank) as u64 % 3_000,
            None => 20 + scrambled(rank) as u64 % 400,
        };
        let duration = millis * 1_000 * recipe.slowness;
        let slot = usize::from(free[1] < free[0]);
        let mut start = free[slot];
        if lane.is_some() {
            start = start.max(lane_free);
        }
        if name == "test" {
            start = start.max(built);
        }
        free[slot] = start + duration;
        if lane.is_some() {
            lane_free = free[slot] + 900;
        }
        if name == "test-build" {
            built = free[slot] + 600;
        }
        let count = if lane.is_some() { 1 } else { 1 + scrambled(rank) % 5 };
        let status = if name == "test" && recipe.exit == 3 {
            ("incomplete", 3)
        } else if recipe.exit > 0 && scrambled(rank).is_multiple_of(3) {
            ("findings", 1)
        } else {
            ("clean", 0)
        };
        let mut line = json!({
            "batch_id": format!("{rank:064x}"), "exit_status": status.1, "kind": "batch", "rank": rank, "status": status.0,
            "task_count": count,
        });
        let timing = json!({
            "attempts": 1, "duration_us": duration, "parallel": 2, "raw_exit": status.1, "slot": slot, "start_us": start,
        });
        if recipe.with_timing {
            line["timing"] = timing.clone();
        }
        lines.push_str(&format!("{line}\n"));
        for task in 0..count {
            let unit = if lane.is_some() { ".".to_owned() } else { path((rank + task) % recipe.files) };
            let mut line = json!({
                "batch_id": format!("{rank:064x}"), "exit_status": status.1, "kind": "task", "reason": null,
                "stages": { "normalize": "ok", "scan": "ok" }, "status": status.0, "task_id": format!("{task:064x}"),
                "tool": name, "unit": unit,
            });
            if recipe.with_timing {
                line["timing"] = timing.clone();
            }
            lines.push_str(&format!("{line}\n"));
        }
        let step = json!({ "lane": lane, "task_count": count, "tasks": "0".repeat(64), "tool": name });
        batches.push(json!({ "batch_id": format!("{rank:064x}"), "class": 0, "rank": rank, "risk": null, "steps": [step] }));
    }
    lines.push_str(&format!(
        "{}\n",
        json!({ "exit_status": recipe.exit, "kind": "report", "status": "", "task_id": "0".repeat(64) })
    ));
    (batches, lines)
}

/// Generates a run in which every text is hostile.
pub(crate) fn hostile() -> Made {
    let recipe =
        Recipe { exit: 1, findings: 24, new_each: 2, files: 3, batches: 12, with_timing: true, slowness: 1 };
    let Made { artifacts, .. } = make(&recipe);
    let spoil = |bytes: &[u8]| {
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let lines = lines.map(|line| {
            let mut value: Value = serde_json::from_slice(line).unwrap();
            spoil(&mut value, "");
            format!("{value}\n")
        });
        lines.collect::<String>().into_bytes()
    };
    let artifacts = Artifacts {
        run: spoil(&artifacts.run),
        report: spoil(&artifacts.report),
        tasks: spoil(&artifacts.tasks),
    };
    let path = RelPath::unescape(&spoiled("path", "crates/core"));
    let text = format!("// {HOSTILE}\n").repeat(60);
    let origin = format!("https://github.com/owner/{HOSTILE}");
    let checkout = Some(checkout(&origin, HOSTILE));
    Made { artifacts, sources: Sources(BTreeMap::from([(path, text.into_bytes())])), checkout }
}

/// Text that would run a script, add an element or reverse text if it were treated as more than text.
pub(crate) const HOSTILE: &str = concat!(
    "</script><script>alert(1)</script><img src=x onerror=alert(2)><svg/onload=alert(3)>",
    "\"'><a href=javascript:alert(4) id=injected>x</a><style>*{display:none}</style><!-- -->{{data}}{{script}}",
    "${alert(5)}`${alert(6)}`\u{2028}\u{2029}\u{202e}\u{2066}\u{0}\u{1b}[31m\r\u{85}\u{feff}&lt;b&gt;\\u003cscript>",
    " javascript:alert(7) https://example.invalid/\"onmouseover=alert(8) __proto__ constructor ]]> --> *//* </style>"
);

fn spoiled(key: &str, text: &str) -> String {
    // Equal texts stay equal, and different ones stay different.
    let _ = key;
    format!("{}{HOSTILE}", text.chars().take(11).collect::<String>())
}

fn spoil(value: &mut Value, key: &str) {
    // Fields that must keep their values: enums, and the ids that connect lines.
    let words = ["kind", "level", "state", "verdict", "effect", "batch_id", "status", "normalize", "scan"];
    match value {
        Value::String(text) if !words.contains(&key) => *text = spoiled(key, text),
        Value::Array(values) => values.iter_mut().for_each(|value| spoil(value, key)),
        Value::Object(fields) => fields.iter_mut().for_each(|(key, value)| spoil(value, &key.clone())),
        _ => {}
    }
}
