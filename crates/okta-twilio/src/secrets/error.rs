//! Why a secret is unusable.

use crate::aws::error::AwsFailure;

/// Why there is no usable secret. It never contains a text from AWS or from the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Secrets Manager did not respond in time, or it failed.
    #[error("Secrets Manager did not respond in time, or it failed")]
    Unreachable,
    /// Secrets Manager or KMS throttles requests.
    #[error("Secrets Manager throttles requests")]
    Throttled,
    /// The function's role lacks permission to read the secret.
    #[error("access to the secret is denied")]
    AccessDenied,
    /// The secret's KMS key is disabled or deleted, or the role lacks permission for it.
    #[error("the secret's KMS key cannot be used")]
    KeyDenied,
    /// The secret does not exist, is being deleted, or has no value yet.
    #[error("the secret does not exist or has no value")]
    NotFound,
    /// Secrets Manager refused for another reason.
    #[error("Secrets Manager refused")]
    Refused,
    /// The value is not a JSON object.
    #[error("the secret is not a JSON object")]
    NotJson,
    /// A field is missing, blank or invalid.
    #[error("{} is missing or cannot be used", .0.as_str())]
    Unusable(Field),
}

impl SecretError {
    /// Whether the secret can become readable a moment later without a change by anyone.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Unreachable | Self::Throttled)
    }

    /// The reason code.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Throttled => "throttled",
            Self::AccessDenied => "access_denied",
            Self::KeyDenied => "kms_key_unusable",
            Self::NotFound => "not_found",
            Self::Refused => "refused",
            Self::NotJson => "not_json",
            Self::Unusable(field) => field.reason(),
        }
    }

    /// The invalid field, if there is one.
    pub fn field(self) -> Option<&'static str> {
        match self {
            Self::Unusable(field) => Some(field.as_str()),
            _ => None,
        }
    }
}

impl From<AwsFailure> for SecretError {
    fn from(failure: AwsFailure) -> Self {
        match failure {
            AwsFailure::Throttled => Self::Throttled,
            AwsFailure::Unavailable => Self::Unreachable,
            AwsFailure::AccessDenied => Self::AccessDenied,
            AwsFailure::KeyDenied => Self::KeyDenied,
            AwsFailure::NotFound => Self::NotFound,
            AwsFailure::Refused => Self::Refused,
        }
    }
}

/// A field of the hooks secret or of the Okta secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// One to four caller secrets.
    AuthSecret,
    /// `SK…`
    TwilioApiKeySid,
    /// The API key's secret.
    TwilioApiKeySecret,
    /// `AC…`
    TwilioAccountSid,
    /// The account's auth token.
    TwilioAuthToken,
    /// `VA…`
    VerifyServiceSid,
    /// The pause of sending.
    Paused,
    /// An SSWS token.
    OktaApiToken,
    /// A service app's id.
    OktaClientId,
    /// A service app's private key.
    OktaPrivateKey,
    /// The key's id.
    OktaKeyId,
}

impl Field {
    /// The name in the secret's JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthSecret => "auth_secret",
            Self::TwilioApiKeySid => "twilio_api_key_sid",
            Self::TwilioApiKeySecret => "twilio_api_key_secret",
            Self::TwilioAccountSid => "twilio_account_sid",
            Self::TwilioAuthToken => "twilio_auth_token",
            Self::VerifyServiceSid => "verify_service_sid",
            Self::Paused => "paused",
            Self::OktaApiToken => "okta_api_token",
            Self::OktaClientId => "okta_client_id",
            Self::OktaPrivateKey => "okta_private_key",
            Self::OktaKeyId => "okta_key_id",
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Self::AuthSecret => "auth_secret_unusable",
            Self::TwilioApiKeySid | Self::TwilioApiKeySecret | Self::TwilioAccountSid | Self::TwilioAuthToken => {
                "twilio_credentials_unusable"
            }
            Self::VerifyServiceSid => "verify_service_sid_unusable",
            Self::Paused => "paused_unreadable",
            Self::OktaApiToken | Self::OktaClientId | Self::OktaKeyId => "okta_credentials_unusable",
            Self::OktaPrivateKey => "okta_private_key_unusable",
        }
    }
}
