"""Reloads of 48 blocks of 128 experts and nine norms, 18,864 loads: ours and vLLM's own code, in turns, in one process, on the CPU with
small tensors. vLLM's runs as its users run it, on torch modules with loaders in Python; ours on the same shapes and loads.

Usage: peers.py [--tiny] [VERSION…]. Prints a line of JSON: nanoseconds of a load call, and of prepare and finish a layer, the best of all
turns; and how many times as long as the seed's a load call of vLLM takes. Releases are those that `ci/setup --peers` has installed.
"""

import json
import sys
import time

import engines
import torch

from reloadlab import peers
from reloadlab.peers.layerwise import ModelConfig, _site

SIZES = {"blocks": 48, "experts": 128, "hidden": 8, "intermediate": 4, "norms": 9}
TINY = {"blocks": 2, "experts": 4, "hidden": 8, "intermediate": 4, "norms": 9}


def load_expert(param, loaded_weight, shard_id=None, expert_id=None):
    target = param.data[expert_id]
    if shard_id in ("w1", "w3"):
        half = target.shape[0] // 2
        target = target.narrow(0, half if shard_id == "w3" else 0, half)
    target.copy_(loaded_weight)


def load_norm(param, loaded_weight):
    param.data.copy_(loaded_weight)


def parameter(shape, loader):
    made = torch.nn.Parameter(torch.zeros(shape, dtype=torch.bfloat16), requires_grad=False)
    made.weight_loader = loader
    return made


class Peer:
    """One release, reloading a model of its own."""

    def __init__(self, version, sizes):
        self.site = _site(peers.folder() / f"vllm-{version}")
        self.theirs = self.site.load("vllm.model_executor.model_loader.reload")
        self.model, self.loads = torch.nn.Module(), []
        for block in range(sizes["blocks"]):
            self.add_block(block, **sizes)
        with self.site.active():
            self.theirs.record_metadata_for_reloading(self.model)

    def add_block(self, block, experts, hidden, intermediate, norms, **_):
        layer = torch.nn.Module()
        layer.w13 = parameter((experts, 2 * intermediate, hidden), load_expert)
        layer.w2 = parameter((experts, hidden, intermediate), load_expert)
        self.model.add_module(f"mlp{block}", layer)
        for expert in range(experts):
            for name, shard, shape in (("w13", "w1", (intermediate, hidden)), ("w13", "w3", (intermediate, hidden)),
                                       ("w2", "w2", (hidden, intermediate))):
                self.loads.append((layer, name, torch.zeros(shape, dtype=torch.bfloat16), {"shard_id": shard, "expert_id": expert}))
        for number in range(norms):
            norm = torch.nn.Module()
            norm.weight = parameter((hidden,), load_norm)
            self.model.add_module(f"norm{block}_{number}", norm)
            self.loads.append((norm, "weight", torch.zeros(hidden, dtype=torch.bfloat16), {}))

    def reload(self):
        layers = len(list(self.model.modules()))
        with self.site.active():
            prepare = nanoseconds(lambda: self.theirs.initialize_layerwise_reload(self.model))
            load = nanoseconds(self.send)
            finish = nanoseconds(lambda: self.theirs.finalize_layerwise_reload(self.model, ModelConfig(torch.bfloat16)))
        return prepare / layers, load / len(self.loads), finish / layers

    def send(self):
        for layer, name, source, extra in self.loads:
            param = getattr(layer, name)
            param.weight_loader(param, source, **extra)


def nanoseconds(body):
    begin = time.perf_counter_ns()
    body()
    return time.perf_counter_ns() - begin


def main(words):
    sizes = TINY if "--tiny" in words else SIZES
    versions = [word for word in words if word != "--tiny"] or ["0.17.1", "0.24.0"]
    torch.set_num_threads(1)
    ways = {profile: engines.Engine(profile, **sizes) for profile in ("seed", "hardened")}
    ways.update((f"vllm@{version}", Peer(version, sizes)) for version in versions)
    best = {}
    for _ in range(3):
        for name, way in ways.items():
            times = way.reload()
            best[name] = tuple(map(min, best.get(name, times), times))
    told = {name: dict(zip(("prepare_ns", "load_ns", "finish_ns"), map(round, times))) for name, times in best.items()}
    for name in ways:
        if name.startswith("vllm@"):
            told[name]["load_of_seed"] = round(best[name][1] / best["seed"][1], 1)
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1:])
