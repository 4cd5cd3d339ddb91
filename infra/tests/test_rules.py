"""Every rule holds in every mode, and every rule detects a violation."""

import unittest

import modes
import rules
import sam


class EveryMode(unittest.TestCase):
    def test_no_rule_has_a_fault(self):
        for mode in modes.MODES:
            stack = modes.stack(mode)
            self.assertEqual(sam.refusals(modes.MODES[mode]), [], mode)
            for rule in rules.RULES:
                with self.subTest(mode=mode, rule=rule.__name__):
                    self.assertEqual(list(rule(stack)), [])


def properties(name):
    return lambda stack: stack.properties(name)


def statement(role, action):
    def find(stack):
        return next(each for name, each in rules.statements(stack) if name == role and action in rules.as_list(each["Action"]))

    return find


def variables(name):
    return lambda stack: modes.environment(stack.resources[name])


def resource(name):
    return lambda stack: stack.resources[name]


def resources(stack):
    return stack.resources


def outputs(stack):
    return stack.outputs


def nested(find, *keys):
    def walk(stack):
        value = find(stack)
        for key in keys:
            value = value[key]
        return value

    return walk


REMOVED = object()
TELEPHONY, EVENTS = properties("TelephonyFunction"), properties("EventFunction")
ROUTES = nested(properties("ApiStage"), "RouteSettings")
UPDATE = nested(resource("TelephonyFunctionAliaslive"), "UpdatePolicy", "CodeDeployLambdaAliasUpdate")
GROUP = properties("TelephonyFunctionDeploymentGroup")

# The rule that must detect the violation, the mode, and the change: path, key and new value.
MUTATIONS = [
    (rules.policies_have_no_wildcard, "default", statement("TelephonyRole", "secretsmanager:GetSecretValue"), "Resource", "*"),
    (rules.policies_have_no_wildcard, "default", statement("EventRole", "sqs:SendMessage"), "Action", "sqs:*"),
    (rules.policies_have_no_wildcard, "default", statement("EventRole", "sqs:SendMessage"), "NotAction", "sqs:DeleteQueue"),
    (rules.roles_have_one_user_and_no_managed_policy, "default", EVENTS, "Role", rules.arn("TelephonyRole")),
    (rules.roles_have_one_user_and_no_managed_policy, "default", properties("EventRole"), "ManagedPolicyArns", ["arn:aws:iam::aws:policy/x"]),
    (rules.functions_may_do_what_they_do_and_nothing_else, "default", statement("TelephonyRole", "dynamodb:UpdateItem"), "Action", ["dynamodb:UpdateItem", "dynamodb:Scan"]),
    (rules.functions_may_do_what_they_do_and_nothing_else, "default", statement("TelephonyRole", "dynamodb:UpdateItem"), "Action", []),
    (rules.functions_may_do_what_they_do_and_nothing_else, "rules", variables("TelephonyFunction"), "RESEND_CHANNELS", ""),
    (rules.functions_may_do_what_they_do_and_nothing_else, "given secrets", statement("EventRole", "secretsmanager:GetSecretValue"), "Resource", modes.SECRET),
    (rules.functions_may_do_what_they_do_and_nothing_else, "own key", statement("EventRole", "kms:GenerateDataKey"), "Action", ["kms:Decrypt"]),
    (rules.variables_are_those_that_the_function_reads, "default", variables("EventFunction"), "AUTH_MODE", "jwt"),
    (rules.variables_are_those_that_the_function_reads, "default", variables("TelephonyFunction"), "LOG_LEVEL", REMOVED),
    (rules.variables_are_those_that_the_function_reads, "default", variables("TelephonyFunction"), "AUTH_HEADER", "x" * 2000),
    (rules.what_has_state_is_kept, "default", resource("HooksSecret"), "DeletionPolicy", "Delete"),
    (rules.what_has_state_is_kept, "default", resource("Sends"), "UpdateReplacePolicy", REMOVED),
    (rules.what_has_state_is_kept, "default", resource("FeedbackDeadLetterQueue"), "DeletionPolicy", REMOVED),
    (rules.what_has_state_is_kept, "default", properties("Sends"), "TableName", "sends"),
    (rules.what_has_state_is_kept, "default", resources, "TelephonyLogGroup", REMOVED),
    (rules.the_secret_is_generated_once, "default", nested(properties("HooksSecret"), "GenerateSecretString"), "PasswordLength", 64),
    (rules.the_table_forgets, "default", properties("Sends"), "TimeToLiveSpecification", REMOVED),
    (rules.the_table_forgets, "default", nested(properties("Sends"), "KeySchema", 1), "AttributeName", "sent_at"),
    (rules.the_queue_loses_nothing, "default", properties("FeedbackQueue"), "VisibilityTimeout", 30),
    (rules.the_queue_loses_nothing, "default", properties("FeedbackQueue"), "FifoThroughputLimit", "perQueue"),
    (rules.the_queue_loses_nothing, "default", properties("FeedbackQueue"), "SqsManagedSseEnabled", REMOVED),
    (rules.the_queue_loses_nothing, "default", nested(properties("FeedbackQueue"), "RedrivePolicy"), "maxReceiveCount", 3),
    (rules.the_queue_loses_nothing, "default", properties("FeedbackDeadLetterQueue"), "MessageRetentionPeriod", 345600),
    (rules.the_queue_loses_nothing, "default", properties("FeedbackQueueMapping"), "FunctionResponseTypes", REMOVED),
    (rules.the_queue_loses_nothing, "default", properties("FeedbackQueueMapping"), "FunctionName", rules.ref("EventFunction")),
    (rules.the_front_door_is_throttled_and_wired, "default", ROUTES, "POST /telephony", REMOVED),
    (rules.the_front_door_is_throttled_and_wired, "default", nested(ROUTES, "POST /events"), "ThrottlingRateLimit", "1000"),
    (rules.the_front_door_is_throttled_and_wired, "default", properties("TelephonyIntegration"), "IntegrationUri", rules.ref("TelephonyFunction")),
    (rules.the_front_door_is_throttled_and_wired, "default", resources, "EventsPermission", REMOVED),
    (rules.the_front_door_is_throttled_and_wired, "default", resources, "EventsVerificationRoute", REMOVED),
    (rules.the_front_door_is_throttled_and_wired, "default", properties("ApiStage"), "Description", "Routes"),
    (rules.the_front_door_is_throttled_and_wired, "default", nested(properties("ApiStage"), "AccessLogSettings"), "Format", '{"secret":"$context.request.header.auth_secret"}'),
    (rules.the_authorizer_asks_for_the_scope, "jwt", properties("TelephonyRoute"), "AuthorizationScopes", REMOVED),
    (rules.the_authorizer_asks_for_the_scope, "jwt", properties("TelephonyRoute"), "AuthorizationType", "NONE"),
    (rules.the_authorizer_asks_for_the_scope, "jwt", nested(properties("TelephonyAuthorizer"), "JwtConfiguration"), "Audience", ["other"]),
    (rules.the_authorizer_asks_for_the_scope, "jwt", properties("EventsRoute"), "AuthorizationType", "JWT"),
    (rules.functions_are_limited_only_where_asked, "default", TELEPHONY, "ReservedConcurrentExecutions", "5"),
    (rules.functions_are_limited_only_where_asked, "capacity", EVENTS, "ReservedConcurrentExecutions", REMOVED),
    (rules.functions_are_limited_only_where_asked, "capacity", properties("TelephonyFunctionAliaslive"), "ProvisionedConcurrencyConfig", REMOVED),
    (rules.functions_are_limited_only_where_asked, "capacity", resources, "TelephonyScalingPolicy", REMOVED),
    (rules.functions_log_where_they_should, "default", nested(TELEPHONY, "LoggingConfig"), "LogGroup", REMOVED),
    (rules.functions_log_where_they_should, "default", nested(TELEPHONY, "LoggingConfig"), "ApplicationLogLevel", "WARN"),
    (rules.functions_log_where_they_should, "default", properties("AccessLogGroup"), "RetentionInDays", REMOVED),
    (rules.what_is_stored_uses_the_given_key, "own key", properties("Sends"), "SSESpecification", REMOVED),
    (rules.what_is_stored_uses_the_given_key, "own key", properties("EventLogGroup"), "KmsKeyId", modes.OTHER_KEY),
    (rules.an_update_is_checked_and_rolled_back, "default", UPDATE, "BeforeAllowTrafficHook", REMOVED),
    (rules.an_update_is_checked_and_rolled_back, "default", nested(GROUP, "AlarmConfiguration"), "Alarms", []),
    (rules.an_update_is_checked_and_rolled_back, "default", GROUP, "DeploymentConfigName", "CodeDeployDefault.LambdaAllAtOnce"),
    (rules.an_update_is_checked_and_rolled_back, "default", nested(GROUP, "AutoRollbackConfiguration"), "Enabled", False),
    (rules.an_update_is_checked_and_rolled_back, "default", properties("PreTrafficCheck"), "FunctionName", "check"),
    (rules.an_update_is_checked_and_rolled_back, "default", properties("PreTrafficCheck"), "FunctionName", "CodeDeployHook_" + "x" * 60),
    (rules.an_update_is_checked_and_rolled_back, "default", statement("PreTrafficRole", "lambda:InvokeFunction"), "Resource", [rules.ref("TelephonyFunction")]),
    (rules.alarms_are_quiet_and_explained, "default", properties("DeadLettersAlarm"), "TreatMissingData", REMOVED),
    (rules.alarms_are_quiet_and_explained, "default", properties("DeadLettersAlarm"), "AlarmDescription", "Dead letters"),
    (rules.alarms_are_quiet_and_explained, "default", properties("SendLatencyAlarm"), "EvaluateLowSampleCountPercentile", "ignore"),
    (rules.alarms_are_quiet_and_explained, "default", properties("SendLatencyAlarm"), "Metrics", []),
    (rules.alarms_are_quiet_and_explained, "watched", properties("FraudAlarm"), "AlarmActions", []),
    (rules.alarms_are_quiet_and_explained, "default", properties("FraudAlarm"), "MetricName", "Fraud"),
    (rules.alarms_are_quiet_and_explained, "default", nested(properties("FraudAlarm"), "Dimensions", 2), "Value", "fraud"),
    (rules.alarms_are_quiet_and_explained, "default", nested(properties("FraudAlarm"), "Dimensions", 1), "Value", "event-hook"),
    (rules.alarms_are_quiet_and_explained, "default", nested(properties("FraudAlarm"), "Dimensions", 0), "Value", "okta-twilio"),
    (rules.everything_that_matters_has_an_alarm, "default", resources, "PausedAlarm", REMOVED),
    (rules.everything_that_matters_has_an_alarm, "rules", resources, "LookupFailuresAlarm", REMOVED),
    (rules.the_dashboard_shows_what_is_emitted, "default", resources, "PausedAlarm", REMOVED),
    (rules.queries_ask_for_fields_of_the_log, "default", properties("SlowestSendsQuery"), "QueryString", "display duration_of_send"),
    (rules.queries_ask_for_fields_of_the_log, "default", properties("SlowestSendsQuery"), "QueryString", 'filter message = "otp_delivered"'),
    (rules.outputs_say_what_comes_next, "default", outputs, "TelephonyUrl", REMOVED),
]


class EveryRule(unittest.TestCase):
    def test_a_mutation_is_noticed(self):
        for rule, mode, find, key, value in MUTATIONS:
            with self.subTest(rule=rule.__name__, key=key, value=str(value)[:40]):
                stack = modes.stack(mode).copy()
                target = find(stack)
                if value is REMOVED:
                    del target[key]
                else:
                    target[key] = value
                self.assertTrue(set(rule(stack)) - set(rule(modes.stack(mode))))

    def test_the_dashboard_is_checked_line_by_line(self):
        for before, after in (
            ('"Outcome", "sent"', '"Outcome", "delivered"'),
            ('"FeedbackDelay"', '"FeedbackAge"'),
            ("{OktaTwilio,Stack,Hook,Reason}", "{OktaTwilio,Stack,Hook,Country}"),
            ('"Stack", "example"', '"Stack", "other"'),
            ('"x": 15', '"x": 20'),
            ('"<PausedAlarm.Arn>"', '"<PausedAlarm.Arn>","<PausedAlarm.Arn>"'),
        ):
            with self.subTest(after):
                stack = modes.stack("default").copy()
                body = stack.properties("Dashboard")["DashboardBody"]
                self.assertIn(before, body)
                stack.properties("Dashboard")["DashboardBody"] = body.replace(before, after, 1)
                self.assertNotEqual(list(rules.the_dashboard_shows_what_is_emitted(stack)), [])

    def test_every_rule_has_a_mutation(self):
        self.assertEqual({mutation[0] for mutation in MUTATIONS}, set(rules.RULES))


if __name__ == "__main__":
    unittest.main()
