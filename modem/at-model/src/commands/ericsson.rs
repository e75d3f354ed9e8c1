// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Contexts, by the commands of Ericsson's mobile broadband modules: one of them at a time.

use std::net::IpAddr;

use super::{Outcome, Run};
use crate::failure::Cme;
use crate::parse::Args;
use crate::parse::Request::{self, Read, Set, Test};
use crate::state::By;

pub(super) fn run(run: &mut Run<'_>, name: &str, request: Request<'_>) -> Option<Outcome> {
    Some(match (name, request) {
        ("*EMRDY", Read) => run.say("*EMRDY: 1"),
        ("*EMRDY", Set(_)) => super::switch(request).map(drop),
        ("*ENAP", Set(args)) => connect(run, args),
        ("*ENAP", Read) => match run.state.enap {
            Some(cid) => run.say(&format!("*ENAP: 1,{cid}")),
            None => run.say("*ENAP: 0"),
        },
        ("*ENAP", Test) => run.say("*ENAP: (0,1),(1-16)"),
        ("*E2NAP", Set(_)) => super::switch(request).map(|on| run.terminal.settings.e2nap = on),
        ("*E2NAP", Read) => {
            let level = u8::from(run.terminal.settings.e2nap);
            let up = u8::from(run.state.enap.is_some());
            run.say(&format!("*E2NAP: {level},{up}"))
        }
        ("*E2IPCFG", Read) => addresses(run),
        _ => return None,
    })
}

fn connect(run: &mut Run<'_>, args: Args<'_>) -> Outcome {
    args.at_most(2)?;
    match args.number(0)? {
        0_u8 => {
            if let Some(cid) = run.state.enap {
                run.state.deactivate(cid, By::Terminal);
            }
            Ok(())
        }
        1 => {
            let cid: u8 = args.number(1)?;
            if run.state.enap.is_some_and(|current| current != cid) {
                return Err(Cme::NotAllowed.into());
            }
            run.state.activate(cid, cid.into())?;
            run.state.set_enap(Some(cid));
            Ok(())
        }
        _ => Err(Cme::BadParameters.into()),
    }
}

/// Answers *E2IPCFG?: one family, IPv4 if the context has both.
fn addresses(run: &mut Run<'_>) -> Outcome {
    let active = run
        .state
        .enap
        .and_then(|cid| run.state.contexts.get(cid)?.active.as_ref())
        .ok_or(Cme::NotAllowed)?;
    let addresses = &active.addresses;
    let mut fields: Vec<(u8, IpAddr)> = Vec::new();
    if let Some(link) = addresses.ipv4 {
        fields.extend([(1, link.host.into()), (2, link.modem.into())]);
    } else if let Some(link) = addresses.ipv6 {
        fields.push((1, link.host.into()));
    }
    let ipv4 = addresses.ipv4.is_some();
    let servers = addresses
        .dns
        .iter()
        .filter(|server| server.is_ipv4() == ipv4);
    fields.extend(servers.map(|server| (3, *server)));
    let fields: String = fields
        .iter()
        .map(|(kind, address)| format!("({kind},\"{address}\")"))
        .collect();
    run.say(&format!("*E2IPCFG: {fields}"))
}
