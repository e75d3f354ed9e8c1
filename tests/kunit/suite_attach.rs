// SPDX-License-Identifier: GPL-2.0

//! Suite: processors that run already are attached to and detached from; their tables, and what
//! fails.

use crate::{
    control,
    fake::{
        Fake,
        FakeOptions, //
    },
    table,
    traffic::passes, //
};
use kernel::prelude::*;

/// Returns the resource table as the modem has it, and what is behind it.
fn table_of(fake: &Fake) -> Result<KVec<u8>> {
    let mut bytes = KVec::new();
    for at in 0..table::SIZE {
        bytes.push(fake.memory().read(fake.table() + at)?, GFP_KERNEL)?;
    }
    Ok(bytes)
}

/// Checks that Linux is attached for the `times`th time.
fn is_attached(fake: &Fake, times: u32) -> Result {
    check!(
        fake.record().wait(|record| record.is_up(times)),
        "not attached"
    );
    Ok(())
}

#[kernel::macros::kunit_tests(caif_virtio_attach)]
mod tests {
    use super::*;

    /// remoteproc reads the number of vrings again after it has checked it.
    #[test]
    fn table_that_changes_after_the_check() -> Result {
        let fake = Fake::new(&FakeOptions::default())?;
        // Behind the table are as many vrings as remoteproc would find.
        let (table, end) = (fake.table(), fake.table() + table::CONFIG);
        for at in end..end + 1024 {
            fake.memory().write::<u8>(at, 1)?;
        }
        let clean = table_of(&fake)?;
        control::changing_at_bind(&fake, table + table::NUM_OF_VRINGS, 40, || fake.attach())?;
        is_attached(&fake, 1)?;
        // Linux reads nothing there. The fake itself reads the features.
        for at in (0..table::SIZE).filter(|at| !table::FEATURES.contains(at)) {
            fake.memory().write::<u8>(table + at, 0xff)?;
        }
        passes(&fake)?;
        fake.detach()?;
        let now = table_of(&fake)?;
        let end = ..table::CONFIG;
        check!(now.get(end) == clean.get(end), "the table is not put back");
        fake.attach()?;
        is_attached(&fake, 2)?;
        passes(&fake)
    }

    /// remoteproc frees its copy of an earlier attach once more.
    #[test]
    fn second_attach_that_fails() -> Result {
        for no_table in [true, false] {
            let fake = Fake::attached(&FakeOptions::default())?;
            let record = fake.record();
            let fail = |fails| {
                if no_table {
                    record.fail_table(fails);
                } else {
                    record.fail_attach(fails);
                }
            };
            fake.detach()?;
            fail(true);
            for _ in 0..3 {
                check_eq!(fake.attach(), Err(EIO), "the attach");
            }
            fail(false);
            fake.attach()?;
            is_attached(&fake, 2)?;
            passes(&fake)?;
        }
        Ok(())
    }

    /// remoteproc frees its copy of the table before it asks the platform.
    #[test]
    fn detach_that_fails() -> Result {
        let fake = Fake::attached(&FakeOptions {
            never_stops: true,
            ..FakeOptions::default()
        })?;
        for stops in [false, false, true, false, true, true] {
            let ret = if stops {
                control::shut_down(fake.rproc())
            } else {
                fake.detach()
            };
            check_eq!(ret, Err(EIO), "the stop or detach");
        }
        Ok(())
    }

    /// Registering it drops a reference that is not its own then.
    #[test]
    fn processor_whose_device_cannot_be_added() -> Result {
        let made = Fake::new(&FakeOptions {
            nameless: true,
            ..FakeOptions::default()
        });
        check_eq!(made.err(), Some(EINVAL), "the error");
        Ok(())
    }
}
