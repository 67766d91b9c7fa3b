//! Workspace under construction. Combines the content of files that several parts share, before they are written.

use std::collections::BTreeMap;

use super::parts::Tool;
use super::spot::{CACHED, NESTED};
use super::world::{WS, World};

pub(crate) const LIB: &str = "repo/ws/a/src/lib.rs";
pub(crate) const BUILD: &str = "repo/ws/a/build.rs";
pub(crate) const MANIFEST: &str = "repo/ws/a/Cargo.toml";
pub(crate) const ROOT: &str = "repo/ws/Cargo.toml";
pub(crate) const CONFIG: &str = "repo/ws/genti.toml";

/// Content of a path.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    File(String),
    Program(String),
    /// Link to this path.
    Link(String),
}

/// Workspace with a member `a`, in which one tool runs.
pub(crate) struct Draft {
    pub(crate) tool: Tool,
    /// Items of `a/src/lib.rs`.
    pub(crate) lib: Vec<String>,
    /// Items of `a/build.rs`, and the statements in its `main`.
    pub(crate) build_items: Vec<String>,
    pub(crate) build: Vec<String>,
    /// Lines of each section of `a/Cargo.toml` and of the root manifest.
    pub(crate) manifest: BTreeMap<String, Vec<String>>,
    pub(crate) root: BTreeMap<String, Vec<String>>,
    pub(crate) members: Vec<String>,
    /// Dependencies of each package, for `Cargo.lock`.
    pub(crate) packages: BTreeMap<String, Vec<String>>,
    /// Packages from a registry.
    pub(crate) from_registry: Vec<String>,
    /// Configuration in addition to the lines that enable the tool.
    pub(crate) config: String,
    pub(crate) ignored: Vec<String>,
    pub(crate) files: BTreeMap<String, Entry>,
    pub(crate) env: BTreeMap<String, String>,
}

impl Draft {
    pub(crate) fn new(tool: Tool) -> Self {
        let mut draft = Self {
            tool,
            lib: Vec::new(),
            build_items: Vec::new(),
            build: Vec::new(),
            manifest: BTreeMap::new(),
            root: BTreeMap::new(),
            members: vec!["a".to_owned()],
            packages: BTreeMap::from([("a".to_owned(), Vec::new())]),
            from_registry: Vec::new(),
            config: String::new(),
            ignored: vec!["/target".to_owned()],
            files: BTreeMap::new(),
            env: BTreeMap::new(),
        };
        for line in ["name = \"a\"", "version = \"0.1.0\"", "edition = \"2024\""] {
            draft.manifest("package", line);
        }
        draft.manifest("lints.rust", "unexpected_cfgs = \"allow\"");
        if tool == Tool::Test {
            draft.lib("#[test]\nfn passes() {}");
        }
        if tool == Tool::Doctest {
            draft.lib("/// ```\n/// assert!(true);\n/// ```\npub fn passes() {}");
        }
        draft.file("repo/ws/notes.md", "Notes.\n");
        draft.file(format!("{CACHED}/CACHEDIR.TAG"), "Signature: 8a477f597d28d172789f06886806bc55\n");
        draft.file(format!("{NESTED}/.git/HEAD"), "ref: refs/heads/main\n");
        draft
    }

    pub(crate) fn lib(&mut self, item: impl Into<String>) {
        self.lib.push(item.into());
    }

    pub(crate) fn manifest(&mut self, section: &str, line: impl Into<String>) {
        self.manifest.entry(section.to_owned()).or_default().push(line.into());
    }

    pub(crate) fn root(&mut self, section: &str, line: impl Into<String>) {
        self.root.entry(section.to_owned()).or_default().push(line.into());
    }

    pub(crate) fn file(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.files.insert(path.into(), Entry::File(text.into()));
    }

    pub(crate) fn link(&mut self, path: impl Into<String>, target: impl Into<String>) {
        self.files.insert(path.into(), Entry::Link(target.into()));
    }

    /// Adds a package `name` in `dir` with more manifest lines. It becomes a member if it lies in the workspace.
    pub(crate) fn package(&mut self, name: &str, dir: &str, more: &str) {
        let manifest =
            format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{more}");
        self.file(format!("{dir}/Cargo.toml"), manifest);
        self.packages.insert(name.to_owned(), Vec::new());
        if let Some(below) = dir.strip_prefix("repo/ws/") {
            self.members.push(below.to_owned());
        }
    }

    /// Makes `a` depend on the package `name` in `dir`, relative to the directory of `a`.
    pub(crate) fn depend(&mut self, kind: &str, name: &str, dir: &str) {
        self.manifest(kind, format!("{name} = {{ path = \"{dir}\" }}"));
        self.packages.get_mut("a").into_iter().for_each(|needs| needs.push(name.to_owned()));
    }

    /// Adds an item that is bad if the build sets `--cfg evilN`.
    pub(crate) fn bad_under_cfg(&mut self, name: &str) {
        match self.tool {
            Tool::Test => self.lib(format!("#[cfg({name})]\n#[test]\nfn {name}() {{\n    panic!();\n}}")),
            _ => self.lib(format!("#[cfg({name})]\n/// [Vex]\npub fn {name}() -> u8 {{\n    return 1;\n}}")),
        }
    }

    /// Adds a custom tool with these lines that covers one small file.
    pub(crate) fn own_tool(&mut self, n: usize, lines: &str) {
        self.config += &format!("[tools.own{n}]\nfiles = [\"a/Cargo.toml\"]\n{lines}\n");
    }

    /// Returns the files that several parts share, by path.
    pub(crate) fn shared(&self) -> BTreeMap<&'static str, String> {
        let mut manifest = self.manifest.clone();
        manifest.entry("package".to_owned()).or_default();
        let members: Vec<_> = self.members.iter().map(|member| format!("{member:?}")).collect();
        let mut root = self.root.clone();
        let workspace = root.entry("workspace".to_owned()).or_default();
        workspace.insert(0, format!("members = [{}]", members.join(", ")));
        workspace.push("resolver = \"3\"".to_owned());
        let items: Vec<_> = self.lib.iter().map(|item| format!("\n{item}\n")).collect();
        let items = items.iter().map(String::as_str);
        let mut shared = BTreeMap::from([
            (LIB, std::iter::once("//! A.\n").chain(items).collect()),
            (MANIFEST, sections(&manifest)),
            (ROOT, sections(&root)),
            (CONFIG, format!("{}{}", enabled(self.tool), self.config)),
            ("repo/ws/Cargo.lock", self.lock()),
            ("repo/ws/.gitignore", self.ignored.join("\n") + "\n"),
        ]);
        if !self.build.is_empty() || !self.build_items.is_empty() {
            let (items, main) = (self.build_items.join("\n"), self.build.join("\n    "));
            shared.insert(BUILD, format!("//! Build.\n\n{items}\nfn main() {{\n    {main}\n}}\n"));
        }
        shared
    }

    /// Writes everything except for the file `except`.
    pub(crate) fn write(&self, world: &mut World, except: &str) {
        for (path, text) in self.shared().into_iter().filter(|(path, _)| *path != except) {
            world.write(path, &text);
        }
        for (path, entry) in self.files.iter().filter(|(path, _)| *path != except) {
            match entry {
                Entry::File(text) => world.write(path, text),
                Entry::Program(text) => world.program(path, text),
                Entry::Link(target) => world.link(path, target),
            }
        }
        world.env.extend(self.env.clone());
    }

    /// Returns the content of `Cargo.lock`. Faster than running `cargo generate-lockfile`.
    fn lock(&self) -> String {
        let mut text = "# This file is automatically @generated by Cargo.\n# It is not intended for manual editing.\nversion = 4\n".to_owned();
        for (name, needs) in &self.packages {
            text += &format!("\n[[package]]\nname = \"{name}\"\nversion = \"0.1.0\"\n");
            if self.from_registry.contains(name) {
                text += "source = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
            }
            let mut needs = needs.clone();
            needs.sort();
            needs.dedup();
            if !needs.is_empty() {
                let lines: String = needs.iter().map(|need| format!(" \"{need}\",\n")).collect();
                text += &format!("dependencies = [\n{lines}]\n");
            }
        }
        text
    }

    /// Makes git and genti ignore `path`, which lies in the workspace.
    pub(crate) fn ignore(&mut self, path: &str) {
        self.ignored.push(path.strip_prefix(WS).unwrap().to_owned());
    }
}

fn sections(of: &BTreeMap<String, Vec<String>>) -> String {
    let section = |(name, lines): (&String, &Vec<String>)| format!("[{name}]\n{}\n", lines.join("\n"));
    of.iter().map(section).collect::<Vec<_>>().join("\n")
}

/// Returns the configuration that enables only `tool`.
pub(crate) fn enabled(tool: Tool) -> String {
    let others = ["fmt", "clippy", "doc", "test", "doctest"].into_iter().filter(|name| *name != tool.name());
    let others: String = others.map(|name| format!("[tools.{name}]\nenabled = false\n")).collect();
    match tool {
        Tool::Codegen => format!("{others}[tools.codegen]\n"),
        _ => others,
    }
}
