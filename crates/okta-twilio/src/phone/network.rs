//! Mobile networks.

use std::fmt;

/// Mobile country code and mobile network code (ITU-T E.212). They are compared as numbers, because some carriers drop
/// leading zeros: `262-01` and `262-1` are the same network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NetworkCode {
    country: u16,
    network: u16,
}

impl NetworkCode {
    /// Parses the digits of the two codes: three digits, and one to three.
    pub fn parse(country: &str, network: &str) -> Option<Self> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        let usable = country.len() == 3 && (1..=3).contains(&network.len());
        usable.then(|| Some(Self { country: digits(country)?, network: digits(network)? })).flatten()
    }
}

impl fmt::Display for NetworkCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:03}-{:02}", self.country, self.network)
    }
}

impl serde::Serialize for NetworkCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_network_codes_as_numbers() {
        assert_eq!(NetworkCode::parse("262", "01"), NetworkCode::parse("262", "1"));
        assert_eq!(NetworkCode::parse("310", "260").unwrap().to_string(), "310-260");
        assert_eq!(NetworkCode::parse("262", "1").unwrap().to_string(), "262-01");
        for (country, network) in
            [("26", "01"), ("2620", "1"), ("262", ""), ("262", "0001"), ("+62", "01"), ("262", "a")]
        {
            assert_eq!(NetworkCode::parse(country, network), None, "{country}-{network}");
        }
    }
}
