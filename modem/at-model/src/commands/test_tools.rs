// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Commands of this modem alone, by which tests ask it about its link and its network, hold it up
//! and have things happen to it.

use std::time::Duration;

use super::{Outcome, Run};
use crate::action::Action;
use crate::failure::{Cme, Failure};
use crate::network::Addressing;
use crate::order::{Order, Report};
use crate::parse::Args;
use crate::parse::Request::{self, Read, Run as Bare, Set};

const MAX_MS: u64 = 60_000;

pub(super) fn run(run: &mut Run<'_>, name: &str, request: Request<'_>) -> Option<Outcome> {
    let Report {
        off,
        frames,
        setup,
        channels,
    } = run.report;
    Some(match (name, request) {
        ("*FLOW", Read) => run.say(&format!("*FLOW: {},{frames}", u8::from(off))),
        ("*FLOW", Set(args)) => duration(args).map(|time| run.state.order(Order::FlowOff(time))),
        ("*STALL", Set(args)) => duration(args).map(|time| run.state.order(Order::Stall(time))),
        ("*ANSWER", Bare) => {
            run.state.order(Order::Answer);
            Ok(())
        }
        ("*SHUTDOWN", Bare) => {
            run.state.order(Order::Shutdown);
            Ok(())
        }
        ("*SETUP", Read) => {
            let hex: String = setup.iter().map(|byte| format!("{byte:02x}")).collect();
            run.say(&format!("*SETUP: {hex}"))
        }
        ("*NET", Set(args)) => args.text(0).and_then(|text| {
            run.state
                .act(Action::parse(text).map_err(|_| Cme::BadParameters)?)
        }),
        ("*NET", Read) => {
            let active = run.state.contexts.active().len();
            let (size, used) = match &run.state.network.addressing {
                Addressing::ByConnection(_) => (0, 0),
                Addressing::Pool(pool) => pool.usage(),
            };
            run.say(&format!("*NET: {active},{used},{size}"))
        }
        ("*CHANNELS", Read) => run.say(&format!("*CHANNELS: {channels}")),
        _ => return None,
    })
}

fn duration(args: Args<'_>) -> Result<Duration, Failure> {
    args.at_most(1)?;
    match args.number(0)? {
        ms @ 1..=MAX_MS => Ok(Duration::from_millis(ms)),
        _ => Err(Cme::BadParameters.into()),
    }
}
