//! Twilio's management APIs. A response's text is dropped, because it can hold what was sent.

pub(crate) mod attempts;
pub(crate) mod keys;
pub(crate) mod services;

use http::StatusCode;
use okta_twilio::{
    config::{self, ConfigError, Variables},
    http_client::CallError,
    secrets::TwilioCredentials,
    twilio::ErrorCode,
};
use secrecy::SecretString;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use url::Url;

use crate::call::{self, Response};

/// Entries of a page.
const PAGE_SIZE: &str = "1000";

/// Pages of a list at most.
const MAX_PAGES: usize = 200;

/// One of Twilio's hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    /// `verify.twilio.com`
    Verify,
    /// `api.twilio.com`
    Core,
    /// `iam.twilio.com`
    Iam,
}

/// Where Twilio's APIs are.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    verify: Url,
    core: Url,
    iam: Url,
}

impl Addresses {
    /// The functions' own address of Verify, and those of the other two. `TWILIO_API_URL` and `TWILIO_IAM_URL` of this
    /// program's environment replace the latter.
    ///
    /// # Errors
    /// Fails if a variable is no usable URL.
    pub(crate) fn new(verify: Url) -> Result<Self, ConfigError> {
        let variables = Variables::new(&config::environment);
        let address =
            |variable, default| variables.base_url(variable, default)?.map_or_else(|| config::default_url(default), Ok);
        let core = address("TWILIO_API_URL", "https://api.twilio.com")?;
        let iam = address("TWILIO_IAM_URL", "https://iam.twilio.com")?;
        Ok(Self { verify, core, iam })
    }

    fn of(&self, api: Api) -> &Url {
        match api {
            Api::Verify => &self.verify,
            Api::Core => &self.core,
            Api::Iam => &self.iam,
        }
    }
}

/// Why Twilio did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TwilioError {
    #[error("Twilio did not answer: {0}")]
    NoResponse(CallError),
    #[error("Twilio refused the credentials")]
    Unauthorized,
    #[error("these Twilio credentials lack the permission {permission}")]
    Forbidden { permission: &'static str },
    #[error("Twilio has nothing of this name in the account")]
    NotFound,
    #[error("Twilio's rate limit is reached: try again in a minute")]
    RateLimited,
    #[error("Twilio refused with {status}{}", code.map(|code| format!(", {code}")).unwrap_or_default())]
    Refused { status: u16, code: Option<u32> },
    #[error("Twilio answered in a form that this version does not know")]
    NotUnderstood,
}

impl TwilioError {
    /// What to do.
    pub(crate) fn advice(&self) -> &'static str {
        match self {
            Self::NoResponse(_) => "Check this machine's way to the Internet, and Twilio's status page.",
            Self::Unauthorized => "Use an API key of the right account and region that still exists.",
            Self::Forbidden { .. } => "Use credentials with more power for this command. The functions need no more.",
            Self::NotFound => "Check the sid and that the credentials belong to the same account.",
            Self::RateLimited => "Wait a minute, and run this command again.",
            Self::Refused { status, code } => ErrorCode::of(*code, *status).advice,
            Self::NotUnderstood => "Check TWILIO_VERIFY_URL, TWILIO_API_URL and TWILIO_IAM_URL.",
        }
    }

    fn of(response: &Response, permission: &'static str) -> Self {
        #[derive(Deserialize)]
        struct Body {
            code: Option<u32>,
        }
        let code = response.json::<Body>().and_then(|body| body.code).filter(|code| *code < 100_000);
        match (response.status, code) {
            (_, Some(20006)) | (StatusCode::FORBIDDEN, _) => Self::Forbidden { permission },
            (StatusCode::UNAUTHORIZED, _) => Self::Unauthorized,
            (StatusCode::NOT_FOUND, _) => Self::NotFound,
            (StatusCode::TOO_MANY_REQUESTS, _) => Self::RateLimited,
            (status, code) => Self::Refused { status: status.as_u16(), code },
        }
    }
}

/// Reads the credentials that Twilio's own tools use: `TWILIO_API_KEY` with `TWILIO_API_SECRET`, or
/// `TWILIO_ACCOUNT_SID` with `TWILIO_AUTH_TOKEN`. `None` if neither pair is complete.
pub(crate) fn credentials_of_environment() -> Option<TwilioCredentials> {
    let variables = Variables::new(&config::environment);
    let pair = |user, password| {
        let (user, password) = (variables.optional(user)?, variables.optional(password)?);
        Some(TwilioCredentials::new(user, SecretString::from(password)))
    };
    pair("TWILIO_API_KEY", "TWILIO_API_SECRET").or_else(|| pair("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"))
}

/// A client with its credentials.
pub(crate) struct Twilio {
    http: reqwest::Client,
    addresses: Addresses,
    credentials: TwilioCredentials,
}

impl Twilio {
    pub(crate) fn new(http: &reqwest::Client, addresses: &Addresses, credentials: TwilioCredentials) -> Self {
        Self { http: http.clone(), addresses: addresses.clone(), credentials }
    }

    /// The sid of the API key or of the account that it uses.
    pub(crate) fn user(&self) -> &str {
        self.credentials.user()
    }

    /// Reads one resource. `permission` is the one that a restricted key needs.
    ///
    /// # Errors
    /// Fails if Twilio does not respond, refuses, or answers in another form.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        (api, path): (Api, &str),
        query: &[(&str, &str)],
        permission: &'static str,
    ) -> Result<T, TwilioError> {
        let url = self.url(api, path, query);
        let response = call::repeatable(|| self.credentials.authenticate(self.http.get(url.clone()))).await;
        read(response, permission)
    }

    /// Reads all pages of a list. `key` names the list in a page.
    ///
    /// # Errors
    /// As [`Twilio::get`].
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        (api, path): (Api, &str),
        query: &[(&str, &str)],
        (key, permission): (&str, &'static str),
    ) -> Result<Vec<T>, TwilioError> {
        let mut found = Vec::new();
        self.pages((api, path), query, (key, permission), |entry| {
            found.push(entry);
            true
        })
        .await?;
        Ok(found)
    }

    /// Reads a list page by page, until `more` has enough. Returns whether `more` saw all it wanted: false if the list
    /// has more pages than this program reads.
    ///
    /// # Errors
    /// As [`Twilio::get`].
    pub(crate) async fn pages<T: DeserializeOwned>(
        &self,
        (api, path): (Api, &str),
        query: &[(&str, &str)],
        (key, permission): (&str, &'static str),
        mut more: impl FnMut(T) -> bool,
    ) -> Result<bool, TwilioError> {
        let mut url = self.url(api, path, query);
        url.query_pairs_mut().append_pair("PageSize", PAGE_SIZE);
        for _ in 0..MAX_PAGES {
            let build = || self.credentials.authenticate(self.http.get(url.clone()));
            let mut page: Value = read(call::repeatable(build).await, permission)?;
            let entries = page.get_mut(key).map(Value::take).ok_or(TwilioError::NotUnderstood)?;
            let entries: Vec<Value> = serde_json::from_value(entries).map_err(|_no_list| TwilioError::NotUnderstood)?;
            for entry in entries {
                let entry = serde_json::from_value(entry).map_err(|_other_form| TwilioError::NotUnderstood)?;
                if !more(entry) {
                    return Ok(true);
                }
            }
            match page.pointer("/meta/next_page_url").and_then(Value::as_str) {
                Some(next) => url = self.next(api, path, next)?,
                None => return Ok(true),
            }
        }
        Ok(false)
    }

    /// Changes a resource by a form.
    ///
    /// # Errors
    /// As [`Twilio::get`].
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        (api, path): (Api, &str),
        form: &[(&str, &str)],
        permission: &'static str,
    ) -> Result<T, TwilioError> {
        let request = self.credentials.authenticate(self.http.post(self.url(api, path, &[])).form(form));
        read(call::once(request).await, permission)
    }

    /// Deletes a resource. One that is gone is no error.
    ///
    /// # Errors
    /// Fails if Twilio does not respond, or refuses.
    pub(crate) async fn delete(&self, (api, path): (Api, &str), permission: &'static str) -> Result<(), TwilioError> {
        let url = self.url(api, path, &[]);
        let response = call::repeatable(|| self.credentials.authenticate(self.http.delete(url.clone()))).await;
        let response = response.map_err(TwilioError::NoResponse)?;
        if response.status.is_success() {
            return Ok(());
        }
        match TwilioError::of(&response, permission) {
            TwilioError::NotFound => Ok(()),
            error => Err(error),
        }
    }

    fn url(&self, api: Api, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.addresses.of(api).clone();
        url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// The next page. Its address is taken from Twilio's, but never its host: credentials go to one host only.
    fn next(&self, api: Api, path: &str, next: &str) -> Result<Url, TwilioError> {
        let next = Url::parse(next).map_err(|_no_url| TwilioError::NotUnderstood)?;
        let mut url = self.url(api, path, &[]);
        url.set_query(next.query());
        Ok(url)
    }
}

fn read<T: DeserializeOwned>(
    response: Result<Response, CallError>,
    permission: &'static str,
) -> Result<T, TwilioError> {
    let response = response.map_err(TwilioError::NoResponse)?;
    if !response.status.is_success() {
        return Err(TwilioError::of(&response, permission));
    }
    response.json().ok_or(TwilioError::NotUnderstood)
}
