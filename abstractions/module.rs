// SPDX-License-Identifier: GPL-2.0

//! The end of a module: afterwards the kernel calls nothing of it, whatever safe code did.
//!
//! A registration with the kernel ends when its owner is dropped. But safe code may forget an
//! owner, or drop the last reference to it never, and then the kernel would call code of a module
//! that was unloaded. So the module owns each registration as well, and what is left when it goes
//! is ended then. Callbacks of RCU, which nobody can take back, are waited for.

use super::{
    net::socket::{
        SocketOps,
        WithSockets, //
    },
    rcu, //
};
use core::{
    mem::{
        replace,
        take, //
    },
    ops::Deref, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        global_lock,
        Arc, //
    },
    InPlaceModule, //
};

/// What the kernel calls until it is ended.
///
/// # Safety
///
/// When [`unregister`](Self::unregister) has returned, nothing of the registration is called or
/// runs.
pub(super) unsafe trait Unregister: Send + Sync + 'static {
    /// Ends the registration. Called once. Process context without RTNL: sleeps.
    fn unregister(&self);
}

/// The owner of a registration, which ends when this is dropped, or with the module.
pub(super) struct Registered<R: Unregister> {
    registration: Arc<R>,
    /// Its place among [`static@REGISTRATIONS`].
    index: usize,
}

impl<R: Unregister> Registered<R> {
    /// Owns a registration that `registration` makes. `ENODEV` if the module is being unloaded.
    /// Process context: may sleep.
    pub(super) fn new(registration: impl PinInit<R, Error>) -> Result<Self> {
        assert_contained();
        let registration = Arc::pin_init(registration, GFP_KERNEL)?;
        let added = REGISTRATIONS.lock().add(registration.clone());
        match added {
            Ok(index) => Ok(Self {
                registration,
                index,
            }),
            Err(error) => {
                registration.unregister();
                Err(error)
            }
        }
    }
}

impl<R: Unregister> Deref for Registered<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.registration
    }
}

impl<R: Unregister> Drop for Registered<R> {
    fn drop(&mut self) {
        let removed = REGISTRATIONS.lock().remove(self.index);
        // If it is not there any more, the end of the module has it, and ends it.
        if removed.is_some() {
            self.registration.unregister();
        }
    }
}

/// A place for a registration.
enum Place {
    /// The index of another free place.
    Free(Option<usize>),
    Used(Arc<dyn Unregister>),
}

/// The registrations of the module that did not end.
struct Registrations {
    places: KVVec<Place>,
    /// The index of a free place.
    free: Option<usize>,
    /// Whether the module is being unloaded.
    is_closed: bool,
}

impl Registrations {
    const fn new() -> Self {
        Self {
            places: KVVec::new(),
            free: None,
            is_closed: false,
        }
    }

    /// Adds a registration, and returns its index.
    fn add(&mut self, registration: Arc<dyn Unregister>) -> Result<usize> {
        if self.is_closed {
            return Err(ENODEV);
        }
        let free = self.free.and_then(|index| {
            let place = self.places.get_mut(index)?;
            Some((index, place))
        });
        let Some((index, place)) = free else {
            self.places.push(Place::Used(registration), GFP_KERNEL)?;
            return Ok(self.places.len() - 1);
        };
        if let Place::Free(next) = replace(place, Place::Used(registration)) {
            self.free = next;
        }
        Ok(index)
    }

    /// Removes the registration of an index. `None` if the end of the module has it.
    fn remove(&mut self, index: usize) -> Option<Arc<dyn Unregister>> {
        let place = self.places.get_mut(index)?;
        match replace(place, Place::Free(self.free)) {
            Place::Used(registration) => {
                self.free = Some(index);
                Some(registration)
            }
            Place::Free(next) => {
                *place = Place::Free(next);
                None
            }
        }
    }

    /// Removes any place, for good.
    fn close(&mut self) -> Option<Place> {
        self.is_closed = true;
        let place = self.places.pop();
        if place.is_none() {
            drop(take(&mut self.places));
        }
        place
    }
}

global_lock! {
    // SAFETY: `Rest::begin()` initializes it, before any code runs that could use it.
    unsafe(uninit) static REGISTRATIONS: Mutex<Registrations> = Registrations::new();
}

/// What is left of a module when it was dropped. It is ended when this is dropped.
struct Rest(());

impl Rest {
    /// Begins a module. `EBUSY` if it was begun already.
    fn begin() -> Result<Self> {
        static IS_BEGUN: AtomicFlag = AtomicFlag::new(false);

        if IS_BEGUN.xchg(true, Relaxed) {
            return Err(EBUSY);
        }
        // SAFETY: As the flag shows, this happens once.
        unsafe { REGISTRATIONS.init() };
        Ok(Self(()))
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        loop {
            // Each without the lock, since what ends may drop others.
            let place = REGISTRATIONS.lock().close();
            match place {
                Some(Place::Used(registration)) => registration.unregister(),
                Some(Place::Free(_)) => {}
                None => break,
            }
        }
        rcu::wait();
    }
}

/// A module `M` of which nothing is called when it has ended.
///
/// It is the type of the module, or the module of [`WithSockets`].
#[pin_data]
pub(crate) struct Contained<M> {
    // Dropped in this order.
    #[pin]
    inner: M,
    rest: Rest,
}

impl<M: InPlaceModule> InPlaceModule for Contained<M> {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // First, so that nothing of `M` ran before the module's own call of this, and that it
            // is dropped last if that of `M` fails.
            rest: Rest::begin()?,
            inner <- M::init(module),
        })
    }
}

/// A type of a module that is [`Contained`].
trait IsContained {}

impl<M> IsContained for Contained<M> {}

impl<M: IsContained, P: SocketOps> IsContained for WithSockets<M, P> {}

fn assert_type<M: IsContained>() {}

/// Compiles only in a module that is [`Contained`]. What rests on that calls this.
#[inline]
pub(super) fn assert_contained() {
    assert_type::<crate::LocalModule>();
}
