//! Measures how much a piece of code was edited.

use super::tokens::words_of;

/// Returns the number of inserted, removed or replaced tokens between two pieces of normalized code, and the number of tokens of
/// the longer one.
///
/// Only the first 64 tokens are compared. For the rest, only the number of tokens counts.
pub fn edits(one: &str, other: &str) -> (usize, usize) {
    let (ours, our_rest) = words_of(one);
    let (theirs, their_rest) = words_of(other);
    let most = (ours.len() + our_rest).max(theirs.len() + their_rest);
    (distance(&ours, &theirs).max(our_rest.abs_diff(their_rest)), most)
}

/// Pieces of code are nearly the same if at most one token in this many differs.
///
/// Chosen by measurement, see docs/performance.md.
const ONE_IN: usize = 10;

/// Returns whether so few edits leave a piece of code nearly the same.
pub fn is_near((edits, tokens): (usize, usize)) -> bool {
    edits * ONE_IN <= tokens
}

/// Returns the edit distance: the smallest number of insertions, removals and replacements that turn `ours` into `theirs`.
fn distance<T: PartialEq>(ours: &[T], theirs: &[T]) -> usize {
    let mut row: Vec<usize> = (0..=theirs.len()).collect();
    for (at, one) in ours.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (below, other) in theirs.iter().enumerate() {
            let replaced = diagonal + usize::from(one != other);
            diagonal = row[below + 1];
            row[below + 1] = replaced.min(row[below] + 1).min(diagonal + 1);
        }
    }
    row[theirs.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted_in_tokens() {
        let check = |one: &str, other: &str, expected: (usize, usize)| {
            assert_eq!(edits(one, other), expected);
            assert_eq!(edits(other, one), expected);
        };
        check("return x", "return x", (0, 2));
        check("return width*height", "return width+height", (1, 4));
        check("let a=\"\".to_string()", "let a=\"\".to_owned()", (1, 8));
        check("f(a,b)", "f(a,b,c)", (2, 8));
        check("", "f()", (3, 3));
        let long = |rest: usize| format!("{}… +{rest}", "a+".repeat(32));
        check(&long(86), &long(86), (0, 150));
        check(&long(86), &long(88), (2, 152));
        check(&long(86), &long(86).replacen("a+", "b+", 1), (1, 150));
    }

    #[test]
    fn short_code_is_never_nearly_the_same() {
        assert!(!is_near(edits("return width*height", "return width+height")));
        assert!(!is_near(edits("f(x).unwrap()", "g(x).unwrap()")));
        assert!(!is_near(edits("let a=f(x).unwrap()", "let b=g(x).unwrap()")));
        assert!(is_near((1, 40)));
        assert!(!is_near((20, 40)));
    }
}
