//! Finds the first difference between two JSON values.

use serde_json::Value;

/// A difference between two values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Path to the difference: `findings[3].range.start.line`. Empty for the value itself.
    pub place: String,
    /// Value on the left side, if there is one.
    pub left: Option<Value>,
    /// Value on the right side, if there is one.
    pub right: Option<Value>,
    /// True if both are lists with the same items in a different order.
    pub is_reordered: bool,
}

/// Returns the first difference, with keys compared in sorted order.
pub fn difference(left: &Value, right: &Value) -> Option<Difference> {
    if left == right {
        return None;
    }
    let here = |is_reordered| Difference {
        place: String::new(),
        left: Some(left.clone()),
        right: Some(right.clone()),
        is_reordered,
    };
    match (left, right) {
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<_> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            keys.into_iter().find_map(|key| Some(within(of(a.get(key), b.get(key))?, key)))
        }
        (Value::Array(a), Value::Array(b)) if is_permutation(a, b) => Some(here(true)),
        (Value::Array(a), Value::Array(b)) => (0..a.len().max(b.len()))
            .find_map(|at| Some(within(of(a.get(at), b.get(at))?, &format!("[{at}]")))),
        _ => Some(here(false)),
    }
}

fn of(left: Option<&Value>, right: Option<&Value>) -> Option<Difference> {
    match (left, right) {
        (Some(left), Some(right)) => difference(left, right),
        _ => Some(Difference {
            place: String::new(),
            left: left.cloned(),
            right: right.cloned(),
            is_reordered: false,
        }),
    }
}

fn within(mut difference: Difference, step: &str) -> Difference {
    let point = if difference.place.is_empty() || difference.place.starts_with('[') { "" } else { "." };
    difference.place = format!("{step}{point}{}", difference.place);
    difference
}

fn is_permutation(a: &[Value], b: &[Value]) -> bool {
    let sorted = |values: &[Value]| {
        let mut texts: Vec<_> = values.iter().map(Value::to_string).collect();
        texts.sort();
        texts
    };
    a.len() == b.len() && sorted(a) == sorted(b)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(left: Value, right: Value, place: &str, is_reordered: bool) -> Difference {
        let found = difference(&left, &right).expect("they differ");
        assert_eq!((found.place.as_str(), found.is_reordered), (place, is_reordered));
        found
    }

    #[test]
    fn the_first_difference_has_its_place_and_both_sides() {
        assert_eq!(difference(&json!({ "a": [1] }), &json!({ "a": [1] })), None);
        let left = json!({ "a": [{ "b": 1, "c": 2 }], "z": 0 });
        let right = json!({ "a": [{ "b": 1, "c": 3 }], "z": 1 });
        let found = check(left, right, "a[0].c", false);
        assert_eq!((found.left, found.right), (Some(json!(2)), Some(json!(3))));
        let found = check(json!([1]), json!([1, 2]), "[1]", false);
        assert_eq!((found.left, found.right), (None, Some(json!(2))));
        check(json!({ "a": 1 }), json!({ "b": 1 }), "a", false);
        check(json!({ "a": [[1, 2]] }), json!({ "a": [[2, 1]] }), "a[0]", true);
        check(json!({ "a": { "b": [1] } }), json!({ "a": { "b": [2] } }), "a.b[0]", false);
        check(json!(1), json!("1"), "", false);
    }
}
