//! Settings that an admin changes while the function runs, and the ladder of repeated requests, with the real binary.

#![expect(clippy::indexing_slicing, reason = "clippy knows tests, but not the functions that they share")]

#[expect(dead_code, reason = "each test program uses a part of it")]
mod support;

use std::time::Duration;

use sandbox::{
    Fault, Operation, Options, Times,
    deployment::{AUTH_SECRET, Deployment, HOOKS_SECRET_ID, TelephonyRequest},
    dynamodb::{DynamoDb, TABLE},
};
use serde_json::{Value, json};
use support::{Hook, verdict};

const US: &str = "+12025550123";
const GB: &str = "+447400123456";
const CODE: &str = "867530";

fn logged(hook: &Hook, message: &str) -> Vec<Value> {
    hook.function.log_lines().into_iter().filter(|line| line["message"] == message).collect()
}

mod pause {
    use super::*;

    /// A function whose secret has this value of `paused`.
    fn paused(paused: &Value, variables: &[(&str, &str)]) -> Hook {
        let deployment = Deployment::start(Options::default());
        set(&deployment, paused);
        Hook::on(deployment, variables)
    }

    fn set(deployment: &Deployment, paused: &Value) {
        let mut secret = deployment.hooks_secret(&[AUTH_SECRET]);
        secret["paused"] = paused.clone();
        deployment.secrets.put(HOOKS_SECRET_ID, &secret);
    }

    #[test]
    fn stops_what_it_names_and_nothing_else() {
        for (value, us_sms, us_call, gb_sms) in [
            (json!(true), "paused", "paused", "paused"),
            (json!(["GB"]), "SUCCESSFUL", "SUCCESSFUL", "paused"),
            (json!(["call"]), "SUCCESSFUL", "paused", "SUCCESSFUL"),
            (json!(["us", "CALL"]), "paused", "paused", "SUCCESSFUL"),
            (json!(["001"]), "SUCCESSFUL", "SUCCESSFUL", "SUCCESSFUL"),
            (json!(false), "SUCCESSFUL", "SUCCESSFUL", "SUCCESSFUL"),
            // An unreadable value pauses everything, because someone wanted to stop something.
            (json!("soon"), "paused", "paused", "paused"),
            (json!({"countries": ["GB"]}), "paused", "paused", "paused"),
        ] {
            let hook = paused(&value, &[]);
            let requests =
                [TelephonyRequest::sms(US, CODE), TelephonyRequest::call(US, CODE), TelephonyRequest::sms(GB, CODE)];
            let responses = requests.map(|request| verdict(&hook.ask(&request)).to_owned());
            assert_eq!(responses, [us_sms, us_call, gb_sms], "{value}");
            let sent = responses.iter().filter(|response| *response == "SUCCESSFUL").count();
            assert_eq!(hook.sends().len(), sent, "{value}: nothing else reached Twilio");
            assert_eq!(logged(&hook, "sending_paused").len(), usize::from(value != json!(false)), "{value}");
        }
    }

    #[test]
    fn overrides_exemptions_and_observe_mode_and_is_counted() {
        let variables = [("POLICY_EXEMPT_REQUEST_TYPES", "mfa-verification"), ("POLICY_MODE", "observe")];
        let hook = paused(&json!(["US"]), &variables);
        assert_eq!(verdict(&hook.ask(&TelephonyRequest::sms(US, CODE))), "paused");
        let line = hook.last_log("otp_refused");
        assert_eq!((&line["reason"], &line["phone"]), (&json!("paused"), &json!("US…23")));
        let counted = |line: &Value| line["Reason"] == "paused" && line["Outcome"] == "refused" && line["Sends"] == 1;
        assert!(logged(&hook, "metrics").iter().any(counted));
        let paused = hook.last_log("sending_paused");
        assert_eq!(
            (&paused["active"], &paused["countries"], &paused["level"]),
            (&json!(true), &json!(["US"]), &json!("WARN"))
        );
    }

    #[test]
    fn has_the_same_response_as_a_refusal_by_the_policy() {
        let hook = paused(&json!(true), &[("DENY_RESPONSE", "swallow")]);
        let response = hook.ask(&TelephonyRequest::sms(US, CODE));
        assert_eq!(verdict(&response), "SUCCESSFUL");
        assert_eq!(response.body["commands"][0]["value"][0]["transactionMetadata"], "refused:paused");
        assert!(hook.sends().is_empty());
    }

    #[test]
    fn makes_no_lookup_if_the_country_is_enough() {
        let hook = paused(&json!(["US"]), &[("LOOKUP_FIELDS", "line_type_intelligence")]);
        assert_eq!(verdict(&hook.ask(&TelephonyRequest::sms(US, CODE))), "paused");
        assert!(logged(&hook, "metrics").iter().all(|line| line.get("Lookups").is_none()));
    }

    #[test]
    fn of_everything_needs_no_lookup_of_a_national_number() {
        let variables = [("LOOKUP_FIELDS", "basic"), ("DEFAULT_COUNTRY", "US"), ("DENY_RESPONSE", "swallow")];
        let hook = paused(&json!(true), &variables);
        // Without a response from Lookup, the answer would be an error, and Okta would send the code.
        hook.deployment.twilio.fault(Operation::Lookup, Fault::Status(500), Times::UntilCleared);
        let response = hook.ask(&TelephonyRequest::sms("(202) 555-0123", CODE));
        assert_eq!(response.body["commands"][0]["value"][0]["transactionMetadata"], "refused:paused");
        assert!(hook.deployment.twilio.requests_for(Operation::Lookup).is_empty());
    }

    #[test]
    fn is_about_the_channel_after_all_rerouting() {
        let variables = [("LOOKUP_FIELDS", "line_type_intelligence"), ("LANDLINE_TO_CALL", "true")];
        let landline = TelephonyRequest::sms("+15005552001", CODE);
        assert_eq!(verdict(&paused(&json!(["call"]), &variables).ask(&landline)), "paused");
        assert_eq!(verdict(&paused(&json!(["sms"]), &variables).ask(&landline)), "SUCCESSFUL");
    }

    #[test]
    fn of_sms_keeps_whatsapp_from_falling_back_to_it() {
        let deployment = Deployment::start(Options { whatsapp_configured: false, ..Options::default() });
        set(&deployment, &json!(["sms"]));
        let hook = Hook::on(deployment, &[("SMS_CHANNEL", "whatsapp")]);
        assert_eq!(verdict(&hook.ask(&TelephonyRequest::sms(US, CODE))), "channel_unavailable");
        assert!(hook.messages().is_empty());
    }

    #[test]
    fn begins_and_ends_without_a_restart() {
        let deployment = Deployment::start(Options::default());
        let hook = Hook::on(deployment, &[("SECRET_TTL_SECONDS", "1")]);
        // A refresh is due after a second, and the cached value is used meanwhile. Each number receives only a few
        // messages.
        let until = |wanted: &str, numbers: std::ops::Range<u32>| {
            numbers.into_iter().any(|number| {
                std::thread::sleep(Duration::from_millis(200));
                verdict(&hook.ask(&TelephonyRequest::sms(&format!("+4474001{number:05}"), CODE))) == wanted
            })
        };
        set(&hook.deployment, &json!(["GB"]));
        assert!(until("paused", 23_000..23_100));
        set(&hook.deployment, &json!(null));
        assert!(until("SUCCESSFUL", 24_000..24_100));
        let changes: Vec<_> = logged(&hook, "sending_paused").iter().map(|line| line["active"].clone()).collect();
        assert_eq!(changes, [json!(true), json!(false)]);
    }
}

mod ladder {
    use super::*;

    struct Climbing {
        hook: Hook,
        table: DynamoDb,
    }

    impl Climbing {
        fn start(variables: &[(&str, &str)]) -> Self {
            let table = DynamoDb::start();
            let url = table.url();
            let own =
                [("SENDS_TABLE", TABLE), ("AWS_ENDPOINT_URL_DYNAMODB", url.as_str()), ("RESEND_CHANNELS", "sms,call")];
            let hook = Hook::on(Deployment::start(Options::default()), &[&own[..], variables].concat());
            Self { hook, table }
        }

        /// The channel of a request to Verify.
        fn channel(&self, request: &TelephonyRequest) -> Value {
            assert_eq!(verdict(&self.hook.ask(request)), "SUCCESSFUL");
            self.hook.last_log("otp_sent")["channel"].clone()
        }
    }

    #[test]
    fn climbs_with_each_request_of_the_user_for_the_number_and_stays_at_its_end() {
        let climbing = Climbing::start(&[]);
        let codes = ["111111", "222222", "333333", "444444"];
        let channels = codes.map(|code| climbing.channel(&TelephonyRequest::sms(US, code)));
        assert_eq!(channels, ["sms", "sms", "call", "call"]);
        // Another number of the same user starts again, and so does the same number of another user.
        assert_eq!(climbing.channel(&TelephonyRequest::sms(GB, "555555")), "sms");
        let other = TelephonyRequest::sms(US, "666666").with("/data/userProfile/userId", "00uother");
        let lines = climbing.hook.function.log_lines().len();
        climbing.hook.ask(&other);
        assert!(climbing.hook.function.log_lines().len() > lines);
        assert_eq!(climbing.hook.last_log("otp_sent")["earlier_sends"], 0);
    }

    #[test]
    fn climbs_with_replace_pending_too() {
        let variables = [("REPLACE_PENDING", "true"), ("VERIFY_RATE_LIMITS", "okta_user=user_id")];
        let climbing = Climbing::start(&variables);
        let channels = ["111111", "222222", "333333"].map(|code| climbing.channel(&TelephonyRequest::sms(US, code)));
        assert_eq!(channels, ["sms", "sms", "call"]);
    }

    #[test]
    fn does_not_apply_to_calls_or_query_the_table_for_them() {
        let climbing = Climbing::start(&[]);
        assert_eq!(climbing.channel(&TelephonyRequest::call(US, "111111")), "call");
        assert_eq!(climbing.table.requests(), ["UpdateItem"]);
    }

    #[test]
    fn keeps_nothing_of_the_number_but_a_mark() {
        let climbing = Climbing::start(&[]);
        climbing.channel(&TelephonyRequest::sms(US, "111111"));
        let item = &climbing.table.items()[0];
        assert!(item["to_mac"]["B"].as_str().is_some_and(|mark| mark.len() == 24), "16 bytes in base64");
        assert!(!json!(item).to_string().contains(&US[1..]));
    }

    #[test]
    fn uses_the_first_channel_if_the_table_does_not_respond() {
        let climbing = Climbing::start(&[]);
        for code in ["111111", "222222"] {
            climbing.channel(&TelephonyRequest::sms(US, code));
        }
        climbing.table.set_fault_of("Query", Some("AccessDeniedException"));
        assert_eq!(climbing.channel(&TelephonyRequest::sms(US, "333333")), "sms");
        assert_eq!(climbing.hook.last_log("otp_sent")["table_failure"], "table_forbidden");
        assert!(logged(&climbing.hook, "metrics").iter().any(|line| line["TableFailures"] == 1));
        climbing.table.set_fault(None);
        climbing.table.delay(Duration::from_secs(20));
        assert_eq!(climbing.channel(&TelephonyRequest::sms(US, "444444")), "sms");
        assert_eq!(climbing.hook.last_log("otp_sent")["table_failure"], "table_unavailable");
    }

    #[test]
    fn the_variable_without_a_table_aborts_startup() {
        let deployment = Deployment::start(Options::default());
        let function = deployment.function(env!("CARGO_BIN_EXE_telephony-hook")).env("RESEND_CHANNELS", "call").spawn();
        assert!(function.wait_until_ready(Duration::from_secs(10)).is_err());
        assert!(function.output().contains("RESEND_CHANNELS: needs SENDS_TABLE"));
    }
}
