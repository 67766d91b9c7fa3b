//! Reads numbers from output. Each match of a pattern states one number, or one for each of its groups.

use std::collections::BTreeMap;

use regex::{Captures, Regex};

use super::lines::LONGEST;
use super::scrub::strip_escapes;
use super::{Gap, Input, Parsed, Unparsable, is_crash};
use crate::model::census::Census;
use crate::model::ratchet::{Decimal, NumberPattern};

/// Group for the number, and group for its name.
const VALUE: &str = "value";
const NAME: &str = "name";

/// Reads the numbers on stdout and stderr.
pub(super) fn parse(input: &Input<'_>, code: i32, pattern: &NumberPattern) -> Result<Parsed, Unparsable> {
    if is_crash(code) {
        return Err(input.crashed(code));
    }
    if code != 0 {
        let reason = input.complaint().unwrap_or_else(|| "no error message".to_owned());
        return Ok(Parsed {
            gaps: vec![Gap::all(format!("exited with {code}: {reason}"))],
            ..Parsed::default()
        });
    }
    let regex =
        Regex::new(&pattern.regex).map_err(|error| Unparsable(format!("invalid pattern: {error}")))?;
    let mut numbers: BTreeMap<String, Decimal> = BTreeMap::new();
    for stream in [&input.output.stdout, &input.output.stderr] {
        for (number, line) in (1..).zip(input.lines(stream)) {
            if line.len() > LONGEST {
                return Err(Unparsable(format!("line {number} is longer than 1 MiB")));
            }
            let text = String::from_utf8_lossy(line);
            let text = strip_escapes(&text);
            for (name, value) in regex.captures_iter(&text).flat_map(|found| stated(&regex, pattern, &found))
            {
                let name = input.scrub.lossy(name.as_bytes());
                let value: Decimal = value
                    .parse()
                    .map_err(|error| Unparsable(format!("invalid number for {name}: {error}")))?;
                match numbers.get(&name) {
                    Some(before) if *before != value => {
                        return Err(Unparsable(format!(
                            "two different numbers for {name}: {before} and {value}"
                        )));
                    }
                    Some(_) => {}
                    None => drop(numbers.insert(name, value)),
                }
            }
        }
    }
    if numbers.is_empty() {
        return Err(Unparsable("no number found in the output".to_owned()));
    }
    Ok(Parsed { census: Census { numbers, ..Census::default() }, ..Parsed::default() })
}

/// Returns whether `line` states a number.
pub(super) fn is_stated(pattern: &Regex, line: &[u8]) -> bool {
    pattern.is_match(&strip_escapes(&String::from_utf8_lossy(line)))
}

/// Returns the numbers in a match, each with its name.
fn stated(regex: &Regex, pattern: &NumberPattern, found: &Captures<'_>) -> Vec<(String, String)> {
    let group = |name| found.name(name).map(|group| group.as_str().trim().to_owned());
    let mut groups = regex.capture_names().flatten();
    let named: Vec<_> = match groups.clone().any(|name| name == VALUE) {
        true => vec![(group(NAME).or_else(|| pattern.name.clone()), group(VALUE))],
        false => groups.by_ref().map(|name| (Some(name.to_owned()), group(name))).collect(),
    };
    let both = named.into_iter().filter_map(|(name, value)| name.zip(value));
    both.filter(|(name, _)| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ratchet::Better;
    use crate::model::task::Unit;
    use crate::model::tool::Parse;
    use crate::normalize::testing::{run, tool, workspace};

    fn numbers(regex: &str, name: Option<&str>, stdout: &str, code: i32) -> Result<Vec<String>, String> {
        let pattern = NumberPattern {
            regex: regex.to_owned(),
            name: name.map(str::to_owned),
            better: Better::Higher,
            tolerance: None,
            unit: None,
        };
        let tool = tool("cov", Parse::Number(Box::new(pattern)), &["cov"]);
        match run(&workspace(&[], &[]), &tool, &[Unit::Workspace], stdout, "error: no\n", code) {
            Ok(parsed) if !parsed.gaps.is_empty() => Err(parsed.gaps[0].reason.clone()),
            Ok(parsed) => {
                Ok(parsed.census.numbers.iter().map(|(name, value)| format!("{name} {value}")).collect())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn each_line_that_matches_states_a_number() {
        let one = numbers(r"^TOTAL .* (?<value>[\d.]+)%$", Some("line coverage"), "a\nTOTAL x 81.20%\n", 0);
        assert_eq!(one, Ok(vec!["line coverage 81.20".to_owned()]));
        let several =
            numbers(r"^(?<name>\w+): (?<value>\d+)$", None, "a: 1\nb: 20\nrest\n\x1b[1ma: 1\x1b[0m\n", 0);
        assert_eq!(several, Ok(vec!["a 1".to_owned(), "b 20".to_owned()]));
        let in_a_line = numbers(r"(?<name>\w+)=(?<value>\d+)", None, "text=100 data=20\n", 0);
        assert_eq!(in_a_line, Ok(vec!["data 20".to_owned(), "text 100".to_owned()]));
    }

    #[test]
    fn each_group_of_a_pattern_without_a_value_is_a_number() {
        let several = numbers(
            r"^TOTAL (?<lines>[\d.]+)%(?: (?<branches>[\d.]+)%)?",
            None,
            "TOTAL 81.20% 7%\nTOTAL 81.2%\n",
            0,
        );
        assert_eq!(several, Ok(vec!["branches 7".to_owned(), "lines 81.20".to_owned()]));
    }

    #[test]
    fn missing_or_ambiguous_numbers_have_no_result() {
        let check = |stdout: &str, code: i32, expected: &str| {
            assert_eq!(numbers(r"^n=(?<value>.+)$", Some("n"), stdout, code), Err(expected.to_owned()));
        };
        check("nothing\n", 0, "no number found in the output");
        check("n=1\nn=2\n", 0, "two different numbers for n: 1 and 2");
        let twice = numbers(r"n=(?<value>\d)", Some("n"), "n=1 n=2\n", 0);
        assert_eq!(twice, Err("two different numbers for n: 1 and 2".to_owned()));
        check("n=1\n", 1, "exited with 1: no");
        let error = numbers(r"^n=(?<value>.+)$", Some("n"), "n=1,5\n", 0).unwrap_err();
        assert!(error.starts_with("invalid number for n: `1,5` is not a decimal number"), "{error}");
    }
}
