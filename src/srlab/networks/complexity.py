"""What a network costs and how far it sees, both read off its own steps.

An operation that this file does not know is an error, not a guess.
"""

import operator
from typing import cast

import torch
from torch import nn

from srlab.networks import NetworkOptions, meta_network
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
    """
    return multiply_adds_of(meta_network(options, scale=scale))


def multiply_adds_of(network: Network) -> int:
    """As `multiply_adds`, of a network that is there already."""
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


def receptive_radius(network: Network) -> int:
    """How far an SR pixel sees: at most so many LR pixels around it along each axis, with interpolation.

    LR pixels farther away change nothing, once the network is in `eval` mode.

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
