#!/usr/bin/env python3
"""Lists text of this repository, for somebody to judge how it reads.

    benches/words.py comments [COUNT [SEED]]    random comments and doc comments of src/
    benches/words.py strings                    strings of src/ that users may see

Comments of several lines are one comment. Strings are those with at least two spaces outside of tests.
"""

import random
import re
import sys
from pathlib import Path

SRC = Path(__file__).resolve().parent.parent / "src"


def sources():
    for path in sorted(SRC.rglob("*.rs")):
        if not any("test" in part for part in path.parts):
            yield path.relative_to(SRC), path.read_text().split("#[cfg(test)]\nmod tests")[0]


def comments():
    for path, text in sources():
        comment = []
        for number, line in enumerate([*text.splitlines(), ""], 1):
            found = re.match(r"\s*//[/!]? ?(.*)", line)
            if found:
                comment.append(found[1])
            elif comment:
                yield f"{path}:{number - len(comment)}: {' '.join(comment)}"
                comment = []


def strings():
    for path, text in sources():
        text = re.sub(r"^\s*(//|#!?\[(doc|expect|cfg_attr)).*$", "", text, flags=re.M)
        for found in re.finditer(r'"((?:[^"\\]|\\.)*)"', text):
            if found[1].count(" ") >= 2:
                yield f"{path}: {' '.join(found[1].split())}"


if __name__ == "__main__":
    if sys.argv[1:2] == ["strings"]:
        print(*dict.fromkeys(strings()), sep="\n")
    else:
        count, seed = [*map(int, sys.argv[2:]), 100, 1][:2] if len(sys.argv) < 4 else map(int, sys.argv[2:4])
        print(*random.Random(seed).sample(list(comments()), count), sep="\n")
