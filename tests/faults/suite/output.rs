//! Tests of tools that print too little, too much, or invalid text.

use serde_json::Value;

use super::support::is_full;
use super::table::Tried;
use super::world::World;

const SARIF: &str = r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"s"}},"results":[{"message":{"text":"bad"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"many/a"},"region":{"startLine":1}}}]}]}]}"#;

/// Creates a world with another tool, which prints the content of a file if it exists.
fn world() -> World {
    let empty = r#"{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{}},\"results\":[]}]}"#;
    let script = format!("if test -e ../sarif; then cat ../sarif; else echo '{empty}'; fi");
    World::with(
        &format!(
            "[tools.s]\nrun = [\"sh\", \"-c\", \"\"\"{script}\"\"\"]\nparse = \"sarif\"\ncache = false\n"
        ),
        &[],
    )
}

/// Makes the tool print `bytes` and exit with 0.
#[track_caller]
fn check_unparsable(world: &World, bytes: &[u8]) {
    let file = world.sandbox.beside().join("sarif");
    std::fs::write(&file, bytes).unwrap();
    let run = world.run(&[]);
    run.expect(3, &["Incomplete s", "output saved to target/genti/output/s-"]);
    assert_eq!(world.statuses("s"), ["unparsable"], "{run}");
    std::fs::remove_file(&file).unwrap();
    world.check(&run);
}

pub(crate) fn is_truncated() -> Tried {
    let world = world();
    for cut in [1, 2, SARIF.len() / 2, SARIF.len() - 1] {
        check_unparsable(&world, &SARIF.as_bytes()[..cut]);
    }
    Ok(())
}

pub(crate) fn is_no_text() -> Tried {
    let world = world();
    let message = b"{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{}},\"results\":[{\"message\":{\"text\":\"\xff\"}}]}]}";
    let no_text = [b"\xff\xfe", &b"\0"[..], b"{\"version\":\"2.1.0\",\"runs\":[]}\0", message];
    for bytes in no_text {
        check_unparsable(&world, bytes);
    }
    // Lines with a NUL are rejected, too. Other invalid bytes are replaced by one character each.
    let world = World::new();
    let print = |bytes: &str| format!("printf 'many/a:7: new {bytes}!\\n'");
    world.fault(&format!("{}; exit 0", print("\\000")));
    let run = world.run(&[]);
    run.expect(3, &["line 1 contains a NUL byte", "output saved to target/genti/output/t-1-0.stdout"]);
    assert_eq!(world.status().0, "unparsable", "{run}");
    assert_eq!(
        std::fs::read(world.path("target/genti/output/t-1-0.stdout")).unwrap(),
        b"many/a:7: new \0!\n"
    );
    world.check(&run);
    world.fault(&print("\\377"));
    let run = world.run(&[]);
    run.expect(1, &[]);
    let report = world.sandbox.json("report.json");
    let new = |finding: &&Value| finding["state"] == "new";
    let messages: Vec<_> = report["findings"].as_array().unwrap().iter().filter(new).collect();
    assert_eq!(messages.iter().map(|finding| &finding["message"]).collect::<Vec<_>>(), ["new \u{fffd}!"]);
    world.check(&run);
    Ok(())
}

pub(crate) fn is_endless() -> Tried {
    // More output than is kept for parsing, on one line and on many.
    let (line, lines) = if is_full() { ("1G", "10G") } else { ("300M", "400M") };
    for script in [
        format!("head -c {line} /dev/zero | tr '\\0' y"),
        format!("yes many/a:1: bad | head -c {lines}"),
        format!("yes | head -c {lines} >&2"),
    ] {
        let rss = |name: &str| format!("grep VmHWM /proc/$PPID/status > ../{name}");
        let config = format!(
            "needs = [\"idle\"]\n[tools.idle]\nrun = [\"sh\", \"-c\", \"{}\"]\n[tools.after]\nrun = [\"sh\", \"-c\", \"{}\"]\nneeds = [\"t\"]\n",
            rss("idle"),
            rss("after")
        );
        let world = World::with(&config, &[]);
        world.fault(&format!("{script}; exit 0"));
        let run = world.run(&[]);
        let kib = |name: &str| {
            let text = std::fs::read_to_string(world.path("..").join(name)).unwrap();
            text.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        run.expect(3, &[]);
        assert_eq!(world.status().0, "unparsable", "{run}");
        assert!(kib("after") - kib("idle") < 64 << 10, "{} KiB after {} KiB", kib("after"), kib("idle"));
        world.check(&run);
    }
    Ok(())
}
