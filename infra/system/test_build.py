"""How `make build` makes the zips, and what it refuses."""

import hashlib
import os
import pathlib
import subprocess
import tempfile
import unittest
import zipfile

from world import ROOT


class NormaliseZip(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def zipped(self, name, date, content=b"a binary", mode=0o100755):
        path = self.folder / name
        with zipfile.ZipFile(path, "w") as file:
            entry = zipfile.ZipInfo("bootstrap", date)
            entry.external_attr = mode << 16
            file.writestr(entry, content)
        subprocess.run([ROOT / "tools/normalise-zip", path], check=True)
        return path

    def test_the_date_of_the_build_does_not_matter(self):
        first = self.zipped("first.zip", (2026, 11, 25, 3, 10, 42))
        second = self.zipped("second.zip", (2020, 1, 1, 0, 0, 0), mode=0o100775)
        self.assertEqual(digest(first), digest(second))
        other = self.zipped("other.zip", (2020, 1, 1, 0, 0, 0), b"another binary")
        self.assertNotEqual(digest(first), digest(other))

    def test_lambda_can_run_what_is_in_it(self):
        path = self.zipped("first.zip", (2026, 11, 25, 3, 10, 42))
        with zipfile.ZipFile(path) as file:
            [entry] = file.infolist()
            self.assertEqual((entry.filename, file.read(entry)), ("bootstrap", b"a binary"))
        self.assertEqual(entry.external_attr >> 16, 0o100755)
        self.assertEqual(os.listdir(self.folder), ["first.zip"])


class BuildPaths(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def check(self, content):
        (self.folder / "telephony-hook").write_bytes(b"\x7fELF\x00" + content + b"\x00")
        environment = {"PATH": os.environ["PATH"], "HOME": "/home/builder", "CARGO_HOME": "/opt/cargo"}
        program = [ROOT / "tools/check-build-paths", self.folder, "telephony-hook"]
        return subprocess.run(program, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)

    def test_a_binary_that_names_a_folder_of_its_builder_is_refused(self):
        for path in ("/home/builder/work/src/main.rs", "/opt/cargo/registry/src/x/lib.rs", f"{ROOT}/crates/x.rs"):
            with self.subTest(path):
                self.assertEqual(self.check(path.encode()).returncode, 1)

    def test_remapped_paths_pass(self):
        done = self.check(b"/cargo/registry/src/x/lib.rs\x00/okta-twilio/crates/x.rs\x00/rustc/abc/library/core.rs")
        self.assertEqual(done.returncode, 0, done.stderr)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    unittest.main()
