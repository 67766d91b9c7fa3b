//! Command lines of tools: arguments with placeholders, and the units that placeholders require.

use toml::Spanned;

use super::reader::{ConfigReader, Value};
use super::suggest::{closest, listed};
use crate::model::tool::{Arg, Parse, Per, Piece, Tool};

const PLACEHOLDERS: [&str; 10] =
    ["files", "args", "selection", "features", "target", "file", "package", "dir", "edition", "executable"];

/// Reads `run`: a program, followed by arguments with placeholders.
pub(super) fn run(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Vec<Spanned<Arg>>> {
    if value.get_ref().as_str().is_some_and(|text| text.trim().is_empty()) {
        reader.report_with(
            value.span(),
            "expected a program, found an empty string",
            "write `[\"program\", …]`",
        );
        return None;
    }
    let words = reader.strings(value)?;
    let args: Vec<Spanned<Arg>> =
        words.iter().map(|word| Spanned::new(word.span(), argument(reader, word))).collect();
    let Some(program) = args.first() else {
        // If the array has elements that are not strings, they have been reported.
        if value.get_ref().as_array().is_some_and(|array| array.is_empty()) {
            let help = "write `[\"program\", …]`";
            reader.report_with(value.span(), "expected a program, found an empty array", help);
        }
        return None;
    };
    match program.get_ref() {
        Arg::Text(pieces) => match pieces.as_slice() {
            [Piece::Literal(name)] if !name.trim().is_empty() => {}
            [Piece::Executable] => {}
            [] | [Piece::Literal(_)] => reader.report(program.span(), "the program name is empty"),
            _ => reader.report(program.span(), "the program name can't contain a placeholder"),
        },
        _ => reader.report(program.span(), "the program can't be a placeholder"),
    }
    Some(args)
}

/// Returns the unit of a tool that does not set `per`.
pub(super) fn default_per(run: &[Arg]) -> Per {
    let has = |arg: &Arg, piece| matches!(arg, Arg::Text(pieces) if pieces.contains(&piece));
    if run.iter().any(|arg| has(arg, Piece::Executable)) {
        return Per::TestTarget;
    }
    if run.iter().any(|arg| *arg == Arg::Files || has(arg, Piece::File)) { Per::File } else { Per::Workspace }
}

/// Returns the placeholders in `arg` that have no value for the unit of `tool`, each with the units that
/// would give it one.
pub(super) fn misfits(arg: &Arg, tool: &Tool) -> Vec<(&'static str, &'static [Per])> {
    let needs: Vec<(&'static str, &'static [Per])> = match arg {
        Arg::Files | Arg::Args | Arg::Features | Arg::Target => Vec::new(),
        // A single process for all packages cannot tell their placeholders apart.
        Arg::Selection if tool.parse == Parse::BuildScripts => {
            vec![("selection", &[Per::Workspace, Per::Package])]
        }
        Arg::Selection => vec![("selection", &[Per::Workspace])],
        Arg::Text(pieces) => pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Literal(_) => None,
                Piece::File => Some(("file", [Per::File].as_slice())),
                Piece::Package => {
                    Some(("package", [Per::Package, Per::TargetRoot, Per::TestTarget].as_slice()))
                }
                Piece::Dir => Some(("dir", [Per::Package, Per::TargetRoot, Per::TestTarget].as_slice())),
                Piece::Edition => Some(("edition", [Per::TargetRoot, Per::TestTarget].as_slice())),
                Piece::Executable => Some(("executable", [Per::TestTarget].as_slice())),
            })
            .collect(),
    };
    needs.into_iter().filter(|(_, fitting)| !fitting.contains(&tool.per)).collect()
}

/// Parses one argument: `{word}` is a placeholder and `{{word}}` the literal text `{word}`. Any other brace
/// is literal.
fn argument(reader: &mut ConfigReader<'_>, text: &Spanned<String>) -> Arg {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text.get_ref().as_str();
    while let Some(at) = rest.find('{') {
        literal.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(word) = enclosed(rest, "{{", "}}") {
            literal.push_str(&rest[1..word.len() + 3]);
            rest = &rest[word.len() + 4..];
        } else if let Some(word) = enclosed(rest, "{", "}") {
            if let Some(piece) = single(word) {
                push_literal(&mut pieces, &mut literal);
                pieces.push(piece);
            } else if let Some(arg) = list(word) {
                if text.get_ref().len() == word.len() + 2 {
                    return arg;
                }
                reader.report(text.span(), format!("`{{{word}}}` must be a separate argument"));
            } else {
                let help = match closest(word, PLACEHOLDERS) {
                    Some(placeholder) => format!("did you mean `{{{placeholder}}}`?"),
                    None => format!(
                        "write `{{{{{word}}}}}` for the literal text; placeholders: {}",
                        listed(PLACEHOLDERS)
                    ),
                };
                reader.report_with(text.span(), format!("unknown placeholder `{{{word}}}`"), help);
            }
            rest = &rest[word.len() + 2..];
        } else {
            literal.push('{');
            rest = &rest[1..];
        }
    }
    literal.push_str(rest);
    push_literal(&mut pieces, &mut literal);
    Arg::Text(pieces)
}

/// Returns the text that [`argument`] reads as `arg`.
pub(super) fn text(arg: &Arg) -> String {
    let pieces = match arg {
        Arg::Files => return "{files}".to_owned(),
        Arg::Args => return "{args}".to_owned(),
        Arg::Selection => return "{selection}".to_owned(),
        Arg::Features => return "{features}".to_owned(),
        Arg::Target => return "{target}".to_owned(),
        Arg::Text(pieces) => pieces,
    };
    let piece = |piece: &Piece| match piece {
        Piece::Literal(text) => escaped(text),
        Piece::File => "{file}".to_owned(),
        Piece::Package => "{package}".to_owned(),
        Piece::Dir => "{dir}".to_owned(),
        Piece::Edition => "{edition}".to_owned(),
        Piece::Executable => "{executable}".to_owned(),
    };
    pieces.iter().map(piece).collect()
}

/// Doubles the braces in `text` that would enclose a placeholder.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = match enclosed(rest, "{", "}") {
            Some(word) => {
                out.push_str(&format!("{{{{{word}}}}}"));
                word.len() + 2
            }
            None => {
                out.push('{');
                1
            }
        };
        rest = &rest[end..];
    }
    out + rest
}

fn list(word: &str) -> Option<Arg> {
    match word {
        "files" => Some(Arg::Files),
        "args" => Some(Arg::Args),
        "selection" => Some(Arg::Selection),
        "features" => Some(Arg::Features),
        "target" => Some(Arg::Target),
        _ => None,
    }
}

fn single(word: &str) -> Option<Piece> {
    match word {
        "file" => Some(Piece::File),
        "package" => Some(Piece::Package),
        "dir" => Some(Piece::Dir),
        "edition" => Some(Piece::Edition),
        "executable" => Some(Piece::Executable),
        _ => None,
    }
}

/// Returns the word between `open` and `close` at the start of `text`: lower-case letters, `-` and `_`.
fn enclosed<'t>(text: &'t str, open: &str, close: &str) -> Option<&'t str> {
    let inner = text.strip_prefix(open)?;
    let end = inner.find(|c: char| !matches!(c, 'a'..='z' | '-' | '_'))?;
    (end > 0 && inner[end..].starts_with(close)).then(|| &inner[..end])
}

fn push_literal(pieces: &mut Vec<Piece>, literal: &mut String) {
    if !literal.is_empty() {
        pieces.push(Piece::Literal(std::mem::take(literal)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::file;
    use super::*;

    proptest! {
        #[test]
        fn the_text_of_an_argument_is_read_as_the_same_argument(text in "([{}]|file|files|target|word|-|x y){0,12}") {
            let file = file("genti.toml", "");
            let (mut reader, _) = ConfigReader::new(&file);
            let arg = argument(&mut reader, &Spanned::new(0..0, text));
            prop_assert_eq!(argument(&mut reader, &Spanned::new(0..0, super::text(&arg))), arg);
        }
    }
}
