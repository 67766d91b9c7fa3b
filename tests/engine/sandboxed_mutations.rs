//! Changes of everything that a test can look at, each judged by genti, with its cache, and by the test programs themselves.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::sandboxed_tests::{failed, ran, with_programs};
use crate::support::{Sandbox, is_full, scrub};

/// The test programs, by name, all built once. Each looks at something else.
const PROGRAMS: [(&str, &str); 14] = [
    ("fixture", "assert_eq!(std::fs::read_to_string(\"fixtures/a\").unwrap(), \"good\");"),
    (
        "snapshot",
        "assert_eq!(include_str!(\"../included\"), std::fs::read_to_string(\"snapshots/a.snap\").unwrap());",
    ),
    (
        "listing",
        "assert!(!std::fs::read_dir(\"../data/dir\").unwrap().any(|e| e.unwrap().file_name() == \"bad\"));",
    ),
    ("absent", "assert!(!std::path::Path::new(\"../absent.toml\").exists());"),
    ("variable", "assert!(std::env::var(\"APP_MODE\").as_deref() != Ok(\"bad\"));"),
    ("job", "assert!(std::env::var(\"GITHUB_RUN_ID\").as_deref() != Ok(\"bad\"));"),
    (
        "zone",
        "let zone = std::env::var(\"TZDIR\").unwrap(); assert_eq!(std::fs::read_to_string(zone + \"/UTC\").unwrap(), \"good\");",
    ),
    ("link", "assert_eq!(std::fs::read_to_string(\"../data/link\").unwrap(), \"good\");"),
    (
        "helper",
        "assert!(std::process::Command::new(\"../data/helper\").status().is_ok_and(|status| status.success()));",
    ),
    ("permissions", "assert!(!std::fs::metadata(\"../data/one\").unwrap().permissions().readonly());"),
    ("program", "assert!(std::process::Command::new(\"some-tool\").status().is_err());"),
    ("outside", "assert_eq!(std::fs::read_to_string(\"../../outside\").unwrap(), \"good\");"),
    // Ignores what it can't read.
    ("silent", "assert!(std::fs::read_to_string(\"../../outside\").map_or(true, |text| text != \"bad\"));"),
    ("source", "assert_eq!(w::two(), 2);"),
];

/// The world of the programs, and what changes in it.
struct World {
    sandbox: Sandbox,
    /// Variables with a value.
    vars: Vec<(&'static str, String)>,
}

impl World {
    fn new() -> Option<Self> {
        let sandbox = with_programs(&PROGRAMS)?;
        for (path, text) in [
            ("w/included", "good"),
            ("w/fixtures/a", "good"),
            ("w/snapshots/a.snap", "good"),
            ("data/dir/one", ""),
            ("data/one", ""),
            ("data/good", "good"),
            ("data/bad", "bad"),
            ("data/zones/UTC", "good"),
            ("data/helper", "#!/bin/sh\nexit 0\n"),
            ("../outside", "good"),
            ("../bin/other", ""),
        ] {
            sandbox.write(path, text);
        }
        let mut world = Self { sandbox, vars: Vec::new() };
        world.set_mode("data/helper", 0o755);
        symlink("good", world.at("data/link")).unwrap();
        let path = format!("{}:{}", world.at("../bin").display(), std::env::var("PATH").unwrap());
        let zones = world.at("data/zones").display().to_string();
        world.vars = vec![("APP_MODE", "good".to_owned()), ("PATH", path), ("TZDIR", zones)];
        Some(world)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.sandbox.root().join(path)
    }

    fn remove(&self, path: &str) {
        drop(std::fs::remove_file(self.at(path)));
    }

    fn write(&self, path: &str, text: &str) {
        self.remove(path);
        self.sandbox.write(path, text);
    }

    fn set_mode(&self, path: &str, mode: u32) {
        std::fs::set_permissions(self.at(path), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn set(&mut self, name: &'static str, value: Option<&str>) {
        self.vars.retain(|(own, _)| *own != name);
        self.vars.extend(value.map(|value| (name, value.to_owned())));
    }

    /// Changes what `number` chooses, and returns its name.
    fn change(&mut self, number: u64) -> String {
        let (what, is_good) = ((number >> 33) % 19, (number >> 60) & 1 == 1);
        let word = if is_good { "good" } else { "bad" };
        match what {
            0 => self.write("w/fixtures/a", word),
            1 => {
                self.remove("w/fixtures/a");
                symlink(format!("../../data/{word}"), self.at("w/fixtures/a")).unwrap();
            }
            2 => self.write("data/good", word),
            3 if is_good => self.remove("data/dir/bad"),
            3 => self.write("data/dir/bad", ""),
            4 if is_good => self.remove("absent.toml"),
            4 => self.write("absent.toml", ""),
            5 => self.write("../outside", word),
            6 => self.set("APP_MODE", Some(word)),
            7 if is_good => self.set("GITHUB_RUN_ID", None),
            7 => self.set("GITHUB_RUN_ID", Some(if number >> 59 & 1 == 1 { "1" } else { "bad" })),
            8 => self.write("data/zones/UTC", word),
            9 => {
                self.remove("data/link");
                symlink(word, self.at("data/link")).unwrap();
            }
            10 => {
                self.write(
                    "data/helper",
                    if is_good { "#!/bin/sh\nexit 0\n" } else { "#!/bin/sh\nexit 1\n" },
                );
                self.set_mode("data/helper", 0o755);
            }
            11 => self.set_mode("data/helper", if is_good { 0o755 } else { 0o644 }),
            12 if is_good => self.remove("../bin/some-tool"),
            12 => {
                self.write("../bin/some-tool", "#!/bin/sh\n");
                self.set_mode("../bin/some-tool", 0o755);
            }
            13 => self.write("w/snapshots/a.snap", word),
            14 => self.write("w/included", word),
            15 => self.write(
                "w/src/lib.rs",
                &format!("pub fn two() -> u32 {{\n    {}\n}}\n", 3 - u32::from(is_good)),
            ),
            // Other directories in the place of those that the programs look into.
            16 => {
                std::fs::rename(self.at("data/dir"), self.at("data/aside")).unwrap();
                std::fs::create_dir(self.at("data/dir")).unwrap();
                self.write(if is_good { "data/dir/two" } else { "data/dir/bad" }, "");
                std::fs::remove_dir_all(self.at("data/aside")).unwrap();
            }
            17 => self.set_mode("data/one", if is_good { 0o644 } else { 0o444 }),
            // Nothing that any program reads.
            _ => self.write("data/unread", &number.to_string()),
        }
        format!("{what} {word}")
    }

    /// Runs genti, and returns the programs that do not pass.
    fn judged(&self) -> BTreeSet<String> {
        let mut command = self.sandbox.command(&["run"]);
        let output = command.envs(self.vars.iter().map(|(name, value)| (name, value))).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(output.status.code(), Some(0 | 1)), "{text}");
        failed(&self.sandbox)
    }

    /// Runs the programs that genti has just built, and returns those that do not pass.
    fn truth(&self) -> BTreeSet<String> {
        let deps = self.at("target/genti/build/debug/deps");
        let files = std::fs::read_dir(deps).unwrap().map(|entry| entry.unwrap().path());
        let programs = files.filter(|path| path.extension().is_none());
        let name = |path: &PathBuf| {
            let (name, _) = path.file_stem()?.to_str()?.rsplit_once('-')?;
            PROGRAMS.iter().any(|(known, _)| *known == name).then(|| name.to_owned())
        };
        let mut started = Vec::new();
        for (name, path) in programs.filter_map(|path| Some((name(&path)?, path))) {
            let mut command = Command::new(path);
            scrub(&mut command);
            command.current_dir(self.at("w")).envs(self.vars.iter().map(|(name, value)| (name, value)));
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            started.push((name, command.spawn().unwrap()));
        }
        assert_eq!(started.len(), PROGRAMS.len());
        let ended = started.into_iter().map(|(name, mut child)| (name, child.wait().unwrap().success()));
        ended.filter(|(_, passed)| !passed).map(|(name, _)| name).collect()
    }
}

/// 60 changes, always the same; with `GENTI_TEST=full`, 2,000.
#[test]
fn no_sequence_of_changes_makes_a_cached_result_stale() {
    let Some(mut world) = World::new() else { return };
    let count = if is_full() { 2_000 } else { 60 };
    let (mut hits, mut failures) = (0, 0);
    // A fixed sequence of numbers that look random.
    let mut number: u64 = 7;
    for step in 0..count {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let what = world.change(number);
        let judged = world.judged();
        let truth = world.truth();
        assert_eq!(judged, truth, "step {step}: {what}");
        hits += PROGRAMS.len() + 1 - ran(&world.sandbox).len();
        failures += truth.len();
    }
    // Otherwise, the sample would prove nothing.
    assert!(hits > count * 3 && failures > count / 2, "{hits} {failures}");
}
