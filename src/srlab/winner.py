"""Which weights a path means: a weights file itself, a run's, or a study's winner. Needs no torch.

The winner's rule. The variant whose chosen learning rate has the highest validation psnr_y, mean over its
seeds; of that variant at that rate, the seed with the highest validation psnr_y. Test scores have no say.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from srlab import store
from srlab.choice import choose, load_choice, rates_of
from srlab.errors import UserError
from srlab.protocol import EvaluationProtocol
from srlab.records import RunRecord, read_runs, run_status, validation_scores

RULE = "highest validation psnr_y: the variant by the mean over its seeds, then its best seed"


@dataclass(frozen=True, kw_only=True)
class Found:
    """A weights file and why it is the one: a sentence for the user."""

    weights: Path
    why: str


def find_weights(path: Path) -> Found:
    """The weights that `path` means: a weights file, a run's folder or a study's folder.

    A `UserError` where there are none: an unfinished or diverged run, a study without a finished one, another
    folder.
    """
    if not path.is_dir():
        return Found(weights=path, why=f"the weights file {path}")
    if store.is_study(path):
        best = winner(path)
        return Found(
            weights=best.folder / store.WEIGHTS,
            why=f"{best.name}, the winner of {path} ({RULE}; its validation psnr_y is {_psnr(best):.2f} dB"
            f"{_beside_bicubic(best, path)})",
        )
    weights = path / store.WEIGHTS
    if weights.is_file():
        return Found(weights=weights, why=f"the run {path}")
    if not (path / store.RUN).is_file():
        raise UserError(
            f"{path} is neither a run's nor a study's folder: it has no {store.WEIGHTS} and no {store.STUDY}"
        )
    if run_status(path) == "diverged":
        raise UserError(
            f"the run {path} diverged and left no weights; take another run, or a lower learning rate"
        )
    raise UserError(
        f"the run {path} is not finished and has no weights yet; the command that began it goes on with it"
    )


def _beside_bicubic(best: RunRecord, study: Path) -> str:
    """What bicubic scored on the same images, as the end of a sentence."""
    protocol = EvaluationProtocol(**store.load_study(study)["evaluation"])
    bicubic = (validation_scores(study / store.BASELINE, protocol=protocol) or {}).get("psnr_y")
    if bicubic is None:
        return ""
    if _psnr(best) > bicubic:
        return f"; bicubic has {bicubic:.2f} dB there"
    return f"; it did not beat bicubic, which has {bicubic:.2f} dB"


def winner(study: Path) -> RunRecord:
    """The best run in a study's folder by the rule above.

    Raises:
        UserError: no run has finished and been chosen, or something else changed what the choice is made by.
    """
    _check_choice(study)
    ranked = ranking(study)
    if not ranked:
        finished = [run for run in read_runs(study) if run.status == "finished" and run.validation]
        raise UserError(
            f"no run of the study {study} has finished and been chosen yet, so it has no winner; "
            "`srlab study` with the same --out goes on with it"
            + (f"; until then its best finished run is {max(finished, key=_psnr).folder}" if finished else "")
        )
    return max(ranked[0], key=_psnr)


def ranking(study: Path) -> list[list[RunRecord]]:
    """For each variant with a choice, best first by that rule, its finished runs at the chosen rate."""
    runs = read_runs(study)
    chosen = [
        (name, choice)
        for name, choice in load_choice(study).items()
        if choice["learning_rate"] is not None and choice["psnr_y"] is not None
    ]
    ranked = []
    for name, choice in sorted(chosen, key=lambda item: -item[1]["psnr_y"]):
        records = [
            run
            for run in runs
            if run.variant == name
            and run.learning_rate == choice["learning_rate"]
            and run.status == "finished"
            and run.validation is not None
        ]
        if records:
            ranked.append(sorted(records, key=lambda run: run.seed))
    return ranked


def _check_choice(study: Path) -> None:
    """A `UserError` where a finished run has no score, or the choice is not the one that the scores give.

    While runs are left the choice may be an earlier one, or not there.
    """
    runs, choices = read_runs(study), load_choice(study)
    for run in runs:
        path = run.folder / store.SCORES
        if run.status == "finished" and "psnr_y" not in (run.validation or {}):
            if path.exists():
                raise store.changed_by_something_else(path, "it has no psnr_y of the study's protocol")
            raise UserError(
                f"{path} is missing, though its run has finished; put a copy of it back, or score anew, "
                "which the same `srlab study` does"
            )
    if not choices or any(run.status not in ("finished", "diverged") for run in runs):
        return
    for variant in dict.fromkeys(run.variant for run in runs):
        best = choose(rates_of(run for run in runs if run.variant == variant))
        if best is None or best.psnr_y is None:
            continue
        choice = choices.get(variant, {"learning_rate": None, "psnr_y": None})
        rate, psnr_y = choice["learning_rate"], choice["psnr_y"]
        if rate != best.learning_rate or not math.isclose(psnr_y or 0.0, best.psnr_y, abs_tol=1e-6):
            found = "nothing" if rate is None else f"{rate} with {psnr_y} dB"
            raise store.changed_by_something_else(
                study / store.CHOICE,
                f"it has {found} for {variant}, and the scores of its runs give {best.learning_rate} with "
                f"{best.psnr_y} dB",
            )


def _psnr(run: RunRecord) -> float:
    return run.validation["psnr_y"] if run.validation else float("-inf")
