//! Everything that is reachable on the sandbox's ports, and what concerns all parts of it.

use crate::activity::Activity;
use crate::okta::Okta;
use crate::options::Options;
use crate::twilio::Twilio;
use crate::twilio::faults::{Fault, Operation, Times};
use std::time::Duration;

pub(crate) struct Site {
    pub(crate) twilio: Twilio,
    pub(crate) okta: Okta,
    pub(crate) activity: Activity,
}

impl Site {
    pub(crate) fn new(options: Options) -> Self {
        Self { okta: Okta::new(options.okta.clone()), twilio: Twilio::new(options), activity: Activity::default() }
    }

    /// Orders a fault; returns whether idle connections have to be closed for it.
    pub(crate) fn add_fault(&self, operation: Operation, fault: Fault, times: Times) -> bool {
        // Connections are not of Okta or Twilio before something was read from them.
        let unread = fault == Fault::CloseBeforeReading;
        if operation.is_of_okta() && !unread {
            self.okta.add_fault(operation, fault, times);
        } else {
            self.twilio.add_fault(operation, fault, times);
        }
        unread
    }

    /// Those that are still to happen.
    pub(crate) fn faults(&self) -> Vec<(Operation, Fault, Times)> {
        let mut faults = self.twilio.faults();
        faults.extend(self.okta.faults());
        faults
    }

    pub(crate) fn clear_faults(&self) {
        self.twilio.clear_faults();
        self.okta.clear_faults();
    }

    pub(crate) fn advance(&self, duration: Duration) {
        self.twilio.advance(duration);
        self.okta.advance(duration);
    }

    /// Forgets everything but the clock.
    pub(crate) fn reset(&self) {
        self.twilio.reset();
        self.okta.reset();
    }
}
