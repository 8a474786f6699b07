"""Networks of a user's own: an `Architecture` says what a name, options and a network are to each other."""

import copyreg
import dataclasses
import importlib.metadata
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from srlab.errors import UserError
from srlab.networks.blocks import Network
from srlab.networks.options import check_declared, check_options, from_values, to_values
from srlab.networks.user_code import Code, identity_of, read_code, read_module, run_code, running_code
from srlab.networks.values import Color

ENTRY_POINTS = "srlab.architectures"
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
        module = getattr(self.network, "__module__", "")
        code = running_code() or _code_of(module, where=where)
        object.__setattr__(self, "code", code)
        found = _installed(module) if code is None else identity_of(code, self.name, self._places())
        object.__setattr__(self, "identity", found)
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
                f"{_reason(error)}"
            ) from error
        if not isinstance(made, nn.Module):
            raise UserError(
                f"architecture {self.name!r}: its network must be a torch.nn.Module, not "
                f"{type(made).__name__}"
            )
        return UserNetwork(made, self, scale=scale)

    def _places(self) -> list[tuple[str, str]]:
        """The modules and names of network and options."""
        defined = (self.network, self.options)
        return [(one.__module__, getattr(one, "__qualname__", "")) for one in defined]


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
            f"{where}: its network raised {_reason(error)} for an LR picture of the shape {given}; it must "
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
        raise UserError(f"{where}: its network cannot be trained: {_reason(error)}") from error
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


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


# Which architectures there are

_by_options: dict[type, Architecture] = {}
_by_identity: dict[tuple[str, str], Architecture] = {}


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
    _by_identity[architecture.name, architecture.identity] = architecture
    copyreg.pickle(architecture.options, _reduce)


def _reduce(options: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """How options go to another process: as values, with the code that says what they mean."""
    architecture = _by_options[type(options)]
    return _rebuild, (architecture.code, architecture.name, architecture.identity, to_values(options))


def _rebuild(code: Code | None, name: str, wanted: str, values: Mapping[str, Any]) -> Any:
    if (name, wanted) not in _by_identity and code is not None:
        run_code(code)
    return from_values(known_architecture(name, wanted).options, values)


def is_known(name: str, wanted: str) -> bool:
    """Whether that architecture was declared in this process."""
    return (name, wanted) in _by_identity


def known_architecture(name: str, wanted: str) -> Architecture:
    """The architecture of that name and identity that was declared in this process, or is installed.

    Raises `UserError` if there is none.
    """
    if (name, wanted) not in _by_identity:
        load_installed()
    if (found := _by_identity.get((name, wanted))) is not None:
        return found
    others = [known for other, known in _by_identity if other == name]
    if others and wanted:
        raise UserError(
            f"architecture {name!r} has other code here than where this was trained ({_short(others[-1])} "
            f"here, {_short(wanted)} there); use the code of then"
        )
    raise UserError(f"unknown architecture {name!r}")


def _short(identity: str) -> str:
    return identity[:12] if re.fullmatch(r"[0-9a-f]{64}", identity) else identity


def load_installed() -> None:
    """Import the architectures that installed packages offer by the entry point ``srlab.architectures``."""
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            found = point.load()
        except Exception as error:
            raise UserError(
                f"the package {point.dist.name if point.dist else point.value} offers the architecture "
                f"{point.name!r}, which cannot be imported: {_reason(error)}"
            ) from error
        if not isinstance(found, Architecture):
            raise UserError(f"the entry point {point.name!r} of {ENTRY_POINTS} is no Architecture: {found!r}")


def _installed(module: str) -> str:
    """Name and version of the installed package that a module is of."""
    top = module.partition(".")[0]
    for name in importlib.metadata.packages_distributions().get(top, ()):
        return f"{name} {importlib.metadata.version(name)}"
    return top


def _code_of(module: str, *, where: str) -> Code | None:
    """The file of a module that is neither installed nor run by srlab: a script of the user's."""
    if module.partition(".")[0] in importlib.metadata.packages_distributions():
        return None
    path = getattr(sys.modules.get(module), "__file__", None)
    if path is None or not Path(path).is_file():
        raise UserError(
            f"{where}: its network is defined in no file, so its weights could not be used later; write it "
            "into a Python file, and import it from there"
        )
    return read_module(module, Path(path)) if "." in module else read_code(Path(path))
