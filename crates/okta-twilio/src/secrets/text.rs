//! A tolerant parser for a secret's text.
//!
//! People paste secrets from editors that add a byte order mark, from terminals that break lines, and from emails that
//! add blanks. JSON does not allow these inside or around its texts. So [`readable`] repairs the text first, and each
//! value is trimmed.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::value::RawValue;

use crate::{
    config,
    secrets::{Field, SecretError},
};

/// Repairs a text for JSON: escapes line breaks and other control characters inside strings, and replaces byte order
/// marks and unusual blanks between values with spaces.
pub(crate) fn readable(text: &str) -> SecretString {
    let control_characters = text.chars().filter(char::is_ascii_control).count();
    // The capacity is large enough from the start, because growing would leave copies of the secret in memory.
    let mut readable = String::with_capacity(text.len() + 5 * control_characters);
    let (mut inside_text, mut escaped) = (false, false);
    for character in text.chars() {
        match character {
            _ if inside_text && !escaped && character.is_ascii_control() => {
                readable.push_str("\\u00");
                let digit = |value: u32| char::from_digit(value, 16).unwrap_or('0');
                readable.push(digit(u32::from(character) / 16));
                readable.push(digit(u32::from(character) % 16));
            }
            _ if !inside_text && is_blank(character) => readable.push(' '),
            _ => readable.push(character),
        }
        if character == '"' && !escaped {
            inside_text = !inside_text;
        }
        escaped = inside_text && character == '\\' && !escaped;
    }
    readable.into()
}

/// The trimmed value. `None` if nothing is left.
pub(crate) fn trimmed(text: &str) -> Option<&str> {
    Some(text.trim_matches(is_blank)).filter(|text| !text.is_empty())
}

/// Whether a character is invisible.
pub(crate) fn is_blank(character: char) -> bool {
    character.is_whitespace() || character.is_control() || matches!(character, '\u{feff}' | '\u{200b}')
}

/// Whether a text is valid in a header or a form without encoding.
pub(crate) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The fields of a secret, by name.
pub(crate) struct SecretFields<'a>(BTreeMap<String, &'a RawValue>);

/// An unknown field. It holds neither the name nor the value, because either could be a secret that was pasted into the
/// wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownField {
    /// The field that was probably meant.
    pub nearest: Option<&'static str>,
}

impl<'a> SecretFields<'a> {
    /// Parses the fields of a [`readable`] text.
    ///
    /// # Errors
    /// [`SecretError::NotJson`] if it is not a JSON object.
    pub(crate) fn parse(readable: &'a SecretString) -> Result<Self, SecretError> {
        let fields: BTreeMap<String, &RawValue> =
            serde_json::from_str(readable.expose_secret()).map_err(|_serde_error| SecretError::NotJson)?;
        Ok(Self(fields.into_iter().map(|(name, value)| (name.trim_matches(is_blank).to_owned(), value)).collect()))
    }

    /// The value as JSON. `None` if it is missing or null.
    pub(crate) fn json(&self, field: Field) -> Option<&'a str> {
        self.0.get(field.as_str()).map(|value| value.get()).filter(|json| *json != "null")
    }

    /// The trimmed text. `None` if it is missing, null or blank.
    ///
    /// # Errors
    /// [`SecretError::Unusable`] if it is not a text.
    pub(crate) fn text(&self, field: Field) -> Result<Option<SecretString>, SecretError> {
        let Some(json) = self.json(field) else { return Ok(None) };
        let text: SecretString = serde_json::from_str(json).map_err(|_serde_error| SecretError::Unusable(field))?;
        Ok(trimmed(text.expose_secret()).map(SecretString::from))
    }

    /// The unknown fields. Equal ones occur once.
    pub(crate) fn unknown(&self, known: &[Field]) -> Vec<UnknownField> {
        let known: Vec<_> = known.iter().map(|field| field.as_str()).collect();
        let mut unknown = Vec::new();
        for name in self.0.keys().filter(|name| !known.contains(&name.as_str())) {
            let field = UnknownField { nearest: config::nearest(name, &known) };
            if !unknown.contains(&field) {
                unknown.push(field);
            }
        }
        unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Result<Option<String>, SecretError> {
        let readable = readable(text);
        let token = SecretFields::parse(&readable)?.text(Field::OktaApiToken)?;
        Ok(token.map(|token| token.expose_secret().to_owned()))
    }

    #[test]
    fn is_read_as_people_store_it() {
        for text in [
            r#"{"okta_api_token":"00aB"}"#,
            "\u{feff}{\"okta_api_token\":\"00aB\"}",
            "\u{feff}\r\n {\r\n\t\"okta_api_token\":\u{a0}\"00aB\"\r\n}\r\n\u{0}",
            "{\"okta_api_token\":\"00aB\r\n\"}",
            "{\"okta_api_token\":\"\n\t00aB\"}",
            r#"{"okta_api_token":" 00aB\r\n"}"#,
            "{\"okta_api_token\":\"\u{feff}00aB\u{a0}\"}",
            r#"{" okta_api_token ":"00aB"}"#,
            r#"{"unneeded":"\ud83d","and":1e999,"okta_api_token":"00aB"}"#,
        ] {
            assert_eq!(token(text), Ok(Some("00aB".to_owned())), "{text:?}");
        }
    }

    #[test]
    fn characters_inside_a_text_stay() {
        assert_eq!(token("{\"okta_api_token\":\"a\\\"b\\\\\n{c\"}"), Ok(Some("a\"b\\\n{c".to_owned())));
        assert_eq!(token("{\"okta_api_token\":\"a\u{feff}b\u{a0}c\"}"), Ok(Some("a\u{feff}b\u{a0}c".to_owned())));
    }

    #[test]
    fn blank_and_null_are_no_value() {
        for text in ["{}", r#"{"okta_api_token":null}"#, r#"{"okta_api_token":" "}"#, r#"{"okta_api_token":"\r\n"}"#] {
            assert_eq!(token(text), Ok(None), "{text}");
        }
        for text in ["", "null", "[]", "text", "{\"okta_api_token\":\"00aB\""] {
            assert_eq!(token(text), Err(SecretError::NotJson), "{text}");
        }
        for text in [r#"{"okta_api_token":7}"#, r#"{"okta_api_token":["00aB"]}"#, r#"{"okta_api_token":"\ud83d"}"#] {
            assert_eq!(token(text), Err(SecretError::Unusable(Field::OktaApiToken)), "{text}");
        }
    }

    #[test]
    fn an_unknown_field_is_noticed() {
        let known = [Field::Paused, Field::AuthSecret];
        let unknown =
            |text: &str| SecretFields::parse(&text.to_owned().into()).map(|fields| fields.unknown(&known)).ok();
        assert_eq!(unknown(r#"{"paused":true}"#), Some(Vec::new()));
        assert_eq!(unknown(r#"{"pause":true}"#), Some(vec![UnknownField { nearest: Some("paused") }]));
        assert_eq!(unknown(r#"{"Auth-Secret":"a"}"#), Some(vec![UnknownField { nearest: Some("auth_secret") }]));
        assert_eq!(unknown(r#"{"hunter2":1,"swordfish":2}"#), Some(vec![UnknownField { nearest: None }]));
    }
}
