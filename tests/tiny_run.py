"""A run small enough to be trained in a test, and what can be read of it afterwards."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tensorboard.backend.event_processing.event_file_loader import (  # type: ignore[import-untyped]
    RawEventFileLoader,
)
from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[import-untyped]
from torch import Tensor, nn

from srlab.declare.objectives import PixelLoss, PixelObjective
from srlab.declare.protocol import TrainingProtocol
from srlab.declare.study import Run, Variant
from srlab.networks import BatchNorm, EDSROptions, NetworkOptions
from srlab.training.device import ResolvedPrecision
from srlab.training.patch_scores import Batches
from srlab.training.train import Outcome, Progress, Validate, train

CPU = torch.device("cpu")
TINY = EDSROptions(num_blocks=1, num_features=4)
TINY_BATCH_NORM = replace(TINY, batch_norm=BatchNorm(eps=1e-3, momentum=0.1))
PROTOCOL = TrainingProtocol(num_steps=12, batch_size=2, lr_patch_size=6, validate_every=4, checkpoint_every=4)
PREVIEW = (torch.full((1, 3, 6, 6), 0.25), torch.full((1, 3, 12, 12), 0.75))


def tiny_run(
    protocol: TrainingProtocol = PROTOCOL,
    *,
    network: NetworkOptions = TINY_BATCH_NORM,
    loss: PixelLoss = "l1",
    learning_rate: float = 1e-3,
    seed: int = 5,
) -> Run:
    variant = Variant(name="tiny/edsr", network=network, objective=PixelObjective(loss=loss))
    return Run(variant=variant, scale=2, learning_rate=learning_rate, seed=seed, protocol=protocol)


class Noise:
    """Batches of noise: HR is drawn from (seed, step), LR is its mean over 2 x 2 pixels."""

    def __init__(self, channels: int = 3) -> None:
        self.channels = channels

    def batch(self, step: int, *, seed: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(1000 * seed + step)
        hr = torch.rand(2, self.channels, 12, 12, generator=generator)
        return nn.functional.avg_pool2d(hr, 2), hr


def scores(network: nn.Module) -> dict[str, float]:
    """A validation: numbers that depend on the weights, drawing from the global generator on the way."""
    with torch.no_grad():
        sr = network(torch.rand(1, 3, 6, 6))
    return {"psnr_y": 30 + float(sr.mean()), "ssim_y": 0.5}


def train_tiny(
    folder: Path,
    run: Run | None = None,
    *,
    batches: Batches | None = None,
    validate: Validate | None = scores,
    preview: tuple[Tensor, Tensor] | None = PREVIEW,
    precision: ResolvedPrecision = "fp32",
    progress: list[Progress] | None = None,
) -> Outcome:
    reports: list[Progress] = [] if progress is None else progress
    return train(
        run or tiny_run(),
        batches=batches or Noise(),
        validate=validate,
        preview=preview,
        folder=folder,
        device=CPU,
        precision=precision,
        report=reports.append,
    )


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def events(folder: Path) -> list[Any]:
    """Every record of a run's event files, in order."""
    return [
        Event.FromString(record)
        for path in sorted((folder / "tensorboard").iterdir())
        for record in RawEventFileLoader(str(path)).Load()
    ]


def logged(folder: Path) -> Counter[tuple[str, int]]:
    """How often each (tag, step) is in a run's event files."""
    return Counter((value.tag, event.step) for event in events(folder) for value in event.summary.value)
