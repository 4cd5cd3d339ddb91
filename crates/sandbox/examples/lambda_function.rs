//! A small Lambda function for the tests of `sandbox::lambda`. Its event determines its behaviour.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "it stands for any function, not for the project's two"
)]

use std::{env, future::pending, process};

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if let Ok(reason) = env::var("FAIL_INIT") {
        return Err(reason.into());
    }
    run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    println!("{}", json!({ "event": "received", "request_id": event.context.request_id }));
    match event.payload["do"].as_str() {
        Some("fail") => Err("as asked".into()),
        Some("crash") => process::exit(3),
        Some("hang") => pending().await,
        Some("measure") => Ok(json!(event.payload["text"].as_str().map(str::len))),
        Some("print") => {
            println!("{}", event.payload["text"].as_str().unwrap_or_default());
            Ok(Value::Null)
        }
        Some("fill") => Ok(json!("x".repeat(usize::try_from(event.payload["bytes"].as_u64().unwrap_or_default())?))),
        _ => Ok(json!({
            "payload": event.payload,
            "request_id": event.context.request_id,
            "deadline": event.context.deadline,
            "arn": event.context.invoked_function_arn,
            "environment": env::vars().collect::<std::collections::BTreeMap<_, _>>(),
        })),
    }
}
