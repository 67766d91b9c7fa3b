use crate::model::task::Unit;
use crate::model::tool::Parse;
use crate::model::workspace::TargetKind::Lib;
use crate::normalize::testing::{run, tool, workspace};

/// Returns a lint that is an error in the library of `a`, with these children.
fn denied(line: u32, children: &str) -> String {
    format!(
        r#"{{"reason":"compiler-message","package_id":"path+file:///w/ws/a#0.1.0","target":{{"kind":["lib"],"name":"a"}},"message":{{"message":"m","code":{{"code":"l"}},"level":"error","spans":[{{"file_name":"a/src/lib.rs","line_start":{line},"column_start":1,"line_end":{line},"column_end":2,"is_primary":true,"expansion":null}}],"children":[{children}]}}}}"#
    )
}

#[test]
fn fewer_errors_than_cargo_counts_are_a_gap() {
    let stdout =
        |errors: &[String]| errors.join("\n") + "\n" + r#"{"reason":"build-finished","success":false}"#;
    let stderr =
        |count: &str, more: &str| format!("error: could not compile `a` (lib) due to {count}{more}\n");
    let gaps = |errors: &[String], stderr: String| {
        let tool = tool("clippy", Parse::RustcJson, &["cargo", "clippy"]);
        let workspace = workspace(&[("a", &[(Lib, "a/src/lib.rs")])], &[]);
        let parsed = run(&workspace, &tool, &[Unit::Workspace], stdout(errors), stderr, 101).unwrap();
        parsed.gaps.into_iter().map(|gap| gap.reason).collect::<Vec<_>>()
    };
    let one = denied(1, "");
    let two = [denied(1, ""), denied(2, "")];
    assert_eq!(gaps(std::slice::from_ref(&one), stderr("1 previous error", "")), [""; 0]);
    assert_eq!(gaps(&two, stderr("2 previous errors", "; 1 warning emitted")), [""; 0]);
    assert_eq!(
        gaps(std::slice::from_ref(&one), stderr("2 previous errors", "; 3 warnings emitted")),
        ["cargo counts 2 errors in `a`, but only 1 were parsed"]
    );
    // The library is compiled twice, with the same message both times.
    let both =
        stderr("1 previous error", "") + &stderr("1 previous error", "").replace("(lib)", "(lib test)");
    assert_eq!(gaps(&[one.clone(), one.clone()], both.clone()), [""; 0]);
    assert_eq!(
        gaps(std::slice::from_ref(&one), both),
        ["cargo counts 2 errors in `a`, but only 1 were parsed"]
    );
    // Cargo counts this one twice.
    let later = r#"{"message":"this was previously accepted by the compiler but is being phased out; it will become a hard error in a future release!","level":"warning","spans":[],"children":[]}"#;
    assert_eq!(gaps(&[denied(1, later)], stderr("2 previous errors", "")), [""; 0]);
    // With `--verbose`, cargo prints how the compiler exited. For a signal it always does.
    let verbose = "\nCaused by:\n  process didn't exit successfully: `rustc a.rs` (exit status: 1)\n";
    assert_eq!(gaps(std::slice::from_ref(&one), stderr("1 previous error", verbose)), [""; 0]);
    let killed = verbose.replace("(exit status: 1)", "(signal: 9, SIGKILL: kill)");
    assert_eq!(gaps(&[one], stderr("1 previous error", &killed)), ["compiling `a` did not finish"]);
}
