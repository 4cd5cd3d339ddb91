//! Accounts, Verify services with their rate limits, and message templates.

use std::collections::BTreeMap;

use okta_twilio::id::Sid;
use serde::Deserialize;

use super::{Api, Twilio, TwilioError};

/// A Verify service, as far as the functions depend on it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Service {
    pub(crate) sid: String,
    pub(crate) account_sid: String,
    #[serde(default)]
    pub(crate) friendly_name: String,
    #[serde(default)]
    pub(crate) custom_code_enabled: bool,
    #[serde(default)]
    pub(crate) psd2_enabled: bool,
    #[serde(default)]
    pub(crate) lookup_enabled: bool,
    #[serde(default)]
    pub(crate) whatsapp: Option<Whatsapp>,
}

/// How a service sends by WhatsApp.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Whatsapp {
    pub(crate) msg_service_sid: Option<String>,
    pub(crate) from: Option<String>,
}

impl Service {
    /// Whether it has a sender for WhatsApp.
    pub(crate) fn has_whatsapp(&self) -> bool {
        self.whatsapp.as_ref().is_some_and(|whatsapp| whatsapp.msg_service_sid.is_some() || whatsapp.from.is_some())
    }
}

/// A programmable rate limit of a service.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RateLimit {
    pub(crate) sid: String,
    pub(crate) unique_name: String,
}

/// So many sends in so many seconds.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Bucket {
    pub(crate) max: u64,
    /// In seconds.
    pub(crate) interval: u64,
}

/// A template of messages.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Template {
    pub(crate) sid: String,
    #[serde(default)]
    channels: Vec<String>,
    #[serde(default)]
    translations: BTreeMap<String, Translation>,
}

#[derive(Clone, Debug, Deserialize)]
struct Translation {
    #[serde(default)]
    status: String,
}

impl Template {
    pub(crate) fn is_for_sms(&self) -> bool {
        self.channels.iter().any(|channel| channel.eq_ignore_ascii_case("sms"))
    }

    /// How many languages Twilio has approved.
    pub(crate) fn approved(&self) -> usize {
        self.translations.values().filter(|translation| translation.status == "approved").count()
    }
}

/// An account.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Account {
    pub(crate) status: AccountStatus,
    #[serde(rename = "type")]
    pub(crate) kind: AccountKind,
}

/// Whether an account can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AccountStatus {
    Active,
    Suspended,
    Closed,
    #[serde(other)]
    Unknown,
}

/// Whether an account is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum AccountKind {
    Trial,
    Full,
    #[serde(other)]
    Unknown,
}

impl Twilio {
    /// A Verify service.
    ///
    /// # Errors
    /// Fails if Twilio does not return it.
    pub(crate) async fn service(&self, sid: &Sid) -> Result<Service, TwilioError> {
        let path = format!("/v2/Services/{}", sid.as_str());
        self.get((Api::Verify, &path), &[], "/twilio/verify/service/read").await
    }

    /// All Verify services of the account.
    ///
    /// # Errors
    /// As [`Twilio::service`].
    pub(crate) async fn services(&self) -> Result<Vec<Service>, TwilioError> {
        self.list((Api::Verify, "/v2/Services"), &[], ("services", "/twilio/verify/service/list")).await
    }

    /// Creates a Verify service for codes of the caller. `brand` is its name in every message.
    ///
    /// # Errors
    /// Fails if Twilio refuses, for example a brand with more than 30 characters.
    pub(crate) async fn create_service(&self, brand: &str) -> Result<Service, TwilioError> {
        let form = [
            ("FriendlyName", brand),
            ("CustomCodeEnabled", "true"),
            ("CodeLength", "6"),
            ("DoNotShareWarningEnabled", "true"),
            ("LookupEnabled", "false"),
            ("SkipSmsToLandlines", "false"),
            ("Psd2Enabled", "false"),
        ];
        self.post((Api::Verify, "/v2/Services"), &form, "/twilio/verify/service/create").await
    }

    /// Lets a Verify service take codes of the caller.
    ///
    /// # Errors
    /// Fails if Twilio refuses.
    pub(crate) async fn enable_custom_codes(&self, service: &Sid) -> Result<Service, TwilioError> {
        let path = format!("/v2/Services/{}", service.as_str());
        self.post((Api::Verify, &path), &[("CustomCodeEnabled", "true")], "/twilio/verify/service/update").await
    }

    /// Deletes a Verify service with its rate limits. One that is gone is no error.
    ///
    /// # Errors
    /// Fails if Twilio refuses.
    pub(crate) async fn delete_service(&self, service: &Sid) -> Result<(), TwilioError> {
        let path = format!("/v2/Services/{}", service.as_str());
        self.delete((Api::Verify, &path), "/twilio/verify/service/delete").await
    }

    /// Creates a rate limit without a bucket.
    ///
    /// # Errors
    /// Fails if Twilio refuses.
    pub(crate) async fn create_rate_limit(&self, service: &Sid, name: &str) -> Result<RateLimit, TwilioError> {
        let path = format!("/v2/Services/{}/RateLimits", service.as_str());
        self.post((Api::Verify, &path), &[("UniqueName", name)], "/twilio/verify/rate-limit/create").await
    }

    /// Adds a bucket to a rate limit.
    ///
    /// # Errors
    /// Fails if Twilio refuses.
    pub(crate) async fn create_bucket(
        &self,
        service: &Sid,
        limit: &RateLimit,
        bucket: &Bucket,
    ) -> Result<Bucket, TwilioError> {
        let path = format!("/v2/Services/{}/RateLimits/{}/Buckets", service.as_str(), limit.sid);
        let (max, interval) = (bucket.max.to_string(), bucket.interval.to_string());
        let form = [("Max", max.as_str()), ("Interval", interval.as_str())];
        self.post((Api::Verify, &path), &form, "/twilio/verify/bucket/create").await
    }

    /// The rate limits of a service.
    ///
    /// # Errors
    /// As [`Twilio::service`].
    pub(crate) async fn rate_limits(&self, service: &Sid) -> Result<Vec<RateLimit>, TwilioError> {
        let path = format!("/v2/Services/{}/RateLimits", service.as_str());
        self.list((Api::Verify, &path), &[], ("rate_limits", "/twilio/verify/rate-limit/list")).await
    }

    /// The buckets of a rate limit.
    ///
    /// # Errors
    /// As [`Twilio::service`].
    pub(crate) async fn buckets(&self, service: &Sid, limit: &RateLimit) -> Result<Vec<Bucket>, TwilioError> {
        let path = format!("/v2/Services/{}/RateLimits/{}/Buckets", service.as_str(), limit.sid);
        self.list((Api::Verify, &path), &[], ("buckets", "/twilio/verify/bucket/list")).await
    }

    /// The templates of the account.
    ///
    /// # Errors
    /// As [`Twilio::service`].
    pub(crate) async fn templates(&self) -> Result<Vec<Template>, TwilioError> {
        let permission = "/twilio/verify/verification-template/list";
        self.list((Api::Verify, "/v2/Templates"), &[], ("templates", permission)).await
    }

    /// The account.
    ///
    /// # Errors
    /// As [`Twilio::service`].
    pub(crate) async fn account(&self, sid: &Sid) -> Result<Account, TwilioError> {
        let path = format!("/2010-04-01/Accounts/{}.json", sid.as_str());
        self.get((Api::Core, &path), &[], "/twilio/iam/accounts/read").await
    }

    /// Asks to cancel a verification that does not exist. Nothing changes, and Twilio answers that it does not exist if
    /// the credentials may update verifications.
    ///
    /// # Errors
    /// Fails if the credentials may not.
    pub(crate) async fn can_update_verifications(&self, service: &Sid) -> Result<(), TwilioError> {
        let path = format!("/v2/Services/{}/Verifications/VE{:032}", service.as_str(), 0);
        let form = [("Status", "canceled")];
        let permission = "/twilio/verify/verification/update";
        match self.post::<serde::de::IgnoredAny>((Api::Verify, &path), &form, permission).await {
            Ok(_) | Err(TwilioError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
