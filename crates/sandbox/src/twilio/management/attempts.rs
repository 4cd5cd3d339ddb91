//! Verification attempts: the last 30 days of what was sent, and what became of it.

use serde_json::{Value, json};

use super::{Account, Answer, TwilioError, call::Call};

const CHANNELS: [&str; 5] = ["sms", "call", "email", "whatsapp", "rbm"];

/// An attempt to deliver a code.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// `VL…`
    pub sid: String,
    /// `VA…`
    pub service_sid: String,
    /// `VE…`
    pub verification_sid: String,
    /// `2026-11-25T14:02:11Z`
    pub created: String,
    /// `sms`, `call` or `whatsapp`.
    pub channel: &'static str,
    /// Whether the user's code was reported as right.
    pub is_converted: bool,
    /// The number.
    pub to: String,
    /// Two letters.
    pub country: &'static str,
    /// `delivered`, `undelivered`, … or, of a call, `completed`, `busy`, …
    pub delivery: Option<&'static str>,
    /// Why it was not delivered, such as 30008.
    pub error_code: Option<u32>,
    /// In US dollars.
    pub price: Option<&'static str>,
}

impl Attempt {
    /// A delivered SMS that was not confirmed yet.
    pub fn sms(sid: &str, service_sid: &str, verification_sid: &str, created: &str, to: &str) -> Self {
        Self {
            sid: sid.to_owned(),
            service_sid: service_sid.to_owned(),
            verification_sid: verification_sid.to_owned(),
            created: created.to_owned(),
            channel: "sms",
            is_converted: false,
            to: to.to_owned(),
            country: "US",
            delivery: Some("delivered"),
            error_code: None,
            price: None,
        }
    }

    fn conversion(&self) -> &'static str {
        if self.is_converted { "converted" } else { "unconverted" }
    }

    fn describe(&self, account: &str) -> Value {
        let status = if self.is_converted { "confirmed" } else { "unconfirmed" };
        let delivery = if self.channel == "call" { "call_status" } else { "message_status" };
        json!({
            "sid": self.sid, "account_sid": account, "service_sid": self.service_sid,
            "verification_sid": self.verification_sid, "date_created": self.created, "date_updated": self.created,
            "conversion_status": self.conversion(), "channel": self.channel,
            "price": self.price.map(|price| json!({ "value": price, "currency": "usd" })),
            "channel_data": {
                "to": self.to, "status": status, delivery: self.delivery,
                "error_code": self.error_code.map(|code| code.to_string()), "country": self.country,
                "code_length": 6, "locale": "en", "mcc": "310", "mnc": "998", "carrier": "Example Wireless",
            },
            "url": format!("https://verify.twilio.com/v2/Attempts/{}", self.sid),
        })
    }
}

impl Account {
    pub(super) fn attempts(&self, call: &Call, rest: &[&str]) -> Answer {
        match rest {
            [] => {
                let found = self.matching(call, &["Status"])?;
                let rows: Vec<_> = found.into_iter().map(|attempt| attempt.describe(&self.sid)).collect();
                self.page(call, "attempts", "v2/Attempts", &rows)
            }
            ["Summary"] => {
                let found = self.matching(call, &["DestinationPrefix"])?;
                let converted = found.iter().filter(|attempt| attempt.is_converted).count();
                let total = found.len();
                #[expect(clippy::cast_precision_loss, reason = "a few attempts of a test")]
                let rate = if total == 0 { 0.0 } else { converted as f64 * 100.0 / total as f64 };
                Ok((
                    200,
                    json!({
                        "total_attempts": total, "total_converted": converted, "total_unconverted": total - converted,
                        "conversion_rate_percentage": rate.to_string(),
                        "url": "https://verify.twilio.com/v2/Attempts/Summary",
                    }),
                ))
            }
            [sid] => {
                call.allow(&[])?;
                let found = self.attempts.iter().find(|attempt| attempt.sid == *sid);
                let found = found.ok_or_else(|| TwilioError::not_found(&format!("/Attempts/{sid}")))?;
                Ok((200, found.describe(&self.sid)))
            }
            _ => Err(TwilioError::not_found(&call.path.join("/"))),
        }
    }

    /// The attempts that every filter lets through.
    fn matching(&self, call: &Call, more: &[&str]) -> Result<Vec<&Attempt>, TwilioError> {
        let filters = [
            "DateCreatedAfter",
            "DateCreatedBefore",
            "ChannelData.To",
            "Country",
            "Channel",
            "VerifyServiceSid",
            "VerificationSid",
        ];
        call.allow(&[&filters, more].concat())?;
        for name in ["DateCreatedAfter", "DateCreatedBefore"] {
            if call.value(name).is_some_and(|time| !is_time(time)) {
                return Err(TwilioError::invalid_parameter(name));
            }
        }
        let one_of = |name: &str, values: &[&str]| match call.value(name) {
            Some(value) if !values.contains(&value) => Err(TwilioError::invalid_parameter(name)),
            _ => Ok(()),
        };
        one_of("Channel", &CHANNELS)?;
        one_of("Status", &["converted", "unconverted"])?;
        let is = |name: &str, value: &str| call.value(name).is_none_or(|wanted| wanted == value);
        let attempts = self.attempts.iter().filter(|attempt| {
            call.value("DateCreatedAfter").is_none_or(|after| attempt.created.as_str() > after)
                && call.value("DateCreatedBefore").is_none_or(|before| attempt.created.as_str() < before)
                && call.value("DestinationPrefix").is_none_or(|prefix| attempt.to.starts_with(prefix))
                && is("ChannelData.To", &attempt.to)
                && is("Country", attempt.country)
                && is("Channel", attempt.channel)
                && is("VerifyServiceSid", &attempt.service_sid)
                && is("VerificationSid", &attempt.verification_sid)
                && is("Status", attempt.conversion())
        });
        Ok(attempts.collect())
    }
}

/// Whether a text is `2026-11-25T14:02:11Z`, the only form that Twilio takes here.
fn is_time(text: &str) -> bool {
    const FORM: &[u8] = b"0000-00-00T00:00:00Z";
    text.len() == FORM.len()
        && text.bytes().zip(FORM).all(|(byte, &form)| if form == b'0' { byte.is_ascii_digit() } else { byte == form })
}
