"""What a live model holds at a moment: every name, and everything that is reachable from it.

A model is more than its parameters. Engines keep kernel helpers, closures with scales in them, lazily made scratch and tables of the process
beside it, and a reload has to think of all of these. The walk follows whatever an object holds (`inside.py`), and the globals of the
modules that it meets, and that the classes and functions it meets were defined in.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import operator
import re
import sys
import types
import warnings
import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import torch

from .inside import (ADDRESSES, OF_MODULES, Parts, Rule, beside, in_order, is_only_traced, number_of, of_dict, on_tensor, rule_of, slots_of,
                     tensor_of)
from .state import PLAIN, is_foreign, is_state, keeps
from .told import CALLABLE, COMPILERS, attributes_text, callable_text, loader_text, parts_of

_HOOKS = tuple(name for name in torch.nn.Module().__dict__ if name.endswith("_hooks"))
_hooks_of = operator.itemgetter(*_HOOKS)
_OF_TORCH = frozenset(("torch.nn.modules.linear", "torch.nn.modules.normalization", "torch.nn.modules.container"))  # most of a model
_NOT_YET_MADE = (torch.nn.UninitializedParameter, torch.nn.UninitializedBuffer)  # these very classes: isinstance() asks torch's, in Python
_STRIDED, _PARAMETER = torch.strided, torch.nn.Parameter


class Held(NamedTuple):
    """One name that a model holds. `kind` is of: parameter, buffer, empty_parameter, empty_buffer, extra_tensor, extra_host. A tuple, for a
    watch makes and reads one for each name twice an update; attach_module.cpp reads it by position."""

    path: str
    layer: str
    kind: str
    tensor: torch.Tensor | None = None
    persistent: bool = True
    handle: int = -1
    tensor_class: str = ""
    loader: str = "-"
    attributes: str = ""
    host: float = 0.0


_made = functools.partial(tuple.__new__, Held)  # by all of its values: less than half of what its names cost


@dataclasses.dataclass
class Moment:
    """What a model holds at a moment, in its own order, and what it says of itself."""

    held: list[Held]
    flags: str = ""


class Handles:
    """Numbers objects. Two names have one number exactly when they are one object, and no number comes twice."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[weakref.ref[Any], int]] = {}
        self._next = 0

    def number(self, thing: Any) -> int:
        known = self._seen.get(id(thing))
        if known is not None and known[0]() is thing:
            return known[1]
        self._seen[id(thing)] = (weakref.ref(thing), self._next)
        self._next += 1
        return self._next - 1


class Walk:
    """One walk through one model. Names come once each, in the same order every time."""

    def __init__(self, model: torch.nn.Module, handles: Handles, caches: Mapping[str, Any] | None = None, process: bool = True,
                 addresses: bool = False, ignore: Iterable[str] = ()) -> None:
        self._model = model
        self._handles = handles
        self._caches = caches or {}
        self._process = process
        self._found = False  # at what was found in the process, whose floats are times and counts for all that is known
        self._numbers = (float, int) if addresses else (float,)
        self._plain = PLAIN.difference(self._numbers)
        self._rules: dict[type, Rule | None] = {}
        self._ignored = _pattern(ignore)
        self._held: list[Held] = []
        self._flags: list[str] = []
        self._visited: dict[int, Any] = {}  # and so kept: an id means something only as long as its object lives
        self._noted: set[type] = set()
        self._classes: dict[type, bool] = {}  # whether they are still to be looked at
        self._globals: dict[str, dict[str, Any]] = {}
        self._taken: set[str] = set()
        self._near: frozenset[str] = frozenset()  # modules that the model itself comes from
        self._paths: dict[int, str] | None = None  # of the model's own, where a set asks
        self._slots: dict[type, list[str]] = {}
        self._own: dict[tuple[str, ...], list[str]] = {}  # of a module's attributes those that torch does not give it; few modules differ

    def take(self) -> Moment:
        modules = list(_modules(self._model))
        for _, module in modules:
            self._visited[id(module)] = module
        for path, module in modules:
            self._take_module(path, module)
        if self._process:
            self._take_process()
        return Moment(self._held, " ".join(self._flags))

    def _take_module(self, path: str, module: torch.nn.Module) -> None:
        prefix, kind, own = path + "." if path else "", type(module), module.__dict__
        # What stands for another module, a compiled one or a scripted, has some of these elsewhere.
        for name, tensor in (own.get("_parameters") or module._parameters).items():
            self._slot(prefix + name, path, "parameter", tensor, True)
        if buffers := own.get("_buffers") or module._buffers:
            for name, buffer in buffers.items():
                self._slot(prefix + name, path, "buffer", buffer, name not in getattr(module, "_non_persistent_buffers_set", ()))
        if kind not in self._noted:
            self._note_class(kind)
        if kind.__module__ not in _OF_TORCH:
            self._flags.append(f"{prefix}class={kind.__qualname__}")
        if _is_hooked(own):
            self._take_hooks(prefix, path, own)
        plain = self._plain
        for name in self._own_names(tuple(own)):
            value = own[name]
            try:
                if type(value) not in plain:
                    self._attribute(prefix, path, name, value)
            except Exception as error:
                _tell(f"{prefix}extra:{name}", value, error)
        for name in self._slots[kind]:
            try:
                self._follow(getattr(module, name, None), f"{prefix}extra:{name}", path)
            except Exception as error:
                _tell(f"{prefix}extra:{name}", module, error)
        if own["training"] if "training" in own else getattr(module, "training", False):
            self._flags.append(f"{prefix}training=1")

    def _take_hooks(self, prefix: str, path: str, own: dict[str, Any]) -> None:
        for name in _HOOKS:
            if hooks := own.get(name):
                self._flags.append(f"{prefix}{name}={len(hooks)}")
                self._follow(list(hooks.values()), f"{prefix}extra:{name}", path)  # their keys count on and on, in the process

    def _attribute(self, prefix: str, path: str, name: str, value: Any) -> None:
        kind = type(value)
        if kind is tuple and self._plain.issuperset(map(type, value)):
            return
        at = f"{prefix}extra:{name}"
        if self._is_ignored(at):
            return
        if kind is bool:
            self._flags.append(f"{prefix}{name}={int(value)}")
        elif kind is float:
            self._held.append(_made((at, path, "extra_host", None, True, -1, "", "-", "", value)))
        else:
            if isinstance(value, CALLABLE):
                self._flags.append(f"{prefix}{name}={callable_text(value)}")
            self._follow(value, at, path)

    def _is_ignored(self, path: str) -> bool:
        return self._ignored is not None and self._ignored.fullmatch(path) is not None

    def _own_names(self, names: tuple[str, ...]) -> list[str]:
        own = self._own.get(names)
        if own is None:
            own = self._own[names] = [name for name in names if name not in OF_MODULES]
        return own

    def _slot(self, path: str, layer: str, kind: str, tensor: torch.Tensor | None, persistent: bool) -> None:
        if self._ignored is not None and self._is_ignored(path):
            return
        if tensor is None or type(tensor) in _NOT_YET_MADE:
            self._held.append(_made((path, layer, "empty_" + kind, None, persistent, -1, "", "-", "", 0.0)))
            return
        if (tensor.layout is not _STRIDED or tensor.is_nested) and (parts := parts_of(tensor)) is not None:
            self._held.append(_made((path, layer, "empty_" + kind, None, persistent, -1, "", "-", "", 0.0)))
            for name, part in parts:
                self._tensor(part, f"{path}.extra:{name}", layer, own=False)
            return
        own, number, of = tensor.__dict__, self._handles.number(tensor), type(tensor)
        if not own and of is _PARAMETER and not tensor._backward_hooks:
            self._held.append(_made((path, layer, kind, tensor, persistent, number, "Parameter", "-", "", 0.0)))
            return
        try:
            loader, attributes = loader_text(own.get("weight_loader")), attributes_text(tensor)
        except Exception as error:
            loader = attributes = "?"
            _tell(path, tensor, error)
        self._held.append(Held(path, layer, kind, tensor, persistent, number, of.__name__, loader, attributes))
        self._visited[id(tensor)] = tensor
        for value, name in on_tensor(tensor):
            self._follow(value, f"{path}.extra:{name[1:]}", layer)

    def _take_process(self) -> None:
        for name, value in self._caches.items():
            self._follow(value, f"process:{name}", "")
        self._found = True
        self._near = frozenset(self._globals)
        at = 0
        while len(self._classes) + len(self._globals) > at:  # what is found there may come from others
            at = len(self._classes) + len(self._globals)
            self._take_classes()
            self._take_globals()

    def _take_classes(self) -> None:
        for kind in [kind for kind in self._classes if self._classes[kind]]:
            self._classes[kind] = False
            for name, value in list(vars(kind).items()):
                at = f"process:{kind.__module__}.{kind.__qualname__}.{name}"
                try:
                    if isinstance(value, type) and value.__qualname__.startswith(kind.__qualname__ + "."):
                        self._note_class(value)
                    elif is_state(value) or keeps(value):
                        self._follow(value, at, "")
                except Exception as error:
                    _tell(at, value, error)

    def _take_globals(self) -> None:
        for module in [module for module in self._globals if module not in self._taken]:
            self._taken.add(module)
            for name, value in list(self._globals[module].items()):
                try:
                    self._take_global(module, name, value)
                except Exception as error:
                    _tell(f"process:{module}.{name}", value, error)

    def _take_global(self, module: str, name: str, value: Any) -> None:
        if name == "__builtins__" or name.startswith(COMPILERS):
            return
        if module in self._near and isinstance(value, (type, types.ModuleType, types.FunctionType)):
            self._note_import(value)
        if isinstance(value, type) and value.__module__ == module:
            self._note_class(value)
        elif is_state(value) or keeps(value):
            self._follow(value, f"process:{module}.{name}", "")

    def _note_class(self, kind: type) -> None:
        if kind in self._noted:
            return
        self._noted.add(kind)
        self._slots[kind] = list(slots_of(kind))
        for base in kind.__mro__:
            if base not in self._classes and not is_foreign(base.__module__):
                self._classes[base] = True
                if base.__module__ in sys.modules:
                    self._note_globals(base.__module__, vars(sys.modules[base.__module__]))

    def _follow(self, root: Any, path: str, layer: str) -> None:
        """Depth first, without recursion: helpers may hold long chains."""
        stack = [(root, path)]
        while stack:
            value, name = stack.pop()
            if self._is_ignored(name):
                continue
            try:
                stack.extend(reversed(self._look(value, name, layer)))
            except Exception as error:
                _tell(name, value, error)

    def _look(self, value: Any, name: str, layer: str) -> list[tuple[Any, str]]:
        """What it is, and what lies behind it."""
        kind = type(value)
        if issubclass(kind, self._numbers) and (issubclass(kind, float) or value >= ADDRESSES):
            self._number(value, name, layer)
        if issubclass(kind, (type, types.ModuleType)):
            self._meet(value)
        elif issubclass(kind, torch.Tensor):
            self._tensor(value, name, layer)
        elif issubclass(kind, (torch.UntypedStorage, torch.TypedStorage)):
            self._tensor(tensor_of(value), name, layer, own=False)
        return [(each, name + more) for each, more in self._inside(value)]

    def _number(self, value: float, name: str, layer: str) -> None:
        if not (self._found and isinstance(value, float)):
            self._held.append(Held(name, layer, "extra_host", host=value))

    def _meet(self, value: type | types.ModuleType) -> None:
        """What classes and modules hold is the process's."""
        if isinstance(value, types.ModuleType):
            self._note_globals(value.__name__, vars(value))
        elif not is_foreign(value.__module__):
            self._note_class(value)

    def _note_import(self, value: type | types.ModuleType | types.FunctionType) -> None:
        """What a module imports may keep what it works with; what that imports is other people's."""
        if isinstance(value, types.ModuleType):
            self._note_globals(value.__name__, vars(value))
        elif value.__module__ in sys.modules:
            self._note_globals(value.__module__, vars(sys.modules[value.__module__]))

    def _note_globals(self, module: str | None, there: dict[str, Any]) -> None:
        if module is not None and not is_foreign(module):
            self._globals.setdefault(module, there)

    def _tensor(self, tensor: torch.Tensor, path: str, layer: str, own: bool = True) -> None:
        """`own`: the model has this very object, and not one that was made for whoever asks."""
        if type(tensor) in _NOT_YET_MADE or is_only_traced(type(tensor)):
            return
        inner = getattr(type(tensor), "__tensor_flatten__", None)
        if tensor.is_mkldnn:  # nobody sees where it lies
            self._held.append(Held(path, layer, "extra_host", host=number_of(tensor.to_dense())))
        elif inner is not None:  # a class of tensors that holds others
            for name in inner(tensor)[0]:
                self._tensor(getattr(tensor, name), f"{path}.{name}", layer)
        elif (parts := parts_of(tensor)) is not None:
            for name, part in parts:
                self._tensor(part, f"{path}.{name}", layer, own=False)
        else:
            number = self._handles.number(tensor) if own else -1
            self._held.append(Held(path, layer, "extra_tensor", tensor, handle=number, tensor_class=type(tensor).__name__))

    def _inside(self, value: Any) -> Parts:
        """Once for each object."""
        kind = type(value)
        if kind not in self._rules:
            self._rules[kind] = rule_of(kind)
        rule = self._rules[kind]
        if rule is None or id(value) in self._visited:
            return iter(())
        self._visited[id(value)] = value
        if isinstance(value, types.FunctionType):
            self._note_globals(value.__module__, value.__globals__)
        elif not is_foreign(kind.__module__):
            self._note_class(kind)
        if issubclass(kind, (set, frozenset)):
            return itertools.chain(self._of_set(value), beside(value))
        return of_dict(value, self._names()) if issubclass(kind, dict) else rule(value)

    def _of_set(self, values: Iterable[Any]) -> Parts:
        """Two models that are alike have to be walked alike: what nothing tells apart is told by numbers."""
        found, numbers = in_order(values, self._names())
        yield from ((each, f"[{index}]") for index, each in enumerate(found))
        yield from ((number, f".alike[{index}]") for index, number in enumerate(numbers))

    def _names(self) -> Mapping[int, str]:
        if self._paths is None:
            named = (*self._model.named_parameters(), *self._model.named_buffers(), *self._model.named_modules())
            self._paths = {id(each): path for path, each in named}
        return self._paths


def _modules(root: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Module]]:
    """All names of all modules, one that has several with each of them, and none below itself."""
    stack: list[tuple[str, torch.nn.Module, tuple[int, ...]]] = [("", root, ())]
    while stack:
        path, module, above = stack.pop()
        yield path, module
        if not module._modules:
            continue
        inner = (*above, id(module))
        for name, child in reversed(list(module._modules.items())):
            if child is not None and id(child) not in inner:
                stack.append((f"{path}.{name}" if path else name, child, inner))


def _is_hooked(own: dict[str, Any]) -> bool:
    try:
        return any(_hooks_of(own))
    except KeyError:  # made without torch's __init__
        return True


def _pattern(names: Iterable[str]) -> re.Pattern[str] | None:
    """Of these names and all below them; a star is any one part of a name, or all between brackets."""
    each = [re.escape(name).replace(r"\[\*\]", r"\[[^\]]*\]").replace(r"\*", r"[^.\[]*") for name in names]
    return re.compile(f"(?:{'|'.join(each)})(?:[.:\\[].*)?", re.DOTALL) if each else None


def _tell(name: str, thing: Any, error: Exception) -> None:
    said = type(error).__name__
    with contextlib.suppress(Exception):
        said = f"{said}: {error}"
    warnings.warn(f"reloadlab cannot look into {name}, a {type(thing).__qualname__}: {said}", stacklevel=2)


def walk(model: torch.nn.Module, handles: Handles | None = None, caches: Mapping[str, Any] | Iterable[Any] | None = None,
         process: bool = True, addresses: bool = False, ignore: Iterable[str] = ()) -> Moment:
    """What `model` holds now. `caches`: more objects of the process to walk through, by name. `process`: also those that are found.
    `addresses`: integers as well that may be some. `ignore`: names to leave out, with all below them."""
    if caches is not None and not isinstance(caches, Mapping):
        caches = {f"cache {index}": each for index, each in enumerate(caches)}
    return Walk(model, handles or Handles(), caches, process, addresses, ignore).take()
