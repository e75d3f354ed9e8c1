// SPDX-License-Identifier: GPL-2.0

//! Schedules the parts: as many at a time as there are lanes.

/// The properties of a part that its schedule depends on.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// Indices of the parts that must have succeeded before.
    pub needs: Vec<usize>,
    /// Whether it must run alone, as it measures time.
    pub alone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Waiting,
    Running,
    Good,
    Bad,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Start(usize),
    /// Skip it, as a preparation has failed.
    Skip(usize),
    /// Wait until a running part has ended.
    Wait,
    Over,
}

/// Returns the next action. Jobs are started in their order, those aside that wait for others.
pub fn next(jobs: &[Job], states: &[State], lanes: usize) -> Next {
    let running = || {
        let pairs = jobs.iter().zip(states);
        pairs.filter(|(_, state)| **state == State::Running)
    };
    let count = running().count();
    let mut left = count > 0;
    for (at, (job, state)) in jobs.iter().zip(states).enumerate() {
        if *state != State::Waiting {
            continue;
        }
        left = true;
        let is = |wanted| {
            job.needs
                .iter()
                .any(|need| states.get(*need) == Some(&wanted))
        };
        if is(State::Bad) {
            return Next::Skip(at);
        }
        let blocked = is(State::Waiting) || is(State::Running);
        let room = if job.alone { 1 } else { lanes };
        if !blocked && count < room && running().all(|(other, _)| !other.alone) {
            return Next::Start(at);
        }
    }
    if left { Next::Wait } else { Next::Over }
}

#[cfg(test)]
mod tests {
    use super::{Job, Next, State, next};

    /// Runs all jobs, each until the `ends`-th of those that run is asked to end; gives the order
    /// of starts, and of ends as negative numbers.
    fn run(jobs: &[Job], lanes: usize, bad: &[usize]) -> Vec<String> {
        let mut states = vec![State::Waiting; jobs.len()];
        let mut running = Vec::new();
        let mut events = Vec::new();
        loop {
            match next(jobs, &states, lanes) {
                Next::Start(at) => {
                    states[at] = State::Running;
                    running.push(at);
                    events.push(format!("+{at}"));
                }
                Next::Skip(at) => {
                    states[at] = State::Bad;
                    events.push(format!("x{at}"));
                }
                Next::Wait => {
                    // The job that was started first ends first.
                    let at = running.remove(0);
                    states[at] = if bad.contains(&at) {
                        State::Bad
                    } else {
                        State::Good
                    };
                    events.push(format!("-{at}"));
                }
                Next::Over => return events,
            }
        }
    }

    fn job(needs: &[usize], alone: bool) -> Job {
        Job {
            needs: needs.to_vec(),
            alone,
        }
    }

    #[test]
    fn two_run_at_a_time() {
        let jobs = [job(&[], false), job(&[], false), job(&[], false)];
        assert_eq!(run(&jobs, 2, &[]).concat(), "+0+1-0+2-1-2");
        assert_eq!(run(&jobs, 1, &[]).concat(), "+0-0+1-1+2-2");
        assert_eq!(run(&[], 2, &[]).concat(), "");
    }

    #[test]
    fn others_pass_what_waits() {
        let jobs = [job(&[], false), job(&[0], false), job(&[], false)];
        assert_eq!(run(&jobs, 2, &[]).concat(), "+0+2-0+1-2-1");
    }

    #[test]
    fn what_needs_a_failed_one_is_skipped() {
        let jobs = [
            job(&[], false),
            job(&[0], false),
            job(&[1], false),
            job(&[], false),
        ];
        assert_eq!(run(&jobs, 2, &[0]).concat(), "+0+3-0x1x2-3");
    }

    #[test]
    fn one_that_measures_time_is_alone() {
        let jobs = [
            job(&[], false),
            job(&[], true),
            job(&[], false),
            job(&[], false),
        ];
        assert_eq!(run(&jobs, 2, &[]).concat(), "+0+2-0+3-2-3+1-1");
        let first = [job(&[], true), job(&[], false), job(&[], false)];
        assert_eq!(run(&first, 2, &[]).concat(), "+0-0+1+2-1-2");
    }
}
