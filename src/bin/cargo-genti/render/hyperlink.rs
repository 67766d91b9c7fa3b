//! Terminal hyperlinks (OSC 8) to files and to documentation of rules. The caller decides if they are
//! supported.

use std::path::Path;

use anstyle_hyperlink::{Hyperlink, path_to_url};
use genti::model::generated::split_out_dir;
use genti::path::RelPath;

/// Links `text` to `url`, if there is one. Both must already be safe for a terminal.
pub(super) fn to(url: Option<&str>, text: &str) -> String {
    match url {
        Some(url) => {
            let link = Hyperlink::with_url(url);
            format!("{link}{text}{link:#}")
        }
        None => text.to_owned(),
    }
}

/// Returns the URL of the file at `path` below `root`, or `None` for a generated file, which is not in the
/// workspace.
pub(super) fn file(root: &Path, path: &RelPath) -> Option<String> {
    if split_out_dir(path).is_some() {
        return None;
    }
    path_to_url(&path.to_path(root))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn no_character_of_a_file_name_ends_the_link() {
        let path = RelPath::new("src/a b\u{1b}\\\u{7}é%.rs");
        let url = file(Path::new("/w"), &path).unwrap();
        assert!(url.ends_with("/w/src/a%20b%1B%5C%07%C3%A9%25.rs"), "{url}");
        assert_eq!(to(Some("u"), "t"), "\u{1b}]8;;u\u{1b}\\t\u{1b}]8;;\u{1b}\\");
        assert_eq!(to(None, "t"), "t");
    }
}
