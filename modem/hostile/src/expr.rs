// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Numbers of the catalogue: sums, differences and products of numbers and names.
//!
//! `heap_end - 1`, `num + 1`, `rx.desc + 16 * 3`, `0xdead06400000`. They are 64 bits wide and wrap,
//! so that `-1` is all ones.

use serde::{Deserialize, Serialize};

/// An error in an expression.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The expression cannot be parsed.
    #[error("{0:?} is not a sum of numbers and names")]
    Syntax(String),
    /// A name in it is unknown.
    #[error("no {0:?} is known")]
    Name(String),
}

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Raw", into = "String")]
pub struct Expr {
    text: String,
    /// The terms: whether each is subtracted, and its factors.
    terms: Vec<(bool, Vec<Factor>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Factor {
    Number(u64),
    Name(String),
}

/// The text in the catalogue.
#[derive(Deserialize)]
#[serde(untagged)]
enum Raw {
    Number(i64),
    Text(String),
}

impl TryFrom<Raw> for Expr {
    type Error = Error;

    fn try_from(raw: Raw) -> Result<Self, Error> {
        match raw {
            Raw::Number(number) => number.to_string().parse(),
            Raw::Text(text) => text.parse(),
        }
    }
}

impl From<u64> for Expr {
    fn from(number: u64) -> Self {
        Self {
            text: number.to_string(),
            terms: vec![(false, vec![Factor::Number(number)])],
        }
    }
}

impl From<Expr> for String {
    fn from(expr: Expr) -> Self {
        expr.text
    }
}

impl std::fmt::Display for Expr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::str::FromStr for Expr {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Syntax(text.to_owned());
        let compact: String = text.split_whitespace().collect();
        let mut terms = Vec::new();
        let mut rest = compact.as_str();
        let mut minus = false;
        if let Some(after) = rest.strip_prefix('-') {
            (minus, rest) = (true, after);
        }
        loop {
            let end = rest.find(['+', '-']).unwrap_or(rest.len());
            let (term, after) = rest.split_at_checked(end).ok_or_else(wrong)?;
            let factors = term
                .split('*')
                .map(|factor| Factor::parse(factor).ok_or_else(wrong))
                .collect::<Result<_, _>>()?;
            terms.push((minus, factors));
            if after.is_empty() {
                break;
            }
            minus = after.starts_with('-');
            rest = after.get(1..).ok_or_else(wrong)?;
        }
        Ok(Self {
            text: text.to_owned(),
            terms,
        })
    }
}

impl Factor {
    fn parse(text: &str) -> Option<Self> {
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            let digits = text.replace('_', "");
            let number = match digits.strip_prefix("0x") {
                Some(hex) => u64::from_str_radix(hex, 16),
                None => digits.parse(),
            };
            return number.ok().map(Self::Number);
        }
        let is_name = !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
        is_name.then(|| Self::Name(text.to_owned()))
    }
}

impl Expr {
    /// Returns the value, with the names' values from `known`.
    pub fn eval(&self, known: impl Fn(&str) -> Option<u64>) -> Result<u64, Error> {
        let mut sum = 0u64;
        for (minus, factors) in &self.terms {
            let mut product = 1u64;
            for factor in factors {
                product = product.wrapping_mul(match factor {
                    Factor::Number(number) => *number,
                    Factor::Name(name) => known(name).ok_or_else(|| Error::Name(name.clone()))?,
                });
            }
            sum = if *minus {
                sum.wrapping_sub(product)
            } else {
                sum.wrapping_add(product)
            };
        }
        Ok(sum)
    }

    /// Returns the names in it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.terms
            .iter()
            .flat_map(|(_, factors)| factors)
            .filter_map(|factor| match factor {
                Factor::Name(name) => Some(name.as_str()),
                Factor::Number(_) => None,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, Expr};

    fn eval(text: &str) -> Result<u64, Error> {
        text.parse::<Expr>()?
            .eval(|name| (name == "rx.desc").then_some(0x1000))
    }

    #[test]
    fn sums_and_products() {
        assert_eq!(eval("rx.desc + 16 * 3 - 1"), Ok(0x102f));
        assert_eq!(eval("-1"), Ok(u64::MAX));
        assert_eq!(eval("0xffff_ffff_ffff_ffff+2"), Ok(1));
        assert_eq!(eval("2 - rx.desc"), Ok(2u64.wrapping_sub(0x1000)));
    }

    #[test]
    fn invalid_expressions() {
        for text in ["", "+", "1 +", "1 ** 2", "a b", "0x", "1a", "{n}"] {
            // A space inside a name vanishes; the name is then unknown.
            assert!(eval(text).is_err(), "{text:?}");
        }
        assert_eq!(eval("other"), Err(Error::Name("other".into())));
    }
}
