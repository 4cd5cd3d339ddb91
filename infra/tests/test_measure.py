"""`make measure`: what it reads of Lambda's REPORT lines, and that it leaves the function as it was."""

import base64
import importlib.machinery
import importlib.util
import pathlib
import sys
import unittest
from unittest import mock

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
REPORT = "REPORT RequestId: 1\tDuration: {} ms\tBilled Duration: 3 ms\tMemory Size: 512 MB\tMax Memory Used: 21 MB\t"


def load():
    loader = importlib.machinery.SourceFileLoader("measure", str(TOOLS / "measure"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("measure", loader))
    with mock.patch.object(sys, "path", [str(TOOLS), *sys.path]), mock.patch.object(sys, "dont_write_bytecode", True):
        loader.exec_module(module)
    return module


class Lambda:
    """Starts a new environment after each change of the description, unless it is `sticky`."""

    def __init__(self, sticky=False):
        self.sticky, self.is_new, self.description = sticky, False, "what it was"

    def get_function_configuration(self, **_):
        return {"Description": self.description}

    def update_function_configuration(self, Description, **_):
        self.description, self.is_new = Description, not self.sticky

    def get_waiter(self, _name):
        return mock.Mock()

    def invoke(self, LogType, **_):
        assert LogType == "Tail"
        line = REPORT.format("1.50") + ("Init Duration: 40.25 ms\t" if self.is_new else "")
        self.is_new = False
        return {"LogResult": base64.b64encode(f"START\n{line}\n".encode()).decode()}


class Measure(unittest.TestCase):
    def setUp(self):
        self.measure = load()

    def test_cold_and_warm_invocations_are_separate_and_the_description_comes_back(self):
        aws = Lambda()
        colds, warms = self.measure.measure(aws, "telephony", 3, b"{}")
        self.assertEqual([each["Init Duration"] for each in colds], [40.25] * 3)
        self.assertEqual([each["Duration"] for each in warms], [1.5] * 15)
        self.assertEqual(aws.description, "what it was")
        table = self.measure.table("telephony-hook", colds, warms)
        self.assertIn("512 MB: 3 cold and 15 warm", table)
        self.assertRegex(table, r"init, ms +40.25 +40.25 +40.25")

    def test_a_function_that_stays_warm_is_not_measured_as_cold(self):
        aws = Lambda(sticky=True)
        with self.assertRaisesRegex(self.measure.Failure, "was not a cold start"):
            self.measure.measure(aws, "telephony", 1, b"{}")
        self.assertEqual(aws.description, "what it was")


if __name__ == "__main__":
    unittest.main()
