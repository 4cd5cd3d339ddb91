//! The fields of a secret, for a command that changes only some of them.

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of a JSON object in their order, each value exactly as it was written.
pub(crate) struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// `None` if the text is no JSON object.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        struct Members;
        impl<'a> Visitor<'a> for Members {
            type Value = Fields<'a>;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: MapAccess<'a>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(member) = members.next_entry()? {
                    fields.push(member);
                }
                Ok(Fields(fields))
            }
        }
        let mut reader = serde_json::Deserializer::from_str(text.trim_start_matches('\u{feff}'));
        let fields = reader.deserialize_map(Members).ok()?;
        reader.end().ok().map(|()| fields)
    }

    /// The value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    /// The object with another value of a field, or without the field.
    pub(crate) fn with(&self, name: &str, value: Option<&str>) -> String {
        let others = self.0.iter().filter(|(key, _)| key != name).map(|(key, value)| (key.as_str(), value.get()));
        let members = others.chain(value.map(|value| (name, value)));
        let members: Vec<_> =
            members.map(|(key, value)| format!("{}: {value}", serde_json::Value::from(key))).collect();
        format!("{{\n  {}\n}}", members.join(",\n  "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_field_stays_as_it_was_written() {
        let text =
            "{\"auth_secret\": [\"a\\u0062c\", \"d\"],\n \"number\":1.50, \"paused\":[\"NG\"], \"x\":{\"paused\":1}}";
        let fields = Fields::parse(text).unwrap();
        assert_eq!(
            fields.with("paused", Some("true")),
            "{\n  \"auth_secret\": [\"a\\u0062c\", \"d\"],\n  \"number\": 1.50,\n  \"x\": {\"paused\":1},\n  \"paused\": true\n}"
        );
        assert!(!fields.with("paused", None).contains("NG"));
        for wrong in ["", "[]", "\"text\"", "{\"a\":1} {}", "{\"a\":}"] {
            assert!(Fields::parse(wrong).is_none(), "{wrong}");
        }
    }
}
