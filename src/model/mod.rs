//! The values that every layer shares. Knows nothing of how they are made or shown.

#[cfg(feature = "engine")]
pub mod digest;
#[cfg(feature = "engine")]
pub mod error;
#[cfg(feature = "engine")]
pub mod event;
#[cfg(feature = "engine")]
pub mod explain;
#[cfg(feature = "engine")]
pub mod finding;
#[cfg(feature = "engine")]
pub mod golden;
#[cfg(feature = "engine")]
pub mod key;
#[cfg(feature = "engine")]
pub mod outcome;
pub mod path;
#[cfg(feature = "engine")]
pub mod policy;
#[cfg(feature = "engine")]
pub mod sources;
#[cfg(feature = "engine")]
pub mod stamp;
#[cfg(feature = "engine")]
pub mod suppression;
#[cfg(feature = "engine")]
pub mod task;
#[cfg(all(test, feature = "engine"))]
pub(crate) mod testing;
#[cfg(feature = "engine")]
pub mod tool;
#[cfg(feature = "engine")]
pub mod workspace;
