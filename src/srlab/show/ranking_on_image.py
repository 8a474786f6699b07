"""All models of a study on one picture of the user's own: made smaller, enlarged by each, and ranked."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from srlab.declare.protocol import EvaluationProtocol
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.checkpoints import load_weights
from srlab.folder.records import RunRecord, StudyFolder
from srlab.folder.winner import ranking
from srlab.networks import build_network, preset
from srlab.pixels.images import HRImage, crop_to_multiple, read_hr_image
from srlab.show.draw.bars import Bar, draw_bars
from srlab.show.draw.canvas import save_figure
from srlab.show.draw.crop import crop_note, distance_note, most_different_crop
from srlab.show.draw.panel import DPI, Shown, draw_panel
from srlab.show.pictures import run_label
from srlab.show.scenes import ORIGINAL
from srlab.use.evaluation import evaluate_network

_SSIM_WINDOW = 11


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranked:
    """One model's result; `run` is None for bicubic. `sr` is uint8 [H, W, 3], kept of the best only."""

    run: RunRecord | None
    scores: dict[str, float]
    sr: NDArray[np.uint8] | None

    @property
    def name(self) -> str:
        """The run's name, or ``bicubic``."""
        return "bicubic" if self.run is None else self.run.name

    @property
    def variant(self) -> str:
        """The run's variant, or ``bicubic``."""
        return "bicubic" if self.run is None else self.run.variant


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageRanking:
    """Every model on one picture, bicubic among them: highest psnr_y first, or lowest `distance`.

    `distance` is the perceptual one by which a study with a discriminator is ordered, None elsewhere. `hr` is
    uint8 [H, W, 3], cropped to a multiple of the scale.
    """

    image: str
    hr: NDArray[np.uint8]
    is_gray: bool
    scale: int
    study: str
    protocol: EvaluationProtocol
    models: tuple[Ranked, ...]
    distance: str | None = None

    def best_variants(self) -> list[Ranked]:
        """The best model of each of the best variants, those whose `sr` was kept."""
        return [model for model in self.models if model.run is not None and model.sr is not None]

    def as_json(self) -> dict[str, Any]:
        """Unrounded, best first."""
        height, width = self.hr.shape[:2]
        return {
            "study": self.study,
            "image": self.image,
            "size": [width, height],
            "scale": self.scale,
            "protocol": str(self.protocol),
            "ranked_by": self.distance or "psnr_y",
            "models": [
                {
                    "rank": rank,
                    "name": model.name,
                    "variant": model.variant,
                    "learning_rate": model.run.learning_rate if model.run else None,
                    "seed": model.run.seed if model.run else None,
                    **{metric: _finite(value) for metric, value in model.scores.items()},
                }
                for rank, model in enumerate(self.models, start=1)
            ],
        }


def rank_on_image(
    study_dir: Path,
    image: Path,
    *,
    every_run: bool = False,
    device: torch.device | None = None,
    keep: int = 6,
    progress: Callable[[int, int], None] | None = None,
) -> ImageRanking:
    """Score the study's models on the picture at `image`, taken as HR under the study's protocol.

    The models are the finished runs at the chosen learning rates; with `every_run` all finished runs. Each is
    loaded, used and let go. `progress` is called with how many are done, of how many.

    Raises:
        UserError: no study there, no finished run, or a picture that cannot be scored (alpha, palette, too
        small).
    """
    opened = StudyFolder(study_dir)
    study = opened.study
    protocol, scale = study.evaluation, study.scale
    hr = read_hr_image(image)
    pixels = _scorable(hr, image, scale=scale)
    hr = HRImage(name=hr.name, pixels=pixels, is_gray=hr.is_gray)
    runs = _models(opened, every_run=every_run)
    distance = "gmsd_y" if any(variant.is_adversarial for variant in study.variants) else None
    models: list[Ranked] = []
    for run in [None, *runs]:
        if progress is not None:
            progress(len(models), len(runs) + 1)
        network: nn.Module = (
            build_network(preset("bicubic", scale=scale), scale=scale)
            if run is None
            else load_weights(run.folder / store.WEIGHTS).network
        )
        place = device or torch.device("cpu")
        (evaluation,) = evaluate_network(network.to(place).eval(), [hr], protocol=protocol, device=place)
        models.append(Ranked(run=run, scores=dict(evaluation.scores), sr=evaluation.sr))
        models = _forget(models, keep=keep, distance=distance)
    return ImageRanking(
        image=hr.name,
        hr=pixels,
        is_gray=hr.is_gray,
        scale=scale,
        study=study.name,
        protocol=protocol,
        models=tuple(models),
        distance=distance,
    )


def write_ranking(found: ImageRanking, folder: Path) -> list[Path]:
    """Write bars of all models and a panel of the best variants for the picture, as PNG; return the files."""
    bars = [
        Bar(name=run_label(model.run), scores=model.scores, is_chosen=True)
        for model in found.models
        if model.run is not None
    ]
    bicubic = next(model for model in found.models if model.run is None)
    assert bicubic.sr is not None
    best = found.best_variants()
    compared = [model.sr for model in best if model.sr is not None]
    if len(compared) == 1:
        compared.append(bicubic.sr)
    crop = most_different_crop(compared, border=found.scale)
    shown = [Shown(name=ORIGINAL, pixels=found.hr, note="HR")]
    for model in (bicubic, *best):
        assert model.sr is not None
        note = crop_note(
            model.sr,
            found.hr,
            crop,
            score=model.scores["psnr_y"],
            is_gray=found.is_gray,
            protocol=found.protocol,
        )
        if found.distance is not None:
            note = distance_note(found.distance, model.scores[found.distance], model.scores["psnr_y"])
        shown.append(Shown(name=model.variant, pixels=model.sr, note=note))
    paths = [folder / f"image-{found.image}-scores.png", folder / f"image-{found.image}-panel.png"]
    title = f"{found.study}, x{found.scale}, on the picture {found.image}"
    one = "This is one picture. Another picture may give another order."
    save_figure(
        draw_bars(
            bars,
            title=title,
            caption=f"{one}{_order_in_words(found)}\n{found.protocol}",
            baseline=bicubic.scores,
            is_validation=False,
            distance=found.distance,
        ),
        paths[0],
    )
    which = "The variant" if len(best) == 1 else f"The {len(best)} best variants here"
    where = "it and bicubic" if len(best) == 1 else "they"
    caption = (
        f"{which}. The crop is where {where} differ most. {one}{_order_in_words(found)}\n{found.protocol}"
    )
    save_figure(draw_panel(shown, crop=crop, title=title, caption=caption), paths[1], dpi=DPI)
    return paths


def _order_in_words(found: ImageRanking) -> str:
    if found.distance is None:
        return ""
    return f"\nA variant was trained with a discriminator: ordered by {found.distance}, lowest first."


def _scorable(hr: HRImage, path: Path, *, scale: int) -> NDArray[np.uint8]:
    pixels = crop_to_multiple(hr.pixels, scale)
    smallest = _SSIM_WINDOW + 2 * scale
    if min(pixels.shape[:2]) < smallest:
        height, width = hr.pixels.shape[:2]
        raise UserError(
            f"{path} has {width}x{height} pixels, too few to be scored at x{scale}: each side needs "
            f"{smallest} or more after cropping to a multiple of {scale}"
        )
    return pixels


def _models(study: StudyFolder, *, every_run: bool) -> list[RunRecord]:
    if every_run:
        runs = [run for run in study.runs if run.status == "finished"]
    else:
        runs = [run for variant in ranking(study) for run in variant]
    if not runs:
        hint = "" if every_run else "; --all uses the finished runs of a study that has not ended"
        raise UserError(f"no run of the study {study.path} has finished and been chosen yet{hint}")
    return runs


def _forget(models: list[Ranked], *, keep: int, distance: str | None) -> list[Ranked]:
    """`models` best first, with the pictures of bicubic and the `keep` best variants alone."""
    kept: set[str] = set()
    result = []

    def order(model: Ranked) -> float:
        return -model.scores["psnr_y"] if distance is None else model.scores[distance]

    for model in sorted(models, key=order):
        sr = model.sr
        if model.run is not None:
            sr = sr if model.run.variant not in kept and len(kept) < keep else None
            kept |= {model.run.variant} if sr is not None else set()
        result.append(Ranked(run=model.run, scores=model.scores, sr=sr))
    return result


def _finite(value: float) -> float | None:
    """JSON has no infinity; a picture without error has no PSNR there."""
    return value if np.isfinite(value) else None
