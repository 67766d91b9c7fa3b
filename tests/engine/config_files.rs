//! Tests of configuration files on disk: damaged ones, and those that nothing reads.

use crate::support::Sandbox;

#[test]
fn a_configuration_in_another_encoding_is_an_error_with_its_place() {
    let sandbox = Sandbox::with_tools("");
    let path = sandbox.root().join("genti.toml");
    std::fs::write(&path, b"[policy]\nseed = 1 # \xe9\n").unwrap();
    let text = sandbox.run(&["plan"], 2);
    assert!(text.contains("not valid UTF-8") && text.contains("genti.toml:2:12"), "{text}");
    let utf_16: Vec<_> = "\u{feff}[policy]\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(&path, utf_16).unwrap();
    let text = sandbox.run(&["plan"], 2);
    assert!(text.contains("not UTF-8, but UTF-16") && text.contains("save the file as UTF-8"), "{text}");
}

#[test]
fn a_configuration_that_nothing_reads_is_an_error() {
    let sandbox = Sandbox::of("members", "workspace");
    sandbox.run(&["plan"], 0);
    for name in [
        ".genti.toml",
        ".config/genti/genti.toml",
        ".config/genti/config.toml",
        "core/genti.toml",
        "core/.config/genti.toml",
    ] {
        sandbox.write(name, "[policy]\n");
        for args in [&["plan"][..], &["check"], &["run", "-q"]] {
            let text = sandbox.run(args, 2);
            assert!(text.contains("not a place where genti looks for its configuration"), "{text}");
            assert!(text.contains(&format!("--> {name}")), "{text}");
        }
        sandbox.run(&["plan", "--config-file", name], 0);
        std::fs::remove_file(sandbox.root().join(name)).unwrap();
    }
    sandbox.run(&["plan"], 0);
}

#[test]
fn a_lock_file_that_cannot_be_read_is_replaced_by_the_command_that_the_error_names() {
    let sandbox = Sandbox::with_words("");
    sandbox.run(&["lock"], 0);
    let text = sandbox.text("genti.lock");
    for damaged in [
        format!("<<<<<<< ours\n{text}=======\n{text}>>>>>>> theirs\n"),
        "format = 99\n".to_owned(),
        "x".to_owned(),
    ] {
        sandbox.write("genti.lock", &damaged);
        sandbox.run(&["run"], 2);
        assert!(sandbox.run(&["lock"], 0).contains("Wrote genti.lock"), "{damaged}");
        assert_eq!(sandbox.text("genti.lock"), text);
    }
}
