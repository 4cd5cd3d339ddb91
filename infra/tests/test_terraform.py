"""The Terraform example names what exists: the stack's outputs, the header and the events that the functions read.

A parser of its language reads the example here: neither the program nor the providers were to be had.
"""

import re
import unittest

import hcl2
import sam

FOLDER = sam.ROOT / "infra" / "terraform-okta"

# The attributes of each resource that the provider knows and the example may use. True where one is required.
ATTRIBUTES = {
    "okta_inline_hook": {"name": True, "type": True, "version": True, "channel": True, "auth": False},
    "okta_event_hook": {"name": True, "events": True, "channel": True, "auth": False},
    "okta_event_hook_verification": {"event_hook_id": True},
}
META_ARGUMENTS = {"lifecycle"}


def parsed():
    options = hcl2.SerializationOptions(with_comments=False, explicit_blocks=False, strip_string_quotes=True)
    return hcl2.loads((FOLDER / "main.tf").read_text(), serialization_options=options)


def merged(blocks):
    return {name: body for block in blocks for name, body in block.items()}


def references(node):
    """Every `var.x`, `local.x` and `resource.name` in the expressions below this node."""
    if isinstance(node, dict):
        return set().union(*map(references, node.values()))
    if isinstance(node, list):
        return set().union(*map(references, node))
    expressions = re.findall(r"\$\{(.*)\}", node) if isinstance(node, str) else []
    return {each for text in expressions for each in re.findall(r"\b(?:data\.)?[a-z]\w*\.[a-z]\w*", text)}


class Terraform(unittest.TestCase):
    module = parsed()
    variables = merged(module["variable"])
    local = merged(module["locals"])
    # Each kind of resource occurs once.
    resources = merged(module["resource"])

    def test_each_variable_is_an_output_of_the_stack(self):
        outputs = sam.source()["Outputs"]
        for name, variable in self.variables.items():
            output = re.fullmatch(r"Output (\w+) of the stack", variable["description"]).group(1)
            self.assertIn(output, outputs)
            self.assertEqual(name, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", output).lower())

    def test_each_reference_leads_somewhere_and_nothing_is_left_over(self):
        declared = {f"var.{name}" for name in self.variables} | {f"local.{name}" for name in self.local}
        declared |= {f"{kind}.{name}" for kind, bodies in self.resources.items() for name in bodies}
        declared |= {f"data.{kind}.{name}" for kind, bodies in merged(self.module["data"]).items() for name in bodies}
        used = references([self.module["locals"], self.module["data"], self.module["resource"]])
        self.assertEqual(used - declared, set())
        unused = {each for each in declared - used if each.startswith(("var.", "local.", "data."))}
        self.assertEqual(unused, set())

    def test_each_resource_has_what_the_provider_knows(self):
        self.assertEqual(set(self.resources), set(ATTRIBUTES))
        for kind, bodies in self.resources.items():
            for body in bodies.values():
                given = set(body) - META_ARGUMENTS
                self.assertLessEqual(given, set(ATTRIBUTES[kind]), kind)
                self.assertLessEqual({name for name, required in ATTRIBUTES[kind].items() if required}, given, kind)

    def test_the_hooks_are_those_that_the_functions_serve(self):
        readme = (sam.ROOT / "README.md").read_text()
        header = re.search(r"^\| `AUTH_HEADER` \| both \| `(\w+)`", readme, re.MULTILINE).group(1)
        self.assertEqual((self.local["auth"]["type"], self.local["auth"]["key"]), ("HEADER", header))
        events = re.findall(r'"(user\.[a-z_.]+)" => Some', (sam.ROOT / "crates/okta-twilio/src/okta/event.rs").read_text())
        self.assertEqual(sorted(self.resources["okta_event_hook"]["feedback"]["events"]), sorted(events))
        telephony = self.resources["okta_inline_hook"]["telephony"]
        self.assertEqual((telephony["type"], telephony["channel"]["method"]), ("com.okta.telephony.provider", "POST"))

    def test_the_readme_gives_each_variable(self):
        self.assertEqual(sorted(re.findall(r"-var (\w+)=", (FOLDER / "README.md").read_text())), sorted(self.variables))


if __name__ == "__main__":
    unittest.main()
