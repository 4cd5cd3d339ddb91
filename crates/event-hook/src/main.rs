//! Lambda function behind Okta's event hook, and the consumer of its queue. Everything except the glue is in
//! `okta_twilio`.

use std::process::ExitCode;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use okta_twilio::{
    hooks::{
        events::EventHook,
        function::{Function, without_panic_text},
    },
    time::clock::Timestamp,
};
use serde_json::value::RawValue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let function = match Function::start("event-hook") {
        Ok(function) => function,
        Err(status) => return status,
    };
    let hook = match EventHook::build(&Function::variables(), function.clock()).await {
        Ok(hook) => hook,
        Err(error) => return function.cannot_start(error),
    };
    hook.prepare(function.log()).await;
    let (function, hook) = (&function, &hook);
    let response = |event: LambdaEvent<Box<RawValue>>| async move {
        let log = function.log_of_invocation(&event.context.request_id);
        let end = Timestamp::from_millis(i64::try_from(event.context.deadline).unwrap_or(i64::MAX));
        let handled = without_panic_text(hook.handle(event.payload.get(), end, &log)).await;
        handled
            .map_err(|panicked| Diagnostic { error_type: "Panicked".to_owned(), error_message: panicked.to_string() })
    };
    match lambda_runtime::run(service_fn(response)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
