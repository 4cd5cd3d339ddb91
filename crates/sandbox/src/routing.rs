//! Selects the part of the site that handles a request.

use crate::control;
use crate::server::{Handler, Reply, Request};
use crate::site::Site;

impl Handler for Site {
    fn admits_connection(&self) -> bool {
        self.twilio.admits_connection()
    }

    fn handle(&self, request: Request) -> Reply {
        if let Some(reply) = control::handle(self, &request) {
            return reply;
        }
        let reply = self.answer(&request);
        self.activity.request_handled();
        reply
    }
}
