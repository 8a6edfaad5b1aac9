"""pytest plug-in: each case of a scenario file is a test of a reloader of yours.

    [tool.pytest.ini_options]
    reloadlab_candidate = "python:mine:Mine"                    # what is judged; a list of several, if there are
    reloadlab_scenarios = ["scenarios/layerwise", "mine.yaml"]  # files and folders; what is not there is taken from the package

A case that breaks a law fails, with what ``reloadlab run`` prints. One that this machine cannot play, or that cannot be judged, is skipped
with the reason; one that expectation files know is an xfail, and passing against them is a failure. Modules are found as tests find them.

``-k`` also takes tags of scenarios, candidates, and what varies, as in ``-k "smoke and ranks-2"``. Nothing is imported, and nothing happens,
where no candidate is named.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from reloadlab._reloadlab import Gate

_SETTINGS = {
    "reloadlab_candidate": ("args", [], "what is judged: python:module:Class, a shared library, or a name; a list of several"),
    "reloadlab_scenarios": ("args", [], "scenario files and folders, from the root; what is not there is taken from the package"),
    "reloadlab_laws": ("args", [], "judge these laws only"),
    "reloadlab_hang_after": ("string", "60", "seconds without a step beginning that are a hang"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    for name, (kind, default, text) in _SETTINGS.items():
        parser.addini(name, text, type=kind, default=default)  # type: ignore[arg-type]
    group = parser.getgroup("reloadlab")
    group.addoption("--reloadlab-candidate", action="append", metavar="NAME", help="judge this one; instead of reloadlab_candidate")
    group.addoption("--reloadlab-scenarios", action="append", metavar="PATH", help="and with these; instead of reloadlab_scenarios")
    group.addoption("--reloadlab-no-expectations", action="store_true", help="known failures count as failures")


class _Settings:
    """What the configuration asks for."""

    def __init__(self, config: pytest.Config) -> None:
        self.candidates: list[str] = config.getoption("--reloadlab-candidate") or config.getini("reloadlab_candidate")
        named: list[str] | None = config.getoption("--reloadlab-scenarios")
        self.asked = bool(named)
        self.scenarios = [_found(config, each) for each in named or config.getini("reloadlab_scenarios")]
        self.laws: list[str] = config.getini("reloadlab_laws")
        self.expectations: bool = not config.getoption("--reloadlab-no-expectations")
        self.hang_after = _seconds(config.getini("reloadlab_hang_after"))
        # Of the command line, where each means itself.
        self.files = {config.invocation_params.dir.joinpath(each.split("::")[0]) for each in config.args}
        self.log = _log_below(config)
        self._gate: Gate | None = None

    def holds(self, path: Path) -> bool:
        if path.suffix not in (".yaml", ".yml"):
            return False
        if path in self.files:
            return True
        return "expectations" not in path.parts and any(path == each or each in path.parents for each in self.scenarios)

    def gate(self) -> Gate:
        """The one of this process; its worker is started by the first case."""
        if self._gate is None:
            from reloadlab._reloadlab import Gate

            today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
            self._gate = Gate(candidates=self.candidates, laws=self.laws, expectations=self.expectations, today=today,
                              silence_seconds=self.hang_after, log=str(self.log or ""), command=[sys.executable, "-m", "reloadlab"])
        return self._gate


def _log_below(config: pytest.Config) -> Path | None:
    """Where workers print, below pytest's cache, afresh for each run; None: there is none, and they print where pytest does."""
    cache = getattr(config, "cache", None)
    if cache is None:
        return None
    log: Path = cache.mkdir("reloadlab") / f"workers-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}.log"
    log.unlink(missing_ok=True)
    return log


_settings = pytest.StashKey[_Settings]()


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < (seconds := float(text.removesuffix("s"))) < float("inf"):
            return seconds
    raise pytest.UsageError(f"reloadlab_hang_after: {text!r} is no time, expected seconds")


def _found(config: pytest.Config, named: str) -> Path:
    """From the root, or, of those that the package brought along, "scenarios/…"."""
    here = config.rootpath / named
    package = importlib.util.find_spec("reloadlab")
    if here.exists() or package is None or not package.submodule_search_locations:
        return here
    there = Path(package.submodule_search_locations[0]) / named
    if there.exists():
        return there
    raise pytest.UsageError(f"reloadlab_scenarios: {named}: no such file or folder below {config.rootpath}, nor in the package")


def pytest_configure(config: pytest.Config) -> None:
    settings = _Settings(config)
    if not settings.candidates:
        return
    config.stash[_settings] = settings
    # Whoever names what is to be run means that alone.
    if settings.asked or config.args_source is not pytest.Config.ArgsSource.ARGS:
        given = [config.invocation_params.dir.joinpath(each) for each in config.args]
        config.args += [str(each) for each in settings.scenarios if not any(one == each or one in each.parents for one in given)]


def pytest_unconfigure(config: pytest.Config) -> None:
    if _settings in config.stash:
        del config.stash[_settings]  # and with it the worker


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    settings = parent.config.stash.get(_settings, None)
    return ScenarioFile.from_parent(parent, path=file_path) if settings and settings.holds(file_path) else None


@contextlib.contextmanager
def _as_tests_find_it(config: pytest.Config) -> Iterator[None]:
    """Processes that are started meanwhile are this Python, with its path."""
    variables = {"PYTHONPATH": os.pathsep.join([str(config.rootpath), *filter(None, sys.path)]), "RELOADLAB_PYTHON": sys.executable}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


class ScenarioFile(pytest.File):
    """A scenario file; its cases by each candidate."""

    def collect(self) -> Iterable[pytest.Item]:
        settings = self.config.stash[_settings]
        try:
            with _as_tests_find_it(self.config):
                cases = settings.gate().add(str(self.path))
        except ValueError as error:
            raise self.CollectError(str(error)) from None
        for number, case, candidate, tags in cases:
            name = case if len(settings.candidates) == 1 else f"{case}-{candidate}"
            varies = case.partition("[")[2].rstrip("]").replace("=", "-").split(",")  # what -k takes has no "="
            yield Case.from_parent(self, name=name, number=number, words=[candidate, *tags, *varies])


class LawsBroken(Exception):
    """What ``reloadlab run`` prints of a case."""


class Case(pytest.Item):
    """One case, played by one candidate."""

    def __init__(self, *, number: int, words: list[str], **rest: object) -> None:
        super().__init__(**rest)  # type: ignore[arg-type]
        self.number = number
        self.extra_keyword_matches.update(words)

    def runtest(self) -> None:
        with _as_tests_find_it(self.config):
            outcome, text = self.config.stash[_settings].gate().play(self.number)
        if outcome == "skipped":
            pytest.skip(text)
        if outcome == "known":
            pytest.xfail(text)
        if outcome == "failed":
            raise LawsBroken(text)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        if isinstance(excinfo.value, LawsBroken):
            log = self.config.stash[_settings].log
            return f"{excinfo.value}  prints {log}\n" if log and log.exists() else str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.name
