// SPDX-License-Identifier: GPL-2.0

//! Checks that end a test with an error, so that its values are dropped.
//!
//! KUnit's own assertions stop the test's thread at once, and leave a fake modem behind.

use crate::modem_ring::Violation;
use kernel::{
    fmt,
    prelude::*, //
};

/// Reports a failed check.
#[cold]
pub(crate) fn failed(module: &str, line: u32, what: fmt::Arguments<'_>) -> Error {
    pr_err!("    # check failed in {module}, line {line}: {what}\n");
    EINVAL
}

/// Reports a rule of a ring that the driver broke.
#[cold]
pub(crate) fn violated(violation: Violation) -> Error {
    failed(module_path!(), line!(), fmt!("{violation:?}"))
}

/// Ends the function with an error, unless the condition holds.
#[macro_export]
macro_rules! check {
    ($condition:expr, $($what:tt)+) => {
        if !$condition {
            return Err($crate::check::failed(
                module_path!(),
                line!(),
                kernel::prelude::fmt!($($what)+),
            ));
        }
    };
}

/// Ends the function with an error, unless both values are equal.
#[macro_export]
macro_rules! check_eq {
    ($found:expr, $wanted:expr, $what:literal) => {{
        let (found, wanted) = ($found, $wanted);
        $crate::check!(
            found == wanted,
            "{}: found {:?}, wanted {:?}",
            $what,
            found,
            wanted
        );
    }};
}
