// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Received messages: TS 27.005.

use super::{Outcome, Run, level, switch};
use crate::failure::{Cme, Cms};
use crate::messages::{CAPACITY, Message};
use crate::parse::Args;
use crate::parse::Request::{self, Read, Run as Bare, Set, Test};

/// States of a message, as numbers and in words, of which the model has the first two.
const STATES: [&str; 5] = ["REC UNREAD", "REC READ", "STO UNSENT", "STO SENT", "ALL"];
const ALL: usize = 4;

pub(super) fn run(run: &mut Run<'_>, name: &str, request: Request<'_>) -> Option<Outcome> {
    Some(match (name, request) {
        ("+CSMS", Test) => run.say("+CSMS: (0,1)"),
        ("+CSMS", Read) => run.say("+CSMS: 0,1,0,0"),
        ("+CSMS", Set(_)) => match level(request, 1) {
            Ok(_) => run.say("+CSMS: 1,0,0"),
            Err(failure) => Err(failure),
        },
        ("+CMGF", Test) => run.say("+CMGF: (0,1)"),
        ("+CMGF", Read) => {
            let mode = u8::from(run.terminal.settings.text_mode);
            run.say(&format!("+CMGF: {mode}"))
        }
        ("+CMGF", Set(_)) => switch(request).map(|on| run.terminal.settings.text_mode = on),
        ("+CPMS", Test) => run.say("+CPMS: (\"SM\"),(\"SM\"),(\"SM\")"),
        ("+CPMS", Read) => with_sim(run).and_then(|()| {
            let used = used(run);
            let memory = format!("\"SM\",{used},{CAPACITY}");
            run.say(&format!("+CPMS: {memory},{memory},{memory}"))
        }),
        ("+CPMS", Set(args)) => select(run, args),
        ("+CMGL", Test) => run.say(&if run.terminal.settings.text_mode {
            format!(
                "+CMGL: ({})",
                STATES.map(|state| format!("\"{state}\"")).join(",")
            )
        } else {
            format!("+CMGL: (0-{ALL})")
        }),
        ("+CMGL", Bare) => list(run, None),
        ("+CMGL", Set(args)) => list(run, Some(args)),
        ("+CMGR", Set(args)) => read(run, args),
        ("+CMGD", Set(args)) => delete(run, args),
        ("+CMGD", Test) => {
            let stored = run.state.messages.iter().enumerate();
            let list: Vec<_> = stored
                .filter(|(_, message)| message.is_some())
                .map(|(index, _)| index.saturating_add(1).to_string())
                .collect();
            run.say(&format!("+CMGD: ({}),(0-4)", list.join(",")))
        }
        ("+CNMI", Test) => run.say("+CNMI: (0-2),(0,1),(0),(0),(0,1)"),
        ("+CNMI", Read) => {
            let on = u8::from(run.terminal.settings.cnmi);
            run.say(&format!("+CNMI: {on},{on},0,0,0"))
        }
        ("+CNMI", Set(args)) => report(run, args),
        ("+CSCA", Read) => run.say("+CSCA: \"+10000\",145"),
        ("+CSCA" | "+CSDH", Set(_)) => Ok(()),
        // There is no other subscriber to send to.
        ("+CMGS" | "+CMGW" | "+CMSS", Set(_)) => Err(Cms::NotSupported.into()),
        _ => return None,
    })
}

fn with_sim(run: &Run<'_>) -> Outcome {
    run.state.sim.ready().map_err(|_| Cms::NoSim.into())
}

fn used(run: &Run<'_>) -> usize {
    run.state.messages.iter().flatten().count()
}

fn select(run: &mut Run<'_>, args: Args<'_>) -> Outcome {
    args.at_most(3)?;
    with_sim(run)?;
    args.text(0)?;
    for index in 0..3 {
        let memory = args.optional_text(index)?;
        if memory.is_some_and(|memory| memory != "SM") {
            return Err(Cms::NotSupported.into());
        }
    }
    let used = used(run);
    run.say(&format!(
        "+CPMS: {used},{CAPACITY},{used},{CAPACITY},{used},{CAPACITY}"
    ))
}

fn list(run: &mut Run<'_>, args: Option<Args<'_>>) -> Outcome {
    with_sim(run)?;
    let text_mode = run.terminal.settings.text_mode;
    let wanted = match args {
        None => 0,
        Some(args) if text_mode => {
            let name = args.text(0).map_err(|_| Cms::BadParameters)?;
            let position = STATES.iter().position(|state| *state == name);
            position.ok_or(Cms::BadParameters)?
        }
        Some(args) => args.number(0).map_err(|_| Cms::BadParameters)?,
    };
    if wanted > ALL {
        return Err(Cms::BadParameters.into());
    }
    for (index, slot) in run.state.messages.iter_mut().enumerate() {
        let Some(message) = slot else {
            continue;
        };
        let state = usize::from(message.read);
        if wanted != ALL && wanted != state {
            continue;
        }
        let number = index.saturating_add(1);
        let head = if text_mode {
            format!("+CMGL: {number},")
        } else {
            format!("+CMGL: {number},{state},,")
        };
        say(&mut run.terminal.reply, &head, message, text_mode);
    }
    Ok(())
}

/// Shows a message, which is read then.
fn say(reply: &mut crate::reply::Reply, head: &str, message: &mut Message, text_mode: bool) {
    let body = if text_mode {
        let state = STATES.get(usize::from(message.read)).unwrap_or(&"");
        let Message {
            from, time, text, ..
        } = &*message;
        reply.say(&format!("{head}\"{state}\",\"{from}\",,\"{time}\""));
        text.clone()
    } else {
        let (len, pdu) = message.pdu();
        reply.say(&format!("{head}{len}"));
        pdu
    };
    message.read = true;
    reply.raw(&format!("{body}\r\n"));
}

/// Returns the position of the message that a parameter names.
fn position(run: &Run<'_>, args: Args<'_>) -> Result<usize, Cms> {
    let number: usize = args.number(0).map_err(|_| Cms::BadIndex)?;
    let position = number.checked_sub(1).ok_or(Cms::BadIndex)?;
    let inside = position < run.state.messages.len();
    inside.then_some(position).ok_or(Cms::BadIndex)
}

fn read(run: &mut Run<'_>, args: Args<'_>) -> Outcome {
    with_sim(run)?;
    let position = position(run, args)?;
    let text_mode = run.terminal.settings.text_mode;
    let slot = run.state.messages.get_mut(position);
    let message = slot.and_then(Option::as_mut).ok_or(Cms::BadIndex)?;
    let state = u8::from(message.read);
    let head = if text_mode {
        "+CMGR: ".to_owned()
    } else {
        format!("+CMGR: {state},,")
    };
    say(&mut run.terminal.reply, &head, message, text_mode);
    Ok(())
}

fn delete(run: &mut Run<'_>, args: Args<'_>) -> Outcome {
    with_sim(run)?;
    args.at_most(2)?;
    let everything = match args.optional(1)?.unwrap_or(0_u8) {
        0 => None,
        1..=3 => Some(false),
        4 => Some(true),
        _ => return Err(Cms::BadParameters.into()),
    };
    let position = match everything {
        None => Some(position(run, args)?),
        Some(_) => None,
    };
    for (index, slot) in run.state.messages.iter_mut().enumerate() {
        let read = slot.as_ref().is_some_and(|message| message.read);
        if position == Some(index) || everything == Some(true) || everything == Some(false) && read
        {
            *slot = None;
        }
    }
    Ok(())
}

fn report(run: &mut Run<'_>, args: Args<'_>) -> Outcome {
    args.at_most(5)?;
    let mode: u8 = args.optional(0)?.unwrap_or(0);
    let kind: u8 = args.optional(1)?.unwrap_or(0);
    let rest = [args.optional(2)?, args.optional(3)?];
    if mode > 2 || kind > 1 || rest.iter().flatten().any(|kind: &u8| *kind > 0) {
        return Err(Cme::BadParameters.into());
    }
    run.terminal.settings.cnmi = mode > 0 && kind > 0;
    Ok(())
}
