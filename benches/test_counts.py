#!/usr/bin/env python3
"""Compares the tests that genti reports with those that `cargo test` prints, per target, including doc tests.

    cargo build --release
    benches/test_counts.py target/release/cargo-genti WORKSPACE... [-- CARGO-FLAGS]

In each WORKSPACE, `cargo genti run` runs test and doctest first, then `cargo test --workspace --no-fail-fast`. CARGO-FLAGS,
such as `--all-features`, are passed to both. The counts (run, passed, failed, ignored, filtered out) in `report.json`, and
the names and outcomes of all cases in JUnit must be equal for each target and each package. Differences are printed, and the
exit code is then 1. genti runs in the workspace itself, writes to `target/genti`, and builds in the target directory of
cargo, so that dependencies are built once.
"""

import argparse
import collections
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree

RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored; \d+ measured; (\d+) filtered out")
RUNNING = re.compile(r"^\s+Running .*\((.+)\)$")
DOCTESTS = re.compile(r"^\s+Doc-tests (\S+)$")
TEST = re.compile(r"^test (.+?)(?: - (?:should panic|compile fail|compile))? \.\.\. (ok|FAILED|ignored)\b")


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
    targets, packages, current, names = {}, {}, None, collections.defaultdict(collections.Counter)
    for line in ran.stdout.splitlines():
        if found := RUNNING.match(line):
            current = (targets, executables[os.path.join(root, found[1])])
            targets[current[1]] = None
        elif found := DOCTESTS.match(line):
            current = (packages, libraries[found[1].replace("-", "_")])
        elif (found := TEST.match(line)) and current:
            names[current[1], current[0] is packages][found.groups()] += 1
        elif (found := RESULT.match(line)) and current:
            group, name = current
            passed, failed, ignored, filtered = map(int, found.groups())
            before = group.get(name) or (0,) * 5
            one = (passed + failed, passed, failed, ignored, filtered)
            group[name] = tuple(a + b for a, b in zip(before, one))
    return targets, packages, names


def cases(path):
    """Returns the cases of the suites of test targets and doc tests, each with its outcome in the words of cargo."""
    names = collections.defaultdict(collections.Counter)
    for suite in xml.etree.ElementTree.parse(path).getroot():
        words = suite.get("name").split(" ", 1)
        if len(words) == 1:
            continue
        group = words[1].removesuffix(" (doc tests)")
        for case in suite.iter("testcase"):
            outcome = "FAILED" if case.find("failure") is not None else "ok"
            if (skipped := case.find("skipped")) is not None:
                outcome = "ignored" if skipped.get("message") == "ignored" else "FAILED"
            names[group, words[1] != group][case.get("name"), outcome] += 1
    return names


def by_genti(binary, root, flags):
    junit = os.path.join(root, "target/genti.xml")
    command = [binary, "genti", "run", "--tool", "test", "--tool", "doctest", "--build-dir", "shared"]
    command += ["--report", f"junit={junit}", *flags]
    child = subprocess.run(command, cwd=root, capture_output=True, text=True)
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
    return targets, packages, cases(junit)


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
                ours_of, theirs_of = ours.get(name, "absent"), theirs.get(name, "absent")
                if isinstance(ours_of, collections.Counter) and isinstance(theirs_of, collections.Counter):
                    ours_of, theirs_of = sorted(ours_of - theirs_of), sorted(theirs_of - ours_of)
                if ours_of != theirs_of:
                    found.append(f"{name}: genti {ours_of}, cargo {theirs_of}")
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True).stdout[:10]
        (targets, packages, names), sums = printed, [0, 0, 0]
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
