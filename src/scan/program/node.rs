//! Node: finds the package of a script and the packages installed around it.
//!
//! The commands that npm puts on the path are links to scripts of packages, whose version is in their
//! `package.json`. The code they load comes from the `node_modules` directories around them. Package managers
//! record there what they have installed. If there is no such record, as with `npm install --global`, the
//! `package.json` of every package counts.

use std::fs;
use std::path::{Path, PathBuf};

use super::tracer::{Tracer, file_name};
use crate::disk;

/// Files in `node_modules` in which package managers record the installed packages.
const RECORDS: [&str; 5] =
    [".package-lock.json", ".modules.yaml", ".pnpm/lock.yaml", ".yarn-integrity", ".yarn-state.yml"];

/// Files next to `node_modules` that affect the installed packages.
const NEIGHBORS: [&str; 8] = [
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock",
    "bun.lockb",
    ".pnp.cjs",
];

/// Maximum number of packages that are listed one by one.
const MAX_PACKAGES: usize = 10_000;

impl Tracer<'_> {
    /// Adds the script at `path` and the packages it may load.
    pub(super) fn node_file(&mut self, path: &Path) {
        self.refuse_variables(&["NODE_PATH", "NODE_OPTIONS"]);
        let real = disk::real(path);
        self.add(self.name_of(path), path);
        let is_modules = |dir: &&Path| dir.file_name().is_some_and(|name| name == "node_modules");
        // The outermost directory of the package manager. Links inside of it belong to the package manager.
        let modules = real.ancestors().filter(is_modules).last().map(Path::to_path_buf);
        let manifest =
            real.ancestors().skip(1).map(|dir| dir.join("package.json")).find(|path| path.is_file());
        if let Some(modules) = &modules {
            self.found.has_foreign_script = true;
            match manifest.filter(|path| path.starts_with(modules)) {
                Some(manifest) => self.add(format!("{}/package.json", package_name(&manifest)), manifest),
                // pnpm writes scripts to `.bin` that name their package.
                None if real
                    .parent()
                    .is_some_and(|dir| dir.file_name().is_some_and(|name| name == ".bin")) => {}
                None => self.unknown(format!("`{}` does not belong to a package", path.display())),
            }
        } else if !self.is_in_workspace(&real) {
            let place = manifest.as_deref().and_then(Path::parent).unwrap_or(&real).display().to_string();
            return self.unknown(format!(
                "`{}` is loaded from `{place}`, which is not inside of `node_modules`",
                path.display()
            ));
        }
        let around = real.ancestors().skip(1).map(|dir| dir.join("node_modules")).filter(|dir| dir.is_dir());
        let all: std::collections::BTreeSet<_> = around.chain(modules).collect();
        for modules in all {
            self.node_modules(&modules);
        }
    }

    /// Adds the packages installed in one `node_modules` directory.
    fn node_modules(&mut self, modules: &Path) {
        let Some(dir) = modules.parent() else { return };
        let name = self.name_of(modules);
        for file in NEIGHBORS {
            self.add(format!("{name}/../{file}"), dir.join(file));
        }
        let mut has_record = false;
        for file in RECORDS {
            has_record |= modules.join(file).is_file();
            self.add(format!("{name}/{file}"), modules.join(file));
        }
        let mut packages = Vec::new();
        if let Err(why) = packages_in(modules, modules, !has_record, &mut packages) {
            return self.unknown(why);
        }
        for package in packages {
            let within = package.strip_prefix(modules).unwrap_or(&package).to_string_lossy().into_owned();
            self.add(format!("{name}/{within}/package.json"), package.join("package.json"));
        }
    }
}

/// Collects the packages in `dir`, which is `modules` or inside of it. If `is_deep`, the packages nested in them
/// are included, otherwise only links are checked. Returns an error if a link leads out of `modules`.
fn packages_in(modules: &Path, dir: &Path, is_deep: bool, packages: &mut Vec<PathBuf>) -> Result<(), String> {
    let mut entries: Vec<_> = fs::read_dir(dir).into_iter().flatten().flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_symlink() {
            let real = path.canonicalize().ok();
            let is_within = real
                .as_deref()
                .zip(modules.canonicalize().ok())
                .is_some_and(|(real, own)| real.starts_with(own));
            if real.is_some() && !is_within {
                return Err(format!("`{}` is a link to a package outside of `node_modules`", path.display()));
            }
            continue;
        }
        if !kind.is_dir() || name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if name.as_encoded_bytes().starts_with(b"@") {
            packages_in(modules, &path, is_deep, packages)?;
            continue;
        }
        if is_deep {
            if packages.len() >= MAX_PACKAGES {
                return Err(format!(
                    "`{}` has more than {MAX_PACKAGES} packages and no lock file",
                    modules.display()
                ));
            }
            let nested = path.join("node_modules");
            packages.push(path);
            packages_in(modules, &nested, true, packages)?;
        }
    }
    Ok(())
}

/// Returns the name of a package from the location of its manifest.
fn package_name(manifest: &Path) -> String {
    let dir = manifest.parent().unwrap_or(manifest);
    let scope = dir.parent().map(file_name).filter(|name| name.starts_with('@'));
    scope.map_or_else(|| file_name(dir), |scope| format!("{scope}/{}", file_name(dir)))
}
