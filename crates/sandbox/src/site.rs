//! Which part of the sandbox answers a request.

use crate::server::{Handler, Reply, Request};
use crate::twilio::Twilio;
use std::sync::Arc;

/// Everything that is reachable on the sandbox's ports.
pub(crate) struct Site {
    pub(crate) twilio: Arc<Twilio>,
}

impl Handler for Site {
    fn admits_connection(&self) -> bool {
        self.twilio.admits_connection()
    }

    fn handle(&self, request: Request) -> Reply {
        self.twilio.handle(&request)
    }
}
