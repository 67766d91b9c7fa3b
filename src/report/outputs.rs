//! The file with the output of failed tests, `test-output.jsonl`: one JSON object per test.
//!
//! It is beside the artifacts but is none of them: it may differ between identical runs, and no verdict depends on it. A
//! missing or damaged file only means that reports show no output.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::finished::Finding;
use crate::model::finding::FailedTest;
use crate::model::outcome::Outcome;
use crate::model::test_output::TestOutput;
use crate::model::text::Text;

/// Name of the file.
pub const TEST_OUTPUT: &str = "test-output.jsonl";

/// Largest size of the file that is read, in bytes.
pub const MOST: u64 = 256 << 20;

/// A line of the file. Fields are in order of their names.
#[derive(Serialize, Deserialize)]
struct Line {
    left_out: u64,
    test: String,
    text: String,
    tool: String,
}

/// Outputs of the failed tests of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputsOfTests(BTreeMap<String, BTreeMap<String, TestOutput>>);

impl OutputsOfTests {
    /// Returns the outputs of a run that has just ended.
    pub fn of_outcome(outcome: &Outcome) -> Self {
        Self::new(&outcome.test_outputs)
    }

    /// Returns the given outputs, each with its tool.
    pub fn new(outputs: &[(Text, TestOutput)]) -> Self {
        let mut all = Self::default();
        outputs.iter().for_each(|(tool, output)| all.add(tool, output.clone()));
        all
    }

    /// Reads the file. Lines that are not valid are ignored.
    pub fn read(bytes: &[u8]) -> Self {
        let mut all = Self::default();
        for line in bytes.split(|byte| *byte == b'\n') {
            if let Ok(Line { left_out, test, text, tool }) = serde_json::from_slice(line) {
                all.add(&tool, TestOutput { test, text, left_out });
            }
        }
        all
    }

    fn add(&mut self, tool: &str, output: TestOutput) {
        self.0.entry(tool.to_owned()).or_default().insert(output.test.clone(), output);
    }

    /// Returns the content of the file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (tool, outputs) in &self.0 {
            for TestOutput { test, text, left_out } in outputs.values().cloned() {
                let line = Line { left_out, test, text, tool: tool.clone() };
                // Writing to memory can't fail.
                let _ = serde_json::to_writer(&mut bytes, &line);
                bytes.push(b'\n');
            }
        }
        bytes
    }

    /// Returns what `test` printed under `tool`.
    pub fn of_test(&self, tool: &str, test: &str) -> Option<&TestOutput> {
        self.0.get(tool)?.get(test)
    }

    /// Returns what the test that `finding` is about printed.
    pub fn of(&self, finding: &Finding) -> Option<&TestOutput> {
        let name = match FailedTest::of_case(&finding.message) {
            Some(test) => test.to_owned(),
            None => finding.test.as_ref().map(|_| finding.place.name())?,
        };
        finding.tools.iter().find_map(|tool: &Text| self.of_test(tool, &name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_it_was_written_and_damaged_lines_are_ignored() {
        let mut outputs = OutputsOfTests::default();
        for test in ["a::it works", "b \u{1b}"] {
            outputs
                .add("test", TestOutput { test: test.to_owned(), text: "one\ntwo".to_owned(), left_out: 7 });
        }
        let mut bytes = outputs.bytes();
        assert_eq!(OutputsOfTests::read(&bytes), outputs);
        assert_eq!(outputs.of_test("test", "a::it works").unwrap().left_out, 7);
        bytes.extend_from_slice(b"{\"test\":1}\n\xff");
        assert_eq!(OutputsOfTests::read(&bytes), outputs);
    }
}
