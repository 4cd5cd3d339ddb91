//! The event hook parses or rejects any body. Only an event that names a phone factor counts as a phone success.

#![no_main]

use libfuzzer_sys::fuzz_target;
use okta_twilio::{okta::event::EventDelivery, time::clock::Timestamp};

fuzz_target!(|body: &[u8]| {
    if let Ok(delivery) = EventDelivery::parse(body, Timestamp::from_millis(1_800_000_000_000)) {
        let text = String::from_utf8_lossy(body).to_ascii_uppercase();
        let names_a_phone = ["SMS", "CALL", "VOICE", "\\U"].iter().any(|word| text.contains(word));
        assert!(delivery.phone_successes.is_empty() || names_a_phone);
    }
});
