//! What Rust sources define without being compiled: tests and modules, each with the conditions that it is under.
//!
//! Only tokens are read, so code that does not parse gets some answer and never a panic. What a macro expands to is not
//! known: a test in the body of one counts as [`Scanned::has_macro_tests`] alone.

mod modules;
mod platform;
mod scan;

pub use crate::model::cfg::{Cfg, Truth};
pub use modules::SourceFile;
pub use platform::Platform;
pub use scan::{Module, Scanned, TestFn, scan};
