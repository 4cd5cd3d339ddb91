"""The rules for every stack, whatever its parameters. Each rule lists its faults; test_rules.py runs all of them over every
mode, and breaks each one to see that it notices.
"""

import json
import re

import emitted
from modes import HOOKS, VARIABLES, environment
from sam import ROOT


def ref(name):
    return {"Ref": name}


def arn(name):
    return {"Fn::GetAtt": [name, "Arn"]}


def as_list(value):
    return value if isinstance(value, list) else [value]


def hooks(stack):
    """The functions of this stack that serve Okta, by name."""
    return {name: stack.resources[name] for name in HOOKS if name in stack.resources}


def statements(stack):
    """(role, statement) of every policy."""
    for name, role in stack.of_type("AWS::IAM::Role").items():
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement
    for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        for name, policy in stack.of_type(kind).items():
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement


def policies_have_no_wildcard(stack):
    for role, statement in statements(stack):
        if not {"Action", "Resource"} <= set(statement) or {"NotAction", "NotResource"} & set(statement):
            yield f"{role}: a statement without Action and Resource"
            continue
        for text in as_list(statement["Action"]) + [json.dumps(each) for each in as_list(statement["Resource"])]:
            if "*" in text or "?" in text:
                yield f"{role}: wildcard in {text}"


def roles_have_one_user_and_no_managed_policy(stack):
    users = {}
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        users.setdefault(json.dumps(function["Role"]), []).append(name)
    for role, functions in users.items():
        if len(functions) > 1:
            yield f"{functions} share {role}"
    used = set(users) | {json.dumps(group["ServiceRoleArn"]) for group in stack.of_type("AWS::CodeDeploy::DeploymentGroup").values()}
    for name, role in stack.of_type("AWS::IAM::Role").items():
        if json.dumps(arn(name)) not in used:
            yield f"no function uses {name}"
        if name != "DeploymentRole" and role.get("ManagedPolicyArns"):
            yield f"{name} has a managed policy"


def grants(stack, role):
    """{action: resources} of a role."""
    found = {}
    for name, statement in statements(stack):
        if name == role:
            for action in as_list(statement["Action"]):
                found.setdefault(action, []).extend(as_list(statement["Resource"]))
    return {action: sorted(map(json.dumps, resources)) for action, resources in found.items()}


def uses(stack, function):
    """{action: resources} that a function needs, by its variables and what is wired to it."""
    variables = environment(stack.resources[function])
    needs = {}

    def need(action, *resources):
        needs.setdefault(action, []).extend(map(json.dumps, resources))

    log_group = stack.properties(function)["LoggingConfig"]["LogGroup"]["Ref"]
    need("logs:CreateLogStream", arn(log_group))
    need("logs:PutLogEvents", arn(log_group))
    need("secretsmanager:GetSecretValue", *filter(None, (variables["HOOKS_SECRET_ID"], variables.get("OKTA_SECRET_ID"))))
    for key in ("KmsKeyArn", "SecretsKmsKeyArn"):
        if stack.values[key]:
            need("kms:Decrypt", stack.values[key])
    if table := variables["SENDS_TABLE"]:
        table = arn(table["Ref"]) if isinstance(table, dict) else f"arn:aws:dynamodb:eu-west-1:123456789012:table/{table}"
        if function == "TelephonyFunction":
            need("dynamodb:UpdateItem", table)
            if variables["RESEND_CHANNELS"]:
                need("dynamodb:Query", table)
        else:
            need("dynamodb:Query", table)
            need("dynamodb:DeleteItem", table)
    if queue := variables.get("FEEDBACK_QUEUE_URL"):
        for action in ("SendMessage", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility"):
            need(f"sqs:{action}", arn(queue["Ref"]))
        if stack.values["KmsKeyArn"]:
            need("kms:GenerateDataKey", stack.values["KmsKeyArn"])
    return {action: sorted(resources) for action, resources in needs.items()}


def functions_may_do_what_they_do_and_nothing_else(stack):
    for name, function in hooks(stack).items():
        role = function["Properties"]["Role"]["Fn::GetAtt"][0]
        may, does = grants(stack, role), uses(stack, name)
        for action in sorted(set(may) | set(does)):
            if may.get(action) != does.get(action):
                yield f"{role}: {action} is allowed on {may.get(action)} and used on {does.get(action)}"


def variables_are_those_that_the_function_reads(stack):
    for name, function in hooks(stack).items():
        read = {variable for variable, reader in VARIABLES.items() if reader in ("both", HOOKS[name])}
        has = set(environment(function))
        if has != read:
            yield f"{name}: {sorted(has ^ read)}"
        size = sum(len(key) + len(value if isinstance(value, str) else "x" * 100) for key, value in environment(function).items())
        if size > 4096 - 2560:
            yield f"{name}: {size} bytes leave no room for COUNTRY_RULES"


STATEFUL = {
    "AWS::SecretsManager::Secret": {"HooksSecret"},
    "AWS::DynamoDB::Table": {"Sends"},
    "AWS::SQS::Queue": {"FeedbackQueue", "FeedbackDeadLetterQueue"},
    "AWS::Logs::LogGroup": {"TelephonyLogGroup", "EventLogGroup", "AccessLogGroup"},
}
FIXED_NAMES = {"Name", "TableName", "QueueName", "LogGroupName", "FunctionName", "RoleName", "AlarmName", "TopicName", "DashboardName"}


def what_has_state_is_kept(stack):
    both = stack.values["Hooks"] == "both"
    expected = {
        "HooksSecret": stack.values["HooksSecretId"] == "",
        "Sends": stack.values["Hooks"] != "events" and stack.values["SendsTable"] == "",
        "FeedbackQueue": stack.values["Hooks"] != "telephony" and stack.values["FeedbackQueueUrl"] == "",
        "FeedbackDeadLetterQueue": stack.values["Hooks"] != "telephony" and stack.values["FeedbackQueueUrl"] == "",
        "TelephonyLogGroup": both or stack.values["Hooks"] == "telephony",
        "EventLogGroup": both or stack.values["Hooks"] == "events",
        "AccessLogGroup": True,
    }
    for kind, names in STATEFUL.items():
        has = set(stack.of_type(kind)) - {"PreTrafficLogGroup"}
        wanted = {name for name in names if expected[name]}
        # Under another name CloudFormation would create a new, empty one and abandon the old one.
        if has != wanted:
            yield f"{kind}: {sorted(has)} instead of {sorted(wanted)}"
        for name in has:
            for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
                if stack.resources[name].get(policy) != "Retain":
                    yield f"{name}: {policy} is not Retain"
            if fixed := FIXED_NAMES & set(stack.properties(name)):
                yield f"{name}: {fixed} would clash with another stack, or with what an earlier one left"


def the_secret_is_generated_once(stack):
    for name, secret in stack.of_type("AWS::SecretsManager::Secret").items():
        # Any change makes CloudFormation overwrite the filled-in value with a new one.
        generated = {"SecretStringTemplate": "{}", "GenerateStringKey": "auth_secret", "PasswordLength": 48, "ExcludePunctuation": True}
        if secret.get("GenerateSecretString") != generated or "SecretString" in secret:
            yield f"{name}: its value would be overwritten"


def the_table_forgets(stack):
    for table in stack.of_type("AWS::DynamoDB::Table").values():
        if table.get("TimeToLiveSpecification") != {"AttributeName": "expires_at", "Enabled": True}:
            yield "the table keeps items for longer than 15 minutes"
        keys = {key["KeyType"]: key["AttributeName"] for key in table["KeySchema"]}
        types = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
        if keys != {"HASH": "user_id", "RANGE": "verification_sid"} or types != {"user_id": "S", "verification_sid": "S"}:
            yield f"the table's keys are {keys}"
        if table.get("BillingMode") != "PAY_PER_REQUEST":
            yield "the table has capacity to pay for"


def the_queue_loses_nothing(stack):
    queues = stack.of_type("AWS::SQS::Queue")
    for name, queue in queues.items():
        fifo = {"FifoQueue": True, "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
        if {key: queue.get(key) for key in fifo} != fifo:
            yield f"{name} is no FIFO queue in high-throughput mode"
        if queue.get("KmsMasterKeyId", queue.get("SqsManagedSseEnabled")) in (None, False):
            yield f"{name} is not encrypted"
    if not queues:
        return
    queue, dead = queues["FeedbackQueue"], queues["FeedbackDeadLetterQueue"]
    if queue["RedrivePolicy"] != {"deadLetterTargetArn": arn("FeedbackDeadLetterQueue"), "maxReceiveCount": 8}:
        yield "a failed message does not reach the dead-letter queue after eight receives"
    if queue["VisibilityTimeout"] != 6 * stack.properties("EventFunction")["Timeout"]:
        yield "the visibility time-out is not six times the function's"
    if dead["MessageRetentionPeriod"] != 14 * 86_400 or queue["MessageRetentionPeriod"] >= dead["MessageRetentionPeriod"]:
        yield "a dead letter keeps the date of its message: its queue must keep it longer than the first one"
    mapping = stack.properties("FeedbackQueueMapping")
    if mapping["EventSourceArn"] != arn("FeedbackQueue") or mapping["FunctionName"] != ref("EventFunctionAliaslive"):
        yield "the alias `live` does not receive from the queue"
    if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
        yield "one failed message would return its whole batch to the queue"
    if "MaximumBatchingWindowInSeconds" in mapping:
        yield "a FIFO queue has no batching window"


def the_front_door_is_throttled_and_wired(stack):
    routes = {route["RouteKey"]: route for route in stack.of_type("AWS::ApiGatewayV2::Route").values()}
    expected = {}
    if "TelephonyFunction" in stack.resources:
        expected["POST /telephony"] = ("TelephonyFunction", "Telephony")
    if "EventFunction" in stack.resources:
        expected["POST /events"] = expected["GET /events"] = ("EventFunction", "Events")
    if set(routes) != set(expected):
        yield f"routes: {sorted(routes)}"
    (stage,) = stack.of_type("AWS::ApiGatewayV2::Stage").values()
    if stage["StageName"] != "$default" or stage["AutoDeploy"] is not True:
        yield "the stage does not deploy by itself"
    for key, (function, prefix) in expected.items():
        if key not in routes:
            continue
        throttle = {f"Throttling{each}": stack.values[f"{prefix}{each}"] for each in ("RateLimit", "BurstLimit")}
        if stage["RouteSettings"].get(key) != throttle:
            yield f"{key} is not throttled"
        integration = re.fullmatch(r"integrations/<(\w+)>", routes[key]["Target"]).group(1)
        if stack.properties(integration)["IntegrationUri"] != ref(f"{function}Aliaslive"):
            yield f"{key} does not lead to the alias `live`"
        if stack.properties(integration)["PayloadFormatVersion"] != "2.0":
            yield f"{key}: another payload format"
        allowed = [each["FunctionName"] for each in stack.of_type("AWS::Lambda::Permission").values() if key.split("/")[1] in each["SourceArn"]]
        if allowed != [ref(f"{function}Aliaslive")]:
            yield f"the gateway may not call {function}"
        if f"<{route_name(stack, key)}>" not in stage["Description"]:
            yield f"the stage does not wait for {key}"
    if set(stage["RouteSettings"]) != set(expected):
        yield "the stage has settings of a route that does not exist"
    for word in ("header", "body", "claims"):
        if word in stage["AccessLogSettings"]["Format"]:
            yield f"the access log shows a {word}"
    json.loads(stage["AccessLogSettings"]["Format"])


def route_name(stack, key):
    return next(name for name, route in stack.of_type("AWS::ApiGatewayV2::Route").items() if route["RouteKey"] == key)


def the_authorizer_asks_for_the_scope(stack):
    jwt = stack.values["AuthMode"] == "jwt"
    for route in stack.of_type("AWS::ApiGatewayV2::Route").values():
        if jwt and route["RouteKey"] == "POST /telephony":
            if (route.get("AuthorizationType"), route.get("AuthorizationScopes")) != ("JWT", [stack.values["JwtScope"]]):
                yield "/telephony accepts a request without the scope"
            authorizer = stack.properties(route["AuthorizerId"]["Ref"])
            wanted = {"Issuer": stack.values["JwtIssuer"], "Audience": [stack.values["JwtAudience"]]}
            if authorizer["AuthorizerType"] != "JWT" or authorizer["JwtConfiguration"] != wanted:
                yield "the authorizer accepts other tokens"
        elif route.get("AuthorizationType", "NONE") != "NONE" or "AuthorizerId" in route:
            yield f"{route['RouteKey']} has an authorizer"


def functions_are_limited_only_where_asked(stack):
    asked = {"TelephonyFunction": "TelephonyReservedConcurrency", "EventFunction": "EventReservedConcurrency"}
    for name, function in hooks(stack).items():
        if function["Properties"].get("ReservedConcurrentExecutions", "") != stack.values[asked[name]]:
            yield f"{name}: reserved concurrency"
    if "TelephonyFunction" not in stack.resources:
        return
    provisioned = stack.properties("TelephonyFunctionAliaslive").get("ProvisionedConcurrencyConfig", {})
    if provisioned.get("ProvisionedConcurrentExecutions", "") != stack.values["ProvisionedConcurrency"]:
        yield "provisioned concurrency"
    targets = stack.of_type("AWS::ApplicationAutoScaling::ScalableTarget")
    limits = [(target["MinCapacity"], target["MaxCapacity"]) for target in targets.values()]
    maximum = stack.values["MaxProvisionedConcurrency"]
    if limits != ([(stack.values["ProvisionedConcurrency"], maximum)] if maximum else []):
        yield "scaling of provisioned concurrency"
    if len(stack.of_type("AWS::ApplicationAutoScaling::ScalingPolicy")) != len(limits):
        yield "provisioned concurrency has limits and does not scale"


def functions_log_where_they_should(stack):
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        logging = function.get("LoggingConfig", {})
        group = logging.get("LogGroup", {}).get("Ref")
        if logging.get("LogFormat") != "JSON" or group not in stack.resources:
            yield f"{name}: names no log group of the stack"
            continue
        # A metric is a log line with the level INFO.
        if name in HOOKS and (logging.get("ApplicationLogLevel"), logging.get("SystemLogLevel")) != ("TRACE", "INFO"):
            yield f"{name}: Lambda would drop lines"
    for name, group in stack.of_type("AWS::Logs::LogGroup").items():
        if group.get("RetentionInDays") != stack.values["LogRetentionDays"]:
            yield f"{name}: its logs have no retention"


def what_is_stored_uses_the_given_key(stack):
    key = stack.values["KmsKeyArn"] or None
    for name in sorted(set().union(*STATEFUL.values()) & set(stack.resources)):
        properties = stack.properties(name)
        used = properties.get("KmsKeyId", properties.get("KmsMasterKeyId", properties.get("SSESpecification", {}).get("KMSMasterKeyId")))
        if used != key:
            yield f"{name} is encrypted by {used}"


def an_update_is_checked_and_rolled_back(stack):
    groups = stack.of_type("AWS::CodeDeploy::DeploymentGroup")
    if set(groups) != {f"{name}DeploymentGroup" for name in hooks(stack)}:
        yield f"deployment groups: {sorted(groups)}"
    for name in hooks(stack):
        group = groups[f"{name}DeploymentGroup"]
        if group["DeploymentConfigName"] != f"CodeDeployDefault.Lambda{stack.values['DeploymentType']}":
            yield f"{name}: deployed as {group['DeploymentConfigName']}"
        alarms = [alarm["Name"]["Ref"] for alarm in group["AlarmConfiguration"].get("Alarms", [])]
        own = {"TelephonyFunction": "TelephonyErrorsAlarm", "EventFunction": "EventErrorsAlarm"}[name]
        if (own in alarms) != (stack.values["RollBackOnAlarms"] == "true") or not set(alarms) <= set(stack.of_type("AWS::CloudWatch::Alarm")):
            yield f"{name}: rolled back by {alarms}"
        rollback = group["AutoRollbackConfiguration"]
        if not rollback["Enabled"] or not {"DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"} <= set(rollback["Events"]):
            yield f"{name}: no alarm rolls it back"
        update = stack.resources[f"{name}Aliaslive"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
        if update.get("BeforeAllowTrafficHook") != ref("PreTrafficCheck"):
            yield f"{name}: no check runs before it gets traffic"
    check = stack.properties("PreTrafficCheck")
    if not check["FunctionName"].startswith("CodeDeployHook_") or len(check["FunctionName"]) > 64:
        yield f"CodeDeploy may not invoke {check['FunctionName']}"
    may = grants(stack, "PreTrafficRole")
    versions = sorted(json.dumps(ref(name)) for name in stack.of_type("AWS::Lambda::Version"))
    if may.get("lambda:InvokeFunction") != versions:
        yield f"the check may invoke {may.get('lambda:InvokeFunction')}"
    if len(may.get("codedeploy:PutLifecycleEventHookExecutionStatus", [])) != len(groups):
        yield "the check may not report"
    named = sorted(json.dumps(each) for key, each in environment(stack.resources["PreTrafficCheck"]).items() if key.endswith("_VERSION") and each)
    if named != versions:
        yield f"the check's variables are {named}"


def alarm_metric(alarm):
    return alarm["Namespace"], alarm["MetricName"], {each["Name"]: each["Value"] for each in alarm["Dimensions"]}


def runbook_anchors():
    """The anchors of docs/runbook.md, as the usual renderers generate them."""
    headings = re.findall(r"^#+ (.*)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def alarms_are_quiet_and_explained(stack):
    actions = []
    if stack.values["AlarmTopicArn"]:
        actions = [stack.values["AlarmTopicArn"]]
    elif stack.values["AlarmEmail"]:
        actions = [ref("AlarmTopic")]
    for name, alarm in stack.of_type("AWS::CloudWatch::Alarm").items():
        if alarm.get("TreatMissingData") != "notBreaching":
            yield f"{name} fires without traffic"
        explained = re.fullmatch(r"(.{60,}) docs/runbook\.md#([a-z-]+)", alarm.get("AlarmDescription", ""))
        if not explained:
            yield f"{name} does not name the users' problem and the runbook's entry"
        elif explained.group(2) not in runbook_anchors():
            yield f"{name}: docs/runbook.md has no #{explained.group(2)}"
        if alarm.get("AlarmActions", []) != actions or alarm.get("OKActions", []) != actions:
            yield f"{name} notifies {alarm.get('AlarmActions')}"
        # An alarm on a percentile with fewer than 200 values in a period would never fire.
        if alarm.get("EvaluateLowSampleCountPercentile", "evaluate") != "evaluate":
            yield f"{name} does not fire while there is little traffic"
        if "Metrics" in alarm:
            yield f"{name} is not a plain alarm"
            continue
        if fault := emitted.fault(*alarm_metric(alarm)):
            yield f"{name}: {fault}"
        if (stack_name := alarm_metric(alarm)[2].get("Stack")) not in (None, metrics_stack(stack)):
            yield f"{name} watches the stack {stack_name}"


def metrics_stack(stack):
    return stack.values["MetricsStack"] or stack.values["AWS::StackName"]


# The metrics that need an alarm, and the part of the stack that each needs.
WATCHED = [
    ("SendErrors", "telephony-hook", None, "TelephonyFunction"),
    ("HookLatency", "telephony-hook", None, "TelephonyFunction"),
    ("Errors", None, None, "TelephonyFunction"),
    ("Errors", None, None, "EventFunction"),
    ("Throttles", None, None, "TelephonyFunction"),
    ("Throttles", None, None, "EventFunction"),
    ("Rejected", "telephony-hook", "not_authenticated", "TelephonyFunction"),
    ("Rejected", "event-hook", "not_authenticated", "EventFunction"),
    ("Sends", "telephony-hook", "blocked_as_fraud", "TelephonyFunction"),
    ("Sends", "telephony-hook", "country_blocked_by_twilio", "TelephonyFunction"),
    ("Sends", "telephony-hook", "paused", "TelephonyFunction"),
    ("FeedbackDelay", "event-hook", None, "EventFunction"),
    ("ApproximateAgeOfOldestMessage", None, None, "FeedbackQueue"),
    ("ApproximateNumberOfMessagesVisible", None, None, "FeedbackDeadLetterQueue"),
    ("SecretRefreshFailures", "telephony-hook", None, "TelephonyFunction"),
    ("SecretRefreshFailures", "event-hook", None, "EventFunction"),
    ("TableFailures", "telephony-hook", None, "TelephonyFunction"),
    ("TableFailures", "event-hook", None, "EventFunction"),
]


def everything_that_matters_has_an_alarm(stack):
    watched = []
    for alarm in stack.of_type("AWS::CloudWatch::Alarm").values():
        namespace, metric, dimensions = alarm_metric(alarm)
        resource = next((value for key, value in dimensions.items() if key in ("FunctionName", "QueueName")), None)
        resource = resource and (resource.get("Ref") or resource["Fn::GetAtt"][0])
        hook = dimensions.get("Hook")
        part = resource or {"telephony-hook": "TelephonyFunction", "event-hook": "EventFunction"}.get(hook)
        watched.append((metric, hook, dimensions.get("Reason"), part))
    wanted = [each for each in WATCHED if each[3] in stack.resources]
    if stack.values["LookupFields"] and "TelephonyFunction" in stack.resources:
        wanted.append(("LookupFailures", "telephony-hook", None, "TelephonyFunction"))
    for each in wanted:
        if each not in watched:
            yield f"no alarm on {each}"
    for each in watched:
        if each[3] is not None and each[3] not in stack.resources:
            yield f"an alarm on {each}, which this stack does not have"


def dashboard(stack):
    return json.loads(stack.properties("Dashboard")["DashboardBody"])["widgets"]


def dashboard_metrics(widgets):
    """(title, namespace, metric, dimensions) of every line of the dashboard."""
    for widget in widgets:
        for line in widget["properties"].get("metrics", []):
            if isinstance(line[0], dict):
                search = re.fullmatch(r"SEARCH\('\{(\w+),([\w,]+)\} MetricName=\"(\w+)\" Stack=\"([^\"]+)\"', 'Sum', \d+\)", line[0]["expression"])
                yield widget["properties"]["title"], search.group(1), search.group(3), dict.fromkeys(search.group(2).split(",")), search.group(4)
            else:
                names = [each for each in line if isinstance(each, str)]
                dimensions = dict(zip(names[2::2], names[3::2]))
                yield widget["properties"]["title"], names[0], names[1], dimensions, dimensions.get("Stack")


def the_dashboard_shows_what_is_emitted(stack):
    widgets = dashboard(stack)
    for title, namespace, metric, dimensions, of in dashboard_metrics(widgets):
        if None in dimensions.values():
            if namespace != emitted.NAMESPACE or set(dimensions) not in emitted.metrics()[metric]:
                yield f"{title}: no part emits {metric} by {set(dimensions)}"
        elif fault := emitted.fault(namespace, metric, dimensions):
            yield f"{title}: {fault}"
        if namespace == emitted.NAMESPACE and of != metrics_stack(stack):
            yield f"{title}: metrics of {of}"
    shown = sorted(each[1:].split(".")[0] for widget in widgets for each in widget["properties"].get("alarms", []))
    if shown != sorted(stack.of_type("AWS::CloudWatch::Alarm")):
        yield f"the dashboard does not show each alarm once: {shown}"
    taken = set()
    for widget in widgets:
        cells = {(x, y) for x in range(widget["x"], widget["x"] + widget["width"]) for y in range(widget["y"], widget["y"] + widget["height"])}
        if taken & cells or widget["x"] + widget["width"] > 24:
            yield f"a widget lies on another: {widget['properties']}"
        taken |= cells


def queries_ask_for_fields_of_the_log(stack):
    documented = set(re.findall(r"`([a-z_]+)`", (ROOT / "docs" / "logging.md").read_text()))
    lambdas_own = {"type", "record", "metrics", "initDurationMs", "platform", "report"}
    words = {"filter", "display", "sort", "desc", "limit", "stats", "count", "as", "by", "in", "and", "pct", "max", "ispresent", "bin", "h", "log"}
    for name, query in stack.of_type("AWS::Logs::QueryDefinition").items():
        text = query["QueryString"]
        aliases = set(re.findall(r"\bas (\w+)", text))
        for literal in re.findall(r'"([a-z_]+)"', text):
            if literal not in documented:
                yield f"{name}: no event is called {literal}"
        for word in set(re.findall(r"[A-Za-z_]\w*", re.sub(r'"[^"]*"', "", text))) - aliases - words - lambdas_own:
            if word not in documented:
                yield f"{name}: no field is called {word}"
        for group in query["LogGroupNames"]:
            if group["Ref"] not in stack.of_type("AWS::Logs::LogGroup"):
                yield f"{name}: queries {group}"


OUTPUTS = {
    "TelephonyUrl": "TelephonyFunction",
    "EventsUrl": "EventFunction",
    "HooksSecretArn": None,
    "OktaSecretArn": None,
    "FeedbackQueueUrl": "FeedbackQueue",
    "FeedbackDeadLetterQueueUrl": "FeedbackDeadLetterQueue",
    "SendsTableName": None,
    "DashboardUrl": None,
    "NextSteps": None,
}


def outputs_say_what_comes_next(stack):
    for name, needs in OUTPUTS.items():
        there = needs is None or needs in stack.resources
        if name == "SendsTableName":
            there = stack.values["Hooks"] != "events" or stack.values["SendsTable"] != ""
        elif name == "OktaSecretArn":
            there = stack.values["OktaSecretId"] != ""
        if (name in stack.outputs) != there:
            yield f"output {name}"


RULES = [
    policies_have_no_wildcard,
    roles_have_one_user_and_no_managed_policy,
    functions_may_do_what_they_do_and_nothing_else,
    variables_are_those_that_the_function_reads,
    what_has_state_is_kept,
    the_secret_is_generated_once,
    the_table_forgets,
    the_queue_loses_nothing,
    the_front_door_is_throttled_and_wired,
    the_authorizer_asks_for_the_scope,
    functions_are_limited_only_where_asked,
    functions_log_where_they_should,
    what_is_stored_uses_the_given_key,
    an_update_is_checked_and_rolled_back,
    alarms_are_quiet_and_explained,
    everything_that_matters_has_an_alarm,
    the_dashboard_shows_what_is_emitted,
    queries_ask_for_fields_of_the_log,
    outputs_say_what_comes_next,
]
