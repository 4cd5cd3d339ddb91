//! What a sandbox is started with: Twilio's account, the Verify service and its settings, and the Okta org.

use crate::okta::options::OktaOptions;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of a [`Sandbox`](crate::Sandbox). The defaults are a Verify service that is set up well.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "they are a service's switches, as Twilio's Console shows them")]
pub struct Options {
    /// Port on 127.0.0.1 for TLS; 0 takes any free one.
    pub https_port: u16,
    /// Port on 127.0.0.1 for plain HTTP; 0 takes any free one.
    pub http_port: u16,
    /// Where to write the certificate authority (PEM); none: a temporary file that is removed in the end.
    pub ca_file: Option<PathBuf>,

    /// `AC…`, accepted together with `auth_token`.
    pub account_sid: String,
    /// The account's auth token.
    pub auth_token: String,
    /// `SK…`, accepted together with `api_key_secret`.
    pub api_key_sid: String,
    /// The API key's secret.
    pub api_key_secret: String,

    /// `VA…`, the only Verify service there is.
    pub service_sid: String,
    /// The brand that messages name.
    pub friendly_name: String,
    /// Whether the service takes the caller's own codes; if not, they are refused with 60204.
    pub custom_code_enabled: bool,
    /// What is sent when a pending verification is created again with another code.
    pub second_code: SecondCode,
    /// How long a verification is pending (Twilio: ten minutes) by the sandbox's clock.
    pub verification_lifetime: Duration,
    /// Refuse SMS to landlines with 60205. Twilio does so only with Lookup enabled on the service.
    pub skip_sms_to_landlines: bool,
    /// Programmable rate limits of the service. Keys of a request that are not configured here are not counted.
    pub rate_limits: Vec<RateLimit>,
    /// Templates of the account (`HJ…`); none: every well-formed sid is known.
    pub templates: Option<BTreeSet<String>>,

    /// Whether the service has a WhatsApp sender; if not, WhatsApp is refused with 68008.
    pub whatsapp_configured: bool,
    /// Who can be reached on WhatsApp.
    pub whatsapp_users: WhatsappUsers,
    /// Send an SMS to those who are not on WhatsApp. Twilio enables it on request; without it, the message is accepted
    /// and then lost with 63024.
    pub whatsapp_falls_back_for_non_users: bool,

    /// The Okta org.
    pub okta: OktaOptions,
}

/// A programmable rate limit with its one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// The key in the parameter `RateLimits`.
    pub unique_name: String,
    /// Verifications that one value of the key may start within the interval.
    pub max: u32,
    /// Length of the interval, which starts with the value's first verification.
    pub interval: Duration,
}

/// Who uses WhatsApp.
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

/// What is sent when a pending verification is created again with another code. Twilio's documentation leaves it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondCode {
    /// The code of the newest request.
    Newest,
    /// The code that the verification was started with.
    First,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            https_port: 0,
            http_port: 0,
            ca_file: None,
            // Put together here, because scanners take such a literal for a leaked credential.
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
