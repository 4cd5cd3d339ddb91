"""The files of a release, apart from the zips, which a release build makes."""

import contextlib
import importlib.machinery
import importlib.util
import io
import pathlib
import shutil
import tempfile
import unittest

import samtranslator.yaml_helper
import sam


def load():
    loader = importlib.machinery.SourceFileLoader("release", str(sam.ROOT / "tools/release"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


class Template(unittest.TestCase):
    def test_it_names_the_zips_next_to_it_and_fits_their_architecture_only(self):
        for architecture in ("arm64", "x86_64"):
            with self.subTest(architecture):
                template = samtranslator.yaml_helper.yaml_parse(load().template(architecture))
                self.assertEqual(template["Resources"]["EventFunction"]["Properties"]["CodeUri"], f"event-hook-{architecture}.zip")
                self.assertEqual(template["Resources"]["TelephonyFunction"]["Properties"]["CodeUri"], f"telephony-hook-{architecture}.zip")
                parameter = template["Parameters"]["Architecture"]
                self.assertEqual((parameter["Default"], parameter["AllowedValues"]), (architecture, [architecture]))
                template["Parameters"]["Architecture"] = sam.source()["Parameters"]["Architecture"]
                for name, resource in sam.source()["Resources"].items():
                    if "CodeUri" in resource.get("Properties", {}):
                        template["Resources"][name]["Properties"]["CodeUri"] = resource["Properties"]["CodeUri"]
                self.assertEqual(template, sam.source(), "something else differs")

    def test_a_template_that_has_changed_its_paths_is_refused(self):
        with self.assertRaisesRegex(SystemExit, "0 times instead of once"):
            load().replace_once("CodeUri: elsewhere.zip", "bootstrap.zip", "telephony-hook.zip")


class Versions(unittest.TestCase):
    """In a copy of the files that hold a version."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        manifests = [path.relative_to(sam.ROOT) for path in (sam.ROOT / "crates").glob("*/Cargo.toml")]
        for name in ["Cargo.toml", "infra/cdk/package.json", "infra/cdk/package-lock.json", *manifests]:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(sam.ROOT / name, self.folder / name)
        self.changelog("## [Unreleased]\n\n## [0.1.0] - 2026-12-01\n\nThe first one.\n\n## [0.0.1] - 2026-01-01\n\nOld.\n")
        self.release = load()
        self.release.ROOT = self.folder
        self.change("Cargo.toml", f'version = "{self.release.version()}"', 'version = "0.1.0"')

    def changelog(self, text):
        (self.folder / "CHANGELOG.md").write_text(text)

    def change(self, name, old, new):
        path = self.folder / name
        self.assertIn(old, path.read_text())
        path.write_text(path.read_text().replace(old, new, 1))

    def refused(self, *tag):
        with self.assertRaises(SystemExit) as raised, contextlib.redirect_stdout(io.StringIO()):
            self.release.check(*tag)
        return str(raised.exception)

    def test_one_version_passes(self):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            self.release.check("v0.1.0")
        self.assertEqual(printed.getvalue(), "version 0.1.0 everywhere\n")

    def test_another_version_is_named(self):
        self.change("infra/cdk/package.json", '"version": "0.1.0"', '"version": "0.1.1"')
        self.assertEqual(self.refused(), "infra/cdk/package.json has 0.1.1, Cargo.toml 0.1.0")

    def test_a_crate_may_not_have_a_version_of_its_own(self):
        self.change("crates/event-hook/Cargo.toml", "version.workspace = true", 'version = "9.9.9"')
        self.assertIn("crates/event-hook/Cargo.toml has a version of its own", self.refused())

    def test_a_tag_needs_its_version_and_its_section_in_the_changelog(self):
        self.assertIn("the tag is v0.2.0, Cargo.toml has 0.1.0", self.refused("v0.2.0"))
        self.changelog("## [Unreleased]\n\nThe first one.\n")
        self.assertIn("says nothing about 0.1.0", self.refused("v0.1.0"))

    def test_the_notes_are_the_section_of_the_version(self):
        self.assertEqual(self.release.section("0.1.0"), "The first one.")


class BillOfMaterials(unittest.TestCase):
    def test_it_holds_each_crate_of_the_binaries_and_is_the_same_each_time(self):
        release = load()
        document = release.sbom(release.FUNCTIONS)
        self.assertEqual(document, release.sbom(release.FUNCTIONS))
        shipped = {(crate["name"], crate["version"]) for crate in release.third_party_notices().shipped_crates(release.FUNCTIONS)}
        self.assertEqual({(each["name"], each["version"]) for each in document["components"]}, shipped)
        self.assertIn("aws-lc-rs", {each["name"] for each in document["components"]})
        for each in document["components"]:
            self.assertRegex(each["hashes"][0]["content"], "^[0-9a-f]{64}$")
            self.assertTrue(each["licenses"][0]["expression"])

    def test_the_command_line_tool_has_files_of_its_own(self):
        release = load()
        release.OUTPUT = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, release.OUTPUT)
        own = ("sbom-okta-twilio.cdx.json", "THIRD-PARTY-NOTICES-okta-twilio.txt")
        with contextlib.redirect_stdout(io.StringIO()):
            release.finish()
            self.assertFalse(any((release.OUTPUT / name).exists() for name in own), "there is no tool in this release")
            (release.OUTPUT / "okta-twilio-linux-arm64").write_bytes(b"a binary")
            release.finish()
        # Only the tool reads arguments.
        for name in own:
            self.assertIn("clap", (release.OUTPUT / name).read_text())
            self.assertIn(f"  {name}\n", (release.OUTPUT / "SHA256SUMS").read_text())
        self.assertNotIn("clap", (release.OUTPUT / "sbom.cdx.json").read_text())


if __name__ == "__main__":
    unittest.main()
