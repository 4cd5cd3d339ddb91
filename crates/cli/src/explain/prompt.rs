//! What is private is entered at a prompt, because other users of the machine see the arguments.

use std::io::{self, IsTerminal as _};

use okta_twilio::phone::{self, DialableNumber};
use secrecy::{ExposeSecret as _, SecretString};

use super::error::ExplainError;

/// Asks for a text, and does not show it. Without a terminal it is the first line of standard input.
///
/// # Errors
/// Fails if nothing was entered.
pub(crate) fn ask(question: &str) -> Result<SecretString, ExplainError> {
    let nothing = |_io_error| ExplainError::NothingEntered;
    let text = if io::stdin().is_terminal() {
        let prompt = dialoguer::Password::new().with_prompt(question).allow_empty_password(true);
        prompt.interact().map_err(|_interrupted| ExplainError::NothingEntered)?
    } else {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map_err(nothing)?;
        line
    };
    let text = text.trim();
    if text.is_empty() { Err(ExplainError::NothingEntered) } else { Ok(SecretString::from(text.to_owned())) }
}

/// A number as Twilio takes it: a plus sign and digits.
///
/// # Errors
/// Fails if the text is not a number with a country code.
pub(crate) fn number(entered: &SecretString) -> Result<SecretString, ExplainError> {
    let entered = entered.expose_secret();
    let (DialableNumber::International(_), _) = phone::parse(entered).map_err(ExplainError::NotANumber)? else {
        return Err(ExplainError::NoCountryCode);
    };
    let is_plain = |character: char| character.is_ascii_digit() || "+ -.()".contains(character);
    if !entered.starts_with('+') || !entered.chars().all(is_plain) {
        return Err(ExplainError::NoCountryCode);
    }
    let digits: String = entered.chars().filter(char::is_ascii_digit).collect();
    Ok(SecretString::from(format!("+{digits}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_needs_its_country_code() {
        let read = |text: &str| number(&SecretString::from(text)).map(|number| number.expose_secret().to_owned());
        assert_eq!(read("+1 (202) 555-0123").unwrap(), "+12025550123");
        for text in ["2025550123", "0012025550123", "+12", "number", "+44 (0)20 7946 0999 ext. 5"] {
            let error = read(text).unwrap_err().to_string();
            assert!(!error.contains("555") && !error.contains("7946"), "{error}");
        }
    }
}
