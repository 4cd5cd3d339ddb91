//! Random values from the operating system.

/// 32 hexadecimal digits, as in Twilio's and Okta's ids.
pub(crate) fn hex() -> String {
    format!("{:016x}{:016x}", number(), number())
}

pub(crate) fn number() -> u64 {
    #[expect(clippy::expect_used, reason = "nothing works on a machine whose system has no random numbers")]
    getrandom::u64().expect("random numbers from the operating system")
}
