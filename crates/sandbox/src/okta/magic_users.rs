//! Users that always exist: one for each kind of result when a client asks Okta for a phone.

use crate::twilio::records::Channel;
use std::time::Duration;

/// A user with particular phones, or with a particular response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MagicUser {
    /// Okta's id of the user.
    pub id: &'static str,
    /// The enrolled phones, in the order in which Okta lists them.
    pub factors: &'static [MagicFactor],
    /// `profile.mobilePhone`
    pub mobile_phone: Option<&'static str>,
    /// `profile.primaryPhone`
    pub primary_phone: Option<&'static str>,
    /// The effect of a request for the user.
    pub effect: UserEffect,
    /// A description.
    pub meaning: &'static str,
}

/// A phone factor of a magic user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MagicFactor {
    /// `factorType`
    pub channel: Channel,
    /// `profile.phoneNumber`
    pub number: &'static str,
    /// `status`
    pub status: &'static str,
}

/// The effect of a request for a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserEffect {
    /// Okta responds normally.
    Found,
    /// 404 with E0000007.
    Deleted,
    /// 429 with E0000047 from the first request until the time in `X-Rate-Limit-Reset`, by the sandbox's clock. It
    /// happens once.
    Throttled(Duration),
    /// 403 with E0000006.
    Forbidden,
    /// 500 with E0000009.
    Failing,
    /// The response is delayed.
    RespondLate(Duration),
}

/// The magic user with this id, if there is one.
pub(crate) fn find(id: &str) -> Option<&'static MagicUser> {
    MAGIC_USERS.iter().find(|user| user.id == id)
}

const fn active(channel: Channel, number: &'static str) -> MagicFactor {
    MagicFactor { channel, number, status: "ACTIVE" }
}

const NO_PHONE: MagicUser = MagicUser {
    id: "00usandbox0nophone00",
    factors: &[],
    mobile_phone: None,
    primary_phone: None,
    effect: UserEffect::Found,
    meaning: "has no phone",
};

const ONE_PHONE: MagicUser = MagicUser {
    id: "00usandbox0onephone0",
    factors: &[active(Channel::Sms, "+12025550141")],
    meaning: "has one phone",
    ..NO_PHONE
};

/// All magic users. The README has the same table.
pub const MAGIC_USERS: &[MagicUser] = &[
    MagicUser {
        id: "00uyxxSknGtK8022w0g3",
        factors: &[active(Channel::Sms, "+12025550123"), active(Channel::Call, "+12025550123")],
        meaning: "the user of the recorded events: one phone, for SMS and calls",
        ..NO_PHONE
    },
    ONE_PHONE,
    MagicUser {
        id: "00usandbox0twophones",
        factors: &[active(Channel::Sms, "+12025550142"), active(Channel::Sms, "+12025550143")],
        meaning: "has two phones for SMS; the code went to the second",
        ..NO_PHONE
    },
    MagicUser {
        id: "00usandbox0smsncall0",
        factors: &[active(Channel::Sms, "+12025550144"), active(Channel::Call, "+12025550145")],
        meaning: "has one phone for SMS and another one for calls",
        ..NO_PHONE
    },
    MagicUser {
        id: "00usandbox0mobile000",
        mobile_phone: Some("+1 (202) 555-0146"),
        meaning: "has a phone in the profile only, as mobilePhone",
        ..NO_PHONE
    },
    MagicUser {
        id: "00usandbox0primary00",
        primary_phone: Some("+12025550147"),
        meaning: "has a phone in the profile only, as primaryPhone",
        ..NO_PHONE
    },
    MagicUser {
        id: "00usandbox0inactive0",
        factors: &[
            MagicFactor { channel: Channel::Sms, number: "+12025550148", status: "PENDING_ACTIVATION" },
            MagicFactor { channel: Channel::Call, number: "+12025550148", status: "INACTIVE" },
        ],
        meaning: "has a phone whose factors are not active",
        ..NO_PHONE
    },
    MagicUser {
        id: "00usandbox0formatted",
        factors: &[active(Channel::Sms, "+1-202-555-0149")],
        meaning: "has a phone whose number is written with dashes",
        ..NO_PHONE
    },
    NO_PHONE,
    MagicUser {
        id: "00usandbox0deleted00",
        effect: UserEffect::Deleted,
        meaning: "was deleted: 404, E0000007",
        ..NO_PHONE
    },
    MagicUser {
        id: "00usandbox0throttled",
        effect: UserEffect::Throttled(Duration::from_secs(5)),
        meaning: "meets a rate limit for 5 seconds, once: 429, E0000047; then as the one with one phone",
        ..ONE_PHONE
    },
    MagicUser {
        id: "00usandbox0forbidden",
        effect: UserEffect::Forbidden,
        meaning: "the token does not have permission to read the user: 403, E0000006",
        ..NO_PHONE
    },
    MagicUser {
        id: "00usandbox0failing00",
        effect: UserEffect::Failing,
        meaning: "makes Okta fail: 500, E0000009",
        ..NO_PHONE
    },
    MagicUser {
        id: "00usandbox0slow00000",
        effect: UserEffect::RespondLate(Duration::from_secs(6)),
        meaning: "gets a response after 6 seconds; else as the one with one phone",
        ..ONE_PHONE
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_id_is_one_of_okta_and_is_there_once() {
        let ids: BTreeSet<_> = MAGIC_USERS.iter().map(|user| user.id).collect();
        assert_eq!(ids.len(), MAGIC_USERS.len());
        for id in ids {
            assert!(
                id.len() == 20 && id.starts_with("00u") && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
                "{id}"
            );
        }
    }

    #[test]
    fn the_readme_shows_the_table() {
        let rows: Vec<_> = MAGIC_USERS.iter().map(|user| format!("| `{}` | {} |\n", user.id, user.meaning)).collect();
        let table = rows.concat();
        assert!(include_str!("../../README.md").contains(&table), "the README must hold:\n{table}");
    }
}
