//! The parts that the sandbox's ports serve, and the actions that concern all of them.

use crate::activity::Activity;
use crate::okta::Okta;
use crate::options::Options;
use crate::server::{Reply, Request};
use crate::story::{Door, Stories};
use crate::twilio::Twilio;
use crate::twilio::faults::{Fault, Operation, Times};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub(crate) struct Site {
    pub(crate) twilio: Twilio,
    pub(crate) okta: Okta,
    pub(crate) activity: Activity,
    pub(crate) stories: Arc<Stories>,
    /// The way to the functions, if they run.
    pub(crate) door: OnceLock<Arc<dyn Door>>,
}

impl Site {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            okta: Okta::new(options.okta.clone()),
            twilio: Twilio::new(options),
            activity: Activity::default(),
            stories: Arc::default(),
            door: OnceLock::new(),
        }
    }

    /// Handles a request to Okta or Twilio, and adds it to its story.
    pub(crate) fn answer(&self, request: &Request) -> Reply {
        if Okta::is_asked(request) {
            return self.okta.handle(request);
        }
        let (reply, traffic) = self.twilio.handle(request);
        let ends_a_verification = traffic.request.operation == Operation::VerifyUpdate;
        self.stories.twilio(traffic);
        if ends_a_verification {
            self.settle();
        }
        reply
    }

    /// Sets a fault. Returns whether idle connections must be closed for it.
    pub(crate) fn add_fault(&self, operation: Operation, fault: Fault, times: Times) -> bool {
        // Before a request is read, a connection belongs neither to Okta nor to Twilio.
        let unread = fault == Fault::CloseBeforeReading;
        if operation.is_of_okta() && !unread {
            self.okta.add_fault(operation, fault, times);
        } else {
            self.twilio.add_fault(operation, fault, times);
        }
        unread
    }

    /// The faults that have not happened yet.
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
        self.settle();
    }

    /// Removes everything except the clock.
    pub(crate) fn reset(&self) {
        self.twilio.reset();
        self.okta.reset();
        self.stories.reset();
    }

    /// Updates the stories with the current status of their verifications.
    pub(crate) fn settle(&self) {
        self.stories.settle(|sid| self.twilio.status(sid));
    }
}
