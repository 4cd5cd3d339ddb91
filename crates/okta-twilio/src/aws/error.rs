//! What a failure of an AWS service means: one reading of the error codes for every service that the functions use.
//!
//! The same trouble has many codes: SQS alone spells denied access to a KMS key in two ways, by the protocol that the
//! answer came in. The HTTP status and SQS's `SenderFault` say little by themselves (SQS throttles with 400 and calls it
//! the sender's fault), so the code decides, and the status only where the code is not known.
//! Sources: the API references of SQS, Secrets Manager and DynamoDB ("Errors", "Common error types"); the list of
//! throttling codes in the SDK's own retry rules.

use aws_smithy_runtime_api::{client::result::SdkError, http::Response};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// Why an AWS service did not do what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwsFailure {
    /// Too many requests. Passes.
    Throttled,
    /// No answer in time, or the service failed. Passes.
    Unavailable,
    /// The function's role may not do this, or its credentials are refused.
    AccessDenied,
    /// The KMS key of the resource may not be used, is disabled or is gone.
    KeyDenied,
    /// The resource does not exist.
    NotFound,
    /// Any other refusal: asking again would give the same answer.
    Refused,
}

impl AwsFailure {
    /// Reads a failed call.
    pub fn of<E: ProvideErrorMetadata>(error: &SdkError<E, Response>) -> Self {
        match error {
            SdkError::ServiceError(refusal) => {
                Self::of_code(refusal.err().meta().code(), refusal.raw().status().as_u16())
            }
            // Could not be built, so that it will not be the next time either.
            SdkError::ConstructionFailure(_) => Self::Refused,
            _ => Self::Unavailable,
        }
    }

    /// Reads an error code. `status` is the HTTP status of the answer.
    pub fn of_code(code: Option<&str>, status: u16) -> Self {
        let code = code.unwrap_or_default();
        let has = |words: &[&str]| words.iter().any(|word| code.contains(word));
        if has(&["hrottl", "TooManyRequests", "LimitExceeded", "ThroughputExceeded", "SlowDown", "OverLimit"])
            || has(&["PriorRequestNotComplete", "TransactionInProgress"])
        {
            Self::Throttled
        } else if has(&["Internal", "ServiceUnavailable", "RequestTimeout", "DependencyTimeout", "WriteConflict"]) {
            Self::Unavailable
        } else if code.starts_with("KMS") || code.starts_with("Kms") || code == "DecryptionFailure" {
            Self::KeyDenied
        } else if has(&[
            "AccessDenied",
            "NotAuthorized",
            "Unauthorized",
            "AuthFailure",
            "InvalidSecurity",
            "OptInRequired",
        ]) || has(&["Token", "Signature", "UnrecognizedClient", "TimeTooSkewed", "RequestExpired"])
        {
            Self::AccessDenied
        } else if has(&["NonExistentQueue", "QueueDoesNotExist", "ResourceNotFound", "InvalidAddress"]) {
            Self::NotFound
        } else {
            match status {
                429 => Self::Throttled,
                401 | 403 => Self::AccessDenied,
                408 | 500.. => Self::Unavailable,
                _ => Self::Refused,
            }
        }
    }

    /// Whether the same request may succeed a moment later without anybody's help.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Throttled | Self::Unavailable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_decides() {
        for (code, failure) in [
            ("ThrottlingException", AwsFailure::Throttled),
            ("Throttling", AwsFailure::Throttled),
            ("RequestThrottled", AwsFailure::Throttled),
            ("KmsThrottled", AwsFailure::Throttled),
            ("KMS.ThrottlingException", AwsFailure::Throttled),
            ("TooManyRequestsException", AwsFailure::Throttled),
            ("ProvisionedThroughputExceededException", AwsFailure::Throttled),
            ("RequestLimitExceeded", AwsFailure::Throttled),
            ("LimitExceededException", AwsFailure::Throttled),
            ("SlowDown", AwsFailure::Throttled),
            ("InternalFailure", AwsFailure::Unavailable),
            ("InternalError", AwsFailure::Unavailable),
            ("InternalServerError", AwsFailure::Unavailable),
            ("InternalServiceError", AwsFailure::Unavailable),
            ("KMSInternalException", AwsFailure::Unavailable),
            ("ServiceUnavailable", AwsFailure::Unavailable),
            ("RequestTimeoutException", AwsFailure::Unavailable),
            ("ReplicatedWriteConflictException", AwsFailure::Unavailable),
            ("AccessDenied", AwsFailure::AccessDenied),
            ("AccessDeniedException", AwsFailure::AccessDenied),
            ("UnrecognizedClientException", AwsFailure::AccessDenied),
            ("ExpiredTokenException", AwsFailure::AccessDenied),
            ("InvalidClientTokenId", AwsFailure::AccessDenied),
            ("MissingAuthenticationTokenException", AwsFailure::AccessDenied),
            ("InvalidSignatureException", AwsFailure::AccessDenied),
            ("InvalidSecurity", AwsFailure::AccessDenied),
            ("KmsAccessDenied", AwsFailure::KeyDenied),
            ("KMS.AccessDeniedException", AwsFailure::KeyDenied),
            ("KmsDisabled", AwsFailure::KeyDenied),
            ("KMS.DisabledException", AwsFailure::KeyDenied),
            ("KmsInvalidState", AwsFailure::KeyDenied),
            ("KmsInvalidKeyUsage", AwsFailure::KeyDenied),
            ("KmsNotFound", AwsFailure::KeyDenied),
            ("KMS.NotFoundException", AwsFailure::KeyDenied),
            ("KmsOptInRequired", AwsFailure::KeyDenied),
            ("DecryptionFailure", AwsFailure::KeyDenied),
            ("AWS.SimpleQueueService.NonExistentQueue", AwsFailure::NotFound),
            ("QueueDoesNotExist", AwsFailure::NotFound),
            ("InvalidAddress", AwsFailure::NotFound),
            ("ResourceNotFoundException", AwsFailure::NotFound),
            ("AWS.SimpleQueueService.BatchRequestTooLong", AwsFailure::Refused),
            ("InvalidParameterException", AwsFailure::Refused),
            ("ValidationException", AwsFailure::Refused),
        ] {
            // Whatever the status: SQS throttles with 400, and a proxy may say 502 to anything.
            assert_eq!(AwsFailure::of_code(Some(code), 400), failure, "{code}");
        }
    }

    #[test]
    fn the_status_decides_where_no_code_is_known() {
        for (status, failure) in [
            (400, AwsFailure::Refused),
            (403, AwsFailure::AccessDenied),
            (429, AwsFailure::Throttled),
            (500, AwsFailure::Unavailable),
            (503, AwsFailure::Unavailable),
        ] {
            assert_eq!(AwsFailure::of_code(None, status), failure, "{status}");
            assert_eq!(AwsFailure::of_code(Some("SomethingNew"), status), failure, "{status}");
        }
        assert_eq!(AwsFailure::of_code(Some("AccessDenied"), 503), AwsFailure::AccessDenied);
    }

    #[test]
    fn only_throttling_and_failures_pass() {
        let passing = [AwsFailure::Throttled, AwsFailure::Unavailable];
        let lasting = [AwsFailure::AccessDenied, AwsFailure::KeyDenied, AwsFailure::NotFound, AwsFailure::Refused];
        assert!(passing.iter().all(|failure| failure.is_transient()));
        assert!(!lasting.iter().any(|failure| failure.is_transient()));
    }
}
