// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The DNS server of a context, on UDP port 53 of the addresses that the host was told.

use std::net::IpAddr;

use simple_dns::rdata::{A, AAAA, RData};
use simple_dns::{CLASS, Packet, PacketFlag, QCLASS, QTYPE, RCODE, ResourceRecord, TYPE};
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::udp::{PacketBuffer, PacketMetadata, Socket};

const PORT: u16 = 53;
const PACKETS: usize = 16;
const BYTES: usize = 8 * 1024;
const TTL: u32 = 60;
/// The only name that the server knows: the modem, whose services are on its addresses.
const NAME: &str = "modem.test";

/// A server of the name of the modem.
pub(crate) struct DnsServer {
    handle: SocketHandle,
    addresses: Vec<IpAddr>,
}

impl DnsServer {
    /// Creates a server that returns these addresses for the name.
    pub(crate) fn new(sockets: &mut SocketSet<'static>, addresses: Vec<IpAddr>) -> Self {
        let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; PACKETS], vec![0; BYTES]);
        let mut socket = Socket::new(buffer(), buffer());
        // A new socket can always be bound to a port that is not 0.
        let _ = socket.bind(PORT);
        Self {
            handle: sockets.add(socket),
            addresses,
        }
    }

    /// Answers all received queries. Returns whether there were any.
    pub(crate) fn run(&mut self, sockets: &mut SocketSet<'static>) -> bool {
        let socket = sockets.get_mut::<Socket<'_>>(self.handle);
        let mut answered = false;
        while socket.can_recv() && socket.can_send() {
            let Ok((query, from)) = socket.recv() else {
                break;
            };
            if let Some(answer) = answer(query, &self.addresses) {
                // An answer that does not fit is dropped, as UDP allows.
                let _ = socket.send_slice(&answer, from);
            }
            answered = true;
        }
        answered
    }
}

/// Returns the answer to a query; `None` if it is none.
fn answer(query: &[u8], addresses: &[IpAddr]) -> Option<Vec<u8>> {
    let query = Packet::parse(query).ok()?;
    if query.has_flags(PacketFlag::RESPONSE) {
        return None;
    }
    let question = query.questions.first()?.clone();
    let mut reply = Packet::new_reply(query.id());
    reply.set_flags(PacketFlag::AUTHORITATIVE_ANSWER | PacketFlag::RECURSION_AVAILABLE);
    if query.has_flags(PacketFlag::RECURSION_DESIRED) {
        reply.set_flags(PacketFlag::RECURSION_DESIRED);
    }
    let is_internet = matches!(question.qclass, QCLASS::CLASS(CLASS::IN) | QCLASS::ANY);
    let name = question.qname.to_string();
    if !is_internet || !name.eq_ignore_ascii_case(NAME) {
        *reply.rcode_mut() = RCODE::NameError;
    } else {
        for address in addresses {
            let (kind, data) = match address {
                IpAddr::V4(address) => (TYPE::A, RData::A(A::from(*address))),
                IpAddr::V6(address) => (TYPE::AAAA, RData::AAAA(AAAA::from(*address))),
            };
            if question.qtype == QTYPE::TYPE(kind) || question.qtype == QTYPE::ANY {
                let name = question.qname.clone();
                let record = ResourceRecord::new(name, CLASS::IN, TTL, data);
                reply.answers.push(record);
            }
        }
    }
    reply.questions.push(question);
    reply.build_bytes_vec_compressed().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use simple_dns::{Name, Question};

    fn ask(name: &str, kind: TYPE) -> (RCODE, Vec<RData<'static>>) {
        let mut query = Packet::new_query(0x1234);
        let name = Name::new(name).unwrap();
        let question = Question::new(name, kind.into(), CLASS::IN.into(), false);
        query.questions.push(question);
        let addresses = [[10, 64, 0, 1].into(), "fd00:64::1".parse().unwrap()];
        let reply = answer(&query.build_bytes_vec().unwrap(), &addresses).unwrap();
        let reply = Packet::parse(&reply).unwrap();
        assert_eq!(reply.id(), 0x1234);
        assert_eq!(reply.questions.len(), 1);
        let data = reply
            .answers
            .iter()
            .map(|record| record.rdata.clone().into_owned());
        (reply.rcode(), data.collect())
    }

    #[test]
    fn one_name_in_both_families() {
        let ipv4 = RData::A(A::from(std::net::Ipv4Addr::new(10, 64, 0, 1)));
        assert_eq!(ask("modem.test", TYPE::A), (RCODE::NoError, vec![ipv4]));
        let (_, data) = ask("MODEM.test", TYPE::AAAA);
        assert!(matches!(&data[..], [RData::AAAA(_)]), "{data:?}");
        assert_eq!(ask("modem.test", TYPE::TXT), (RCODE::NoError, vec![]));
        assert_eq!(ask("other.test", TYPE::A), (RCODE::NameError, vec![]));
    }

    #[test]
    fn what_is_no_query_is_not_answered() {
        assert_eq!(answer(b"", &[]), None);
        assert_eq!(answer(&[0xff; 40], &[]), None);
        let reply = Packet::new_reply(1).build_bytes_vec().unwrap();
        assert_eq!(answer(&reply, &[]), None);
        let empty = Packet::new_query(1).build_bytes_vec().unwrap();
        assert_eq!(answer(&empty, &[]), None);
    }
}
