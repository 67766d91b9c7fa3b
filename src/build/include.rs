//! Generates `mod.rs`, which declares a module for each generated `.rs` file.

use std::fmt::Write as _;

use super::{Error, value_of};
use crate::model::path::RelPath;

/// Module tree node: a file, a directory, or both.
#[derive(Default)]
struct ModuleNode {
    file: Option<String>,
    /// Sorted by name.
    below: Vec<(String, ModuleNode)>,
}

/// Returns the text of the file `include` for these outputs. Directories become modules that contain those of their
/// files.
pub(super) fn text<'a>(
    include: &RelPath,
    outputs: impl Iterator<Item = &'a RelPath>,
) -> Result<String, Error> {
    let mut root = ModuleNode::default();
    for path in outputs.filter(|path| path.file_name().ends_with(b".rs")) {
        let shown = path.to_string();
        let Some((dirs, file)) = split(path) else { continue };
        let mut module = &mut root;
        for dir in &dirs {
            module = value_of(&mut module.below, name(dir, &shown)?);
        }
        let leaf = value_of(&mut module.below, name(&file, &shown)?);
        if let Some(other) = leaf.file.replace(file) {
            let message =
                format!("`{include}` would have two modules with the same name: `{shown}` and `{other}`");
            return Err(Error::new(message));
        }
    }
    let mut text = String::from("// Generated: a module for each file.\n");
    write(&root, 0, &mut text, include)?;
    Ok(text)
}

/// Splits `path` into its directories and file stem.
fn split(path: &RelPath) -> Option<(Vec<String>, String)> {
    let text = std::str::from_utf8(path.as_bytes()).ok()?.strip_suffix(".rs")?;
    let mut names: Vec<String> = text.split('/').map(str::to_owned).collect();
    let file = names.pop()?;
    Some((names, file))
}

fn write(module: &ModuleNode, depth: usize, text: &mut String, include: &RelPath) -> Result<(), Error> {
    let indent = "    ".repeat(depth);
    for (name, module) in &module.below {
        if let Some(file) = &module.file {
            if !module.below.is_empty() {
                let message =
                    format!("`{include}` cannot have both a file and a directory for the module `{name}`");
                return Err(Error::new(message));
            }
            if name.trim_start_matches("r#") != file {
                let _ = writeln!(text, "{indent}#[path = {:?}]", format!("{file}.rs"));
            }
            let _ = writeln!(text, "{indent}pub mod {name};");
        } else {
            let _ = writeln!(text, "{indent}pub mod {name} {{");
            write(module, depth + 1, text, include)?;
            let _ = writeln!(text, "{indent}}}");
        }
    }
    Ok(())
}

/// Returns the module name for the file or directory `stem` of the output `shown`.
fn name(stem: &str, shown: &str) -> Result<String, Error> {
    let mut name: String = stem.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_numeric()) {
        name.insert(0, '_');
    }
    match name.as_str() {
        "" | "_" | "self" | "Self" | "super" | "crate" => {
            Err(Error::new(format!("the output `{shown}` cannot be a module; give it another name")))
        }
        keyword if KEYWORDS.contains(&keyword) => Ok(format!("r#{name}")),
        _ => Ok(name),
    }
}

/// Keywords of all editions that can be raw identifiers.
const KEYWORDS: [&str; 49] = [
    "abstract",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "pub",
    "ref",
    "return",
    "static",
    "struct",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
    "macro_rules",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(outputs: &[&str]) -> Result<String, String> {
        let outputs: Vec<RelPath> = outputs.iter().map(RelPath::new).collect();
        text(&RelPath::new("mod.rs"), outputs.iter()).map_err(|error| error.to_string())
    }

    #[test]
    fn each_file_is_a_module_inside_those_of_its_directories() {
        let text = check(&["a.rs", "data.bin", "v1/my-file.rs", "v1/type.rs", "1st.rs"]).unwrap();
        let expected = "// Generated: a module for each file.\n\
            #[path = \"1st.rs\"]\npub mod _1st;\n\
            pub mod a;\n\
            pub mod v1 {\n    #[path = \"my-file.rs\"]\n    pub mod my_file;\n    pub mod r#type;\n}\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn names_that_cannot_be_modules_are_errors() {
        assert!(check(&["self.rs"]).unwrap_err().contains("another name"));
        assert!(check(&["a-b.rs", "a_b.rs"]).unwrap_err().contains("two modules"));
        assert!(check(&["a.rs", "a/b.rs"]).unwrap_err().contains("both a file and a directory"));
    }
}
