//! What is to be bought.

/// The sum in cents. FIXME: free things
pub fn sum(names: &[&str]) -> u32 {
    names.iter().map(|name| store::price(name)).sum()
}
