//! One hunk of rustfmt's diff, and the smallest changes in it.
//!
//! rustfmt splits both texts at each `\n` (or `\r\n`), so a text that ends with a newline has an empty last line. A hunk
//! ends with three lines of context, or at the end of the file.

use crate::normalize::patch::Patch;

/// A part of a file as it is and as rustfmt would have it.
pub(super) struct Hunk {
    /// The line of the file that it begins with.
    line: u32,
    old: Vec<String>,
    new: Vec<String>,
    /// Whether its last line is the same in both.
    ends_alike: bool,
}

/// Lines that rustfmt would write differently, with their place in the formatted file.
pub(super) struct Change {
    pub(super) patch: Patch,
    /// How many lines of the hunk come before, in the formatted file.
    pub(super) new_start: usize,
}

impl Hunk {
    /// Reads the hunk at the beginning of `body`, whose first line is the file's `line`; and how long it is. Under
    /// `--verbose` each line ends with an arrow.
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

    /// The first line of the file that it shows.
    pub(super) fn line(&self) -> u32 {
        self.line
    }

    /// By how many lines it makes the file longer.
    pub(super) fn growth(&self) -> i64 {
        let count = |lines: &[String]| i64::try_from(lines.len()).unwrap_or(i64::MAX);
        count(&self.new) - count(&self.old)
    }

    /// The smallest changes that it is made of. rustfmt puts changes into one hunk because they are near: fixing one of
    /// them would make another finding of its neighbours. It moves letters and digits from line to line, but hardly
    /// adds or drops any: a change ends where old and new lines end after as many.
    pub(super) fn changes(&self) -> Vec<Change> {
        let (old_ends, new_ends) = (letters_up_to(&self.old), letters_up_to(&self.new));
        let mut cuts = old_ends.clone();
        cuts.retain(|cut| new_ends.binary_search(cut).is_ok());
        cuts.dedup();
        cuts.push(usize::MAX);
        // The last line is often the empty one behind the last newline: no line that could be removed.
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
        // What follows the last line begins within it: its newline is missing.
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

/// For each line, how many letters and digits there are up to its end.
fn letters_up_to(lines: &[String]) -> Vec<usize> {
    let letters = |line: &String| line.chars().filter(|c| c.is_alphanumeric()).count();
    let add = |sum: &mut usize, line| {
        *sum += letters(line);
        Some(*sum)
    };
    lines.iter().scan(0, add).collect()
}
