"""The metrics of the functions with their dimension sets, and the reason codes, read from the code."""

import functools
import re

from sam import ROOT

CODE = ROOT / "crates" / "okta-twilio" / "src"
NAMESPACE = "OktaTwilio"
TELEPHONY, EVENTS = "telephony-hook", "event-hook"

# The functions that emit a metric. Both emit a metric that is not listed.
EMITTED_BY_ONE = {
    TELEPHONY: {"Sends", "SendErrors", "VerifyLatency", "LookupLatency", "Lookups", "LookupFailures", "WouldRefuse"},
    EVENTS: {"Feedback", "FeedbackDelay"},
}


@functools.cache
def metrics():
    """{metric: its sets of dimensions}."""
    found = re.findall(r"^    (\w+) (?:Count|Milliseconds) \[(.*)\],$", (CODE / "telemetry" / "metrics.rs").read_text(), re.MULTILINE)
    return {name: [set(re.findall(r'"(\w+)"', each)) for each in sets.split("]")[:-1]] for name, sets in found}


def emitted_by(metric):
    return {hook for hook in (TELEPHONY, EVENTS) if metric not in set().union(*(EMITTED_BY_ONE[other] for other in EMITTED_BY_ONE if other != hook))}


OUTCOMES = {
    "Sends": {"sent", "failed", "refused", "swallowed"},
    "Feedback": {"queued", "approved", "not_needed", "failed"},
}

# The metrics of Lambda, SQS and API Gateway, with their dimension.
OF_AWS = {
    "AWS/Lambda": ("FunctionName", {"Errors", "Throttles", "ConcurrentExecutions"}),
    "AWS/SQS": ("QueueName", {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"}),
    "AWS/ApiGateway": ("ApiId", {"Count", "4xx", "5xx"}),
}


def reasons():
    """Every reason code."""
    variants = (CODE / "reason.rs").read_text().split("pub enum Reason {", 1)[1].split("\n}\n", 1)[0]
    names = re.findall(r"^    ([A-Z]\w+),$", variants, re.MULTILINE)
    return {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in names}


def fault(namespace, metric, dimensions):
    """Why no part emits this metric with these dimensions; None if one does."""
    if namespace in OF_AWS:
        dimension, known = OF_AWS[namespace]
        return None if metric in known and set(dimensions) == {dimension} else f"{namespace} has no {metric} by {set(dimensions)}"
    if namespace != NAMESPACE or metric not in metrics():
        return f"no part emits {namespace} {metric}"
    if dimensions.get("Hook") not in emitted_by(metric):
        return f"{dimensions.get('Hook')} does not emit {metric}"
    if set(dimensions) not in metrics()[metric]:
        return f"{metric} has no dimensions {set(dimensions)}"
    if dimensions.get("Outcome") not in {None} | OUTCOMES.get(metric, set()):
        return f"{metric} has no outcome {dimensions['Outcome']}"
    if dimensions.get("Reason") not in {None} | reasons():
        return f"no reason is {dimensions['Reason']}"
    return None
