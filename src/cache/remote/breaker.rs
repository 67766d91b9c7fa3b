//! Decides whether a server is called once more. Knows neither calls nor the clock.

/// Number of failures in a row after which nothing more is asked.
pub(super) const FAILURES: u32 = 3;

/// Number of times that a failed call is repeated.
pub(super) const RETRIES: u32 = 2;

/// State of the connection with a server.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// Failures since the last success.
    failures: u32,
    is_open: bool,
    /// The first failure that was not retried.
    trouble: Option<String>,
}

impl Breaker {
    /// Returns true if the server may be called.
    pub(super) fn allows(&self) -> bool {
        !self.is_open
    }

    /// Notes an answer.
    pub(super) fn succeed(&mut self) {
        self.failures = 0;
    }

    /// Notes a failure. Returns true if it may be retried.
    pub(super) fn fail(&mut self, why: &str) -> bool {
        self.failures += 1;
        if self.failures >= FAILURES {
            self.open(why);
        }
        self.allows()
    }

    /// Notes a failure that no retry helps.
    pub(super) fn give_up(&mut self, why: &str) {
        self.trouble.get_or_insert_with(|| why.to_owned());
    }

    /// Ends all calls.
    pub(super) fn open(&mut self, why: &str) {
        self.is_open = true;
        self.give_up(why);
    }

    /// Returns the first failure that was not retried.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_in_a_row_end_all_calls() {
        let mut breaker = Breaker::default();
        assert!(breaker.fail("one") && breaker.fail("two"));
        breaker.succeed();
        assert!(breaker.fail("three") && breaker.fail("four"));
        assert_eq!((breaker.allows(), breaker.trouble()), (true, None));
        assert!(!breaker.fail("five"));
        assert_eq!((breaker.allows(), breaker.trouble()), (false, Some("five")));
        breaker.succeed();
        assert!(!breaker.allows(), "for the rest of the run");
    }

    #[test]
    fn the_first_trouble_is_the_one_that_is_told() {
        let mut breaker = Breaker::default();
        breaker.give_up("full");
        breaker.open("dead");
        assert_eq!((breaker.allows(), breaker.trouble()), (false, Some("full")));
    }
}
