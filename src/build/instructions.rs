//! Instructions for cargo that a generator gives: recorded with its unit and printed in every build, also if the unit is
//! skipped.

use std::fmt::Display;

use super::{Error, Output, cargo};

/// Each method corresponds to the instruction of cargo with the same name. The instruction is part of the result of the
/// generator: it also has an effect if the generator is skipped because nothing changed. Instructions are printed in the
/// order of the inputs.
impl Output<'_> {
    /// Sets an environment variable for the compilation of the crate (`rustc-env`), to be read with `env!`.
    ///
    /// # Errors
    ///
    /// Returns an error if cargo can't represent the name or the value: it has a line break or whitespace at its end.
    ///
    /// ```
    /// # use genti::build::Plan;
    /// let plan = Plan::new().once(|out| out.rustc_env("BUILD_NUMBER", 17));
    /// # let _ = plan;
    /// ```
    pub fn rustc_env(&mut self, name: &str, value: impl Display) -> Result<(), Error> {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(Error::new(format!("invalid name of an environment variable: {name:?}")));
        }
        self.instruct("rustc-env", format!("{name}={value}"))
    }

    /// Enables a `cfg` for the crate (`rustc-cfg`), such as `fast` or `simd="avx2"`. Declare it with
    /// [`check_cfg`](Output::check_cfg).
    ///
    /// # Errors
    ///
    /// Returns an error if the text has a line break or whitespace at its end.
    ///
    /// ```
    /// # use genti::build::Plan;
    /// let plan = Plan::new().inputs("features/*.txt").each(|input, out| {
    ///     out.check_cfg(format!("cfg({})", input.stem()))?;
    ///     if input.text()?.trim() == "on" { out.cfg(input.stem()) } else { Ok(()) }
    /// });
    /// # let _ = plan;
    /// ```
    pub fn cfg(&mut self, cfg: impl Display) -> Result<(), Error> {
        self.instruct("rustc-cfg", cfg)
    }

    /// Declares a `cfg` that may be enabled (`rustc-check-cfg`), such as `cfg(fast)` or
    /// `cfg(simd, values("avx2", "neon"))`.
    ///
    /// # Errors
    ///
    /// Returns an error if the text has a line break or whitespace at its end.
    ///
    /// ```
    /// # use genti::build::Plan;
    /// let plan = Plan::new().once(|out| out.check_cfg("cfg(fast)"));
    /// # let _ = plan;
    /// ```
    pub fn check_cfg(&mut self, cfg: impl Display) -> Result<(), Error> {
        self.instruct("rustc-check-cfg", cfg)
    }

    /// Links the crate with a library (`rustc-link-lib`), such as `z` or `static=parser`.
    ///
    /// # Errors
    ///
    /// Returns an error if the text has a line break or whitespace at its end.
    ///
    /// ```
    /// # use genti::build::Plan;
    /// let plan = Plan::new().once(|out| out.link_lib("z"));
    /// # let _ = plan;
    /// ```
    pub fn link_lib(&mut self, lib: impl Display) -> Result<(), Error> {
        self.instruct("rustc-link-lib", lib)
    }

    /// Adds a directory in which the linker looks for libraries (`rustc-link-search`), such as `native=/opt/lib`. If the
    /// package or its `OUT_DIR` moves, the generator runs again, so the path may be in either.
    ///
    /// # Errors
    ///
    /// Returns an error if the text has a line break or whitespace at its end.
    ///
    /// ```
    /// # use genti::build::Plan;
    /// let plan = Plan::new().once(|out| {
    ///     out.write("libempty.a", "!<arch>\n")?;
    ///     out.link_search(format!("native={}", out.out_dir().display()))?;
    ///     out.link_lib("static=empty")
    /// });
    /// # let _ = plan;
    /// ```
    pub fn link_search(&mut self, dir: impl Display) -> Result<(), Error> {
        self.instruct("rustc-link-search", dir)
    }

    /// Passes an argument to the linker (`rustc-link-arg`).
    ///
    /// # Errors
    ///
    /// Returns an error if the text has a line break or whitespace at its end.
    ///
    /// ```
    /// # use genti::build::Plan;
    /// let plan = Plan::new().once(|out| out.link_arg("-Wl,-z,now"));
    /// # let _ = plan;
    /// ```
    pub fn link_arg(&mut self, arg: impl Display) -> Result<(), Error> {
        self.instruct("rustc-link-arg", arg)
    }

    /// Sets metadata for the build scripts of packages that depend on this one, which read it as `DEP_LINKS_KEY`. The
    /// package needs `links` in its manifest.
    ///
    /// # Errors
    ///
    /// Returns an error if the key is the name of an instruction, or if cargo can't represent the key or the value.
    ///
    /// ```
    /// # use genti::build::Plan;
    /// let plan = Plan::new().once(|out| out.metadata("include", out.out_dir().display().to_string()));
    /// # let _ = plan;
    /// ```
    pub fn metadata(&mut self, key: &str, value: impl Display) -> Result<(), Error> {
        let is_instruction = key.starts_with("rustc-") || key.starts_with("rerun-if-");
        if key.is_empty() || key.contains(['=', ':']) || is_instruction || matches!(key, "warning" | "error")
        {
            return Err(Error::new(format!("invalid key of metadata: {key:?}")));
        }
        self.instruct(key, value)
    }

    /// Shows a warning (`warning`). It may have several lines. Cargo shows warnings of workspace members only.
    ///
    /// ```
    /// # use genti::build::Plan;
    /// let plan = Plan::new().inputs("words/*.txt").each(|input, out| {
    ///     if input.bytes().is_empty() {
    ///         out.warning(format!("{}: this list is empty", input.path().display()));
    ///     }
    ///     out.write(input.with_extension("rs"), "")
    /// });
    /// # let _ = plan;
    /// ```
    pub fn warning(&mut self, message: impl Display) {
        let lines = cargo::warning(&message.to_string());
        self.lines.extend(lines.lines().map(str::to_owned));
    }

    fn instruct(&mut self, directive: &str, value: impl Display) -> Result<(), Error> {
        let line = format!("cargo:{directive}={value}");
        if line.contains(['\n', '\r']) || line.trim_end() != line {
            let message = "cargo can't read a value with a line break or whitespace at its end";
            return Err(Error::new(format!("{message}: {line:?}")));
        }
        self.lines.push(line);
        Ok(())
    }
}

/// Returns the instruction in a printed line, which cargo recognizes in spite of spaces around it.
pub(super) fn instruction_in(line: &str) -> Option<&str> {
    let line = line.trim();
    line.starts_with("cargo:").then_some(line)
}

/// Returns what to use instead of printing `instruction`.
pub(super) fn instead_of(instruction: &str) -> &'static str {
    let directive = instruction.trim_start_matches("cargo:").trim_start_matches(':');
    match directive.split('=').next().unwrap_or_default() {
        "rustc-env" => "`out.rustc_env`",
        "rustc-cfg" => "`out.cfg`",
        "rustc-check-cfg" => "`out.check_cfg`",
        "rustc-link-lib" => "`out.link_lib`",
        "rustc-link-search" => "`out.link_search`",
        "rustc-flags" => "`out.link_lib` and `out.link_search`",
        "warning" => "`out.warning`",
        "error" => "an `Error` that the generator returns",
        "rerun-if-changed" => "`out.depends_on`",
        "rerun-if-env-changed" => "`Plan::env`",
        other if other.starts_with("rustc-") => "`out.link_arg`",
        _ => "`out.metadata`",
    }
}

/// Returns the name of the variable that `line` sets, and the value.
pub(super) fn variable_in(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("cargo:rustc-env=")?.split_once('=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_has_a_method() {
        let check = |line: &str, expected: &str| assert_eq!(instead_of(line), expected, "{line}");
        check("cargo:rustc-link-lib=z", "`out.link_lib`");
        check("cargo::rustc-env=A=B", "`out.rustc_env`");
        check("cargo:include=/x", "`out.metadata`");
        check("cargo::metadata=include=/x", "`out.metadata`");
        check("cargo::rustc-link-arg-bins=-s", "`out.link_arg`");
        assert_eq!(instruction_in("  cargo::warning=x "), Some("cargo::warning=x"));
        assert_eq!(instruction_in("cargo build"), None);
    }
}
