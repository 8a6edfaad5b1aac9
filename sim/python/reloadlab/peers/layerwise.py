"""``vllm@…``: layerwise reload of vLLM (``vllm.model_executor.model_loader.reload``)."""

from __future__ import annotations

from pathlib import Path

import torch

from .. import _reloadlab
from ..bridge import Attention, MLAAttention, QuantizeMethodBase, default_weight_loader
from ..candidate import Reloader
from .site import LOADER, Heard, Site, layerwise_site

# What the release says it does is what our own reading of its first version does.
_DECLARED = {
    "abort": "none",
    "buffering": "by_reference",
    "completion": "numel",
    "excess": "silent",
    "landing": "materialized",
    "misuse": "undefined",
    "missing": "silent",
    "shadow": "none",
    "unexpected": "silent",
    "unloaded": "uninitialized",
}


class ModelConfig:
    """All that finishing asks of a configuration."""

    quantization = None

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        self.dtype = dtype


def _hear(message: str, args: tuple, names: dict) -> None:
    """What the release logs, as hints of what it does. It says nothing else about itself."""
    candidate = _reloadlab.current_candidate()
    layer = names.get("layer")
    path = getattr(layer, "prefix", "")
    if candidate is None or not path:
        return
    report = candidate.context.report
    if message == "%s: %d / %d":
        report("load_counted", path, names["param_name"], names["num_loaded"])
        if names["info"].load_numel >= names["info"].load_numel_total and not isinstance(layer, Attention):
            report("completed", path)
    elif message == "%s: Excessive loading":
        loaded = [value for value in (*names["args"], *names["kwargs"].values()) if isinstance(value, torch.Tensor)]
        report("load_dropped", path, names["param_name"], loaded[-1].numel() if loaded else 0)
    elif message == "%s: Delayed processing":
        report("completed", path)
    elif message == "%s: Processed":
        for kind in ("processed", "copied_back", "disarmed"):
            report(kind, path)
    elif message == "%s: Failed to load weights":
        report("warning", path, detail="failed to load weights")


def _site(root: Path) -> Site:
    attention = {"Attention": Attention, "MLAAttention": MLAAttention}
    return layerwise_site(root, ModelConfig, lambda name: Heard(name, _hear), attention, QuantizeMethodBase, default_weight_loader)


def make(root: Path, version: str) -> type:
    """A class for the release that is installed in ``root``."""
    from ..find import Refusal

    if not (root / "vllm/model_executor/model_loader/reload").is_dir():
        raise Refusal("usage", f"vllm {version} has no layerwise reload ({LOADER}.reload): 0.16.0 is the first that has")

    class Release(Reloader):
        system = "layerwise"
        declared = _DECLARED
        errors = (Exception,)  # it has no other way to refuse

        def __init__(self, context) -> None:
            """With modules of its own, since what they keep is kept for the process, and a rank is one."""
            super().__init__(context)
            self.site = _site(root)
            self.theirs = self.site.load(f"{LOADER}.reload")
            self.had_no_flag = False

        def record(self, model: torch.nn.Module) -> None:
            with self.site.active():
                self.theirs.record_metadata_for_reloading(model)

        def prepare(self, model: torch.nn.Module) -> None:
            self.had_no_flag = not hasattr(model, "_do_torchao_reload")
            with self.site.active():
                self.theirs.initialize_layerwise_reload(model)

        def finish(self, model: torch.nn.Module, dtype: torch.dtype) -> None:
            try:
                with self.site.active():
                    self.theirs.finalize_layerwise_reload(model, ModelConfig(dtype))
            finally:
                if self.had_no_flag and not getattr(model, "_do_torchao_reload", True):
                    del model._do_torchao_reload  # to whoever asks, absent and false are one

    Release.__name__ = Release.__qualname__ = f"vllm_{version}"
    return Release
