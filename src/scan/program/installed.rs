//! Other toolchains than the one of a run, as rustup has them. Installs nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Missing, NO_INSTALL, NOT_INSTALLED, Programs, exe, is_program, read_missing, words_of};
use crate::disk;
use crate::model::tool::Tool;
use crate::scan::environment::Env;

/// An installed toolchain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    /// Name under which it was asked for, such as `1.95` or `stable`.
    pub name: String,
    /// Its directory.
    pub sysroot: PathBuf,
    /// Version that its compiler prints.
    pub version: String,
}

/// Reason why a toolchain can't be used.
#[derive(Debug, thiserror::Error)]
pub enum NoToolchain {
    /// The toolchain, a component of it, or rustup is not installed.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The compiler could not be started, or failed.
    #[error("could not use the toolchain `{name}`: {message}")]
    Failed {
        /// Name of the toolchain.
        name: String,
        /// Description by rustup or the system.
        message: String,
    },
}

impl Env {
    /// Returns the environment in which cargo, rustc and the other programs are those of `toolchain`, as in `cargo +NAME`. rustup
    /// installs nothing then.
    #[must_use]
    pub fn in_toolchain(&self, toolchain: &Toolchain) -> Self {
        let mut env = self.clone();
        env.set("CARGO", toolchain.cargo());
        env.set("RUSTUP_TOOLCHAIN", &toolchain.name);
        env.set(NO_INSTALL.0, NO_INSTALL.1);
        env
    }
}

impl Env {
    /// Returns the environment in which every directory uses the toolchain of `programs`, whatever toolchain files are there.
    #[must_use]
    pub fn pinned_to(&self, programs: &Programs) -> Self {
        let Some(sysroot) = programs.sysroot() else { return self.clone() };
        // rustup has already chosen it if it started this program.
        let name = self.get("RUSTUP_TOOLCHAIN").map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_else(|| sysroot.display().to_string());
        self.in_toolchain(&Toolchain { name, sysroot: sysroot.to_path_buf(), version: String::new() })
    }
}

impl Programs {
    /// Returns the toolchain called `name`, with which all of `tools` can run.
    ///
    /// # Errors
    ///
    /// If it or one of the needed components is not installed.
    pub fn installed_toolchain(&self, name: &str, tools: &[Tool]) -> Result<Toolchain, NoToolchain> {
        let components = components(tools);
        let install = |what: &str| format!("rustup toolchain install {name} --profile minimal{what}");
        let flags: String = components.iter().map(|(component, _)| format!(" -c {component}")).collect();
        let compiler = self.proxy("rustc").ok_or_else(|| Missing::program("rustup", None))?;
        let failed = |message: String| NoToolchain::Failed { name: name.to_owned(), message };
        let word = format!("+{name}");
        let ask = |args: &[&str]| {
            let mut command = Command::new(&compiler);
            command.arg(&word).args(args).env(NO_INSTALL.0, NO_INSTALL.1).current_dir(&self.root);
            let output = command.output().map_err(|error| failed(error.to_string()))?;
            if output.status.success() {
                return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
            }
            match read_missing(&output.stderr, ["rustc", &word], None) {
                Some(missing) => Err(Missing { install: Some(install(&flags)), ..missing }.into()),
                None => {
                    let message = String::from_utf8_lossy(&output.stderr);
                    let line = message.lines().next().unwrap_or_default();
                    Err(failed(line.trim_start_matches("error: ").to_owned()))
                }
            }
        };
        let sysroot = PathBuf::from(ask(&["--print", "sysroot"])?);
        if let Some((component, _)) =
            components.iter().find(|(_, program)| !is_program(&sysroot.join("bin").join(exe(program))))
        {
            return Err(Missing {
                kind: "component ",
                program: (*component).to_owned(),
                why: NOT_INSTALLED,
                install: Some(format!("rustup component add --toolchain {name} {component}")),
            }
            .into());
        }
        Ok(Toolchain { name: name.to_owned(), version: ask(&["--version"])?, sysroot })
    }
}

impl Toolchain {
    /// Returns true if this is the toolchain in the directory `sysroot`.
    pub fn is_at(&self, sysroot: &Path) -> bool {
        disk::real(&self.sysroot) == disk::real(sysroot)
    }

    /// Returns the path of its cargo.
    pub(crate) fn cargo(&self) -> PathBuf {
        self.sysroot.join("bin").join(exe("cargo"))
    }
}

/// Returns the components of a toolchain that `tools` need beyond the minimal ones, each with a program of it. Tools with a toolchain
/// of their own need none.
fn components(tools: &[Tool]) -> Vec<(&'static str, &'static str)> {
    let needs = |subcommand: &str, programs: &[&str]| {
        tools.iter().filter(|tool| tool.toolchain().is_none()).any(|tool| {
            let words: Vec<_> = words_of(tool).take(2).collect();
            match words.as_slice() {
                ["cargo", word, ..] => *word == subcommand,
                [program, ..] => programs.contains(program),
                [] => false,
            }
        })
    };
    let clippy = needs("clippy", &["cargo-clippy", "clippy-driver"]).then_some(("clippy", "cargo-clippy"));
    let rustfmt = needs("fmt", &["cargo-fmt", "rustfmt"]).then_some(("rustfmt", "rustfmt"));
    clippy.into_iter().chain(rustfmt).collect()
}
