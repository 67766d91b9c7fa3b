//! How it is shown.

/// A line for the customer.
pub fn line(names: &[&str]) -> String {
    format!("{} things for {} cents", names.len(), cart::sum(names))
}
