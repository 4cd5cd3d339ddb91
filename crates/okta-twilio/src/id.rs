//! Identifiers from Okta, Twilio and AWS. They are safe to log.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// An external identifier: 1 to 64 letters, digits, `-` or `_`. Any other text is rejected, so free text cannot pass as
/// an id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SafeId(String);

impl SafeId {
    /// Returns `None` for a text of another form.
    pub fn parse(text: &str) -> Option<Self> {
        let usable = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            // A phone number or a code has only digits, and fewer than 32. An id from Okta, Twilio or AWS has a letter,
            // except for the rare UUID of digits only.
            && (text.bytes().any(|byte| byte.is_ascii_alphabetic()) || text.len() >= 32);
        usable.then(|| Self(text.to_owned()))
    }

    /// Makes a name from the digest of the content, for something that has no id.
    pub(crate) fn of_digest(digest: &[u8]) -> Self {
        Self(format!("digest-{}", BASE64_URL_SAFE_NO_PAD.encode(digest)))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SafeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Serialize for SafeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SafeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("no identifier"))
    }
}

/// A Twilio id of a given type: a prefix of two letters and 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sid(String);

impl Sid {
    /// Returns `None` unless the text is a sid with this prefix, such as `VA`.
    pub fn parse(text: &str, prefix: &str) -> Option<Self> {
        let hex = text.strip_prefix(prefix)?;
        let usable = hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        usable.then(|| Self(text.to_owned()))
    }

    /// The sid as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_is_of_its_kind() {
        let hex = "0123456789abcdefABCDEF0123456789";
        assert_eq!(Sid::parse(&format!("VA{hex}"), "VA").unwrap().as_str(), format!("VA{hex}"));
        for text in [format!("HJ{hex}"), format!("VA{hex}0"), format!("VA{}", &hex[1..]), format!("VA{}g", &hex[1..])] {
            assert_eq!(Sid::parse(&text, "VA"), None, "{text}");
        }
    }

    #[test]
    fn free_text_is_not_an_id() {
        for (text, kept) in [
            ("00u1hnx4oekfTHgqY0h8", true),
            ("reqRgSk8IBBRhuo0YdlEDTmUw", true),
            ("11111111-6881-11ee-8754-050a89ee763e", true),
            ("VEaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true),
            ("+12025550123", false),
            ("12025550123", false),
            ("00000000-0000-4000-8000-000000000060", true),
            ("867530", false),
            ("jane.doe@example.com", false),
            ("Jane Doe", false),
            ("", false),
            (&"a".repeat(65), false),
        ] {
            assert_eq!(SafeId::parse(text).is_some(), kept, "{text}");
        }
    }
}
