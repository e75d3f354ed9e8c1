// SPDX-License-Identifier: GPL-2.0

//! The modem's AT commands.
//!
//! Control characters of the input are events, see [`fuzz`]; all else is typed at a terminal, a
//! newline as the end of a line. After each line the addresses in use must be those of the active
//! contexts, none twice, and the line must have got one result.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use at_model::{Addressing, Modem, Network, Report};

/// The terminal of the check.
const PROBE: u8 = 9;

/// Runs the input: bytes 0 to 3 choose a terminal, which the first of them opens, 4 closes it, 5
/// lets 100 ms pass, 6 switches the modem off and on.
pub fn fuzz(input: &[u8]) {
    let mut modem = Modem::new(Network::default());
    let mut now = Instant::now();
    let mut terminal = 0;
    // Lines and messages of the input's own, which may look like results.
    let upper = input.to_ascii_uppercase();
    let has = |word: &[u8]| upper.windows(word.len()).any(|part| part == word);
    let has_texts = has(b"SAY") || has(b"MESSAGE");
    let mut opened = BTreeSet::new();
    for byte in input {
        match byte {
            0..=3 => terminal = *byte,
            4 => {
                modem.close(terminal);
                opened.remove(&terminal);
                continue;
            }
            5 => {
                now += Duration::from_millis(100);
                modem.poll(now);
                modem.output(terminal);
                continue;
            }
            6 => {
                modem.reset();
                opened.clear();
                continue;
            }
            _ => {}
        }
        if opened.insert(terminal) {
            modem.open(terminal, now);
        }
        match byte {
            0..=3 => {}
            b'\n' | b'\r' => {
                modem.input(terminal, b"\r", Report::default(), now);
                let text = modem.output(terminal);
                assert!(has_texts || results(&text) <= 1, "{}", text.escape_ascii());
                check(&mut modem, now);
            }
            byte => modem.input(terminal, &[*byte], Report::default(), now),
        }
        modem.orders();
    }
}

/// Returns how many results a text has: none where ATQ, ATV0 or a crash hide it.
fn results(text: &[u8]) -> usize {
    let text = String::from_utf8_lossy(text);
    let kinds = [
        "OK\r\n",
        "ERROR\r\n",
        "NO CARRIER\r\n",
        "+CME ERROR: ",
        "+CMS ERROR: ",
    ];
    let count = |kind: &str| text.matches(&format!("\r\n{kind}")).count();
    kinds.map(count).iter().sum()
}

/// Checks what must be true at any time.
fn check(modem: &mut Modem, now: Instant) {
    let Addressing::Pool(pool) = &modem.network().addressing else {
        return;
    };
    let (size, used) = pool.usage();
    assert!(used <= size);
    modem.open(PROBE, now);
    modem.input(PROBE, b"ATE0\r", Report::default(), now);
    modem.output(PROBE);
    modem.input(PROBE, b"AT+CGPADDR\r", Report::default(), now);
    let answer = modem.output(PROBE);
    if answer.is_empty() {
        // The modem has crashed.
        return;
    }
    let answer = String::from_utf8_lossy(&answer);
    let mut addresses = BTreeSet::new();
    for address in answer.split('"').skip(1).step_by(2) {
        assert!(addresses.insert(address), "{address} twice");
    }
    let holders = answer.lines().filter(|line| line.contains('"')).count();
    assert_eq!(holders, used, "{answer}");
    modem.close(PROBE);
}
