//! Checks of the architecture that the compiler does not make, such as the direction of imports and the minimum Rust version.

#![expect(clippy::disallowed_methods, reason = "tests read sources and start cargo")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Layers from top to bottom, as in docs/architecture.md. A layer may import only from those below.
const LAYERS: [&str; 12] = [
    "pipeline",
    "cache",
    "workspace",
    "scan",
    "store",
    "plan",
    "normalize",
    "compare",
    "report",
    "fix",
    "disk",
    "model",
];

/// Layers that do no IO.
const PURE: [&str; 6] = ["plan", "normalize", "compare", "report", "fix", "model"];

#[test]
fn imports_point_down_the_list_of_layers() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (rank, layer) in LAYERS.iter().enumerate() {
        let mut files = sources(&src.join(layer));
        files.extend([src.join(format!("{layer}.rs"))].into_iter().filter(|file| file.exists()));
        for file in files {
            for imported in imports(&std::fs::read_to_string(&file).unwrap()) {
                let target = LAYERS.iter().position(|layer| *layer == imported);
                seen += usize::from(target.is_some());
                if target.is_some_and(|target| target < rank) {
                    wrong.push(format!("{} imports {imported}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 100, "only {seen} imports were found: this test may be broken");
}

/// Parents and their children may know each other. No other modules may import each other, directly or in a circle.
#[test]
fn no_modules_import_each_other_in_a_circle() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = 0;
    for root in [src.clone(), src.join("bin/cargo-genti")] {
        let files = sources(&root).into_iter();
        let files = files.filter(|file| root != src || !file.starts_with(src.join("bin")));
        let modules: BTreeMap<Module, String> =
            files.map(|file| (module_of(&root, &file), std::fs::read_to_string(&file).unwrap())).collect();
        let edges: BTreeMap<&Module, Vec<&Module>> = modules
            .iter()
            .map(|(module, text)| {
                let imported = imported_modules(module, text, &modules);
                (module, imported.into_iter().filter(|other| !is_around(module, other)).collect())
            })
            .collect();
        seen += edges.values().map(Vec::len).sum::<usize>();
        for module in modules.keys() {
            let path = path_back(module, &edges);
            assert!(path.is_none(), "a circle: {path:?}");
        }
    }
    assert!(seen > 300, "only {seen} imports were found: this test is blind");
}

/// The path of a module below the root of its crate.
type Module = Vec<String>;

fn module_of(root: &Path, file: &Path) -> Module {
    let path = file.strip_prefix(root).unwrap().with_extension("");
    let mut module: Module = path.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    module.pop_if(|last| ["mod", "lib", "main"].contains(&last.as_str()));
    module
}

/// Returns whether one of the modules contains the other.
fn is_around(one: &Module, other: &Module) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// Returns the modules of which `text`, the source of `module`, names something.
fn imported_modules<'m>(
    module: &Module,
    text: &str,
    modules: &'m BTreeMap<Module, String>,
) -> BTreeSet<&'m Module> {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let mut found = BTreeSet::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|char| char.is_alphanumeric() || "_:".contains(char)) {
                continue;
            }
            found.extend(named(module, &code[at..], modules));
        }
    }
    found
}

/// Returns the modules that the path, or the tree of paths, at the start of `text` leads to.
fn named<'m>(module: &Module, mut text: &str, modules: &'m BTreeMap<Module, String>) -> Vec<&'m Module> {
    let mut base = module.clone();
    let mut is_first = true;
    loop {
        let end = text.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(text.len());
        match &text[..end] {
            "crate" => base.clear(),
            "self" if is_first => {}
            "super" => drop(base.pop()),
            name => {
                let next: Module = base.iter().cloned().chain([name.to_owned()]).collect();
                if !modules.contains_key(&next) {
                    break;
                }
                base = next;
            }
        }
        is_first = false;
        match text[end..].strip_prefix("::") {
            Some(rest) if rest.starts_with('{') => {
                return branches(rest)
                    .into_iter()
                    .flat_map(|branch| named_below(&base, branch, modules))
                    .collect();
            }
            Some(rest) => text = rest,
            None => break,
        }
    }
    modules.get_key_value(&base).map(|(found, _)| found).into_iter().collect()
}

/// The same for a branch of a tree of paths below the module `base`.
fn named_below<'m>(base: &Module, branch: &str, modules: &'m BTreeMap<Module, String>) -> Vec<&'m Module> {
    match branch.trim_start() {
        rest if rest.starts_with("self") => {
            modules.get_key_value(base).map(|(found, _)| found).into_iter().collect()
        }
        rest => named(base, &format!("self::{rest}"), modules),
    }
}

/// Splits a tree of paths, which starts with a brace, at the commas of its first level.
fn branches(tree: &str) -> Vec<&str> {
    let (mut depth, mut start, mut branches) = (0, 1, Vec::new());
    for (at, char) in tree.char_indices() {
        match char {
            '{' => depth += 1,
            '}' if depth == 1 => {
                branches.push(&tree[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 1 => {
                branches.push(&tree[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    branches.retain(|branch| !branch.trim().is_empty());
    branches
}

/// Returns a path from `module` over its imports back to itself.
fn path_back<'m>(module: &'m Module, edges: &BTreeMap<&'m Module, Vec<&'m Module>>) -> Option<Vec<String>> {
    let mut queue = vec![vec![module]];
    let mut seen = BTreeSet::new();
    while let Some(path) = queue.pop() {
        for next in edges.get(path[path.len() - 1]).into_iter().flatten() {
            let path: Vec<_> = path.iter().copied().chain([*next]).collect();
            if *next == module {
                return Some(path.into_iter().map(|module| module.join("/")).collect());
            }
            if seen.insert(*next) {
                queue.push(path);
            }
        }
    }
    None
}

#[test]
fn pure_layers_open_no_files() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in PURE.iter().flat_map(|layer| sources(&src.join(layer))) {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!imports(&text).contains(&"disk"), "{} imports disk", file.display());
    }
}

/// Only `disk.rs` opens files, because a path may be a named pipe, and opening that must not block.
#[test]
fn files_are_opened_in_one_place() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let is_test =
        |file: &Path| file.components().any(|part| part.as_os_str() == "tests") || file.ends_with("tests.rs");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in
        sources(&src).into_iter().filter(|file| !is_test(file) && !file.starts_with(src.join("build")))
    {
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.split("#[cfg(test)]\n").next().unwrap().split("#[cfg(all(test").next().unwrap();
        seen += text.matches("disk::").count();
        let opens = |line: &&str| {
            ["fs::read(", "fs::read_to_string(", "File::open("].iter().any(|call| line.contains(call))
        };
        // Except for files of the kernel, and directories created by genti.
        let is_fine = |line: &&str| line.contains("/proc/") || line.contains("File::open(dir)?.sync_all()");
        wrong.extend(
            text.lines()
                .filter(opens)
                .filter(|line| !is_fine(line))
                .map(|line| format!("{}: {line}", file.display())),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 20, "only {seen} calls were found: this test may be broken");
}

#[test]
fn the_build_library_imports_only_the_path_type() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = 0;
    for file in sources(&src.join("build")) {
        let text = std::fs::read_to_string(&file).unwrap();
        let all = text.matches("crate::").count();
        let paths = text.matches("crate::model::path::RelPath").count();
        assert_eq!(all, paths, "{} imports something else", file.display());
        seen += all;
        assert!(!text.contains("feature ="), "{} depends on a feature", file.display());
    }
    assert!(seen > 10, "only {seen} imports were found: this test may be broken");
    for file in LAYERS.iter().flat_map(|layer| sources(&src.join(layer))) {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!imports(&text).contains(&"build"), "{} imports build", file.display());
    }
}

#[test]
fn the_engine_does_not_know_the_command_line() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in LAYERS.iter().flat_map(|layer| sources(&src.join(layer))) {
        let text = std::fs::read_to_string(&file).unwrap();
        for cli_only in [
            "clap::",
            "clap_",
            "console::",
            "indicatif::",
            "anstream::",
            "annotate_snippets::",
            "signal_hook::",
            "supports_hyperlinks::",
        ] {
            assert!(!text.contains(cli_only), "{} uses {cli_only}", file.display());
        }
    }
}

/// Clippy's `incompatible_msrv` checks our own code; this checks our dependencies.
#[test]
fn no_dependency_requires_a_newer_rust_version_than_ours() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--locked",
            "--format-version",
            "1",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let version = |text: &str| {
        let mut parts: Vec<u32> = text.split('.').map(|part| part.parse().unwrap()).collect();
        parts.resize(3, 0);
        parts
    };
    let ours = version(env!("CARGO_PKG_RUST_VERSION"));
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 50);
    for package in packages {
        if let Some(theirs) = package["rust_version"].as_str() {
            assert!(version(theirs) <= ours, "{} requires Rust {theirs}", package["name"]);
        }
    }
}

/// Returns the names after `crate::` in `source`, including each of a list in braces.
fn imports(source: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for (at, _) in source.match_indices("crate::") {
        let rest = &source[at + "crate::".len()..];
        let list = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default(),
            None => rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default(),
        };
        names.extend(list.split(',').map(str::trim).map(|name| name.split("::").next().unwrap_or(name)));
    }
    names
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        match path.is_dir() {
            true => files.extend(sources(&path)),
            false if path.extension().is_some_and(|extension| extension == "rs") => files.push(path),
            false => {}
        }
    }
    files
}
