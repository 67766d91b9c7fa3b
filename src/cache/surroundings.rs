//! The surroundings of an observed process beyond the variables of its tool: the user, the processor, the toolchain.
//!
//! Part of the key of every observed tool, because its processes don't look at files for these, and behave differently with others.

use std::path::Path;

use super::inputs::{KeyInputs, Uncacheable};
use super::key::{PartKind, Parts};
use crate::disk;
use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::tool::Tool;

/// Lines of `/proc/self/status` about what a process inherits: its user, its rights, the mode of files that it creates, and signals
/// that it ignores.
const INHERITED: [&str; 6] = ["CapEff:", "Gid:", "Groups:", "SigIgn:", "Uid:", "Umask:"];

/// Lines of `/proc/cpuinfo` with the instructions that the processor has, by architecture.
const INSTRUCTIONS: [&str; 2] = ["Features", "flags"];

impl KeyInputs<'_> {
    /// Adds what every process of the observed `tool` is started with.
    pub(super) fn add_surroundings(&self, tool: &Tool, parts: &mut Parts) -> Result<(), Uncacheable> {
        let network = self.observer.map_err(|why| why.to_string())?;
        parts.add(PartKind::Inputs, "private network", Digest::of_bytes(&[u8::from(network)]));
        let text = |path: &str| disk::read_to_string(Path::new(path)).unwrap_or_default();
        // Tests often do less for one who is not root, or for root.
        parts.add(PartKind::Inputs, "user", of_lines(&text("/proc/self/status"), &INHERITED));
        parts.add(PartKind::Inputs, "processor", of_lines(&text("/proc/cpuinfo"), &INSTRUCTIONS));
        let system = self.read(Path::new("/etc/os-release"))?;
        parts.add(PartKind::File, "/etc/os-release", system.unwrap_or(Digest([0; 32])));
        let mut hasher = Hasher::new("genti.place.1");
        // The paths of discovered inputs start from it.
        hasher.field("real", self.real_root.as_os_str().as_encoded_bytes());
        hasher.field("root", self.workspace.root.as_os_str().as_encoded_bytes());
        parts.add(PartKind::Inputs, "place of the workspace", hasher.finish());
        let mut hasher = Hasher::new("genti.toolchain.1");
        hasher.field("cargo", self.programs.cargo().as_os_str().as_encoded_bytes());
        hasher.field(
            "sysroot",
            self.programs.sysroot().map_or(&[], |path| path.as_os_str().as_encoded_bytes()),
        );
        parts.add(PartKind::Inputs, "toolchain", hasher.finish());
        let mut names = Hasher::new("genti.withheld.1");
        self.env.withheld(tool).iter().for_each(|name| names.field("name", name.as_bytes()));
        parts.add(PartKind::Inputs, "names of withheld variables", names.finish());
        for (name, value) in self.env.passed_on() {
            parts.add(PartKind::Variable, name, Digest::of_bytes(value.as_encoded_bytes()));
        }
        Ok(())
    }
}

/// Returns a digest of the first line of `text` that begins with each of `names`.
fn of_lines(text: &str, names: &[&str]) -> Digest {
    let mut hasher = Hasher::new("genti.lines.1");
    for name in names {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        hasher.field("line", line.as_bytes());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_process_inherits_counts() {
        let status = |pid: u32, umask: &str| {
            format!("Name:\tx\nUmask:\t{umask}\nPid:\t{pid}\nUid:\t0\t0\t0\t0\nGroups:\t0 4 \n")
        };
        let of = |status: &str| of_lines(status, &INHERITED);
        assert_eq!(of(&status(1, "0022")), of(&status(2, "0022")));
        assert_ne!(of(&status(1, "0022")), of(&status(1, "0077")));
        let cpu = |mhz: u32, flags: &str| format!("processor\t: 0\ncpu MHz\t\t: {mhz}\nflags\t\t: {flags}\n");
        let of = |cpu: &str| of_lines(cpu, &INSTRUCTIONS);
        assert_eq!(of(&cpu(1000, "sse avx")), of(&cpu(3000, "sse avx")));
        assert_ne!(of(&cpu(1000, "sse avx")), of(&cpu(1000, "sse")));
    }
}
