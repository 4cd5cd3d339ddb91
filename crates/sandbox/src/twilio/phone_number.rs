//! What Twilio makes of the characters that it gets as a phone number.

use super::magic_numbers::{self, Effect, LookupEffect};
use super::numbering::{AREA_CODES, OTHER_CALLING_CODES, PLANS, Plan, Range};

/// National numbers of countries without a plan.
const OTHER_DIGITS: (usize, usize) = (5, 12);
/// Most digits with the calling code, by E.164.
const MAX_DIGITS: usize = 15;

/// A number that can be assigned to somebody.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PhoneNumber {
    /// `+` and digits.
    pub(crate) e164: String,
    pub(crate) calling_code: &'static str,
    /// ISO 3166-1 alpha-2.
    pub(crate) country: &'static str,
    /// As it is written in its country.
    pub(crate) national_format: String,
    /// As Lookup names it.
    pub(crate) line_type: &'static str,
}

/// Why something is no number; in Lookup's words.
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

/// Something that is no number, and what Lookup makes of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invalid {
    pub(crate) e164: String,
    pub(crate) flaw: Flaw,
}

/// Reads a number with its calling code, or a national one of this country (none: of North America).
pub(crate) fn parse(text: &str, country: Option<&str>) -> Result<PhoneNumber, Invalid> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let foreign = |character: char| !(character.is_ascii_digit() || " +-.()/".contains(character));
    let fail = |e164: String, flaw| Err(Invalid { e164, flaw });
    if digits.is_empty() || text.contains(foreign) {
        return fail(format!("+1{text}"), Flaw::NotANumber);
    }
    if text.trim_start().starts_with('+') {
        return match split(&digits) {
            Some((numbering, national)) => numbering.judge(national),
            None => fail(format!("+{digits}"), Flaw::InvalidCountryCode),
        };
    }
    let Some(numbering) = Numbering::of_country(country.unwrap_or("US")) else {
        return fail(format!("+{digits}"), Flaw::InvalidCountryCode);
    };
    numbering.judge(numbering.without_trunk(&digits))
}

/// Whether Verify takes this as a number: `+` and digits only, with a calling code and a length that exist.
pub(crate) fn is_e164(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    let only_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let judged = parse(text, None);
    only_digits && judged.map_or_else(|invalid| invalid.flaw == Flaw::InvalidButPossible, |_valid| true)
}

/// What kind of line a number is, magic ones included.
pub(crate) fn line_type(number: &PhoneNumber) -> &'static str {
    match magic_numbers::find(&number.e164).map(|magic| magic.effect) {
        Some(Effect::Lookup(LookupEffect::LineType(line_type))) => line_type,
        _ => number.line_type,
    }
}

/// Whether a number is a landline.
pub(crate) fn is_landline(e164: &str) -> bool {
    parse(e164, None).is_ok_and(|number| line_type(&number) == "landline")
}

/// The numbering of one calling code.
struct Numbering {
    calling_code: &'static str,
    country: &'static str,
    plan: Option<&'static Plan>,
}

impl Numbering {
    fn of_country(country: &str) -> Option<Self> {
        let same = |known: &&str| known.eq_ignore_ascii_case(country);
        let other = OTHER_CALLING_CODES.iter().find(|(_, known)| same(known));
        let north_american = AREA_CODES.iter().find(|(known, _)| same(known));
        let plan = PLANS.iter().find(|plan| same(&plan.country));
        match (plan, other, north_american) {
            (Some(plan), _, _) => Some(Self::planned(plan)),
            (None, Some((calling_code, country)), _) => Some(Self { calling_code, country, plan: None }),
            (None, None, Some(_)) => Self::of_country("US"),
            (None, None, None) => None,
        }
    }

    fn planned(plan: &'static Plan) -> Self {
        Self { calling_code: plan.calling_code, country: plan.country, plan: Some(plan) }
    }

    fn without_trunk<'digits>(&self, digits: &'digits str) -> &'digits str {
        let Some(plan) = self.plan else { return digits };
        match digits.strip_prefix(plan.trunk) {
            Some(rest) if !plan.trunk.is_empty() && rest.len() >= plan.digits.0 => rest,
            _ => digits,
        }
    }

    fn judge(&self, national: &str) -> Result<PhoneNumber, Invalid> {
        let e164 = format!("+{}{national}", self.calling_code);
        let (least, most) = self.plan.map_or(OTHER_DIGITS, |plan| plan.digits);
        let most = most.min(MAX_DIGITS - self.calling_code.len());
        let flaw = if national.len() < least {
            Some(Flaw::TooShort)
        } else if national.len() > most {
            Some(Flaw::TooLong)
        } else {
            None
        };
        let range = self.range(national);
        match (flaw, range) {
            (None, Some((line_type, groups))) => Ok(PhoneNumber {
                country: self.country_of(national),
                calling_code: self.calling_code,
                national_format: self.format(national, groups),
                line_type,
                e164,
            }),
            (flaw, _) => Err(Invalid { e164, flaw: flaw.unwrap_or(Flaw::InvalidButPossible) }),
        }
    }

    /// Line type and grouping; none if nobody can have the number.
    fn range(&self, national: &str) -> Option<(&'static str, &'static [usize])> {
        let Some(plan) = self.plan else { return Some(("mobile", &[])) };
        if self.calling_code == "1" && !is_north_american(national) {
            return None;
        }
        let fits = |range: &&Range| national.starts_with(range.prefix);
        plan.ranges.iter().find(fits).map(|range| (range.line_type, range.groups))
    }

    fn country_of(&self, national: &str) -> &'static str {
        let area = national.get(..3).unwrap_or_default();
        let found = AREA_CODES.iter().find(|(_, areas)| areas.contains(&area));
        match found {
            Some((country, _)) if self.calling_code == "1" => country,
            _ if self.calling_code == "1" => "US",
            _ => self.country,
        }
    }

    fn format(&self, national: &str, groups: &[usize]) -> String {
        let mut parts = Vec::new();
        let mut rest = national;
        for length in groups {
            let (group, after) = rest.split_at((*length).min(rest.len()));
            parts.push(group);
            rest = after;
        }
        match parts.last_mut() {
            // What the groups do not hold belongs to the last one.
            Some(last) if !rest.is_empty() => *last = &national[national.len() - rest.len() - last.len()..],
            Some(_) => {}
            None => parts.push(rest),
        }
        parts.retain(|part| !part.is_empty());
        match parts.as_slice() {
            [area, exchange, line] if self.calling_code == "1" => format!("({area}) {exchange}-{line}"),
            parts => format!("{}{}", self.plan.map_or("", |plan| plan.trunk), parts.join(" ")),
        }
    }
}

/// An area code and an exchange begin with 2 to 9; the middle digit of an area code is not 9, and there is no area 555.
fn is_north_american(national: &str) -> bool {
    match national.as_bytes() {
        [b'5', b'5', b'5', ..] => false,
        [area, middle, _, exchange, ..] => *area >= b'2' && *middle != b'9' && *exchange >= b'2',
        _ => false,
    }
}

/// Calling code and national number. No calling code begins another one.
fn split(digits: &str) -> Option<(Numbering, &str)> {
    for plan in PLANS {
        if let Some(national) = digits.strip_prefix(plan.calling_code) {
            return Some((Numbering::planned(plan), national));
        }
    }
    OTHER_CALLING_CODES.iter().find_map(|(calling_code, country)| {
        let numbering = Numbering { calling_code, country, plan: None };
        Some((numbering, digits.strip_prefix(calling_code)?))
    })
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
            ("+447700900123", None, "+447700900123", "GB", "07700 900123", "mobile"),
            ("07700900123", Some("GB"), "+447700900123", "GB", "07700 900123", "mobile"),
            ("0151 23456789", Some("DE"), "+4915123456789", "DE", "01512 3456789", "mobile"),
            ("030/123456", Some("DE"), "+4930123456", "DE", "030 123456", "landline"),
            ("06 12 34 56 78", Some("FR"), "+33612345678", "FR", "06 12 34 56 78", "mobile"),
            ("06 1234 5678", Some("IT"), "+390612345678", "IT", "06 1234 5678", "landline"),
            ("098765 43210", Some("IN"), "+919876543210", "IN", "098765 43210", "mobile"),
            ("0491 570 156", Some("AU"), "+61491570156", "AU", "0491 570 156", "mobile"),
            ("55 1234 5678", Some("MX"), "+525512345678", "MX", "55 1234 5678", "mobile"),
            ("+380501234567", None, "+380501234567", "UA", "501234567", "mobile"),
        ];
        for (text, country, e164, iso, national, line_type) in cases {
            let number = parse(text, country).unwrap();
            let found = (number.e164.as_str(), number.country, number.national_format.as_str(), number.line_type);
            assert_eq!(found, (e164, iso, national, line_type), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_told_why() {
        let cases = [
            ("+120255501234", None, "+120255501234", Flaw::TooLong),
            ("+1202555012", None, "+1202555012", Flaw::TooShort),
            ("2025550", None, "+12025550", Flaw::TooShort),
            ("+15555550123", None, "+15555550123", Flaw::InvalidButPossible),
            ("+12021550123", None, "+12021550123", Flaw::InvalidButPossible),
            ("+446123456789", None, "+446123456789", Flaw::InvalidButPossible),
            ("+999123456789", None, "+999123456789", Flaw::InvalidCountryCode),
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

    #[test]
    fn the_readme_names_every_country_with_a_plan() {
        let readme = include_str!("../../README.md");
        for plan in PLANS.iter().filter(|plan| plan.country != "CA") {
            let listed = |separator: char| readme.contains(&format!(" {}{separator}", plan.country));
            assert!(listed(',') || listed(' '), "{}", plan.country);
        }
    }

    #[test]
    fn no_calling_code_begins_another_one() {
        let planned = PLANS.iter().filter(|plan| plan.country != "CA").map(|plan| plan.calling_code);
        let codes: Vec<&str> = planned.chain(OTHER_CALLING_CODES.iter().map(|(code, _)| *code)).collect();
        for (index, code) in codes.iter().enumerate() {
            let begins = |(other, text): (usize, &&str)| other != index && text.starts_with(code);
            assert!(!codes.iter().enumerate().any(begins), "{code}");
        }
    }
}
