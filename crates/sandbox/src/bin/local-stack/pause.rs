//! `make pause` and `make resume`: change the field `paused` of the hooks secret of the stack that `make dev` runs.

use sandbox::{aws_emulator, deployment::HOOKS_SECRET_ID};
use serde_json::{Value, json};

use crate::{error::Error, invoke, terminal::Terminal};

/// Pauses what `names` lists, such as `NG,call`, or everything (`true`). Nothing else of the secret changes.
pub(crate) fn pause(names: &str, terminal: Terminal) -> Result<(), Error> {
    let paused = match names.trim() {
        "true" => json!(true),
        names => json!(names.split(',').map(str::trim).collect::<Vec<_>>()),
    };
    set(&paused)?;
    terminal.say(format!("paused: {paused}. The functions notice within twice SECRET_TTL_SECONDS."))
}

/// Ends a pause.
pub(crate) fn resume(terminal: Terminal) -> Result<(), Error> {
    set(&Value::Null)?;
    terminal.say("nothing is paused. The functions notice within twice SECRET_TTL_SECONDS.")
}

fn set(paused: &Value) -> Result<(), Error> {
    aws_emulator::change_secret(&invoke::running("aws")?, HOOKS_SECRET_ID, "paused", paused).map_err(Error::Aws)
}
