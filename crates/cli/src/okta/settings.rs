//! The phone authenticator, and telephony providers that need no hook.

use okta_twilio::id::SafeId;
use serde::{Deserialize, de::IgnoredAny};

use super::{Okta, OktaError, hooks::Status};

const AUTHENTICATORS: &str = "okta.authenticators.read";

/// An authenticator of an org on Identity Engine.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Authenticator {
    id: SafeId,
    key: Option<String>,
    pub(crate) status: Status,
}

impl Authenticator {
    pub(crate) fn is_phone(&self) -> bool {
        self.key.as_deref() == Some("phone_number")
    }
}

/// A method of an authenticator.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Method {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) status: Status,
}

/// What anybody may know of an org.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Organization {
    #[serde(rename = "id")]
    _id: SafeId,
    pipeline: String,
}

impl Organization {
    /// Whether it is on Identity Engine, and not on Classic Engine.
    pub(crate) fn is_identity_engine(&self) -> bool {
        self.pipeline == "idx"
    }
}

/// A telephony provider without a hook: Okta's built-in connection.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TelephonyProvider {
    pub(crate) id: SafeId,
    #[serde(default)]
    pub(crate) enabled: bool,
    #[serde(default, rename = "isPrimaryProvider")]
    is_primary: bool,
}

impl Okta {
    /// What anybody may know of the org.
    ///
    /// # Errors
    /// Fails if there is no org at this URL.
    pub(crate) async fn organization(http: &reqwest::Client, api: &url::Url) -> Result<Organization, OktaError> {
        let url = super::join(api, "/.well-known/okta-organization");
        let response = crate::call::repeatable(|| http.get(url.clone())).await.map_err(OktaError::NoResponse)?;
        if !response.status.is_success() {
            return Err(OktaError::of(&response, "okta.users.read"));
        }
        response.json().ok_or(OktaError::NotUnderstood)
    }

    /// The authenticators of the org.
    ///
    /// # Errors
    /// Fails if Okta does not return them. An org on Classic Engine has none.
    pub(crate) async fn authenticators(&self) -> Result<Vec<Authenticator>, OktaError> {
        self.list("/api/v1/authenticators", &[], AUTHENTICATORS).await
    }

    /// Revokes the API token of this client. No request with it is accepted afterwards.
    ///
    /// # Errors
    /// Fails if Okta refuses.
    pub(crate) async fn revoke_own_token(&self) -> Result<(), OktaError> {
        self.delete("/api/v1/api-tokens/current", "okta.apiTokens.manage").await
    }

    /// The methods of an authenticator.
    ///
    /// # Errors
    /// Fails if Okta does not return them.
    pub(crate) async fn methods(&self, authenticator: &Authenticator) -> Result<Vec<Method>, OktaError> {
        self.list(&format!("/api/v1/authenticators/{}/methods", authenticator.id), &[], AUTHENTICATORS).await
    }

    /// The telephony providers without a hook, Okta's built-in connections, the primary one first. Most orgs do not have
    /// this feature, and then no provider.
    ///
    /// # Errors
    /// Fails if Okta cannot be asked.
    pub(crate) async fn telephony_providers(&self) -> Result<Vec<TelephonyProvider>, OktaError> {
        let scope = "okta.customTelephonyProvider.read";
        match self.list::<TelephonyProvider>("/api/v1/telephony-providers", &[], scope).await {
            Ok(mut providers) => {
                providers.sort_by_key(|provider| !provider.is_primary);
                Ok(providers)
            }
            Err(OktaError::NotFound) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Switches a telephony provider on or off. Of two, Okta switches the primary one off only after the other.
    ///
    /// # Errors
    /// Fails if Okta refuses.
    pub(crate) async fn set_telephony_provider(&self, id: &SafeId, status: Status) -> Result<(), OktaError> {
        let path = format!("/api/v1/telephony-providers/{id}/lifecycle/{}", status.change());
        let scope = "okta.customTelephonyProvider.manage";
        self.send::<IgnoredAny>((http::Method::POST, &path), None, scope).await.map(drop)
    }
}
