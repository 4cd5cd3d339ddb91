//! Configuration from environment variables, read once at startup.
//!
//! A blank value counts as unset, because templates write "no value" that way. An invalid value aborts startup with one
//! line: the variable, the problem and an example. The value itself is not printed, because it could be a secret that
//! was pasted into the wrong place.

mod names;

use std::{fmt, str::FromStr, time::Duration};

use serde::{Serialize, Serializer};
use tracing::Level;
use url::Url;

pub use self::names::{MisspelledVariable, PROXY_VARIABLES, VARIABLES, misspelled, nearest};
use crate::{http_client::ClientError, id::Sid};

/// An invalid variable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {place}{problem}; for example {variable}={example}")]
pub struct ConfigError {
    variable: &'static str,
    place: Place,
    problem: &'static str,
    example: &'static str,
}

impl ConfigError {
    /// `problem` says what the variable must be. `example` is a valid value.
    pub(crate) const fn new(variable: &'static str, problem: &'static str, example: &'static str) -> Self {
        Self { variable, place: Place { key: None, field: None }, problem, example }
    }

    /// The same error with its place, for a variable that holds several values.
    pub(crate) fn at(self, place: Place) -> Self {
        Self { place, ..self }
    }
}

/// The place of an error in a variable's JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    key: Option<String>,
    field: Option<&'static str>,
}

impl Place {
    /// The place at this key. A key longer than a country code is not shown, because it could be a secret.
    pub(crate) fn of_key(key: &str) -> Self {
        let is_short = key == "*" || ((1..=3).contains(&key.len()) && key.bytes().all(|it| it.is_ascii_alphanumeric()));
        Self { key: Some(if is_short { key } else { "one key" }.to_owned()), field: None }
    }

    /// The place at this field of the key.
    pub(crate) fn field(self, field: &'static str) -> Self {
        Self { field: Some(field), ..self }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.key, self.field) {
            (Some(key), Some(field)) => write!(formatter, "{key}, {field}: "),
            (Some(key), None) => write!(formatter, "{key}: "),
            (None, _) => Ok(()),
        }
    }
}

/// Why a function cannot start. The text names the variable to fix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A variable is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The HTTP client could not be built.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl Serialize for StartError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The source of the variables: the process environment, or a closure in tests.
pub struct Variables<'a>(&'a dyn Fn(&str) -> Option<String>);

impl fmt::Debug for Variables<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Variables")
    }
}

impl<'a> Variables<'a> {
    /// Reads variables through `lookup`.
    pub fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self(lookup)
    }

    /// The value of a variable. `None` if it is unset or blank.
    pub fn optional(&self, variable: &'static str) -> Option<String> {
        (self.0)(variable).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// The value of a required variable.
    ///
    /// # Errors
    /// Fails if it is not set.
    pub fn required(&self, variable: &'static str, example: &'static str) -> Result<String, ConfigError> {
        self.optional(variable).ok_or(ConfigError::new(variable, "is required but not set", example))
    }

    /// The value of a variable, parsed by `read`. `None` if it is not set.
    ///
    /// # Errors
    /// Fails if `read` returns `None`.
    pub fn read<T>(
        &self,
        variable: &'static str,
        (problem, example): (&'static str, &'static str),
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.optional(variable) else {
            return Ok(None);
        };
        read(&value).map(Some).ok_or(ConfigError::new(variable, problem, example))
    }

    /// A number within limits, or the default.
    ///
    /// # Errors
    /// Fails if the value is not a whole number within `limits`.
    pub fn number<T: FromStr + PartialOrd>(
        &self,
        variable: &'static str,
        help: (&'static str, &'static str),
        limits: std::ops::RangeInclusive<T>,
        default: T,
    ) -> Result<T, ConfigError> {
        Ok(self.optional_number(variable, help, limits)?.unwrap_or(default))
    }

    /// A number within limits. `None` if the variable is not set.
    ///
    /// # Errors
    /// Fails if the value is not a whole number within `limits`.
    pub fn optional_number<T: FromStr + PartialOrd>(
        &self,
        variable: &'static str,
        help: (&'static str, &'static str),
        limits: std::ops::RangeInclusive<T>,
    ) -> Result<Option<T>, ConfigError> {
        self.read(variable, help, |value| value.parse().ok().filter(|number| limits.contains(number)))
    }

    /// Values separated by commas. Blanks around a value are ignored. Empty if the variable is not set.
    ///
    /// # Errors
    /// Fails if a value is empty or `read` returns `None` for it.
    pub fn list<T>(
        &self,
        variable: &'static str,
        help: (&'static str, &'static str),
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, ConfigError> {
        let read_all = |value: &str| value.split(',').map(|part| read(part.trim())).collect();
        Ok(self.read(variable, help, read_all)?.unwrap_or_default())
    }

    /// `true` or `false`. The default is false.
    ///
    /// # Errors
    /// Fails for any other value.
    pub fn flag(&self, variable: &'static str) -> Result<bool, ConfigError> {
        Ok(self.read(variable, ("must be true or false", "true"), |value| value.parse().ok())?.unwrap_or(false))
    }

    /// A base URL. It must be `https`, or `http` on the loopback interface, because requests to it carry credentials.
    ///
    /// # Errors
    /// Fails for any other URL.
    pub fn base_url(&self, variable: &'static str, example: &'static str) -> Result<Option<Url>, ConfigError> {
        let read = |value: &str| {
            let url = Url::parse(value).ok()?;
            let loopback = matches!(url.host_str()?, "localhost" | "127.0.0.1" | "[::1]");
            let safe = url.scheme() == "https" || (url.scheme() == "http" && loopback);
            (safe && url.query().is_none() && url.username().is_empty() && url.password().is_none()).then_some(url)
        };
        self.read(variable, ("must be an https URL without query or credentials", example), read)
    }
}

/// The process environment.
pub fn environment(variable: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    std::env::var(variable).ok()
}

/// The names of all variables of the process environment that are not empty.
pub fn names_in_environment() -> impl Iterator<Item = String> {
    std::env::vars_os().filter(|(_, value)| !value.is_empty()).filter_map(|(name, _)| name.into_string().ok())
}

/// The configuration that both functions share.
#[derive(Clone, Debug)]
pub struct CommonConfig {
    /// `HOOKS_SECRET_ID` (required): name or ARN of the hooks secret.
    pub hooks_secret_id: String,
    /// `SECRET_TTL_SECONDS` (300): how long a fetched secret is used before it is refreshed.
    pub secret_ttl: Duration,
    /// `VERIFY_SERVICE_SID` (from the hooks secret): `VA…`.
    pub verify_service_sid: Option<Sid>,
    /// `TWILIO_VERIFY_URL` (`https://verify.twilio.com`).
    pub verify_url: Url,
    /// `EXTRA_CA_FILE` (none): PEM file of additional root certificates.
    pub extra_ca_file: Option<String>,
    /// `AWS_REGION`, which Lambda sets.
    pub region: Option<String>,
}

impl CommonConfig {
    /// Reads the variables of both functions.
    ///
    /// # Errors
    /// Fails at the first invalid variable.
    pub fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let verify_url = variables.base_url("TWILIO_VERIFY_URL", "https://verify.twilio.com")?;
        Ok(Self {
            hooks_secret_id: variables.required("HOOKS_SECRET_ID", "okta-twilio/hooks")?,
            secret_ttl: Duration::from_secs(variables.number(
                "SECRET_TTL_SECONDS",
                ("must be a number of seconds from 1 to 86400", "300"),
                1..=86_400,
                300,
            )?),
            verify_service_sid: verify_service_sid(variables)?,
            verify_url: verify_url.map_or_else(|| default_url("https://verify.twilio.com"), Ok)?,
            extra_ca_file: variables.optional("EXTRA_CA_FILE"),
            region: variables.optional("AWS_REGION"),
        })
    }
}

/// `LOG_LEVEL` (`info`): the minimum level that is printed.
///
/// # Errors
/// Fails if the value is not one of the four levels.
pub fn log_level(variables: &Variables<'_>) -> Result<Level, ConfigError> {
    let read = |value: &str| match value.to_ascii_lowercase().as_str() {
        "error" => Some(Level::ERROR),
        "warn" => Some(Level::WARN),
        "info" => Some(Level::INFO),
        "debug" => Some(Level::DEBUG),
        _ => None,
    };
    Ok(variables.read("LOG_LEVEL", ("must be error, warn, info or debug", "info"), read)?.unwrap_or(Level::INFO))
}

fn verify_service_sid(variables: &Variables<'_>) -> Result<Option<Sid>, ConfigError> {
    let help = ("must be VA and 32 hexadecimal digits", "VA0123456789abcdef0123456789abcdef");
    variables.read("VERIFY_SERVICE_SID", help, |value| Sid::parse(value, "VA"))
}

/// A URL that is part of the program.
///
/// # Errors
/// Fails if it is no URL.
pub fn default_url(url: &'static str) -> Result<Url, ConfigError> {
    Url::parse(url).map_err(|_never| ConfigError::new("TWILIO_VERIFY_URL", "must be a URL", url))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The minimum configuration of a function.
    pub(crate) const REQUIRED: &[(&str, &str)] = &[("HOOKS_SECRET_ID", "okta-twilio/hooks")];

    /// Looks variables up in a list. The last entry wins.
    pub(crate) fn lookup(list: &[(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        let list = [REQUIRED, list].concat();
        move |name| list.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    fn read(list: &[(&'static str, &'static str)]) -> Result<CommonConfig, ConfigError> {
        CommonConfig::from_variables(&Variables::new(&lookup(list)))
    }

    #[test]
    fn has_defaults() {
        let config = read(&[]).unwrap();
        assert_eq!(config.secret_ttl, Duration::from_secs(300));
        assert_eq!(config.verify_url.as_str(), "https://verify.twilio.com/");
        assert_eq!(config.verify_service_sid, None, "of the hooks secret");
        assert_eq!(log_level(&Variables::new(&lookup(&[]))).unwrap(), Level::INFO);
    }

    #[test]
    fn a_malformed_value_is_rejected_without_showing_it() {
        for (variable, value) in [
            ("HOOKS_SECRET_ID", " "),
            ("VERIFY_SERVICE_SID", "AC0123456789abcdef0123456789abcdef"),
            ("SECRET_TTL_SECONDS", "-7"),
            ("SECRET_TTL_SECONDS", "5 minutes"),
            ("TWILIO_VERIFY_URL", "http://verify.example.com"),
            ("TWILIO_VERIFY_URL", "ftp://verify.example.com"),
            ("TWILIO_VERIFY_URL", "https://user:password@verify.example.com"),
        ] {
            let error = read(&[(variable, value)]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{variable}: ")), "{error}");
            assert!(error.contains(&format!("; for example {variable}=")), "{error}");
            assert!(value.trim().is_empty() || !error.contains(value), "{error}");
        }
        let error = log_level(&Variables::new(&lookup(&[("LOG_LEVEL", "trace")]))).unwrap_err();
        assert_eq!(error.to_string(), "LOG_LEVEL: must be error, warn, info or debug; for example LOG_LEVEL=info");
    }

    #[test]
    fn plain_http_is_for_the_loopback_only() {
        for url in ["http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080", "https://proxy.example.com"]
        {
            assert!(read(&[("TWILIO_VERIFY_URL", url)]).is_ok(), "{url}");
        }
    }
}
