#!/usr/bin/env python3
"""Compares the test counts that genti reports with those that `cargo test` prints, per target, including doc tests.

    cargo build --release
    benches/test_counts.py target/release/cargo-genti WORKSPACE... [-- CARGO-FLAGS]

In each WORKSPACE, `cargo genti run` runs first, then `cargo test --workspace --no-fail-fast`. CARGO-FLAGS, such as
`--all-features`, are passed to both. The counts (run, passed, failed, ignored, filtered out) must be equal for each target
and each package. Differences are printed, and the exit code is then 1. genti runs in the workspace itself and writes to
`target/genti`.
"""

import argparse
import json
import os
import re
import subprocess
import sys

RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored; \d+ measured; (\d+) filtered out")
RUNNING = re.compile(r"^\s+Running .*\((.+)\)$")
DOCTESTS = re.compile(r"^\s+Doc-tests (\S+)$")


def name_of(package, target):
    kind, name = target["kind"][0], target["name"]
    if kind == "test":
        return f"{package}::{name}"
    if kind in ("bin", "example", "bench"):
        return f"{package}::{kind}/{name}"
    return package


def by_cargo(root, flags):
    """Returns the counts in the output of cargo, per target and per package; `None` if a harness prints none."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("CARGO_TERM")}
    test = ["cargo", "test", "--workspace", "--no-fail-fast", *flags]
    built = subprocess.run(test + ["--no-run", "--message-format=json"], cwd=root, capture_output=True, text=True, env=env)
    metadata = json.loads(
        subprocess.run(
            ["cargo", "metadata", "--no-deps", "--format-version=1"], cwd=root, check=True, capture_output=True, text=True
        ).stdout
    )
    names = {package["id"]: package["name"] for package in metadata["packages"]}
    libraries = {
        target["name"].replace("-", "_"): package["name"]
        for package in metadata["packages"]
        for target in package["targets"]
        if target["doctest"]
    }
    executables = {}
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["profile"]["test"]:
            executables[message["executable"]] = name_of(names[message["package_id"]], message["target"])
    ran = subprocess.run(
        test, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=env
    )
    targets, packages, current = {}, {}, None
    for line in ran.stdout.splitlines():
        if found := RUNNING.match(line):
            current = (targets, executables[os.path.join(root, found[1])])
            targets[current[1]] = None
        elif found := DOCTESTS.match(line):
            current = (packages, libraries[found[1].replace("-", "_")])
        elif (found := RESULT.match(line)) and current:
            group, name = current
            passed, failed, ignored, filtered = map(int, found.groups())
            before = group.get(name) or (0,) * 5
            one = (passed + failed, passed, failed, ignored, filtered)
            group[name] = tuple(a + b for a, b in zip(before, one))
    return targets, packages


def by_genti(binary, root, flags):
    child = subprocess.run([binary, "genti", "run", *flags], cwd=root, capture_output=True, text=True)
    with open(os.path.join(root, "target/genti/artifacts/report.json")) as file:
        report = json.load(file)
    targets, packages = {}, {}
    for tool in report["tools"]:
        tests = tool["census"].get("tests", {})
        for group, key, into in (("by_target", "target", targets), ("by_package", "package", packages)):
            for one in tests.get(group, []):
                keys = ("run", "passed", "failed", "ignored", "filtered_out")
                into[one[key]] = tuple(one.get(name, 0) for name in keys) if "run" in one else None
    if not targets:
        sys.exit(f"{root}: exit {child.returncode}\n{child.stderr}")
    return targets, packages


def main():
    argv, flags = sys.argv[1:], []
    if "--" in argv:
        at = argv.index("--")
        argv, flags = argv[:at], argv[at + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("workspaces", nargs="+")
    args = parser.parse_args(argv)
    differs = False
    print("| workspace | revision | test targets | tests | ignored | packages with doc tests | doc tests | different |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |")
    for root in map(os.path.realpath, args.workspaces):
        reported = by_genti(os.path.abspath(args.binary), root, flags)
        printed = by_cargo(root, flags)
        found = []
        for ours, theirs in zip(reported, printed):
            for name in sorted(ours.keys() | theirs.keys()):
                if ours.get(name, "absent") != theirs.get(name, "absent"):
                    found.append(f"{name}: genti {ours.get(name, 'absent')}, cargo {theirs.get(name, 'absent')}")
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True).stdout[:10]
        (targets, packages), sums = printed, [0, 0, 0]
        for numbers in filter(None, targets.values()):
            sums[0] += numbers[0]
            sums[1] += numbers[3]
        sums[2] = sum(numbers[0] for numbers in filter(None, packages.values()))
        print(
            f"| {os.path.basename(root)} | `{commit}` | {len(targets):,} | {sums[0]:,} | {sums[1]:,} | {len(packages):,} "
            f"| {sums[2]:,} | {'<br>'.join(found) or 'nothing'} |"
        )
        differs |= bool(found)
    sys.exit(differs)


if __name__ == "__main__":
    main()
