"""A study with all that a report shows, made in a moment: options, seeds, rates, curves, pictures."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from srlab.declare.protocol import EvaluationProtocol, TrainingProtocol
from srlab.folder import store
from srlab.folder.choice import update_choice
from srlab.folder.records import picture_path
from srlab.folder.schema import Git, Images, PlannedRun, Provenance, Session, StudyFile, StudyImage
from srlab.folder.scores import Score, save_scores
from srlab.pixels.images import HRImage
from stored_files import save_run, stored_variant, study_file

OPTIONS: dict[str, Any] = {
    "architecture": "SRCNN",
    "kernel_sizes": [9, 3, 5],
    "activation": "relu",
    "skip": None,
}
DIAGRAM = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><rect width="40" height="20"/></svg>'
)


@dataclass(frozen=True, kw_only=True)
class Made:
    """A variant: by how much it is better than bicubic, in dB, and what differs from `OPTIONS`.

    `declared` are further keys of ``study.json``.

    `states` replaces ``finished`` by seed and rate; `has_tests` is whether its test scores are there.
    """

    name: str
    gain: float
    options: Mapping[str, Any] = field(default_factory=dict)
    declared: Mapping[str, Any] = field(default_factory=dict)
    parameters: int = 1000
    states: Mapping[tuple[int, float], str] = field(default_factory=dict)
    has_tests: bool = True


TWO = (
    Made(name="srcnn/vanilla", gain=1.0, parameters=2000),
    Made(name="srcnn/skip", gain=1.8, options={"skip": "bicubic"}, parameters=2100),
)
THREE = (*TWO, Made(name="srcnn/leaky", gain=1.01, options={"activation": "leaky_relu:0.3"}, parameters=4000))


@dataclass(frozen=True, kw_only=True)
class ReportStudy:
    """What is written. `sets` are names of test images by test set."""

    variants: Sequence[Made] = THREE
    seeds: Sequence[int] = (0, 1, 2)
    rates: Sequence[float] = (1e-3, 1e-4)
    sets: Mapping[str, Sequence[str]] = field(
        default_factory=lambda: {"five": ("a", "b", "c", "d"), "six": ("e", "f", "g")}
    )
    question: str = "Does a skip help?"
    name: str = "made"
    size: tuple[int, int] = (72, 60)
    metrics: Sequence[str] = ("psnr_y", "ssim_y")
    has_pictures: bool = True
    has_bicubic: bool = True
    notes: Mapping[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        """The study below ``study``, the test images below ``data``."""
        study = folder / "study"
        scenes = {
            (dataset, name): scene(*self.size, seed=place)
            for place, (dataset, name) in enumerate((d, n) for d, names in self.sets.items() for n in names)
        }
        for (dataset, name), pixels in scenes.items():
            path = folder / "data" / dataset / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
        store.save(study / store.STUDY, self._declaration(folder, scenes))
        for place, variant in enumerate(self.variants):
            for seed in self.seeds:
                for rate in self.rates:
                    self._write_run(study, variant, place, seed, rate, scenes)
        update_choice(study)
        if self.has_bicubic:
            self._score(study / store.BASELINE, 0.0, noise=0, validation=27.0)
            self._test(study / store.BASELINE, 0.0, noise=0, scenes=scenes, amount=30)
        return study

    def _declaration(self, folder: Path, scenes: Mapping[tuple[str, str], NDArray[np.uint8]]) -> StudyFile:
        hashes = {
            key: HRImage(name=key[1], pixels=pixels, is_gray=False).pixel_hash()
            for key, pixels in scenes.items()
        }
        return study_file(
            [
                stored_variant(
                    variant.name,
                    network={**OPTIONS, **variant.options},
                    parameters=variant.parameters,
                    multiply_adds=variant.parameters * 1000,
                    **{"objective": {"loss": "mse"}, **variant.declared},
                )
                for variant in self.variants
            ],
            [
                PlannedRun(
                    name=run_name(place, rate, seed), variant=variant.name, learning_rate=rate, seed=seed
                )
                for place, variant in enumerate(self.variants)
                for rate in self.rates
                for seed in self.seeds
            ],
            name=self.name,
            question=self.question,
            protocol=TrainingProtocol(num_steps=300, adam_eps=1e-7, precision="fp32"),
            device="cpu",
            data="0" * 64,
            learning_rates=tuple(self.rates),
            seeds=tuple(self.seeds),
            train=("t91",),
            test=tuple(str(folder / "data" / dataset) for dataset in self.sets),
            images=Images(
                train=(StudyImage(name="t", set="t91", sha256="1", size=(9, 9)),),
                validation=(StudyImage(name="v", set="t91", sha256="2", size=(9, 9)),),
                test=tuple(
                    StudyImage(set=key[0], name=key[1], sha256=hashes[key], size=pixels.shape[1::-1])
                    for key, pixels in scenes.items()
                ),
            ),
            notes=dict(self.notes),
        )

    def _write_run(
        self,
        study: Path,
        variant: Made,
        place: int,
        seed: int,
        rate: float,
        scenes: Mapping[tuple[str, str], NDArray[np.uint8]],
    ) -> None:
        folder = study / run_name(place, rate, seed)
        state = variant.states.get((seed, rate), "finished")
        if state == "not started":
            return
        save_run(folder, variant.name, status=state, seconds=30.0 + place, step=300)
        store.write_text(folder / "diagram.svg", DIAGRAM)
        store.save(folder / store.PROVENANCE, Provenance(sessions=(SESSION,)))
        is_best = rate == max(self.rates)
        gain = variant.gain - (0.0 if is_best else 0.5)
        last = 27 + gain + 0.02 * seed
        steps = range(100, 400 if state == "finished" else 200, 100)
        store.write_text(
            folder / store.METRICS,
            "".join(
                json.dumps({"step": k, "seconds": k / 10, "psnr_y": _logged(last - (300 - k) / 500)}) + "\n"
                for k in steps
            ),
        )
        if state == "failed":
            store.write_text(folder / store.FAILURE, "no more disk")
        if state != "finished":
            return
        self._score(folder, gain, noise=seed, validation=last)
        if variant.has_tests and is_best:
            self._test(folder, gain, noise=10 * place + seed, scenes=scenes, amount=8 + 6 * place)

    def _score(self, folder: Path, gain: float, *, noise: int, validation: float) -> None:
        scores = [
            Score(dataset="validation", image="v", metric="psnr_y", value=validation),
            Score(dataset="validation", image="v", metric="ssim_y", value=0.8 + (gain + noise / 100) / 100),
        ]
        save_scores(folder / store.SCORES, scores, protocol=EvaluationProtocol(), scale=2)

    def _test(
        self,
        folder: Path,
        gain: float,
        *,
        noise: int,
        scenes: Mapping[tuple[str, str], NDArray[np.uint8]],
        amount: int,
    ) -> None:
        generator = np.random.default_rng(noise)
        scores = []
        for place, ((dataset, name), pixels) in enumerate(scenes.items()):
            psnr_y = 28 + 0.7 * place + gain + float(generator.normal(0, 0.03))
            scores += [
                Score(
                    dataset=dataset,
                    image=name,
                    metric=metric,
                    value=psnr_y if metric == "psnr_y" else psnr_y / 40,
                )
                for metric in self.metrics
            ]
            if self.has_pictures:
                path = picture_path(folder, dataset=dataset, image=name)
                path.parent.mkdir(parents=True, exist_ok=True)
                added = generator.integers(-amount, amount + 1, pixels.shape)
                Image.fromarray((pixels + added).clip(0, 255).astype(np.uint8)).save(path)
        save_scores(folder / store.TEST_SCORES, scores, protocol=EvaluationProtocol(), scale=2)


SESSION = Session(
    started="2026-01-01T00:00:00+00:00",
    ended="2026-01-01T00:01:00+00:00",
    git=Git(commit="c0ffee"),
    python="3.11.7",
    versions={"srlab": "0.1.0", "torch": "2.13.0"},
    platform="Linux",
    cpu="A processor",
    cores=2,
    device="cpu",
    threads=1,
)


def run_name(place: int, rate: float, seed: int) -> str:
    """A run's folder, whatever its variant's name holds."""
    return f"variant{place}-lr{rate!r}-seed{seed}"


def scene(width: int, height: int, *, seed: int) -> NDArray[np.uint8]:
    """Smooth colours."""
    small = np.random.default_rng(seed).integers(0, 256, (5, 6, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def _logged(psnr: float) -> float | None:
    """As a run logs it: what is not finite is null."""
    return psnr if math.isfinite(psnr) else None
