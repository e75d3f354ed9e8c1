// SPDX-License-Identifier: GPL-2.0

//! What happens to contexts and clients: offline and online, two contexts, crashes, clients that are
//! killed.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    Case,
    bus::{connman, ofono},
    explained, one,
    online::{Active, CELLULAR},
};
use crate::{link::CRASH, vm::Vm};

pub(super) const CASES: &[Case] = &[
    one("clients_offline_and_online", |vm| explained(vm, cycles)),
    one("clients_two_contexts", |vm| explained(vm, two)),
    one("clients_modem_crash", |vm| explained(vm, crash)),
    one("clients_ofono_is_killed", |vm| explained(vm, killed)),
    one("clients_others_are_killed", |vm| explained(vm, others)),
    one("clients_two_on_one_connection", |vm| explained(vm, shared)),
    one("clients_without_modeminit", |vm| explained(vm, alone)),
];

/// Seconds in which all is back after a crash.
const BACK: u64 = 30;
/// Interfaces that oFono makes of a modem that is online.
const INTERFACES: usize = 4;
/// The command by which oFono ends a context.
pub(super) const ENDING: &str = "AT*EPPSD=0";
/// Commands of oFono at each of which it is killed, or the modem, in the order in which it gives them:
/// one for each step from a modem that is off to a context that has ended.
pub(super) const POINTS: &[&str] = &[
    "AT+CFUN=4",
    "AT*ESIMSR=1",
    "AT+CPIN?",
    "AT+CIMI",
    "AT+CFUN=1",
    "AT+CREG=2",
    "AT+CGATT=1",
    "AT+COPS=3",
    "AT+CGDCONT=1",
    "AT*EPPSD=1",
    ENDING,
];
/// Time in which what was closed is freed.
const FREED: Duration = Duration::from_secs(10);
/// The modem's contexts and blocks of addresses, with no context and with one.
const CONTEXTS: [&str; 2] = ["0,0,64", "1,1,64"];

/// What the clients hold of the kernel and of the modem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    sockets: usize,
    interfaces: usize,
    channels: String,
    /// Active contexts, blocks of addresses that they have, and all blocks.
    network: String,
}

impl Vm {
    pub(super) fn held(&mut self) -> Result<Held> {
        // The question takes a socket itself.
        let sockets = self.sockets()?;
        let answer = self
            .guest
            .ok("guest-tool at --device cfvrt0 'AT*CHANNELS?;*NET?'")?;
        let value = |name: &str| {
            let found = answer.lines().find_map(|line| line.split_once(name));
            found
                .map(|(_, value)| value.trim().to_owned())
                .with_context(|| format!("no {name}: {answer}"))
        };
        let (channels, network) = (value("*CHANNELS: ")?, value("*NET: ")?);
        let interfaces = self.netdevs()?;
        Ok(Held {
            sockets,
            interfaces: interfaces.iter().filter(|n| n.starts_with("caif")).count(),
            channels,
            network,
        })
    }

    /// Checks that as much is held as before, once what was closed is freed: a socket counts until
    /// a moment after.
    pub(super) fn holds(&mut self, before: &Held) -> Result<()> {
        let end = Instant::now() + FREED;
        loop {
            let now = self.held()?;
            if now == *before {
                return Ok(());
            }
            ensure!(Instant::now() < end, "before {before:?}, now {now:?}");
        }
    }

    /// Waits until no interface is left, which is for caif-modeminit to do.
    pub(super) fn swept(&mut self) -> Result<()> {
        self.guest
            .ok("guest-tool wait-netdev 'caif*' --count 0")
            .map(drop)
    }

    /// Waits until nothing of an oFono that was killed is left in Linux. Returns what is held then.
    fn without_ofono(&mut self) -> Result<Held> {
        self.swept()?;
        self.sockets_are_freed()?;
        self.held()
    }

    /// Ends caif-modeminit, without which there is no modem for oFono, and starts it again.
    pub(super) fn restart_modeminit(&mut self, modem: &str) -> Result<()> {
        self.guest
            .ok("kill $(cat /tmp/caif-modeminit.pid) && rm /tmp/caif-modeminit.pid")?;
        ofono("/", "org.ofono.Manager").wait(self, "GetModems", &[&format!("{modem}!=*")])?;
        self.ofono().map(drop)
    }

    pub(super) fn goes_offline(&mut self, modem: &str) -> Result<()> {
        connman(CELLULAR, "net.connman.Technology").set(self, "Powered", "boolean:false")?;
        ofono(modem, "org.ofono.Modem").has(self, &["Online=false"])?;
        self.swept()
    }

    /// Tells oFono to end its context, and waits for nothing.
    pub(super) fn ends_context(&mut self, modem: &str) -> Result<()> {
        let path = self.has_context(modem)?;
        ofono(&path, "org.ofono.ConnectionContext").tell(self, "Active", "boolean:false")
    }
}

/// Three times offline and online leave no channel and no interface behind.
fn cycles(vm: &mut Vm) -> Result<()> {
    let modem = vm.ofono()?;
    vm.online()?;
    let before = vm.held()?;
    for round in 0..3 {
        vm.goes_offline(&modem)
            .with_context(|| format!("round {round}"))?;
        let context = vm.online().with_context(|| format!("round {round}"))?;
        vm.uses(&context)?;
    }
    ensure!(before.interfaces == INTERFACES, "{before:?}");
    vm.holds(&before)
}

/// A second context has an interface and an address of its own, while the first one is in use.
fn two(vm: &mut Vm) -> Result<()> {
    let modem = vm.ofono()?;
    let first = vm.online()?;
    let manager = ofono(&modem, "org.ofono.ConnectionManager");
    let made = manager.call(vm, "AddContext", "string:internet")?;
    let path = made
        .split('"')
        .nth(1)
        .with_context(|| format!("no context: {made}"))?
        .to_owned();
    let context = ofono(&path, "org.ofono.ConnectionContext");
    context.set(vm, "AccessPointName", "string:second")?;
    context.set(vm, "Active", "boolean:true")?;
    let second = context.has(vm, &["Active=true", "Settings.Interface=*"])?;
    let second = Active::of(&second)?;
    ensure!(
        second.interface != first.interface
            && second.host != first.host
            && second.modem != first.modem,
        "both have {} and {}",
        second.interface,
        second.host
    );
    let Active {
        interface,
        host,
        modem,
        ..
    } = &second;
    vm.guest.ok(&format!(
        "ip addr replace {host} peer {modem} dev {interface} && \
         guest-tool ping {modem} --sizes 8,1472 --count 5 && \
         guest-tool tcp both {modem} --bytes 100000"
    ))?;
    vm.uses(&first)?;
    context.set(vm, "Active", "boolean:false")?;
    vm.uses(&first)?;
    manager
        .call(vm, "RemoveContext", &format!("objpath:{path}"))
        .map(drop)
}

/// After a crash of the modem all is back by itself.
fn crash(vm: &mut Vm) -> Result<()> {
    vm.online()?;
    let manager = connman("/", "net.connman.Manager");
    let gone = vm.guest.start_for(
        "guest-tool bus net.connman / net.connman.Manager.GetServices --until '*.State!=ready'",
        200,
    )?;
    vm.guest.ok(&format!(
        "cut -d' ' -f1 /proc/uptime >/tmp/crash; echo 1 >$(echo {CRASH})"
    ))?;
    gone.ok()?;
    manager.wait(vm, "GetServices", &["*.Type=cellular", "*.State=ready"])?;
    let seconds: f64 = vm
        .guest
        .ok("cut -d' ' -f1 /proc/uptime /tmp/crash")?
        .lines()
        .map(|line| line.trim().parse::<f64>().unwrap_or(0.0))
        .reduce(|now, then| now - then)
        .context("no time")?;
    println!("       back after {seconds:.1} s");
    ensure!(seconds < BACK as f64, "it took {seconds} s");
    let context = vm.online()?;
    vm.uses(&context)
}

/// oFono is killed at each step of its dialogue. The modem gets all channels back and has no more
/// contexts than one, and oFono starts again and holds what it did at first.
fn killed(vm: &mut Vm) -> Result<()> {
    let modem = vm.ofono()?;
    vm.online()?;
    let before = vm.held()?;
    vm.kill_daemon("ofonod")?;
    let without = vm.without_ofono()?;
    for point in POINTS {
        killed_at(vm, &modem, point).with_context(|| format!("at {point}"))?;
        let held = vm.without_ofono().with_context(|| format!("at {point}"))?;
        let network = held.network.clone();
        ensure!(
            held == Held {
                network: network.clone(),
                ..without.clone()
            } && CONTEXTS.contains(&network.as_str()),
            "at {point}: {held:?}, and {without:?} before"
        );
    }
    let context = vm.online()?;
    vm.uses(&context)?;
    vm.holds(&before)
}

/// Starts oFono, which ConnMan then tells to go online, and kills it once it gave a command.
fn killed_at(vm: &mut Vm, modem: &str, point: &str) -> Result<()> {
    // grep ends with the first line that has the command.
    vm.guest.ok("rm -f /tmp/dialogue; mkfifo /tmp/dialogue")?;
    let killed = vm.guest.start(&format!(
        "OFONO_AT_DEBUG=1 ofonod -n -d </dev/null >/tmp/dialogue 2>&1 & \
         echo $! >/tmp/ofonod.pid; grep -q -m1 -F '{point}' /tmp/dialogue; seen=$?; \
         kill -9 $!; rm /tmp/ofonod.pid; wait; exit $seen"
    ))?;
    if point == ENDING {
        vm.guest
            .ok("guest-tool until --file /tmp/ofonod.pid '[ -s /tmp/ofonod.pid ]'")?;
        vm.is_active(modem)?;
        vm.ends_context(modem)?;
    }
    killed.ok().map(drop)
}

/// ConnMan and caif-modeminit are killed while a context is in use. What starts in their place comes
/// online with what they left, and holds no more than they did.
fn others(vm: &mut Vm) -> Result<()> {
    let modem = vm.ofono()?;
    vm.online()?;
    let before = vm.held()?;
    for name in ["connmand", "caif-modeminit"] {
        vm.kill_daemon(name)?;
        if name == "caif-modeminit" {
            ofono("/", "org.ofono.Manager").wait(vm, "GetModems", &[&format!("{modem}!=*")])?;
        } else {
            // The next one sets down what it finds up, and takes the context for one in use.
            vm.online()?;
            vm.goes_offline(&modem)?;
        }
        let context = vm.online().with_context(|| format!("after {name}"))?;
        vm.uses(&context).with_context(|| format!("after {name}"))?;
    }
    vm.holds(&before)
}

/// A second client asks for the connection that oFono uses, and is served as well. oFono's goes on,
/// with it and after it, and nothing of it is left.
fn shared(vm: &mut Vm) -> Result<()> {
    let context = vm.online()?;
    let before = vm.held()?;
    let shown = vm
        .guest
        .ok(&format!("caifctl link show {} --json", context.interface))?;
    let shown: Value = serde_json::from_str(&shown)?;
    let id = shown
        .pointer("/0/connection_id")
        .with_context(|| format!("no id: {shown}"))?;
    for _ in 0..3 {
        vm.guest
            .ok(&format!(
                "guest-tool link-add caifx --connid {id} && ip link set caifx up && \
                 guest-tool wait-carrier caifx"
            ))
            .context("the second one")?;
        vm.uses(&context).context("beside a second one")?;
        vm.guest.ok("ip link del caifx")?;
        vm.uses(&context).context("after a second one")?;
        vm.holds(&before)?;
    }
    Ok(())
}

/// Without the service there is no modem for oFono, and with it there is one again.
fn alone(vm: &mut Vm) -> Result<()> {
    let modem = vm.ofono()?;
    vm.online()?;
    let before = vm.held()?;
    vm.restart_modeminit(&modem)?;
    let context = vm.online()?;
    vm.uses(&context)?;
    vm.holds(&before)
}
