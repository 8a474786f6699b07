"""Who won: arithmetic over the scores stored in a study's folder. Needs no torch.

A variant stands here at its chosen learning rate, with the mean over its seeds (each the mean over a test
set's images) and the sample standard deviation between seeds. It is right at any time: what is running,
diverged, failed or missing is said and never averaged away. Scores of another protocol than the study's are
left out.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from srlab import store
from srlab.choice import choose, load_choice, rates_of
from srlab.protocol import EvaluationProtocol
from srlab.records import RunRecord, mean, means, read_runs, stored_scores, validation_scores

ORDER = "sorted by psnr_y, mean over the test sets (each set counts once); what lacks a set comes after"


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A mean over seeds; `sd` is the sample standard deviation between them, None for one seed."""

    mean: float
    sd: float | None
    num_seeds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of one value for each seed, at least one."""
        is_finite = all(map(math.isfinite, values))  # equal pictures have an infinite PSNR
        sd = statistics.stdev(values) if len(values) > 1 and is_finite else None
        return cls(mean=mean(values), sd=sd, num_seeds=len(values))


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A row: a variant, or bicubic.

    `tests` has the scores by test set and metric, `gains` psnr_y over bicubic's in dB by test set.
    `learning_rate` is the chosen one; None for bicubic, and before there is a choice. `seconds` of training
    are the mean over the seeds. `notes` say what is not as it should be.
    """

    name: str
    parameters: int
    running_statistics: int = 0
    multiply_adds: int = 0
    learning_rate: float | None = None
    seconds: float | None = None
    validation: Mapping[str, Spread] = field(default_factory=dict)
    tests: Mapping[str, Mapping[str, Spread]] = field(default_factory=dict)
    gains: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """A study's standings, best first, with what must be known to read them."""

    name: str
    question: str
    scale: int
    protocol: EvaluationProtocol
    test_sets: tuple[str, ...]
    standings: tuple[Standing, ...]
    remarks: tuple[str, ...]


def leaderboard(folder: Path) -> Leaderboard:
    """The standings as the files in a study's `folder` have them now; a `UserError` if it is none."""
    study = store.load_study(folder)
    protocol = EvaluationProtocol(**study["evaluation"])
    test_sets = _images_by_set(study)
    choice = load_choice(folder)
    runs = read_runs(folder)
    bicubic = _bicubic(folder, protocol, test_sets)
    standings = [bicubic] if bicubic else []
    for variant in study["variants"]:
        standings.append(
            _standing(
                variant,
                [run for run in runs if run.variant == variant["name"]],
                choice.get(variant["name"], {}),
                bicubic=bicubic,
                protocol=protocol,
                test_sets=test_sets,
            )
        )
    return Leaderboard(
        name=study["name"],
        question=study["question"],
        scale=study["scale"],
        protocol=protocol,
        test_sets=tuple(test_sets),
        standings=tuple(sorted(standings, key=lambda standing: _order(standing, tuple(test_sets)))),
        remarks=_remarks(study, runs, test_sets, standings),
    )


def _images_by_set(study: Mapping[str, Any]) -> dict[str, set[str]]:
    sets: dict[str, set[str]] = {}
    for image in study["images"]["test"]:
        sets.setdefault(image["set"], set()).add(image["name"])
    return sets


def _order(standing: Standing, test_sets: Sequence[str]) -> tuple[int, float, float]:
    scores = [standing.tests[name]["psnr_y"].mean for name in test_sets if name in standing.tests]
    validation = standing.validation.get("psnr_y")
    return (
        len(test_sets) - len(scores),
        -mean(scores) if scores else 0.0,
        -validation.mean if validation else float("inf"),
    )


def _bicubic(
    folder: Path, protocol: EvaluationProtocol, test_sets: Mapping[str, set[str]]
) -> Standing | None:
    bicubic = folder / store.BASELINE
    tests = _test_scores(bicubic, protocol, test_sets)
    validation = validation_scores(bicubic, protocol=protocol)
    if not tests and validation is None:
        return None
    return Standing(
        name="bicubic",
        parameters=0,
        validation={metric: Spread.of([value]) for metric, value in (validation or {}).items()},
        tests={
            name: {metric: Spread.of([value]) for metric, value in values.items()}
            for name, values in tests.items()
        },
    )


def _test_scores(
    folder: Path, protocol: EvaluationProtocol, test_sets: Mapping[str, set[str]]
) -> dict[str, dict[str, float]]:
    """Means by test set and metric; a set of which an image has no score is left out."""
    stored = stored_scores(folder / store.TEST_SCORES, protocol=protocol)
    if stored is None:
        return {}
    scored: dict[str, set[str]] = {}
    for score in stored.scores:
        scored.setdefault(score.dataset, set()).add(score.image)
    return {
        name: means(stored, dataset=name) for name, images in test_sets.items() if scored.get(name) == images
    }


def _standing(
    variant: Mapping[str, Any],
    runs: Sequence[RunRecord],
    choice: Mapping[str, Any],
    *,
    bicubic: Standing | None,
    protocol: EvaluationProtocol,
    test_sets: Mapping[str, set[str]],
) -> Standing:
    rate = choice.get("learning_rate")
    if rate is None and (leading := choose(rates_of(runs))) is not None:
        rate = leading.learning_rate  # while the study runs
    chosen = [run for run in runs if rate is not None and run.learning_rate == rate]
    finished = [run for run in chosen if run.status == "finished"]
    scores = [_test_scores(run.folder, protocol, test_sets) for run in finished]
    tests = {name: _spreads([values[name] for values in scores if name in values]) for name in test_sets}
    tests = {name: spreads for name, spreads in tests.items() if spreads}
    gains = (
        {
            name: spreads["psnr_y"].mean - bicubic.tests[name]["psnr_y"].mean
            for name, spreads in tests.items()
            if name in bicubic.tests and math.isfinite(bicubic.tests[name]["psnr_y"].mean)
        }
        if bicubic
        else {}
    )
    seconds = [run.seconds for run in finished if run.seconds is not None]
    return Standing(
        name=variant["name"],
        parameters=variant["parameters"],
        running_statistics=variant["running_statistics"],
        multiply_adds=variant["multiply_adds"],
        learning_rate=rate,
        seconds=mean(seconds) if seconds else None,
        validation=_spreads([run.validation for run in finished if run.validation]),
        tests=tests,
        gains=gains,
        notes=_notes(runs, chosen, choice, tests, gains, test_sets),
    )


def _spreads(values: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    """By metric, over one mapping for each seed."""
    metrics = values[0] if values else {}
    return {metric: Spread.of([of_seed[metric] for of_seed in values]) for metric in metrics}


def _notes(
    runs: Sequence[RunRecord],
    chosen: Sequence[RunRecord],
    choice: Mapping[str, Any],
    tests: Mapping[str, Mapping[str, Spread]],
    gains: Mapping[str, float],
    test_sets: Mapping[str, set[str]],
) -> tuple[str, ...]:
    beaten = [name for name in test_sets if name in gains and gains[name] <= 0]
    notes = [f"did not beat bicubic on {', '.join(beaten)}"] if beaten else []
    for status, word in (
        ("diverged", "diverged"),
        ("failed", "failed"),
        ("started", "missing (running, or interrupted)"),
        ("not started", "missing (not started)"),
    ):
        there = [run for run in runs if run.status == status]
        if there:
            notes.append(f"{len(there)} of {len(runs)} runs {word}{_where(there, chosen)}")
    if choice.get("learning_rate") is None:
        if chosen:
            notes.append("no learning rate chosen yet: this one leads so far")
        else:
            notes.append("no learning rate chosen yet" if _is_open(runs) else "no run finished")
    else:
        seeds = len({run.seed for run in runs})
        for name in test_sets:
            scored = tests[name]["psnr_y"].num_seeds if name in tests else 0
            if scored < seeds:
                notes.append(f"{name}: {seeds - scored} of {seeds} seeds missing")
    return tuple(notes)


def _where(there: Sequence[RunRecord], chosen: Sequence[RunRecord]) -> str:
    return ", at the chosen rate too" if chosen and any(run in chosen for run in there) else ""


def _is_open(runs: Sequence[RunRecord]) -> bool:
    return any(run.status != "diverged" for run in runs)


def _remarks(
    study: Mapping[str, Any],
    runs: Sequence[RunRecord],
    test_sets: Mapping[str, set[str]],
    standings: Sequence[Standing],
) -> tuple[str, ...]:
    remarks = [str(EvaluationProtocol(**study["evaluation"])), ORDER]
    left = [run for run in runs if run.status not in ("finished", "diverged")]
    if left:
        remarks.append(
            f"{len(left)} of {len(runs)} runs have not ended: these standings are not the last word"
        )
    seeds = max(
        (spreads["psnr_y"].num_seeds for row in standings for spreads in row.tests.values()), default=0
    )
    planned = len(study["seeds"])
    if planned == 1:
        remarks.append(
            "one seed: the spread between trainings is unknown, and small differences may be chance"
        )
    elif seeds:
        remarks.append(f"± is the sample standard deviation between seeds ({planned} planned)")
    for name, images in test_sets.items():
        if note := study["notes"].get(name):
            remarks.append(f"{name} has {note}")
        elif len(images) < 5:
            count = "1 image" if len(images) == 1 else f"{len(images)} images"
            remarks.append(f"{name} has {count}: too few to conclude from")
    remarks.append("learning rates were chosen on the validation images, whose scores rank nothing here")
    return tuple(remarks)
