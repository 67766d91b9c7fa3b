#!/usr/bin/env python3
"""Compares `--batch auto` with fixed batch sizes, in a real workspace.

    cargo build --release
    benches/batch.py target/release/cargo-genti WORKSPACE [--runs 5] [--set fmt.max-bytes=131072]...

The tools are fmt and two that check single files: `search` (awk, which starts in 1 ms) and `lint` (a small linter in
Python, which starts in 10 to 20 ms). Each round runs every policy once, in a new random order. Printed are the medians over
all rounds of wall time and of processor time (user and system, of genti and all its child processes), and their ratios to the
best fixed batch size. Nothing is changed in the workspace except `target/`.
"""

import argparse
import collections
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time

POLICIES = ["auto", "1", "4", "16", "64", "1000000"]

LINT = """
import re, sys
word = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
for path in sys.argv[1:]:
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if any(len(name) > 60 for name in word.findall(line)):
                print(f"{path}:{number}: a long name")
"""


def configuration(settings, directory):
    script = os.path.join(directory, "lint.py")
    with open(script, "w") as file:
        file.write(LINT)
    python = os.path.realpath(sys.executable)
    tools = {
        "fmt": [],
        "search": [
            """run = ["awk", '/FIXME/ { print FILENAME ":" FNR ": " $0 }', "{files}"]""",
            'files = ["**/*.rs"]',
            'per = "file"',
            r"parse = { regex = '^(?<path>.+?):(?<line>\d+): (?<message>.+)$' }",
        ],
        "lint": [
            f'run = ["{python}", "-I", "-S", "{script}", "{{files}}"]',
            'files = ["**/*.rs"]',
            'per = "file"',
            r"parse = { regex = '^(?<path>.+?):(?<line>\d+): (?<message>.+)$' }",
        ],
    }
    for setting in settings:
        name, value = setting.split("=", 1)
        tool, key = name.split(".", 1)
        tools[tool].append(f"{key} = {value}")
    path = os.path.join(directory, "genti.toml")
    with open(path, "w") as file:
        for tool, lines in tools.items():
            file.write("\n".join([f"[tools.{tool}]", *lines, "\n"]))
    return path, list(tools)


def measure(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    code = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if code not in (0, 1):
        sys.exit(f"exit {code}: {' '.join(command)}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("workspace")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--parallel", default="2")
    parser.add_argument("--batch", nargs="*", default=POLICIES, help="batch policies; the first is compared with the others")
    parser.add_argument("--set", action="append", default=[], metavar="TOOL.KEY=VALUE")
    args = parser.parse_args()
    manifest = os.path.join(args.workspace, "Cargo.toml")
    with tempfile.TemporaryDirectory() as directory:
        config, tools = configuration(args.set, directory)
        base = [os.path.abspath(args.binary), "genti"]
        common = ["--manifest-path", manifest, "--config-file", config, "--tool"]
        taken = collections.defaultdict(list)
        for turn in range(args.runs + 1):
            combinations = [(tool, policy) for tool in tools for policy in args.batch]
            random.shuffle(combinations)
            for tool, policy in combinations:
                run = [*base, "run", "--no-cache", *common, tool, "--batch", policy, "--parallel", args.parallel]
                result = measure(run)
                if turn > 0:  # the first round only warms the file cache
                    taken[tool, policy].append(result)
        print("tool    batch    processes   wall ms  ratio    cpu ms  ratio")
        for tool in tools:
            walls, cpus = (
                {policy: statistics.median(run[at] for run in taken[tool, policy]) * 1000 for policy in args.batch}
                for at in (0, 1)
            )
            for policy in args.batch:
                plan = [*base, "plan", *common, tool, "--batch", policy, "--format", "json"]
                processes = subprocess.run(plan, capture_output=True, text=True).stdout.count('"lane":')
                ratios = [values[policy] / min(values[fixed] for fixed in args.batch[1:]) for values in (walls, cpus)]
                name = "all" if policy == POLICIES[-1] else policy
                print(
                    f"{tool:7} {name:7} {processes:10}  {walls[policy]:8.0f}  {ratios[0]:5.2f}"
                    f"  {cpus[policy]:8.0f}  {ratios[1]:5.2f}"
                )


main()
