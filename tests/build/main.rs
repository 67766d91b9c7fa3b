//! Tests of `genti::build` with the build scripts of the fixtures, run by cargo.

// One fixture calls `awk`, and some tests use signals and `make`.
#![cfg(unix)]
#![expect(clippy::disallowed_methods, reason = "tests start processes and read files")]

mod checked_in;
mod citizen;
mod dependencies;
mod determinism;
mod examples;
mod instructions;
mod interrupted;
mod lifecycle;
mod published;
mod support;
mod tool;
