//! What the checks look at, read once and before all checks.

use okta_twilio::{
    config::Variables,
    id::{SafeId, Sid},
    okta::OktaSecret,
    secrets::{HooksSecret, SecretError},
};
use secrecy::SecretString;

use crate::{
    aws::{Aws, AwsError, lambda::FunctionConfiguration, secrets_manager, sts},
    environment::Environment,
    okta::hooks::Channel,
    setup::memory::{Memory, Thing},
    stack::{Hook, Stack},
};

/// Everything that was read, or why it could not be read. `Ok(None)` means that it does not exist.
pub(crate) struct Facts {
    /// The account of the credentials.
    pub(crate) account: Result<String, AwsError>,
    pub(crate) stack: Result<Option<Stack>, AwsError>,
    pub(crate) telephony: Result<Option<FunctionConfiguration>, AwsError>,
    pub(crate) event: Result<Option<FunctionConfiguration>, AwsError>,
    /// The text of the hooks secret.
    pub(crate) hooks_text: Result<Option<SecretString>, AwsError>,
    /// The text of the Okta secret.
    pub(crate) okta_text: Result<Option<SecretString>, AwsError>,
    /// What `setup` has remembered, if that can be read.
    memory: Memory,
}

impl Facts {
    /// Reads.
    pub(crate) async fn gather(environment: &Environment) -> Self {
        let aws = match &environment.aws {
            Ok(aws) => aws,
            Err(error) => return Self::unreadable(error),
        };
        let account = sts::account(aws).await;
        let stack = Stack::find(aws, &environment.stack_name).await;
        let Ok(Some(known)) = &stack else {
            let (telephony, event, hooks_text, okta_text) = (Ok(None), Ok(None), Ok(None), Ok(None));
            return Self { account, stack, telephony, event, hooks_text, okta_text, memory: Memory::default() };
        };
        let telephony = known.function(aws, Hook::Telephony).await;
        let event = known.function(aws, Hook::Event).await;
        let hooks_text = hooks_text(aws, known).await;
        let memory = Memory::default();
        let mut facts = Self { account, stack, telephony, event, hooks_text, okta_text: Ok(None), memory };
        if let Some(id) = facts.variable("OKTA_SECRET_ID") {
            facts.okta_text = secrets_manager::value(aws, &id).await;
        }
        facts
    }

    /// Reads what `setup` remembers. Without the right to do so, a URL that it was given is not known, and the stack's
    /// is compared.
    pub(super) async fn remember(&mut self, environment: &Environment) {
        if let (Ok(aws), Ok(Some(stack))) = (&environment.aws, &self.stack) {
            self.memory = Memory::read(aws, stack).await.unwrap_or_default();
        }
    }

    fn unreadable(error: &AwsError) -> Self {
        Self {
            account: Err(error.clone()),
            stack: Err(error.clone()),
            telephony: Err(error.clone()),
            event: Err(error.clone()),
            hooks_text: Err(error.clone()),
            okta_text: Err(error.clone()),
            memory: Memory::default(),
        }
    }

    /// Where Okta finds a function: at the stack's URL, or at another one that `setup` was given.
    pub(crate) fn url(&self, hook: Hook) -> Option<&str> {
        self.memory.url(self.stack.as_ref().ok()?.as_ref()?, hook)
    }

    /// Whether a hook of Okta is that of a function: at its URL, or created by `setup`.
    pub(crate) fn is_ours(&self, hook: Hook, id: &SafeId, channel: &Channel) -> bool {
        let thing = match hook {
            Hook::Telephony => Thing::TelephonyHook,
            Hook::Event => Thing::EventHook,
        };
        self.memory.is_own_hook(thing, id, channel) || self.url(hook).is_some_and(|url| channel.is_at(url))
    }

    /// The configuration of a function, if the stack has it and it could be read.
    pub(crate) fn function(&self, hook: Hook) -> Option<&FunctionConfiguration> {
        let function = match hook {
            Hook::Telephony => &self.telephony,
            Hook::Event => &self.event,
        };
        function.as_ref().ok()?.as_ref()
    }

    /// The functions that could be read.
    pub(crate) fn functions(&self) -> impl Iterator<Item = (Hook, &FunctionConfiguration)> {
        Hook::ALL.into_iter().filter_map(|hook| Some((hook, self.function(hook)?)))
    }

    /// The log groups of the functions that could be read.
    pub(crate) fn log_groups(&self) -> Vec<String> {
        let mut groups: Vec<_> =
            self.functions().filter_map(|(_, function)| function.logging_config.log_group.clone()).collect();
        groups.dedup();
        groups
    }

    /// The value of a variable of the functions. Variables that both have are equal.
    pub(crate) fn variable(&self, name: &'static str) -> Option<String> {
        self.functions().find_map(|(_, function)| Variables::new(&|name| function.variable(name)).optional(name))
    }

    /// The hooks secret, read by the functions' own parser. `None` if it has no value or could not be fetched.
    pub(crate) fn hooks_secret(&self) -> Option<Result<HooksSecret, SecretError>> {
        let text = self.hooks_text.as_ref().ok()?.as_ref()?;
        let configured = self.variable("VERIFY_SERVICE_SID").and_then(|sid| Sid::parse(&sid, "VA"));
        Some(HooksSecret::read(text, configured.as_ref()))
    }

    /// The Okta secret, read by event-hook's own parser. `None` if it has no value or could not be fetched.
    pub(crate) fn okta_secret(&self) -> Option<Result<OktaSecret, SecretError>> {
        self.okta_text.as_ref().ok()?.as_ref().map(OktaSecret::read)
    }
}

async fn hooks_text(aws: &Aws, stack: &Stack) -> Result<Option<SecretString>, AwsError> {
    match stack.output("HooksSecretArn") {
        Some(id) => secrets_manager::value(aws, id).await,
        None => Ok(None),
    }
}
