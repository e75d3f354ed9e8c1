// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Registration, operators, signal.

use super::{Outcome, Run, level};
use crate::events::{AREA, INDICATORS};
use crate::failure::{Cme, Failure};
use crate::parse::Args;
use crate::parse::Request::{self, Read, Run as Bare, Set, Test};
use crate::registration::Status;
use crate::terminal::Settings;

pub(super) fn run(run: &mut Run<'_>, name: &str, request: Request<'_>) -> Option<Outcome> {
    Some(match (name, request) {
        ("+CREG" | "+CGREG" | "+CEREG", Test) => run.say(&format!("{name}: (0-2)")),
        ("+CREG" | "+CGREG" | "+CEREG", Read) => status(run, name),
        ("+CREG" | "+CGREG" | "+CEREG", Set(_)) => {
            level(request, 2).map(|level| *subscription(&mut run.terminal.settings, name) = level)
        }
        ("+COPS", Read) => operator(run),
        ("+COPS", Set(args)) => select(run, args),
        ("+COPS", Test) => operators(run),
        ("+CSQ", Bare) => {
            let signal = run.state.network.signal;
            run.say(&format!("+CSQ: {signal},99"))
        }
        ("+CSQ", Test) => run.say("+CSQ: (0-31,99),(99)"),
        ("+CESQ", Bare) => {
            let rsrp = rsrp(run.state.network.signal);
            run.say(&format!("+CESQ: 99,99,255,255,20,{rsrp}"))
        }
        ("+CESQ", Test) => run.say("+CESQ: (99),(99),(255),(255),(0-34,255),(0-97,255)"),
        ("+CIND", Test) => {
            let list = INDICATORS.map(|(name, range)| format!("(\"{name}\",({range}))"));
            run.say(&format!("+CIND: {}", list.join(",")))
        }
        ("+CIND", Read) => {
            let status = run.state.registration.domains().cs;
            let (service, roam) = (status.is_registered(), status == Status::Roaming);
            let signal = run.state.network.bars();
            let (service, roam) = (u8::from(service), u8::from(roam));
            run.say(&format!("+CIND: 5,{signal},{service},{roam}"))
        }
        ("+CIND", Set(args)) => indicators(run, args),
        ("+CMER", Set(args)) => mobile_events(run, args),
        ("+CMER", Test) => run.say("+CMER: (0,3),(0),(0),(0,1),(0)"),
        ("+CMER", Read) => {
            let on = u8::from(run.terminal.settings.cmer);
            run.say(&format!(
                "+CMER: {},0,0,{on},0",
                if on == 1 { 3 } else { 0 }
            ))
        }
        ("+WS46", Test) => run.say("+WS46: (12,22,25,28,29)"),
        ("+WS46", Read) => run.say("+WS46: 25"),
        ("+WS46", Set(args)) => match args.number(0) {
            Ok(12_u8 | 22 | 25 | 28 | 29) => Ok(()),
            Ok(_) => Err(Cme::BadParameters.into()),
            Err(failure) => Err(failure),
        },
        ("*ERINFO", Read) => {
            let level = u8::from(run.terminal.settings.erinfo);
            let radio = run.state.registration.domains().radio();
            let radio = radio.rsplit_once(": 0,").map_or("", |(_, radio)| radio);
            run.say(&format!("*ERINFO: {level},{radio}"))
        }
        ("*ERINFO", Set(_)) => super::switch(request).map(|on| run.terminal.settings.erinfo = on),
        _ => return None,
    })
}

fn subscription<'a>(settings: &'a mut Settings, name: &str) -> &'a mut u8 {
    match name {
        "+CREG" => &mut settings.creg,
        "+CGREG" => &mut settings.cgreg,
        _ => &mut settings.cereg,
    }
}

fn status(run: &mut Run<'_>, name: &str) -> Outcome {
    let domains = run.state.registration.domains();
    let status = if name == "+CREG" {
        domains.cs
    } else {
        domains.ps
    };
    let level = *subscription(&mut run.terminal.settings, name);
    let number = status.number();
    let area = match (level, name) {
        (2, "+CEREG") if status.is_registered() => format!(",{AREA},7"),
        (2, _) if status.is_registered() => format!(",{AREA}"),
        _ => String::new(),
    };
    run.say(&format!("{name}: {level},{number}{area}"))
}

fn operator(run: &mut Run<'_>) -> Outcome {
    let registration = &run.state.registration;
    let mode = match (registration.wanted, registration.manual) {
        (false, _) => 2,
        (true, manual) => u8::from(manual),
    };
    if !registration.is_registered() {
        return run.say(&format!("+COPS: {mode}"));
    }
    let format = run.terminal.settings.operator_format;
    let network = &run.state.network;
    let name = if format == 2 {
        &network.operator
    } else {
        &network.operator_name
    };
    let line = format!("+COPS: {mode},{format},\"{name}\",7");
    run.say(&line)
}

fn operators(run: &mut Run<'_>) -> Outcome {
    run.state.sim.ready()?;
    let network = &run.state.network;
    let (name, number) = (&network.operator_name, &network.operator);
    let current = if run.state.registration.is_registered() {
        2
    } else {
        1
    };
    let line = format!("+COPS: ({current},\"{name}\",\"{name}\",\"{number}\",7),,(0-4),(0-2)");
    run.say(&line)
}

fn select(run: &mut Run<'_>, args: Args<'_>) -> Outcome {
    let mode: u8 = args.number(0)?;
    let format = args.optional(1)?;
    if format.is_some_and(|format: u8| format > 2) {
        return Err(Cme::BadParameters.into());
    }
    match mode {
        0 => {
            run.state.registration.wanted = true;
            run.state.registration.manual = false;
        }
        1 | 4 => {
            let wanted = args.text(2)?;
            let network = &run.state.network;
            if wanted != network.operator && wanted != network.operator_name {
                return Err(Cme::NoService.into());
            }
            run.state.registration.wanted = true;
            run.state.registration.manual = true;
        }
        2 => run.state.registration.wanted = false,
        3 => run.terminal.settings.operator_format = format.ok_or(Cme::BadParameters)?,
        _ => return Err(Cme::BadParameters.into()),
    }
    Ok(())
}

fn indicators(run: &mut Run<'_>, args: Args<'_>) -> Outcome {
    args.at_most(INDICATORS.len())?;
    for (index, wanted) in run.terminal.settings.indicators.iter_mut().enumerate() {
        match args.optional(index)? {
            None => {}
            Some(level @ (0_u8 | 1)) => *wanted = level == 1,
            Some(_) => return Err(Cme::BadParameters.into()),
        }
    }
    Ok(())
}

fn mobile_events(run: &mut Run<'_>, args: Args<'_>) -> Outcome {
    args.at_most(5)?;
    let parameter = |index| -> Result<u8, Failure> { Ok(args.optional(index)?.unwrap_or(0)) };
    let (mode, keys, display, indicators) =
        (parameter(0)?, parameter(1)?, parameter(2)?, parameter(3)?);
    if mode > 3 || keys > 0 || display > 0 || indicators > 2 {
        return Err(Cme::BadParameters.into());
    }
    run.terminal.settings.cmer = mode > 0 && indicators > 0;
    Ok(())
}

/// Returns the power of the reference signal that goes with a strength of +CSQ: TS 36.133.
fn rsrp(signal: u8) -> u8 {
    match signal {
        0..=31 => signal.saturating_mul(3),
        _ => 255,
    }
}
