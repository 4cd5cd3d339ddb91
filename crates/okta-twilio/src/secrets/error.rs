//! Why a secret cannot be used.

/// Why there is no usable secret. None holds a text of AWS or of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Secrets Manager did not answer in time, or not at all.
    #[error("Secrets Manager cannot be reached")]
    Unreachable,
    /// The function's role may not read it.
    #[error("access to the secret is denied")]
    AccessDenied,
    /// There is no such secret, or it has no value yet.
    #[error("the secret does not exist or has no value")]
    NotFound,
    /// Secrets Manager refused for another reason.
    #[error("Secrets Manager refused")]
    Refused,
    /// The value is not a JSON object.
    #[error("the secret is not a JSON object")]
    NotJson,
    /// `auth_secret` is missing, blank, shorter than 16 characters, or there are more than four.
    #[error("auth_secret is missing, shorter than 16 characters, or there are more than 4")]
    AuthSecret,
    /// The Twilio credentials are missing or of the wrong form.
    #[error(
        "neither twilio_api_key_sid (SK…) with twilio_api_key_secret nor twilio_account_sid (AC…) with twilio_auth_token"
    )]
    TwilioCredentials,
    /// `verify_service_sid` is of the wrong form, or missing although `VERIFY_SERVICE_SID` is not set.
    #[error("verify_service_sid (VA…) is missing or of the wrong form")]
    VerifyServiceSid,
    /// Neither an API token nor a service app's id and key.
    #[error("neither okta_api_token nor okta_client_id with okta_private_key")]
    OktaCredentials,
    /// The private key is neither PKCS#8 in PEM nor a JWK, or of a kind that Okta or this program does not use.
    #[error("okta_private_key is no RSA or P-256 key as PKCS#8 PEM or JWK")]
    OktaPrivateKey,
}

impl SecretError {
    /// Whether the secret may be there a moment later without anybody's help.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Unreachable)
    }

    /// The stable code.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::AccessDenied => "access_denied",
            Self::NotFound => "not_found",
            Self::Refused => "refused",
            Self::NotJson => "not_json",
            Self::AuthSecret => "auth_secret_unusable",
            Self::TwilioCredentials => "twilio_credentials_unusable",
            Self::VerifyServiceSid => "verify_service_sid_unusable",
            Self::OktaCredentials => "okta_credentials_unusable",
            Self::OktaPrivateKey => "okta_private_key_unusable",
        }
    }
}
