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
        class Broken:
            def __getattribute__(self, name):
                raise OSError("gone")

        class Unhashable(type):
            def __eq__(cls, other):
                raise OSError("gone")

        class Odd(metaclass=Unhashable):
            pass

        for thing, said in ((Broken(), "Broken: OSError: gone"), ([Broken()], "Broken: OSError: gone"), (Odd(), "Odd: TypeError: ")):
            def keep(layer, thing=thing):
                layer.__dict__["table"] = thing
                layer.weight.table = thing

            with self.subTest(said), self.assertWarnsRegex(UserWarning, r"reloadlab cannot look into .*extra:table.*, a .*" + said):
                self.assertTrue(attach(keep).ok)

    def test_loads_that_cannot_say_what_is_wrong(self):
        class Silent(Exception):
            def __str__(self):
                raise OSError("gone")

        def fails(layer, loaded):
            raise Silent

        report = reloadlab.attach(Holder(OLD, id), fails, (OLD, NEW), lambda loaded: Holder(loaded, id))
        self.assertEqual(report["survives"].state, "fail")

    def test_containers_that_hide_what_they_hold(self):
        class Items(dict):
            def items(self):
                return ()

        class Rows(list):
            def __iter__(self):
                return iter(())

        for thing in (lambda total: Items(total=total), lambda total: Rows([total])):
            def keep(layer, thing=thing):
                layer.table = thing(layer.weight.sum(1))

            self.assertEqual([law.law for law in attach(keep).broken], ["cold_load_equal"])

    def test_loaders_that_are_wrapped_once_more(self):
        def wrap(loader):
            def wrapper(parameter, loaded):
                return loader(parameter, loaded)

            return wrapper

        def again(layer, loaded):
            layer.weight.weight_loader = wrap(layer.weight.weight_loader)
            load(layer, loaded)

        def keep(layer):
            layer.weight.weight_loader = wrap(torch.Tensor.copy_)

        def made(loaded):
            return Holder(loaded, keep)

        report = reloadlab.attach(made(OLD), again, (OLD, NEW), made)
        self.assertIn("no_residue", [law.law for law in report.broken])

    def test_modules_that_stand_for_others(self):
        ways = {"compiled": lambda module: torch.compile(module, backend="eager"), "scripted": torch.jit.script,
                "traced": lambda module: torch.jit.trace(module, torch.ones(1, 3))}
        for name, way in ways.items():
            for inner in (False, True):
                def made(loaded, way=way, inner=inner):
                    linear = torch.nn.Linear(3, 4, bias=False).requires_grad_(False)
                    linear.weight.copy_(loaded)
                    return torch.nn.Sequential(way(linear)) if inner else way(linear)

                def fill(module, loaded):
                    next(module.parameters()).copy_(loaded)

                with self.subTest(name, inner=inner):
                    report = reloadlab.attach(made(OLD), fill, (OLD, NEW), made)
                    self.assertTrue(report.ok, str(report))
                    stale = reloadlab.attach(made(OLD), lambda module, loaded: None, (OLD, NEW), made)
                    self.assertIn("cold_load_equal", [law.law for law in stale.broken])

    def test_layers_that_cannot_be_processed_twice(self):
        with self.assertRaisesRegex(ValueError, "a parameter of the layer has no shape yet"):
            reloadlab.process_twice(lambda: torch.nn.LazyLinear(3), step=lambda layer: None)

        def expand(layer):
            layer.weight = torch.nn.Parameter(layer.weight.reshape(-1)[:1].expand(4), requires_grad=False)

        with self.assertRaisesRegex(RuntimeError, "weight: what the second run made of it cannot be copied back: unsupported operation"):
            reloadlab.process_twice(lambda: Holder(OLD, id), step=expand)

    def test_names_that_are_no_text(self):
        def keep(layer):
            layer.__dict__["a\udc80"] = [torch.ones(2)]
            layer.__dict__["b\udc80"] = True
            layer.weight.said = "\udc80"

        self.assertTrue(attach(keep).ok)

    def test_other_layouts(self):
        def keep(layer):
            layer.views = [torch.full((2,), 1j).conj(), layer.weight.t().contiguous().to_mkldnn()]

        self.assertEqual([law.law for law in attach(keep).broken], ["cold_load_equal"])
        self.assertTrue(attach(keep, ignore=["extra:views[1]"]).ok)


if __name__ == "__main__":
    unittest.main()
