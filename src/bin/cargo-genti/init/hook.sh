#!/bin/sh
# Checks what is staged, in a copy of git's index. Written by `cargo genti init --pre-commit` VERSION.
# `git commit --no-verify` skips it.
set -eu
top=$(git rev-parse --show-toplevel)
place=PLACE
target=${CARGO_TARGET_DIR:-$top/$place/target}
case $target in
    /* | ?:*) ;;
    *) target=$PWD/$target ;;
esac
copy=$(mktemp -d "${TMPDIR:-/tmp}/genti-staged.XXXXXX")
trap 'rm -rf "$copy"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
# Git names the index of this commit in GIT_INDEX_FILE: `git commit -a` and `git commit FILE` have one of their own.
git checkout-index --all --prefix="$copy/"
# Without these variables, git in the copy does not act on the repository.
unset $(git rev-parse --local-env-vars)
if [ ! -e "$copy/$place/Cargo.toml" ]; then
    echo "nothing to check: no workspace is staged at $place" >&2
    exit 0
fi
# `check` requires Cargo.lock, even if git ignores it.
if [ ! -e "$copy/$place/Cargo.lock" ] && [ -e "$top/$place/Cargo.lock" ]; then
    cp "$top/$place/Cargo.lock" "$copy/$place/Cargo.lock"
fi
cd "$copy/$place"
# Builds and results are kept for the next commit, apart from those of the working tree.
code=0
CARGO_TARGET_DIR=$target/genti-staged cargo genti check || code=$?
if [ "$code" != 0 ]; then
    echo 'note: this is about what is staged, so stage the fixes too; `git commit --no-verify` skips the check' >&2
fi
exit "$code"
