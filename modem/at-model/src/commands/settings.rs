// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Settings of the answers to a terminal: V.250, and +CMEE and +CSCS of TS 27.007.

use super::{Outcome, Run, level, switch};
use crate::failure::{Cme, Detail, Failure};
use crate::parse::Request::{self, Read, Run as Bare, Set, Test};

/// Character sets. The model has no text that differs between them.
const CHARSETS: [&str; 3] = ["GSM", "IRA", "UTF-8"];

pub(super) fn run(run: &mut Run<'_>, name: &str, request: Request<'_>) -> Option<Outcome> {
    Some(match (name, request) {
        ("E", Bare | Set(_)) => switch(request).map(|on| run.terminal.settings.echo = on),
        ("V", Bare | Set(_)) => switch(request).map(|on| run.terminal.reply.terse = !on),
        ("Q", Bare | Set(_)) => switch(request).map(|on| run.terminal.reply.quiet = on),
        ("&F", Bare | Set(_)) => level(request, 0).map(|_| run.terminal.set_defaults()),
        ("Z", Bare | Set(_)) => level(request, 1).map(|_| run.terminal.set_defaults()),
        ("X" | "L" | "M", Bare | Set(_)) => level(request, 4).map(drop),
        ("&C" | "&D" | "&K" | "&S", Bare | Set(_)) => level(request, 4).map(drop),
        ("H", Bare | Set(_)) => level(request, 1).map(drop),
        // There is no PPP behind a channel.
        ("D", _) => Err(Failure::NoCarrier),
        ("S0", Read) => run.say("000"),
        ("S3", Read) => run.say("013"),
        ("S4", Read) => run.say("010"),
        ("S5", Read) => run.say("008"),
        (name, Set(args)) if name.starts_with('S') => args.number::<u8>(0).map(drop),
        ("+CMEE", Set(_)) => level(request, 2).map(|level| {
            run.terminal.reply.detail = match level {
                0 => Detail::Plain,
                1 => Detail::Number,
                _ => Detail::Text,
            };
        }),
        ("+CMEE", Read) => {
            let level = run.terminal.reply.detail as u8;
            run.say(&format!("+CMEE: {level}"))
        }
        ("+CMEE", Test) => run.say("+CMEE: (0-2)"),
        ("+CSCS", Set(args)) => args.text(0).and_then(|wanted| {
            let known = CHARSETS.iter().find(|set| set.eq_ignore_ascii_case(wanted));
            run.terminal.settings.charset = known.ok_or(Cme::NotSupported)?;
            Ok(())
        }),
        ("+CSCS", Read) => {
            let charset = run.terminal.settings.charset;
            run.say(&format!("+CSCS: \"{charset}\""))
        }
        ("+CSCS", Test) => {
            let sets = CHARSETS.map(|set| format!("\"{set}\"")).join(",");
            run.say(&format!("+CSCS: ({sets})"))
        }
        ("+IFC", Set(_)) => Ok(()),
        ("+IFC", Test) => run.say("+IFC: (0),(0)"),
        _ => return None,
    })
}
