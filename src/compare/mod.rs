//! What is new, what is known, what is gone: identity of findings, and matching them with the baseline.
//!
//! [`identity`] turns diagnostics into findings that keep their id when code moves or is reformatted,
//! [`baseline`] is the text of the committed file, [`matching`] compares the two, [`suppressions`] is what the
//! configuration takes out, [`standing`] finds where accepted code still is; [`golden`] compares what a tool printed with
//! what it is to print. Pure: source text is handed in as [`Sources`](crate::model::sources::Sources), and what the tools
//! reached as [`matching::Reach`]. Does not know how a tool is run, where files lie, or how results are shown.

pub mod baseline;
mod blocks;
pub mod golden;
pub mod identity;
mod layout;
pub mod matching;
mod passes;
pub mod ratchet;
mod scope;
pub mod similar;
mod spelling;
pub mod standing;
pub mod suppressions;
#[cfg(test)]
mod tests;
mod tokens;
