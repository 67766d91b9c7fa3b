//! Renders a mistake in a file with its source line.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use genti::model::error::Problem;

use genti::report::text::{visible, visible_line};

/// Renders a problem in the style of rustc.
pub(super) fn render(problem: &Problem) -> String {
    let message = visible(&problem.message);
    // A file passed by `--config-file` may have any name.
    let file = visible_line(&problem.file);
    let mut group = Group::with_title(Level::ERROR.primary_title(message.as_ref()));
    let help = problem.help.as_deref().map(visible);
    match problem.clamped() {
        Some(span) => {
            let mut annotation = AnnotationKind::Primary.span(span);
            if let Some(help) = &help {
                annotation = annotation.label(help.as_ref());
            }
            group = group.element(Snippet::source(&*problem.text).path(&file).annotation(annotation));
        }
        None => {
            group = group.element(Origin::path(&file));
            if let Some(help) = &help {
                group = group.element(Level::HELP.message(help.as_ref()));
            }
        }
    }
    format!("{}\n\n", Renderer::styled().render(&[group]))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use genti::compare::baseline;
    use genti::model::error::Problems;
    use genti::plan::config::{self, ConfigFile, Place};

    use super::*;

    /// A configuration with many kinds of mistakes.
    const CONFIG: &str = "a = \"x\"\n[tools.t]\nrun = [\"t\", \"{nope}\"]\nparse = { regex = \"(x\" }\nfiles = [\"[\"]\n\
                          [policy]\nseed = -1\nmax-duration = \"1 parsec\"\n[[suppress]]\nexpires = \"soon\"\n";
    const LOCK: &str = "version = 1\n[tools.t]\nversion = 1\n[tools.u]\nx = \"y\"\n";
    const BASELINE: &str = "{\"genti_baseline\":1}\n{\"path\":\"a\",\"x\":1}\n<<<<<<< a\n";
    /// Multi-byte, zero-width, combining, quote-like and line-ending characters.
    const ODD: [&str; 9] = ["é", "”", "👩\u{200d}🔬", "\u{feff}", "\u{301}", "\u{85}", "\r", "\t", "\0"];

    fn file(name: &str, text: String) -> ConfigFile {
        ConfigFile { name: Arc::from(name), text: text.into(), place: Place::File }
    }

    /// Renders all mistakes in `text` with each odd character inserted at each position. Returns the number
    /// of mistakes.
    fn check(text: &str, read: impl Fn(String) -> Option<Problems>) -> usize {
        let mut count = 0;
        for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
            for odd in ODD {
                let text = format!("{}{odd}{}", &text[..at], &text[at..]);
                let problems = read(text).map_or(Vec::new(), |problems| problems.0);
                problems.iter().for_each(|problem| assert!(!render(problem).is_empty()));
                count += problems.len();
            }
        }
        count
    }

    #[test]
    fn a_mistake_next_to_any_character_is_rendered() {
        let config = |text| config::load(&[file("genti.toml", text)], None).err();
        let lock = |text| config::lock(&file("genti.lock", text)).err();
        let baseline = |text: String| baseline::parse("t.jsonl", text.as_bytes()).err();
        assert!(check(CONFIG, config) > 5_000);
        assert!(check(LOCK, lock) > 500);
        assert!(check(BASELINE, baseline) > 500);
    }

    #[test]
    fn any_span_of_any_text_is_rendered() {
        for text in ["", "\n", "é", "a é\r\n”\tb\u{301}\n", "\u{feff}a\n\n"] {
            for start in 0..text.len() + 2 {
                for end in 0..text.len() + 2 {
                    let problem = Problem {
                        file: "f".into(),
                        text: text.into(),
                        span: Some(start..end),
                        message: "é\n".to_owned(),
                        help: Some("”".to_owned()),
                    };
                    assert!(render(&problem).contains("f:") || text.is_empty(), "{text:?} {start}..{end}");
                }
            }
        }
    }
}
