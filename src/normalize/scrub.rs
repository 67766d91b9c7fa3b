//! Removes machine-specific parts from text and paths. Works on names of directories only and does not read the disk.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

use super::names::OddNames;
use crate::model::path::RelPath;
use crate::model::workspace::Workspace;

/// Makes text and paths independent of the machine. The workspace root is removed, a member outside of it becomes
/// `../member`, cargo's build directories `[TARGET]`, the home directory `[HOME]` and the temporary directory `[TMP]`.
#[derive(Clone, Debug)]
pub struct Scrub {
    root: PathBuf,
    /// Directory from which the paths that the tool prints are relative.
    start: PathBuf,
    /// Directories of members outside the root.
    outside: Vec<RelPath>,
    /// Absolute names of the root and of these members.
    sources: Vec<(PathBuf, RelPath)>,
    /// Directories in which cargo builds.
    targets: Vec<PathBuf>,
    /// File names that would break the output of tools.
    odd_names: OddNames,
    /// Top of the repository, relative to the root. Empty if it is the root itself.
    top: RelPath,
    /// Cargo's download directories. They may lie in the repository but are not part of it.
    downloads: Vec<PathBuf>,
    /// Directories and their replacements, longest first. An empty replacement stands for the root.
    prefixes: Vec<(String, String)>,
    /// Symbolic links to directories in the workspace, with their targets. All paths are absolute.
    links: Vec<(PathBuf, PathBuf)>,
}

impl Scrub {
    /// Creates a scrubber. All directories must be absolute.
    pub fn new(workspace: &Workspace, home: Option<&Path>, temp: &Path) -> Self {
        let dirs = workspace.packages.iter().map(|package| &package.dir);
        let mut scrub = Self {
            root: workspace.root.clone(),
            start: workspace.root.clone(),
            outside: dirs.filter(|dir| dir.is_outside()).cloned().collect(),
            sources: Vec::new(),
            targets: Vec::new(),
            odd_names: OddNames::of(workspace),
            top: RelPath::default(),
            downloads: Vec::new(),
            prefixes: Vec::new(),
            links: Vec::new(),
        };
        scrub.add_prefix(temp, "[TMP]");
        if let Some(home) = home {
            scrub.add_prefix(home, "[HOME]");
        }
        scrub.with_target(&workspace.target_dir).with_target(&workspace.build_dir).with_root(&workspace.root)
    }

    /// Adds another directory that cargo builds in. Scrubbed text does not show which one was used.
    #[must_use]
    pub fn with_target(mut self, dir: &Path) -> Self {
        if !self.targets.iter().any(|known| known == dir) {
            self.add_prefix(dir, "[TARGET]");
            self.targets.push(dir.to_path_buf());
        }
        self
    }

    /// Adds another name of the root, because some tools resolve symbolic links before they print a path. Members
    /// outside are expected at the same relative paths from there.
    #[must_use]
    pub fn with_root(mut self, root: &Path) -> Self {
        self.add_prefix(root, "");
        self.sources.push((root.to_path_buf(), RelPath::default()));
        for dir in self.outside.clone() {
            let place = self.plain(&dir.to_path(root));
            self.add_prefix(&place, &dir.to_string());
            self.sources.push((place, dir));
        }
        self
    }

    /// Adds the repository around `root`, whose top is at `up` relative to it. Files in the repository keep their
    /// names, except those that cargo downloaded into it.
    #[must_use]
    pub fn with_repository(mut self, root: &Path, up: &RelPath, downloads: Option<&Path>) -> Self {
        let top = self.plain(&up.to_path(root));
        self.add_prefix(&top, &up.to_string());
        self.sources.push((top, up.clone()));
        self.top = up.clone();
        self.downloads.extend(downloads.map(Path::to_path_buf));
        self
    }

    /// Sets the links to directories. `..` after a link continues from the target of the link. All paths are absolute.
    #[must_use]
    pub fn with_links(mut self, links: Vec<(PathBuf, PathBuf)>) -> Self {
        self.links = links;
        self
    }

    /// Returns one for the output of a tool that starts in `dir` below the root, from which the paths it prints are relative.
    #[must_use]
    pub fn starting_in(&self, dir: &RelPath) -> Self {
        Self { start: dir.to_path(&self.root), ..self.clone() }
    }

    /// Removes `.` and `..` from `path`.
    fn plain(&self, path: &Path) -> PathBuf {
        let mut plain = PathBuf::new();
        for part in path.components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir => {
                    if let Some((_, real)) = self.links.iter().find(|(link, _)| *link == plain) {
                        plain.clone_from(real);
                    }
                    // Has no effect at `/`.
                    plain.pop();
                }
                part => plain.push(part),
            }
        }
        plain
    }

    /// Resolves `raw` relative to the top of the repository.
    pub(super) fn seen_from_top(&self, raw: &[u8]) -> Option<RelPath> {
        let raw = self.top.join(raw).to_path(&self.root);
        self.path(raw.as_os_str().as_encoded_bytes())
    }

    fn add_prefix(&mut self, dir: &Path, stand_in: &str) {
        // `/` as home or root says nothing and would match everywhere.
        if dir.components().any(|part| matches!(part, Component::Normal(_))) {
            let dir = dir.to_string_lossy();
            self.prefixes.push((dir.trim_end_matches(['/', '\\']).to_owned(), stand_in.to_owned()));
            // If two replacements apply to one directory, the one for sources wins.
            self.prefixes
                .sort_by_key(|(dir, stand_in)| (std::cmp::Reverse(dir.len()), stand_in.starts_with('[')));
        }
    }

    /// Returns whether a file of the workspace has a name that breaks lines.
    pub(super) fn has_odd_names(&self) -> bool {
        !self.odd_names.is_empty()
    }

    /// Returns `output` with odd file names disguised. Read names back with [`names`](super::names).
    pub(super) fn with_plain_names<'a>(&self, output: &'a [u8]) -> Cow<'a, [u8]> {
        self.odd_names.disguise(output)
    }

    /// Removes escape sequences and directories of this machine from `text`.
    pub fn text(&self, text: &str) -> String {
        self.with_root_as("", text)
    }

    /// Like [`text`](Self::text), but with `[CWD]` for the root, as in golden files.
    pub(super) fn golden(&self, text: &str) -> String {
        self.with_root_as("[CWD]", text)
    }

    fn with_root_as(&self, root: &str, text: &str) -> String {
        without_hashes(self.without_dirs(root, text))
    }

    /// Scrubs a part of an output as far as possible without the rest. [`without_hashes`] completes the job for all
    /// parts. Absolute paths become relative to the directory in which the tool starts, like those that it prints itself, so
    /// that [`path`](Self::path) finds the file of both.
    pub(super) fn part(&self, bytes: &[u8]) -> String {
        let up = RelPath::between(&self.start, &self.root).filter(|up| !up.is_root());
        let root = up.map(|up| up.to_string()).unwrap_or_default();
        self.without_dirs(&root, &String::from_utf8_lossy(bytes)).into_owned()
    }

    fn without_dirs<'t>(&self, root: &str, text: &'t str) -> Cow<'t, str> {
        let mut text = strip_escapes(text);
        for (dir, stand_in) in &self.prefixes {
            let stand_in = if stand_in.is_empty() { root } else { stand_in };
            if let Some(replaced) = replace_dir(&text, dir, stand_in) {
                text = Cow::Owned(replaced);
            }
        }
        text
    }

    /// Like [`text`](Self::text), but replaces bytes that are not UTF-8 with `�`.
    pub fn lossy(&self, bytes: &[u8]) -> String {
        self.text(&String::from_utf8_lossy(bytes))
    }

    /// Returns a line for quoting in a reason: shortened, and without what differs between runs.
    pub(super) fn quote(&self, line: &[u8]) -> String {
        const CHARS: usize = 400;
        // A line may be as long as the whole output. Truncate well after the quoted part, because a truncated directory
        // would not be scrubbed.
        let line = &line[..line.len().min(CHARS * 4)];
        volatile(&self.lossy(line)).trim_end().chars().take(CHARS).collect()
    }

    /// Returns the name to show for a path outside the workspace, which is the same on every machine. In most directories
    /// this is only the file name.
    pub fn foreign(&self, raw: &[u8]) -> String {
        // Name a path that leads through the workspace and out of it by its destination.
        let bytes = RelPath::new(raw);
        let path = bytes.as_os_path();
        let has_dots = path.components().any(|part| part == Component::ParentDir);
        let text = match (has_dots, path.is_absolute()) {
            (false, _) => self.lossy(raw),
            (true, true) => self.text(&self.plain(&path).to_string_lossy()),
            (true, false) => RelPath::between(&self.root, &self.plain(&self.start.join(&path)))
                .map_or_else(|| self.lossy(raw), |path| path.to_string()),
        };
        let path = Path::new(&text);
        match path.file_name().filter(|_| path.is_absolute() || is_in_own_directory(path)) {
            Some(name) => format!("[OUTSIDE]/{}", name.to_string_lossy()),
            None => text,
        }
    }

    /// Converts a path that a tool printed, absolute or relative to where it started, without `.` and needless `..`. Returns
    /// `None` if it lies outside the workspace and its repository, or in a build directory, since generated files are
    /// not sources.
    pub fn path(&self, raw: &[u8]) -> Option<RelPath> {
        let raw = RelPath::new(raw);
        let raw = raw.as_os_path();
        if raw.as_os_str().is_empty() {
            return None;
        }
        let path = self.plain(&self.start.join(raw));
        if self.targets.iter().any(|target| path.starts_with(target)) {
            return None;
        }
        // Use the innermost one, because a member outside may contain the root.
        let around = self.sources.iter().filter(|(place, _)| path.starts_with(place));
        let (place, dir) = around.max_by_key(|(place, _)| place.as_os_str().len())?;
        let is_download = || self.downloads.iter().any(|dir| path.starts_with(dir));
        if dir.is_outside() && is_download() {
            return None;
        }
        let below = RelPath::between(place, &path)?;
        (!self.runs_into_another(&below)).then(|| dir.join(below.as_bytes()))
    }

    /// Returns whether `path` has a space and then a directory of this machine: damaged output, in which a line continues
    /// with the text of another one.
    fn runs_into_another(&self, path: &RelPath) -> bool {
        let text = String::from_utf8_lossy(path.as_bytes());
        let follows_space = |at: usize| text[..at].ends_with(char::is_whitespace);
        self.prefixes.iter().any(|(dir, _)| text.match_indices(dir.as_str()).any(|(at, _)| follows_space(at)))
    }
}

/// Returns whether scrubbed `path` is in a directory below the home or temporary directory that somebody chose the name of.
/// Programs choose the hidden ones in a home directory, such as `.cargo`.
fn is_in_own_directory(path: &Path) -> bool {
    let mut names = path.iter().map(|name| name.to_string_lossy());
    let (start, first, is_below) = (names.next(), names.next(), names.next().is_some());
    match (start.as_deref(), first) {
        (Some("[HOME]"), Some(first)) => is_below && !first.starts_with('.'),
        (Some("[TMP]"), Some(_)) => is_below,
        _ => false,
    }
}

/// Removes cargo's hashes from the names of artifacts. These hashes depend on absolute paths.
pub(super) fn without_hashes(text: Cow<'_, str>) -> String {
    static HASH: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"-[0-9a-f]{16}\b").expect("valid"));
    if text.contains("[TARGET]") {
        HASH.replace_all(&text, "-[HASH]").into_owned()
    } else {
        text.into_owned()
    }
}

/// Removes escape sequences from `text`. No escape character remains, not even one of a broken sequence.
pub(super) fn strip_escapes(text: &str) -> Cow<'_, str> {
    static ESCAPE: LazyLock<Regex> = LazyLock::new(|| {
        let csi = r"\[[0-?]*[ -/]*[@-~]";
        let osc = r"\][^\x07\x1b]*(?:\x07|\x1b\\)";
        Regex::new(&format!(r"\x1b(?:{csi}|{osc}|[ -/]*[0-Z\\^-~])?")).expect("valid")
    });
    ESCAPE.replace_all(text, "")
}

/// Removes times and thread ids from `text`, because they differ between runs.
pub(super) fn volatile(text: &str) -> String {
    static VOLATILE: LazyLock<[(Regex, &str); 3]> = LazyLock::new(|| {
        let regex = |pattern| Regex::new(pattern).expect("valid");
        [
            (
                regex(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)?"),
                "[TIME]",
            ),
            (regex(r"\b\d+(?:\.\d+)?\s?(?:ns|µs|us|ms|s|secs?|seconds?|m|mins?|minutes?)\b"), "[TIME]"),
            (regex(r"(thread '[^']*') \(\d+\)"), "$1"),
        ]
    });
    VOLATILE.iter().fold(text.to_owned(), |text, (regex, with)| regex.replace_all(&text, *with).into_owned())
}

/// Replaces `dir` with `stand_in` wherever it is the beginning of a path. Returns `None` if there is nothing to
/// replace.
fn replace_dir(text: &str, dir: &str, stand_in: &str) -> Option<String> {
    let mut out = String::new();
    let mut copied = 0;
    for (at, _) in text.match_indices(dir) {
        let rest = &text[at + dir.len()..];
        if at < copied || !may_begin_path(&text[..at]) || !may_end_name(rest) {
            continue;
        }
        out.push_str(&text[copied..at]);
        copied = at + dir.len();
        let below = rest.strip_prefix(['/', '\\']);
        match below {
            Some(below) if stand_in.is_empty() && below.starts_with(|c| is_path_char(c) || c == '.') => {
                copied += 1;
            }
            _ => out.push_str(if stand_in.is_empty() { "." } else { stand_in }),
        }
    }
    (copied > 0).then(|| out + &text[copied..])
}

fn is_path_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}

/// Returns whether a path may begin after `before`: not inside another path, but directly after a flag (`-L/lib`).
fn may_begin_path(before: &str) -> bool {
    let mut back = before.chars().rev();
    match back.next() {
        Some(c) if c.is_ascii_alphabetic() => {
            back.next() == Some('-')
                && !back.next().is_some_and(|c| is_path_char(c) || matches!(c, '.' | '/'))
        }
        Some(c) => !is_path_char(c) && c != '.',
        None => true,
    }
}

/// Returns whether the last name of a path ends before `rest`: `ws` in `ws/a`, but not in `ws2/a`.
fn may_end_name(rest: &str) -> bool {
    let mut rest = rest.chars();
    match rest.next() {
        Some('.') => !rest.next().is_some_and(is_path_char),
        Some(c) => !is_path_char(c),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalize::testing::workspace;

    /// Returns the scrubber of a workspace with these members in `/home/me/ws`.
    fn scrub_of(members: &[&str]) -> Scrub {
        let members: Vec<_> = members.iter().map(|dir| (*dir, &[][..])).collect();
        let workspace = Workspace {
            root: "/home/me/ws".into(),
            target_dir: "/home/me/ws/target".into(),
            build_dir: "/home/me/ws/target".into(),
            ..workspace(&members, &[])
        };
        Scrub::new(&workspace, Some(Path::new("/home/me")), Path::new("/tmp"))
    }

    fn scrub() -> Scrub {
        scrub_of(&["", "f"])
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(scrub().text(text), expected);
    }

    #[test]
    fn a_name_that_runs_into_another_path_is_not_a_path_of_the_workspace() {
        let raw = b"\x08\xbc[Error: failed to resolve: /home/me/ws/a.rs does not exist";
        assert_eq!(scrub().path(raw), None);
        assert!(!scrub().foreign(raw).contains("/home/me"));
        assert_eq!(scrub().path(b"[id]/home/me/ws/a b.rs"), Some(RelPath::new("[id]/home/me/ws/a b.rs")));
    }

    #[test]
    fn machine_directories_are_replaced_longest_first() {
        check("see /home/me/ws/src/lib.rs:3", "see src/lib.rs:3");
        check("`f v0.1.0 (/home/me/ws/f)`", "`f v0.1.0 (f)`");
        check("in /home/me/ws", "in .");
        check("in /home/me/ws/ and `/home/me/ws`.", "in ./ and `.`.");
        check("/home/me/ws/target/debug/x", "[TARGET]/debug/x");
        check("/home/me/.cargo/registry, /tmp/rustcAb", "[HOME]/.cargo/registry, [TMP]/rustcAb");
        check("/home/me/ws/.config/x", ".config/x");
        check("file:///home/me/ws/a#0.1.0", "file://a#0.1.0");
        check("-L/tmp/x -I/home/me/i", "-L[TMP]/x -I[HOME]/i");
    }

    #[test]
    fn other_paths_are_unchanged() {
        check("/home/me/ws2/a", "[HOME]/ws2/a");
        check("/home/me2/a", "/home/me2/a");
        check("src/tmp/a ../tmp/b", "src/tmp/a ../tmp/b");
    }

    #[test]
    fn the_build_directory_does_not_show() {
        let scrub =
            scrub().with_target(Path::new("/home/me/ws/target/genti/build")).with_target(Path::new("/b"));
        for text in ["/home/me/ws/target/debug/x", "/home/me/ws/target/genti/build/debug/x", "/b/debug/x"] {
            assert_eq!(scrub.text(text), "[TARGET]/debug/x");
            assert_eq!(scrub.path(text.as_bytes()), None);
        }
    }

    #[test]
    fn artifact_hashes_are_dropped() {
        check("/home/me/ws/target/build/f-28e73eca5c9648dd/out", "[TARGET]/build/f-[HASH]/out");
        check("f-28e73eca5c9648dd", "f-28e73eca5c9648dd");
    }

    #[test]
    fn no_escape_character_remains() {
        check("\x1b[1;31merror\x1b[0m", "error");
        check("\x1b]8;;http://x\x1b\\link\x1b]8;;\x07", "link");
        check("\x1b\x1b[0m[31m", "[31m");
        check("end\x1b", "end");
    }

    #[test]
    fn a_root_directory_as_workspace_hides_nothing_else() {
        let workspace = Workspace {
            root: "/".into(),
            target_dir: "/target".into(),
            build_dir: "/target".into(),
            ..workspace(&[], &[])
        };
        let scrub = Scrub::new(&workspace, Some(Path::new("/")), Path::new("/tmp"));
        assert_eq!(scrub.text("/etc/x /tmp/y"), "/etc/x [TMP]/y");
        assert_eq!(scrub.path(b"/etc/x"), Some(RelPath::new("etc/x")));
    }

    #[test]
    fn dots_after_a_link_continue_from_its_target() {
        let (link, real) = (PathBuf::from("/home/me/ws/a/link"), PathBuf::from("/home/me/ws/b/deep"));
        let scrub = scrub().with_links(vec![(link, real)]);
        let path = |raw: &str| scrub.path(raw.as_bytes()).unwrap();
        assert_eq!(path("a/link/../x.rs"), RelPath::new("b/x.rs"));
        assert_eq!(path("a/link/x.rs"), RelPath::new("a/link/x.rs"));
        assert_eq!(path("a/other/../x.rs"), RelPath::new("a/x.rs"));
    }

    #[test]
    fn paths_become_relative_and_normalized() {
        let path =
            |raw: &[u8]| scrub().with_root(Path::new("/real/ws")).path(raw).map(|path| path.to_string());
        assert_eq!(path(b"src/lib.rs").as_deref(), Some("src/lib.rs"));
        assert_eq!(path(b"/home/me/ws/a b\n\xff").as_deref(), Some("a b%0A%FF"));
        assert_eq!(path(b"./src/../shared.in").as_deref(), Some("shared.in"));
        assert_eq!(path(b"/real/ws/x").as_deref(), Some("x"));
        for outside in [&b"/home/me/out/x"[..], b"../x", b"/home/me/ws2/x", b"target/debug/g.rs", b""] {
            assert_eq!(path(outside), None);
        }
    }

    #[test]
    fn a_member_outside_of_the_root_keeps_its_paths() {
        let scrub = scrub_of(&["", "../../far/m", "../out"]).with_root(Path::new("/real/me/ws"));
        let path = |raw: &[u8]| scrub.path(raw).map(|path| path.to_string());
        assert_eq!(path(b"/home/me/out/src/lib.rs").as_deref(), Some("../out/src/lib.rs"));
        assert_eq!(path(b"a/../../out/x").as_deref(), Some("../out/x"));
        assert_eq!(path(b"/home/far/m").as_deref(), Some("../../far/m"));
        assert_eq!(path(b"/real/me/out/x").as_deref(), Some("../out/x"));
        for outside in [&b"/home/me/out2/x"[..], b"/home/far/x", b"../x"] {
            assert_eq!(path(outside), None);
        }
        assert_eq!(
            scrub.text("/home/me/out/x:1 `/home/far/m` /real/me/out /home/me/out2"),
            "../out/x:1 `../../far/m` ../out [HOME]/out2"
        );

        // A member that contains the root and is also the home directory.
        let scrub = scrub_of(&["", ".."]);
        let path = |raw: &[u8]| scrub.path(raw).map(|path| path.to_string());
        assert_eq!(path(b"/home/me/x").as_deref(), Some("../x"));
        assert_eq!(path(b"/home/me/ws/x").as_deref(), Some("x"));
        assert_eq!(path(b"/home/me/ws/target/x"), None);
        assert_eq!(scrub.text("/home/me/x /home/me/ws/x /home/me/ws/target/x"), "../x x [TARGET]/x");
    }

    #[test]
    fn files_of_the_repository_keep_their_paths_but_downloads_do_not() {
        let root = Path::new("/home/me/ws");
        let scrub = scrub().with_repository(root, &RelPath::new("../.."), Some(Path::new("/home/.cargo")));
        let path = |raw: &[u8]| scrub.path(raw).map(|path| path.to_string());
        assert_eq!(path(b"/home/shared/s.rs").as_deref(), Some("../../shared/s.rs"));
        assert_eq!(path(b"f/src/../../../../shared/s.rs").as_deref(), Some("../../shared/s.rs"));
        assert_eq!(path(b"/home/me/ws/src/lib.rs").as_deref(), Some("src/lib.rs"));
        for outside in [&b"/home/.cargo/registry/src/x/lib.rs"[..], b"/home/me/ws/target/g.rs", b"/homes/x"] {
            assert_eq!(path(outside), None);
        }
        assert_eq!(scrub.text("/home/shared/s.rs:3 in /home"), "../../shared/s.rs:3 in ../..");
        assert_eq!(scrub.seen_from_top(b"shared/s.rs"), Some(RelPath::new("../../shared/s.rs")));
        assert_eq!(scrub.seen_from_top(b"me/ws/src/lib.rs"), Some(RelPath::new("src/lib.rs")));
    }

    #[test]
    fn paths_are_relative_to_the_directory_in_which_the_tool_starts() {
        let root = Path::new("/home/me/ws");
        let scrub = scrub().with_repository(root, &RelPath::new("../.."), None);
        let scrub = scrub.starting_in(&RelPath::new("web/app"));
        let path = |raw: &[u8]| scrub.path(raw).map(|path| path.to_string());
        assert_eq!(path(b"src/x.ts").as_deref(), Some("web/app/src/x.ts"));
        assert_eq!(path(b"../../src/lib.rs").as_deref(), Some("src/lib.rs"));
        assert_eq!(path(b"/home/me/ws/src/lib.rs").as_deref(), Some("src/lib.rs"));
        assert_eq!(scrub.seen_from_top(b"me/ws/src/lib.rs"), Some(RelPath::new("src/lib.rs")));
        assert_eq!(scrub.text("in /home/me/ws/web/app/x"), "in web/app/x");
        assert_eq!(scrub.part(b"at /home/me/ws/src/lib.rs"), "at ../../src/lib.rs");
        assert_eq!(path(b"../../src/lib.rs").as_deref(), Some("src/lib.rs"));
        assert_eq!(scrub.foreign(b"../../../../../x"), "../../../x");
    }

    #[test]
    fn a_path_with_detours_is_named_by_its_destination() {
        let foreign = |raw: &[u8]| scrub().foreign(raw);
        assert_eq!(foreign(b"f/src/../../../shared/s.rs"), "../shared/s.rs");
        assert_eq!(foreign(b"/home/me/ws/f/../../shared/s.rs"), "[OUTSIDE]/s.rs");
        assert_eq!(foreign(b"../e"), "../e");
        assert_eq!(foreign(b"/x/../y/e"), "[OUTSIDE]/e");
    }

    #[test]
    fn directories_that_differ_between_machines_are_not_named() {
        let foreign = |raw: &[u8]| scrub().foreign(raw);
        assert_eq!(foreign(b"/tmp/.tmpab12/out/s.rs"), "[OUTSIDE]/s.rs");
        assert_eq!(foreign(b"/tmp/s.rs"), "[TMP]/s.rs");
        assert_eq!(foreign(b"/home/me/work/out/s.rs"), "[OUTSIDE]/s.rs");
        assert_eq!(foreign(b"/home/me/s.rs"), "[HOME]/s.rs");
        assert_eq!(foreign(b"/home/me/.cargo/registry/src/x/s.rs"), "[HOME]/.cargo/registry/src/x/s.rs");
    }

    #[test]
    fn text_that_differs_between_runs_is_dropped() {
        assert_eq!(
            volatile("thread 'main' (8383) panicked at a.rs:1:2"),
            "thread 'main' panicked at a.rs:1:2"
        );
        assert_eq!(
            volatile("done in 0.53s, 12 ms at 2024-01-02T03:04:05Z"),
            "done in [TIME], [TIME] at [TIME]"
        );
        assert_eq!(volatile("3 errors, 4 modules"), "3 errors, 4 modules");
    }
}
