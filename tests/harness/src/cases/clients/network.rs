// SPDX-License-Identifier: GPL-2.0

//! What the network and the modem do to clients.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::{
    Case,
    bus::{connman, ofono},
    explained,
    life::{ENDING, POINTS},
    one,
    online::CELLULAR,
};
use crate::vm::{SOON, Vm};

/// The commands by which oFono enables a modem.
const ENABLING: [&str; 2] = ["AT+CFUN=4", "AT*ESIMSR=1"];
/// That by which it goes online.
const GOING_ONLINE: &str = "AT+CFUN=1";

pub(super) const CASES: &[Case] = &[
    one("clients_network_drops_a_context", |vm| {
        explained(vm, dropped)
    }),
    one("clients_network_drops_registration_and_sim", |vm| {
        explained(vm, unregistered)
    }),
    Case {
        is_of_long: true,
        ..one("clients_modem_dies_at_each_step", |vm| explained(vm, dies))
    },
    one("clients_ipv6_context", |vm| explained(vm, ipv6)),
];

/// Lets something happen in the modem's network.
fn network(vm: &mut Vm, action: &str) -> Result<()> {
    vm.guest
        .ok(&format!(
            "guest-tool at --device cfvrt0 'AT*NET=\"{action}\"'"
        ))
        .map(drop)
}

/// The network ends a context, which ConnMan then activates again.
fn dropped(vm: &mut Vm) -> Result<()> {
    let modem = vm.ofono()?;
    let first = vm.online()?;
    let before = vm.held()?;
    network(vm, "drop 1")?;
    // It may be active again before anybody looks, but with the next address of the pool.
    let ended = format!("*.Settings.Address!={}", first.host);
    ofono(&modem, "org.ofono.ConnectionManager").wait(
        vm,
        "GetContexts",
        &["*.Active=true", &ended],
    )?;
    let context = vm.online()?;
    vm.uses(&context)?;
    vm.holds(&before)
}

/// The network ends the registration, and the SIM is taken out. oFono sees both, the context ends, and
/// all works again once they are back.
fn unregistered(vm: &mut Vm) -> Result<()> {
    let modem = vm.ofono()?;
    vm.online()?;
    let before = vm.held()?;
    let registration = ofono(&modem, "org.ofono.NetworkRegistration");
    let services = connman("/", "net.connman.Manager");
    network(vm, "network none")?;
    registration.has(vm, &["Status=searching"])?;
    ofono(&modem, "org.ofono.ConnectionManager").has(vm, &["Attached=false"])?;
    services.wait(vm, "GetServices", &["*.State!=ready"])?;
    network(vm, "network home")?;
    registration.has(vm, &["Status=registered"])?;
    let context = vm.is_active(&modem)?;
    vm.uses(&context).context("after the registration")?;
    vm.holds(&before)?;

    let sim = ofono(&modem, "org.ofono.SimManager");
    network(vm, "sim out")?;
    sim.has(vm, &["Present=false"])?;
    services.wait(vm, "GetServices", &["*.State!=ready"])?;
    network(vm, "sim in")?;
    sim.has(vm, &["Present=true", "SubscriberIdentity=*"])?;
    let context = vm.is_active(&modem)?;
    vm.uses(&context).context("after the SIM")?;
    // oFono made other interfaces, and could not delete the first ones; they go when it goes offline.
    vm.goes_offline(&modem)?;
    vm.online()?;
    vm.holds(&before)
}

/// The modem's process ends at a step of the dialogue, and comes back: so do the clients, by
/// themselves.
fn dies(vm: &mut Vm) -> Result<()> {
    let modem = vm.ofono()?;
    vm.online()?;
    let before = vm.held()?;
    let arguments = vm.modems[0].arguments.clone();
    let result = POINTS.iter().try_for_each(|point| {
        vm.modems[0].arguments.clone_from(&arguments);
        dies_at(vm, &modem, point).with_context(|| format!("at {point}"))
    });
    vm.modems[0].arguments = arguments;
    result?;
    vm.holds(&before)
}

fn dies_at(vm: &mut Vm, modem: &str, point: &str) -> Result<()> {
    let scenario = vm.logs.join("dies.toml");
    fs::write(&scenario, format!("[[step]]\non = '{point}'\ndo = 'die'\n"))?;
    let arguments = vm.modems[0].arguments.clone();
    let file = scenario.to_string_lossy().into_owned();
    vm.modems[0].arguments.push(file);
    let mark = vm.kernel.mark();
    vm.modems[0].kill()?;
    vm.modems[0].restart()?;
    vm.kernel_says(mark, "is now up")?;
    let mark = vm.kernel.mark();
    vm.modems[0].arguments = arguments;
    if point == ENDING {
        vm.is_active(modem)?;
        vm.ends_context(modem)?;
    }
    ensure!(
        vm.modems[0].process.exited(SOON).is_some(),
        "the command does not come"
    );
    vm.modems[0].restart()?;
    vm.kernel_says(mark, "is now up")?;
    // oFono aborts at a signal if it writes to a channel that has just ended.
    vm.ofono()?;
    let context = match point {
        _ if ENABLING.contains(&point) => {
            // oFono does not begin again with a modem that was not enabled yet, but with a new one.
            vm.restart_modeminit(modem)?;
            vm.online()?
        }
        GOING_ONLINE => {
            // ConnMan gives up a modem that did not go online, until it is told to disable and
            // enable it.
            let sim = ["Powered=true", "Interfaces.*=org.ofono.SimManager"];
            ofono(modem, "org.ofono.Modem").has(vm, &sim)?;
            let cellular = connman(CELLULAR, "net.connman.Technology");
            if let Err(error) = cellular.set(vm, "Powered", "boolean:false") {
                ensure!(error.to_string().contains("AlreadyDisabled"), "{error:#}");
            }
            vm.online()?
        }
        _ => vm.is_active(modem)?,
    };
    vm.uses(&context)
}

/// A context of IPv6 that is activated by hand, beside oFono's: the interface gets an address by
/// router advertisement, and takes the one of the answer.
fn ipv6(vm: &mut Vm) -> Result<()> {
    // The connection id is hexadecimal.
    const ON: &str =
        "guest-tool at --device cfvrt0 'AT+CGDCONT=5,\"IPV6\",\"internet\"' 'AT*EPPSD=1,77,5'";
    const OFF: &str = "guest-tool at --device cfvrt0 'AT*EPPSD=0,77,5' 'AT+CGDCONT=5'";
    vm.online()?;
    let answer = vm.guest.ok(ON)?;
    let host = answer
        .split_once("<ip_address>")
        .and_then(|(_, rest)| rest.split_once('<'))
        .with_context(|| format!("no address: {answer}"))?
        .0;
    let net = host
        .strip_suffix("::2")
        .with_context(|| format!("another address: {host}"))?;
    vm.guest
        .ok(&format!(
            "guest-tool link-add ip6link --connid 119 && ip link set ip6link up && \
         guest-tool wait-carrier ip6link && \
         guest-tool until --net \
         \"ip -6 addr show dev ip6link | grep -q 'inet6 {net}:.*/64 scope global'\""
        ))
        .context("the address by router advertisement")?;
    vm.guest.ok(&format!(
        "ping6 -c 3 -I ip6link {net}::1 && ip -6 addr add {host}/64 dev ip6link"
    ))?;
    vm.guest
        .ok(&format!("ping6 -c 3 -s 1400 -I {host} {net}::1"))?;
    vm.guest
        .ok(&format!("guest-tool tcp both {net}::1 --bytes 100000"))?;
    vm.guest.ok(&format!("ip link del ip6link && {OFF}"))?;
    Ok(())
}
