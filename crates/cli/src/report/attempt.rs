//! One verification attempt, as far as a report needs it. The number is reduced while it is read.

use std::hash::{BuildHasher as _, RandomState};

use okta_twilio::{phone::CountryCode, time::clock::Timestamp};
use serde::Deserialize;

/// Digits at the end of a number that tell its lines apart: numbers that share all others are probably of one range.
const LINE_DIGITS: usize = 4;

/// Longest name of a carrier that is shown.
const MAX_CARRIER_LENGTH: usize = 40;

/// What Twilio sends of an attempt.
#[derive(Deserialize)]
pub(super) struct Row {
    date_created: Timestamp,
    channel: Option<String>,
    conversion_status: Option<String>,
    channel_data: Option<Data>,
    price: Option<Price>,
}

#[derive(Default, Deserialize)]
struct Data {
    to: Option<String>,
    country: Option<String>,
    carrier: Option<String>,
    message_status: Option<String>,
    call_status: Option<String>,
}

#[derive(Deserialize)]
struct Price {
    value: Option<serde_json::Value>,
}

/// An attempt without its number. It has no `Debug`, because the range could be printed.
pub(super) struct Attempt {
    pub(super) at: Timestamp,
    pub(super) country: String,
    pub(super) channel: &'static str,
    pub(super) carrier: String,
    pub(super) is_converted: bool,
    /// `None` if the carrier has not reported yet.
    pub(super) is_delivered: Option<bool>,
    pub(super) price: f64,
    pub(super) range: Option<Range>,
}

/// The range that a number is in, and which of its numbers it is.
pub(super) struct Range {
    /// All digits but the last four.
    pub(super) prefix: String,
    /// A keyed hash, which differs in each run.
    pub(super) number: u64,
}

impl Attempt {
    /// Drops what a report must not know.
    pub(super) fn of(row: Row, key: &RandomState) -> Self {
        let data = row.channel_data.unwrap_or_default();
        let status = data.message_status.or(data.call_status);
        Self {
            at: row.date_created,
            country: data
                .country
                .and_then(|text| text.parse::<CountryCode>().ok())
                .map_or_else(unknown, |it| it.to_string()),
            channel: match row.channel.as_deref() {
                Some("sms") => "sms",
                Some("call") => "call",
                Some("whatsapp") => "whatsapp",
                _ => "other",
            },
            carrier: data.carrier.as_deref().and_then(carrier).unwrap_or_else(unknown),
            is_converted: row.conversion_status.as_deref() == Some("converted"),
            is_delivered: status.as_deref().and_then(|status| match status {
                "delivered" | "read" | "completed" => Some(true),
                "undelivered" | "failed" | "canceled" | "busy" | "no-answer" => Some(false),
                _ => None,
            }),
            price: row.price.and_then(|price| amount(&price.value?)).unwrap_or_default(),
            range: data.to.and_then(|to| range(&to, key)),
        }
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// The carrier's name, if it looks like a name: a free text from outside must not reach a terminal as it is.
fn carrier(text: &str) -> Option<String> {
    let is_plain = |character: char| character.is_ascii_alphabetic() || " &.,-'()/+".contains(character);
    // Digits are allowed, but not as many as a number has.
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let is_name = text.chars().all(|character| is_plain(character) || character.is_ascii_digit()) && digits <= 3;
    (is_name && (1..=MAX_CARRIER_LENGTH).contains(&text.len())).then(|| text.to_owned())
}

fn amount(value: &serde_json::Value) -> Option<f64> {
    let amount = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    // Twilio writes some prices as negative amounts: money that leaves the account.
    amount.is_finite().then_some(amount.abs())
}

fn range(number: &str, key: &RandomState) -> Option<Range> {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let length = digits.len().checked_sub(LINE_DIGITS).filter(|length| *length > 0)?;
    let prefix = digits.get(..length)?.to_owned();
    Some(Range { prefix, number: key.hash_one(&digits) })
}
