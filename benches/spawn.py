#!/usr/bin/env python3
"""Compares genti with make, xargs, ninja and a minimal program, for many trivial tasks, two at a time.

    cargo build --release
    benches/spawn.py target/release/cargo-genti [--tasks 10000] [--runs 5]

Each round runs every program once, in a new random order. Printed are the medians over all rounds of the time per task and
of its ratio to the floor *of the same round*. The floor is `programs/floor.rs`: std's `Command::output` on two threads,
that is posix_spawn and two pipes. make, xargs and ninja are left out if they are not installed.
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


def workspace(directory, tasks, program):
    write = lambda name, text: open(os.path.join(directory, name), "w").write(text)
    os.makedirs(os.path.join(directory, "src"))
    write("Cargo.toml", '[package]\nname = "many"\nedition = "2024"\n[workspace]\n')
    write("src/lib.rs", "")
    tool = f'[tools.trivial]\nrun = ["{program}", "{{file}}"]\nfiles = ["units/*"]\nper = "file"\nparse = "lines"\n'
    write("genti.toml", tool)
    units = [f"units/{unit:05}" for unit in range(tasks)]
    os.makedirs(os.path.join(directory, "units"))
    for unit in units:
        write(unit, unit)
    write("units.txt", "\n".join(units) + "\n")
    write("Makefile", ".PHONY: all\nall: " + " ".join(f"t{at}" for at in range(tasks)) + "\n")
    with open(os.path.join(directory, "Makefile"), "a") as file:
        for at, unit in enumerate(units):
            file.write(f".PHONY: t{at}\nt{at}:\n\t@{program} {unit}\n")
    with open(os.path.join(directory, "build.ninja"), "w") as file:
        file.write(f"rule trivial\n  command = {program} $unit\n")
        for at, unit in enumerate(units):
            file.write(f"build t{at}: trivial\n  unit = {unit}\n")


def measure(command, directory):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"exit {done.returncode}: {' '.join(command)}\n{done.stderr.decode()}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    program = shutil.which("true", path="/bin:/usr/bin")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs", "floor.rs")
    with tempfile.TemporaryDirectory() as directory:
        floor = os.path.join(directory, "floor")
        subprocess.run(["rustc", "--edition", "2024", "-O", "-o", floor, source], check=True)
        place = os.path.join(directory, "workspace")
        os.makedirs(place)
        workspace(place, args.tasks, program)
        genti = [os.path.abspath(args.binary), "genti", "run", "--no-cache", "--tool", "trivial", "--parallel", "2"]
        genti += ["--batch", "1"]
        programs = {
            "floor": [floor, str(args.tasks), program],
            "genti": genti,
            "make": ["make", "-j2"],
            "xargs": ["xargs", "-a", "units.txt", "-P2", "-n1", program],
            "ninja": ["ninja", "-j2", "--quiet"],
        }
        programs = {name: command for name, command in programs.items() if shutil.which(command[0])}
        taken = collections.defaultdict(list)
        for turn in range(args.runs + 1):
            order = list(programs)
            random.shuffle(order)
            round = {name: measure(programs[name], place) for name in order}
            if turn > 0:  # the first round only warms the file cache
                for name, (wall, cpu) in round.items():
                    taken[name].append((wall, cpu, wall / round["floor"][0]))
        print("program    µs/task   ratio     cpu µs/task")
        for name in programs:
            wall, cpu, ratio = (statistics.median(run[at] for run in taken[name]) for at in range(3))
            print(f"{name:7}  {wall / args.tasks * 1e6:9.0f}  {ratio:6.2f}  {cpu / args.tasks * 1e6:14.0f}")


main()
