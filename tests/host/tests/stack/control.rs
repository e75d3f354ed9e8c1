// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The control channel of a link (`caif/control.rs`), case by case.

use std::num::NonZeroU8;

use vring_host_tests::caif::control::{
    Control, Event, Expired, Failure, Ignored, Pending, Refusal, RequestError, RequestId, MAX_BODY,
};
use vring_host_tests::caif_wire::params::{LinkParams, ServiceParams};
use vring_host_tests::caif_wire::Message;

const PHYID: u8 = 2;
const DEADLINE: u64 = 5000;

fn control(room: usize) -> Control<Vec<Pending>> {
    let mut control = Control::new(PHYID, vec![Pending::default(); room]);
    control.up();
    control
}

fn params(service: ServiceParams<'_>) -> LinkParams<'_> {
    LinkParams {
        chtype: 0,
        priority: 0x1c,
        phyid: PHYID,
        endpoint: 0,
        service,
    }
}

fn datagram(connection: u32) -> LinkParams<'static> {
    params(ServiceParams::Datagram { connection })
}

fn bytes(message: Message<'_>) -> Vec<u8> {
    let mut body = vec![0; MAX_BODY];
    let len = message.build(&mut body).expect("MAX_BODY is enough");
    body.truncate(len);
    body
}

fn success(params: LinkParams<'_>, linkid: u8) -> Vec<u8> {
    bytes(Message::SetupDone {
        params,
        linkid,
        appended: &[],
    })
}

fn refusal(params: LinkParams<'_>) -> Vec<u8> {
    bytes(Message::SetupRefused(params))
}

fn id(linkid: u8) -> NonZeroU8 {
    NonZeroU8::new(linkid).expect("not 0")
}

/// Returns the link id of a success for this request.
#[track_caller]
fn connected(event: Event<'_>, wanted: RequestId) -> vring_host_tests::caif::control::LinkId {
    match event {
        Event::Connected { request, id, .. } if request == wanted => id,
        event => panic!("{event:?}"),
    }
}

#[test]
fn a_success_connects() -> Result<(), RequestError> {
    let mut control = control(4);
    let request = control.request(&datagram(1), DEADLINE)?;
    assert_eq!(control.next_deadline(), Some(DEADLINE));
    let id = connected(control.on_frame(&success(datagram(1), 5), 0), request);
    assert_eq!(id.get(), 5);
    assert_eq!(control.next_deadline(), None);
    assert_eq!(control.expire(u64::MAX), None);
    // It had its outcome.
    assert!(!control.cancel(request));
    Ok(())
}

#[test]
fn what_a_utility_appends_comes_along() -> Result<(), RequestError> {
    let mut control = control(1);
    let asked = params(ServiceParams::Util {
        fifo_kb: 1,
        fifo_bufs: 2,
        name: *b"SPEECH\0\0\0\0\0\0\0\0\0\0",
        params: &[7; 255],
    });
    let request = control.request(&asked, DEADLINE)?;
    let answer = bytes(Message::SetupDone {
        params: asked,
        linkid: 9,
        appended: &[8; 255],
    });
    assert_eq!(answer.len(), MAX_BODY);
    match control.on_frame(&answer, 0) {
        Event::Connected {
            request: of,
            appended,
            ..
        } => assert_eq!((of, appended), (request, &[8; 255][..])),
        event => panic!("{event:?}"),
    }
    Ok(())
}

#[test]
fn an_error_refuses() -> Result<(), RequestError> {
    let mut control = control(4);
    let request = control.request(&datagram(1), DEADLINE)?;
    let why = Refusal::ByModem;
    assert_eq!(
        control.on_frame(&refusal(datagram(1)), 0),
        Event::Refused { request, why }
    );
    assert_eq!(
        control.on_frame(&refusal(datagram(1)), 0),
        Event::Ignored(Ignored::NotAsked)
    );
    Ok(())
}

#[test]
fn link_id_0_refuses() -> Result<(), RequestError> {
    let mut control = control(4);
    let request = control.request(&datagram(1), DEADLINE)?;
    let answer = success(datagram(1), 0);
    let event = control.on_frame(&answer, 0);
    let why = Refusal::LinkIdZero;
    assert_eq!(event, Event::Refused { request, why });
    assert_eq!(event.destroy(), None);
    assert_eq!(
        control.on_frame(&answer, 0),
        Event::Ignored(Ignored::NoLinkId)
    );
    Ok(())
}

#[test]
fn an_id_in_use_refuses_and_the_new_channel_is_destroyed() -> Result<(), RequestError> {
    let mut control = control(4);
    let first = control.request(&datagram(1), DEADLINE)?;
    let second = control.request(&datagram(2), DEADLINE)?;
    let held = connected(control.on_frame(&success(datagram(1), 5), 0), first);
    let answer = success(datagram(2), 5);
    let event = control.on_frame(&answer, 0);
    let why = Refusal::LinkIdInUse(id(5));
    assert_eq!(
        event,
        Event::Refused {
            request: second,
            why
        }
    );
    assert_eq!(event.destroy(), Some(id(5)));
    // The first one still has it; afterwards it is free.
    assert!(control.close(held));
    let third = control.request(&datagram(3), DEADLINE)?;
    connected(control.on_frame(&success(datagram(3), 5), 0), third);
    Ok(())
}

#[test]
fn a_channel_is_closed_once() -> Result<(), RequestError> {
    let mut control = control(1);
    let first = control.request(&datagram(1), DEADLINE)?;
    let answer = success(datagram(1), 5);
    let old = connected(control.on_frame(&answer, 0), first);
    assert!(control.close(old));
    assert!(!control.close(old));
    // A late close does not close the next channel with the id.
    let second = control.request(&datagram(1), DEADLINE)?;
    let new = connected(control.on_frame(&answer, 0), second);
    assert!(!control.close(old));
    assert!(control.close(new));
    Ok(())
}

#[test]
fn a_success_for_nobody_is_destroyed() -> Result<(), RequestError> {
    let mut control = control(1);
    let request = control.request(&datagram(1), DEADLINE)?;
    // Every byte of the parameters must match.
    let answer = success(datagram(2), 5);
    let event = control.on_frame(&answer, 0);
    assert_eq!(event, Event::Destroy(id(5)));
    assert_eq!(event.destroy(), Some(id(5)));
    let answer = success(datagram(1), 5);
    connected(control.on_frame(&answer, 0), request);
    // Repeated, it must not end the channel.
    assert_eq!(
        control.on_frame(&answer, 0),
        Event::Ignored(Ignored::Repeated)
    );
    Ok(())
}

#[test]
fn a_flood_of_successes_is_not_answered_by_a_flood() {
    let mut control = control(1);
    let (mut answered, mut ignored) = (0, 0);
    for now in 0..1024 {
        for _ in 0..4 {
            match control.on_frame(&success(datagram(1), 5), now) {
                Event::Destroy(_) => answered += 1,
                event => {
                    assert_eq!(event, Event::Ignored(Ignored::TooMany));
                    ignored += 1;
                }
            }
        }
    }
    assert_eq!(answered, 255 + 1024 / 4 - 1);
    assert_eq!(answered + ignored, 4096);
    // After a pause all ids can be destroyed at once.
    for linkid in 1..=255 {
        assert_eq!(
            control.on_frame(&success(datagram(1), linkid), 1 << 40),
            Event::Destroy(id(linkid))
        );
    }
}

#[test]
fn a_cancelled_request_stays_for_its_answer() -> Result<(), RequestError> {
    let mut control = control(2);
    let answers = [
        (success(datagram(1), 5), Event::Destroy(id(5))),
        (success(datagram(1), 0), Event::Ignored(Ignored::Cancelled)),
        (refusal(datagram(1)), Event::Ignored(Ignored::Cancelled)),
    ];
    for (answer, event) in &answers {
        let request = control.request(&datagram(1), DEADLINE)?;
        assert!(control.cancel(request));
        assert!(!control.cancel(request));
        assert_eq!(control.next_deadline(), Some(DEADLINE));
        assert_eq!(control.on_frame(answer, 0), *event);
        assert_eq!(control.next_deadline(), None);
    }
    // Without an answer it is removed at its deadline, without a report.
    let request = control.request(&datagram(1), DEADLINE)?;
    assert!(control.cancel(request));
    assert_eq!(control.expire(DEADLINE), None);
    assert_eq!(control.next_deadline(), None);
    Ok(())
}

#[test]
fn of_equal_requests_a_success_is_for_the_oldest_that_is_wanted() -> Result<(), RequestError> {
    let mut control = control(3);
    let first = control.request(&datagram(1), DEADLINE)?;
    let second = control.request(&datagram(1), DEADLINE)?;
    let third = control.request(&datagram(1), DEADLINE)?;
    assert!(control.cancel(first));
    connected(control.on_frame(&success(datagram(1), 5), 0), second);
    connected(control.on_frame(&success(datagram(1), 6), 0), third);
    assert_eq!(
        control.on_frame(&success(datagram(1), 7), 0),
        Event::Destroy(id(7))
    );
    Ok(())
}

#[test]
fn of_equal_requests_an_error_is_for_the_oldest() -> Result<(), RequestError> {
    let mut control = control(2);
    let first = control.request(&datagram(1), DEADLINE)?;
    // A freed place is used by a younger request.
    let other = control.request(&datagram(2), DEADLINE)?;
    let why = Refusal::ByModem;
    assert_eq!(
        control.on_frame(&refusal(datagram(1)), 0),
        Event::Refused {
            request: first,
            why
        }
    );
    let younger = control.request(&datagram(2), DEADLINE)?;
    for request in [other, younger] {
        assert_eq!(
            control.on_frame(&refusal(datagram(2)), 0),
            Event::Refused { request, why }
        );
    }
    Ok(())
}

#[test]
fn deadlines_pass_in_order_of_the_requests() -> Result<(), RequestError> {
    let mut control = control(4);
    let requests = [30, 10, 20].map(|end| (end, control.request(&datagram(1), end)));
    let request = |i: usize| requests[i].1;
    let why = Failure::TimedOut;
    assert_eq!(control.next_deadline(), Some(10));
    assert_eq!(control.expire(9), None);
    let expired = |request| Some(Expired { request, why });
    assert_eq!(control.expire(20), expired(request(1)?));
    assert_eq!(control.expire(20), expired(request(2)?));
    assert_eq!(control.expire(20), None);
    assert_eq!(control.next_deadline(), Some(30));
    // A success between the deadline and the call is in time.
    connected(control.on_frame(&success(datagram(1), 5), 31), request(0)?);
    assert_eq!(control.expire(31), None);
    Ok(())
}

#[test]
fn with_the_link_all_requests_end() -> Result<(), RequestError> {
    let mut control = control(4);
    let request = control.request(&datagram(1), DEADLINE)?;
    let open = connected(control.on_frame(&success(datagram(1), 5), 0), request);
    let cancelled = control.request(&datagram(1), DEADLINE)?;
    assert!(control.cancel(cancelled));
    let lost = control.request(&datagram(1), DEADLINE)?;
    let unwanted = control.request(&datagram(1), DEADLINE)?;
    control.down();
    assert_eq!(
        control.request(&datagram(1), DEADLINE),
        Err(RequestError::Down)
    );
    assert_eq!(
        control.on_frame(&success(datagram(1), 6), 0),
        Event::Ignored(Ignored::Down)
    );
    assert!(control.cancel(unwanted));
    // The link comes up again before they are reported.
    control.up();
    assert_eq!(control.next_deadline(), Some(0));
    // From before the link went down.
    assert_eq!(
        control.on_frame(&success(datagram(1), 5), 0),
        Event::Destroy(id(5))
    );
    control.down();
    control.up();
    let why = Failure::LinkDown;
    assert_eq!(control.expire(0), Some(Expired { request: lost, why }));
    assert_eq!(control.expire(0), None);
    assert_eq!(control.next_deadline(), None);
    assert!(!control.close(open));
    Ok(())
}

#[test]
fn there_is_room_for_so_many() -> Result<(), RequestError> {
    let mut control = control(2);
    let first = control.request(&datagram(1), DEADLINE)?;
    control.request(&datagram(1), DEADLINE)?;
    let full = Err(RequestError::Full);
    assert_eq!(control.request(&datagram(1), DEADLINE), full);
    // A cancelled request takes its place until its deadline.
    assert!(control.cancel(first));
    assert_eq!(control.request(&datagram(1), DEADLINE), full);
    Ok(())
}

#[test]
fn a_request_that_was_not_sent_takes_no_place() -> Result<(), RequestError> {
    let mut control = control(1);
    for _ in 0..3 {
        let request = control.request(&datagram(1), DEADLINE)?;
        assert!(control.withdraw(request));
        assert!(!control.withdraw(request));
        assert!(!control.cancel(request));
        assert_eq!(control.next_deadline(), None);
        // Whatever this is an answer to.
        assert_eq!(
            control.on_frame(&success(datagram(1), 5), 0),
            Event::Destroy(id(5))
        );
    }
    // One that was cancelled, or had its outcome, is not affected.
    let request = control.request(&datagram(1), DEADLINE)?;
    assert!(control.cancel(request));
    assert!(!control.withdraw(request));
    assert_eq!(control.next_deadline(), Some(DEADLINE));
    assert_eq!(control.expire(DEADLINE), None);
    let lost = control.request(&datagram(1), DEADLINE)?;
    control.down();
    assert!(control.withdraw(lost));
    assert_eq!(control.expire(0), None);
    Ok(())
}

#[test]
fn what_does_not_fit_is_not_asked_for() {
    let mut control = control(1);
    let good = datagram(1);
    let bad = [
        LinkParams { chtype: 16, ..good },
        LinkParams {
            priority: 32,
            ..good
        },
        LinkParams { phyid: 3, ..good },
        LinkParams {
            endpoint: 4,
            ..good
        },
        params(ServiceParams::Rfm {
            connection: 1,
            volume: &[b'a'; 16],
        }),
        params(ServiceParams::Rfm {
            connection: 1,
            volume: b"a\0b",
        }),
        params(ServiceParams::Util {
            fifo_kb: 0,
            fifo_bufs: 0,
            name: [0; 16],
            params: &[0; 256],
        }),
        params(ServiceParams::Unknown {
            service: 7,
            rest: &[],
        }),
    ];
    for params in bad {
        assert_eq!(
            control.request(&params, DEADLINE),
            Err(RequestError::Invalid),
            "{params:?}"
        );
        assert_eq!(control.next_deadline(), None);
    }
    assert!(control.request(&good, DEADLINE).is_ok());
}

#[test]
fn what_else_a_modem_says_is_ignored() {
    let mut control = control(1);
    let messages: [(&[u8], Ignored); 12] = [
        (&[], Ignored::Malformed),
        (&[0x20, 0x04], Ignored::Malformed),
        (&[0x20, 0x07, 0xe2, 0, 5], Ignored::Malformed),
        (&[0x00, 0x01, 0xe2, 0], Ignored::Request),
        (&[0x01, 5], Ignored::Request),
        (&[0x02], Ignored::LinkErr),
        (&[0x03, 2], Ignored::Request),
        (&[0x21, 5], Ignored::Confirmed),
        (&[0x23, 2], Ignored::Confirmed),
        (&[0x04], Ignored::Unknown),
        (&[0xff], Ignored::Unknown),
        (&[0x30, 0x07, 0xe2, 0], Ignored::NotAsked),
    ];
    for (body, why) in messages {
        assert_eq!(control.on_frame(body, 0), Event::Ignored(why), "{body:x?}");
    }
}
