//! Small workspaces and tools as plain values, for the tests of this layer.

use std::path::Path;

use super::{Input, Parsed, Scrub, Unparsable, parse};
use crate::model::digest::Digest;
use crate::model::path::RelPath;
use crate::model::task::{Exit, Output, Unit};
use crate::model::tool::{Arg, Environment, Parse, Per, Piece, StepCaps, Tool};
use crate::model::workspace::{File, Package, PackageId, Target, TargetKind, Workspace};

/// A workspace at `/w/ws`: packages by directory with the kinds and roots of their targets, and files.
pub(super) fn workspace(packages: &[(&str, &[(TargetKind, &str)])], files: &[&str]) -> Workspace {
    let packages = packages
        .iter()
        .map(|(dir, targets)| {
            let name = dir.rsplit('/').next().unwrap_or(dir);
            Package {
                name: name.to_owned(),
                version: "0.1.0".to_owned(),
                cargo_id: format!("path+file:///w/ws/{dir}#0.1.0"),
                dir: RelPath::new(dir),
                targets: targets.iter().map(|(kind, root)| target(name, *kind, root)).collect(),
                dependencies: Vec::new(),
                outside: Vec::new(),
            }
        })
        .collect();
    let mut workspace = Workspace {
        root: "/w/ws".into(),
        target_dir: "/w/ws/target".into(),
        packages,
        files: files
            .iter()
            .map(|path| File {
                path: RelPath::new(path),
                digest: Digest::of_bytes(path.as_bytes()),
                len: 0,
                is_link: false,
            })
            .collect(),
        owners: Vec::new(),
        outside: Vec::new(),
    };
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
        needs_features: false,
    }
}

/// A tool with this name, parser and command line.
pub(super) fn tool(name: &str, parse: Parse, run: &[&str]) -> Tool {
    Tool {
        name: name.to_owned(),
        run: run.iter().map(|arg| Arg::Text(vec![Piece::Literal((*arg).to_owned())])).collect(),
        args: Vec::new(),
        per: Per::Workspace,
        files: Vec::new(),
        exclude: Vec::new(),
        inputs: Vec::new(),
        parse,
        namespaces: Vec::new(),
        required: true,
        needs: Vec::new(),
        lane: None,
        environment: Environment::Inherit,
        jobserver: false,
        version: Vec::new(),
        install: None,
        caps: StepCaps::default(),
        configured: true,
    }
}

/// Parses the output of a process of `tool` over `units`; every package is selected.
pub(super) fn run(
    workspace: &Workspace,
    tool: &Tool,
    units: &[Unit],
    stdout: impl AsRef<[u8]>,
    stderr: impl AsRef<[u8]>,
    code: i32,
) -> Result<Parsed, Unparsable> {
    let packages: Vec<PackageId> = workspace.packages().map(|(id, _)| id).collect();
    let scrub =
        Scrub::new(&workspace.root, &workspace.target_dir, Some(Path::new("/home/me")), Path::new("/tmp"));
    let output =
        Output { stdout: stdout.as_ref().to_vec(), stderr: stderr.as_ref().to_vec(), exit: Exit::Code(code) };
    parse(&Input { workspace, tool, units, packages: &packages, output: &output, scrub: &scrub })
}

/// Compares what was [shown](show) to the byte.
#[track_caller]
pub(super) fn assert_shown(parsed: &Parsed, expected: impl snapbox::IntoData) {
    snapbox::assert_data_eq!(show(parsed), expected.into_data().raw());
}

/// The diagnostics, a line each: `level ns rule place range: message`, then `fatal`, related and fix.
pub(super) fn show(parsed: &Parsed) -> String {
    use std::fmt::Write as _;
    let place = |place: &crate::model::finding::Place| {
        let range = place.range().map_or_else(String::new, |range| {
            format!(" {}:{}-{}:{}", range.start.line, range.start.column, range.end.line, range.end.column)
        });
        place.name() + &range
    };
    let mut out = String::new();
    for diagnostic in &parsed.diagnostics {
        let fatal = if diagnostic.fatal { " (fatal)" } else { "" };
        let package = diagnostic.package.map_or_else(String::new, |package| format!(" @{}", package.0));
        writeln!(
            out,
            "{} {} {} {}{package}: {}{fatal}",
            diagnostic.level.as_str(),
            diagnostic.ns,
            diagnostic.rule,
            place(&diagnostic.place),
            diagnostic.message,
        )
        .expect("writing to a string");
        for related in &diagnostic.related {
            let at = related.place.as_ref().map_or_else(String::new, |at| format!(" at {}", place(at)));
            writeln!(out, "  {}{at}", related.message).expect("writing to a string");
        }
        for (path, range, text) in diagnostic.fix.iter().flat_map(|fix| &fix.edits) {
            let at = place(&crate::model::finding::Place::File { path: path.clone(), range: Some(*range) });
            writeln!(out, "  fix {at} {text:?}").expect("writing to a string");
        }
    }
    for gap in &parsed.gaps {
        let package = gap.package.map_or_else(String::new, |package| format!(" @{}", package.0));
        let path = gap.path.as_ref().map_or_else(String::new, |path| format!(" {path}"));
        writeln!(out, "gap{package}{path}: {}", gap.reason).expect("writing to a string");
    }
    out
}
