//! Applies the fixes that tools propose: which ones, in which order, and how they change a text.
//!
//! Fixing goes in passes. In each pass, the tools run, [`choose`] takes the proposed fixes of their findings, [`apply`] makes the
//! new texts, and the files are written. Then the tools run again, for two reasons: their other fixes may apply now, and code
//! that no longer compiles has to be taken back (`passes`).
//!
//! - **Only what a tool vouches for** is applied, and only where every build that compiles the code proposes it. An import that
//!   the library does not use may be used by its tests or under a feature.
//! - **The order is fixed.** Fixes of compilers come first, those of formatters last, because a formatter has to see the final
//!   code. Of two fixes that overlap or touch, the first wins, and the other one waits for the next pass, whose findings take
//!   the change into account.
//! - **Formatters are all or nothing.** Their changes of a file are separate findings, but one may open a brace that another one
//!   closes. So all of them are applied together, or wait together.
//! - **A pass succeeds or is taken back.** If a tool had a result for something before the pass and has none after it, the files
//!   with new errors get their former texts and are tried without the others. If the errors name no changed file, all files get
//!   their former texts, and each half of them is tried alone, down to single files. So the number of runs grows with the number
//!   of bad files, and not with the number of files.
//! - **What a generator made is taken over as a whole.** Its fixes also create files, delete them, and change their mode
//!   (`version`).
//! - **Nobody's edits are lost.** A file is replaced only if it still has the text that was analysed, or the text that the pass
//!   wrote.
//!
//! The crate `rustfix` applies suggestions of rustc, but takes them as rustc's JSON, with byte offsets into the file as it was.
//! Findings have neither after normalization, where paths, columns and notes become independent of the machine and of the tool.
//!
//! Does not know files, processes or the terminal: a [`Workbench`] provides texts and runs the tools.

mod apply;
mod choose;
mod passes;
#[cfg(test)]
mod testing;
mod version;

pub use apply::{Applied, apply};
pub use choose::{Filter, Proposal, Proposals, choose};
pub use passes::{Checked, Fixed, Left, MOST_PASSES, Workbench, run};
pub use version::Version;
