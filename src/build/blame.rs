//! Finds the place of an error that has none.

use std::path::Path;

use super::Error;
use super::look_up::GeneratorCall;

impl Error {
    /// Gives the error of `unit` a place: the one that its message names, or the unit's only input. If neither is sure, the
    /// message says where it comes from, without claiming a place.
    pub(super) fn of_unit(mut self, unit: &GeneratorCall<'_>, root: &Path) -> Self {
        if self.path.is_some() {
            return self;
        }
        if let Some(place) = named_place(&self.message, unit, root) {
            return Self { path: Some(place.path), line: place.line, column: place.column, ..self };
        }
        match &unit.inputs[..] {
            [] => {}
            [input] if !self.is_io => self.path = Some(input.path.clone()),
            _ => self.message = format!("while generating from {}: {}", unit.shown(), self.message),
        }
        self
    }
}

/// Place in a message of a compiler.
#[derive(Debug, PartialEq, Eq)]
struct NamedPlace {
    path: String,
    line: Option<u32>,
    column: Option<u32>,
}

/// Returns the first place in `message` that is in an input of the unit or another file of the package. One with a line
/// wins over one without.
fn named_place(message: &str, unit: &GeneratorCall<'_>, root: &Path) -> Option<NamedPlace> {
    let words = || message.split_whitespace().filter_map(place_of_word);
    let in_package = |place: NamedPlace| {
        let path = match input_called(&place.path, unit) {
            Some(path) => path,
            None if place.line.is_some() && is_file_of_package(root, &place.path) => place.path,
            None => return None,
        };
        Some(NamedPlace { path, ..place })
    };
    let with_line = words().filter(|place| place.line.is_some()).find_map(in_package);
    with_line.or_else(|| words().find_map(in_package))
}

/// Reads `path:`, `path:line:` or `path:line:column:`, possibly in quotes.
fn place_of_word(word: &str) -> Option<NamedPlace> {
    let word = word.trim_start_matches(['"', '\'', '`', '(']);
    let mut path = word.trim_end_matches(['"', '\'', '`', ')', ',']).strip_suffix(':')?;
    let mut numbers = Vec::new();
    while let Some((rest, number)) = path.rsplit_once(':').filter(|_| numbers.len() < 2) {
        let Ok(number) = number.parse() else { break };
        numbers.insert(0, number);
        path = rest;
    }
    let path = path.trim_end_matches(['"', '\'', '`']).to_owned();
    (!path.is_empty()).then_some(NamedPlace {
        path,
        line: numbers.first().copied(),
        column: numbers.get(1).copied(),
    })
}

/// Returns the only input whose path is `name` or ends in it. Compilers leave out the directory of an include path.
fn input_called(name: &str, unit: &GeneratorCall<'_>) -> Option<String> {
    let is_called = |path: &str| {
        path.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('/'))
            || name.strip_suffix(path).is_some_and(|before| before.ends_with('/'))
    };
    let mut called = unit.inputs.iter().filter(|input| is_called(&input.path));
    let first = called.next()?;
    match called.next() {
        Some(_) => unit.inputs.iter().find(|input| input.path == name).map(|input| input.path.clone()),
        None => Some(first.path.clone()),
    }
}

#[expect(clippy::disallowed_methods, reason = "build scripts look at files")]
fn is_file_of_package(root: &Path, path: &str) -> bool {
    Path::new(path).is_relative()
        && std::fs::metadata(root.join(path)).is_ok_and(|metadata| metadata.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_compilers_print_are_places() {
        let check = |word: &str, path: &str, line, column| {
            let expected = NamedPlace { path: path.to_owned(), line, column };
            assert_eq!(place_of_word(word), Some(expected), "{word}");
        };
        check("a/b.proto:12:3:", "a/b.proto", Some(12), Some(3));
        check("a.proto:12:", "a.proto", Some(12), None);
        check("a.proto:", "a.proto", None, None);
        check("`a.proto`:", "a.proto", None, None);
        check("(a.proto:1:2:3:", "a.proto:1", Some(2), Some(3));
        for word in ["a.proto", ":", "1.0", "error"] {
            assert_eq!(place_of_word(word), None, "{word}");
        }
    }
}
