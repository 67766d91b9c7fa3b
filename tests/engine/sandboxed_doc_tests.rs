//! Doc tests whose results are cached, crate by crate, because rustdoc ran in a sandbox and was observed.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use fs4::FileExt;
use genti::scan::Kernel;

use crate::support::{Sandbox, disabled, is_full, scrub};

/// The crates, by name, each with its dependencies and its source.
const CRATES: [(&str, &str, &str); 6] = [
    (
        "base",
        "",
        "//! ```\n//! assert_eq!(base::two(), 2);\n//! ```\npub fn two() -> u32 {\n    2\n}\npub fn only(_: u8) {}\n",
    ),
    (
        "user",
        "base",
        "//! ```\n//! assert_eq!(user::four(), 4);\n//! ```\npub fn four() -> u32 {\n    base::two() * 2\n}\n",
    ),
    (
        "refused",
        "DEV",
        "//! ```compile_fail\n//! base::only(\"text\");\n//! ```\n//! ```no_run\n//! base::only(1);\n//! ```\n",
    ),
    ("page", "", "#![doc = include_str!(\"../../data/page.md\")]\n"),
    (
        "included",
        "",
        "//! ```\n//! let text = include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/../data/included\"));\n\
         //! assert_eq!(text, \"good\");\n//! ```\n",
    ),
    (
        "reader",
        "",
        "//! ```\n//! assert_eq!(std::fs::read_to_string(\"../data/read\").unwrap(), \"good\");\n\
         //! assert!(!std::path::Path::new(\"../data/absent\").exists());\n\
         //! assert!(std::env::var(\"APP_MODE\").as_deref() != Ok(\"bad\"));\n//! ```\n",
    ),
];

/// Returns a workspace with these crates; nothing, and prints the reason, if this kernel can't observe. A dependency named `DEV`
/// is a development dependency on `base`.
fn with_crates(crates: &[(&str, &str, &str)]) -> Option<Sandbox> {
    if let Err(why) = Kernel::probe().observer() {
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("skipped: {why}\n"));
        return None;
    }
    let sandbox = Sandbox::with_tools("");
    std::fs::remove_dir_all(sandbox.root()).unwrap();
    let tools = disabled(&["fmt", "clippy", "doc", "test"]);
    sandbox.write("genti.toml", &format!("{tools}[tools.doctest]\ncache = 'sandboxed'\n"));
    let members: Vec<_> = crates.iter().map(|(name, ..)| *name).collect();
    let manifest = "resolver = '3'\n\n[profile.dev]\ndebug = false\n";
    sandbox.write("Cargo.toml", &format!("[workspace]\nmembers = {members:?}\n{manifest}"));
    for (name, dependency, source) in crates {
        let dependencies = match *dependency {
            "" => String::new(),
            "DEV" => "[dev-dependencies]\nbase.path = '../base'\n".to_owned(),
            other => format!("[dependencies]\n{other}.path = '../{other}'\n"),
        };
        let package = format!("[package]\nname = '{name}'\nversion = '0.0.0'\nedition = '2024'\n");
        sandbox.write(&format!("{name}/Cargo.toml"), &format!("{package}{dependencies}"));
        sandbox.write(&format!("{name}/src/lib.rs"), source);
    }
    sandbox.write(".gitignore", "target\n");
    sandbox.write("data/page.md", "```\nassert_eq!(1 + 1, 2);\n```\n");
    sandbox.write("data/included", "good");
    sandbox.write("data/read", "good");
    sandbox.commit_all();
    Some(sandbox)
}

/// Returns the names of the crates whose doc tests ran.
fn ran(sandbox: &Sandbox) -> BTreeSet<String> {
    let text = std::fs::read(sandbox.root().join("target/genti/explain.json")).unwrap();
    let reasons: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let tools = reasons["tools"].as_array().unwrap();
    let doctest = tools.iter().find(|tool| tool["tool"] == "doctest").unwrap();
    let name = |task: &serde_json::Value| task["unit"].as_str().unwrap().to_owned();
    doctest["ran"].as_array().unwrap().iter().map(name).collect()
}

/// Runs with these variables, and checks the exit code and the crates whose doc tests ran.
#[track_caller]
fn check_with(sandbox: &Sandbox, what: &str, vars: &[(&str, &str)], code: i32, expected: &[&str]) -> String {
    let mut command = sandbox.command(&["run"]);
    let text = sandbox.expect(&command.envs(vars.iter().copied()).output().unwrap(), code);
    let expected: BTreeSet<_> = expected.iter().map(|name| (*name).to_owned()).collect();
    let explained = sandbox.run(&["explain", "doctest"], 0);
    assert_eq!(ran(sandbox), expected, "{what}: {text}\n{explained}");
    text
}

#[track_caller]
fn check(sandbox: &Sandbox, what: &str, code: i32, expected: &[&str]) -> String {
    check_with(sandbox, what, &[], code, expected)
}

/// Returns the status of the task and whether it was cached.
fn task(sandbox: &Sandbox) -> (String, String) {
    let line = sandbox.lines("task").into_iter().find(|line| line["tool"] == "doctest").unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    (text(&line["status"]), text(&line["timing"]["cache"]))
}

#[test]
fn doc_tests_run_again_exactly_where_something_that_decides_about_them_has_changed() {
    let Some(sandbox) = with_crates(&CRATES) else { return };
    let all = CRATES.map(|(name, ..)| name);
    check(&sandbox, "first run", 0, &all);
    assert_eq!(task(&sandbox), ("clean".into(), "miss".into()));
    let report = |sandbox: &Sandbox| sandbox.artifact("report.json");
    let before = report(&sandbox);
    check(&sandbox, "nothing", 0, &[]);
    assert_eq!(task(&sandbox), ("clean".into(), "hit".into()));
    assert_eq!(report(&sandbox), before, "each test is still counted");
    assert!(sandbox.run(&["explain", "doctest"], 0).contains("doctest: 6 tasks cached, none ran"));

    sandbox.edit("user/src/lib.rs", "four(), 4", "four(), 2 + 2");
    check(&sandbox, "a doc test", 0, &["user"]);
    sandbox.edit("base/src/lib.rs", "    2\n", "    1 + 1\n");
    check(&sandbox, "a dependency", 0, &["base", "refused", "user"]);
    sandbox.edit("base/src/lib.rs", "    1 + 1\n", "    3\n");
    check(&sandbox, "a dependency that breaks them", 1, &["base", "refused", "user"]);
    assert_eq!(task(&sandbox).1, "miss");
    check(&sandbox, "failures are not cached, and a pass beside them is", 1, &["base", "user"]);
    sandbox.edit("base/src/lib.rs", "    3\n", "    1 + 1\n");
    check(&sandbox, "back again", 0, &[]);
    sandbox.edit("base/src/lib.rs", "only(_: u8)", "only(_: &str)");
    check(&sandbox, "a dependency for which it was an error", 1, &["base", "refused", "user"]);
    sandbox.edit("base/src/lib.rs", "only(_: &str)", "only(_: u8)");
    check(&sandbox, "back again", 0, &[]);

    sandbox.write("data/page.md", "```\nassert_eq!(1 + 1, 3);\n```\n");
    check(&sandbox, "an included page", 1, &["page"]);
    sandbox.write("data/page.md", "```\nassert_eq!(1 + 2, 3);\n```\n");
    check(&sandbox, "another one", 0, &["page"]);
    sandbox.write("data/included", "bad");
    check(&sandbox, "a file that a doc test includes", 1, &["included"]);
    sandbox.write("data/included", "good");
    sandbox.write("data/read", "bad");
    check(&sandbox, "a file that a doc test reads", 1, &["reader"]);
    sandbox.write("data/read", "good");
    sandbox.write("data/absent", "");
    check(&sandbox, "a file that was looked for in vain", 1, &["reader"]);
    std::fs::remove_file(sandbox.root().join("data/absent")).unwrap();
    check(&sandbox, "back again", 0, &[]);
    std::fs::remove_file(sandbox.root().join("data/included")).unwrap();
    sandbox.write("data/other", "bad");
    symlink("other", sandbox.root().join("data/included")).unwrap();
    check(&sandbox, "a link", 1, &["included"]);
    sandbox.write("data/other", "good");
    check(&sandbox, "the target of a link", 0, &["included"]);
    // It can't be known which of them a variable affects.
    check_with(&sandbox, "a variable", &[("APP_MODE", "bad")], 1, &all);
    check_with(&sandbox, "without it", &[], 0, &[]);
    check_with(&sandbox, "flags", &[("RUSTDOCFLAGS", "--cfg=own")], 0, &all);
    // Only the wrapper differs.
    sandbox.run(&["verify"], 0);
}

#[test]
fn doc_tests_count_the_native_libraries_that_a_build_script_makes() {
    let linked = "//! ```\n//! assert_eq!(linked::two(), 2);\n//! ```\npub fn two() -> u32 {\n    2\n}\n";
    let Some(sandbox) =
        with_crates(&[("linked", "", linked), ("user", "linked", "//! ```\n//! linked::two();\n//! ```\n")])
    else {
        return;
    };
    // Rustc looks at the names in this directory, and at no file.
    let script = "fn main() {\n    println!(\"cargo::rerun-if-changed=names\");\n    let dir = std::env::var(\"OUT_DIR\").unwrap();\n\
                  for name in std::fs::read_to_string(\"names\").unwrap().lines() {\n        \
                  std::fs::write(format!(\"{dir}/{name}\"), \"\").unwrap();\n    }\n    \
                  println!(\"cargo::rustc-link-search=native={dir}\");\n}\n";
    sandbox.write("linked/build.rs", script);
    sandbox.write("linked/names", "a.txt\n");
    sandbox.commit_all();
    check(&sandbox, "first run", 0, &["linked", "user"]);
    check(&sandbox, "nothing", 0, &[]);
    sandbox.write("linked/names", "a.txt\nb.txt\n");
    let text = sandbox.run(&["run"], 0);
    assert!(ran(&sandbox).contains("user"), "{text}");
    check(&sandbox, "nothing", 0, &[]);
}

#[test]
fn doc_tests_that_a_sandbox_restricts_run_without_it_and_are_not_cached() {
    let outside =
        "//! ```\n//! assert_eq!(std::fs::read_to_string(\"../../outside\").unwrap(), \"good\");\n//! ```\n";
    let silent = "//! ```\n//! assert!(std::fs::read_to_string(\"../../outside\").map_or(true, |text| text != \"bad\"));\n//! ```\n";
    let lists = "//! ```\n//! let deps = std::env::current_exe().unwrap();\n//! drop(deps);\n\
                 //! let dir = \"../target/genti/build/debug/deps\";\n\
                 //! assert!(!std::fs::read_dir(dir).unwrap().any(|entry| entry.unwrap().file_name() == \"bad\"));\n//! ```\n";
    let job = "//! ```\n//! assert!(std::env::var(\"GITHUB_RUN_ID\").as_deref() != Ok(\"bad\"));\n//! ```\n";
    let runs = "//! ```\n//! assert!(std::process::Command::new(\"git\").args([\"rev-parse\", \"main\"]).output().unwrap().status.success());\n//! ```\n";
    let writes = "//! ```\n//! std::fs::write(\"../data/written\", \"\").unwrap();\n//! ```\n";
    let socket = "//! ```\n//! drop(std::os::unix::net::UnixStream::connect(\"../data/socket\"));\n//! ```\n";
    let crates = [
        ("base", "", "//! ```\n//! ```\n"),
        ("gits", "", runs),
        ("job", "", job),
        ("lists", "", lists),
        ("outside", "", outside),
        ("silent", "", silent),
        ("socket", "", socket),
        ("writes", "", writes),
    ];
    let Some(sandbox) = with_crates(&crates) else { return };
    sandbox.write("../outside", "good");
    let _listener = std::os::unix::net::UnixListener::bind(sandbox.root().join("data/socket")).unwrap();
    let never = ["gits", "lists", "outside", "silent", "socket", "writes"];
    let all = crates.map(|(name, ..)| name);
    check(&sandbox, "first run", 0, &all);
    let text = sandbox.run(&["explain", "doctest"], 0);
    for (name, why) in [
        ("gits", "it looks at `"),
        ("lists", "it looks at the build output `"),
        ("outside", "its sandbox denies something: it looks at `"),
        ("writes", "its sandbox denies something: it changes `"),
    ] {
        let line = text.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_default();
        assert!(line.contains("not cached: ") && line.contains(why), "{name}: {text}");
    }
    check(&sandbox, "nothing", 0, &never);
    sandbox.write("../outside", "bad");
    let text = check(&sandbox, "a file outside", 1, &never);
    assert!(text.contains("outside/src/lib.rs") && text.contains("silent/src/lib.rs"), "{text}");
    sandbox.write("../outside", "good");
    sandbox.write("target/genti/build/debug/deps/bad", "");
    let text = check(&sandbox, "an entry of the build output", 1, &never);
    assert!(text.contains("lists/src/lib.rs"), "{text}");
    std::fs::remove_file(sandbox.root().join("target/genti/build/debug/deps/bad")).unwrap();
    // Which of these variables are set counts for all, and their values only for one that names it.
    check_with(&sandbox, "a variable of a job", &[("GITHUB_RUN_ID", "1")], 0, &all);
    let never_then = ["gits", "job", "lists", "outside", "silent", "socket", "writes"];
    check_with(&sandbox, "another value", &[("GITHUB_RUN_ID", "bad")], 1, &never_then);
}

#[test]
fn a_wrong_cached_result_of_doc_tests_is_a_finding_and_is_not_used_again() {
    let time = "//! ```\n//! let time = std::fs::metadata(\"../data/read\").unwrap().modified().unwrap();\n\
                //! assert!(time > std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000));\n//! ```\n";
    let Some(sandbox) = with_crates(&[("base", "", "//! ```\n//! ```\n"), ("timed", "", time)]) else {
        return;
    };
    let file = || std::fs::File::options().write(true).open(sandbox.root().join("data/read")).unwrap();
    let now = std::time::SystemTime::now();
    check(&sandbox, "first run", 0, &["base", "timed"]);
    // The times of files are not observed.
    file().set_modified(std::time::UNIX_EPOCH).unwrap();
    check(&sandbox, "nothing that counts", 0, &[]);
    let text = sandbox.run(&["verify"], 1);
    assert!(text.contains("the cached result is wrong"), "{text}");
    sandbox.write("genti.toml", &format!("[policy]\nrecheck = '100%'\n{}", sandbox.text("genti.toml")));
    let text = check(&sandbox, "checked again", 1, &["base", "timed"]);
    assert!(sandbox.findings().iter().any(|line| line.contains("stale-result")), "{text}");
    file().set_modified(now).unwrap();
    sandbox.edit("genti.toml", "'100%'", "'0%'");
    check(&sandbox, "never from the cache", 0, &["timed"]);
    check(&sandbox, "never from the cache", 0, &["timed"]);
    let text = sandbox.run(&["explain", "doctest"], 0);
    assert!(text.contains("a cached result of it was wrong (`genti::stale-result`)"), "{text}");
}

/// Waits for locks that the test of genti holds.
const WAITING: &str = "//! ```
//! let file = |name: &str| std::fs::File::open(format!(\"../data/{name}\")).unwrap();
//! let started = file(\"started\");
//! started.lock().unwrap();
//! file(\"go\").lock().unwrap();
//! ```
";

#[test]
fn doc_tests_whose_libraries_are_built_again_meanwhile_are_not_cached() {
    let Some(sandbox) = with_crates(&[("waiting", "", WAITING)]) else { return };
    for name in ["started", "go"] {
        sandbox.write(&format!("data/{name}"), "");
    }
    let go = std::fs::File::open(sandbox.root().join("data/go")).unwrap();
    FileExt::lock(&go).unwrap();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| check(&sandbox, "first run", 0, &["waiting"]));
        let started = std::fs::File::open(sandbox.root().join("data/started")).unwrap();
        // The doc test has begun when it holds this lock.
        while FileExt::try_lock(&started).is_ok() {
            FileExt::unlock(&started).unwrap();
            assert!(!run.is_finished());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let deps = std::fs::read_dir(sandbox.root().join("target/genti/build/debug/deps")).unwrap();
        let mut deps = deps.map(|entry| entry.unwrap().path());
        let library = deps.find(|path| path.extension().is_some_and(|kind| kind == "rlib")).unwrap();
        let content = std::fs::read(&library).unwrap();
        std::fs::write(&library, content).unwrap();
        drop(go);
        run.join().unwrap();
    });
    let text = sandbox.run(&["explain", "doctest"], 0);
    assert!(text.contains("was built again while it ran"), "{text}");
    check(&sandbox, "once more", 0, &["waiting"]);
    check(&sandbox, "nothing", 0, &[]);
}

/// Changes what `number` chooses in the world of [`CRATES`], and returns its name and the variables of the run.
fn change(sandbox: &Sandbox, number: u64, vars: &mut Vec<(&'static str, &'static str)>) -> String {
    let (what, is_good) = ((number >> 33) % 12, (number >> 60) & 1 == 1);
    let word = if is_good { "good" } else { "bad" };
    let at = |path: &str| sandbox.root().join(path);
    let replace = |path: &str, text: &str| {
        drop(std::fs::remove_file(at(path)));
        sandbox.write(path, text);
    };
    let source = |name: &str, from: &str, to: &str| {
        let (_, _, text) = CRATES.iter().find(|(known, ..)| *known == name).unwrap();
        sandbox.write(
            &format!("{name}/src/lib.rs"),
            &if is_good { (*text).to_owned() } else { text.replace(from, to) },
        );
    };
    match what {
        0 => source("base", "    2\n", "    3\n"),
        1 => source("base", "u8", "&str"),
        2 => source("user", "(), 4", "(), 5"),
        3 => replace("data/page.md", if is_good { "```\n```\n" } else { "```\npanic!()\n```\n" }),
        4 => replace("data/included", word),
        5 => replace("data/read", word),
        6 => {
            drop(std::fs::remove_file(at("data/read")));
            sandbox.write("data/good", "good");
            sandbox.write("data/bad", "bad");
            symlink(word, at("data/read")).unwrap();
        }
        7 if is_good => drop(std::fs::remove_file(at("data/absent"))),
        7 => sandbox.write("data/absent", ""),
        8 => {
            vars.clear();
            vars.push(("APP_MODE", word));
        }
        9 => source("refused", "\"text\"", "1"),
        10 => {
            // The content of a link's target, in place.
            sandbox.write("data/good", word);
        }
        _ => sandbox.write("data/unread", &number.to_string()),
    }
    format!("{what} {word}")
}

/// Returns the crates whose doc tests fail according to cargo alone.
fn truth(sandbox: &Sandbox, vars: &[(&str, &str)]) -> BTreeSet<String> {
    let mut command = Command::new("cargo");
    scrub(&mut command);
    command.args(["test", "--doc", "--workspace", "--no-fail-fast", "--quiet"]).current_dir(sandbox.root());
    command.env("CARGO_TARGET_DIR", sandbox.beside().join("truth")).envs(vars.iter().copied());
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let failed = CRATES.iter().filter(|(name, ..)| text.contains(&format!("---- {name}/src/lib.rs - ")));
    let page = CRATES
        .iter()
        .filter(|(name, ..)| *name == "page" && text.contains("---- page/src/../../data/page.md"));
    failed.chain(page).map(|(name, ..)| (*name).to_owned()).collect()
}

/// 6 changes, always the same; with `GENTI_TEST=full`, 500.
#[test]
fn no_sequence_of_changes_makes_cached_doc_tests_stale() {
    let Some(sandbox) = with_crates(&CRATES) else { return };
    let count = if is_full() { 500 } else { 6 };
    let (mut hits, mut failures, mut vars) = (0, 0, Vec::new());
    // A fixed sequence of numbers that look random.
    let mut number: u64 = 1527;
    for step in 0..count {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let what = change(&sandbox, number, &mut vars);
        let output = sandbox.command(&["run"]).envs(vars.iter().copied()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(output.status.code(), Some(0 | 1)), "{text}");
        let is_judged = |name: &str| match name {
            "page" => text.contains("page.md"),
            name => text.contains(&format!("error[failed]: {name}/src/")),
        };
        let judged = CRATES.iter().map(|(name, ..)| *name).filter(|name| is_judged(name));
        let judged: BTreeSet<_> = judged.map(str::to_owned).collect();
        let truth = truth(&sandbox, &vars);
        assert_eq!(judged, truth, "step {step}: {what}\n{text}");
        hits += CRATES.len() - ran(&sandbox).len();
        failures += truth.len();
    }
    // Otherwise, the sample would prove nothing.
    assert!(hits > count && failures > count / 3, "{hits} {failures}");
}
