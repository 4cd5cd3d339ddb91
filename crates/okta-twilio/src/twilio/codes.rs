//! Twilio's error codes: what each means to an Okta admin, and whether the request may be made again.
//!
//! Sources: Twilio, "Error and warning dictionary" and Verify's own list of codes. Where a code reaches a send in no
//! documented way but could (Messaging and Voice codes that Verify passes on), it is here too. Codes of configuration
//! calls, e-mail, push and of Lookup's packages are not: they cannot reach a send. Neither are warnings, which Twilio
//! writes to its debugger beside an answer that says success.

use Class::{Account, Configuration, Limit, Number, Protection, Service, Unknown};
use Retry::{AfterAMoment, AsSms, Never, WithoutLocale};

use crate::reason::Reason;

/// A code, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// Twilio's number.
    pub code: u32,
    /// What kind of trouble it is.
    pub class: Class,
    /// Whether the same or a lesser request may follow.
    pub retry: Retry,
    /// The stable code for Okta, log and metrics.
    pub reason: Reason,
    /// What an Okta admin should do.
    pub advice: &'static str,
}

/// Kinds of trouble, by who can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The user: another number, or another factor.
    Number,
    /// The admin: a setting of the Verify service.
    Configuration,
    /// The admin: credentials or account.
    Account,
    /// Twilio's protection; sometimes the admin.
    Protection,
    /// Waiting.
    Limit,
    /// Twilio.
    Service,
    /// Not known.
    Unknown,
}

/// Whether a request may be made again after this code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// No: the answer would be the same, or a second message could go out.
    Never,
    /// Once, after a moment: it was not processed. Not where a rate limit of the service was reached.
    AfterAMoment,
    /// Once, without `Locale`: nothing was sent.
    WithoutLocale,
    /// Once, by SMS, if it went by WhatsApp: nothing was sent.
    AsSms,
}

impl ErrorCode {
    /// What the table says of a refusal's code, or else of its HTTP status.
    pub fn of(code: Option<u32>, status: u16) -> Self {
        let known = code.and_then(|code| CODES.iter().find(|row| row.code == code).copied());
        known.unwrap_or_else(|| Self::of_status(code.unwrap_or_default(), status))
    }

    /// For 60200 about a parameter other than the number.
    pub const OTHER_PARAMETER: Self = row(
        60200,
        Configuration,
        Never,
        Reason::RequestInvalid,
        "Twilio does not take a parameter: check SMS_CHANNEL, VERIFY_LOCALE, VERIFY_TEMPLATE_SID and VERIFY_RATE_LIMITS.",
    );

    /// For a code that the table does not have, or an answer without one.
    fn of_status(code: u32, status: u16) -> Self {
        let (class, retry, reason, advice) = match status {
            401 | 403 => (
                Account,
                Never,
                Reason::TwilioAuthentication,
                "Check the Twilio credentials in the hooks secret and what they may do.",
            ),
            404 => (
                Configuration,
                Never,
                Reason::VerifyService,
                "Check VERIFY_SERVICE_SID and that the credentials belong to the same account.",
            ),
            429 => (Limit, Never, Reason::RateLimited, "Look the code up in Twilio's error dictionary."),
            503 => (Service, AfterAMoment, Reason::TwilioFailed, "Check Twilio's status page."),
            500.. => (Service, Never, Reason::TwilioFailed, "Check Twilio's status page."),
            _ => (
                Unknown,
                Never,
                Reason::TwilioRefused,
                "Look the code up in Twilio's error dictionary, and report it to this project.",
            ),
        };
        Self { code, class, retry, reason, advice }
    }
}

const fn row(code: u32, class: Class, retry: Retry, reason: Reason, advice: &'static str) -> ErrorCode {
    ErrorCode { code, class, retry, reason, advice }
}

/// Every code that can reach a send, in order.
#[rustfmt::skip] // A table: one row a line.
pub const CODES: &[ErrorCode] = &[
    row(20003, Account, Never, Reason::TwilioAuthentication, "Check twilio_api_key_sid and twilio_api_key_secret: a live key of region US1, of the account that owns the Verify service; a restricted key needs Verify's permissions."),
    row(20004, Configuration, Never, Reason::RequestInvalid, "Check TWILIO_VERIFY_URL."),
    row(20005, Account, Never, Reason::TwilioAccount, "The Twilio account is not active: reactivate or pay it."),
    row(20006, Account, Never, Reason::TwilioAuthentication, "Check the permissions of the API key and its subaccount."),
    row(20008, Account, Never, Reason::TwilioAuthentication, "Use live credentials: Verify does not take test credentials."),
    row(20403, Account, Never, Reason::TwilioAccount, "Check that the Twilio account is not suspended and the key may use Verify."),
    row(20404, Configuration, Never, Reason::VerifyService, "Check VERIFY_SERVICE_SID and that the credentials belong to the same account."),
    row(20409, Service, Never, Reason::TwilioFailed, "A conflict at Twilio: if it lasts, ask its support with the request id."),
    row(20422, Unknown, Never, Reason::RequestInvalid, "Report it: the integration sent a value that Twilio cannot process."),
    row(20426, Configuration, Never, Reason::RequestInvalid, "A proxy on the way speaks TLS older than 1.2: check TWILIO_VERIFY_URL."),
    row(20429, Limit, AfterAMoment, Reason::Throttled, "Twilio is busy with the account's requests: lower its concurrency or ask Twilio's support to raise it."),
    row(20500, Service, Never, Reason::TwilioFailed, "Check Twilio's status page."),
    row(20503, Service, AfterAMoment, Reason::TwilioFailed, "Check Twilio's status page."),
    row(21211, Number, Never, Reason::PhoneNumberInvalid, "Correct the phone number in Okta."),
    row(21215, Protection, Never, Reason::CountryBlockedByTwilio, "Allow the country for voice: Twilio Console, Verify, Settings, Geo permissions."),
    row(21216, Protection, Never, Reason::BlockedAsFraud, "Twilio regards the destination as high risk: ask its support."),
    row(21408, Protection, Never, Reason::CountryBlockedByTwilio, "Allow the country for SMS: Twilio Console, Verify, Settings, Geo permissions."),
    row(21608, Account, Never, Reason::TwilioAccount, "A trial account reaches verified numbers only: upgrade it, or verify the number in the Twilio Console."),
    row(21610, Number, Never, Reason::Unsubscribed, "The user has replied STOP to the sender: they text START to it, or use another factor."),
    row(21612, Number, Never, Reason::Unreachable, "The number cannot be reached from Twilio's sender: use another channel or factor."),
    row(21614, Number, Never, Reason::Landline, "The number takes no SMS: use a voice call or another number."),
    row(30450, Protection, Never, Reason::BlockedAsFraud, "Twilio blocked the number's prefix: see Verify, Fraud Guard."),
    // An invalid parameter, here `To`; see `OTHER_PARAMETER` for the others.
    row(60200, Number, Never, Reason::PhoneNumberInvalid, "Correct the phone number in Okta. If all numbers fail, check the settings of the Verify service."),
    row(60201, Configuration, Never, Reason::Template, "Twilio has not approved the template's translation: wait, or choose another template."),
    row(60202, Limit, Never, Reason::RateLimited, "Not expected: Okta checks the codes itself."),
    row(60203, Limit, Never, Reason::TooManySends, "Five messages to the number within ten minutes: the user waits. If users who sign in meet it, feedback is missing: check event-hook."),
    row(60204, Configuration, Never, Reason::VerifyService, "Turn on custom codes: Twilio Console, Verify, Services, the service, Enable Custom Verification Code."),
    row(60205, Number, Never, Reason::Landline, "The number is a landline: use a voice call or another number."),
    row(60206, Configuration, Never, Reason::VerifyService, "Turn PSD2 off on the Verify service."),
    row(60212, Limit, Never, Reason::TooManySends, "Several requests for the number at the same moment: look for a double send or for fraud."),
    row(60214, Configuration, Never, Reason::VerifyService, "Turn PSD2 off on the Verify service."),
    row(60220, Protection, Never, Reason::NotRegistered, "China: ask Twilio to vet the use case, or use another factor there."),
    row(60223, Configuration, AsSms, Reason::ChannelUnavailable, "The channel is off: Twilio Console, Verify, Services, the service, and turn it on."),
    row(60224, Configuration, Never, Reason::Template, "The template wants variables that this integration does not send: choose another template."),
    row(60226, Configuration, Never, Reason::VerifyService, "China: give the Verify service a friendly name."),
    row(60227, Configuration, Never, Reason::Template, "The template does not know the channel: choose another."),
    row(60228, Configuration, Never, Reason::Template, "Check VERIFY_TEMPLATE_SID."),
    row(60229, Configuration, WithoutLocale, Reason::Template, "The template lacks a translation: add it, or set VERIFY_LOCALE=auto."),
    row(60230, Configuration, Never, Reason::Template, "The template has no version without a brand: choose another."),
    row(60238, Protection, Never, Reason::BlockedAsFraud, "Twilio blocks the account's verifications or the country: ask its support if it lasts longer than 72 hours."),
    row(60242, Configuration, AsSms, Reason::ChannelUnavailable, "Have a WhatsApp authentication template approved in the language, or set SMS_CHANNEL=sms."),
    row(60243, Unknown, Never, Reason::RequestInvalid, "Report it: the integration must not send CustomMessage."),
    row(60245, Limit, Never, Reason::NotRegistered, "The account's messaging limit is reached: ask Twilio's support to raise it."),
    row(60247, Configuration, Never, Reason::Template, "The template's text is longer than 500 characters: shorten it."),
    row(60250, Protection, Never, Reason::NotRegistered, "Australia: complete Twilio's sender registration."),
    row(60331, Configuration, WithoutLocale, Reason::Locale, "The language cannot be spoken: set VERIFY_LOCALE=auto."),
    row(60408, Configuration, Never, Reason::Template, "The template is for another channel: unset VERIFY_TEMPLATE_SID, or send by SMS."),
    row(60410, Protection, Never, Reason::BlockedAsFraud, "Fraud Guard blocked the number's prefix for about 12 hours: add the number to Verify's Safe List if it is genuine."),
    row(60412, Protection, Never, Reason::BlockedAsFraud, "Twilio's protection against fraudulent sign-ups blocked it: ask its support."),
    row(60413, Protection, Never, Reason::BlockedAsFraud, "Device Intelligence blocked it: check its rules on the Verify service."),
    row(60428, Configuration, AsSms, Reason::ChannelUnavailable, "The channel is not supported: set SMS_CHANNEL=sms."),
    row(60550, Configuration, Never, Reason::ChannelUnavailable, "Not expected: the integration does not use the channel auto."),
    row(60600, Number, Never, Reason::Unreachable, "The number is not assigned or out of reach: use another number or factor."),
    row(60602, Unknown, Never, Reason::RequestInvalid, "Report it: the integration must not send AppHash."),
    row(60605, Protection, Never, Reason::CountryBlockedByTwilio, "Allow the country for the channel: Twilio Console, Verify, Settings, Geo permissions."),
    row(60734, Configuration, Never, Reason::Template, "The template has content that the channel does not carry: choose another."),
    row(60735, Configuration, Never, Reason::OwnedByOther, "Another integration sends through the same Verify service: give Okta's hook a service of its own."),
    row(63024, Number, Never, Reason::ChannelUnavailable, "The user has no WhatsApp: ask Twilio's Verify team to turn on the fallback to SMS."),
    row(68008, Configuration, AsSms, Reason::ChannelUnavailable, "Set up the WhatsApp sender on the Verify service, or set SMS_CHANNEL=sms."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_without_doubles() {
        assert!(CODES.windows(2).all(|pair| pair[0].code < pair[1].code));
    }

    #[test]
    fn what_may_have_sent_a_message_is_never_repeated() {
        for (code, status) in
            [(Some(20500), 500), (None, 500), (None, 502), (None, 504), (None, 400), (Some(99_999), 400)]
        {
            assert_eq!(ErrorCode::of(code, status).retry, Never, "{code:?} {status}");
        }
    }

    #[test]
    fn an_unknown_code_goes_by_its_status() {
        for (status, reason) in [
            (400, Reason::TwilioRefused),
            (401, Reason::TwilioAuthentication),
            (403, Reason::TwilioAuthentication),
            (404, Reason::VerifyService),
            (429, Reason::RateLimited),
            (500, Reason::TwilioFailed),
            (503, Reason::TwilioFailed),
            (302, Reason::TwilioRefused),
        ] {
            let unknown = ErrorCode::of(Some(99_999), status);
            assert_eq!((unknown.code, unknown.reason), (99_999, reason), "{status}");
        }
    }

    #[test]
    fn advice_is_a_sentence() {
        for row in CODES {
            assert!(row.advice.ends_with('.') && row.advice.len() > 20, "{}", row.code);
        }
    }
}
