//! Service apps: their keys, grants and roles, and the roles and resource sets of the org.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, OktaError, Org, call::Call, done, settings::status};

/// A service app.
#[derive(Debug, Clone)]
pub struct ServiceApp {
    /// `0oa…`, which is the client id too.
    pub id: String,
    /// The name that people see.
    pub label: String,
    /// Whether it may fetch tokens.
    pub is_active: bool,
    /// Its public keys.
    pub keys: Vec<AppKey>,
    /// The scopes that are granted to it.
    pub scopes: Vec<String>,
    /// The custom roles that it has, each with a resource set.
    pub roles: Vec<(String, String)>,
}

/// A public key of a service app.
#[derive(Debug, Clone)]
pub struct AppKey {
    /// `pks…`
    pub id: String,
    /// Whether it is accepted.
    pub is_active: bool,
    /// The key, with its `kid`.
    pub jwk: Value,
}

/// A custom role, or a resource set.
#[derive(Debug, Clone)]
pub struct Named {
    /// `cr0…` or `iam…`
    pub id: String,
    /// The name that people see.
    pub label: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewApp {
    name: String,
    label: String,
    sign_on_mode: String,
    credentials: NewCredentials,
    settings: NewSettings,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewCredentials {
    oauth_client: NewClientCredentials,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewClientCredentials {
    token_endpoint_auth_method: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewSettings {
    oauth_client: NewClient,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewClient {
    application_type: String,
    grant_types: Vec<String>,
    response_types: Vec<String>,
    /// Without it, an app that is made by API requires no proof of possession.
    #[serde(default)]
    dpop_bound_access_tokens: bool,
    jwks: NewKeys,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKeys {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewGrant {
    scope_id: String,
    issuer: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAssignment {
    #[serde(rename = "type")]
    kind: String,
    role: String,
    #[serde(rename = "resource-set")]
    resource_set: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRole {
    label: String,
    description: String,
    permissions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewResourceSet {
    label: String,
    description: String,
    resources: Vec<String>,
}

impl ServiceApp {
    fn describe(&self, requires_dpop: bool) -> Value {
        let keys: Vec<_> = self.keys.iter().map(|key| &key.jwk).collect();
        json!({
            "id": self.id, "name": "oidc_client", "label": self.label, "status": status(self.is_active),
            "signOnMode": "OPENID_CONNECT", "created": "2026-01-15T09:30:00.000Z",
            "lastUpdated": "2026-01-15T09:30:00.000Z",
            "credentials": {
                "oauthClient": { "client_id": self.id, "token_endpoint_auth_method": "private_key_jwt" },
            },
            "settings": { "oauthClient": {
                "application_type": "service", "grant_types": ["client_credentials"], "response_types": ["token"],
                "dpop_bound_access_tokens": requires_dpop, "jwks": { "keys": keys },
            } },
            "_links": {},
        })
    }
}

impl AppKey {
    fn describe(&self) -> Value {
        let mut key = self.jwk.clone();
        if let Some(key) = key.as_object_mut() {
            key.extend([
                ("id".to_owned(), self.id.clone().into()),
                ("status".to_owned(), status(self.is_active).into()),
                ("created".to_owned(), "2026-01-15T09:30:00Z".into()),
                ("lastUpdated".to_owned(), "2026-01-15T09:30:00Z".into()),
            ]);
        }
        key
    }
}

impl Org {
    pub(super) fn service_apps(&mut self, call: &Call, rest: &[&str]) -> Answer {
        let answer = self.answer_apps(call, rest);
        self.use_apps();
        answer
    }

    /// The token endpoint knows one service app: the newest.
    fn use_apps(&mut self) {
        let Some(app) = self.apps.last() else { return };
        self.options.client_id.clone_from(&app.id);
        let keys = app.keys.iter().filter(|key| key.is_active && app.is_active);
        self.options.public_keys = keys.map(|key| key.jwk.clone()).collect();
        self.options.scope_granted = app.scopes.iter().any(|scope| scope == "okta.users.read");
    }

    fn answer_apps(&mut self, call: &Call, rest: &[&str]) -> Answer {
        let requires_dpop = self.requires_dpop;
        match (call.method.as_str(), rest) {
            ("GET", []) => {
                call.allow(&["q", "limit", "after"])?;
                let begins = |app: &&ServiceApp| call.value("q").is_none_or(|begin| app.label.starts_with(begin));
                done(200, self.apps.iter().filter(begins).map(|app| app.describe(requires_dpop)).collect())
            }
            ("POST", []) => {
                let app = self.accept_app(call.json()?)?;
                let body = app.describe(requires_dpop);
                self.apps.push(app);
                done(200, body)
            }
            ("GET", [id]) => done(200, self.app(id)?.describe(requires_dpop)),
            ("DELETE", [id]) => {
                if self.app(id)?.is_active {
                    return Err(OktaError::invalid("the app is active"));
                }
                self.apps.retain(|app| app.id != *id);
                done(204, Value::Null)
            }
            ("POST", [id, "lifecycle", change @ ("activate" | "deactivate")]) => {
                self.app(id)?.is_active = *change == "activate";
                done(200, json!({}))
            }
            ("GET", [id, "grants"]) => {
                call.allow(&[])?;
                let grant = |(place, scope): (usize, &String)| json!({ "id": format!("oagsandbox{place:010}"), "status": "ACTIVE", "scopeId": scope, "issuer": "https://example.okta.com" });
                done(200, self.app(id)?.scopes.iter().enumerate().map(grant).collect())
            }
            ("POST", [id, "grants"]) => {
                let grant: NewGrant = call.json()?;
                if grant.issuer.trim_end_matches('/') != self.options.org_url.trim_end_matches('/') {
                    return Err(OktaError::invalid("issuer"));
                }
                let body = json!({ "id": "oagsandbox0000000000", "status": "ACTIVE", "scopeId": grant.scope_id, "issuer": grant.issuer });
                self.app(id)?.scopes.push(grant.scope_id);
                done(201, body)
            }
            ("GET", [id, "credentials", "jwks"]) => {
                done(200, self.app(id)?.keys.iter().map(AppKey::describe).collect())
            }
            ("POST", [id, "credentials", "jwks"]) => {
                let key = self.accept_key(call.json()?)?;
                let body = key.describe();
                let app = self.app(id)?;
                if app.keys.iter().any(|other| other.jwk.get("kid") == key.jwk.get("kid")) {
                    return Err(OktaError::invalid("kid"));
                }
                app.keys.push(key);
                done(201, body)
            }
            ("DELETE", [id, "credentials", "jwks", key]) => {
                let app = self.app(id)?;
                if app.keys.iter().any(|other| other.id == *key && other.is_active) {
                    return Err(OktaError::invalid("the key is active"));
                }
                app.keys.retain(|other| other.id != *key);
                done(204, Value::Null)
            }
            ("POST", [id, "credentials", "jwks", key, "lifecycle", change @ ("activate" | "deactivate")]) => {
                let found = self.app(id)?.keys.iter_mut().find(|other| other.id == *key);
                let found = found.ok_or_else(|| OktaError::not_found(key))?;
                found.is_active = *change == "activate";
                done(200, found.describe())
            }
            _ => Err(OktaError::not_found(&call.path.join("/"))),
        }
    }

    /// The roles of a client: `/oauth2/v1/clients/{clientId}/roles`.
    pub(super) fn client_roles(&mut self, call: &Call, client: &str) -> Answer {
        let describe = |place: usize, (role, resource_set): &(String, String)| {
            json!({
                "id": format!("irbsandbox{place:010}"), "type": "CUSTOM", "label": "A label", "status": "ACTIVE",
                "assignmentType": "CLIENT", "role": role, "resource-set": resource_set,
            })
        };
        match call.method.as_str() {
            "GET" => {
                let roles = &self.app(client)?.roles;
                done(200, roles.iter().enumerate().map(|(place, role)| describe(place, role)).collect())
            }
            "POST" => {
                let new: NewAssignment = call.json()?;
                let is_known = |list: &[Named], id: &str| list.iter().any(|named| named.id == id);
                if new.kind != "CUSTOM"
                    || !is_known(&self.roles, &new.role)
                    || !is_known(&self.resource_sets, &new.resource_set)
                {
                    return Err(OktaError::invalid("role"));
                }
                let role = (new.role, new.resource_set);
                let app = self.app(client)?;
                let body = describe(app.roles.len(), &role);
                app.roles.push(role);
                done(200, body)
            }
            _ => Err(OktaError::not_found(client)),
        }
    }

    /// Custom roles and resource sets: `/api/v1/iam/roles` and `/api/v1/iam/resource-sets`.
    pub(super) fn iam(&mut self, call: &Call, rest: &[&str]) -> Answer {
        let describe = |named: &Named| json!({ "id": named.id, "label": named.label, "description": "A text", "created": "2026-01-15T09:30:00.000Z", "lastUpdated": "2026-01-15T09:30:00.000Z", "_links": {} });
        match (call.method.as_str(), rest) {
            ("GET", [kind @ ("roles" | "resource-sets")]) => {
                call.allow(&["after"])?;
                let list = if *kind == "roles" { &self.roles } else { &self.resource_sets };
                let list: Vec<_> = list.iter().map(describe).collect();
                done(200, json!({ *kind: list, "_links": {} }))
            }
            ("POST", ["roles"]) => {
                let NewRole { label, description, permissions } = call.json()?;
                if description.is_empty() || permissions != ["okta.users.read"] {
                    return Err(OktaError::invalid("permissions"));
                }
                let role = Named { id: self.id("cr0"), label };
                self.roles.push(role.clone());
                done(200, describe(&role))
            }
            ("POST", ["resource-sets"]) => {
                let NewResourceSet { label, description, resources } = call.json()?;
                let users = format!("{}/api/v1/users", self.options.org_url.trim_end_matches('/'));
                if description.is_empty() || resources != [users] {
                    return Err(OktaError::invalid("resources"));
                }
                let set = Named { id: self.id("iam"), label };
                self.resource_sets.push(set.clone());
                done(200, describe(&set))
            }
            ("DELETE", [kind @ ("roles" | "resource-sets"), id]) => {
                let list = if *kind == "roles" { &mut self.roles } else { &mut self.resource_sets };
                if !list.iter().any(|named| named.id == *id) {
                    return Err(OktaError::not_found(id));
                }
                let is_used = self.apps.iter().flat_map(|app| &app.roles).any(|(role, set)| role == id || set == id);
                if is_used {
                    return Err(OktaError::invalid("it is assigned"));
                }
                list.retain(|named| named.id != *id);
                done(204, Value::Null)
            }
            _ => Err(OktaError::not_found(&call.path.join("/"))),
        }
    }

    /// Whether the app of a token may read users.
    pub(super) fn may_read_users(&self) -> bool {
        self.apps.last().is_none_or(|app| !app.roles.is_empty())
    }

    fn app(&mut self, id: &str) -> Result<&mut ServiceApp, OktaError> {
        self.apps.iter_mut().find(|app| app.id == id).ok_or_else(|| OktaError::not_found(id))
    }

    fn accept_app(&mut self, new: NewApp) -> Result<ServiceApp, OktaError> {
        let client = new.settings.oauth_client;
        let is_service = new.name == "oidc_client"
            && new.sign_on_mode == "OPENID_CONNECT"
            && new.credentials.oauth_client.token_endpoint_auth_method == "private_key_jwt"
            && client.application_type == "service"
            && client.grant_types == ["client_credentials"]
            && client.response_types == ["token"]
            && !client.jwks.keys.is_empty();
        if !is_service {
            return Err(OktaError::invalid("settings"));
        }
        self.requires_dpop = client.dpop_bound_access_tokens;
        let keys = client.jwks.keys.into_iter().map(|key| self.accept_key(key)).collect::<Result<_, _>>()?;
        let id = self.id("0oa");
        Ok(ServiceApp { id, label: new.label, is_active: true, keys, scopes: Vec::new(), roles: Vec::new() })
    }

    fn accept_key(&mut self, jwk: Value) -> Result<AppKey, OktaError> {
        const FIELDS: [&str; 9] = ["kty", "crv", "x", "y", "n", "e", "kid", "use", "alg"];
        let fields = jwk.as_object().ok_or_else(|| OktaError::invalid("jwk"))?;
        // A private half must never come here.
        if let Some(other) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
            return Err(OktaError::invalid(other));
        }
        if !["kty", "kid", "x", "y"].iter().all(|name| fields.get(*name).is_some_and(Value::is_string)) {
            return Err(OktaError::invalid("jwk"));
        }
        Ok(AppKey { id: self.id("pks"), is_active: true, jwk })
    }
}
