#!/usr/bin/env python3
"""Measures shards: the processor time of a real workspace that is cut into shards, and runs in virtual time of many runners.

    benches/shards.py real target/release/cargo-genti WORKSPACE [--shards 1,2,3,5,8] [--keep FILE]
    benches/shards.py simulate target/release/cargo-genti WORKSPACE TASKS_JSONL [--runners 1,4,16,64] [--slots 2]

`real` copies the workspace, and for each number of shards runs each shard with an empty target directory and without the
result cache, as a new machine would. It merges them, and checks that `run.json`, `report.json` and `tasks.jsonl` without
`timing` are the bytes of an unsharded run. Printed are the processor times of all processes (getrusage of the children).
`--keep` stores the `tasks.jsonl` of the unsharded run.

`simulate` starts nothing. It takes the durations of a real run from its `tasks.jsonl`, divides the plan of the workspace
with `--balance`, and runs each shard in virtual time: steps start in the order of their ranks as soon as one of the slots is
free, the tools that they need have ended, and no other step of their lane runs. Every runner builds what its tests need. The
critical path is the longest chain of steps of which each needs the one before.
"""

import argparse
import collections
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile

NAMES = ["run.json", "report.json", "tasks.jsonl"]


def spent():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def without_timing(path):
    def line(text):
        value = json.loads(text)
        value.pop("timing", None)
        return json.dumps(value, sort_keys=True)

    with open(path, encoding="utf-8") as file:
        text = file.read()
    return [line(one) for one in text.splitlines()] if path.endswith(".jsonl") else text


def real(args):
    with tempfile.TemporaryDirectory(prefix="genti-shards-") as top:
        root = os.path.join(top, "workspace")
        shutil.copytree(args.workspace, root, ignore=shutil.ignore_patterns("target"), symlinks=True)
        target = os.path.join(root, "target")
        artifacts = os.path.join(target, "genti", "artifacts")

        def genti(*words):
            before = spent()
            done = subprocess.run([args.binary, "genti", *words], cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            return done.returncode, spent() - before, done.stderr.decode(errors="replace")

        def fresh():
            shutil.rmtree(target, ignore_errors=True)

        fresh()
        code, alone, _ = genti("run", "--no-cache")
        expected = {name: without_timing(os.path.join(artifacts, name)) for name in NAMES}
        if args.keep:
            shutil.copy(os.path.join(artifacts, "tasks.jsonl"), args.keep)
        print(f"unsharded: exit {code}, {alone:.1f} s of processor time")
        for count in args.counts:
            shards, times = os.path.join(top, f"shards-{count}"), []
            balance = ["--balance", args.keep] if args.keep else []
            for index in range(1, count + 1):
                fresh()
                _, time, _ = genti("run", "--no-cache", "--shard", f"{index}/{count}", *balance)
                times.append(time)
                os.makedirs(os.path.join(shards, str(index)))
                shutil.copy(os.path.join(artifacts, "shard.jsonl"), os.path.join(shards, str(index)))
            fresh()
            merged, _, said = genti("merge", shards)
            same = merged == code and all(without_timing(os.path.join(artifacts, name)) == expected[name] for name in NAMES)
            each = ", ".join(f"{time:.1f}" for time in times)
            ratio = sum(times) / alone
            print(f"{count} shards: {sum(times):.1f} s ({ratio:.2f} x), longest {max(times):.1f} s; {each}; same bytes: {same}")
            if not same:
                sys.exit(said)


def durations(path):
    """Microseconds of each task: its share of the time of its process."""
    processes = collections.defaultdict(list)
    with open(path, encoding="utf-8") as file:
        for line in map(json.loads, file):
            timing = line.get("timing") or {}
            if line["kind"] == "task" and timing.get("attempts") and timing.get("cache") != "hit":
                process = (line["tool"], line["batch_id"], timing["start_us"], timing["slot"])
                processes[process].append((line["tool"], line["unit"], timing["duration_us"]))
    return {(tool, unit): time / len(tasks) for tasks in processes.values() for tool, unit, time in tasks}


def simulate(args):
    times = durations(args.tasks)

    def plan(*words):
        command = [args.binary, "genti", "plan", "--format", "json", *words]
        return json.loads(subprocess.check_output(command, cwd=args.workspace))

    with open(os.path.join(os.path.dirname(args.tasks), "run.json"), encoding="utf-8") as file:
        needs = {tool["name"]: tool["needs"] for tool in json.load(file)["tools"]}

    def steps(plan):
        found = []
        for batch in plan["batches"]:
            for step in batch["steps"]:
                time = sum(times.get((step["tool"], task["unit"]), 0) for task in step["tasks"])
                found.append((step["tool"], step.get("lane"), time))
        return found

    def makespan(steps):
        left = collections.Counter(tool for tool, _, _ in steps)
        waiting, running, lanes, now = list(steps), [], set(), 0
        while waiting or running:
            for step in list(waiting):
                tool, lane, time = step
                is_ready = not any(left[need] for need in needs[tool]) and lane not in lanes
                if len(running) < args.slots and is_ready:
                    waiting.remove(step)
                    running.append((now + time, tool, lane))
                    if lane:
                        lanes.add(lane)
            now, tool, lane = min(running, key=lambda one: one[0])
            running.remove((now, tool, lane))
            left[tool] -= 1
            lanes.discard(lane)
        return now

    whole = steps(plan())
    of_tool = collections.defaultdict(float)
    for tool, _, time in whole:
        of_tool[tool] = max(of_tool[tool], time)

    def chain(tool):
        return of_tool[tool] + max((chain(need) for need in needs[tool] if need in of_tool), default=0)

    critical = max(chain(tool) for tool in of_tool)
    print(f"{len(whole)} steps, {sum(time for _, _, time in whole) / 1e6:.1f} s, critical path {critical / 1e6:.1f} s")
    for count in args.counts:
        shards = [steps(plan("--shard", f"{at}/{count}", "--balance", args.tasks)) for at in range(1, count + 1)]
        longest = max(makespan(shard) for shard in shards)
        work = sum(time for shard in shards for _, _, time in shard)
        used = sum(bool(shard) for shard in shards)
        print(
            f"{count} runners ({used} used): makespan {longest / 1e6:.1f} s, {longest / critical:.2f} x critical path, "
            f"work {work / 1e6:.1f} s"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    numbers = lambda text: [int(one) for one in text.split(",")]
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("real")
    command.add_argument("binary", type=os.path.abspath)
    command.add_argument("workspace")
    command.add_argument("--shards", dest="counts", type=numbers, default=[1, 2, 3, 5, 8])
    command.add_argument("--keep", type=os.path.abspath)
    command.set_defaults(run=real)
    command = commands.add_parser("simulate")
    command.add_argument("binary", type=os.path.abspath)
    command.add_argument("workspace")
    command.add_argument("tasks", type=os.path.abspath)
    command.add_argument("--runners", dest="counts", type=numbers, default=[1, 4, 16, 64])
    command.add_argument("--slots", type=int, default=2)
    command.set_defaults(run=simulate)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
