// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The AT command interpreter behind a VEI channel.

use std::collections::BTreeMap;
use std::time::Duration;

const MAX_LINE: usize = 256;
const MAX_APN: usize = 63;
const MAX_CONTEXT: u8 = 16;
const MAX_MS: u64 = 60_000;
const BACKSPACE: u8 = 8;

/// The state that `AT*FLOW?`, `AT*SETUP?` and `AT*CHANNELS?` report.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Report<'a> {
    pub(crate) off: bool,
    pub(crate) frames: u64,
    /// The last set-up that a host asked for.
    pub(crate) setup: &'a [u8],
    /// Number of the host's channels, this one included.
    pub(crate) channels: usize,
}

/// The interpreter's state, one per channel.
#[derive(Debug)]
pub(crate) struct Terminal {
    line: Vec<u8>,
    overlong: bool,
    echo: bool,
    contexts: BTreeMap<u8, String>,
}

/// The result of some bytes from the host.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Echo and answers, in order.
    pub(crate) text: Vec<u8>,
    /// What the modem is to do.
    pub(crate) order: Option<Order>,
}

/// An action of the modem that a command asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Send flow off on the data channels, for that long.
    FlowOff(Duration),
    /// Answer the set-ups that were not answered, of connections that are answered late.
    Answer,
    /// Take no frames from the host, for that long.
    Stall(Duration),
}

/// The command is unknown or its parameters are out of range.
struct Refused;

impl Terminal {
    pub(crate) fn new() -> Self {
        Self {
            line: Vec::new(),
            overlong: false,
            echo: true,
            contexts: BTreeMap::new(),
        }
    }

    /// Takes bytes from the host and runs every command that they complete.
    pub(crate) fn input(&mut self, bytes: &[u8], report: Report<'_>) -> Answer {
        let mut answer = Answer::default();
        for byte in bytes {
            if self.echo {
                answer.text.push(*byte);
            }
            match *byte {
                b'\r' => {
                    let line = std::mem::take(&mut self.line);
                    if std::mem::take(&mut self.overlong) {
                        say(&mut answer, "ERROR");
                    } else {
                        self.run(&line, report, &mut answer);
                    }
                }
                b'\n' => {}
                BACKSPACE => {
                    self.line.pop();
                }
                _ if self.line.len() < MAX_LINE => self.line.push(*byte),
                _ => self.overlong = true,
            }
        }
        answer
    }

    fn run(&mut self, line: &[u8], report: Report<'_>, answer: &mut Answer) {
        // Commands are UTF-8: a line with replacement characters is refused.
        let line = String::from_utf8_lossy(line);
        let line = line.trim();
        if line.is_empty() {
            return;
        }
        let result = match line.split_at_checked(2) {
            Some((at, command)) if at.eq_ignore_ascii_case("AT") => {
                self.command(command.trim(), report, answer)
            }
            _ => Err(Refused),
        };
        say(answer, if result.is_ok() { "OK" } else { "ERROR" });
    }

    fn command(
        &mut self,
        command: &str,
        report: Report<'_>,
        answer: &mut Answer,
    ) -> Result<(), Refused> {
        let upper = command.to_ascii_uppercase();
        match upper.as_str() {
            "" => {}
            "E" | "E0" => self.echo = false,
            "E1" => self.echo = true,
            "I" => say(
                answer,
                concat!("caif-stack modem ", env!("CARGO_PKG_VERSION")),
            ),
            "+CGMI" => say(answer, "caif-stack"),
            "+CGMM" => say(answer, "virtual modem"),
            "+CSQ" => say(answer, "+CSQ: 23,99"),
            "+CREG?" => say(answer, "+CREG: 0,1"),
            "+CPIN?" => say(answer, "+CPIN: READY"),
            "+CGDCONT?" => {
                for (cid, apn) in &self.contexts {
                    say(answer, &format!("+CGDCONT: {cid},\"IP\",\"{apn}\""));
                }
            }
            "*FLOW?" => {
                let Report { off, frames, .. } = report;
                say(answer, &format!("*FLOW: {},{frames}", u8::from(off)));
            }
            "*ANSWER" => answer.order = Some(Order::Answer),
            "*SETUP?" => {
                let hex: String = report.setup.iter().map(|b| format!("{b:02x}")).collect();
                say(answer, &format!("*SETUP: {hex}"));
            }
            "*CHANNELS?" => say(answer, &format!("*CHANNELS: {}", report.channels)),
            // The value is taken from the line as typed, since an APN keeps its case.
            other => match other.split_once('=') {
                Some(("+CGDCONT", _)) => self.define_context(value(command))?,
                Some(("*FLOW", ms)) => answer.order = Some(Order::FlowOff(duration(ms)?)),
                Some(("*STALL", ms)) => answer.order = Some(Order::Stall(duration(ms)?)),
                _ => return Err(Refused),
            },
        }
        Ok(())
    }

    fn define_context(&mut self, value: &str) -> Result<(), Refused> {
        let mut fields = value.splitn(3, ',').map(str::trim);
        let cid: u8 = number(fields.next())?;
        let kind = unquote(fields.next())?;
        let apn = unquote(fields.next())?;
        let plain = |c: char| c.is_ascii_graphic() && c != '"' && c != ',';
        if !(1..=MAX_CONTEXT).contains(&cid)
            || !kind.eq_ignore_ascii_case("IP")
            || apn.len() > MAX_APN
            || !apn.chars().all(plain)
        {
            return Err(Refused);
        }
        self.contexts.insert(cid, apn.to_owned());
        Ok(())
    }
}

fn say(answer: &mut Answer, text: &str) {
    answer.text.extend_from_slice(b"\r\n");
    answer.text.extend_from_slice(text.as_bytes());
    answer.text.extend_from_slice(b"\r\n");
}

fn value(command: &str) -> &str {
    command.split_once('=').map_or("", |(_, value)| value)
}

fn number<T: std::str::FromStr>(text: Option<&str>) -> Result<T, Refused> {
    let text = text.ok_or(Refused)?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refused);
    }
    text.parse().map_err(|_| Refused)
}

fn unquote(text: Option<&str>) -> Result<&str, Refused> {
    text.and_then(|text| text.strip_prefix('"')?.strip_suffix('"'))
        .ok_or(Refused)
}

fn duration(ms: &str) -> Result<Duration, Refused> {
    let ms: u64 = number(Some(ms.trim()))?;
    if !(1..=MAX_MS).contains(&ms) {
        return Err(Refused);
    }
    Ok(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say_to(terminal: &mut Terminal, bytes: &str) -> String {
        let answer = terminal.input(bytes.as_bytes(), Report::default());
        String::from_utf8(answer.text).unwrap()
    }

    fn silent() -> Terminal {
        let mut terminal = Terminal::new();
        assert_eq!(say_to(&mut terminal, "ATE0\r"), "ATE0\r\r\nOK\r\n");
        terminal
    }

    #[test]
    fn echo_on_and_off() {
        let mut terminal = Terminal::new();
        assert_eq!(say_to(&mut terminal, "A"), "A");
        assert_eq!(say_to(&mut terminal, "T\r"), "T\r\r\nOK\r\n");
        assert_eq!(say_to(&mut terminal, "ate0\r"), "ate0\r\r\nOK\r\n");
        assert_eq!(say_to(&mut terminal, "AT\r\n"), "\r\nOK\r\n");
        assert_eq!(say_to(&mut terminal, "ATE1\r"), "\r\nOK\r\n");
        assert_eq!(say_to(&mut terminal, "AT\r"), "AT\r\r\nOK\r\n");
    }

    #[test]
    fn fixed_answers() {
        let mut terminal = silent();
        for (command, text) in [
            ("ATI", "caif-stack modem 0.1.0"),
            ("AT+CGMI", "caif-stack"),
            ("at+cgmm", "virtual modem"),
            ("AT+CSQ", "+CSQ: 23,99"),
            ("AT+CREG?", "+CREG: 0,1"),
            ("AT+CPIN?", "+CPIN: READY"),
            ("AT*FLOW?", "*FLOW: 0,0"),
            ("AT*CHANNELS?", "*CHANNELS: 0"),
        ] {
            assert_eq!(
                say_to(&mut terminal, &format!("{command}\r")),
                format!("\r\n{text}\r\n\r\nOK\r\n")
            );
        }
    }

    #[test]
    fn set_up_in_hexadecimal() {
        let report = Report {
            setup: &[0x00, 0x1f, 0xe2],
            ..Report::default()
        };
        let answer = silent().input(b"AT*SETUP?\r", report);
        assert_eq!(answer.text, b"\r\n*SETUP: 001fe2\r\n\r\nOK\r\n");
    }

    #[test]
    fn contexts() {
        let mut terminal = silent();
        assert_eq!(say_to(&mut terminal, "AT+CGDCONT?\r"), "\r\nOK\r\n");
        for bad in [
            "0,\"IP\",\"a\"",
            "17,\"IP\",\"a\"",
            "1,\"PPP\",\"a\"",
            "1,\"IP\",a",
            "1,\"IP\"",
            "",
        ] {
            let command = format!("AT+CGDCONT={bad}\r");
            assert_eq!(say_to(&mut terminal, &command), "\r\nERROR\r\n", "{bad}");
        }
        let command = "at+cgdcont=2,\"IP\",\"Internet\"\r";
        assert_eq!(say_to(&mut terminal, command), "\r\nOK\r\n");
        assert_eq!(
            say_to(&mut terminal, "AT+CGDCONT?\r"),
            "\r\n+CGDCONT: 2,\"IP\",\"Internet\"\r\n\r\nOK\r\n"
        );
    }

    #[test]
    fn flow_requests() {
        let mut terminal = silent();
        let answer = terminal.input(b"AT*FLOW=250\r", Report::default());
        let time = Duration::from_millis(250);
        assert_eq!(answer.order, Some(Order::FlowOff(time)));
        assert_eq!(answer.text, b"\r\nOK\r\n");
        let answer = terminal.input(b"AT*STALL=250\r", Report::default());
        assert_eq!(answer.order, Some(Order::Stall(time)));
        assert_eq!(answer.text, b"\r\nOK\r\n");
        for bad in ["0", "60001", "-1", "+1", "x", ""] {
            let line = format!("AT*FLOW={bad}\r");
            let answer = terminal.input(line.as_bytes(), Report::default());
            assert_eq!(answer.order, None, "{bad}");
            assert_eq!(answer.text, b"\r\nERROR\r\n", "{bad}");
        }
    }

    #[test]
    fn line_editing_and_bounds() {
        let mut terminal = silent();
        assert_eq!(say_to(&mut terminal, "\r\r\n"), "");
        assert_eq!(
            say_to(&mut terminal, "ATX\u{8}+CGMI\r"),
            "\r\ncaif-stack\r\n\r\nOK\r\n"
        );
        assert_eq!(say_to(&mut terminal, "nonsense\r"), "\r\nERROR\r\n");
        let overlong = format!("AT{}\r", " ".repeat(255));
        assert_eq!(say_to(&mut terminal, &overlong), "\r\nERROR\r\n");
        let longest = format!("AT{}\r", " ".repeat(254));
        assert_eq!(say_to(&mut terminal, &longest), "\r\nOK\r\n");
    }
}
