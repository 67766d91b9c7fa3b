//! Checks how many batches of `--batch auto` change when a file is added: at most 2 in the median, and at most 4 in the 99th
//! percentile.
//!
//! `GENTI_TEST=full cargo test --release --test boundaries -- --nocapture` adds 10,000 files and prints the distribution, for
//! a synthetic list and for the lists in `FILE_LISTS` (paths separated by `:`, each with the output of `git ls-files`).

use std::collections::BTreeSet;

use genti::model::digest::Digest;
use genti::model::path::RelPath;
use genti::model::policy::{Policy, Selection};
use genti::model::tool::Tool;
use genti::model::workspace::{File, Seen, Workspace};
use genti::plan::config::{self, ConfigFile, Place};
use genti::plan::{self, Facts};

#[test]
fn an_added_file_changes_few_batches() {
    let changed = insertions(&synthetic(), &tools("max-tasks = 16"), 150);
    let (median, late) = (percentile(&changed, 50), percentile(&changed, 99));
    assert!(median <= 2 && late <= 4, "median {median}, 99th percentile {late}");
    assert!(changed[0] >= 1, "the batch with the added file must change");
}

#[test]
#[expect(clippy::print_stdout, clippy::disallowed_methods, reason = "it reads its lists and prints a table")]
fn ten_thousand_insertions() {
    // This makes 10,000 plans for each list and cap, which is too slow for every run.
    if std::env::var("GENTI_TEST").as_deref() != Ok("full") {
        return;
    }
    let mut lists = vec![("synthetic".to_owned(), synthetic())];
    for path in std::env::var("FILE_LISTS").unwrap_or_default().split(':').filter(|path| !path.is_empty()) {
        let text = std::fs::read_to_string(path).unwrap();
        lists.push((path.to_owned(), text.lines().map(str::to_owned).collect()));
    }
    println!("files  batches  files a batch  median  99th  most  caps            list");
    for (name, files) in &lists {
        for caps in ["max-tasks = 8", "max-tasks = 16", "max-tasks = 64", "max-bytes = 65536"] {
            let tools = tools(caps);
            let changed = insertions(files, &tools, 10_000);
            let batches = batches(files, &tools).len();
            println!(
                "{:5}  {batches:7}  {:13}  {:6}  {:4}  {:4}  {caps:18}  {name}",
                files.len(),
                files.len() / batches,
                percentile(&changed, 50),
                percentile(&changed, 99),
                percentile(&changed, 100),
            );
        }
    }
}

/// Adds each of `count` files separately and returns the sorted numbers of new batches.
fn insertions(files: &[String], tools: &[Tool], count: u64) -> Vec<usize> {
    let before = batches(files, tools);
    let mut changed: Vec<_> = (0..count)
        .map(|at| {
            let beside = &files[random(at, "beside") as usize % files.len()];
            let dir = beside.rsplit_once('/').map_or(String::new(), |(dir, _)| format!("{dir}/"));
            let extension = beside.rsplit_once('.').map_or("rs", |(_, extension)| extension);
            let letters = random(at, "name").to_le_bytes().map(|byte| char::from(b'a' + byte % 26));
            let mut more = files.to_vec();
            more.push(format!("{dir}{}.{extension}", String::from_iter(letters)));
            batches(&more, tools).difference(&before).count()
        })
        .collect();
    changed.sort_unstable();
    changed
}

fn batches(files: &[String], tools: &[Tool]) -> BTreeSet<Digest> {
    let mut files: Vec<_> = files
        .iter()
        .map(|path| File {
            path: RelPath::new(path),
            digest: Digest::of_bytes(path.as_bytes()),
            // From 100 bytes to 100 kB, small ones more often.
            len: 100 << (random(0, path) % 10),
            is_link: false,
            is_behind_link: false,
        })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let workspace = Workspace {
        root: "/w".into(),
        target_dir: "/w/target".into(),
        build_dir: "/w/target".into(),
        packages: Vec::new(),
        owners: vec![None; files.len()],
        others: Vec::new(),
        files,
        outside: Vec::new(),
        metadata: BTreeSet::new(),
        build_dependencies: BTreeSet::new(),
        beyond: Vec::new(),
        seen: Seen::default(),
    };
    let (tools, policy, facts) = (tools.to_vec(), Policy::default(), Facts::default());
    let plan = plan::plan(&workspace, tools, Selection::default(), policy, &facts).unwrap();
    plan.batches.iter().map(|batch| batch.id).collect()
}

/// Returns one tool that checks every file.
fn tools(caps: &str) -> Vec<Tool> {
    let text =
        format!("[tools.each]\nrun = [\"each\", \"{{files}}\"]\nper = \"file\"\nparse = \"sarif\"\n{caps}\n");
    let file = ConfigFile { name: "genti.toml".into(), text: text.into(), place: Place::File };
    let tools = config::load(&[file], None).unwrap().tools;
    tools.into_iter().filter(|tool| tool.name == "each").collect()
}

/// Generates 800 paths in directories of very different sizes, named with common words.
fn synthetic() -> Vec<String> {
    const WORDS: [&str; 16] = [
        "mod", "lib", "error", "io", "sync", "task", "time", "net", "util", "fs", "queue", "park", "driver",
        "macros", "context", "handle",
    ];
    let word = |at: u64, salt: &str| WORDS[random(at, salt) as usize % WORDS.len()];
    let files: BTreeSet<_> = (0..800)
        .map(|at| {
            // The smaller of two random numbers, so the first directories have the most files.
            let package = (random(at, "package") % 12).min(random(at, "package again") % 12);
            let dir = word(at % 40, "dir");
            format!(
                "crates/{}-{package}/src/{dir}/{}_{}_{at}.rs",
                WORDS[package as usize],
                word(at, "a"),
                word(at, "b")
            )
        })
        .collect();
    files.into_iter().collect()
}

fn percentile(sorted: &[usize], percent: usize) -> usize {
    sorted[((sorted.len() - 1) * percent).div_ceil(100)]
}

/// Returns a deterministic random number.
fn random(at: u64, salt: &str) -> u64 {
    Digest::of_bytes(format!("{salt} {at}").as_bytes()).low_u64()
}
