"""Models of unusual parts: compiled ones, whose compiler keeps graphs in the model and in the modules of its functions, tensors that consist
of others or lie in other layouts, and objects that nobody can look into."""

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


class Quantized(torch.Tensor):
    """Two tensors that stand for one, as quantized weights do."""

    @staticmethod
    def __new__(cls, values, scale):
        return torch.Tensor._make_wrapper_subclass(cls, values.shape, dtype=torch.float32)

    def __init__(self, values, scale):
        self.values, self.scale = values, scale

    def __tensor_flatten__(self):
        return ["values", "scale"], None

    @classmethod
    def __torch_dispatch__(cls, function, kinds, args=(), kwargs=None):
        if function is torch.ops.aten.detach.default:
            return Quantized(args[0].values, args[0].scale)
        plain = [each.values.float() * each.scale if isinstance(each, Quantized) else each for each in args]
        return function(*plain, **(kwargs or {}))


def quantized(loaded):
    return loaded.sign().to(torch.int8), loaded.abs().max()


class OfQuantized(torch.nn.Module):
    def __init__(self, loaded, kind="parameter"):
        super().__init__()
        weight = Quantized(*quantized(loaded))
        if kind == "buffer":
            self.register_buffer("weight", weight)
        else:
            self.weight = torch.nn.Parameter(weight, requires_grad=False) if kind == "parameter" else weight


class Holder(torch.nn.Module):
    def __init__(self, loaded, keep):
        super().__init__()
        self.weight = torch.nn.Parameter(loaded.clone(), requires_grad=False)
        keep(self)


def attach(keep, **options):
    return reloadlab.attach(Holder(OLD, keep), load, (OLD, NEW), lambda loaded: Holder(loaded, keep), **options)


class Unusual(unittest.TestCase):
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

    def test_weights_that_consist_of_others(self):
        def right(layer, loaded):
            values, scale = quantized(loaded)
            layer.weight.values.copy_(values)
            layer.weight.scale.copy_(scale)

        for kind in ("parameter", "buffer", "attribute"):
            with self.subTest(kind):
                def made(loaded, kind=kind):
                    return OfQuantized(loaded, kind)

                report = reloadlab.attach(made(OLD), right, (OLD, NEW), made)
                self.assertTrue(report.ok, str(report))
                stale = reloadlab.attach(made(OLD), lambda layer, loaded: None, (OLD, NEW), made)
                self.assertIn("cold_load_equal", [law.law for law in stale.broken])
        twice = reloadlab.process_twice(lambda: OfQuantized(OLD), step=lambda layer: None)
        self.assertTrue(twice.ok, str(twice))

    def test_what_cannot_be_looked_into_is_told(self):
        class Broken(dict):
            def items(self):
                raise OSError("gone")

        def keep(layer):
            layer.table = Broken()

        with self.assertWarnsRegex(UserWarning, r"reloadlab cannot look into extra:table, a .*Broken: OSError: gone"):
            self.assertTrue(attach(keep).ok)

    def test_other_layouts(self):
        def keep(layer):
            layer.views = [torch.full((2,), 1j).conj(), layer.weight.t().contiguous().to_mkldnn()]

        self.assertEqual([law.law for law in attach(keep).broken], ["cold_load_equal"])
        self.assertTrue(attach(keep, ignore=["extra:views[1]"]).ok)


if __name__ == "__main__":
    unittest.main()
