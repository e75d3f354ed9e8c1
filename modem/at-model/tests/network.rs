// SPDX-License-Identifier: GPL-2.0 OR MIT

//! What the network does of itself, by scenarios and by `AT*NET`.

mod common;

use at_model::{Network, Order};
use common::{Bench, lines};

fn bench(scenario: &str) -> Bench {
    let mut bench = Bench::new(Network::parse(scenario).unwrap());
    bench.open(&[1, 2]);
    bench.wait(100);
    bench.heard(1);
    bench
}

/// A modem with context 1 active on connection 7, and terminal 1 that wants to know everything.
fn online(scenario: &str) -> Bench {
    let mut bench = bench(scenario);
    bench.expect(1, "AT+CMEE=1;+CREG=1;+CGREG=1;+CGEREP=1;*ESIMSR=1", &["OK"]);
    bench.expect(1, "AT+CGDCONT=1,\"IP\",\"net\";*EPPSD=1,7,1", &UP);
    assert_eq!(bench.orders, [Order::Bearer(7)]);
    bench
}

const UP: [&str; 9] = [
    "<?xml version=\"1.0\"?>",
    "<connection_parameters>",
    "<ip_address>10.64.0.2</ip_address>",
    "<subnet_mask>255.255.255.240</subnet_mask>",
    "<mtu>1500</mtu>",
    "<dns_server>10.65.0.1</dns_server>",
    "<dns_server>10.65.0.2</dns_server>",
    "</connection_parameters>",
    "OK",
];

#[track_caller]
fn hears(bench: &mut Bench, terminal: u8, want: &[&str]) {
    assert_eq!(lines(&bench.heard(terminal)), want);
}

#[test]
fn drops_a_context() {
    let mut bench = online("");
    bench.expect(2, "AT*NET=\"drop 1\"", &["OK"]);
    hears(&mut bench, 1, &["+CGEV: NW DEACT \"IP\",\"10.64.0.2\",1"]);
    hears(&mut bench, 2, &[]);
    assert_eq!(bench.orders, [Order::Bearer(7); 2]);
    assert_eq!(bench.modem.bearer(7), None);
    bench.expect(2, "AT*NET?", &["*NET: 0,0,64", "OK"]);
    // What is not active cannot be dropped, and the host's own end of it comes late.
    bench.expect(2, "AT*NET=\"drop 1\"", &["OK"]);
    hears(&mut bench, 1, &[]);
    bench.expect(1, "AT*EPPSD=0,7,1", &["OK"]);
}

#[test]
fn drops_the_registration() {
    let mut bench = online("");
    bench.expect(2, "AT*NET=\"network none\"", &["OK"]);
    let lost = "+CGEV: NW DEACT \"IP\",\"10.64.0.2\",1";
    hears(&mut bench, 1, &[lost, "+CREG: 2", "+CGREG: 2"]);
    bench.expect(1, "AT*EPPSD=1,7,1", &["+CME ERROR: 30"]);
    bench.expect(1, "AT+COPS?", &["+COPS: 0", "OK"]);
    bench.expect(2, "AT*NET=\"network roaming\"", &["OK"]);
    hears(&mut bench, 1, &["+CREG: 5", "+CGREG: 5"]);
    bench.expect(1, "AT+CIND?", &["+CIND: 5,4,1,1", "OK"]);
    bench.expect(2, "AT*NET=\"network denied\"", &["OK"]);
    hears(&mut bench, 1, &["+CREG: 3", "+CGREG: 3"]);
}

#[test]
fn ends_packet_service_until_the_host_attaches_again() {
    let mut bench = online("");
    bench.expect(2, "AT*NET=\"detach\"", &["OK"]);
    let lost = "+CGEV: NW DEACT \"IP\",\"10.64.0.2\",1";
    hears(&mut bench, 1, &[lost, "+CGEV: NW DETACH", "+CGREG: 0"]);
    bench.expect(1, "AT+CGATT?", &["+CGATT: 0", "OK"]);
    bench.expect(1, "AT+CGATT=1", &["OK", "+CGREG: 1"]);
}

#[test]
fn takes_the_sim_out_and_puts_it_back() {
    let mut bench = online("");
    bench.expect(2, "AT*NET=\"sim out\"", &["OK"]);
    hears(&mut bench, 1, &["+CREG: 0", "+CGREG: 0", "*ESIMSR: 7"]);
    bench.expect(1, "AT*EPPSD=1,7,1", &["+CME ERROR: 10"]);
    bench.expect(1, "AT*NET?", &["*NET: 0,0,64", "OK"]);
    bench.expect(2, "AT*NET=\"sim in\"", &["OK"]);
    hears(&mut bench, 1, &["+CREG: 2", "+CGREG: 2", "*ESIMSR: 5"]);
    bench.wait(100);
    hears(&mut bench, 1, &["+CREG: 1", "+CGREG: 1"]);
}

#[test]
fn a_pin_is_asked_for() {
    let mut bench = bench("network.pin = \"1234\"");
    bench.expect(1, "AT+CMEE=1;+CREG=1;*ESIMSR=1", &["OK"]);
    bench.expect(1, "AT+CPIN?", &["+CPIN: SIM PIN", "OK"]);
    bench.expect(1, "AT+CIMI", &["+CME ERROR: 11"]);
    bench.expect(1, "AT+CREG?", &["+CREG: 1,0", "OK"]);
    bench.expect(1, "AT+CPIN=\"4321\"", &["+CME ERROR: 16"]);
    bench.expect(1, "AT*EPIN?", &["*EPIN: 2, 10, 2, 10", "OK"]);
    bench.expect(1, "AT+CPIN=\"1234\"", &["OK", "+CREG: 2", "*ESIMSR: 5"]);
    bench.wait(100);
    hears(&mut bench, 1, &["+CREG: 1"]);
    bench.expect(1, "AT*NET=\"sim out\"", &["OK", "+CREG: 0", "*ESIMSR: 7"]);
    bench.expect(1, "AT+CPIN?", &["+CME ERROR: 10"]);
    bench.expect(1, "AT*NET=\"sim in\"", &["OK", "*ESIMSR: 4"]);
    bench.expect(1, "AT+CPIN?", &["+CPIN: SIM PIN", "OK"]);
}

#[test]
fn the_signal_changes() {
    let mut bench = bench("network.signal = 31");
    bench.expect(
        1,
        "AT+CSQ;+CIND=,1,0,0;+CMER=3,0,0,1",
        &["+CSQ: 31,99", "OK"],
    );
    bench.expect(2, "AT*NET=\"signal 3\"", &["OK"]);
    hears(&mut bench, 1, &["+CIEV: 2,1"]);
    bench.expect(
        1,
        "AT+CSQ;+CESQ",
        &["+CSQ: 3,99", "+CESQ: 99,99,255,255,20,9", "OK"],
    );
    // Less than a bar.
    bench.expect(2, "AT*NET=\"signal 4\"", &["OK"]);
    hears(&mut bench, 1, &[]);
    bench.expect(2, "AT*NET=\"signal 99\";+CSQ", &["+CSQ: 99,99", "OK"]);
}

#[test]
fn messages_arrive() {
    let mut bench = bench(
        "[[message]]\nfrom = \"+491701234567\"\ntext = \"hellohello\"\ntime = \"26/11/29,12:34:56-04\"",
    );
    bench.expect(1, "AT+CMGF=1;+CNMI=1,1", &["OK"]);
    bench.expect(2, "AT*NET=\"message 123 Second one\"", &["OK"]);
    hears(&mut bench, 1, &["+CMTI: \"SM\",2"]);
    bench.expect(
        1,
        "AT+CPMS?",
        &["+CPMS: \"SM\",2,20,\"SM\",2,20,\"SM\",2,20", "OK"],
    );
    let first = "\"+491701234567\",,\"26/11/29,12:34:56-04\"";
    let second = "\"123\",,\"26/11/29,12:00:00+04\"";
    bench.expect(
        1,
        "AT+CMGR=1",
        &[
            &format!("+CMGR: \"REC UNREAD\",{first}"),
            "hellohello",
            "OK",
        ],
    );
    bench.expect(
        1,
        "AT+CMGL=\"ALL\"",
        &[
            &format!("+CMGL: 1,\"REC READ\",{first}"),
            "hellohello",
            &format!("+CMGL: 2,\"REC UNREAD\",{second}"),
            "Second one",
            "OK",
        ],
    );
    bench.expect(1, "AT+CMGL=\"REC UNREAD\"", &["OK"]);
    // The other terminal has messages as PDUs.
    let pdu = "00040C919471103254760000621192214365480AE8329BFD4697D9EC37";
    bench.expect(2, "AT+CMGR=1", &["+CMGR: 1,,28", pdu, "OK"]);
    let second = bench.ask(2, "AT+CMGD=1;+CMGL=4");
    assert_eq!(second[0], "+CMGL: 2,1,,24");
    assert_eq!(second.len(), 3);
    bench.expect(1, "AT+CMGD=1,4;+CMGL=\"ALL\"", &["OK"]);
    for refused in [
        "AT+CMGR=1",
        "AT+CMGR=21",
        "AT+CMGR=0",
        "AT+CMGD=x",
        "AT+CMGL=4",
        "AT+CMGS=1",
    ] {
        bench.expect(1, refused, &["ERROR"]);
    }
    bench.expect(1, "AT+CMEE=1;*NET=\"sim out\"", &["OK"]);
    bench.expect(1, "AT+CMGR=1", &["+CMS ERROR: 310"]);
}

#[test]
fn steps_of_a_scenario() {
    let mut bench = online(
        "[[step]]\non = \"activated\"\nafter_ms = 50\ndo = [\"drop 1\", \"say RING\"]\n\
         [[step]]\non = \"AT*EPPSD=1\"\nnth = 2\ndo = \"fail 148\"\n\
         [[step]]\non = \"at+cgmm\"\ndo = \"silence\"\n",
    );
    bench.wait(49);
    hears(&mut bench, 1, &[]);
    bench.wait(1);
    hears(
        &mut bench,
        1,
        &["+CGEV: NW DEACT \"IP\",\"10.64.0.2\",1", "RING"],
    );
    hears(&mut bench, 2, &["RING"]);
    bench.expect(1, "AT*EPPSD=1,7,1", &["+CME ERROR: 148"]);
    bench.expect(1, "AT+CGMI;+CGMM", &["caif-stack"]);
    bench.expect(1, "AT+CGMM", &["virtual modem", "OK"]);
    // Each step is done once.
    let answer = bench.ask(1, "AT*EPPSD=1,7,1");
    assert_eq!(answer.last().unwrap(), "OK");
    bench.wait(1000);
    hears(&mut bench, 1, &[]);
}

#[test]
fn a_scenario_ends_the_registration_and_takes_the_sim_out() {
    let step = |ms: u32, action: &str| {
        format!("[[step]]\non = \"activated\"\nafter_ms = {ms}\ndo = \"{action}\"\n")
    };
    let steps = [
        step(100, "network none"),
        step(200, "network home"),
        step(300, "sim out"),
        step(400, "sim in"),
    ];
    let mut bench = online(&steps.concat());
    bench.wait(99);
    hears(&mut bench, 1, &[]);
    bench.wait(1);
    let lost = "+CGEV: NW DEACT \"IP\",\"10.64.0.2\",1";
    hears(&mut bench, 1, &[lost, "+CREG: 2", "+CGREG: 2"]);
    bench.expect(1, "AT*EPPSD=1,7,1", &["+CME ERROR: 30"]);
    bench.expect(1, "AT*NET?", &["*NET: 0,0,64", "OK"]);
    bench.wait(100);
    hears(&mut bench, 1, &["+CREG: 1", "+CGREG: 1"]);
    assert_eq!(bench.ask(1, "AT*EPPSD=1,7,1").len(), 9);
    bench.wait(100);
    hears(&mut bench, 1, &["+CREG: 0", "+CGREG: 0", "*ESIMSR: 7"]);
    bench.expect(1, "AT+CPIN?;+CIMI", &["+CME ERROR: 10"]);
    bench.expect(1, "AT*NET?", &["*NET: 0,0,64", "OK"]);
    bench.wait(100);
    hears(&mut bench, 1, &["+CREG: 2", "+CGREG: 2", "*ESIMSR: 5"]);
    bench.wait(100);
    hears(&mut bench, 1, &["+CREG: 1", "+CGREG: 1"]);
    bench.expect(1, "AT+CPIN?", &["+CPIN: READY", "OK"]);
}

#[test]
fn a_modem_that_dies_says_nothing_more() {
    for (step, order) in [("crash", Order::Crash), ("die", Order::Die)] {
        let scenario = format!("[[step]]\non = \"AT+CGATT=1\"\ndo = \"{step}\"");
        let mut bench = bench(&scenario);
        bench.expect(1, "AT+CREG=1;+CGATT=1;+CGMI", &[]);
        assert_eq!(bench.orders, [order]);
        bench.expect(2, "AT", &[]);
        bench.wait(1000);
        hears(&mut bench, 1, &[]);
        // The next boot is another life.
        bench.modem.reset();
        bench.open(&[1]);
        bench.expect(1, "AT+CGATT=1", &["OK"]);
        bench.expect(1, &format!("AT*NET=\"{step}\""), &[]);
        assert_eq!(bench.orders, [order; 2]);
    }
}

#[test]
fn scenarios_that_are_wrong() {
    for (scenario, why) in [
        ("[netwrk]", "netwrk"),
        ("network.imsi = \"x\"", "imsi"),
        ("network.pin = \"1\"", "pin"),
        ("network.signal = 50", "signal"),
        ("network.operator = \"1\"", "operator"),
        ("network.contexts = 60000", "contexts"),
        ("[[message]]\nfrom = \"x\"\ntext = \"y\"", "from"),
        ("[[step]]\non = \"start\"", "do"),
        ("[[step]]\non = \"ATD\"\ndo = \"die\"", "on"),
        ("[[step]]\non = \"start\"\nnth = 0\ndo = \"die\"", "nth"),
        ("[[step]]\non = \"start\"\ndo = \"explode\"", "explode"),
    ] {
        let error = Network::parse(scenario).unwrap_err().to_string();
        assert!(error.contains(why), "{scenario}: {error}");
    }
}

#[test]
fn addresses_by_connection() {
    let given = [(0x105, ([10, 1, 2, 1].into(), 30))];
    let mut bench = Bench::new(Network::by_connection(given.into_iter().collect()));
    bench.open(&[1]);
    bench.expect(1, "AT+CREG?", &["+CREG: 0,1", "OK"]);
    bench.expect(
        1,
        "AT+CGDCONT=1,\"IP\",\"a\";+CGDCONT=2,\"IP\",\"b\"",
        &["OK"],
    );
    let answer = bench.ask(1, "AT*EPPSD=1,7,1");
    assert_eq!(answer[2], "<ip_address>10.9.7.2</ip_address>");
    assert_eq!(answer[3], "<subnet_mask>255.255.255.0</subnet_mask>");
    let answer = bench.ask(1, "AT*EPPSD=1,105,2");
    assert_eq!(answer[2], "<ip_address>10.1.2.2</ip_address>");
    assert_eq!(answer[3], "<subnet_mask>255.255.255.252</subnet_mask>");
    bench.expect(
        1,
        "AT+CMEE=1;+CGDCONT=3,\"IPV6\",\"c\";+CGACT=1,3",
        &["+CME ERROR: 126"],
    );
    bench.expect(1, "AT*NET?", &["*NET: 2,0,0", "OK"]);
}

#[test]
fn the_pool_runs_out_and_comes_back() {
    let mut bench = bench("network.contexts = 1");
    bench.expect(
        1,
        "AT+CGDCONT=1,\"IP\",\"a\";+CGDCONT=2,\"IP\",\"b\";+CGACT=1,1",
        &["OK"],
    );
    bench.expect(1, "AT+CMEE=1;+CGACT=1,2", &["+CME ERROR: 126"]);
    // The end of the terminal is not the end of the context; that of the context frees it.
    bench.modem.close(1);
    bench.expect(
        2,
        "AT*NET?;+CGACT=0,1;+CGACT=1,2;*NET?",
        &["*NET: 1,1,1", "*NET: 1,1,1", "OK"],
    );
    bench.expect(2, "AT+CGPADDR=2", &["+CGPADDR: 2,\"10.64.0.2\"", "OK"]);
}

#[test]
fn the_documented_scenario() {
    let page = include_str!("../README.md");
    let (_, scenario) = page.split_once("```toml\n").unwrap();
    let (scenario, _) = scenario.split_once("```").unwrap();
    let mut bench = bench(scenario);
    bench.expect(1, "AT+CPIN=1234;+CMGF=1", &["OK"]);
    bench.wait(100);
    assert_eq!(bench.ask(1, "AT+CMGL")[1], "hello");
    bench.expect(1, "AT+CGDCONT=1,\"IP\",\"a\";+CGACT=1,1", &["OK"]);
    bench.wait(5000);
    bench.expect(1, "AT+CSQ;*NET?", &["+CSQ: 3,99", "*NET: 0,0,64", "OK"]);
    assert_eq!(bench.ask(1, "AT*EPPSD=1,1,1").len(), 9);
    bench.expect(1, "AT*EPPSD=1,1,1", &[]);
    assert_eq!(bench.orders.last(), Some(&Order::Crash));
}
