"""The world of the system test: an AWS emulator, stand-ins for Twilio and Okta, and the stack in between.

Everything listens on 127.0.0.1 and ends with the test. What runs behind the emulator's gateway are the real binaries, in
zips, with the variables and names that the real template gives them.
"""

import base64
import contextlib
import copy
import http.client
import http.server
import importlib.machinery
import importlib.util
import json
import logging
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

import boto3
import botocore.config
import samtranslator.translator.transform
from samtranslator.yaml_helper import yaml_parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "infra/sam/template.yaml"
FUNCTIONS = ("telephony-hook", "event-hook")
REGION = "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
# Without the AWS profile and endpoints of the person who runs the test.
for _name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[_name]
os.environ["AWS_DEFAULT_REGION"] = REGION

# It warns that it does not send usage data.
logging.getLogger("samtranslator").setLevel(logging.ERROR)

START_LIMIT = 60
WAIT_LIMIT = 60

# The emulator refuses these, so infra/tests tests them instead.
UNKNOWN_TO_THE_EMULATOR = re.compile(
    r"AWS::(CodeDeploy|ApplicationAutoScaling|Budgets)::|AWS::Logs::QueryDefinition$|AWS::IAM::OIDCProvider$"
)


def clean_environment(**more):
    """The functions inherit the emulator's environment, so it has no variables of the person who runs the test."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return kept | {"AWS_DEFAULT_REGION": REGION} | CREDENTIALS | more


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until(what, condition, limit=WAIT_LIMIT):
    """Polls until the condition is true, and returns its value."""
    deadline = time.monotonic() + limit
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit} s: {what}")
        time.sleep(0.05)
    return value


class Process:
    """A program that ends with the test. What it prints is shown only if it does not start."""

    def __init__(self, command, environment, is_ready):
        self.output = tempfile.TemporaryFile("w+")
        self._child = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=self.output, stderr=subprocess.STDOUT
        )
        try:
            wait_until(f"{command[0]} is ready", lambda: self._is_ready(is_ready), START_LIMIT)
        except BaseException:
            self.stop()
            raise

    def _is_ready(self, is_ready):
        if self._child.poll() is not None:
            raise AssertionError(f"it ended with status {self._child.returncode}:\n{self.printed()}")
        return is_ready()

    def printed(self):
        self.output.seek(0)
        return self.output.read()

    def stop(self):
        # The sandbox ends when its standard input is closed.
        self._child.stdin.close()
        self._child.terminate()
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self.output.close()


class Emulator:
    """MiniStack, without files on the disk."""

    def __init__(self, code_deploy):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.environment = clean_environment(AWS_ENDPOINT_URL=self.url)
        environment = self.environment | {
            "AWS_ENDPOINT_URL_CODEDEPLOY": code_deploy,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "PERSIST_STATE": "0",
            "S3_PERSIST": "0",
        }
        command = [ROOT / ".tools/venv/bin/ministack"]
        self._process = Process(command, environment, lambda: responds(port, "/_ministack/health"))

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=60),
        )

    def printed(self):
        return self._process.printed()

    def stop(self):
        self._process.stop()


class CodeDeploy:
    """Records the result of the check of a new version, which the emulator does not support."""

    def __init__(self):
        self.verdicts = verdicts = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                verdicts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


class Sandbox:
    """The stand-ins for Twilio and Okta."""

    def __init__(self):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [binary("sandbox"), "--http-port", str(self.port), "--https-port", "0", "--until-stdin-closes"]
        self._process = Process(command, clean_environment(), lambda: responds(self.port, "/_sandbox/inbox"))
        printed = self._process.printed()
        self.service_sid = re.search(r"VERIFY_SERVICE_SID=(\S+)", printed)[1]
        self.credential = json.loads(re.search(r"\{.*\}", printed)[0])

    def get(self, resource):
        return call(f"{self.url}/_sandbox/{resource}", "GET").json

    def fault(self, operation, fault, times=None):
        response = call(
            f"{self.url}/_sandbox/faults",
            "POST",
            body=json.dumps({"operation": operation, "fault": fault, **({"times": times} if times else {})}),
        )
        assert response.status == 200, response

    def send_code(self, phone, code):
        """Sends a code as another user of the same Verify service."""
        user = self.credential["twilio_api_key_sid"] + ":" + self.credential["twilio_api_key_secret"]
        headers = {
            "Authorization": "Basic " + base64.b64encode(user.encode()).decode(),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        form = urllib.parse.urlencode({"To": phone, "Channel": "sms", "CustomCode": code})
        response = call(f"{self.url}/v2/Services/{self.service_sid}/Verifications", "POST", headers, form)
        assert response.status == 201, response

    def clear_faults(self):
        assert call(f"{self.url}/_sandbox/faults", "DELETE").status == 200

    def reset(self):
        assert call(f"{self.url}/_sandbox/reset", "POST").status == 200

    def stop(self):
        self._process.stop()


def binary(name):
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    return target / "debug" / name


def responds(port, path):
    with contextlib.suppress(OSError, http.client.HTTPException):
        return call(f"http://127.0.0.1:{port}{path}", "GET").status == 200


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def reason(self):
        """The stable reason of the hooks' error object, or `None`."""
        return self.json.get("error", {}).get("errorCauses", [{}])[0].get("reason")

    def __repr__(self):
        return f"{self.status} {self.body!r}"


def call(url, method, headers=None, body=None):
    """One request. Hosts below `localhost` are this machine, whatever the resolver says."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=30)
    try:
        connection.request(method, parts.path, body, {"Host": parts.netloc, **(headers or {})})
        response = connection.getresponse()
        return Response(response.status, response.headers, response.read().decode())
    finally:
        connection.close()


def script(name):
    """A script of tools/ without the ending .py, as a module."""
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(ROOT / "tools" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def zips(add_cleanup):
    """The folder with the functions' zips: SYSTEM_TEST_ZIPS, such as target/lambda; else the debug binaries are packed.

    Those are what the rest of the tests have just built; a release build would take minutes and behave the same.
    """
    if given := os.environ.get("SYSTEM_TEST_ZIPS"):
        return pathlib.Path(given).resolve()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="okta-twilio-zips-"))
    add_cleanup(shutil.rmtree, folder)
    normalise_zip = script("normalise-zip")
    for function in FUNCTIONS:
        (folder / function).mkdir()
        normalise_zip.write(str(folder / function / "bootstrap.zip"), [("bootstrap", stripped(binary(function)))], level=1)
    return folder


def stripped(path):
    """The binary without its debug sections, if the machine can remove them. They are four fifths of the file."""
    strip = shutil.which("strip")
    if not strip:
        return path.read_bytes()
    with tempfile.NamedTemporaryFile() as smaller:
        subprocess.run([strip, "--strip-debug", "-o", smaller.name, path], check=True)
        return pathlib.Path(smaller.name).read_bytes()


class Stack:
    """The template of infra/sam, deployed into the emulator.

    SAM's transform is run here, because the emulator's own one does not resolve parameters. What the emulator does not
    know is left out; infra/tests looks at that.
    """

    def __init__(self, emulator, zip_folder, name, parameters):
        self.emulator, self.name, self._zips = emulator, name, zip_folder
        self._formation = emulator.client("cloudformation")
        self._bucket = f"{name}-code"
        self._upload()
        self._formation.create_stack(StackName=name, **self._request(parameters))
        self._wait("CREATE")

    @classmethod
    def existing(cls, emulator, name):
        """A stack that something else has deployed."""
        stack = cls.__new__(cls)
        stack.emulator, stack.name, stack._formation = emulator, name, emulator.client("cloudformation")
        return stack

    def update(self, parameters):
        self._formation.update_stack(StackName=self.name, **self._request(parameters))
        self._wait("UPDATE")

    def _upload(self):
        storage = self.emulator.client("s3")
        storage.create_bucket(Bucket=self._bucket)
        for function in FUNCTIONS:
            storage.upload_file(str(self._zips / function / "bootstrap.zip"), self._bucket, f"{function}.zip")

    def _request(self, parameters):
        given = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
        template = json.dumps(deployable(transformed(self._bucket, parameters)))
        # By URL, because it is too long for a request.
        self.emulator.client("s3").put_object(Bucket=self._bucket, Key="template.json", Body=template.encode())
        url = f"{self.emulator.url}/{self._bucket}/template.json"
        return {"TemplateURL": url, "Parameters": given, "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]}

    def _wait(self, change):
        def finished():
            status = self.describe()["StackStatus"]
            return None if status.endswith("_IN_PROGRESS") else status

        status = wait_until(f"{self.name} is deployed", finished)
        if status != f"{change}_COMPLETE":
            events = self._formation.describe_stack_events(StackName=self.name)["StackEvents"]
            reasons = [event.get("ResourceStatusReason") for event in events if "FAILED" in event["ResourceStatus"]]
            raise AssertionError(f"{self.name}: {status}: {reasons}")

    def describe(self):
        return self._formation.describe_stacks(StackName=self.name)["Stacks"][0]

    @property
    def outputs(self):
        return {output["OutputKey"]: output["OutputValue"] for output in self.describe().get("Outputs", [])}

    def resources(self, kind):
        """Logical id to physical id."""
        pages = self._formation.get_paginator("list_stack_resources").paginate(StackName=self.name)
        found = [resource for page in pages for resource in page["StackResourceSummaries"]]
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found if each["ResourceType"] == kind}

    def functions(self):
        """The logical ids of the hooks' functions, without the template's own helper functions."""
        return {name for name in self.resources("AWS::Lambda::Function") if name in ("TelephonyFunction", "EventFunction")}

    def log_lines(self, message=None):
        """The functions' own log lines, oldest first: all, or those of one event."""
        logs = self.emulator.client("logs")
        found = []
        for group in self.resources("AWS::Logs::LogGroup").values():
            with contextlib.suppress(logs.exceptions.ResourceNotFoundException):
                for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group):
                    found += page["events"]
        lines = []
        for event in sorted(found, key=lambda event: event["timestamp"]):
            with contextlib.suppress(ValueError):
                line = json.loads(event["message"])
                if isinstance(line, dict) and "message" in line and message in (None, line["message"]):
                    lines.append(line)
        return lines


def source():
    """The template as written."""
    return yaml_parse(TEMPLATE.read_text())


def transformed(bucket, parameters):
    """The template as CloudFormation gets it from SAM's transform, with these parameters."""
    template = source()
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function" and isinstance(resource["Properties"].get("CodeUri"), str):
            function = pathlib.PurePath(resource["Properties"]["CodeUri"]).parts[-2]
            resource["Properties"]["CodeUri"] = {"Bucket": bucket, "Key": f"{function}.zip"}
    defaults = {name: str(each["Default"]) for name, each in template["Parameters"].items() if "Default" in each}
    return samtranslator.translator.transform.transform(template, defaults | parameters, NoManagedPolicies())


class NoManagedPolicies:
    """The template names no managed policy: each function has its own role."""

    def load(self):
        return {}


def deployable(template):
    """The template without what the emulator refuses: see docs/deploy.md, "What could not be tried"."""
    template = copy.deepcopy(template)
    template.pop("Rules", None)
    resources = template["Resources"]
    left_out = {name for name, resource in resources.items() if is_unknown_to_the_emulator(resource)}
    for name in left_out:
        del resources[name]
    for resource in resources.values():
        resource.pop("UpdatePolicy", None)
        depends = resource.pop("DependsOn", None) or []
        depends = [depends] if isinstance(depends, str) else depends
        if kept := [name for name in depends if name in resources]:
            resource["DependsOn"] = kept
    return without_references(template, left_out)


def is_unknown_to_the_emulator(resource):
    metric_math = resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"]
    return metric_math or UNKNOWN_TO_THE_EMULATOR.match(resource["Type"])


def without_deployments(template):
    """For SAM's own transform in the emulator: the functions as they are, and no CodeDeploy around them."""
    template = copy.deepcopy(template)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"].pop("DeploymentPreference", None)
    template.get("Globals", {}).get("Function", {}).pop("DeploymentPreference", None)
    return deployable(template)


def without_references(node, names):
    """Replaces each reference to one of these resources by its name. They occur in policies and on the dashboard only."""
    if isinstance(node, list):
        return [without_references(each, names) for each in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        [(key, value)] = node.items()
        if key == "Ref" and value in names:
            return value
        if key == "Fn::GetAtt":
            name = value.split(".")[0] if isinstance(value, str) else value[0]
            return name if name in names else node
        if key == "Fn::Sub":
            return {key: without_substitutions(value, names)}
    return {key: without_references(value, names) for key, value in node.items()}


def without_substitutions(value, names):
    text, variables = (value, None) if isinstance(value, str) else value
    pattern = r"\$\{(" + "|".join(sorted(names)) + r")(\.[A-Za-z.]+)?\}"
    text = re.sub(pattern, r"\1", text) if names else text
    return text if variables is None else [text, without_references(variables, names)]
