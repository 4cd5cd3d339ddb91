//! Parses phone numbers as Twilio does. The numbering plans are those of libphonenumber. The parser of its Rust port is
//! not used, because it accepts far more than Twilio does.

use super::magic_numbers::{self, Effect, LookupEffect};
use phonenumber::{
    Metadata, Mode,
    metadata::{DATABASE, Descriptor},
};

use std::sync::PoisonError;

/// A number that can be assigned to somebody.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PhoneNumber {
    /// `+` and digits.
    pub(crate) e164: String,
    pub(crate) calling_code: u16,
    /// ISO 3166-1 alpha-2; `001` for numbers of no country.
    pub(crate) country: &'static str,
    /// The national format.
    pub(crate) national_format: String,
    /// The line type in Lookup's terms.
    pub(crate) line_type: &'static str,
}

/// The reason why a text is not a valid number, in Lookup's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    NotANumber,
    InvalidCountryCode,
    TooShort,
    TooLong,
    InvalidButPossible,
}

impl Flaw {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NotANumber => "NOT_A_NUMBER",
            Self::InvalidCountryCode => "INVALID_COUNTRY_CODE",
            Self::TooShort => "TOO_SHORT",
            Self::TooLong => "TOO_LONG",
            Self::InvalidButPossible => "INVALID_BUT_POSSIBLE",
        }
    }
}

/// A text that is not a valid number, with the number that Lookup shows for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invalid {
    pub(crate) e164: String,
    pub(crate) flaw: Flaw,
}

/// Loads the numbering plans and compiles those of North America, so that no request waits for that. It takes about a
/// second in a debug build.
pub(crate) fn load_plans() {
    // The library caches a hundred compiled patterns. North America has more.
    DATABASE.cache().lock().unwrap_or_else(PoisonError::into_inner).set_capacity(10_000);
    let _ = parse("+12025550123", None);
}

/// Parses a number with its calling code, or a national number of this country (default: the United States).
pub(crate) fn parse(text: &str, country: Option<&str>) -> Result<PhoneNumber, Invalid> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let foreign = |character: char| !(character.is_ascii_digit() || " +-.()/".contains(character));
    if digits.is_empty() || text.contains(foreign) {
        return Err(Invalid { e164: format!("+1{text}"), flaw: Flaw::NotANumber });
    }
    let found = if text.trim_start().starts_with('+') { split(&digits) } else { complete(&digits, country) };
    match found {
        Some((plans, national)) => judge(&plans, national),
        None => Err(Invalid { e164: format!("+{digits}"), flaw: Flaw::InvalidCountryCode }),
    }
}

/// Whether Verify accepts this as a number: `+` and digits only, with an existing calling code and a possible length.
pub(crate) fn is_e164(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    let only_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    only_digits && parse(text, None).map_or_else(|invalid| invalid.flaw == Flaw::InvalidButPossible, |_valid| true)
}

/// The line type of a number. A magic number is mobile unless its effect is another line type.
pub(crate) fn line_type(number: &PhoneNumber) -> &'static str {
    match magic_numbers::find(&number.e164).map(|magic| magic.effect) {
        Some(Effect::Lookup(LookupEffect::LineType(line_type))) => line_type,
        Some(_) => "mobile",
        None => number.line_type,
    }
}

/// Whether a number is a landline.
pub(crate) fn is_landline(e164: &str) -> bool {
    parse(e164, None).is_ok_and(|number| line_type(&number) == "landline")
}

/// The countries that share a calling code, the main one first.
type Plans = Vec<&'static Metadata>;

/// Calling code and national number. No calling code is a prefix of another one.
fn split(digits: &str) -> Option<(Plans, &str)> {
    (1..=3).filter(|_| !digits.starts_with('0')).find_map(|length| {
        let (code, national) = digits.split_at_checked(length)?;
        Some((DATABASE.by_code::<u16>(&code.parse().ok()?)?, national))
    })
}

/// The numbering plan of a country, and the digits without the national prefix.
fn complete<'digits>(digits: &'digits str, country: Option<&str>) -> Option<(Plans, &'digits str)> {
    let plan = DATABASE.by_id(&country.unwrap_or("US").to_ascii_uppercase())?;
    let without_prefix = plan.national_prefix().and_then(|prefix| digits.strip_prefix(prefix));
    let national = without_prefix.filter(|national| lengths(plan).contains(&national.len())).unwrap_or(digits);
    Some((DATABASE.by_code(&plan.country_code())?, national))
}

/// The possible lengths of national numbers.
fn lengths(plan: &Metadata) -> Vec<usize> {
    let lengths = types(plan).flat_map(|(descriptor, _)| descriptor.possible_length());
    lengths.map(|length| usize::from(*length)).collect()
}

fn judge(plans: &[&'static Metadata], national: &str) -> Result<PhoneNumber, Invalid> {
    let calling_code = plans.first().map_or(0, |plan| plan.country_code());
    let e164 = format!("+{calling_code}{national}");
    let assigned = plans.iter().find_map(|plan| Some((plan.id(), line_type_by(plan, national)?)));
    if let Some((country, line_type)) = assigned {
        let national_format = match phonenumber::parse(None, &e164) {
            Ok(number) => number.format().mode(Mode::National).to_string(),
            Err(_unreadable) => national.to_owned(),
        };
        return Ok(PhoneNumber { e164, calling_code, country, national_format, line_type });
    }
    let lengths = plans.first().map(|plan| lengths(plan)).unwrap_or_default();
    let flaw = if lengths.iter().all(|length| national.len() < *length) {
        Flaw::TooShort
    } else if lengths.iter().all(|length| national.len() > *length) {
        Flaw::TooLong
    } else {
        Flaw::InvalidButPossible
    };
    Err(Invalid { e164, flaw })
}

/// The line type in Lookup's terms; `None` if the number cannot exist in this country.
fn line_type_by(plan: &Metadata, national: &str) -> Option<&'static str> {
    let mut fitting = types(plan).filter(|(descriptor, _)| descriptor.is_match(national));
    fitting.next().map(|(_, line_type)| line_type)
}

/// The line types of a country. The first one that matches a number applies.
fn types(plan: &Metadata) -> impl Iterator<Item = (&Descriptor, &'static str)> {
    let plan = plan.descriptors();
    let types = [
        (plan.premium_rate(), "premium"),
        (plan.toll_free(), "tollFree"),
        (plan.shared_cost(), "sharedCost"),
        (plan.voip(), "nonFixedVoip"),
        (plan.personal_number(), "personal"),
        (plan.pager(), "pager"),
        (plan.uan(), "uan"),
        (plan.voicemail(), "voicemail"),
        // A North American number does not show whether it is a landline or a mobile phone.
        (plan.mobile(), "mobile"),
        (plan.fixed_line(), "landline"),
    ];
    types.into_iter().filter_map(|(descriptor, line_type)| Some((descriptor?, line_type)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_completed_formatted_and_placed() {
        // Text, its country, and: E.164, country, national format, line type.
        let cases = [
            ("+12025550123", None, "+12025550123", "US", "(202) 555-0123", "mobile"),
            ("(202) 555-0123", None, "+12025550123", "US", "(202) 555-0123", "mobile"),
            ("1 202 555 0123", Some("us"), "+12025550123", "US", "(202) 555-0123", "mobile"),
            ("416-555-0123", Some("CA"), "+14165550123", "CA", "(416) 555-0123", "mobile"),
            ("+18765550123", None, "+18765550123", "JM", "(876) 555-0123", "mobile"),
            ("8765550123", Some("JM"), "+18765550123", "JM", "(876) 555-0123", "mobile"),
            ("+18005550123", None, "+18005550123", "US", "(800) 555-0123", "tollFree"),
            ("020 7946 0123", Some("GB"), "+442079460123", "GB", "020 7946 0123", "landline"),
            ("+447400123456", None, "+447400123456", "GB", "07400 123456", "mobile"),
            ("07400123456", Some("GB"), "+447400123456", "GB", "07400 123456", "mobile"),
            ("0151 23456789", Some("DE"), "+4915123456789", "DE", "01512 3456789", "mobile"),
            ("030/123456", Some("DE"), "+4930123456", "DE", "030 123456", "landline"),
            ("06 12 34 56 78", Some("FR"), "+33612345678", "FR", "06 12 34 56 78", "mobile"),
            ("06 1234 5678", Some("IT"), "+390612345678", "IT", "06 1234 5678", "landline"),
            ("098765 43210", Some("IN"), "+919876543210", "IN", "098765 43210", "mobile"),
            ("0491 570 156", Some("AU"), "+61491570156", "AU", "0491 570 156", "mobile"),
            ("55 1234 5678", Some("MX"), "+525512345678", "MX", "55 1234 5678", "mobile"),
            ("+380501234567", None, "+380501234567", "UA", "050 123 4567", "mobile"),
        ];
        for (text, country, e164, iso, national, line_type) in cases {
            let number = parse(text, country).unwrap();
            let found = (number.e164.as_str(), number.country, number.national_format.as_str(), number.line_type);
            assert_eq!(found, (e164, iso, national, line_type), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_number_has_a_reason() {
        let cases = [
            ("+120255501234", None, "+120255501234", Flaw::TooLong),
            ("+1202555012", None, "+1202555012", Flaw::TooShort),
            ("2025550", None, "+12025550", Flaw::TooShort),
            ("+15555550123", None, "+15555550123", Flaw::InvalidButPossible),
            ("+12021550123", None, "+12021550123", Flaw::InvalidButPossible),
            ("+446123456789", None, "+446123456789", Flaw::InvalidButPossible),
            ("+999123456789", None, "+999123456789", Flaw::InvalidCountryCode),
            ("+0442079460123", None, "+0442079460123", Flaw::InvalidCountryCode),
            ("2025550123", Some("XX"), "+2025550123", Flaw::InvalidCountryCode),
            ("hello", None, "+1hello", Flaw::NotANumber),
            ("", None, "+1", Flaw::NotANumber),
            ("+", None, "+1+", Flaw::NotANumber),
        ];
        for (text, country, e164, flaw) in cases {
            let e164 = e164.to_owned();
            assert_eq!(parse(text, country), Err(Invalid { e164, flaw }), "{text:?}");
        }
    }
}
