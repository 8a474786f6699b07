"""Super-resolution networks: options in, network out.

Options are values (frozen dataclasses); `PRESETS` names the variants of the seed study and of the papers,
and `with_options` changes any of them. Every network takes LR [N, 3, H, W] in [0, 1] to SR [N, 3, sH, sW],
not clamped, and has `scale`, `color` and `border`; see `Network`.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from srlab.errors import UserError
from srlab.networks.architectures import Architecture, check_network, find_architecture
from srlab.networks.bicubic import Bicubic, BicubicOptions
from srlab.networks.blocks import Network, check_scale, initialize
from srlab.networks.discriminator import Discriminator, DiscriminatorOptions
from srlab.networks.edsr import EDSR, EDSROptions
from srlab.networks.luma import Luma
from srlab.networks.options import from_values, to_values, with_options
from srlab.networks.presets import PRESETS, NetworkOptions, Preset, find_preset, only_scale, preset
from srlab.networks.rdn import RDN, RDNOptions
from srlab.networks.srcnn import SRCNN, SRCNNOptions
from srlab.networks.srresnet import SRResNet, SRResNetOptions
from srlab.networks.values import Activation, BatchNorm
from srlab.networks.vdsr import VDSR, VDSROptions
from srlab.user_code.declared import find_own

__all__ = [
    "EDSR",
    "NETWORKS",
    "PRESETS",
    "RDN",
    "SRCNN",
    "VDSR",
    "Activation",
    "Architecture",
    "BatchNorm",
    "Bicubic",
    "BicubicOptions",
    "Discriminator",
    "DiscriminatorOptions",
    "EDSROptions",
    "Luma",
    "Network",
    "NetworkOptions",
    "Preset",
    "RDNOptions",
    "SRCNNOptions",
    "SRResNet",
    "SRResNetOptions",
    "VDSROptions",
    "build_network",
    "check_network",
    "find_architecture",
    "find_preset",
    "fits_every_scale",
    "is_network_options",
    "network_color",
    "num_parameters",
    "num_running_statistics",
    "only_scale",
    "options_from_dict",
    "options_to_dict",
    "preset",
    "suits_bf16",
    "with_options",
]

NETWORKS: dict[type[NetworkOptions], type[Network]] = {
    BicubicOptions: Bicubic,
    SRCNNOptions: SRCNN,
    VDSROptions: VDSR,
    EDSROptions: EDSR,
    RDNOptions: RDN,
    SRResNetOptions: SRResNet,
}


def build_network(options: NetworkOptions, *, scale: int) -> Network:
    """A freshly initialized network: LR [N, 3, H, W] -> SR [N, 3, sH, sW], both in [0, 1].

    The weights are drawn from torch's global generator, so ``torch.manual_seed`` before makes them
    repeatable.
    """
    check_scale(scale)
    if (own := find_architecture(options)) is not None:
        network = own.build(options, scale=scale)
    else:
        network_class: Any = NETWORKS[type(options)]
        network = network_class(options, scale=scale)
        initialize(network, getattr(options, "initialization", "pytorch"))
    return Luma(network) if network_color(options) == "luma" else network


def network_color(options: NetworkOptions) -> str:
    """``luma`` where the network works on Y alone, else ``rgb``."""
    if (own := find_architecture(options)) is not None:
        return own.color
    return getattr(options, "color", "rgb")


def suits_bf16(options: NetworkOptions) -> bool:
    """Whether precision ``auto`` may train the network in bf16; see `Network`."""
    own = find_architecture(options)
    return NETWORKS[type(options)].suits_bf16 if own is None else own.suits_bf16


def is_network_options(value: object) -> bool:
    """Whether a network can be made of `value`: options of srlab's or of a declared `Architecture`."""
    return type(value) in NETWORKS or find_architecture(value) is not None


def fits_every_scale(options: NetworkOptions) -> bool:
    """Whether the same weights serve x2, x3 and x4: where the picture is enlarged first, they do."""
    if find_architecture(options) is not None:
        return False
    return getattr(options, "enlargement", "bicubic") != "sub_pixel"


def architecture(options: NetworkOptions) -> str:
    """The name of the network's class, or of the user's architecture, as written in files."""
    if (own := find_architecture(options)) is not None:
        return own.name
    return NETWORKS[type(options)].__name__


def num_parameters(options: NetworkOptions, *, scale: int) -> int:
    """Trainable parameters, counted without allocating them."""
    return _counts(options, scale)[0]


def num_running_statistics(options: NetworkOptions, *, scale: int) -> int:
    """Running means and variances of batch normalization (Keras counts them as "non-trainable")."""
    return _counts(options, scale)[1]


@cache
def _counts(options: NetworkOptions, scale: int) -> tuple[int, int]:
    network = meta_network(options, scale=scale)
    statistics = (
        buffer.numel()
        for name, buffer in network.named_buffers()
        if name.endswith(("running_mean", "running_var"))
    )
    return sum(parameter.numel() for parameter in network.parameters()), sum(statistics)


def meta_network(options: NetworkOptions, *, scale: int) -> Network:
    """The network without its numbers: shapes only, so that its size does not matter."""
    try:
        with torch.device("meta"), _WithoutValues():
            return build_network(options, scale=scale)
    except UserError:
        if find_architecture(options) is None:
            raise
    with torch.random.fork_rng(devices=[]):  # it computes with numbers when it is made
        return build_network(options, scale=scale).to("meta")


class _WithoutValues(TorchFunctionMode):
    """Weights without numbers are not filled: torch would do it in Python, which is most of the time."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _FILLS or getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


_FILLS = (torch.Tensor.uniform_, torch.Tensor.normal_, torch.Tensor.zero_, torch.Tensor.fill_)


def options_to_dict(options: NetworkOptions) -> dict[str, Any]:
    """Every option as JSON has it, and the architecture; of a user's also which code it is.

    >>> options_to_dict(EDSROptions(num_blocks=2))["architecture"]
    'EDSR'
    """
    own = find_architecture(options)
    code = {} if own is None else {"code": own.identity}
    return {"architecture": architecture(options), **code, **to_values(options)}


def options_from_dict(values: Mapping[str, Any]) -> NetworkOptions:
    """The reverse of `options_to_dict`.

    Raises `UserError` if anything is missing, unknown or of the wrong kind.
    """
    name = values.get("architecture")
    if "code" in values:
        rest = {key: value for key, value in values.items() if key not in ("architecture", "code")}
        return from_values(find_own("Architecture", str(name), str(values["code"])).options, rest)
    rest = {key: value for key, value in values.items() if key != "architecture"}
    for options_type, network in NETWORKS.items():
        if network.__name__ == name:
            return from_values(options_type, rest)
    known = ", ".join(network.__name__ for network in NETWORKS.values())
    raise UserError(f"unknown architecture {name!r}; known: {known}")
