"""The permissions of the pipeline's roles: enough for the stack, and no more."""

import re
import unittest

import modes
import sam
import samtranslator.yaml_helper

TEMPLATE = sam.ROOT / "infra/pipeline/template.yaml"
# Resource types whose permissions belong to a service with another name.
SERVICES = {
    "ApiGatewayV2": "apigateway",
    "ApplicationAutoScaling": "application-autoscaling",
    "Budgets": "budgets",
    "IAM": "iam",
    "CloudWatch": "cloudwatch",
    "CodeDeploy": "codedeploy",
    "DynamoDB": "dynamodb",
    "Lambda": "lambda",
    "Logs": "logs",
    "SNS": "sns",
    "SQS": "sqs",
    "SecretsManager": "secretsmanager",
}
# docs/pipelines.md leaves the permission for a record in a zone to the account's owner.
LEFT_OUT = {"Route53"}


def resources():
    return samtranslator.yaml_helper.yaml_parse(TEMPLATE.read_text())["Resources"]


def statements(role):
    [policy] = resources()[role]["Properties"]["Policies"]
    return policy["PolicyDocument"]["Statement"]


def listed(value):
    return value if isinstance(value, list) else [value]


class Trust(unittest.TestCase):
    def test_only_the_one_environment_of_the_one_repository_gets_in(self):
        [statement] = resources()["DeployRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        self.assertEqual(set(statement["Condition"]), {"StringEquals"})
        equal = statement["Condition"]["StringEquals"]
        self.assertEqual(equal["token.actions.githubusercontent.com:aud"], "sts.amazonaws.com")
        subject = equal["token.actions.githubusercontent.com:sub"]
        self.assertEqual(subject, {"Fn::Sub": "repo:${GitHubRepository}:environment:${GitHubEnvironment}"})


class Rights(unittest.TestCase):
    def test_the_deploy_role_changes_one_stack_and_passes_one_role(self):
        for statement in statements("DeployRole"):
            actions = listed(statement["Action"])
            self.assertFalse([action for action in actions if "*" in action])
            if statement["Resource"] == "*":
                self.assertEqual(actions, ["cloudformation:GetTemplateSummary"])
            if "iam:PassRole" in actions:
                self.assertEqual(statement["Resource"], {"Fn::GetAtt": ["ExecutionRole", "Arn"]})

    def test_no_role_reads_secrets_or_invokes_functions_of_others(self):
        for role in ("DeployRole", "ExecutionRole"):
            for statement in statements(role):
                actions = set(listed(statement["Action"]))
                self.assertFalse(actions & {"*", "iam:*", "secretsmanager:*", "secretsmanager:GetSecretValue", "s3:*"})
                if statement["Resource"] == "*":
                    broad = {action for action in actions if action.endswith(":*")}
                    self.assertLessEqual(broad, {"application-autoscaling:*"})

    def test_roles_are_made_under_the_name_of_the_stack_only(self):
        [statement] = [each for each in statements("ExecutionRole") if "iam:CreateRole" in listed(each["Action"])]
        self.assertTrue(statement["Resource"]["Fn::Sub"].endswith(":role/${StackName}-*"))

    def test_cloudformation_has_rights_for_each_service_of_the_stack(self):
        may = {action.split(":")[0] for statement in statements("ExecutionRole") for action in listed(statement["Action"])}
        used = {re.match(r"AWS::(\w+)::", resource["Type"])[1] for mode in modes.MODES for resource in modes.stack(mode).resources.values()}
        self.assertEqual({service for service in used - LEFT_OUT if SERVICES[service] not in may}, set())


if __name__ == "__main__":
    unittest.main()
