//! `genti::build` from outside: the fixtures' build scripts, run by cargo.

// One fixture calls `awk`, and some tests are about signals and `make`.
#![cfg(unix)]
#![expect(clippy::disallowed_methods, reason = "tests start processes and read files")]

mod checked_in;
mod citizen;
mod dependencies;
mod determinism;
mod interrupted;
mod lifecycle;
mod support;
mod tool;
