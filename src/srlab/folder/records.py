"""What a study's folder says about its runs: read, never guessed. Needs no torch."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from srlab.declare.protocol import EvaluationProtocol
from srlab.folder import shapes, store
from srlab.folder.scores import StoredScores, load_scores

Status = Literal["finished", "diverged", "failed", "started", "blocked", "not started"]


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A planned run as its folder has it; `validation` is the mean over the images, by metric.

    `weights` are the SHA-256 of what those metrics were computed with, by name; most need none.
    """

    name: str
    variant: str
    learning_rate: float
    seed: int
    folder: Path
    status: Status
    seconds: float | None = None
    processor_seconds: float | None = None
    precision: str | None = None  # what it is trained in; None before it has begun
    validation: Mapping[str, float] | None = None
    weights: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()  # what must be known to read its scores, as its result has it


def read_runs(folder: Path) -> list[RunRecord]:
    """Every run planned in the study's folder, in the order of the plan."""
    study = store.load_study(folder)
    protocol = EvaluationProtocol(**study["evaluation"])
    return [_read_run(folder, planned, protocol=protocol) for planned in study["runs"]]


def _read_run(folder: Path, planned: Mapping[str, Any], *, protocol: EvaluationProtocol) -> RunRecord:
    run_folder = folder / planned["name"]
    status = run_status(run_folder)
    logged_lines(run_folder)  # what is drawn and timed by it is read by others, who need it whole
    result = store.load_json(run_folder / store.RESULT) if status in ("finished", "diverged") else {}
    perceptual = (
        stored_scores(run_folder / store.VALIDATION_PERCEPTUAL, protocol=protocol)
        if status == "finished"
        else None
    )
    return RunRecord(
        name=planned["name"],
        variant=planned["variant"],
        learning_rate=planned["learning_rate"],
        seed=planned["seed"],
        folder=run_folder,
        status=status,
        seconds=result.get("seconds"),
        processor_seconds=result.get("processor_seconds"),
        precision=precision_begun(run_folder),
        remarks=tuple(result.get("remarks", ())),
        validation=validation_scores(run_folder, protocol=protocol) if status == "finished" else None,
        weights=perceptual.weights if perceptual is not None else {},
    )


def precision_begun(folder: Path) -> str | None:
    """What the run in `folder` is trained in; None before it has begun."""
    path = folder / store.RUN
    if not path.is_file():
        return None
    found: str | None = store.load_json(path).get("protocol", {}).get("precision")
    return found


def run_status(folder: Path) -> Status:
    """How far the run in `folder` is.

    ``started`` is running, or was interrupted and can continue. ``blocked`` was not run, since the run that
    it starts from has failed or diverged.
    """
    if store.is_finished(folder):
        result = store.load_object(folder / store.RESULT, "status")
        return "diverged" if result["status"] == "diverged" else "finished"
    if (folder / store.FAILURE).exists():
        return "failed"
    if (folder / store.RUN).exists():
        return "started"
    return "blocked" if (folder / store.BLOCKED).exists() else "not started"


def in_words(status: Status) -> str:
    """A run's status as people read it.

    >>> in_words("started"), in_words("diverged")
    ('running, or interrupted', 'diverged')
    """
    return {"started": "running, or interrupted", "blocked": "not run"}.get(status, status)


def validation_scores(folder: Path, *, protocol: EvaluationProtocol) -> dict[str, float] | None:
    """Mean over the validation images by metric, of a run or the study's ``bicubic``; None without scores."""
    scores = stored_scores(folder / store.SCORES, protocol=protocol)
    if scores is None:
        return None
    perceptual = stored_scores(folder / store.VALIDATION_PERCEPTUAL, protocol=protocol)
    return means(scores) | (means(perceptual) if perceptual is not None else {})


def validation_curve(folder: Path) -> tuple[tuple[int, float], ...]:
    """Steps and psnr_y, in dB, of the validations that the run in `folder` has logged so far.

    Steps at which there was no number are left out. They are of few images: see `scores.json` for all.
    """
    return logged_values(folder, "psnr_y")


def logged_values(folder: Path, name: str) -> tuple[tuple[int, float], ...]:
    """Steps and values of what the run in `folder` has logged so far under `name`, such as ``loss``.

    Steps at which there was no number are left out.
    """
    return tuple(
        (line["step"], float(line[name])) for line in logged_lines(folder) if line.get(name) is not None
    )


def logged_lines(folder: Path) -> list[dict[str, Any]]:
    """What the run in `folder` has logged so far: at each ``step`` numbers by name, None if not finite.

    A last line that is half written is left out. Any other line of another kind is a `UserError`.
    """
    path = folder / store.METRICS
    *lines, last = path.read_bytes().split(b"\n") if path.exists() else [b""]
    return [
        _logged(line, path, number=number)
        for number, line in enumerate([*lines, *([last] if _is_whole(last) else [])], start=1)
    ]


def _is_whole(last: bytes) -> bool:
    """Whether what follows the last line break is more than nothing, or the begin of a line."""
    is_begin = last.isascii() and last.startswith(b"{") and not last.rstrip().endswith(b"}")
    return last != b"" and not is_begin


def _logged(line: bytes, path: Path, *, number: int) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(line)
        shapes.LOGGED(values, "")
    except (ValueError, RecursionError) as error:
        raise store.changed_by_something_else(path, f"line {number}: {error}") from error
    return values


def picture_path(folder: Path, *, dataset: str, image: str) -> Path:
    """Where the SR picture of a test image lies, in a run's folder or in the study's ``bicubic``."""
    return folder / "test" / dataset / f"{image}.png"


def stored_scores(path: Path, *, protocol: EvaluationProtocol) -> StoredScores | None:
    """The scores in `path`; None if there are none, or none under `protocol`."""
    if not path.exists():
        return None
    scores = load_scores(path)
    return scores if scores.protocol == protocol else None


def means(stored: StoredScores, *, dataset: str | None = None) -> dict[str, float]:
    """Mean over the images by metric, of all images or of one data set's."""
    values: dict[str, list[float]] = {}
    for score in stored.scores:
        if dataset is None or score.dataset == dataset:
            values.setdefault(score.metric, []).append(score.value)
    return {metric: mean(found) for metric, found in values.items()}


def mean(values: Iterable[float]) -> float:
    """Arithmetic mean, of at least one value."""
    found = list(values)
    return sum(found) / len(found)
