"""From a study's folder to its verdicts."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from srlab.declare.metrics import PERCEPTION
from srlab.errors import UserError
from srlab.folder.looks import load_looks
from srlab.folder.records import RunRecord, StudyFolder
from srlab.folder.trials import is_halved, read_trials
from srlab.folder.twins import read_twins
from srlab.verdicts.cells import (
    Cells,
    chosen_rates,
    missing_cells,
    read_cells,
    read_validation,
)
from srlab.verdicts.compare import Scored, make_table
from srlab.verdicts.curves import StepCost, budgets, cost_of, progress, read_curve, step_cost
from srlab.verdicts.effects import Size, contrasts, effects, unknown
from srlab.verdicts.family import plane_ranks
from srlab.verdicts.images_apart import image_rows
from srlab.verdicts.looks import rates_of as looks_rates
from srlab.verdicts.looks import remark_on
from srlab.verdicts.options import Options, options_of
from srlab.verdicts.rates import rate_effects, sensitivity
from srlab.verdicts.same import same_scores
from srlab.verdicts.score_table import ScoreTable, gaps
from srlab.verdicts.selection import find_variant, select_images, select_variants
from srlab.verdicts.twins import make_twin
from srlab.verdicts.values import (
    BICUBIC,
    METRICS,
    Curve,
    Difference,
    Effect,
    MissingCell,
    Progress,
    Rank,
    RateSensitivity,
    Remark,
    Rules,
    Table,
    Twin,
    Verdicts,
    Weigh,
    checked_rules,
    know,
    known_metric,
)
from srlab.verdicts.words import Answer, answer, remarks
from srlab.words import plural


def judge(
    folder: Path | StudyFolder,
    *,
    base: str | None = None,
    level: float = 0.95,
    equal_within: float = 0.1,
    weigh: Weigh = "images",
    variants: Sequence[str] | None = None,
    images: Mapping[str, Sequence[str]] | None = None,
) -> Verdicts:
    """What can be concluded now from the files in a study's `folder`, even if runs are missing.

    Args:
        folder: a study's, as `srlab study` makes it; it is only read.
        base: the variant that the others are compared with; by default the first of the study.
        level: of intervals and tests, in [0.5, 1): 0.95 is 95 % and tests at 5 %.
        equal_within: in dB, above 0: variants that are shown to differ by less are equal.
        weigh: "images" counts each test image once, "sets" each test set.
        variants: only these, in the study's order; families, ranks and effects are of what is left.
        images: by test set only these of its images; sets that are not named are left out.

    Raises:
        UserError: `folder` is not a study's, or a name is not one of the study.
    """
    rules = checked_rules(level=level, equal_within=equal_within, weigh=weigh)
    opened = StudyFolder.of(folder)
    study = opened.study
    looks = load_looks(opened.path)
    if looks:
        rules = replace(rules, shared_error=looks_rates(looks, 1 - rules.level)[-1])
    know(metric.value for metric in study.metrics)
    declared = select_variants(study, variants)
    names = tuple(variant.name for variant in declared)
    test_sets = select_images(study, images)
    base = names[0] if base is None else find_variant(names, base)
    everyone = tuple(variant.name for variant in study.variants)  # they tell how much trainings differ
    runs_of = {name: [run for run in opened.runs if run.variant == name] for name in everyone}
    all_rates = chosen_rates(opened)
    cells = read_cells(opened, all_rates, test_sets)
    runs = [run for run in opened.runs if run.variant in names]
    rates = {name: all_rates[name] for name in names}
    metrics = _metrics(cells, names)
    scored = [
        cells.scored(everyone, scope=scope, metric=metric, rules=rules)
        for metric in metrics
        for scope in cells.scopes()
    ]
    by_rate = read_validation(opened, runs)
    trials = read_trials(opened)
    sensitivities = tuple(
        _sensitivity(name, runs_of[name], trials, by_rate, chosen=rates[name], rules=rules) for name in names
    )
    options = {variant.name: options_of(variant, protocol=study.protocol) for variant in declared}
    sizes = {
        variant.name: Size(parameters=variant.parameters, multiply_adds=variant.multiply_adds)
        for variant in declared
    }
    missing = missing_cells(cells, runs, rates, metrics or ("psnr_y",))
    left = _left(runs, missing)
    adversarial = any(variant.is_adversarial for variant in declared)
    found = _conclude(
        scored,
        names,
        options,
        sizes,
        base=base,
        planned=study.primary,
        test_sets=test_sets,
        rules=rules,
        left=left,
        is_adversarial=adversarial,
    )
    twins: list[Twin] = []
    unread: list[Remark] = []
    for part, place in read_twins(opened).items() if found.tables else ():
        try:
            twin = _twin(part, place, opened, found.tables[0], names, base=base, rules=rules, images=images)
        except UserError as error:
            unread.append(Remark(f"the study with 1/{part} of the steps is left out: {error}", "twin"))
            continue
        twins += [] if twin is None else [twin]
    step_costs = {
        variant.name: step_cost(variant, protocol=study.protocol, scale=study.scale) for variant in declared
    }
    curves = _curves(runs, rates)
    tried = list(dict.fromkeys(run.learning_rate for run in runs))
    finished = {(run.variant, run.seed) for run in runs if run.status == "finished"}
    whole = [curve for curve in curves if (curve.variant, curve.seed) in finished]
    return Verdicts(
        study=study.name,
        question=study.question,
        scale=study.scale,
        protocol=str(study.evaluation),
        base=base,
        rules=rules,
        is_complete=not left,
        is_adversarial=adversarial,
        variants=names,
        test_sets=test_sets,
        metrics=metrics,
        headline=found.answer.first,
        answer=(*found.answer.first, *found.answer.more),
        primary=found.primary,
        tables=found.tables,
        plane=found.plane,
        effects=(
            *found.effects,
            *rate_effects(names, by_rate, rates=tried, rules=rules),
        ),
        unknown_effects=unknown(contrasts(options, base=base)),
        learning_rates=sensitivities,
        curves=curves,
        budgets=budgets(whole, step_costs, variants=names),
        progress=_progress(whole, base, step_costs, names),
        costs=tuple(
            cost_of(
                variant,
                runs_of[variant.name],
                rates[variant.name],
                step_costs[variant.name],
                trials=[run for trial in trials for run in trial.runs if run.variant == variant.name],
            )
            for variant in declared
        ),
        images=image_rows(cells, names, metrics),
        missing=missing,
        remarks=remarks(
            str(study.evaluation),
            runs,
            found.tables,
            sensitivities,
            missing,
            test_sets=test_sets,
            notes=study.notes,
            is_halved=is_halved(study),
            rules=rules,
            is_adversarial=adversarial,
            has_plane=bool(found.plane),
            curves=whole,
            same=same_scores(cells, names),
            left_out=[one for one in cells.left_out if one[0] in (*names, BICUBIC)],
            looks=remark_on(looks, 1 - rules.level),
            twins=twins,
        )
        + tuple(unread),
        twins=tuple(twins),
    )


def _twin(
    part: int,
    place: StudyFolder,
    whole: StudyFolder,
    table: Table,
    names: Sequence[str],
    *,
    base: str,
    rules: Rules,
    images: Mapping[str, Sequence[str]] | None,
) -> Twin | None:
    """The twin in `place` beside `table` of the `whole` study; None while it has none of its scores.

    A folder there that has other steps is no twin.
    """
    if place.study.protocol.num_steps != whole.study.protocol.num_steps // part:
        return None
    both = [variant.name for variant in place.study.variants if variant.name in names]
    there = select_images(place.study, None)
    if not both or (images is not None and not set(images) <= set(there)):
        return None
    found = judge(
        place,
        base=base if base in both else None,
        level=rules.level,
        equal_within=rules.equal_within,
        weigh=rules.weigh,
        variants=both,
        images=images,
    )
    shorter = found.table(metric=table.metric, scope=table.scope)
    if shorter is None or shorter.num_images != table.num_images:
        return None
    return make_twin(part, table, shorter, is_complete=found.is_complete)


def _sensitivity(
    name: str,
    runs: Sequence[RunRecord],
    trials: Sequence[StudyFolder],
    by_rate: Mapping[float, Cells],
    *,
    chosen: float | None,
    rules: Rules,
) -> RateSensitivity:
    """Of the first trials, if the rates were chosen by halving: they have all rates at one length."""
    for study in trials[:1]:
        tried = [run for run in study.runs if run.variant == name]
        if len({run.learning_rate for run in tried}) > 1:
            return sensitivity(name, tried, read_validation(study, tried), chosen=chosen, rules=rules)
    return sensitivity(name, runs, by_rate, chosen=chosen, rules=rules)


def _metrics(cells: Cells, names: Sequence[str]) -> tuple[str, ...]:
    """Those that any run has, psnr_y first."""
    found = {
        metric
        for variant, seeds in cells.scores.items()
        if variant in names
        for by_image in seeds.values()
        for _, metric in by_image
    }
    return (*(name for name in METRICS if name in found), *sorted(found - METRICS.keys()))


@dataclass(frozen=True, kw_only=True)
class _Conclusions:
    """What follows from scores alone, of a study or of a file."""

    tables: tuple[Table, ...]
    effects: tuple[Effect, ...]
    plane: Mapping[str, Rank]
    primary: tuple[Difference, ...]
    answer: Answer


def _conclude(
    scored: Sequence[Scored],
    names: Sequence[str],
    options: Mapping[str, Options],
    sizes: Mapping[str, Size],
    *,
    base: str,
    planned: tuple[str, str] | None,
    test_sets: Mapping[str, Sequence[str]],
    rules: Rules,
    left: str,
    is_adversarial: bool,
) -> _Conclusions:
    """From the scores by metric and scope, of which the first ranks."""
    tables = tuple(make_table(one, names, base=base) for one in scored)
    found = tuple(effect for one in scored for effect in effects(one, options, sizes, base=base))
    plane_tables = _plane_tables(tables) if is_adversarial else ()
    plane = _plane(plane_tables, names)
    ranking = tables[0] if tables else None
    primary = _primary(planned, scored, names, is_adversarial=is_adversarial)
    said = answer(
        ranking,
        [table for table in tables[1:] if table.metric == tables[0].metric],
        found,
        plane if is_adversarial else _ranks(ranking),
        primary=primary,
        base=base,
        test_sets=test_sets,
        rules=rules,
        left=left,
        is_adversarial=is_adversarial,
        plane=plane_tables,
    )
    return _Conclusions(tables=tables, effects=found, plane=plane, primary=primary, answer=said)


def _left(runs: Sequence[RunRecord], missing: Sequence[MissingCell]) -> str:
    """What the study still lacks, in words; "" if nothing."""
    running = [run for run in runs if run.status not in ("finished", "diverged")]
    if running:
        return f"{len(running)} of {len(runs)} runs {'has' if len(running) == 1 else 'have'} not ended"
    trainings = {(cell.variant, cell.seed) for cell in missing if not cell.is_final}
    if not trainings:
        return ""
    return f"test scores of {plural(len(trainings), 'training')} are missing"


def _primary(
    planned: tuple[str, str] | None, scored: Sequence[Scored], names: Sequence[str], *, is_adversarial: bool
) -> tuple[Difference, ...]:
    """The planned comparison, tested alone on the scope that ranks."""
    if not planned or not scored or not set(planned) <= set(names):
        return ()
    by_metric = {one.metric.name: one for one in reversed(scored) if one.scope == scored[0].scope}
    perception = next((name for name in PERCEPTION if name in by_metric), None)
    metrics = [scored[0].metric.name, *([perception] if is_adversarial and perception else [])]
    return tuple(test for metric in metrics for test in by_metric[metric].differences([planned]))


def _ranks(table: Table | None) -> dict[str, Rank]:
    return {row.variant: row.rank for row in table.rows if row.rank is not None} if table else {}


def _plane_tables(tables: Sequence[Table]) -> tuple[Table, ...]:
    """Of psnr_y and of the perceptual distance that ranks, on the scope that ranks; those that there are."""
    by_metric = {table.metric: table for table in reversed(tables) if table.scope == tables[0].scope}
    perception = [name for name in PERCEPTION if name in by_metric]
    return tuple(by_metric[name] for name in ("psnr_y", *perception[:1]) if name in by_metric)


def _plane(tables: Sequence[Table], names: Sequence[str]) -> dict[str, Rank]:
    """Ranks by distortion and perception, of the variants that have scores of both."""
    if len(tables) < 2:
        return {}
    distortion, perception = tables
    both = [name for name in names if name in _ranks(distortion) and name in _ranks(perception)]
    known = set(both)
    pairs = [
        [pair for pair in table.pairs if {pair.variant, pair.other} <= known]
        for table in (distortion, perception)
    ]
    return plane_ranks(both, pairs[0], pairs[1])


def _curves(runs: Sequence[RunRecord], rates: Mapping[str, float | None]) -> tuple[Curve, ...]:
    """At the chosen rate; of a variant that has none yet, those of all runs that have begun."""
    shown = [run for run in runs if rates[run.variant] in (None, run.learning_rate)]
    return tuple(curve for run in shown if (curve := read_curve(run)) is not None)


def _progress(
    curves: Sequence[Curve], base: str, costs: Mapping[str, StepCost], names: Sequence[str]
) -> tuple[Progress, ...]:
    """To the psnr_y at which the base ended, mean over its seeds."""
    final = [curve.psnr_y[-1] for curve in curves if curve.variant == base]
    if not final:
        return ()
    return progress(curves, costs, variants=names, target=statistics.fmean(final))


def judge_scores(
    table: ScoreTable,
    *,
    base: str | None = None,
    metrics: Sequence[str] | None = None,
    primary: tuple[str, str] | None = None,
    level: float = 0.95,
    equal_within: float = 0.1,
    weigh: Weigh = "images",
) -> Verdicts:
    """What can be concluded from a table of scores alone, whoever made it.

    What is not in it, is not in the verdicts: learning rates, curves and costs. All that is there counts as
    complete.

    Args:
        table: one learning rate for each variant; `srlab.verdicts.read_scores` reads one.
        base: the variant that the others are compared with; by default the first of the table.
        metrics: only these, of which the first ranks; by default all, psnr_y first.
        primary: two variants whose comparison was planned before the scores were known.
        level, equal_within, weigh: as `judge` has them.

    Raises:
        UserError: a name is not one of the table.
    """
    rules = checked_rules(level=level, equal_within=equal_within, weigh=weigh)
    names, cells = table.variants, table.cells
    base = names[0] if base is None else find_variant(names, base, of="the file")
    planned = None
    if primary is not None:
        one, other = (find_variant(names, name, of="the file") for name in primary)
        planned = one, other
    if planned and planned[0] == planned[1]:
        raise UserError(f"a planned comparison is of two different variants, not of {planned[0]} twice")
    there = _metrics(cells, names)
    for metric in metrics or ():
        if metric not in there:
            raise UserError(f"there are no scores of {metric!r}; there are some of {', '.join(there)}")
    judged = there if metrics is None else tuple(metrics)
    options = {name: table.options.get(name, {}) for name in names}
    adversarial = metrics is None and any(of.get("objective") == "adversarial" for of in options.values())
    found = _conclude(
        [
            cells.scored(names, scope=scope, metric=metric, rules=rules)
            for metric in judged
            for scope in cells.scopes()
        ],
        names,
        options,
        {},
        base=base,
        planned=planned,
        test_sets=cells.test_sets,
        rules=rules,
        left="",
        is_adversarial=adversarial,
    )
    missing = gaps(table, judged)
    about = remarks(
        table.protocol_in_words,
        (),
        found.tables,
        (),
        missing,
        test_sets=cells.test_sets,
        rules=rules,
        is_adversarial=adversarial,
        has_plane=bool(found.plane),
        same=same_scores(cells, names),
    )
    what = f"Which of {len(names)} variants is best" if len(names) > 1 else f"How good is {names[0]}"
    return Verdicts(
        study=table.study,
        question=f"{what} by {judged[0]}?",
        scale=table.scale,
        protocol=table.protocol_in_words or "not known",
        base=base,
        rules=rules,
        is_complete=True,
        is_adversarial=adversarial,
        variants=names,
        test_sets=cells.test_sets,
        metrics=judged,
        headline=found.answer.first,
        answer=(*found.answer.first, *found.answer.more),
        primary=found.primary,
        tables=found.tables,
        plane=found.plane,
        effects=found.effects,
        unknown_effects=unknown(contrasts(options, base=base)),
        learning_rates=(),
        curves=(),
        budgets=(),
        progress=(),
        costs=(),
        images=image_rows(cells, names, judged),
        missing=missing,
        remarks=(
            *_about_scores(table, judged),
            # What is said of the protocol and of learning rates is of a study's folder.
            *(remark for remark in about if remark.kind not in ("protocol", "rates")),
        ),
    )


def _about_scores(table: ScoreTable, metrics: Sequence[str]) -> Iterator[Remark]:
    """What only the one who made the scores can know."""
    yield Remark(
        table.protocol_in_words
        or "the file does not say how the scores were made; they must all be of one scale and one protocol",
        "protocol",
    )
    for metric in metrics:
        if known_metric(metric) is None:
            yield Remark(f"larger is taken to be better by {metric!r}, which srlab does not know", "metric")
