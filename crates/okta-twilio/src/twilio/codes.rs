//! Twilio's error codes: what an Okta admin can do about each, and whether the request can be repeated.
//!
//! Sources: Twilio, "Error and warning dictionary" and Verify's own list of codes. The table also has codes of
//! Messaging and Voice that Verify could pass on. It does not have the codes of configuration calls, email, push and
//! Lookup packages, because a send cannot receive them. It does not have warnings either: Twilio writes them to its
//! debugger while the response reports success.

use Class::{Account, Configuration, Limit, Number, Protection, Service, Unknown};
use Retry::{AfterAMoment, AsSms, Never, WithoutLocale};

use crate::reason::Reason;

/// An error code, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// Twilio's error number.
    pub code: u32,
    /// The error class.
    pub class: Class,
    /// Whether the same or a reduced request may follow.
    pub retry: Retry,
    /// The reason code for Okta, the log and the metrics.
    pub reason: Reason,
    /// What an Okta admin can do.
    pub advice: &'static str,
}

/// Error class, by who can fix it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The user can fix it, with another number or another factor.
    Number,
    /// The admin can fix it, in the settings of the Verify service.
    Configuration,
    /// The admin can fix it, in the credentials or the account.
    Account,
    /// Twilio's protection blocked it. Sometimes the admin can change that.
    Protection,
    /// It clears after a wait.
    Limit,
    /// Twilio must fix it.
    Service,
    /// Unknown.
    Unknown,
}

/// Whether a request can be repeated after this code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Never. The response would be the same, or a second message could be sent.
    Never,
    /// Once, after a pause, because the request was not processed. Never after a rate limit of the service.
    AfterAMoment,
    /// Once, without `Locale`, because nothing was sent.
    WithoutLocale,
    /// Once, as SMS instead of WhatsApp, because nothing was sent.
    AsSms,
}

impl ErrorCode {
    /// The entry for a refusal's code, or else for its HTTP status.
    pub fn of(code: Option<u32>, status: u16) -> Self {
        let known = code.and_then(|code| CODES.iter().find(|row| row.code == code).copied());
        known.unwrap_or_else(|| Self::of_status(code.unwrap_or_default(), status))
    }

    /// For 60200 about a parameter other than the phone number.
    pub const OTHER_PARAMETER: Self = row(
        60200,
        Configuration,
        Never,
        Reason::RequestInvalid,
        "Twilio rejected a parameter. Check SMS_CHANNEL, VERIFY_LOCALE, VERIFY_TEMPLATE_SID and VERIFY_RATE_LIMITS.",
    );

    /// For an unknown code, or for a response without a code.
    fn of_status(code: u32, status: u16) -> Self {
        let (class, retry, reason, advice) = match status {
            401 | 403 => (
                Account,
                Never,
                Reason::TwilioAuthentication,
                "Check the Twilio credentials in the hooks secret and their permissions.",
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

/// Every code that a send can receive, in ascending order.
#[rustfmt::skip] // A table: one row a line.
pub const CODES: &[ErrorCode] = &[
    row(20003, Account, Never, Reason::TwilioAuthentication, "Check twilio_api_key_sid and twilio_api_key_secret. The key must be live, in region US1, and in the account that owns the Verify service. A restricted key needs the permissions for Verify."),
    row(20004, Configuration, Never, Reason::RequestInvalid, "Check TWILIO_VERIFY_URL."),
    row(20005, Account, Never, Reason::TwilioAccount, "The Twilio account is not active. Reactivate it or pay the balance."),
    row(20006, Account, Never, Reason::TwilioAuthentication, "Check the permissions of the API key and its subaccount."),
    row(20008, Account, Never, Reason::TwilioAuthentication, "Use live credentials. Verify rejects test credentials."),
    row(20403, Account, Never, Reason::TwilioAccount, "Check that the Twilio account is not suspended and that the key has permission for Verify."),
    row(20404, Configuration, Never, Reason::VerifyService, "Check VERIFY_SERVICE_SID and that the credentials belong to the same account."),
    row(20409, Service, Never, Reason::TwilioFailed, "There is a conflict at Twilio. If it lasts, contact Twilio support with the request id."),
    row(20422, Unknown, Never, Reason::RequestInvalid, "Report it. The integration sent a value that Twilio cannot process."),
    row(20426, Configuration, Never, Reason::RequestInvalid, "A proxy uses a TLS version older than 1.2. Check TWILIO_VERIFY_URL."),
    row(20429, Limit, AfterAMoment, Reason::Throttled, "The account has too many parallel requests. Reduce them, or ask Twilio support to raise the limit."),
    row(20500, Service, Never, Reason::TwilioFailed, "Check Twilio's status page."),
    row(20503, Service, AfterAMoment, Reason::TwilioFailed, "Check Twilio's status page."),
    row(21211, Number, Never, Reason::PhoneNumberInvalid, "Correct the phone number in Okta."),
    row(21215, Protection, Never, Reason::CountryBlockedByTwilio, "Allow the country for voice in the Twilio Console, Verify, Settings, Geo permissions."),
    row(21216, Protection, Never, Reason::BlockedAsFraud, "Twilio considers the destination high risk. Contact Twilio support."),
    row(21408, Protection, Never, Reason::CountryBlockedByTwilio, "Allow the country for SMS in the Twilio Console, Verify, Settings, Geo permissions."),
    row(21608, Account, Never, Reason::TwilioAccount, "A trial account reaches only verified numbers. Upgrade it, or verify the number in the Twilio Console."),
    row(21610, Number, Never, Reason::Unsubscribed, "The user replied STOP to the sender. They can text START to it or use another factor."),
    row(21612, Number, Never, Reason::Unreachable, "Twilio's sender cannot reach the number. Use another channel or factor."),
    row(21614, Number, Never, Reason::Landline, "The number cannot receive SMS. Use a voice call or another number."),
    row(30450, Protection, Never, Reason::BlockedAsFraud, "Twilio blocked the number's prefix. See Verify, Fraud Guard."),
    // An invalid parameter, here `To`. See `OTHER_PARAMETER` for the others.
    row(60200, Number, Never, Reason::PhoneNumberInvalid, "Correct the phone number in Okta. If all numbers fail, check the settings of the Verify service."),
    row(60201, Configuration, Never, Reason::Template, "Twilio has not approved the template's translation. Wait, or choose another template."),
    row(60202, Limit, Never, Reason::RateLimited, "This is not expected, because Okta checks the codes itself."),
    row(60203, Limit, Never, Reason::TooManySends, "The number received five messages within ten minutes. The user has to wait. If this affects users who signed in, feedback is missing, so check event-hook."),
    row(60204, Configuration, Never, Reason::VerifyService, "Turn on custom codes in the Twilio Console, Verify, Services, the service, Enable Custom Verification Code."),
    row(60205, Number, Never, Reason::Landline, "The number is a landline. Use a voice call or another number."),
    row(60206, Configuration, Never, Reason::VerifyService, "Turn PSD2 off on the Verify service."),
    row(60212, Limit, Never, Reason::TooManySends, "The number received several requests at once. Look for a double send or fraud."),
    row(60214, Configuration, Never, Reason::VerifyService, "Turn PSD2 off on the Verify service."),
    row(60220, Protection, Never, Reason::NotRegistered, "For China, ask Twilio to vet the use case, or use another factor."),
    row(60223, Configuration, AsSms, Reason::ChannelUnavailable, "The channel is disabled. Enable it in the Twilio Console, Verify, Services, the service."),
    row(60224, Configuration, Never, Reason::Template, "The template needs variables that this integration does not send. Choose another template."),
    row(60226, Configuration, Never, Reason::VerifyService, "For China, give the Verify service a friendly name."),
    row(60227, Configuration, Never, Reason::Template, "The template does not support the channel. Choose another template."),
    row(60228, Configuration, Never, Reason::Template, "Check VERIFY_TEMPLATE_SID."),
    row(60229, Configuration, WithoutLocale, Reason::Template, "The template lacks a translation. Add it, or set VERIFY_LOCALE=auto."),
    row(60230, Configuration, Never, Reason::Template, "The template has no version without a brand. Choose another template."),
    row(60238, Protection, Never, Reason::BlockedAsFraud, "Twilio blocks the account's verifications or the country. Contact Twilio support if this lasts longer than 72 hours."),
    row(60242, Configuration, AsSms, Reason::ChannelUnavailable, "Have a WhatsApp authentication template approved in the language, or set SMS_CHANNEL=sms."),
    row(60243, Unknown, Never, Reason::RequestInvalid, "Report it. The integration must not send CustomMessage."),
    row(60245, Limit, Never, Reason::NotRegistered, "The account reached its messaging limit. Ask Twilio support to raise it."),
    row(60247, Configuration, Never, Reason::Template, "The template's text is longer than 500 characters. Shorten it."),
    row(60250, Protection, Never, Reason::NotRegistered, "Australia: complete Twilio's sender registration."),
    row(60331, Configuration, WithoutLocale, Reason::Locale, "Twilio cannot speak the language. Set VERIFY_LOCALE=auto."),
    row(60408, Configuration, Never, Reason::Template, "The template is for another channel. Unset VERIFY_TEMPLATE_SID, or send by SMS."),
    row(60410, Protection, Never, Reason::BlockedAsFraud, "Fraud Guard blocked the number's prefix for about 12 hours. Add the number to Verify's Safe List if it is genuine."),
    row(60412, Protection, Never, Reason::BlockedAsFraud, "Twilio's protection against fraudulent sign-ups blocked it. Contact Twilio support."),
    row(60413, Protection, Never, Reason::BlockedAsFraud, "Device Intelligence blocked it. Check its rules on the Verify service."),
    row(60428, Configuration, AsSms, Reason::ChannelUnavailable, "The channel is not supported. Set SMS_CHANNEL=sms."),
    row(60550, Configuration, Never, Reason::ChannelUnavailable, "This is not expected, because the integration does not use the channel auto."),
    row(60600, Number, Never, Reason::Unreachable, "The number is not assigned or unreachable. Use another number or factor."),
    row(60602, Unknown, Never, Reason::RequestInvalid, "Report it. The integration must not send AppHash."),
    row(60605, Protection, Never, Reason::CountryBlockedByTwilio, "Allow the country for the channel in the Twilio Console, Verify, Settings, Geo permissions."),
    row(60734, Configuration, Never, Reason::Template, "The template has content that the channel does not support. Choose another template."),
    row(60735, Configuration, Never, Reason::OwnedByOther, "Another integration uses the same Verify service. Give the Okta hook its own service."),
    row(63024, Number, Never, Reason::ChannelUnavailable, "The user does not have WhatsApp. Ask Twilio's Verify team to turn on the fallback to SMS."),
    row(68008, Configuration, AsSms, Reason::ChannelUnavailable, "Set up the WhatsApp sender on the Verify service, or set SMS_CHANNEL=sms."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_has_no_duplicates() {
        assert!(CODES.windows(2).all(|pair| pair[0].code < pair[1].code));
    }

    #[test]
    fn a_request_that_may_have_sent_a_message_is_never_repeated() {
        for (code, status) in
            [(Some(20500), 500), (None, 500), (None, 502), (None, 504), (None, 400), (Some(99_999), 400)]
        {
            assert_eq!(ErrorCode::of(code, status).retry, Never, "{code:?} {status}");
        }
    }

    #[test]
    fn an_unknown_code_is_classified_by_status() {
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
}
