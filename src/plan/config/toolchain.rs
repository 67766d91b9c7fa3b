//! The key `toolchain`: another Rust toolchain for the programs of a tool, as `cargo +NAME` requests it from rustup.

use toml::Spanned;

use super::reader::{ConfigReader, Value};
use super::suggest::closest;
use crate::model::tool::{Arg, Piece, Tool};
use crate::model::variant::Variant;

/// Reads the name of a toolchain, such as `nightly` or `1.85`.
pub(super) fn read(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Spanned<String>> {
    if let Some(number) = reader.number_text(value) {
        let help = format!("write `\"{number}\"`");
        reader.wrong_type_with(value, "a string", Some(help));
        return None;
    }
    let name = reader.string(value)?;
    let text = name.get_ref();
    let help = match text.strip_prefix('+') {
        Some(bare) if !bare.is_empty() => format!("write `{bare}`"),
        _ if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c == '/' || c == '\\') => {
            "write a name that rustup knows, such as `nightly` or `1.85`".to_owned()
        }
        _ => match misspelt(text) {
            Some(help) => {
                reader.report_with(value.span(), format!("unknown toolchain `{text}`"), help);
                return None;
            }
            None => return Some(name),
        },
    };
    reader.report_with(value.span(), format!("invalid toolchain `{text}`"), help);
    None
}

/// Returns what is meant by a name that is close to that of a channel or a version. Any other name may be that of a toolchain
/// that the user linked, which only rustup knows.
fn misspelt(name: &str) -> Option<String> {
    const CHANNELS: [&str; 3] = ["beta", "nightly", "stable"];
    let (channel, _) = name.split_once('-').unwrap_or((name, ""));
    if let Some(version) =
        name.strip_prefix('v').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    {
        return Some(format!("write `{version}`"));
    }
    if CHANNELS.contains(&channel)
        || name == Variant::RUST_VERSION
        || name.contains(|c: char| c.is_ascii_digit())
    {
        return None;
    }
    let meant = closest(name, CHANNELS.into_iter().chain([Variant::RUST_VERSION]))?;
    Some(format!("did you mean `{meant}`?"))
}

/// Lets the command lines of `tool` request `toolchain` from rustup.
pub(super) fn set(reader: &mut ConfigReader<'_>, tool: &mut Tool, toolchain: &Spanned<String>) {
    if toolchain.get_ref() == Variant::RUST_VERSION {
        let message = "`rust-version` is a toolchain only in `[variants.NAME]`";
        return reader.report_with(
            toolchain.span(),
            message,
            "define a variant, and list it in `variants` of the tool",
        );
    }
    if let Some(named) = tool.toolchain() {
        let message = format!("`run` already requests the toolchain `{named}`");
        return reader.report_with(toolchain.span(), message, "remove one of them");
    }
    if !tool.runs_toolchain() {
        if !tool.run.is_empty() {
            let message = format!(
                "`toolchain` has no effect on `{}`, because it does not run a program of a Rust toolchain",
                tool.name
            );
            let help = match tool.uses_executable() {
                true => "set it for the tool that builds what it runs, such as `test-build`".to_owned(),
                false => format!("write `run = [\"rustup\", \"run\", \"{}\", …]`", toolchain.get_ref()),
            };
            reader.report_with(toolchain.span(), message, help);
        }
        return;
    }
    request(tool, toolchain.get_ref());
}

/// Returns `tool` with the toolchain called `name`. A tool that runs what another one builds has none of its own.
pub(super) fn with(mut tool: Tool, name: &str) -> Tool {
    if tool.runs_toolchain() && tool.toolchain().is_none() {
        request(&mut tool, name);
        if minor(name).is_some_and(|minor| minor < KEEPS_GOING) {
            tool.run.retain(|arg| arg.literal() != Some("--keep-going"));
        }
    }
    tool
}

/// Minor version of the first cargo whose `build`, `check` and `doc` have `--keep-going`.
const KEEPS_GOING: u32 = 74;

/// Returns the minor version in the name of a toolchain, such as `1.70` or `1.70.0-x86_64-unknown-linux-gnu`.
fn minor(name: &str) -> Option<u32> {
    let rest = name.strip_prefix("1.")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Reports that `tool` can't run in a variant with a toolchain, whose name is `of`.
pub(super) fn check(reader: &mut ConfigReader<'_>, tool: &Tool, of: &Spanned<String>) {
    if let Some(named) = tool.toolchain() {
        let message = format!(
            "`{}` already requests the toolchain `{named}`, and so does `{}`",
            tool.name,
            of.get_ref()
        );
        reader.report_with(of.span(), message, "remove one of them");
    } else if !tool.runs_toolchain() && !tool.uses_executable() {
        let message = format!(
            "`{}` can't run in `{}`, because it does not run a program of a Rust toolchain",
            tool.name,
            of.get_ref()
        );
        reader.report_with(
            of.span(),
            message,
            "start `run` with `\"cargo\"`, or use a variant without `toolchain`",
        );
    }
}

/// Lets the command lines of `tool`, which run programs of a toolchain, request the toolchain called `name`.
fn request(tool: &mut Tool, name: &str) {
    let word = format!("+{name}");
    tool.run.insert(1, Arg::Text(vec![Piece::Literal(word.clone())]));
    for command in [&mut tool.version, &mut tool.rules] {
        if command.first().is_some_and(|program| Tool::RUST.contains(&program.as_str())) {
            command.insert(1, word.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::with;
    use crate::plan::config::command;
    use crate::plan::config::load;
    use crate::plan::config::tests::file;

    /// Checks the command line of `cargo check` with the toolchain called `name`.
    fn check(name: &str, expected: &str) {
        let config = load(&[file("genti.toml", "[tools.check]\n")], None).unwrap();
        let tool = config.tools.iter().find(|tool| tool.name == "check").unwrap();
        let words: Vec<_> = with(tool.clone(), name).run.iter().map(command::text).collect();
        assert_eq!(words.join(" "), expected);
    }

    #[test]
    fn cargo_before_1_74_gets_no_flag_that_it_does_not_know() {
        let old = |name: &str| format!("cargo +{name} check {{selection}} --message-format=json {{args}}");
        let new = |name: &str| {
            format!("cargo +{name} check {{selection}} --keep-going --message-format=json {{args}}")
        };
        for name in ["1.56", "1.71.0", "1.73.0-x86_64-unknown-linux-gnu"] {
            check(name, &old(name));
        }
        for name in ["1.74", "1.100.0", "nightly", "nightly-2025-10-12", "my-1.70"] {
            check(name, &new(name));
        }
    }
}
