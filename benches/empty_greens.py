#!/usr/bin/env python3
"""Plants ten kinds of checks that check nothing in real workspaces. Each must be reported or listed as a blind spot.

    cargo build --release
    benches/empty_greens.py target/release/cargo-genti WORKSPACE...

Each WORKSPACE is a git checkout with at least one library. It is copied and never changed. genti runs four times in each
copy: untouched; with all plants in the sources and RUSTFLAGS set; with `--exclude`; and with a filter and a tool without files.
A plant counts as caught only if the untouched workspace does not show the same evidence. Two Markdown tables are printed: the
plants, and what genti reports about the untouched workspaces. The exit code is 1 if a plant was missed.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

PLANTS = [
    "a filter that matches no test",
    "a test file under `#![cfg(feature)]`",
    "a test file whose tests are all ignored",
    "`harness = false` without output",
    "`doctest = false`",
    "a tool whose directory has moved",
    "`RUSTFLAGS=-Awarnings`",
    "a package left out by `--exclude`",
    "an orphan file that does not parse",
    "a member that no tool builds",
]
MEMBER = """[package]
name = "planted"
version = "0.0.0"
edition = "2021"
publish = false

[features]
gui = []

[[bin]]
name = "planted"
path = "src/main.rs"
required-features = ["gui"]
"""


class Copy:
    """A copy of a workspace, and the library in which the checks are planted."""

    def __init__(self, binary, source, directory):
        self.binary = binary
        self.root = os.path.join(directory, os.path.basename(source.rstrip("/")))
        subprocess.run(["git", "clone", "-q", "--shared", source, self.root], check=True)
        metadata = json.loads(self.cargo("metadata", "--no-deps", "--format-version=1"))
        libraries = [
            package
            for package in metadata["packages"]
            if any({"lib", "rlib"} & set(target["kind"]) and target["doctest"] for target in package["targets"])
        ]
        if not libraries:
            sys.exit(f"{source}: no library with doc tests to disable")
        # The library in the root, or else the first by name.
        key = lambda package: (os.path.dirname(package["manifest_path"]) != self.root, package["name"])
        self.package = min(libraries, key=key)
        self.dir = os.path.relpath(os.path.dirname(self.package["manifest_path"]), self.root)
        self.members = len(metadata["packages"])
        self.commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=self.root, check=True, capture_output=True, text=True
        ).stdout.strip()

    def cargo(self, *args):
        return subprocess.run(["cargo", *args], cwd=self.root, check=True, capture_output=True, text=True).stdout

    def path(self, *parts):
        return os.path.normpath(os.path.join(self.root, *parts))

    def relative(self, *parts):
        return os.path.relpath(self.path(self.dir, *parts), self.root)

    def write(self, path, text):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)

    def root_source(self):
        fits = [target for target in self.package["targets"] if {"lib", "rlib", "bin"} & set(target["kind"])]
        return os.path.relpath(fits[0]["src_path"], self.root)

    def root_source_in_package(self):
        return os.path.relpath(self.path(self.root_source()), self.path(self.dir))

    def run(self, command, *args, env=None):
        shutil.rmtree(self.path("target/genti/artifacts"), ignore_errors=True)
        child = subprocess.run(
            [self.binary, "genti", command, *args],
            cwd=self.root,
            capture_output=True,
            text=True,
            env=dict(os.environ, **(env or {})),
        )
        try:
            with open(self.path("target/genti/artifacts/report.json")) as file:
                report = json.load(file)
        except OSError:
            sys.exit(f"{self.root}: exit {child.returncode}\n{child.stderr}")
        return Outcome(child.returncode, report, child.stderr)


class Outcome:
    """Exit code, report and messages of a run."""

    def __init__(self, code, report, text):
        self.code, self.report, self.text = code, report, text
        self.spots = {(spot["kind"], spot["path"], spot["reason"]) for spot in report["blind_spots"] or []}
        self.findings = {(found["ns"], found["rule"], found["path"]) for found in report["findings"]}
        self.incomplete = {
            (tool["name"], gap["unit"], gap["reason"]) for tool in report["tools"] for gap in tool["incomplete"]
        }

    def spot(self, kind, path, before):
        found = {spot for spot in self.spots - before.spots if spot[:2] == (kind, path)}
        return f"blind spot `{kind}`" if found else None

    def finding(self, rule, path, before):
        found = {finding for finding in self.findings - before.findings if finding[1:] == (rule, path)}
        return f"finding `{min(found)[0]}::{rule}`" if found else None

    def gap(self, tool, text, before):
        fits = {gap for gap in self.incomplete - before.incomplete if gap[0] == tool and text in gap[2]}
        return f"`{tool}` incomplete, exit {self.code}" if fits and self.code == 3 else None


def plant_sources(copy):
    """Adds all plants that are in the sources."""
    ignored = "#[test]\n#[ignore]\nfn planted() {}\n"
    copy.write(copy.path(copy.dir, "tests/planted_feature.rs"), '#![cfg(feature = "planted")]\n\n#[test]\nfn planted() {}\n')
    copy.write(copy.path(copy.dir, "tests/planted_ignored.rs"), ignored)
    copy.write(copy.path(copy.dir, "tests/planted_harness.rs"), "fn main() {}\n")
    copy.write(copy.path(copy.dir, os.path.dirname(copy.root_source_in_package()), "planted_orphan.rs"), "this does not parse(\n")
    edit_manifest(copy)
    with open(copy.path(copy.root_source()), "a") as file:
        file.write("\nfn planted_and_never_used() {}\n")
    member(copy)


def edit_manifest(copy):
    path = copy.path(copy.dir, "Cargo.toml")
    with open(path) as file:
        text = file.read()
    targets = '\n[[test]]\nname = "planted_harness"\nharness = false\n'
    if not tomllib.loads(text).get("package", {}).get("autotests", True):
        for name in ("planted_feature", "planted_ignored"):
            targets += f'\n[[test]]\nname = "{name}"\n'
    if "[features]" in text:
        text = text.replace("[features]", "[features]\nplanted = []", 1)
    else:
        text += "\n[features]\nplanted = []\n"
    if re.search(r"^\[lib\]", text, re.M):
        text = re.sub(r"^\[lib\]", "[lib]\ndoctest = false", text, count=1, flags=re.M)
    else:
        text += "\n[lib]\ndoctest = false\n"
    copy.write(path, text + targets)


def member(copy):
    """Adds a member `planted` without a target that is built."""
    copy.write(copy.path("planted/Cargo.toml"), MEMBER)
    copy.write(copy.path("planted/src/main.rs"), "fn main() {}\n")
    path = copy.path("Cargo.toml")
    with open(path) as file:
        text = file.read()
    manifest = tomllib.loads(text)
    if "workspace" not in manifest:
        text += '\n[workspace]\nmembers = ["planted"]\n'
    elif "members" not in manifest["workspace"]:
        text = re.sub(r"^\[workspace\]", '[workspace]\nmembers = ["planted"]', text, count=1, flags=re.M)
    else:
        text = re.sub(r"^(members\s*=\s*\[)", r'\1"planted", ', text, count=1, flags=re.M)
    copy.write(path, text)
    # Updates the lock file, in which only the member is new.
    copy.cargo("metadata", "--format-version=1")


def check(copy):
    copy.cargo("metadata", "--format-version=1")
    subprocess.run(["git", "add", "-A"], cwd=copy.root, check=True)
    print(f"{copy.root}: untouched", file=sys.stderr)
    before = copy.run("run")

    plant_sources(copy)
    print(f"{copy.root}: plants in the sources", file=sys.stderr)
    in_sources = copy.run("run", env={"RUSTFLAGS": "-Awarnings"})
    tests = lambda name: copy.relative("tests", name)
    source = copy.root_source()
    orphan = copy.relative(os.path.dirname(copy.root_source_in_package()), "planted_orphan.rs")
    evidence = {
        1: in_sources.finding("empty-test-target", tests("planted_feature.rs"), before),
        2: in_sources.finding("empty-test-target", tests("planted_ignored.rs"), before),
        3: in_sources.spot("untested-target", tests("planted_harness.rs"), before),
        4: in_sources.spot("untested-target", source, before),
        6: in_sources.finding("dead_code", source, before),
        8: in_sources.spot("unseen-file", orphan, before),
        9: in_sources.spot("unseen-package", "planted/Cargo.toml", before),
    }

    print(f"{copy.root}: a package excluded with --exclude", file=sys.stderr)
    excluded = copy.run("run", "--exclude", copy.package["name"])
    evidence[7] = excluded.spot("unseen-package", copy.relative("Cargo.toml"), before)

    subprocess.run(["git", "checkout", "-q", "."], cwd=copy.root, check=True)
    subprocess.run(["git", "clean", "-qfd"], cwd=copy.root, check=True)
    config = '[tools.test]\nargs = ["planted_and_nowhere"]\n\n[tools.planted]\nrun = ["true", "{files}"]\nfiles = ["moved/**/*.sh"]\n'
    copy.write(copy.path(".config/genti.toml"), config)
    print(f"{copy.root}: a filter, and a tool without files", file=sys.stderr)
    configured = copy.run("check")
    evidence[0] = configured.gap("test", "no test ran", before)
    empty = [tool for tool in configured.report["tools"] if tool["name"] == "planted" and tool["verdict"] == "empty"]
    evidence[5] = f"`planted` empty, exit {configured.code}" if empty and configured.code == 3 else None
    return before, [evidence[at] for at in range(len(PLANTS))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("workspaces", nargs="+")
    parser.add_argument("--keep", help="directory in which the copies are made and kept")
    args = parser.parse_args()
    binary = os.path.abspath(args.binary)
    with tempfile.TemporaryDirectory() as scratch:
        directory = args.keep or scratch
        results = []
        for source in args.workspaces:
            copy = Copy(binary, os.path.abspath(source), directory)
            results.append((copy, *check(copy)))
    names = [os.path.basename(copy.root) for copy, *_ in results]
    print("| planted | " + " | ".join(names) + " |\n| --- |" + " --- |" * len(names))
    for at, plant in enumerate(PLANTS):
        print(f"| {plant} | " + " | ".join(evidence[at] or "**missed**" for *_, evidence in results) + " |")
    print("\n| workspace | revision | members | reports for the untouched workspace |\n| --- | --- | --- | --- |")
    for copy, before, _ in results:
        own = sorted(f"`genti::{rule}` {path}" for ns, rule, path in before.findings if ns == "genti")
        spots = sorted(f"`{kind}` {path}: {reason}" for kind, path, reason in before.spots)
        print(f"| {os.path.basename(copy.root)} | `{copy.commit[:10]}` | {copy.members} | {'<br>'.join(own + spots) or 'nothing'} |")
    found = sum(one is not None for *_, evidence in results for one in evidence)
    print(f"\n{found} of {len(PLANTS) * len(results)} reported or listed")
    sys.exit(found < len(PLANTS) * len(results))


if __name__ == "__main__":
    main()
