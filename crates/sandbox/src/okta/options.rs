//! What Okta is started with.

use serde_json::Value;

/// The org, and who may ask it.
#[derive(Debug, Clone)]
pub struct OktaOptions {
    /// The org's own URL, which client assertions name. The token endpoint also takes the URL that it was reached by.
    pub org_url: String,
    /// The API token (`Authorization: SSWS …`).
    pub api_token: String,
    /// Client id of the service app.
    pub client_id: String,
    /// Public keys of the service app, as JWK; none: it has no key yet. [`ServiceAppKey`](crate::ServiceAppKey) makes one.
    pub public_keys: Vec<Value>,
    /// Whether the service app has been granted `okta.users.read`.
    pub scope_granted: bool,
    /// Requests a minute, counted for each endpoint.
    pub rate_limit: u32,
}

impl Default for OktaOptions {
    fn default() -> Self {
        Self {
            org_url: "https://example.okta.com".to_owned(),
            api_token: "sandbox-okta-api-token".to_owned(),
            client_id: "0oasandbox0service00".to_owned(),
            public_keys: Vec::new(),
            scope_granted: true,
            rate_limit: 600,
        }
    }
}
