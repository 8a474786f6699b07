"""A study's folder with the scores one wants, for tests of what is concluded from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srlab.declare.protocol import EvaluationProtocol
from srlab.folder import store
from srlab.folder.choice import update_choice
from srlab.folder.schema import PlannedRun, StudyVariant
from srlab.folder.scores import Score, save_scores
from stored_files import images_of, planned, save_run, save_study, stored_variant

RGB = EvaluationProtocol()

Scores = NDArray[np.float64]  # [seeds, images]

# What another tool may write: two variants, two seeds, two images.
FOUR = """variant,seed,image,value
base,0,a,30.1
base,0,b,31.2
base,1,a,30.2
base,1,b,31.1
mine,0,a,30.6
mine,0,b,31.9
mine,1,a,30.8
mine,1,b,31.7
"""


@dataclass
class ScoredStudy:
    """`sets` is the number of images by test set; images are called i0, i1, ..."""

    path: Path
    sets: Mapping[str, int]
    variants: list[StudyVariant] = field(default_factory=list)
    runs: list[PlannedRun] = field(default_factory=list)
    changes: dict[str, Any] = field(default_factory=dict)  # of the rest of study.json

    def variant(
        self,
        name: str,
        scores: Mapping[str, Scores] | Scores | float,
        *,
        network: Mapping[str, Any] | None = None,
        objective: Mapping[str, Any] | None = None,
        lpips: Scores | None = None,
        seeds: Sequence[int] | None = None,
        rate: float = 1e-3,
        parameters: int = 1000,
        curve: Sequence[tuple[int, float, float]] = (),
        validation: float = 30.0,
    ) -> "ScoredStudy":
        """A variant with psnr_y (one array for all sets, or by set) at one rate; returns the study."""
        if not any(known.name == name for known in self.variants):
            options = {"architecture": "SRCNN", **(network or {})}
            counts = {"parameters": parameters, "multiply_adds": 10 * parameters}
            self.variants.append(
                stored_variant(name, network=options, objective=objective or {"loss": "l1"}, **counts)
            )
        by_set = self._by_set(scores)
        count = len(next(iter(by_set.values())))
        for row, seed in enumerate(range(count) if seeds is None else seeds):
            folder = self.plan(name, seed=seed, rate=rate)
            save_run(folder, name, status="finished", seconds=10.0, step=100)
            self.save_scores(
                folder / store.SCORES, "psnr_y", {"validation": np.array([validation, validation + 1])}
            )
            self.save_scores(
                folder / store.TEST_SCORES, "psnr_y", {key: of[row] for key, of in by_set.items()}
            )
            if lpips is not None:
                found = {key: lpips[row] for key in self.sets}
                self.save_scores(folder / "test" / "perceptual.json", "lpips_squeeze", found)
            lines = [f'{{"step": {step}, "psnr_y": {psnr}, "seconds": {time}}}' for step, psnr, time in curve]
            store.write_text(folder / store.METRICS, "\n".join(lines))
        return self

    def _by_set(self, scores: Mapping[str, Scores] | Scores | float) -> dict[str, Scores]:
        if isinstance(scores, Mapping):
            return dict(scores)
        if isinstance(scores, float):
            return {name: np.full((1, count), scores) for name, count in self.sets.items()}
        return dict.fromkeys(self.sets, scores)

    def plan(self, variant: str, *, seed: int, rate: float = 1e-3) -> Path:
        """The run's folder; nothing of it is there yet."""
        self.runs.append(planned(variant, seed=seed, rate=rate))
        return self.path / self.runs[-1].name

    def bicubic(self, scores: Mapping[str, Scores] | float) -> "ScoredStudy":
        """Bicubic's psnr_y."""
        folder = self.path / store.BASELINE
        by_set = {key: of[0] for key, of in self._by_set(scores).items()}
        self.save_scores(folder / store.TEST_SCORES, "psnr_y", by_set)
        return self

    def save_scores(
        self,
        path: Path,
        metric: str,
        values: Mapping[str, Scores],
        *,
        protocol: EvaluationProtocol = RGB,
        scale: int = 2,
    ) -> None:
        """One metric of one run."""
        scores = [
            Score(dataset=name, image=f"i{index}", metric=metric, value=float(value))
            for name, of_set in values.items()
            for index, value in enumerate(of_set)
        ]
        save_scores(path, scores, protocol=protocol, scale=scale)

    def write(self) -> Path:
        """``study.json`` and ``choice.json``; returns the folder."""
        images = images_of({name: [f"i{k}" for k in range(count)] for name, count in self.sets.items()})
        save_study(self.path, self.variants, self.runs, **{"images": images, **self.changes})
        update_choice(self.path)
        return self.path


def noisy(mean: float, *, seeds: int = 3, images: int = 19, sd: float = 0.05, key: int = 0) -> Scores:
    """Scores around `mean` that share the images' large spread, as the scores of like networks do."""
    shared = np.random.default_rng(99).normal(0, 3, size=(1, images))
    generator = np.random.default_rng(key)
    own = generator.normal(0, sd, (seeds, 1)) + generator.normal(0, sd, (1, images))
    return np.asarray(mean + shared + own + generator.normal(0, sd, (seeds, images)))
