//! Detects what `init` bases its files on: packages, tools, and existing checks. Reads files and asks tools
//! for their versions.

use std::path::{Path, PathBuf};

use genti::disk;
use genti::model::tool::ToolId;
use genti::path::RelPath;
use genti::pipeline::Project;
use genti::plan::config;
use genti::scan::{self, Env, NoVersion, Stop};
use genti::workspace;
use regex::Regex;

use crate::render::plural;

/// Facts about the workspace that `init` has detected.
#[derive(Default)]
pub(super) struct Surroundings {
    /// Names of the members, sorted.
    pub(super) members: Vec<String>,
    /// Tools that run here without configuration, sorted.
    pub(super) tools: Vec<DetectedTool>,
    /// Built-in tools that were not detected, sorted.
    pub(super) unused: Vec<String>,
    /// Configuration files of cargo's own tools, relative to the workspace root.
    pub(super) configs: Vec<String>,
    /// Evidence that tests are run with cargo-nextest.
    pub(super) nextest: Option<String>,
    /// Files with existing checks, relative to the top of the repository, with their cargo commands.
    pub(super) ci: Vec<(String, Vec<String>)>,
    /// The workspace root, relative to the top of the repository.
    pub(super) dir: String,
    /// True if git ignores `Cargo.lock`.
    pub(super) ignores_lockfile: bool,
}

/// A tool that runs here.
pub(super) struct DetectedTool {
    pub(super) name: String,
    /// Signs by which it was detected; empty for tools that run in every workspace.
    pub(super) signs: Vec<String>,
    /// Install command, unless it is part of the Rust toolchain.
    pub(super) install: Option<String>,
    /// Reason why it can't run on this machine.
    pub(super) missing: Option<String>,
}

/// Files that often contain checks, in addition to GitHub workflows.
const CI_FILES: [&str; 12] = [
    ".circleci/config.yml",
    ".cirrus.yml",
    ".gitlab-ci.yml",
    ".pre-commit-config.yaml",
    ".travis.yml",
    "Makefile",
    "Makefile.toml",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    "justfile",
    "lefthook.yml",
    "xtask/src/main.rs",
];

/// Configuration files of tools that run in every workspace.
const CONFIGS: [&str; 8] = [
    ".clippy.toml",
    ".rustfmt.toml",
    "clippy.toml",
    "rustfmt.toml",
    "rust-toolchain",
    "rust-toolchain.toml",
    ".cargo/config.toml",
    ".cargo/config",
];

impl Surroundings {
    /// Examines `project` and the `repository` around it.
    pub(super) fn detect(project: &Project, repository: &Path, env: &Env, stop: &Stop) -> Self {
        let workspace = &project.workspace;
        let has = |path: &&str| workspace.find(&RelPath::new(path)).is_some();
        let graph = &project.plan.graph;
        let has_tasks = |at: ToolId| graph.tasks.iter().any(|task| task.tool == at);
        let used = graph.tools().filter(|(at, tool)| !tool.on_demand && has_tasks(*at)).map(|(_, tool)| tool);
        let tools: Vec<_> = used
            .map(|tool| {
                let signs = tool.detect.iter().flat_map(|signs| {
                    let files = signs.files.iter().filter(|path| has(&path.as_str())).cloned();
                    let tables = signs.metadata.iter().filter(|table| workspace.metadata.contains(*table));
                    files.chain(tables.map(|table| format!("metadata.{table}")))
                });
                let missing = match scan::version(tool, workspace, &project.programs, env, stop) {
                    Err(NoVersion::Missing(missing)) => Some(missing.to_string()),
                    _ => None,
                };
                let signs: Vec<_> = signs.collect();
                let install = tool.install.clone().filter(|_| tool.detect.is_some());
                DetectedTool { name: tool.name.clone(), signs, install, missing }
            })
            .collect();
        let built_in = config::load(&[], None).map(|config| config.tools).unwrap_or_default();
        let unused = built_in.into_iter().filter(|tool| tool.detect.is_some()).map(|tool| tool.name);
        let unused = unused.filter(|name| graph.tools.iter().all(|tool| tool.name != *name)).collect();
        let ci = ci(repository);
        let nextest = has(&".config/nextest.toml").then(|| "found .config/nextest.toml".to_owned());
        let nextest = nextest.or_else(|| {
            let calls =
                |(_, calls): &&(String, Vec<String>)| calls.iter().any(|call| call.contains(" nextest "));
            ci.iter().find(calls).map(|(file, _)| format!("used in {file}"))
        });
        let mut members: Vec<_> = workspace.packages.iter().map(|package| package.name.clone()).collect();
        members.sort();
        Self {
            members,
            tools,
            unused,
            configs: configs(&workspace.root, has),
            nextest,
            ci,
            dir: RelPath::between(repository, &workspace.root).unwrap_or_default().to_string(),
            ignores_lockfile: workspace::is_ignored(&workspace.root, "Cargo.lock"),
        }
    }

    /// Returns the number of members, and the names of the first `few`.
    pub(super) fn packages(&self, few: usize) -> String {
        let count = self.members.len();
        let names: Vec<_> = self.members.iter().take(few).map(String::as_str).collect();
        let more = count - names.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{count} {}: {}{more}", plural(count, "package", "packages"), names.join(", "))
    }
}

fn configs(root: &Path, has: impl Fn(&&str) -> bool) -> Vec<String> {
    let mut configs: Vec<_> =
        CONFIGS.iter().filter(|path| has(path)).map(|path| (*path).to_owned()).collect();
    let manifest = disk::read_to_string(&root.join("Cargo.toml")).unwrap_or_default();
    for table in ["lints", "workspace.lints"] {
        if manifest.lines().any(|line| line.starts_with(&format!("[{table}"))) {
            configs.push(format!("[{table}] of Cargo.toml"));
        }
    }
    configs
}

/// Returns true if `Cargo.lock` exists.
pub(super) fn has_lockfile(project: &Project) -> bool {
    project.workspace.find(&RelPath::new("Cargo.lock")).is_some()
}

/// Returns the top of the repository around the workspace `root`, or `root` itself if there is none.
pub(super) fn repository(root: &Path) -> PathBuf {
    let top = root.ancestors().find(|dir| dir.join(".git").exists());
    top.unwrap_or(root).to_path_buf()
}

fn ci(repository: &Path) -> Vec<(String, Vec<String>)> {
    let workflows = std::fs::read_dir(repository.join(".github/workflows")).into_iter().flatten().flatten();
    let mut files: Vec<_> = workflows
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".yml") || name.ends_with(".yaml"))
        .map(|name| format!(".github/workflows/{name}"))
        .collect();
    files.extend(CI_FILES.map(str::to_owned));
    files.sort();
    // Unreadable files are skipped, since the list is only informational.
    let read = |file: String| {
        let text = disk::read_to_string(&repository.join(&file)).ok()?;
        Some((file, calls(&text)))
    };
    files.into_iter().filter_map(read).collect()
}

/// Returns the cargo commands of checks in a script or workflow, without duplicates.
fn calls(text: &str) -> Vec<String> {
    let call =
        r"cargo (?:\+[\w.-]+ )?(?:audit|check|clippy|deny|doc|fmt|hack|machete|nextest|test)\b[^;&|#<>]*";
    let Ok(call) = Regex::new(call) else { return Vec::new() };
    let mut calls: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        for found in call.find_iter(line) {
            let found =
                found.as_str().trim().trim_end_matches(['"', '\'', '`', '\\', ',', ']', ')']).trim_end();
            let is_text = !found.chars().any(char::is_control);
            if is_text && !calls.iter().any(|known| known == found) {
                calls.push(found.to_owned());
            }
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_commands_are_found_in_scripts_and_workflows() {
        let text = "
jobs:
  - run: cargo fmt --all -- --check
  - run: |
      cargo hack check --each-feature
      cargo build && cargo clippy --all-targets -- -D warnings | tee log
      cargo +nightly doc --no-deps # for docs.rs
      # cargo test --never
      RUSTFLAGS='' cargo test \\
        --workspace
      cargo fmt --all -- --check
  entry: \"cargo nextest run\"
  - uses: taiki-e/install-action@cargo-deny
";
        let expected = [
            "cargo fmt --all -- --check",
            "cargo hack check --each-feature",
            "cargo clippy --all-targets -- -D warnings",
            "cargo +nightly doc --no-deps",
            "cargo test",
            "cargo nextest run",
        ];
        assert_eq!(calls(text), expected);
        assert_eq!(calls("a control character: cargo test \u{7}"), [""; 0]);
    }

    #[test]
    fn without_a_repository_the_workspace_root_is_the_top() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("a/b");
        std::fs::create_dir_all(&root).unwrap();
        // The directory for temporary files may itself be in a repository.
        if !dir.path().ancestors().any(|dir| dir.join(".git").exists()) {
            assert_eq!(repository(&root), root);
        }
        std::fs::create_dir(dir.path().join("a/.git")).unwrap();
        assert_eq!(repository(&root), dir.path().join("a"));
    }
}
