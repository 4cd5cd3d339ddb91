//! The sends table: which verifications were started for a user, for 15 minutes.
//!
//! telephony-hook knows the user and the verification when it sends. event-hook only learns the user. The table links
//! them and makes feedback exact, without a call to Okta: the verification is approved by its own sid, and a newer one
//! for the same number is never approved by mistake. The table holds ids and times, but no number, code or name.
//!
//! | Attribute | Type | Content |
//! |---|---|---|
//! | `user_id` | S, partition key | Okta's id of the user |
//! | `verification_sid` | S, sort key | `VE…`, which stays the same for a resend |
//! | `delivery` | S | `sms` or `call`: the channel that Okta requested |
//! | `channel` | S | `sms`, `call` or `whatsapp`: the channel that Twilio used |
//! | `request_type` | S | the last part of Okta's `requestType` |
//! | `first_sent_at`, `sent_at` | N | milliseconds since 1970, of the first and the last message |
//! | `sends` | N | the number of messages |
//! | `to_mac` | B | 16 bytes that show whether two sends went to the same number, only with `RESEND_CHANNELS` |
//! | `expires_at` | N | seconds since 1970: the table's TTL attribute |
//!
//! Each caller sets a time limit. No call is critical for a send, which works without the table. Feedback retries
//! instead. Sources: AWS, the DynamoDB API reference (`UpdateItem`, `Query`, `DeleteItem`) and "Using time to live
//! (TTL)", which says that an expired item can still be read for some days.

use std::{fmt, time::Duration};

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::future;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::{
    aws::{
        error::AwsFailure,
        json_api::{DYNAMODB, JsonApi, Tries},
    },
    config::{ConfigError, Variables},
    id::SafeId,
    json,
    okta::{
        event::PhoneChannel,
        telephony::{DeliveryChannel, RequestType},
    },
    phone::{Channel, PhoneNumber},
    reason::Reason,
    time::clock::Timestamp,
};

/// How long an item lives after the last message. A verification of Verify lives ten minutes.
const LIFETIME_SECONDS: i64 = 15 * 60;

/// How long after a message a new request counts as a resend.
const LADDER_MS: i64 = 10 * 60 * 1_000;

const UPDATE: &str = "SET #delivery = :delivery, #channel = :channel, #request_type = :request_type, \
    #sent_at = :sent_at, #first_sent_at = if_not_exists(#first_sent_at, :sent_at), #expires_at = :expires_at \
    ADD #sends :one";

const UPDATE_WITH_MAC: &str = "SET #delivery = :delivery, #channel = :channel, #request_type = :request_type, \
    #sent_at = :sent_at, #first_sent_at = if_not_exists(#first_sent_at, :sent_at), #expires_at = :expires_at, \
    #to_mac = :to_mac ADD #sends :one";

/// `SENDS_TABLE` (none): name or ARN of the table.
///
/// # Errors
/// Fails if the value is not a valid table name or ARN.
pub fn table_name(variables: &Variables<'_>) -> Result<Option<String>, ConfigError> {
    let is_name = |name: &str| {
        (3..=255).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    };
    let read = |value: &str| {
        let name = if value.starts_with("arn:") { value.rsplit_once(":table/")?.1 } else { value };
        is_name(name).then(|| value.to_owned())
    };
    variables.read("SENDS_TABLE", ("must be the name or ARN of a DynamoDB table", "okta-twilio-sends"), read)
}

/// A message that Twilio accepted.
#[derive(Clone, Copy, Debug)]
pub struct AcceptedMessage<'a> {
    /// Okta's id of the user.
    pub user_id: &'a SafeId,
    /// `VE…`
    pub verification_sid: &'a SafeId,
    /// The channel that Okta requested.
    pub delivery: DeliveryChannel,
    /// The channel that Twilio used.
    pub channel: Channel,
    /// The flow that needed the code.
    pub request_type: RequestType,
    /// When the request to Twilio started.
    pub sent_at: Timestamp,
    /// Only with `RESEND_CHANNELS`.
    pub to_mac: Option<&'a ToMac>,
}

/// A verification that was started for a user.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredVerification {
    /// `VE…`
    pub verification_sid: SafeId,
    /// The channel that Okta requested for the last message.
    pub delivery: DeliveryChannel,
    /// When the first message was sent.
    pub first_sent_at: Timestamp,
    /// When the last message was sent.
    pub sent_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

impl StoredVerification {
    /// Returns `None` for an item that this program did not write.
    fn read(item: &Item) -> Option<Self> {
        let text = |name| item.get(name)?.get("S")?.as_str();
        let first_sent_at = number(item, "first_sent_at")?;
        Some(Self {
            verification_sid: SafeId::parse(text("verification_sid")?)?,
            delivery: [DeliveryChannel::Sms, DeliveryChannel::Call]
                .into_iter()
                .find(|known| Some(word(*known)) == text("delivery"))?,
            first_sent_at: Timestamp::from_millis(first_sent_at),
            sent_at: Timestamp::from_millis(number(item, "sent_at").unwrap_or(first_sent_at)),
            expires_at: Timestamp::from_millis(number(item, "expires_at")?.checked_mul(1_000)?),
        })
    }

    /// When the last message before `moment` was sent, if the table knows it.
    fn last_sent_before(&self, moment: Timestamp) -> Timestamp {
        if self.sent_at < moment { self.sent_at } else { self.first_sent_at }
    }
}

/// The verifications whose code the user can have typed at the time of the event. The likeliest comes first: the one
/// with the last message before the event.
///
/// A verification counts if its first message was sent before the event, it has not expired, and its channel fits the
/// event. So an old event never approves a newer verification.
pub fn candidates(
    remembered: &[StoredVerification],
    channel: PhoneChannel,
    happened: Timestamp,
    now: Timestamp,
) -> Vec<&StoredVerification> {
    let fits = |delivery| match channel {
        PhoneChannel::Sms => delivery == DeliveryChannel::Sms,
        PhoneChannel::Call => delivery == DeliveryChannel::Call,
        PhoneChannel::Either => true,
    };
    let counts =
        |send: &&StoredVerification| send.first_sent_at < happened && send.expires_at > now && fits(send.delivery);
    let mut found: Vec<_> = remembered.iter().filter(counts).collect();
    found.sort_by_key(|send| std::cmp::Reverse(send.last_sent_before(happened).as_millis()));
    found
}

/// A mark that shows only whether two sends went to the same number: 16 bytes of an HMAC with a derived key that is
/// never stored. A plain hash could be reversed within seconds by hashing all numbers.
#[derive(Clone, PartialEq, Eq)]
pub struct ToMac([u8; 16]);

impl ToMac {
    /// For [`TwilioCredentials::derive_key`](crate::secrets::TwilioCredentials::derive_key). All execution environments
    /// derive the same key. A rotation of the credential only restarts the ladder.
    pub const PURPOSE: &[u8] = b"okta-twilio to_mac";

    /// The mark of a number.
    pub fn of(number: &PhoneNumber, key: &[u8; 32]) -> Self {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), number.expose().as_bytes());
        let mut mark = [0; 16];
        mark.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        Self(mark)
    }
}

impl fmt::Debug for ToMac {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ToMac(private)")
    }
}

/// Why the table did not do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sends table cannot be used: {0:?}")]
pub struct TableError(pub AwsFailure);

impl TableError {
    /// The reason code.
    pub fn reason(self) -> Reason {
        match self.0 {
            AwsFailure::Throttled | AwsFailure::Unavailable => Reason::TableUnavailable,
            AwsFailure::AccessDenied | AwsFailure::KeyDenied => Reason::TableForbidden,
            AwsFailure::NotFound => Reason::TableNotFound,
            AwsFailure::Refused => Reason::TableRefused,
        }
    }

    /// What an admin can do.
    pub fn advice(self) -> &'static str {
        match self.0 {
            AwsFailure::Throttled => "Do nothing if it clears. Otherwise give the table on-demand capacity.",
            AwsFailure::Unavailable => "Check AWS's status page and the function's network access to DynamoDB.",
            AwsFailure::AccessDenied => {
                "Allow dynamodb:UpdateItem and dynamodb:Query on the table for telephony-hook's role, and dynamodb:Query and dynamodb:DeleteItem for event-hook's role."
            }
            AwsFailure::KeyDenied => "Enable the table's KMS key, and allow kms:Decrypt for the function's role.",
            AwsFailure::NotFound => "Check SENDS_TABLE and the function's region.",
            AwsFailure::Refused => "The table's keys must be user_id (S) and verification_sid (S).",
        }
    }

    /// Whether the same call can succeed later without a change by anyone.
    pub fn is_transient(self) -> bool {
        self.0.is_transient()
    }
}

/// An item as DynamoDB writes it: each value is an object with its type.
type Item = Map<String, Value>;

/// A value as DynamoDB reads it.
#[derive(Serialize)]
enum Attribute<'a> {
    S(&'a str),
    N(String),
    B(String),
}

fn n<'a>(number: i64) -> Attribute<'a> {
    Attribute::N(number.to_string())
}

/// The key of an item.
#[derive(Serialize)]
struct Key<'a> {
    user_id: Attribute<'a>,
    verification_sid: Attribute<'a>,
}

impl<'a> Key<'a> {
    fn of(user_id: &'a SafeId, verification_sid: &'a SafeId) -> Self {
        Self { user_id: Attribute::S(user_id.as_str()), verification_sid: Attribute::S(verification_sid.as_str()) }
    }
}

/// A client for the table.
#[derive(Clone, Debug)]
pub struct SendsTable {
    dynamodb: JsonApi,
    name: String,
}

impl SendsTable {
    /// Creates the client from the SDK's configuration, on the shared HTTP client. It makes no call.
    pub fn new(sdk: &aws_config::SdkConfig, http: &reqwest::Client, name: String) -> Self {
        Self { dynamodb: JsonApi::new(DYNAMODB, sdk, http), name }
    }

    /// The URL that calls go to.
    pub fn endpoint(&self) -> Option<&Url> {
        self.dynamodb.endpoint()
    }

    /// Stores a message with one `UpdateItem`, so that a resend keeps the time of the first message.
    ///
    /// # Errors
    /// Fails if DynamoDB does not do it within `limit`. The message is sent anyway.
    pub async fn remember(&self, send: &AcceptedMessage<'_>, limit: Duration) -> Result<(), TableError> {
        /// Placeholders are used because some of these names could be reserved words of DynamoDB.
        #[derive(Serialize)]
        struct Names {
            #[serde(rename = "#delivery")]
            delivery: &'static str,
            #[serde(rename = "#channel")]
            channel: &'static str,
            #[serde(rename = "#request_type")]
            request_type: &'static str,
            #[serde(rename = "#sent_at")]
            sent_at: &'static str,
            #[serde(rename = "#first_sent_at")]
            first_sent_at: &'static str,
            #[serde(rename = "#expires_at")]
            expires_at: &'static str,
            #[serde(rename = "#sends")]
            sends: &'static str,
            #[serde(rename = "#to_mac", skip_serializing_if = "Option::is_none")]
            to_mac: Option<&'static str>,
        }
        #[derive(Serialize)]
        struct Values<'a> {
            #[serde(rename = ":delivery")]
            delivery: Attribute<'a>,
            #[serde(rename = ":channel")]
            channel: Attribute<'a>,
            #[serde(rename = ":request_type")]
            request_type: Attribute<'a>,
            #[serde(rename = ":sent_at")]
            sent_at: Attribute<'a>,
            #[serde(rename = ":expires_at")]
            expires_at: Attribute<'a>,
            #[serde(rename = ":one")]
            one: Attribute<'a>,
            #[serde(rename = ":to_mac", skip_serializing_if = "Option::is_none")]
            to_mac: Option<Attribute<'a>>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct UpdateItem<'a> {
            table_name: &'a str,
            key: Key<'a>,
            update_expression: &'static str,
            expression_attribute_names: Names,
            expression_attribute_values: Values<'a>,
        }
        let update = UpdateItem {
            table_name: &self.name,
            key: Key::of(send.user_id, send.verification_sid),
            update_expression: match send.to_mac {
                None => UPDATE,
                Some(_) => UPDATE_WITH_MAC,
            },
            expression_attribute_names: Names {
                delivery: "delivery",
                channel: "channel",
                request_type: "request_type",
                sent_at: "sent_at",
                first_sent_at: "first_sent_at",
                expires_at: "expires_at",
                sends: "sends",
                to_mac: send.to_mac.map(|_| "to_mac"),
            },
            expression_attribute_values: Values {
                delivery: Attribute::S(word(send.delivery)),
                channel: Attribute::S(send.channel.as_str()),
                request_type: Attribute::S(send.request_type.as_str()),
                sent_at: n(send.sent_at.as_millis()),
                expires_at: n(send.sent_at.as_secs() + LIFETIME_SECONDS),
                one: n(1),
                to_mac: send.to_mac.map(|ToMac(mac)| Attribute::B(STANDARD.encode(mac))),
            },
        };
        self.call("UpdateItem", &update, limit).await.map(|_done| ())
    }

    /// All verifications of a user, with a consistent read. It skips items that this program did not write. Use
    /// [`candidates`] to choose among them.
    ///
    /// # Errors
    /// Fails if DynamoDB does not return them within `limit`.
    pub async fn verifications_of(
        &self,
        user_id: &SafeId,
        limit: Duration,
    ) -> Result<Vec<StoredVerification>, TableError> {
        let items = self.items_of(user_id, limit).await?;
        Ok(items.iter().filter_map(StoredVerification::read).collect())
    }

    /// Deletes verifications that are no longer needed: approved or not pending.
    ///
    /// # Errors
    /// Fails if DynamoDB does not do it within `limit`. The TTL deletes the rest.
    pub async fn forget(&self, user_id: &SafeId, sids: &[SafeId], limit: Duration) -> Result<(), TableError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct DeleteItem<'a> {
            table_name: &'a str,
            key: Key<'a>,
        }
        let delete = |sid| async move {
            let delete = DeleteItem { table_name: &self.name, key: Key::of(user_id, sid) };
            self.call("DeleteItem", &delete, limit).await
        };
        future::join_all(sids.iter().map(delete)).await.into_iter().try_for_each(|deleted| deleted.map(|_done| ()))
    }

    /// How many messages the user received at this number within the last ten minutes. This is the step in the ladder
    /// of `RESEND_CHANNELS`, 0 for the first request.
    ///
    /// # Errors
    /// Fails if DynamoDB does not return it within `limit`. The request then uses the first channel.
    pub async fn ladder_step(
        &self,
        user_id: &SafeId,
        to_mac: &ToMac,
        now: Timestamp,
        limit: Duration,
    ) -> Result<u32, TableError> {
        let items = self.items_of(user_id, limit).await?;
        let to_mac = STANDARD.encode(to_mac.0);
        let is_same_number =
            |item: &&Item| item.get("to_mac").and_then(|mac| mac.get("B")?.as_str()).is_some_and(|mac| mac == to_mac);
        let is_recent = |item: &&Item| {
            number(item, "sent_at").is_some_and(|sent_at| now.as_millis().saturating_sub(sent_at) < LADDER_MS)
        };
        let sends = items.iter().filter(is_same_number).filter(is_recent).filter_map(|item| number(item, "sends"));
        Ok(sends.filter_map(|sends| u32::try_from(sends).ok()).fold(0, u32::saturating_add))
    }

    async fn items_of(&self, user_id: &SafeId, limit: Duration) -> Result<Vec<Item>, TableError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Query<'a> {
            table_name: &'a str,
            consistent_read: bool,
            key_condition_expression: &'static str,
            expression_attribute_names: Names,
            expression_attribute_values: Values<'a>,
        }
        #[derive(Serialize)]
        struct Names {
            #[serde(rename = "#user_id")]
            user_id: &'static str,
        }
        #[derive(Serialize)]
        struct Values<'a> {
            #[serde(rename = ":user_id")]
            user_id: Attribute<'a>,
        }
        #[derive(Deserialize)]
        struct Page {
            #[serde(rename = "Items")]
            items: Vec<Item>,
        }
        // One page is enough: it has some thousand items, and DynamoDB deletes expired ones within days.
        let query = Query {
            table_name: &self.name,
            consistent_read: true,
            key_condition_expression: "#user_id = :user_id",
            expression_attribute_names: Names { user_id: "user_id" },
            expression_attribute_values: Values { user_id: Attribute::S(user_id.as_str()) },
        };
        let body = self.call("Query", &query, limit).await?;
        json::read::<Page>(&body).map(|page| page.items).ok_or(TableError(AwsFailure::Unavailable))
    }

    async fn call(&self, operation: &str, body: &impl Serialize, limit: Duration) -> Result<Bytes, TableError> {
        match tokio::time::timeout(limit, self.dynamodb.call(operation, body, Tries::Two)).await {
            Ok(response) => response.map_err(TableError),
            Err(_elapsed) => Err(TableError(AwsFailure::Unavailable)),
        }
    }
}

/// The name of the channel that Okta requested.
fn word(delivery: DeliveryChannel) -> &'static str {
    match delivery {
        DeliveryChannel::Sms => "sms",
        DeliveryChannel::Call => "call",
    }
}

fn number(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.get("N")?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::tests::lookup, phone::DialableNumber};
    use serde_json::json;

    const NOW_MS: i64 = 1_800_000_000_000;
    const EVENT_MS: i64 = NOW_MS - 5_000;

    /// A verification with messages this many seconds before the event. It expires 15 minutes after the last message.
    fn send(name: &str, delivery: DeliveryChannel, first: i64, last: i64) -> StoredVerification {
        let at = |seconds: i64| Timestamp::from_millis(EVENT_MS - seconds * 1_000);
        StoredVerification {
            verification_sid: SafeId::parse(name).unwrap(),
            delivery,
            first_sent_at: at(first),
            sent_at: at(last),
            expires_at: at(last - LIFETIME_SECONDS),
        }
    }

    fn chosen(channel: PhoneChannel, remembered: &[StoredVerification]) -> Vec<&str> {
        let found = candidates(remembered, channel, Timestamp::from_millis(EVENT_MS), Timestamp::from_millis(NOW_MS));
        found.into_iter().map(|send| send.verification_sid.as_str()).collect()
    }

    #[test]
    fn the_newest_before_the_event_comes_first() {
        let sms = |name, first, last| send(name, DeliveryChannel::Sms, first, last);
        for (remembered, expected) in [
            (vec![], &[][..]),
            (vec![sms("VEa", 20, 20)], &["VEa"]),
            (vec![sms("VEa", 60, 60), sms("VEb", 20, 20)], &["VEb", "VEa"]),
            // The event is older than the second verification.
            (vec![sms("VEa", 60, 60), sms("VEb", -1, -1)], &["VEa"]),
            (vec![sms("VEb", -1, -1)], &[]),
            (vec![sms("VEb", 0, 0)], &[]),
            // The first message was sent before the event, and a resend after it.
            (vec![sms("VEa", 60, -2)], &["VEa"]),
            // A resend before the event makes the verification newer. One after the event does not.
            (vec![sms("VEa", 90, 10), sms("VEb", 30, 30)], &["VEa", "VEb"]),
            (vec![sms("VEa", 90, -2), sms("VEb", 30, 30)], &["VEb", "VEa"]),
        ] {
            assert_eq!(chosen(PhoneChannel::Sms, &remembered), expected, "{remembered:?}");
            assert_eq!(chosen(PhoneChannel::Either, &remembered), expected, "{remembered:?}");
        }
    }

    #[test]
    fn the_delivery_fits_the_event() {
        let remembered = [send("VEs", DeliveryChannel::Sms, 60, 60), send("VEc", DeliveryChannel::Call, 20, 20)];
        assert_eq!(chosen(PhoneChannel::Sms, &remembered), ["VEs"]);
        assert_eq!(chosen(PhoneChannel::Call, &remembered), ["VEc"]);
        assert_eq!(chosen(PhoneChannel::Either, &remembered), ["VEc", "VEs"]);
    }

    #[test]
    fn an_expired_item_that_is_not_deleted_yet_does_not_count() {
        let expired = send("VEa", DeliveryChannel::Sms, LIFETIME_SECONDS, LIFETIME_SECONDS);
        assert_eq!(chosen(PhoneChannel::Sms, &[expired]), [""; 0]);
        let nearly = send("VEa", DeliveryChannel::Sms, LIFETIME_SECONDS - 10, LIFETIME_SECONDS - 10);
        assert_eq!(chosen(PhoneChannel::Sms, &[nearly]), ["VEa"]);
    }

    fn item(list: &[(&str, Value)]) -> Item {
        list.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn s(text: &str) -> Value {
        json!({ "S": text })
    }

    fn n(number: i64) -> Value {
        json!({ "N": number.to_string() })
    }

    #[test]
    fn a_malformed_item_is_skipped() {
        let good = [
            ("user_id", s("00u1")),
            ("verification_sid", s("VEa")),
            ("delivery", s("sms")),
            ("first_sent_at", n(NOW_MS - 2)),
            ("sent_at", n(NOW_MS - 1)),
            ("expires_at", n(NOW_MS / 1_000 + 900)),
        ];
        let read = |name: &str, value: Option<Value>| {
            let mut item = item(&good);
            match value {
                Some(value) => item.insert(name.to_owned(), value),
                None => item.remove(name),
            };
            StoredVerification::read(&item)
        };
        assert_eq!(read("none", None).unwrap().verification_sid.as_str(), "VEa");
        for name in ["verification_sid", "delivery", "first_sent_at", "expires_at"] {
            for value in [None, Some(s("")), Some(s("+12025550123")), Some(json!({"NULL": true})), Some(n(i64::MAX))] {
                let odd_time = name == "first_sent_at" && value == Some(n(i64::MAX));
                assert!(read(name, value.clone()).is_none() || odd_time, "{name} {value:?}");
            }
        }
        // This field is not needed to choose.
        assert_eq!(read("sent_at", None).unwrap().sent_at, Timestamp::from_millis(NOW_MS - 2));
        assert!(read("request_type", Some(n(7))).is_some());
    }

    fn mac(number: &str, key: u8) -> ToMac {
        let Ok((DialableNumber::International(number), _)) = crate::phone::parse(number) else { panic!("a number") };
        ToMac::of(&number, &[key; 32])
    }

    #[test]
    fn a_mark_distinguishes_numbers_and_depends_on_the_key() {
        let one = mac("+12025550123", 1);
        assert!(one == mac("+1 202 555 0123", 1));
        assert!(one != mac("+12025550124", 1) && one != mac("+12025550123", 2));
        assert_eq!(format!("{one:?}"), "ToMac(private)");
    }

    #[test]
    fn the_table_has_a_name_or_an_arn() {
        let read = |value| table_name(&Variables::new(&lookup(&[("SENDS_TABLE", value)])));
        for name in ["okta-twilio-sends", "arn:aws:dynamodb:eu-west-1:123456789012:table/okta-twilio_Sends.2"] {
            assert_eq!(read(name), Ok(Some(name.to_owned())));
        }
        assert_eq!(read(""), Ok(None));
        for name in ["x", "a table", "https://dynamodb.eu-west-1.amazonaws.com", "arn:aws:sqs:eu-west-1:1:q"] {
            assert!(read(name).unwrap_err().to_string().starts_with("SENDS_TABLE: must be "), "{name}");
        }
    }
}
