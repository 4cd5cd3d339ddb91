"""Shared by the scripts for a deployed stack: the user's configuration, AWS sessions, the stack's outputs, messages.

The configuration is a file in the SAM CLI's own format, `deploy.toml` at the top of the repository unless DEPLOY_CONFIG
names another one, with a table for each environment: `default`, or the one that DEPLOY_ENV names.
"""

import os
import pathlib
import re
import sys
import zipfile

import boto3
import botocore.config
import botocore.exceptions
import tomlkit

ROOT = pathlib.Path(__file__).resolve().parent.parent
SAM_FORMAT = 0.1


class Failure(Exception):
    """Ends a script with one sentence for its user. `status` 1: something is wrong; 2: the script could not run."""

    def __init__(self, message, status=2):
        super().__init__(message)
        self.status = status


def run(main):
    """Runs a script's `main`. Turns expected errors into one line and an exit status."""
    try:
        sys.exit(main())
    except Failure as failure:
        print(f"{pathlib.Path(sys.argv[0]).name}: {failure}", file=sys.stderr)
        sys.exit(failure.status)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader, such as `head`, has closed the output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except botocore.exceptions.NoCredentialsError:
        print("There are no AWS credentials here: sign in first, e.g. `aws sso login`, or set AWS_PROFILE", file=sys.stderr)
        sys.exit(2)
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        # boto3's texts name the operation and AWS's response, but never a value from the request.
        print(f"{pathlib.Path(sys.argv[0]).name}: AWS: {error}", file=sys.stderr)
        sys.exit(2)


class Configuration:
    """One environment of the configuration file."""

    def __init__(self, path, environment, tables):
        self.path = path
        self.environment = environment
        self._tables = tables

    @classmethod
    def path_from_environment(cls):
        return pathlib.Path(os.environ.get("DEPLOY_CONFIG") or ROOT / "deploy.toml").resolve()

    @classmethod
    def read(cls):
        """The user's configuration, or `None` if the file or this environment's table does not exist yet."""
        path, environment = cls.path_from_environment(), os.environ.get("DEPLOY_ENV") or "default"
        try:
            document = tomlkit.parse(path.read_text())
        except FileNotFoundError:
            return None
        except tomlkit.exceptions.TOMLKitError as error:
            raise Failure(f"{path} is not TOML: {error}") from error
        if environment not in document:
            return None
        return cls(path, environment, document[environment].unwrap())

    @classmethod
    def read_or_fail(cls):
        configuration = cls.read()
        if configuration is None:
            raise Failure(f"{cls.path_from_environment()} has no stack yet: run `make deploy`, or name one by STACK=")
        return configuration

    @property
    def stack_name(self):
        return self._value("stack_name")

    @property
    def region(self):
        return self._value("region")

    @property
    def profile(self):
        return self._value("profile")

    @property
    def parameters(self):
        """The template's parameters as a dictionary of strings."""
        given = self._value("parameter_overrides") or []
        if isinstance(given, str):
            raise Failure(f'{self.path}: parameter_overrides must be a list: ["AllowedCountries=US,CA", …]')
        parameters = {}
        for item in given:
            name, equals, value = str(item).partition("=")
            if not equals or not re.fullmatch("[A-Za-z0-9]+", name):
                raise Failure(f"{self.path}: {item!r} in parameter_overrides is not NAME=VALUE")
            parameters[name] = value
        return parameters

    def _value(self, key):
        # As in the SAM CLI, settings for the command take precedence over settings for all commands.
        for command in ("deploy", "global"):
            value = self._tables.get(command, {}).get("parameters", {}).get(key)
            if value is not None:
                return value
        return None


def architecture_of(path):
    """The architecture that a function's zip was built for, from the ELF header of its binary."""
    try:
        with zipfile.ZipFile(path) as zipped, zipped.open("bootstrap") as binary:
            machine = int.from_bytes(binary.read(20)[18:20], "little")
    except FileNotFoundError as error:
        raise Failure(f"{path.relative_to(ROOT)} does not exist: run `make build`") from error
    return {0x3E: "x86_64", 0xB7: "arm64"}.get(machine)


def session(configuration):
    """Credentials by the standard chain; region and profile by the environment, else by the configuration."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    region = region or (configuration.region if configuration else None)
    profile = os.environ.get("AWS_PROFILE") or (configuration.profile if configuration else None)
    try:
        made = boto3.Session(region_name=region, profile_name=profile)
    except botocore.exceptions.ProfileNotFound as error:
        raise Failure(f"there is no AWS profile {profile!r}") from error
    if not made.region_name:
        raise Failure("no AWS region is set: set AWS_REGION, or run `make deploy` first")
    return made


def client(aws, service):
    """A client with timeouts."""
    retries = {"mode": "standard", "total_max_attempts": 4}
    return aws.client(service, config=botocore.config.Config(connect_timeout=5, read_timeout=60, retries=retries))


class Stack:
    """A deployed stack: STACK by name, else the one of the configuration."""

    def __init__(self, aws, name):
        self.aws, self.name = aws, name
        self._description = None

    @classmethod
    def find(cls):
        configuration = Configuration.read()
        name = os.environ.get("STACK")
        if not name:
            name = Configuration.read_or_fail().stack_name
        return cls(session(configuration), name)

    def client(self, service):
        return client(self.aws, service)

    @property
    def description(self):
        if self._description is None:
            try:
                stacks = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
            except botocore.exceptions.ClientError as error:
                if error.response["Error"]["Code"] != "ValidationError":
                    raise
                stacks = []
            if not stacks:
                raise Failure(f"there is no stack {self.name!r} in {self.aws.region_name}: run `make deploy`", status=1)
            self._description = stacks[0]
        return self._description

    @property
    def outputs(self):
        return {output["OutputKey"]: output["OutputValue"] for output in self.description.get("Outputs", [])}

    def output(self, name):
        """The output's value, or `None` if this stack does not have it."""
        return self.outputs.get(name)

    def resources(self, kind):
        """(logical id, physical id) of the stack's resources of this type."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        found = [resource for page in pages for resource in page["StackResourceSummaries"]]
        return [
            (resource["LogicalResourceId"], resource["PhysicalResourceId"])
            for resource in found
            if resource["ResourceType"] == kind and "PhysicalResourceId" in resource
        ]
