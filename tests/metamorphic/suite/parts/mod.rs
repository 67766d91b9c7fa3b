//! The parts that a workspace is made of. Each has one text, or one variable, that decides what a tool says.

mod build;
mod config;
mod own;
mod packages;
mod programs;
mod sources;
mod structure;

use super::draft::Draft;
use super::spot::Spot;
use super::world::World;

/// The tool that runs in a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tool {
    Fmt,
    Clippy,
    Doc,
    Test,
    Doctest,
    Codegen,
    /// One that the configuration defines.
    Own,
}

impl Tool {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Clippy => "clippy",
            Self::Doc => "doc",
            Self::Test => "test",
            Self::Doctest => "doctest",
            Self::Codegen => "codegen",
            Self::Own => "own",
        }
    }
}

/// Where the text of a part may lie.
#[derive(Clone, Copy)]
pub(crate) enum Seat {
    /// Wherever the part says: by default in the directory `beside`.
    Anywhere {
        beside: &'static str,
        /// With `{n}` for the number of the part.
        name: &'static str,
        by: By,
        /// Whether what it leads to must be in the workspace.
        near: bool,
    },
    /// At one of the paths where a tool looks by itself.
    At(&'static [&'static str]),
    /// In a file that several parts share, at the hole that the part left in it.
    Shared(&'static [&'static str]),
    /// In one of these variables.
    Variable(&'static [&'static str]),
    /// Several files at once: makes the world good, or bad.
    Scripted(fn(&World, &str)),
}

/// How what reads a text is told where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// By any path.
    Path,
    /// By any path, in which `..` takes away the name before it, even if that is a link.
    PlainPath,
    /// By its name, or a glob.
    Name,
}

impl Seat {
    /// Whether git may ignore it and a tool reads it nonetheless.
    pub(crate) fn may_be_ignored(&self) -> bool {
        !matches!(self, Self::Variable(..) | Self::Scripted(..))
    }
}

/// What a tool says where there is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    Good,
    Bad,
    /// That is not tried.
    Never,
}

/// How much of a change a tool can see, beside what this test asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// All of it.
    Full,
    /// Neither cargo nor genti is told what is read: in the directory where it was built before, a run may say what it
    /// said before, but that must not reach another one.
    Untracked,
    /// What can be read is not told: any file of the workspace may be meant.
    Open,
    /// A file may be left out, if it is in no report either.
    Optional,
}

/// A part of a workspace.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) tools: &'static [Tool],
    pub(crate) seat: Seat,
    /// Of one length.
    pub(crate) good: &'static str,
    pub(crate) bad: &'static str,
    pub(crate) absent: Absent,
    pub(crate) sight: Sight,
    pub(crate) draft: fn(&mut Draft, &Spot),
}

impl Part {
    /// The program that it needs and this machine does not have.
    pub(crate) fn missing_program(&self) -> Option<&'static str> {
        programs::missing_program(self)
    }

    /// Whether nothing is reported of other parts where this one is good.
    pub(crate) fn hides_others(&self) -> bool {
        self.name.contains("lints")
    }

    /// Whether it may stand beside another one that is changed.
    pub(crate) fn goes_with_others(&self) -> bool {
        // Of the configuration of cargo there is one.
        let has_configuration =
            ["configuration of cargo", "vendored", "xtask"].iter().any(|name| self.name.contains(name));
        match self.seat {
            Seat::Anywhere { by, .. } => by != By::Name && !has_configuration,
            Seat::Variable(names) => names[0].starts_with("LEVER"),
            Seat::At(_) | Seat::Shared(_) | Seat::Scripted(..) => false,
        }
    }
}

/// All of them.
pub(crate) fn all() -> Vec<&'static Part> {
    let lists = [
        sources::PARTS,
        build::PARTS,
        config::PARTS,
        packages::PARTS,
        own::PARTS,
        structure::PARTS,
        programs::PARTS,
    ];
    lists.into_iter().flatten().collect()
}

/// A change between the two texts of a part can be one that leaves the size as it is.
pub(crate) fn check_lengths() {
    let differs = |part: &&&Part| {
        let is_file = !matches!(part.seat, Seat::Variable(..) | Seat::Scripted(..));
        is_file && part.good.len() != part.bad.len()
    };
    let wrong: Vec<_> =
        all().iter().filter(differs).map(|part| (part.name, part.good.len(), part.bad.len())).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// An item that no tool complains about, and one of the same length that each complains about.
const ITEM: [&str; 2] =
    ["/// [Vec]\npub fn f() -> u8 {\n    1\n}\n// ...\n", "/// [Vex]\npub fn f() -> u8 {\n   return 2;\n}\n"];

/// Words of one length.
const WORD: [&str; 2] = ["good\n", "evil\n"];
