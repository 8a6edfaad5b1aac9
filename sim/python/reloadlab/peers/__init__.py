"""Releases of others, judged as they are: their reload code is imported from the installed wheel and runs unmodified.

What that code imports of the rest of its package is supplied here, in few words (``site.py``); the model, its loaders and quantization
methods are the substrate's. Another version of a family is another spelling: ``vllm@0.22.1``, after ``ci/setup --peers vllm==0.22.1``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Callable


@dataclass(frozen=True)
class Family:
    """``package`` on PyPI, the versions that are judged as a matter of course, and what makes a class of one that lies in a folder."""

    package: str
    versions: tuple[str, ...]
    make: Callable[[Path, str], type]


def _layerwise(root: Path, version: str) -> type:
    from . import layerwise

    return layerwise.make(root, version)


def _online_quant(root: Path, version: str) -> type:
    from . import online_quant

    return online_quant.make(root, version)


def _shared_series(root: Path, version: str) -> type:
    from . import shared_series

    return shared_series.make(root, version)


FAMILIES = {
    "vllm": Family("vllm", ("0.17.1", "0.24.0"), _layerwise),
    "vllm-oq": Family("vllm", ("0.13.0",), _online_quant),
    "vllm-ascend": Family("vllm-ascend", ("0.13.0rc1",), _shared_series),
}

_made: dict[str, type] = {}


def folder() -> Path:
    """Where ``ci/setup --peers`` installs them."""
    cache = os.environ.get("RELOADLAB_CACHE") or os.path.expanduser("~/.cache/reloadlab")
    return Path(cache) / "peers"


def find(spelling: str) -> type:
    """The class that plays ``vllm@0.17.1``. Raises ``reloadlab.find.Refusal``."""
    from ..find import Refusal

    if spelling in _made:
        return _made[spelling]
    name, _, version = spelling.partition("@")
    family = FAMILIES[name]
    if not version:
        raise Refusal("usage", f"{name} needs a version: " + ", ".join(f"{name}@{each}" for each in family.versions))
    root = folder() / f"{family.package}-{version}"
    if not root.is_dir():
        raise Refusal("usage", f"{family.package} {version} is not installed in {folder()}: ci/setup --peers {family.package}=={version}")
    _made[spelling] = family.make(root, version)
    return _made[spelling]
