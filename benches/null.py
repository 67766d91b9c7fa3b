#!/usr/bin/env python3
"""Measures runs in which nothing has changed, and compares them with one lstat of each file, git, ninja and prek.

    cargo build --release
    benches/null.py target/release/cargo-genti [--files 100000] [--runs 7]
    benches/null.py target/release/cargo-genti --workspace DIR [--runs 7]

The first form creates a package with that many text files and a tool that checks each (`per = "file"`). Every program runs
once before measuring. Then each round runs every program once without any change, in a new random order. The floor is
`programs/lstat.rs`. Printed are the medians over all rounds of the time and of its ratio to the floor *of the same round*, and
the largest resident set. genti is measured twice: unchanged, and with a no-op `fsync` (on Linux, if there is a C compiler).
git, ninja and prek are left out if they are not installed. prek has no cache and runs its hook, `true`.

The second form compares a run of fmt, clippy and doc in a real workspace with the three cargo commands, which replay from
their own warm caches.
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

# Replaces the functions of the C library (LD_PRELOAD).
NO_FSYNC = "int fsync(int fd) { (void)fd; return 0; }\nint fdatasync(int fd) { (void)fd; return 0; }\n"


def make(directory, count):
    def write(name, text):
        with open(os.path.join(directory, name), "w") as file:
            file.write(text)

    os.makedirs(os.path.join(directory, "src"))
    write("Cargo.toml", '[package]\nname = "many"\nedition = "2024"\n[workspace]\n')
    write("src/lib.rs", "")
    off = "".join(f"[tools.{tool}]\nenabled = false\n" for tool in ("fmt", "clippy", "doc", "test", "doctest"))
    write(
        "genti.toml",
        off + '[tools.look]\nrun = ["sh", "-c", "grep -Hn TODO \\"$@\\" || true", "sh", "{files}"]\nfiles = ["data/**"]\nper = "file"\n'
        'parse = { regex = "^(?<path>.+?):(?<line>\\\\d+):(?<message>.+)$" }\n',
    )
    write(".gitignore", "target\n.ninja_*\nstamps\n")
    numbers = random.Random(1)
    paths = []
    for at in range(count):
        folder = f"data/d{at // 100:04}"
        if at % 100 == 0:
            os.makedirs(os.path.join(directory, folder))
        paths.append(f"{folder}/f{at % 100:02}.txt")
        write(paths[-1], f"line {at}\n" * (1 + numbers.randrange(8) * 50))
    with open(os.path.join(directory, "build.ninja"), "w") as file:
        file.write("rule look\n  command = cat $in > $out\n")
        for at, path in enumerate(paths):
            file.write(f"build stamps/{at // 1000}/{at}: look {path}\n")
    write(
        ".pre-commit-config.yaml",
        "repos:\n- repo: local\n  hooks:\n  - id: nothing\n    name: nothing\n    language: system\n    entry: 'true'\n    files: ^data/\n",
    )
    subprocess.run(["cargo", "generate-lockfile", "--quiet"], cwd=directory, check=True)
    git = ["git", "-c", "user.name=n", "-c", "user.email=e", "-c", "gc.auto=0"]
    subprocess.run(git + ["init", "-q"], cwd=directory, check=True)
    subprocess.run(git + ["add", "."], cwd=directory, check=True)
    subprocess.run(git + ["commit", "-qm", "all"], cwd=directory, check=True)
    return paths


def measure(command, directory, env=None):
    start = time.perf_counter()
    child = subprocess.Popen(
        command, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=dict(os.environ, **(env or {}))
    )
    stderr = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, child.returncode, stderr.decode()


def rounds(contenders, floor, runs, settle):
    taken = collections.defaultdict(list)
    for name, command, directory, env in contenders:
        for _ in range(settle):
            _, _, _, code, stderr = measure(command, directory, env)
            if code not in (0, 1):
                sys.exit(f"exit {code}: {' '.join(command)}\n{stderr}")
        # Wait until the files that were written last are old enough to be cached by their modification time.
        time.sleep(2.5)
        measure(command, directory, env)
    for _ in range(runs):
        random.shuffle(contenders)
        for name, command, directory, env in contenders:
            taken[name].append(measure(command, directory, env)[:3])
    print(f"{'':34} {'ms':>8} {'ratio':>7} {'cpu ms':>8} {'MB':>6}")
    base = [wall for wall, _, _ in taken[floor]]
    for name in sorted(taken, key=lambda name: statistics.median(wall for wall, _, _ in taken[name])):
        walls, cpus, sizes = zip(*taken[name])
        ratio = statistics.median(wall / of for wall, of in zip(walls, base))
        print(
            f"{name:34} {statistics.median(walls) * 1000:8.0f} {ratio:7.2f} {statistics.median(cpus) * 1000:8.0f} {max(sizes):6.0f}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--workspace")
    args = parser.parse_args()
    binary = os.path.abspath(args.binary)
    if args.workspace:
        root = os.path.abspath(args.workspace)
        cargos = "cargo fmt --all -- --check; cargo clippy -q --workspace --all-targets; cargo doc -q --workspace --no-deps"
        target = {"CARGO_TARGET_DIR": os.path.join(root, "target", "null-bench")}
        # `true` at the end, because findings don't make the measurement fail.
        contenders = [
            ("three cargo commands", ["sh", "-c", f"{cargos}; true"], root, target),
            ("genti", [binary, "genti", "run", "-q", "--tool", "fmt", "--tool", "clippy", "--tool", "doc"], root, None),
        ]
        return rounds(contenders, "three cargo commands", args.runs, 1)
    with tempfile.TemporaryDirectory() as temporary:
        root = os.path.join(temporary, "many")
        os.makedirs(root)
        paths = make(root, args.files)
        listed = os.path.join(temporary, "list")
        with open(listed, "w") as file:
            file.write("\n".join(paths) + "\n")
        floor = os.path.join(temporary, "lstat")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs", "lstat.rs")
        subprocess.run(["rustc", "-O", "--edition", "2024", "-o", floor, source], check=True)
        contenders = [
            ("lstat of each, one thread", [floor, listed], root, None),
            ("genti", [binary, "genti", "run", "-q"], root, None),
        ]
        if sys.platform == "linux" and shutil.which("cc"):
            no_fsync = os.path.join(temporary, "no_fsync.so")
            command = ["cc", "-shared", "-fPIC", "-o", no_fsync, "-x", "c", "-"]
            subprocess.run(command, input=NO_FSYNC, text=True, check=True)
            contenders.append(("genti, no-op fsync", [binary, "genti", "run", "-q"], root, {"LD_PRELOAD": no_fsync}))
        if shutil.which("git"):
            contenders.append(("git status", ["git", "status", "--short"], root, None))
        if shutil.which("ninja"):
            contenders.append(("ninja", ["ninja", "--quiet"], root, None))
        if shutil.which("prek"):
            contenders.append(("prek, one trivial hook", ["prek", "run", "--all-files"], root, None))
        rounds(contenders, "lstat of each, one thread", args.runs, 1)


if __name__ == "__main__":
    main()
