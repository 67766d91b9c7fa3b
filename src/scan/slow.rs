//! Finds steps that have run for so long that the user should know. The time is passed in.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::task::StepId;

/// Time after which a step is reported as slow, and again after each further period.
const PERIOD: Duration = Duration::from_secs(60);

/// Running steps, each with its start time and the number of periods reported.
#[derive(Debug, Default)]
pub(super) struct Slow(BTreeMap<StepId, (Duration, u32)>);

impl Slow {
    /// Records the start of `step`.
    pub(super) fn start(&mut self, step: StepId, now: Duration) {
        self.0.insert(step, (now, 0));
    }

    /// Records the end of `step`.
    pub(super) fn finish(&mut self, step: StepId) {
        self.0.remove(&step);
    }

    /// Returns the steps that have run for another full period since the last call, with their run time.
    pub(super) fn due(&mut self, now: Duration) -> Vec<(StepId, Duration)> {
        let due = self.0.iter_mut().filter_map(|(step, (start, reported))| {
            let periods = (now.saturating_sub(*start).as_secs() / PERIOD.as_secs()) as u32;
            (std::mem::replace(reported, periods) < periods).then_some((*step, PERIOD * periods))
        });
        due.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_step_is_reported_after_each_period_until_it_ends() {
        let [a, b] = [0, 1].map(|rank| StepId { rank, at: 0 });
        let at = |tenths: u64| PERIOD * tenths as u32 / 10;
        let mut slow = Slow::default();
        slow.start(a, at(5));
        slow.start(b, at(10));
        assert_eq!(slow.due(at(14)), []);
        assert_eq!(slow.due(at(15)), [(a, PERIOD)]);
        assert_eq!(slow.due(at(16)), []);
        assert_eq!(slow.due(at(26)), [(a, 2 * PERIOD), (b, PERIOD)]);
        slow.finish(a);
        assert_eq!(slow.due(at(60)), [(b, 5 * PERIOD)], "once, even after several periods");
    }
}
