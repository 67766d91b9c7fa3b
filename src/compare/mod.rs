//! Identifies findings and compares them with the baseline: which are new, accepted or gone.
//!
//! [`identity`] turns diagnostics into findings whose ids survive moved and reformatted code, [`baseline`] reads and writes the
//! committed file, [`matching`] compares findings with it, [`suppressions`] applies the suppressions of the configuration, and
//! [`standing`] finds accepted code that still exists. [`golden`] compares the output of a tool with a golden file.
//!
//! Pure: source text is passed as [`Sources`](crate::model::sources::Sources), and the coverage of the tools as
//! [`reach::Reach`]. Does not know how a tool is run, where files are, or how results are shown.

pub mod baseline;
mod blocks;
pub mod golden;
pub mod identity;
mod layout;
pub mod matching;
mod passes;
pub mod ratchet;
pub mod reach;
mod scope;
pub mod similar;
mod spelling;
pub mod standing;
pub mod suppressions;
#[cfg(test)]
mod tests;
mod token;
mod tokens;
pub mod variants;
