"""What the functions emit: the metrics with their dimension sets, and the reason codes.

The metrics are those of docs/logging.md. The reasons are read from the code.
"""

import re

from sam import ROOT

NAMESPACE = "OktaTwilio"
TELEPHONY, EVENTS = "telephony-hook", "event-hook"

_HOOK = [{"Stack", "Hook"}]
_REASON = [{"Stack", "Hook", "Reason"}]
_OUTCOME_AND_REASON = [{"Stack", "Hook", "Outcome"}, {"Stack", "Hook", "Reason"}]

# Metric: which functions emit it, by which sets of dimensions.
METRICS = {
    "Sends": ({TELEPHONY}, _OUTCOME_AND_REASON),
    # 0 for a code that went out, 1 for one that did not for a cause other than the user's number, code or pace.
    "SendErrors": ({TELEPHONY}, _HOOK),
    "Feedback": ({EVENTS}, _OUTCOME_AND_REASON),
    "Rejected": ({TELEPHONY, EVENTS}, _REASON),
    "HookLatency": ({TELEPHONY, EVENTS}, _HOOK),
    "VerifyLatency": ({TELEPHONY}, _HOOK),
    "LookupLatency": ({TELEPHONY}, _HOOK),
    "FeedbackDelay": ({EVENTS}, _HOOK),
    "ColdStart": ({TELEPHONY, EVENTS}, _HOOK),
    "Lookups": ({TELEPHONY}, _HOOK),
    "LookupFailures": ({TELEPHONY}, _HOOK),
    "SecretRefreshFailures": ({TELEPHONY, EVENTS}, _HOOK),
    "TableFailures": ({TELEPHONY, EVENTS}, _HOOK),
    "WouldRefuse": ({TELEPHONY}, _HOOK),
}

OUTCOMES = {
    "Sends": {"sent", "failed", "refused", "swallowed"},
    "Feedback": {"queued", "approved", "not_needed", "failed"},
}

# What Lambda, SQS and API Gateway count, by which dimension.
OF_AWS = {
    "AWS/Lambda": ("FunctionName", {"Errors", "Throttles", "ConcurrentExecutions"}),
    "AWS/SQS": ("QueueName", {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"}),
    "AWS/ApiGateway": ("ApiId", {"Count", "4xx", "5xx"}),
}


def reasons():
    """Every reason code."""
    (file,) = (ROOT / "crates" / "okta-twilio" / "src").rglob("reason.rs")
    codes = file.read_text().split("pub fn as_str", 1)[1].split("\n    }\n", 1)[0]
    return set(re.findall(r'"([a-z_]+)"', codes)) | {"paused"}


def fault(namespace, metric, dimensions):
    """Why nobody emits this metric with these dimensions; None if somebody does."""
    if namespace in OF_AWS:
        dimension, metrics = OF_AWS[namespace]
        return None if metric in metrics and set(dimensions) == {dimension} else f"{namespace} has no {metric} by {set(dimensions)}"
    if namespace != NAMESPACE or metric not in METRICS:
        return f"nobody emits {namespace} {metric}"
    hooks, dimension_sets = METRICS[metric]
    if dimensions.get("Hook") not in hooks:
        return f"{dimensions.get('Hook')} does not emit {metric}"
    if set(dimensions) not in dimension_sets:
        return f"{metric} has no dimensions {set(dimensions)}"
    if dimensions.get("Outcome") not in {None} | OUTCOMES.get(metric, set()):
        return f"{metric} has no outcome {dimensions['Outcome']}"
    if dimensions.get("Reason") not in {None} | reasons():
        return f"no reason is {dimensions['Reason']}"
    return None
