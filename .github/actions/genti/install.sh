#!/usr/bin/env bash
# Installs a release of genti: `install.sh VERSION DIRECTORY URL`, where URL is above the directories of the releases. Exits
# with 3 if there is no archive for this platform, and with 1 if an archive is not the one that was released.
set -euo pipefail
version=v${1#v}
bin=$2/bin
releases=$3

case $(uname -s)-$(uname -m) in
    # The first one needs a recent glibc, the second one nothing.
    Linux-x86_64) targets=(x86_64-unknown-linux-gnu x86_64-unknown-linux-musl) ;;
    Linux-aarch64 | Linux-arm64) targets=(aarch64-unknown-linux-gnu aarch64-unknown-linux-musl) ;;
    Darwin-x86_64) targets=(x86_64-apple-darwin) ;;
    Darwin-arm64) targets=(aarch64-apple-darwin) ;;
    MINGW*-x86_64 | MSYS*-x86_64) targets=(x86_64-pc-windows-msvc) ;;
    *) targets=() ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
get() { curl --fail --silent --show-error --location --retry 3 --output "$work/$1" "$releases/$version/$1"; }
sha256() { if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi; }

for target in ${targets[@]+"${targets[@]}"}; do
    name=cargo-genti-$version-$target
    exe=cargo-genti
    archive=$name.tar.gz
    case $target in *-windows-*) exe=cargo-genti.exe archive=$name.zip ;; esac
    get "$archive" || continue
    get "$archive.sha256" || { echo "error: $archive has no digest, so it was not installed" >&2; exit 1; }
    actual=$(cd "$work" && sha256 "$archive")
    read -r expected _ < "$work/$archive.sha256"
    if [ "${actual%% *}" != "$expected" ]; then
        echo "error: $archive has the digest ${actual%% *} instead of $expected, so it was not installed" >&2
        exit 1
    fi
    case $archive in
        *.zip) unzip -q "$work/$archive" -d "$work" ;;
        *) tar -xzf "$work/$archive" -C "$work" ;;
    esac
    "$work/$name/$exe" --version || continue
    mkdir -p "$bin"
    mv "$work/$name/$exe" "$bin/$exe"
    exit 0
done
echo "there is no archive of genti $version for this platform" >&2
exit 3
