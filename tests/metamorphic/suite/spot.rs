//! Where the text lies that decides what a tool says, and through which links it is reached.

use super::parts::{By, Seat};
use crate::suite::dice::Dice;
use crate::suite::world::{HERE, WS};

/// A link, and where it leads.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) path: String,
    pub(crate) target: String,
    pub(crate) is_dir: bool,
}

/// Where a part reads, and what is there.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    /// The number of the part, which makes the names of its parts different from those of others.
    pub(crate) n: usize,
    /// The path by which it is read, or the name of the variable.
    pub(crate) via: String,
    /// The links on the way, in the order in which they are followed.
    pub(crate) links: Vec<Link>,
    /// The regular file at the end.
    pub(crate) real: String,
    /// What is git-ignored because of it.
    pub(crate) ignored: Vec<String>,
}

/// How a file is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Direct,
    FileLink,
    AbsoluteLink,
    Chain,
    DirLink,
    FileLinkInDirLink,
    /// Up from what a link leads to, which is not where the link is.
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

/// Where files lie that are not beside what reads them.
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

/// A directory that is tagged as a cache, and one that is a repository of its own.
pub(crate) const CACHED: &str = "repo/ws/cached";
pub(crate) const NESTED: &str = "repo/ws/nested";

impl Spot {
    /// A spot of this `seat` that is reached by `way`, whose file lies in `place` unless the seat says where it is.
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
                // Only who can be told where to look finds it elsewhere.
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

    /// A random one.
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
        // Half of what can be told where to look looks beside.
        let place = if way == Way::Direct && dice.below(2) == 0 { "" } else { place };
        let mut spot = Self::new(seat, n, at, way, place);
        if dice.below(5) == 0 && seat.may_be_ignored() && spot.via.starts_with(WS) {
            spot.ignored.push(spot.via.clone());
        }
        spot
    }

    /// The path by which it is read, seen from `dir`.
    pub(crate) fn from(&self, dir: &str) -> String {
        super::world::relative(dir, &self.via)
    }

    /// The directory that it is read in, without the links that lead there.
    pub(crate) fn real_dir(&self) -> &str {
        self.links.iter().find(|link| link.is_dir).map_or(self.dir(), |link| &link.target)
    }

    pub(crate) fn dir(&self) -> &str {
        self.via.rsplit_once('/').map_or("", |(dir, _)| dir)
    }

    /// Stands for its text where several parts share a file.
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
        // What is to be found by its name is not found by a way around.
        Seat::Anywhere { by, .. } => *by == By::Path || way != Way::UpFromLink,
        // Only where nothing else is in the directory.
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
