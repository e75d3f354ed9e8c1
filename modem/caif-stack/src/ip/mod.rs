// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The IP stack behind a DATAGRAM channel.

mod advertise;
mod device;
mod dns;
mod forward;
mod session;
mod tcp;
mod udp;

use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use smoltcp::iface::{self, Interface, SocketSet};
use smoltcp::time::Instant as IpInstant;
use smoltcp::wire::{HardwareAddress, IpCidr};

use device::PacketQueues;
pub use forward::{Forward, Remote};

/// Delay after the stack reports work that is due and does none.
const NO_PROGRESS: Duration = Duration::from_millis(10);

/// Configuration of a stack.
#[derive(Debug, Clone, Default)]
pub struct IpConfig {
    /// The stack's addresses, each with the length of its prefix; of the first of a family it
    /// sends what it starts itself.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Servers of DNS, which the stack is on these addresses.
    pub dns: Vec<IpAddr>,
    /// An address of the prefix that hosts are told, of 64 bits.
    pub advertised: Option<Ipv6Addr>,
    /// Bytes of the largest packet.
    pub mtu: usize,
    /// Packets that may wait, each way.
    pub queue: usize,
    /// Seed of all random numbers.
    pub seed: u64,
}

/// An interface with its addresses, and the services that listen on it.
pub struct IpStack {
    start: Instant,
    device: PacketQueues,
    interface: Interface,
    sockets: SocketSet<'static>,
    udp: udp::UdpEcho,
    tcp: tcp::TcpServices,
    dns: Option<dns::DnsServer>,
    has_ipv6: bool,
    /// The answer to a router solicitation.
    advertisement: Option<Vec<u8>>,
}

impl IpStack {
    /// Creates a stack. Its clock starts at `now`.
    pub fn new(config: &IpConfig, now: Instant) -> Self {
        let mut device = PacketQueues::new(config.queue, config.mtu);
        let mut interface_config = iface::Config::new(HardwareAddress::Ip);
        interface_config.random_seed = config.seed;
        let mut interface = Interface::new(interface_config, &mut device, IpInstant::ZERO);
        let alone = |address: &IpAddr| (*address, u8::MAX);
        let link_local = (IpAddr::from(advertise::LINK_LOCAL), 64);
        interface.update_ip_addrs(|addresses| {
            let first = config.addresses.iter().copied();
            let dns = config.dns.iter().map(alone);
            let all = first
                .chain(dns)
                .chain(config.advertised.map(|_| link_local));
            for (address, prefix) in all {
                let most = if address.is_ipv4() { 32 } else { 128 };
                // Cannot fail: there is room for all that a context has.
                let _ = addresses.push(IpCidr::new(address.into(), prefix.min(most)));
            }
        });
        // All packets leave by this channel, whatever the host's address is. There are no
        // neighbours to look up, so any gateway address is good.
        for (address, _) in &config.addresses {
            let _ = match address {
                IpAddr::V4(address) => interface.routes_mut().add_default_ipv4_route(*address),
                IpAddr::V6(address) => interface.routes_mut().add_default_ipv6_route(*address),
            };
        }
        let mut sockets = SocketSet::new(Vec::new());
        let dns = (!config.dns.is_empty()).then(|| {
            let addresses = config.addresses.iter().map(|(address, _)| *address);
            dns::DnsServer::new(&mut sockets, addresses.collect())
        });
        let advertisement = config.advertised.map(|prefix| {
            let servers = config.dns.iter().filter_map(|server| match server {
                IpAddr::V6(server) => Some(*server),
                IpAddr::V4(_) => None,
            });
            advertise::advertisement(prefix, config.mtu, &servers.collect::<Vec<_>>())
        });
        // The host learns its prefix at once.
        if let Some(advertisement) = &advertisement {
            device.transmit(advertisement.clone());
        }
        let udp = udp::UdpEcho::new(&mut sockets);
        let tcp = tcp::TcpServices::new();
        let mut stack = Self {
            start: now,
            device,
            interface,
            sockets,
            udp,
            tcp,
            dns,
            advertisement,
            has_ipv6: config
                .addresses
                .iter()
                .any(|(address, _)| address.is_ipv6()),
        };
        stack.pump(now);
        stack
    }

    /// Passes connections to a port that no service has on, from the next packet on.
    pub fn forward(&mut self, forward: &Forward) {
        self.tcp.forward(forward.clone());
    }

    /// Handles a packet from the host. Returns false if it was dropped.
    pub fn receive(&mut self, packet: &[u8], now: Instant) -> bool {
        if packet.first().is_some_and(|byte| byte >> 4 == 6) && !self.has_ipv6 {
            return true;
        }
        if let Some(advertisement) = &self.advertisement
            && advertise::is_solicitation(packet)
        {
            self.device.transmit(advertisement.clone());
            return true;
        }
        let taken = self.device.receive(packet);
        self.pump(now);
        taken
    }

    /// Returns the next packet for the host.
    pub fn send(&mut self, now: Instant) -> Option<Vec<u8>> {
        let packet = self.device.send();
        // The room in the queue may let the stack send more.
        self.pump(now);
        packet.or_else(|| self.device.send())
    }

    /// Returns the number of packets that wait for the host.
    pub fn waiting(&self) -> usize {
        self.device.waiting()
    }

    /// Runs the stack until it has nothing more to do at this time. Returns the deadline of the
    /// next call; `None` if the stack waits for a packet from the host or for room in the queue.
    pub fn poll(&mut self, now: Instant) -> Option<Instant> {
        self.pump(now);
        if self.device.is_full() {
            return None;
        }
        let time = self.time(now);
        let at = self.interface.poll_at(time, &self.sockets)?;
        Some(if at > time {
            let after_start = Duration::from_micros(at.total_micros().unsigned_abs());
            self.start.checked_add(after_start).unwrap_or(now)
        } else {
            now.checked_add(NO_PROGRESS).unwrap_or(now)
        })
    }

    fn pump(&mut self, now: Instant) {
        let time = self.time(now);
        self.interface.poll_maintenance(time);
        loop {
            let sent = self.device.sent();
            self.egress(time);
            let mut served = self.udp.run(&mut self.sockets) | self.tcp.run(&mut self.sockets);
            if let Some(dns) = &mut self.dns {
                served |= dns.run(&mut self.sockets);
            }
            // A packet from the host may need an answer, so it is processed only if there is room.
            let ingress = self.device.has_received() && !self.device.is_full();
            if ingress {
                self.interface
                    .poll_ingress_single(time, &mut self.device, &mut self.sockets);
            }
            if !served && !ingress && self.device.sent() == sent {
                break;
            }
        }
    }

    /// Sends until nothing is left or the queue is full. One call of the interface sends at most
    /// one fragment, and all fragments must be sent before the next packet is processed.
    fn egress(&mut self, time: IpInstant) {
        loop {
            let sent = self.device.sent();
            self.interface
                .poll_egress(time, &mut self.device, &mut self.sockets);
            if self.device.sent() == sent {
                break;
            }
        }
    }

    fn time(&self, now: Instant) -> IpInstant {
        let elapsed = now.saturating_duration_since(self.start);
        IpInstant::from_micros(i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX))
    }
}
