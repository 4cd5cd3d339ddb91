//! Okta's telephony and event hooks, answered through Twilio Verify: everything that is not Lambda glue.
//!
//! | Module | What it is |
//! |---|---|
//! | [`telephony_hook`], [`event_hook`] | the two hooks from request to answer |
//! | [`send`], [`feedback`] | the two use cases: send a code, tell that it was right |
//! | [`policy`], [`lookup`] | whether to send, and what is known of the number |
//! | [`okta`] | what Okta sends and expects |
//! | [`twilio`] | what Twilio offers |
//! | [`auth`], [`gateway`] | who calls, and how the gateway hands it over |
//! | [`phone`], [`country`], [`private`] | numbers and codes, which no log ever shows |
//! | [`queue`] | where feedback waits until Twilio has been told |
//! | [`config`], [`secrets`] | variables and secrets |
//! | [`function`], [`hook`] | what both binaries do around their invocations, and both hooks within them |
//! | [`http_client`], [`deadline`], [`clock`] | one client, one deadline, one clock |
//! | [`logging`], [`metrics`], [`reason`] | what is told of all that |

pub mod auth;
pub mod clock;
pub mod config;
pub mod country;
pub mod deadline;
pub mod event_hook;
pub mod feedback;
pub mod function;
pub mod gateway;
pub mod hook;
pub mod http_client;
pub mod logging;
pub mod lookup;
pub mod metrics;
pub mod okta;
pub mod phone;
pub mod policy;
pub mod private;
pub mod queue;
pub mod reason;
pub mod secrets;
pub mod send;
pub mod telephony_hook;
pub mod twilio;
