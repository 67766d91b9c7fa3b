//! Tests of what runs in a copy of the repository, and of services that run beside the tools.

use super::table::Tried;
use super::world::{World, run};

pub(crate) fn a_generator_strays() -> Tried {
    let world = World::with(
        r#"
[tools.gen]
fresh = { run = ["sh", "-c", '''
case "$FAULT" in
write) echo x > many/a; rm Cargo.toml;;
link) ln -s "$PWD/many/a" many/link; echo x > many/link;;
kill) kill -9 $$;;
esac
'''], outputs = ["src/**"] }
env = ["FAULT"]
cache = false
"#,
        &[],
    );
    for (fault, says) in [("write", "`Cargo.toml`, `many/a`"), ("link", "`many/link`"), ("kill", "SIGKILL")] {
        let run = run(world.command(&[]).env("FAULT", fault));
        run.expect(3, &[says]);
        world.check(&run);
    }
    Ok(())
}

pub(crate) fn a_service_dies() -> Tried {
    let world = World::with(
        r#"
[services.s]
start = ["sh", "-c", '''
rm -f ../die ../gone
[ "$FAULT" != early ] || exit 7
echo up
until [ -e ../die ]; do sleep 0.02; done
exit 7
''']
ready = { log = "up" }
env = ["FAULT"]
[tools.user]
run = ["sh", "-c", '''
[ -n "$FAULT" ] || exit 0
: > ../die
exec sleep 600
''']
services = ["s"]
env = ["FAULT"]
timeout = "2s"
"#,
        &[],
    );
    for (fault, says) in
        [("early", "exited with 7 before it was ready"), ("late", "exited with 7 while the tool ran")]
    {
        let run = run(world.command(&[]).env("FAULT", fault));
        run.expect(3, &[says]);
        world.check(&run);
    }
    Ok(())
}
