"""The Python half of the bridge: what the extension makes modules, loaders and messages with. Candidates need nothing of it."""

from __future__ import annotations

import gc
import os
import sys
import traceback
import types
import weakref
from collections.abc import Callable
from typing import Any, cast

import torch
from torch.nn.parameter import Parameter, UninitializedParameter, is_lazy

from . import _reloadlab, errors
from ._reloadlab import LayerRef, NativeLoader
from .errors import Abandoned  # noqa: F401  the extension raises it

# ---- devices -------------------------------------------------------------------------------------------------------------------------


class _ModelledDevices(types.ModuleType):
    """Torch asks a device's module before it makes tensors there."""

    @staticmethod
    def _lazy_init() -> None:
        pass

    @staticmethod
    def is_initialized() -> bool:
        return True

    @staticmethod
    def is_available() -> bool:
        return True


sys.modules["torch.sim"] = _ModelledDevices("torch.sim")
setattr(torch, "sim", sys.modules["torch.sim"])

# ---- modules -------------------------------------------------------------------------------------------------------------------------


class QuantizeMethodBase:
    """What quantization methods of the model derive from; peers see it as their own engine's."""

    def process_weights_after_loading(self, layer: torch.nn.Module) -> None:
        """Makes of what was loaded, in the shapes of checkpoints, what kernels read, in shapes of its own; once for each load."""
        raise NotImplementedError


class QuantMethod(QuantizeMethodBase):
    """The substrate's."""

    def __init__(self, name: str) -> None:
        self.name = name

    def create_weights(self, layer: torch.nn.Module, *args: Any, **kwargs: Any) -> None:
        """Nothing: the layer has its parameters."""

    def process_weights_after_loading(self, layer: torch.nn.Module) -> None:
        cast(Layer, layer)._native.post_load()


class Unquantized(QuantizeMethodBase):
    """What a layer without a post-load step has: engines' layers all have some method."""

    def create_weights(self, layer: torch.nn.Module, *args: Any, **kwargs: Any) -> None:
        """Nothing: the layer has its parameters."""

    def process_weights_after_loading(self, layer: torch.nn.Module) -> None:
        """Nothing."""


class AttentionScales(Unquantized):
    """That of attention layers, whose own step looks at the scales."""

    def create_weights(self, layer: torch.nn.Module, *args: Any, **kwargs: Any) -> None:
        """Scales as they are before any is loaded: 1."""
        for name, param in list(layer._parameters.items()):
            if param is not None and type(param).__name__ == "PerTensorScaleParameter":
                fresh = torch.ones_like(param.data).as_subclass(type(param))
                fresh.__dict__.update(param.__dict__)
                setattr(layer, name, fresh)


class Layer(torch.nn.Module):
    """A layer of the model, whose class is named as the engine's."""

    prefix: str
    quant_method: QuantizeMethodBase
    _native: LayerRef

    def forward(self, *inputs: Any) -> Any:
        """The layer's own, where the harness has begun one; nothing where somebody else calls it."""
        self._native.own_forward()
        return inputs[0] if inputs else None

    def extra_repr(self) -> str:
        return self.prefix


class Attention(Layer):
    """One whose own post-load step comes after all others'."""

    def process_weights_after_loading(self, act_dtype: torch.dtype) -> None:
        self._native.own_post_load()


class MLAAttention(Attention):
    pass


_classes: dict[str, type[Layer]] = {"Attention": Attention, "MLAAttention": MLAAttention}


def _class_called(name: str) -> type[Layer]:
    if name not in _classes:
        _classes[name] = type(name, (Layer,), {})
    return _classes[name]


def make_module(class_name: str, path: str, native: LayerRef, quant_method: QuantizeMethodBase | None) -> Layer:
    module = _class_called(class_name)()
    module.prefix = path
    module._native = native
    module.quant_method = quant_method or (AttentionScales() if isinstance(module, Attention) else Unquantized())
    return module


class Model(torch.nn.Module):
    """The root: the layers stand below it by the parts of their paths."""

    prefix: str
    _native: LayerRef


def make_root(native: LayerRef) -> Model:
    root = Model()
    root.prefix = ""
    root._native = native
    return root


def add_child(parent: Model | Layer, child: Layer) -> None:
    """By its name below the parent: "blocks.0.qkv" below the root is blocks → 0 → qkv, with plain modules between."""
    name = child.prefix[len(parent.prefix) + 1 :] if parent.prefix else child.prefix
    *between, last = name.split(".")
    above: torch.nn.Module = parent
    for part in between:
        if part not in above._modules:
            above.add_module(part, torch.nn.Module())
        above = cast(torch.nn.Module, above._modules[part])
    above.add_module(last, child)


def is_taken(module: Layer) -> bool:
    """Whether its post-load step is another one than ours by now."""
    method = module.quant_method
    return not isinstance(method, (QuantMethod, Unquantized)) or "process_weights_after_loading" in method.__dict__


def make_quant_method(name: str) -> QuantMethod:
    return QuantMethod(name)


def count_left(left: list[weakref.ref[Layer]]) -> None:
    """A model has died: what Python still holds of it is counted as layers and parameters that are left."""
    gc.collect()
    for weak in left:
        module = weak()
        if module is None:
            continue
        tensors = {id(tensor) for slots in (module._parameters, module._buffers) for tensor in slots.values() if tensor is not None}
        module.__dict__["_left"] = [_reloadlab.LeftLayer(), *(_reloadlab.LeftParameter() for _ in tensors)]


class Series:
    """What a series knows of where it runs: ``name``, ``group``, ``device``, ``prefetch``."""

    def __init__(self, name: str, group: torch.distributed.ProcessGroup, device: torch.device, prefetch: int) -> None:
        self.name, self.group, self.device, self.prefetch = name, group, device, prefetch


# ---- tensors -------------------------------------------------------------------------------------------------------------------------

_tensor_classes: dict[str, type[torch.Tensor]] = {"Parameter": Parameter}


def tensor_class(name: str, parameter: bool) -> type[torch.Tensor]:
    """Buffers are plain tensors; parameters are of a class of their name."""
    if name == "Buffer" and not parameter:
        return torch.Tensor
    if name not in _tensor_classes:
        _tensor_classes[name] = type(name, (Parameter,), {})
    return _tensor_classes[name]


def name_of_class(tensor: torch.Tensor) -> str:
    return "Buffer" if type(tensor) is torch.Tensor else "Parameter" if is_lazy(tensor) else type(tensor).__name__


def is_parameter(tensor: torch.Tensor) -> bool:
    return isinstance(tensor, Parameter)


def make_lazy() -> torch.Tensor:
    return UninitializedParameter(requires_grad=False)


def becomes(tensor: torch.Tensor, other: type[torch.Tensor]) -> None:
    setattr(tensor, "__class__", other)


def take_over(tensor: torch.Tensor, other: torch.Tensor) -> None:
    tensor.data = other


# ---- loaders -------------------------------------------------------------------------------------------------------------------------


def _method(native: NativeLoader) -> types.FunctionType:
    def weight_loader(self, param, loaded_weight, shard_id=None, expert_id=None, part=None):  # type: ignore[no-untyped-def]
        native(self, param, loaded_weight, shard_id, expert_id, part)

    return cast(types.FunctionType, weight_loader)


# Two arguments go by their places, as everybody calls it: who binds the function to something passes three, and is told so.
def _function(native: NativeLoader) -> types.FunctionType:
    def weight_loader(param, loaded_weight, *, shard_id=None, expert_id=None, part=None):  # type: ignore[no-untyped-def]
        native(None, param, loaded_weight, shard_id, expert_id, part)

    return cast(types.FunctionType, weight_loader)


_default = _reloadlab.default_loader()
_codes = {make(_default).__code__ for make in (_method, _function)}


def make_loader(native: NativeLoader, name: str, is_method: bool) -> types.FunctionType:
    """A real function: engines read its signature and its name, and bind it to layers."""
    made = _method(native) if is_method else _function(native)
    made.__name__ = made.__qualname__ = name
    return made


def native_of(function: types.FunctionType) -> NativeLoader | None:
    """What stands behind a function of ours, or None. Its attributes do not say: ``functools.wraps`` copies them."""
    return function.__closure__[0].cell_contents if function.__code__ in _codes and function.__closure__ else None


bind = types.MethodType


def default_weight_loader(param: torch.Tensor, loaded_weight: torch.Tensor, shard_id: str | None = None, expert_id: int | None = None,
                          part: str | None = None) -> None:
    """What a parameter without a loader uses: copies a tensor of equal shape; a one-element destination is filled from the host scalar.

    shard_id, expert_id, part: there is one destination, and nothing is done with them.

    LoadError: the shapes differ. Misuse: no call of the harness is under way.
    """
    _default(None, param, loaded_weight, shard_id, expert_id, part)


def name_of_callable(callable_: Callable[..., Any]) -> str:
    return str(getattr(callable_, "__name__", type(callable_).__name__))


# ---- calls and errors ----------------------------------------------------------------------------------------------------------------


class Settings:
    """Torch's defaults, as whoever calls has them."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self.device: Any = device  # a context manager too, which its type does not say
        self.dtype, self.before = dtype, torch.get_default_dtype()

    def __enter__(self) -> None:
        torch.set_default_dtype(self.dtype)
        self.device.__enter__()

    def __exit__(self, *end: Any) -> None:
        self.device.__exit__(*end)
        torch.set_default_dtype(self.before)


def raise_failure(code: str, message: str) -> None:
    kinds = {"misuse": errors.Misuse, "rejected": errors.Rejected, "unsupported": errors.Unsupported}
    raise kinds.get(code, errors.LoadError)(message)


_here = os.path.dirname(os.path.abspath(__file__))


def _places(trace: types.TracebackType) -> str:
    """The frames of a traceback that are not ours, the innermost first."""
    frames = [f for f in traceback.extract_tb(trace) if os.path.dirname(os.path.abspath(f.filename)) != _here]
    return ", ".join(f"{os.path.basename(f.filename)}:{f.lineno} in {f.name}" for f in reversed(frames[-4:]))


def explain(error: BaseException, trace: types.TracebackType | None, candidate: object) -> tuple[str | None, str]:
    """An exception that left a candidate: the code and the text of its refusal, or no code where it is no way to refuse."""
    name = type(error).__name__
    text = str(error).strip().split("\n")[0]
    if isinstance(error, errors.ReloadError):
        return error.code, text or name
    places = _places(trace) if trace is not None else ""
    line = f"{name}: {text}" if text else name
    placed = f"{line} ({places})" if places else line
    if isinstance(error, tuple(getattr(candidate, "errors", ()))):
        return "unsupported" if isinstance(error, NotImplementedError) else "failed", line if text else placed
    sys.stderr.write("".join(traceback.format_exception(type(error), error, trace)))
    sys.stderr.flush()
    return None, placed


def refusal(error: BaseException) -> tuple[str, str]:
    return getattr(error, "code", "data"), str(error)
