// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The states of the hostile modem, which are those of any modem.
//!
//! Source: `Documentation/board-ivshmem.md`.

use crate::{link::Link, stack::Stack};
use anyhow::{Context, bail, ensure};
use ivshmem::{
    board::Board,
    control::{ModemState, VECTOR_DOWNLINK, VECTOR_UPLINK},
};
use link::table::Vdev;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::BorrowedFd,
};
use std::time::{Duration, Instant};
use tracing::info;

/// Vector for frames made available on vring 0.
pub const VECTOR_RX: usize = VECTOR_DOWNLINK;
/// Vector for frames used on vring 1.
const VECTOR_TX: usize = VECTOR_UPLINK;

/// State of the modem.
enum Phase {
    Waiting,
    Booting {
        boot_id: u32,
        vdev: Vdev,
    },
    Up {
        boot_id: u32,
        vdev: Vdev,
        link: Box<Link>,
    },
    Crashed {
        boot_id: u32,
    },
}

/// The modem.
pub struct Modem {
    board: Board,
    phase: Phase,
    /// Links since the process began.
    links: u32,
    /// Whether Linux uses CAIF on links that come up.
    pub(crate) caif: bool,
}

impl Modem {
    /// Creates a modem on a board, in the state "waiting".
    pub fn new(board: Board) -> anyhow::Result<Self> {
        board.set_state(ModemState::Waiting)?;
        Ok(Self {
            board,
            phase: Phase::Waiting,
            links: 0,
            caif: false,
        })
    }

    /// Returns the board.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Returns the boot that the modem is in, if any, and the links since the process began.
    pub fn state(&self) -> (Option<u32>, u32) {
        (self.boot(), self.links)
    }

    fn boot(&self) -> Option<u32> {
        match &self.phase {
            Phase::Waiting => None,
            Phase::Booting { boot_id, .. }
            | Phase::Up { boot_id, .. }
            | Phase::Crashed { boot_id } => Some(*boot_id),
        }
    }

    /// Returns whether the link is up.
    pub fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up { .. })
    }

    /// Returns the link, which must be up.
    pub fn link(&mut self) -> anyhow::Result<&mut Link> {
        match &mut self.phase {
            Phase::Up { link, .. } => Ok(link),
            _ => bail!("the link is down"),
        }
    }

    /// Runs until the condition holds, but no longer than `limit`.
    pub fn wait<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut condition: impl FnMut(&mut Self) -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let end = Instant::now() + limit;
        loop {
            let beat = self.turn()?;
            if let Some(value) = condition(self)? {
                return Ok(value);
            }
            if Instant::now() >= end {
                bail!("{what} did not come within {limit:?}");
            }
            self.sleep(None, beat.min(end))?;
        }
    }

    /// Runs as [`wait`](Self::wait) does, until a condition of the present link holds. It is an
    /// error if the link goes down, even if another one is up afterwards.
    pub fn wait_on_link<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut condition: impl FnMut(&mut Link) -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let links = self.links;
        self.link()?;
        self.wait(what, limit, |modem| {
            let link = modem.links == links && modem.is_up();
            ensure!(link, "the link went down before {what} came");
            condition(modem.link()?)
        })
    }

    /// Runs until `request` is readable.
    pub fn idle(&mut self, request: BorrowedFd<'_>) -> anyhow::Result<()> {
        loop {
            let beat = self.turn()?;
            if self.sleep(Some(request), beat)? {
                return Ok(());
            }
        }
    }

    /// Does the work that is due. Returns the time of the next heartbeat.
    fn turn(&mut self) -> anyhow::Result<Instant> {
        let beat = self.board.beat(Instant::now())?;
        self.board.update()?;
        self.advance()?;
        if let Phase::Up { link, .. } = &mut self.phase
            && link.serve()?
        {
            self.board.ring(VECTOR_TX)?;
        }
        Ok(beat)
    }

    /// Waits for a doorbell, a message of the server, a request or `until`. Returns whether there
    /// is a request.
    fn sleep(&self, request: Option<BorrowedFd<'_>>, until: Instant) -> anyhow::Result<bool> {
        let client = self.board.client();
        let mut fds = vec![PollFd::from_borrowed_fd(client.socket(), PollFlags::IN)];
        fds.extend(
            (0..ivshmem::VECTORS)
                .filter_map(|vector| client.vector(vector))
                .map(|event| PollFd::from_borrowed_fd(event, PollFlags::IN)),
        );
        fds.extend(request.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let timeout = Timespec::try_from(until.saturating_duration_since(Instant::now()))
            .context("time to wait")?;
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("wait for events"),
        }
        Ok(request.is_some() && fds.last().is_some_and(|fd| !fd.revents().is_empty()))
    }

    fn advance(&mut self) -> anyhow::Result<()> {
        let host = self.board.host()?;
        if let Some(boot_id) = self.boot()
            && (!host.running || host.boot_id != boot_id)
        {
            info!("boot {boot_id} is over");
            self.phase = Phase::Waiting;
            self.board.set_state(ModemState::Waiting)?;
        }
        if matches!(self.phase, Phase::Waiting) && host.running && host.boot_id != 0 {
            self.take_boot(host.boot_id)?;
        }
        if let Phase::Up {
            boot_id,
            vdev,
            link,
        } = &self.phase
            && link.was_reset()
        {
            info!("the driver has cleared the rings");
            let (boot_id, vdev) = (*boot_id, *vdev);
            self.phase = Phase::Booting { boot_id, vdev };
        }
        if let Phase::Booting { boot_id, vdev } = &self.phase
            // Errors are ignored: only this modem's own stores can make the table invalid.
            && let Ok(Some(table)) = vdev.ready(self.board.memory())
        {
            let (boot_id, vdev) = (*boot_id, *vdev);
            let mut link = Box::new(Link::open(self.board.memory(), &vdev, table)?);
            link.stack = self.caif.then(Stack::default);
            self.links += 1;
            info!("link {} is up", self.links);
            self.phase = Phase::Up {
                boot_id,
                vdev,
                link,
            };
        }
        Ok(())
    }

    fn take_boot(&mut self, boot_id: u32) -> anyhow::Result<()> {
        if self.board.taken()? == boot_id {
            info!("boot {boot_id} was taken by an earlier modem");
            return self.crash(boot_id);
        }
        self.board.take(boot_id)?;
        let (da, len) = self.board.table()?;
        let vdev = Vdev::find(self.board.memory(), da, len)?;
        info!("boot {boot_id}");
        self.phase = Phase::Booting { boot_id, vdev };
        Ok(self.board.set_state(ModemState::Running)?)
    }

    /// Ends a boot by the state "crashed", so that Linux starts another one.
    pub fn crash(&mut self, boot_id: u32) -> anyhow::Result<()> {
        self.phase = Phase::Crashed { boot_id };
        Ok(self.board.set_state(ModemState::Crashed)?)
    }

    /// Ends the modem in an orderly way, with the state "absent".
    pub fn leave(&self) -> anyhow::Result<()> {
        Ok(self.board.set_state(ModemState::Absent)?)
    }
}
