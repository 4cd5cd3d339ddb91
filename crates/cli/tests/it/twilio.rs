//! `doctor` finds each fault of the Twilio side.

use sandbox::twilio_account::{Account, Bucket, Key, Power, RateLimit, Service, Template};
use serde_json::json;

use crate::world::{HOOKS_SECRET_ARN, KEY, SERVICE, World, check, finds, hooks_secret};

const TEMPLATE: &str = "HJ00000000000000000000000000000001";

fn service(account: &mut Account) -> &mut Service {
    account.services.get_mut(SERVICE).unwrap()
}

fn key(account: &mut Account) -> &mut Key {
    account.keys.get_mut(KEY).unwrap()
}

#[test]
fn t1_a_key_that_was_deleted() {
    finds("T1", "fail", |world| world.twilio.change(|account| account.keys.clear()));
}

#[test]
fn t1_a_service_of_another_account() {
    finds("T1", "fail", |world| {
        world.twilio.change(|account| {
            key(account).power = Power::Standard;
            account.services.clear();
        });
    });
}

#[test]
fn t1_a_key_that_may_not_update_verifications() {
    finds("T1", "fail", |world| {
        let only = Power::restricted(&["/twilio/verify/verification/create"]);
        world.twilio.change(|account| key(account).power = only);
    });
}

#[test]
fn t2_a_suspended_account() {
    finds("T2", "fail", |world| world.twilio.change(|account| account.status = "suspended"));
    finds("T2", "fail", |world| world.twilio.change(|account| account.status = "closed"));
}

#[test]
fn t2_a_trial_account() {
    finds("T2", "warn", |world| world.twilio.change(|account| account.kind = "Trial"));
}

#[test]
fn t3_custom_codes_are_off() {
    finds("T3", "fail", |world| world.twilio.change(|account| service(account).custom_code_enabled = false));
}

#[test]
fn t4_a_service_for_payments() {
    finds("T4", "fail", |world| world.twilio.change(|account| service(account).psd2_enabled = true));
}

#[test]
fn t4_a_default_name() {
    finds("T4", "warn", |world| {
        world.twilio.change(|account| service(account).friendly_name = "My first Verify service".to_owned());
    });
}

#[test]
fn t4_two_lookups() {
    finds("T4", "warn", |world| {
        world.twilio.change(|account| service(account).lookup_enabled = true);
        world.set_variable("LOOKUP_FIELDS", "line_type_intelligence");
    });
}

#[test]
fn t5_a_rate_limit_that_does_not_exist_or_limits_nothing() {
    finds("T5", "fail", |world| world.set_variable("VERIFY_RATE_LIMITS", "okta_user=user_id"));
    let world = World::healthy();
    world.set_variable("VERIFY_RATE_LIMITS", "okta_user=user_id,okta_address=ip");
    let limit = |number: u32, name: &str| RateLimit {
        sid: format!("RK{number:032}"),
        unique_name: name.to_owned(),
        buckets: vec![Bucket { sid: format!("BL{number:032}"), max: 5, interval: 600 }],
    };
    // The last one is on the second page.
    let limits = vec![limit(1, "another"), limit(2, "okta_address"), limit(3, "okta_user")];
    world.twilio.change(|account| service(account).rate_limits = limits);
    assert_eq!(check(&world, "T5").0, "ok");
    world.twilio.change(|account| service(account).rate_limits[2].buckets.clear());
    assert_eq!(check(&world, "T5").0, "fail");
}

#[test]
fn t6_a_key_with_too_much_power() {
    finds("T6", "warn", |world| world.twilio.change(|account| key(account).power = Power::Standard));
    finds("T6", "warn", |world| {
        let more = Power::restricted(&[
            "/twilio/verify/verification/create",
            "/twilio/verify/verification/update",
            "/twilio/verify/verification-attempt/list",
        ]);
        world.twilio.change(|account| key(account).power = more);
    });
    finds("T6", "warn", |world| {
        let (user, password) = world.twilio.change(|account| (account.sid.clone(), account.auth_token.clone()));
        let mut secret = hooks_secret();
        let fields = secret.as_object_mut().unwrap();
        fields.remove("twilio_api_key_sid");
        fields.remove("twilio_api_key_secret");
        fields.insert("twilio_account_sid".to_owned(), user.into());
        fields.insert("twilio_auth_token".to_owned(), password.into());
        world.aws.change(|account| account.secrets.insert(HOOKS_SECRET_ARN.to_owned(), Some(secret.to_string())));
    });
}

#[test]
fn t6_a_key_with_too_little_power() {
    finds("T6", "fail", |world| world.set_variable("LOOKUP_FIELDS", "line_type_intelligence"));
}

#[test]
fn t7_a_template_that_cannot_be_used() {
    finds("T7", "fail", |world| world.set_variable("VERIFY_TEMPLATE_SID", TEMPLATE));
    let world = World::healthy();
    world.set_variable("VERIFY_TEMPLATE_SID", TEMPLATE);
    let set = |channels: &[&'static str], status: &'static str| {
        let template =
            Template { sid: TEMPLATE.to_owned(), channels: channels.to_vec(), translations: vec![("en", status)] };
        world.twilio.change(|account| account.templates = vec![template]);
        check(&world, "T7").0
    };
    assert_eq!(set(&["sms", "voice"], "approved"), "ok");
    assert_eq!(set(&["voice"], "approved"), "fail");
    assert_eq!(set(&["sms"], "pending"), "fail");
}

#[test]
fn t7_a_template_of_a_country_that_cannot_be_used() {
    const OTHER: &str = "HJ00000000000000000000000000000002";
    let world = World::healthy();
    let template = Template { sid: TEMPLATE.to_owned(), channels: vec!["sms"], translations: vec![("en", "approved")] };
    world.twilio.change(|account| account.templates = vec![template]);
    let set = |brazil: &str, rest: &str| {
        let rules = json!({"BR": {"template": brazil}, "FR": {"locale": "fr"}, "*": {"template": rest}});
        world.set_variable("COUNTRY_RULES", &rules.to_string());
        let (status, report) = check(&world, "T7");
        (status, report["checks"][0]["read"].as_str().unwrap().to_owned())
    };
    assert_eq!(set(TEMPLATE, TEMPLATE).0, "ok");
    assert_eq!(
        set(OTHER, TEMPLATE),
        ("fail".to_owned(), "COUNTRY_RULES, BR: the account has no such template".to_owned())
    );
    let (status, read) = set(TEMPLATE, OTHER);
    assert!(status == "fail" && read.starts_with("COUNTRY_RULES, *:"), "{read}");
}

#[test]
fn t8_whatsapp_without_a_sender() {
    finds("T8", "fail", |world| world.set_variable("SMS_CHANNEL", "whatsapp"));
    let world = World::healthy();
    world.set_variable("SMS_CHANNEL", "whatsapp");
    let sender = Some("MG00000000000000000000000000000001".to_owned());
    world.twilio.change(|account| service(account).whatsapp_sender = sender);
    assert_eq!(check(&world, "T8").0, "ok");
}

#[test]
fn without_other_credentials_the_settings_are_skipped_and_the_key_is_still_proved() {
    let mut world = World::healthy();
    world.environment.retain(|name, _| !name.starts_with("TWILIO_A") || *name == "TWILIO_API_URL");
    let (exit, report) = world.run_json(&["doctor", "--only", "T1,T2,T3,T4,T5,T6,T7,T8"]);
    let statuses: Vec<_> =
        report["checks"].as_array().unwrap().iter().map(|check| check["status"].as_str().unwrap()).collect();
    assert_eq!(exit, 0, "{report}");
    assert_eq!(statuses, ["ok", "skip", "skip", "skip", "ok", "skip", "ok", "ok"], "{report}");
    let read = report["checks"][2]["read"].as_str().unwrap();
    assert!(read.contains("TWILIO_ACCOUNT_SID") && read.contains("/twilio/verify/service/read"), "{read}");
}

#[test]
fn a_key_with_the_printed_permissions_reads_everything() {
    let mut world = World::healthy();
    let (_, printed) = world.run_json(&["permissions", "doctor"]);
    let permissions: Vec<_> =
        printed["twilio"]["allow"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let sid = "SK00000000000000000000000000000002";
    let reader = Key {
        secret: "a-secret-of-doctor".to_owned(),
        friendly_name: "doctor".to_owned(),
        power: Power::restricted(&permissions),
    };
    world.twilio.change(|account| account.keys.insert(sid.to_owned(), reader));
    world.environment.retain(|name, _| !matches!(*name, "TWILIO_ACCOUNT_SID" | "TWILIO_AUTH_TOKEN"));
    world.environment.insert("TWILIO_API_KEY", sid.to_owned());
    world.environment.insert("TWILIO_API_SECRET", "a-secret-of-doctor".to_owned());
    world.set_variable("VERIFY_RATE_LIMITS", "okta_user=user_id");
    world.set_variable("VERIFY_TEMPLATE_SID", TEMPLATE);
    world.twilio.change(|account| {
        let bucket = Bucket { sid: format!("BL{:032}", 1), max: 5, interval: 600 };
        let unique_name = "okta_user".to_owned();
        service(account).rate_limits =
            vec![RateLimit { sid: format!("RK{:032}", 1), unique_name, buckets: vec![bucket] }];
        let translations = vec![("en", "approved")];
        account.templates = vec![Template { sid: TEMPLATE.to_owned(), channels: vec!["sms"], translations }];
    });
    let (exit, report) = world.run_json(&["doctor", "--only", "T1,T2,T3,T4,T5,T6,T7,T8"]);
    assert_eq!((exit, &report["summary"]["ok"]), (0, &8.into()), "{report}");
}

#[test]
fn no_private_value_of_twilio_is_printed() {
    let world = World::healthy();
    world.twilio.change(|account| {
        service(account).custom_code_enabled = false;
        service(account).friendly_name = "My private brand".to_owned();
        account.kind = "Trial";
        key(account).power = Power::Standard;
        key(account).friendly_name = "My private key".to_owned();
    });
    world.assert_no_leak(&["doctor", "--wait", "0"], &["private brand", "private key", "The name of a customer"]);
}
