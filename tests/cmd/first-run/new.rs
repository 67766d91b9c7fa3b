
/// Whether `name` is to be greeted.
pub fn is_known(name: &str, names: &[&str]) -> bool {
    // TODO: names in other cases
    names.contains(&name) == true
}
