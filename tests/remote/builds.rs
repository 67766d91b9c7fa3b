//! What cargo builds: a second checkout executes nothing, not even the build of tests whose results are shared.

use std::fs;

use crate::access::assert_nowhere_sent;
use crate::fake::Fake;
use crate::support::Sandbox;
use crate::{assert_same, ran, run, warnings};

/// Creates a checkout with clippy, documentation and cached tests of a package. Its library includes a file outside of the
/// repository, and a file that a build script generates.
pub(crate) fn checkout(url: &str) -> Sandbox {
    let sandbox = Sandbox::of("clean", "workspace");
    for path in ["src/main.rs", "examples/twice.rs"] {
        fs::remove_file(sandbox.root().join(path)).unwrap();
    }
    sandbox.write("src/lib.rs", concat!(
        "#![doc = include_str!(\"../../notes.txt\")]\ninclude!(concat!(env!(\"OUT_DIR\"), \"/made.rs\"));\n\n",
        "/// A place.\npub const PLACE: &str = env!(\"CARGO_MANIFEST_DIR\");\n",
    ));
    sandbox.write(
        "build.rs",
        "//! Makes a part of the library.\n\nfn main() {\n    println!(\"cargo::rerun-if-changed=build.rs\");\n    \
         let out = std::env::var(\"OUT_DIR\").unwrap();\n    \
         let text = \"/// Made.\\npub const MADE: u8 = 1;\\n\";\n    \
         std::fs::write(format!(\"{out}/made.rs\"), text).unwrap();\n}\n",
    );
    sandbox.write(
        "tests/greets.rs",
        "//! Tests.\n\n#[test]\nfn it_passes() {}\n\n#[test]\n#[ignore = \"no\"]\nfn ignored() {}\n",
    );
    sandbox.write("../notes.txt", "Notes.\n");
    sandbox.write(
        "genti.toml",
        &format!(
            "[tools.test]\ncache = true\nenv = []\n[tools.doctest]\nenabled = false\n[remote]\ntimeout = \"9min\"\nurl = \"{}\"\nwrite = \"always\"\n",
            url
        ),
    );
    sandbox
}

#[test]
fn a_second_checkout_executes_nothing() {
    let fake = Fake::start();
    let first = checkout(&fake.url());
    let output = run(&first, &[], &[], 0);
    assert_eq!(warnings(&output), 0, "{output}");
    assert_nowhere_sent(&fake, &first.beside().display().to_string());
    let second = checkout(&fake.url());
    let output = run(&second, &[], &[], 0);
    assert_eq!(warnings(&output), 0, "{output}");
    check_that_nothing_ran(&second);
    assert_same(&first, &second);
    // And the next run of this checkout needs no server for that.
    fake.take_calls();
    run(&second, &[], &[], 0);
    assert_eq!((ran(&second), fake.take_calls().get), (0, 0));
    assert_same(&first, &second);
    changed_inputs_are_misses(&fake);
}

/// Asserts that the last run has executed nothing but the check of the format, which is not shared.
#[track_caller]
pub(crate) fn check_that_nothing_ran(sandbox: &Sandbox) {
    let explained = sandbox.run(&["explain"], 0);
    let ran = explained.lines().filter(|line| line.contains(" ran") && !line.contains("none ran"));
    let ran: Vec<_> = ran.filter(|line| !line.starts_with("fmt:")).collect();
    assert!(ran.is_empty(), "{explained}");
    assert!(!sandbox.root().join("target/genti/build").exists(), "nothing was built");
}

/// Each change is to something that only the build reports to have read.
fn changed_inputs_are_misses(fake: &Fake) {
    let other = checkout(&fake.url());
    other.write("../notes.txt", "Other notes.\n");
    run(&other, &[], &[], 0);
    let explained = other.run(&["explain"], 0);
    for tool in ["clippy", "doc", "test"] {
        assert!(explained.contains(&format!("{tool}: ")), "{explained}");
        assert!(!explained.contains(&format!("{tool}: 1 task cached, none ran")), "{explained}");
    }
    // Both answers are there now, under two keys with the same names.
    for notes in ["Notes.\n", "Other notes.\n"] {
        let again = checkout(&fake.url());
        again.write("../notes.txt", notes);
        run(&again, &[], &[], 0);
        assert!(!again.root().join("target/genti/build").exists(), "{notes}");
    }
}
