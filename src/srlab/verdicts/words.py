"""Verdicts in words: the answer in a sentence, and what must be known to read it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from srlab.protocol import EvaluationProtocol
from srlab.records import RunRecord
from srlab.verdicts.compare import is_ahead, metric_of
from srlab.verdicts.intervals import coverage_if_skewed
from srlab.verdicts.values import (
    ALL_SETS,
    BICUBIC,
    Difference,
    Effect,
    Interval,
    MissingCell,
    Rank,
    RateSensitivity,
    Row,
    Table,
)

_MOST_NAMED = 6
_UNEVEN = 1.5  # times of one training, longest to shortest
_ALONE = "What one change alone brings, over all pairs that differ in it"


def signed(value: float | None, metric: str) -> str:
    """A difference with its sign and unit.

    >>> signed(0.214, "psnr_y"), signed(-0.0021, "ssim_y")
    ('+0.21 dB', '-0.0021')
    """
    how = metric_of(metric)
    if value is None:
        return "undefined"
    return f"{value:+.{how.decimals}f}" + (f" {how.unit}" if how.unit else "")


def span(interval: Interval, metric: str) -> str:
    """An interval in brackets, each end with its sign.

    >>> wide = Interval(
    ...     low=-0.1, high=0.304, level=0.95, population="images", standard_error=0.1, coverage=0.95
    ... )
    >>> span(wide, "psnr_y")
    '[-0.10, +0.30]'
    """
    decimals = metric_of(metric).decimals
    return f"[{interval.low:+.{decimals}f}, {interval.high:+.{decimals}f}]"


def verdict(test: Difference | Effect) -> str:
    """A difference or an effect in words: the number with its interval, and whether it is beyond doubt."""
    if test.interval is None or test.estimate is None:
        return f"{signed(test.estimate, test.metric)}, not judged ({test.reason})"
    number = f"{signed(test.estimate, test.metric)} {span(test.interval, test.metric)}"
    if test.outcome != "not told apart":
        return number
    holds_zero = test.interval.low <= 0 <= test.interval.high
    return f"no difference shown ({number})" if holds_zero else f"{number}, not beyond doubt among so many"


def _listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def scope_words(scope: str, test_sets: Iterable[str]) -> str:
    """``set5``, or ``the mean of set5 and set14``."""
    return f"the mean of {_listed(list(test_sets))}" if scope == ALL_SETS else scope


def answer(
    table: Table | None,
    others: Sequence[Table],
    effects: Sequence[Effect],
    ranks: Mapping[str, Rank],
    *,
    base: str,
    test_sets: Iterable[str],
    is_complete: bool,
    is_adversarial: bool,
) -> str:
    """Who is ahead, and what each change brings, in a few sentences.

    `table` is the one that ranks, `others` are those of single test sets beside it.
    """
    scored = [row for row in table.rows if row.mean is not None and row.variant in ranks] if table else []
    if table is None or not scored:
        if table is not None and is_adversarial and any(row.mean is not None for row in table.rows):
            return (
                "No ranking: a variant was trained with a discriminator, and perceptual scores are missing."
            )
        return "Nothing can be said yet: no variant has its test scores."
    where = scope_words(table.scope, test_sets)
    measure = "psnr_y and the perceptual distance together" if is_adversarial else table.metric
    ahead = scored[0]
    sentences = [_leaders([row.variant for row in scored], ranks, f"by {measure} on {where}")]
    if not is_adversarial and (unjudged := _unjudged(scored)):
        return _in_progress(_without_judgement(table, effects, scored, base, where, unjudged), is_complete)
    is_alone = sum(ranks[row.variant].best == 1 for row in scored) == 1
    if not is_adversarial and ahead.to_base is not None:
        who = "its" if is_alone else f"{ahead.variant}'s is the highest mean, its"
        sentences[0] += f"; {who} difference to {base} is {verdict(ahead.to_base)}"
    elif len(scored) == 1 and ahead.to_bicubic is not None:
        sentences[0] += f"; its difference to bicubic is {verdict(ahead.to_bicubic)}"
    if below := [row.variant for row in scored if not is_adversarial and _is_below_bicubic(row)]:
        sentences.append(_below(below, scored))
    if not is_adversarial:
        sentences += _told_apart_alone(others, _first(ranks))
    if max(len(row.seeds) for row in scored) == 1:
        sentences.append("This is of these trained networks: one seed says nothing of another training")
    if brought := _brought(table, effects, base, already=None if is_adversarial else ahead.variant):
        sentences.append(brought)
    return _in_progress(sentences, is_complete)


def _in_progress(sentences: Sequence[str], is_complete: bool) -> str:
    text = ". ".join(sentences) + "."
    return text if is_complete else f"Not finished; so far: {text}"


def _unjudged(rows: Sequence[Row]) -> str:
    """Why no difference between these variants has an interval; "" where one has."""
    tests = [row.to_base for row in rows if row.to_base is not None]
    return tests[0].reason if tests and all(test.interval is None for test in tests) else ""


def _without_judgement(
    table: Table, effects: Sequence[Effect], rows: Sequence[Row], base: str, where: str, why: str
) -> list[str]:
    """What was measured where nothing can be concluded: the numbers, and once why that is all."""
    ahead = rows[0]
    first = f"Highest {table.metric} on {where}: {ahead.variant}"
    if ahead.to_base is not None:
        first += f", {signed(ahead.to_base.estimate, table.metric)} against {base}"
    sentences = [first]
    if below := [row.variant for row in rows if _is_below_bicubic(row)]:
        sentences.append(_below(below, rows))
    if parts := [
        f"{effect.name}: {signed(effect.estimate, effect.metric)}" for effect in _clean(table, effects)
    ]:
        sentences.append(f"{_ALONE}: {_cut(parts)}")
    return [*sentences, f"None of this can be judged: {why}"]


def _below(names: Sequence[str], rows: Sequence[Row]) -> str:
    """Who did not beat bicubic."""
    if len(names) == len(rows) > 1:
        return f"None of the {len(rows)} beat bicubic there"
    return f"Did not beat bicubic there: {_listed(names)}"


def _is_below_bicubic(row: Row) -> bool:
    return row.to_bicubic is not None and is_ahead(row.to_bicubic) is False


def _first(ranks: Mapping[str, Rank]) -> list[str]:
    return [name for name, rank in ranks.items() if rank.best == 1]


def _told_apart_alone(tables: Sequence[Table], first: Sequence[str]) -> list[str]:
    """Test sets that by themselves leave fewer variants in the first place than the ranking does."""
    found = []
    for table in tables:
        ranks = {row.variant: row.rank for row in table.rows if row.rank is not None}
        alone = _first(ranks)
        if alone and len(ranks) >= len(first) > len(alone):
            who = _listed(alone) if len(alone) <= _MOST_NAMED else f"{len(alone)} variants"
            share = "is best" if len(alone) == 1 else "share the first place"
            found.append(f"By itself {table.scope} tells more apart: {who} {share} there")
    return found


def _leaders(variants: Sequence[str], ranks: Mapping[str, Rank], where: str) -> str:
    first = [name for name in variants if ranks[name].best == 1]
    if len(variants) == 1:
        return f"{variants[0]} is the only variant with scores {where}"
    if len(first) == 1:
        return f"{first[0]} is best {where}"
    if len(first) == len(variants):
        every = "both" if len(first) == 2 else f"all {len(first)}"
        return f"No variant is best beyond doubt {where}: {every} may be"
    shown = first if len(first) <= _MOST_NAMED else [*first[: _MOST_NAMED - 1], f"{len(first)} in all"]
    return f"{_listed(shown)} share the first place {where}"


def _clean(table: Table, effects: Sequence[Effect]) -> list[Effect]:
    """The table's main effects that one option alone explains."""
    return [
        effect
        for effect in effects
        if effect.scope == table.scope
        and effect.metric == table.metric
        and effect.interaction is None
        and not effect.is_confounded
    ]


def _brought(table: Table, effects: Sequence[Effect], base: str, *, already: str | None) -> str:
    """What each change brings; where none stands alone, what each variant but `already` does."""
    if clean := _clean(table, effects):
        parts = [f"{effect.name}: {verdict(effect)}" for effect in clean]
        return f"{_ALONE}: {_cut(parts)}"
    parts = [
        f"{row.variant}: {verdict(row.to_base)}"
        for row in table.rows
        if row.to_base is not None and row.variant != already
    ]
    return f"Against {base}: {_cut(parts)}" if parts else ""


def _cut(parts: Sequence[str]) -> str:
    shown = list(parts[:_MOST_NAMED])
    if len(parts) > len(shown):
        shown.append(f"and {len(parts) - len(shown)} more")
    return "; ".join(shown)


def remarks(
    study: Mapping[str, Any],
    runs: Sequence[RunRecord],
    tables: Sequence[Table],
    rates: Sequence[RateSensitivity],
    missing: Sequence[MissingCell],
    *,
    test_sets: Mapping[str, Sequence[str]],
    level: float,
    is_adversarial: bool,
    has_plane: bool,
    same: Sequence[str] = (),
    left_out: Sequence[tuple[str, int, str]] = (),
) -> tuple[str, ...]:
    """What must be known to read the verdicts, most important first.

    `same` says whose scores do not differ; `left_out` are variant, seed and metric computed with
    other weights than those of the others.
    """
    found = [str(EvaluationProtocol(**study["evaluation"]))]
    left = [run for run in runs if run.status not in ("finished", "diverged")]
    if left:
        found.append(f"{len(left)} of {len(runs)} runs have not ended: this is not the last word")
    if missing:
        found.append(f"{len(missing)} cells (variant, seed, test set) are missing and in no mean")
    found += _about_weights(left_out)
    found += same
    found += _about_intervals(tables, level=level)
    found += _about_sets(study, test_sets, level=level)
    found += _about_seeds(tables)
    if is_adversarial:
        found.append(
            "a variant was trained with a discriminator: one stands behind another only if psnr_y and the "
            "perceptual distance both say so beyond doubt"
            if has_plane
            else "a variant was trained with a discriminator and perceptual scores are missing: psnr_y alone "
            "ranks nothing (`srlab perceptual` adds them)"
        )
    elif tables:
        found.append(
            "a rank is the range of places that the data allow (all pairs, Holm): one that is uncertain may "
            "begin above a better mean, and to share a place is no proof of being equal"
        )
    edges = [one.variant for one in rates if one.at_edge]
    if edges:
        who = "every variant" if len(edges) == len(rates) > 1 else _listed(edges)
        found.append(f"the smallest or largest rate tried was chosen for {who}: a better one may lie beyond")
    found.append("learning rates were chosen on the validation images, whose scores rank nothing here")
    found += _about_precision(runs)
    found += _about_times(runs)
    return tuple(found)


def _about_precision(runs: Sequence[RunRecord]) -> list[str]:
    """Two precisions in one study: part of a difference may be theirs."""
    variants: dict[str, dict[str, None]] = {}
    for run in runs:
        if run.precision is not None:
            variants.setdefault(run.precision, {})[run.variant] = None
    if len(variants) < 2:
        return []
    parts = [f"{_listed(list(names))} in {precision}" for precision, names in variants.items()]
    return [
        f"not all runs were trained in one precision ({'; '.join(parts)}): it may be part of a difference"
    ]


def _about_times(runs: Sequence[RunRecord]) -> list[str]:
    """Seeds of one variant at one rate are the same work: where their times differ much, times say little."""
    times: dict[tuple[str, float], list[float]] = {}
    for run in runs:
        if run.status == "finished" and run.seconds:
            times.setdefault((run.variant, run.learning_rate), []).append(run.seconds)
    ratio = max((max(seconds) / min(seconds) for seconds in times.values()), default=1.0)
    if ratio < _UNEVEN:
        return []
    return [
        f"the same training took up to {ratio:.1f} times as long with one seed as with another (other work "
        "beside it, or another machine): times of training compare little; read multiply-adds"
    ]


def _about_weights(left_out: Sequence[tuple[str, int, str]]) -> list[str]:
    by_metric: dict[str, list[str]] = {}
    for variant, seed, metric in left_out:
        who = variant if variant == BICUBIC else f"{variant} (seed {seed})"
        by_metric.setdefault(metric, []).append(who)
    return [
        f"{metric} of {_listed(who)} was computed with other weights than that of the others, and is left "
        "out: numbers of two networks cannot be compared; `srlab perceptual` computes it anew"
        for metric, who in by_metric.items()
    ]


def _about_intervals(tables: Sequence[Table], *, level: float) -> list[str]:
    tests = [pair for table in tables for pair in table.pairs] + [
        row.to_bicubic for table in tables for row in table.rows if row.to_bicubic is not None
    ]
    intervals = [test.interval for test in tests if test.interval is not None]
    found = []
    populations = {interval.population for interval in intervals}
    if "trainings and images" in populations:
        covers = [one.coverage for one in intervals if one.population == "trainings and images"]
        low, high = 100 * min(covers), 100 * max(covers)
        ranged = f"{low:.0f} %" if round(low) == round(high) else f"{low:.0f} to {high:.0f} %"
        found.append(
            f"intervals of {100 * level:g} % are of paired differences, for other trainings and other images "
            f"of the kind; with the spreads found here they cover {ranged} where scores are normal"
        )
    seeds = max((len(row.seeds) for table in tables for row in table.rows), default=0)
    if seeds == 1:
        found.append(
            "one seed: intervals and ranks are of these trained networks on other images of the kind; what "
            "another training would give, and so which variant is better, cannot be concluded"
        )
    return found


def _about_sets(
    study: Mapping[str, Any], test_sets: Mapping[str, Sequence[str]], *, level: float
) -> list[str]:
    found = []
    for name, images in test_sets.items():
        if note := study.get("notes", {}).get(name):
            found.append(f"{name} has {note}")
        elif len(images) == 1:
            found.append(f"{name} has 1 image: too few to conclude anything about other images")
    held = {
        f"{100 * share:.0f} % with the {len(images)} images of {name}": share
        for name, images in test_sets.items()
        if len(images) > 1 and (share := coverage_if_skewed(len(images), level=level)) < level - 0.02
    }
    if held:
        found.append(
            f"where one image in a few makes most of a difference, an interval of {100 * level:g} % covers "
            f"only {_listed(list(held))}"
        )
    return found


def _about_seeds(tables: Sequence[Table]) -> list[str]:
    by_variant = {row.variant: row.seeds for table in tables[:1] for row in table.rows if row.seeds}
    if len(set(by_variant.values())) < 2:
        return []
    most = max(by_variant.values(), key=len)
    fewer = [name for name, seeds in by_variant.items() if seeds != most]
    return [
        f"{_listed(fewer)}: not the seeds of the others; differences are of the seeds that both have, means "
        "of all that there are"
    ]


def number(value: float | None, metric: str) -> str:
    """A score as a table shows it; a dash where there is none.

    >>> number(33.666, "psnr_y"), number(None, "psnr_y"), number(math.inf, "psnr_y")
    ('33.67', '-', 'inf')
    """
    if value is None:
        return "-"
    return "inf" if value == math.inf else f"{value:.{metric_of(metric).decimals}f}"
