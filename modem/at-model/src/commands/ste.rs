// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Contexts, by the commands of ST-Ericsson's modems for CAIF, and what else those have.

use super::{Outcome, Run};
use crate::failure::Cme;
use crate::parse::Args;
use crate::parse::Request::{self, Set};
use crate::state::By;

pub(super) fn run(run: &mut Run<'_>, name: &str, request: Request<'_>) -> Option<Outcome> {
    Some(match (name, request) {
        ("*EPPSD", Set(args)) => connect(run, args),
        // Name and password for a context: any will do.
        ("*EIAAUW", Set(args)) => args.number::<u8>(0).and_then(|cid| {
            let defined = run.state.contexts.get(cid).is_some();
            defined.then_some(()).ok_or(Cme::BadParameters.into())
        }),
        // Reports that have no equivalent here: errors, calls, registration by rejection cause,
        // the bearer of packets, the time zone.
        ("*EPEE" | "*ECAM" | "*E2REG" | "*EREG" | "*EPSB" | "*ETZR", Set(_)) => {
            super::level(request, 2).map(drop)
        }
        _ => return None,
    })
}

fn connect(run: &mut Run<'_>, args: Args<'_>) -> Outcome {
    args.at_most(3)?;
    let connection = args.hexadecimal(1)?;
    let cid: u8 = args.number(2)?;
    match args.number(0)? {
        0_u8 => disconnect(run, connection, cid),
        1 => {
            run.state.activate(cid, connection)?;
            parameters(run, cid)
        }
        _ => Err(Cme::BadParameters.into()),
    }
}

fn disconnect(run: &mut Run<'_>, connection: u32, cid: u8) -> Outcome {
    match run.state.contexts.on_connection(connection) {
        Some((holder, _)) if holder == cid => {
            run.state.deactivate(cid, By::Terminal);
            Ok(())
        }
        // The network was faster.
        None if run.state.contexts.get(cid).is_some() => Ok(()),
        _ => Err(Cme::BadParameters.into()),
    }
}

/// Answers with an element of XML on each line. Hosts take values of up to 19 characters.
fn parameters(run: &mut Run<'_>, cid: u8) -> Outcome {
    let context = run.state.contexts.get(cid).ok_or(Cme::BadParameters)?;
    let active = context.active.as_ref().ok_or(Cme::NotAllowed)?;
    let mut lines = vec![
        "<?xml version=\"1.0\"?>".to_owned(),
        "<connection_parameters>".to_owned(),
    ];
    if let Some(link) = active.addresses.ipv4 {
        lines.push(element("ip_address", &link.host.to_string()));
        lines.push(element("subnet_mask", &link.mask().to_string()));
    } else if let Some(link) = active.addresses.ipv6 {
        lines.push(element("ip_address", &link.host.to_string()));
    }
    lines.push(element("mtu", "1500"));
    let ipv4 = active.addresses.ipv4.is_some();
    let servers = active.addresses.dns.iter();
    lines.extend(
        servers
            .filter(|server| server.is_ipv4() == ipv4)
            .map(|server| element("dns_server", &server.to_string())),
    );
    lines.push("</connection_parameters>".to_owned());
    lines.iter().try_for_each(|line| run.say(line))
}

fn element(name: &str, value: &str) -> String {
    format!("<{name}>{value}</{name}>")
}
