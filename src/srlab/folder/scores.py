"""Scores and the protocol they were made under, as values and as a file. Needs no torch.

A number never travels without its protocol: a file of scores has one, and files of two cannot be read as one.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from srlab.declare.metrics import INCLUDED
from srlab.declare.protocol import EvaluationProtocol
from srlab.errors import UserError
from srlab.folder import shapes
from srlab.folder.store import check_shape, load_object, save_json

_FORMAT = "srlab scores"
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Score:
    """What one image of a data set got under one metric (``psnr_y`` in dB, ``ssim_y``, ...).

    Equal pictures have an infinite PSNR. NaN is not a score: a number that is missing is left out.
    """

    dataset: str
    image: str
    metric: str
    value: float

    def __post_init__(self) -> None:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise TypeError(f"{self.metric} of {self.image} must be a number, not {self.value!r}")
        if math.isnan(self.value) or self.value == -math.inf:
            raise ValueError(f"{self.metric} of {self.image} is {self.value}, which is no score")


@dataclass(frozen=True, kw_only=True)
class StoredScores:
    """Scores that may be compared: one protocol, one scale.

    `weights` are the SHA-256 of what the metrics were computed with, by name; empty if they need none.
    """

    scores: tuple[Score, ...]
    protocol: EvaluationProtocol
    scale: int
    weights: Mapping[str, str] = field(default_factory=dict)

    @property
    def metrics(self) -> set[str]:
        """Their names."""
        return {score.metric for score in self.scores}


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
    rows = list(scores)
    _refuse_doubles(rows, where=str(path))
    save_json(
        path,
        {
            "format": _FORMAT,
            "version": _VERSION,
            "protocol": asdict(protocol),
            "scale": scale,
            **({"weights": dict(weights)} if weights else {}),
            "scores": [{**asdict(score), "value": to_json(score.value)} for score in rows],
        },
    )


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


def to_json(value: float) -> float | str:
    """A score as JSON can hold it: infinity, which JSON does not have, is the string "inf".

    >>> to_json(33.66), to_json(math.inf)
    (33.66, 'inf')
    """
    return "inf" if value == math.inf else value


def _load(path: Path) -> StoredScores:
    if not path.is_file():
        raise UserError(f"the scores file {path} does not exist")
    values = load_object(path)
    if values.get("format") != _FORMAT:
        raise UserError(f"{path} is not a scores file of srlab")
    if values.get("version") != _VERSION:
        raise UserError(
            f"{path} has version {values.get('version')!r} of the scores' format; this srlab reads {_VERSION}"
        )
    check_shape(path, values, shapes.SCORES)
    return StoredScores(
        scores=tuple(_score(row) for row in values["scores"]),
        protocol=EvaluationProtocol(**values["protocol"]),
        scale=values["scale"],
        weights=dict(values.get("weights", {})),
    )


def _score(row: Mapping[str, Any]) -> Score:
    value = row["value"]
    return Score(
        dataset=row["dataset"],
        image=row["image"],
        metric=row["metric"],
        value=math.inf if value == "inf" else value,
    )


def _refuse_doubles(scores: Iterable[Score], *, where: str) -> None:
    counts = Counter((score.dataset, score.image, score.metric) for score in scores)
    for (dataset, image, metric), count in counts.items():
        if count > 1:
            raise UserError(f"{where}: {metric} of {dataset}'s {image} is there {count} times")
