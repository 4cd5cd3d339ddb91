//! The real program against stand-ins for AWS, Twilio and Okta.

mod doctor;
mod world;
