// SPDX-License-Identifier: GPL-2.0

//! Values of D-Bus as JSON.

use anyhow::Result;
use serde_json::{Map, Value};
use zbus::{Message, zvariant};

/// Returns the first value of a message. A list of objects and their properties becomes an object
/// of objects.
pub fn body(message: &Message) -> Result<Value> {
    let body = message.body();
    let signature = body.signature().to_string();
    if signature.is_empty() {
        return Ok(Value::Null);
    }
    let fields: zvariant::Structure<'_> = body.deserialize()?;
    let value = fields.fields().first().map_or(Value::Null, json);
    if !signature.trim_start_matches('(').starts_with("a(oa{sv}") {
        return Ok(value);
    }
    let mut objects = Map::new();
    for item in value.as_array().into_iter().flatten() {
        if let Some([Value::String(path), properties, ..]) = item.as_array().map(Vec::as_slice) {
            objects.insert(path.clone(), properties.clone());
        }
    }
    Ok(Value::Object(objects))
}

fn json(value: &zvariant::Value<'_>) -> Value {
    use zvariant::Value as From;
    match value {
        From::U8(n) => (*n).into(),
        From::Bool(b) => (*b).into(),
        From::I16(n) => (*n).into(),
        From::U16(n) => (*n).into(),
        From::I32(n) => (*n).into(),
        From::U32(n) => (*n).into(),
        From::I64(n) => (*n).into(),
        From::U64(n) => (*n).into(),
        From::F64(n) => (*n).into(),
        From::Str(text) => text.as_str().into(),
        From::ObjectPath(path) => path.as_str().into(),
        From::Signature(signature) => signature.to_string().into(),
        From::Value(inner) => json(inner),
        From::Array(items) => items.iter().map(json).collect(),
        From::Structure(fields) => fields.fields().iter().map(json).collect(),
        From::Dict(entries) => Value::Object(
            entries
                .iter()
                .map(|(key, value)| {
                    let key = json(key);
                    let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                    (key, json(value))
                })
                .collect(),
        ),
        From::Fd(_) => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;
    use zbus::{
        Message,
        zvariant::{ObjectPath, Value},
    };

    fn signal<B: serde::Serialize + zbus::zvariant::DynamicType>(body: &B) -> Message {
        Message::signal("/", "a.b", "C")
            .and_then(|signal| signal.build(body))
            .unwrap()
    }

    #[test]
    fn objects_with_properties_are_an_object_of_objects() {
        let path = ObjectPath::try_from("/m").unwrap();
        let properties = HashMap::from([("On", Value::from(true))]);
        let message = signal(&vec![(path, properties)]);
        assert_eq!(super::body(&message).unwrap(), json!({"/m": {"On": true}}));
    }

    #[test]
    fn of_several_values_it_is_the_first() {
        let message = signal(&("State", Value::from(vec![1_u16, 2])));
        assert_eq!(super::body(&message).unwrap(), json!("State"));
        let message = signal(&HashMap::from([(7_u32, Value::from(-1_i64))]));
        assert_eq!(super::body(&message).unwrap(), json!({"7": -1}));
        assert_eq!(super::body(&signal(&())).unwrap(), json!(null));
    }
}
