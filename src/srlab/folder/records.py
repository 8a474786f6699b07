"""What a study's folder says about its runs: read, never guessed. Needs no torch."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from srlab.declare.protocol import EvaluationProtocol
from srlab.folder import store
from srlab.folder.reading import StoredT, explained
from srlab.folder.schema import (
    LINE,
    STEP,
    Choice,
    ChoiceFile,
    Logged,
    PlannedRun,
    Result,
    RunFile,
    StoredScores,
    StudyFile,
)
from srlab.folder.scores import load_scores

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
    steps: int = 0  # that it had when it ended
    seconds: float | None = None
    processor_seconds: float | None = None
    declared: RunFile | None = field(default=None, repr=False)  # None before it has begun
    validation: Mapping[str, float] | None = None
    weights: Mapping[str, str] = field(default_factory=dict)
    log: tuple[Logged, ...] = field(default=(), repr=False)  # what it has logged so far
    remarks: tuple[str, ...] = ()  # what must be known to read its scores, as its result has it

    @property
    def precision(self) -> str | None:
        """What it is trained in; None before it has begun."""
        return None if self.declared is None else self.declared.protocol.precision


class StudyFolder:
    """A study's folder as values: each file is read when it is first asked for, and once.

    It says what was there then. Take another one after something was written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._scores: dict[Path, StoredScores | None] = {}
        self._files: dict[Path, Any] = {}

    @classmethod
    def of(cls, folder: "Path | StudyFolder") -> "StudyFolder":
        """`folder` itself, or that of its path."""
        return folder if isinstance(folder, StudyFolder) else cls(folder)

    @cached_property
    def study(self) -> StudyFile:
        """``study.json``; a `UserError` if the folder is not a study's."""
        return store.load_study(self.path)

    @cached_property
    def runs(self) -> tuple[RunRecord, ...]:
        """Every run planned, in the order of the plan."""
        return tuple(map(self._run, self.study.runs))

    @cached_property
    def choices(self) -> dict[str, Choice]:
        """The choices stored, by variant; empty before the first.

        Raises:
            UserError: something else changed the file: it names a rate without a planned run.
        """
        path = self.path / store.CHOICE
        choices = store.read(path, ChoiceFile).variants if path.exists() else {}
        planned = {(row.variant, row.learning_rate) for row in self.study.runs}
        for name, choice in choices.items():
            rate = choice.learning_rate
            if rate is not None and (name, rate) not in planned:
                wrong = f"variants.{name}.learning_rate is {rate}, but no run of it is planned at that rate"
                raise store.changed_by_something_else(path, wrong)
        return choices

    @cached_property
    def bicubic(self) -> dict[str, float] | None:
        """What bicubic scores on the validation images, by metric; None without scores."""
        return self._validation(self.path / store.BASELINE)

    def read(self, path: Path, kind: type[StoredT]) -> StoredT | None:
        """A file of the folder as it is declared; None if it is not there."""
        if path not in self._files:
            self._files[path] = store.read(path, kind) if path.is_file() else None
        found: StoredT | None = self._files[path]
        return found

    def scores(self, path: Path) -> StoredScores | None:
        """The scores in a file of the folder; None if there are none, or none under the study's protocol."""
        if path not in self._scores:
            self._scores[path] = stored_scores(path, protocol=self.study.evaluation)
        return self._scores[path]

    def _run(self, planned: PlannedRun) -> RunRecord:
        folder = self.path / planned.name
        declared, result = self.read(folder / store.RUN, RunFile), _result(folder)
        status = _status(folder, result)
        is_finished = status == "finished"
        perceptual = self.scores(folder / store.VALIDATION_PERCEPTUAL) if is_finished else None
        return RunRecord(
            name=planned.name,
            variant=planned.variant,
            learning_rate=planned.learning_rate,
            seed=planned.seed,
            folder=folder,
            status=status,
            declared=declared,
            steps=result.step if result else 0,
            seconds=result.seconds if result else None,
            processor_seconds=result.processor_seconds if result else None,
            log=logged_lines(folder),
            remarks=result.remarks if result else (),
            validation=self._validation(folder) if is_finished else None,
            weights=perceptual.weights if perceptual is not None else {},
        )

    def _validation(self, folder: Path) -> dict[str, float] | None:
        scores = self.scores(folder / store.SCORES)
        if scores is None:
            return None
        perceptual = self.scores(folder / store.VALIDATION_PERCEPTUAL)
        return means(scores) | (means(perceptual) if perceptual is not None else {})


def read_runs(folder: Path) -> tuple[RunRecord, ...]:
    """Every run planned in the study's folder, in the order of the plan."""
    return StudyFolder(folder).runs


def precision_begun(folder: Path) -> str | None:
    """What the run in `folder` is trained in; None before it has begun."""
    path = folder / store.RUN
    return store.read(path, RunFile).protocol.precision if path.is_file() else None


def _result(folder: Path) -> Result | None:
    return store.read(folder / store.RESULT, Result) if store.is_finished(folder) else None


def run_status(folder: Path) -> Status:
    """How far the run in `folder` is.

    ``started`` is running, or was interrupted and can continue. ``blocked`` was not run, since the run that
    it starts from has failed or diverged.
    """
    return _status(folder, _result(folder))


def _status(folder: Path, result: Result | None) -> Status:
    if result is not None:
        return result.status
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


def logged_values(log: Iterable[Logged], name: str) -> tuple[tuple[int, float], ...]:
    """Steps and values of what a run has logged so far under `name`, such as ``loss`` or ``psnr_y``.

    Steps at which there was no number are left out. Validation scores are of few images: `scores.json` has
    those of all.
    """
    return tuple((line.step, line.values[name]) for line in log if name in line.values)


def logged_lines(folder: Path) -> tuple[Logged, ...]:
    """What the run in `folder` has logged so far.

    A last line that is half written is left out. Any other line of another kind is a `UserError`.
    """
    path = folder / store.METRICS
    *lines, last = path.read_bytes().split(b"\n") if path.exists() else [b""]
    return tuple(
        _logged(line, path, number=number)
        for number, line in enumerate([*lines, *([last] if _is_whole(last) else [])], start=1)
    )


def _is_whole(last: bytes) -> bool:
    """Whether what follows the last line break is more than nothing, or the begin of a line."""
    is_begin = last.isascii() and last.startswith(b"{") and not last.rstrip().endswith(b"}")
    return last != b"" and not is_begin


def _logged(line: bytes, path: Path, *, number: int) -> Logged:
    try:
        step, values = explained(STEP, line).step, explained(LINE, line)
    except (ValueError, RecursionError) as error:
        raise store.changed_by_something_else(path, f"line {number}: {error}") from error
    numbers = {name: value for name, value in values.items() if name != "step" and value is not None}
    return Logged(step=step, values=numbers)


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
