"""vLLM's own reload of whole models on a GPU, in the shapes of bench_gpu_reload: Qwen3-8B and Qwen3-30B-A3B, sources on the device.

Usage: vllm_reload.py SITE PEERS OUT [COMMIT]. SITE is the package's peers/site.py, alone, for its module is built for one Python; PEERS is a
folder of releases (vllm-0.17.1, …). In turns, in one process: the bytes copied once, a loop of plain copies, a reload from prepare to finish.
Best turns go to OUT, as bench_gpu_reload writes its own; after them the model is spoiled, reloaded and compared. Its layers are torch modules
with loaders in Python, as vLLM's users have them.
"""

import datetime
import gc
import importlib.util
import json
import logging
import pathlib
import statistics
import sys
import time

import torch

DENSE = {"name": "dense", "turns": 7, "vocab": 151936, "hidden": 4096, "heads": 32, "kv": 8, "blocks": 36, "intermediate": 12288, "experts": 0}
EXPERTS = {"name": "experts", "turns": 3, "vocab": 151936, "hidden": 2048, "heads": 32, "kv": 4, "blocks": 48, "intermediate": 768, "experts": 128}
HEAD = 128
ALIGNMENT = 512  # of a tensor, as the caching allocator would have it


class ModelConfig:
    """All that finishing asks of a configuration."""

    quantization = None
    dtype = torch.bfloat16


def site_of(script, root):
    found = importlib.util.spec_from_file_location("site_of_a_release", script)
    site = importlib.util.module_from_spec(found)
    found.loader.exec_module(site)
    attention = {name: type(name, (torch.nn.Module,), {}) for name in ("Attention", "MLAAttention")}
    method = type("QuantizeMethodBase", (), {})
    return site.layerwise_site(root, ModelConfig, lambda name: site.Logger(name, logging.ERROR), attention, method, load_whole)


def load_whole(param, loaded_weight):
    param.data.copy_(loaded_weight)


def load_rows(param, loaded_weight, start):
    param.data.narrow(0, start, loaded_weight.shape[0]).copy_(loaded_weight)


def load_expert(param, loaded_weight, expert, start=0):
    param.data[expert].narrow(0, start, loaded_weight.shape[0]).copy_(loaded_weight)


class Model:
    """Modules, and what is sent to them: (module, shape, words of its loader)."""

    def __init__(self, shapes):
        self.root, self.deliveries = torch.nn.Module(), []
        hidden, vocab = shapes["hidden"], shapes["vocab"]
        self.whole("embed", (vocab, hidden))
        for block in range(shapes["blocks"]):
            self.attention(f"block{block}_", hidden, shapes["heads"] * HEAD, shapes["kv"] * HEAD)
            add = self.mixture if shapes["experts"] else self.mlp
            add(f"block{block}_", hidden, shapes["intermediate"], shapes["experts"])
        self.whole("norm", (hidden,))
        self.whole("head", (vocab, hidden))
        self.allot()

    def layer(self, name, **shapes):
        made = torch.nn.Module()
        for slot, (shape, loader) in shapes.items():
            param = torch.nn.Parameter(torch.zeros(shape, dtype=torch.bfloat16, device="cuda"), requires_grad=False)
            param.weight_loader = loader
            setattr(made, slot, param)
        self.root.add_module(name, made)
        return made

    def whole(self, name, shape):
        self.deliveries.append((self.layer(name, weight=(shape, load_whole)), "weight", shape, {}))

    def rows(self, name, columns, parts):
        made, start = self.layer(name, weight=((sum(parts), columns), load_rows)), 0
        for part in parts:
            self.deliveries.append((made, "weight", (part, columns), {"start": start}))
            start += part

    def attention(self, prefix, hidden, query, kv):
        self.rows(prefix + "qkv", hidden, (query, kv, kv))
        self.whole(prefix + "o", (hidden, query))
        for name, size in (("input_norm", hidden), ("post_norm", hidden), ("q_norm", HEAD), ("k_norm", HEAD)):
            self.whole(prefix + name, (size,))

    def mlp(self, prefix, hidden, intermediate, _):
        self.rows(prefix + "gate_up", hidden, (intermediate, intermediate))
        self.whole(prefix + "down", (hidden, intermediate))

    def mixture(self, prefix, hidden, intermediate, experts):
        self.whole(prefix + "router", (experts, hidden))
        up, down = (intermediate, hidden), (hidden, intermediate)
        made = self.layer(prefix + "experts", w13=((experts, 2 * intermediate, hidden), load_expert), w2=((experts, *down), load_expert))
        for expert in range(experts):
            for slot, shape, start in (("w13", up, 0), ("w13", up, intermediate), ("w2", down, 0)):
                self.deliveries.append((made, slot, shape, {"expert": expert, "start": start}))

    def allot(self):
        """The checkpoint: all its tensors in one allocation."""
        sizes = [-(-2 * torch.Size(shape).numel() // ALIGNMENT) * ALIGNMENT for _, _, shape, _ in self.deliveries]
        self.sources, offset, self.loads = torch.empty(sum(sizes), dtype=torch.uint8, device="cuda"), 0, []
        for (layer, slot, shape, words), size in zip(self.deliveries, sizes, strict=True):
            source = self.sources[offset : offset + 2 * torch.Size(shape).numel()].view(torch.bfloat16).view(shape)
            self.loads.append((layer, slot, source, words))
            offset += size
        self.fill()

    def fill(self):
        for number, (_, _, source, _) in enumerate(self.loads):
            source.fill_(number % 251 + 1)

    def send(self):
        for layer, slot, source, words in self.loads:
            param = getattr(layer, slot)
            param.weight_loader(param, source, **words)

    def copies(self):
        """(to, from): what the loaders do."""
        for layer, slot, source, words in self.loads:
            to = getattr(layer, slot).data
            to = to[words["expert"]] if "expert" in words else to
            yield to.narrow(0, words["start"], source.shape[0]) if "start" in words else to, source

    def copy_once(self):
        half = self.sources.numel() // 2
        for _ in range(2):
            self.sources[half : 2 * half].copy_(self.sources[:half])


def milliseconds(body):
    torch.cuda.synchronize()
    begin = time.perf_counter_ns()
    body()
    host = time.perf_counter_ns() - begin
    torch.cuda.synchronize()
    return (time.perf_counter_ns() - begin) / 1e6, host / 1e6


class Race:
    """One model, and the ways that bring it its bytes."""

    def __init__(self, site, shapes):
        self.site, self.theirs = site, site.load("vllm.model_executor.model_loader.reload")
        self.model = Model(shapes)
        with site.active(), torch.device("cuda"):
            self.theirs.record_metadata_for_reloading(self.model.root)
        self.model.send()
        self.reload()
        self.kept = list(self.model.copies())

    def reload(self):
        with self.site.active(), torch.device("cuda"):  # as vLLM's reload_weights, all of it
            self.theirs.initialize_layerwise_reload(self.model.root)
            self.model.send()
            self.theirs.finalize_layerwise_reload(self.model.root, ModelConfig())

    def copy_plainly(self):
        for to, source in self.kept:
            to.copy_(source)

    def take(self, turns):
        """Of each way its turns: (milliseconds, those of the host)."""
        ways = {"once": self.model.copy_once, "copies": self.copy_plainly, "reload": self.reload}
        taken = {way: [] for way in ways}
        for _ in range(turns):
            for way, body in ways.items():
                taken[way].append(milliseconds(body))
        return taken

    def check(self):
        """(what is wrong, bytes allocated beyond those before) of a reload into a spoiled model."""
        self.model.fill()
        for to, _ in self.kept:
            to.zero_()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        self.reload()
        extra = torch.cuda.max_memory_allocated() - before
        now = list(self.model.copies())
        wrong = sum(not torch.equal(to, source) for to, source in now)
        moved = sum(to.data_ptr() != was.data_ptr() for (to, _), (was, _) in zip(now, self.kept, strict=True))
        return "; ".join([f"{wrong} copies brought wrong bytes"] * bool(wrong) + [f"{moved} moved"] * bool(moved)), extra


def figures(taken, model):
    best = {way: min(each[0] for each in turns) for way, turns in taken.items()}
    median = {way: statistics.median(each[0] for each in taken[way]) for way in ("once", "reload")}
    told = {f"ms:{way}": value for way, value in best.items()} | {f"ms:{way}_median": value for way, value in median.items()}
    told |= {"ms:host": min(each[1] for each in taken["reload"]), "loads": len(model.loads), "GB": model.sources.numel() / 1e9}
    told |= {f"{way}/once": best[way] / best["once"] for way in ("copies", "reload")}
    return told | {"median/once": median["reload"] / median["once"]}


def bench(site, name, shapes):
    race = Race(site, shapes)
    told = figures(race.take(shapes["turns"]), race.model)
    wrong, extra = race.check()
    told = {"name": f"{name}/{shapes['name']}/iterations:{shapes['turns']}", "real_time": told["ms:reload"], "time_unit": "ms", **told}
    return told | {"GB:extra": extra / 1e9} | ({"error_occurred": True, "error_message": wrong} if wrong else {})


def write(out, commit, benchmarks):
    date = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    context = {"date": date, "executable": "vllm_reload.py", "commit": commit, "torch": torch.__version__, "device": torch.cuda.get_device_name(0)}
    partial = pathlib.Path(out + ".partial")
    partial.write_text(json.dumps({"context": context, "benchmarks": benchmarks}, indent=1) + "\n")
    partial.rename(out)


def main(script, peers, out, commit=""):
    if not torch.cuda.is_available():
        print("no GPU here")
        return
    benchmarks = []
    for root in sorted(pathlib.Path(peers).glob("vllm-*")):
        if not (root / "vllm/model_executor/model_loader/reload").is_dir():
            continue  # of other packages, and of releases before 0.16
        for shapes in (DENSE, EXPERTS):
            gc.collect()  # what the release keeps of the model before
            torch.cuda.empty_cache()
            benchmarks.append(bench(site_of(script, root), root.name.replace("-", "@"), shapes))
            print(json.dumps(benchmarks[-1]), flush=True)
    if benchmarks:
        write(out, commit, benchmarks)


if __name__ == "__main__":
    main(*sys.argv[1:])
