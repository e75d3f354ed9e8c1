// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Decisions of the stack (`caif/policy.rs`), case by case.

use vring_host_tests::caif::control::{Failure, Refusal, RequestError};
use vring_host_tests::caif::flow::Stopped;
use vring_host_tests::caif::policy::{
    choose, connect, ip_mtu, is_congested, max_payload, phyid, room_for_segments, socket,
    wire_priority, Candidate, Choice, Connect, Errno, Preference, Progress, SocketType,
};
use vring_host_tests::caif::rfm::SplitError;
use vring_host_tests::caif_wire::Service;
use Preference::{HighBandwidth, LowLatency};

const fn link(ifindex: u32, up: bool, preference: Preference) -> Candidate {
    Candidate {
        ifindex,
        up,
        preference,
    }
}

#[test]
fn a_link_is_chosen() {
    let links = [
        link(3, false, LowLatency),
        link(4, true, HighBandwidth),
        link(5, true, LowLatency),
        link(6, true, LowLatency),
    ];
    let chosen = |choice| choose(links.into_iter(), choice);
    assert_eq!(chosen(Choice::Prefer(LowLatency)), Ok(2));
    assert_eq!(chosen(Choice::Prefer(HighBandwidth)), Ok(1));
    assert_eq!(chosen(Choice::Bound(6)), Ok(3));
    // A link that is down is not used, even if it is the only one.
    assert_eq!(chosen(Choice::Bound(3)), Err(Errno::NoDevice));
    assert_eq!(chosen(Choice::Bound(7)), Err(Errno::NoDevice));
    // A link of the other kind is used if there is no better one.
    let high = [links[0], links[1]].into_iter();
    assert_eq!(choose(high, Choice::Prefer(LowLatency)), Ok(1));
    let down = [links[0]].into_iter();
    assert_eq!(
        choose(down, Choice::Prefer(LowLatency)),
        Err(Errno::NoDevice)
    );
}

#[test]
fn a_preference_is_an_option() {
    assert_eq!(Preference::from_option(0), Ok(HighBandwidth));
    assert_eq!(Preference::from_option(1), Ok(LowLatency));
    for value in [-1, 2, i32::MAX] {
        assert_eq!(Preference::from_option(value), Err(Errno::Invalid));
    }
}

#[test]
fn links_have_numbers_of_their_own() {
    assert_eq!(phyid(2, |_| 0), 2);
    assert_eq!(phyid(8, |_| 0), 1);
    assert_eq!(phyid(15, |id| usize::from(id == 7)), 1);
    assert_eq!(phyid(u32::MAX, |id| usize::from(id == 7)), 1);
    for ifindex in 0..16 {
        let mut links = [0; 8];
        // All numbers are used once before one is used again.
        for number in 0..21 {
            let id = phyid(ifindex, |id| links[usize::from(id)]);
            assert!((1..=7).contains(&id));
            links[usize::from(id)] += 1;
            let most = links[1..].iter().max().unwrap();
            assert_eq!(*most, number / 7 + 1, "{ifindex}");
        }
    }
}

#[test]
fn priorities_are_upside_down_on_the_wire() {
    let pairs = [
        (0, 0x1f),
        (1, 0x1f),
        (4, 0x1c),
        (7, 0x19),
        (0x1f, 1),
        (0x20, 1),
        (0x101, 1),
        (u32::MAX, 1),
    ];
    for (priority, wire) in pairs {
        assert_eq!(wire_priority(priority), wire, "{priority}");
    }
}

#[test]
fn payloads_leave_room_for_headers() {
    let headers = [
        (Service::Vei, 4),
        (Service::Util, 4),
        (Service::Datagram, 7),
        (Service::Rfm, 3),
        (Service::Debug, 3),
        (Service::Video, 7),
    ];
    for (service, header) in headers {
        let least = header + 2;
        assert_eq!(max_payload(service, 1000), Ok(1000 - least), "{service:?}");
        assert_eq!(max_payload(service, least + 1), Ok(1), "{service:?}");
        assert_eq!(max_payload(service, least), Err(Errno::NoDevice));
        assert_eq!(max_payload(service, 0), Err(Errno::NoDevice));
    }
    assert_eq!(max_payload(Service::Datagram, 4096), Ok(1500));
    // The length of a frame counts 65535 bytes, 3 of them around the body.
    assert_eq!(max_payload(Service::Vei, 1 << 20), Ok(65531));
    assert_eq!(max_payload(Service::Rfm, 1 << 20), Ok(65531));
    assert_eq!(max_payload(Service::Debug, 1 << 20), Ok(65532));
}

#[test]
fn a_link_is_congested_from_a_quarter_to_an_eighth() {
    // A device that takes packets is not congested, however many wait.
    assert!(!is_congested(false, None, 100));
    assert!(!is_congested(true, None, 100));
    for (backlog, begins, goes_on) in [
        (0, false, false),
        (11, false, false),
        (12, false, true),
        (24, false, true),
        (25, true, true),
        (1000, true, true),
    ] {
        assert_eq!(is_congested(false, Some(backlog), 100), begins, "{backlog}");
        assert_eq!(is_congested(true, Some(backlog), 100), goes_on, "{backlog}");
    }
    // A device without a queue is congested while it takes nothing.
    for limit in 0..4 {
        assert!(is_congested(false, Some(0), limit));
        assert!(is_congested(true, Some(0), limit));
    }
}

#[test]
fn segments_fit_into_the_queue_of_a_link() {
    const NO_QUEUE: u32 = i32::MAX as u32;
    for (segments, backlog, limit, result) in [
        (100, None, 100, Ok(())),
        (100, Some(0), 100, Ok(())),
        (60, Some(40), 100, Ok(())),
        (60, Some(41), 100, Err(Errno::Again)),
        (1, Some(100), 100, Err(Errno::Again)),
        // More than the limit may wait if that was lowered.
        (1, Some(200), 100, Err(Errno::Again)),
        (1, Some(u32::MAX), 100, Err(Errno::Again)),
        (101, None, 100, Err(Errno::MessageSize)),
        (101, Some(100), 100, Err(Errno::MessageSize)),
        (2, None, 0, Err(Errno::MessageSize)),
        // A device without a queue takes all, or nothing.
        (820, None, NO_QUEUE, Ok(())),
        (1, Some(NO_QUEUE), NO_QUEUE, Err(Errno::Again)),
    ] {
        let found = room_for_segments(segments, backlog, limit);
        assert_eq!(found, result, "{segments} {backlog:?} {limit}");
    }
}

#[test]
fn an_interface_fits_its_link() {
    assert_eq!(ip_mtu(1500, 4096), Ok(1500));
    assert_eq!(ip_mtu(9000, 4096), Ok(1500));
    assert_eq!(ip_mtu(1400, 4096), Ok(1400));
    assert_eq!(ip_mtu(1500, 1000), Ok(991));
    assert_eq!(ip_mtu(1500, 109), Ok(100));
    assert_eq!(ip_mtu(1500, 108), Err(Errno::NoDevice));
    assert_eq!(ip_mtu(1500, 5), Err(Errno::NoDevice));
}

#[test]
fn each_failure_has_its_error() {
    let pairs = [
        (RequestError::Down.into(), Errno::NoDevice),
        (RequestError::Full.into(), Errno::NoMemory),
        (RequestError::Invalid.into(), Errno::Invalid),
        (Refusal::ByModem.into(), Errno::Refused),
        (Refusal::LinkIdZero.into(), Errno::Refused),
        (Failure::TimedOut.into(), Errno::TimedOut),
        (Failure::LinkDown.into(), Errno::Refused),
        (Stopped::Off.into(), Errno::Again),
        (Stopped::Closed.into(), Errno::Pipe),
        (SplitError::TooShort.into(), Errno::Malformed),
        (SplitError::TooLong.into(), Errno::MessageSize),
        (SplitError::Mtu.into(), Errno::MessageSize),
    ];
    for (found, want) in pairs {
        let found: Errno = found;
        assert_eq!(found, want);
    }
}

#[test]
fn socket_complains_in_this_order() {
    assert_eq!(socket(false, 9, 9), Err(Errno::NotPermitted));
    assert_eq!(socket(true, 9, 9), Err(Errno::SocketType));
    assert_eq!(socket(true, 2, 0), Err(Errno::SocketType));
    assert_eq!(socket(true, 1, -1), Err(Errno::Protocol));
    assert_eq!(socket(true, 5, 6), Err(Errno::Protocol));
    assert_eq!(socket(true, 1, 0), Ok(SocketType::Stream));
    assert_eq!(socket(true, 5, 5), Ok(SocketType::SeqPacket));
}

#[test]
fn connect_goes_by_the_progress() {
    for nonblocking in [false, true] {
        for progress in [Progress::Idle, Progress::Refused, Progress::Lost] {
            assert_eq!(connect(progress, nonblocking), Ok(Connect::Ask));
        }
        for progress in [Progress::Answered, Progress::Connected] {
            assert_eq!(connect(progress, nonblocking), Err(Errno::IsConnected));
        }
    }
    assert_eq!(connect(Progress::Asked, false), Ok(Connect::Wait));
    assert_eq!(connect(Progress::Asked, true), Err(Errno::Already));
}
