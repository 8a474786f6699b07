"""Verdicts in words: the answer in a sentence, and what must be known to read it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from srlab import words
from srlab.folder.records import RunRecord
from srlab.verdicts.compare import is_ahead, out_of_order
from srlab.verdicts.curves import fall_at_the_end
from srlab.verdicts.inference import coverage_if_skewed
from srlab.verdicts.values import (
    ALL_SETS,
    BICUBIC,
    Curve,
    Difference,
    Effect,
    Interval,
    MissingCell,
    Rank,
    RateSensitivity,
    Remark,
    Row,
    Rules,
    Share,
    Table,
    Twin,
    Weigh,
    metric_of,
)
from srlab.words import listed, plain_minus, plural

_MOST_NAMED = 6
_UNEVEN = 1.5  # times of one training, longest to shortest
_ALONE = "The effect of each change alone, averaged over all pairs of variants that differ only in it"


@dataclass(frozen=True)
class Answer:
    """Sentences: `first` answer the question by themselves, `more` say what the data show besides."""

    first: tuple[str, ...]
    more: tuple[str, ...] = ()


def signed(value: float | None, metric: str) -> str:
    """A difference with its sign and unit.

    >>> signed(0.214, "psnr_y"), signed(-0.0021, "ssim_y")
    ('+0.21 dB', '-0.0021')
    """
    how = metric_of(metric)
    if value is None:
        return "undefined"
    return f"{plain_minus(words.signed(value, how.decimals))} {how.unit}".strip()


def span(interval: Interval, metric: str) -> str:
    """An interval in brackets, each end with its sign.

    >>> wide = Interval(low=-0.1, high=0.304, level=0.95, population="images", standard_error=0.1)
    >>> span(wide, "psnr_y")
    '[-0.10, +0.30]'
    """
    return plain_minus(words.span(interval.low, interval.high, metric_of(metric).decimals))


def verdict(test: Difference | Effect, *, against: str = "") -> str:
    """A difference or an effect in words: the number with its interval, and its outcome.

    `against` names what it is a difference from, where that is to be said.
    """
    number = signed(test.estimate, test.metric)
    if test.interval is not None and test.estimate is not None:
        number += f" {span(test.interval, test.metric)}"
    if against:
        number += f" against {against}"
    if test.interval is None or test.estimate is None:
        return f"{number}, not tested: {test.reason}"
    if test.outcome == "equal":
        return f"{number}, {equality(test)}"
    if test.outcome != "undecided":
        return f"{number}, {test.outcome}" + (f" by {small}" if (small := _small(test)) else "")
    if test.reason:
        return f"{number} with these networks"
    holds_zero = test.interval.low <= 0 <= test.interval.high
    return f"{number}, undecided" + ("" if holds_zero else " among so many comparisons")


def equality(test: Difference | Effect) -> str:
    """What equal means for this metric: ``equal within 0.1 dB``."""
    unit = metric_of(test.metric).unit
    return "equal" if test.equal_within is None else f"equal within {test.equal_within:g} {unit}".strip()


def _small(test: Difference | Effect) -> str:
    """``less than 0.1 dB`` if the whole interval lies within the band of what is called equal; else ""."""
    if test.interval is None or test.equal_within is None:
        return ""
    largest = max(abs(test.interval.low), abs(test.interval.high))
    unit = metric_of(test.metric).unit
    return f"less than {test.equal_within:g} {unit}".strip() if largest < test.equal_within else ""


def share(percent: Share) -> str:
    """In per cent of a gain.

    >>> share(Share(estimate=-14.2, low=-20.0, high=-8.4))
    '-14 % [-20, -8]'
    """
    return f"{percent.estimate:+.0f} % [{percent.low:+.0f}, {percent.high:+.0f}]"


def scope_words(scope: str, test_sets: Mapping[str, Sequence[str]], *, weigh: Weigh) -> str:
    """``set5``, or ``the 19 images of set5 and set14``, or ``the mean of set5 and set14``."""
    if scope != ALL_SETS:
        return scope
    what = "mean" if weigh == "sets" else f"{sum(map(len, test_sets.values()))} images"
    return f"the {what} of {listed(list(test_sets))}"


def answer(
    table: Table | None,
    others: Sequence[Table],
    effects: Sequence[Effect],
    ranks: Mapping[str, Rank],
    *,
    primary: Sequence[Difference],
    base: str,
    test_sets: Mapping[str, Sequence[str]],
    rules: Rules,
    left: str,
    is_adversarial: bool,
    plane: Sequence[Table] = (),
) -> Answer:
    """Who is ahead, and what each change brings.

    `table` is the one that ranks, `others` are those of single test sets beside it. `plane` are the tables
    that rank together in an adversarial study. Where bicubic leads one of them, the answer says so too. The
    planned comparison stands before the ranking. `left` says what the study still lacks, if anything.
    """
    scored = [row for row in table.rows if row.mean is not None and row.variant != BICUBIC] if table else []
    if table is None or not scored:
        return Answer(("There is no answer yet: no variant has test scores.",))
    where = scope_words(table.scope, test_sets, weigh=rules.weigh)
    first = [f"Not finished yet, so the answer may change: {left}."] if left else []
    if primary:
        first.append(planned(primary, where=where))
    bicubic_leads = _bicubic_leads(plane, where=where)
    if is_adversarial:
        one_seed = max(len(row.seeds) for row in scored) == 1
        scored = [row for row in scored if row.variant in ranks]
        if not scored:
            why = (
                "ONE SEED cannot rank variants: another training may give another order."
                if one_seed
                else "There is no ranking: a variant was trained with a discriminator, and perceptual scores "
                "are missing."
            )
            return Answer((*first, why, *bicubic_leads))
    below = [row.variant for row in scored if not is_adversarial and _is_below_bicubic(row)]
    if len(below) == len(scored):
        first.append(_all_below(scored, table, where=where))
    else:
        on = "" if primary and not is_adversarial else where
        first += _headline(scored, ranks, table, base=base, where=on, is_adversarial=is_adversarial)
        if below:
            first.append(_below(below, scored))
    first += bicubic_leads
    more = [] if is_adversarial else _told_apart_alone(others, _first(ranks))
    already = None if is_adversarial or len(below) == len(scored) else scored[0].variant
    proves_nothing = not is_adversarial and _unjudged(scored)
    if not proves_nothing:
        more += _brought(table, effects, base, already=already)
    return Answer(tuple(first), tuple(more))


def planned(primary: Sequence[Difference], *, where: str) -> str:
    """What the comparison that was planned before the first run came to."""
    found = [f"{comparison(test, where=where)}" for test in primary]
    return f"The planned comparison: {'; '.join(found)}."


def comparison(test: Difference, *, where: str, is_start: bool = False) -> str:
    """One pair, tested alone, in a sentence without its stop; with a large letter where `is_start`."""
    the = "The" if is_start else "the"
    on = f"by {test.metric} on {where}"
    number = signed(test.estimate, test.metric) + (
        f" {span(test.interval, test.metric)}" if test.interval else ""
    )
    pair = f"{test.variant} and {test.other}"
    if test.outcome == "undecided":
        if test.interval is not None and test.reason:
            return f"{test.variant} minus {test.other} is {number} {on}, but {test.reason}"
        if test.interval is not None:
            few = ", and only one seed has scores of both" if len(test.seeds) == 1 else ""
            return f"{the} data do not decide between {pair}, {on}: {number}{few}"
        return _apart(test, where=where, the=the)
    if test.outcome == "equal":
        return f"{pair} are {equality(test)}, {on}: {number}"
    though = f", though by {small}" if (small := _small(test)) else ""
    return f"{test.variant} is {test.outcome} than {test.other}, {on}{though}: {number}"


def _apart(test: Difference, *, where: str, the: str) -> str:
    """A difference of which no test can say anything: which of the two numbers is larger."""
    on = f"in {test.metric} on {where}"
    cannot = "no test can say whether this is chance"
    if test.estimate is None:
        return f"{the} difference of {test.variant} and {test.other} is undefined {on}"
    if test.estimate == 0:
        return f"{test.variant} and {test.other} are equal {on}, but {cannot}"
    distance = metric_of(test.metric).with_unit(abs(test.estimate))
    side = "above" if test.estimate > 0 else "below"
    return f"{test.variant} is {distance} {side} {test.other} {on}, but {cannot}"


def _headline(
    rows: Sequence[Row],
    ranks: Mapping[str, Rank],
    table: Table,
    *,
    base: str,
    where: str,
    is_adversarial: bool,
) -> list[str]:
    """Which variant is best, in one sentence; a second one names those that are below it and may still be.

    `where` is "" if it is said already, with the metric.
    """
    ahead = rows[0]
    measure = "psnr_y and the perceptual distance together" if is_adversarial else table.metric
    on = f" by {measure} on {where}" if where else ""
    highest_on = f" on {where}" if where else ""
    number = ""
    unjudged = "" if is_adversarial else _unjudged(rows)
    if not is_adversarial and (test := ahead.to_base) is not None:
        said = (
            f"{signed(test.estimate, test.metric)} against {base}"
            if unjudged
            else verdict(test, against=base)
        )
        number = f" ({said})"
    if len(rows) == 1:
        if not is_adversarial and ahead.to_bicubic is not None:
            number = f": {verdict(ahead.to_bicubic, against=BICUBIC)}"
        return [f"{ahead.variant} is the only variant with scores{on}{number}."]
    one_seed = max(len(row.seeds) for row in rows) == 1
    highest = f"{ahead.variant} has the {_extreme(table)} {table.metric}{highest_on}{number}"
    if unjudged:
        warning = "ONE SEED: " if one_seed else ""
        return [f"{warning}{highest}, but this proves nothing: {unjudged}."]
    if one_seed:
        return [f"ONE SEED cannot rank variants; of these trained networks, {highest}."]
    first = [row.variant for row in rows if ranks[row.variant].best == 1]
    found = [] if is_adversarial else out_of_order([(row.variant, ranks[row.variant]) for row in rows])
    if sure := [name for name in first if name not in found]:
        wild, first = [name for name in first if name in found], sure
    else:
        wild = []
    if len(first) == 1:
        best = f"{first[0]} is best{on}{number}."
        if wild:
            best = f"{first[0]} has the {_extreme(table)} {table.metric}{highest_on}{number}."
    else:
        if len(first) == len(rows):
            who = f"the {len(first)} variants"
        elif len(first) > _MOST_NAMED:
            who = f"{len(first)} of the {len(rows)} variants"
        else:
            who = listed(first)
        end = "" if is_adversarial else f"; {ahead.variant} has the {_extreme(table)} mean{number}"
        best = f"The data do not show which of {who} is best{on}{end}."
    return [best, *_wild(wild, rows, table)]


def _wild(names: Sequence[str], rows: Sequence[Row], table: Table) -> list[str]:
    """Variants with a poor mean that may still be the best: what is known of them does not suffice."""
    if not names:
        return []
    who = f"{len(names)} of the {len(rows)} variants" if len(names) > _MOST_NAMED else listed(names)
    worse = "higher" if metric_of(table.metric).is_lower_better else "lower"
    whose = "its mean is" if len(names) == 1 else "their means are"
    why = "known too roughly (few seeds, or seeds that differ much)"
    return [f"{who} may be best too: {whose} {worse}, but {why}."]


def _extreme(table: Table) -> str:
    return "lowest" if metric_of(table.metric).is_lower_better else "highest"


def _unjudged(rows: Sequence[Row]) -> str:
    """Why no difference between these variants has an interval; "" where one has."""
    tests = [row.to_base for row in rows if row.to_base is not None]
    return tests[0].reason if tests and all(test.interval is None for test in tests) else ""


def _all_below(rows: Sequence[Row], table: Table, *, where: str) -> str:
    """The answer in one sentence where bicubic is ahead of every variant."""
    ahead = rows[0]
    test = ahead.to_bicubic
    assert test is not None  # else it would not be known that it is behind
    one_seed = max(len(row.seeds) for row in rows) == 1
    against = f"{signed(test.estimate, test.metric)} against {BICUBIC}"
    if len(rows) == 1:
        who, nearest = f"{ahead.variant} is not above bicubic", table.metric
    else:
        who = f"{'none' if one_seed else 'None'} of the {len(rows)} variants is above bicubic"
        nearest = f"{ahead.variant} has the {_extreme(table)} {table.metric},"
    found = f"{'ONE SEED: ' if one_seed else ''}{who} on {where}"
    if test.interval is None:
        return f"{found} ({nearest} {against}), but this proves nothing: {test.reason}."
    return f"{found}: {nearest} {verdict(test, against=BICUBIC)}."


def _below(names: Sequence[str], rows: Sequence[Row]) -> str:
    """Whose mean is not above bicubic's, of more."""
    who = f"{len(names)} of the {len(rows)} variants" if len(names) > _MOST_NAMED else listed(names)
    return f"Not above bicubic by {'its mean' if len(names) == 1 else 'their means'}: {who}."


def _is_below_bicubic(row: Row) -> bool:
    return row.to_bicubic is not None and is_ahead(row.to_bicubic) is False


def _bicubic_leads(tables: Sequence[Table], *, where: str) -> list[str]:
    """A sentence: the metrics by which no variant's mean reaches bicubic's, if there are any."""
    led = []
    for table in tables:
        means = {row.variant: row.mean for row in table.rows if row.mean is not None}
        bicubic = means.pop(BICUBIC, None)
        sign = -1 if metric_of(table.metric).is_lower_better else 1
        if bicubic is not None and means and all(sign * mean < sign * bicubic for mean in means.values()):
            led.append(table.metric)
    return [f"Bicubic has a better mean {listed(led)} than every variant on {where}."] if led else []


def _first(ranks: Mapping[str, Rank]) -> list[str]:
    return [name for name, rank in ranks.items() if rank.best == 1]


def _told_apart_alone(tables: Sequence[Table], first: Sequence[str]) -> list[str]:
    """Test sets that by themselves leave fewer variants in the first place than the ranking does."""
    found = []
    for table in tables:
        ranks = {row.variant: row.rank for row in table.rows if row.rank is not None}
        alone = _first(ranks)
        if alone and len(ranks) >= len(first) > len(alone):
            who = listed(alone) if len(alone) <= _MOST_NAMED else f"one of {len(alone)} variants"
            share = "is best" if len(alone) == 1 or len(alone) > _MOST_NAMED else "may be best, and no other"
            found.append(f"On {table.scope} alone the data show more: {who} {share}.")
    return found


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


def _brought(table: Table, effects: Sequence[Effect], base: str, *, already: str | None) -> list[str]:
    """What each change brings; where none stands alone, what each variant but `already` does."""
    if clean := _clean(table, effects):
        if all(effect.interval is None for effect in clean):
            parts = [f"{effect.name}: {signed(effect.estimate, effect.metric)}" for effect in clean]
        else:
            parts = [f"{effect.name}: {verdict(effect)}" for effect in clean]
        return _one_by_one(f"{_ALONE}:", parts)
    parts = [
        f"{row.variant}: {verdict(row.to_base)}"
        for row in table.rows
        if row.to_base is not None and row.variant != already
    ]
    return _one_by_one(f"Against {base}:", parts) if parts else []


def _one_by_one(head: str, parts: Sequence[str]) -> list[str]:
    """Each part a sentence of its own below the head; of many the first, and how many more there are."""
    left = len(parts) - _MOST_NAMED
    more = [f"And {left} more."] if left > 0 else []
    return [head, *(f"{part}." for part in parts[:_MOST_NAMED]), *more]


def _cut(parts: Sequence[str]) -> str:
    shown = list(parts[:_MOST_NAMED])
    if len(parts) > len(shown):
        shown.append(f"and {len(parts) - len(shown)} more")
    return "; ".join(shown)


def remarks(
    protocol: str,
    runs: Sequence[RunRecord],
    tables: Sequence[Table],
    rates: Sequence[RateSensitivity],
    missing: Sequence[MissingCell],
    *,
    test_sets: Mapping[str, Sequence[str]],
    rules: Rules,
    is_adversarial: bool,
    has_plane: bool,
    notes: Mapping[str, str] = MappingProxyType({}),
    curves: Sequence[Curve] = (),
    same: Sequence[str] = (),
    left_out: Sequence[tuple[str, int, str]] = (),
    looks: str | None = None,
    twins: Sequence[Twin] = (),
    is_halved: bool = False,
) -> tuple[Remark, ...]:
    """What must be known to read the verdicts, most important first.

    `protocol` is that of the scores in words, `notes` are what is to be said of test sets by name.
    `is_halved` is whether halving chose the learning rates. `same` says whose scores do not differ;
    `left_out` are variant, seed and metric computed with other weights than those of the others.
    """
    found = [Remark(protocol, "protocol")]
    left = [run for run in runs if run.status not in ("finished", "diverged")]
    if left:
        found.append(
            Remark(f"{len(left)} of {len(runs)} runs have not ended, so all this may change", "unfinished")
        )
    if missing:
        what = "set of scores is" if len(missing) == 1 else "sets of scores are"
        found.append(
            Remark(
                f"{len(missing)} {what} missing (a set is of one variant, seed and test set); no mean "
                "includes them",
                "missing",
            )
        )
    found += _about_weights(left_out)
    found += [Remark(text, "same") for text in same]
    found += _about_intervals(tables, level=rules.level)
    found += _about_sets(notes, test_sets, level=rules.level)
    found += _about_seeds(tables)
    found += _about_last_steps(curves)
    found += [Remark(_of_twin(twin), "twin") for twin in twins]
    found += [Remark(looks, "looks")] if looks is not None else []
    if is_adversarial:
        found.append(
            Remark(
                "a variant was trained with a discriminator, so one ranks behind another only if psnr_y and "
                "the perceptual distance both show that it is worse"
                if has_plane
                else "a variant was trained with a discriminator and perceptual scores are missing, so there "
                "is no ranking: psnr_y alone would be unfair (`srlab perceptual` adds the scores)",
                "discriminator",
            )
        )
    elif any(row.rank for table in tables for row in table.rows):
        found.append(
            Remark(
                "a rank such as 2-4 names every place that the data allow (tests of all pairs, corrected by "
                "Holm); variants that share a place are not proven equal, unless it is said",
                "ranks",
            )
        )
    edges = [one.variant for one in rates if one.at_edge]
    if edges:
        who = "every variant" if len(edges) == len(rates) > 1 else listed(edges)
        found.append(
            Remark(
                f"the smallest or largest learning rate tried was the best for {who}, so a better one may "
                "lie beyond",
                "rates",
            )
        )
    if any(len(one.rates) == 2 for one in rates):
        found.append(
            Remark("only two learning rates were tried, so a better one may lie below or above them", "rates")
        )
    if rates and all(len(one.rates) == 1 for one in rates):
        found.append(
            Remark(
                "each variant was trained at one learning rate, so a better one may lie below or above it",
                "rates",
            )
        )
    elif is_halved:
        found.append(
            Remark(
                "learning rates were chosen by halving, on the validation images: all rates at a quarter of "
                "the steps, the better half at half of them, with a seed that is none of those compared",
                "rates",
            )
        )
    else:
        found.append(
            Remark(
                "learning rates were chosen on the validation images; the ranking uses the test images alone",
                "rates",
            )
        )
    found += _about_precision(runs)
    found += _about_times(runs)
    return tuple(found)


def _about_precision(runs: Sequence[RunRecord]) -> list[Remark]:
    """Two precisions in one study: part of a difference may be theirs."""
    variants: dict[str, dict[str, None]] = {}
    for run in runs:
        if run.precision is not None:
            variants.setdefault(run.precision, {})[run.variant] = None
    if len(variants) < 2:
        return []
    parts = [f"{listed(list(names))} in {precision}" for precision, names in variants.items()]
    return [
        Remark(
            f"not all runs were trained in one precision ({'; '.join(parts)}), which may be part of a "
            "difference",
            "precision",
        )
    ]


def _about_times(runs: Sequence[RunRecord]) -> list[Remark]:
    """Seeds of one variant at one rate are the same work: where their times differ much, times say little.

    Times are those of the processor, if every finished run has them.
    """
    finished = [run for run in runs if run.status == "finished"]
    has_processor = all(run.processor_seconds is not None for run in finished)
    times: dict[tuple[str, float], list[float]] = {}
    for run in finished:
        if time := run.processor_seconds if has_processor else run.seconds:
            times.setdefault((run.variant, run.learning_rate), []).append(time)
    ratio = max((max(seconds) / min(seconds) for seconds in times.values()), default=1.0)
    if ratio < _UNEVEN:
        return []
    return [
        Remark(
            f"the same training took up to {ratio:.1f} times as long with one seed as with another (other "
            "work beside it, or another machine), so compare multiply-adds, not times of training",
            "times",
        )
    ]


def _of_twin(twin: Twin) -> str:
    """Whether the order of the study holds in its twin."""
    steps = f"with 1/{twin.part} of the steps{'' if twin.is_complete else ' (not finished)'}"
    if twin.tau is None:
        return f"{steps} no two variants are scored"
    if twin.num_pairs == 1:
        return f"{steps} the order of {listed(twin.variants)} is {'another' if twin.flips else 'the same'}"
    if not twin.flips:
        return f"{steps} the order of the variants is the same"
    shown = [f"{flip.whole.variant} against {flip.whole.other}" for flip in twin.flips if flip.is_shown]
    known = f"the verdicts are opposite for {listed(shown)}" if shown else "no verdicts are opposite"
    return (
        f"{steps} the order is another for {len(twin.flips)} of {plural(twin.num_pairs, 'pair')} "
        f"(Kendall's tau {twin.tau:.2f}); {known}"
    )


def _about_last_steps(curves: Sequence[Curve]) -> list[Remark]:
    """Runs whose last step was an unlucky one: what is judged is below what they had learned."""
    falls = [(fall, curve) for curve in curves if (fall := fall_at_the_end(curve)) is not None]
    if not falls:
        return []
    falls.sort(key=lambda one: -one[0])
    named = [f"{curve.variant}, seed {curve.seed}, by {fall:.2f} dB" for fall, curve in falls]
    runs = "1 run" if len(falls) == 1 else f"{len(falls)} runs"
    return [
        Remark(
            f"{runs} ended below the best validation of the run by far more than usual ({_cut(named)}), and "
            "the last step is what is judged; a rate that falls to zero prevents this (--schedule cosine)",
            "last step",
        )
    ]


def _about_weights(left_out: Sequence[tuple[str, int, str]]) -> list[Remark]:
    by_metric: dict[str, list[str]] = {}
    for variant, seed, metric in left_out:
        who = variant if variant == BICUBIC else f"{variant} (seed {seed})"
        by_metric.setdefault(metric, []).append(who)
    return [
        Remark(
            f"{metric} of {listed(who)} was computed with other weights than the rest and is left out: "
            "numbers of two networks cannot be compared; `srlab perceptual` computes it again",
            "weights",
        )
        for metric, who in by_metric.items()
    ]


def _about_intervals(tables: Sequence[Table], *, level: float) -> list[Remark]:
    tests = [pair for table in tables for pair in table.pairs] + [
        row.to_bicubic for table in tables for row in table.rows if row.to_bicubic is not None
    ]
    intervals = [test.interval for test in tests if test.interval is not None]
    found = []
    if any(interval.population == "trainings and images" for interval in intervals):
        found.append(
            Remark(
                f"intervals of {100 * level:g} % are for other trainings and other images of this kind; how "
                "much trainings differ is estimated from all variants together",
                "intervals",
            )
        )
    seeds = max((len(row.seeds) for table in tables for row in table.rows), default=0)
    if seeds == 1:
        about = (
            "no ranks, and intervals are about these trained networks, on other images of this kind; "
            if intervals
            else "no ranks; "
        )
        found.append(Remark(f"one seed: {about}another training may give another order", "one seed"))
    return found


def _about_sets(
    notes: Mapping[str, str], test_sets: Mapping[str, Sequence[str]], *, level: float
) -> list[Remark]:
    found = []
    for name, images in test_sets.items():
        if note := notes.get(name):
            found.append(f"{name} has {note}")
        elif len(images) == 1:
            found.append(f"{name} has 1 image, which is too few to say anything about other images")
    num_images = sum(map(len, test_sets.values()))
    if num_images > 1 and (share := coverage_if_skewed(num_images, level=level)) < level - 0.02:
        found.append(
            f"if a few images make most of a difference, an interval of {100 * level:g} % holds the true "
            f"difference less often: in {100 * share:.0f} % with the {num_images} images of "
            f"{listed(list(test_sets))}"
        )
    return [Remark(text, "test sets") for text in found]


def _about_seeds(tables: Sequence[Table]) -> list[Remark]:
    by_variant = {row.variant: row.seeds for table in tables[:1] for row in table.rows if row.seeds}
    if len(set(by_variant.values())) < 2:
        return []
    most = max(by_variant.values(), key=len)
    fewer = [name for name, seeds in by_variant.items() if seeds != most]
    return [
        Remark(
            f"{listed(fewer)} {'has' if len(fewer) == 1 else 'have'} other seeds than the rest; a "
            "difference uses the seeds that both have, and a mean uses all that there are",
            "seeds",
        )
    ]
