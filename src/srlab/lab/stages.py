"""A study from its first trial to its last seed: rates by halving, twins, its runs, seeds until decided."""

from collections.abc import Callable
from pathlib import Path

from srlab.declare.study import Study
from srlab.folder import store
from srlab.folder.looks import note_look, seeds_scored
from srlab.folder.trials import HALVING
from srlab.folder.twins import twin_folder
from srlab.lab.halving import CarryOut, check_halving, choose_rates, twin_of
from srlab.lab.scheduler import Failure
from srlab.lab.until_decided import check_until_decided, until_decided
from srlab.verdicts import judge


def carry_out_stages(
    study: Study, folder: Path, carry_out: CarryOut, *, say: Callable[[str], None]
) -> tuple[bool, list[Failure]]:
    """Do what is left of all stages; whether the study itself was begun, and what failed.

    `carry_out` takes a study, its folder, and whether test images are scored: `srlab.lab.comparison.compare`
    with all else. `say` is told what a twin says, and which variants get more seeds.

    Raises:
        UserError: the study cannot be carried out in this way, or was begun in another one.
    """
    check_until_decided(study, folder)
    check_halving(study, folder)
    failures: list[Failure] = []
    if study.rate_search == HALVING:
        chosen, failures = choose_rates(study, folder, carry_out)
        if chosen is None:
            return False, failures
        study = chosen
    for part in study.budgets:
        place = twin_folder(folder, part)
        failures += carry_out(twin_of(study, part), place, True)
        if store.is_study(place):
            say(f"with 1/{part} of the steps: {' '.join(judge(place).headline)}")
    if study.max_seeds is not None:
        failures += until_decided(study, folder, lambda asked: carry_out(asked, folder, True), say=say)
        return True, failures
    before = seeds_scored(folder)
    ended = carry_out(study, folder, True)
    if not ended:
        note_look(folder, before=before)
    return True, failures + ended
