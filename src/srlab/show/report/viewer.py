"""The pictures that a report shows: one crop of a scene by the original, by bicubic and by every variant.

Crops are kept without loss (WebP), pixel for pixel as they were scored, so that the page can compute error
maps from them. Only the small overview that shows where the crop lies is a JPEG.
"""

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
from PIL import Image

from srlab.data.datasets import SetImage
from srlab.declare.protocol import EvaluationProtocol
from srlab.folder import store
from srlab.folder.records import StudyFolder
from srlab.folder.winner import ranking
from srlab.show.draw.crop import Crop, crop_note, most_different_crop, score_note
from srlab.show.scenes import (
    CHANGED,
    ORIGINAL,
    Originals,
    Pixels,
    Source,
    as_scored,
    read_originals,
    read_source,
)
from srlab.verdicts import BICUBIC, Verdicts
from srlab.words import plural

SIDE = 192  # HR pixels of a crop
MOST_SCENES = 8
MOST_BYTES = 4_500_000  # of all pictures, as they stand on the page
_OVERVIEW = 240  # pixels, the longer side
_JPEG_QUALITY = 80


@dataclass(frozen=True, kw_only=True)
class Pane:
    """One picture of a scene. `variant` is its place in the study; None for the original and bicubic."""

    label: str
    uri: str
    note: str
    variant: int | None = None


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A test image: its panes show `crop` of it; `overview` is all of it, `size` wide and high."""

    test_set: str
    image: str
    crop: Crop
    size: tuple[int, int]
    overview: str
    disagreement: float | None
    panes: tuple[Pane, ...]

    @property
    def bytes(self) -> int:
        """What its pictures take on the page, in base64."""
        return sum(len(pane.uri) for pane in self.panes) + len(self.overview)

    @property
    def width(self) -> int:
        """Of each pane's picture, in pixels."""
        return self.crop.side

    @property
    def height(self) -> int:
        """The same: crops are square."""
        return self.crop.side

    @property
    def title(self) -> str:
        """What a screen reader says of all panes."""
        return f"{self.image} of {self.test_set}, the same crop by each variant"

    @property
    def alt(self) -> str:
        """What each pane is of."""
        return f"{self.image}, crop"

    @property
    def has_original(self) -> bool:
        return any(pane.label == ORIGINAL and pane.variant is None for pane in self.panes)


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """Scenes by how much the variants disagree on them; `remarks` say what was left out or done."""

    scenes: tuple[Scene, ...]
    remarks: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """What the pictures take on the page."""
        return sum(scene.bytes for scene in self.scenes)


def make_viewer(opened: StudyFolder, verdicts: Verdicts, *, most_bytes: int = MOST_BYTES) -> Viewer:
    """The scenes on which the variants disagree most, some of each test set, as many as `most_bytes` hold."""
    study = opened.study
    sources = _sources(opened, verdicts)
    bicubic = read_source(opened, opened.path / store.BASELINE, label=BICUBIC)
    asked = [
        (dataset, image)
        for dataset, image in _in_order(verdicts)
        if any(source.has(dataset, image) for source in sources)
    ]
    if not asked:
        return Viewer(scenes=(), remarks=("No variant has pictures of a test set yet.",))
    originals = read_originals(study, asked[:MOST_SCENES])
    scenes: list[Scene] = []
    room = most_bytes
    for dataset, image in asked[:MOST_SCENES]:
        scene = _scene(
            dataset,
            image,
            [bicubic, *sources],
            original=originals.images.get((dataset, image)),
            disagreement=_disagreements(verdicts).get((dataset, image)),
            protocol=study.evaluation,
            border=study.scale,
        )
        room -= scene.bytes
        if room < 0 and scenes:
            break
        scenes.append(scene)
    return Viewer(scenes=tuple(scenes), remarks=(*_remarks(scenes, verdicts, sources), *_problems(originals)))


def _remarks(scenes: Sequence[Scene], verdicts: Verdicts, sources: Sequence[Source]) -> Iterator[str]:
    side = max(scene.crop.side for scene in scenes)
    which = "the first of each set" if len(sources) < 2 else "those with the largest spread between variants"
    total = sum(map(len, verdicts.test_sets.values()))
    yield (
        f"The page shows {len(scenes)} of {plural(total, 'test image')}: {which}. Each crop has at most "
        f"{side} x {side} pixels and lies where the pictures differ most. Crops have the very pixels that "
        "were scored. The overviews are small JPEGs."
    )
    seeds = {source.folder.name.rpartition("-seed")[2] for source in sources}
    if sources:
        yield f"Each variant's pictures come from one run: seed {', '.join(sorted(seeds))}."
    shown = {pane.variant for scene in scenes for pane in scene.panes}
    absent = [name for place, name in enumerate(verdicts.variants) if place not in shown]
    if absent:
        yield f"These variants have no pictures yet: {', '.join(absent)}."


def _sources(study: StudyFolder, verdicts: Verdicts) -> list[Source]:
    """Every variant's pictures: of the lowest seed that all have, else of its own; best variant first."""
    places = {name: place for place, name in enumerate(verdicts.variants)}
    found: dict[str, dict[int, Source]] = {}
    for runs in ranking(study):
        for run in runs:
            source = read_source(study, run.folder, label=run.variant, variant=places.get(run.variant))
            if source.scores and run.variant in places:
                found.setdefault(run.variant, {})[run.seed] = source
    shared = set.intersection(*(set(by_seed) for by_seed in found.values())) if found else set()
    chosen = {name: by_seed[min(shared or by_seed)] for name, by_seed in found.items()}
    table = verdicts.tables[0] if verdicts.tables else None
    best_first = [row.variant for row in table.rows] if table else list(verdicts.variants)
    return [chosen[name] for name in [*best_first, *(set(chosen) - set(best_first))] if name in chosen]


def _disagreements(verdicts: Verdicts) -> dict[tuple[str, str], float]:
    return {
        (row.test_set, row.image): row.disagreement
        for row in verdicts.images
        if row.metric == "psnr_y" and row.disagreement is not None
    }


def _in_order(verdicts: Verdicts) -> list[tuple[str, str]]:
    """All test images: the sets in turn, in each those first on which the variants disagree most."""
    ranked: dict[str, list[str]] = {name: [] for name in verdicts.test_sets}
    for row in verdicts.images:
        if row.metric == "psnr_y" and row.test_set in ranked and row.image not in ranked[row.test_set]:
            ranked[row.test_set].append(row.image)
    for name, images in verdicts.test_sets.items():
        ranked[name] += [image for image in images if image not in ranked[name]]
    columns = [[(name, image) for image in images] for name, images in ranked.items()]
    return [found for row in zip_longest(*columns) for found in row if found is not None]


def _problems(originals: Originals) -> Iterator[str]:
    """Why originals are not shown."""
    for name, why in originals.problems.items():
        yield f"The originals of {name} are not shown: {why}."
    for _, image in originals.changed:
        yield f"The original of {image} is not shown: {CHANGED}."


def _scene(
    dataset: str,
    image: str,
    sources: Sequence[Source],
    *,
    original: SetImage | None,
    disagreement: float | None,
    protocol: EvaluationProtocol,
    border: int,
) -> Scene:
    there = [source for source in sources if source.has(dataset, image)]
    pictures = [source.read(dataset, image) for source in there]
    height, width = pictures[0].shape[:2]
    compared = [pixels for source, pixels in zip(there, pictures, strict=True) if source.variant is not None]
    crop = most_different_crop(compared if len(compared) > 1 else pictures, side=SIDE, border=border)
    hr = None if original is None else as_scored(original, pictures[0])
    panes = [] if hr is None else [Pane(label=ORIGINAL, uri=_webp(crop.of(hr)), note="HR")]
    for source, pixels in zip(there, pictures, strict=True):
        score = source.scores["psnr_y"][dataset, image]
        note = (
            score_note(score)
            if hr is None or original is None
            else crop_note(pixels, hr, crop, score=score, is_gray=original.is_gray, protocol=protocol)
        )
        panes.append(Pane(label=source.label, uri=_webp(crop.of(pixels)), note=note, variant=source.variant))
    return Scene(
        test_set=dataset,
        image=image,
        crop=crop,
        size=(width, height),
        overview=_jpeg(pictures[0] if hr is None else hr),
        disagreement=disagreement,
        panes=tuple(panes),
    )


def _webp(pixels: Pixels) -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "WEBP", lossless=True, exact=True, method=4)
    return _uri("image/webp", buffer.getvalue())


def _jpeg(pixels: Pixels) -> str:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((_OVERVIEW, _OVERVIEW))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return _uri("image/jpeg", buffer.getvalue())


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def svg_uri(path: Path) -> str | None:
    """A drawing as a data URI for ``<img>``, in which nothing runs; None if there is none."""
    return _uri("image/svg+xml", path.read_bytes()) if path.is_file() else None
