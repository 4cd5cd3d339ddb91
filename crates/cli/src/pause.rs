//! `okta-twilio pause` and `okta-twilio resume`: change the field `paused` of the hooks secret, and nothing else.

use std::process::ExitCode;

use clap::Args;
use okta_twilio::{
    json,
    phone::{Channel, Region},
    secrets::Pause,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use crate::{
    aws::{Aws, secrets_manager},
    environment::Environment,
    failure::Failure,
    secret_fields::Fields,
    stack::Stack,
    terminal::Terminal,
};

/// The options of `pause`.
#[derive(Debug, Args)]
pub(crate) struct PauseOptions {
    /// What to pause: `all`, or countries (NG), `001` (numbers without a country), sms, whatsapp, call
    #[arg(required = true, value_name = "WHAT")]
    what: Vec<What>,
    #[command(flatten)]
    secret: SecretOption,
}

/// The options of `resume`.
#[derive(Debug, Args)]
pub(crate) struct ResumeOptions {
    /// What to resume [default: everything]
    #[arg(value_name = "WHAT")]
    what: Vec<What>,
    #[command(flatten)]
    secret: SecretOption,
}

#[derive(Debug, Args)]
struct SecretOption {
    /// Name or ARN of the hooks secret [default: the secret of the stack]
    #[arg(long, env = "HOOKS_SECRET_ID", value_name = "ID")]
    secret: Option<String>,
}

/// One word of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    All,
    Channel(Channel),
    Region(Region),
}

impl std::str::FromStr for What {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let channel = [Channel::Sms, Channel::WhatsApp, Channel::Call]
            .into_iter()
            .find(|channel| channel.as_str().eq_ignore_ascii_case(text));
        match (text, channel) {
            (_, Some(channel)) => Ok(Self::Channel(channel)),
            (text, None) if text.eq_ignore_ascii_case("all") => Ok(Self::All),
            (text, None) => {
                text.parse().map(Self::Region).map_err(|_unknown| "neither all, a country, 001, sms, whatsapp nor call")
            }
        }
    }
}

/// The new value of the field, as it is stored and printed.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Paused {
    Everything(bool),
    Names(Vec<String>),
}

impl Paused {
    fn of(pause: &Pause) -> Self {
        if pause.is_of_everything() {
            return Self::Everything(true);
        }
        let regions = pause.regions().iter().map(ToString::to_string);
        Self::Names(regions.chain(pause.channels().iter().map(|channel| channel.as_str().to_owned())).collect())
    }

    fn add(self, what: &[What]) -> Self {
        let Self::Names(mut names) = self else { return self };
        if what.contains(&What::All) {
            return Self::Everything(true);
        }
        for name in what.iter().filter_map(|what| what.name()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Self::Names(names)
    }

    fn remove(self, what: &[What]) -> Result<Self, Failure> {
        if what.is_empty() || what.contains(&What::All) {
            return Ok(Self::Names(vec![]));
        }
        let Self::Names(mut names) = self else { return Err(Failure::EverythingIsPaused) };
        let removed: Vec<_> = what.iter().filter_map(|what| what.name()).collect();
        names.retain(|name| !removed.contains(name));
        Ok(Self::Names(names))
    }

    /// The field's JSON. `None` if nothing is paused: the field is then left out.
    fn json(&self) -> Option<String> {
        match self {
            Self::Names(names) if names.is_empty() => None,
            paused => serde_json::to_string(paused).ok(),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Everything(_) => "Everything is paused".to_owned(),
            Self::Names(names) if names.is_empty() => "Nothing is paused".to_owned(),
            Self::Names(names) => format!("Paused: {}", names.join(", ")),
        }
    }
}

impl What {
    fn name(self) -> Option<String> {
        match self {
            Self::All => None,
            Self::Channel(channel) => Some(channel.as_str().to_owned()),
            Self::Region(region) => Some(region.to_string()),
        }
    }
}

/// Adds to what is paused.
///
/// # Errors
/// Fails if the secret cannot be read or written, or is no JSON object.
pub(crate) async fn pause(
    options: &PauseOptions,
    environment: &Environment,
    terminal: Terminal,
) -> Result<ExitCode, Failure> {
    change(&options.secret, environment, terminal, |paused| Ok(paused.add(&options.what))).await
}

/// Removes from what is paused.
///
/// # Errors
/// As [`pause`], and if everything is paused and only a part shall be resumed.
pub(crate) async fn resume(
    options: &ResumeOptions,
    environment: &Environment,
    terminal: Terminal,
) -> Result<ExitCode, Failure> {
    change(&options.secret, environment, terminal, |paused| paused.remove(&options.what)).await
}

async fn change(
    option: &SecretOption,
    environment: &Environment,
    terminal: Terminal,
    change: impl FnOnce(Paused) -> Result<Paused, Failure>,
) -> Result<ExitCode, Failure> {
    let aws = environment.aws()?;
    terminal.progress("Reading the hooks secret");
    let id = secret_id(option, environment, aws).await?;
    let old = secrets_manager::current(aws, &id).await?.ok_or(Failure::NoHooksSecret)?;
    let text = json::readable(old.text.expose_secret()).ok_or(Failure::HooksSecretUnreadable)?;
    let fields = Fields::parse(&text).ok_or(Failure::HooksSecretUnreadable)?;
    let pause = fields.get("paused").map_or(Ok(Pause::default()), |json| Pause::parse(json.get()));
    // The functions treat an unreadable value as a pause of everything.
    let before = Paused::of(&pause.unwrap_or_else(|_unreadable| Pause::everything()));
    let before_json = before.json();
    let after = change(before)?;
    if after.json() != before_json {
        terminal.progress("Writing the hooks secret");
        let text = SecretString::from(fields.with("paused", after.json().as_deref()));
        secrets_manager::replace(aws, &id, &old, &text).await?;
    }
    if terminal.is_json() {
        terminal.print_json(&serde_json::json!({ "paused": after }))?;
    } else {
        terminal.print(&format!("{}. The functions notice within twice SECRET_TTL_SECONDS.", after.words()))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn secret_id(option: &SecretOption, environment: &Environment, aws: &Aws) -> Result<String, Failure> {
    if let Some(id) = &option.secret {
        return Ok(id.clone());
    }
    let stack = Stack::require(aws, &environment.stack_name).await?;
    stack.output("HooksSecretArn").map(str::to_owned).ok_or(Failure::NoHooksSecret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_paused_adds_up() {
        let names = |list: &[&str]| Paused::Names(list.iter().map(ToString::to_string).collect());
        let what = |list: &[&str]| list.iter().map(|word| word.parse().unwrap()).collect::<Vec<What>>();
        assert_eq!(names(&["NG"]).add(&what(&["call", "ng", "GB"])), names(&["NG", "call", "GB"]));
        assert_eq!(names(&["NG"]).add(&what(&["all"])), Paused::Everything(true));
        assert_eq!(names(&["NG", "call"]).remove(&what(&["NG"])).unwrap(), names(&["call"]));
        assert_eq!(Paused::Everything(true).remove(&[]).unwrap(), names(&[]));
        assert!(Paused::Everything(true).remove(&what(&["NG"])).is_err());
        assert!("XX".parse::<What>().is_err() && "email".parse::<What>().is_err());
    }
}
