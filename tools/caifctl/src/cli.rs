// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The command line.

use clap::{Parser, Subcommand};

use crate::{at, generate, link, loopback, status};

const EXIT: &str = "\
Exit status: 0 if what was asked for was done; 1 if not, with a line that says why; 2 if the command \
line is wrong; 3 if the modem answered an AT command by an error.";

/// Shows and uses the CAIF links of modems
///
/// A link is a network device between Linux and a modem, such as cfvrt0. Over it there are IP
/// interfaces, such as caif0, and channels for AT commands and other services.
#[derive(Parser)]
#[command(name = "caifctl", version, after_help = EXIT)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Show remote processors, links, channels and interfaces, once or live
    ///
    /// Channels are those of /proc/net/caif, which the stack in C and older ones of this project do not have. A socket
    /// is named as in /proc/PID/fd.
    Status(status::Args),
    /// Make, delete and show IP interfaces
    #[command(subcommand)]
    Link(link::LinkCommand),
    /// Send AT commands: by hand, from a script, or from programs that want a serial port
    ///
    /// Without --exec, --pty and --serial, commands are typed, with a history and the usual keys to edit a line; ^C,
    /// or ^D in an empty line, ends it. If standard input or output is no terminal, or one that cannot edit lines, each
    /// line of input is a command, as with --exec.
    At(at::Args),
    /// Send payloads that the modem returns, one after the other, and show how long each takes
    PingChannel(loopback::ping::Args),
    /// Send payloads that the modem returns, many at once, and show how many there are in a second
    Bench(loopback::bench::Args),
    /// Print the completion of a shell
    Completion(generate::CompletionArgs),
    /// Print the manual page, or write those of all commands
    Man(generate::ManArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn definitions_are_sound() {
        Cli::command().debug_assert();
    }

    fn fails(line: &str) -> String {
        match Cli::try_parse_from(line.split(' ')) {
            Ok(_) => panic!("accepted: {line}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn wrong_lines_are_refused() {
        for (line, says) in [
            ("caifctl", "Usage"),
            ("caifctl status --watch 0", "from 0.1 to"),
            ("caifctl status --watch x", "invalid"),
            ("caifctl status --count 0", "--count"),
            ("caifctl link add caif0", "--connection-id"),
            ("caifctl link add caif0 --connection-id -1", "unexpected"),
            (
                "caifctl link add caif0 --connection-id=4294967296",
                "4294967295",
            ),
            ("caifctl link add a/b --connection-id 1", "'/'"),
            ("caifctl link add sixteencharacter --connection-id 1", "15"),
            ("caifctl at --exec", "a value is required"),
            ("caifctl at --exec AT --pty", "cannot be used with"),
            ("caifctl at --serial --pty", "cannot be used with"),
            ("caifctl at --timeout 0", "from 0.1 to"),
            ("caifctl ping-channel --size 7", "8..=1500"),
            ("caifctl bench --window 0", "1..="),
            ("caifctl completion dash", "possible values"),
        ] {
            let said = fails(line);
            assert!(said.contains(says), "{line}: {said}");
        }
    }

    #[test]
    fn numbers_may_be_hexadecimal() {
        let line = "caifctl link add caif0 --connection-id 0x7825f860";
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let Command::Link(link::LinkCommand::Add(args)) = cli.command else {
            panic!("another command");
        };
        assert_eq!(args.connection_id, 0x7825_f860);
    }

    #[test]
    fn watching_has_a_default() {
        for (line, seconds) in [
            ("caifctl status", None),
            ("caifctl status --watch", Some(1.0)),
            ("caifctl status --watch 2.5", Some(2.5)),
        ] {
            let Command::Status(args) = Cli::try_parse_from(line.split(' ')).unwrap().command
            else {
                panic!("another command");
            };
            assert_eq!(args.watch.map(|time| time.as_secs_f64()), seconds, "{line}");
        }
    }
}
