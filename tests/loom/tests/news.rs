// SPDX-License-Identifier: GPL-2.0 OR MIT

//! No interrupt is lost, which depends on the barriers of the swap.

use vring_loom::models::news::search;

#[test]
fn no_news_is_lost() {
    assert_eq!(search(true), Ok(()));
}

#[test]
fn news_are_lost_without_barriers() {
    match search(false) {
        Ok(()) => panic!("a swap without barriers is not noticed"),
        Err(what) => assert!(what.contains("asleep with news"), "{what}"),
    }
}
