"""``vllm-oq@…``: online-quantization reload of vLLM (``vllm.model_executor.model_loader.online_quantization``).

The release does an update in one call, the model's decorated ``load_weights``: it restores, loads, quantizes and copies back. Here the loads come
one by one between two calls of the harness, so that call runs as a greenlet that waits where it asks for its weights.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import torch

from ..bridge import Layer, QuantizeMethodBase, QuantMethod
from ..candidate import Reloader
from ..errors import Unsupported
from .site import LOADER, Logger, Site, loader_site

_DECLARED = {
    "abort": "none",
    "buffering": "by_reference",
    "completion": "finish",
    "excess": "silent",
    "misuse": "undefined",
    "missing": "silent",
    "scope": "model",
    "shadow": "none",
    "ties": "first",
    "unexpected": "silent",
}


class ModelConfig:
    """Of a model that torchao quantizes online, if anything quantizes it."""

    def __init__(self, model: torch.nn.Module, dtype: torch.dtype = torch.float32) -> None:
        self.dtype = dtype
        quantized = any(isinstance(getattr(module, "quant_method", None), QuantMethod) for module in model.modules())
        self.quantization = "torchao" if quantized else None


class QuantConfig:
    """Its checkpoint is not quantized already."""

    is_checkpoint_torchao_serialized = False


def _process(model: torch.nn.Module, model_config: ModelConfig, target_device: torch.device | None) -> None:
    """Every layer's quantization method in module order, then the layers' own steps, as the substrate's engine does; once."""
    if getattr(model, "process_weights_after_loading_already_called", False):
        return
    for module in model.modules():
        if isinstance(getattr(module, "quant_method", None), QuantizeMethodBase):
            module.quant_method.process_weights_after_loading(module)
    for module in model.modules():
        if isinstance(module, Layer):
            module._native.own_post_load()


def _site(root: Path) -> Site:
    return loader_site(
        root,
        ModelConfig,
        Logger,
        {
            f"{LOADER}.utils": {"process_weights_after_loading": _process},
            f"{LOADER}.weight_utils": {"get_quant_config": lambda *ignored: QuantConfig()},
        },
    )


def _greenlet():
    """The package, from beside the peers."""
    from ..find import Refusal
    from . import folder

    found = sorted(folder().glob("greenlet-*"))
    if found and str(found[-1]) not in sys.path:
        sys.path.append(str(found[-1]))
    try:
        import greenlet
    except ImportError as error:
        raise Refusal("usage", f"greenlet is not installed in {folder()}: ci/setup --peers") from error
    return greenlet


class AutoWeightsLoader:
    """What is decorated: the engine's object that loads a model."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.module = module


def make(root: Path, version: str) -> type:
    from ..find import Refusal

    if not (root / "vllm/model_executor/model_loader/online_quantization.py").is_file():
        raise Refusal("usage", f"vllm {version} has no {LOADER}.online_quantization: 0.12.0 to 0.14.0 have")
    greenlets = _greenlet()

    def wait_for_loads(loader: AutoWeightsLoader, weights, *, mapper=None) -> set[str]:
        """Stands for the model's own loading: the harness loads until ``finish``."""
        greenlets.getcurrent().parent.switch()
        return set()

    class Release(Reloader):
        system = "online_quant"
        declared = _DECLARED
        errors = (Exception,)  # it has no other way to refuse

        def __init__(self, context) -> None:
            super().__init__(context)
            self.site = _site(root)
            self.theirs = self.site.load(f"{LOADER}.online_quantization")
            self.load_weights = self.theirs.support_quantized_model_reload_from_hp_weights(wait_for_loads)
            self.update = None
            self.thread = None

        def before_post_load(self, model: torch.nn.Module) -> None:
            with self.site.active():
                self.theirs.maybe_save_metadata_and_attributes_for_weight_reloading(model, ModelConfig(model))

        def prepare(self, model: torch.nn.Module) -> None:
            self.give_up()
            self.thread = threading.get_native_id()
            with self.site.active():
                self.update = greenlets.greenlet(self.load_weights)
                self.update.switch(AutoWeightsLoader(model), ())

        def finish(self, model: torch.nn.Module, dtype: torch.dtype) -> None:
            if self.update is None or self.update.dead:
                # No update is open: the engine's own call, which an update marks as done.
                if getattr(model, "weight_metadata_and_attr_saved", False):
                    _process(model, ModelConfig(model, dtype), None)
                return
            if self.thread != threading.get_native_id():
                raise Unsupported("an update is one call, and where ranks are threads it would begin on one and end on another")
            with self.site.active():
                self.update.switch()

        def abort(self, model: torch.nn.Module) -> None:
            """There is none. But a load that fails ends the one call that an update is, and what that call holds goes with it."""
            self.give_up()
            super().abort(model)

        def give_up(self) -> None:
            """An update that was left open ends as if its load had failed there."""
            if self.update is not None and not self.update.dead and self.thread == threading.get_native_id():
                with self.site.active():
                    self.update.throw(greenlets.GreenletExit)
            self.update = None

    Release.__name__ = Release.__qualname__ = f"vllm_oq_{version}"
    return Release
