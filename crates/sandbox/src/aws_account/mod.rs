//! An AWS account with one deployed stack, for tests of the command line tool.
//!
//! One address serves every service, as an emulator does: `AWS_ENDPOINT_URL` leads to it. Each request must be signed for
//! its service. The signature itself is not checked. A test changes the account by [`AwsAccount::change`].

mod alarms;
mod cloudformation;
mod function;
mod logs;
mod protocol;
mod secrets;
mod sqs;
mod sts;
mod tags;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State as Extracted,
    http::{HeaderMap, Method, Uri},
    response::Response,
};

use self::protocol::{Call, Refusal};
pub use self::{
    alarms::Alarm,
    cloudformation::Stack,
    function::Function,
    logs::LogGroup,
    sqs::{Queue, queue_url},
};
use crate::{gate::Gate, loopback::Server};

/// A running account.
pub struct AwsAccount {
    server: Server,
    account: Arc<Mutex<Account>>,
}

/// What is in the account.
#[derive(Debug, Default)]
pub struct Account {
    /// The stack.
    pub stack: Option<Stack>,
    /// The secrets, by ARN. One without a value was created and never filled.
    pub secrets: BTreeMap<String, Option<String>>,
    /// The tags of the secrets, by ARN and key.
    pub tags: BTreeMap<String, BTreeMap<String, String>>,
    staged: Vec<secrets::StagedVersion>,
    /// What another writer makes current right after the next version was staged.
    pub other_writer: Option<String>,
    /// When a caller has changed a secret, by ARN, since 1970.
    pub changed: BTreeMap<String, Duration>,
    /// For how long no other secret was changed, in days.
    pub secret_age_days: u32,
    /// The queues, by name.
    pub queues: BTreeMap<String, Queue>,
    /// The alarms, by name.
    pub alarms: BTreeMap<String, Alarm>,
    /// The log groups, by name.
    pub log_groups: BTreeMap<String, LogGroup>,
    queries: BTreeMap<String, logs::Query>,
    /// IAM actions that the caller lacks, such as `lambda:GetFunctionConfiguration`.
    pub denied: BTreeSet<&'static str>,
    /// The IAM action whose next response is lost: it is carried out, and the caller gets 500.
    pub lost: Option<&'static str>,
    /// After so many requests, the caller has lost its rights.
    pub refuses_after: Option<u32>,
    /// Holds one of the requests.
    pub gate: Option<Gate>,
    /// Whether the caller's session has ended.
    pub is_expired: bool,
    /// The IAM actions that were used, in order.
    pub used: Vec<String>,
}

impl AwsAccount {
    /// Starts with a stack in which all is well.
    pub fn start(stack: Stack) -> Self {
        let account = Arc::new(Mutex::new(Account { stack: Some(stack), ..Account::default() }));
        let server = Server::start(Router::new().fallback(handle).with_state(Arc::clone(&account)));
        Self { server, account }
    }

    /// For `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// The variables of a person who is signed in to this account.
    pub fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "example-of-a-secret-access-key".to_owned()),
            ("AWS_REGION", crate::aws::REGION.to_owned()),
        ]
    }

    /// Changes the account.
    pub fn change<T>(&self, change: impl FnOnce(&mut Account) -> T) -> T {
        change(&mut lock(&self.account))
    }
}

fn lock(account: &Mutex<Account>) -> MutexGuard<'_, Account> {
    account.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn handle(
    Extracted(account): Extracted<Arc<Mutex<Account>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let call = match Call::read(&method, &uri, &headers, &body) {
        Ok(call) => call,
        Err(refusal) => return refusal.into_response(protocol::Protocol::Json),
    };
    let protocol = call.protocol;
    let (answer, gate) = {
        let mut account = lock(&account);
        (account.answer(&call), account.gate.clone())
    };
    if let Some(gate) = gate {
        gate.pass().await;
    }
    match answer {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(protocol),
    }
}

impl Account {
    fn answer(&mut self, call: &Call) -> Result<Response, Refusal> {
        let action = format!("{}:{}", call.service, call.operation);
        self.used.push(action.clone());
        if self.is_expired {
            return Err(Refusal::new(403, "ExpiredToken"));
        }
        let is_over = self.refuses_after == Some(0);
        self.refuses_after = self.refuses_after.map(|left| left.saturating_sub(1));
        if is_over || self.denied.contains(action.as_str()) {
            return Err(Refusal::new(403, "AccessDenied"));
        }
        let answer = self.carry_out(&action, call);
        match self.lost.take_if(|lost| *lost == action) {
            Some(_) => Err(Refusal::new(500, "InternalFailure")),
            None => answer,
        }
    }

    fn carry_out(&mut self, action: &str, call: &Call) -> Result<Response, Refusal> {
        match action {
            "sts:GetCallerIdentity" => Ok(sts::identity()),
            "cloudformation:DescribeStacks" => cloudformation::describe(self, call),
            "cloudformation:ListStackResources" => cloudformation::resources(self, call),
            "lambda:GetFunctionConfiguration" => function::configuration(self, call),
            "secretsmanager:GetSecretValue" => secrets::value(self, call),
            "secretsmanager:DescribeSecret" => secrets::describe(self, call),
            "secretsmanager:PutSecretValue" => secrets::put(self, call),
            "secretsmanager:TagResource" => tags::tag(self, call),
            "secretsmanager:UntagResource" => tags::untag(self, call),
            "secretsmanager:UpdateSecretVersionStage" => secrets::update_stage(self, call),
            "sqs:GetQueueUrl" => sqs::url(self, call),
            "sqs:GetQueueAttributes" => sqs::attributes(self, call),
            "cloudwatch:DescribeAlarms" => alarms::describe(self, call),
            "logs:DescribeLogGroups" => logs::describe_groups(self, call),
            "logs:StartQuery" => logs::start_query(self, call),
            "logs:GetQueryResults" => logs::query_results(self, call),
            _ => Err(Refusal::new(400, "InvalidAction")),
        }
    }
}
