//! Values that must never appear in a log, an error or a metric.
//!
//! No type here has a revealing `Debug`, a `Display` or a `Serialize`. Each type exposes its value in one method, which
//! only the code that builds a request calls.

use std::fmt;

use aws_lc_rs::digest::{self, Digest};
use secrecy::{ExposeSecret as _, SecretString};

/// The one-time code. Okta generates it and the user types it.
pub struct OneTimeCode(SecretString);

impl OneTimeCode {
    /// Minimum and maximum length of `CustomCode` (Twilio, Verify API, "Customization options").
    pub const LENGTH: std::ops::RangeInclusive<usize> = 4..=10;

    /// Parses a code that Twilio accepts: 4 to 10 ASCII letters or digits. Returns `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let usable = Self::LENGTH.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        usable.then(|| Self(SecretString::from(text)))
    }

    /// Exposes the code for the `CustomCode` parameter of Verify. Do not use it for anything else.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for OneTimeCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OneTimeCode(private)")
    }
}

/// The digest of a secret. Digests have equal length and are compared in constant time.
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
    fn accepts_the_codes_that_twilio_accepts() {
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
