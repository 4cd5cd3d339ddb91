//! The settings of the Okta org.

use serde_json::Value;

/// The org and its credentials.
#[derive(Debug, Clone)]
pub struct OktaOptions {
    /// The org's URL, the audience of client assertions. The token endpoint also accepts the URL of the request.
    pub org_url: String,
    /// The API token (`Authorization: SSWS …`).
    pub api_token: String,
    /// Client id of the service app.
    pub client_id: String,
    /// Public keys of the service app as JWK. See [`ServiceAppKey`](crate::ServiceAppKey).
    pub public_keys: Vec<Value>,
    /// Whether the service app has been granted `okta.users.read`.
    pub scope_granted: bool,
    /// The maximum number of requests per minute for each endpoint.
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
