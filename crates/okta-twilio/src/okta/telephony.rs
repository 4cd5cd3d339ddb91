//! Okta's telephony inline hook: the request to send a code, and the responses that Okta understands.
//!
//! Sources: Okta, "Telephony inline hook" (API reference and guide) and the retired reference page with the table of
//! `requestType`. The documented examples differ from recorded requests in types and wording. So the parser is lenient
//! if that is safe, and strict if a wrong guess would send a message.

use serde::Serialize;
use serde_json::Value;
use strum::{IntoStaticStr, VariantArray};

use super::field::{text, untrimmed_text};
use crate::{
    id::SafeId,
    json,
    phone::{self, DialableNumber, ParsedExtension},
    private::OneTimeCode,
    reason::Reason,
    time::clock::Timestamp,
};

/// The only `eventType` of this hook.
const EVENT_TYPE: &str = "com.okta.telephony.provider";

/// Maximum size of a body in bytes. Okta's requests have about one thousand.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// A request to send a code. All fields are validated.
#[derive(Debug)]
pub struct OtpRequest {
    /// Okta's code.
    pub code: OneTimeCode,
    /// The recipient. An error if the text is not a phone number.
    pub number: Result<DialableNumber, phone::PhoneError>,
    /// The digits to dial after a call is answered. An invalid value is an error only for a call.
    pub extension: ParsedExtension,
    /// The requested channel.
    pub delivery: DeliveryChannel,
    /// The flow that needs the code.
    pub request_type: RequestType,
    /// The user's language in Okta's form.
    pub locale: Option<String>,
    /// When the code expires.
    pub expires: Option<Timestamp>,
    /// Okta's user id.
    pub user_id: Option<SafeId>,
    /// Okta's id of the hook request.
    pub event_id: Option<SafeId>,
    /// Okta's id of the user's request.
    pub request_id: Option<SafeId>,
    /// The IP address of the user's request.
    pub ip_address: Option<std::net::IpAddr>,
    /// Whether this is a preview from the Admin Console. Its data is sample data, but the message is really sent.
    pub preview: bool,
}

/// The channel that Okta requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryChannel {
    /// A text message.
    Sms,
    /// A voice call.
    Call,
}

impl DeliveryChannel {
    /// Okta's documents have `SMS`, `CALL`, `voice` and `voice call`, and recordings have more. An unclear wording, such
    /// as `SMS or voice`, is rejected, because a guess could cause a phone call at night.
    fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let has = |words: [&str; 2]| words.iter().any(|word| text.contains(word));
        match (has(["sms", "text"]), has(["voice", "call"])) {
            (true, false) => Some(Self::Sms),
            (false, true) => Some(Self::Call),
            (false, false) if text.contains("phone") => Some(Self::Call),
            _ => None,
        }
    }
}

/// The Okta flow that needs a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum RequestType {
    /// Enrollment.
    PreEnrollment,
    /// Authentication.
    MfaVerification,
    /// Account unlock.
    AccountUnlock,
    /// Password reset.
    PasswordReset,
    /// A missing or undocumented value.
    Other,
}

impl RequestType {
    /// The last part of Okta's name.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Parses Okta's full name, such as `com.okta.user.telephony.mfa-verification`, or its last part.
    pub fn parse(text: &str) -> Self {
        let last = text.trim().rsplit('.').next().unwrap_or_default();
        let known = Self::VARIANTS.iter().find(|known| known.as_str().eq_ignore_ascii_case(last));
        known.copied().unwrap_or(Self::Other)
    }
}

/// Why a body is not a request of this hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The body is not JSON or not an object.
    #[error("the body is not a JSON object")]
    NotJson,
    /// A field is missing or invalid.
    #[error("{0} is missing or cannot be used")]
    Field(&'static str),
}

impl RequestError {
    /// Path of the invalid field.
    pub fn location(self) -> Option<&'static str> {
        match self {
            Self::NotJson => None,
            Self::Field(path) => Some(path),
        }
    }
}

/// Path of the phone number.
pub const PHONE_NUMBER: &str = "data.messageProfile.phoneNumber";
/// Path of the code.
pub const OTP_CODE: &str = "data.messageProfile.otpCode";
/// Path of the channel.
pub const DELIVERY_CHANNEL: &str = "data.messageProfile.deliveryChannel";
/// Path of the code's expiration time.
pub const OTP_EXPIRES: &str = "data.messageProfile.otpExpires";
/// Path of the hook's type.
const EVENT_TYPE_PATH: &str = "eventType";

impl OtpRequest {
    /// Parses a body.
    ///
    /// # Errors
    /// Fails if it is not a JSON object, if it belongs to another hook, or if a required field is missing. An invalid
    /// phone number is not an error here, because Okta gets a specific response about it.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        let body: Value = json::read(body).ok_or(RequestError::NotJson)?;
        if !body.is_object() {
            return Err(RequestError::NotJson);
        }
        let required = |path| text(&body, path).ok_or(RequestError::Field(path));
        let id = |path| text(&body, path).as_deref().and_then(SafeId::parse);
        if required(EVENT_TYPE_PATH)? != EVENT_TYPE {
            return Err(RequestError::Field(EVENT_TYPE_PATH));
        }
        let number = untrimmed_text(&body, PHONE_NUMBER).ok_or(RequestError::Field(PHONE_NUMBER))?;
        let (number, extension) = match phone::parse(&number) {
            Ok((number, extension)) => (Ok(number), extension),
            Err(error) => (Err(error), Ok(None)),
        };
        Ok(Self {
            code: OneTimeCode::parse(&required(OTP_CODE)?).ok_or(RequestError::Field(OTP_CODE))?,
            number,
            extension,
            delivery: DeliveryChannel::parse(&required(DELIVERY_CHANNEL)?)
                .ok_or(RequestError::Field(DELIVERY_CHANNEL))?,
            request_type: RequestType::parse(&text(&body, "requestType").unwrap_or_default()),
            locale: text(&body, "data.messageProfile.locale"),
            expires: text(&body, OTP_EXPIRES).as_deref().and_then(Timestamp::parse),
            user_id: id("data.userProfile.userId"),
            event_id: id("eventId"),
            request_id: id("data.context.request.id"),
            ip_address: text(&body, "data.context.request.ipAddress").and_then(|text| text.parse().ok()),
            // The Admin Console generates previews under this path. Nothing else in the body marks a preview.
            preview: text(&body, "data.context.request.url.value")
                .is_some_and(|path| path.contains("/generatePreview")),
        })
    }
}

/// The result in a response with status 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The code was sent.
    Sent {
        /// `VE…`. Missing if Twilio accepted the request but the response was lost.
        verification_sid: Option<SafeId>,
        /// `VL…` of the last attempt.
        attempt_sid: Option<SafeId>,
    },
    /// The code was not sent, but the response reports success, so that Okta does not send it either
    /// (`DENY_RESPONSE=swallow`).
    Suppressed,
    /// The code was not sent. Okta falls back to its own provider.
    NotSent {
        /// Path of the invalid field, if there is one.
        location: Option<&'static str>,
    },
}

/// The debug data that Okta stores in its System Log with the response. It has no private data.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DebugContext {
    /// Lambda's id of the invocation, which leads to the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<SafeId>,
    /// The reason code.
    pub reason: Reason,
    /// Twilio's id of the request, for Twilio's support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twilio_request_id: Option<SafeId>,
    /// Twilio's error code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twilio_code: Option<u32>,
    /// Time since the request reached the gateway.
    #[serde(rename = "milliseconds")]
    pub duration_ms: u64,
}

/// The body of a response: `commands` or `error`, and `debugContext`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResponseBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    commands: Option<[Command; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    debug_context: Option<DebugContext>,
}

#[derive(Debug, Serialize)]
struct Command {
    r#type: &'static str,
    value: [CommandValue; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CommandValue {
    status: &'static str,
    provider: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_id: Option<SafeId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_metadata: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorObject {
    error_summary: &'static str,
    error_causes: [ErrorCause; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorCause {
    error_summary: &'static str,
    reason: Reason,
    location_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<&'static str>,
    domain: &'static str,
}

/// The `domain` of an error's cause.
const DOMAIN: &str = "okta-twilio";

impl ResponseBody {
    /// The response to a valid request.
    pub fn of_verdict(verdict: &Verdict, debug_context: DebugContext) -> Self {
        let reason = debug_context.reason;
        let successful = |transaction_id, transaction_metadata| {
            let (status, provider) = ("SUCCESSFUL", "Twilio Verify");
            let value = [CommandValue { status, provider, transaction_id, transaction_metadata }];
            Some([Command { r#type: "com.okta.telephony.action", value }])
        };
        let commands = match verdict {
            Verdict::Sent { verification_sid, attempt_sid } => {
                successful(verification_sid.clone(), attempt_sid.as_ref().map(SafeId::to_string))
            }
            Verdict::Suppressed => successful(None, Some(format!("refused:{}", reason.as_str()))),
            Verdict::NotSent { .. } => None,
        };
        let error = match verdict {
            Verdict::NotSent { location } => Some(error_object(reason, "body", *location)),
            Verdict::Sent { .. } | Verdict::Suppressed => None,
        };
        Self { commands, error, debug_context: Some(debug_context) }
    }

    /// The response to an invalid request.
    pub fn of_rejection(reason: Reason, location: Option<&'static str>) -> Self {
        let location_type = match reason {
            Reason::NotAuthenticated | Reason::ChallengeMissing => "header",
            _ => "body",
        };
        Self { commands: None, error: Some(error_object(reason, location_type, location)), debug_context: None }
    }
}

fn error_object(reason: Reason, location_type: &'static str, location: Option<&'static str>) -> ErrorObject {
    let error_summary = reason.user_text();
    let cause = ErrorCause { error_summary, reason, location_type, location, domain: DOMAIN };
    ErrorObject { error_summary, error_causes: [cause] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn body() -> Value {
        json!({
            "eventId": "uS5871kJThSsU8qlA1LTcg",
            "eventTime": "2026-11-23T21:43:40.000Z",
            "eventType": "com.okta.telephony.provider",
            "eventTypeVersion": "1.0",
            "contentType": "application/json",
            "cloudEventVersion": "0.1",
            "source": "https://example.okta.com/api/v1/inlineHooks/calz6lVQA77AwFeEe0g3",
            "requestType": "com.okta.user.telephony.mfa-verification",
            "data": {
                "context": {"request": {
                    "id": "reqRgSk8IBBRhuo0YdlEDTmUw", "method": "POST",
                    "url": {"value": "/idp/idx/challenge"}, "ipAddress": "203.0.113.10"
                }},
                "userProfile": {
                    "firstName": "Test", "lastName": "User", "login": "test.user@example.com",
                    "userId": "00uyxxSknGtK8022w0g3"
                },
                "messageProfile": {
                    "msgTemplate": "Your code is 867530", "phoneNumber": "+12025550123",
                    "otpExpires": "2026-11-23T21:48:34.321Z", "deliveryChannel": "SMS", "otpCode": "867530",
                    "locale": "EN-US"
                }
            }
        })
    }

    fn parse(body: &Value) -> Result<OtpRequest, RequestError> {
        OtpRequest::parse(body.to_string().as_bytes())
    }

    fn with(path: &str, value: Value) -> Value {
        let mut body = body();
        *body.pointer_mut(path).unwrap() = value;
        body
    }

    fn without(parent: &str, field: &str) -> Value {
        let mut body = body();
        body.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field);
        body
    }

    #[test]
    fn reads_a_recorded_request() {
        let request = parse(&body()).unwrap();
        assert_eq!(request.code.expose(), "867530");
        assert!(matches!(request.number, Ok(DialableNumber::International(_))));
        assert_eq!(request.delivery, DeliveryChannel::Sms);
        assert_eq!(request.request_type, RequestType::MfaVerification);
        assert_eq!(request.locale.as_deref(), Some("EN-US"));
        assert_eq!(request.expires, Timestamp::parse("2026-11-23T21:48:34.321Z"));
        assert_eq!(request.user_id, SafeId::parse("00uyxxSknGtK8022w0g3"));
        assert_eq!(request.ip_address, Some([203, 0, 113, 10].into()));
        assert!(!request.preview);
    }

    #[test]
    fn reads_numbers_as_texts() {
        let mut body = with("/data/messageProfile/phoneNumber", json!(9_876_543_210_u64));
        body["data"]["messageProfile"]["otpCode"] = json!(11111);
        let request = parse(&body).unwrap();
        assert!(matches!(request.number, Ok(DialableNumber::National(_))));
        assert_eq!(request.code.expose(), "11111");
    }

    #[test]
    fn reads_every_wording_of_the_channel() {
        for (text, delivery) in [
            ("SMS", DeliveryChannel::Sms),
            ("sms", DeliveryChannel::Sms),
            (" Sms ", DeliveryChannel::Sms),
            ("voice call", DeliveryChannel::Call),
            ("Voice", DeliveryChannel::Call),
            ("VOICE", DeliveryChannel::Call),
            ("CALL", DeliveryChannel::Call),
            ("Text message to the phone", DeliveryChannel::Sms),
            ("PHONE", DeliveryChannel::Call),
        ] {
            let request = parse(&with("/data/messageProfile/deliveryChannel", json!(text))).unwrap();
            assert_eq!(request.delivery, delivery, "{text}");
        }
    }

    #[test]
    fn only_the_fields_of_a_message_are_required() {
        let location = |body: &Value| parse(body).err().and_then(RequestError::location);
        for field in ["phoneNumber", "otpCode", "deliveryChannel"] {
            let path = format!("data.messageProfile.{field}");
            assert_eq!(location(&without("/data/messageProfile", field)), Some(path.as_str()), "{field} missing");
            for value in [json!(null), json!(""), json!(" "), json!([]), json!({}), json!(true), json!(-1), json!(1.5)]
            {
                let body = with(&format!("/data/messageProfile/{field}"), value);
                assert_eq!(location(&body), Some(path.as_str()), "{body}");
            }
        }
        for (parent, field) in [("", "requestType"), ("", "eventId"), ("/data", "userProfile"), ("/data", "context")] {
            assert!(parse(&without(parent, field)).is_ok(), "{field}");
        }
        for path in ["/data/context", "/data/userProfile", "/data/context/request/url", "/requestType", "/eventId"] {
            for value in [json!(null), json!([]), json!(7), json!("x")] {
                assert!(parse(&with(path, value)).is_ok(), "{path}");
            }
        }
        assert_eq!(location(&without("", "data")), Some(PHONE_NUMBER));
        assert_eq!(location(&with("/data", json!(null))), Some(PHONE_NUMBER));
        assert_eq!(location(&with("/data/messageProfile", json!([]))), Some(PHONE_NUMBER));
        assert_eq!(location(&with("/eventType", json!("com.okta.oauth2.tokens.transform"))), Some("eventType"));
        assert_eq!(location(&without("", "eventType")), Some("eventType"));
        assert_eq!(location(&with("/data/messageProfile/otpCode", json!("12"))), Some(OTP_CODE));
        for unclear in ["EMAIL", "SMS or voice", "sms/call", "voice text"] {
            assert_eq!(location(&with("/data/messageProfile/deliveryChannel", json!(unclear))), Some(DELIVERY_CHANNEL));
        }
    }

    #[test]
    fn a_body_that_is_not_an_object_is_rejected() {
        for body in ["", "null", "[]", "7", "\"x\"", "{", "{\"eventType\":"] {
            assert_eq!(OtpRequest::parse(body.as_bytes()).err(), Some(RequestError::NotJson), "{body}");
        }
    }

    #[test]
    fn an_invalid_number_is_reported_in_the_response() {
        let request = parse(&with("/data/messageProfile/phoneNumber", json!("+1 FLOWERS"))).unwrap();
        assert_eq!(request.number, Err(phone::PhoneError::Character));
    }

    #[test]
    fn knows_a_preview() {
        let path = "/api/internal/v1/inlineHooks/com.okta.telephony.provider/generatePreview";
        assert!(parse(&with("/data/context/request/url/value", json!(path))).unwrap().preview);
    }

    #[test]
    fn knows_the_request_types() {
        for (name, known) in [
            ("com.okta.user.telephony.pre-enrollment", RequestType::PreEnrollment),
            ("com.okta.user.telephony.mfa-verification", RequestType::MfaVerification),
            ("com.okta.user.telephony.account-unlock", RequestType::AccountUnlock),
            ("com.okta.user.telephony.password-reset", RequestType::PasswordReset),
            ("password-reset", RequestType::PasswordReset),
            ("com.okta.user.telephony.something-new", RequestType::Other),
            ("", RequestType::Other),
        ] {
            assert_eq!(RequestType::parse(name), known, "{name}");
        }
    }

    fn debug_context(reason: Reason) -> DebugContext {
        let id = SafeId::parse("5d1f3b1e-aaaa-bbbb-cccc-1234567890ab");
        let twilio_request_id = SafeId::parse("RQaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        DebugContext { request_id: id, reason, twilio_request_id, twilio_code: None, duration_ms: 212 }
    }

    #[test]
    fn response_sent() {
        let verdict = Verdict::Sent {
            verification_sid: SafeId::parse("VEaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
            attempt_sid: SafeId::parse("VLaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        };
        insta::assert_json_snapshot!(ResponseBody::of_verdict(&verdict, debug_context(Reason::Accepted)));
    }

    #[test]
    fn response_not_sent() {
        let verdict = Verdict::NotSent { location: Some(PHONE_NUMBER) };
        insta::assert_json_snapshot!(ResponseBody::of_verdict(&verdict, debug_context(Reason::PhoneNumberInvalid)));
    }

    #[test]
    fn response_suppressed() {
        insta::assert_json_snapshot!(ResponseBody::of_verdict(&Verdict::Suppressed, debug_context(Reason::Landline)));
    }

    #[test]
    fn response_rejected() {
        insta::assert_json_snapshot!(ResponseBody::of_rejection(Reason::NotAHookRequest, Some(OTP_CODE)));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = OtpRequest::parse(&bytes);
        }

        #[test]
        fn a_value_of_any_type_affects_only_its_own_field(field in 0_usize..5, value in arbitrary_json()) {
            let name = ["phoneNumber", "otpCode", "deliveryChannel", "locale", "otpExpires"][field];
            match parse(&with(&format!("/data/messageProfile/{name}"), value)) {
                Ok(request) => {
                    prop_assert!(name == "otpCode" || request.code.expose() == "867530");
                    prop_assert!(name == "phoneNumber" || request.number.is_ok());
                    prop_assert!(name == "deliveryChannel" || request.delivery == DeliveryChannel::Sms);
                }
                Err(error) => {
                    prop_assert!(!["locale", "otpExpires"].contains(&name), "an optional field is never an error");
                    let path = format!("data.messageProfile.{name}");
                    prop_assert_eq!(error.location(), Some(path.as_str()));
                }
            }
        }
    }

    fn arbitrary_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[a-zA-Z]{0,8}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }
}
