//! How pieces of code are spelled beside one another, however the source is laid out, and how such text is found again.
//!
//! Does not know what a piece is: see [`tokens`](super::tokens).

use std::fmt::Write as _;
use std::ops::Range;

/// Tokens beyond so many are only counted.
pub(super) const MAX_TOKENS: usize = 64;
/// Characters of one token beyond so many are only counted: a literal may hold a whole document.
const MAX_CHARS: usize = 64;
/// Stands before the number of what is only counted.
const REST: &str = "… +";

/// How a piece of code stands beside others: there is a space before a word that follows a word or a closing
/// delimiter, and nowhere else.
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
    /// What stands between a piece and the `previous` one.
    fn gap(self, previous: Self) -> &'static str {
        if self == Self::Word && previous != Self::Tight { " " } else { "" }
    }
}

/// Text that pieces of code are added to.
struct Line {
    text: String,
    previous: Joint,
}

impl Line {
    fn new() -> Self {
        Self { text: String::new(), previous: Joint::Tight }
    }

    /// Adds a piece. Where it stands now.
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

/// The first of these pieces, and how many more there are.
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

/// Code of which the rest was only counted: what is there, and how many more tokens there are.
pub(super) fn cut_off(code: &str) -> Option<(&str, usize)> {
    let (head, rest) = code.rsplit_once(REST)?;
    Some((head, rest.parse().ok()?))
}

/// Text without what depends on the layout, to be searched for code that is spelled in the same way.
pub(super) struct Spelled {
    text: String,
    /// Of each piece, where it begins and ends in the text, and where it begins in the source.
    pieces: Vec<(usize, usize, usize)>,
}

impl Spelled {
    /// Of these pieces, each with where it begins in the source.
    pub(super) fn of<T: AsRef<str>>(pieces: impl Iterator<Item = (T, Joint, usize)>) -> Self {
        let mut line = Line::new();
        let place = |(piece, joint, start): (T, Joint, usize)| {
            let placed = line.push(piece.as_ref(), joint);
            (placed.start, placed.end, start)
        };
        let pieces = pieces.map(place).collect();
        Self { text: line.text, pieces }
    }

    /// Where the piece at `at` begins in the source.
    pub(super) fn start(&self, at: usize) -> usize {
        self.pieces[at].2
    }

    /// Where `code` stands: the pieces that it is made of.
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
