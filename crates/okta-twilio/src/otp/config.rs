//! The configuration of sending: the variables for Verify.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    config::{ConfigError, Variables},
    id::{SafeId, Sid},
    okta::telephony::{DeliveryChannel, OtpRequest},
    otp::{
        resend,
        rules::{self, CountryRules},
        sends,
    },
    phone::{Channel, PhoneNumber, Region},
    twilio::locale,
};

/// The warning for `REPLACE_PENDING` alone: a canceled verification does not count towards Twilio's limit of five
/// messages in ten minutes.
const UNLIMITED_SENDS: &str = "REPLACE_PENDING resets Twilio's limit of five messages in ten minutes, and VERIFY_RATE_LIMITS is not set: \
     nothing limits what one number costs";

/// The warning for `RESEND_CHANNELS` with calls: a call costs more than a message, and each repeated request causes
/// one.
const UNLIMITED_CALLS: &str = "RESEND_CHANNELS makes calls of repeated requests, and VERIFY_RATE_LIMITS is not set: \
     nothing but Twilio's five messages in ten minutes limits what one number costs";

/// The configuration of sending.
#[derive(Clone, Debug)]
pub struct SendConfig {
    /// `HOOK_BUDGET_MS` (2600): time budget for Lookup, Verify and retries.
    pub budget: Duration,
    /// `SMS_CHANNEL` (`sms`): `sms` or `whatsapp`.
    pub sms_channel: Channel,
    /// `VERIFY_LOCALE` (`okta`).
    pub locale: LocaleChoice,
    /// `VERIFY_TEMPLATE_SID` (none): `HJ…`.
    pub template_sid: Option<Sid>,
    /// `COUNTRY_RULES` (none): overrides the three settings above.
    pub country_rules: CountryRules,
    /// `VERIFY_RATE_LIMITS` (none).
    pub rate_limits: Vec<RateLimit>,
    /// `REPLACE_PENDING` (false): cancels the pending verification of the number before a send.
    pub replace_pending: bool,
    /// `SENDS_TABLE` (none): the table that stores accepted messages for feedback.
    pub sends_table: Option<String>,
    /// `RESEND_CHANNELS` (none): the channels of a user's second, third … request for a number.
    pub resend_channels: Vec<Channel>,
}

/// How the language of a message is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocaleChoice {
    /// Okta's locale, mapped to one that Twilio supports for the channel.
    Okta,
    /// Twilio chooses by the number's country.
    Auto,
    /// Always this locale.
    Fixed(String),
}

/// A rate limit of the Verify service, and the value that it counts by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    key: String,
    source: RateLimitSource,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RateLimitSource {
    UserId,
    Phone,
    Ip,
    RequestType,
}

impl SendConfig {
    /// Reads the variables for sending.
    ///
    /// # Errors
    /// Fails at the first invalid variable.
    pub fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let budget_help = ("must be a number of milliseconds from 500 to 2900", "2600");
        let template_help = ("must be HJ and 32 hexadecimal digits", "HJ0123456789abcdef0123456789abcdef");
        let rate_limit_help =
            ("must be key=source pairs; source is user_id, phone, ip or request_type", "okta_user=user_id,ip=ip");
        let sends_table = sends::table_name(variables)?;
        let resend_channels = resend::resend_channels(variables, sends_table.as_deref())?;
        Ok(Self {
            budget: Duration::from_millis(variables.number("HOOK_BUDGET_MS", budget_help, 500..=2_900, 2_600)?),
            sms_channel: variables
                .read("SMS_CHANNEL", ("must be sms or whatsapp", "sms"), rules::sms_channel)?
                .unwrap_or(Channel::Sms),
            locale: variables
                .read("VERIFY_LOCALE", ("must be okta, auto or a locale of Twilio", "okta"), LocaleChoice::parse)?
                .unwrap_or(LocaleChoice::Okta),
            template_sid: variables.read("VERIFY_TEMPLATE_SID", template_help, |value| Sid::parse(value, "HJ"))?,
            country_rules: CountryRules::from_variables(variables)?,
            rate_limits: variables.list("VERIFY_RATE_LIMITS", rate_limit_help, RateLimit::parse)?,
            replace_pending: variables.flag("REPLACE_PENDING")?,
            sends_table,
            resend_channels,
        })
    }

    /// The channel for Okta's request. `resend` is the channel of `RESEND_CHANNELS` for a repeated request.
    pub(super) fn channel(&self, delivery: DeliveryChannel, region: Region, resend: Option<Channel>) -> Channel {
        rules::channel(delivery, resend, self.country_rules.of(region), self.sms_channel)
    }

    /// The template for numbers of a region.
    pub(super) fn template(&self, region: Region) -> Option<&Sid> {
        self.country_rules.of(region).template.as_ref().or(self.template_sid.as_ref())
    }

    /// The locale for numbers of a region, if any.
    pub(super) fn locale<'a>(&'a self, request: &'a OtpRequest, region: Region, channel: Channel) -> Option<&'a str> {
        let by_country = self.country_rules.of(region).locale(channel);
        by_country.unwrap_or_else(|| self.locale.of(request, channel))
    }

    /// Settings that work but are probably not intended: one text each for the log at startup.
    pub fn warnings(&self) -> Vec<&'static str> {
        if !self.rate_limits.is_empty() {
            return Vec::new();
        }
        let has_calls = self.resend_channels.contains(&Channel::Call);
        let unlimited = [(self.replace_pending, UNLIMITED_SENDS), (has_calls, UNLIMITED_CALLS)];
        unlimited.into_iter().filter_map(|(applies, warning)| applies.then_some(warning)).collect()
    }

    /// The service's rate limits with the values of this request, as a JSON object.
    pub(super) fn rate_limits(&self, request: &OtpRequest, to: &PhoneNumber) -> Option<String> {
        let limits = self.rate_limits.iter();
        let limits: BTreeMap<_, _> = limits.filter_map(|limit| Some((&limit.key, limit.value(request, to)?))).collect();
        if limits.is_empty() { None } else { serde_json::to_string(&limits).ok() }
    }
}

impl LocaleChoice {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "okta" => Some(Self::Okta),
            "auto" => Some(Self::Auto),
            fixed => rules::is_of_any_channel(fixed).then(|| Self::Fixed(fixed.to_owned())),
        }
    }

    /// The locale to send, if any.
    fn of<'a>(&'a self, request: &OtpRequest, channel: Channel) -> Option<&'a str> {
        match self {
            Self::Okta => locale::for_okta(request.locale.as_deref()?, channel),
            Self::Auto => None,
            // A locale of another channel can be missing in this one.
            Self::Fixed(fixed) => locale::for_okta(fixed, channel),
        }
    }
}

impl RateLimit {
    /// The unique name of the rate limit at the service.
    pub fn key(&self) -> &str {
        &self.key
    }

    fn parse(text: &str) -> Option<Self> {
        let (key, source) = text.split_once('=')?;
        let (key, source) = (key.trim(), source.trim());
        let is_key = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let source = match source {
            "user_id" => RateLimitSource::UserId,
            "phone" => RateLimitSource::Phone,
            "ip" => RateLimitSource::Ip,
            "request_type" => RateLimitSource::RequestType,
            _ => return None,
        };
        (!key.is_empty() && key.bytes().all(is_key)).then(|| Self { key: key.to_owned(), source })
    }

    fn value(&self, request: &OtpRequest, to: &PhoneNumber) -> Option<String> {
        match self.source {
            RateLimitSource::UserId => request.user_id.as_ref().map(SafeId::to_string),
            RateLimitSource::Phone => Some(to.expose().to_owned()),
            RateLimitSource::Ip => request.ip_address.map(|address| address.to_string()),
            RateLimitSource::RequestType => Some(request.request_type.as_str().to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::lookup;

    fn read(list: &[(&'static str, &'static str)]) -> Result<SendConfig, ConfigError> {
        SendConfig::from_variables(&Variables::new(&lookup(list)))
    }

    #[test]
    fn has_defaults() {
        let config = read(&[]).unwrap();
        assert_eq!(config.budget, Duration::from_millis(2_600));
        assert_eq!(config.sms_channel, Channel::Sms);
        assert_eq!(config.locale, LocaleChoice::Okta);
        assert!(config.template_sid.is_none() && config.rate_limits.is_empty() && !config.replace_pending);
    }

    #[test]
    fn a_malformed_value_is_rejected() {
        for (variable, value) in [
            ("HOOK_BUDGET_MS", "3000"),
            ("HOOK_BUDGET_MS", "2.6s"),
            ("SMS_CHANNEL", "WhatsApp"),
            ("SMS_CHANNEL", "call"),
            ("VERIFY_LOCALE", "english"),
            ("VERIFY_TEMPLATE_SID", "VA0123456789abcdef0123456789abcdef"),
            ("REPLACE_PENDING", "yes"),
            ("VERIFY_RATE_LIMITS", "okta_user"),
            ("VERIFY_RATE_LIMITS", "okta_user=login"),
            ("VERIFY_RATE_LIMITS", "okta_user=user_id,"),
            ("VERIFY_RATE_LIMITS", "okta user=user_id"),
        ] {
            let error = read(&[(variable, value)]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{variable}: must be ")), "{error}");
        }
    }

    #[test]
    fn warns_about_sends_without_a_limit() {
        let warnings = |list: &[_]| read(list).unwrap().warnings();
        assert!(warnings(&[]).is_empty());
        assert!(warnings(&[("REPLACE_PENDING", "true")])[0].contains("VERIFY_RATE_LIMITS"));
        assert!(warnings(&[("REPLACE_PENDING", "true"), ("VERIFY_RATE_LIMITS", "okta_user=user_id")]).is_empty());
    }
}
