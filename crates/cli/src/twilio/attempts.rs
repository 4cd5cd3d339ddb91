//! Verification attempts: what became of a message. Twilio keeps them for 30 days.

use okta_twilio::{
    id::{SafeId, Sid},
    phone::{self, DialableNumber, MaskedPhone},
    time::clock::Timestamp,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer};

use super::{Api, Twilio, TwilioError};

const LIST: &str = "/twilio/verify/verification-attempt/list";
const READ: &str = "/twilio/verify/verification-attempt/read";

/// An attempt to deliver a code. The number is masked while it is read.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Attempt {
    /// `VL…`
    pub(crate) sid: SafeId,
    /// `VE…`
    pub(crate) verification_sid: SafeId,
    #[serde(rename = "date_created")]
    pub(crate) created: Timestamp,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) channel: AttemptChannel,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) conversion_status: Conversion,
    #[serde(default, rename = "channel_data", deserialize_with = "or_default")]
    pub(crate) delivery: Delivery,
}

/// What the carrier reported.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Delivery {
    #[serde(default, rename = "to", deserialize_with = "masked")]
    pub(crate) phone: Option<MaskedPhone>,
    message_status: Option<DeliveryStatus>,
    call_status: Option<DeliveryStatus>,
    /// Twilio's code, such as 30008.
    #[serde(default, deserialize_with = "code")]
    pub(crate) error_code: Option<u32>,
}

impl Delivery {
    /// The state of the message or the call.
    pub(crate) fn status(&self) -> Option<DeliveryStatus> {
        self.message_status.or(self.call_status)
    }
}

/// How a code was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AttemptChannel {
    Sms,
    Call,
    Whatsapp,
    #[default]
    #[serde(other)]
    Other,
}

/// Whether the user's code was reported as right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Conversion {
    Converted,
    Unconverted,
    #[default]
    #[serde(other)]
    Unknown,
}

/// The state of a message or a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DeliveryStatus {
    Queued,
    Accepted,
    Scheduled,
    Sending,
    Sent,
    Delivered,
    Read,
    #[serde(alias = "partially_delivered")]
    PartiallyDelivered,
    Undelivered,
    Failed,
    Canceled,
    Ringing,
    InProgress,
    Completed,
    Busy,
    NoAnswer,
    #[serde(other)]
    Other,
}

/// Which attempts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) service: Option<Sid>,
    pub(crate) verification: Option<Sid>,
    /// A number. It goes to Twilio only.
    pub(crate) to: Option<SecretString>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
}

impl Twilio {
    /// The attempts that the filter selects, the newest first, at most `max`.
    ///
    /// # Errors
    /// Fails if Twilio does not return them.
    pub(crate) async fn attempts(&self, filter: &Filter, max: usize) -> Result<Vec<Attempt>, TwilioError> {
        // Twilio takes whole seconds only.
        let (since, until) =
            (filter.since.map(Timestamp::to_rfc3339_seconds), filter.until.map(Timestamp::to_rfc3339_seconds));
        let query: Vec<(&str, &str)> = [
            ("VerifyServiceSid", filter.service.as_ref().map(Sid::as_str)),
            ("VerificationSid", filter.verification.as_ref().map(Sid::as_str)),
            ("ChannelData.To", filter.to.as_ref().map(SecretString::expose_secret)),
            ("DateCreatedAfter", since.as_deref()),
            ("DateCreatedBefore", until.as_deref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
        let mut found = Vec::new();
        self.pages((Api::Verify, "/v2/Attempts"), &query, ("attempts", LIST), |attempt| {
            found.push(attempt);
            found.len() < max
        })
        .await?;
        Ok(found)
    }

    /// One attempt. `None` if there is none of this sid, or it is too old.
    ///
    /// # Errors
    /// Fails if Twilio cannot be asked.
    pub(crate) async fn attempt(&self, sid: &Sid) -> Result<Option<Attempt>, TwilioError> {
        match self.get((Api::Verify, &format!("/v2/Attempts/{}", sid.as_str())), &[], READ).await {
            Err(TwilioError::NotFound) => Ok(None),
            attempt => attempt.map(Some),
        }
    }
}

/// Every field of Twilio's can be null.
fn or_default<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn masked<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<MaskedPhone>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.and_then(|text| match phone::parse(&text) {
        Ok((DialableNumber::International(number), _)) => Some(number.masked()),
        _ => None,
    }))
}

/// A code of five digits, as a number or a text.
fn code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let code = match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => text.trim().parse().ok(),
        value => value.as_u64().and_then(|code| u32::try_from(code).ok()),
    };
    Ok(code.filter(|code| *code < 100_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twilio::Addresses;
    use okta_twilio::{http_client, secrets::TwilioCredentials};
    use sandbox::twilio_account::{self, Key, Power, TwilioAccount};

    const KEY: &str = "SK00000000000000000000000000000001";
    const SERVICE: &str = "VA00000000000000000000000000000001";

    fn sid(prefix: &str, number: u32) -> String {
        format!("{prefix}{number:032}")
    }

    /// An account with five attempts of two verifications, and a client with a key for attempts only.
    fn account() -> (TwilioAccount, Twilio) {
        let account = TwilioAccount::start();
        account.change(|account| {
            let power = Power::restricted(&[LIST, READ]);
            let key = Key { secret: "an-example-of-a-secret".to_owned(), friendly_name: "explain".to_owned(), power };
            account.keys.insert(KEY.to_owned(), key);
            account.attempts = (1..=5)
                .rev()
                .map(|number| {
                    let verification = sid("VE", 1 + number % 2);
                    let created = format!("2026-11-25T14:0{number}:11Z");
                    twilio_account::Attempt::sms(&sid("VL", number), SERVICE, &verification, &created, "+12025550123")
                })
                .collect();
        });
        let addresses = Addresses::new(account.url().parse().unwrap()).unwrap();
        let credentials = TwilioCredentials::new(KEY.to_owned(), "an-example-of-a-secret".to_owned().into());
        let twilio = Twilio::new(&http_client::build(None).unwrap(), &addresses, credentials);
        (account, twilio)
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn every_page_is_read_and_the_number_is_masked() {
        let (_account, twilio) = account();
        let filter = Filter { service: Sid::parse(SERVICE, "VA"), ..Filter::default() };
        let attempts = run(twilio.attempts(&filter, 100)).unwrap();
        let sids: Vec<_> = attempts.iter().map(|attempt| attempt.sid.as_str().to_owned()).collect();
        assert_eq!(sids, [5, 4, 3, 2, 1].map(|number| sid("VL", number)));
        assert_eq!(attempts[0].delivery.phone.as_ref().unwrap().to_string(), "US…23");
        assert!(!format!("{attempts:?}").contains("2025550"), "{attempts:?}");
        assert_eq!(run(twilio.attempts(&filter, 3)).unwrap().len(), 3, "no more than asked for");
    }

    #[test]
    fn attempts_are_found_by_verification_and_time() {
        let (account, twilio) = account();
        account.change(|account| {
            let attempt = &mut account.attempts[0];
            (attempt.delivery, attempt.error_code) = (Some("undelivered"), Some(30008));
        });
        let filter = Filter {
            verification: Sid::parse(&sid("VE", 2), "VE"),
            since: Timestamp::parse("2026-11-25T14:02:00.500Z"),
            ..Filter::default()
        };
        let attempts = run(twilio.attempts(&filter, 100)).unwrap();
        assert_eq!(attempts.len(), 2);
        let Delivery { error_code, .. } = attempts[0].delivery;
        assert_eq!((attempts[0].delivery.status(), error_code), (Some(DeliveryStatus::Undelivered), Some(30008)));
        assert_eq!(
            (attempts[0].channel, attempts[0].conversion_status),
            (AttemptChannel::Sms, Conversion::Unconverted)
        );
    }

    #[test]
    fn one_attempt_is_found_or_is_none() {
        let (account, twilio) = account();
        let find = |number| run(twilio.attempt(&Sid::parse(&sid("VL", number), "VL").unwrap()));
        assert_eq!(find(3).unwrap().unwrap().sid.as_str(), sid("VL", 3));
        assert!(find(9).unwrap().is_none());
        account.change(|account| account.keys.get_mut(KEY).unwrap().power = Power::restricted(&[LIST]));
        assert_eq!(find(3).unwrap_err(), TwilioError::Forbidden { permission: READ });
        account.change(|account| account.keys.clear());
        assert_eq!(find(3).unwrap_err(), TwilioError::Unauthorized);
    }

    #[test]
    fn a_short_rate_limit_is_waited_for() {
        let (account, twilio) = account();
        account.change(|account| account.throttled = 1);
        assert_eq!(run(twilio.attempts(&Filter::default(), 100)).unwrap().len(), 5);
        account.change(|account| account.throttled = 10);
        assert_eq!(run(twilio.attempts(&Filter::default(), 100)).unwrap_err(), TwilioError::RateLimited);
    }
}
