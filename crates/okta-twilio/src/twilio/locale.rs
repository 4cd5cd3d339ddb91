//! Languages: maps Okta's locale to a locale that Twilio supports.
//!
//! Source: Twilio, "Supported languages" of Verify (default templates). Without a locale, Twilio chooses by the
//! number's country, so omitting it is always safe.

use crate::phone::Channel;

const SMS: &[&str] = &[
    "af", "ar", "ca", "zh", "zh-CN", "zh-HK", "hr", "cs", "da", "nl", "en", "et", "fi", "fr", "de", "el", "he", "hi",
    "hu", "id", "it", "ja", "kn", "ko", "lt", "ms", "mr", "nb", "pl", "pt", "pt-BR", "ro", "ru", "sk", "es", "sv",
    "tl", "te", "th", "tr", "uk", "vi",
];

const CALL: &[&str] = &[
    "ca", "zh", "zh-CN", "zh-HK", "da", "nl", "en", "en-GB", "fi", "fr", "de", "it", "ja", "ko", "nb", "pl", "pt",
    "pt-BR", "ru", "es", "sv",
];

const WHATSAPP: &[&str] = &[
    "af", "sq", "ar", "az", "bn", "bg", "ca", "zh-cn", "zh-hk", "zh-tw", "hr", "cs", "da", "nl", "en", "en-gb",
    "en-us", "et", "fil", "fi", "fr", "ka", "de", "el", "gu", "ha", "he", "hi", "hu", "id", "ga", "it", "ja", "kn",
    "kk", "rw", "ko", "ky", "lo", "lv", "lt", "mk", "ms", "ml", "mr", "nb", "fa", "pl", "pt-br", "pt-pt", "pa", "ro",
    "ru", "sr", "sk", "sl", "es", "es-ar", "es-es", "es-mx", "sw", "sv", "ta", "te", "th", "tr", "uk", "ur", "uz",
    "vi", "zu",
];

/// Other names of the same language: old ISO codes, the two forms of Norwegian, and the two names of Filipino.
const ALIASES: &[(&str, &str)] =
    &[("no", "nb"), ("nn", "nb"), ("in", "id"), ("iw", "he"), ("fil", "tl"), ("tl", "fil")];

/// Scripts and regions that use traditional Chinese. Twilio's only such text is for Hong Kong.
const TRADITIONAL_CHINESE: &[&str] = &["zh-hk", "zh-tw", "zh-mo", "zh-hant"];

/// All locales that a channel supports.
pub fn supported(channel: Channel) -> &'static [&'static str] {
    match channel {
        Channel::Sms => SMS,
        Channel::Call => CALL,
        Channel::WhatsApp => WHATSAPP,
    }
}

/// Twilio's locale for an Okta locale such as `EN-US`. `None` if the channel does not support the language, and then
/// the request omits it.
pub fn for_okta(okta: &str, channel: Channel) -> Option<&'static str> {
    let wanted = okta.trim().replace('_', "-").to_ascii_lowercase();
    let find = |name: &str| supported(channel).iter().copied().find(|locale| locale.eq_ignore_ascii_case(name));
    let language = wanted.split('-').next().unwrap_or_default();
    let alias = || ALIASES.iter().filter(|(from, _)| *from == language).find_map(|(_, to)| find(to));
    let traditional = TRADITIONAL_CHINESE.iter().any(|prefix| wanted.starts_with(prefix));
    find(&wanted).or_else(|| if traditional { find("zh-hk") } else { None }).or_else(|| find(language)).or_else(alias)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CHANNELS: [Channel; 3] = [Channel::Sms, Channel::Call, Channel::WhatsApp];

    #[test]
    fn maps_okta_to_twilio() {
        for (okta, sms, call, whatsapp) in [
            ("EN-US", Some("en"), Some("en"), Some("en-us")),
            ("en", Some("en"), Some("en"), Some("en")),
            ("en_GB", Some("en"), Some("en-GB"), Some("en-gb")),
            ("pt-br", Some("pt-BR"), Some("pt-BR"), Some("pt-br")),
            ("zh-TW", Some("zh-HK"), Some("zh-HK"), Some("zh-tw")),
            ("zh-Hant-TW", Some("zh-HK"), Some("zh-HK"), Some("zh-hk")),
            ("zh-CN", Some("zh-CN"), Some("zh-CN"), Some("zh-cn")),
            ("no", Some("nb"), Some("nb"), Some("nb")),
            ("nn-NO", Some("nb"), Some("nb"), Some("nb")),
            ("fil", Some("tl"), None, Some("fil")),
            ("iw", Some("he"), None, Some("he")),
            ("in-ID", Some("id"), None, Some("id")),
            ("de-AT", Some("de"), Some("de"), Some("de")),
            ("es-MX", Some("es"), Some("es"), Some("es-mx")),
            ("sw", None, None, Some("sw")),
            ("xx", None, None, None),
            ("", None, None, None),
            ("-", None, None, None),
        ] {
            let mapped = CHANNELS.map(|channel| for_okta(okta, channel));
            assert_eq!(mapped, [sms, call, whatsapp], "{okta}");
        }
    }

    proptest! {
        #[test]
        fn only_supported_locales_come_out(okta in "\\PC{0,12}") {
            for channel in CHANNELS {
                if let Some(locale) = for_okta(&okta, channel) {
                    prop_assert!(supported(channel).contains(&locale));
                }
            }
        }

        #[test]
        fn a_supported_locale_stays_itself(index in 0_usize..200, upper in any::<bool>()) {
            for channel in CHANNELS {
                let locale = supported(channel)[index % supported(channel).len()];
                let okta = if upper { locale.to_ascii_uppercase() } else { locale.to_owned() };
                prop_assert_eq!(for_okta(&okta, channel), Some(locale));
            }
        }
    }
}
