//! Tests that shell completions and manual pages have every command and flag.

use std::sync::LazyLock;

use regex::Regex;

use crate::{HELP, genti, has_word};

/// Returns the long flags in the help of `command`.
fn flags(command: &str) -> Vec<&str> {
    static FLAG: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?m)^ +(?:-\w, )?(--[a-z-]+)(?: |$)").unwrap());
    FLAG.captures_iter(&HELP[command]).map(|found| found.extract::<1>().1[0]).collect()
}

#[test]
fn every_command_has_a_manual_page_with_all_its_flags() {
    assert!(HELP.len() > 10 && flags("run").len() > 20);
    for command in HELP.keys() {
        let output = genti(&format!("man {command}"));
        assert!(output.status.success(), "{command}");
        let page = String::from_utf8(output.stdout).unwrap();
        let title = format!("cargo-genti {command}").trim().replace(' ', "-");
        assert!(page.contains(&format!("\n.TH {title} 1 ")), "{title}: {page}");
        let text = page.replace("\\fB", "").replace("\\fR", "").replace('\\', "");
        for flag in flags(command) {
            assert!(has_word(&text, flag), "{command}: {flag}");
        }
    }
}

#[test]
fn the_command_help_prints_what_the_flag_prints() {
    for (command, text) in &*HELP {
        let output = genti(&format!("help {command}"));
        assert_eq!(output.status.code(), Some(0), "{command}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), *text, "{command}");
    }
}

#[test]
fn the_help_and_manual_page_of_an_unknown_command_are_errors() {
    for (args, said) in [
        ("man bseline", "has no command `bseline`; did you mean `baseline`?"),
        ("man baseline accpt", "`cargo genti baseline` has no command `accpt`; did you mean `accept`?"),
        ("man run fast", "`cargo genti run` has no subcommands, so there is no `fast`"),
        ("help rnu", "`cargo genti` has no command `rnu`; did you mean `run`?"),
    ] {
        let output = genti(args);
        assert_eq!(output.status.code(), Some(2), "{args}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(said), "{stderr}");
    }
}

#[test]
fn completions_of_every_shell_have_every_command_and_flag() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = genti(&format!("completions {shell}"));
        assert!(output.status.success(), "{shell}");
        let text = String::from_utf8(output.stdout).unwrap();
        for command in HELP.keys() {
            let name = command.rsplit(' ').next().unwrap();
            assert!(name.is_empty() || has_word(&text, name), "{shell}: {command}");
            for flag in flags(command) {
                // fish lists flags without dashes.
                let known = has_word(&text, flag) || has_word(&text, flag.trim_start_matches('-'));
                assert!(known, "{shell}: {flag}");
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn bash_completes_a_partial_word() {
    // Cargo's own completions stay in use for its other commands.
    let script = r#"
        _cargo() { COMPREPLY=("cargo itself"); }
        source <("$0" completions bash)
        COMP_WORDS=("${@:2}"); COMP_CWORD=$(($# - 2)); COMPREPLY=()
        complete=($(complete -p "$2" | grep -o -- '-F [^ ]*'))
        "${complete[1]}" "$2" "${@: -1}" "${@: -2:1}"
        echo "${COMPREPLY[@]}"
    "#;
    for (words, expected) in [
        (&["cargo", "genti", "base"][..], "baseline"),
        (&["cargo", "genti", "baseline", "acc"], "accept"),
        (&["cargo", "+nightly", "genti", "run", "--per-"], "--per-task-timeout"),
        (&["cargo", "gent"], "cargo itself"),
        (&["cargo", "build", "genti", "--rel"], "cargo itself"),
        (&["cargo-genti", "base"], "baseline"),
        (&["cargo-genti", "baseline", "acc"], "accept"),
        (&["cargo-genti", "run", "--per-"], "--per-task-timeout"),
    ] {
        let program = env!("CARGO_BIN_EXE_cargo-genti");
        let output = std::process::Command::new("bash")
            .args(["-c", script, program, "--"])
            .args(words)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected, "{output:?}");
    }
}
