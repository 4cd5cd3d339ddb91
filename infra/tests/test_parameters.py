"""No parameter is required, each reaches its variable or resource, and invalid values fail early."""

import re
import unittest

import modes
import sam
from modes import OKTA, parameter

# A value other than the default, for each parameter that sets a variable.
SAMPLES = {
    "HooksSecretId": modes.SECRET,
    "SecretTtlSeconds": "60",
    "AuthMode": "jwt",
    "JwtScope": "send",
    "JwtClientId": "0oa1",
    "AuthHeader": "x-okta-secret",
    "VerifyServiceSid": "VA0123456789abcdef0123456789abcdef",
    "TwilioVerifyUrl": "https://verify.dublin.ie1.twilio.com",
    "TwilioLookupUrl": "http://127.0.0.1:8081",
    "ExtraCaFile": "/opt/proxy.pem",
    "MetricsStack": "production",
    "LogLevel": "debug",
    "HookBudgetMs": "2000",
    "SmsChannel": "whatsapp",
    "VerifyLocale": "pt-BR",
    "DefaultCountry": "US",
    "VerifyTemplateSid": "HJ0123456789abcdef0123456789abcdef",
    "VerifyRateLimits": "user=user_id,ip=ip",
    "LookupFields": "line_type_intelligence,sms_pumping_risk",
    "LookupTimeoutMs": "500",
    "AllowedCountries": "US,CA,001",
    "BlockedCountries": "NG, LK",
    "BlockedLineTypes": "premium,tollFree",
    "BlockedCarriers": "Example Wireless,310-998",
    "MaxSmsPumpingRisk": "75",
    "MaxSimSwapAgeHours": "72",
    "PolicyExemptRequestTypes": "account-unlock,password-reset",
    "LandlineToCall": "true",
    "DenyResponse": "swallow",
    "PolicyMode": "observe",
    "CountryRules": '{"BR":{"channel":"whatsapp"},"*":{"channel":"sms"}}',
    "ResendChannels": "sms,call",
    "ReplacePending": "true",
    "SendsTable": "other-stack-Sends-1",
    "FeedbackMaxAgeSeconds": "300",
    "PhoneSource": "factors,profile",
    "OktaOrgUrl": "https://example.okta.com",
    "OktaSecretId": modes.OKTA_SECRET,
    "OktaApiUrl": "http://localhost:9000/okta",
}


class Parameters(unittest.TestCase):
    source = sam.source()

    def test_none_is_required_and_each_is_described(self):
        for name, declaration in self.source["Parameters"].items():
            with self.subTest(name):
                self.assertIn("Default", declaration)
                self.assertTrue(declaration["Description"].endswith((".", "}}.")), "a sentence")
                limited = {"AllowedValues", "AllowedPattern", "MinValue", "MaxLength"} & set(declaration)
                self.assertTrue(limited, "takes anything")
                sam.check_parameter(name, declaration, str(declaration["Default"]))

    def test_the_console_groups_each_once(self):
        groups = self.source["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        grouped = [name for group in groups for name in group["Parameters"]]
        self.assertEqual(sorted(grouped), sorted(self.source["Parameters"]))

    def test_each_is_used(self):
        text = sam.TEMPLATE.read_text().split("\nConditions:\n", 1)[1]
        for name in self.source["Parameters"]:
            self.assertRegex(text, rf"!Ref {name}\b|\$\{{{name}\}}", name)

    def test_each_condition_is_used(self):
        text = sam.TEMPLATE.read_text()
        for name in self.source["Conditions"]:
            self.assertGreater(len(re.findall(rf"\b{name}\b", text)), 1, name)

    def test_each_variable_has_one_that_reaches_the_function(self):
        parameters = {**SAMPLES, "JwtIssuer": "https://example.okta.com", "JwtAudience": "a"}
        self.assertEqual(sam.refusals(parameters), [])
        stack = sam.deploy(parameters)
        # The stack makes the queue itself; `none` leaves it out.
        self.assertEqual(set(map(parameter, modes.VARIABLES)) - {"FeedbackQueueUrl"}, set(SAMPLES))
        for variable, reader in modes.VARIABLES.items():
            name = parameter(variable)
            self.assertIn(name, self.source["Parameters"])
            for function, hook in modes.HOOKS.items():
                if reader in (hook, "both") and name in SAMPLES:
                    with self.subTest(variable, function=function):
                        self.assertNotEqual(SAMPLES[name], str(self.source["Parameters"][name]["Default"]))
                        self.assertEqual(modes.environment(stack.resources[function])[variable], SAMPLES[name])

    def test_the_list_of_variables_is_that_of_the_readme(self):
        rows = re.findall(r"^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \| (both|telephony|event) \|", (sam.ROOT / "README.md").read_text(), re.MULTILINE)
        documented = {name: reader.replace("event", "events") for names, reader in rows for name in re.findall(r"[A-Z_]+", names)}
        self.assertGreater(len(documented), 20, "the table is found")
        # Only telephony-hook gets it, because an event hook always uses the header.
        documented["AUTH_MODE"] = "telephony"
        for name, reader in documented.items():
            self.assertEqual(modes.VARIABLES.get(name), reader, name)

    def test_the_default_stack_has_a_table_and_a_queue_and_asks_for_nothing(self):
        telephony = modes.environment(modes.stack("default").resources["TelephonyFunction"])
        events = modes.environment(modes.stack("default").resources["EventFunction"])
        self.assertEqual(telephony["SENDS_TABLE"], {"Ref": "Sends"})
        self.assertEqual(events["SENDS_TABLE"], {"Ref": "Sends"})
        self.assertEqual(events["FEEDBACK_QUEUE_URL"], {"Ref": "FeedbackQueue"})
        self.assertEqual(telephony["METRICS_STACK"], "example")
        self.assertEqual((events["OKTA_ORG_URL"], events["OKTA_SECRET_ID"], events["PHONE_SOURCE"]), ("", "", ""))
        no_queue = modes.environment(modes.stack("no queue").resources["EventFunction"])
        self.assertEqual(no_queue["FEEDBACK_QUEUE_URL"], "")

    def test_what_would_fail_later_is_refused(self):
        for name, value in (
            ("TwilioVerifyUrl", "http://verify.example.com"),
            ("TwilioVerifyUrl", "http://localhost.example.com"),
            ("TwilioLookupUrl", "ftp://lookups.example.com"),
            ("OktaApiUrl", "https://user:password@example.com"),
            ("OktaOrgUrl", "example.okta.com"),
            ("JwtIssuer", "http://issuer.example.com"),
            ("HooksSecretId", "okta-twilio/hooks"),
            ("HooksSecretId", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:hooks"),
            ("VerifyServiceSid", "AC0123456789abcdef0123456789abcdef"),
            ("Revision", "main"),
            ("HookBudgetMs", "2.6"),
            ("JwtScope", "send read"),
            ("JwtScope", "[send]"),
            ("MaxSmsPumpingRisk", "101"),
            ("LogLevel", "trace"),
            ("Hooks", "none"),
            ("FeedbackQueueUrl", "https://sqs.eu-west-1.amazonaws.com/123456789012/feedback.fifo"),
            ("CountryRules", "x" * 2561),
        ):
            with self.subTest(name, value=value[:50]), self.assertRaises(ValueError):
                sam.checked({name: value})
        for name, value in (
            ("TwilioVerifyUrl", "http://127.0.0.1:8080/twilio"),
            ("TwilioVerifyUrl", "http://[::1]:8080"),
            ("HooksSecretId", "arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:team/hooks-a1B2c3"),
            ("MaxSmsPumpingRisk", "100"),
            ("AllowedCountries", "*,001"),
        ):
            with self.subTest(name, value=value):
                self.assertEqual(sam.checked({name: value})[name], value)

    def test_half_a_setting_is_refused(self):
        for parameters, missing in (
            ({"AuthMode": "jwt"}, ["JwtIssuer", "JwtAudience", "JwtScope"]),
            ({"AuthMode": "jwt", "JwtIssuer": "https://a.example", "JwtAudience": "a"}, ["JwtScope"]),
            ({"Hooks": "events"}, ["SendsTable"]),
            ({"Hooks": "events", "OktaOrgUrl": OKTA["OktaOrgUrl"]}, ["SendsTable", "OktaSecretId"]),
            ({"OktaOrgUrl": OKTA["OktaOrgUrl"]}, ["OktaSecretId"]),
            ({"OktaSecretId": OKTA["OktaSecretId"]}, ["OktaOrgUrl"]),
            ({"PhoneSource": "factors"}, ["OktaOrgUrl", "OktaSecretId"]),
            ({"DomainName": "hooks.example.com"}, ["CertificateArn"]),
            ({"HostedZoneId": "Z1"}, ["DomainName", "CertificateArn"]),
            ({"MonthlyBudgetUsd": "10"}, ["AlarmEmail"]),
            ({"MaxProvisionedConcurrency": "5"}, ["ProvisionedConcurrency"]),
            ({"ExtraCaLayerArn": "arn:aws:lambda:eu-west-1:123456789012:layer:ca:1"}, ["ExtraCaFile"]),
        ):
            with self.subTest(parameters):
                refusals = sam.refusals(parameters)
                self.assertEqual(len(refusals), len(missing))
                for name, refusal in zip(missing, refusals):
                    self.assertIn(name, refusal)
        self.assertEqual(sam.refusals({"PhoneSource": "none"}), [])

    def test_a_changed_parameter_reaches_the_alias(self):
        # The name of the version's resource decides whether CloudFormation publishes one.
        def version(**parameters):
            (name,) = [each for each in sam.deploy(parameters).of_type("AWS::Lambda::Version") if each.startswith("Telephony")]
            return name

        self.assertNotEqual(version(Revision="0123456789ab"), version(Revision="ba9876543210"))
        self.assertEqual(version(Revision="0123456789ab"), version(Revision="0123456789ab", LogLevel="debug"))

    def test_the_zips_are_those_of_make_build(self):
        for name, hook in (("TelephonyFunction", "telephony-hook"), ("EventFunction", "event-hook")):
            uri = self.source["Resources"][name]["Properties"]["CodeUri"]
            self.assertEqual((sam.TEMPLATE.parent / uri).resolve(), sam.ROOT / "target" / "lambda" / hook / "bootstrap.zip")


if __name__ == "__main__":
    unittest.main()
