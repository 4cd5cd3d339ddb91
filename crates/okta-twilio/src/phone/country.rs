//! The country of a phone number, for `ALLOWED_COUNTRIES` and `BLOCKED_COUNTRIES`.
//!
//! A calling code is not a country: +1 covers the United States, Canada and two dozen islands, and expensive
//! destinations are among them. Google's libphonenumber knows which country owns which national prefix, but compiling
//! its patterns at run time costs about 60 ms for the first number. So `phone/generate.py` turns the patterns into one
//! sorted table of prefixes in advance (`phone/prefixes.rs`, about 3 KB). [`country_of`] is a few binary searches in
//! that table, without allocation or initialization.
//!
//! The result does not mean that the number exists. An unused number, or a number in an area that opened after the
//! table was made, gets the country of its area, or else the main country of its calling code. If countries share
//! numbers, libphonenumber and the table use the main country: mobile numbers of Åland count as Finland's, those of
//! Christmas Island as Australia's, and every number of Western Sahara (`EH`) as Morocco's. Ascension (`AC`) and
//! Tristan da Cunha (`TA`) are separate from Saint Helena (`SH`).
//!
//! # Updating
//!
//! New area codes appear several times a year. Put a newer version of the metadata and its hash in
//! `tools/countries.txt` and run `make update-countries`, which runs `phone/generate.py`. With `--check`, it only
//! reports whether the committed files are up to date.

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::prefixes::PREFIXES;

/// The country of an E.164 number without its `+`.
///
/// `None` if no country owns the number: its calling code is unassigned or global (+800, satellite phones on +870 and
/// +881, networks on +882 and +883), or the text is not digits that begin with a calling code. [`Region::World`]
/// represents such numbers in a configuration.
pub fn country_of(digits: &str) -> Option<CountryCode> {
    let mut prefix = leading_number(digits)?;
    while prefix > 0 {
        if let Ok(found) = PREFIXES.binary_search_by_key(&prefix, |&(prefix, _)| prefix) {
            return PREFIXES.get(found).map(|&(_, letters)| CountryCode(letters));
        }
        prefix /= 10;
    }
    None
}

/// The first digits of the number, as many as the longest prefix has, in the table's form.
fn leading_number(digits: &str) -> Option<u32> {
    // A number would lose its leading zero and look like another calling code.
    if digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.get(..digits.len().min(MAX_PREFIX_DIGITS))?.parse().ok()
}

const MAX_PREFIX_DIGITS: usize = match PREFIXES.last() {
    Some((longest, _)) => longest.ilog10() as usize + 1,
    None => 0,
};

// The search needs this order, and only the generator ensures it. This also proves that the table is static data,
// because nothing builds it at run time.
const _: () = {
    let mut left: &[(u32, [u8; 2])] = &PREFIXES;
    while let [(prefix, letters), rest @ ..] = left {
        assert!(CountryCode::new(*letters).is_some(), "a country that no list could name");
        if let [(next, _), ..] = rest {
            assert!(*prefix < *next, "prefixes must ascend");
        }
        left = rest;
    }
};

/// A country by its ISO 3166-1 alpha-2 code in upper case.
///
/// It is one of the 249 officially assigned codes, or one of three others that have phone numbers: `AC` (Ascension) and
/// `TA` (Tristan da Cunha), which ISO reserves, and `XK` (Kosovo).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CountryCode([u8; 2]);

/// The region of a number in a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Region {
    /// A country.
    Country(CountryCode),
    /// No country: satellite phones, worldwide services, premium numbers of +979, unassigned prefixes. Its code is
    /// `001`, which stands for the world in the United Nations' list M49. libphonenumber uses it in the same way.
    World,
}

impl From<Option<CountryCode>> for Region {
    fn from(country: Option<CountryCode>) -> Self {
        country.map_or(Self::World, Self::Country)
    }
}

impl FromStr for Region {
    type Err = CountryCodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim() == "001" { Ok(Self::World) } else { text.parse().map(Self::Country) }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Country(country) => country.fmt(formatter),
            Self::World => formatter.pad("001"),
        }
    }
}

impl Serialize for Region {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// In alphabetical order, each with a space after it.
const ASSIGNED: &str = "\
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV \
BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES \
ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE \
IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY \
MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU \
NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM \
SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE \
VG VI VN VU WF WS YE YT ZA ZM ZW ";

/// Not assigned, but in use for phone numbers.
const ALSO_WITH_NUMBERS: &str = "AC TA XK ";

impl CountryCode {
    /// The country of two upper-case letters, for constants. Use [`FromStr`] for external text.
    pub const fn new(letters: [u8; 2]) -> Option<Self> {
        if is_listed(ASSIGNED, letters) || is_listed(ALSO_WITH_NUMBERS, letters) { Some(Self(letters)) } else { None }
    }

    /// The two letters.
    pub fn as_str(&self) -> &str {
        // Only listed letters get here, and they are ASCII.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

const fn is_listed(list: &str, letters: [u8; 2]) -> bool {
    let mut left = list.as_bytes();
    while let [first, second, b' ', rest @ ..] = left {
        if *first == letters[0] && *second == letters[1] {
            return true;
        }
        left = rest;
    }
    false
}

impl FromStr for CountryCode {
    type Err = CountryCodeError;

    /// Accepts upper and lower case and surrounding blanks, as people write them in a configuration.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match *text.trim().as_bytes() {
            [first, second] if first.is_ascii_alphabetic() && second.is_ascii_alphabetic() => {
                Self::new([first.to_ascii_uppercase(), second.to_ascii_uppercase()])
                    .ok_or(CountryCodeError::NotAssigned)
            }
            _ => Err(CountryCodeError::NotTwoLetters),
        }
    }
}

/// Why a text is not a country code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CountryCodeError {
    /// The text does not have the form of a code.
    #[error("a country is two letters (ISO 3166-1 alpha-2), for example GB")]
    NotTwoLetters,
    /// The form is valid, but the country does not exist.
    #[error("no country has these two letters in ISO 3166-1 alpha-2 (the United Kingdom is GB)")]
    NotAssigned,
}

impl fmt::Display for CountryCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Debug for CountryCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for CountryCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
