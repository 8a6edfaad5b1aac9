"""What watching adds to a reload: the same one in turns with and without it, in one process. Prints one line of JSON.

Usage: watch.py [layers] [width] [turns]. The model has so many blocks of nine tensors, of which the large ones are width × width.
"""

import json
import sys
import time

import torch

import reloadlab


class Block(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        for name in ("q", "k", "v", "o", "gate", "up", "down"):
            setattr(self, name, torch.nn.Linear(width, width, bias=False, dtype=torch.bfloat16))
        self.first_norm = torch.nn.LayerNorm(width, bias=False, dtype=torch.bfloat16)
        self.second_norm = torch.nn.LayerNorm(width, bias=False, dtype=torch.bfloat16)


def reload(model, weights):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])


def seconds(body):
    begin = time.perf_counter()
    body()
    return time.perf_counter() - begin


def main(layers=36, width=1024, turns=15):
    torch.set_num_threads(1)
    model = torch.nn.Sequential(*(Block(width) for _ in range(layers))).requires_grad_(False)
    weights = {name: torch.randn_like(parameter) for name, parameter in model.named_parameters()}
    watched = reloadlab.watch(model)

    def with_watch():
        with watched:
            reload(model, weights)

    plain, beside = [], []
    for _ in range(turns):
        plain.append(seconds(lambda: reload(model, weights)))
        beside.append(seconds(with_watch))
    held = sum(1 for _ in model.named_parameters())
    print(json.dumps({"tensors": held, "bytes": sum(each.nbytes for each in model.parameters()), "plain_ms": round(min(plain) * 1e3, 2),
                      "watched_ms": round(min(beside) * 1e3, 2), "ratio": round(min(beside) / min(plain), 3)}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
