//! `genti` runs every check of a Rust workspace as one task graph: **scan → normalize → compare → report**.
//!
//! The command line is `cargo genti`, and this is the engine behind it. The folders are the stages of the
//! pipeline. Imports only point down this list:
//!
#![cfg_attr(feature = "engine", doc = "| layer | what it does |")]
#![cfg_attr(feature = "engine", doc = "| --- | --- |")]
#![cfg_attr(feature = "engine", doc = "| [`pipeline`] | the one use case: load, plan, run, compare |")]
#![cfg_attr(feature = "engine", doc = "| [`cache`] | the result cache: keys, discovered inputs, the log |")]
#![cfg_attr(
    feature = "engine",
    doc = "| [`workspace`] | packages, files and digests, read from `cargo metadata` and the disk |"
)]
#![cfg_attr(feature = "engine", doc = "| [`scan`] | processes, the jobserver, lanes, time limits, signals |")]
#![cfg_attr(feature = "engine", doc = "| [`store`] | the artifact directory and baseline files |")]
#![cfg_attr(feature = "engine", doc = "| [`plan`] | configuration → tools → graph → order → batches; pure |")]
#![cfg_attr(feature = "engine", doc = "| [`normalize`] | a parser for each output format; pure |")]
#![cfg_attr(
    feature = "engine",
    doc = "| [`compare`] | identity of findings, matching with the baseline; pure |"
)]
#![cfg_attr(feature = "engine", doc = "| [`report`] | the artifacts' bytes; pure |")]
#![cfg_attr(feature = "engine", doc = "| [`fix`] | which proposed fixes to apply, and how; pure |")]
#![cfg_attr(feature = "engine", doc = "| [`disk`] | opens files without blocking on pipes and devices |")]
//! | [`model`] | the values exchanged between the layers |
//!
//! [`build`] is independent of the pipeline. It is a library for build scripts and only uses [`path`].
//!
//! Features: `cli` (the default) includes everything but the client of the remote store, which `remote` adds. `engine` leaves out
//! the command line, and without features there are only [`build`] and [`path`], which depend on nothing but `jobserver`.

pub mod build;
#[cfg(feature = "engine")]
pub mod cache;
#[cfg(feature = "engine")]
pub mod compare;
#[cfg(feature = "engine")]
pub mod disk;
#[cfg(feature = "engine")]
pub mod fix;
#[cfg(all(feature = "cli", any(test, fuzzing)))]
pub mod fuzz;
pub mod model;
#[cfg(feature = "engine")]
pub mod normalize;
#[cfg(feature = "engine")]
pub mod pipeline;
#[cfg(feature = "engine")]
pub mod plan;
#[cfg(feature = "engine")]
pub mod report;
#[cfg(feature = "engine")]
pub mod scan;
#[cfg(feature = "engine")]
pub mod store;
#[cfg(feature = "engine")]
pub mod workspace;

// One file of the command line is also a fuzz target and refers to the engine by this name.
#[cfg(all(feature = "cli", any(test, fuzzing)))]
extern crate self as genti;

pub use model::path;
