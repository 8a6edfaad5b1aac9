"""What a captured graph reads after a reload, on a GPU: run by hand, or by whoever has one."""

import unittest

import torch

import reloadlab


class Model(torch.nn.Module):
    def __init__(self, value):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((256, 256), value, device="cuda"), requires_grad=False)

    def forward(self, x):
        return x @ self.weight


def captured(model):
    x = torch.ones(8, 256, device="cuda")
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        model(x)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = model(x)

    def replay():
        graph.replay()
        return output

    return reloadlab.Graph(replay=replay, cold=lambda cold: cold(x))


def in_place(model, value):
    model.weight.fill_(value)


def replaced(model, value):
    model.weight = torch.nn.Parameter(torch.full((256, 256), value, device="cuda"), requires_grad=False)


@unittest.skipUnless(torch.cuda.is_available(), "needs a GPU")
class OnAGpu(unittest.TestCase):
    def report(self, load):
        model = Model(1.0)
        return reloadlab.attach(model, load, (1.0, 2.0), Model, graphs={"decode": captured(model)}, extra_bytes=1 << 20)

    def test_a_graph_over_a_reload_in_place(self):
        report = self.report(in_place)
        self.assertTrue(report.ok, str(report))
        self.assertEqual(report["graph_replay"].state, "pass")
        self.assertEqual(report["memory_bound"].state, "pass")

    def test_a_graph_over_a_weight_that_went(self):
        report = self.report(replaced)
        self.assertEqual([law.law for law in report.broken], ["address_stable", "graph_replay"])

    def test_watching(self):
        model = Model(1.0)
        watched = reloadlab.watch(model, extra_bytes=0)
        for value in (2.0, 3.0):
            with watched:
                in_place(model, value)
        with self.assertRaisesRegex(reloadlab.LawBroken, "memory_bound"):
            with watched:
                torch.empty(100, device="cuda")


if __name__ == "__main__":
    unittest.main()
