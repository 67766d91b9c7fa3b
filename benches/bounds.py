#!/usr/bin/env python3
"""Measures time and memory of runs with excessive input, and how soon such runs end after a signal.

    benches/bounds.py target/release/cargo-genti [CASE...]

Each case is a workspace in a temporary directory. Prints seconds and the peak of resident memory (getrusage of the child).
`signals` prints, for each phase of a run, the time from the signals, or from the end of `--max-duration`, to the exit.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PATTERN = r"^(?<path>[^:]+):(?<line>\d+):(?<column>\d+): (?<rule>[a-z_]+): (?<message>.+)$"
OFF = "".join(f"[tools.{tool}]\nenabled = false\n" for tool in ["fmt", "clippy", "doc", "test", "doctest"])


PRINTED = []


def workspace(config, files=()):
    root = Path(tempfile.mkdtemp(prefix="genti-bounds-"))
    (root / "src").mkdir()
    (root / "src/lib.rs").write_text("//! Empty.\n" * 10)
    (root / "Cargo.toml").write_text('[package]\nname = "bounds"\nversion = "0.1.0"\nedition = "2021"\n[workspace]\n')
    (root / "Cargo.lock").write_text('version = 4\n\n[[package]]\nname = "bounds"\nversion = "0.1.0"\n')
    (root / "genti.toml").write_text(OFF + config)
    for path, text in files:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def tool(output, parse, name="loud"):
    return f"[tools.{name}]\nrun = [\"cat\", \"{output}\"]\nparse = {parse}\n"


REGEX = "{ regex = '" + PATTERN + "' }"
OTHER_FORMATS = {
    "sarif": '"sarif"',
    "exit-code": '"exit-code"',
    "number": "{ number = '(?<value>[0-9]+)%', name = 'coverage', better = 'higher' }",
}
RAISED = "[policy]\nmax-findings = 4000000\n"


def printed(lines):
    """Writes the output of a tool to a file outside of any workspace, and returns its path."""
    handle, path = tempfile.mkstemp(prefix="genti-bounds-")
    PRINTED.append(path)
    with os.fdopen(handle, "w") as file:
        for line in lines:
            file.write(line)
    return path


def findings(count):
    word = "a message that is about as long as those of clippy are, with `code` and all that in it"
    return (f"src/f{n % 997}.rs:{n // 997 + 1}:{n % 80 + 1}: rule_{chr(97 + n % 20)}: {word} {n} {word}\n" for n in range(count))


def garbage(size):
    for n in range(size // 100):
        yield f"{n:x}".ljust(99, "#") + "\n"


CASES = {
    "idle": lambda: (workspace(tool("/dev/null", '"lines"')), []),
    "findings": lambda: (workspace(RAISED * KNOWS_CAP + tool(printed(findings(300_000)), REGEX)), []),
    "sarif": lambda: (workspace(RAISED * KNOWS_CAP + tool(printed(findings(111_215)), REGEX)), ["--report", "sarif=/tmp/genti-bounds.sarif"]),
    "html": lambda: (workspace(RAISED * KNOWS_CAP + tool(printed(findings(111_215)), REGEX)), ["--report", "html=/tmp/genti-bounds.html"]),
    "garbage": lambda: (workspace(tool(printed(garbage(200_000_000)), REGEX)), []),
    **{
        f"garbage-{name}": lambda parse=parse: (workspace(tool(printed(garbage(200_000_000)), parse)), [])
        for name, parse in OTHER_FORMATS.items()
    },
    "equal": lambda: (workspace(tool(printed("src/lib.rs:3:1: rule: equal\n" for _ in range(250_000_000 // 28)), REGEX)), []),
}


def measure(command, root):
    start = time.monotonic()
    child = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    _, status, usage = os.wait4(child.pid, 0)
    took = time.monotonic() - start
    return took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000, os.waitstatus_to_exitcode(status)


def environment():
    return {key: value for key, value in os.environ.items() if not key.startswith("GENTI_")}


def million(binary):
    tools = "".join(f"[tools.t{n}]\nrun = [\"true\", \"{{file}}\"]\nper = \"file\"\nfiles = [\"**/*.txt\"]\n" for n in range(10))
    root = workspace(tools, ((f"d{n // 100}/f{n}.txt", "") for n in range(100_000)))
    return root, [binary, "genti", "plan", "--format", "json"]


def signals(binary):
    slow = RAISED + tool(printed(findings(300_000)), REGEX)
    for phase, event in PHASES.items():
        seen = 0
        for stop in ["INT INT", "TERM TERM", "INT", "--max-duration"]:
            root = workspace(slow)
            cap = seen + 0.2 if stop.startswith("--") else None
            took, code, end, at = stopped(binary, root, event, [] if cap else stop.split(), cap)
            seen = seen or at
            print(f"{phase:10} {stop:15} {took:6.2f} s  exit {code}  {end}", flush=True)
            shutil.rmtree(root)


PHASES = {"reading": "step-reading", "comparing": "comparing", "writing": None}


def stopped(binary, root, event, names, cap):
    """Stops a run in a phase.

    Returns the seconds until it exits, its exit code, the status in its artifacts, and when the phase began.
    """
    command = [binary, "genti", "run", "--message-format", "json", "--no-cache"]
    command += ["--max-duration", f"{cap * 1000:.0f}ms"] if cap else []
    began = time.monotonic()
    child = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment(), text=True)
    for line in child.stdout:
        if f'"{event or "comparing"}"' in line:
            break
    artifacts = root / "target/genti/artifacts"
    while event is None and child.poll() is None and not any(artifacts.glob(".genti-unfinished-*")):
        time.sleep(0.002)
    at = time.monotonic() - began
    for number, name in enumerate(names):
        # Two equal signals at once are one.
        time.sleep(0.05 * min(number, 1))
        child.send_signal(getattr(signal, f"SIG{name}"))
    child.stdout.read()
    code = child.wait()
    took = time.monotonic() - began - (cap or at)
    try:
        end = json.loads((artifacts / "run.json").read_text())["end"]["status"]
    except OSError:
        end = "no artifacts"
    return took, code, end, at


if __name__ == "__main__":
    binary = os.path.abspath(sys.argv[1])
    KNOWS_CAP = b"max-findings" in Path(binary).read_bytes()
    for name in sys.argv[2:] or [*CASES, "million", "signals"]:
        if name == "signals":
            signals(binary)
            continue
        root, rest = CASES[name]() if name in CASES else million(binary)
        command = rest if name == "million" else [binary, "genti", "run", "--no-cache", *rest]
        took, cpu, peak, code = measure(command, root)
        print(f"{name:10} {took:7.1f} s  {cpu:7.1f} s cpu  {peak:8.0f} MB  exit {code}", flush=True)
        shutil.rmtree(root)
    for path in PRINTED:
        os.remove(path)
