//! Values that nobody can guess.

/// 32 hexadecimal digits, as Twilio's and Okta's ids have.
pub(crate) fn hex() -> String {
    format!("{:016x}{:016x}", number(), number())
}

pub(crate) fn number() -> u64 {
    #[expect(clippy::expect_used, reason = "nothing works on a machine whose system has no random numbers")]
    getrandom::u64().expect("random numbers from the operating system")
}
