// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Commands of a line: V.250, 5.2 to 5.4.

use std::str::FromStr;

use crate::failure::{Cme, Failure};

/// The kind of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request<'a> {
    /// `+NAME`
    Run,
    /// `+NAME?`
    Read,
    /// `+NAME=?`
    Test,
    /// `+NAME=...`, and the number of a basic command.
    Set(Args<'a>),
}

/// A command of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command<'a> {
    /// In capital letters, with its first character: `+CREG`, `*EPPSD`, `&F`, `E`.
    pub(crate) name: String,
    pub(crate) request: Request<'a>,
}

impl Command<'_> {
    /// Returns the command as a scenario names it: `*EPPSD=1,0,1`, blanks left out.
    pub(crate) fn text(&self) -> String {
        let name = &self.name;
        match self.request {
            Request::Run => name.clone(),
            Request::Read => format!("{name}?"),
            Request::Test => format!("{name}=?"),
            Request::Set(Args(args)) => format!("{name}={}", args.trim()),
        }
    }
}

/// The parameters of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Args<'a>(&'a str);

impl<'a> Args<'a> {
    #[cfg(test)]
    pub(crate) fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// Returns parameter `index` without the blanks around it. A comma in quotes is part of it.
    fn get(self, index: usize) -> Option<&'a str> {
        let mut quoted = false;
        let mut commas = 0_usize;
        self.0
            .split(|c: char| {
                quoted ^= c == '"';
                c == ',' && !quoted
            })
            .map(str::trim)
            .find(|_| {
                let found = commas == index;
                commas = commas.saturating_add(1);
                found
            })
    }

    /// Fails if there are more than `most` parameters.
    pub(crate) fn at_most(self, most: usize) -> Result<(), Failure> {
        match self.get(most) {
            None => Ok(()),
            Some(_) => Err(Cme::BadParameters.into()),
        }
    }

    /// Returns a number; `None` if it was left out.
    pub(crate) fn optional<T: FromStr>(self, index: usize) -> Result<Option<T>, Failure> {
        match self.get(index) {
            None | Some("") => Ok(None),
            Some(text) => number(text).map(Some),
        }
    }

    /// Returns a number that must be there.
    pub(crate) fn number<T: FromStr>(self, index: usize) -> Result<T, Failure> {
        self.optional(index)?.ok_or(Cme::BadParameters.into())
    }

    /// Returns a number of hexadecimal digits that must be there.
    pub(crate) fn hexadecimal(self, index: usize) -> Result<u32, Failure> {
        self.get(index)
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|text| u32::from_str_radix(text, 16).ok())
            .ok_or(Cme::BadParameters.into())
    }

    /// Returns a string in quotes; `None` if it was left out.
    pub(crate) fn optional_text(self, index: usize) -> Result<Option<&'a str>, Failure> {
        match self.get(index) {
            None | Some("") => Ok(None),
            Some(text) => unquote(text).map(Some),
        }
    }

    /// Returns a string in quotes that must be there.
    pub(crate) fn text(self, index: usize) -> Result<&'a str, Failure> {
        self.optional_text(index)?.ok_or(Cme::BadParameters.into())
    }

    /// Returns a string, with or without quotes.
    pub(crate) fn bare(self, index: usize) -> Result<&'a str, Failure> {
        let text = self.get(index).unwrap_or_default();
        unquote(text).or_else(|failure| {
            let plain = !text.is_empty() && !text.contains('"');
            plain.then_some(text).ok_or(failure)
        })
    }
}

fn number<T: FromStr>(text: &str) -> Result<T, Failure> {
    // The standard library takes a sign, too.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Cme::BadParameters.into());
    }
    text.parse().map_err(|_| Cme::BadParameters.into())
}

fn unquote(text: &str) -> Result<&str, Failure> {
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .filter(|text| !text.contains('"'))
        .ok_or(Cme::BadParameters.into())
}

/// Splits what follows `AT` into commands. After one that cannot be read there are no more.
pub(crate) fn commands(line: &str) -> Commands<'_> {
    Commands { rest: line }
}

/// The commands of a line.
pub(crate) struct Commands<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Commands<'a> {
    type Item = Result<Command<'a>, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rest = self
            .rest
            .trim_start_matches(|c: char| c.is_whitespace() || c == ';');
        let first = self.rest.chars().next()?;
        let command = match first.to_ascii_uppercase() {
            '+' | '*' => self.extended(),
            'D' => Some(self.dial()),
            'A'..='Z' | '&' => self.basic(),
            _ => None,
        };
        if command.is_none() {
            self.rest = "";
        }
        Some(command.ok_or(Failure::Unknown))
    }
}

impl<'a> Commands<'a> {
    /// Removes and returns the text before the next `;` outside of quotes.
    fn segment(&mut self) -> &'a str {
        let mut quoted = false;
        let end = self.rest.find(|c: char| {
            quoted ^= c == '"';
            c == ';' && !quoted
        });
        self.take(end.unwrap_or(self.rest.len())).trim()
    }

    /// Removes and returns `len` bytes, which end between two characters.
    fn take(&mut self, len: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn extended(&mut self) -> Option<Command<'a>> {
        let segment = self.segment();
        let end = segment.find(['=', '?']).unwrap_or(segment.len());
        let (name, request) = segment.split_at_checked(end)?;
        let (mark, letters) = name.trim_end().split_at_checked(1)?;
        let is_name = |c: char| c.is_ascii_alphanumeric();
        if letters.is_empty() || !letters.chars().all(is_name) {
            return None;
        }
        Some(Command {
            name: format!("{mark}{}", letters.to_ascii_uppercase()),
            request: match request {
                "" => Request::Run,
                "?" => Request::Read,
                _ => match request.strip_prefix('=')? {
                    args if args.trim() == "?" => Request::Test,
                    args => Request::Set(Args(args)),
                },
            },
        })
    }

    fn dial(&mut self) -> Command<'a> {
        // A `;` at the end makes it a call of voice; nothing else can follow.
        let number = self.take(self.rest.len());
        Command {
            name: "D".to_owned(),
            request: Request::Set(Args(number.get(1..).unwrap_or_default())),
        }
    }

    /// Removes and returns a letter, with `&` before it or not, and the number after it.
    fn basic(&mut self) -> Option<Command<'a>> {
        let letters = if self.rest.starts_with('&') { 2 } else { 1 };
        let name = self.rest.get(..letters)?.to_ascii_uppercase();
        if !name.ends_with(|c: char| c.is_ascii_uppercase()) {
            return None;
        }
        self.take(letters);
        let digits = |text: &str| {
            let other = text.find(|c: char| !c.is_ascii_digit());
            other.unwrap_or(text.len())
        };
        let number = self.take(digits(self.rest));
        if name != "S" {
            let request = match number {
                "" => Request::Run,
                number => Request::Set(Args(number)),
            };
            return Some(Command { name, request });
        }
        // A register: S3? or S3=13.
        let name = format!("S{number}");
        if self.rest.starts_with('?') {
            self.take(1);
            let request = Request::Read;
            return Some(Command { name, request });
        }
        if !self.rest.starts_with('=') {
            return None;
        }
        self.take(1);
        let request = Request::Set(Args(self.take(digits(self.rest))));
        Some(Command { name, request })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Vec<String> {
        commands(line)
            .map(|command| command.map_or("?".to_owned(), |command| command.text()))
            .collect()
    }

    #[test]
    fn lines_of_several_commands() {
        assert_eq!(
            split("&F E0 V1 X4 &C1 +CMEE=1"),
            ["&F", "E=0", "V=1", "X=4", "&C=1", "+CMEE=1"]
        );
        assert_eq!(split("*ESIMSR=1;*ESIMSR?"), ["*ESIMSR=1", "*ESIMSR?"]);
        assert_eq!(
            split("e0v1+creg?;+cops=?"),
            ["E=0", "V=1", "+CREG?", "+COPS=?"]
        );
        assert_eq!(split(" ; ;; I ;"), ["I"]);
        assert_eq!(split("S3=13S4?"), ["S3=13", "S4?"]);
        assert_eq!(split("D*99***1#;+CREG?"), ["D=*99***1#;+CREG?"]);
        assert_eq!(split(""), [] as [&str; 0]);
    }

    #[test]
    fn a_semicolon_in_quotes_separates_nothing() {
        assert_eq!(
            split("+CGDCONT=1,\"IP\",\"a;b\";+CGACT?"),
            ["+CGDCONT=1,\"IP\",\"a;b\"", "+CGACT?"]
        );
        assert_eq!(split("+CSCS=\"x;I"), ["+CSCS=\"x;I"]);
    }

    #[test]
    fn what_is_no_command_ends_the_line() {
        for line in [
            "+", "*", "+=1", "+C\"=1", "+CREG?1", "é", "&", "&1", "S3", "\u{fffd}",
        ] {
            assert_eq!(split(line), ["?"], "{line}");
            assert_eq!(split(&format!("I{line}")), ["I", "?"], "{line}");
        }
        assert_eq!(split("9I"), ["?"]);
    }

    #[test]
    fn parameters() {
        let args = Args::new(" 1 , \"a,b\" ,, 1f");
        assert_eq!(args.number::<u8>(0), Ok(1));
        assert_eq!(args.text(1), Ok("a,b"));
        assert_eq!(args.optional::<u8>(2), Ok(None));
        assert_eq!(args.hexadecimal(3), Ok(0x1f));
        assert_eq!(args.optional::<u8>(4), Ok(None));
        assert!(args.at_most(3).is_err());
        assert!(args.at_most(4).is_ok());
        for bad in ["+1", "-1", "256", "x", "\"1\"", ""] {
            assert!(Args::new(bad).number::<u8>(0).is_err(), "{bad}");
        }
        for bad in ["+1f", "123456789", "", "g"] {
            assert!(Args::new(bad).hexadecimal(0).is_err(), "{bad}");
        }
        for bad in ["\"", "\"a", "a", "\"a\"b\"", ""] {
            assert!(Args::new(bad).text(0).is_err(), "{bad}");
        }
        assert_eq!(Args::new("\"1234\"").bare(0), Ok("1234"));
        assert_eq!(Args::new("1234").bare(0), Ok("1234"));
        assert!(Args::new("").bare(0).is_err());
        assert!(Args::new("\"12").bare(0).is_err());
    }
}
