//! The settings of a sandbox: the Twilio account, the Verify service and the Okta org.

use crate::okta::options::OktaOptions;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of a [`Sandbox`](crate::Sandbox). The defaults describe a correctly configured Verify service.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "they are a service's switches, as Twilio's Console shows them")]
pub struct Options {
    /// Port on 127.0.0.1 for TLS; 0 takes any free one.
    pub https_port: u16,
    /// Port on 127.0.0.1 for plain HTTP; 0 takes any free one.
    pub http_port: u16,
    /// The file for the certificate authority (PEM). `None`: a temporary file that is removed when the sandbox is
    /// dropped.
    pub ca_file: Option<PathBuf>,

    /// `AC…`, accepted together with `auth_token`.
    pub account_sid: String,
    /// The account's auth token.
    pub auth_token: String,
    /// `SK…`, accepted together with `api_key_secret`.
    pub api_key_sid: String,
    /// The API key's secret.
    pub api_key_secret: String,

    /// `VA…`, the only Verify service.
    pub service_sid: String,
    /// The brand that messages name.
    pub friendly_name: String,
    /// Whether the service accepts custom codes. If not, they are refused with 60204.
    pub custom_code_enabled: bool,
    /// The code to send when a pending verification is created again with another code.
    pub second_code: SecondCode,
    /// The time that a verification stays pending, by the sandbox's clock. Twilio's value is ten minutes.
    pub verification_lifetime: Duration,
    /// Refuse SMS to landlines with 60205. Twilio does so only with Lookup enabled on the service.
    pub skip_sms_to_landlines: bool,
    /// Programmable rate limits of the service. Keys of a request that are not configured here are not counted.
    pub rate_limits: Vec<RateLimit>,
    /// Templates of the account (`HJ…`). `None`: every well-formed sid exists.
    pub templates: Option<BTreeSet<String>>,

    /// Whether the service has a WhatsApp sender. If not, WhatsApp is refused with 68008.
    pub whatsapp_configured: bool,
    /// The numbers that can be reached on WhatsApp.
    pub whatsapp_users: WhatsappUsers,
    /// Send an SMS to a number that is not on WhatsApp. Twilio enables this on request. Without it, Twilio accepts the
    /// message and loses it with 63024.
    pub whatsapp_falls_back_for_non_users: bool,

    /// The Okta org.
    pub okta: OktaOptions,
}

/// A programmable rate limit with its one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// The key in the parameter `RateLimits`.
    pub unique_name: String,
    /// The maximum number of verifications for one value of the key within the interval.
    pub max: u32,
    /// The length of the interval. It starts with the first verification of the value.
    pub interval: Duration,
}

/// The numbers on WhatsApp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhatsappUsers {
    /// Every number.
    All,
    /// These numbers (E.164).
    Only(BTreeSet<String>),
}

impl WhatsappUsers {
    pub(crate) fn contains(&self, number: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(numbers) => numbers.contains(number),
        }
    }
}

/// The code to send when a pending verification is created again with another code. Twilio does not document it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondCode {
    /// The code of the newest request.
    Newest,
    /// The code of the first request.
    First,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            https_port: 0,
            http_port: 0,
            ca_file: None,
            // Built at run time, because secret scanners report such a literal as a leaked credential.
            account_sid: format!("AC{}", "5a".repeat(16)),
            auth_token: "sandbox-auth-token".to_owned(),
            api_key_sid: format!("SK{}", "5a".repeat(16)),
            api_key_secret: "sandbox-api-key-secret".to_owned(),
            service_sid: format!("VA{}", "5a".repeat(16)),
            friendly_name: "Example".to_owned(),
            custom_code_enabled: true,
            second_code: SecondCode::Newest,
            verification_lifetime: Duration::from_mins(10),
            skip_sms_to_landlines: false,
            rate_limits: Vec::new(),
            templates: None,
            whatsapp_configured: true,
            whatsapp_users: WhatsappUsers::All,
            whatsapp_falls_back_for_non_users: false,
            okta: OktaOptions::default(),
        }
    }
}
