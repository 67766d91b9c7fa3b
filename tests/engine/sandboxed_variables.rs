//! Variables of a session or of a CI job, which no sandboxed test sees.
#![cfg(target_os = "linux")]

use crate::sandboxed_tests::{check_with, failed, with_programs};

#[test]
fn a_variable_of_a_job_counts_only_for_a_test_that_may_look_at_it() {
    let programs = [
        ("plain", "assert_eq!(w::two(), 2);"),
        ("names", "assert!(std::env::var_os(\"GITHUB_RUN_ID\").is_none());"),
        ("says", "assert!(std::env::var_os(\"SSH_TTY\").is_none_or(|tty| tty != \"bad\"));"),
        (
            "script",
            "assert!(std::process::Command::new(\"sh\").arg(\"../data/run.sh\").status().unwrap().success());",
        ),
        // Only sees that something is set.
        ("counts", "assert!(std::env::var_os(\"APP_MODE\").is_none());"),
    ];
    let Some(sandbox) = with_programs(&programs) else { return };
    sandbox.write("data/run.sh", "test -z \"$CI_JOB_ID\"\n");
    let all = ["counts", "lib", "names", "plain", "says", "script"];
    check_with(&sandbox, &[], 0, &all);
    check_with(&sandbox, &[], 0, &[]);
    // Which of them are set counts, and their values don't, except for a program that names one.
    check_with(&sandbox, &[("GITHUB_RUN_ID", "1")], 1, &all);
    assert_eq!(failed(&sandbox), ["names".to_owned()].into());
    check_with(&sandbox, &[("GITHUB_RUN_ID", "2")], 1, &["names"]);
    check_with(&sandbox, &[], 0, &[]);
    check_with(&sandbox, &[("CI_JOB_ID", "1")], 1, &all);
    assert_eq!(failed(&sandbox), ["script".to_owned()].into());
    check_with(&sandbox, &[("SSH_TTY", "good")], 0, &all);
    check_with(&sandbox, &[("SSH_TTY", "other")], 0, &["says"]);
    let text = sandbox.run(&["explain", "test"], 0);
    let why = "contains the name of the variable `SSH_TTY`, which no sandboxed test sees";
    assert!(text.contains(why), "{text}");
    check_with(&sandbox, &[("SSH_TTY", "bad")], 1, &["says"]);
    // All others are passed, and count.
    check_with(&sandbox, &[("APP_MODE", "")], 1, &all);
    assert_eq!(failed(&sandbox), ["counts".to_owned()].into());
}

#[test]
fn a_variable_that_the_tool_names_is_passed() {
    let programs = [("names", "assert_ne!(std::env::var(\"GITHUB_SHA\").as_deref(), Ok(\"bad\"));")];
    let Some(sandbox) = with_programs(&programs) else { return };
    sandbox.edit("genti.toml", "cache = 'sandboxed'", "cache = 'sandboxed'\nenv = ['GITHUB_SHA']");
    check_with(&sandbox, &[("GITHUB_SHA", "1")], 0, &["lib", "names"]);
    check_with(&sandbox, &[("GITHUB_SHA", "1")], 0, &[]);
    check_with(&sandbox, &[("GITHUB_SHA", "2")], 0, &["lib", "names"]);
    check_with(&sandbox, &[("GITHUB_SHA", "bad")], 1, &["lib", "names"]);
}

#[test]
fn a_variable_that_the_configuration_of_cargo_sets_counts() {
    let programs = [("names", "assert_ne!(std::env::var(\"HOW\").as_deref(), Ok(\"bad\"));")];
    let Some(sandbox) = with_programs(&programs) else { return };
    sandbox.write(".cargo/config.toml", "[env]\nHOW = 'good'\n");
    sandbox.commit_all();
    check_with(&sandbox, &[], 0, &["lib", "names"]);
    check_with(&sandbox, &[], 0, &[]);
    sandbox.write(".cargo/config.toml", "[env]\nHOW = 'bad'\n");
    check_with(&sandbox, &[], 1, &["lib", "names"]);
}
