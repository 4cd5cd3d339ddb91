//! What `setup` has made: tags of the hooks secret.
//!
//! A tag is written before something is created, and again with its id right after. So a run that ends between a
//! creation and its tag leaves a trace, and the next run can tell its own things from those of other people.

use std::collections::BTreeMap;

use okta_twilio::id::SafeId;

use super::{SetupError, url::HookUrl};
use crate::{
    aws::{Aws, secrets_manager},
    failure::Failure,
    okta::hooks::{Channel, plain},
    stack::{Hook, Stack},
};

/// Tags that a secret can have. Source: AWS, "`TagResource`" of Secrets Manager.
const MAX_TAGS: usize = 50;

/// The first word of a tag whose thing is about to be created.
const CREATING: &str = "creating";

/// The first word of a tag whose thing is about to be deleted.
const DELETING: &str = "deleting";

/// Something that is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Thing {
    /// The Verify service that setup created.
    VerifyService,
    /// The API key that setup created.
    TwilioKey,
    /// The telephony inline hook that setup created.
    TelephonyHook,
    /// The event hook that setup created.
    EventHook,
    /// The telephony hook of others that setup deactivates now.
    DeactivatedHook,
    /// The telephony hook of others that was active before.
    PreviousHook,
    /// The service app that setup created.
    ServiceApp,
    /// The custom role that setup created for it.
    Role,
    /// The resource set that setup created for it.
    ResourceSet,
    /// The built-in telephony connection that setup has switched off.
    Connection,
    /// The second one.
    SecondConnection,
}

impl Thing {
    const ALL: [Self; 11] = [
        Self::VerifyService,
        Self::TwilioKey,
        Self::TelephonyHook,
        Self::EventHook,
        Self::DeactivatedHook,
        Self::PreviousHook,
        Self::ServiceApp,
        Self::Role,
        Self::ResourceSet,
        Self::Connection,
        Self::SecondConnection,
    ];

    /// The key of its tag.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::VerifyService => "okta-twilio:verify-service",
            Self::TwilioKey => "okta-twilio:twilio-key",
            Self::TelephonyHook => "okta-twilio:inline-hook",
            Self::EventHook => "okta-twilio:event-hook",
            Self::DeactivatedHook => "okta-twilio:deactivated-hook",
            Self::PreviousHook => "okta-twilio:previous-hook",
            Self::ServiceApp => "okta-twilio:service-app",
            Self::Role => "okta-twilio:role",
            Self::ResourceSet => "okta-twilio:resource-set",
            Self::Connection => "okta-twilio:connection",
            Self::SecondConnection => "okta-twilio:second-connection",
        }
    }
}

/// What a tag says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trace {
    /// It was about to be created. The mark finds it again.
    Creating(SafeId),
    /// It was created, and has this id.
    Made(SafeId),
    /// It was created, and teardown was about to delete it.
    Deleting(SafeId),
}

impl Trace {
    fn parse(value: &str) -> Option<Self> {
        match value.split_once(' ') {
            Some((CREATING, mark)) => SafeId::parse(mark).map(Self::Creating),
            Some((DELETING, id)) => SafeId::parse(id).map(Self::Deleting),
            Some(_) => None,
            None if value == CREATING || value == DELETING => None,
            None => SafeId::parse(value).map(Self::Made),
        }
    }

    /// The value of the tag. Each character of it is allowed in tags, and there are fewer than 256.
    fn value(&self) -> String {
        match self {
            Self::Creating(mark) => format!("{CREATING} {mark}"),
            Self::Made(id) => id.to_string(),
            Self::Deleting(id) => format!("{DELETING} {id}"),
        }
    }
}

/// The key of the tag with a URL that was given.
fn url_tag(hook: Hook) -> &'static str {
    match hook {
        Hook::Telephony => "okta-twilio:telephony-url",
        Hook::Event => "okta-twilio:events-url",
    }
}

fn keys() -> impl Iterator<Item = &'static str> {
    Thing::ALL.into_iter().map(Thing::tag).chain(Hook::ALL.into_iter().map(url_tag))
}

/// Everything that is remembered.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    traces: BTreeMap<Thing, Trace>,
    /// The URLs that setup was given.
    urls: Vec<(Hook, HookUrl)>,
    /// How many tags the secret has besides.
    others: usize,
}

impl Memory {
    /// Reads the tags.
    ///
    /// # Errors
    /// Fails if they cannot be read.
    pub(crate) async fn read(aws: &Aws, stack: &Stack) -> Result<Self, Failure> {
        let tags = secrets_manager::tags(aws, secret_id(stack)?).await?;
        let others = tags.keys().filter(|key| keys().all(|own| own != *key));
        let others = others.filter(|key| !key.starts_with("aws:")).count();
        let trace = |thing: Thing| Some((thing, Trace::parse(tags.get(thing.tag())?)?));
        let url = |hook: Hook| Some((hook, HookUrl::parse(tags.get(url_tag(hook))?).ok()?));
        let (traces, urls) = (Thing::ALL.into_iter().filter_map(trace), Hook::ALL.into_iter().filter_map(url));
        Ok(Self { traces: traces.collect(), urls: urls.collect(), others })
    }

    /// Whether everything can be remembered.
    ///
    /// # Errors
    /// Fails if the secret has so many other tags that setup cannot add its own.
    pub(crate) fn check_room(&self) -> Result<(), SetupError> {
        if self.others + keys().count() > MAX_TAGS { Err(SetupError::TooManyTags) } else { Ok(()) }
    }

    /// Whether nothing is remembered.
    pub(crate) fn is_empty(&self) -> bool {
        self.traces.is_empty() && self.urls.is_empty()
    }

    /// Where Okta finds a function: at the URL that setup was given, or at the stack's. `None` if there is neither.
    pub(crate) fn url<'a>(&'a self, stack: &'a Stack, hook: Hook) -> Option<&'a str> {
        let given = self.urls.iter().find(|(of, _)| *of == hook);
        given.map(|(_, url)| url.as_str()).or_else(|| stack.output(hook.url_output()))
    }

    /// What is remembered of a thing.
    pub(crate) fn get(&self, thing: Thing) -> Option<&Trace> {
        self.traces.get(&thing)
    }

    /// The ids of all things that were made, by the keys of their tags.
    pub(crate) fn all_made(&self) -> BTreeMap<&'static str, &SafeId> {
        Thing::ALL.into_iter().filter_map(|thing| Some((thing.tag(), self.made(thing)?))).collect()
    }

    /// The id of a thing that was made.
    pub(crate) fn made(&self, thing: Thing) -> Option<&SafeId> {
        match self.get(thing)? {
            Trace::Made(id) | Trace::Deleting(id) => Some(id),
            Trace::Creating(_) => None,
        }
    }

    /// Whether teardown was about to delete a thing.
    pub(crate) fn is_deleting(&self, thing: Thing) -> bool {
        matches!(self.get(thing), Some(Trace::Deleting(_)))
    }

    /// Whether setup has created this hook, or has announced one at its URL and was broken off.
    pub(crate) fn is_own_hook(&self, thing: Thing, id: &SafeId, channel: &Channel) -> bool {
        match self.get(thing) {
            Some(Trace::Made(made) | Trace::Deleting(made)) => made == id,
            Some(Trace::Creating(mark)) => channel.url().is_some_and(|url| mark_of(&url) == mark.as_str()),
            None => false,
        }
    }

    /// The mark of a thing that was about to be created.
    pub(crate) fn creating(&self, thing: Thing) -> Option<&SafeId> {
        match self.get(thing)? {
            Trace::Creating(mark) => Some(mark),
            Trace::Made(_) | Trace::Deleting(_) => None,
        }
    }
}

/// Remembers that something is about to be created.
///
/// # Errors
/// Fails if the tag cannot be written, or the mark is no id.
pub(crate) async fn announce(aws: &Aws, stack: &Stack, thing: Thing, mark: &str) -> Result<(), Failure> {
    let mark = SafeId::parse(mark).ok_or(SetupError::NoSid)?;
    write(aws, stack, thing, &Trace::Creating(mark)).await
}

/// Remembers the id of something that was made.
///
/// # Errors
/// Fails if the tag cannot be written, or the text is no id.
pub(crate) async fn remember(aws: &Aws, stack: &Stack, thing: Thing, id: &str) -> Result<(), Failure> {
    let id = SafeId::parse(id).ok_or(SetupError::NoSid)?;
    write(aws, stack, thing, &Trace::Made(id)).await
}

/// Remembers that something is about to be deleted.
///
/// # Errors
/// Fails if the tag cannot be written.
pub(crate) async fn announce_deletion(aws: &Aws, stack: &Stack, thing: Thing, id: &SafeId) -> Result<(), Failure> {
    write(aws, stack, thing, &Trace::Deleting(id.clone())).await
}

/// Forgets things. One that is not remembered is no error.
///
/// # Errors
/// Fails if the tags cannot be removed.
pub(crate) async fn forget(aws: &Aws, stack: &Stack, things: &[Thing]) -> Result<(), Failure> {
    let keys: Vec<_> = things.iter().map(|thing| thing.tag()).collect();
    Ok(secrets_manager::untag(aws, secret_id(stack)?, &keys).await?)
}

/// Forgets everything.
///
/// # Errors
/// As [`forget`].
pub(crate) async fn forget_all(aws: &Aws, stack: &Stack) -> Result<(), Failure> {
    Ok(secrets_manager::untag(aws, secret_id(stack)?, &keys().collect::<Vec<_>>()).await?)
}

/// Remembers the URL of a hook. That of the stack itself needs no tag.
///
/// # Errors
/// Fails if the tag cannot be written or removed.
pub(crate) async fn remember_url(aws: &Aws, stack: &Stack, hook: Hook, url: &HookUrl) -> Result<(), Failure> {
    let (id, key) = (secret_id(stack)?, url_tag(hook));
    if stack.output(hook.url_output()) == Some(url.as_str()) {
        Ok(secrets_manager::untag(aws, id, &[key]).await?)
    } else {
        Ok(secrets_manager::tag(aws, id, key, url.as_str()).await?)
    }
}

async fn write(aws: &Aws, stack: &Stack, thing: Thing, trace: &Trace) -> Result<(), Failure> {
    Ok(secrets_manager::tag(aws, secret_id(stack)?, thing.tag(), &trace.value()).await?)
}

fn secret_id(stack: &Stack) -> Result<&str, SetupError> {
    stack.output("HooksSecretArn").ok_or(SetupError::NoOutput("HooksSecretArn"))
}

/// The mark of a hook that is about to be created: its URL finds it again.
pub(crate) fn mark_of_hook(url: &str) -> String {
    mark_of(&plain(url).unwrap_or_default())
}

/// A mark of a name that people chose (FNV-1a). It shows nothing of the name, and is the same in every version.
pub(crate) fn mark_of(name: &str) -> String {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("name-{:016x}", name.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_holds_a_trace_and_nothing_else() {
        let id = || SafeId::parse("VA00000000000000000000000000000001").unwrap();
        for (trace, value) in [
            (Trace::Made(id()), "VA00000000000000000000000000000001"),
            (Trace::Creating(id()), "creating VA00000000000000000000000000000001"),
            (Trace::Deleting(id()), "deleting VA00000000000000000000000000000001"),
        ] {
            assert_eq!(trace.value(), value);
            assert_eq!(Trace::parse(value), Some(trace));
        }
        for other in ["", "creating", "creating ", "creating a b", "deleting", "made a", "a text", "+12025550123"] {
            assert_eq!(Trace::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_mark_is_an_id_that_shows_nothing_of_the_name() {
        assert_eq!(mark_of("foobar"), "name-85944171f73967e8");
        assert!(SafeId::parse(&mark_of("Müller & Söhne")).is_some());
    }
}
