"""Whether an included network is what its card says: its file, and what it scores on Set5."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch

from srlab.data.catalogue import is_present
from srlab.data.datasets import load_sets
from srlab.folder.checkpoints import load_weights
from srlab.use.evaluation import evaluate_network
from srlab.use.models import Card, file_state
from srlab.use.models.making import pixels_hash

# Float sums differ between processors, and so a few pixels by one level: the mean over a set hardly moves.
TOLERANCES = {"psnr": 0.002, "ssim": 0.0001, "gmsd": 0.0001}
SET = "set5"

Outcome = Literal["equal", "different", "other images", "not scored", "no data", "not tried"]


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What came of it. `scores` are today's, by metric; empty if the network was not scored.

    `outcome`: the scores are ``equal`` to the card's (within `TOLERANCES`) or ``different``; the set here has
    ``other images`` than the card's scores are of; the card has ``not scored`` it; ``no data``: the set is
    not here; ``not tried``, since the file is not the card's.
    """

    card: Card
    file_is_right: bool
    outcome: Outcome
    scores: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_right(self) -> bool:
        """Whether nothing was found that differs from the card."""
        return self.file_is_right and self.outcome != "different"


def verify(card: Card) -> Verification:
    """Compare the weights file with its SHA-256, and score it on Set5 if that set is here."""
    if file_state(card) != "whole":
        return Verification(card=card, file_is_right=False, outcome="not tried")
    expected = card.on(SET)
    if expected is None:
        return Verification(card=card, file_is_right=True, outcome="not scored")
    if not is_present(SET):
        return Verification(card=card, file_is_right=True, outcome="no data")
    (tested,) = load_sets([SET], role="test")
    network = load_weights(card.path).network
    found = [
        evaluation.scores
        for evaluation in evaluate_network(
            network, tested.images, protocol=card.protocol, device=torch.device("cpu")
        )
    ]
    scores = {
        metric: sum(values[metric] for values in found) / len(found)
        for metric in expected.scores
        if metric in found[0]
    }
    outcome: Outcome = "equal" if _is_close(scores, expected.scores) else "different"
    if pixels_hash(image.pixel_hash() for image in tested.images) != expected.pixels:
        outcome = "other images"
    return Verification(card=card, file_is_right=True, outcome=outcome, scores=scores)


def _is_close(found: Mapping[str, float], expected: Mapping[str, float]) -> bool:
    return all(
        abs(value - expected[metric]) <= TOLERANCES[metric.partition("_")[0]]
        for metric, value in found.items()
    )
