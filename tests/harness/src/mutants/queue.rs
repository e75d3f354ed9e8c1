// SPDX-License-Identifier: GPL-2.0

//! The mutants that are left to run, and the suites that passed without a fault.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Result, ensure};

use super::{
    patch::{Mutant, Spec},
    suites::Suite,
};

#[derive(Default)]
struct State {
    left: VecDeque<usize>,
    taken: usize,
    /// What passed without a fault.
    verified: Vec<Spec>,
    /// What a lane is just trying without a fault.
    trying: Vec<Spec>,
    /// Whether some of that did not pass, so that its lane cannot go on.
    broken: bool,
}

/// Shared by the lanes.
pub struct Queue {
    state: Mutex<State>,
    /// A lane has tried a suite without a fault.
    tried: Condvar,
}

impl Queue {
    /// Makes the queue of so many mutants.
    pub fn new(count: usize) -> Self {
        Self {
            state: Mutex::new(State {
                left: (0..count).collect(),
                ..State::default()
            }),
            tried: Condvar::new(),
        }
    }

    /// Takes a mutant, from the front or from the back. Returns its index, and how many are taken. A lane
    /// that is through with what it began with so helps the other.
    pub fn take(&self, front: bool) -> Option<(usize, usize)> {
        let mut state = self.lock();
        let at = match front {
            true => state.left.pop_front(),
            false => state.left.pop_back(),
        }?;
        state.taken += 1;
        Some((at, state.taken))
    }

    /// Leaves nothing to take.
    pub fn stop(&self) {
        self.lock().left.clear();
    }

    pub fn is_verified(&self, spec: &Spec) -> bool {
        self.lock().is_verified(spec)
    }

    /// Makes sure that a suite, or the cases of its filter, passes without a fault. Tries it, unless it has
    /// passed; waits for the other lane if that is just trying it.
    pub fn verify(&self, spec: &Spec, attempt: impl FnOnce() -> Result<()>) -> Result<()> {
        let mut state = self.lock();
        while !state.is_verified(spec) && state.trying.iter().any(|other| other.covers(spec)) {
            let waited = self.tried.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_verified(spec) {
            return Ok(());
        }
        ensure!(!state.broken, "the other lane cannot go on");
        state.trying.push(spec.clone());
        drop(state);
        let result = attempt();
        let mut state = self.lock();
        state.trying.retain(|other| other != spec);
        match &result {
            Ok(()) => state.verified.push(spec.clone()),
            Err(_) => state.broken = true,
        }
        self.tried.notify_all();
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_verified(&self, spec: &Spec) -> bool {
        self.verified.iter().any(|passed| passed.covers(spec))
    }
}

/// Returns what is tried first without a fault, each suite once: the one part of it that is named or all
/// of it, and of those that take very long all parts that are named.
pub fn first_specs(suites: &[Suite], open: &[&Mutant]) -> Vec<Spec> {
    let specs = |suite| {
        let all = open.iter().flat_map(|mutant| &mutant.specs);
        all.filter(move |spec| spec.suite == suite)
            .collect::<BTreeSet<_>>()
    };
    let first = suites.iter().filter_map(|&suite| {
        let specs = specs(suite);
        let whole = specs.iter().any(|spec| spec.filter.is_empty());
        let filter = match specs.len() {
            0 => return None,
            1 => specs.into_iter().next()?.filter.clone(),
            _ if suite.is_long() && !whole => {
                let words: BTreeSet<_> = specs.iter().flat_map(|spec| &spec.filter).collect();
                words.into_iter().cloned().collect()
            }
            _ => Vec::new(),
        };
        Some(Spec { suite, filter })
    });
    first.collect()
}

#[cfg(test)]
mod tests {
    use super::{Mutant, Queue, Spec, Suite, first_specs};
    use anyhow::bail;
    use std::sync::mpsc;

    #[test]
    fn each_mutant_is_taken_once_from_both_ends() {
        let queue = Queue::new(4);
        assert_eq!(queue.take(true), Some((0, 1)));
        assert_eq!(queue.take(false), Some((3, 2)));
        assert_eq!(queue.take(true), Some((1, 3)));
        assert_eq!(queue.take(true), Some((2, 4)));
        assert_eq!(queue.take(true), None);
        assert_eq!(queue.take(false), None);
        let stopped = Queue::new(2);
        stopped.stop();
        assert_eq!(stopped.take(true), None);
    }

    #[test]
    fn a_suite_is_tried_by_one_lane_only() {
        let queue = Queue::new(1);
        let kunit = Spec::whole(Suite::Kunit);
        let case = Spec {
            filter: vec!["caif_a.b".into()],
            ..kunit.clone()
        };
        let (started, start) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        std::thread::scope(|scope| {
            let first = scope.spawn(|| {
                queue.verify(&kunit, move || {
                    started.send(())?;
                    Ok(ended.recv()?)
                })
            });
            start.recv().unwrap();
            let second = scope.spawn(|| queue.verify(&case, || bail!("tried twice")));
            // What is not being tried does not wait.
            queue.verify(&Spec::whole(Suite::Host), || Ok(())).unwrap();
            end.send(()).unwrap();
            first.join().unwrap().unwrap();
            second.join().unwrap().unwrap();
        });
        assert!(queue.is_verified(&case));
        queue.verify(&case, || bail!("tried again")).unwrap();
    }

    #[test]
    fn a_lane_does_not_try_what_failed_in_the_other() {
        let queue = Queue::new(1);
        let spec = Spec::whole(Suite::Kunit);
        let (started, start) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            let first = scope.spawn(|| {
                queue.verify(&spec, move || {
                    started.send(())?;
                    Ok(ended.recv()?)
                })
            });
            start.recv().unwrap();
            let second = scope.spawn(|| queue.verify(&spec, || panic!("tried twice")));
            drop(end);
            assert!(first.join().unwrap().is_err());
            assert!(second.join().unwrap().is_err());
        });
        assert!(!queue.is_verified(&spec));
    }

    fn first(suites: &[Suite], headers: &[&str]) -> Vec<String> {
        let mutants: Vec<_> = headers
            .iter()
            .map(|suites| {
                let lines = suites.split(", ").map(|suite| format!("Suite: {suite}\n"));
                Mutant::parse("name", lines.collect::<String>().into()).unwrap()
            })
            .collect();
        let open: Vec<_> = mutants.iter().collect();
        let specs = first_specs(suites, &open);
        specs.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_suite_is_tried_once_without_a_fault() {
        let headers = [
            "kunit a.b, host x",
            "kunit c",
            "vm one two, kunit c",
            "host x",
            "vm three two",
        ];
        assert_eq!(
            first(&Suite::ALL, &headers),
            ["host x", "kunit", "vm one three two"]
        );
        assert_eq!(
            first(&[Suite::Vm, Suite::Kunit], &headers),
            ["vm one three two", "kunit"]
        );
        assert_eq!(first(&Suite::ALL, &["vm", "vm one"]), ["vm"]);
        assert_eq!(
            first(&Suite::ALL, &["clients one, soak"]),
            ["clients one", "soak"]
        );
    }
}
