"""Who won: a study's verdicts as standings. Needs no torch.

A variant stands here at its chosen learning rate, with the mean over its seeds (each the mean over a test
set's images) and the sample standard deviation between seeds; ranks and intervals are those of
`srlab.verdicts`. It holds for the files as they are now: what is running, diverged, failed or missing is
named and is in no mean. Scores of another protocol than the study's are left out.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from srlab.declare.protocol import EvaluationProtocol
from srlab.folder.choice import candidates, outdated_starts, why_waiting
from srlab.folder.profile_store import Profile, load_profiles
from srlab.folder.records import RunRecord, StudyFolder, mean
from srlab.folder.schema import NO_CHOICE, Choice, StudyFile, StudyVariant
from srlab.folder.winner import ranking
from srlab.verdicts import (
    ALL_SETS,
    BICUBIC,
    PERCEPTION,
    Difference,
    Rank,
    Remark,
    RemarkKind,
    Rules,
    Spread,
    Twin,
    Verdicts,
    is_ahead,
    judge,
)
from srlab.verdicts.curves import spread
from srlab.verdicts.values import Weigh

ORDER = {
    "images": "rows are sorted by psnr_y, the mean over all test images; variants without scores of a set "
    "stand below the others",
    "sets": "rows are sorted by psnr_y, the mean over the test sets (each set counts once); variants without "
    "scores of a set stand below the others",
}
ORDER_OF_PLANE = (
    "rows are sorted by rank, which takes psnr_y and the perceptual distance together; variants of one rank "
    "are sorted by that distance (lower is better)"
)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A row: a variant, or bicubic.

    `overall` is psnr_y over all test images, where there are several test sets. `tests` has the scores by
    test set and metric, `gains` psnr_y over bicubic's in dB by test set, and
    `over_bicubic` the same with interval and test; `over_base` is by test set and, where there are several,
    `ALL_SETS`. `rank` is the one that counts (`Verdicts.ranks`). `learning_rate` is the chosen one; None for
    bicubic, and before there is a choice. `seconds` of training are the median over the seeds,
    `processor_seconds` and `is_busy` as `Cost` has them. `notes` say
    what is not as it should be.
    """

    name: str
    parameters: int
    running_statistics: int = 0
    multiply_adds: int = 0
    learning_rate: float | None = None
    seconds: float | None = None
    processor_seconds: float | None = None
    is_busy: bool = False
    rank: Rank | None = None
    validation: Mapping[str, Spread] = field(default_factory=dict)
    overall: Spread | None = None
    tests: Mapping[str, Mapping[str, Spread]] = field(default_factory=dict)
    gains: Mapping[str, float] = field(default_factory=dict)
    over_bicubic: Mapping[str, Difference] = field(default_factory=dict)
    over_base: Mapping[str, Difference] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """A study's standings, best first, with what must be known to read them; `headline` has the
    sentences that answer the question, with which `answer` begins.

    `pairs` are those of all variants by what ranks, `primary` is the planned one.
    `twins` are the study for a part of the steps. `profiles` are what `srlab profile` measured, of each
    setting once.
    """

    name: str
    question: str
    headline: tuple[str, ...]
    answer: tuple[str, ...]
    scale: int
    protocol: EvaluationProtocol
    base: str
    rules: Rules
    primary: tuple[Difference, ...]
    pairs: tuple[Difference, ...]
    metrics: tuple[str, ...]
    test_sets: tuple[str, ...]
    standings: tuple[Standing, ...]
    remarks: tuple[Remark, ...]
    twins: tuple[Twin, ...] = ()
    profiles: tuple[Profile, ...] = ()
    is_adversarial: bool = False


def leaderboard(
    folder: Path | StudyFolder,
    *,
    verdicts: Verdicts | None = None,
    equal_within: float = 0.1,
    weigh: Weigh = "images",
) -> Leaderboard:
    """The standings as the files in a study's `folder` have them now; a `UserError` if it is not one.

    `verdicts` are those of the folder, if they are known already; else they are reached with `equal_within`
    and `weigh`, as `judge` has them.
    """
    opened = StudyFolder.of(folder)
    study = opened.study
    verdicts = verdicts or judge(opened, equal_within=equal_within, weigh=weigh)
    outdated = outdated_starts(opened)
    standings = [
        _standing(
            variant,
            [run for run in opened.runs if run.variant == variant.name],
            opened.choices.get(variant.name, NO_CHOICE),
            verdicts,
            waits_for=why_waiting(variant.name, opened),
            outdated_start=outdated.get(variant.name),
        )
        for variant in study.variants
    ]
    bicubic = _bicubic(opened, verdicts)
    if bicubic is not None:
        standings.insert(0, bicubic)
    in_order = sorted(standings, key=lambda standing: _order(standing, verdicts))
    return Leaderboard(
        name=study.name,
        question=study.question,
        headline=verdicts.headline,
        answer=verdicts.answer,
        scale=study.scale,
        protocol=study.evaluation,
        base=verdicts.base,
        rules=verdicts.rules,
        primary=verdicts.primary,
        pairs=verdicts.tables[0].pairs if verdicts.tables else (),
        metrics=verdicts.metrics,
        test_sets=tuple(verdicts.test_sets),
        standings=tuple(in_order),
        remarks=(*_remarks(study, verdicts), *_about_the_winner(opened, in_order, verdicts)),
        twins=verdicts.twins,
        profiles=load_profiles(opened),
        is_adversarial=verdicts.is_adversarial,
    )


def _order(standing: Standing, verdicts: Verdicts) -> tuple[float, ...]:
    sets = [standing.tests[name] for name in verdicts.test_sets if name in standing.tests]
    missing = float(len(verdicts.test_sets) - len(sets))
    if verdicts.is_adversarial:
        found = [name for name in PERCEPTION if all(name in spreads for spreads in sets)]
        perception = [spreads[found[0]].mean for spreads in sets] if found else []
        rank = standing.rank.best if standing.rank else math.inf
        return missing, rank, mean(perception) if perception else math.inf
    scores = [spreads["psnr_y"].mean for spreads in sets]
    overall = standing.overall.mean if standing.overall else mean(scores) if scores else 0.0
    validation = standing.validation.get("psnr_y")
    return missing, -overall, -validation.mean if validation else math.inf


def _bicubic(study: StudyFolder, verdicts: Verdicts) -> Standing | None:
    tests = _tests(BICUBIC, verdicts)
    if not tests and study.bicubic is None:
        return None
    return Standing(
        name=BICUBIC,
        parameters=0,
        validation={metric: spread([value]) for metric, value in (study.bicubic or {}).items()},
        overall=_overall(BICUBIC, verdicts),
        tests=tests,
    )


def _overall(name: str, verdicts: Verdicts) -> Spread | None:
    """psnr_y over all test images; None with one test set, or without all scores."""
    table = verdicts.table() if len(verdicts.test_sets) > 1 else None
    for row in table.rows if table else ():
        if row.variant == name and row.mean is not None:
            return Spread(mean=row.mean, sd=row.sd, num_seeds=max(1, len(row.seeds)))
    return None


def _tests(name: str, verdicts: Verdicts) -> dict[str, dict[str, Spread]]:
    """By test set and metric; a set of which an image has no psnr_y is left out."""
    tests: dict[str, dict[str, Spread]] = {test_set: {} for test_set in verdicts.test_sets}
    for table in verdicts.tables:
        for row in table.rows:
            if row.variant == name and row.mean is not None and table.scope in tests:
                seeds = max(1, len(row.seeds))  # bicubic has none
                tests[table.scope][table.metric] = Spread(mean=row.mean, sd=row.sd, num_seeds=seeds)
    return {test_set: spreads for test_set, spreads in tests.items() if "psnr_y" in spreads}


def _standing(
    variant: StudyVariant,
    runs: Sequence[RunRecord],
    choice: Choice,
    verdicts: Verdicts,
    *,
    waits_for: str | None,
    outdated_start: str | None,
) -> Standing:
    name = variant.name
    cost = next(cost for cost in verdicts.costs if cost.variant == name)
    chosen = [
        run for run in runs if cost.learning_rate is not None and run.learning_rate == cost.learning_rate
    ]
    tests = _tests(name, verdicts)
    rows = [
        (table.scope, row)
        for table in verdicts.tables
        if table.metric == "psnr_y"
        for row in table.rows
        if row.variant == name
    ]
    over_bicubic = {
        scope: row.to_bicubic for scope, row in rows if row.to_bicubic is not None and scope != ALL_SETS
    }
    gains = {
        scope: test.estimate
        for scope, test in over_bicubic.items()
        if test.estimate is not None and scope in tests
    }
    return Standing(
        name=name,
        parameters=variant.parameters,
        running_statistics=variant.running_statistics,
        multiply_adds=variant.multiply_adds,
        learning_rate=cost.learning_rate,
        seconds=cost.seconds,
        processor_seconds=cost.processor_seconds,
        is_busy=cost.is_busy,
        rank=verdicts.ranks().get(name),
        validation=_spreads([run.validation for run in chosen if run.validation]),
        overall=_overall(name, verdicts),
        tests=tests,
        gains=gains,
        over_bicubic=over_bicubic,
        over_base={scope: row.to_base for scope, row in rows if row.to_base is not None},
        notes=(
            *((f"not final: {waits_for}",) if waits_for else ()),
            *((outdated_start,) if outdated_start else ()),
            *_notes(runs, chosen, choice, tests, over_bicubic, verdicts.test_sets),
        ),
    )


def _spreads(values: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    """By metric, over one mapping for each seed; a metric that a seed lacks is left out."""
    metrics = [metric for metric in values[0] if all(metric in one for one in values)] if values else []
    return {metric: spread([of_seed[metric] for of_seed in values]) for metric in metrics}


def notes_of_variants(standings: Sequence[Standing]) -> tuple[str, ...]:
    """What is not as it should be, each once with the variants it is true of."""
    concerned: dict[str, list[str]] = {}
    for row in standings:
        for note in row.notes:
            concerned.setdefault(note, []).append(row.name)
    num_trained = sum(row.name != BICUBIC for row in standings)
    return tuple(
        f"{'every variant' if len(names) == num_trained > 1 else ', '.join(names)}: {note}"
        for note, names in concerned.items()
    )


_CHANGE_THE_READING: tuple[RemarkKind, ...] = (
    "weights",
    "discriminator",
    "same",
    "precision",
    "test sets",
    "seeds",
    "last step",
    "looks",
    "winner",
)


def important_notes(board: Leaderboard) -> tuple[str, ...]:
    """What changes how to read the table, most important first.

    That there is one seed, or that the study is not finished, is not among them: the answer itself says so.
    """
    by_kind: dict[RemarkKind, list[str]] = {}
    for remark in board.remarks:
        by_kind.setdefault(remark.kind, []).append(remark)
    missing = [] if by_kind.get("unfinished") else by_kind.get("missing", [])  # runs that miss have no scores
    others = [text for kind in _CHANGE_THE_READING for text in by_kind.get(kind, ())]
    return (*missing, *by_kind.get("twin", ()), *notes_of_variants(board.standings), *others)


def _notes(
    runs: Sequence[RunRecord],
    chosen: Sequence[RunRecord],
    choice: Choice,
    tests: Mapping[str, Mapping[str, Spread]],
    over_bicubic: Mapping[str, Difference],
    test_sets: Mapping[str, Sequence[str]],
) -> tuple[str, ...]:
    behind = [name for name, test in over_bicubic.items() if is_ahead(test) is False]
    unsure = [name for name, test in over_bicubic.items() if is_ahead(test) and test.outcome != "better"]
    notes = [f"mean not above bicubic's on {', '.join(behind)}"] if behind else []
    notes += [f"gain over bicubic undecided on {', '.join(unsure)}"] if unsure else []
    notes += [
        f"{remark}{_of_seeds(remark, chosen)}"
        for remark in dict.fromkeys(remark for run in chosen for remark in run.remarks)
    ]
    for status, word in (
        ("diverged", "diverged"),
        ("failed", "failed"),
        ("started", "missing (running, or interrupted)"),
        ("not started", "missing (not started)"),
    ):
        there = [run for run in runs if run.status == status]
        if there:
            notes.append(f"{len(there)} of {len(runs)} runs {word}{_where(there, chosen)}")
    if left_out := choice.left_out:
        notes.append(f"the last command left out {', '.join(left_out)}, which did not end")
    if choice.learning_rate is None:
        if choice.previous is not None:
            notes.append("this learning rate was chosen before the last runs were added")
        elif chosen:
            notes.append("no learning rate is chosen yet; this one leads so far")
        else:
            notes.append("no learning rate chosen yet" if _is_open(runs) else "no run finished")
    else:
        seeds = len({run.seed for run in runs})
        for name in test_sets:
            scored = tests[name]["psnr_y"].num_seeds if name in tests else 0
            if scored < seeds:
                notes.append(f"{name}: {seeds - scored} of {seeds} seeds missing")
    return tuple(notes)


def _of_seeds(remark: str, chosen: Sequence[RunRecord]) -> str:
    concerned = [run.seed for run in chosen if remark in run.remarks]
    return "" if len(concerned) == len(chosen) else f" (seed {', '.join(map(str, concerned))})"


def _where(there: Sequence[RunRecord], chosen: Sequence[RunRecord]) -> str:
    return ", at the chosen rate too" if chosen and any(run in chosen for run in there) else ""


def _is_open(runs: Sequence[RunRecord]) -> bool:
    return any(run.status != "diverged" for run in runs)


def _about_the_winner(
    study: StudyFolder,
    standings: Sequence[Standing],
    verdicts: Verdicts,
) -> Iterator[Remark]:
    """That the study's winner is not the variant with the highest test scores, where that is so."""
    leading = next((row.name for row in standings if row.name != BICUBIC and row.tests), None)
    if leading is None or verdicts.is_adversarial:
        return
    known = candidates(study.study)
    for ranked in ranking(study):
        if (winner := ranked[0].variant) in known:
            if winner != leading:
                yield Remark(
                    f"`--model` with this study takes {winner}, which has the highest validation psnr_y "
                    "(test scores choose nothing)",
                    "winner",
                )
            return


def _remarks(study: StudyFile, verdicts: Verdicts) -> tuple[Remark, ...]:
    """Those of the verdicts, with what only a table of means needs: its order, and what ± is."""
    protocol = [remark for remark in verdicts.remarks if remark.kind == "protocol"]
    others = [remark for remark in verdicts.remarks if remark.kind != "protocol"]
    remarks = [
        *protocol,
        Remark(ORDER_OF_PLANE if verdicts.is_adversarial else ORDER[verdicts.rules.weigh], "order"),
    ]
    if len(study.seeds) > 1:
        deviation = f"± is the sample standard deviation between seeds ({len(study.seeds)} planned)"
        remarks.append(Remark(deviation, "order"))
    return (*remarks, *others)
