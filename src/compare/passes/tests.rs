use super::*;
use crate::model::halt::Never;
use crate::model::text::Text;

/// Parses an entry: `path | rule | scope | code | message`.
fn entry(line: &str) -> Entry {
    let fields: Vec<_> = line.split('|').map(|field| field.trim().to_owned()).collect();
    let [path, rule, scope, code, msg] = <[String; 5]>::try_from(fields).unwrap();
    let [rule, scope, code, msg] = [rule, scope, code, msg].map(Text::from);
    Entry { site: Site::Path(RelPath::new(&path)), rule, scope, code, msg, in_variants: None, reason: None }
}

/// A run in which files whose path begins with `gone` are missing and those in `unseen/` were not checked.
struct World;

impl Reach for World {
    fn exists(&self, path: &RelPath) -> bool {
        !path.as_bytes().starts_with(b"gone")
    }
    fn looked_at(&self, _: &str, entry: &Entry) -> bool {
        !matches!(&entry.site, Site::Path(path) if path.as_bytes().starts_with(b"unseen/"))
    }
}

/// Checks the pass of each of `current` (0: none), for a baseline of `known`.
fn check(known: &[&str], current: &[&str], passes: &[u8]) {
    let (known, mut current): (Vec<_>, Vec<_>) =
        (known.iter().map(|line| entry(line)).collect(), current.iter().map(|line| entry(line)).collect());
    let given = current.clone();
    current.sort();
    let numbered = current.iter().enumerate().collect();
    let (matched, left) = Passes::new("ns", &World, numbered, known.iter(), &Never).run().unwrap();
    assert_eq!(matched.len() + left.len(), known.len(), "one to one");
    let mut found: BTreeMap<&Entry, Vec<u8>> = BTreeMap::new();
    for (at, entry) in current.iter().enumerate() {
        let pass = matched.iter().find(|(of, ..)| *of == at).map_or(0, |(_, pass, _)| *pass);
        found.entry(entry).or_default().insert(0, pass);
    }
    let found: Vec<u8> = given.iter().map(|entry| found.get_mut(entry).unwrap().pop().unwrap()).collect();
    assert_eq!(found, passes);
}

#[test]
fn a_renamed_file_keeps_its_findings() {
    let known = ["gone.rs|r|fn a|x|m", "gone.rs|r|fn b|y|m", "gone.rs|s|fn b|z|n"];
    check(&known, &["new.rs|r|fn a|x|m", "new.rs|r|fn c|y|m", "new.rs|s|fn b|z|n"], &[3, 3, 3]);
    // Half of the findings is enough, and the others are followed too.
    let known = ["gone.rs|r|fn a|x|m", "gone.rs|r|fn b|y|is `b`"];
    check(&known, &["new.rs|r|fn a|x|m", "new.rs|r|fn b|other|is `b`"], &[3, 5]);
    // A third is not enough, but a finding that moved with its item is still matched.
    let known = ["gone.rs|r|fn a|x|m", "gone.rs|r|fn b|y|m", "gone.rs|r|fn c|z|m"];
    check(&known, &["new.rs|r|fn a|x|m", "new.rs|r|fn other|y2|m"], &[6, 0]);
    // A file with the old name wins, even if a copy beside it has more of the findings.
    let known = ["gone/a.rs|r|fn a|x|m", "gone/a.rs|r|fn b|y|m", "gone/a.rs|s|fn b|z|n"];
    let both = [
        "new/a.rs|r|fn a|x|m",
        "new/a.rs|r|fn b|y|m",
        "new/b.rs|r|fn a|x|m",
        "new/b.rs|r|fn b|y|m",
        "new/b.rs|s|fn b|z|n",
    ];
    check(&known, &both, &[3, 3, 0, 0, 6]);
}

/// Checks the pass of each doc test of `current` (0: none), for a baseline of `known`. Each is `subject | code`.
fn check_doc_tests(known: &[&str], current: &[&str], passes: &[u8]) {
    let entry = |line: &&str| {
        let (subject, code) = line.split_once(" |").unwrap();
        let [rule, msg, code, scope] = ["failed", "test failed", code.trim(), ""].map(Text::from);
        let subject = subject.to_owned();
        Entry { site: Site::Subject(subject), rule, scope, code, msg, in_variants: None, reason: None }
    };
    let (known, current): (Vec<_>, Vec<_>) =
        (known.iter().map(entry).collect(), current.iter().map(entry).collect());
    let numbered = current.iter().enumerate().collect();
    let (matched, _) = Passes::new("ns", &World, numbered, known.iter(), &Never).run().unwrap();
    let pass = |at| matched.iter().find(|(of, ..)| *of == at).map_or(0, |(_, pass, _)| *pass);
    assert_eq!((0..current.len()).map(pass).collect::<Vec<_>>(), passes);
}

#[test]
fn a_doc_test_with_code_is_matched_regardless_of_its_number() {
    check_doc_tests(&["a.rs - f #2 | x"], &["a.rs - f #3 | x"], &[1]);
    check_doc_tests(&["a.rs - f #2 | x"], &["a.rs - f | x"], &[1]);
    check_doc_tests(&["a.rs - f #2 | x"], &["a.rs - f #2 | y"], &[0]);
    check_doc_tests(&["a.rs - f #2 | x"], &["a.rs - g #2 | x"], &[0]);
    check_doc_tests(&["a.rs - f | x"], &["a.rs - f | x", "a.rs - f #2 | x"], &[1, 0]);
}

#[test]
fn an_old_entry_of_a_doc_test_is_matched_by_its_number() {
    check_doc_tests(&["a.rs - f #2 |"], &["a.rs - f | w", "a.rs - f #2 | x"], &[0, 2]);
    check_doc_tests(&["a.rs - f #2 |"], &["a.rs - f #3 | x"], &[0]);
    // Without code, a doc test only matches an entry without code.
    check_doc_tests(&["a.rs - f #2 |"], &["a.rs - f #2 |"], &[1]);
    check_doc_tests(&["a.rs - f #2 | x"], &["a.rs - f #2 |"], &[0]);
}

#[test]
fn a_tie_is_not_a_rename() {
    let known = ["gone.rs|r||x|m", "gone.rs|r||y|m"];
    check(&known, &["one.rs|r||x|m", "two.rs|r||y|m"], &[0, 0]);
    check(&known, &["one.rs|r||x|m", "one.rs|r||y|m", "two.rs|r||y|m"], &[3, 3, 0]);
}

#[test]
fn an_existing_file_was_not_renamed() {
    check(&["old.rs|r||x|m"], &["new.rs|r||x|m"], &[0]);
}

#[test]
fn a_reworded_lint_is_the_same_finding() {
    check(&["a.rs|r|fn a|x|old words"], &["a.rs|r|fn a|x|new words"], &[4]);
    check(&["a.rs|r|f|x|old", "a.rs|r|f|x|old"], &["a.rs|r|f|x|new", "a.rs|r|f|x|new"], &[4, 4]);
    // Different numbers are not paired, and neither are findings without code.
    check(&["a.rs|r|f|x|old"], &["a.rs|r|f|x|new", "a.rs|r|f|x|new"], &[0, 0]);
    check(&["a.rs|r|||old"], &["a.rs|r|||new"], &[0]);
    check(&["a.rs|r|f|x|old"], &["a.rs|other|f|x|new"], &[0]);
}

#[test]
fn edited_code_is_followed_if_the_finding_is_about_an_item() {
    check(&["a.rs|r|fn a|x(1)|`a` is long"], &["a.rs|r|fn a|x(2)|`a` is long"], &[5]);
    check(&["a.rs|r||pub fn b(1)|`b` is long"], &["a.rs|r||fn b(2)|`b` is long"], &[5]);
    check(&["a.rs|r|fn a|let x=1|unused `x`"], &["a.rs|r|fn a|let x=2|unused `x`"], &[5]);
    check(&["a.rs|r||struct B|`B` is"], &["a.rs|r||pub struct B|`B` is"], &[5]);
    // The flagged code may be the item itself.
    check(&["a.rs|r|impl A > fn b|pub fn b(1)|m"], &["a.rs|r|impl A > fn b|pub fn b(2)|m"], &[5]);
    check(&["a.rs|r|fn r#b|fn r#b(1)|m"], &["a.rs|r|fn r#b|fn r#b(2)|m"], &[5]);
    check(&["a.rs|r|fn r#b|fn r#b(1)|`b` is"], &["a.rs|r|fn r#b|fn r#b(2)|`b` is"], &[5]);
    check(&["a.rs|r|fn b|b(1)|m"], &["a.rs|r|fn b|b(2)|m"], &[0]);
    check(&["a.rs|r|fn a|x(1)|it is long"], &["a.rs|r|fn a|x(2)|it is long"], &[0]);
    // The name in backticks must be an item that both are about.
    check(&["a.rs|r|fn a|return x|no `return`"], &["a.rs|r|fn a|return y|no `return`"], &[0]);
    check(&["a.rs|r|fn a|x|of `Copy`"], &["a.rs|r|fn a|y|of `Copy`"], &[0]);
    check(&["a.rs|r|fn a|x.clone()|a `clone`"], &["a.rs|r|fn a|y.clone()|a `clone`"], &[0]);
    check(&["a.rs|r|fn a|x as u32|to `u32`"], &["a.rs|r|fn a|y as u32|to `u32`"], &[0]);
    check(&["a.rs|r|impl A|f(x)-> A|an `A`"], &["a.rs|r|impl A|f(y)-> A|an `A`"], &[0]);
    check(&["a.rs|r|fn a|panic!(1)|no `panic`"], &["a.rs|r|fn a|panic!(2)|no `panic`"], &[0]);
    check(&["a.rs|r|fn a|x(1)|`a` is long"], &["a.rs|r|fn b|x(2)|`a` is long"], &[0]);
    // Of two, it is unknown which is which.
    let known = ["a.rs|r|f|x(1)|`a` is", "a.rs|r|f|x(2)|`a` is"];
    check(&known, &["a.rs|r|f|x(3)|`a` is", "a.rs|r|f|x(4)|`a` is"], &[0, 0]);
}

#[test]
fn code_that_is_nearly_the_same_is_the_same_finding() {
    let long = |inner: &str| format!("if list.is_empty(){{{inner};said.push_str(name);said.push_str(half)}}");
    let entry =
        |path: &str, scope: &str, inner: &str, msg: &str| format!("{path}|r|{scope}|{}|{msg}", long(inner));
    let known = [&*entry("a.rs", "fn a", "f(x)", "m")];
    check(&known, &[&entry("a.rs", "fn a", "f(y)", "m")], &[7]);
    // Code that differs by half is another finding, and so is code with another scope, file or message.
    check(&known, &[&entry("a.rs", "fn a", "let [one,two]=[3*x,4*x,5*x]", "m")], &[0]);
    check(&known, &[&entry("a.rs", "fn b", "f(y)", "m")], &[0]);
    check(&known, &[&entry("b.rs", "fn a", "f(y)", "m")], &[0]);
    check(&known, &[&entry("a.rs", "fn a", "f(y)", "n")], &[0]);
    // The most similar of several is paired, one to one.
    let current = [&*entry("a.rs", "fn a", "g(y)", "m"), &*entry("a.rs", "fn a", "f(y)", "m")];
    check(&known, &current, &[0, 7]);
    // A renamed file is followed first.
    let known = [&*entry("gone.rs", "fn a", "f(x)", "m"), "gone.rs|r|fn b|y|m"];
    check(&known, &[&entry("new.rs", "fn a", "f(y)", "m"), "new.rs|r|fn b|y|m"], &[7, 3]);
}

#[test]
fn an_item_may_move_to_another_file() {
    check(&["a.rs|r|impl A > fn b|x|m"], &["b.rs|r|impl A > fn b|x|m"], &[6]);
    // An inline module that becomes a file does not matter either.
    check(&["a.rs|r|mod tests > fn b|x|m"], &["a/tests.rs|r|fn b|x|m"], &[6]);
    check(&["a.rs|r|mod b > mod c|x|m"], &["a/b/c/mod.rs|r||x|m"], &[6]);
    check(&["src/lib.rs|r|mod b|x|m"], &["src/b.rs|r||x|m"], &[6]);
    check(&["a.rs|r|mod b|x|m"], &["b.rs|r||x|m"], &[0]);
    check(&["a.rs|r|impl A > fn b|x|m"], &["b.rs|r|impl A > fn c|x|m"], &[0]);
    // It did not move if it is still there.
    let both = ["a.rs|r|fn b|x|m", "b.rs|r|fn b|x|m"];
    check(&both[..1], &both, &[1, 0]);
    // In an unchecked file, it may still be there as well.
    check(&["unseen/a.rs|r|fn b|x|m"], &["b.rs|r|fn b|x|m"], &[0]);
}

#[test]
fn a_certainly_new_finding_is_new_whatever_else_is_found() {
    let check = |known: &[&str], current: &[&str], is_new: bool| {
        let entries = |lines: &[&str]| lines.iter().map(|line| entry(line)).collect::<Vec<_>>();
        assert_eq!(has_surely_new(&entries(current), &entries(known)), is_new, "{current:?}");
    };
    check(&[], &["a.rs|r|f|x|m"], true);
    check(&["a.rs|r|f|x|m"], &["a.rs|r|f|x|m"], false);
    check(&["a.rs|r|f|x|m"], &["a.rs|r|f|y|n"], true);
    // Each of these entries may match in the end: moved, reworded, edited.
    for known in ["b.rs|r|f|x|m", "a.rs|r|g|x|n", "a.rs|r|f|y|m"] {
        check(&[known], &["a.rs|r|f|x|m"], false);
    }
    check(&["a.rs|r|f|x|m"], &["a.rs|r|f|x|m"; 3], true);
}
