//! System Log events in the form of Okta's deliveries.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use sandbox::events::{self, Engine, Factor, Okta};
use serde_json::Value;

/// A recent sign-in of Classic Engine with this factor.
pub(crate) fn sign_in(user_id: &str, factor: &'static str) -> Value {
    okta().authentication(Engine::Classic, named(factor), user_id).into_json()
}

/// A recent enrollment. Okta reports one for each channel of the phone.
pub(crate) fn enrollment(user_id: &str, factor: &'static str) -> Value {
    okta().enrollment(named(factor), user_id).into_json()
}

/// One delivery.
pub(crate) fn delivery(events: &[Value]) -> Value {
    events::envelope("b5a188b9-5ec5-4636-8c5e-7eeadf2ba5e2", events, now())
}

/// A time in Okta's format.
pub(crate) fn ago(age: Duration) -> String {
    events::timestamp(now() - age)
}

/// The same time in milliseconds since 1970.
pub(crate) fn millis_ago(age: Duration) -> i64 {
    let since = (now() - age).duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_millis()).expect("a time that is not far")
}

/// A new instance, so that the ids differ.
fn okta() -> Okta {
    static SEED: AtomicU64 = AtomicU64::new(1);
    Okta::new(SEED.fetch_add(1, Ordering::Relaxed), now())
}

fn named(name: &'static str) -> Factor {
    Factor { name, authenticator: "Phone", method: "SMS" }
}

#[expect(clippy::disallowed_methods, reason = "the test plays Okta, which has a clock of its own")]
fn now() -> SystemTime {
    SystemTime::now()
}
