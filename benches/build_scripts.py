#!/usr/bin/env python3
"""Measures what `genti::build` gains in a build script, and what it costs.

    benches/build_scripts.py [--rounds 3] [--inputs 200] [--millis 50] [--work compute|wait] [--only speed|cost]

The packages are created in a temporary directory. Each round runs every setup once, in a new random order. Printed are medians.

speed: a generator that computes (or waits, as for a server) for `--millis` on each of `--inputs` files, in a serial `build.rs`
    written by hand and in one with `genti::build`, with `cargo build -j1` and `-j2`. The time is measured and printed by the
    script itself. Then again with one input changed, and with nothing changed; the serial script always generates everything.
    Waiting takes the same time on a busy machine, computing does not.
cost: a clean `cargo build -j2` of a package whose `build.rs` is empty, depends on `genti` without features, or on `prost-build`;
    wall time, processor time, and the number of crates that cargo compiles, without the package itself. Crates are fetched
    beforehand.
"""

import argparse
import os
import random
import resource
import shutil
import statistics
import subprocess
import tempfile
import time

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GENTI = f'genti = {{ path = "{REPOSITORY}", default-features = false }}'

WORK = """
fn spin(text: &str) -> String {
    let spins: u64 = std::env::var("SPINS").unwrap().parse().unwrap();
    if let Ok(millis) = std::env::var("WAIT") {
        std::thread::sleep(std::time::Duration::from_millis(millis.parse().unwrap()));
        return format!("pub const HASH: u64 = {spins};\\n");
    }
    let mut hash = text.len() as u64;
    for n in 0..spins {
        hash = (hash ^ n).wrapping_mul(0x100_0000_01b3);
    }
    format!("pub const HASH: u64 = {hash};\\n")
}
"""

SERIAL = WORK + """
use std::path::Path;

fn main() {
    let start = std::time::Instant::now();
    println!("cargo:rerun-if-changed=in");
    println!("cargo:rerun-if-env-changed=SPINS");
    let out = std::env::var("OUT_DIR").unwrap();
    let mut files: Vec<_> = std::fs::read_dir("in").unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(Path::new(&out).join(format!("{name}.rs")), spin(&text)).unwrap();
    }
    println!("took {}", start.elapsed().as_micros());
}
"""

PLAN = WORK + """
fn main() -> std::process::ExitCode {
    let start = std::time::Instant::now();
    let code = genti::build::Plan::new()
        .inputs("in/*.txt")
        .env("SPINS")
        .each(|input, out| out.write(input.stem() + ".rs", spin(input.text()?)))
        .run();
    println!("took {}", start.elapsed().as_micros());
    code
}
"""

BARE = "fn main() {}\n"


def cargo(package, *args, **env):
    env = {**os.environ, "CARGO_NET_OFFLINE": "true", "CARGO_TERM_COLOR": "never", **env}
    for name in ("CARGO_TARGET_DIR", "CARGO_MAKEFLAGS", "MAKEFLAGS"):
        env.pop(name, None)
    done = subprocess.run(["cargo", *args], cwd=package, env=env, text=True, capture_output=True)
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    return done.stderr


def make(directory, name, script, dependency="", inputs=0):
    package = os.path.join(directory, name)
    os.makedirs(os.path.join(package, "src"))
    files = {
        "Cargo.toml": f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2024"\n'
        f"[build-dependencies]\n{dependency}\n[workspace]\n",
        "build.rs": script,
        "src/lib.rs": "",
    }
    for path, text in files.items():
        with open(os.path.join(package, path), "w") as file:
            file.write(text)
    os.makedirs(os.path.join(package, "in"))
    for n in range(inputs):
        with open(os.path.join(package, "in", f"t{n:04}.txt"), "w") as file:
            file.write(f"input {n}\n")
    return package


def processor():
    """Returns the processor time of all commands so far, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def took(package):
    """Returns the seconds that the build script printed in its last run."""
    build = os.path.join(package, "target/debug/build")
    for entry in os.listdir(build):
        path = os.path.join(build, entry, "output")
        if os.path.exists(path):
            with open(path) as file:
                found = [line for line in file if line.startswith("took ")]
                if found:
                    return int(found[0].split()[1]) / 1e6
    raise SystemExit(f"{package}: the build script printed no time")


def speed(args, directory):
    packages = {
        "serial": make(directory, "serial", SERIAL, inputs=args.inputs),
        "genti": make(directory, "with-genti", PLAN, GENTI, inputs=args.inputs),
    }
    # Determine how many iterations take `--millis` on one core.
    wait = {"WAIT": str(int(args.millis))} if args.work == "wait" else {}
    probe = 2_000_000
    cargo(packages["serial"], "build", "-j1", SPINS=str(probe))
    spins = int(probe * args.millis / 1e3 / (took(packages["serial"]) / args.inputs))
    cargo(packages["genti"], "build", "-j1", SPINS="1")

    times = {}
    setups = [("serial", 2), ("genti", 1), ("genti", 2)]
    for _ in range(args.rounds):
        for name, jobs in random.sample(setups, len(setups)):
            package, key = packages[name], f"{name} -j{jobs}"
            changed = os.path.join(package, "in/t0007.txt")

            def run(change):
                cargo(package, "build", f"-j{jobs}", SPINS=str(spins), **wait)
                times.setdefault((key, change), []).append(took(package))

            # Use another value each time, so that nothing is skipped.
            spins += 1
            run("all")
            if (name, jobs) == ("genti", 2):
                with open(changed, "a") as file:
                    file.write("more\n")
                run("one changed")
                os.utime(changed)
                run("none changed")
    base = statistics.median(times[("serial -j2", "all")])
    print(f"{args.inputs} inputs of {args.millis} ms each ({args.work}), {args.rounds} rounds")
    for (key, change), values in sorted(times.items()):
        median = statistics.median(values)
        print(f"{key:12} {change:13} {median:8.3f} s  {base / median:7.2f} times as fast as serial")


def cost(args, directory):
    packages = {
        "bare": make(directory, "bare", BARE),
        "genti": make(directory, "cost-genti", BARE, GENTI),
        "prost-build": make(directory, "cost-prost", BARE, 'prost-build = "0.14"'),
    }
    for package in packages.values():
        cargo(package, "fetch", CARGO_NET_OFFLINE="false")
    times, crates = {}, {}
    for _ in range(args.rounds):
        for name in random.sample(list(packages), len(packages)):
            package = packages[name]
            shutil.rmtree(os.path.join(package, "target"), ignore_errors=True)
            start, before = time.monotonic(), processor()
            output = cargo(package, "build", "-j2")
            times.setdefault(name, []).append((time.monotonic() - start, processor() - before))
            crates[name] = output.count("Compiling ") - 1
    median = lambda name: [statistics.median(values) for values in zip(*times[name])]
    bare = median("bare")
    for name in packages:
        wall, used = median(name)
        more = f"{wall - bare[0]:+6.2f} s wall, {used - bare[1]:+6.2f} s processor"
        print(f"{name:12} {crates[name]:3} crates  {wall:6.2f} s wall  {used:6.2f} s processor  {more}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--inputs", type=int, default=200)
    parser.add_argument("--millis", type=float, default=50)
    parser.add_argument("--work", choices=["compute", "wait"], default="compute")
    parser.add_argument("--only", choices=["speed", "cost"])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        if args.only != "cost":
            speed(args, directory)
        if args.only != "speed":
            cost(args, directory)


if __name__ == "__main__":
    main()
