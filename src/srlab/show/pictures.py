"""A study's pictures: all runs as bars and as curves, the best variants side by side on one crop each.

Made from what the study's folder holds. Needs no torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from srlab.folder import store
from srlab.folder.choice import PSNR, measure_of
from srlab.folder.records import RunRecord, StudyFolder, logged_values
from srlab.folder.schema import NO_CHOICE
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
    study = StudyFolder(study_dir)
    folder = out or study_dir / "pictures"
    written = [folder / "scores.png", folder / "scores.svg"]
    figure = _bars(study)
    for path in written:
        save_figure(figure, path)
    written.append(folder / "curves.png")
    save_figure(_curves(study), written[-1])
    for scene in scenes(study):
        path = folder / f"panel-{scene.dataset}.png"
        save_figure(
            draw_panel(scene.shown, crop=scene.crop, title=scene.title, caption=scene.caption), path, dpi=DPI
        )
        written.append(path)
    return written


def scenes(folder: Path | StudyFolder) -> list[Scene]:
    """What can be shown of a study: a scene of each test set that has stored pictures.

    Raises:
        UserError: `folder` is not a study's.
    """
    study = StudyFolder.of(folder)
    wanted = [(image.set, image.name) for image in study.study.images.test]
    originals = read_originals(study.study, wanted)
    found = (
        _scene(study, dataset=dataset, originals=originals)
        for dataset in dict.fromkeys(name for name, _ in wanted)
    )
    return [scene for scene in found if scene is not None]


def run_label(run: RunRecord) -> str:
    """A run's name in a picture."""
    return f"{run.variant}  rate {rate(run.learning_rate)}  seed {run.seed}"


def _bars(opened: StudyFolder) -> Figure:
    study = opened.study
    measure = measure_of(study, opened.runs)
    bars = [
        Bar(
            name=run_label(run),
            status=_STATUS[run.status],
            scores=None if run.validation is None else dict(run.validation),
            is_chosen=opened.choices.get(run.variant, NO_CHOICE).learning_rate == run.learning_rate,
        )
        for run in opened.runs
    ]
    count = len(study.images.validation)
    images = "The one validation image" if count == 1 else f"Mean over the {count} validation images"
    return draw_bars(
        bars,
        title=f"{study.name}, x{study.scale}: validation scores of all runs",
        caption=f"{images}, with the weights after the last step. The learning rates are chosen by "
        f"these scores; test scores are in the leaderboard.{_order_in_words(opened.path, measure)}\n"
        f"{study.evaluation}",
        baseline=opened.bicubic,
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


def _curves(opened: StudyFolder) -> Figure:
    study = opened.study
    variants = [variant.name for variant in study.variants]
    lines = [
        Line(
            label=run_label(run),
            number=variants.index(run.variant),
            points=logged_values(run.log, "psnr_y"),
            is_strong=opened.choices.get(run.variant, NO_CHOICE).learning_rate == run.learning_rate,
        )
        for run in opened.runs
    ]
    return draw_all_runs(
        lines,
        title=f"{study.name}, x{study.scale}: validation while training",
        caption="Means over at most five validation images; the learning rates are chosen by all of them. "
        "The study keeps the weights after the last step.\nBold lines are at the chosen learning rate. "
        "The number is the score of the last step.",
    )


def _scene(
    opened: StudyFolder,
    *,
    dataset: str,
    originals: Originals,
) -> Scene | None:
    """Of one test set; None if no variant has all of its pictures yet."""
    study, protocol = opened.study, opened.study.evaluation
    names = [image.name for image in study.images.test if image.set == dataset]
    measure = measure_of(study, opened.runs)
    tested = [
        source
        for runs in ranking(opened)
        if (source := _first_whole(opened, runs, dataset=dataset, images=names)) is not None
    ][:MOST_VARIANTS]
    bicubic = read_source(opened, opened.path / store.BASELINE, label=BICUBIC)
    has_bicubic = all(bicubic.has(dataset, name) for name in names)
    if not tested or (len(tested) == 1 and not has_bicubic):
        return None

    compared = tested + ([bicubic] if len(tested) == 1 else [])
    crops = {
        name: most_different_crop([source.read(dataset, name) for source in compared], border=study.scale)
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
    about = study.notes.get(dataset)
    among = "" if len(names) == 1 else f" of all {len(names)} images"
    caption = f"{which}, with the first seed. The crop is the one{among} in which {where} differ most."
    if about:
        caption += f" {dataset}: {about}."
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
        title=f"{study.name}, x{study.scale}: {name} of {dataset}",
        caption=f"{caption}\n{protocol}",
    )


def _first_whole(
    study: StudyFolder, runs: Sequence[RunRecord], *, dataset: str, images: Sequence[str]
) -> Source | None:
    """The first of a variant's runs that has all pictures of a test set."""
    for run in runs:
        source = read_source(study, run.folder, label=run.variant)
        if all(source.has(dataset, name) for name in images):
            return source
    return None
