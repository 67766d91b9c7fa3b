//! Tests of tools that call genti.

use super::support::Sandbox;
use super::table::Tried;
use super::world::run;

const REFUSED: &str = "this run was started by a genti run in the same workspace";

/// Creates a workspace with a tool that runs `script`, in which `$genti` is the binary.
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

/// Each of these calls is rejected with the reason, but does not fail the outer run.
pub(crate) fn in_the_same_workspace() -> Tried {
    for call in [
        "$genti genti run",
        "$genti genti check",
        "$genti genti verify",
        "$genti genti baseline init",
        // With another target directory, and so another lock, the recursion would never end.
        "CARGO_TARGET_DIR=$PWD/../other $genti genti run",
        // From a member, through a symbolic link.
        "ln -s $PWD ../link; cd ../link/src; $genti genti run",
        // With an empty environment, and in another session.
        "env -i PATH=\"$PATH\" HOME=\"$HOME\" $genti genti run",
        "env -u GENTI_RUNNING -u CARGO_TARGET_DIR setsid -w $genti genti run",
    ] {
        let sandbox = calling(&format!("({call}) > ../said 2>&1; echo $? >> ../said"), "");
        run(&mut sandbox.command(&["run", "--build-dir", "shared"])).expect(0, &[]);
        let said = said(&sandbox);
        assert!(said.contains(REFUSED) && said.ends_with("\n2\n"), "{call}: {said}");
        assert!(!sandbox.beside().join("other/genti").exists(), "{call}");
    }
    // The tool is genti itself, with an empty environment.
    let genti = env!("CARGO_BIN_EXE_cargo-genti");
    let sandbox = Sandbox::with_tools(&format!(
        "[tools.t]\nrun = [\"env\", \"-i\", \"CARGO={}\", \"{genti}\", \"genti\", \"run\"]\n",
        env!("CARGO")
    ));
    run(&mut sandbox.command(&["run"])).expect(1, &[REFUSED]);
    Ok(())
}

/// Commands that do not run tools, and runs in other workspaces, are allowed.
pub(crate) fn elsewhere() -> Tried {
    let sandbox = calling("($genti genti plan && cd ../inner && $genti genti run) > ../said 2>&1", "");
    let inner = Sandbox::with_tools("[tools.t]\nrun = [\"true\"]\n");
    std::fs::rename(inner.root(), sandbox.beside().join("inner")).unwrap();
    let ended = run(&mut sandbox.command(&["run"]));
    ended.expect(0, &[]);
    assert!(said(&sandbox).contains("Passed"), "{}", said(&sandbox));
    // Calling back into the first workspace from there is rejected.
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
