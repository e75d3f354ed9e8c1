// SPDX-License-Identifier: GPL-2.0

//! Conditions for what a method returned.

use std::str::FromStr;

use anyhow::{Context, Result};
use serde_json::Value;

/// A path of keys, and the value there.
#[derive(Clone, Debug)]
pub struct Condition {
    keys: Vec<String>,
    value: String,
    /// Whether no such value may be there.
    absent: bool,
}

impl FromStr for Condition {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (keys, value) = text.split_once('=').context("want KEY=VALUE")?;
        let (keys, absent) = match keys.strip_suffix('!') {
            Some(keys) => (keys, true),
            None => (keys, false),
        };
        Ok(Self {
            keys: keys.split('.').map(str::to_owned).collect(),
            value: value.to_owned(),
            absent,
        })
    }
}

impl Condition {
    pub fn holds(&self, value: &Value) -> bool {
        self.is_there(value, &self.keys) != self.absent
    }

    fn is_there(&self, value: &Value, keys: &[String]) -> bool {
        let Some((key, rest)) = keys.split_first() else {
            return self.value == "*" || as_text(value) == self.value;
        };
        match value {
            Value::Object(entries) if key == "*" => {
                entries.values().any(|value| self.is_there(value, rest))
            }
            Value::Object(entries) => entries
                .get(key)
                .is_some_and(|value| self.is_there(value, rest)),
            Value::Array(items) if key == "*" => {
                items.iter().any(|value| self.is_there(value, rest))
            }
            _ => false,
        }
    }
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Condition;

    #[test]
    fn a_path_leads_to_a_value() {
        let value = json!({"/a/b": {"Active": true, "Settings": {"Interface": "caif0"}}, "/c": {}});
        for (text, holds) in [
            ("/a/b.Active=true", true),
            ("*.Active=true", true),
            ("*.Active=false", false),
            ("*.Active!=false", true),
            ("*.Settings.Interface=caif0", true),
            ("*.Settings.Interface=*", true),
            ("/c.Settings.Interface=*", false),
            ("/c.Settings.Interface!=*", true),
            ("/c=*", true),
            ("/d!=*", true),
        ] {
            let condition: Condition = text.parse().unwrap();
            assert_eq!(condition.holds(&value), holds, "{text}");
        }
        assert!("Active".parse::<Condition>().is_err());
    }
}
