//! What the front of the function makes of a request, with the real binary: which number it reads, whom it lets in,
//! and what it does with events that are none of Okta's.

#![expect(clippy::indexing_slicing, reason = "an answer without the field fails the test")]

mod support;

use sandbox::deployment::{HttpAnswer, TelephonyRequest};
use serde_json::Value;
use support::{Hook, verdict};

const NUMBER: &str = "+12025550123";
const CODE: &str = "867530";

fn location(answer: &HttpAnswer) -> &Value {
    &answer.body["error"]["errorCauses"][0]["location"]
}

mod numbers {
    use super::*;

    #[test]
    fn as_people_write_them() {
        let hook = Hook::start();
        for (text, dialled) in [
            ("+49 (0)30 901820", "+4930901820"),
            ("+49(0)30 901820", "+4930901820"),
            ("0049 (0)30 901820", "+4930901820"),
            ("+44 (0)20 7946 0060", "+442079460060"),
            ("\u{202d}+1 202 555 0123\u{202c}", NUMBER),
            ("\u{feff}+1\u{2060}202\u{200e}555\u{200f}0123", NUMBER),
            ("+1\u{2014}202\u{2212}555\u{2011}0123", NUMBER),
            ("+1\u{a0}202\u{202f}555\u{3000}0123", NUMBER),
            ("＋１（２０２）５５５－０１２３", NUMBER),
            ("+١٢٠٢٥٥٥٠١٢٣", NUMBER),
            ("(+1) 202-555-0123", NUMBER),
            ("tel:+1-202-555-0123;ext=5;isub=12", NUMBER),
        ] {
            hook.deployment.twilio.reset();
            assert_eq!(verdict(&hook.ask(&TelephonyRequest::sms(text, CODE))), "SUCCESSFUL", "{text}");
            assert_eq!(hook.sends()[0].parameter("To"), Some(dialled), "{text}");
            assert_eq!(hook.messages()[0].to, dialled, "{text}");
        }
    }

    #[test]
    fn with_a_control_character_or_two_readings_reach_nobody() {
        let hook = Hook::start();
        for text in [
            "+12025550123\n",
            "\r\n+12025550123",
            "+1\t202 555 0123",
            "+1202\u{0}5550123",
            "+1202555\u{85}0123",
            "+1202555\u{2028}0123",
            "+12025550123 ext. 5\n",
            "+39 (0)6 1234 5678",
            "+44 20 (0) 7946 0060",
            "+12025550123, +12025550124",
            "+49 30 901820/21",
            "tel:7042;phone-context=example.com",
        ] {
            for request in [TelephonyRequest::sms(text, CODE), TelephonyRequest::call(text, CODE)] {
                let answer = hook.ask(&request);
                assert_eq!(verdict(&answer), "phone_number_invalid", "{text:?}");
                assert_eq!(location(&answer), "data.messageProfile.phoneNumber", "{text:?}");
            }
        }
        assert!(hook.sends().is_empty());
    }

    #[test]
    fn with_an_extension_that_cannot_be_dialled_get_messages_and_no_calls() {
        let hook = Hook::start();
        for text in ["+1 501 712 2661 ext. 5 (lobby)", "+15017122661 x", "+15017122661 x1234567890123456"] {
            hook.deployment.twilio.reset();
            assert_eq!(verdict(&hook.ask(&TelephonyRequest::call(text, CODE))), "phone_number_invalid", "{text}");
            assert!(hook.sends().is_empty(), "{text}");
            assert_eq!(verdict(&hook.ask(&TelephonyRequest::sms(text, CODE))), "SUCCESSFUL", "{text}");
            let [send] = &hook.sends()[..] else { panic!("one request: {text}") };
            assert_eq!((send.parameter("To"), send.parameter("SendDigits")), (Some("+15017122661"), None), "{text}");
        }
    }

    #[test]
    fn of_a_landline_with_such_an_extension_are_not_called_in_place_of_a_message() {
        // A magic number of the sandbox: Lookup says that it is a landline.
        let landline = "+15005552001";
        let variables = [("LOOKUP_FIELDS", "line_type_intelligence"), ("LANDLINE_TO_CALL", "true")];
        let hook = Hook::with_variables(&variables);
        let request = TelephonyRequest::sms(&format!("{landline} ext. 5 (lobby)"), CODE);
        assert_eq!(verdict(&hook.ask(&request)), "phone_number_invalid");
        assert!(hook.sends().is_empty());
        assert_eq!(verdict(&hook.ask(&TelephonyRequest::sms(&format!("{landline} ext. 5"), CODE))), "SUCCESSFUL");
        assert_eq!(hook.sends()[0].parameter("SendDigits"), Some("ww5"));
    }

    #[test]
    fn with_an_extension_are_called_and_it_is_dialled() {
        let hook = Hook::start();
        for (after, keys) in [
            (",,77#", "wwww77#"),
            (";77#", "ww77#"),
            ("p77", "ww77"),
            ("w77", "ww77"),
            (" x 77", "ww77"),
            ("#77", "ww77"),
            (" ext. 77", "ww77"),
            (";ext=77", "ww77"),
        ] {
            hook.deployment.twilio.reset();
            let text = format!("{NUMBER}{after}");
            assert_eq!(verdict(&hook.ask(&TelephonyRequest::call(&text, CODE))), "SUCCESSFUL", "{text}");
            let [message] = &hook.messages()[..] else { panic!("one call: {text}") };
            assert_eq!((message.to.as_str(), message.send_digits.as_deref()), (NUMBER, Some(keys)), "{text}");
        }
    }
}
