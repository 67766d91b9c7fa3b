//! The key `copy` of a tool: it runs in a copy of the repository, and may change the files there.

use toml::de::DeTable;

use super::reader::ConfigReader;
use crate::model::tool::{Per, Sandbox, Tool};

/// Reports keys that don't fit a `tool` that runs in a copy of the repository.
pub(super) fn check(reader: &mut ConfigReader<'_>, tool: &Tool, table: &DeTable<'_>, is_built_in: bool) {
    let Some(value) = table.get("copy").filter(|_| tool.copy) else { return };
    let why = if is_built_in {
        Some(("it is a built-in tool", "define a tool of your own with another name"))
    } else if tool.parse.work().is_for_others() {
        Some(("other tools use what it builds", "remove `copy`"))
    } else if tool.per != Per::Workspace {
        Some(("each process would have a copy of its own", "write `per = \"workspace\"`, or remove `copy`"))
    } else {
        None
    };
    if let Some((why, help)) = why {
        let message = format!("`{}` can't run in a copy of the repository, because {why}", tool.name);
        return reader.report_with(value.span(), message, help);
    }
    if let Some(cache) = table.get("cache").filter(|cache| cache.get_ref().as_bool() != Some(false)) {
        let help = "remove it; what it does to the files of its copy is not known";
        reader.report_with(
            cache.span(),
            "results of a tool that runs in a copy of the repository are never cached",
            help,
        );
    }
    if let Some(sandbox) = &tool.sandbox {
        check_sandbox(reader, sandbox, table);
    }
}

/// Reports places in the repository that a `sandbox` around a process in a copy of it lists.
pub(super) fn check_sandbox(reader: &mut ConfigReader<'_>, sandbox: &Sandbox, table: &DeTable<'_>) {
    if let Some(value) = table.get("sandbox")
        && sandbox.write.iter().any(|path| !path.starts_with(['/', '~']))
    {
        let help = "remove it; the tool may change everything in its copy of the repository";
        reader.report_with(value.span(), "`write` names a place in the repository", help);
    }
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::super::tests::file;

    /// Checks the mistakes of a tool called `name` with `keys` and `copy = true`.
    fn check(name: &str, keys: &str, expected: &[&str]) {
        let text = format!("[tools.{name}]\ncopy = true\n{keys}\n");
        let loaded = load(&[file("genti.toml", &text)], None).map(|_| ());
        let found = loaded.err().map_or(String::new(), |problems| problems.to_string());
        assert_eq!(found.lines().count(), expected.len(), "{found}");
        assert!(expected.iter().all(|message| found.contains(message)), "{found}");
    }

    #[test]
    fn a_tool_per_workspace_may_run_in_a_copy() {
        check("x", "run = ['x']", &[]);
        check("x", "run = ['cargo', 'check', '{selection}']\nparse = 'rustc-json'\ncache = false", &[]);
        check("x", "run = ['x']\nsandbox = { write = ['~/.x'] }", &[]);
    }

    #[test]
    fn mistakes_are_reported() {
        check(
            "clippy",
            "",
            &["`clippy` can't run in a copy of the repository, because it is a built-in tool"],
        );
        check("x", "run = ['x', '{file}']", &["because each process would have a copy of its own"]);
        check(
            "x",
            "run = ['cargo', 'build', '--message-format=json']\nparse = 'cargo-build'",
            &["because other tools use what it builds"],
        );
        check("x", "run = ['x']\ncache = true", &["are never cached"]);
        check(
            "x",
            "run = ['x']\nsandbox = { write = ['out'] }",
            &["`write` names a place in the repository"],
        );
        check("x", "run = ['x']\nhermetic = true", &["this tool can't be hermetic: it changes files"]);
        check(
            "x",
            "fresh = { run = ['x'], outputs = ['x'] }",
            &["`copy` has no effect together with `fresh`"],
        );
        let variant =
            "run = ['cargo', 'check', '{selection}']\nvariants = ['old']\n[variants.old]\nlock = 'old.lock'";
        check("x", variant, &["because both need a copy of the repository of their own"]);
    }
}
