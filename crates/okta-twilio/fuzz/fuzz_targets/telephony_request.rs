//! The telephony hook parses or rejects any body, and its `Debug` never shows private data.

#![no_main]

use libfuzzer_sys::fuzz_target;
use okta_twilio::okta::telephony::OtpRequest;

fuzz_target!(|body: &[u8]| {
    if let Ok(request) = OtpRequest::parse(body) {
        assert!(format!("{:?}", request.code).contains("private"));
    }
});
