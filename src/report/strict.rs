//! Checks that artifacts are canonical: their bytes are those that writing their content again gives, and the content has no
//! floats and no absolute paths. Says nothing about whether the content is right.

use std::fmt;
use std::io::{self, BufReader};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::de::{IoRead, Read, SliceRead};

use super::{Artifacts, Draft, canonical};

/// A violation of the canonical format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {message}")]
pub struct Violation {
    /// The artifact.
    pub file: &'static str,
    /// The line, starting at 1.
    pub line: usize,
    /// Description of the problem.
    pub message: String,
}

impl Artifacts {
    /// Returns the first violation of each artifact.
    pub fn violations(&self) -> Vec<Violation> {
        let Self { run, report, tasks } = self;
        let mut lines = (0..).zip(tasks.split_inclusive(|byte| *byte == b'\n'));
        let task = lines.find_map(|(before, line)| {
            let found = check_bytes("tasks.jsonl", line, canonical::to_line)?;
            Some(Violation { line: found.line + before, ..found })
        });
        let [run, report] = [("run.json", run), ("report.json", report)]
            .map(|(file, bytes)| check_bytes(file, bytes, canonical::to_bytes));
        [run, report, task].into_iter().flatten().collect()
    }
}

impl Draft<'_> {
    /// Returns the first violation in the content of each artifact. In addition, no text may contain one of `places`, which
    /// are paths of this machine. Does not check the formatting. `report` reads `report.json`.
    pub fn violations(&self, report: impl io::Read, places: &[&str]) -> Vec<Violation> {
        let judge = Content { places, is_path: false };
        let task = self.tasks.texts().find_map(|(line, unit, mut texts)| {
            let of_unit = Content { is_path: true, ..judge }.judge(&unit);
            let message = of_unit.or_else(|| texts.find_map(|text| judge.judge(text)))?;
            Some(Violation { file: "tasks.jsonl", line, message })
        });
        let run = read("run.json", SliceRead::new(&self.run), places);
        let report = read("report.json", IoRead::new(BufReader::new(report)), places);
        [run, report, task].into_iter().flatten().collect()
    }
}

/// Returns the first violation in the content of `bytes`, or the first place where they differ from what `write` makes of it.
fn check_bytes(file: &'static str, bytes: &[u8], write: fn(&Value) -> Vec<u8>) -> Option<Violation> {
    if let Some(found) = read(file, SliceRead::new(bytes), &[]) {
        return Some(found);
    }
    let expected = write(&serde_json::from_slice(bytes).ok()?);
    let same = expected.iter().zip(bytes).take_while(|(a, b)| a == b).count();
    let line = 1 + bytes[..same].iter().filter(|byte| **byte == b'\n').count();
    (expected != bytes).then(|| Violation { file, line, message: "not in canonical format".to_owned() })
}

/// Returns the first violation in the content of what `from` reads.
fn read<'de>(file: &'static str, from: impl Read<'de>, places: &[&str]) -> Option<Violation> {
    let mut reader = serde_json::Deserializer::new(from);
    let content = Content { places, is_path: false };
    let error = content.deserialize(&mut reader).and_then(|()| reader.end()).err()?;
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message).to_owned();
    Some(Violation { file, line: error.line().max(1), message })
}

/// Checks the content of JSON while reading it, without keeping the values.
#[derive(Clone, Copy)]
struct Content<'a> {
    places: &'a [&'a str],
    /// True if strings at this level are paths.
    is_path: bool,
}

impl Content<'_> {
    /// Returns the violation in `text`, if there is one.
    fn judge(self, text: &str) -> Option<String> {
        if self.is_path && is_absolute(text) {
            return Some(format!("`{text}` is an absolute path"));
        }
        let place = self.places.iter().find(|place| contains_path(text, place))?;
        Some(format!("`{text}` contains `{place}`, a path of this machine"))
    }
}

/// Keys whose strings are paths.
const PATHS: [&str; 3] = ["path", "unit", "golden_orphans"];

impl<'de> DeserializeSeed<'de> for Content<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Content<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        Err(E::custom(format_args!("`{number:?}` is not an integer")))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.judge(text).map_or(Ok(()), |message| Err(E::custom(message)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            map.next_value_seed(Content { is_path: PATHS.contains(&key.as_str()), ..self })?;
        }
        Ok(())
    }
}

/// Returns whether `path` is absolute on any operating system.
fn is_absolute(path: &str) -> bool {
    let drive =
        |path: &[u8]| matches!(path, [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_alphabetic());
    path.starts_with(['/', '\\']) || drive(path.as_bytes())
}

/// Returns whether `text` contains `place` as a path or as the beginning of one.
fn contains_path(text: &str, place: &str) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.match_indices(place).any(|(at, _)| {
        !text[..at].ends_with(|c| goes_on(c) || c == '/') && !text[at + place.len()..].starts_with(goes_on)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(report: &str, expected: Option<&str>) {
        let artifacts = Artifacts { run: b"{}\n".to_vec(), report: report.into(), tasks: Vec::new() };
        let mut found = artifacts.violations();
        if found.is_empty() {
            found.extend(read("report.json", SliceRead::new(report.as_bytes()), &["/home/me/w"]));
        }
        let found: Vec<_> = found.iter().map(Violation::to_string).collect();
        assert_eq!(found, expected.map(|text| format!("report.json, {text}")).as_slice(), "{report}");
    }

    #[test]
    fn violations_are_reported_with_their_line() {
        check("{\n  \"a\": [\n    1,\n    -2,\n    null,\n    true\n  ],\n  \"b\": \"x\"\n}\n", None);
        check("{\n  \"a\": 1.0\n}\n", Some("line 2: `1.0` is not an integer"));
        check("{\n  \"a\": 1e3\n}\n", Some("line 2: `1000.0` is not an integer"));
        let written = |line| Some(format!("line {line}: not in canonical format"));
        check("{\n  \"a\": 1\n}", written(3).as_deref());
        check("{\n  \"a\":1\n}\n", written(2).as_deref());
        check("{\n  \"b\": 1,\n  \"a\": 2\n}\n", written(2).as_deref());
        check("{\n  \"a\": 1,\n  \"a\": 2\n}\n", written(2).as_deref());
        check("{\n  \"a\": \"\\u0041\"\n}\n", written(2).as_deref());
        check("{\n  \"a\": 1\n}\n{}\n", Some("line 4: trailing characters"));
        check("{\n  \"a\": [\n    1\n", Some("line 4: EOF while parsing a list"));
    }

    #[test]
    fn absolute_paths_and_paths_of_this_machine_are_violations() {
        let report = |key, text| format!("{{\n  \"{key}\": \"{text}\"\n}}\n");
        check(&report("path", "a/b"), None);
        check(&report("path", "/a/b"), Some("line 2: `/a/b` is an absolute path"));
        check(&report("unit", "C:/b"), Some("line 2: `C:/b` is an absolute path"));
        // Messages may contain absolute paths that are not of this machine.
        check(&report("message", "no /dev/null"), None);
        check(&report("message", "in /home/me/wide and x/home/me/w"), None);
        let held = "line 2: `in /home/me/w/a` contains `/home/me/w`, a path of this machine";
        check(&report("message", "in /home/me/w/a"), Some(held));
    }

    #[test]
    fn each_line_of_tasks_jsonl_is_checked() {
        let tasks = b"{\"a\":1}\n{\"b\":1,\"a\":2}\n".to_vec();
        let artifacts = Artifacts { run: b"{}\n".to_vec(), report: b"{}\n".to_vec(), tasks };
        let found: Vec<_> = artifacts.violations().iter().map(Violation::to_string).collect();
        assert_eq!(found, ["tasks.jsonl, line 2: not in canonical format"]);
    }
}
