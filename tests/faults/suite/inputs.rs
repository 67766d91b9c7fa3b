//! Tests of invalid configurations and baselines.

use super::table::Tried;
use super::world::{Run, World, files, run};

/// Replaces the content of `file` with `text`, and checks that every command rejects it with the messages in `says` and does not
/// change the file.
#[track_caller]
fn refused(world: &World, file: &str, text: &[u8], says: &[&str]) -> Run {
    let path = world.path(file);
    let before = std::fs::read(&path).ok();
    std::fs::write(&path, text).unwrap();
    let artifacts = || files(&world.path("target/genti/artifacts"));
    let before_all = artifacts();
    let mut last = None;
    for command in ["run", "check", "baseline list"] {
        let args: Vec<_> = command.split(' ').collect();
        let run = run(&mut world.sandbox.command(&args));
        run.expect(2, says);
        assert_eq!(std::fs::read(&path).unwrap(), text, "{command} changed {file}\n{run}");
        assert!(artifacts() == before_all, "{command} touched the artifacts");
        last = Some(run);
    }
    match before {
        Some(before) => std::fs::write(&path, before).unwrap(),
        None => std::fs::remove_file(&path).unwrap(),
    }
    world.check_again();
    last.unwrap()
}

pub(crate) fn a_dependency_cycle() -> Tried {
    let world = World::new();
    let config = std::fs::read_to_string(world.path("genti.toml")).unwrap();
    let circle = "[tools.x]\nrun = [\"true\"]\nneeds = [\"y\"]\n[tools.y]\nrun = [\"true\"]\nneeds = [\"z\"]\n[tools.z]\nrun = [\"true\"]\nneeds = [\"x\"]\n";
    let lines = config.lines().count();
    let place = format!("genti.toml:{}:", lines + 3);
    refused(&world, "genti.toml", format!("{config}{circle}").as_bytes(), &[&place, "x", "y", "z"]);
    refused(
        &world,
        "genti.toml",
        format!("{config}[tools.x]\nrun = [\"true\"]\nneeds = [\"x\"]\n").as_bytes(),
        &["x"],
    );
    Ok(())
}

pub(crate) fn deep_nesting() -> Tried {
    let world = World::new();
    let config = std::fs::read_to_string(world.path("genti.toml")).unwrap();
    for (open, close) in [("[", "]"), ("{a=", "}")] {
        for depth in [100, 100_000] {
            let text = format!("x = {}{}\n{config}", open.repeat(depth), close.repeat(depth));
            refused(&world, "genti.toml", text.as_bytes(), &["genti.toml:1:"]);
        }
    }
    let keys = format!("{config}\nx{} = 1\n", ".x".repeat(100_000));
    refused(&world, "genti.toml", keys.as_bytes(), &["genti.toml:"]);
    let baseline = ".config/genti/baseline/t.jsonl";
    for (open, close) in [("[", "]"), ("{\"path\":", "}")] {
        let text = format!("{{\"genti_baseline\":1}}\n{}1{}\n", open.repeat(100_000), close.repeat(100_000));
        refused(&world, baseline, text.as_bytes(), &["t.jsonl:2:"]);
    }
    Ok(())
}

pub(crate) fn a_bad_baseline() -> Tried {
    let world = World::new();
    let file = ".config/genti/baseline/t.jsonl";
    let good = std::fs::read_to_string(world.path(file)).unwrap();
    let second = good.lines().nth(1).unwrap();
    for (text, says) in [
        // Corrupt: empty, cut, garbage, not UTF-8, with a NUL.
        (String::new(), &["t.jsonl:1:1", "not a baseline file"][..]),
        (good[..good.len() - 10].to_owned(), &["t.jsonl:", "invalid baseline entry"]),
        (good.replace(second, "garbage"), &["t.jsonl:2:1", "invalid baseline entry"]),
        (good.replace(second, "\0"), &["t.jsonl:2:1", "invalid baseline entry"]),
        // Newer.
        (
            good.replace("\"genti_baseline\":1", "\"genti_baseline\":3"),
            &["t.jsonl:1:1", "format 3", "update genti"],
        ),
        // Merge conflict.
        (
            good.replace(second, &format!("<<<<<<< ours\n{second}\n=======\n>>>>>>> theirs")),
            &["t.jsonl:2:1", "merge conflict"],
        ),
    ] {
        refused(&world, file, text.as_bytes(), says);
    }
    refused(&world, file, b"{\"genti_baseline\":1}\n\xff\n", &["t.jsonl:2:1", "UTF-8"]);
    // A file that does not belong there, and a directory.
    refused(&world, ".config/genti/baseline/t.jsonl.jsonl", b"x", &["t.jsonl.jsonl:1:1"]);
    std::fs::create_dir(world.path(".config/genti/baseline/d.jsonl")).unwrap();
    let run = world.run(&[]);
    run.expect(2, &["could not read", "d.jsonl", "Is a directory"]);
    Ok(())
}
