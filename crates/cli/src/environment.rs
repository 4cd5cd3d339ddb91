//! What every command needs: one HTTP client, AWS, and the name of the stack.

use okta_twilio::{config, http_client, id::SafeId, time::clock::Clock};

use crate::{
    arguments::Target,
    aws::{Aws, AwsError},
    failure::Failure,
};

/// The outside of a command.
pub(crate) struct Environment {
    /// The one client for AWS, Twilio, Okta and the hooks.
    pub(crate) http: reqwest::Client,
    /// AWS, or why it cannot be asked.
    pub(crate) aws: Result<Aws, AwsError>,
    /// Name of the stack.
    pub(crate) stack_name: SafeId,
    pub(crate) clock: Clock,
}

impl Environment {
    /// Reads the AWS configuration of the person who runs the command.
    ///
    /// # Errors
    /// Fails if the stack's name is none, or if the HTTP client cannot be built.
    pub(crate) async fn load(target: &Target) -> Result<Self, Failure> {
        let stack_name = SafeId::parse(&target.stack).ok_or(Failure::BadStackName("the value of --stack"))?;
        let clock = Clock::system();
        let http = http_client::build(config::environment("EXTRA_CA_FILE").as_deref())?;
        let aws = Aws::load(target.region.as_deref(), target.profile.as_deref(), &http, &clock).await;
        Ok(Self { http, aws, stack_name, clock })
    }

    /// AWS, for a command that cannot do without.
    ///
    /// # Errors
    /// Fails if there are no credentials or no region.
    pub(crate) fn aws(&self) -> Result<&Aws, Failure> {
        self.aws.as_ref().map_err(|error| Failure::Aws(error.clone()))
    }
}
