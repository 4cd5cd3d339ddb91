"""The check of a new version: its requests, and the responses that it accepts."""

import base64
import io
import json
import os
import re
import sys
import types
import unittest
from unittest import mock

import modes
import sam

VERSIONS = {"TELEPHONY_VERSION": "telephony:2", "EVENT_VERSION": "event:2"}
HEADER = {"AUTH_MODE": "header", "AUTH_HEADER": "", "JWT_SCOPE": "", "JWT_CLIENT_ID": ""}
JWT = {"AUTH_MODE": "jwt", "AUTH_HEADER": "", "JWT_SCOPE": "send", "JWT_CLIENT_ID": "0oa1"}


def response(status, *reasons, failed=False):
    """The response of an invocation, with the end of its log."""
    lines = ["START RequestId: 1", '{"message":"started","secret":"failed"}', "not json", "[]"]
    lines += [json.dumps({"message": "secret_refresh_failed", "secret": "hooks", "reason": reason}) for reason in reasons]
    found = {"Payload": io.BytesIO(json.dumps({"statusCode": status}).encode())}
    found["LogResult"] = base64.b64encode("\n".join(lines).encode()).decode()
    return {**found, "FunctionError": "Unhandled"} if failed else found


class Aws:
    """Lambda, which returns the responses of each version in turn, and CodeDeploy, which records the result."""

    def __init__(self, **responses):
        self.responses = {version: list(each) for version, each in responses.items()}
        self.requests = []
        self.verdicts = []

    def client(self, _service):
        return self

    def invoke(self, FunctionName, Payload, LogType):
        assert LogType == "Tail"
        self.requests.append((FunctionName, json.loads(Payload)))
        left = self.responses[FunctionName.split(":")[0]]
        given = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(given, Exception):
            raise given
        given["Payload"].seek(0)
        return given

    def put_lifecycle_event_hook_execution_status(self, **verdict):
        self.verdicts.append(verdict)


CODE = modes.stack("default").properties("PreTrafficCheck")["Code"]["ZipFile"]


def check(aws, settings=HEADER, versions=VERSIONS):
    """Runs the code of the template."""
    module = types.ModuleType("index")
    with (
        mock.patch.dict(sys.modules, {"boto3": types.SimpleNamespace(client=aws.client)}),
        mock.patch.dict(os.environ, {**settings, **versions}),
        mock.patch("time.sleep"),
        mock.patch("builtins.print"),
    ):
        exec(compile(CODE, "index.py", "exec"), module.__dict__)  # noqa: S102
        module.handler({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "h-1"}, None)
    return [verdict["status"] for verdict in aws.verdicts]


REFUSED = [response(401)]


class PreTrafficCheck(unittest.TestCase):
    def test_a_refused_secret_proves_that_the_function_read_its_own(self):
        aws = Aws(telephony=REFUSED, event=REFUSED)
        self.assertEqual(check(aws), ["Succeeded"])
        self.assertEqual(aws.verdicts[0]["deploymentId"], "d-1")
        self.assertEqual(aws.verdicts[0]["lifecycleEventHookExecutionId"], "h-1")
        (version, telephony), (_, events) = aws.requests
        self.assertEqual((version, telephony["routeKey"]), ("telephony:2", "POST /telephony"))
        self.assertEqual(events["routeKey"], "GET /events")
        for request in (telephony, events):
            # The functions' secrets have at least sixteen characters, so no secret can equal a shorter one.
            self.assertIn("auth_secret", request["headers"])
            self.assertEqual(request["body"], "{}")
            self.assertNotIn("authorizer", request["requestContext"])

    def test_a_version_with_another_response_gets_no_traffic(self):
        for given in (
            [response(200)],
            [response(500)],
            [response(None, failed=True)],
            [response(503)],
            [response(503, "access_denied")],
            [response(503, "unreachable")],
            [response(503, "not_found")],
            [response(503, "not_json")],
            [response(503, "twilio_credentials_unusable", "unreachable")],
            # The Okta secret cannot be read either: the hooks secret alone is not enough.
            [response(401, "access_denied")],
        ):
            with self.subTest(given[0]):
                self.assertEqual(check(Aws(telephony=given, event=REFUSED)), ["Failed"])
                self.assertEqual(check(Aws(telephony=REFUSED, event=given)), ["Failed"])

    def test_an_empty_secret_does_not_stop_an_update(self):
        for reason in ("twilio_credentials_unusable", "verify_service_sid_unusable"):
            self.assertEqual(check(Aws(telephony=[response(503, reason)], event=REFUSED)), ["Succeeded"])
        # The first response may come from a failure that INIT has logged.
        later = [response(503), response(503, "twilio_credentials_unusable")]
        self.assertEqual(check(Aws(telephony=later, event=REFUSED)), ["Succeeded"])

    def test_its_reasons_are_those_of_the_functions(self):
        known = (sam.ROOT / "crates" / "okta-twilio" / "src" / "secrets" / "error.rs").read_text()
        reasons = re.findall(r'"([a-z_]+)"', " ".join(re.findall(r"^(?:NOT_FILLED_YET|FATAL) = (.*)$", CODE, re.MULTILINE)))
        self.assertEqual(len(reasons), 4)
        for reason in reasons:
            self.assertIn(f'"{reason}"', known)

    def test_a_temporary_failure_does_not_stop_an_update(self):
        self.assertEqual(check(Aws(telephony=[response(503, "unreachable"), response(401)], event=REFUSED)), ["Succeeded"])

    def test_with_jwt_the_number_cannot_exist(self):
        aws = Aws(telephony=[response(200)], event=REFUSED)
        self.assertEqual(check(aws, JWT), ["Succeeded"])
        _, telephony = aws.requests[0]
        self.assertEqual(
            telephony["requestContext"]["authorizer"]["jwt"]["claims"],
            {"sub": "pre-traffic-check", "cid": "0oa1", "scp": "[send]"},
        )
        message = json.loads(telephony["body"])["data"]["messageProfile"]
        self.assertEqual(message["phoneNumber"], "+0")
        self.assertNotIn("auth_secret", telephony["headers"])
        # A function that refuses this token would refuse Okta's as well.
        self.assertEqual(check(Aws(telephony=[response(401)], event=REFUSED), JWT), ["Failed"])

    def test_a_hook_that_the_stack_does_not_have_is_not_called(self):
        aws = Aws(event=REFUSED)
        self.assertEqual(check(aws, versions={**VERSIONS, "TELEPHONY_VERSION": ""}), ["Succeeded"])
        self.assertEqual(len(aws.requests), 1)

    def test_a_crashed_check_is_a_failure(self):
        aws = Aws(telephony=[RuntimeError("throttled")], event=REFUSED)
        with self.assertRaises(RuntimeError):
            check(aws)
        self.assertEqual([verdict["status"] for verdict in aws.verdicts], ["Failed"])

    def test_the_header_is_the_configured_one(self):
        aws = Aws(telephony=REFUSED, event=REFUSED)
        check(aws, {**HEADER, "AUTH_HEADER": "x-okta-secret"})
        for _, request in aws.requests:
            self.assertIn("x-okta-secret", request["headers"])
            self.assertNotIn("auth_secret", request["headers"])


if __name__ == "__main__":
    unittest.main()
