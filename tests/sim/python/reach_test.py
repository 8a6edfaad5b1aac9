"""What a walk reaches: wherever a stale tensor is kept it is found, and models that are alike are walked alike."""

import collections
import contextvars
import functools
import operator
import time
import unittest
import weakref

import torch

import reloadlab

OLD, NEW = torch.full((4, 3), 1.0), torch.full((4, 3), 2.0)


class Helper:
    def __init__(self, tensor):
        self.tensor = tensor


class Cache(dict):
    pass


class Step(functools.partial):
    pass


SINGLE = Helper(None)


class Layer(torch.nn.Module):
    kernel = None

    def __init__(self, loaded, keep=None):
        super().__init__()
        self.weight = torch.nn.Parameter(loaded.clone(), requires_grad=False)
        self.keep = keep
        if keep is not None:
            keep(self)

    def process_weights_after_loading(self):
        self.keep(self)


def load(layer, loaded):
    layer.weight.copy_(loaded)


def attach(keep, **options):
    """A layer that derives something once, in `keep`, and is reloaded without that: right if `keep` derives nothing of the weight."""
    layer = type("Own", (Layer,), {})  # classes are changed
    return reloadlab.attach(layer(OLD, keep), load, (OLD, NEW), lambda loaded: layer(loaded, keep), **options)


def dict_with_an_attribute(layer):
    layer.cache = Cache()
    layer.cache.workspace = layer.weight.sum(1)


def partial_with_an_attribute(layer):
    layer.step = Step(max)
    layer.step.workspace = layer.weight.sum(1)


def object_of_the_module(layer):
    SINGLE.tensor = layer.weight.sum(1)


def object_of_the_class(layer):
    type(layer).kernel = Helper(layer.weight.sum(1))


def function_of_the_class(layer):
    total = layer.weight.sum(1)
    type(layer).forward = lambda self, x: x + total


def property_of_the_class(layer):
    total = layer.weight.sum(1)
    type(layer).total = property(lambda self: total)


def factory_of_a_dict(layer):
    total = layer.weight.sum(1)
    layer.table = collections.defaultdict(lambda: total)


def method_caller(layer):
    layer.call = operator.methodcaller("add", layer.weight.sum(1))


def error_that_is_kept(layer):
    layer.last = ValueError("too large", layer.weight.sum(1))


def variable_of_a_context(layer):
    layer.variable = contextvars.ContextVar("total")
    layer.variable.set(layer.weight.sum(1))


DERIVED = (dict_with_an_attribute, partial_with_an_attribute, object_of_the_module, object_of_the_class, function_of_the_class,
           property_of_the_class, factory_of_a_dict, method_caller, error_that_is_kept, variable_of_a_context)


def hook_with_a_constant(layer):
    constant = torch.ones(3)
    layer.register_forward_hook(lambda module, given, output: output * constant)


def set_of_tensors(layer):
    layer.all = {layer.weight, *(torch.full((size,), 0.5) for size in range(2, 8))}


def table_by_id(layer):
    layer.table = {id(layer.weight): torch.ones(2)}


def proxies(layer):
    one = Helper(None)
    layer.weight.owner = layer.back = weakref.proxy(one)
    layer.some = [weakref.proxy(one)]
    layer.weight.list = (weakref.proxy(one),)
    layer.weight.weight_loader = weakref.proxy(one)
    gone = weakref.proxy(one)
    layer.call = lambda: gone
    layer.other = lambda: None
    layer.other.__wrapped__ = weakref.proxy(one)


class Reach(unittest.TestCase):
    def test_what_is_derived_is_found_wherever_it_is_kept(self):
        for keep in DERIVED:
            with self.subTest(keep.__name__):
                self.assertEqual([law.law for law in attach(keep, laws=["cold_load_equal"]).broken], ["cold_load_equal"])
                self.assertFalse(reloadlab.process_twice(lambda: type("Own", (Layer,), {})(OLD, keep)).ok)

    def test_models_that_are_alike_are_walked_alike(self):
        for keep in (hook_with_a_constant, set_of_tensors, table_by_id, proxies):
            with self.subTest(keep.__name__):
                report = attach(keep)
                self.assertTrue(report.ok, str(report))

    def test_numbers_of_the_process_may_change(self):
        def timed(layer, loaded):
            load(layer, loaded)
            SINGLE.seconds = time.perf_counter()

        report = reloadlab.attach(Layer(OLD), timed, (OLD, NEW), Layer)
        self.assertTrue(report.ok, str(report))


class Merge(unittest.TestCase):
    def test_ranks_may_have_files_of_their_own(self):
        files = {f"{name}.{rank}": loaded for name, loaded in (("old", OLD), ("new", NEW)) for rank in (0, 1)}

        def of(rank, load):
            return reloadlab.attach(Layer(OLD), load, (f"old.{rank}", f"new.{rank}"), lambda file: Layer(files[file]), rank=rank, ranks=2)

        def right(layer, file):
            load(layer, files[file])

        whole = reloadlab.merge([of(0, right), of(1, right)])
        self.assertTrue(whole.ok, str(whole))
        wrong = reloadlab.merge([of(0, right), of(1, lambda layer, file: None)])
        self.assertEqual(wrong["cold_load_equal"].rank, 1)
        self.assertEqual(wrong["cold_load_equal"].state, "fail")

    def test_what_was_judged_otherwise_is_of_another_run(self):
        def of(rank, **options):
            return reloadlab.attach(Layer(OLD), load, (OLD, NEW), Layer, rank=rank, ranks=2, **options)

        for options in ({"laws": ["no_leak"]}, {"repeat": 1}):
            with self.assertRaisesRegex(ValueError, "rank 1 was attached with other laws, or for another number of reloads"):
                reloadlab.merge([of(0), of(1, **options)])
        with self.assertRaisesRegex(ValueError, "rank 1 was attached with other extra_bytes"):
            reloadlab.merge([of(0, extra_bytes=1 << 20), of(1, extra_bytes=1000)])
        laws = ["no_leak", "cold_load_equal"]
        self.assertTrue(reloadlab.merge([of(0, laws=laws), of(1, laws=laws[::-1])]).ok)


class Words(unittest.TestCase):
    def test_wrong_arguments(self):
        with self.assertRaisesRegex(ValueError, "repeat is 0, expected 1 at least"):
            attach(None, repeat=0)
        with self.assertRaisesRegex(TypeError, "laws is the text 'no_leak', expected a list of names"):
            attach(None, laws="no_leak")
        with self.assertRaisesRegex(ValueError, "graph_replay is judged of graphs that are given"):
            attach(None, laws=["graph_replay"])
        self.assertEqual({law.law for law in attach(None, laws=(law for law in ["no_leak"])).laws}, {"no_leak", "survives"})
        with self.assertRaisesRegex(ValueError, "two checkpoints have one name as texts: 1, '1'"):
            reloadlab.attach(Layer(OLD), load, {1: OLD, "1": NEW}, Layer)
        with self.assertRaisesRegex(TypeError, "laws is the text"):
            reloadlab.watch(Layer(OLD), laws="no_leak")

    def test_names_and_errors_may_be_anything(self):
        def fails(layer, loaded):
            raise OSError("cannot read /x/\udcff")

        report = reloadlab.attach(Layer(OLD), fails, {1: OLD, 2: NEW}, Layer)
        self.assertIn(r"cannot read /x/\udcff", report["survives"].what)


class Twice(unittest.TestCase):
    def seen(self, keep):
        return reloadlab.process_twice(lambda: Layer(OLD, keep))

    def test_addresses_that_are_numbers(self):
        def keep(layer):
            layer.helper = Helper(layer.weight.sum(1))
            layer.pointer = layer.helper.tensor.data_ptr()
            if not hasattr(layer, "table"):
                layer.table = torch.zeros(2, dtype=torch.int64)
            layer.table.fill_(layer.pointer)

        moved = {each.path: str(each) for each in self.seen(keep).moved}
        self.assertEqual(moved.keys(), {"extra:helper.tensor", "extra:pointer", "extra:table"})
        self.assertRegex(moved["extra:pointer"], r"holds 0x\w+, now holds 0x\w+")

    def test_another_dtype_cannot_be_copied_back(self):
        def keep(layer):
            layer.times = getattr(layer, "times", -1) + 1
            layer.weight = torch.nn.Parameter(layer.weight.to((torch.float32, torch.float16, torch.float32)[layer.times]), requires_grad=False)

        with self.assertRaisesRegex(RuntimeError, "weight: processed once it is float16 .*, processed again float32"):
            self.seen(keep)


if __name__ == "__main__":
    unittest.main()
