"""Tests of the scripts behind `make deploy`, `secrets`, `smoke` and `logs`."""

import http.server
import json
import os
import pathlib
import pty
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import tomlkit
from test_story import AUTH_SECRET, ask, parameters, sandbox_world
from world import FUNCTIONS, ROOT, Stack, call, clean_environment, source, wait_until, without_deployments

TOOLS = ROOT / "tools"


def setUpModule():
    global emulator, sandbox, zip_folder
    emulator, sandbox, zip_folder = sandbox_world(unittest.addModuleCleanup)


def run(script, *arguments, given=None, folder=TOOLS, **environment):
    """Runs a script without a terminal; `given` is its standard input."""
    variables = {"DEPLOY_CONFIG": os.devnull} | environment
    return subprocess.run(
        [sys.executable, folder / script, *arguments],
        input=given if given is not None else "",
        env=clean_environment(**variables),
        text=True,
        capture_output=True,
        timeout=180,
    )


def type_into(script, answers, *arguments, folder=TOOLS, **environment):
    """Runs a script in a terminal of its own and types one answer at each prompt. Returns its status and its output."""
    variables = clean_environment(**{"DEPLOY_CONFIG": os.devnull, "TERM": "dumb"} | environment)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, str(folder / script), *arguments], variables)
    shown, answers, deadline = "", list(answers), time.monotonic() + 60
    seen = 0
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.2)[0]:
            continue
        try:
            read = os.read(terminal, 10_000).decode()
        except OSError:
            break
        if not read:
            break
        shown += read
        if answers and shown[seen:].rstrip(" ").endswith(":"):
            seen = len(shown)
            os.write(terminal, answers.pop(0).encode() + b"\n")
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), shown


class Secrets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(emulator, zip_folder, "secrets", parameters())
        cls.client = emulator.client("secretsmanager")
        cls.environment = {"STACK": "secrets", "AWS_ENDPOINT_URL": emulator.url}

    def setUp(self):
        self.put({"auth_secret": AUTH_SECRET})

    def put(self, value):
        text = value if isinstance(value, str) else json.dumps(value)
        self.client.put_secret_value(SecretId=self.stack.outputs["HooksSecretArn"], SecretString=text)

    def stored(self):
        return json.loads(self.client.get_secret_value(SecretId=self.stack.outputs["HooksSecretArn"])["SecretString"])

    def labels(self):
        described = self.client.describe_secret(SecretId=self.stack.outputs["HooksSecretArn"])
        return sorted(label for labels in described["VersionIdsToStages"].values() for label in labels)

    def test_fields_from_standard_input_join_those_that_are_stored(self):
        done = run("secrets", given=json.dumps(sandbox.credential), **self.environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.stored(), sandbox.credential | {"auth_secret": AUTH_SECRET})
        self.assertEqual(self.labels(), ["AWSCURRENT", "AWSPREVIOUS"])
        for value in [*sandbox.credential.values(), AUTH_SECRET]:
            self.assertNotIn(value, done.stdout + done.stderr)

    def test_fields_from_a_file_and_removal_by_null(self):
        self.put({"auth_secret": AUTH_SECRET, "paused": True})
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write("\ufeff" + json.dumps(sandbox.credential | {"paused": None}))
            file.flush()
            done = run("secrets", FROM=file.name, **self.environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.stored(), sandbox.credential | {"auth_secret": AUTH_SECRET})

    def test_typed_values_are_not_shown(self):
        sid, secret = sandbox.credential["twilio_api_key_sid"], "typed-key-secret"
        status, shown = type_into("secrets", [sid, secret, sandbox.service_sid], **self.environment)
        self.assertEqual(status, 0, shown)
        self.assertEqual(
            self.stored(),
            {
                "auth_secret": AUTH_SECRET,
                "twilio_api_key_sid": sid,
                "twilio_api_key_secret": secret,
                "verify_service_sid": sandbox.service_sid,
            },
        )
        for value in (sid, secret, sandbox.service_sid, AUTH_SECRET):
            self.assertNotIn(value, shown)

    def test_an_account_replaces_a_key(self):
        self.put(sandbox.credential | {"auth_secret": AUTH_SECRET})
        account = "AC" + "1b" * 16
        status, shown = type_into("secrets", [account, "typed-auth-token", ""], **self.environment)
        self.assertEqual(status, 0, shown)
        expected = {"auth_secret": AUTH_SECRET, "twilio_account_sid": account, "twilio_auth_token": "typed-auth-token"}
        self.assertEqual(self.stored(), expected)

    def test_nothing_typed_changes_nothing(self):
        before = self.client.describe_secret(SecretId=self.stack.outputs["HooksSecretArn"])["VersionIdsToStages"]
        status, shown = type_into("secrets", ["", ""], **self.environment)
        self.assertEqual((status, "Nothing to change" in shown), (0, True), shown)
        after = self.client.describe_secret(SecretId=self.stack.outputs["HooksSecretArn"])["VersionIdsToStages"]
        self.assertEqual(before, after)

    def test_what_cannot_be_right_is_refused_without_being_repeated(self):
        account = "AC" + "1b" * 16
        wrong = {
            "sid of another kind": {**sandbox.credential, "twilio_api_key_sid": "VA" + "1b" * 16},
            "short auth_secret": {**sandbox.credential, "auth_secret": "tooshort!"},
            "short one in a list": {**sandbox.credential, "auth_secret": [AUTH_SECRET, "tooshort!"]},
            "five of them": {**sandbox.credential, "auth_secret": [AUTH_SECRET] * 5},
            "none of them": {**sandbox.credential, "auth_secret": None},
            "half a credential": {"twilio_account_sid": account},
            "unknown field": {**sandbox.credential, "pause": "misspelt-value"},
            "not an object": ["private-value"],
            "not JSON": "{private-value",
            "nothing": " ",
        }
        for name, value in wrong.items():
            with self.subTest(name):
                given = value if isinstance(value, str) else json.dumps(value)
                done = run("secrets", given=given, **self.environment)
                self.assertNotEqual(done.returncode, 0)
                self.assertEqual(self.stored(), {"auth_secret": AUTH_SECRET})
                for private in ("private-value", "misspelt-value", "tooshort!", account, AUTH_SECRET):
                    self.assertNotIn(private, done.stdout + done.stderr)

    def test_a_version_that_came_in_between_is_not_overwritten(self):
        newer = {"auth_secret": "a-newer-auth-secret", **sandbox.credential}
        with Between(emulator.url, "PutSecretValue", lambda: self.put(newer)) as address:
            environment = self.environment | {"AWS_ENDPOINT_URL": address}
            done = run("secrets", given=json.dumps(sandbox.credential), **environment)
        self.assertEqual(done.returncode, 1)
        self.assertIn("the secret was changed by someone else", done.stderr)
        self.assertEqual(self.stored(), newer)
        self.assertNotIn("OKTATWILIOPENDING", self.labels())

    def test_a_value_that_is_not_json_is_left_to_a_person(self):
        self.put("not json")
        done = run("secrets", given=json.dumps(sandbox.credential), **self.environment)
        self.assertEqual(done.returncode, 1)
        self.assertNotIn("not json", done.stderr)

    def test_the_newest_auth_secret_is_printed_where_it_is_asked_for(self):
        self.put({"auth_secret": ["the-newest-auth-secret", AUTH_SECRET]})
        done = run("secrets", SHOW="auth_secret", **self.environment)
        self.assertEqual((done.returncode, done.stdout), (0, "the-newest-auth-secret\n"))
        refused = run("secrets", SHOW="twilio_auth_token", **self.environment)
        self.assertEqual((refused.returncode, refused.stdout), (2, ""))

    def test_the_okta_secret(self):
        arn = self.client.create_secret(Name="okta-of-secrets", SecretString='{"okta_api_token": "an-api-token"}')["ARN"]
        Stack(emulator, zip_folder, "okta-secret", parameters(OktaOrgUrl=sandbox.url, OktaSecretId=arn))
        environment = self.environment | {"STACK": "okta-secret", "WHICH": "okta"}

        half = {"okta_client_id": "0oa1", "okta_api_token": None}
        done = run("secrets", given=json.dumps(half), **environment)
        self.assertEqual(done.returncode, 2, done.stdout)

        with tempfile.NamedTemporaryFile("w", suffix=".pem") as key:
            key.write("-----BEGIN PRIVATE KEY-----\nprivate-value\n-----END PRIVATE KEY-----\n")
            key.flush()
            status, shown = type_into("secrets", ["0oa1", key.name, ""], **environment)
        self.assertEqual(status, 0, shown)
        self.assertNotIn("private-value", shown)
        stored = json.loads(self.client.get_secret_value(SecretId=arn)["SecretString"])
        self.assertEqual(set(stored), {"okta_client_id", "okta_private_key"})
        self.assertIn("private-value", stored["okta_private_key"])

    def test_a_stack_that_does_not_exist(self):
        done = run("secrets", given="{}", **self.environment | {"STACK": "nowhere"})
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no stack 'nowhere'", done.stderr)


class Between:
    """A proxy to AWS that makes a concurrent change just after an operation has reached AWS."""

    def __init__(self, address, operation, act):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                answer = call(address + self.path, "POST", headers, body)
                if self.headers.get("X-Amz-Target", "").endswith(f".{operation}"):
                    act()
                content = answer.body.encode()
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


class Smoke(unittest.TestCase):
    """Against a server with scripted responses."""

    OURS = staticmethod(lambda reason: {"error": {"errorSummary": "x", "errorCauses": [{"reason": reason}]}})

    def answered(self, *answers, **environment):
        """Runs it against a server with these responses. Returns its result and the requests."""
        answers, requests = list(answers), []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                requests.append((dict(self.headers.items()), self.rfile.read(int(self.headers["Content-Length"]))))
                status, body = answers.pop(0)
                content = (body if isinstance(body, str) else json.dumps(body)).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            done = run("smoke", URL=f"http://127.0.0.1:{server.server_port}/telephony", **environment)
        finally:
            server.shutdown()
            server.server_close()
        self.assertNotIn("Traceback", done.stderr)
        return done, requests

    def test_a_wrong_secret_is_enough_where_no_other_is_given(self):
        done, requests = self.answered((401, self.OURS("not_authenticated")))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(len(requests), 1)

    def test_the_real_secret_with_an_impossible_number(self):
        answers = (401, self.OURS("not_authenticated")), (200, self.OURS("phone_number_invalid"))
        done, requests = self.answered(*answers, OKTA_TWILIO_AUTH_SECRET=AUTH_SECRET)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        [(first, _), (second, body)] = requests
        self.assertNotEqual(first["auth_secret"], AUTH_SECRET)
        self.assertEqual(second["auth_secret"], AUTH_SECRET)
        self.assertEqual(json.loads(body)["data"]["messageProfile"]["phoneNumber"], "+0")
        self.assertNotIn(AUTH_SECRET, done.stdout + done.stderr)

    def test_what_is_wrong_is_said_and_fails(self):
        wrong = [
            ((503, self.OURS("secret_unavailable")), "make secrets"),
            ((404, {"message": "Not Found"}), "no such route"),
            ((403, {"message": "Forbidden"}), "in front of the function"),
            ((500, {"message": "Internal Server Error"}), "make logs"),
            ((200, {"commands": []}), "accepts every caller"),
            ((401, {"message": "someone else's"}), "unexpected response 401"),
            ((401, "<html>private text</html>"), "unexpected response 401"),
            ((401, self.OURS("another_reason")), "unexpected response 401"),
        ]
        for answer, said in wrong:
            with self.subTest(answer):
                done, _ = self.answered(answer)
                self.assertEqual(done.returncode, 1)
                self.assertIn(said, done.stdout)
                self.assertNotIn("private text", done.stdout)

    def test_a_secret_of_another_stack(self):
        refused = (401, self.OURS("not_authenticated"))
        done, _ = self.answered(refused, refused, OKTA_TWILIO_AUTH_SECRET=AUTH_SECRET)
        self.assertEqual(done.returncode, 1)
        self.assertIn("is it the one of this stack?", done.stdout)

    def test_a_sent_code_fails_the_test(self):
        done, _ = self.answered(
            (401, self.OURS("not_authenticated")), (200, {"commands": []}), OKTA_TWILIO_AUTH_SECRET=AUTH_SECRET
        )
        self.assertEqual(done.returncode, 1)

    def test_a_token_where_the_gateway_wants_one(self):
        answers = (401, {"message": "Unauthorized"}), (200, self.OURS("phone_number_invalid"))
        done, requests = self.answered(*answers, OKTA_TWILIO_BEARER_TOKEN="a-token")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(requests[1][0]["Authorization"], "Bearer a-token")
        # `make test-aws` looks for these words.
        self.assertIn("without a token", done.stdout)
        refused, _ = self.answered((401, {"message": "Unauthorized"}), (401, {"message": "Unauthorized"}), OKTA_TWILIO_BEARER_TOKEN="a-token")
        self.assertIn("is refused (401)", refused.stdout)

    def test_addresses_that_cannot_be_right(self):
        for url in ("http://hooks.example.com/telephony", "https://hooks.example.com", "ftp://x/telephony", "hooks"):
            with self.subTest(url):
                done = run("smoke", URL=url)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
        closed = run("smoke", URL="http://127.0.0.1:1/telephony")
        self.assertEqual(closed.returncode, 1)
        self.assertIn("does not respond", closed.stderr)


class Deploy(unittest.TestCase):
    """From nothing to a working stack, with the real SAM CLI."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        shutil.copytree(TOOLS, cls.folder / "tools")
        shutil.copytree(zip_folder, cls.folder / "target/lambda")
        sam = cls.folder / "infra/sam"
        sam.mkdir(parents=True)
        # JSON is YAML.
        (sam / "template.yaml").write_text(json.dumps(without_deployments(source()), default=str))
        cls.environment = {
            "AWS_ENDPOINT_URL": emulator.url,
            "DEPLOY_CONFIG": str(cls.folder / "deploy.toml"),
            "SAM_CLI_TELEMETRY": "0",
        }

    def script(self, name, *arguments, **more):
        return run(name, *arguments, folder=self.folder / "tools", **self.environment | more)

    def setUp(self):
        self.config = self.folder / "deploy.toml"
        self.config.unlink(missing_ok=True)

    def overrides(self, environment="default"):
        document = tomlkit.parse(self.config.read_text()).unwrap()
        return document[environment]["deploy"]["parameters"]["parameter_overrides"]

    def test_questions_are_asked_once(self):
        answers = ["asked", "eu-west-1", "", "us,CA"]
        environment = {**self.environment, "AWS_DEFAULT_REGION": ""}
        status, shown = type_into("deploy", answers, "configure", folder=self.folder / "tools", **environment)
        self.assertEqual(status, 0, shown)
        self.assertEqual(self.overrides(), ["Hooks=both", "Architecture=arm64", "AllowedCountries=US,CA"])
        status, shown = type_into("deploy", [], "configure", folder=self.folder / "tools", **environment)
        self.assertEqual((status, shown), (0, ""))
        self.assertEqual(self.script("deploy", "architecture").stdout, "arm64\n")

    def test_without_a_terminal_variables_answer(self):
        self.assertEqual(self.script("deploy", "configure", HOOKS="telephony").returncode, 0)
        self.assertEqual(self.overrides(), ["Hooks=telephony", "Architecture=arm64"])
        more = {"DEPLOY_ENV": "staging", "ARCHITECTURE": "x86_64"}
        self.assertEqual(self.script("deploy", "configure", **more).returncode, 0)
        self.assertEqual(self.overrides("staging"), ["Hooks=both", "Architecture=x86_64"])
        self.assertEqual(self.overrides(), ["Hooks=telephony", "Architecture=arm64"])

    def test_a_pipeline_gives_bucket_role_and_further_parameters(self):
        role = "arn:aws:iam::000000000000:role/execution"
        more = {"ARTIFACT_BUCKET": "zips", "EXECUTION_ROLE_ARN": role, "PARAMETERS": "AlarmEmail=a@example.com\n\nCountryRules={\"*\": 1=1}\n"}
        self.assertEqual(self.script("deploy", "configure", **more).returncode, 0)
        given = tomlkit.parse(self.config.read_text()).unwrap()["default"]["deploy"]["parameters"]
        self.assertEqual((given["s3_bucket"], given["role_arn"], given.get("resolve_s3")), ("zips", role, None))
        self.assertEqual(self.overrides()[2:], ["AlarmEmail=a@example.com", 'CountryRules={"*": 1=1}'])
        self.config.unlink()
        wrong = self.script("deploy", "configure", PARAMETERS="AlarmEmail")
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("PARAMETERS", wrong.stderr)

    def test_answers_that_cannot_be_right(self):
        for wrong in ({"HOOKS": "sms"}, {"STACK": "a_b"}, {"AWS_REGION": "Frankfurt"}, {"ALLOWED_COUNTRIES": "USA"}):
            with self.subTest(wrong):
                done = self.script("deploy", "configure", **wrong)
                self.assertEqual(done.returncode, 2)
                self.assertIn(next(iter(wrong)), done.stderr)
                self.assertFalse(self.config.exists())

    def test_a_fresh_deployment_by_the_sam_cli(self):
        given = parameters()
        self.assertEqual(self.script("deploy", "configure", STACK="fresh", ARCHITECTURE=given["Architecture"]).returncode, 0)
        document = tomlkit.parse(self.config.read_text())
        document["default"]["deploy"]["parameters"]["parameter_overrides"] = [f"{k}={v}" for k, v in given.items()]
        self.config.write_text(tomlkit.dumps(document))
        done = self.script("deploy", "run")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        stack = Stack.existing(emulator, "fresh")
        self.assertIn(stack.outputs["TelephonyUrl"], done.stdout)
        self.assertIn("make secrets", done.stdout)

        stored = self.script("secrets", given=json.dumps(sandbox.credential | {"auth_secret": AUTH_SECRET}))
        self.assertEqual(stored.returncode, 0, stored.stderr)
        smoke = self.script("smoke", OKTA_TWILIO_AUTH_SECRET=AUTH_SECRET)
        self.assertEqual(smoke.returncode, 0, smoke.stdout + smoke.stderr)
        self.assertEqual(smoke.stdout.count("ok  "), 3)
        sandbox.reset()
        self.assertEqual(ask(stack).status, 200)
        self.assertEqual(len(sandbox.get("inbox")), 1)

        def logged():
            done = self.script("logs")
            self.assertEqual(done.returncode, 0, done.stderr)
            return "otp_sent" in done.stdout

        wait_until("the log line", logged)
        shown = self.script("logs", FILTER="otp_sent").stdout
        self.assertEqual({line.split()[3] for line in shown.splitlines()}, {"otp_sent"}, shown)
        self.assertIn("reason=accepted", shown)

    def test_the_test_for_aws_asks_first_and_leaves_nothing(self):
        """Runs against the emulator, which lacks what that test checks: some of its checks must fail, and none may crash."""
        refused = self.script("test-aws")
        self.assertEqual(refused.returncode, 2, refused.stdout)
        self.assertIn("USD", refused.stdout)
        formation = emulator.client("cloudformation")
        stacks = lambda: [s["StackName"] for s in formation.list_stacks()["StackSummaries"] if "-test-" in s["StackName"]]
        self.assertEqual(stacks(), [])

        unknown = self.script("test-aws", YES="1", ONLY="the_weather")
        self.assertEqual((unknown.returncode, stacks()), (2, []))

        only = "waits_for_its_secret,lets_the_right_caller_in,each_function_may_do_only_its_own,the_table_forgets"
        done = self.script("test-aws", YES="1", ONLY=only, PATIENCE_SECONDS="20")
        self.assertEqual((done.returncode, done.stderr), (1, ""), done.stdout)
        failed = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
        self.assertEqual(failed, ["FAIL  items of the table have a time to live"], done.stdout)
        [name] = stacks()
        for service, listing, key in (
            ("secretsmanager", "list_secrets", "SecretList"),
            ("logs", "describe_log_groups", "logGroups"),
            ("sqs", "list_queues", "QueueUrls"),
            ("dynamodb", "list_tables", "TableNames"),
        ):
            with self.subTest(service):
                self.assertNotIn(name, json.dumps(getattr(emulator.client(service), listing)().get(key, []), default=str))

    def test_the_revision_names_code_and_parameters(self):
        deploy = self.folder / "tools/deploy"
        program = (
            "import importlib.machinery, importlib.util, sys;"
            f"sys.path.insert(0, {str(deploy.parent)!r});"
            f"loader = importlib.machinery.SourceFileLoader('deploy', {str(deploy)!r});"
            "module = importlib.util.module_from_spec(importlib.util.spec_from_loader('deploy', loader));"
            "loader.exec_module(module);"
            "print(*[module.revision(p) for p in ({}, {}, {'AllowedCountries': 'US'}, {'Hooks': 'telephony'})])"
        )
        printed = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, check=True).stdout
        first, again, countries, hooks = printed.split()
        self.assertRegex(first, "^[0-9a-f]{16}$")
        self.assertEqual(first, again)
        self.assertEqual(len({first, countries, hooks}), 3)

    def test_zips_of_another_architecture_are_refused(self):
        built_for = parameters()["Architecture"]
        other = "x86_64" if built_for == "arm64" else "arm64"
        self.assertEqual(self.script("deploy", "configure", ARCHITECTURE=other).returncode, 0)
        done = self.script("deploy", "run")
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"is for {built_for}, and the stack for {other}: run `make build ARCH={other}`", done.stderr)

    def test_what_was_not_built_is_named(self):
        self.assertEqual(self.script("deploy", "configure").returncode, 0)
        zipped = self.folder / "target/lambda" / FUNCTIONS[0] / "bootstrap.zip"
        hidden = zipped.rename(zipped.with_suffix(".hidden"))
        try:
            done = self.script("deploy", "run")
        finally:
            hidden.rename(zipped)
        self.assertEqual(done.returncode, 2)
        self.assertIn("run `make build`", done.stderr)


if __name__ == "__main__":
    unittest.main()
