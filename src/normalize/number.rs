//! Output of which only numbers are read: each line that a pattern matches states one.

use std::collections::BTreeMap;

use regex::Regex;

use super::scrub::strip_escapes;
use super::{Gap, Input, Parsed, Unparsable, is_crash};
use crate::model::census::Census;
use crate::model::ratchet::{Decimal, NumberPattern};

/// The numbers on stdout and stderr.
pub(super) fn parse(input: &Input<'_>, code: i32, pattern: &NumberPattern) -> Result<Parsed, Unparsable> {
    if is_crash(code) {
        return Err(input.crashed(code));
    }
    if code != 0 {
        let reason = input.complaint().unwrap_or_else(|| "it says nothing about it".to_owned());
        return Ok(Parsed {
            gaps: vec![Gap::all(format!("exited with {code}: {reason}"))],
            ..Parsed::default()
        });
    }
    let regex = Regex::new(&pattern.regex).map_err(|error| Unparsable(format!("the pattern: {error}")))?;
    let mut numbers: BTreeMap<String, Decimal> = BTreeMap::new();
    for stream in [&input.output.stdout, &input.output.stderr] {
        for line in stream.split(|&byte| byte == b'\n') {
            let text = String::from_utf8_lossy(line);
            let text = strip_escapes(&text);
            let Some(found) = regex.captures(&text) else { continue };
            let group = |name| found.name(name).map(|group| group.as_str().trim());
            let name = group("name").map(|name| input.scrub.lossy(name.as_bytes()));
            let name = name.or_else(|| pattern.name.clone()).filter(|name| !name.is_empty());
            let (Some(name), Some(value)) = (name, group("value")) else { continue };
            let value: Decimal =
                value.parse().map_err(|error| Unparsable(format!("the number {name}: {error}")))?;
            match numbers.get(&name) {
                Some(before) if *before != value => {
                    return Err(Unparsable(format!("{name} is stated twice: {before} and {value}")));
                }
                Some(_) => {}
                None => drop(numbers.insert(name, value)),
            }
        }
    }
    if numbers.is_empty() {
        return Err(Unparsable("no line of its output states a number".to_owned()));
    }
    Ok(Parsed { census: Census { numbers, ..Census::default() }, ..Parsed::default() })
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
    }

    #[test]
    fn what_states_no_clear_number_has_no_verdict() {
        let check = |stdout: &str, code: i32, expected: &str| {
            assert_eq!(numbers(r"^n=(?<value>.+)$", Some("n"), stdout, code), Err(expected.to_owned()));
        };
        check("nothing\n", 0, "no line of its output states a number");
        check("n=1\nn=2\n", 0, "n is stated twice: 1 and 2");
        check("n=1\n", 1, "exited with 1: no");
        let error = numbers(r"^n=(?<value>.+)$", Some("n"), "n=1,5\n", 0).unwrap_err();
        assert!(error.starts_with("the number n: `1,5` is not a decimal number"), "{error}");
    }
}
