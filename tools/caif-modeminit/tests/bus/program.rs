// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The program, on this machine's kernel, which has no modem in the folder that it is given for
//! sysfs.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::{fs::MetadataExt, net::UnixDatagram},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use caif_modeminit::bus::NAME;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::daemon::PrivateBus;

/// Returns the policy of this checkout, which may use what another one has compiled.
fn policy() -> String {
    let crate_folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo runs this");
    format!("{crate_folder}/../dbus/com.stericsson.modeminit.conf")
}

fn program(address: &str, sys: &tempfile::TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caif-modeminit"));
    command
        .args(["--bus", address, "--sys"])
        .arg(sys.path())
        .env_remove("RUST_LOG")
        .env_remove("NOTIFY_SOCKET")
        .stderr(Stdio::piped());
    command
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Returns the line of an error, without those of the log.
fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("caif-modeminit: "))
        .collect();
    assert_eq!(lines.len(), 1, "{text}");
    lines[0].to_owned()
}

/// Starts the program, and returns it when it has its name, with the rest of its log.
fn running(mut command: Command) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut child = command.spawn().expect("the program");
    let mut log = BufReader::new(child.stderr.take().expect("its log"));
    let mut line = String::new();
    while !line.contains("have the name") {
        line.clear();
        assert!(log.read_line(&mut line).expect("a line") > 0, "it ended");
    }
    (child, log)
}

#[test]
fn sigterm_ends_it_cleanly() {
    let bus = PrivateBus::new();
    let sys = folder();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let socket = sys.path().join("notify");
        let _ = std::fs::remove_file(&socket);
        let notified = UnixDatagram::bind(&socket).expect("a socket");
        let mut command = program(&bus.address, &sys);
        command.env("NOTIFY_SOCKET", &socket);
        let (mut child, mut log) = running(command);
        let limit = Some(Duration::from_secs(60));
        notified.set_read_timeout(limit).expect("a time");
        let mut said = [0; 64];
        let len = notified.recv(&mut said).expect("that it is ready");
        assert_eq!(&said[..len], b"READY=1");
        let process = i32::try_from(child.id()).expect("a process");
        kill(Pid::from_raw(process), signal).expect("it runs");
        assert_eq!(child.wait().expect("it ended").code(), Some(0));
        let mut rest = String::new();
        log.read_to_string(&mut rest).expect("the log");
        assert!(rest.contains("there is no modem yet"), "{rest}");
        assert!(rest.contains("gave the name back"), "{rest}");
    }
}

#[test]
fn a_name_that_is_taken_is_an_error() {
    let bus = PrivateBus::new();
    let sys = folder();
    let (mut child, _log) = running(program(&bus.address, &sys));
    let output = program(&bus.address, &sys).output().expect("the program");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        complaint(&output),
        format!(
            "caif-modeminit: another program has the name {NAME}: is caif-modeminit running already?"
        )
    );
    child.kill().expect("it runs");
    child.wait().expect("it ended");
    // The next one has it.
    let (mut child, _log) = running(program(&bus.address, &sys));
    child.kill().expect("it runs");
    child.wait().expect("it ended");
}

#[test]
fn a_bus_that_is_not_there_is_an_error() {
    let sys = folder();
    for (address, says) in [
        (
            "unix:path=/nonesuch/bus",
            "cannot reach the bus at unix:path=/nonesuch/bus: ",
        ),
        ("nonsense", "cannot reach the bus at nonsense: "),
    ] {
        let output = program(address, &sys).output().expect("the program");
        assert_eq!(output.status.code(), Some(1), "{address}");
        let said = complaint(&output);
        assert!(
            said.starts_with(&format!("caif-modeminit: {says}")),
            "{said}"
        );
    }
}

#[test]
fn the_policy_lets_root_have_the_name() {
    // As in Debian's configuration of the system bus.
    let deny = r#"
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>"#;
    let sys = folder();
    let bus = PrivateBus::with_policy(deny);
    let output = program(&bus.address, &sys).output().expect("the program");
    assert_eq!(output.status.code(), Some(1));
    let said = complaint(&output);
    assert!(said.contains("does not allow the name"), "{said}");

    let bus = PrivateBus::with_policy(&format!("{deny}<include>{}</include>", policy()));
    let user = std::fs::metadata("/proc/self").expect("proc").uid();
    if user != 0 {
        let output = program(&bus.address, &sys).output().expect("the program");
        assert_eq!(output.status.code(), Some(1));
        return;
    }
    let (mut child, _log) = running(program(&bus.address, &sys));
    let asks = async_io::block_on(async {
        let client = zbus::connection::Builder::address(bus.address.as_str())?
            .build()
            .await?;
        let manager = Some("com.stericsson.modeminit.Manager");
        client
            .call_method(Some(NAME), "/", manager, "GetModems", &())
            .await
    });
    assert!(asks.is_ok(), "{asks:?}");
    child.kill().expect("it runs");
    child.wait().expect("it ended");
}

#[test]
fn sigterm_ends_it_while_it_waits_for_the_bus() {
    let sys = folder();
    let path = sys.path().join("bus");
    let silent = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    let mut child = program(&format!("unix:path={}", path.display()), &sys)
        .spawn()
        .expect("the program");
    // It has caught signals by then.
    let (mut connection, _) = silent.accept().expect("a connection");
    connection.read_exact(&mut [0]).expect("its first byte");
    let process = i32::try_from(child.id()).expect("a process");
    kill(Pid::from_raw(process), Signal::SIGTERM).expect("it runs");
    assert_eq!(child.wait().expect("it ended").code(), Some(0));
}

#[test]
fn the_page_and_the_completion_are_generated() {
    let dir = folder();
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_caif-modeminit"))
            .args(args)
            .output()
            .expect("the program");
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    run(&["man", "--dir", dir.path().to_str().expect("a path of text")]);
    let page = std::fs::read_to_string(dir.path().join("caif-modeminit.8")).expect("a page");
    for section in [
        ".TH caif-modeminit 8",
        ".SH SYNOPSIS",
        "keep\\-interfaces",
        "Exit status",
    ] {
        assert!(page.contains(section), "no {section}: {page}");
    }
    assert!(run(&["completion", "bash"]).contains("--keep-interfaces"));
    assert!(run(&["--help"]).contains("com.stericsson.modeminit"));
}
