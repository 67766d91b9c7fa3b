//! Normalized spelling of code, independent of the layout of the source, and search for code in that spelling.
//!
//! Works on pieces of text; [`tokens`](super::tokens) splits code into them.

use std::fmt::Write as _;
use std::ops::Range;

/// Maximum number of tokens to spell. Further ones are only counted.
pub(super) const MAX_TOKENS: usize = 64;
/// Maximum number of characters of one token to spell. Further ones are only counted, since a literal may contain a whole document.
const MAX_CHARS: usize = 64;
/// Prefix of the count of omitted tokens or characters.
const REST: &str = "… +";

/// Spacing class of a piece of code. A space is put only before a word that follows a word or a closing delimiter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Joint {
    /// A word.
    Word,
    /// A closing delimiter.
    Closing,
    /// Anything else.
    Tight,
}

impl Joint {
    /// Returns the separator between a piece and the `previous` one.
    fn gap(self, previous: Self) -> &'static str {
        if self == Self::Word && previous != Self::Tight { " " } else { "" }
    }
}

/// Spelled text under construction.
struct Line {
    text: String,
    previous: Joint,
}

impl Line {
    fn new() -> Self {
        Self { text: String::new(), previous: Joint::Tight }
    }

    /// Adds a piece and returns its range in the text.
    fn push(&mut self, piece: &str, joint: Joint) -> Range<usize> {
        self.text.push_str(joint.gap(self.previous));
        self.previous = joint;
        let start = self.text.len();
        match piece.char_indices().nth(MAX_CHARS) {
            None => self.text.push_str(piece),
            Some((cut, _)) => {
                self.text.push_str(&piece[..cut]);
                self.push_rest(piece[cut..].chars().count());
            }
        }
        start..self.text.len()
    }

    fn push_rest(&mut self, count: usize) {
        // Writing to a string can't fail.
        let _ = write!(self.text, "{REST}{count}");
    }
}

/// Spells the first [`MAX_TOKENS`] of `pieces`, followed by the number of the rest.
pub(super) fn spell(mut pieces: impl Iterator<Item = (impl AsRef<str>, Joint)>) -> String {
    let mut line = Line::new();
    for (piece, joint) in pieces.by_ref().take(MAX_TOKENS) {
        line.push(piece.as_ref(), joint);
    }
    match pieces.count() {
        0 => {}
        more => line.push_rest(more),
    }
    line.text
}

/// Splits spelled code whose rest was only counted into the spelled part and the count.
pub(super) fn cut_off(code: &str) -> Option<(&str, usize)> {
    let (head, rest) = code.rsplit_once(REST)?;
    Some((head, rest.parse().ok()?))
}

/// Normalized text of a file, to be searched for code in the same spelling.
pub(super) struct Spelled {
    text: String,
    /// For each piece, its start and end in the text and its start in the source.
    pieces: Vec<(usize, usize, usize)>,
}

impl Spelled {
    /// Spells `pieces`, each given with its start in the source.
    pub(super) fn of<T: AsRef<str>>(pieces: impl Iterator<Item = (T, Joint, usize)>) -> Self {
        let mut line = Line::new();
        let place = |(piece, joint, start): (T, Joint, usize)| {
            let placed = line.push(piece.as_ref(), joint);
            (placed.start, placed.end, start)
        };
        let pieces = pieces.map(place).collect();
        Self { text: line.text, pieces }
    }

    /// Returns the start of piece `at` in the source.
    pub(super) fn start(&self, at: usize) -> usize {
        self.pieces[at].2
    }

    /// Returns all occurrences of `code`, as ranges of pieces.
    pub(super) fn find(&self, code: &str) -> Vec<Range<usize>> {
        let whole: Vec<_> = self.occurrences(code).collect();
        match cut_off(code) {
            Some((head, rest)) if whole.is_empty() => {
                let is_that_long =
                    |found: &Range<usize>| found.len() == MAX_TOKENS && found.end + rest <= self.pieces.len();
                self.occurrences(head).filter(is_that_long).collect()
            }
            _ => whole,
        }
    }

    fn occurrences<'a>(&'a self, code: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        self.text.match_indices(code).filter_map(move |(begin, _)| {
            let first = self.pieces.binary_search_by_key(&begin, |piece| piece.0).ok()?;
            let end = begin + code.len();
            let last = self.pieces.binary_search_by_key(&end, |piece| piece.1).ok()?;
            Some(first..last + 1)
        })
    }
}
