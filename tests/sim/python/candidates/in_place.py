"""A reloader that loads straight into the live tensors, and wraps loaders to hear of it."""

from functools import wraps

import torch

import reloadlab


class InPlace(reloadlab.Reloader):
    declared = {"misuse": "error", "abort": "unusable", "landing": "direct"}

    def __init__(self, context):
        super().__init__(context)
        self.before = None
        self.loaded = set()
        self.spoiled = False

    def prepare(self, model: torch.nn.Module) -> None:
        if self.before is not None:
            raise reloadlab.Misuse("an update is open")
        self.before = []
        for name, param in model.named_parameters():
            own = getattr(param, "weight_loader", None)
            self.before.append((param, own))
            param.weight_loader = self.heard(own or reloadlab.default_weight_loader)

    def heard(self, own):
        @wraps(own)
        def mine(param, loaded_weight, **named):
            self.loaded.add(param)
            return own(param, loaded_weight, **named)

        return mine

    def finish(self, model: torch.nn.Module, dtype: torch.dtype) -> None:
        if self.before is None:
            raise reloadlab.Misuse("no update is open")
        self.spoiled = self.spoiled and len(self.loaded) < len(self.before)
        self.put_back()

    def put_back(self) -> None:
        for param, own in self.before:
            if own is None:
                del param.weight_loader
            else:
                param.weight_loader = own
        self.before = None
        self.loaded.clear()

    def abort(self, model: torch.nn.Module) -> None:
        self.spoiled = True
        self.put_back()

    def unusable(self) -> bool:
        return self.spoiled


class Plain(reloadlab.Reloader):
    """The shortest that there is: nothing is wrapped."""

    def prepare(self, model):
        pass

    def finish(self, model, dtype):
        pass


class Skips(Plain):
    """Forgets what it was to load: every load is dropped."""

    def prepare(self, model):
        for param in model.parameters():
            param.weight_loader = lambda param, loaded_weight, **named: None
