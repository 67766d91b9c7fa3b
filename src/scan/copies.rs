//! The seam for processes that run in a copy of the repository: who makes the copy, and what is compared at the end.
//!
//! Neither the scheduler nor the attempts know how a repository is copied. The caller of a run does.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::generator::Generated;
use crate::model::tool::Tool;

/// Copies the repository for processes.
pub trait Copies: Sync {
    /// Copies the repository for a process of `tool`.
    ///
    /// # Errors
    ///
    /// If that is not possible, with the reason.
    fn make(&self, tool: &Tool) -> Result<Box<dyn Copied + '_>, String>;
}

/// A copy of the repository. Removed when it is dropped.
pub trait Copied {
    /// Returns the top of the repository, and that of the copy.
    fn tops(&self) -> [&Path; 2];

    /// Returns the place in the copy of `path`, a place in the repository; `None` if it is elsewhere.
    fn inside(&self, path: &Path) -> Option<PathBuf>;

    /// Compares the copy with the repository.
    ///
    /// # Errors
    ///
    /// If that is not possible, with the reason.
    fn compare(&self) -> Result<Generated, String>;
}

/// State of the copy in which a process has run.
#[derive(Clone, Debug)]
pub struct InCopy {
    /// Tops of the repository and of the copy.
    pub tops: [PathBuf; 2],
    /// The files that were generated, if it ran to its end.
    pub generated: Option<Arc<Generated>>,
}

impl InCopy {
    /// Returns what became of `copy`, in which a process has run. Compares the copy only if it `has_generated` files.
    ///
    /// # Errors
    ///
    /// If the copy can't be compared, with the reason.
    pub(super) fn of(copy: &dyn Copied, has_generated: bool) -> Result<Box<Self>, String> {
        let generated = has_generated.then(|| copy.compare().map(Arc::new)).transpose()?;
        Ok(Box::new(Self { tops: copy.tops().map(Path::to_path_buf), generated }))
    }

    /// Replaces the path of the copy in `output` with that of the repository, because it differs between machines.
    pub(super) fn translate(&self, output: &mut Vec<u8>) {
        let [to, from] = self.tops.each_ref().map(|top| top.as_os_str().as_encoded_bytes());
        if !output.windows(from.len()).any(|part| part == from) {
            return;
        }
        let mut translated = Vec::with_capacity(output.len());
        let mut rest = &output[..];
        while let Some(byte) = rest.first() {
            match rest.strip_prefix(from) {
                Some(behind) => {
                    translated.extend_from_slice(to);
                    rest = behind;
                }
                None => {
                    translated.push(*byte);
                    rest = &rest[1..];
                }
            }
        }
        *output = translated;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_names_the_files_of_the_repository() {
        let in_copy = InCopy { tops: ["/w/ws".into(), "/tmp/copy/ws".into()], generated: None };
        let check = |text: &str, expected: &str| {
            let mut output = text.as_bytes().to_vec();
            in_copy.translate(&mut output);
            assert_eq!(String::from_utf8(output).unwrap(), expected);
        };
        check("error: /tmp/copy/ws/a and /tmp/copy/ws", "error: /w/ws/a and /w/ws");
        check("/tmp/copy/w", "/tmp/copy/w");
        check("", "");
    }
}
