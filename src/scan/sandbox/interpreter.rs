//! The interpreter of a file that is executed: the program of a script, or the loader of a program. The kernel reads it itself,
//! without a call.

use std::io::{self, Read};
use std::path::Path;

use crate::disk;

/// Returns the interpreter that the kernel starts for the file at `place`; `None` if it needs none.
pub(super) fn interpreter(place: &Path) -> io::Result<Option<Vec<u8>>> {
    /// Of a script, the kernel reads this much.
    const HEAD: u64 = 256;
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    // Only a regular file, because opening a pipe would wait.
    let file = disk::open(place)?;
    let mut head = Vec::new();
    (&file).take(HEAD).read_to_end(&mut head)?;
    if let Some(line) = head.strip_prefix(b"#!") {
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_start();
        let end = line.iter().position(|byte| b" \t\0".contains(byte)).unwrap_or(line.len());
        return if end == 0 { Err(invalid()) } else { Ok(Some(line[..end].to_vec())) };
    }
    // A little-endian program of 64 bits; the headers of its segments tell the loader.
    if !head.starts_with(b"\x7fELF\x02\x01") || head.len() < 64 {
        return Err(invalid());
    }
    let short = |bytes: &[u8], at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let long = |bytes: &[u8], at: usize| {
        bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes))
    };
    let (size, count) = (usize::from(short(&head, 54)), usize::from(short(&head, 56)));
    if size < 56 {
        return Err(invalid());
    }
    let read = |at: u64, len: usize| {
        let mut bytes = vec![0; len];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, at).map(|()| bytes)
    };
    const INTERPRETER: [u8; 4] = 3_u32.to_le_bytes();
    let headers = read(long(&head, 32), size * count)?;
    let Some(header) = headers.chunks_exact(size).find(|header| header.starts_with(&INTERPRETER)) else {
        return Ok(None);
    };
    let mut path = read(long(header, 8), long(header, 32).min(4096) as usize)?;
    path.truncate(path.iter().position(|byte| *byte == 0).unwrap_or(path.len()));
    Ok(Some(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpreters_of_scripts_and_programs_are_read_as_the_kernel_does() {
        let dir = tempfile::tempdir().unwrap();
        let read = |text: &[u8]| {
            let path = dir.path().join("x");
            std::fs::write(&path, text).unwrap();
            interpreter(&path).ok()
        };
        assert_eq!(read(b"#! /bin/sh -e\nx"), Some(Some(b"/bin/sh".to_vec())));
        assert_eq!(read(b"#!\n"), None);
        assert_eq!(read(b"echo x\n"), None);
        assert_eq!(read(b"\x7fELF\x02\x01"), None);
        let own = interpreter(&std::env::current_exe().unwrap()).unwrap();
        assert!(own.is_none_or(|own| own.starts_with(b"/lib")));
    }
}
