//! The least that a Lambda function with an HTTP front can be. It calls nothing.

use lambda_http::{Error, Request, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(|_request: Request| async { Ok::<_, Error>("Hello") })).await
}
