"""Scoring a run on a study's images: what is stored stays, what is missing is added.

A score that is there is never changed. Scores that only lack a metric which came later (GMSD) get that metric
alone: of test images from the stored SR pictures, of validation images, of which no pictures are kept, from
the network.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn

from srlab.data.datasets import ImageSet
from srlab.declare.protocol import EvaluationProtocol
from srlab.folder import store
from srlab.folder.records import picture_path, stored_scores
from srlab.folder.scores import Score, StoredScores, save_scores
from srlab.pixels.images import HRImage
from srlab.use.evaluation import LATER_METRICS, METRICS, Evaluation, evaluate_folder, evaluate_network

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
) -> None:
    """Add to ``test/scores.json`` what is not whole there; a set's SR pictures are written first."""
    path = folder / store.TEST_SCORES
    stored = stored_scores(path, protocol=protocol)
    scores = list(stored.scores) if stored else []
    for tested in sets:
        missing = lacking(stored, tested.name, tested.images)
        if not missing:
            continue
        if missing <= set(LATER_METRICS):
            pictures = picture_path(folder, dataset=tested.name, image=tested.images[0].name).parent
            # Under the luma protocol it was Y that was scored, not the picture, which was rounded once more.
            is_there = protocol.color == "rgb" and all(
                picture_path(folder, dataset=tested.name, image=image.name).is_file()
                for image in tested.images
            )
            evaluations = (
                evaluate_folder(pictures, tested.images, protocol=protocol, scale=scale)
                if is_there
                else evaluate_network(network, tested.images, protocol=protocol, device=device)
            )
        else:
            scores = [score for score in scores if score.dataset != tested.name]
            evaluations = _keeping(
                folder,
                tested.name,
                evaluate_network(network, tested.images, protocol=protocol, device=device),
            )
        scores = _with(scores, tested.name, evaluations)
        save_scores(path, scores, protocol=protocol, scale=scale)


def lacking(stored: StoredScores | None, dataset: str, images: Iterable[HRImage]) -> set[str]:
    """The metrics of which an image of the set has no stored score; all of them if nothing is stored."""
    names = {image.name for image in images}
    if stored is None:
        return {metric for metrics in METRICS.values() for metric in metrics}
    there = {(score.image, score.metric) for score in stored.scores if score.dataset == dataset}
    metrics = METRICS[stored.protocol.color]
    return {metric for metric in metrics if any((name, metric) not in there for name in names)}


def is_scored(stored: StoredScores | None, dataset: str, images: Iterable[HRImage]) -> bool:
    """Whether every image of a set has every metric among the stored scores."""
    return not lacking(stored, dataset, images)


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
    there = {(score.image, score.metric): score for score in kept if score.dataset == dataset}
    others = [score for score in kept if score.dataset != dataset]
    for evaluation in evaluations:
        for metric, value in evaluation.scores.items():
            new = Score(dataset=dataset, image=evaluation.image, metric=metric, value=value)
            others.append(there.get((evaluation.image, metric), new))
    return others
