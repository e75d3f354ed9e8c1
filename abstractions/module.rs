// SPDX-License-Identifier: GPL-2.0

//! Containment of a module: after its end, the kernel calls nothing of it, whatever safe code did.
//!
//! A registration with the kernel ends when its owner is dropped. But safe code may forget an
//! owner, or leak a reference to it, and then the kernel would call code of a module that was
//! unloaded. So the module owns each registration as well, and at its end ends those that are left.
//! RCU callbacks, which cannot be cancelled, are waited for.

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
    alloc::flags::GFP_KERNEL_ACCOUNT,
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

/// A registration with the kernel that can be ended.
///
/// # Safety
///
/// When [`unregister`](Self::unregister) has returned, no code of the registration is called or
/// runs.
pub(super) unsafe trait Unregister: Send + Sync + 'static {
    /// Ends the registration. Called once. Process context without RTNL: sleeps.
    fn unregister(&self);
}

/// The owner of a registration, which ends when this is dropped, or at the end of the module.
pub(super) struct Registered<R: Unregister> {
    registration: Arc<R>,
    /// The index in [`static@REGISTRATIONS`].
    index: usize,
}

impl<R: Unregister> Registered<R> {
    /// Creates the owner of the registration that `registration` makes. `ENODEV` if the module is
    /// being unloaded. Process context: may sleep.
    pub(super) fn new(registration: impl PinInit<R, Error>) -> Result<Self> {
        assert_contained();
        let registration = Arc::pin_init(registration, GFP_KERNEL_ACCOUNT)?;
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
        // If it is gone, the module is ending, and ends it.
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

/// The registrations of the module that have not ended.
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

    /// Removes the registration of an index. `None` if the end of the module has removed it.
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

    /// Refuses further registrations and removes a place. Returns `None` when all are removed.
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

/// The registrations that are left when a module is dropped. Dropping this ends them.
struct Rest(());

impl Rest {
    /// Initializes [`static@REGISTRATIONS`]. `EBUSY` if that was done already.
    fn begin() -> Result<Self> {
        static IS_BEGUN: AtomicFlag = AtomicFlag::new(false);

        if IS_BEGUN.xchg(true, Relaxed) {
            return Err(EBUSY);
        }
        // SAFETY: The flag was not set before, so this is the only call of `init()`.
        unsafe { REGISTRATIONS.init() };
        Ok(Self(()))
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        loop {
            // Ended without the lock, since ending one may drop others.
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

/// A module `M` of which the kernel calls nothing after its end.
///
/// It is the type of the module, or the `M` of [`WithSockets`].
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
            // Initialized first, so that no code of `M` ran before a second call fails, and that it
            // is dropped last if `M::init()` fails.
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

/// Fails to compile in a module that is not [`Contained`]. Called by all that relies on that.
#[inline]
pub(super) fn assert_contained() {
    assert_type::<crate::LocalModule>();
}
