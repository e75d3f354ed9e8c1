// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The modem's states: it waits for a boot, takes it, waits for the driver, moves frames.
//!
//! Source: `Documentation/board-ivshmem.md`.

use crate::{
    capture::{Capture, Direction},
    noise,
};
use anyhow::Context;
use caif_stack::{End, Engine};
use forward::Forwarder;
use ivshmem::{
    board::Board,
    control::{ModemState, VECTOR_DOWNLINK, VECTOR_UPLINK},
};
use link::{Link, table::Vdev, uplink::Received};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::BorrowedFd,
};
use std::time::Instant;
use tracing::{error, info};

/// Vectors of the board: buffers made available on vring 0, buffers used on vring 1.
const VECTOR_MADE_AVAILABLE: usize = VECTOR_DOWNLINK;
const VECTOR_USED: usize = VECTOR_UPLINK;

/// Frames that wait at most for room on the downlink if noise is added. A host that is behind would
/// get answers after it stopped to wait for them.
const NOISE_LIMIT: usize = 128;

/// Exit status of a modem that was told to die.
const DIED: i32 = 3;

/// State of the modem.
enum Phase {
    /// Linux has not started the modem.
    Waiting,
    /// The modem took a boot; the driver is not ready.
    Booting { boot_id: u32, vdev: Vdev },
    /// The driver is ready.
    Up {
        boot_id: u32,
        vdev: Vdev,
        link: Box<Link>,
    },
    /// The modem met an error and needs another boot.
    Crashed { boot_id: u32 },
}

/// Counters of all links since the modem began.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Boots that were taken.
    pub boots: u64,
    /// Links that came up.
    pub links: u64,
    /// Boots that were given up because of an error.
    pub crashes: u64,
    /// Counters of the uplinks.
    pub uplink: link::uplink::UplinkStats,
    /// Counters of the downlinks.
    pub downlink: link::downlink::DownlinkStats,
}

/// A modem.
pub struct Modem {
    board: Board,
    engine: Engine,
    forwarder: Forwarder,
    capture: Option<Capture>,
    chain_max: u16,
    seed: u64,
    noise: bool,
    phase: Phase,
    totals: Totals,
}

impl Modem {
    /// Creates a modem on a board, in the state "waiting".
    pub fn new(
        board: Board,
        engine: Engine,
        forwarder: Forwarder,
        capture: Option<Capture>,
        chain_max: u16,
        seed: u64,
        noise: bool,
    ) -> anyhow::Result<Self> {
        board.set_state(ModemState::Waiting)?;
        Ok(Self {
            board,
            engine,
            forwarder,
            capture,
            chain_max,
            seed,
            noise,
            phase: Phase::Waiting,
            totals: Totals::default(),
        })
    }

    /// Runs until `stop` is readable.
    pub fn run(&mut self, stop: BorrowedFd<'_>) -> anyhow::Result<()> {
        loop {
            let now = Instant::now();
            let mut deadline = self.board.beat(now)?;
            self.board.update()?;
            self.advance()?;
            if let Some(engine) = self.move_frames(now)? {
                deadline = deadline.min(engine);
            }
            self.end_life()?;
            // Flushed here, so that a modem that is killed leaves its capture.
            if let Some(capture) = &mut self.capture {
                capture.flush()?;
            }
            if self.wait(stop, deadline)? {
                break;
            }
        }
        self.close_link();
        Ok(self.board.set_state(ModemState::Absent)?)
    }

    /// Returns the protocol engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Returns the counters.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Waits for a doorbell, a message of the server, a connection that is passed on or `stop`, at most until `deadline`. Returns
    /// whether to stop.
    fn wait(&self, stop: BorrowedFd<'_>, deadline: Instant) -> anyhow::Result<bool> {
        let client = self.board.client();
        let files = self.forwarder.waiting();
        let mut fds = vec![
            PollFd::from_borrowed_fd(stop, PollFlags::IN),
            PollFd::from_borrowed_fd(client.socket(), PollFlags::IN),
        ];
        fds.extend(
            (0..ivshmem::VECTORS)
                .filter_map(|vector| client.vector(vector))
                .map(|event| PollFd::from_borrowed_fd(event, PollFlags::IN)),
        );
        let doorbells = fds.len();
        fds.extend(files.iter().map(|file| PollFd::new(&**file, file.wanted())));
        let timeout = Timespec::try_from(deadline.saturating_duration_since(Instant::now()))
            .context("time to wait")?;
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("wait for events"),
        }
        for (file, fd) in files.iter().zip(fds.iter().skip(doorbells)) {
            file.note(fd.revents());
        }
        Ok(fds.first().is_some_and(|fd| !fd.revents().is_empty()))
    }

    /// Changes the state as Linux starts, stops or resets the modem.
    fn advance(&mut self) -> anyhow::Result<()> {
        let host = self.board.host()?;
        let current = match &self.phase {
            Phase::Waiting => None,
            Phase::Booting { boot_id, .. }
            | Phase::Up { boot_id, .. }
            | Phase::Crashed { boot_id } => Some(*boot_id),
        };
        if let Some(boot_id) = current
            && (!host.running || host.boot_id != boot_id)
        {
            info!("boot {boot_id} is over");
            self.close_link();
            self.phase = Phase::Waiting;
            self.board.set_state(ModemState::Waiting)?;
        }
        if matches!(self.phase, Phase::Waiting) && host.running && host.boot_id != 0 {
            self.boot(host.boot_id)?;
        }
        self.follow_driver()
    }

    fn boot(&mut self, boot_id: u32) -> anyhow::Result<()> {
        if self.board.taken()? == boot_id {
            return self.crash(
                boot_id,
                &"it was taken by an earlier modem, the rings are in an unknown state",
            );
        }
        self.board.take(boot_id)?;
        self.totals.boots += 1;
        let (da, len) = self.board.table()?;
        match Vdev::find(self.board.memory(), da, len) {
            Ok(vdev) => {
                info!("boot {boot_id}");
                self.phase = Phase::Booting { boot_id, vdev };
                Ok(self.board.set_state(ModemState::Running)?)
            }
            Err(why) => self.crash(boot_id, &why),
        }
    }

    /// Opens the link when the driver sets DRIVER_OK, and closes it when the driver resets the
    /// device.
    fn follow_driver(&mut self) -> anyhow::Result<()> {
        if let Phase::Up {
            boot_id,
            vdev,
            link,
        } = &self.phase
        {
            let (boot_id, vdev) = (*boot_id, *vdev);
            let ended = match (vdev.is_ready(self.board.memory()), link.was_reset()) {
                (Ok(ready), Ok(reset)) => !ready || reset,
                (Err(why), _) | (_, Err(why)) => return self.crash(boot_id, &why),
            };
            if ended {
                info!("the driver reset the device");
                self.close_link();
                self.phase = Phase::Booting { boot_id, vdev };
            }
        }
        if let Phase::Booting { boot_id, vdev } = &self.phase {
            let (boot_id, vdev) = (*boot_id, *vdev);
            let memory = self.board.memory();
            let table = match vdev.ready(memory) {
                Ok(Some(table)) => table,
                Ok(None) => return Ok(()),
                Err(why) => return self.crash(boot_id, &why),
            };
            let seed = self.seed.wrapping_add(self.totals.links);
            match Link::open(memory, &table, self.chain_max, seed) {
                Ok(link) => {
                    self.totals.links += 1;
                    info!(
                        "link up: {} and {} descriptors, {}",
                        table.vrings[0].layout.num(),
                        table.vrings[1].layout.num(),
                        if table.event_idx {
                            "EVENT_IDX"
                        } else {
                            "flags"
                        }
                    );
                    let frame_max = table.downlink.mtu - table.downlink.room();
                    self.engine.set_max_frame(frame_max as usize);
                    let link = Box::new(link);
                    self.phase = Phase::Up {
                        boot_id,
                        vdev,
                        link,
                    };
                }
                Err(why) => return self.crash(boot_id, &why),
            }
        }
        Ok(())
    }

    /// Moves frames between rings and engine. Returns the deadline of the next call.
    fn move_frames(&mut self, now: Instant) -> anyhow::Result<Option<Instant>> {
        let Phase::Up { boot_id, link, .. } = &mut self.phase else {
            return Ok(None);
        };
        let boot_id = *boot_id;
        let mut uplink = Vec::new();
        let received = if self.engine.is_stalled(now) {
            Received::default()
        } else {
            match link.uplink.receive(|frame| uplink.push(frame.to_vec())) {
                Ok(received) => received,
                Err(why) => return self.crash(boot_id, &why).map(|()| None),
            }
        };
        if !uplink.is_empty() || received.interrupt {
            tracing::trace!(
                frames = uplink.len(),
                interrupt = received.interrupt,
                "uplink"
            );
        }
        for frame in &uplink {
            if let Some(capture) = &mut self.capture {
                capture.add(Direction::Uplink, frame)?;
            }
            self.engine.input(frame, now);
        }
        if received.interrupt {
            self.board.ring(VECTOR_USED)?;
        }

        let mut deadline = self.engine.poll(now);
        loop {
            let mut any = false;
            while link.downlink.can_send() {
                let Some(frame) = self.engine.output() else {
                    break;
                };
                if let Some(capture) = &mut self.capture {
                    capture.add(Direction::Downlink, &frame)?;
                }
                if self.noise && link.downlink.waiting() < NOISE_LIMIT {
                    let around = noise::around(&frame, |linkid| self.engine.service(linkid));
                    around
                        .before
                        .into_iter()
                        .for_each(|f| link.downlink.queue(f));
                    link.downlink.queue(frame);
                    around
                        .after
                        .into_iter()
                        .for_each(|f| link.downlink.queue(f));
                } else {
                    link.downlink.queue(frame);
                }
                // Room in the engine's queues may let its IP stacks send more.
                deadline = self.engine.poll(now);
                any = true;
            }
            match link.downlink.flush() {
                Ok(true) => self.board.ring(VECTOR_MADE_AVAILABLE)?,
                Ok(false) => {}
                Err(why) => return self.crash(boot_id, &why).map(|()| None),
            }
            // Buffers that Linux returned meanwhile make room for more.
            if !any || !link.downlink.can_send() {
                break;
            }
        }
        Ok(if received.more { Some(now) } else { deadline })
    }

    /// Ends the boot or the process if that is what happens to the modem.
    fn end_life(&mut self) -> anyhow::Result<()> {
        let (Phase::Up { boot_id, .. }, Some(end)) = (&self.phase, self.engine.end()) else {
            return Ok(());
        };
        match end {
            End::Crash => self.crash(*boot_id, &"the modem was told to crash"),
            End::Die => {
                error!("boot {boot_id}: the modem was told to die");
                if let Some(capture) = &mut self.capture {
                    capture.flush()?;
                }
                // Nothing of the board is put in order, as if the process were killed.
                std::process::exit(DIED);
            }
        }
    }

    /// Ends a boot by the state "crashed", so that Linux starts another one.
    fn crash(&mut self, boot_id: u32, why: &dyn std::fmt::Display) -> anyhow::Result<()> {
        error!("boot {boot_id}: {why}");
        self.close_link();
        self.totals.crashes += 1;
        self.phase = Phase::Crashed { boot_id };
        Ok(self.board.set_state(ModemState::Crashed)?)
    }

    /// Closes the link, and drops all channels set up over it.
    fn close_link(&mut self) {
        if let Phase::Up { link, .. } = &self.phase {
            let (up, down) = (link.uplink.stats(), link.downlink.stats());
            let totals = &mut self.totals;
            totals.uplink.frames += up.frames;
            totals.uplink.bytes += up.bytes;
            totals.uplink.bad_length += up.bad_length;
            totals.uplink.bad_chain += up.bad_chain;
            totals.downlink.frames += down.frames;
            totals.downlink.chains += down.chains;
            totals.downlink.bytes += down.bytes;
            totals.downlink.returned += down.returned;
            totals.downlink.stalls += down.stalls;
            totals.downlink.too_long += down.too_long;
            self.phase = Phase::Waiting;
        }
        self.engine.reset();
    }
}
