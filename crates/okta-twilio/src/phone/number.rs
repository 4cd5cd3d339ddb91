//! A parser for phone numbers as people write them. The result is E.164, as Twilio expects.
//!
//! Okta promises no format for the hook's number. Real traffic is E.164, previews contain `9876543210`, factors contain
//! `+1-555-415-1337`, profiles contain what an admin or a directory wrote, and an extension may follow. This parser
//! checks only the syntax. Lookup checks whether a number is possible.
//!
//! An ambiguous number is rejected: a code that is not sent is a nuisance, but a code sent to a stranger is a breach.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::phone::{CountryCode, country};

/// Minimum and maximum number of digits of an international number. The shortest numbers in use have seven (Niue, Saint
/// Helena), and E.164 allows fifteen.
const INTERNATIONAL_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// Maximum length of an extension in Okta (`phoneExtension`, Factors API).
const EXTENSION_DIGITS: usize = 15;

/// Maximum number of keys in `SendDigits`, including pauses: the limit of the same parameter in Twilio's calls.
const MAX_KEYS: usize = 32;

/// Maximum number of digits before a slash that belong to one number: a country code and an area code.
const MAX_AREA_CODE_DIGITS: usize = 7;

/// Words that start an extension.
const EXTENSION_WORDS: [&str; 8] = ["ext", "extn", "extension", "extensión", "poste", "anexo", "int", "доб"];

/// Calling codes of countries that have no trunk prefix and whose national numbers can begin with zero. After these
/// codes, a bracketed zero is ambiguous: in Italy it belongs to the number for landlines, but not for mobiles. The list
/// comes from libphonenumber's metadata (9.0.43), plus 379, which is reserved for the Vatican.
const ZERO_IS_NO_TRUNK_PREFIX: [u16; 23] =
    [39, 47, 225, 226, 227, 229, 241, 242, 247, 267, 268, 378, 379, 501, 676, 679, 687, 800, 853, 881, 888, 974, 992];

/// A number in E.164 form. Its `Debug` shows only the country and the last two digits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PhoneNumber {
    /// With the leading `+`.
    e164: String,
}

impl PhoneNumber {
    /// Takes the digits of an international number, without the `+`.
    fn from_digits(digits: &str) -> Option<Self> {
        let usable = INTERNATIONAL_DIGITS.contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        usable.then(|| Self { e164: format!("+{digits}") })
    }

    /// The country of the number by its prefix. `None` for a prefix without a country (satellite, freephone,
    /// unassigned).
    pub fn country(&self) -> Option<CountryCode> {
        country::country_of(self.digits())
    }

    /// Exposes the number for a parameter or a path in a request to Twilio. Do not use it for anything else.
    pub(crate) fn expose(&self) -> &str {
        &self.e164
    }

    fn digits(&self) -> &str {
        self.e164.trim_start_matches('+')
    }

    /// The form for the log: country and last two digits, such as `GB…60`.
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

/// A number without a country code. Only Lookup can complete it, for a given country.
#[derive(Clone, PartialEq, Eq)]
pub struct NationalNumber {
    digits: String,
}

impl NationalNumber {
    /// Exposes the number for the path of a Lookup request. Do not use it for anything else.
    pub(crate) fn expose(&self) -> &str {
        &self.digits
    }
}

impl fmt::Debug for NationalNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("NationalNumber(private)")
    }
}

/// The result of the syntax check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialableNumber {
    /// An international number, ready for Twilio.
    International(PhoneNumber),
    /// A national number without a country code.
    National(NationalNumber),
}

/// Keys to press after the call is answered.
#[derive(Clone, PartialEq, Eq)]
pub struct Extension {
    keys: String,
}

impl Extension {
    /// The value for Verify's `SendDigits`: digits, `*`, `#`, and `w` for a pause of half a second.
    pub(crate) fn send_digits(&self) -> &str {
        &self.keys
    }
}

impl fmt::Debug for Extension {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Extension(private)")
    }
}

/// Why a text is not a phone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// There are no digits.
    #[error("the number is empty")]
    Empty,
    /// A control character, or a character that no phone number notation uses.
    #[error("the number has a character that is neither a digit nor a separator")]
    Character,
    /// Too few or too many digits.
    #[error("the number has too few or too many digits")]
    Length,
    /// The text is ambiguous.
    #[error("the number is ambiguous")]
    Ambiguous,
    /// The extension cannot be dialed. Only a call needs it.
    #[error("the extension is not 1 to 15 digits")]
    Extension,
}

/// The extension after a number: none, a valid one, or an error if it cannot be dialed.
pub type ParsedExtension = Result<Option<Extension>, PhoneError>;

/// Parses a number and its extension as people write them.
///
/// - A control character makes the text invalid. Invisible characters are dropped.
/// - All Unicode dashes and blanks are separators, as are dots, slashes and brackets. Digits can be of any script.
/// - `+` or `00` starts an international number. `tel:` may come before it, and parameters of RFC 3966 after it.
/// - A bracketed zero after the country code (`+44 (0)20 …`) is the trunk prefix and is dropped.
/// - A second ending (`…1820/21`, `…1820 (21)`) makes the number ambiguous.
/// - `,` `;` `p` `w` `x` `#` and words such as `ext.` start an extension.
///
/// # Errors
/// Any [`PhoneError`] except [`PhoneError::Extension`], which is part of the result, because messages ignore the
/// extension. An error never contains the text.
pub fn parse(text: &str) -> Result<(DialableNumber, ParsedExtension), PhoneError> {
    if text.chars().any(|character| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')) {
        return Err(PhoneError::Character);
    }
    let plain: String = text.to_lowercase().chars().filter(|it| !is_invisible(*it)).map(plain).collect();
    let plain = plain.trim();
    let plain = plain.strip_prefix("tel:").unwrap_or(plain);
    let end = plain.find(|it| !(is_separator(it) || matches!(it, '0'..='9' | '+'))).unwrap_or(plain.len());
    let (number, rest) = plain.split_at(end);
    if let Some(parameters) = UriParameters::read(rest) {
        let number = read_number(number)?;
        let is_local = parameters.has_context && matches!(number, DialableNumber::National(_));
        return if is_local { Err(PhoneError::Ambiguous) } else { Ok((number, parameters.extension)) };
    }
    if rest.is_empty() {
        return Ok((read_number(number)?, Ok(None)));
    }
    // A second number is not an extension.
    if !begins_extension(rest) || rest.contains('+') {
        return Err(PhoneError::Character);
    }
    Ok((read_number(number)?, read_extension(rest).map(Some)))
}

/// Characters without a glyph: Unicode's property `Default_Ignorable_Code_Point`. Word processors, chats and web pages
/// add them to numbers.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Unicode's category `Pd`, the other characters of its property `Dash`, and the Japanese long-vowel mark, which people
/// type instead of a dash.
fn is_dash(character: char) -> bool {
    matches!(
        character,
        '\u{58a}' | '\u{5be}' | '\u{1400}' | '\u{1806}' | '\u{2010}'
            ..='\u{2015}'
                | '\u{2053}'
                | '\u{207b}'
                | '\u{208b}'
                | '\u{2212}'
                | '\u{2e17}'
                | '\u{2e1a}'
                | '\u{2e3a}'
                | '\u{2e3b}'
                | '\u{2e40}'
                | '\u{2e5d}'
                | '\u{301c}'
                | '\u{3030}'
                | '\u{30a0}'
                | '\u{30fc}'
                | '\u{fe31}'
                | '\u{fe32}'
                | '\u{fe58}'
                | '\u{fe63}'
                | '\u{10d6e}'
                | '\u{10ead}'
    )
}

/// The zeros of the scripts that are used for phone numbers: Arabic, Persian, N'Ko, the scripts of India, Thai, Lao,
/// Tibetan, Burmese and Khmer. The other nine digits follow each zero.
const ZEROS: [char; 18] = [
    '\u{660}', '\u{6f0}', '\u{7c0}', '\u{966}', '\u{9e6}', '\u{a66}', '\u{ae6}', '\u{b66}', '\u{be6}', '\u{c66}',
    '\u{ce6}', '\u{d66}', '\u{de6}', '\u{e50}', '\u{ed0}', '\u{f20}', '\u{1040}', '\u{17e0}',
];

/// The ASCII character with the same meaning, if there is one.
fn plain(character: char) -> char {
    let code = u32::from(character);
    // Chinese and Japanese keyboards type full-width forms, which have the same order as ASCII.
    let wide = (0xff01..=0xff5e).contains(&code).then(|| char::from_u32(code - 0xfee0)).flatten();
    let digit = || ZEROS.iter().find_map(|zero| char::from_digit(code.checked_sub(u32::from(*zero))?, 10));
    match character {
        _ if character.is_ascii() => character,
        _ if character.is_whitespace() => ' ',
        _ if is_dash(character) => '-',
        '\u{b7}' => '.',
        _ => wide.or_else(digit).unwrap_or(character),
    }
}

fn is_separator(character: char) -> bool {
    matches!(character, ' ' | '-' | '.' | '/' | '(' | ')' | '[' | ']')
}

/// Parses digits, separators and plus signs.
fn read_number(text: &str) -> Result<DialableNumber, PhoneError> {
    let text = text.replace('[', "(").replace(']', ")");
    let compact: String = text.chars().filter(|it| !is_separator(*it) || matches!(it, '(' | ')' | '/')).collect();
    let start = compact.trim_start_matches(['(', ')', '/']);
    // "00" is the international prefix that the ITU recommends.
    let international = start.strip_prefix('+').or_else(|| start.strip_prefix("00"));
    let number = international.unwrap_or(&compact);
    if number.contains('+') {
        return Err(PhoneError::Character);
    }
    let digits = without_trunk_zero(number, international.is_some())?;
    if digits.is_empty() {
        return Err(PhoneError::Empty);
    }
    if has_two_endings(number, &digits) || (international.is_none() && digits.starts_with("00")) {
        return Err(PhoneError::Ambiguous);
    }
    match international {
        Some(_) => PhoneNumber::from_digits(&digits).map(DialableNumber::International).ok_or(PhoneError::Length),
        None if (4..=15).contains(&digits.len()) => Ok(DialableNumber::National(NationalNumber { digits })),
        None => Err(PhoneError::Length),
    }
}

/// Whether the text means two numbers: "901820/21" and "901820 (21)" end in 20 and in 21, and "9018/9019" has a whole
/// number before its slash. Neither is one longer number.
fn has_two_endings(number: &str, digits: &str) -> bool {
    let in_brackets = number.strip_suffix(')').and_then(|number| number.rsplit_once('('));
    let ending = |(before, last): (&str, &str)| {
        let last = digits_of(last).len();
        !digits_of(before).is_empty() && (1..=3).contains(&last)
    };
    let by_slash = number.rsplit_once('/');
    let digits_before = |last| digits.len().saturating_sub(digits_of(last).len());
    let has_whole_number = by_slash.is_some_and(|(_, last)| digits_before(last) > MAX_AREA_CODE_DIGITS);
    in_brackets.is_some_and(ending) || by_slash.is_some_and(ending) || has_whole_number
}

/// The digits of a number that contains only digits, brackets and slashes, without a trunk prefix `(0)` after the country
/// code. Any other bracketed zero is ambiguous, except for the one that begins a national number.
fn without_trunk_zero(number: &str, is_international: bool) -> Result<String, PhoneError> {
    let Some((before, after)) = number.split_once("(0") else {
        return Ok(digits_of(number));
    };
    let (digits_before, rest) = (digits_of(before), digits_of(after));
    let all = || format!("{digits_before}0{rest}");
    let is_alone = after.starts_with(')');
    if is_international && is_country_code(&digits_before) {
        let may_belong = digits_before.parse().is_ok_and(|code: u16| ZERO_IS_NO_TRUNK_PREFIX.contains(&code));
        let is_only_one = !after.contains("(0)");
        return match (is_alone, may_belong) {
            (true, false) if is_only_one => Ok(format!("{digits_before}{rest}")),
            (false, true) => Ok(all()),
            _ => Err(PhoneError::Ambiguous),
        };
    }
    let begins_national_number = !is_international && digits_before.is_empty();
    if is_alone && !begins_national_number { Err(PhoneError::Ambiguous) } else { Ok(all()) }
}

/// Whether the digits are exactly a country code (ITU-T E.164, list of assigned codes).
fn is_country_code(digits: &str) -> bool {
    let length = match digits.as_bytes() {
        [b'1' | b'7', ..] => 1,
        [b'2', b'0' | b'7', ..]
        | [b'3', b'0'..=b'4' | b'6' | b'9', ..]
        | [b'4', b'0' | b'1' | b'3'..=b'9', ..]
        | [b'5', b'1'..=b'8', ..]
        | [b'6', b'0'..=b'6', ..]
        | [b'8', b'1' | b'2' | b'4' | b'6', ..]
        | [b'9', b'0'..=b'5' | b'8', ..] => 2,
        _ => 3,
    };
    digits.len() == length
}

fn digits_of(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Whether the text after a number is an extension. Other letters could be a number in words (`1-800-FLOWERS`), or
/// anything.
fn begins_extension(rest: &str) -> bool {
    let word = leading_word(rest);
    rest.starts_with([',', ';', '#']) || is_pauses(word) || EXTENSION_WORDS.contains(&word)
}

/// Parses an extension from its mark: pauses, a word, then keys with pauses between them. A pause is one second.
fn read_extension(rest: &str) -> Result<Extension, PhoneError> {
    let mut keys = String::new();
    let mut left = rest;
    // "#" is a mark in "ext. #5", "x#5" and "…0123#5". Anywhere else it is a key.
    let mut is_mark = true;
    while let Some(first) = left.chars().next() {
        let word = leading_word(left);
        let length = if word.is_empty() { first.len_utf8() } else { word.len() };
        let (token, after) = left.split_at(length);
        let next_is_digit = after.starts_with(|next: char| next.is_ascii_digit());
        let has_keys = keys.contains(|key| key != 'w');
        match first {
            _ if EXTENSION_WORDS.contains(&token) && !has_keys => is_mark = true,
            _ if is_pauses(token) => {
                keys.push_str(&"ww".repeat(token.len()));
                is_mark = token == "x";
            }
            ',' | ';' => {
                keys.push_str("ww");
                is_mark = false;
            }
            '#' if is_mark && next_is_digit => {}
            ':' | '=' if is_mark => {}
            '0'..='9' | '#' | '*' => {
                keys.push(first);
                is_mark = false;
            }
            _ if is_separator(first) => {}
            _ => return Err(PhoneError::Extension),
        }
        left = after;
    }
    let keys = keys.trim_end_matches('w');
    let keys = if keys.starts_with('w') { keys.to_owned() } else { format!("ww{keys}") };
    let digits = digits_of(&keys).len();
    let has_keys = keys.contains(|key| key != 'w');
    let is_usable = has_keys && digits <= EXTENSION_DIGITS && keys.len() <= MAX_KEYS;
    is_usable.then_some(Extension { keys }).ok_or(PhoneError::Extension)
}

/// The letters at the start of a text.
fn leading_word(text: &str) -> &str {
    let end = text.find(|character: char| !character.is_alphabetic()).unwrap_or(text.len());
    text.split_at(end).0
}

/// Whether a word consists of the letters for a pause (`p`), a wait (`w`) or an extension (`x`).
fn is_pauses(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|letter| matches!(letter, 'p' | 'w' | 'x'))
}

/// The parameters after a number in a `tel:` URI (RFC 3966, and `postd` of RFC 2806).
struct UriParameters {
    /// From `ext` or `postd`. The others, such as `isub`, are not for the phone network.
    extension: ParsedExtension,
    /// `phone-context`: the number belongs to a private network.
    has_context: bool,
}

impl UriParameters {
    /// Returns `None` if the text does not start like a parameter.
    fn read(rest: &str) -> Option<Self> {
        let mut parameters = Self { extension: Ok(None), has_context: false };
        for (position, parameter) in rest.strip_prefix(';')?.split(';').enumerate() {
            match parameter.split_once('=').map(|(name, value)| (name.trim(), value)) {
                Some(("ext" | "postd", value)) => parameters.extension = read_extension(value).map(Some),
                Some(("phone-context", _)) => parameters.has_context = true,
                Some((name, _)) if name.starts_with(|first: char| first.is_ascii_alphabetic()) => {}
                _ if position == 0 => return None,
                _ => {}
            }
        }
        Some(parameters)
    }
}

/// Country and last two digits of a number. It is safe to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskedPhone {
    country: Option<CountryCode>,
    last_two: String,
}

impl MaskedPhone {
    /// The country, if the prefix shows one.
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

    fn keys(text: &str) -> Option<String> {
        parse(text).ok()?.1.ok()?.map(|extension| extension.send_digits().to_owned())
    }

    #[test]
    fn reads_every_recorded_notation() {
        for (text, expected) in [
            ("+12025550123", "+12025550123"),
            ("+1-202-555-0123", "+12025550123"),
            ("+1 (202) 555.0123", "+12025550123"),
            ("+1 [202] 555/0123", "+12025550123"),
            ("  +442079460060 ", "+442079460060"),
            ("00442079460060", "+442079460060"),
            ("(00 44) 20 7946 0060", "+442079460060"),
            ("(00)44 20 7946 0060", "+442079460060"),
            ("(+442079460060)", "+442079460060"),
            ("(+44) 20 7946 0060", "+442079460060"),
            ("+ 44 20 7946 0060", "+442079460060"),
            ("tel:+442079460060", "+442079460060"),
            ("TEL: +44-20-7946-0060", "+442079460060"),
            ("+49 172/1234567", "+491721234567"),
            ("+6834000", "+6834000"),
        ] {
            assert_eq!(e164(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn reads_digits_and_signs_of_every_keyboard() {
        for text in [
            "＋442079460060",
            "＋４４２０７９４６００６０",
            "＋４４（２０）７９４６－００６０",
            "+٤٤٢٠٧٩٤٦٠٠٦٠",
            "+۴۴۲۰۷۹۴۶۰۰۶۰",
            "+४४२०७९४६००६०",
            "+๔๔๒๐๗๙๔๖๐๐๖๐",
            "+44·20·7946·0060",
        ] {
            assert_eq!(e164(text).as_deref(), Some("+442079460060"), "{text}");
        }
    }

    const DASHES: &str = "-\u{58a}\u{5be}\u{1400}\u{1806}\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2015}\u{2053}\u{207b}\u{208b}\
        \u{2212}\u{2e17}\u{2e1a}\u{2e3a}\u{2e3b}\u{2e40}\u{2e5d}\u{301c}\u{3030}\u{30a0}\u{30fc}\u{fe31}\u{fe32}\u{fe58}\u{fe63}\
        \u{ff0d}\u{10ead}";
    const BLANKS: &str = " \u{a0}\u{1680}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200a}\
        \u{202f}\u{205f}\u{3000}";
    const INVISIBLE: &str = "\u{ad}\u{34f}\u{61c}\u{180e}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\
        \u{202e}\u{2060}\u{2061}\u{2062}\u{2063}\u{2064}\u{2066}\u{2067}\u{2068}\u{2069}\u{206a}\u{206f}\u{fe0e}\u{fe0f}\u{feff}\
        \u{e0020}";

    #[test]
    fn dashes_blanks_and_invisible_marks_do_not_matter() {
        for mark in DASHES.chars().chain(BLANKS.chars()).chain(INVISIBLE.chars()) {
            let code = mark.escape_unicode();
            for text in [
                format!("+44{mark}20{mark}{mark}7946{mark}0060"),
                format!("{mark}+442079460060{mark}"),
                format!("+{mark}44 {mark}(0){mark} 20 7946 0060"),
                format!("{mark}00{mark}44207946006{mark}0"),
            ] {
                assert_eq!(e164(&text).as_deref(), Some("+442079460060"), "{code}");
            }
            let text = format!("+442079460060{mark}x{mark}1{mark}2");
            assert_eq!(keys(&text).as_deref(), Some("ww12"), "{code}");
        }
    }

    #[test]
    fn a_control_character_makes_the_number_invalid() {
        let controls = (0..=0x1f_u8).chain(0x7f..=0x9f).map(char::from).chain(['\u{2028}', '\u{2029}']);
        for control in controls {
            for text in [
                format!("{control}+442079460060"),
                format!("+442079460060{control}"),
                format!("+4420{control}79460060"),
                format!("+442079460060 ext.{control}5"),
                format!("+442079460060 x5{control}"),
            ] {
                assert_eq!(parse(&text).err(), Some(PhoneError::Character), "{}", control.escape_unicode());
            }
        }
    }

    #[test]
    fn a_bracketed_trunk_zero_is_dropped() {
        for (text, expected) in [
            ("+44 (0)20 7946 0060", "+442079460060"),
            ("+44(0)2079460060", "+442079460060"),
            ("+44 (0) 20 7946 0060", "+442079460060"),
            ("+44 ( 0 ) 20 7946 0060", "+442079460060"),
            ("+44-(0)-20-7946-0060", "+442079460060"),
            ("(+44) (0)20 7946 0060", "+442079460060"),
            ("+(44)(0)20 7946 0060", "+442079460060"),
            ("+44 [0] 20 7946 0060", "+442079460060"),
            ("＋44（０）20 7946 0060", "+442079460060"),
            ("0044 (0)20 7946 0060", "+442079460060"),
            ("tel:+44(0)20-7946-0060;ext=5", "+442079460060"),
            ("+49 (0)30 901820", "+4930901820"),
            ("+49(0)30/901820", "+4930901820"),
            ("0049 (0)30 901820", "+4930901820"),
            ("00 49 (0)30 901820", "+4930901820"),
            ("(0049)(0)30 901820", "+4930901820"),
            ("(00)49 (0)30 901820", "+4930901820"),
            ("0049 (0)33201/1234", "+49332011234"),
            ("+/49 (0)30 901820", "+4930901820"),
            ("+353 (0)1 234 5678", "+35312345678"),
            ("+81 (0)3 1234 5678", "+81312345678"),
            ("+1 (0)202 555 0123", "+12025550123"),
            // If zeros belong to the number, a group of several digits is part of it.
            ("+39 (06) 1234 5678", "+390612345678"),
            ("+378 (0549) 882345", "+3780549882345"),
        ] {
            assert_eq!(e164(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn an_ambiguous_number_is_rejected() {
        for text in [
            // The zero may or may not belong to the number.
            "+39 (0)6 1234 5678",
            "+39 (0)347 123 4567",
            "+225 (0)7 07 12 34 56",
            "+378 (0)549 882345",
            "+44 (020) 7946 0060",
            "+36 (06) 1 234 5678",
            // A zero that is not directly after the country code.
            "+44 20 (0) 7946 0060",
            "+(0)44 20 7946 0060",
            "+442 (0)0 7946 0060",
            "+44 (0)(0)20 7946 0060",
            "+44 (0)20 (0) 7946 0060",
            // An international number that may have lost its plus sign.
            "44 (0)20 7946 0060",
            "020 (0) 7946 0060",
            // Two numbers in one text.
            "+49 30 901820/21",
            "030 901820 / 1",
            "+49 30 901820 (21)",
            "030 901820 [1]",
            "+49 30 9018/9019",
            "030 90182/90183",
            "+1 202 555 0123/0124",
            // A trunk prefix before an international prefix.
            "(0)049 30 901820",
            // A number in a private network.
            "tel:7042;phone-context=example.com",
            "tel:863-1234;phone-context=+1-914-555",
        ] {
            assert_eq!(parse(text).err(), Some(PhoneError::Ambiguous), "{text}");
        }
    }

    #[test]
    fn every_country_code_is_known() {
        for (code, is_one) in [
            ("1", true),
            ("7", true),
            ("20", true),
            ("27", true),
            ("39", true),
            ("44", true),
            ("66", true),
            ("86", true),
            ("98", true),
            ("211", true),
            ("353", true),
            ("420", true),
            ("599", true),
            ("670", true),
            ("850", true),
            ("886", true),
            ("971", true),
            ("998", true),
            ("4", false),
            ("35", false),
            ("442", false),
            ("12", false),
            ("", false),
            ("3531", false),
        ] {
            assert_eq!(is_country_code(code), is_one, "{code}");
        }
    }

    #[test]
    fn keeps_a_national_number_apart() {
        for text in ["9876543210", "020 7946 0060", "(020) 7946 0060", "(0)20 7946 0060", "٠٢٠٧٩٤٦٠٠٦٠"] {
            let Ok((DialableNumber::National(number), Ok(None))) = parse(text) else { panic!("{text}") };
            assert!(["9876543210", "02079460060"].contains(&number.expose()), "{text}");
        }
    }

    #[test]
    fn reads_an_extension() {
        for (after, expected) in [
            ("x1234", "ww1234"),
            (" x 1234", "ww1234"),
            (" X1234", "ww1234"),
            ("ｘ１２３４", "ww1234"),
            (",1234", "ww1234"),
            (", 1234", "ww1234"),
            (";1234", "ww1234"),
            ("p1234", "ww1234"),
            ("w1234", "ww1234"),
            ("W1234", "ww1234"),
            (",,77#", "wwww77#"),
            ("，，77＃", "wwww77#"),
            ("pp77#", "wwww77#"),
            (",,77#,,5*", "wwww77#wwww5*"),
            (";77#", "ww77#"),
            ("#", "ww#"),
            ("#1234", "ww1234"),
            ("#1234#", "ww1234#"),
            (" x#5", "ww5"),
            (",#5", "ww#5"),
            (" ext. #5", "ww5"),
            (";ext=1234", "ww1234"),
            ("; ext = 1234", "ww1234"),
            (";isub=99;ext=1234", "ww1234"),
            (";ext=1234;isub=99;phone-context=example.com", "ww1234"),
            (";postd=pp22", "wwww22"),
            (" ext. 1234", "ww1234"),
            (" ext: 1234", "ww1234"),
            (" EXT 1234", "ww1234"),
            (" extension 12-34", "ww1234"),
            (", ext. 1234", "ww1234"),
            (" poste 1234", "ww1234"),
            (" доб. 1234", "ww1234"),
            (" (x1234)", "ww1234"),
            (" (ext. 1234)", "ww1234"),
            (" x123456789012345", "ww123456789012345"),
        ] {
            for number in ["+12025550123", "+1 (202) 555-0123", "tel:+1-202-555-0123"] {
                let text = format!("{number}{after}");
                assert_eq!(e164(&text).as_deref(), Some("+12025550123"), "{text}");
                assert_eq!(keys(&text).as_deref(), Some(expected), "{text}");
            }
        }
    }

    #[test]
    fn an_invalid_extension_does_not_affect_the_number() {
        for after in [
            " ext. 5 (lobby)",
            " x12a",
            " x",
            " ext.",
            ",",
            ";",
            ", lobby",
            " x5 or 6",
            " ext. 5 ext. 6",
            " x1234567890123456",
            ",,,,,,,,,,,,,,,,5",
            ";ext=lobby",
            ";ext=",
        ] {
            let text = format!("+15017122661{after}");
            assert_eq!(e164(&text).as_deref(), Some("+15017122661"), "{text}");
            assert_eq!(parse(&text).unwrap().1, Err(PhoneError::Extension), "{text}");
        }
    }

    #[test]
    fn rejects_a_text_that_is_not_a_number() {
        for (text, error) in [
            ("", PhoneError::Empty),
            ("+", PhoneError::Empty),
            ("\u{200b}\u{2060}", PhoneError::Empty),
            ("x5", PhoneError::Empty),
            ("(0)", PhoneError::Length),
            ("+123456", PhoneError::Length),
            ("+1234567890123456", PhoneError::Length),
            ("+0123456789", PhoneError::Length),
            ("+00442079460060", PhoneError::Length),
            ("123", PhoneError::Length),
            ("+1202FLOWERS", PhoneError::Character),
            ("+1 FLOWERS", PhoneError::Character),
            ("+1-800-555-PICKUPS", PhoneError::Character),
            ("+1-800-555-WAXY", PhoneError::Character),
            ("+12025550123 mobile", PhoneError::Character),
            ("+12025550123~5", PhoneError::Character),
            ("1+2025550123", PhoneError::Character),
            ("++12025550123", PhoneError::Character),
            ("+12025550123+", PhoneError::Character),
            ("+12025550123, +12025550124", PhoneError::Character),
            ("+12025550123/+12025550124", PhoneError::Character),
            ("+12025550123;+12025550124", PhoneError::Character),
            ("sip:+12025550123", PhoneError::Character),
            ("+1202555012³", PhoneError::Character),
            ("+①②③④⑤⑥⑦⑧", PhoneError::Character),
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
        fn never_panics(text in "\\PC*") {
            let _ = parse(&text);
        }

        #[test]
        fn an_extension_never_makes_the_number_invalid(keys in "[0-9wp*#,a-z ]{0,20}") {
            let (number, _extension) = parse(&format!("+12025550123 ext. {keys}")).unwrap();
            prop_assert!(matches!(number, DialableNumber::International(number) if number.expose() == "+12025550123"));
        }

        #[test]
        fn separators_do_not_matter(digits in "[1-9][0-9]{6,14}", separator in "[ .-]") {
            let spaced: String = digits.chars().flat_map(|digit| [digit.to_string(), separator.clone()]).collect();
            prop_assert_eq!(e164(&format!("+{spaced}")), Some(format!("+{digits}")));
        }

        #[test]
        fn the_result_is_e164(text in "[+0-9 x,;()/-]{0,24}") {
            if let Some(number) = e164(&text) {
                let digits = number.strip_prefix('+').unwrap();
                prop_assert!((7..=15).contains(&digits.len()) && !digits.starts_with('0'));
                prop_assert!(digits.bytes().all(|byte| byte.is_ascii_digit()));
            }
        }

        #[test]
        fn a_trunk_zero_and_marks_are_the_same_number(
            digits in "(44|49|353|7|1)[1-9][0-9]{7,9}",
            marks in proptest::collection::vec("[\u{200e}\u{202d}\u{feff}\u{2060} \u{a0}\u{2013}\u{2212}./-]{0,3}", 16),
        ) {
            let code = (1..=3).find(|length| is_country_code(&digits[..*length])).unwrap();
            let spread: Vec<_> = digits.chars().zip(&marks).map(|(digit, mark)| format!("{mark}{digit}")).collect();
            // A slash near the end would be a second number.
            let spread: Vec<_> = spread.into_iter().map(|it| it.replace('/', " ")).collect();
            let (before, after) = spread.split_at(code);
            let text = format!("+{} (0){}", before.concat(), after.concat());
            prop_assert_eq!(e164(&text), Some(format!("+{digits}")));
        }

        #[test]
        fn only_keys_reach_the_call(after in "[0-9pwxPWX,;#*. ext=-]{0,24}") {
            if let Some(keys) = keys(&format!("+12025550123{after}")) {
                prop_assert!(keys.bytes().all(|key| key.is_ascii_digit() || b"#*w".contains(&key)));
                prop_assert!(keys.starts_with("ww") && keys.len() <= MAX_KEYS && digits_of(&keys).len() <= 15);
            }
        }
    }
}
