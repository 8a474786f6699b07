"""What a network costs and how far it sees, both read off its own steps.

An operation that this file does not know is an error, not a guess. Of a user's network, whose steps may be
any, torch counts the multiplications, and how far it sees is tried out.
"""

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import cast

import torch
from torch import Tensor, nn

from srlab.networks import NetworkOptions, build_network, meta_network
from srlab.networks.architectures import UserNetwork
from srlab.networks.blocks import Enlarge, Network
from srlab.networks.composed import Chain, SelfEnsemble
from srlab.networks.luma import MergeYCbCr, SplitYCbCr
from srlab.networks.structure import Step, trace

OUTPUT_PIXELS = 1280 * 720  # of SR; what the published tables count for
INTERPOLATION_RADIUS = {"bilinear": 1, "bicubic": 2}

# What gives each output pixel from the same pixel of its inputs. Batch normalization does so in `eval`
# mode; the padding of "valid" convolutions only repeats what is nearer.
POINTWISE = (
    nn.ReLU,
    nn.LeakyReLU,
    nn.PReLU,
    nn.Tanh,
    nn.Identity,
    nn.BatchNorm2d,
    nn.ReplicationPad2d,
    SplitYCbCr,
    MergeYCbCr,
)
POINTWISE_FUNCTIONS = (
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.getitem,
    torch.cat,
    torch.tanh,
)


def multiply_adds(options: NetworkOptions, *, scale: int) -> int:
    """Multiplications (each with its addition) for an SR picture of 1280 x 720, at x3 from 426.67 x 240
    pixels.

    Convolutions only, as in the published tables: no bias, no activation, no interpolation, and no border
    that "valid" convolutions compute beyond the picture.

    >>> from srlab.networks import preset
    >>> f"{multiply_adds(preset('vdsr/paper', scale=2), scale=2) / 1e9:.1f} G"
    '612.6 G'

    Of a user's network, those of linear layers and of attention count too.
    """
    return _multiply_adds(options, scale)


@cache
def _multiply_adds(options: NetworkOptions, scale: int) -> int:
    network = meta_network(options, scale=scale)
    if user_network_in(network) is None:
        return multiply_adds_of(network)
    try:
        return _counted(network, device="meta")
    except Exception:  # a layer that needs numbers
        return _counted(network_to_measure(options, scale=scale), device="cpu")


def multiply_adds_of(network: Network) -> int:
    """As `multiply_adds`, of a network that is there already."""
    if user_network_in(network) is not None:
        return _counted(network, device=next(iter(network.parameters()), torch.empty(0)).device.type)
    resolution: dict[Step, int] = {}  # pixels of a step's result for each LR pixel, along one side
    per_pixel = 0
    for step in trace(network):
        layer = layer_of(step)
        resolution[step] = max((resolution[source] for source in step.inputs), default=1) * factor_of(layer)
        if isinstance(layer, nn.Conv2d):
            per_pixel += layer.weight.numel() * resolution[step] ** 2
    return (
        per_pixel * OUTPUT_PIXELS // network.scale**2
    )  # without remainder: 1280 * 720 is a multiple of 4, 9 and 16


def network_to_measure(options: NetworkOptions, *, scale: int) -> Network:
    """A network whose steps can be read: shapes only, or a user's with random weights on the CPU."""
    network = meta_network(options, scale=scale)
    if user_network_in(network) is not None:
        with torch.random.fork_rng(devices=[]):
            network = build_network(options, scale=scale)
    return network.eval()


def user_network_in(network: nn.Module) -> UserNetwork | None:
    """The user's network in `network`: itself, or the one that works on luma."""
    return next((module for module in network.modules() if isinstance(module, UserNetwork)), None)


def _counted(network: Network, *, device: str) -> int:
    """Multiplications as torch counts them, of one forward; on a CPU of a small picture, in proportion."""
    from torch.utils.flop_counter import FlopCounterMode  # not needed for srlab's own networks

    height, width = (720, 1280) if device == "meta" else (96, 96)
    size = (-(-height // network.scale), -(-width // network.scale))
    fast_path = torch.backends.mha.get_fastpath_enabled()  # its kernels are not counted
    torch.backends.mha.set_fastpath_enabled(False)
    was_training = network.training
    try:
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            network.eval()(torch.zeros(1, 3, *size, device=device))
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
        network.train(was_training)
    flops: int = counter.get_total_flops()
    return flops // 2 * OUTPUT_PIXELS // (network.scale**2 * size[0] * size[1])


_TRIED_SIZES = (33, 65, 129)  # of LR, odd: there is a middle


def _tried_radius(network: UserNetwork, *, channels: int) -> int:
    """How far the SR pixels of the middle LR pixel depend on LR, by their gradient for random pictures.

    A declared radius stands; where tiles begin may matter all the same.
    """
    device = next(iter(network.parameters()), torch.empty(0)).device
    if device.type == "meta":
        if network.radius is None:
            raise ValueError("how far a network sees cannot be tried without its weights")
        return network.radius
    if not network.is_tried:
        network.is_tried = True
        try:
            with torch.random.fork_rng(devices=[]), torch.enable_grad(), _without_zeros(network):
                torch.manual_seed(0)
                found = _tried(network, channels=channels, device=device)
        except Exception:  # such as one that cuts the gradient: nothing is known of it
            found = None
        if network.radius is None:
            network.sees_all = found is None
            network.radius = _TRIED_SIZES[-1] // 2 if found is None else found
    assert network.radius is not None
    return network.radius


def _tried(network: UserNetwork, *, channels: int, device: torch.device) -> int | None:
    """None if it sees as far as is tried."""
    for size in _TRIED_SIZES:
        pictures = [torch.rand(1, channels, size, size, device=device) for _ in range(2)]
        # with a stride, neighbors see differently
        found = max(_seen(network, lr, at=size // 2 + place) for place, lr in enumerate(pictures))
        if found < size // 2:
            network.is_aligned = _is_aligned(network, pictures[0].detach(), at=size // 2)
            return found
    return None


@contextmanager
def _without_zeros(network: UserNetwork) -> Iterator[None]:
    """In `eval` mode. A layer that begins with zeros lets nothing through before it is trained.

    It is then as before; a copy is not possible of every network.
    """
    before = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    training = {module: module.training for module in network.modules()}
    try:
        network.eval()
        with torch.no_grad():
            for parameter in network.parameters():
                if not parameter.any():
                    parameter.normal_(std=0.1)
        yield
    finally:
        with torch.no_grad():
            for name, tensor in network.state_dict().items():
                tensor.copy_(before[name])
        for module, was in training.items():
            module.training = was


def _is_aligned(network: UserNetwork, lr: Tensor, *, at: int) -> bool:
    """Whether the SR of an LR pixel depends on how far from the edge it is, as with strides and windows."""
    with torch.no_grad():
        whole, less = network(lr * 1), network(lr[..., 1:, 1:] * 1)
    first, second = (slice(network.scale * place, network.scale * (place + 1)) for place in (at, at - 1))
    return not torch.allclose(whole[..., first, first], less[..., second, second], rtol=1e-3, atol=1e-4)


def _seen(network: UserNetwork, lr: Tensor, *, at: int) -> int:
    lr.requires_grad_(True)
    inside = slice(network.scale * at, network.scale * (at + 1))
    pixels = network(lr * 1)[..., inside, inside]  # it may change what it is given
    (gradient,) = torch.autograd.grad((pixels * torch.rand_like(pixels)).sum(), lr)
    rows, columns = torch.nonzero(gradient.abs().sum(dim=(0, 1)), as_tuple=True)
    if not len(rows):
        return 0
    return int(max((rows - at).abs().max(), (columns - at).abs().max()))


def receptive_radius(network: Network) -> int:
    """How far an SR pixel sees: at most so many LR pixels around it along each axis, with interpolation.

    LR pixels farther away change nothing, once the network is in `eval` mode. Of a user's network it is tried
    out, up to 64 pixels (`UserNetwork.sees_all` where that is not all).

    >>> from srlab.networks import build_network, preset
    >>> receptive_radius(build_network(preset("edsr/baseline", scale=2), scale=2))
    36
    """
    if isinstance(network, SelfEnsemble):  # kernels are square: the same in every orientation
        return receptive_radius(network.network)
    if isinstance(network, Chain):
        reach = 0  # in pixels of the picture that the networks so far looked at, from the last one back
        for link in reversed(list(network.networks)):
            known = cast(Network, link)
            reach = -(-reach // known.scale) + receptive_radius(known)
        return reach
    if (own := user_network_in(network)) is not None:
        luma = own is not network
        return max(_tried_radius(own, channels=1 if luma else 3), INTERPOLATION_RADIUS["bicubic"] * luma)
    steps = trace(network)
    radius = {
        step: 0 for step in steps
    }  # how far what follows looks into a step's result, in that result's pixels
    for step in reversed(steps):
        needed = _radius_before(layer_of(step), radius[step])
        for source in step.inputs:
            radius[source] = max(needed, radius[source])
    return max(radius[step] for step in steps if step.kind == "input")


def layer_of(step: Step) -> nn.Module | None:
    """The layer that a step runs, or None if it is only pointwise; what is unknown is an error."""
    layer = step.module
    if layer is None:
        if step.kind != "function" or step.function in POINTWISE_FUNCTIONS:
            return None
    elif isinstance(layer, nn.Conv2d):
        if layer.stride == (1, 1):
            return layer
    elif isinstance(layer, nn.BatchNorm2d) and layer.running_mean is None:
        pass  # it takes the mean of the whole image
    elif isinstance(layer, (nn.PixelShuffle, Enlarge, *POINTWISE)):
        return layer
    raise TypeError(f"srlab.networks.complexity does not know {layer or step.name}: say there what it does")


def factor_of(layer: nn.Module | None) -> int:
    """How many times larger a layer makes each side."""
    if isinstance(layer, nn.PixelShuffle):
        return layer.upscale_factor
    return layer.scale if isinstance(layer, Enlarge) else 1


def _radius_before(layer: nn.Module | None, radius: int) -> int:
    """How far a layer looks into its input for what is `radius` around a pixel of its output."""
    if isinstance(layer, nn.Conv2d):
        reach = (
            dilation * (size // 2) for size, dilation in zip(layer.kernel_size, layer.dilation, strict=True)
        )
        return radius + max(reach)
    inside = -(-radius // factor_of(layer))  # the farthest of s pixels that share one pixel of the input
    return inside + (INTERPOLATION_RADIUS[layer.kind] if isinstance(layer, Enlarge) else 0)
