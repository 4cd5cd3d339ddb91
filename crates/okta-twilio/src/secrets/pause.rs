//! The switch that stops sending without a deployment.

use serde_json::Value;

use crate::{
    phone::{Channel, Region},
    secrets::text::{is_blank, trimmed},
};

/// What is paused: the field `paused` of the hooks secret.
///
/// It is `true`, or a list of ISO 3166-1 codes, `001` (numbers without a country), `sms`, `whatsapp` and `call`, in
/// upper or lower case. The console of Secrets Manager stores only texts, so a text with the same content is valid too:
/// `"true"`, `"NG, call"`, `"[\"NG\"]"`. A missing, null or blank value, `false` and an empty list pause nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pause {
    everything: bool,
    channels: Vec<Channel>,
    regions: Vec<Region>,
}

/// A value that cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("paused is neither true, false nor a list of countries and channels")]
pub struct UnreadablePause;

impl Pause {
    /// Everything is paused.
    pub fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    /// Parses the field's JSON. A caller must treat an error as a pause of everything, because someone wanted to stop
    /// something.
    ///
    /// # Errors
    /// Fails if the value has none of these forms, or if a name in it is unknown.
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
                _ => pause.regions.push(name.parse().map_err(|_unknown| UnreadablePause)?),
            }
        }
        Ok(pause)
    }

    /// Whether a message to this region by this channel is paused. The channel is the final one, after all rerouting.
    pub fn applies(&self, region: Region, channel: Channel) -> bool {
        self.applies_to_region(region) || self.channels.contains(&channel)
    }

    /// Whether every message to this region is paused.
    pub fn applies_to_region(&self, region: Region) -> bool {
        self.everything || self.regions.contains(&region)
    }

    /// Whether everything is paused.
    pub fn is_of_everything(&self) -> bool {
        self.everything
    }

    /// The regions that are paused by name.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The channels that are paused by name.
    pub fn channels(&self) -> &[Channel] {
        &self.channels
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
        let [gb, ng, world] = ["GB", "NG", "001"].map(|region| region.parse().unwrap());
        let cases = [(gb, Channel::Sms), (gb, Channel::Call), (ng, Channel::Sms), (world, Channel::WhatsApp)];
        Some(cases.map(|(region, channel)| pause.applies(region, channel)))
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
    fn an_unreadable_value_is_an_error() {
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
