"""Finds the class that a spelling names, and says what it is. Importing it runs its code: see describe.py for who does it first."""

from __future__ import annotations

import difflib
import gc
import importlib
import inspect
import operator
import traceback
from dataclasses import dataclass
from types import ModuleType

from .candidate import Reloader, WeightSeries

SYSTEMS = ("layerwise", "online_quant", "shared_series")
ROLES: dict[type, tuple[str, ...]] = {
    Reloader: ("prepare", "finish"),
    WeightSeries: ("register_layer", "finish_loading", "reach", "wait"),
}
DEFAULTS = {
    "abort": "none",
    "buffering": "by_reference",
    "excess": "silent",
    "misuse": "undefined",
    "missing": "silent",
    "unexpected": "silent",
}


class Refusal(Exception):
    """``code``: usage (no such thing) or data (no candidate)."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass
class Found:
    system: str
    declared: dict[str, str]
    reloader: type | None = None
    series: type | None = None


def _import(module: str) -> ModuleType:
    if not all(part.isidentifier() for part in module.split(".")):
        raise Refusal("usage", f'"{module}" is no name of a module: expected package.module, found in the current folder or on PYTHONPATH')
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(error.name + ".")):
            raise Refusal("usage", f'no module is called "{module}": looked in the current folder and on PYTHONPATH') from error
        raise Refusal("data", f"{module} cannot be imported: {error}") from error
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        text = str(error).strip().split("\n")[0]
        raise Refusal("data", f"{module} cannot be imported: {type(error).__name__}: {text} ({last.filename}:{last.lineno})") from error


def _roles_in(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, (Reloader, WeightSeries)) and value not in (Reloader, WeightSeries)
    ]


def _class(module: ModuleType, name: str) -> type[Reloader | WeightSeries]:
    try:
        found = operator.attrgetter(name)(module)  # Outer.Inner too
    except AttributeError:
        known = _roles_in(module)
        near = difflib.get_close_matches(name, known, 1)
        hint = f'; did you mean "{near[0]}"?' if near else f"; it has {', '.join(known)}" if known else ""
        raise Refusal("usage", f'{module.__name__} has no class "{name}"{hint}') from None
    if not inspect.isclass(found) or not issubclass(found, (Reloader, WeightSeries)):
        raise Refusal("data", f"{module.__name__}.{name} is no candidate: it derives from neither reloadlab.Reloader nor reloadlab.WeightSeries")
    return found


def _check_methods(found: type[Reloader | WeightSeries], where: str) -> None:
    """What has to be there: a misspelt one would be found where an update needs it, as an exception among many."""
    role: type[Reloader | WeightSeries] = WeightSeries if issubclass(found, WeightSeries) else Reloader
    for name in ROLES[role]:
        if getattr(found, name) is getattr(role, name):
            own = [each for each in dir(found) if not hasattr(role, each)]
            near = difflib.get_close_matches(name, own, 1)
            hint = f'; did you mean that by "{near[0]}"?' if near else ""
            raise Refusal("data", f"{where} has no {name}(){hint}")
    for name in vars(role):
        if inspect.iscoroutinefunction(getattr(found, name)):
            raise Refusal("data", f"{where}.{name}() is async, and nobody would await it")


def _describe(found: type[Reloader | WeightSeries]) -> Found:
    where = f"{found.__module__}.{found.__qualname__}"
    series = found if issubclass(found, WeightSeries) else None
    system = found.system if issubclass(found, Reloader) else "shared_series"
    if system not in SYSTEMS:
        near = difflib.get_close_matches(str(system), SYSTEMS, 1)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        raise Refusal("data", f'{where}: system "{system}" is none of {", ".join(SYSTEMS)}{hint}')
    if not isinstance(found.declared, dict) or not all(isinstance(k, str) and isinstance(v, str) for k, v in found.declared.items()):
        raise Refusal("data", f"{where}: declared has to be a dict of names and values, both texts")
    if not isinstance(found.errors, tuple) or not all(inspect.isclass(each) and issubclass(each, BaseException) for each in found.errors):
        raise Refusal("data", f"{where}: errors has to be a tuple of exception classes")
    _check_methods(found, where)
    reloader = getattr(found, "beside", None) if series else found
    return Found(system, DEFAULTS | found.declared, reloader, series)


def find_to_play(spelling: str) -> Found:
    """The same for a process that plays it: what is there before its models are stays, and collections look at these alone."""
    found = find(spelling)
    gc.collect()
    gc.freeze()
    return found


def find(spelling: str) -> Found:
    """``python:module:Class``, or a peer's name and version. Raises ``Refusal``."""
    if not spelling.startswith("python:"):
        from . import peers

        return _describe(peers.find(spelling))
    parts = spelling.split(":")
    if len(parts) != 3 or not all(parts):
        raise Refusal("usage", "expected python:module:Class")
    return _describe(_class(_import(parts[1]), parts[2]))
