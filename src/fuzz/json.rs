//! Mutations of JSON values that result in valid JSON.

use serde_json::{Map, Value, json};

use super::random::Dice;

/// Changes a value in one of the lines that are JSON, or in the whole input if that is JSON.
pub(super) fn mutate_line(dice: &mut Dice, input: &[u8]) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = input.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let is_json = |line: &Vec<u8>| line.first().is_some_and(|byte| b"{[".contains(byte)) && line.len() > 2;
    let found: Vec<_> = (0..lines.len()).filter(|at| is_json(&lines[*at])).collect();
    if let Ok(mut whole) = serde_json::from_slice::<Value>(input) {
        mutate(dice, &mut whole);
        return whole.to_string().into_bytes();
    }
    if let Some(&at) = (!found.is_empty()).then(|| dice.pick(&found))
        && let Ok(mut value) = serde_json::from_slice::<Value>(&lines[at])
    {
        mutate(dice, &mut value);
        lines[at] = value.to_string().into_bytes();
    }
    lines.join(&b'\n')
}

/// Changes a value somewhere within `root`.
pub(super) fn mutate(dice: &mut Dice, root: &mut Value) {
    let donor = somewhere(dice, &mut root.clone()).clone();
    let found = somewhere(dice, root);
    match found {
        Value::Object(map) if !map.is_empty() && dice.one_in(2) => of_map(dice, map, donor),
        Value::Array(list) if !list.is_empty() && dice.one_in(2) => of_list(dice, list, donor),
        Value::Number(_) if dice.one_in(2) => *found = number(dice),
        Value::String(text) if dice.one_in(2) => *text = string(dice, text),
        found => *found = if dice.one_in(3) { donor } else { any(dice) },
    }
}

/// Returns a value at a random position.
fn somewhere<'a>(dice: &mut Dice, value: &'a mut Value) -> &'a mut Value {
    let len = match value {
        Value::Object(map) => map.len(),
        Value::Array(list) => list.len(),
        _ => 0,
    };
    if len == 0 || dice.one_in(6) {
        return value;
    }
    let at = dice.below(len);
    let next = match value {
        Value::Object(map) => map.values_mut().nth(at),
        Value::Array(list) => list.get_mut(at),
        _ => None,
    };
    somewhere(dice, next.expect("the index is in range"))
}

fn of_map(dice: &mut Dice, map: &mut Map<String, Value>, donor: Value) {
    let keys: Vec<_> = map.keys().cloned().collect();
    let key = dice.pick(&keys).clone();
    match dice.below(3) {
        0 => drop(map.remove(&key)),
        1 => drop(map.insert(key, donor)),
        _ => {
            let value = map.remove(&key).unwrap_or_default();
            let other = dice.pick(&keys).clone();
            map.insert(if dice.one_in(2) { other } else { string(dice, &key) }, value);
        }
    }
}

fn of_list(dice: &mut Dice, list: &mut Vec<Value>, donor: Value) {
    let at = dice.below(list.len());
    match dice.below(4) {
        0 => drop(list.remove(at)),
        1 => list.insert(at, donor),
        2 => list.insert(at, list[at].clone()),
        _ => {
            let other = dice.below(list.len());
            list.swap(at, other);
        }
    }
}

fn any(dice: &mut Dice) -> Value {
    match dice.below(9) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(""),
        3 => json!([]),
        4 => json!({}),
        5 => json!(string(dice, "x")),
        6 => (0..dice.below(140)).fold(json!(1), |within, _| json!([within])),
        _ => number(dice),
    }
}

fn number(dice: &mut Dice) -> Value {
    let numbers = [
        json!(0),
        json!(1),
        json!(-1),
        json!(2),
        json!(1 << 16),
        json!(u32::MAX),
        json!(1_u64 << 32),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(u64::MAX - 1),
        json!(0.5),
        json!(1e300),
    ];
    dice.pick(&numbers).clone()
}

fn string(dice: &mut Dice, text: &str) -> String {
    const ODD: [&str; 12] =
        ["\0", "\n", "\u{1b}[1m", "é", "/w/ws/x", "..", "\\", "\"", " ", "::error::x", "\u{202e}", "#1"];
    let mut out = text.to_owned();
    let at = (0..=dice.below(out.len() + 1)).rev().find(|at| out.is_char_boundary(*at)).unwrap_or(0);
    match dice.below(4) {
        0 => out.truncate(at),
        1 => out = dice.pick(&ODD).repeat(1 + dice.below(3)),
        _ => out.insert_str(at, dice.pick::<&str>(&ODD)),
    }
    out
}
