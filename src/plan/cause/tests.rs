//! Which differences excuse a finding. A case that should be the change and is excused is the worst mistake, so most cases are
//! about those.

use std::slice::from_ref;

use super::*;
use crate::model::finding::Level;
use crate::model::policy::{Policy, Selection};
use crate::model::testing::{tool, workspace};
use crate::model::tool::{Arg, Caching, Search, Streams};
use crate::model::workspace::OutsidePackage;
use crate::plan::{self, Facts};

/// A root package `app` that depends on `lib`, which depends on `low`; `alone`, and `scripted` with a build script.
fn members() -> Workspace {
    let mut all = workspace(
        &[
            ("", &[(TargetKind::Bin, "src/main.rs"), (TargetKind::Test, "tests/it.rs")]),
            ("crates/alone", &[(TargetKind::Lib, "crates/alone/src/lib.rs")]),
            ("crates/lib", &[(TargetKind::Lib, "crates/lib/src/lib.rs")]),
            ("crates/low", &[(TargetKind::Lib, "crates/low/src/lib.rs")]),
            (
                "crates/scripted",
                &[
                    (TargetKind::BuildScript, "crates/scripted/build.rs"),
                    (TargetKind::Lib, "crates/scripted/src/lib.rs"),
                ],
            ),
        ],
        &[
            "Cargo.lock",
            "Cargo.toml",
            "a.txt",
            "b.txt",
            "crates/alone/src/lib.rs",
            "crates/lib/src/lib.rs",
            "crates/low/src/lib.rs",
            "crates/scripted/build.rs",
            "crates/scripted/src/lib.rs",
            "src/main.rs",
            "tests/it.rs",
        ],
    );
    all.packages[0].name = "app".to_owned();
    all.packages[0].dependencies = vec![PackageId(2)];
    all.packages[2].dependencies = vec![PackageId(3)];
    all
}

fn clippy() -> Tool {
    let mut clippy = tool("clippy", Parse::RustcJson, &["cargo", "clippy"]);
    clippy.run.push(Arg::Selection);
    Tool {
        namespaces: vec!["clippy".to_owned()],
        inputs: vec!["**/clippy.toml".to_owned()],
        searches: vec![Search::parse("clippy.toml"), Search::parse(".clippy.toml")],
        ..clippy
    }
}

fn fmt() -> Tool {
    let mut fmt = tool("fmt", Parse::Rustfmt, &["rustfmt"]);
    fmt.run.push(Arg::Files);
    let (files, inputs) = (vec!["**/*.rs".to_owned()], vec!["**/rustfmt.toml".to_owned()]);
    Tool { per: Per::TargetRoot, files, inputs, namespaces: vec!["rustfmt".to_owned()], ..fmt }
}

fn words() -> Tool {
    let mut words = tool("words", Parse::Lines, &["./words.sh"]);
    words.run.push(Arg::Files);
    let (files, inputs) = (vec!["**/*.txt".to_owned()], vec!["list".to_owned()]);
    Tool { per: Per::File, files, inputs, namespaces: vec!["words".to_owned()], ..words }
}

fn audit(parse: Parse) -> Tool {
    let files = vec!["**/Cargo.toml".to_owned()];
    let inputs = vec!["**/Cargo.toml".to_owned(), "deny.toml".to_owned()];
    let cache = Caching::Never;
    Tool {
        files,
        inputs,
        cache,
        namespaces: vec!["audit".to_owned()],
        ..tool("audit", parse, &["cargo", "audit"])
    }
}

/// A case: a tool with facts, and the differences.
struct Case {
    workspace: Workspace,
    tool: Tool,
    facts: ToolFacts,
    differences: Differences,
}

impl Case {
    /// A case of a tool whose inputs are known and whose version is locked.
    fn of(tool: Tool) -> Self {
        let packages = ["alone", "app", "lib", "low", "scripted"];
        let sources = packages.map(|name| (name.to_owned(), Some(BTreeSet::new()))).into();
        let facts =
            ToolFacts { reads: Some(Vec::new()), sources, version: Version::Locked, ..ToolFacts::default() };
        Self { workspace: members(), tool, facts, differences: Differences::default() }
    }

    fn with(mut self, files: &[&str]) -> Self {
        self.differences.files = files.iter().map(RelPath::new).collect();
        self
    }

    fn reading(mut self, files: &[&str]) -> Self {
        let files = files.iter().map(RelPath::new).collect();
        self.facts.reads = Some(vec![Read { files, ..Read::default() }]);
        self
    }

    fn at(mut self, version: Version) -> Self {
        self.facts.version = version;
        self
    }

    fn causes<T>(&self, ask: impl FnOnce(&Causes<'_>) -> T) -> T {
        let tools = vec![self.tool.clone()];
        let plan =
            plan::plan(&self.workspace, tools, Selection::default(), Policy::default(), &Facts::default())
                .unwrap();
        let mut differences = self.differences.clone();
        // Unless a case says otherwise, tasks differ in the files only.
        differences.tasks.extend(plan.graph.tasks.iter().map(|task| task.id));
        ask(&Causes::new(&self.workspace, &plan, &differences, vec![self.facts.clone()]).unwrap())
    }

    /// Returns the cause of a finding at `place`: a path, or a subject in brackets.
    fn finding(&self, place: &str, rule: &str) -> Arc<Caused> {
        let subject = place.strip_prefix('[').and_then(|place| place.strip_suffix(']'));
        let place = match subject {
            Some(subject) => Place::Subject(subject.to_owned()),
            None => Place::File { path: RelPath::new(place), range: None },
        };
        let package = place.path().and_then(|path| self.workspace.owner_of(path));
        let diagnostic = Diagnostic {
            place,
            ns: self.tool.namespaces[0].as_str().into(),
            rule: rule.into(),
            level: Level::Warning,
            message: "m".into(),
            fatal: false,
            package: package.filter(|_| self.tool.uses_selection()),
            related: Vec::new(),
            fix: None,
            test: None,
        };
        let finding = Finding {
            id: "0".into(),
            diagnostic,
            msg: "m".into(),
            code: "c".into(),
            scope: "".into(),
            tools: [self.tool.name.as_str().into()].into(),
            seen_in: None,
        };
        self.causes(|causes| causes.of_finding(&finding))
    }

    #[track_caller]
    fn check(&self, place: &str, expected: Cause) {
        let caused = self.finding(place, "r");
        assert_eq!(caused.cause, expected, "{place}: {caused:?}");
    }
}

#[track_caller]
fn check(tool: &Tool, place: &str, files: &[&str], expected: Cause) {
    Case::of(tool.clone()).with(files).check(place, expected);
}

#[test]
fn without_differences_nothing_is_caused_by_the_change() {
    for tool in [clippy(), fmt()] {
        check(&tool, "crates/lib/src/lib.rs", &[], Cause::Base);
        Case::of(tool.clone()).at(Version::Other).check("crates/lib/src/lib.rs", Cause::Tool);
        Case::of(tool).at(Version::Unlocked).check("crates/lib/src/lib.rs", Cause::Base);
    }
    check(&Tool { cache: Caching::Never, ..words() }, "a.txt", &[], Cause::World);
}

#[test]
fn a_finding_of_cargo_depends_on_its_package_and_what_that_depends_on() {
    let (main, lib, low) = ("src/main.rs", "crates/lib/src/lib.rs", "crates/low/src/lib.rs");
    for (place, file, expected) in [
        (lib, lib, Cause::Change),
        (lib, "crates/lib/README.md", Cause::Change),
        (lib, low, Cause::Change),
        (main, low, Cause::Change),
        (lib, main, Cause::Base),
        (low, lib, Cause::Base),
        (low, "tests/it.rs", Cause::Base),
        (lib, "crates/alone/src/lib.rs", Cause::Base),
        (lib, "crates/alone/src/removed.rs", Cause::Base),
        (lib, "crates/lib/src/removed.rs", Cause::Change),
        // Without a package, everything counts.
        ("[nothing]", "crates/alone/src/lib.rs", Cause::Change),
    ] {
        check(&clippy(), place, &[file], expected);
    }
}

#[test]
fn manifests_lock_files_and_configuration_count_for_every_package() {
    for file in [
        "Cargo.toml",
        "crates/alone/Cargo.toml",
        "Cargo.lock",
        ".cargo/config.toml",
        "rust-toolchain.toml",
        "rust-toolchain",
        "clippy.toml",
        "crates/alone/.clippy.toml",
        "../clippy.toml",
        "../.cargo/config.toml",
    ] {
        check(&clippy(), "crates/lib/src/lib.rs", &[file], Cause::Change);
    }
}

#[test]
fn files_that_macros_and_scripts_may_read_count_for_cargo() {
    for (file, expected) in [
        ("data/schema.sql", Cause::Change),
        ("Dockerfile", Cause::Change),
        ("shared/macros.rs", Cause::Change),
        ("build.rs", Cause::Change),
        ("../proto/x.proto", Cause::Change),
        ("CHANGELOG.md", Cause::Base),
        ("docs/guide.md", Cause::Base),
        ("src/other.rs", Cause::Base),
        ("tests/data.rs", Cause::Base),
        ("tests/data.json", Cause::Change),
    ] {
        check(&clippy(), "crates/lib/src/lib.rs", &[file], expected);
    }
}

#[test]
fn what_the_compiler_read_counts_wherever_it_is() {
    let read = |package: &str, files: Option<&[&str]>| {
        let mut case = Case::of(clippy()).with(&["crates/alone/src/lib.rs"]);
        let files = files.map(|files| files.iter().map(RelPath::new).collect());
        case.facts.sources.insert(package.to_owned(), files);
        case
    };
    let lib = "crates/lib/src/lib.rs";
    read("lib", Some(&["crates/alone/src/lib.rs"])).check(lib, Cause::Change);
    read("low", Some(&["crates/alone/src/lib.rs"])).check(lib, Cause::Change);
    read("app", Some(&["crates/alone/src/lib.rs"])).check(lib, Cause::Base);
    read("low", None).check(lib, Cause::Change);
    Case::of(clippy()).with(&["docs/a.md"]).reading(&["docs/a.md"]).check(lib, Cause::Change);
    Case::of(clippy()).with(&["docs/a.md"]).reading(&["docs/b.md"]).check(lib, Cause::Base);
    let mut unknown = Case::of(clippy()).with(&["docs/a.md"]);
    unknown.facts.sources.remove("low");
    unknown.check(lib, Cause::Change);
}

#[test]
fn a_build_script_and_a_package_outside_may_depend_on_anything() {
    let files = ["crates/alone/src/lib.rs"];
    check(&clippy(), "crates/scripted/src/lib.rs", &files, Cause::Change);
    check(&clippy(), "crates/scripted/src/lib.rs", &[], Cause::Base);
    let mut case = Case::of(clippy()).with(&files);
    case.workspace.packages[3].outside = vec![0];
    let digest = crate::model::digest::Digest::of_bytes(b"");
    case.workspace.outside =
        vec![OutsidePackage { name: "x".to_owned(), dir: RelPath::new("../x"), digest, beyond: Vec::new() }];
    case.check("crates/lib/src/lib.rs", Cause::Change);
}

#[test]
fn if_inputs_are_not_known_every_file_counts() {
    let mut unknown = Case::of(clippy()).with(&["CHANGELOG.md"]);
    unknown.facts.reads = None;
    unknown.check("crates/lib/src/lib.rs", Cause::Change);
    let test = Tool { cache: Caching::Never, ..clippy() };
    let mut test = Case::of(test);
    test.facts.reads = None;
    test.check("crates/lib/src/lib.rs", Cause::World);
    // The baseline is no input.
    let mut accepted = Case::of(clippy()).with(&[".config/genti/baseline/words.jsonl"]);
    accepted.facts.reads = None;
    accepted.check("crates/lib/src/lib.rs", Cause::Base);
}

#[test]
fn a_formatted_file_depends_on_the_files_of_its_package() {
    let lib = "crates/lib/src/lib.rs";
    for (file, expected) in [
        (lib, Cause::Change),
        // It may declare the module of the finding.
        ("crates/lib/src/other.rs", Cause::Change),
        ("crates/lib/README.md", Cause::Base),
        ("crates/low/src/lib.rs", Cause::Base),
        ("crates/low/rustfmt.toml", Cause::Change),
        ("Cargo.toml", Cause::Change),
        ("crates/alone/Cargo.toml", Cause::Change),
        ("data/x.sql", Cause::Base),
    ] {
        check(&fmt(), lib, &[file], expected);
    }
    // The tool may be installed by a script.
    Case::of(fmt()).with(&["Dockerfile"]).at(Version::Unlocked).check(lib, Cause::Change);
    Case::of(fmt()).with(&["Dockerfile"]).at(Version::Other).check(lib, Cause::Change);
    let read = |package: u32| {
        let mut case = Case::of(fmt()).with(&["shared/x.rs"]);
        let unit = Some(Unit::TargetRoot(PackageId(package), 0));
        let files = [RelPath::new("shared/x.rs")].into();
        case.facts.reads = Some(vec![Read { unit, files, ..Read::default() }]);
        case
    };
    read(2).check(lib, Cause::Change);
    read(3).check(lib, Cause::Base);
}

#[test]
fn a_tool_that_checks_single_files_depends_on_the_file_and_its_configuration() {
    for (file, expected) in [
        ("a.txt", Cause::Change),
        ("b.txt", Cause::Base),
        ("list", Cause::Change),
        ("words.sh", Cause::Change),
        ("Cargo.toml", Cause::Base),
    ] {
        check(&words(), "a.txt", &[file], expected);
    }
    Case::of(words()).with(&["b.txt"]).at(Version::Unlocked).check("a.txt", Cause::Base);
    Case::of(words()).with(&["Dockerfile"]).at(Version::Unlocked).check("a.txt", Cause::Change);
    Case::of(words()).with(&["Dockerfile"]).check("a.txt", Cause::Base);
    Case::of(words()).with(&["lib/words.awk"]).reading(&["lib/words.awk"]).check("a.txt", Cause::Change);
    let whole = Tool { per: Per::Workspace, ..words() };
    check(&whole, "a.txt", &["b.txt"], Cause::Change);
    check(&whole, "a.txt", &["src/main.rs"], Cause::Base);
    let all = Tool { files: Vec::new(), ..whole };
    check(&all, "a.txt", &["src/main.rs"], Cause::Change);
    let typos = Tool { parse: Parse::TyposJson, searches: vec![Search::parse("^./typos.toml")], ..all };
    check(&typos, "a.txt", &["src/main.rs"], Cause::Base);
    check(&typos, "a.txt", &["typos.toml"], Cause::Change);
    check(&typos, "a.txt", &["a.txt"], Cause::Change);
}

#[test]
fn a_task_that_the_base_does_not_have_is_caused_by_the_change() {
    let case = Case::of(words());
    let tools = vec![words()];
    let plan = plan::plan(&case.workspace, tools, Selection::default(), Policy::default(), &Facts::default());
    let (plan, differences) = (plan.unwrap(), Differences::default());
    let causes = Causes::new(&case.workspace, &plan, &differences, vec![case.facts.clone()]).unwrap();
    let caused = causes.by_inputs(ToolId(0), Some(&RelPath::new("a.txt")), None);
    assert!(caused.is_change() && caused.inputs[0].contains("definition"), "{caused:?}");
}

#[test]
fn a_tool_that_needs_another_one_depends_on_everything() {
    let needing = Tool { needs: vec!["before".to_owned()], name: "words".to_owned(), ..words() };
    let before = Tool { namespaces: Vec::new(), ..tool("before", Parse::ExitCode, &["x"]) };
    let workspace = members();
    let plan = plan::plan(
        &workspace,
        vec![before, needing],
        Selection::default(),
        Policy::default(),
        &Facts::default(),
    )
    .unwrap();
    let mut differences =
        Differences { files: [RelPath::new("src/main.rs")].into(), ..Differences::default() };
    differences.tasks.extend(plan.graph.tasks.iter().map(|task| task.id));
    let facts = || ToolFacts { reads: Some(Vec::new()), ..ToolFacts::default() };
    let causes = Causes::new(&workspace, &plan, &differences, vec![facts(), facts()]).unwrap();
    assert!(causes.by_inputs(ToolId(1), Some(&RelPath::new("a.txt")), None).is_change());
}

#[test]
fn what_counts_for_all_comes_before_everything_else() {
    for path in [
        ".github/workflows/ci.yml",
        ".github/actions/setup/action.yml",
        ".gitlab-ci.yml",
        ".circleci/config.yml",
        ".cargo/config.toml",
        ".gitignore",
        ".envrc",
        "rust-toolchain.toml",
        "crates/lib/rust-toolchain",
        "../rust-toolchain",
        "../../.github/workflows/ci.yml",
        "../.gitlab-ci.yml",
    ] {
        assert!(counts_for_all(&RelPath::new(path)), "{path}");
    }
    let others = [
        ".github/CODEOWNERS",
        ".github/ISSUE_TEMPLATE/bug.md",
        ".config/genti/baseline/clippy.jsonl",
        "src/main.rs",
        "crates/lib/.gitignore",
        "../README",
    ];
    for path in others {
        assert!(!counts_for_all(&RelPath::new(path)), "{path}");
    }
    let mut case = Case::of(words()).at(Version::Other);
    case.differences.all = vec![".github/workflows/ci.yml".to_owned()];
    case.check("a.txt", Cause::Change);
    let mut advisory = Case::of(audit(Parse::AuditJson));
    advisory.differences.all = case.differences.all;
    advisory.differences.crates = Some([locked(&["x 1.0.0"]), locked(&["x 1.0.0"])]);
    advisory.check("[x]", Cause::Change);
}

fn locked(crates: &[&str]) -> Crates {
    let one = |line: &&str| {
        let mut words = line.split(' ');
        let (name, version) = (words.next().unwrap(), words.next().unwrap());
        let source = if name == "app" { "" } else { "source = \"registry\"\n" };
        let needs: Vec<_> = words.collect();
        format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n{source}dependencies = {needs:?}\n")
    };
    Crates::read(&crates.iter().map(one).collect::<String>()).unwrap()
}

#[test]
fn an_advisory_about_a_crate_that_the_base_has_is_not_caused_by_the_change() {
    let case = |parse, files: &[&str], base: &[&str], here: &[&str]| {
        let mut case = Case::of(audit(parse)).with(files);
        case.facts.reads = None;
        case.differences.crates = Some([locked(base), locked(here)]);
        case
    };
    let base = ["app 0.1.0 x", "x 1.0.0"];
    let (source, lock) = (["src/main.rs"], ["Cargo.lock"]);
    let more = ["app 0.1.0 x y", "x 1.0.0", "y 1.0.0"];
    for parse in [Parse::AuditJson, Parse::DenyJson] {
        let rule = "RUSTSEC-2026-0001";
        let cause = |case: Case| case.finding("[x]", rule).cause;
        assert_eq!(cause(case(parse.clone(), &source, &base, &base)), Cause::World);
        assert_eq!(cause(case(parse.clone(), &lock, &base, &["app 0.1.0 x", "x 1.0.1"])), Cause::Change);
        assert_eq!(cause(case(parse.clone(), &lock, &["app 0.1.0"], &base)), Cause::Change);
        assert_eq!(cause(case(parse.clone(), &["deny.toml"], &base, &base)), Cause::Change);
        let other = ["app 0.1.0 x", "x 1.0.0", "z 2.0.0"];
        assert_eq!(cause(case(parse.clone(), &lock, &base, &other)), Cause::World);
        let unread = Case::of(audit(parse)).with(&source);
        assert_eq!(
            cause(Case { facts: ToolFacts::default(), ..unread }),
            Cause::Change,
            "the lock is invalid"
        );
    }
    // cargo-deny looks at what is enabled, and cargo-audit at the whole lock file.
    let cause = |parse, files: &[&str], here: &[&str], rule: &str| {
        case(parse, files, &base, here).finding("[x]", rule).cause
    };
    let manifests = ["Cargo.lock", "Cargo.toml"];
    let advisory = "RUSTSEC-2026-0001";
    assert_eq!(cause(Parse::AuditJson, &manifests, &more, advisory), Cause::World);
    assert_eq!(cause(Parse::DenyJson, &manifests, &more, advisory), Cause::Change);
    assert_eq!(cause(Parse::DenyJson, &lock, &more, advisory), Cause::Change, "another crate leads to it");
    assert_eq!(cause(Parse::DenyJson, &["crates/alone/Cargo.toml"], &base, advisory), Cause::World);
    assert_eq!(cause(Parse::DenyJson, &source, &base, "duplicate"), Cause::Change);
}

fn entry(path: &str, rule: &str, code: &str) -> Entry {
    Entry {
        site: Site::Path(RelPath::new(path)),
        rule: rule.into(),
        scope: "".into(),
        code: code.into(),
        msg: "m".into(),
        in_variants: None,
        reason: None,
    }
}

#[test]
fn a_finding_whose_baseline_entry_the_change_removed_is_its_own() {
    let mut case = Case::of(words()).with(&[".config/genti/baseline/words.jsonl"]);
    let of = |entries: &[Entry]| BTreeMap::from([("words".to_owned(), entries.to_vec())]);
    let (one, other) = (entry("a.txt", "r", "x"), entry("b.txt", "s", "y"));
    case.differences.entries = Some([of(&[one.clone(), other.clone()]), of(from_ref(&other))]);
    case.check("a.txt", Cause::Change);
    assert_eq!(case.finding("a.txt", "s").cause, Cause::Base, "of another rule");
    case.differences.entries = Some([of(from_ref(&one)), of(&[one.clone(), other.clone()])]);
    case.check("a.txt", Cause::Base);
    case.differences.entries = Some([of(&[one.clone(), one.clone()]), of(from_ref(&one))]);
    case.check("a.txt", Cause::Change);
    case.differences.entries = Some([of(&[one]), BTreeMap::new()]);
    case.check("a.txt", Cause::Change);
}

#[test]
fn a_stale_entry_has_a_cause_as_well() {
    let gone = |case: &Case, entry: &Entry| case.causes(|causes| causes.of_entry("words", entry)).cause;
    let one = entry("a.txt", "r", "x");
    assert_eq!(gone(&Case::of(words()), &one), Cause::Base);
    assert_eq!(gone(&Case::of(words()).with(&["a.txt"]), &one), Cause::Change);
    assert_eq!(gone(&Case::of(words()).with(&["b.txt"]), &one), Cause::Base);
    assert_eq!(gone(&Case::of(words()).at(Version::Other), &one), Cause::Tool);
    // The file is gone.
    let removed = entry("removed.txt", "r", "x");
    assert_eq!(gone(&Case::of(words()).with(&["removed.txt"]), &removed), Cause::Change);
    let added = |base: &[Entry]| {
        let of = |entries: &[Entry]| BTreeMap::from([("words".to_owned(), entries.to_vec())]);
        let mut case = Case::of(words());
        case.differences.entries = Some([of(base), of(from_ref(&one))]);
        gone(&case, &one)
    };
    assert_eq!(added(&[]), Cause::Change);
    assert_eq!(added(from_ref(&one)), Cause::Base);
    assert_eq!(added(&[Entry { reason: Some("because".to_owned()), ..one.clone() }]), Cause::Base);
    let unknown = Case::of(Tool { namespaces: vec!["other".to_owned()], ..words() });
    assert_eq!(gone(&unknown, &one), Cause::Change, "no tool has the namespace");
}

#[test]
fn golden_files_count_for_the_tool_that_compares_with_them() {
    let golden = Tool { parse: Parse::Golden(Streams::Stdout), ..words() };
    let changed = ".config/genti/golden/words/a.txt.out";
    check(&golden, "a.txt", &[changed], Cause::Change);
    check(&words(), "a.txt", &[changed], Cause::Base);
}

#[test]
fn a_finding_of_a_new_lint_does_not_fail_unless_the_change_may_bring_the_version() {
    let lib = "crates/lib/src/lib.rs";
    let with = |files: &[&str]| {
        let mut case = Case::of(clippy()).at(Version::Other).with(files);
        case.facts.new_lints = ["r".to_owned()].into();
        case
    };
    for (files, expected) in [
        (&[lib][..], Cause::NewLint),
        (&[lib, "Cargo.toml", "Cargo.lock", "crates/lib/Cargo.toml"], Cause::NewLint),
        (&[lib, "src/main.rs", "docs/guide.md"], Cause::NewLint),
        (&[lib, "Dockerfile"], Cause::Change),
        (&[lib, "ci/install.sh"], Cause::Change),
        // The same in the base is no matter of grace.
        (&["crates/alone/src/lib.rs"], Cause::Tool),
    ] {
        with(files).check(lib, expected);
    }
    let caused = with(&[lib]).finding(lib, "other");
    assert_eq!(caused.cause, Cause::Change, "the locked version has this lint");
    let mut bumped = with(&[lib]);
    bumped.differences.all = vec!["rust-toolchain.toml".to_owned()];
    bumped.check(lib, Cause::Change);
    let removed = [
        BTreeMap::from([("clippy".to_owned(), vec![entry("crates/lib/src/lib.rs", "r", "c")])]),
        BTreeMap::new(),
    ];
    let mut taken_back = with(&[lib]);
    taken_back.differences.entries = Some(removed);
    taken_back.check(lib, Cause::Change);
}
