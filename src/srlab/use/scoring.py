"""Scoring a run on a study's images: what is stored stays, what is missing is added.

A score that is there is never changed. Scores that only lack a metric which came later (GMSD, or one of a
user's own) get that metric alone: of test images from the stored SR pictures, of validation images, of which
no pictures are kept, from the network. Metrics of a user's own are of test images only, and of the SR picture
under every protocol.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn

from srlab.data.datasets import ImageSet
from srlab.declare.metrics import INCLUDED, LATER_METRICS, OF_PROTOCOL, Metric, score_by
from srlab.declare.protocol import EvaluationProtocol
from srlab.folder import store
from srlab.folder.records import picture_path, stored_scores
from srlab.folder.scores import Score, StoredScores, save_scores
from srlab.pixels.images import HRImage, crop_to_multiple
from srlab.use.evaluation import Evaluation, evaluate_folder, evaluate_network, read_folder

VALIDATION = "validation"  # the data set of scores.json


def score_validation(
    folder: Path,
    network: nn.Module,
    images: Iterable[HRImage],
    *,
    protocol: EvaluationProtocol,
    scale: int,
    device: torch.device,
) -> None:
    """Write ``scores.json``: every metric of every validation image."""
    path = folder / store.SCORES
    stored = stored_scores(path, protocol=protocol)
    kept = list(stored.scores) if stored is not None and stored.scale == scale else []
    evaluations = evaluate_network(network, images, protocol=protocol, device=device)
    save_scores(path, _with(kept, VALIDATION, evaluations), protocol=protocol, scale=scale)


def score_tests(
    folder: Path,
    network: nn.Module,
    sets: Iterable[ImageSet],
    *,
    protocol: EvaluationProtocol,
    scale: int,
    device: torch.device,
    own: Sequence[Metric] = (),
) -> None:
    """Add to ``test/scores.json`` what is not whole there; a set's SR pictures are written first.

    `own` are a user's metrics.
    """
    path = folder / store.TEST_SCORES
    stored = stored_scores(path, protocol=protocol)
    scores = list(stored.scores) if stored else []
    for tested in sets:
        missing = lacking(stored, tested.name, tested.images, own=own)
        if not missing:
            continue
        new = [metric for metric in own if metric.name in missing]
        if missing - {metric.name for metric in own} <= set(LATER_METRICS):
            evaluations = _of_pictures(
                folder, network, tested, sorted(missing), protocol=protocol, scale=scale, device=device
            )
        else:
            scores = [score for score in scores if score.dataset != tested.name]
            new = list(own)
            evaluations = _keeping(
                folder,
                tested.name,
                evaluate_network(network, tested.images, protocol=protocol, device=device),
            )
        evaluations = _with_own(new, evaluations, tested.images, scale=scale)
        scores = _with(scores, tested.name, evaluations)
        save_scores(path, scores, protocol=protocol, scale=scale)


def _of_pictures(
    folder: Path,
    network: nn.Module,
    tested: ImageSet,
    missing: Sequence[str],
    *,
    protocol: EvaluationProtocol,
    scale: int,
    device: torch.device,
) -> Iterator[Evaluation]:
    """What adds the `missing` metrics of a set: of the stored SR pictures, or of the network without them."""
    paths = [picture_path(folder, dataset=tested.name, image=image.name) for image in tested.images]
    is_included = any(name in INCLUDED for name in missing)
    # Under the luma protocol it was Y that was scored, not the picture, which was rounded once more.
    if not all(path.is_file() for path in paths) or (is_included and protocol.color == "luma"):
        return evaluate_network(network, tested.images, protocol=protocol, device=device)
    if is_included:
        return evaluate_folder(paths[0].parent, tested.images, protocol=protocol, scale=scale)
    return read_folder(paths[0].parent, tested.images, scale=scale)


def _with_own(
    own: Sequence[Metric], evaluations: Iterable[Evaluation], images: Iterable[HRImage], *, scale: int
) -> Iterator[Evaluation]:
    """The evaluations with the scores of a user's metrics."""
    for image, evaluation in zip(images, evaluations, strict=True):
        hr = crop_to_multiple(image.pixels, scale)
        found = {
            metric.name: score_by(metric, evaluation.sr, hr, border=scale, image=image.name) for metric in own
        }
        yield replace(evaluation, scores={**evaluation.scores, **found})


def lacking(
    stored: StoredScores | None, dataset: str, images: Iterable[HRImage], *, own: Sequence[Metric] = ()
) -> set[str]:
    """The metrics of which an image of the set has no stored score; all of them if nothing is stored."""
    names = {image.name for image in images}
    mine = {metric.name for metric in own}
    if stored is None:
        return {metric for metrics in OF_PROTOCOL.values() for metric in metrics} | mine
    there = {(score.image, score.metric) for score in stored.scores if score.dataset == dataset}
    metrics = {*OF_PROTOCOL[stored.protocol.color], *mine}
    return {metric for metric in metrics if any((name, metric) not in there for name in names)}


def save_picture(path: Path, pixels: Any) -> None:
    """A uint8 picture [H, W, 3] as PNG, whole or not at all."""
    picture = Image.fromarray(pixels)
    # A photograph's file is 4 % larger than by Pillow's level 6, and written in a third of the time.
    store.write_atomically(path, lambda part: picture.save(part, format="PNG", compress_level=1))


def _keeping(folder: Path, dataset: str, evaluations: Iterable[Evaluation]) -> Iterator[Evaluation]:
    """The same, each after its SR picture was written."""
    for evaluation in evaluations:
        save_picture(picture_path(folder, dataset=dataset, image=evaluation.image), evaluation.sr)
        yield evaluation


def _with(kept: Iterable[Score], dataset: str, evaluations: Iterable[Evaluation]) -> list[Score]:
    """`kept`, then the set's scores in the order of the evaluations; of those in `kept` none is changed."""
    kept = list(kept)
    order = {name: place for place, name in enumerate(INCLUDED)}  # a user's own come after them
    there: dict[str, dict[str, Score]] = {}
    for score in kept:
        if score.dataset == dataset:
            there.setdefault(score.image, {})[score.metric] = score
    found = [score for score in kept if score.dataset != dataset]
    for evaluation in evaluations:
        before = there.get(evaluation.image, {})
        new = {
            metric: Score(dataset=dataset, image=evaluation.image, metric=metric, value=value)
            for metric, value in evaluation.scores.items()
        }
        both = {**new, **before}
        found += sorted(both.values(), key=lambda score: order.get(score.metric, len(order)))
    return found
