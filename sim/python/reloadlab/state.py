"""What a model may have beside itself: of all that modules and classes of the process hold, what is somebody's state."""

from __future__ import annotations

import contextvars
import functools
import queue
import sys
import threading
import types
import weakref
from collections import deque
from typing import Any

import torch

from .told import PROXIES

# Nobody's state: a walk that entered these would see the whole process.
_FOREIGN = ("torch", "numpy", "builtins", "reloadlab", "_pytest", "pytest", *sys.stdlib_module_names)
PLAIN = frozenset((int, complex, str, bytes, type(None), torch.dtype, torch.device, torch.Size, *PROXIES))  # not followed, by their very class
_VALUES = PLAIN.union((bool, float))
_CONTAINERS = (dict, list, set, frozenset, deque, torch.Tensor)
_KEPT = (*_CONTAINERS, weakref.WeakKeyDictionary, weakref.WeakValueDictionary, weakref.finalize, functools._lru_cache_wrapper,
         functools.partial, contextvars.ContextVar, threading.local, queue.SimpleQueue, queue.Queue, types.SimpleNamespace)


def is_state(value: Any) -> bool:
    """Of what classes and modules of the process hold: containers, caches, and objects of classes of the model's authors."""
    kind = type(value)
    if kind in PROXIES or issubclass(kind, (type, torch.nn.Module)):
        return False
    return issubclass(kind, _KEPT) or not is_foreign(kind.__module__)


def keeps(value: Any) -> bool:
    """Functions with something besides their code."""
    kind = type(value)
    if kind is not types.FunctionType:
        return kind in (property, staticmethod, classmethod)
    given = (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values())
    return value.__closure__ is not None or bool(value.__dict__) or not _VALUES.issuperset(map(type, given))


def is_foreign(module: str | None) -> bool:
    return module is None or module.partition(".")[0] in _FOREIGN
