// SPDX-License-Identifier: GPL-2.0

//! Puts faults into copies of the sources, one at a time, and names the test that catches each.

mod failures;
mod fingerprint;
mod lane;
pub mod patch;
mod queue;
pub mod report;
pub mod strays;
pub mod suites;
pub mod supervise;
#[cfg(test)]
mod tests;
mod tree;
mod workspace;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use nix::fcntl::{Flock, FlockArg};

use self::{
    fingerprint::Fingerprints,
    lane::{Lane, Shared, say},
    patch::Mutant,
    queue::Queue,
    report::{Caught, MutantReport, MutantRow, add_caught, read_caught},
    suites::Suite,
    supervise::Supervisor,
};

/// What is run, and where.
pub struct Options {
    /// The checkout.
    pub top: PathBuf,
    /// The cache of the checkout.
    pub cache: PathBuf,
    /// Folder of the copies, their caches, and what was caught.
    pub work: PathBuf,
    /// The kernel of the suites that boot.
    pub kernel: String,
    /// How many mutants are run side by side: one or two.
    pub lanes: usize,
    /// Whether to end at the first mutant that is not caught.
    pub stop: bool,
    /// Whether what earlier runs caught is not run again.
    pub resume: bool,
}

/// Runs the mutants. Returns what came of those that were run, in their order. Nothing else may run them in
/// the same cache, see [`lock`].
pub fn run(options: &Options, mutants: &[Mutant], supervisor: &Supervisor) -> Result<MutantReport> {
    let work = options.work.as_path();
    fs::create_dir_all(work.join("log"))?;
    let (source, caught_before) = (work.join("source"), work.join("caught"));
    say("copying the checkout");
    // The lanes' copies are made of this one, so that a change to the checkout, in the hours that this
    // takes, is in none of them.
    let files = tree::files(&options.top)?;
    tree::restore(&options.top, &files, &source)?;

    let mut fingerprints = Fingerprints::new(&options.kernel, &source, &files)?;
    let known = match options.resume {
        true => read_caught(&caught_before),
        false => BTreeMap::new(),
    };
    let mut keys = BTreeMap::new();
    let mut rows = BTreeMap::new();
    let (mut boots, mut others) = (Vec::new(), Vec::new());
    let mut bad = false;
    for mutant in mutants {
        let key = fingerprints.key(mutant)?;
        let log = work.join(format!("log/{}-patch.log", mutant.name));
        let mut is = |caught| {
            let row = MutantRow::new(mutant, caught, Duration::ZERO);
            rows.insert(mutant.name.clone(), row);
        };
        if let Some(by) = known.get(&key) {
            is(Caught::By(by.clone()));
        } else if !tree::apply(&source, &mutant.patch, &log, true)? {
            let caught = Caught::Error("the patch does not apply".into());
            eprintln!("    {}: {caught}", mutant.name);
            is(caught);
            bad = true;
        } else if mutant.boots() {
            boots.push(mutant);
        } else {
            others.push(mutant);
        }
        keys.insert(mutant.name.as_str(), key);
    }
    // Those that boot a machine first.
    let mut open = [boots, others].concat();
    if bad && options.stop {
        open.clear();
    }

    let queue = Queue::new(open.len());
    let (sender, results) = std::sync::mpsc::channel();
    let done = |mutant: &Mutant, row: &MutantRow| {
        if let (Caught::By(by), Some(key)) = (&row.caught, keys.get(mutant.name.as_str())) {
            add_caught(&caught_before, key, by)?;
        }
        Ok(sender.send(row.clone())?)
    };
    let shared = Shared {
        cache: &options.cache,
        work,
        source: &source,
        files: &files,
        kernel: &options.kernel,
        supervisor,
        open: &open,
        queue: &queue,
        done: &done,
        stop: options.stop,
    };
    let ended = run_lanes(&shared, options.lanes.min(open.len()));
    rows.extend(results.try_iter().map(|row| (row.mutant.clone(), row)));
    if let Some(signal) = supervisor.interrupted() {
        let (count, all) = (rows.len(), mutants.len());
        return Err(anyhow!(
            "ended by {signal} after {count} of {all} mutants, --resume goes on from there"
        ));
    }
    ended?;
    let rows = mutants
        .iter()
        .filter_map(|mutant| rows.remove(&mutant.name));
    Ok(MutantReport {
        rows: rows.collect(),
    })
}

/// Runs the lanes to their end. The first takes mutants from the front, where those are that boot a
/// machine, the second from the back. Each begins with what these need.
fn run_lanes(shared: &Shared<'_>, count: usize) -> Result<()> {
    use Suite::{Clients, Hostile, Kunit, Soak, Vm};
    let booting = [Kunit, Vm, Clients, Hostile, Soak];
    let other = Suite::ALL
        .into_iter()
        .filter(|suite| !suite.boots())
        .collect::<Vec<_>>();
    let suites: &[&[Suite]] = match count {
        0 => &[],
        1 => &[&Suite::ALL],
        _ => &[&booting, &other],
    };
    thread::scope(|scope| {
        let lanes = suites.iter().zip(1..);
        let lanes = lanes.map(|(suites, number)| {
            scope.spawn(move || {
                let lane = Lane::new(shared, number);
                let Err(error) = lane.and_then(|lane| lane.run(suites)) else {
                    return true;
                };
                // The other one ends after its present mutant.
                shared.queue.stop();
                if shared.supervisor.interrupted().is_none() {
                    eprintln!("error: {error:#}");
                }
                false
            })
        });
        // One that panics has said so.
        let lanes: Vec<_> = lanes.collect();
        let ends = lanes.into_iter().map(|lane| lane.join().unwrap_or(false));
        // All are waited for.
        let bad = ends.filter(|good| !good).count();
        ensure!(bad == 0, "not all mutants were run, see above");
        Ok(())
    })
}

/// Waits for other runs in the same cache.
pub fn lock(cache: &Path) -> Result<Flock<File>> {
    let path = cache.join("lock.mutants");
    let open = || File::options().append(true).create(true).open(&path);
    let file = open().with_context(|| path.display().to_string())?;
    let file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => return Ok(lock),
        Err((file, _)) => file,
    };
    say("waiting for another run of the mutants");
    let lock = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, error)| error);
    lock.with_context(|| path.display().to_string())
}
