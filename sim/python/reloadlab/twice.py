"""Runs a layer's post-load step twice, as a reload does, and reports every address that moved."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from .walk import Handles, Held, walk


@dataclasses.dataclass(frozen=True)
class Moved:
    """A tensor that a layer, or something that it holds, had somewhere, and after the second run has elsewhere, or not at all."""

    path: str
    tensor_class: str
    was: str
    now: str

    def __str__(self) -> str:
        return f"{self.path} ({self.tensor_class}): {self.was}, now {self.now}"


@dataclasses.dataclass(frozen=True)
class Twice:
    """What `process_twice` saw. Whoever captured an address in `moved` reads freed memory after a reload."""

    layer: str
    moved: tuple[Moved, ...]
    held: int

    @property
    def ok(self) -> bool:
        return not self.moved

    def __str__(self) -> str:
        if self.ok:
            return f"{self.layer}: all {self.held} tensors lie where they lay"
        lines = "\n".join(f"  {each}" for each in self.moved)
        return f"{self.layer}: {len(self.moved)} of {self.held} tensors moved when its weights were processed again\n{lines}"


def process_twice(layer_factory: Callable[[], torch.nn.Module], step: Callable[[torch.nn.Module], Any] | None = None,
                  caches: Mapping[str, Any] | None = None) -> Twice:
    """Makes a layer, processes its weights, and does both again as a reload would: weights as they were loaded go in, are processed once
    more, and what comes out is copied back to where the first run had left it. Addresses that are kept as numbers are looked at too, in
    attributes, keys and tables of int64 or uint64, where they lie within something that the layer or a helper holds after the first run. A step
    that works on a weight in place and keeps its address keeps that of a weight which goes when the second run's is copied back: moved.

    layer_factory: a layer with weights as a checkpoint has them, not yet processed.
    step: what is done to it once they are there. Without it `layer.quant_method.process_weights_after_loading(layer)`, or the layer's own
        `process_weights_after_loading()`.
    caches: objects beside the layer that may hold addresses too, by name; globals and class attributes of the modules that it comes from
        are looked at anyhow.

    ValueError: the layer has no such step. RuntimeError: the second run leaves other names or shapes than the first, so that nothing can be
    copied back.
    """
    layer = layer_factory()
    run = step or _own_step(layer)
    loaded = _copy(layer)
    with torch.no_grad():
        run(layer)
        first, kernel = walk(layer, Handles(), caches, addresses=True).held, _slots(layer)
        pointers = _pointers(first)
        _place(layer, loaded)
        run(layer)
        _copy_back(layer, kernel)
    second = {each.path: each for each in walk(layer, Handles(), caches, addresses=True).held}
    had = [each for each in first if each.tensor is not None and _has_memory(each.tensor)]
    return Twice(type(layer).__name__, (*_moved(had, second), *_led_astray(pointers, second)), len(had))


_LONGEST_TABLE = 1 << 16
_Step = Callable[[torch.nn.Module], Any]


def _own_step(layer: torch.nn.Module) -> _Step:
    method: _Step | None = getattr(getattr(layer, "quant_method", None), "process_weights_after_loading", None)
    if method is not None:
        return method
    own: Callable[[], Any] | None = getattr(layer, "process_weights_after_loading", None)
    if own is None:
        raise ValueError(f"{type(layer).__name__} has no process_weights_after_loading, and neither has its quant_method: pass step=")
    return lambda _: own()


_Slots = dict[str, tuple[torch.nn.Module, str, bool, "torch.Tensor | None"]]


def _slots(root: torch.nn.Module) -> _Slots:
    slots: _Slots = {}
    for path, module in root.named_modules():
        for name, tensor in module._parameters.items():
            slots[f"{path}.{name}".lstrip(".")] = (module, name, True, tensor)
        for name, tensor in module._buffers.items():
            slots[f"{path}.{name}".lstrip(".")] = (module, name, False, tensor)
    return slots


def _copy(root: torch.nn.Module) -> _Slots:
    """New objects with what is there now: class, attributes, bytes. Names of one object stay names of one."""
    copies: dict[int, torch.Tensor] = {}
    return {path: (module, name, parameter, _copy_of(tensor, parameter, copies))
            for path, (module, name, parameter, tensor) in _slots(root).items()}


def _copy_of(tensor: torch.Tensor | None, parameter: bool, copies: dict[int, torch.Tensor]) -> torch.Tensor | None:
    if tensor is None or id(tensor) in copies:
        return copies.get(id(tensor))
    if isinstance(tensor, (torch.nn.UninitializedParameter, torch.nn.UninitializedBuffer)):
        raise ValueError("a parameter of the layer has no shape yet: its factory has to give one with weights as a checkpoint has them")
    made: torch.Tensor = tensor.detach().clone()
    if parameter:
        made = torch.nn.Parameter(made, requires_grad=tensor.requires_grad)
        setattr(made, "__class__", type(tensor))
    made.__dict__.update(vars(tensor))
    copies[id(tensor)] = made
    return made


def _place(root: torch.nn.Module, slots: _Slots) -> None:
    for module in root.modules():
        module._parameters.clear()
        persistent = module._buffers.keys() - module._non_persistent_buffers_set
        module._buffers.clear()
        for name in persistent:
            module._non_persistent_buffers_set.discard(name)
    for module, name, parameter, tensor in slots.values():
        slot: dict[str, Any] = module._parameters if parameter else module._buffers
        slot[name] = tensor


def _copy_back(root: torch.nn.Module, kernel: _Slots) -> None:
    made = _slots(root)
    for path, (_, _, _, tensor) in kernel.items():
        new = made[path][3] if path in made else None
        if (tensor is None) != (new is None) or (tensor is not None and new is not None and _shape(tensor) != _shape(new)):
            raise RuntimeError(f"{path}: processed once it is {_shape(tensor)}, processed again {_shape(new)}; nothing can be copied back")
        if tensor is not None and new is not None:
            try:
                tensor.data.copy_(new)
            except RuntimeError as error:
                raise RuntimeError(f"{path}: what the second run made of it cannot be copied back: {error}") from error
    _place(root, kernel)


def _shape(tensor: torch.Tensor | None) -> str:
    return "not there" if tensor is None else f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def _where(held: Held) -> tuple[int, int, int]:
    tensor = held.tensor
    assert tensor is not None
    storage = tensor.untyped_storage()
    return storage._cdata, storage.data_ptr(), int(tensor.storage_offset())


def _pointers(first: list[Held]) -> dict[str, tuple[Held, list[int]]]:
    """Numbers that are addresses within what is held, by where they stand."""
    known = sorted({_memory(each.tensor) for each in first if each.tensor is not None and _has_memory(each.tensor)})
    found = {each.path: (each, _numbers(each)) for each in first}
    return {path: (each, numbers) for path, (each, numbers) in found.items() if any(_lies_in(known, number) for number in numbers)}


def _has_memory(tensor: torch.Tensor) -> bool:
    """Classes of tensors that hold others may have none of their own."""
    try:
        tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):
        return False
    return True


def _memory(tensor: torch.Tensor) -> tuple[int, int]:
    storage = tensor.untyped_storage()
    return storage.data_ptr(), storage.data_ptr() + storage.nbytes()


def _lies_in(known: list[tuple[int, int]], number: int) -> bool:
    at = bisect.bisect_right(known, number, key=lambda memory: memory[0]) - 1
    return number > 0 and at >= 0 and number < known[at][1]


def _numbers(held: Held) -> list[int]:
    if held.tensor is None:
        return [int(held.host)] if isinstance(held.host, int) else []
    if not _has_memory(held.tensor):
        return []
    is_table = held.tensor.dtype in (torch.int64, torch.uint64) and not held.tensor.is_meta and held.tensor.numel() <= _LONGEST_TABLE
    return [int(each) for each in held.tensor.flatten().tolist()] if is_table else []


def _led_astray(pointers: dict[str, tuple[Held, list[int]]], second: dict[str, Held]) -> Iterator[Moved]:
    for path, (was, before) in pointers.items():
        after = _numbers(second[path]) if path in second else []
        if before != after:
            at = next((at for at, (one, other) in enumerate(zip(before, after)) if one != other), min(len(before), len(after)))
            now = f"holds {after[at]:#x}" if at < len(after) else "gone"
            yield Moved(path, was.tensor_class or "int", f"holds {before[at]:#x}" if at < len(before) else "", now)


def _moved(first: list[Held], second: dict[str, Held]) -> Iterator[Moved]:
    """What the first run left is kept alive meanwhile, so that nothing else can lie there by now."""
    for was in first:
        now = second.get(was.path)
        before = _where(was)
        if now is None or now.tensor is None:
            yield Moved(was.path, was.tensor_class, f"at {before[1]:#x}", "gone")
        elif _where(now) != before:
            after = _where(now)
            yield Moved(was.path, was.tensor_class, f"at {before[1]:#x} offset {before[2]}", f"at {after[1]:#x} offset {after[2]}")
