use super::shell::commands;
use super::words::Word;

/// Formats the words of each command, with `@` for the arguments, `$NAME` for a variable and `?` for unknown
/// words.
fn words(text: &str) -> Vec<String> {
    let word = |word: &Word| match word {
        Word::Text(text) => text.clone(),
        Word::Arguments => "@".to_owned(),
        Word::Variable(name, None) => format!("${name}"),
        Word::Variable(name, Some(default)) => format!("${name}:{default}"),
        Word::Beside(path) => format!("./{path}"),
        Word::Open(_) => "?".to_owned(),
    };
    let line = |(_, words): &(usize, Vec<Word>)| words.iter().map(word).collect::<Vec<_>>().join(" ");
    commands(text).commands.iter().map(line).collect()
}

#[test]
fn the_parsed_commands_are_those_that_a_shell_would_run() {
    let cases: &[(&str, &[&str])] = &[
        ("", &[]),
        ("# make all\n", &[]),
        ("true", &["true"]),
        ("a b; c & d | e && f || g\nh", &["a b", "c", "d", "e", "f", "g", "h"]),
        ("a 'b c' \"d e\" f\\ g", &["a b c d e f g"]),
        ("a \\\n  b", &["a b"]),
        ("X=1 Y=\"$Z\" a b", &["a b"]),
        ("X=1", &[]),
        ("X=$(a b)", &["a b"]),
        ("a `b c` d", &["b c", "a ? d"]),
        ("a \"$(b \"$(c)\")\"", &["c", "b ?", "a ?"]),
        ("if a; then b; elif c; then d; else e; fi", &["a", "b", "c", "d", "e"]),
        ("while ! a; do b; done", &["a", "b"]),
        ("for f in a b $(c); do d $f; done", &["c", "d $f"]),
        ("for f in \"$@\"\ndo\n d\ndone", &["d"]),
        ("for f; do a; done", &["a"]),
        ("case $x in\n a|b) c;;\n (d) e ;;\n *) f\n esac; g", &["c", "e", "f", "g"]),
        ("case x in esac; a", &["a"]),
        ("case $x in\n a) b ;;\nesac\nc", &["b", "c"]),
        ("(a; b) | { c; d; }", &["a", "b", "c", "d"]),
        ("f() { a; }\nf x", &["a", "f x"]),
        ("function f { a; }\nf", &["a", "f"]),
        ("[ a = b ] && c", &["[ a = b ]", "c"]),
        ("[[ $a < b && (x || y) ]] && c", &["c"]),
        ("(( a < b )) && c; d $((1 + $(e)))", &["c", "e", "d ?"]),
        ("a > b 2>&1 < c &> d", &["a"]),
        ("a 2 > b", &["a 2"]),
        ("a << END\nmake\nEND\nb", &["a", "b"]),
        ("a <<-'END' | b\n\tmake\n\tEND\nc", &["a", "b", "c"]),
        ("a <<< make", &["a"]),
        ("a <(b) >(c)", &["b", "c", "a ? ?"]),
        ("x=(make all); a", &["a"]),
        ("\"$@\"", &["@"]),
        ("exec \"$1\" $@", &["exec ? @"]),
        ("$CC x ${CC:-cc} \"${A}\" ${A%x}", &["$CC x $CC:cc $A ?"]),
        ("~/a b", &["? b"]),
        (". \"$(dirname \"$0\")/lib.sh\"", &["dirname ?", ". ./lib.sh"]),
        ("\"${BASH_SOURCE[0]%/*}/a\" b", &["./a b"]),
        (
            "D=\"$(cd \"$(dirname \"${BASH_SOURCE[0]}\")\" && pwd)\"\n\"$D/a\" \"${D}\"/b",
            &["dirname ?", "cd ./", "pwd", "./a ./b"],
        ),
        ("\"$(dirname \"$0\")/../a\"", &["dirname ?", "./../a"]),
        ("\"$(cd \"$(dirname \"$0\")/..\" && pwd)/a\"", &["dirname ?", "cd ./..", "pwd", "?"]),
        ("x$(dirname $0)", &["dirname ?", "?"]),
        ("echo \"make\" # make", &["echo make"]),
        ("a;; b) c", &["a", "b", "c"]),
        ("set -e\n\n. ./lib.sh", &["set -e", ". ./lib.sh"]),
        ("a '", &["a "]),
        ("a \"$(b", &["b", "a ?"]),
    ];
    for (text, expected) in cases {
        assert_eq!(words(text), *expected, "{text:?}");
    }
}

#[test]
fn a_variable_has_a_known_value_if_it_is_assigned_one_constant() {
    let found = commands("A=1\nB=x; B=y\nC=$D\nexport E=e\nfor F in 1; do :; done\nread G\nA=1\nH+=1");
    let value = |name: &str| found.variables[name].as_deref();
    assert_eq!(
        ["A", "B", "C", "E", "F", "G", "H"].map(value),
        [Some("1"), None, None, Some("e"), None, None, None]
    );
}

#[test]
fn a_command_has_the_line_in_which_it_begins() {
    let lines: Vec<_> =
        commands("a\n\nb \\\n c\nd <<E\nx\nE\ne").commands.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [1, 3, 5, 8]);
}

proptest::proptest! {
    #[test]
    fn the_parser_terminates_on_any_text(text in "[a-c =;&|()<>{}$`'\"\\\\\n#@*:~-]{0,40}|(case|esac|for|in|do|\\[\\[|\\]\\]| |\n|;;|\\)|\\(){0,20}") {
        commands(&text);
    }
}
