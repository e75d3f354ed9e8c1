// SPDX-License-Identifier: GPL-2.0

//! The lines a process prints, kept, written to a file, and waited for.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

#[derive(Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

/// The output of a process so far. Clones share it.
#[derive(Clone, Default)]
pub struct Output(Arc<(Mutex<State>, Condvar)>);

impl Output {
    /// Collects the source's output, in a thread that ends with it.
    pub fn collect(source: impl Read + Send + 'static, copy: &Path) -> Result<Self> {
        let output = Self::default();
        let mut copy = File::create(copy)?;
        let shared = output.clone();
        thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while source.read_until(b'\n', &mut line).is_ok_and(|len| len > 0) {
                // The copy is for people only: an error is ignored.
                let _ = copy.write_all(&line);
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                shared.lock().lines.push(text);
                shared.0.1.notify_all();
                line.clear();
            }
            shared.lock().ended = true;
            shared.0.1.notify_all();
        });
        Ok(output)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of lines, as a mark from which to look for later ones.
    pub fn mark(&self) -> usize {
        self.lock().lines.len()
    }

    /// Returns the lines from the mark on.
    pub fn since(&self, mark: usize) -> Vec<String> {
        self.lock().lines.get(mark..).unwrap_or_default().to_vec()
    }

    /// Waits for the end of the process's output. Returns all of it.
    pub fn all(&self) -> Vec<String> {
        let mut state = self.lock();
        while !state.ended {
            let waited = self.0.1.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.lines.clone()
    }

    /// Waits for line number `at`. Returns `None` if the output ends before.
    pub fn line(&self, at: usize) -> Option<String> {
        let mut state = self.lock();
        loop {
            match state.lines.get(at) {
                Some(line) => return Some(line.clone()),
                None if state.ended => return None,
                None => {
                    let waited = self.0.1.wait(state);
                    state = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    pub fn tail(&self, count: usize) -> Vec<String> {
        let state = self.lock();
        state.lines[state.lines.len().saturating_sub(count)..].to_vec()
    }

    /// Waits for a line from the mark on that contains the text.
    pub fn wait_for(&self, mark: usize, text: &str, limit: Duration) -> Result<String> {
        self.wait_until(mark, limit, &format!("a line with {text:?}"), |line| {
            line.contains(text)
        })
    }

    /// Waits for a line from the mark on that meets the condition; `what` describes it.
    pub fn wait_until(
        &self,
        mark: usize,
        limit: Duration,
        what: &str,
        condition: impl Fn(&str) -> bool,
    ) -> Result<String> {
        let end = Instant::now() + limit;
        let mut state = self.lock();
        let mut next = mark;
        loop {
            while let Some(line) = state.lines.get(next) {
                if condition(line) {
                    return Ok(line.clone());
                }
                next += 1;
            }
            if state.ended {
                bail!("the output ended without {what}");
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("{what} did not come within {limit:?}");
            }
            let waited = self.0.1.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
