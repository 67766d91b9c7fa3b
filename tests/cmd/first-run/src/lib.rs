//! Greets.

/// Greets `name`.
pub fn greet(name: &str) -> String {
    return format!("Hello, {}!", name);
}

/// Whether there is somebody to greet.
pub fn is_alone(names: &[&str]) -> bool {
    names.len() == 0
}
