#!/usr/bin/env python3
"""Puts infra/dashboard.json where it is used: into the SAM template, and as a picture with sample data into the docs.

Run it after a change of dashboard.json. A test fails until it has run.
"""

import json
import math
import pathlib
import re
from xml.sax.saxutils import escape

INFRA = pathlib.Path(__file__).resolve().parent
DASHBOARD = INFRA / "dashboard.json"
TEMPLATE = INFRA / "sam" / "template.yaml"
PICTURE = INFRA.parent / "docs" / "dashboard.svg"

# The picture: the size of a grid column and row in pixels, and the part of a day that it shows, in points of five minutes.
COLUMN, ROW, POINTS = 50, 44, 72

# A working day with a failure of Twilio Verify in its last quarter of an hour. Each line of the dashboard by its label: its
# usual value, and its value at the peak of the failure.
TROUBLE_AT, TROUBLE_FOR = 70, 3
SAMPLES = {
    "Sent": (90, 61),
    "Failed": (0.6, 34),
    "Refused": (2, 2),
    "Refused and swallowed": (0, 0),
    "p95 ms": (640, 3100),
    "p50": (310, 900),
    "p95": (640, 3100),
    "Twilio Verify p95": (560, 2950),
    "Twilio Lookup p95": (120, 130),
    "Feedback waiting": (0, 40),
    "Dead letters": (0, 0),
    "Lookups": (92, 95),
    "Lookup failed": (0, 3),
    "Would be refused (observe)": (1, 1),
    "Queued": (84, 60),
    "Approved": (84, 25),
    "Not needed": (3, 2),
    "Oldest message (s)": (1, 190),
    "Waiting": (0, 40),
    "telephony-hook": (0.8, 3),
    "event-hook": (0.5, 2),
    "telephony-hook concurrency": (3, 8),
    "event-hook concurrency": (2, 5),
    "Requests": (190, 200),
    "4xx": (1, 2),
    "5xx": (0, 0),
    # The results of a search expression, by its metric.
    "Sends": {"accepted": (90, 61), "twilio_timeout": (0.2, 28), "phone_number_invalid": (0.9, 1), "country_not_allowed": (2, 2)},
    "Rejected": {"not_authenticated": (0.8, 1), "not_a_hook_request": (0.1, 0)},
}
# The feedback delay has other dimensions than the responses to Okta, but the same labels.
FEEDBACK_DELAY = {"p50": (4_000, 60_000), "p95": (12_000, 170_000)}
TABLE = (
    ["twilio_code", "reason", "message", "advice", "times"],
    ["20503", "twilio_failed", "otp_retried", "Check Twilio's status page.", "61"],
    ["60205", "landline", "otp_failed", "The number is a landline: use a voice call or another number.", "9"],
    ["21614", "landline", "otp_failed", "The number takes no SMS: use a voice call or another number.", "2"],
)
RINGING = {"SendFailuresAlarm", "SendLatencyAlarm"}


def embed(template, dashboard):
    """The template with this dashboard in it."""
    body = "".join(f"          {line}\n" for line in dashboard.splitlines())
    return re.sub(r"(      DashboardBody: !Sub\n        - \|\n)(?: {10}.*\n)+", lambda match: match.group(1) + body, template)


def picture(dashboard, template):
    """The dashboard as an SVG."""
    widgets = json.loads(dashboard)["widgets"]
    height = max(widget["y"] + widget["height"] for widget in widgets) * ROW
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {24 * COLUMN} {height}" font-family="sans-serif" font-size="12">',
        "<title>The dashboard with sample data</title>",
        f'<rect width="{24 * COLUMN}" height="{height}" fill="#f2f3f3"/>',
    ]
    draw = {"text": draw_text, "alarm": draw_alarms, "log": draw_table}
    for widget in widgets:
        left, top = widget["x"] * COLUMN + 4, widget["y"] * ROW + 4
        width, tall = widget["width"] * COLUMN - 8, widget["height"] * ROW - 8
        properties = widget["properties"]
        parts.append(f'<g transform="translate({left} {top})"><rect width="{width}" height="{tall}" fill="#fff" stroke="#d5dbdb"/>')
        if "title" in properties:
            parts.append(text(10, 20, properties["title"], weight="bold"))
        if widget["type"] == "metric":
            parts += draw_numbers(properties, width) if properties["view"] == "singleValue" else draw_lines(properties, width, tall)
        else:
            parts += draw[widget["type"]](properties, width, template)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def text(x, y, words, weight="normal", colour="#16191f", size=12):
    return f'<text x="{x:g}" y="{y:g}" font-weight="{weight}" font-size="{size}" fill="{colour}">{escape(words)}</text>'


def draw_text(properties, _width, _template):
    first, *others = properties["markdown"].replace("**", "").replace("${Stack}", "okta-twilio").replace("${AWS::StackName}", "okta-twilio").splitlines()
    return [text(10, 30, first.lstrip("# "), weight="bold", size=20), *(text(10, 55 + 18 * row, each) for row, each in enumerate(others))]


def draw_alarms(_properties, width, template):
    """The alarms of the template. Those in ALARM come first."""
    names = re.findall(r"^  (\w+)Alarm:\n    Type: AWS::CloudWatch::Alarm", template, re.MULTILINE)
    parts = []
    for index, name in enumerate(sorted(names, key=lambda name: f"{name}Alarm" not in RINGING)):
        x, y = 10 + index % 2 * (width - 20) / 2, 32 + index // 2 * 24
        colour = "#d13212" if f"{name}Alarm" in RINGING else "#1d8102"
        parts += [f'<rect x="{x:g}" y="{y}" width="{(width - 28) / 2:g}" height="20" fill="{colour}"/>', text(x + 5, y + 14, name, colour="#fff", size=10)]
    return parts


def draw_table(_properties, width, _template):
    columns = [10, 0.1 * width, 0.24 * width, 0.36 * width, 0.92 * width]
    return [
        text(columns[column], 45 + 24 * row, cell, weight="normal" if row else "bold")
        for row, cells in enumerate(TABLE)
        for column, cell in enumerate(cells)
    ]


def lines(properties):
    """(label, colour, points) of each line of a widget."""
    palette = ["#2ca02c", "#d62728", "#1f77b4", "#ff7f0e"]
    for line in properties["metrics"]:
        options = line[-1] if isinstance(line[-1], dict) else {}
        if "expression" in options:
            found = SAMPLES[re.search(r'MetricName="(\w+)"', options["expression"]).group(1)]
            yield from ((label, palette[index], points(label, *sample)) for index, (label, sample) in enumerate(found.items()))
        else:
            samples = FEEDBACK_DELAY if line[1] == "FeedbackDelay" else SAMPLES
            yield options["label"], options["color"], points(options["label"], *samples.get(options["label"], (0, 0)))


def points(label, usual, peak):
    """The values of a day: a daily curve with noise derived from the label, and the failure."""
    phase = sum(map(ord, label))
    course = []
    for point in range(POINTS):
        tide = 0.75 + 0.25 * math.sin(math.pi * point / POINTS)
        waver = 1 + 0.12 * math.sin(phase + point * 1.7) * math.cos(phase + point * 0.9)
        trouble = math.exp(-(((point - TROUBLE_AT) / TROUBLE_FOR) ** 2))
        course.append(max(0, (usual * (1 - trouble) + peak * trouble) * tide * waver))
    return course


def draw_numbers(properties, width):
    parts = []
    found = list(lines(properties))
    for index, (label, colour, course) in enumerate(found):
        x = 20 + index * width / len(found)
        parts += [text(x, 70, f"{course[-1]:,.0f}", weight="bold", size=28), text(x, 95, label, colour=colour)]
    return parts


def draw_lines(properties, width, tall):
    found = list(lines(properties))
    if properties["stacked"]:
        below = [0.0] * POINTS
        for index, (label, colour, course) in enumerate(found):
            below = [under + over for under, over in zip(below, course)]
            found[index] = (label, colour, below)
        found.reverse()
    key, rows = draw_key(found[::-1] if properties["stacked"] else found, width, tall)
    left, top, bottom = 62, 34, tall - 16 - 15 * rows
    marks = properties.get("annotations", {}).get("horizontal", [])
    highest = max([1, *(mark["value"] for mark in marks), *(value for _, _, course in found for value in course)]) * 1.08
    across, down = (width - left - 14) / (POINTS - 1), (bottom - top) / highest
    parts = []
    for share in (0, 0.5, 1):
        y = bottom - share * (bottom - top)
        parts += [
            f'<path d="M{left} {y:.1f}H{width - 14}" stroke="#eaeded"/>',
            text(10, y + 4, f"{share * highest:,.0f}", colour="#687078", size=10),
        ]
    for label, colour, course in found:
        path = "L".join(f"{left + point * across:.1f} {bottom - value * down:.1f}" for point, value in enumerate(course))
        if properties["stacked"]:
            parts.append(f'<path d="M{left} {bottom}L{path}V{bottom}Z" fill="{colour}"/>')
        else:
            parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
    for mark in marks:
        y = bottom - mark["value"] * down
        parts += [f'<path d="M{left} {y:.1f}H{width - 14}" stroke="{mark["color"]}" stroke-dasharray="5 3"/>', text(left + 4, y - 4, mark["label"], colour=mark["color"], size=10)]
    return parts + key


def draw_key(found, width, tall):
    """The labels with their colours, and the number of rows that they use at the bottom."""
    rows = [[]]
    x = 10
    for label, colour, _ in found:
        size = 24 + 6 * len(label)
        if rows[-1] and x + size > width:
            rows.append([])
            x = 10
        rows[-1].append((x, label, colour))
        x += size
    parts = []
    for index, row in enumerate(rows):
        y = tall - 6 - 15 * (len(rows) - index)
        for x, label, colour in row:
            parts += [f'<rect x="{x}" y="{y}" width="9" height="9" fill="{colour}"/>', text(x + 13, y + 9, label, size=10)]
    return parts, len(rows)


if __name__ == "__main__":
    new = embed(TEMPLATE.read_text(), DASHBOARD.read_text())
    TEMPLATE.write_text(new)
    PICTURE.write_text(picture(DASHBOARD.read_text(), new))
