// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The flow word and the slots of channels pass all models, and fail one if any property that they
//! rest on is missing.

use vring_loom::models::{flow, search_stack, slot, Lacks};

/// loom's error for a channel whose fields are read before they are written.
const RACE: &str = "Causality violation";

/// The body of a model.
type Model = fn(Lacks);

/// All models, by name.
const MODELS: [(&str, Model); 8] = [
    ("flow: wait", flow::wait),
    ("flow: both", flow::both),
    ("flow: order", flow::order),
    ("flow: close", flow::close),
    ("slot: find", slot::find),
    ("slot: take", slot::take),
    ("slot: close", slot::close),
    ("slot: twice", slot::twice),
];

/// A model, the property to leave out, and the expected error.
type Mutant = (Model, Lacks, &'static str);

const MUTANTS: [Mutant; 10] = [
    (flow::wait, Lacks::Order, "asleep with the flow on"),
    (flow::both, Lacks::Atomicity, "off for ever"),
    (flow::order, Lacks::Lock, "told the wrong flow"),
    (flow::close, Lacks::Atomicity, "closed 2 times"),
    (slot::find, Lacks::Order, RACE),
    (slot::find, Lacks::Acquire, RACE),
    (slot::take, Lacks::Order, RACE),
    (slot::close, Lacks::Identity, "ended 2 times"),
    (slot::close, Lacks::Atomicity, "ended 2 times"),
    (slot::twice, Lacks::Atomicity, "2 channels have the id"),
];

#[test]
fn all_models_pass() {
    for (name, model) in MODELS {
        assert_eq!(search_stack(model, Lacks::Nothing), Ok(()), "{name}");
    }
}

#[test]
fn each_model_needs_what_it_rests_on() {
    for (index, (model, lacks, symptom)) in MUTANTS.into_iter().enumerate() {
        match search_stack(model, lacks) {
            Ok(()) => panic!("{index}: {lacks:?} is not missed"),
            Err(what) => assert!(what.contains(symptom), "{index}: {lacks:?} brings: {what}"),
        }
    }
}
