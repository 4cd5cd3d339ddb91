"""The SAM template and the CDK construct make the same stack, in every mode.

Both are evaluated for the mode's parameters, and their resources get the same names: the SAM template's. What is left to
compare are values. Each difference must be on the list below, and each entry of the list must still be needed.
"""

import functools
import json
import pathlib
import re
import subprocess
import unittest

import sam
import modes

# In addition to the modes of the other tests: each setting that has no mode of its own.
EVERY_SETTING = {
    "Architecture": "x86_64",
    "MemorySize": "1024",
    "DeploymentType": "Linear10PercentEvery1Minute",
    "SecretTtlSeconds": "60",
    "AuthHeader": "x-okta-secret",
    "VerifyServiceSid": "VA" + 32 * "0",
    "SmsChannel": "whatsapp",
    "VerifyLocale": "auto",
    "VerifyTemplateSid": "HJ" + 32 * "0",
    "VerifyRateLimits": "per_user=user_id,per_phone=phone",
    "CountryRules": '{"BR":{"channel":"whatsapp"},"*":{"channel":"sms"}}',
    "ResendChannels": "sms,call",
    "ReplacePending": "true",
    "HookBudgetMs": "2400",
    "PolicyMode": "observe",
    "DenyResponse": "swallow",
    "AllowedCountries": "US,CA",
    "BlockedCountries": "CU",
    "LookupFields": "line_type_intelligence,sms_pumping_risk,sim_swap",
    "LookupTimeoutMs": "500",
    "DefaultCountry": "US",
    "BlockedLineTypes": "premium,tollFree",
    "BlockedCarriers": "310-120,Example Mobile",
    "MaxSmsPumpingRisk": "75",
    "MaxSimSwapAgeHours": "24",
    "LandlineToCall": "true",
    "PolicyExemptRequestTypes": "account-unlock",
    "SendsTable": "sends",
    "FeedbackMaxAgeSeconds": "300",
    "PhoneSource": "factors,profile",
    "OktaApiUrl": "http://127.0.0.1:1",
    "TelephonyRateLimit": "5",
    "TelephonyBurstLimit": "6",
    "EventsRateLimit": "7",
    "EventsBurstLimit": "8",
    "LogLevel": "debug",
    "LogRetentionDays": "365",
    "TwilioVerifyUrl": "http://127.0.0.1:2",
    "TwilioLookupUrl": "http://127.0.0.1:3",
    "ExtraCaFile": "/opt/roots.pem",
    "ExtraCaLayerArn": "arn:aws:lambda:eu-west-1:123456789012:layer:roots:1",
    "KmsKeyArn": modes.KEY,
    "JwtClientId": "0oa1",
    "MonthlyBudgetUsd": "50",
    "AlarmEmail": "on-call@example.com",
    "AlarmTopicArn": "arn:aws:sns:eu-west-1:123456789012:alarms",
    **modes.OKTA,
    **modes.MODES["jwt"],
}
MODES = modes.MODES | {"every setting": EVERY_SETTING}
CDK = pathlib.Path(__file__).resolve().parents[1] / "cdk"

# (resource, path in it, why). The path is a prefix.
ACCEPTED = [
    ("ApiStage", "Properties.Description", "SAM's text makes the stage wait for the routes; CDK has a dependency for that"),
    ("FeedbackQueueMapping", "Properties.FunctionName", "CDK names the alias by function and name, SAM by its ARN"),
    ("TelephonyVersion", "UpdateReplacePolicy", "a version is never replaced, so SAM sets the other policy only"),
    ("EventVersion", "UpdateReplacePolicy", "a version is never replaced, so SAM sets the other policy only"),
    ("TelephonyDeploymentGroup", "Properties.AlarmConfiguration.Enabled", "without alarms CDK says that there are none"),
    ("EventDeploymentGroup", "Properties.AlarmConfiguration.Enabled", "without alarms CDK says that there are none"),
    ("TelephonyDeploymentGroup", "Properties.AutoRollbackConfiguration.Events", "without alarms CDK does not wait for them"),
    ("EventDeploymentGroup", "Properties.AutoRollbackConfiguration.Events", "without alarms CDK does not wait for them"),
]

SAM_NAMES = [
    (r"(Telephony|Event)FunctionAliaslive", r"\1Alias"),
    (r"(Telephony|Event)FunctionVersion\w+", r"\1Version"),
    (r"(Telephony|Event)FunctionDeploymentGroup", r"\1DeploymentGroup"),
    (r"ServerlessDeploymentApplication", "DeploymentApplication"),
]
CDK_NAMES = [(r"(Telephony|Event)Function/CurrentVersion", r"\1Version"), (r"(\w+)/Policy", r"\1Policy")]

# Attributes that do not affect the deployed stack.
NO_PROPERTIES = {"Tags", "Metadata", "DependsOn", "Condition"}


@functools.cache
def cdk_templates():
    """The CDK template of each mode. `make test-infra` has compiled the construct."""
    command = ["node", "dist/test/modes.js"]
    made = subprocess.run(command, cwd=CDK, input=json.dumps(MODES), capture_output=True, text=True, check=False)
    if made.returncode:
        raise RuntimeError(f"CDK makes no templates:\n{made.stderr[-4000:]}")
    return json.loads(made.stdout)


@functools.cache
def stacks(mode):
    """The mode's two stacks, as (resources, outputs) with the same names."""
    of_sam = sam.deploy(MODES[mode])
    template = {"Conditions": {}, "Outputs": {}, "Mappings": {}} | cdk_templates()[mode]
    of_cdk = sam.Stack(template, {})
    paths = {name: each["Metadata"]["aws:cdk:path"] for name, each in template["Resources"].items()}
    return named(of_sam, lambda name: rename(name, SAM_NAMES)), named(of_cdk, lambda name: cdk_name(paths[name]))


def cdk_name(path):
    return rename(path.removeprefix("example/Hooks/").removesuffix("/Resource"), CDK_NAMES)


def rename(name, rules):
    for pattern, replacement in rules:
        if re.fullmatch(pattern, name):
            return re.sub(pattern, replacement, name)
    return name


def named(stack, name_of):
    resources = {name_of(name): plain(resource, name_of) for name, resource in stack.resources.items()}
    for name in list(resources):
        # CDK keeps some of a resource's parts in resources of their own.
        owner = resources.get(name.split("/")[0])
        match resources[name]["Type"]:
            case "AWS::IAM::Policy":
                owner["Properties"].setdefault("Policies", []).append(resources.pop(name)["Properties"])
            case "AWS::SNS::Subscription":
                subscription = resources.pop(name)["Properties"]
                owner["Properties"].setdefault("Subscription", []).append({key: subscription[key] for key in ("Protocol", "Endpoint")})
    outputs = {name: plain(value, name_of) for name, value in stack.outputs.items()}
    return {name: shape(resource) for name, resource in resources.items()}, outputs


def plain(value, name_of):
    """Values as strings, as in CloudFormation, and references by the names that both stacks have."""
    if isinstance(value, dict):
        if set(value) == {"Ref"}:
            return f"<{name_of(value['Ref'])}>"
        if set(value) == {"Fn::GetAtt"}:
            return f"<{name_of(value['Fn::GetAtt'][0])}.{value['Fn::GetAtt'][1]}>"
        return {key: plain(each, name_of) for key, each in value.items() if key not in NO_PROPERTIES}
    if isinstance(value, list):
        return [plain(each, name_of) for each in value]
    if isinstance(value, bool):
        return str(value).lower()
    # References inside a text, as sam.text writes them.
    text = re.sub(r"<([A-Za-z]\w*)((?:\.\w+)?)>", lambda match: f"<{name_of(match[1])}{match[2]}>", str(value).strip())
    return re.sub(r"\{'Ref': '(\w+)'\}", lambda match: f"<{name_of(match[1])}>", text)


def shape(resource):
    """The resource in a normal form."""
    properties = resource.get("Properties", {})
    for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
        if resource.get(policy) == "Delete":
            del resource[policy]
    match resource["Type"]:
        case "AWS::IAM::Role":
            documents = [policy["PolicyDocument"] for policy in properties.pop("Policies", [])]
            resource["statements"] = statements(documents)
            properties["AssumeRolePolicyDocument"] = statements([properties["AssumeRolePolicyDocument"]])
        case "AWS::SQS::QueuePolicy":
            properties["PolicyDocument"] = statements([properties["PolicyDocument"]])
        case "AWS::Lambda::Function":
            # The zips have different places in S3.
            if "ZipFile" not in properties["Code"]:
                del properties["Code"]
            variables = properties["Environment"]["Variables"]
            # A blank variable counts as unset.
            properties["Environment"]["Variables"] = {name: value for name, value in variables.items() if value}
        case "AWS::ApiGatewayV2::Stage":
            properties["AccessLogSettings"]["Format"] = json.loads(properties["AccessLogSettings"]["Format"])
        case "AWS::CloudWatch::Alarm":
            properties["Dimensions"] = {each["Name"]: each["Value"] for each in properties["Dimensions"]}
        case "AWS::CloudWatch::Dashboard":
            body = json.loads(properties["DashboardBody"])
            for widget in body["widgets"]:
                if widget["type"] == "alarm":
                    widget["properties"]["alarms"] = sorted(widget["properties"]["alarms"])
            properties["DashboardBody"] = body
        case "AWS::CodeDeploy::DeploymentGroup":
            events = properties["AutoRollbackConfiguration"]["Events"]
            properties["AutoRollbackConfiguration"]["Events"] = sorted(events)
    return resource


def statements(documents):
    """One line for each permission: effect, principal, action, resource, condition."""
    lines = set()
    for document in documents:
        for statement in document["Statement"]:
            for action in listed(statement["Action"]):
                for target in listed(statement.get("Resource", "-")):
                    rest = {key: value for key, value in statement.items() if key in ("Effect", "Principal", "Condition")}
                    lines.add(json.dumps({**rest, "Action": action, "Resource": target}, sort_keys=True))
    return sorted(lines)


def listed(value):
    return value if isinstance(value, list) else [value]


def differences(one, other, path=""):
    """(path, value in SAM, value in CDK) of each leaf that differs."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            yield from differences(one.get(key), other.get(key), f"{path}.{key}" if path else key)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, pair in enumerate(zip(one, other)):
            yield from differences(*pair, f"{path}[{index}]")
    elif one != other:
        yield path, one, other


def accepted(name, path):
    return next((entry for entry in ACCEPTED if entry[0] == name and path.startswith(entry[1])), None)


class CdkEqualsSam(unittest.TestCase):
    maxDiff = None

    def test_the_resources_are_equal_in_every_mode(self):
        for mode in MODES:
            with self.subTest(mode):
                (of_sam, _), (of_cdk, _) = stacks(mode)
                self.assertEqual(sorted(of_sam), sorted(of_cdk))
                found = [
                    f"{name}: {path}: SAM has {one!r}, CDK {other!r}"
                    for name in of_sam
                    for path, one, other in differences(of_sam[name], of_cdk[name])
                    if not accepted(name, path)
                ]
                self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_the_outputs_are_equal_in_every_mode(self):
        for mode in MODES:
            with self.subTest(mode):
                (_, of_sam), (_, of_cdk) = stacks(mode)
                self.assertEqual(of_sam, of_cdk)

    def test_each_accepted_difference_still_exists(self):
        used = set()
        for mode in MODES:
            (of_sam, _), (of_cdk, _) = stacks(mode)
            used |= {accepted(name, path) for name in of_sam for path, *_ in differences(of_sam[name], of_cdk[name])}
        self.assertEqual([entry for entry in ACCEPTED if entry not in used], [])

    def test_each_parameter_is_set_in_a_mode(self):
        missing = set(sam.source()["Parameters"]) - set().union(*MODES.values())
        # In CDK, a function's version depends on its code and variables.
        self.assertEqual(missing, {"Revision"})


if __name__ == "__main__":
    unittest.main()
