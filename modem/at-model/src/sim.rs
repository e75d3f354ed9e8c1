// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The SIM card: whether it is there, and its PIN.

use crate::failure::{Cme, Failure};

const PIN_TRIES: u8 = 3;
const PUK_TRIES: u8 = 10;
/// The code that unblocks the SIM after wrong PINs.
const PUK: &str = "12345678";

/// The state of the SIM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SimState {
    Absent,
    Pin,
    Puk,
    /// After too many wrong PUKs.
    Dead,
    Ready,
}

/// The SIM card.
#[derive(Debug)]
pub(crate) struct Sim {
    pub(crate) present: bool,
    /// The PIN, and whether the SIM asks for it.
    pin: String,
    locked: bool,
    entered: bool,
    pin_tries: u8,
    puk_tries: u8,
}

impl Sim {
    /// Creates a SIM that asks for a PIN if one is given.
    pub(crate) fn new(pin: Option<&str>) -> Self {
        Self {
            present: true,
            pin: pin.unwrap_or("0000").to_owned(),
            locked: pin.is_some(),
            entered: false,
            pin_tries: PIN_TRIES,
            puk_tries: PUK_TRIES,
        }
    }

    /// Cycles the power of the SIM, after which it asks for the PIN again.
    pub(crate) fn power_cycle(&mut self) {
        self.entered = false;
    }

    pub(crate) fn state(&self) -> SimState {
        match self {
            Self { present: false, .. } => SimState::Absent,
            Self { puk_tries: 0, .. } => SimState::Dead,
            Self { pin_tries: 0, .. } => SimState::Puk,
            Self {
                locked: true,
                entered: false,
                ..
            } => SimState::Pin,
            _ => SimState::Ready,
        }
    }

    /// Fails unless the SIM can be read.
    pub(crate) fn ready(&self) -> Result<(), Failure> {
        match self.state() {
            SimState::Ready => Ok(()),
            SimState::Absent => Err(Cme::NoSim.into()),
            SimState::Pin => Err(Cme::PinRequired.into()),
            SimState::Puk | SimState::Dead => Err(Cme::PukRequired.into()),
        }
    }

    /// Returns whether the SIM asks for a PIN when it gets power.
    pub(crate) fn is_locked(&self) -> bool {
        self.locked
    }

    /// Returns the tries that are left for PIN and PUK.
    pub(crate) fn tries(&self) -> (u8, u8) {
        (self.pin_tries, self.puk_tries)
    }

    fn check(&mut self, pin: &str) -> Result<(), Failure> {
        if self.pin_tries == 0 {
            return Err(Cme::PukRequired.into());
        }
        if pin != self.pin {
            self.pin_tries = self.pin_tries.saturating_sub(1);
            return Err(Cme::WrongPin.into());
        }
        self.pin_tries = PIN_TRIES;
        Ok(())
    }

    /// Enters the PIN that the SIM asks for.
    pub(crate) fn enter(&mut self, pin: &str) -> Result<(), Failure> {
        match self.state() {
            SimState::Pin => self.check(pin).map(|()| self.entered = true),
            SimState::Ready => Err(Cme::NotAllowed.into()),
            _ => self.ready(),
        }
    }

    /// Enters the PUK and a new PIN.
    pub(crate) fn unblock(&mut self, puk: &str, pin: &str) -> Result<(), Failure> {
        if self.state() != SimState::Puk {
            return Err(Cme::NotAllowed.into());
        }
        if puk != PUK {
            self.puk_tries = self.puk_tries.saturating_sub(1);
            return Err(Cme::WrongPin.into());
        }
        is_pin(pin)?;
        pin.clone_into(&mut self.pin);
        self.pin_tries = PIN_TRIES;
        self.puk_tries = PUK_TRIES;
        self.entered = true;
        Ok(())
    }

    /// Switches the request for the PIN on or off.
    pub(crate) fn lock(&mut self, locked: bool, pin: &str) -> Result<(), Failure> {
        self.ready()?;
        self.check(pin)?;
        self.locked = locked;
        // Whoever knows the PIN has entered it.
        self.entered = true;
        Ok(())
    }

    /// Changes the PIN.
    pub(crate) fn change(&mut self, old: &str, new: &str) -> Result<(), Failure> {
        self.ready()?;
        is_pin(new)?;
        self.check(old)?;
        new.clone_into(&mut self.pin);
        Ok(())
    }
}

fn is_pin(pin: &str) -> Result<(), Failure> {
    let valid = (4..=8).contains(&pin.len()) && pin.bytes().all(|b| b.is_ascii_digit());
    valid.then_some(()).ok_or(Cme::BadParameters.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_wrong_pins_and_a_puk() {
        let mut sim = Sim::new(Some("1234"));
        for left in [2, 1, 0] {
            assert_eq!(sim.state(), SimState::Pin);
            assert_eq!(sim.enter("4321"), Err(Cme::WrongPin.into()));
            assert_eq!(sim.tries(), (left, 10));
        }
        assert_eq!(sim.state(), SimState::Puk);
        assert_eq!(sim.enter("1234"), Err(Cme::PukRequired.into()));
        assert_eq!(sim.unblock("1", "5678"), Err(Cme::WrongPin.into()));
        assert_eq!(sim.tries(), (0, 9));
        assert_eq!(sim.unblock(PUK, "x"), Err(Cme::BadParameters.into()));
        assert_eq!(sim.unblock(PUK, "5678"), Ok(()));
        assert_eq!(sim.state(), SimState::Ready);
        sim.power_cycle();
        assert_eq!(sim.enter("5678"), Ok(()));
    }

    #[test]
    fn ten_wrong_puks_end_it() {
        let mut sim = Sim::new(Some("1234"));
        (0..3).for_each(|_| assert!(sim.enter("0").is_err()));
        (0..10).for_each(|_| assert!(sim.unblock("0", "1234").is_err()));
        assert_eq!(sim.state(), SimState::Dead);
        assert!(sim.unblock(PUK, "1234").is_err());
    }

    #[test]
    fn a_lock_is_asked_for_after_the_next_power_on() {
        let mut sim = Sim::new(None);
        sim.power_cycle();
        assert_eq!(sim.state(), SimState::Ready);
        assert_eq!(sim.change("0000", "1111"), Ok(()));
        assert_eq!(sim.lock(true, "1111"), Ok(()));
        assert_eq!(sim.state(), SimState::Ready);
        sim.power_cycle();
        assert_eq!(sim.state(), SimState::Pin);
        sim.present = false;
        assert_eq!(sim.enter("1111"), Err(Cme::NoSim.into()));
    }
}
