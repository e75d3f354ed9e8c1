// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A kernel for tests, and a daemon that runs on it.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::Result;
use async_io::Async;
use caif_links::netdevs::{Counters, Made, Netdev, Role};
use caif_modeminit::{
    bus::Bus,
    daemon::{Daemon, Sweeping},
    kernel::Kernel,
    modems::{Interface, Link, Snapshot},
};

use crate::daemon::PrivateBus;

pub const PROCESSOR: &str = "remoteproc0";

/// What the kernel has.
#[derive(Default)]
pub struct KernelState {
    pub links: Vec<Link>,
    pub processors: BTreeMap<String, String>,
    pub interfaces: Vec<Interface>,
    made: Vec<Made>,
    /// What `set_up` returns.
    pub refuses: Option<i32>,
    next: u32,
}

impl KernelState {
    pub fn is(&mut self, state: &str) {
        self.processors
            .insert(PROCESSOR.to_owned(), state.to_owned());
    }

    /// Makes the link, which is down.
    pub fn add_link(&mut self, name: &str) {
        self.next += 1;
        self.links.push(Link {
            index: self.next,
            name: name.to_owned(),
            up: false,
            carrier: true,
            processor: PROCESSOR.to_owned(),
            device: "rproc-virtio.0.auto".to_owned(),
        });
    }

    /// Makes an interface, which is down, on request from a process.
    pub fn make(&mut self, process: u32) -> String {
        self.next += 1;
        let name = format!("caif{}", self.next);
        self.interfaces.push(Interface {
            index: self.next,
            name: name.clone(),
            up: false,
        });
        self.made.push(Made {
            dev: Netdev {
                index: self.next,
                name: name.clone(),
                role: Role::Other,
                up: false,
                carrier: false,
                mtu: 1500,
                counters: Counters::default(),
                addresses: Vec::new(),
            },
            port: process,
        });
        name
    }

    pub fn names(&self) -> Vec<String> {
        self.interfaces.iter().map(|one| one.name.clone()).collect()
    }
}

/// The state, and what tells that the daemon changed it.
#[derive(Default)]
struct Shared {
    state: Mutex<KernelState>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, KernelState> {
        self.state.lock().expect("no panic")
    }
}

/// The kernel of the daemon.
struct Fake {
    shared: Arc<Shared>,
    events: Async<UnixStream>,
    again: UnixStream,
}

impl Kernel for Fake {
    fn look(&mut self) -> Result<Snapshot> {
        let state = self.shared.lock();
        Ok(Snapshot {
            links: state.links.clone(),
            processors: state.processors.clone(),
            interfaces: state.interfaces.clone(),
        })
    }

    fn set_up(&mut self, index: u32) -> io::Result<()> {
        let mut state = self.shared.lock();
        if let Some(errno) = state.refuses {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let link = state.links.iter_mut().find(|link| link.index == index);
        link.expect("a link").up = true;
        self.shared.changed.notify_all();
        self.again.write_all(&[0])
    }

    fn delete(&mut self, index: u32) -> io::Result<()> {
        let mut state = self.shared.lock();
        state.interfaces.retain(|one| one.index != index);
        self.shared.changed.notify_all();
        self.again.write_all(&[0])
    }

    async fn changed(&self) -> io::Result<()> {
        self.events.readable().await?;
        let mut bytes = [0; 64];
        let _ = self.events.get_ref().read(&mut bytes)?;
        Ok(())
    }

    fn made(&mut self) -> Vec<Made> {
        std::mem::take(&mut self.shared.lock().made)
    }
}

/// A daemon that runs.
pub struct World {
    pub bus: PrivateBus,
    shared: Arc<Shared>,
    events: UnixStream,
    end: UnixStream,
    daemon: JoinHandle<Result<()>>,
}

impl World {
    /// Starts the daemon on a kernel that is prepared.
    pub fn new(prepare: impl FnOnce(&mut KernelState)) -> Self {
        Self::on(PrivateBus::new(), Sweeping::default(), prepare)
    }

    pub fn on(bus: PrivateBus, sweeping: Sweeping, prepare: impl FnOnce(&mut KernelState)) -> Self {
        let mut state = KernelState {
            next: 1,
            ..KernelState::default()
        };
        prepare(&mut state);
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let (events, ours) = UnixStream::pair().expect("sockets");
        let kernel = Fake {
            shared: shared.clone(),
            events: Async::new(events).expect("a socket"),
            again: ours.try_clone().expect("a socket"),
        };
        let (ended, end) = UnixStream::pair().expect("sockets");
        let address = bus.address.clone();
        let daemon = thread::spawn(move || {
            async_io::block_on(async {
                let bus = Bus::connect(Some(&address)).await?;
                Daemon::run(kernel, bus, sweeping, &Async::new(ended)?).await
            })
        });
        Self {
            bus,
            shared,
            events: ours,
            end,
            daemon,
        }
    }

    /// Changes what the kernel has, and lets it send an event.
    pub fn change<T>(&mut self, change: impl FnOnce(&mut KernelState) -> T) -> T {
        let result = self.silently(change);
        self.events.write_all(&[0]).expect("the daemon runs");
        result
    }

    /// Changes what the kernel has without an event.
    pub fn silently<T>(&self, change: impl FnOnce(&mut KernelState) -> T) -> T {
        change(&mut self.shared.lock())
    }

    /// Waits until the daemon has made of it what is wanted.
    pub fn until(&self, wanted: impl Fn(&KernelState) -> bool) {
        let limit = Duration::from_secs(60);
        let (state, late) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.lock(), limit, |state| !wanted(state))
            .expect("no panic");
        assert!(!late.timed_out(), "it does not come: {:?}", state.names());
    }

    /// Ends the daemon as SIGTERM does, and returns what it returned.
    pub fn end(mut self) -> Result<()> {
        self.end.write_all(&[0]).expect("the daemon runs");
        self.daemon.join().expect("no panic")
    }

    /// Ends the daemon, and returns the bus and the kernel.
    pub fn restart(mut self) -> (PrivateBus, KernelState) {
        self.end.write_all(&[0]).expect("the daemon runs");
        self.daemon.join().expect("no panic").expect("a clean end");
        let state = std::mem::take(&mut *self.shared.lock());
        (self.bus, state)
    }

    /// Waits until the daemon ends by itself.
    pub fn ended(self) -> String {
        let result = self.daemon.join().expect("no panic");
        format!("{:#}", result.expect_err("an error"))
    }
}
