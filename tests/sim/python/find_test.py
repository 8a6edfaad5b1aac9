"""What is refused as no candidate, and why; here, for each needs a process otherwise."""

import os
import sys
import unittest

from reloadlab.find import Refusal, find

REFUSED = {
    "python:wayward": ("usage", "expected python:module:Class"),
    "python:wayward:Behave": ("usage", 'wayward has no class "Behave"; did you mean "Behaves"?'),
    "python:in_place:Elsewhere": ("usage", 'in_place has no class "Elsewhere"; it has InPlace, Plain, Skips'),
    "python:nowhere:Mine": ("usage", 'no module is called "nowhere": looked in the current folder and on PYTHONPATH'),
    "python:../candidates/wayward:Behaves": (
        "usage",
        '"../candidates/wayward" is no name of a module: expected package.module, found in the current folder or on PYTHONPATH',
    ),
    "python:wayward:Outside.Inner": ("usage", 'wayward has no class "Outside.Inner"; did you mean "Outside"?'),
    "python:wayward:NoCandidate": (
        "data",
        "wayward.NoCandidate is no candidate: it derives from neither reloadlab.Reloader nor reloadlab.WeightSeries",
    ),
    "python:wayward:OtherSystem": (
        "data",
        'wayward.OtherSystem: system "layerwize" is none of layerwise, online_quant, shared_series; did you mean "layerwise"?',
    ),
    "python:wayward:SaysNothing": ("data", "wayward.SaysNothing: declared has to be a dict of names and values, both texts"),
    "python:wayward:NoExceptions": ("data", "wayward.NoExceptions: errors has to be a tuple of exception classes"),
    "python:wayward:Misspelt": ("data", 'wayward.Misspelt has no finish(); did you mean that by "finnish"?'),
    "python:wayward:IsAsync": ("data", "wayward.IsAsync.prepare() is async, and nobody would await it"),
    "python:needs_others:Mine": ("data", "needs_others cannot be imported: No module named 'nowhere_to_be_found'"),
    "vllm": ("usage", "vllm needs a version: vllm@0.17.1, vllm@0.24.0"),
}


class Find(unittest.TestCase):
    def test_what_is_refused(self) -> None:
        for spelling, (code, text) in REFUSED.items():
            with self.subTest(spelling), self.assertRaises(Refusal) as caught:
                find(spelling)
            self.assertEqual((caught.exception.code, str(caught.exception)), (code, text))

    def test_what_is_found(self) -> None:
        found = find("python:in_place:InPlace")
        self.assertEqual((found.system, found.declared["landing"], found.declared["excess"]), ("layerwise", "direct", "silent"))
        self.assertIsNone(found.series)
        self.assertEqual(find("python:wayward:Outside.Within").reloader.__qualname__, "Outside.Within")


if __name__ == "__main__":
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "candidates"))
    unittest.main()
