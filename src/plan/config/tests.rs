//! Tests of valid configurations and the values they result in.

use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::census::CensusNumber;
use crate::model::policy::{Batch, BlindSpots, BuildDir, NewLints, Order, Parallel};
use crate::model::ratchet::Better;
use crate::model::testing;
use crate::model::tool::{
    Arg, Caching, Counted, Environment, Flaky, Leaky, Network, Parse, Per, Piece, Sandbox, Search,
    SearchStart, Signs, StepCaps, Streams,
};
use crate::model::workspace::{Package, Workspace};

/// The user documentation, whose examples must be valid.
const PAGE: &str = include_str!("../../../docs/configuration.md");

/// A larger example with several tools that refer to each other.
const DESIGN: &str = r#"
[policy]
order = "deterministic"
batch = "auto"
max-duration = "20m"

[tools.clippy]
args = ["--all-targets"]

[tools.spelling]
run = ["typos"]
required = false

[tools.codegen]
run = ["cargo", "xtask", "codegen"]

[tools.shader-lint]
run = ["naga", "--validate", "{files}"]
files = ["**/*.wgsl"]
per = "file"
parse = { regex = "^(?<path>.+?):(?<line>\\d+): (?<message>.+)$" }
needs = ["codegen"]
lane = "check"
"#;

pub(super) fn file(name: &str, text: &str) -> ConfigFile {
    let place = if name == "Cargo.toml" { Place::Metadata } else { Place::File };
    ConfigFile { name: name.into(), text: text.into(), place }
}

fn config(text: &str) -> Config {
    load(&[file("genti.toml", text)], None).unwrap_or_else(|problems| panic!("{problems}"))
}

fn disabled(config: &Config) -> Vec<&str> {
    config.disabled.iter().map(|tool| tool.name.as_str()).collect()
}

fn tool(text: &str, name: &str) -> Tool {
    config(text).tools.into_iter().find(|tool| tool.name == name).expect("the tool exists")
}

#[test]
fn without_configuration_the_built_in_tools_are_used() {
    let config = load(&[], None).unwrap();
    let names: Vec<&str> = config.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "audit",
            "clippy",
            "codegen",
            "deny",
            "doc",
            "doctest",
            "fmt",
            "machete",
            "test",
            "test-build",
            "typos"
        ]
    );
    assert_eq!(disabled(&config), ["check", "nextest"]);
    assert_eq!(config.policy, PolicyConfig::default());
    assert_eq!(config.source, None);
    assert!(config.tools.iter().all(|tool| !tool.configured));
}

#[test]
fn suppressions_are_read_in_order_with_their_lines() {
    let config = config(
        "[[suppress]]\nrule = 'a'\nreason = 'b'\n\n[[suppress]]\ntool = 'doc'\nreason = 'c'\nexpires = 2027-01-31",
    );
    let [first, second] = config.suppressions.as_slice() else { panic!("{:?}", config.suppressions) };
    assert_eq!((first.rule.as_deref(), first.line, first.expires), (Some("a"), 1, None));
    assert_eq!((second.tool.as_deref(), second.line, &*second.file), (Some("doc"), 5, "genti.toml"));
    assert_eq!(second.expires.map(|date| date.to_string()).as_deref(), Some("2027-01-31"));
}

#[test]
fn built_in_tools_match_the_expectations_of_other_layers() {
    let fmt = tool("", "fmt");
    assert_eq!((fmt.per, &fmt.parse), (Per::TargetRoot, &Parse::Rustfmt));
    assert!(fmt.takes_many(), "one process for many target roots");
    assert_eq!(fmt.caps, StepCaps::default());
    for name in ["clippy", "doc"] {
        let cargo = tool("", name);
        assert_eq!((cargo.per, &cargo.parse), (Per::Workspace, &Parse::RustcJson));
        assert!(cargo.uses_selection() && cargo.jobserver);
        assert_eq!(cargo.lane.as_deref(), Some("check"));
        assert_eq!(cargo.environment, Environment::Inherit(Counted::Build(Vec::new())));
        assert_eq!(cargo.run.last(), Some(&Arg::Args), "`--` may begin the arguments");
    }
}

#[test]
fn the_built_in_test_tools_build_once_and_run_each_target() {
    let test = tool("", "test");
    assert_eq!((test.per, &test.parse, test.lane.as_deref()), (Per::TestTarget, &Parse::Libtest, None));
    assert!(test.runs_executable() && !test.takes_many() && test.jobserver);
    for name in ["test-build", "doctest"] {
        let cargo = tool("", name);
        assert!(cargo.uses_selection() && cargo.jobserver && !cargo.uses_executable());
        assert_eq!((cargo.per, cargo.lane.as_deref()), (Per::Workspace, Some("build")));
    }
    assert!(tool("", "test-build").on_demand && tool("", "test-build").namespaces.is_empty());
}

#[test]
fn the_built_in_codegen_is_one_process_with_a_task_per_build_script() {
    let codegen = tool("", "codegen");
    assert_eq!(
        (codegen.per, &codegen.parse, codegen.lane.as_deref()),
        (Per::Package, &Parse::BuildScripts, Some("check"))
    );
    assert!(codegen.takes_all() && !codegen.takes_many() && codegen.jobserver);
    assert_eq!(codegen.namespaces, ["codegen"]);
}

#[test]
fn enabling_nextest_replaces_test() {
    let config = config("tools.nextest.enabled = true");
    let names: Vec<&str> = config.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert!(names.contains(&"nextest") && !names.contains(&"test"), "{names:?}");
    assert_eq!(disabled(&config), ["check", "test"]);
    assert_eq!(tool("tools.nextest.enabled = true", "nextest").namespaces, tool("", "test").namespaces);
}

#[test]
fn a_table_of_a_tool_enables_it() {
    for text in ["[tools.nextest]", "[tools.nextest]\nargs = ['--test-threads', '1']"] {
        assert_eq!(disabled(&config(text)), ["check", "test"], "{text}");
    }
    assert_eq!(disabled(&config("[tools.nextest]\nenabled = false")), ["check", "nextest"]);
}

#[test]
fn only_uncommon_tools_need_detection_and_only_if_they_are_not_configured() {
    let detected: Vec<_> = config("").tools.into_iter().filter(|tool| tool.detect.is_some()).collect();
    let names: Vec<_> = detected.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["audit", "codegen", "deny", "machete", "typos"]);
    for Tool { name, install, version, inputs, detect, .. } in &detected {
        assert!(install.is_some() && !version.is_empty(), "{name}");
        // The files by which a tool is detected are its configuration, which affects its results.
        let signs = detect.iter().flat_map(|signs| &signs.files);
        assert!(name == "typos" || signs.clone().all(|file| inputs.contains(file)), "{name}");
    }
    let named = tool("tools.typos.required = false", "typos");
    assert!(named.detect.is_none() && !named.is_only_detected());
    let with_signs = tool("tools.typos.detect = { files = ['x'] }", "typos");
    assert!(with_signs.detect.is_some() && !with_signs.is_only_detected());
}

#[test]
fn the_documented_examples_are_valid() {
    let blocks: Vec<&str> =
        PAGE.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!blocks.is_empty());
    for text in blocks.into_iter().chain([DESIGN]) {
        assert!(config(text).tools.len() > 3);
    }
}

#[test]
fn the_documentation_lists_every_key() {
    for table in [
        "",
        "[policy]\n",
        "[tools.x]\n",
        "[tools.x.parse]\n",
        "[profile.p]\n",
        "[[suppress]]\n",
        "[baseline]\n",
    ] {
        let problems = load(&[file("genti.toml", &format!("{table}zzzzzzzzzzzz = 1"))], None).unwrap_err();
        let known = problems.0.iter().find_map(|problem| problem.help.as_ref()?.strip_prefix("known keys: "));
        for key in known.expect("the keys are listed").split(", ") {
            let name = key.trim_matches('`');
            assert!(PAGE.contains(key) || PAGE.contains(&format!("[{name}")), "{key} of {table:?}");
        }
    }
}

#[test]
fn a_policy_is_read() {
    let policy = config(
        "[policy]\norder = 'deterministic'\nbatch = 7\nseed = 0xff\nparallel = 'auto'\nbuild-dir = 'lanes'\nper-task-timeout = '90s'\nmax-duration = '1h 30m'\nblind-spots = 'deny'\nmax-findings = 1000000\nagainst = 'origin/main'\nnew-lints = { warn-for = '30d' }\nrecheck = '2.5%'",
    )
    .policy;
    assert_eq!(policy.origins["order"].to_string(), "genti.toml:2");
    assert_eq!(
        policy.clone(),
        PolicyConfig {
            order: Some(Order::Deterministic),
            batch: Some(Batch::Count(NonZeroU32::new(7).unwrap())),
            seed: Some(255),
            parallel: Some(Parallel::Auto),
            build_dir: Some(BuildDir::Lanes),
            per_task_timeout: Some(Duration::from_secs(90)),
            max_duration: Some(Duration::from_secs(5400)),
            blind_spots: Some(BlindSpots::Deny),
            max_findings: NonZeroU32::new(1_000_000),
            against: Some("origin/main".to_owned()),
            new_lints: Some(NewLints::WarnFor { days: 30 }),
            recheck: Some("2.5%".parse().unwrap()),
            origins: policy.origins,
        }
    );
}

#[test]
fn a_profile_overrides_key_by_key() {
    let text =
        "profile.ci.policy.seed = 2\nprofile.other.policy.batch = 3\npolicy = { seed = 1, batch = 'auto' }";
    let of = |profile| load(&[file("genti.toml", text)], profile).unwrap().policy;
    assert_eq!((of(None).seed, of(None).batch), (Some(1), Some(Batch::Auto)));
    assert_eq!((of(Some("ci")).seed, of(Some("ci")).batch), (Some(2), Some(Batch::Auto)));
    assert_eq!(of(Some("other")).seed, Some(1));
}

#[test]
fn a_tool_is_read() {
    let text = "
        [tools.x-1]
        run = ['naga', '--out={file}.{{file}}', '{files}', '{}', '{args}', '']
        args = ['{file}', '-q']
        files = ['**/*.wgsl']
        exclude = ['vendor/**']
        inputs = ['naga.toml']
        parse = { regex = '(?<message>.+)' }
        namespaces = ['naga', 'a']
        required = false
        needs = ['fmt', 'clippy', 'fmt']
        on-demand = true
        lane = 'gpu'
        env = { NAGA_HOME = true, B = '1 2', A = true }
        timeout = '90s'
        jobserver = true
        threads = 'NAGA_THREADS'
        version = ['naga', '--version']
        install = 'cargo install naga-cli'
        detect = { files = ['naga.toml'], metadata = ['naga'], build-dependencies = ['naga-build'] }
        searches = ['.nagarc', '~/.nagarc']
        cache = false
        sandbox = { write = ['~/.naga', 'out'], read = ['/srv/shaders'], network = true }
        weight = 3
        ratchet = ['files']
        may-be-empty = true
        max-tasks = 5
        max-bytes = 6";
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let literal = |text: &str| Arg::Text(vec![Piece::Literal(text.into())]);
    assert_eq!(
        tool(text, "x-1"),
        Tool {
            name: "x-1".into(),
            run: vec![
                literal("naga"),
                Arg::Text(vec![
                    Piece::Literal("--out=".into()),
                    Piece::File,
                    Piece::Literal(".{file}".into()),
                ]),
                Arg::Files,
                literal("{}"),
                Arg::Args,
                Arg::Text(vec![]),
            ],
            args: texts(&["{file}", "-q"]),
            second_pass: Vec::new(),
            dir: None,
            per: Per::File,
            targets: None,
            files: texts(&["**/*.wgsl"]),
            exclude: texts(&["vendor/**"]),
            inputs: texts(&["naga.toml"]),
            searches: [".nagarc", "~/.nagarc"].map(Search::parse).to_vec(),
            cache: Caching::Never,
            parse: Parse::Regex("(?<message>.+)".into()),
            ratchet: vec![CensusNumber::Files],
            namespaces: texts(&["a", "naga", "x-1"]),
            required: false,
            may_be_empty: true,
            needs: texts(&["clippy", "fmt"]),
            replaces: Vec::new(),
            on_demand: true,
            lane: Some("gpu".into()),
            environment: Environment::Only(texts(&["A", "NAGA_HOME"])),
            jobserver: true,
            threads: Some("NAGA_THREADS".into()),
            version: texts(&["naga", "--version"]),
            rules: Vec::new(),
            install: Some("cargo install naga-cli".into()),
            detect: Some(Signs {
                files: texts(&["naga.toml"]),
                metadata: texts(&["naga"]),
                build_dependencies: texts(&["naga-build"]),
            }),
            weight: NonZeroU32::new(3).unwrap(),
            caps: StepCaps { tasks: 5, bytes: 6 },
            leaky: Leaky::Pass,
            retries: 0,
            flaky: Flaky::Pass,
            vars: BTreeMap::from([("B".to_owned(), "1 2".to_owned())]),
            timeout: Some(Duration::from_secs(90)),
            hermetic: false,
            copy: false,
            services: Vec::new(),
            sandbox: Some(Sandbox {
                write: texts(&["out", "~/.naga"]),
                read: texts(&["/srv/shaders"]),
                network: Network::All,
            }),
            variant: None,
            variants: Vec::new(),
            configured: true,
            lacks_format: false,
        }
    );
}

#[test]
fn a_minimal_tool_gets_the_defaults() {
    let plain = tool("tools.x.run = ['x']", "x");
    assert_eq!((plain.per, plain.parse, plain.required), (Per::Workspace, Parse::ExitCode, true));
    assert!(!plain.may_be_empty && tool("tools.fmt.args = []", "fmt").may_be_empty);
    assert!(!tool("tools.fmt.files = ['a/**']", "fmt").may_be_empty);
    assert_eq!(plain.namespaces, ["x"]);
    assert_eq!(plain.sandbox, None);
    assert_eq!(tool("tools.fmt.sandbox = {}", "fmt").sandbox, Some(Sandbox::default()));
    let network = |text: &str| tool(text, "fmt").sandbox.unwrap().network;
    assert_eq!(network("tools.fmt.sandbox.network = 'loopback'"), Network::Loopback);
    assert_eq!(network("tools.fmt.sandbox.network = false"), Network::None);
    assert_eq!(tool("tools.test.leaky = 'fail'", "test").leaky, Leaky::Fail);
    let retried = tool("tools.nextest = { retries = 2, flaky = 'fail' }", "nextest");
    assert_eq!((retried.retries, retried.flaky), (2, Flaky::Fail));
    assert_eq!(plain.environment, Environment::Only(vec![]));
    assert_eq!(tool("tools.x.run = ['x', '{files}']", "x").per, Per::File);
    assert_eq!(tool("tools.x.run = ['x', 'a{file}']", "x").per, Per::File);
    let package = tool("tools.x.run = ['x', '{files}']\ntools.x.per = 'package'", "x");
    assert_eq!(package.per, Per::Package);
}

#[test]
fn golden_files_are_compared_with_stdout_by_default() {
    let parse = |keys: &str| tool(&format!("tools.x = {{ run = ['x'], {keys} }}"), "x").parse;
    assert_eq!(parse("compare = 'golden'"), Parse::Golden(Streams::Stdout));
    assert_eq!(parse("compare = { golden = 'both' }"), Parse::Golden(Streams::Both));
    let doc = tool("tools.doc.compare = 'golden'", "doc");
    assert_eq!((doc.parse, doc.namespaces), (Parse::Golden(Streams::Stdout), vec!["doc".to_owned()]));
}

#[test]
fn a_tool_owns_the_namespaces_of_its_parser() {
    let namespaces = |keys: &str| tool(&format!("tools.x = {{ run = ['x'], {keys} }}"), "x").namespaces;
    assert_eq!(namespaces("parse = 'rustc-json'"), ["cargo", "clippy", "rustc", "rustdoc"]);
    assert_eq!(namespaces("parse = 'rustfmt'"), ["rustfmt"]);
    assert_eq!(namespaces("parse = 'sarif'"), ["x"]);
    assert_eq!(namespaces("parse = 'rustc-json', namespaces = ['rustc']"), ["rustc"]);
    assert_eq!(tool("tools.doc.parse = 'rustc-json'", "doc").namespaces, ["rustdoc"], "as built in");
}

#[test]
fn a_key_of_a_built_in_tool_overrides_only_that_key() {
    let built_in = tool("", "clippy");
    let changed = tool("[tools.clippy]\nargs = ['--tests']\nrequired = false", "clippy");
    let expected = Tool { args: vec!["--tests".into()], required: false, configured: true, ..built_in };
    assert_eq!(changed, expected);
}

#[test]
fn all_inherited_variables_count_unless_env_lists_some() {
    let environment = |text: &str, name: &str| tool(text, name).environment;
    let names = || vec!["A".to_owned()];
    let own = "[tools.x]\nrun = ['x']\n";
    for (text, expected) in [
        ("", Environment::Only(Vec::new())),
        ("env = ['A']", Environment::Only(names())),
        ("inherit-env = true", Environment::Inherit(Counted::All)),
        ("inherit-env = true\nenv = ['A']", Environment::Inherit(Counted::Listed(names()))),
        ("inherit-env = false\nenv = ['A']", Environment::Only(names())),
    ] {
        assert_eq!(environment(&format!("{own}{text}"), "x"), expected, "{text}");
    }
    for (text, expected) in [
        ("", Environment::Inherit(Counted::Build(Vec::new()))),
        ("env = ['A']", Environment::Inherit(Counted::Build(names()))),
        ("inherit-env = true", Environment::Inherit(Counted::All)),
        ("inherit-env = false\nenv = ['A']", Environment::Only(names())),
        ("run = ['./wrapper']", Environment::Inherit(Counted::All)),
        ("run = ['./wrapper']\nenv = ['A']", Environment::Inherit(Counted::Listed(names()))),
    ] {
        assert_eq!(environment(&format!("[tools.clippy]\n{text}"), "clippy"), expected, "{text}");
    }
}

#[test]
fn a_toolchain_is_requested_from_rustup() {
    let clippy = tool("[tools.clippy]\ntoolchain = 'nightly'", "clippy");
    assert_eq!(clippy.toolchain(), Some("nightly"));
    assert_eq!(clippy.version, ["cargo", "+nightly", "clippy", "--version"]);
    assert_eq!(clippy.rules[..2], ["clippy-driver", "+nightly"]);
    let own = tool("[tools.x]\nrun = ['cargo', 'hack']\ntoolchain = '1.85'\nversion = ['x', '-V']", "x");
    assert_eq!((own.toolchain(), own.version[1].as_str()), (Some("1.85"), "-V"));
    assert_eq!(tool("[tools.x]\nrun = ['cargo', '+beta', 'hack']", "x").toolchain(), Some("beta"));
    assert_eq!(tool("[tools.x]\nrun = ['grep', '+beta']", "x").toolchain(), None);
}

#[test]
fn a_search_has_a_start_directory_and_may_go_upwards() {
    let search = |start, upwards, name: &str| Search { start, upwards, name: name.to_owned() };
    let variable = || SearchStart::Variable("DIR".to_owned());
    for (text, expected) in [
        (".xrc", search(SearchStart::Files, true, ".xrc")),
        (".config/x.toml", search(SearchStart::Files, true, ".config/x.toml")),
        ("./.xrc", search(SearchStart::Root, false, ".xrc")),
        ("^./.xrc", search(SearchStart::Root, true, ".xrc")),
        ("~/.xrc", search(SearchStart::Home, false, ".xrc")),
        ("$DIR/a/xrc", search(variable(), false, "a/xrc")),
        ("^$DIR/xrc", search(variable(), true, "xrc")),
        ("/etc/xrc", search(SearchStart::Absolute, false, "/etc/xrc")),
    ] {
        assert_eq!(Search::parse(text), expected, "{text}");
    }
}

#[test]
fn a_tool_is_always_cached_only_if_configured_so() {
    for (text, expected) in [
        ("[tools.x]\nrun = ['x']", Caching::Established),
        ("[tools.x]\nrun = ['x']\ncache = true", Caching::Always),
        ("[tools.x]\nrun = ['x']\ncache = false", Caching::Never),
    ] {
        assert_eq!(tool(text, "x").cache, expected, "{text}");
    }
    let sandboxed = |text: &str| tool(&format!("[tools.test]\ncache = 'sandboxed'\n{text}"), "test").cache;
    assert_eq!(sandboxed(""), Caching::Sandboxed { max_age: Caching::MAX_AGE });
    let max_age = Duration::from_secs(12 * 60 * 60);
    assert_eq!(sandboxed("max-age = '12h'"), Caching::Sandboxed { max_age });
    let own = tool("[tools.x]\nrun = ['x']\ncache = 'sandboxed'", "x").cache;
    assert_eq!(own, Caching::Sandboxed { max_age: Caching::MAX_AGE });
}

#[test]
fn a_disabled_tool_is_left_out() {
    let config = config("tools.doc.enabled = false\ntools.x = { run = ['x'], enabled = false }");
    let names: Vec<&str> = config.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(
        (names, disabled(&config)),
        (
            vec![
                "audit",
                "clippy",
                "codegen",
                "deny",
                "doctest",
                "fmt",
                "machete",
                "test",
                "test-build",
                "typos"
            ],
            vec!["check", "doc", "nextest", "x"]
        )
    );
}

#[test]
fn globs_match_whole_paths() {
    let check = |pattern: &str, path: &str, expected: bool| {
        assert_eq!(glob(pattern).unwrap().compile_matcher().is_match(path), expected, "{pattern} {path}");
    };
    check("*.rs", "a.rs", true);
    check("*.rs", "a/a.rs", false);
    check("**/*.rs", "a.rs", true);
    check("**/*.rs", "a/.b/a.rs", true);
    check("vendor/**", "vendor/a/b", true);
    check("vendor/**", "a/vendor/b", false);
    check("\\*", "a", false);
}

#[test]
fn every_truncation_of_an_example_is_read_without_a_panic() {
    let text = PAGE.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
        let _ = load(&[file("genti.toml", &text[..end])], Some("ci"));
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "(\\PC|\n){0,80}") {
        let _ = load(&[file("genti.toml", &text), file("Cargo.toml", &text)], Some("ci"));
    }

    #[test]
    fn any_toml_like_text_is_read_without_a_panic(
        parts in prop::collection::vec(prop::sample::select(vec![
            "[tools.x]\n", "[[tools.x]]\n", "[policy]\n", "tools", ".x", ".y", ".needs", "run", "per", "parse", "seed", " = ",
            "[", "]", "{", "}", "'x'", "'y'", "\"{files}\"", "'{file}'", "'file'", "1", "-0x1", "\n", ",", "regex", "'(?<path>'", "'é{'",
        ]), 0..40)
    ) {
        let text = parts.concat();
        let problems = load(&[file("genti.toml", &text)], None).err().map_or(vec![], |problems| problems.0);
        for problem in &problems {
            prop_assert!(problem.span.is_none() || problem.position().is_some());
        }
        let lines: Vec<_> = problems.iter().map(|problem| problem.span.as_ref().map(|span| span.start)).collect();
        prop_assert!(lines.is_sorted());
    }
}

#[test]
fn the_ratchet_key_is_read() {
    let pattern = |text: &str| match tool(text, "cov").parse {
        Parse::Number(pattern) => *pattern,
        other => panic!("{other:?}"),
    };
    let text = "tools.cov = { run = ['x'], parse = { number = 'n (?<value>\\d+)', name = 'n', better = 'lower', tolerance = '0.5', unit = 'kB' } }";
    let read = pattern(text);
    assert_eq!(
        (read.name.as_deref(), read.unit.as_deref(), read.better),
        (Some("n"), Some("kB"), Better::Lower)
    );
    assert_eq!(read.tolerance.map(String::from).as_deref(), Some("0.5"));
    let several =
        "tools.cov = { run = ['x'], parse = { number = '(?<name>.+) (?<value>.+)', better = 'higher' } }";
    assert_eq!(pattern(several).name, None);
    let each =
        "tools.cov = { run = ['x'], parse = { number = '(?<lines>.+) (?<branches>.+)', better = 'higher' } }";
    assert_eq!(pattern(each).name, None);
    // A tool with several namespaces has an additional one for its numbers.
    let own = tool("[tools.doc]\nratchet = ['packages']", "doc").namespaces;
    assert_eq!(own, ["doc", "rustdoc"]);
}

#[test]
fn a_tool_is_planned_for_each_of_its_variants_with_what_builds_for_it() {
    let text = "
        [variants.full]
        features = ['full']
        env = { A = 'variant', B = 'both' }
        [variants.bare]
        no-default-features = true
        [tools.test]
        variants = ['default', 'full']
        env = { A = 'tool', C = 'own' }
        [tools.check]
        variants = ['bare']
        [tools.links]
        run = ['links']
        needs = ['check', 'test']";
    let workspace = testing::workspace(&[("a", &[])], &[]);
    let tools = config(text).planned(&workspace);
    let named = |name: &str| tools.iter().find(|tool| tool.name == name).unwrap();
    let of_tests: Vec<_> =
        tools.iter().map(|tool| &*tool.name).filter(|name| name.contains("test")).collect();
    assert_eq!(of_tests, ["doctest", "test", "test-build", "test-build@full", "test@full"]);
    assert_eq!(named("test").needs, ["test-build"]);
    assert_eq!(named("test@full").needs, ["test-build@full"]);
    assert_eq!(named("doctest").needs, ["test-build"]);
    // Without a default build of `check`, all of its variants come first.
    assert_eq!(named("links").needs, ["check@bare", "test"]);
    let full = named("test@full");
    assert_eq!((full.base(), full.variant_name()), ("test", "full"));
    assert_eq!(full.variants, ["default", "full"]);
    let vars: Vec<_> = full.vars.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(vars, ["A=variant", "B=both", "C=own"]);
    assert!(named("test").variant.is_none() && named("clippy").variants.is_empty());
}

#[test]
fn a_variant_that_builds_the_same_as_another_is_a_mistake() {
    let workspace = testing::workspace(&[("a", &[]), ("b", &[])], &[]);
    let found = |tables: &str| {
        let text = format!("{tables}\n[tools.check]\nvariants = ['v', 'w']");
        let problems = check_variants(&config(&text).variants, &[], &workspace, &LockContext::default());
        let texts = problems.err().into_iter().flat_map(|problems| problems.0);
        texts.map(|one| format!("{}: {}", one.span.unwrap().start, one.message)).collect::<Vec<_>>()
    };
    let bare = "[variants.w]\nno-default-features = true";
    assert_eq!(found(&format!("[variants.v]\npackages = ['a']\n{bare}")), [""; 0]);
    assert_eq!(found(&format!("[variants.v]\n{bare}")), ["10: `v` builds the same as `default`"]);
    for all in ["packages = ['a', 'b']", "exclude = []", "on = ['linux']"] {
        let found = found(&format!("[variants.v]\n{all}\n{bare}"));
        assert_eq!(found, ["10: `v` builds the same as `default`"], "{all}");
    }
    let one = "[variants.v]\nno-default-features = true\npackages = ['a']\n";
    assert_eq!(
        found(&format!("{one}{bare}\nexclude = ['b']\non = ['linux']")),
        ["67: `w` builds the same as `v`"]
    );
}

#[test]
fn a_powerset_needs_features_and_not_too_many() {
    let mut workspace = testing::workspace(&[("a", &[]), ("b", &[])], &[]);
    let found = |workspace: &Workspace, value: &str| {
        let text = format!("[variants.v]\n{value}\n[tools.check]\nvariants = ['v']");
        let problems = check_variants(&config(&text).variants, &[], workspace, &LockContext::default());
        let texts = problems.err().into_iter().flat_map(|problems| problems.0);
        texts.map(|one| format!("{}: {}", one.span.unwrap().start, one.message)).collect::<Vec<_>>()
    };
    assert_eq!(found(&workspace, "each-feature = true"), ["28: the variant `v` has no features to combine"]);
    let features = ["x", "y", "z"].map(|name| (name.to_owned(), Vec::new()));
    workspace.packages[0].features = features.into();
    assert_eq!(found(&workspace, "each-feature = true"), [""; 0]);
    assert_eq!(found(&workspace, "powerset = { max = 8 }"), [""; 0]);
    assert_eq!(
        found(&workspace, "powerset = { max = 7 }"),
        ["24: `a` has more than 7 combinations of features"]
    );
    assert_eq!(
        found(&workspace, "powerset = { skip = ['x', 'y', 'z'] }"),
        ["24: the variant `v` has no features to combine"]
    );
    assert_eq!(
        found(&workspace, "powerset = { skip = ['w'] }"),
        ["34: no package of the variant `v` has the feature `w`"]
    );
}

#[test]
fn tools_of_tests_build_each_combination_of_features_themselves() {
    let text = "
        [variants.each]
        toolchain = 'nightly'
        each-feature = true
        [tools.test]
        variants = ['default', 'each']
        args = ['--skip', 'slow']
        cache = 'sandboxed'
        [tools.doctest]
        variants = ['each']
        [tools.links]
        run = ['links']
        needs = ['test']";
    let text =
        format!("{text}\n[tools.mine]\nrun = ['cargo', 'nextest', 'run', '{{selection}}', '{{args}}']\n");
    let text =
        format!("{text}parse = 'nextest'\ninherit-env = true\ncache = 'sandboxed'\nvariants = ['each']\n");
    let tools = config(&text).planned(&testing::workspace(&[("a", &[])], &[]));
    let of_tests: Vec<_> =
        tools.iter().map(|tool| &*tool.name).filter(|name| name.contains("test")).collect();
    assert_eq!(of_tests, ["doctest@each", "test", "test-build", "test@each"]);
    let named = |name: &str| tools.iter().find(|tool| tool.name == name).unwrap();
    let test = named("test@each");
    let words: Vec<_> = test.run.iter().filter_map(Arg::literal).collect();
    assert_eq!(words, ["cargo", "+nightly", "test", "--tests", "--no-fail-fast"]);
    assert_eq!(test.args, ["--", "--skip", "slow"]);
    assert_eq!((test.per, &test.needs), (Per::Package, &Vec::new()));
    assert!(test.starts_tests() && test.takes_test_names() && test.takes_reruns());
    assert!(named("doctest@each").needs.is_empty() && !named("doctest@each").takes_reruns());
    // The names of toolchains are no subcommands.
    assert!(named("mine@each").starts_tests());
    assert_eq!(named("links").needs, ["test"]);
}

#[test]
fn a_variant_with_the_required_rust_version_stands_for_one_of_each_version() {
    let mut workspace = testing::workspace(&[("a", &[]), ("b", &[]), ("c", &[]), ("d", &[])], &[]);
    let text = "
        [variants.msrv]
        toolchain = 'rust-version'
        exclude = ['d']
        [tools.check]
        variants = ['default', 'msrv']
        [tools.test]
        variants = ['msrv']";
    let found = |workspace: &Workspace| {
        let config = config(text);
        let tools = config.planned(workspace).into_iter().filter(|tool| tool.variant.is_some());
        let of = |tool: Tool| {
            let variant = tool.variant.clone().unwrap();
            let run: Vec<_> = tool.run.iter().map_while(Arg::literal).take(2).collect();
            format!("{}: {} in {}", tool.name, run.join(" "), variant.build.packages.join(" "))
        };
        (
            check_variants(&config.variants, &[], workspace, &LockContext::default()).is_ok(),
            tools.map(of).collect::<Vec<_>>(),
        )
    };
    assert_eq!(found(&workspace), (false, Vec::new()), "no package has a version");
    let required = |package: &mut Package, version: &str| {
        package.vars = vec![("CARGO_PKG_RUST_VERSION", version.to_owned())];
    };
    required(&mut workspace.packages[0], "1.70");
    required(&mut workspace.packages[1], "1.70");
    required(&mut workspace.packages[2], "");
    let one = ["check@msrv: cargo +1.70 in a b", "test-build@msrv: cargo +1.70 in a b", "test@msrv:  in a b"];
    assert_eq!(found(&workspace), (true, one.map(str::to_owned).to_vec()));
    required(&mut workspace.packages[2], "1.85");
    let (_, several) = found(&workspace);
    assert_eq!(several[..2], ["check@msrv-1.70: cargo +1.70 in a b", "check@msrv-1.85: cargo +1.85 in c"]);

    let tools = config(text).planned(&workspace);
    let check = tools.iter().find(|tool| tool.name == "check@msrv-1.85").unwrap();
    assert_eq!(check.variants, ["default", "msrv-1.70", "msrv-1.85"]);
    assert_eq!(check.version_name(), "check@1.85");
    assert_eq!(check.version[..2], ["rustc", "+1.85"]);
    for name in ["check", "check@msrv", "check@msrv-1.85"] {
        assert!(check.is_called(name), "{name}");
    }
    assert!(
        check.is_in_variant("msrv") && !check.is_called("check@msrv-1.70") && !check.is_in_variant("default")
    );
}
