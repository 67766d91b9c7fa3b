//! The GitHub workflow that `init` writes. Knows no disk.

use std::path::{Path, PathBuf};

use super::surroundings::Surroundings;

/// The variable of the GitHub repository that says where genti is installed from.
pub(super) const VARIABLE: &str = "GENTI_REPOSITORY";

/// Where it is written, in the repository at `top`.
pub(super) fn place(top: &Path) -> PathBuf {
    top.join(".github/workflows/genti.yml")
}

/// The text for what was `found`.
pub(super) fn render(found: &Surroundings) -> String {
    let is_top = found.dir == ".";
    let target = if is_top { "target".to_owned() } else { format!("{}/target", found.dir) };
    let manifest = match is_top {
        true => String::new(),
        false => format!(" --manifest-path '{}/Cargo.toml'", found.dir.replace('\'', "'\\''")),
    };
    let installs: String = found
        .tools
        .iter()
        .filter_map(|tool| tool.install.as_deref()?.strip_prefix("cargo install "))
        .map(|what| format!("          cargo +stable install --root ~/.cache/genti {what}\n"))
        .collect();
    let lockfile = match found.ignores_lockfile {
        false => String::new(),
        true => format!(
            "          # It is not in the repository, and `check` makes none.\n          cargo generate-lockfile{manifest}\n"
        ),
    };
    TEMPLATE
        .replace("VERSION", env!("CARGO_PKG_VERSION"))
        .replace("          INSTALLS\n", &installs)
        .replace("          LOCKFILE\n", &lockfile)
        .replace("VARIABLE", VARIABLE)
        // What is not ours comes last.
        .replace("TARGET", &target)
        .replace("MANIFEST", &manifest)
}

/// Actions are pinned by the hash of a commit, the version behind it.
const TEMPLATE: &str = r#"# Written by `cargo genti init --github` VERSION.
name: genti

on:
  push:
    branches: [main, master]
  pull_request:
  merge_group:

permissions:
  contents: read

concurrency:
  group: ${{ github.workflow }}-${{ github.ref }}
  cancel-in-progress: true

env:
  CARGO_TERM_COLOR: always
  # The branch whose caches are used: that of a push, else that of what is to be merged.
  BRANCH: ${{ github.event_name == 'push' && github.ref_name || github.base_ref || github.event.repository.default_branch }}

jobs:
  check:
    name: cargo genti check
    runs-on: ubuntu-24.04
    timeout-minutes: 45
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0
        with:
          persist-credentials: false
      # Pull requests and the merge queue only read caches: whoever can write to one decides what the next run finds.
      - name: Restore what was installed and built
        id: built
        uses: actions/cache/restore@0057852bfaa89a56745cba8c7296529d2fc39830 # v4.3.0
        with:
          path: |
            ~/.cache/genti
            ~/.cargo/registry/cache
            ~/.cargo/registry/index
            TARGET/genti/build
          key: genti-${{ runner.os }}-${{ hashFiles('**/Cargo.lock', '**/rust-toolchain*') }}
          restore-keys: genti-${{ runner.os }}-
      - name: Restore the results of earlier runs
        uses: actions/cache/restore@0057852bfaa89a56745cba8c7296529d2fc39830 # v4.3.0
        with:
          path: TARGET/genti/cache
          key: genti-known-${{ runner.os }}-${{ env.BRANCH }}-${{ github.run_id }}-${{ github.run_attempt }}
          restore-keys: genti-known-${{ runner.os }}-${{ env.BRANCH }}-
      - name: Install genti
        env:
          # Settings, Secrets and variables, Actions, Variables: the URL of the repository that genti comes from.
          VARIABLE: ${{ vars.VARIABLE }}
        run: |
          if [ -z "$VARIABLE" ]; then
            echo "::error::set the variable VARIABLE of this repository to the URL that genti is cloned from"
            exit 1
          fi
          rustup toolchain install stable --profile minimal
          # `--rev` or `--tag` keeps it at one version.
          cargo +stable install --root ~/.cache/genti --locked --git "$VARIABLE" genti
          INSTALLS
          echo "$HOME/.cache/genti/bin" >> "$GITHUB_PATH"
      - name: Install what Rust brings along
        run: rustup component add clippy rustfmt
      - name: Check
        run: |
          LOCKFILE
          cargo genti checkMANIFEST
      - name: Keep what is installed and built for the next run
        if: ${{ !cancelled() && github.event_name == 'push' && steps.built.outputs.cache-hit != 'true' }}
        uses: actions/cache/save@0057852bfaa89a56745cba8c7296529d2fc39830 # v4.3.0
        with:
          path: |
            ~/.cache/genti
            ~/.cargo/registry/cache
            ~/.cargo/registry/index
            TARGET/genti/build
          key: ${{ steps.built.outputs.cache-primary-key }}
      - name: Keep the results for the next run
        if: ${{ !cancelled() && github.event_name == 'push' }}
        uses: actions/cache/save@0057852bfaa89a56745cba8c7296529d2fc39830 # v4.3.0
        with:
          path: TARGET/genti/cache
          key: genti-known-${{ runner.os }}-${{ env.BRANCH }}-${{ github.run_id }}-${{ github.run_attempt }}
      - name: Keep the artifacts
        if: always()
        uses: actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02 # v4.6.2
        with:
          name: genti
          path: TARGET/genti/artifacts
          if-no-files-found: ignore
"#;
