//! The deployed stack, as the tool sees it.

use std::collections::HashMap;

use okta_twilio::id::SafeId;

use crate::{
    aws::{
        Aws, AwsError, cloudformation,
        lambda::{self, FunctionConfiguration},
    },
    failure::Failure,
};

/// The alias that the gateway invokes.
const ALIAS: &str = "live";

/// Which function, by its logical id in the templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    Telephony,
    Event,
}

impl Hook {
    pub(crate) const ALL: [Self; 2] = [Self::Telephony, Self::Event];

    fn logical_id(self) -> &'static str {
        match self {
            Self::Telephony => "TelephonyFunction",
            Self::Event => "EventFunction",
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Telephony => "telephony-hook",
            Self::Event => "event-hook",
        }
    }

    /// The output of the stack with the URL of the function.
    pub(crate) fn url_output(self) -> &'static str {
        match self {
            Self::Telephony => "TelephonyUrl",
            Self::Event => "EventsUrl",
        }
    }
}

/// A stack that exists.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) name: SafeId,
    /// Such as `UPDATE_COMPLETE`.
    pub(crate) status: String,
    outputs: HashMap<String, String>,
    resources: Vec<cloudformation::Resource>,
}

impl Stack {
    /// Finds the stack. `None` if there is none of this name in the region.
    ///
    /// # Errors
    /// Fails if CloudFormation cannot be asked.
    pub(crate) async fn find(aws: &Aws, name: &SafeId) -> Result<Option<Self>, AwsError> {
        let Some(description) = cloudformation::describe(aws, name.as_str()).await? else { return Ok(None) };
        let resources = cloudformation::resources(aws, name.as_str()).await?;
        let cloudformation::Description { status, outputs } = description;
        Ok(Some(Self { name: name.clone(), status, outputs, resources }))
    }

    /// Finds the stack, for a command that cannot do without.
    ///
    /// # Errors
    /// As [`Stack::find`], and if there is none.
    pub(crate) async fn require(aws: &Aws, name: &SafeId) -> Result<Self, Failure> {
        Self::find(aws, name).await?.ok_or_else(|| Failure::NoStack(name.clone()))
    }

    /// The value of an output. The README lists them.
    pub(crate) fn output(&self, name: &str) -> Option<&str> {
        self.outputs.get(name).map(String::as_str)
    }

    /// The physical ids of all resources of a type, such as `AWS::CloudWatch::Alarm`.
    pub(crate) fn resources(&self, kind: &str) -> impl Iterator<Item = &str> {
        let kind = kind.to_owned();
        self.resources
            .iter()
            .filter(move |resource| resource.kind == kind)
            .map(|resource| resource.physical_id.as_str())
    }

    /// The configuration of a function. `None` if the stack does not have it.
    ///
    /// # Errors
    /// Fails if Lambda cannot be asked.
    pub(crate) async fn function(&self, aws: &Aws, hook: Hook) -> Result<Option<FunctionConfiguration>, AwsError> {
        let resource = self.resources.iter().find(|resource| resource.logical_id == hook.logical_id());
        match resource {
            Some(resource) => lambda::configuration(aws, &resource.physical_id, ALIAS).await.map(Some),
            None => Ok(None),
        }
    }
}
