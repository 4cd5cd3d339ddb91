//! Stand-in until the table generated from libphonenumber lands; replace this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CountryCode([u8; 2]);
impl std::fmt::Display for CountryCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).unwrap_or_default())
    }
}
pub fn country_of(digits: &str) -> Option<CountryCode> {
    if digits.starts_with("44") {
        Some(CountryCode(*b"GB"))
    } else if digits.starts_with('1') {
        Some(CountryCode(*b"US"))
    } else {
        None
    }
}
