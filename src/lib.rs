//! genti runs every check of a Rust workspace as one task graph: scan → normalize → compare → report.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "engine")]
pub mod compare;
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

pub use model::path;
