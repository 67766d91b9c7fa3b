//! Files and variables that the source of a build script names. The script may read them without stating it.

use super::{Reads, SourceToken, tokens, unquoted};

/// Returns the strings in `source` that could be paths, as written, and the variables that it names. A string with placeholders
/// stands for the directory before the first one, and for what follows the last one.
pub fn named_by_script(source: &str) -> Reads {
    let tokens = tokens(source);
    let mut reads = Reads::default();
    for (at, token) in tokens.iter().enumerate() {
        let SourceToken::Text(text) = token else { continue };
        let text = unquoted(text);
        if matches!(tokens[..at], [.., SourceToken::Other("var" | "var_os"), SourceToken::Other("(")]) {
            reads.variables.push(text);
            continue;
        }
        if is_like_variable(&text) {
            reads.variables.push(text.clone());
        }
        let (dir, rest) = around_placeholders(&text);
        reads.files.extend(dir.into_iter().chain(rest).filter(|text| may_be_path(text)).map(str::to_owned));
    }
    reads
}

/// Returns whether `text` has the form of the names of most variables.
fn is_like_variable(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Returns the directory before the first placeholder of a formatted `text`, and the text after the last one. Without
/// placeholders, the text is one piece.
fn around_placeholders(text: &str) -> (Option<&str>, Option<&str>) {
    match (text.find('{'), text.rfind('}')) {
        (Some(start), Some(end)) if start < end => {
            let dir = text[..start].rfind('/').map(|at| &text[..at]);
            (dir, text[end + 1..].strip_prefix('/'))
        }
        _ => (None, Some(text)),
    }
}

/// Returns whether `text` may be the path of a file or directory whose content stays the same while nobody changes it.
fn may_be_path(text: &str) -> bool {
    !text.is_empty()
        && text.len() < 512
        && !["/dev/", "/proc/", "/sys/"].iter().any(|dir| text.starts_with(dir))
        && !text.contains(|c: char| c.is_control() || matches!(c, '{' | '}' | '"'))
}

/// Returns whether `text`, which names nothing that exists, may be the path of a file that the script looks for.
pub fn may_appear(text: &str) -> bool {
    !text.contains(|c: char| {
        c.is_whitespace() || matches!(c, ':' | '=' | '*' | '?' | '<' | '>' | '|' | ',' | ';')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_script_names_paths_and_variables() {
        let source = r#"fn main() {
            println!("cargo::rustc-env=A={}", std::env::var("MODE").unwrap());
            let _ = std::env::var_os("OTHER");
            let _ = std::fs::read_dir("proto").unwrap();
            let _ = std::fs::read("/proc/version").unwrap();
            // "in a comment"
            let _ = std::process::Command::new("./gen.sh").arg("").output();
            const NAME: &str = "THIRD";
            let _ = std::fs::read(format!("{dir}/../conf/{mode}.txt"));
            let _ = std::fs::read(format!("{dir}/../conf.txt"));
            let _ = std::fs::read(format!("data/{mode}.txt"));
        }"#;
        let reads = named_by_script(source);
        assert_eq!(reads.variables, ["MODE", "OTHER", "THIRD"]);
        let files = ["proto", "./gen.sh", "THIRD", "../conf.txt", "data"];
        assert_eq!(reads.files, files);
    }

    #[test]
    fn texts_that_are_no_paths_are_not_expected_to_appear() {
        for text in ["Makefile", "../config.toml", ".env", "c++"] {
            assert!(may_appear(text), "{text}");
        }
        for text in ["no such file", "cargo::rustc-cfg", "-DA=b", "*.proto"] {
            assert!(!may_appear(text), "{text}");
        }
    }
}
