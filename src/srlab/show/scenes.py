"""Stored pictures of test images, with their scores, and the originals that they are of."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from srlab.data.datasets import SetImage, load_sets
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.records import StudyFolder, picture_path
from srlab.folder.schema import StudyFile
from srlab.pixels.images import read_hr_image

ORIGINAL = "original"
CHANGED = "its file was changed after scoring"

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Source:
    """Bicubic's pictures, or those of a run. `scores` are by metric, then by test set and image.

    `variant` is its place in the study; None for bicubic.
    """

    label: str
    folder: Path
    scores: Mapping[str, Mapping[tuple[str, str], float]]
    variant: int | None = None

    def has(self, test_set: str, image: str) -> bool:
        """Whether there are both, the score and the picture."""
        is_scored = (test_set, image) in self.scores.get("psnr_y", {})
        return is_scored and picture_path(self.folder, dataset=test_set, image=image).is_file()

    def score(self, test_set: str, image: str, metric: str = "psnr_y") -> float | None:
        """The score of an image, if it is known."""
        return self.scores.get(metric, {}).get((test_set, image))

    def read(self, test_set: str, image: str) -> Pixels:
        """SR of an image."""
        return read_hr_image(picture_path(self.folder, dataset=test_set, image=image)).pixels


def read_source(study: StudyFolder, folder: Path, *, label: str, variant: int | None = None) -> Source:
    """What a folder of the study holds under its protocol."""
    scores: dict[str, dict[tuple[str, str], float]] = {}
    for name in (store.TEST_SCORES, store.PERCEPTUAL_SCORES):
        stored = study.scores(folder / name)
        for score in stored.scores if stored else ():
            scores.setdefault(score.metric, {})[score.dataset, score.image] = score.value
    return Source(label=label, folder=folder, scores=scores, variant=variant)


@dataclass(frozen=True, kw_only=True)
class Originals:
    """Test images by set and name, those `changed` after scoring left out.

    `problems` say why those of a data set are not there, by its name.
    """

    images: Mapping[tuple[str, str], SetImage]
    changed: tuple[tuple[str, str], ...]
    problems: Mapping[str, str]


def read_originals(study: StudyFile, wanted: Collection[tuple[str, str]]) -> Originals:
    """Those of the wanted images, by set and name, that still have the pixels that were scored."""
    known = {(image.set, image.name): image.sha256 for image in study.images.test}
    found: dict[tuple[str, str], SetImage] = {}
    problems: dict[str, str] = {}
    for name in study.test:
        try:
            sets = load_sets([name], role="test")
        except (UserError, OSError) as error:
            problems[name] = str(error)
            continue
        found |= {(one.name, image.name): image for one in sets for image in one.images}
    asked = {key: found[key] for key in wanted if key in found}
    images = {key: image for key, image in asked.items() if known.get(key) == image.pixel_hash()}
    return Originals(
        images=images, changed=tuple(key for key in asked if key not in images), problems=problems
    )


def as_scored(original: SetImage, sr: Pixels) -> Pixels:
    """HR as it was scored: without the rows and columns that make its size no multiple of the scale."""
    return original.pixels[: sr.shape[0], : sr.shape[1]]
