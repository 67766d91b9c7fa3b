//! Mutations of unstructured bytes.

use super::random::Dice;

/// Changes a few bytes.
pub(super) fn mutate(dice: &mut Dice, input: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
    let mut out = input.to_vec();
    for _ in 0..1 + dice.below(3) {
        step(dice, &mut out, others);
    }
    out
}

fn step(dice: &mut Dice, out: &mut Vec<u8>, others: &[Vec<u8>]) {
    if out.is_empty() {
        out.push(dice.number() as u8);
        return;
    }
    let at = dice.below(out.len());
    match dice.below(8) {
        0 => out[at] ^= 1 << dice.below(8),
        1 => out[at] = *dice.pick(&[0, 1, 0x7f, 0x80, 0xff, b'\n', b' ', b'"']),
        2 => drop(out.drain(dice.range(out.len()))),
        3 => out.truncate(at),
        4 => {
            let copy = out[dice.range(out.len())].to_vec();
            out.splice(at..at, copy);
        }
        5 if !others.is_empty() => {
            let other = dice.pick(others);
            let part = other[dice.range(other.len())].to_vec();
            let end = out.len().min(at + dice.below(part.len() + 1));
            out.splice(at..end, part);
        }
        _ => number(dice, &mut out[at..]),
    }
}

/// Overwrites a number of four or eight bytes, as used for counts and sizes.
fn number(dice: &mut Dice, at: &mut [u8]) {
    let number = *dice.pick(&[0, 1, 2, 0x7f, 0xff, 0x7fff_ffff, 0xffff_ffff, u64::MAX, i64::MAX as u64]);
    let len = at.len().min(*dice.pick(&[4, 8]));
    at[..len].copy_from_slice(&number.to_le_bytes()[..len]);
}
