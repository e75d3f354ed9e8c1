// SPDX-License-Identifier: GPL-2.0

//! Reports a modem that crashed or has stopped.
//!
//! The control page is examined at each interrupt of its vector and at each tick of a timer. So a
//! crash that the modem or the server announces is reported at once, and a heartbeat that stands
//! still after two seconds.

use super::control::{
    ControlPage,
    Modem,
    ModemState, //
};
use crate::abstractions::{
    compat::{
        new_spinlock_irq,
        SpinLockIrq, //
    },
    event::Event,
    remoteproc::{
        Crash,
        Rproc, //
    }, //
};
use kernel::{
    impl_has_hr_timer,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        ArcBorrow, //
    },
    time::{
        hrtimer::{
            ArcHrTimerHandle,
            HrTimer,
            HrTimerCallback,
            HrTimerCallbackContext,
            HrTimerPointer,
            HrTimerRestart,
            RelativeSoftMode, //
        },
        Delta,
        Monotonic, //
    }, //
};

/// Period of the timer.
const TICK: Delta = Delta::from_millis(250);
/// Ticks with an unchanged heartbeat after which the modem counts as dead: two seconds. Ticks are
/// counted instead of time, so that a pause of the guest is not taken for a dead modem.
const STILL_TICKS: u32 = 8;
/// Ticks from the start of a boot to the first report: one second, which limits the recoveries of
/// a modem that crashes in each boot.
const EARLIEST_TICKS: u32 = 4;

/// A boot that is watched.
struct Boot {
    /// The remote processor whose crash is reported.
    rproc: ARef<Rproc>,
    /// Number of the boot.
    id: u32,
    /// Ticks since the boot began.
    age: u32,
    /// The heartbeat at the last tick.
    heartbeat: u32,
    /// Ticks since the heartbeat changed, or since the modem took the boot.
    still: u32,
    /// Whether the modem's state was "crashed" before the boot and has not changed since.
    stale_crash: bool,
    /// Whether a crash was reported already.
    reported: bool,
}

impl Boot {
    /// Returns the crash to report, if there is one.
    fn verdict(&self, modem: &Modem) -> Option<(Crash, &'static str)> {
        let taken = modem.boot_id == self.id;
        match modem.state {
            ModemState::Crashed if taken || !self.stale_crash => Some((Crash::Fatal, "crashed")),
            ModemState::Absent if taken => Some((Crash::Fatal, "is gone")),
            ModemState::Waiting | ModemState::Running if taken && self.still >= STILL_TICKS => {
                Some((Crash::Watchdog, "has stopped"))
            }
            _ => None,
        }
    }
}

/// The watchdog of a board's modem.
#[pin_data]
pub(crate) struct Watchdog {
    control: ControlPage,
    /// The boot that is watched, if there is one.
    #[pin]
    boot: SpinLockIrq<Option<Boot>>,
    /// Set once the modem was seen not running.
    #[pin]
    left: Event,
    #[pin]
    timer: HrTimer<Self>,
}

/// A running timer of a watchdog; it is stopped when this is dropped.
pub(crate) type Armed = ArcHrTimerHandle<Watchdog>;

impl Watchdog {
    /// Creates a watchdog that is not armed.
    pub(crate) fn new(control: ControlPage) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                control,
                boot <- new_spinlock_irq!(None),
                left <- Event::new(),
                timer <- HrTimer::new(),
            }),
            GFP_KERNEL,
        )
    }

    /// Returns the control page.
    pub(crate) fn control(&self) -> &ControlPage {
        &self.control
    }

    /// Begins to watch the boot `id`. `before` are the modem's fields before that boot.
    pub(crate) fn arm(self: &Arc<Self>, rproc: &Rproc, id: u32, before: &Modem) -> Armed {
        *self.boot.lock() = Some(Boot {
            rproc: rproc.into(),
            id,
            age: 0,
            heartbeat: before.heartbeat,
            still: 0,
            stale_crash: before.state == ModemState::Crashed,
            reported: false,
        });
        self.clone().start(TICK)
    }

    /// Stops watching; no crash is reported once this returns.
    pub(crate) fn disarm(&self, armed: Option<Armed>) {
        drop(armed);
        let boot = self.boot.lock().take();
        drop(boot);
    }

    /// Prepares a call of [`wait_leave`](Self::wait_leave).
    pub(crate) fn expect_leave(&self) {
        self.left.reset();
    }

    /// Waits until the modem does not run, for at most `ms` milliseconds. Returns whether it was
    /// seen not running.
    pub(crate) fn wait_leave(&self, ms: u32) -> bool {
        self.left.wait(ms)
    }

    /// Examines the control page after an interrupt, or after a tick of the timer if `tick` is set.
    /// May be called in any context.
    pub(crate) fn look(&self, tick: bool) {
        let Ok(modem) = self.control.modem() else {
            return;
        };
        if modem.state != ModemState::Running {
            self.left.set();
        }
        let mut guard = self.boot.lock();
        let Some(boot) = &mut *guard else {
            return;
        };
        if tick {
            boot.age = boot.age.saturating_add(1);
            boot.still = if modem.boot_id == boot.id && modem.heartbeat == boot.heartbeat {
                boot.still.saturating_add(1)
            } else {
                0
            };
            boot.heartbeat = modem.heartbeat;
        }
        if modem.state != ModemState::Crashed {
            boot.stale_crash = false;
        }
        if boot.reported || boot.age < EARLIEST_TICKS {
            return;
        }
        if let Some((crash, what)) = boot.verdict(&modem) {
            boot.reported = true;
            dev_err!(boot.rproc, "the modem {what}\n");
            boot.rproc.report_crash(crash);
        }
    }
}

impl HrTimerCallback for Watchdog {
    type Pointer<'a> = Arc<Self>;

    fn run(this: ArcBorrow<'_, Self>, mut ctx: HrTimerCallbackContext<'_, Self>) -> HrTimerRestart {
        this.look(true);
        ctx.forward_now(TICK);
        HrTimerRestart::Restart
    }
}

impl_has_hr_timer! {
    impl HasHrTimer<Self> for Watchdog {
        mode: RelativeSoftMode<Monotonic>, field: self.timer
    }
}
