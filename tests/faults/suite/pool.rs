//! Tests of jobservers that are closed or dead, and of processes that die while they hold tokens.

use std::cell::Cell;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Command;

use super::inject::needs;
use super::support::process::{kill, under, wait_until};
use super::table::Tried;
use super::world::{World, finish, run, start};

const WARNING: &str = "warning: cannot use the jobserver from the environment";

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

/// Descriptors that are open but are not a jobserver, or belong to a jobserver whose owner is gone.
pub(crate) fn descriptors_are_dead() -> Tried {
    for (redirect, flags, warns) in [
        ("97</dev/null 98>/dev/null", "97,98", true),
        ("97<../tool 98<../tool", "97,98", true),
        // A pipe without a writer, and one without a reader.
        ("97< <(:) 98> >(:)", "97,98", false),
        // Only one end of a pipe, and the same end twice.
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

/// An inherited pool that never provides a token. The run still has its own slot.
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

/// A tool dies with the tokens of our pool. Later tools must get tokens again.
pub(crate) fn a_child_dies_with_tokens() -> Tried {
    // Reads a token without returning it, then dies.
    let thief = "set -- $(echo \"$MAKEFLAGS\" | sed 's/.*auth=\\([0-9]*\\),.*/\\1/'); dd if=/dev/fd/$1 bs=1 count=1 2> ../stolen; kill -9 $$";
    // One lane, so that the second tool starts when the first has ended.
    let config = format!(
        "[tools.a-thief]\nrun = [\"sh\", \"-c\", {}]\njobserver = true\nrequired = false\nlane = \"one\"\n\
         [tools.b-after]\nrun = [\"true\"]\nrequired = false\nlane = \"one\"\n",
        toml_string(thief)
    );
    let world = World::with(&config, &["--parallel", "2"]);
    let run = world.run(&[]);
    run.expect(0, &["killed by SIGKILL"]);
    assert_eq!(world.statuses("b-after"), ["clean"]);
    let stolen = std::fs::read_to_string(world.path("../stolen")).unwrap();
    assert!(stolen.contains("1 byte"), "nothing was stolen: {stolen}");
    world.check(&run);
    Ok(())
}

/// A run is killed while its tools hold tokens of an inherited pool. The tokens must be returned.
pub(crate) fn genti_is_killed_with_tokens() -> Tried {
    let world = World::new();
    world.tool("echo > ../ready-$(basename \"$1\"); exec sleep 600");
    let fifo = world.sandbox.beside().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut pool = File::options().read(true).write(true).open(&fifo).unwrap();
    pool.write_all(b"++").unwrap();
    // Three tools run in parallel: one in the implicit slot, the others with a token each.
    let script = format!("exec 97<>'{0}' 98<>'{0}'; exec \"$@\"", fifo.display());
    let mut command = under(&["bash", "-c", &script, "bash"], &world.command(&["--parallel", "3"]));
    let child = start(command.env("MAKEFLAGS", " -j3 --jobserver-auth=97,98"));
    ["a", "b", "c"].iter().for_each(|name| world.wait_for(&format!("../ready-{name}")));
    assert_eq!(tokens(&mut pool), 0, "all are in use");
    child.send("KILL");
    let run = finish(child);
    let found = Cell::new(0);
    let are_back = || {
        found.set(found.get() + tokens(&mut pool.try_clone().unwrap()));
        found.get() >= 2
    };
    wait_until("the tokens", are_back);
    world.check(&run);
    assert_eq!((found.get(), tokens(&mut pool)), (2, 0), "each of them once");
    Ok(())
}

/// The same for a run started by `make`, which checks at its end that all tokens were returned.
pub(crate) fn genti_is_killed_below_make() -> Tried {
    needs(&["make", "--version"])?;
    let world = World::new();
    world.tool("echo > ../ready-$(basename \"$1\"); exec sleep 600");
    let genti = world.command(&["--parallel", "3"]);
    let genti =
        genti.get_args().fold(format!("{:?}", genti.get_program()), |line, arg| format!("{line} {arg:?}"));
    // The first target and its processes hold a pipe open. The second target ends when the test tells it to, which is after
    // the guard has returned the tokens.
    let rules = format!(
        "all: genti other\ngenti:\n\t+echo $$$$ > ../pid; exec {genti} 8> ../alive\nother:\n\tread line < ../go\n"
    );
    world.sandbox.write("../rules", &rules);
    let pipes = [world.path("../go"), world.path("../alive")];
    assert!(Command::new("mkfifo").args(&pipes).status().unwrap().success());
    let [go, alive] = pipes;
    let end = std::thread::spawn(move || std::fs::read(alive).unwrap());
    let mut make = Command::new("make");
    make.args(["-k", "-j3", "-f", "../rules", "all"]).current_dir(world.sandbox.root());
    world.sandbox.scrub(&mut make);
    let child = start(make.env("SOURCE_DATE_EPOCH", "0"));
    ["a", "b"].iter().for_each(|name| world.wait_for(&format!("../ready-{name}")));
    let pid = std::fs::read_to_string(world.path("../pid")).unwrap();
    kill("KILL", pid.trim());
    wait_until("the guard to be done", || end.is_finished());
    std::fs::write(go, "\n").unwrap();
    let run = finish(child);
    assert!(run.err.contains("Killed") && !run.err.contains("jobserver tokens"), "{run}");
    Ok(())
}

/// Takes all tokens that are in `pool` now, and returns their number.
fn tokens(pool: &mut File) -> usize {
    let mut poll = [rustix::event::PollFd::new(&*pool, rustix::event::PollFlags::IN)];
    let none = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    match rustix::event::poll(&mut poll, Some(&none)) {
        Ok(1..) => pool.read(&mut [0; 64]).unwrap(),
        _ => 0,
    }
}

fn toml_string(text: &str) -> String {
    format!("'''{text}'''")
}
