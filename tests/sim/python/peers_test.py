"""What the bridge does around a release's own code, which stands in here for: it marks the model as vLLM's does."""

import tempfile
import unittest
from pathlib import Path

import torch
from reloadlab.peers import layerwise

RELEASE = """
def record_metadata_for_reloading(model):
    pass


def initialize_layerwise_reload(model):
    model._do_torchao_reload = False


def finalize_layerwise_reload(model, config):
    if model.broken:
        raise RuntimeError("a layer could not be processed")
"""


class Marks(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        reload = Path(folder.name) / "vllm/model_executor/model_loader/reload"
        reload.mkdir(parents=True)
        (reload / "__init__.py").write_text(RELEASE)
        self.release = layerwise.make(Path(folder.name), "0.0.0")(None)
        self.model = torch.nn.Linear(2, 2)
        self.model.broken = False

    def test_go_behind_an_update(self) -> None:
        self.release.prepare(self.model)
        self.assertTrue(hasattr(self.model, "_do_torchao_reload"))
        self.release.finish(self.model, torch.float32)
        self.assertFalse(hasattr(self.model, "_do_torchao_reload"))

    def test_go_where_finishing_fails(self) -> None:
        self.model.broken = True
        self.release.prepare(self.model)
        with self.assertRaises(RuntimeError):
            self.release.finish(self.model, torch.float32)
        self.assertFalse(hasattr(self.model, "_do_torchao_reload"))

    def test_that_were_there_before_stay(self) -> None:
        self.model._do_torchao_reload = False
        self.release.prepare(self.model)
        self.release.finish(self.model, torch.float32)
        self.assertTrue(hasattr(self.model, "_do_torchao_reload"))


if __name__ == "__main__":
    unittest.main()
