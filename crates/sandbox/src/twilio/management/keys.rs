//! API keys: `/v1/Keys` of `iam.twilio.com`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Account, Answer, TwilioError, call::Call, is_permission};

/// An API key.
#[derive(Debug, Clone)]
pub struct Key {
    /// The password. Twilio shows it once.
    pub secret: String,
    /// The name that people see.
    pub friendly_name: String,
    /// What it can do.
    pub power: Power,
}

/// What becomes of a restricted key that someone wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestrictedKeys {
    /// The account gets it.
    Made,
    /// Twilio refuses the type.
    Refused,
    /// Twilio makes a Standard key, and returns no policy.
    MadeStandard,
}

/// What a caller can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Power {
    /// Everything.
    Main,
    /// Everything but accounts and keys.
    Standard,
    /// What its policy names.
    Restricted(BTreeSet<String>),
}

impl Power {
    /// A restricted key with these permissions.
    pub fn restricted(permissions: &[&str]) -> Self {
        Self::Restricted(permissions.iter().map(|&permission| permission.to_owned()).collect())
    }

    pub(super) fn allows(&self, permission: &str) -> bool {
        match self {
            Self::Main => true,
            Self::Standard => !permission.starts_with("/twilio/iam/"),
            Self::Restricted(permissions) => permissions.contains(permission),
        }
    }
}

impl Account {
    pub(super) fn keys(&mut self, call: &Call, rest: &[&str]) -> Answer {
        match (call.method.as_str(), rest) {
            ("GET", []) => {
                call.allow(&["AccountSid"])?;
                self.check_account(call)?;
                let keys: Vec<_> = self.keys.iter().map(|(sid, key)| describe(sid, key)).collect();
                self.page(call, "keys", "v1/Keys", &keys)
            }
            ("GET", [sid]) => self.key(sid).map(|key| (200, describe(sid, key))),
            ("POST", []) => {
                call.allow(&["AccountSid", "FriendlyName", "KeyType", "Policy"])?;
                self.check_account(call)?;
                let power = match call.value("KeyType") {
                    Some("standard") | None => Power::Standard,
                    Some("restricted") => match (self.restricted_keys, policy(call)?) {
                        (RestrictedKeys::Made, power) => power,
                        (RestrictedKeys::Refused, _) => return Err(TwilioError::invalid_parameter("KeyType")),
                        (RestrictedKeys::MadeStandard, _) => Power::Standard,
                    },
                    Some(_) => return Err(TwilioError::invalid_parameter("KeyType")),
                };
                let sid = self.sid("SK");
                let secret = crate::random::hex();
                let friendly_name = call.value("FriendlyName").unwrap_or_default().to_owned();
                if friendly_name.len() > 64 {
                    return Err(TwilioError::invalid_parameter("FriendlyName"));
                }
                let key = Key { secret: secret.clone(), friendly_name, power };
                let mut body = describe(&sid, &key);
                if let Some(fields) = body.as_object_mut() {
                    fields.insert("secret".to_owned(), secret.into());
                }
                self.keys.insert(sid, key);
                Ok((201, body))
            }
            ("POST", [sid]) => {
                call.allow(&["FriendlyName", "Policy"])?;
                let power = policy(call)?;
                let key = self.keys.get_mut(*sid).ok_or_else(|| TwilioError::not_found("/Keys"))?;
                key.power = power;
                Ok((200, describe(sid, key)))
            }
            ("DELETE", [sid]) => {
                self.key(sid)?;
                self.keys.remove(*sid);
                Ok((204, Value::Null))
            }
            _ => Err(TwilioError::not_found("/Keys")),
        }
    }

    fn key(&self, sid: &str) -> Result<&Key, TwilioError> {
        self.keys.get(sid).ok_or_else(|| TwilioError::not_found(&format!("/Keys/{sid}")))
    }

    fn check_account(&self, call: &Call) -> Result<(), TwilioError> {
        let is_own = call.value("AccountSid") == Some(self.sid.as_str());
        if is_own { Ok(()) } else { Err(TwilioError::invalid_parameter("AccountSid")) }
    }
}

fn policy(call: &Call) -> Result<Power, TwilioError> {
    let refused = || TwilioError::invalid_parameter("Policy");
    let policy: Value =
        serde_json::from_str(call.value("Policy").ok_or_else(refused)?).map_err(|_no_json| refused())?;
    let allow = policy.get("allow").and_then(Value::as_array).ok_or_else(refused)?;
    let permissions: BTreeSet<String> =
        allow.iter().filter_map(|permission| permission.as_str().map(str::to_owned)).collect();
    let is_valid = (1..=100).contains(&allow.len()) && permissions.iter().all(|permission| is_permission(permission));
    if is_valid { Ok(Power::Restricted(permissions)) } else { Err(refused()) }
}

fn describe(sid: &str, key: &Key) -> Value {
    let policy = match &key.power {
        Power::Restricted(permissions) => json!({ "allow": permissions }),
        _ => Value::Null,
    };
    json!({
        "sid": sid, "friendly_name": key.friendly_name, "policy": policy,
        "date_created": "Thu, 15 Jan 2026 09:30:00 +0000", "date_updated": "Thu, 15 Jan 2026 09:30:00 +0000",
    })
}
