"""What a verdict is made of: values only. docs/statistics.md has the reasons for each number.

Every number here is of one evaluation protocol and one scale, of complete test sets, at each variant's chosen
learning rate. What is missing is None or stands in `Verdicts.missing`; there is no NaN. A number may be
``math.inf`` where a picture was reproduced exactly (PSNR); `srlab.folder.schema.as_json` writes that.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from srlab.declare.metrics import INCLUDED, Metric
from srlab.errors import UserError

ALL_SETS = "all sets"  # the scope of all test images, each of which counts once (see `Rules.weigh`)
VALIDATION = "validation"  # the scope of learning rates and training curves: these images rank nothing
BICUBIC = "bicubic"
NO_METRIC = "value"  # what scores are called of which nobody says what they are

Population = Literal["trainings and images", "trainings", "images"]
Outcome = Literal["better", "worse", "equal", "undecided"]
Weigh = Literal["images", "sets"]


METRICS: Mapping[str, Metric] = INCLUDED

# As other tools call them; srlab's own names say more.
_OF_OTHER_TOOLS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("psnr", unit="dB", decimals=2),
        Metric("ssim"),
        Metric("ms_ssim"),
        *(Metric(name, better="lower") for name in ("lpips", "niqe", "brisque", "mae", "mse", "rmse")),
    )
}
_DECLARED: ContextVar[Mapping[str, Metric]] = ContextVar("_DECLARED", default=MappingProxyType({}))


def known_metric(name: str) -> Metric | None:
    """How a metric is read, whatever the case of its name; None if srlab does not know it."""
    lower = name.lower()
    return METRICS.get(lower) or _DECLARED.get().get(name) or _OF_OTHER_TOOLS.get(lower)


def metric_of(name: str) -> Metric:
    """How a metric is read; of an unknown one, larger is better."""
    return known_metric(name) or Metric(name)


def know(metrics: Iterable[Metric]) -> None:
    """From now on these metrics are known too: of a name the last one that was told."""
    _DECLARED.set({**_DECLARED.get(), **{metric.name: metric for metric in metrics}})


@contextmanager
def declared(metrics: Iterable[Metric]) -> Iterator[None]:
    """For as long as it lasts, these metrics are known too.

    >>> with declared([Metric("ergas", decimals=2, better="lower")]):
    ...     metric_of("ergas").is_lower_better
    True
    >>> metric_of("ergas").is_lower_better
    False
    """
    token = _DECLARED.set({**_DECLARED.get(), **{metric.name: metric for metric in metrics}})
    try:
        yield
    finally:
        _DECLARED.reset(token)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How verdicts are reached: `level` is of intervals and tests.

    `error` is the error rate of the tests, where a study shares it over several looks; else 1 - `level`.

    Two variants are equal if their difference is shown to be less than `equal_within`, in dB; metrics
    without dB have no such outcome. `weigh` "images" counts each test image once, "sets" each test set.
    """

    level: float = 0.95
    equal_within: float = 0.1
    weigh: Weigh = "images"
    shared_error: float | None = None

    @property
    def error(self) -> float:
        return 1 - self.level if self.shared_error is None else self.shared_error


def checked_rules(*, level: float, equal_within: float, weigh: Weigh) -> Rules:
    """The rules; a `UserError` for what is none."""
    if not 0.5 <= level < 1:
        raise UserError(f"the level is at least 0.5 and below 1, such as 0.95, not {level!r}")
    if not 0 < equal_within < float("inf"):
        raise UserError(
            "the band within which variants are equal is a number of dB above 0, such as 0.1, not "
            f"{equal_within!r}"
        )
    return Rules(level=level, equal_within=equal_within, weigh=as_weigh(weigh))


def as_weigh(given: str) -> Weigh:
    """`given` if it says what counts once; a `UserError` for another word."""
    for known in get_args(Weigh):
        if given == known:
            found: Weigh = known
            return found
    raise UserError(f"what counts once is images or sets, not {given!r} (--weigh)")


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A confidence interval for the mean over a population.

    `population` says over what it generalises: "trainings and images" (another seed, another image of the
    same kind), "trainings" (another seed, these very images) or "images" (these trained networks, another
    image). `variance_shares` says what makes it wide: shares of the variance that sum to 1, of "trainings"
    and of the images of each test set ("images of set5"), the largest first.
    """

    low: float
    high: float
    level: float
    population: Population
    standard_error: float
    variance_shares: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Share:
    """A difference in per cent of what the other side gains over bicubic, with its interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Difference:
    """`variant` minus `other` under one metric, paired by seed and image.

    `scope` is a test set, or `ALL_SETS`. `estimate` is in the metric's unit. It is positive if `variant` has
    the larger number (under LPIPS that is worse: see `outcome`), and None if infinite PSNRs leave it
    undefined. `seeds` are those that both have, of bicubic all that the other has. `p_value` is of the paired
    test that goes with `interval`, `p_holm` corrected over the table's family. `p_equal` is of the two
    one-sided tests that the difference is less than `equal_within`, corrected over the family too (both
    None for a metric without a band). `outcome` is by these two. Where nothing can be told, `reason` says
    why. `on_these_images` generalises over trainings only; None with one seed. `percent` is of the gain over
    bicubic that `other` has.
    """

    variant: str
    other: str
    scope: str
    metric: str
    estimate: float | None
    seeds: tuple[int, ...]
    num_images: int
    interval: Interval | None
    on_these_images: Interval | None
    p_value: float | None
    p_holm: float | None
    p_equal: float | None
    outcome: Outcome
    equal_within: float | None = None
    percent: Share | None = None
    reason: str = ""

    @property
    def p(self) -> float | None:
        """The p-value, of this test alone."""
        return self.p_value

    @property
    def low(self) -> float | None:
        """The lower end of the interval."""
        return self.interval.low if self.interval else None

    @property
    def high(self) -> float | None:
        """The upper end of the interval."""
        return self.interval.high if self.interval else None


@dataclass(frozen=True, kw_only=True)
class Rank:
    """Where the data allow a variant to stand among all variants of a table.

    `best` is 1 + the number of variants that are better beyond doubt (pairwise tests, Holm over all pairs);
    variants with one `best` share a rank. `worst` is the number of variants less those that are worse beyond
    doubt. With probability of at least the level every variant's true place is between the two.
    `tied_with` are the variants that it cannot be told apart from; those of them that are shown to be equal
    are `equal_to`.
    """

    best: int
    worst: int
    tied_with: tuple[str, ...]
    equal_to: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Row:
    """A variant, or bicubic, in one table.

    `mean` is over the images, then over the seeds; `sd` the sample standard deviation between the seeds'
    means, None for one seed. A variant without a complete set of scores has `mean` None. Bicubic has no rank,
    and where every variant has one seed, none has.
    """

    variant: str
    mean: float | None
    sd: float | None
    seeds: tuple[int, ...]
    rank: Rank | None
    to_base: Difference | None
    to_bicubic: Difference | None


@dataclass(frozen=True, kw_only=True)
class Table:
    """One metric on one test set, or on `ALL_SETS`: rows best first, what has no score last.

    `pairs` are all pairs of variants, each once, the one with the better mean first; their `p_holm` is over
    all pairs, that of `Row.to_base` over the variants against the base, that of `Row.to_bicubic` over the
    variants against bicubic.
    """

    scope: str
    metric: str
    num_images: int
    rows: tuple[Row, ...]
    pairs: tuple[Difference, ...]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One option that changes, as people read it: option "activation", before "relu", after "prelu"."""

    option: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What a change of options brings, averaged over the settings of all other options that exist.

    `changes` has one option, or several that change only together. Then `is_confounded` is true: no data of
    the study can say which of them made the difference. `interaction` is None for a main effect; for a
    two-way interaction it holds the other change, and the numbers say by how much the main effect differs
    where that one was made. `basis` is "matched" if the pairs differ in nothing else. It is "additive" if the
    effect was found by least squares of the main-effects model, which holds if effects add up. `pairs` are
    (without, with) by variant. `parameters_ratio` and `multiply_adds_ratio` are with / without (geometric
    mean). `percent` is of the mean gain over bicubic of the variants without the change; interactions have
    none. `remark` names what is confounded, in words, or is empty. For learning rates `scope` is
    `VALIDATION`.
    """

    name: str
    changes: tuple[Change, ...]
    interaction: tuple[Change, ...] | None
    scope: str
    metric: str
    estimate: float | None
    interval: Interval | None
    p_value: float | None
    p_holm: float | None
    outcome: Outcome
    basis: Literal["matched", "additive"]
    is_confounded: bool
    pairs: tuple[tuple[str, str], ...]
    parameters_ratio: float
    multiply_adds_ratio: float
    remark: str
    p_equal: float | None = None
    equal_within: float | None = None
    percent: Share | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class RateScore:
    """A variant at one learning rate, on the validation images: `mean` over the finished seeds, in dB.

    `to_chosen` is the difference from the variant's chosen rate; None for that rate itself.
    """

    learning_rate: float
    mean: float | None
    sd: float | None
    seeds: tuple[int, ...]
    diverged: tuple[int, ...]
    missing: tuple[int, ...]
    is_chosen: bool
    to_chosen: Difference | None


@dataclass(frozen=True, kw_only=True)
class RateSensitivity:
    """How much a variant depends on its learning rate.

    `range_db` is best less worst mean over the rates at which a seed finished, None with fewer than two.
    `at_edge` where three or more rates were tried, and the chosen one is the largest or smallest that
    finished: a better one may lie beyond.
    """

    variant: str
    rates: tuple[RateScore, ...]
    range_db: float | None
    at_edge: bool


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Validation psnr_y while a run trains; few images (see docs/files.md).

    The run is one at the chosen rate, or any that has begun while its variant has no chosen rate. `steps`,
    `psnr_y` and `seconds` have one length. `seconds` are of training so far, or None if the log has none.
    `processor_seconds` are the processor time so far. Where the log lacks it but the run's result has it,
    the whole time is spread evenly over the steps (`is_spread`). It is None if the run has none.
    """

    variant: str
    seed: int
    steps: tuple[int, ...]
    psnr_y: tuple[float, ...]
    seconds: tuple[float | None, ...]
    learning_rate: float | None = None
    is_finished: bool = True
    processor_seconds: tuple[float, ...] | None = None
    is_spread: bool = False


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A mean over seeds with their sample standard deviation (None for one seed)."""

    mean: float
    sd: float | None
    num_seeds: int


@dataclass(frozen=True, kw_only=True)
class Budget:
    """All variants after an equal expense: what each scored when it had spent `amount`.

    `kind` is "steps", "samples" (LR patches), "multiply_adds" (of training, estimated), and
    "processor_seconds" if every curve has them, else "seconds" (by the clock). `amount` is the largest that
    every finished variant has spent. `psnr_y` by variant is read off the validation curves, linearly between
    two validations. A variant that cannot be read is left out and stands in `left_out` with the reason.
    Rates were chosen at the end of training, not at this budget.
    """

    kind: Literal["steps", "samples", "multiply_adds", "processor_seconds", "seconds"]
    amount: float
    psnr_y: Mapping[str, Spread]
    left_out: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How fast a variant got where it is: read off its validation curves, mean over the seeds.

    The steps, multiply-adds and seconds to `target` dB are None unless every seed reached it; `reached` of
    `num_seeds` did. `processor_seconds_to_target` is None too where a curve of any variant has no processor
    time. `area` is the mean psnr_y over the steps that all curves share, in dB.
    """

    variant: str
    target: float
    num_seeds: int
    reached: int
    steps_to_target: float | None
    seconds_to_target: float | None
    multiply_adds_to_target: float | None
    area: Spread | None
    processor_seconds_to_target: float | None = None


BUSY = 1.5  # times its processor time that a run may take


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a variant cost: `seconds` of the chosen rate's runs (median), `tuning_seconds` of all its runs.

    All rates and seeds count, those that diverged too, and of a run that has not ended what its log has so
    far; `tuning_multiply_adds` are estimated. `runs` were
    planned, `ended` have, `diverged` of those. `processor_seconds` are the median over the chosen rate's runs
    of the processor time of all threads; None unless every one of them has it (a GPU's and older runs have
    not). `is_busy` where the wall time of such a run was more than `BUSY` times its processor time: the
    machine gave it less than two thirds of one processor, so its `seconds` mislead.
    """

    variant: str
    parameters: int
    multiply_adds: int
    frozen: int
    learning_rate: float | None
    seconds: float | None
    tuning_seconds: float
    tuning_multiply_adds: float
    runs: int
    ended: int
    diverged: int
    processor_seconds: float | None = None
    is_busy: bool = False


@dataclass(frozen=True, kw_only=True)
class ImageRow:
    """One test image: each variant's mean over its seeds, bicubic's number among them.

    `disagreement` is the largest less the smallest among the variants (not bicubic), `best` and `worst` name
    them; None and "" with fewer than two variants.
    """

    test_set: str
    image: str
    metric: str
    values: Mapping[str, float]
    disagreement: float | None
    best: str
    worst: str


@dataclass(frozen=True, kw_only=True)
class MissingCell:
    """Scores that the study asks for and does not have; `scope` is a test set, `reason` for people.

    `is_final` where the run diverged, so that they will never be there.
    """

    variant: str
    seed: int
    scope: str
    reason: str
    is_final: bool = False


@dataclass(frozen=True, kw_only=True)
class Flip:
    """Two variants whose order is another in a shorter training; a difference names the better one first."""

    whole: Difference
    shorter: Difference

    @property
    def is_shown(self) -> bool:
        """Whether both trainings show their order, each after its own correction."""
        return all(test.outcome in ("better", "worse") for test in (self.whole, self.shorter))


@dataclass(frozen=True, kw_only=True)
class Twin:
    """The same study for one in `part` of the steps: whether the order of the variants holds.

    `table` is the twin's, under the metric and on the scope that rank. `variants` are scored in both, `flips`
    are the pairs of them whose order is another. `tau` is Kendall's: 1 if all pairs agree, -1 if none
    does; None without a pair. Unless it `is_complete`, the twin has runs to do.
    """

    part: int
    table: Table
    variants: tuple[str, ...]
    tau: float | None
    flips: tuple[Flip, ...]
    is_complete: bool

    @property
    def num_pairs(self) -> int:
        """The pairs of variants that both have."""
        return len(self.variants) * (len(self.variants) - 1) // 2


RemarkKind = Literal[
    "protocol",
    "metric",
    "unfinished",
    "missing",
    "weights",
    "same",
    "intervals",
    "one seed",
    "test sets",
    "seeds",
    "last step",
    "twin",
    "looks",
    "discriminator",
    "ranks",
    "rates",
    "precision",
    "times",
    "order",
    "winner",
]


class Remark(str):
    """What must be known to read the verdicts: a sentence, and what kind it is of."""

    kind: RemarkKind

    def __new__(cls, text: str, kind: RemarkKind = "protocol") -> "Remark":
        """`text` of one `kind`."""
        remark = super().__new__(cls, text)
        remark.kind = kind
        return remark


@dataclass(frozen=True, kw_only=True)
class Verdicts:
    """All that can be concluded from a study's folder, as its files are now.

    `tables` has one for each metric on each test set, and on `ALL_SETS` where there are several sets; the
    first table is the one that ranks. `variants` are in the order of the study. `is_adversarial` where a
    variant's objective is; `plane` are then ranks by distortion and perception together (a variant stands
    behind those that are better beyond doubt by psnr_y *and* by LPIPS), empty without LPIPS scores, and
    psnr_y alone ranks nothing. `primary` is the comparison that the study planned before its first run,
    tested alone: by psnr_y, and in an adversarial study by the perceptual distance too; empty without one,
    or without its scores. `images` are in order of disagreement by psnr_y, largest first. `twins` are the
    same study for a part of the steps. `headline` has the sentences that answer the question by themselves;
    `answer` has these and what the data show besides. `remarks` must be read with it.
    """

    study: str
    question: str
    scale: int
    protocol: str
    base: str
    rules: Rules
    is_complete: bool
    is_adversarial: bool
    variants: tuple[str, ...]
    test_sets: Mapping[str, tuple[str, ...]]
    metrics: tuple[str, ...]
    headline: tuple[str, ...]
    answer: tuple[str, ...]
    primary: tuple[Difference, ...]
    tables: tuple[Table, ...]
    plane: Mapping[str, Rank]
    effects: tuple[Effect, ...]
    unknown_effects: tuple[str, ...]
    learning_rates: tuple[RateSensitivity, ...]
    curves: tuple[Curve, ...]
    budgets: tuple[Budget, ...]
    progress: tuple[Progress, ...]
    costs: tuple[Cost, ...]
    images: tuple[ImageRow, ...]
    missing: tuple[MissingCell, ...]
    remarks: tuple[Remark, ...]
    twins: tuple[Twin, ...] = ()

    @property
    def level(self) -> float:
        """Of intervals and tests."""
        return self.rules.level

    def table(self, *, metric: str = "psnr_y", scope: str | None = None) -> Table | None:
        """The table of a metric on a scope (by default the one that ranks); None if there is none."""
        wanted = scope or (ALL_SETS if len(self.test_sets) > 1 else next(iter(self.test_sets), ""))
        return next(
            (table for table in self.tables if table.metric == metric and table.scope == wanted), None
        )

    def ranks(self) -> Mapping[str, Rank]:
        """By variant the rank that counts: of `plane` in an adversarial study, else of the first table."""
        if self.is_adversarial:
            return self.plane
        first = self.tables[:1]
        return {row.variant: row.rank for table in first for row in table.rows if row.rank is not None}
