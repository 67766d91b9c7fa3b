//! Python: finds the code that an interpreter loads and the installed package of a script.
//!
//! A console script of pip is identical for all versions of its package. The versions are distinguished by the
//! metadata in `site-packages`: `RECORD` contains the digest of every file of a package. All packages there count,
//! because any of them may be loaded, for example as a plugin. Packages loaded from elsewhere (editable installs)
//! are not covered.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::tracer::{Tracer, file_name};
use super::{exe, is_program, read_text};
use crate::disk;

/// Metadata files of a package that count.
const METADATA: [&str; 6] =
    ["METADATA", "PKG-INFO", "RECORD", "direct_url.json", "entry_points.txt", "installed-files.txt"];

/// Variables that make Python load other code.
const VARIABLES: [&str; 4] = ["PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE", "PYTHONPLATLIBDIR"];

impl Tracer<'_> {
    /// Adds the files loaded by the interpreter at `program`, which is `real` with links resolved.
    pub(super) fn python(&mut self, program: &Path, real: &Path) {
        if self.pythons.contains_key(program) {
            return;
        }
        self.refuse_variables(&VARIABLES);
        let sites = self.sites(program, real);
        for site in &sites {
            self.site(site);
        }
        self.pythons.insert(program.to_path_buf(), sites);
    }

    /// Returns the directories in which the interpreter finds packages.
    fn sites(&mut self, program: &Path, real: &Path) -> Vec<PathBuf> {
        let version = version_of(&file_name(real));
        let base = real.parent().and_then(Path::parent).unwrap_or(Path::new("/")).to_path_buf();
        if let Some(version) = &version {
            // Many interpreters are only a thin executable around this library.
            for dir in ["lib", "lib64", "lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu"] {
                for end in [".so.1.0", ".so", ".dylib"] {
                    let name = format!("lib{version}{end}");
                    let path = base.join(dir).join(&name);
                    if path.is_file() {
                        self.add(name, path);
                    }
                }
            }
        }
        let bin = program.parent().unwrap_or(Path::new("/"));
        let config = [bin.join("pyvenv.cfg"), bin.with_file_name("pyvenv.cfg")];
        let config = config.into_iter().find(|path| path.is_file());
        let mut sites = Vec::new();
        let mut with_base = true;
        if let Some(config) = config {
            let text = read_text(&config).unwrap_or_default();
            let line =
                text.lines().find(|line| line.trim_start().starts_with("include-system-site-packages"));
            with_base = line.is_some_and(|line| line.to_ascii_lowercase().contains("true"));
            sites.extend(config.parent().into_iter().flat_map(|dir| packages_below(dir, version.as_deref())));
            self.add("pyvenv.cfg", config);
        }
        if with_base {
            sites.extend(packages_below(&base, version.as_deref()));
            sites.extend(packages_below(&base.join("local"), version.as_deref()));
            let home = self.home();
            sites.extend(
                home.iter().flat_map(|home| packages_below(&home.join(".local"), version.as_deref())),
            );
            let mac = home.map(|home| home.join("Library/Python"));
            let numbers = version.as_deref().map(|version| version.trim_start_matches("python"));
            let mac =
                mac.zip(numbers).map(|(dir, numbers)| dir.join(numbers).join("lib/python/site-packages"));
            sites.extend(mac.filter(|dir| dir.is_dir()));
        }
        sites.sort();
        sites.dedup();
        sites
    }

    /// Adds the packages in a directory.
    fn site(&mut self, site: &Path) {
        let mut names: Vec<_> =
            fs::read_dir(site).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        for name in names.iter().filter_map(|name| name.to_str()) {
            let path = site.join(name);
            if name.starts_with("__editable__") || name.ends_with(".egg-link") {
                self.unknown(format!("`{}` is an editable install", path.display()));
            }
            if name.ends_with(".dist-info") || name.ends_with(".egg-info") || name.ends_with(".egg") {
                self.package(&path, name);
            } else if name.ends_with(".pth") {
                self.path_file(site, &path, name);
            } else if matches!(name, "sitecustomize.py" | "usercustomize.py") {
                self.add(name, path);
            }
        }
    }

    /// Adds the metadata of one package.
    fn package(&mut self, path: &Path, name: &str) {
        if path.is_file() {
            return self.add(name, path);
        }
        let dir = if name.ends_with(".egg") { path.join("EGG-INFO") } else { path.to_path_buf() };
        for file in METADATA {
            self.add(format!("{name}/{file}"), dir.join(file));
        }
        // `"editable": true` in `dir_info`.
        let url = read_text(&dir.join("direct_url.json")).unwrap_or_default();
        let url: serde_json::Value = serde_json::from_str(&url).unwrap_or_default();
        if url["dir_info"]["editable"] == true {
            self.unknown(format!("`{}` is an editable install", path.display()));
        }
    }

    /// Adds a `.pth` file, which adds package directories or runs code.
    fn path_file(&mut self, site: &Path, path: &Path, name: &str) {
        self.add(name, path);
        let Some(text) = read_text(path) else {
            return self.unknown(format!("could not read `{}`", path.display()));
        };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line.strip_prefix("import ").or_else(|| line.strip_prefix("import\t")) {
                Some(modules) => {
                    let module = modules.split([',', ';']).next().unwrap_or_default().trim();
                    let file = format!("{module}.py");
                    if !module.contains(['.', '/']) && site.join(&file).is_file() {
                        self.add(file.clone(), site.join(file));
                    }
                }
                None if site.join(line).starts_with(site) && !line.contains("..") => {}
                None => {
                    self.unknown(format!("`{}` adds `{line}`, whose content is unknown", path.display()));
                }
            }
        }
    }

    /// Adds the script at `path`, which the interpreter at `program` runs.
    pub(super) fn python_file(&mut self, program: &Path, path: &Path) {
        let real = disk::real(path);
        self.add(self.name_of(path), path);
        let sites = self.pythons.get(program).cloned().unwrap_or_default();
        let name = file_name(&real);
        let name = name.strip_suffix("-script.py").unwrap_or(&name);
        let is_of_package = sites.iter().any(|site| provides_script(site, name));
        let bin = program.parent().and_then(|bin| bin.canonicalize().ok());
        let is_next_to_interpreter = real.parent() == bin.as_deref();
        if self.is_in_workspace(&real) && !is_next_to_interpreter {
            return;
        }
        self.found.has_foreign_script = true;
        if !is_of_package {
            self.unknown(format!("`{}` does not belong to an installed Python package", path.display()));
        }
    }

    /// Returns whether `program` is the executable that pip creates for a console script on Windows. It is identical for
    /// all versions of a package too.
    pub(super) fn is_python_launcher(&self, program: &Path) -> bool {
        let Some(dir) = program.parent().filter(|dir| dir.file_name() == Some(OsStr::new("Scripts"))) else {
            return false;
        };
        dir.with_file_name("Lib").join("site-packages").is_dir()
    }

    pub(super) fn python_launcher(&mut self, program: &Path) {
        let dir = program.parent().unwrap_or(program);
        let python = [dir.join(exe("python")), dir.with_file_name(exe("python"))];
        match python.into_iter().find(|path| is_program(path)) {
            Some(python) => {
                self.program(&python, &[]);
                self.found.has_foreign_script = true;
            }
            None => self.unknown(format!("the Python interpreter of `{}` is missing", program.display())),
        }
    }

    /// Returns the program that a shim of pyenv starts, or `None` if `program` is not a shim.
    pub(super) fn pyenv(&self, program: &Path, real: &Path) -> Option<Result<PathBuf, String>> {
        let root = program.parent().filter(|dir| dir.ends_with("shims")).and_then(Path::parent)?;
        let shims = ["bin/pyenv", "libexec/pyenv"];
        if !shims.iter().any(|path| root.join(path).exists()) || real.starts_with(root.join("versions")) {
            return None;
        }
        let name = file_name(program);
        Some(
            self.of_pyenv(root, &name)
                .ok_or_else(|| format!("could not determine which `{name}` pyenv starts")),
        )
    }

    fn of_pyenv(&self, root: &Path, name: &str) -> Option<PathBuf> {
        let first = |path: PathBuf| {
            let text = read_text(&path)?;
            let version =
                text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
            Some(version.split([' ', ':']).next()?.to_owned())
        };
        let own = self.var("PYENV_VERSION").map(|value| value.to_string_lossy().into_owned());
        let own = own.and_then(|versions| Some(versions.split(':').next()?.to_owned()));
        let near = || self.real_dir().ancestors().find_map(|dir| first(dir.join(".python-version")));
        let version = own.or_else(near).or_else(|| first(root.join("version")))?;
        if version == "system" {
            let dirs = self.path.iter().filter(|dir| !dir.ends_with("shims"));
            return dirs.map(|dir| dir.join(name)).find(|path| is_program(path));
        }
        let versions = root.join("versions");
        let exact = versions.join(&version).join("bin").join(name);
        if is_program(&exact) {
            return Some(exact);
        }
        // `3.11` stands for the latest version that begins with it.
        let entries = fs::read_dir(&versions).ok()?.flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let numbers =
            |name: &String| -> Option<Vec<u32>> { name.split('.').map(|part| part.parse().ok()).collect() };
        let fits = names.filter(|name| name.starts_with(&format!("{version}.")) && numbers(name).is_some());
        let latest = fits.max_by_key(|name| numbers(name))?;
        Some(versions.join(latest).join("bin").join(name)).filter(|path| is_program(path))
    }
}

/// Returns `python3.11` from the name of an interpreter with a version.
fn version_of(name: &str) -> Option<String> {
    let numbers = name.strip_prefix("python").filter(|rest| rest.contains('.'))?;
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    Some(format!("python{}", numbers.trim_end_matches(|c| !is_number(c))))
}

/// Returns the package directories below `prefix`, for `version` if it is known.
fn packages_below(prefix: &Path, version: Option<&str>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for lib in ["lib", "lib64", "Lib"].map(|lib| prefix.join(lib)) {
        let names = match version {
            Some(version) => vec![version.to_owned(), "python3".to_owned()],
            None => {
                let names = fs::read_dir(&lib).into_iter().flatten().flatten();
                let names = names.filter_map(|entry| entry.file_name().into_string().ok());
                names.filter(|name| name.starts_with("python") || name.starts_with("pypy")).collect()
            }
        };
        found.extend(names.iter().flat_map(|name| {
            ["site-packages", "dist-packages"].map(|packages| lib.join(name).join(packages))
        }));
        found.push(lib.join("site-packages"));
    }
    // `lib64` is often a link to `lib`.
    let real = found.iter().filter_map(|dir| dir.canonicalize().ok());
    real.filter(|dir| dir.is_dir()).collect()
}

/// Returns whether the metadata of a package in `site` lists the console script `name`.
fn provides_script(site: &Path, name: &str) -> bool {
    let entries = fs::read_dir(site).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> = names
        .filter(|name| [".dist-info", ".egg-info", ".egg"].iter().any(|end| name.ends_with(end)))
        .collect();
    // Packages often have the name of their script, so try those first.
    names.sort_by_key(|package| (!package.starts_with(&name.replace('-', "_")), package.clone()));
    let is_entry = |text: &str| {
        let key = |line: &str| line.split_once('=').is_some_and(|(key, _)| key.trim() == name);
        text.lines().any(key)
    };
    let is_file = |text: &str| {
        let path = |line: &str| line.split(',').next().unwrap_or_default().replace('\\', "/");
        let is_its = |path: String| {
            let (dir, file) = path.rsplit_once('/').unwrap_or(("", &path));
            file.trim_end_matches(".exe") == name && (dir.ends_with("bin") || dir.ends_with("Scripts"))
        };
        text.lines().map(path).any(is_its)
    };
    names.iter().any(|package| {
        let dir = site.join(package);
        let dir = if package.ends_with(".egg") { dir.join("EGG-INFO") } else { dir };
        read_text(&dir.join("entry_points.txt")).is_some_and(|text| is_entry(&text))
    }) || names.iter().any(|package| {
        let dir = site.join(package);
        let text = read_text(&dir.join("RECORD")).or_else(|| read_text(&dir.join("installed-files.txt")));
        text.is_some_and(|text| is_file(&text))
    })
}
