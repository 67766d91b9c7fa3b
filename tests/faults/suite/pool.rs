//! Jobservers that are gone, closed, or never were.

use super::table::Tried;
use super::world::{World, run, under};

const WARNING: &str = "warning: the jobserver in the environment can't be used";

pub(crate) fn descriptors_are_closed() -> Tried {
    for flags in [
        " -j --jobserver-auth=97,98",
        " -j2 --jobserver-fds=97,98 -j",
        " -j --jobserver-auth=fifo:/no/such/fifo",
        " -j --jobserver-auth=x,y",
        " -j --jobserver-auth=97,",
    ] {
        let world = World::new();
        let run = run(world.command(&[]).env("MAKEFLAGS", flags));
        run.expect(0, &[WARNING]);
        world.check(&run);
    }
    Ok(())
}

/// Descriptors that are open, and something else, or a jobserver whose owner is gone.
pub(crate) fn descriptors_are_dead() -> Tried {
    for (redirect, flags, warns) in [
        ("97</dev/null 98>/dev/null", "97,98", true),
        ("97<../tool 98<../tool", "97,98", true),
        // A pipe that nobody writes to any more, and one that nobody reads.
        ("97< <(:) 98> >(:)", "97,98", false),
        // Only one end, and the same one twice.
        ("97< <(sleep 5)", "97,98", true),
        ("97< <(:)", "97,97", false),
    ] {
        let world = World::new();
        let script = format!("exec {redirect}; exec \"$@\"");
        let run = run(under(&["bash", "-c", &script, "bash"], &world.command(&[]))
            .env("MAKEFLAGS", format!(" -j --jobserver-auth={flags}")));
        run.expect(0, if warns { &[WARNING] } else { &[] });
        world.check(&run);
    }
    Ok(())
}

/// A pool that is inherited and never gives anything: there is the slot that we run in.
pub(crate) fn is_empty_for_ever() -> Tried {
    let world = World::new();
    let script = "mkfifo ../fifo; exec 97<>../fifo 98<>../fifo; exec \"$@\"";
    let run = run(under(&["bash", "-c", script, "bash"], &world.command(&["--parallel", "4"]))
        .env("MAKEFLAGS", " -j --jobserver-auth=97,98"));
    run.expect(0, &[]);
    assert!(!run.err.contains("warning"), "{run}");
    world.check(&run);
    Ok(())
}

/// Tools that take every token of our pool to their graves: what comes after them has its tokens again.
pub(crate) fn a_child_dies_with_tokens() -> Tried {
    // Takes what there is without waiting, then dies.
    let thief = "set -- $(echo \"$MAKEFLAGS\" | sed 's/.*auth=\\([0-9]*\\),.*/\\1/'); dd if=/dev/fd/$1 bs=1 count=1 2> ../stolen; kill -9 $$";
    let config = format!(
        "[tools.thief]\nrun = [\"sh\", \"-c\", {}]\njobserver = true\nrequired = false\n\
         [tools.after]\nrun = [\"true\"]\nneeds = [\"thief\"]\nrequired = false\n",
        toml_string(thief)
    );
    let world = World::with(&config, &["--parallel", "2"]);
    let run = world.run(&[]);
    run.expect(0, &["died by SIGKILL"]);
    assert_eq!(world.statuses("after"), ["clean"]);
    let stolen = std::fs::read_to_string(world.path("../stolen")).unwrap();
    assert!(stolen.contains("1 byte"), "nothing was stolen: {stolen}");
    world.check(&run);
    Ok(())
}

fn toml_string(text: &str) -> String {
    format!("'''{text}'''")
}
