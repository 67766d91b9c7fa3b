//! Removes lint levels from the environment of tools.
//!
//! A verdict must be the same for everybody, and levels exported by CI to fail on warnings would prevent findings
//! from being compared with the baseline.
//!
//! Levels in files of cargo's configuration that are not committed are removed too. Levels that are committed, in `[lints]` or
//! `.cargo/config.toml`, are not handled here, and other flags stay. A variable that becomes empty is removed because an empty
//! `RUSTFLAGS` makes cargo ignore `build.rustflags`.
//!
//! Flags are read as rustc and rustdoc read them: `@FILE` is replaced with the lines of a file, short flags may be
//! combined (`-OAwarnings`), and a value may be part of the same word or be the next word.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::model::notice::IgnoredLevels;

/// Reads the file of `@FILE`. Returns `None` if it can't be read.
pub(super) type Read<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Removes all lint levels from `vars` and returns them, sorted by variable.
pub(super) fn remove_levels(vars: &mut BTreeMap<OsString, OsString>, read: &Read<'_>) -> Vec<IgnoredLevels> {
    let mut all = Vec::new();
    let found = vars.iter().filter_map(|(name, value)| {
        Some((name.clone(), split_levels(name.to_str()?, value.to_str()?, read)?))
    });
    let found: Vec<_> = found.collect();
    for (name, (rest, ignored)) in found {
        match rest {
            Some(rest) => vars.insert(name, rest.into()),
            None => vars.remove(&name),
        };
        all.push(ignored);
    }
    all
}

/// Returns the levels in lists of flags that are separate arguments. The name of their source is left empty.
pub(super) fn in_flags(lists: impl Iterator<Item = Vec<String>>) -> IgnoredLevels {
    let mut all = IgnoredLevels { variable: String::new(), levels: Vec::new(), only_raises: true };
    for list in lists {
        let Flags { levels, only_raises, .. } = Flags::read(list, ARGUMENTS, &|_| None, &|_| true);
        all.levels.extend(levels);
        all.only_raises &= only_raises;
    }
    all
}

/// Removes `levels` from `flags`, which are separate arguments.
pub(super) fn without(flags: Vec<String>, levels: &[IgnoredLevels]) -> Vec<String> {
    let is_ignored = |level: &str| levels.iter().any(|own| own.levels.iter().any(|own| own == level));
    Flags::read(flags, ARGUMENTS, &|_| None, &is_ignored).kept
}

/// Separator of flags that are separate arguments.
const ARGUMENTS: Separator = Separator::Text("\u{1f}");

/// Returns the rest of the variable `name` and the removed levels, or `None` if it sets no levels.
fn split_levels(name: &str, value: &str, read: &Read<'_>) -> Option<(Option<String>, IgnoredLevels)> {
    if name == "CARGO_BUILD_WARNINGS" {
        let only_raises = value == "deny";
        return Some((
            None,
            IgnoredLevels { variable: name.to_owned(), levels: vec![value.to_owned()], only_raises },
        ));
    }
    let separator = Separator::of(name)?;
    let Flags { kept, levels, only_raises } = Flags::read(separator.words(value), separator, read, &|_| true);
    if levels.is_empty() {
        return None;
    }
    let rest = (!kept.is_empty()).then(|| kept.join(separator.text()));
    Some((rest, IgnoredLevels { variable: name.to_owned(), levels, only_raises }))
}

/// Separator between the flags in a variable.
#[derive(Clone, Copy)]
enum Separator {
    /// A space. Cargo trims other white space from each flag.
    Blank,
    /// Any white space.
    WhiteSpace,
    /// A fixed text.
    Text(&'static str),
}

impl Separator {
    /// Returns the separator of the variable `name`, if it holds flags of rustc or rustdoc.
    fn of(name: &str) -> Option<Self> {
        let is_of = |suffix: &str| name.starts_with("CARGO_") && name.ends_with(suffix);
        match name {
            "CARGO_ENCODED_RUSTFLAGS" | "CARGO_ENCODED_RUSTDOCFLAGS" => Some(Self::Text("\u{1f}")),
            "CLIPPY_ARGS" => Some(Self::Text("__CLIPPY_HACKERY__")),
            "RUSTFLAGS" | "RUSTDOCFLAGS" => Some(Self::Blank),
            // Flags from `[build]`, a target, a profile, or the host.
            _ if is_of("_RUSTFLAGS") || is_of("_RUSTDOCFLAGS") => Some(Self::WhiteSpace),
            _ => None,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Blank | Self::WhiteSpace => " ",
            Self::Text(text) => text,
        }
    }

    /// Splits `value` into flags.
    fn words(self, value: &str) -> Vec<String> {
        let words: Vec<_> = match self {
            Self::Blank => value.split(' ').map(str::trim).collect(),
            Self::WhiteSpace => value.split_whitespace().collect(),
            Self::Text(text) => value.split(text).collect(),
        };
        words.into_iter().filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }
}

/// Flags split into lint levels and others.
#[derive(Debug, Default)]
struct Flags {
    kept: Vec<String>,
    levels: Vec<String>,
    only_raises: bool,
}

/// A flag, and the index of the argument it came from.
struct FlagWord {
    text: String,
    given: usize,
}

impl Flags {
    /// Reads `given`. Levels for which `is_removed` returns false are kept like other flags.
    fn read(
        given: Vec<String>,
        separator: Separator,
        read: &Read<'_>,
        is_removed: &dyn Fn(&str) -> bool,
    ) -> Self {
        let mut words = Vec::new();
        for (at, text) in given.iter().enumerate() {
            // Lines that can't be written in this variable stay in the file.
            let lines =
                text.strip_prefix('@').and_then(read).map(|lines| lines.lines().map(str::to_owned).collect());
            let lines: Option<Vec<_>> = lines;
            let can_be_inlined = |lines: &Vec<String>| {
                lines.iter().all(|line| separator.words(line) == std::slice::from_ref(line))
            };
            match lines.filter(can_be_inlined) {
                Some(lines) => words.extend(lines.into_iter().map(|text| FlagWord { text, given: at })),
                None => words.push(FlagWord { text: text.clone(), given: at }),
            }
        }
        let mut flags = Self { only_raises: true, ..Self::default() };
        let mut kept = Vec::new();
        let mut has_level = vec![false; given.len()];
        let mut rest = words.as_slice();
        while let Some((first, others)) = rest.split_first() {
            let flag = Flag::of(&first.text, others.first().map(|word| word.text.as_str()));
            let (own, next) = rest.split_at(if flag.takes_next && !others.is_empty() { 2 } else { 1 });
            rest = next;
            let text = |before: &str| {
                let text = own.iter().map(|word| word.text.strip_prefix(before).unwrap_or(&word.text));
                let dash = if before.is_empty() { "" } else { "-" };
                format!("{dash}{}", text.collect::<Vec<_>>().join(" "))
            };
            match flag.level.filter(|level| is_removed(&text(level.before))) {
                None => kept.extend(own.iter().map(|word| (word.given, word.text.clone()))),
                Some(LevelFlag { before, raises }) => {
                    own.iter().for_each(|word| has_level[word.given] = true);
                    kept.extend((!before.is_empty()).then(|| (first.given, before.to_owned())));
                    flags.levels.push(text(before));
                    flags.only_raises &= raises;
                }
            }
        }
        // A file that sets no level is kept unchanged.
        for (at, text) in given.into_iter().enumerate() {
            match has_level[at] {
                true => flags
                    .kept
                    .extend(kept.iter().filter(|(given, _)| *given == at).map(|(_, text)| text.clone())),
                false => flags.kept.push(text),
            }
        }
        flags
    }
}

/// A flag as rustc parses it.
struct Flag<'a> {
    /// True if the next word is its value.
    takes_next: bool,
    level: Option<LevelFlag<'a>>,
}

/// A flag that sets a lint level.
struct LevelFlag<'a> {
    /// Short flags in front of it in the same word, including the `-`.
    before: &'a str,
    raises: bool,
}

/// Long flags of rustc and rustdoc that take a value, possibly as the next word.
const WITH_VALUE: [&str; 40] = [
    "cfg",
    "check-cfg",
    "check-theme",
    "codegen",
    "color",
    "crate-name",
    "crate-type",
    "crate-version",
    "default-setting",
    "default-theme",
    "diagnostic-width",
    "edition",
    "emit",
    "error-format",
    "explain",
    "extend-css",
    "extern",
    "extern-html-root-url",
    "html-after-content",
    "html-before-content",
    "html-in-header",
    "index-page",
    "json",
    "library-path",
    "markdown-after-content",
    "markdown-before-content",
    "markdown-css",
    "out-dir",
    "output",
    "output-format",
    "print",
    "remap-path-prefix",
    "resource-suffix",
    "sysroot",
    "target",
    "test-args",
    "test-run-directory",
    "test-runtool",
    "test-runtool-arg",
    "theme",
];

impl<'a> Flag<'a> {
    fn of(word: &'a str, next: Option<&str>) -> Self {
        let plain = |takes_next| Self { takes_next, level: None };
        let level =
            |takes_next, before, raises| Self { takes_next, level: Some(LevelFlag { before, raises }) };
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) =
                long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            return match name {
                "deny" | "forbid" => level(value.is_none(), "", true),
                "allow" | "warn" | "force-warn" | "cap-lints" => level(value.is_none(), "", false),
                name => plain(value.is_none() && WITH_VALUE.contains(&name)),
            };
        }
        let Some(short) = word.strip_prefix('-') else { return plain(false) };
        for (at, letter) in short.char_indices() {
            let value = &short[at + letter.len_utf8()..];
            let before = if at == 0 { "" } else { &word[..at + 1] };
            match letter {
                // These flags have no value and may be followed by another flag.
                'g' | 'h' | 'O' | 'q' | 'v' | 'V' => {}
                'A' | 'W' => return level(value.is_empty(), before, false),
                'D' | 'F' => return level(value.is_empty(), before, true),
                'Z' => {
                    let text = if value.is_empty() { next.unwrap_or_default() } else { value };
                    return match sets_level(text) {
                        true => level(value.is_empty(), before, false),
                        false => plain(value.is_empty()),
                    };
                }
                'C' | 'e' | 'l' | 'L' | 'o' => return plain(value.is_empty()),
                _ => return plain(false),
            }
        }
        plain(false)
    }
}

/// Returns whether the unstable flag `text` adds an attribute to each crate that sets a lint level.
fn sets_level(text: &str) -> bool {
    let attribute = text.strip_prefix("crate-attr=").or_else(|| text.strip_prefix("crate_attr="));
    let Some(attribute) = attribute else { return false };
    let words = attribute.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    words.into_iter().any(|word| ["allow", "deny", "expect", "forbid", "warn"].contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [(&str, &str); 3] = [
        ("levels", "-Awarnings\n-C\ntarget-cpu=native\n"),
        ("spaces", "-Awarnings\n--cfg=a=\"b c\"\n"),
        ("value", "warnings\n"),
    ];

    fn read(path: &str) -> Option<String> {
        FILES.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned())
    }

    #[track_caller]
    fn check(value: &str, rest: Option<&str>, levels: &[&str]) {
        let mut vars = BTreeMap::from([("RUSTFLAGS".into(), value.into())]);
        let ignored = remove_levels(&mut vars, &read);
        let found: Vec<_> = ignored.iter().flat_map(|ignored| &ignored.levels).collect();
        assert_eq!(found, levels, "{value}");
        assert_eq!(vars.values().next().and_then(|value| value.to_str()), rest, "{value}");
    }

    #[test]
    fn lint_levels_are_removed_however_they_are_written() {
        for level in [
            "-Awarnings",
            "-A warnings",
            "-W unused",
            "-Dwarnings",
            "-F unsafe_code",
            "--allow=warnings",
            "--allow warnings",
            "--warn=unused",
            "--deny warnings",
            "--forbid unsafe_code",
            "--force-warn dead_code",
            "--force-warn=dead_code",
            "--cap-lints=allow",
            "--cap-lints warn",
            "-Zcrate-attr=allow(warnings)",
            "-Z crate-attr=cfg_attr(all(),deny(warnings))",
            "-Zcrate_attr=forbid(unsafe_code)",
        ] {
            check(level, None, &[level]);
            check(&format!("-C opt-level=1 {level} -g"), Some("-C opt-level=1 -g"), &[level]);
        }
        check("-gOAwarnings", Some("-gO"), &["-Awarnings"]);
        check("-vD warnings", Some("-v"), &["-D warnings"]);
        check("-D", None, &["-D"]);
    }

    #[test]
    fn other_flags_are_unchanged() {
        for flags in [
            "",
            "-C target-cpu=native --cfg tokio_unstable",
            "-C -Awarnings",
            "--cfg -Awarnings",
            "--html-in-header -Dfile.html",
            "-Ctarget-feature=+A,-D",
            "-LAwarnings",
            "-Zcrate-attr=feature(deny_x)",
            "-Zshare-generics=y",
            "--document-private-items",
            "@missing",
            "-",
        ] {
            check(flags, Some(flags), &[]);
        }
    }

    #[test]
    fn flags_in_an_argument_file_are_read() {
        check("@levels", Some("-C target-cpu=native"), &["-Awarnings"]);
        check("-A @value -g", Some("-g"), &["-A warnings"]);
        check("-O @levels -D warnings", Some("-O -C target-cpu=native"), &["-Awarnings", "-D warnings"]);
        // The other flags of this file can't be written in a space-separated variable.
        check("@spaces -Dunused", Some("@spaces"), &["-Dunused"]);
        let mut vars = BTreeMap::from([("CARGO_ENCODED_RUSTFLAGS".into(), "@spaces\u{1f}-g".into())]);
        assert_eq!(remove_levels(&mut vars, &read).len(), 1);
        assert_eq!(vars.values().next().unwrap(), "--cfg=a=\"b c\"\u{1f}-g");
    }

    #[test]
    fn every_variable_with_flags_is_checked() {
        let names = [
            "CARGO_BUILD_RUSTDOCFLAGS",
            "CARGO_BUILD_RUSTFLAGS",
            "CARGO_BUILD_WARNINGS",
            "CARGO_ENCODED_RUSTDOCFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_HOST_RUSTFLAGS",
            "CARGO_PROFILE_DEV_RUSTFLAGS",
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTDOCFLAGS",
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS",
            "CLIPPY_ARGS",
            "RUSTDOCFLAGS",
            "RUSTFLAGS",
        ];
        let mut vars: BTreeMap<OsString, OsString> =
            names.iter().map(|name| (name.into(), "-Dwarnings".into())).collect();
        let others = [("CFLAGS", "-Wall"), ("MY_RUSTFLAGS", "-Dwarnings"), ("RUSTC_WRAPPER", "sccache")];
        vars.extend(others.map(|(name, value)| (name.into(), value.into())));
        let ignored = remove_levels(&mut vars, &read);
        assert_eq!(ignored.iter().map(|ignored| ignored.variable.as_str()).collect::<Vec<_>>(), names);
        let raise: Vec<_> = ignored.iter().filter(|ignored| !ignored.only_raises).collect();
        assert_eq!(raise.len(), 1, "`-Dwarnings` is not a valid value of {raise:?}");
        assert_eq!(vars.len(), others.len());
    }

    #[test]
    fn white_space_separates_flags_where_cargo_says_so() {
        let left = |name: &str, value: &str| {
            let mut vars = BTreeMap::from([(name.into(), value.into())]);
            let levels: Vec<_> =
                remove_levels(&mut vars, &read).into_iter().flat_map(|one| one.levels).collect();
            (vars.into_values().next().and_then(|rest| rest.into_string().ok()), levels)
        };
        let some = |rest: &str, level: &str| (Some(rest.to_owned()), vec![level.to_owned()]);
        assert_eq!(left("RUSTFLAGS", "-g \n-Adead_code\n"), some("-g", "-Adead_code"));
        assert_eq!(left("RUSTDOCFLAGS", "\t-A dead_code\n"), (None, vec!["-A dead_code".to_owned()]));
        // This is a single flag, which no compiler accepts.
        assert_eq!(left("RUSTFLAGS", "-g\t-Adead_code"), (Some("-g\t-Adead_code".to_owned()), vec![]));
        for name in ["CARGO_BUILD_RUSTFLAGS", "CARGO_TARGET_A_RUSTFLAGS", "CARGO_BUILD_RUSTDOCFLAGS"] {
            assert_eq!(left(name, "-g\t-A\n dead_code"), some("-g", "-A dead_code"), "{name}");
        }
    }

    #[test]
    fn levels_that_only_raise_are_recognized() {
        let raises = |flags: &str| {
            let mut vars = BTreeMap::from([("RUSTDOCFLAGS".into(), flags.into())]);
            remove_levels(&mut vars, &read)[0].only_raises
        };
        assert!(raises("-D warnings -F unsafe_code --deny=unused"));
        assert!(!raises("-D warnings -A unused") && !raises("--cap-lints deny"));
    }
}
