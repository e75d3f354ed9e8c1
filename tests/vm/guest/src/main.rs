// SPDX-License-Identifier: GPL-2.0

//! The tests' tool inside the virtual machine.
//!
//! One static binary with the agent that runs the harness's commands, the generators of traffic,
//! and tools that busybox lacks. The exit status is 0 only if all actions succeeded and every
//! payload was as expected.

mod agent;
mod bus;
mod caif;
mod calls;
mod channels;
mod churn;
mod comeback;
mod counters;
mod events;
mod failing;
mod flowing;
mod hostile_user;
mod link;
mod measure;
mod netdev;
mod pattern;
mod ping;
mod reflect;
mod rtnetlink;
mod rtnl;
mod serial;
mod sockets;
mod tap;
mod tcp;
mod two_senders;
mod udp;
mod unsafe_calls;
mod until;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run commands that arrive on a serial port, one JSON object per line
    Agent(agent::Args),
    /// Call a method on the system bus, or wait until it returns something
    Bus(bus::Args),
    /// Create an IP interface over CAIF (rtnetlink kind "caif")
    LinkAdd(link::Args),
    /// Change the connection of an IP interface over CAIF
    LinkChange(link::ChangeArgs),
    /// Check the contract of rtnetlink's kind "caif"
    Rtnl(rtnl::Args),
    /// Wait for a network interface to appear or to disappear
    WaitNetdev(netdev::NetdevArgs),
    /// Wait for the carrier of an interface
    WaitCarrier(netdev::CarrierArgs),
    /// Wait for the end of a process
    WaitExit(until::ExitArgs),
    /// Start a service of systemd, and wait until it is ready
    WaitReady(until::ReadyArgs),
    /// Run a command again after each change of what it looks at, until it succeeds
    Until(until::Args),
    /// Make the calls by which stacks are compared
    Calls(calls::Args),
    /// Send commands on the AT channel, and check the answers
    At(channels::AtArgs),
    /// Send payloads through a channel that returns them, and compare
    Loop(channels::LoopArgs),
    /// Try to open a channel, which must fail with a certain error
    ConnectFails(channels::FailArgs),
    /// Open and close sockets in several threads, ignoring errors
    Churn(churn::Args),
    /// Bring a link up again, and wait for the IP interface over it and for an answer
    ComeBack(comeback::Args),
    /// Let each allocation of a system call fail, one in each run
    FailNth(failing::Args),
    /// Make random calls of all interfaces of CAIF, and count their results
    HostileUser(hostile_user::Args),
    /// Set an interface up, which must not wait for its modem
    UpAtOnce(hostile_user::AtOnceArgs),
    /// Set an interface up, which a signal interrupts
    UpInterrupted(hostile_user::InterruptedArgs),
    /// Print the statistics of interfaces
    Counters(counters::Args),
    /// Measure ping, datagrams and streams of the modem's services, as a JSON object
    Measure(measure::Args),
    /// Ping with exact sizes, comparing every payload byte
    Ping(ping::Args),
    /// Answer the hostile modem, and check every byte that it delivers, until killed
    Reflect(reflect::Args),
    /// Send commands to a serial port, with the calls of a program that uses one
    Serial(serial::Args),
    /// Check the contract of sockets, call by call
    Sockets(sockets::Args),
    /// Check sent frames and merged segments while streams pass
    Tap(tap::Args),
    /// Send datagrams from two CPUs, each of which an interface must count
    TwoSenders(two_senders::Args),
    /// Send datagrams to an echo service, comparing every payload byte
    UdpEcho(udp::Args),
    /// Send and receive checked streams, one way or both at once
    Tcp(tcp::Args),
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Agent(args) => agent::run(&args),
        Command::Bus(args) => bus::run(&args),
        Command::LinkAdd(args) => link::add(&args),
        Command::LinkChange(args) => link::change(&args),
        Command::Rtnl(args) => rtnl::run(&args),
        Command::WaitNetdev(args) => netdev::wait_netdev(&args),
        Command::WaitCarrier(args) => netdev::wait_carrier(&args),
        Command::WaitExit(args) => until::wait_exit(&args),
        Command::WaitReady(args) => until::wait_ready(&args),
        Command::Until(args) => until::run(&args),
        Command::Calls(args) => calls::run(&args),
        Command::At(args) => channels::at(&args),
        Command::Loop(args) => channels::echo(&args),
        Command::ConnectFails(args) => channels::fails(&args),
        Command::Churn(args) => churn::run(&args),
        Command::ComeBack(args) => comeback::run(&args),
        Command::FailNth(args) => failing::run(&args),
        Command::HostileUser(args) => hostile_user::run(&args),
        Command::UpAtOnce(args) => hostile_user::at_once(&args),
        Command::UpInterrupted(args) => hostile_user::interrupted(&args),
        Command::Counters(args) => counters::run(&args),
        Command::Measure(args) => measure::run(&args),
        Command::Ping(args) => ping::run(&args),
        Command::Reflect(args) => reflect::run(&args),
        Command::Serial(args) => serial::run(&args),
        Command::Sockets(args) => sockets::run(&args),
        Command::Tap(args) => tap::run(&args),
        Command::TwoSenders(args) => two_senders::run(&args),
        Command::UdpEcho(args) => udp::run(&args),
        Command::Tcp(args) => tcp::run(&args),
    }
}
