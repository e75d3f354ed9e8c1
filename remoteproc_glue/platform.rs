// SPDX-License-Identifier: GPL-2.0

//! Properties of the platforms whose drivers create remote processors.

use super::Link;
use kernel::prelude::*;

/// Properties of a platform's driver.
#[derive(Clone, Copy)]
pub(super) struct Platform {
    /// Name of the driver.
    name: &'static CStr,
    /// Whether its `kick` never sleeps and may run on several CPUs at once.
    pub(super) kicks_atomically: bool,
    /// Whether it passes interrupts on in RCU read-side sections only.
    pub(super) interrupts_in_rcu: bool,
}

impl Platform {
    /// The known ones. The last three are those of remote processors made of software: the test
    /// boards, and devices without a bus.
    const KNOWN: &[Self] = &[
        Self::new(c"davinci-rproc", true, false),
        Self::new(c"ingenic-vpu", true, false),
        Self::new(c"k3-dsp-rproc", true, false),
        Self::new(c"k3-m4-rproc", true, false),
        Self::new(c"keystone-rproc", true, false),
        Self::new(c"st-rproc", true, false),
        Self::new(c"stm32-rproc", true, false),
        Self::new(c"ivshmem_rproc", true, true),
        Self::new(c"soc_rproc", true, true),
        Self::new(c"faux_driver", true, true),
    ];

    /// Any other one, of which nothing is assumed.
    const OTHER: Self = Self::new(c"", false, false);

    const fn new(name: &'static CStr, kicks_atomically: bool, interrupts_in_rcu: bool) -> Self {
        Self {
            name,
            kicks_atomically,
            interrupts_in_rcu,
        }
    }
}

impl Link<'_> {
    /// Returns the properties of the platform that the remote processor is part of. Those of a
    /// device without a driver, such as one for each core, are unknown.
    pub(super) fn platform(&self) -> Platform {
        let known = self
            .platform_driver()
            .and_then(|name| Platform::KNOWN.iter().find(|known| known.name == name));
        known.copied().unwrap_or(Platform::OTHER)
    }

    /// Returns the name of the driver of the platform. `None` if the remote processor was made for
    /// a device without a driver.
    fn platform_driver(&self) -> Option<&CStr> {
        // SAFETY: By the type invariant, the remote processor is valid.
        let platform = unsafe { (*self.rproc.as_ptr()).dev.parent };
        if platform.is_null() {
            return None;
        }
        // SAFETY: The parent of a valid device is valid.
        let driver = unsafe { (*platform).driver };
        if driver.is_null() {
            return None;
        }
        // SAFETY: The driver cannot go while the remote processor that it created is registered.
        let name = unsafe { (*driver).name };
        // SAFETY: The name of a driver is a string that lives as long as the driver.
        (!name.is_null()).then(|| unsafe { CStr::from_char_ptr(name) })
    }
}
