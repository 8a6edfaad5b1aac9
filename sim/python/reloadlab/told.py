"""How a walk tells loaders, callables and attributes, in texts that are equal where nothing has changed, and what tensors consist of."""

from __future__ import annotations

import contextlib
import functools
import types
import weakref
from collections.abc import Iterator
from typing import Any

import torch

CALLABLE = (types.FunctionType, types.MethodType, functools.partial)
PROXIES = (weakref.ProxyType, weakref.CallableProxyType)  # isinstance() asks what they stand for, which may be gone
COMPILERS = ("_dynamo_", "__compiled_fn_", "__resume_at_", "__import_")  # names of what torch.compile leaves: it traces anew where weights moved
_DEEPEST = 64  # wrappers around wrappers


def loader_text(loader: Any) -> str:
    """How a loader is called, whether it is bound, and what it wraps: "online_process_loader(wraps weight_loader(bound))"."""
    if loader is None:
        return "-"
    names = [_name_of(each) + ("(bound)" if type(each) is types.MethodType and getattr(each, "__wrapped__", None) is None else "")
             for each in _chain(loader)]
    return "(wraps ".join(names) + ")" * (len(names) - 1)


def _chain(value: Any) -> Iterator[Any]:
    """A callable and what it wraps, and what that does; where one does not say, the first callable that it has closed over."""
    for _ in range(_DEEPEST):
        if value is None:
            return
        yield value
        if type(value) in PROXIES:
            return
        value = value.func if isinstance(value, functools.partial) else _wrapped_in(value)


def _name_of(thing: Any) -> str:
    if type(thing) in PROXIES:
        return f"<{type(thing).__name__}>"
    name = getattr(thing, "__name__", None)
    return name if isinstance(name, str) else type(thing).__name__  # proxies answer to any name


def callable_text(value: Any) -> str:
    """Of wrappers with what they wrap, "wrapper(forward)"."""
    names = [_name_of(each) for each in _chain(value) if type(each) not in PROXIES]
    return "(".join(names) + ")" * (len(names) - 1)


def _wrapped_in(value: Any) -> Any:
    wrapped = getattr(value, "__wrapped__", None)
    return _closed_over(value) if wrapped is None else wrapped


def _closed_over(function: Any) -> Any:
    for cell in getattr(function, "__closure__", None) or ():
        with contextlib.suppress(ValueError):  # not yet filled
            if type(cell.cell_contents) not in PROXIES and isinstance(cell.cell_contents, CALLABLE):
                return cell.cell_contents
    return None


def _value_text(value: Any) -> str:
    if type(value) in PROXIES:
        return f"<{type(value).__name__}>"
    if isinstance(value, (bool, int, float, str, type(None))):
        return repr(value)
    if isinstance(value, (list, tuple)) and all(type(each) not in PROXIES and isinstance(each, (bool, int, float, str)) for each in value):
        return repr(value)
    return f"<{type(value).__name__}>"


def attributes_text(tensor: torch.Tensor) -> str:
    own = {name: value for name, value in vars(tensor).items() if name != "weight_loader" and not name.startswith(COMPILERS)}
    return " ".join(f"{name}={_value_text(own[name])}" for name in sorted(own))


def parts_of(tensor: torch.Tensor) -> list[tuple[str, torch.Tensor]] | None:
    """Of a tensor without memory of its own those that it consists of; None of any other."""
    if tensor.is_nested:
        return [("values", tensor.values())]
    if tensor.layout is torch.strided:
        return None
    if tensor.is_mkldnn:
        return []
    if tensor.layout is torch.sparse_coo:
        return [("indices", tensor._indices()), ("values", tensor._values())]
    by_rows = tensor.layout in (torch.sparse_csr, torch.sparse_bsr)
    names = ("crow_indices", "col_indices", "values") if by_rows else ("ccol_indices", "row_indices", "values")
    return [(name, getattr(tensor, name)()) for name in names]
