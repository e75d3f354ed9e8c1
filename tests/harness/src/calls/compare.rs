// SPDX-License-Identifier: GPL-2.0

//! Compares results and frames of both stacks.

use super::{Call, Done, Script, script::CHECKS};

/// Compares the results of the calls. Returns the unexpected ones.
pub fn results(script: &Script, c: &Done, ours: &Done) -> Vec<String> {
    let mut wrong = Vec::new();
    let both = c.results.iter().zip(&ours.results);
    for (call, (c, ours)) in script.calls.iter().zip(both) {
        let (want_c, want_ours) = match &call.result {
            Some(result) => (&result.c, &result.ours),
            None => (c, c),
        };
        if c != want_c || ours != want_ours {
            let expected = match &call.result {
                Some(result) => format!(
                    "by the difference {} it is {} and {}",
                    result.name, result.c, result.ours
                ),
                None => "there is no difference".to_owned(),
            };
            wrong.push(format!(
                "{}: in C it returns {c}, here {ours}; {expected}",
                name(call)
            ));
        }
    }
    wrong
}

/// Compares the frames of the calls. Returns the unexpected ones.
pub fn frames(script: &Script, c: &Done, ours: &Done) -> Vec<String> {
    let mut wrong = Vec::new();
    let both = c.frames.iter().zip(&ours.frames);
    for (call, (c, ours)) in script.calls.iter().zip(both) {
        let (mut c_left, mut ours_left) = (by_channel(c), by_channel(ours));
        for frame in &call.frames {
            let (left, who) = if frame.is_ours {
                (&mut ours_left, "this stack")
            } else {
                (&mut c_left, "the stack in C")
            };
            match left.iter().position(|other| *other == frame.frame) {
                Some(at) => drop(left.remove(at)),
                None => wrong.push(format!(
                    "{}: {who} does not send {}, which was the difference {}",
                    name(call),
                    frame.frame,
                    frame.name
                )),
            }
        }
        if c_left != ours_left {
            wrong.push(format!(
                "{}: the stack in C sends\n    {}\nthis one\n    {}",
                name(call),
                c_left.join("\n    "),
                ours_left.join("\n    ")
            ));
        }
    }
    // The stack in C leaves these bytes uninitialized.
    if c.checked == 0 || ours.checked > 0 {
        wrong.push(format!(
            "{} frames of the stack in C and {} of this one have check sequences other than 0, which is the difference {CHECKS}",
            c.checked, ours.checked
        ));
    }
    wrong
}

fn name(call: &Call) -> String {
    format!("{}: {}", call.section, call.line)
}

/// Returns the frames of a call by channel: only the order within a channel counts.
fn by_channel(frames: &[String]) -> Vec<&str> {
    let mut frames: Vec<_> = frames.iter().map(String::as_str).collect();
    frames.sort_by_key(|frame| frame.split(": ").next());
    frames
}

#[cfg(test)]
mod tests {
    use super::{Done, Script, frames, results};

    const DIFFERENCES: &str = r#"
        [late]
        what = "w"
        here = "h"
        c = "c"
        why = "y"

        [check-sequence]
        what = "w"
        here = "h"
        c = "c"
        why = "y"
    "#;

    fn script(text: &str) -> Script {
        Script::parse(text, DIFFERENCES).unwrap()
    }

    fn done(results: &[&str], frames: &[&[&str]]) -> Done {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Done {
            results: texts(results),
            frames: frames.iter().map(|of_one| texts(of_one)).collect(),
            checked: 0,
        }
    }

    #[test]
    fn results_are_equal_or_differ_as_they_may() {
        let script = script("a send \"x\"\na recv 1\n  ~late = EAGAIN | 0");
        let c = done(&["1", "EAGAIN"], &[]);
        assert!(results(&script, &c, &done(&["1", "0"], &[])).is_empty());
        // A listed difference that does not occur is an error, too.
        for bad in [["1", "EAGAIN"], ["1", "EPIPE"], ["2", "0"]] {
            assert_eq!(results(&script, &c, &done(&bad, &[])).len(), 1);
        }
        let other = done(&["1", "EPIPE"], &[]);
        assert_eq!(results(&script, &other, &done(&["1", "0"], &[])).len(), 1);
    }

    #[test]
    fn frames_are_equal_or_differ_as_they_may() {
        let script = script("a close\n  ~late - a: 01\n  ~late + a: 02\nb close");
        let mut c = done(&[], &[&["b: 1", "a: 01", "a: 00"], &["b: 9"]]);
        c.checked = 1;
        let ours = |first: &[&str], second: &[&str]| {
            frames(&script, &c, &done(&[], &[first, second])).len()
        };
        // Channels are independent of each other.
        assert_eq!(ours(&["a: 02", "a: 00", "b: 1"], &["b: 9"]), 0);
        assert_eq!(ours(&["a: 00", "b: 1"], &["b: 9"]), 1);
        assert_eq!(ours(&["a: 02", "a: 00", "b: 1"], &["b: 8"]), 1);
        assert_eq!(ours(&["a: 02", "a: 00", "b: 1", "b: 1"], &["b: 9"]), 1);
        assert_eq!(ours(&["a: 02", "a: 00"], &["b: 9", "b: 1"]), 2);
        assert_eq!(frames(&script, &c, &c).len(), 3);
    }

    #[test]
    fn names_of_differences_are_those_that_there_are() {
        let parse = |text| {
            Script::parse(text, DIFFERENCES)
                .and_then(|script| script.check())
                .is_ok()
        };
        assert!(parse("a close\n ~late = 0 | 1"));
        for bad in [
            "a close",
            "a close\n ~other = 0 | 1",
            "a close\n ~late = 0 | 0",
            "a close\n ~late = 0",
            "a close\n ~late ? 0",
            "~late = 0 | 1",
        ] {
            assert!(!parse(bad), "{bad}");
        }
    }
}
