"""Which learning rate each variant is compared at: chosen on the validation images, never on the test images.

Needs no torch.

The rule. A variant's seeds are all that the study asks of it. A rate is complete when all of them finished
there. The complete rate with the highest validation psnr_y, mean over its seeds, is chosen. Only if no rate
is complete (a seed diverged, failed or is missing at each) are incomplete ones considered: those with the
most finished seeds, by the same mean. Of equal ones the first in the plan is taken. A variant none of whose
runs finished has no choice.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srlab import store
from srlab.records import RunRecord, mean, read_runs
from srlab.scores import to_json

RULE = (
    "highest validation psnr_y, mean over the seeds, among the rates at which every seed finished; "
    "where there is none, among those at which most did"
)


@dataclass(frozen=True, kw_only=True)
class Rate:
    """What a variant reached at one learning rate; `psnr_y` in dB is the mean over the finished seeds."""

    learning_rate: float
    psnr_y: float | None
    finished: tuple[int, ...]
    diverged: tuple[int, ...]
    missing: tuple[int, ...]

    @property
    def is_complete(self) -> bool:
        return not self.diverged and not self.missing


def rates_of(runs: Iterable[RunRecord]) -> list[Rate]:
    """The rates of one variant's runs, in the order of the plan."""
    runs = list(runs)
    seeds = sorted({run.seed for run in runs})
    rates = []
    for learning_rate in dict.fromkeys(run.learning_rate for run in runs):
        there = {run.seed: run for run in runs if run.learning_rate == learning_rate}
        scored = {
            seed: run.validation["psnr_y"]
            for seed, run in there.items()
            if run.status == "finished" and run.validation and "psnr_y" in run.validation
        }
        diverged = tuple(seed for seed in seeds if seed in there and there[seed].status == "diverged")
        rates.append(
            Rate(
                learning_rate=learning_rate,
                psnr_y=mean(scored.values()) if scored else None,
                finished=tuple(sorted(scored)),
                diverged=diverged,
                missing=tuple(seed for seed in seeds if seed not in scored and seed not in diverged),
            )
        )
    return rates


def choose(rates: Sequence[Rate]) -> Rate | None:
    """The rate that the rule above chooses; None where no run finished."""
    finished = [rate for rate in rates if rate.psnr_y is not None]
    return max(finished, key=lambda rate: (rate.is_complete, len(rate.finished), rate.psnr_y), default=None)


def update_choice(folder: Path) -> dict[str, Any]:
    """Choose again from what the study's folder holds, write ``choice.json`` and return it.

    A choice that is no longer the best is kept in its variant's ``superseded``, with the time; its test
    scores stay where they are and count no more.
    """
    runs = read_runs(folder)
    before = _stored(folder)
    variants = {}
    for variant in dict.fromkeys(run.variant for run in runs):
        rates = rates_of(run for run in runs if run.variant == variant)
        chosen = choose(rates)
        old = before.get(variant, {})
        superseded = list(old.get("superseded", []))
        rate = None if chosen is None else chosen.learning_rate
        since = old.get("since")
        if rate != old.get("learning_rate"):
            if old.get("learning_rate") in {planned.learning_rate for planned in rates}:
                superseded.append(
                    {
                        "learning_rate": old["learning_rate"],
                        "psnr_y": _number(old["psnr_y"]),
                        "since": since,
                        "superseded": store.now(),
                    }
                )
            since = store.now()
        variants[variant] = {
            "learning_rate": rate,
            "psnr_y": _number(None if chosen is None else chosen.psnr_y),
            "since": since,
            "is_complete": chosen is not None and chosen.is_complete,
            "rates": [_as_json(rate) for rate in rates],
            "superseded": superseded,
        }
    choice = {"rule": RULE, "variants": variants}
    store.save_json(folder / store.CHOICE, choice)
    return choice


def load_choice(folder: Path) -> dict[str, dict[str, Any]]:
    """The choices stored in a study's folder by variant; empty before the first.

    Raises:
        UserError: something else changed the file: it names a rate at which no run is planned.
    """
    choices = _stored(folder)
    planned = {(row["variant"], row["learning_rate"]) for row in store.load_study(folder)["runs"]}
    for name, choice in choices.items():
        rate = choice["learning_rate"]
        if rate is not None and (name, rate) not in planned:
            wrong = f"variants.{name}.learning_rate is {rate}, at which no run of it is planned"
            raise store.changed_by_something_else(folder / store.CHOICE, wrong)
    return choices


def _stored(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / store.CHOICE
    if not path.exists():
        return {}
    choices: dict[str, dict[str, Any]] = store.load_object(path, "variants")["variants"]
    for choice in choices.values():
        if choice["psnr_y"] == "inf":  # as `to_json` writes it
            choice["psnr_y"] = math.inf
    return choices


def _as_json(rate: Rate) -> dict[str, Any]:
    return {
        "learning_rate": rate.learning_rate,
        "psnr_y": _number(rate.psnr_y),
        "finished": list(rate.finished),
        "diverged": list(rate.diverged),
        "missing": list(rate.missing),
    }


def _number(psnr: float | None) -> float | str | None:
    return None if psnr is None else to_json(psnr)
