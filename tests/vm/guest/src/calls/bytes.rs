// SPDX-License-Identifier: GPL-2.0

//! Bytes in the script, and in the output.

use anyhow::{Context, Result, bail};

use crate::pattern::payload;

/// Longer ones are printed as length and checksum.
const SHOWN: usize = 64;

/// Reads `"text"`, with `\r` and `\0` in it, `0x` and hexadecimal digits, `LENGTH*SEED`, or the last
/// two with a `+` between them.
pub(super) fn read(word: &str) -> Result<Vec<u8>> {
    if let Some(text) = word
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        let text = text.replace("\\r", "\r").replace("\\0", "\0");
        return Ok(text.into_bytes());
    }
    if let Some((first, rest)) = word.split_once('+') {
        return Ok([read(first)?, read(rest)?].concat());
    }
    if let Some(digits) = word.strip_prefix("0x") {
        let pairs = digits.as_bytes().chunks(2);
        return pairs
            .map(|pair| Ok(u8::from_str_radix(str::from_utf8(pair)?, 16)?))
            .collect();
    }
    let Some((len, seed)) = word.split_once('*') else {
        bail!("{word} are no bytes");
    };
    let len = len
        .parse()
        .with_context(|| format!("{word} are no bytes"))?;
    Ok(payload(seed.parse()?, len))
}

pub(super) fn show(bytes: &[u8]) -> String {
    if bytes.len() > SHOWN {
        return format!("{} bytes, CRC {:08x}", bytes.len(), crc32fast::hash(bytes));
    }
    format!("{} \"{}\"", bytes.len(), bytes.escape_ascii())
}
