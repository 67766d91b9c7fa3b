//! Style editions of rustfmt: which findings are there because it changed.
//!
//! Does not know how that is found out.

use serde::{Deserialize, Serialize};

use super::finding::Related;
use super::tool::{Arg, Parse, Piece, Tool};

/// The last style edition before the newest one. 2015, 2018 and 2021 are the same style.
pub const FORMER_STYLE: &str = "2021";

/// New findings in code that is formatted as the former style edition wants it: one cause, and one command fixes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// How many files they are in.
    pub files: usize,
    /// How many there are.
    pub findings: usize,
}

impl Tool {
    /// Whether a second process can tell which findings are there because of the style edition: it is rustfmt itself.
    pub fn tells_style_apart(&self) -> bool {
        let is_rustfmt = |arg: &Arg| match arg {
            Arg::Text(pieces) => *pieces == [Piece::Literal("rustfmt".to_owned())],
            _ => false,
        };
        self.parse == Parse::Rustfmt
            && self.run.first().is_some_and(is_rustfmt)
            && self.run.contains(&Arg::Args)
    }
}

impl Related {
    /// Beside what is not formatted as rustfmt would, and is as rustfmt would have it in the former style edition.
    pub fn of_former_style() -> Self {
        Self { message: format!("style edition {FORMER_STYLE} has it as it is"), place: None }
    }
}

/// Whether `related` says that the finding is there because the style edition changed.
pub fn is_of_former_style(related: &[Related]) -> bool {
    related.contains(&Related::of_former_style())
}
