//! Service apps: their keys, their scopes, and their role.
//!
//! Sources: Okta, "Applications API", "Application OAuth 2.0 Client Authentication", "Application Grants", "Client Role
//! Assignments", "Roles" and "Resource Sets".

use http::Method;
use okta_twilio::id::SafeId;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};

use super::{Okta, OktaError, hooks::Status, unless_gone};

/// The only scope that feedback needs.
pub(crate) const SCOPE: &str = "okta.users.read";

const READ: &str = "okta.apps.read";
const MANAGE: &str = "okta.apps.manage";
const ROLES_READ: &str = "okta.roles.read";
const ROLES_MANAGE: &str = "okta.roles.manage";

/// A service app.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct App {
    pub(crate) id: SafeId,
    label: String,
    credentials: AppCredentials,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AppCredentials {
    oauth_client: OauthClient,
}

#[derive(Clone, Debug, Deserialize)]
struct OauthClient {
    client_id: SafeId,
}

impl App {
    pub(crate) fn client_id(&self) -> &SafeId {
        &self.credentials.oauth_client.client_id
    }
}

/// A public key of an app.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct AppKey {
    id: SafeId,
    pub(crate) kid: Option<String>,
    status: Status,
}

/// A custom role, or a resource set.
#[derive(Clone, Debug, Deserialize)]
struct Named {
    id: SafeId,
    label: String,
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Iam {
    Role,
    ResourceSet,
}

impl Iam {
    /// The last part of the path, and the field of a list.
    fn name(self) -> &'static str {
        match self {
            Self::Role => "roles",
            Self::ResourceSet => "resource-sets",
        }
    }
}

impl Okta {
    /// An app.
    ///
    /// # Errors
    /// [`OktaError::NotFound`] if there is none.
    pub(crate) async fn app(&self, id: &SafeId) -> Result<App, OktaError> {
        self.get(&format!("/api/v1/apps/{id}"), &[], READ).await
    }

    /// The app with exactly this label.
    ///
    /// # Errors
    /// Fails if Okta does not return the apps.
    pub(crate) async fn app_of_label(&self, label: &str) -> Result<Option<App>, OktaError> {
        let apps: Vec<App> = self.list("/api/v1/apps", &[("q", label)], READ).await?;
        Ok(apps.into_iter().find(|app| app.label == label))
    }

    /// Creates a service app with one public key.
    ///
    /// # Errors
    /// Fails if Okta refuses.
    pub(crate) async fn create_app(&self, label: &str, key: &Value) -> Result<App, OktaError> {
        let client = json!({
            "application_type": "service", "grant_types": ["client_credentials"], "response_types": ["token"],
            // The functions have no proof of possession, and the Admin Console's default asks for one.
            "dpop_bound_access_tokens": false, "jwks": {"keys": [key]},
        });
        let body = json!({
            "name": "oidc_client", "label": label, "signOnMode": "OPENID_CONNECT",
            "credentials": {"oauthClient": {"token_endpoint_auth_method": "private_key_jwt"}},
            "settings": {"oauthClient": client},
        });
        self.send((Method::POST, "/api/v1/apps"), Some(&body), MANAGE).await
    }

    /// Deletes an app, after it was deactivated. One that is gone is no error.
    ///
    /// # Errors
    /// Fails if Okta refuses.
    pub(crate) async fn delete_app(&self, id: &SafeId) -> Result<(), OktaError> {
        let path = format!("/api/v1/apps/{id}");
        let deactivate = format!("{path}/lifecycle/deactivate");
        self.send::<IgnoredAny>((Method::POST, &deactivate), None, MANAGE).await.map(drop).or_else(unless_gone)?;
        self.delete(&path, MANAGE).await
    }

    /// The public keys of an app.
    ///
    /// # Errors
    /// Fails if Okta does not return them.
    pub(crate) async fn app_keys(&self, app: &SafeId) -> Result<Vec<AppKey>, OktaError> {
        self.list(&format!("/api/v1/apps/{app}/credentials/jwks"), &[], READ).await
    }

    /// Adds a public key to an app.
    ///
    /// # Errors
    /// Fails if Okta refuses.
    pub(crate) async fn add_app_key(&self, app: &SafeId, key: &Value) -> Result<(), OktaError> {
        let path = format!("/api/v1/apps/{app}/credentials/jwks");
        self.send::<IgnoredAny>((Method::POST, &path), Some(key), MANAGE).await.map(drop)
    }

    /// Deletes a public key of an app, after it was deactivated. One that is gone is no error.
    ///
    /// # Errors
    /// Fails if Okta refuses.
    pub(crate) async fn delete_app_key(&self, app: &SafeId, key: &AppKey) -> Result<(), OktaError> {
        let path = format!("/api/v1/apps/{app}/credentials/jwks/{}", key.id);
        if key.status == Status::Active {
            let deactivate = format!("{path}/lifecycle/deactivate");
            self.send::<IgnoredAny>((Method::POST, &deactivate), None, MANAGE).await.map(drop).or_else(unless_gone)?;
        }
        self.delete(&path, MANAGE).await
    }

    /// Whether an app has the scope that feedback needs.
    ///
    /// # Errors
    /// Fails if Okta does not return its grants.
    pub(crate) async fn has_scope(&self, app: &SafeId) -> Result<bool, OktaError> {
        #[derive(Deserialize)]
        struct Grant {
            #[serde(rename = "scopeId")]
            scope: String,
        }
        let path = format!("/api/v1/apps/{app}/grants");
        let grants: Vec<Grant> = self.list(&path, &[], "okta.appGrants.read").await?;
        Ok(grants.iter().any(|grant| grant.scope == SCOPE))
    }

    /// Grants the scope that feedback needs. `issuer` is the org's own URL.
    ///
    /// # Errors
    /// Fails if Okta refuses.
    pub(crate) async fn grant_scope(&self, app: &SafeId, issuer: &str) -> Result<(), OktaError> {
        let body = json!({"scopeId": SCOPE, "issuer": issuer});
        let path = format!("/api/v1/apps/{app}/grants");
        self.send::<IgnoredAny>((Method::POST, &path), Some(&body), "okta.appGrants.manage").await.map(drop)
    }

    /// Whether a client has any role. A scope without a role reads nothing.
    ///
    /// # Errors
    /// Fails if Okta does not return its roles.
    pub(crate) async fn has_role(&self, client: &SafeId) -> Result<bool, OktaError> {
        let roles: Vec<IgnoredAny> = self.list(&format!("/oauth2/v1/clients/{client}/roles"), &[], ROLES_READ).await?;
        Ok(!roles.is_empty())
    }

    /// Gives a client a custom role over a resource set.
    ///
    /// # Errors
    /// Fails if Okta refuses.
    pub(crate) async fn assign_role(
        &self,
        client: &SafeId,
        role: &SafeId,
        resource_set: &SafeId,
    ) -> Result<(), OktaError> {
        let body = json!({"type": "CUSTOM", "role": role, "resource-set": resource_set});
        let path = format!("/oauth2/v1/clients/{client}/roles");
        self.send::<IgnoredAny>((Method::POST, &path), Some(&body), ROLES_MANAGE).await.map(drop)
    }

    /// The id of the custom role or the resource set with exactly this label.
    ///
    /// # Errors
    /// Fails if Okta does not return them.
    pub(crate) async fn iam_of_label(&self, kind: Iam, label: &str) -> Result<Option<SafeId>, OktaError> {
        let path = format!("/api/v1/iam/{}", kind.name());
        let mut lists: std::collections::HashMap<String, Value> = self.get(&path, &[], ROLES_READ).await?;
        let list = lists.remove(kind.name()).ok_or(OktaError::NotUnderstood)?;
        let list: Vec<Named> = serde_json::from_value(list).map_err(|_other_form| OktaError::NotUnderstood)?;
        Ok(list.into_iter().find(|named| named.label == label).map(|named| named.id))
    }

    /// Creates the role that reads users, or the resource set of all users. `org` is the org's own URL.
    ///
    /// # Errors
    /// Fails if Okta refuses.
    pub(crate) async fn create_iam(&self, kind: Iam, label: &str, org: &str) -> Result<SafeId, OktaError> {
        let description = "For the feedback of okta-twilio: it reads users";
        let users = format!("{org}/api/v1/users");
        let body = match kind {
            Iam::Role => json!({"label": label, "description": description, "permissions": [SCOPE]}),
            Iam::ResourceSet => json!({"label": label, "description": description, "resources": [users]}),
        };
        let path = format!("/api/v1/iam/{}", kind.name());
        self.send::<Named>((Method::POST, &path), Some(&body), ROLES_MANAGE).await.map(|named| named.id)
    }

    /// Deletes a custom role or a resource set. One that is gone is no error.
    ///
    /// # Errors
    /// Fails if Okta refuses.
    pub(crate) async fn delete_iam(&self, kind: Iam, id: &SafeId) -> Result<(), OktaError> {
        self.delete(&format!("/api/v1/iam/{}/{id}", kind.name()), ROLES_MANAGE).await
    }
}
