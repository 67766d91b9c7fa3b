//! Holds the output of processes in bounded memory.
//!
//! Up to 1 MiB of each stream is held in memory, and up to 256 MiB in an unnamed file. Of a longer stream, or if
//! writing to disk fails, only the beginning and the end are kept, in memory. Such a stream is never judged, since
//! part of an output may look like a clean one. A child is never blocked or killed for printing too much: its work
//! may matter more than its output, and the time limit ends one that never stops.
//!
//! An output is read back to be judged: completely, or without the lines that its judge does not need, if a [`Sieve`] knows
//! them. Of the outputs on disk, only one is read at a time. Memory is therefore bounded by two streams of 256 MiB, plus
//! 2 MiB per worker, plus what the judge uses.
//!
//! Knows nothing about pipes, processes or formats.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};

use crate::store::OutputDir;

/// Bytes of a stream held in memory. Also the length of the beginning that is kept of a stream that is too long.
const IN_MEMORY: usize = 1 << 20;
/// Maximum length of a stream that is kept completely.
const ON_DISK: u64 = 256 << 20;
/// Minimum length of the end that is kept of a stream that is too long. Up to twice as much is held.
const TAIL: usize = 64 << 10;

/// Bytes of a line that a [`Sieve`] is given.
const LINE: usize = (1 << 20) + 64;

/// True if the judge needs a line. Gets only the beginning of a line that is longer than 1 MiB.
type Keeps<'a> = Box<dyn FnMut(&[u8]) -> bool + 'a>;

/// Says which lines the judge needs. A line that it does not need is read as an empty line.
pub struct Sieve<'a> {
    /// True if the judge needs a line.
    pub keeps: Keeps<'a>,
    /// True if the rest of a line that is longer than 1 MiB is left out.
    pub cuts_lines: bool,
}

/// Reason why part of an output is missing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Truncated {
    /// It exceeds the maximum length.
    #[error("output exceeds {} MiB", ON_DISK >> 20)]
    Loud,
    /// It is too long for memory and could not be written to disk.
    #[error("output exceeds {limit} MiB and could not be written to disk: {0}", limit = IN_MEMORY >> 20)]
    Disk(String),
    /// It was on disk and could not be read back.
    #[error("could not read the output back from disk: {0}")]
    ReadBack(String),
}

/// Content of one stream.
#[derive(Debug)]
pub struct Spool {
    storage: Storage,
    /// Total number of bytes received.
    len: u64,
}

#[derive(Debug)]
enum Storage {
    /// The complete content, up to [`IN_MEMORY`] bytes.
    Memory(Vec<u8>),
    /// The complete content, more than [`IN_MEMORY`] and up to [`ON_DISK`] bytes.
    Disk(File),
    /// The beginning and the end.
    Ends { head: Vec<u8>, tail: Vec<u8>, why: Truncated },
}

impl Spool {
    pub(super) fn new() -> Self {
        Self { storage: Storage::Memory(Vec::new()), len: 0 }
    }

    /// Appends `bytes`. Moves the content to `dir` if it is too long for memory.
    pub(super) fn push(&mut self, bytes: &[u8], dir: Option<&OutputDir>) {
        self.len += bytes.len() as u64;
        let disk = |error: io::Error| Truncated::Disk(error.to_string());
        let taken = match &mut self.storage {
            Storage::Memory(kept) if self.len <= IN_MEMORY as u64 => {
                kept.extend_from_slice(bytes);
                Ok(())
            }
            Storage::Memory(kept) => {
                move_to_disk(kept, bytes, dir).map(|file| self.storage = Storage::Disk(file)).map_err(disk)
            }
            Storage::Disk(_) if self.len > ON_DISK => Err(Truncated::Loud),
            Storage::Disk(file) => file.write_all(bytes).map_err(disk),
            Storage::Ends { tail, .. } => {
                extend_tail(tail, bytes);
                Ok(())
            }
        };
        if let Err(why) = taken {
            let head = match &mut self.storage {
                Storage::Disk(file) => read(file, IN_MEMORY as u64).unwrap_or_default(),
                Storage::Memory(head) | Storage::Ends { head, .. } => std::mem::take(head),
            };
            let mut tail = Vec::new();
            extend_tail(&mut tail, bytes);
            self.storage = Storage::Ends { head, tail, why };
        }
    }

    /// Returns the number of bytes received.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn is_on_disk(&self) -> bool {
        matches!(self.storage, Storage::Disk(_))
    }

    /// Returns the content, without the lines that `sieve` leaves out if it is on disk.
    pub(super) fn read(&self, sieve: Option<Sieve<'_>>) -> Result<Vec<u8>, Truncated> {
        match &self.storage {
            Storage::Memory(kept) => Ok(kept.clone()),
            Storage::Disk(file) => match sieve {
                Some(sieve) => sift(file, self.len, sieve),
                None => read(file, self.len),
            }
            .map_err(|error| Truncated::ReadBack(error.to_string())),
            Storage::Ends { why, .. } => Err(why.clone()),
        }
    }

    /// Writes the available content, with a line that marks omitted bytes.
    pub(super) fn write_to(&self, out: &mut File) -> io::Result<()> {
        match &self.storage {
            Storage::Memory(kept) => out.write_all(kept),
            Storage::Disk(file) => {
                let mut file = file;
                file.rewind()?;
                io::copy(&mut file, out).map(drop)
            }
            Storage::Ends { head, tail, .. } => {
                let tail = &tail[tail.len().saturating_sub(TAIL)..];
                let left_out = self.len - (head.len() + tail.len()) as u64;
                out.write_all(head)?;
                if left_out > 0 {
                    write!(out, "\n[genti: {left_out} bytes omitted]\n")?;
                }
                out.write_all(tail)
            }
        }
    }
}

/// Creates a file with the bytes held in memory and the new ones.
fn move_to_disk(kept: &[u8], bytes: &[u8], dir: Option<&OutputDir>) -> io::Result<File> {
    let no_dir = || io::Error::other("the target directory is not writable");
    let mut file = dir.ok_or_else(no_dir)?.nameless()?;
    file.write_all(kept)?;
    file.write_all(bytes)?;
    Ok(file)
}

/// Reads the first `len` bytes of `file`.
fn read(mut file: &File, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // Report an error instead of aborting when memory is exhausted.
    bytes.try_reserve_exact(usize::try_from(len).map_err(io::Error::other)?)?;
    file.rewind()?;
    file.take(len).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == len { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Reads the first `len` bytes of `file`, with an empty line in place of each line that `sieve` does not keep.
fn sift(mut file: &File, len: u64, sieve: Sieve<'_>) -> io::Result<Vec<u8>> {
    let Sieve { mut keeps, cuts_lines } = sieve;
    file.rewind()?;
    let mut input = BufReader::with_capacity(IN_MEMORY / 4, file.take(len));
    let (mut kept, mut line, mut all) = (Vec::new(), Vec::new(), 0);
    // Whether the rest of the current line is kept, once its beginning was judged.
    let mut rest = None;
    loop {
        let part = input.fill_buf()?;
        let end = part.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(part.len(), |end| end + 1);
        let (begin, more) = part[..end.unwrap_or(used)].split_at(end.unwrap_or(used).min(LINE - line.len()));
        line.extend_from_slice(begin);
        if !cuts_lines && !more.is_empty() && rest.is_none() && *rest.insert(keeps(&line)) {
            kept.extend_from_slice(&line);
        }
        if rest == Some(true) {
            kept.extend_from_slice(more);
        }
        let is_last = part.is_empty();
        input.consume(used);
        all += used as u64;
        if end.is_none() && !is_last {
            continue;
        }
        if rest.take().is_none() && keeps(&line) {
            kept.extend_from_slice(&line);
        }
        line.clear();
        if is_last {
            break;
        }
        kept.push(b'\n');
    }
    if all == len { Ok(kept) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn extend_tail(tail: &mut Vec<u8>, bytes: &[u8]) {
    if tail.len() + bytes.len() > 2 * TAIL {
        tail.drain(..tail.len().saturating_sub(TAIL));
    }
    tail.extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL)..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::task::Exit;
    use crate::scan::outputs::{Kept, Outputs, Sieves};
    use crate::scan::runner::{Ending, FinishedProcess};
    use crate::store::ArtifactDir;

    /// Returns bytes that show their own position.
    fn numbered(len: usize) -> Vec<u8> {
        (0_u64..).flat_map(u64::to_be_bytes).take(len).collect()
    }

    fn store() -> (tempfile::TempDir, ArtifactDir) {
        let dir = tempfile::tempdir().unwrap();
        let store = ArtifactDir::open(dir.path(), &mut || false).unwrap();
        (dir, store)
    }

    fn spool(bytes: &[u8], chunk: usize, dir: Option<&OutputDir>) -> Spool {
        let mut spool = Spool::new();
        bytes.chunks(chunk).for_each(|bytes| spool.push(bytes, dir));
        assert_eq!(spool.len(), bytes.len() as u64);
        spool
    }

    fn written(spool: &Spool) -> Vec<u8> {
        let mut file = tempfile::tempfile().unwrap();
        spool.write_to(&mut file).unwrap();
        let len = file.stream_position().unwrap();
        read(&file, len).unwrap()
    }

    /// Returns the expected file content for `bytes` that are too long.
    fn ends(bytes: &[u8]) -> Vec<u8> {
        let (head, rest) = bytes.split_at(IN_MEMORY);
        let (left_out, tail) = rest.split_at(rest.len() - TAIL);
        let mark = format!("\n[genti: {} bytes omitted]\n", left_out.len());
        [head, mark.as_bytes(), tail].concat()
    }

    #[test]
    fn output_up_to_the_limit_is_complete_wherever_it_is_stored() {
        let (_dir, store) = store();
        for (len, is_on_disk) in [(0, false), (IN_MEMORY, false), (IN_MEMORY + 1, true), (3 << 20, true)] {
            let bytes = numbered(len);
            let spool = spool(&bytes, 60_000, Some(store.outputs()));
            assert_eq!(spool.is_on_disk(), is_on_disk, "{len}");
            // Read twice, because output is kept after it was read.
            assert!(spool.read(None).unwrap() == bytes && written(&spool) == bytes, "{len}");
        }
        let names = std::fs::read_dir(store.path().with_file_name("output")).unwrap();
        assert_eq!(names.count(), 0, "what is on disk has no name");
    }

    #[test]
    fn output_over_the_limit_keeps_its_ends_and_cannot_be_read() {
        let (_dir, store) = store();
        let bytes = numbered(IN_MEMORY);
        let mut spool = Spool::new();
        (0..ON_DISK / IN_MEMORY as u64).for_each(|_| spool.push(&bytes, Some(store.outputs())));
        assert!(spool.is_on_disk() && spool.read(None).is_ok());
        spool.push(b"!", Some(store.outputs()));
        assert_eq!(spool.read(None), Err(Truncated::Loud));
        let Storage::Ends { head, tail, .. } = &spool.storage else { panic!("{:?}", spool.storage) };
        assert!(*head == bytes && tail == b"!");
        let mark = format!("\n[genti: {} bytes omitted]\n!", ON_DISK - IN_MEMORY as u64);
        assert!(written(&spool) == [&bytes, mark.as_bytes()].concat());
    }

    #[test]
    fn the_end_of_a_stream_is_kept_in_bounded_memory() {
        let bytes = numbered(2 << 20);
        for chunk in [1000, TAIL - 1, TAIL, TAIL + 1, 1 << 19] {
            let spool = spool(&bytes, chunk, None);
            assert!(matches!(spool.read(None), Err(Truncated::Disk(_))));
            let Storage::Ends { head, tail, .. } = &spool.storage else { panic!("{:?}", spool.storage) };
            assert!(head.len() <= IN_MEMORY && tail.len() <= 2 * TAIL, "chunks of {chunk}");
            if IN_MEMORY.is_multiple_of(chunk) {
                assert!(written(&spool) == ends(&bytes), "chunks of {chunk}");
            }
            assert!(written(&spool).ends_with(&bytes[bytes.len() - TAIL..]), "chunks of {chunk}");
        }
    }

    #[test]
    fn a_disk_error_is_reported_and_the_output_is_not_judged() {
        #[track_caller]
        fn check(spool: &Spool, expected: &str) {
            assert_eq!(spool.read(None).unwrap_err().to_string(), expected);
        }
        let (dir, store) = store();
        let bytes = numbered(2 << 20);
        check(
            &spool(&bytes, 1 << 16, None),
            "output exceeds 1 MiB and could not be written to disk: the target directory is not writable",
        );
        // The disk is full half way. The bytes written before are not lost.
        let mut full = spool(&bytes, 1 << 16, Some(store.outputs()));
        let file = File::options().read(true).write(true).open("/dev/full").unwrap();
        full.storage = Storage::Disk(file);
        full.push(b"x", Some(store.outputs()));
        check(
            &full,
            "output exceeds 1 MiB and could not be written to disk: No space left on device (os error 28)",
        );
        let lost = spool(&bytes, 1 << 16, Some(store.outputs()));
        let Storage::Disk(file) = &lost.storage else { panic!("{:?}", lost.storage) };
        file.set_len(1 << 20).unwrap();
        check(&lost, "could not read the output back from disk: unexpected end of file");
        std::fs::remove_dir(dir.path().join("genti/output")).unwrap();
        check(
            &spool(&bytes, 1 << 16, Some(store.outputs())),
            "output exceeds 1 MiB and could not be written to disk: No such file or directory (os error 2)",
        );
    }

    fn finished(stdout: Spool, stderr: Spool) -> FinishedProcess {
        FinishedProcess {
            stdout,
            stderr,
            exit: Exit::Code(0),
            ending: Ending::Own,
            leaky: false,
            observed: None,
            in_copy: None,
        }
    }

    #[test]
    fn only_one_output_on_disk_is_read_at_a_time() {
        let (_dir, store) = store();
        let outputs = Outputs::new(Some(store.outputs()));
        let check = |stdout: usize, stderr: usize, is_alone: bool| {
            let spool = |len| spool(&numbered(len), 1 << 16, Some(store.outputs()));
            outputs
                .read(&finished(spool(stdout), spool(stderr)), Sieves::default(), |output| {
                    assert_eq!((output.stdout.len(), output.stderr.len()), (stdout, stderr));
                    assert_eq!(outputs.is_reading(), is_alone);
                })
                .unwrap();
        };
        check(10, 10, false);
        check(2 << 20, 10, true);
        check(10, 2 << 20, true);
    }

    #[test]
    fn lines_left_out_by_a_sieve_are_read_as_empty_lines() {
        let (_dir, store) = store();
        let even = |line: &[u8]| line.last().is_some_and(|digit| digit % 2 == 0);
        let sieve = || Some(Sieve { keeps: Box::new(even), cuts_lines: true });
        let count = 300_000;
        for end in ["", "\n"] {
            let text = (0..count).map(|at| at.to_string()).collect::<Vec<_>>().join("\n") + end;
            let kept: Vec<_> =
                text.split('\n').map(|line| if even(line.as_bytes()) { line } else { "" }).collect();
            let long = spool(text.as_bytes(), 1 << 16, Some(store.outputs()));
            assert!(long.is_on_disk());
            let read = long.read(sieve()).unwrap();
            assert_eq!(String::from_utf8(read).unwrap(), kept.join("\n"));
        }
        // Output in memory is read completely.
        assert_eq!(spool(b"1\n2\n", 1 << 16, None).read(sieve()).unwrap(), b"1\n2\n");
    }

    #[test]
    fn an_overlong_line_is_cut_or_kept_or_left_out() {
        let (_dir, store) = store();
        let text = [&b"a\n"[..], &vec![b'x'; 3 << 20], b"\nb"].concat();
        let long = spool(&text, 1 << 16, Some(store.outputs()));
        let all = |cuts_lines| Some(Sieve { keeps: Box::new(|_| true), cuts_lines });
        assert_eq!(long.read(all(true)).unwrap(), [&b"a\n"[..], &vec![b'x'; LINE], b"\nb"].concat());
        assert!(long.read(all(false)).unwrap() == text);
        for cuts_lines in [true, false] {
            let short = |line: &[u8]| line.len() < LINE;
            let left = long.read(Some(Sieve { keeps: Box::new(short), cuts_lines })).unwrap();
            assert_eq!(left, b"a\n\nb");
        }
        let Storage::Disk(file) = &long.storage else { panic!("{:?}", long.storage) };
        file.set_len(1 << 20).unwrap();
        assert!(matches!(long.read(all(true)), Err(Truncated::ReadBack(_))));
    }

    #[test]
    fn a_truncated_output_is_never_judged() {
        let outputs = Outputs::new(None);
        for (stdout, stderr) in [(2 << 20, 0), (0, 2 << 20)] {
            let spool = |len| spool(&numbered(len), 1 << 16, None);
            let finished = finished(spool(stdout), spool(stderr));
            let read = outputs.read(&finished, Sieves::default(), |_| panic!("it was judged"));
            assert!(matches!(read, Err::<(), _>(Truncated::Disk(_))));
        }
    }

    #[test]
    fn kept_output_is_identical_and_can_be_discarded() {
        let (_dir, store) = store();
        let outputs = Outputs::new(Some(store.outputs()));
        let mut kept = Kept::default();
        let spool = |bytes| spool(bytes, 1 << 16, Some(store.outputs()));
        outputs.keep("t-0-0", &finished(spool(b"out"), spool(b"")), &mut kept);
        outputs.keep("t-0-0-2", &finished(spool(b""), spool(b"err")), &mut kept);
        let texts: Vec<_> = kept.files.iter().map(|path| std::fs::read(path).unwrap()).collect();
        assert_eq!(texts, [b"out", b"err"]);
        let names: Vec<_> = kept.files.iter().filter_map(|path| path.file_name()).collect();
        assert_eq!(names, ["t-0-0.stdout", "t-0-0-2.stderr"]);
        let files = kept.files.clone();
        outputs.discard(&mut kept);
        assert!(kept.files.is_empty() && files.iter().all(|path| !path.exists()));
    }
}
