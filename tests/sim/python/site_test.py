"""A release is imported once for each rank: modules of its own, made of code that was compiled once."""

import importlib.machinery
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from reloadlab.peers.site import Site


class Sites(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "engine").mkdir()
        (self.root / "engine/reload.py").write_text("kept = []\n\n\ndef reload():\n    from engine import late\n\n    return late.found\n")

    def site(self, found: str = "") -> Site:
        return Site(self.root, ["engine"], {"engine.late": {"found": found}})

    def test_each_has_modules_of_its_own(self) -> None:
        one, other = self.site().load("engine.reload"), self.site().load("engine.reload")
        one.kept.append(1)
        self.assertEqual(other.kept, [])
        self.assertNotIn("engine", sys.modules)

    def test_code_is_compiled_once(self) -> None:
        compiled = importlib.machinery.SourceFileLoader.get_code
        with mock.patch.object(importlib.machinery.SourceFileLoader, "get_code", autospec=True, side_effect=compiled) as counted:
            one, other = self.site().load("engine.reload"), self.site().load("engine.reload")
        self.assertIs(one.reload.__code__, other.reload.__code__)
        self.assertEqual(counted.call_count, 1)

    def test_what_is_imported_late_is_its_own(self) -> None:
        one, other = self.site("one"), self.site("other")
        modules = [site.load("engine.reload") for site in (one, other)]
        for site, module, found in zip((one, other), modules, ("one", "other")):
            with site.active():
                self.assertEqual(module.reload(), found)


if __name__ == "__main__":
    unittest.main()
