"""Files of a study's folder as srlab declares them; what a test does not name is like a small study's."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from srlab.declare.protocol import EvaluationProtocol, RunProtocol, TrainingProtocol
from srlab.folder import store
from srlab.folder.schema import (
    Images,
    PlannedRun,
    Result,
    RunFile,
    StudyFile,
    StudyImage,
    StudyVariant,
)

PROTOCOL = TrainingProtocol(num_steps=100, batch_size=2, lr_patch_size=8)


def stored_variant(name: str, **changes: Any) -> StudyVariant:
    """A variant of ``study.json``."""
    network, objective = {"architecture": "SRCNN"}, {"loss": "l1"}
    counts = {"parameters": 1000, "running_statistics": 0, "multiply_adds": 10_000}
    return StudyVariant(**{"name": name, "network": network, "objective": objective, **counts, **changes})


def planned(variant: str, *, seed: int = 0, rate: float = 1e-3) -> PlannedRun:
    """A run of ``study.json``, with the name that srlab gives its folder."""
    name = f"{variant.replace('/', '-')}-lr{rate!r}-seed{seed}"
    return PlannedRun(name=name, variant=variant, learning_rate=rate, seed=seed)


def images_of(sets: Mapping[str, Iterable[str]]) -> Images:
    """No training image, and the test images by set; the SHA-256 is the name."""
    test = tuple(StudyImage(set=of, name=name, sha256=name) for of, names in sets.items() for name in names)
    return Images(train=(), validation=(), test=test)


def study_file(
    variants: Sequence[StudyVariant] = (), runs: Sequence[PlannedRun] = (), **changes: Any
) -> StudyFile:
    """A study of these variants and runs; test sets are those of its images."""
    images = changes.get("images", images_of({}))
    values = {
        "name": "mine",
        "question": "Which?",
        "scale": 2,
        "protocol": PROTOCOL,
        "evaluation": EvaluationProtocol(),
        "seeds": tuple(sorted({run.seed for run in runs})),
        "test": tuple(dict.fromkeys(image.set for image in images.test)),
        "images": images,
    }
    return StudyFile(variants=tuple(variants), runs=tuple(runs), **{**values, **changes})


def save_study(folder: Path, *arguments: Any, **changes: Any) -> Path:
    """`study_file` as the ``study.json`` of a folder; returns the folder."""
    store.save(folder / store.STUDY, study_file(*arguments, **changes))
    return folder


def run_file(variant: str, **changes: Any) -> RunFile:
    """``run.json`` of a run of the variant."""
    values = {
        "network": {"architecture": "SRCNN"},
        "objective": {"loss": "l1"},
        "learning_rate": 1e-3,
        "seed": 0,
        "scale": 2,
        "protocol": RunProtocol(num_steps=100, precision="fp32"),
        "evaluation": EvaluationProtocol(),
        "device": "cpu",
        "data": "",
        "threads": 1,
    }
    return RunFile(variant=variant, **{**values, **changes})


def save_run(folder: Path, variant: str = "a", *, status: str | None = None, **result: Any) -> None:
    """``run.json``, and ``result.json`` if it has ended."""
    store.save(folder / store.RUN, run_file(variant))
    if status in ("finished", "diverged"):
        store.save(folder / store.RESULT, Result(status=status, **result))  # type: ignore[arg-type]
