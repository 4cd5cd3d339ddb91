//! What telephony-hook writes to the sends table and reads from it, with a table that works.

#![expect(clippy::expect_used, clippy::panic, reason = "clippy knows tests, but not the functions that they share")]

use std::{future::Future, time::Duration};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use okta_twilio::{
    aws,
    aws::error::AwsFailure,
    http_client,
    id::SafeId,
    okta::telephony::{DeliveryChannel, RequestType},
    otp::sends::{AcceptedMessage, SendsTable, TableError, ToMac},
    phone::{self, Channel, DialableNumber},
    time::clock::Timestamp,
};
use sandbox::dynamodb::{DynamoDb, Item, TABLE};
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000_123;
const LIMIT: Duration = Duration::from_secs(10);

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test)
}

async fn table(url: &str, name: &str) -> SendsTable {
    let client = http_client::build(None).expect("a client");
    let sdk = aws::sdk_config(Some("us-east-1".to_owned()), &client).await.into_builder();
    let credentials = Credentials::new("ASIAEXAMPLE", "example", None, None, "test");
    let sdk = sdk.endpoint_url(url).credentials_provider(SharedCredentialsProvider::new(credentials)).build();
    SendsTable::new(&sdk, &client, name.to_owned())
}

fn id(text: &str) -> SafeId {
    SafeId::parse(text).expect("an id")
}

fn mac(number: &str) -> ToMac {
    let Ok((DialableNumber::International(number), _)) = phone::parse(number) else { panic!("a number") };
    ToMac::of(&number, &[7; 32])
}

/// Stores a message to `00u1` for this verification.
async fn remember(table: &SendsTable, sid: &str, sent_at: i64, to_mac: Option<&ToMac>) {
    let (user_id, sid) = (id("00u1"), id(sid));
    let send = AcceptedMessage {
        user_id: &user_id,
        verification_sid: &sid,
        delivery: DeliveryChannel::Sms,
        channel: Channel::WhatsApp,
        request_type: RequestType::MfaVerification,
        sent_at: Timestamp::from_millis(sent_at),
        to_mac,
    };
    table.remember(&send, LIMIT).await.expect("it is remembered");
}

fn only(items: &[Item]) -> Value {
    let [item] = items else { panic!("one item") };
    json!(item)
}

#[test]
fn an_item_has_ids_and_times_and_nothing_else() {
    run(async {
        let dynamodb = DynamoDb::start();
        let table = table(&dynamodb.url(), TABLE).await;
        remember(&table, "VEa", NOW, None).await;
        let expected = json!({
            "user_id": {"S": "00u1"}, "verification_sid": {"S": "VEa"}, "delivery": {"S": "sms"},
            "channel": {"S": "whatsapp"}, "request_type": {"S": "mfa-verification"},
            "first_sent_at": {"N": "1800000000123"}, "sent_at": {"N": "1800000000123"},
            "sends": {"N": "1"}, "expires_at": {"N": "1800000900"},
        });
        assert_eq!(only(&dynamodb.items()), expected);
        assert_eq!(dynamodb.requests(), ["UpdateItem"]);
    });
}

#[test]
fn a_resend_keeps_the_time_of_the_first_message() {
    run(async {
        let dynamodb = DynamoDb::start();
        let table = table(&dynamodb.url(), TABLE).await;
        remember(&table, "VEa", NOW, None).await;
        remember(&table, "VEa", NOW + 60_000, None).await;
        let item = only(&dynamodb.items());
        let number = |name: &str| item.pointer(&format!("/{name}/N")).and_then(Value::as_str).map(str::to_owned);
        assert_eq!(number("first_sent_at").as_deref(), Some("1800000000123"));
        assert_eq!(number("sent_at").as_deref(), Some("1800000060123"));
        assert_eq!(number("sends").as_deref(), Some("2"));
        assert_eq!(number("expires_at").as_deref(), Some("1800000960"));
    });
}

#[test]
fn an_item_is_readable_at_once_and_deleted_by_its_sid() {
    run(async {
        let dynamodb = DynamoDb::start();
        let table = table(&dynamodb.url(), TABLE).await;
        for sid in ["VEa", "VEb", "VEc"] {
            remember(&table, sid, NOW, None).await;
        }
        let user = id("00u1");
        let sids = |remembered: Vec<okta_twilio::otp::sends::StoredVerification>| -> Vec<String> {
            remembered.into_iter().map(|send| send.verification_sid.to_string()).collect()
        };
        assert_eq!(sids(table.verifications_of(&user, LIMIT).await.expect("a response")), ["VEa", "VEb", "VEc"]);
        assert_eq!(sids(table.verifications_of(&id("00u2"), LIMIT).await.expect("a response")), [""; 0]);
        table.forget(&user, &[id("VEa"), id("VEc"), id("VEgone")], LIMIT).await.expect("they are forgotten");
        assert_eq!(sids(table.verifications_of(&user, LIMIT).await.expect("a response")), ["VEb"]);
    });
}

#[test]
fn the_ladder_counts_the_messages_to_the_same_number_within_ten_minutes() {
    run(async {
        let dynamodb = DynamoDb::start();
        let table = table(&dynamodb.url(), TABLE).await;
        let (here, there) = (mac("+12025550123"), mac("+12025550124"));
        let (user, minute) = (id("00u1"), 60_000);
        let step = |mac: ToMac, minutes: i64| {
            let (table, user) = (&table, &user);
            async move {
                let now = Timestamp::from_millis(NOW + minutes * minute);
                table.ladder_step(user, &mac, now, LIMIT).await.expect("a response")
            }
        };
        assert_eq!(step(here.clone(), 0).await, 0);
        remember(&table, "VEa", NOW, Some(&here)).await;
        remember(&table, "VEa", NOW + minute, Some(&here)).await;
        // Canceled and started again: another sid for the same number.
        remember(&table, "VEb", NOW + 2 * minute, Some(&here)).await;
        remember(&table, "VEc", NOW + 2 * minute, Some(&there)).await;
        remember(&table, "VEd", NOW + 2 * minute, None).await;
        assert_eq!((step(here.clone(), 3).await, step(there, 3).await), (3, 1));
        assert_eq!(step(here.clone(), 11).await, 1, "the first verification's last message is ten minutes old");
        assert_eq!(step(here, 12).await, 0);
        let item = dynamodb.items().swap_remove(0);
        let mark = item.get("to_mac").and_then(|mac| mac.get("B")).and_then(Value::as_str).expect("a mark");
        assert_eq!(mark.len(), 24, "16 bytes in base64");
    });
}

#[test]
fn a_failing_table_returns_within_the_limit() {
    run(async {
        let dynamodb = DynamoDb::start();
        let user = id("00u1");
        let missing = table(&dynamodb.url(), "another").await;
        assert_eq!(missing.verifications_of(&user, LIMIT).await, Err(TableError(AwsFailure::NotFound)));
        let table = table(&dynamodb.url(), TABLE).await;
        for (code, failure) in [
            ("InternalServerError", AwsFailure::Unavailable),
            ("ThrottlingException", AwsFailure::Throttled),
            ("AccessDeniedException", AwsFailure::AccessDenied),
            ("KMSAccessDeniedException", AwsFailure::KeyDenied),
            ("ValidationException", AwsFailure::Refused),
        ] {
            dynamodb.set_fault(Some(code));
            assert_eq!(table.verifications_of(&user, LIMIT).await, Err(TableError(failure)), "{code}");
        }
        dynamodb.set_fault(None);
        dynamodb.delay(Duration::from_secs(60));
        let limit = Duration::from_millis(50);
        assert_eq!(table.verifications_of(&user, limit).await, Err(TableError(AwsFailure::Unavailable)));
    });
}
