"""Losses as values: what a training on pixels makes small, declared in Python or written as text.

>>> L1() + 0.1 * Perceptual("vgg22") + 0.05 * Gradient()
Sum(1.0 * L1(), 0.1 * Perceptual('vgg22'), 0.05 * Gradient())
>>> print(parse_loss("l1 + 0.1*perceptual:vgg22 + 0.05*gradient"))
l1+0.1*perceptual:vgg22+0.05*gradient

Nothing here computes; `srlab.training.losses` and `srlab.training.content` do.
"""

import math
import re
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from srlab.declare.checks import as_number, shown
from srlab.errors import UserError

Features = Literal["vgg22", "vgg54", "conv5_4", "random"]

EXAMPLE = "l1+0.1*perceptual:vgg22+0.05*gradient"


class Loss:
    """A loss as a value: compared, hashed, multiplied by a number, and added to other losses.

    As text it is what the command line takes and what ``study.json`` has.
    """

    def __mul__(self, weight: Any) -> "Weighted":
        return Weighted(weight, self)

    __rmul__ = __mul__

    def __add__(self, other: Any) -> "Sum":
        return Sum(self, other) if isinstance(other, Loss) else NotImplemented

    def terms(self) -> "tuple[Weighted, ...]":
        """The simple losses that it consists of, each with its weight."""
        return (Weighted(1.0, self),)


@dataclass(frozen=True)
class L1(Loss):
    """Mean absolute error of pixels in [0, 1]."""

    def __str__(self) -> str:
        return "l1"


@dataclass(frozen=True)
class MSE(Loss):
    """Mean squared error of pixels in [0, 1], the one that PSNR measures."""

    def __str__(self) -> str:
        return "mse"


@dataclass(frozen=True)
class Charbonnier(Loss):
    """Mean of sqrt((sr - hr)^2 + eps^2), of pixels in [0, 1]: like L1, but smooth at zero.

    Lai, Huang, Ahuja and Yang, "Deep Laplacian Pyramid Networks for Fast and Accurate Super-Resolution",
    CVPR 2017, section 3.2, with eps = 0.001.

    Raises:
        UserError: eps is not a positive number.
    """

    eps: float = 1e-3

    def __post_init__(self) -> None:
        object.__setattr__(self, "eps", _positive(self.eps, what="the eps of a charbonnier loss"))

    def __str__(self) -> str:
        return "charbonnier" if self == Charbonnier() else f"charbonnier:{_written(self.eps)}"


@dataclass(frozen=True)
class Gradient(Loss):
    """Mean absolute error of the image's gradient: the differences of neighbours along rows and columns.

    Both directions count alike. An error that is the same everywhere, such as a shift of the colors, costs
    nothing.
    """

    def __str__(self) -> str:
        return "gradient"


@dataclass(frozen=True)
class Perceptual(Loss):
    """Mean squared error of VGG19's features of SR and HR, as a GAN's content loss has it.

    `content` is a layer: ``vgg22`` (relu2_2), ``vgg54`` (relu5_4), ``conv5_4`` (relu5_4 before its
    activation), or ``random``: relu2_2 of a VGG19 of seeded random weights, for tests and notebooks.
    The features are divided by a number, which `srlab.networks.vgg` explains.

    Raises:
        UserError: there is no such layer.
    """

    content: Features = "vgg22"

    def __post_init__(self) -> None:
        if self.content not in get_args(Features):
            known = ", ".join(get_args(Features))
            raise UserError(
                f"the content of a perceptual loss must be one of {known}, not {shown(self.content)}"
            )

    def __str__(self) -> str:
        return f"perceptual:{self.content}"

    def __repr__(self) -> str:
        return f"Perceptual({self.content!r})"


@dataclass(frozen=True)
class Weighted(Loss):
    """A loss times a positive number.

    Raises:
        UserError: the weight is not a positive number.
    """

    weight: float
    loss: Loss

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", _positive(self.weight, what=f"the weight of {self.loss}"))

    def terms(self) -> "tuple[Weighted, ...]":
        if isinstance(self.loss, Weighted | Sum):
            return tuple(Weighted(self.weight * term.weight, term.loss) for term in self.loss.terms())
        return (self,)

    def __str__(self) -> str:
        if isinstance(self.loss, Weighted | Sum):
            return str(simplified(self))
        return str(self.loss) if self.weight == 1 else f"{_written(self.weight)}*{self.loss}"

    def __repr__(self) -> str:
        return f"{self.weight!r} * {self.loss!r}"


@dataclass(frozen=True, init=False)
class Sum(Loss):
    """A weighted sum of losses: ``Sum(L1(), 0.1 * Perceptual("vgg22"))``.

    The order of its parts does not matter. Sums inside it are opened.

    Raises:
        UserError: a part is not a loss, a loss is there twice, or there is no part.
    """

    parts: tuple[Weighted, ...]

    def __init__(self, *parts: Loss) -> None:
        for part in parts:
            if not isinstance(part, Loss):
                raise UserError(
                    f"a Sum takes losses, such as L1() or 0.1 * Gradient(); {shown(part)} is not a loss"
                )
        terms = [term for part in parts for term in part.terms()]
        if not terms:
            raise UserError("a Sum needs at least one loss, such as Sum(L1(), 0.1 * Gradient())")
        for term in terms:
            if sum(term.loss == other.loss for other in terms) > 1:
                raise UserError(f"a sum of losses names {term.loss} twice; give it one weight")
        order = list(_NAMED.values())
        terms.sort(key=lambda term: (order.index(type(term.loss)), str(term.loss)))
        object.__setattr__(self, "parts", tuple(terms))

    def terms(self) -> tuple[Weighted, ...]:
        return self.parts

    def __str__(self) -> str:
        return "+".join(map(str, self.parts))

    def __repr__(self) -> str:
        return f"Sum({', '.join(map(repr, self.parts))})"


_NAMED: dict[str, type[Loss]] = {
    "l1": L1,
    "mse": MSE,
    "charbonnier": Charbonnier,
    "perceptual": Perceptual,
    "gradient": Gradient,
}


def simplified(loss: Loss) -> Loss:
    """The loss with as little around it as it needs, so that equal losses are equal values.

    >>> simplified(Sum(1 * L1()))
    L1()
    """
    terms = loss.terms()
    if len(terms) > 1:
        return Sum(*terms)
    return terms[0].loss if terms[0].weight == 1 else terms[0]


def parse_loss(text: str) -> Loss:
    """A loss from its text: ``l1``, ``charbonnier:0.01``, ``l1+0.1*perceptual:vgg22+0.05*gradient``.

    >>> parse_loss("mse")
    MSE()

    Raises:
        UserError: a part of it is not a loss, or what should be a number is not one.
    """
    parts = [part.strip() for part in re.split(r"(?<![0-9.][eE])\+", text)]
    if "" in parts:
        raise UserError(f"the loss {text!r} has an empty part; write it like {EXAMPLE}")
    losses = [_parse_part(part) for part in parts]
    return simplified(losses[0] if len(losses) == 1 else Sum(*losses))


def _parse_part(text: str) -> Loss:
    number, times, named = text.rpartition("*")
    name, colon, argument = (word.strip() for word in named.partition(":"))
    if name not in _NAMED:
        raise UserError(
            f"there is no loss {name!r}; it must be one of l1, mse, charbonnier, gradient and "
            f"perceptual:CONTENT (CONTENT is {', '.join(get_args(Features))}), or a sum such as {EXAMPLE}"
        )
    if colon and name == "charbonnier":
        loss: Loss = Charbonnier(_number(argument, what=f"the eps of {named.strip()!r}"))
    elif name == "perceptual":
        if not colon:
            raise UserError(f"perceptual needs a content, such as perceptual:vgg22; got {text!r}")
        loss = Perceptual(cast(Features, argument))
    elif colon:
        raise UserError(f"{name} takes nothing after a colon; got {named.strip()!r}")
    else:
        loss = _NAMED[name]()
    return Weighted(_number(number, what=f"the weight of {loss}"), loss) if times else loss


def _number(text: str, *, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    return _positive(value if math.isfinite(value) else text.strip(), what=what)


def _positive(value: Any, *, what: str) -> float:
    number = as_number(value)
    if number is None or number <= 0:
        raise UserError(f"{what} must be a positive number, not {shown(value)}")
    return number


def _written(value: float) -> str:
    """As it is typed, every digit kept."""
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)
