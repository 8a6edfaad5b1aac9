"""What an object holds: a rule for each kind of object that names what it has, and for those that are not made in Python what Python's own
collector says that they refer to."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import gc
import hashlib
import types
import weakref
from collections import defaultdict, deque
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any

import torch

from .told import COMPILERS, PROXIES

Parts = Iterator[tuple[Any, str]]
Rule = Callable[[Any], Parts]

ADDRESSES = 1 << 24  # numbers that may be some
# Nothing that a model would keep lies behind these; a class of them may have attributes.
CLOSED = (types.ModuleType, types.FrameType, types.TracebackType, types.CodeType, weakref.ref, bytes, bytearray, str, int, float, complex,
          bool, type, torch.dtype, torch.device, torch.Size, torch.layout, range, slice, type(None), type(...), type(NotImplemented))
OF_MODULES = frozenset(torch.nn.Module().__dict__)  # what every module has
# Compilers keep graphs of tensors that only say what sizes they have; what their code reads are the model's own.
_OF_COMPILERS = tuple(f"torch.{name}" for name in ("_dynamo", "_inductor", "_functorch", "_subclasses", "_guards", "fx.graph", "fx.node",
                                                   "fx.experimental", "utils._sympy"))
_BARE = frozenset((dict, list, tuple, set, frozenset, deque, types.MappingProxyType))  # without attributes of their own
_IMMUTABLE, _HEAP = 1 << 8, 1 << 9  # of a class's flags: Python's own are of the heap, and may be changed


def rule_of(kind: type) -> Rule | None:
    """None: it holds nothing."""
    if kind in PROXIES or kind in CLOSED:
        return None
    for kinds, rule in _RULES:
        if issubclass(kind, kinds):
            return rule
    if kind.__module__.startswith(_OF_COMPILERS):
        return None
    if issubclass(kind, CLOSED):
        return _attributes
    return _native if any(map(_is_native, kind.__mro__)) else _attributes


def slots_of(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__"):
                yield f"_{base.__name__.lstrip('_')}{name}" if name.startswith("__") and not name.endswith("__") else name


def _is_native(kind: type) -> bool:
    return kind is not object and bool(kind.__flags__ & _IMMUTABLE or not kind.__flags__ & _HEAP)


def _attributes(value: Any) -> Parts:
    for name, each in list(getattr(value, "__dict__", {}).items()):
        yield each, f".{name}"
    for name in slots_of(type(value)):
        each = getattr(value, name, None)
        if each is not None:
            yield each, f".{name}"


def _native(value: Any, known: tuple[Any, ...] = ()) -> Parts:
    """`known`: what the collector sees too, and has a name."""
    own = list(_attributes(value))
    yield from own
    seen = {id(each) for each, _ in own} | {id(each) for each in known} | {id(getattr(value, "__dict__", None))}
    for index, each in enumerate(gc.get_referents(value)):
        if id(each) not in seen:
            yield each, f".of[{index}]"


def beside(value: Any) -> Parts:
    """Of a class of containers what its objects have besides."""
    if type(value) not in _BARE:
        yield from _attributes(value)


def _dict(value: Any) -> Parts:
    yield from of_dict(value, {})


def of_dict(value: Any, names: Mapping[int, str]) -> Parts:
    """`names`: of objects that are keys."""
    items = dict.items(value) if isinstance(value, dict) else value.items()  # a class may answer otherwise
    for index, (key, each) in enumerate(list(items)):
        yield each, f"[{_name_of(key, names) or _key_text(key, index)}]"
        if type(key) is not str:
            yield key, f".keys[{index}]"
    if isinstance(value, defaultdict):
        yield value.default_factory, ".default_factory"
    yield from beside(value)


def _name_of(key: Any, names: Mapping[int, str]) -> str | None:
    there = key() if isinstance(key, weakref.ref) else key  # of a table with weak keys
    return f"<{names[id(there)]}>" if id(there) in names else None


def _key_text(key: Any, index: int) -> str:
    """An id() is no name: it is another one in each model."""
    return repr(key) if isinstance(key, str) or isinstance(key, int) and abs(key) < ADDRESSES else f"#{index}"


def _sequence(value: Any) -> Parts:
    own = next((kind for kind in (list, tuple, deque) if isinstance(value, kind)), None)
    yield from ((each, f"[{index}]") for index, each in enumerate(list(own.__iter__(value) if own else value)))
    yield from beside(value)


def _partial(value: Any) -> Parts:
    yield from ((getattr(value, name), f".{name}") for name in ("func", "args", "keywords"))
    yield from _attributes(value)


def _property(value: Any) -> Parts:
    yield from ((each, f".{name}") for name, each in (("get", value.fget), ("set", value.fset)))


def _cell(value: Any) -> Parts:
    with contextlib.suppress(ValueError):  # not yet filled
        yield value.cell_contents, ".contents"


def _method(value: Any) -> Parts:
    yield value.__self__, ".self"
    yield value.__func__, ""


def _function(value: Any) -> Parts:
    mine = value.__module__ is None or not value.__module__.startswith(_OF_COMPILERS)
    for name, cell in zip(value.__code__.co_freevars, mine and value.__closure__ or ()):
        with contextlib.suppress(ValueError):  # not yet filled
            yield cell.cell_contents, f".closure:{name}"
    yield value.__defaults__, ".defaults"
    yield value.__kwdefaults__, ".kwdefaults"
    yield from ((each, f".{name}") for name, each in vars(value).items())


def _cached(value: Any) -> Parts:
    for index, each in enumerate(gc.get_referents(value)):
        if each is not value.__wrapped__ and each is not value.__dict__:
            yield each, f".cache[{index}]"
    yield value.__wrapped__, ".function"
    yield from ((each, f".{name}") for name, each in vars(value).items() if name != "__wrapped__")


def _suspended(frame: str, inner: str) -> Rule:
    """Generators and coroutines, by what their kind calls its frame and what it waits for."""

    def rule(value: Any) -> Parts:
        at = getattr(value, frame)
        yield from ((each, f".{name}") for name, each in (at.f_locals if at else {}).items())
        yield getattr(value, inner), ".from"

    return rule


def _variable(value: Any) -> Parts:
    now = value.get(None)
    yield now, ".value"
    yield from _native(value, (now,))


def _context(value: Any) -> Parts:
    for variable, each in sorted(value.items(), key=lambda item: str(item[0].name)):
        yield each, f"[{variable.name}]"


def _error(value: Any) -> Parts:
    known = (value.args, value.__cause__, value.__context__)
    yield from zip(known, (".args", ".cause", ".context"))
    yield from _native(value, known)


def _finalizer(value: Any) -> Parts:
    yield value.peek(), ""


def _tensor(value: Any) -> Parts:
    """What stands on it; tensors that it consists of are no attributes."""
    inner = getattr(type(value), "__tensor_flatten__", None)
    of_it = inner(value)[0] if inner is not None else ()
    yield from ((each, name) for each, name in on_tensor(value) if name[1:] not in of_it)


def on_tensor(value: torch.Tensor) -> Parts:
    yield from ((each, f".{name}") for name, each in list(vars(value).items()) if not name.startswith(COMPILERS))
    if type(value) not in (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer):
        yield from ((each, f".{name}") for name in slots_of(type(value)) if (each := getattr(value, name, None)) is not None)
    if value._backward_hooks:
        yield list(value._backward_hooks.values()), "._backward_hooks"  # their keys count on and on, in the process


def tensor_of(storage: torch.UntypedStorage | torch.TypedStorage) -> torch.Tensor:
    bytes_of = storage if isinstance(storage, torch.UntypedStorage) else storage._untyped_storage
    return torch.empty(0, dtype=torch.uint8, device=bytes_of.device).set_(bytes_of)


def is_only_traced(kind: type) -> bool:
    """Of a compiler: a tensor that has a size and nothing else."""
    return kind.__module__.startswith("torch._subclasses")


def _module(value: Any) -> Parts:
    for slots in (value._parameters, value._buffers, value._modules):
        yield from ((each, f".{name}") for name, each in list(slots.items()))
    for name, hooks in vars(value).items():
        if name in OF_MODULES and name.endswith("_hooks") and hooks:
            yield list(hooks.values()), f".{name}"
    yield from ((each, name) for each, name in _attributes(value) if name[1:] not in OF_MODULES)


_RULES: tuple[tuple[tuple[type, ...], Rule], ...] = (
    ((torch.Tensor,), _tensor),
    ((dict, types.MappingProxyType), _dict),
    ((list, tuple, set, frozenset, deque, KeysView, ValuesView, ItemsView), _sequence),
    ((functools.partial,), _partial),
    ((property,), _property),
    ((staticmethod, classmethod), lambda value: iter([(value.__func__, "")])),
    ((types.CellType,), _cell),
    ((types.MethodType,), _method),
    ((types.FunctionType,), _function),
    ((types.BuiltinMethodType,), lambda value: iter([(value.__self__, ".self")])),
    ((functools._lru_cache_wrapper,), _cached),
    ((types.GeneratorType,), _suspended("gi_frame", "gi_yieldfrom")),
    ((types.CoroutineType,), _suspended("cr_frame", "cr_await")),
    ((types.AsyncGeneratorType,), _suspended("ag_frame", "ag_await")),
    ((contextvars.ContextVar,), _variable),
    ((contextvars.Context,), _context),
    ((BaseException,), _error),
    ((weakref.finalize,), _finalizer),
    ((torch.nn.Module,), _module),
)

_DEEPEST, _MOST, _BYTES = 4, 256, 64  # of what is told of a thing without a name: levels, parts, bytes of a tensor
Names = Mapping[int, str]


def in_order(values: Iterable[Any], names: Names) -> tuple[list[Any], list[float]]:
    """What comes in no order of its own, by `names` of objects or by what it is made of. Of things that are all alike in that nobody knows
    which is which: numbers that tell all they hold, smallest first."""
    alike: dict[tuple[str, str], list[Any]] = {}
    for each in values:
        alike.setdefault((type(each).__name__, _text(each, names, False, _DEEPEST, [_MOST])), []).append(each)
    told = [group[0] for _, group in sorted(alike.items()) if len(group) == 1]
    others = (each for group in alike.values() if len(group) > 1 for each in group)
    return told, sorted(_number(_text(each, names, True, _DEEPEST, [_MOST])) for each in others)


def number_of(thing: Any) -> float:
    return _number(_text(thing, {}, True, _DEEPEST, [_MOST]))


def _number(text: str) -> float:
    return float(int.from_bytes(hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=6).digest()))


def _text(value: Any, names: Names, whole: bool, depth: int, left: list[int]) -> str:
    """`whole`: with what tensors hold. `left`: how many parts more."""
    kind = type(value)
    if id(value) in names:
        return names[id(value)]
    if issubclass(kind, torch.Tensor):
        return f"{value.dtype} {tuple(value.shape)} {_content(value) if whole else ''}"
    if issubclass(kind, (str, bytes, complex)) or issubclass(kind, int) and abs(value) < ADDRESSES:
        return repr(value)
    if issubclass(kind, float):
        return repr(value) if whole else kind.__name__
    rule = rule_of(kind)
    if rule is None or depth == 0:
        return kind.__name__
    texts = []
    for each, name in rule(value):
        if left[0] == 0:
            break
        left[0] -= 1
        texts.append(("" if issubclass(kind, (set, frozenset)) else name) + _text(each, names, whole, depth - 1, left))
    return f"{getattr(value, '__qualname__', kind.__name__)}({' '.join(sorted(texts))})"


def _content(tensor: torch.Tensor) -> str:
    with contextlib.suppress(RuntimeError, NotImplementedError, TypeError, ValueError):  # one without memory
        values = tensor.detach().reshape(-1).contiguous().view(torch.uint8)
        return f"{int(values.sum())} {values[:_BYTES].tolist()}"
    return ""
