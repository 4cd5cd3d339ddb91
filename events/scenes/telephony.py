"""Okta's telephony inline hook: it asks to send a code."""

import copy
import dataclasses
import datetime
import json
from typing import Callable

from . import gateway
from .gateway import AUTH_SECRET, moment, timestamp
from .scene import Group, Json, Scene, digits, identifier, without_none

HOOK_ID = "calTwVerifyExample01"
PATH = "/telephony"
PREVIEW = "/api/internal/v1/inlineHooks/com.okta.telephony.provider/generatePreview"

FAR_FUTURE = "2099-12-31T23:59:59.000Z"
"""Expiry of codes that must be sent, on any day that the file is replayed."""
LIFETIME = datetime.timedelta(minutes=4, seconds=54, milliseconds=300)
"""How long a code is still valid when Okta asks to send it."""

PHONE_NUMBER = "data.messageProfile.phoneNumber"
OTP_CODE = "data.messageProfile.otpCode"
OTP_EXPIRES = "data.messageProfile.otpExpires"
DELIVERY_CHANNEL = "data.messageProfile.deliveryChannel"
PHONE_GETS = "Phone gets"
WHATSAPP = {"SMS_CHANNEL": "whatsapp"}

Change = Callable[[Json], None]


@dataclasses.dataclass(frozen=True)
class Sending:
    """The expected result of Okta's request."""

    status: int
    """Status of the response."""
    reason: str
    """The reason code in `debugContext` or in the error's cause."""
    successful: bool = False
    """Whether Okta gets `SUCCESSFUL`."""
    location: str | None = None
    """The error's `location`."""
    twilio_code: int | None = None
    """Twilio's code in `debugContext`."""
    lookup_requests: int = 0
    """The number of requests to Lookup."""
    verify_requests: int = 0
    """The number of requests to Verify."""
    messages: tuple[dict[str, Json], ...] = ()
    """The messages that reach phones, each with some of the fields in the sandbox's inbox."""

    def index(self) -> dict[str, Json]:
        return without_none(
            status=self.status,
            successful=self.successful,
            reason=self.reason,
            location=self.location,
            twilio_code=self.twilio_code,
            lookup_requests=self.lookup_requests,
            verify_requests=self.verify_requests,
            messages=list(self.messages),
        )

    def response(self) -> str:
        if self.successful:
            return "200 `SUCCESSFUL`" if self.reason == "accepted" else f"200 `SUCCESSFUL`, `refused:{self.reason}`"
        code = f" (Twilio {self.twilio_code})" if self.twilio_code else ""
        location = f" at `{self.location}`" if self.location else ""
        return f"{self.status} `{self.reason}`{location}{code}"

    def outcome(self) -> str:
        return ", ".join(message["channel"] for message in self.messages) or "nothing"


def code_of(name: str) -> str:
    """The default code of a scene's request."""
    return digits(name, "code", 6)


def request(
    name: str, number: Json, *, code: str | None = None, channel: str = "SMS", flow: str = "mfa-verification"
) -> Json:
    """Okta's body. `flow` is the last part of `requestType`."""
    code = code or code_of(name)
    return {
        "eventId": identifier(name, "event", 22),
        "eventTime": timestamp(moment(name)),
        "eventType": "com.okta.telephony.provider",
        "eventTypeVersion": "1.0",
        "contentType": "application/json",
        "cloudEventVersion": "0.1",
        "source": f"https://example.okta.com/api/v1/inlineHooks/{HOOK_ID}",
        "requestType": f"com.okta.user.telephony.{flow}",
        "data": {
            "context": {
                "request": {
                    "id": "req" + identifier(name, "request of the user", 22),
                    "method": "POST",
                    "url": {"value": "/idp/idx/challenge"},
                    "ipAddress": "203.0.113.24",
                }
            },
            "userProfile": {
                "firstName": "Ottilie",
                "lastName": "Wolkenstein",
                "login": "ottilie.wolkenstein@example.com",
                "userId": "00uyxxSknGtK8022w0g3",
            },
            "messageProfile": {
                "msgTemplate": f"Your Example verification code is {code}.",
                "phoneNumber": number,
                "otpExpires": FAR_FUTURE,
                "deliveryChannel": channel,
                "otpCode": code,
                "locale": "EN-US",
            },
        },
    }


def preview(body: Json) -> None:
    """Makes the request a preview from the Admin Console: a sample code and old dates."""
    body["data"]["context"]["request"] |= {"url": {"value": PREVIEW}, "ipAddress": "203.0.113.200"}
    expires = datetime.datetime(2022, 1, 28, 21, 48, 34, 321000)
    body["eventTime"] = timestamp(expires - LIFETIME)
    sample = {"msgTemplate": "(HOOK)Your code is 11111", "otpExpires": timestamp(expires), "otpCode": "11111"}
    body["data"]["messageProfile"] |= sample


def profile(**fields: Json) -> Change:
    """Sets fields of `messageProfile`."""
    return lambda body: body["data"]["messageProfile"].update(fields)


def without(field: str) -> Change:
    """Omits a field of `messageProfile`."""
    return lambda body: body["data"]["messageProfile"].pop(field)


def scene(
    name: str,
    shows: str,
    body: Json,
    expected: Sending,
    *changes: Change,
    variables: dict[str, str] | None = None,
    **of_gateway: Json,
) -> Scene:
    """A scene with a changed body of Okta's. A string is a body that is not JSON."""
    body = copy.deepcopy(body)
    for change in changes:
        change(body)
    text = body if isinstance(body, str) or body is None else json.dumps(body, separators=(",", ":"))
    kept = text is None or len(text) <= 64 * 1024
    event = gateway.event(name, PATH, body=text, hook_id=HOOK_ID, **of_gateway)
    return Scene(name, "telephony-hook", shows, event, expected, variables or {}, kept)


def sent(
    name: str,
    shows: str,
    number: str,
    *changes: Change,
    to: str | None = None,
    code: str | None = None,
    delivery: str = "SMS",
    by: str = "sms",
    flow: str = "mfa-verification",
    requests: int = 1,
    lookups: int = 0,
    phone: dict[str, Json] | None = None,
    variables: dict[str, str] | None = None,
    **of_gateway: Json,
) -> Scene:
    """The code reaches the phone. `phone` has further fields of its message."""
    body = request(name, number, code=code, channel=delivery, flow=flow)
    messages = ({"channel": by, "to": to or number, "code": code or code_of(name)} | (phone or {}),)
    expected = Sending(200, "accepted", True, lookup_requests=lookups, verify_requests=requests, messages=messages)
    return scene(name, shows, body, expected, *changes, variables=variables, **of_gateway)


def rejected(
    name: str, shows: str, body: Json, status: int, reason: str, location: str | None = None, **of_gateway: Json
) -> Scene:
    """The function rejects the request."""
    return scene(name, shows, body, Sending(status, reason, location=location), **of_gateway)


def refused(
    code: int,
    words: str,
    shows: str,
    number: str,
    reason: str,
    location: str | None = None,
    *,
    requests: int = 1,
    delivery: str = "SMS",
) -> Scene:
    """Twilio refuses, because of one of the sandbox's magic numbers."""
    name = f"telephony-twilio-{code}-{words}"
    expected = Sending(200, reason, location=location, twilio_code=code, verify_requests=requests)
    return scene(name, shows, request(name, number, channel=delivery), expected)


def unanswered(name: str, shows: str, number: str, reason: str, *, arrives: bool) -> Scene:
    """Twilio does not respond."""
    messages = ({"channel": "sms", "to": number, "code": code_of(name)},) if arrives else ()
    return scene(name, shows, request(name, number), Sending(200, reason, verify_requests=1, messages=messages))


def unfit(name: str, shows: str, number: Json, reason: str, location: str, *changes: Change) -> Scene:
    """The hook sends no request to Twilio."""
    return scene(name, shows, request(name, number), Sending(200, reason, location=location), *changes)


def minimal(body: Json) -> None:
    body["data"] = {"messageProfile": body["data"]["messageProfile"]}
    for field in ["msgTemplate", "otpExpires", "locale"]:
        del body["data"]["messageProfile"][field]
    for field in set(body) - {"eventType", "data"}:
        del body[field]


def unknown_fields(body: Json) -> None:
    body["cloudEventsExtensions"] = {"tenant": None}
    body["data"]["userProfile"] |= {"firstName": None, "lastName": None, "pronouns": ["they", None]}
    body["data"]["messageProfile"] |= {"phoneExtension": None, "deliveryHints": {"urgent": True, "weight": 0.5}}


def token_hook(name: str) -> Json:
    """Another inline hook's request."""
    return {
        "eventId": identifier(name, "event", 22),
        "eventTime": timestamp(moment(name)),
        "eventType": "com.okta.oauth2.tokens.transform",
        "eventTypeVersion": "1.0",
        "contentType": "application/json",
        "cloudEventVersion": "0.1",
        "source": "https://example.okta.com/oauth2/default/v1/authorize",
        "data": {"context": {}, "tokens": {}, "identity": {"claims": {"sub": "00uyxxSknGtK8022w0g3"}, "token": {}}},
    }


def too_large() -> Scene:
    name = "telephony-rejected-body-too-large"
    body = request(name, "+12025550169")
    profile(msgTemplate="x" * 64 * 1024)(body)
    return rejected(name, "The body has more than 64 KiB.", body, 413, "body_too_large")


def cut(name: str) -> str:
    text = json.dumps(request(name, "+12025550167"), separators=(",", ":"))
    return text[: text.index('"locale"')]



def half_emoji(name: str) -> str:
    """A request with a name that ends in half an emoji, and a number that is too large."""
    body = request(name, "+12025550116")
    body["data"]["userProfile"]["lastName"] = "@"
    body["data"]["userProfile"]["tomorrow"] = "#"
    text = json.dumps(body, separators=(",", ":"))
    return text.replace('"@"', '"M\\u00fc\\ud83d"').replace('"#"', "1e999")


def claims(name: str, **other: Json) -> dict[str, Json]:
    """An access token's claims as the gateway passes them. Nearly every value is text."""
    issued = int(moment(name).timestamp()) - 60
    return {
        "aud": "api://default",
        "cid": "0oaHookClientExample",
        "exp": str(issued + 3600),
        "iat": str(issued),
        "iss": "https://example.okta.com/oauth2/default",
        "jti": "AT." + identifier(name, "token", 43),
        "scp": "[telephony]",
        "sub": "0oaHookClientExample",
        "ver": "1",
    } | other


def in_payload_format_1(scene: Scene) -> Scene:
    """The same request from an HTTP API whose integration uses the older payload format."""
    new = scene.event
    method, path = new["requestContext"]["http"]["method"], new["rawPath"]
    context = {key: new["requestContext"][key] for key in ("accountId", "apiId", "requestId", "stage")}
    old = {
        "version": "1.0",
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": new["headers"],
        "multiValueHeaders": {name: [value] for name, value in new["headers"].items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": context | {"httpMethod": method, "path": path, "protocol": "HTTP/1.1", "resourcePath": path},
        "pathParameters": None,
        "stageVariables": None,
        "body": new["body"],
        "isBase64Encoded": False,
    }
    return dataclasses.replace(scene, event=old)


TOKEN = {"auth_secret": None, "authorization": "Bearer recorded-access-token"}
JWT = {"AUTH_MODE": "jwt", "JWT_SCOPE": "telephony"}
JWT_OF_CLIENT = JWT | {"JWT_CLIENT_ID": "0oaHookClientExample"}

BY_SMS = Group(
    "By SMS",
    PHONE_GETS,
    (
        sent("telephony-sms-mfa-verification", "A user signs in.", "+12025550123", phone={"locale": "en"}),
        sent("telephony-sms-pre-enrollment", "A user enrolls a phone.", "+12025550102", flow="pre-enrollment"),
        sent("telephony-sms-account-unlock", "A user unlocks the account.", "+12025550103", flow="account-unlock"),
        sent("telephony-sms-password-reset", "A user resets the password.", "+12025550104", flow="password-reset"),
        sent(
            "telephony-sms-request-type-missing",
            "The request has no `requestType`, as in Okta's OpenAPI example.",
            "+12025550105",
            lambda body: body.pop("requestType"),
        ),
        sent("telephony-sms-request-type-unknown", "The flow is undocumented.", "+12025550106", flow="step-up"),
        sent(
            "telephony-sms-number-with-separators",
            "A number as people write it; Twilio gets E.164.",
            "+44 (20) 7946-0958",
            to="+442079460958",
        ),
        sent(
            "telephony-sms-number-trunk-zero",
            "The number contains the zero that only callers inside the country dial.",
            "+44 (0)20 7946 0110",
            to="+442079460110",
        ),
        sent(
            "telephony-sms-number-marks",
            "The number contains invisible marks and dashes outside ASCII, as word processors insert them.",
            "\u202d+1\u00a0202\u2011555\u22120114\u202c",
            to="+12025550114",
        ),
        sent(
            "telephony-sms-extension-remark",
            "The hook ignores the extension and the remark after it, because a message needs neither.",
            "+1 202 555 0115 ext. 5 (lobby)",
            to="+12025550115",
        ),
        scene(
            "telephony-sms-fields-unreadable",
            "Unneeded fields hold half an emoji and a number that is too large.",
            half_emoji("telephony-sms-fields-unreadable"),
            Sending(
                200,
                "accepted",
                successful=True,
                verify_requests=1,
                messages=({"channel": "sms", "to": "+12025550116", "code": code_of("telephony-sms-fields-unreadable")},),
            ),
        ),
        sent("telephony-sms-code-starts-with-zero", "The code keeps its leading zero.", "+12025550107", code="048213"),
        sent(
            "telephony-sms-locale-portuguese",
            "The user's language: Okta's `pt_BR` is Twilio's `pt-BR`.",
            "+12025550108",
            profile(locale="pt_BR"),
            phone={"locale": "pt-BR"},
        ),
        sent(
            "telephony-sms-locale-unsupported",
            "Twilio has no text in this language. The hook omits it, and Twilio uses the language of the number's country.",
            "+12025550109",
            profile(locale="eu-ES"),
            phone={"locale": None},
        ),
        sent(
            "telephony-sms-fields-minimal",
            "The request has the required fields only.",
            "+12025550110",
            minimal,
            phone={"locale": None},
        ),
        sent("telephony-sms-fields-unknown", "The request has nulls and unknown fields.", "+12025550111", unknown_fields),
        sent(
            "telephony-sms-body-base64",
            "The gateway encoded the body as base64.",
            "+12025550112",
            is_base64=True,
            headers={"content-type": "application/json; charset=utf-8"},
        ),
        sent(
            "telephony-sms-header-with-hyphen",
            "A proxy renamed `auth_secret` to `auth-secret`.",
            "+12025550113",
            headers={"auth_secret": None, "auth-secret": AUTH_SECRET},
        ),
    ),
)

BY_CALL = Group(
    "By voice call",
    PHONE_GETS,
    (
        sent(
            "telephony-call-voice-call",
            "`deliveryChannel` as Okta documents it today: `voice call`.",
            "+12025550121",
            delivery="voice call",
            by="call",
            phone={"locale": "en", "send_digits": None},
        ),
        sent("telephony-call-voice", "As seen in a preview: `Voice`.", "+12025550122", delivery="Voice", by="call"),
        sent("telephony-call-call", "As documented before 2024: `CALL`.", "+12025550125", delivery="CALL", by="call"),
        sent(
            "telephony-call-extension",
            "Twilio dials the extension one second after the call is answered.",
            "+12025550124 x48151",
            to="+12025550124",
            delivery="voice call",
            by="call",
            phone={"send_digits": "ww48151"},
        ),
        sent(
            "telephony-call-extension-with-pauses",
            "The extension has two pauses, digits and a number sign, as phones store them.",
            "+12025550125,,77#",
            to="+12025550125",
            delivery="voice call",
            by="call",
            phone={"send_digits": "wwww77#"},
        ),
    ),
)

BY_WHATSAPP = Group(
    "By WhatsApp",
    PHONE_GETS,
    (
        sent(
            "telephony-whatsapp-mfa-verification",
            "Okta requests an SMS. The configuration sends it by WhatsApp.",
            "+12025550131",
            by="whatsapp",
            phone={"locale": "en-us"},
            variables=WHATSAPP,
        ),
        sent(
            "telephony-whatsapp-not-configured",
            "The Verify service has no WhatsApp sender (68008), so the code goes out by SMS.",
            "+15005558008",
            requests=2,
            variables=WHATSAPP,
        ),
        sent(
            "telephony-whatsapp-voice-call",
            "A voice call stays a voice call.",
            "+12025550132",
            delivery="voice call",
            by="call",
            variables=WHATSAPP,
        ),
    ),
)


def preview_sent(name: str, shows: str, number: str, *changes: Change) -> Scene:
    messages = ({"channel": "sms", "to": number, "code": "11111"},)
    expected = Sending(200, "accepted", True, verify_requests=1, messages=messages)
    return scene(name, shows, request(name, number, flow="pre-enrollment"), expected, preview, *changes)


def preview_unfit(name: str, shows: str, *changes: Change) -> Scene:
    body = request(name, "9876543210", flow="pre-enrollment")
    return scene(name, shows, body, Sending(200, "phone_number_invalid", location=PHONE_NUMBER), preview, *changes)


PREVIEWS = Group(
    "Previews from Okta's Admin Console",
    PHONE_GETS,
    (
        preview_unfit(
            "telephony-preview-default-number",
            "The Admin Console's sample number, `9876543210`, belongs to no country. Nothing is sent.",
        ),
        preview_unfit(
            "telephony-preview-json-numbers",
            "Number and code are JSON numbers, as in Okta's OpenAPI example.",
            profile(phoneNumber=9876543210, otpCode=11111),
        ),
        preview_sent(
            "telephony-preview-own-number",
            "The admin entered their own number. The code goes out, although its dates are samples.",
            "+12025550141",
        ),
        preview_sent(
            "telephony-preview-code-as-json-number",
            "The admin entered their own number; the code is a JSON number.",
            "+12025550142",
            profile(otpCode=11111),
        ),
    ),
)

BY_TOKEN = Group(
    "With an OAuth 2.0 token",
    PHONE_GETS,
    (
        sent(
            "telephony-jwt-claims",
            "The gateway's authorizer has checked Okta's token.",
            "+12025550151",
            variables=JWT,
            headers=TOKEN,
            claims=claims("telephony-jwt-claims"),
        ),
        rejected(
            "telephony-jwt-claims-missing",
            "The gateway has no authorizer. Without it, neither a token nor the shared secret counts.",
            request("telephony-jwt-claims-missing", "+12025550152"),
            401,
            "not_authenticated",
            variables=JWT,
            headers=TOKEN | {"auth_secret": AUTH_SECRET},
        ),
        sent(
            "telephony-jwt-client",
            "The token has several scopes, in the other claim, and the configured client. Other claims may have any type.",
            "+12025550153",
            variables=JWT_OF_CLIENT,
            headers=TOKEN,
            claims=claims("telephony-jwt-client", scp=None, scope="openid telephony", exp=4102444799, groups=["Everyone"]),
        ),
        rejected(
            "telephony-jwt-client-other",
            "The token has the scope, but belongs to another client.",
            request("telephony-jwt-client-other", "+12025550154"),
            401,
            "not_authenticated",
            variables=JWT_OF_CLIENT,
            headers=TOKEN,
            claims=claims("telephony-jwt-client-other", cid="0oaOtherClientExample"),
        ),
        rejected(
            "telephony-jwt-scope-missing",
            "A user's token passes the authorizer, but lacks the hook's scope.",
            request("telephony-jwt-scope-missing", "+12025550155"),
            401,
            "not_authenticated",
            variables=JWT,
            headers=TOKEN,
            claims=claims("telephony-jwt-scope-missing", scp="[openid profile]", sub="test.user@example.com"),
        ),
    ),
)

REJECTED = Group(
    "Rejected requests",
    PHONE_GETS,
    (
        rejected(
            "telephony-rejected-secret-wrong",
            "The caller sends a wrong secret.",
            request("telephony-rejected-secret-wrong", "+12025550161"),
            401,
            "not_authenticated",
            headers={"auth_secret": "a-guess-at-the-secret"},
        ),
        rejected(
            "telephony-rejected-secret-missing",
            "The caller sends no secret.",
            request("telephony-rejected-secret-missing", "+12025550162"),
            401,
            "not_authenticated",
            headers={"auth_secret": None},
        ),
        rejected(
            "telephony-rejected-secret-twice",
            "The header came twice, and the gateway joined its values. The hook refuses it.",
            request("telephony-rejected-secret-twice", "+12025550163"),
            401,
            "not_authenticated",
            headers={"auth_secret": f"{AUTH_SECRET},{AUTH_SECRET}"},
        ),
        rejected(
            "telephony-rejected-method-get",
            "A browser calls, or an event hook verifies the wrong URL.",
            None,
            405,
            "method_not_allowed",
            method="GET",
            headers={"content-type": None, "x-okta-verification-challenge": "recorded-challenge"},
        ),
        rejected("telephony-rejected-body-empty", "`POST` without a body.", None, 400, "not_a_hook_request"),
        rejected(
            "telephony-rejected-json-malformed",
            "The body is cut off.",
            cut("telephony-rejected-json-malformed"),
            400,
            "not_a_hook_request",
        ),
        rejected(
            "telephony-rejected-other-hook",
            "Another inline hook of Okta calls this URL.",
            token_hook("telephony-rejected-other-hook"),
            400,
            "not_a_hook_request",
            "eventType",
        ),
        scene(
            "telephony-rejected-otp-code-missing",
            "A required field is missing; `location` names it.",
            request("telephony-rejected-otp-code-missing", "+12025550164"),
            Sending(400, "not_a_hook_request", location=OTP_CODE),
            without("otpCode"),
        ),
        scene(
            "telephony-rejected-phone-number-missing",
            "The number is missing.",
            request("telephony-rejected-phone-number-missing", "+12025550165"),
            Sending(400, "not_a_hook_request", location=PHONE_NUMBER),
            without("phoneNumber"),
        ),
        scene(
            "telephony-rejected-channel-unknown",
            "The channel is neither SMS nor voice. The hook does not guess.",
            request("telephony-rejected-channel-unknown", "+12025550166", channel="EMAIL"),
            Sending(400, "not_a_hook_request", location=DELIVERY_CHANNEL),
        ),
        too_large(),
        in_payload_format_1(
            rejected(
                "telephony-rejected-payload-format",
                "The gateway's integration has payload format 1.0, as a REST API has.",
                request("telephony-rejected-payload-format", "+12025550167"),
                400,
                "payload_format",
                "payloadFormatVersion",
            )
        ),
    ),
)

UNFIT = Group(
    "Stopped before Twilio",
    PHONE_GETS,
    (
        unfit(
            "telephony-unfit-code-expired",
            "Okta's code has expired.",
            "+12025550171",
            "code_expired",
            OTP_EXPIRES,
            profile(otpExpires=timestamp(moment("telephony-unfit-code-expired") - datetime.timedelta(seconds=2))),
        ),
        unfit(
            "telephony-unfit-number-national",
            "The number from a profile has no country code.",
            "(202) 555-0172",
            "phone_number_invalid",
            PHONE_NUMBER,
        ),
        unfit(
            "telephony-unfit-number-no-number",
            "The number is some other text.",
            "none",
            "phone_number_invalid",
            PHONE_NUMBER,
        ),
        unfit(
            "telephony-unfit-number-control-character",
            "The number contains a line break, so it was not typed as one number.",
            "+1202555\n0174",
            "phone_number_invalid",
            PHONE_NUMBER,
        ),
        unfit(
            "telephony-unfit-number-two-readings",
            "In Italy, landlines keep this zero and mobiles do not. The hook sends nothing rather than reach a stranger.",
            "+39 (0)6 1234 5678",
            "phone_number_invalid",
            PHONE_NUMBER,
        ),
        unfit(
            "telephony-unfit-call-extension",
            "Twilio cannot dial this extension, so a call would read the code to whoever answers.",
            "+12025550175 ext. 5 (lobby)",
            "phone_number_invalid",
            PHONE_NUMBER,
            profile(deliveryChannel="voice call"),
        ),
    ),
)

TWILIO_REFUSES = Group(
    "Twilio refuses",
    PHONE_GETS,
    (
        refused(
            60200,
            "number-invalid",
            "Twilio does not accept the text as a phone number.",
            "+15005550200",
            "phone_number_invalid",
            PHONE_NUMBER,
        ),
        refused(60205, "landline", "A landline cannot receive an SMS.", "+15005550205", "landline", PHONE_NUMBER),
        refused(60600, "out-of-coverage", "The number is out of coverage.", "+15005550600", "unreachable", PHONE_NUMBER),
        refused(60203, "five-sends", "Twilio sent five messages within ten minutes.", "+15005550203", "too_many_sends"),
        refused(60410, "fraud-guard", "Fraud Guard has blocked the prefix.", "+15005550410", "blocked_as_fraud"),
        refused(
            60605,
            "geo-permissions",
            "The country is not enabled in Geo Permissions.",
            "+15005550605",
            "country_blocked_by_twilio",
            delivery="voice call",
        ),
        refused(60220, "vetting", "A registration that Twilio requires is missing.", "+15005550220", "not_registered"),
        refused(60223, "channel-off", "The channel is disabled on the Verify service.", "+15005550223", "channel_unavailable"),
        refused(
            60204,
            "custom-code-off",
            "The Verify service does not accept custom codes.",
            "+15005550204",
            "verify_service",
        ),
        refused(
            20404,
            "service-missing",
            "The Verify service does not exist. The hook retries without a language, since Twilio responds in the same way to one "
            "that it does not have.",
            "+15005550404",
            "verify_service",
            requests=2,
        ),
        refused(60228, "template-missing", "The template does not exist.", "+15005550228", "template"),
        sent(
            "telephony-twilio-60229-template-language",
            "The template lacks the language. The code goes out without a language.",
            "+15005550229",
            requests=2,
            phone={"locale": None},
        ),
        refused(60735, "owned-by-other", "Another integration uses the service.", "+15005550735", "owned_by_other"),
        refused(20003, "credentials", "The API key is wrong.", "+15005550003", "twilio_authentication"),
        refused(21608, "trial-account", "A trial account cannot send to this number.", "+15005551608", "twilio_account"),
        refused(99999, "unknown", "Twilio responds with an unknown error code.", "+15005559999", "twilio_refused"),
    ),
)

TWILIO_IN_TROUBLE = Group(
    "Twilio fails",
    PHONE_GETS,
    (
        refused(20429, "throttled", "Twilio is busy. The hook retries once.", "+15005550429", "throttled", requests=2),
        refused(
            20429,
            "rate-limit",
            "The service's own rate limit is reached. The hook does not retry.",
            "+15005559429",
            "rate_limited",
        ),
        refused(
            20503,
            "unavailable",
            "Twilio is down. The hook retries once.",
            "+15005550503",
            "twilio_failed",
            requests=2,
        ),
        refused(
            20500,
            "failed",
            "Twilio fails, and may have sent the code. The hook does not retry.",
            "+15005550500",
            "twilio_failed",
        ),
        sent("telephony-twilio-slow", "Twilio responds after one second, in time.", "+15005559001"),
        unanswered(
            "telephony-twilio-timeout",
            "Twilio does not respond within the budget. The code may arrive, and Okta sends it too.",
            "+15005559005",
            "twilio_timeout",
            arrives=True,
        ),
        unanswered(
            "telephony-twilio-interrupted",
            "The connection breaks before Twilio sends. The hook cannot know that, and does not retry.",
            "+15005559010",
            "twilio_interrupted",
            arrives=False,
        ),
        unanswered(
            "telephony-twilio-interrupted-after-send",
            "The connection breaks after Twilio has sent.",
            "+15005559011",
            "twilio_interrupted",
            arrives=True,
        ),
    ),
)

ANY_NUMBER = {"LOOKUP_FIELDS": "basic", "DEFAULT_COUNTRY": "US"}
LINES = {
    "LOOKUP_FIELDS": "line_type_intelligence",
    "BLOCKED_LINE_TYPES": "premium,nonFixedVoip",
    "BLOCKED_CARRIERS": "310-998",
    "LANDLINE_TO_CALL": "true",
}
PUMPING = {
    "LOOKUP_FIELDS": "sms_pumping_risk",
    "MAX_SMS_PUMPING_RISK": "75",
    "POLICY_EXEMPT_REQUEST_TYPES": "password-reset",
}
SIM_SWAP = {"LOOKUP_FIELDS": "sim_swap", "MAX_SIM_SWAP_AGE_HOURS": "72"}
LINE_IN_USE = {"LOOKUP_FIELDS": "line_status,call_forwarding"}
BY_COUNTRY = {"COUNTRY_RULES": '{"BR":{"channel":"whatsapp"},"DE":{"locale":"de"}}'}


def denied(
    name: str,
    shows: str,
    number: str,
    reason: str,
    variables: dict[str, str],
    *,
    lookups: int = 1,
    delivery: str = "SMS",
    swallowed: bool = False,
) -> Scene:
    """The policy refuses."""
    location = None if swallowed else PHONE_NUMBER
    expected = Sending(200, reason, swallowed, location, lookup_requests=lookups)
    return scene(name, shows, request(name, number, channel=delivery), expected, variables=variables)


POLICY = Group(
    "Stopped or routed by the policy",
    PHONE_GETS,
    (
        denied(
            "telephony-policy-country-blocked",
            "The country is blocked. The hook asks neither Lookup nor Verify.",
            "+442079460181",
            "country_blocked",
            {"BLOCKED_COUNTRIES": "GB"},
            lookups=0,
        ),
        denied(
            "telephony-policy-country-not-allowed",
            "The country is not allowed.",
            "+442079460182",
            "country_not_allowed",
            {"ALLOWED_COUNTRIES": "US,CA"},
            lookups=0,
        ),
        sent(
            "telephony-policy-observed",
            "The country is not allowed, but the policy only observes. The code goes out, and the log has `would_refuse`.",
            "+442079460184",
            variables={"ALLOWED_COUNTRIES": "US,CA", "POLICY_MODE": "observe"},
        ),
        sent(
            "telephony-rules-whatsapp-by-country",
            "The rule for Brazil uses WhatsApp.",
            "+5511961234567",
            by="whatsapp",
            phone={"locale": "en-us"},
            variables=BY_COUNTRY,
        ),
        sent(
            "telephony-rules-language-by-country",
            "The rule for Germany sets the language, and the user's own does not count.",
            "+4915112345678",
            phone={"locale": "de"},
            variables=BY_COUNTRY,
        ),
        sent(
            "telephony-rules-other-country",
            "The country has no rule, so the global variables apply.",
            "+12025550189",
            variables=BY_COUNTRY,
        ),
        sent(
            "telephony-policy-number-national",
            "The number has no country code. Lookup completes it.",
            "(202) 555-0183",
            to="+12025550183",
            lookups=1,
            variables=ANY_NUMBER,
        ),
        denied(
            "telephony-policy-number-not-assigned",
            "Lookup says that the number cannot exist.",
            "+15005558101",
            "phone_number_invalid",
            ANY_NUMBER,
        ),
        sent(
            "telephony-policy-lookup-slow",
            "Lookup takes too long. The code goes out without it.",
            "+15005558201",
            lookups=1,
            variables=ANY_NUMBER,
        ),
        sent(
            "telephony-policy-lookup-failed",
            "Lookup fails. The code goes out without it.",
            "+15005558500",
            lookups=1,
            variables=ANY_NUMBER,
        ),
        denied(
            "telephony-policy-lookup-failed-national",
            "Lookup fails, and only Lookup could complete the number.",
            "(500) 555-8503",
            "lookup_unavailable",
            ANY_NUMBER,
        ),
        sent(
            "telephony-policy-line-mobile",
            "A mobile number passes.",
            "+15005552002",
            lookups=1,
            variables=LINES,
        ),
        sent(
            "telephony-policy-line-landline",
            "A landline cannot show an SMS, so Twilio calls it.",
            "+15005552001",
            by="call",
            lookups=1,
            variables=LINES,
        ),
        denied(
            "telephony-policy-line-premium",
            "The number has a premium rate.",
            "+15005552007",
            "line_type_blocked",
            LINES,
        ),
        denied("telephony-policy-line-carrier", "The carrier is blocked.", "+15005552013", "carrier_blocked", LINES),
        sent(
            "telephony-policy-line-no-data",
            "Lookup has no data about the line. The rule lets the code pass.",
            "+15005557003",
            lookups=1,
            variables=LINES,
        ),
        denied(
            "telephony-policy-pumping-high",
            "The number is probably used for SMS pumping. Okta gets an error, and sends the code itself.",
            "+15005553095",
            "sms_pumping_risk",
            PUMPING,
        ),
        denied(
            "telephony-policy-pumping-swallowed",
            "The same, but Okta gets `SUCCESSFUL`, so that it does not send the code either.",
            "+15005553095",
            "sms_pumping_risk",
            PUMPING | {"DENY_RESPONSE": "swallow"},
            swallowed=True,
        ),
        sent("telephony-policy-pumping-mild", "A mild risk passes.", "+15005553061", lookups=1, variables=PUMPING),
        sent(
            "telephony-policy-pumping-exempt",
            "A password reset is exempt. The hook asks Lookup for the free check only.",
            "+15005553100",
            flow="password-reset",
            lookups=1,
            variables=PUMPING,
        ),
        denied(
            "telephony-policy-sim-swapped",
            "The SIM was swapped two hours ago. A thief may hold it now.",
            "+15005554001",
            "sim_swapped",
            SIM_SWAP,
        ),
        sent(
            "telephony-policy-sim-swapped-long-ago",
            "The SIM was swapped last year.",
            "+15005554002",
            lookups=1,
            variables=SIM_SWAP,
        ),
        denied("telephony-policy-line-inactive", "The line is not in use.", "+15005555004", "line_inactive", LINE_IN_USE),
        denied(
            "telephony-policy-call-forwarded",
            "The call would be forwarded to another number.",
            "+15005556001",
            "call_forwarded",
            LINE_IN_USE,
            delivery="voice call",
        ),
        sent(
            "telephony-policy-call-forwarded-sms",
            "Call forwarding does not affect an SMS.",
            "+15005556001",
            lookups=1,
            variables=LINE_IN_USE,
        ),
    ),
)

GROUPS = [BY_SMS, BY_CALL, BY_WHATSAPP, PREVIEWS, BY_TOKEN, REJECTED, UNFIT, POLICY, TWILIO_REFUSES, TWILIO_IN_TROUBLE]
