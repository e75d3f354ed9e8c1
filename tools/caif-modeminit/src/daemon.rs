// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The loop: waits for the kernel, the bus and signals, and does what is to be done.

use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::net::UnixStream,
    path::PathBuf,
    pin::Pin,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use async_io::{Async, Timer};
use futures_lite::future;
use tracing::{info, warn};

use crate::{
    bus::{Bus, NAME},
    kernel::Kernel,
    modems::{Action, Link, Modems, Snapshot},
    notify,
    ofono::{Event, Ofono},
    sweep::Sweeper,
};

/// Delay before the kernel is looked at again after it gave no answer.
const AGAIN: Duration = Duration::from_secs(1);

/// The event that ended a wait.
enum Woken {
    End,
    Kernel,
    Ofono(Event),
    Answer(Option<bool>),
    Time,
}

/// A question to oFono whether a modem is online.
struct Question {
    /// The interfaces that oFono had made before.
    candidates: Vec<u32>,
    answer: Pin<Box<dyn Future<Output = Option<bool>>>>,
}

/// Settings for deleting interfaces that oFono leaves behind.
#[derive(Clone, Debug, Default)]
pub struct Sweeping {
    /// Whether none are deleted.
    pub off: bool,
    /// The file that keeps the list of oFono's interfaces for the next start.
    pub file: Option<PathBuf>,
}

/// The daemon.
pub struct Daemon<K> {
    kernel: K,
    bus: Bus,
    ofono: Ofono,
    modems: Modems,
    /// `None` if no interfaces are to be deleted.
    sweeper: Option<Sweeper>,
    /// The file that keeps the list of oFono's interfaces, and its content.
    kept: Option<(PathBuf, String)>,
    question: Option<Question>,
    /// Whether to ask again after the answer.
    ask_again: bool,
    /// Whether the kernel gave no answer, which is logged once.
    blind: bool,
}

impl<K: Kernel> Daemon<K> {
    /// Runs until `end` can be read.
    pub async fn run(
        kernel: K,
        bus: Bus,
        sweeping: Sweeping,
        end: &Async<UnixStream>,
    ) -> Result<()> {
        let connection = bus.connection().clone();
        let tasks = async {
            loop {
                connection.executor().tick().await;
            }
        };
        let serve = async {
            let ofono = Ofono::new(&connection).await;
            let mut daemon = Self {
                kernel,
                bus,
                ofono: ofono.context("cannot listen to oFono")?,
                modems: Modems::default(),
                sweeper: (!sweeping.off).then(Sweeper::default),
                kept: sweeping.file.map(|file| (file, String::new())),
                question: None,
                ask_again: false,
                blind: false,
            };
            daemon.serve(end).await
        };
        future::or(serve, tasks).await
    }

    async fn serve(&mut self, end: &Async<UnixStream>) -> Result<()> {
        self.learn_ofono().await;
        self.load();
        self.look().await?;
        self.ask();
        self.bus.take_name().await?;
        info!("have the name {NAME}");
        if self.modems.all().is_empty() {
            info!("there is no modem yet: no CAIF link of a remote processor");
        }
        notify::ready().context("cannot tell the service manager")?;
        loop {
            match self.wait(end).await? {
                Woken::End => break,
                Woken::Kernel | Woken::Time => self.look().await?,
                Woken::Ofono(Event::Owner) => {
                    // What the old process made must be known before it is gone.
                    self.look().await?;
                    self.learn_ofono().await;
                    self.look().await?;
                }
                Woken::Ofono(Event::Modem) => {
                    // What was made before is asked of, too.
                    self.look().await?;
                    self.ask();
                }
                Woken::Ofono(Event::End) => bail!("the bus is gone"),
                Woken::Answer(online) => self.answered(online).await?,
            }
        }
        self.bus
            .release_name()
            .await
            .context("cannot give the name back")?;
        info!("gave the name back");
        Ok(())
    }

    async fn wait(&mut self, end: &Async<UnixStream>) -> Result<Woken> {
        let Self {
            kernel,
            ofono,
            question,
            ..
        } = self;
        let deadline = match self.blind {
            true => Some(Instant::now() + AGAIN),
            false => self.modems.deadline(),
        };
        let ended = async {
            end.readable().await?;
            Ok::<_, io::Error>(Woken::End)
        };
        let changed = async {
            kernel.changed().await?;
            Ok(Woken::Kernel)
        };
        let told = async { Ok(Woken::Ofono(ofono.next().await)) };
        let answer = async {
            match question {
                Some(question) => Ok(Woken::Answer(question.answer.as_mut().await)),
                None => future::pending().await,
            }
        };
        let time = async {
            deadline.map_or_else(Timer::never, Timer::at).await;
            Ok(Woken::Time)
        };
        let bus = future::or(told, answer);
        let woken = future::or(ended, future::or(changed, future::or(bus, time))).await;
        woken.context("cannot wait for the kernel")
    }

    /// Looks at the kernel, and does what is to be done.
    async fn look(&mut self) -> Result<()> {
        let made = self.kernel.made();
        for one in made {
            if let Some(sweeper) = &mut self.sweeper {
                sweeper.made(one.dev.index, &one.dev.name, one.port);
            }
        }
        match self.kernel.look() {
            Ok(snapshot) => {
                self.blind = false;
                self.act(&snapshot).await
            }
            Err(error) => {
                if !self.blind {
                    warn!("{error:#}");
                }
                self.blind = true;
                Ok(())
            }
        }
    }

    async fn act(&mut self, snapshot: &Snapshot) -> Result<()> {
        let actions = self.modems.observe(snapshot, Instant::now());
        self.bus.show(self.modems.all()).await?;
        for action in actions {
            match action {
                Action::SetUp(link) => self.set_up(&link)?,
                Action::Tell(serial, state) => {
                    info!("{serial} is {state}");
                    self.bus.tell(&serial, state).await?;
                }
                Action::Slow(serial, why) => warn!("{serial} does not become ready: {why}"),
            }
        }
        let due = self
            .sweeper
            .as_mut()
            .map(|one| one.sweep(&snapshot.interfaces));
        for one in due.unwrap_or_default() {
            match self.kernel.delete(one.index) {
                Ok(()) => info!("deleted {}, which oFono left behind", one.name),
                Err(error) => warn!("cannot delete {}: {error}", one.name),
            }
        }
        self.store();
        if self.bus.is_outdated() {
            info!(
                "a modem or its interface is new: taking the name anew, so that oFono asks again"
            );
            self.bus.release_name().await?;
            self.bus.take_name().await?;
        }
        Ok(())
    }

    fn set_up(&mut self, link: &Link) -> Result<()> {
        match self.kernel.set_up(link.index) {
            Ok(()) => info!("set {} up", link.name),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                bail!(
                    "setting {} up takes CAP_NET_ADMIN: run this as root",
                    link.name
                )
            }
            Err(error) => warn!("cannot set {} up: {error}", link.name),
        }
        Ok(())
    }

    /// Loads the list that an earlier start of the program kept.
    fn load(&mut self) {
        if let (Some((file, text)), Some(sweeper)) = (&mut self.kept, &mut self.sweeper) {
            match fs::read_to_string(&*file) {
                Ok(read) => {
                    sweeper.load(&read);
                    *text = read;
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => warn!("cannot read {}: {error}", file.display()),
            }
        }
    }

    /// Keeps what oFono made, if that changed.
    fn store(&mut self) {
        let (Some((file, text)), Some(sweeper)) = (&mut self.kept, &self.sweeper) else {
            return;
        };
        let now = sweeper.text();
        if now == *text {
            return;
        }
        match fs::write(&*file, &now) {
            Ok(()) => *text = now,
            Err(error) => {
                warn!(
                    "cannot write to {}, which is not used any more: {error}",
                    file.display()
                );
                self.kept = None;
            }
        }
    }

    /// Learns which process oFono is.
    async fn learn_ofono(&mut self) {
        let process = self.ofono.process().await;
        if let Some(sweeper) = &mut self.sweeper {
            sweeper.ofono_is(process);
        }
        self.question = None;
    }

    /// Asks oFono whether a modem is online, if it may have left interfaces behind.
    fn ask(&mut self) {
        if self.question.is_some() {
            self.ask_again = true;
            return;
        }
        let candidates = self.sweeper.as_ref().map(Sweeper::candidates);
        let Some(candidates) = candidates.filter(|list| !list.is_empty()) else {
            return;
        };
        let serials = self.modems.all().iter().map(|one| one.serial.clone());
        self.question = Some(Question {
            candidates,
            answer: Box::pin(self.ofono.ask(serials.collect())),
        });
    }

    async fn answered(&mut self, online: Option<bool>) -> Result<()> {
        let question = self.question.take();
        if let (Some(question), Some(sweeper), Some(false)) = (question, &mut self.sweeper, online)
        {
            sweeper.left(&question.candidates);
        }
        self.look().await?;
        if std::mem::take(&mut self.ask_again) {
            self.ask();
        }
        Ok(())
    }
}
