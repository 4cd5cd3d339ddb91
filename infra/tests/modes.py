"""The modes in which the template is deployed, and the variables of the functions."""

import functools

import sam

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:hooks-a1B2c3"
OKTA_SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:okta-d4E5f6"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/11111111-1111-4111-8111-111111111111"
OTHER_KEY = "arn:aws:kms:eu-west-1:123456789012:key/22222222-2222-4222-8222-222222222222"
OKTA = {"OktaOrgUrl": "https://example.okta.com", "OktaSecretId": OKTA_SECRET}

MODES = {
    "default": {},
    "telephony": {"Hooks": "telephony"},
    "events with the table of another stack": {"Hooks": "events", "SendsTable": "sends"},
    "events with Okta": {"Hooks": "events", **OKTA},
    "no queue": {"FeedbackQueueUrl": "none"},
    "jwt": {
        "AuthMode": "jwt",
        "JwtIssuer": "https://example.okta.com/oauth2/aus1",
        "JwtAudience": "telephony",
        "JwtScope": "send",
    },
    "given secrets": {"HooksSecretId": SECRET, "SecretsKmsKeyArn": OTHER_KEY, **OKTA},
    "own key": {"KmsKeyArn": KEY},
    "domain": {
        "DomainName": "hooks.example.com",
        "CertificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/33333333-3333-4333-8333-333333333333",
        "HostedZoneId": "Z0123456789",
    },
    "capacity": {
        "ProvisionedConcurrency": "2",
        "MaxProvisionedConcurrency": "10",
        "TelephonyReservedConcurrency": "50",
        "EventReservedConcurrency": "20",
        "FeedbackConcurrency": "40",
    },
    "watched": {"AlarmEmail": "on-call@example.com", "MonthlyBudgetUsd": "50", "MetricsStack": "production"},
    "watched by a topic": {"AlarmTopicArn": "arn:aws:sns:eu-west-1:123456789012:alarms", "MonthlyBudgetUsd": "50"},
    "rules": {
        "LookupFields": "line_type_intelligence",
        "BlockedLineTypes": "premium",
        "ResendChannels": "sms,call",
        "RollBackOnAlarms": "false",
    },
}

BOTH, TELEPHONY, EVENTS = "both", "telephony", "events"
# Every variable, with the functions that read it. Only telephony-hook reads AUTH_MODE, because event hooks always use the header.
VARIABLES = {
    "HOOKS_SECRET_ID": BOTH,
    "SECRET_TTL_SECONDS": BOTH,
    "AUTH_MODE": TELEPHONY,
    "JWT_SCOPE": TELEPHONY,
    "JWT_CLIENT_ID": TELEPHONY,
    "AUTH_HEADER": BOTH,
    "VERIFY_SERVICE_SID": BOTH,
    "TWILIO_VERIFY_URL": BOTH,
    "TWILIO_LOOKUP_URL": TELEPHONY,
    "EXTRA_CA_FILE": BOTH,
    "METRICS_STACK": BOTH,
    "LOG_LEVEL": BOTH,
    "HOOK_BUDGET_MS": TELEPHONY,
    "SMS_CHANNEL": TELEPHONY,
    "VERIFY_LOCALE": TELEPHONY,
    "DEFAULT_COUNTRY": TELEPHONY,
    "VERIFY_TEMPLATE_SID": TELEPHONY,
    "VERIFY_RATE_LIMITS": TELEPHONY,
    "LOOKUP_FIELDS": TELEPHONY,
    "LOOKUP_TIMEOUT_MS": TELEPHONY,
    "ALLOWED_COUNTRIES": TELEPHONY,
    "BLOCKED_COUNTRIES": TELEPHONY,
    "BLOCKED_LINE_TYPES": TELEPHONY,
    "BLOCKED_CARRIERS": TELEPHONY,
    "MAX_SMS_PUMPING_RISK": TELEPHONY,
    "MAX_SIM_SWAP_AGE_HOURS": TELEPHONY,
    "POLICY_EXEMPT_REQUEST_TYPES": TELEPHONY,
    "LANDLINE_TO_CALL": TELEPHONY,
    "DENY_RESPONSE": TELEPHONY,
    "POLICY_MODE": TELEPHONY,
    "COUNTRY_RULES": TELEPHONY,
    "RESEND_CHANNELS": TELEPHONY,
    "REPLACE_PENDING": TELEPHONY,
    "SENDS_TABLE": BOTH,
    "FEEDBACK_QUEUE_URL": EVENTS,
    "FEEDBACK_MAX_AGE_SECONDS": EVENTS,
    "PHONE_SOURCE": EVENTS,
    "OKTA_ORG_URL": EVENTS,
    "OKTA_SECRET_ID": EVENTS,
    "OKTA_API_URL": EVENTS,
}
HOOKS = {"TelephonyFunction": TELEPHONY, "EventFunction": EVENTS}


@functools.cache
def stack(mode):
    return sam.deploy(MODES[mode])


def parameter(variable):
    """The parameter of a variable: MAX_SMS_PUMPING_RISK has MaxSmsPumpingRisk."""
    return "".join(word.capitalize() for word in variable.split("_"))


def environment(function):
    return function["Properties"]["Environment"]["Variables"]
