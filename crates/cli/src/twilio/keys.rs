//! API keys and what they can do.

use std::collections::BTreeSet;

use okta_twilio::id::Sid;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use super::{Api, Twilio, TwilioError};

/// What the functions need without Lookup.
pub(crate) const FUNCTIONS: [&str; 2] = ["/twilio/verify/verification/create", "/twilio/verify/verification/update"];

/// What they need for Lookup as well.
pub(crate) const LOOKUP: &str = "/twilio/lookup/phone-numbers/read";

/// Twilio gave a key that can do more than the functions need.
pub(crate) const NOT_RESTRICTED: &str = "Twilio made a Standard key instead of a restricted one. Whoever reads the hooks secret \
    can send messages and read numbers of the whole account. Create a restricted key in Twilio's Console (docs/set-up.md lists its permissions), \
    store it with `make secrets`, and delete the Standard key.";

/// An API key.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Key {
    /// `None`: the key is not restricted.
    #[serde(default)]
    policy: Option<Policy>,
}

#[derive(Clone, Debug, Deserialize)]
struct Policy {
    #[serde(default)]
    allow: BTreeSet<String>,
}

impl Key {
    /// The permissions. `None`: all of them.
    pub(crate) fn permissions(&self) -> Option<&BTreeSet<String>> {
        self.policy.as_ref().map(|policy| &policy.allow).filter(|allow| !allow.is_empty())
    }
}

/// A key in a list.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ListedKey {
    pub(crate) sid: String,
    #[serde(default)]
    pub(crate) friendly_name: String,
}

/// A key that was just created. Twilio shows its secret only now.
#[derive(Deserialize)]
pub(crate) struct NewKey {
    pub(crate) sid: String,
    pub(crate) secret: SecretString,
    /// `None`: the key is not restricted.
    #[serde(default)]
    policy: Option<Policy>,
}

impl NewKey {
    /// Whether Twilio has restricted the key.
    pub(crate) fn is_restricted(&self) -> bool {
        self.policy.as_ref().is_some_and(|policy| !policy.allow.is_empty())
    }
}

/// The name of the key that replaces another one for this hooks secret. It has 62 of 64 characters. The end of an ARN is
/// random, so another stack with the same key has another name.
pub(crate) fn replacement_name(secret: &str, replaced: &Sid) -> String {
    format!("okta-twilio {} replaces {}", end_of_arn(secret), replaced.as_str())
}

/// The key that a key of this name replaces, if it does so for this hooks secret.
pub(crate) fn replaced_by(name: &str, secret: &str) -> Option<Sid> {
    let replaced = name.strip_prefix(&format!("okta-twilio {} replaces ", end_of_arn(secret)))?;
    Sid::parse(replaced, "SK")
}

/// The six random characters at the end of a secret's ARN.
pub(crate) fn end_of_arn(secret: &str) -> String {
    let end: Vec<char> = secret.chars().rev().take(6).collect();
    end.into_iter().rev().collect()
}

impl Twilio {
    /// Creates a restricted key.
    ///
    /// # Errors
    /// Fails if Twilio refuses. Only the account itself and Main keys may create keys.
    pub(crate) async fn create_key(
        &self,
        account: &Sid,
        name: &str,
        permissions: &[&str],
    ) -> Result<NewKey, TwilioError> {
        let policy = json!({ "allow": permissions }).to_string();
        let form = [
            ("AccountSid", account.as_str()),
            ("FriendlyName", name),
            ("KeyType", "restricted"),
            ("Policy", policy.as_str()),
        ];
        self.post((Api::Iam, "/v1/Keys"), &form, "/twilio/iam/api-keys/create").await
    }

    /// Creates a restricted key, or a Standard key if Twilio refuses the restricted type.
    ///
    /// # Errors
    /// As [`Twilio::create_key`]. Missing rights, rate limits and a missing answer do not lead to a Standard key.
    pub(crate) async fn create_key_with_fallback(
        &self,
        account: &Sid,
        name: &str,
        permissions: &[&str],
    ) -> Result<NewKey, TwilioError> {
        match self.create_key(account, name, permissions).await {
            Err(TwilioError::Refused { status: 400, .. }) => {
                let form = [("AccountSid", account.as_str()), ("FriendlyName", name), ("KeyType", "standard")];
                self.post((Api::Iam, "/v1/Keys"), &form, "/twilio/iam/api-keys/create").await
            }
            result => result,
        }
    }

    /// The API keys of the account.
    ///
    /// # Errors
    /// As [`Twilio::key`].
    pub(crate) async fn keys(&self, account: &Sid) -> Result<Vec<ListedKey>, TwilioError> {
        let query = [("AccountSid", account.as_str())];
        self.list((Api::Iam, "/v1/Keys"), &query, ("keys", "/twilio/iam/api-keys/read")).await
    }

    /// Deletes an API key. One that is gone is no error.
    ///
    /// # Errors
    /// Fails if Twilio refuses.
    pub(crate) async fn delete_key(&self, sid: &Sid) -> Result<(), TwilioError> {
        let path = format!("/v1/Keys/{}", sid.as_str());
        self.delete((Api::Iam, &path), "/twilio/iam/api-keys/delete").await
    }

    /// An API key of the account.
    ///
    /// # Errors
    /// Fails if Twilio does not return it. Only the account itself and Main keys may read keys.
    pub(crate) async fn key(&self, sid: &Sid) -> Result<Key, TwilioError> {
        let path = format!("/v1/Keys/{}", sid.as_str());
        self.get((Api::Iam, &path), &[], "/twilio/iam/api-keys/read").await
    }
}
