"""reloadlab: is the model after a warm reload the model that a cold start would have given?

Derive from ``Reloader`` or ``WeightSeries``, and have it judged: ``reloadlab run scenarios --candidate python:my_module:MyReloader``.
"""

from __future__ import annotations

import os
import sys

import torch

_flags = sys.getdlopenflags()
sys.setdlopenflags(os.RTLD_NOW | os.RTLD_GLOBAL)  # plug-ins and worlds find the program's functions in it
try:
    from . import _reloadlab
finally:
    sys.setdlopenflags(_flags)

if torch.__version__.split("+")[0] != _reloadlab.torch_version:
    raise ImportError(f"this reloadlab was built for torch {_reloadlab.torch_version}, and torch {torch.__version__} is here")

_reloadlab.supply_scenarios(os.path.join(os.path.dirname(__file__), "scenarios"))

from .attach import Graph, Law, LawBroken, Report, attach, merge, watch
from .bridge import QuantizeMethodBase, default_weight_loader
from .candidate import Context, Reloader, Series, WeightSeries
from .errors import LoadError, Misuse, Rejected, ReloadError, Unsupported
from .twice import Moved, Twice, process_twice

__all__ = [
    "Context",
    "Graph",
    "Law",
    "LawBroken",
    "LoadError",
    "Misuse",
    "Moved",
    "QuantizeMethodBase",
    "Rejected",
    "ReloadError",
    "Report",
    "Reloader",
    "Series",
    "Twice",
    "Unsupported",
    "WeightSeries",
    "attach",
    "default_weight_loader",
    "merge",
    "process_twice",
    "watch",
]
