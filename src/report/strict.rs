//! Whether bytes are those of a canonical artifact: keys in order and each once, no floats, no absolute paths, and written
//! the one way in which this program writes.
//!
//! Judges bytes, so that no reader's kindness hides what is wrong with them. Whether what they say is true is not asked
//! here.

use std::fmt;
use std::io::{self, BufReader};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{Artifacts, Draft, canonical};

/// What is wrong with an artifact, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {message}")]
pub struct Violation {
    /// The artifact.
    pub file: &'static str,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl Artifacts {
    /// What is not canonical: of each file the first.
    pub fn violations(&self) -> Vec<Violation> {
        let Self { run, report, tasks } = self;
        let whole = |file, bytes: &[u8]| {
            let found = read(bytes, &[]).or_else(|| rewrite(bytes, canonical::to_bytes));
            found.map(|found| found.of(file))
        };
        let mut lines = (0..).zip(tasks.split_inclusive(|byte| *byte == b'\n'));
        let line = lines.find_map(|(before, line)| {
            let found = read(line, &[]).or_else(|| rewrite(line, canonical::to_line))?;
            Some(Found { line: found.line + before, ..found }.of("tasks.jsonl"))
        });
        [whole("run.json", run), whole("report.json", report), line].into_iter().flatten().collect()
    }
}

impl Draft<'_> {
    /// What must not be in artifacts, of each file the first: a text that holds one of `places`, which are paths of this
    /// machine. How they are written is not asked: whoever wants to know reads them. `report` is `report.json`.
    pub fn violations(&self, report: impl io::Read, places: &[&str]) -> Vec<Violation> {
        let judge = Canonical { places, is_path: false };
        let line = self.tasks.texts().find_map(|(line, unit, reason)| {
            let of_unit = Canonical { is_path: true, ..judge }.judge(&unit);
            let message = of_unit.or_else(|| reason.and_then(|reason| judge.judge(reason)))?;
            Some(Found { line, message }.of("tasks.jsonl"))
        });
        let run = read(&self.run, places).map(|found| found.of("run.json"));
        let report = serde_json::de::IoRead::new(BufReader::new(report));
        let report = read_from(report, places).map(|found| found.of("report.json"));
        [run, report, line].into_iter().flatten().collect()
    }
}

struct Found {
    line: usize,
    message: String,
}

impl Found {
    fn of(self, file: &'static str) -> Violation {
        Violation { file, line: self.line, message: self.message }
    }
}

/// What is wrong with what is in `bytes`.
fn read(bytes: &[u8], places: &[&str]) -> Option<Found> {
    read_from(serde_json::de::SliceRead::new(bytes), places)
}

fn read_from<'de>(read: impl serde_json::de::Read<'de>, places: &[&str]) -> Option<Found> {
    let mut reader = serde_json::Deserializer::new(read);
    let seed = Canonical { places, is_path: false };
    if let Err(error) = seed.deserialize(&mut reader).and_then(|()| reader.end()) {
        let text = error.to_string();
        let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
        return Some(Found { line: error.line().max(1), message: message.to_owned() });
    }
    None
}

/// Where `bytes` are not what `write` makes of what is in them.
fn rewrite(bytes: &[u8], write: fn(&Value) -> Vec<u8>) -> Option<Found> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let expected = write(&value);
    if expected == bytes {
        return None;
    }
    let same = expected.iter().zip(bytes).take_while(|(a, b)| a == b).count();
    let line = 1 + bytes[..same].iter().filter(|byte| **byte == b'\n').count();
    Some(Found { line, message: "it is not written as genti writes it".to_owned() })
}

/// Reads any JSON and keeps nothing of it.
#[derive(Clone, Copy)]
struct Canonical<'a> {
    places: &'a [&'a str],
    /// Whether texts here are paths.
    is_path: bool,
}

impl Canonical<'_> {
    /// What is wrong with `text`.
    fn judge(self, text: &str) -> Option<String> {
        if self.is_path && is_absolute(text) {
            return Some(format!("`{text}` is an absolute path"));
        }
        let place = self.places.iter().find(|place| holds(text, place))?;
        Some(format!("`{text}` holds a path of this machine, `{place}`"))
    }
}

/// The keys whose texts are paths.
const PATHS: [&str; 3] = ["path", "unit", "golden_orphans"];

impl<'de> DeserializeSeed<'de> for Canonical<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Canonical<'_> {
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
        Err(E::custom(format_args!("`{number:?}` is no whole number")))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.judge(text).map_or(Ok(()), |message| Err(E::custom(message)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut last: Option<String> = None;
        while let Some(key) = map.next_key::<String>()? {
            match last {
                Some(last) if last == key => {
                    return Err(A::Error::custom(format_args!("the key `{key}` is there twice")));
                }
                Some(last) if last > key => {
                    let message = format!("keys are not in order: `{key}` comes after `{last}`");
                    return Err(A::Error::custom(message));
                }
                _ => {}
            }
            map.next_value_seed(Canonical { is_path: PATHS.contains(&key.as_str()), ..self })?;
            last = Some(key);
        }
        Ok(())
    }
}

/// On any system.
fn is_absolute(path: &str) -> bool {
    let drive =
        |path: &[u8]| matches!(path, [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_alphabetic());
    path.starts_with(['/', '\\']) || drive(path.as_bytes())
}

/// Whether `place` stands in `text` as a path or the beginning of one.
fn holds(text: &str, place: &str) -> bool {
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
            found.extend(read(report.as_bytes(), &["/home/me/w"]).map(|found| found.of("report.json")));
        }
        let found: Vec<_> = found.iter().map(Violation::to_string).collect();
        assert_eq!(found, expected.map(|text| format!("report.json, {text}")).as_slice(), "{report}");
    }

    #[test]
    fn what_is_not_canonical_is_named_with_its_line() {
        check("{\n  \"a\": [\n    1,\n    -2,\n    null,\n    true\n  ],\n  \"b\": \"x\"\n}\n", None);
        let order = "line 3: keys are not in order: `a` comes after `b`";
        check("{\n  \"b\": 1,\n  \"a\": 2\n}\n", Some(order));
        check("{\n  \"a\": 1,\n  \"a\": 2\n}\n", Some("line 3: the key `a` is there twice"));
        check("{\n  \"a\": 1.0\n}\n", Some("line 2: `1.0` is no whole number"));
        check("{\n  \"a\": 1e3\n}\n", Some("line 2: `1000.0` is no whole number"));
        let written = |line| Some(format!("line {line}: it is not written as genti writes it"));
        check("{\n  \"a\": 1\n}", written(3).as_deref());
        check("{\n  \"a\":1\n}\n", written(2).as_deref());
        check("{\n  \"a\": \"\\u0041\"\n}\n", written(2).as_deref());
        check("{\n  \"a\": 1\n}\n{}\n", Some("line 4: trailing characters"));
        check("{\n  \"a\": [\n    1\n", Some("line 4: EOF while parsing a list"));
    }

    #[test]
    fn no_path_is_absolute_and_no_text_names_this_machine() {
        let report = |key, text| format!("{{\n  \"{key}\": \"{text}\"\n}}\n");
        check(&report("path", "a/b"), None);
        check(&report("path", "/a/b"), Some("line 2: `/a/b` is an absolute path"));
        check(&report("unit", "C:/b"), Some("line 2: `C:/b` is an absolute path"));
        // Not every text that looks like a path is one.
        check(&report("message", "no /dev/null"), None);
        check(&report("message", "in /home/me/wide and x/home/me/w"), None);
        let held = "line 2: `in /home/me/w/a` holds a path of this machine, `/home/me/w`";
        check(&report("message", "in /home/me/w/a"), Some(held));
    }

    #[test]
    fn lines_are_judged_one_by_one() {
        let tasks = b"{\"a\":1}\n{\"b\":1,\"a\":2}\n".to_vec();
        let artifacts = Artifacts { run: b"{}\n".to_vec(), report: b"{}\n".to_vec(), tasks };
        let found: Vec<_> = artifacts.violations().iter().map(Violation::to_string).collect();
        assert_eq!(found, ["tasks.jsonl, line 2: keys are not in order: `a` comes after `b`"]);
    }
}
