//! Evaluates conditions for a target triple: `x86_64-unknown-linux-gnu` is `unix` but not `target_os = "macos"`.

use crate::model::cfg::Truth;

/// Target platform, identified by its triple.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform(String);

/// Operating systems of the `unix` family.
const UNIX: [&str; 16] = [
    "aix",
    "android",
    "cygwin",
    "dragonfly",
    "emscripten",
    "freebsd",
    "haiku",
    "illumos",
    "ios",
    "linux",
    "macos",
    "netbsd",
    "openbsd",
    "redox",
    "solaris",
    "tvos",
];

impl Platform {
    /// Returns the platform of `triple`.
    pub fn new(triple: impl Into<String>) -> Self {
        Self(triple.into())
    }

    fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('-')
    }

    /// Returns the operating system as in `target_os`, or `None` if the triple has no known one.
    fn os(&self) -> Option<&str> {
        let of = |part| match part {
            "darwin" => Some("macos"),
            "androideabi" => Some("android"),
            "none" => Some("none"),
            "windows" | "wasi" | "fuchsia" | "hermit" | "uefi" | "watchos" | "visionos" | "wasip1"
            | "wasip2" => Some(if part.starts_with("wasi") { "wasi" } else { part }),
            part => UNIX
                .into_iter()
                .find(|os| *os == part)
                .or((part == "unknown" && self.is_wasm()).then_some("unknown")),
        };
        // `linux-android` is Android.
        self.parts().skip(1).filter_map(of).last()
    }

    fn is_wasm(&self) -> bool {
        self.0.starts_with("wasm")
    }

    fn family(&self) -> Option<Vec<&'static str>> {
        let of_os = match self.os()? {
            "windows" => vec!["windows"],
            os if UNIX.contains(&os) || matches!(os, "watchos" | "visionos") => vec!["unix"],
            _ => Vec::new(),
        };
        Some(of_os.into_iter().chain(self.is_wasm().then_some("wasm")).collect())
    }

    fn arch(&self) -> Option<&str> {
        let first = self.parts().next()?;
        Some(match first {
            "i386" | "i486" | "i586" | "i686" => "x86",
            "arm64" | "arm64e" | "arm64ec" => "aarch64",
            _ if first.starts_with("armv") || first.starts_with("thumbv") => "arm",
            _ if first.starts_with("riscv64") => "riscv64",
            _ if first.starts_with("riscv32") => "riscv32",
            "x86_64" | "aarch64" | "wasm32" | "wasm64" | "s390x" | "arm" => first,
            // Others have more than one name.
            _ => return None,
        })
    }

    /// Returns whether this flag, or key with this value, holds. `Maybe` if the triple does not decide it, `None` if
    /// the condition does not depend on the platform.
    pub fn truth(&self, name: &str, value: Option<&str>) -> Option<Truth> {
        let is = |known: Option<&str>| known.map_or(Truth::Maybe, |known| Truth::from(Some(known) == value));
        let in_family = |name: &str| self.family().map_or(Truth::Maybe, |all| all.contains(&name).into());
        Some(match (name, value) {
            ("unix" | "windows", None) => in_family(name),
            ("target_family", Some(family)) => in_family(family),
            ("target_os", Some(_)) => is(self.os()),
            ("target_arch", Some(_)) => is(self.arch()),
            ("target_env", Some("msvc")) => self.parts().any(|part| part == "msvc").into(),
            ("target_vendor", Some(vendor)) => {
                let is_named = self.parts().nth(1) == Some(vendor);
                if is_named { Truth::Yes } else { Truth::Maybe }
            }
            (name, _) if name.starts_with("target_") => Truth::Maybe,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(triple: &str, holds: &[(&str, Option<&str>)], not: &[(&str, Option<&str>)]) {
        let platform = Platform::new(triple);
        for (expected, list) in [(Truth::Yes, holds), (Truth::No, not)] {
            for (name, value) in list {
                assert_eq!(platform.truth(name, *value), Some(expected), "{triple}: {name} {value:?}");
            }
        }
    }

    #[test]
    fn a_triple_determines_system_family_and_architecture() {
        let (unix, windows) = (("unix", None), ("windows", None));
        let os = |name| ("target_os", Some(name));
        let arch = |name| ("target_arch", Some(name));
        let wasm = ("target_family", Some("wasm"));
        check(
            "x86_64-unknown-linux-gnu",
            &[unix, os("linux"), arch("x86_64")],
            &[windows, os("macos"), wasm],
        );
        check("aarch64-apple-darwin", &[unix, os("macos"), arch("aarch64")], &[windows, os("linux")]);
        check("x86_64-pc-windows-msvc", &[windows, os("windows"), ("target_env", Some("msvc"))], &[unix]);
        check("wasm32-unknown-unknown", &[wasm, arch("wasm32"), os("unknown")], &[unix, windows]);
        check("wasm32-wasip1", &[wasm, os("wasi")], &[unix, windows]);
        check("i686-linux-android", &[unix, os("android"), arch("x86")], &[os("linux")]);
        check("thumbv7em-none-eabihf", &[os("none"), arch("arm")], &[unix]);
    }

    #[test]
    fn conditions_unrelated_to_the_triple_are_undecided() {
        let platform = Platform::new("x86_64-unknown-linux-gnu");
        assert_eq!(platform.truth("target_pointer_width", Some("64")), Some(Truth::Maybe));
        assert_eq!(platform.truth("feature", Some("x")), None);
        assert_eq!(platform.truth("loom", None), None);
    }
}
