//! Parts of which workspaces are assembled. Each has one text or variable that determines the result of a tool.

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

/// Tool that runs in a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tool {
    Fmt,
    Clippy,
    Doc,
    Test,
    Doctest,
    Codegen,
    /// Custom tool, defined in the configuration.
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

/// Location of a part's text.
#[derive(Clone, Copy)]
pub(crate) enum Seat {
    /// Any location that the part names, by default in the directory `beside`.
    Anywhere {
        beside: &'static str,
        /// Contains `{n}` for the number of the part.
        name: &'static str,
        by: By,
        /// Set if the target must lie in the workspace.
        near: bool,
    },
    /// One of the paths where a tool looks by default.
    At(&'static [&'static str]),
    /// A file that several parts share, at the part's placeholder.
    Shared(&'static [&'static str]),
    /// One of these variables.
    Variable(&'static [&'static str]),
    /// Several files at once, written by a function for the good or bad state.
    Scripted(fn(&World, &str)),
}

/// Way in which the reader of a text gets its location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// Any path.
    Path,
    /// Any path, in which `..` removes the preceding name even if that is a link.
    PlainPath,
    /// A name or a glob.
    Name,
}

impl Seat {
    /// Returns whether a tool reads it even if git ignores it.
    pub(crate) fn may_be_ignored(&self) -> bool {
        !matches!(self, Self::Variable(..) | Self::Scripted(..))
    }
}

/// Result of a tool if the text is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    Good,
    Bad,
    /// Not tried.
    Never,
}

/// Extent to which a tool can detect a change, beyond the checks of this test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Everything.
    Full,
    /// Neither cargo nor genti knows the inputs. In the existing build directory a run may repeat its result, but this
    /// must not reach another directory.
    Untracked,
    /// The inputs are not stated, so any file of the workspace may be one.
    Open,
    /// A file may be missing from the inputs if it also appears in no report.
    Optional,
}

/// Part of a workspace.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) tools: &'static [Tool],
    pub(crate) seat: Seat,
    /// Good and bad text, of equal length.
    pub(crate) good: &'static str,
    pub(crate) bad: &'static str,
    pub(crate) absent: Absent,
    pub(crate) sight: Sight,
    pub(crate) draft: fn(&mut Draft, &Spot),
}

impl Part {
    /// Returns the program that the part needs if it is not installed.
    pub(crate) fn missing_program(&self) -> Option<&'static str> {
        programs::missing_program(self)
    }

    /// Returns whether a file of the machine (in `bin/` or `home/`) names the part. It names that of the first checkout.
    pub(crate) fn is_named_by_machine(&self) -> bool {
        matches!(
            self.name,
            "a console script of pip that is upgraded"
                | "a program of npm that is upgraded"
                | "a file that the user's configuration of cargo includes"
        )
    }

    /// Returns whether the good state suppresses reports of other parts.
    pub(crate) fn hides_others(&self) -> bool {
        let has_lints_of_packages = self.name == "a manifest key that clippy checks";
        self.name.contains("lints") || has_lints_of_packages || self.replaces_build_script()
    }

    /// Returns whether the package has another build script than the one that parts add to.
    fn replaces_build_script(&self) -> bool {
        self.name == "a build script at a path of the manifest"
    }

    /// Returns whether the part may be combined with another one that is changed.
    pub(crate) fn goes_with_others(&self) -> bool {
        // There is only one configuration of cargo.
        let has_configuration =
            ["configuration of cargo", "vendored", "xtask"].iter().any(|name| self.name.contains(name));
        match self.seat {
            Seat::Anywhere { by, .. } => {
                by != By::Name && !has_configuration && !self.replaces_build_script()
            }
            Seat::Variable(names) => names[0].starts_with("LEVER"),
            Seat::At(_) | Seat::Shared(_) | Seat::Scripted(..) => false,
        }
    }
}

/// Returns all parts.
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

/// Checks that the good and bad texts have equal lengths, so that an edit can keep the file size.
pub(crate) fn check_lengths() {
    let differs = |part: &&&Part| {
        let is_file = !matches!(part.seat, Seat::Variable(..) | Seat::Scripted(..));
        is_file && part.good.len() != part.bad.len()
    };
    let wrong: Vec<_> =
        all().iter().filter(differs).map(|part| (part.name, part.good.len(), part.bad.len())).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Item that no tool reports, and an item of equal length that every tool reports.
const ITEM: [&str; 2] =
    ["/// [Vec]\npub fn f() -> u8 {\n    1\n}\n// ...\n", "/// [Vex]\npub fn f() -> u8 {\n   return 2;\n}\n"];

/// Words of equal length.
const WORD: [&str; 2] = ["good\n", "evil\n"];
