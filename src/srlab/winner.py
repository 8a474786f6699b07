"""Which weights a path means: a weights file itself, a run's, or a study's winner. Needs no torch.

The winner's rule. The variant whose chosen learning rate has the highest validation psnr_y, mean over its
seeds; of that variant at that rate, the seed with the highest validation psnr_y. Test scores have no say.
"""

from dataclasses import dataclass
from pathlib import Path

from srlab import store
from srlab.choice import load_choice
from srlab.errors import UserError
from srlab.records import RunRecord, read_runs, run_status

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
            why=f"{best.name}, the winner of {path} ({RULE}; its validation psnr_y is {_psnr(best):.2f} dB)",
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


def winner(study: Path) -> RunRecord:
    """The best run in a study's folder by the rule above; a `UserError` where no run has finished."""
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


def _psnr(run: RunRecord) -> float:
    return run.validation["psnr_y"] if run.validation else float("-inf")
