// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The channels of links, as `/proc/net/caif` has them.

use std::{fs, io::ErrorKind, path::Path};

use anyhow::{Context, Result, bail};
use serde::Serialize;

/// A channel of a link.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Channel {
    pub link: String,
    /// `None` before the modem assigned it.
    pub id: Option<u8>,
    pub state: String,
    /// `None` if only the id is known.
    pub service: Option<String>,
    pub connection_id: Option<u32>,
    pub name: Option<String>,
    /// Who does not take payloads: `modem`, `link`. `None` if the channel is not open.
    pub tx_stopped_by: Option<Vec<String>>,
    /// Whether the modem was told to send no payloads. `None` if the channel is not open.
    pub rx_stopped: Option<bool>,
    /// The interface that has the channel, unless it is in another namespace.
    pub interface: Option<String>,
    /// The inode of the socket that has the channel.
    pub socket: Option<u64>,
}

/// Reads the file. `None` if there is none: the stack is older, not loaded, or another one.
pub fn read(path: &Path) -> Result<Option<Vec<Channel>>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        // The module went meanwhile.
        Err(error) if error.raw_os_error() == Some(libc::EIO) => return Ok(None),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let text = String::from_utf8_lossy(&text);
    let channels = parse(&text).with_context(|| path.display().to_string())?;
    Ok(Some(channels))
}

/// Reads the lines behind the titles, by which columns are found: there may be more of them.
fn parse(text: &str) -> Result<Vec<Channel>> {
    let mut lines = text.lines();
    let titles: Vec<_> = lines.next().unwrap_or("").split_whitespace().collect();
    lines
        .map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            Channel::new(&titles, &fields).with_context(|| format!("line {line:?}"))
        })
        .collect()
}

impl Channel {
    fn new(titles: &[&str], fields: &[&str]) -> Result<Self> {
        let raw = |title: &str| {
            let column = titles.iter().position(|other| *other == title);
            let field = column.and_then(|column| fields.get(column));
            field.copied().with_context(|| format!("no {title}"))
        };
        let field = |title| raw(title).map(|field| Some(field).filter(|field| *field != "-"));
        let number = |title| field(title)?.map(str::parse).transpose().context(title);
        let mut channel = Self {
            link: unescaped(raw("link")?),
            id: field("id")?.map(str::parse).transpose().context("id")?,
            state: raw("state")?.to_owned(),
            service: field("service")?.map(str::to_owned),
            connection_id: number("connection")?,
            name: field("name")?.map(unescaped),
            tx_stopped_by: match field("tx")? {
                None => None,
                Some("on") => Some(Vec::new()),
                Some(off) => {
                    let who = off.strip_prefix("off:").context("tx")?;
                    Some(who.split(',').map(str::to_owned).collect())
                }
            },
            rx_stopped: match field("rx")? {
                None => None,
                Some("on") => Some(false),
                Some("off") => Some(true),
                Some(_) => bail!("rx"),
            },
            ..Self::default()
        };
        if let Some(owner) = field("owner")? {
            match socket(owner) {
                Some(inode) => channel.socket = Some(inode),
                None => channel.interface = Some(unescaped(owner)),
            }
        }
        Ok(channel)
    }

    /// Returns what the channel is for, who has it, and who stopped it.
    pub fn about(&self) -> String {
        let mut about = Vec::new();
        about.extend(self.service.clone());
        about.extend(self.connection_id.map(|id| format!("connection {id}")));
        about.extend(self.name.as_ref().map(|name| format!("name {name}")));
        about.extend(self.interface.as_ref().map(|name| format!("of {name}")));
        about.extend(self.socket.map(|inode| format!("of socket:[{inode}]")));
        for who in self.tx_stopped_by.iter().flatten() {
            about.push(format!("stopped by the {who}"));
        }
        if self.rx_stopped == Some(true) {
            about.push("the modem is stopped".to_owned());
        }
        about.join(", ")
    }
}

/// Returns the inode of a socket. No interface's name has a colon.
fn socket(owner: &str) -> Option<u64> {
    let inode = owner.strip_prefix("socket:[")?.strip_suffix(']')?;
    inode.parse().ok()
}

/// Returns a name without the escapes of the kernel: a backslash and three octal digits.
fn unescaped(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let escaped = behind
            .get(..3)
            .filter(|_| first == b'\\')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(escaped.unwrap_or(first));
        rest = match escaped {
            Some(_) => behind.get(3..).unwrap_or(&[]),
            None => behind,
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TITLES: &str = "link id service connection name state tx rx owner\n";

    fn one(line: &str) -> Channel {
        let mut channels = parse(&format!("{TITLES}{line}\n")).unwrap();
        assert_eq!(channels.len(), 1);
        channels.remove(0)
    }

    #[test]
    fn a_line_is_a_channel() {
        let channel =
            one("cfvrt0 12 rfm 4294967295 a\\040b\\134 open off:modem,link off socket:[4711]");
        let want = serde_json::json!({
            "link": "cfvrt0",
            "id": 12,
            "state": "open",
            "service": "rfm",
            "connection_id": u32::MAX,
            "name": "a b\\",
            "tx_stopped_by": ["modem", "link"],
            "rx_stopped": true,
            "interface": null,
            "socket": 4711,
        });
        assert_eq!(serde_json::to_value(&channel).unwrap(), want);
        assert_eq!(
            channel.about(),
            "rfm, connection 4294967295, name a b\\, of socket:[4711], stopped by the modem, \
             stopped by the link, the modem is stopped"
        );
    }

    #[test]
    fn what_is_not_known_is_null() {
        let channel = one("cfvrt0 - datagram 1 - connecting - - caif0");
        assert_eq!(channel.about(), "datagram, connection 1, of caif0");
        assert_eq!((channel.id, channel.tx_stopped_by), (None, None));
        let channel = one("cfvrt0 255 - - - closing - - -");
        assert_eq!((channel.about(), channel.id), (String::new(), Some(255)));
        let channel = one("cfvrt0 3 at - - open on on -");
        assert_eq!(channel.about(), "at");
        assert_eq!(channel.tx_stopped_by, Some(Vec::new()));
        // The name of this UTIL service is a hyphen.
        assert_eq!(
            one("l 3 util - \\055 open on on -").name.as_deref(),
            Some("-")
        );
    }

    #[test]
    fn a_later_kernel_may_have_more_columns() {
        let text = "id new state link service connection name tx rx owner\n\
                    7 x open l debug - - on on -\n";
        let channels = parse(text).unwrap();
        assert_eq!((channels[0].id, channels[0].link.as_str()), (Some(7), "l"));
    }

    #[test]
    fn no_channels_are_not_no_file() {
        assert_eq!(read(Path::new("/none")).unwrap(), None);
        assert_eq!(parse(TITLES).unwrap(), []);
        assert_eq!(read(Path::new("/dev/null")).unwrap(), Some(vec![]));
    }

    #[test]
    fn other_lines_are_errors_that_name_the_column() {
        for (line, column) in [
            ("l x at - - open on on -", "id"),
            ("l 256 at - - open on on -", "id"),
            ("l 1 at -1 - open on on -", "connection"),
            ("l 1 at - - open no on -", "tx"),
            ("l 1 at - - open on no -", "rx"),
            ("l 1 at - - open on on", "no owner"),
            ("", "no link"),
        ] {
            let error = parse(&format!("{TITLES}{line}\n")).unwrap_err();
            assert!(
                format!("{error:#}").contains(&format!(": {column}")),
                "{error:#}"
            );
        }
    }

    #[test]
    fn escapes_that_are_none_stay() {
        for (name, want) in [
            ("\\", "\\"),
            ("\\9", "\\9"),
            ("\\400x", "\\400x"),
            ("\\0401", " 1"),
        ] {
            assert_eq!(unescaped(name), want);
        }
    }
}
