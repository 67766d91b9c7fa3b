//! Files that a linker reads: libraries, linker scripts and others that flags name.

use std::collections::BTreeSet;

/// Files that the output of a build script or flags of compilers give to the linker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NativeFiles {
    /// Directories in which the linker searches for libraries.
    pub dirs: BTreeSet<String>,
    /// Names of libraries.
    pub libraries: BTreeSet<String>,
    /// Texts that may be paths of other files.
    pub files: BTreeSet<String>,
}

/// Reads what a build script passes to the linker.
pub fn native_files(printed: &[u8]) -> NativeFiles {
    let printed = String::from_utf8_lossy(printed);
    let mut found = NativeFiles::default();
    for line in printed.lines().filter_map(|line| line.strip_prefix("cargo:")) {
        let Some((key, value)) = line.strip_prefix(':').unwrap_or(line).split_once('=') else { continue };
        match key {
            "rustc-link-search" => drop(found.dirs.insert(without_kind(value).to_owned())),
            "rustc-link-lib" => {
                let name = without_kind(value).split(':').next().unwrap_or_default();
                found.libraries.insert(name.to_owned());
            }
            "rustc-flags" => {
                let mut words = value.split_whitespace();
                while let Some(word) = words.next() {
                    let (flag, value) = word.split_at_checked(2).unwrap_or((word, ""));
                    let value = if value.is_empty() { words.next().unwrap_or_default() } else { value };
                    match flag {
                        "-L" => drop(found.dirs.insert(without_kind(value).to_owned())),
                        "-l" => drop(found.libraries.insert(without_kind(value).to_owned())),
                        _ => {}
                    }
                }
            }
            key if key.starts_with("rustc-") && key.contains("link-arg") => {
                // The name of a binary may precede the argument.
                found.files.extend(flag_paths(value).map(str::to_owned));
            }
            _ => {}
        }
    }
    found
}

/// Returns the parts of `flag`, a flag of a compiler or linker, that may be paths: it may pass others on, as `-Wl,-T,script.x`
/// does.
pub fn flag_paths(flag: &str) -> impl Iterator<Item = &str> {
    let parts = flag.split([',', '=', ' ']).chain([flag]).chain(flag.split_once('=').map(|(_, value)| value));
    let parts = parts.map(|part| part.trim_start_matches('@'));
    parts
        .flat_map(|part| [Some(part), part.strip_prefix("-T").or(part.strip_prefix("-L"))])
        .flatten()
        .filter(|part| !part.is_empty() && part.len() < 4096 && !part.contains(['\n', '\0']))
}

/// Returns `value` without the kind before `=`, such as `native=` or `static:+whole-archive=`.
fn without_kind(value: &str) -> &str {
    value.split_once('=').map_or(value, |(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_script_names_what_the_linker_reads() {
        let printed = "cargo:rustc-link-search=native=lib\ncargo::rustc-link-search=/opt/x\n\
                       cargo::rustc-link-lib=static:+whole-archive=f:g\ncargo:rustc-flags=-L more -lz\n\
                       cargo::rustc-link-arg-bin=app=-Wl,-T,memory.x\ncargo::rustc-cfg=a\n";
        let found = native_files(printed.as_bytes());
        assert_eq!(Vec::from_iter(&found.dirs), ["/opt/x", "lib", "more"]);
        assert_eq!(Vec::from_iter(&found.libraries), ["f", "z"]);
        assert!(found.files.contains("memory.x"), "{found:?}");
    }

    #[test]
    fn flags_name_files_wherever_they_stand() {
        for flag in [
            "-Tx.ld",
            "-Clink-arg=-Wl,--version-script=x.ld",
            "@x.ld",
            "-Clink-args=-a x.ld",
            "-Lnative=x.ld",
        ] {
            assert!(flag_paths(flag).any(|path| path == "x.ld"), "{flag}");
        }
    }
}
