"""A reloader that stages what arrives, so that the model serves its old weights until all is there."""

from __future__ import annotations

import torch

import reloadlab


class Staged(reloadlab.Reloader):
    declared = {"abort": "backup", "completion": "finish"}  # laws judge by it
    errors = (reloadlab.ReloadError, RuntimeError)  # torch's errors are refusals, too

    def __init__(self, context: reloadlab.Context | None = None) -> None:
        self.live: dict[torch.nn.Parameter, torch.Tensor] = {}  # what each parameter had before the update
        self.spoiled = False

    def prepare(self, model: torch.nn.Module) -> None:
        self.live = {param: param.data for param in model.parameters()}
        for param in self.live:
            param.data = torch.empty_like(param.data)

    def finish(self, model: torch.nn.Module, dtype: torch.dtype) -> None:
        self.spoiled = True
        try:
            for param, live in self.live.items():
                live.copy_(param.data)
            self.spoiled = False
        finally:
            self.abort(model)

    def abort(self, model: torch.nn.Module) -> None:
        for param, live in self.live.items():
            param.data = live
        self.live.clear()

    def unusable(self) -> bool:
        return self.spoiled
