//! Counts words.

/// How many words `text` has.
pub fn count(text: &str) -> usize {
    // TODO: hyphens
    text.split(' ').count()
}

/// The longest word of `text`.
pub fn longest(text: &str) -> &str {
    // TODO: ties
    text.split(' ').max_by_key(|word| word.len()).unwrap_or_default()
}
