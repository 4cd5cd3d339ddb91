//! Everything as it is now, and the plan that follows from it.

use super::{
    SetupError,
    context::Context,
    memory::{Memory, Thing},
    okta,
    part::Part,
    secret::HooksFields,
    service_app, twilio,
    url::HookUrl,
};
use crate::{
    failure::Failure,
    plan::{Action, Closing, Plan, Step},
    stack::Hook,
};

const CLOSING: Closing = Closing {
    nothing: "Everything is set up. `okta-twilio doctor` checks it.",
    applied: "Set up and read again. Next: `okta-twilio doctor`.",
};

/// Everything as it is now, of the parts that are wanted.
pub(super) struct State {
    pub(super) secret: HooksFields,
    pub(super) memory: Memory,
    pub(super) twilio: Option<twilio::State>,
    pub(super) okta: Option<okta::State>,
    pub(super) service_app: Option<service_app::State>,
}

impl State {
    pub(super) async fn read(context: &Context<'_>) -> Result<Self, Failure> {
        let secret = HooksFields::read(context.aws, &context.stack).await?;
        secret.auth_secret()?;
        let memory = Memory::read(context.aws, &context.stack).await?;
        memory.check_room()?;
        let has_service = secret.service.is_some() || context.fixed_service.is_some();
        let twilio = if context.wants(Part::Twilio) {
            Some(twilio::State::read(context, &secret, &memory).await?)
        } else if has_service && secret.has_credentials {
            None
        } else {
            return Err(SetupError::TwilioFirst.into());
        };
        let okta = if context.options.wants_okta() { Some(okta::State::read(context, &memory).await?) } else { None };
        let service_app = match &context.source {
            Some(source) if context.wants(Part::ServiceApp) => {
                Some(service_app::State::read(source, context, &memory).await?)
            }
            _ => None,
        };
        Ok(Self { secret, memory, twilio, okta, service_app })
    }

    /// What a run that was broken off has made and could not remember, with its id.
    pub(super) fn unremembered(&self, context: &Context<'_>) -> Vec<(Thing, String)> {
        // A service that was given by --adopt is somebody else's, whatever its name.
        let twilio = self.twilio.iter().filter(|_| context.options.adopt.is_none());
        let twilio = twilio.flat_map(|twilio| twilio.found(&self.memory));
        let okta = self.okta.iter().flat_map(|okta| okta.found(&self.memory));
        let service_app = self.service_app.iter().flat_map(service_app::State::found);
        twilio.chain(okta).chain(service_app).filter(|(thing, _)| self.memory.creating(*thing).is_some()).collect()
    }

    /// Whether a run has announced a Verify service, and a person now gives another one.
    pub(super) fn is_announced_in_vain(&self, context: &Context<'_>) -> bool {
        context.options.adopt.is_some() && self.memory.creating(Thing::VerifyService).is_some()
    }

    /// The URLs that were given now and are not remembered.
    pub(super) fn new_urls<'a>(&self, context: &'a Context<'_>) -> Vec<(Hook, &'a HookUrl)> {
        let given = Hook::ALL.into_iter().filter_map(|hook| Some((hook, context.options.urls.get(hook)?)));
        given.filter(|(hook, url)| self.memory.url(&context.stack, *hook) != Some(url.as_str())).collect()
    }

    pub(super) fn plan(&self, context: &Context<'_>) -> Result<Plan, SetupError> {
        let mut plan = Plan::new(CLOSING);
        for (hook, url) in self.new_urls(context) {
            let what = format!("tags of the hooks secret: {} is at {}", hook.name(), url.as_str());
            plan.add(Step::Memory, Action::Change, what);
        }
        if !self.unremembered(context).is_empty() || self.okta.as_ref().is_some_and(okta::State::has_replaced) {
            plan.add(Step::Memory, Action::Change, "tags of the hooks secret: what a run that was broken off has made");
        }
        if self.is_announced_in_vain(context) {
            plan.add(Step::Memory, Action::Change, "tags of the hooks secret: no Verify service was created");
        }
        if let Some(twilio) = &self.twilio {
            twilio::plan(twilio, &self.secret, context, &mut plan)?;
        }
        if let Some(okta) = &self.okta {
            okta::plan(okta, context, &mut plan);
        }
        if let Some(service_app) = &self.service_app {
            service_app::plan(service_app, &mut plan);
        }
        if context.revokes_token && !plan.is_done() {
            plan.add(
                Step::OktaToken,
                Action::Delete,
                "the API token of this run, as the last step (not with --keep-token)",
            );
        }
        Ok(plan)
    }
}
