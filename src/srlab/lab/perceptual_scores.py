"""Perceptual numbers of a study: of the SR pictures that it keeps, and of its validation images.

GMSD needs no weights and is added wherever an older srlab left it out. A distance by a network's features
(`srlab.use.perceptual`) is written beside it. Only a study with a variant that was trained with a
discriminator needs it of the validation images: its rates and its winner are chosen by them. No SR pictures
of these are kept, so the networks enlarge them again.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from srlab.data.datasets import ImageSet, SetImage, load_sets, load_validation
from srlab.declare.metrics import LATER_METRICS
from srlab.declare.protocol import EvaluationProtocol
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.checkpoints import load_weights
from srlab.folder.choice import update_choice
from srlab.folder.records import picture_path, run_status, stored_scores
from srlab.folder.schema import StudyFile
from srlab.folder.scores import Score, save_scores
from srlab.lab.comparison import LOCK
from srlab.networks import BicubicOptions, build_network
from srlab.pixels.images import crop_to_multiple, read_hr_image
from srlab.use.evaluation import evaluate_network
from srlab.use.perceptual import PerceptualDistance
from srlab.use.scoring import VALIDATION, lacking, score_tests, score_validation

Report = Callable[[str, int, int], None]  # of what, how many are done, of how many
_CPU = torch.device("cpu")


def score_study(
    study: Path,
    distance: PerceptualDistance | None,
    *,
    tests: Iterable[str] = (),
    validate: Iterable[str] = (),
    report: Report | None = None,
) -> list[Path]:
    """Score what the study in the folder `study` keeps by GMSD and `distance`; return the files written.

    Of test images `distance` goes to ``test/perceptual.json`` beside the pictures, of validation images to
    ``perceptual.json``, both in the format of ``scores.json``. As many pixels as the scale are left out along
    each edge; a gray picture is three equal channels. What has been scored with the same weights is left as
    it is. In a study with a discriminator the rates are then chosen again. Images are read from where they
    were, or from `tests` and `validate` where they have moved, and must be the same pictures.

    Raises:
        UserError: `study` is not a study's folder, or at work; a set is missing or has other pictures than it
            had; an SR picture is missing or has another size than it should.
    """
    declared = store.load_study(study)
    busy = f"another srlab process is working on the study in {study}; wait until it ends"
    with store.locked(study / LOCK, busy=busy):
        written = _score_tests(study, declared, distance, tuple(tests), report)
        if any(variant.is_adversarial for variant in declared.variants):
            written += _score_validation(study, declared, distance, tuple(validate), report)
            if (study / store.CHOICE).exists():
                update_choice(study)
    return written


# Test images


def _score_tests(
    study: Path,
    declared: StudyFile,
    distance: PerceptualDistance | None,
    tests: tuple[str, ...],
    report: Report | None,
) -> list[Path]:
    scale, protocol = declared.scale, declared.evaluation
    folders = [study / name for name in (store.BASELINE, *(run.name for run in declared.runs))]
    without_gmsd = {
        folder: lacks for folder in folders if (lacks := _without_gmsd(folder, declared, protocol))
    }
    scores = {folder: _stored(folder / store.PERCEPTUAL_SCORES, distance, protocol) for folder in folders}
    unscored = {
        folder: missing
        for folder in folders
        if distance is not None
        and (
            missing := _tested(folder, protocol)
            - {score.dataset for score in scores[folder][0] if score.metric == distance.name}
        )
    }
    wanted = set().union(*without_gmsd.values(), *unscored.values())
    if not wanted:
        return []
    sets = load_sets(tests or declared.test, role="test")
    _check_tests(study, declared, sets, wanted)
    written = []
    for folder, names in without_gmsd.items():
        score_tests(
            folder,
            _network(folder, scale),
            [tested for tested in sets if tested.name in names],
            protocol=protocol,
            scale=scale,
            device=_CPU,
        )
        written.append(folder / store.TEST_SCORES)
    if distance is None:
        return written
    for tested in sets:
        concerned = [folder for folder in unscored if tested.name in unscored[folder]]
        for count, image in enumerate(tested.images if concerned else (), start=1):
            hr = crop_to_multiple(image.pixels, scale)
            theirs = distance.features(distance.batch(hr, border=scale, name=image.name))
            for folder in concerned:
                path = picture_path(folder, dataset=tested.name, image=image.name)
                sr = distance.batch(_read_sr(path, hr), border=scale, name=image.name)
                value = float(distance.between(distance.features(sr), theirs))
                scores[folder][0].append(
                    Score(dataset=tested.name, image=image.name, metric=distance.name, value=value)
                )
            if report is not None:
                report(tested.name, count, len(tested.images))
    for folder in unscored:
        found, weights = scores[folder]
        path = folder / store.PERCEPTUAL_SCORES
        save_scores(path, found, protocol=protocol, scale=scale, weights=weights)
        written.append(path)
    return written


def _without_gmsd(folder: Path, declared: StudyFile, protocol: EvaluationProtocol) -> set[str]:
    """The test sets of which nothing but GMSD is missing."""
    stored = stored_scores(folder / store.TEST_SCORES, protocol=protocol)
    if stored is None:
        return set()
    there: dict[str, dict[str, set[str]]] = {}
    for score in stored.scores:
        there.setdefault(score.dataset, {}).setdefault(score.metric, set()).add(score.image)
    images: dict[str, set[str]] = {}
    for image in declared.images.test:
        images.setdefault(image.set, set()).add(image.name)
    return {
        name
        for name, metrics in there.items()
        if name in images
        and all(found >= images[name] for metric, found in metrics.items() if metric not in LATER_METRICS)
        and any(not metrics.get(metric, set()) >= images[name] for metric in LATER_METRICS)
    }


def _stored(
    path: Path, distance: PerceptualDistance | None, protocol: EvaluationProtocol
) -> tuple[list[Score], dict[str, str]]:
    """The scores that stay, with all weights of the file to come.

    Scores go if they were made with a file that `distance` has another one in place of.
    """
    stored, weights = stored_scores(path, protocol=protocol), {} if distance is None else distance.weights
    if stored is None or any(stored.weights.get(name, of) != of for name, of in weights.items()):
        return [], dict(weights)
    return list(stored.scores), {**stored.weights, **weights}


def _tested(folder: Path, protocol: EvaluationProtocol) -> set[str]:
    """The test sets of which there are pictures: their scores are written after them."""
    stored = stored_scores(folder / store.TEST_SCORES, protocol=protocol)
    return {score.dataset for score in stored.scores} if stored else set()


def _check_tests(study: Path, declared: StudyFile, sets: tuple[ImageSet, ...], wanted: set[str]) -> None:
    """That the sets are there, with the pictures that the study was tested on."""
    if missing := sorted(wanted - {tested.name for tested in sets}):
        raise UserError(
            f"{study} was also tested on {', '.join(missing)}; name all its test sets with --test"
        )
    for tested in sets:
        known = {image.name: image.sha256 for image in declared.images.test if image.set == tested.name}
        found = {image.name: image.sha256 for image in tested.images}
        if tested.name in wanted and found != known:
            odd = sorted(name for name in known.keys() | found.keys() if known.get(name) != found.get(name))
            raise UserError(
                f"the test set {tested.name} is not the one that {study} was tested on: {odd[0]} is missing, "
                "new or changed; name the folder with those pictures with --test"
            )


def _read_sr(path: Path, hr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if not path.is_file():
        raise UserError(
            f"the picture {path} was scored and is now missing; remove the scores file in the same folder"
        )
    sr: NDArray[np.uint8] = read_hr_image(path).pixels
    if sr.shape != hr.shape:
        raise UserError(
            f"{path} has {sr.shape[1]}x{sr.shape[0]} pixels; {hr.shape[1]}x{hr.shape[0]} were expected"
        )
    return sr


# Validation images


def _score_validation(
    study: Path,
    declared: StudyFile,
    distance: PerceptualDistance | None,
    validate: tuple[str, ...],
    report: Report | None,
) -> list[Path]:
    scale, protocol = declared.scale, declared.evaluation
    names = [run.name for run in declared.runs if run_status(study / run.name) == "finished"]
    known = [image.name for image in declared.images.validation]
    left = []
    for folder in [study / name for name in (store.BASELINE, *names)]:
        stored = stored_scores(folder / store.SCORES, protocol=protocol)
        scored = (
            {score.image for score in stored.scores if score.metric in LATER_METRICS} if stored else set()
        )
        is_left = not scored >= set(known)
        if distance is not None:
            found, _ = _stored(folder / store.VALIDATION_PERCEPTUAL, distance, protocol)
            is_left |= not {one.image for one in found if one.metric == distance.name} >= set(known)
        if is_left:
            left.append(folder)
    if not left:
        return []
    images = _validation_images(study, declared, validate)
    written = []
    for count, folder in enumerate(left, start=1):
        written += list(_validate(folder, images, distance, protocol=protocol, scale=scale))
        if report is not None:
            report(VALIDATION, count, len(left))
    return written


def _validate(
    folder: Path,
    images: tuple[SetImage, ...],
    distance: PerceptualDistance | None,
    *,
    protocol: EvaluationProtocol,
    scale: int,
) -> Iterator[Path]:
    network = _network(folder, scale)
    path = folder / store.SCORES
    if lacking(stored_scores(path, protocol=protocol), VALIDATION, images):
        score_validation(folder, network, images, protocol=protocol, scale=scale, device=_CPU)
        yield path
    if distance is None:
        return
    path = folder / store.VALIDATION_PERCEPTUAL
    found, weights = _stored(path, distance, protocol)
    found = [score for score in found if score.metric != distance.name]
    evaluations = evaluate_network(network, images, protocol=protocol, device=_CPU)
    for image, evaluation in zip(images, evaluations, strict=True):
        hr = distance.batch(crop_to_multiple(image.pixels, scale), border=scale, name=image.name)
        sr = distance.batch(evaluation.sr, border=scale, name=image.name)
        found.append(
            Score(dataset=VALIDATION, image=image.name, metric=distance.name, value=float(distance(sr, hr)))
        )
    save_scores(path, found, protocol=protocol, scale=scale, weights=weights)
    yield path


def _validation_images(study: Path, declared: StudyFile, validate: tuple[str, ...]) -> tuple[SetImage, ...]:
    """The images that the study was validated with; a `UserError` if they are not there."""
    images = load_validation(train=declared.train, validate=validate or declared.validate)
    known = {image.name: image.sha256 for image in declared.images.validation}
    found = {image.name: image.sha256 for image in images}
    if found != known:
        odd = sorted(name for name in known.keys() | found.keys() if known.get(name) != found.get(name))
        raise UserError(
            f"the validation images differ from those of {study}: {odd[0]} is missing, new or changed; "
            "name the folder with those pictures with --validate"
        )
    return images


def _network(folder: Path, scale: int) -> nn.Module:
    if folder.name == store.BASELINE:
        return build_network(BicubicOptions(), scale=scale).eval()
    return load_weights(folder / store.WEIGHTS).network
