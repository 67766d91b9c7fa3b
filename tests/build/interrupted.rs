//! Tests that a build script can be killed at any moment.

use std::time::Duration;

use crate::support::{Package, tree};

#[test]
fn the_next_build_completes_one_that_was_killed() {
    let package = Package::of("build-rust", "package");
    package.build();
    let (expected, out) = (tree(&package.out_dir()), package.beside("out"));
    for at in [1, 3, 50, 120, 199] {
        let _ = std::fs::remove_dir_all(&out);
        let _ = std::fs::remove_file(package.beside("log"));
        let mut script = package.script(&out);
        // The generator blocks at the input with this number, so the script can't end before it is killed.
        script.env("NUM_JOBS", "3").env("FIXTURE_HOLD", at.to_string());
        let mut script = script.spawn().unwrap();
        while package.seen().generated.len() < at {
            assert!(script.try_wait().unwrap().is_none(), "the script ended by itself");
            std::thread::sleep(Duration::from_micros(300));
        }
        script.kill().unwrap();
        script.wait().unwrap();
        let begun = package.seen().generated.len();

        // Remove an input in between. Its output must be removed, too.
        let gone = format!("tables/p00/t{:02}.txt", at % 20);
        let text = std::fs::read_to_string(package.root.join(&gone)).unwrap();
        package.remove(&gone);
        let next = package.run(&mut package.script(&out));
        // Only inputs that were in progress may be processed twice.
        assert!(next.generated.len() + begun <= 199 + 1 + 3, "{} and {begun}", next.generated.len());
        assert!(!out.join(format!("p00/t{:02}.rs", at % 20)).exists());
        package.write(&gone, &text);
        package.run(&mut package.script(&out));
        assert_eq!(tree(&out), expected);
    }
}
