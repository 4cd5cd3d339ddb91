//! Rules by country: channel, template and language (`COUNTRY_RULES`).
//!
//! A country's rule replaces the default rule (`*`) completely. Omitted fields come from the global variables. These
//! settings decide the channel of a code, and the first one that applies wins:
//!
//! 1. `LANDLINE_TO_CALL`, if Lookup reports a landline (see [`policy`](super::policy))
//! 2. `RESEND_CHANNELS`, for a repeated request of the same user
//! 3. `COUNTRY_RULES`
//! 4. `SMS_CHANNEL`
//!
//! Okta's voice calls stay calls, but a rule's template and language apply to them too.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;

use crate::{
    config::{ConfigError, Place, Variables},
    id::Sid,
    okta::telephony::DeliveryChannel,
    phone::{Channel, Region},
    twilio::locale::{self, supported},
};

const VARIABLE: &str = "COUNTRY_RULES";
const EXAMPLE: &str = r#"{"*":{"channel":"sms"},"BR":{"channel":"whatsapp"}}"#;

/// Maximum size of the variable. All variables of a function together must stay below Lambda's 4 KB.
const MAX_BYTES: usize = 2_560;

/// The rules of `COUNTRY_RULES` (none).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountryRules {
    by_region: BTreeMap<Region, CountryRule>,
    /// `*`
    rest: CountryRule,
}

/// The settings of a country. Omitted settings come from the global variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountryRule {
    /// The channel for Okta's SMS deliveries: `sms` or `whatsapp`.
    pub channel: Option<Channel>,
    /// `HJ…`. Verify has no templates for WhatsApp.
    pub template: Option<Sid>,
    locale: Option<String>,
}

impl CountryRules {
    /// Reads the variable.
    ///
    /// # Errors
    /// Fails if it is not JSON, too long, or has an invalid rule. The error names the country and the field.
    pub fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        let Some(text) = variables.optional(VARIABLE) else {
            return Ok(Self::default());
        };
        let error = |problem| ConfigError::new(VARIABLE, problem, EXAMPLE);
        if text.len() > MAX_BYTES {
            return Err(error("must have at most 2560 bytes"));
        }
        let entries: Entries =
            serde_json::from_str(&text).map_err(|_serde_error| error("must be a JSON object of countries"))?;
        let mut rules = Self::default();
        let mut has_rest = false;
        for (key, rule) in entries.0 {
            let place = Place::of_key(&key);
            let rule = CountryRule::read(rule, place.clone())?;
            let is_double = if key == "*" {
                rules.rest = rule;
                std::mem::replace(&mut has_rest, true)
            } else {
                let problem = "must be a country code of two letters (ISO 3166-1 alpha-2), 001 or *";
                let region = key.parse().map_err(|_country_error| error(problem).at(place.clone()))?;
                rules.by_region.insert(region, rule).is_some()
            };
            if is_double {
                return Err(error("must have one rule, not two").at(place));
            }
        }
        Ok(rules)
    }

    /// The rule for numbers of a region.
    pub fn of(&self, region: Region) -> &CountryRule {
        self.by_region.get(&region).unwrap_or(&self.rest)
    }

    /// The template of each rule that has one, with the rule's country or `*`.
    pub fn templates(&self) -> impl Iterator<Item = (String, &Sid)> {
        let rules = self.by_region.iter().map(|(region, rule)| (region.to_string(), rule));
        rules
            .chain([("*".to_owned(), &self.rest)])
            .filter_map(|(country, rule)| Some((country, rule.template.as_ref()?)))
    }
}

impl CountryRule {
    fn read(rule: Value, place: Place) -> Result<Self, ConfigError> {
        let error = |problem, field| ConfigError::new(VARIABLE, problem, EXAMPLE).at(place.clone().field(field));
        let Ok(Entries(fields)) = serde_json::from_value(rule) else {
            let problem = "must be an object with channel, template or locale";
            return Err(ConfigError::new(VARIABLE, problem, EXAMPLE).at(place));
        };
        let mut rule = Self::default();
        for (field, value) in fields {
            let value = value.as_str().unwrap_or_default();
            match field.as_str() {
                "channel" => {
                    let channel = sms_channel(value).ok_or(error("must be sms or whatsapp", "channel"))?;
                    rule.channel = Some(channel);
                }
                "template" => {
                    let problem = "must be HJ and 32 hexadecimal digits";
                    rule.template = Some(Sid::parse(value, "HJ").ok_or(error(problem, "template"))?);
                }
                "locale" => rule.locale = Some(value.to_owned()),
                _ => {
                    let problem = "must have no other fields than channel, template and locale";
                    return Err(ConfigError::new(VARIABLE, problem, EXAMPLE).at(place));
                }
            }
        }
        if rule.channel == Some(Channel::WhatsApp) && rule.template.is_some() {
            return Err(error(
                "must not be used with the channel whatsapp, which has no templates in Verify",
                "template",
            ));
        }
        match &rule.locale {
            Some(locale) if rule.template.is_none() && !is_of_any_channel(locale) => {
                Err(error("must be a locale of Twilio, or a locale of the rule's template", "locale"))
            }
            Some(locale) if !has_form_of_locale(locale) => Err(error("must be a locale, such as pt-BR", "locale")),
            _ => Ok(rule),
        }
    }

    /// The locale for a channel, if the rule has one. With a template, the locale is used as written, because the
    /// template must support it.
    pub fn locale(&self, channel: Channel) -> Option<Option<&str>> {
        let locale = self.locale.as_deref()?;
        let is_of_template = self.template.is_some() && channel != Channel::WhatsApp;
        Some(if is_of_template { Some(locale) } else { locale::for_okta(locale, channel) })
    }
}

/// The channel for Okta's request, before Lookup. `resend` is the channel of `RESEND_CHANNELS` for a repeated request.
pub fn channel(
    delivery: DeliveryChannel,
    resend: Option<Channel>,
    rule: &CountryRule,
    sms_channel: Channel,
) -> Channel {
    match delivery {
        DeliveryChannel::Call => Channel::Call,
        DeliveryChannel::Sms => resend.or(rule.channel).unwrap_or(sms_channel),
    }
}

/// Parses a channel for Okta's SMS deliveries.
pub(super) fn sms_channel(text: &str) -> Option<Channel> {
    match text {
        "sms" => Some(Channel::Sms),
        "whatsapp" => Some(Channel::WhatsApp),
        _ => None,
    }
}

/// Whether Twilio's own texts support this language on any channel.
pub(super) fn is_of_any_channel(text: &str) -> bool {
    let channels = [Channel::Sms, Channel::Call, Channel::WhatsApp];
    channels.into_iter().any(|channel| supported(channel).iter().any(|locale| locale.eq_ignore_ascii_case(text)))
}

fn has_form_of_locale(text: &str) -> bool {
    let is_part = |part: &str| (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    text.len() <= 35 && text.split(['-', '_']).all(is_part)
}

/// The members of a JSON object with duplicates. A map would silently keep only the last one.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Entries;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = members.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::lookup;
    use proptest::prelude::*;

    const HJ: &str = "HJ0123456789abcdef0123456789abcdef";

    fn read(text: &str) -> Result<CountryRules, ConfigError> {
        let text = text.replace("HJ…", HJ);
        let variables = move |name: &str| (name == VARIABLE).then(|| text.clone());
        CountryRules::from_variables(&Variables::new(&variables))
    }

    fn region(text: &str) -> Region {
        text.parse().unwrap()
    }

    #[test]
    fn without_the_variable_there_are_no_country_rules() {
        let rules = CountryRules::from_variables(&Variables::new(&lookup(&[]))).unwrap();
        assert_eq!(rules, CountryRules::default());
        assert_eq!(rules.of(region("DE")), &CountryRule::default());
        assert_eq!(read("{}").unwrap(), rules);
    }

    #[test]
    fn a_countrys_rule_replaces_the_default_completely() {
        let rules = read(
            r#"{"*":{"channel":"whatsapp","locale":"es"},"us":{"template":"HJ…","locale":"en-pirate"},"BR":{},
                "001":{"channel":"sms"}}"#,
        )
        .unwrap();
        for (of, channel, has_template, sms, call, whatsapp) in [
            ("DE", Some(Channel::WhatsApp), false, Some(Some("es")), Some(Some("es")), Some(Some("es"))),
            ("US", None, true, Some(Some("en-pirate")), Some(Some("en-pirate")), Some(Some("en"))),
            ("BR", None, false, None, None, None),
            ("001", Some(Channel::Sms), false, None, None, None),
        ] {
            let rule = rules.of(region(of));
            assert_eq!((rule.channel, rule.template.is_some()), (channel, has_template), "{of}");
            let locales = [Channel::Sms, Channel::Call, Channel::WhatsApp].map(|channel| rule.locale(channel));
            assert_eq!(locales, [sms, call, whatsapp], "{of}");
        }
    }

    #[test]
    fn a_locale_without_a_template_is_mapped_to_the_channel() {
        let rules = read(r#"{"TW":{"locale":"zh-tw"},"KE":{"locale":"sw"}}"#).unwrap();
        let taiwan = rules.of(region("TW"));
        assert_eq!(taiwan.locale(Channel::Sms), Some(Some("zh-HK")));
        assert_eq!(taiwan.locale(Channel::WhatsApp), Some(Some("zh-tw")));
        // Only WhatsApp supports Swahili. On other channels the locale is omitted, and not replaced by the user's.
        assert_eq!(rules.of(region("KE")).locale(Channel::Sms), Some(None));
    }

    #[test]
    fn an_error_names_the_country_and_the_field() {
        for (text, beginning) in [
            ("sms", "must be a JSON object"),
            ("[]", "must be a JSON object"),
            (r#"{"DE":{"channel":"sms"}"#, "must be a JSON object"),
            (r#"{"UK":{}}"#, "UK: must be a country code"),
            (r#"{"Germany":{}}"#, "one key: must be a country code"),
            (r#"{"":{}}"#, "one key: must be a country code"),
            (r#"{"002":{}}"#, "002: must be a country code"),
            (r#"{"DE":"sms"}"#, "DE: must be an object"),
            (r#"{"DE":null}"#, "DE: must be an object"),
            (r#"{"DE":{},"DE":{}}"#, "DE: must have one rule"),
            (r#"{"DE":{},"de":{}}"#, "de: must have one rule"),
            (r#"{"*":{},"*":{}}"#, "*: must have one rule"),
            (r#"{"DE":{"sender":"x"}}"#, "DE: must have no other fields"),
            (r#"{"DE":{"channel":"call"}}"#, "DE, channel: must be sms or whatsapp"),
            (r#"{"DE":{"channel":null}}"#, "DE, channel: must be sms or whatsapp"),
            (r#"{"*":{"channel":["sms"]}}"#, "*, channel: must be sms or whatsapp"),
            (r#"{"001":{"template":"VA0123456789abcdef0123456789abcdef"}}"#, "001, template: must be HJ"),
            (r#"{"DE":{"channel":"whatsapp","template":"HJ…"}}"#, "DE, template: must not be used with"),
            (r#"{"DE":{"locale":"german"}}"#, "DE, locale: must be a locale of Twilio"),
            (r#"{"DE":{"locale":"okta"}}"#, "DE, locale: must be a locale of Twilio"),
            (r#"{"DE":{"locale":"","template":"HJ…"}}"#, "DE, locale: must be a locale"),
            (r#"{"DE":{"locale":"d e","template":"HJ…"}}"#, "DE, locale: must be a locale"),
            (r#"{"DE":{"locale":7,"template":"HJ…"}}"#, "DE, locale: must be a locale"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("COUNTRY_RULES: {beginning}")), "{text}: {error}");
            assert!(error.ends_with(&format!("; for example COUNTRY_RULES={EXAMPLE}")), "{error}");
        }
        assert!(read(EXAMPLE).is_ok());
    }

    #[test]
    fn the_length_is_limited() {
        let rules = |bytes: usize| format!("{{{}}}", " ".repeat(bytes - 2));
        assert!(read(&rules(MAX_BYTES)).is_ok());
        let error = read(&rules(MAX_BYTES + 1)).unwrap_err().to_string();
        assert!(error.starts_with("COUNTRY_RULES: must have at most 2560 bytes"), "{error}");
    }

    #[test]
    fn a_resend_overrides_the_country_and_the_country_overrides_the_default() {
        let by_country = CountryRule { channel: Some(Channel::WhatsApp), ..CountryRule::default() };
        let by_sms = CountryRule { channel: Some(Channel::Sms), ..CountryRule::default() };
        let none = CountryRule::default();
        for (resend, rule, sms_channel, expected) in [
            (None, &none, Channel::Sms, Channel::Sms),
            (None, &none, Channel::WhatsApp, Channel::WhatsApp),
            (None, &by_country, Channel::Sms, Channel::WhatsApp),
            (None, &by_sms, Channel::WhatsApp, Channel::Sms),
            (Some(Channel::Call), &none, Channel::Sms, Channel::Call),
            (Some(Channel::Sms), &none, Channel::WhatsApp, Channel::Sms),
            (Some(Channel::Call), &by_country, Channel::Sms, Channel::Call),
            (Some(Channel::Sms), &by_country, Channel::WhatsApp, Channel::Sms),
        ] {
            assert_eq!(channel(DeliveryChannel::Sms, resend, rule, sms_channel), expected, "{resend:?} {rule:?}");
            assert_eq!(channel(DeliveryChannel::Call, resend, rule, sms_channel), Channel::Call, "a call stays a call");
        }
    }

    proptest! {
        #[test]
        fn an_error_shows_no_value(key in "[A-Za-z0-9*]{0,12}", value in "[a-z0-9]{9,20}", field in "[a-z]{9,20}") {
            for text in [
                format!(r#"{{"{key}":{{"channel":"{value}"}}}}"#),
                format!(r#"{{"{key}":{{"{field}":1}}}}"#),
                format!(r#"{{"DE":{{"locale":"{value}","template":"{value}"}}}}"#),
            ] {
                if let Err(error) = read(&text) {
                    let error = error.to_string();
                    prop_assert!(!error.contains(&value) && !error.contains(&field), "{}", error);
                    prop_assert!(key.len() <= 3 || !error.contains(&key), "{}", error);
                }
            }
        }
    }
}
