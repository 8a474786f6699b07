"""A study's pictures: all runs as bars and as curves, the best variants side by side on one crop each.

Made from what the study's folder holds. Needs no torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from srlab.declare.protocol import EvaluationProtocol
from srlab.folder import store
from srlab.folder.choice import PSNR, load_choice, measure_of
from srlab.folder.records import RunRecord, read_runs, validation_curve, validation_scores
from srlab.folder.winner import ranking
from srlab.show.draw.bars import Bar, draw_bars
from srlab.show.draw.canvas import save_figure
from srlab.show.draw.crop import Crop, crop_note, distance_note, most_different_crop, score_note
from srlab.show.draw.curves import Line, draw_all_runs
from srlab.show.draw.panel import DPI, MOST_VARIANTS, Shown, draw_panel
from srlab.show.scenes import CHANGED, ORIGINAL, Originals, Source, as_scored, read_originals, read_source
from srlab.verdicts import BICUBIC
from srlab.words import rate

_STATUS = {
    "diverged": "diverged",
    "failed": "failed",
    "started": "not finished",
    "blocked": "not run: its source failed",
    "not started": "missing",
    "finished": "no scores under this protocol",
}


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
    wanted = [(image["set"], image["name"]) for image in study["images"]["test"]]
    originals = read_originals(study, wanted)
    found = (
        _scene(study_dir, study, protocol, dataset=dataset, originals=originals)
        for dataset in dict.fromkeys(image["set"] for image in study["images"]["test"])
    )
    return [scene for scene in found if scene is not None]


def run_label(run: RunRecord) -> str:
    """A run's name in a picture."""
    return f"{run.variant}  rate {rate(run.learning_rate)}  seed {run.seed}"


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
    variants = [variant["name"] for variant in study["variants"]]
    lines = [
        Line(
            label=run_label(run),
            number=variants.index(run.variant),
            points=validation_curve(run.folder),
            is_strong=choice.get(run.variant, {}).get("learning_rate") == run.learning_rate,
        )
        for run in read_runs(study_dir)
    ]
    return draw_all_runs(
        lines,
        title=f"{study['name']}, x{study['scale']}: validation while training",
        caption="Means over at most five validation images; the learning rates are chosen by all of them. "
        "The study keeps the weights after the last step.\nBold lines are at the chosen learning rate. "
        "The number is the score of the last step.",
    )


def _scene(
    study_dir: Path,
    study: Mapping[str, Any],
    protocol: EvaluationProtocol,
    *,
    dataset: str,
    originals: Originals,
) -> Scene | None:
    """Of one test set; None if no variant has all of its pictures yet."""
    names = [image["name"] for image in study["images"]["test"] if image["set"] == dataset]
    measure = measure_of(study, read_runs(study_dir))
    tested = [
        source
        for runs in ranking(study_dir)
        if (source := _first_whole(runs, protocol, dataset=dataset, images=names)) is not None
    ][:MOST_VARIANTS]
    bicubic = read_source(study_dir / store.BASELINE, protocol, label=BICUBIC)
    has_bicubic = all(bicubic.has(dataset, name) for name in names)
    if not tested or (len(tested) == 1 and not has_bicubic):
        return None

    compared = tested + ([bicubic] if len(tested) == 1 else [])
    crops = {
        name: most_different_crop([source.read(dataset, name) for source in compared], border=study["scale"])
        for name in names
    }
    name, crop = max(crops.items(), key=lambda item: item[1].spread)
    original = originals.images.get((dataset, name))
    pictures = []
    for source in [bicubic, *tested] if has_bicubic else tested:
        sr = source.read(dataset, name)
        score = source.scores[PSNR][dataset, name]
        distance = None if measure in (None, PSNR) else source.score(dataset, name, str(measure))
        if distance is not None:
            note = distance_note(str(measure), distance, score)
        elif original is None:
            note = score_note(score)
        else:
            hr, is_gray = as_scored(original, sr), original.is_gray
            note = crop_note(sr, hr, crop, score=score, is_gray=is_gray, protocol=protocol)
        pictures.append(Shown(name=source.label, pixels=sr, note=note))
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
        why = CHANGED if (dataset, name) in originals.changed else "; ".join(originals.problems.values())
        caption += f"\nThe original is not shown: {why}"
    else:
        hr = as_scored(original, pictures[0].pixels)
        pictures.insert(0, Shown(name=ORIGINAL, pixels=hr, note="HR"))
    return Scene(
        dataset=dataset,
        shown=tuple(pictures),
        crop=crop,
        title=f"{study['name']}, x{study['scale']}: {name} of {dataset}",
        caption=f"{caption}\n{protocol}",
    )


def _first_whole(
    runs: Sequence[RunRecord], protocol: EvaluationProtocol, *, dataset: str, images: Sequence[str]
) -> Source | None:
    """The first of a variant's runs that has all pictures of a test set."""
    for run in runs:
        source = read_source(run.folder, protocol, label=run.variant)
        if all(source.has(dataset, name) for name in images):
            return source
    return None
