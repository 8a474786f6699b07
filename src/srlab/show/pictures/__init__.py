"""A study's pictures: all runs as bars and as curves, the best variants side by side on one crop each.

Made from what the study's folder holds. Needs no torch.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from srlab.data.datasets import SetImage, load_sets
from srlab.declare.protocol import EvaluationProtocol
from srlab.errors import UserError
from srlab.files import write_bytes
from srlab.folder import store
from srlab.folder.choice import PSNR, load_choice, measure_of
from srlab.folder.records import (
    RunRecord,
    picture_path,
    read_runs,
    stored_scores,
    validation_curve,
    validation_scores,
)
from srlab.folder.winner import ranking
from srlab.pixels.images import read_hr_image
from srlab.show.pictures.bars import Bar, draw_bars
from srlab.show.pictures.crop import Crop, luma, most_different_crop, psnr
from srlab.show.pictures.curves import Curve, draw_curves
from srlab.show.pictures.panel import DPI, MOST_VARIANTS, Shown, draw_panel
from srlab.show.pictures.style import plain_style

__all__ = [
    "Bar",
    "Crop",
    "Scene",
    "Shown",
    "crop_note",
    "distance_note",
    "draw_bars",
    "draw_panel",
    "most_different_crop",
    "run_label",
    "save_figure",
    "scenes",
    "write_pictures",
]

_STATUS = {
    "diverged": "diverged",
    "failed": "failed",
    "started": "not finished",
    "blocked": "not run: its source failed",
    "not started": "missing",
    "finished": "no scores under this protocol",
}
_GRAY = np.array([0.299, 0.587, 0.114])  # BT.601, as a gray image's SR is scored
_BARS_DPI = 130
_MOST_PIXELS = 60_000  # a side; matplotlib ends at 65,535


@dataclass(frozen=True, kw_only=True, eq=False)
class _Tested:
    """A variant's pictures of one test set: those of its first finished seed at its chosen rate."""

    variant: str
    folder: Path
    scores: Mapping[str, float]  # psnr_y by image


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """The crop of a test set in which its pictures differ most.

    It has the original if it is there, bicubic, and the best variants.
    """

    dataset: str
    shown: tuple[Shown, ...]
    crop: Crop
    title: str
    caption: str


def write_pictures(study_dir: Path, out: Path | None = None) -> list[Path]:
    """Draw a study and return the files: bars as PNG and SVG, curves, a panel for each test set.

    They are written to `out`, by default ``pictures`` in the study's folder.

    A test set without stored pictures has no panel.

    Raises:
        UserError: `study_dir` is not a study's folder.
    """
    study = store.load_study(study_dir)
    protocol = EvaluationProtocol(**study["evaluation"])
    folder = out or study_dir / "pictures"
    written = [folder / "scores.png", folder / "scores.svg"]
    figure = _bars(study_dir, study, protocol)
    for path in written:
        save_figure(figure, path)
    written.append(folder / "curves.png")
    save_figure(_curves(study_dir, study), written[-1])
    for scene in scenes(study_dir):
        path = folder / f"panel-{scene.dataset}.png"
        save_figure(
            draw_panel(scene.shown, crop=scene.crop, title=scene.title, caption=scene.caption), path, dpi=DPI
        )
        written.append(path)
    return written


def scenes(study_dir: Path) -> list[Scene]:
    """What can be shown of a study: a scene of each test set that has stored pictures.

    Raises:
        UserError: `study_dir` is not a study's folder.
    """
    study = store.load_study(study_dir)
    protocol = EvaluationProtocol(**study["evaluation"])
    originals = _originals(study)
    found = (
        _scene(study_dir, study, protocol, dataset=dataset, originals=originals)
        for dataset in dict.fromkeys(image["set"] for image in study["images"]["test"])
    )
    return [scene for scene in found if scene is not None]


def save_figure(figure: Figure, path: Path, *, dpi: float = _BARS_DPI) -> None:
    """Write a figure as PNG or SVG, by `path`'s suffix, whole or not at all.

    A very long one has fewer than `dpi` pixels an inch.
    """
    dpi = min(dpi, _MOST_PIXELS / max(figure.get_size_inches()))
    format_ = path.suffix[1:]
    metadata = {"Date": None} if format_ == "svg" else None  # the same scores give the same file

    drawn = io.BytesIO()
    with plain_style():
        figure.savefig(drawn, format=format_, dpi=dpi, metadata=metadata)
    write_bytes(path, drawn.getvalue())


def run_label(run: RunRecord) -> str:
    """A run's name in a picture."""
    return f"{run.variant}  rate {run.learning_rate:g}  seed {run.seed}"


def crop_note(
    sr: NDArray[np.uint8],
    hr: NDArray[np.uint8],
    crop: Crop,
    *,
    score: float,
    is_gray: bool,
    protocol: EvaluationProtocol,
) -> str:
    """psnr_y of the whole picture as it was scored, and of the crop that is shown."""
    planes = []
    for pixels in (crop.of(sr), crop.of(hr)):
        plane = np.asarray(pixels @ _GRAY) if is_gray else luma(pixels)
        planes.append(np.floor(plane + 0.5) if protocol.color == "luma" else plane)
    return f"psnr_y {_decibel(score)}, crop {_decibel(psnr(*planes))}"


def distance_note(name: str, distance: float, psnr_y: float) -> str:
    """A perceptual distance of the whole picture with psnr_y; a long name does not fit above a crop."""
    return f"{name if len(name) < 14 else 'distance'} {distance:.4f}, psnr_y {_decibel(psnr_y)}"


def _decibel(value: float) -> str:
    return "∞" if value == float("inf") else f"{value:.2f} dB"


def _bars(study_dir: Path, study: Mapping[str, Any], protocol: EvaluationProtocol) -> Figure:
    choice, runs = load_choice(study_dir), read_runs(study_dir)
    measure = measure_of(study, runs)
    bars = [
        Bar(
            name=run_label(run),
            status=_STATUS[run.status],
            scores=None if run.validation is None else dict(run.validation),
            is_chosen=choice.get(run.variant, {}).get("learning_rate") == run.learning_rate,
        )
        for run in runs
    ]
    count = len(study["images"].get("validation", []))
    images = "The one validation image" if count == 1 else f"Mean over the {count} validation images"
    return draw_bars(
        bars,
        title=f"{study['name']}, x{study['scale']}: validation scores of all runs",
        caption=f"{images}, with the weights after the last step. The learning rates are chosen by "
        f"these scores; test scores are in the leaderboard.{_order_in_words(study_dir, measure)}\n{protocol}",
        baseline=validation_scores(study_dir / store.BASELINE, protocol=protocol),
        distance=None if measure in (None, PSNR) else measure,
    )


def _order_in_words(study_dir: Path, measure: str | None) -> str:
    """By what the runs of an adversarial study are in order; nothing where it is psnr_y, as everywhere."""
    if measure == PSNR:
        return ""
    if measure is None:
        return (
            "\nIn the order of psnr_y, which cannot judge a GAN: no perceptual distance is stored; run "
            f"`srlab perceptual {study_dir}`."
        )
    return f"\nA variant was trained with a discriminator, so the runs are in the order of {measure}."


def _curves(study_dir: Path, study: Mapping[str, Any]) -> Figure:
    choice = load_choice(study_dir)
    curves = [
        Curve(
            variant=run.variant,
            name=run_label(run),
            points=validation_curve(run.folder),
            is_chosen=choice.get(run.variant, {}).get("learning_rate") == run.learning_rate,
        )
        for run in read_runs(study_dir)
    ]
    return draw_curves(
        curves,
        title=f"{study['name']}, x{study['scale']}: validation while training",
        caption="Means over at most five validation images; the learning rates are chosen by all of them. "
        "The study keeps the weights after the last step.\nBold lines are at the chosen learning rate. "
        "The number is the score of the last step.",
    )


def _originals(study: Mapping[str, Any]) -> dict[tuple[str, str], SetImage] | str:
    """The study's test images by set and name, or why they cannot be shown."""
    known = {(image["set"], image["name"]): image["sha256"] for image in study["images"]["test"]}
    try:
        sets = load_sets(study["test"], role="test")
    except (UserError, OSError) as error:
        return str(error)
    return {
        (found.name, image.name): image
        for found in sets
        for image in found.images
        if known.get((found.name, image.name)) == image.pixel_hash()
    }


def _scene(
    study_dir: Path,
    study: Mapping[str, Any],
    protocol: EvaluationProtocol,
    *,
    dataset: str,
    originals: dict[tuple[str, str], SetImage] | str,
) -> Scene | None:
    """Of one test set; None if no variant has all of its pictures yet."""
    names = [image["name"] for image in study["images"]["test"] if image["set"] == dataset]
    measure = measure_of(study, read_runs(study_dir))
    tested = [
        found
        for runs in ranking(study_dir)
        if (found := _tested(runs, protocol, dataset=dataset, images=names)) is not None
    ][:MOST_VARIANTS]
    bicubic = study_dir / store.BASELINE
    bicubic_scores = _psnr_by_image(bicubic, protocol, dataset=dataset)
    has_bicubic = all(
        name in bicubic_scores and picture_path(bicubic, dataset=dataset, image=name).is_file()
        for name in names
    )
    if not tested or (len(tested) == 1 and not has_bicubic):
        return None

    name, crop = _widest(tested, bicubic, dataset=dataset, images=names, border=study["scale"])
    original = originals.get((dataset, name)) if isinstance(originals, dict) else None
    shown = []
    if has_bicubic:
        shown.append(("bicubic", bicubic, bicubic_scores[name]))
    shown += [(one.variant, one.folder, one.scores[name]) for one in tested]
    distances = {
        folder: None
        if measure in (None, PSNR)
        else _by_image(folder, protocol, dataset=dataset, metric=str(measure)).get(name)
        for _, folder, _ in shown
    }
    pictures = [
        Shown(
            name=label,
            pixels=(sr := _read(folder, dataset=dataset, image=name)),
            note=distance_note(str(measure), distance, score)
            if (distance := distances[folder]) is not None
            else f"psnr_y {_decibel(score)}"
            if original is None
            else crop_note(
                sr,
                _cropped(original.pixels, sr),
                crop,
                score=score,
                is_gray=original.is_gray,
                protocol=protocol,
            ),
        )
        for label, folder, score in shown
    ]
    by = "" if measure in (None, PSNR) else f" {measure}"
    which = "The variant" if len(tested) == 1 else f"The {len(tested)} best variants by validation{by}"
    if measure is None and len(tested) > 1:  # which are the best is not known
        which = f"{len(tested)} variants in the study's order"
    where = "it and bicubic" if len(tested) == 1 else "they"
    note = study.get("notes", {}).get(dataset)
    among = "" if len(names) == 1 else f" of all {len(names)} images"
    caption = f"{which}, with the first seed. The crop is the one{among} in which {where} differ most."
    if note:
        caption += f" {dataset}: {note}."
    if original is None:
        why = originals if isinstance(originals, str) else "its file was changed after scoring"
        caption += f"\nThe original is not shown: {why}"
    else:
        hr = _cropped(original.pixels, pictures[0].pixels)
        pictures.insert(0, Shown(name="original", pixels=hr, note="HR"))
    return Scene(
        dataset=dataset,
        shown=tuple(pictures),
        crop=crop,
        title=f"{study['name']}, x{study['scale']}: {name} of {dataset}",
        caption=f"{caption}\n{protocol}",
    )


def _tested(
    runs: list[RunRecord], protocol: EvaluationProtocol, *, dataset: str, images: list[str]
) -> _Tested | None:
    for run in runs:
        scores = _psnr_by_image(run.folder, protocol, dataset=dataset)
        if all(
            name in scores and picture_path(run.folder, dataset=dataset, image=name).is_file()
            for name in images
        ):
            return _Tested(variant=run.variant, folder=run.folder, scores=scores)
    return None


def _psnr_by_image(folder: Path, protocol: EvaluationProtocol, *, dataset: str) -> dict[str, float]:
    return _by_image(folder, protocol, dataset=dataset, metric=PSNR)


def _by_image(folder: Path, protocol: EvaluationProtocol, *, dataset: str, metric: str) -> dict[str, float]:
    return {
        score.image: score.value
        for name in (store.TEST_SCORES, store.PERCEPTUAL_SCORES)
        if (stored := stored_scores(folder / name, protocol=protocol)) is not None
        for score in stored.scores
        if score.dataset == dataset and score.metric == metric
    }


def _widest(
    tested: list[_Tested], bicubic: Path, *, dataset: str, images: list[str], border: int
) -> tuple[str, Crop]:
    """The image, and the crop of it, in which the variants differ most; a single variant, from bicubic."""
    folders = [one.folder for one in tested] + ([bicubic] if len(tested) == 1 else [])
    crops = [
        (
            name,
            most_different_crop(
                [_read(folder, dataset=dataset, image=name) for folder in folders], border=border
            ),
        )
        for name in images
    ]
    return max(crops, key=lambda item: item[1].spread)


def _read(folder: Path, *, dataset: str, image: str) -> NDArray[np.uint8]:
    return read_hr_image(picture_path(folder, dataset=dataset, image=image)).pixels


def _cropped(hr: NDArray[np.uint8], sr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """HR as it was scored: without the rows and columns that make its size no multiple of the scale."""
    return hr[: sr.shape[0], : sr.shape[1]]
