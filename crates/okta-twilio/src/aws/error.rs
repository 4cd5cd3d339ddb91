//! The meaning of AWS errors. All AWS services that the functions use share this classification.
//!
//! One cause has many codes. SQS alone has two codes for denied access to a KMS key, one for each protocol. The HTTP
//! status and SQS's `SenderFault` are not reliable: SQS throttles with 400 and blames the sender. So the code decides,
//! and the status counts only for an unknown code.
//! Sources: the API references of SQS, Secrets Manager and DynamoDB ("Errors", "Common error types"); the list of
//! throttling codes in the SDK's own retry rules.

use aws_smithy_runtime_api::{client::result::SdkError, http::Response};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// Why an AWS service did not do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwsFailure {
    /// There were too many requests. Transient.
    Throttled,
    /// The service did not respond in time, or it failed. Transient.
    Unavailable,
    /// The function's role lacks the permission, or AWS rejected its credentials.
    AccessDenied,
    /// The KMS key of the resource is disabled or deleted, or the role lacks permission for it.
    KeyDenied,
    /// The resource does not exist.
    NotFound,
    /// The service refused for another reason. The same request would get the same response.
    Refused,
}

impl AwsFailure {
    /// Classifies a failed call.
    pub fn of<E: ProvideErrorMetadata>(error: &SdkError<E, Response>) -> Self {
        match error {
            SdkError::ServiceError(refusal) => {
                Self::of_code(refusal.err().meta().code(), refusal.raw().status().as_u16())
            }
            // The request could not be built, and the next one could not be either.
            SdkError::ConstructionFailure(_) => Self::Refused,
            _ => Self::Unavailable,
        }
    }

    /// Classifies an error code. `status` is the HTTP status of the response.
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

    /// Whether the same request could succeed a moment later without a change by anyone.
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
            // The status does not matter: SQS throttles with 400, and a proxy may respond with 502 to anything.
            assert_eq!(AwsFailure::of_code(Some(code), 400), failure, "{code}");
        }
    }

    #[test]
    fn the_status_decides_for_an_unknown_code() {
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
    fn only_throttling_and_failures_are_transient() {
        let passing = [AwsFailure::Throttled, AwsFailure::Unavailable];
        let lasting = [AwsFailure::AccessDenied, AwsFailure::KeyDenied, AwsFailure::NotFound, AwsFailure::Refused];
        assert!(passing.iter().all(|failure| failure.is_transient()));
        assert!(!lasting.iter().any(|failure| failure.is_transient()));
    }
}
