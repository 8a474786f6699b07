"""Networks of a user's own: an `Architecture` says what a name, options and a network are to each other."""

import copyreg
import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from srlab.errors import UserError
from srlab.networks.blocks import Network
from srlab.networks.options import check_declared, check_options, from_values, to_values
from srlab.networks.values import Color
from srlab.user_code.code import Code
from srlab.user_code.declared import bring, origin_of, reason, register
from srlab.user_code.identity import Kind

_PROBES = ((12, 13), (17, 10))  # heights and widths of the LR pictures that a network is tried with


@dataclass(frozen=True, eq=False)
class Architecture:
    """A kind of network: its name, the options that it has, and what makes a network of them.

    `options` is a frozen dataclass; its fields are bool, int, float, str, a `Literal` of words, a tuple of
    ints, or one of these or None. ``network(options, scale=scale)`` gives a plain `nn.Module` that takes LR
    [N, 3, H, W] in [0, 1] to SR [N, 3, sH, sW] for any H and W. With `color` "luma" it is given Y [N, 1, H,
    W] of BT.601 / 255; Cb and Cr are enlarged by bicubic. The loss leaves out `border` SR pixels along each
    edge. `radius` is how many LR pixels away an SR pixel looks; None has it measured. `suits_bf16` says that
    precision ``auto`` may train it in bf16.

    Calling it makes options: ``MINE(num_blocks=4)``. A `Variant` takes them as its `network`.

    Raises:
        UserError: a field is not what it must be, or `options` has fields that cannot be stored.
    """

    kind: ClassVar[Kind] = "Architecture"
    name: str
    options: type
    network: Callable[..., nn.Module]
    _: dataclasses.KW_ONLY
    color: Color = "rgb"
    border: int = 0
    radius: int | None = None
    suits_bf16: bool = False
    code: Code | None = field(default=None, init=False, repr=False)
    identity: str = field(default="", init=False, repr=False)

    def __post_init__(self) -> None:
        where = f"architecture {self.name!r}"
        if not isinstance(self.name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,49}", self.name):
            raise UserError(
                f"{self.name!r} is not a valid name of an architecture: use at most 50 letters, digits and "
                "'_', and begin with a letter"
            )
        if not callable(self.network):
            raise UserError(f"{where}: its network must be a class or a function, not {self.network!r}")
        if self.color not in ("rgb", "luma"):
            raise UserError(f"{where}: its color must be rgb or luma, not {self.color!r}")
        for what in ("border", "radius"):
            value = getattr(self, what)
            if not (what == "radius" and value is None) and (type(value) is not int or value < 0):
                raise UserError(f"{where}: its {what} must be a whole number of pixels, not {value!r}")
        check_declared(self.options, where=where)
        code, identity = origin_of("Architecture", self.name, self.network, self.options)
        object.__setattr__(self, "code", code)
        object.__setattr__(self, "identity", identity)
        _register(self)

    def __call__(self, **values: Any) -> Any:
        """Options with these values, the others as their defaults; `UserError` for a wrong one."""
        try:
            options = self.options(**values)
        except TypeError as error:
            raise UserError(f"architecture {self.name!r}: {error}") from error
        check_options(options)
        return options

    def build(self, options: Any, *, scale: int) -> Network:
        """A network of `options`, freshly made; the contract of all others stands around it."""
        try:
            made = self.network(options, scale=scale)
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"architecture {self.name!r}: {_title(self.network)}(options, scale={scale}) raised "
                f"{reason(error)}"
            ) from error
        if not isinstance(made, nn.Module):
            raise UserError(
                f"architecture {self.name!r}: its network must be a torch.nn.Module, not "
                f"{type(made).__name__}"
            )
        return UserNetwork(made, self, scale=scale)


class UserNetwork(Network):
    """A user's module behind the contract of all networks: LR [N, C, H, W] -> SR [N, C, sH, sW]."""

    def __init__(self, network: nn.Module, architecture: Architecture, *, scale: int) -> None:
        super().__init__(scale=scale, enlargement="sub_pixel", skip=None, border=architecture.border)
        self.network = network
        self.name = architecture.name
        self.radius = architecture.radius
        self.is_tried = False  # whether it was tried how it looks at a picture
        self.sees_all = False  # whether the radius was looked for and not found
        self.is_aligned = False  # whether it matters where a picture begins, so far as was tried
        self.suits_bf16 = architecture.suits_bf16

    def forward(self, lr: Tensor) -> Tensor:
        sr: Tensor = self.network(lr)
        return sr


def check_network(options: Any, *, scale: int) -> None:
    """Raise `UserError` unless a user's network of `options` makes SR of the right size; others pass."""
    architecture = find_architecture(options)
    if architecture is None or (options, scale) in _checked:
        return
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        network = architecture.build(options, scale=scale).eval()
        _check_stored(architecture, options, network)
        for size in _PROBES:
            _check_sr(architecture, network, size=size)
    _checked.add((options, scale))


def _check_sr(architecture: Architecture, network: Network, *, size: tuple[int, int]) -> None:
    """Raise `UserError` unless LR of that size becomes SR, with a gradient for the weights."""
    where = f"architecture {architecture.name!r}"
    channels, scale = 1 if architecture.color == "luma" else 3, network.scale
    given = [1, channels, *size]
    wanted = [1, channels, scale * size[0], scale * size[1]]
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    try:
        sr = network(torch.rand(given))
    except Exception as error:
        raise UserError(
            f"{where}: its network raised {reason(error)} for an LR picture of the shape {given}; it must "
            "take any height and width"
        ) from error
    if not isinstance(sr, Tensor) or list(sr.shape) != wanted:
        found = list(sr.shape) if isinstance(sr, Tensor) else type(sr).__name__
        raise UserError(
            f"{where}: LR of the shape {given} at x{scale} must become SR of the shape {wanted}, but its "
            f"network gave {found}"
        )
    if not torch.isfinite(sr).all():
        raise UserError(f"{where}: its untrained network gives NaN or infinity")
    try:
        gradients = torch.autograd.grad(sr.mean(), weights, allow_unused=True) if weights else (sr,)
    except Exception as error:
        raise UserError(f"{where}: its network cannot be trained: {reason(error)}") from error
    if all(gradient is None for gradient in gradients):
        raise UserError(f"{where}: no gradient reaches the weights of its network, so it cannot be trained")


def _check_stored(architecture: Architecture, options: Any, network: nn.Module) -> None:
    """Raise `UserError` if what is stored of a trained network would not make it again."""
    where = f"architecture {architecture.name!r}"
    again: Any = from_values(architecture.options, to_values(options))
    if again != options:
        raise UserError(
            f"{where}: {options} cannot be stored: made again from its values, it is {again}; "
            "__post_init__ must not change a value twice"
        )
    for name, found in network.state_dict().items():
        if isinstance(found, UninitializedParameter):
            raise UserError(f"{where}: {name} has no shape yet; say how many channels a Lazy layer has")
        if not isinstance(found, Tensor):
            raise UserError(
                f"{where}: state_dict() may hold tensors only, but {name} is a {type(found).__name__}"
            )


_checked: set[tuple[Any, int]] = set()  # a study is checked each time that it changes


def _title(network: Callable[..., nn.Module]) -> str:
    return getattr(network, "__name__", type(network).__name__)


# Which architectures there are

_by_options: dict[type, Architecture] = {}


def find_architecture(options: Any) -> Architecture | None:
    """The user's architecture that has options of this type."""
    return _by_options.get(type(options))


def _register(architecture: Architecture) -> None:
    known = _by_options.get(architecture.options)
    if known is not None and known.name != architecture.name:
        raise UserError(
            f"architectures {known.name!r} and {architecture.name!r} share the options "
            f"{architecture.options.__name__}; give each a class of its own"
        )
    _by_options[architecture.options] = architecture
    register(architecture)
    copyreg.pickle(architecture.options, _reduce)


def _reduce(options: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """How options go to another process: as values, with the code that says what they mean."""
    architecture = _by_options[type(options)]
    return _rebuild, (architecture.code, architecture.name, architecture.identity, to_values(options))


def _rebuild(code: Code | None, name: str, wanted: str, values: Mapping[str, Any]) -> Any:
    return from_values(bring("Architecture", code, name, wanted).options, values)
