"""``vllm-ascend@…``: the shared-weight series of vLLM Ascend (``vllm_ascend.ops.shared_weight_layer``)."""

from __future__ import annotations

import types
from pathlib import Path

import torch

from ..candidate import WeightSeries
from .site import Site

_MODULE = "vllm_ascend.ops.shared_weight_layer"


_DECLARED = {
    "abort": "none",
    "binding": "rolling",
    "buffering": "by_reference",
    "completion": "numel",
    "excess": "silent",
    "misuse": "undefined",
    "missing": "silent",
    "order": "trusted",
    "recovery": "none",
    "unexpected": "silent",
    "unloaded": "uninitialized",
}


def _layerwise_beside() -> type | None:
    """What is in no series is reloaded by the layerwise reload of the engine, in the version that is judged first."""
    from . import FAMILIES, find, folder

    version = FAMILIES["vllm"].versions[0]
    return find(f"vllm@{version}") if (folder() / f"vllm-{version}").is_dir() else None


class GroupCoordinator:
    """What the release asks of the engine's: ranks are numbered within the group."""

    def __init__(self, group) -> None:
        self.device_group = group
        self.world_size = group.size()
        self.rank_in_group = group.rank()
        self.ranks = list(range(self.world_size))


def _broadcast(tensor: torch.Tensor, src: int, group, async_op: bool = False):
    """``torch.distributed.broadcast`` for a group that is in no table of the process: its ranks may be threads, which share these."""
    from torch.distributed import BroadcastOptions

    options = BroadcastOptions()
    options.rootRank = src
    options.rootTensor = 0
    options.asyncOp = async_op
    work = group.broadcast([tensor], options)
    if async_op:
        return work
    if work is not None:  # None: it was waited for within
        work.wait()
    return None


def _site(root: Path, index_of: dict[str, int]) -> Site:
    return Site(
        root,
        ["vllm_ascend", "vllm_ascend.ops"],
        {
            "vllm": {},
            "vllm.distributed": {},
            "vllm.distributed.parallel_state": {"GroupCoordinator": GroupCoordinator},
            "vllm.model_executor": {},
            "vllm.model_executor.layers": {},
            "vllm.model_executor.layers.linear": {"LinearBase": torch.nn.Module},
            "vllm.model_executor.models": {},
            "vllm.model_executor.models.utils": {"extract_layer_index": index_of.__getitem__},
        },
    )


def make(root: Path, version: str) -> type:
    from ..find import Refusal

    if not root.joinpath(*_MODULE.split(".")).with_suffix(".py").is_file():
        raise Refusal("usage", f"vllm-ascend {version} has no {_MODULE}: 0.11.0 to 0.14.0 may have")

    class Release(WeightSeries):
        declared = _DECLARED
        beside = _layerwise_beside()
        errors = (Exception,)  # it has no other way to refuse

        def __init__(self, context, series) -> None:
            """With a module of its own: its registries are the process's, and a rank is one."""
            super().__init__(context, series)
            self.index_of: dict[str, int] = {}
            self.theirs = _site(root, self.index_of).load(_MODULE)
            self.theirs.dist = types.SimpleNamespace(broadcast=_broadcast)
            self.group = GroupCoordinator(series.group)
            self.layers: dict[int, torch.nn.Module] = {}

        def register_layer(self, layer: torch.nn.Module, index: int) -> None:
            self.index_of[layer.prefix] = index
            self.layers[index] = layer
            self.theirs.register_layer_to_shared_weight_series(self.series.name, self.group, layer, self.series.prefetch)

        def any_layer(self) -> torch.nn.Module:
            return next(iter(self.layers.values()))

        def finish_loading(self) -> None:
            self.theirs.post_process_after_loading_for_shared_weight_series(self.any_layer())

        def reach(self, index: int) -> None:
            self.theirs.reach_layer_for_shared_weight_series(self.layers[index])

        def wait(self, index: int) -> None:
            self.theirs._series_dict[self.series.name].wait_weight(index)

    Release.__name__ = Release.__qualname__ = f"vllm_ascend_{version}"
    return Release
