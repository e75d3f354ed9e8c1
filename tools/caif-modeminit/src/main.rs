// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Tells oFono of the modems behind CAIF links, by D-Bus.

use std::{
    io::{self, IsTerminal, Write},
    os::unix::net::UnixStream,
    process::ExitCode,
};

use anyhow::{Context, Result};
use async_io::Async;
use caif_modeminit::{
    bus::Bus,
    cli::{self, Cli, RunArgs},
    daemon::{Daemon, Sweeping},
    kernel::Linux,
};
use clap::Parser;
use futures_lite::future;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    low_level::pipe,
};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.command {
        Some(command) => cli::generate(command),
        None => run(&cli.run),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let line = format!("{error:#}").replace('\n', " ");
            // An error of this cannot be reported.
            let _ = writeln!(io::stderr(), "caif-modeminit: {line}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &RunArgs) -> Result<()> {
    let filter = EnvFilter::try_new(&args.log).context("--log")?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    let (read, write) = UnixStream::pair().context("cannot catch signals")?;
    for signal in [SIGTERM, SIGINT] {
        let write = write.try_clone().context("cannot catch signals")?;
        pipe::register(signal, write).context("cannot catch signals")?;
    }
    let end = Async::new(read).context("cannot catch signals")?;
    let sweeping = Sweeping {
        off: args.keep_interfaces,
        file: args.state.clone(),
    };
    async_io::block_on(async {
        let ended = async {
            end.readable().await?;
            Ok(None)
        };
        let connect = async { Bus::connect(args.bus.as_deref()).await.map(Some) };
        let Some(bus) = future::or(ended, connect).await? else {
            return Ok(());
        };
        let kernel = Linux::new(&args.sys)?;
        Daemon::run(kernel, bus, sweeping, &end).await
    })
}
