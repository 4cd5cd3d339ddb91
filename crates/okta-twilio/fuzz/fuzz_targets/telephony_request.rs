//! Any body at the telephony hook is read or refused, and never shows what is private.

#![no_main]

use libfuzzer_sys::fuzz_target;
use okta_twilio::okta::telephony::OtpRequest;

fuzz_target!(|body: &[u8]| {
    if let Ok(request) = OtpRequest::parse(body) {
        assert!(format!("{:?}", request.code).contains("private"));
    }
});
