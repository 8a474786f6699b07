"""Learning rates by halving: short trainings choose, and the chosen rate alone is trained with all seeds.

All rates are tried with one seed for a quarter of the steps, the better half of them for half of the steps.
Each of these trainings has the whole schedule, so its rate falls to its end as a long one's does. Each round
is a study of its own in the study's folder. Its seed is none of the study's: what chose a rate is not what
is compared.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from srlab.declare.study import TRIAL_SEED, Study
from srlab.errors import UserError
from srlab.folder.records import run_status
from srlab.folder.trials import HALVING, ROUNDS, num_finished, ranked_rates, trial_folder
from srlab.folder.twins import twin_folder
from srlab.lab.claims import begun
from srlab.lab.planning import Plan, make_plan
from srlab.lab.scheduler import Failure
from srlab.training.machine import Machine


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A round as a study of its own. Unless it `is_settled`, its rates stand for as many not known yet."""

    study: Study
    folder: Path
    is_settled: bool


@dataclass(frozen=True, kw_only=True)
class Search:
    """How far the search is: its rounds, and the study at the chosen rates.

    `waiting` are variants without a chosen rate; the study has the first of their rates in its place.
    """

    trials: tuple[Trial, ...]
    study: Study
    waiting: tuple[str, ...]


def check_halving(study: Study, folder: Path) -> None:
    """Raise `UserError` if the study's rates cannot be chosen by halving, or were begun in another way."""
    before = begun(folder)
    there = None if before is None else before.rate_search
    if there is not None and there != study.rate_search:
        raise UserError(
            f"{folder} holds a study whose learning rates are chosen by --rate-search {there}, not "
            f"{study.rate_search}; give this study another --out"
        )
    if study.rate_search != HALVING:
        return
    if taken := [variant.name for variant in study.variants if variant.taken_from is not None]:
        raise UserError(
            f"{', '.join(taken)}: the rates of a study that takes runs from another one cannot be chosen by "
            "halving, since its trials have other steps and another seed; use --rate-search grid"
        )


def find_search(study: Study, folder: Path) -> Search:
    """What `folder` knows of the search."""
    rates = {variant.name: study.rates_of(variant) for variant in study.variants}
    is_known = {name: len(of) == 1 for name, of in rates.items()}
    trials: list[Trial] = []
    for place, part in enumerate(ROUNDS):
        searched = [variant.name for variant in study.variants if len(rates[variant.name]) > 1]
        if not searched:
            break
        there = trial_folder(folder, part)
        is_settled = place == 0 or all(is_known[name] for name in searched)
        asked = _trial(study, searched, rates, part=part)
        trials.append(Trial(study=asked, folder=there, is_settled=is_settled))
        for name in searched:
            ranked = ranked_rates(there, name) if place == 0 or is_known[name] else None
            wanted = set(rates[name])
            is_known[name] = ranked is not None and wanted <= set(ranked)
            found = rates[name]
            if ranked is not None and is_known[name]:
                found = tuple(rate for rate in ranked if rate in wanted)
            keep = 1 if place == len(ROUNDS) - 1 else (len(found) + 1) // 2
            if is_known[name]:
                keep = max(1, min(keep, num_finished(there, name)))
            rates[name] = tuple(found[:keep])
    waiting = tuple(name for name, known in is_known.items() if not known)
    return Search(trials=tuple(trials), study=_at(study, rates), waiting=waiting)


def _at(study: Study, rates: Mapping[str, tuple[float, ...]]) -> Study:
    variants = tuple(replace(variant, learning_rates=rates[variant.name]) for variant in study.variants)
    every = tuple(dict.fromkeys(rate for of in rates.values() for rate in of))
    in_order = tuple(rate for rate in study.learning_rates if rate in every)
    others = tuple(rate for rate in every if rate not in in_order)
    return replace(study, variants=variants, learning_rates=(*in_order, *others))


def _trial(study: Study, names: list[str], rates: Mapping[str, tuple[float, ...]], *, part: int) -> Study:
    """The named variants, and those that they start from, for one in `part` of the steps."""
    return replace(
        _at(study, rates).with_variants(names).with_part_of_steps(part),
        seeds=(TRIAL_SEED,),
        primary=None,
        max_seeds=None,
        metrics=(),  # of test images
        rate_search="grid",
        budgets=(),
    )


def twin_of(study: Study, part: int) -> Study:
    """The same study for one in `part` of the steps, at the rates that `study` has."""
    return replace(study.with_part_of_steps(part), max_seeds=None, rate_search="grid", budgets=())


def make_whole_plan(
    study: Study,
    folder: Path,
    machine: Machine,
    *,
    measure_seconds: float = 0,
    timing: Callable[[str, int, int], None] | None = None,
) -> Plan:
    """`make_plan`, with the trials of a study whose rates are chosen by halving, and its twins."""
    search = Search(trials=(), study=study, waiting=())
    if study.rate_search == HALVING:
        search = find_search(study, folder)
    plan = make_plan(search.study, folder, machine, measure_seconds=measure_seconds, timing=timing)
    plan = replace(plan, is_settled=not search.waiting)

    def stage(of: Study, there: Path) -> Plan:
        runs = tuple((run, run_status(there / run.name)) for run in of.runs())
        return replace(plan, study=of, folder=there, runs=runs)

    trials = tuple(
        replace(
            stage(trial.study, trial.folder),
            sizes=None if plan.sizes is None else replace(plan.sizes, test=()),  # it is not tested
            is_settled=trial.is_settled,
        )
        for trial in search.trials
    )
    twins = tuple(stage(twin_of(search.study, part), twin_folder(folder, part)) for part in study.budgets)
    return replace(plan, trials=trials, twins=twins)


CarryOut = Callable[[Study, Path, bool], list[Failure]]


def choose_rates(study: Study, folder: Path, carry_out: CarryOut) -> tuple[Study | None, list[Failure]]:
    """Carry out the rounds that are left; the study at the chosen rates, and what failed.

    `carry_out` takes a study, its folder, and whether test images are scored. A variant whose trial failed is
    left out, with what starts from it; None if nothing is left, or a variant of the planned comparison.
    """
    failures: list[Failure] = []
    for number in range(len(ROUNDS)):
        search = find_search(study, folder)
        if number >= len(search.trials):
            break
        trial = search.trials[number]
        unsure = _unsure(search, number)
        known = [variant.name for variant in trial.study.variants if variant.name not in unsure]
        if known:
            failures += carry_out(trial.study.with_variants(known), trial.folder, False)
    search = find_search(study, folder)
    waiting = set(search.waiting)
    while more := {
        variant.name
        for variant in study.variants
        if variant.name not in waiting
        and (source := study.source_of(variant)) is not None
        and source.name in waiting
    }:
        waiting |= more
    left = [variant.name for variant in study.variants if variant.name not in waiting]
    if not left or waiting & set(study.primary or ()):
        return None, failures
    return search.study if not waiting else search.study.with_variants(left), failures


def _unsure(search: Search, number: int) -> set[str]:
    """The variants whose rates in this round are not known yet, because a run of the round before failed."""
    if number == 0:
        return set()
    before = search.trials[number - 1]
    tried = {variant.name for variant in before.study.variants}
    unsure = {name for name in tried if ranked_rates(before.folder, name) is None}
    while more := {
        variant.name
        for variant in search.study.variants
        if variant.name not in unsure
        and (source := search.study.source_of(variant)) is not None
        and source.name in unsure
    }:
        unsure |= more
    return unsure
