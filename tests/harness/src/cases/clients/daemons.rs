// SPDX-License-Identifier: GPL-2.0

//! The daemons of the clients' guest.

use anyhow::Result;

use crate::vm::Vm;

impl Vm {
    /// Starts the system bus, unless it runs.
    pub(super) fn bus(&mut self) -> Result<()> {
        // In the background once it listens.
        self.guest
            .ok("kill -0 $(cat /run/dbus/pid 2>/dev/null) 2>/dev/null || \
             { rm -f /run/dbus/pid && dbus-daemon --system --fork; }")?;
        Ok(())
    }

    /// Starts a daemon by its command line, unless it runs. Its output is in `/tmp/NAME.log`.
    pub(super) fn daemon(&mut self, name: &str, command: &str) -> Result<()> {
        let start = Self::unless_it_runs(name, &Self::starting(name, command));
        self.guest.ok(&start).map(drop)
    }

    /// The same with a daemon that tells systemd when it is ready, which is waited for.
    pub(super) fn service(&mut self, name: &str, command: &str) -> Result<()> {
        let start = Self::starting(name, command);
        let start = Self::unless_it_runs(name, &format!("guest-tool wait-ready '{start}'"));
        self.guest.ok(&start).map(drop)
    }

    fn unless_it_runs(name: &str, start: &str) -> String {
        format!("kill -0 $(cat /tmp/{name}.pid 2>/dev/null) 2>/dev/null || {{ {start}; }}")
    }

    fn starting(name: &str, command: &str) -> String {
        format!(
            "{{ setsid {command} </dev/null >>/tmp/{name}.log 2>&1 & }} && echo $! >/tmp/{name}.pid"
        )
    }

    /// The daemons that were started, whether they run or not.
    pub(super) fn daemons(&mut self) -> Result<Vec<String>> {
        let files = self.guest.ok("cd /tmp && ls | grep '\\.pid$' || true")?;
        Ok(files
            .split_whitespace()
            .filter_map(|file| file.strip_suffix(".pid"))
            .map(str::to_owned)
            .collect())
    }

    /// Kills a daemon, which cannot clear anything away.
    pub(super) fn kill_daemon(&mut self, name: &str) -> Result<()> {
        self.guest
            .ok(&format!(
                "kill -9 $(cat /tmp/{name}.pid) && rm /tmp/{name}.pid"
            ))
            .map(drop)
    }

    /// Ends a daemon, if it runs, and waits until it is gone.
    pub(super) fn end_daemon(&mut self, name: &str) -> Result<()> {
        self.guest
            .ok(&format!(
                "! kill $(cat /tmp/{name}.pid) 2>/dev/null || \
                 guest-tool wait-exit $(cat /tmp/{name}.pid); \
                 rm -f /tmp/{name}.pid"
            ))
            .map(drop)
    }
}
