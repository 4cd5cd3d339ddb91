//! The languages of Verify's default templates, and the text of the messages in some of them.

use super::records::Channel::{self, Call, Sms, Whatsapp};

/// The languages by channel, in the channel's spelling. Source: Twilio, "Supported languages" of Verify
/// (<https://www.twilio.com/docs/verify/supported-languages>, default templates), read in November 2026. The list is
/// independent of the core's list, which it tests.
const LOCALES: &[(&[Channel], &str)] = &[
    (&[Sms, Call, Whatsapp], "ca da de en es fi fr it ja ko nb nl pl ru sv"),
    (&[Sms, Call], "pt pt-BR zh zh-CN zh-HK"),
    (&[Sms, Whatsapp], "af ar cs el et he hi hr hu id kn lt mr ms ro sk te th tr uk vi"),
    (&[Sms], "tl"),
    (&[Call], "en-GB"),
    (
        &[Whatsapp],
        "az bg bn en-gb en-us es-ar es-es es-mx fa fil ga gu ha ka kk ky lo lv mk ml pa pt-br pt-pt rw sl sq \
         sr sw ta ur uz zh-cn zh-hk zh-tw zu",
    ),
];

/// Whether Verify supports the locale for this channel, in exactly this spelling.
pub(crate) fn supports(channel: Channel, locale: &str) -> bool {
    let of_channel = LOCALES.iter().filter(|(channels, _)| channels.contains(&channel));
    of_channel.flat_map(|(_, locales)| locales.split(' ')).any(|known| known == locale)
}

/// Whether any channel supports it. If so, it is a language that only voice calls lack.
pub(crate) fn is_known(locale: &str) -> bool {
    LOCALES.iter().flat_map(|(_, locales)| locales.split(' ')).any(|known| known.eq_ignore_ascii_case(locale))
}

/// Whether a custom template can have a translation with this name: `XX` or `XX-XX`.
pub(crate) fn is_well_formed(locale: &str) -> bool {
    let mut parts = locale.split('-');
    let letters = |part: &str| (2..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic());
    parts.next().is_some_and(letters) && parts.next().is_none_or(letters) && parts.next().is_none()
}

/// The text of a message. Only a few languages have a text here; the others use English.
pub(crate) fn text(channel: Channel, locale: Option<&str>, brand: &str, code: &str) -> String {
    let language = locale.and_then(|locale| locale.split('-').next()).unwrap_or("en");
    let spoken = || code.chars().map(String::from).collect::<Vec<_>>().join(", ");
    match (channel, language) {
        (Call, "de") => format!("Hallo! Ihr Bestätigungscode für {brand} lautet: {}.", spoken()),
        (Call, "es") => format!("¡Hola! Su código de verificación para {brand} es: {}.", spoken()),
        (Call, "fr") => format!("Bonjour ! Votre code de vérification {brand} est : {}.", spoken()),
        (Call, _) => format!("Hello! Your verification code for {brand} is: {}.", spoken()),
        (Whatsapp, "de") => format!("*{code}* ist Ihr Bestätigungscode. Geben Sie ihn nicht weiter."),
        (Whatsapp, "es") => format!("*{code}* es tu código de verificación. No lo compartas."),
        (Whatsapp, "fr") => format!("*{code}* est votre code de vérification. Ne le partagez pas."),
        (Whatsapp, _) => format!("*{code}* is your verification code. For your security, do not share it."),
        (Sms, "de") => format!("Ihr Bestätigungscode für {brand} lautet: {code}"),
        (Sms, "es") => format!("Su código de verificación para {brand} es: {code}"),
        (Sms, "fr") => format!("Votre code de vérification {brand} est : {code}"),
        (Sms, _) => format!("Your {brand} verification code is: {code}"),
    }
}
