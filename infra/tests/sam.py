"""The template as CloudFormation sees it: transformed by SAM and evaluated for given parameters.

SAM's own translator does the first half. The second half evaluates conditions and the intrinsic functions that the template
uses, and leaves a reference to a resource as `Ref`, since its value is only known after a deployment.
"""

import copy
import functools
import logging
import os
import pathlib
import re

import samtranslator.translator.transform
import samtranslator.yaml_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "infra" / "sam" / "template.yaml"

PSEUDO_PARAMETERS = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/example/6a1c2f3e-0000-4000-8000-000000000000",
    "AWS::StackName": "example",
    "AWS::URLSuffix": "amazonaws.com",
}
ABSENT = object()
# SAM's translator requires a region, and does not connect to it.
os.environ.setdefault("AWS_DEFAULT_REGION", PSEUDO_PARAMETERS["AWS::Region"])
# It warns that it did not send usage data to AWS.
logging.getLogger("samtranslator").setLevel(logging.ERROR)


@functools.cache
def source():
    """The template as written. Do not change it."""
    return samtranslator.yaml_helper.yaml_parse(TEMPLATE.read_text())


class NoManagedPolicies:
    """The ARNs of AWS's managed policies for SAM. The template uses none of them by name."""

    def load(self):
        return {}


def deploy(parameters):
    """The stack of the template with these parameters."""
    values = checked(parameters)
    template = copy.deepcopy(source())
    for resource in template["Resources"].values():
        # A path becomes a place in S3 when the template is packaged.
        if "CodeUri" in resource.get("Properties", {}):
            resource["Properties"]["CodeUri"] = {"Bucket": "bucket", "Key": "key"}
    return Stack(samtranslator.translator.transform.transform(template, dict(values), NoManagedPolicies()), values)


def refusals(parameters):
    """The rules that these parameters violate."""
    evaluation = Evaluation(source(), checked(parameters))
    found = []
    for rule in source()["Rules"].values():
        if evaluation.test(rule["RuleCondition"]):
            found += [each["AssertDescription"] for each in rule["Assertions"] if not evaluation.test(each["Assert"])]
    return found


def checked(parameters):
    """The values of all parameters, as far as each is allowed by itself."""
    declared = source()["Parameters"]
    for name, value in parameters.items():
        check_parameter(name, declared[name], value)
    return {name: str(declaration["Default"]) for name, declaration in declared.items()} | parameters


def check_parameter(name, declaration, value):
    allowed = declaration.get("AllowedValues")
    if allowed is not None and value not in [str(each) for each in allowed]:
        raise ValueError(f"{name}: {value!r} is not allowed")
    pattern = declaration.get("AllowedPattern")
    if pattern is not None and not re.fullmatch(pattern, value):
        raise ValueError(f"{name}: {value!r} does not match {pattern}")
    if len(value) > declaration.get("MaxLength", 4096):
        raise ValueError(f"{name}: too long")


class Evaluation:
    """The functions of CloudFormation, for given parameters."""

    def __init__(self, template, values):
        self.values = {**PSEUDO_PARAMETERS, **values}
        self.template = template
        self.conditions = {}

    def condition(self, name):
        if name is None:
            return True
        if name not in self.conditions:
            self.conditions[name] = self.test(self.template["Conditions"][name])
        return self.conditions[name]

    def test(self, expression):
        if isinstance(expression, bool):
            return expression
        ((function, argument),) = expression.items()
        match function:
            case "Condition":
                return self.condition(argument)
            case "Fn::And":
                return all(self.test(each) for each in argument)
            case "Fn::Or":
                return any(self.test(each) for each in argument)
            case "Fn::Not":
                return not self.test(argument[0])
            case "Fn::Equals":
                return self.evaluate(argument[0]) == self.evaluate(argument[1])
            case "Fn::Contains":
                return self.evaluate(argument[1]) in self.evaluate(argument[0])
        raise ValueError(f"unknown condition {function}")

    def evaluate(self, value):
        if isinstance(value, list):
            return [each for each in map(self.evaluate, value) if each is not ABSENT]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self.call(function, argument)
        pairs = {key: self.evaluate(each) for key, each in value.items()}
        return {key: each for key, each in pairs.items() if each is not ABSENT}

    def call(self, function, argument):
        match function:
            case "Ref":
                if argument == "AWS::NoValue":
                    return ABSENT
                if argument in self.values:
                    return self.values[argument]
                return {"Ref": self.existing(argument)}
            case "Fn::GetAtt":
                name, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
                return {"Fn::GetAtt": [self.existing(name), attribute]}
            case "Fn::If":
                return self.evaluate(argument[1] if self.condition(argument[0]) else argument[2])
            case "Fn::Sub":
                return self.substitute(*(argument if isinstance(argument, list) else [argument, {}]))
            case "Fn::Join":
                parts = self.evaluate(argument[1])
                return argument[0].join(text(part) for part in parts)
            case "Fn::Split":
                of = self.evaluate(argument[1])
                return of.split(argument[0]) if isinstance(of, str) else {function: [argument[0], of]}
            case "Fn::Select":
                of = self.evaluate(argument[1])
                return of[int(argument[0])] if isinstance(of, list) else {function: [argument[0], of]}
            case "Fn::FindInMap":
                name, *keys = self.evaluate(argument)
                found = self.template["Mappings"][name]
                for key in keys:
                    found = found[key]
                return found
        raise ValueError(f"unknown function {function}")

    def substitute(self, pattern, variables):
        variables = self.evaluate(variables)

        def replace(match):
            name = match.group(1)
            if name in variables:
                return text(variables[name])
            return text(self.call("Fn::GetAtt", name) if "." in name else self.call("Ref", name))

        return re.sub(r"\$\{([^!}]+)\}", replace, pattern)

    def existing(self, name):
        resource = self.template["Resources"][name]
        if not self.condition(resource.get("Condition")):
            raise ValueError(f"reference to {name}, which this stack does not have")
        return name


def text(value):
    """A value inside a text: a reference as `<Name>` or `<Name.Attribute>`, because its value is not known yet."""
    if not isinstance(value, dict):
        return str(value)
    ((function, argument),) = value.items()
    return f"<{argument if function == 'Ref' else '.'.join(map(str, argument))}>"


class Stack(Evaluation):
    """An evaluated template."""

    def __init__(self, template, values):
        super().__init__(template, values)
        self.resources = {
            name: self.evaluate({key: value for key, value in resource.items() if key != "Condition"})
            for name, resource in template["Resources"].items()
            if self.condition(resource.get("Condition"))
        }
        self.outputs = {
            name: self.evaluate(output["Value"])
            for name, output in template["Outputs"].items()
            if self.condition(output.get("Condition"))
        }

    def of_type(self, kind):
        return {name: resource["Properties"] for name, resource in self.resources.items() if resource["Type"] == kind}

    def properties(self, name):
        return self.resources[name]["Properties"]

    def copy(self):
        """A copy that a test may change."""
        other = copy.copy(self)
        other.resources = copy.deepcopy(self.resources)
        other.outputs = dict(self.outputs)
        return other
