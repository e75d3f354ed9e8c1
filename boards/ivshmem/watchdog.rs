// SPDX-License-Identifier: GPL-2.0

//! The watchdog that reports a dead modem.
//!
//! The modem's interrupt for the control page and a timer both lead to a look at the page, so
//! that a modem that can still say so is reported dead at once, and one that cannot after two
//! seconds.

use super::layout::{
    ControlPage,
    Modem,
    ModemState, //
};
use crate::abstractions::{
    event::Event,
    remoteproc::{
        Crash,
        Rproc, //
    }, //
};
use kernel::{
    impl_has_hr_timer,
    new_spinlock_irq,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        ArcBorrow,
        SpinLockIrq, //
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

/// Time between two looks.
const TICK: Delta = Delta::from_millis(250);
/// Looks at an unchanged heartbeat before the modem is taken for dead: two seconds. Looks are
/// counted, not time, so that a guest that was paused does not blame its modem.
const STILL_TICKS: u32 = 8;
/// Looks before a crash is reported: one second, lest a modem that crashes in each boot keeps
/// Linux busy with nothing but recoveries.
const EARLIEST_TICKS: u32 = 4;

/// A boot that is watched.
struct Boot {
    /// Whom to report to.
    rproc: ARef<Rproc>,
    /// Its number.
    id: u32,
    /// Looks of the timer since it began.
    age: u32,
    /// The heartbeat at the last look of the timer.
    heartbeat: u32,
    /// Looks of the timer since it changed, or since the modem took the boot.
    still: u32,
    /// The modem has been in the state of a crash since before the boot: it has not noticed the
    /// boot yet, or it is dead and will not.
    stale_crash: bool,
    /// Whether a crash was reported already.
    reported: bool,
}

impl Boot {
    /// Returns what is wrong with the modem, if anything.
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
    /// The modem has been seen not running.
    #[pin]
    left: Event,
    #[pin]
    timer: HrTimer<Self>,
}

/// A running timer of a watchdog; it is stopped when this is dropped.
pub(crate) type Armed = ArcHrTimerHandle<Watchdog>;

impl Watchdog {
    /// Creates a watchdog that watches no boot yet.
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

    /// Begins to watch the boot `id`; `before` is the modem's state before it.
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

    /// Prepares a [`wait_leave`](Self::wait_leave).
    pub(crate) fn expect_leave(&self) {
        self.left.reset();
    }

    /// Waits until the modem does not run, at most for `ms` milliseconds. Returns whether it was
    /// seen not running.
    pub(crate) fn wait_leave(&self, ms: u32) -> bool {
        self.left.wait(ms)
    }

    /// Checks the control page, on the modem's interrupt or, with `tick`, on the timer's. Any
    /// context.
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
