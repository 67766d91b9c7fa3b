//! Finds steps that have run for so long that the user should know. The time is passed in.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::task::StepId;

/// Time after which a step is reported as slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// Running steps that were not reported yet, each with its start time.
#[derive(Debug, Default)]
pub(super) struct Slow(BTreeMap<StepId, Duration>);

impl Slow {
    /// Records the start of `step`.
    pub(super) fn start(&mut self, step: StepId, now: Duration) {
        self.0.insert(step, now);
    }

    /// Records the end of `step`.
    pub(super) fn finish(&mut self, step: StepId) {
        self.0.remove(&step);
    }

    /// Returns the steps that have become slow since the last call, with their run time.
    pub(super) fn due(&mut self, now: Duration) -> Vec<(StepId, Duration)> {
        let is_slow = |(_, start): &(&StepId, &Duration)| now.saturating_sub(**start) >= PATIENCE;
        let slow: Vec<_> = self.0.iter().filter(is_slow).map(|(step, _)| *step).collect();
        self.0.retain(|step, _| !slow.contains(step));
        slow.into_iter().map(|step| (step, PATIENCE)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_step_is_reported_once() {
        let [a, b] = [0, 1].map(|rank| StepId { rank, at: 0 });
        let at = |tenths: u64| PATIENCE * tenths as u32 / 10;
        let mut slow = Slow::default();
        slow.start(a, at(5));
        slow.start(b, at(10));
        assert_eq!(slow.due(at(14)), []);
        assert_eq!(slow.due(at(15)), [(a, PATIENCE)]);
        assert_eq!(slow.due(at(16)), []);
        assert_eq!(slow.due(at(26)), [(b, PATIENCE)]);
        assert_eq!(slow.due(at(60)), []);
        slow.start(a, at(60));
        slow.finish(a);
        assert_eq!(slow.due(at(90)), []);
    }
}
