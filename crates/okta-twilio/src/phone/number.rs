//! Phone numbers as Okta writes them, and E.164 as Twilio wants them.
//!
//! Okta promises no format for the hook's number: real traffic is E.164, previews carry `9876543210`, factors hold
//! `+1-555-415-1337`, and an extension may follow. The check here is one of syntax; whether a number exists, Lookup
//! tells.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::phone::{CountryCode, country};

/// Fewest and most digits of an international number: the shortest in use have seven (Niue, Saint Helena), E.164
/// allows fifteen.
const INTERNATIONAL_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// Longest extension that Okta stores (`phoneExtension`, Factors API).
const EXTENSION_DIGITS: usize = 15;

/// What starts an extension, longest first so that `ext.` is not read as `ext` and a stray full stop.
const EXTENSION_MARKS: [&str; 9] = [";ext=", " extension ", "ext.", "ext", "poste", ";", ",", "x", "#"];

/// A number in E.164 form. Its `Debug` and its `Serialize` show the country and the last two digits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PhoneNumber {
    /// With the leading `+`.
    e164: String,
}

impl PhoneNumber {
    /// Takes digits that are known to be international, without the `+`.
    fn from_digits(digits: &str) -> Option<Self> {
        let usable = INTERNATIONAL_DIGITS.contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        usable.then(|| Self { e164: format!("+{digits}") })
    }

    /// Where the number belongs, by its prefix; `None` for a prefix of no country (satellite, freephone, unassigned).
    pub fn country(&self) -> Option<CountryCode> {
        country::country_of(self.digits())
    }

    /// For a request parameter or path of Twilio, and nothing else.
    pub(crate) fn on_the_wire(&self) -> &str {
        &self.e164
    }

    fn digits(&self) -> &str {
        self.e164.trim_start_matches('+')
    }

    /// What a log may hold: country and last two digits, such as `GB…60`.
    pub fn masked(&self) -> MaskedPhone {
        let digits = self.digits();
        let last_two = digits.get(digits.len().saturating_sub(2)..).unwrap_or_default();
        MaskedPhone { country: self.country(), last_two: last_two.to_owned() }
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PhoneNumber({})", self.masked())
    }
}

/// A number that lacks its country: only Lookup, told the country, can complete it.
#[derive(Clone, PartialEq, Eq)]
pub struct NationalNumber {
    digits: String,
}

impl NationalNumber {
    /// For the path of a Lookup request, and nothing else.
    pub(crate) fn on_the_wire(&self) -> &str {
        &self.digits
    }
}

impl fmt::Debug for NationalNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("NationalNumber(private)")
    }
}

/// A number as far as its syntax tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialableNumber {
    /// Ready for Twilio.
    International(PhoneNumber),
    /// No country in it.
    National(NationalNumber),
}

/// Digits to dial once the call is answered.
#[derive(Clone, PartialEq, Eq)]
pub struct Extension {
    digits: String,
}

impl Extension {
    /// For Verify's `SendDigits`: a pause of one second (`w` is half a second), then the digits.
    pub(crate) fn send_digits(&self) -> String {
        format!("ww{}", self.digits)
    }
}

impl fmt::Debug for Extension {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Extension(private)")
    }
}

/// Why a text is no phone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// Nothing but blanks.
    #[error("the number is empty")]
    Empty,
    /// A character that no notation of numbers uses.
    #[error("the number has a character that is neither digit nor separator")]
    Character,
    /// Fewer or more digits than a number has.
    #[error("the number has too few or too many digits")]
    Length,
    /// The part after the extension mark is not 1 to 15 digits.
    #[error("the extension is not 1 to 15 digits")]
    Extension,
}

/// Reads a number and its extension from any notation that Okta is known to use.
///
/// # Errors
/// Any [`PhoneError`]; none of them holds the text.
pub fn parse(text: &str) -> Result<(DialableNumber, Option<Extension>), PhoneError> {
    let text = text.trim();
    let text = text.strip_prefix("tel:").unwrap_or(text);
    let (number, extension) = split_extension(text)?;
    let international = number.starts_with(['+', '＋']);
    let mut digits = String::with_capacity(number.len());
    for (position, character) in number.chars().enumerate() {
        match character {
            '0'..='9' => digits.push(character),
            '+' | '＋' if position == 0 => {}
            ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}' | '\u{2011}' => {}
            _ => return Err(PhoneError::Character),
        }
    }
    if digits.is_empty() {
        return Err(PhoneError::Empty);
    }
    // "00" is the international prefix that the ITU recommends.
    let international_digits = if international { Some(digits.as_str()) } else { digits.strip_prefix("00") };
    let number = match international_digits {
        Some(digits) => DialableNumber::International(PhoneNumber::from_digits(digits).ok_or(PhoneError::Length)?),
        None if (4..=15).contains(&digits.len()) => DialableNumber::National(NationalNumber { digits }),
        None => return Err(PhoneError::Length),
    };
    Ok((number, extension))
}

fn split_extension(text: &str) -> Result<(&str, Option<Extension>), PhoneError> {
    // ASCII lower case keeps every byte position.
    let lower = text.to_ascii_lowercase();
    let mark =
        EXTENSION_MARKS.iter().filter_map(|mark| lower.find(mark).map(|at| (at, mark.len()))).min_by_key(|found| {
            // The earliest mark; of two at one place the longer, so that ";ext=" wins over ";".
            (found.0, std::cmp::Reverse(found.1))
        });
    let Some((at, length)) = mark else {
        return Ok((text, None));
    };
    let (Some(number), Some(rest)) = (text.get(..at), text.get(at + length..)) else {
        return Err(PhoneError::Extension);
    };
    let digits = rest.trim();
    let usable = (1..=EXTENSION_DIGITS).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if usable {
        Ok((number.trim_end(), Some(Extension { digits: digits.to_owned() })))
    } else {
        Err(PhoneError::Extension)
    }
}

/// Country and last two digits of a number; safe to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskedPhone {
    country: Option<CountryCode>,
    last_two: String,
}

impl MaskedPhone {
    /// The country, if the prefix tells one.
    pub fn country(&self) -> Option<CountryCode> {
        self.country
    }
}

impl fmt::Display for MaskedPhone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.country {
            Some(country) => write!(formatter, "{country}…{}", self.last_two),
            None => write!(formatter, "…{}", self.last_two),
        }
    }
}

impl Serialize for MaskedPhone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn e164(text: &str) -> Option<String> {
        match parse(text) {
            Ok((DialableNumber::International(number), _)) => Some(number.e164),
            _ => None,
        }
    }

    #[test]
    fn reads_every_recorded_notation() {
        for (text, expected) in [
            ("+12025550123", "+12025550123"),
            ("+1-202-555-0123", "+12025550123"),
            ("+1 (202) 555.0123", "+12025550123"),
            ("  +442079460060 ", "+442079460060"),
            ("00442079460060", "+442079460060"),
            ("tel:+442079460060", "+442079460060"),
            ("＋442079460060", "+442079460060"),
            ("+6834000", "+6834000"),
        ] {
            assert_eq!(e164(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn keeps_a_national_number_apart() {
        assert!(matches!(parse("9876543210"), Ok((DialableNumber::National(_), None))));
        assert!(matches!(parse("020 7946 0060"), Ok((DialableNumber::National(_), None))));
    }

    #[test]
    fn reads_an_extension() {
        for text in [
            "+12025550123x1234",
            "+12025550123 x 1234",
            "+12025550123,1234",
            "+12025550123;ext=1234",
            "+12025550123 ext. 1234",
            "+12025550123 EXT 1234",
            "+12025550123 extension 1234",
            "+12025550123#1234",
        ] {
            let (number, extension) = parse(text).unwrap();
            assert!(matches!(number, DialableNumber::International(number) if number.e164 == "+12025550123"), "{text}");
            assert_eq!(extension.unwrap().send_digits(), "ww1234", "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_number() {
        for (text, error) in [
            ("", PhoneError::Empty),
            ("+", PhoneError::Empty),
            ("+123456", PhoneError::Length),
            ("+1234567890123456", PhoneError::Length),
            ("+0123456789", PhoneError::Length),
            ("123", PhoneError::Length),
            ("+1202FLOWERS", PhoneError::Character),
            ("+12025550123 x", PhoneError::Extension),
            ("+12025550123 x12a", PhoneError::Extension),
            ("1+2025550123", PhoneError::Character),
        ] {
            assert_eq!(parse(text).err(), Some(error), "{text}");
        }
    }

    #[test]
    fn shows_country_and_two_digits_only() {
        let (DialableNumber::International(number), _) = parse("+442079460061").unwrap() else { panic!() };
        assert_eq!(format!("{number:?}"), "PhoneNumber(GB…61)");
        assert_eq!(serde_json::to_string(&number.masked()).unwrap(), "\"GB…61\"");
    }

    proptest! {
        #[test]
        fn never_panics_and_never_tells(text in "\\PC*") {
            if let Err(error) = parse(&text) {
                prop_assert!(text.len() < 4 || !error.to_string().contains(&text));
            }
        }

        #[test]
        fn separators_do_not_matter(digits in "[1-9][0-9]{6,14}", separator in "[ .()/-]") {
            let spaced: String = digits.chars().flat_map(|digit| [digit.to_string(), separator.clone()]).collect();
            prop_assert_eq!(e164(&format!("+{spaced}")), Some(format!("+{digits}")));
        }

        #[test]
        fn what_is_read_is_e164(text in "[+0-9 x,;()-]{0,24}") {
            if let Some(number) = e164(&text) {
                let digits = number.strip_prefix('+').unwrap();
                prop_assert!((7..=15).contains(&digits.len()) && !digits.starts_with('0'));
                prop_assert!(digits.bytes().all(|byte| byte.is_ascii_digit()));
            }
        }
    }
}
