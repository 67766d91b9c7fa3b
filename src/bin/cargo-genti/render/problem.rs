//! A mistake in a file, with the line that it is in.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use genti::model::error::Problem;

use genti::report::text::visible;

/// As rustc would show it.
pub(super) fn render(problem: &Problem) -> String {
    let message = visible(&problem.message);
    let mut group = Group::with_title(Level::ERROR.primary_title(message.as_ref()));
    let help = problem.help.as_deref().map(visible);
    match &problem.span {
        Some(span) if problem.text.get(span.clone()).is_some() => {
            // An empty span would be a caret on nothing.
            let end = span.end.max(span.start + 1).min(problem.text.len());
            let mut annotation = AnnotationKind::Primary.span(span.start.min(end)..end);
            if let Some(help) = &help {
                annotation = annotation.label(help.as_ref());
            }
            group =
                group.element(Snippet::source(&*problem.text).path(&*problem.file).annotation(annotation));
        }
        _ => {
            group = group.element(Origin::path(&*problem.file));
            if let Some(help) = &help {
                group = group.element(Level::HELP.message(help.as_ref()));
            }
        }
    }
    format!("{}\n\n", Renderer::styled().render(&[group]))
}
