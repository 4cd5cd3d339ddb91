"""Lets a new version have traffic once it starts and reads its secret. It sends nothing.

A request with a wrong shared secret gets 401 after the function has read its own secret, and 503 before. With JWT the request
has claims of its own and a number that cannot exist, and gets 200.
"""
import base64
import json
import os
import time

import boto3

ATTEMPTS = 4
# The stack's own secret has not been filled in yet. An update must not fail because of that.
NOT_FILLED_YET = {"twilio_credentials_unusable", "verify_service_sid_unusable"}
# These failures do not end by themselves.
FATAL = {"access_denied", "not_found"}


def handler(event, _context):
    status = "Failed"
    try:
        jwt = os.environ["AUTH_MODE"] == "jwt"
        checks = [
            (os.environ["TELEPHONY_VERSION"], *(number_without_owner() if jwt else wrong_secret("POST", "/telephony"))),
            (os.environ["EVENT_VERSION"], *wrong_secret("GET", "/events")),
        ]
        if all(passes(*check) for check in checks if check[0]):
            status = "Succeeded"
    finally:
        boto3.client("codedeploy").put_lifecycle_event_hook_execution_status(
            deploymentId=event["DeploymentId"],
            lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
            status=status,
        )


def passes(version, request, expected):
    for attempt in range(ATTEMPTS):
        if attempt:
            # A failed fetch of the secret is tried again after a second.
            time.sleep(2)
        response = boto3.client("lambda").invoke(FunctionName=version, Payload=json.dumps(request), LogType="Tail")
        failed = "FunctionError" in response
        status = None if failed else json.load(response["Payload"]).get("statusCode")
        reasons = secret_failures(response.get("LogResult", ""))
        print(json.dumps({"version": version, "status": status, "failed": failed, "secret": sorted(reasons)}))
        if failed or reasons & FATAL:
            return False
        if status == expected or (status == 503 and reasons and reasons <= NOT_FILLED_YET):
            return True
    return False


def secret_failures(tail):
    """Why secrets could not be read, by the end of the function's log."""
    reasons = set()
    for line in base64.b64decode(tail).decode(errors="replace").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and record.get("message") == "secret_refresh_failed":
            reasons.add(record.get("reason"))
    return reasons


def wrong_secret(method, path):
    headers = {os.environ["AUTH_HEADER"] or "auth_secret": "pre-traffic check", "x-okta-verification-challenge": "check"}
    return gateway_event(method, path, headers, {}), 401


def number_without_owner():
    body = {
        "eventId": "pre-traffic-check",
        "eventType": "com.okta.telephony.provider",
        "requestType": "com.okta.user.telephony.mfa-verification",
        "data": {
            "userProfile": {"userId": "pre-traffic-check"},
            "messageProfile": {
                "phoneNumber": "+0",
                "otpCode": "000000",
                "otpExpires": "2099-12-31T23:59:59.000Z",
                "deliveryChannel": "SMS",
                "locale": "EN-US",
            },
        },
    }
    request = gateway_event("POST", "/telephony", {"content-type": "application/json"}, body)
    scope = os.environ["JWT_SCOPE"]
    claims = {"sub": "pre-traffic-check", "cid": os.environ["JWT_CLIENT_ID"] or "pre-traffic-check", "scp": f"[{scope}]"}
    request["requestContext"]["authorizer"] = {"jwt": {"claims": claims, "scopes": [scope]}}
    return request, 200


def gateway_event(method, path, headers, body):
    return {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "accountId": "0",
            "apiId": "pre-traffic-check",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "check"},
            "requestId": "pre-traffic-check",
            "routeKey": f"{method} {path}",
            "stage": "$default",
            "timeEpoch": int(time.time() * 1000),
        },
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }
