// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A bus of its own for each test.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

/// What everybody may do on a bus for tests.
const ANYTHING: &str = r#"
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>"#;

/// A running dbus-daemon.
pub struct PrivateBus {
    child: Child,
    pub address: String,
    _dir: TempDir,
}

impl PrivateBus {
    /// Starts one on which everything is allowed.
    pub fn new() -> Self {
        Self::with_policy(ANYTHING)
    }

    /// Starts one with this policy.
    pub fn with_policy(policy: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let config = dir.path().join("bus.conf");
        let text = format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n\
             <busconfig><type>custom</type><listen>unix:path={}/bus</listen>\
             <auth>EXTERNAL</auth>{policy}</busconfig>\n",
            dir.path().display()
        );
        fs::write(&config, text).expect("the bus's configuration");
        // tests/modem/run names one if none is installed.
        let program = env::var("DBUS_DAEMON").unwrap_or_else(|_| "dbus-daemon".to_owned());
        let mut command = Command::new(program);
        if let Ok(libraries) = env::var("DBUS_DAEMON_LIBRARIES") {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        let mut child = command
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--nopidfile", "--print-address=1"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("dbus-daemon, of Debian's package of that name");
        let mut address = String::new();
        let out = child.stdout.take().expect("its output");
        BufReader::new(out)
            .read_line(&mut address)
            .expect("its address");
        assert!(address.starts_with("unix:"), "dbus-daemon says {address:?}");
        Self {
            child,
            address: address.trim().to_owned(),
            _dir: dir,
        }
    }

    /// Ends it.
    pub fn stop(&mut self) {
        self.child.kill().expect("dbus-daemon runs");
        self.child.wait().expect("dbus-daemon ended");
    }
}

impl Drop for PrivateBus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
