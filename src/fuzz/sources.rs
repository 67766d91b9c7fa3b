//! Fuzz targets for text written by compilers, build scripts, shells and people.

use std::collections::BTreeMap;

use super::{Target, fixture, text};
use crate::compare::identity;
use crate::model::finding::{Diagnostic, Level, Place, Position, Range};
use crate::model::halt::Never;
use crate::model::path::RelPath;
use crate::model::sources::Sources;
use crate::normalize::{self, reads};
use crate::{build, scan};

/// List of lints printed by a tool.
pub(super) const RULES: Target = Target {
    name: "rules",
    seeds: || {
        let table = "Lint checks provided by rustc:\n\n    name  default  meaning\n    ----  -------  -------\n    dead-code  warn  detect unused, unexported items\n    box-pointers  allow  use of owned (Box type) heap memory\n\nLint groups provided by rustc:\n\n    name  sub-lints\n    warnings  all lints that are set to issue warnings\n";
        vec![table.into()]
    },
    mutate: |dice, input, others| {
        text::mutate(dice, input, others, &["    ", "name", "----", "warn", "\n\n"])
    },
    check: |input| {
        let namespaces = ["rustc".to_owned(), "clippy".to_owned()];
        !normalize::rules(&String::from_utf8_lossy(input), &namespaces).is_empty()
    },
};

/// rustc's dep-info, the output of a build script, and a source file.
pub(super) const READS: Target = Target {
    name: "reads",
    seeds: || {
        let dep_info = "/t/debug/deps/a-1.d: src/lib.rs ../x\\ y.txt\n\nsrc/lib.rs:\n../x\\ y.txt:\n\n# env-dep:CARGO_PKG_NAME=a\n# env-dep:ABSENT\n";
        let script = "cargo:rerun-if-changed=../gen.txt\ncargo::rerun-if-env-changed=MADE\ncargo::warning=odd\ncargo:rustc-env=A=b\n";
        let source = "mod a;\n#[path = \"x/y.rs\"]\nmod b { mod c; }\nconst X: &str = include_str!(concat!(env!(\"OUT_DIR\"), \"/x\"));\ninclude!(\"../z.rs\");\n/// ```\n/// mod no;\n/// ```\nmacro_rules! m { () => { mod d; } }\n";
        [dep_info, script, source].map(Into::into).to_vec()
    },
    mutate: |dice, input, others| {
        let words = [
            "mod x;",
            "#[path = \"",
            "\"]",
            "include!(",
            "r#\"",
            "/*",
            "*/",
            "\\\n",
            "\\ ",
            ": ",
            "cargo::",
            "# env-dep:",
        ];
        text::mutate(dice, input, others, &words)
    },
    check: |input| {
        let dep_info = reads::dep_info(input);
        let script = reads::build_script(input);
        let (file, dir) = (RelPath::new("a/src/lib.rs"), RelPath::new("a"));
        let text = String::from_utf8_lossy(input);
        let named = reads::named(&text, &file, &dir, true);
        // Read again, because the result must not depend on anything else.
        assert_eq!(named, reads::named(&text, &file, &dir, true));
        dep_info.is_some() || script != reads::Reads::default()
    },
};

/// Makefile-style dependency files of compilers.
pub(super) const DEPFILE: Target = Target {
    name: "depfile",
    seeds: || {
        let all: [&[u8]; 3] = [
            b"a.o: a.c include/a\\ b.h \\\n  c.h\n\nc.h:\n",
            b"C:\\out\\a.o: C:\\src\\a.c d$$.h e\\#f.h\r\n# comment\n",
            b"a.o b.o : \\\n x y\n",
        ];
        all.map(<[u8]>::to_vec).to_vec()
    },
    mutate: |dice, input, others| {
        text::mutate(dice, input, others, &["\\\n", "\\ ", "\\#", "$$", ": ", "C:\\", "#", "\r\n"])
    },
    check: |input| {
        let Ok(files) = build::parse_depfile(input) else { return false };
        let once: std::collections::BTreeSet<_> = files.iter().collect();
        assert_eq!(once.len(), files.len(), "no duplicates");
        !files.is_empty()
    },
};

/// Flags that name the descriptors of make's jobserver.
pub(super) const MAKEFLAGS: Target = Target {
    name: "makeflags",
    seeds: || {
        let all = [
            " -j --jobserver-auth=3,4",
            "rRks -j8 --jobserver-fds=97,98 -- X=1",
            " -j2 --jobserver-auth=fifo:/tmp/f --jobserver-auth=5,6",
        ];
        all.map(Into::into).to_vec()
    },
    mutate: |dice, input, others| {
        text::mutate(
            dice,
            input,
            others,
            &["--jobserver-auth=", "--jobserver-fds=", ",", "-1", " ", "fifo:", "2147483648"],
        )
    },
    check: |input| {
        let text = String::from_utf8_lossy(input);
        let found: Vec<_> = scan::descriptors(&text).collect();
        // Compare as numbers, because `+3` and `003` are also 3.
        let is_there = |number: i32| {
            text.split(|c: char| ",=".contains(c) || c.is_whitespace()).any(|word| word.parse() == Ok(number))
        };
        for (read, write) in &found {
            assert!(is_there(*read) && is_there(*write), "{read},{write}");
        }
        !found.is_empty()
    },
};

/// Identity of findings in an arbitrary source. The first line of the input has their places.
pub(super) const IDENTITY: Target = Target {
    name: "identity",
    seeds: || {
        let of = |place: &str, path: &str| format!("{place}\n{}", fixture(path)).into_bytes();
        vec![
            of("1 1 1 5 3 1 4 1", "fixtures/findings/src/lib.rs"),
            of("2 1 9 9 5 3 5 8", "fixtures/tests/beta/src/lib.rs"),
            b"1 1 2 2\n//! A.\n/// B `c`.\n#[d(\"e\")]\nfn f<'a>(g: &'a str) -> u8 { let h = r#\"i\"#; b'j' as u8 + 0x1f_u8 }\n".to_vec(),
        ]
    },
    mutate: |dice, input, others| {
        let words = [
            "fn x() {",
            "}",
            "impl A for B {",
            "mod m {",
            "/*",
            "*/",
            "\"",
            "r##\"",
            "b'",
            "'a",
            "//!",
            "#[",
            "]",
            "=>",
            "|x|",
            ";",
            ",",
        ];
        let mut out = text::mutate(dice, input, others, &words);
        if dice.one_in(3) {
            let numbers: Vec<_> = (0..4 * (1 + dice.below(3))).map(|_| dice.below(60).to_string()).collect();
            let body = out.iter().position(|byte| *byte == b'\n').map_or(Vec::new(), |at| out[at..].to_vec());
            out = [numbers.join(" ").into_bytes(), body].concat();
        }
        out
    },
    check: identify,
};

/// Checks that every finding gets an id for any source and ranges, independent of the order.
fn identify(input: &[u8]) -> bool {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let head = String::from_utf8_lossy(&input[..end]);
    let numbers: Vec<u32> = head.split(' ').filter_map(|word| word.parse().ok()).collect();
    let path = RelPath::new("a/src/lib.rs");
    let body = input.get(end + 1..).unwrap_or_default().to_vec();
    let sources = Sources(BTreeMap::from([(path.clone(), body)]));
    let found = |ends: &[u32]| {
        let at = |line: u32, column: u32| Position { line: line.max(1), column: column.max(1) };
        let (one, other) = (at(ends[0], ends[1]), at(ends[2], ends[3]));
        let range = Range { start: one.min(other), end: one.max(other) };
        let place = Place::File { path: path.clone(), range: Some(range) };
        let diagnostic = Diagnostic {
            place,
            ns: "lint".into(),
            rule: "r".into(),
            level: Level::Warning,
            message: "`x` is bad".into(),
            fatal: false,
            package: None,
            related: Vec::new(),
            fix: None,
            test: None,
        };
        ("lint".into(), diagnostic)
    };
    let mut all: Vec<_> = numbers.chunks_exact(4).map(found).collect();
    let identify = |all| identity::identify(all, &sources, &Never).expect("never halted");
    let findings = identify(all.clone());
    assert!(findings.iter().all(|finding| finding.id.len() == 16));
    all.reverse();
    assert_eq!(identify(all), findings);
    findings.iter().any(|finding| !finding.code.is_empty())
}
