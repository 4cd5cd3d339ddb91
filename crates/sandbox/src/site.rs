//! Which part of the sandbox answers a request.

use crate::activity::Activity;
use crate::okta::Okta;
use crate::server::{Handler, Reply, Request};
use crate::twilio::Twilio;
use std::sync::Arc;

/// Everything that is reachable on the sandbox's ports.
pub(crate) struct Site {
    pub(crate) twilio: Arc<Twilio>,
    pub(crate) okta: Arc<Okta>,
    pub(crate) activity: Arc<Activity>,
}

impl Handler for Site {
    fn admits_connection(&self) -> bool {
        self.twilio.admits_connection()
    }

    fn handle(&self, request: Request) -> Reply {
        let reply = if Okta::is_asked(&request) { self.okta.handle(&request) } else { self.twilio.handle(&request) };
        self.activity.request_handled();
        reply
    }
}
