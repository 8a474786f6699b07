"""Which weights a path means: a weights file itself, a run's, or a study's winner. Needs no torch.

The winner's rule. Variants that others of the study start from cannot win. Among the others, the winner is
the variant with the best validation score at its chosen learning rate, mean over its seeds. Its seed with the
best score is taken. The score is psnr_y. In a study with a variant that was trained with a discriminator it
is a perceptual distance (`srlab.folder.choice.measure_of`). Test scores are not used.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.choice import PSNR, candidates, choose, measure_of, measures_of, rates_of
from srlab.folder.records import RunRecord, StudyFolder, mean, run_status
from srlab.folder.schema import NO_CHOICE

RULE = "{best} validation {measure}: the variant by the mean over its seeds, then its best seed"


@dataclass(frozen=True, kw_only=True)
class Found:
    """A weights file and why it is the one: a sentence for the user."""

    weights: Path
    why: str


def find_weights(path: Path) -> Found:
    """The weights that `path` means: a weights file, a run's folder, a study's folder, or STUDY/VARIANT.

    A `UserError` if there are no weights: an unfinished or diverged run, a study without a finished run,
    another folder.
    """
    if (named := variant_in_study(path)) is not None:
        study, variant = named
        best = _best_of(StudyFolder(study), variant)
        return Found(weights=best.folder / store.WEIGHTS, why=f"{best.name}, the best run of {variant}")
    if not path.is_dir():
        return Found(weights=path, why=f"the weights file {path}")
    if store.is_study(path):
        opened = StudyFolder(path)
        best = winner(opened)
        return Found(weights=best.folder / store.WEIGHTS, why=_why(best, opened))
    weights = path / store.WEIGHTS
    if weights.is_file():
        return Found(weights=weights, why=f"the run {path}")
    if not (path / store.RUN).is_file():
        raise UserError(
            f"{path} is neither the folder of a run nor of a study: it has no {store.WEIGHTS} and no "
            f"{store.STUDY}"
        )
    if run_status(path) == "diverged":
        raise UserError(
            f"the run {path} diverged and left no weights; take another run, or a lower learning rate"
        )
    raise UserError(
        f"the run {path} is not finished and has no weights yet; run the command that started it again "
        "to continue"
    )


def variant_in_study(path: Path) -> tuple[Path, str] | None:
    """A study's folder and the name of one of its variants, where `path` is the one followed by the other."""
    if path.exists():
        return None
    for study in (path.parent, path.parent.parent):
        if store.is_study(study):
            name = path.relative_to(study).as_posix()
            known = [variant.name for variant in store.load_study(study).variants]
            return (study, name) if name in known else None
    return None


def _best_of(study: StudyFolder, variant: str) -> RunRecord:
    """The best run of a variant at its chosen rate; a `UserError` if none has finished and been chosen."""
    _check_choice(study)
    for runs in ranking(study):
        if runs[0].variant == variant:
            return _best_seed(runs, measure_of(study.study, study.runs) or PSNR)
    raise UserError(
        f"no run of {variant} in {study.path} has finished and been chosen yet; run `srlab study` with the "
        "same --out to continue"
    )


def _why(best: RunRecord, study: StudyFolder) -> str:
    """Why it is the winner: the rule, its scores, and bicubic's beside them."""
    measure = measure_of(study.study, study.runs) or PSNR
    rule = RULE.format(best="highest" if measure == PSNR else "lowest", measure=measure)
    bicubic = study.bicubic or {}
    scores = f"its validation psnr_y is {_psnr(best):.2f} dB"
    if measure != PSNR:
        scores = f"its {measure} is {_score(best, measure):.4f}"
        scores += f" and bicubic's {bicubic[measure]:.4f}" if measure in bicubic else ""
        scores += f", its psnr_y {_psnr(best):.2f} dB"
        scores += f" and bicubic's {bicubic[PSNR]:.2f} dB" if PSNR in bicubic else ""
    elif PSNR in bicubic:
        scores += f"; {short_of_bicubic(study, best) or f'bicubic has {bicubic[PSNR]:.2f} dB there'}"
    known = candidates(study.study)
    if sources := [runs[0].variant for runs in ranking(study) if runs[0].variant not in known]:
        scores += f"; sources cannot win ({', '.join(sources)}): "
        scores += f"--model {study.path / sources[0]} takes one by name"
    return f"{best.name}, the winner of {study.path} ({rule}; {scores})"


def short_of_bicubic(study: StudyFolder, best: RunRecord) -> str:
    """That the winner is not above bicubic by validation psnr_y, if so and if that chose it; else ""."""
    bicubic = (study.bicubic or {}).get(PSNR)
    if bicubic is None or measure_of(study.study, study.runs) != PSNR or _psnr(best) > bicubic:
        return ""
    return f"it did not beat bicubic, which has {bicubic:.2f} dB"


def winner(folder: Path | StudyFolder) -> RunRecord:
    """The best run in a study's folder by the rule above.

    Raises:
        UserError: no run has finished and been chosen, or something else changed what the choice is made by;
            or a variant was trained with a discriminator and no perceptual distance is stored.
    """
    study = StudyFolder.of(folder)
    _check_choice(study)
    known, measure = candidates(study.study), measure_of(study.study, study.runs)
    if measure is None:
        raise UserError(
            f"a variant of {study.path} was trained with a discriminator, so its winner is chosen by a "
            "perceptual distance of the validation images, but no such distance is stored: run `srlab "
            f"perceptual {study.path}`, which needs no download, or name a run's folder"
        )
    ranked = [runs for runs in ranking(study) if runs[0].variant in known]
    if not ranked:
        finished = [
            run for run in study.runs if run.status == "finished" and run.validation and run.variant in known
        ]
        until = _best_seed(finished, measure).folder if finished else None
        raise UserError(
            f"no run of the study {study.path} has finished and been chosen yet, so it has no winner; run "
            "`srlab study` with the same --out to continue"
            + (f"; until then its best finished run is {until}" if until else "")
        )
    return _best_seed(ranked[0], measure)


def ranking(folder: Path | StudyFolder) -> list[list[RunRecord]]:
    """For each variant with a choice its finished runs at the chosen rate, best first by the winner's rule.

    Variants that others start from come last. Where the rule's distance is missing, the candidates are in the
    order of the study.
    """
    study = StudyFolder.of(folder)
    chosen = {
        name: choice
        for name, choice in study.choices.items()
        if choice.learning_rate is not None and choice.psnr_y is not None
    }
    found = {}
    for name, choice in chosen.items():
        records = [
            run
            for run in study.runs
            if run.variant == name
            and run.learning_rate == choice.learning_rate
            and run.status == "finished"
            and run.validation is not None
        ]
        if records:
            found[name] = sorted(records, key=lambda run: run.seed)
    measure, known = measure_of(study.study, study.runs), candidates(study.study)

    def place(name: str) -> tuple[bool, float]:
        if name not in known or measure == PSNR:
            return name not in known, -(chosen[name].psnr_y or 0.0)
        return False, 0.0 if measure is None else mean(_score(run, measure) for run in found[name])

    return [found[name] for name in sorted(found, key=place)]


def _best_seed(runs: list[RunRecord], measure: str) -> RunRecord:
    """The best of runs; of equal ones the first."""
    if measure == PSNR:
        return max(runs, key=_psnr)
    return min(runs, key=lambda run: _score(run, measure))


def _check_choice(study: StudyFolder) -> None:
    """Raise `UserError` if a finished run has no score, or the choice is not the one that the scores give.

    While runs are left the choice may be an earlier one, or not there.
    """
    runs, choices = study.runs, study.choices
    measures = measures_of(study.study, runs)
    for run in runs:
        path = run.folder / store.SCORES
        if run.status == "finished" and "psnr_y" not in (run.validation or {}):
            if path.exists():
                raise store.changed_by_something_else(path, "it has no psnr_y of the study's protocol")
            raise UserError(
                f"{path} is missing, though its run has finished; put a copy of it back, or run the same "
                "`srlab study` again, which scores again"
            )
    if not choices or any(run.status not in ("finished", "diverged") for run in runs):
        return
    for variant in dict.fromkeys(run.variant for run in runs):
        if measures[variant] is None:
            continue
        of_variant = [run for run in runs if run.variant == variant]
        best = choose(rates_of(of_variant, measure=measures[variant]))
        if best is None or best.psnr_y is None:
            continue
        choice = choices.get(variant, NO_CHOICE)
        rate, psnr_y, measure = choice.learning_rate, choice.psnr_y, choice.measure
        if rate is not None and measure != measures[variant] and rate != best.learning_rate:
            raise UserError(
                f"{study.path / store.CHOICE} chose the learning rate {rate:g} of {variant} by {measure}, "
                f"but {measures[variant]} now chooses {best.learning_rate:g}; run the same `srlab study` "
                "again, which chooses again"
            )
        if rate != best.learning_rate or not math.isclose(psnr_y or 0.0, best.psnr_y, abs_tol=1e-6):
            found = "nothing" if rate is None else f"{rate} with {psnr_y} dB"
            raise store.changed_by_something_else(
                study.path / store.CHOICE,
                f"it has {found} for {variant}, and the scores of its runs give {best.learning_rate} with "
                f"{best.psnr_y} dB",
            )


def _psnr(run: RunRecord) -> float:
    return run.validation["psnr_y"] if run.validation else float("-inf")


def _score(run: RunRecord, measure: str) -> float:
    return (run.validation or {}).get(measure, math.inf)
