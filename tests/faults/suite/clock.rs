//! Tests with a clock that jumps.

use serde_json::Value;

use super::inject::shim;
use super::table::Tried;
use super::world::{HEALTHY, World, run};

/// Shim that adds the seconds in the file at `CLOCK` to the real clock, if the file exists.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, now);
    FILE *file = id == CLOCK_REALTIME ? fopen(getenv("CLOCK"), "r") : NULL;
    long off = 0;
    if (file && fscanf(file, "%ld", &off) == 1) now->tv_sec += off;
    if (file) fclose(file);
    return result;
}
"#;

pub(crate) fn jumps_a_year() -> Tried {
    for off in ["31536000", "-31536000"] {
        let world = World::new();
        let shim = shim(SHIM, world.sandbox.beside())?;
        // The first task sets the clock, so all tasks end in another year.
        world.tool(&format!("echo {off} > ../clock\n{}", HEALTHY));
        let mut command = world.command(&[]);
        command.env("LD_PRELOAD", &shim).env("CLOCK", world.sandbox.beside().join("clock"));
        // Write times to the artifacts.
        command.env_remove("SOURCE_DATE_EPOCH");
        let run = run(&mut command);
        run.expect(0, &[]);
        for line in std::fs::read_to_string(world.path("target/genti/artifacts/tasks.jsonl")).unwrap().lines()
        {
            let line: Value = serde_json::from_str(line).unwrap();
            for time in ["start_us", "duration_us"].map(|name| &line["timing"][name]) {
                let sane = 0..600_000_000;
                assert!(time.is_null() || time.as_u64().is_some_and(|time| sane.contains(&time)), "{line}");
            }
        }
        world.check_again();
    }
    Ok(())
}
