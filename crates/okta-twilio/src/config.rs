//! Configuration: environment variables, read once at start.
//!
//! A blank value counts as unset, because that is how templates spell "no value". A value that cannot be used ends the
//! process with one line that names the variable, the problem and an example; the value itself is not printed, since it
//! could be a secret pasted into the wrong place.

mod names;

use std::{fmt, str::FromStr, time::Duration};

use serde::{Serialize, Serializer};
use tracing::Level;
use url::Url;

pub use self::names::{MisspeltVariable, PROXY_VARIABLES, VARIABLES, misspelt, nearest};
use crate::{http_client::ClientError, id::Sid};

/// A variable that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {place}{problem}; for example {variable}={example}")]
pub struct ConfigError {
    variable: &'static str,
    place: Place,
    problem: &'static str,
    example: &'static str,
}

impl ConfigError {
    /// For what `variable` must be, and an example that is.
    pub(crate) const fn new(variable: &'static str, problem: &'static str, example: &'static str) -> Self {
        Self { variable, place: Place { key: None, field: None }, problem, example }
    }

    /// The same error, at a place in a variable that holds more than one value.
    pub(crate) fn at(self, place: Place) -> Self {
        Self { place, ..self }
    }
}

/// Where in a variable's JSON an error is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    key: Option<String>,
    field: Option<&'static str>,
}

impl Place {
    /// At the member with this key. Only one of the length of a country code is shown: a longer one could be a secret.
    pub(crate) fn of_key(key: &str) -> Self {
        let is_short = key == "*" || ((1..=3).contains(&key.len()) && key.bytes().all(|it| it.is_ascii_alphanumeric()));
        Self { key: Some(if is_short { key } else { "one key" }.to_owned()), field: None }
    }

    /// At this field of it.
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

/// Why a function cannot start. The text names the variable to mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A variable cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The HTTP client cannot be built.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl Serialize for StartError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where variables are looked up: the process environment, or a closure in tests.
pub struct Variables<'a>(&'a dyn Fn(&str) -> Option<String>);

impl fmt::Debug for Variables<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Variables")
    }
}

impl<'a> Variables<'a> {
    /// Looks variables up by `lookup`.
    pub fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self(lookup)
    }

    /// The value of a variable, unless it is unset or blank.
    pub fn optional(&self, variable: &'static str) -> Option<String> {
        (self.0)(variable).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// The value of a variable that must be set.
    ///
    /// # Errors
    /// If it is not.
    pub fn required(&self, variable: &'static str, example: &'static str) -> Result<String, ConfigError> {
        self.optional(variable).ok_or(ConfigError::new(variable, "is required and not set", example))
    }

    /// The value of a variable, read by `read`; `None` if it is not set.
    ///
    /// # Errors
    /// If `read` cannot.
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

    /// A number within limits, or a default.
    ///
    /// # Errors
    /// If it is no whole number within `limits`.
    pub fn number<T: FromStr + PartialOrd>(
        &self,
        variable: &'static str,
        help: (&'static str, &'static str),
        limits: std::ops::RangeInclusive<T>,
        default: T,
    ) -> Result<T, ConfigError> {
        Ok(self.optional_number(variable, help, limits)?.unwrap_or(default))
    }

    /// A number within limits, if the variable is set.
    ///
    /// # Errors
    /// If it is no whole number within `limits`.
    pub fn optional_number<T: FromStr + PartialOrd>(
        &self,
        variable: &'static str,
        help: (&'static str, &'static str),
        limits: std::ops::RangeInclusive<T>,
    ) -> Result<Option<T>, ConfigError> {
        self.read(variable, help, |value| value.parse().ok().filter(|number| limits.contains(number)))
    }

    /// Values between commas; blanks around them do not count. Empty if the variable is not set.
    ///
    /// # Errors
    /// If `read` cannot read one of them, or one is empty.
    pub fn list<T>(
        &self,
        variable: &'static str,
        help: (&'static str, &'static str),
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, ConfigError> {
        let read_all = |value: &str| value.split(',').map(|part| read(part.trim())).collect();
        Ok(self.read(variable, help, read_all)?.unwrap_or_default())
    }

    /// `true` or `false`; false if the variable is not set.
    ///
    /// # Errors
    /// If it is neither.
    pub fn flag(&self, variable: &'static str) -> Result<bool, ConfigError> {
        Ok(self.read(variable, ("must be true or false", "true"), |value| value.parse().ok())?.unwrap_or(false))
    }

    /// A base URL: `https`, or `http` on the loopback interface, since credentials travel on it.
    ///
    /// # Errors
    /// If it is neither.
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

/// What both functions need.
#[derive(Clone, Debug)]
pub struct CommonConfig {
    /// `HOOKS_SECRET_ID` (required): name or ARN of the hooks secret.
    pub hooks_secret_id: String,
    /// `SECRET_TTL_SECONDS` (300): how long a fetched secret is used before it is refreshed.
    pub secret_ttl: Duration,
    /// `VERIFY_SERVICE_SID` (the hooks secret's): `VA…`.
    pub verify_service_sid: Option<Sid>,
    /// `TWILIO_VERIFY_URL` (`https://verify.twilio.com`).
    pub verify_url: Url,
    /// `EXTRA_CA_FILE` (none): PEM file of further trusted roots.
    pub extra_ca_file: Option<String>,
    /// `AWS_REGION`, which Lambda sets.
    pub region: Option<String>,
}

impl CommonConfig {
    /// Reads the variables of both functions.
    ///
    /// # Errors
    /// At the first variable that cannot be used.
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

/// `LOG_LEVEL` (`info`): the least serious level that is printed.
///
/// # Errors
/// If it is none of the four.
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

/// A URL that is part of this program.
pub(crate) fn default_url(url: &'static str) -> Result<Url, ConfigError> {
    Url::parse(url).map_err(|_never| ConfigError::new("TWILIO_VERIFY_URL", "must be a URL", url))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The least that a function needs.
    pub(crate) const REQUIRED: &[(&str, &str)] = &[("HOOKS_SECRET_ID", "okta-twilio/hooks")];

    /// Looks variables up in a list, the last one first.
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
