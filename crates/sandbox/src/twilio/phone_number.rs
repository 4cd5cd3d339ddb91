//! What the sandbox knows about phone numbers.

use crate::twilio::magic_numbers::{self, Effect, LookupEffect};

/// Whether this is a number as Verify takes it: `+`, then 7 to 15 digits, the first not 0; in North America just ten
/// after the 1.
pub(crate) fn is_e164(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('+') else {
        return false;
    };
    let plausible = (7..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    plausible && (!digits.starts_with('1') || digits.len() == 11)
}

/// Whether a number is a landline.
pub(crate) fn is_landline(number: &str) -> bool {
    magic_numbers::find(number).is_some_and(|magic| magic.effect == Effect::Lookup(LookupEffect::LineType("landline")))
}
