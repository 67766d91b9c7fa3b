//! Finds the tests and modules that Rust sources define, with their conditions, without compiling them.
//!
//! Only tokens are read, so code that does not parse never causes a panic. Macros are not expanded: tests in the body
//! of a macro only set [`Scanned::has_macro_tests`].

mod modules;
mod platform;
mod scan;

pub use crate::model::cfg::{Cfg, Truth};
pub use modules::{ReachedFile, follow};
pub use platform::Platform;
pub use scan::{Module, Scanned, TestFn, scan};
