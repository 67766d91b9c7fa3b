//! The search itself: which commit is tested next, and what follows from the answers. Knows commits only as positions in the
//! first-parent history, the newest at 0, and nothing about findings, git or runs.
//!
//! Unless a good commit is named, the search goes back in doubling steps until one lacks the finding. Before the first commit there
//! is nothing, and nothing has a finding, so the end of a complete history counts as such a commit. Then it halves the range. A
//! commit without a result is skipped: the next one is in the middle of the largest gap between commits that were tried, so a long
//! row of broken commits does not have to be tried one by one as long as anything else is left.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// State of a tested commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommitState {
    /// It has the finding.
    Found,
    /// The tool has a result, and does not have the finding.
    Absent,
    /// The tool has no result, with the reason.
    Skipped(String),
}

/// Next step of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Test the commit at this position.
    Test(usize),
    /// The search is over.
    Answer(Answer),
}

/// Result of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The commit at this position is the first one with the finding.
    First(usize),
    /// One of the commits at these positions is, the newest first. The others have no result. If the history is cut, it may also be
    /// one that this clone does not have.
    OneOf {
        /// Positions of the commits.
        commits: Vec<usize>,
        /// True if the first commit with the finding may be missing here.
        or_before: bool,
    },
    /// The oldest commit of this clone has the finding, and the history goes on before it.
    NotBefore(usize),
    /// The newest commit lacks the finding.
    NotInHead,
    /// The newest commit has no result, with the reason.
    NoResult(String),
    /// The commit that is said to be good has the finding.
    NotGood(usize),
    /// The commit that is said to be good has no result, with the reason.
    GoodSkipped(String),
}

/// A search for the first commit with a finding.
#[derive(Clone, Debug)]
pub struct Search {
    /// Number of commits.
    len: usize,
    /// True if the last commit has parents that are not here.
    is_cut: bool,
    /// Position of a commit that is said to lack the finding.
    good: Option<usize>,
    states: BTreeMap<usize, CommitState>,
}

impl Search {
    /// Starts a search through `len` commits, at least one.
    pub fn new(len: usize, is_cut: bool, good: Option<usize>) -> Self {
        Self { len, is_cut, good, states: BTreeMap::new() }
    }

    /// Records the state of the commit at `at`.
    pub fn set(&mut self, at: usize, state: CommitState) {
        self.states.insert(at, state);
    }

    /// Returns the next step.
    pub fn next(&self) -> Next {
        match self.states.get(&0) {
            None => return Next::Test(0),
            Some(CommitState::Absent) => return Next::Answer(Answer::NotInHead),
            Some(CommitState::Skipped(why)) => return Next::Answer(Answer::NoResult(why.clone())),
            Some(CommitState::Found) => {}
        }
        if let Some(good) = self.good {
            match self.states.get(&good) {
                None => return Next::Test(good),
                Some(CommitState::Found) => return Next::Answer(Answer::NotGood(good)),
                Some(CommitState::Skipped(why)) => {
                    return Next::Answer(Answer::GoodSkipped(why.clone()));
                }
                Some(CommitState::Absent) => {}
            }
        }
        let (bad, good) = self.range();
        match good.or_else(|| self.next_step_back(bad).is_none().then_some(self.len)) {
            Some(good) => self.halve(bad, good),
            None => Next::Test(self.next_step_back(bad).unwrap_or_default()),
        }
    }

    /// Number of further commits to test at most, if none is skipped; `None` until one is known to lack the finding.
    pub fn left(&self) -> Option<u32> {
        let (bad, good) = self.range();
        good.map(|good| (good - bad).next_power_of_two().trailing_zeros())
    }

    /// Returns the oldest commit that is known to have the finding, and the newest one known to lack it. Commits on the other side
    /// of that one don't matter: the finding was there before, was gone, and came back.
    fn range(&self) -> (usize, Option<usize>) {
        let all =
            |state: CommitState| self.states.iter().filter(move |(_, own)| **own == state).map(|(at, _)| *at);
        let good = all(CommitState::Absent).next();
        let bad = all(CommitState::Found).take_while(|at| good.is_none_or(|good| *at < good)).last();
        (bad.unwrap_or_default(), good)
    }

    /// Returns the next commit on the way back in doubling steps, or the last one. `None` if all of them were tried.
    fn next_step_back(&self, bad: usize) -> Option<usize> {
        let last = self.len - 1;
        let steps = (0..usize::BITS).map(|exponent| 1_usize << exponent).take_while(|step| *step < last);
        steps.chain([last]).find(|at| *at > bad && !self.states.contains_key(at))
    }

    /// Returns the next commit between `bad`, which has the finding, and `good`, which lacks it or is the end of the history.
    fn halve(&self, bad: usize, good: usize) -> Next {
        let skipped = || self.states.range(bad + 1..good).map(|(at, _)| *at);
        let tried: Vec<_> = [bad].into_iter().chain(skipped()).chain([good]).collect();
        let gaps = tried.windows(2).map(|gap| (gap[1] - gap[0], gap[0] + (gap[1] - gap[0]) / 2));
        // Of equal gaps, the newer one.
        let widest = gaps.rev().max_by_key(|(width, _)| *width).filter(|(width, _)| *width > 1);
        if let Some((_, middle)) = widest {
            return Next::Test(middle);
        }
        let or_before = self.is_cut && good == self.len;
        Next::Answer(match (good - bad, or_before) {
            (1, true) => Answer::NotBefore(bad),
            (1, false) => Answer::First(bad),
            _ => Answer::OneOf { commits: (bad..good).collect(), or_before },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches `history`, the newest commit first: `x` has the finding, `.` lacks it, and `?` has no result. Returns the answer
    /// and the number of tested commits.
    fn search(history: &str, is_cut: bool, good: Option<usize>) -> (Answer, usize) {
        let states: Vec<_> = history.chars().collect();
        let mut search = Search::new(states.len(), is_cut, good);
        for tested in 0.. {
            match search.next() {
                Next::Answer(answer) => return (answer, tested),
                Next::Test(at) => {
                    assert!(!search.states.contains_key(&at), "{at} of {history} is tested twice");
                    search.set(
                        at,
                        match states[at] {
                            'x' => CommitState::Found,
                            '.' => CommitState::Absent,
                            _ => CommitState::Skipped("broken".to_owned()),
                        },
                    );
                }
            }
        }
        unreachable!()
    }

    fn answer(history: &str) -> Answer {
        search(history, false, None).0
    }

    #[test]
    fn the_first_commit_with_the_finding_is_found_wherever_it_is() {
        for len in 1..40 {
            for first in 0..len {
                let history = format!("{}{}", "x".repeat(first + 1), ".".repeat(len - first - 1));
                let (found, tested) = search(&history, false, None);
                assert_eq!(found, Answer::First(first), "{history}");
                assert!(tested <= 12, "{history} takes {tested} tests");
                if first + 1 < len {
                    assert_eq!(search(&history, true, Some(len - 1)).0, Answer::First(first), "{history}");
                }
            }
        }
    }

    #[test]
    fn a_thousand_commits_take_few_tests() {
        let history = format!("{}{}", "x".repeat(700), ".".repeat(300));
        assert_eq!(search(&history, false, None), (Answer::First(699), 21));
        assert_eq!(search(&history, false, Some(900)).0, Answer::First(699));
        // A recent commit is found at once.
        let history = format!("x{}", ".".repeat(999));
        assert_eq!(search(&history, false, None), (Answer::First(0), 2));
    }

    #[test]
    fn commits_without_a_result_are_skipped() {
        assert_eq!(answer("xx?x?...?"), Answer::OneOf { commits: vec![3, 4], or_before: false });
        assert_eq!(answer("xxx?x..."), Answer::First(4));
        assert_eq!(answer("x???.."), Answer::OneOf { commits: vec![0, 1, 2, 3], or_before: false });
        assert_eq!(answer("x?.?"), Answer::OneOf { commits: vec![0, 1], or_before: false });
        // The oldest commits don't build.
        assert_eq!(answer("xx.???"), Answer::First(1));
        assert_eq!(answer("xxx???"), Answer::OneOf { commits: vec![2, 3, 4, 5], or_before: false });
        // A long row of broken commits is not tried as long as another one can be.
        let history = format!("{}{}xx{}", "x".repeat(10), "?".repeat(100), ".".repeat(100));
        let (found, tested) = search(&history, false, Some(211));
        assert_eq!(found, Answer::First(111));
        assert!(tested < 30, "{tested}");
    }

    #[test]
    fn every_history_ends_with_an_answer_that_fits() {
        // All histories of up to 7 commits.
        for len in 1_u32..8 {
            for code in 0..3_usize.pow(len) {
                let char_at = |at: u32| ['x', '.', '?'][code / 3_usize.pow(at) % 3];
                let history: String = (0..len).map(char_at).collect();
                let is = |at: usize, state: char| history.chars().nth(at) == Some(state);
                for is_cut in [false, true] {
                    match search(&history, is_cut, None).0 {
                        Answer::First(at) => {
                            let is_root = at + 1 == len as usize && !is_cut;
                            assert!(is(at, 'x') && (is_root || is(at + 1, '.')), "{history}");
                        }
                        Answer::OneOf { commits, or_before } => {
                            let (first, last) = (commits[0], commits[commits.len() - 1]);
                            assert!(is(first, 'x') && commits.len() > 1, "{history}");
                            assert!(commits[1..].iter().all(|at| is(*at, '?')), "{history}");
                            let is_end = last + 1 == len as usize;
                            assert!(is(last + 1, '.') || is_end && or_before == is_cut, "{history}");
                        }
                        Answer::NotBefore(at) => {
                            assert!(is_cut && is(at, 'x') && at + 1 == len as usize, "{history}");
                        }
                        Answer::NotInHead => assert!(is(0, '.'), "{history}"),
                        Answer::NoResult(_) => assert!(is(0, '?'), "{history}"),
                        Answer::NotGood(_) | Answer::GoodSkipped(_) => panic!("{history}"),
                    }
                }
            }
        }
    }

    #[test]
    fn a_cut_history_has_no_beginning() {
        assert_eq!(search("xxxx", true, None).0, Answer::NotBefore(3));
        assert_eq!(search("xxxx", false, None).0, Answer::First(3));
        assert_eq!(search("xx?", true, None).0, Answer::OneOf { commits: vec![1, 2], or_before: true });
        assert_eq!(search("xx..", true, None).0, Answer::First(1));
    }

    #[test]
    fn a_good_commit_is_checked_first() {
        assert_eq!(search("xxxx.", false, Some(2)), (Answer::NotGood(2), 2));
        assert_eq!(search("xx?x.", false, Some(2)), (Answer::GoodSkipped("broken".to_owned()), 2));
        assert_eq!(search(".x.", false, Some(2)), (Answer::NotInHead, 1));
        assert_eq!(search("x", false, Some(0)), (Answer::NotGood(0), 1));
    }

    #[test]
    fn a_finding_that_was_gone_for_a_while_came_back_last() {
        let mut search = Search::new(8, false, None);
        for (at, state) in [(0, CommitState::Found), (3, CommitState::Absent), (6, CommitState::Found)] {
            search.set(at, state);
        }
        assert_eq!((search.next(), search.left()), (Next::Test(1), Some(2)));
    }
}
