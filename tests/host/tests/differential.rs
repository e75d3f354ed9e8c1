// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A short run of the comparison with `virtio-queue`; the long one is a program of its own.

use vring_host_tests::differential::run;

fn agree(event_idx: bool) {
    let totals = run(1_000_000, event_idx, 2, |_| {}).unwrap_or_else(|e| panic!("{e}"));
    assert!(totals.chains >= 1_000_000);
    assert!(totals.rings >= 10);
    assert!(totals.segments > totals.chains);
    assert!(totals.whole > 0, "no chain of a whole ring was compared");
    let silent = totals.decisions - totals.notified;
    assert!(totals.notified > 1000 && silent > 1000, "{totals:?}");
}

#[test]
fn both_devices_agree_without_event_idx() {
    agree(false);
}

#[test]
fn both_devices_agree_with_event_idx() {
    agree(true);
}
