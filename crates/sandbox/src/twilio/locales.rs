//! The languages of Verify's default templates, and what the messages say in some of them.

use super::records::Channel;

/// Languages for SMS and RCS.
const SMS: &[&str] = &[
    "af", "ar", "ca", "zh", "zh-CN", "zh-HK", "hr", "cs", "da", "nl", "en", "et", "fi", "fr", "de", "el", "he", "hi",
    "hu", "id", "it", "ja", "kn", "ko", "lt", "ms", "mr", "nb", "pl", "pt", "pt-BR", "ro", "ru", "sk", "es", "sv",
    "tl", "te", "th", "tr", "uk", "vi",
];

/// Languages of the voice that reads the code.
const CALL: &[&str] = &[
    "ca", "zh", "zh-CN", "zh-HK", "da", "nl", "en", "en-GB", "fi", "fr", "de", "it", "ja", "ko", "nb", "pl", "pt",
    "pt-BR", "ru", "es", "sv",
];

/// Languages of the approved WhatsApp templates, in their own spelling.
const WHATSAPP: &[&str] = &[
    "af", "sq", "ar", "az", "bn", "bg", "ca", "zh-cn", "zh-hk", "zh-tw", "hr", "cs", "da", "nl", "en", "en-gb",
    "en-us", "et", "fil", "fi", "fr", "ka", "de", "el", "gu", "ha", "he", "hi", "hu", "id", "ga", "it", "ja", "kn",
    "kk", "rw", "ko", "ky", "lo", "lv", "lt", "mk", "ms", "ml", "mr", "nb", "fa", "pl", "pt-br", "pt-pt", "pa", "ro",
    "ru", "sr", "sk", "sl", "es", "es-ar", "es-es", "es-mx", "sw", "sv", "ta", "te", "th", "tr", "uk", "ur", "uz",
    "vi", "zu",
];

/// Whether Verify has the locale for this channel, spelled exactly so.
pub(crate) fn supports(channel: Channel, locale: &str) -> bool {
    match channel {
        Channel::Sms => SMS,
        Channel::Call => CALL,
        Channel::Whatsapp => WHATSAPP,
    }
    .contains(&locale)
}

/// Whether any channel has it, i.e. whether it is a language at all and only the voice cannot speak it.
pub(crate) fn is_known(locale: &str) -> bool {
    SMS.iter().chain(CALL).chain(WHATSAPP).any(|known| known.eq_ignore_ascii_case(locale))
}

/// Whether a customer's own template may have a translation of that name: `XX` or `XX-XX`.
pub(crate) fn is_well_formed(locale: &str) -> bool {
    let mut parts = locale.split('-');
    let letters = |part: &str| (2..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic());
    parts.next().is_some_and(letters) && parts.next().is_none_or(letters) && parts.next().is_none()
}

/// The text of a message. Only a few languages are at hand here; any other one reads English.
pub(crate) fn text(channel: Channel, locale: Option<&str>, brand: &str, code: &str) -> String {
    let language = locale.and_then(|locale| locale.split('-').next()).unwrap_or("en");
    let spoken = || code.chars().map(String::from).collect::<Vec<_>>().join(", ");
    match (channel, language) {
        (Channel::Call, "de") => format!("Hallo! Ihr Bestätigungscode für {brand} lautet: {}.", spoken()),
        (Channel::Call, "es") => format!("¡Hola! Su código de verificación para {brand} es: {}.", spoken()),
        (Channel::Call, "fr") => format!("Bonjour ! Votre code de vérification {brand} est : {}.", spoken()),
        (Channel::Call, _) => format!("Hello! Your verification code for {brand} is: {}.", spoken()),
        (Channel::Whatsapp, "de") => format!("*{code}* ist Ihr Bestätigungscode. Geben Sie ihn nicht weiter."),
        (Channel::Whatsapp, "es") => format!("*{code}* es tu código de verificación. No lo compartas."),
        (Channel::Whatsapp, "fr") => format!("*{code}* est votre code de vérification. Ne le partagez pas."),
        (Channel::Whatsapp, _) => format!("*{code}* is your verification code. For your security, do not share it."),
        (Channel::Sms, "de") => format!("Ihr Bestätigungscode für {brand} lautet: {code}"),
        (Channel::Sms, "es") => format!("Su código de verificación para {brand} es: {code}"),
        (Channel::Sms, "fr") => format!("Votre code de vérification {brand} est : {code}"),
        (Channel::Sms, _) => format!("Your {brand} verification code is: {code}"),
    }
}
