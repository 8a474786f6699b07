"""Metrics as values: what each is called, how it is read, and what computes it. Needs no torch.

`INCLUDED` is the one table of srlab's own. A `Metric` with a function is a user's own.
"""

import functools
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from srlab.declare.checks import shown
from srlab.errors import UserError
from srlab.user_code.code import Code
from srlab.user_code.declared import bring, origin_of, reason, register, unwrapped
from srlab.user_code.identity import Kind
from srlab.words import number

Better = Literal["higher", "lower"]
Of = Literal["planes", "colors", "features"]


@dataclass(frozen=True)
class Metric:
    """A metric of your own: its name, how a table shows it, which direction is better, and a function.

    ``function(sr, hr)`` is given two pictures as NumPy arrays float64 [H, W, 3] in [0, 1], of the values 0 to
    255 that are stored, without `scale` pixels along each edge. A gray picture has three equal channels. It
    returns one finite number. It may do with the arrays what it likes.

    `unit` is "dB" or another word, or "" for none; `decimals` is what a table shows.

    Raises:
        UserError: the name is not valid or is taken, or another field is not what it must be.
    """

    kind: ClassVar[Kind] = "Metric"
    name: str
    _: KW_ONLY
    unit: str = ""
    decimals: int = 4
    better: Better = "higher"
    function: Callable[..., Any] | None = field(default=None, compare=False, repr=False)
    code: Code | None = field(default=None, init=False, compare=False, repr=False)
    identity: str = field(default="", init=False, repr=False)

    def __post_init__(self) -> None:
        where = f"metric {self.name!r}"
        if not isinstance(self.unit, str) or len(self.unit) > 20 or not self.unit.isprintable():
            raise UserError(f'{where}: its unit must be a short text, or "", not {shown(self.unit)}')
        if type(self.decimals) is not int or not 0 <= self.decimals <= 10:
            raise UserError(
                f"{where}: its decimals must be a whole number from 0 to 10, not {shown(self.decimals)}"
            )
        if self.better not in get_args(Better):
            raise UserError(f"{where}: better must be higher or lower, not {shown(self.better)}")
        if self.function is None:
            return
        if not callable(self.function):
            raise UserError(f"{where}: {shown(self.function)} is no function of SR and HR")
        _check_name(self.name)
        code, identity = origin_of("Metric", self.name, unwrapped(self.function))
        object.__setattr__(self, "code", code)
        object.__setattr__(self, "identity", identity)
        register(self)

    @property
    def is_lower_better(self) -> bool:
        """Its direction, as a flag."""
        return self.better == "lower"

    @property
    def after_name(self) -> str:
        """The unit as it stands after the name of an axis or a column: ``, dB`` or nothing."""
        return f", {self.unit}" if self.unit else ""

    def text(self, value: float | None) -> str:
        """A score as a table shows it."""
        return number(value, self.decimals)

    def with_unit(self, value: float | None) -> str:
        """A score as a sentence has it."""
        text = self.text(value)
        return f"{text} {self.unit}" if self.unit and value is not None and math.isfinite(value) else text

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """How it goes to another process: a user's own as the code that declares it."""
        if self.function is not None:
            return bring, ("Metric", self.code, self.name, self.identity)
        values = {one.name: getattr(self, one.name) for one in fields(self) if one.init}
        return functools.partial(type(self), **values), ()


@dataclass(frozen=True)
class IncludedMetric(Metric):
    """One of srlab's.

    `of` says what it compares: "planes" (Y, or the values of a gray picture) and "colors" by the function of
    its name in `srlab.pixels.metrics`, "features" of a network by `srlab.use.perceptual` and
    `srlab.use.dists`. `weights` are the names that a file of scores has for what it is computed with.
    `takes_device` where the function can compute on a GPU. `is_late` where studies of an older srlab have no
    scores of it. `is_shown` where a leaderboard has a column of it, beside the CSV.
    """

    _: KW_ONLY
    of: Of
    weights: tuple[str, ...] = ()
    takes_device: bool = False
    is_late: bool = False
    is_shown: bool = True


# In the order of files and tables. Of those that say how far pictures look apart (lower is better, 0 is
# equal) the first that all have scores of is taken: LPIPS first, then DISTS, then those without heads, then
# GMSD, which needs no weights.
INCLUDED: Mapping[str, IncludedMetric] = {
    metric.name: metric
    for metric in (
        IncludedMetric("psnr_y", unit="dB", decimals=2, of="planes"),
        IncludedMetric("ssim_y", of="planes", takes_device=True),
        IncludedMetric("psnr_rgb", unit="dB", decimals=2, of="colors", is_shown=False),
        IncludedMetric("ssim_rgb", of="colors", takes_device=True, is_shown=False),
        IncludedMetric("lpips_alex", better="lower", of="features", weights=("alexnet", "alexnet_heads")),
        IncludedMetric("lpips_vgg", better="lower", of="features", weights=("vgg16", "vgg16_heads")),
        IncludedMetric("lpips_squeeze", better="lower", of="features", weights=("squeezenet", "heads")),
        IncludedMetric("dists", better="lower", of="features", weights=("vgg16", "dists_weights")),
        IncludedMetric("alexnet_distance", better="lower", of="features", weights=("alexnet",)),
        IncludedMetric("vgg16_distance", better="lower", of="features", weights=("vgg16",)),
        IncludedMetric("squeezenet_distance", better="lower", of="features", weights=("squeezenet",)),
        IncludedMetric("gmsd_y", better="lower", of="planes", is_late=True),
    )
}
PERCEPTION = tuple(name for name, metric in INCLUDED.items() if metric.is_lower_better)
OF_PIXELS = tuple(name for name, metric in INCLUDED.items() if metric.of != "features")
LATER_METRICS = tuple(name for name, metric in INCLUDED.items() if metric.is_late)
# What `srlab study` scores, by protocol.
OF_PROTOCOL: Mapping[str, tuple[str, ...]] = {
    "rgb": OF_PIXELS,
    "luma": tuple(name for name in OF_PIXELS if INCLUDED[name].of == "planes"),
}


# A user's own

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,49}")
_TAKEN = {  # columns of tables
    *("rank", "rank_worst", "variant", "test_set", "protocol", "scale", "parameters", "multiply_adds"),
    *("learning_rate", "seed", "seeds", "image", "metric", "value", "gain", "seconds", "processor_seconds"),
    "notes",
}
_PROBE = (64, 60)  # height and width of the pictures that a metric is tried with
_tried: set[Metric] = set()  # a study is checked each time that it changes


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.endswith("_sd"):
        raise UserError(
            f"{shown(name)} is not a valid name of a metric: use at most 50 letters, digits and '_', begin "
            "with a letter, and do not end with '_sd'"
        )
    if name.lower() in INCLUDED or name in _TAKEN:
        what = "an included metric" if name.lower() in INCLUDED else "a column of the tables"
        raise UserError(f"metric {name!r} has the name of {what}; give it another name")


def check_metric(metric: Metric) -> None:
    """Raise `UserError` unless a user's metric gives a number for random pictures."""
    if metric.function is None:
        raise UserError(
            f"metric {metric.name!r} has no function; write Metric({metric.name!r}, function=...), with a "
            "function of SR and HR"
        )
    if metric not in _tried:
        sr, hr = np.random.default_rng(0).integers(0, 256, (2, *_PROBE, 3), np.uint8)
        score_by(metric, sr, hr, border=0, image="a random picture")
        _tried.add(metric)


def score_by(
    metric: Metric, sr: NDArray[np.uint8], hr: NDArray[np.uint8], *, border: int, image: str
) -> float:
    """What a user's metric gives for a picture uint8 [H, W, 3], without `border` pixels along each edge.

    Raises:
        UserError: it fails, or gives something else than a finite number.
    """
    assert metric.function is not None
    height, width = hr.shape[:2]
    inner = slice(border, height - border), slice(border, width - border)
    where = f"metric {metric.name!r} of {image} ({width - 2 * border}x{height - 2 * border} pixels)"
    try:
        found = metric.function(*(picture[inner].astype(np.float64) / 255 for picture in (sr, hr)))
        if isinstance(found, str | bytes | bool):
            raise TypeError(f"it returned {shown(found)}")
        value = float(found)
    except Exception as error:
        raise UserError(
            f"{where} raised {reason(error)}; mend its function, which must return a number"
        ) from error
    if not math.isfinite(value):
        raise UserError(f"{where} is {value}; mend its function, which must return a finite number")
    return value
