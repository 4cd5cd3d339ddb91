//! Everything that is reachable on the sandbox's ports, and what concerns all parts of it.

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
    /// Where functions run that can be asked.
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

    /// Answers a request to Okta or Twilio, and adds it to its story.
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
        self.settle();
    }

    /// Forgets everything but the clock.
    pub(crate) fn reset(&self) {
        self.twilio.reset();
        self.okta.reset();
        self.stories.reset();
    }

    /// Brings the stories up to what has become of their verifications.
    pub(crate) fn settle(&self) {
        self.stories.settle(|sid| self.twilio.status(sid));
    }
}
