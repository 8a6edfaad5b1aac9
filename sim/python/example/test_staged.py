"""Tests beside the cases: the same reloader on a model of one's own."""

import torch

import reloadlab
from staged import Staged


def cold(value: float) -> torch.nn.Module:
    model = torch.nn.Linear(4, 3).requires_grad_(False)
    for param in model.parameters():
        param.fill_(value)
    return model


def test_a_live_model_is_what_a_cold_start_gives() -> None:
    staged = Staged()

    def load(model: torch.nn.Module, value: float) -> None:
        staged.prepare(model)
        for param in model.parameters():
            param.data.fill_(value)
        staged.finish(model, torch.float32)

    report = reloadlab.attach(cold(1.0), load, (1.0, 2.0), cold)
    assert report.ok, str(report)
