"""What a walk reaches: wherever a stale tensor is kept it is found, and models that are alike are walked alike."""

import collections
import contextvars
import functools
import operator
import queue
import threading
import time
import types
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


class Text(str):
    pass


class Reference(weakref.ref):
    pass


SINGLE = Helper(None)
CURRENT = contextvars.ContextVar("current", default=None)
LOCAL = threading.local()
READY = queue.SimpleQueue()


class Layer(torch.nn.Module):
    __slots__ = ("total",)
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


def default_of_a_variable(layer):
    layer.variable = contextvars.ContextVar("total", default=layer.weight.sum(1))


def variable_of_the_module(layer):
    CURRENT.set(layer.weight.sum(1))


def context(layer):
    layer.context = contextvars.Context()
    layer.context.run(CURRENT.set, layer.weight.sum(1))


def local_of_a_thread(layer):
    LOCAL.total = layer.weight.sum(1)


def queue_of_the_module(layer):
    while not READY.empty():
        READY.get()
    READY.put(layer.weight.sum(1))


def queue_of_the_layer(layer):
    layer.ready = queue.SimpleQueue()
    layer.ready.put(layer.weight.sum(1))


def attribute_of_a_tensor(layer):
    layer.table = torch.ones(2)
    layer.table.total = layer.weight.sum(1)


def attribute_of_a_bare_partial(layer):
    layer.step = functools.partial(max)
    layer.step.total = layer.weight.sum(1)


def attribute_of_a_function(layer):
    layer_function.total = layer.weight.sum(1)


def layer_function():
    pass


def default_of_a_function(layer):
    type(layer).forward = types.FunctionType((lambda self, x, scale: x * scale).__code__, {}, argdefs=(layer.weight.sum(1),))


def attribute_of_a_text(layer):
    layer.text = Text("linear")
    layer.text.total = layer.weight.sum(1)


def attribute_of_a_reference(layer):
    layer.back = Reference(layer)
    layer.back.total = layer.weight.sum(1)


def cause_of_an_error(layer):
    layer.last = ValueError("too large")
    layer.last.__cause__ = ValueError(layer.weight.sum(1))


def generator_that_waits(layer):
    async def rows(total):
        yield total

    layer.rows = rows(layer.weight.sum(1))


def key_to_sort_by(layer):
    layer.key = functools.cmp_to_key(lambda one, other: 0)(layer.weight.sum(1))


def finalizer(layer):
    layer.end = weakref.finalize(layer, len, layer.weight.sum(1))


def module_beside(layer):
    layer.beside = BESIDE
    BESIDE.table = [layer.weight.sum(1)]


def hook_of_a_module_in_a_list(layer):
    total = layer.weight.sum(1)
    layer.inner = [torch.nn.Identity()]
    layer.inner[0].register_forward_hook(lambda module, given, output: output * total)


def hook_of_a_tensor(layer):
    total = layer.weight.sum(1)
    layer.tables = [torch.nn.Parameter(torch.ones(4))]
    layer.tables[0].register_hook(lambda grad: grad * total)


def slot_of_the_module(layer):
    layer.total = layer.weight.sum(1)


def storage(layer):
    layer.kept = layer.weight.sum(1).untyped_storage()


class Registry:
    scales = {}

    class Inner:
        total = []


REGISTRY = Registry()


class Single(type):
    made = {}


class Kernels(metaclass=Single):
    pass


def table_of_a_class(layer):
    Registry.scales["weight"] = layer.weight.sum(1)


def table_of_an_inner_class(layer):
    Registry.Inner.total[:] = [layer.weight.sum(1)]


def table_of_a_class_of_classes(layer):
    layer.kernels = Kernels()
    Single.made["weight"] = layer.weight.sum(1)


def table_of_an_imported_module(layer):
    imported_tables.SCALES["weight"] = layer.weight.sum(1)


imported_tables = types.ModuleType("imported_tables")
imported_tables.SCALES = {}

BESIDE = types.ModuleType("beside")

DERIVED = (dict_with_an_attribute, partial_with_an_attribute, object_of_the_module, object_of_the_class, function_of_the_class,
           property_of_the_class, factory_of_a_dict, method_caller, error_that_is_kept, variable_of_a_context, default_of_a_variable,
           variable_of_the_module, context, local_of_a_thread, queue_of_the_module, queue_of_the_layer, attribute_of_a_tensor,
           attribute_of_a_bare_partial, attribute_of_a_function, default_of_a_function, attribute_of_a_text, attribute_of_a_reference,
           cause_of_an_error, generator_that_waits, key_to_sort_by, finalizer, module_beside, hook_of_a_module_in_a_list, hook_of_a_tensor,
           slot_of_the_module, storage, table_of_a_class, table_of_an_inner_class, table_of_a_class_of_classes, table_of_an_imported_module)


def hook_with_a_constant(layer):
    constant = torch.ones(3)
    layer.register_forward_hook(lambda module, given, output: output * constant)


def set_of_tensors(layer):
    layer.all = {layer.weight, *(torch.full((size,), 0.5) for size in range(2, 8))}


def set_of_tensors_that_differ_in_what_they_hold(layer):
    layer.all = {torch.full((2,), value) for value in range(8)}


def sets_in_a_set(layer):
    layer.all = {frozenset((torch.full((2,), value), value)) for value in range(8)}


def set_of_helpers(layer):
    layer.all = {Helper(torch.full((2,), value)) for value in range(8)}


def set_of_calls(layer):
    layer.all = {functools.partial(max, torch.full((2,), value)) for value in range(8)} | {(torch.full((2,), value),) for value in range(8)}


def only_a_set(loaded):
    """Two tensors that nothing but what they hold tells apart, which changes places with the checkpoint."""
    layer = Layer(loaded)
    layer.all = {loaded.sum(1), loaded.sum(1) * 0 + 4.5}
    return layer


def fill_in_place(layer, loaded):
    for each in layer.all:
        if each[0] != 4.5:
            each.copy_(loaded.sum(1))
    load(layer, loaded)


SCALES = weakref.WeakKeyDictionary()


def table_with_weak_keys(layer):
    SCALES[layer] = torch.full((2,), 0.5)


def by_module(layer):
    layer.beside = {layer: torch.ones(2), layer.weight: torch.zeros(2)}


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
        for keep in (hook_with_a_constant, set_of_tensors, set_of_tensors_that_differ_in_what_they_hold, sets_in_a_set, set_of_helpers,
                     set_of_calls, by_module, table_with_weak_keys, table_by_id, proxies):
            with self.subTest(keep.__name__):
                report = attach(keep)
                self.assertTrue(report.ok, str(report))

    def test_a_set_that_is_filled_in_place(self):
        def right(layer, loaded):
            load(layer, loaded)
            for each, fresh in zip(layer.in_order, (loaded.sum(1), -loaded.sum(1))):
                each.copy_(fresh)

        def ordered(loaded):
            layer = Layer(loaded)
            layer.in_order = [loaded.sum(1), -loaded.sum(1)]
            layer.all = set(layer.in_order)
            return layer

        report = reloadlab.attach(ordered(OLD), right, (OLD, NEW), ordered)
        self.assertTrue(report.ok, str(report))
        report = reloadlab.attach(only_a_set(OLD), fill_in_place, (OLD, NEW), only_a_set)
        self.assertTrue(report.ok, str(report))
        report = reloadlab.attach(only_a_set(OLD), load, (OLD, NEW), only_a_set)
        self.assertEqual([law.law for law in report.broken], ["cold_load_equal"])

    def test_what_a_cold_model_had_for_itself_may_go_with_it(self):
        def made(loaded):
            layer = Layer(loaded)
            SCALES[layer] = loaded.sum(1)
            return layer

        def right(layer, loaded):
            load(layer, loaded)
            SCALES[layer].copy_(loaded.sum(1))

        report = reloadlab.attach(made(OLD), right, (OLD, NEW), made)
        self.assertTrue(report.ok, str(report))
        stale = reloadlab.attach(made(OLD), load, (OLD, NEW), made)
        self.assertEqual([law.tensor for law in stale.broken], [f"process:{__name__}.SCALES.data[<>]"])

    def test_what_only_waits_for_the_collector_is_no_leak(self):
        class Temporary:
            def __init__(self):
                self.weight = torch.ones(1000)
                self.me = self

        def leaves_a_cycle(layer, loaded):
            Temporary()
            load(layer, loaded)

        report = reloadlab.attach(Layer(OLD), leaves_a_cycle, (OLD, NEW), Layer, repeat=4)
        self.assertTrue(report.ok, str(report))

    def test_what_is_ignored_may_change(self):
        def counted(layer, loaded):
            load(layer, loaded)
            layer.calls.add_(1)
            SINGLE.tensor = layer.calls.clone()

        def made(loaded):
            layer = Layer(loaded)
            layer.calls = torch.zeros(1)
            return layer

        def seen(**options):
            return reloadlab.attach(made(OLD), counted, (OLD, NEW), made, **options)

        names = {f"extra:calls", f"process:{__name__}.SINGLE.tensor"}
        self.assertEqual({law.tensor for law in seen(ignore=[f"process:{__name__}.SINGLE"]).broken}, {"extra:calls"})
        self.assertFalse(seen(ignore=["extra:call", "extra:calls.of", "process"]).ok)
        with self.assertRaisesRegex(TypeError, "ignore has 3, expected names"):
            seen(ignore=["extra:calls", 3])
        report = seen(ignore=["*:calls", f"process:{__name__}.SINGLE"])
        self.assertTrue(report.ok, str(report))
        watched = reloadlab.watch(made(OLD), ignore=names)
        with watched:
            pass
        with self.assertRaisesRegex(TypeError, "ignore is the text 'extra:calls', expected a list of names"):
            seen(ignore="extra:calls")

    def test_numbers_of_the_process_may_change(self):
        def timed(layer, loaded):
            load(layer, loaded)
            SINGLE.seconds = time.perf_counter()

        report = reloadlab.attach(Layer(OLD), timed, (OLD, NEW), Layer)
        self.assertTrue(report.ok, str(report))


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

    def test_addresses_wherever_numbers_are_kept(self):
        def keep(layer):
            layer.helper = Helper(torch.ones(4))
            at = layer.helper.tensor[1].data_ptr()
            layer.pair = (at, 1)
            layer.sizes = {at: 3}
            layer.table = torch.tensor([at], dtype=torch.uint64)

        moved = {each.path for each in self.seen(keep).moved}
        self.assertEqual(moved, {"extra:helper.tensor", "extra:pair[0]", "extra:sizes.keys[0]", "extra:table"})

    def test_another_dtype_cannot_be_copied_back(self):
        def keep(layer):
            layer.times = getattr(layer, "times", -1) + 1
            layer.weight = torch.nn.Parameter(layer.weight.to((torch.float32, torch.float16, torch.float32)[layer.times]), requires_grad=False)

        with self.assertRaisesRegex(RuntimeError, "weight: processed once it is float16 .*, processed again float32"):
            self.seen(keep)


if __name__ == "__main__":
    unittest.main()
