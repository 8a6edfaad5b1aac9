"""The pytest plug-in, run by pytest on projects of a few lines. All have the same module, of which a process asks once what it is."""

import pytest

import reloadlab  # noqa: F401  here, so that runs within this process do not import it anew

SCENARIO = """
reloadlab: 1
scenario: small
about: One layer.
system: layerwise
tags: [quick]
world: {{kind: {worlds}, ranks: [1, 2]}}
model:
  dtype: f32
  layers:
    - {{name: up, kind: column_parallel_linear, in: 4, out: 6}}
checkpoints: {{A: {{synthetic: 1}}, B: {{synthetic: 2}}}}
steps:
  - load: A
  - reload: B
laws: [cold_load_equal]
"""

CANDIDATES = """
import reloadlab


class InPlace(reloadlab.Reloader):
    declared = {"landing": "direct"}

    def prepare(self, model):
        pass

    def finish(self, model, dtype):
        pass


class Skips(InPlace):
    def prepare(self, model):
        for param in model.parameters():
            param.weight_loader = lambda param, loaded_weight, **named: None


class Crashes(InPlace):
    def finish(self, model, dtype):
        import os, signal
        print("about to go", flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)


class Hangs(InPlace):
    def finish(self, model, dtype):
        while True:
            pass
"""

KNOWN = """
reloadlab: 1
scenario: small
known:
  - {{candidate: "python:mine:{candidate}", law: cold_load_equal, rule: LW6, execution: warm, step: 1, tensor: up.weight}}
"""


@pytest.fixture
def project(pytester):
    """A folder with a module and a scenario, and how pytest is run there."""
    pytester.makepyfile(mine=CANDIDATES)
    pytester.path.joinpath("small.yaml").write_text(SCENARIO.format(worlds="cpu"))

    def run(candidate, *words, ini="reloadlab_scenarios = small.yaml", in_process=True):
        pytester.makeini(f"[pytest]\n{ini}\nreloadlab_candidate = python:mine:{candidate}\n")
        how = pytester.runpytest_inprocess if in_process else pytester.runpytest_subprocess
        return how("-p", "pytest_reloadlab", *words)

    run.folder = pytester.path
    return run


def test_each_case_is_a_test(project):
    result = project("InPlace", "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines_random(["small.yaml::small[[]ranks=1[]] PASSED*", "small.yaml::small[[]ranks=2[]] PASSED*"])
    assert result.ret == 0


def test_failures_read_as_on_the_console(project):
    result = project("Skips", "-x")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([
        "_* small[[]ranks=1[]] *_",
        "FAIL  cold_load_equal   python:mine:Skips   */small.yaml [[]ranks=1[]]   rank 0, step 1: reload to B",
        "  up.weight   * elements differ: all rows",
        "  first  *, should be *, from B: up.weight [[]0, 0[]]",
        "  again  reloadlab run */small.yaml --name 'small[[]ranks=1[]]' --candidate python:mine:Skips",
        "FAILED small.yaml::small[[]ranks=1[]]*",
    ])


def test_who_dies_costs_its_case(project):
    result = project("Crashes")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*killed by signal 11 (SIGSEGV)*", "  prints */workers-main.log"])
    assert "about to go" in next(project.folder.rglob("workers-main.log")).read_text()


def test_a_time_that_is_none_is_told(project):
    result = project("InPlace", ini="reloadlab_scenarios = small.yaml\nreloadlab_hang_after = soon")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*reloadlab_hang_after: 'soon' is no time, expected seconds*"])


def test_who_hangs_is_ended(project):
    result = project("Hangs", "-k", "ranks-1", ini="reloadlab_scenarios = small.yaml\nreloadlab_hang_after = 1")
    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines(["HANG  survives *", "  no step began for 1 s; Python is at *.py:* in *"])


@pytest.mark.parametrize("asked, kept", [("ranks-2", 1), ("quick", 2), ("no_such_tag", 0)])
def test_some_of_them(project, asked, kept):
    project("InPlace", "-k", asked).assert_outcomes(passed=kept, deselected=2 - kept)


def test_what_cannot_be_played_is_skipped(project):
    project.folder.joinpath("small.yaml").write_text(SCENARIO.format(worlds="cuda"))
    result = project("InPlace", "-rs")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["SKIPPED * no GPU here: *"])


def known(project, candidate):
    folder = project.folder / "expectations" / "layerwise"
    folder.mkdir(parents=True)
    (folder / "small.yaml").write_text(KNOWN.format(candidate=candidate))


def test_what_is_known_to_fail_is_an_xfail(project):
    known(project, "Skips")
    result = project("Skips", "-rx")
    result.assert_outcomes(xfailed=2)
    result.stdout.fnmatch_lines(["XFAIL small.yaml::small[[]ranks=1[]] - *cold_load_equal: LW6*"])
    project("Skips", "--reloadlab-no-expectations").assert_outcomes(failed=2)


def test_passing_against_an_expectation_fails(project):
    known(project, "InPlace")
    result = project("InPlace")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["UNEXPECTED PASS  cold_load_equal *"])


def test_a_file_with_an_error_is_one(project):
    project.folder.joinpath("small.yaml").write_text(SCENARIO.format(worlds="cpu").replace("laws:", "lws:"))
    result = project("InPlace")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*small.yaml:16:1: *did you mean \"laws\"*"])


def test_a_candidate_that_is_not_there(project):
    result = project("InPlac")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*mine has no class \"InPlac\"; did you mean \"InPlace\"?"])
    missing = project("InPlace", ini="reloadlab_scenarios = smal.yaml")
    assert missing.ret == pytest.ExitCode.USAGE_ERROR
    missing.stderr.fnmatch_lines(["*reloadlab_scenarios: smal.yaml: no such file or folder below *"])


def test_who_asks_for_other_tests_gets_these(project, pytester):
    pytester.makepyfile(test_other="def test_other(): pass")
    project("InPlace", "test_other.py").assert_outcomes(passed=1)
    project("InPlace", "small.yaml::small[ranks=2]", ini="").assert_outcomes(passed=1)
    project("InPlace", "--collect-only", "-q", ini="").assert_outcomes()
    given = pytester.runpytest_inprocess("-p", "pytest_reloadlab", "--reloadlab-candidate", "python:mine:InPlace",
                                         "--reloadlab-candidate", "layerwise@hardened", "--reloadlab-scenarios", "small.yaml", "-v",
                                         "test_other.py")
    given.assert_outcomes(passed=5)
    given.stdout.fnmatch_lines_random(["small.yaml::small[[]ranks=1[]]-layerwise@hardened PASSED*"])


def test_modules_are_found_as_tests_find_them(project):
    (project.folder / "src").mkdir()
    (project.folder / "mine.py").rename(project.folder / "src" / "mine.py")
    project("InPlace", ini="reloadlab_scenarios = small.yaml\npythonpath = src").assert_outcomes(passed=2)


def test_processes_side_by_side(project):
    project("InPlace", "-p", "xdist", "-n", "2", in_process=False).assert_outcomes(passed=2)


def test_nothing_is_imported_where_no_candidate_is_named(pytester):
    pytester.makepyfile("import sys\ndef test_none():\n    assert 'torch' not in sys.modules")
    pytester.path.joinpath("small.yaml").write_text(SCENARIO.format(worlds="cpu"))
    pytester.runpytest_subprocess("-p", "pytest_reloadlab").assert_outcomes(passed=1)
