//! Changes to the input of a part, and changes that cannot matter.

use super::dice::Dice;
use super::parts::{Absent, Part, Seat};
use super::spot::Spot;
use super::world::{Times, WS, World};

/// Change of one spot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Replaces the text.
    Edit(Times),
    /// Replaces the text and makes git ignore the file.
    EditAndIgnore,
    /// Removes the file, but not the links to it.
    Remove,
    /// Removes the first link, or the file if there is none.
    Unlink,
    /// Adds the file.
    Add,
    /// Retargets the link with this index.
    Retarget(usize),
    /// Replaces the first link with a regular file or directory.
    LinkToFile,
    /// Replaces the file with a link.
    FileToLink,
    /// Sets the variable to another value.
    Set,
    /// Unsets the variable, or sets it for the first time.
    Unset,
    /// Runs the script of the part.
    Script,
    /// Makes one part after the other good and bad.
    InTurn,
    /// Makes a change that cannot matter.
    Idle(Idle),
}

/// Change that cannot matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idle {
    Touch,
    Rewrite,
    MoveOver,
    Mode,
    Notes,
    IgnoredFile,
    Outside,
    Variable,
    Commit,
    FromBelow,
    Nothing,
}

const IDLE: [Idle; 11] = [
    Idle::Touch,
    Idle::Rewrite,
    Idle::MoveOver,
    Idle::Mode,
    Idle::Notes,
    Idle::IgnoredFile,
    Idle::Outside,
    Idle::Variable,
    Idle::Commit,
    Idle::FromBelow,
    Idle::Nothing,
];

/// Part, spot and texts that a change applies to.
pub(crate) struct Subject<'a> {
    pub(crate) part: &'a Part,
    pub(crate) spot: &'a Spot,
    /// The good and the bad text.
    pub(crate) texts: [String; 2],
    /// Set if the bad text comes first.
    pub(crate) is_bad_first: bool,
    /// Set if the file is a program.
    pub(crate) is_program: bool,
}

impl Change {
    /// Returns a random change that fits the part.
    pub(crate) fn random(part: &Part, spot: &Spot, dice: &mut Dice) -> Self {
        if dice.below(5) == 0 {
            let has_file = !matches!(part.seat, Seat::Variable(..) | Seat::Scripted(..));
            let idle: Vec<_> = IDLE.into_iter().filter(|idle| has_file || !idle.is_of_file()).collect();
            return Self::Idle(idle[dice.below(idle.len())]);
        }
        let all = Self::that_matter(part, spot);
        all[dice.below(all.len())].clone()
    }

    /// Returns the changes that fit the part and matter.
    pub(crate) fn that_matter(part: &Part, spot: &Spot) -> Vec<Self> {
        let can_be_absent = part.absent != Absent::Never;
        let mut all = match part.seat {
            Seat::Variable(..) if can_be_absent => return vec![Self::Set, Self::Unset],
            Seat::Variable(..) => return vec![Self::Set],
            Seat::Scripted(..) => return vec![Self::Script],
            _ => [Times::Now, Times::Old, Times::Old, Times::Kept, Times::Moved, Times::Future]
                .map(Self::Edit)
                .to_vec(),
        };
        if spot.ignored.is_empty() && part.seat.may_be_ignored() && spot.via.starts_with(WS) {
            all.push(Self::EditAndIgnore);
        }
        if can_be_absent {
            all.extend([Self::Remove, Self::Unlink, Self::Add]);
        }
        match spot.links.as_slice() {
            [] => all.push(Self::FileToLink),
            links => {
                all.extend((0..links.len()).map(Self::Retarget));
                all.push(Self::LinkToFile);
            }
        }
        all
    }

    pub(crate) fn matters(&self) -> bool {
        !matches!(self, Self::Idle(_))
    }

    pub(crate) fn name(&self) -> String {
        let of_times = |times: &Times| match times {
            Times::Now => "edit",
            Times::Old => "edit with an older time",
            Times::Kept => "edit with the same size and time",
            Times::Moved => "another file is moved over it",
            Times::Future => "edit with a time to come",
        };
        match self {
            Self::Edit(times) => of_times(times).to_owned(),
            Self::EditAndIgnore => "edit, and ignore it".to_owned(),
            Self::Remove => "remove the file".to_owned(),
            Self::Unlink => "remove the link or file".to_owned(),
            Self::Add => "add".to_owned(),
            Self::Retarget(_) => "retarget a link".to_owned(),
            Self::LinkToFile => "replace the link".to_owned(),
            Self::FileToLink => "replace it by a link".to_owned(),
            Self::Set => "set a variable".to_owned(),
            Self::Unset => "unset or set a variable".to_owned(),
            Self::Script => "several files".to_owned(),
            Self::InTurn => "several parts in turn".to_owned(),
            Self::Idle(idle) => idle.name().to_owned(),
        }
    }

    /// Returns whether the text exists only before the change, or only after it.
    fn is_about_presence(&self) -> bool {
        matches!(self, Self::Remove | Self::Unlink | Self::Add | Self::Unset)
    }
}

impl Idle {
    /// Returns a random change that does not touch the subject's file.
    pub(crate) fn elsewhere(dice: &mut Dice) -> Self {
        let all: Vec<_> = IDLE.into_iter().filter(|idle| !idle.is_of_file()).collect();
        all[dice.below(all.len())]
    }

    fn is_of_file(self) -> bool {
        matches!(self, Self::Touch | Self::Rewrite | Self::MoveOver | Self::Mode)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Touch => "touch",
            Self::Rewrite => "write the same",
            Self::MoveOver => "move the same over it",
            Self::Mode => "change the mode",
            Self::Notes => "edit a file that nothing reads",
            Self::IgnoredFile => "add an ignored file that nothing reads",
            Self::Outside => "add a file outside that nothing reads",
            Self::Variable => "set a variable that nothing reads",
            Self::Commit => "commit all",
            Self::FromBelow => "run it in a directory of the workspace",
            Self::Nothing => "nothing",
        }
    }
}

impl Subject<'_> {
    /// Returns whether a fresh run reports something before or after the change.
    pub(crate) fn is_bad(&self, change: &Change, is_after: bool) -> bool {
        let is_bad_if_absent = self.part.absent == Absent::Bad;
        match change {
            Change::Remove | Change::Unlink => is_bad_if_absent == is_after,
            Change::Add => is_bad_if_absent != is_after,
            Change::Idle(_) => self.is_bad_first,
            _ => self.is_bad_first != is_after,
        }
    }

    /// Returns the text before or after the change.
    fn text(&self, change: &Change, is_after: bool) -> &str {
        let is_bad = match change {
            // The text must have the opposite effect of a missing file.
            change if change.is_about_presence() => self.part.absent == Absent::Good,
            Change::Idle(_) => self.is_bad_first,
            _ => self.is_bad_first != is_after,
        };
        &self.texts[usize::from(is_bad)]
    }

    /// Sets up the world before the change.
    pub(crate) fn set_up(&self, change: &Change, world: &mut World) {
        let before = self.text(change, false).to_owned();
        match self.part.seat {
            Seat::Variable(_) => {
                let is_set = !(matches!(change, Change::Unset) && self.is_unset_first());
                world.set(&self.spot.via, is_set.then_some(&before));
                return;
            }
            Seat::Scripted(make) => return make(world, &before),
            _ => {}
        }
        self.place(world, &before);
        match change {
            Change::Add => world.remove(&self.spot.real),
            Change::Retarget(at) => {
                let file = self.elsewhere(*at).1;
                self.write(world, &file, self.text(change, true), Times::Old);
            }
            Change::FileToLink => self.write(world, &self.aside(), self.text(change, true), Times::Old),
            _ => {}
        }
    }

    /// Applies the change.
    pub(crate) fn apply(&self, change: &Change, world: &mut World) {
        let (real, after) = (&self.spot.real, self.text(change, true));
        match change {
            Change::Edit(times) => self.write(world, real, after, *times),
            Change::EditAndIgnore => {
                let path = self.spot.via.strip_prefix(WS).unwrap();
                world.edit("repo/ws/.gitignore", "/target\n", &format!("/target\n{path}\n"));
                self.write(world, real, after, Times::Now);
            }
            Change::Remove => world.remove(real),
            Change::Unlink => world.remove(self.first_path()),
            Change::Add => self.write(world, real, after, Times::Now),
            Change::Retarget(at) => self.lead(world, *at, &self.elsewhere(*at).0),
            Change::LinkToFile => {
                world.remove(self.first_path());
                self.write(world, &self.spot.via, after, Times::Now);
            }
            Change::FileToLink => {
                world.remove(real);
                world.link(real, &self.aside());
            }
            Change::Set | Change::Unset | Change::Script => self.switch(change, world, true),
            Change::InTurn => {}
            Change::Idle(idle) => self.apply_idle(*idle, world, after),
        }
    }

    /// Undoes the change.
    pub(crate) fn undo(&self, change: &Change, world: &mut World) {
        let (real, before) = (&self.spot.real, self.text(change, false));
        match change {
            Change::Edit(times) => self.write(world, real, before, *times),
            Change::EditAndIgnore => {
                let path = self.spot.via.strip_prefix(WS).unwrap();
                world.edit("repo/ws/.gitignore", &format!("/target\n{path}\n"), "/target\n");
                self.write(world, real, before, Times::Now);
            }
            Change::Remove => self.write(world, real, before, Times::Now),
            Change::Unlink => match self.spot.links.first() {
                Some(link) => world.link(&link.path, &link.target),
                None => self.write(world, real, before, Times::Now),
            },
            Change::Add => world.remove(real),
            Change::Retarget(at) => self.lead(world, *at, &self.spot.links[*at].target),
            Change::LinkToFile => {
                // A path through `..` does not lead into the directory that replaced the link.
                if self.spot.via != self.first_path() {
                    world.remove(&self.spot.via);
                }
                world.remove(self.first_path());
                world.link(&self.spot.links[0].path, &self.spot.links[0].target);
            }
            Change::FileToLink => {
                world.remove(real);
                self.write(world, real, before, Times::Now);
            }
            Change::Set | Change::Unset | Change::Script => self.switch(change, world, false),
            Change::Idle(Idle::Variable) => world.set("LEVER_UNREAD", None),
            Change::Idle(Idle::FromBelow) => world.cwd = WS,
            Change::Idle(_) | Change::InTurn => {}
        }
    }

    /// Writes the good or the bad text, wherever it belongs.
    pub(crate) fn flip(&self, world: &mut World, is_bad: bool, times: Times) {
        let text = &self.texts[usize::from(is_bad)];
        match self.part.seat {
            Seat::Variable(_) => world.set(&self.spot.via, Some(text)),
            Seat::Scripted(make) => make(world, text),
            _ => self.write(world, &self.spot.real, text, times),
        }
    }

    /// Sets the variable or runs the script for the state before or after the change.
    fn switch(&self, change: &Change, world: &mut World, is_after: bool) {
        let text = self.text(change, is_after);
        match self.part.seat {
            Seat::Variable(_) => {
                let is_unset = matches!(change, Change::Unset) && self.is_unset_first() != is_after;
                world.set(&self.spot.via, (!is_unset).then_some(text));
            }
            Seat::Scripted(make) => make(world, text),
            _ => unreachable!("only variables and scripts have such changes"),
        }
    }

    pub(crate) fn apply_idle(&self, idle: Idle, world: &mut World, text: &str) {
        let real = &self.spot.real;
        match idle {
            Idle::Touch => world.touch(real),
            Idle::Rewrite => self.write(world, real, text, Times::Now),
            Idle::MoveOver => self.write(world, real, text, Times::Moved),
            Idle::Mode => world.set_mode(real, if self.is_program { 0o700 } else { 0o600 }),
            Idle::Notes => world.write("repo/ws/notes.md", "Other notes.\n"),
            Idle::IgnoredFile => world.write("repo/ws/target/unread", "unread"),
            Idle::Outside => world.write("out/unread", "unread"),
            Idle::Variable => world.set("LEVER_UNREAD", Some("1")),
            Idle::Commit => {
                // A directory tag that git tracks would make a directory part of the sources.
                world.git(&["add", ".", ":!*CACHEDIR.TAG"]);
                world.git(&["commit", "--allow-empty", "-qm", "all"]);
            }
            Idle::FromBelow => world.cwd = "repo/ws/a",
            Idle::Nothing => {}
        }
    }

    fn is_unset_first(&self) -> bool {
        self.is_bad_first == (self.part.absent == Absent::Bad)
    }

    /// Writes the links and the file.
    fn place(&self, world: &World, text: &str) {
        for link in &self.spot.links {
            world.link(&link.path, &link.target);
            if link.is_dir {
                world.make_dir(&link.target);
            }
        }
        self.write(world, &self.spot.real, text, Times::Now);
    }

    fn write(&self, world: &World, path: &str, text: &str, times: Times) {
        let is_new = !world.exists(path);
        world.write_at(path, text, times);
        if self.is_program && is_new {
            world.set_mode(path, 0o755);
        }
    }

    fn first_path(&self) -> &str {
        self.spot.links.first().map_or(&self.spot.real, |link| &link.path)
    }

    /// Returns the new target of the link at index `at` for [`Change::Retarget`], and the file there.
    fn elsewhere(&self, at: usize) -> (String, String) {
        let link = &self.spot.links[at];
        let name = self.spot.via.rsplit('/').next().unwrap();
        let (other, file) = match link.target.strip_suffix("/deep").filter(|_| link.is_dir) {
            Some(up) => (format!("{up}-other/deep"), format!("{up}-other/{name}")),
            None if link.is_dir => {
                (format!("{}-other", link.target), format!("{}-other/{name}", link.target))
            }
            None => (format!("{}-other", link.target), format!("{}-other", link.target)),
        };
        (other, file.replace("{HERE}/", ""))
    }

    fn lead(&self, world: &World, at: usize, target: &str) {
        if self.spot.links[at].is_dir {
            world.make_dir(target);
        }
        let path = &self.spot.links[at].path;
        world.remove(path);
        world.link(path, target);
    }

    fn aside(&self) -> String {
        format!("out/aside/{}", self.spot.via.rsplit('/').next().unwrap())
    }
}
