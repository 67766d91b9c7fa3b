//! The key `hermetic` of a tool.

use toml::de::DeTable;

use super::reader::ConfigReader;
use crate::model::tool::{Arg, Tool};

/// Keys that name something that is not an input: `hermetic` states that there is none.
const OPEN: [(&str, &str); 8] = [
    ("env", "a hermetic tool sees no variable of this machine"),
    ("inherit-env", "a hermetic tool sees no variable of this machine"),
    ("searches", "a hermetic tool reads only its declared inputs"),
    ("services", "a worker starts no services"),
    ("sandbox", "a worker runs it with the rights that the worker gives"),
    ("jobserver", "a worker has no jobserver"),
    ("threads", "a worker has no jobserver"),
    ("toolchain", "a worker has no rustup"),
];

/// Reports a `hermetic` that contradicts the rest of `tool`.
pub(super) fn check(reader: &mut ConfigReader<'_>, tool: &Tool, table: &DeTable<'_>, is_built_in: bool) {
    let Some(value) = table.get("hermetic").filter(|_| tool.hermetic) else { return };
    if is_built_in {
        let help = "remove it; genti knows which built-in tools workers can run";
        return reader.report_with(value.span(), "`hermetic` is only for tools of your own", help);
    }
    for (key, why) in OPEN {
        if let Some(value) = table.get(key) {
            let message = format!("`{key}` contradicts `hermetic`: {why}");
            reader.report_with(value.span(), message, "remove one of them");
        }
    }
    if let Some(why) = unfit(tool) {
        reader.report_with(value.span(), format!("this tool can't be hermetic: {why}"), "remove it");
    }
}

/// Returns the reason why `tool` depends on more than its declared inputs; `None` if it may be hermetic.
fn unfit(tool: &Tool) -> Option<&'static str> {
    if tool.uses_selection() || tool.uses_features() || tool.uses_target() {
        return Some("cargo builds in it, and needs its target directory");
    }
    if tool.uses_executable() {
        return Some("it runs a program that was built on this machine");
    }
    if tool.run.first().and_then(Arg::literal).is_some_and(|name| Tool::RUST.contains(&name)) {
        return Some("programs of a toolchain read its files and the configuration of cargo");
    }
    if tool.runs_in_copy() {
        return Some("it changes files of the repository");
    }
    if tool.is_observed() {
        return Some("with `cache = \"sandboxed\"`, its inputs are observed on this machine");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::super::tests::file;

    /// Returns the mistakes in the tool `x` with these keys.
    fn mistakes(keys: &str) -> Vec<String> {
        let run = if keys.contains("run =") { "" } else { "run = ['x']" };
        let text = format!("[tools.x]\nhermetic = true\n{keys}\n{run}\n");
        let loaded = load(&[file("genti.toml", &text)], None).map(|_| ());
        loaded.err().map_or(Vec::new(), |problems| problems.to_string().lines().map(str::to_owned).collect())
    }

    #[test]
    fn what_names_something_of_this_machine_contradicts_hermetic() {
        assert_eq!(mistakes(""), Vec::<String>::new());
        assert_eq!(
            mistakes("env = ['A']"),
            [
                "genti.toml:3:7: `env` contradicts `hermetic`: a hermetic tool sees no variable of this machine (remove one of \
                 them)"
            ]
        );
        for keys in [
            "env = { A = 'a' }",
            "inherit-env = false",
            "searches = ['x.toml']",
            "sandbox = {}",
            "jobserver = true",
            "threads = 'T'",
        ] {
            let found = mistakes(keys);
            assert!(found.len() == 1 && found[0].contains("contradicts `hermetic`"), "{keys}: {found:?}");
        }
    }

    #[test]
    fn tools_that_build_or_change_something_are_not_hermetic() {
        let all = [
            "run = ['x', '{selection}']",
            "run = ['{executable}']\ntargets = 'test'",
            "run = ['cargo', 'x']",
            "cache = 'sandboxed'",
        ];
        for keys in all {
            let found = mistakes(keys);
            assert!(found.iter().any(|found| found.contains("can't be hermetic")), "{keys}: {found:?}");
        }
        let built_in = load(&[file("genti.toml", "[tools.clippy]\nhermetic = true\n")], None).unwrap_err();
        assert!(built_in.to_string().contains("only for tools of your own"), "{built_in}");
    }
}
