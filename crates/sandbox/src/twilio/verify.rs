//! Verify v2: sends codes, counts attempts, expires verifications, and refuses what Twilio refuses.

use super::error::TwilioError;
use super::exchange::{Form, Transport, value};
use super::magic_numbers::{self, Effect, Refusal, VerifyEffect, When};
use super::records::{Attempt, Channel, Message, Status, Verification};
use super::{locales, phone_number};
use crate::clock::Moment;
use crate::options::{Options, SecondCode};
use crate::random;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// The maximum number of attempts per verification.
const MAX_SENDS: usize = 5;
/// The maximum number of verifications and of messages. The oldest is dropped first.
const MEMORY: usize = 10_000;
/// The parameters in the API reference of Verify v2.
pub(crate) const CREATE_PARAMETERS: &[&str] = &[
    "To",
    "Channel",
    "CustomCode",
    "Locale",
    "SendDigits",
    "CustomFriendlyName",
    "CustomMessage",
    "Amount",
    "Payee",
    "RateLimits",
    "ChannelConfiguration",
    "AppHash",
    "TemplateSid",
    "TemplateCustomSubstitutions",
    "Templates",
    "DeviceIp",
    "EnableSnaClientToken",
    "RiskCheck",
    "Tags",
];
pub(crate) const UPDATE_PARAMETERS: &[&str] = &["Status"];

/// The state of the Verify service.
#[derive(Debug, Default)]
pub(crate) struct Verify {
    /// The verifications by sid. Expiry is checked on access.
    verifications: HashMap<String, Verification>,
    /// The sid of the pending verification of each number, which another create joins.
    pending: HashMap<String, String>,
    messages: Vec<Message>,
    /// Programmable rate limits: (unique name, value) to the interval's start and count.
    counted: HashMap<(String, String), (Moment, u32)>,
}

impl Verify {
    /// Starts a verification, or sends another message for the pending one.
    pub(crate) fn create(
        &mut self,
        options: &Options,
        form: &Form,
        now: Moment,
    ) -> (Result<Value, TwilioError>, Transport) {
        match self.try_create(options, form, now) {
            Ok((body, transport)) => (Ok(body), transport),
            Err(Refused::Answer(error)) => (Err(error), Transport::Prompt),
            Err(Refused::HangUp) => (Ok(Value::Null), Transport::HangUp),
        }
    }

    fn try_create(&mut self, options: &Options, form: &Form, now: Moment) -> Result<(Value, Transport), Refused> {
        let create = Create::parse(options, form)?;
        let magic = magic_numbers::find(&create.to).map(|magic| magic.effect);
        let mut transport = Transport::Prompt;
        match magic {
            Some(Effect::Verify(VerifyEffect::Refuse(refusal))) if create.meets(refusal.when) => {
                return Err(create.refused(&refusal).into());
            }
            Some(Effect::Verify(VerifyEffect::ReachedRateLimit)) => {
                return Err(TwilioError::too_many_requests(Some("sandbox".to_owned()), Some(60)).into());
            }
            Some(Effect::Verify(VerifyEffect::HangUp)) => return Err(Refused::HangUp),
            Some(Effect::Verify(VerifyEffect::SendAndHangUp)) => transport = Transport::HangUp,
            Some(Effect::Verify(VerifyEffect::RespondLate(delay))) => transport = Transport::Late(delay),
            _ => {}
        }
        if options.skip_sms_to_landlines && create.channel == Channel::Sms && phone_number::is_landline(&create.to) {
            return Err(TwilioError::new(403, 60205, "SMS is not supported by landline phone number").into());
        }
        let route = create.route(options)?;
        self.check_sends(&create.to, now, options.verification_lifetime)?;
        self.count(options, &create.rate_limits, now)?;
        Ok((self.send(options, create, &route, now), transport))
    }

    /// Sets the status of a pending verification.
    pub(crate) fn update(
        &mut self,
        options: &Options,
        key: &str,
        form: &Form,
        now: Moment,
        path: &str,
    ) -> Result<Value, TwilioError> {
        let status = match value(form, "Status") {
            Some("approved") => Status::Approved,
            Some("canceled") => Status::Canceled,
            _ => return Err(TwilioError::invalid_parameter("Status")),
        };
        let sid = self.pending.get(key).map_or(key, String::as_str).to_owned();
        let verification = self
            .verifications
            .get_mut(&sid)
            .filter(|verification| status_at(verification, now, options.verification_lifetime) == Status::Pending)
            .ok_or_else(|| TwilioError::not_found(path))?;
        verification.status = status;
        verification.updated = now;
        let body = to_json(options, verification, status);
        let to = verification.to.clone();
        self.pending.remove(&to);
        Ok(body)
    }

    /// A verification that still exists for Twilio: a pending or a canceled one.
    pub(crate) fn fetch(&self, options: &Options, key: &str, now: Moment, path: &str) -> Result<Value, TwilioError> {
        let sid = self.pending.get(key).map_or(key, String::as_str);
        let verification = self.verifications.get(sid).ok_or_else(|| TwilioError::not_found(path))?;
        match status_at(verification, now, options.verification_lifetime) {
            status @ (Status::Pending | Status::Canceled) => Ok(to_json(options, verification, status)),
            Status::Approved | Status::Expired => Err(TwilioError::not_found(path)),
        }
    }

    pub(crate) fn status(&self, sid: &str, now: Moment, lifetime: Duration) -> Option<Status> {
        self.verifications.get(sid).map(|verification| status_at(verification, now, lifetime))
    }

    pub(crate) fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Every verification with its status at this time, oldest first.
    pub(crate) fn verifications(&self, now: Moment, lifetime: Duration) -> Vec<Verification> {
        let mut all: Vec<_> = self.verifications.values().cloned().collect();
        for verification in &mut all {
            verification.status = status_at(verification, now, lifetime);
        }
        all.sort_by_key(|verification| verification.created);
        all
    }

    fn pending(&mut self, to: &str, now: Moment, lifetime: Duration) -> Option<&mut Verification> {
        let verification = self.verifications.get_mut(self.pending.get(to)?)?;
        (status_at(verification, now, lifetime) == Status::Pending).then_some(verification)
    }

    fn check_sends(&mut self, to: &str, now: Moment, lifetime: Duration) -> Result<(), TwilioError> {
        match self.pending(to, now, lifetime) {
            Some(pending) if pending.attempts.len() >= MAX_SENDS => {
                Err(TwilioError::new(429, 60203, "Max send attempts reached"))
            }
            _ => Ok(()),
        }
    }

    /// Counts the request in each of its rate-limit buckets, unless one of them is full.
    fn count(&mut self, options: &Options, values: &BTreeMap<String, String>, now: Moment) -> Result<(), TwilioError> {
        let buckets = || {
            values.iter().filter_map(|(name, value)| {
                let limit = options.rate_limits.iter().find(|limit| limit.unique_name == *name)?;
                Some((limit, (name.clone(), value.clone())))
            })
        };
        for (limit, key) in buckets() {
            if let Some((started, count)) = self.counted.get(&key) {
                let left = limit.interval.saturating_sub(now.since(*started));
                if !left.is_zero() && *count >= limit.max {
                    let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
                    return Err(TwilioError::too_many_requests(Some(key.0), Some(seconds)));
                }
            }
        }
        for (limit, key) in buckets() {
            let (started, count) = self.counted.entry(key).or_insert((now, 0));
            if now.since(*started) >= limit.interval {
                (*started, *count) = (now, 0);
            }
            *count += 1;
        }
        Ok(())
    }

    fn send(&mut self, options: &Options, create: Create, route: &Route, now: Moment) -> Value {
        if self.pending(&create.to, now, options.verification_lifetime).is_none() {
            self.start(&create, route.channel, now);
        }
        let Some(verification) = self.pending(&create.to, now, options.verification_lifetime) else {
            return Value::Null;
        };
        let code = match (create.custom_code, options.second_code) {
            (Some(code), SecondCode::Newest) => code,
            // A code that Twilio generates stays the same while the verification is pending.
            (None, _) | (_, SecondCode::First) => verification.code.clone(),
        };
        verification.code.clone_from(&code);
        verification.channel = route.channel;
        verification.updated = now;
        let attempt = Attempt {
            sid: sid("VL"),
            channel: route.channel,
            at: now,
            error_code: route.error_code,
            tags: create.tags,
        };
        verification.attempts.push(attempt.clone());
        let body = to_json(options, verification, Status::Pending);
        let verification_sid = verification.sid.clone();
        if route.error_code.is_none() {
            let message = Message {
                text: locales::text(route.channel, create.locale.as_deref(), &options.friendly_name, &code),
                to: create.to,
                channel: route.channel,
                fallback_from: (route.channel != create.channel).then_some(create.channel),
                code,
                locale: create.locale,
                template: create.template,
                send_digits: create.send_digits,
                verification_sid,
                attempt_sid: attempt.sid,
                at: now,
            };
            if self.messages.len() >= MEMORY {
                self.messages.drain(..MEMORY / 2);
            }
            self.messages.push(message);
        }
        body
    }

    fn start(&mut self, create: &Create, channel: Channel, now: Moment) {
        if self.verifications.len() >= MEMORY {
            self.forget_older_half();
        }
        let sid = sid("VE");
        let verification = Verification {
            sid: sid.clone(),
            to: create.to.clone(),
            channel,
            status: Status::Pending,
            code: create.custom_code.clone().unwrap_or_else(random_code),
            attempts: Vec::new(),
            created: now,
            updated: now,
        };
        self.pending.insert(create.to.clone(), sid.clone());
        self.verifications.insert(sid, verification);
    }

    fn forget_older_half(&mut self) {
        let mut created: Vec<_> = self.verifications.values().map(|verification| verification.created).collect();
        created.sort_unstable();
        if let Some(middle) = created.get(created.len() / 2).copied() {
            self.verifications.retain(|_, verification| verification.created > middle);
        }
        let known = &self.verifications;
        self.pending.retain(|_, sid| known.contains_key(sid));
    }
}

/// The reason for a refusal.
enum Refused {
    Answer(TwilioError),
    HangUp,
}

impl From<TwilioError> for Refused {
    fn from(error: TwilioError) -> Self {
        Self::Answer(error)
    }
}

/// A create request with valid parameters only.
struct Create {
    to: String,
    channel: Channel,
    custom_code: Option<String>,
    locale: Option<String>,
    template: Option<String>,
    send_digits: Option<String>,
    rate_limits: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
    risk_checked: bool,
}

/// The channel that is really used, and whether the message will arrive.
struct Route {
    channel: Channel,
    error_code: Option<u32>,
}

impl Create {
    fn parse(options: &Options, form: &Form) -> Result<Self, TwilioError> {
        let text = |name: &str| value(form, name).map(str::to_owned);
        let channel = match value(form, "Channel").unwrap_or_default() {
            // Both channels exist, but this service does not support them.
            "email" => return Err(TwilioError::new(400, 60217, "Service has no mailer associated")),
            "sna" => return Err(TwilioError::new(400, 60223, "Delivery channel disabled: sna")),
            name => Channel::parse(name).ok_or_else(|| TwilioError::invalid_parameter("Channel"))?,
        };
        let to = text("To").ok_or_else(|| TwilioError::invalid_parameter("To"))?;
        if !phone_number::is_e164(&to) {
            return Err(TwilioError::new(400, 60200, format!("Invalid parameter `To`: {to}")));
        }
        let custom_code = text("CustomCode");
        if let Some(code) = &custom_code {
            if !options.custom_code_enabled {
                return Err(TwilioError::new(403, 60204, "Custom code not allowed"));
            }
            require("CustomCode", (4..=10).contains(&code.chars().count()))?;
        }
        if value(form, "CustomFriendlyName").is_some() {
            return Err(TwilioError::new(403, 60204, "Custom friendly name not allowed"));
        }
        if value(form, "CustomMessage").is_some() {
            return Err(TwilioError::new(400, 60243, "CustomMessage is no longer supported"));
        }
        if value(form, "AppHash").is_some() && channel != Channel::Sms {
            return Err(TwilioError::new(400, 60602, "AppHash is only supported for the SMS channel"));
        }
        let send_digits = text("SendDigits");
        if let Some(digits) = &send_digits {
            let is_key = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'w' | b'#' | b'*');
            let dialable = !digits.is_empty() && digits.bytes().all(is_key);
            require("SendDigits", channel == Channel::Call && dialable)?;
        }
        let risk_check = value(form, "RiskCheck");
        require("RiskCheck", matches!(risk_check, None | Some("enable" | "disable")))?;
        let template = text("TemplateSid");
        check_template(options, channel, template.as_deref())?;
        for name in ["TemplateCustomSubstitutions", "ChannelConfiguration"] {
            if let Some(json) = value(form, name) {
                require(name, serde_json::from_str::<serde_json::Map<String, Value>>(json).is_ok())?;
            }
        }
        let templates = value(form, "Templates");
        if let Some(json) = templates {
            let templates = serde_json::from_str::<Vec<serde_json::Map<String, Value>>>(json).unwrap_or_default();
            require("Templates", (1..=10).contains(&templates.len()))?;
        }
        let locale = text("Locale");
        if let Some(locale) = &locale {
            check_locale(channel, locale, template.is_some() || templates.is_some())?;
        }
        let tags = string_map(form, "Tags")?;
        let short = |text: &String| text.chars().count() <= 128;
        require("Tags", tags.len() <= 10 && tags.iter().all(|(key, value)| short(key) && short(value)))?;
        Ok(Self {
            to,
            channel,
            custom_code,
            locale,
            template,
            send_digits,
            rate_limits: string_map(form, "RateLimits")?,
            tags,
            risk_checked: risk_check != Some("disable") || channel != Channel::Sms,
        })
    }

    fn meets(&self, when: When) -> bool {
        match when {
            When::Always => true,
            When::Sms => self.channel == Channel::Sms,
            When::Whatsapp => self.channel == Channel::Whatsapp,
            When::RiskChecked => self.risk_checked,
            When::WithLocale => self.locale.is_some(),
        }
    }

    fn refused(&self, refusal: &Refusal) -> TwilioError {
        let message = refusal.message.replace("{to}", &self.to).replace("{channel}", self.channel.name());
        TwilioError::new(refusal.status, refusal.code, message)
    }

    fn route(&self, options: &Options) -> Result<Route, TwilioError> {
        let as_asked = Route { channel: self.channel, error_code: None };
        if self.channel != Channel::Whatsapp {
            return Ok(as_asked);
        }
        if !options.whatsapp_configured {
            return Err(TwilioError::new(400, 68008, "Verify WhatsApp channel is not configured"));
        }
        let by_sms = Route { channel: Channel::Sms, error_code: None };
        if self.to.starts_with("+91") {
            // India does not allow codes by WhatsApp from abroad. Verify falls back to SMS by itself.
            return Ok(by_sms);
        }
        if options.whatsapp_users.contains(&self.to) {
            return Ok(as_asked);
        }
        if options.whatsapp_falls_back_for_non_users {
            return Ok(by_sms);
        }
        Ok(Route { channel: Channel::Whatsapp, error_code: Some(63024) })
    }
}

fn check_template(options: &Options, channel: Channel, template: Option<&str>) -> Result<(), TwilioError> {
    let Some(sid) = template else { return Ok(()) };
    require("TemplateSid", is_sid(sid, "HJ"))?;
    if channel == Channel::Whatsapp {
        return Err(TwilioError::new(400, 60227, "Channel is not supported by the template"));
    }
    if options.templates.as_ref().is_some_and(|known| !known.contains(sid)) {
        return Err(TwilioError::new(400, 60228, "Template was not found"));
    }
    Ok(())
}

fn check_locale(channel: Channel, locale: &str, own_template: bool) -> Result<(), TwilioError> {
    if locales::supports(channel, locale) || (own_template && locales::is_well_formed(locale)) {
        return Ok(());
    }
    if channel == Channel::Call && locales::is_known(locale) {
        return Err(TwilioError::new(400, 60331, "Locale is not supported by text-to-speech"));
    }
    Err(TwilioError::invalid_parameter("Locale"))
}

fn require(parameter: &str, holds: bool) -> Result<(), TwilioError> {
    if holds { Ok(()) } else { Err(TwilioError::invalid_parameter(parameter)) }
}

/// A parameter that is a JSON object of strings. A missing parameter is an empty object.
fn string_map(form: &Form, name: &str) -> Result<BTreeMap<String, String>, TwilioError> {
    let json = value(form, name).unwrap_or("{}");
    serde_json::from_str(json).map_err(|_not_such_an_object| TwilioError::invalid_parameter(name))
}

fn status_at(verification: &Verification, now: Moment, lifetime: Duration) -> Status {
    match verification.status {
        Status::Pending if now.since(verification.created) >= lifetime => Status::Expired,
        status => status,
    }
}

fn is_sid(text: &str, prefix: &str) -> bool {
    let digits = text.strip_prefix(prefix).unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A new sid, e.g. `VE` and 32 hexadecimal digits.
pub(crate) fn sid(prefix: &str) -> String {
    format!("{prefix}{}", random::hex())
}

fn random_code() -> String {
    format!("{:06}", random::number() % 1_000_000)
}

fn to_json(options: &Options, verification: &Verification, status: Status) -> Value {
    let attempts: Vec<Value> = verification
        .attempts
        .iter()
        .map(|attempt| {
            json!({
                "time": attempt.at.to_iso_8601(),
                "channel": attempt.channel.attempt_name(),
                "attempt_sid": attempt.sid,
            })
        })
        .collect();
    json!({
        "sid": verification.sid,
        "service_sid": options.service_sid,
        "account_sid": options.account_sid,
        "to": verification.to,
        "channel": verification.channel.name(),
        "status": status.name(),
        "valid": status == Status::Approved,
        "date_created": verification.created.to_iso_8601(),
        "date_updated": verification.updated.to_iso_8601(),
        "lookup": {},
        "amount": null,
        "payee": null,
        "send_code_attempts": attempts,
        "sna": null,
        "url": format!("https://verify.twilio.com/v2/Services/{}/Verifications/{}", options.service_sid, verification.sid),
    })
}

/// The service's settings.
pub(crate) fn service(options: &Options, started: Moment) -> Value {
    let url = format!("https://verify.twilio.com/v2/Services/{}", options.service_sid);
    let started = started.to_iso_8601();
    json!({
        "sid": options.service_sid,
        "account_sid": options.account_sid,
        "friendly_name": options.friendly_name,
        "code_length": 6,
        "lookup_enabled": options.skip_sms_to_landlines,
        "psd2_enabled": false,
        "skip_sms_to_landlines": options.skip_sms_to_landlines,
        "dtmf_input_required": true,
        "tts_name": null,
        "do_not_share_warning_enabled": false,
        "custom_code_enabled": options.custom_code_enabled,
        "push": { "include_date": false, "apn_credential_sid": null, "fcm_credential_sid": null },
        "totp": { "issuer": null, "time_step": null, "code_length": null, "skew": null },
        "whatsapp": { "msg_service_sid": options.whatsapp_configured.then(|| format!("MG{}", "5a".repeat(16))), "from": null },
        "default_template_sid": null,
        "verify_event_subscription_enabled": false,
        "date_created": started,
        "date_updated": started,
        "url": url,
        "links": {
            "verifications": format!("{url}/Verifications"),
            "verification_checks": format!("{url}/VerificationCheck"),
            "rate_limits": format!("{url}/RateLimits"),
        },
    })
}
