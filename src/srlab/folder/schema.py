"""What is in the JSON files of a study's folder, each declared once: for reading, checking and writing.

Keys that a declaration does not have are allowed in a file, so that it stays readable when a later srlab
writes more. Keys that an older srlab did not write have their defaults. Needs no torch.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta, field
from msgspec.structs import force_setattr

from srlab.declare.kinds import Amount, Count, Number, Text, Whole, is_number
from srlab.declare.metrics import Metric
from srlab.declare.protocol import EvaluationProtocol, RunProtocol, TrainingProtocol, protocol_to_dict
from srlab.declare.start import Start

if TYPE_CHECKING:
    Scale = int
    Decibels = float
else:
    Scale = Literal[2, 3, 4]
    Decibels = Number | Literal["inf"]  # infinity, which JSON does not have, is the PSNR of equal pictures

Options = dict[str, Any]  # of a network or an objective: what it has, its own type says


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A file, or a part of one. Keys in `optional` are not written where they have their defaults."""

    optional: ClassVar[tuple[str, ...]] = ()
    decibels: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for name in self.decibels:
            if getattr(self, name) == "inf":
                force_setattr(self, name, math.inf)


def as_json(value: Any) -> Any:
    """The value as JSON has it: a `Stored` one without what is left out, infinity as "inf".

    >>> as_json(Previous(learning_rate=0.1, psnr_y=math.inf))
    {'learning_rate': 0.1, 'psnr_y': 'inf', 'since': None}
    """
    if isinstance(value, Stored):
        defaults = _left_out(type(value))
        return {
            name: as_json(found)
            for name in value.__struct_fields__
            if (found := getattr(value, name)) != defaults.get(name, msgspec.UNSET)
        }
    if isinstance(value, TrainingProtocol):
        return as_json(protocol_to_dict(value))
    if isinstance(value, Mapping):
        return {key: as_json(found) for key, found in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(found) for found in value]
    if isinstance(value, EvaluationProtocol | Start):
        return as_json(msgspec.to_builtins(value))
    return "inf" if value == math.inf else value


@cache
def _left_out(kind: type[Stored]) -> dict[str, Any]:
    """The keys that are not written, each where it has this value."""
    fields = (each for each in msgspec.structs.fields(kind) if each.name in kind.optional)
    return {
        each.name: each.default if each.default_factory is msgspec.NODEFAULT else each.default_factory()
        for each in fields
    }


def _check_options(value: Any, place: str) -> None:
    """Raise `ValueError` for anything but null, true, false, numbers, printable text, and lists and objects.

    A network's options are checked by their own type later, but people read them before.
    """
    if isinstance(value, list | dict):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            _check_options(one, f"{place}.{key}")
    elif isinstance(value, str) and not value.isprintable():
        raise ValueError(f"{place} is {json.dumps(value)}, not printable text")
    elif not (value is None or isinstance(value, str | bool) or is_number(value)):
        raise ValueError(f"{place} is {value!s:.40}, not a number")


# study.json


class StudyImage(Stored, frozen=True, kw_only=True):
    """An image that the study uses; `sha256` is of its pixels, `size` is width and height."""

    optional = ("size",)

    name: Text
    set: Text
    sha256: Text
    size: tuple[int, int] | None = None


class Images(Stored, frozen=True, kw_only=True):
    """The images by role."""

    train: tuple[StudyImage, ...]
    validation: tuple[StudyImage, ...]
    test: tuple[StudyImage, ...]


class StudyVariant(Stored, frozen=True, kw_only=True):
    """A variant; `protocol` is its own training protocol, if it has one."""

    optional = ("start", "taken", "protocol")

    name: Text
    network: Options = field(default_factory=dict)
    objective: Options = field(default_factory=dict)
    start: Start | None = None
    taken: bool = False  # from another study
    protocol: TrainingProtocol | None = None
    parameters: Count
    frozen: Count = 0
    running_statistics: Count
    multiply_adds: Count

    def __post_init__(self) -> None:
        _check_options(self.network, "network")
        _check_options(self.objective, "objective")

    @property
    def is_adversarial(self) -> bool:
        """Whether a discriminator judges it while it trains."""
        return self.objective.get("kind") == "adversarial"


class PlannedRun(Stored, frozen=True, kw_only=True):
    """A planned run; `name` is that of its folder."""

    name: Text
    variant: Text
    learning_rate: Number
    seed: Count


class StudyMetric(Stored, frozen=True, kw_only=True):
    """A metric of a user's own; `code` tells it from another of its name."""

    name: Text
    unit: Text
    decimals: Count
    better: Literal["higher", "lower"]
    code: Text

    @classmethod
    def of(cls, metric: Metric) -> "StudyMetric":
        """As a study declares it."""
        values = {name: getattr(metric, name) for name in ("name", "unit", "decimals", "better")}
        return cls(**values, code=metric.identity)

    @property
    def value(self) -> Metric:
        """How it is read, without its code."""
        return Metric(self.name, unit=self.unit, decimals=self.decimals, better=self.better)


class StudyFile(Stored, frozen=True, kw_only=True):
    """``study.json``: all that was asked of the study so far."""

    optional = ("primary", "metrics", "rate_search")

    format: Literal["srlab study"] = "srlab study"
    version: Literal[1] = 1
    name: Text
    question: Text
    scale: Scale
    protocol: TrainingProtocol
    evaluation: EvaluationProtocol
    device: Text = ""
    data: Text = ""  # SHA-256 of the training and validation images
    variants: tuple[StudyVariant, ...]
    learning_rates: tuple[Number, ...] = ()
    seeds: tuple[Count, ...]
    train: tuple[Text, ...] = ()
    validate: tuple[Text, ...] = ()
    test: tuple[Text, ...]
    images: Images
    notes: dict[str, Text] = field(default_factory=dict)
    primary: tuple[Text, Text] | None = None
    metrics: tuple[StudyMetric, ...] = ()
    rate_search: Literal["grid", "halving"] = "grid"
    runs: tuple[PlannedRun, ...]

    def __post_init__(self) -> None:
        """Raise `ValueError` for what is at odds within; every run's folder must be one in the study's."""
        names = [variant.name for variant in self.variants]
        for of_what, found in (("variant", names), ("run", [run.name for run in self.runs])):
            if doubled := sorted(name for name, count in Counter(found).items() if count > 1):
                raise ValueError(f"two {of_what}s have the name {doubled[0]!r}")
        if self.primary is not None and len({*self.primary} & {*names}) != 2:
            raise ValueError(
                f"its planned comparison is not of two of its variants, but of {', '.join(self.primary)}"
            )
        for run in self.runs:
            if Path(run.name).name != run.name or run.name in ("", ".."):
                raise ValueError(f"{run.name!r} is not a valid name of a run")
            if run.variant not in names:
                raise ValueError(
                    f"the run {run.name!r} names the variant {run.variant!r}, which the study does not have"
                )

    def variant(self, name: str) -> StudyVariant | None:
        """The one of that name."""
        return next((variant for variant in self.variants if variant.name == name), None)

    def protocol_of(self, variant: StudyVariant) -> TrainingProtocol:
        """The protocol that a variant is trained under."""
        return variant.protocol or self.protocol


# The files of a run


class RunSource(Stored, frozen=True, kw_only=True):
    """Which weights a run started from; `weights` is their SHA-256."""

    run: Text
    weights: Text


class RunFile(Stored, frozen=True, kw_only=True):
    """``run.json``: what a run's weights and scores depend on. `protocol` has the precision it came to."""

    optional = ("start", "taken", "source")

    variant: Text
    network: Options
    objective: Options
    start: Start | None = None
    taken: bool = False  # from another study
    learning_rate: Number
    seed: Count
    scale: Scale
    protocol: RunProtocol
    evaluation: EvaluationProtocol
    device: Text
    data: Text
    threads: Count
    source: RunSource | None = None

    def __post_init__(self) -> None:
        _check_options(self.network, "network")
        _check_options(self.objective, "objective")


class Result(Stored, frozen=True, kw_only=True):
    """``result.json``: how a run ended. `processor_seconds` is not known of a GPU, and of older runs."""

    optional = ("processor_seconds", "remarks")

    status: Literal["finished", "diverged"]
    step: Count = 0
    seconds: Amount | None = None
    processor_seconds: Amount | None = None
    loss: Number | None = None
    reason: Text | None = None
    remarks: tuple[Text, ...] = ()
    note: Text = ""


class Git(Stored, frozen=True, kw_only=True):
    """The commit of the checkout that srlab ran from, and whether files differed from it."""

    commit: Text = ""
    dirty: bool = False


class Session(Stored, frozen=True, kw_only=True):
    """Code, versions and machine of a part of a run; `ended` is None if it was killed."""

    optional = ("gpu",)

    started: Text = ""
    ended: Text | None = None
    git: Git | None = None
    python: Text = ""
    versions: dict[str, Text] = field(default_factory=dict)
    platform: Text = ""
    cpu: Text = ""
    cores: Count | None = None
    device: Text = ""
    threads: Count = 0
    gpu: Text | None = None


class Provenance(Stored, frozen=True, kw_only=True):
    """``provenance.json``: an interrupted run has several sessions."""

    sessions: tuple[Session, ...]


class Logged(Stored, frozen=True, kw_only=True):
    """A line of ``metrics.jsonl``: what was logged at a step. What was not finite is left out."""

    step: Count
    values: dict[str, float]


class Step(Stored, frozen=True, kw_only=True):
    """What every line of ``metrics.jsonl`` has."""

    step: Count


STEP = msgspec.json.Decoder(Step)
LINE = msgspec.json.Decoder(dict[str, Annotated[int, Meta(ge=-(10**15), le=10**15)] | Number | None])


# choice.json


class Previous(Stored, frozen=True, kw_only=True):
    """A choice that counted until a run was added."""

    decibels = ("psnr_y",)

    learning_rate: Number
    psnr_y: Decibels | None
    since: Text | None = None


class Superseded(Previous, frozen=True, kw_only=True):
    """A choice that another one took the place of, and when."""

    superseded: Text | None = None


class Rate(Stored, frozen=True, kw_only=True):
    """What a variant reached at one learning rate; `psnr_y` in dB is the mean over the finished seeds.

    `distance` is the mean of the perceptual distance that its rate is chosen by; None if psnr_y chooses.
    """

    optional = ("distance",)
    decibels = ("psnr_y",)

    learning_rate: Number
    psnr_y: Decibels | None
    distance: Number | None = None
    finished: tuple[Count, ...]
    diverged: tuple[Count, ...]
    missing: tuple[Count, ...]

    @property
    def is_complete(self) -> bool:
        return not self.diverged and not self.missing


class Choice(Stored, frozen=True, kw_only=True):
    """The learning rate of one variant; None until all runs that it `waits_for` have ended.

    `measure` is what chose it, None if no distance is stored that could choose it.
    """

    optional = ("measure", "distance", "previous")
    decibels = ("psnr_y",)

    learning_rate: Number | None
    psnr_y: Decibels | None
    measure: Text | None = "psnr_y"
    distance: Number | None = None
    since: Text | None = None
    is_complete: bool = False
    waits_for: tuple[Text, ...] = ()
    left_out: tuple[Text, ...] = ()
    previous: Previous | None = None
    rates: tuple[Rate, ...] = ()
    superseded: tuple[Superseded, ...] = ()


NO_CHOICE = Choice(learning_rate=None, psnr_y=None)


class ChoiceFile(Stored, frozen=True, kw_only=True):
    """``choice.json``."""

    rule: Text = ""
    variants: dict[str, Choice]


# looks.json


class Look(Stored, frozen=True, kw_only=True):
    """The results with so many `seeds`; `most` is up to how many the study adds until it is decided.

    `most` is None if somebody added the seeds by hand. `undecided` are the variants that need more seeds;
    None before that was found out.
    """

    optional = ("most", "undecided")

    seeds: Whole
    most: Whole | None = None
    undecided: tuple[Text, ...] | None = None

    def __post_init__(self) -> None:
        if self.most is not None and self.most < self.seeds:
            raise ValueError("a look has more seeds than the study may have")


class LooksFile(Stored, frozen=True, kw_only=True):
    """``looks.json``: at how many seeds the results were looked at."""

    looks: tuple[Look, ...]


# scores.json


class Score(Stored, frozen=True, kw_only=True):
    """What one image of a data set got under one metric (``psnr_y`` in dB, ``ssim_y``, ...).

    Equal pictures have an infinite PSNR. NaN is not a score: a number that is missing is left out.
    """

    decibels = ("value",)

    dataset: Text
    image: Text
    metric: Text
    value: Decibels

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise TypeError(f"{self.metric} of {self.image} must be a number, not {self.value!r}")
        if math.isnan(self.value) or self.value == -math.inf:
            raise ValueError(f"{self.metric} of {self.image} is {self.value}, which is no score")


class StoredScores(Stored, frozen=True, kw_only=True):
    """Scores that may be compared: one protocol, one scale.

    `weights` are the SHA-256 of what the metrics were computed with, by name; empty if they need none.
    """

    optional = ("weights",)

    format: Literal["srlab scores"] = "srlab scores"
    version: Literal[1] = 1
    protocol: EvaluationProtocol
    scale: Scale
    weights: dict[str, Text] = field(default_factory=dict)
    scores: tuple[Score, ...]

    @property
    def metrics(self) -> set[str]:
        """Their names."""
        return {score.metric for score in self.scores}
