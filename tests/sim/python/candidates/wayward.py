"""Candidates that leave the path, each in its way."""

import os
import signal
import time
import types

import torch

import reloadlab


class Behaves(reloadlab.Reloader):
    def prepare(self, model):
        pass

    def finish(self, model, dtype):
        pass


class Raises(Behaves):
    def finish(self, model, dtype):
        self.helper()

    def helper(self):
        raise ValueError("boom")


class RaisesNoWord(Behaves):
    def finish(self, model, dtype):
        raise KeyboardInterrupt


class RaisesWhenAsked(Behaves):
    def unusable(self):
        return self.spoiled


class RaisesInLoader(Behaves):
    def prepare(self, model):
        def bad(param, loaded_weight, **named):
            raise KeyError("q")

        for param in model.parameters():
            param.weight_loader = bad


class RaisesInBoth(RaisesInLoader):
    declared = {"abort": "unusable"}

    def abort(self, model):
        raise ZeroDivisionError("nothing to go back to")


class Outside(Behaves):
    class Within(Behaves):
        pass


class Refuses(Behaves):
    def finish(self, model, dtype):
        raise reloadlab.Rejected("not today")


class RefusesInItsWay(Raises):
    errors = (ValueError,)


class BindsLoaders(Behaves):
    """As some engines do with every function that is an attribute of a parameter."""

    def prepare(self, model):
        for param in model.parameters():
            if isinstance(param.weight_loader, types.FunctionType):
                param.weight_loader = types.MethodType(param.weight_loader, param)


class Crashes(Behaves):
    def finish(self, model, dtype):
        os.kill(os.getpid(), signal.SIGSEGV)


class Hangs(Behaves):
    def finish(self, model, dtype):
        while True:
            time.sleep(1)


class Leaks(Behaves):
    kept = []

    def finish(self, model, dtype):
        self.kept.append(torch.zeros(16))


class DeclaresSomethingElse(Behaves):
    declared = {"completion": "finsh"}


class IsAsync(Behaves):
    async def prepare(self, model):
        pass


class Puts(Behaves):
    """Onto a layer what few have: as any helper, it is looked at as far as it can be."""

    def finish(self, model, dtype):
        for module in model.modules():
            if not hasattr(module, "helper"):
                module.helper = self.made()


class PutsComplex(Puts):
    def made(self):
        return torch.zeros(2, 3, dtype=torch.complex64)


class PutsSparse(Puts):
    def made(self):
        return torch.zeros(2, 3).to_sparse()


class PutsNested(Puts):
    def made(self):
        return torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])


class PutsQuantized(Puts):
    def made(self):
        return torch.quantize_per_tensor(torch.zeros(4), 0.5, 0, torch.quint8)


class KeepsModels(Behaves):
    kept = []

    def record(self, model):
        self.kept.append(model)


class MovesAddresses(Behaves):
    def finish(self, model, dtype):
        for module in model.modules():
            for name, param in list(module._parameters.items()):
                fresh = torch.nn.Parameter(param.data.clone(), requires_grad=False)
                fresh.__dict__.update(param.__dict__)
                setattr(module, name, fresh)


class ThrowsEarly(Behaves):
    def __init__(self, context):
        raise ValueError("too early")


class WrapsForward(Behaves):
    """Calls the layer's own, and has the weights otherwise meanwhile."""

    meanwhile = 1

    def record(self, model):
        for module in model.modules():
            if "weight" in module._parameters:
                module.forward = self.around(module, module.forward)

    def around(self, module, own):
        def forward(*inputs):
            module.weight.data.mul_(self.meanwhile)
            own(*inputs)
            module.weight.data.mul_(1 / self.meanwhile)

        return forward


class DoublesInForward(WrapsForward):
    meanwhile = 2


class LeavesForwardOut(WrapsForward):
    def around(self, module, own):
        return lambda *inputs: None


class CallsForwardTwice(WrapsForward):
    def around(self, module, own):
        return lambda *inputs: (own(), own())


class OtherSystem(Behaves):
    system = "layerwize"


class SaysNothing(Behaves):
    declared = ["abort"]


class NoCandidate:
    pass


class HoldsItself(Behaves):
    """From its third update on what it puts in the place of parameters holds itself."""

    def __init__(self, context):
        super().__init__(context)
        self.updates = 0
        self.live = []

    def prepare(self, model):
        self.updates += 1
        for module in model.modules():
            for name, param in list(module.named_parameters(recurse=False)):
                fresh = type(param)(torch.empty_like(param.data), requires_grad=False)
                fresh.__dict__.update(param.__dict__)
                if self.updates > 2:
                    fresh.myself = fresh
                self.live.append((module, name, param))
                setattr(module, name, fresh)

    def finish(self, model, dtype):
        for module, name, param in self.live:
            param.data.copy_(getattr(module, name).data)
            setattr(module, name, param)
        self.live.clear()

    def abort(self, model):
        for module, name, param in self.live:
            setattr(module, name, param)
        self.live.clear()


class NoExceptions(Behaves):
    errors = ["RuntimeError"]


class Misspelt(reloadlab.Reloader):
    def prepare(self, model):
        pass

    def finnish(self, model, dtype):
        pass
