//! The switch that stops sending without a deploy.

use serde_json::Value;

use crate::{
    phone::{Channel, CountryCode},
    secrets::text::{is_blank, trimmed},
};

/// The name of the numbers that belong to no country: the United Nations' code of the world.
const NO_COUNTRY: &str = "001";

/// What is not sent for now: the field `paused` of the hooks secret.
///
/// `true`, or a list of ISO 3166-1 codes, `001` (numbers of no country), `sms`, `whatsapp` and `call`, in any case. As
/// the console of Secrets Manager stores texts only, a text with the same content is read too: `"true"`, `"NG, call"`,
/// `"[\"NG\"]"`. Missing, null, blank, `false` and an empty list pause nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pause {
    everything: bool,
    channels: Vec<Channel>,
    /// `None` is the numbers of no country.
    countries: Vec<Option<CountryCode>>,
}

/// A value that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("paused is neither true, false nor a list of countries and channels")]
pub struct UnreadablePause;

impl Pause {
    /// Everything is paused.
    pub fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    /// Reads the field's JSON. A value that cannot be read must pause everything: somebody wanted to stop something.
    ///
    /// # Errors
    /// If it is none of the forms above, or one name in it is unknown.
    pub fn parse(json: &str) -> Result<Self, UnreadablePause> {
        match serde_json::from_str(json).map_err(|_serde_error| UnreadablePause)? {
            Value::Null => Ok(Self::default()),
            Value::Bool(everything) => Ok(Self { everything, ..Self::default() }),
            Value::Array(names) => {
                let names =
                    names.iter().map(|name| name.as_str().ok_or(UnreadablePause)).collect::<Result<Vec<_>, _>>();
                Self::of(names?)
            }
            Value::String(text) => match trimmed(&text) {
                None => Ok(Self::default()),
                Some(json) if json.starts_with('[') => match serde_json::from_str(json) {
                    Ok(names) => Self::of::<Vec<&str>>(names),
                    Err(_not_a_list_of_texts) => Err(UnreadablePause),
                },
                Some(word) if word.eq_ignore_ascii_case("true") => Ok(Self::everything()),
                Some(word) if word.eq_ignore_ascii_case("false") => Ok(Self::default()),
                Some(names) => Self::of(names.split(',')),
            },
            Value::Number(_) | Value::Object(_) => Err(UnreadablePause),
        }
    }

    fn of<'a, Names: IntoIterator<Item = &'a str>>(names: Names) -> Result<Self, UnreadablePause> {
        let mut pause = Self::default();
        for name in names {
            let name = name.trim_matches(is_blank);
            match name.to_ascii_lowercase().as_str() {
                "sms" => pause.channels.push(Channel::Sms),
                "whatsapp" => pause.channels.push(Channel::WhatsApp),
                "call" => pause.channels.push(Channel::Call),
                NO_COUNTRY => pause.countries.push(None),
                _ => pause.countries.push(Some(name.parse().map_err(|_unknown| UnreadablePause)?)),
            }
        }
        Ok(pause)
    }

    /// Whether a message is paused: to this country (`None`: a number of no country), by this channel, which is what Twilio
    /// would be asked for after all rerouting.
    pub fn applies(&self, country: Option<CountryCode>, channel: Channel) -> bool {
        self.everything || self.channels.contains(&channel) || self.countries.contains(&country)
    }

    /// Whether anything is paused.
    pub fn is_active(&self) -> bool {
        *self != Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether each of these is paused: GB by sms, GB by call, NG by sms, no country by whatsapp.
    fn paused(json: &str) -> Option<[bool; 4]> {
        let pause = Pause::parse(json).ok()?;
        let (gb, ng) = ("GB".parse().ok(), "NG".parse().ok());
        let cases = [(gb, Channel::Sms), (gb, Channel::Call), (ng, Channel::Sms), (None, Channel::WhatsApp)];
        Some(cases.map(|(country, channel)| pause.applies(country, channel)))
    }

    #[test]
    fn pauses_what_it_names() {
        const ALL: Option<[bool; 4]> = Some([true; 4]);
        const NOTHING: Option<[bool; 4]> = Some([false; 4]);
        for (json, expected) in [
            ("true", ALL),
            ("false", NOTHING),
            ("null", NOTHING),
            ("[]", NOTHING),
            (r#""""#, NOTHING),
            (r#"" \r\n""#, NOTHING),
            (r#""true""#, ALL),
            (r#"" TRUE ""#, ALL),
            (r#""False""#, NOTHING),
            (r#"["NG"]"#, Some([false, false, true, false])),
            (r#"["ng", "CALL"]"#, Some([false, true, true, false])),
            (r#"[" Sms "]"#, Some([true, false, true, false])),
            (r#"["001"]"#, Some([false, false, false, true])),
            (r#"["WhatsApp"]"#, Some([false, false, false, true])),
            (r#"["gb"]"#, Some([true, true, false, false])),
            (r#""NG""#, Some([false, false, true, false])),
            (r#""NG, call""#, Some([false, true, true, false])),
            (r#""[\"NG\", \"call\"]""#, Some([false, true, true, false])),
        ] {
            assert_eq!(paused(json), expected, "{json}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        for json in [
            "0",
            "1",
            "{}",
            r#"{"NG":true}"#,
            r#"["XX"]"#,
            r#"["NG", ""]"#,
            r#"["NG", null]"#,
            "[true]",
            r#"["Nigeria"]"#,
            r#""yes""#,
            r#""NG call""#,
            r#""NG,""#,
            r#""[NG]""#,
            r#""[true]""#,
            r#"["+234"]"#,
            r#"["1"]"#,
            r#"["voice"]"#,
            "\"\\ud83d\"",
        ] {
            assert_eq!(Pause::parse(json), Err(UnreadablePause), "{json}");
        }
    }

    #[test]
    fn says_whether_anything_is_paused() {
        assert!(Pause::everything().is_active() && Pause::parse(r#"["sms"]"#).is_ok_and(|pause| pause.is_active()));
        assert!(!Pause::default().is_active());
    }
}
