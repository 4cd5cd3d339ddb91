//! Values that must never be seen in a log, an error or a metric.
//!
//! Each type here has no revealing `Debug`, no `Display` and no `Serialize`. The value is taken out in one place each:
//! where it goes on the wire.

use std::fmt;

use aws_lc_rs::digest::{self, Digest};
use secrecy::{ExposeSecret as _, SecretString};

/// The one-time code that Okta generated and the user will type.
pub struct OneTimeCode(SecretString);

impl OneTimeCode {
    /// Fewest and most characters of a `CustomCode` (Twilio, Verify API, "Customization options").
    pub const LENGTH: std::ops::RangeInclusive<usize> = 4..=10;

    /// A code as Twilio takes it: 4 to 10 ASCII letters or digits. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let usable = Self::LENGTH.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        usable.then(|| Self(SecretString::from(text)))
    }

    /// For the `CustomCode` parameter of Verify, and nothing else.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for OneTimeCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OneTimeCode(private)")
    }
}

/// By which secrets are compared: of one length, and in constant time.
pub(crate) struct SecretDigest(Digest);

impl SecretDigest {
    pub(crate) fn of(value: &[u8]) -> Self {
        Self(digest::digest(&digest::SHA256, value))
    }
}

impl PartialEq for SecretDigest {
    fn eq(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.0.as_ref(), other.0.as_ref()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_twilio_takes() {
        for (text, usable) in [
            ("123456", true),
            (" 123456 ", true),
            ("0042", true),
            ("ABCD1234", true),
            ("1234567890", true),
            ("123", false),
            ("12345678901", false),
            ("12 34", false),
            ("１２３４", false),
            ("", false),
        ] {
            assert_eq!(OneTimeCode::parse(text).is_some(), usable, "{text:?}");
        }
    }

    #[test]
    fn debug_shows_nothing() {
        let code = OneTimeCode::parse("867530").unwrap();
        assert_eq!(format!("{code:?}"), "OneTimeCode(private)");
    }
}
