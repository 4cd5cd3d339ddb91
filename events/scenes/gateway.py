"""What an API Gateway HTTP API hands to a function: payload format 2.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import datetime
import hashlib

from .scene import Json, identifier, uuid

AUTH_SECRET = "local-development-only"
"""What the local stack and the tests keep in the hooks secret; `sandbox::deployment::AUTH_SECRET`."""

ACCOUNT = "123456789012"
API = "a1b2c3d4e5"
DOMAIN = f"{API}.execute-api.us-east-1.amazonaws.com"
OKTA_ADDRESS = "192.0.2.10"


def moment(name: str) -> datetime.datetime:
    """When a scene was recorded: its own second of one day."""
    second = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 86_400
    return datetime.datetime(2026, 11, 2, tzinfo=datetime.timezone.utc) + datetime.timedelta(seconds=second)


def timestamp(time: datetime.datetime) -> str:
    """As Okta writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03}Z"


def event(
    name: str,
    path: str,
    *,
    body: str | None,
    hook_id: str,
    method: str = "POST",
    headers: dict[str, str | None] | None = None,
    is_base64: bool = False,
    claims: dict[str, str] | None = None,
) -> Json:
    """A request of Okta as the gateway hands it over. Of `headers`, those without a value are left out."""
    received = moment(name) + datetime.timedelta(milliseconds=214)
    user_agent = f"Okta Hook Service v1.0.0 - {hook_id}"
    trace = uuid(name, "trace").replace("-", "")
    all_headers: dict[str, str | None] = {
        "accept": "application/json",
        "accept-encoding": "gzip,deflate",
        "auth_secret": AUTH_SECRET,
        "content-length": None if body is None else str(len(body.encode())),
        "content-type": "application/json",
        "host": DOMAIN,
        "user-agent": user_agent,
        "x-amzn-trace-id": f"Root=1-{int(received.timestamp()):x}-{trace[:24]}",
        "x-forwarded-for": OKTA_ADDRESS,
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
        "x-okta-request-id": identifier(name, "request of the hook", 22),
    }
    all_headers |= headers or {}
    context: dict[str, Json] = {
        "accountId": ACCOUNT,
        "apiId": API,
        "domainName": DOMAIN,
        "domainPrefix": API,
        "http": {
            "method": method,
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": OKTA_ADDRESS,
            "userAgent": user_agent,
        },
        "requestId": identifier(name, "request of the gateway", 15) + "=",
        "routeKey": f"{method} {path}",
        "stage": "$default",
        "time": received.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(received.timestamp() * 1000),
    }
    if claims is not None:
        context["authorizer"] = {"jwt": {"claims": claims, "scopes": None}}
    result: dict[str, Json] = {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {header: value for header, value in sorted(all_headers.items()) if value is not None},
        "requestContext": context,
    }
    if body is not None:
        result["body"] = base64.b64encode(body.encode()).decode() if is_base64 else body
    return result | {"isBase64Encoded": is_base64}
