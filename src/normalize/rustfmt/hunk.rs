//! Parses one hunk of rustfmt's diff and finds the smallest changes in it.
//!
//! rustfmt splits both texts at each `\n` (or `\r\n`), so a text that ends with a newline has an empty last line. A
//! hunk ends with three lines of context, or at the end of the file.

use crate::normalize::patch::Patch;

/// Part of a file, before and after formatting.
pub(super) struct Hunk {
    /// First line in the file.
    line: u32,
    old: Vec<String>,
    new: Vec<String>,
    /// Set if the last line is the same on both sides.
    ends_alike: bool,
}

/// Lines that rustfmt would change, with their place in the formatted file.
pub(super) struct Change {
    pub(super) patch: Patch,
    /// Number of lines of the hunk before this change, in the formatted file.
    pub(super) new_start: usize,
}

impl Hunk {
    /// Reads the hunk at the beginning of `body`, whose first line is `line` of the file. Returns it with its length.
    /// With `--verbose`, each line ends with an arrow.
    pub(super) fn read(body: &[u8], line: u32, is_verbose: bool) -> (Self, usize) {
        let mut hunk = Self { line, old: Vec::new(), new: Vec::new(), ends_alike: false };
        let mut len = 0;
        for raw in body.split_inclusive(|&b| b == b'\n') {
            let Some((mark @ (b' ' | b'+' | b'-'), text)) = raw.split_first() else { break };
            len += raw.len();
            let text = String::from_utf8_lossy(text.strip_suffix(b"\n").unwrap_or(text));
            let text = text.strip_suffix('⏎').filter(|_| is_verbose).unwrap_or(&text).to_owned();
            hunk.ends_alike = *mark == b' ';
            match mark {
                b'-' => hunk.old.push(text),
                b'+' => hunk.new.push(text),
                _ => {
                    hunk.old.push(text.clone());
                    hunk.new.push(text);
                }
            }
        }
        (hunk, len)
    }

    /// Returns the first line of the file that it shows.
    pub(super) fn line(&self) -> u32 {
        self.line
    }

    /// Returns the number of lines that it adds to the file.
    pub(super) fn growth(&self) -> i64 {
        let count = |lines: &[String]| i64::try_from(lines.len()).unwrap_or(i64::MAX);
        count(&self.new) - count(&self.old)
    }

    /// Splits the hunk into its smallest changes. rustfmt groups nearby changes into one hunk, so without splitting,
    /// fixing one change would turn its neighbours into another finding. rustfmt moves letters and digits between lines
    /// but hardly ever adds or removes any, so a change ends where old and new lines have the same number of them.
    pub(super) fn changes(&self) -> Vec<Change> {
        let (old_ends, new_ends) = (letters_up_to(&self.old), letters_up_to(&self.new));
        let mut cuts = old_ends.clone();
        cuts.retain(|cut| new_ends.binary_search(cut).is_ok());
        cuts.dedup();
        cuts.push(usize::MAX);
        // The last line is often the empty one after the last newline, which cannot be removed.
        let held = usize::from(self.ends_alike);
        let (most_old, most_new) = (self.old.len() - held, self.new.len() - held);
        let (mut changes, mut old_at, mut new_at) = (Vec::new(), 0, 0);
        for cut in cuts {
            let mut old = old_at..old_ends.partition_point(|&end| end <= cut).min(most_old);
            let mut new = new_at..new_ends.partition_point(|&end| end <= cut).min(most_new);
            (old_at, new_at) = (old.end, new.end);
            while !old.is_empty() && !new.is_empty() && self.old[old.start] == self.new[new.start] {
                (old.start, new.start) = (old.start + 1, new.start + 1);
            }
            while !old.is_empty() && !new.is_empty() && self.old[old.end - 1] == self.new[new.end - 1] {
                (old.end, new.end) = (old.end - 1, new.end - 1);
            }
            if !old.is_empty() || !new.is_empty() {
                changes.push(self.change(old, new));
            }
        }
        changes
    }

    fn change(&self, mut old: std::ops::Range<usize>, mut new: std::ops::Range<usize>) -> Change {
        let old_is_open = old.end == self.old.len() && !self.old.is_empty();
        // If the last line has no newline, a change after it begins within that line.
        if old_is_open && old.is_empty() && new.start > 0 {
            (old.start, new.start) = (old.start - 1, new.start - 1);
        }
        let new_start = new.start;
        let mut lines = self.new[new.clone()].to_vec();
        let reaches_end = new.end == self.new.len() && !self.ends_alike;
        let new_is_open = reaches_end && lines.pop_if(|last| last.is_empty()).is_none();
        let first = self.line.saturating_add(u32::try_from(old.start).unwrap_or(u32::MAX));
        let patch = Patch { first, old: self.old[old].to_vec(), new: lines, old_is_open, new_is_open };
        Change { patch, new_start }
    }
}

/// Returns the number of letters and digits up to the end of each line.
fn letters_up_to(lines: &[String]) -> Vec<usize> {
    let letters = |line: &String| line.chars().filter(|c| c.is_alphanumeric()).count();
    let add = |sum: &mut usize, line| {
        *sum += letters(line);
        Some(*sum)
    };
    lines.iter().scan(0, add).collect()
}
