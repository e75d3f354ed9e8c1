// SPDX-License-Identifier: GPL-2.0

//! From a modem that is off to IP through a context, by oFono and ConnMan.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    Case,
    bus::{connman, first_key, ofono, text},
    explained, one,
};
use crate::vm::Vm;

pub(super) const CASES: &[Case] = &[
    one("clients_enable_and_attach", |vm| explained(vm, attach)),
    one("clients_context_by_connman", |vm| explained(vm, context)),
];

const APN: &str = "internet";
pub(super) const CELLULAR: &str = "/net/connman/technology/cellular";
/// Bytes of a transfer each way.
const BYTES: u64 = 300_000;

/// A context that is active.
pub(super) struct Active {
    pub(super) interface: String,
    /// The host's address, and the modem's.
    pub(super) host: String,
    pub(super) modem: String,
    pub(super) dns: String,
}

impl Active {
    /// Reads the settings of a context.
    pub(super) fn of(context: &Value) -> Result<Self> {
        let host = text(context, "/Settings/Address")?;
        // oFono is not told of the modem's address, which is the one before.
        let modem = host.parse::<Ipv4Addr>()?.to_bits().wrapping_sub(1);
        Ok(Self {
            interface: text(context, "/Settings/Interface")?.to_owned(),
            host: host.to_owned(),
            modem: Ipv4Addr::from_bits(modem).to_string(),
            dns: text(context, "/Settings/DomainNameServers/0")?.to_owned(),
        })
    }
}

impl Vm {
    /// Starts what oFono needs, and oFono. Returns the path of the modem.
    pub(super) fn ofono(&mut self) -> Result<String> {
        if !self.netdevs()?.contains(&"cfvrt0".to_owned()) {
            self.load()?;
        }
        self.bus()?;
        // As its unit does.
        self.daemon(
            "caif-modeminit",
            "caif-modeminit --log debug --state /tmp/caif-modeminit.interfaces",
        )?;
        self.daemon("ofonod", "ofonod -n -d")?;
        let modems = ofono("/", "org.ofono.Manager").wait(self, "GetModems", &["*=*"])?;
        first_key(&modems)
    }

    /// Lets ConnMan bring the modem's context up. Returns it.
    pub(super) fn online(&mut self) -> Result<Active> {
        let modem = self.ofono()?;
        self.daemon("connmand", "connmand -n")?;
        connman("/", "net.connman.Manager").wait(
            self,
            "GetTechnologies",
            &[&format!("{CELLULAR}=*")],
        )?;
        let cellular = connman(CELLULAR, "net.connman.Technology");
        let state = connman("/", "net.connman.Manager").get(self, "GetTechnologies")?;
        let powered = state.get(CELLULAR).and_then(|c| c.get("Powered"));
        if powered != Some(&Value::Bool(true)) {
            cellular.set(self, "Powered", "boolean:true")?;
        }
        self.has_context(&modem)?;
        let services =
            connman("/", "net.connman.Manager").wait(self, "GetServices", &["*.Type=cellular"])?;
        // ConnMan connects by itself what a user has connected once.
        let path = first_key(&services)?;
        let favorite = services.get(&path).and_then(|s| s.get("Favorite"));
        if favorite != Some(&Value::Bool(true)) {
            connman(&path, "net.connman.Service").call(self, "Connect", "")?;
        }
        self.is_active(&modem)
    }

    /// Waits for the modem's first context, and gives it an access point unless it has one.
    pub(super) fn has_context(&mut self, modem: &str) -> Result<String> {
        let contexts =
            ofono(modem, "org.ofono.ConnectionManager").wait(self, "GetContexts", &["*=*"])?;
        let path = first_key(&contexts)?;
        let apn = contexts
            .get(&path)
            .and_then(|context| context.get("AccessPointName"));
        if apn.and_then(Value::as_str) != Some(APN) {
            let context = ofono(&path, "org.ofono.ConnectionContext");
            context.set(self, "AccessPointName", &format!("string:{APN}"))?;
        }
        Ok(path)
    }

    /// Waits until ConnMan uses the modem's first context. Returns that.
    pub(super) fn is_active(&mut self, modem: &str) -> Result<Active> {
        connman("/", "net.connman.Manager").wait(
            self,
            "GetServices",
            &["*.Type=cellular", "*.State=ready"],
        )?;
        let contexts = ofono(modem, "org.ofono.ConnectionManager").wait(
            self,
            "GetContexts",
            &["*.Active=true", "*.Settings.Interface=*"],
        )?;
        let path = first_key(&contexts)?;
        Active::of(contexts.get(&path).context("it went")?)
    }

    /// Uses a context: ping, names by its server, and streams both ways, each compared.
    pub(super) fn uses(&mut self, context: &Active) -> Result<()> {
        let Active {
            interface,
            host,
            modem,
            dns,
        } = context;
        let shown = self.guest.ok(&format!(
            "ip addr show dev {interface}; ip route; cat /etc/resolv.conf"
        ))?;
        ensure!(
            shown.contains(host) && shown.contains(&format!("default dev {interface}")),
            "{interface} has no address or route: {shown}"
        );
        let out = self
            .guest
            .ok(&format!("guest-tool ping {modem} --sizes 8,1472 --count 5"))?;
        ensure!(out.contains(" 0% packet loss"), "{out}");
        let out = self.guest.ok(&format!(
            "guest-tool tcp both {modem} --bytes {BYTES} && nslookup modem.test {dns}"
        ))?;
        // Two contexts are told of the same servers: either modem's address will do.
        ensure!(
            out.contains("modem.test") && out.contains("Address: 10.64."),
            "{out}"
        );
        Ok(())
    }
}

/// oFono finds the modem, its SIM, registers and attaches.
fn attach(vm: &mut Vm) -> Result<()> {
    let path = vm.ofono()?;
    let modem = ofono(&path, "org.ofono.Modem");
    modem.set(vm, "Powered", "boolean:true")?;
    modem.has(vm, &["Powered=true", "Interfaces.*=org.ofono.SimManager"])?;
    ofono(&path, "org.ofono.SimManager").has(vm, &["Present=true", "SubscriberIdentity=*"])?;
    modem.set(vm, "Online", "boolean:true")?;
    modem.has(vm, &["Online=true"])?;
    ofono(&path, "org.ofono.NetworkRegistration").has(vm, &["Status=registered", "Strength=*"])?;
    ofono(&path, "org.ofono.ConnectionManager").has(vm, &["Attached=true"])?;
    Ok(())
}

/// ConnMan activates the context, puts address and route on its interface, and asks its server of
/// names.
fn context(vm: &mut Vm) -> Result<()> {
    let context = vm.online()?;
    vm.uses(&context)
}
