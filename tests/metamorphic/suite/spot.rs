//! Location of the text that determines a tool's result, and the links that lead to it.

use super::parts::{By, Seat};
use crate::suite::dice::Dice;
use crate::suite::world::{HERE, WS};

/// Link with its target.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) path: String,
    pub(crate) target: String,
    pub(crate) is_dir: bool,
}

/// Location that a part reads, and the files there.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    /// Number of the part, which makes its names unique.
    pub(crate) n: usize,
    /// Path that is read, or name of the variable.
    pub(crate) via: String,
    /// Links on the way, in the order in which they are followed.
    pub(crate) links: Vec<Link>,
    /// Regular file at the end.
    pub(crate) real: String,
    /// Paths that git must ignore.
    pub(crate) ignored: Vec<String>,
}

/// Way to reach a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Direct,
    FileLink,
    AbsoluteLink,
    Chain,
    DirLink,
    FileLinkInDirLink,
    /// `..` after a link, which continues from the link's target.
    UpFromLink,
}

const WAYS: [Way; 7] = [
    Way::Direct,
    Way::FileLink,
    Way::DirLink,
    Way::Chain,
    Way::AbsoluteLink,
    Way::FileLinkInDirLink,
    Way::UpFromLink,
];

/// Directories for files that are not next to their readers.
const FAR: [&str; 8] = [
    "repo/ws/shared",
    "repo/ws/b/src",
    "repo/shared",
    "out/shared",
    "repo/ws/.hidden",
    CACHED,
    NESTED,
    "repo/ws/odd, $name: #1",
];

/// Directory tagged as a cache, and directory that is a separate repository.
pub(crate) const CACHED: &str = "repo/ws/cached";
pub(crate) const NESTED: &str = "repo/ws/nested";

impl Spot {
    /// Creates a spot of this `seat` that is reached by `way`. Its file lies in `place` unless the seat determines the
    /// location.
    pub(crate) fn new(seat: &Seat, n: usize, at: usize, way: Way, place: &str) -> Self {
        let direct = match seat {
            Seat::Anywhere { beside, name, .. } => format!("{beside}/{name}"),
            Seat::At(paths) | Seat::Shared(paths) => paths[at % paths.len()].to_owned(),
            Seat::Variable(names) => return Self::variable(n, names[at % names.len()]),
            Seat::Scripted(..) => String::new(),
        };
        let direct = direct.replace("{n}", &n.to_string());
        let (beside, name) = direct.rsplit_once('/').unwrap_or(("", &direct));
        let mut spot =
            Self { n, via: direct.clone(), links: Vec::new(), real: direct.clone(), ignored: Vec::new() };
        let far = format!("{place}/{n}/{name}");
        let mut link = |path: &str, target: &str, is_dir| {
            spot.links.push(Link { path: path.to_owned(), target: target.to_owned(), is_dir });
        };
        match way {
            Way::Direct => {
                // Only readers with a configurable path find it elsewhere.
                if matches!(seat, Seat::Anywhere { by: By::Path | By::PlainPath, .. }) && !place.is_empty() {
                    spot.via = far.clone();
                    spot.real = far;
                }
                return spot;
            }
            Way::FileLink => link(&direct, &far, false),
            Way::AbsoluteLink => link(&direct, &format!("{HERE}/{far}"), false),
            Way::Chain => {
                let hop = format!("repo/hop/{n}/{name}");
                link(&direct, &hop, false);
                link(&hop, &far, false);
            }
            Way::DirLink | Way::FileLinkInDirLink => {
                let far_dir = format!("{place}/{n}");
                let dir = match seat {
                    Seat::Anywhere { .. } => format!("{beside}/linked{n}"),
                    _ => beside.to_owned(),
                };
                link(&dir, &far_dir, true);
                let end = format!("out/end/{n}/{name}");
                if way == Way::FileLinkInDirLink {
                    link(&far, &end, false);
                    spot.real = end;
                } else {
                    spot.real = far;
                }
                spot.via = format!("{dir}/{name}");
                return spot;
            }
            Way::UpFromLink => {
                link(&format!("{beside}/linked{n}"), &format!("{place}/{n}/deep"), true);
                spot.via = format!("{beside}/linked{n}/../{name}");
            }
        }
        spot.real = far;
        spot
    }

    fn variable(n: usize, name: &str) -> Self {
        Self { n, via: name.to_owned(), links: Vec::new(), real: name.to_owned(), ignored: Vec::new() }
    }

    /// Creates a random spot.
    pub(crate) fn random(seat: &Seat, n: usize, dice: &mut Dice) -> Self {
        let at = dice.below(64);
        let far = match seat {
            Seat::Anywhere { near: true, .. } => &FAR[..1],
            _ => &FAR[..],
        };
        let place = dice.pick(far).copied().unwrap_or_default();
        let direct = Self::new(seat, n, at, Way::Direct, "");
        let ways: Vec<_> = WAYS.into_iter().filter(|way| can_go(seat, &direct, *way)).collect();
        let way = dice.pick(&ways).copied().unwrap_or(Way::Direct);
        // Half of the readers with a configurable path read a file next to them.
        let place = if way == Way::Direct && dice.below(2) == 0 { "" } else { place };
        let mut spot = Self::new(seat, n, at, way, place);
        if dice.below(5) == 0 && seat.may_be_ignored() && spot.via.starts_with(WS) {
            spot.ignored.push(spot.via.clone());
        }
        spot
    }

    /// Returns the path that is read, relative to `dir`.
    pub(crate) fn from(&self, dir: &str) -> String {
        super::world::relative(dir, &self.via)
    }

    /// Returns the directory of the file without links.
    pub(crate) fn real_dir(&self) -> &str {
        self.links.iter().find(|link| link.is_dir).map_or(self.dir(), |link| &link.target)
    }

    pub(crate) fn dir(&self) -> &str {
        self.via.rsplit_once('/').map_or("", |(dir, _)| dir)
    }

    /// Returns the placeholder for the text in files that several parts share.
    pub(crate) fn hole(&self) -> String {
        format!("@{}@", self.n)
    }

    pub(crate) fn describe(&self) -> String {
        let mut text = self.via.clone();
        for link in &self.links {
            text += &format!(", link {} -> {}", link.path, link.target);
        }
        if self.real != self.via {
            text += &format!(", file {}", self.real);
        }
        for path in &self.ignored {
            text += &format!(", ignored {path}");
        }
        text
    }
}

fn can_go(seat: &Seat, direct: &Spot, way: Way) -> bool {
    match seat {
        Seat::Variable(..) | Seat::Scripted(..) => way == Way::Direct,
        // Files that are found by name cannot be reached by a detour.
        Seat::Anywhere { by, .. } => *by == By::Path || way != Way::UpFromLink,
        // Only if the directory contains nothing else.
        Seat::At(_) | Seat::Shared(_) => {
            let dir = direct.dir();
            let name = dir.rsplit('/').next().unwrap_or_default();
            let is_alone = ["examples", "tests", "benches", "rustfmt", "conf"].contains(&name)
                || dir.ends_with("src/bin")
                || direct.via.ends_with(".cargo/config.toml") && !dir.starts_with("home");
            match way {
                Way::DirLink | Way::FileLinkInDirLink => is_alone,
                way => way != Way::UpFromLink,
            }
        }
    }
}
