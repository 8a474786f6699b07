"""A network in words: its layers, their shapes, and what it costs."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import torch
from torch import nn

from srlab.networks import NetworkOptions, architecture, network_color
from srlab.networks.architectures import UserNetwork
from srlab.networks.complexity import multiply_adds, network_to_measure, receptive_radius, user_network_in
from srlab.networks.discriminator import (
    HR_PATCH_SIZE,
    DiscriminatorOptions,
    meta_discriminator,
    multiply_adds_of_a_patch,
)
from srlab.networks.layers import layer_rows, layer_table
from srlab.networks.options import to_values
from srlab.networks.parts import num_frozen

LR_SIZE = 24  # pixels; what the shapes are shown for


def summary(options: NetworkOptions, *, scale: int, frozen: Sequence[str] = ()) -> str:
    """The options, every layer with kernel, output shape and parameters, and the totals, as lines of text.

    The parts named in `frozen` keep the weights of another network; their parameters are told apart.

    Blocks that follow each other and are alike are one row. Shapes are those of one LR picture of 24 x 24;
    none of its pixels is computed.
    """
    network = network_to_measure(options, scale=scale)
    device = "meta" if user_network_in(network) is None else "cpu"
    shown = network.network if isinstance(network, UserNetwork) else network
    own = user_network_in(network)
    try:
        table = layer_table(layer_rows(shown, torch.zeros(1, 3, LR_SIZE, LR_SIZE, device=device)))
    except Exception as error:
        if own is None:
            raise
        table = f"The layers cannot be listed: {' '.join(str(error).split())[:80]}"
    rule = "-" * max(map(len, table.splitlines()))
    radius = receptive_radius(network)
    at_least = "at least " if own is not None and own.sees_all else ""
    return "\n".join(
        (
            f"{architecture(options)} x{scale}, {network_color(options)}",
            *(f"  {name} = {_text(value)}" for name, value in to_values(options).items()),
            rule,
            table,
            rule,
            *_counts(network, frozen),
            f"Multiply-adds: {multiply_adds(options, scale=scale) / 1e9:,.1f} G for SR of 1280 x 720 pixels",
            f"Sees: {at_least}{radius} LR pixels around each one, so {2 * radius + 1} x {2 * radius + 1}",
        )
    )


def discriminator_summary(options: DiscriminatorOptions, *, hr_patch_size: int = HR_PATCH_SIZE) -> str:
    """As `summary`, of the network that judges HR patches of `hr_patch_size` x `hr_patch_size` pixels."""
    network = meta_discriminator(options, hr_patch_size=hr_patch_size).eval()
    table = layer_table(layer_rows(network, torch.empty(1, 3, hr_patch_size, hr_patch_size, device="meta")))
    rule = "-" * max(map(len, table.splitlines()))
    return "\n".join(
        (
            f"Discriminator of HR patches of {hr_patch_size} x {hr_patch_size}, rgb",
            *(f"  {name} = {_text(value)}" for name, value in to_values(options).items()),
            rule,
            table,
            rule,
            *_counts(network, ()),
            f"Multiply-adds: {multiply_adds_of_a_patch(network) / 1e9:,.1f} G for one patch",
        )
    )


def _counts(network: nn.Module, frozen: Sequence[str]) -> Iterator[str]:
    parameters = sum(parameter.numel() for parameter in network.parameters())
    statistics = sum(
        buffer.numel()
        for name, buffer in network.named_buffers()
        if name.endswith(("running_mean", "running_var"))
    )
    if not frozen:
        yield f"Parameters: {parameters:,}"
        yield f"Running statistics: {statistics:,}"
        return
    kept = num_frozen(network, frozen)
    yield f"Frozen: {', '.join(frozen)}"
    yield f"Parameters: {parameters:,}, of which {kept:,} frozen"
    yield f"Running statistics: {statistics:,}"
    yield (
        f"In all {parameters + statistics:,}: {parameters - kept:,} trainable, "
        f"{kept + statistics:,} not (frozen, and running statistics)"
    )


def _text(value: object) -> str:
    if isinstance(value, list):
        runs = [(item, len(list(alike))) for item, alike in groupby(value)]
        return ",".join(
            f"{item}x{count}" if count > 2 else ",".join([str(item)] * count) for item, count in runs
        )
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)
