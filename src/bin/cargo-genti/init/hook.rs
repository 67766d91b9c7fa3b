//! The git hook that `init` writes, and its entry in the configuration of pre-commit. Does no I/O.

use super::surroundings::Surroundings;

/// Configuration of pre-commit, which prek reads as well.
pub(super) const PRE_COMMIT: &str = ".pre-commit-config.yaml";

/// Path of the script that pre-commit runs, relative to the workspace root.
pub(super) const SCRIPT: &str = ".config/genti/pre-commit.sh";

/// Name of the hook in the configuration of pre-commit.
const ID: &str = "id: genti";

/// Returns the text of the hook.
pub(super) fn render(found: &Surroundings) -> String {
    let script = include_str!("hook.sh").replace("VERSION", env!("CARGO_PKG_VERSION"));
    // The value from the repository comes last, so that it is not replaced.
    script.replace("PLACE", &quoted(&found.dir))
}

/// Returns true if `text` is that of a hook that `init` wrote.
pub(super) fn is_own(text: &str) -> bool {
    text.contains("Written by `cargo genti init --pre-commit`")
}

/// Returns true if the configuration of pre-commit in `text` has the hook.
pub(super) fn is_in(text: &str) -> bool {
    text.lines().any(|line| line.trim().trim_start_matches("- ").trim() == ID)
}

/// Returns the entry for the configuration of pre-commit, indented by `indent`.
pub(super) fn entry(found: &Surroundings, indent: &str) -> String {
    let script = match found.dir.as_str() {
        "." => SCRIPT.to_owned(),
        dir => format!("{dir}/{SCRIPT}"),
    };
    let lines = [
        "- repo: local".to_owned(),
        "  hooks:".to_owned(),
        format!("    - {ID}"),
        "      name: cargo genti check (staged files)".to_owned(),
        format!("      entry: \"sh {}\"", quoted(&script).replace('\\', "\\\\").replace('"', "\\\"")),
        "      language: system".to_owned(),
        "      pass_filenames: false".to_owned(),
        "      always_run: true".to_owned(),
    ];
    lines.map(|line| format!("{indent}{line}\n")).concat()
}

/// Returns the configuration of pre-commit in `text` with the entry behind the last one. Returns `None` if `repos` is not a
/// list in block style.
pub(super) fn with_entry(text: &str, found: &Surroundings) -> Option<String> {
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let is_key = |line: &&str| line.split('#').next().unwrap_or_default().trim_end() == "repos:";
    let begin = lines.iter().position(is_key)? + 1;
    let is_inside = |line: &&str| line.starts_with([' ', '-', '#', '\n', '\r']);
    let inside = lines[begin..].iter().take_while(|line| is_inside(line)).count();
    let is_item = |line: &&str| line.trim_start().starts_with("- ");
    let first = lines[begin..begin + inside].iter().find(|line| is_item(line))?;
    let indent = &first[..first.len() - first.trim_start().len()];
    let is_entry = |line: &&&str| !line.trim().is_empty() && !line.starts_with('#');
    let behind = lines[begin..begin + inside].iter().rev().skip_while(|line| !is_entry(line)).count();
    let (before, after) = lines.split_at(begin + behind);
    let before = before.concat();
    let end = if before.ends_with('\n') { "" } else { "\n" };
    Some(before + end + &entry(found, indent) + &after.concat())
}

/// Quotes `text` for a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_');
    match text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use saphyr::{LoadableYamlNode, Yaml};

    use super::super::surroundings::Surroundings;
    use super::*;

    fn found(dir: &str) -> Surroundings {
        Surroundings { dir: dir.to_owned(), ..Surroundings::default() }
    }

    #[test]
    fn an_entry_is_added_behind_the_last_one() {
        let old = "# ours\nrepos:\n  - repo: a\n    hooks:\n      - id: b\n\n# end\nfail_fast: true\n";
        let new = with_entry(old, &found("it's")).unwrap();
        let documents = Yaml::load_from_str(&new).unwrap();
        let hook = &documents[0]["repos"][1]["hooks"][0];
        assert_eq!(hook["id"].as_str(), Some("genti"), "{new}");
        assert_eq!(hook["entry"].as_str(), Some("sh 'it'\\''s/.config/genti/pre-commit.sh'"));
        assert_eq!(hook["pass_filenames"].as_bool(), Some(false));
        assert_eq!(documents[0]["repos"][0]["hooks"][0]["id"].as_str(), Some("b"));
        assert_eq!(documents[0]["fail_fast"].as_bool(), Some(true));
        assert_eq!(new.replace(&entry(&found("it's"), "  "), ""), old, "everything else stays");
        assert!(is_in(&new) && !is_in(old));

        let new = with_entry("repos:\n- repo: a\n  hooks: [{id: b}]", &found(".")).unwrap();
        let documents = Yaml::load_from_str(&new).unwrap();
        assert_eq!(
            documents[0]["repos"][1]["hooks"][0]["entry"].as_str(),
            Some("sh .config/genti/pre-commit.sh")
        );
    }

    #[test]
    fn a_list_in_another_style_is_left_alone() {
        for text in ["repos: []\n", "", "a: 1\n", "repos:\n", "repos:\nx: 1\n"] {
            assert_eq!(with_entry(text, &found(".")), None, "{text}");
        }
    }
}
