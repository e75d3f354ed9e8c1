// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Contexts, by the commands of TS 27.007.

use std::net::IpAddr;

use super::{Outcome, Run};
use crate::contexts::{Context, Kind, MAX_CID, dotted};
use crate::failure::{Cme, Failure};
use crate::parse::Args;
use crate::parse::Request::{self, Read, Run as Bare, Set, Test};
use crate::state::By;

pub(super) fn run(run: &mut Run<'_>, name: &str, request: Request<'_>) -> Option<Outcome> {
    Some(match (name, request) {
        ("+CGDCONT", Set(args)) => define(run, args),
        ("+CGDCONT", Read) => {
            let line = |(cid, context): (u8, &Context)| {
                let (kind, apn) = (context.kind.name(), &context.apn);
                let address = context.address();
                format!("+CGDCONT: {cid},\"{kind}\",\"{apn}\",\"{address}\",0,0")
            };
            let lines: Vec<_> = run.state.contexts.iter().map(line).collect();
            lines.iter().try_for_each(|line| run.say(line))
        }
        ("+CGDCONT", Test) => [Kind::Ipv4, Kind::Ipv6, Kind::Both]
            .map(|kind| format!("+CGDCONT: (1-{MAX_CID}),\"{}\",,,(0),(0)", kind.name()))
            .iter()
            .try_for_each(|line| run.say(line)),
        ("+CGATT", Set(_)) => attach(run, request),
        ("+CGATT", Read) => {
            let attached = u8::from(run.state.registration.is_attached());
            run.say(&format!("+CGATT: {attached}"))
        }
        ("+CGATT", Test) => run.say("+CGATT: (0,1)"),
        ("+CGACT", Set(args)) => activate(run, args),
        ("+CGACT", Read) => {
            let line = |(cid, context): (u8, &Context)| {
                format!("+CGACT: {cid},{}", u8::from(context.active.is_some()))
            };
            let lines: Vec<_> = run.state.contexts.iter().map(line).collect();
            lines.iter().try_for_each(|line| run.say(line))
        }
        ("+CGACT", Test) => run.say("+CGACT: (0,1)"),
        ("+CGPADDR", Bare) => addresses(run, None),
        ("+CGPADDR", Set(args)) => addresses(run, Some(args)),
        ("+CGPADDR", Test) => cids(run, name),
        ("+CGCONTRDP", Bare) => parameters(run, None),
        ("+CGCONTRDP", Set(args)) => args.number(0).and_then(|cid| parameters(run, Some(cid))),
        ("+CGCONTRDP", Test) => cids(run, name),
        ("+CGPIAF", Set(_)) => super::switch(request).map(|on| {
            run.terminal.settings.ipv6_colons = on;
        }),
        ("+CGPIAF", Read) => {
            let colons = u8::from(run.terminal.settings.ipv6_colons);
            run.say(&format!("+CGPIAF: {colons},0,0,0"))
        }
        ("+CGEREP", Set(args)) => match args.number(0) {
            Ok(mode @ 0..=2_u8) => {
                run.terminal.settings.cgerep = mode > 0;
                Ok(())
            }
            Ok(_) => Err(Cme::BadParameters.into()),
            Err(failure) => Err(failure),
        },
        ("+CGEREP", Read) => {
            let mode = u8::from(run.terminal.settings.cgerep);
            run.say(&format!("+CGEREP: {mode},0"))
        }
        ("+CGEREP", Test) => run.say("+CGEREP: (0-2),(0)"),
        // The network asks for no context, so that there is nothing to answer.
        ("+CGAUTO", Set(_)) => super::level(request, 0).map(drop),
        _ => return None,
    })
}

fn define(run: &mut Run<'_>, args: Args<'_>) -> Outcome {
    let cid = args.number(0)?;
    let Some(kind) = args.optional_text(1)? else {
        args.at_most(1)?;
        return run.state.contexts.remove(cid);
    };
    let apn = args.optional_text(2)?.unwrap_or_default();
    run.state.contexts.define(cid, Kind::parse(kind)?, apn)
}

fn attach(run: &mut Run<'_>, request: Request<'_>) -> Outcome {
    let wanted = super::switch(request)?;
    run.state.sim.ready()?;
    run.state.registration.attach_wanted = wanted;
    Ok(())
}

/// Returns the contexts that parameters name from `first` on; those of `all` if they name none.
fn named(args: Args<'_>, first: usize, all: Vec<u8>) -> Result<Vec<u8>, Failure> {
    let end = first.saturating_add(MAX_CID.into());
    args.at_most(end)?;
    let mut cids = Vec::new();
    for index in first..end {
        cids.extend(args.optional::<u8>(index)?);
    }
    Ok(if cids.is_empty() { all } else { cids })
}

fn activate(run: &mut Run<'_>, args: Args<'_>) -> Outcome {
    let on = match args.number(0)? {
        0_u8 => false,
        1 => true,
        _ => return Err(Cme::BadParameters.into()),
    };
    let defined = run.state.contexts.iter().map(|(cid, _)| cid).collect();
    let cids = named(args, 1, defined)?;
    if cids
        .iter()
        .any(|cid| run.state.contexts.get(*cid).is_none())
    {
        return Err(Cme::BadParameters.into());
    }
    cids.into_iter().try_for_each(|cid| {
        if on {
            run.state.activate(cid, cid.into())
        } else {
            run.state.deactivate(cid, By::Terminal);
            Ok(())
        }
    })
}

/// Answers `+NAME=?` with the contexts that are active.
fn cids(run: &mut Run<'_>, name: &str) -> Outcome {
    let active = run.state.contexts.active();
    let list: Vec<_> = active.iter().map(u8::to_string).collect();
    run.say(&format!("{name}: ({})", list.join(",")))
}

fn addresses(run: &mut Run<'_>, args: Option<Args<'_>>) -> Outcome {
    let defined = run.state.contexts.iter().map(|(cid, _)| cid).collect();
    let cids = match args {
        Some(args) => named(args, 0, defined)?,
        None => defined,
    };
    for cid in cids {
        let context = run.state.contexts.get(cid).ok_or(Cme::BadParameters)?;
        let colons = run.terminal.settings.ipv6_colons;
        let mut line = format!("+CGPADDR: {cid}");
        if let Some(active) = &context.active {
            let ipv4 = active.addresses.ipv4.map(|link| link.host.into());
            let ipv6 = active.addresses.ipv6.map(|link| link.host.into());
            for address in [ipv4, ipv6].into_iter().flatten() {
                line.push_str(&format!(",\"{}\"", written(address, colons)));
            }
        }
        run.say(&line)?;
    }
    Ok(())
}

/// Returns an address as this terminal wants it.
fn written(address: IpAddr, colons: bool) -> String {
    match address {
        IpAddr::V6(address) if !colons => dotted(address),
        address => address.to_string(),
    }
}

/// Answers +CGCONTRDP: a line for each family of an active context.
fn parameters(run: &mut Run<'_>, cid: Option<u8>) -> Outcome {
    let colons = run.terminal.settings.ipv6_colons;
    let mut lines = Vec::new();
    for (number, context) in run.state.contexts.iter() {
        if cid.is_some_and(|cid| cid != number) {
            continue;
        }
        let Some(active) = &context.active else {
            continue;
        };
        let apn = &context.apn;
        // EPS bearers are numbered from 5 on.
        let bearer = number.saturating_add(4);
        let dns = |wants_ipv4: bool| -> String {
            let servers = active.addresses.dns.iter();
            servers
                .filter(|server| server.is_ipv4() == wants_ipv4)
                .map(|server| format!(",\"{}\"", written(*server, colons)))
                .collect()
        };
        if let Some(link) = active.addresses.ipv4 {
            let (host, mask, modem) = (link.host, link.mask(), link.modem);
            lines.push(format!(
                "+CGCONTRDP: {number},{bearer},\"{apn}\",\"{host}.{mask}\",\"{modem}\"{}",
                dns(true)
            ));
        }
        if let Some(link) = active.addresses.ipv6 {
            let host = if colons {
                format!("{}/64", link.host)
            } else {
                let mask = std::net::Ipv6Addr::from_bits(u128::from(u64::MAX).wrapping_shl(64));
                format!("{}.{}", dotted(link.host), dotted(mask))
            };
            let modem = written(link.modem.into(), colons);
            lines.push(format!(
                "+CGCONTRDP: {number},{bearer},\"{apn}\",\"{host}\",\"{modem}\"{}",
                dns(false)
            ));
        }
    }
    if let Some(cid) = cid
        && run.state.contexts.get(cid).is_none()
    {
        return Err(Cme::BadParameters.into());
    }
    lines.iter().try_for_each(|line| run.say(line))
}
