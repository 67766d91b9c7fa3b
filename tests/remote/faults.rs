//! Servers that are dead, silent, slow, lying, damaged or full: verdict and artifacts are those of a run without the server, with one
//! warning.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::fake::{Calls, Fake, Fault};
use crate::{RESULTS, assert_same, checkout, ran, run, warnings};

/// Returns a configuration with enough time for a loaded machine.
fn table(url: &str) -> String {
    table_with(url, "9min")
}

fn table_with(url: &str, timeout: &str) -> String {
    format!("[remote]\nurl = \"{url}\"\nwrite = \"always\"\ntimeout = \"{timeout}\"\n")
}

/// Runs a new checkout that uses the server at `url`, and compares it with one that uses no server. Returns the output and the number
/// of tasks that ran.
#[track_caller]
fn check(url: &str) -> (String, usize) {
    check_with(&table(url))
}

#[track_caller]
fn check_with(table: &str) -> (String, usize) {
    let (with, without) = (checkout(table), checkout(table));
    let output = run(&with, &[], &[], 1);
    let plain = run(&without, &["--remote", "off"], &[], 1);
    assert_same(&with, &without);
    assert_eq!(warnings(&plain), 0, "{plain}");
    (output, ran(&with))
}

/// Like [`check`], for a server that has all results and this fault.
#[track_caller]
fn check_fault(fault: Fault) -> (String, usize, Calls) {
    let fake = filled();
    fake.set(fault);
    let (output, ran) = check(&fake.url());
    (output, ran, fake.take_calls())
}

/// Returns a server that has all results of [`checkout`].
fn filled() -> Fake {
    let fake = Fake::start();
    let output = run(&checkout(&table(&fake.url())), &[], &[], 1);
    assert_eq!(warnings(&output), 0, "{output}");
    assert_eq!(fake.take_calls(), Calls { get: RESULTS, read: 0, store: 2 * RESULTS, update: 2 * RESULTS });
    fake
}

#[test]
fn a_server_without_faults_has_all_results() {
    for inlines in [false, true] {
        let fake = filled();
        fake.state().inlines = inlines;
        let (output, ran) = check(&fake.url());
        assert_eq!((warnings(&output), ran), (0, 0), "{output}");
        let read = if inlines { 0 } else { 2 * RESULTS };
        assert_eq!(fake.take_calls(), Calls { get: 2 * RESULTS, read, ..Calls::default() });
    }
}

#[test]
fn a_dead_port_costs_no_verdict() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("grpc://{}", listener.local_addr().unwrap());
    drop(listener);
    let (output, ran) = check(&url);
    assert_eq!((warnings(&output), ran), (1, 5), "{output}");
    assert!(
        output.contains(&format!("warning: the remote store {url} failed: Connection refused")),
        "{output}"
    );
}

#[test]
fn a_silent_listener_costs_no_verdict() {
    // Connections are established by the system, and nobody accepts them.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (output, ran) = check_with(&table_with(&format!("grpc://{}", listener.local_addr().unwrap()), "2s"));
    assert_eq!((warnings(&output), ran), (1, 5), "{output}");
}

/// The beginning of an answer, byte by byte, without end.
#[test]
fn a_server_whose_headers_never_end_costs_no_verdict() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("grpc://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // Settings, the headers of a first answer, and continuations of these.
            let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
            let headers = [0, 0, 1, 1, 0, 0, 0, 0, 1, 0x88];
            let more = [0, 0, 1, 9, 0, 0, 0, 0, 1, 0x88];
            std::thread::spawn(move || {
                for byte in settings.into_iter().chain(headers).chain(more.into_iter().cycle()) {
                    if stream.write_all(&[byte]).is_err() {
                        break;
                    }
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
            });
        }
    });
    let (output, ran) = check_with(&table_with(&url, "2s"));
    assert_eq!((warnings(&output), ran), (1, 5), "{output}");
}

#[test]
fn a_server_of_another_protocol_costs_no_verdict() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("grpc://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 16]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let (output, ran) = check(&url);
    assert_eq!((warnings(&output), ran), (1, 5), "{output}");
}

#[test]
fn a_server_that_never_answers_is_called_a_bounded_number_of_times() {
    let fake = filled();
    fake.set(Fault::Slow);
    let (output, ran) = check_with(&table_with(&fake.url(), "12s"));
    let calls = fake.take_calls();
    assert_eq!((warnings(&output), ran), (1, 5), "{output}");
    // All at once, and at most two of them again before the third failure.
    assert!((RESULTS..=RESULTS + 2).contains(&calls.get), "{calls:?}");
    assert_eq!(Calls { get: 0, ..calls }, Calls::default(), "nothing is written after that");
}

#[test]
fn garbage_is_a_miss() {
    let (output, ran, _) = check_fault(Fault::Garbage);
    assert_eq!((warnings(&output), ran), (1, 5), "{output}");
    assert!(output.contains("it sent damaged data"), "{output}");
}

#[test]
fn content_with_another_digest_is_a_miss() {
    let (output, ran, _) = check_fault(Fault::WrongDigest);
    assert_eq!((warnings(&output), ran), (1, 5), "{output}");
    assert!(output.contains("it sent damaged data"), "{output}");
}

#[test]
fn truncated_content_is_a_miss() {
    let (output, ran, _) = check_fault(Fault::Truncated);
    assert_eq!((warnings(&output), ran), (1, 5), "{output}");
}

/// The digests are right, so only the key in the value shows that it is another one.
#[test]
fn the_value_of_another_entry_is_a_miss() {
    let (_, ran, _) = check_fault(Fault::OtherEntry);
    assert_eq!(ran, 5);
}

/// Length of what precedes the content of a value: a word and the key.
const BEFORE_CONTENT: usize = "genti-remote-1\n".len() + 32;

/// Only a writer can make such a value: the digests are right, and the key is.
#[test]
fn a_value_with_more_than_its_content_is_a_miss() {
    for kind in ["names", "result"] {
        let fake = filled();
        fake.state().edit(kind, |value| {
            // No bytes are a result without findings.
            if value.len() > BEFORE_CONTENT {
                value.extend(b"another field");
            } else {
                value.push(0);
            }
        });
        let (output, ran) = check(&fake.url());
        assert_eq!((warnings(&output), ran), (0, 5), "{kind}: {output}");
    }
}

/// Reading any of these would take longer than the run may wait for the server.
#[test]
fn names_of_inputs_that_no_run_has_found_cost_no_verdict() {
    let huge = tempfile::tempdir().unwrap();
    std::fs::File::create(huge.path().join("file")).unwrap().set_len(1 << 42).unwrap();
    let path = huge.path().to_str().unwrap();
    let up = "../".repeat(20);
    let names = [
        (0, format!("{up}{path}/file")),
        (2, format!("{up}{path}")),
        (2, up.trim_end_matches('/').to_owned()),
        (0, format!("{up}proc/kmsg")),
        (0, format!("{up}dev/zero")),
        (0, format!("{up}proc/kcore")),
    ];
    for (variant, name) in names {
        let fake = filled();
        fake.state().edit("names", |value| {
            value.truncate(BEFORE_CONTENT);
            // One list with one input: its kind, its path, and no digest, which is one byte for a file.
            value.extend([1, 1, variant, u8::try_from(name.len()).unwrap()]);
            value.extend(name.as_bytes());
            value.extend(std::iter::repeat_n(0, if variant == 0 { 1 } else { 32 }));
        });
        let (output, ran) = check(&fake.url());
        assert_eq!((warnings(&output), ran), (0, 5), "{name}: {output}");
    }
}

#[test]
fn lost_content_is_a_miss_without_a_warning() {
    let (output, ran, _) = check_fault(Fault::Lost);
    assert_eq!((warnings(&output), ran), (0, 5), "{output}");
}

#[test]
fn a_full_server_costs_no_verdict_and_is_not_asked_again() {
    for fault in [Fault::Quota, Fault::ReadOnly] {
        let fake = Fake::start();
        fake.set(fault);
        let (output, ran) = check(&fake.url());
        assert_eq!((warnings(&output), ran), (1, 5), "{output}");
        let calls = fake.take_calls();
        assert!(calls.store <= RESULTS, "no retries: {calls:?}");
        assert_eq!((calls.update, fake.state().results.len()), (0, 0));
    }
}

#[test]
fn a_failure_that_a_retry_helps_is_not_mentioned() {
    let (output, ran, _) = check_fault(Fault::Hiccups(2));
    assert_eq!((warnings(&output), ran), (0, 0), "{output}");
}

#[test]
fn credentials_that_expired_cost_no_verdict() {
    let (output, ran, calls) = check_fault(Fault::Unauthenticated("Bearer new"));
    assert_eq!((warnings(&output), ran), (1, 5), "{output}");
    assert!(output.contains("it does not accept the credentials"), "{output}");
    assert!(calls.get <= RESULTS, "{calls:?}");
    assert_eq!(calls.store, 0);
}

#[test]
fn a_required_server_that_fails_leaves_the_run_incomplete_with_the_same_artifacts() {
    let fake = filled();
    let table = table(&fake.url());
    let (required, plain) = (checkout(&table), checkout(&table));
    run(&plain, &["--remote", "off"], &[], 1);
    let output = run(&required, &["--remote", "required"], &[], 1);
    assert_eq!((warnings(&output), ran(&required)), (0, 0), "{output}");
    assert_same(&required, &plain);
    fake.set(Fault::Garbage);
    let failing = checkout(&table);
    let output = run(&failing, &[], &[("GENTI_REMOTE", "required")], 3);
    assert!(
        output.contains("error: the run is incomplete, because the remote store is required"),
        "{output}"
    );
    assert_same(&failing, &plain);
}

#[test]
fn what_is_required_but_not_configured_is_a_mistake() {
    let output = run(&checkout(""), &["--remote", "required"], &[], 2);
    assert!(output.contains("none is configured; set `url` in `[remote]`"), "{output}");
    assert_eq!(warnings(&run(&checkout(""), &["--remote", "auto"], &[], 1)), 0);
    let output = run(&checkout(""), &["--remote", "sometimes"], &[], 2);
    assert!(output.contains("expected one of off, auto, required"), "{output}");
}
