"""The deployed system from Okta's request to Twilio's approval, through the URLs that the stack gives its user."""

import json
import os
import subprocess
import sys
import time
import unittest

from issuer import Issuer
from world import ROOT, CodeDeploy, Emulator, Sandbox, Stack, call, wait_until, zips

AUTH_SECRET = "system-test-auth-secret"
USER = "00uyxxSknGtK8022w0g3"
PHONE = "+12025550123"
CODE = "826053"
IMPOSSIBLE = "+0"


def setUpModule():
    sandbox_world(unittest.addModuleCleanup)


def sandbox_world(add_cleanup):
    """The emulator, the stand-ins and the zips, for the tests of one module."""
    global emulator, sandbox, zip_folder, code_deploy
    code_deploy = CodeDeploy()
    add_cleanup(code_deploy.stop)
    emulator = Emulator(code_deploy.url)
    add_cleanup(emulator.stop)
    sandbox = Sandbox()
    add_cleanup(sandbox.stop)
    zip_folder = zips(add_cleanup)
    return emulator, sandbox, zip_folder


def parameters(**more):
    """The parameters of a stack that does not use Okta's API, with the stand-in instead of Twilio."""
    defaults = {
        "Architecture": "x86_64" if os.uname().machine == "x86_64" else "arm64",
        "VerifyServiceSid": sandbox.service_sid,
        "TwilioVerifyUrl": sandbox.url,
        "TwilioLookupUrl": sandbox.url,
    }
    return defaults | more


def okta_secret():
    secrets = emulator.client("secretsmanager")
    value = json.dumps({"okta_api_token": "sandbox-okta-api-token"})
    try:
        return secrets.create_secret(Name="okta", SecretString=value)["ARN"]
    except secrets.exceptions.ResourceExistsException:
        return secrets.describe_secret(SecretId="okta")["ARN"]


def deploy(name, **more):
    """A stack with its secret filled in as a user does it."""
    stack = Stack(emulator, zip_folder, name, parameters(**more))
    fill_secret(stack)
    return stack


def fill_secret(stack):
    value = sandbox.credential | {"auth_secret": AUTH_SECRET}
    done = subprocess.run(
        [sys.executable, ROOT / "tools/secrets"],
        input=json.dumps(value),
        env=emulator.environment | {"STACK": stack.name, "DEPLOY_CONFIG": os.devnull},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def recorded(name):
    """The body of a recorded invocation."""
    return json.loads(json.loads((ROOT / f"events/{name}.json").read_text())["body"])


def telephony_request(phone=PHONE, code=CODE):
    body = recorded("telephony-sms-mfa-verification")
    body["data"]["messageProfile"] |= {"phoneNumber": phone, "otpCode": code}
    return json.dumps(body)


def event_delivery(uuid):
    """Okta's delivery about a correct code a moment ago."""
    body = recorded("event-sms-identity-engine")
    [event] = body["data"]["events"]
    event["uuid"] = uuid
    event["published"] = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + 1))
    return json.dumps(body)


def ask(stack, phone=PHONE, secret=AUTH_SECRET, **headers):
    sent = {"content-type": "application/json", **({"auth_secret": secret} if secret else {}), **headers}
    return call(stack.outputs["TelephonyUrl"], "POST", sent, telephony_request(phone))


def deliver(stack, uuid, secret=AUTH_SECRET):
    sent = {"content-type": "application/json", "auth_secret": secret}
    return call(stack.outputs["EventsUrl"], "POST", sent, event_delivery(uuid))


def status_of(response):
    """Okta's status for a sent code; `None` for an error object."""
    return response.json["commands"][0]["value"][0]["status"] if "commands" in response.json else None


def transaction_of(response):
    return response.json["commands"][0]["value"][0]["transactionId"]


def requests_to_twilio():
    """The requests, without those that only open a connection."""
    return [request for request in sandbox.get("requests") if request["method"] != "HEAD"]


def approvals():
    return [request for request in requests_to_twilio() if "/Verifications/" in request["path"]]


class Story(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = deploy("story")
        queue = emulator.client("sqs")
        # A failed message is received again after this. The template's own value is minutes.
        queue.set_queue_attributes(QueueUrl=cls.stack.outputs["FeedbackQueueUrl"], Attributes={"VisibilityTimeout": "1"})

    def setUp(self):
        sandbox.reset()
        sandbox.clear_faults()

    def test_okta_verifies_the_event_hook(self):
        headers = {"auth_secret": AUTH_SECRET, "x-okta-verification-challenge": "a-challenge"}
        response = call(self.stack.outputs["EventsUrl"], "GET", headers)
        self.assertEqual((response.status, response.json), (200, {"verification": "a-challenge"}))

        refused = call(self.stack.outputs["EventsUrl"], "GET", headers | {"auth_secret": "another-auth-secret"})
        self.assertEqual(refused.status, 401)
        self.assertNotIn("a-challenge", refused.body)

    def test_a_code_is_sent_and_its_event_approves_it(self):
        response = ask(self.stack)
        self.assertEqual((response.status, status_of(response)), (200, "SUCCESSFUL"), response)
        [message] = sandbox.get("inbox")
        self.assertEqual((message["to"], message["code"]), (PHONE, CODE))
        sid = transaction_of(response)
        self.assertIn(sid, self.remembered())

        self.assertEqual(deliver(self.stack, "6f1c6ab0-2f1e-4f5a-9f0e-000000000001").status, 200)

        wait_until("Twilio has the approval", approvals)
        [verification] = sandbox.get("verifications")
        self.assertEqual((verification["sid"], verification["status"]), (sid, "approved"))
        self.assertTrue(approvals()[0]["path"].endswith(f"/Verifications/{sid}"), approvals())
        self.assertEqual(sandbox.get("okta-requests"), [])
        wait_until("the item is deleted", lambda: sid not in self.remembered())

    def test_a_wrong_secret_sends_nothing(self):
        response = ask(self.stack, secret="another-auth-secret")
        self.assertEqual((response.status, response.reason), (401, "not_authenticated"))
        self.assertEqual(ask(self.stack, secret=None).status, 401)
        self.assertEqual(deliver(self.stack, "6f1c6ab0-2f1e-4f5a-9f0e-000000000002", "another-auth-secret").status, 401)
        self.assertEqual(requests_to_twilio(), [])

    def test_twilio_is_down_and_comes_back(self):
        sandbox.fault("verify_create", {"status": 503})
        response = ask(self.stack)
        self.assertEqual((response.status, status_of(response)), (200, None))
        self.assertTrue(response.reason.startswith("twilio_"), response)
        self.assertEqual(sandbox.get("inbox"), [])

        sandbox.clear_faults()
        response = ask(self.stack)
        self.assertEqual(status_of(response), "SUCCESSFUL", response)

        # The queue keeps the feedback while Twilio is down, and event-hook sends it later.
        sandbox.fault("verify_update", {"status": 503})
        self.assertEqual(deliver(self.stack, "6f1c6ab0-2f1e-4f5a-9f0e-000000000003").status, 200)
        wait_until("the first try", approvals)
        [verification] = sandbox.get("verifications")
        self.assertEqual(verification["status"], "pending")
        sandbox.clear_faults()

        def approved():
            [verification] = sandbox.get("verifications")
            return verification["status"] == "approved"

        wait_until("the feedback is given", approved)

    def test_an_impossible_number_is_refused_without_a_request_to_twilio(self):
        response = ask(self.stack, phone=IMPOSSIBLE)
        self.assertEqual((response.status, response.reason), (200, "phone_number_invalid"))
        self.assertEqual(requests_to_twilio(), [])

    def test_only_the_hooks_are_routed(self):
        base = self.stack.outputs["TelephonyUrl"].removesuffix("/telephony")
        for method, path in (("GET", "/telephony"), ("PUT", "/events"), ("POST", "/"), ("POST", "/telephony/x")):
            with self.subTest(method=method, path=path):
                self.assertEqual(call(base + path, method, {"auth_secret": AUTH_SECRET}).status, 404)

    def test_the_logs_say_what_happened_and_hold_nothing_private(self):
        ask(self.stack)
        wait_until("the log line", lambda: self.stack.log_lines("otp_sent"))
        lines = json.dumps(self.stack.log_lines())
        for private in (PHONE, PHONE[2:], CODE, AUTH_SECRET, sandbox.credential["twilio_api_key_secret"], "Wolkenstein"):
            self.assertNotIn(private, lines)

    def remembered(self):
        """The sids in the sends table."""
        table = emulator.client("dynamodb")
        items = table.scan(TableName=self.stack.outputs["SendsTableName"])["Items"]
        return [item["verification_sid"]["S"] for item in items if item["user_id"]["S"] == USER]


class Secret(unittest.TestCase):
    def test_the_hooks_wait_for_it_and_find_it_by_themselves(self):
        stack = Stack(emulator, zip_folder, "waits", parameters())
        response = ask(stack)
        self.assertEqual((response.status, response.reason), (503, "secret_unavailable"))
        fill_secret(stack)

        def lets_in():
            return ask(stack, phone=IMPOSSIBLE).reason == "phone_number_invalid"

        wait_until("the secret is noticed", lets_in)


class EventsAlone(unittest.TestCase):
    """For users who send Okta's codes through Verify in another way."""

    def test_the_number_is_found_in_okta_and_its_code_approved(self):
        okta = {"OktaOrgUrl": sandbox.url, "OktaSecretId": okta_secret()}
        stack = deploy("events-alone", Hooks="events", **okta)
        self.assertEqual(stack.functions(), {"EventFunction"})
        self.assertNotIn("TelephonyUrl", stack.outputs)
        sandbox.reset()
        sandbox.send_code(PHONE, CODE)

        self.assertEqual(deliver(stack, "6f1c6ab0-2f1e-4f5a-9f0e-000000000007").status, 200)

        def approved():
            [verification] = sandbox.get("verifications")
            return verification["status"] == "approved"

        wait_until("Twilio has the approval", approved)
        self.assertTrue(sandbox.get("okta-requests"))


class Update(unittest.TestCase):
    def test_one_hook_is_taken_away_and_the_other_goes_on(self):
        stack = deploy("update")
        url, events, secret = (stack.outputs[name] for name in ("TelephonyUrl", "EventsUrl", "HooksSecretArn"))
        self.assertEqual(deliver(stack, "6f1c6ab0-2f1e-4f5a-9f0e-000000000004").status, 200)
        self.assertEqual(stack.functions(), {"TelephonyFunction", "EventFunction"})

        stack.update(parameters(Hooks="telephony"))

        self.assertEqual((stack.outputs["TelephonyUrl"], stack.outputs["HooksSecretArn"]), (url, secret))
        self.assertNotIn("EventsUrl", stack.outputs)
        sandbox.reset()
        self.assertEqual(status_of(ask(stack)), "SUCCESSFUL")
        self.assertEqual(call(events, "GET", {"auth_secret": AUTH_SECRET}).status, 404)
        self.assertEqual(stack.functions(), {"TelephonyFunction"})

    def test_a_changed_parameter_reaches_the_url(self):
        stack = deploy("changed")
        sandbox.reset()
        self.assertEqual(status_of(ask(stack)), "SUCCESSFUL")

        stack.update(parameters(AllowedCountries="DE", Revision="abcdef0123456789"))

        response = ask(stack)
        self.assertEqual((response.status, response.reason), (200, "country_not_allowed"), response)


class PreTraffic(unittest.TestCase):
    """The check that CodeDeploy asks for before a new version gets traffic, on the real functions."""

    def verdict(self, stack):
        """What the check reports to CodeDeploy. It sends nothing."""
        code_deploy.verdicts.clear()
        sandbox.reset()
        name = stack.resources("AWS::Lambda::Function")["PreTrafficCheck"]
        event = {"DeploymentId": "d-SYSTEM", "LifecycleEventHookExecutionId": "x"}
        response = emulator.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
        self.assertNotIn("FunctionError", response, response["Payload"].read())
        self.assertEqual(requests_to_twilio(), [])
        [verdict] = code_deploy.verdicts
        self.assertEqual(verdict["deploymentId"], "d-SYSTEM")
        return verdict["status"]

    def test_a_version_that_works_passes(self):
        self.assertEqual(self.verdict(deploy("check")), "Succeeded")

    def test_a_version_that_works_with_tokens_passes(self):
        jwt = {"JwtIssuer": "https://example.okta.com/oauth2/aus1", "JwtAudience": "api://hooks", "JwtScope": "telephony.send"}
        self.assertEqual(self.verdict(deploy("check-jwt", AuthMode="jwt", **jwt)), "Succeeded")

    def test_a_version_that_does_not_start_fails(self):
        self.assertEqual(self.verdict(deploy("check-start", SecretTtlSeconds="0")), "Failed")

    def test_a_version_that_does_not_find_its_secret_fails(self):
        stack = deploy("check-secret")
        secret = stack.outputs["HooksSecretArn"]
        emulator.client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
        self.assertEqual(self.verdict(stack), "Failed")


class Tokens(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.issuer = Issuer()
        cls.addClassCleanup(cls.issuer.stop)
        jwt = {"JwtIssuer": cls.issuer.url, "JwtAudience": "api://hooks", "JwtScope": "telephony.send"}
        cls.stack = deploy("tokens", AuthMode="jwt", **jwt)

    def setUp(self):
        sandbox.reset()

    def ask_with(self, **claims):
        return ask(self.stack, secret=None, authorization=f"Bearer {self.token(**claims)}")

    def token(self, **claims):
        return self.issuer.token({"aud": "api://hooks", "scp": ["telephony.send"], "cid": "0oahook"} | claims)

    def test_a_token_of_the_issuer_is_accepted(self):
        response = self.ask_with()
        self.assertEqual((response.status, status_of(response)), (200, "SUCCESSFUL"), response)
        [message] = sandbox.get("inbox")
        self.assertEqual(message["to"], PHONE)

    def test_any_other_token_is_refused(self):
        now = int(time.time())
        others = {
            "another audience": ({"aud": "api://default"}, 401),
            "another issuer": ({"iss": "http://127.0.0.1:1/other"}, 401),
            "expired": ({"iat": now - 7200, "exp": now - 3600}, 401),
            "another scope": ({"scp": ["openid", "profile"]}, 403),
        }
        for name, (claims, status) in others.items():
            with self.subTest(name):
                self.assertEqual(self.ask_with(**claims).status, status)
        self.assertEqual(ask(self.stack, secret=AUTH_SECRET).status, 401, "the shared secret is not enough")
        forged = self.token()[:-8] + "AAAAAAAA"
        self.assertEqual(ask(self.stack, secret=None, authorization=f"Bearer {forged}").status, 401)
        self.assertEqual(requests_to_twilio(), [])

    def test_the_smoke_test_goes_on_with_a_token(self):
        environment = emulator.environment | {"STACK": "tokens", "DEPLOY_CONFIG": os.devnull}
        program = [sys.executable, ROOT / "tools/smoke"]
        for token, status, said in (
            (self.token(), 0, "an impossible number is refused"),
            (self.token(scp=["openid"]), 1, "is refused (403)"),
            ("", 0, "start and secret are not checked"),
        ):
            with self.subTest(said):
                environment["OKTA_TWILIO_BEARER_TOKEN"] = token
                done = subprocess.run(program, env=environment, input="", text=True, capture_output=True, check=False)
                self.assertEqual((done.returncode, said in done.stdout), (status, True), done.stdout + done.stderr)
        self.assertEqual(requests_to_twilio(), [])

    def test_the_event_hook_keeps_its_secret(self):
        self.assertEqual(deliver(self.stack, "6f1c6ab0-2f1e-4f5a-9f0e-000000000005").status, 200)
        self.assertEqual(deliver(self.stack, "6f1c6ab0-2f1e-4f5a-9f0e-000000000006", "another-auth-secret").status, 401)


if __name__ == "__main__":
    unittest.main()
