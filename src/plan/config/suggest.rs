//! Suggestions for misspelt names.

/// Returns the candidate that `word` is most likely a misspelling of, or the first of several equally close
/// ones in alphabetical order.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(word, candidate), candidate))
        .filter(|(distance, candidate)| {
            let length = word.len().min(candidate.len());
            *distance < length && *distance <= length.div_ceil(3)
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// Suggests a fix for an unknown `word`: the closest candidate, or else all of them after the label
/// `else_all`.
pub(super) fn suggestion<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
    else_all: &str,
) -> String {
    match closest(word, candidates.clone()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => format!("{else_all}: {}", listed(candidates)),
    }
}

/// Lists names as `` `a`, `b`, `c` ``.
pub(in crate::plan) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_likely_misspelling_is_suggested() {
        let check = |word: &str, expected: Option<&str>| {
            assert_eq!(closest(word, ["order", "batch", "seed", "max-duration"]), expected, "{word}");
        };
        check("ordr", Some("order"));
        check("Order", Some("order"));
        check("max_duration", Some("max-duration"));
        check("sede", Some("seed"));
        check("colour", None);
        check("x", None);
        check("", None);
    }
}
