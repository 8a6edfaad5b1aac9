"""What a live model holds at a moment: every name, and everything that is reachable from it.

A model is more than its parameters. Engines keep kernel helpers, closures with scales in them, lazily made scratch and tables of the process
beside it, and a reload has to think of all of these. The walk follows attributes, slots, containers, closures, partials, bound methods,
iterators, generators, caches of functions, and the globals of the modules that the classes it meets were defined in.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import functools
import gc
import operator
import sys
import types
import weakref
from collections import defaultdict, deque
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, NamedTuple

import torch

from .told import CALLABLE, PROXIES, attributes_text, callable_text, loader_text, parts_of, sort_text

# What every module has, and what is walked in other ways.
_OF_MODULES = frozenset(torch.nn.Module().__dict__)
_HOOKS = tuple(name for name in torch.nn.Module().__dict__ if name.endswith("_hooks"))
_hooks_of = operator.itemgetter(*_HOOKS)
_OF_TORCH = frozenset(("torch.nn.modules.linear", "torch.nn.modules.normalization", "torch.nn.modules.container"))  # most of a model
# Nobody's state: a walk that entered these would see the whole process.
_FOREIGN = ("torch", "numpy", "builtins", "reloadlab", "_pytest", "pytest", *sys.stdlib_module_names)
_CLOSED = (types.ModuleType, types.FrameType, types.TracebackType, types.CodeType, weakref.ref, bytes, bytearray, str,
           int, complex, bool, torch.dtype, torch.device, torch.Size, torch.layout, range, slice)
_NOT_YET_MADE = (torch.nn.UninitializedParameter, torch.nn.UninitializedBuffer)  # these very classes: isinstance() asks torch's, in Python
_STRIDED = torch.strided
_ADDRESSES = 1 << 24  # numbers that may be some
_PLAIN = frozenset((int, complex, str, bytes, type(None), torch.dtype, torch.device, torch.Size, *PROXIES))  # not followed, by their very class
_CONTAINERS = (dict, list, set, frozenset, deque, torch.Tensor)
_KEPT = (*_CONTAINERS, weakref.WeakKeyDictionary, weakref.WeakValueDictionary, functools._lru_cache_wrapper)
_BARE = frozenset((dict, list, tuple, set, frozenset, deque, types.MappingProxyType, functools.partial))  # without attributes of their own


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
                 addresses: bool = False) -> None:
        self._model = model
        self._handles = handles
        self._caches = caches or {}
        self._process = process
        self._found = False  # at what was found in the process, whose floats are times and counts for all that is known
        self._numbers = (float, int) if addresses else (float,)
        self._held: list[Held] = []
        self._flags: list[str] = []
        self._visited: dict[int, Any] = {}  # and so kept: an id means something only as long as its object lives
        self._noted: set[type] = set()
        self._classes: dict[type, None] = {}
        self._globals: dict[str, None] = {}
        self._paths: dict[int, str] | None = None  # of the model's own, where a set asks
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
        prefix = path + "." if path else ""
        for name, tensor in module._parameters.items():
            self._slot(prefix + name, path, "parameter", tensor, True)
        for name, buffer in module._buffers.items():
            self._slot(prefix + name, path, "buffer", buffer, name not in module._non_persistent_buffers_set)
        self._note_class(type(module))
        own = module.__dict__
        if type(module).__module__ not in _OF_TORCH:
            self._flags.append(f"{prefix}class={type(module).__qualname__}")
        if _is_hooked(own):
            for name in _HOOKS:
                hooks = own.get(name)
                if hooks:
                    self._flags.append(f"{prefix}{name}={len(hooks)}")
                if hooks:  # their keys count on and on, in the process
                    self._follow(list(hooks.values()), f"{prefix}extra:{name}", path)
        for name in self._own_names(tuple(own)):
            value = own[name]
            kind = type(value)
            if kind in _PLAIN and kind not in self._numbers or kind is tuple and _PLAIN.issuperset(map(type, value)):
                continue
            if kind is bool:
                self._flags.append(f"{prefix}{name}={int(value)}")
                continue
            if kind is float:
                self._held.append(_made((f"{prefix}extra:{name}", path, "extra_host", None, True, -1, "", "-", "", value)))
                continue
            if isinstance(value, CALLABLE):
                self._flags.append(f"{prefix}{name}={callable_text(value)}")
            self._follow(value, f"{prefix}extra:{name}", path)
        if module.training:
            self._flags.append(f"{prefix}training=1")

    def _own_names(self, names: tuple[str, ...]) -> list[str]:
        own = self._own.get(names)
        if own is None:
            own = self._own[names] = [name for name in names if name not in _OF_MODULES]
        return own

    def _slot(self, path: str, layer: str, kind: str, tensor: torch.Tensor | None, persistent: bool) -> None:
        if tensor is None or type(tensor) in _NOT_YET_MADE:
            self._held.append(_made((path, layer, "empty_" + kind, None, persistent, -1, "", "-", "", 0.0)))
            return
        if (tensor.layout is not _STRIDED or tensor.is_nested) and (parts := parts_of(tensor)) is not None:
            self._held.append(_made((path, layer, "empty_" + kind, None, persistent, -1, "", "-", "", 0.0)))
            for name, part in parts:
                self._tensor(part, f"{path}.extra:{name}", layer, own=False)
            return
        own, number, tensor_class = tensor.__dict__, self._handles.number(tensor), type(tensor).__name__
        if not own:
            self._held.append(_made((path, layer, kind, tensor, persistent, number, tensor_class, "-", "", 0.0)))
            return
        loader, attributes = loader_text(own.get("weight_loader")), attributes_text(tensor)
        self._held.append(Held(path, layer, kind, tensor, persistent, number, tensor_class, loader, attributes))
        for name, value in own.items():
            self._follow(value, f"{path}.extra:{name}", layer)

    def _take_process(self) -> None:
        for name, value in self._caches.items():
            self._follow(value, f"process:{name}", "")
        self._found = True
        for kind in list(self._classes):
            for name, value in list(vars(kind).items()):
                if _is_state(value) or _closes_over(value):
                    self._follow(value, f"process:{kind.__module__}.{kind.__qualname__}.{name}", "")
        for module in list(self._globals):
            for name, value in list(vars(sys.modules[module]).items()) if module in sys.modules else ():
                if _is_state(value) and name != "__builtins__":
                    self._follow(value, f"process:{module}.{name}", "")

    def _note_class(self, kind: type) -> None:
        if kind in self._noted:
            return
        self._noted.add(kind)
        for base in kind.__mro__:
            if base not in self._classes and not _is_foreign(base.__module__):
                self._classes[base] = None
                self._globals[base.__module__] = None

    def _follow(self, root: Any, path: str, layer: str) -> None:
        """Depth first, without recursion: helpers may hold long chains."""
        stack = [(root, path)]
        while stack:
            value, name = stack.pop()
            if type(value) in PROXIES:
                continue
            if isinstance(value, self._numbers) and (isinstance(value, float) or value >= _ADDRESSES):
                if not (self._found and isinstance(value, float)):
                    self._held.append(Held(name, layer, "extra_host", host=value))
                continue
            if isinstance(value, type) and not _is_foreign(value.__module__):
                self._note_class(value)  # what it holds is the process's
            if value is None or isinstance(value, (*_CLOSED, type)) or id(value) in self._visited:
                continue
            if isinstance(value, torch.Tensor):
                self._tensor(value, name, layer)
                continue
            self._visited[id(value)] = value
            stack.extend(reversed(list(self._inside(value, name))))

    def _tensor(self, tensor: torch.Tensor, path: str, layer: str, own: bool = True) -> None:
        """`own`: the model has this very object, and not one that was made for whoever asks."""
        if type(tensor) in _NOT_YET_MADE:
            return
        inner = getattr(type(tensor), "__tensor_flatten__", None)
        if inner is not None:  # a class of tensors that holds others
            for name in inner(tensor)[0]:
                self._tensor(getattr(tensor, name), f"{path}.{name}", layer)
        elif (parts := parts_of(tensor)) is not None:
            for name, part in parts:
                self._tensor(part, f"{path}.{name}", layer, own=False)
        else:
            number = self._handles.number(tensor) if own else -1
            self._held.append(Held(path, layer, "extra_tensor", tensor, handle=number, tensor_class=type(tensor).__name__))

    def _inside(self, value: Any, path: str) -> Iterator[tuple[Any, str]]:
        if isinstance(value, (dict, types.MappingProxyType)):
            for index, (key, each) in enumerate(list(value.items())):
                yield each, f"{path}[{_key_text(key, index)}]"
                if type(key) not in PROXIES and not isinstance(key, (*_CLOSED, float)):
                    yield key, f"{path}.keys[{index}]"
            yield from self._beside(value, path)
        elif isinstance(value, (list, tuple, set, frozenset, deque, KeysView, ValuesView, ItemsView)):
            for index, each in enumerate(self._in_order(value)):
                yield each, f"{path}[{index}]"
            yield from self._beside(value, path)
        elif isinstance(value, functools.partial):
            yield value.func, f"{path}.func"
            yield value.args, f"{path}.args"
            yield value.keywords, f"{path}.keywords"
            yield from self._beside(value, path)
        elif isinstance(value, property):
            yield from ((each, f"{path}.{name}") for name, each in (("get", value.fget), ("set", value.fset)))
        elif isinstance(value, (staticmethod, classmethod)):
            yield value.__func__, path
        elif isinstance(value, types.CellType):
            with contextlib.suppress(ValueError):  # not yet filled
                yield value.cell_contents, f"{path}.contents"
        elif isinstance(value, types.MethodType):
            yield value.__self__, f"{path}.self"
            yield value.__func__, path
        elif isinstance(value, types.BuiltinMethodType):
            yield value.__self__, f"{path}.self"
        elif isinstance(value, types.FunctionType):
            yield from self._inside_function(value, path)
        elif isinstance(value, functools._lru_cache_wrapper):
            for index, each in enumerate(gc.get_referents(value)):
                if each is not value.__wrapped__:
                    yield each, f"{path}.cache[{index}]"
            yield value.__wrapped__, f"{path}.function"
        elif type(value).__name__ == "_lru_list_elem":
            for index, each in enumerate(gc.get_referents(value)):
                yield each, f"{path}[{index}]"
        elif isinstance(value, types.GeneratorType):
            yield from ((each, f"{path}.{name}") for name, each in (value.gi_frame.f_locals if value.gi_frame else {}).items())
            yield value.gi_yieldfrom, f"{path}.from"
        elif isinstance(value, types.CoroutineType):
            yield from ((each, f"{path}.{name}") for name, each in (value.cr_frame.f_locals if value.cr_frame else {}).items())
            yield value.cr_await, f"{path}.await"
        elif isinstance(value, contextvars.ContextVar):
            yield value.get(None), f"{path}.value"
        elif isinstance(value, BaseException):
            yield value.args, f"{path}.args"
            yield from self._inside_object(value, path)
        elif type(value).__module__ == "operator":  # what calls a method, or asks for an item
            for index, each in enumerate(gc.get_referents(value)):
                yield each, f"{path}.of[{index}]"
        elif isinstance(value, Iterator) and type(value).__module__ in ("builtins", "itertools"):
            for index, each in enumerate(gc.get_referents(value)):
                yield each, f"{path}.of[{index}]"
        elif isinstance(value, torch.nn.Module):
            yield from ((each, f"{path}.{name}") for name, each in value._parameters.items())
            yield from ((each, f"{path}.{name}") for name, each in value._buffers.items())
            yield from ((each, f"{path}.{name}") for name, each in value._modules.items())
            yield from self._inside_object(value, path)
        else:
            yield from self._inside_object(value, path)

    def _beside(self, value: Any, path: str) -> Iterator[tuple[Any, str]]:
        """Of a class of containers what its objects have besides."""
        if type(value) in _BARE:
            return
        if isinstance(value, defaultdict):
            yield value.default_factory, f"{path}.default_factory"
        yield from self._inside_object(value, path)

    def _in_order(self, values: Iterable[Any]) -> list[Any]:
        """A set goes by names: two models that are alike have to be walked alike."""
        found = list(values)
        if isinstance(values, (set, frozenset)) and len(found) > 1:
            if self._paths is None:
                named = (*self._model.named_parameters(), *self._model.named_buffers(), *self._model.named_modules())
                self._paths = {id(each): path for path, each in named}
            paths = self._paths
            found.sort(key=lambda each: (type(each).__name__, paths.get(id(each), ""), sort_text(each)))
        return found

    def _inside_function(self, function: types.FunctionType, path: str) -> Iterator[tuple[Any, str]]:
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            try:
                yield cell.cell_contents, f"{path}.closure:{name}"
            except ValueError:  # not yet filled
                continue
        yield function.__defaults__, f"{path}.defaults"
        yield function.__kwdefaults__, f"{path}.kwdefaults"
        for name, each in vars(function).items():
            yield each, f"{path}.{name}"
        if not _is_foreign(function.__module__):
            self._globals[function.__module__] = None

    def _inside_object(self, value: Any, path: str) -> Iterator[tuple[Any, str]]:
        if not _is_foreign(type(value).__module__):
            self._note_class(type(value))
        for name, each in list(getattr(value, "__dict__", {}).items()):
            if not (isinstance(value, torch.nn.Module) and name in _OF_MODULES):
                yield each, f"{path}.{name}"
        for name in _slots(type(value)):
            each = getattr(value, name, None)
            if each is not None:
                yield each, f"{path}.{name}"


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


def _slots(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__"):
                yield f"_{base.__name__.lstrip('_')}{name}" if name.startswith("__") and not name.endswith("__") else name


def _key_text(key: Any, index: int) -> str:
    """An id() is no name: it is another one in each model."""
    return repr(key) if isinstance(key, str) or isinstance(key, int) and abs(key) < _ADDRESSES else f"#{index}"


def _is_state(value: Any) -> bool:
    """Of what classes and modules of the process hold: containers, caches, and objects of classes of the model's authors."""
    kind = type(value)
    if kind in PROXIES or issubclass(kind, (type, torch.nn.Module)):
        return False
    return issubclass(kind, _KEPT) or not _is_foreign(kind.__module__)


def _closes_over(value: Any) -> bool:
    kind = type(value)
    return kind is property or kind is types.FunctionType and value.__closure__ is not None


def _is_foreign(module: str | None) -> bool:
    return module is None or module.partition(".")[0] in _FOREIGN


def walk(model: torch.nn.Module, handles: Handles | None = None, caches: Mapping[str, Any] | Iterable[Any] | None = None,
         process: bool = True, addresses: bool = False) -> Moment:
    """What `model` holds now. `caches`: more objects of the process to walk through, by name. `process`: also those that are found.
    `addresses`: integers as well that may be some."""
    if caches is not None and not isinstance(caches, Mapping):
        caches = {f"cache {index}": each for index, each in enumerate(caches)}
    return Walk(model, handles or Handles(), caches, process, addresses).take()
