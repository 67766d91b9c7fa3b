//! Tests of the HTML report in a browser. The pages are rendered with the library, and `tests/browser/` tests them in headless
//! Chromium.
//!
//! Requires Node 20, `npm ci` in `tests/browser`, and Chromium (`apt-get install chromium`, or its path in `CHROMIUM`).
//! Without these, the test is skipped with a message, or fails if `CI=true`.
#![expect(clippy::disallowed_methods, clippy::print_stderr, reason = "tests write pages and start node")]

mod body;
mod made;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use made::{Made, Recipe, hostile, make};

const BROWSER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser");

#[test]
fn the_page_works_in_a_browser() {
    let pages = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    fs::create_dir_all(&pages).unwrap();
    let write =
        |name: &str, made: &Made| fs::write(pages.join(name).with_extension("html"), made.page()).unwrap();
    let some =
        Recipe { exit: 1, findings: 30, new_each: 3, files: 6, batches: 14, with_timing: true, slowness: 1 };
    write("none", &make(&Recipe { exit: 0, findings: 0, ..some }));
    write("some", &make(&some));
    write("many", &make(&Recipe { findings: 20_000, new_each: 150, files: 400, batches: 600, ..some }));
    write("incomplete", &make(&Recipe { exit: 3, with_timing: false, ..some }));
    write("few", &make(&Recipe { findings: 300, new_each: 20, files: 40, ..some }));
    for (name, slowness) in [("slow", 12), ("slower", 150), ("slowest", 700)] {
        write(name, &make(&Recipe { slowness, ..some }));
    }
    write("hostile", &hostile());

    let chromium = match (node(), modules(), chromium()) {
        (Ok(()), Ok(()), Ok(chromium)) => chromium,
        (node, modules, chromium) => {
            let missing: Vec<_> = [node.err(), modules.err(), chromium.err()].into_iter().flatten().collect();
            let missing = missing.join("; ");
            assert!(env::var_os("CI").is_none_or(|ci| ci != "true"), "{missing}");
            eprintln!("skipped: {missing}");
            return;
        }
    };
    let status = Command::new("node")
        .args(["--test", "--test-reporter=spec", "page.test.mjs"])
        .current_dir(BROWSER)
        .env("PAGES", &pages)
        .env("CHROMIUM", chromium)
        .status()
        .unwrap();
    assert!(status.success(), "{status}; see above; the pages are in {}", pages.display());
}

#[test]
fn the_same_run_gives_the_same_page() {
    let recipe =
        Recipe { exit: 1, findings: 200, new_each: 3, files: 6, batches: 14, with_timing: true, slowness: 1 };
    assert_eq!(make(&recipe).page(), make(&recipe).page());
}

fn node() -> Result<(), String> {
    let output = Command::new("node").arg("--version").output();
    let version = output.ok().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let major =
        version.as_deref().and_then(|version| version.strip_prefix('v')?.split('.').next()?.parse().ok());
    match (version, major) {
        (_, Some(20_u32..)) => Ok(()),
        (Some(version), _) => {
            Err(format!("`node` is {version}, but 20 or newer is required; install it from nodejs.org"))
        }
        (None, _) => Err("`node` is not installed; install version 20 or newer from nodejs.org".to_owned()),
    }
}

fn modules() -> Result<(), String> {
    let is_there = |name| Path::new(BROWSER).join("node_modules").join(name).is_dir();
    match ["axe-core", "playwright-core"].into_iter().all(is_there) {
        true => Ok(()),
        false => Err("the packages of `tests/browser` are not installed; run `npm ci` there".to_owned()),
    }
}

fn chromium() -> Result<PathBuf, String> {
    if let Some(path) = env::var_os("CHROMIUM") {
        return Ok(path.into());
    }
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places = env::split_paths(&path).flat_map(|dir| names.map(|name| dir.join(name)));
    places.find(|place| place.is_file()).ok_or_else(|| {
        "Chromium is not installed; run `apt-get install chromium`, or set `CHROMIUM` to its path".to_owned()
    })
}
