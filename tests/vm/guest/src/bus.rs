// SPDX-License-Identifier: GPL-2.0

//! A client of D-Bus that calls methods and waits for what they return, woken by signals.

mod condition;
mod json;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use async_io::Timer;
use futures_lite::{Stream, StreamExt, future, stream};
use zbus::{Connection, MatchRule, MessageStream, connection, message};

use condition::Condition;

const ADDRESS: &str = "unix:path=/run/dbus/system_bus_socket";
/// The bus's own name.
const BUS: &str = "org.freedesktop.DBus";
/// Signals that may wait for their turn. With more of them than that the connection stands still until
/// one is taken, an answer that is waited for included.
const SIGNALS: usize = 4096;
/// Seconds to wait by default.
const TIMEOUT: u64 = 120;

#[derive(clap::Args)]
pub struct Args {
    /// Name on the system bus, for example org.ofono
    name: String,
    /// Object, for example /
    path: String,
    /// Interface and method without arguments, for example org.ofono.Manager.GetModems
    method: String,
    /// Wait until these hold for what the method returns, in one answer: KEY.KEY=VALUE, KEY!=VALUE for
    /// none of this value; * stands for any key or value
    #[arg(long = "until")]
    conditions: Vec<Condition>,
    /// Seconds to wait
    #[arg(long, default_value_t = TIMEOUT)]
    timeout: u64,
}

/// Calls a method, again after each signal of the service until the conditions hold. Prints what it
/// returned, as JSON.
pub fn run(args: &Args) -> Result<()> {
    future::block_on(call(args))
}

async fn call(args: &Args) -> Result<()> {
    let timeout = Duration::from_secs(args.timeout);
    let end = Instant::now() + timeout;
    let waits = !args.conditions.is_empty();
    let (interface, method) = args
        .method
        .rsplit_once('.')
        .context("want INTERFACE.METHOD")?;
    let bus = connection::Builder::address(ADDRESS)?
        .method_timeout(timeout)
        .build()
        .await
        .context("there is no system bus")?;
    // Before the first call, so that no change is missed.
    let mut signals = signals(&bus, &args.name).await?;
    loop {
        // One signal is as good as many.
        while let Some(Some(_)) = future::poll_once(signals.next()).await {}
        let answer = bus
            .call_method(
                Some(args.name.as_str()),
                args.path.as_str(),
                Some(interface),
                method,
                &(),
            )
            .await;
        let last = match answer {
            Ok(message) => {
                let value = json::body(&message)?;
                if args.conditions.iter().all(|c| c.holds(&value)) {
                    println!("{value}");
                    return Ok(());
                }
                value.to_string()
            }
            Err(error) if waits => error.to_string(),
            Err(error) => return Err(error.into()),
        };
        let signalled = async { signals.next().await.is_some() };
        let late = async {
            Timer::at(end).await;
            false
        };
        if !future::or(signalled, late).await {
            bail!("after {} s it is still: {last}", args.timeout);
        }
    }
}

/// Returns the signals of a service, and those that tell when it comes or goes.
async fn signals(bus: &Connection, name: &str) -> Result<impl Stream + Unpin + use<>> {
    let rule = || MatchRule::builder().msg_type(message::Type::Signal);
    let of_service = rule().sender(name.to_owned())?.build();
    let of_bus = rule()
        .sender(BUS)?
        .member("NameOwnerChanged")?
        .arg(0, name.to_owned())?
        .build();
    Ok(stream::or(
        MessageStream::for_match_rule(of_service, bus, Some(SIGNALS)).await?,
        MessageStream::for_match_rule(of_bus, bus, Some(SIGNALS)).await?,
    ))
}
