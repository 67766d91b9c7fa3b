//! Small workspaces and tools as plain values, for tests of the pure layers.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::digest::Digest;
use crate::model::path::RelPath;
use crate::model::task::{Graph, TaskId};
use crate::model::tool::{
    Arg, Caching, Counted, Environment, Flaky, Leaky, Parse, Per, Piece, StepCaps, Tool, ToolId,
};
use crate::model::workspace::{File, Package, Seen, Target, TargetKind, Workspace};

/// Returns whether `GENTI_TEST=full` asks for long samples.
#[expect(clippy::disallowed_methods, reason = "the length of a test is not an input of the pure layers")]
pub(crate) fn is_full() -> bool {
    std::env::var("GENTI_TEST").is_ok_and(|test| test == "full")
}

/// Creates a workspace at `/w/ws` with packages (directories, and kinds and roots of their targets) and
/// files, both sorted.
pub(crate) fn workspace(packages: &[(&str, &[(TargetKind, &str)])], files: &[&str]) -> Workspace {
    let packages = packages
        .iter()
        .map(|(dir, targets)| {
            let name = dir.rsplit('/').next().unwrap_or(dir);
            Package {
                name: name.to_owned(),
                workspace: None,
                version: "0.1.0".to_owned(),
                vars: Vec::new(),
                cargo_id: format!("path+file:///w/ws/{dir}#0.1.0"),
                dir: RelPath::new(dir),
                features: BTreeMap::new(),
                targets: targets.iter().map(|(kind, root)| target(name, *kind, root)).collect(),
                dependencies: Vec::new(),
                outside: Vec::new(),
            }
        })
        .collect();
    let mut workspace = Workspace {
        root: "/w/ws".into(),
        target_dir: "/w/ws/target".into(),
        build_dir: "/w/ws/target".into(),
        packages,
        others: Vec::new(),
        files: files
            .iter()
            .map(|path| File {
                path: RelPath::new(path),
                digest: Digest::of_bytes(path.as_bytes()),
                len: 100,
                is_link: false,
                is_behind_link: false,
            })
            .collect(),
        owners: Vec::new(),
        outside: Vec::new(),
        metadata: BTreeSet::new(),
        build_dependencies: BTreeSet::new(),
        beyond: Vec::new(),
        seen: Seen::default(),
    };
    assert!(workspace.packages.is_sorted_by_key(|package| &package.dir));
    workspace.owners = workspace.files.iter().map(|file| workspace.owner_of(&file.path)).collect();
    workspace
}

fn target(package: &str, kind: TargetKind, root: &str) -> Target {
    let stem = root.rsplit('/').next().and_then(|name| name.strip_suffix(".rs")).unwrap_or(root);
    let name = match kind {
        TargetKind::Lib | TargetKind::Bin => package,
        TargetKind::BuildScript => "build-script-build",
        _ => stem,
    };
    Target {
        name: name.to_owned(),
        kind,
        root: RelPath::new(root),
        edition: "2024".to_owned(),
        test: matches!(kind, TargetKind::Lib | TargetKind::Bin | TargetKind::Test),
        doc: matches!(kind, TargetKind::Lib | TargetKind::Bin),
        doctest: kind == TargetKind::Lib,
        needs_features: false,
    }
}

/// Creates a graph of `tools` with their needs, without tasks.
pub(crate) fn graph(tools: Vec<Tool>, needs: Vec<Vec<ToolId>>) -> Graph {
    let id = Digest::of_bytes(b"");
    Graph {
        tools,
        needs,
        tasks: Vec::new(),
        combinations: Vec::new(),
        compares: Vec::new(),
        report: TaskId(id),
        hash: id,
    }
}

/// Creates a tool with this name, parser and command line.
pub(crate) fn tool(name: &str, parse: Parse, run: &[&str]) -> Tool {
    Tool {
        name: name.to_owned(),
        run: run.iter().map(|arg| Arg::Text(vec![Piece::Literal((*arg).to_owned())])).collect(),
        args: Vec::new(),
        second_pass: Vec::new(),
        dir: None,
        per: Per::Workspace,
        targets: None,
        files: Vec::new(),
        exclude: Vec::new(),
        inputs: Vec::new(),
        searches: Vec::new(),
        cache: Caching::Established,
        parse,
        ratchet: Vec::new(),
        namespaces: Vec::new(),
        required: true,
        needs: Vec::new(),
        replaces: Vec::new(),
        on_demand: false,
        lane: None,
        environment: Environment::Inherit(Counted::Build(Vec::new())),
        jobserver: false,
        may_be_empty: true,
        threads: None,
        version: Vec::new(),
        rules: Vec::new(),
        install: None,
        detect: None,
        weight: std::num::NonZeroU32::MIN,
        caps: StepCaps::default(),
        leaky: Leaky::Pass,
        retries: 0,
        flaky: Flaky::Pass,
        vars: BTreeMap::new(),
        timeout: None,
        sandbox: None,
        hermetic: false,
        copy: false,
        services: Vec::new(),
        variant: None,
        variants: Vec::new(),
        configured: true,
        lacks_format: false,
    }
}
