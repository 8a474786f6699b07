"""Adversarial runs that are killed and started again: a program for test_resume_adversarial.py."""

import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

from torch import Tensor, nn

import killed_runs
from srlab.declare.objectives import AdversarialObjective
from srlab.declare.protocol import TrainingProtocol
from srlab.declare.study import Run, Variant
from srlab.networks import DiscriminatorOptions
from tiny_run import TINY_BATCH_NORM, Noise, train_tiny

SMALL = DiscriminatorOptions(num_features=(4,) * 8)  # whole, its checkpoint has 280 MB
RUN = Run(
    variant=Variant(
        name="tiny/gan",
        network=TINY_BATCH_NORM,
        objective=AdversarialObjective(content="pixels", pixel_weight=0.1, discriminator=SMALL),
    ),
    scale=4,
    learning_rate=1e-3,
    seed=5,
    protocol=TrainingProtocol(num_steps=12, batch_size=2, lr_patch_size=24, checkpoint_every=4),
)
KILLS = {
    name: killed_runs.KILLS[name]
    for name in (
        "before the first checkpoint",
        "between two checkpoints",
        "while a later checkpoint is written",
        "after the last checkpoint",
    )
}


class LargeNoise(Noise):
    """Batches whose HR patches are those that the discriminator judges."""

    def batch(self, step: int, *, seed: int) -> tuple[Tensor, Tensor]:
        _, hr = super().batch(step, seed=seed)
        hr = nn.functional.interpolate(hr, size=96, mode="bilinear")
        return nn.functional.avg_pool2d(hr, 4), hr


def train_adversarial(folder: Path, *, batches: Noise | None = None, **others: Any) -> None:
    train_tiny(folder, RUN, batches=batches or LargeNoise(), preview=None, validate=None, **others)


if __name__ == "__main__":
    with (
        patch.object(killed_runs, "Noise", LargeNoise),
        patch.object(killed_runs, "train_tiny", train_adversarial),
    ):
        killed_runs.main(Path(sys.argv[1]), KILLS)
