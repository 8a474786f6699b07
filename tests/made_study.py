"""A study's folder as `srlab study` leaves it, made in a moment: for tests that only read one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from srlab.declare.protocol import EvaluationProtocol
from srlab.declare.start import Start
from srlab.folder import store
from srlab.folder.checkpoints import save_weights
from srlab.folder.choice import update_choice
from srlab.folder.records import picture_path
from srlab.folder.schema import Images, StudyImage, StudyVariant
from srlab.folder.scores import Score, save_scores
from srlab.networks import EDSROptions, build_network
from srlab.pixels.images import HRImage
from stored_files import planned, save_run, save_study, stored_variant

OPTIONS = EDSROptions(num_blocks=1, num_features=4)


@dataclass(frozen=True, kw_only=True)
class MadeRun:
    """What a run has come to; `psnr_y`, in dB, and `gmsd_y` are those of the validation images.

    `source` is the variant that its variant starts from.
    """

    variant: str
    psnr_y: float | None = None
    gmsd_y: float | None = None
    is_adversarial: bool = False
    source: str | None = None
    learning_rate: float = 0.001
    seed: int = 0
    status: str = "finished"

    @property
    def name(self) -> str:
        return planned(self.variant, seed=self.seed, rate=self.learning_rate).name


@dataclass(frozen=True, kw_only=True)
class MadeStudy:
    """`scenes` are test images by set and name; `blur` is how far a variant's pictures are from them."""

    runs: Sequence[MadeRun]
    scenes: Mapping[str, Mapping[str, NDArray[np.uint8]]] = field(default_factory=dict)
    protocol: EvaluationProtocol = field(default_factory=EvaluationProtocol)
    scale: int = 2
    has_baseline: bool = True
    has_weights: bool = False

    def write(self, folder: Path) -> Path:
        """Everything into `folder`: the study below ``study``, the test images below ``data``."""
        study = folder / "study"
        images = []
        for dataset, scenes in self.scenes.items():
            for name, pixels in scenes.items():
                path = folder / "data" / dataset / f"{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
                sha256 = HRImage(name=name, pixels=pixels, is_gray=False).pixel_hash()
                size = pixels.shape[1], pixels.shape[0]
                images.append(StudyImage(set=dataset, name=name, sha256=sha256, size=size))
        validation = tuple(StudyImage(set="set", name=name, sha256=name) for name in "ab")
        save_study(
            study,
            [_declared(run) for run in {run.variant: run for run in self.runs}.values()],
            [planned(run.variant, seed=run.seed, rate=run.learning_rate) for run in self.runs],
            name="made",
            question="?",
            scale=self.scale,
            evaluation=self.protocol,
            test=tuple(str(folder / "data" / dataset) for dataset in self.scenes),
            images=Images(train=(), validation=validation, test=tuple(images)),
        )
        for index, run in enumerate(self.runs):
            self._write_run(study / run.name, run, index=index)
        update_choice(study)
        if self.has_baseline:
            self._write_scores(study / store.BASELINE, 28.4, 0.1)
            self._write_pictures(study / store.BASELINE, amount=40, seed=99)
        return study

    def _write_run(self, folder: Path, run: MadeRun, *, index: int) -> None:
        if run.status == "not started":
            return
        save_run(folder, run.variant, status=run.status, seconds=1.0)
        if run.status == "failed":
            store.write_text(folder / store.FAILURE, "no more disk")
        if run.status == "finished" and run.psnr_y is not None:
            self._write_scores(folder, run.psnr_y, run.gmsd_y)
            self._write_pictures(folder, amount=8 + 4 * index, seed=index)
        if self.has_weights and run.status == "finished":
            torch.manual_seed(index)
            network = build_network(OPTIONS, scale=self.scale)
            save_weights(
                folder / store.WEIGHTS, network, variant=run.variant, options=OPTIONS, scale=self.scale
            )

    def _write_scores(self, folder: Path, psnr_y: float, gmsd_y: float | None) -> None:
        scores = [
            Score(dataset="validation", image=image, metric=metric, value=value)
            for image, shift in (("a", -1), ("b", 1))
            for metric, value in (
                ("psnr_y", psnr_y + shift),
                ("ssim_y", psnr_y / 40),
                *([] if gmsd_y is None else [("gmsd_y", gmsd_y * (1 + shift / 10))]),
            )
        ]
        save_scores(folder / store.SCORES, scores, protocol=self.protocol, scale=self.scale)

    def _write_pictures(self, folder: Path, *, amount: int, seed: int) -> None:
        """The scenes with noise in their middle."""
        scores = []
        generator = np.random.default_rng(seed)
        for dataset, scenes in self.scenes.items():
            for name, pixels in scenes.items():
                height, width = (side - side % self.scale for side in pixels.shape[:2])
                sr = pixels[:height, :width].astype(int)
                rows, columns = slice(height // 3, 2 * height // 3), slice(width // 3, 2 * width // 3)
                middle = sr[rows, columns]
                middle += generator.integers(-amount, amount + 1, middle.shape)
                path = picture_path(folder, dataset=dataset, image=name)
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(sr.clip(0, 255).astype(np.uint8)).save(path)
                scores += [
                    Score(dataset=dataset, image=name, metric="psnr_y", value=40 - amount / 4),
                    Score(dataset=dataset, image=name, metric="ssim_y", value=0.9),
                ]
        if scores:
            save_scores(folder / store.TEST_SCORES, scores, protocol=self.protocol, scale=self.scale)


def _declared(run: MadeRun) -> StudyVariant:
    """A run's variant, as ``study.json`` has it."""
    return stored_variant(
        run.variant,
        parameters=100,
        multiply_adds=1000,
        network={},
        objective={"kind": "adversarial"} if run.is_adversarial else {},
        start=Start(source=run.source) if run.source else None,
    )


def scene(height: int = 97, width: int = 120, *, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth colours."""
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (5, 6, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))
