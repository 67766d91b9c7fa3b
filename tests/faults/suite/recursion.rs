//! Tools that call this program again.

use super::support::Sandbox;
use super::table::Tried;
use super::world::run;

const REFUSED: &str = "this is part of a run of genti in the same workspace";

/// A workspace whose tool does `script`, in which `$genti` is this program. What it prints is kept beside.
fn calling(script: &str, config: &str) -> Sandbox {
    let sandbox = Sandbox::with_tools(&format!(
        "[tools.t]\nrun = [\"sh\", \"../call\"]\ninherit-env = true\ncache = false\n{config}"
    ));
    let genti = env!("CARGO_BIN_EXE_cargo-genti");
    sandbox.write("../call", &format!("genti={genti}\n{script}\n"));
    sandbox
}

fn said(sandbox: &Sandbox) -> String {
    std::fs::read_to_string(sandbox.beside().join("said")).unwrap()
}

/// Each of these calls is refused with the reason; what the caller makes of it, is its own business.
pub(crate) fn in_the_same_workspace() -> Tried {
    for call in [
        "$genti genti run",
        "$genti genti check",
        "$genti genti verify",
        "$genti genti baseline init",
        // Another directory to build in, with another lock: it would go on and on.
        "CARGO_TARGET_DIR=$PWD/../other $genti genti run",
        // From a member, by another name.
        "ln -s $PWD ../link; cd ../link/src; $genti genti run",
        // Who empties the environment, in a process of its own and in the place of the tool.
        "env -i PATH=\"$PATH\" HOME=\"$HOME\" $genti genti run",
        "env -u GENTI_RUNNING -u CARGO_TARGET_DIR setsid -w $genti genti run",
    ] {
        let sandbox = calling(&format!("({call}) > ../said 2>&1; echo $? >> ../said"), "");
        run(&mut sandbox.command(&["run", "--build-dir", "shared"])).expect(0, &[]);
        let said = said(&sandbox);
        assert!(said.contains(REFUSED) && said.ends_with("\n2\n"), "{call}: {said}");
        assert!(!sandbox.beside().join("other/genti").exists(), "{call}");
    }
    // The tool is this program itself, and inherits nothing.
    let genti = env!("CARGO_BIN_EXE_cargo-genti");
    let sandbox = Sandbox::with_tools(&format!(
        "[tools.t]\nrun = [\"env\", \"-i\", \"CARGO={}\", \"{genti}\", \"genti\", \"run\"]\n",
        env!("CARGO")
    ));
    run(&mut sandbox.command(&["run"])).expect(1, &[REFUSED]);
    Ok(())
}

/// What needs no run of its own, and runs elsewhere, are none of it.
pub(crate) fn elsewhere() -> Tried {
    let sandbox = calling("($genti genti plan && cd ../inner && $genti genti run) > ../said 2>&1", "");
    let inner = Sandbox::with_tools("[tools.t]\nrun = [\"true\"]\n");
    std::fs::rename(inner.root(), sandbox.beside().join("inner")).unwrap();
    let ended = run(&mut sandbox.command(&["run"]));
    ended.expect(0, &[]);
    assert!(said(&sandbox).contains("Passed"), "{}", said(&sandbox));
    // And back again from there.
    let back = format!(
        "[tools.back]\nrun = [\"sh\", \"-c\", \"cd ../workspace && {} genti run\"]\n",
        env!("CARGO_BIN_EXE_cargo-genti")
    );
    let config = sandbox.beside().join("inner/genti.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text + &back).unwrap();
    run(&mut sandbox.command(&["run"])).expect(1, &[]);
    assert!(said(&sandbox).contains(REFUSED), "{}", said(&sandbox));
    Ok(())
}
