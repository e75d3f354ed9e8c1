// SPDX-License-Identifier: GPL-2.0

//! Starts the parts, prints their progress, and ends them at an interruption.

use std::{
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use super::{
    child::{end, wait},
    logs::{last_line, lines, telling_lines},
    parts::{Part, Set},
    plan::{self, Job, Next, State},
    report::{Report, Row},
    saved::Saved,
    verdict::{End, Verdict},
};
use crate::process::end_with_us;

/// Interval at which the progress of a running part is printed.
const TELL: Duration = Duration::from_secs(30);

/// Where and how parts are run.
pub struct Runner {
    /// The checkout.
    pub top: PathBuf,
    /// Folder for the parts' logs.
    pub logs: PathBuf,
    pub set: Set,
    /// Returns the fingerprint of files, [`content::of`](super::content::of).
    pub content: fn(&Path, &[&str]) -> Result<String>,
    /// Number of parts that run at a time.
    pub lanes: usize,
    /// Appended to the names of the logs.
    pub suffix: String,
    /// Time for a part to end after SIGTERM.
    pub grace: Duration,
}

pub enum Event {
    /// A part has ended; with its index and its CPU time in seconds.
    Ended(usize, ExitStatus, f64),
    /// The run is to end.
    Interrupted,
}

/// A running part.
struct Running {
    group: Pid,
    start: Instant,
    told: Instant,
}

impl Runner {
    /// Runs the parts. Returns their results, and whether all have ended by themselves. The
    /// receiver gets interruptions.
    pub fn run(
        &self,
        parts: &[Part],
        saved: &mut Option<Saved>,
        events: (&mpsc::Sender<Event>, &mpsc::Receiver<Event>),
    ) -> Result<(Report, bool)> {
        let start = Instant::now();
        std::fs::create_dir_all(&self.logs)?;
        let place = |name: &&str| parts.iter().position(|part| part.name == *name);
        let jobs: Vec<Job> = parts
            .iter()
            .map(|part| Job {
                needs: part.needs.iter().filter_map(place).collect(),
                alone: part.alone && self.set == Set::Full,
            })
            .collect();
        let mut states = vec![State::Waiting; parts.len()];
        let mut running: Vec<Option<Running>> = parts.iter().map(|_| None).collect();
        let mut rows: Vec<Option<Row>> = parts.iter().map(|_| None).collect();
        for (at, part) in parts.iter().enumerate() {
            let row = saved.as_ref().and_then(|saved| saved.get(part.name));
            if let Some(row) = row.filter(|_| part.cases) {
                say(&format!(
                    "{}: {} passed in an earlier run",
                    part.name, row.passed
                ));
                states[at] = State::Good;
                rows[at] = Some(row);
            }
        }
        let mut interrupted = false;
        loop {
            match plan::next(&jobs, &states, self.lanes) {
                Next::Over => break,
                Next::Start(at) if !interrupted => {
                    running[at] = Some(self.start(&parts[at], at, events.0)?);
                    states[at] = State::Running;
                    continue;
                }
                Next::Skip(at) if !interrupted => {
                    let row = self.row(&parts[at], End::NotRun, 0.0, 0.0);
                    self.tell_end(&row);
                    states[at] = State::Bad;
                    rows[at] = Some(row);
                    continue;
                }
                _ => {}
            }
            if interrupted && !states.contains(&State::Running) {
                break;
            }
            match events.1.recv_timeout(self.until_told(&running)) {
                Ok(Event::Ended(at, status, cpu)) => {
                    let Some(ran) = running[at].take() else {
                        continue;
                    };
                    // No process of it may continue: it would take the others' time.
                    let _ = killpg(ran.group, Signal::SIGKILL);
                    let row = self.row(
                        &parts[at],
                        end(status),
                        ran.start.elapsed().as_secs_f64(),
                        cpu,
                    );
                    self.tell_end(&row);
                    states[at] = if row.failed == 0 {
                        State::Good
                    } else {
                        State::Bad
                    };
                    if let Some(saved) = saved
                        .as_mut()
                        .filter(|_| row.failed == 0 && parts[at].cases)
                    {
                        let now = (self.content)(&self.top, parts[at].reads)?;
                        if !saved.add(&row, &now)? {
                            say(&format!("{}: runs again, as its files changed", row.part));
                        }
                    }
                    rows[at] = Some(row);
                }
                Ok(Event::Interrupted) => {
                    say("ending what runs");
                    let signal = if interrupted {
                        Signal::SIGKILL
                    } else {
                        Signal::SIGTERM
                    };
                    signal_all(&running, signal);
                    if !interrupted {
                        let (sender, grace) = (events.0.clone(), self.grace);
                        thread::spawn(move || {
                            thread::sleep(grace);
                            // The receiver is gone when all have ended.
                            let _ = sender.send(Event::Interrupted);
                        });
                    }
                    interrupted = true;
                }
                Err(RecvTimeoutError::Timeout) => self.tell_all(parts, &mut running),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let report = Report {
            rows: rows.into_iter().flatten().collect(),
            seconds: start.elapsed().as_secs_f64(),
        };
        Ok((report, !interrupted))
    }

    fn log(&self, part: &Part) -> PathBuf {
        self.logs
            .join(format!("tests-{}{}.log", part.name, self.suffix))
    }

    fn start(&self, part: &Part, at: usize, sender: &mpsc::Sender<Event>) -> Result<Running> {
        let line = part.line(self.set).context("a part is in the set")?;
        let (script, args) = line.split_first().context("a part has a command")?;
        let path = self.log(part);
        let log = File::create(&path).with_context(|| path.display().to_string())?;
        say(&format!(
            "{}: starts, its log is {}",
            part.name,
            path.display()
        ));
        let mut command = Command::new(self.top.join(script));
        command.args(args).current_dir(&self.top);
        if let Some(arch) = part.arch {
            command.env("ARCH", arch);
        }
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        command.process_group(0);
        end_with_us(&mut command);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {script}"))?;
        let group = Pid::from_raw(child.id().cast_signed());
        let sender = sender.clone();
        thread::spawn(move || wait(child, at, &sender));
        let now = Instant::now();
        Ok(Running {
            group,
            start: now,
            told: now,
        })
    }

    fn row(&self, part: &Part, end: End, seconds: f64, cpu_seconds: f64) -> Row {
        let log = self.log(part);
        let verdict = match (part.cases, end) {
            // The log is that of an earlier run.
            (_, End::NotRun) => Verdict::new("", end),
            (true, _) => Verdict::new(&last_line(&log), end),
            (false, _) => Verdict::of_preparation(end),
        };
        let why = match end {
            End::NotRun => Some(format!(
                "was not run, as one of {} has failed",
                part.needs.join(", ")
            )),
            _ => verdict.why,
        };
        Row {
            part: part.name.to_owned(),
            passed: verdict.passed,
            failed: verdict.failed,
            why,
            seconds,
            cpu_seconds,
            log,
            earlier: false,
        }
    }

    fn tell_end(&self, row: &Row) {
        say(&format!(
            "{}: {} passed, {} failed, {:.0} s{}",
            row.part,
            row.passed,
            row.failed,
            row.seconds,
            row.why
                .as_ref()
                .map(|why| format!(", {why}"))
                .unwrap_or_default()
        ));
        if row.failed > 0 {
            for line in telling_lines(&lines(&row.log)) {
                eprintln!("    {line}");
            }
        }
    }

    /// Returns the time until the progress of a running part is to be printed.
    fn until_told(&self, running: &[Option<Running>]) -> Duration {
        let oldest = running.iter().flatten().map(|ran| ran.told).min();
        oldest.map_or(TELL, |told| TELL.saturating_sub(told.elapsed()))
    }

    fn tell_all(&self, parts: &[Part], running: &mut [Option<Running>]) {
        for (part, ran) in parts.iter().zip(running) {
            let Some(ran) = ran.as_mut().filter(|ran| ran.told.elapsed() >= TELL) else {
                continue;
            };
            ran.told = Instant::now();
            let seconds = ran.start.elapsed().as_secs();
            let last: String = last_line(&self.log(part)).chars().take(90).collect();
            eprintln!("    {}: {seconds} s, {last}", part.name);
        }
    }
}

fn say(text: &str) {
    eprintln!("==> {text}");
}

fn signal_all(running: &[Option<Running>], signal: Signal) {
    for ran in running.iter().flatten() {
        // A part that has just ended counts as well.
        let _ = killpg(ran.group, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Part, Report, Runner, Saved, Set};
    use crate::suite::{parts::Line, saved::Contents};
    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
    use std::{os::unix::fs::PermissionsExt, path::Path, sync::mpsc, time::Duration};

    fn part(name: &'static str, line: Line) -> Part {
        Part {
            name,
            what: "",
            short: None,
            full: Some(line),
            arch: None,
            needs: &[],
            alone: false,
            cases: true,
            any_arch: false,
            reads: &[],
        }
    }

    /// Runs parts that are scripts of a folder, and interrupts them once all of some files exist.
    fn run_until(
        top: &Path,
        parts: &[Part],
        saved: &mut Option<Saved>,
        files: &'static [&'static str],
    ) -> (Report, bool) {
        let runner = Runner {
            top: top.to_owned(),
            logs: top.join("logs"),
            set: Set::Full,
            content: |top, _| {
                Ok(std::fs::read_to_string(top.join("content")).unwrap_or("same".into()))
            },
            lanes: 2,
            suffix: String::new(),
            grace: Duration::from_millis(100),
        };
        let (sender, receiver) = mpsc::channel();
        if !files.is_empty() {
            let (sender, top) = (sender.clone(), top.to_owned());
            let inotify = Inotify::init(InitFlags::empty()).unwrap();
            let new = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
            inotify.add_watch(&top, new).unwrap();
            std::thread::spawn(move || {
                while !files.iter().all(|file| top.join(file).exists()) {
                    inotify.read_events().unwrap();
                }
                let _ = sender.send(Event::Interrupted);
            });
        }
        runner.run(parts, saved, (&sender, &receiver)).unwrap()
    }

    fn run(top: &Path, parts: &[Part]) -> Report {
        run_until(top, parts, &mut None, &[]).0
    }

    fn script(top: &Path, name: &str, text: &str) {
        let path = top.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn parts_are_run_and_counted() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path();
        script(top, "good", "echo case; echo '3 passed, 0 failed'");
        script(top, "bad", "echo '1 passed, 2 failed'; exit 1");
        script(top, "nothing", "echo '0 passed, 0 failed'");
        script(top, "silent", ":");
        script(top, "killed", "echo '5 passed, 0 failed'; kill -9 $$");
        let names: [(_, Line); 5] = [
            ("good", &["good"]),
            ("bad", &["bad"]),
            ("nothing", &["nothing"]),
            ("silent", &["silent"]),
            ("killed", &["killed"]),
        ];
        let report = run(top, &names.map(|(name, line)| part(name, line)));
        let rows: Vec<_> = report
            .rows
            .iter()
            .map(|row| (row.part.as_str(), row.passed, row.failed, row.why.is_some()))
            .collect();
        assert_eq!(
            rows,
            [
                ("good", 3, 0, false),
                ("bad", 1, 2, false),
                ("nothing", 0, 1, true),
                ("silent", 0, 1, true),
                ("killed", 5, 1, true),
            ]
        );
        assert_eq!(report.rows[4].why.as_deref(), Some("was ended by SIGKILL"));
        assert_eq!(report.sum(), (9, 5));
    }

    #[test]
    fn what_a_failed_preparation_was_for_is_not_run() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path();
        script(top, "kernel", "echo 'no space left'; exit 1");
        script(top, "boots", "touch ran; echo '1 passed, 0 failed'");
        script(top, "host", "echo '1 passed, 0 failed'");
        // What is left of an earlier run.
        std::fs::create_dir_all(top.join("logs")).unwrap();
        std::fs::write(top.join("logs/tests-boots.log"), "7 passed, 0 failed\n").unwrap();
        let kernel = Part {
            cases: false,
            ..part("kernel", &["kernel"])
        };
        let boots = Part {
            needs: &["kernel"],
            ..part("boots", &["boots"])
        };
        let report = run(top, &[kernel, boots, part("host", &["host"])]);
        assert_eq!(report.sum(), (1, 2));
        assert!(!top.join("ran").exists());
        assert!(
            report.rows[1]
                .why
                .as_ref()
                .unwrap()
                .contains("not run, as one of kernel")
        );
    }

    #[test]
    fn an_interrupted_run_goes_on_and_counts_once() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path();
        script(
            top,
            "quick",
            "echo x >>quick-runs; echo '2 passed, 0 failed'",
        );
        script(
            top,
            "slow",
            "[ -e again ] || { touch slow-runs; sleep 600; }; echo '3 passed, 0 failed'",
        );
        let parts = [
            part("quick", &["quick"]),
            part("slow", &["slow"]),
            Part {
                alone: true,
                ..part("later", &["quick"])
            },
        ];
        let state = top.join("state.json");
        let contents: Contents = parts
            .iter()
            .map(|part| (part.name, "same".into()))
            .collect();
        let mut saved = Some(Saved::resume(&state, contents.clone()));
        let (report, over) = run_until(top, &parts, &mut saved, &["state.json", "slow-runs"]);
        assert!(!over);
        assert_eq!(report.rows.len(), 2);
        assert_eq!(report.sum(), (2, 1));
        assert_eq!(report.rows[1].why.as_deref(), Some("was ended by SIGTERM"));

        std::fs::write(top.join("again"), "").unwrap();
        let mut saved = Some(Saved::resume(&state, contents.clone()));
        let (report, over) = run_until(top, &parts, &mut saved, &[]);
        assert!(over);
        assert_eq!(report.sum(), (7, 0));
        assert!(report.rows[0].earlier && !report.rows[1].earlier);
        // One line of part quick and one of part later.
        assert_eq!(
            std::fs::read_to_string(top.join("quick-runs")).unwrap(),
            "x\nx\n"
        );
    }

    #[test]
    fn a_part_whose_files_change_while_it_runs_is_run_again() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path();
        script(
            top,
            "quick",
            "echo other >content; echo '2 passed, 0 failed'",
        );
        let parts = [part("quick", &["quick"])];
        let contents = Contents::from([("quick", "same".into())]);
        let mut saved = Some(Saved::resume(&top.join("state.json"), contents));
        let (report, over) = run_until(top, &parts, &mut saved, &[]);
        assert!(over);
        assert_eq!(report.sum(), (2, 0));
        assert!(saved.unwrap().get("quick").is_none());
    }

    #[test]
    fn an_interrupted_part_leaves_no_process() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path();
        // The child gets the signal, and the script itself ignores it.
        script(
            top,
            "stubborn",
            "sleep 601 & echo $! >pid; trap '' TERM; touch ready; wait; while :; do sleep 1; done",
        );
        let (report, over) = run_until(
            top,
            &[part("stubborn", &["stubborn"])],
            &mut None,
            &["ready"],
        );
        assert!(!over);
        assert_eq!(report.sum(), (0, 1));
        let pid = std::fs::read_to_string(top.join("pid")).unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        // It is a zombie until it is waited for.
        assert!(stat.map_or(true, |stat| stat.contains(") Z ")));
    }
}
