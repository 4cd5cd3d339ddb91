//! Feedback: reports to Twilio that the user typed the right code.
//!
//! Without feedback, Verify counts a user's sign-ins as unfinished verifications, blocks the number after five messages
//! (60203), and its Fraud Guard learns nothing. Okta's event names the user, but neither the number nor Twilio's
//! verification, so this module has to find the verification first. The sends table has its exact sid. Okta's API only
//! has the user's numbers. Duplicate feedback is harmless, because nothing is pending the second time.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    config::{ConfigError, Variables},
    id::SafeId,
    okta::{
        client::{OktaClient, OktaError},
        event::PhoneSuccess,
    },
    otp::sends::{self, SendsTable, StoredVerification, TableError},
    phone::PhoneNumber,
    reason::Reason,
    secrets::SecretError,
    telemetry::{FeedbackRecord, Log, LogEvent},
    time::{clock::Clock, deadline::Deadline},
    twilio::{
        Class, ErrorCode,
        client::{TwilioError, reason_of_no_response},
        verify::{Target, Updated, VerifyClient},
    },
};

/// Timeout of one call to Verify. Its updates take about 100 to 300 ms.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Timeout for a query of the sends table.
const TABLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Minimum and maximum timeout for deleting used items. A failure does not affect the event.
const FORGET_TIMEOUT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(300));

/// Processing of an event starts only if this much time is left.
const MIN_TIME: Duration = Duration::from_millis(300);

/// Grace period after the deadline. A call that ends by its own timeout reports a better reason than an interruption.
const GRACE: Duration = Duration::from_millis(100);

/// The configuration of feedback.
#[derive(Clone, Debug)]
pub struct FeedbackConfig {
    /// `FEEDBACK_MAX_AGE_SECONDS` (600): maximum age of an event for a search by phone number. By then a number may
    /// have a newer verification.
    pub max_age: Duration,
    /// `PHONE_SOURCE` (`factors`; `none` if there is a table and neither `OKTA_ORG_URL` nor `OKTA_SECRET_ID`): the Okta
    /// resources to query, in this order, if the table has no result.
    pub sources: Vec<PhoneSource>,
    /// `SENDS_TABLE` (none): the table in which telephony-hook stores accepted messages.
    pub sends_table: Option<String>,
}

/// The Okta resource that supplies the phone numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhoneSource {
    /// The phones that the user enrolled as factors.
    Factors,
    /// The numbers in the user's profile.
    Profile,
}

impl PhoneSource {
    /// The name in the log.
    fn as_str(self) -> &'static str {
        match self {
            Self::Factors => "factors",
            Self::Profile => "profile",
        }
    }
}

impl FeedbackConfig {
    /// Reads the variables of feedback.
    ///
    /// # Errors
    /// Fails at the first invalid variable.
    pub fn from_variables(variables: &Variables<'_>) -> Result<Self, ConfigError> {
        const SOURCE: &str = "PHONE_SOURCE";
        let age_help = ("must be a number of seconds from 1 to 86400", "600");
        let source_help = ("must be factors, profile, factors,profile or none", "factors");
        let sources = |value: &str| match value {
            "factors" => Some(vec![PhoneSource::Factors]),
            "profile" => Some(vec![PhoneSource::Profile]),
            "factors,profile" => Some(vec![PhoneSource::Factors, PhoneSource::Profile]),
            "none" => Some(Vec::new()),
            _ => None,
        };
        let sends_table = sends::table_name(variables)?;
        let has_okta = ["OKTA_ORG_URL", "OKTA_SECRET_ID"].iter().any(|variable| variables.optional(variable).is_some());
        let sources = match variables.read(SOURCE, source_help, sources)? {
            Some(none) if none.is_empty() && sends_table.is_none() => {
                return Err(ConfigError::new(SOURCE, "can be none only with SENDS_TABLE", "factors"));
            }
            Some(sources) => sources,
            None if sends_table.is_some() && !has_okta => Vec::new(),
            None => vec![PhoneSource::Factors],
        };
        Ok(Self {
            max_age: Duration::from_secs(variables.number("FEEDBACK_MAX_AGE_SECONDS", age_help, 1..=86_400, 600)?),
            sources,
            sends_table,
        })
    }
}

/// The result for one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedbackOutcome {
    /// The queue stores the event.
    Queued,
    /// Twilio marked the verification as approved.
    Approved,
    /// No verification needs this feedback.
    NotNeeded(Reason),
    /// Twilio did not receive the feedback.
    Failed(FeedbackFailure),
}

impl FeedbackOutcome {
    /// A failure that lasts until someone fixes its cause.
    pub fn permanent(reason: Reason) -> Self {
        Self::Failed(FeedbackFailure { reason, is_transient: false, retry_after: None })
    }

    /// A failure that can clear without a change by anyone.
    pub fn transient(reason: Reason) -> Self {
        Self::Failed(FeedbackFailure { reason, is_transient: true, retry_after: None })
    }

    /// Whether redelivery can help. Okta redelivers after a 503. A table without access counts too, because a new
    /// policy of the role takes some seconds to apply.
    pub fn needs_redelivery(&self) -> bool {
        use Reason::{TableForbidden, TableNotFound, TableRefused};
        let Self::Failed(failure) = self else { return false };
        failure.is_transient || matches!(failure.reason, TableForbidden | TableNotFound | TableRefused)
    }
}

/// Why Twilio did not receive the feedback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedbackFailure {
    /// The reason code.
    pub reason: Reason,
    /// Whether the failure can clear without a change by anyone.
    pub is_transient: bool,
    /// The wait that Okta or Twilio requested.
    pub retry_after: Option<Duration>,
}

impl FeedbackOutcome {
    /// The name in metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Approved => "approved",
            Self::NotNeeded(_) => "not_needed",
            Self::Failed(_) => "failed",
        }
    }

    /// The reason code of the result.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Queued => Reason::Queued,
            Self::Approved => Reason::Approved,
            Self::NotNeeded(reason) | Self::Failed(FeedbackFailure { reason, .. }) => *reason,
        }
    }
}

/// Sends feedback to Twilio.
#[derive(Clone)]
pub struct Feedback {
    config: FeedbackConfig,
    verify: VerifyClient,
    sends: Option<SendsTable>,
    okta: Option<OktaClient>,
    clock: Clock,
}

impl std::fmt::Debug for Feedback {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Feedback").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Feedback {
    /// Feedback to one Verify service. It queries `sends` first, and then `okta` if the configuration has a source for
    /// it.
    pub fn new(
        config: FeedbackConfig,
        verify: VerifyClient,
        sends: Option<SendsTable>,
        okta: Option<OktaClient>,
        clock: Clock,
    ) -> Self {
        Self { config, verify, sends, okta, clock }
    }

    /// Finds the verification, approves it within the deadline, and logs the result. `receive_count` comes from the
    /// queue.
    pub async fn give(
        &self,
        success: &PhoneSuccess,
        receive_count: Option<u32>,
        deadline: &Deadline,
        log: &Log,
    ) -> FeedbackOutcome {
        let started = Instant::now();
        let age_seconds = self.clock.now().as_secs().saturating_sub(success.published.as_secs());
        // The age is negative if Okta's clock is ahead of ours.
        let too_old = u64::try_from(age_seconds).is_ok_and(|age| Duration::from_secs(age) > self.config.max_age);
        let mut record = record_of(success, Reason::NoPendingVerification);
        (record.age_seconds, record.receive_count) = (Some(age_seconds), receive_count);
        let outcome = if self.sends.is_none() && too_old {
            FeedbackOutcome::NotNeeded(Reason::EventTooOld)
        } else if deadline.remaining() < MIN_TIME {
            FeedbackOutcome::transient(Reason::OutOfTime)
        } else {
            let search = Search { feedback: self, success, too_old, deadline, log, record: &mut record };
            // Each call has its own timeout, but a secret may have to be fetched first.
            let in_time = tokio::time::timeout(deadline.remaining() + GRACE, search.run()).await;
            in_time.unwrap_or_else(|_elapsed| FeedbackOutcome::transient(Reason::OutOfTime))
        };
        if outcome == FeedbackOutcome::Approved {
            let delay = self.clock.now().as_millis().saturating_sub(success.published.as_millis());
            record.delay_ms = Some(u64::try_from(delay).unwrap_or(0));
        }
        record.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        emit(outcome, record, log);
        outcome
    }
}

/// The log record of an event.
pub fn record_of(success: &PhoneSuccess, reason: Reason) -> FeedbackRecord {
    FeedbackRecord {
        user_id: Some(success.user_id.clone()),
        kind: Some(success.kind.as_str()),
        channel: Some(success.channel.as_str()),
        ..FeedbackRecord::new(Some(success.event_uuid.clone()), reason)
    }
}

/// Logs the result for an event.
pub fn emit(outcome: FeedbackOutcome, mut record: FeedbackRecord, log: &Log) {
    record.reason = outcome.reason();
    log.emit(&match outcome {
        FeedbackOutcome::Queued => LogEvent::FeedbackQueued(Box::new(record)),
        FeedbackOutcome::Approved => LogEvent::FeedbackApproved(Box::new(record)),
        FeedbackOutcome::NotNeeded(_) => LogEvent::FeedbackNotNeeded(Box::new(record)),
        FeedbackOutcome::Failed(failure) => {
            record.transient = failure.is_transient;
            LogEvent::FeedbackFailed(Box::new(record))
        }
    });
}

/// The search for one verification.
struct Search<'a> {
    feedback: &'a Feedback,
    success: &'a PhoneSuccess,
    /// The event is so old that a number may have a newer verification.
    too_old: bool,
    deadline: &'a Deadline,
    log: &'a Log,
    record: &'a mut FeedbackRecord,
}

impl Search<'_> {
    /// Queries the table first, then Okta.
    async fn run(mut self) -> FeedbackOutcome {
        let feedback = self.feedback;
        let mut unfound = Reason::NotRemembered;
        if let Some(sends) = &feedback.sends {
            match self.query_table(sends).await {
                Ok(outcome) => return outcome,
                Err(reason) => unfound = reason,
            }
        }
        match &feedback.okta {
            None => FeedbackOutcome::NotNeeded(unfound),
            Some(_) if self.too_old => FeedbackOutcome::NotNeeded(Reason::EventTooOld),
            Some(okta) => self.query_okta(okta).await,
        }
    }

    /// Tries the stored verifications of the user until Twilio finds one pending, and deletes the used ones. An error
    /// is the reason why nothing was found, if Okta may still help.
    async fn query_table(&mut self, sends: &SendsTable) -> Result<FeedbackOutcome, Reason> {
        let (user_id, happened) = (&self.success.user_id, self.success.published);
        let remembered = match sends.verifications_of(user_id, self.deadline.remaining_up_to(TABLE_TIMEOUT)).await {
            Ok(remembered) => remembered,
            Err(error) => return Ok(FeedbackOutcome::Failed(self.note_table(error))),
        };
        let candidates = sends::candidates(&remembered, self.success.channel, happened, self.feedback.clock.now());
        let unfound = if candidates.is_empty() { Reason::NotRemembered } else { Reason::NoPendingVerification };
        // A search by number would find the newer verification, but nobody has typed its code.
        let is_newer = |send: &StoredVerification| send.first_sent_at >= happened;
        let mut found =
            if remembered.iter().any(is_newer) { Ok(FeedbackOutcome::NotNeeded(unfound)) } else { Err(unfound) };
        let mut used = Vec::new();
        for candidate in candidates {
            let sid = &candidate.verification_sid;
            match self.approve(Target::Sid(sid)).await {
                Ok(Updated::Done { .. }) => {
                    used.push(sid.clone());
                    self.note_approved("sends", Some(sid.clone()));
                    found = Ok(FeedbackOutcome::Approved);
                    break;
                }
                Ok(Updated::NotPending) => used.push(sid.clone()),
                // This could be the right verification. Do not approve another one instead.
                Err(failure) => {
                    self.record.verification_sid = Some(sid.clone());
                    found = Ok(FeedbackOutcome::Failed(failure));
                    break;
                }
            }
        }
        let limit = self.deadline.remaining_up_to(FORGET_TIMEOUT.1).max(FORGET_TIMEOUT.0);
        if let Err(error) = sends.forget(user_id, &used, limit).await {
            self.record.table_failure = Some(error.reason());
        }
        found
    }

    /// Queries one source after another and tries one number after another, until Twilio finds a pending verification.
    async fn query_okta(mut self, okta: &OktaClient) -> FeedbackOutcome {
        let mut tried = Vec::new();
        let mut failure = None;
        for source in &self.feedback.config.sources {
            let numbers = match self.numbers(okta, *source).await {
                Ok(numbers) => numbers,
                Err(OktaError::UserNotFound) => return FeedbackOutcome::NotNeeded(Reason::UserNotFound),
                Err(error) => {
                    // The next source may still have a result.
                    failure = failure.or_else(|| Some(self.note_okta(error)));
                    continue;
                }
            };
            for number in numbers {
                if tried.contains(&number) {
                    continue;
                }
                self.record.numbers += 1;
                match self.approve(Target::Number(&number)).await {
                    Ok(Updated::Done { sid }) => {
                        self.note_approved(source.as_str(), sid);
                        self.record.phone = Some(number.masked());
                        return FeedbackOutcome::Approved;
                    }
                    Ok(Updated::NotPending) => tried.push(number),
                    // This could be the right number. Do not approve another one instead.
                    Err(failure) => return FeedbackOutcome::Failed(failure),
                }
            }
        }
        match failure {
            Some(failure) => FeedbackOutcome::Failed(failure),
            None if tried.is_empty() => {
                self.record.advice = Some(
                    "Okta returns no active phone of the user. Check the network zones of the enrollment policy, or PHONE_SOURCE.",
                );
                FeedbackOutcome::NotNeeded(Reason::NoPhone)
            }
            None => FeedbackOutcome::NotNeeded(Reason::NoPendingVerification),
        }
    }

    async fn numbers(&self, okta: &OktaClient, source: PhoneSource) -> Result<Vec<PhoneNumber>, OktaError> {
        let user = &self.success.user_id;
        match source {
            PhoneSource::Factors => okta.factor_phones(user, self.success.channel, self.deadline, self.log).await,
            PhoneSource::Profile => okta.profile_phones(user, self.deadline, self.log).await,
        }
    }

    /// Approves one verification.
    async fn approve(&mut self, target: Target<'_>) -> Result<Updated, FeedbackFailure> {
        let deadline = self.deadline.within(CALL_TIMEOUT);
        let updated = self.feedback.verify.approve(target, deadline, self.log).await;
        updated.map_err(|error| self.note_twilio(error))
    }

    fn note_approved(&mut self, source: &'static str, sid: Option<SafeId>) {
        self.record.source = Some(source);
        self.record.verification_sid = sid;
        self.record.advice = None;
    }

    fn note_table(&mut self, error: TableError) -> FeedbackFailure {
        self.record.table_failure = Some(error.reason());
        self.record.advice = Some(error.advice());
        FeedbackFailure { reason: error.reason(), is_transient: error.is_transient(), retry_after: None }
    }

    fn note_secret(&mut self, error: SecretError) -> FeedbackFailure {
        self.record.advice = Some("See secret_refresh_failed, and check HOOKS_SECRET_ID and the function's role.");
        FeedbackFailure { reason: Reason::SecretUnavailable, is_transient: error.is_transient(), retry_after: None }
    }

    fn note_okta(&mut self, error: OktaError) -> FeedbackFailure {
        self.record.advice = Some(error.advice());
        let retry_after = match error {
            OktaError::RateLimited { retry_after } => retry_after,
            _ => None,
        };
        FeedbackFailure { reason: error.reason(), is_transient: error.is_transient(), retry_after }
    }

    fn note_twilio(&mut self, error: TwilioError) -> FeedbackFailure {
        match error {
            TwilioError::NoCredentials(error) => self.note_secret(error),
            TwilioError::Unreadable => {
                FeedbackFailure { reason: Reason::TwilioFailed, is_transient: true, retry_after: None }
            }
            TwilioError::NoResponse(error) => {
                self.record.advice = Some("Check Twilio's status page and the function's internet access.");
                FeedbackFailure { reason: reason_of_no_response(error), is_transient: true, retry_after: None }
            }
            TwilioError::Refused(refusal) => {
                let code = ErrorCode::of(refusal.code, refusal.status);
                self.record.advice = Some(code.advice);
                self.record.twilio_code = refusal.code;
                self.record.twilio_status = Some(refusal.status);
                self.record.twilio_request_id = refusal.request_id;
                FeedbackFailure {
                    reason: code.reason,
                    is_transient: is_transient_refusal(&code, refusal.status),
                    retry_after: refusal.retry_after,
                }
            }
        }
    }
}

/// Whether Twilio may accept the feedback later. A known code decides, because a proxy can return any status.
fn is_transient_refusal(code: &ErrorCode, status: u16) -> bool {
    matches!(code.class, Class::Limit | Class::Service) || status == 408
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::lookup;

    fn read(list: &[(&'static str, &'static str)]) -> Result<FeedbackConfig, ConfigError> {
        FeedbackConfig::from_variables(&Variables::new(&lookup(list)))
    }

    #[test]
    fn has_defaults() {
        let config = read(&[]).unwrap();
        assert_eq!((config.max_age, config.sources), (Duration::from_secs(600), vec![PhoneSource::Factors]));
    }

    #[test]
    fn sources_are_read_in_order() {
        for (value, sources) in [
            ("factors", &[PhoneSource::Factors][..]),
            ("profile", &[PhoneSource::Profile]),
            ("factors,profile", &[PhoneSource::Factors, PhoneSource::Profile]),
            ("none", &[]),
        ] {
            assert_eq!(read(&[("SENDS_TABLE", "sends"), ("PHONE_SOURCE", value)]).unwrap().sources, sources);
        }
    }

    #[test]
    fn with_a_table_and_without_okta_variables_there_is_no_source() {
        let table = ("SENDS_TABLE", "sends");
        let sources = |list: &[_]| read(&[&[table], list].concat()).unwrap().sources;
        assert_eq!(sources(&[]), []);
        for set in
            [("OKTA_ORG_URL", "https://example.okta.com"), ("OKTA_SECRET_ID", "okta"), ("PHONE_SOURCE", "factors")]
        {
            assert_eq!(sources(&[set]), [PhoneSource::Factors], "{set:?}");
        }
    }

    #[test]
    fn twilios_code_decides_and_otherwise_the_status() {
        for (code, status, passes) in [
            (Some(20429), 429, true),
            (Some(20429), 400, true),
            (Some(20500), 400, true),
            (Some(20503), 503, true),
            (None, 429, true),
            (None, 502, true),
            (None, 408, true),
            (Some(20003), 401, false),
            (Some(20003), 503, false),
            (Some(20403), 500, false),
            (Some(60204), 403, false),
            (Some(99_999), 400, false),
            (None, 404, false),
        ] {
            assert_eq!(is_transient_refusal(&ErrorCode::of(code, status), status), passes, "{code:?} {status}");
        }
    }

    #[test]
    fn a_malformed_value_is_rejected() {
        for (variable, value) in [
            ("PHONE_SOURCE", "enrollments"),
            ("PHONE_SOURCE", "profile,factors"),
            ("SENDS_TABLE", "a table"),
            ("FEEDBACK_MAX_AGE_SECONDS", "0"),
            ("FEEDBACK_MAX_AGE_SECONDS", "10m"),
        ] {
            let error = read(&[(variable, value)]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{variable}: must be ")), "{error}");
        }
        let nothing = read(&[("PHONE_SOURCE", "none")]).unwrap_err().to_string();
        assert_eq!(nothing, "PHONE_SOURCE: can be none only with SENDS_TABLE; for example PHONE_SOURCE=factors");
    }
}
