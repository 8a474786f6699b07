"""Losses as values: what a training on pixels makes small, declared in Python or written as text.

`Loss` is one of a user's own; the others are included.

>>> L1() + 0.1 * Perceptual("vgg22") + 0.05 * Gradient()
Sum(1.0 * L1(), 0.1 * Perceptual('vgg22'), 0.05 * Gradient())
>>> print(parse_loss("l1 + 0.1*perceptual:vgg22 + 0.05*gradient"))
l1+0.1*perceptual:vgg22+0.05*gradient

Nothing here computes; `srlab.training.losses` and `srlab.training.content` do.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, cast, get_args

from srlab.declare.checks import as_number, shown
from srlab.errors import UserError
from srlab.user_code.code import Code
from srlab.user_code.declared import bring, origin_of, register, unwrapped
from srlab.user_code.identity import Kind

Features = Literal["vgg22", "vgg54", "conv5_4", "random"]

EXAMPLE = "l1+0.1*perceptual:vgg22+0.05*gradient"


class LossValue:
    """A loss as a value: compared, hashed, multiplied by a number, and added to other losses.

    As text it is what the command line takes and what ``study.json`` has.
    """

    def __mul__(self, weight: Any) -> "Weighted":
        return Weighted(weight, self)

    __rmul__ = __mul__

    def __add__(self, other: Any) -> "Sum":
        return Sum(self, other) if isinstance(other, LossValue) else NotImplemented

    def terms(self) -> "tuple[Weighted, ...]":
        """The simple losses that it consists of, each with its weight."""
        return (Weighted(1.0, self),)


@dataclass(frozen=True)
class L1(LossValue):
    """Mean absolute error of pixels in [0, 1]."""

    def __str__(self) -> str:
        return "l1"


@dataclass(frozen=True)
class MSE(LossValue):
    """Mean squared error of pixels in [0, 1], the one that PSNR measures."""

    def __str__(self) -> str:
        return "mse"


@dataclass(frozen=True)
class Charbonnier(LossValue):
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
class Gradient(LossValue):
    """Mean absolute error of the image's gradient: the differences of neighbours along rows and columns.

    Both directions count alike. An error that is the same everywhere, such as a shift of the colors, costs
    nothing.
    """

    def __str__(self) -> str:
        return "gradient"


@dataclass(frozen=True)
class Perceptual(LossValue):
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
class Loss(LossValue):
    """A loss of your own: its name, and a function of SR and HR.

    ``function(sr, hr)`` is given two float32 tensors [N, C, H, W] on the device that trains, without the
    edge that the network's loss leaves out. HR is in [0, 1]. SR is what the network gives, not clamped. C is
    3, or 1 for a network that works on luma. It returns one number, a tensor without dimensions, through
    which a gradient reaches SR. Lower is better. It is called at every step, and must do the same each time.

    Two losses are equal if they have one name and rest on the same code.

    Raises:
        UserError: the name is not valid or is an included loss's, or `function` cannot be called.
    """

    kind: ClassVar[Kind] = "Loss"
    name: str
    function: Callable[..., Any] = field(compare=False)
    code: Code | None = field(default=None, init=False, compare=False)
    identity: str = field(default="", init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name) or self.name in _NAMED:
            raise UserError(
                f"{shown(self.name)} is not a valid name of a loss of your own: use at most 50 letters, "
                "digits, '_', '-' and '.', begin with a letter, and take none of "
                f"{', '.join(_NAMED)}"
            )
        if not callable(self.function):
            raise UserError(f"loss {self.name!r}: {shown(self.function)} is no function of SR and HR")
        code, identity = origin_of("Loss", self.name, unwrapped(self.function))
        object.__setattr__(self, "code", code)
        object.__setattr__(self, "identity", identity)
        register(self)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """How it goes to another process: as the code that declares it."""
        return bring, ("Loss", self.code, self.name, self.identity)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"Loss({self.name!r})"


@dataclass(frozen=True)
class Weighted(LossValue):
    """A loss times a positive number.

    Raises:
        UserError: the weight is not a positive number.
    """

    weight: float
    loss: LossValue

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
class Sum(LossValue):
    """A weighted sum of losses: ``Sum(L1(), 0.1 * Perceptual("vgg22"))``.

    The order of its parts does not matter. Sums inside it are opened.

    Raises:
        UserError: a part is not a loss, a loss is there twice, or there is no part.
    """

    parts: tuple[Weighted, ...]

    def __init__(self, *parts: LossValue) -> None:
        for part in parts:
            if not isinstance(part, LossValue):
                raise UserError(
                    f"a Sum takes losses, such as L1() or 0.1 * Gradient(); {shown(part)} is not a loss"
                )
        terms = [term for part in parts for term in part.terms()]
        if not terms:
            raise UserError("a Sum needs at least one loss, such as Sum(L1(), 0.1 * Gradient())")
        for term in terms:
            if sum(str(term.loss) == str(other.loss) for other in terms) > 1:
                raise UserError(f"a sum of losses names {term.loss} twice; give it one weight")
        order = [*_NAMED.values(), Loss]
        terms.sort(key=lambda term: (order.index(type(term.loss)), str(term.loss)))
        object.__setattr__(self, "parts", tuple(terms))

    def terms(self) -> tuple[Weighted, ...]:
        return self.parts

    def __str__(self) -> str:
        return "+".join(map(str, self.parts))

    def __repr__(self) -> str:
        return f"Sum({', '.join(map(repr, self.parts))})"


_NAMED: dict[str, type[LossValue]] = {
    "l1": L1,
    "mse": MSE,
    "charbonnier": Charbonnier,
    "perceptual": Perceptual,
    "gradient": Gradient,
}


# Not like the end of a number, after which a + would not end a part.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,49}(?<![0-9.][eE])")


def simplified(loss: LossValue) -> LossValue:
    """The loss with as little around it as it needs, so that equal losses are equal values.

    >>> simplified(Sum(1 * L1()))
    L1()
    """
    terms = loss.terms()
    if len(terms) > 1:
        return Sum(*terms)
    return terms[0].loss if terms[0].weight == 1 else terms[0]


def parse_loss(text: str, *, own: Mapping[str, Loss] | None = None) -> LossValue:
    """A loss from its text: ``l1``, ``charbonnier:0.01``, ``l1+0.1*perceptual:vgg22+0.05*gradient``.

    `own` are a user's own losses that it may name.

    >>> parse_loss("mse")
    MSE()

    Raises:
        UserError: a part of it is not a loss, or what should be a number is not one.
    """
    parts = [part.strip() for part in re.split(r"(?<![0-9.][eE])\+", text)]
    if "" in parts:
        raise UserError(f"the loss {text!r} has an empty part; write it like {EXAMPLE}")
    losses = [_parse_part(part, own or {}) for part in parts]
    return simplified(losses[0] if len(losses) == 1 else Sum(*losses))


def _parse_part(text: str, own: Mapping[str, Loss]) -> LossValue:
    number, times, named = text.rpartition("*")
    name, colon, argument = (word.strip() for word in named.partition(":"))
    if name not in _NAMED and name not in own:
        raise UserError(
            f"there is no loss {name!r}; it must be one of l1, mse, charbonnier, gradient and "
            f"perceptual:CONTENT (CONTENT is {', '.join(get_args(Features))}), or a sum such as {EXAMPLE}; "
            "give a loss of your own as a Loss"
        )
    if name in own and not colon:
        loss: LossValue = own[name]
    elif colon and name == "charbonnier":
        loss = Charbonnier(_number(argument, what=f"the eps of {named.strip()!r}"))
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
