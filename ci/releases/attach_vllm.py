"""attach_vllm.py [VERSION]: a model written by hand, reloaded by vLLM's own code (0.24.0) and in place, each judged by `reloadlab.attach`.

Its layers keep row sums of their weights, as kernels keep what they were prepared with. Needs the release (ci/setup --peers).
"""

from __future__ import annotations

import sys

import torch

import reloadlab
from reloadlab import peers
from reloadlab.peers.layerwise import ModelConfig, _site


class RowSums:
    """The post-load step, made anew by whoever finds it on a layer."""

    def process_weights_after_loading(self, layer: torch.nn.Module) -> None:
        layer.sums = [layer.weight.data.sum(1)]


class Linear(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(8, 8), requires_grad=False)
        self.weight.weight_loader = lambda param, loaded: param.data.copy_(loaded)
        self.quant_method = RowSums()


def checkpoint(seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(8, 8, generator=generator) for _ in range(2)]


def deliver(model: torch.nn.Module, weights: list[torch.Tensor]) -> None:
    for layer, weight in zip(model, weights, strict=True):
        layer.weight.weight_loader(layer.weight, weight)


def process(model: torch.nn.Module) -> None:
    for layer in model:
        layer.quant_method.process_weights_after_loading(layer)


def judge(name: str, record, load) -> None:
    def cold(weights: list[torch.Tensor]) -> torch.nn.Module:
        model = torch.nn.Sequential(Linear(), Linear())
        record(model)
        deliver(model, weights)
        process(model)
        return model

    first, second = checkpoint(1), checkpoint(2)
    print(f"== {name}\n{reloadlab.attach(cold(first), load, (first, second), cold)}")


def in_place(model: torch.nn.Module, weights: list[torch.Tensor]) -> None:
    deliver(model, weights)
    for layer in model:
        layer.sums[0].copy_(layer.weight.data.sum(1))


def main() -> None:
    version = sys.argv[1] if len(sys.argv) > 1 else "0.24.0"
    site = _site(peers.folder() / f"vllm-{version}")
    theirs = site.load("vllm.model_executor.model_loader.reload")

    def record(model: torch.nn.Module) -> None:
        with site.active():
            theirs.record_metadata_for_reloading(model)

    def layerwise(model: torch.nn.Module, weights: list[torch.Tensor]) -> None:
        with site.active(), torch.device("cpu"):
            theirs.initialize_layerwise_reload(model)
            deliver(model, weights)
            theirs.finalize_layerwise_reload(model, ModelConfig(torch.float32))

    judge(f"vllm {version}", record, layerwise)
    judge("in place", lambda model: None, in_place)


if __name__ == "__main__":
    main()
