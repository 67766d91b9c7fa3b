//! The values that every layer shares. Knows nothing of how they are made or shown.

#[cfg(feature = "engine")]
pub mod digest;
#[cfg(feature = "engine")]
pub mod error;
#[cfg(feature = "engine")]
pub mod finding;
pub mod path;
#[cfg(feature = "engine")]
pub mod policy;
#[cfg(feature = "engine")]
pub mod task;
#[cfg(feature = "engine")]
pub mod tool;
#[cfg(feature = "engine")]
pub mod workspace;
