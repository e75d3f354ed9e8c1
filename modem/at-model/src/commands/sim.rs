// SPDX-License-Identifier: GPL-2.0 OR MIT

//! SIM, PIN and functionality.

use super::{Outcome, Run};
use crate::failure::Cme;
use crate::parse::Args;
use crate::parse::Request::{self, Read, Run as Bare, Set, Test};
use crate::sim::SimState;
use crate::state::Functionality;

pub(super) fn run(run: &mut Run<'_>, name: &str, request: Request<'_>) -> Option<Outcome> {
    Some(match (name, request) {
        ("+CFUN", Set(args)) => functionality(run, args),
        ("+CFUN", Read) => {
            let level = match run.state.functionality {
                Functionality::Minimum => 0,
                Functionality::Full => 1,
                Functionality::Flight => 4,
            };
            run.say(&format!("+CFUN: {level}"))
        }
        ("+CFUN", Test) => run.say("+CFUN: (0,1,4),(0)"),
        ("+CPIN", Read) => match run.state.sim.state() {
            SimState::Absent => Err(Cme::NoSim.into()),
            SimState::Pin => run.say("+CPIN: SIM PIN"),
            SimState::Puk => run.say("+CPIN: SIM PUK"),
            SimState::Dead => Err(Cme::PukRequired.into()),
            SimState::Ready => run.say("+CPIN: READY"),
        },
        ("+CPIN", Set(args)) => enter(run, args),
        ("+CPIN", Test) => Ok(()),
        ("*EPIN", Read) => {
            let (pin, puk) = run.state.sim.tries();
            run.say(&format!("*EPIN: {pin}, {puk}, {pin}, {puk}"))
        }
        ("*ESIMSR", Read) => {
            let level = u8::from(run.terminal.settings.esimsr);
            let state = esimsr(run.state.sim.state());
            run.say(&format!("*ESIMSR: {level},{state}"))
        }
        ("*ESIMSR", Set(_)) => super::switch(request).map(|on| run.terminal.settings.esimsr = on),
        ("+CIMI", Bare) => run.state.sim.ready().and_then(|()| {
            let imsi = run.state.network.imsi.clone();
            run.say(&imsi)
        }),
        ("+CLCK", Test) => run.say("+CLCK: (\"SC\")"),
        ("+CLCK", Set(args)) => lock(run, args),
        ("+CPWD", Test) => run.say("+CPWD: (\"SC\",8)"),
        ("+CPWD", Set(args)) => args.text(0).and_then(|facility| {
            only_sim(facility)?;
            run.state.sim.change(args.bare(1)?, args.bare(2)?)
        }),
        _ => return None,
    })
}

/// Returns the state of the SIM as *ESIMSR has it.
pub(crate) fn esimsr(state: SimState) -> u8 {
    match state {
        SimState::Puk => 2,
        SimState::Dead => 3,
        SimState::Pin => 4,
        SimState::Ready => 5,
        SimState::Absent => 7,
    }
}

fn functionality(run: &mut Run<'_>, args: Args<'_>) -> Outcome {
    args.at_most(2)?;
    // A reset would end the terminal's own channel.
    if args.optional(1)?.unwrap_or(0_u8) != 0 {
        return Err(Cme::NotSupported.into());
    }
    let wanted = match args.number(0)? {
        0_u8 => Functionality::Minimum,
        1 => Functionality::Full,
        4 => Functionality::Flight,
        _ => return Err(Cme::BadParameters.into()),
    };
    run.state.functionality = wanted;
    Ok(())
}

fn enter(run: &mut Run<'_>, args: Args<'_>) -> Outcome {
    args.at_most(2)?;
    let code = args.bare(0)?;
    match args.bare(1) {
        Ok(pin) => run.state.sim.unblock(code, pin),
        Err(_) => run.state.sim.enter(code),
    }
}

fn only_sim(facility: &str) -> Outcome {
    let known = facility.eq_ignore_ascii_case("SC");
    known.then_some(()).ok_or(Cme::NotSupported.into())
}

fn lock(run: &mut Run<'_>, args: Args<'_>) -> Outcome {
    only_sim(args.text(0)?)?;
    match args.number(1)? {
        2_u8 => {
            if !run.state.sim.present {
                return Err(Cme::NoSim.into());
            }
            let locked = u8::from(run.state.sim.is_locked());
            run.say(&format!("+CLCK: {locked}"))
        }
        level @ (0 | 1) => run.state.sim.lock(level == 1, args.bare(2)?),
        _ => Err(Cme::BadParameters.into()),
    }
}
