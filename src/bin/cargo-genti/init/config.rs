//! The configuration that `init` writes: what holds without it, with examples to be uncommented. Knows no disk.
//!
//! Prose begins with `# `, an example with `#` and no space. Both what is written and what it is with every example
//! uncommented must be a configuration.

use super::surroundings::Surroundings;

/// As many calls of what checks the repository already are repeated.
const CALLS: usize = 12;

/// The text for what was `found`.
pub(super) fn render(found: &Surroundings) -> String {
    let mut text = Text(String::new());
    text.prose(&format!(
        "What `cargo genti run` checks here, and `cargo genti check` as a gate. Written by `cargo genti init` {}.",
        env!("CARGO_PKG_VERSION")
    ));
    text.prose("As it stands, it says what holds without it. A `#` without a space behind it begins an example: take it away.");
    text.prose("Every key is explained on the page \"Configuration\" of genti's book.");
    text.prose("");
    text.prose(&(found.packages(CALLS) + "."));
    text.lines("");

    text.lines("[policy]");
    text.prose(
        "What comes first: \"deterministic\" (by path), \"topo\", \"required-first\" or \"risk-first\".",
    );
    text.lines("order = \"deterministic\"");
    text.prose("What is in one batch: \"auto\", \"by-tool\", \"by-path\", or at most so many tasks.");
    text.lines("batch = \"auto\"");
    text.prose("Any number but 0 shuffles the order, the same way on every machine.");
    text.lines("seed = 0");
    text.prose("Time caps, for one task and for a whole run: there are none else.");
    text.lines("#per-task-timeout = \"5m\"\n#max-duration = \"30m\"\n");
    text.prose("What is to be different with `--profile ci`.");
    text.lines("#[profile.ci.policy]\n#max-duration = \"20m\"\n");

    tools(found, &mut text);
    already(found, &mut text);

    text.prose("A check of your own: what it runs, on which files, and how its output is read.");
    text.lines(
        r##"#[tools.todo]
#run = ["awk", '/TODO/ { print FILENAME ":" FNR ": " $0 }', "{files}"]
#files = ["**/*.rs"]
#parse = { regex = '^(?<path>.+?):(?<line>[0-9]+): *(?<message>.+)$' }
#required = false
"##,
    );
    text.prose(
        "Findings that are wrong or don't matter. What is to be mended some day belongs into the baseline:",
    );
    text.prose("`cargo genti baseline init`.");
    text.lines(
        r##"#[[suppress]]
#rule = "clippy::needless_return"
#path = "src/generated/**"
#reason = "written by the generator, whose style it is""##,
    );
    text.0
}

/// What runs, and what could.
fn tools(found: &Surroundings, text: &mut Text) {
    text.prose("What runs here without being named. A table changes some keys of one; `enabled = false` leaves it out.");
    for tool in &found.tools {
        let why = match tool.signs.as_slice() {
            [] => String::new(),
            signs => format!(", because of {}", signs.join(", ")),
        };
        text.prose(&format!("  {}{why}", tool.name));
    }
    if !found.configs.is_empty() {
        text.prose(&format!("What counts for them as ever: {}.", found.configs.join(", ")));
    }
    text.lines("#[tools.clippy]\n#args = [\"--all-targets\", \"--\", \"-W\", \"clippy::pedantic\"]\n");
    if let Some(why) = &found.nextest {
        text.prose(&format!("cargo-nextest instead of cargo's own test runner ({why})."));
        text.lines("#[tools.nextest]\n#enabled = true\n");
    }
    if !found.unused.is_empty() {
        text.prose("Built in as well. Nothing here shows that they are used; a table, and be it empty, lets one run.");
        for name in &found.unused {
            text.lines(&format!("#[tools.{name}]"));
        }
        text.lines("");
    }
}

/// What checks the repository so far.
fn already(found: &Surroundings, text: &mut Text) {
    if found.ci.is_empty() {
        return;
    }
    text.prose("What checks this repository so far. What genti does as well can go there.");
    let calls = || found.ci.iter().flat_map(|(file, calls)| calls.iter().map(move |call| (file, call)));
    for (file, _) in found.ci.iter().filter(|(_, calls)| calls.is_empty()) {
        text.prose(&format!("  {file}"));
    }
    for (file, call) in calls().take(CALLS) {
        text.prose(&format!("  {file}: {call}"));
    }
    let more = calls().count().saturating_sub(CALLS);
    if more > 0 {
        text.prose(&format!("  and {more} more calls of cargo"));
    }
    if calls().any(|(_, call)| call.contains("--all-features")) {
        text.prose("All features: `cargo genti check --all-features`, which is drift unless it stands here:");
        text.lines("#[baseline]\n#all-features = true");
    }
    if calls().any(|(_, call)| call.contains("-D warnings")) {
        text.prose("`-D warnings` is not needed: what is new fails, warnings too.");
    }
    text.lines("");
}

struct Text(String);

impl Text {
    /// A line for people.
    fn prose(&mut self, line: &str) {
        self.lines(format!("# {line}").trim_end());
    }

    /// Lines of TOML, or of examples.
    fn lines(&mut self, lines: &str) {
        self.0.push_str(lines);
        self.0.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use genti::plan::config::{self, Config, ConfigFile, Place, PolicyConfig};

    use super::super::surroundings::Found;
    use super::*;

    fn load(text: &str) -> Config {
        let file = ConfigFile { name: "genti.toml".into(), text: text.into(), place: Place::File };
        config::load(&[file], None).unwrap_or_else(|error| panic!("{error:?}\n{text}"))
    }

    fn surroundings(many: bool) -> Surroundings {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let tool = |name: &str, signs: &[&str]| Found {
            name: name.to_owned(),
            signs: texts(signs),
            install: None,
            missing: None,
        };
        let (few, unused) = (texts(&["one"]), texts(&["audit", "deny", "machete", "typos"]));
        if !many {
            let tools = vec![tool("clippy", &[]), tool("fmt", &[])];
            return Surroundings {
                members: few,
                tools,
                unused,
                configs: Vec::new(),
                nextest: None,
                ci: Vec::new(),
                dir: ".".to_owned(),
                ignores_lockfile: false,
            };
        }
        let calls = texts(&["cargo clippy --all-features -- -D warnings"; 20]);
        Surroundings {
            members: (0..40).map(|at| format!("member-{at}")).collect(),
            tools: vec![tool("clippy", &[]), tool("deny", &["deny.toml"])],
            unused: texts(&["audit", "machete"]),
            configs: texts(&["clippy.toml", "[lints] of Cargo.toml"]),
            nextest: Some(".config/nextest.toml is here".to_owned()),
            ci: vec![("Makefile.toml".to_owned(), Vec::new()), ("x \"]'.yml".to_owned(), calls)],
            dir: "rust".to_owned(),
            ignores_lockfile: true,
        }
    }

    #[test]
    fn what_is_written_says_what_holds_without_it() {
        for many in [false, true] {
            let text = render(&surroundings(many));
            let written = load(&text);
            let default = config::load(&[], None).unwrap();
            assert_eq!(written.tools, default.tools);
            assert_eq!(written.disabled, default.disabled);
            assert_eq!(written.baseline, default.baseline);
            assert_eq!(written.suppressions, default.suppressions);
            let policy = PolicyConfig {
                origins: written.policy.origins.clone(),
                order: Some(Default::default()),
                batch: Some(Default::default()),
                seed: Some(0),
                ..PolicyConfig::default()
            };
            assert_eq!(written.policy, policy);
        }
    }

    #[test]
    fn every_example_in_it_is_one() {
        for many in [false, true] {
            let text = render(&surroundings(many));
            let is_example = |line: &str| line.starts_with('#') && !line.starts_with("# ") && line != "#";
            let examples = text.lines().filter(|line| is_example(line)).count();
            assert!(examples >= 14, "{text}");
            let lines = text.lines().map(|line| if is_example(line) { &line[1..] } else { line });
            let all = load(&lines.collect::<Vec<_>>().join("\n"));
            assert_eq!(all.tools.iter().any(|tool| tool.name == "nextest"), many);
            assert!(all.tools.iter().any(|tool| tool.name == "todo" && tool.configured));
            assert_eq!(all.suppressions.len(), 1);
        }
    }
}
