//! Synthetic workspaces of any size, as plain values, for the planning benchmarks.
//!
//! Each package has 250 files, a library, a binary and a test. In addition to the built-in tools, four tools
//! check each file and one checks each package. This makes about 1,000 tasks per package.

use std::collections::BTreeSet;
use std::sync::Arc;

use genti::model::digest::Digest;
use genti::model::path::RelPath;
use genti::model::policy::{Batch, Order, Policy, Selection};
use genti::model::task::Plan;
use genti::model::tool::Tool;
use genti::model::workspace::{File, Package, PackageId, Seen, Target, TargetKind, Workspace};
use genti::plan::config::{self, ConfigFile, Place};
use genti::plan::{self, Facts};

/// All orders.
pub(crate) const ORDERS: [Order; 4] =
    [Order::Deterministic, Order::Topo, Order::RequiredFirst, Order::RiskFirst];

const FILES: usize = 250;

const TOOLS: &str = r#"
[tools.spelling]
run = ["spelling", "{files}"]
per = "file"
parse = "sarif"
[tools.headers]
run = ["headers", "{files}"]
per = "file"
files = ["**/*.rs"]
parse = "sarif"
weight = 3
[tools.words]
run = ["words", "{files}"]
per = "file"
exclude = ["**/*.lock"]
parse = "sarif"
required = false
[tools.unsafe-words]
run = ["unsafe-words", "{files}"]
per = "file"
files = ["crates/**/src/**/*.rs", "crates/**/tests/*.rs"]
inputs = ["unsafe-words.toml"]
parse = "sarif"
needs = ["headers"]
[tools.package]
run = ["package", "{dir}"]
per = "package"
parse = "exit-code"
"#;

/// Plans `tools` for `workspace`.
pub(crate) fn plan(workspace: &Workspace, tools: &[Tool], order: Order, batch: Batch) -> Plan {
    let policy = Policy { order, batch, ..Policy::default() };
    let facts = Facts::default();
    plan::plan(workspace, tools.to_vec(), Selection::default(), policy, &facts)
        .expect("the workspace can be planned")
}

/// Returns the tools, read from a configuration.
pub(crate) fn tools() -> Vec<Tool> {
    let file = ConfigFile { name: "genti.toml".into(), text: Arc::from(TOOLS), place: Place::File };
    config::load(&[file], None).expect("the configuration is valid").tools
}

/// Returns a workspace for which [`tools`] have about the given number of tasks.
pub(crate) fn workspace(tasks: usize) -> Workspace {
    let count = tasks / (4 * FILES);
    let mut packages = Vec::with_capacity(count);
    let mut files = Vec::with_capacity(count * FILES + 2);
    let mut owners = Vec::with_capacity(count * FILES + 2);
    files.extend([file("Cargo.lock", 50_000), file("Cargo.toml", 500)]);
    owners.extend([None, None]);
    for at in 0..count {
        let dir = format!("crates/group-{:02}/package-{at:06}", at / 100);
        // Each package depends on a few earlier ones, at different distances.
        let mut dependencies: Vec<_> = [1, 7, 60]
            .into_iter()
            .filter(|back| *back <= at)
            .map(|back| PackageId((at - back) as u32))
            .collect();
        dependencies.sort();
        let target = |kind, name: &str, root: &str| Target {
            name: name.to_owned(),
            kind,
            root: RelPath::new(format!("{dir}/{root}")),
            edition: "2024".to_owned(),
            test: true,
            doc: true,
            doctest: kind == TargetKind::Lib,
            needs_features: false,
        };
        let name = format!("package-{at:06}");
        packages.push(Package {
            workspace: None,
            version: "0.1.0".to_owned(),
            vars: Vec::new(),
            cargo_id: format!("path+file:///w/{dir}#0.1.0"),
            targets: vec![
                target(TargetKind::Lib, &name, "src/lib.rs"),
                target(TargetKind::Bin, &name, "src/main.rs"),
                target(TargetKind::Test, "works", "tests/works.rs"),
            ],
            name,
            dir: RelPath::new(&dir),
            features: std::collections::BTreeMap::new(),
            dependencies,
            outside: Vec::new(),
        });
        let mut own = vec![
            file(&format!("{dir}/Cargo.toml"), 600),
            file(&format!("{dir}/src/lib.rs"), 4_000),
            file(&format!("{dir}/src/main.rs"), 2_000),
            file(&format!("{dir}/tests/works.rs"), 3_000),
        ];
        own.extend((4..FILES).map(|at| {
            file(
                &format!("{dir}/src/part_{:02}/module_{at:03}.rs", at % 16),
                1_000 + (at as u64 * 7_919) % 20_000,
            )
        }));
        own.sort_by(|a, b| a.path.cmp(&b.path));
        owners.extend(own.iter().map(|_| Some(PackageId(at as u32))));
        files.extend(own);
    }
    let mut workspace = Workspace {
        root: "/w".into(),
        target_dir: "/w/target".into(),
        build_dir: "/w/target".into(),
        packages,
        others: Vec::new(),
        files,
        owners,
        outside: Vec::new(),
        metadata: BTreeSet::new(),
        build_dependencies: BTreeSet::new(),
        beyond: Vec::new(),
        seen: Seen::default(),
    };
    debug_assert!(workspace.files.is_sorted_by(|a, b| a.path < b.path));
    workspace.files.shrink_to_fit();
    workspace
}

fn file(path: &str, len: u64) -> File {
    File {
        path: RelPath::new(path),
        digest: Digest::of_bytes(path.as_bytes()),
        len,
        is_link: false,
        is_behind_link: false,
    }
}
