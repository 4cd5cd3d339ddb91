//! The output of the functions: log events from one closed list, and metrics in CloudWatch's embedded format.
//!
//! | To change | Look at |
//! |---|---|
//! | the text of an event, or add an event | [`catalogue`], [`record`], and `docs/logging.md` |
//! | which types are safe to log | [`safe`] |
//! | the keys that every line has, or how a line is printed | [`log`] |
//! | a metric, its unit or its dimensions | [`metrics`] |

pub mod catalogue;
pub mod log;
pub mod metrics;
pub mod record;
pub mod safe;

pub use catalogue::{LogEvent, Readiness};
pub use log::Log;
pub use metrics::{Metric, Metrics, StackName};
pub use record::{ConfigurationWarning, FeedbackRecord, LookupFailure, SendRecord};
