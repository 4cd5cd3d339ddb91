//! The ladder of `RESEND_CHANNELS`: the channel for a repeated request of the same user for the same number.

use std::time::Duration;

use crate::{
    config::{ConfigError, Variables},
    id::SafeId,
    otp::sends::{SendsTable, TableError, ToMac},
    phone::{Channel, PhoneNumber},
    secrets::HooksSecret,
    time::{clock::Timestamp, deadline::Deadline},
};

/// If the table does not respond within this time, the request uses the first channel.
const MAX_TIME: Duration = Duration::from_millis(150);

/// `RESEND_CHANNELS` (none): the channels of the second, third … request. The last one applies to all further requests.
///
/// # Errors
/// Fails if it has an unknown channel, or if there is no table to count the requests.
pub fn resend_channels(variables: &Variables<'_>, sends_table: Option<&str>) -> Result<Vec<Channel>, ConfigError> {
    const VARIABLE: &str = "RESEND_CHANNELS";
    const EXAMPLE: &str = "sms,call";
    let channel = |text: &str| {
        [Channel::Sms, Channel::WhatsApp, Channel::Call].into_iter().find(|channel| channel.as_str() == text)
    };
    let channels = variables.list(VARIABLE, ("must be channels: sms, whatsapp or call", EXAMPLE), channel)?;
    if !channels.is_empty() && sends_table.is_none() {
        return Err(ConfigError::new(VARIABLE, "needs SENDS_TABLE, which counts a user's requests", EXAMPLE));
    }
    Ok(channels)
}

/// The input to find the step of one request.
pub(super) struct Ladder<'a> {
    pub(super) channels: &'a [Channel],
    pub(super) table: &'a SendsTable,
    pub(super) user_id: &'a SafeId,
    pub(super) secret: &'a HooksSecret,
}

/// The step of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Resend {
    /// How many messages the user received at this number within the last ten minutes. `None` if the table was not
    /// queried.
    pub(super) earlier_sends: Option<u32>,
    /// The channel of this request. `None` for the first request.
    pub(super) channel: Option<Channel>,
    /// Why the table did not respond. The request then counts as the first one.
    pub(super) failure: Option<TableError>,
}

impl Ladder<'_> {
    /// Queries the table.
    pub(super) async fn step(&self, to: &PhoneNumber, now: Timestamp, deadline: &Deadline) -> Resend {
        let Some(to_mac) = mark(self.secret, to) else {
            return Resend::default();
        };
        // Boxed, because the SDK's future is deeply nested and not every send uses it.
        let limit = deadline.remaining_up_to(MAX_TIME);
        match Box::pin(self.table.ladder_step(self.user_id, &to_mac, now, limit)).await {
            Ok(earlier_sends) => Resend {
                earlier_sends: Some(earlier_sends),
                channel: channel_of_step(self.channels, earlier_sends),
                failure: None,
            },
            Err(error) => Resend { failure: Some(error), ..Resend::default() },
        }
    }
}

/// A mark that shows only whether two sends went to the same number.
pub(super) fn mark(secret: &HooksSecret, to: &PhoneNumber) -> Option<ToMac> {
    Some(ToMac::of(to, &secret.twilio.derive_key(ToMac::PURPOSE)?))
}

/// The channel after this number of messages. `None` for the first request. The last channel applies to all further
/// requests.
fn channel_of_step(channels: &[Channel], earlier_sends: u32) -> Option<Channel> {
    let index = usize::try_from(earlier_sends).unwrap_or(usize::MAX).checked_sub(1)?;
    channels.get(index).or(channels.last()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::lookup;

    #[test]
    fn the_ladder_begins_with_the_second_request_and_its_last_step_stays() {
        let channels = [Channel::Sms, Channel::WhatsApp, Channel::Call];
        let steps = [0, 1, 2, 3, 4, u32::MAX].map(|sends| channel_of_step(&channels, sends));
        let (sms, whatsapp, call) = (Some(Channel::Sms), Some(Channel::WhatsApp), Some(Channel::Call));
        assert_eq!(steps, [None, sms, whatsapp, call, call, call]);
        assert_eq!(channel_of_step(&[], 3), None);
    }

    #[test]
    fn the_variable_names_channels_and_needs_the_table() {
        let read = |value, table| resend_channels(&Variables::new(&lookup(&[("RESEND_CHANNELS", value)])), table);
        assert_eq!(read("", None), Ok(Vec::new()));
        assert_eq!(read("sms, call", Some("sends")), Ok(vec![Channel::Sms, Channel::Call]));
        for (value, table) in
            [("call", None), ("email", Some("sends")), ("sms,", Some("sends")), ("SMS", Some("sends"))]
        {
            let error = read(value, table).unwrap_err().to_string();
            assert!(
                error.starts_with("RESEND_CHANNELS: ") && error.ends_with("; for example RESEND_CHANNELS=sms,call")
            );
        }
    }
}
