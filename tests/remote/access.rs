//! Who may read and write, what is sent, and what is not.

use std::fs;

use crate::fake::{Calls, Fake, Fault};
use crate::support::Sandbox;
use crate::{RESULTS, checkout, ran, run, warnings};

fn table(fake: &Fake, keys: &str) -> String {
    format!("[remote]\nurl = \"{}\"\ntimeout = \"9min\"\n{keys}", fake.url())
}

#[test]
fn results_are_written_only_where_that_is_configured() {
    let fake = Fake::start();
    let stores = |keys: &str, vars: &[(&str, &str)]| {
        run(&checkout(&table(&fake, keys)), &[], vars, 1);
        let calls = fake.take_calls();
        assert_eq!(calls.get, RESULTS);
        calls.store
    };
    assert_eq!(stores("", &[]), 0, "reading is the default");
    assert_eq!(stores("write = \"never\"\n", &[("CI", "true")]), 0);
    assert_eq!(stores("write = \"ci\"\n", &[]), 0);
    assert_eq!(stores("write = \"ci\"\n", &[("CI", "false")]), 0);
    assert_eq!(stores("write = \"ci\"\n", &[("CI", "true")]), 2 * RESULTS);
}

#[test]
fn the_local_log_is_first_and_keeps_what_was_downloaded() {
    let fake = Fake::start();
    let table = table(&fake, "write = \"always\"\n");
    let writer = checkout(&table);
    run(&writer, &[], &[], 1);
    fake.take_calls();
    run(&writer, &[], &[], 1);
    assert_eq!((fake.take_calls(), ran(&writer)), (Calls::default(), 0), "nothing is asked that is known");
    let reader = checkout(&table);
    run(&reader, &[], &[], 1);
    assert_eq!(ran(&reader), 0);
    let explained = reader.run(&["explain", "own3"], 0);
    assert!(explained.contains(&format!("1 of the cached results from {}", fake.url())), "{explained}");
    fake.take_calls();
    run(&reader, &[], &[], 1);
    assert_eq!((fake.take_calls(), ran(&reader)), (Calls::default(), 0));
    let explained = reader.run(&["explain", "own3"], 0);
    assert!(!explained.contains("grpc://"), "{explained}");
}

#[test]
fn a_changed_input_or_salt_is_a_miss() {
    let fake = Fake::start();
    let keys = |salt: &str| table(&fake, &format!("write = \"always\"\nsalt = \"{salt}\"\n"));
    run(&checkout(&keys("a")), &[], &[], 1);
    let same = checkout(&keys("a"));
    run(&same, &[], &[], 1);
    assert_eq!(ran(&same), 0);
    let salted = checkout(&keys("b"));
    run(&salted, &[], &[], 1);
    assert_eq!(ran(&salted), 5);
    let changed = checkout(&keys("a"));
    changed.write("a.txt", "other\n");
    run(&changed, &[], &[], 1);
    assert_eq!(ran(&changed), 5);
}

#[test]
fn without_a_result_cache_the_server_is_not_called() {
    let fake = Fake::start();
    let sandbox = checkout(&table(&fake, "write = \"always\"\n"));
    run(&sandbox, &["--no-cache"], &[], 1);
    assert_eq!(fake.take_calls(), Calls::default());
    let output = run(&sandbox, &["--no-cache", "--remote", "required"], &[], 3);
    assert!(output.contains("the result cache is disabled"), "{output}");
}

#[test]
fn a_header_comes_from_a_variable_that_nothing_else_sees() {
    const SECRET: &str = "Bearer s3cret-of-the-store";
    let fake = Fake::start();
    fake.set(Fault::Unauthenticated(SECRET));
    let table = table(&fake, "write = \"always\"\nheaders = { authorization = { env = \"STORE_KEY\" } }\n");
    let shows = "[tools.shows]\nrun = [\"sh\", \"-c\", \"env > seen; exit 0\"]\nper = \"workspace\"\nfiles = [\"*.txt\"]\ninherit-env = true\n";
    let sandbox = checkout(&format!("{shows}{table}"));
    let output = run(&sandbox, &[], &[("STORE_KEY", SECRET), ("OTHER", "seen by all")], 1);
    assert_eq!(warnings(&output), 0, "{output}");
    assert!(!fake.state().results.is_empty());
    let seen = sandbox.text("seen");
    assert!(seen.contains("OTHER=seen by all") && !seen.contains("STORE_KEY"), "{seen}");
    assert_nowhere(&sandbox, &fake, "s3cret-of-the-store");
    assert_nowhere(&sandbox, &fake, "seen by all");
    // No key depends on it, so a reader with other credentials finds everything.
    let reader = checkout(&format!("{shows}{table}"));
    fake.set(Fault::Unauthenticated("Bearer reader"));
    run(&reader, &[], &[("STORE_KEY", "Bearer reader"), ("OTHER", "seen by all")], 1);
    assert_eq!(ran(&reader), 0);
    // The server's message repeats what was sent.
    let output = run(&checkout(&table), &[], &[("STORE_KEY", "Bearer s3cret-of-the-store-2")], 1);
    assert!(output.contains("it does not accept the credentials") && !output.contains("s3cret"), "{output}");
}

/// Asserts that no file below the artifacts and nothing that the server has contains `text`.
#[track_caller]
fn assert_nowhere(sandbox: &Sandbox, fake: &Fake, text: &str) {
    let contains = |bytes: &[u8]| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    for entry in fs::read_dir(sandbox.root().join("target/genti")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            assert!(!contains(&fs::read(&path).unwrap()), "{}", path.display());
        }
    }
    for name in crate::ARTIFACTS {
        assert!(!contains(&sandbox.artifact(name)), "{name}");
    }
    assert!(!fake.state().blobs.values().any(|blob| contains(blob)), "the server has it");
}

#[test]
fn a_variable_that_is_not_set_leaves_the_store_unused() {
    let fake = Fake::start();
    let table = table(&fake, "headers = { x-key = { env = \"STORE_KEY\" } }\n");
    let output = run(&checkout(&table), &[], &[], 1);
    assert!(
        output.contains("note: not using the remote store: the variable STORE_KEY is not set"),
        "{output}"
    );
    assert_eq!(fake.take_calls(), Calls::default());
    let output = run(&checkout(&table), &["--remote", "required"], &[], 3);
    assert!(output.contains("the variable STORE_KEY is not set"), "{output}");
}

/// The helper prints another token each time, and the server accepts only the second one.
#[test]
fn a_credential_helper_is_asked_again_when_its_credentials_expire() {
    let fake = Fake::start();
    fake.set(Fault::Unauthenticated("Bearer s3cret-2"));
    let table = table(&fake, "write = \"always\"\ncredential-helper = [\"./helper.sh\", \"--team\"]\n");
    let sandbox = checkout(&table);
    sandbox.write(
        "helper.sh",
        "#!/bin/sh\nread question\necho \"$*: $question\" >> asked\ncount=$(wc -l < asked)\n\
         echo \"{\\\"headers\\\": {\\\"Authorization\\\": [\\\"Bearer s3cret-$((count))\\\"]}}\"\n",
    );
    executable(&sandbox, "helper.sh");
    let output = run(&sandbox, &[], &[], 1);
    assert_eq!(warnings(&output), 0, "{output}");
    let asked = sandbox.text("asked");
    let question =
        format!("--team get: {{\"uri\":\"https://{}/\"}}", fake.url().trim_start_matches("grpc://"));
    assert_eq!(asked.lines().collect::<Vec<_>>(), [&question, &question]);
    assert!(!fake.state().results.is_empty());
    // The third one is not accepted, and it is not asked without end.
    let output = run(&checkout_with(&sandbox, &table), &[], &[], 1);
    assert_eq!(warnings(&output), 1, "{output}");
    assert!(!output.contains("s3cret"), "{output}");
}

/// Returns another checkout with the helper of `sandbox`, which goes on to count.
fn checkout_with(sandbox: &Sandbox, table: &str) -> Sandbox {
    let other = checkout(table);
    other.write("helper.sh", &sandbox.text("helper.sh"));
    other.write("asked", &sandbox.text("asked"));
    executable(&other, "helper.sh");
    other
}

fn executable(sandbox: &Sandbox, path: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(sandbox.root().join(path), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_helper_that_fails_leaves_the_store_unused_with_one_warning() {
    let fake = Fake::start();
    let sandbox = checkout(&table(&fake, "credential-helper = [\"./helper.sh\"]\n"));
    sandbox.write("helper.sh", "#!/bin/sh\necho s3cret\necho s3cret >&2\nexit 1\n");
    executable(&sandbox, "helper.sh");
    let output = run(&sandbox, &[], &[], 1);
    assert_eq!(warnings(&output), 1, "{output}");
    assert!(output.contains("the credential helper has no answer: `./helper.sh` failed"), "{output}");
    assert!(!output.contains("s3cret"), "{output}");
    assert_eq!(fake.take_calls(), Calls::default());
}

/// The run does not wait for it longer than for a server, and leaves no process behind.
#[test]
fn a_helper_that_hangs_does_not_outlive_the_run() {
    let fake = Fake::start();
    let helper = "credential-helper = [\"./helper.sh\"]\n";
    let sandbox = checkout(&table(&fake, helper).replace("9min", "2s"));
    sandbox.write("helper.sh", "#!/bin/sh\necho $$ > pid\nexec sleep 1000000\n");
    executable(&sandbox, "helper.sh");
    let output = run(&sandbox, &[], &[], 1);
    assert_eq!((warnings(&output), ran(&sandbox)), (1, 5), "{output}");
    assert_eq!(fake.take_calls(), Calls::default());
    let pid = sandbox.text("pid");
    let lives = || {
        let mut command = std::process::Command::new("ps");
        let output = command.args(["-o", "stat=", "-p", pid.trim()]).output().unwrap();
        // A zombie has ended.
        !matches!(output.stdout.trim_ascii(), b"" | [b'Z', ..])
    };
    while lives() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_helper_that_prints_something_else_leaves_the_store_unused() {
    let fake = Fake::start();
    let printed = [
        "s3cret",
        "{\"headers\": {\"authorization\": \"s3cret\"}}",
        "{\"headers\": {\"authorization\": [\"s3cret\\n.\"]}}",
        "{\"headers\": {\"s3cret s3cret\": [\"x\"]}}",
        "{\"headers\": {\"authorization\": [\"s3cret\"]}} {}",
    ];
    for text in printed {
        let sandbox = checkout(&table(&fake, "credential-helper = [\"./helper.sh\"]\n"));
        sandbox.write("helper.sh", &format!("#!/bin/sh\ncat << 'END'\n{text}\nEND\n"));
        executable(&sandbox, "helper.sh");
        let output = run(&sandbox, &[], &[], 1);
        assert_eq!((warnings(&output), ran(&sandbox)), (1, 5), "{output}");
        assert!(output.contains("the credential helper printed something unexpected"), "{output}");
        assert!(!output.contains("s3cret"), "{output}");
        assert_eq!(fake.take_calls(), Calls::default());
    }
}

#[test]
fn nothing_that_is_sent_contains_a_path_of_the_machine() {
    let fake = Fake::start();
    let sandbox = checkout(&table(&fake, "write = \"always\"\n"));
    run(&sandbox, &[], &[], 1);
    let place = sandbox.beside().display().to_string();
    let home = std::env::var("HOME").unwrap();
    assert_nowhere_sent(&fake, &place);
    assert_nowhere_sent(&fake, &home);
}

#[track_caller]
pub(crate) fn assert_nowhere_sent(fake: &Fake, text: &str) {
    let state = fake.state();
    assert!(!state.blobs.is_empty());
    let has = state.blobs.values().find(|blob| blob.windows(text.len()).any(|part| part == text.as_bytes()));
    assert_eq!(has.map(|blob| String::from_utf8_lossy(blob)), None);
}
