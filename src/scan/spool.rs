//! What processes print, in bounded memory.
//!
//! Of each stream up to 1 MiB is held in memory, up to 256 MiB in a file without a name. Of what is longer only
//! the beginning and the end are left, in memory again, and it is never read for a verdict: half an output may
//! look like a clean one. The same holds where the disk says no. A child is never held up or killed for being
//! loud: what it does may matter more than what it says, and time caps end one that never stops.
//!
//! To be judged, an output is read back: whole, or without the lines that its judge does not need, if a [`Sieve`] can tell.
//! Of those that were on disk one is read at a time, so that memory is bounded by two streams of 256 MiB and 2 MiB per worker,
//! and what the judge makes of them.
//!
//! Knows nothing of pipes, processes and formats.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::process::Ran;
use crate::model::task::Output;
use crate::store::OutputDir;

/// What is held of a stream in memory, in bytes; also of the beginning of one that is too long.
const IN_MEMORY: usize = 1 << 20;
/// What is held of a stream at all.
const ON_DISK: u64 = 256 << 20;
/// What is held of the end of one that is too long: this to twice as much.
const TAIL: usize = 64 << 10;

/// What is held of a line that a [`Sieve`] looks at.
const LINE: usize = (1 << 20) + 64;

/// Says of a line whether the judge needs it. One that it does not need is read as an empty line. Of one that is longer than
/// 1 MiB, the rest is left out.
pub type Sieve<'a> = Box<dyn FnMut(&[u8]) -> bool + 'a>;

/// The sieves of both streams; without one, a stream is read whole.
#[derive(Default)]
pub struct Sieves<'a> {
    /// Of standard output.
    pub stdout: Option<Sieve<'a>>,
    /// Of standard error.
    pub stderr: Option<Sieve<'a>>,
}

impl fmt::Debug for Sieves<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stdout, stderr } = self;
        f.debug_struct("Sieves")
            .field("stdout", &stdout.is_some())
            .field("stderr", &stderr.is_some())
            .finish()
    }
}

/// Why not all that a process printed is there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Truncated {
    /// It is longer than anything of use.
    #[error("it printed more than {} MiB", ON_DISK >> 20)]
    Loud,
    /// It is too long for memory, and the disk said no.
    #[error("it printed more than {limit} MiB, which could not be put on disk: {0}", limit = IN_MEMORY >> 20)]
    Disk(String),
    /// It was on disk, and could not be read from there.
    #[error("what it printed could not be read back: {0}")]
    ReadBack(String),
}

/// Where the processes of a run leave what is too long for memory, and what is to be kept.
#[derive(Debug)]
pub struct Outputs<'a> {
    dir: Option<&'a OutputDir>,
    /// Held while an output that was on disk is in memory.
    reading: Mutex<()>,
}

/// The files in which output is kept.
#[derive(Debug, Default)]
pub struct Kept {
    /// In the order of processes, stdout first.
    pub files: Vec<PathBuf>,
    /// Why not all of it could be kept.
    pub error: Option<io::Error>,
}

impl<'a> Outputs<'a> {
    /// Without a directory there is only memory, and nothing is kept.
    pub fn new(dir: Option<&'a OutputDir>) -> Self {
        Self { dir, reading: Mutex::new(()) }
    }

    /// Where long output goes.
    pub(super) fn dir(&self) -> Option<&'a OutputDir> {
        self.dir
    }

    /// Hands what a process printed to `judge`: all of it, but for what `sieves` leave out of a stream that is on disk.
    pub(super) fn read<T>(
        &self,
        ran: &Ran,
        sieves: Sieves<'_>,
        judge: impl FnOnce(&Output) -> T,
    ) -> Result<T, Truncated> {
        let _turn = ran.is_long().then(|| self.reading.lock().unwrap_or_else(PoisonError::into_inner));
        let (stdout, stderr) = (ran.stdout.read(sieves.stdout)?, ran.stderr.read(sieves.stderr)?);
        Ok(judge(&Output { stdout, stderr, exit: ran.exit, is_leaky: ran.leaky }))
    }

    /// Keeps what a process printed in files whose names begin with `name`; nothing for a stream without a byte.
    pub(super) fn keep(&self, name: &str, ran: &Ran, kept: &mut Kept) {
        let Some(dir) = self.dir else { return };
        for (stream, ending) in [(&ran.stdout, "stdout"), (&ran.stderr, "stderr")] {
            if stream.len() == 0 {
                continue;
            }
            match dir.keep(&format!("{name}.{ending}"), |file| stream.write_to(file)) {
                Ok(path) => kept.files.push(path),
                Err(error) => kept.error = Some(error),
            }
        }
    }

    /// Takes back all that was kept.
    pub(super) fn discard(&self, kept: &mut Kept) {
        for path in std::mem::take(kept).files {
            self.dir.into_iter().for_each(|dir| dir.discard(&path));
        }
    }
}

/// One stream.
#[derive(Debug)]
pub(super) struct Spool {
    held: Held,
    /// The length of all that came.
    len: u64,
}

#[derive(Debug)]
enum Held {
    /// All of it: at most [`IN_MEMORY`].
    Memory(Vec<u8>),
    /// All of it: more than [`IN_MEMORY`], at most [`ON_DISK`].
    Disk(File),
    /// What it began with and the last that came.
    Ends { head: Vec<u8>, tail: Vec<u8>, why: Truncated },
}

impl Spool {
    pub(super) fn new() -> Self {
        Self { held: Held::Memory(Vec::new()), len: 0 }
    }

    /// Takes what came, to `dir` if it is too much for memory.
    pub(super) fn push(&mut self, bytes: &[u8], dir: Option<&OutputDir>) {
        self.len += bytes.len() as u64;
        let disk = |error: io::Error| Truncated::Disk(error.to_string());
        let taken = match &mut self.held {
            Held::Memory(kept) if self.len <= IN_MEMORY as u64 => {
                kept.extend_from_slice(bytes);
                Ok(())
            }
            Held::Memory(kept) => {
                moved(kept, bytes, dir).map(|file| self.held = Held::Disk(file)).map_err(disk)
            }
            Held::Disk(_) if self.len > ON_DISK => Err(Truncated::Loud),
            Held::Disk(file) => file.write_all(bytes).map_err(disk),
            Held::Ends { tail, .. } => {
                extend_tail(tail, bytes);
                Ok(())
            }
        };
        if let Err(why) = taken {
            let head = match &mut self.held {
                Held::Disk(file) => read(file, IN_MEMORY as u64).unwrap_or_default(),
                Held::Memory(head) | Held::Ends { head, .. } => std::mem::take(head),
            };
            let mut tail = Vec::new();
            extend_tail(&mut tail, bytes);
            self.held = Held::Ends { head, tail, why };
        }
    }

    /// How much came.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn is_on_disk(&self) -> bool {
        matches!(self.held, Held::Disk(_))
    }

    /// All of it, but for what `sieve` leaves out of what is on disk.
    pub(super) fn read(&self, sieve: Option<Sieve<'_>>) -> Result<Vec<u8>, Truncated> {
        let read_back = |error: io::Error| Truncated::ReadBack(error.to_string());
        match &self.held {
            Held::Memory(kept) => Ok(kept.clone()),
            Held::Disk(file) => match sieve {
                Some(mut sieve) => sift(file, self.len, &mut *sieve).map_err(read_back),
                None => read(file, self.len).map_err(read_back),
            },
            Held::Ends { why, .. } => Err(why.clone()),
        }
    }

    /// Writes what there is of it, with a line that tells what is left out.
    fn write_to(&self, out: &mut File) -> io::Result<()> {
        match &self.held {
            Held::Memory(kept) => out.write_all(kept),
            Held::Disk(file) => {
                let mut file = file;
                file.rewind()?;
                io::copy(&mut file, out).map(drop)
            }
            Held::Ends { head, tail, .. } => {
                let tail = &tail[tail.len().saturating_sub(TAIL)..];
                let left_out = self.len - (head.len() + tail.len()) as u64;
                out.write_all(head)?;
                if left_out > 0 {
                    write!(out, "\n[genti: {left_out} bytes are left out here]\n")?;
                }
                out.write_all(tail)
            }
        }
    }
}

/// A file with what was in memory and came now.
fn moved(kept: &[u8], bytes: &[u8], dir: Option<&OutputDir>) -> io::Result<File> {
    let no_dir = || io::Error::other("the target directory can't be written");
    let mut file = dir.ok_or_else(no_dir)?.nameless()?;
    file.write_all(kept)?;
    file.write_all(bytes)?;
    Ok(file)
}

/// The first `len` bytes of `file`.
fn read(mut file: &File, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // An error rather than the end of the program.
    bytes.try_reserve_exact(usize::try_from(len).map_err(io::Error::other)?)?;
    file.rewind()?;
    file.take(len).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == len { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// The first `len` bytes of `file`, with an empty line in place of each that `sieve` does not keep.
fn sift(mut file: &File, len: u64, sieve: &mut dyn FnMut(&[u8]) -> bool) -> io::Result<Vec<u8>> {
    file.rewind()?;
    let mut input = BufReader::with_capacity(IN_MEMORY / 4, file.take(len));
    let (mut kept, mut line, mut all) = (Vec::new(), Vec::new(), 0);
    loop {
        let part = input.fill_buf()?;
        let end = part.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(part.len(), |end| end + 1);
        line.extend_from_slice(&part[..end.unwrap_or(used).min(LINE.saturating_sub(line.len()))]);
        let is_last = part.is_empty();
        input.consume(used);
        all += used as u64;
        if end.is_none() && !is_last {
            continue;
        }
        if sieve(&line) {
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
    use crate::scan::process::Ending;
    use crate::store::ArtifactDir;

    /// Bytes that tell where they stand.
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

    /// What is written of `bytes` if they are too long.
    fn ends(bytes: &[u8]) -> Vec<u8> {
        let (head, rest) = bytes.split_at(IN_MEMORY);
        let (left_out, tail) = rest.split_at(rest.len() - TAIL);
        let mark = format!("\n[genti: {} bytes are left out here]\n", left_out.len());
        [head, mark.as_bytes(), tail].concat()
    }

    #[test]
    fn all_of_it_is_there_up_to_the_cap_wherever_it_lies() {
        let (_dir, store) = store();
        for (len, is_on_disk) in [(0, false), (IN_MEMORY, false), (IN_MEMORY + 1, true), (3 << 20, true)] {
            let bytes = numbered(len);
            let spool = spool(&bytes, 60_000, Some(store.outputs()));
            assert_eq!(spool.is_on_disk(), is_on_disk, "{len}");
            // Twice: it is kept after it was read.
            assert!(spool.read(None).unwrap() == bytes && written(&spool) == bytes, "{len}");
        }
        let names = std::fs::read_dir(store.path().with_file_name("output")).unwrap();
        assert_eq!(names.count(), 0, "what is on disk has no name");
    }

    #[test]
    fn of_what_is_too_long_the_ends_are_left_and_it_is_never_read() {
        let (_dir, store) = store();
        let bytes = numbered(IN_MEMORY);
        let mut spool = Spool::new();
        (0..ON_DISK / IN_MEMORY as u64).for_each(|_| spool.push(&bytes, Some(store.outputs())));
        assert!(spool.is_on_disk() && spool.read(None).is_ok());
        spool.push(b"!", Some(store.outputs()));
        assert_eq!(spool.read(None), Err(Truncated::Loud));
        let Held::Ends { head, tail, .. } = &spool.held else { panic!("{:?}", spool.held) };
        assert!(*head == bytes && tail == b"!");
        let mark = format!("\n[genti: {} bytes are left out here]\n!", ON_DISK - IN_MEMORY as u64);
        assert!(written(&spool) == [&bytes, mark.as_bytes()].concat());
    }

    #[test]
    fn the_end_is_that_of_all_that_came_in_bounded_memory() {
        let bytes = numbered(2 << 20);
        for chunk in [1000, TAIL - 1, TAIL, TAIL + 1, 1 << 19] {
            let spool = spool(&bytes, chunk, None);
            assert!(matches!(spool.read(None), Err(Truncated::Disk(_))));
            let Held::Ends { head, tail, .. } = &spool.held else { panic!("{:?}", spool.held) };
            assert!(head.len() <= IN_MEMORY && tail.len() <= 2 * TAIL, "chunks of {chunk}");
            if IN_MEMORY.is_multiple_of(chunk) {
                assert!(written(&spool) == ends(&bytes), "chunks of {chunk}");
            }
            assert!(written(&spool).ends_with(&bytes[bytes.len() - TAIL..]), "chunks of {chunk}");
        }
    }

    #[test]
    fn a_disk_that_says_no_is_told_and_leaves_no_output_to_judge() {
        #[track_caller]
        fn check(spool: &Spool, expected: &str) {
            assert_eq!(spool.read(None).unwrap_err().to_string(), expected);
        }
        let (dir, store) = store();
        let bytes = numbered(2 << 20);
        check(
            &spool(&bytes, 1 << 16, None),
            "it printed more than 1 MiB, which could not be put on disk: the target directory can't be written",
        );
        // Full half way: what came until then is not lost.
        let mut full = spool(&bytes, 1 << 16, Some(store.outputs()));
        let file = File::options().read(true).write(true).open("/dev/full").unwrap();
        full.held = Held::Disk(file);
        full.push(b"x", Some(store.outputs()));
        check(
            &full,
            "it printed more than 1 MiB, which could not be put on disk: No space left on device (os error 28)",
        );
        let lost = spool(&bytes, 1 << 16, Some(store.outputs()));
        let Held::Disk(file) = &lost.held else { panic!("{:?}", lost.held) };
        file.set_len(1 << 20).unwrap();
        check(&lost, "what it printed could not be read back: unexpected end of file");
        std::fs::remove_dir(dir.path().join("genti/output")).unwrap();
        check(
            &spool(&bytes, 1 << 16, Some(store.outputs())),
            "it printed more than 1 MiB, which could not be put on disk: No such file or directory (os error 2)",
        );
    }

    fn ran(stdout: Spool, stderr: Spool) -> Ran {
        Ran { stdout, stderr, exit: Exit::Code(0), ending: Ending::Own, leaky: false }
    }

    #[test]
    fn of_the_outputs_on_disk_one_is_read_at_a_time() {
        let (_dir, store) = store();
        let outputs = Outputs::new(Some(store.outputs()));
        let check = |stdout: usize, stderr: usize, is_alone: bool| {
            let spool = |len| spool(&numbered(len), 1 << 16, outputs.dir());
            outputs
                .read(&ran(spool(stdout), spool(stderr)), Sieves::default(), |output| {
                    assert_eq!((output.stdout.len(), output.stderr.len()), (stdout, stderr));
                    assert_eq!(outputs.reading.try_lock().is_err(), is_alone);
                })
                .unwrap();
        };
        check(10, 10, false);
        check(2 << 20, 10, true);
        check(10, 2 << 20, true);
    }

    #[test]
    fn lines_that_a_sieve_leaves_out_are_read_as_empty_ones() {
        let (_dir, store) = store();
        let even = |line: &[u8]| line.last().is_some_and(|digit| digit % 2 == 0);
        let count = 300_000;
        for end in ["", "\n"] {
            let text = (0..count).map(|at| at.to_string()).collect::<Vec<_>>().join("\n") + end;
            let kept: Vec<_> =
                text.split('\n').map(|line| if even(line.as_bytes()) { line } else { "" }).collect();
            let long = spool(text.as_bytes(), 1 << 16, Some(store.outputs()));
            assert!(long.is_on_disk());
            let read = long.read(Some(Box::new(even))).unwrap();
            assert_eq!(String::from_utf8(read).unwrap(), kept.join("\n"));
        }
        // What is in memory already is read as it is.
        assert_eq!(spool(b"1\n2\n", 1 << 16, None).read(Some(Box::new(even))).unwrap(), b"1\n2\n");
    }

    #[test]
    fn of_a_line_that_is_too_long_a_part_is_read() {
        let (_dir, store) = store();
        let text = [&b"a\n"[..], &vec![b'x'; 3 << 20], b"\nb"].concat();
        let long = spool(&text, 1 << 16, Some(store.outputs()));
        let read = long.read(Some(Box::new(|_| true))).unwrap();
        assert_eq!(read, [&b"a\n"[..], &vec![b'x'; LINE], b"\nb"].concat());
        let Held::Disk(file) = &long.held else { panic!("{:?}", long.held) };
        file.set_len(1 << 20).unwrap();
        assert!(matches!(long.read(Some(Box::new(|_| true))), Err(Truncated::ReadBack(_))));
    }

    #[test]
    fn half_an_output_is_never_judged() {
        let outputs = Outputs::new(None);
        for (stdout, stderr) in [(2 << 20, 0), (0, 2 << 20)] {
            let spool = |len| spool(&numbered(len), 1 << 16, None);
            let ran = ran(spool(stdout), spool(stderr));
            let read = outputs.read(&ran, Sieves::default(), |_| panic!("it was judged"));
            assert!(matches!(read, Err::<(), _>(Truncated::Disk(_))));
        }
    }

    #[test]
    fn what_is_kept_is_what_was_said_and_can_be_taken_back() {
        let (_dir, store) = store();
        let outputs = Outputs::new(Some(store.outputs()));
        let mut kept = Kept::default();
        let spool = |bytes| spool(bytes, 1 << 16, outputs.dir());
        outputs.keep("t-0-0", &ran(spool(b"out"), spool(b"")), &mut kept);
        outputs.keep("t-0-0-2", &ran(spool(b""), spool(b"err")), &mut kept);
        let texts: Vec<_> = kept.files.iter().map(|path| std::fs::read(path).unwrap()).collect();
        assert_eq!(texts, [b"out", b"err"]);
        let names: Vec<_> = kept.files.iter().filter_map(|path| path.file_name()).collect();
        assert_eq!(names, ["t-0-0.stdout", "t-0-0-2.stderr"]);
        let files = kept.files.clone();
        outputs.discard(&mut kept);
        assert!(kept.files.is_empty() && files.iter().all(|path| !path.exists()));
    }
}
