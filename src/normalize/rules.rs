//! Reads the list of lints that `rustc -W help` and similar commands print.

use std::collections::BTreeSet;

/// Returns the lints in `text` that belong to one of `namespaces`, named as in findings. Skips lint groups.
pub fn rules(text: &str, namespaces: &[String]) -> BTreeSet<String> {
    let lint = |line: &str| {
        let mut words = line.split_whitespace();
        let (name, level) = (words.next()?, words.next()?);
        let is_lint = matches!(level, "allow" | "warn" | "deny" | "forbid");
        let ns = name.split_once("::").map_or("rustc", |(ns, _)| ns);
        (is_lint && namespaces.iter().any(|own| own == ns)).then(|| name.replace('-', "_"))
    };
    text.lines().filter_map(lint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELP: &str = "
Available lint options:
    -W <foo>           Warn about <foo>

Lint checks provided by rustc:

                 name  default  meaning
                 ----  -------  -------
         missing-docs  allow    detects missing documentation
      while-true-loop  warn     suggest using `loop { }`

Lint groups provided by rustc:

      warnings  all lints that are set to issue warnings
      future-incompatible  deny-later, warn-later

Lint checks loaded by this crate:

      clippy::needless-return  warn     using a return statement
      clippy::panic  allow    missing things
";

    #[test]
    fn lints_are_named_as_in_findings() {
        let of = |namespaces: &[&str]| {
            let namespaces: Vec<_> = namespaces.iter().map(|ns| (*ns).to_owned()).collect();
            rules(HELP, &namespaces).into_iter().collect::<Vec<_>>()
        };
        let clippy = ["clippy::needless_return", "clippy::panic"];
        assert_eq!(of(&["clippy"]), clippy);
        assert_eq!(of(&["clippy", "rustc"]), [&clippy[..], &["missing_docs", "while_true_loop"]].concat());
        assert!(of(&["rustdoc"]).is_empty());
    }
}
