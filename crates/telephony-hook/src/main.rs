//! Lambda function behind Okta's telephony inline hook. Everything except the glue is in `okta_twilio`.

use std::{convert::Infallible, process::ExitCode};

use lambda_runtime::{LambdaEvent, service_fn};
use okta_twilio::{
    hooks::{function::Function, telephony::TelephonyHook},
    time::clock::Timestamp,
};
use serde_json::value::RawValue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let function = match Function::start("telephony-hook") {
        Ok(function) => function,
        Err(status) => return status,
    };
    let hook = match TelephonyHook::build(&Function::variables(), function.clock()).await {
        Ok(hook) => hook,
        Err(error) => return function.cannot_start(error),
    };
    hook.prepare(function.log()).await;
    let (function, hook) = (&function, &hook);
    let response = |event: LambdaEvent<Box<RawValue>>| async move {
        let log = function.log_of_invocation(&event.context.request_id);
        let end = Timestamp::from_millis(i64::try_from(event.context.deadline).unwrap_or(i64::MAX));
        Ok::<_, Infallible>(hook.handle(event.payload.get(), end, &log).await.into_event())
    };
    match lambda_runtime::run(service_fn(response)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
