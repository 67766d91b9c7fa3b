#!/usr/bin/env python3
"""Compares the states that genti reports for real commits (new, fixed) with what the commits changed.

    benches/history.py REPOSITORY --steps 30 [--back 30] [--members a,b] [--genti target/release/cargo-genti]

REPOSITORY must be a clone that nothing else uses, because commits are checked out in it. All clippy findings of the oldest
commit are accepted, including `clippy::pedantic` and `clippy::nursery`. For each further first-parent commit that changes a
`.rs` file or a `Cargo.toml`, genti runs and reports the state of each finding, and then the baseline is updated (`accept`,
`update`).

The expected states come from git alone: `git diff` maps the lines of each commit to those of the commit before. Findings with
an unexpected state are printed with their commit, for review:

- *moved*: new, but the same unchanged lines already had a finding of the same rule and message;
- *edited*: new, its lines were edited, and a finding of the same rule and message is gone from the lines they replace. It
  is an old finding, unless the edit introduced it again; review the change;
- *near*: matched by the last pass, by similarity; review whether the two are the same finding;
- *lost*: fixed, but the same unchanged lines still have a finding of the same rule;
- *standing*: fixed, but its lines are unchanged; review why it is no longer reported;
- *unseen entry*: an entry whose code the run did not check, with the reason.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import subprocess
import sys

CONFIG = """[tools.clippy]
args = ["--", "-Wclippy::pedantic", "-Wclippy::nursery"]
"""
OTHERS = ["fmt", "doc", "test", "doctest", "deny", "audit", "typos", "machete"]


def git(repository, *args):
    return subprocess.run(["git", *args], cwd=repository, check=True, capture_output=True, text=True).stdout


def commits(repository, steps, back):
    """Returns the commits to check, oldest first."""
    log = git(repository, "log", "--first-parent", "--format=%h", f"-{steps + back + 1}", "origin/HEAD", "--", "*.rs", "*Cargo.toml")
    return log.split()[back:][::-1]


class Lines:
    """Mapping between the lines of one commit and those of the next."""

    def __init__(self, repository, before, after):
        self.renames, self.hunks = {}, collections.defaultdict(list)
        old = new = None
        diff = git(repository, "-c", "core.quotePath=false", "diff", "-M", "-U0", "--no-color", before, after, "--", "*.rs")
        for line in diff.splitlines():
            if line.startswith("--- "):
                old = line[6:] if line != "--- /dev/null" else None
            elif line.startswith("+++ "):
                new = line[6:] if line != "+++ /dev/null" else None
            elif line.startswith("rename from "):
                old = line[12:]
            elif line.startswith("rename to "):
                self.renames[line[10:]] = old
            elif found := re.match(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", line):
                a, b, c, d = (int(at) if at else 1 for at in found.groups())
                # If one side of a hunk is empty, git states the line before it.
                self.hunks[new or old].append((a + (b == 0), b, c + (d == 0), d))
                if new and old and new != old:
                    self.renames[new] = old

    def before(self, path, first, last):
        """Returns where the lines were before, as (path, first, last, is_unchanged)."""
        shift, unchanged, low, high = 0, True, None, None
        for a, b, c, d in self.hunks.get(path, []):
            if c + d <= first and not (d == 0 and c > first):
                shift = (a + b) - (c + d)
            elif c <= last or (d == 0 and c <= last):
                unchanged = False
                low = a if low is None else low
                high = a + b - 1
        if unchanged:
            return self.renames.get(path, path), first + shift, last + shift, True
        return self.renames.get(path, path), min(low, first + shift), max(high, low), False


def key(finding):
    return finding["path"], finding["rule"], finding["message"], finding["code"]


def span(finding):
    place = finding["range"]
    return (place["start"]["line"], place["end"]["line"]) if place else (1, 1)


def inverse(lines):
    """Returns the mapping in the other direction."""
    other = Lines.__new__(Lines)
    other.renames = {old: new for new, old in lines.renames.items()}
    other.hunks = collections.defaultdict(list)
    for path, hunks in lines.hunks.items():
        old = lines.renames.get(path, path)
        other.hunks[old] = [(c, d, a, b) for a, b, c, d in hunks]
    return other


def judge(repository, commit, before, report, lines, counts):
    """Compares the states of one commit with the expected ones."""
    now = [finding for finding in report["findings"] if finding["path"]]
    here = collections.defaultdict(list)
    for finding in before:
        here[(finding["path"], finding["rule"])].append(finding)
    gone = collections.Counter((g["path"], g["rule"], g["message"], g["code"]) for g in report["gone"] if g["state"] == "fixed")
    for finding in now:
        counts[finding["state"]] += 1
        if finding["matched_by"] == 7:
            path, first, last, _ = lines.before(finding["path"], *span(finding))
            same = [f for f in here[(path, finding["rule"])] if span(f)[0] <= last and span(f)[1] >= first]
            report_case("near", counts, commit, finding, f"{same[0]['code'] if same else '?'}  →  {finding['code']}")
        if finding["state"] != "new":
            continue
        path, first, last, unchanged = lines.before(finding["path"], *span(finding))
        same = [f for f in here[(path, finding["rule"])] if span(f)[0] <= last and span(f)[1] >= first]
        if unchanged and any(span(f) == (first, last) and f["message"] == finding["message"] for f in same):
            report_case("moved", counts, commit, finding, finding["code"])
        elif not unchanged:
            lost = [f for f in same if f["message"] == finding["message"] and gone[key_of(f)] > 0]
            if lost:
                report_case("edited", counts, commit, finding, f"{lost[0]['code']}  →  {finding['code']}")
    after = inverse(lines)
    there = collections.defaultdict(list)
    for finding in now:
        there[(finding["path"], finding["rule"])].append(finding)
    left = +gone
    for finding in before:
        if left[key_of(finding)] <= 0:
            continue
        path, first, last, unchanged = after.before(finding["path"], *span(finding))
        if unchanged and (repository / path).exists():
            same = [f for f in there[(path, finding["rule"])] if span(f) == (first, last)]
            report_case("lost" if same else "standing", counts, commit, finding, finding["code"])
        left[key_of(finding)] -= 1
    for entry in report["gone"]:
        counts[entry["state"]] += 1
        if entry.get("unseen"):
            report_case("unseen entry", counts, commit, entry, entry["unseen"])


def key_of(finding):
    # As in the baseline, numbers outside of backticks are ignored.
    message = re.sub(r":[0-9]+:[0-9]+(?:: [0-9]+:[0-9]+)?\b", "", finding["message"])
    message = re.sub(r"`[^`]*`|[0-9]+", lambda found: found[0] if found[0].startswith("`") else "#", message)
    return finding["path"], finding["rule"], message, finding["code"]


def report_case(kind, counts, commit, finding, text):
    counts[kind] += 1
    line = span(finding)[0] if finding.get("range") else ""
    print(f"{commit} {kind}: {finding['path']}:{line} {finding['rule']} [{finding['scope']}] {text[:900]}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--back", type=int, default=0, help="number of newest commits to leave out")
    parser.add_argument("--members", help="members to keep, separated by commas")
    parser.add_argument("--features", help="features to build with, separated by commas")
    parser.add_argument("--genti", type=pathlib.Path, default=pathlib.Path("target/release/cargo-genti"))
    args = parser.parse_args()
    repository, program = args.repository.resolve(), args.genti.resolve()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CARGO_", "RUSTFLAGS"))}
    environment["CARGO_HOME"] = os.environ.get("CARGO_HOME", str(pathlib.Path.home() / ".cargo"))
    environment["RUSTUP_TOOLCHAIN"] = os.environ.get("RUSTUP_TOOLCHAIN", "")
    environment = {name: value for name, value in environment.items() if value}

    def genti(*words):
        features = ["--features", args.features] if args.features else []
        command = [program, "genti", *words, *features]
        done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True)
        if done.returncode not in (0, 1):
            print(done.stdout[-2000:], done.stderr[-4000:], file=sys.stderr)
        return done.returncode

    def check_out(commit):
        git(repository, "checkout", "-q", "-f", commit)
        manifest = repository / "Cargo.toml"
        text = manifest.read_text()
        if args.members:
            members = ", ".join(f'"{member}"' for member in args.members.split(","))
            text = re.sub(r"(?ms)^members = \[.*?^\]", f"members = [{members}]", text, count=1)
        manifest.write_text(text)
        config = repository / ".config"
        config.mkdir(exist_ok=True)
        off = "".join(f"[tools.{tool}]\nenabled = false\n" for tool in OTHERS)
        features = json.dumps(args.features.split(",") if args.features else [])
        (config / "genti.toml").write_text(f"{CONFIG}{off}[baseline]\nfeatures = {features}\n")

    def report():
        return json.loads((repository / "target/genti/artifacts/report.json").read_text())

    counts, skipped, before, last = collections.Counter(), [], None, None
    for commit in commits(repository, args.steps, args.back):
        check_out(commit)
        if last is None:
            if genti("baseline", "init") != 0:
                sys.exit(f"{commit}: `baseline init` failed")
            genti("run")
            before, last = report()["findings"], commit
            print(f"{commit} accepted {len(before)}", flush=True)
            continue
        if genti("run") not in (0, 1):
            skipped.append(commit)
            print(f"{commit} skipped: the run has no result", flush=True)
            continue
        judged = report()
        judge(repository, commit, [f for f in before if f["path"]], judged, Lines(repository, last, commit), counts)
        print(f"{commit} {dict(collections.Counter(f['state'] for f in judged['findings']))} gone {dict(collections.Counter(g['state'] for g in judged['gone']))}", flush=True)
        genti("baseline", "accept", "--reason", commit)
        genti("baseline", "update")
        before, last = judged["findings"], commit
        counts["steps"] += 1
    print(json.dumps(counts, indent=1, sort_keys=True))
    print("skipped:", *skipped)


if __name__ == "__main__":
    main()
