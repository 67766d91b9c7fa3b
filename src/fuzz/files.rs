//! Fuzz targets for files that users write, and for the error messages about them.

use super::random::Dice;
use super::{Target, fixture, problem, text};
use crate::model::error::{Problem, Problems};
use crate::model::policy::Selection;
use crate::model::testing::workspace;
use crate::model::workspace::TargetKind;
use crate::plan::config::{self, ConfigFile, Place};
use crate::plan::{self, Facts, PlanError};

const WORDS: [&str; 30] = [
    "[tools.x]\n",
    "[policy]\n",
    "[profile.ci.policy]\n",
    "[[suppress]]\n",
    "[baseline]\n",
    "run = [\"x\", \"{files}\"]\n",
    "per = \"file\"\n",
    "files = [\"**/*.rs\"]\n",
    "parse = { regex = '(?<message>.*)' }\n",
    "needs = [\"y\"]\n",
    "expires = \"2027-02-29\"\n",
    "seed = 1\n",
    "order = \"topo\"\n",
    "batch = 7\n",
    "enabled = false\n",
    "locked = true\n",
    "= ",
    "\"\"\"",
    "'''",
    "[",
    "]",
    "{",
    "}",
    "# ",
    "\n",
    "0x",
    "1979-05-27T07:32:00Z",
    "nan",
    "inputs = [\"../x\"]\n",
    "[workspace.metadata.genti]\n",
];

fn mutate(dice: &mut Dice, input: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
    text::mutate(dice, input, others, &WORDS)
}

/// Configuration in its own file and in a manifest. Accepted configuration can be planned with.
pub(super) const CONFIG: Target = Target {
    name: "config",
    seeds: || {
        let files = [
            "tests/cmd/own-tools.in/genti.toml",
            "tests/cmd/playbook/genti.toml",
            "tests/cmd/gates/dice.toml",
            "tests/cmd/detected.in/genti.toml",
            ".config/genti.toml",
        ];
        let is_there = |path: &&str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path).is_file();
        files
            .into_iter()
            .filter(is_there)
            .map(|path| fixture(path).into_bytes())
            .chain([EVERYTHING.into()])
            .collect()
    },
    mutate,
    check: config,
};

/// Example with every kind of setting.
const EVERYTHING: &str = r#"
[policy]
order = "risk-first"
batch = "by-path"
seed = 7
parallel = 2
per-task-timeout = "90s"
max-duration = "1h 30m"
[profile.ci.policy]
batch = 3
[baseline]
stale = "warn"
[tools.clippy]
args = ["--", "-D", "warnings"]
[tools.own]
run = ["sh", "x.sh", "{file}"]
per = "file"
files = ["**/*.txt"]
exclude = ["a/**"]
parse = { regex = '^(?<path>.+?):(?<line>\d+): (?<message>.*)$' }
needs = ["fmt"]
env = ["A"]
required = false
[[suppress]]
rule = "x"
tool = "own"
reason = "because"
expires = "2030-01-31"
"#;

fn config(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input).into_owned();
    let file = |name: &str, place| ConfigFile { name: name.into(), text: text.as_str().into(), place };
    // Try only some of them, chosen by the input, because parsing TOML takes most of the time.
    if input.len().is_multiple_of(4) {
        let in_manifest = config::load(&[file("Cargo.toml", Place::Metadata)], None);
        in_manifest.err().iter().for_each(render_all);
    }
    let loaded = match config::load(&[file("genti.toml", Place::File)], Some("ci")) {
        Ok(loaded) => loaded,
        Err(problems) => {
            render_all(&problems);
            // Try without the profile, which may be the only thing missing.
            match config::load(&[file("genti.toml", Place::File)], None) {
                Ok(loaded) => loaded,
                Err(problems) => {
                    render_all(&problems);
                    return false;
                }
            }
        }
    };
    let lib = [(TargetKind::Lib, "a/src/lib.rs")];
    let workspace = workspace(&[("a", &lib)], &["a/notes.txt", "a/src/lib.rs", "b.txt"]);
    let make = || -> Result<_, PlanError> {
        let (tools, policy) = (loaded.tools.clone(), loaded.policy.policy());
        plan::plan(&workspace, tools, Selection::default(), policy, &Facts::default())
    };
    let planned = make();
    if let (Ok(one), Ok(other)) = (&planned, make()) {
        assert_eq!(one.batch_id, other.batch_id);
        let tasks = one.steps().map(|step| one.step(step).tasks.len()).sum::<usize>();
        assert_eq!(tasks, one.graph.tasks.len(), "each task is in exactly one step");
    }
    planned.is_ok()
}

/// Lock file with the versions that a team agreed on.
pub(super) const LOCK: Target = Target {
    name: "lock",
    seeds: || {
        let lock = "format = 1\n\n[tools.clippy]\nversion = \"clippy 0.1.95 (59807616e1 2026-04-14)\"\nrules = [\"clippy::a\", \"clippy::b\"]\n\n[tools.fmt]\nversion = \"rustfmt 1.9.0\"\n";
        vec![lock.into(), b"format = 1\n".to_vec()]
    },
    mutate: |dice, input, others| {
        text::mutate(dice, input, others, &["format = 1\n", "[tools.x]\n", "rules = [", "\"", "]"])
    },
    check: |input| {
        let file =
            |text: String| ConfigFile { name: "genti.lock".into(), text: text.into(), place: Place::File };
        match config::lock(&file(String::from_utf8_lossy(input).into_owned())) {
            Ok(lock) => {
                let again = config::lock(&file(lock.render()));
                assert_eq!(
                    again.as_ref().map(config::Lock::render),
                    Ok(lock.render()),
                    "a lock file is written as it was read"
                );
                true
            }
            Err(problems) => {
                render_all(&problems);
                false
            }
        }
    },
};

/// Mistake anywhere in any text. The first line of the input is the place, the second one the message.
pub(super) const MISTAKE: Target = Target {
    name: "mistake",
    seeds: || {
        ["4 5\nis no number\na = \"x\"é\n", "0 0\n\n\n", "2 9\nunknown ”\u{feff}\r\n\tx\n\n"]
            .map(Into::into)
            .to_vec()
    },
    mutate: |dice, input, others| {
        let mut out = text::mutate(dice, input, others, &["é", "\t", "\r\n", "\u{301}", "x = 1\n"]);
        if dice.one_in(2) {
            let body = out.iter().position(|byte| *byte == b'\n').map_or(Vec::new(), |at| out[at..].to_vec());
            out = [format!("{} {}", dice.below(40), dice.below(40)).into_bytes(), body].concat();
        }
        out
    },
    check: |input| {
        let text = String::from_utf8_lossy(input);
        let mut lines = text.splitn(3, '\n');
        let mut ends =
            lines.next().unwrap_or_default().split(' ').map(|word| word.parse().unwrap_or_default());
        let (start, end) = (ends.next().unwrap_or_default(), ends.next().unwrap_or_default());
        let problem = Problem {
            file: "genti.toml".into(),
            message: lines.next().unwrap_or_default().to_owned(),
            text: lines.next().unwrap_or_default().into(),
            span: Some(start..end),
            help: (start != end).then(|| "do otherwise”".to_owned()),
        };
        render_all(&Problems(vec![problem.clone()]));
        problem.clamped().is_some_and(|span| !span.is_empty())
    },
};

/// Renders each mistake as a user would see it.
pub(super) fn render_all(problems: &Problems) {
    assert!(!problems.0.is_empty(), "a file was rejected without a message");
    for each in &problems.0 {
        assert!(!problem::render(each).is_empty() && !each.to_string().is_empty());
    }
}
