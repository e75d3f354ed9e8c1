// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The memory layout of a ring.

use proptest::prelude::*;
use vring_host_tests::vring_layout::{need_event, Layout, LayoutError, MAX_NUM};

/// Each part of a ring: offset, bytes, and the alignment that the specification asks for.
fn parts(layout: &Layout) -> Vec<(usize, usize, usize)> {
    let last = layout.num() - 1;
    let mut parts = vec![
        (layout.desc(0), 16, 16),
        (layout.desc(last), 16, 16),
        (layout.avail_flags(), 2, 2),
        (layout.avail_idx(), 2, 2),
        (layout.avail_ring(0), 2, 2),
        (layout.avail_ring(last), 2, 2),
        (layout.used_event(), 2, 2),
        (layout.used_flags(), 2, 4),
        (layout.used_idx(), 2, 2),
        (layout.used_ring(0), 8, 4),
        (layout.used_ring(last), 8, 4),
        (layout.avail_event(), 2, 2),
    ];
    parts.dedup();
    parts
}

#[test]
fn a_ring_of_256_is_where_the_c_header_puts_it() {
    let layout = Layout::new(256, 4096).expect("a usual geometry");
    assert_eq!(layout.desc(255), 4080);
    assert_eq!(layout.avail_flags(), 4096);
    assert_eq!(layout.avail_idx(), 4098);
    assert_eq!(layout.avail_ring(0), 4100);
    assert_eq!(layout.used_event(), 4612);
    assert_eq!(layout.used_flags(), 8192);
    assert_eq!(layout.used_idx(), 8194);
    assert_eq!(layout.used_ring(0), 8196);
    assert_eq!(layout.avail_event(), 10244);
    // vring_size(256, 4096) of the C header, which counts `used_event` and `avail_event`.
    assert_eq!(layout.size(), 10246);
}

#[test]
fn the_smallest_and_the_largest_ring() {
    assert_eq!(Layout::new(1, 4).map(|l| l.size()), Ok(38));
    let largest = Layout::new(MAX_NUM, 65536).expect("the largest geometry");
    assert_eq!(u32::from(largest.num()), MAX_NUM);
    assert_eq!(largest.size(), 9 * 65536 + 65536 + 6 + 8 * 32768);
}

#[test]
fn indices_run_on_and_slots_wrap() {
    let layout = Layout::new(8, 16).expect("a usual geometry");
    assert_eq!(layout.avail_ring(8), layout.avail_ring(0));
    assert_eq!(layout.used_ring(65535), layout.used_ring(7));
    assert_eq!(layout.desc(9), layout.desc(1));
}

#[test]
fn odd_geometries_are_refused_with_the_value() {
    for num in [0, 3, 100, 32769, 65536, 1 << 31, u32::MAX] {
        assert_eq!(Layout::new(num, 64), Err(LayoutError::Num(num)));
    }
    for align in [0, 1, 2, 3, 48, 65537, 131_072, u32::MAX] {
        assert_eq!(Layout::new(64, align), Err(LayoutError::Align(align)));
    }
}

#[test]
fn errors_say_what_is_allowed() {
    assert_eq!(
        LayoutError::Num(100).to_string(),
        "100 descriptors, must be a power of two from 1 to 32768"
    );
    assert_eq!(
        LayoutError::Align(3).to_string(),
        "alignment of 3 bytes, must be a power of two from 4 to 65536"
    );
}

proptest! {
    #[test]
    fn parts_are_aligned_and_apart(num in 0u32..=15, align in 2u32..=16) {
        let layout = Layout::new(1 << num, 1 << align).expect("powers of two in range");
        let parts = parts(&layout);
        prop_assert_eq!(layout.used_flags() % (1 << align), 0);
        for pair in parts.windows(2) {
            prop_assert!(pair[0].0 + pair[0].1 <= pair[1].0, "{:?} overlaps", pair);
        }
        for (off, len, align) in &parts {
            prop_assert_eq!(off % align, 0);
            prop_assert!(off + len <= layout.size());
        }
    }

    #[test]
    fn an_event_is_due_when_the_index_passes_it(event: u16, old: u16, moved in 0u16..=32768) {
        let new = old.wrapping_add(moved);
        let passed = (0..moved).any(|i| old.wrapping_add(i) == event);
        prop_assert_eq!(need_event(event, new, old), passed);
    }

    #[test]
    fn an_event_close_by_is_seen(old: u16, ahead in 0u16..64, moved in 0u16..64) {
        let event = old.wrapping_add(ahead);
        prop_assert_eq!(need_event(event, old.wrapping_add(moved), old), ahead < moved);
    }
}
