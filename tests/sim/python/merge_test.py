"""Reports of ranks become one, and what is asked for in other ways than can be answered is refused in words."""

import unittest

import torch

import reloadlab

OLD, NEW = torch.full((4, 3), 1.0), torch.full((4, 3), 2.0)


class Layer(torch.nn.Module):
    def __init__(self, loaded):
        super().__init__()
        self.weight = torch.nn.Parameter(loaded.clone(), requires_grad=False)


def load(layer, loaded):
    layer.weight.copy_(loaded)


def attach(**options):
    return reloadlab.attach(Layer(OLD), load, (OLD, NEW), Layer, **options)


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
            attach(repeat=0)
        with self.assertRaisesRegex(TypeError, "laws is the text 'no_leak', expected a list of names"):
            attach(laws="no_leak")
        with self.assertRaisesRegex(ValueError, "graph_replay is judged of graphs that are given"):
            attach(laws=["graph_replay"])
        self.assertEqual({law.law for law in attach(laws=(law for law in ["no_leak"])).laws}, {"no_leak", "survives"})
        with self.assertRaisesRegex(ValueError, "two checkpoints have one name as texts: 1, '1'"):
            reloadlab.attach(Layer(OLD), load, {1: OLD, "1": NEW}, Layer)
        with self.assertRaisesRegex(ValueError, "extra_bytes is -1, expected 0 or more"):
            attach(extra_bytes=-1)
        with self.assertRaisesRegex(TypeError, "'float' object cannot be interpreted as an integer"):
            attach(repeat=1.5)
        for wrong in (lambda: reloadlab.watch(3), lambda: reloadlab.attach(3, load, (OLD, NEW), Layer)):
            with self.assertRaisesRegex(TypeError, "a model is a torch.nn.Module, not 3"):
                wrong()
        watched = reloadlab.watch(Layer(OLD))
        with watched:
            pass
        with self.assertRaisesRegex(ValueError, "a watch's has no evidence"):
            reloadlab.merge([watched.report])
        with self.assertRaisesRegex(TypeError, "laws is the text"):
            reloadlab.watch(Layer(OLD), laws="no_leak")

    def test_names_and_errors_may_be_anything(self):
        def fails(layer, loaded):
            raise OSError("cannot read /x/\udcff")

        report = reloadlab.attach(Layer(OLD), fails, {"/x/\udcff": OLD, 2: NEW}, Layer)
        self.assertIn(r"cannot read /x/\udcff", report["survives"].what)


if __name__ == "__main__":
    unittest.main()
