"""A study's folder with the scores one wants, for tests of what is concluded from it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srlab.declare.protocol import EvaluationProtocol
from srlab.folder import store
from srlab.folder.choice import update_choice
from srlab.folder.scores import Score, save_scores

RGB = EvaluationProtocol()
PROTOCOL = {"num_steps": 100, "batch_size": 2, "lr_patch_size": 8}

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
    study: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.study = {
            "format": "srlab study",
            "version": 1,
            "name": "mine",
            "question": "Which?",
            "scale": 2,
            "protocol": PROTOCOL,
            "evaluation": asdict(RGB),
            "variants": [],
            "seeds": [],
            "images": {
                "train": [],
                "validation": [],
                "test": [
                    {"set": name, "name": f"i{k}", "sha256": f"{k}"}
                    for name, count in self.sets.items()
                    for k in range(count)
                ],
            },
            "test": list(self.sets),
            "notes": {},
            "runs": [],
        }

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
        if not any(known["name"] == name for known in self.study["variants"]):
            self.study["variants"].append(
                {
                    "name": name,
                    "network": {"architecture": "SRCNN", **(network or {})},
                    "objective": dict(objective or {"loss": "l1"}),
                    "parameters": parameters,
                    "running_statistics": 0,
                    "multiply_adds": 10 * parameters,
                }
            )
        by_set = self._by_set(scores)
        count = len(next(iter(by_set.values())))
        for row, seed in enumerate(range(count) if seeds is None else seeds):
            folder = self.plan(name, seed=seed, rate=rate)
            store.save_json(folder / store.RUN, {})
            store.save_json(folder / store.RESULT, {"status": "finished", "seconds": 10.0, "step": 100})
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
        name = f"{variant.replace('/', '-')}-lr{rate!r}-seed{seed}"
        self.study["runs"].append({"name": name, "variant": variant, "learning_rate": rate, "seed": seed})
        return self.path / name

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
        self.study["seeds"] = sorted({run["seed"] for run in self.study["runs"]})
        store.save_json(self.path / store.STUDY, self.study)
        update_choice(self.path)
        return self.path


def noisy(mean: float, *, seeds: int = 3, images: int = 19, sd: float = 0.05, key: int = 0) -> Scores:
    """Scores around `mean` that share the images' large spread, as the scores of like networks do."""
    shared = np.random.default_rng(99).normal(0, 3, size=(1, images))
    generator = np.random.default_rng(key)
    own = generator.normal(0, sd, (seeds, 1)) + generator.normal(0, sd, (1, images))
    return np.asarray(mean + shared + own + generator.normal(0, sd, (seeds, images)))
