//! Tests of odd file names, very many files, and very long arguments.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::support::Sandbox;
use super::support::is_full;
use super::table::Tried;
use super::world::run;

/// File names, each with its form in artifacts.
const ODD: [(&[u8], &str); 10] = [
    (b"-rf", "-rf"),
    (b"--help", "--help"),
    (b"new\nline", "new%0Aline"),
    (b"\x1b[31mred", "%1B[31mred"),
    (b" two  spaces ", " two  spaces "),
    (b"\xff\xfe", "%FF%FE"),
    (b"%FF%FE", "%25FF%25FE"),
    (b"it's \"$(touch pwned)\"", "it's \"$(touch pwned)\""),
    (b"*", "*"),
    (b"back\\slash\r", "back\\slash%0D"),
];

pub(crate) fn are_odd() -> Tried {
    // With one process per file, and with one process for all files.
    for (arg, parse) in [("{file}", "exit-code"), ("{files}", "lines")] {
        let script = "printf '%s\\\\0' \\\"$@\\\" >> ../seen; echo x; exit 1";
        let config = format!(
            "[tools.t]\nrun = [\"sh\", \"-c\", \"{script}\", \"sh\", \"{arg}\"]\nper = \"file\"\nfiles = [\"odd/*\"]\nparse = \"{parse}\"\n"
        );
        let sandbox = Sandbox::with_tools(&config);
        for (name, _) in ODD {
            let path = sandbox.root().join("odd").join(OsStr::from_bytes(name));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let ended = run(&mut sandbox.command(&["run"]));
        ended.expect(1, &[]);
        let seen = std::fs::read(sandbox.beside().join("seen")).unwrap();
        let seen: BTreeSet<_> = seen.split(|byte| *byte == 0).filter(|name| !name.is_empty()).collect();
        let paths = ODD.map(|(name, _)| [b"odd/", name].concat());
        assert_eq!(seen, paths.iter().map(Vec::as_slice).collect(), "{ended}");
        let units: BTreeSet<_> =
            sandbox.lines("task").iter().map(|line| line["unit"].as_str().unwrap().to_owned()).collect();
        assert_eq!(units, ODD.iter().map(|(_, written)| format!("odd/{written}")).collect());
        // None of them controls the terminal.
        assert!(!ended.err.contains(['\x1b', '\r']) && !ended.err.contains("new\nline"), "{ended}");
        // The baseline contains them.
        run(&mut sandbox.command(&["baseline", "init"])).expect(0, &[]);
        run(&mut sandbox.command(&["check"])).expect(0, &[]);
        assert!(!sandbox.root().join("pwned").exists());
    }
    Ok(())
}

/// If a tool prints the names unescaped, each finding is still attributed to the right file, in every report and in the
/// baseline.
pub(crate) fn are_printed_as_they_are() -> Tried {
    for (parse, print) in [
        ("{ regex = '^(?<path>.+?):(?<line>[0-9]+): (?<message>.*)$' }", "%s:1: bad in %s\\n"),
        ("\"lines\"", "%s\\n"),
    ] {
        let config = format!(
            "[tools.t]\nrun = [\"sh\", \"-c\", \"for f; do printf '{print}' \\\"$f\\\" \\\"$f\\\"; done | uniq; exit 1\", \"sh\", \"{{files}}\"]\n\
             per = \"file\"\nfiles = [\"odd/*\"]\nparse = {parse}\n"
        );
        let sandbox = Sandbox::with_tools(&config);
        for (name, _) in ODD {
            let path = sandbox.root().join("odd").join(OsStr::from_bytes(name));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "first\n").unwrap();
        }
        run(&mut sandbox.command(&["run"])).expect(1, &[]);
        let written: BTreeSet<_> = ODD.iter().map(|(_, written)| format!("odd/{written}")).collect();
        let report = sandbox.json("report.json");
        let findings = report["findings"].as_array().unwrap();
        let paths: BTreeSet<_> =
            findings.iter().map(|finding| finding["path"].as_str().unwrap_or("-").to_owned()).collect();
        assert_eq!(paths, written, "{parse}");
        for finding in findings {
            let path = finding["path"].as_str().unwrap();
            let there = genti::path::RelPath::unescape(path).to_path(sandbox.root());
            assert!(there.is_file(), "{path}");
            // The message must not name another file either.
            let message = finding["message"].as_str().unwrap();
            assert!(message.contains(path) || path.contains(['%', '\\']) || path.contains("  "), "{message}");
            assert!(!message.contains("odd/[31m") && !message.ends_with("odd/new"), "{message}");
        }
        for format in ["human", "json", "sarif", "junit", "markdown", "github", "html"] {
            let ended = run(&mut sandbox.command(&["report", "--format", format]));
            ended.expect(0, &[]);
            let text = String::from_utf8(ended.out.clone()).unwrap();
            assert!(!text.contains(['\x1b', '\r']), "{format}: {text}");
            // Escaped as in artifacts, as a URI, or for commands of GitHub.
            let escaped = match format {
                "sarif" => ["odd/%1B%5B31mred", "odd/new%0Aline"],
                "github" => ["odd/%251B[31mred", "odd/new%250Aline"],
                _ => ["odd/%1B[31mred", "odd/new%0Aline"],
            };
            for name in escaped {
                assert!(text.contains(name), "{format} does not name {name}: {text}");
            }
        }
        run(&mut sandbox.command(&["baseline", "init"])).expect(0, &[]);
        let baseline = sandbox.root().join(".config/genti/baseline/t.jsonl");
        let baseline = std::fs::read_to_string(baseline).unwrap();
        assert!(
            written.iter().all(|name| baseline.contains(&serde_json::to_string(name).unwrap())),
            "{baseline}"
        );
        run(&mut sandbox.command(&["check"])).expect(0, &[]);
    }
    Ok(())
}

/// Names in messages of genti can't control the terminal.
pub(crate) fn steer_no_terminal() -> Tried {
    let sandbox = Sandbox::with_tools("[tools.t]\nrun = [\"true\"]\n");
    let odd = "\u{1b}]0;title\u{7}\u{202e}odd";
    sandbox.write(&format!("{odd}.toml"), "x = 1\n");
    sandbox.write(&format!("{odd}/report.json"), "{}");
    for (args, code) in [
        (vec!["run", "--config-file", &format!("{odd}.toml")], 2),
        (vec!["run", "--config-file", &format!("{odd}-none.toml")], 2),
        (vec!["report", "--artifacts", odd], 2),
        (vec!["check", "--artifacts", odd], 2),
        (vec!["run", "--report", &format!("sarif={odd}")], 4),
        (vec!["baseline", "diff", odd, odd], 2),
        (vec!["plan", "--manifest-path", &format!("{odd}/Cargo.toml")], 2),
    ] {
        let ended = run(&mut sandbox.command(&args));
        ended.expect(code, &[]);
        assert!(!ended.err.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{args:?}: {:?}", ended.err);
    }
    Ok(())
}

pub(crate) fn are_very_many() -> Tried {
    let count = if is_full() { 200_000 } else { 5_000 };
    // The policy allows one process for all files.
    let config = "[tools.t]\nrun = [\"sh\", \"-c\", \"echo $# $* >> ../seen\", \"sh\", \"{files}\"]\nper = \"file\"\nfiles = [\"many/**\"]\nparse = \"lines\"\n\
                  [policy]\nbatch = \"by-tool\"\n";
    let sandbox = Sandbox::with_tools(config);
    for at in 0..count {
        let dir = sandbox.root().join(format!("many/directory-{}", at % 100));
        if at < 100 {
            std::fs::create_dir_all(&dir).unwrap();
        }
        std::fs::write(dir.join(format!("a-file-with-a-rather-long-name-{at}")), "").unwrap();
    }
    run(&mut sandbox.command(&["run"])).expect(0, &[]);
    let seen = std::fs::read_to_string(sandbox.beside().join("seen")).unwrap();
    let counts = seen.lines().map(|line| line.split(' ').next().unwrap().parse::<usize>().unwrap());
    assert_eq!(counts.sum::<usize>(), count);
    assert!(seen.lines().all(|line| line.len() < 32_767), "the command line is too long for Windows");
    Ok(())
}

pub(crate) fn one_is_too_long() -> Tried {
    let long = "x".repeat(200_000);
    for per in ["per = \"file\"\nfiles = [\"many/*\"]\n", ""] {
        let arg = if per.is_empty() { "" } else { ", \"{files}\"" };
        let config =
            format!("[tools.t]\nrun = [\"true\", \"{long}\"{arg}]\n{per}[tools.other]\nrun = [\"true\"]\n");
        let sandbox = Sandbox::with_tools(&config);
        for name in ["a", "b", "c"] {
            sandbox.write(&format!("many/{name}"), "");
        }
        let ended = run(&mut sandbox.command(&["run"]));
        ended.expect(2, &["the arguments of tool `t` are 200", "shorten `run` or `args` under [tools.t]"]);
    }
    Ok(())
}
