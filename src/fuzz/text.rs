//! Mutations of line-based text.

use super::random::Dice;
use super::{bytes, json};

/// Characters that often cause errors in text processing.
const ODD: [&str; 26] = [
    "\0",
    "\r",
    "\t",
    "\u{1b}[31m",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "\u{202e}",
    "é",
    "”",
    "👩\u{200d}🔬",
    "\u{301}",
    "\"",
    "'",
    "\\",
    "/",
    "../",
    ":",
    ",",
    "=",
    "[",
    "{",
    "#",
    "%",
    "`",
    " ",
];

/// Numbers at the limits of integer types, and near misses.
const NUMBERS: [&str; 16] = [
    "0",
    "1",
    "-1",
    "00",
    "255",
    "256",
    "65536",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "1e400",
    "0.5",
    "",
];

/// Mutates text, mostly line by line. `words` are meaningful in the format.
pub(super) fn mutate(dice: &mut Dice, input: &[u8], others: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
    let mut out = input.to_vec();
    for _ in 0..1 + dice.below(3) {
        out = match dice.below(6) {
            0 => bytes::mutate(dice, &out, others),
            1 => within(dice, out, words),
            2 => numbers(dice, &out),
            3 => json::mutate_line(dice, &out),
            _ => lines(dice, &out, others),
        };
    }
    out
}

/// Inserts something odd, or a word, at a random position.
fn within(dice: &mut Dice, mut out: Vec<u8>, words: &[&str]) -> Vec<u8> {
    let insert = match dice.one_in(2) && !words.is_empty() {
        true => *dice.pick(words),
        false => *dice.pick(&ODD),
    };
    let times = if dice.one_in(16) { 1 + dice.below(300) } else { 1 };
    let at = dice.below(out.len() + 1);
    out.splice(at..at, insert.repeat(times).into_bytes());
    out
}

/// Replaces one of the numbers in the text.
fn numbers(dice: &mut Dice, input: &[u8]) -> Vec<u8> {
    let is_digit = |at: usize| input.get(at).is_some_and(u8::is_ascii_digit);
    let starts: Vec<_> =
        (0..input.len()).filter(|&at| is_digit(at) && (at == 0 || !is_digit(at - 1))).collect();
    if starts.is_empty() {
        return input.to_vec();
    }
    let start = *dice.pick(&starts);
    let end = (start..).find(|&at| !is_digit(at)).unwrap_or(input.len());
    [&input[..start], dice.pick(&NUMBERS).as_bytes(), &input[end..]].concat()
}

/// Removes, repeats, moves or borrows lines.
fn lines(dice: &mut Dice, input: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
    let split =
        |text: &[u8]| text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
    let mut all = split(input);
    if all.is_empty() {
        return input.to_vec();
    }
    let at = dice.below(all.len());
    match dice.below(6) {
        0 => drop(all.remove(at)),
        1 => drop(all.drain(dice.range(all.len()))),
        2 => {
            let times = if dice.one_in(8) { 50 } else { 1 };
            let line = all[at].clone();
            all.splice(at..at, std::iter::repeat_n(line, times));
        }
        3 => {
            let other = dice.below(all.len());
            all.swap(at, other);
        }
        _ if !others.is_empty() => {
            let theirs = split(dice.pick::<Vec<u8>>(others));
            let part = theirs[dice.range(theirs.len())].to_vec();
            all.splice(at..at, part);
        }
        _ => {}
    }
    all.concat()
}
