//! Tests of invalid configurations and the messages about them.

use super::tests::file;
use super::*;

/// Checks the rendered problems of `text`, without the name of the file.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let rendered = match load(&[file("genti.toml", text)], None) {
        Ok(_) => String::new(),
        Err(problems) => problems.to_string().replace("genti.toml:", ""),
    };
    assert_eq!(rendered.lines().collect::<Vec<_>>(), expected, "{text}");
}

/// Checks the problems of a tool `x` with these `keys`, the first of which is on line 2.
#[track_caller]
fn check_tool(keys: &str, expected: &[&str]) {
    let run = if keys.contains("run =") { "" } else { "run = ['x', '{args}']" };
    check(&format!("[tools.x]\n{keys}\n{run}\n"), expected);
}

#[test]
fn an_unknown_profile_is_a_mistake() {
    let check = |files: &[ConfigFile], expected: &str| {
        assert_eq!(load(files, Some("cj")).unwrap_err().to_string(), expected);
    };
    check(
        &[],
        ".config/genti.toml: unknown profile `cj` (there is no configuration; create one with `[profile.cj.policy]`)",
    );
    check(
        &[file("genti.toml", "profile.ci.policy.seed = 1")],
        "genti.toml: unknown profile `cj` (did you mean `ci`?)",
    );
    check(
        &[file("genti.toml", "[profile.nightly]\n[profile.release]")],
        "genti.toml: unknown profile `cj` (profiles: `nightly`, `release`)",
    );
}

#[test]
fn mistakes_in_the_policy_are_found() {
    check("[policy]\nordr = 'x'", &["2:1: unknown key `ordr` (did you mean `order`?)"]);
    check(
        "[policy]\ncolour = 1",
        &[
            "2:1: unknown key `colour` (known keys: `order`, `batch`, `seed`, `parallel`, `build-dir`, `per-task-timeout`, `max-duration`, `blind-spots`, `max-findings`, `against`, `new-lints`, `recheck`)",
        ],
    );
    check("[policy]\norder = 'topo'\nbatch = 'by-path'", &[]);
    check("[policy]\nnew-lints = 'warn'", &[]);
    let words = "expected `fail`, `warn` or `{ warn-for = \"30d\" }`";
    check("[policy]\nnew-lints = 'deny'", &[&format!("2:13: unknown value `deny` for new lints, {words}")]);
    check("[policy]\nnew-lints = 30", &["2:13: expected a string, found integer"]);
    check("[policy]\nnew-lints = {}", &["2:13: missing key `warn-for`, such as `{ warn-for = \"30d\" }`"]);
    check("[policy]\nnew-lints = { warn = '30d' }", &["2:15: unknown key `warn` (known keys: `warn-for`)"]);
    check(
        "[policy]\nnew-lints = { warn-for = '36h' }",
        &["2:26: expected a whole number of days, such as `30d`"],
    );
    check("[policy]\norder = 1", &["2:9: expected a string, found integer"]);
    check(
        "[policy]\nbatch = 0",
        &[
            "2:9: unknown batch policy `0`, expected `auto`, `by-tool`, `by-path` or a number of tasks (at least 1)",
        ],
    );
    check("[policy]\nbatch = [1]", &["2:9: expected a string or a whole number, found array"]);
    check(
        "[policy]\nseed = -1",
        &["2:8: expected a whole number from 0 to 18446744073709551615, found `-1`"],
    );
    check(
        "[policy]\nseed = '1'",
        &[
            "2:8: expected a whole number from 0 to 18446744073709551615, found string (write `1`, without quotes)",
        ],
    );
    check(
        "[policy]\nparallel = -2",
        &["2:12: invalid number of processes `-2`, expected `auto` or a number from 1 to 1024"],
    );
    check(
        "[policy]\nmax-duration = '90'",
        &["2:16: invalid duration `90`, expected one such as `90s` or `20m`: the unit is missing"],
    );
    check(
        "[policy]\nmax-duration = '0s'",
        &["2:16: duration `0s` is out of range, expected 1ns to 366 days"],
    );
    check(
        "[policy]\nmax-duration = '900y'",
        &["2:16: duration `900y` is out of range, expected 1ns to 366 days"],
    );
    check(
        "[policy]\nmax-duration = 30",
        &[
            "2:16: expected a duration with a unit, found integer (write `\"30s\"` for seconds, or `\"30m\"` for minutes)",
        ],
    );
    check("[policy]\ntimeout = '30s'", &["2:1: unknown key `timeout` (did you mean `per-task-timeout`?)"]);
    check("policy = 3", &["1:10: expected a table, found integer"]);
    check(
        "[profile.ci]\nseed = 1\n[profile.ci.policy]\nsed = 1",
        &["2:1: unknown key `seed` (known keys: `policy`)", "4:1: unknown key `sed` (did you mean `seed`?)"],
    );
    check("[tool.x]", &["1:2: unknown key `tool` (did you mean `tools`?)"]);
}

#[test]
fn a_mistake_has_no_consequences() {
    // The other keys depend on the one with the mistake, so they are not reported.
    check("[tools.x]\ncommand = ['x']", &["2:1: unknown key `command` (did you mean `run`?)"]);
    check(
        "[tools.x]\ncmd = ['x']\nretries = 2\nargs = ['y']",
        &["2:1: unknown key `cmd` (did you mean `run`?)"],
    );
    check("[tools.nextst]\nretries = 2", &["1:8: tool `nextst` has no `run` (did you mean `nextest`?)"]);
    check(
        "[tools.clipy]\nleaky = 'fail'\nper = 'file'",
        &["1:8: tool `clipy` has no `run` (did you mean `clippy`?)"],
    );
    check_tool("format = 'libtest'\nleaky = 'fail'", &["2:1: unknown key `format` (did you mean `parse`?)"]);
    let unknown = "[tools.x]\nrun = ['x']\nparse = 'junit'\nleaky = 'fail'\nretries = 1";
    let problems = load(&[file("genti.toml", unknown)], None).unwrap_err().to_string();
    assert!(
        problems.lines().count() == 1 && problems.contains("unknown output format `junit`"),
        "{problems}"
    );
    check(
        "[tools]\nclippy = false",
        &[
            "2:10: expected a table, found boolean (write `clippy.enabled = false`, or `enabled = false` under `[tools.clippy]`)",
        ],
    );
}

#[test]
fn mistakes_in_a_tool_are_found() {
    check("tools.x = 1\ntools.fmt.needs = ['x']", &["1:11: expected a table, found integer"]);
    check(
        "[tools.'A b']\nrun = ['x']",
        &[
            "1:8: invalid tool name `A b` (use lower-case letters, digits, `-` and `_`, starting with a letter or digit)",
        ],
    );
    check("[tools.clipy]", &["1:8: tool `clipy` has no `run` (did you mean `clippy`?)"]);
    check(
        "[tools.shaders]",
        &[
            "1:8: tool `shaders` has no `run` (write `run = [\"program\", …]`; built-in tools: `audit`, `check`, `clippy`, `codegen`, `deny`, `doc`, `doctest`, `fmt`, `machete`, `nextest`, `test`, `test-build`, `typos`)",
        ],
    );
    check_tool("requird = true", &["2:1: unknown key `requird` (did you mean `required`?)"]);
    check_tool("required = 'no'", &["2:12: expected `true` or `false`, found string"]);
    check_tool("enabled = 0", &["2:11: expected `true` or `false`, found integer"]);
    check_tool("args = '-q'", &["2:8: expected an array of strings, found string (write `[\"-q\"]`)"]);
    check_tool(
        "required = 'true'",
        &["2:12: expected `true` or `false`, found string (write `true`, without quotes)"],
    );
    check_tool(
        "args = ['-q', 1, [2]]",
        &["2:15: expected a string, found integer", "2:18: expected a string, found array"],
    );
    check_tool("args = [\"a\\u0000\"]", &["2:9: NUL characters are not allowed here"]);
    check_tool("per = 'files'", &["2:7: unknown unit `files` (did you mean `file`?)"]);
    // An unknown unit is a single mistake, without one per placeholder.
    check_tool(
        "run = ['x', '{file}']\nper = 'crate'",
        &["3:7: unknown unit `crate` (units: `workspace`, `package`, `target-root`, `test-target`, `file`)"],
    );
    check_tool("lane = ''", &["2:8: expected a non-empty string"]);
    check_tool("max-tasks = 0", &["2:13: expected a whole number from 1 to 4294967295, found `0`"]);
    check_tool(
        "max-tasks = 4294967296",
        &["2:13: expected a whole number from 1 to 4294967295, found `4294967296`"],
    );
    check_tool(
        "max-bytes = 1.5",
        &["2:13: expected a whole number from 1 to 18446744073709551615, found float"],
    );
    check_tool(
        "namespaces = ['a/b']",
        &[
            "2:15: invalid namespace `a/b` (use lower-case letters, digits, `-` and `_`, starting with a letter or digit)",
        ],
    );
    check_tool(
        "env = ['A=1']",
        &[
            "2:8: invalid environment variable name `A=1` (list names only, or write `env = { NAME = \"value\" }`)",
        ],
    );
}

#[test]
fn mistakes_in_variables_toolchains_and_time_limits_are_found() {
    check_tool("env = 'A'", &["2:7: expected an array of names or a table of variables, found string"]);
    check_tool(
        "env = { A = 1, B = false, '' = 'x' }",
        &[
            "2:13: expected a string, or `true` for the value in the environment, found integer",
            "2:20: expected a string, or `true` for the value in the environment, found boolean",
            "2:27: invalid environment variable name `` (write the name of a variable)",
        ],
    );
    for (name, help) in [
        ("RUSTUP_TOOLCHAIN", "write `toolchain = \"…\"`"),
        ("CARGO_TARGET_DIR", "remove it; genti sets it itself"),
        ("CARGO_TERM_QUIET", "remove it; genti sets it itself"),
        (
            "Path",
            "set it in genti's own environment, because it determines which programs and files the tool uses",
        ),
        (
            "TOOL_CONFIG",
            "set it in genti's own environment, because it determines which programs and files the tool uses",
        ),
    ] {
        check_tool(
            &format!("env = {{ {name} = 'x' }}\nsearches = ['$TOOL_CONFIG/rc']"),
            &[&format!("2:9: `{name}` can't be set here ({help})")],
        );
        check_tool(&format!("env = {{ {name} = true }}"), &[]);
    }
    check_tool("timeout = '0s'", &["2:11: duration `0s` is out of range, expected 1ns to 366 days"]);
    check_tool(
        "run = ['cargo', 'x']\ntoolchain = '+1.85'",
        &["3:13: invalid toolchain `+1.85` (write `1.85`)"],
    );
    check_tool(
        "run = ['cargo', 'x']\ntoolchain = ''",
        &["3:13: invalid toolchain `` (write a name that rustup knows, such as `nightly` or `1.85`)"],
    );
    check_tool(
        "run = ['cargo', '+beta', 'x']\ntoolchain = '1.85'",
        &["3:13: `run` already requests the toolchain `beta` (remove one of them)"],
    );
    check_tool(
        "toolchain = '1.85'",
        &[
            "2:13: `toolchain` has no effect on `x`, because it does not run a program of a Rust toolchain (write `run = [\"rustup\", \"run\", \"1.85\", …]`)",
        ],
    );
    check(
        "[tools.test]\ntoolchain = 'nightly'",
        &[
            "2:13: `toolchain` has no effect on `test`, because it does not run a program of a Rust toolchain (set it for the tool that builds what it runs, such as `test-build`)",
        ],
    );
}

#[test]
fn mistakes_in_a_command_line_are_found() {
    check_tool("run = 'x y'", &["2:7: expected an array of strings, found string (write `[\"x\", \"y\"]`)"]);
    check_tool("run = [1]", &["2:8: expected a string, found integer"]);
    check_tool("run = ['']", &["2:8: the program name is empty"]);
    check_tool("run = ['{files}']", &["2:8: the program can't be a placeholder"]);
    check_tool("run = ['{dir}/x']\nper = 'package'", &["2:8: the program name can't contain a placeholder"]);
    check_tool(
        "run = ['x', '{fiels} {print}']",
        &[
            "2:13: unknown placeholder `{fiels}` (did you mean `{files}`?)",
            "2:13: unknown placeholder `{print}` (write `{{print}}` for the literal text; placeholders: `files`, `args`, `selection`, `features`, `target`, `file`, `package`, `dir`, `edition`, `executable`)",
        ],
    );
    check_tool("run = ['x', '-f={files}']", &["2:13: `{files}` must be a separate argument"]);
    check_tool("run = ['x', '{}', '{A}', '{1,2}', '${x', '{ x }', '{{print}}', '{{{', '}']", &[]);
    check_tool(
        "run = ['x', '{edition}{file}', '{selection}']\nper = 'package'",
        &[
            "2:13: `{edition}` has no value for a tool that runs per package (write `per = \"target-root\"` or `per = \"test-target\"`)",
            "2:13: `{file}` has no value for a tool that runs per package (write `per = \"file\"`)",
            "2:32: `{selection}` has no value for a tool that runs per package (write `per = \"workspace\"`)",
        ],
    );
    check_tool(
        "run = ['x', '{package}']",
        &[
            "2:13: `{package}` has no value for a tool that runs per workspace (write `per = \"package\"` or `per = \"target-root\"` or `per = \"test-target\"`)",
        ],
    );
    check(
        "[tools.fmt]\nper = 'file'",
        &[
            "2:7: `{edition}` has no value for a tool that runs per file (write `per = \"target-root\"` or `per = \"test-target\"`)",
        ],
    );
    check_tool(
        "args = ['-q']\nrun = ['x']",
        &[
            "2:8: `args` is unused because `run` has no `{args}` (put `\"{args}\"` into `run`, or write the arguments there)",
        ],
    );
}

#[test]
fn mistakes_in_globs_are_found() {
    check_tool(
        "files = ['a[b', 'x/', '/a', '!a', '../a', '', './']",
        &[
            "2:10: invalid glob `a[b`: unclosed character class; missing ']'",
            "2:17: `x/` never matches a file (write `x/**`)",
            "2:23: `/a` never matches: paths are relative to the workspace root (write `a`)",
            "2:29: negated globs are not supported: `!a` (write `exclude = [\"a\"]`)",
            "2:35: `../a` never matches: paths have no `.`, `..` or empty components (write a path relative to the workspace root)",
            "2:43: an empty glob never matches (use `**` to match every file)",
            "2:47: `./` never matches: paths are relative to the workspace root (write `**`)",
        ],
    );
}

#[test]
fn mistakes_in_detect_are_found() {
    check_tool("detect = { files = ['x'] }", &[]);
    check_tool(
        "detect = {}",
        &[
            "2:10: `detect` is empty (write `{ files = [\"…\"] }`, `{ metadata = [\"…\"] }` or `{ build-dependencies = [\"…\"] }`)",
        ],
    );
    check_tool("detect = 'x'", &["2:10: expected a table, found string"]);
    check_tool(
        "detect = { file = ['x'], metadata = ['x'] }",
        &["2:12: unknown key `file` (did you mean `files`?)"],
    );
}

#[test]
fn mistakes_in_parse_are_found() {
    check_tool(
        "parse = 'rustc_json'",
        &["2:9: unknown output format `rustc_json` (did you mean `rustc-json`?)"],
    );
    check_tool("parse = 'regex'", &["2:9: unknown output format `regex` (write `{ regex = \"…\" }`)"]);
    check_tool("parse = 1", &["2:9: expected the name of a format or `{ regex = \"…\" }`, found integer"]);
    check_tool(
        "parse = {}",
        &["2:9: missing key `regex` or `number` (write `{ regex = \"…\" }` or `{ number = \"…\", … }`)"],
    );
    check_tool(
        "parse = { regx = '(?<path>a)' }",
        &[
            "2:9: missing key `regex` or `number` (write `{ regex = \"…\" }` or `{ number = \"…\", … }`)",
            "2:11: unknown key `regx` (did you mean `regex`?)",
        ],
    );
    check_tool("parse = { regex = '(?<path>a' }", &["2:19: invalid regular expression: unclosed group"]);
    check_tool(
        "parse = { regex = '(?<mesage>a)(?<zzzzzz>b)' }",
        &[
            "2:19: unknown group `mesage` (did you mean `message`?)",
            "2:19: unknown group `zzzzzz` (groups: `path`, `line`, `column`, `rule`, `level`, `message`)",
            "2:19: missing group `message` or `path` (add at least one of them; available groups: `path`, `line`, `column`, `rule`, `level`, `message`)",
        ],
    );
}

#[test]
fn mistakes_in_compare_are_found() {
    check_tool(
        "compare = 'gold'",
        &["2:11: unknown comparison `gold` (write `\"golden\"` or `{ golden = \"…\" }`)"],
    );
    check_tool("compare = 1", &["2:11: expected `\"golden\"` or `{ golden = \"…\" }`, found integer"]);
    check_tool("compare = {}", &["2:11: missing key `golden` (write `\"golden\"` or `{ golden = \"…\" }`)"]);
    check_tool(
        "compare = { golden = 'stdin' }",
        &["2:22: unknown stream `stdin` (choose one of: `stdout`, `stderr`, `both`)"],
    );
    check_tool(
        "compare = 'golden'\nparse = 'lines'",
        &["3:9: `parse` has no effect together with `compare` (remove one of them)"],
    );
}

#[test]
fn needs_that_cannot_be_met_are_found() {
    check_tool("needs = ['clipy']", &["2:10: unknown tool `clipy` (did you mean `clippy`?)"]);
    check_tool(
        "needs = ['zzzzzzzz']",
        &[
            "2:10: unknown tool `zzzzzzzz` (tools: `audit`, `check`, `clippy`, `codegen`, `deny`, `doc`, `doctest`, `fmt`, `machete`, `nextest`, `test`, `test-build`, `typos`, `x`)",
        ],
    );
    check_tool(
        "needs = ['x']",
        &["2:10: dependency cycle between tools: x → x (remove one of these `needs`)"],
    );
    check(
        "tools.fmt = { enabled = false }\ntools.x = { run = ['x'], needs = ['fmt'] }",
        &["2:35: `x` needs `fmt`, which is disabled (enable it, or remove it from `needs`)"],
    );
    check(
        "tools.fmt = { enabled = false }\ntools.x = { run = ['x'], needs = ['fmt'], enabled = false }",
        &[],
    );
    check(
        "
        tools.d = { run = ['x'], needs = ['a'] }
        tools.a = { run = ['x'], needs = ['c'] }
        tools.b = { run = ['x'], needs = ['a', 'clippy'] }
        tools.c = { run = ['x'], needs = ['b'] }
        tools.fmt.needs = ['doc']
        tools.doc.needs = ['fmt']",
        &[
            "3:43: dependency cycle between tools: a → c → b → a (remove one of these `needs`)",
            "7:28: dependency cycle between tools: doc → fmt → doc (remove one of these `needs`)",
        ],
    );
}

#[test]
fn every_mistake_is_reported_in_the_order_of_lines() {
    check(
        "
[tools.x]
run = ['x', '{fil}']
required = 1
[policy]
sed = 1
order = 2
[toolz]
[tools.a]
needs = ['x', 'y']
",
        &[
            "3:13: unknown placeholder `{fil}` (did you mean `{file}`?)",
            "4:12: expected `true` or `false`, found integer",
            "6:1: unknown key `sed` (did you mean `seed`?)",
            "7:9: expected a string, found integer",
            "8:2: unknown key `toolz` (did you mean `tools`?)",
            "9:8: tool `a` has no `run` (write `run = [\"program\", …]`; built-in tools: `audit`, `check`, `clippy`, `codegen`, `deny`, `doc`, `doctest`, `fmt`, `machete`, `nextest`, `test`, `test-build`, `typos`)",
            "10:15: unknown tool `y` (tools: `a`, `audit`, `check`, `clippy`, `codegen`, `deny`, `doc`, `doctest`, `fmt`, `machete`, `nextest`, `test`, `test-build`, `typos`, `x`)",
        ],
    );
}

#[test]
fn a_syntax_error_does_not_hide_other_mistakes() {
    // Missing keys and tools (`run`, `y`, `per`) may be on the broken line, so they are not reported.
    check(
        "[policy]\norder = \nsed = 1\n[tools.x]\nrun ['x']\nneeds = ['y']",
        &[
            "2:9: string values must be quoted, expected literal string",
            "3:1: unknown key `sed` (did you mean `seed`?)",
            "5:5: key with no value, expected `=`",
        ],
    );
    check(
        "[tools.x]\nper = \nrun = ['x', '{edition}']",
        &["2:7: string values must be quoted, expected literal string"],
    );
    check("[policy]\nseed = 1\nseed = 2", &["3:1: duplicate key"]);
    // An unclosed bracket also breaks the following lines, but only one error per line is reported.
    check("[tools.x]\nrun = ['x',\n", &["2:12: unclosed array, expected `]`"]);
}

#[test]
fn empty_values_are_reported_with_what_they_would_mean() {
    check_tool("files = []", &["2:9: expected at least one glob (remove it to check every file)"]);
    let program = "(write `[\"program\", …]`)";
    check("[tools.x]\nrun = ''\n", &[&format!("2:7: expected a program, found an empty string {program}")]);
    check("[tools.x]\nrun = []\n", &[&format!("2:7: expected a program, found an empty array {program}")]);
}

#[test]
fn a_merge_conflict_hides_its_consequences() {
    check(
        "[policy]\n<<<<<<< ours\nsed = 1\n||||||| base\n=======\nseed = 2\nseed = 3\n>>>>>>> theirs\n[tols]\n",
        &["2:1: contains merge conflict markers (resolve the conflict)"],
    );
    check("[tools.x]\nrun = ['x', '''\n=======\n''']\n", &[]);
}

#[test]
fn the_manifest_may_contain_the_configuration() {
    let check = |text: &str, expected: Result<Option<u64>, &str>| {
        let result = load(&[file("Cargo.toml", text)], None);
        let result = result.map(|config| config.policy.seed).map_err(|problems| problems.to_string());
        assert_eq!(result, expected.map_err(str::to_owned), "{text}");
    };
    check("[workspace]\nmembers = []", Ok(None));
    check("[workspace]\n[workspace.metadata.other]\nx = 1", Ok(None));
    check("[workspace.metadata.genti.policy]\nseed = 3", Ok(Some(3)));
    check(
        "[workspace.metadata.genti]\npolcy = 3",
        Err("Cargo.toml:2:1: unknown key `polcy` (did you mean `policy`?)"),
    );
    check("[workspace.metadata]\ngenti = 3", Err("Cargo.toml:2:9: expected a table, found integer"));
    check(
        "[package.metadata.genti]",
        Err(
            "Cargo.toml:1:1: `[package.metadata.genti]` is not supported (use `[workspace.metadata.genti]`; one configuration applies to all packages)",
        ),
    );
}

#[test]
fn two_configurations_are_a_mistake_that_names_both_files() {
    let check = |files: &[ConfigFile], expected: &[&str]| {
        let problems = load(files, None).map_or_else(|problems| problems.to_string(), |_| String::new());
        assert_eq!(problems.lines().collect::<Vec<_>>(), expected);
    };
    let (hidden, open) = (file(".config/genti.toml", "sed = 1"), file("genti.toml", ""));
    let (with, without) = (file("Cargo.toml", "[workspace.metadata.genti]"), file("Cargo.toml", "[package]"));
    check(
        &[hidden, open.clone()],
        &[
            ".config/genti.toml:1:1: unknown key `sed` (known keys: `policy`, `profile`, `tools`, `variants`, `services`, `baseline`, `suppress`, `remote`, `locked`)",
            "genti.toml: a second configuration besides `.config/genti.toml` (keep one of them)",
        ],
    );
    check(
        &[open.clone(), with],
        &[
            "Cargo.toml: `[workspace.metadata.genti]` is a second configuration besides `genti.toml` (keep one of them)",
        ],
    );
    check(&[open, without], &[]);
}

#[test]
fn mistakes_about_tests_are_found() {
    check_tool("targets = 'tests'", &["2:11: unknown targets `tests` (did you mean `test`?)"]);
    check_tool(
        "targets = 'examples'",
        &["2:11: unknown targets `examples` (targets: `test`, `doctest`, `build-script`)"],
    );
    check_tool(
        "per = 'file'\ntargets = 'test'",
        &[
            "3:11: `targets` has no effect for a tool that runs per file (remove it, or write `per = \"workspace\"`)",
        ],
    );
    check_tool("on-demand = 1", &["2:13: expected `true` or `false`, found integer"]);
    check_tool(
        "threads = 'N=1'",
        &[
            "2:11: invalid environment variable name `N=1` (give the name only; genti sets the value to the number of threads)",
        ],
    );
    check_tool(
        "parse = 'lines'\nleaky = 'fail'",
        &[
            "3:9: `leaky` has no effect with the output format `lines` (remove it; only test output states how many results to expect, so any other output may be incomplete)",
        ],
    );
    check_tool(
        "parse = { number = '(?<value>.)', name = 'n', better = 'lower' }\nretries = 1",
        &[
            "3:11: `x` can't have `retries`, because its numbers or golden files stand for output that is always the same (remove it, or make the output of the tool reproducible)",
        ],
    );
    check_tool("parse = 'lines'\nretries = 1\nflaky = 'fail'", &[]);
    check_tool("parse = 'libtest'\nretries = 1", &[]);
    check(
        "[tools.clippy]\nretries = 1\n[tools.test-build]\nflaky = 'fail'",
        &[
            "2:11: `clippy` can't have `retries`, because it always comes to the same result (remove it)",
            "4:9: `test-build` can't have `flaky`, because other tools use what it builds (remove it)",
        ],
    );
    check(
        "[tools.doctest]\nretries = 1\n[tools.test]\nretries = 11\nflaky = 'warn'",
        &[
            "2:11: `doctest` can't have `retries`, because its tests can't be run again by name (remove it; rustdoc can't run single doc tests)",
            "4:11: expected a whole number from 0 to 10, found `11`",
            "5:9: unknown value `warn` (values: `pass`, `fail`)",
        ],
    );
    check_tool("parse = 'libtest'\nleaky = 'warn'", &["3:9: unknown value `warn` (values: `pass`, `fail`)"]);
    check_tool("replaces = ['clipy']", &["2:13: unknown tool `clipy` (did you mean `clippy`?)"]);
    check_tool("replaces = ['x']", &["2:13: `x` can't replace itself (name another tool)"]);
    check_tool(
        "run = ['{executable}', '--list']",
        &[
            "1:8: `x` runs `{executable}`, but needs no tool that builds it (write `needs = [\"test-build\"]`)",
        ],
    );
    check_tool("run = ['{executable}']\nneeds = ['test']", &[]);
    check_tool("run = ['valgrind', '{executable}']\nneeds = ['test-build']", &[]);
    check_tool(
        "run = ['x{executable}']\nneeds = ['test-build']",
        &["2:8: the program name can't contain a placeholder"],
    );
    check_tool(
        "per = 'package'\nrun = ['valgrind', '{executable}']\nneeds = ['test-build']",
        &[
            "3:20: `{executable}` has no value for a tool that runs per package (write `per = \"test-target\"`)",
        ],
    );
    check_tool(
        "parse = 'junit'",
        &[
            "2:9: unknown output format `junit` (`{ regex = \"…\" }` or one of: `rustc-json`, `cargo-build`, `build-scripts`, `libtest`, `nextest`, `rustfmt`, `deny-json`, `audit-json`, `typos-json`, `machete`, `sarif`, `diff`, `lines`, `exit-code`)",
        ],
    );
    check(
        "tools.nextest.enabled = true\ntools.x = { run = ['x'], needs = ['test'] }",
        &["2:35: `x` needs `test`, which is disabled (enable it, or remove it from `needs`)"],
    );
}

#[test]
fn mistakes_in_suppressions_are_found() {
    let check_one = |keys: &str, expected: &[&str]| {
        check(&format!("[[suppress]]\n{keys}\n"), expected);
    };
    check_one("rule = 'x'\nreason = 'y'\nexpires = 2027-01-31", &[]);
    check_one("tool = 'clippy'\nreason = 'y'\nexpires = '2027-01-31'", &[]);
    check("suppress = 1", &["1:12: expected an array of tables, found integer (write `[[suppress]]`)"]);
    check(
        "[suppress]\nrule = 'x'",
        &["1:1: expected an array of tables, found table (write `[[suppress]]`)"],
    );
    check_one(
        "ruel = 'x'\nreason = ' '\npath = '/a'\nexpires = 2027-01-31T00:00:00Z\nowner = 1",
        &[
            "1:1: missing key `rule` or `tool` (set `rule = \"clippy::needless_return\"`, or `tool = \"clippy\"` for all of its findings)",
            "2:1: unknown key `ruel` (did you mean `rule`?)",
            "3:10: expected a non-empty string",
            "4:8: `/a` never matches: paths are relative to the workspace root (write `a`)",
            "5:11: invalid date `2027-01-31T00:00:00Z`, expected one such as `2027-01-31`",
            "6:9: expected a string, found integer",
        ],
    );
    check_one(
        "rule = 'x'",
        &["1:1: missing key `reason` (explain why the finding is suppressed: `reason = \"…\"`)"],
    );
    check_one(
        "tool = 'clipy'\nreason = 'y'\nexpires = '2027-02-29'\npath = '!a'\nsubject = ''",
        &[
            "2:8: unknown tool `clipy` (did you mean `clippy`?)",
            "4:11: invalid date `2027-02-29`, expected one such as `2027-01-31`",
            "5:8: negated globs are not supported: `!a` (add a suppression for each path instead)",
            "6:11: expected a non-empty string",
        ],
    );
    check_one(
        "rule = 'x'\nreason = 'y'\nexpires = 20270131",
        &["4:11: expected a date such as `2027-01-31`, found integer"],
    );
    // Missing keys may be on the broken line.
    check_one(
        "rule = \nreason 'y'",
        &[
            "2:8: string values must be quoted, expected literal string",
            "3:8: key with no value, expected `=`",
        ],
    );
}

#[test]
fn mistakes_about_the_baseline_are_found() {
    check("baseline = 1", &["1:12: expected a table, found integer"]);
    check(
        "[baseline]\nfeatures = 'a'\nall-feature = true\ntarget = ''\nstale = 'ignore'",
        &[
            "2:12: expected an array of strings, found string (write `[\"a\"]`)",
            "3:1: unknown key `all-feature` (did you mean `all-features`?)",
            "4:10: expected a non-empty string",
            "5:9: unknown value `ignore`, expected `fail` or `warn`",
        ],
    );
    check(
        "[baseline.versions]\nclipy = '1'\nx = '1'\ndoc = 'rustdoc 1.95'\nfmt = 1\n[tools.x]\nrun = ['x']",
        &[
            "2:1: unknown tool `clipy` (did you mean `clippy`?)",
            "3:1: `x` has no command that prints its version (set `version = […]` under [tools.x])",
            "4:7: invalid version `rustdoc 1.95`, expected a number such as `1.95` (use the number that `cargo genti tools` shows, or a prefix of it)",
            "5:7: expected a string, found integer",
        ],
    );
}

#[test]
fn mistakes_in_numbers_are_found() {
    check_tool(
        "parse = { number = 'x' }",
        &[
            "2:9: missing key `better` (write `better = \"higher\"` or `better = \"lower\"`)",
            "2:9: missing group `value` (name the part of the pattern that captures the number: `(?<value>[\\d.]+)`)",
            "2:9: the number has no name (write `name = \"…\"`, or a group `(?<name>…)` in the pattern)",
        ],
    );
    check_tool(
        "parse = { number = '(?<name>.) (?<value>.)', name = 'n', better = 'more', tolerance = '-1' }",
        &[
            "2:9: the number has two names (write `name = \"…\"`, or a group `(?<name>…)` in the pattern)",
            "2:67: unknown direction `more` (choices: `higher`, `lower`)",
            "2:87: `-1` is negative",
        ],
    );
    check_tool(
        "parse = { number = '(?<valeu>.)', name = 'n', better = 'lower' }",
        &[
            "2:9: missing group `value` (name the part of the pattern that captures the number: `(?<value>[\\d.]+)`)",
        ],
    );
    check_tool(
        "parse = { number = '(?<value>.) (?<other>.)', name = 'n', better = 'lower' }",
        &["2:20: unknown group `other` (groups: `name`, `value`)"],
    );
    check_tool("ratchet = ['rum']", &["2:12: unknown number `rum` (did you mean `run`?)"]);
    check(
        "[tools.genti]\nrun = ['x']",
        &["1:8: `genti` is reserved for genti's own findings (use another name)"],
    );
}

#[test]
fn a_tool_starts_in_a_directory_of_the_workspace() {
    check_tool("dir = 'web/app/'", &[]);
    check_tool("dir = '.'", &[]);
    let relative = "write a path relative to the workspace root, with `/`";
    check_tool("dir = '/web'", &[&format!("2:7: invalid directory `/web` ({relative})")]);
    check_tool("dir = '../web'", &["2:7: invalid directory `../web` (write a path in the workspace)"]);
    check_tool(
        "dir = 'a//b'",
        &["2:7: invalid directory `a//b` (write a path without empty parts, such as `ci/x`)"],
    );
    check_tool(
        "dir = '{dir}'",
        &["2:7: invalid directory `{dir}` (a path here has no placeholders; use them in `run`)"],
    );
    check(
        "[tools.clippy]\ndir = 'a'\n[tools.test]\ndir = 'a'",
        &[
            "2:7: `clippy` can't start in another directory, because `{selection}` stands for packages of this workspace (remove `dir`)",
            "4:7: `test` can't start in another directory, because a test program starts in the directory of its package (remove `dir`)",
        ],
    );
}

#[test]
fn a_sandbox_has_paths_and_one_of_three_networks() {
    check_tool(
        "sandbox = { write = ['*.x', ''], network = 'no' }",
        &[
            "2:22: `*.x` is not a path, and globs have no effect here (name a file, or a directory with everything in it)",
            "2:29: expected a path (write `.` for the whole workspace)",
            "2:44: expected `true`, `false` or `\"loopback\"`",
        ],
    );
    check_tool("sandbox = true", &["2:11: expected a table, found boolean"]);
}

#[test]
fn only_what_a_single_process_looks_at_can_be_observed() {
    let check_why = |text: &str, line: &str, why: &str| {
        check(text, &[&format!("{line}: `cache = \"sandboxed\"` is not possible for this tool ({why})")]);
    };
    check("[tools.nextest]\ncache = 'sandboxed'", &[]);
    check("[tools.doctest]\ncache = 'sandboxed'", &[]);
    check(
        "[tools.doctest]\ncache = 'sandboxed'\nsandbox = { network = 'loopback' }",
        &[
            "2:9: this tool can't have a `sandbox` and cached results (remove one of them; each process with tests gets a sandbox of its \
             own)",
        ],
    );
    let builds = "remove it; cargo builds in this tool, and changes build output that other tools use";
    check_why("[tools.clippy]\ncache = 'sandboxed'", "2:9", builds);
    let program = "remove it; of the tools with `{executable}`, only those that run the test program directly, with \
                   `run = [\"{executable}\", …]` and without `compare`, can be observed";
    check_why(
        "[tools.x]\nrun = ['valgrind', '{executable}']\nper = 'test-target'\ncache = 'sandboxed'\nneeds = ['test-build']",
        "4:9",
        program,
    );
    check(
        "[policy]\nrecheck = '2'",
        &["2:11: invalid share `2`, expected a percentage from `0%` to `100%` such as `2%` or `0.5%`"],
    );
    check(
        "[tools.test]\ncache = 'sandbox'",
        &["2:9: expected `true`, `false` or `\"sandboxed\"`, found `sandbox`"],
    );
    check(
        "[tools.test]\ncache = 'sandboxed'\nsandbox = { network = true }",
        &[
            "2:9: results of a tool that may use the network can't be cached (write `network = \"loopback\"` in `sandbox`, or \
             remove one of them)",
        ],
    );
    check(
        "[tools.test]\nmax-age = '1h'",
        &[
            "2:11: `max-age` has no effect without `cache = \"sandboxed\"` (remove it, or write `cache = \"sandboxed\"`)",
        ],
    );
}

#[test]
fn mistakes_in_variants_are_found() {
    let used = "[tools.check]\nvariants = ['default', 'v']\n[variants.v]\n";
    check(&format!("{used}features = ['x']\non = ['linux', 'macos']\n"), &[]);
    check(&format!("{used}feature = ['x']\n"), &["4:1: unknown key `feature` (did you mean `features`?)"]);
    check(
        &format!("{used}features = ['x']\n[variants.w]\nfeatures = ['x']\non = ['linux']\n"),
        &[
            "5:11: no tool runs the variant `w` (write `variants = [\"default\", \"w\"]` under [tools.test], for example)",
        ],
    );
    check(
        &format!("{used}env = {{ RUSTUP_TOOLCHAIN = 'x', A = true }}\non = ['linx']\n"),
        &[
            "4:7: a variant can't list variables of the environment (a variant only sets variables; write `env = { NAME = \"value\" }`)",
            "4:9: `RUSTUP_TOOLCHAIN` can't be set here (write `toolchain = \"…\"`)",
            "5:7: unknown system `linx` (did you mean `linux`?)",
        ],
    );
    check(
        "[tools.clippy]\nvariants = ['ful', 'full', 'full']\n[variants.full]\nall-features = true\n",
        &[
            "2:13: unknown variant `ful` (did you mean `full`?)",
            "2:28: `full` is listed twice (remove one of them)",
        ],
    );
    check(
        "[tools.fmt]\nvariants = ['v']\n[variants.v]\nall-features = true\n",
        &[
            "2:13: `variants` has no effect on `fmt`, whose command line does not depend on them (put `\"{selection}\"`, `\"{features}\"` or `\"{target}\"` into `run`, which stand for what a variant builds)",
        ],
    );
    let own = |run: &str, variants: &str, tables: &str| {
        format!("[tools.x]\nrun = {run}\nvariants = {variants}\n{tables}\n")
    };
    let two =
        "[variants.v]\nall-features = true\nenv = { A = '1' }\n[variants.w]\ntarget = 't'\nenv = { A = '1' }";
    check(&own("['x']", "['default', 'v']", "[variants.v]\nenv = { A = '1' }"), &[]);
    check(&own("['x', '{features}', '{target}']", "['default', 'v', 'w']", two), &[]);
    check(
        &own("['x']", "['v', 'w']", two),
        &[
            "3:18: `x` does the same in `w` as in `v` (remove one of them, or put `\"{selection}\"`, `\"{features}\"` or `\"{target}\"` into `run`, which stand for what a variant builds)",
        ],
    );
    check(
        "[tools.test]\nratchet = ['run']\nvariants = ['v']\n[variants.v]\nall-features = true\n",
        &[
            "3:13: `test` has numbers that may only get better, and each variant would have its own (remove `ratchet`, or measure in a tool of its own)",
        ],
    );
    check(
        "[tools.test]\nvariants = []\n[variants.default]\nall-features = true\n",
        &[
            "2:12: expected at least one variant (remove it to run the default build)",
            "3:11: `default` is the build without a variant (use another name; list `default` in the `variants` of a tool)",
        ],
    );
}

#[test]
fn mistakes_in_lock_files_of_variants_are_found() {
    let used = "[tools.check]\nvariants = ['v']\n[variants.v]\n";
    check(&format!("{used}lock = 'ci/v.lock'\n"), &[]);
    check(
        &format!("{used}lock = '/v.lock'\n"),
        &["4:8: invalid path `/v.lock` (write a path relative to the workspace root, with `/`)"],
    );
    check(
        "[tools.x]\nrun = ['cargo', 'check']\nvariants = ['v']\n[tools.check]\nvariants = ['v']\nsandbox = {}\n[variants.v]\nlock = 'v.lock'\nenv = { A = '1' }\n",
        &[
            "3:13: `x` can't run in `v`, because only `\"{selection}\"` makes cargo use its lock file (put it into `run`, or use a variant without `lock`)",
            "5:13: `check` can't run in `v`, because it runs in a copy of the repository, which a sandbox hides (remove `sandbox`, or use a variant without `lock`)",
        ],
    );
}

#[test]
fn mistakes_in_powersets_are_found() {
    let used = "[tools.check]\nvariants = ['v']\n[variants.v]\n";
    check(&format!("{used}each-feature = true\n"), &[]);
    check(&format!("{used}powerset = {{ depth = 2, skip = ['x'], max = 50 }}\n"), &[]);
    check(
        &format!("{used}powerset = {{ depth = 0, max = 20000, deep = 1 }}\n"),
        &[
            "4:22: expected a whole number from 1 to 64, found `0`",
            "4:31: expected a whole number from 1 to 10000, found `20000`",
            "4:38: unknown key `deep` (known keys: `depth`, `skip`, `max`)",
        ],
    );
    check(
        &format!("{used}each-feature = true\npowerset = {{}}\nfeatures = ['a']\nall-features = true\n"),
        &[
            "4:16: `each-feature` has no effect together with `powerset` (remove it; a powerset contains each feature)",
            "7:16: `all-features` has no effect, because the variant builds combinations of features (remove it, or define another variant)",
        ],
    );
}

#[test]
fn tools_that_can_not_run_combinations_of_features_say_why() {
    let of = |tool: &str| format!("{tool}\nvariants = ['v']\n[variants.v]\neach-feature = true\n");
    for tool in ["check", "clippy", "doc", "doctest", "nextest", "test"] {
        check(&of(&format!("[tools.{tool}]")), &[]);
    }
    check(&of("[tools.nextest]\nargs = ['--lib']\nretries = 2\ncache = 'sandboxed'"), &[]);
    let own =
        "[tools.own]\nparse = 'libtest'\nneeds = ['test-build']\nper = 'test-target'\nrun = ['{executable}'";
    check(&of(&format!("{own}, '{{args}}']")), &[]);
    let why = |place: &str, name: &str, why: &str, help: &str| {
        format!("{place}: `{name}` can't run the combinations of `v`, because {why} ({help})")
    };
    let remove = "remove it from `variants`";
    check(
        &of("[tools.test-build]"),
        &[&why(
            "2:13",
            "test-build",
            "it builds for other tools",
            "list the variant for the tools that need it instead",
        )],
    );
    let scripts = "it runs the build scripts of all packages in one build";
    check(&of("[tools.codegen]"), &[&why("2:13", "codegen", scripts, remove)]);
    let other =
        "cargo has to run the tests of a combination, and this tool runs their programs in another way";
    let help =
        "write `run = [\"{executable}\", \"{args}\"]`, or `run = [\"cargo\", \"test\", \"{selection}\", …]`";
    check(&of(&format!("{own}, '--bench']")), &[&why("6:13", "own", other, help)]);
    let some = "cargo runs all test targets of a package then, and `files` and `exclude` select some";
    let help = "remove those, or use a tool of your own with `\"cargo\", \"test\", \"{selection}\", \"--test\"` in `run`";
    check(&of("[tools.test]\nexclude = ['tests/slow.rs']"), &[&why("3:13", "test", some, help)]);
    let alone =
        "cargo builds and runs the tests of a combination in one process, and `sandbox` is for tests alone";
    let help = "use a tool of your own without `sandbox`";
    check(&of("[tools.test]\nsandbox = {}"), &[&why("3:13", "test", alone, help)]);
    let help = "write `\"{selection}\"` in `run` of a tool that runs per workspace, or `\"{features}\"` if it runs per package";
    let file = "[tools.own]\nrun = ['own', '{file}']\nper = 'file'\nparse = 'lines'";
    let text = format!("{}env = {{ A = 'b' }}\n", of(file));
    check(&text, &[&why("5:13", "own", "it does not depend on the features of one package", help)]);
}

#[test]
fn mistakes_in_toolchains_of_variants_are_found() {
    let used = "[tools.check]\nvariants = ['v']\n[variants.v]\n";
    check(&format!("{used}toolchain = 'rust-version'\n"), &[]);
    check(
        &format!("{used}toolchain = '+nightly'\n"),
        &["4:13: invalid toolchain `+nightly` (write `nightly`)"],
    );
    for (name, meant) in [
        ("nigthly", "did you mean `nightly`?"),
        ("stabel", "did you mean `stable`?"),
        ("rust_version", "did you mean `rust-version`?"),
        ("v1.85", "write `1.85`"),
    ] {
        let expected = format!("4:13: unknown toolchain `{name}` ({meant})");
        check(&format!("{used}toolchain = '{name}'\n"), &[&expected]);
    }
    for name in
        ["nightly-2025-01-01", "stable-x86_64-pc-windows-msvc", "1.85.1", "stage1", "mine", "nightly2"]
    {
        check(&format!("{used}toolchain = '{name}'\n"), &[]);
    }
    check(
        "[tools.check]\ntoolchain = 'beta'\nvariants = ['v']\n[variants.v]\ntoolchain = '1.85'\n",
        &["3:13: `check` already requests the toolchain `beta`, and so does `v` (remove one of them)"],
    );
    check(
        "[tools.x]\nrun = ['x', '{selection}']\nvariants = ['v']\n[variants.v]\ntoolchain = '1.85'\n",
        &[
            "3:13: `x` can't run in `v`, because it does not run a program of a Rust toolchain (start `run` with `\"cargo\"`, or use a variant without `toolchain`)",
        ],
    );
    check("[tools.test]\nvariants = ['v']\n[variants.v]\ntoolchain = '1.85'\n", &[]);
    check(
        "[tools.check]\ntoolchain = 'rust-version'\n",
        &[
            "2:13: `rust-version` is a toolchain only in `[variants.NAME]` (define a variant, and list it in `variants` of the tool)",
        ],
    );
}

#[test]
fn a_generator_has_a_command_line_and_outputs() {
    let check_fresh = |fresh: &str, keys: &str, expected: &[&str]| {
        check(&format!("[tools.x]\nfresh = {{ {fresh} }}\n{keys}\n"), expected);
    };
    let good = "run = ['x'], outputs = ['a/**']";
    check_fresh(good, "inputs = ['b']\nenv = ['A']\ntimeout = '1m'\nneeds = ['fmt']\ncache = false", &[]);
    check_fresh(
        "run = ['x']",
        "",
        &["2:9: missing key `outputs` (list globs of the files that it generates)"],
    );
    check_fresh("outputs = ['a']", "", &["2:9: missing key `run` (write `run = [\"program\", …]`)"]);
    check_fresh(
        "run = ['x', '{files}'], outputs = []",
        "",
        &[
            "2:23: placeholders have no value here (remove it; the generator runs once, in a copy of the repository)",
            "2:45: expected at least one glob (list globs of the files that it generates)",
        ],
    );
    check_fresh(
        "run = ['x'], outputs = ['../a']",
        "",
        &[
            "2:35: `../a` never matches: paths have no `.`, `..` or empty components (write a path relative to the workspace root)",
        ],
    );
    check_fresh(
        good,
        "run = ['y']\nfiles = ['b']\nparse = 'lines'",
        &[
            "3:7: `run` has no effect together with `fresh` (write it in `fresh`)",
            "4:9: `files` has no effect together with `fresh` (list what the generator reads in `inputs`, and what it \
             generates in `outputs`)",
            "5:9: `parse` has no effect together with `fresh` (remove it)",
        ],
    );
    check_fresh(
        good,
        "sandbox = { write = ['a'], network = true }\ncache = true",
        &[
            "3:11: `write` names a place in the repository (remove it; the tool may change everything in its copy of the \
             repository)",
            "4:9: results of a generator that uses git or the network can't be cached (remove it, or `git` and `network`)",
        ],
    );
    check(
        "[tools.codegen]\nfresh = { run = ['x'], outputs = ['a'] }",
        &[
            "2:9: `codegen` is a built-in tool, and no generator (define a tool of your own with another name)",
        ],
    );
}

#[test]
fn a_service_has_a_command_line_and_one_sign() {
    let service = |keys: &str| format!("[services.db]\n{keys}\n");
    check(&service("start = ['x']\nready = { tcp = 1 }"), &[]);
    check(
        "[services.db]",
        &[
            "1:11: service `db` has no `start` (write `start = [\"program\", …]`)",
            "1:11: service `db` has no `ready` (write `{ tcp = 5432 }`, `{ run = [\"program\", …] }` or `{ log = \"…\" }`)",
        ],
    );
    check(
        &service("run = ['x']\nready = { tcp = 1 }"),
        &[
            "1:11: service `db` has no `start` (write `start = [\"program\", …]`)",
            "2:1: unknown key `run` (did you mean `start`?)",
        ],
    );
    check(
        &service("start = ['x']\nready = { tcp = 1, log = 'x' }"),
        &[
            "3:9: expected exactly one sign that the service is ready (write `{ tcp = 5432 }`, `{ run = [\"program\", …] }` or \
           `{ log = \"…\" }`)",
        ],
    );
    check(
        &service("start = ['x']\nready = { log = 'a*' }"),
        &["3:17: the pattern matches every line (write a part of the line that says that it is ready)"],
    );
    check(
        &service("start = []\nready = { log = '(' }"),
        &["2:9: expected a program and its arguments", "3:17: invalid regular expression: unclosed group"],
    );
    check(
        "[tools.x]\nrun = ['x']\nservices = ['db']",
        &["3:13: unknown service `db` (define it in `[services.db]`)"],
    );
    let two = service("start = ['x']\nready = { tcp = 1 }\n[tools.x]\nrun = ['x']\nservices = ['bd']");
    check(&two, &["6:13: unknown service `bd` (did you mean `db`?)"]);
    let closed = two.replace("'bd'", "'db'") + "cache = true\nsandbox = {}";
    check(
        &closed,
        &[
            "6:13: the sandbox of the tool keeps it from reaching the service (write `sandbox = { network = true, … }`)",
            "7:9: results of a tool that uses a service can't be cached (remove it; the state of a service is no input that can \
             be compared)",
        ],
    );
}

#[test]
fn what_a_newcomer_writes_in_a_variant_has_a_suggestion() {
    let used = "[tools.check]\nvariants = ['v']\n[variants.v]\n";
    for (line, expected) in [
        ("toolchain = 1.80", "4:13: expected a string, found float (write `\"1.80\"`)"),
        ("profile = 'release'", "4:1: unknown key `profile` (did you mean `cargo-profile`?)"),
        ("rust-version = '1.80'", "4:1: unknown key `rust-version` (did you mean `toolchain`?)"),
        ("rustflags = '--cfg loom'", "4:1: unknown key `rustflags` (did you mean `env`?)"),
        ("os = ['linux']", "4:1: unknown key `os` (did you mean `on`?)"),
    ] {
        check(&format!("{used}{line}\n"), &[expected]);
    }
}
