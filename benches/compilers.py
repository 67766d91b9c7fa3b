#!/usr/bin/env python3
"""Measures how many compilers run in parallel, and the time of fmt, clippy, doc and test in a real workspace, from a clean state.

    cargo build --release
    benches/compilers.py target/release/cargo-genti WORKSPACE [--runs 3] [--parallel 2]

Every rustc and rustdoc is started by `programs/wrapper.rs`, which records when it starts and ends. Each round runs every
setup once, in a new random order and with an empty target directory:

    genti       cargo genti run --parallel N
    make        the same under `make -jN`, with the prefix `+`, while other jobs of make compile too
    sequence    the four cargo commands one after another, in one target directory
    at once     the four cargo commands in parallel, in one target directory
    apart       the four cargo commands in parallel, each in its own target directory

Printed are the medians over all rounds of wall time and processor time, and the maximum number of parallel compilers in any
round. The workspace is not changed; builds go to a temporary directory. All setups must have the same exit codes.
"""

import argparse
import collections
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CARGOS = [
    ["fmt", "--all", "--check"],
    ["clippy", "--workspace", "--all-targets", "--keep-going"],
    ["doc", "--workspace", "--no-deps", "--keep-going"],
    ["test", "--workspace", "--no-fail-fast"],
]
# Source that each of make's other jobs compiles. It takes about a second.
UNIT = "pub fn f() -> Vec<String> { " + "".join(f'let _v{n} = vec![format!("{{}}", {n})];' for n in range(400)) + "vec![] }"


class Bench:
    def __init__(self, args, directory):
        self.args, self.directory = args, directory
        self.wrapper = os.path.join(directory, "wrapper")
        source = os.path.join(HERE, "programs", "wrapper.rs")
        subprocess.run(["rustc", "--edition", "2024", "-O", "-o", self.wrapper, source], check=True)
        here = lambda *command: subprocess.check_output(command, cwd=args.workspace, text=True).strip()
        self.rustc = os.path.join(here("rustc", "--print", "sysroot"), "bin", "rustc")
        self.log = os.path.join(directory, "log")
        jobs = str(args.parallel)
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CARGO_PKG_")},
            "RUSTC_WRAPPER": self.wrapper,
            "RUSTDOC": self.wrapper,
            "COMPILERS_RUSTDOC": os.path.join(os.path.dirname(self.rustc), "rustdoc"),
            "COMPILERS_LOG": self.log,
            "CARGO_BUILD_JOBS": jobs,
            "RUST_TEST_THREADS": jobs,
        }
        config = os.path.join(directory, "genti.toml")
        with open(config, "w") as file:
            file.write("[tools.fmt]\n[tools.clippy]\n[tools.doc]\n[tools.test]\n[tools.doctest]\n")
        self.genti = [os.path.abspath(args.binary), "genti", "run", "--no-cache"]
        self.genti += ["--config-file", config, "--parallel", jobs]

    def target(self, name="target"):
        return {**self.env, "CARGO_TARGET_DIR": os.path.join(self.directory, "built", name)}

    def run(self, command, env):
        return subprocess.Popen(
            command, cwd=self.args.workspace, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def cargo(self, at, directory="target"):
        return self.run(["cargo", *CARGOS[at]], self.target(directory))

    def sequence(self):
        return [self.cargo(at).wait() for at in range(4)]

    def at_once(self):
        return [child.wait() for child in [self.cargo(at) for at in range(4)]]

    def apart(self):
        return [child.wait() for child in [self.cargo(at, f"target{at}") for at in range(4)]]

    def alone(self):
        return [self.run(self.genti, self.target()).wait()]

    def make(self):
        place = os.path.join(self.directory, "built")
        with open(os.path.join(place, "unit.rs"), "w") as file:
            file.write(UNIT)
        units = [f"unit{at}" for at in range(40)]
        compile = f"{self.wrapper} {self.rustc} --crate-type lib -O --out-dir {place} --crate-name"
        with open(os.path.join(place, "Makefile"), "w") as file:
            file.write(f".PHONY: all genti {' '.join(units)}\nall: genti {' '.join(units)}\n")
            file.write(f"genti:\n\t+{' '.join(self.genti)}\n")
            file.writelines(f"{unit}:\n\t{compile} {unit} {place}/unit.rs\n" for unit in units)
        return [self.run(["make", "-f", f"{place}/Makefile", f"-j{self.args.parallel}"], self.target()).wait()]

    def measure(self, setup):
        shutil.rmtree(os.path.join(self.directory, "built"), ignore_errors=True)
        os.makedirs(os.path.join(self.directory, "built"))
        open(self.log, "w").close()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        codes = setup()
        wall = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        now, most, total = 0, 0, 0
        with open(self.log) as file:
            for _, event, _ in sorted((int(at), event, pid) for at, event, pid in map(str.split, file)):
                now += 1 if event == "start" else -1
                total += event == "start"
                most = max(most, now)
        return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, most, total, codes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("workspace")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="setups")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(args, directory)
        setups = {
            "genti": bench.alone,
            "make": bench.make,
            "sequence": bench.sequence,
            "at once": bench.at_once,
            "apart": bench.apart,
        }
        setups = {name: run for name, run in setups.items() if not args.only or name in args.only}
        subprocess.run(["cargo", "fetch"], cwd=args.workspace, check=True)
        taken = collections.defaultdict(list)
        for turn in range(args.runs):
            order = list(setups)
            random.shuffle(order)
            for name in order:
                taken[name].append(bench.measure(setups[name]))
                print(f"round {turn + 1}: {name}: {taken[name][-1]}", file=sys.stderr)
        print("setup          wall s   cpu s   max parallel   compilers   exit codes")
        for name, runs in taken.items():
            wall, cpu = (statistics.median(run[at] for run in runs) for at in (0, 1))
            most, total = (max(run[at] for run in runs) for at in (2, 3))
            codes = sorted({tuple(run[4]) for run in runs})
            print(f"{name:12}  {wall:7.1f}  {cpu:6.1f}  {most:13}  {total:10}   {codes}")


main()
