"""The dashboard is one file, and the files generated from it are up to date."""

import json
import pathlib
import sys
import unittest

import modes

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import dashboard


class Dashboard(unittest.TestCase):
    source = dashboard.DASHBOARD.read_text()

    def test_the_template_has_it(self):
        template = dashboard.TEMPLATE.read_text()
        self.assertEqual(dashboard.embed(template, self.source), template, "run infra/dashboard.py")
        shorter = json.dumps(json.loads(self.source), indent=1)
        self.assertNotEqual(dashboard.embed(template, shorter), template)

    def test_the_picture_shows_it(self):
        drawn = dashboard.picture(self.source, dashboard.TEMPLATE.read_text())
        self.assertEqual(drawn, dashboard.PICTURE.read_text(), "run infra/dashboard.py")
        for widget in json.loads(self.source)["widgets"]:
            if "title" in widget["properties"]:
                self.assertIn(widget["properties"]["title"], drawn.replace("&amp;", "&"))

    def test_every_place_in_it_is_filled(self):
        for mode in modes.MODES:
            body = modes.stack(mode).properties("Dashboard")["DashboardBody"]
            self.assertNotIn("${", body, mode)
            self.assertEqual(len(json.loads(body)["widgets"]), len(json.loads(self.source)["widgets"]))


if __name__ == "__main__":
    unittest.main()
