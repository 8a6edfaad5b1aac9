"""A small model and ways to reload it, right and wrong, judged in this process."""

import contextlib
import functools
import itertools
import types
import unittest

import torch

import reloadlab

TABLES = {}


class Kernel:
    """What an engine compiles once and keeps: it reads the tensors of that time."""

    __slots__ = ("scale",)

    def __init__(self, scale):
        self.scale = scale


class Layer(torch.nn.Module):
    def __init__(self, value):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((4, 3), value), requires_grad=False)
        self.weight.output_dim = 0
        self.register_buffer("scale", torch.full((1,), value), persistent=False)
        self.kernel = Kernel(self.scale)
        host = float(value)
        self.run = lambda x: x * host


class Model(torch.nn.Module):
    def __init__(self, value):
        super().__init__()
        self.layers = torch.nn.ModuleList([Layer(value), Layer(value)])
        self.head = Layer(value)
        self.head.weight = self.layers[0].weight  # tied


def in_place(model, value):
    with torch.no_grad():
        for layer in (*model.layers, model.head):
            layer.weight.fill_(value)
            layer.scale.fill_(value)
            layer.run = functools.partial(torch.mul, value) if isinstance(layer.run, functools.partial) else layer_run(value)


def layer_run(value):
    host = float(value)
    return lambda x: x * host


def attach(load, **options):
    return reloadlab.attach(Model(1.0), load, (1.0, 2.0), Model, **options)


def broken(report):
    return [law.law for law in report.broken]


class Attach(unittest.TestCase):
    def tearDown(self):
        TABLES.clear()

    def test_what_reloads_in_place_keeps_all_laws(self):
        report = attach(in_place, extra_bytes=1000)
        self.assertTrue(report.ok, str(report))
        for law in ("cold_load_equal", "return_exact", "address_stable", "no_residue", "no_leak", "memory_bound"):
            self.assertEqual(report[law].state, "pass", law)

    def test_a_helper_that_keeps_the_old_scale(self):
        def load(model, value):
            in_place(model, value)
            for layer in model.layers:
                layer.scale = torch.full((1,), value)

        report = attach(load)
        self.assertEqual(broken(report), ["cold_load_equal", "return_exact", "address_stable"])
        self.assertEqual(report["cold_load_equal"].tensor, "layers.0.extra:kernel.scale")
        self.assertIn("layers.0.extra:kernel.scale", str(report))

    def test_a_number_in_a_closure_that_is_stale(self):
        def load(model, value):
            runs = [layer.run for layer in model.layers]
            in_place(model, value)
            for layer, run in zip(model.layers, runs):
                layer.run = run

        report = attach(load)
        self.assertEqual(broken(report), ["cold_load_equal"])
        self.assertEqual(report["cold_load_equal"].tensor, "layers.0.extra:run.closure:host")

    def test_tensors_that_iterators_and_generators_hold(self):
        def batches(table):
            yield from zip(itertools.repeat(table), ())
            yield table

        for held, tensor in (
            (lambda table: iter([table]), "extra:rows.of[0][0]"),
            (lambda table: map(table.add, [1]), "extra:rows.of[1].self"),
            (batches, "extra:rows.table"),
        ):
            def cold(value, held=held):
                model = Model(value)
                model.head.rows = held(torch.full((2,), value))
                return model

            report = reloadlab.attach(cold(1.0), in_place, (1.0, 2.0), cold)
            self.assertEqual(broken(report), ["cold_load_equal"])
            self.assertEqual(report["cold_load_equal"].tensor, f"head.{tensor}")

    def test_a_parameter_that_is_another_one(self):
        def load(model, value):
            in_place(model, value)
            model.layers[1].weight = torch.nn.Parameter(torch.full((4, 3), value), requires_grad=False)
            model.layers[1].weight.output_dim = 0

        report = attach(load)
        self.assertEqual(broken(report), ["address_stable"])
        self.assertEqual(report["address_stable"].tensor, "layers.1.weight")

    def test_names_that_were_one_and_are_two(self):
        def load(model, value):
            in_place(model, value)
            model.head.weight = torch.nn.Parameter(model.layers[0].weight.data, requires_grad=False)
            model.head.weight.output_dim = 0

        self.assertEqual(broken(attach(load)), ["address_stable"])

    def test_what_is_left_on_parameters(self):
        def load(model, value):
            in_place(model, value)
            model.layers[0].weight.weight_loader = load

        report = attach(load)
        self.assertIn("no_residue", broken(report))
        self.assertEqual(report["no_residue"].tensor, "layers.0.weight")

    def test_what_grows(self):
        def load(model, value):
            in_place(model, value)
            TABLES[len(TABLES)] = torch.zeros(3)

        report = attach(load)
        self.assertEqual(broken(report), ["no_leak"])
        self.assertRegex(str(report), "reload to [AB]")

    def test_memory_beside_the_model(self):
        def load(model, value):
            torch.zeros(1000)
            in_place(model, value)

        self.assertEqual(broken(attach(load, extra_bytes=3999)), ["memory_bound"])
        self.assertEqual(broken(attach(load, extra_bytes=5000)), [])

    def test_a_table_of_the_process_that_moves(self):
        TABLES["rows"] = torch.zeros(4)

        def load(model, value):
            in_place(model, value)
            TABLES["rows"] = torch.zeros(4)

        report = attach(load)
        self.assertEqual(report["address_stable"].tensor, f"process:{__name__}.TABLES['rows']")

    def test_a_table_of_the_process_that_is_stale(self):
        def cold(value):
            TABLES["rows"] = TABLES.get("rows", torch.zeros(4)).fill_(value)
            TABLES["calls"] = torch.full((2,), 7.0)  # of no checkpoint, and whoever calls the model writes it
            return Model(value)

        def right(model, value):
            in_place(model, value)
            TABLES["rows"].fill_(value)
            TABLES["calls"].add_(1)

        self.assertEqual(broken(reloadlab.attach(cold(1.0), right, (1.0, 2.0), cold, laws=["cold_load_equal"])), [])
        report = reloadlab.attach(cold(1.0), in_place, (1.0, 2.0), cold)
        self.assertEqual(broken(report), ["cold_load_equal"])
        self.assertEqual(report["cold_load_equal"].tensor, f"process:{__name__}.TABLES['rows']")

    def test_what_is_left_on_modules(self):
        def wraps(model):
            forward = model.head.forward
            model.head.forward = lambda *args: forward(*args)

        def hooks(model):
            model.layers[0].register_forward_hook(lambda *args: None)

        def becomes_another(model):
            model.head.__class__ = type("Quick" + type(model.head).__name__, (type(model.head),), {})

        for leave, word in ((wraps, "head.forward=<lambda>(_forward_unimplemented)"), (hooks, "layers.0._forward_hooks=1"),
                            (becomes_another, "head.class=QuickLayer")):
            def load(model, value, leave=leave):
                in_place(model, value)
                leave(model)

            report = attach(load)
            self.assertIn("no_residue", broken(report), word)
            self.assertIn(f'the model\'s flags are "{word}"', report["no_residue"].what)

    def test_places_that_few_look_into(self):
        class Registry:
            rows = None

        for place, name in (
            (lambda table: types.MappingProxyType({"rows": table}), "head.extra:place['rows']"),
            (lambda table: {"rows": table}.values(), "head.extra:place[0]"),
            (lambda table: types.CellType(table), "head.extra:place.contents"),
            (lambda table: staticmethod(lambda: table), "head.extra:place.closure:table"),
            (lambda table: (setattr(Registry, "rows", table), Registry)[1], f"process:{__name__}.{Registry.__qualname__}.rows"),
        ):
            def cold(value, place=place):
                model = Model(value)
                model.head.place = place(torch.full((2,), value))
                return model

            report = reloadlab.attach(cold(1.0), in_place, (1.0, 2.0), cold)
            self.assertIn("cold_load_equal", broken(report), name)
            self.assertEqual(report["cold_load_equal"].tensor, name)

    def test_tensors_without_memory_of_their_own(self):
        def sparse(value):
            return torch.sparse_coo_tensor([[0, 1]], [value, value], (3,), check_invariants=False)

        def nested(value):
            return torch.nested.nested_tensor([torch.full((2,), value), torch.full((3,), value)])

        for make in (sparse, lambda value: torch.tensor([[value, value, 0]]).to_sparse_csr(), nested):
            def cold(value, make=make):
                model = Model(value)
                model.register_buffer("rows", make(value))
                model.lazy = torch.nn.LazyLinear(3)
                return model

            def load(model, value):
                in_place(model, value)
                (model.rows._values if model.rows.layout is torch.sparse_coo else model.rows.values)().fill_(value)

            self.assertEqual(broken(reloadlab.attach(cold(1.0), load, (1.0, 2.0), cold)), [])
            report = reloadlab.attach(cold(1.0), in_place, (1.0, 2.0), cold)
            self.assertEqual(broken(report), ["cold_load_equal"])
            self.assertEqual(report["cold_load_equal"].tensor, "rows.extra:values")
            with reloadlab.watch(cold(1.0)):
                pass

    def test_a_reload_that_raises(self):
        def load(model, value):
            raise RuntimeError("no such tensor")

        report = attach(load)
        self.assertIn("survives", broken(report))
        self.assertIn("RuntimeError: no such tensor", str(report))

    def test_a_graph_that_reads_what_was_there(self):
        model = Model(1.0)
        captured = model.layers[0].weight

        def load(model, value):
            in_place(model, value)
            model.layers[0].weight = torch.nn.Parameter(torch.full((4, 3), value), requires_grad=False)
            model.layers[0].weight.output_dim = 0
            model.head.weight = model.layers[0].weight

        graph = reloadlab.Graph(replay=lambda: captured * 2, cold=lambda cold: cold.layers[0].weight * 2)
        report = reloadlab.attach(model, load, {"old": 1.0, "new": 2.0}, Model, graphs={"decode": graph})
        self.assertIn("graph_replay", broken(report))
        self.assertIn("cold with old", report["graph_replay"].what)

    def test_ranks_are_put_together(self):
        def wrong(model, value):
            in_place(model, value)
            model.layers[1].weight.data[0] = 7

        reports = [attach(load, rank=rank, ranks=2) for rank, load in ((1, wrong), (0, in_place))]
        whole = reloadlab.merge(reports)
        self.assertEqual(broken(whole), ["cold_load_equal", "return_exact"])
        self.assertEqual(whole["cold_load_equal"].rank, 1)
        with self.assertRaisesRegex(ValueError, "rank 0 of 2 is missing"):
            reloadlab.merge(reports[:1])

    def test_wrong_arguments(self):
        with self.assertRaisesRegex(ValueError, 'did you mean "address_stable"'):
            attach(in_place, laws=["adress_stable"])
        with self.assertRaisesRegex(ValueError, "two checkpoints"):
            reloadlab.attach(Model(1.0), in_place, (1.0,), Model)
        with self.assertRaisesRegex(ValueError, "there is no rank 3 of 2"):
            attach(in_place, rank=3, ranks=2)
        with self.assertRaisesRegex(ValueError, "checkpoints A and B are the same"):
            reloadlab.attach(Model(1.0), in_place, (1.0, 1.0), Model)
        with self.assertRaisesRegex(TypeError, "has to give a torch.nn.Module, and gave None for checkpoint B"):
            reloadlab.attach(Model(1.0), in_place, (1.0, 2.0), lambda checkpoint: None)
        with self.assertRaisesRegex(TypeError, "graphs has to be a mapping of names to reloadlab.Graph"):
            attach(in_place, graphs=[reloadlab.Graph(None, None)])
        with self.assertRaisesRegex(TypeError, "takes reports of attach"):
            reloadlab.merge([1])

    def test_checkpoints_are_called_as_paths_are(self):
        def load(model, path):
            in_place(model, float(path))
            TABLES[len(TABLES)] = torch.zeros(3)

        report = reloadlab.attach(Model(1.0), load, ("1.0", "2.0"), lambda path: Model(float(path)))
        self.assertRegex(str(report), r"reload to [12]\.0\n")


class Watch(unittest.TestCase):
    def test_one_watch_for_many_updates(self):
        model = Model(1.0)
        watched = reloadlab.watch(model)
        for value in (2.0, 1.0, 3.0):
            with watched:
                in_place(model, value)
            self.assertTrue(watched.report.ok, str(watched.report))
        self.assertEqual(watched.report["no_leak"].state, "pass")
        with self.assertRaisesRegex(reloadlab.LawBroken, "layers.0.scale"):
            with watched:
                model.layers[0].scale = torch.ones(1)
        with watched:  # the next one begins where that one ended
            in_place(model, 4.0)

    def test_memory_that_each_update_keeps(self):
        model, kept = Model(1.0), []
        watched = reloadlab.watch(model)
        with watched:
            kept.append(torch.zeros(10))
        with self.assertRaisesRegex(reloadlab.LawBroken, "reload to update 2\n.*40 more bytes"):
            with watched:
                kept.append(torch.zeros(10))

    def test_what_the_update_raises_is_what_comes_out(self):
        watched = reloadlab.watch(Model(1.0))
        with self.assertRaisesRegex(KeyError, "lost"):
            with watched:
                raise KeyError("lost")
        self.assertIn("survives", broken(watched.report))

    def test_an_update_behind_one_that_raised_is_not_blamed_for_it(self):
        model = Model(1.0)
        watched = reloadlab.watch(model)
        for value in (2.0, 3.0):
            with self.assertRaises(KeyError):
                with watched:
                    raise KeyError("lost")
            with watched:
                in_place(model, value)
            self.assertTrue(watched.report.ok, str(watched.report))

    def test_somebody_else_decides(self):
        model, reports = Model(1.0), []
        with reloadlab.watch(model, on_broken=reports.append):
            model.layers[0].scale = torch.ones(1)
        self.assertEqual(broken(reports[0]), ["address_stable"])

    def test_it_is_not_entered_twice(self):
        watched = reloadlab.watch(Model(1.0))
        with watched, self.assertRaisesRegex(RuntimeError, "in an update already"):
            watched.__enter__()


class Quantized(torch.nn.Module):
    def __init__(self, method):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(4, 3), requires_grad=False)
        self.quant_method = method


class Transposes:
    def process_weights_after_loading(self, layer):
        layer.weight = torch.nn.Parameter(layer.weight.data.t().contiguous(), requires_grad=False)


class TransposesForAKernel(Transposes):
    def process_weights_after_loading(self, layer):
        super().process_weights_after_loading(layer)
        layer.kernel = Kernel(layer.weight)


class Squeezes:
    def process_weights_after_loading(self, layer):
        if not hasattr(layer, "done"):
            layer.weight = torch.nn.Parameter(layer.weight.data[:2].clone(), requires_grad=False)
        layer.done = True


class Twice(unittest.TestCase):
    def test_a_step_that_may_run_again(self):
        seen = reloadlab.process_twice(lambda: Quantized(Transposes()))
        self.assertTrue(seen.ok, str(seen))
        self.assertEqual(seen.held, 1)

    def test_every_address_that_moved(self):
        seen = reloadlab.process_twice(lambda: Quantized(TransposesForAKernel()))
        self.assertEqual([each.path for each in seen.moved], ["extra:kernel.scale"])
        self.assertIn("1 of 2 tensors moved", str(seen))

    def test_a_table_of_the_process(self):
        with contextlib.ExitStack() as stack:
            stack.callback(TABLES.clear)

            def step(layer):
                TABLES["rows"] = torch.zeros(3)

            seen = reloadlab.process_twice(lambda: Quantized(None), step)
            self.assertEqual([each.path for each in seen.moved], [f"process:{__name__}.TABLES['rows']"])

    def test_steps_that_cannot_be_judged(self):
        with self.assertRaisesRegex(RuntimeError, r"weight: processed once it is float32 \[2, 3\], processed again float32 \[4, 3\]"):
            reloadlab.process_twice(lambda: Quantized(Squeezes()))
        with self.assertRaisesRegex(ValueError, "has no process_weights_after_loading"):
            reloadlab.process_twice(lambda: Quantized(None))


if __name__ == "__main__":
    unittest.main()
