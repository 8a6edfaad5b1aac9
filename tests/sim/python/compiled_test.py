"""Models that torch compiles: what its compiler keeps, in the model and in the modules of its functions, is looked past."""

import unittest

import torch

import reloadlab

OLD, NEW = torch.full((4, 3), 1.0), torch.full((4, 3), 2.0)


@torch.compile(backend="eager")
def fused(given, weight):
    return torch.relu(given @ weight.t())


class Compiled(torch.nn.Module):
    def __init__(self, loaded):
        super().__init__()
        self.weight = torch.nn.Parameter(loaded.clone(), requires_grad=False)
        self.fast = torch.compile(self.double, backend="aot_eager")
        self.compile(backend="eager")

    def double(self, given):
        return given * 2 * self.weight.sum()

    def forward(self, given):
        return fused(given, self.weight)


def load(layer, loaded):
    layer.weight.copy_(loaded)


class Attach(unittest.TestCase):
    def test_models_that_are_compiled(self):
        def compiled(loaded):
            layer = Compiled(loaded)
            layer.fast(layer(torch.ones(1, 3)))
            return layer

        report = reloadlab.attach(compiled(OLD), load, (OLD, NEW), compiled)
        self.assertTrue(report.ok, str(report))
        layer = compiled(OLD)
        watched = reloadlab.watch(layer)
        for rows in (2, 3, 4):
            with watched:
                load(layer, NEW)
            layer.fast(layer(torch.ones(rows, 3)))  # traced anew, for sizes that are symbols from then on


if __name__ == "__main__":
    unittest.main()
