// SPDX-License-Identifier: GPL-2.0 OR MIT

//! An IP host at the other end of a DATAGRAM channel.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use caif_wire::{Data, Service};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp;
use smoltcp::time::Instant as IpInstant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr, Ipv4Address};

use super::Link;

#[derive(Default)]
pub struct Queues {
    pub rx: VecDeque<Vec<u8>>,
    pub tx: VecDeque<Vec<u8>>,
}

pub struct Rx(Vec<u8>);
pub struct Tx<'a>(&'a mut VecDeque<Vec<u8>>);

impl RxToken for Rx {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Tx<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut packet = vec![0; len];
        let result = f(&mut packet);
        self.0.push_back(packet);
        result
    }
}

impl Device for Queues {
    type RxToken<'a> = Rx;
    type TxToken<'a> = Tx<'a>;

    fn receive(&mut self, _: IpInstant) -> Option<(Rx, Tx<'_>)> {
        let packet = self.rx.pop_front()?;
        Some((Rx(packet), Tx(&mut self.tx)))
    }

    fn transmit(&mut self, _: IpInstant) -> Option<Tx<'_>> {
        Some(Tx(&mut self.tx))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = 1500;
        capabilities
    }
}

/// The host's IP stack, on the channel `linkid` of a link.
pub struct IpHost {
    pub linkid: u8,
    pub modem: IpAddress,
    pub sockets: SocketSet<'static>,
    pub interface: Interface,
    pub queues: Queues,
    /// Packets that came from the modem.
    pub received: usize,
    start: Instant,
    next_port: u16,
}

impl IpHost {
    pub fn new(link: &Link, linkid: u8, net: u8) -> Self {
        let mut queues = Queues::default();
        let mut interface = Interface::new(
            Config::new(HardwareAddress::Ip),
            &mut queues,
            IpInstant::ZERO,
        );
        interface.update_ip_addrs(|addresses| {
            let address = IpAddress::v4(10, 9, net, 2);
            addresses.push(IpCidr::new(address, 24)).unwrap();
        });
        Self {
            linkid,
            modem: IpAddress::Ipv4(Ipv4Address::new(10, 9, net, 1)),
            sockets: SocketSet::new(Vec::new()),
            interface,
            queues,
            received: 0,
            start: link.now,
            next_port: 40000,
        }
    }

    pub fn connect(&mut self, port: u16) -> SocketHandle {
        let buffer = || tcp::SocketBuffer::new(vec![0; 16384]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        self.next_port += 1;
        socket
            .connect(self.interface.context(), (self.modem, port), self.next_port)
            .unwrap();
        self.sockets.add(socket)
    }

    pub fn socket(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(handle)
    }

    /// Exchanges all packets that are ready, at one point in time.
    pub fn step(&mut self, link: &mut Link) -> bool {
        let time =
            IpInstant::from_micros(i64::try_from((link.now - self.start).as_micros()).unwrap());
        self.interface
            .poll(time, &mut self.queues, &mut self.sockets);
        let mut moved = false;
        while let Some(packet) = self.queues.tx.pop_front() {
            link.send_data(self.linkid, Service::Datagram, Data::Payload(&packet));
            moved = true;
        }
        link.engine.poll(link.now);
        while let Some(frame) = link.receive() {
            assert_eq!(frame.channel, self.linkid);
            if let Data::Payload(packet) = Data::parse(Service::Datagram, &frame.body).unwrap() {
                self.queues.rx.push_back(packet.to_vec());
                self.received += 1;
            }
            moved = true;
        }
        moved
    }

    /// Exchanges packets and advances the time until `done` returns something.
    pub fn run<T>(&mut self, link: &mut Link, mut done: impl FnMut(&mut Self) -> Option<T>) -> T {
        let end = link.now + Duration::from_secs(600);
        loop {
            if let Some(result) = done(self) {
                return result;
            }
            if !self.step(link) {
                link.now += Duration::from_millis(5);
            }
            assert!(link.now < end, "nothing came of it in ten minutes");
        }
    }

    /// Sends `request`, shuts the sending side down if asked to, and reads to the end.
    pub fn talk(&mut self, link: &mut Link, port: u16, request: &[u8], shut: bool) -> Vec<u8> {
        let handle = self.connect(port);
        let mut sent = 0;
        let mut reply = Vec::new();
        self.run(link, |host| {
            let socket = host.socket(handle);
            if socket.may_send() && sent < request.len() {
                sent += socket.send_slice(&request[sent..]).unwrap();
            }
            if socket.may_send() && sent == request.len() && shut {
                socket.close();
            }
            while socket.can_recv() {
                socket
                    .recv(|data| {
                        reply.extend_from_slice(data);
                        (data.len(), ())
                    })
                    .unwrap();
            }
            use tcp::State::{CloseWait, Closed, Closing, TimeWait};
            matches!(socket.state(), Closed | CloseWait | Closing | TimeWait).then_some(())
        });
        // The last piece may come together with the end of the stream.
        let socket = self.socket(handle);
        assert_eq!(socket.recv_queue(), 0);
        socket.close();
        self.run(link, |host| {
            (!host.socket(handle).is_active()
                || host.socket(handle).state() == tcp::State::TimeWait)
                .then_some(())
        });
        self.sockets.remove(handle);
        reply
    }
}
