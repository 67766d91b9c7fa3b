//! Reads output that is a single JSON document of any length.

use std::io::{self, BufReader, Read};

use serde::de::DeserializeOwned;

use crate::model::halt::{Halt, Pace};

/// Largest document that is read without checking for a halt. This takes a fifth of a second at worst.
const SHORT: usize = 4 << 20;

/// Parses a document until `halt` is due. It then fails like a truncated document.
pub(super) fn read<T: DeserializeOwned>(halt: &dyn Halt, document: &[u8]) -> serde_json::Result<T> {
    match document.len() {
        ..=SHORT => serde_json::from_slice(document),
        _ => serde_json::from_reader(BufReader::new(Halting { document, pace: Pace::new(halt) })),
    }
}

/// Reader that fails once `halt` is due.
struct Halting<'a> {
    document: &'a [u8],
    pace: Pace<'a>,
}

impl Read for Halting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.pace.spend(buffer.len()).map_err(io::Error::other)?;
        self.document.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::model::halt::testing::After;
    use crate::model::halt::{Never, STRIDE};

    #[test]
    fn reading_a_long_document_stops_when_halted() {
        let document = format!("[{}0]", "0,".repeat(SHORT));
        let value: Value = read(&Never, document.as_bytes()).unwrap();
        assert_eq!(value.as_array().unwrap().len(), SHORT + 1);
        let halt = After::new(3);
        let error = read::<Value>(&halt, document.as_bytes()).unwrap_err();
        assert!(error.is_io() && error.column() <= 4 * STRIDE, "{error}");
    }
}
