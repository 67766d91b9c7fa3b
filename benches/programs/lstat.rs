//! Lower bound for `null.py` (the floor): calls lstat for each file named in LIST, on one thread.

fn main() {
    let list = std::env::args().nth(1).expect("LIST");
    let list = std::fs::read_to_string(list).expect("LIST can be read");
    let found = list.lines().filter(|path| std::fs::symlink_metadata(path).is_ok()).count();
    assert_eq!(found, list.lines().count());
}
