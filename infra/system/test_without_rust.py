"""Two ways to deploy without Rust, with the real tools: the files of a release with the SAM CLI, and CDK.

RELEASE_FILES=target/release-files deploys what `make release` has made, instead of files that the test packs itself.
"""

import contextlib
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from samtranslator.yaml_helper import yaml_parse
from test_story import ask, fill_secret, parameters, sandbox_world, status_of
from world import REGION, ROOT, Stack, clean_environment, script, wait_until, without_deployments

CDK = ROOT / "infra/cdk"


def setUpModule():
    global emulator, sandbox, zip_folder
    emulator, sandbox, zip_folder = sandbox_world(unittest.addModuleCleanup)


def run(command, folder, **environment):
    variables = clean_environment(AWS_ENDPOINT_URL=emulator.url, **environment)
    done = subprocess.run(command, cwd=folder, env=variables, stdin=subprocess.DEVNULL, text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def pack_release(files, architecture):
    """The files of a release, around the zips of this test for both architectures."""
    release = script("release")
    release.OUTPUT = files
    release.add(architecture, zip_folder)
    for other in set(release.RUST_TARGETS) - {architecture}:
        release.add(other, zip_folder)
    with contextlib.redirect_stdout(io.StringIO()):
        release.finish()


class WithoutRust(unittest.TestCase):
    def assert_it_sends_a_code(self, name):
        stack = Stack.existing(emulator, name)
        self.assertEqual(ask(stack).status, 503, "the secret is not filled in yet")
        # By the outputs, which have the same names in both templates.
        fill_secret(stack)
        sandbox.reset()
        # A failed fetch of the secret is tried again after a second.
        wait_until("the hook has its secret", lambda: status_of(ask(stack)) == "SUCCESSFUL")
        self.assertEqual(len(sandbox.get("inbox")), 1)

    def test_a_release_by_the_sam_cli_alone(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        files = folder / "files"
        given = parameters()
        architecture = given.pop("Architecture")
        if os.environ.get("RELEASE_FILES"):
            shutil.copytree(ROOT / os.environ["RELEASE_FILES"], files)
        else:
            pack_release(files, architecture)
        for line in (files / "SHA256SUMS").read_text().splitlines():
            digest, name = line.split("  ")
            self.assertEqual(hashlib.sha256((files / name).read_bytes()).hexdigest(), digest)

        # The downloaded template without the parts that the emulator refuses. JSON is valid YAML.
        template = files / f"template-{architecture}.yaml"
        template.write_text(json.dumps(without_deployments(yaml_parse(template.read_text())), default=str))
        sam = pathlib.Path(sys.executable).parent / "sam"
        command = [sam, "deploy", "--template-file", template.name, "--stack-name", "released", "--resolve-s3"]
        command += ["--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--region", REGION]
        command += ["--parameter-overrides", *(f"{name}={value}" for name, value in given.items())]
        # Neither cargo nor this repository: only what the SAM CLI itself needs.
        run(command, files, PATH="/usr/bin:/bin", SAM_CLI_TELEMETRY="0")
        self.assert_it_sends_a_code("released")

    def test_cdk_deploy(self):
        cdk = [CDK / "node_modules/.bin/cdk"]
        environment = {"CDK_DISABLE_CLI_TELEMETRY": "1", "CI": "1", "AWS_REGION": REGION}
        output = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, output)
        quiet = ["--no-notices", "--no-version-reporting"]
        # In a folder without an app, because the app requires the zips of `make build`.
        run([*cdk, "bootstrap", f"aws://000000000000/{REGION}", *quiet], output, **environment)
        context = parameters() | {"StackName": "by-cdk", "Zips": str(zip_folder)}
        command = [*cdk, "deploy", "--app", "node dist/test/emulator-app.js", "--output", output, "--require-approval", "never"]
        for name, value in context.items():
            command += ["--context", f"{name}={value}"]
        run([*command, *quiet], CDK, **environment)
        self.assert_it_sends_a_code("by-cdk")
