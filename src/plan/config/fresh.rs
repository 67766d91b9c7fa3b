//! The key `fresh` of a tool: a generator, and the files that it generates.

use toml::Spanned;
use toml::de::DeTable;

use super::reader::{ConfigReader, Value};
use super::{command, copy, glob};
use crate::model::generator::Generator;
use crate::model::tool::{Arg, Caching, Network, Parse, Per, Sandbox, Tool};

/// Value of the key `fresh`.
pub(super) struct Fresh {
    /// Command line of the generator.
    pub(super) run: Vec<Spanned<Arg>>,
    generator: Generator,
}

/// Keys of a tool that have no effect together with `fresh`.
const UNUSED: [&str; 13] = [
    "run",
    "args",
    "second-pass",
    "per",
    "targets",
    "files",
    "exclude",
    "parse",
    "compare",
    "ratchet",
    "copy",
    "retries",
    "flaky",
];

/// Reads `{ run = […], outputs = […], git = true, clean = true }`.
pub(super) fn read(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Fresh> {
    let table = reader.table(value)?;
    let mut keys = reader.keys(table);
    let run = keys.read("run", command::run);
    let outputs = keys.read("outputs", glob::read);
    let has_git = keys.read("git", ConfigReader::boolean).unwrap_or(false);
    let is_clean = keys.read("clean", ConfigReader::boolean).unwrap_or(false);
    keys.finish();
    for (key, help) in
        [("run", "write `run = [\"program\", …]`"), ("outputs", "list globs of the files that it generates")]
    {
        if reader.is_whole() && !table.contains_key(key) {
            reader.report_with(value.span(), format!("missing key `{key}`"), help);
        }
    }
    let (run, outputs) = (run?, outputs?);
    for arg in run.iter().filter(|arg| arg.get_ref().literal().is_none()) {
        let help = "remove it; the generator runs once, in a copy of the repository";
        reader.report_with(arg.span(), "placeholders have no value here", help);
    }
    if let Some(value) = table.get("outputs").filter(|_| outputs.is_empty()) {
        let help = "list globs of the files that it generates";
        reader.report_with(value.span(), "expected at least one glob", help);
    }
    let generator = Generator { outputs, inputs: Vec::new(), has_git, is_clean };
    Some(Fresh { run, generator })
}

/// Makes `tool` the generator `fresh`. `table` has the other keys of the tool, which were read before.
pub(super) fn set(
    reader: &mut ConfigReader<'_>,
    tool: &mut Tool,
    fresh: Fresh,
    table: &DeTable<'_>,
    is_built_in: bool,
) {
    if let Some(value) = table.get("fresh").filter(|_| is_built_in) {
        let help = "define a tool of your own with another name";
        let message = format!("`{}` is a built-in tool, and no generator", tool.name);
        return reader.report_with(value.span(), message, help);
    }
    for value in UNUSED.iter().filter_map(|key| Some((key, table.get(*key)?))) {
        let message = format!("`{}` has no effect together with `fresh`", value.0);
        let help = match *value.0 {
            "run" => "write it in `fresh`",
            "files" => "list what the generator reads in `inputs`, and what it generates in `outputs`",
            _ => "remove it",
        };
        reader.report_with(value.1.span(), message, help);
    }
    let sandbox = tool.sandbox.get_or_insert_with(Sandbox::default);
    copy::check_sandbox(reader, sandbox, table);
    let Fresh { run: _, mut generator } = fresh;
    // Who else decides about the result is not known.
    if generator.has_git || sandbox.network == Network::All {
        if let Some(value) = table.get("cache").filter(|_| tool.cache == Caching::Always) {
            let help = "remove it, or `git` and `network`";
            let message = "results of a generator that uses git or the network can't be cached";
            reader.report_with(value.span(), message, help);
        }
        tool.cache = Caching::Never;
    }
    generator.inputs = std::mem::take(&mut tool.inputs);
    // Without globs, all files count.
    tool.files = match generator.inputs.is_empty() {
        true => Vec::new(),
        false => [&generator.inputs[..], &generator.outputs].concat(),
    };
    tool.per = Per::Workspace;
    tool.parse = Parse::Generator(Box::new(generator));
    tool.lacks_format = false;
}
