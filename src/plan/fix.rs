//! Derives, from the command line of a tool, the command that applies the fixes it proposes.

use super::command::selection;
use crate::model::task::Plan;
use crate::model::tool::{Arg, Fixer, Piece, Tool};
use crate::model::workspace::Workspace;

/// Returns the command that applies the fixes of `tool`, with the arguments and the selection that found
/// them, or `None` if there is no known one. Flags that cargo requires for a dirty repository are not
/// included.
pub fn fix_command(workspace: &Workspace, plan: &Plan, tool: &Tool) -> Option<Vec<String>> {
    match tool.parse.fixer()? {
        Fixer::Cargo => of_cargo(&words(workspace, plan, tool)?),
        Fixer::Rustfmt => of_rustfmt(workspace, plan, tool),
        Fixer::Typos => of_typos(&words(workspace, plan, tool)?),
    }
}

/// Returns the command line of `tool`, or `None` if it differs between units.
fn words(workspace: &Workspace, plan: &Plan, tool: &Tool) -> Option<Vec<String>> {
    let mut words = Vec::new();
    for arg in &tool.run {
        match arg {
            Arg::Text(pieces) => match pieces.as_slice() {
                [Piece::Literal(text)] => words.push(text.clone()),
                _ => return None,
            },
            Arg::Args => words.extend(tool.args.iter().cloned()),
            Arg::Selection => words.extend(selection(workspace, plan, None)),
            Arg::Files => return None,
        }
    }
    Some(words)
}

/// Returns `words` without `options`, each of which is given with its number of words.
fn without(words: &[String], options: &[(&str, usize)]) -> Vec<String> {
    let mut kept = Vec::with_capacity(words.len());
    let mut rest = words;
    while let [word, behind @ ..] = rest {
        let skipped = options.iter().find(|(option, _)| option == word).map(|(_, count)| *count);
        rest = skipped.map_or(behind, |count| rest.get(count..).unwrap_or_default());
        if skipped.is_none() {
            kept.push(word.clone());
        }
        // The remaining words belong to the compiler, or are files.
        if word == "--" {
            kept.extend(rest.iter().cloned());
            break;
        }
    }
    kept
}

/// Turns `cargo clippy` into `cargo clippy --fix`, and `cargo check` into `cargo fix`.
fn of_cargo(words: &[String]) -> Option<Vec<String>> {
    let output = [("--keep-going", 1), ("--message-format", 2), ("-q", 1), ("--quiet", 1)];
    let mut words = without(words, &output);
    words.retain(|word| !word.starts_with("--message-format="));
    let toolchain = usize::from(words.get(1)?.starts_with('+'));
    let at = 1 + toolchain;
    match (words.first()?.as_str(), words.get(at)?.as_str()) {
        ("cargo", "clippy") => words.insert(at + 1, "--fix".to_owned()),
        ("cargo", "check") => words[at] = "fix".to_owned(),
        _ => return None,
    }
    Some(words)
}

/// Returns the `cargo fmt` command that formats what `rustfmt --check` or `cargo fmt --check` checks.
fn of_rustfmt(workspace: &Workspace, plan: &Plan, tool: &Tool) -> Option<Vec<String>> {
    let literals: Option<Vec<_>> = tool
        .run
        .iter()
        .take_while(|arg| matches!(arg, Arg::Text(_)))
        .map(|arg| match arg {
            Arg::Text(pieces) => match pieces.as_slice() {
                [Piece::Literal(text)] => Some(text.as_str()),
                [Piece::Edition] => Some("{edition}"),
                _ => None,
            },
            _ => None,
        })
        .collect();
    let literals = literals?;
    // `rustup run nightly` may precede the program, and `+nightly` may follow it.
    let at = literals.iter().position(|word| *word == "rustfmt" || *word == "cargo")?;
    let (before, rest) = literals.split_at(at);
    let is_runner = before.is_empty() || before.first() == Some(&"rustup");
    let toolchain = rest.get(1).filter(|word| word.starts_with('+'));
    let mut command: Vec<String> = before.iter().map(|word| (*word).to_owned()).collect();
    command.push("cargo".to_owned());
    command.extend(toolchain.map(|word| (*word).to_owned()));
    command.push("fmt".to_owned());
    if plan.is_whole(workspace) {
        command.extend((workspace.packages.len() > 1).then(|| "--all".to_owned()));
    } else {
        let packages = plan.packages.iter().map(|id| workspace.package(*id).name.clone());
        command.extend(packages.flat_map(|name| ["-p".to_owned(), name]));
    }
    let is_fmt =
        rest.first() == Some(&"rustfmt") || rest.get(1 + usize::from(toolchain.is_some())) == Some(&"fmt");
    let output = [("--check", 1), ("--color", 2), ("--edition", 2), ("--", 1), ("-l", 1), ("-v", 1)];
    let args = without(&tool.args, &output);
    if !args.is_empty() {
        command.push("--".to_owned());
        command.extend(args);
    }
    (is_runner && is_fmt).then_some(command)
}

fn of_typos(words: &[String]) -> Option<Vec<String>> {
    let mut words = without(words, &[("--format", 2), ("--sort", 1)]);
    (words.first()? == "typos").then(|| words.insert(1, "--write-changes".to_owned()))?;
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::policy::{Policy, Selection};
    use crate::model::testing;
    use crate::model::workspace::TargetKind::Lib;
    use crate::plan::config::{self, ConfigFile, Place};
    use crate::plan::{Facts, plan};

    /// Returns the fix command for the tool `name` of this configuration, with this selection.
    fn command(config: &str, name: &str, members: &[&str], selection: Selection) -> Option<String> {
        let roots: Vec<_> = members.iter().map(|dir| [(Lib, format!("{dir}/src/lib.rs"))]).collect();
        let roots: Vec<Vec<_>> = roots
            .iter()
            .map(|roots| roots.iter().map(|(kind, root)| (*kind, root.as_str())).collect())
            .collect();
        let members: Vec<_> =
            members.iter().zip(&roots).map(|(dir, roots)| (*dir, roots.as_slice())).collect();
        let files: Vec<_> = roots.iter().flatten().map(|(_, root)| *root).collect();
        let workspace = testing::workspace(&members, &files);
        let file = ConfigFile { name: "genti.toml".into(), text: config.into(), place: Place::File };
        let tools = config::load(&[file], None).unwrap().tools;
        let plan = plan(&workspace, tools, selection, Policy::default(), &Facts::default()).unwrap();
        let tool = plan.graph.tools.iter().find(|tool| tool.name == name).unwrap();
        Some(fix_command(&workspace, &plan, tool)?.join(" "))
    }

    #[track_caller]
    fn check(config: &str, name: &str, expected: Option<&str>) {
        assert_eq!(command(config, name, &["a", "b"], Selection::default()).as_deref(), expected, "{config}");
    }

    #[test]
    fn the_fix_command_of_clippy_keeps_its_arguments() {
        check("", "clippy", Some("cargo clippy --fix --workspace --all-targets"));
        check(
            "[tools.clippy]\nargs = ['--tests', '--', '-W', 'clippy::pedantic', '--quiet']",
            "clippy",
            Some("cargo clippy --fix --workspace --tests -- -W clippy::pedantic --quiet"),
        );
        check(
            "[tools.nightly]\nrun = ['cargo', '+nightly', 'clippy', '{selection}', '--message-format', 'json']\nparse = 'rustc-json'",
            "nightly",
            Some("cargo +nightly clippy --fix --workspace"),
        );
        check(
            "[tools.check]\nrun = ['cargo', 'check', '-q', '--message-format=json', '{args}']\nparse = 'rustc-json'",
            "check",
            Some("cargo fix"),
        );
        check("", "doc", None);
        let run = "run = ['sh', '-c', 'cargo clippy --message-format=json']";
        check(&format!("[tools.shell]\n{run}\nparse = 'rustc-json'"), "shell", None);
    }

    #[test]
    fn the_fix_command_keeps_the_selection() {
        let selection = Selection {
            packages: vec!["b".to_owned()],
            features: vec!["x".to_owned()],
            target: Some("wasm32-unknown-unknown".to_owned()),
            ..Selection::default()
        };
        let command = |name: &str| command("", name, &["a", "b"], selection.clone());
        let clippy =
            "cargo clippy --fix -p b@0.1.0 --features x --target wasm32-unknown-unknown --all-targets";
        assert_eq!(command("clippy").as_deref(), Some(clippy));
        assert_eq!(command("fmt").as_deref(), Some("cargo fmt -p b"));
    }

    #[test]
    fn the_fix_command_of_rustfmt_is_cargo_fmt() {
        check("", "fmt", Some("cargo fmt --all"));
        assert_eq!(command("", "fmt", &["a"], Selection::default()).as_deref(), Some("cargo fmt"));
        check(
            "[tools.fmt]\nargs = ['--config', 'max_width=90', '-l']",
            "fmt",
            Some("cargo fmt --all -- --config max_width=90"),
        );
        let run = |run: &str| {
            format!("[tools.fmt]\nrun = [{run}, '--check', '--edition', '{{edition}}', '{{files}}']")
        };
        check(&run("'rustfmt', '+nightly'"), "fmt", Some("cargo +nightly fmt --all"));
        check(
            &run("'rustup', 'run', 'nightly', 'rustfmt'"),
            "fmt",
            Some("rustup run nightly cargo fmt --all"),
        );
        check(&run("'sh', 'rustfmt'"), "fmt", None);
        let own =
            "[tools.own]\nrun = ['cargo', '+nightly', 'fmt', '--all', '--', '--check']\nparse = 'rustfmt'";
        check(own, "own", Some("cargo +nightly fmt --all"));
    }

    #[test]
    fn the_fix_command_of_typos_writes_changes() {
        let words = "typos --write-changes --exclude /target";
        check("[tools.typos]\n", "typos", Some(words));
    }
}
