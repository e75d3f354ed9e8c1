// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Commands that identify the modem.

use super::{Outcome, Run};
use crate::parse::Request::{self, Run as Bare, Set, Test};

const NAME: &str = concat!("caif-stack modem ", env!("CARGO_PKG_VERSION"));

pub(super) fn run(run: &mut Run<'_>, name: &str, request: Request<'_>) -> Option<Outcome> {
    Some(match (name, request) {
        ("I", Bare | Set(_)) => run.say(NAME),
        ("+CGMI" | "+GMI", Bare) => run.say("caif-stack"),
        ("+CGMM" | "+GMM", Bare) => run.say("virtual modem"),
        ("+CGMR" | "+GMR", Bare) => run.say(env!("CARGO_PKG_VERSION")),
        // The serial number of the TS 36.508 test equipment's range, with its check digit.
        ("+CGSN" | "+GSN", Bare) => run.say("004400152020000"),
        ("+GCAP", Bare) => run.say("+GCAP: +CGSM"),
        ("+CGMI" | "+GMI" | "+CGMM" | "+GMM" | "+CGMR" | "+GMR" | "+CGSN" | "+GSN", Test) => Ok(()),
        _ => return None,
    })
}
