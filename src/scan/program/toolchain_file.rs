//! Toolchain files: `rust-toolchain.toml`, and its former name `rust-toolchain`, which may consist of the name alone.

use std::path::{Path, PathBuf};

use toml::Table;
use toml::de::DeTable;

use super::read_text;

/// Names of toolchain files. rustup reads the first one that exists.
const NAMES: [&str; 2] = ["rust-toolchain", "rust-toolchain.toml"];

/// Content of a toolchain file.
pub(super) enum ToolchainFile {
    Channel(String),
    Path(String),
    /// Does not select a toolchain.
    Default,
}

/// Reads the toolchain file in `dir`, if there is one.
pub(super) fn read(dir: &Path) -> Option<Result<ToolchainFile, String>> {
    let (path, text) = find(dir)?;
    if is_bare(&path, &text) {
        return Some(Ok(ToolchainFile::Channel(text.trim().to_owned())));
    }
    let Ok(table) = text.parse::<Table>() else {
        return Some(Err(format!("could not parse the toolchain file in `{}`", dir.display())));
    };
    let key = |key: &str| table.get("toolchain")?.get(key)?.as_str().map(str::to_owned);
    let named = key("channel").map(ToolchainFile::Channel).or_else(|| key("path").map(ToolchainFile::Path));
    Some(Ok(named.unwrap_or(ToolchainFile::Default)))
}

/// Returns the toolchain that the toolchain file of the directory `root`, or of one above, names exactly: a version, a day, or a
/// path. Only a change of the file can bring another toolchain then.
pub fn pinned_toolchain(root: &Path) -> Option<String> {
    match root.ancestors().find_map(read)?.ok()? {
        ToolchainFile::Channel(name) => Some(name).filter(|name| is_exact_toolchain(name)),
        ToolchainFile::Path(path) => Some(path),
        ToolchainFile::Default => None,
    }
}

/// Returns true if rustup reads equal toolchain files for the directories `dir` and `other`, or none for both.
pub fn has_same_toolchain_file(dir: &Path, other: &Path) -> bool {
    let text = |dir: &Path| dir.ancestors().find_map(find).map(|(_, text)| text);
    text(dir) == text(other)
}

/// Returns true if `name` always means the same toolchain, such as `1.95` or `nightly-2026-05-19`.
pub fn is_exact_toolchain(name: &str) -> bool {
    let is_number = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    is_number(name) || name.split_once('-').is_some_and(|(_, rest)| is_number(rest))
}

/// A toolchain file that names a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedChannel {
    /// Path of the file.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// The channel.
    pub channel: String,
}

impl NamedChannel {
    /// Reads the toolchain file of the directory `root`, or of one above it up to `top`. `None` if there is none, or if it names no
    /// channel.
    pub fn find(root: &Path, top: &Path) -> Option<Self> {
        let dirs = root.ancestors().take_while(|dir| dir.starts_with(top));
        let (path, text) = dirs.into_iter().find_map(find)?;
        let ToolchainFile::Channel(channel) = read(path.parent()?)?.ok()? else { return None };
        Some(Self { path, text, channel })
    }

    /// Returns the text of the file with another channel, and everything else unchanged.
    pub fn with(&self, channel: &str) -> Option<String> {
        if is_bare(&self.path, &self.text) {
            return Some(self.text.replacen(self.text.trim(), channel, 1));
        }
        let document = DeTable::parse(&self.text).ok()?;
        let toolchain = document.get_ref().get("toolchain")?.get_ref().as_table()?;
        let span = toolchain.get("channel")?.span();
        let mut text = self.text.clone();
        text.replace_range(span, &toml::Value::from(channel).to_string());
        Some(text)
    }
}

/// Returns the path and the text of the toolchain file in `dir`.
fn find(dir: &Path) -> Option<(PathBuf, String)> {
    let paths = NAMES.map(|name| dir.join(name));
    paths.into_iter().find_map(|path| Some((path.clone(), read_text(&path)?)))
}

/// Returns true if the file consists of the name alone.
fn is_bare(path: &Path, text: &str) -> bool {
    path.file_name().is_some_and(|name| name == NAMES[0])
        && text.lines().count() == 1
        && !text.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, text: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("below")).unwrap();
        std::fs::write(dir.path().join(name), text).unwrap();
        dir
    }

    #[track_caller]
    fn check_pinned(name: &str, text: &str, expected: Option<&str>) {
        let dir = written(name, text);
        assert_eq!(pinned_toolchain(&dir.path().join("below")).as_deref(), expected, "{text}");
    }

    #[test]
    fn a_version_a_day_and_a_path_are_exact() {
        check_pinned("rust-toolchain.toml", "[toolchain]\nchannel = \"1.95.0\"\n", Some("1.95.0"));
        check_pinned("rust-toolchain", "1.95\n", Some("1.95"));
        check_pinned("rust-toolchain", "nightly-2026-05-19", Some("nightly-2026-05-19"));
        check_pinned("rust-toolchain.toml", "toolchain.path = \"/opt/rust\"", Some("/opt/rust"));
        check_pinned("rust-toolchain", "stable\n", None);
        check_pinned("rust-toolchain", "stable-x86_64-unknown-linux-gnu\n", None);
        check_pinned("rust-toolchain.toml", "[toolchain]\nprofile = \"minimal\"\n", None);
        check_pinned("rust-toolchain.toml", "[toolchain", None);
    }

    #[track_caller]
    fn check_with(name: &str, text: &str, expected: &str) {
        let dir = written(name, text);
        let found = NamedChannel::find(&dir.path().join("below"), dir.path()).unwrap();
        assert_eq!(found.with("1.96").as_deref(), Some(expected));
        assert_eq!(NamedChannel::find(&dir.path().join("below"), &dir.path().join("below")), None);
    }

    #[test]
    fn only_the_channel_of_a_file_changes() {
        check_with("rust-toolchain", "1.95\n", "1.96\n");
        check_with(
            "rust-toolchain.toml",
            "# Pinned.\n[toolchain]\nchannel = '1.95.0' # here\ncomponents = [\"clippy\"]\n",
            "# Pinned.\n[toolchain]\nchannel = \"1.96\" # here\ncomponents = [\"clippy\"]\n",
        );
        check_with(
            "rust-toolchain",
            "[toolchain]\nchannel = \"stable\"\n",
            "[toolchain]\nchannel = \"1.96\"\n",
        );
    }
}
