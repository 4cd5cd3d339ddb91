//! Verify: sending, counting, refusing and expiring.

use crate::bench::{Bench, NUMBER};
use reqwest::Method;
use sandbox::{
    Channel, Effect, MAGIC_NUMBERS, Operation, Options, RateLimit, SecondCode, Status, VerifyEffect, WhatsappUsers,
    When,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const TEMPLATE: &str = "HJ00000000000000000000000000000001";
const UNKNOWN_TEMPLATE: &str = "HJ00000000000000000000000000000002";

#[test]
fn a_code_reaches_the_phone() {
    let bench = Bench::new();
    let answer = bench.create(&[("To", NUMBER), ("Channel", "sms"), ("CustomCode", "024680"), ("Locale", "es")]);

    assert_eq!(answer.status, 201);
    assert!(answer.header("twilio-request-id").unwrap().starts_with("RQ"));
    assert!(answer.header("twilio-concurrent-requests").is_some());
    assert!(answer.header("twilio-request-duration").unwrap().parse::<f64>().is_ok());
    let body = answer.json();
    let sid = body["sid"].as_str().unwrap().to_owned();
    let attempt = &body["send_code_attempts"][0];
    assert!(sid.starts_with("VE") && sid.len() == 34, "{sid}");
    assert!(attempt["attempt_sid"].as_str().unwrap().starts_with("VL"));
    let created = body["date_created"].as_str().unwrap();
    assert_eq!((created.len(), &created[10..11], &created[19..]), (20, "T", "Z"));
    let service = &bench.options.service_sid;
    let expected = json!({
        "sid": sid,
        "service_sid": service,
        "account_sid": bench.options.account_sid,
        "to": NUMBER,
        "channel": "sms",
        "status": "pending",
        "valid": false,
        "date_created": created,
        "date_updated": created,
        "lookup": {},
        "amount": null,
        "payee": null,
        "send_code_attempts": [
            { "time": created, "channel": "SMS", "attempt_sid": attempt["attempt_sid"] },
        ],
        "sna": null,
        "url": format!("https://verify.twilio.com/v2/Services/{service}/Verifications/{sid}"),
    });
    assert_eq!(body, expected);

    let messages = bench.sandbox.messages();
    assert_eq!(messages.len(), 1);
    let message = &messages[0];
    assert_eq!((message.to.as_str(), message.channel, message.code.as_str()), (NUMBER, Channel::Sms, "024680"));
    assert_eq!(message.text, "Su código de verificación para Example es: 024680");
    assert_eq!(message.locale.as_deref(), Some("es"));
    assert_eq!(message.verification_sid, sid);
    assert_eq!(Value::from(message.attempt_sid.as_str()), attempt["attempt_sid"]);
}

#[test]
fn a_call_can_dial_an_extension() {
    let bench = Bench::new();
    let form = [("To", NUMBER), ("Channel", "call"), ("CustomCode", "123456"), ("SendDigits", "ww12")];
    assert_eq!(bench.create(&form).status, 201);
    let messages = bench.sandbox.messages();
    assert_eq!(messages[0].channel, Channel::Call);
    assert_eq!(messages[0].send_digits.as_deref(), Some("ww12"));
    assert_eq!(messages[0].text, "Hello! Your verification code for Example is: 1, 2, 3, 4, 5, 6.");
}

#[test]
fn a_code_of_twilios_own_stays_the_same_while_pending() {
    let bench = Bench::new();
    for _ in 0..2 {
        assert_eq!(bench.create(&[("To", NUMBER), ("Channel", "sms")]).status, 201);
    }
    let messages = bench.sandbox.messages();
    assert_eq!(messages[0].code.len(), 6);
    assert_eq!(messages[0].code, messages[1].code);
}

#[test]
fn parameters_are_checked() {
    let bench = Bench::with(Options { templates: Some(BTreeSet::from([TEMPLATE.to_owned()])), ..Options::default() });
    let many_tags: BTreeMap<String, &str> = (0..11).map(|tag| (tag.to_string(), "x")).collect();
    let (many_tags, long_tag) = (json!(many_tags).to_string(), json!({ "x": "y".repeat(129) }).to_string());
    let sent = (201, 0, "");
    let invalid = (400, 60200, "");
    // Channel, a further parameter, its value, and the response; `invalid` names that parameter.
    let cases = [
        ("sms", "CustomCode", "1234", sent),
        ("sms", "CustomCode", "1234567890", sent),
        ("sms", "CustomCode", "123", invalid),
        ("sms", "CustomCode", "12345678901", invalid),
        ("sms", "Locale", "pt-BR", sent),
        ("sms", "Locale", "en-US", invalid),
        ("sms", "Locale", "xx", invalid),
        ("call", "Locale", "en-GB", sent),
        ("call", "Locale", "ar", (400, 60331, "Locale is not supported by text-to-speech")),
        ("call", "Locale", "xx", invalid),
        ("whatsapp", "Locale", "en-us", sent),
        ("whatsapp", "Locale", "en-AU", invalid),
        ("call", "SendDigits", "w1", sent),
        ("call", "SendDigits", "1,2", invalid),
        ("sms", "SendDigits", "12", invalid),
        ("sms", "TemplateSid", TEMPLATE, sent),
        ("call", "TemplateSid", TEMPLATE, sent),
        ("whatsapp", "TemplateSid", TEMPLATE, (400, 60227, "Channel is not supported by the template")),
        ("sms", "TemplateSid", "HJ1", invalid),
        ("sms", "TemplateSid", UNKNOWN_TEMPLATE, (400, 60228, "Template was not found")),
        ("sms", "TemplateCustomSubstitutions", r#"{"a":"b"}"#, sent),
        ("sms", "TemplateCustomSubstitutions", "a", invalid),
        ("sms", "Templates", "[]", invalid),
        ("sms", "RateLimits", r#"{"any":"value"}"#, sent),
        ("sms", "RateLimits", "any=value", invalid),
        ("sms", "RateLimits", r#"{"any":1}"#, invalid),
        ("sms", "Tags", r#"{"x":"y"}"#, sent),
        ("sms", "Tags", r#"{"x":1}"#, invalid),
        ("sms", "Tags", r#"["x"]"#, invalid),
        ("sms", "Tags", "x=y", invalid),
        ("sms", "Tags", &many_tags, invalid),
        ("sms", "Tags", &long_tag, invalid),
        ("sms", "RiskCheck", "disable", sent),
        ("sms", "RiskCheck", "off", invalid),
        ("sms", "CustomFriendlyName", "Other", (403, 60204, "Custom friendly name not allowed")),
        ("sms", "CustomMessage", "Hi", (400, 60243, "CustomMessage is no longer supported")),
        ("call", "AppHash", "abc", (400, 60602, "AppHash is only supported for the SMS channel")),
        ("voice", "Tags", "{}", (400, 60200, "Invalid parameter: Channel")),
        ("auto", "Tags", "{}", (400, 60200, "Invalid parameter: Channel")),
        ("SMS", "Tags", "{}", (400, 60200, "Invalid parameter: Channel")),
        ("email", "Tags", "{}", (400, 60217, "Service has no mailer associated")),
        ("sna", "Tags", "{}", (400, 60223, "Delivery channel disabled: sna")),
    ];
    for (channel, name, value, expected) in cases {
        bench.sandbox.reset();
        let answer = bench.create(&[("To", NUMBER), ("Channel", channel), (name, value)]);
        let case = format!("{channel} {name}={value}");
        if expected == sent {
            assert_eq!(answer.status, 201, "{case}: {}", answer.text);
            assert_eq!(bench.sandbox.messages().len(), 1);
            continue;
        }
        let (status, code, message) = expected;
        let default_message = format!("Invalid parameter: {name}");
        assert_eq!(answer.error(), (status, code), "{case}");
        assert_eq!(answer.message(), if expected == invalid { &default_message } else { message }, "{case}");
        assert_eq!(bench.sandbox.messages(), []);
        assert_eq!(bench.sandbox.verifications(), []);
    }
}

#[test]
fn only_phone_numbers_are_sent_to() {
    let bench = Bench::new();
    for to in [
        "12025550123",
        " 12025550123",
        "+1202555012",
        "+120255501234",
        "+0442079460123",
        "+44 2079460123",
        "+1x",
        "+",
        "",
    ] {
        let answer = bench.create(&[("To", to), ("Channel", "sms")]);
        assert_eq!(answer.error(), (400, 60200), "{to:?}");
        assert_eq!(answer.message(), format!("Invalid parameter `To`: {to}"));
    }
    assert_eq!(bench.create(&[("Channel", "sms")]).message(), "Invalid parameter: To");
    assert_eq!(bench.create(&[("To", NUMBER)]).message(), "Invalid parameter: Channel");
    assert_eq!(bench.sandbox.messages(), []);
}

#[test]
fn a_plus_that_is_not_encoded_is_a_blank() {
    let bench = Bench::new();
    let request = bench
        .request(Method::POST, &bench.verifications_path())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("To={NUMBER}&Channel=sms"));
    assert_eq!(bench.run(request).unwrap().error(), (400, 60200));
}

#[test]
fn a_body_that_is_no_form_has_no_parameters() {
    let bench = Bench::new();
    let request = bench
        .request(Method::POST, &bench.verifications_path())
        .header("content-type", "application/json")
        .body(json!({ "To": NUMBER, "Channel": "sms" }).to_string());
    assert_eq!(bench.run(request).unwrap().error(), (400, 60200));
}

#[test]
fn unknown_parameters_are_ignored_but_remembered() {
    let bench = Bench::new();
    let answer = bench.create(&[("To", NUMBER), ("Channel", "sms"), ("Customcode", "1")]);
    assert_eq!(answer.status, 201);
    let request = &bench.sandbox.requests()[0];
    assert_eq!(request.ignored_parameters, ["Customcode"]);
    assert_eq!(request.parameter("Customcode"), Some("1"));
    assert_eq!(request.parameter("To"), Some(NUMBER));
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", bench.verifications_path().as_str()));
}

#[test]
fn credentials_are_checked() {
    let bench = Bench::new();
    let path = bench.verifications_path();
    let form = [("To", NUMBER), ("Channel", "sms")];
    let options = &bench.options;
    let send = |name: &str, secret: &str| {
        let request = bench.anonymous_request(Method::POST, &path).basic_auth(name, Some(secret)).form(&form);
        bench.run(request).unwrap()
    };
    assert_eq!(send(&options.api_key_sid, &options.api_key_secret).status, 201);
    assert_eq!(send(&options.account_sid, &options.auth_token).status, 201);
    let wrong = send(&options.api_key_sid, &options.auth_token);
    assert_eq!(wrong.error(), (401, 20003));
    assert!(wrong.header("www-authenticate").unwrap().starts_with("Basic"));
    let none = bench.run(bench.anonymous_request(Method::POST, &path).form(&form)).unwrap();
    assert_eq!(none.error(), (401, 20003));

    let authenticated: Vec<bool> = bench.sandbox.requests().iter().map(|request| request.authenticated).collect();
    assert_eq!(authenticated, [true, true, false, false]);
    assert_eq!(bench.sandbox.messages().len(), 2);
}

#[test]
fn there_is_one_service_and_nothing_else() {
    let bench = Bench::new();
    let other = "/v2/Services/VA00000000000000000000000000000000/Verifications";
    let answer = bench.try_send(Method::POST, other, &[("To", NUMBER), ("Channel", "sms")]).unwrap();
    assert_eq!(answer.error(), (404, 20404));
    assert_eq!(
        answer.message(),
        "The requested resource /Services/VA00000000000000000000000000000000/Verifications was not found"
    );

    let service = bench.get(&format!("/v2/Services/{}", bench.options.service_sid));
    assert_eq!(service.status, 200);
    assert_eq!(service.json()["custom_code_enabled"], true);
    assert_eq!(bench.get("/").error(), (404, 20404));
    assert_eq!(bench.get(&bench.verifications_path()).error(), (405, 20004));
    let head = bench.run(bench.anonymous_request(Method::HEAD, "/")).unwrap();
    assert_eq!((head.status.as_u16(), head.text.as_str()), (404, ""));
}

#[test]
fn custom_codes_can_be_switched_off() {
    let bench = Bench::with(Options { custom_code_enabled: false, ..Options::default() });
    let answer = bench.send(NUMBER, "123456");
    assert_eq!((answer.error(), answer.message().as_str()), ((403, 60204), "Custom code not allowed"));
}

#[test]
fn a_sixth_message_is_refused_until_the_verification_ends() {
    let bench = Bench::new();
    let mut sids = BTreeSet::new();
    for (sent, channel) in ["sms", "call", "whatsapp", "sms", "sms"].iter().enumerate() {
        let body = bench.create(&[("To", NUMBER), ("Channel", channel), ("CustomCode", "1234")]).json();
        sids.insert(body["sid"].as_str().unwrap().to_owned());
        assert_eq!(body["send_code_attempts"].as_array().unwrap().len(), sent + 1);
        assert_eq!(body["channel"], *channel);
    }
    assert_eq!(sids.len(), 1, "resends join the pending verification");
    assert_eq!(bench.send(NUMBER, "1234").error(), (429, 60203));
    assert_eq!(bench.send("+12025550124", "1234").status, 201, "another number has a limit of its own");

    let sid = sids.first().unwrap();
    assert_eq!(bench.update(sid, "approved").json()["status"], "approved");
    let next = bench.send(NUMBER, "1234");
    assert_eq!(next.status, 201);
    assert_ne!(next.json()["sid"], sid.as_str());
    assert_eq!(bench.sandbox.messages().len(), 7);
}

#[test]
fn a_verification_expires_after_ten_minutes() {
    let bench = Bench::new();
    let sid = bench.send(NUMBER, "1234").json()["sid"].as_str().unwrap().to_owned();
    bench.sandbox.advance(Duration::from_mins(9));
    assert_eq!(bench.send(NUMBER, "1234").json()["sid"], sid.as_str());
    bench.sandbox.advance(Duration::from_mins(1));
    assert_eq!(bench.sandbox.verifications()[0].status, Status::Expired);
    assert_eq!(bench.update(&sid, "approved").error(), (404, 20404));
    assert_eq!(bench.update(NUMBER, "approved").error(), (404, 20404));
    assert_ne!(bench.send(NUMBER, "1234").json()["sid"], sid.as_str());
}

#[test]
fn approving_works_once_by_sid_or_number() {
    let bench = Bench::new();
    let sid = bench.send(NUMBER, "1234").json()["sid"].as_str().unwrap().to_owned();
    let approved = bench.update(NUMBER, "approved");
    assert_eq!(approved.status, 200);
    let body = approved.json();
    assert_eq!((&body["sid"], &body["status"], &body["valid"]), (&json!(sid), &json!("approved"), &json!(true)));
    assert_eq!(bench.sandbox.verifications()[0].status, Status::Approved);

    let again = bench.update(NUMBER, "approved");
    assert_eq!(again.error(), (404, 20404));
    let resource = format!("/Services/{}/Verifications/{NUMBER}", bench.options.service_sid);
    assert_eq!(again.message(), format!("The requested resource {resource} was not found"));
    assert_eq!(bench.update(&sid, "approved").error(), (404, 20404));
    assert_eq!(bench.update("+12025550199", "approved").error(), (404, 20404));

    let recorded = bench.sandbox.requests_for(Operation::VerifyUpdate);
    assert!(recorded[0].path.ends_with("/%2B12025550123"), "{}", recorded[0].path);
}

#[test]
fn only_canceled_and_pending_verifications_can_be_fetched() {
    let bench = Bench::new();
    let sid = bench.send(NUMBER, "1234").json()["sid"].as_str().unwrap().to_owned();
    let path = format!("{}/{sid}", bench.verifications_path());
    assert_eq!(bench.get(&path).json()["status"], "pending");
    assert_eq!(bench.update(&sid, "finished").error(), (400, 60200));
    assert_eq!(bench.update(&sid, "canceled").json()["status"], "canceled");
    assert_eq!(bench.get(&path).json()["status"], "canceled");
    assert_eq!(bench.update(&sid, "approved").error(), (404, 20404));

    let next = bench.send(NUMBER, "5678").json()["sid"].as_str().unwrap().to_owned();
    assert_ne!(next, sid, "a canceled verification is not joined");
    bench.update(&next, "approved");
    assert_eq!(bench.get(&format!("{}/{next}", bench.verifications_path())).error(), (404, 20404));
}

#[test]
fn canceling_allows_another_five_messages() {
    let bench = Bench::new();
    for code in ["1111", "2222"] {
        for _ in 0..5 {
            assert_eq!(bench.send(NUMBER, code).status, 201);
        }
        assert_eq!(bench.send(NUMBER, code).error(), (429, 60203));
        assert_eq!(bench.update(NUMBER, "canceled").json()["status"], "canceled");
        assert_eq!(bench.update(NUMBER, "canceled").error(), (404, 20404));
    }
    assert!(bench.sandbox.verifications().iter().all(|verification| verification.status == Status::Canceled));
}

#[test]
fn tags_are_remembered_with_their_attempt() {
    let bench = Bench::new();
    for tags in [r#"{"okta_event_id":"one","source":"okta"}"#, r#"{"okta_event_id":"two"}"#, "{}"] {
        bench.create(&[("To", NUMBER), ("Channel", "sms"), ("CustomCode", "1234"), ("Tags", tags)]);
    }
    bench.send(NUMBER, "1234");
    let verifications = bench.sandbox.verifications();
    let tags = verifications[0].attempts.iter().map(|attempt| json!(attempt.tags));
    let expected =
        [json!({ "okta_event_id": "one", "source": "okta" }), json!({ "okta_event_id": "two" }), json!({}), json!({})];
    assert_eq!(tags.collect::<Vec<_>>(), expected);
}

#[test]
fn a_second_code_is_sent_or_not() {
    for (second_code, expected) in [(SecondCode::Newest, "2222"), (SecondCode::First, "1111")] {
        let bench = Bench::with(Options { second_code, ..Options::default() });
        let sids = ["1111", "2222"].map(|code| bench.send(NUMBER, code).json()["sid"].clone());
        assert_eq!(sids[0], sids[1], "it joins the pending verification");
        assert_eq!(bench.sandbox.messages()[1].code, expected);
        bench.update(NUMBER, "canceled");
        bench.send(NUMBER, "3333");
        assert_eq!(bench.sandbox.messages()[2].code, "3333");
    }
}

#[test]
fn rate_limits_of_the_service_are_counted() {
    let bench = Bench::with(Options {
        rate_limits: vec![RateLimit { unique_name: "okta_user".to_owned(), max: 2, interval: Duration::from_mins(1) }],
        ..Options::default()
    });
    let send = |to: &str, limits: &str| bench.create(&[("To", to), ("Channel", "sms"), ("RateLimits", limits)]);
    let user = r#"{"okta_user":"00u1","unknown":"x"}"#;
    assert_eq!(send("+12025550101", user).status, 201);
    assert_eq!(send("+12025550102", user).status, 201);
    let refused = send("+12025550103", user);
    assert_eq!(refused.error(), (429, 20429));
    assert_eq!(refused.header("twilio-reached-rate-limit"), Some("okta_user"));
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(send("+12025550103", r#"{"okta_user":"00u2"}"#).status, 201, "another user");
    assert_eq!(send("+12025550104", r#"{"unknown":"x"}"#).status, 201, "a limit that does not exist");
    bench.sandbox.advance(Duration::from_mins(1));
    assert_eq!(send("+12025550105", user).status, 201, "the next interval");
}

#[test]
fn whatsapp_needs_a_sender() {
    let bench = Bench::with(Options { whatsapp_configured: false, ..Options::default() });
    assert_eq!(bench.create(&[("To", NUMBER), ("Channel", "whatsapp")]).error(), (400, 68008));
    assert_eq!(bench.create(&[("To", NUMBER), ("Channel", "sms")]).status, 201);
}

#[test]
fn whatsapp_falls_back_to_sms_in_india() {
    let bench = Bench::new();
    let body = bench.create(&[("To", "+919876543210"), ("Channel", "whatsapp"), ("CustomCode", "1234")]).json();
    assert_eq!((&body["channel"], &body["send_code_attempts"][0]["channel"]), (&json!("sms"), &json!("SMS")));
    let messages = bench.sandbox.messages();
    assert_eq!((messages[0].channel, messages[0].fallback_from), (Channel::Sms, Some(Channel::Whatsapp)));
}

#[test]
fn a_number_without_whatsapp_gets_nothing_or_an_sms() {
    let only_the_other = WhatsappUsers::Only(BTreeSet::from(["+12025550124".to_owned()]));
    for falls_back in [false, true] {
        let bench = Bench::with(Options {
            whatsapp_users: only_the_other.clone(),
            whatsapp_falls_back_for_non_users: falls_back,
            ..Options::default()
        });
        let body = bench.create(&[("To", NUMBER), ("Channel", "whatsapp")]).json();
        assert_eq!(body["status"], "pending", "Twilio learns of it later");
        let attempt = &bench.sandbox.verifications()[0].attempts[0];
        if falls_back {
            assert_eq!((body["channel"].as_str(), attempt.error_code), (Some("sms"), None));
            assert_eq!(bench.sandbox.messages()[0].channel, Channel::Sms);
        } else {
            assert_eq!((body["channel"].as_str(), attempt.error_code), (Some("whatsapp"), Some(63024)));
            assert_eq!(bench.sandbox.messages(), []);
        }
        bench.create(&[("To", "+12025550124"), ("Channel", "whatsapp")]);
        assert_eq!(bench.sandbox.messages().last().unwrap().channel, Channel::Whatsapp);
    }
}

#[test]
fn landlines_can_be_skipped() {
    let landline = "+15005552001";
    for (skip, expected) in [(false, 201), (true, 403)] {
        let bench = Bench::with(Options { skip_sms_to_landlines: skip, ..Options::default() });
        assert_eq!(bench.send(landline, "1234").status, expected);
        assert_eq!(bench.create(&[("To", landline), ("Channel", "call")]).status, 201);
    }
}

#[test]
fn every_magic_number_of_verify_has_its_effect() {
    let bench = Bench::new();
    for magic in MAGIC_NUMBERS {
        bench.sandbox.reset();
        let Effect::Verify(effect) = magic.effect else {
            assert_eq!(bench.send(magic.number, "1234").status, 201, "{magic:?} is an ordinary number to Verify");
            continue;
        };
        match effect {
            VerifyEffect::Refuse(refusal) => {
                let (channel, pass) = match refusal.when {
                    When::Always => ("sms", None),
                    When::Sms => ("sms", Some(vec![("Channel", "call")])),
                    When::Whatsapp => ("whatsapp", Some(vec![("Channel", "sms")])),
                    When::RiskChecked => ("sms", Some(vec![("Channel", "sms"), ("RiskCheck", "disable")])),
                    When::WithLocale => ("sms", Some(vec![("Channel", "sms")])),
                };
                let answer = bench.create(&[("To", magic.number), ("Channel", channel), ("Locale", "en")]);
                assert_eq!(answer.error(), (refusal.status, u64::from(refusal.code)), "{magic:?}");
                assert!(!answer.message().contains('{'), "{}", answer.message());
                assert!(answer.header("twilio-reached-rate-limit").is_none());
                assert_eq!(bench.sandbox.messages(), []);
                if let Some(mut form) = pass {
                    form.push(("To", magic.number));
                    assert_eq!(bench.create(&form).status, 201, "{magic:?} meets only some requests");
                }
            }
            VerifyEffect::ReachedRateLimit => {
                let answer = bench.send(magic.number, "1234");
                assert_eq!(answer.error(), (429, 20429));
                assert!(answer.header("twilio-reached-rate-limit").is_some());
                assert_eq!(answer.header("retry-after"), Some("60"));
            }
            VerifyEffect::HangUp | VerifyEffect::SendAndHangUp => {
                let form = [("To", magic.number), ("Channel", "sms")];
                assert!(bench.try_create(&form).is_err());
                assert_eq!(bench.sandbox.messages().len(), usize::from(effect == VerifyEffect::SendAndHangUp));
                assert!(bench.sandbox.requests()[0].swallowed());
            }
            VerifyEffect::RespondLate(delay) => {
                let started = std::time::Instant::now();
                let form = [("To", magic.number), ("Channel", "sms")];
                let request = bench.request(Method::POST, &bench.verifications_path()).form(&form);
                if delay > Duration::from_secs(2) {
                    // Long enough to see that there is no response. The message is still sent.
                    assert!(bench.run(request.timeout(Duration::from_millis(300))).is_err());
                } else {
                    assert_eq!(bench.run(request).unwrap().status, 201);
                    assert!(started.elapsed() >= delay);
                }
                assert_eq!(bench.sandbox.messages().len(), 1);
            }
        }
    }
}
