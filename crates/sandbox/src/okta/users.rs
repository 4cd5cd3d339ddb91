//! Users with their phones, and their JSON in Okta's format.

use crate::okta::magic_users::MagicUser;
use crate::twilio::records::Channel;
use serde_json::{Value, json};

const CREATED: &str = "2026-01-15T09:30:00.000Z";

/// A user of the org.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OktaUser {
    pub(crate) id: String,
    phones: Vec<Phone>,
    mobile_phone: Option<String>,
    primary_phone: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Phone {
    channel: Channel,
    number: String,
    status: &'static str,
}

impl OktaUser {
    /// Creates a user without any phone.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), phones: Vec::new(), mobile_phone: None, primary_phone: None }
    }

    /// Enrolls a phone for SMS.
    #[must_use]
    pub fn sms(self, number: impl Into<String>) -> Self {
        self.phone(Channel::Sms, number, "ACTIVE")
    }

    /// Enrolls a phone for calls.
    #[must_use]
    pub fn call(self, number: impl Into<String>) -> Self {
        self.phone(Channel::Call, number, "ACTIVE")
    }

    /// Sets the profile's mobile number, which is a free text.
    #[must_use]
    pub fn mobile_phone(mut self, number: impl Into<String>) -> Self {
        self.mobile_phone = Some(number.into());
        self
    }

    /// Sets the profile's primary number, which is a free text.
    #[must_use]
    pub fn primary_phone(mut self, number: impl Into<String>) -> Self {
        self.primary_phone = Some(number.into());
        self
    }

    pub(crate) fn magic(magic: &MagicUser) -> Self {
        let mut user = Self::new(magic.id);
        user.mobile_phone = magic.mobile_phone.map(str::to_owned);
        user.primary_phone = magic.primary_phone.map(str::to_owned);
        magic.factors.iter().fold(user, |user, factor| user.phone(factor.channel, factor.number, factor.status))
    }

    fn phone(mut self, channel: Channel, number: impl Into<String>, status: &'static str) -> Self {
        self.phones.push(Phone { channel, number: number.into(), status });
        self
    }

    /// `GET /api/v1/users/{id}/factors`. The list also has factors other than phones, as for a real user.
    pub(crate) fn factors(&self, base_url: &str) -> Value {
        let user_url = format!("{base_url}/api/v1/users/{}", self.id);
        let factor = |prefix: &str, place: usize, kind: &str, status: &str, profile: Value| {
            let id = format!("{prefix}sandbox{place:010}");
            json!({
                "id": id, "factorType": kind, "provider": "OKTA", "vendorName": "OKTA", "status": status,
                "created": CREATED, "lastUpdated": CREATED, "profile": profile,
                "_links": {
                    "self": { "href": format!("{user_url}/factors/{id}"), "hints": { "allow": ["GET", "DELETE"] } },
                    "user": { "href": user_url, "hints": { "allow": ["GET"] } }
                }
            })
        };
        let mut factors = vec![factor("emf", 0, "email", "ACTIVE", json!({ "email": "test.user@example.com" }))];
        factors.extend(self.phones.iter().enumerate().map(|(place, phone)| {
            let (prefix, profile) = match phone.channel {
                Channel::Call => ("clf", json!({ "phoneNumber": phone.number, "phoneExtension": null })),
                Channel::Sms | Channel::Whatsapp => ("sms", json!({ "phoneNumber": phone.number })),
            };
            factor(prefix, place, phone.channel.name(), phone.status, profile)
        }));
        factors.push(factor("opf", 0, "push", "ACTIVE", json!({ "name": "Test phone", "platform": "IOS" })));
        Value::Array(factors)
    }

    /// `GET /api/v1/users/{id}`.
    pub(crate) fn profile(&self, base_url: &str) -> Value {
        json!({
            "id": self.id,
            "status": "ACTIVE",
            "created": CREATED, "activated": CREATED, "statusChanged": null, "lastLogin": null,
            "lastUpdated": CREATED, "passwordChanged": CREATED,
            "type": { "id": "otysandbox0000000000" },
            "profile": {
                "firstName": "Test", "lastName": "User", "login": "test.user@example.com",
                "email": "test.user@example.com", "secondEmail": null,
                "mobilePhone": self.mobile_phone, "primaryPhone": self.primary_phone
            },
            "credentials": { "password": {}, "provider": { "type": "OKTA", "name": "OKTA" } },
            "_links": { "self": { "href": format!("{base_url}/api/v1/users/{}", self.id) } }
        })
    }
}
