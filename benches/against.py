#!/usr/bin/env python3
"""Compares the causes that `--against` gives to findings of real commits with what the commits changed.

    benches/against.py REPOSITORY --steps 30 [--back 30] [--genti target/release/cargo-genti]

REPOSITORY must be a clone that nothing else uses, because commits are checked out in it. There is no baseline, so each finding
of clippy, including `clippy::pedantic`, is new and gets a cause. Each first-parent commit that changes a `.rs` file or a
`Cargo.toml` is checked against the one before.

Whether the commit before had a finding comes from its own run and from `git diff`, which maps lines: it is *there*, *edited* or
*not there*. The last two are printed if the cause is not the change, because then something was excused that the commit caused. A
finding that was there and whose cause is the change is not wrong: something that its tool reads differs.
"""

import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys

from history import OTHERS, Lines, commits, git, span

CONFIG = '[tools.clippy]\nargs = ["--", "-Wclippy::pedantic"]\n'


def committed(repository, commit, parent, config):
    """Returns a commit with the files of `commit` and the configuration, after `parent`."""
    environment = os.environ | {"GIT_INDEX_FILE": str(repository / ".git/against-index")}
    names = {f"GIT_{who}_{what}": "genti" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment |= names | {"GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_DATE": "1700000000 +0000"}

    def run(*args, text=None):
        done = subprocess.run(["git", *args], cwd=repository, env=environment, input=text, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    run("read-tree", commit)
    blob = run("hash-object", "-w", "--stdin", text=config)
    run("update-index", "--add", "--cacheinfo", f"100644,{blob},.config/genti.toml")
    return run("commit-tree", run("write-tree"), "-m", commit, *(["-p", parent] if parent else []))


def judge(commit, before, now, lines, counts):
    """Counts the causes of one commit, and prints the wrong ones."""
    here = collections.defaultdict(list)
    for finding in before:
        here[finding["path"], finding["rule"], finding["message"]].append(finding)
    for finding in now:
        path, first, last, unchanged = lines.before(finding["path"], *span(finding))
        same = [f for f in here[path, finding["rule"], finding["message"]] if span(f)[0] <= last and span(f)[1] >= first]
        cause = finding["cause"]["kind"]
        was_there = bool(same) and unchanged
        counts[cause, "there" if was_there else "edited" if same else "not there"] += 1
        if cause != "change" and not was_there:
            print(f"{commit} {cause}: {finding['path']}:{first} {finding['rule']} {finding['message'][:200]}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--back", type=int, default=0, help="number of newest commits to leave out")
    parser.add_argument("--genti", type=pathlib.Path, default=pathlib.Path("target/release/cargo-genti"))
    args = parser.parse_args()
    repository, program = args.repository.resolve(), args.genti.resolve()
    config = CONFIG + "".join(f"[tools.{tool}]\nenabled = false\n" for tool in OTHERS)

    def genti(*words):
        command = [program, "genti", "run", *words]
        done = subprocess.run(command, cwd=repository, capture_output=True, text=True)
        if done.returncode not in (0, 1):
            print(done.stderr[-2000:], file=sys.stderr)
            return None
        report = json.loads((repository / "target/genti/artifacts/report.json").read_text())
        return [finding for finding in report["findings"] if finding["path"]]

    counts, skipped, before, last, parent = collections.Counter(), [], None, None, None
    for commit in commits(repository, args.steps, args.back):
        own = committed(repository, commit, parent, config)
        git(repository, "checkout", "-q", "-f", own)
        now = genti()
        if now is None:
            skipped.append(commit)
        elif before is not None:
            lines = Lines(repository, last, commit)
            judge(commit, before, genti("--against", parent) or [], lines, counts)
            print(f"{commit} {len(now)} findings", flush=True)
        if now is not None:
            before, last, parent = now, commit, own
    for at, count in sorted(counts.items(), key=str):
        print(*at, count)
    print("skipped:", *skipped)


main()
