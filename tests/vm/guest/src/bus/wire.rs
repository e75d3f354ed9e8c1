// SPDX-License-Identifier: GPL-2.0

//! Messages of D-Bus, little-endian, as far as this client needs them.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

/// Numbers of header fields.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;
/// The longest message that is accepted.
const LONGEST: usize = 1 << 20;
/// How deep values may be nested.
const DEEPEST: usize = 32;

pub enum Message {
    Return(u32, Value),
    Error(u32, String),
    Signal,
    Other,
}

fn pad(bytes: &mut Vec<u8>, align: usize) {
    bytes.resize(bytes.len().next_multiple_of(align), 0);
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    pad(bytes, 4);
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.push(0);
}

fn put_signature(bytes: &mut Vec<u8>, signature: &str) {
    bytes.push(signature.len() as u8);
    bytes.extend(signature.as_bytes());
    bytes.push(0);
}

/// Makes a method call with one string, or without an argument.
pub fn call(
    serial: u32,
    name: &str,
    path: &str,
    interface: &str,
    method: &str,
    argument: Option<&str>,
) -> Vec<u8> {
    let mut body = Vec::new();
    if let Some(argument) = argument {
        put_text(&mut body, argument);
    }
    let mut bytes = vec![b'l', 1, 0, 1];
    bytes.extend((body.len() as u32).to_le_bytes());
    bytes.extend(serial.to_le_bytes());
    // The length of the fields, which are aligned to 8 bytes as they come.
    bytes.extend([0; 4]);
    for (number, kind, text) in [
        (PATH, "o", path),
        (INTERFACE, "s", interface),
        (MEMBER, "s", method),
        (DESTINATION, "s", name),
    ] {
        pad(&mut bytes, 8);
        bytes.push(number);
        put_signature(&mut bytes, kind);
        put_text(&mut bytes, text);
    }
    if argument.is_some() {
        pad(&mut bytes, 8);
        bytes.push(SIGNATURE);
        put_signature(&mut bytes, "g");
        put_signature(&mut bytes, "s");
    }
    let fields = (bytes.len() - 16) as u32;
    bytes[12..16].copy_from_slice(&fields.to_le_bytes());
    pad(&mut bytes, 8);
    bytes.extend(body);
    bytes
}

/// Returns how many bytes follow the first 16 of a message.
pub fn length_of_rest(head: [u8; 16]) -> Result<usize> {
    ensure!(head[0] == b'l' && head[3] == 1, "not a message: {head:?}");
    let number =
        |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (body, fields) = (number(4) as usize, number(12) as usize);
    ensure!(
        body <= LONGEST && fields <= LONGEST,
        "a message is too long"
    );
    Ok(fields.next_multiple_of(8) + body)
}

impl Message {
    pub fn parse(head: [u8; 16], rest: &[u8]) -> Result<Self> {
        let fields_len = u32::from_le_bytes([head[12], head[13], head[14], head[15]]) as usize;
        let (fields, body) = rest
            .split_at_checked(fields_len.next_multiple_of(8))
            .context("a message is cut")?;
        let mut reader = Reader {
            bytes: fields.get(..fields_len).context("a message is cut")?,
            at: 0,
        };
        let (mut reply_to, mut signature, mut error) = (0, String::new(), String::new());
        while reader.at < fields_len {
            reader.align(8);
            let number = reader.take::<1>()?[0];
            let kind = reader.signature()?;
            let value = reader.value(&mut kind.as_str(), DEEPEST)?;
            match (number, &value) {
                (REPLY_SERIAL, Value::Number(n)) => reply_to = n.as_u64().unwrap_or(0) as u32,
                (SIGNATURE, Value::String(text)) => signature.clone_from(text),
                (ERROR_NAME, Value::String(text)) => error.clone_from(text),
                _ => {}
            }
        }
        Ok(match head[1] {
            2 => Self::Return(reply_to, first(body, &signature)?),
            3 => {
                let text = first(body, &signature)?;
                Self::Error(reply_to, format!("{error}: {text}"))
            }
            4 => Self::Signal,
            _ => Self::Other,
        })
    }
}

/// Reads the first value of a body. A list of objects and their properties becomes an object of objects.
fn first(body: &[u8], signature: &str) -> Result<Value> {
    if signature.is_empty() {
        return Ok(Value::Null);
    }
    let mut reader = Reader { bytes: body, at: 0 };
    let value = reader.value(&mut &*signature, DEEPEST)?;
    if !signature.starts_with("a(oa{sv}") {
        return Ok(value);
    }
    let mut objects = Map::new();
    for item in value.as_array().into_iter().flatten() {
        if let Some([Value::String(path), properties, ..]) = item.as_array().map(Vec::as_slice) {
            objects.insert(path.clone(), properties.clone());
        }
    }
    Ok(Value::Object(objects))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Takes one complete type off the front of a signature.
fn one_type<'s>(signature: &mut &'s str) -> Result<&'s str> {
    let all = *signature;
    let mut depth = 0;
    for (at, code) in all.bytes().enumerate() {
        match code {
            b'a' => continue,
            b'(' | b'{' => depth += 1,
            b')' | b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let (one, rest) = all.split_at(at + 1);
            *signature = rest;
            return Ok(one);
        }
    }
    bail!("a signature is cut: {all:?}")
}

impl Reader<'_> {
    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let end = self.at + N;
        let bytes = self.bytes.get(self.at..end).context("a message is cut")?;
        self.at = end;
        Ok(bytes.try_into()?)
    }

    fn u32(&mut self) -> Result<u32> {
        self.align(4);
        Ok(u32::from_le_bytes(self.take()?))
    }

    fn text(&mut self, len: usize) -> Result<String> {
        let end = self.at.checked_add(len).context("a text is too long")?;
        let bytes = self.bytes.get(self.at..end).context("a message is cut")?;
        self.at = end + 1;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    fn signature(&mut self) -> Result<String> {
        let len = self.take::<1>()?[0];
        self.text(len.into())
    }

    /// Reads one value, and takes its type off the signature.
    fn value(&mut self, signature: &mut &str, deep: usize) -> Result<Value> {
        let deep = deep.checked_sub(1).context("a value is too deep")?;
        let one = one_type(signature)?;
        let inside = one.get(1..).unwrap_or_default();
        Ok(match one.as_bytes()[0] {
            b'y' => self.take::<1>()?[0].into(),
            b'b' => (self.u32()? != 0).into(),
            b'n' => {
                self.align(2);
                i16::from_le_bytes(self.take()?).into()
            }
            b'q' => {
                self.align(2);
                u16::from_le_bytes(self.take()?).into()
            }
            b'i' => self.u32()?.cast_signed().into(),
            b'u' | b'h' => self.u32()?.into(),
            b'x' => {
                self.align(8);
                i64::from_le_bytes(self.take()?).into()
            }
            b't' => {
                self.align(8);
                u64::from_le_bytes(self.take()?).into()
            }
            b'd' => {
                self.align(8);
                f64::from_le_bytes(self.take()?).into()
            }
            b's' | b'o' => {
                let len = self.u32()? as usize;
                self.text(len)?.into()
            }
            b'g' => self.signature()?.into(),
            b'v' => {
                let kind = self.signature()?;
                self.value(&mut kind.as_str(), deep)?
            }
            b'(' | b'{' => {
                self.align(8);
                let mut members = inside.get(..inside.len() - 1).unwrap_or_default();
                let mut items = Vec::new();
                while !members.is_empty() {
                    items.push(self.value(&mut members, deep)?);
                }
                Value::Array(items)
            }
            b'a' => self.array(inside, deep)?,
            other => bail!("unknown type {:?}", char::from(other)),
        })
    }

    fn array(&mut self, inside: &str, deep: usize) -> Result<Value> {
        let len = self.u32()? as usize;
        self.align(match inside.as_bytes().first() {
            Some(b'x' | b't' | b'd' | b'(' | b'{') => 8,
            Some(b'y' | b'g' | b'v') => 1,
            Some(b'n' | b'q') => 2,
            _ => 4,
        });
        let end = self.at.checked_add(len).context("an array is too long")?;
        let mut items = Vec::new();
        while self.at < end {
            items.push(self.value(&mut &*inside, deep)?);
        }
        if !inside.starts_with('{') {
            return Ok(Value::Array(items));
        }
        let mut entries = Map::new();
        for item in items {
            if let Value::Array(pair) = item
                && let [key, value] = pair.as_slice()
            {
                let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                entries.insert(key, value.clone());
            }
        }
        Ok(Value::Object(entries))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{call, first, length_of_rest, one_type};

    #[test]
    fn a_call_is_as_long_as_it_says() {
        for argument in [None, Some("type='signal'")] {
            let bytes = call(
                3,
                "org.ofono",
                "/",
                "org.ofono.Manager",
                "GetModems",
                argument,
            );
            let head = bytes[..16].try_into().unwrap();
            assert_eq!(length_of_rest(head).unwrap(), bytes.len() - 16);
        }
    }

    #[test]
    fn objects_with_properties_are_read() {
        // a(oa{sv}): one object /m with Powered = true.
        let mut body = vec![36, 0, 0, 0, 0, 0, 0, 0];
        body.extend([2, 0, 0, 0, b'/', b'm', 0, 0]);
        body.extend([20, 0, 0, 0, 0, 0, 0, 0]);
        body.extend([2, 0, 0, 0, b'O', b'n', 0]);
        body.extend([1, b'b', 0, 0, 0, 0, 0, 0, 0]);
        body.truncate(8 + 8 + 8 + 12);
        body.extend([1, 0, 0, 0]);
        body[0] = (body.len() - 8) as u8;
        body[16] = (body.len() - 24) as u8;
        let value = first(&body, "a(oa{sv})").unwrap();
        assert_eq!(value, json!({"/m": {"On": true}}));
        // What is cut is an error.
        for len in 0..body.len() {
            assert!(first(&body[..len], "a(oa{sv})").is_err(), "{len}");
        }
    }

    #[test]
    fn signatures_are_split() {
        let mut signature = "a{s(iv)}as";
        assert_eq!(one_type(&mut signature).unwrap(), "a{s(iv)}");
        assert_eq!(one_type(&mut signature).unwrap(), "as");
        assert!(one_type(&mut signature).is_err());
    }
}
