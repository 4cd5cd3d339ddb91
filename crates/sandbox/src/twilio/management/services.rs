//! Verify services with their rate limits, and message templates.

use serde_json::{Value, json};

use super::{Account, Answer, TwilioError, call::Call};

const CREATED: &str = "2026-01-15T09:30:00Z";

/// A Verify service.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "Twilio's own settings")]
pub struct Service {
    /// The brand in the messages.
    pub friendly_name: String,
    /// Whether codes of the caller are taken.
    pub custom_code_enabled: bool,
    /// Digits of a code that Twilio makes.
    pub code_length: u8,
    /// Whether payments have to be named.
    pub psd2_enabled: bool,
    /// Whether Twilio looks each number up.
    pub lookup_enabled: bool,
    /// Whether landlines get no message.
    pub skip_sms_to_landlines: bool,
    /// Whether the message warns of sharing the code.
    pub do_not_share_warning_enabled: bool,
    /// `MG…`: the sender of WhatsApp messages.
    pub whatsapp_sender: Option<String>,
    /// `HJ…`
    pub default_template_sid: Option<String>,
    /// The programmable rate limits.
    pub rate_limits: Vec<RateLimit>,
}

/// A programmable rate limit.
#[derive(Debug, Clone)]
pub struct RateLimit {
    /// `RK…`
    pub sid: String,
    /// The key that a request fills.
    pub unique_name: String,
    /// The limits.
    pub buckets: Vec<Bucket>,
}

/// So many sends in so many seconds.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// `BL…`
    pub sid: String,
    /// Sends.
    pub max: u32,
    /// Seconds.
    pub interval: u32,
}

/// A template of the messages.
#[derive(Debug, Clone)]
pub struct Template {
    /// `HJ…`
    pub sid: String,
    /// `sms`, `voice`
    pub channels: Vec<&'static str>,
    /// Language and status.
    pub translations: Vec<(&'static str, &'static str)>,
}

impl Default for Service {
    fn default() -> Self {
        Self {
            friendly_name: "Example".to_owned(),
            custom_code_enabled: false,
            code_length: 6,
            psd2_enabled: false,
            lookup_enabled: false,
            skip_sms_to_landlines: false,
            do_not_share_warning_enabled: false,
            whatsapp_sender: None,
            default_template_sid: None,
            rate_limits: Vec::new(),
        }
    }
}

impl Service {
    fn update(&mut self, call: &Call) -> Result<(), TwilioError> {
        call.allow(&[
            "FriendlyName",
            "CodeLength",
            "LookupEnabled",
            "SkipSmsToLandlines",
            "Psd2Enabled",
            "DoNotShareWarningEnabled",
            "CustomCodeEnabled",
            "DefaultTemplateSid",
            "Whatsapp.MsgServiceSid",
        ])?;
        if let Some(name) = call.value("FriendlyName") {
            let digits = name.bytes().filter(u8::is_ascii_digit).count();
            if name.is_empty() || name.chars().count() > 30 || digits > 4 {
                return Err(TwilioError::invalid_parameter("FriendlyName"));
            }
            name.clone_into(&mut self.friendly_name);
        }
        if let Some(length) = call.value("CodeLength") {
            let length = length.parse().ok().filter(|length| (4..=10).contains(length));
            self.code_length = length.ok_or_else(|| TwilioError::invalid_parameter("CodeLength"))?;
        }
        self.lookup_enabled = call.flag("LookupEnabled", self.lookup_enabled)?;
        self.skip_sms_to_landlines = call.flag("SkipSmsToLandlines", self.skip_sms_to_landlines)?;
        self.psd2_enabled = call.flag("Psd2Enabled", self.psd2_enabled)?;
        self.do_not_share_warning_enabled = call.flag("DoNotShareWarningEnabled", self.do_not_share_warning_enabled)?;
        self.custom_code_enabled = call.flag("CustomCodeEnabled", self.custom_code_enabled)?;
        for (name, value) in [
            ("DefaultTemplateSid", &mut self.default_template_sid),
            ("Whatsapp.MsgServiceSid", &mut self.whatsapp_sender),
        ] {
            if let Some(sid) = call.value(name) {
                *value = Some(sid.to_owned());
            }
        }
        Ok(())
    }
}

impl Account {
    pub(super) fn services(&mut self, call: &Call, rest: &[&str]) -> Answer {
        match (call.method.as_str(), rest) {
            ("GET", []) => {
                call.allow(&[])?;
                let services: Vec<_> =
                    self.services.iter().map(|(sid, service)| describe(&self.sid, sid, service)).collect();
                self.page(call, "services", "v2/Services", &services)
            }
            ("POST", []) => {
                if call.value("FriendlyName").is_none() {
                    return Err(TwilioError::invalid_parameter("FriendlyName"));
                }
                let mut service = Service::default();
                service.update(call)?;
                let sid = self.sid("VA");
                let body = describe(&self.sid, &sid, &service);
                self.services.insert(sid, service);
                Ok((201, body))
            }
            ("GET", [sid]) => self.service(sid).map(|service| (200, describe(&self.sid, sid, service))),
            ("POST", [sid]) => {
                let mut service = self.service(sid)?.clone();
                service.update(call)?;
                let body = describe(&self.sid, sid, &service);
                self.services.insert((*sid).to_owned(), service);
                Ok((200, body))
            }
            ("DELETE", [sid]) => {
                self.service(sid)?;
                self.services.remove(*sid);
                Ok((204, Value::Null))
            }
            (_, [sid, "RateLimits", rest @ ..]) => self.rate_limits(call, sid, rest),
            _ => Err(TwilioError::not_found(&call.path.join("/"))),
        }
    }

    fn service(&self, sid: &str) -> Result<&Service, TwilioError> {
        self.services.get(sid).ok_or_else(|| TwilioError::not_found(&format!("/Services/{sid}")))
    }

    fn rate_limits(&mut self, call: &Call, service: &str, rest: &[&str]) -> Answer {
        let limits = self.service(service)?.rate_limits.clone();
        let limit = |sid: &str| {
            limits.iter().find(|limit| limit.sid == sid).ok_or_else(|| TwilioError::not_found("/RateLimits"))
        };
        let path = call.path.join("/");
        match (call.method.as_str(), rest) {
            ("GET", []) => {
                call.allow(&[])?;
                let rows: Vec<_> = limits.iter().map(|limit| describe_limit(&self.sid, service, limit)).collect();
                self.page(call, "rate_limits", &path, &rows)
            }
            ("POST", []) => {
                call.allow(&["UniqueName", "Description"])?;
                let name = call.value("UniqueName").unwrap_or_default();
                if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
                    return Err(TwilioError::new(400, 60209, "Invalid unique name"));
                }
                if limits.iter().any(|limit| limit.unique_name == name) {
                    return Err(TwilioError::new(409, 60208, "Unique name already exists"));
                }
                if limits.len() >= 10 {
                    return Err(TwilioError::new(400, 60207, "Max rate limits reached"));
                }
                let limit = RateLimit { sid: self.sid("RK"), unique_name: name.to_owned(), buckets: Vec::new() };
                let body = describe_limit(&self.sid, service, &limit);
                self.change_limits(service, |limits| limits.push(limit));
                Ok((201, body))
            }
            ("GET", [limit_sid, "Buckets"]) => {
                call.allow(&[])?;
                let buckets = &limit(limit_sid)?.buckets;
                let rows: Vec<_> =
                    buckets.iter().map(|bucket| describe_bucket(&self.sid, service, limit_sid, bucket)).collect();
                self.page(call, "buckets", &path, &rows)
            }
            ("POST", [limit_sid, "Buckets"]) => {
                call.allow(&["Max", "Interval"])?;
                let number = |name: &str| {
                    let number =
                        call.value(name).and_then(|text| text.parse::<u32>().ok()).filter(|&number| number > 0);
                    number.ok_or_else(|| TwilioError::invalid_parameter(name))
                };
                let (max, interval) = (number("Max")?, number("Interval")?);
                if limit(limit_sid)?.buckets.iter().any(|bucket| bucket.interval == interval) {
                    return Err(TwilioError::new(409, 60211, "A bucket with this interval exists"));
                }
                let bucket = Bucket { sid: self.sid("BL"), max, interval };
                let body = describe_bucket(&self.sid, service, limit_sid, &bucket);
                self.change_limits(service, |limits| {
                    if let Some(limit) = limits.iter_mut().find(|limit| limit.sid == *limit_sid) {
                        limit.buckets.push(bucket);
                    }
                });
                Ok((201, body))
            }
            _ => Err(TwilioError::not_found(&path)),
        }
    }

    fn change_limits(&mut self, service: &str, change: impl FnOnce(&mut Vec<RateLimit>)) {
        if let Some(service) = self.services.get_mut(service) {
            change(&mut service.rate_limits);
        }
    }

    pub(super) fn templates(&self, call: &Call) -> Answer {
        call.allow(&["FriendlyName"])?;
        let rows: Vec<_> = self.templates.iter().map(|template| describe_template(&self.sid, template)).collect();
        self.page(call, "templates", "v2/Templates", &rows)
    }
}

fn describe(account: &str, sid: &str, service: &Service) -> Value {
    json!({
        "sid": sid, "account_sid": account, "friendly_name": service.friendly_name,
        "code_length": service.code_length, "lookup_enabled": service.lookup_enabled,
        "psd2_enabled": service.psd2_enabled, "skip_sms_to_landlines": service.skip_sms_to_landlines,
        "dtmf_input_required": true, "tts_name": null,
        "do_not_share_warning_enabled": service.do_not_share_warning_enabled,
        "custom_code_enabled": service.custom_code_enabled,
        "whatsapp": { "msg_service_sid": service.whatsapp_sender, "from": null },
        "default_template_sid": service.default_template_sid, "verify_event_subscription_enabled": false,
        "date_created": CREATED, "date_updated": CREATED,
        "url": format!("https://verify.twilio.com/v2/Services/{sid}"),
    })
}

fn describe_limit(account: &str, service: &str, limit: &RateLimit) -> Value {
    json!({
        "sid": limit.sid, "service_sid": service, "account_sid": account, "unique_name": limit.unique_name,
        "description": null, "date_created": CREATED, "date_updated": CREATED,
        "url": format!("https://verify.twilio.com/v2/Services/{service}/RateLimits/{}", limit.sid),
    })
}

fn describe_bucket(account: &str, service: &str, limit: &str, bucket: &Bucket) -> Value {
    json!({
        "sid": bucket.sid, "rate_limit_sid": limit, "service_sid": service, "account_sid": account,
        "max": bucket.max, "interval": bucket.interval, "date_created": CREATED, "date_updated": CREATED,
        "url": format!("https://verify.twilio.com/v2/Services/{service}/RateLimits/{limit}/Buckets/{}", bucket.sid),
    })
}

fn describe_template(account: &str, template: &Template) -> Value {
    let translation = |(language, status): &(&str, &str)| {
        let text = "Your {{friendly_name}} verification code is: {{code}}.";
        let body = json!({
            "is_default_translation": *language == "en", "status": status, "locale": language, "text": text,
            "date_created": CREATED, "date_updated": CREATED,
        });
        ((*language).to_owned(), body)
    };
    let translations: serde_json::Map<_, _> = template.translations.iter().map(translation).collect();
    json!({
        "sid": template.sid, "account_sid": account, "friendly_name": "The name of a template",
        "channels": template.channels, "translations": translations,
    })
}
