// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The table: each remote processor, below it its links, below those their channels and the
//! interfaces made for them.

use std::fmt;

use super::{Channel, Interface, Link, Snapshot};
use crate::{
    netdevs::Counters,
    output::printable,
    table::{Align, Table},
};

/// Counters of the driver that are no faults.
const NO_FAULTS: [&str; 3] = ["rx_kicks", "tx_kicks", "polls"];

type Rows = Table<11>;

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.table();
        if table.is_empty() {
            return Ok(());
        }
        f.write_str(&table.render())
    }
}

impl Snapshot {
    fn table(&self) -> Rows {
        let mut table = Rows::new([
            ("NAME", Align::Left),
            ("KIND", Align::Left),
            ("STATE", Align::Left),
            ("MTU", Align::Right),
            ("RX PACKETS", Align::Right),
            ("RX BYTES", Align::Right),
            ("TX PACKETS", Align::Right),
            ("TX BYTES", Align::Right),
            ("DROPPED", Align::Right),
            ("ERRORS", Align::Right),
            ("ABOUT", Align::Left),
        ]);
        for modem in &self.remote_processors {
            let mut about = printable(&modem.firmware);
            if let Some(recovery) = &modem.recovery {
                about += &format!(", recovery {recovery}");
            }
            let mut row = [const { String::new() }; 11];
            let [name, kind, state, .., last] = &mut row;
            *name = printable(&modem.name);
            *kind = "processor".to_owned();
            *state = printable(&modem.state);
            *last = about;
            table.push(row);
            for link in &self.links {
                if link.remote_processor.as_ref() == Some(&modem.name) {
                    self.push_link(&mut table, link, 1);
                }
            }
        }
        let is_below = |name: &String| {
            self.remote_processors
                .iter()
                .any(|modem| modem.name == *name)
        };
        for link in &self.links {
            if !link.remote_processor.as_ref().is_some_and(is_below) {
                self.push_link(&mut table, link, 0);
            }
        }
        let is_link = |name: &String| self.links.iter().any(|link| link.name == *name);
        // Not shown with their link if only an interface was asked for.
        for channel in self.channels.iter().flatten() {
            if !is_link(&channel.link) {
                table.push(row_of_channel(channel, 0));
            }
        }
        for interface in &self.interfaces {
            if !interface.link.as_ref().is_some_and(is_link) {
                table.push(row_of(interface, 0));
            }
        }
        table
    }

    fn push_link(&self, table: &mut Rows, link: &Link, depth: usize) {
        table.push(row(
            depth,
            &link.name,
            "link",
            link.state,
            link.mtu,
            &link.counters,
            faults(link),
        ));
        for channel in self.channels.iter().flatten() {
            if channel.link == link.name {
                table.push(row_of_channel(channel, depth + 1));
            }
        }
        for interface in &self.interfaces {
            if interface.link.as_ref() == Some(&link.name) {
                table.push(row_of(interface, depth + 1));
            }
        }
    }
}

/// Returns the driver's counters of faults that are not zero.
fn faults(link: &Link) -> String {
    let Some(counters) = &link.driver_counters else {
        return "the driver does not count faults".to_owned();
    };
    let faults: Vec<_> = counters
        .iter()
        .filter(|(name, count)| **count > 0 && !NO_FAULTS.contains(&name.as_str()))
        .map(|(name, count)| format!("{} {count}", printable(name)))
        .collect();
    if faults.is_empty() {
        return "no faults".to_owned();
    }
    format!("faults: {}", faults.join(", "))
}

fn row_of_channel(channel: &Channel, depth: usize) -> [String; 11] {
    let mut name = indented(
        depth,
        &channel.id.map_or("-".to_owned(), |id| id.to_string()),
    );
    if depth == 0 {
        name += &format!(" on {}", printable(&channel.link));
    }
    let mut row = [const { String::new() }; 11];
    row[0] = name;
    row[1] = "channel".to_owned();
    row[2] = printable(&channel.state);
    row[10] = printable(&channel.about());
    row
}

fn indented(depth: usize, name: &str) -> String {
    format!("{:width$}{}", "", printable(name), width = 2 * depth)
}

fn row_of(interface: &Interface, depth: usize) -> [String; 11] {
    let mut about = match interface.connection_id {
        Some(id) => format!("connection {id}"),
        None => "connection unknown".to_owned(),
    };
    match &interface.link {
        Some(link) if depth == 0 => about += &format!(" on {link}"),
        Some(_) => {}
        None => about += " on any link",
    }
    if interface.loopback {
        about += ", loopback";
    }
    for address in &interface.addresses {
        about += &format!(", {address}");
    }
    row(
        depth,
        &interface.name,
        "interface",
        interface.state,
        interface.mtu,
        &interface.counters,
        about,
    )
}

fn row(
    depth: usize,
    name: &str,
    kind: &str,
    state: &str,
    mtu: u32,
    counters: &Counters,
    about: String,
) -> [String; 11] {
    [
        indented(depth, name),
        kind.to_owned(),
        state.to_owned(),
        mtu.to_string(),
        counters.rx_packets.to_string(),
        counters.rx_bytes.to_string(),
        counters.tx_packets.to_string(),
        counters.tx_bytes.to_string(),
        counters.dropped().to_string(),
        counters.errors().to_string(),
        about,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remoteproc::RemoteProc;

    fn link(name: &str, of: Option<&str>, counters: &[(&str, u64)]) -> Link {
        Link {
            name: name.to_owned(),
            remote_processor: of.map(str::to_owned),
            state: "up",
            up: true,
            carrier: true,
            mtu: 4032,
            counters: Counters {
                rx_packets: 22,
                rx_bytes: 20761,
                tx_packets: 23,
                tx_bytes: 20760,
                rx_dropped: 1,
                tx_dropped: 2,
                rx_errors: 3,
                tx_errors: 4,
            },
            driver_counters: (!counters.is_empty()).then(|| {
                counters
                    .iter()
                    .map(|(name, n)| ((*name).to_owned(), *n))
                    .collect()
            }),
        }
    }

    fn interface(name: &str, link: Option<&str>) -> Interface {
        Interface {
            name: name.to_owned(),
            connection_id: Some(1),
            link: link.map(str::to_owned),
            loopback: link.is_none(),
            state: "no carrier",
            up: true,
            carrier: false,
            mtu: 1500,
            addresses: vec!["10.9.1.2 peer 10.9.1.1".to_owned()],
            counters: Counters::default(),
        }
    }

    fn channel(link: &str, id: u8, interface: Option<&str>) -> Channel {
        Channel {
            link: link.to_owned(),
            id: Some(id),
            state: "open".to_owned(),
            service: Some("datagram".to_owned()),
            connection_id: Some(1),
            tx_stopped_by: Some(vec!["link".to_owned()]),
            rx_stopped: Some(false),
            interface: interface.map(str::to_owned),
            ..Channel::default()
        }
    }

    #[test]
    fn all_there_is_is_in_one_table() {
        let snapshot = Snapshot {
            remote_processors: vec![
                RemoteProc {
                    name: "remoteproc0".to_owned(),
                    state: "running".to_owned(),
                    firmware: "modem.elf".to_owned(),
                    recovery: Some("enabled".to_owned()),
                },
                RemoteProc {
                    name: "remoteproc1".to_owned(),
                    state: "offline".to_owned(),
                    firmware: "dsp\x1b[2J.elf".to_owned(),
                    recovery: None,
                },
            ],
            links: vec![
                link(
                    "cfvrt0",
                    Some("remoteproc0"),
                    &[("polls", 9), ("rx_drop_length", 0), ("tx_timeout", 1)],
                ),
                link("cfvrt1", Some("remoteproc0"), &[("rx_kicks", 1)]),
                link("cfusb0", None, &[]),
            ],
            channels: Some(vec![
                Channel {
                    link: "cfvrt0".to_owned(),
                    state: "connecting".to_owned(),
                    service: Some("util".to_owned()),
                    name: Some("\x1b".to_owned()),
                    ..Channel::default()
                },
                channel("cfvrt0", 12, Some("caif0")),
                channel("cfusb0", 1, None),
                channel("gone0", 3, None),
            ]),
            interfaces: vec![
                interface("caif0", Some("cfvrt0")),
                interface("caif1", None),
                interface("caif2", Some("gone0")),
            ],
        };
        let want = "\
NAME         KIND       STATE        MTU  RX PACKETS  RX BYTES  TX PACKETS  TX BYTES  DROPPED  ERRORS  ABOUT
remoteproc0  processor  running                                                                        modem.elf, recovery enabled
  cfvrt0     link       up          4032          22     20761          23     20760        3       7  faults: tx_timeout 1
    -        channel    connecting                                                                     util, name \\u{1b}
    12       channel    open                                                                           datagram, connection 1, of caif0, stopped by the link
    caif0    interface  no carrier  1500           0         0           0         0        0       0  connection 1, 10.9.1.2 peer 10.9.1.1
  cfvrt1     link       up          4032          22     20761          23     20760        3       7  no faults
remoteproc1  processor  offline                                                                        dsp\\u{1b}[2J.elf
cfusb0       link       up          4032          22     20761          23     20760        3       7  the driver does not count faults
  1          channel    open                                                                           datagram, connection 1, stopped by the link
3 on gone0   channel    open                                                                           datagram, connection 1, stopped by the link
caif1        interface  no carrier  1500           0         0           0         0        0       0  connection 1 on any link, loopback, 10.9.1.2 peer 10.9.1.1
caif2        interface  no carrier  1500           0         0           0         0        0       0  connection 1 on gone0, 10.9.1.2 peer 10.9.1.1
";
        assert_eq!(snapshot.to_string(), want);
    }

    #[test]
    fn nothing_has_no_titles() {
        assert_eq!(Snapshot::default().to_string(), "");
    }

    #[test]
    fn json_has_what_the_kernel_said() {
        let snapshot = Snapshot {
            links: vec![link("cfvrt0", Some("remoteproc0"), &[("polls", 9)])],
            ..Snapshot::default()
        };
        let json = serde_json::to_value(&snapshot).unwrap();
        for (path, want) in [
            ("/links/0/name", serde_json::json!("cfvrt0")),
            (
                "/links/0/remote_processor",
                serde_json::json!("remoteproc0"),
            ),
            ("/links/0/counters/tx_bytes", serde_json::json!(20760)),
            ("/links/0/driver_counters/polls", serde_json::json!(9)),
            ("/channels", serde_json::json!(null)),
            ("/interfaces", serde_json::json!([])),
        ] {
            assert_eq!(json.pointer(path), Some(&want), "{path}");
        }
    }
}
