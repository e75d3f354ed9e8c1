// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Terminals that send anything, in any order: nothing leaks, nothing is given twice, and each
//! line gets one result.

mod common;

use std::collections::BTreeSet;

use at_model::{Addressing, Modem, Network, Order};
use common::{Bench, lines};
use proptest::collection::vec;
use proptest::prelude::*;

/// The terminal of the test itself.
const PROBE: u8 = 200;

/// Undoes what would keep contexts from being active for the rest of a run.
const RECOVER: &str = "*NET=\"sim in\";*NET=\"network home\";+CFUN=1;+COPS=0;+CGATT=1;+CGDCONT=1,\"IP\",\"\";\
     +CGDCONT=2,\"IPV6\",\"\";+CGDCONT=3,\"IPV4V6\",\"\"";

#[derive(Debug, Clone)]
enum Step {
    Open(u8),
    Close(u8),
    Bytes(u8, Vec<u8>),
    Line(u8, String),
    Wait(u16),
    Reset,
}

/// A command that means something, with parameters of which many are out of range.
fn command() -> impl Strategy<Value = String> {
    let number = || prop_oneof![8 => 1_u32..4, 1 => 0_u32..20, 1 => any::<u32>()];
    let on = || prop_oneof![12 => Just(1_u32), 4 => Just(0), 1 => any::<u32>()];
    prop_oneof![
        6 => (on(), number(), number()).prop_map(|(on, id, cid)| format!("*EPPSD={on},{id:x},{cid}")),
        2 => (on(), number()).prop_map(|(on, cid)| format!("*ENAP={on},{cid}")),
        3 => (on(), vec(number(), 0..4)).prop_map(|(on, cids)| {
            let cids: String = cids.iter().map(|cid| format!(",{cid}")).collect();
            format!("+CGACT={on}{cids}")
        }),
        4 => (number(), "IP|IPV6|IPV4V6|X", "[a;, ]{0,3}").prop_map(|(cid, kind, apn)| {
            format!("+CGDCONT={cid},\"{kind}\",\"{apn}\"")
        }),
        1 => number().prop_map(|cid| format!("+CGDCONT={cid}")),
        1 => on().prop_map(|level| format!("+CFUN={level}")),
        1 => on().prop_map(|on| format!("+CGATT={on}")),
        1 => number().prop_map(|mode| format!("+COPS={mode},2,\"00101\"")),
        2 => "drop [0-3]|detach|network (home|none|denied)|sim (in|out)|signal [0-9]{1,2}|message 1 a"
            .prop_map(|action| format!("*NET=\"{action}\"")),
        4 => Just(RECOVER.to_owned()),
        2 => "[+*](CREG|CGREG|CEREG|CIND|CMER|CGEREP|E2NAP|ESIMSR|CNMI|CMGF|CMGL|CMGD|CPMS|CSCS|CLCK|CPIN|CPWD|CGPADDR|CGCONTRDP|E2IPCFG|EPPSD|ENAP|COPS)(=|\\?|=\\?|=[0-9,\"]{0,6})?",
        1 => "[EVXZHDSAL&]{1,2}[0-9]?",
        1 => "[ -~]{0,12}",
    ]
}

fn line() -> impl Strategy<Value = String> {
    (
        "AT|at|A|",
        vec(command(), 0..4),
        prop_oneof![Just(";"), Just(" ; "), Just(" "), Just("")],
    )
        .prop_map(|(start, commands, between)| format!("{start}{}", commands.join(between)))
}

fn step() -> impl Strategy<Value = Step> {
    let terminal = || 0_u8..4;
    prop_oneof![
        2 => terminal().prop_map(Step::Open),
        1 => terminal().prop_map(Step::Close),
        3 => (terminal(), vec(any::<u8>(), 0..40)).prop_map(|(t, bytes)| Step::Bytes(t, bytes)),
        20 => (terminal(), line()).prop_map(|(t, line)| Step::Line(t, line)),
        2 => (0_u16..300).prop_map(Step::Wait),
        1 => Just(Step::Reset),
    ]
}

fn usage(modem: &Modem) -> (usize, usize) {
    match &modem.network().addressing {
        Addressing::Pool(pool) => pool.usage(),
        Addressing::ByConnection(_) => (0, 0),
    }
}

/// Asks, on a terminal that no step knows, for what must be true at any time.
fn check(bench: &mut Bench, bearers: &BTreeSet<u32>) {
    bench.modem.close(PROBE);
    bench.modem.open(PROBE, bench.now);
    bench.send(PROBE, "ATE0\r");
    let (size, used) = usage(&bench.modem);
    assert!(used <= size);
    let answer = bench.ask(PROBE, "AT*NET?");
    assert_eq!(
        answer,
        [format!("*NET: {used},{used},{size}"), "OK".to_owned()]
    );
    // No address twice, none without a context, and no context without a channel to it.
    let mut addresses = BTreeSet::new();
    let mut holders = 0;
    for line in bench.ask(PROBE, "AT+CGPADDR") {
        for address in line.split('"').skip(1).step_by(2) {
            assert!(addresses.insert(address.to_owned()), "{address} twice");
        }
        holders += usize::from(line.contains('"'));
    }
    assert_eq!(holders, used);
    let served = bearers
        .iter()
        .filter(|id| bench.modem.bearer(**id).is_some());
    assert_eq!(served.count(), used, "{bearers:?}");
}

fn take(bench: &mut Bench, step: Step) {
    match step {
        Step::Open(terminal) => bench.modem.open(terminal, bench.now),
        Step::Close(terminal) => bench.modem.close(terminal),
        Step::Bytes(terminal, bytes) => {
            let report = at_model::Report::default();
            bench.modem.input(terminal, &bytes, report, bench.now);
            bench.orders.extend(bench.modem.orders());
            bench.modem.output(terminal);
        }
        Step::Line(terminal, line) => {
            bench.send(terminal, &format!("{line}\r"));
        }
        Step::Wait(ms) => bench.wait(ms.into()),
        Step::Reset => bench.modem.reset(),
    }
}

fn is_final(line: &str) -> bool {
    ["OK", "ERROR", "NO CARRIER"].contains(&line)
        || line.starts_with("+CME ERROR: ")
        || line.starts_with("+CMS ERROR: ")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn nothing_leaks(steps in vec(step(), 0..60), contexts in 0_u16..4) {
        let network = format!("[network]\ncontexts = {contexts}\nregistration_ms = 0");
        let mut bench = Bench::new(Network::parse(&network).unwrap());
        bench.open(&[0, 1, 2, 3]);
        bench.expect(0, &format!("AT{RECOVER}"), &["OK"]);
        // All connection ids that were ever served.
        let mut bearers = BTreeSet::new();
        for step in steps {
            take(&mut bench, step);
            for order in bench.orders.drain(..) {
                if let Order::Bearer(connection) = order {
                    bearers.insert(connection);
                }
            }
            check(&mut bench, &bearers);
        }
        bench.modem.reset();
        prop_assert_eq!(usage(&bench.modem).1, 0);
    }

    #[test]
    fn each_line_gets_one_result(lines_sent in vec(line(), 1..20), echo: bool) {
        let mut bench = Bench::new(Network::default());
        bench.open(&[0, 1]);
        bench.wait(100);
        for line in lines_sent {
            // These say that there are no results, or that they are numbers.
            let at = line.get(..2).is_some_and(|at| at.eq_ignore_ascii_case("AT"));
            if at && line.to_ascii_uppercase().contains(['Q', 'V']) {
                continue;
            }
            bench.send(0, &format!("ATE{}\r", u8::from(echo)));
            let text = bench.send(0, &format!("{line}\r"));
            let text = text.strip_prefix(&format!("{line}\r")).unwrap_or(&text);
            let results = lines(text).iter().filter(|line| is_final(line)).count();
            prop_assert_eq!(results, usize::from(!line.trim().is_empty()), "{:?}: {:?}", line, text);
        }
    }
}

#[test]
fn every_byte_value_and_a_line_without_end() {
    let mut bench = Bench::new(Network::default());
    bench.open(&[0]);
    for byte in 0..=u8::MAX {
        let report = at_model::Report::default();
        bench
            .modem
            .input(0, &[b'A', b'T', byte, b'\r'], report, bench.now);
        bench.modem.output(0);
    }
    bench.open(&[0]);
    for _ in 0..100_000 {
        assert_eq!(bench.send(0, "+CGDCONT=1,"), "");
    }
    assert_eq!(bench.send(0, "\r"), "\r\nERROR\r\n");
    bench.expect(0, "AT", &["OK"]);
}

#[test]
fn unasked_results_wait_for_the_end_of_a_line_and_the_oldest_go() {
    let mut bench = Bench::new(Network::default());
    bench.open(&[0, 1]);
    bench.wait(100);
    bench.expect(0, "AT+CIND=0,1,0,0;+CMER=3,0,0,1", &["OK"]);
    assert_eq!(bench.send(0, "AT+CG"), "");
    for signal in (0..200).map(|round| round % 2 * 30 + 1) {
        bench.expect(1, &format!("AT*NET=\"signal {signal}\""), &["OK"]);
    }
    assert_eq!(bench.heard(0), "");
    let text = bench.send(0, "MI\r");
    let text = lines(&text);
    assert_eq!(text[..2], ["caif-stack", "OK"]);
    assert_eq!(text.len(), 2 + 64);
    assert_eq!(text.last().unwrap(), "+CIEV: 2,5");
}
