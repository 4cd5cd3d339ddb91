"""Okta's event hook, which reports what happened, and the queue of the function that receives its deliveries."""

import copy
import dataclasses
import datetime
import hashlib
import json
from typing import Callable

from . import gateway
from .gateway import ACCOUNT, moment, timestamp
from .scene import Group, Json, Scene, identifier, uuid, without_none

FUNCTION = "event-hook"
HOOK_ID = "whoTwVerifyExample01"
PATH = "/events"
CHALLENGE = "x-okta-verification-challenge"
QUEUE_ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}:okta-twilio-feedback.fifo"

FRESH = "2099-12-31T23:59:59.000Z"
"""Time of publication of events that count on any day that the file is replayed: never too old."""

# Users that the sandbox's Okta knows, and their numbers.
USER = "00uyxxSknGtK8022w0g3"
USERS_NUMBER = "+12025550123"
ONE_PHONE = "00usandbox0onephone0"
ONE_PHONES_NUMBER = "+12025550141"
TWO_PHONES = "00usandbox0twophones"
SECOND_PHONES_NUMBER = "+12025550143"
SMS_AND_CALL = "00usandbox0smsncall0"
CALLED_NUMBER = "+12025550145"
MOBILE_IN_PROFILE = "00usandbox0mobile000"
MOBILE_NUMBER = "+12025550146"
NUMBER_WITH_DASHES = "00usandbox0formatted"
NUMBER_WITHOUT_DASHES = "+12025550149"
NO_PHONE = "00usandbox0nophone00"
DELETED = "00usandbox0deleted00"
THROTTLED = "00usandbox0throttled"
FORBIDDEN = "00usandbox0forbidden"
FAILING = "00usandbox0failing00"
ADMIN = "00uExampleAdminUs0h7"

Change = Callable[[Json], None]


@dataclasses.dataclass(frozen=True)
class Feedback:
    """The expected result of a delivery, or of a batch of the queue."""

    status: int | None = 200
    """Status of the response; none for a batch."""
    reason: str | None = None
    """The reason code of a rejection."""
    location: str | None = None
    """Its `location`."""
    pending: tuple[str, ...] = ()
    """Numbers with a pending verification before the event."""
    feedback: tuple[str, ...] = ()
    """The outcome of each phone event: `outcome` or `outcome: reason`, sorted."""
    approved: tuple[str, ...] = ()
    """Numbers with an approved verification after the event, sorted."""
    batch_failures: tuple[str, ...] | None = None
    """The messages of a batch that stay in the queue."""

    def index(self) -> dict[str, Json]:
        return without_none(
            status=self.status,
            reason=self.reason,
            location=self.location,
            pending=list(self.pending),
            feedback=list(self.feedback),
            approved=list(self.approved),
            batch_failures=None if self.batch_failures is None else list(self.batch_failures),
        )

    def response(self) -> str:
        if self.batch_failures is not None:
            count = len(self.batch_failures)
            return "all done" if count == 0 else f"{count} stay{'s' if count == 1 else ''} in the queue"
        location = f" at `{self.location}`" if self.location else ""
        return f"{self.status} `{self.reason}`{location}" if self.reason else str(self.status)

    def outcome(self) -> str:
        counts = {word: self.feedback.count(word) for word in self.feedback}
        words = [f"`{word}`" if count == 1 else f"{count} × `{word}`" for word, count in counts.items()]
        return ", ".join(words) or "nothing"


@dataclasses.dataclass(frozen=True)
class Factor:
    name: str
    """`debugContext.debugData.factor`"""
    authenticator: str
    """The name in the Identity Engine."""
    method: str
    """`methodTypeUsed` of the Identity Engine."""


SMS = Factor("SMS_FACTOR", "Phone", "SMS")
CALL = Factor("CALL_FACTOR", "Phone", "VOICE")
PASSWORD = Factor("PASSWORD_AS_FACTOR", "Password", "Password")
PUSH = Factor("OKTA_VERIFY_PUSH", "Okta Verify", "Get a push notification")

OTHER_FACTORS = {
    "password": ("A password, which Identity Engine counts as a factor.", PASSWORD),
    "okta-verify-push": ("Okta Verify: the user confirmed a notification.", PUSH),
    "okta-verify-fastpass": ("Okta FastPass.", Factor("SIGNED_NONCE", "Okta Verify", "Use Okta FastPass")),
    "okta-verify-code": ("Okta Verify: the user typed a code.", Factor("OKTA_SOFT_TOKEN", "Okta Verify", "Enter a code")),
    "webauthn": ("A security key.", Factor("FIDO_WEBAUTHN", "Security Key or Biometric", "WebAuthn")),
    "email": ("A code by e-mail.", Factor("EMAIL_FACTOR", "Email", "EMAIL")),
    "google-authenticator": ("Google Authenticator.", Factor("GOOGLE_OTP", "Google Authenticator", "Enter a code")),
    "soft-token": ("A code from another app.", Factor("SOFT_TOKEN", "Custom OTP", "Enter a code")),
    "security-question": (
        "A security question.",
        Factor("SECURITY_QUESTION", "Security Question", "Security Question"),
    ),
    "securid": ("RSA SecurID.", Factor("SECURID_FACTOR", "RSA SecurID", "Enter a code")),
    "symantec-vip": ("Symantec VIP.", Factor("SYMANTEC_TOKEN", "Symantec VIP", "Enter a code")),
    "yubikey-otp": ("A YubiKey's code.", Factor("YUBIKEY_OTP_FACTOR", "YubiKey OTP", "YubiKey")),
    "duo": ("Duo.", Factor("DUO_SECURITY", "Duo Security", "Duo")),
    "smart-card": ("A smart card.", Factor("SMART_CARD", "Smart Card Authenticator", "PIV")),
    "lookalike": (
        "A factor whose name contains a phone's.",
        Factor("CUSTOM_SMS_FACTOR_X", "Custom OTP", "Custom SMS"),
    ),
}
"""Every factor that is not a phone."""


def user(user_id: str) -> Json:
    return {
        "id": user_id,
        "type": "User",
        "alternateId": "ottilie.wolkenstein@example.com",
        "displayName": "Ottilie Wolkenstein",
        "detailEntry": None,
    }


def log_event(name: str, number: int, user_id: str) -> Json:
    """The fields of every System Log event, as the hook delivers it. `number` distinguishes the events of one delivery."""
    request_id = identifier(name, f"request {number}", 27)
    place = {
        "city": "San Jose",
        "state": "California",
        "country": "United States",
        "postalCode": "95101",
        "geolocation": {"lat": 37.3388, "lon": -121.8914},
    }
    return {
        "uuid": uuid(name, f"event {number}"),
        "published": FRESH,
        "eventType": None,
        "version": "0",
        "displayMessage": None,
        "severity": "INFO",
        "client": {
            "userAgent": {"rawUserAgent": "Mozilla/5.0", "os": "Mac OS X", "browser": "CHROME"},
            "zone": "null",
            "device": "Computer",
            "id": None,
            "ipAddress": "203.0.113.24",
            "geographicalContext": place,
            "ipChain": [{"ip": "203.0.113.24", "geographicalContext": place, "version": "V4", "source": None}],
        },
        "device": None,
        "actor": user(user_id),
        "outcome": {"result": "SUCCESS", "reason": None},
        "target": [user(user_id)],
        "transaction": {"type": "WEB", "id": request_id, "detail": {}},
        "debugContext": {
            "debugData": {
                "requestId": request_id,
                "dtHash": identifier(name, f"device {number}", 32),
                "threatSuspected": "false",
                "targetEventHookIds": HOOK_ID,
            }
        },
        "legacyEventType": None,
        "authenticationContext": {
            "authenticationProvider": None,
            "credentialProvider": None,
            "credentialType": None,
            "issuer": None,
            "authenticationStep": 0,
            "externalSessionId": "idx" + identifier(name, f"session {number}", 22),
            "interface": None,
        },
        "securityContext": {
            "asNumber": 64496,
            "asOrg": "example",
            "isp": "example",
            "domain": "example.net",
            "isProxy": False,
        },
        "insertionTimestamp": None,
    }


def classic(name: str, factor: Factor, user_id: str = USER, number: int = 0) -> Json:
    """A correct factor, in Classic Engine."""
    event = log_event(name, number, user_id)
    event |= {
        "eventType": "user.authentication.auth_via_mfa",
        "displayMessage": "Authentication of user via MFA",
        "legacyEventType": "core.user.factor.attempt_success",
    }
    event["authenticationContext"] |= {
        "authenticationProvider": "FACTOR_PROVIDER",
        "credentialProvider": "OKTA_CREDENTIAL_PROVIDER",
    }
    factor_id = identifier(name, f"factor {number}", 20)
    data = {"requestUri": f"/api/v1/authn/factors/{factor_id}/verify", "factor": factor.name}
    event["debugContext"]["debugData"] |= data
    return event


def identity(name: str, factor: Factor, user_id: str = USER, number: int = 0) -> Json:
    """A correct factor, in Identity Engine: the enrollment is a target too."""
    event = classic(name, factor, user_id, number)
    data = {"requestUri": "/idp/idx/challenge/answer", "factorIntent": "AUTHENTICATION"}
    event["debugContext"]["debugData"] |= data
    enrollment = {
        "id": identifier(name, f"enrollment {number}", 20),
        "type": "AuthenticatorEnrollment",
        "alternateId": "unknown",
        "displayName": factor.authenticator,
        "detailEntry": {"methodTypeUsed": factor.method, "methodUsedVerifiedProperties": "[USER_PRESENCE]"},
    }
    # Okta promises no order.
    event["target"].insert(number % 2, enrollment)
    return event


def enrolled(name: str, factor: Factor, user_id: str = USER, number: int = 0) -> Json:
    """A factor was enrolled; `debugData` does not name it."""
    event = log_event(name, number, user_id)
    event |= {
        "eventType": "user.mfa.factor.activate",
        "displayMessage": "Activate factor for user",
        "legacyEventType": "core.user.factor.activate",
        "outcome": {"result": "SUCCESS", "reason": f"User set up {factor.name} factor"},
    }
    return event


def failed(event: Json) -> Json:
    """The code was wrong."""
    event["outcome"] = {"result": "FAILURE", "reason": "INVALID_CREDENTIALS"}
    event["legacyEventType"] = "core.user.factor.attempt_fail"
    return event


def delivery(name: str, events: list[Json]) -> Json:
    """Okta's envelope."""
    return {
        "eventType": "com.okta.event_hook",
        "eventTypeVersion": "1.0",
        "cloudEventsVersion": "0.1",
        "source": f"https://example.okta.com/api/v1/eventHooks/{HOOK_ID}",
        "eventId": uuid(name, "delivery"),
        "data": {"events": events},
        "eventTime": timestamp(moment(name)),
        "contentType": "application/json",
    }


def request(name: str, shows: str, body: str | None, expected: Feedback, **of_gateway: Json) -> Scene:
    variables = of_gateway.pop("variables", {})
    kept = body is None or len(body) <= 1024 * 1024
    event = gateway.event(name, PATH, body=body, hook_id=HOOK_ID, **of_gateway)
    return Scene(name, FUNCTION, shows, event, expected, variables, kept)


def delivered(name: str, shows: str, events: list[Json], expected: Feedback, **of_gateway: Json) -> Scene:
    """Okta delivers these events."""
    return request(name, shows, compact(delivery(name, events)), expected, **of_gateway)


def compact(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"))


def approved(name: str, shows: str, event: Json, number: str = USERS_NUMBER, **of_gateway: Json) -> Scene:
    """One event. The pending verification of this number is approved."""
    expected = Feedback(pending=(number,), feedback=("approved",), approved=(number,))
    return delivered(name, shows, [event], expected, **of_gateway)


def ignored(name: str, shows: str, event: Json, *feedback: str, status: int = 200) -> Scene:
    """One event; no verification is approved."""
    return delivered(name, shows, [event], Feedback(status, pending=(USERS_NUMBER,), feedback=feedback))


def rejected(
    name: str,
    shows: str,
    body: str | None,
    status: int,
    reason: str,
    location: str | None = None,
    **of_gateway: Json,
) -> Scene:
    """The function rejects the request."""
    expected = Feedback(status, reason, location, pending=(USERS_NUMBER,))
    return request(name, shows, body, expected, **of_gateway)


def changed(event: Json, *changes: Change) -> Json:
    event = copy.deepcopy(event)
    for change in changes:
        change(event)
    return event


def by_admin(event: Json) -> None:
    event["actor"] = user(ADMIN) | {"alternateId": "admin@example.com", "displayName": "Example Admin"}


def recovery(event: Json) -> None:
    event["debugContext"]["debugData"]["factorIntent"] = "CREDENTIAL_RECOVERY"


def nulls(event: Json) -> None:
    """Only the factor and the actor have values."""
    for field in set(event) - {"uuid", "published", "eventType", "outcome", "actor", "debugContext"}:
        event[field] = None


def few_fields(event: Json) -> None:
    for field in set(event) - {"uuid", "published", "eventType", "outcome", "actor", "target"}:
        del event[field]


def odd_values(event: Json) -> None:
    event["debugContext"]["debugData"] |= {
        "originalPrincipal": {"id": ADMIN, "type": "User"},
        "risk": 0.5,
        "behaviors": ["New IP", None],
        "threatSuspected": False,
        "factorType": "null",
    }
    event["newInNextRelease"] = {"eventType": "user.authentication.auth_via_mfa"}


def without_user(event: Json) -> None:
    event |= {"actor": None, "target": []}


def unclear(event: Json) -> None:
    event["debugContext"]["debugData"]["factor"] = "PHONE_FACTOR"


def old(event: Json) -> None:
    event["published"] = "2026-11-02T12:00:00.000Z"


def many_of_identity(name: str) -> list[Json]:
    return [
        identity(name, PASSWORD, USER, 0),
        identity(name, SMS, USER, 1),
        failed(identity(name, SMS, ONE_PHONE, 2)),
        identity(name, SMS, ONE_PHONE, 3),
        identity(name, PUSH, TWO_PHONES, 4),
        enrolled(name, Factor("EMAIL_FACTOR", "Email", "EMAIL"), TWO_PHONES, 5),
        identity(name, CALL, SMS_AND_CALL, 6),
        failed(identity(name, PASSWORD, NO_PHONE, 7)),
        identity(name, SMS, DELETED, 8),
    ]


def many_of_classic(name: str) -> list[Json]:
    return [
        classic(name, CALL, USER, 0),
        classic(name, PUSH, ONE_PHONE, 1),
        classic(name, SMS, ONE_PHONE, 2),
        failed(classic(name, CALL, SMS_AND_CALL, 3)),
        classic(name, SMS, NUMBER_WITH_DASHES, 4),
    ]


VERIFICATION = Group(
    "Okta's one-time verification of the event hook",
    "Feedback",
    (
        request(
            "event-verification",
            "Okta verifies that the URL belongs to the hook.",
            None,
            Feedback(),
            method="GET",
            headers={"content-type": None, CHALLENGE: identifier("event-verification", "challenge", 40)},
        ),
        rejected(
            "event-verification-challenge-missing",
            "A `GET` has no challenge.",
            None,
            400,
            "challenge_missing",
            CHALLENGE,
            method="GET",
            headers={"content-type": None},
        ),
        rejected(
            "event-verification-secret-missing",
            "A stranger sends a challenge without the secret.",
            None,
            401,
            "not_authenticated",
            method="GET",
            headers={"auth_secret": None, "content-type": None, CHALLENGE: "recorded-challenge"},
        ),
    ),
)

ONE_EVENT = Group(
    "Deliveries of one event of a phone",
    "Feedback",
    (
        approved(
            "event-sms-identity-engine",
            "A user typed a code from an SMS. Replay `telephony-sms-mfa-verification` before it.",
            identity("event-sms-identity-engine", SMS),
        ),
        approved(
            "event-call-identity-engine",
            "A user typed a code from a voice call.",
            identity("event-call-identity-engine", CALL),
        ),
        approved(
            "event-sms-over-a-mebibyte",
            "The delivery has more than 1 MiB. Only Lambda's limit counts, because Okta does not repeat a 413.",
            identity("event-sms-over-a-mebibyte", SMS) | {"displayMessage": "x" * 1024 * 1024},
        ),
        delivered(
            "event-unreadable-parts",
            "One event and one unneeded field hold half a surrogate pair. The function reads the rest.",
            [
                identity("event-unreadable-parts", SMS) | {"displayMessage": "M\ud83d"},
                {"uuid": "\ud83d", "eventType": "\udc00"},
            ],
            Feedback(pending=(USERS_NUMBER,), feedback=("approved",), approved=(USERS_NUMBER,)),
        ),
        approved("event-sms-classic-engine", "An SMS in Classic Engine.", classic("event-sms-classic-engine", SMS)),
        approved("event-call-classic-engine", "A call in Classic Engine.", classic("event-call-classic-engine", CALL)),
        approved(
            "event-sms-recovery",
            "A user reset the password with a code.",
            changed(identity("event-sms-recovery", SMS), recovery),
        ),
        delivered(
            "event-enrollment-twins",
            "A user enrolled a phone. Identity Engine reports it twice; the second finds nothing left to approve.",
            [enrolled("event-enrollment-twins", SMS, USER, 0), enrolled("event-enrollment-twins", CALL, USER, 1)],
            Feedback(
                pending=(USERS_NUMBER,),
                feedback=("approved", "not_needed: no_pending_verification"),
                approved=(USERS_NUMBER,),
            ),
        ),
        approved(
            "event-enrollment-by-admin",
            "An admin enrolled the phone: the user is the target, not the actor.",
            changed(enrolled("event-enrollment-by-admin", SMS), by_admin),
        ),
        approved(
            "event-sms-two-phones",
            "The user has two phones, and the code went to the second.",
            identity("event-sms-two-phones", SMS, TWO_PHONES),
            SECOND_PHONES_NUMBER,
        ),
        approved(
            "event-call-other-number",
            "The user has one number for SMS and another one for calls.",
            identity("event-call-other-number", CALL, SMS_AND_CALL),
            CALLED_NUMBER,
        ),
        approved(
            "event-sms-number-with-dashes",
            "Okta stores the number with dashes.",
            identity("event-sms-number-with-dashes", SMS, NUMBER_WITH_DASHES),
            NUMBER_WITHOUT_DASHES,
        ),
        approved(
            "event-sms-number-in-profile",
            "The number is in the user's profile only.",
            identity("event-sms-number-in-profile", SMS, MOBILE_IN_PROFILE),
            MOBILE_NUMBER,
            variables={"PHONE_SOURCE": "factors,profile"},
        ),
        delivered(
            "event-sms-not-remembered",
            "Only the sends table is configured, and it has no entry for this user. Nothing is approved.",
            [identity("event-sms-not-remembered", SMS, "00uneverSentTo0000g3")],
            Feedback(200, pending=(USERS_NUMBER,), feedback=("not_needed: not_remembered",)),
            variables={"SENDS_TABLE": "sends", "PHONE_SOURCE": "none"},
        ),
        approved(
            "event-sms-fields-null",
            "Everything else is `null`; the actor names the user.",
            changed(identity("event-sms-fields-null", SMS), nulls),
        ),
        approved(
            "event-sms-fields-few",
            "There is no `debugContext`; the target names the factor.",
            changed(identity("event-sms-fields-few", SMS), few_fields),
        ),
        approved(
            "event-sms-fields-odd",
            "Unneeded values have any type, and there are unknown fields.",
            changed(identity("event-sms-fields-odd", SMS), odd_values),
        ),
        approved(
            "event-sms-body-base64",
            "The gateway encoded the body as base64.",
            identity("event-sms-body-base64", SMS),
            is_base64=True,
            headers={"content-type": "application/json; charset=utf-8"},
        ),
    ),
)

MANY_EVENTS = Group(
    "Deliveries of many events",
    "Feedback",
    (
        delivered(
            "event-many-identity-engine",
            "Nine events: three codes were right, one user was deleted, and the rest are unrelated.",
            many_of_identity("event-many-identity-engine"),
            Feedback(
                pending=(USERS_NUMBER, ONE_PHONES_NUMBER, CALLED_NUMBER),
                feedback=("approved", "approved", "approved", "not_needed: user_not_found"),
                approved=(USERS_NUMBER, ONE_PHONES_NUMBER, CALLED_NUMBER),
            ),
        ),
        delivered(
            "event-many-classic-engine",
            "Five events: three codes were right; the code of the failed call stays open.",
            many_of_classic("event-many-classic-engine"),
            Feedback(
                pending=(USERS_NUMBER, ONE_PHONES_NUMBER, CALLED_NUMBER, NUMBER_WITHOUT_DASHES),
                feedback=("approved", "approved", "approved"),
                approved=(USERS_NUMBER, ONE_PHONES_NUMBER, NUMBER_WITHOUT_DASHES),
            ),
        ),
        delivered(
            "event-many-duplicates",
            "The same event three times.",
            [identity("event-many-duplicates", SMS)] * 3,
            Feedback(pending=(USERS_NUMBER,), feedback=("approved",), approved=(USERS_NUMBER,)),
        ),
        delivered("event-many-none", "No event at all.", [], Feedback(pending=(USERS_NUMBER,))),
    ),
)

OTHER = Group(
    "Nothing to approve: the pending verification stays pending",
    "Feedback",
    (
        *(
            ignored(f"event-factor-{words}", shows, identity(f"event-factor-{words}", factor))
            for words, (shows, factor) in OTHER_FACTORS.items()
        ),
        ignored("event-code-wrong", "The code was wrong.", failed(identity("event-code-wrong", SMS))),
        ignored(
            "event-enrollment-of-email",
            "The user enrolled another factor.",
            enrolled("event-enrollment-of-email", Factor("EMAIL_FACTOR", "Email", "EMAIL")),
        ),
        ignored(
            "event-sms-too-old",
            "The event is so old that the number could belong to a newer code by now.",
            changed(identity("event-sms-too-old", SMS), old),
            "not_needed: event_too_old",
        ),
        ignored(
            "event-sms-nothing-pending",
            "The user's code has expired or is approved already.",
            identity("event-sms-nothing-pending", SMS, ONE_PHONE),
            "not_needed: no_pending_verification",
        ),
        ignored(
            "event-sms-no-phone",
            "Okta lists no phone for the user.",
            identity("event-sms-no-phone", SMS, NO_PHONE),
            "not_needed: no_phone",
        ),
        ignored(
            "event-sms-user-deleted",
            "The user was deleted.",
            identity("event-sms-user-deleted", SMS, DELETED),
            "not_needed: user_not_found",
        ),
    ),
)

NO_FEEDBACK = Group(
    "Feedback that fails",
    "Feedback",
    (
        ignored(
            "event-sms-okta-failing",
            "Okta's API fails. The 503 makes Okta retry the delivery once.",
            identity("event-sms-okta-failing", SMS, FAILING),
            "failed: okta_failed",
            status=503,
        ),
        ignored(
            "event-sms-okta-throttled",
            "Okta's rate limit is reached. Okta retries the delivery once.",
            identity("event-sms-okta-throttled", SMS, THROTTLED),
            "failed: okta_rate_limited",
            status=503,
        ),
        ignored(
            "event-sms-okta-forbidden",
            "The token does not have permission to read the user. A second delivery would not help.",
            identity("event-sms-okta-forbidden", SMS, FORBIDDEN),
            "failed: okta_forbidden",
        ),
        ignored(
            "event-sms-without-user",
            "The event does not name the user.",
            changed(identity("event-sms-without-user", SMS), without_user),
            "failed: event_without_user",
        ),
        ignored(
            "event-sms-not-classified",
            "The event names a phone by an unknown term. The function does not guess, and logs it for the admin.",
            changed(identity("event-sms-not-classified", SMS), unclear),
            "failed: event_not_classified",
        ),
    ),
)


def sms_delivery(name: str) -> str:
    return compact(delivery(name, [identity(name, SMS)]))


REJECTED = Group(
    "Rejected requests",
    "Feedback",
    (
        rejected(
            "event-rejected-secret-wrong",
            "The caller sends a wrong secret.",
            sms_delivery("event-rejected-secret-wrong"),
            401,
            "not_authenticated",
            headers={"auth_secret": "a-guess-at-the-secret"},
        ),
        rejected(
            "event-rejected-secret-missing",
            "The caller sends no secret.",
            sms_delivery("event-rejected-secret-missing"),
            401,
            "not_authenticated",
            headers={"auth_secret": None},
        ),
        rejected(
            "event-rejected-method-put",
            "The method is wrong.",
            sms_delivery("event-rejected-method-put"),
            405,
            "method_not_allowed",
            method="PUT",
        ),
        rejected("event-rejected-body-empty", "`POST` without a body.", None, 400, "not_a_hook_request"),
        rejected(
            "event-rejected-json-malformed",
            "The body is cut off.",
            sms_delivery("event-rejected-json-malformed")[:2000],
            400,
            "not_a_hook_request",
        ),
        rejected(
            "event-rejected-other-hook",
            "Okta's telephony hook calls this URL.",
            compact({"eventType": "com.okta.telephony.provider", "data": {}}),
            400,
            "not_a_hook_request",
            "eventType",
        ),
    ),
)


@dataclasses.dataclass(frozen=True)
class Message:
    """A message of the queue."""

    user_id: str
    body: str | None = None
    """None stands for the message that the function stores."""


def batch(name: str, shows: str, messages: list[Message], *, failing: tuple[int, ...] = (), **more: Json) -> Scene:
    """A batch of the queue. The messages with these numbers stay in it."""
    records = [record(name, number, message) for number, message in enumerate(messages)]
    failures = tuple(records[number]["messageId"] for number in failing)
    expected = Feedback(status=None, batch_failures=failures, **more)
    return Scene(name, FUNCTION, shows, {"Records": records}, expected)


def record(name: str, number: int, message: Message) -> Json:
    event_uuid = uuid(name, f"event {number}")
    stored = {
        "version": "1",
        "event_uuid": event_uuid,
        "user_id": message.user_id,
        "channel": "sms",
        "kind": "authentication",
        "published": FRESH.replace(".000", ""),
    }
    body = compact(stored) if message.body is None else message.body
    sent = int((moment(name) + datetime.timedelta(milliseconds=37 * number)).timestamp() * 1000)
    return {
        "messageId": uuid(name, f"message {number}"),
        "receiptHandle": identifier(name, f"receipt {number}", 96),
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": str(sent),
            "SequenceNumber": str(18867349374862300000 + number),
            "MessageGroupId": message.user_id,
            "SenderId": "AROAEXAMPLEROLE:event-hook",
            "MessageDeduplicationId": event_uuid,
            "ApproximateFirstReceiveTimestamp": str(sent + 12),
        },
        "messageAttributes": {},
        "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE_ARN,
        "awsRegion": "us-east-1",
    }


QUEUE = Group(
    "Batches of the function's own queue",
    "Feedback",
    (
        batch(
            "sqs-batch",
            "The batch is about three users. One of them was deleted.",
            [Message(USER), Message(ONE_PHONE), Message(DELETED)],
            pending=(USERS_NUMBER, ONE_PHONES_NUMBER),
            feedback=("approved", "approved", "not_needed: user_not_found"),
            approved=(USERS_NUMBER, ONE_PHONES_NUMBER),
        ),
        batch(
            "sqs-batch-partial-failure",
            "Okta's API fails for one user. That message and the user's next one stay in the queue, to keep their order.",
            [Message(FAILING), Message(USER), Message(FAILING)],
            failing=(0, 2),
            pending=(USERS_NUMBER,),
            feedback=("approved", "failed: okta_failed"),
            approved=(USERS_NUMBER,),
        ),
        batch(
            "sqs-batch-not-ours",
            "One message is not from the function. It ends in the dead-letter queue.",
            [Message(USER, body='{"approve":"everything"}'), Message(ONE_PHONE)],
            failing=(0,),
            pending=(USERS_NUMBER, ONE_PHONES_NUMBER),
            feedback=("approved", "failed: message_unreadable"),
            approved=(ONE_PHONES_NUMBER,),
        ),
    ),
)

GROUPS = [VERIFICATION, ONE_EVENT, MANY_EVENTS, OTHER, NO_FEEDBACK, REJECTED, QUEUE]
