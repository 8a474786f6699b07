"""Scores and the protocol they were made under, as values and as a file. Needs no torch.

A number never travels without its protocol: a file of scores has one, and files of two cannot be read as one.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from srlab.declare.metrics import INCLUDED
from srlab.declare.protocol import EvaluationProtocol
from srlab.errors import UserError
from srlab.folder.reading import read, save
from srlab.folder.schema import Score as Score
from srlab.folder.schema import StoredScores as StoredScores


def save_scores(
    path: Path,
    scores: Iterable[Score],
    *,
    protocol: EvaluationProtocol,
    scale: int,
    weights: Mapping[str, str] | None = None,
) -> None:
    """Write `scores` with their protocol as JSON, whole or not at all; infinity is written as "inf".

    `weights` are the SHA-256 of what the metric itself was computed with, by name, where it has any.
    """
    stored = StoredScores(scores=tuple(scores), protocol=protocol, scale=scale, weights=dict(weights or {}))
    _refuse_doubles(stored.scores, where=str(path))
    save(path, stored)


def load_scores(*paths: Path) -> StoredScores:
    """What `save_scores` wrote, of one file or of several that were made under one protocol at one scale.

    Raises:
        UserError: a file is missing or was not written by `save_scores`, the files differ in protocol or
            scale, a metric was computed with different weights, or an image has two values of one metric.
    """
    if not paths:
        raise ValueError("load_scores needs a file")
    first, *others = (_load(path) for path in paths)
    for path, other in zip(paths[1:], others, strict=True):
        if other.protocol != first.protocol:
            raise UserError(
                f"{paths[0]} and {path} were scored under different protocols and cannot be compared: "
                f"{first.protocol}; {other.protocol}"
            )
        if other.scale != first.scale:
            raise UserError(
                f"{paths[0]} and {path} were scored at x{first.scale} and x{other.scale}, so they cannot "
                "be compared"
            )
        both = [
            metric
            for metric in sorted(other.metrics & first.metrics)
            if weights_of(metric, other.weights) != weights_of(metric, first.weights)
        ]
        if both:
            raise UserError(
                f"{', '.join(both)} of {paths[0]} and {path} was computed with different weights and "
                "cannot be compared; run `srlab perceptual` to compute it again"
            )
    scores = [score for stored in (first, *others) for score in stored.scores]
    _refuse_doubles(scores, where=" and ".join(map(str, paths)))
    weights = {name: sha256 for stored in (first, *others) for name, sha256 in stored.weights.items()}
    return StoredScores(scores=tuple(scores), protocol=first.protocol, scale=first.scale, weights=weights)


def weights_of(metric: str, weights: Mapping[str, str]) -> dict[str, str]:
    """Those of a file's weights that the metric was computed with; all of them, where it is not known."""
    names = INCLUDED[metric].weights if metric in INCLUDED else tuple(weights)
    return {name: weights[name] for name in names if name in weights}


def _load(path: Path) -> StoredScores:
    if not path.is_file():
        raise UserError(f"the scores file {path} does not exist")
    return read(path, StoredScores)


def _refuse_doubles(scores: Iterable[Score], *, where: str) -> None:
    counts = Counter((score.dataset, score.image, score.metric) for score in scores)
    for (dataset, image, metric), count in counts.items():
        if count > 1:
            raise UserError(f"{where}: {metric} of {dataset}'s {image} is there {count} times")
